//! Which items go together in one request, and which request may start. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::canon::Generation;
use crate::domain::item::{ItemId, ItemKey};

use super::wire::EMPTY_ENVELOPE;

/// The most items of one request (`practice.md` §4): one request of everything
/// loses everything.
pub const MAX_BATCH_ITEMS: usize = 50;

/// The longest body of one request in bytes; a single item may be longer.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// How many batches are tried for an item before the oldest is closed. It
/// bounds the work of packing many large items.
const MAX_OPEN: usize = 64;

/// An item as packing sees it.
#[derive(Debug, Clone)]
pub struct Weight<'a> {
    /// Which item.
    pub key: &'a ItemKey,
    /// The length of its document in bytes.
    pub bytes: usize,
    /// How often it was sent in vain before. It shares a request with at most
    /// `50 >> tries` items of as many tries, so that an item that makes the
    /// server fail is soon alone.
    pub tries: u32,
}

struct Bin {
    members: Vec<usize>,
    bytes: usize,
    room: usize,
    tries: u32,
}

/// Groups items into requests: at most 50 and 1 MiB each, and few requests
/// (first fit). Returns indices of `weights`.
///
/// Versions of one item are in ascending order, within a batch and over the
/// batches. On the legacy API they never share a batch, because its answer
/// names no version (`marketplace-api.md` §3.4). What was never tried goes
/// first.
pub fn pack(weights: &[Weight<'_>], generation: Generation) -> Vec<Vec<usize>> {
    let mut bins: Vec<Bin> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut last: BTreeMap<&ItemId, usize> = BTreeMap::new();
    for (index, tries) in sequence(weights) {
        let weight = &weights[index];
        let cost = weight.bytes.saturating_add(1);
        let earliest = last.get(&weight.key.item_id).map_or(0, |bin| match generation {
            Generation::New => *bin,
            Generation::Legacy => bin + 1,
        });
        let fits =
            |bin: &Bin| bin.tries == tries && bin.bytes.saturating_add(cost) <= MAX_BATCH_BYTES;
        let found =
            open.iter().copied().find(|bin| *bin >= earliest && bins.get(*bin).is_some_and(fits));
        let chosen = found.unwrap_or_else(|| {
            let room = (MAX_BATCH_ITEMS >> tries.min(usize::BITS - 1)).max(1);
            bins.push(Bin { members: Vec::new(), bytes: EMPTY_ENVELOPE, room, tries });
            if open.len() == MAX_OPEN {
                open.remove(0);
            }
            open.push(bins.len() - 1);
            bins.len() - 1
        });
        let bin = &mut bins[chosen];
        bin.members.push(index);
        bin.bytes = bin.bytes.saturating_add(cost);
        if bin.members.len() == bin.room {
            open.retain(|bin| *bin != chosen);
        }
        last.insert(&weight.key.item_id, chosen);
    }
    bins.into_iter().map(|bin| bin.members).collect()
}

/// The order of packing, with the tries that count: those of an item are at
/// least those of its lower versions, so that it does not overtake them.
fn sequence(weights: &[Weight<'_>]) -> Vec<(usize, u32)> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|index| weights[*index].key);
    let mut before: Option<(&ItemId, u32)> = None;
    let mut counted: Vec<(usize, u32)> = Vec::with_capacity(order.len());
    for index in order {
        let weight = &weights[index];
        let lower = before
            .filter(|(item_id, _)| *item_id == &weight.key.item_id)
            .map_or(0, |(_, tries)| tries);
        let tries = weight.tries.max(lower);
        before = Some((&weight.key.item_id, tries));
        counted.push((index, tries));
    }
    counted.sort_by_key(|(_, tries)| *tries);
    counted
}

/// The first of the waiting groups that may start: none of its items is busy,
/// nor in a group that waits before it.
pub fn startable<'a>(
    waiting: impl Iterator<Item = &'a BTreeSet<ItemId>>,
    busy: &BTreeSet<ItemId>,
) -> Option<usize> {
    let mut before: BTreeSet<&ItemId> = busy.iter().collect();
    for (index, group) in waiting.enumerate() {
        if group.iter().all(|item_id| !before.contains(item_id)) {
            return Some(index);
        }
        before.extend(group);
    }
    None
}
