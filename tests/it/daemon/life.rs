//! Beginning and end: signals at bad moments, `kill -9`, two of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use marketsync::embedded::{Fault, FaultKind, Route};

use super::told;
use crate::support::cli::{Bench, Run, Running, complains, until};
use crate::support::daemon::{Daemon, EVENTS, command, command_of};
use crate::support::documents::{plugin, sidecar};

#[test]
fn an_idle_daemon_ends_at_once() {
    for signal in ["TERM", "INT"] {
        let bench = Bench::new();
        bench.commit(&[sidecar("alpha")]);
        let daemon = Daemon::follow(&bench, EVENTS);
        daemon.says("Created", "alpha NA", 1);
        daemon.ready();
        let began = Instant::now();
        daemon.signal(signal);
        let run = daemon.end().exits(0);
        assert!(began.elapsed() < Duration::from_secs(3), "{signal}: {:?}\n{run}", began.elapsed());
    }
}

/// Waits until a call that changes something is in flight.
fn in_flight(bench: &Bench) {
    until("an apply in flight", || !bench.sent().is_empty());
}

#[test]
fn the_call_in_flight_is_finished_and_told() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 1000 }));
    let daemon = Daemon::follow(&bench, EVENTS);
    in_flight(&bench);
    daemon.signal("TERM");
    let run = daemon.end().exits(0);
    assert_eq!(run.said("Created"), ["alpha NA"], "{run}");
    assert_eq!((bench.names(), bench.sent()), (vec!["alpha NA".into()], vec!["alpha NA".into()]));
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.ready();
    bench.commit(&[sidecar("beta")]);
    daemon.says("Created", "beta NA", 1);
    assert_eq!(
        (bench.sent(), daemon.said("Created").len()),
        (vec!["beta NA".into()], 1),
        "{daemon}"
    );
    daemon.stop();
}

#[test]
fn no_new_call_begins_after_the_signal() {
    let bench = Bench::console("13.6");
    bench.commit(&[plugin("p", "1.0.0"), plugin("p", "1.1.0"), plugin("p", "1.2.0")]);
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 700 }));
    let daemon = Daemon::follow(&bench, EVENTS);
    in_flight(&bench);
    daemon.signal("TERM");
    let run = daemon.end().exits(0);
    assert_eq!(
        (run.said("Created"), bench.sent()),
        (vec!["p 1.0.0".into()], vec!["p 1.0.0".into()])
    );
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "p 1.2.0", 1);
    assert_eq!(bench.sent(), ["p 1.1.0", "p 1.2.0"], "{daemon}");
    daemon.stop();
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 120_000 }));
    let daemon = Daemon::follow(&bench, EVENTS);
    in_flight(&bench);
    let began = Instant::now();
    daemon.signal("TERM");
    daemon.until("it stops", |daemon| daemon.lines("Stopping").len() == 1);
    daemon.signal("TERM");
    let run = daemon.end();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}\n{run}", began.elapsed());
    assert!(run.said("Created").is_empty(), "{run}");
}

#[test]
fn a_signal_ends_every_pause() {
    let kinds = [
        // A pause of the marketplace's.
        FaultKind::Status {
            code: 503,
            body: None,
            content_type: None,
            retry_after: Some("600".to_owned()),
            processed: false,
        },
        // A pass that did not come to its end.
        FaultKind::status(403),
    ];
    for kind in kinds {
        let bench = Bench::new();
        bench.commit(&[sidecar("alpha")]);
        bench.handle().fail(Fault::always(Route::Apply, kind));
        let daemon = Daemon::follow(&bench, EVENTS);
        until("it failed", || bench.calls().iter().any(|call| call.fault.is_some()));
        let began = Instant::now();
        daemon.signal("TERM");
        let run = daemon.end().exits(0);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}\n{run}", began.elapsed());
    }
}

/// Every claim of every life, by item.
fn claims(runs: &[Run]) -> BTreeMap<String, Vec<&'static str>> {
    let mut claims: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for run in runs {
        for word in ["Created", "Updated", "Adopted", "Deleted", "Rejected", "Failed", "Held"] {
            for item in run.said(word) {
                claims.entry(item).or_default().push(word);
            }
        }
    }
    claims
}

#[test]
fn after_kill_9_the_next_start_converges_and_claims_nothing_twice() {
    // The old API takes the versions of an item one after the other: ten calls.
    let console = "13.6";
    let bench = Bench::console(console);
    let mut items = Vec::new();
    for item in 0..6 {
        items.extend((0..10).map(|version| plugin(&format!("p{item}"), &format!("1.{version}.0"))));
    }
    bench.commit(&items);
    bench.handle().fail(Fault::always(Route::Apply, FaultKind::Delay { ms: 20 }));
    let mut runs = Vec::new();
    for life in 0..10_usize {
        let daemon = Daemon::follow(&bench, EVENTS);
        // Here while it looks, there while it sends, and in between.
        let calls = [3, 61, 62, 63, 40, 64, 30, 65, 20, 5][life];
        until("it is far enough", || bench.calls().len() >= calls || bench.names().len() == 60);
        runs.push(daemon.kill());
    }
    bench.handle().clear_faults();
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.ready();
    daemon.until("all are there", |_| bench.names().len() == 60);
    bench.commit(&[sidecar("fence")]);
    daemon.says("Created", "fence NA", 1);
    runs.push(Run::clone(&daemon.stop()));
    for (item, said) in claims(&runs) {
        assert_eq!(said.len(), 1, "{console}: {item}: {said:?}\n{}", runs[runs.len() - 1]);
        assert!(["Created", "Adopted"].contains(&said[0]), "{item}: {said:?}");
    }
    let recorded = bench.recorded();
    assert_eq!(recorded.len(), 61);
    assert!(recorded.values().all(|item| item["result"] == "done"), "{recorded:?}");
    // And nothing is left to do.
    let last = bench.apply(&["--drift=report"]).exits(0);
    assert_eq!(bench.writes(), [], "{last}");
}

#[test]
fn after_kill_9_an_edit_is_sent_at_the_next_start() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "alpha NA", 1);
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 200 }));
    bench.handle().clear_log();
    bench.commit(&[told("alpha", "two")]);
    in_flight(&bench);
    let run = daemon.kill();
    assert!(run.said("Updated").is_empty(), "{run}");
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Updated", "alpha NA", 1);
    assert_eq!(super::description(&bench, "alpha"), "two");
    daemon.stop();
}

#[test]
fn a_second_daemon_on_one_state_names_the_first() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "alpha NA", 1);
    daemon.ready();
    bench.handle().clear_log();
    let state = bench.state();
    let second = Running::start(command(&bench, bench.repo.path(), EVENTS)).end().exits(2);
    complains(&second, &[&daemon.id().to_string(), state.to_str().unwrap()]);
    let apply = Running::start(bench.command(&bench.repo.path(), &[])).end().exits(2);
    complains(&apply, &[&daemon.id().to_string(), state.to_str().unwrap()]);
    bench.asked_nothing();
    // The first does not mind, and a dead one holds nothing.
    bench.commit(&[told("alpha", "two")]);
    daemon.says("Updated", "alpha NA", 1);
    drop(daemon.kill());
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.ready();
    daemon.stop();
}

#[test]
fn two_daemons_share_a_catalogue_by_path() {
    let bench = Bench::new();
    for (folder, item) in [("left", "alpha"), ("right", "beta")] {
        let text = crate::support::documents::pretty(&sidecar(item));
        bench.repo.write(&format!("{folder}/{item}.json"), text);
    }
    bench.repo.commit("two halves");
    let half = |folder: &str| {
        let state = bench.home.path().join(folder);
        let args = [EVENTS, &["--path", folder, "--prune", "--allow-deletes=9"]].concat();
        let source = bench.repo.path();
        Daemon::start(command_of(bench.home.path(), &bench.market.url, &state, source, &args))
    };
    let (left, right) = (half("left"), half("right"));
    left.says("Created", "alpha NA", 1);
    right.says("Created", "beta NA", 1);
    for (round, text) in ["two", "three"].into_iter().enumerate() {
        for (folder, item) in [("left", "alpha"), ("right", "beta")] {
            let text = crate::support::documents::pretty(&told(item, text));
            bench.repo.write(&format!("{folder}/{item}.json"), text);
        }
        bench.repo.commit("both");
        left.says("Updated", "alpha NA", round + 1);
        right.says("Updated", "beta NA", round + 1);
    }
    for (daemon, other) in [(&left, "beta"), (&right, "alpha")] {
        assert_eq!(daemon.mentions(other), 0, "{daemon}");
    }
    assert_eq!(bench.sent().len(), 6);
    assert_eq!(bench.names(), ["alpha NA", "beta NA"]);
    left.stop();
    right.stop();
}
