//! One pass:
//!
//! ```text
//! head → read → load → observe → plan → check → send → settle → save
//! ```
//!
//! Every command is a prefix of this line: `validate` ends after [`load`],
//! `apply` runs it, with [`run`]. A dry run is not sending.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::domain::canon::Generation;
use crate::domain::catalog::{self, Bodies, Snapshot};
use crate::domain::delta::full_delta;
use crate::domain::event::{Event, Failure, Hold, Outcome, Reason, Rest, Verb};
use crate::domain::images::{ImageLocation, ImageLocations, ImageName};
use crate::domain::item::{Digest, Item, ItemImage, ItemKey};
use crate::domain::ledger::{self, Ledger, Settling};
use crate::domain::manifest;
use crate::domain::plan::{self, Limits, Live, Plan, Policy, Scope};
use crate::domain::report::Report;
use crate::domain::seen::Seen;
use crate::domain::source::Severity;
use crate::domain::standards::Standards;
use crate::edge::marketplace::{
    CallError, Marketplace, ObserveError, Observing, SendError, Sending, Sent,
};
use crate::edge::source::{Reading, Source, SourceError, SourceTree};
use crate::edge::store::{Store, StoreError};

/// How many field names a log line or a report shows of one change.
const FIELDS_SHOWN: usize = 20;

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
    /// How often an item failed in the passes before.
    pub tries: &'a mut BTreeMap<ItemKey, u32>,
}

/// What is asked of a pass.
#[derive(Debug, Clone)]
pub struct Order {
    /// Which keys are looked at.
    pub scope: Scope,
    /// Whether drift is put right, or only reported.
    pub correct_drift: bool,
    /// Whether items that left the source leave the marketplace.
    pub prune: bool,
    /// Whether what was rejected is tried again at once.
    pub retry_rejected: bool,
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
    let World { source, standards, market, store, ledger, seen, locations, tries } = world;
    let head = source.head()?;
    let mut reading = source.read(&head, seen)?;
    let snapshot = load(&mut reading, standards, seen)?;
    store.keep_seen(seen)?;
    *report = Report::of(&snapshot);
    announce(&snapshot, &reading, tell);

    let bodies = &mut Bodies { tree: &mut reading.tree, tailoring: &standards.tailoring };
    let live = observe(market, &snapshot, ledger, bodies, locations, store, order).await?;

    let plan = plan::plan(&snapshot, ledger, &live, &policy(order));
    let generation = if plan.has_writes() { Some(market.generation().await?) } else { None };
    let limits = limits(order, &snapshot, ledger, store, source, generation)?;
    let mut plan = plan::check(plan, &limits);
    name_edits(&mut plan, ledger, bodies, locations);
    plan.held.iter().for_each(|held| tell(&Event::Held(held.clone())));
    note_defaults(&plan, generation, standards, tell);

    let settling = Settling { commit: snapshot.commit, now: order.now, setting: order.setting };
    let mut record = Record { store, ledger, settling, tried: vec![], unsent: vec![], tell };
    let changes = plan.changes.clone();
    let sending = Sending { changes, bodies, locations, tries, stop: &order.stop };
    let sent = market.send(sending, |sent| record.settle_and_save(sent)).await;

    let Record { store, tried, unsent, .. } = record;
    let forgotten = forget_deleted(&tried, store, locations);
    count_tries(&tried, tries);
    let rest = rest(&plan, tried.iter().chain(&unsent), market.retry_after());
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

/// Looks at every key in scope, and keeps what was learned of pictures.
async fn observe(
    market: &Marketplace,
    snapshot: &Snapshot,
    ledger: &Ledger,
    bodies: &mut Bodies<'_, SourceTree<'_>>,
    locations: &mut ImageLocations,
    store: &mut Store,
    order: &Order,
) -> Result<Live, CycleError> {
    let keys = plan::in_scope(order.scope, snapshot, ledger);
    let round = Observing { keys: &keys, snapshot, bodies, locations, stop: &order.stop };
    let live = market.observe(round).await?;
    for learned in locations.take_fresh() {
        save_location(store, &learned)?;
    }
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

/// Items of the older model state no `lifecycleStatus`, and the new API asks
/// for one.
fn note_defaults(
    plan: &Plan,
    generation: Option<Generation>,
    standards: &Standards,
    tell: &mut dyn FnMut(&Event),
) {
    let wanted = plan.changes.iter().filter_map(|change| change.wanted.as_ref());
    let unstated = wanted.filter(|item| item.lifecycle_defaulted).count();
    if unstated > 0 && generation == Some(Generation::New) {
        let status = standards.tailoring.default_lifecycle;
        tell(&Event::Notice(format!(
            "{unstated} of the items to send state no lifecycleStatus and go as `{status}` \
             (--default-lifecycle chooses another)"
        )));
    }
}

fn policy(order: &Order) -> Policy {
    Policy {
        correct_drift: order.correct_drift,
        prune: order.prune,
        retry_rejected: order.retry_rejected,
        setting: order.setting,
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

/// Names the fields that a commit edited, from the bytes that were applied
/// last. For people only: if those bytes are gone (`git gc`, a directory), the
/// edit is sent all the same and its fields stay unnamed.
fn name_edits(
    plan: &mut Plan,
    ledger: &Ledger,
    bodies: &mut Bodies<'_, SourceTree<'_>>,
    locations: &ImageLocations,
) {
    for change in plan.changes.iter_mut().filter(|change| change.reason == Reason::Edited) {
        let (Some(item), Some(row)) = (&change.wanted, ledger.rows.get(&change.key)) else {
            continue;
        };
        let before = manifest::document_at(bodies.tree, &row.path, row.blob, bodies.tailoring);
        let (Ok(before), Ok(wanted)) = (before, bodies.document(item)) else {
            continue;
        };
        let edits = full_delta(&before, &wanted);
        let pictures = new_pictures(item, locations);
        // A picture counts by its bytes, not by where they lie.
        let fields = edits.into_iter().map(|edit| edit.pointer);
        let fields = fields.filter(|field| !pictures.iter().any(|slot| within(slot, field)));
        change.fields = fields.take(FIELDS_SHOWN).collect();
        change.fields.extend(pictures);
    }
}

fn within(slot: &str, field: &str) -> bool {
    field.strip_prefix(slot).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The fields whose pictures the marketplace does not have yet.
fn new_pictures(item: &Item, locations: &ImageLocations) -> Vec<String> {
    let is_new = |image: &&ItemImage| {
        let (digest, item_id, slot) = (image.digest, item.key.item_id.clone(), image.slot);
        locations.get(&ImageName { digest, item_id, slot }).is_none()
    };
    let new = item.images.iter().filter(is_new);
    new.map(|image| format!("/{}", image.slot.field())).collect()
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

/// How often each item failed since it last went.
fn count_tries(outcomes: &[Outcome], tries: &mut BTreeMap<ItemKey, u32>) {
    for outcome in outcomes {
        if matches!(outcome.result, Err(Failure::Transient { .. })) {
            *tries.entry(outcome.change.key.clone()).or_default() += 1;
        } else {
            tries.remove(&outcome.change.key);
        }
    }
}

/// Whether another pass may do more.
fn rest<'a>(
    plan: &Plan,
    mut outcomes: impl Iterator<Item = &'a Outcome>,
    after: Option<Duration>,
) -> Rest {
    let unobserved =
        plan.unseen > 0 || plan.held.iter().any(|held| matches!(held.why, Hold::Unobserved { .. }));
    if unobserved
        || outcomes.any(|outcome| matches!(outcome.result, Err(Failure::Transient { .. })))
    {
        Rest::Retry { after }
    } else {
        Rest::Settled
    }
}
