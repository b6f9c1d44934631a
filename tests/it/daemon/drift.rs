//! What somebody changes in the marketplace: told, put right, or left alone.

use std::fs;
use std::time::{Duration, Instant};

use marketsync::embedded::{Route, Switches};
use serde_json::{Value, json};

use super::{description, told};
use crate::pass_drift::{rich, switches};
use crate::support::cli::{Bench, until};
use crate::support::daemon::{BEATS, Daemon};
use crate::support::documents::{path, pretty, sidecar};
use crate::support::market::{COMPANY, key};

/// Somebody edits an item in the Console.
fn somebody_writes(bench: &Bench, item_id: &str, text: &str) {
    bench.handle().put_raw(COMPANY, &told(item_id, text)).unwrap();
}

#[test]
fn drift_is_told_once_for_each_change() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha"), told("beta", "mine"), sidecar("gamma")]);
    let daemon = Daemon::follow(&bench, BEATS);
    daemon.says("Created", "gamma NA", 1);
    bench.handle().clear_log();
    somebody_writes(&bench, "beta", "theirs");
    daemon.says("Drifted", "beta NA", 1);
    daemon.passes("drift", 3);
    assert_eq!(daemon.said("Drifted"), ["beta NA"], "{daemon}");
    let line = daemon.line("Drifted");
    assert_eq!((&line["level"], &line["fields"]), (&json!("WARN"), &json!(r#"["/description"]"#)));
    let status = daemon.status();
    assert_eq!(status["counts"]["drifted"], 1, "{status}");
    assert_eq!(status["held"][0]["itemId"], "beta", "{status}");
    assert_eq!(status["held"][0]["fields"], json!(["/description"]), "{status}");
    assert_eq!(daemon.metric("marketsync_drifted_items"), 1);
    assert_eq!(daemon.metric(r#"marketsync_items{state="drifted"}"#), 1);

    // Another field is another change; an item that went is one, too.
    let mut more = told("beta", "theirs");
    more["name"] = json!("Theirs");
    bench.handle().put_raw(COMPANY, &more).unwrap();
    bench.handle().remove(COMPANY, &key("gamma", "NA")).unwrap();
    daemon.says("Drifted", "beta NA", 2);
    daemon.says("Drifted", "gamma NA", 1);
    daemon.passes("drift", 3);
    assert_eq!(daemon.said("Drifted").len(), 3, "{daemon}");

    // Put back by whoever did it.
    somebody_writes(&bench, "beta", "mine");
    daemon.until("one is left", |daemon| daemon.metric("marketsync_drifted_items") == 1);
    assert_eq!(bench.writes(), [], "{daemon}");
    somebody_writes(&bench, "beta", "again");
    daemon.says("Drifted", "beta NA", 3);
    daemon.stop();
}

#[test]
fn drift_is_put_right_until_somebody_contests_it() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha"), told("beta", "mine")]);
    let daemon = Daemon::follow(&bench, &[BEATS, &["--drift=correct"]].concat());
    daemon.says("Created", "beta NA", 1);
    for round in 1..=3 {
        somebody_writes(&bench, "beta", &format!("theirs {round}"));
        daemon.says("Updated", "beta NA", round);
        assert_eq!(description(&bench, "beta"), "mine");
    }
    somebody_writes(&bench, "beta", "theirs for good");
    daemon.says("Held", "beta NA", 1);
    daemon.passes("drift", 4);
    assert_eq!(daemon.said("Held"), ["beta NA"], "told once:\n{daemon}");
    assert!(daemon.line("Held").to_string().contains("contested"), "{daemon}");
    assert_eq!(daemon.said("Updated").len(), 3, "{daemon}");
    assert_eq!(description(&bench, "beta"), "theirs for good");
    assert_eq!(daemon.status()["held"][0]["hold"], "contested", "{}", daemon.status());
    // Nobody else has to wait for that.
    somebody_writes(&bench, "alpha", "theirs");
    daemon.says("Updated", "alpha NA", 1);
    // The file decides.
    bench.commit(&[told("beta", "mine, really")]);
    daemon.says("Updated", "beta NA", 4);
    assert_eq!(description(&bench, "beta"), "mine, really");
    daemon.stop();
}

#[test]
fn what_vanished_is_created_again() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let daemon = Daemon::follow(&bench, &[BEATS, &["--drift=correct"]].concat());
    daemon.says("Created", "alpha NA", 1);
    bench.handle().remove(COMPANY, &key("alpha", "NA")).unwrap();
    daemon.says("Created", "alpha NA", 2);
    assert_eq!(bench.names(), ["alpha NA"]);
    daemon.stop();
}

#[test]
fn who_does_not_look_asks_nothing() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let daemon = Daemon::follow(&bench, &[BEATS, &["--drift=off"]].concat());
    daemon.says("Created", "alpha NA", 1);
    daemon.ready();
    bench.handle().clear_log();
    somebody_writes(&bench, "alpha", "theirs");
    for round in 0..2 {
        // A commit without an item: a pass, and nothing to ask.
        bench.repo.write("README.md", format!("round {round}"));
        let commit = bench.repo.commit("words");
        daemon.until("it is read", |daemon| daemon.status()["commit"] == commit.as_str());
    }
    bench.asked_nothing();
    assert_eq!(daemon.lines("Drifted").len(), 0, "{daemon}");
    daemon.stop();
}

#[test]
fn looks_are_no_faster_than_their_rate() {
    let bench = Bench::new();
    let items: Vec<_> = (0..12).map(|item| sidecar(&format!("i{item}"))).collect();
    bench.commit(&items);
    let args = ["--poll-every=1h", "--drift-every=100ms", "--drift-rate=10"];
    let daemon = Daemon::follow(&bench, &args);
    daemon.says("Created", "i11 NA", 1);
    daemon.ready();
    let gets = || bench.handle().calls(Route::Get);
    let (before, began) = (gets(), Instant::now());
    until("thirty more looks", || gets() >= before + 30);
    // Ten a second, and at most the looks of one second at once.
    assert!(began.elapsed() >= Duration::from_millis(1900), "{:?}\n{daemon}", began.elapsed());
    // Each has its turn: the longest unseen first.
    let mut looked: Vec<String> = bench
        .calls()
        .into_iter()
        .filter(|call| call.route == Route::Get)
        .flat_map(|call| call.items)
        .collect();
    let last = looked.split_off(looked.len() - 24);
    for item in 0..12 {
        let name = format!("i{item} NA");
        let times = last.iter().filter(|looked| **looked == name).count();
        assert!((1..=3).contains(&times), "{name}: {times} of {last:?}");
    }
    // A commit does not wait for the looks.
    let began = Instant::now();
    bench.commit(&[told("i3", "two")]);
    daemon.says("Updated", "i3 NA", 1);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}\n{daemon}", began.elapsed());
    daemon.stop();
}

/// The item as its file has it.
fn read(bench: &Bench, item_id: &str) -> Value {
    let file = bench.repo.path().join(path(&sidecar(item_id)));
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// One marketplace, one daemon, every switch; the items are edited under each.
fn looks_find_nothing(console: &str) {
    let bench = Bench::console(console);
    rich(&bench);
    let args = ["--poll-every=1h", "--drift-every=100ms", "--drift-rate=1000"];
    let daemon = Daemon::follow(&bench, &args);
    daemon.until("all are there", |daemon| daemon.said("Created").len() == 6);
    let files = ["plain", "other", "old"];
    for (round, switches) in switches().into_iter().enumerate() {
        bench.handle().set_switches(switches.clone());
        for item_id in files {
            let mut document = read(&bench, item_id);
            document["description"] = json!(format!("round {round}"));
            // A field that comes and goes: a marketplace that merges keeps it.
            if round % 2 == 0 {
                document["supportedBy"] = json!("Them");
            } else {
                document.as_object_mut().unwrap().remove("supportedBy");
            }
            bench.repo.write(&path(&sidecar(item_id)), pretty(&document));
        }
        bench.repo.commit("edited");
        daemon.until(&format!("the edits under {switches:?}"), |daemon| {
            daemon.said("Updated").len() >= (round + 1) * files.len()
        });
        bench.handle().clear_log();
        daemon.passes("drift", 2);
        daemon.until(&format!("looks at every item under {switches:?}"), |_| {
            bench.handle().calls(Route::Get) >= 6
        });
        quiet(&bench, &daemon, &switches);
    }
    daemon.stop();
}

#[track_caller]
fn quiet(bench: &Bench, daemon: &Daemon, switches: &Switches) {
    assert_eq!(bench.writes(), [], "{switches:?}\n{daemon}");
    for word in ["Drifted", "Held", "Failed", "Rejected", "Invalid"] {
        assert_eq!(daemon.lines(word).len(), 0, "{word} under {switches:?}\n{daemon}");
    }
}

#[test]
fn a_new_console_never_drifts_by_itself() {
    looks_find_nothing("14.1");
}

#[test]
fn an_old_console_never_drifts_by_itself() {
    looks_find_nothing("13.6");
}
