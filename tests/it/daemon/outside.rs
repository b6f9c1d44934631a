//! What is seen from outside, in the life of one process.

use std::collections::BTreeSet;
use std::fs;

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use super::told;
use crate::support::cli::{Bench, bare, until};
use crate::support::daemon::{BEATS, Daemon, EVENTS, command};
use crate::support::documents::sidecar;
use crate::support::front::call;

#[test]
fn readiness_is_the_first_whole_look() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.handle().fail(Fault::always(Route::Get, FaultKind::Delay { ms: 600 }));
    let daemon = Daemon::follow(&bench, EVENTS);
    until("it looks", || bench.handle().calls(Route::Get) > 0);
    assert_eq!((daemon.get("/readyz").0, daemon.get("/healthz").0), (503, 200), "{daemon}");
    assert_eq!(daemon.status()["ready"], false);
    daemon.ready();
    daemon.says("Created", "alpha NA", 1);
    // Later trouble shows elsewhere.
    bench.handle().clear_faults();
    bench.handle().fail(Fault::always(Route::Apply, FaultKind::status(503)));
    bench.commit(&[told("alpha", "two")]);
    daemon.says("Failed", "alpha NA", 1);
    assert_eq!((daemon.get("/readyz").0, daemon.get("/healthz").0), (200, 200), "{daemon}");
    // While it stops it is ready no more.
    bench.handle().clear_faults();
    bench.handle().fail(Fault::always(Route::Apply, FaultKind::Delay { ms: 1500 }));
    bench.handle().clear_log();
    bench.commit(&[told("alpha", "three")]);
    until("an apply in flight", || !bench.sent().is_empty());
    daemon.signal("TERM");
    daemon.until("it is ready no more", |daemon| daemon.get("/readyz").0 != 200);
    daemon.end().exits(0);
}

#[test]
fn the_numbers_move() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha"), sidecar("beta")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "beta NA", 1);
    let passes = |trigger: &str, result: &str| {
        daemon.metric(&format!(
            "marketsync_reconcile_total{{result=\"{result}\",trigger=\"{trigger}\"}}"
        ))
    };
    daemon.until("the start is counted", |_| passes("start", "success") == 1);
    assert_eq!(daemon.metric(r#"marketsync_items{state="synced"}"#), 2, "{daemon}");
    bench.commit(&[told("alpha", "two")]);
    daemon.until("the commit is counted", |_| passes("commit", "success") == 1);
    let operations = |operation: &str, result: &str| {
        daemon.metric(&format!(
            "marketsync_item_operations_total{{operation=\"{operation}\",result=\"{result}\"}}"
        ))
    };
    assert_eq!((operations("create", "success"), operations("update", "success")), (2, 1));
    assert_eq!(daemon.metric("marketsync_commit_to_applied_seconds_count"), 2, "{daemon}");
    assert!(daemon.metric("marketsync_watch_events_total") > 0);
    assert!(daemon.metrics()["marketsync_last_success_timestamp_seconds"] > 1.7e9);
    // Failure and its retries.
    bench.handle().fail(Fault::always(Route::Apply, FaultKind::status(503)).times(2));
    bench.commit(&[told("alpha", "three")]);
    daemon.says("Updated", "alpha NA", 2);
    assert_eq!(daemon.metric(r#"marketsync_api_retries_total{reason="server"}"#), 2, "{daemon}");
    assert!(operations("update", "failed") >= 1, "{daemon}");
    let busy: f64 = daemon
        .metrics()
        .into_iter()
        .filter(|(name, _)| name.starts_with("marketsync_api_requests_total{code=\"503\""))
        .map(|(_, value)| value)
        .sum();
    assert!((busy - 2.0).abs() < 0.5, "{busy}");
    // A broken file.
    bench.repo.write("items/broken.json", "{");
    bench.repo.commit("broken");
    let invalid = r#"marketsync_items{state="invalid"}"#;
    daemon.until("it is counted", |daemon| daemon.metric(invalid) == 1);
    assert!(passes("commit", "partial") >= 1, "{daemon}");
    daemon.stop();
}

/// Everything that the documented schema demands is there, and nothing that it
/// does not name.
fn as_documented(status: &Value, but: &[&str]) {
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/status.schema.json")).unwrap();
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let mut documented = names(&schema["properties"]);
    for gone in but {
        assert!(documented.remove(*gone));
    }
    assert_eq!(names(status), documented, "{status:#}");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<String> = validator.iter_errors(status).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}\n{status:#}");
}

#[test]
fn the_status_is_what_the_documentation_says() {
    let bench = Bench::new();
    let refusal = FaultKind::RejectItem { message: "the plan is full".to_owned() };
    bench.handle().fail(Fault::always(Route::Apply, refusal).for_item("beta"));
    bench.repo.write("items/broken.json", "{");
    let first = bench.commit(&[sidecar("alpha"), sidecar("beta"), sidecar("gamma")]);
    let daemon = Daemon::follow(&bench, BEATS);
    daemon.says("Rejected", "beta NA", 1);
    bench.handle().put_raw("acme", &told("gamma", "theirs")).unwrap();
    daemon.says("Drifted", "gamma NA", 1);
    daemon.passes("drift", 1);
    let status = daemon.status();
    as_documented(&status, &["items"]);
    for (pointer, value) in [
        ("/version", json!(1)),
        ("/commit", json!(first)),
        ("/company", json!("acme")),
        ("/endpoint", json!(bench.market.url)),
        ("/ready", json!(true)),
        ("/wanted", json!(3)),
        ("/counts/synced", json!(1)),
        ("/counts/drifted", json!(1)),
        ("/counts/rejected", json!(1)),
        ("/counts/invalid", json!(1)),
        ("/fetch", json!(null)),
        ("/failed/0/itemId", json!("beta")),
        ("/failed/0/rejected", json!(true)),
        ("/held/0/itemId", json!("beta")),
        ("/held/0/hold", json!("rejected")),
        ("/held/1/itemId", json!("gamma")),
        ("/held/1/fields", json!(["/description"])),
        ("/problems/0/path", json!("items/broken.json")),
        ("/failedTotal", json!(1)),
        ("/heldTotal", json!(2)),
        ("/problemsTotal", json!(1)),
    ] {
        assert_eq!(status.pointer(pointer), Some(&value), "{pointer}\n{status:#}");
    }
    assert!(status["nextPassAt"].is_string() && status["oldestLookSeconds"].is_u64(), "{status:#}");
    let whole: Value = serde_json::from_str(&daemon.get("/status?items=true").1).unwrap();
    as_documented(&whole, &[]);
    assert_eq!(whole["items"].as_array().unwrap().len(), 3, "{whole:#}");

    let shown = bare(bench.home.path(), &["status", "--url", &daemon.url()]).exits(1);
    shown.prints("the plan is full").prints("items/broken.json").prints("gamma");
    let shown = bare(bench.home.path(), &["status", "--url", &daemon.url(), "--format=json"]);
    as_documented(&shown.json(), &[]);
    // The state may be read beside it.
    assert_eq!(bench.recorded().len(), 3);
    daemon.stop();
    bare(bench.home.path(), &["status", "--url", "http://127.0.0.1:9"]).exits(2).tells("hint");
}

#[test]
fn a_webhook_wakes_it_and_only_with_its_secret() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let secret = bench.home.path().join("hook");
    fs::write(&secret, "open sesame\n").unwrap();
    let args = [EVENTS, &["--hook-secret-file", secret.to_str().unwrap()]].concat();
    let daemon = Daemon::follow(&bench, &args);
    daemon.says("Created", "alpha NA", 1);
    daemon.ready();
    for headers in [
        &[][..],
        &[("X-Gitlab-Token", "guess")],
        &[("X-Hub-Signature-256", "sha256=00")],
        &[(
            "X-Gitea-Signature",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        )],
    ] {
        assert_eq!(daemon.ask(&call(headers, b"{}")).0, 401, "{headers:?}");
    }
    let count = |daemon: &Daemon, what: &str| -> f64 {
        let series = daemon.metrics().into_iter().filter(|(name, _)| name.contains(what));
        series.map(|(_, value)| value).sum()
    };
    assert!((count(&daemon, r#"hook_requests_total{code="401"}"#) - 4.0).abs() < 0.5);
    assert!(count(&daemon, r#"trigger="hook""#) < 0.5, "{daemon}");
    let right = call(&[("X-Gitlab-Token", "open sesame")], b"{}");
    assert_eq!(daemon.ask(&right).0, 202);
    daemon.until("it looks", |daemon| count(daemon, r#"trigger="hook""#) > 0.5);
    // Another secret counts from the next call on.
    fs::write(&secret, "another\n").unwrap();
    assert_eq!(daemon.ask(&right).0, 401);
    assert_eq!(daemon.mentions("sesame"), 0, "{daemon}");
    daemon.stop();
}

#[test]
fn without_a_secret_there_is_no_webhook() {
    let bench = Bench::new();
    let daemon = Daemon::follow(&bench, EVENTS);
    assert_eq!(daemon.ask(&call(&[("X-Gitlab-Token", "")], b"{}")).0, 404);
    daemon.stop();
}

#[test]
fn a_secret_is_told_nowhere() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let mut verbose = command(&bench, bench.repo.path(), &[BEATS, &["--log-level=trace"]].concat());
    verbose.env("MARKETSYNC_CLIENT_SECRET", "hunter2hunter2");
    let daemon = Daemon::start(verbose);
    daemon.says("Created", "alpha NA", 1);
    bench.handle().fail(Fault::always(Route::Token, FaultKind::status(401)));
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(401)));
    daemon.passes(r#"result="error""#, 1);
    let shown = [daemon.get("/status").1, daemon.get("/metrics").1].concat();
    let log = daemon.stop();
    // As it is, in base64 behind `id:`, and the token that came for it.
    for secret in ["hunter2", "aWQ6aHVudGVyM", "Bearer ey", "A very simple sidecar"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
        assert!(!log.stderr.contains(secret), "{secret}: {log}");
    }
}
