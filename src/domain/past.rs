//! What was done to one item: the trail from a commit to its outcome.

use jiff::Timestamp;

use crate::domain::event::{Action, Reason};
use crate::domain::item::{CommitId, Digest, ItemId, ItemKey, Version};
use crate::domain::status::{LastResult, LastTry};

/// One change that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Which item.
    pub key: ItemKey,
    /// The time of the pass.
    pub at: Timestamp,
    /// The commit that asked for it.
    pub commit: CommitId,
    /// Who wrote that commit, in their own words; none if it was no commit, or
    /// if nobody wrote it down.
    pub author: Option<String>,
    /// What was to be done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// What became of it.
    pub result: LastResult,
    /// The marketplace's id of the version, if known.
    pub object_id: Option<String>,
    /// What was recorded before.
    pub from: Option<Digest>,
    /// What was wanted; none if it was to go.
    pub to: Option<Digest>,
    /// JSON pointers of fields that differed, at most 100.
    pub fields: Vec<String>,
}

impl From<Past> for LastTry {
    fn from(past: Past) -> Self {
        Self { at: past.at, commit: past.commit, result: past.result }
    }
}

/// What was done to one item, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// The item.
    pub item_id: ItemId,
    /// The one version that was asked for; none: all of them.
    pub version: Option<Version>,
    /// What was tried, the newest first.
    pub changes: Vec<Past>,
    /// How many older changes are kept and not among them.
    pub older: usize,
}
