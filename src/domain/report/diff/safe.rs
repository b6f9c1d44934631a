//! Words of others, made fit to be shown: harmless, of bounded length, and
//! different where they differ.

use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::text::{clean, clean_json};

/// The longest line of content in characters: a few lines of a terminal.
/// Longer ones are data.
pub(super) const LINE_CHARS: usize = 400;

/// How many characters stand before the first that differs in a long text.
const BEFORE_CHARS: usize = 60;

/// A line of a text: cleaned and cut.
pub(super) fn shown(line: &str) -> String {
    bounded(&clean(line), LINE_CHARS)
}

/// The same with another limit.
pub(super) fn bounded(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((at, _)) => {
            let (head, rest) = text.split_at(at);
            format!("{head}… {} more characters", rest.chars().count())
        }
    }
}

/// A value as JSON on one line, with what cannot be seen as `\u` and its
/// number, cut.
pub(super) fn visible(value: &Value) -> String {
    shown(&escaped(&value.to_string()))
}

/// Writing to a `String` cannot fail.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in clean_json(json).chars() {
        if c.is_whitespace() && c != ' ' {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Two texts that differ, as JSON strings in which the difference can be seen:
/// long ones begin a little before it.
pub(super) fn shown_pair(from: &str, to: &str) -> (String, String) {
    let is_long = from.chars().nth(LINE_CHARS).is_some() || to.chars().nth(LINE_CHARS).is_some();
    let shared = from.chars().zip(to.chars()).take_while(|(from, to)| from == to).count();
    let skip = if is_long { shared.saturating_sub(BEFORE_CHARS) } else { 0 };
    let side = |text: &str| {
        let rest: String = text.chars().skip(skip).collect();
        let json = visible(&Value::from(rest));
        if skip == 0 { json } else { format!("{skip} characters the same … {json}") }
    };
    (side(from), side(to))
}

/// Text as code of Markdown, in which nothing of it is active: cleaned, cut,
/// and in more backticks than it holds. A `|` would end the cell of a table,
/// even there: `¦` stands for it.
pub(super) fn code(text: &str, limit: usize) -> String {
    let text = bounded(clean(text).trim(), limit).replace('|', "¦");
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// How many backticks stand side by side at most.
pub(super) fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A sentence as Markdown: plain words as they are, everything that could mean
/// something to a renderer as code. Never at the beginning of a line.
pub(super) fn prose(text: &str, limit: usize) -> String {
    let text = bounded(&clean(text), limit);
    let parts: Vec<&str> = text.split('`').collect();
    // What stands between two backticks is code already.
    let paired = parts.len() % 2 == 1;
    let parts = if paired { parts } else { vec![text.as_str()] };
    let mut out = String::with_capacity(text.len());
    for (index, part) in parts.iter().enumerate() {
        let shown = if index % 2 == 1 {
            code(part, limit)
        } else {
            part.split(' ').map(word).collect::<Vec<_>>().join(" ")
        };
        // Side by side their backticks would be one run.
        if out.ends_with('`') && shown.starts_with('`') {
            out.push(' ');
        }
        out.push_str(&shown);
    }
    out
}

/// What may follow a word and means nothing to a renderer.
const AFTER: [char; 6] = [',', '.', ';', ':', '?', ')'];

fn word(word: &str) -> String {
    let core = word.trim_start_matches('(').trim_end_matches(AFTER);
    if core.is_empty() && word.chars().all(|c| AFTER.contains(&c))
        || ["-", "+", "→", "…"].contains(&word)
        || is_plain(core)
    {
        return word.to_owned();
    }
    if core.is_empty() {
        return code(word, LINE_CHARS);
    }
    let start = word.len() - word.trim_start_matches('(').len();
    let (before, rest) = word.split_at(start);
    let after = rest.get(core.len()..).unwrap_or_default();
    format!("{before}{}{after}", code(core, LINE_CHARS))
}

/// Whether no renderer takes a word for anything but a word: letters, or a
/// number; not what could be the beginning of a commit.
fn is_plain(word: &str) -> bool {
    const COMMIT_CHARS: usize = 7;
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '\'' || c == '-';
    let is_word = word.chars().all(is_letter) || word.chars().all(|c| c.is_ascii_digit());
    let is_commit = word.len() >= COMMIT_CHARS && word.chars().all(|c| c.is_ascii_hexdigit());
    is_word && !is_commit && !word.is_empty()
}
