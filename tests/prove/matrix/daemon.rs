//! Cells with `run`: the fault is there from the first pass on, and goes once
//! it has struck; what is left, the daemon does by itself.

use super::arm::of_market;
use super::axes::{Cell, Trouble};
use super::market::{Outcome, Trap, behind_a_gate};
use super::scene::Scene;
use super::truth::{Moment, lies};
use super::words::unsaid;
use crate::support::daemon::{Daemon, command};
use crate::world::wrong;

/// Nothing but what failed makes a pass, and the search for drift.
const BEATS: [&str; 3] = ["--poll-every=1h", "--drift-every=300ms", "--drift-rate=1000"];

/// How many times a fault strikes before it goes, at least.
const STRIKES: usize = 1;

pub(super) fn run(cell: &Cell) -> Outcome {
    let (bench, gate) = behind_a_gate("14.1");
    let scene = Scene::grand(bench);
    let trap = Trap::new();
    let itself = format!("{}/api/again", scene.bench.market.url);
    let handle = scene.bench.handle();
    let args = [&BEATS[..], scene.args()].concat();
    handle.clear_log();
    if cell.trouble == Trouble::Refused {
        gate.shut();
    }
    for fault in of_market(cell, (&trap.url(), &itself), None, 0) {
        assert!(handle.fail(fault));
    }
    let before = Moment::of(&scene.bench);
    let daemon = Daemon::start(command(&scene.bench, &scene.source, &args));
    daemon.until("the fault strikes", |daemon| match cell.trouble {
        Trouble::Refused => daemon.mentions("refuses the connection") > 0,
        _ => handle.log().iter().filter(|call| call.fault.is_some()).count() >= STRIKES,
    });
    handle.clear_faults();
    gate.open();
    daemon.until("everything is right", |_| {
        let there = scene.bench.names();
        let gone = scene.asked.may_go.iter().all(|name| !there.contains(name));
        gone && wrong(&scene.bench, &scene.asked.wanted).is_empty()
    });
    // It has said what it did, once the last of it is recorded.
    daemon.until("it knows that", |daemon| {
        let done = |name: &String| {
            let verbs = ["Created", "Updated", "Adopted", "Deleted", "Forgotten"];
            verbs.iter().any(|verb| daemon.said(verb).contains(name))
        };
        let recorded = before.status.keys();
        let fresh = scene.asked.wanted.keys().filter(|name| !before.status.contains_key(*name));
        let left = recorded.filter(|name| !scene.asked.wanted.contains_key(*name));
        fresh.chain(left).all(done)
    });
    let run = daemon.stop();
    let after = Moment::of(&scene.bench);
    let mut wrong = lies(&scene.bench, (&before, &after), &run, &scene.asked);
    wrong.extend(unsaid(cell, &run));
    if trap.is_sprung() {
        wrong.push("it followed a redirection".to_owned());
    }
    wrong.extend(scene.converges(&run, &["edit NA".to_owned(), "gone NA".to_owned()]));
    if !wrong.is_empty() {
        wrong.push(run.to_string());
    }
    Outcome { code: run.code, wrong }
}
