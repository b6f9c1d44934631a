//! What is counted, as a scraper reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use marketsync::domain::event::{Action, Change, Event, Failure, Held, Hold, Outcome, Reason};
use marketsync::domain::report::Timing;
use marketsync::domain::standing::{Came, Pass, Trigger};
use marketsync::edge::marketplace::Call;
use marketsync::edge::metrics::{Fetched, Metrics};

use crate::support::domain::{commit, done, key};
use crate::support::front::standing;

/// Series → value, of a text that keeps the rules of the text format 0.0.4.
fn read(text: &str) -> BTreeMap<String, f64> {
    let (mut series, mut types, mut helps) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.'), "{line}");
            assert!(helps.insert(name.to_owned()), "{name} has two helps");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helps.contains(name), "{name} has no help");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert_eq!(types.insert(name.to_owned(), kind.to_owned()), None, "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| family.strip_suffix(part)).unwrap_or(family);
            assert!(types.contains_key(family) || types[whole] == "histogram", "{line}");
            assert!(name.starts_with("marketsync_") || name.starts_with("process_"), "{line}");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert_eq!(series.insert(name.to_owned(), value), None, "{name} stands twice");
        }
    }
    series
}

fn now(metrics: &Metrics) -> BTreeMap<String, f64> {
    read(&metrics.render().unwrap())
}

/// What differs between two readings, those of the process left out.
fn moved(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> Vec<String> {
    let mut moved = Vec::new();
    for (name, value) in after {
        let was = before.get(name).copied().unwrap_or(0.0);
        if was.total_cmp(value).is_ne()
            && !name.starts_with("process_")
            && !name.contains("_bucket")
        {
            moved.push(format!("{name} {value}"));
        }
    }
    moved
}

fn call(code: Option<u16>) -> Call {
    Call { method: "GET", route: "/api/version", code, took: Duration::from_millis(500) }
}

fn change(action: Action) -> Change {
    Change {
        key: key("a", "NA"),
        action,
        reason: Reason::Removed,
        wanted: None,
        from: None,
        fields: Vec::new(),
        object_id: None,
    }
}

#[test]
fn what_can_be_known_is_there_from_the_start() {
    let series = now(&Metrics::new().unwrap());
    for name in [
        "marketsync_reconcile_total{result=\"success\",trigger=\"commit\"}",
        "marketsync_reconcile_duration_seconds_count{phase=\"total\"}",
        "marketsync_reconcile_duration_seconds_count{phase=\"load\"}",
        "marketsync_last_success_timestamp_seconds",
        "marketsync_commit_to_applied_seconds_count",
        "marketsync_items{state=\"synced\"}",
        "marketsync_item_operations_total{operation=\"delete\",result=\"rejected\"}",
        "marketsync_drifted_items",
        "marketsync_guard_holds_total{guard=\"delete-guard\"}",
        "marketsync_api_retries_total{reason=\"network\"}",
        "marketsync_api_in_flight",
        "marketsync_watch_events_total",
        "marketsync_hook_requests_total{code=\"401\"}",
        "marketsync_fetch_total{result=\"error\"}",
    ] {
        assert_eq!(series.get(name), Some(&0.0), "{name}");
    }
    let version = format!("marketsync_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(series.get(&version), Some(&1.0));
    assert!(series["marketsync_oldest_look_seconds"].is_nan());
    #[cfg(target_os = "linux")]
    assert!(series["process_resident_memory_bytes"] > 0.0);
}

#[test]
fn calls_are_counted_by_what_came_of_them() {
    let metrics = Metrics::new().unwrap();
    let before = now(&metrics);
    for code in [Some(200), Some(404), Some(429), Some(503), Some(408), None] {
        metrics.call(&call(code));
    }
    assert_eq!(
        moved(&before, &now(&metrics)),
        [
            "marketsync_api_request_duration_seconds_count{method=\"GET\",route=\"/api/version\"} 6",
            "marketsync_api_request_duration_seconds_sum{method=\"GET\",route=\"/api/version\"} 3",
            "marketsync_api_requests_total{code=\"200\",method=\"GET\",route=\"/api/version\"} 1",
            "marketsync_api_requests_total{code=\"404\",method=\"GET\",route=\"/api/version\"} 1",
            "marketsync_api_requests_total{code=\"408\",method=\"GET\",route=\"/api/version\"} 1",
            "marketsync_api_requests_total{code=\"429\",method=\"GET\",route=\"/api/version\"} 1",
            "marketsync_api_requests_total{code=\"503\",method=\"GET\",route=\"/api/version\"} 1",
            "marketsync_api_requests_total{code=\"none\",method=\"GET\",route=\"/api/version\"} 1",
            "marketsync_api_retries_total{reason=\"network\"} 1",
            "marketsync_api_retries_total{reason=\"server\"} 2",
            "marketsync_api_retries_total{reason=\"throttled\"} 1",
        ]
    );
}

#[test]
fn changes_are_counted_by_what_became_of_them() {
    let metrics = Metrics::new().unwrap();
    let before = now(&metrics);
    let settled = |outcome| Event::Settled { outcome, commit: commit("c1") };
    let failed = |failure| Outcome { change: change(Action::Delete), result: Err(failure) };
    let rejected = Failure::Rejected { why: "no".to_owned(), pointer: None };
    let passing = Failure::Transient { why: "no".to_owned(), retry_after: None };
    metrics.event(&settled(done(&change(Action::Create))));
    metrics.event(&settled(done(&change(Action::Forget))));
    metrics.event(&settled(failed(rejected)));
    metrics.event(&settled(failed(passing)));
    metrics.event(&Event::Notice("nothing to count".to_owned()));
    assert_eq!(
        moved(&before, &now(&metrics)),
        [
            "marketsync_item_operations_total{operation=\"create\",result=\"success\"} 1",
            "marketsync_item_operations_total{operation=\"delete\",result=\"failed\"} 1",
            "marketsync_item_operations_total{operation=\"delete\",result=\"rejected\"} 1",
            "marketsync_item_operations_total{operation=\"forget\",result=\"success\"} 1",
        ]
    );
}

/// A standing after a pass that one guard and one drift held.
fn pass(metrics: &Metrics, came: Came) {
    let mut standing = standing();
    let hold = |id: &str, why| (key(id, "NA"), Held { change: change(Action::Delete), why });
    std::sync::Arc::make_mut(&mut standing.held).extend([
        hold("a", Hold::DeleteGuard { wanted: 9, allowed: 1 }),
        hold("b", Hold::DeleteGuard { wanted: 9, allowed: 1 }),
        hold("c", Hold::DriftReported),
        hold("d", Hold::PruneOff),
    ]);
    standing.recorded = 5;
    standing.last_success = Some(Timestamp::constant(1_770_000_000, 0));
    standing.oldest_look = Some(Timestamp::now() - Duration::from_secs(100));
    let timing = Timing { load: Duration::from_secs(1), ..Timing::default() };
    let pass = Pass {
        at: Timestamp::now(),
        took: Duration::from_secs(2),
        trigger: Trigger::Drift,
        came,
        error: None,
    };
    metrics.pass(&pass, &timing, &standing);
}

#[test]
fn a_pass_shows_where_the_process_stands() {
    let metrics = Metrics::new().unwrap();
    let before = now(&metrics);
    pass(&metrics, Came::Held);
    let mut after = now(&metrics);
    let age = after.remove("marketsync_oldest_look_seconds").unwrap();
    assert!((100.0..160.0).contains(&age), "{age}");
    assert_eq!(
        moved(&before, &after),
        [
            "marketsync_drifted_items 1",
            "marketsync_guard_holds_total{guard=\"delete-guard\"} 1",
            "marketsync_items{state=\"drifted\"} 1",
            "marketsync_items{state=\"held\"} 3",
            "marketsync_items{state=\"synced\"} 5",
            "marketsync_last_success_timestamp_seconds 1770000000",
            "marketsync_reconcile_duration_seconds_count{phase=\"load\"} 1",
            "marketsync_reconcile_duration_seconds_count{phase=\"observe\"} 1",
            "marketsync_reconcile_duration_seconds_count{phase=\"plan\"} 1",
            "marketsync_reconcile_duration_seconds_count{phase=\"send\"} 1",
            "marketsync_reconcile_duration_seconds_count{phase=\"total\"} 1",
            "marketsync_reconcile_duration_seconds_sum{phase=\"load\"} 1",
            "marketsync_reconcile_duration_seconds_sum{phase=\"total\"} 2",
            "marketsync_reconcile_total{result=\"held\",trigger=\"drift\"} 1",
        ]
    );
    pass(&metrics, Came::Error);
    let last = now(&metrics);
    assert!((last["marketsync_guard_holds_total{guard=\"delete-guard\"}"] - 1.0).abs() < 0.1);
}

#[test]
fn the_rest_is_counted_too() {
    let metrics = Metrics::new().unwrap();
    let before = now(&metrics);
    metrics.applied(Duration::from_millis(250));
    metrics.hook(202);
    metrics.watch_events(5);
    metrics.watch_events(7);
    metrics.watch_events(6);
    metrics.fetched(Fetched::Error);
    assert_eq!(now(&metrics)["marketsync_last_fetch_timestamp_seconds"].to_bits(), 0);
    metrics.fetched(Fetched::Moved);
    let mut after = now(&metrics);
    let fetched = after.remove("marketsync_last_fetch_timestamp_seconds").unwrap();
    let ago = Timestamp::now().as_duration().as_secs_f64() - fetched;
    assert!((0.0..60.0).contains(&ago), "{ago}");
    assert_eq!(
        moved(&before, &after),
        [
            "marketsync_commit_to_applied_seconds_count 1",
            "marketsync_commit_to_applied_seconds_sum 0.25",
            "marketsync_fetch_total{result=\"error\"} 1",
            "marketsync_fetch_total{result=\"moved\"} 1",
            "marketsync_hook_requests_total{code=\"202\"} 1",
            "marketsync_watch_events_total 7",
        ]
    );
}

/// What Prometheus' own linter says, where it is installed.
#[test]
fn promtool_finds_nothing_to_say() {
    let metrics = Metrics::new().unwrap();
    metrics.call(&call(Some(200)));
    pass(&metrics, Came::Held);
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("skipped: promtool is not installed (Debian: prometheus)");
        return;
    };
    let text = metrics.render().unwrap();
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success() && text.is_empty(), "{text}");
}
