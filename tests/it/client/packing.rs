use std::collections::{BTreeMap, BTreeSet};

use marketsync::domain::canon::Generation;
use marketsync::domain::item::{ItemId, ItemKey};
use marketsync::edge::marketplace::pack::{
    MAX_BATCH_BYTES, MAX_BATCH_ITEMS, Weight, pack, startable,
};
use marketsync::edge::marketplace::wire::EMPTY_ENVELOPE;
use proptest::collection::btree_map;
use proptest::prelude::*;

fn key(item: u8, version: u8) -> ItemKey {
    let version = if version == 0 { "NA".to_owned() } else { format!("{version}.0.0") };
    ItemKey { item_id: format!("item-{item}").parse().unwrap(), version: version.parse().unwrap() }
}

fn items() -> impl Strategy<Value = BTreeMap<(u8, u8), (usize, u32)>> {
    let bytes = prop_oneof![5 => 100_usize..8_000, 1 => 8_000_usize..700_000, 1 => 1_000_000_usize..1_200_000];
    let tries = prop_oneof![4 => Just(0_u32), 1 => 0_u32..9, 1 => Just(u32::MAX)];
    btree_map((0_u8..60, 0_u8..6), (bytes, tries), 0..250)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_item_goes_once_in_order_and_within_the_limits(items in items(), legacy: bool, turn in 0_usize..250) {
        let generation = if legacy { Generation::Legacy } else { Generation::New };
        let keys: Vec<ItemKey> = items.keys().map(|(item, version)| key(*item, *version)).collect();
        let mut weights: Vec<Weight<'_>> = keys
            .iter()
            .zip(items.values())
            .map(|(key, (bytes, tries))| Weight { key, bytes: *bytes, tries: *tries })
            .collect();
        let length = weights.len().max(1);
        weights.rotate_left(turn % length);
        let batches = pack(&weights, generation);
        let mut sent: Vec<usize> = batches.iter().flatten().copied().collect();
        let mut reached: BTreeMap<&ItemId, &ItemKey> = BTreeMap::new();
        for batch in &batches {
            prop_assert!(!batch.is_empty() && batch.len() <= MAX_BATCH_ITEMS);
            let bytes: usize = batch.iter().map(|index| weights[*index].bytes + 1).sum();
            prop_assert!(batch.len() == 1 || bytes + EMPTY_ENVELOPE <= MAX_BATCH_BYTES);
            let mut here = BTreeSet::new();
            for index in batch {
                let weight = &weights[*index];
                prop_assert!(batch.len() <= (MAX_BATCH_ITEMS >> weight.tries.min(63)).max(1));
                let before = reached.insert(&weight.key.item_id, weight.key);
                prop_assert!(before.is_none_or(|before| before < weight.key));
                prop_assert!(here.insert(&weight.key.item_id) || !legacy);
            }
        }
        sent.sort_unstable();
        prop_assert_eq!(sent, (0..weights.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_group_starts_only_when_nothing_before_it_shares_an_item(
        groups in proptest::collection::vec(proptest::collection::btree_set(0_u8..8, 1..4), 0..12),
        busy in proptest::collection::btree_set(0_u8..8, 0..4),
    ) {
        let id = |n: &u8| key(*n, 0).item_id;
        let waiting: Vec<BTreeSet<ItemId>> = groups.iter().map(|group| group.iter().map(id).collect()).collect();
        let busy: BTreeSet<ItemId> = busy.iter().map(id).collect();
        let free = |index: usize| {
            let before = waiting[..index].iter().chain([&busy]);
            before.flatten().all(|item_id| !waiting[index].contains(item_id))
        };
        let expected = (0..waiting.len()).find(|index| free(*index));
        prop_assert_eq!(startable(waiting.iter(), &busy), expected);
    }
}

#[test]
fn the_number_of_requests_is_near_the_least() {
    // As the public catalogue: 495 items, most of them small.
    let keys: Vec<ItemKey> =
        (0..165).flat_map(|item| (0..3).map(move |version| key(item, version))).collect();
    let weights: Vec<Weight<'_>> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| Weight { key, bytes: if n % 80 == 0 { 160_000 } else { 4_000 }, tries: 0 })
        .collect();
    assert_eq!(pack(&weights, Generation::New).len(), 10);
    assert!(pack(&weights, Generation::Legacy).len() <= 12);
}

#[test]
fn what_failed_before_is_apart_and_last() {
    let keys: Vec<ItemKey> = (0..8).map(|item| key(item, 1)).collect();
    let tries = |n: usize| if n < 2 { 6 } else { 0 };
    let weights: Vec<Weight<'_>> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| Weight { key, bytes: 10, tries: tries(n) })
        .collect();
    assert_eq!(pack(&weights, Generation::New), [vec![2, 3, 4, 5, 6, 7], vec![0], vec![1]]);
}
