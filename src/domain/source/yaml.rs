//! YAML, as far as JSON can hold it: one document, keys that are texts, finite
//! numbers. `yes`, `no`, `on` and `off` are texts, as YAML 1.2 has it.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::DeserializeSeed;
use serde_json::Value;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error, Options};

use crate::domain::item::RepoPath;
use crate::domain::source::locate::{Builder, Outline, Shape};
use crate::domain::source::value::{Flags, KEY, Node, Stop};
use crate::domain::source::{Format, MAX_DEPTH, Parsed, Problem, findings, quote, show, too_deep};

/// How large a document may become through its aliases, in bytes: sixteen
/// times the largest item file, where no honest item gains more than a few.
const MAX_EXPANDED_BYTES: usize = 16 * 1024 * 1024;

/// How many nodes aliases may repeat in all. An item of the public catalogue
/// has at most some thousands.
const MAX_REPEATED_NODES: usize = 100_000;

/// Reads `text`, which is without its byte order mark and not blank.
pub(super) fn parse(path: &RepoPath, text: &str) -> Parsed {
    let mut flags = Flags::new(MAX_EXPANDED_BYTES);
    let value = match read(text, &mut flags) {
        Ok(value) => value,
        Err(error) => {
            return Parsed { value: None, problems: vec![explain(path, text, &error, &flags)] };
        }
    };
    if value.is_null() && Outline::new(Format::Yaml, text).is_empty() {
        let problem =
            Problem::of_file(path, "the file holds no document, only comments or markers")
                .expected("one item")
                .hint("write an item into it, or remove the file, or exclude it");
        return Parsed { value: None, problems: vec![problem] };
    }
    if !flags.duplicate_key && !flags.huge_number {
        return Parsed { value: Some(value), problems: Vec::new() };
    }
    let problems = findings(path, &Outline::new(Format::Yaml, text), &flags);
    Parsed { value: problems.is_empty().then_some(value), problems }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED_NODES },
        // They are reported together, with the line of the first.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // YAML 1.1 reads `no` (Norway) as false.
        strict_booleans: true,
        // YAML 1.1 reads `1_000` as a thousand; 1.2 and JSON do not.
        underscored_numbers_as_strings: true,
        // YAML 1.1 reads `010` as eight, 1.2 as ten.
        leading_zero_numbers_as_strings: true,
        // What the tag asks for would be lost in JSON.
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false
    }
}

fn read(text: &str, flags: &mut Flags) -> Result<Value, Error> {
    serde_saphyr::with_deserializer_from_str_with_options(text, options(), |deserializer| {
        Node::root(flags).deserialize(deserializer)
    })
}

/// What the reader refused, in plain words.
fn explain(path: &RepoPath, text: &str, error: &Error, flags: &Flags) -> Problem {
    let error = innermost(error);
    let range = place(text, error);
    let problem = |message: &str| match &range {
        Some(range) => Problem::at(path, text, range.clone(), message),
        None => Problem::of_file(path, message),
    };
    let there = range.as_ref().map(|range| word_at(text, range.start)).unwrap_or_default();
    if flags.stop == Some(Stop::TooLarge) || is_too_large(error) {
        return problem("the document grows too large when it is read")
            .expected("at most 250000 values, and aliases that repeat little")
            .hint("write the repeated parts out, or split the file; aliases of aliases grow without bound");
    }
    if flags.stop == Some(Stop::TooDeep)
        || is_too_deep(error)
        || matches!(error, Error::Budget { breach: BudgetBreach::Depth { .. }, .. })
    {
        return too_deep(path, text, range.unwrap_or(0..0));
    }
    match error {
        Error::MultipleDocuments { .. } => problem("the file holds more than one document")
            .expected("one document")
            .hint("one item per file: split it at the `---`"),
        Error::NonFiniteFloat { value, .. } => {
            problem(&format!("{} is not a number that JSON can hold", quote(value)))
                .expected("a finite number")
                .found(value)
                .hint("write a number, or put it in quotes if it is a text")
        }
        Error::SerdeInvalidType { expected, .. } if expected == KEY => {
            problem("a key is not a text")
                .expected("a key that is a text")
                .found(there)
                .hint("put the key in quotes; JSON, which the marketplace reads, has no other keys")
        }
        Error::UnknownAnchor { .. } => {
            problem("an alias names an anchor that does not stand above it")
                .found(there)
                .hint("define the anchor first, or put the text in quotes if the `*` belongs to it")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            problem("an alias lies within its own anchor").found(there).hint("write the value out")
        }
        _ => syntax(path, text, range.clone(), error),
    }
}

/// An error of YAML itself, in its parser's words, which are for people.
fn syntax(path: &RepoPath, text: &str, range: Option<Range<usize>>, error: &Error) -> Problem {
    let reason = reason(error);
    let Some(range) = range else {
        return Problem::of_file(path, reason).hint("see https://yaml.org/spec/1.2.2");
    };
    if let Some(tab) = indenting_tab(text, range.start, reason.contains(" tab")) {
        return Problem::at(path, text, tab, "a tab stands in the indentation")
            .expected("spaces")
            .found("a tab")
            .hint("indent with spaces only: YAML allows no tabs there");
    }
    if text.get(range.start..).is_some_and(|rest| rest.starts_with(['@', '`', '%'])) {
        return Problem::at(
            path,
            text,
            range.start..range.start + 1,
            "a text may not begin with this character",
        )
        .found(word_at(text, range.start))
        .hint("put the text in quotes");
    }
    let hint = if reason.contains("unsupported tag") {
        "remove the tag (the word that begins with `!`): JSON cannot hold what it asks for"
    } else if matches!(error, Error::InvalidScalar { .. } | Error::InvalidBinaryBase64 { .. }) {
        "write a value that fits the tag (the word that begins with `!`), or remove the tag"
    } else {
        "check quotes, brackets and indentation around this place; a text with `: ` or ` #` needs quotes"
    };
    Problem::at(path, text, range, reason).hint(hint)
}

/// The text of an error, its place cut off: positions are ours to print.
fn reason(error: &Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = match text.split_once(": ") {
        Some((place, reason))
            if place.starts_with("line ") || place.starts_with("error: line ") =>
        {
            reason
        }
        _ => text,
    };
    let text = [" at line ", " at byte ", " (line "]
        .iter()
        .fold(text, |text, mark| text.split(mark).next().unwrap_or(text));
    format!("not valid YAML: {}", crate::domain::text::cut(text, 2 * show::FOUND_CHARS))
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::WithSnippet { error, .. } | Error::AliasError { error, .. } => innermost(error),
        error => error,
    }
}

/// The parser has a limit of its own for brackets, and reads ahead of ours.
fn is_too_deep(error: &Error) -> bool {
    reason(error).ends_with("recursion limit exceeded")
}

fn is_too_large(error: &Error) -> bool {
    match error {
        Error::Budget { breach, .. } => !matches!(breach, BudgetBreach::Depth { .. }),
        Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => true,
        _ => false,
    }
}

/// The bytes that an error is about. Errors of the parser know only line and
/// column.
fn place(text: &str, error: &Error) -> Option<Range<usize>> {
    let location = error.location()?;
    let span = location.span();
    if let Some(start) = span.byte_offset() {
        let start = show::floor(text, usize::try_from(start).ok()?);
        let length = usize::try_from(span.byte_len().unwrap_or(1)).unwrap_or(1).max(1);
        return Some(start..start.saturating_add(length));
    }
    let line = usize::try_from(location.line()).ok()?;
    let column = usize::try_from(location.column()).ok()?;
    let start = show::line_start(text, line);
    let rest = text.get(start..)?;
    let start =
        start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>();
    let length = text.get(start..)?.chars().next().map_or(1, char::len_utf8);
    Some(start..start + length)
}

/// The word or the brackets that begin at `at`, for the eye.
fn word_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default().lines().next().unwrap_or_default();
    let word = if rest.starts_with(['[', '{']) {
        rest
    } else {
        rest.split([':', ',', ']', '}']).next().unwrap_or_default()
    };
    word.trim()
}

/// A tab before the first character of the line of `at`, or of the line above:
/// the parser often notices a line too late. If it speaks of a tab itself, the
/// line below may be the one.
fn indenting_tab(text: &str, at: usize, below: bool) -> Option<Range<usize>> {
    let line = show::line_of(text, at);
    let above = show::line_of(text, line.start.saturating_sub(1));
    let next = show::line_of(text, line.end.saturating_add(1));
    [line, above, next].into_iter().take(if below { 3 } else { 2 }).find_map(|line| {
        let content = text.get(line.clone())?;
        let indentation = content.len() - content.trim_start_matches([' ', '\t']).len();
        let tab = content.get(..indentation)?.find('\t')?;
        Some(line.start + tab..line.start + tab + 1)
    })
}

/// The first document of the text, as far as it is well formed. An alias is a
/// value of its own; what it stands for is not followed.
pub(super) fn outline<'a>(text: &'a str, builder: &mut Builder<'a>) {
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { return };
        let start = span.start.byte_offset().unwrap_or_default();
        let range = start..span.end.byte_offset().unwrap_or(start).max(start);
        match event {
            Event::MappingStart(style, ..) => {
                builder.begin(shape(style, Shape::Object, Shape::BlockObject), range);
            }
            Event::SequenceStart(style, ..) => {
                builder.begin(shape(style, Shape::List, Shape::BlockList), range);
            }
            Event::MappingEnd | Event::SequenceEnd => builder.end(range.end),
            Event::Scalar(name, style, _, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                builder.scalar(if plain { Shape::Plain } else { Shape::Text }, range, || name);
            }
            Event::Alias(_) => builder.scalar(Shape::Text, range, || Cow::Borrowed("")),
            Event::DocumentEnd => return,
            _ => {}
        }
    }
}

fn shape(style: StructureStyle, flow: Shape, block: Shape) -> Shape {
    if style == StructureStyle::Flow { flow } else { block }
}
