//! Repositories that somebody made to do harm, each through the built program:
//! `validate`, `diff`, `apply` and `run` of a checkout, a bare repository, a
//! plain directory, a work tree and a remote.
//!
//! Of each row: the exit code is the documented one, each hostile file is
//! named with a reason, the good item beside it is created, it takes no more
//! than [`SECONDS`] and [`MEBIBYTES`], nothing of what lies outside of the
//! source gets into a request, a report, a log or the state, and nothing runs.

mod calls;
mod files;
mod links;
mod many;
mod names;
mod objects;
mod settings;
mod site;
mod special;
mod tap;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use crate::findings::{Findings, long};
use site::{Row, Site};

/// The most processor time that one command may take on one hostile
/// repository, in seconds, in the debug build. Whoever waits instead of
/// working is stopped after a minute.
const SECONDS: f64 = 10.0;

/// The most memory that one command may take at any moment, in MiB. The
/// program itself, with its schemas compiled, takes some 60 in the debug build.
const MEBIBYTES: u64 = 300;

/// How many rows are tried at a time.
const THREADS: usize = 2;

#[test]
fn hostile_repositories_do_no_harm() {
    let table = &["repository", "command", "exit", "seconds", "MiB"];
    let mut findings = Findings::begin("hostile", table);
    let only = std::env::var("MARKETSYNC_PROVE_ROW").unwrap_or_default();
    let rows: VecDeque<Row> = [
        links::rows(),
        objects::rows(),
        settings::rows(),
        special::rows(),
        names::rows(),
        files::rows(),
        many::rows(),
    ]
    .into_iter()
    .flatten()
    .filter(|row| (row.in_short || long()) && row.name.contains(&only))
    .collect();
    let count = rows.len();
    let (rows, failed, measured) =
        (Mutex::new(rows), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some(row) = rows.lock().unwrap().pop_front() else { break };
                    let tried = catch_unwind(AssertUnwindSafe(|| Site::new().try_row(&row)));
                    match tried {
                        Ok(costs) => measured.lock().unwrap().push((row.name.clone(), costs)),
                        Err(_) => failed.lock().unwrap().push(row.name.clone()),
                    }
                }
            });
        }
    });
    let mut measured = measured.into_inner().unwrap();
    measured.sort_by(|one, other| one.0.cmp(&other.0));
    let (mut slowest, mut largest) = (0.0_f64, 0);
    for (name, costs) in &measured {
        for cost in costs {
            slowest = slowest.max(cost.seconds);
            largest = largest.max(cost.mebibytes);
            let (seconds, memory) = (format!("{:.2}", cost.seconds), cost.mebibytes.to_string());
            findings.row(&[name, cost.command, &cost.exit, &seconds, &memory]);
        }
    }
    findings.note(format!(
        "{count} repositories; the bounds are {SECONDS} s and {MEBIBYTES} MiB, \
         the worst were {slowest:.2} s and {largest} MiB (VmHWM, looked at every millisecond)."
    ));
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "failed: {failed:?}");
}
