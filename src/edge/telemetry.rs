//! What is said while it happens: events to log lines, on stderr.

use std::io::Write as _;

use anstream::{AutoStream, ColorChoice};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::domain::event::{Applied, Change, Event, Failure, Held, Hold, Outcome, Verb};
use crate::domain::item::CommitId;
use crate::domain::report::text;
use crate::domain::source::{Problem, Severity};
use crate::domain::text::{clean, no_command};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One line of text, facts as `key=value`.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Whether log lines carry the time. JSON lines always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamps {
    /// For a process that lives long.
    On,
    /// For a command that ends at once.
    Off,
}

/// The log filter is not understood.
#[derive(Debug, thiserror::Error)]
#[error("the log level `{level}` is not understood; use error, warn, info, debug or trace")]
pub struct InvalidLevel {
    level: String,
}

/// Starts logging to stderr. Once per process; a second call changes nothing.
pub fn init(format: LogFormat, level: &str, timestamps: Timestamps) -> Result<(), InvalidLevel> {
    let filter = EnvFilter::try_new(level).map_err(|_| InvalidLevel { level: level.to_owned() })?;
    let colour = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || Lines { is_json: format == LogFormat::Json })
        .with_target(false)
        // A line that cannot be written is lost; the work goes on. Told on
        // stderr, that very fact would end the process.
        .log_internal_errors(false)
        .with_ansi(colour);
    let started = match (format, timestamps) {
        (LogFormat::Json, _) => builder.json().flatten_event(true).try_init(),
        (LogFormat::Text, Timestamps::On) => builder.try_init(),
        (LogFormat::Text, Timestamps::Off) => builder.without_time().try_init(),
    };
    // Tests start more than one run in a process; the first subscriber serves.
    drop(started);
    Ok(())
}

/// The lines of the log on their way to stderr. What an item, a commit or a
/// server says stands in them, and a CI runner reads them: it finds no command.
struct Lines {
    is_json: bool,
}

impl std::io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // One event is written at once, and is UTF-8.
        let shown = no_command(&String::from_utf8_lossy(line), self.is_json);
        std::io::stderr().lock().write_all(shown.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().lock().flush()
    }
}

/// One event, one line. Unchanged items are counted, not listed; bodies and
/// tokens are never logged.
pub fn log(event: &Event, company: &str) {
    match event {
        Event::Loaded { commit, items, problems, warnings } => {
            info!(commit = commit.short(), items, problems, warnings, company, "Loaded");
        }
        Event::Found(problem) => found(problem),
        Event::Held(held) => log_held(held, company),
        Event::Settled { outcome, commit } => settled(outcome, commit, company),
        Event::Notice(text) => notice(text),
    }
}

/// A problem as a person reads it: the line of the file with a caret under it.
/// For text logs; JSON logs get a line from [`log`].
pub fn show(problem: &Problem) {
    let wanted = match problem.severity {
        Severity::Error => tracing::enabled!(tracing::Level::ERROR),
        Severity::Warning => tracing::enabled!(tracing::Level::WARN),
    };
    if wanted {
        // Nobody is left to tell if stderr is gone.
        let _ = writeln!(std::io::stderr().lock(), "{}", text::problem(problem));
    }
}

/// Something that a person should know.
pub fn notice(text: &str) {
    warn!("{}", clean(text));
}

fn found(problem: &Problem) {
    let (line, column) =
        problem.position.map_or((None, None), |at| (Some(at.line), Some(at.column)));
    let Problem { path, pointer, message, found, hint, .. } = problem;
    let (pointer, found, hint) = (pointer.as_deref(), found.as_deref(), hint.as_deref());
    match problem.severity {
        Severity::Error => {
            error!(path, line, column, pointer, problem = message, found, hint, "Invalid");
        }
        Severity::Warning => {
            warn!(path, line, column, pointer, problem = message, found, hint, "Questionable");
        }
    }
}

fn log_held(held: &Held, company: &str) {
    let Change { key, action, reason, fields, wanted, .. } = &held.change;
    let path = wanted.as_ref().map(|item| item.path.as_str());
    let (item_id, version) = (key.item_id.as_str(), &key.version);
    if held.why == Hold::DriftReported {
        warn!(item_id, %version, company, path, %reason, ?fields, "Drifted");
    } else {
        warn!(item_id, %version, company, path, would = %action, reason = held.why.to_string(), "Held");
    }
}

fn settled(outcome: &Outcome, commit: &CommitId, company: &str) {
    let change = &outcome.change;
    let (item_id, version) = (change.key.item_id.as_str(), &change.key.version);
    let path = change.wanted.as_ref().map(|item| item.path.as_str());
    match &outcome.result {
        Ok(applied) => made(change, applied, commit, company),
        Err(Failure::Rejected { why, pointer }) => {
            error!(item_id, %version, company, path, reason = why, pointer, "Rejected");
        }
        Err(Failure::Transient { why, .. }) => {
            warn!(item_id, %version, company, path, reason = why, "Failed");
        }
    }
}

fn made(change: &Change, applied: &Applied, commit: &CommitId, company: &str) {
    let (item_id, version) = (change.key.item_id.as_str(), &change.key.version);
    let item = change.wanted.as_deref();
    let r#type = item.map(|item| tracing::field::display(&item.item_type));
    let digest = item.map(|item| item.digest.short());
    let from = change.from.map(|from| from.short());
    let path = item.map(|item| item.path.as_str());
    let object_id = applied.object_id.as_deref();
    let took_ms = u64::try_from(applied.took.as_millis()).unwrap_or(u64::MAX);
    let commit = commit.short();
    let changed = (!change.fields.is_empty()).then(|| tracing::field::debug(&change.fields));
    let confirmed = applied.read_back.then_some("read_back");
    let server_changed = applied.unchanged_there.then_some(false);
    macro_rules! line {
        ($message:literal) => {
            info!(
                item_id, %version, r#type, company, object_id, digest, from, changed, commit, path, took_ms,
                confirmed, server_changed, $message
            )
        };
    }
    match applied.verb {
        Verb::Created => line!("Created"),
        Verb::Updated => line!("Updated"),
        Verb::Adopted => line!("Adopted"),
        Verb::Deleted => line!("Deleted"),
        Verb::Forgotten => line!("Forgotten"),
    }
}
