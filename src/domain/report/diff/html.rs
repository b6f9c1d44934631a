//! One page that needs nothing but itself: no script, no font, no picture. It
//! is read in light and dark, on paper, and by ear: signs and words say what
//! the colours say.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::domain::diff::{Against, Cause, Diff, Entry, Field, Fields, Left};
use crate::domain::report::diff::rows::{Row, Sign, rows};
use crate::domain::report::diff::safe::{bounded, shown};
use crate::domain::report::diff::words::{self, Sorted, counted};
use crate::domain::report::text::problem;
use crate::domain::text::clean;

const STYLE: &str = include_str!("style.css");

/// What a browser may load for the page: nothing, and its own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// How many items are unfolded at first: a reader of more chooses from the
/// table.
const MOST_OPEN: usize = 50;

/// The longest word of others in a cell, in characters.
const CELL_CHARS: usize = 200;

/// The whole page.
pub fn diff(diff: &Diff) -> String {
    let title = match &diff.against {
        Against::Live { .. } | Against::Recorded { .. } => "What apply would do",
        Against::Revision { .. } => "What the change would do",
    };
    let head = words::source(&diff.head);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) ": " (clean(&head)) ", marketsync diff" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p.verdict { (clean(&words::verdict(diff))) }
                    (facts(diff))
                }
                main { (content(diff)) }
                footer { p { "Plan " code { (diff.plan) } } }
            }
        }
    };
    page.into_string()
}

fn facts(diff: &Diff) -> Markup {
    html! {
        dl {
            div { dt { "Read" } dd { (clean(&words::source(&diff.head))) ", " (counted(diff.items, "valid item")) } }
            div { dt { "Compared with" } dd { (clean(&words::against(&diff.against))) } }
            div { dt { "Direction" } dd { (clean(&words::direction(diff))) } }
            @if let Some(legend) = words::legend(diff) {
                div { dt { "Cause" } dd { (legend) } }
            }
            div { dt { "Items" } dd { (words::counts(diff)) } }
        }
    }
}

fn content(diff: &Diff) -> Markup {
    let Sorted { done, held, noted } = Sorted::of(diff);
    let changes = done.len() + held.len();
    html! {
        @if !diff.notes.is_empty() {
            section aria-labelledby="notes" {
                h2 id="notes" { "Notes" }
                ul { @for note in &diff.notes { li { (clean(note)) } } }
            }
        }
        @if !diff.problems.is_empty() {
            section aria-labelledby="problems" {
                h2 id="problems" { "Problems in files" }
                @for found in &diff.problems { pre.problem { (problem(found)) } }
            }
        }
        @if changes > 0 {
            section aria-labelledby="overview" {
                h2 id="overview" { "Overview" }
                (overview(diff, &done, &held))
            }
        }
        (section(diff, "make", "to make", &done, 0))
        (section(diff, "held", "held", &held, done.len()))
        @if !noted.is_empty() { (noted_list(diff, &noted)) }
    }
}

fn overview(diff: &Diff, done: &[&Entry], held: &[&Entry]) -> Markup {
    let entries = done.iter().chain(held).enumerate();
    html! {
        table {
            caption { "Each change, with its file and why it is there" }
            thead {
                tr {
                    @for head in ["Action", "Item", "Version", "Type", "File", "What"] {
                        th scope="col" { (head) }
                    }
                }
            }
            tbody {
                @for (index, entry) in entries {
                    tr {
                        td { (badge(entry)) }
                        th scope="row" { a href={ "#item-" (index + 1) } { (entry.key.item_id.as_str()) } }
                        td { (cell(&entry.key.version.to_string())) }
                        td { (type_of(entry)) }
                        td { @if let Some(file) = words::file(entry) { code { (cell(&file)) } } }
                        td { (words::short(&diff.against, entry)) }
                    }
                }
            }
        }
    }
}

fn cell(text: &str) -> String {
    clean(&bounded(text, CELL_CHARS))
}

fn type_of(entry: &Entry) -> String {
    entry.item_type.as_ref().map(|it| cell(&it.to_string())).unwrap_or_default()
}

/// What would be done, in words and in colour.
fn badge(entry: &Entry) -> Markup {
    let action = entry.action.to_string();
    if entry.hold.is_none() {
        html! { span class={ "badge " (action) } { (action) } }
    } else {
        html! { span.badge.held { "held: " (action) } }
    }
}

fn section(diff: &Diff, id: &str, what: &str, entries: &[&Entry], before: usize) -> Markup {
    html! {
        @if !entries.is_empty() {
            section aria-labelledby=(id) {
                h2 id=(id) { (counted(entries.len(), "change")) " " (what) }
                @for (index, entry) in entries.iter().enumerate() {
                    (item(diff, entry, before + index + 1))
                }
            }
        }
    }
}

fn item(diff: &Diff, entry: &Entry, number: usize) -> Markup {
    let item_type = type_of(entry);
    html! {
        details id={ "item-" (number) } open[number <= MOST_OPEN] {
            summary {
                h3 { (badge(entry)) " " (entry.key.item_id.as_str()) " " (cell(&entry.key.version.to_string())) }
                @if !item_type.is_empty() { " " span.type { (item_type) } }
                @if let Some(path) = &entry.path { " " code { (cell(&path.to_string())) } }
            }
            p { (clean(&words::reason(&diff.against, entry))) }
            @if let Some(hold) = &entry.hold {
                p.hold { strong { "Held: " } (clean(&hold.to_string())) }
            }
            @if let Some(preface) = words::preface(&diff.against, entry) {
                p { (clean(&preface)) }
            }
            @if let Fields::Listed { left, fields, more } = &entry.fields {
                @for found in fields { (field(entry, found, *left == Left::Nothing)) }
                @if *more { p { (words::MORE_FIELDS) } }
            }
        }
    }
}

fn field(entry: &Entry, field: &Field, is_new: bool) -> Markup {
    html! {
        div.field {
            h4 { (shown(&words::field_name(field))) }
            @match field.cause {
                None => {}
                Some(Cause::Edit) => { " " span.cause { "edit" } }
                Some(Cause::Drift) => { " " span.cause.drift { "drift" } }
                Some(Cause::Both) => { " " span.cause.drift { "edit over drift" } }
            }
            @if let Some(place) = words::place(entry, field) { " " code { (shown(&place)) } }
            div.lines { @for row in rows(field, is_new) { (content_line(&row)) } }
        }
    }
}

/// A line is a block of its own, so that it stays one where the style is lost.
fn content_line(row: &Row) -> Markup {
    let text = row.line();
    html! {
        div {
            @match row.sign {
                Sign::Removed => del { (text) },
                Sign::Added => ins { (text) },
                Sign::Changed => mark { (text) },
                Sign::Place => span.place { (text) },
                Sign::More => span.more { (text) },
                Sign::Same => (text),
            }
        }
    }
}

/// The items about which only the record changes.
fn noted_list(diff: &Diff, entries: &[&Entry]) -> Markup {
    html! {
        section aria-labelledby="noted" {
            h2 id="noted" { (counted(entries.len(), "item")) " recorded or dropped from the record, without a write" }
            ul.noted {
                @for entry in entries {
                    li {
                        (badge(entry)) " " (entry.key.item_id.as_str()) " " (cell(&entry.key.version.to_string()))
                        ": " (clean(&words::reason(&diff.against, entry)))
                    }
                }
            }
        }
    }
}
