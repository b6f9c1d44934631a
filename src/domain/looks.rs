//! When each item was last looked at in the marketplace: what the search for
//! drift goes by.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use crate::domain::item::ItemKey;

/// The last look at each item, as far as this process knows. What was written
/// and answered counts as looked at.
#[derive(Debug, Clone, Default)]
pub struct Looks {
    at: BTreeMap<ItemKey, Timestamp>,
    /// Puts those that nobody looked at into another order in each process: a
    /// process that is restarted often would otherwise never come to the last.
    seed: u64,
}

impl Looks {
    /// Nothing was looked at. `seed` is any number that another process would
    /// not choose.
    pub fn new(seed: u64) -> Self {
        Self { at: BTreeMap::new(), seed }
    }

    fn place(&self, key: &ItemKey) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, key).hash(&mut hasher);
        hasher.finish()
    }

    /// Notes a look.
    pub fn note(&mut self, key: &ItemKey, at: Timestamp) {
        self.at.insert(key.clone(), at);
    }

    /// Forgets every item that nobody wants or records any more.
    pub fn retain(&mut self, mut is_known: impl FnMut(&ItemKey) -> bool) {
        self.at.retain(|key, _| is_known(key));
    }

    /// Whether the item was looked at at this time.
    pub fn is_of(&self, key: &ItemKey, at: Timestamp) -> bool {
        self.at.get(key) == Some(&at)
    }

    /// Whether the item was looked at then or later.
    pub fn is_seen_since(&self, key: &ItemKey, since: Timestamp) -> bool {
        self.at.get(key).is_some_and(|at| *at >= since)
    }

    /// Of `keys` those that nobody looked at since `since`: at most `most`, the
    /// longest unseen first.
    pub fn longest_unseen<'a>(
        &self,
        keys: impl Iterator<Item = &'a ItemKey>,
        since: Timestamp,
        most: usize,
    ) -> BTreeSet<ItemKey> {
        let mut unseen: Vec<_> = keys
            .map(|key| (self.at.get(key), key))
            .filter(|(at, _)| at.is_none_or(|at| *at < since))
            .map(|(at, key)| (at, self.place(key), key))
            .collect();
        if unseen.len() > most {
            unseen.select_nth_unstable(most);
            unseen.truncate(most);
        }
        unseen.into_iter().map(|(_, _, key)| key.clone()).collect()
    }

    /// The oldest last look at any of `keys`; none if one of them was never
    /// looked at, or if there are none.
    pub fn oldest<'a>(&self, mut keys: impl Iterator<Item = &'a ItemKey>) -> Option<Timestamp> {
        keys.try_fold(None, |oldest: Option<Timestamp>, key| {
            let at = *self.at.get(key)?;
            Some(Some(oldest.map_or(at, |oldest| oldest.min(at))))
        })
        .flatten()
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::Looks;
    use crate::domain::item::{ItemKey, Version};

    fn key(id: &str) -> ItemKey {
        ItemKey { item_id: id.parse().unwrap(), version: Version::Na }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    #[test]
    fn the_longest_unseen_come_first() {
        let keys = ["a", "b", "c", "d"].map(key);
        let mut looks = Looks::default();
        for (id, second) in [("a", 30), ("b", 10), ("c", 20)] {
            looks.note(&key(id), at(second));
        }
        let unseen = |since, most| {
            let found = looks.longest_unseen(keys.iter(), at(since), most);
            found.iter().map(|key| key.item_id.to_string()).collect::<String>()
        };
        assert_eq!(unseen(100, 1), "d", "never seen is longest unseen");
        assert_eq!(unseen(100, 3), "bcd");
        assert_eq!(unseen(100, 9), "abcd");
        assert_eq!(unseen(20, 9), "bd", "what was seen since then is done");
        assert_eq!(looks.oldest(keys.iter()), None, "one was never seen");
        assert_eq!(looks.oldest(keys[..3].iter()), Some(at(10)));
        looks.retain(|known| known.item_id != keys[1].item_id);
        assert!(!looks.is_of(&keys[1], at(10)) && looks.is_of(&keys[2], at(20)));
    }
}
