//! `diff` and `apply --plan` of the built program (`docs/diff.md`, decisions
//! 0013 and 0014): what it shows, that it changes nothing, that the diff after
//! an apply is empty, and that a plan is done exactly or not at all.

mod empty;
mod fields;
mod holds;
mod hostile;
mod live;
mod masks;
mod regressions;
mod plans;
mod quiet;
mod recorded;
mod revision;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use marketsync::embedded::Route;
use serde_json::Value;

use crate::export::tree;
use crate::reports::json::faultless;
use crate::support::cli::{Bench, Run, Running, program};
use crate::support::market::COMPANY;

/// `diff` of a source with the log as JSON.
fn command(bench: &Bench, source: &Path, args: &[&str]) -> Command {
    let mut command = program(bench.home.path());
    command
        // A word that no document holds.
        .env("MARKETSYNC_CLIENT_SECRET", "hush-hush-hush")
        .arg("diff")
        .arg(source)
        .args(["--endpoint", &bench.market.url, "--company-id", COMPANY, "--client-id", "id"])
        .arg("--state")
        .arg(bench.state())
        .args(["--log-format", "json"])
        .args(args);
    command
}

/// The state folder, byte for byte; nothing if there is none. SQLite's readers
/// keep an index of the write-ahead log beside it, and the log itself, empty:
/// they are of nobody's data and count only if they hold some.
fn state(bench: &Bench) -> Option<BTreeMap<String, Vec<u8>>> {
    let counts = |path: &str, bytes: &[u8]| {
        !path.ends_with("-shm") && (!path.ends_with("-wal") || !bytes.is_empty())
    };
    let mut files = bench.state().exists().then(|| tree(&bench.state()))?;
    files.retain(|path, bytes| counts(path, bytes));
    Some(files)
}

/// `diff` of a source. Whatever it says, it has written nothing: not into the
/// marketplace, not into the state.
#[track_caller]
fn diff_of(bench: &Bench, source: &Path, args: &[&str]) -> Run {
    let before = (state(bench), bench.handle().items());
    bench.handle().clear_log();
    let run = Running::start(command(bench, source, args)).end();
    assert_eq!(bench.writes(), [], "{run}");
    let other =
        bench.calls().into_iter().find(|call| call.method != "GET" && call.route != Route::Token);
    assert_eq!(other, None, "{run}");
    let after = (state(bench), bench.handle().items());
    assert!(before == after, "the state or the marketplace is another now\n{run}");
    assert!(!run.stderr.contains("panicked"), "{run}");
    run
}

#[track_caller]
fn diff(bench: &Bench, args: &[&str]) -> Run {
    diff_of(bench, &bench.repo.path(), args)
}

/// The report of a run with this exit code, as its schema wants it.
#[track_caller]
fn report(run: Run, code: i32) -> Value {
    let run = run.exits(code);
    let report = run.json();
    faultless(&report);
    let verdict = ["same", "different", "incomplete", "guarded"][usize::try_from(code).unwrap()];
    assert!(report["error"].is_object() || report["verdict"] == verdict, "{run}");
    report
}

/// `diff` of the checkout as JSON.
#[track_caller]
fn told(bench: &Bench, args: &[&str], code: i32) -> Value {
    report(diff(bench, &[args, &["--format=json"]].concat()), code)
}

/// `action reason item version`, with the hold if there is one.
fn lines(report: &Value) -> Vec<String> {
    let entries = report["entries"].as_array().unwrap().iter();
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    entries
        .map(|entry| {
            let words = ["action", "reason", "itemId", "version"].map(|name| word(&entry[name]));
            let hold = &entry["hold"]["hold"];
            let hold = if hold.is_null() { String::new() } else { format!(" ({})", word(hold)) };
            words.join(" ") + &hold
        })
        .collect()
}

/// The entry of an item.
#[track_caller]
fn entry<'a>(report: &'a Value, item_id: &str) -> &'a Value {
    let mut found = report["entries"].as_array().unwrap().iter();
    found
        .find(|entry| entry["itemId"] == item_id)
        .unwrap_or_else(|| panic!("no entry of {item_id}: {report:#}"))
}

/// The fields of an item: `cause kind pointer from → to`.
#[track_caller]
fn fields(report: &Value, item_id: &str) -> Vec<String> {
    let fields = entry(report, item_id)["fields"].as_array().unwrap().iter();
    fields
        .map(|field| {
            let cause = field["cause"].as_str().unwrap_or("?");
            let word = |name: &str| field[name].as_str().unwrap().to_owned();
            let sides = match (field.get("from"), field.get("to")) {
                (None, None) => field["value"].to_string(),
                (from, to) => {
                    let side =
                        |side: Option<&Value>| side.map(Value::to_string).unwrap_or_default();
                    format!("{} → {}", side(from), side(to))
                }
            };
            format!("{cause} {} {} {sides}", word("kind"), word("pointer"))
        })
        .collect()
}

/// One field of an item, by its pointer.
#[track_caller]
fn field<'a>(report: &'a Value, item_id: &str, pointer: &str) -> &'a Value {
    let mut found = entry(report, item_id)["fields"].as_array().unwrap().iter();
    found
        .find(|field| field["pointer"] == pointer)
        .unwrap_or_else(|| panic!("no field {pointer}: {:#}", entry(report, item_id)))
}
