//! One pass:
//!
//! ```text
//! head → read → load → observe → plan → check → send → settle → save
//! ```
//!
//! Every command is a prefix of this line: `validate` ends after [`load`],
//! `apply` runs it, with [`run`]. A dry run is not sending.

mod again;
mod edits;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::domain::canon::Generation;
use crate::domain::catalog::{self, Bodies, Snapshot};
use crate::domain::event::{Event, Outcome, Rest, Verb};
use crate::domain::images::{ImageLocation, ImageLocations};
use crate::domain::item::{CommitId, Digest, ItemKey};
use crate::domain::ledger::{self, AUTHOR_CHARS, Ledger, Settling};
use crate::domain::looks::Looks;
use crate::domain::plan::{self, Limits, Live, Look, Plan, Policy, Scope};
use crate::domain::report::Report;
use crate::domain::retries::Retries;
use crate::domain::seen::Seen;
use crate::domain::source::Severity;
use crate::domain::standards::Standards;
use crate::domain::text::cut;
use crate::edge::marketplace::{
    CallError, Favour, Marketplace, ObserveError, Observing, SendError, Sending, Sent,
};
use crate::edge::source::{Reading, Source, SourceError, SourceTree};
use crate::edge::store::{Store, StoreError};

/// What a pass reads and writes.
pub struct World<'a> {
    /// Where item files come from.
    pub source: &'a Source,
    /// What files are held to.
    pub standards: &'a Standards,
    /// Where items go.
    pub market: &'a Marketplace,
    /// What was done, on disk.
    pub store: &'a mut Store,
    /// What was done.
    pub ledger: &'a mut Ledger,
    /// What the files were.
    pub seen: &'a mut Seen,
    /// Which pictures the marketplace has.
    pub locations: &'a mut ImageLocations,
    /// Which items failed in the passes before, and when they are due.
    pub retries: &'a mut Retries,
    /// When each item was last looked at.
    pub looks: &'a mut Looks,
}

/// When what failed in an earlier pass is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// In this pass.
    Now,
    /// Each item at its own time; the pass goes on without it.
    WhenDue {
        /// Whether what was rejected is due now.
        rejected: bool,
    },
}

/// What is asked of a pass.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which keys are looked at.
    pub scope: Scope,
    /// How many of those that are looked at for drift alone are looked at in a
    /// second (`--drift-rate`).
    pub rate: u32,
    /// How long that may take.
    pub patience: Duration,
    /// Set when somebody waits for the pass to end: then no further item is
    /// looked at for drift alone.
    pub hurry: watch::Receiver<bool>,
    /// When what failed in an earlier pass is tried again.
    pub again: Again,
    /// Whether drift is put right, or only reported.
    pub correct_drift: bool,
    /// Whether items that left the source leave the marketplace.
    pub prune: bool,
    /// How many deletions this commit may make, if somebody said so.
    pub allow_deletes: Option<usize>,
    /// The most updates of one pass.
    pub max_updates: Option<usize>,
    /// Schemas and credential: what a rejection holds for.
    pub setting: Digest,
    /// The time of the pass.
    pub now: Timestamp,
    /// Set when no further request may start.
    pub stop: watch::Receiver<bool>,
}

/// The pass could not be made, or not to its end. What was settled stands.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The state could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The marketplace refuses, or cannot be reached.
    #[error(transparent)]
    Marketplace(#[from] CallError),
}

impl CycleError {
    /// Whether another try may find it otherwise.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Source(error) => error.is_transient(),
            Self::Store(_) => false,
            Self::Marketplace(error) => error.is_transient(),
        }
    }
}

impl From<ObserveError<SourceError>> for CycleError {
    fn from(error: ObserveError<SourceError>) -> Self {
        match error {
            ObserveError::Source(error) => Self::Source(error),
            ObserveError::Call(error) => Self::Marketplace(error),
        }
    }
}

impl From<SendError<SourceError, StoreError>> for CycleError {
    fn from(error: SendError<SourceError, StoreError>) -> Self {
        match error {
            SendError::Source(error) => Self::Source(error),
            SendError::Call(error) => Self::Marketplace(error),
            SendError::Sink(error) => Self::Store(error),
        }
    }
}

/// The whole line, once. `report` holds what was found and done, also if the
/// pass ends with an error.
pub async fn run(
    world: World<'_>,
    order: &Order,
    report: &mut Report,
    tell: &mut dyn FnMut(&Event),
) -> Result<Rest, CycleError> {
    let World { source, standards, market, store, ledger, seen, locations, retries, looks } = world;
    let mut watch = Stopwatch::start();
    let head = source.head()?;
    let mut reading = source.read(&head, seen)?;
    let snapshot = load(&mut reading, standards, seen)?;
    store.keep_seen(seen)?;
    *report = Report::of(&snapshot);
    report.timing.load = watch.lap();
    announce(&snapshot, &reading, tell);

    let bodies = &mut Bodies { tree: &mut reading.tree, tailoring: &standards.tailoring };
    let waiting = again::waiting(retries, &snapshot, (order.again, order.now));
    let keys = keys(order, &snapshot, ledger, (retries, &waiting));
    let live = observe(market, &snapshot, bodies, locations, store, (keys, order)).await?;
    note_looks(&live, &snapshot, ledger, looks, order.now);
    report.timing.observe = watch.lap();

    let plan = plan::plan(&snapshot, ledger, &live, &policy(order, waiting));
    let generation = if plan.has_writes() {
        store.note_pass(order.now)?;
        Some(market.generation().await?)
    } else {
        None
    };
    let limits = limits(order, &snapshot, ledger, store, source, generation)?;
    let mut plan = plan::check(plan, &limits);
    edits::name_edits(&mut plan, ledger, bodies, locations);
    plan.held.iter().for_each(|held| tell(&Event::Held(held.clone())));
    note_defaults(&plan, generation, standards, tell);

    report.timing.plan = watch.lap();

    let author = if plan.changes.is_empty() { None } else { author(source, &snapshot.commit)? };
    let commit = snapshot.commit.clone();
    let settling = Settling { commit, author, now: order.now, setting: order.setting };
    let mut record = Record { store, ledger, settling, tried: vec![], unsent: vec![], tell };
    let changes = plan.changes.clone();
    let tries = &retries.sent_in_vain();
    let sending = Sending { changes, bodies, locations, tries, stop: &order.stop };
    let sent = market.send(sending, |sent| record.settle_and_save(sent)).await;

    let Record { store, tried, unsent, .. } = record;
    let forgotten = forget_deleted(&tried, store, locations);
    let ended = order.now.saturating_add(watch.total()).unwrap_or(order.now);
    again::close(retries, &plan, &snapshot, order.now);
    let after = market.retry_after();
    again::note_failures(&plan, &tried, retries, (ended, after));
    note_writes(&tried, looks, order.now);
    let rest = again::rest(&plan, (&tried, &unsent), after, (retries, ledger), (order, ended));
    report.timing.send = watch.lap();
    report.add(&plan, tried.into_iter().chain(unsent).collect());
    sent?;
    forgotten?;
    Ok(rest)
}

/// Reads what changed. A directory that moves meanwhile is an error, and a
/// transient one: a mixed snapshot is never planned.
pub fn load(
    reading: &mut Reading<'_>,
    standards: &Standards,
    seen: &mut Seen,
) -> Result<Snapshot, SourceError> {
    let (snapshot, _) = catalog::load(&mut reading.tree, &reading.changes, standards, seen)?;
    if reading.tree.still_holds()? { Ok(snapshot) } else { Err(SourceError::Changed) }
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

/// Looks at every key in scope, and keeps what was learned of pictures.
async fn observe(
    market: &Marketplace,
    snapshot: &Snapshot,
    bodies: &mut Bodies<'_, SourceTree<'_>>,
    locations: &mut ImageLocations,
    store: &mut Store,
    (keys, order): (Keys, &Order),
) -> Result<Live, CycleError> {
    let Keys { must, may } = &keys;
    let (stop, favour) = (&order.stop, None);
    let round = Observing { keys: must, snapshot, bodies, locations, favour, stop };
    let mut live = market.observe(round).await?;
    let favour = Some(Favour { rate: order.rate, until: Instant::now() + order.patience });
    let stop = &order.hurry;
    let round = Observing { keys: may, snapshot, bodies, locations, favour, stop };
    live.extend(market.observe(round).await?);
    for learned in locations.take_fresh() {
        save_location(store, &learned)?;
    }
    Ok(live)
}

fn note_looks(
    live: &Live,
    snapshot: &Snapshot,
    ledger: &Ledger,
    looks: &mut Looks,
    now: Timestamp,
) {
    looks.retain(|key| snapshot.items.contains_key(key) || ledger.rows.contains_key(key));
    for (key, look) in live {
        if !matches!(look, Look::NotTaken | Look::Failed { .. }) {
            looks.note(key, now);
        }
    }
}

/// What the marketplace has just answered need not be asked again.
fn note_writes(outcomes: &[Outcome], looks: &mut Looks, now: Timestamp) {
    let applied = outcomes.iter().filter(|outcome| outcome.result.is_ok());
    for outcome in applied.filter(|outcome| outcome.change.wanted.is_some()) {
        looks.note(&outcome.change.key, now);
    }
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

/// Items of the older model state no `lifecycleStatus`, and the new API asks
/// for one.
fn note_defaults(
    plan: &Plan,
    generation: Option<Generation>,
    standards: &Standards,
    tell: &mut dyn FnMut(&Event),
) {
    let wanted = plan.changes.iter().filter_map(|change| change.wanted.as_ref());
    let unstated = wanted.filter(|item| item.lifecycle_defaulted).count() > 0;
    if unstated && generation == Some(Generation::New) {
        let status = standards.tailoring.default_lifecycle;
        tell(&Event::Notice(format!(
            "items that state no lifecycleStatus go as `{status}` \
             (--default-lifecycle chooses another)"
        )));
    }
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
    store: &Store,
    source: &Source,
    generation: Option<Generation>,
) -> Result<Limits, CycleError> {
    let done = if order.prune { store.deletions_of(&snapshot.commit)? } else { 0 };
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

/// Who wrote this commit; none if nobody says so.
fn author(source: &Source, commit: &CommitId) -> Result<Option<String>, SourceError> {
    let name = source.commit_info(commit)?.map(|info| cut(info.author.trim(), AUTHOR_CHARS));
    Ok(name.filter(|name| !name.is_empty()))
}

/// How long the pass takes, and each phase of it.
struct Stopwatch {
    began: Instant,
    lap: Instant,
}

impl Stopwatch {
    fn start() -> Self {
        let now = Instant::now();
        Self { began: now, lap: now }
    }

    fn lap(&mut self) -> Duration {
        let last = std::mem::replace(&mut self.lap, Instant::now());
        self.lap.duration_since(last)
    }

    fn total(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Where outcomes are written down, one batch after the other.
struct Record<'a> {
    store: &'a mut Store,
    ledger: &'a mut Ledger,
    settling: Settling,
    tried: Vec<Outcome>,
    unsent: Vec<Outcome>,
    tell: &'a mut dyn FnMut(&Event),
}

impl Record<'_> {
    /// Ledger, disk, log: in this order. What the log says is recorded.
    fn settle_and_save(&mut self, sent: Sent) -> Result<(), StoreError> {
        match sent {
            Sent::Uploaded(location) => save_location(self.store, &location),
            Sent::Unsent(outcomes) => {
                self.unsent.extend(outcomes);
                Ok(())
            }
            Sent::Outcomes(outcomes) => {
                for outcome in &outcomes {
                    ledger::settle(self.ledger, outcome, &self.settling);
                }
                self.store.save(self.ledger, &outcomes, &self.settling)?;
                for outcome in outcomes {
                    let commit = self.settling.commit.clone();
                    (self.tell)(&Event::Settled { outcome: outcome.clone(), commit });
                    self.tried.push(outcome);
                }
                Ok(())
            }
        }
    }
}

fn save_location(store: &mut Store, saved: &ImageLocation) -> Result<(), StoreError> {
    let ImageLocation { name, location } = saved;
    store.save_image_location(&name.digest, &name.item_id, name.slot, location)
}

/// The marketplace may remove the pictures of an item with it.
fn forget_deleted(
    outcomes: &[Outcome],
    store: &mut Store,
    locations: &mut ImageLocations,
) -> Result<(), StoreError> {
    for outcome in outcomes {
        if matches!(&outcome.result, Ok(applied) if applied.verb == Verb::Deleted) {
            locations.forget(&outcome.change.key.item_id);
            store.forget_image_locations(&outcome.change.key.item_id)?;
        }
    }
    Ok(())
}
