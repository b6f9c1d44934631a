//! What `serde_json` refused, in plain words.

use std::ops::Range;

use crate::domain::item::RepoPath;
use crate::domain::source::{Format, Outline, Problem, quote, show};

/// The byte that an error of `serde_json` is about. It counts lines from 1 and
/// columns in bytes from 1; column 0 is the line break before.
pub(super) fn offset(text: &str, error: &serde_json::Error) -> usize {
    let start = show::line_start(text, error.line());
    show::floor(text, (start + error.column()).saturating_sub(1))
}

/// What `serde_json` refused, in plain words.
pub(super) fn explain(path: &RepoPath, text: &str, error: &serde_json::Error) -> Problem {
    let reason = error.to_string();
    let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    if error.is_eof() {
        return explain_end(path, text, reason);
    }
    let at = offset(text, error);
    let next = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
    let one = at..at + next.len_utf8();
    let word = word_around(text, at);
    by_sight(path, text, reason, &one, &word)
        .unwrap_or_else(|| explain_reason(path, text, reason, one, word))
}

/// What is known by its looks, whatever `serde_json` expected there: things of
/// JavaScript and Python.
fn by_sight(
    path: &RepoPath,
    text: &str,
    reason: &str,
    one: &Range<usize>,
    word: &Range<usize>,
) -> Option<Problem> {
    let inside_a_text = reason.contains("escape") || reason.starts_with("control character");
    if inside_a_text {
        return None;
    }
    let problem =
        |range: &Range<usize>, message: &str| Problem::at(path, text, range.clone(), message);
    let comment = one.start..show::line_of(text, one.start).end.max(one.start);
    match text.get(one.clone())? {
        "/" | "#" => {
            let found = text.get(comment.clone())?;
            let problem = problem(&comment, "a comment; JSON has no comments")
                .expected("JSON (RFC 8259)")
                .found(found);
            return Some(problem.hint("remove the comment, or write the item in YAML"));
        }
        "'" => {
            let problem = problem(one, "a single quote; texts and keys stand in double quotes");
            return Some(
                problem.expected("`\"`").found("'").hint("replace each ' around a text by \""),
            );
        }
        _ => {}
    }
    let name = text.get(word.clone())?;
    let a_value_stands_there = !reason.starts_with("key must") && !reason.starts_with("expected `");
    match name.trim_start_matches(['-', '+']).to_ascii_lowercase().as_str() {
        "nan" | "inf" | "infinity" if a_value_stands_there => Some(
            problem(word, &format!("{} is not a number that JSON can hold", quote(name)))
                .expected("a finite number")
                .found(name)
                .hint("leave the field out, or write null or a number"),
        ),
        "true" | "false" | "null" | "none" | "undefined" if a_value_stands_there => Some(
            problem(word, &format!("{} is not a JSON value", quote(name)))
                .expected("`true`, `false` or `null`, in lower case, or a text in double quotes")
                .found(name)
                .hint("write it in lower case, or put it in double quotes"),
        ),
        _ => None,
    }
}

/// A sentence of `serde_json`, and ours for it: what is wrong, what is
/// expected, what to do.
struct Plain {
    message: &'static str,
    expected: &'static str,
    hint: &'static str,
}

fn plain(reason: &str) -> Option<Plain> {
    let (message, expected, hint) = match reason {
        "number out of range" => (
            "the number is larger than JSON readers can hold",
            "a number below 1.8e308",
            "write a smaller number, or put it in quotes",
        ),
        "invalid number" => (
            "this is not a JSON number",
            "digits without leading zeros or `+`, with digits on both sides of a point",
            "write it as JSON does, or put it in double quotes if it is a text",
        ),
        "key must be a string" => (
            "a key must stand in double quotes",
            "a key such as `\"name\"`",
            "put the key in double quotes",
        ),
        "trailing characters" => (
            "the document is complete, but the file goes on",
            "the end of the file",
            "one item per file: split it, or remove a bracket that closes too early",
        ),
        "trailing comma" | "expected value" | "expected ident" => (
            "a value is missing or misspelt here",
            "an object, a list, a text in double quotes, a number, `true`, `false` or `null`",
            "write a value, or put a text in double quotes",
        ),
        "lone leading surrogate in hex escape" | "unexpected end of hex escape" => (
            "the escape before this is only half of a character",
            "a pair such as \\ud83d\\ude00, or \\u and one code point below U+D800",
            "write the character itself: the file is UTF-8",
        ),
        "invalid escape" => (
            "no such escape exists in JSON",
            "\\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u and four hexadecimal digits",
            "write a backslash itself as \\\\",
        ),
        _ if reason.starts_with("control character") => (
            "a text goes over the end of its line, or holds a raw control character",
            "a closing quote on the same line",
            "close the quote, or write a line break as \\n and a tab as \\t",
        ),
        _ if reason.starts_with("expected `,`") => (
            "a comma is missing before this",
            "a comma, or the closing bracket",
            "put a comma between the two",
        ),
        _ if reason.starts_with("expected `:`") => {
            ("a colon is missing after the key", "`:`", "put a colon between key and value")
        }
        _ => return None,
    };
    Some(Plain { message, expected, hint })
}

/// A bracket that closes what is not open.
fn mismatch(reason: &str, found: &str) -> Option<Plain> {
    let (message, expected, hint) = match (reason, found) {
        ("expected `,` or `}`", "]") => (
            "the object before this is not closed",
            "`}`",
            "close the object with `}`, or remove the `]`",
        ),
        ("expected `,` or `]`", "}") => (
            "the list before this is not closed",
            "`]`",
            "close the list with `]`, or remove the `}`",
        ),
        _ => return None,
    };
    Some(Plain { message, expected, hint })
}

fn explain_reason(
    path: &RepoPath,
    text: &str,
    reason: &str,
    one: Range<usize>,
    word: Range<usize>,
) -> Problem {
    let found = text.get(word.clone()).unwrap_or_default();
    let mut letters = found.trim_start_matches(['+', '-', '.']).chars();
    let is_number = reason.contains("number")
        || (reason == "expected value" && letters.next().is_some_and(|c| c.is_ascii_digit()));
    let reason = if is_number && reason == "expected value" { "invalid number" } else { reason };
    // An error about a number may stand at its end, all others at the
    // beginning or within.
    let about_the_word =
        is_number || (word.contains(&one.start) && reason != "trailing characters");
    let range = if about_the_word { word } else { one };
    let found = text.get(range.clone()).unwrap_or_default();
    let found = match found {
        "\n" | "\r" => "a line break",
        "\t" => "a tab",
        found => found,
    };
    match mismatch(reason, found).or_else(|| plain(reason)) {
        Some(plain) => Problem::at(path, text, range, plain.message)
            .expected(plain.expected)
            .found(found)
            .hint(plain.hint),
        None => Problem::at(path, text, range, crate::domain::text::cut(reason, show::FOUND_CHARS))
            .found(found)
            .hint("compare with RFC 8259, or let an editor format the file"),
    }
}

/// The file ends inside the document.
fn explain_end(path: &RepoPath, text: &str, reason: &str) -> Problem {
    let end = text.trim_end().len();
    let at = show::floor(text, end.saturating_sub(1));
    let problem = Problem::at(path, text, at..end, "the file ends in the middle of the document");
    if reason == "EOF while parsing a string" {
        return problem.expected("a closing `\"`").hint("close the quote of the last text");
    }
    let Some(open) = Outline::new(Format::Json, text).unclosed() else {
        return problem.hint("complete the document");
    };
    let bracket =
        if text.as_bytes().get(open.start) == Some(&b'{') { ('{', '}') } else { ('[', ']') };
    let place = show::position(text, open.start);
    problem
        .expected(format!(
            "`{}` for the `{}` of line {}, column {}",
            bracket.1, bracket.0, place.line, place.column
        ))
        .hint("complete the document; part of the file may be missing")
}

/// The bare word or number that `at` lies in.
fn word_around(text: &str, at: usize) -> Range<usize> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '+' | '-');
    let (before, after) = text.split_at(show::floor(text, at));
    let start = before.len()
        - before.chars().rev().take_while(|c| is_word(*c)).map(char::len_utf8).sum::<usize>();
    let end =
        before.len() + after.chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum::<usize>();
    start..end
}
