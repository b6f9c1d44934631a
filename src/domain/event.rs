//! What is meant to happen and what happened. Logs, tables, history, status
//! and tests read these types and nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::item::{CommitId, Digest, Item, ItemKey, Version};
use crate::domain::source::Problem;

/// What is done about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Send it; the marketplace does not have it.
    Create,
    /// Send it; the marketplace has another state of it.
    Update,
    /// Record it; the marketplace has it as wanted. No write.
    Adopt,
    /// Remove it from the marketplace.
    Delete,
    /// Drop its record; the marketplace no longer has it. No write.
    Forget,
}

impl Action {
    /// Whether the marketplace is asked to change something.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Delete)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Adopt => "adopt",
            Self::Delete => "delete",
            Self::Forget => "forget",
        })
    }
}

/// Why: the rows of the decision table (`plan`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Committed, never recorded, not in the marketplace.
    New,
    /// Committed, never recorded, in the marketplace as it is wanted.
    AlreadyThere,
    /// Committed, never recorded, in the marketplace in another state.
    Differs,
    /// Recorded, and gone from the marketplace.
    Missing,
    /// The commit changed it since it was recorded.
    Edited,
    /// The commit did not change it; somebody changed the marketplace.
    Drifted,
    /// Recorded, removed from the source, and gone from the marketplace.
    Gone,
    /// Recorded, removed from the source, still in the marketplace.
    Removed,
    /// Committed, never recorded, and the marketplace could not be looked at.
    Unobserved,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::AlreadyThere => "already there",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Edited => "edited",
            Self::Drifted => "drifted",
            Self::Gone => "gone",
            Self::Removed => "removed",
            Self::Unobserved => "unobserved",
        })
    }
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which item.
    pub key: ItemKey,
    /// What is done about it.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The item as it is wanted; none when it is deleted or forgotten.
    pub wanted: Option<Arc<Item>>,
    /// The digest that was recorded before.
    pub from: Option<Digest>,
    /// JSON pointers of the fields that differ in the marketplace, where it
    /// was looked at.
    pub fields: Vec<String>,
    /// The marketplace's id of this version, where it is known.
    pub object_id: Option<String>,
}

/// Why a change is not made. A held change is always shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "hold", rename_all = "kebab-case")]
pub enum Hold {
    /// The marketplace could not be looked at; what is there is not known.
    Unobserved {
        /// What went wrong.
        why: String,
    },
    /// It failed for a passing reason, and is tried again a little later.
    Waiting {
        /// Why it failed.
        why: String,
    },
    /// A lower version of the item has not gone yet: versions go in ascending
    /// order.
    Behind {
        /// The lower version.
        version: Version,
        /// Why that one has not gone.
        why: String,
    },
    /// Drift is reported, not corrected (`--drift=correct` corrects it).
    DriftReported,
    /// Pruning is off (`--prune` turns it on).
    PruneOff,
    /// A file of the source is broken: an item that seems removed may be in
    /// it.
    BrokenSource,
    /// `resources` or the type of a published version may not change
    /// (`marketplace-api.md` §9.1).
    Immutable {
        /// The next version to publish instead.
        next: Version,
    },
    /// The marketplace rejected exactly this before.
    Rejected {
        /// Its reason.
        why: String,
    },
    /// Corrected three times within an hour with the same file: somebody else
    /// writes this item too.
    Contested,
    /// More deletions than one commit may make.
    DeleteGuard {
        /// How many deletions the plan wants.
        wanted: usize,
        /// How many it may make.
        allowed: usize,
    },
    /// The source holds no item at all; it deletes nothing.
    EmptySource,
    /// More updates than `--max-updates` allows.
    UpdateGuard {
        /// How many updates the plan wants.
        wanted: usize,
        /// How many it may make.
        allowed: usize,
    },
    /// The legacy API has no such fields (`marketplace-api.md` §7.2).
    NotOnLegacy {
        /// The fields.
        fields: Vec<String>,
    },
}

impl Hold {
    /// Its name in metrics and reports: one word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unobserved { .. } => "unobserved",
            Self::Waiting { .. } => "waiting",
            Self::Behind { .. } => "behind",
            Self::DriftReported => "drift-reported",
            Self::PruneOff => "prune-off",
            Self::BrokenSource => "broken-source",
            Self::Immutable { .. } => "immutable",
            Self::Rejected { .. } => "rejected",
            Self::Contested => "contested",
            Self::DeleteGuard { .. } => "delete-guard",
            Self::EmptySource => "empty-source",
            Self::UpdateGuard { .. } => "update-guard",
            Self::NotOnLegacy { .. } => "not-on-legacy",
        }
    }

    /// Whether a safety limit holds it (exit code 3).
    pub fn is_guard(&self) -> bool {
        matches!(self, Self::DeleteGuard { .. } | Self::EmptySource | Self::UpdateGuard { .. })
    }

    /// Whether something is wrong that somebody must mend (exit code 1), as
    /// against a choice that was made.
    pub fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::Unobserved { .. }
                | Self::Waiting { .. }
                | Self::Behind { .. }
                | Self::Immutable { .. }
                | Self::Rejected { .. }
                | Self::Contested
                | Self::NotOnLegacy { .. }
        )
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unobserved { why } => write!(f, "unobserved: {why}"),
            Self::Waiting { why } => write!(f, "tried again a little later: {why}"),
            Self::Behind { version, why } => {
                write!(f, "version {version} of the item goes first, and waits: {why}")
            }
            Self::DriftReported => f.write_str("drift is reported, not corrected (--drift=correct corrects it)"),
            Self::PruneOff => f.write_str("removed from the source, and pruning is off (--prune deletes it)"),
            Self::BrokenSource => {
                f.write_str("nothing is deleted while a file is broken: the item may be in that file")
            }
            Self::Immutable { next } => write!(
                f,
                "immutable: the resources and the type of a published version cannot change; publish {next} instead"
            ),
            Self::Rejected { why } => write!(f, "the marketplace rejected this before: {why}"),
            Self::Contested => {
                f.write_str("contested: corrected three times within an hour, somebody else writes this item too")
            }
            Self::DeleteGuard { wanted, allowed } => write!(
                f,
                "{wanted} deletions in all, and one commit may make {allowed} (--allow-deletes {wanted} or a line `Marketsync-Allow-Deletes: {wanted}` in the commit message allows them)"
            ),
            Self::EmptySource => f.write_str("the source holds no item; an empty source deletes nothing"),
            Self::UpdateGuard { wanted, allowed } => {
                write!(f, "{wanted} updates, and --max-updates allows {allowed}")
            }
            Self::NotOnLegacy { fields } => write!(
                f,
                "the API of a Console before 14.0 has no field {}; remove it, or upgrade the Console",
                fields.join(", ")
            ),
        }
    }
}

/// A change that is not made, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The change that would be made.
    pub change: Change,
    /// Why it is not.
    pub why: Hold,
}

/// What was done. The words are the marketplace's answer, not the plan's wish:
/// an update that finds nothing to update is a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verb {
    /// The marketplace inserted it.
    Created,
    /// The marketplace updated it.
    Updated,
    /// It was there already and is now recorded.
    Adopted,
    /// The marketplace no longer has it.
    Deleted,
    /// Its record was dropped.
    Forgotten,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "Created",
            Self::Updated => "Updated",
            Self::Adopted => "Adopted",
            Self::Deleted => "Deleted",
            Self::Forgotten => "Forgotten",
        })
    }
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// What was done.
    pub verb: Verb,
    /// The marketplace's id of this version, if it said one.
    pub object_id: Option<String>,
    /// The answer was lost, and a look showed that the change was made.
    pub read_back: bool,
    /// The marketplace said `done` with neither `inserted` nor `updated`.
    pub unchanged_there: bool,
    /// How long the request took that carried it.
    pub took: Duration,
}

/// How the reason of a failure begins if no request was made: another one had
/// shown that it would fail.
pub const NOT_ASKED: &str = "not asked: ";

/// A change that was not made. The item is at fault, or the way to it; the
/// rest of the pass goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// It may go next time: network, time-out, 408, 425, 429, 5xx, an answer
    /// that cannot be understood.
    Transient {
        /// What happened.
        why: String,
        /// How long the server asked to wait (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// The marketplace refuses this item as it is.
    Rejected {
        /// The marketplace's words.
        why: String,
        /// Where in the document, if it said so.
        pointer: Option<String>,
    },
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The change.
    pub change: Change,
    /// What became of it.
    pub result: Result<Applied, Failure>,
}

/// Something that happened in a pass, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The source was read.
    Loaded {
        /// What was read.
        commit: CommitId,
        /// How many valid items it holds.
        items: usize,
        /// How many problems stop an item.
        problems: usize,
        /// How many others deserve a look.
        warnings: usize,
    },
    /// A file is wrong, or deserves a look.
    Found(Problem),
    /// A change is not made.
    Held(Held),
    /// A change was made or was not. Sent after the ledger is safe.
    Settled {
        /// What became of it.
        outcome: Outcome,
        /// The commit that asked for it.
        commit: CommitId,
    },
    /// Something that a person should know, said once.
    Notice(String),
}

/// What a pass leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing that another try would change.
    Settled,
    /// Some items wait, each for its own time.
    Waiting {
        /// How long it is until the first of them is due.
        due: Duration,
    },
    /// Something may go next time, and nobody said when.
    Retry {
        /// How long the server asked to wait.
        after: Option<Duration>,
    },
}
