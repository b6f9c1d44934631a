//! YAML, as far as JSON can hold it.

use super::{each, yaml};

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
fn yaml_empty_twice_or_many() {
    insta::assert_snapshot!(each(yaml, &[
        "",
        "# only a comment\n",
        "---\n",
        "a: 1\nb: 2\na: 3\n",
        "{a: 1, \"a\": 2}\n",
        "a: 1\n---\nb: 2\n",
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
    "##);
}

#[test]
fn yaml_tabs() {
    insta::assert_snapshot!(each(yaml, &[
        "a:\n\tb: 1\n",
        "a:\n  b: 1\n\tc: 2\n",
    ]), @r#"
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
    "#);
}

#[test]
fn yaml_keys() {
    insta::assert_snapshot!(each(yaml, &[
        "1: a\n",
        "a:\n  true: b\n",
        "~: a\n",
        "1.5: a\n",
        "? [a, b]\n: c\n",
        "? {a: b}\n: c\n",
    ]), @r#"
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
    "#);
}

#[test]
fn yaml_numbers() {
    insta::assert_snapshot!(each(yaml, &[
        "a: .nan\n",
        "a: -.inf\n",
        "a: 1e999\n",
        "a: 18446744073709551616\n",
        "a: [-9223372036854775809]\n",
    ]), @r#"
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
    "#);
}

#[test]
fn yaml_aliases_and_tags() {
    insta::assert_snapshot!(each(yaml, &[
        "a: *nope\n",
        "a: &x [*x]\n",
        "a: !!int b\n",
        "a: !!binary \"?\"\n",
        "a: !custom x\n",
    ]), @r#"
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
    ── "a: !custom x\n"
    error 1:12: not valid YAML: unsupported tag `!custom`
      | a: !custom x
      |            ^
      hint: remove the tag (the word that begins with `!`): JSON cannot hold what it asks for
    "#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn yaml_syntax() {
    insta::assert_snapshot!(each(yaml, &[
        "a: [1, 2\n",
        "a: \"b\n",
        "a: b: c\n",
        "a: @b\n",
        "a: %b\n",
        "  a: 1\n b: 2\n",
        "a: 1\n  b: 2\n",
        "- a\nb: 1\n",
        "a: {b: 1}}\n",
        "a: \"\\q\"\n",
        "a: \u{1}\n",
    ]), @r#"
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
    ── "a: {b: 1}}\n"
    error 1:10: not valid YAML: misplaced bracket
      | a: {b: 1}}
      |          ^
      hint: check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes
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
    "#);
}
