//! The turns of the daemon: whether a pass is needed, what is asked of it, and
//! what is kept of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::Common;
use super::after::{came, note_delay, summarise};
use super::clock::Clock;
use super::place::Place;
use super::search::{Cut, PART, Search};
use crate::cli::Drift;
use crate::commands::failure::{self, CommandError};
use crate::commands::market::setting;
use crate::commands::standards::fingerprint;
use crate::config::RunConfig;
use crate::cycle::{self, Again, CycleError, Order, World};
use crate::daemon::Turn;
use crate::domain::event::{Event, Rest};
use crate::domain::images::ImageLocations;
use crate::domain::item::{CommitId, Digest, ItemKey, RepoPath};
use crate::domain::ledger::Ledger;
use crate::domain::looks::Looks;
use crate::domain::plan::Scope;
use crate::domain::report::Report;
use crate::domain::retries::Retries;
use crate::domain::seen::Seen;
use crate::domain::standards::Standards;
use crate::domain::standing::{Came, Pass, Standing, Trigger};
use crate::edge::git::remote::Remote;
use crate::edge::heartbeat::Heartbeat;
use crate::edge::marketplace::Marketplace;
use crate::edge::metrics::Metrics;
use crate::edge::source::{Head, Source, SourceError};
use crate::edge::store::{Store, StoreError};
use crate::edge::telemetry;
use crate::edge::watch::Wakes;

/// The most notices that are remembered, so that each is said once.
const NOTICES_KEPT: usize = 1_000;

/// What lasts from one pass to the next.
pub(super) struct Passes {
    config: Arc<RunConfig>,
    store: Store,
    standards: Standards,
    market: Marketplace,
    heart: Heartbeat,
    metrics: Metrics,
    place: Place,
    ledger: Ledger,
    /// Whether the ledger may say more than is written down.
    unsure: bool,
    seen: Option<(RepoPath, Seen)>,
    locations: ImageLocations,
    retries: Retries,
    looks: Looks,
    search: Option<Search>,
    /// What was read last, and with what was asked for it.
    last: Option<Last>,
    /// Whether the last pass ended because of the marketplace.
    unanswered: bool,
    /// Whether what was rejected before was tried again by this process.
    tried_rejected: bool,
    clock: Clock,
    notices: BTreeSet<String>,
    standing: Standing,
    publish: watch::Sender<Arc<Standing>>,
    hurry: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
}

/// What a pass read, and as whom it asked.
struct Last {
    commit: CommitId,
    path: RepoPath,
    setting: Digest,
}

/// What a daemon is made of.
pub(super) struct Parts {
    pub(super) config: Arc<RunConfig>,
    pub(super) store: Store,
    pub(super) standards: Standards,
    pub(super) market: Marketplace,
    pub(super) remote: Option<Arc<Remote>>,
    pub(super) common: Common,
}

impl Passes {
    /// Loads what earlier processes recorded.
    pub(super) fn new(parts: Parts) -> Result<Self, CommandError> {
        let Parts { config, store, standards, market, remote, common } = parts;
        let Common { heart, metrics, standing: publish, stop, .. } = common;
        let was_git =
            store.moved_from().is_none() && store.last_commit()?.as_ref().is_some_and(is_of_git);
        let place =
            Place::new(config.source.clone(), remote, was_git).ok_or(CommandError::NoClone)?;
        let ledger = store.load_ledger()?;
        let locations = store.image_locations()?;
        if ledger.rows.is_empty() {
            info!(
                "No record of earlier passes: every item is looked at, and what agrees is adopted"
            );
        }
        let mut standing = Standing::clone(&publish.borrow());
        standing.recorded = ledger.rows.len();
        Ok(Self {
            config,
            store,
            standards,
            market,
            heart,
            metrics,
            place,
            ledger,
            unsure: false,
            seen: None,
            locations,
            retries: Retries::default(),
            looks: Looks::new(fastrand::u64(..)),
            search: None,
            last: None,
            unanswered: false,
            tried_rejected: false,
            clock: Clock::now(),
            notices: BTreeSet::new(),
            standing,
            publish,
            hurry: watch::Sender::new(false),
            stop,
        })
    }

    /// Set to cut short what can wait.
    pub(super) fn hurry(&self) -> watch::Sender<bool> {
        self.hurry.clone()
    }

    /// What tells that a source on this machine may have moved.
    pub(super) fn wakes(&self) -> Option<Wakes> {
        self.place.wakes()
    }

    /// Makes a pass, if there is need for one.
    ///
    /// # Errors
    /// [`StoreError::Gone`]: then the process must end.
    pub(super) async fn turn(&mut self, trigger: Trigger) -> Result<Turn, StoreError> {
        self.heart.beat();
        self.mind_the_clock();
        self.place.follow(&self.metrics, self.config.poll_every);
        let began = (self.clock.wall, Instant::now());
        let fetching = self.publish.borrow().fetching.clone();
        let why = fetching.and_then(|fetching| fetching.error);
        let result = match self.place.open(why, &self.heart) {
            // The first fetch is under way, and says when it is done.
            Err(SourceError::NotFetched { why: None }) => {
                return Ok(Turn { rest: None, more: true });
            }
            Ok(opened) if self.is_unmoved(trigger, &opened.source) => {
                self.unmoved(trigger, began);
                return Ok(Turn { rest: None, more: false });
            }
            Ok(opened) => self.pass(trigger, &opened.source, began.0).await,
            Err(error) => (Report::default(), Err(error.into())),
        };
        self.heart.beat();
        let (report, result) = result;
        let more = self.search_on(trigger, began, result.is_err());
        self.note(trigger, began, &report, &result);
        let rest = match result {
            Ok(rest) => rest,
            // Another process may hold what was ours: nothing more is sent.
            Err(CycleError::Store(error @ StoreError::Gone { .. })) => return Err(error),
            Err(_) => Rest::Retry { after: self.market.retry_after() },
        };
        Ok(Turn { rest: Some(rest), more })
    }

    async fn pass(
        &mut self,
        trigger: Trigger,
        source: &Source,
        now: Timestamp,
    ) -> (Report, Result<Rest, CycleError>) {
        let mut report = Report::default();
        let result = self.cycle(trigger, source, now, &mut report).await;
        let result = match result {
            Ok(rest) if !self.standing.ready || self.unanswered => {
                // Both sides must have answered, also if nothing was to be
                // asked of one of them.
                self.market.generation().await.map(|_| rest).map_err(CycleError::from)
            }
            other => other,
        };
        self.standing.ready |= matches!(result, Ok(Rest::Settled | Rest::Waiting { .. }));
        self.tried_rejected |= report.planned;
        (report, result)
    }

    async fn cycle(
        &mut self,
        trigger: Trigger,
        source: &Source,
        now: Timestamp,
        report: &mut Report,
    ) -> Result<Rest, CycleError> {
        self.be_sure()?;
        let order = self.order(trigger, now);
        let kept = self.seen.take().filter(|(path, _)| path == source.path());
        let mut seen = match kept {
            Some((_, seen)) => seen,
            None => self.store.recall_seen(fingerprint(&self.standards, source))?,
        };
        let Self { store, standards, market, ledger, locations, retries, looks, .. } = self;
        let (standing, metrics, notices) = (&self.standing, &self.metrics, &mut self.notices);
        let company = &self.config.connect.company;
        let mut tell = |event: &Event| {
            metrics.event(event);
            let is_known = matches!(event, Event::Notice(text) if !is_new(notices, text));
            if !is_known && standing.is_news(event) {
                telemetry::log(event, company);
            }
        };
        let world = World {
            source,
            standards,
            market,
            store,
            ledger,
            seen: &mut seen,
            locations,
            retries,
            looks,
        };
        let result = cycle::run(world, &order, report, &mut tell).await;
        self.seen = Some((source.path().clone(), seen));
        note_delay(source, report, metrics);
        let (path, setting) = (source.path().clone(), order.setting);
        self.last = report.commit.clone().map(|commit| Last { commit, path, setting });
        if matches!(result, Err(CycleError::Store(_))) {
            // What could not be written down is not remembered either.
            self.unsure = true;
            self.be_sure()?;
        }
        result
    }

    /// Makes the ledger what is written down, if that may not be so.
    fn be_sure(&mut self) -> Result<(), StoreError> {
        if self.unsure {
            self.ledger = self.store.load_ledger()?;
            self.unsure = false;
        }
        Ok(())
    }

    fn order(&mut self, trigger: Trigger, now: Timestamp) -> Order {
        let scope = match trigger {
            Trigger::Drift => Scope::Also(self.choose(now)),
            _ => Scope::New,
        };
        let pass = &self.config.pass;
        Order {
            scope,
            rate: self.config.drift_rate,
            patience: PART,
            hurry: self.hurry.subscribe(),
            // Somebody may have mended the marketplace, and restarted us.
            again: Again::WhenDue { rejected: !self.tried_rejected },
            correct_drift: pass.drift == Drift::Correct,
            prune: pass.prune,
            allow_deletes: pass.allow_deletes,
            max_updates: pass.max_updates,
            approved: None,
            setting: self.setting(),
            now,
            stop: self.stop.clone(),
        }
    }

    /// The next part of the search for drift.
    fn choose(&mut self, now: Timestamp) -> BTreeSet<ItemKey> {
        if self.search.is_none() {
            // A Console that was upgraded meanwhile may speak another API.
            self.market.forget_generation();
        }
        let search = self.search.get_or_insert_with(|| Search::begin(now));
        search.choose(&self.ledger, &self.looks, self.config.drift_rate)
    }

    /// Whether the search for drift goes on, after a part of it that `began`
    /// then.
    fn search_on(
        &mut self,
        trigger: Trigger,
        (at, began): (Timestamp, Instant),
        failed: bool,
    ) -> bool {
        let (Trigger::Drift, Some(search)) = (trigger, &mut self.search) else {
            return false;
        };
        // A pass that ended early says nothing of the items: it is made again.
        let cut = if failed || *self.hurry.borrow() {
            Cut::Hurried
        } else if began.elapsed() >= PART {
            Cut::Late
        } else {
            Cut::No
        };
        let more = search.goes_on(&self.ledger, &self.looks, at, cut);
        if !more {
            self.search = None;
        }
        more
    }

    /// What a rejection holds for, beside the item.
    fn setting(&self) -> Digest {
        setting(&self.config.connect.credential, self.standards.schemas.fingerprint())
    }

    /// Whether a pass would read again what the last one read, and ask again
    /// what it asked.
    fn is_unmoved(&self, trigger: Trigger, source: &Source) -> bool {
        let asks = matches!(trigger, Trigger::Commit | Trigger::Hook | Trigger::Poll);
        let (true, true, Some(last)) = (asks, source.is_git(), &self.last) else { return false };
        matches!(source.head(), Ok(Head::Commit(commit)) if commit == last.commit)
            && *source.path() == last.path
            && self.setting() == last.setting
    }

    /// What waits for a time of day must not wait for hours because somebody
    /// set the clock.
    fn mind_the_clock(&mut self) {
        if let Some(set_by) = self.clock.go_on(Clock::now()) {
            warn!(seconds = set_by.as_secs(), "The clock was set");
            self.retries.hasten(self.clock.wall);
            self.looks = Looks::new(fastrand::u64(..));
            self.search = None;
        }
    }

    /// Nothing moved: that too says that the daemon keeps up.
    fn unmoved(&mut self, trigger: Trigger, (at, began): (Timestamp, Instant)) {
        let last = self.standing.last_pass.as_ref().map(|pass| pass.came);
        if matches!(last, Some(Came::Success | Came::Noop)) {
            self.standing.last_success = Some(at);
        }
        debug!(trigger = trigger.name(), took = ?began.elapsed(), "Unmoved");
        self.metrics.unmoved(trigger, &self.standing);
        self.show();
    }

    /// Keeps what a pass came to, and says it.
    fn note(
        &mut self,
        trigger: Trigger,
        (at, began): (Timestamp, Instant),
        report: &Report,
        result: &Result<Rest, CycleError>,
    ) {
        let came = came(report, result);
        let error = result.as_ref().err().map(|error| failure::line(error));
        let known = self.standing.last_pass.as_ref().and_then(|pass| pass.error.clone());
        // Somebody is writing: that is over at the next try, or it is told then.
        let passing = matches!(result, Err(CycleError::Source(error)) if error.is_of_the_moment());
        match (&error, &known) {
            (Some(error), known)
                if known.as_ref() != Some(error) && !(passing && known.is_none()) =>
            {
                warn!(trigger = trigger.name(), reason = error, "Pass failed");
            }
            (Some(error), _) => debug!(trigger = trigger.name(), reason = error, "Pass failed"),
            (None, Some(_)) => info!("Recovered"),
            (None, None) => {}
        }
        self.unanswered = matches!(result, Err(CycleError::Marketplace(_)));
        if let Err(error) = result {
            self.market.forget_generation();
            if let CycleError::Source(error) = error {
                self.place.distrust(error);
            }
        }
        let was_seen = |key: &ItemKey| self.looks.is_of(key, at);
        self.standing.after(report, &self.retries, was_seen);
        let pass = Pass { at, took: began.elapsed(), trigger, came, error };
        summarise(&pass, report);
        self.standing.recorded = self.ledger.rows.len();
        self.standing.oldest_look = self.looks.oldest(self.ledger.rows.keys());
        if matches!(came, Came::Success | Came::Noop) {
            self.standing.last_success = Some(Timestamp::now());
        }
        self.metrics.pass(&pass, &report.timing, &self.standing);
        self.standing.last_pass = Some(pass);
        self.show();
    }

    /// Shows where the process stands. What others show beside it stands.
    fn show(&self) {
        self.publish.send_modify(|shown| {
            let mut standing = self.standing.clone();
            (standing.next_pass, standing.fetching) = (shown.next_pass, shown.fetching.clone());
            *shown = Arc::new(standing);
        });
    }

    /// Notes how long it is until the next pass.
    pub(super) fn next(publish: &watch::Sender<Arc<Standing>>, pause: Duration) {
        let at = Timestamp::now().saturating_add(pause).ok();
        publish.send_modify(|standing| Arc::make_mut(standing).next_pass = at);
    }
}

/// Whether a commit is one of git, as against the name of what a directory
/// held.
fn is_of_git(commit: &CommitId) -> bool {
    !commit.0.starts_with("dir-")
}

/// Whether a notice was not said before.
fn is_new(notices: &mut BTreeSet<String>, text: &str) -> bool {
    if notices.len() >= NOTICES_KEPT {
        notices.clear();
    }
    notices.insert(text.to_owned())
}
