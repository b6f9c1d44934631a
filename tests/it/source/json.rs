//! JSON as the users of the vendor's client know it.

use super::{each, json, path, show};
use marketsync::domain::source::{Format, parse};

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
    let strict = SIDECAR.replace("],\n  }", "]\n  }").replace("},\n}", "}\n}");
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
fn json_empty_and_twice() {
    insta::assert_snapshot!(each(json, &[
        "",
        " \n\t",
        "{\"a\": 1,\n \"b\": {\"c\": 1},\n \"a\": 2}",
        "{\"a\": 1, \"\\u0061\": 2}",
    ]), @r#"
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
    "#);
}

#[test]
fn json_comments_and_quotes() {
    insta::assert_snapshot!(each(json, &[
        "{\n  // why\n  \"a\": 1\n}",
        "{\"a\": 1 /* why */}",
        "# no\n{}",
        "{'a': 1}",
        "{\"a\": 'b'}",
    ]), @r##"
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
    "##);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn json_numbers() {
    insta::assert_snapshot!(each(json, &[
        "{\"a\": NaN}",
        "[-Infinity]",
        "[Infinity]",
        "[1e999]",
        "[18446744073709551616]",
        "[-9223372036854775809, 99999999999999999999]",
        "[01]",
        "[+1]",
        "[.5]",
    ]), @r#"
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
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn json_words_and_commas() {
    insta::assert_snapshot!(each(json, &[
        "[True]",
        "[yes]",
        "{a: 1}",
        "{\"a\" 1}",
        "{\"a\": 1 \"b\": 2}",
        "[1,,2]",
        "[1,,]",
        "[,]",
        "{,}",
    ]), @r#"
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
    "#);
}

#[test]
fn json_texts_and_ends() {
    insta::assert_snapshot!(each(json, &[
        "[\"a\nb\"]",
        "[\"a\tb\"]",
        "[\"\\x\"]",
        "[\"it\\'s\"]",
        "[\"\\ud800\"]",
        "{} {}",
        "{}}",
    ]), @r#"
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
    ── "[\"it\\'s\"]"
    error 1:6: no such escape exists in JSON
      | ["it\'s"]
      |      ^
      expected: \" \\ \/ \b \f \n \r \t or \u and four hexadecimal digits
      found: '
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
    "#);
}
