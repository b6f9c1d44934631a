//! The findings of `validate` as marks at the lines of a change under review:
//! workflow commands for GitHub, a Code Quality report for GitLab.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::item::Digest;
use crate::domain::report::Report;
use crate::domain::report::text::{counted, line, validated_line};
use crate::domain::source::{Problem, Severity};
use crate::domain::text::clean;

/// How many marks of each kind GitHub shows of one step of a job; the others
/// stand in its log only.
const SHOWN_BY_GITHUB: usize = 10;

/// Every problem as a workflow command, then the line that counts. Ends with a
/// line break.
///
/// Source of the escapes: `packages/core/src/command.ts` of actions/toolkit.
pub fn github(report: &Report) -> String {
    let mut out = String::new();
    let mut add = |command: &str| {
        out.push_str(command);
        out.push('\n');
    };
    for problem in &report.problems {
        add(&github_command(problem));
    }
    let errors = report.errors().count();
    let warnings = report.problems.len() - errors;
    if errors.max(warnings) > SHOWN_BY_GITHUB {
        let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
        let most = SHOWN_BY_GITHUB;
        add(&format!(
            "::notice title=marketsync::{errors} and {warnings} were found; GitHub marks at most \
             {most} of each, and all of them stand in the log of this step"
        ));
    }
    line(&mut out, format_args!("{}", validated_line(report)));
    out
}

fn github_command(problem: &Problem) -> String {
    let name = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    // A name with a line break is still the name of that file; all else that
    // moves a cursor is not worth a mark at the right place.
    let lines: Vec<String> = problem.path.split('\n').map(clean_line).collect();
    let file = property(&lines.join("\n"));
    let (place, at) = match problem.position {
        Some(at) => {
            let (line, column) = (at.line, at.column);
            (format!(",line={line},col={column}"), format!(":{line}:{column}"))
        }
        None => (String::new(), String::new()),
    };
    // The log shows the text alone, so it names the place too.
    let mut text = format!("{}{at}: {}", clean(&problem.path), clean(&problem.message));
    for (name, note) in notes(problem) {
        text.push_str(&format_note("\n", name, note));
    }
    format!("::{name} file={file}{place},title=marketsync::{}", data(&text))
}

fn clean_line(text: &str) -> String {
    let parts: Vec<String> = text.split('\r').map(clean).collect();
    parts.join("\r")
}

fn notes(problem: &Problem) -> impl Iterator<Item = (&'static str, &str)> {
    let notes =
        [("expected", &problem.expected), ("found", &problem.found), ("help", &problem.hint)];
    notes.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)))
}

fn format_note(before: &str, name: &str, text: &str) -> String {
    format!("{before}{name}: {}", clean(text))
}

/// The text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Every problem as an entry of a Code Quality report.
///
/// Source: <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.
/// GitLab tells old problems from new ones by the fingerprint, so that holds
/// no line: it is of the file, the value and the words, and of how many alike
/// came before.
pub fn gitlab(report: &Report) -> Value {
    let mut alike: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let entries = report.problems.iter().map(|problem| {
        let severity = match problem.severity {
            Severity::Error => "major",
            Severity::Warning => "minor",
        };
        let mut description = clean(&problem.message);
        for (name, note) in notes(problem) {
            description.push_str(&format_note("; ", name, note));
        }
        let pointer = problem.pointer.clone().unwrap_or_default();
        let name = vec![problem.path.clone(), pointer, problem.message.clone()];
        let before = alike.entry(name.clone()).or_default();
        let fingerprint = Digest::of(json!([name, *before]).to_string().as_bytes()).to_string();
        *before += 1;
        json!({
            "description": description,
            "check_name": "marketsync",
            "fingerprint": fingerprint.trim_start_matches("b3:"),
            "severity": severity,
            "location": {
                "path": problem.path,
                "lines": { "begin": problem.position.map_or(1, |at| at.line) },
            },
        })
    });
    Value::Array(entries.collect())
}
