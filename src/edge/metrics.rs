//! What `/metrics` answers: what happened, counted, in the text format of
//! Prometheus. The names are those of `practice.md` §5.
//!
//! No label holds an item, a path or a message: the number of series depends
//! on the program and on the API, never on the catalogue.

mod families;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus::{Registry, TextEncoder};

use crate::domain::event::{Event, Failure, Outcome};
use crate::domain::report::Timing;
use crate::domain::standing::{Came, Pass, Standing, State, Trigger};
use crate::edge::marketplace::{Call, InFlight};

use families::Families;

/// The type of the text that [`Metrics::render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics cannot be made. Their names are constants, so that one which
/// works works always.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be made")]
pub struct MetricsError(#[from] prometheus::Error);

/// What a fetch of a remote repository came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// The branch names another commit than before.
    Moved,
    /// It names the same one.
    Unchanged,
    /// The repository could not be asked.
    Error,
}

impl Fetched {
    const ALL: [Self; 3] = [Self::Moved, Self::Unchanged, Self::Error];

    fn name(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Unchanged => "unchanged",
            Self::Error => "error",
        }
    }
}

/// What happened, counted. Copies count in the same place.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    families: Families,
    gauges: Arc<Mutex<Gauges>>,
}

/// What is computed when somebody asks.
#[derive(Default)]
struct Gauges {
    oldest_look: Option<Timestamp>,
    in_flight: Option<InFlight>,
}

impl Metrics {
    /// All metrics, at zero.
    ///
    /// # Errors
    /// None that depends on anything outside of the program.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let families = Families::registered(&registry)?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Self { registry, families, gauges: Arc::default() })
    }

    /// Something happened in a pass.
    pub fn event(&self, event: &Event) {
        if let Event::Settled { outcome: Outcome { change, result }, .. } = event {
            let result = match result {
                Ok(_) => "success",
                Err(Failure::Transient { .. }) => "failed",
                Err(Failure::Rejected { .. }) => "rejected",
            };
            let operation = change.action.to_string();
            self.families.item_operations.with_label_values(&[operation.as_str(), result]).inc();
        }
    }

    /// A request was made to the marketplace.
    pub fn call(&self, call: &Call) {
        let families = &self.families;
        let code = call.code.map_or_else(|| "none".to_owned(), |code| code.to_string());
        families.api_requests.with_label_values(&[call.method, call.route, code.as_str()]).inc();
        families
            .api_duration
            .with_label_values(&[call.method, call.route])
            .observe(call.took.as_secs_f64());
        let reason = match call.code {
            None => "network",
            Some(429) => "throttled",
            Some(408 | 425 | 500..=599) => "server",
            Some(_) => return,
        };
        families.api_retries.with_label_values(&[reason]).inc();
    }

    /// The marketplace whose requests under way are shown from now on.
    pub fn in_flight(&self, calls: InFlight) {
        self.gauges().in_flight = Some(calls);
    }

    /// A pass ended, and this is where the process stands after it.
    pub fn pass(&self, pass: &Pass, timing: &Timing, standing: &Standing) {
        let families = &self.families;
        let labels = [pass.trigger.name(), pass.came.name()];
        families.reconciles.with_label_values(&labels).inc();
        for (phase, took) in timing.phases() {
            families.reconcile_duration.with_label_values(&[phase]).observe(took.as_secs_f64());
        }
        families.reconcile_duration.with_label_values(&["total"]).observe(pass.took.as_secs_f64());
        if let Some(at) = standing.last_success {
            families.last_success.set(at.as_duration().as_secs_f64());
        }
        for (state, count) in standing.counts() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            families.items.with_label_values(&[state.name()]).set(count);
            if state == State::Drifted {
                families.drifted_items.set(count);
            }
        }
        if pass.came != Came::Error {
            self.count_guards(standing);
        }
        self.gauges().oldest_look = standing.oldest_look;
    }

    /// The source was looked at and had not moved: a pass that had nothing to do.
    pub fn unmoved(&self, trigger: Trigger, standing: &Standing) {
        let labels = [trigger.name(), Came::Noop.name()];
        self.families.reconciles.with_label_values(&labels).inc();
        if let Some(at) = standing.last_success {
            self.families.last_success.set(at.as_duration().as_secs_f64());
        }
    }

    /// A guard that holds a thousand items holds once.
    fn count_guards(&self, standing: &Standing) {
        let guards = standing.held.values().filter(|held| held.why.is_guard());
        let guards: std::collections::BTreeSet<_> = guards.map(|held| held.why.name()).collect();
        for guard in guards {
            self.families.guard_holds.with_label_values(&[guard]).inc();
        }
    }

    /// A commit was applied, so long after it was made.
    pub fn applied(&self, after: Duration) {
        self.families.commit_to_applied.observe(after.as_secs_f64());
    }

    /// The webhook was called and answered so.
    pub fn hook(&self, code: u16) {
        self.families.hook_requests.with_label_values(&[code.to_string().as_str()]).inc();
    }

    /// How many events the watcher of the source has seen since the start.
    pub fn watch_events(&self, total: u64) {
        // The lock keeps two callers from adding the same events twice.
        let gauges = self.gauges();
        let known = self.families.watch_events.get();
        self.families.watch_events.inc_by(total.saturating_sub(known));
        drop(gauges);
    }

    /// A remote repository was asked for what is new.
    pub fn fetched(&self, result: Fetched) {
        self.families.fetches.with_label_values(&[result.name()]).inc();
        if result != Fetched::Error {
            self.families.last_fetch.set(Timestamp::now().as_duration().as_secs_f64());
        }
    }

    /// All of it as text, of the type [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// None that a reader can cause; the encoder checks what it is given.
    pub fn render(&self) -> Result<String, MetricsError> {
        {
            let gauges = self.gauges();
            let calls = gauges.in_flight.as_ref().map_or(0, InFlight::now);
            self.families.api_in_flight.set(i64::try_from(calls).unwrap_or(i64::MAX));
            // Not a number compares with nothing: no alert fires before all
            // items were looked at.
            let age = gauges
                .oldest_look
                .map_or(f64::NAN, |at| Timestamp::now().duration_since(at).as_secs_f64().max(0.0));
            self.families.oldest_look.set(age);
        }
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    fn gauges(&self) -> std::sync::MutexGuard<'_, Gauges> {
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
