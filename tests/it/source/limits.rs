//! Nothing grows without bound.

use std::fmt::Write as _;

use super::{json, path, report, yaml};
use marketsync::domain::source::{Format, MAX_DEPTH, MAX_FINDINGS, parse};

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
    for (format, open, close) in
        [(Format::Json, "[", "]"), (Format::Json, "{\"a\":", "}"), (Format::Yaml, "[", "]")]
    {
        let nest = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(parse(&path(), format, nest(MAX_DEPTH).as_bytes()).value.is_some(), "{open}");
        let parsed = parse(&path(), format, nest(MAX_DEPTH + 1).as_bytes());
        assert_eq!(parsed.problems[0].message, "the document nests deeper than 64 levels");
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
    let block = (0..100).fold(String::new(), |mut text, depth| {
        let _ = writeln!(text, "{}a:", " ".repeat(depth));
        text
    });
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
    assert_eq!(parsed.problems[MAX_FINDINGS].message, "981 more trailing commas from here on");
    let twice = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(1000));
    assert_eq!(parse(&path(), Format::Json, twice.as_bytes()).problems.len(), MAX_FINDINGS);
    let wide = format!("[{}1]", "99999999999999999999,".repeat(1000));
    assert_eq!(parse(&path(), Format::Json, wide.as_bytes()).problems.len(), MAX_FINDINGS);
}

#[test]
fn alias_bombs_are_refused() {
    let laughs = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        text + &format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1)
    });
    insta::assert_snapshot!(yaml(&laughs), @r#"
    error 1:13: the document grows too large when it is read
      | a0: &a0 [x, x]
      |             ^
      expected: at most 250000 values, and aliases that repeat little
      hint: write the repeated parts out, or split the file; aliases of aliases grow without bound
    "#);
    let heavy = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(900));
    insta::assert_snapshot!(yaml(&heavy), @r#"
    error: the document grows too large when it is read
      expected: at most 250000 values, and aliases that repeat little
      hint: write the repeated parts out, or split the file; aliases of aliases grow without bound
    "#);
}
