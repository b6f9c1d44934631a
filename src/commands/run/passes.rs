//! The turns of the daemon: whether a pass is needed, what is asked of it, and
//! what is kept of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::cli::Drift;
use crate::commands::failure::{self, CommandError};
use crate::commands::market::setting;
use crate::commands::standards::{fingerprint, options};
use crate::config::{Location, RunConfig};
use crate::cycle::{self, CycleError, Order, World};
use crate::daemon::Turn;
use crate::domain::event::{Event, Outcome, Reason, Rest};
use crate::domain::images::ImageLocations;
use crate::domain::item::{ItemKey, RepoPath};
use crate::domain::ledger::Ledger;
use crate::domain::looks::Looks;
use crate::domain::plan::Scope;
use crate::domain::report::{Report, Verdict};
use crate::domain::retries::Retries;
use crate::domain::seen::Seen;
use crate::domain::standards::Standards;
use crate::domain::standing::{Came, Pass, Standing, Trigger};
use crate::edge::git::remote::{LocalClone, Remote};
use crate::edge::heartbeat::Heartbeat;
use crate::edge::marketplace::Marketplace;
use crate::edge::metrics::Metrics;
use crate::edge::source::{Head, Source, SourceError};
use crate::edge::store::Store;
use crate::edge::telemetry;
use crate::edge::watch::{Mode, Wakes, Watch};

/// How long a part of the search for drift takes, in seconds. Between two parts
/// what failed and what moved has its turn; what moves cuts a part short.
const SEARCH_SECONDS: u32 = 5;

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
    /// How the watch was said to work.
    mode: Mode,
    ledger: Ledger,
    seen: Option<(RepoPath, Seen)>,
    locations: ImageLocations,
    retries: Retries,
    looks: Looks,
    search: Option<Search>,
    /// What the last pass read, if it came to its end.
    head: Option<Head>,
    was_git: bool,
    notices: BTreeSet<String>,
    standing: Standing,
    publish: watch::Sender<Arc<Standing>>,
    hurry: watch::Sender<bool>,
    stop: watch::Receiver<bool>,
}

/// Where the source is, and what tells that it moved.
enum Place {
    Here { location: PathBuf, watch: Watch },
    Remote(Arc<Remote>),
}

/// A search for drift under way.
struct Search {
    since: Timestamp,
    /// What was chosen already; each is looked at once, also if the look fails.
    chosen: BTreeSet<ItemKey>,
}

/// What a daemon is made of.
pub(super) struct Parts {
    pub(super) config: Arc<RunConfig>,
    pub(super) store: Store,
    pub(super) standards: Standards,
    pub(super) market: Marketplace,
    pub(super) heart: Heartbeat,
    pub(super) metrics: Metrics,
    pub(super) remote: Option<Arc<Remote>>,
    pub(super) publish: watch::Sender<Arc<Standing>>,
    pub(super) stop: watch::Receiver<bool>,
}

impl Passes {
    /// Loads what earlier processes recorded.
    pub(super) fn new(parts: Parts) -> Result<Self, CommandError> {
        let Parts { config, store, standards, market, heart, metrics, remote, publish, stop } =
            parts;
        let place = match (&config.source.location, remote) {
            (_, Some(remote)) => Place::Remote(remote),
            (Location::Here(location), None) => {
                Place::Here { location: location.clone(), watch: Watch::start(location) }
            }
            (Location::Remote(_), None) => return Err(CommandError::NoClone),
        };
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
            mode: Mode::Events,
            ledger,
            seen: None,
            locations,
            retries: Retries::default(),
            looks: Looks::new(fastrand::u64(..)),
            search: None,
            head: None,
            was_git: false,
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
        match &self.place {
            Place::Here { watch, .. } => Some(watch.wakes()),
            Place::Remote(_) => None,
        }
    }

    /// Makes a pass, if there is need for one.
    pub(super) async fn turn(&mut self, trigger: Trigger) -> Turn {
        self.heart.beat();
        self.follow();
        let began = (Timestamp::now(), Instant::now());
        let result = match self.open() {
            // The first fetch is under way, and says when it is done.
            Err(SourceError::NotFetched { why: None }) => return Turn { rest: None, more: false },
            Ok((source, _)) if is_unmoved(trigger, &source, self.head.as_ref()) => {
                self.unmoved(trigger, began);
                return Turn { rest: None, more: false };
            }
            // The clone stays until the pass is over.
            Ok((source, _clone)) => self.pass(trigger, &source, began.0).await,
            Err(error) => (Report::default(), Err(error.into())),
        };
        self.heart.beat();
        let (report, result) = result;
        let more = self.search_on(trigger, began.0);
        self.note(trigger, began, &report, &result);
        let rest = match result {
            Ok(rest) => rest,
            Err(_) => Rest::Retry { after: self.market.retry_after() },
        };
        Turn { rest: Some(rest), more }
    }

    /// Watches what the path of the source leads to now.
    fn follow(&mut self) {
        let Place::Here { watch, .. } = &mut self.place else { return };
        watch.follow();
        self.metrics.watch_events(watch.events());
        if *watch.mode() == self.mode {
            return;
        }
        self.mode = watch.mode().clone();
        let every = self.config.poll_every;
        match &self.mode {
            Mode::Events => info!("The source is watched again"),
            Mode::Partly { why } => warn!(why, poll = ?every, "A part of the source is polled"),
            Mode::Polling { why } => warn!(why, poll = ?every, "The source is polled"),
        }
    }

    /// Opens the source anew: what is behind its path may be another
    /// repository by now.
    fn open(&mut self) -> Result<(Source, Option<Arc<LocalClone>>), SourceError> {
        let (location, clone) = match &self.place {
            Place::Here { location, .. } => (location.clone(), None),
            Place::Remote(remote) => match remote.current() {
                Some(clone) => (clone.path(), Some(clone)),
                None => {
                    let fetching = self.publish.borrow().fetching.clone();
                    let why = fetching.and_then(|fetching| fetching.error);
                    return Err(SourceError::NotFetched { why });
                }
            },
        };
        let source = Source::open(&options(&self.config.source, location.clone()))?;
        if self.was_git && !source.is_git() {
            // A volume that is not mounted looks like an empty directory.
            return Err(SourceError::NoLongerGit { path: location });
        }
        self.was_git = source.is_git();
        Ok((source, clone))
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
            Ok(rest) if !self.standing.ready => {
                // Ready means that both sides were seen, also if nothing was to
                // be asked of one of them.
                self.market.generation().await.map(|_| rest).map_err(CycleError::from)
            }
            other => other,
        };
        self.standing.ready |= result.is_ok();
        (report, result)
    }

    async fn cycle(
        &mut self,
        trigger: Trigger,
        source: &Source,
        now: Timestamp,
        report: &mut Report,
    ) -> Result<Rest, CycleError> {
        let order = self.order(trigger, now);
        let head = source.head();
        let (_, mut seen) = match self.seen.take().filter(|(path, _)| path == source.path()) {
            Some(seen) => seen,
            None => {
                let kept = self.store.recall_seen(fingerprint(&self.standards, source))?;
                (source.path().clone(), kept)
            }
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
        self.head = head.ok().filter(|_| report.planned);
        result
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
            hurry: self.hurry.subscribe(),
            waits: true,
            correct_drift: pass.drift == Drift::Correct,
            prune: pass.prune,
            // Somebody may have mended the marketplace, and restarted us.
            retry_rejected: !self.standing.ready,
            allow_deletes: pass.allow_deletes,
            max_updates: pass.max_updates,
            setting: setting(&self.config.connect.credential, self.standards.schemas.fingerprint()),
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
        let search =
            self.search.get_or_insert_with(|| Search { since: now, chosen: BTreeSet::new() });
        let keys = self.ledger.rows.keys().filter(|key| !search.chosen.contains(key));
        let most = self.config.drift_rate.saturating_mul(SEARCH_SECONDS) as usize;
        let chosen = self.looks.longest_unseen(keys, search.since, most);
        search.chosen.extend(chosen.iter().cloned());
        chosen
    }

    /// Whether the search for drift goes on, after a part of it at `now`.
    fn search_on(&mut self, trigger: Trigger, now: Timestamp) -> bool {
        let (Trigger::Drift, Some(search)) = (trigger, &mut self.search) else {
            return false;
        };
        let hurried = *self.hurry.borrow();
        if hurried {
            // What was not looked at for haste is chosen again.
            search.chosen.retain(|key| self.looks.is_seen_since(key, search.since));
        }
        let looked = search.chosen.iter().any(|key| self.looks.is_of(key, now));
        let keys = self.ledger.rows.keys().filter(|key| !search.chosen.contains(*key));
        let left = !self.looks.longest_unseen(keys, search.since, 1).is_empty();
        // If no look of a part went, the others would not go either.
        let more = left && (looked || hurried);
        if !more {
            self.search = None;
        }
        more
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
        let error = result.as_ref().err().map(|error| failure::chain(error));
        let known = self.standing.last_pass.as_ref().and_then(|pass| pass.error.clone());
        match (&error, &known) {
            (Some(error), known) if known.as_ref() != Some(error) => {
                warn!(trigger = trigger.name(), reason = error, "Pass failed");
            }
            (Some(error), _) => debug!(trigger = trigger.name(), reason = error, "Pass failed"),
            (None, Some(_)) => info!("Recovered"),
            (None, None) => {}
        }
        if let Err(error) = result {
            self.market.forget_generation();
            self.distrust(error);
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

    /// A clone that cannot be read is made anew by the next fetch.
    fn distrust(&self, error: &CycleError) {
        if let (Place::Remote(remote), CycleError::Source(error)) = (&self.place, error)
            && error.is_damage()
        {
            remote.distrust();
        }
    }

    /// Shows where the process stands. What others show beside it stands.
    fn show(&self) {
        self.publish.send_modify(|shown| {
            let Standing { next_pass, fetching, .. } = Standing::clone(shown);
            *shown = Arc::new(Standing { next_pass, fetching, ..self.standing.clone() });
        });
    }

    /// Notes how long it is until the next pass.
    pub(super) fn next(publish: &watch::Sender<Arc<Standing>>, pause: Duration) {
        let at = Timestamp::now().saturating_add(pause).ok();
        publish.send_modify(|standing| Arc::make_mut(standing).next_pass = at);
    }
}

/// Whether a pass would read again what the last one read.
fn is_unmoved(trigger: Trigger, source: &Source, last: Option<&Head>) -> bool {
    let asks = matches!(trigger, Trigger::Commit | Trigger::Hook | Trigger::Poll);
    asks && source.is_git() && last.is_some() && source.head().ok().as_ref() == last
}

/// Counts how long a commit took from its author to the marketplace.
fn note_delay(source: &Source, report: &Report, metrics: &Metrics) {
    let made = |outcome: &Outcome| {
        outcome.result.is_ok() && matches!(outcome.change.reason, Reason::New | Reason::Edited)
    };
    let Some(commit) = report.commit.as_ref().filter(|_| report.outcomes.values().any(made)) else {
        return;
    };
    // A directory has no commits, and a clock may be wrong: then there is
    // nothing to count.
    if let Ok(Some(info)) = source.commit_info(commit)
        && let Ok(delay) = Duration::try_from(Timestamp::now().duration_since(info.time))
    {
        metrics.applied(delay);
    }
}

/// Whether a notice was not said before.
fn is_new(notices: &mut BTreeSet<String>, text: &str) -> bool {
    if notices.len() >= NOTICES_KEPT {
        notices.clear();
    }
    notices.insert(text.to_owned())
}

fn came(report: &Report, result: &Result<Rest, CycleError>) -> Came {
    match (result, report.verdict()) {
        (Err(_), _) => Came::Error,
        (Ok(_), Verdict::Trouble) => Came::Partial,
        (Ok(_), Verdict::Guarded) => Came::Held,
        (Ok(_), Verdict::Good) if report.outcomes.is_empty() => Came::Noop,
        (Ok(_), Verdict::Good) => Came::Success,
    }
}

/// One line for a pass that did something, and for the first.
fn summarise(pass: &Pass, report: &Report) {
    let failed = report.failures().count();
    let applied = report.outcomes.len() - failed;
    if applied + failed == 0 && pass.trigger != Trigger::Start {
        return;
    }
    info!(
        trigger = pass.trigger.name(),
        result = pass.came.name(),
        commit = report.commit.as_ref().map(|commit| commit.short()),
        applied,
        failed,
        held = report.held.len(),
        unchanged = report.unchanged,
        took_ms = u64::try_from(pass.took.as_millis()).unwrap_or(u64::MAX),
        "Reconciled"
    );
}
