//! What `apply` would do and why, field by field: one description of a plan,
//! of which every report is a rendering (`domain::report::diff`).
//!
//! The direction is always live → git: what is there comes first, what will be
//! there second.

mod lines;
mod claims;
mod describe;

use serde_json::Value;

use crate::domain::event::{Action, Hold, Reason};
use crate::domain::item::{CommitId, Digest, ItemKey, ItemType, RepoPath};
use crate::domain::source::{Position, Problem, Severity};

pub use crate::domain::delta::Cause;
pub use claims::Claims;
pub use describe::{Pair, Sides, fields};
pub use lines::{Budget, Hunk, Line, LineKind, Text, hunks};

/// A comparison of a source with what is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// What was read.
    pub head: CommitId,
    /// What it was compared with.
    pub against: Against,
    /// How many valid items the source holds.
    pub items: usize,
    /// How many items need nothing.
    pub unchanged: usize,
    /// How many of those could not be looked at.
    pub unseen: usize,
    /// What would be done, and what would be held, in the order of the keys.
    pub entries: Vec<Entry>,
    /// What is wrong with files, and what deserves a look, without
    /// credentials ([`crate::domain::mask::masked_problem`]).
    pub problems: Vec<Problem>,
    /// What a reader must know to judge it, each one clause.
    pub notes: Vec<String>,
    /// The digest of the plan: the same for the same changes
    /// ([`crate::domain::approval`]).
    pub plan: Digest,
}

/// What a source was compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// The marketplace.
    Live {
        /// A URL, or `embedded`.
        endpoint: String,
        /// The company.
        company: String,
    },
    /// What was applied last, as the state has it.
    Recorded {
        /// A URL, or `embedded`.
        endpoint: String,
        /// The company.
        company: String,
    },
    /// Another commit.
    Revision {
        /// As it was asked for.
        asked: String,
        /// The commit that was read.
        commit: CommitId,
        /// Whether that is the last commit that both share, and not the one
        /// that was asked for.
        merge_base: bool,
    },
}

/// What would be done about one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which item.
    pub key: ItemKey,
    /// What it is, where that is known.
    pub item_type: Option<ItemType>,
    /// The file that wants it, or the one that did.
    pub path: Option<RepoPath>,
    /// What would be done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Why it would not be done after all.
    pub hold: Option<Hold>,
    /// The digest that was recorded last.
    pub from: Option<Digest>,
    /// The digest that is wanted; none if it is to go.
    pub to: Option<Digest>,
    /// The marketplace's id of this version, where it is known.
    pub object_id: Option<String>,
    /// What changes.
    pub fields: Fields,
}

/// What changes in an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Fields {
    /// Nothing that could be listed: it is adopted, forgotten or deleted.
    None,
    /// These.
    Listed {
        /// What the left side is.
        left: Left,
        /// The pictures, then the fields in the order of their names.
        fields: Vec<Field>,
        /// Whether there are more than a report lists.
        more: bool,
    },
    /// It could not be found out.
    Unknown {
        /// Why, a clause.
        why: String,
    },
}

/// What the left side of a list of fields is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// What the marketplace holds.
    Live,
    /// What was applied last; the marketplace was not looked at.
    Recorded,
    /// The other commit.
    Revision,
    /// Nothing: the item is new.
    Nothing,
}

/// One field that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The field for people: `resources.services[proxy].image`; empty for the
    /// whole document.
    pub name: String,
    /// The field as an RFC 6901 pointer, into the wanted document if it is
    /// there, else into the other.
    pub pointer: String,
    /// Where the file states it, or the nearest value around it.
    pub at: Option<Position>,
    /// Who changed it, where both are known.
    pub cause: Option<Cause>,
    /// What changes.
    pub edit: Edit,
}

/// A change of one field. Values that look like credentials are masked in it
/// ([`crate::domain::mask::MASK`]).
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// It is not there.
    Added {
        /// What will be there.
        to: Value,
    },
    /// It will not be there any more.
    Removed {
        /// What is there.
        from: Value,
    },
    /// It is there with another value.
    Replaced {
        /// What is there.
        from: Value,
        /// What will be there.
        to: Value,
    },
    /// The same of two texts, one of several lines at least. What is masked in
    /// them may be all that changes.
    Text {
        /// What is there.
        from: String,
        /// What will be there.
        to: String,
        /// The lines that differ as they really are.
        hunks: Vec<Hunk>,
    },
    /// It changes, and what changes is a credential: both look the same.
    Masked {
        /// What either looks like.
        value: Value,
    },
    /// The elements of a list change places.
    Reordered {
        /// Their names as they stand.
        from: Vec<String>,
        /// Their names as they will stand.
        to: Vec<String>,
    },
    /// The bytes of a picture change; at least one side has one.
    Picture {
        /// The picture that is there.
        from: Option<Picture>,
        /// The picture that will be there.
        to: Option<Picture>,
    },
}

/// What is known of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// The blake3 hash of its bytes; none: nobody knows its bytes.
    pub digest: Option<Digest>,
    /// How many bytes it has.
    pub size: Option<u64>,
    /// Its file in the source.
    pub path: Option<RepoPath>,
}

/// What a comparison comes to: the exit codes of `diff` (`practice.md` §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing that `apply` would do now: 0.
    Same,
    /// Differences: 1.
    Different,
    /// A file is wrong, or something could not be looked at: 2.
    Incomplete,
    /// A guard would hold something: 3.
    Guarded,
}

impl Entry {
    /// Whether the marketplace would be asked to change it.
    pub fn is_write(&self) -> bool {
        self.hold.is_none() && self.action.is_write()
    }
}

impl Diff {
    /// The problems that stop an item.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// What the whole of it comes to: an error goes before a guard, a guard
    /// before a difference.
    pub fn verdict(&self) -> Comparison {
        let holds = || self.entries.iter().filter_map(|entry| entry.hold.as_ref());
        let unobserved = |hold: &Hold| {
            matches!(hold, Hold::Unobserved { .. } | Hold::Waiting { .. } | Hold::Behind { .. })
        };
        if self.errors().next().is_some() || self.unseen > 0 || holds().any(unobserved) {
            Comparison::Incomplete
        } else if holds().any(Hold::is_guard) {
            Comparison::Guarded
        } else if self.entries.iter().any(Entry::is_write) {
            Comparison::Different
        } else {
            Comparison::Same
        }
    }
}
