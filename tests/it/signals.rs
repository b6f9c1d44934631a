//! Signals and locks: what a process that is told to end leaves behind
//! (`design.md` §6).

use std::time::{Duration, Instant};

use marketsync::embedded::{Exchange, Fault, FaultKind, Route};
use serde_json::{Value, json};

use crate::support::cli::{Bench, Running, bare, complains, program, until};
use crate::support::documents::{plugin, sidecar};
use crate::support::market::COMPANY;

/// Waits until an apply is in flight.
#[track_caller]
fn in_flight(bench: &Bench) -> Exchange {
    let mut found = None;
    until("an apply in flight", || {
        found = bench.calls().into_iter().find(|call| call.route == Route::Apply);
        found.is_some()
    });
    found.unwrap()
}

/// Three calls, one after the other, because the old API gets the versions of
/// an item one by one.
fn three_calls() -> Bench {
    let bench = Bench::console("13.6");
    bench.commit(&[plugin("p", "1.0.0"), plugin("p", "1.1.0"), plugin("p", "1.2.0")]);
    bench
}

#[test]
fn a_signal_lets_the_call_in_flight_end() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let bench = three_calls();
        bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 800 }));
        let running = bench.start(&bench.repo.path(), &["--format=json"]);
        assert_eq!(in_flight(&bench).items, ["p 1.0.0"]);
        assert_eq!(bench.names(), Vec::<String>::new(), "the call waits");
        running.signal(signal);
        let run = running.end().exits(code);
        assert_eq!(
            (run.said("Created"), bench.names()),
            (vec!["p 1.0.0".to_owned()], vec!["p 1.0.0".to_owned()])
        );
        let told = run.json();
        assert_eq!(
            (&told["unattempted"], &told["applied"][0]["version"]),
            (&json!(2), &json!("1.0.0"))
        );
        assert_eq!(bench.recorded().len(), 1);
        assert_eq!(bench.sent().len(), 1, "no new request");
        let rest = bench.apply(&[]).exits(0);
        assert_eq!(
            (rest.said("Created"), bench.sent().len()),
            (vec!["p 1.1.0".into(), "p 1.2.0".into()], 2)
        );
    }
}

#[test]
fn a_signal_that_leaves_nothing_undone_is_no_failure() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 500 }));
    let running = bench.start(&bench.repo.path(), &[]);
    in_flight(&bench);
    running.signal("TERM");
    running.end().exits(0).prints("1 of 1 items");
}

#[test]
fn a_signal_ends_the_wait_for_another_try() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let kind = FaultKind::Status {
        code: 503,
        body: None,
        content_type: None,
        retry_after: Some("60".to_owned()),
        processed: false,
    };
    bench.handle().fail(Fault::always(Route::Apply, kind));
    let began = Instant::now();
    let running = bench.start(&bench.repo.path(), &[]);
    until("the answer is out", || bench.calls().iter().any(|call| call.status == Some(503)));
    running.signal("TERM");
    let run = running.end().exits(143);
    run.prints("503");
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let bench = three_calls();
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 120_000 }));
    let began = Instant::now();
    let running = bench.start(&bench.repo.path(), &["--format=json"]);
    in_flight(&bench);
    running.signal("TERM");
    running.signal("INT");
    let run = running.end();
    assert!(matches!(run.code, Some(143 | 130)), "{run}");
    assert!(began.elapsed() < Duration::from_secs(15));
    run.json();
    assert_eq!(run.lines("Created"), Vec::<Value>::new());
    bench.handle().clear_faults();
    assert_eq!(bench.apply(&[]).exits(0).said("Created").len() + bench.names().len(), 6);
}

#[test]
fn a_second_process_on_one_state_names_the_first() {
    let bench = three_calls();
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 60_000 }));
    let first = bench.start(&bench.repo.path(), &[]);
    in_flight(&bench);
    let second =
        Running::start(bench.command(&bench.repo.path(), &["--format=json"])).end().exits(2);
    complains(&second, &[&first.id().to_string(), bench.state().to_str().unwrap()]);
    assert!(second.json()["error"]["message"].is_string());
    // Reading takes no lock.
    bare(bench.home.path(), &["status", "--state", bench.state().to_str().unwrap()]).exits(0);
    // A dead process leaves no lock behind.
    first.signal("KILL");
    assert_eq!(first.end().code, None);
    bench.handle().clear_faults();
    bench.apply(&[]).exits(0).prints("p ");
}

#[test]
fn a_state_is_of_one_endpoint_and_one_company() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.apply(&["--set-tenant"]).exits(0);
    let mut other = program(bench.home.path());
    other
        .env("MARKETSYNC_CLIENT_SECRET", "x")
        .arg("apply")
        .arg(bench.repo.path())
        .arg("--state")
        .arg(bench.state());
    other.args(["--endpoint", &bench.market.url, "--company-id=other", "--client-id=id"]);
    complains(&Running::start(other).end().exits(2), &["other", COMPANY]);
    assert_eq!(bench.names(), ["alpha NA"]);
}
