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
