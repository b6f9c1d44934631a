//! For a terminal. Colour helps and is not needed: the caller prints through
//! `anstream`, which takes it out where it does not belong.

use anstyle::{AnsiColor, Style};

use crate::domain::diff::{Cause, Diff, Entry, Field, Fields, Left};
use crate::domain::event::Action;
use crate::domain::report::diff::rows::{Row, Sign, rows};
use crate::domain::report::diff::words::{self, Sorted, counted};
use crate::domain::report::text::{line, problem};
use crate::domain::text::clean;

/// How many items that are only written down are named: the number says the
/// rest.
const MOST_NOTED: usize = 20;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default();
const MAGENTA: Style = AnsiColor::Magenta.on_default();

/// The whole report. Ends with a line break.
pub fn diff(diff: &Diff) -> String {
    let mut out = head(diff);
    let Sorted { done, held, noted } = Sorted::of(diff);
    section(&mut out, diff, "to make", &done);
    section(&mut out, diff, "held", &held);
    short_list(&mut out, diff, &noted);
    let verdict = clean(&words::verdict(diff));
    line(&mut out, format_args!("{BOLD}{verdict}{BOLD:#}"));
    line(&mut out, format_args!("Plan {}", diff.plan));
    out
}

fn head(diff: &Diff) -> String {
    let mut out = String::new();
    let read = words::source(&diff.head);
    line(
        &mut out,
        format_args!("{BOLD}{}, {}{BOLD:#}", clean(&read), counted(diff.items, "valid item")),
    );
    line(&mut out, format_args!("compared with {}", clean(&words::against(&diff.against))));
    line(&mut out, format_args!("{}", clean(&words::direction(diff))));
    if let Some(legend) = words::legend(diff) {
        line(&mut out, format_args!("{legend}"));
    }
    line(&mut out, format_args!("{}", words::counts(diff)));
    out.push('\n');
    for note in &diff.notes {
        line(&mut out, format_args!("note: {}", clean(note)));
    }
    if !diff.notes.is_empty() {
        out.push('\n');
    }
    for found in &diff.problems {
        line(&mut out, format_args!("{}", problem(found)));
    }
    out
}

fn section(out: &mut String, diff: &Diff, what: &str, entries: &[&Entry]) {
    if entries.is_empty() {
        return;
    }
    line(out, format_args!("{BOLD}{} {what}:{BOLD:#}\n", counted(entries.len(), "change")));
    for entry in entries {
        item(out, diff, entry);
    }
}

fn style(entry: &Entry) -> Style {
    match (&entry.hold, entry.action) {
        (Some(_), _) => MAGENTA,
        (None, Action::Create) => GREEN,
        (None, Action::Update) => YELLOW,
        (None, Action::Delete) => RED,
        (None, Action::Adopt | Action::Forget) => CYAN,
    }
    .bold()
}

fn item(out: &mut String, diff: &Diff, entry: &Entry) {
    let style = style(entry);
    let item_type = entry.item_type.as_ref().map(|it| format!(" ({})", clean(&it.to_string())));
    let path = entry.path.as_ref().map(|path| format!("  {path}")).unwrap_or_default();
    line(
        out,
        format_args!(
            "{style}{} {}{style:#}{}{DIM}{path}{DIM:#}",
            entry.action,
            entry.key,
            item_type.unwrap_or_default()
        ),
    );
    line(out, format_args!("  {}", clean(&words::reason(&diff.against, entry))));
    if let Some(hold) = &entry.hold {
        line(out, format_args!("  {MAGENTA}held: {}{MAGENTA:#}", clean(&hold.to_string())));
    }
    if let Some(preface) = words::preface(&diff.against, entry) {
        line(out, format_args!("  {}", clean(&preface)));
    }
    if let Fields::Listed { left, fields, more } = &entry.fields {
        for found in fields {
            field(out, entry, found, *left == Left::Nothing);
        }
        if *more {
            line(out, format_args!("  {}", words::MORE_FIELDS));
        }
    }
    out.push('\n');
}

fn field(out: &mut String, entry: &Entry, field: &Field, is_new: bool) {
    let name = words::field_name(field);
    let place = words::place(entry, field).map(|place| format!("  {}", clean(&place)));
    let cause = match field.cause {
        None => String::new(),
        Some(Cause::Edit) => "  edit".to_owned(),
        Some(Cause::Drift) => format!("  {MAGENTA}drift{MAGENTA:#}"),
        Some(Cause::Both) => format!("  edit over {MAGENTA}drift{MAGENTA:#}"),
    };
    let place = place.unwrap_or_default();
    line(out, format_args!("  • {BOLD}{}{BOLD:#}{cause}{DIM}{place}{DIM:#}", clean(&name)));
    for row in rows(field, is_new) {
        content(out, &row);
    }
}

fn content(out: &mut String, row: &Row) {
    let style = match row.sign {
        Sign::Same => Style::new(),
        Sign::Removed => RED,
        Sign::Added => GREEN,
        Sign::Changed => YELLOW,
        Sign::Place => CYAN,
        Sign::More => DIM,
    };
    line(out, format_args!("    {style}{}{style:#}", row.line()));
}

/// The items about which only the record changes.
fn short_list(out: &mut String, diff: &Diff, entries: &[&Entry]) {
    if entries.is_empty() {
        return;
    }
    line(
        out,
        format_args!(
            "{BOLD}{} recorded or dropped from the record, without a write:{BOLD:#}\n",
            counted(entries.len(), "item")
        ),
    );
    for entry in entries.iter().take(MOST_NOTED) {
        let reason = words::reason(&diff.against, entry);
        line(out, format_args!("{CYAN}{} {}{CYAN:#}  {}", entry.action, entry.key, clean(&reason)));
    }
    if entries.len() > MOST_NOTED {
        line(out, format_args!("… {} more", entries.len() - MOST_NOTED));
    }
    out.push('\n');
}
