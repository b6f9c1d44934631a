//! A clock that somebody sets, or that stands still.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use marketsync::embedded::{Fault, FaultKind, Route};

use super::catalogue::{Catalogue, is_there};
use super::scene::Scene;
use crate::findings::{Findings, has};
use crate::support::cli::{Bench, Run, Running, program};
use crate::support::daemon::{BEATS, Daemon, command};
use crate::support::documents::{set, sidecar};

/// Where Debian keeps what sets the clock of one process.
const PRELOADED: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Clocks, and what they are.
const CLOCKS: [(&str, &str); 9] = [
    ("right", "+0"),
    ("ten years ahead", "+10y"),
    ("right again", "+0"),
    ("ten years back", "-10y"),
    ("before 1970", "-70y"),
    ("stands still in 2038", "2038-01-19 03:14:07"),
    ("stands still in 1970", "1970-01-01 00:00:01"),
    ("a century ahead", "+100y"),
    ("right at last", "+0"),
];

/// Whether a clock can be set here for one process.
fn can() -> bool {
    if !has("faketime") {
        return false;
    }
    let there = Path::new(PRELOADED).exists();
    if !there {
        eprintln!("skipped: there is no {PRELOADED}");
    }
    there
}

/// The same command with a clock of its own. What only counts is not set: nor
/// does it move when people set the clock of a machine.
fn with_clock(mut command: Command, clock: &str) -> Command {
    command.env("LD_PRELOAD", PRELOADED).env("FAKETIME", clock);
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    command
}

fn scene(items: u32) -> Scene {
    let bench = Bench::new();
    let mut catalogue = Catalogue::new(&mut fastrand::Rng::with_seed(7), items);
    catalogue.put(sidecar("alpha"), None);
    catalogue.put(sidecar("beta"), None);
    catalogue.commit(&bench);
    Scene { bench, catalogue, touched: BTreeSet::new() }
}

fn apply(scene: &Scene, clock: &str, more: &[&str]) -> Run {
    scene.bench.handle().clear_log();
    let plain = scene.bench.command(&scene.bench.repo.path(), more);
    Running::start(with_clock(plain, clock)).end()
}

/// Asserts that everything is there, and recorded. The history is another
/// matter: it has an age.
fn is_right(scene: &Scene, run: &Run) {
    assert!(!run.stderr.contains("panicked"), "{run}");
    let kept = scene.kept();
    for (name, piece) in &scene.catalogue.pieces {
        assert!(is_there(&scene.bench, name, piece), "{name} is not right\n{run}");
        assert!(scene.is_settled(&kept, name), "{name} is not recorded\n{run}");
    }
}

/// What is shown of a state with this clock has no times to come.
fn shows(scene: &Scene, clock: &str) -> String {
    let state = scene.bench.state();
    let show = |args: &[&str]| {
        let mut plain = program(scene.bench.home.path());
        plain.args(args).arg("--state").arg(&state);
        let run = Running::start(with_clock(plain, clock)).end().exits(0);
        run.stdout.clone()
    };
    show(&["history", "alpha"]);
    show(&["status"])
}

#[test]
#[ignore = "needs faketime: tests/prove/run"]
fn an_apply_with_any_clock() {
    if !can() {
        return;
    }
    let mut findings = Findings::begin(
        "crash-clock-apply",
        &["clock", "exit", "wrong items", "the next apply asks"],
    );
    let mut scene = scene(10);
    for (name, clock) in CLOCKS {
        scene.catalogue.rewrite(name);
        scene.catalogue.commit(&scene.bench);
        let run = apply(&scene, clock, &[]).exits(0);
        is_right(&scene, &run);
        let before = scene.kept().history.len();
        apply(&scene, clock, &[]).exits(0);
        scene.bench.asked_nothing();
        assert_eq!(scene.kept().history.len(), before, "{name}: nothing was done");
        let shown = shows(&scene, clock);
        shows(&scene, "+0");
        assert!(!shown.contains(" -"), "a time to come\n{shown}");
        findings.row(&[name, "0", "0", "nothing"]);
    }
}

/// Corrections of drift are counted by their times: those of a clock that was
/// set back meanwhile are not close to each other.
#[test]
#[ignore = "needs faketime: tests/prove/run"]
fn drift_is_corrected_when_the_clock_was_set_back() {
    if !can() {
        return;
    }
    let scene = scene(0);
    apply(&scene, "+0", &[]).exits(0);
    for clock in ["+1y", "+0", "+0", "+0"] {
        let drifted = set(sidecar("alpha"), "/description", "Somebody else's");
        scene.bench.handle().put_raw("acme", &drifted).unwrap();
        let run = apply(&scene, clock, &["--drift=correct"]).exits(0);
        assert_eq!(run.said("Updated"), ["alpha NA"], "{run}");
        is_right(&scene, &run);
    }
}

/// The deletions of a commit are counted, however old the clock makes them.
#[test]
#[ignore = "needs faketime: tests/prove/run"]
fn a_clock_ahead_makes_no_room_for_deletions() {
    if !can() {
        return;
    }
    let mut scene = scene(28);
    apply(&scene, "+0", &[]).exits(0);
    let names: Vec<String> = scene.catalogue.pieces.keys().cloned().collect();
    for name in names.iter().filter(|name| name.starts_with("item-1")).take(3) {
        scene.catalogue.remove(name);
    }
    scene.catalogue.commit(&scene.bench);
    let run = apply(&scene, "+0", &["--prune"]).exits(0);
    assert_eq!(run.said("Deleted").len(), 3, "{run}");
    // Something is written down by that clock.
    let drifted = set(sidecar("alpha"), "/description", "Somebody else's");
    scene.bench.handle().put_raw("acme", &drifted).unwrap();
    let run = apply(&scene, "+3y", &["--drift=correct"]).exits(0);
    assert_eq!(run.said("Updated"), ["alpha NA"], "{run}");
    let run = apply(&scene, "+3y", &["--prune", "--exclude=items/beta/"]).exits(3);
    assert_eq!(run.said("Deleted"), Vec::<String>::new(), "{run}");
}

#[test]
#[ignore = "needs faketime: tests/prove/run"]
fn a_clock_that_jumps_under_a_daemon() {
    if !can() {
        return;
    }
    let columns = ["the clock", "says that it was set", "a commit after it", "drift is seen"];
    let mut findings = Findings::begin("crash-clock-run", &columns);
    let mut scene = scene(3);
    let file = scene.bench.home.path().join("clock");
    fs::write(&file, "+0").unwrap();
    let mut plain = command(&scene.bench, scene.bench.repo.path(), BEATS);
    plain.env("FAKETIME_TIMESTAMP_FILE", &file).env("FAKETIME_NO_CACHE", "1");
    let mut plain = with_clock(plain, "+0");
    plain.env_remove("FAKETIME");
    let daemon = Daemon::start(plain);
    daemon.ready().says("Created", "beta NA", 1);
    // One item fails, and waits for a time of day.
    let fault = Fault::always(Route::Apply, FaultKind::status(503)).for_item("beta");
    scene.bench.handle().fail(fault);
    scene.catalogue.put(set(sidecar("beta"), "/description", "Waits"), None);
    scene.catalogue.commit(&scene.bench);
    daemon.says("Failed", "beta NA", 1);
    for (round, (name, clock)) in CLOCKS[1..].iter().enumerate() {
        let said = daemon.lines("The clock was set").len();
        fs::write(&file, clock).unwrap();
        daemon.until("it sees that the clock was set", |daemon| {
            daemon.lines("The clock was set").len() > said
        });
        if round == 1 {
            scene.bench.handle().clear_faults();
            daemon.says("Updated", "beta NA", 1);
        }
        let updated = daemon.said("Updated").len();
        scene.catalogue.put(set(sidecar("alpha"), "/description", *name), None);
        let commit = scene.catalogue.commit(&scene.bench);
        daemon.until("a commit is applied", |daemon| daemon.said("Updated").len() > updated);
        daemon.settles(&commit);
        let drifted = daemon.lines("Drifted").len();
        let text = format!("Somebody else's, {name}");
        let elsewhere = set(sidecar("alpha"), "/name", text.clone());
        scene.bench.handle().put_raw("acme", &elsewhere).unwrap();
        daemon.until("drift is seen", |daemon| daemon.lines("Drifted").len() > drifted);
        assert_eq!((daemon.get("/healthz").0, daemon.get("/readyz").0), (200, 200), "{name}");
        assert_eq!(daemon.status()["commit"], commit);
        findings.row(&[name, "yes", "applied", "yes"]);
    }
    scene.catalogue.rewrite("The end");
    let commit = scene.catalogue.commit(&scene.bench);
    daemon.settles(&commit);
    let run = daemon.stop();
    is_right(&scene, &run);
}
