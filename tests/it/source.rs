//! Any bytes give a value or a problem, and the problem says where, what and
//! what to do.

use std::fmt::Write as _;

use marketsync::domain::item::RepoPath;
use marketsync::domain::source::{
    Format, MAX_DEPTH, MAX_FINDINGS, Outline, Parsed, Place, Problem, Severity, clean, locate,
    nearest, parse, problem_at,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn path() -> RepoPath {
    RepoPath::new("items/a").unwrap()
}

/// A problem as a person might see it; the real rendering is elsewhere.
fn show(problem: &Problem) -> String {
    let mut out = format!("{:?}", problem.severity).to_lowercase();
    if let Some(position) = problem.position {
        write!(out, " {}:{}", position.line, position.column).unwrap();
    }
    writeln!(out, ": {}", problem.message).unwrap();
    if let Some(excerpt) = &problem.excerpt {
        let (start, length) = (excerpt.start as usize, excerpt.length as usize);
        writeln!(
            out,
            "  | {}\n  | {}{}",
            excerpt.text,
            " ".repeat(start),
            "^".repeat(length)
        )
        .unwrap();
    }
    for (name, text) in [
        ("expected", &problem.expected),
        ("found", &problem.found),
        ("hint", &problem.hint),
    ] {
        if let Some(text) = text {
            writeln!(out, "  {name}: {text}").unwrap();
        }
    }
    out
}

fn report(parsed: &Parsed) -> String {
    let mut out: String = parsed.problems.iter().map(show).collect();
    if let Some(value) = &parsed.value {
        writeln!(out, "= {value}").unwrap();
    }
    let has_error = parsed
        .problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    assert_eq!(
        has_error,
        parsed.value.is_none(),
        "a value exactly if no error: {out}"
    );
    out
}

fn json(text: &str) -> String {
    report(&parse(&path(), Format::Json, text.as_bytes()))
}

fn yaml(text: &str) -> String {
    report(&parse(&path(), Format::Yaml, text.as_bytes()))
}

/// Several bad inputs one after the other.
fn each(read: fn(&str) -> String, texts: &[&str]) -> String {
    texts.iter().fold(String::new(), |out, text| {
        out + &format!("── {text:?}\n") + &read(text)
    })
}

#[test]
fn formats_by_file_name() {
    let check = |name: &str, format| assert_eq!(Format::of(name), format, "{name}");
    check("a.json", Some(Format::Json));
    check("a.b.yaml", Some(Format::Yaml));
    check("a.yml", Some(Format::Yaml));
    check("a.JSON", None);
    check("json", None);
    check("a.json.bak", None);
    check("", None);
}

/// The example of the vendor's page on sidecars has two trailing commas.
const SIDECAR: &str = r#"{
  "name": "Greeter",
  "itemId": "greeter",
  "description": "Says hello beside a service",
  "type": "sidecar",
  "tenantId": "acme",
  "documentation": {
    "type": "externalLink",
    "url": "https://example.com/greeter"
  },
  "resources": {
    "name": "greeter",
    "dockerImage": "ghcr.io/acme/greeter:1.0",
    "containerPorts": [
      {
        "from": 80,
        "name": "http",
        "protocol": "TCP",
        "to": 5000
      }
    ],
  },
}
"#;

#[test]
fn trailing_commas_are_warned_of() {
    let parsed = parse(&path(), Format::Json, SIDECAR.as_bytes());
    let strict = SIDECAR
        .replace("],\n  }", "]\n  }")
        .replace("},\n}", "}\n}");
    assert_eq!(parsed.value, Some(serde_json::from_str(&strict).unwrap()));
    let shown: String = parsed.problems.iter().map(show).collect();
    insta::assert_snapshot!(shown, @r#"
    warning 21:6: a trailing comma
      |     ],
      |      ^
      hint: remove it: JSON allows no comma before `}` or `]`, and other tools refuse it
    warning 22:4: a trailing comma
      |   },
      |    ^
      hint: remove it: JSON allows no comma before `}` or `]`, and other tools refuse it
    "#);
}

#[test]
fn json_accepts() {
    insta::assert_snapshot!(each(json, &[
        "{\"a\": [1, -0, 1.5, 1e2, \"x\", true, null]}",
        "\u{feff}{\"a\": 1}",
        "[\"a,]\", \"\\\",}\" , ]",
        "[18446744073709551615, -9223372036854775808]",
        "[1.8446744073709552e19, 18446744073709551616.0]",
        "[1,\r\n]",
        " \"only text\" ",
    ]), @r#"
    ── "{\"a\": [1, -0, 1.5, 1e2, \"x\", true, null]}"
    = {"a":[1,-0.0,1.5,100.0,"x",true,null]}
    ── "\u{feff}{\"a\": 1}"
    warning 1:1: the file begins with a byte order mark
      | {"a": 1}
      | ^
      hint: save it as UTF-8 without BOM; JSON (RFC 8259 §8.1) must not have one
    = {"a":1}
    ── "[\"a,]\", \"\\\",}\" , ]"
    warning 1:16: a trailing comma
      | ["a,]", "\",}" , ]
      |                ^
      hint: remove it: JSON allows no comma before `}` or `]`, and other tools refuse it
    = ["a,]","\",}"]
    ── "[18446744073709551615, -9223372036854775808]"
    = [18446744073709551615,-9223372036854775808]
    ── "[1.8446744073709552e19, 18446744073709551616.0]"
    = [1.8446744073709552e+19,1.8446744073709552e+19]
    ── "[1,\r\n]"
    warning 1:3: a trailing comma
      | [1,
      |   ^
      hint: remove it: JSON allows no comma before `}` or `]`, and other tools refuse it
    = [1]
    ── " \"only text\" "
    = "only text"
    "#);
}

#[test]
fn json_refuses() {
    insta::assert_snapshot!(each(json, &[
        "",
        " \n\t",
        "{\"a\": 1,\n \"b\": {\"c\": 1},\n \"a\": 2}",
        "{\"a\": 1, \"\\u0061\": 2}",
        "{\n  // why\n  \"a\": 1\n}",
        "{\"a\": 1 /* why */}",
        "# no\n{}",
        "{'a': 1}",
        "{\"a\": 'b'}",
        "{\"a\": NaN}",
        "[-Infinity]",
        "[Infinity]",
        "[1e999]",
        "[18446744073709551616]",
        "[-9223372036854775809, 99999999999999999999]",
        "[True]",
        "[yes]",
        "{a: 1}",
        "{\"a\" 1}",
        "{\"a\": 1 \"b\": 2}",
        "[1,,2]",
        "[1,,]",
        "[,]",
        "{,}",
        "[01]",
        "[+1]",
        "[.5]",
        "[\"a\nb\"]",
        "[\"a\tb\"]",
        "[\"\\x\"]",
        "[\"\\ud800\"]",
        "{} {}",
        "{}}",
    ]), @r##"
    ── ""
    error: the file is empty
      expected: one item
      hint: write an item into it, or remove the file, or exclude it
    ── " \n\t"
    error: the file is empty
      expected: one item
      hint: write an item into it, or remove the file, or exclude it
    ── "{\"a\": 1,\n \"b\": {\"c\": 1},\n \"a\": 2}"
    error 3:2: the key `a` stands twice in one object, first in line 1
      |  "a": 2}
      |  ^^^
      hint: remove one of the two; no reader could tell which one counts
    ── "{\"a\": 1, \"\\u0061\": 2}"
    error 1:10: the key `a` stands twice in one object, first in line 1
      | {"a": 1, "\u0061": 2}
      |          ^^^^^^^^
      hint: remove one of the two; no reader could tell which one counts
    ── "{\n  // why\n  \"a\": 1\n}"
    error 2:3: a comment; JSON has no comments
      |   // why
      |   ^^^^^^
      expected: JSON (RFC 8259)
      found: // why
      hint: remove the comment, or write the item in YAML
    ── "{\"a\": 1 /* why */}"
    error 1:9: a comment; JSON has no comments
      | {"a": 1 /* why */}
      |         ^^^^^^^^^^
      expected: JSON (RFC 8259)
      found: /* why */}
      hint: remove the comment, or write the item in YAML
    ── "# no\n{}"
    error 1:1: a comment; JSON has no comments
      | # no
      | ^^^^
      expected: JSON (RFC 8259)
      found: # no
      hint: remove the comment, or write the item in YAML
    ── "{'a': 1}"
    error 1:2: a single quote; texts and keys stand in double quotes
      | {'a': 1}
      |  ^
      expected: `"`
      found: '
      hint: replace each ' around a text by "
    ── "{\"a\": 'b'}"
    error 1:7: a single quote; texts and keys stand in double quotes
      | {"a": 'b'}
      |       ^
      expected: `"`
      found: '
      hint: replace each ' around a text by "
    ── "{\"a\": NaN}"
    error 1:7: `NaN` is not a number that JSON can hold
      | {"a": NaN}
      |       ^^^
      expected: a finite number
      found: NaN
      hint: leave the field out, or write null or a number
    ── "[-Infinity]"
    error 1:2: `-Infinity` is not a number that JSON can hold
      | [-Infinity]
      |  ^^^^^^^^^
      expected: a finite number
      found: -Infinity
      hint: leave the field out, or write null or a number
    ── "[Infinity]"
    error 1:2: `Infinity` is not a number that JSON can hold
      | [Infinity]
      |  ^^^^^^^^
      expected: a finite number
      found: Infinity
      hint: leave the field out, or write null or a number
    ── "[1e999]"
    error 1:2: the number is larger than JSON readers can hold
      | [1e999]
      |  ^^^^^
      expected: a number below 1.8e308
      found: 1e999
      hint: write a smaller number, or put it in quotes
    ── "[18446744073709551616]"
    error 1:2: the integer does not fit into 64 bits
      | [18446744073709551616]
      |  ^^^^^^^^^^^^^^^^^^^^
      expected: an integer from -9223372036854775808 to 18446744073709551615
      found: 18446744073709551616
      hint: put it in quotes if it is a name; write it with a decimal point if it may be rounded
    ── "[-9223372036854775809, 99999999999999999999]"
    error 1:2: the integer does not fit into 64 bits
      | [-9223372036854775809, 99999999999999999999]
      |  ^^^^^^^^^^^^^^^^^^^^
      expected: an integer from -9223372036854775808 to 18446744073709551615
      found: -9223372036854775809
      hint: put it in quotes if it is a name; write it with a decimal point if it may be rounded
    error 1:24: the integer does not fit into 64 bits
      | [-9223372036854775809, 99999999999999999999]
      |                        ^^^^^^^^^^^^^^^^^^^^
      expected: an integer from -9223372036854775808 to 18446744073709551615
      found: 99999999999999999999
      hint: put it in quotes if it is a name; write it with a decimal point if it may be rounded
    ── "[True]"
    error 1:2: `True` is not a JSON value
      | [True]
      |  ^^^^
      expected: `true`, `false` or `null`, in lower case, or a text in double quotes
      found: True
      hint: write it in lower case, or put it in double quotes
    ── "[yes]"
    error 1:2: a value is missing or misspelt here
      | [yes]
      |  ^^^
      expected: an object, a list, a text in double quotes, a number, `true`, `false` or `null`
      found: yes
      hint: write a value, or put a text in double quotes
    ── "{a: 1}"
    error 1:2: a key must stand in double quotes
      | {a: 1}
      |  ^
      expected: a key such as `"name"`
      found: a
      hint: put the key in double quotes
    ── "{\"a\" 1}"
    error 1:6: a colon is missing after the key
      | {"a" 1}
      |      ^
      expected: `:`
      found: 1
      hint: put a colon between key and value
    ── "{\"a\": 1 \"b\": 2}"
    error 1:9: a comma is missing before this
      | {"a": 1 "b": 2}
      |         ^
      expected: a comma, or the closing bracket
      found: "
      hint: put a comma between the two
    ── "[1,,2]"
    error 1:4: a value is missing or misspelt here
      | [1,,2]
      |    ^
      expected: an object, a list, a text in double quotes, a number, `true`, `false` or `null`
      found: ,
      hint: write a value, or put a text in double quotes
    ── "[1,,]"
    error 1:4: a value is missing or misspelt here
      | [1,,]
      |    ^
      expected: an object, a list, a text in double quotes, a number, `true`, `false` or `null`
      found: ,
      hint: write a value, or put a text in double quotes
    ── "[,]"
    error 1:2: a value is missing or misspelt here
      | [,]
      |  ^
      expected: an object, a list, a text in double quotes, a number, `true`, `false` or `null`
      found: ,
      hint: write a value, or put a text in double quotes
    ── "{,}"
    error 1:2: a key must stand in double quotes
      | {,}
      |  ^
      expected: a key such as `"name"`
      found: ,
      hint: put the key in double quotes
    ── "[01]"
    error 1:2: this is not a JSON number
      | [01]
      |  ^^
      expected: digits without leading zeros or `+`, with digits on both sides of a point
      found: 01
      hint: write it as JSON does, or put it in double quotes if it is a text
    ── "[+1]"
    error 1:2: this is not a JSON number
      | [+1]
      |  ^^
      expected: digits without leading zeros or `+`, with digits on both sides of a point
      found: +1
      hint: write it as JSON does, or put it in double quotes if it is a text
    ── "[.5]"
    error 1:2: this is not a JSON number
      | [.5]
      |  ^^
      expected: digits without leading zeros or `+`, with digits on both sides of a point
      found: .5
      hint: write it as JSON does, or put it in double quotes if it is a text
    ── "[\"a\nb\"]"
    error 1:4: a text goes over the end of its line, or holds a raw control character
      | ["a
      |    ^
      expected: a closing quote on the same line
      found: a line break
      hint: close the quote, or write a line break as \n and a tab as \t
    ── "[\"a\tb\"]"
    error 1:4: a text goes over the end of its line, or holds a raw control character
      | ["a b"]
      |    ^
      expected: a closing quote on the same line
      found: a tab
      hint: close the quote, or write a line break as \n and a tab as \t
    ── "[\"\\x\"]"
    error 1:4: no such escape exists in JSON
      | ["\x"]
      |    ^
      expected: \" \\ \/ \b \f \n \r \t or \u and four hexadecimal digits
      found: x
      hint: write a backslash itself as \\
    ── "[\"\\ud800\"]"
    error 1:9: the escape before this is only half of a character
      | ["\ud800"]
      |         ^
      expected: a pair such as \ud83d\ude00, or \u and one code point below U+D800
      found: "
      hint: write the character itself: the file is UTF-8
    ── "{} {}"
    error 1:4: the document is complete, but the file goes on
      | {} {}
      |    ^
      expected: the end of the file
      found: {
      hint: one item per file: split it, or remove a bracket that closes too early
    ── "{}}"
    error 1:3: the document is complete, but the file goes on
      | {}}
      |   ^
      expected: the end of the file
      found: }
      hint: one item per file: split it, or remove a bracket that closes too early
    "##);
}

#[test]
fn json_that_ends_early() {
    insta::assert_snapshot!(each(json, &["{\n  \"a\": [1,\n  2\n", "[\"abc", "{", "[{\"a\":", "\"\\"]), @r#"
    ── "{\n  \"a\": [1,\n  2\n"
    error 3:3: the file ends in the middle of the document
      |   2
      |   ^
      expected: `]` for the `[` of line 2, column 8
      hint: complete the document; part of the file may be missing
    ── "[\"abc"
    error 1:5: the file ends in the middle of the document
      | ["abc
      |     ^
      expected: a closing `"`
      hint: close the quote of the last text
    ── "{"
    error 1:1: the file ends in the middle of the document
      | {
      | ^
      expected: `}` for the `{` of line 1, column 1
      hint: complete the document; part of the file may be missing
    ── "[{\"a\":"
    error 1:6: the file ends in the middle of the document
      | [{"a":
      |      ^
      expected: `}` for the `{` of line 1, column 2
      hint: complete the document; part of the file may be missing
    ── "\"\\"
    error 1:2: the file ends in the middle of the document
      | "\
      |  ^
      expected: a closing `"`
      hint: close the quote of the last text
    "#);
}

#[test]
fn warnings_come_with_the_error() {
    insta::assert_snapshot!(json("[[1,],\n nope,\n [2,],\n]"), @r#"
    warning 1:4: a trailing comma
      | [[1,],
      |    ^
      hint: remove it: JSON allows no comma before `}` or `]`, and other tools refuse it
    error 2:2: a value is missing or misspelt here
      |  nope,
      |  ^^^^
      expected: an object, a list, a text in double quotes, a number, `true`, `false` or `null`
      found: nope
      hint: write a value, or put a text in double quotes
    "#);
}

#[test]
fn bytes_that_are_no_text() {
    let check = |bytes: &[u8]| {
        report(&parse(&path(), Format::Json, bytes)) + &report(&parse(&path(), Format::Yaml, bytes))
    };
    insta::assert_snapshot!(check(b"{\n  \"name\": \"caf\xe9\"\n}"), @r#"
    error 2:15: the file is not UTF-8
      |   "name": "caf�"
      |               ^
      expected: text in UTF-8
      found: the byte 0xe9
      hint: save the file as UTF-8; it may be in a code page such as Windows-1252
    error 2:15: the file is not UTF-8
      |   "name": "caf�"
      |               ^
      expected: text in UTF-8
      found: the byte 0xe9
      hint: save the file as UTF-8; it may be in a code page such as Windows-1252
    "#);
    insta::assert_snapshot!(check(b"\xff\xfe{\x00}\x00"), @r#"
    error 1:1: the file is not UTF-8
      | ��{�}�
      | ^
      expected: text in UTF-8
      found: a UTF-16 byte order mark
      hint: the file is UTF-16: save it as UTF-8
    error 1:1: the file is not UTF-8
      | ��{�}�
      | ^
      expected: text in UTF-8
      found: a UTF-16 byte order mark
      hint: the file is UTF-16: save it as UTF-8
    "#);
}

#[test]
fn a_terminal_is_not_attacked() {
    let text = "{\t\"\u{1b}[31m\u{202e}\u{9b}\": 1,,\u{7} \u{1b}]0;x\u{7}}";
    insta::assert_snapshot!(json(text), @r#"
    error 1:4: a text goes over the end of its line, or holds a raw control character
      | { "�[31m��": 1,,� �]0;x�}
      |    ^
      expected: a closing quote on the same line
      found: �
      hint: close the quote, or write a line break as \n and a tab as \t
    "#);
    assert_eq!(
        clean("a\tb\u{1b}c\u{85}\u{feff}ü"),
        "a b\u{fffd}c\u{fffd}\u{fffd}ü"
    );
    let key = "{\"\\u001b[2J\": 1, \"\\u001b[2J\": 2}";
    insta::assert_snapshot!(json(key), @r#"
    error 1:18: the key `�[2J` stands twice in one object, first in line 1
      | {"\u001b[2J": 1, "\u001b[2J": 2}
      |                  ^^^^^^^^^^^
      hint: remove one of the two; no reader could tell which one counts
    "#);
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let text = format!("[{}nope, {}]", "1, ".repeat(1000), "2, ".repeat(1000));
    let parsed = parse(&path(), Format::Json, text.as_bytes());
    insta::assert_snapshot!(report(&parsed), @r#"
    error 1:3002: a value is missing or misspelt here
      | , 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, nope, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 
      |                                                                                 ^^^^
      expected: an object, a list, a text in double quotes, a number, `true`, `false` or `null`
      found: nope
      hint: write a value, or put a text in double quotes
    "#);
}

#[test]
fn depth_is_bounded() {
    for (format, open, close) in [
        (Format::Json, "[", "]"),
        (Format::Json, "{\"a\":", "}"),
        (Format::Yaml, "[", "]"),
    ] {
        let nest = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(
            parse(&path(), format, nest(MAX_DEPTH).as_bytes())
                .value
                .is_some(),
            "{open}"
        );
        let parsed = parse(&path(), format, nest(MAX_DEPTH + 1).as_bytes());
        assert_eq!(
            parsed.problems[0].message,
            "the document nests deeper than 64 levels"
        );
    }
    insta::assert_snapshot!(json(&"[".repeat(100_000_000)), @r#"
    error 1:65: the document nests deeper than 64 levels
      | [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |                                                                 ^
      expected: at most 64 objects and lists within each other
      hint: flatten the document; no item needs that depth
    "#);
    insta::assert_snapshot!(yaml(&"[".repeat(100_000)), @r#"
    error 1:256: the document nests deeper than 64 levels
      | [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |                                                                                 ^
      expected: at most 64 objects and lists within each other
      hint: flatten the document; no item needs that depth
    "#);
    let block: String = (0..100)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    insta::assert_snapshot!(yaml(&block), @r#"
    error 65:65: the document nests deeper than 64 levels
      |                                                                 a:
      |                                                                 ^
      expected: at most 64 objects and lists within each other
      hint: flatten the document; no item needs that depth
    "#);
    let dashes = "- ".repeat(100_000);
    insta::assert_snapshot!(yaml(&dashes), @r#"
    error 1:129: the document nests deeper than 64 levels
      | - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - 
      |                                                                                 ^
      expected: at most 64 objects and lists within each other
      hint: flatten the document; no item needs that depth
    "#);
}

#[test]
fn findings_are_capped() {
    let commas = format!("[{}]", "[1,],".repeat(1000));
    let parsed = parse(&path(), Format::Json, commas.as_bytes());
    assert_eq!(parsed.problems.len(), MAX_FINDINGS + 1);
    assert_eq!(
        parsed.problems[MAX_FINDINGS].message,
        "981 more trailing commas from here on"
    );
    let twice = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(1000));
    assert_eq!(
        parse(&path(), Format::Json, twice.as_bytes())
            .problems
            .len(),
        MAX_FINDINGS
    );
    let wide = format!("[{}1]", "99999999999999999999,".repeat(1000));
    assert_eq!(
        parse(&path(), Format::Json, wide.as_bytes()).problems.len(),
        MAX_FINDINGS
    );
}

#[test]
fn yaml_accepts() {
    insta::assert_snapshot!(each(yaml, &[
        "a: no\nb: yes\nc: on\nd: true\ne: ~\nf:\n",
        "on: 1\ny: 2\n",
        "a: 18446744073709551615\nb: -9223372036854775808\nc: 1.5\nd: 1e3\ne: \"18446744073709551616\"\nf: 18446744073709551616.0\n",
        "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n",
        "\u{feff}a: 1\n",
        "---\na: 1\n...\n",
        "# c\na: |\n  text\n  more\n",
        "a: 1_000\nb: 0x10\nc: 0o17\nd: 017\ne: 2024-01-01\nf: 1.2.3\n",
        "!!str 1: !!int \"2\"\n",
        "a: !!binary aGVsbG8=\n",
        "null\n",
    ]), @r##"
    ── "a: no\nb: yes\nc: on\nd: true\ne: ~\nf:\n"
    = {"a":"no","b":"yes","c":"on","d":true,"e":null,"f":null}
    ── "on: 1\ny: 2\n"
    = {"on":1,"y":2}
    ── "a: 18446744073709551615\nb: -9223372036854775808\nc: 1.5\nd: 1e3\ne: \"18446744073709551616\"\nf: 18446744073709551616.0\n"
    = {"a":18446744073709551615,"b":-9223372036854775808,"c":1.5,"d":1000.0,"e":"18446744073709551616","f":1.8446744073709552e+19}
    ── "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}\n"
    = {"a":{"b":1},"c":{"b":1},"d":{"b":1,"e":2}}
    ── "\u{feff}a: 1\n"
    = {"a":1}
    ── "---\na: 1\n...\n"
    = {"a":1}
    ── "# c\na: |\n  text\n  more\n"
    = {"a":"text\nmore\n"}
    ── "a: 1_000\nb: 0x10\nc: 0o17\nd: 017\ne: 2024-01-01\nf: 1.2.3\n"
    = {"a":"1_000","b":16,"c":15,"d":"017","e":"2024-01-01","f":"1.2.3"}
    ── "!!str 1: !!int \"2\"\n"
    = {"1":2}
    ── "a: !!binary aGVsbG8=\n"
    = {"a":"hello"}
    ── "null\n"
    = null
    "##);
}

#[test]
fn yaml_refuses() {
    insta::assert_snapshot!(each(yaml, &[
        "",
        "# only a comment\n",
        "---\n",
        "a: 1\nb: 2\na: 3\n",
        "{a: 1, \"a\": 2}\n",
        "a: 1\n---\nb: 2\n",
        "a:\n\tb: 1\n",
        "a:\n  b: 1\n\tc: 2\n",
        "1: a\n",
        "a:\n  true: b\n",
        "~: a\n",
        "1.5: a\n",
        "? [a, b]\n: c\n",
        "? {a: b}\n: c\n",
        "a: .nan\n",
        "a: -.inf\n",
        "a: 1e999\n",
        "a: 18446744073709551616\n",
        "a: [-9223372036854775809]\n",
        "a: [1, 2\n",
        "a: \"b\n",
        "a: b: c\n",
        "a: *nope\n",
        "a: &x [*x]\n",
        "a: @b\n",
        "a: %b\n",
        "  a: 1\n b: 2\n",
        "a: 1\n  b: 2\n",
        "- a\nb: 1\n",
        "a: !!int b\n",
        "a: !!binary \"?\"\n",
        "a: {b: 1}}\n",
        "a: !custom x\n",
        "a: \"\\q\"\n",
        "a: \u{1}\n",
    ]), @r##"
    ── ""
    error: the file is empty
      expected: one item
      hint: write an item into it, or remove the file, or exclude it
    ── "# only a comment\n"
    error: the file holds no document, only comments or markers
      expected: one item
      hint: write an item into it, or remove the file, or exclude it
    ── "---\n"
    error: the file holds no document, only comments or markers
      expected: one item
      hint: write an item into it, or remove the file, or exclude it
    ── "a: 1\nb: 2\na: 3\n"
    error 3:1: the key `a` stands twice in one object, first in line 1
      | a: 3
      | ^
      hint: remove one of the two; no reader could tell which one counts
    ── "{a: 1, \"a\": 2}\n"
    error 1:8: the key `a` stands twice in one object, first in line 1
      | {a: 1, "a": 2}
      |        ^^^
      hint: remove one of the two; no reader could tell which one counts
    ── "a: 1\n---\nb: 2\n"
    error 3:1: the file holds more than one document
      | b: 2
      | ^
      expected: one document
      hint: one item per file: split it at the `---`
    ── "a:\n\tb: 1\n"
    error 2:1: a tab stands in the indentation
      |  b: 1
      | ^
      expected: spaces
      found: a tab
      hint: indent with spaces only: YAML allows no tabs there
    ── "a:\n  b: 1\n\tc: 2\n"
    error 3:1: a tab stands in the indentation
      |  c: 2
      | ^
      expected: spaces
      found: a tab
      hint: indent with spaces only: YAML allows no tabs there
    ── "1: a\n"
    error 1:1: a key is not a text
      | 1: a
      | ^
      expected: a key that is a text
      found: 1
      hint: put the key in quotes; JSON, which the marketplace reads, has no other keys
    ── "a:\n  true: b\n"
    error 2:3: a key is not a text
      |   true: b
      |   ^^^^
      expected: a key that is a text
      found: true
      hint: put the key in quotes; JSON, which the marketplace reads, has no other keys
    ── "~: a\n"
    error 1:1: a key is not a text
      | ~: a
      | ^
      expected: a key that is a text
      found: ~
      hint: put the key in quotes; JSON, which the marketplace reads, has no other keys
    ── "1.5: a\n"
    error 1:1: a key is not a text
      | 1.5: a
      | ^^^
      expected: a key that is a text
      found: 1.5
      hint: put the key in quotes; JSON, which the marketplace reads, has no other keys
    ── "? [a, b]\n: c\n"
    error 1:3: a key is not a text
      | ? [a, b]
      |   ^
      expected: a key that is a text
      found: [a, b]
      hint: put the key in quotes; JSON, which the marketplace reads, has no other keys
    ── "? {a: b}\n: c\n"
    error 1:3: a key is not a text
      | ? {a: b}
      |   ^
      expected: a key that is a text
      found: {a: b}
      hint: put the key in quotes; JSON, which the marketplace reads, has no other keys
    ── "a: .nan\n"
    error 1:4: `.nan` is not a number that JSON can hold
      | a: .nan
      |    ^^^^
      expected: a finite number
      found: .nan
      hint: write a number, or put it in quotes if it is a text
    ── "a: -.inf\n"
    error 1:4: `-.inf` is not a number that JSON can hold
      | a: -.inf
      |    ^^^^^
      expected: a finite number
      found: -.inf
      hint: write a number, or put it in quotes if it is a text
    ── "a: 1e999\n"
    error 1:4: `1e999` is not a number that JSON can hold
      | a: 1e999
      |    ^^^^^
      expected: a finite number
      found: 1e999
      hint: write a number, or put it in quotes if it is a text
    ── "a: 18446744073709551616\n"
    error 1:4: the integer does not fit into 64 bits
      | a: 18446744073709551616
      |    ^^^^^^^^^^^^^^^^^^^^
      expected: an integer from -9223372036854775808 to 18446744073709551615
      found: 18446744073709551616
      hint: put it in quotes if it is a name; write it with a decimal point if it may be rounded
    ── "a: [-9223372036854775809]\n"
    error 1:5: the integer does not fit into 64 bits
      | a: [-9223372036854775809]
      |     ^^^^^^^^^^^^^^^^^^^^
      expected: an integer from -9223372036854775808 to 18446744073709551615
      found: -9223372036854775809
      hint: put it in quotes if it is a name; write it with a decimal point if it may be rounded
    ── "a: [1, 2\n"
    error 1:4: not valid YAML: unclosed bracket '['
      | a: [1, 2
      |    ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    ── "a: \"b\n"
    error 2:1: not valid YAML: invalid indentation in multiline quoted scalar
      | 
      | ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    ── "a: b: c\n"
    error 1:5: not valid YAML: mapping values are not allowed in this context
      | a: b: c
      |     ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    ── "a: *nope\n"
    error 1:4: an alias names an anchor that does not stand above it
      | a: *nope
      |    ^
      found: *nope
      hint: define the anchor first, or put the text in quotes if the `*` belongs to it
    ── "a: &x [*x]\n"
    error 1:8: an alias lies within its own anchor
      | a: &x [*x]
      |        ^^
      found: *x
      hint: write the value out
    ── "a: @b\n"
    error 1:4: a text may not begin with this character
      | a: @b
      |    ^
      found: @b
      hint: put the text in quotes
    ── "a: %b\n"
    error 1:4: a text may not begin with this character
      | a: %b
      |    ^
      found: %b
      hint: put the text in quotes
    ── "  a: 1\n b: 2\n"
    error 2:2: not valid YAML: did not find expected <document start>
      |  b: 2
      |  ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    ── "a: 1\n  b: 2\n"
    error 2:4: not valid YAML: mapping values are not allowed in this context
      |   b: 2
      |    ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    ── "- a\nb: 1\n"
    error 2:1: not valid YAML: while parsing a block collection, did not find expected '-' indicator
      | b: 1
      | ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    ── "a: !!int b\n"
    error 1:10: not valid YAML: invalid u64
      | a: !!int b
      |          ^
      hint: write a value that fits the tag (the word that begins with `!`), or remove the tag
    ── "a: !!binary \"?\"\n"
    error 1:13: not valid YAML: invalid !!binary base64
      | a: !!binary "?"
      |             ^^^
      hint: write a value that fits the tag (the word that begins with `!`), or remove the tag
    ── "a: {b: 1}}\n"
    error 1:10: not valid YAML: misplaced bracket
      | a: {b: 1}}
      |          ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    ── "a: !custom x\n"
    error 1:12: not valid YAML: unsupported tag `!custom`
      | a: !custom x
      |            ^
      hint: remove the tag (the word that begins with `!`): JSON cannot hold what it asks for
    ── "a: \"\\q\"\n"
    error 1:4: not valid YAML: while parsing a quoted scalar, found unknown escape character
      | a: "\q"
      |    ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    ── "a: \u{1}\n"
    error 1:4: not valid YAML: unexpected character: `\u{1}'
      | a: �
      |    ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
    "##);
}

#[test]
fn alias_bombs_are_refused() {
    let laughs: String = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        text + &format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)
    });
    insta::assert_snapshot!(yaml(&laughs), @r#"
    error 1:13: the document grows too large when it is read
      | a0: &a0 [x, x]
      |             ^
      expected: at most 250000 values, and aliases that repeat little
      hint: write the repeated parts out, or split the file; aliases of aliases grow without bound
    "#);
    let heavy = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        "*a, ".repeat(900)
    );
    insta::assert_snapshot!(yaml(&heavy), @r#"
    error: the document grows too large when it is read
      expected: at most 250000 values, and aliases that repeat little
      hint: write the repeated parts out, or split the file; aliases of aliases grow without bound
    "#);
}

const PLACES: &str = "{\n  \"name\": \"é\", \"resources\": {\n    \"ports\": [ {\"from\": 80}, {\"from\": \"x\"} ],\n    \"a/b~c\": {},\n    \"list\": [\n      1, ],\n  },\n}\n";

#[test]
fn json_places() {
    let check = |pointer: &str, place, expect: Option<(u32, u32, u32)>| {
        let found = locate(Format::Json, PLACES, pointer, place);
        assert_eq!(
            found.map(|s| (s.position.line, s.position.column, s.length)),
            expect,
            "{pointer}"
        );
    };
    check("", Place::Value, Some((1, 1, 1)));
    check("", Place::Key, Some((1, 1, 1)));
    check("/name", Place::Value, Some((2, 11, 3)));
    check("/name", Place::Key, Some((2, 3, 6)));
    check("/resources", Place::Value, Some((2, 29, 1)));
    check("/resources/ports", Place::Value, Some((3, 14, 31)));
    check("/resources/ports/1/from", Place::Value, Some((3, 39, 3)));
    check("/resources/ports/1/from", Place::Key, Some((3, 31, 6)));
    check("/resources/a~1b~0c", Place::Value, Some((4, 14, 2)));
    check("/resources/list", Place::Value, Some((5, 13, 1)));
    check("/resources/list/0", Place::Value, Some((6, 7, 1)));
    check("/resources/list/1", Place::Value, None);
    check("/resources/list/x", Place::Value, None);
    check("/nothing", Place::Value, None);
    check("name", Place::Value, None);
}

#[test]
fn yaml_places() {
    let text = "# c\nname: é x # y\nresources:\n  ports:\n    - from: 80\n      to: \"ü\"\n    - {from: 1}\n  text: |\n    one\n    two\n  \"q\": *a\n  empty:\n  block: [1,\n    2]\n";
    let check = |pointer: &str, place, expect: Option<(u32, u32, u32)>| {
        let found = locate(Format::Yaml, text, pointer, place);
        assert_eq!(
            found.map(|s| (s.position.line, s.position.column, s.length)),
            expect,
            "{pointer}"
        );
    };
    check("", Place::Value, Some((2, 1, 1)));
    check("/name", Place::Value, Some((2, 7, 3)));
    check("/name", Place::Key, Some((2, 1, 4)));
    check("/resources", Place::Value, Some((3, 1, 9)));
    check("/resources/ports", Place::Value, Some((4, 3, 5)));
    check("/resources/ports/0", Place::Value, Some((5, 7, 1)));
    check("/resources/ports/0/to", Place::Value, Some((6, 11, 3)));
    check("/resources/ports/1", Place::Value, Some((7, 7, 9)));
    check("/resources/ports/1/from", Place::Key, Some((7, 8, 4)));
    check("/resources/text", Place::Key, Some((8, 3, 4)));
}

#[test]
fn problems_at_a_pointer() {
    let problem = problem_at(
        &path(),
        Format::Json,
        PLACES.as_bytes(),
        "/resources/ports/1/from",
        Place::Value,
        "not a port",
    );
    assert_eq!(problem.pointer.as_deref(), Some("/resources/ports/1/from"));
    insta::assert_snapshot!(show(&problem), @r#"
    error 3:39: not a port
      |     "ports": [ {"from": 80}, {"from": "x"} ],
      |                                       ^^^
    "#);
    // A field that is not there: what should hold it.
    let problem = problem_at(
        &path(),
        Format::Json,
        PLACES.as_bytes(),
        "/resources/dockerImage",
        Place::Value,
        "missing",
    );
    assert_eq!(problem.pointer.as_deref(), Some("/resources/dockerImage"));
    insta::assert_snapshot!(show(&problem), @r#"
    error 2:29: missing
      |   "name": "é", "resources": {
      |                             ^
    "#);
    let problem = problem_at(&path(), Format::Yaml, b"\xff", "/a", Place::Key, "bad");
    assert_eq!(problem.position, None);
}

#[test]
fn did_you_mean() {
    let check = |word: &str, expect| {
        assert_eq!(
            nearest(word, ["dockerImage", "name", "containerPorts", "to"]),
            expect,
            "{word}"
        );
    };
    check("dockerimage", Some("dockerImage"));
    check("docker_image", Some("dockerImage"));
    check("nmae", Some("name"));
    check("containerPort", Some("containerPorts"));
    check("zzz", None);
    check("", None);
    check("x", None);
    check(&"n".repeat(100_000), None);
}

/// Values as YAML and JSON can both hold them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,4}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn valid_json_is_read_as_serde_json_reads_it(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let parsed = parse(&path(), Format::Json, text.as_bytes());
        prop_assert_eq!(parsed.problems, vec![]);
        prop_assert_eq!(parsed.value, Some(value));
    }

    #[test]
    fn every_value_has_its_place(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let outline = Outline::new(Format::Json, &text);
        let mut todo = vec![(String::new(), &value)];
        while let Some((pointer, value)) = todo.pop() {
            let span = outline.find(&pointer, Place::Value).unwrap();
            let there = serde_json::Deserializer::from_str(&text[span.offset..]).into_iter::<Value>().next();
            prop_assert_eq!(there.unwrap().unwrap(), value.clone(), "{}", pointer);
            match value {
                Value::Array(list) => todo.extend(list.iter().enumerate().map(|(i, v)| (format!("{pointer}/{i}"), v))),
                Value::Object(map) => todo.extend(map.iter().map(|(key, value)| {
                    (format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), value)
                })),
                _ => {}
            }
        }
    }

    #[test]
    fn any_text_is_survived(text in "[\\[\\]{}:,\"'\\\\ \n\t\\-?&*#!|>%@a1.0eE\u{feff}é\r]{0,60}", pointer in "(/[a01~]{0,2}){0,3}") {
        for format in [Format::Json, Format::Yaml] {
            let parsed = parse(&path(), format, text.as_bytes());
            report(&parsed);
            let problem = problem_at(&path(), format, text.as_bytes(), &pointer, Place::Value, "m");
            for problem in parsed.problems.iter().chain([&problem]) {
                if let Some(excerpt) = &problem.excerpt {
                    prop_assert!(excerpt.length >= 1 && excerpt.start as usize <= excerpt.text.chars().count());
                }
            }
        }
        // What serde_json takes, we take or name a duplicate or a too large integer; what it refuses, we refuse or warn of.
        let parsed = parse(&path(), Format::Json, text.as_bytes());
        if serde_json::from_str::<Value>(&text).is_err() {
            prop_assert!(!parsed.problems.is_empty());
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for format in [Format::Json, Format::Yaml] {
            report(&parse(&path(), format, &bytes));
        }
    }
}
