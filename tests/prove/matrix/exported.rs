//! Cells of the calls that only `export` makes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use marketsync::embedded::Route;
use serde_json::Value;

use super::arm::of_market;
use super::axes::{Cell, Often, Trouble};
use super::market::{Outcome, Trap, behind_a_gate};
use super::scene::{PASS, watch};
use super::truth::Moment;
use super::words::{advises, names};
use crate::support::cli::{Bench, Run, program};
use crate::support::documents::{plugin, sidecar};
use crate::support::market::COMPANY;

/// `export` tries for two minutes, and its last try may take a time-out.
const PATIENCE: Duration = Duration::from_secs(190);

fn command(bench: &Bench, folder: &Path) -> Command {
    bench.handle().clear_log();
    let mut command = program(bench.home.path());
    command
        .env("MARKETSYNC_CLIENT_SECRET", "secret")
        .arg("export")
        .arg(folder)
        .args(["--endpoint", &bench.market.url, "--company-id", COMPANY, "--client-id", "id"])
        .args(["--format", "json", "--log-format", "json"]);
    command
}

/// `item version` and file of the rows with this status.
fn rows(run: &Run, status: &str) -> Vec<(String, String)> {
    let told = run.json();
    let rows = told["items"].as_array().cloned().unwrap_or_default();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    rows.iter()
        .filter(|row| row["status"] == status)
        .map(|row| (format!("{} {}", text(row, "itemId"), text(row, "version")), text(row, "path")))
        .collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What is not true of what `export` said.
fn lies(bench: &Bench, before: &Moment, run: &Run, folder: &Path, cell: &Cell) -> Vec<String> {
    let mut lies = Vec::new();
    let after = Moment::of(bench);
    if before.live != after.live {
        lies.push("the marketplace was changed".to_owned());
    }
    let writes: Vec<Route> = bench.writes().iter().map(|call| call.route).collect();
    if !writes.is_empty() {
        lies.push(format!("it writes: {writes:?}"));
    }
    let mut said = BTreeSet::new();
    let mut paths = BTreeSet::new();
    for (name, path) in rows(run, "Written").into_iter().chain(rows(run, "Unchanged")) {
        let text = fs::read_to_string(folder.join(&path)).unwrap_or_default();
        let file: Value = serde_json::from_str(&text).unwrap_or_default();
        let same =
            |field: &str| after.live.get(&name).is_some_and(|live| live[field] == file[field]);
        if !["itemId", "name", "description", "resources"].into_iter().all(same) {
            lies.push(format!("{path} is not {name} as it is: {text}"));
        }
        said.insert(name);
        paths.insert(folder.join(path));
    }
    let mut found = Vec::new();
    files(folder, &mut found);
    let unsaid: Vec<_> = found.iter().filter(|path| !paths.contains(*path)).collect();
    if !unsaid.is_empty() {
        lies.push(format!("nothing is said of {unsaid:?}"));
    }
    let missing: Vec<_> = after.live.keys().filter(|name| !said.contains(*name)).collect();
    // What a list does not name, nobody can know.
    if run.code == Some(0) && !missing.is_empty() && cell.trouble != Trouble::MissingItems {
        lies.push(format!("it exits 0, and {missing:?} were not written"));
    }
    if run.code != Some(0) && missing.is_empty() {
        lies.push(format!("it exits {:?}, and all is written", run.code));
    }
    if run.code.is_none_or(|code| code > 2) || run.stderr.contains("panicked") {
        lies.push(format!("it ends with {:?}", run.code));
    }
    lies
}

/// What should have been said and was not.
fn unsaid(cell: &Cell, run: &Run) -> Vec<String> {
    if run.code == Some(0) {
        return Vec::new();
    }
    let text = format!("{}{}", run.stdout, run.stderr);
    let mut unsaid = Vec::new();
    if !names(cell.trouble).iter().any(|word| text.contains(word)) {
        unsaid.push(format!("nothing names the fault, such as `{}`", names(cell.trouble)[0]));
    }
    if run.code == Some(2) && !advises(&text) {
        unsaid.push("it could not do its work, and nothing says what to do".to_owned());
    }
    unsaid
}

pub(super) fn run(cell: &Cell) -> Outcome {
    let route = cell.call.route().unwrap();
    let (bench, gate) = behind_a_gate(cell.variant);
    for item in [sidecar("one"), sidecar("two"), plugin("p", "1.0.0"), plugin("p", "1.1.0")] {
        bench.handle().put_raw(COMPANY, &item).unwrap();
    }
    let (before, trap) = (Moment::of(&bench), Trap::new());
    let folder = bench.home.path().join("out");
    let command_line = command(&bench, &folder);
    let itself = format!("{}/api/again", bench.market.url);
    if cell.trouble == Trouble::Refused {
        let last = if route == Route::List { "/api/version" } else { "tenantId=" };
        gate.shut_when(move |line| line.contains(last));
    }
    for fault in of_market(cell, (&trap.url(), &itself), None, 0) {
        assert!(bench.handle().fail(fault));
    }
    let ran = watch(command_line, PATIENCE);
    let run = ran.run;
    let mut wrong = lies(&bench, &before, &run, &folder, cell);
    wrong.extend(unsaid(cell, &run));
    let struck = gate.is_shut() || bench.calls().iter().any(|call| call.fault.is_some());
    if !struck {
        wrong.push("the fault did not strike".to_owned());
    }
    if trap.is_sprung() {
        wrong.push("it followed a redirection".to_owned());
    }
    bench.handle().clear_faults();
    gate.open();
    for is_last in [false, true] {
        let next = watch(command(&bench, &folder), PASS).run;
        let healed = Cell { trouble: Trouble::SlowDrip, often: Often::Once, ..*cell };
        wrong.extend(lies(&bench, &before, &next, &folder, &healed));
        if next.code != Some(0) {
            wrong.push(format!("the next one exits {:?}: {next}", next.code));
        }
        if is_last && rows(&next, "Unchanged").len() != before.live.len() {
            wrong.push(format!("the one after it changes something: {next}"));
        }
    }
    if !wrong.is_empty() {
        wrong.push(format!("{run}"));
    }
    Outcome { code: run.code, wrong }
}
