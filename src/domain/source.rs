//! Text with positions: JSON and YAML to a [`serde_json::Value`], a JSON
//! pointer to its line and column, and the [`Problem`] that a person reads.

use serde::{Deserialize, Serialize};

use crate::domain::item::RepoPath;

/// How deep a document may nest. The deepest of the public catalogue has 16
/// levels.
pub const MAX_DEPTH: usize = 64;

/// Whether a finding stops its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The item cannot be sent.
    Error,
    /// The item is sent; somebody should look. `--strict` makes it an error.
    Warning,
}

/// A place in a file, counted from 1 as editors count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// The offending line, kept so that a caret can be drawn under it later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    /// The text of the line, cut to 200 characters around the place, control
    /// characters replaced.
    pub text: String,
    /// Where in `text` the caret begins, in characters from 0.
    pub start: u32,
    /// How many characters it spans, at least 1.
    pub length: u32,
}

/// Something that is wrong with a file: data, not an error of the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Whether it stops the item.
    pub severity: Severity,
    /// The file. Text, because a name may not be a [`RepoPath`].
    pub path: String,
    /// Where in the file, if a place can be named.
    pub position: Option<Position>,
    /// Which value, as an RFC 6901 JSON pointer; the empty pointer is the
    /// whole document.
    pub pointer: Option<String>,
    /// What is wrong, a clause without full stop.
    pub message: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// What is there, cut to 80 characters.
    pub found: Option<String>,
    /// The line it stands on.
    pub excerpt: Option<Excerpt>,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem of a whole file.
    pub fn of_file(path: &RepoPath, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path: path.to_string(),
            position: None,
            pointer: None,
            message: message.into(),
            expected: None,
            found: None,
            excerpt: None,
            hint: None,
        }
    }

    /// The same, with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}
