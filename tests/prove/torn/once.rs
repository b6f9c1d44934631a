//! `apply`, again and again, on a source that moves.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::Tally;
use super::judge::Judge;
use super::moving::Moving;
use super::writer::{Stop, Writer};
use crate::support::cli::{Bench, Run, until};

/// What every run is told: what a generation lacks goes, and a source that
/// never holds still is given up soon.
const ARGS: [&str; 4] = ["--prune", "--allow-deletes=1000", "--retry-for", "4s"];

/// The longest that one run may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Runs `apply` so many times.
pub(crate) fn applied(
    moving: &mut dyn Moving,
    bench: &Bench,
    passes: usize,
    chance: fastrand::Rng,
) -> Tally {
    let may_be_refused = moving.may_be_refused();
    let (source, args) = (moving.source(), [ARGS.as_slice(), moving.args()].concat());
    let apply = || bench.apply_from(Path::new(&source), &args);
    let writer = Writer::default();
    let (mut tally, mut judge) = (Tally::default(), Judge::default());
    thread::scope(|scope| {
        let stop = Stop(&writer.stop);
        scope.spawn(|| writer.publish_all(moving, chance));
        for _ in 0..passes {
            let (before, began) = (writer.done.load(Ordering::SeqCst), Instant::now());
            let run = apply();
            assert!(began.elapsed() < PATIENCE, "it took {:?}\n{run}", began.elapsed());
            let known = judge.wrong.len();
            judge.run(bench, &run, writer.begun.load(Ordering::SeqCst));
            tally.passes += 1;
            tally.moved += usize::from(reading(&run).is_some_and(|span| writer.moved(span)));
            tally.repeated += usize::from(!run.lines("Trying again").is_empty());
            match run.code {
                Some(0) => {
                    let stands = judge.stands(bench);
                    if stands.is_some_and(|generation| generation < before) {
                        judge.wrong.push(format!("it read {stands:?}, and {before} was there"));
                    }
                }
                Some(2) if run.stderr.contains(source.to_str().unwrap()) => tally.errors += 1,
                code => judge.wrong.push(format!("it exits {code:?} and does not say where")),
            }
            if judge.wrong.len() > known {
                let begun = writer.begun.load(Ordering::SeqCst);
                until("what is being written is whole", || {
                    writer.done.load(Ordering::SeqCst) >= begun
                });
                if reading(&run).is_some_and(|span| writer.rested(span)) {
                    tally.rested += 1;
                    judge.wrong.truncate(known);
                }
            }
            if judge.wrong.len() > known {
                println!("{:#?}\n{run}", &judge.wrong[known..]);
            }
        }
        drop(stop);
    });
    // Nothing moves any more: the last generation is there.
    let (run, last) = (apply(), writer.done.load(Ordering::SeqCst));
    judge.run(bench, &run, last);
    if run.code != Some(0) || judge.stands(bench) != Some(last) {
        judge.wrong.push(format!("the last generation, {last}, is not there in the end:\n{run}"));
    }
    // A source that moves all at once can be read, if it is tried again.
    if !may_be_refused && passes >= 20 && tally.errors * 3 > passes {
        judge.wrong.push(format!("{} of {passes} readings were refused", tally.errors));
    }
    Tally { generations: last, wrong: judge.wrong, ..tally }
}

/// When a run read its source: from its first line to the last that says that
/// it was read.
fn reading(run: &Run) -> Option<(Timestamp, Timestamp)> {
    let at = |line: &Value| line["timestamp"].as_str().unwrap().parse::<Timestamp>().unwrap();
    let first = run.lines("Applying").first().map(at)?;
    let last = run.lines("Loaded").last().map(at);
    Some((first, last.or_else(|| run.log().last().map(at))?))
}
