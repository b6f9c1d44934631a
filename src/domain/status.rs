//! What is known of every item: what was last applied, and what became of the
//! last try.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::event::Verb;
use crate::domain::item::{CommitId, Digest, ItemKey, RepoPath};
use crate::domain::ledger::Ledger;

/// What became of the last try of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum LastResult {
    /// It went.
    Done {
        /// What was done.
        verb: Verb,
    },
    /// It did not go, and may another time.
    Failed {
        /// Why.
        why: String,
    },
    /// The marketplace refused it.
    Rejected {
        /// Why.
        why: String,
    },
}

/// The last try of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastTry {
    /// The time of the pass.
    pub at: Timestamp,
    /// The commit that asked for it.
    pub commit: CommitId,
    /// What became of it.
    pub result: LastResult,
}

/// One item, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemStatus {
    /// What is recorded; none if nothing ever went.
    pub digest: Option<Digest>,
    /// The marketplace's id of this version.
    pub object_id: Option<String>,
    /// The file that held it.
    pub path: Option<RepoPath>,
    /// The commit of the last try.
    pub commit: CommitId,
    /// When.
    pub at: Timestamp,
    /// What became of it.
    #[serde(flatten)]
    pub last: LastResult,
}

/// Every item that is recorded or was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// By key.
    pub items: BTreeMap<ItemKey, ItemStatus>,
}

impl Status {
    /// What ledger and history know. Items that left the ledger are not shown:
    /// they are no longer ours.
    ///
    /// A failure stands as long as its commit is the one that was read last: a
    /// later pass would have tried again, unless nobody wants the item any
    /// more.
    pub fn of(
        ledger: &Ledger,
        tries: &BTreeMap<ItemKey, LastTry>,
        last_commit: Option<&CommitId>,
    ) -> Self {
        let mut items = BTreeMap::new();
        for (key, row) in &ledger.rows {
            let status = ItemStatus {
                digest: Some(row.digest),
                object_id: row.object_id.clone(),
                path: Some(row.path.clone()),
                commit: row.commit.clone(),
                at: row.at,
                last: LastResult::Done { verb: Verb::Adopted },
            };
            items.insert(key.clone(), status);
        }
        for (key, last) in tries {
            let recorded = items.get(key);
            let is_done = matches!(last.result, LastResult::Done { .. });
            if !is_done && last_commit != Some(&last.commit) {
                continue;
            }
            if recorded.is_none() && is_done {
                continue;
            }
            let status = ItemStatus {
                digest: recorded.and_then(|status| status.digest),
                object_id: recorded.and_then(|status| status.object_id.clone()),
                path: recorded.and_then(|status| status.path.clone()),
                commit: last.commit.clone(),
                at: last.at,
                last: last.result.clone(),
            };
            items.insert(key.clone(), status);
        }
        Self { items }
    }

    /// Whether every last try went.
    pub fn is_good(&self) -> bool {
        self.items.values().all(|item| matches!(item.last, LastResult::Done { .. }))
    }
}
