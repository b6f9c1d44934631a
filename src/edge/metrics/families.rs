//! The names, labels and help texts of the metrics. A series that can be known
//! in advance is there from the start, at zero: `rate()` and alerts need the
//! step from zero to one.

use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, core::Collector,
};

use super::Fetched;
use crate::domain::report::Timing;
use crate::domain::standing::{Came, State, Trigger};

/// Seconds. A pass that finds nothing takes milliseconds; one over a large
/// catalogue or a slow marketplace takes minutes.
const OF_A_PASS: [f64; 13] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];

/// Seconds. 300 ms is what is promised for a commit in a watched checkout, 60 s
/// the time between two fetches of a remote repository.
const OF_A_COMMIT: [f64; 12] =
    [0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 120.0, 600.0, 3600.0];

/// Seconds. A request ends after 30 s.
const OF_A_REQUEST: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// What the webhook answers.
pub(crate) const HOOK_CODES: [u16; 8] = [202, 400, 401, 404, 408, 413, 429, 503];

#[derive(Clone)]
pub(super) struct Families {
    pub(super) reconciles: IntCounterVec,
    pub(super) reconcile_duration: HistogramVec,
    pub(super) last_success: Gauge,
    pub(super) commit_to_applied: Histogram,
    pub(super) items: IntGaugeVec,
    pub(super) item_operations: IntCounterVec,
    pub(super) drifted_items: IntGauge,
    pub(super) oldest_look: Gauge,
    pub(super) guard_holds: IntCounterVec,
    pub(super) api_requests: IntCounterVec,
    pub(super) api_duration: HistogramVec,
    pub(super) api_retries: IntCounterVec,
    pub(super) api_in_flight: IntGauge,
    pub(super) watch_events: IntCounter,
    pub(super) hook_requests: IntCounterVec,
    pub(super) fetches: IntCounterVec,
    pub(super) last_fetch: Gauge,
}

/// Makes families, each known to one registry.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn known<T: Collector + Clone + 'static>(&self, family: T) -> prometheus::Result<T> {
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        self.known(IntCounter::with_opts(named(name, help))?)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        self.known(IntCounterVec::new(named(name, help), labels)?)
    }

    fn whole_gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        self.known(IntGauge::with_opts(named(name, help))?)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        self.known(Gauge::with_opts(named(name, help))?)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        self.known(IntGaugeVec::new(named(name, help), labels)?)
    }

    fn times(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: &[&str],
    ) -> prometheus::Result<HistogramVec> {
        let options = HistogramOpts::from(named(name, help)).buckets(buckets.to_vec());
        self.known(HistogramVec::new(options, labels)?)
    }
}

fn named(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("marketsync")
}

impl Families {
    pub(super) fn registered(registry: &Registry) -> prometheus::Result<Self> {
        let make = Maker(registry);
        let build_info = make.gauges(
            "build_info",
            "Always 1; the label holds the version of the program.",
            &["version"],
        )?;
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let families = Self::made(&make)?;
        families.begin();
        Ok(families)
    }

    #[rustfmt::skip]
    fn made(make: &Maker<'_>) -> prometheus::Result<Self> {
        let commit_to_applied = named("commit_to_applied_seconds", "Time from a commit to the moment when all that it changed was applied.");
        let commit_to_applied = HistogramOpts::from(commit_to_applied).buckets(OF_A_COMMIT.to_vec());
        Ok(Self {
            reconciles: make.counters("reconcile_total", "Passes that ended, by why they were made and what they came to.", &["trigger", "result"])?,
            reconcile_duration: make.times("reconcile_duration_seconds", "Time that a pass took, by phase; `total` is all of it.", &OF_A_PASS, &["phase"])?,
            last_success: make.gauge("last_success_timestamp_seconds", "When a pass last came to its end without trouble, as Unix time; 0 if none did.")?,
            commit_to_applied: make.known(Histogram::with_opts(commit_to_applied)?)?,
            items: make.gauges("items", "Items by state; invalid ones are counted by file.", &["state"])?,
            item_operations: make.counters("item_operations_total", "Changes that were tried, by what became of them.", &["operation", "result"])?,
            drifted_items: make.whole_gauge("drifted_items", "Items that were changed in the marketplace and are left so.")?,
            oldest_look: make.gauge("oldest_look_seconds", "How long ago that item was last looked at that was not looked at for longest; NaN if one was not looked at since the start.")?,
            guard_holds: make.counters("guard_holds_total", "Passes in which a guard held something.", &["guard"])?,
            api_requests: make.counters("api_requests_total", "Requests to the marketplace by status; `none` if no answer came.", &["method", "route", "code"])?,
            api_duration: make.times("api_request_duration_seconds", "Time that a request to the marketplace took.", &OF_A_REQUEST, &["method", "route"])?,
            api_retries: make.counters("api_retries_total", "Requests to the marketplace that failed for a passing reason and are made again.", &["reason"])?,
            api_in_flight: make.whole_gauge("api_in_flight", "Requests to the marketplace that wait for their answer.")?,
            watch_events: make.counter("watch_events_total", "Events that the watcher of the source has seen.")?,
            hook_requests: make.counters("hook_requests_total", "Calls of the webhook by the status of the answer.", &["code"])?,
            fetches: make.counters("fetch_total", "Fetches of a remote repository by what they came to.", &["result"])?,
            last_fetch: make.gauge("last_fetch_timestamp_seconds", "When a fetch of a remote repository last came to its end, as Unix time; 0 if none did.")?,
        })
    }

    /// Brings forth what can be known in advance.
    fn begin(&self) {
        for trigger in Trigger::ALL {
            for came in Came::ALL {
                self.reconciles.with_label_values(&[trigger.name(), came.name()]);
            }
        }
        for (phase, _) in Timing::default().phases() {
            self.reconcile_duration.with_label_values(&[phase]);
        }
        self.reconcile_duration.with_label_values(&["total"]);
        for state in State::ALL {
            self.items.with_label_values(&[state.name()]);
        }
        for operation in ["create", "update", "delete", "adopt", "forget"] {
            for result in ["success", "failed", "rejected"] {
                self.item_operations.with_label_values(&[operation, result]);
            }
        }
        for guard in ["delete-guard", "empty-source", "update-guard"] {
            self.guard_holds.with_label_values(&[guard]);
        }
        for reason in ["network", "throttled", "server"] {
            self.api_retries.with_label_values(&[reason]);
        }
        for code in HOOK_CODES {
            self.hook_requests.with_label_values(&[code.to_string().as_str()]);
        }
        for result in Fetched::ALL {
            self.fetches.with_label_values(&[result.name()]);
        }
    }
}
