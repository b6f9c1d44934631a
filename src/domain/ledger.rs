//! What was last applied: the only state that marketsync owns. It moves only
//! in [`settle`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::event::{Change, Failure, Outcome, Reason, Verb};
use crate::domain::item::{BlobId, CommitId, Digest, Item, ItemKey, Lifecycle, RepoPath};

/// How many corrections of drift are remembered: enough to see three within
/// an hour.
pub const CORRECTIONS_KEPT: usize = 3;

/// How much of the name of an author is kept, in characters: any name fits,
/// and a name of a megabyte is none.
pub const AUTHOR_CHARS: usize = 100;

/// What was last applied of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What was sent or adopted.
    pub digest: Digest,
    /// Its `resources` and type.
    pub sealed_digest: Digest,
    /// Its lifecycle status; none in rows whose status is not known.
    pub lifecycle: Option<Lifecycle>,
    /// The marketplace's id of this version.
    pub object_id: Option<String>,
    /// The commit that asked for it.
    pub commit: CommitId,
    /// The file that held it in that commit.
    pub path: RepoPath,
    /// The bytes of that file.
    pub blob: BlobId,
    /// When it was settled.
    pub at: Timestamp,
    /// When drift was last corrected with this digest, oldest first.
    pub corrected: Vec<Timestamp>,
}

/// The marketplace refused an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// What was refused, and with what: see [`circumstances`].
    pub circumstances: Digest,
    /// The marketplace's words.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// What was last applied, and what was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// What was last applied.
    pub rows: BTreeMap<ItemKey, Row>,
    /// What was refused since.
    pub rejections: BTreeMap<ItemKey, Rejection>,
    /// What was about to be sent, and nobody knows what became of it: a
    /// process may die, and an answer may be lost. None for a deletion, and
    /// for more than one document.
    pub doubts: BTreeMap<ItemKey, Option<Digest>>,
}

impl Ledger {
    /// Whether the marketplace may have another document than the last that
    /// was recorded, and another than this one.
    pub fn is_in_doubt(&self, key: &ItemKey, wanted: &Digest) -> bool {
        self.doubts.get(key).is_some_and(|sent| sent.as_ref() != Some(wanted))
    }

    /// Whether this item is another than was last applied, as far as anybody
    /// knows.
    pub fn is_edited(&self, item: &Item) -> bool {
        let recorded = self.rows.get(&item.key);
        recorded.is_some_and(|row| {
            row.digest != item.digest || self.is_in_doubt(&item.key, &item.digest)
        })
    }
}

/// Notes what is about to be sent.
///
/// Without it, an edit that reached the marketplace and not the record would
/// stay there for ever when it is taken back before the next pass: the record
/// still agrees with the source then.
pub fn doubt(ledger: &mut Ledger, changes: &[Change]) {
    for change in changes.iter().filter(|change| change.action.is_write()) {
        let sent = change.wanted.as_ref().map(|item| item.digest);
        let known = ledger.doubts.entry(change.key.clone()).or_insert(sent);
        if *known != sent {
            *known = None;
        }
    }
}

/// What a rejection holds for: this item, with these schemas and this
/// credential. When one of them changes, the item is tried again.
pub fn circumstances(wanted: &Digest, setting: &Digest) -> Digest {
    let mut both = [0; 64];
    both[..32].copy_from_slice(wanted.as_bytes());
    both[32..].copy_from_slice(setting.as_bytes());
    Digest::of(&both)
}

/// Who settles, when, and under which circumstances.
#[derive(Debug, Clone)]
pub struct Settling {
    /// The commit of the pass.
    pub commit: CommitId,
    /// Who wrote that commit, where that is known: text of others, of one line
    /// and not longer than [`AUTHOR_CHARS`].
    pub author: Option<String>,
    /// The time of the pass.
    pub now: Timestamp,
    /// The digest of schemas and credential (see [`circumstances`]).
    pub setting: Digest,
}

/// Writes one outcome into the ledger.
pub fn settle(ledger: &mut Ledger, outcome: &Outcome, settling: &Settling) {
    let change = &outcome.change;
    match &outcome.result {
        Ok(applied) => {
            ledger.rejections.remove(&change.key);
            ledger.doubts.remove(&change.key);
            match (&change.wanted, applied.verb) {
                (Some(item), Verb::Created | Verb::Updated | Verb::Adopted) => {
                    let before = ledger.rows.remove(&change.key);
                    let row =
                        record(item, applied.object_id.clone(), before, change.reason, settling);
                    ledger.rows.insert(change.key.clone(), row);
                }
                _ => {
                    ledger.rows.remove(&change.key);
                }
            }
        }
        Err(Failure::Rejected { why, .. }) => {
            if let Some(item) = &change.wanted {
                if !ledger.is_in_doubt(&change.key, &item.digest) {
                    ledger.doubts.remove(&change.key);
                }
                let rejection = Rejection {
                    circumstances: circumstances(&item.digest, &settling.setting),
                    why: why.clone(),
                    at: settling.now,
                };
                ledger.rejections.insert(change.key.clone(), rejection);
            }
        }
        Err(Failure::Transient { .. }) => {}
    }
}

fn record(
    item: &Item,
    object_id: Option<String>,
    before: Option<Row>,
    reason: Reason,
    settling: &Settling,
) -> Row {
    let edited = before.as_ref().is_none_or(|row| row.digest != item.digest);
    let (known_id, mut corrected) =
        before.map(|row| (row.object_id, row.corrected)).unwrap_or_default();
    if edited {
        corrected.clear();
    } else if matches!(reason, Reason::Drifted | Reason::Missing) {
        corrected.push(settling.now);
        let surplus = corrected.len().saturating_sub(CORRECTIONS_KEPT);
        corrected.drain(..surplus);
    }
    Row {
        digest: item.digest,
        sealed_digest: item.sealed_digest,
        lifecycle: Some(item.lifecycle),
        object_id: object_id.or(known_id),
        commit: settling.commit.clone(),
        path: item.path.clone(),
        blob: item.blob,
        at: settling.now,
        corrected,
    }
}
