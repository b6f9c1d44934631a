//! The line up to *check*: what a pass would do. Nothing is written or sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::{Again, CycleError, Order, again};
use crate::domain::canon::Generation;
use crate::domain::catalog::{self, Bodies, Snapshot};
use crate::domain::event::Event;
use crate::domain::images::ImageLocations;
use crate::domain::item::ItemKey;
use crate::domain::ledger::Ledger;
use crate::domain::plan::{self, Limits, Live, Look, Plan, Policy, Scope};
use crate::domain::report::Report;
use crate::domain::retries::Retries;
use crate::domain::seen::Seen;
use crate::domain::source::Severity;
use crate::domain::standards::Standards;
use crate::edge::marketplace::{Favour, Marketplace, Observing, Witness};
use crate::edge::source::{Reading, Source, SourceError, SourceTree};
use crate::edge::store::Store;

/// What the first part of a pass reads.
pub struct View<'s, 'a> {
    /// Where item files come from.
    pub source: &'s Source,
    /// What files are held to.
    pub standards: &'a Standards,
    /// Who is asked what is there.
    pub eyes: Eyes<'a>,
    /// What was done, on disk; none if there is no state.
    pub store: Option<&'a Store>,
    /// What was done.
    pub ledger: &'a Ledger,
    /// What the files were; it takes in what they are.
    pub seen: &'a mut Seen,
    /// Which pictures the marketplace has; it takes in what is learned.
    pub locations: &'a mut ImageLocations,
    /// Which items failed in the passes before.
    pub retries: &'a Retries,
}

/// Who is asked what is there.
pub enum Eyes<'a> {
    /// The marketplace.
    Open {
        /// Where to look.
        market: &'a Marketplace,
        /// Who wants to see it, too.
        witness: Option<Witness<'a>>,
    },
    /// Nobody: what is not recorded counts as absent.
    Closed,
}

/// What a pass would do, and what that rests on.
pub struct Foreseen<'s> {
    /// The files, from which documents are read again.
    pub reading: Reading<'s>,
    /// What they want.
    pub snapshot: Snapshot,
    /// What was seen.
    pub live: Live,
    /// What would be done.
    pub plan: Plan,
    /// The API that it would be sent to, if somebody had to ask.
    pub generation: Option<Generation>,
}

/// Head, read, load, observe, plan, check. `report` holds what was found as
/// far as it went.
pub async fn foresee<'s>(
    view: View<'s, '_>,
    order: &Order,
    report: &mut Report,
    tell: &mut dyn FnMut(&Event),
) -> Result<Foreseen<'s>, CycleError> {
    let View { source, standards, eyes, store, ledger, seen, locations, retries } = view;
    let mut watch = Stopwatch::start();
    let head = source.head()?;
    let mut reading = source.read(&head, seen)?;
    let snapshot = load(&mut reading, standards, seen)?;
    *report = Report::of(&snapshot);
    report.timing.load = watch.lap();
    announce(&snapshot, &reading, tell);

    let waiting = again::waiting(retries, &snapshot, (order.again, order.now));
    let keys = keys(order, &snapshot, ledger, (retries, &waiting));
    let bodies = &mut Bodies { tree: &mut reading.tree, tailoring: &standards.tailoring };
    let (live, market) = match eyes {
        Eyes::Open { market, witness } => {
            let round = (&snapshot, bodies, locations);
            (observe(market, keys, round, witness, order).await?, Some(market))
        }
        Eyes::Closed => (keys.must.into_iter().map(|key| (key, Look::Absent)).collect(), None),
    };
    report.timing.observe = watch.lap();

    let plan = plan::plan(&snapshot, ledger, &live, &policy(order, waiting));
    let generation = match market {
        Some(market) if plan.has_writes() => Some(market.generation().await?),
        _ => None,
    };
    let limits = limits(order, &snapshot, ledger, (store, source), generation)?;
    let plan = plan::check(plan, &limits);
    report.timing.plan = watch.lap();
    Ok(Foreseen { reading, snapshot, live, plan, generation })
}

/// Reads what changed. A directory that moves meanwhile is an error, and a
/// transient one: a mixed snapshot is never planned.
pub fn load(
    reading: &mut Reading<'_>,
    standards: &Standards,
    seen: &mut Seen,
) -> Result<Snapshot, SourceError> {
    let (snapshot, _) = catalog::load(&mut reading.tree, &reading.changes, standards, seen)?;
    reading.tree.still_holds()?;
    Ok(snapshot)
}

/// The keys that must be looked at, and those that may be if there is time.
struct Keys {
    must: BTreeSet<ItemKey>,
    may: BTreeSet<ItemKey>,
}

fn keys(
    order: &Order,
    snapshot: &Snapshot,
    ledger: &Ledger,
    (retries, waiting): (&Retries, &BTreeMap<ItemKey, String>),
) -> Keys {
    let mut must = plan::in_scope(&order.scope, snapshot, ledger);
    // A correction that failed is made again only if it is seen to be needed.
    let due = retries.due(order.now).filter(|key| snapshot.items.contains_key(key));
    must.extend(due.cloned());
    must.retain(|key| !waiting.contains_key(key));
    let is_known =
        |key: &&ItemKey| snapshot.items.contains_key(key) || ledger.rows.contains_key(key);
    let may = match &order.scope {
        Scope::New | Scope::All => BTreeSet::new(),
        Scope::Also(also) => also.difference(&must).filter(is_known).cloned().collect(),
    };
    Keys { must, may }
}

/// Looks at every key in scope.
async fn observe(
    market: &Marketplace,
    Keys { must, may }: Keys,
    (snapshot, bodies, locations): (
        &Snapshot,
        &mut Bodies<'_, SourceTree<'_>>,
        &mut ImageLocations,
    ),
    witness: Option<Witness<'_>>,
    order: &Order,
) -> Result<Live, CycleError> {
    let (stop, favour) = (&order.stop, None);
    let sight = witness.map(|witness| witness as Witness<'_>);
    let round = Observing { keys: &must, snapshot, bodies, locations, favour, sight, stop };
    let mut live = market.observe(round).await?;
    let favour = Some(Favour { rate: order.rate, until: Instant::now() + order.patience });
    let (stop, sight) = (&order.hurry, None);
    let round = Observing { keys: &may, snapshot, bodies, locations, favour, sight, stop };
    live.extend(market.observe(round).await?);
    Ok(live)
}

fn announce(snapshot: &Snapshot, reading: &Reading<'_>, tell: &mut dyn FnMut(&Event)) {
    for path in &reading.changes.passed_over {
        tell(&Event::Notice(format!(
            "{path} is skipped: configuration is never read from the source"
        )));
    }
    let problems = snapshot.problems.iter().filter(|problem| problem.severity == Severity::Error);
    let problems = problems.count();
    tell(&Event::Loaded {
        commit: snapshot.commit.clone(),
        items: snapshot.items.len(),
        problems,
        warnings: snapshot.problems.len() - problems,
    });
    if snapshot.items.is_empty() && snapshot.problems.is_empty() {
        tell(&Event::Notice("the source holds no item file; is the path right?".to_owned()));
    }
    snapshot.problems.iter().for_each(|problem| tell(&Event::Found(problem.clone())));
}

fn policy(order: &Order, waiting: BTreeMap<ItemKey, String>) -> Policy {
    Policy {
        correct_drift: order.correct_drift,
        prune: order.prune,
        retry_rejected: matches!(order.again, Again::Now | Again::WhenDue { rejected: true }),
        setting: order.setting,
        waiting,
        now: order.now,
    }
}

/// What this commit may still delete: the guard counts all passes over one
/// commit together.
fn limits(
    order: &Order,
    snapshot: &Snapshot,
    ledger: &Ledger,
    (store, source): (Option<&Store>, &Source),
    generation: Option<Generation>,
) -> Result<Limits, CycleError> {
    let done = match store {
        Some(store) if order.prune => store.deletions_of(&snapshot.commit)?,
        _ => 0,
    };
    let recorded = ledger.rows.len() + done;
    let by_message = match order.allow_deletes {
        None if order.prune => source.commit_info(&snapshot.commit)?,
        _ => None,
    };
    let allowed = order
        .allow_deletes
        .or_else(|| plan::deletes_allowed_by(&by_message?.message))
        .unwrap_or_else(|| plan::deletes_allowed(recorded));
    Ok(Limits {
        deletes: allowed.saturating_sub(done),
        deleted: done,
        empty_source: snapshot.items.is_empty(),
        updates: order.max_updates,
        generation,
    })
}

/// How long the pass takes, and each phase of it.
pub(super) struct Stopwatch {
    began: Instant,
    lap: Instant,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { began: now, lap: now }
    }

    pub(super) fn lap(&mut self) -> Duration {
        let last = std::mem::replace(&mut self.lap, Instant::now());
        self.lap.duration_since(last)
    }

    pub(super) fn total(&self) -> Duration {
        self.began.elapsed()
    }
}
