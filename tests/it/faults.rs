//! The whole program against a marketplace that fails (`practice.md` §4): what
//! log, exit code and record say is what the server holds, the other items
//! go, and the next apply puts everything right.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use marketsync::embedded::{Fault, FaultKind, Route, Settings};
use serde_json::{Value, json};

use crate::support::cli::{Bench, Run, plugin, set, sidecar, with_image};
use crate::support::market::{COMPANY, PNG};

const ONCE: &[&str] = &["--retry-for", "0s"];
const CONSOLES: [&str; 2] = ["14.1", "13.6"];

/// All that the log may say of an item that the marketplace has.
const CLAIMS: [&str; 3] = ["Created", "Updated", "Adopted"];

fn html() -> String {
    "<html><body>busy</body></html>".to_owned()
}

fn page(code: u16) -> FaultKind {
    FaultKind::Status {
        code,
        body: Some(html()),
        content_type: Some("text/html".to_owned()),
        retry_after: None,
        processed: false,
    }
}

fn items() -> Vec<Value> {
    vec![sidecar("alpha"), sidecar("beta"), sidecar("gamma")]
}

fn names(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| format!("{item} NA")).collect()
}

/// A marketplace that fails so, and what the first apply of three items made
/// of it. What it says is held against what the server has.
fn meets(console: &str, faults: impl IntoIterator<Item = Fault>, args: &[&str]) -> (Bench, Run) {
    let bench = Bench::console(console);
    bench.commit(&items());
    for fault in faults {
        assert!(bench.handle().fail(fault));
    }
    let run = bench.apply(args);
    audit(&bench, &run);
    (bench, run)
}

/// Log, exit code, table and record say the same, and it is true.
fn audit(bench: &Bench, run: &Run) {
    let there: BTreeSet<String> = bench.names().into_iter().collect();
    let mut claimed = Vec::new();
    for verb in CLAIMS {
        claimed.extend(run.said(verb));
    }
    for claim in &claimed {
        assert!(there.contains(claim), "{claim} is not there:\n{run}");
        run.prints(claim.split(' ').next().unwrap());
    }
    let unique: BTreeSet<&String> = claimed.iter().collect();
    assert_eq!(unique.len(), claimed.len(), "said twice:\n{run}");
    for (name, item) in bench.recorded() {
        let done = item["result"] == "done";
        assert_eq!(done, claimed.contains(&name), "recorded {item}:\n{run}");
        assert!(!done || there.contains(&name));
    }
    let whole = claimed.len() == 3;
    assert_eq!(run.code == Some(0), whole, "{run}");
    assert!(run.code.is_some_and(|code| code <= 2), "{run}");
    if !claimed.is_empty() {
        run.prints(&format!("{} applied", claimed.len()));
    }
    assert!(!run.stderr.contains("panic"), "{run}");
}

/// Without faults the next apply leaves everything right, creates nothing that
/// was created, and the look after it finds nothing.
fn converges(bench: &Bench, before: &Run) {
    bench.handle().clear_faults();
    let run = bench.apply(&[]).exits(0);
    assert_eq!(bench.names(), names(&["alpha", "beta", "gamma"]), "{run}");
    let again: Vec<String> = run
        .said("Created")
        .into_iter()
        .filter(|item| before.said("Created").contains(item))
        .collect();
    assert_eq!(again, Vec::<String>::new(), "{before}\n{run}");
    let known: BTreeSet<String> = CLAIMS.iter().flat_map(|verb| before.said(verb)).collect();
    let sent: Vec<String> = bench.sent().into_iter().filter(|item| known.contains(item)).collect();
    assert_eq!(sent, Vec::<String>::new(), "sent although it was known:\n{before}\n{run}");
    bench.apply(&["--drift=report"]).exits(0).prints("3 unchanged");
    assert_eq!(bench.writes(), []);
    for item in items() {
        let id = item["itemId"].as_str().unwrap();
        assert_eq!(bench.stored(id, "NA").unwrap()["resources"], item["resources"]);
    }
}

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
    for (route, code, words) in [
        (Route::Apply, 401, "credential"),
        (Route::Apply, 403, "role"),
        (Route::Apply, 404, "endpoint"),
        (Route::Apply, 405, "endpoint"),
        (Route::Get, 401, "credential"),
        (Route::Get, 403, "role"),
        (Route::Token, 401, "client"),
        (Route::Token, 403, "client"),
        (Route::Token, 404, "endpoint"),
        (Route::Version, 403, "403"),
    ] {
        let began = Instant::now();
        let (bench, run) = meets("14.1", [Fault::always(route, FaultKind::status(code))], &[]);
        let run = run.exits(2);
        eprintln!("## {route:?} {code}: {}", run.stderr.lines().last().unwrap_or_default());
        run.tells(&code.to_string());
        assert!(run.stderr.to_lowercase().contains(words), "{route:?} {code}, no `{words}`: {run}");
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
    run.tells("413");
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
        for kind in lost_answers() {
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
                assert!(line["object_id"].is_string(), "{kind:?}: {line}");
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
        bench.apply(&["--drift=report"]).exits(0).prints("3 unchanged");
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
        eprintln!(
            "## endless {route:?}: {} after {:?}",
            run.stderr.lines().last().unwrap(),
            began.elapsed()
        );
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
fn what_could_not_be_looked_at_is_held_and_the_others_go() {
    for (console, kind) in [
        ("14.1", FaultKind::status(500)),
        ("14.1", page(502)),
        ("14.1", FaultKind::CutBefore),
        ("14.1", FaultKind::Truncate),
        ("14.1", FaultKind::EmptyBody),
        ("14.1", FaultKind::WrongBody { body: html() }),
        ("14.1", FaultKind::WrongBody { body: "[]".to_owned() }),
        ("13.6", FaultKind::status(429)),
    ] {
        let (bench, run) =
            meets(console, [Fault::always(Route::Get, kind.clone()).for_item("beta")], ONCE);
        let run = run.exits(1);
        assert_eq!(
            (run.said("Created"), run.said("Held")),
            (names(&["alpha", "gamma"]), names(&["beta"])),
            "{kind:?}"
        );
        assert!(run.line("Held")["reason"].as_str().unwrap().starts_with("unobserved"), "{run}");
        converges(&bench, &run);
    }
}

/// "Could not look" is not "empty".
#[test]
fn a_page_of_a_proxy_is_not_absence() {
    for kind in [page(404), FaultKind::status(500), FaultKind::CutBefore] {
        let bench = Bench::new();
        bench.commit(&items());
        bench.apply(&[]).exits(0);
        bench.repo.remove("items/beta");
        bench.repo.commit("beta goes");
        bench.handle().fail(Fault::always(Route::Get, kind.clone()));
        let run = bench.apply(&["--drift=correct", "--retry-for=0s"]);
        assert_eq!(
            (run.lines("Forgotten"), run.lines("Created")),
            (Vec::new(), Vec::new()),
            "{kind:?}: {run}"
        );
        assert_eq!(bench.writes(), [], "{kind:?}: {run}");
        assert_eq!(bench.recorded().len(), 3, "{kind:?}");
        assert!(run.code != Some(0), "{kind:?}: {run}");
    }
}

fn pictured(bench: &Bench) {
    bench.repo.write("logo.png", PNG);
    bench.commit(&[
        with_image(sidecar("alpha"), "../../logo.png"),
        sidecar("beta"),
        sidecar("gamma"),
    ]);
}

#[test]
fn a_picture_that_does_not_go_holds_its_item_alone() {
    let body = |body: &str| FaultKind::WrongBody { body: body.to_owned() };
    for kind in [
        FaultKind::status(400),
        FaultKind::status(413),
        page(415),
        FaultKind::status(500),
        page(503),
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::Truncate,
        FaultKind::EmptyBody,
        body(&html()),
        body("{}"),
        body(r#"{"location":"https://evil.example/x.png"}"#),
        FaultKind::EndlessBody,
    ] {
        let bench = Bench::new();
        pictured(&bench);
        bench.handle().fail(Fault::always(Route::Upload, kind.clone()));
        let run = bench.apply(ONCE);
        eprintln!(
            "## upload {kind:?}: {:?} {}",
            run.code,
            run.stderr
                .lines()
                .filter(|l| l.contains("alpha") && l.contains("reason"))
                .next_back()
                .unwrap_or_default()
        );
        audit(&bench, &run);
        let run = run.exits(1);
        assert_eq!(run.said("Created"), names(&["beta", "gamma"]), "{kind:?}: {run}");
        run.tells("image");
        converges(&bench, &run);
        assert_eq!(bench.handle().calls(Route::Upload), 0);
        assert!(bench.stored("alpha", "NA").unwrap()["imageUrl"].is_string());
    }
    let bench = Bench::new();
    pictured(&bench);
    bench.handle().fail(Fault::once(Route::Upload, FaultKind::status(503)));
    bench.apply(&[]).exits(0).prints("3 applied");
}

#[test]
fn a_picture_that_cannot_be_read_counts_as_different() {
    for kind in [
        FaultKind::status(404),
        FaultKind::status(500),
        FaultKind::CutBefore,
        FaultKind::EndlessBody,
        FaultKind::EmptyBody,
    ] {
        let bench = Bench::new();
        pictured(&bench);
        bench.apply(&[]).exits(0);
        bench.forget();
        bench.handle().fail(Fault::always(Route::Download, kind.clone()));
        let run = bench.apply(ONCE).exits(0);
        assert_eq!(
            (run.said("Updated"), run.said("Adopted")),
            (names(&["alpha"]), names(&["beta", "gamma"])),
            "{kind:?}"
        );
        bench.handle().clear_faults();
        bench.apply(&["--drift=report"]).exits(0).prints("3 unchanged");
    }
}

#[test]
fn trouble_with_deletions() {
    for kind in [FaultKind::CutAfter, FaultKind::status(503), FaultKind::CutBefore] {
        let bench = Bench::new();
        bench.commit(&items());
        bench.apply(&[]).exits(0);
        bench.repo.remove("items/beta");
        bench.repo.commit("beta goes");
        bench.handle().fail(Fault::once(Route::Delete, kind.clone()));
        let run = bench.apply(&["--prune"]).exits(0);
        let gone = run.said("Deleted").len() + run.said("Forgotten").len();
        assert_eq!((gone, bench.names()), (1, names(&["alpha", "gamma"])), "{kind:?}: {run}");
        bench.apply(&["--prune", "--drift=report"]).exits(0).prints("2 unchanged");
    }
    // Somebody else was faster.
    let bench = Bench::new();
    bench.commit(&items());
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/beta");
    bench.repo.commit("beta goes");
    bench.handle().remove(COMPANY, &crate::support::market::key("beta", "NA")).unwrap();
    bench.apply(&["--prune"]).exits(0);
    assert_eq!(bench.recorded().iter().filter(|(_, item)| item["digest"].is_string()).count(), 2);
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
