//! One command, one file: from a checked configuration to a result on stdout
//! and an exit code.

pub mod failure;
pub mod signals;
pub mod progress;
pub mod standards;
mod market;
mod remote;
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

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::Good,
            Verdict::Trouble => Self::Trouble,
            Verdict::Guarded => Self::Guarded,
        }
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
    let out = match format {
        Format::Text => text(),
        Format::Json => format!("{}\n", clean_json(&format!("{:#}", json()))),
    };
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::Print(error))
        }
        _ => Ok(()),
    }
}
