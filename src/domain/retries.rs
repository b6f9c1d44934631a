//! Items that failed for a passing reason, and when each is tried again.
//!
//! An item waits alone: the others go on. It stops waiting as soon as the
//! source wants something else of it, so that the try of an older commit never
//! keeps a newer one waiting (`practice.md` §4, superseding).

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::item::{Digest, ItemKey};

/// An item that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// What was wanted when it failed; none if it was to go.
    pub wanted: Option<Digest>,
    /// How often it failed, one time after the other.
    pub tries: u32,
    /// How many of these it was sent in vain, as against not looked at.
    pub sent: u32,
    /// When it is tried again.
    pub due: Timestamp,
    /// Why it failed last.
    pub why: String,
}

/// Every item that failed and has not gone since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retries {
    by_key: BTreeMap<ItemKey, Retry>,
}

/// One more failure of an item.
#[derive(Debug, Clone)]
pub struct Failed {
    /// What was wanted; none if it was to go.
    pub wanted: Option<Digest>,
    /// Whether it was sent, as against not looked at.
    pub was_sent: bool,
    /// Why.
    pub why: String,
}

impl Retries {
    /// Counts a failure. `due` says, for the number of failures in a row, when
    /// the item is tried again.
    pub fn failed(&mut self, key: &ItemKey, failed: Failed, due: impl FnOnce(u32) -> Timestamp) {
        let Failed { wanted, was_sent, why } = failed;
        // Another document starts anew.
        let before = self.by_key.get(key).filter(|retry| retry.wanted == wanted);
        let tries = before.map_or(0, |retry| retry.tries).saturating_add(1);
        let sent = before.map_or(0, |retry| retry.sent).saturating_add(u32::from(was_sent));
        self.by_key.insert(key.clone(), Retry { wanted, tries, sent, due: due(tries), why });
    }

    /// Forgets an item that went, or that is not to be tried any more.
    pub fn settled(&mut self, key: &ItemKey) {
        self.by_key.remove(key);
    }

    /// Keeps only those that are still to be tried.
    pub fn retain(&mut self, mut is_open: impl FnMut(&ItemKey, &Retry) -> bool) {
        self.by_key.retain(|key, retry| is_open(key, retry));
    }

    /// Makes every item due: the clock by which they wait was set.
    pub fn hasten(&mut self, now: Timestamp) {
        self.by_key.values_mut().for_each(|retry| retry.due = now);
    }

    /// The items that are due at `now`, in order.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = &ItemKey> {
        self.by_key.iter().filter(move |(_, retry)| retry.due <= now).map(|(key, _)| key)
    }

    /// What is known of an item that failed.
    pub fn get(&self, key: &ItemKey) -> Option<&Retry> {
        self.by_key.get(key)
    }

    /// How often each item was sent in vain.
    pub fn sent_in_vain(&self) -> BTreeMap<ItemKey, u32> {
        self.by_key.iter().map(|(key, retry)| (key.clone(), retry.sent)).collect()
    }

    /// Every item that failed, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ItemKey, &Retry)> {
        self.by_key.iter()
    }

    /// The item's entry, if it has to wait at `now` and still wants the same.
    pub fn waiting(
        &self,
        key: &ItemKey,
        wanted: Option<&Digest>,
        now: Timestamp,
    ) -> Option<&Retry> {
        self.by_key.get(key).filter(|retry| retry.wanted.as_ref() == wanted && retry.due > now)
    }

    /// When the next item is due; none if none waits.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.by_key.values().map(|retry| retry.due).min()
    }

    /// How many items failed and have not gone since.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::{Failed, Retries};
    use crate::domain::item::{Digest, ItemKey, Version};

    fn key() -> ItemKey {
        ItemKey { item_id: "a".parse().unwrap(), version: Version::Na }
    }

    fn failed(digest: Digest, was_sent: bool) -> Failed {
        Failed { wanted: Some(digest), was_sent, why: "503".into() }
    }

    #[test]
    fn an_item_waits_until_it_is_due_or_wants_something_else() {
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let now = Timestamp::UNIX_EPOCH;
        let at = |tries: u32| now + SignedDuration::from_secs(i64::from(tries));
        let mut retries = Retries::default();
        retries.failed(&key(), failed(old, true), at);
        retries.failed(&key(), failed(old, false), at);
        assert_eq!(retries.get(&key()).map(|retry| (retry.tries, retry.sent)), Some((2, 1)));
        assert_eq!(retries.next_due(), Some(at(2)));
        assert!(retries.waiting(&key(), Some(&old), at(1)).is_some());
        assert!(retries.waiting(&key(), Some(&old), at(2)).is_none(), "it is due");
        assert!(retries.waiting(&key(), Some(&new), at(1)).is_none(), "another document");
        assert!(retries.waiting(&key(), None, at(1)).is_none(), "it is to go");

        retries.failed(&key(), failed(new, true), at);
        assert_eq!(retries.get(&key()).map(|retry| retry.tries), Some(1), "it starts anew");
        retries.settled(&key());
        assert!(retries.is_empty());
    }
}
