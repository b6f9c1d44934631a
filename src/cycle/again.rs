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
    order: &Order,
) -> BTreeMap<ItemKey, String> {
    if order.again == Again::Now {
        return BTreeMap::new();
    }
    let waits = |(key, retry): (&ItemKey, &Retry)| {
        let wanted = snapshot.items.get(key).map(|item| &item.digest);
        retries.waiting(key, wanted, order.now)?;
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
