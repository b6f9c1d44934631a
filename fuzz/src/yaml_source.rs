//! A YAML file: any bytes give a document or a problem, within bounds of time
//! and memory. Positions are true, and a file that is JSON too says the same.

use marketsync::domain::canon::same;
use marketsync::domain::item::RepoPath;
use marketsync::domain::source::{Format, MAX_DEPTH, Outline, Place, parse};
use serde_json::Value;

use super::placed;

/// The most values whose place is checked.
const PLACES: usize = 300;

/// The most bytes of texts and values that a document may come to: what the
/// reader allows, and something for the last value.
const GROWN: usize = 17 * 1024 * 1024;

/// One case: the bytes of a file.
pub fn check(data: &[u8]) {
    let path = RepoPath::new("items/a.yaml").unwrap();
    let parsed = parse(&path, Format::Yaml, data);
    let lossy = String::from_utf8_lossy(data);
    let text = lossy.strip_prefix('\u{feff}').unwrap_or(&lossy);
    placed::has_value_or_error(parsed.value.as_ref(), &parsed.problems);
    placed::problems_lie_within(text, &parsed.problems);
    let outline = Outline::new(Format::Yaml, &lossy);
    if let Some(span) = outline.nearest("/itemId/0") {
        placed::span_lies_within(text, &span);
    }
    let Some(document) = &parsed.value else { return };
    let (size, depth) = size(document);
    assert!(size <= GROWN && depth <= MAX_DEPTH, "{size} bytes, {depth} levels");
    if let Some(json) = parse(&path, Format::Json, data).value {
        assert!(same(&json, document), "as JSON {json}, as YAML {document}");
    }
    // What an alias stands for is not followed.
    let has_aliases = text.contains(['*', '&', '<']);
    for (pointer, key, value) in placed::values(document, PLACES) {
        let Some(span) = outline.find(&pointer, Place::Value) else {
            assert!(has_aliases, "{pointer:?} has no place");
            continue;
        };
        placed::span_lies_within(text, &span);
        // An empty key may be one that is no text to the outline.
        let is_plain = !has_aliases && !text.contains('!');
        if is_plain && !value.is_object() && !value.is_array() {
            scalar_stands_there(text, span.offset, span.length as usize, value, &pointer);
        }
        if key.is_some() {
            placed::span_lies_within(text, &outline.find(&pointer, Place::Key).unwrap());
        }
    }
}

fn scalar_stands_there(text: &str, offset: usize, length: usize, value: &Value, pointer: &str) {
    let there: String = text[offset..].chars().take(length).collect();
    let path = RepoPath::new("a.yaml").unwrap();
    let read = || parse(&path, Format::Yaml, there.as_bytes()).value;
    match value {
        // Nothing may stand for it.
        Value::Null
            if there.trim().is_empty()
                || !matches!(there.trim(), "~" | "null" | "Null" | "NULL") => {}
        Value::String(said) => {
            let quote = there.chars().next().filter(|c| matches!(c, '"' | '\''));
            match quote {
                // It may go on in the next line.
                Some(quote) if there.len() < 2 || !there.ends_with(quote) => {}
                Some(_) => {
                    if let Some(read) = read() {
                        assert_eq!(read, *value, "{pointer:?}: {there:?}");
                    }
                }
                None if there.starts_with(['|', '>']) || said.is_empty() => {}
                None => {
                    // Blocks begin with lines that are not part of the place.
                    let is_there = said.trim_start().starts_with(there.trim());
                    assert!(is_there, "{pointer:?}: {there:?}, {said:?}");
                }
            }
        }
        scalar => assert_eq!(read().as_ref(), Some(scalar), "{pointer:?}: {there:?}"),
    }
}

/// How many bytes the texts have, with something for each value; and how many
/// levels there are.
fn size(document: &Value) -> (usize, usize) {
    match document {
        Value::String(text) => (text.len() + 32, 0),
        Value::Array(list) => list
            .iter()
            .map(size)
            .fold((32, 1), |whole, (size, depth)| (whole.0 + size, whole.1.max(depth + 1))),
        Value::Object(members) => members.iter().fold((32, 1), |whole, (key, value)| {
            let (size, depth) = size(value);
            (whole.0 + key.len() + size, whole.1.max(depth + 1))
        }),
        _ => (32, 0),
    }
}
