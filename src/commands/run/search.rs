//! The search for drift: every recorded item is looked at once, the longest
//! unseen first, a part at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::item::ItemKey;
use crate::domain::ledger::Ledger;
use crate::domain::looks::Looks;

/// How many seconds a part of the search may take. Between two parts what
/// failed and what moved has its turn; what moves cuts a part short.
const PART_SECONDS: u32 = 5;

/// The same as a length of time.
pub(super) const PART: Duration = Duration::from_secs(PART_SECONDS as u64);

/// Whether a part of the search came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// It did.
    No,
    /// Something moved meanwhile.
    Hurried,
    /// It took too long.
    Late,
}

/// A search under way.
pub(super) struct Search {
    since: Timestamp,
    /// What was chosen already; each is looked at once, also if the look fails.
    chosen: BTreeSet<ItemKey>,
}

impl Search {
    pub(super) fn begin(since: Timestamp) -> Self {
        Self { since, chosen: BTreeSet::new() }
    }

    /// The next part, at `rate` looks a second.
    pub(super) fn choose(
        &mut self,
        ledger: &Ledger,
        looks: &Looks,
        rate: u32,
    ) -> BTreeSet<ItemKey> {
        let most = rate.saturating_mul(PART_SECONDS) as usize;
        let chosen = self.left(ledger, looks, most);
        self.chosen.extend(chosen.iter().cloned());
        chosen
    }

    /// Whether there is more, after a part at `now`.
    pub(super) fn goes_on(
        &mut self,
        ledger: &Ledger,
        looks: &Looks,
        now: Timestamp,
        cut: Cut,
    ) -> bool {
        // If no look of a part went, the others would not go either.
        let looked = self.chosen.iter().any(|key| looks.is_of(key, now));
        if cut != Cut::No {
            // What was not looked at for lack of time is chosen again.
            self.chosen.retain(|key| looks.is_seen_since(key, self.since));
        }
        (looked || cut == Cut::Hurried) && !self.left(ledger, looks, 1).is_empty()
    }

    fn left(&self, ledger: &Ledger, looks: &Looks, most: usize) -> BTreeSet<ItemKey> {
        let keys = ledger.rows.keys().filter(|key| !self.chosen.contains(*key));
        looks.longest_unseen(keys, self.since, most)
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Cut, Search};
    use crate::domain::item::{BlobId, CommitId, Digest, ItemKey, RepoPath, Version};
    use crate::domain::ledger::{Ledger, Row};
    use crate::domain::looks::Looks;

    fn key(id: u32) -> ItemKey {
        ItemKey { item_id: format!("item-{id}").parse().unwrap(), version: Version::Na }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn ledger(items: u32) -> Ledger {
        let row = Row {
            digest: Digest::of(b"a"),
            sealed_digest: Digest::of(b"a"),
            lifecycle: None,
            object_id: None,
            commit: CommitId("c0".to_owned()),
            path: RepoPath::new("a.json").unwrap(),
            blob: BlobId([1; 20]),
            at: at(0),
            corrected: Vec::new(),
        };
        let rows = (0..items).map(|id| (key(id), row.clone())).collect();
        Ledger { rows, ..Ledger::default() }
    }

    #[test]
    fn each_item_is_looked_at_once_also_if_that_fails() {
        let (ledger, mut looks) = (ledger(12), Looks::new(1));
        let mut search = Search::begin(at(100));
        let first = search.choose(&ledger, &looks, 1);
        assert_eq!(first.len(), 5, "one a second, for five seconds");
        // One look goes, the others fail.
        looks.note(first.first().unwrap(), at(101));
        assert!(search.goes_on(&ledger, &looks, at(101), Cut::No));
        let second = search.choose(&ledger, &looks, 1);
        assert!(first.is_disjoint(&second), "{first:?} {second:?}");
        for key in &second {
            looks.note(key, at(106));
        }
        assert!(search.goes_on(&ledger, &looks, at(106), Cut::No));
        assert_eq!(search.choose(&ledger, &looks, 1).len(), 2);
        // No look of this part went: the rest would not go either.
        assert!(!search.goes_on(&ledger, &looks, at(111), Cut::No));
    }

    #[test]
    fn what_haste_left_out_is_chosen_again() {
        let (ledger, looks) = (ledger(3), Looks::new(1));
        let mut search = Search::begin(at(100));
        let first = search.choose(&ledger, &looks, 1);
        assert!(search.goes_on(&ledger, &looks, at(101), Cut::Hurried));
        assert_eq!(search.choose(&ledger, &looks, 1), first);
        // What takes too long and brings nothing is not begun again at once.
        assert!(!search.goes_on(&ledger, &looks, at(106), Cut::Late));
    }
}
