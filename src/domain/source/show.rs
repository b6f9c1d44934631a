//! What of a file is shown to a person: places, lines and words of it, made
//! harmless for a terminal.

use std::ops::Range;

use crate::domain::item::RepoPath;
use crate::domain::source::{Excerpt, Position, Problem};
use crate::domain::text::{cleaned, cut};

/// The longest text of [`Problem::found`] in characters: one line of a
/// terminal.
pub(super) const FOUND_CHARS: usize = 80;

/// The longest text of [`Excerpt::text`] in characters: two lines of a wide
/// terminal; a minified file is one line of a megabyte.
const EXCERPT_CHARS: usize = 200;

/// How much of a cut line stands before the place, in characters.
const EXCERPT_BEFORE: usize = 80;

/// The longest word that [`nearest`] looks at, in characters; its cost is the
/// product of the lengths, and no name of the marketplace is that long.
const NEAREST_CHARS: usize = 64;

/// A word of a file within a sentence: cleaned, cut, between backticks.
pub fn quote(text: &str) -> String {
    format!("`{}`", cut(text, FOUND_CHARS))
}

/// The largest character boundary that is not behind `offset`.
pub(super) fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The byte range of the line that holds `offset`, without its line break.
pub(super) fn line_of(text: &str, offset: usize) -> Range<usize> {
    let offset = floor(text, offset);
    let (before, after) = text.split_at(offset);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(text.len(), |at| offset + at);
    let end =
        if end > start && text.as_bytes().get(end - 1) == Some(&b'\r') { end - 1 } else { end };
    start..end.max(start)
}

/// The byte at which a line, counted from 1, begins; of a line that does not
/// exist 0.
pub(super) fn line_start(text: &str, line: usize) -> usize {
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(breaks).nth(line.saturating_sub(1)).unwrap_or_default()
}

/// The line and column of a byte.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let offset = floor(text, offset);
    let before = text.get(..offset).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position { line: number(line), column: number(column) }
}

/// A count as it is kept; no text is long enough to need the limit.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The line on which `range` (bytes) begins, with the place in it.
pub(super) fn excerpt(text: &str, range: Range<usize>) -> Excerpt {
    let start = floor(text, range.start);
    let line = line_of(text, start);
    // The place may be the line break itself.
    let start = start.min(line.end);
    let end = floor(text, range.end).clamp(start, line.end);
    let column = text.get(line.start..start).unwrap_or_default().chars().count();
    let skipped = if column + EXCERPT_BEFORE > EXCERPT_CHARS { column - EXCERPT_BEFORE } else { 0 };
    let shown = text.get(line).unwrap_or_default().chars().skip(skipped).take(EXCERPT_CHARS);
    let column = column - skipped;
    let length =
        text.get(start..end).unwrap_or_default().chars().take(EXCERPT_CHARS - column).count();
    Excerpt { text: cleaned(shown).collect(), start: number(column), length: number(length.max(1)) }
}

/// The problem of bytes that are not UTF-8 from `offset` on.
pub(super) fn not_utf8(path: &RepoPath, bytes: &[u8], offset: usize) -> Problem {
    // Only the neighbourhood is decoded; the line numbers need all before it.
    let before = bytes.get(..offset).unwrap_or_default();
    let after = bytes.get(offset..).unwrap_or_default();
    let after = after.get(..EXCERPT_CHARS).unwrap_or(after);
    let text = String::from_utf8_lossy(before) + String::from_utf8_lossy(after);
    let utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    let found = after.first().map(|byte| format!("the byte 0x{byte:02x}")).unwrap_or_default();
    Problem::at(path, &text, offset..offset + 1, "the file is not UTF-8")
        .expected("text in UTF-8")
        .found(if utf16 { "a UTF-16 byte order mark" } else { &found })
        .hint(if utf16 {
            "the file is UTF-16: save it as UTF-8"
        } else {
            "save the file as UTF-8; it may be in a code page such as Windows-1252"
        })
}

/// The candidate that somebody who wrote `word` most likely meant, if one is
/// close: for "did you mean".
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().take(NEAREST_CHARS + 1).count();
    if length > NEAREST_CHARS {
        return None;
    }
    // A third of the word may be wrong; of short words one letter.
    let allowed = (length / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 4 * NEAREST_CHARS)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed && *distance < length)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
