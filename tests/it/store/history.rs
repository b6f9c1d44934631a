//! What was tried, and for how long that is known.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::SignedDuration;
use marketsync::domain::event::{Action, Failure, Outcome, Reason, Verb};
use marketsync::domain::item::{CommitId, Digest, ItemKey};
use marketsync::domain::ledger::{Ledger, Settling};
use marketsync::domain::status::LastResult;
use marketsync::edge::store::{HISTORY_AGE, HISTORY_ROWS, Store};

use super::{NOW, at, change, database, done, identity, item, key, open, pass};

#[test]
fn history_tells_what_was_tried() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut ledger = Ledger::default();
    let (one, next) = (key("one", "NA"), key("one", "1.0.0"));
    let later = NOW + SignedDuration::from_secs(5);
    let page = "x".repeat(1_000_000);
    let slow = Failure::Transient { why: page, retry_after: None };
    let try_again =
        Outcome { change: change(&one, Action::Update, Reason::Edited), result: Err(slow) };
    pass(&mut store, &mut ledger, &[try_again], &at(NOW));
    let outcomes = [
        done(change(&one, Action::Update, Reason::Edited), Verb::Created),
        done(change(&next, Action::Adopt, Reason::AlreadyThere), Verb::Adopted),
    ];
    pass(&mut store, &mut ledger, &outcomes, &at(later));

    let past = store.history(&one.item_id, None, 10).unwrap().changes;
    let results: Vec<_> =
        past.iter().map(|past| (&past.key, past.action, past.reason, past.at)).collect();
    assert_eq!(
        results,
        [
            (&next, Action::Adopt, Reason::AlreadyThere, later),
            (&one, Action::Update, Reason::Edited, later),
            (&one, Action::Update, Reason::Edited, NOW),
        ]
    );
    assert_eq!(past[0].result, LastResult::Done { verb: Verb::Adopted });
    assert_eq!(past[1].to, Some(Digest::of(b"body")));
    assert_eq!(past[1].fields, ["/description"]);
    assert_eq!(past[1].object_id.as_deref(), Some("6642"));
    assert!(matches!(&past[2].result, LastResult::Failed { why } if why.len() == 2_000));
    assert_eq!(past[1].author.as_deref(), Some("Ada Author"));
    let limited = store.history(&one.item_id, Some(&one.version), 1).unwrap();
    assert_eq!((limited.changes, limited.older), (vec![past[1].clone()], 1));
    assert_eq!(store.history(&one.item_id, None, 0).unwrap().older, 3);
    assert_eq!(store.with_history().unwrap(), BTreeSet::from([one, next]));
    let last = store.last_results().unwrap();
    assert_eq!(last.into_values().collect::<Vec<_>>(), [past[1].clone(), past[0].clone()]);
}

#[test]
fn history_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let ledger = Ledger::default();
    let (busy, quiet) = (key("busy", "NA"), key("quiet", "NA"));
    let once = |key: &ItemKey| done(change(key, Action::Update, Reason::Edited), Verb::Updated);
    store.save(&ledger, &[once(&quiet)], &at(NOW)).unwrap();
    let many: Vec<_> = (0..HISTORY_ROWS + 7).map(|_| once(&busy)).collect();
    store.save(&ledger, &many, &at(NOW)).unwrap();
    let count = |store: &Store, key: &ItemKey| {
        store.history(&key.item_id, None, usize::MAX).unwrap().changes.len()
    };
    assert_eq!(count(&store, &busy), HISTORY_ROWS as usize);
    assert_eq!(count(&store, &quiet), 1);

    let almost = NOW + HISTORY_AGE;
    store.save(&ledger, &[], &at(almost)).unwrap();
    assert_eq!(count(&store, &quiet), 1);
    // Old rows go a bounded number at a time, the oldest first.
    store.save(&ledger, &[], &at(almost + SignedDuration::from_secs(1))).unwrap();
    assert_eq!(count(&store, &busy) + count(&store, &quiet), 1);
    store.save(&ledger, &[], &at(almost + SignedDuration::from_secs(1))).unwrap();
    assert_eq!(count(&store, &busy) + count(&store, &quiet), 0);
}

/// The delete guard counts the deletions of a commit: a clock that is years
/// ahead makes no room for more.
#[test]
fn the_deletions_of_the_commit_at_hand_have_no_age() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let ledger = Ledger::default();
    let gone = done(change(&key("gone", "NA"), Action::Delete, Reason::Removed), Verb::Deleted);
    store.save(&ledger, &[gone], &at(NOW)).unwrap();
    let ahead = at(NOW + HISTORY_AGE + HISTORY_AGE);
    store.save(&ledger, &[], &ahead).unwrap();
    assert_eq!(store.deletions_of(&ahead.commit).unwrap(), 1);
    let next = Settling { commit: CommitId("2".repeat(40)), ..ahead.clone() };
    store.save(&ledger, &[], &next).unwrap();
    assert_eq!(store.deletions_of(&ahead.commit).unwrap(), 0);
}

/// A state as the first layout had it, with one item and one change of it.
fn first_layout(dir: &Path) {
    let database = database(dir);
    database.execute_batch(include_str!("../../../src/edge/store/layout_1.sql")).unwrap();
    database.pragma_update(None, "application_id", 0x6d73_6873).unwrap();
    database.pragma_update(None, "user_version", 1).unwrap();
    let identity = identity();
    for (name, value) in [
        ("endpoint", &identity.endpoint),
        ("company", &identity.company),
        ("source", &identity.source),
    ] {
        database.execute("INSERT INTO meta VALUES (?1, ?2)", (name, value)).unwrap();
    }
    let (commit, now) = ("2".repeat(40), NOW.to_string());
    let row = "INSERT INTO ledger VALUES
        ('one', 'NA', ?1, ?1, 'published', '6642', ?2, 'items/one.json', zeroblob(20), ?3, '[]')";
    let digest = Digest::of(b"before");
    database.execute(row, (digest.as_bytes(), &commit, &now)).unwrap();
    let change = "INSERT INTO history
        (item_id, version, at, commit_id, action, reason, result, object_id, to_digest, fields)
        VALUES ('one', 'NA', ?3, ?2, 'create', 'new', 'Created', '6642', ?1, '[]')";
    database.execute(change, (digest.as_bytes(), &commit, &now)).unwrap();
}

fn layout_of(dir: &Path) -> i64 {
    database(dir).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn a_state_of_the_first_layout_is_read_and_then_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    first_layout(dir.path());
    let one = key("one", "NA");
    let reader = Store::read_only(dir.path()).unwrap().unwrap();
    let old = reader.history(&one.item_id, None, 10).unwrap().changes;
    assert_eq!((old.len(), &old[0].author, old[0].reason), (1, &None, Reason::New));
    assert_eq!(old[0].result, LastResult::Done { verb: Verb::Created });
    assert_eq!(reader.status().unwrap().items.len(), 1);
    assert_eq!(layout_of(dir.path()), 1, "reading changed nothing");

    let mut writer = open(dir.path());
    assert_eq!(layout_of(dir.path()), 3);
    let mut ledger = writer.load_ledger().unwrap();
    assert_eq!(ledger.rows[&one].digest, Digest::of(b"before"));
    let edited = done(change(&one, Action::Update, Reason::Edited), Verb::Updated);
    pass(&mut writer, &mut ledger, &[edited], &at(NOW));
    let whole = writer.history(&one.item_id, None, 10).unwrap().changes;
    assert_eq!(whole[0].author.as_deref(), Some("Ada Author"));
    assert_eq!(whole[0].to, Some(item(&one, "body").digest));
    assert_eq!(whole[1], old[0], "what was there is kept as it was");
    // A reader that came before the writer sees what it did.
    assert_eq!(reader.history(&one.item_id, None, 10).unwrap().changes, whole);
    assert_eq!(reader.last_results().unwrap()[&one], whole[0]);
}
