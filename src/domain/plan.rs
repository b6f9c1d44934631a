//! The decision table, and the limits that a plan must keep.
//!
//! Planning is pure and total: the same snapshot, ledger, looks and policy
//! give the same plan, byte for byte. What is held is part of the plan and
//! says why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::canon::Generation;
use crate::domain::catalog::Snapshot;
use crate::domain::event::{Action, Change, Held, Hold, Reason};
use crate::domain::item::{Digest, Item, ItemId, ItemKey, Version};
use crate::domain::ledger::{CORRECTIONS_KEPT, Ledger, Row, circumstances};
use crate::domain::mask::masked_text;
use crate::domain::rules;

/// What a look at the marketplace showed of one item.
///
/// It holds the result of the comparison and not the document, so that a pass
/// over every item needs no memory in proportion to them
/// (`docs/decisions/0002-looks-not-documents.md`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Look {
    /// Nobody looked.
    #[default]
    NotTaken,
    /// Somebody looked and could not see. That is not "absent".
    Failed {
        /// What went wrong.
        why: String,
    },
    /// The marketplace says that it has no such version.
    Absent,
    /// It is there, as the source wants it.
    Agrees {
        /// The marketplace's id, if it said one.
        object_id: Option<String>,
    },
    /// It is there in another state. An item that the source no longer wants
    /// differs, whatever it holds.
    Differs {
        /// The marketplace's id, if it said one.
        object_id: Option<String>,
        /// JSON pointers of the fields that differ.
        fields: Vec<String>,
    },
}

/// Every look of a pass.
pub type Live = BTreeMap<ItemKey, Look>;

/// Which keys a pass looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The wanted keys that the ledger lacks. If there are none, no request.
    New,
    /// These as well, if they are wanted or recorded: a part of the search for
    /// drift.
    Also(BTreeSet<ItemKey>),
    /// Every wanted or recorded key.
    All,
}

/// The keys that a pass of this scope must look at, in order.
pub fn in_scope(scope: &Scope, snapshot: &Snapshot, ledger: &Ledger) -> BTreeSet<ItemKey> {
    let wanted = snapshot.items.keys();
    match scope {
        Scope::New | Scope::Also(_) => {
            wanted.filter(|key| !ledger.rows.contains_key(key)).cloned().collect()
        }
        Scope::All => wanted.chain(ledger.rows.keys()).cloned().collect(),
    }
}

/// What is allowed to follow from the table.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether drift is put right, or only reported.
    pub correct_drift: bool,
    /// Whether items that left the source leave the marketplace.
    pub prune: bool,
    /// Whether an item that was rejected is tried again at once. If not, it
    /// is tried again after [`REJECTED_AGAIN_AFTER`] or when its circumstances
    /// change.
    pub retry_rejected: bool,
    /// The digest of schemas and credential, part of those circumstances.
    pub setting: Digest,
    /// The items that failed for a passing reason and are not due yet, and why
    /// they failed.
    pub waiting: BTreeMap<ItemKey, String>,
    /// The time of the pass.
    pub now: Timestamp,
}

/// A rejected item is tried again after this time, because the marketplace may
/// have changed its mind (`practice.md` §4).
pub const REJECTED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Three corrections within this time make an item contested.
pub const CONTEST_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What to do, and what not to do and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The changes to make, in the order of their keys.
    pub changes: Vec<Change>,
    /// The changes not to make.
    pub held: Vec<Held>,
    /// How many items need nothing.
    pub unchanged: usize,
    /// How many of those were to be looked at and could not be: whether they
    /// drifted, nobody knows.
    #[serde(default)]
    pub unseen: usize,
}

impl Plan {
    /// Whether the marketplace would be asked to change anything.
    pub fn has_writes(&self) -> bool {
        self.changes.iter().any(|change| change.action.is_write())
    }
}

/// The decision table of `docs/architecture.md`: first match wins.
#[expect(clippy::match_same_arms, reason = "one arm for each row of the table")]
fn decide(
    wanted: Option<&Item>,
    recorded: Option<&Row>,
    look: &Look,
    ledger: &Ledger,
) -> Option<(Action, Reason)> {
    use {Action as A, Look as L, Reason as R};
    // What agrees on the fields that a file states may still have a field of
    // the other document.
    let doubted = |item: &Item| ledger.is_in_doubt(&item.key, &item.digest);
    match (wanted, recorded, look) {
        (Some(_), None, L::NotTaken | L::Failed { .. }) => Some((A::Create, R::Unobserved)),
        (Some(_), None, L::Absent) => Some((A::Create, R::New)),
        (Some(item), None, L::Agrees { .. }) if doubted(item) => Some((A::Update, R::Differs)),
        (Some(_), None, L::Agrees { .. }) => Some((A::Adopt, R::AlreadyThere)),
        (Some(_), None, L::Differs { .. }) => Some((A::Update, R::Differs)),
        (Some(_), Some(_), L::Absent) => Some((A::Create, R::Missing)),
        (Some(item), Some(_), _) if ledger.is_edited(item) => Some((A::Update, R::Edited)),
        (Some(_), Some(_), L::Differs { .. }) => Some((A::Update, R::Drifted)),
        (Some(_), Some(_), L::Agrees { .. } | L::NotTaken | L::Failed { .. }) => None,
        (None, Some(_), L::Absent) => Some((A::Forget, R::Gone)),
        (None, Some(_), _) => Some((A::Delete, R::Removed)),
        (None, None, _) => None,
    }
}

/// What a change rests on, for the rules that may hold it.
struct Case<'a> {
    change: &'a Change,
    recorded: Option<&'a Row>,
    look: &'a Look,
    ledger: &'a Ledger,
    snapshot: &'a Snapshot,
}

/// Why the policy does not make this change, if it does not.
fn hold(case: &Case<'_>, policy: &Policy) -> Option<Hold> {
    let edited = case.change.wanted.as_ref().is_some_and(|item| case.ledger.is_edited(item));
    let is_try = case.change.action.is_write() || case.change.reason == Reason::Unobserved;
    if let Some(why) = policy.waiting.get(&case.change.key).filter(|_| is_try) {
        return Some(Hold::Waiting { why: why.clone() });
    }
    match (case.change.reason, case.look) {
        (Reason::Unobserved, Look::Failed { why }) => {
            return Some(Hold::Unobserved { why: why.clone() });
        }
        (Reason::Unobserved, _) => {
            return Some(Hold::Unobserved { why: "nobody looked".to_owned() });
        }
        (Reason::Drifted | Reason::Missing, _) if !edited && !policy.correct_drift => {
            return Some(Hold::DriftReported);
        }
        // Whether it was removed at all, nobody knows then.
        (Reason::Removed | Reason::Gone, _) if case.snapshot.is_broken() => {
            return Some(Hold::BrokenSource);
        }
        (Reason::Removed, _) if !policy.prune => return Some(Hold::PruneOff),
        _ => {}
    }
    let item = case.change.wanted.as_deref()?;
    if let Some(row) = case.recorded {
        let versions = case.snapshot.versions_of(&item.key.item_id);
        if let Some(next) = rules::sealed(item, row.sealed_digest, row.lifecycle, versions) {
            return Some(Hold::Immutable { next });
        }
        if matches!(case.change.reason, Reason::Drifted | Reason::Missing)
            && !edited
            && is_contested(row)
        {
            return Some(Hold::Contested);
        }
    }
    if !case.change.action.is_write() {
        return None;
    }
    let rejection = case.ledger.rejections.get(&item.key)?;
    let still_stands = rejection.circumstances == circumstances(&item.digest, &policy.setting)
        // A time to come is one of a clock that was set back since.
        && policy.now.duration_since(rejection.at).abs() < REJECTED_AGAIN_AFTER;
    (still_stands && !policy.retry_rejected).then(|| Hold::Rejected { why: rejection.why.clone() })
}

/// Whether the last corrections of this file came too close to each other. It
/// stays so until the file changes: a held item is not corrected again.
fn is_contested(row: &Row) -> bool {
    let (Some(first), Some(last)) = (row.corrected.first(), row.corrected.last()) else {
        return false;
    };
    // Times of a clock that was set back meanwhile do not follow each other.
    row.corrected.len() >= CORRECTIONS_KEPT && last.duration_since(*first).abs() < CONTEST_WINDOW
}

/// What to do about every item that is wanted or recorded.
pub fn plan(snapshot: &Snapshot, ledger: &Ledger, live: &Live, policy: &Policy) -> Plan {
    let mut plan = Plan::default();
    for key in in_scope(&Scope::All, snapshot, ledger) {
        let wanted = snapshot.items.get(&key);
        let recorded = ledger.rows.get(&key);
        let look = live.get(&key).unwrap_or(&Look::NotTaken);
        let Some((action, reason)) = decide(wanted.map(AsRef::as_ref), recorded, look, ledger)
        else {
            plan.unchanged += 1;
            plan.unseen += usize::from(matches!(look, Look::Failed { .. }));
            continue;
        };
        let (seen_id, fields) = match look {
            Look::Agrees { object_id } => (object_id.clone(), Vec::new()),
            Look::Differs { object_id, fields } => (object_id.clone(), fields.clone()),
            Look::NotTaken | Look::Failed { .. } | Look::Absent => (None, Vec::new()),
        };
        let change = Change {
            action,
            reason,
            wanted: wanted.cloned(),
            from: recorded.map(|row| row.digest),
            fields,
            object_id: seen_id.or_else(|| recorded.and_then(|row| row.object_id.clone())),
            key,
        };
        let case = Case { change: &change, recorded, look, ledger, snapshot };
        match hold(&case, policy) {
            Some(why) => plan.held.push(Held { change, why }),
            None => plan.changes.push(change),
        }
    }
    hold_those_behind(&mut plan);
    plan
}

/// Versions of one item go in ascending order: a new one above a version that
/// has to wait waits for it.
fn hold_those_behind(plan: &mut Plan) {
    let mut first: BTreeMap<ItemId, (Version, String)> = BTreeMap::new();
    for Held { change, why } in &plan.held {
        if let (Some(_), Hold::Waiting { why } | Hold::Unobserved { why }) = (&change.wanted, why) {
            let ItemKey { item_id, version } = change.key.clone();
            first.entry(item_id).or_insert_with(|| (version, why.clone()));
        }
    }
    let is_behind = |change: &mut Change| {
        change.wanted.is_some()
            && change.from.is_none()
            && change.action.is_write()
            && first.get(&change.key.item_id).is_some_and(|(lower, _)| *lower < change.key.version)
    };
    for change in plan.changes.extract_if(.., is_behind) {
        if let Some((version, why)) = first.get(&change.key.item_id).cloned() {
            plan.held.push(Held { change, why: Hold::Behind { version, why } });
        }
    }
    plan.held.sort_by(|a, b| a.change.key.cmp(&b.change.key));
}

/// What one pass may do at most. What is over a limit is held, with numbers.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// How many deletions this commit may still make; see [`deletes_allowed`].
    pub deletes: usize,
    /// How many deletions it has made.
    pub deleted: usize,
    /// Whether the source holds no item: then nothing is deleted.
    pub empty_source: bool,
    /// The most updates of one pass, if limited.
    pub updates: Option<usize>,
    /// The API that the changes would go to, where that is known.
    pub generation: Option<Generation>,
}

/// The most deletions of one commit that nobody has to allow: a tenth of what
/// is recorded, at least one and never more than ten (`practice.md` §4).
pub fn deletes_allowed(recorded: usize) -> usize {
    const NEVER_MORE_THAN: usize = 10;
    (recorded / 10).clamp(1, NEVER_MORE_THAN)
}

/// How many deletions the message of a commit allows in all: its last
/// paragraph holds the line `Marketsync-Allow-Deletes: N`, as git writes
/// trailers (`practice.md` §4). The last such line counts; one that holds no
/// number allows nothing beyond the usual.
pub fn deletes_allowed_by(message: &str) -> Option<usize> {
    const TRAILER: &str = "marketsync-allow-deletes";
    let last = message.trim_end().rsplit("\n\n").next()?;
    last.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case(TRAILER))
        .filter_map(|(_, count)| count.trim().parse().ok())
        .next_back()
}

/// Moves what a limit forbids to `held`. A guard holds all changes of its kind
/// or none: which of them are right, a person must say.
#[must_use]
pub fn check(plan: Plan, limits: &Limits) -> Plan {
    let count = |action| plan.changes.iter().filter(|change| change.action == action).count();
    let deletes = count(Action::Delete);
    let updates = count(Action::Update);
    let allowed_updates = limits.updates.unwrap_or(usize::MAX);
    let verdict = |change: &Change| match change.action {
        Action::Delete if limits.empty_source => Some(Hold::EmptySource),
        Action::Delete if deletes > limits.deletes => {
            let done = limits.deleted;
            Some(Hold::DeleteGuard { wanted: deletes + done, allowed: limits.deletes + done })
        }
        Action::Update if updates > allowed_updates => {
            Some(Hold::UpdateGuard { wanted: updates, allowed: allowed_updates })
        }
        Action::Create | Action::Update if limits.generation == Some(Generation::Legacy) => {
            let fields: Vec<String> = change
                .wanted
                .iter()
                .flat_map(|item| &item.not_on_legacy)
                .map(|field| masked_text(field))
                .collect();
            (!fields.is_empty()).then_some(Hold::NotOnLegacy { fields })
        }
        _ => None,
    };
    let Plan { changes, held, unchanged, unseen } = plan;
    let mut checked = Plan { changes: Vec::new(), held, unchanged, unseen };
    for change in changes {
        match verdict(&change) {
            Some(why) => checked.held.push(Held { change, why }),
            None => checked.changes.push(change),
        }
    }
    checked.held.sort_by(|a, b| a.change.key.cmp(&b.change.key));
    checked
}

#[cfg(test)]
mod tests {
    use super::deletes_allowed_by;

    #[test]
    fn a_commit_says_how_many_deletions_it_allows() {
        let of = deletes_allowed_by;
        assert_eq!(of("Three go\n\nMarketsync-Allow-Deletes: 3\n"), Some(3));
        let among = "Go\n\nWords.\n\nmarketsync-allow-deletes:12\nSigned-off-by: Ada\n";
        assert_eq!(of(among), Some(12));
        let twice = "Go\n\nMarketsync-Allow-Deletes: 3\nMarketsync-Allow-Deletes: 4";
        assert_eq!(of(twice), Some(4));
        // Only a trailer counts, and only a number.
        assert_eq!(of("Go\n\nMarketsync-Allow-Deletes: 3\n\nMore words"), None);
        assert_eq!(of("Go\n\nMarketsync-Allow-Deletes: all"), None);
        assert_eq!(of(""), None);
    }
}
