//! What was tried, and for how long that is known.

use jiff::SignedDuration;
use marketsync::domain::event::{Action, Failure, Outcome, Reason, Verb};
use marketsync::domain::item::{Digest, ItemKey};
use marketsync::domain::ledger::Ledger;
use marketsync::edge::store::{HISTORY_AGE, HISTORY_ROWS, PastResult, Store};

use super::{NOW, at, change, done, key, open, pass};

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

    let past = store.history(&one.item_id, None, 10).unwrap();
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
    assert_eq!(past[0].result, PastResult::Done(Verb::Adopted));
    assert_eq!(past[1].to, Some(Digest::of(b"body")));
    assert_eq!(past[1].fields, ["/description"]);
    assert_eq!(past[1].object_id.as_deref(), Some("6642"));
    assert!(matches!(&past[2].result, PastResult::Transient(why) if why.len() == 2_000));
    assert_eq!(store.history(&one.item_id, Some(&one.version), 1).unwrap(), [past[1].clone()]);
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
    let count =
        |store: &Store, key: &ItemKey| store.history(&key.item_id, None, u32::MAX).unwrap().len();
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
