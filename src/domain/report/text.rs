//! Renderings for people: plain text, columns aligned.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::domain::event::{Applied, Failure, Outcome, Verb};
use crate::domain::report::Report;
use crate::domain::source::{Problem, Severity, clean};
use crate::domain::status::{LastResult, Status};
use crate::domain::text::{cut, no_first_command};

/// The longest cell of a table in characters: every row is as wide as the
/// widest.
const CELL_CHARS: usize = 300;

/// What stands for an object id that is not known, as in `miactl`.
const NO_OBJECT_ID: &str = "N/A";

/// A problem as compilers show it: what, where, the line with a caret, what
/// was expected and found, what to do. Ends with a line break.
pub fn problem(problem: &Problem) -> String {
    let mut out = String::new();
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    line(&mut out, format_args!("{severity}: {}", clean(&problem.message)));
    let number = problem.position.map(|position| position.line.to_string()).unwrap_or_default();
    let margin = " ".repeat(number.len());
    let place = problem
        .position
        .map(|position| format!(":{}:{}", position.line, position.column))
        .unwrap_or_default();
    let pointer = match problem.pointer.as_deref() {
        None | Some("") => String::new(),
        Some(pointer) => format!(" {}", clean(pointer)),
    };
    line(&mut out, format_args!("{margin}--> {}{place}{pointer}", clean(&problem.path)));
    if let Some(excerpt) = &problem.excerpt {
        let start = " ".repeat(excerpt.start as usize);
        let caret = "^".repeat(excerpt.length.max(1) as usize);
        line(&mut out, format_args!("{margin} |"));
        line(&mut out, format_args!("{number} | {}", clean(&excerpt.text)));
        line(&mut out, format_args!("{margin} | {start}{caret}"));
    }
    let notes =
        [("expected", &problem.expected), ("found", &problem.found), ("help", &problem.hint)];
    for (name, text) in notes {
        if let Some(text) = text {
            line(&mut out, format_args!("{margin} = {name}: {}", clean(text)));
        }
    }
    out
}

/// The table that `miactl`'s users know, then what was found done, what failed
/// and what was held. Ends with a line break.
pub fn applied(report: &Report) -> String {
    let mut out = String::new();
    let Sorted { written, noted, failed } = sorted(report);
    let attempted = written.len() + failed.len();
    if !written.is_empty() {
        let done = written.len();
        line(
            &mut out,
            format_args!("{done} of {attempted} items have been successfully applied:\n"),
        );
        let rows = written.iter().map(|(outcome, applied)| {
            let object_id = applied.object_id.as_deref().unwrap_or(NO_OBJECT_ID);
            row(outcome, object_id, &applied.verb.to_string())
        });
        table(&mut out, ["OBJECT ID", "ITEM ID", "VERSION", "STATUS"], rows);
    }
    if !noted.is_empty() {
        line(&mut out, format_args!("{} recorded without a write:\n", items(noted.len())));
        let rows = noted.iter().map(|(outcome, applied)| {
            let key = &outcome.change.key;
            let because = outcome.change.reason.to_string();
            [key.item_id.to_string(), key.version.to_string(), applied.verb.to_string(), because]
        });
        table(&mut out, ["ITEM ID", "VERSION", "STATUS", "BECAUSE"], rows);
    }
    if !failed.is_empty() {
        let count = failed.len();
        line(
            &mut out,
            format_args!("{count} of {attempted} items have not been applied due to errors:\n"),
        );
        let rows = failed.iter().map(|(outcome, failure)| {
            let object_id = outcome.change.object_id.as_deref().unwrap_or(NO_OBJECT_ID);
            row(outcome, object_id, &why(failure))
        });
        table(&mut out, ["OBJECT ID", "ITEM ID", "VERSION", "ERROR"], rows);
    }
    if !report.held.is_empty() {
        line(&mut out, format_args!("{} held:\n", items(report.held.len())));
        let rows = report.held.values().map(|held| {
            let key = &held.change.key;
            [
                held.change.action.to_string(),
                key.item_id.to_string(),
                key.version.to_string(),
                held.why.to_string(),
            ]
        });
        table(&mut out, ["WOULD", "ITEM ID", "VERSION", "HELD BECAUSE"], rows);
    }
    line(&mut out, format_args!("{}", summary(report)));
    out
}

/// The outcomes of a report by what they mean to a reader.
struct Sorted<'a> {
    /// The marketplace was changed.
    written: Vec<(&'a Outcome, &'a Applied)>,
    /// The record was changed, the marketplace was not.
    noted: Vec<(&'a Outcome, &'a Applied)>,
    /// Neither was.
    failed: Vec<(&'a Outcome, &'a Failure)>,
}

fn sorted(report: &Report) -> Sorted<'_> {
    let done = report.outcomes.values();
    let done = done.filter_map(|outcome| Some((outcome, outcome.result.as_ref().ok()?)));
    let (noted, written) =
        done.partition(|(_, applied)| matches!(applied.verb, Verb::Adopted | Verb::Forgotten));
    Sorted { written, noted, failed: report.failures().collect() }
}

fn why(failure: &Failure) -> String {
    match failure {
        Failure::Transient { why, .. } => format!("given up: {why}"),
        Failure::Rejected { why, pointer: Some(pointer) } => format!("{why} ({pointer})"),
        Failure::Rejected { why, pointer: None } => why.clone(),
    }
}

/// One line that counts everything.
fn summary(report: &Report) -> String {
    let commit =
        report.commit.as_ref().map(|commit| format!(" at {}", commit.short())).unwrap_or_default();
    if !report.planned {
        return format!("{}{commit}: not compared with the marketplace", items(report.items));
    }
    let Sorted { written, noted, failed } = sorted(report);
    let errors = report.errors().count();
    let mut parts = vec![
        format!("{} applied", written.len()),
        format!("{} unchanged", (report.unchanged + noted.len()).saturating_sub(report.unseen)),
    ];
    let problems = if errors == 1 { "problem in a file" } else { "problems in files" };
    for (count, what) in [
        (failed.len(), "failed"),
        (report.unattempted, "not attempted"),
        (report.unrecorded, "sent and not recorded"),
        (report.unseen, "could not be looked at"),
        (report.held.len(), "held"),
        (errors, problems),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    format!("{}{commit}: {}", items(report.items), parts.join(", "))
}

/// What `validate` found: every problem, then a line that counts.
pub fn validated(report: &Report) -> String {
    let mut out = String::new();
    for found in &report.problems {
        out.push_str(&problem(found));
        out.push('\n');
    }
    line(&mut out, format_args!("{}", validated_line(report)));
    out
}

/// The line that counts what `validate` found.
pub(super) fn validated_line(report: &Report) -> String {
    let errors = report.errors().count();
    let warnings = report.problems.len() - errors;
    let commit =
        report.commit.as_ref().map(|commit| format!(" at {}", commit.short())).unwrap_or_default();
    format!(
        "{}{commit}: {}, {}",
        counted(report.items, "valid item"),
        counted(errors, "problem"),
        counted(warnings, "warning")
    )
}

/// Every item that is known, as of `now`.
pub fn status(status: &Status, now: Timestamp) -> String {
    let mut out = String::new();
    if !status.items.is_empty() {
        let rows = status.items.iter().map(|(key, item)| {
            let last = match &item.last {
                LastResult::Done { verb } => verb.to_string(),
                LastResult::Failed { why } => format!("Failed: {why}"),
                LastResult::Rejected { why } => format!("Rejected: {why}"),
            };
            let digest = item.digest.map_or_else(|| "-".to_owned(), |digest| digest.short());
            let commit = item.commit.short().to_owned();
            let age = age(now.duration_since(item.at));
            [key.item_id.to_string(), key.version.to_string(), digest, commit, age, last]
        });
        table(&mut out, ["ITEM ID", "VERSION", "DIGEST", "COMMIT", "AGE", "LAST RESULT"], rows);
    }
    let failed =
        status.items.values().filter(|item| !matches!(item.last, LastResult::Done { .. })).count();
    line(&mut out, format_args!("{}, {failed} failed when last tried", items(status.items.len())));
    out
}

/// A length of time in its largest unit.
pub fn age(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn items(count: usize) -> String {
    counted(count, "item")
}

/// A number and what it counts.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn row(outcome: &Outcome, object_id: &str, last: &str) -> [String; 4] {
    let key = &outcome.change.key;
    [object_id.to_owned(), key.item_id.to_string(), key.version.to_string(), last.to_owned()]
}

/// Rows under their heads, two spaces before each column, the last column
/// unpadded; an empty line after the head and after the last row.
pub fn table<const N: usize>(
    out: &mut String,
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let rows: Vec<[String; N]> = rows.map(|row| row.map(|cell| cut(&cell, CELL_CHARS))).collect();
    let mut widths = heads.map(|head| head.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut write = |cells: &[String; N]| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let padding = width - cell.chars().count();
            let _ = write!(text, "  {cell}{}", " ".repeat(padding));
        }
        line(out, format_args!("{}", text.trim_end()));
    };
    write(&heads.map(str::to_owned));
    write(&[(); N].map(|()| String::new()));
    rows.iter().for_each(&mut write);
    out.push('\n');
}

/// Adds one line, of which no CI runner takes the beginning for a command.
pub fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.push_str(&no_first_command(&text.to_string()));
    out.push('\n');
}
