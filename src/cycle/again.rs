//! What is tried again, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Again, Order};
use crate::domain::catalog::Snapshot;
use crate::domain::event::{Failure, Held, Hold, Outcome, Rest};
use crate::domain::item::ItemKey;
use crate::domain::plan::{Plan, REJECTED_AGAIN_AFTER};
use crate::domain::retries::{Failed, Retries};
use crate::edge::backoff;

/// The items that have to wait, and the versions above them: versions
/// of one item go in ascending order (`docs/architecture.md`).
pub(super) fn waiting(
    retries: &Retries,
    snapshot: &Snapshot,
    order: &Order,
) -> BTreeMap<ItemKey, String> {
    let mut waiting = BTreeMap::new();
    if order.again == Again::Now {
        return waiting;
    }
    for (key, _) in retries.iter() {
        let wanted = snapshot.items.get(key).map(|item| &item.digest);
        let Some(retry) = retries.waiting(key, wanted, order.now) else { continue };
        waiting.insert(key.clone(), retry.why.clone());
        let above = snapshot.versions_of(&key.item_id).filter(|version| **version > key.version);
        for version in above {
            let key = ItemKey { item_id: key.item_id.clone(), version: version.clone() };
            let why = || format!("a lower version waits: {}", retry.why);
            waiting.entry(key).or_insert_with(why);
        }
    }
    waiting
}

/// Counts what failed by `now`, and says when it is due. What failed together
/// is tried again together.
pub(super) fn note_failures(
    plan: &Plan,
    outcomes: &[Outcome],
    retries: &mut Retries,
    now: Timestamp,
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
            retries.failed(&held.change.key, failed, |tries| due(tries, None));
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
    retries: &Retries,
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
    retries.next_due().map_or(Rest::Settled, |due| {
        let due = due.duration_since(now);
        Rest::Waiting { due: Duration::try_from(due).unwrap_or_default() }
    })
}
