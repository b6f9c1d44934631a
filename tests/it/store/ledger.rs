//! The ledger comes back as it was, all of it or nothing.

use jiff::Timestamp;
use marketsync::domain::event::{Action, Failure, Outcome, Reason, Verb};
use marketsync::domain::item::{BlobId, CommitId, Digest, ItemKey, Lifecycle, RepoPath, Version};
use marketsync::domain::ledger::{Ledger, Rejection, Row, settle};
use marketsync::edge::store::{Store, StoreError};
use proptest::prelude::*;

use super::{NOW, at, change, database, done, key, open, pass};

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two, three) = (key("one", "NA"), key("one", "1.0.0-rc.1+b"), key("three", "NA"));
    let mut ledger = Ledger::default();
    let mut store = open(dir.path());
    assert_eq!(store.load_ledger().unwrap(), ledger);
    let refused =
        Failure::Rejected { why: "no such category".into(), pointer: Some("/categoryId".into()) };
    let outcomes = [
        done(change(&one, Action::Create, Reason::New), Verb::Created),
        done(change(&two, Action::Update, Reason::Drifted), Verb::Updated),
        Outcome { change: change(&three, Action::Create, Reason::New), result: Err(refused) },
    ];
    pass(&mut store, &mut ledger, &outcomes, &at(NOW));
    drop(store);

    let mut store = open(dir.path());
    assert_eq!(store.load_ledger().unwrap(), ledger);
    assert_eq!((ledger.rows.len(), ledger.rejections.len()), (2, 1));
    let outcomes = [
        done(change(&one, Action::Delete, Reason::Removed), Verb::Deleted),
        done(change(&three, Action::Create, Reason::New), Verb::Created),
    ];
    pass(&mut store, &mut ledger, &outcomes, &at(NOW));
    assert_eq!(store.load_ledger().unwrap(), ledger);
    assert_eq!(ledger.rows.keys().collect::<Vec<_>>(), [&two, &three]);
    assert!(ledger.rejections.is_empty());
    assert_eq!(store.deletions_of(&at(NOW).commit).unwrap(), 1);
    assert_eq!(store.deletions_of(&CommitId("2".repeat(40))).unwrap(), 0);
}

fn rows() -> impl Strategy<Value = (ItemKey, Row, Option<Rejection>)> {
    let digest = any::<[u8; 32]>().prop_map(Digest::from);
    let time = (-377_705_023_201_i64..=253_402_207_200, 0..1_000_000_000_i32)
        .prop_filter_map("in range", |(second, nano)| Timestamp::new(second, nano).ok());
    let version = prop_oneof![
        Just(Version::Na),
        "[0-9]{1,3}"
            .prop_map(|n| format!("{}.0.0-a+b", n.parse::<u32>().unwrap()).parse().unwrap())
    ];
    let key = ("[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?", version)
        .prop_map(|(id, version)| ItemKey { item_id: id.parse().unwrap(), version });
    let rejection = (digest.clone(), ".*", time.clone())
        .prop_map(|(circumstances, why, at)| Rejection { circumstances, why, at });
    let path = "[^/\u{0}]{1,12}(/[^/\u{0}]{1,12}){0,3}"
        .prop_filter_map("a path", |p| RepoPath::new(&p).ok());
    let lifecycle = proptest::option::of(proptest::sample::select(Lifecycle::ALL.to_vec()));
    let row = (
        (digest.clone(), digest, lifecycle, proptest::option::of(".*")),
        (".*", path, any::<[u8; 20]>(), time.clone(), proptest::collection::vec(time, 0..4)),
    )
        .prop_map(
            |(
                (digest, sealed_digest, lifecycle, object_id),
                (commit, path, blob, at, corrected),
            )| Row {
                digest,
                sealed_digest,
                lifecycle,
                object_id,
                commit: CommitId(commit),
                path,
                blob: BlobId(blob),
                at,
                corrected,
            },
        );
    (key, row, proptest::option::of(rejection))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_comes_back_as_it_was(entries in proptest::collection::vec(rows(), 0..12)) {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::default();
        let mut outcomes = Vec::new();
        for (key, row, rejection) in entries {
            outcomes.push(done(change(&key, Action::Create, Reason::New), Verb::Created));
            ledger.rejections.extend(rejection.map(|rejection| (key.clone(), rejection)));
            ledger.rows.insert(key, row);
        }
        open(dir.path()).save(&ledger, &outcomes, &at(NOW)).unwrap();
        let read = Store::read_only(dir.path()).unwrap().unwrap();
        prop_assert_eq!(read.load_ledger().unwrap(), ledger);
    }
}

#[test]
fn a_saving_that_fails_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut ledger = Ledger::default();
    let one = key("one", "NA");
    pass(
        &mut store,
        &mut ledger,
        &[done(change(&one, Action::Create, Reason::New), Verb::Created)],
        &at(NOW),
    );
    let before = ledger.clone();
    let stop = "CREATE TRIGGER stop BEFORE INSERT ON history WHEN new.item_id = 'two' BEGIN SELECT RAISE(ABORT, 'stop'); END";
    database(dir.path()).execute_batch(stop).unwrap();

    let outcomes = [
        done(change(&one, Action::Delete, Reason::Removed), Verb::Deleted),
        done(change(&key("two", "NA"), Action::Create, Reason::New), Verb::Created),
    ];
    for outcome in &outcomes {
        settle(&mut ledger, outcome, &at(NOW));
    }
    let refused = store.save(&ledger, &outcomes, &at(NOW)).unwrap_err();
    assert!(matches!(refused, StoreError::Database { .. }), "{refused:?}");
    assert_eq!(store.load_ledger().unwrap(), before);
    assert_eq!(store.last_results().unwrap().len(), 1);
    database(dir.path()).execute_batch("DROP TRIGGER stop").unwrap();
    store.save(&ledger, &outcomes, &at(NOW)).unwrap();
    assert_eq!(store.load_ledger().unwrap(), ledger);
}
