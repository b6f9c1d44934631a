//! What was wrong once, each with the shortest way to it.

use std::time::{Duration, Instant};

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::json;

use super::masks::{SCHEMA, canary, free, silent, write_only};
use super::recorded::recorded;
use super::revision::{against, forked, obeys, single, told as told_against};
use super::{command, diff, entry, lines, report, told};
use crate::support::cli::{Bench, Running, complains, until};
use crate::support::documents::{pretty, sidecar, with_image};
use crate::support::market::{COMPANY, PNG};

/// `diff` has nothing to finish: no look in flight is waited for.
#[test]
fn a_signal_ends_it_at_once_while_the_marketplace_hangs() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let bench = Bench::new();
        bench.commit(&[sidecar("a"), sidecar("b")]);
        bench.handle().fail(Fault::always(Route::Get, FaultKind::Delay { ms: 600_000 }));
        let running = Running::start(command(&bench, &bench.repo.path(), &["--format=json"]));
        until("it looks", || bench.handle().calls(Route::Get) > 0);
        let began = Instant::now();
        running.signal(signal);
        let run = running.end().exits(code);
        assert!(began.elapsed() < Duration::from_secs(10), "{run}");
        assert!(!run.stderr.contains("panicked"), "{run}");
    }
}

/// JSON is complete before any exit code but 0 (`practice.md` §1).
#[test]
fn a_signal_leaves_one_json_document() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    bench.handle().fail(Fault::always(Route::Get, FaultKind::Delay { ms: 600_000 }));
    let running = Running::start(command(&bench, &bench.repo.path(), &["--format=json"]));
    until("it looks", || bench.handle().calls(Route::Get) > 0);
    running.signal("TERM");
    let run = running.end().exits(143);
    assert!(run.json()["error"]["message"].is_string(), "{run}");
}

/// `--against recorded` is held to --endpoint and --company-id where they are
/// given.
#[test]
fn a_state_of_another_marketplace_or_company_is_refused() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    bench.apply(&[]).exits(0);
    let state = bench.state();
    for (endpoint, company, named) in [
        ("https://console.example.com", COMPANY, bench.market.url.as_str()),
        (bench.market.url.as_str(), "other", COMPANY),
    ] {
        let run = recorded(&bench, endpoint, company, &state, &["--format=json"]);
        complains(&run.clone().exits(2), &[named]);
        assert!(report(run, 2)["error"]["message"].is_string());
    }
}

/// After the line of the hint the name names something.
#[test]
fn the_line_that_fetches_a_plain_name_works() {
    let (bench, ..) = forked();
    let clone = single(&bench);
    let absent = against(&bench, &clone, "main", &["--format=json"]);
    obeys(&bench, &clone, &absent);
    let present = against(&bench, &clone, "main", &["--format=json"]);
    assert!(present.code == Some(1), "{absent}\n== then {present}");
}

/// A branch that brings the folder in is compared with a commit that does not
/// have it.
#[test]
fn a_folder_that_the_other_commit_does_not_have_yet() {
    let bench = Bench::new();
    bench.repo.write("one/a.json", pretty(&sidecar("a"))).commit("one");
    bench.repo.write("two/b.json", pretty(&sidecar("b"))).commit("two");
    let report = told_against(&bench, &bench.repo.path().join("two"), "HEAD~1", 1);
    assert_eq!(lines(&report), ["create new b NA"]);
}

/// An item whose file was broken in the commit that is compared with shows as
/// new; a note says why.
#[test]
fn what_was_broken_in_the_other_commit_is_said() {
    let bench = Bench::new();
    bench.repo.write("items/a/NA.json", "{");
    bench.commit(&[sidecar("b")]);
    bench.commit(&[sidecar("a")]);
    let report = told_against(&bench, &bench.repo.path(), "HEAD~1", 1);
    assert_eq!(report["problems"], json!([]), "what is read has none: {report:#}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("items/a/NA.json") || notes.contains("problem"), "{notes}");
}

#[test]
fn credentials_in_headers_and_in_lines_of_json() {
    let mut leaks = Vec::new();
    for (place, value) in [
        ("bearer", format!("Bearer {}", canary("bearer", "old"))),
        ("header", format!("Authorization: Bearer {}", canary("header", "old"))),
        ("basic", format!("Authorization: Basic {}==", canary("basic", "old"))),
        ("jsonline", format!("a: 1\n{{\"token\": \"{}\", \"x\": 1}}\n", canary("line", "old"))),
        ("yamlline", format!("a: 1\ntoken: {}\n", canary("yaml", "old"))),
        ("cookie", format!("Set-Cookie: session={}", canary("cookie", "old"))),
    ] {
        let bench = Bench::new();
        let mut item = free("s");
        item["resources"]["harmless"] = json!(value);
        bench.commit(&[item]);
        let run = diff(&bench, &["--format=json"]).exits(1);
        if run.stdout.contains("CANARY") {
            leaks.push(place);
        }
    }
    assert_eq!(leaks, Vec::<&str>::new());
}

/// `writeOnly` in the elements of a list, by `$ref`, also when a whole object
/// is shown.
#[test]
fn write_only_in_the_elements_of_a_list() {
    let bench = Bench::new();
    let with = |time: &str| {
        let mut item = write_only(time);
        item["resources"]["deep"]["list"][0]["hidden"] = json!(canary("deep", time));
        item
    };
    bench.repo.write("thing.schema.json", SCHEMA);
    bench.commit(&[with("old")]);
    silent("new", |args| diff(&bench, args));
    bench.apply(&[]).exits(0);
    bench.commit(&[with("new")]);
    silent("edited", |args| diff(&bench, args));
    let report = told(&bench, &[], 1);
    assert!(entry(&report, "w")["fields"].as_array().unwrap().len() >= 4, "{report:#}");
}

/// A line that changes in nothing but a credential is no line that stays.
#[test]
fn a_masked_line_that_changes_beside_another_is_a_change() {
    let bench = Bench::new();
    let with = |secret: &str, last: &str| {
        let mut item = free("s");
        item["resources"]["file"] = json!(format!("a: 1\npassword: {secret}\nlast: {last}\n"));
        item
    };
    bench.commit(&[with("CANARYone", "old")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[with("CANARYtwo", "new")]);
    let run = diff(&bench, &[]).exits(1);
    assert!(!run.stdout.contains("CANARY"), "{run}");
    let stays = run.stdout.lines().any(|line| line.starts_with("      password: (masked)"));
    assert!(!stays, "the password changed: {run}");
}

/// A client secret that is a word of the documents is hidden after they were
/// compared and masked: it makes no drift, and unmasks nothing.
#[test]
fn a_client_secret_that_is_a_word_of_the_documents() {
    let bench = Bench::new();
    let with = |value: &str| {
        let mut item = free("s");
        item["resources"]["env"] =
            json!([{ "name": "PLAIN", "value": value, "valueType": "secret" }]);
        item
    };
    bench.commit(&[with("CANARYone")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[with("CANARYtwo")]);
    let mut command = command(&bench, &bench.repo.path(), &["--format=json"]);
    command.env("MARKETSYNC_CLIENT_SECRET", "secret");
    let run = Running::start(command).end().exits(1);
    assert!(!run.stdout.contains("CANARY") && !run.stdout.contains("drift"), "{run}");
}

#[test]
fn a_picture_that_the_commit_changed_is_an_edit() {
    let bench = Bench::new();
    bench.repo.write("items/logo.png", PNG);
    bench.commit(&[with_image(sidecar("s"), "../logo.png")]);
    bench.apply(&[]).exits(0);
    bench.repo.write("items/logo.png", [PNG, b"more"].concat()).commit("a new picture");
    let report = told(&bench, &[], 1);
    let changed = &entry(&report, "s")["fields"][0];
    assert_eq!((&changed["kind"], &changed["cause"]), (&json!("picture"), &json!("edit")));
}

#[test]
fn a_picture_that_nobody_knows_is_unknown_and_drift() {
    let bench = Bench::new();
    bench.repo.write("items/logo.png", PNG);
    bench.commit(&[with_image(sidecar("s"), "../logo.png")]);
    bench.apply(&[]).exits(0);
    let mut document = bench.handle().items()[&format!("{COMPANY} s NA")].clone();
    document["imageUrl"] = json!("/v2/files/download/no-such.png");
    bench.handle().put_raw(COMPANY, &document).unwrap();
    let report = told(&bench, &["--drift=correct"], 1);
    let changed = &entry(&report, "s")["fields"][0];
    assert_eq!((&changed["kind"], &changed["cause"]), (&json!("picture"), &json!("drift")));
    assert_eq!(changed["from"].get("digest"), Some(&json!(null)), "{changed:#}");
    diff(&bench, &["--drift=correct"]).exits(1).prints("unknown");
}

/// What the program proves itself with is in no report, also where it stands
/// in an item that the marketplace does not have.
#[test]
fn the_client_secret_in_a_new_item_is_hidden() {
    let bench = Bench::new();
    let mut item = free("s");
    item["description"] = json!("proves itself with CANARYclient");
    bench.commit(&[item]);
    for format in ["text", "json", "markdown", "html"] {
        let format = format!("--format={format}");
        let mut command = command(&bench, &bench.repo.path(), &[&format]);
        command.env("MARKETSYNC_CLIENT_SECRET", "CANARYclient");
        let run = Running::start(command).end().exits(1);
        assert!(!run.stdout.contains("CANARY") && run.stdout.contains("***"), "{run}");
    }
}

/// What somebody added in the marketplace is no drift, and an edit of something
/// else may remove it: that is said. What the marketplace adds by itself is not.
#[test]
fn what_an_edit_may_take_away_is_noted() {
    let bench = Bench::new();
    bench.commit(&[sidecar("s")]);
    bench.apply(&[]).exits(0);
    let mut theirs = bench.handle().items()[&format!("{COMPANY} s NA")].clone();
    theirs["labels"] = json!({ "team": "shop" });
    theirs["releaseDate"] = json!("2026-01-01T00:00:00.000Z");
    bench.handle().put_raw(COMPANY, &theirs).unwrap();
    assert_eq!(told(&bench, &[], 0)["notes"], json!([]), "nothing is to be done");
    let mut mine = sidecar("s");
    mine["name"] = json!("Mine");
    bench.commit(&[mine]);
    let notes = told(&bench, &[], 1)["notes"].to_string();
    assert!(notes.contains("s NA also holds labels in the marketplace"), "{notes}");
    assert!(!notes.contains("releaseDate"), "{notes}");
}

/// An item that was refused exactly so is tried again, and most likely refused.
#[test]
fn what_was_refused_before_is_noted() {
    let bench = Bench::new();
    bench.commit(&[sidecar("s")]);
    let kind = FaultKind::RejectItem { message: "the plan is full".to_owned() };
    assert!(bench.handle().fail(Fault::always(Route::Apply, kind)));
    bench.apply(&[]).exits(1);
    let notes = told(&bench, &[], 1)["notes"].to_string();
    assert!(notes.contains("s NA was refused") && notes.contains("the plan is full"), "{notes}");
}
