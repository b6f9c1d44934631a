//! Text with positions: JSON and YAML to a [`serde_json::Value`], a JSON
//! pointer to its line and column, and the [`Problem`] that a person reads.
//!
//! Everything here is total: any bytes give a value or a problem, and take
//! time and memory in proportion to their number.

mod show;
mod value;
mod locate;
mod json;
mod yaml;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::domain::item::RepoPath;
use crate::domain::text;

pub use crate::domain::text::clean;
pub use locate::{Outline, Place, Span};
pub use show::{nearest, quote};

/// How deep a document may nest. The deepest of the public catalogue has 16
/// levels.
pub const MAX_DEPTH: usize = 64;

/// The longest [`Problem::pointer`] in characters: a key may be as long as a
/// file, and a problem of each of many files is kept.
const POINTER_CHARS: usize = 512;

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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
            path: if *path == RepoPath::root() { ".".to_owned() } else { path.as_str().to_owned() },
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

    /// A problem at a place in `text`: `range` in bytes of it, cut to its first
    /// line. A byte order mark at the beginning of `text` is not counted.
    pub fn at(
        path: &RepoPath,
        text: &str,
        range: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        let text = without_bom(text);
        let mut problem = Self::of_file(path, message);
        problem.position = Some(show::position(text, range.start));
        problem.excerpt = Some(show::excerpt(text, range));
        problem
    }

    /// The same, about the value that `pointer` (RFC 6901) names.
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(text::cut(&pointer.into(), POINTER_CHARS));
        self
    }

    /// The same, with what would have been right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// The same, with what is there instead: cleaned ([`clean`]) and cut to
    /// 80 characters. Nothing is said of nothing.
    #[must_use]
    pub fn found(mut self, found: &str) -> Self {
        self.found = (!found.is_empty()).then(|| text::cut(found, show::FOUND_CHARS));
        self
    }

    /// The same, as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 8259; a trailing comma and a byte order mark are tolerated.
    Json,
    /// YAML 1.2, as far as JSON can hold it.
    Yaml,
}

impl Format {
    /// The format that the end of a file name stands for: `.json`, `.yaml` or
    /// `.yml`, in lower case.
    pub fn of(file_name: &str) -> Option<Self> {
        match file_name.rsplit_once('.')?.1 {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// What a file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The document. `None` exactly when `problems` has an error.
    pub value: Option<serde_json::Value>,
    /// What is wrong with it, in the order of the file; at most about
    /// [`MAX_FINDINGS`] of a kind.
    pub problems: Vec<Problem>,
}

/// How many findings of one kind are reported of one file. More would drown
/// the reader, and a hostile file could hold one in every second byte.
pub const MAX_FINDINGS: usize = 20;

/// Reads a document (`practice.md` §3). That its top level is an object is for
/// the caller to judge.
///
/// The caller bounds the length of `bytes`.
pub fn parse(path: &RepoPath, format: Format, bytes: &[u8]) -> Parsed {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return Parsed {
                value: None,
                problems: vec![show::not_utf8(path, bytes, error.valid_up_to())],
            };
        }
    };
    let body = without_bom(text);
    if body.trim().is_empty() {
        let problem = Problem::of_file(path, "the file is empty")
            .expected("one item")
            .hint("write an item into it, or remove the file, or exclude it");
        return Parsed { value: None, problems: vec![problem] };
    }
    match format {
        Format::Json => json::parse(path, body, text.len() != body.len()),
        Format::Yaml => yaml::parse(path, body),
    }
}

/// The byte order mark of UTF-8. Editors hide it, so columns do not count it.
fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The document nests deeper than [`MAX_DEPTH`] at `range`.
fn too_deep(path: &RepoPath, text: &str, range: Range<usize>) -> Problem {
    Problem::at(path, text, range, format!("the document nests deeper than {MAX_DEPTH} levels"))
        .expected(format!("at most {MAX_DEPTH} objects and lists within each other"))
        .hint("flatten the document; no item needs that depth")
}

/// What a duplicate key or a too large integer looks like, once the whole text
/// is known to be well formed.
fn findings(path: &RepoPath, outline: &Outline<'_>, flags: &value::Flags) -> Vec<Problem> {
    let mut problems = Vec::new();
    if flags.duplicate_key {
        problems.extend(outline.duplicate_keys(path));
        if problems.is_empty() {
            problems.push(
                Problem::of_file(path, "an object holds the same key twice")
                    .hint("remove one of the two"),
            );
        }
    }
    if flags.huge_number {
        problems.extend(outline.wide_integers(path));
    }
    problems
}

impl<'a> Outline<'a> {
    /// The outline of any text; of one that is not well formed as far as it
    /// can be followed.
    pub fn new(format: Format, text: &'a str) -> Self {
        let text = without_bom(text);
        let mut builder = locate::Builder::default();
        match format {
            Format::Json => json::outline(text, &mut builder),
            Format::Yaml => yaml::outline(text, &mut builder),
        }
        Self::of(text, builder)
    }
}

/// [`Outline::find`] for a single question.
pub fn locate(format: Format, text: &str, pointer: &str, place: Place) -> Option<Span> {
    Outline::new(format, text).find(pointer, place)
}

/// [`Outline::problem`] for a single problem. Bytes that are not UTF-8 have no
/// places.
pub fn problem_at(
    path: &RepoPath,
    format: Format,
    bytes: &[u8],
    pointer: &str,
    place: Place,
    message: impl Into<String>,
) -> Problem {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    Outline::new(format, text).problem(path, pointer, place, message)
}
