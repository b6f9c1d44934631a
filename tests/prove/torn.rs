//! Sources that move while they are read: no mixed snapshot is ever planned.
//!
//! A writer publishes one generation of a catalogue after the other, for each
//! kind of source in the way that such sources are written. Every file says
//! which generation it is of. What the marketplace gets, and what is there in
//! the end, must be of one generation that was published.

mod folders;
mod generation;
mod judge;
mod moving;
mod served;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::findings::{Findings, long, rounds};
use crate::support::cli::{Bench, Run};
use crate::support::git_server::backend;
use judge::Judge;
use moving::Moving;
use served::Served;

/// What every run is told: what a generation lacks goes, and a source that
/// never holds still is given up soon.
const ARGS: [&str; 4] = ["--prune", "--allow-deletes=1000", "--retry-for", "4s"];

/// The longest that one run may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// The bodies of one run.
const BODIES: usize = 64 * 1024 * 1024;

/// Somebody who publishes, and when.
#[derive(Default)]
struct Writer {
    stop: AtomicBool,
    begun: AtomicU64,
    done: AtomicU64,
    /// From when to when each generation was published.
    moments: Mutex<Vec<(Timestamp, Timestamp)>>,
}

impl Writer {
    fn publish_all(&self, moving: &mut dyn Moving, mut chance: fastrand::Rng) {
        let mut generation = 1;
        while !self.stop.load(Ordering::SeqCst) {
            generation += 1;
            self.begun.store(generation, Ordering::SeqCst);
            let from = Timestamp::now();
            moving.publish(generation, &mut chance);
            let to = Timestamp::now();
            self.done.store(generation, Ordering::SeqCst);
            let from = if moving.is_atomic() { to } else { from };
            self.moments.lock().unwrap().push((from, to));
        }
    }

    /// Whether the source moved between two times.
    fn moved(&self, (from, to): (Timestamp, Timestamp)) -> bool {
        self.moments.lock().unwrap().iter().any(|(began, ended)| *began <= to && *ended >= from)
    }
}

/// What a kind of source came to.
#[derive(Default)]
struct Tally {
    passes: usize,
    moved: usize,
    repeated: usize,
    errors: usize,
}

/// When a run read its source: from its first line to the last that it was
/// read.
fn reading(run: &Run) -> Option<(Timestamp, Timestamp)> {
    let at = |line: &serde_json::Value| line["timestamp"].as_str().unwrap().parse().unwrap();
    let first = run.lines("Applying").first().map(at)?;
    let last = run.lines("Loaded").last().map_or_else(|| at(run.log().last().unwrap()), at);
    Some((first, last))
}

/// Runs `apply` so many times on a source that moves.
fn applied(
    kind: &str,
    moving: &mut dyn Moving,
    bench: &Bench,
    passes: usize,
    chance: fastrand::Rng,
) -> (Tally, u64, Judge) {
    bench.handle().keep_bodies(BODIES);
    let (source, args) = (moving.source(), [&ARGS, moving.args()].concat());
    let writer = Writer::default();
    let (mut tally, mut judge) = (Tally::default(), Judge::default());
    thread::scope(|scope| {
        scope.spawn(|| writer.publish_all(moving, chance));
        let stop = Stop(&writer.stop);
        for _ in 0..passes {
            let before = writer.done.load(Ordering::SeqCst);
            let began = Instant::now();
            let run = bench.apply_from(Path::new(&source), &args);
            assert!(began.elapsed() < PATIENCE, "{kind}: it took {:?}\n{run}", began.elapsed());
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
                code => judge.wrong.push(format!("it exits {code:?}")),
            }
            if judge.wrong.len() > known {
                println!("{kind}: {:#?}\n{run}", &judge.wrong[known..]);
            }
        }
        drop(stop);
    });
    // Nothing moves any more: the last generation is there.
    let run = bench.apply_from(Path::new(&source), &args);
    let last = writer.done.load(Ordering::SeqCst);
    judge.run(bench, &run, last);
    if run.code != Some(0) || judge.stands(bench) != Some(last) {
        judge.wrong.push(format!("the last generation, {last}, is not there in the end:\n{run}"));
    }
    (tally, last, judge)
}

/// Stops a writer, also if the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

const KINDS: [&str; 14] = [
    "commits",
    "amends, gc",
    "gc, repack, pack-refs",
    "pushes into a bare repository",
    "fetch and reset --hard",
    "half-finished pulls",
    "branch switches",
    "linked worktree",
    "shallow clone deepened",
    "git-sync flips",
    "ConfigMap swaps",
    "directory in place",
    "rsync",
    "work tree, reset --hard",
];

#[test]
fn no_mixed_snapshot_is_planned() {
    let columns = [
        "kind",
        "passes",
        "generations",
        "moved while read",
        "tried again",
        "told an error",
        "wrong",
    ];
    let mut findings = Findings::begin("torn", &columns);
    let only = std::env::var("MARKETSYNC_PROVE_ONLY").unwrap_or_default();
    let mut chance = findings.chance();
    let mut wrong = Vec::new();
    let mut kinds: Vec<&str> = KINDS.to_vec();
    if backend().is_some() {
        kinds.push("remote over HTTP");
    }
    kinds.push("remote file://");
    for kind in kinds {
        let seed = chance.u64(..);
        if !kind.contains(&only) {
            continue;
        }
        let bench = Bench::new();
        let mut moving: Box<dyn Moving> = match kind {
            "remote over HTTP" => Box::new(Served::http()),
            "remote file://" => Box::new(Served::file()),
            _ => moving::local(kind, &bench),
        };
        let passes = rounds(2, 50);
        let seed = fastrand::Rng::with_seed(seed);
        let (tally, generations, judge) = applied(kind, moving.as_mut(), &bench, passes, seed);
        let cells = [
            tally.passes,
            usize::try_from(generations).unwrap(),
            tally.moved,
            tally.repeated,
            tally.errors,
            judge.wrong.len(),
        ];
        let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        println!("{kind}: {cells:?}");
        findings.row(&[&[kind], cells.as_slice()].concat());
        wrong.extend(judge.wrong.into_iter().map(|what| format!("{kind}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let _ = long();
}
