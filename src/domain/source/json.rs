//! JSON. What is valid, `serde_json` decides; two things that people write and
//! the vendor's client takes (a trailing comma, a byte order mark) are
//! tolerated with a warning (`practice.md` §3).

mod explain;

use std::borrow::Cow;

use serde::de::DeserializeSeed;
use serde_json::Value;

use crate::domain::item::RepoPath;
use crate::domain::source::locate::{Builder, Outline, Shape};
use crate::domain::source::value::{Flags, Node};
use crate::domain::source::{Format, MAX_FINDINGS, Parsed, Problem, findings, too_deep};
use explain::{explain, offset};

/// Reads `text`, which is without its byte order mark.
pub(super) fn parse(path: &RepoPath, text: &str, had_bom: bool) -> Parsed {
    let mut problems = Vec::new();
    if had_bom {
        problems.push(
            Problem::at(path, text, 0..0, "the file begins with a byte order mark")
                .warning()
                .hint("save it as UTF-8 without BOM; JSON (RFC 8259 §8.1) must not have one"),
        );
    }
    let (value, flags) = match read(text) {
        Err((error, flags)) if flags.stop.is_none() => {
            let (blanked, commas) = blank_trailing_commas(text);
            let again = if commas.is_empty() { Err((error, flags)) } else { read(&blanked) };
            // Behind an error the scan may have taken the inside of a text for
            // a comma.
            let end = again.as_ref().err().map_or(text.len(), |(error, _)| offset(text, error));
            problems.extend(trailing_commas(
                path,
                text,
                commas.into_iter().filter(|comma| *comma < end),
            ));
            match again {
                Ok(read) => read,
                Err((error, flags)) => return refused(path, text, problems, &error, &flags),
            }
        }
        Err((error, flags)) => return refused(path, text, problems, &error, &flags),
        Ok(read) => read,
    };
    if !flags.duplicate_key && !flags.huge_number {
        return Parsed { value: Some(value), problems };
    }
    let found = findings(path, &Outline::new(Format::Json, text), &flags);
    let value = found.is_empty().then_some(value);
    problems.extend(found);
    Parsed { value, problems }
}

fn read(text: &str) -> Result<(Value, Flags), (serde_json::Error, Flags)> {
    // JSON cannot grow while it is read.
    let mut flags = Flags::new(usize::MAX);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Node::root(&mut flags)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match value {
        Ok(value) => Ok((value, flags)),
        Err(error) => Err((error, flags)),
    }
}

fn refused(
    path: &RepoPath,
    text: &str,
    mut problems: Vec<Problem>,
    error: &serde_json::Error,
    flags: &Flags,
) -> Parsed {
    let at = offset(text, error);
    problems.push(if flags.stop.is_some() {
        too_deep(path, text, at..at + 1)
    } else {
        explain(path, text, error)
    });
    Parsed { value: None, problems }
}

/// The text with each comma that only a `}` or `]` follows replaced by a
/// space, and where those commas are. A comma without a value before it stays.
fn blank_trailing_commas(text: &str) -> (String, Vec<usize>) {
    let mut commas = Vec::new();
    let mut comma = None;
    let mut before = b'[';
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'}' | b']' => commas.extend(comma.take()),
            b',' => comma = (!matches!(before, b',' | b'[' | b'{' | b':')).then_some(at),
            _ => comma = None,
        }
        before = *byte;
        at = if *byte == b'"' { end_of_string(bytes, at) } else { at + 1 };
    }
    let mut blanked = text.to_owned();
    // One pass: a replacement inside a `String` would move its tail each time.
    let mut bytes = std::mem::take(&mut blanked).into_bytes();
    for comma in &commas {
        if let Some(byte) = bytes.get_mut(*comma) {
            *byte = b' ';
        }
    }
    (String::from_utf8(bytes).unwrap_or_default(), commas)
}

/// The byte behind the string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn trailing_commas(
    path: &RepoPath,
    text: &str,
    commas: impl Iterator<Item = usize>,
) -> Vec<Problem> {
    let commas: Vec<usize> = commas.collect();
    let warning = |at: usize, message: String| {
        Problem::at(path, text, at..at + 1, message)
            .warning()
            .hint("remove it: JSON allows no comma before `}` or `]`, and other tools refuse it")
    };
    let mut problems: Vec<Problem> = commas
        .iter()
        .take(MAX_FINDINGS)
        .map(|at| warning(*at, "a trailing comma".to_owned()))
        .collect();
    if let Some(at) = commas.get(MAX_FINDINGS) {
        problems.push(warning(
            *at,
            format!("{} more trailing commas from here on", commas.len() - MAX_FINDINGS),
        ));
    }
    problems
}

/// Follows the brackets, texts and words of a text that is at least nearly
/// JSON. Without recursion: the text may be any.
pub(super) fn outline<'a>(text: &'a str, builder: &mut Builder<'a>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => at += 1,
            b'{' | b'[' => {
                at += 1;
                builder.begin(if *byte == b'{' { Shape::Object } else { Shape::List }, start..at);
            }
            b'}' | b']' => {
                at += 1;
                builder.end(at);
            }
            b'"' => {
                at = end_of_string(bytes, at).min(bytes.len());
                builder.scalar(Shape::Text, start..at, || {
                    unquote(text.get(start..at).unwrap_or_default())
                });
            }
            _ => {
                let word = bytes.get(at..).unwrap_or_default();
                let is_end = |byte: &u8| b" \t\n\r,:{}[]\"".contains(byte);
                at += word.iter().position(is_end).unwrap_or(word.len());
                builder.scalar(Shape::Plain, start..at, || {
                    Cow::Borrowed(text.get(start..at).unwrap_or_default())
                });
            }
        }
    }
}

/// What a string in quotes says; of one that is not valid, its inside.
fn unquote(quoted: &str) -> Cow<'_, str> {
    let inside = quoted.strip_prefix('"').unwrap_or(quoted);
    let inside = inside.strip_suffix('"').unwrap_or(inside);
    if inside.contains('\\') {
        serde_json::from_str(quoted).map_or(Cow::Borrowed(inside), Cow::Owned)
    } else {
        Cow::Borrowed(inside)
    }
}
