//! What does not go: it waits alone, it is held, or all wait, as
//! `practice.md` §4 says.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use marketsync::embedded::{Fault, FaultKind, Route};

use super::{description, told};
use crate::support::cli::{Bench, program, until};
use crate::support::daemon::{BEATS, Daemon, EVENTS, command_of};
use crate::support::documents::sidecar;

/// A refusal that says when to come back.
fn come_back(seconds: u32) -> FaultKind {
    FaultKind::Status {
        code: 429,
        body: None,
        content_type: None,
        retry_after: Some(seconds.to_string()),
        processed: false,
    }
}

/// How often this item was sent.
fn sent(bench: &Bench, item: &str) -> usize {
    bench.sent().iter().filter(|sent| *sent == item).count()
}

#[test]
fn an_item_that_fails_waits_alone() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "alpha NA", 1);
    bench.handle().fail(Fault::always(Route::Apply, FaultKind::status(503)).for_item("beta"));
    bench.commit(&[sidecar("beta")]);
    daemon.says("Failed", "beta NA", 1);
    // Its pause has grown by then, and nobody else waits for it.
    until("it is tried again", || sent(&bench, "beta NA") >= 3);
    for round in 0..3 {
        bench.commit(&[told("alpha", &format!("round {round}")), sidecar(&format!("new{round}"))]);
        daemon.says("Updated", "alpha NA", round + 1);
        daemon.says("Created", &format!("new{round} NA"), 1);
    }
    let status = daemon.status();
    assert_eq!(status["counts"]["failed"], 1, "{status}");
    let failed = &status["failed"][0];
    assert_eq!(
        (&failed["itemId"], &failed["rejected"]),
        (&"beta".into(), &false.into()),
        "{status}"
    );
    assert!(failed["why"].as_str().unwrap().contains("503"), "{status}");
    assert_eq!(daemon.said("Updated").len(), 3, "{daemon}");
    bench.handle().clear_faults();
    daemon.says("Created", "beta NA", 1);
    assert_eq!(daemon.said("Created").len(), 5, "{daemon}");
    daemon.until("nothing failed", |daemon| daemon.status()["counts"]["failed"] == 0);
    daemon.stop();
}

/// `docs/monitoring.md`: "what lasts is told once, and again when it changes".
#[test]
fn what_lasts_is_told_once() {
    for route in [Route::Apply, Route::Get] {
        let bench = Bench::new();
        bench.handle().fail(Fault::always(route, FaultKind::status(503)).for_item("beta"));
        bench.commit(&[sidecar("alpha"), sidecar("beta")]);
        let daemon = Daemon::follow(&bench, EVENTS);
        daemon.passes("retry", 4);
        let told = daemon.said("Failed").len() + daemon.said("Held").len();
        let items = if route == Route::Apply { 2 } else { 1 };
        assert!(told <= items, "{route:?}:\n{daemon}");
        daemon.stop();
    }
}

/// A batch that fails as a whole hides which of its items it was.
#[test]
fn one_that_fails_does_not_keep_its_batch() {
    let bench = Bench::new();
    bench.handle().fail(Fault::always(Route::Apply, FaultKind::status(503)).for_item("beta"));
    bench.commit(&[sidecar("alpha"), sidecar("beta"), sidecar("gamma")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "alpha NA", 1);
    daemon.says("Created", "gamma NA", 1);
    assert_eq!((daemon.said("Created").len(), bench.names().len()), (2, 2), "{daemon}");
    daemon.stop();
}

#[test]
fn what_is_rejected_is_held_until_its_file_changes() {
    let bench = Bench::new();
    let refusal = FaultKind::RejectItem { message: "the plan is full".to_owned() };
    bench.handle().fail(Fault::always(Route::Apply, refusal).for_item("beta"));
    bench.commit(&[sidecar("alpha"), sidecar("beta")]);
    let daemon = Daemon::follow(&bench, BEATS);
    daemon.says("Rejected", "beta NA", 1);
    daemon.says("Created", "alpha NA", 1);
    daemon.passes("drift", 3);
    bench.commit(&[told("alpha", "two")]);
    daemon.says("Updated", "alpha NA", 1);
    assert_eq!(sent(&bench, "beta NA"), 1, "not at each beat:\n{daemon}");
    assert_eq!(daemon.said("Rejected"), ["beta NA"], "{daemon}");
    let status = daemon.status();
    assert_eq!(status["counts"]["rejected"], 1, "{status}");
    assert!(status["failed"][0]["why"].as_str().unwrap().contains("the plan is full"), "{status}");
    assert_eq!(daemon.metric(r#"marketsync_items{state="rejected"}"#), 1);
    // Another file, another try; another refusal is told.
    bench.commit(&[told("beta", "two")]);
    daemon.says("Rejected", "beta NA", 2);
    assert_eq!(sent(&bench, "beta NA"), 2);
    daemon.stop();
    // And another at the start.
    bench.handle().clear_faults();
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "beta NA", 1);
    assert_eq!(bench.sent(), ["beta NA"]);
    daemon.stop();
}

/// The marketplace as a process of its own.
struct Shop(Child, String);

impl Shop {
    fn open(bench: &Bench, listen: &str) -> Self {
        let mut child = program(bench.home.path())
            .args(["marketplace", "--listen", listen, "--data", "shop.jsonl"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self(child, url.trim().to_owned())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_marketplace_that_was_down_is_served_when_it_is_back() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let shop = Shop::open(&bench, "127.0.0.1:0");
    let url = shop.1.clone();
    let run = command_of(bench.home.path(), &url, &bench.state(), bench.repo.path(), EVENTS);
    let daemon = Daemon::start(run);
    daemon.says("Created", "alpha NA", 1);
    drop(shop);
    bench.commit(&[told("alpha", "two"), sidecar("beta")]);
    daemon.passes("retry", 2);
    bench.commit(&[sidecar("gamma")]);
    daemon.passes("retry", 1);
    assert_eq!(daemon.get("/readyz").0, 200, "once ready, always ready");
    let shop = Shop::open(&bench, url.strip_prefix("http://").unwrap());
    assert_eq!(shop.1, url);
    daemon.says("Updated", "alpha NA", 1);
    daemon.says("Created", "beta NA", 1);
    daemon.says("Created", "gamma NA", 1);
    assert_eq!(daemon.said("Created").len(), 3, "{daemon}");
    assert_eq!(daemon.said("Updated").len(), 1, "{daemon}");
    daemon.stop();
}

#[test]
fn a_retry_after_pauses_all() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let daemon = Daemon::follow(&bench, &["--poll-every=100ms", "--drift=off"]);
    daemon.says("Created", "alpha NA", 1);
    bench.handle().fail(Fault::once(Route::Apply, come_back(3)));
    bench.commit(&[told("alpha", "two")]);
    until("it is asked to wait", || bench.calls().iter().any(|call| call.status == Some(429)));
    let began = Instant::now();
    bench.handle().clear_log();
    bench.commit(&[sidecar("beta")]);
    until("something is asked again", || !bench.calls().is_empty());
    // Half a second for the way from the server's answer to this clock.
    assert!(began.elapsed() > Duration::from_millis(2500), "{:?}\n{daemon}", began.elapsed());
    daemon.says("Created", "beta NA", 1);
    daemon.says("Updated", "alpha NA", 1);
    daemon.stop();
}

#[test]
fn a_newer_commit_ends_the_retries_of_the_older() {
    let bench = Bench::new();
    bench.handle().fail(Fault::always(Route::Apply, FaultKind::status(503)));
    bench.commit(&[told("beta", "old")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Failed", "beta NA", 1);
    until("it is tried again", || sent(&bench, "beta NA") >= 3);
    let newer = bench.commit(&[told("beta", "new")]);
    daemon.until("the newer is read", |daemon| daemon.status()["commit"] == newer.as_str());
    bench.handle().clear_faults();
    daemon.says("Created", "beta NA", 1);
    // What came of a retry of the old document would be an update now.
    bench.commit(&[sidecar("alpha")]);
    daemon.says("Created", "alpha NA", 1);
    assert_eq!(daemon.lines("Updated").len(), 0, "{daemon}");
    let line = &daemon.lines("Created")[0];
    assert!(newer.starts_with(line["commit"].as_str().unwrap()), "{line}");
    assert_eq!(description(&bench, "beta"), "new");
    daemon.stop();
}

/// The fix must not wait for the pause that the mistake has earned.
#[test]
fn a_fix_goes_at_once() {
    let bench = Bench::new();
    bench.handle().fail(Fault::always(Route::Apply, FaultKind::status(503)).for_item("beta"));
    bench.commit(&[told("beta", "old")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    until("the pauses grow", || sent(&bench, "beta NA") >= 4);
    bench.handle().clear_faults();
    let began = Instant::now();
    bench.commit(&[told("beta", "new")]);
    daemon.says("Created", "beta NA", 1);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}\n{daemon}", began.elapsed());
    daemon.stop();
}

#[test]
fn a_wrong_password_is_told_once_and_mended() {
    for (route, code) in [(Route::Token, 401), (Route::Get, 403), (Route::Version, 401)] {
        let bench = Bench::new();
        bench.commit(&[sidecar("alpha")]);
        bench.handle().fail(Fault::always(route, FaultKind::status(code)));
        let daemon = Daemon::follow(&bench, EVENTS);
        daemon.passes("retry", 2);
        // Two for a pass, because the token is renewed once; the start, and
        // one that began meanwhile.
        let asked = bench.handle().calls(route);
        let passes = daemon.metric(r#"marketsync_reconcile_total{result="error",trigger="retry"}"#);
        assert!(asked <= 2 * (passes + 2), "{route:?} {code}: {asked} in {passes}\n{daemon}");
        assert_eq!((daemon.get("/readyz").0, daemon.get("/healthz").0), (503, 200), "{daemon}");
        assert_eq!(daemon.lines("Pass failed").len(), 1, "{route:?} {code}: told once\n{daemon}");
        let error = daemon.status()["lastPass"]["error"].clone();
        assert!(error.as_str().unwrap().contains(&code.to_string()), "{error}");
        bench.handle().clear_faults();
        daemon.says("Created", "alpha NA", 1);
        daemon.ready();
        daemon.until("it says so", |daemon| daemon.lines("Recovered").len() == 1);
        daemon.stop();
    }
}

/// The pause that a failure has earned holds for every beat but a commit: a
/// look at HEAD that finds nothing new is no reason to sign in again.
#[test]
fn a_poll_does_not_end_the_pause_of_a_failure() {
    for route in [Route::Token, Route::Get, Route::Version] {
        let bench = Bench::new();
        bench.commit(&[sidecar("alpha")]);
        bench.handle().fail(Fault::always(route, FaultKind::status(401)));
        let daemon = Daemon::follow(&bench, &["--poll-every=50ms", "--drift=off"]);
        daemon.passes(r#"result="error""#, 3);
        let polled = r#"marketsync_reconcile_total{result="error",trigger="poll"}"#;
        assert_eq!(daemon.metric(polled), 0, "{route:?}\n{daemon}");
        daemon.stop();
    }
}

#[test]
fn a_broken_file_stops_only_itself_and_is_told_once() {
    let bench = Bench::new();
    bench.repo.write("items/broken.json", "{ \"itemId\": ");
    bench.commit(&[sidecar("alpha")]);
    let daemon = Daemon::follow(&bench, BEATS);
    daemon.says("Created", "alpha NA", 1);
    daemon.ready();
    bench.commit(&[told("alpha", "two")]);
    daemon.says("Updated", "alpha NA", 1);
    daemon.passes("drift", 2);
    assert_eq!(daemon.lines("Invalid").len(), 1, "{daemon}");
    assert_eq!(daemon.status()["counts"]["invalid"], 1);
    bench.repo.remove("items/broken.json");
    bench.commit(&[sidecar("beta")]);
    daemon.says("Created", "beta NA", 1);
    daemon.until("it is mended", |daemon| daemon.status()["counts"]["invalid"] == 0);
    daemon.stop();
}

#[test]
fn a_lost_answer_is_read_back_and_said_once() {
    for kind in [FaultKind::CutAfter, FaultKind::EmptyBody, FaultKind::Truncate] {
        let bench = Bench::new();
        bench.handle().fail(Fault::once(Route::Apply, kind.clone()));
        bench.commit(&[sidecar("alpha")]);
        let daemon = Daemon::follow(&bench, EVENTS);
        daemon.says("Created", "alpha NA", 1);
        bench.commit(&[sidecar("beta")]);
        daemon.says("Created", "beta NA", 1);
        assert_eq!(daemon.lines("Created")[0]["confirmed"], "read_back", "{kind:?}\n{daemon}");
        assert_eq!(
            (daemon.said("Created").len(), daemon.said("Updated").len()),
            (2, 0),
            "{daemon}"
        );
        assert_eq!(bench.sent(), ["alpha NA", "beta NA"], "{kind:?}\n{daemon}");
        daemon.stop();
    }
}
