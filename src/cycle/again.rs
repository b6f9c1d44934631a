//! What is tried again, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::{Again, Order};
use crate::domain::catalog::Snapshot;
use crate::domain::event::{Failure, Held, Hold, Outcome, Rest};
use crate::domain::item::ItemKey;
use crate::domain::ledger::Ledger;
use crate::domain::plan::{Plan, REJECTED_AGAIN_AFTER};
use crate::domain::retries::{Failed, Retries, Retry};
use crate::edge::backoff;

/// The items that have to wait.
pub(super) fn waiting(
    retries: &Retries,
    snapshot: &Snapshot,
    (again, now): (Again, Timestamp),
) -> BTreeMap<ItemKey, String> {
    if again == Again::Now {
        return BTreeMap::new();
    }
    let waits = |(key, retry): (&ItemKey, &Retry)| {
        let wanted = snapshot.items.get(key).map(|item| &item.digest);
        retries.waiting(key, wanted, now)?;
        Some((key.clone(), retry.why.clone()))
    };
    retries.iter().filter_map(waits).collect()
}

/// Forgets what needs no further try, because nobody asks for it any more; what
/// was tried is for [`note_failures`]. Without this an item that is due for ever would wake the daemon for ever.
pub(super) fn close(retries: &mut Retries, plan: &Plan, snapshot: &Snapshot, now: Timestamp) {
    let mut open: BTreeSet<&ItemKey> = plan.changes.iter().map(|change| &change.key).collect();
    let waits = |held: &&Held| matches!(held.why, Hold::Waiting { .. } | Hold::Unobserved { .. });
    open.extend(plan.held.iter().filter(waits).map(|held| &held.change.key));
    retries.retain(|key, retry| {
        let wanted = snapshot.items.get(key).map(|item| item.digest);
        open.contains(key) || retry.due > now && retry.wanted == wanted
    });
}

/// Counts what failed by `now`, and says when it is due. What failed together
/// is tried again together, and nothing before `after`, which the server asked
/// for.
pub(super) fn note_failures(
    plan: &Plan,
    outcomes: &[Outcome],
    retries: &mut Retries,
    (now, after): (Timestamp, Option<Duration>),
) {
    let mut pauses = BTreeMap::new();
    let mut due = |tries: u32, asked: Option<Duration>| {
        let pause = *pauses.entry(tries).or_insert_with(|| backoff::pause(tries));
        now.saturating_add(pause.max(asked.unwrap_or_default())).unwrap_or(Timestamp::MAX)
    };
    for held in &plan.held {
        if let Hold::Unobserved { why } = &held.why {
            let wanted = held.change.wanted.as_ref().map(|item| item.digest);
            let failed = Failed { wanted, was_sent: false, why: why.clone() };
            retries.failed(&held.change.key, failed, |tries| due(tries, after));
        }
    }
    for Outcome { change, result } in outcomes {
        let wanted = change.wanted.as_ref().map(|item| item.digest);
        match result {
            Err(Failure::Transient { why, retry_after }) => {
                let failed = Failed { wanted, was_sent: true, why: why.clone() };
                retries.failed(&change.key, failed, |tries| due(tries, *retry_after));
            }
            // The ledger remembers what it refused, but not that it refused to
            // delete.
            Err(Failure::Rejected { why, .. }) if wanted.is_none() => {
                let failed = Failed { wanted, was_sent: true, why: why.clone() };
                let again = now.saturating_add(REJECTED_AGAIN_AFTER);
                retries.failed(&change.key, failed, |_| again.unwrap_or(Timestamp::MAX));
            }
            _ => retries.settled(&change.key),
        }
    }
}

/// Whether another pass may do more.
pub(super) fn rest(
    plan: &Plan,
    (tried, unsent): (&[Outcome], &[Outcome]),
    after: Option<Duration>,
    (retries, ledger): (&Retries, &Ledger),
    (order, now): (&Order, Timestamp),
) -> Rest {
    let passing = |outcome: &Outcome| matches!(outcome.result, Err(Failure::Transient { .. }));
    let unobserved = |held: &Held| matches!(held.why, Hold::Unobserved { .. });
    if unsent.iter().any(passing) {
        return Rest::Retry { after };
    }
    if order.again == Again::Now {
        let again =
            plan.unseen > 0 || tried.iter().any(passing) || plan.held.iter().any(unobserved);
        return if again { Rest::Retry { after } } else { Rest::Settled };
    }
    // What was looked at for drift alone is looked at again in the next search.
    let rejected = plan.held.iter().filter(|held| matches!(held.why, Hold::Rejected { .. }));
    let rejected = rejected.filter_map(|held| ledger.rejections.get(&held.change.key));
    let again = rejected.filter_map(|refused| refused.at.checked_add(REJECTED_AGAIN_AFTER).ok());
    again.chain(retries.next_due()).min().map_or(Rest::Settled, |due| {
        let due = due.duration_since(now);
        Rest::Waiting { due: Duration::try_from(due).unwrap_or_default() }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::{SignedDuration, Timestamp};

    use super::{close, waiting};
    use crate::cycle::Again;
    use crate::domain::catalog::Snapshot;
    use crate::domain::item::{CommitId, ItemKey, Version};
    use crate::domain::plan::Plan;
    use crate::domain::retries::{Failed, Retries};

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    /// A source that holds nothing, and one deletion that failed and is due in
    /// the second 10.
    fn failed() -> (Snapshot, Retries, ItemKey) {
        let commit = CommitId("c1".to_owned());
        let snapshot = Snapshot { commit, items: BTreeMap::new(), problems: Vec::new() };
        let key = ItemKey { item_id: "a".parse().unwrap(), version: Version::Na };
        let mut retries = Retries::default();
        let failed = Failed { wanted: None, was_sent: true, why: "503".to_owned() };
        retries.failed(&key, failed, |_| at(10));
        (snapshot, retries, key)
    }

    #[test]
    fn an_item_waits_for_its_own_time() {
        let (snapshot, retries, key) = failed();
        let when = |again, second| waiting(&retries, &snapshot, (again, at(second)));
        let due = Again::WhenDue { rejected: false };
        assert_eq!(when(due, 9), BTreeMap::from([(key, "503".to_owned())]));
        assert!(when(due, 10).is_empty());
        assert!(when(Again::Now, 9).is_empty(), "somebody waits for the result");
    }

    #[test]
    fn what_nobody_asks_for_any_more_wakes_nobody() {
        let (snapshot, mut retries, _) = failed();
        close(&mut retries, &Plan::default(), &snapshot, at(9));
        assert_eq!(retries.next_due(), Some(at(10)), "it is not due yet");
        close(&mut retries, &Plan::default(), &snapshot, at(10));
        assert_eq!(retries.next_due(), None, "it was due, and the plan does not want it");
    }
}
