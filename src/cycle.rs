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
mod foresee;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::domain::approval::{Approval, Departure, Line};
use crate::domain::canon::Generation;
use crate::domain::catalog::{Bodies, Snapshot};
use crate::domain::event::{Event, Outcome, Rest, Verb};
use crate::domain::images::{ImageLocation, ImageLocations};
use crate::domain::item::{CommitId, Digest};
use crate::domain::ledger::{self, AUTHOR_CHARS, Ledger, Settling};
use crate::domain::looks::Looks;
use crate::domain::plan::{Live, Look, Plan, Scope};
use crate::domain::report::Report;
use crate::domain::retries::Retries;
use crate::domain::seen::Seen;
use crate::domain::standards::Standards;
use crate::domain::text::cut;
use crate::edge::marketplace::{CallError, Marketplace, ObserveError, SendError, Sending, Sent};
use crate::edge::source::{Source, SourceError};
use crate::edge::store::{Store, StoreError};

pub use foresee::{Eyes, Foreseen, View, foresee, load};

use foresee::Stopwatch;

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
    /// The plan to which the pass is held, if it is to one.
    pub approved: Option<Approved>,
    /// Schemas and credential: what a rejection holds for.
    pub setting: Digest,
    /// The time of the pass.
    pub now: Timestamp,
    /// Set when no further request may start.
    pub stop: watch::Receiver<bool>,
}

/// A plan that somebody approved.
#[derive(Debug, Clone)]
pub struct Approved {
    /// The plan.
    pub approval: Arc<Approval>,
    /// What of it was done by an earlier try; none if this is the first.
    pub done: Option<BTreeSet<Line>>,
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
    /// What is to be done is not what was approved. Nothing was sent.
    #[error("{0}")]
    Departed(Departure),
}

impl CycleError {
    /// Whether another try may find it otherwise.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Source(error) => error.is_transient(),
            Self::Store(_) => false,
            Self::Marketplace(error) => error.is_transient(),
            Self::Departed(departure) => departure.is_transient(),
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
    let view = View {
        source,
        standards,
        eyes: Eyes::Open { market, witness: None },
        store: Some(&*store),
        ledger,
        seen,
        locations,
        retries,
    };
    let foreseen = foresee::foresee(view, order, report, tell).await;
    let kept = keep_learned(store, (seen, report.commit.is_some()), locations);
    let Foreseen { mut reading, snapshot, live, mut plan, generation } = foreseen?;
    kept?;
    watch.lap();
    note_looks(&live, &snapshot, ledger, looks, order.now);
    if let Some(Approved { approval, done }) = &order.approved
        && let Some(departure) = approval.departure(&plan, done.as_ref())
    {
        report.add(&plan, Vec::new());
        return Err(CycleError::Departed(departure));
    }
    if plan.has_writes() {
        ledger::doubt(ledger, &plan.changes);
        store.note_pass(ledger, &plan.changes, order.now)?;
    }
    let bodies = &mut Bodies { tree: &mut reading.tree, tailoring: &standards.tailoring };
    edits::name_edits(&mut plan, ledger, bodies, locations);
    plan.held.iter().for_each(|held| tell(&Event::Held(held.clone())));
    note_defaults(&plan, generation, standards, tell);
    report.timing.plan += watch.lap();

    let author = if plan.changes.is_empty() { None } else { author(source, &snapshot.commit)? };
    let commit = snapshot.commit.clone();
    let settling = Settling { commit, author, now: order.now, setting: order.setting };
    let mut record =
        Record { store, ledger, settling, tried: vec![], unsent: vec![], lost: vec![], tell };
    let changes = plan.changes.clone();
    let tries = &retries.sent_in_vain();
    let sending = Sending { changes, bodies, locations, tries, stop: &order.stop };
    let sent = market.send(sending, |sent| record.settle_and_save(sent)).await;

    record.tell_of_lost();
    let Record { store, tried, unsent, lost, .. } = record;
    let forgotten = forget_deleted(&tried, store, locations);
    let ended = order.now.saturating_add(watch.total()).unwrap_or(order.now);
    again::close(retries, &plan, &snapshot, order.now);
    let after = market.retry_after();
    again::note_failures(&plan, &tried, retries, (ended, after));
    note_writes(&tried, looks, order.now);
    let rest = again::rest(&plan, (&tried, &unsent), after, (retries, ledger), (order, ended));
    report.timing.send = watch.lap();
    report.add(&plan, tried.into_iter().chain(unsent).collect());
    report.lose(lost.len());
    sent?;
    forgotten?;
    Ok(rest)
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

/// What was learned on the way to a plan holds, whatever became of the rest.
/// What the files were read as is worth keeping only if all of them were.
fn keep_learned(
    store: &mut Store,
    (seen, is_whole): (&mut Seen, bool),
    locations: &mut ImageLocations,
) -> Result<(), StoreError> {
    if is_whole {
        store.keep_seen(seen)?;
    }
    for learned in locations.take_fresh() {
        save_location(store, &learned)?;
    }
    Ok(())
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

/// Who wrote this commit; none if nobody says so.
fn author(source: &Source, commit: &CommitId) -> Result<Option<String>, SourceError> {
    let name = source.commit_info(commit)?.map(|info| cut(info.author.trim(), AUTHOR_CHARS));
    Ok(name.filter(|name| !name.is_empty()))
}

/// Where outcomes are written down, one batch after the other.
struct Record<'a> {
    store: &'a mut Store,
    ledger: &'a mut Ledger,
    settling: Settling,
    tried: Vec<Outcome>,
    unsent: Vec<Outcome>,
    /// What was tried and could not be written down.
    lost: Vec<Outcome>,
    tell: &'a mut dyn FnMut(&Event),
}

/// How many of the items that could not be written down are named.
const LOST_SHOWN: usize = 10;

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
                if let Err(error) = self.store.save(self.ledger, &outcomes, &self.settling) {
                    self.lost.extend(outcomes);
                    return Err(error);
                }
                for outcome in outcomes {
                    let commit = self.settling.commit.clone();
                    (self.tell)(&Event::Settled { outcome: outcome.clone(), commit });
                    self.tried.push(outcome);
                }
                Ok(())
            }
        }
    }

    /// Says what became of that which nobody finds in the record.
    fn tell_of_lost(&mut self) {
        if self.lost.is_empty() {
            return;
        }
        let shown = self.lost.iter().take(LOST_SHOWN).map(|outcome| outcome.change.key.to_string());
        let more = if self.lost.len() > LOST_SHOWN { ", …" } else { "" };
        let text = format!(
            "sent, and could not be recorded ({}): {}{more}; the next pass finds out what became of it",
            self.lost.len(),
            shown.collect::<Vec<_>>().join(", ")
        );
        (self.tell)(&Event::Notice(text));
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
