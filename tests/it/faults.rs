//! The whole program against a marketplace that fails (`practice.md` §4): what
//! log, exit code and record say is what the server holds, the other items
//! go, and the next apply puts everything right.

use std::time::{Duration, Instant};

use marketsync::embedded::{Fault, FaultKind, Route, Settings};
use serde_json::json;

use crate::support::cli::Bench;
use crate::support::documents::{plugin, set, sidecar};
use crate::support::storm::{CONSOLES, ONCE, converges, html, items, meets, names, page};

#[test]
fn a_refusal_of_everything_rejects_each_item() {
    for code in [400, 409, 422] {
        let (bench, run) = meets("14.1", [Fault::always(Route::Apply, page(code))], ONCE);
        let run = run.exits(1);
        assert_eq!(run.said("Rejected"), names(&["alpha", "beta", "gamma"]));
        run.tells(&code.to_string()).tells("an HTML page (a proxy or a wrong endpoint?)");
        assert!(bench.handle().calls(Route::Apply) <= 5, "three, two, one and one: {run}");
        converges(&bench, &run);
    }
}

#[test]
fn one_bad_item_is_found_among_the_good() {
    for (console, code) in [("14.1", 400), ("14.1", 409), ("14.1", 422), ("13.6", 422)] {
        let fault = Fault::always(Route::Apply, FaultKind::status(code)).for_item("beta");
        let (bench, run) = meets(console, [fault], ONCE);
        let run = run.exits(1);
        assert_eq!(
            (run.said("Created"), run.said("Rejected")),
            (names(&["alpha", "gamma"]), names(&["beta"]))
        );
        run.prints("2 of 3 items have been successfully applied:")
            .prints("1 of 3 items have not been applied");
        // It is tried again every time, and every time it is rejected.
        let again = bench.apply(ONCE).exits(1);
        assert_eq!((again.said("Rejected"), bench.sent()), (names(&["beta"]), names(&["beta"])));
        converges(&bench, &run);
    }
}

#[test]
fn an_item_that_the_marketplace_rejects_says_why() {
    for console in CONSOLES {
        let kind = FaultKind::RejectItem { message: "the plan is full".to_owned() };
        let (bench, run) =
            meets(console, [Fault::always(Route::Apply, kind).for_item("beta")], &[]);
        let run = run.exits(1);
        assert_eq!(
            (run.said("Created"), run.said("Rejected")),
            (names(&["alpha", "gamma"]), names(&["beta"]))
        );
        let line = run.line("Rejected");
        assert_eq!(
            (&line["level"], &line["reason"]),
            (&json!("ERROR"), &json!("the plan is full"))
        );
        assert_eq!(line["path"], "items/beta/NA.json");
        run.prints("the plan is full");
        converges(&bench, &run);
    }
}

#[test]
fn a_token_is_renewed_once() {
    let (bench, run) = meets("14.1", [Fault::once(Route::Apply, FaultKind::status(401))], ONCE);
    let run = run.exits(0);
    assert_eq!(bench.handle().calls(Route::Token), 2);
    converges(&bench, &run);
}

#[test]
fn what_no_repetition_mends_ends_the_pass() {
    for (route, code) in [
        (Route::Apply, 401),
        (Route::Apply, 403),
        (Route::Apply, 404),
        (Route::Apply, 405),
        (Route::Get, 401),
        (Route::Get, 403),
        (Route::Token, 401),
        (Route::Token, 403),
        (Route::Token, 404),
        (Route::Version, 403),
    ] {
        let began = Instant::now();
        let (bench, run) = meets("14.1", [Fault::always(route, FaultKind::status(code))], &[]);
        let run = run.exits(2);
        let error = run.line("Ended")["error"].as_str().unwrap().to_owned();
        assert!(error.contains(&format!("{code}")), "{route:?} {code}: {error}");
        // What it means and what to do: the one after the other.
        let advice = ["check", "give", "needs", "ask", "set "];
        assert!(
            advice.iter().any(|word| error.contains(word)),
            "{route:?} {code}, no advice: {error}"
        );
        assert!(bench.handle().calls(Route::Token) <= 2, "{run}");
        assert!(began.elapsed() < Duration::from_secs(20), "it is not repeated");
        converges(&bench, &run);
    }
}

#[test]
fn a_body_too_large_is_halved() {
    for console in CONSOLES {
        let bench = Bench::with(Settings {
            console: console.parse().unwrap(),
            apply_limit: 1024,
            ..Settings::default()
        });
        bench.commit(&items());
        let run = bench.apply(ONCE).exits(0);
        assert_eq!(run.said("Created"), names(&["alpha", "beta", "gamma"]));
        converges(&bench, &run);
    }
    // One that is too large alone is rejected, and alone.
    let bench = Bench::with(Settings { apply_limit: 1024, ..Settings::default() });
    bench.commit(&[
        sidecar("alpha"),
        set(sidecar("beta"), "/description", "x".repeat(2000)),
        sidecar("gamma"),
    ]);
    let run = bench.apply(ONCE).exits(1);
    assert_eq!(
        (run.said("Created"), run.said("Rejected")),
        (names(&["alpha", "gamma"]), names(&["beta"]))
    );
    run.tells("too large for the marketplace");
}

#[test]
fn a_retry_after_is_waited_for() {
    let kind = FaultKind::Status {
        code: 429,
        body: None,
        content_type: None,
        retry_after: Some("2".to_owned()),
        processed: false,
    };
    let began = Instant::now();
    let (bench, run) = meets("14.1", [Fault::once(Route::Apply, kind.clone())], &[]);
    let run = run.exits(0);
    assert!(began.elapsed() >= Duration::from_secs(2));
    run.tells("429");
    converges(&bench, &run);
    let (bench, run) = meets("14.1", [Fault::always(Route::Apply, kind)], ONCE);
    let run = run.exits(1);
    assert_eq!(run.said("Failed"), names(&["alpha", "beta", "gamma"]));
    converges(&bench, &run);
}

#[test]
fn trouble_of_the_server_passes() {
    for (console, code) in [("14.1", 500), ("14.1", 502), ("13.6", 503)] {
        let (bench, run) = meets(console, [Fault::once(Route::Apply, page(code))], &[]);
        let run = run.exits(0);
        assert_eq!(run.said("Created"), names(&["alpha", "beta", "gamma"]));
        run.tells(&code.to_string());
        converges(&bench, &run);
    }
}

#[test]
fn trouble_that_stays_is_given_up() {
    for args in [ONCE, &["--retry-for", "2s"]] {
        let began = Instant::now();
        let (bench, run) = meets("14.1", [Fault::always(Route::Apply, page(503))], args);
        let run = run.exits(1);
        assert!(began.elapsed() < Duration::from_secs(10));
        run.prints("given up").prints("503");
        converges(&bench, &run);
    }
    for item in ["alpha", "gamma"] {
        let fault = Fault::always(Route::Apply, FaultKind::status(500)).for_item(item);
        let (bench, run) = meets("13.6", [fault], ONCE);
        converges(&bench, &run.exits(1));
    }
}

/// Each way to lose the answer of a call that was carried out.
fn lost_answers() -> Vec<FaultKind> {
    let body = |body: &str| FaultKind::WrongBody { body: body.to_owned() };
    vec![
        FaultKind::CutAfter,
        FaultKind::Truncate,
        FaultKind::EmptyBody,
        body(&html()),
        body("{}"),
        body("[]"),
        body("null"),
        body(r#"{"done":true}"#),
        body(r#"{"done":true,"items":[]}"#),
        body(r#"{"done":true,"items":[{"itemId":7}]}"#),
        FaultKind::Status {
            code: 500,
            body: None,
            content_type: None,
            retry_after: None,
            processed: true,
        },
        FaultKind::Status {
            code: 504,
            body: Some(html()),
            content_type: None,
            retry_after: None,
            processed: true,
        },
    ]
}

#[test]
fn a_lost_answer_to_a_creation_is_read_back() {
    for console in CONSOLES {
        // The old API has the same answers but for the version in each row.
        let kinds = lost_answers()
            .into_iter()
            .filter(|kind| console == "14.1" || !matches!(kind, FaultKind::WrongBody { .. }));
        for kind in kinds {
            let (bench, run) =
                meets(console, [Fault::always(Route::Apply, kind.clone()).times(3)], ONCE);
            assert_eq!(
                run.said("Created"),
                names(&["alpha", "beta", "gamma"]),
                "{console} {kind:?}: {run}"
            );
            let run = run.exits(0);
            for line in run.lines("Created") {
                assert!(line["confirmed"] == "read_back" || console == "13.6", "{kind:?}: {line}");
            }
            converges(&bench, &run);
        }
    }
}

#[test]
fn a_lost_answer_to_an_edit_is_sent_again() {
    for kind in lost_answers() {
        let bench = Bench::new();
        bench.commit(&items());
        bench.apply(&[]).exits(0);
        bench.commit(&[set(sidecar("beta"), "/name", "Edited")]);
        bench.handle().fail(Fault::once(Route::Apply, kind.clone()));
        let run = bench.apply(&[]).exits(0);
        assert_eq!(run.said("Updated"), names(&["beta"]), "{kind:?}: {run}");
        assert_eq!(run.line("Updated")["changed"], r#"["/name"]"#);
        assert_eq!(bench.stored("beta", "NA").unwrap()["name"], "Edited");
    }
}

#[test]
fn a_call_that_never_arrived_is_made_again() {
    let (bench, run) = meets("14.1", [Fault::always(Route::Apply, FaultKind::CutBefore)], ONCE);
    let run = run.exits(1);
    run.tells("connection");
    assert_eq!(run.said("Failed"), names(&["alpha", "beta", "gamma"]));
    converges(&bench, &run);
    let (bench, run) = meets("14.1", [Fault::once(Route::Apply, FaultKind::CutBefore)], &[]);
    converges(&bench, &run.exits(0));
}

#[test]
fn rows_that_are_missing_doubled_or_turned() {
    for (fault, read_back) in [
        (Fault::once(Route::Apply, FaultKind::MissingRow).for_item("beta"), names(&["beta"])),
        (Fault::once(Route::Apply, FaultKind::DoubledRow), names(&["alpha"])),
        (Fault::once(Route::Apply, FaultKind::ReorderedRows), names(&[])),
    ] {
        let (bench, run) = meets("14.1", [fault.clone()], ONCE);
        let run = run.exits(0);
        let confirmed: Vec<String> = run
            .lines("Created")
            .iter()
            .filter(|line| line["confirmed"] == "read_back")
            .map(|line| format!("{} NA", line["item_id"].as_str().unwrap()))
            .collect();
        assert_eq!(confirmed, read_back, "{fault:?}: {run}");
        converges(&bench, &run);
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for route in [Route::Apply, Route::Get, Route::Token, Route::Version] {
        let kind = FaultKind::Redirect { to: "http://127.0.0.1:1/elsewhere".to_owned(), code: 307 };
        let (bench, run) = meets("14.1", [Fault::always(route, kind)], ONCE);
        let run = run.exits(2);
        run.tells("127.0.0.1:1").tells("--endpoint");
        converges(&bench, &run);
    }
}

#[test]
fn an_endless_answer_is_cut() {
    for (route, code) in [(Route::Apply, 1), (Route::Get, 1)] {
        let began = Instant::now();
        let (bench, run) = meets("14.1", [Fault::always(route, FaultKind::EndlessBody)], ONCE);
        let run = run.exits(code);
        assert!(began.elapsed() < Duration::from_secs(20), "{route:?}");
        converges(&bench, &run);
    }
}

#[test]
fn a_slow_answer_is_waited_for() {
    let (bench, run) =
        meets("14.1", [Fault::always(Route::Apply, FaultKind::SlowDrip { ms: 1 })], ONCE);
    converges(&bench, &run.exits(0));
}

#[test]
fn versions_wait_for_the_one_before() {
    for console in CONSOLES {
        let bench = Bench::console(console);
        bench.commit(&[
            plugin("p", "1.0.0"),
            plugin("p", "1.1.0"),
            plugin("p", "2.0.0"),
            sidecar("s"),
        ]);
        bench.handle().fail(Fault::once(Route::Apply, FaultKind::status(503)).for_item("p"));
        let run = bench.apply(&[]).exits(0);
        assert_eq!(run.said("Created").len(), 4);
        let mut last = Vec::new();
        for call in bench
            .calls()
            .into_iter()
            .filter(|call| call.route == Route::Apply && call.status == Some(200))
        {
            last.extend(call.items.into_iter().filter(|item| item.starts_with("p ")));
        }
        assert_eq!(last, ["p 1.0.0", "p 1.1.0", "p 2.0.0"], "Console {console}");
    }
}
