//! One command, one file: from a checked configuration to a result on stdout
//! and an exit code.

pub mod failure;
pub mod signals;
pub mod progress;
pub mod standards;
mod market;
mod remote;
mod order;
mod plan_file;
pub mod apply;
pub mod run;
pub mod diff;
pub mod validate;
pub mod status;
pub mod history;
pub mod export;
pub mod marketplace;

use std::io::Write as _;

use serde_json::Value;

use crate::cli::Format;
use crate::commands::failure::CommandError;
use crate::domain::diff::Comparison;
use crate::domain::report::Verdict;
use crate::domain::text::clean_json;

/// How a process ends (`practice.md` §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything is as it should be.
    Good,
    /// Some item is invalid, failed or was rejected; the others were done.
    Trouble,
    /// The work could not be done.
    CouldNot,
    /// A guard held something.
    Guarded,
    /// A signal came and something was left undone.
    Signalled {
        /// Its number.
        signal: u8,
    },
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Trouble => 1,
            Self::CouldNot => 2,
            Self::Guarded => 3,
            Self::Signalled { signal } => 128 + signal,
        }
    }
}

impl From<Comparison> for Exit {
    fn from(comparison: Comparison) -> Self {
        match comparison {
            Comparison::Same => Self::Good,
            Comparison::Different => Self::Trouble,
            Comparison::Incomplete => Self::CouldNot,
            Comparison::Guarded => Self::Guarded,
        }
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::Good,
            Verdict::Trouble => Self::Trouble,
            Verdict::Guarded => Self::Guarded,
        }
    }
}

/// What work left and why it failed; neither if it did not come to its end.
fn parted<T, E>(result: Option<Result<T, E>>) -> (Option<T>, Option<E>) {
    match result {
        Some(Ok(left)) => (Some(left), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    }
}

/// Prints the result of a command, alone on stdout.
///
/// A reader that has gone away is no error of the command: what it did, it
/// did.
pub fn print(
    format: Format,
    text: impl FnOnce() -> String,
    json: impl FnOnce() -> Value,
) -> Result<(), CommandError> {
    match format {
        Format::Text => print_text(&text()),
        Format::Json => print_json(&json()),
    }
}

/// Prints a document.
pub fn print_json(document: &Value) -> Result<(), CommandError> {
    print_text(&format!("{}\n", clean_json(&format!("{document:#}"))))
}

/// Prints a text; its colours only where they are seen.
pub fn print_text(text: &str) -> Result<(), CommandError> {
    let mut stdout = anstream::AutoStream::auto(std::io::stdout().lock());
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::Print(error))
        }
        _ => Ok(()),
    }
}
