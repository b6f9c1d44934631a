//! One comment on a pull request: a verdict, a table, and what changes of each
//! item in a fold. Its first line is a mark that is not shown, by which it is
//! found and replaced.
//!
//! It is never longer than [`MAX_UNITS`], and nothing in it is cut in the
//! middle: the folds are left out from the last one on, then rows of the
//! table, and it says how many.

use std::fmt::Write as _;

use crate::domain::diff::{Cause, Diff, Entry, Fields, Left};
use crate::domain::report::diff::rows::{Row, rows};
use crate::domain::report::diff::safe::{bounded, code, longest_run, prose, shown};
use crate::domain::report::diff::words::{self, Sorted, counted};
use crate::domain::report::text::line;
use crate::domain::source::{Problem, Severity};
use crate::domain::text::clean;

/// The first line.
pub const MARKER: &str = "<!-- marketsync-diff -->";

/// The most UTF-16 units of a report. GitHub takes 65,536 of a comment; a
/// pipeline may add something of its own.
pub const MAX_UNITS: usize = 60_000;

/// The most of one fold, so that a large item leaves room for others.
const ITEM_UNITS: usize = 10_000;

/// The most of all problems, and of all notes.
const LIST_UNITS: usize = 12_000;

/// What is kept for the lines after the table and the folds.
const REST_UNITS: usize = 1_000;

/// How many items that are only written down are named.
const MOST_NOTED: usize = 20;

/// The longest cell of a table, and the longest sentence, in characters.
const CELL_CHARS: usize = 120;
const SENTENCE_CHARS: usize = 400;

/// The whole report. Ends with a line break.
pub fn diff(diff: &Diff) -> String {
    let Sorted { done, held, noted } = Sorted::of(diff);
    let entries: Vec<&Entry> = done.into_iter().chain(held).collect();
    let tail = noted_list(&noted);
    let plan = format!("Plan `{}`\n", diff.plan);
    let mut out = head(diff);
    let mut room = MAX_UNITS.saturating_sub(units(&out) + units(&tail) + units(&plan) + REST_UNITS);

    let mut rows = 0;
    for entry in &entries {
        let row = row(diff, entry);
        let head = if rows == 0 { TABLE } else { "" };
        let Some(rest) = room.checked_sub(units(&row) + units(head)) else { break };
        room = rest;
        rows += 1;
        out.push_str(head);
        out.push_str(&row);
    }
    if rows > 0 {
        out.push('\n');
    }
    let mut folds = 0;
    for entry in entries.iter().take(rows) {
        let fold = fold(diff, entry);
        let Some(rest) = room.checked_sub(units(&fold)) else { break };
        room = rest;
        folds += 1;
        out.push_str(&fold);
    }
    let whole = format!("the whole report: {}", code(&words::command(&diff.against), CELL_CHARS));
    if rows < entries.len() {
        let more = counted(entries.len() - rows, "more item");
        let are = if entries.len() - rows == 1 { "is" } else { "are" };
        line(&mut out, format_args!("{more} {are} not shown here; {whole}\n"));
    } else if folds < rows {
        let items = counted(rows - folds, "item");
        line(
            &mut out,
            format_args!("What changes in the last {items} is not shown here; {whole}\n"),
        );
    }
    if rows < entries.len() && folds < rows {
        let items = counted(rows - folds, "item");
        line(
            &mut out,
            format_args!("What changes in the last {items} of the table is not shown either.\n"),
        );
    }
    out.push_str(&tail);
    out.push_str(&plan);
    out
}

/// UTF-16 units, in which GitHub counts.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

fn head(diff: &Diff) -> String {
    let mut out = String::new();
    let head = code(diff.head.short(), CELL_CHARS);
    line(&mut out, format_args!("{MARKER}"));
    line(&mut out, format_args!("## marketsync diff of {head}\n"));
    line(&mut out, format_args!("**{}**\n", prose(&words::verdict(diff), SENTENCE_CHARS)));
    let against = prose(&words::against(&diff.against), SENTENCE_CHARS);
    line(&mut out, format_args!("- compared with {against}"));
    let direction = prose(&words::direction(diff), SENTENCE_CHARS);
    line(&mut out, format_args!("- direction: {direction}"));
    if let Some(legend) = words::legend(diff) {
        line(&mut out, format_args!("- {legend}"));
    }
    let items = counted(diff.items, "valid item");
    line(&mut out, format_args!("- {items}: {}\n", words::counts(diff)));
    let notes = diff.notes.iter().map(|note| format!("- note: {}\n", prose(note, SENTENCE_CHARS)));
    list(&mut out, notes.collect(), "note");
    if !diff.problems.is_empty() {
        line(&mut out, format_args!("### Problems in files\n"));
        list(&mut out, diff.problems.iter().map(problem).collect(), "problem");
    }
    out
}

/// As many of these lines as there is room for.
fn list(out: &mut String, lines: Vec<String>, what: &str) {
    let total = lines.len();
    let mut room = LIST_UNITS;
    for (index, text) in lines.into_iter().enumerate() {
        let Some(rest) = room.checked_sub(units(&text)) else {
            line(
                out,
                format_args!(
                    "- {} not shown here",
                    counted(total - index, &format!("more {what}"))
                ),
            );
            break;
        };
        room = rest;
        out.push_str(&text);
    }
    if total > 0 {
        out.push('\n');
    }
}

fn problem(problem: &Problem) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = problem.position.map(|at| format!(":{}:{}", at.line, at.column));
    let place = format!("{}{}", bounded(&problem.path, CELL_CHARS), place.unwrap_or_default());
    let place = code(&place, SENTENCE_CHARS);
    let mut out = format!("- {severity} in {place}: {}", prose(&problem.message, SENTENCE_CHARS));
    let more =
        [("expected", &problem.expected), ("found", &problem.found), ("help", &problem.hint)];
    for (name, text) in more {
        if let Some(text) = text {
            let _ = write!(out, "; {name}: {}", prose(text, SENTENCE_CHARS));
        }
    }
    out.push('\n');
    out
}

const TABLE: &str = "| Action | Item | Version | Type | File | What |\n|---|---|---|---|---|---|\n";

fn row(diff: &Diff, entry: &Entry) -> String {
    let cell = |text: &str| code(text, CELL_CHARS);
    let held = if entry.hold.is_some() { "held: " } else { "" };
    let item_type = entry.item_type.as_ref().map(|it| cell(&it.to_string())).unwrap_or_default();
    let path = words::file(entry).map(|path| cell(&path)).unwrap_or_default();
    format!(
        "| {held}{} | {} | {} | {item_type} | {path} | {} |\n",
        entry.action,
        cell(entry.key.item_id.as_str()),
        cell(&entry.key.version.to_string()),
        words::short(&diff.against, entry)
    )
}

/// What changes of one item, behind a line that opens it.
fn fold(diff: &Diff, entry: &Entry) -> String {
    let mut out = String::new();
    let version = clean(&bounded(&entry.key.version.to_string(), CELL_CHARS));
    let item_type = entry
        .item_type
        .as_ref()
        .map(|it| format!(" (<code>{}</code>)", html(&bounded(&it.to_string(), CELL_CHARS))));
    let held = if entry.hold.is_some() { "held: " } else { "" };
    line(
        &mut out,
        format_args!(
            "<details><summary>{held}{} <code>{}</code> <code>{}</code>{}</summary>\n",
            entry.action,
            entry.key.item_id,
            html(&version),
            item_type.unwrap_or_default()
        ),
    );
    let reason = prose(&words::reason(&diff.against, entry), SENTENCE_CHARS);
    line(&mut out, format_args!("- {}: {reason}", entry.action));
    if let Some(hold) = &entry.hold {
        line(&mut out, format_args!("- held: {}", prose(&hold.to_string(), SENTENCE_CHARS)));
    }
    if let Some(preface) = words::preface(&diff.against, entry) {
        line(&mut out, format_args!("- fields: {}", prose(&preface, SENTENCE_CHARS)));
    }
    out.push('\n');
    out.push_str(&fence(entry));
    line(&mut out, format_args!("</details>\n"));
    out
}

/// The fields, in a fence that nothing in it can close.
fn fence(entry: &Entry) -> String {
    let Fields::Listed { left, fields, more } = &entry.fields else { return String::new() };
    let mut lines = Vec::new();
    let mut room = ITEM_UNITS;
    for (index, field) in fields.iter().enumerate() {
        let place = words::place(entry, field).map(|place| format!(" {}", shown(&place)));
        let cause = match field.cause {
            None => "",
            Some(Cause::Edit) => " edit",
            Some(Cause::Drift) => " drift",
            Some(Cause::Both) => " edit over drift",
        };
        let name = shown(&words::field_name(field));
        let mut of_field = vec![format!("@@ {name} @@{}{cause}", place.unwrap_or_default())];
        of_field.extend(rows(field, *left == Left::Nothing).iter().map(Row::line));
        let size: usize = of_field.iter().map(|line| units(line) + 1).sum();
        let Some(rest) = room.checked_sub(size) else {
            lines.push(format!("… {} not shown here", counted(fields.len() - index, "more field")));
            break;
        };
        room = rest;
        lines.append(&mut of_field);
    }
    if *more {
        lines.push(words::MORE_FIELDS.to_owned());
    }
    if lines.is_empty() {
        return String::new();
    }
    let run = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat((run + 1).max(3));
    format!("{fence}diff\n{}\n{fence}\n\n", lines.join("\n"))
}

/// Text inside of HTML.
fn html(text: &str) -> String {
    clean(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The items about which only the record changes, the first of them by name.
fn noted_list(entries: &[&Entry]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let names = entries
        .iter()
        .take(MOST_NOTED)
        .map(|entry| format!("{} {}", entry.action, code(&entry.key.to_string(), CELL_CHARS)));
    let more = match entries.len().saturating_sub(MOST_NOTED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!(
        "Without a write, {} recorded or dropped from the record: {}{more}\n\n",
        counted(entries.len(), "item"),
        names.collect::<Vec<_>>().join(", ")
    )
}
