//! Every call, every fault: what is told of it is what the server has, and
//! when the fault is gone, the next pass makes everything right.
//!
//! The two sides and the pairs without a meaning are data (`axes`), so that
//! nothing is left out by being forgotten. A fault is armed in a world that
//! makes the program make the call (`scene`, `git`, `exported`, `disk`); one
//! run of the built program is judged by `truth`, which shares nothing with
//! it.

mod arm;
mod axes;
mod daemon;
mod disk;
mod exported;
mod gate;
mod git;
mod market;
mod scene;
mod truth;
mod words;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use crate::findings::{Findings, long, rounds};
use crate::support::cli::Bench;
use crate::support::documents::sidecar;
use crate::world::{converges, is_true, wanted};
use axes::{CALLS, Call, Cell, DAEMON, TROUBLES, cells, without_meaning};
use market::Outcome;

/// How many cells run at a time: as many as a test machine has cores, and of
/// those that wait for time-outs, which cost nothing, many.
const AT_A_TIME: usize = 2;
const WAITING_AT_A_TIME: usize = 32;

/// How many cells the short form runs.
const SHORT: usize = 24;

/// Runs one cell. Each has its own chance, whichever thread comes to it.
fn play(cell: &Cell, seed: u64) -> Outcome {
    let mut chance = fastrand::Rng::with_seed(seed);
    let played = catch_unwind(AssertUnwindSafe(|| match cell.call {
        _ if cell.variant == DAEMON => daemon::run(cell),
        Call::List | Call::Versions => exported::run(cell),
        Call::GitClone | Call::GitFetch => git::run(cell),
        Call::StateWrite => disk::run(cell, &mut chance),
        Call::Token
        | Call::Version
        | Call::Get
        | Call::Apply
        | Call::Upload
        | Call::Download
        | Call::Delete => market::run(cell, &mut chance),
    }));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Outcome { code: None, wrong: vec![text.unwrap_or_else(|| "it panicked".to_owned())] }
    })
}

/// Runs cells, so many at a time.
fn play_all(cells: Vec<(usize, Cell)>, seed: u64, at_a_time: usize) -> Vec<(Cell, Outcome)> {
    let waiting = Mutex::new(cells.into_iter());
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some((index, cell)) = next else { break };
                    let outcome = play(&cell, seed.wrapping_add(index as u64));
                    if !outcome.wrong.is_empty() {
                        println!("{cell:?}\n{}\n", outcome.wrong.join("\n"));
                    }
                    done.lock().unwrap().push((cell, outcome));
                }
            });
        }
    });
    done.into_inner().unwrap()
}

/// The cells of this form: all of them, or a spread.
fn chosen(chance: &mut fastrand::Rng) -> Vec<(usize, Cell)> {
    let mut all: Vec<(usize, Cell)> = cells().into_iter().enumerate().collect();
    if let Ok(only) = std::env::var("MARKETSYNC_PROVE_CELLS") {
        all.retain(|(_, cell)| format!("{cell:?}").contains(&only));
        return all;
    }
    if long() {
        return all;
    }
    all.retain(|(_, cell)| !cell.waits());
    chance.shuffle(&mut all);
    all.truncate(rounds(SHORT, all.len()));
    all
}

#[test]
fn every_call_meets_every_fault() {
    let columns = ["call", "cells", "exit 0", "exit 1", "exit 2", "exit 3", "wrong", "no meaning"];
    let mut findings = Findings::begin("matrix", &columns);
    let mut chance = findings.chance();
    let (slow, quick): (Vec<_>, Vec<_>) =
        chosen(&mut chance).into_iter().partition(|(_, cell)| cell.waits());
    let mut done = play_all(quick, findings.seed, AT_A_TIME);
    done.extend(play_all(slow, findings.seed, WAITING_AT_A_TIME));
    for call in CALLS {
        let of_call = done.iter().filter(|(cell, _)| cell.call == call);
        let codes: Vec<_> = of_call.clone().map(|(_, outcome)| outcome.code).collect();
        let wrong = of_call.filter(|(_, outcome)| !outcome.wrong.is_empty()).count();
        let senseless = TROUBLES.iter().filter(|&&t| without_meaning(call, t).is_some()).count();
        let with = |code| codes.iter().filter(|&&there| there == Some(code)).count().to_string();
        findings.row(&[
            &format!("{call:?}"),
            &codes.len().to_string(),
            &with(0),
            &with(1),
            &with(2),
            &with(3),
            &wrong.to_string(),
            &senseless.to_string(),
        ]);
    }
    findings.note(format!("{} cells of {}.", done.len(), cells().len()));
    for line in pairs_without_meaning() {
        findings.note(line);
    }
    let wrong: Vec<_> = done
        .iter()
        .filter(|(_, outcome)| !outcome.wrong.is_empty())
        .map(|(cell, outcome)| format!("{cell:?}: {}", outcome.wrong[0]))
        .collect();
    for line in &wrong {
        findings.note(line.clone());
    }
    assert!(wrong.is_empty(), "{} cells are wrong", wrong.len());
}

/// Each reason with the pairs that it is of.
fn pairs_without_meaning() -> Vec<String> {
    let mut pairs: BTreeMap<&str, BTreeMap<Call, Vec<String>>> = BTreeMap::new();
    for call in CALLS {
        for trouble in TROUBLES {
            if let Some(why) = without_meaning(call, trouble) {
                let troubles = pairs.entry(why).or_default().entry(call).or_default();
                troubles.push(format!("{trouble:?}"));
            }
        }
    }
    let text =
        |(call, troubles): (Call, Vec<String>)| format!("{call:?} × {}", troubles.join(", "));
    let line = |(why, calls): (&str, BTreeMap<Call, Vec<String>>)| {
        let calls: Vec<String> = calls.into_iter().map(text).collect();
        format!("No meaning: {why}: {}.", calls.join("; "))
    };
    pairs.into_iter().map(line).collect()
}

#[test]
fn without_a_fault() {
    let bench = Bench::new();
    let documents = [sidecar("alpha"), sidecar("beta")];
    bench.commit(&documents);
    let wanted = wanted(&documents);
    let run = bench.apply(&[]).exits(0);
    is_true(&bench, &run, &wanted);
    converges(&bench, &wanted, &["--drift=report"]);
}

#[test]
fn the_matrix_is_complete() {
    let all = cells();
    for call in CALLS {
        for trouble in TROUBLES {
            let runs = all.iter().any(|cell| cell.call == call && cell.trouble == trouble);
            assert_eq!(runs, without_meaning(call, trouble).is_none(), "{call:?} {trouble:?}");
        }
    }
    assert!(all.len() >= 150, "{} cells", all.len());
}
