//! `run`, which follows a source that moves.

use std::sync::atomic::Ordering;
use std::thread;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Tally;
use super::generation::{names, of_document};
use super::judge::Judge;
use super::moving::Moving;
use super::writer::{Stop, Writer};
use crate::support::cli::{Bench, Run};
use crate::support::daemon::Daemon;

const ARGS: [&str; 5] =
    ["--prune", "--allow-deletes=1000", "--drift=off", "--poll-every=100ms", "--fetch-every=200ms"];

/// Follows it until so many passes have come to an end.
pub(crate) fn followed(
    moving: &mut dyn Moving,
    bench: &Bench,
    passes: usize,
    chance: fastrand::Rng,
) -> Tally {
    let (source, args) = (moving.source(), [ARGS.as_slice(), moving.args()].concat());
    let writer = Writer::default();
    let mut judge = Judge::default();
    let mut daemon = None;
    thread::scope(|scope| {
        let stop = Stop(&writer.stop);
        scope.spawn(|| writer.publish_all(moving, chance));
        let daemon = daemon.insert(Daemon::of(bench, &source, &args));
        for pass in 1..=passes {
            let ended = |daemon: &Daemon| daemon.lines("Reconciled").len() >= pass;
            daemon.until(&format!("pass {pass} ends"), ended);
        }
        drop(stop);
    });
    let daemon = daemon.unwrap();
    let last = writer.done.load(Ordering::SeqCst);
    daemon.until(&format!("the last generation, {last}, is there"), |_| stands(bench, last));
    let run = daemon.stop();
    judge.run(bench, &run, last);
    if judge.stands(bench) != Some(last) {
        judge.wrong.push(format!("the last generation, {last}, is not there in the end"));
    }
    if !judge.wrong.is_empty() {
        println!("{:#?}\n{run}", judge.wrong);
    }
    let spans: Vec<_> = run.lines("Reconciled").iter().map(span).collect();
    Tally {
        passes: spans.len(),
        generations: last,
        moved: spans.into_iter().filter(|span| writer.moved(*span)).count(),
        repeated: run.lines("Recovered").len(),
        errors: told(&run),
        rested: 0,
        wrong: judge.wrong,
    }
}

/// Whether the marketplace has a generation and nothing else.
fn stands(bench: &Bench, generation: u64) -> bool {
    let items = bench.handle().items();
    items.len() == names(generation).len()
        && items.values().all(|document| of_document(document) == Some(generation))
}

/// From when to when a pass went on.
fn span(line: &Value) -> (Timestamp, Timestamp) {
    let end: Timestamp = line["timestamp"].as_str().unwrap().parse().unwrap();
    (end - SignedDuration::from_millis(line["took_ms"].as_i64().unwrap()), end)
}

fn told(run: &Run) -> usize {
    ["Pass failed", "Fetch failed"].map(|message| run.lines(message).len()).iter().sum()
}
