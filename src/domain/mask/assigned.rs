//! Where in a line the value of a name lies: `name = value`, `name: value`,
//! with and without quotes, among others or alone.
//!
//! Nothing is read twice but by a constant factor: who asks goes on where the
//! value ends.

use std::ops::Range;

/// No name is longer, in bytes; a text may hold any.
pub(super) const MAX_NAME: usize = 200;

pub(super) const QUOTES: [char; 3] = ['"', '\'', '`'];

/// What may follow a value that is in no quotes and is not part of it.
const AFTER: [char; 8] = [',', ';', ')', ']', '}', '"', '\'', '`'];

/// Where a value lies in a line.
pub(super) struct Found {
    pub(super) range: Range<usize>,
    /// Where the line is read on.
    pub(super) next: usize,
}

/// `name = `, before its value.
#[derive(Clone, Copy)]
pub(super) struct Assignment<'a> {
    pub(super) name: &'a str,
    /// Whether it is by `=`, not by `:`.
    pub(super) is_equals: bool,
    /// Whether a space stands before the sign.
    pub(super) is_spaced: bool,
    /// Whether the name is the first word of the line.
    pub(super) is_first: bool,
}

/// Whether a block of YAML follows: `|`, `>-`, `|2`.
pub(super) fn is_block(rest: &str) -> bool {
    let Some(more) = rest.trim_start().strip_prefix(['|', '>']) else { return false };
    let more = more.trim_start_matches(|c| matches!(c, '+' | '-' | '1'..='9'));
    let after = more.trim_start();
    after.is_empty() || after.starts_with('#') && after.len() < more.len()
}

/// The value that begins at `at`; none if it is an object, or prose.
pub(super) fn value(line: &str, at: usize, assignment: Assignment<'_>) -> Option<Found> {
    let rest = from(line, at).trim_start();
    // `**password:** value` of Markdown.
    let rest = if assignment.is_equals { rest } else { rest.trim_start_matches("** ") };
    let start = line.len() - rest.trim_start().len();
    let text = from(line, start);
    let escape = text.bytes().take_while(|byte| *byte == b'\\').count();
    let first = from(text, escape).chars().next()?;
    if QUOTES.contains(&first) {
        let body = start + escape + 1;
        let end = body + closing(from(line, body), first, escape);
        return Some(glued(line, body..end));
    }
    if first == '[' {
        let inner = from(text, 1).trim_start();
        if inner.starts_with(['{', ']']) {
            return None;
        }
        return Some(glued(line, start + 1..start + 1 + list(from(text, 1))));
    }
    if is_object(text) || !assignment.is_equals && first == '#' && start > at {
        return None;
    }
    let end = end(text, assignment)?;
    let whole = text.get(..end).unwrap_or_default().trim_end();
    let value = whole.trim_end_matches(AFTER).trim_end_matches('\\');
    let shown = if is_placeholder(whole) { whole } else { value };
    Some(Found { range: start..start + shown.len(), next: start + end })
}

/// Where a value ends that is in no quotes; none if it is prose.
fn end(text: &str, assignment: Assignment<'_>) -> Option<usize> {
    if let Some(end) = placeholder(text) {
        return Some(end);
    }
    let word = bounded(text);
    let after = from(text, word);
    let next = after.trim_start();
    if assignment.is_equals {
        let to_end = assignment.is_spaced || assignment.is_first && !after.contains('=');
        return Some(if to_end { comment(text, true) } else { word });
    }
    let value = text.get(..word).unwrap_or_default();
    let is_alone = next.is_empty()
        || next.len() == after.len()
        || next.starts_with('#')
        || value.ends_with(['}', ']', '"', '\'']);
    if is_alone || !is_prose(value) && !is_identifier(assignment.name) {
        return Some(word);
    }
    is_identifier(assignment.name).then(|| comment(text, false))
}

/// Where a placeholder ends that may hold spaces.
fn placeholder(text: &str) -> Option<usize> {
    if !text.starts_with("{{") && !text.starts_with("${") {
        return None;
    }
    let ends = |(at, c): &(usize, char)| *c == '}' && !from(text, at + 1).starts_with('}');
    let (last, _) = text.char_indices().take(MAX_NAME).find(ends)?;
    let is_all = from(text, last + 1)
        .chars()
        .next()
        .is_none_or(|c| c.is_whitespace() || AFTER.contains(&c) || c == '&');
    let whole = text.get(..=last).unwrap_or_default();
    (is_all && is_placeholder(whole)).then_some(last + 1)
}

/// Where a text in quotes ends: at the next quote that is not escaped more
/// than the first one was.
fn closing(body: &str, quote: char, escape: usize) -> usize {
    let mut escapes = 0;
    let mut chars = body.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_doubled = quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == quote);
        if c == '\\' {
            escapes += 1;
        } else if c == quote && at > 0 && is_doubled {
            chars.next();
        } else if c == quote && (escapes <= escape && escape > 0 || escapes % 2 == 0) {
            return at - if escape > 0 { escapes } else { 0 };
        }
        if c != '\\' {
            escapes = 0;
        }
    }
    body.len()
}

/// A value in quotes, with what is written against its end: shells join them.
fn glued(line: &str, range: Range<usize>) -> Found {
    let quote = from(line, range.end).trim_start_matches('\\');
    let after = quote.chars().next().map_or("", |c| from(quote, c.len_utf8()));
    if !after.starts_with(|c: char| is_name(c) || QUOTES.contains(&c)) {
        return Found { next: range.end, range };
    }
    let more = after.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ')' | ']' | '}'));
    let end = line.len() - after.len() + more.unwrap_or(after.len());
    Found { range: range.start..end, next: end }
}

/// Where a list on one line ends.
fn list(body: &str) -> usize {
    let (mut quote, mut is_escaped) = (None, false);
    for (at, c) in body.char_indices() {
        match quote {
            _ if is_escaped => is_escaped = false,
            _ if c == '\\' => is_escaped = true,
            Some(open) if open == c => quote = None,
            None if QUOTES.contains(&c) => quote = Some(c),
            None if c == ']' => return at,
            _ => {}
        }
    }
    body.len()
}

/// Whether members follow, each with a name of its own.
fn is_object(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('{').filter(|inner| !inner.starts_with('{')) else {
        return false;
    };
    let inner = inner.trim_start();
    inner.is_empty() || inner.starts_with(['"', '\'', '\\', '}']) || names_next(inner)
}

/// Whether a name and a sign stand here.
fn names_next(text: &str) -> bool {
    let text = text.trim_start().trim_start_matches(['"', '\'', '\\']);
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let after = from(text, end).trim_start_matches(['"', '\'', '\\']).trim_start();
    end > 0 && after.starts_with(['=', ':'])
}

/// Whether no word of prose is written like that.
fn is_identifier(name: &str) -> bool {
    let inner_capital = name.chars().skip(1).any(|c| c.is_ascii_uppercase());
    name.contains(['_', '-', '.']) || inner_capital && name.chars().any(|c| c.is_ascii_lowercase())
}

/// Whether a word is one of a sentence: letters, and signs around them.
fn is_prose(word: &str) -> bool {
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    !core.is_empty() && core.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-'))
}

/// Where a value that may hold spaces ends: at a comment.
fn comment(text: &str, is_equals: bool) -> usize {
    let is_comment = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        let after = from(text, at + 1);
        before.ends_with(char::is_whitespace)
            && (!is_equals || after.is_empty() || after.starts_with(char::is_whitespace))
    };
    text.match_indices('#').map(|(at, _)| at).find(|at| is_comment(*at)).unwrap_or(text.len())
}

/// Where a value without spaces ends: before a space, at the quote that closes
/// what is around it, or before the next name.
fn bounded(text: &str) -> usize {
    const CLOSED: [char; 10] = [',', ';', ')', ']', '}', '&', '<', '>', '|', '\\'];
    let ends = |(at, c): &(usize, char)| {
        let after = from(text, at + c.len_utf8());
        match c {
            '"' | '\'' | '`' => {
                let next = after.chars().next();
                *at > 0 && next.is_none_or(|next| next.is_whitespace() || CLOSED.contains(&next))
            }
            ',' | ';' | '&' => names_next(after),
            c => c.is_whitespace(),
        }
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at)
}

/// Whether a text says where a value comes from: `{{NAME}}`, `${NAME}`, `$NAME`.
pub(super) fn is_placeholder(text: &str) -> bool {
    let name = |text: &str| {
        !text.is_empty()
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    };
    let text = text.trim();
    let between = |open, close| text.strip_prefix(open)?.strip_suffix(close).map(str::trim);
    between("{{", "}}").is_some_and(name)
        || between("${", "}").is_some_and(name)
        || text.strip_prefix('$').is_some_and(name)
}

/// What names are made of.
pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') || !c.is_ascii()
}

/// The text from this byte on.
pub(super) fn from(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}
