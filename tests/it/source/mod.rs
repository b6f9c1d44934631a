//! Any bytes give a value or a problem, and the problem says where, what and
//! what to do.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod json;
mod laws;
mod limits;
mod places;
mod yaml;

use std::fmt::Write as _;

use marketsync::domain::item::RepoPath;
use marketsync::domain::source::{Format, Parsed, Problem, Severity, clean, nearest, parse};

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
        writeln!(out, "  | {}\n  | {}{}", excerpt.text, " ".repeat(start), "^".repeat(length))
            .unwrap();
    }
    for (name, text) in
        [("expected", &problem.expected), ("found", &problem.found), ("hint", &problem.hint)]
    {
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
    let has_error = parsed.problems.iter().any(|problem| problem.severity == Severity::Error);
    assert_eq!(has_error, parsed.value.is_none(), "a value exactly if no error: {out}");
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
    texts.iter().fold(String::new(), |out, text| out + &format!("── {text:?}\n") + &read(text))
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
fn a_place_at_the_end_of_a_line() {
    for text in ["{\"a\" \r\n:,}", "é\r%E*,>>>:{:\n\r", "[\"a\r\n\"]", "a: \"b\r\n", "\r"] {
        for format in [Format::Json, Format::Yaml] {
            for problem in parse(&path(), format, text.as_bytes()).problems {
                let Some(excerpt) = problem.excerpt else {
                    continue;
                };
                assert!(
                    excerpt.start as usize <= excerpt.text.chars().count(),
                    "{text:?} {excerpt:?}"
                );
            }
        }
    }
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
    assert_eq!(clean("a\tb\u{1b}c\u{85}\u{feff}ü"), "a b\u{fffd}c\u{fffd}\u{fffd}ü");
    let key = "{\"\\u001b[2J\": 1, \"\\u001b[2J\": 2}";
    insta::assert_snapshot!(json(key), @r#"
    error 1:18: the key `�[2J` stands twice in one object, first in line 1
      | {"\u001b[2J": 1, "\u001b[2J": 2}
      |                  ^^^^^^^^^^^
      hint: remove one of the two; no reader could tell which one counts
    "#);
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
