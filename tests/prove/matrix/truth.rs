//! What a run says, item by item, against what the server has. Nothing here is
//! shared with the program but the names of its fields.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::cli::{Bench, Run, bare};
use crate::support::market::{COMPANY, key};
use crate::world::{CLAIMS, Wanted, has_all, wrong};

/// What the log may say became of an item.
const ENDS: [&str; 7] =
    ["Created", "Updated", "Adopted", "Deleted", "Forgotten", "Failed", "Rejected"];

/// What was asked of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) wanted: Wanted,
    /// What may be deleted.
    pub(super) may_go: BTreeSet<String>,
    /// What left source and marketplace: only its record may go.
    pub(super) forgotten: BTreeSet<String>,
}

/// Marketplace and state at one time.
#[derive(Debug, Clone, Default)]
pub(super) struct Moment {
    pub(super) live: BTreeMap<String, Value>,
    ids: BTreeMap<String, String>,
    pub(super) status: BTreeMap<String, Value>,
}

impl Moment {
    pub(super) fn of(bench: &Bench) -> Self {
        let prefix = format!("{COMPANY} ");
        let items = bench.handle().items();
        let live: BTreeMap<String, Value> = items
            .into_iter()
            .map(|(name, item)| (name.strip_prefix(&prefix).unwrap().to_owned(), item))
            .collect();
        let id = |name: &String| {
            let (item_id, version) = name.split_once(' ').unwrap();
            bench.handle().object_id(COMPANY, &key(item_id, version)).unwrap()
        };
        let ids = live.keys().map(|name| (name.clone(), id(name))).collect();
        Self { live, ids, status: status(bench) }
    }
}

/// `item version` → what the state says of it; empty if it cannot be read.
fn status(bench: &Bench) -> BTreeMap<String, Value> {
    if !bench.state().join("state.db").exists() {
        return BTreeMap::new();
    }
    let told = bench.status();
    let rows = told["items"].as_array().cloned().unwrap_or_default();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let name = |row: &Value| format!("{} {}", text(row, "itemId"), text(row, "version"));
    rows.into_iter().map(|row| (name(&row), row)).collect()
}

/// One line of the log about an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) verb: String,
    object_id: Option<String>,
}

/// What the log says of each item, in order.
pub(super) fn told(run: &Run) -> BTreeMap<String, Vec<Told>> {
    let mut told: BTreeMap<String, Vec<Told>> = BTreeMap::new();
    for line in run.log() {
        let Some(verb) = line["message"].as_str().filter(|verb| ENDS.contains(verb)) else {
            continue;
        };
        let Some(item_id) = line["item_id"].as_str() else { continue };
        let name = format!("{item_id} {}", line["version"].as_str().unwrap());
        let object_id = line["object_id"].as_str().map(str::to_owned);
        told.entry(name).or_default().push(Told { verb: verb.to_owned(), object_id });
    }
    told
}

/// The items of which the log says that the marketplace has them.
pub(super) fn claimed(run: &Run) -> BTreeSet<String> {
    CLAIMS.iter().flat_map(|verb| run.said(verb)).collect()
}

/// Everything that is not true of what a run said. Empty if all is.
pub(super) fn lies(
    bench: &Bench,
    (before, after): (&Moment, &Moment),
    run: &Run,
    asked: &Asked,
) -> Vec<String> {
    let mut lies = deeds(before, after, asked);
    let off: BTreeSet<String> = wrong(bench, &asked.wanted)
        .iter()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let told = told(run);
    for (name, lines) in &told {
        for line in lines {
            if let Some(lie) = untrue(name, line, (before, after), asked, &off) {
                lies.push(lie);
            }
        }
    }
    lies.extend(of_the_record(&told, before, after));
    let left: Vec<&String> =
        asked.may_go.iter().filter(|name| after.live.contains_key(*name)).collect();
    if run.code == Some(0) && !(off.is_empty() && left.is_empty()) {
        lies.push(format!("it exits 0, and {off:?} are not right, {left:?} are still there"));
    }
    let trouble = ["Failed", "Rejected"];
    let failed = told
        .iter()
        .filter(|(_, lines)| lines.last().is_some_and(|last| trouble.contains(&&*last.verb)));
    let failed: Vec<_> = failed.map(|(name, _)| name).collect();
    // The answer to a correction was lost, and the next look found it made:
    // nothing is left to do, and nothing more is said of it.
    let is_mended = |name: &String| {
        let known = asked.wanted.contains_key(name) && before.status.contains_key(name);
        known && !off.contains(name)
    };
    let open: Vec<_> = failed.iter().filter(|name| !is_mended(name)).collect();
    if run.code == Some(0) && !open.is_empty() {
        lies.push(format!("it exits 0, and the log ends with a failure of {open:?}"));
    }
    if run.code == Some(1)
        && failed.is_empty()
        && run.lines("Held").is_empty()
        && !run.stdout.contains("could not be looked at")
    {
        lies.push("it exits 1, and nothing failed or was held".to_owned());
    }
    if run.code.is_none_or(|code| code > 3) {
        lies.push(format!("it ends with {:?}", run.code));
    }
    if run.stderr.contains("panicked") {
        lies.push("it panicked".to_owned());
    }
    lies
}

/// What was done to the marketplace that nobody asked for.
fn deeds(before: &Moment, after: &Moment, asked: &Asked) -> Vec<String> {
    let mut lies = Vec::new();
    for (name, document) in &before.live {
        match after.live.get(name) {
            None if !asked.may_go.contains(name) => lies.push(format!("{name} was deleted")),
            Some(now) if now != document => match asked.wanted.get(name) {
                None => lies.push(format!("{name} was changed, and nobody wants it")),
                Some(wanted) if !states(now, wanted) => {
                    lies.push(format!("{name} is neither what it was nor what is wanted: {now}"));
                }
                Some(_) => {}
            },
            None | Some(_) => {}
        }
    }
    for name in after.live.keys() {
        if !before.live.contains_key(name) && !asked.wanted.contains_key(name) {
            lies.push(format!("{name} was created, and nobody wants it"));
        }
    }
    lies
}

/// Whether a document has what its file states, pictures aside.
fn states(live: &Value, wanted: &Value) -> bool {
    let mut stated = wanted.clone();
    for field in ["$schema", "image", "supportedByImage", "lifecycleStatus"] {
        stated.as_object_mut().unwrap().remove(field);
    }
    has_all(live, &stated)
}

/// Why one line of the log is not true.
fn untrue(
    name: &str,
    line: &Told,
    (before, after): (&Moment, &Moment),
    asked: &Asked,
    off: &BTreeSet<String>,
) -> Option<String> {
    let says = format!("the log says {} {name}", line.verb);
    match line.verb.as_str() {
        "Created" | "Updated" | "Adopted" => {
            if !asked.wanted.contains_key(name) || off.contains(name) {
                return Some(format!("{says}, and it is not there so"));
            }
            let (id, told) = (after.ids.get(name), line.object_id.as_ref());
            if told.is_some() && told != id {
                return Some(format!("{says} as {told:?}, and it is {id:?}"));
            }
            if line.verb == "Created" && before.live.contains_key(name) {
                return Some(format!("{says}, and it was there"));
            }
            None
        }
        "Deleted" | "Forgotten" => {
            if after.live.contains_key(name) {
                return Some(format!("{says}, and it is there"));
            }
            let asked_for = asked.may_go.contains(name) || asked.forgotten.contains(name);
            (!asked_for).then(|| format!("{says}, and nobody asked for that"))
        }
        _ => None,
    }
}

/// Where `status` says something else than log and marketplace.
fn of_the_record(
    told: &BTreeMap<String, Vec<Told>>,
    before: &Moment,
    after: &Moment,
) -> Vec<String> {
    let mut lies = Vec::new();
    let names: BTreeSet<&String> =
        before.status.keys().chain(after.status.keys()).chain(told.keys()).collect();
    for name in names {
        let row = after.status.get(name);
        let part = |row: Option<&Value>, field: &str| {
            row.and_then(|row| row[field].as_str()).map(str::to_owned)
        };
        let history = told.get(name).map_or(&[][..], Vec::as_slice);
        let last = history.last().map(|line| line.verb.as_str());
        let claim = history.iter().rev().find(|line| !matches!(&*line.verb, "Failed" | "Rejected"));
        let says = format!("the record of {name} says {}", row.unwrap_or(&Value::Null));
        let digest = part(row, "digest");
        match claim.map(|claim| claim.verb.as_str()) {
            None => {
                let earlier = before.status.get(name);
                let same = |field| part(earlier, field) == part(row, field);
                if !same("digest") || !same("objectId") {
                    lies.push(format!("{says}, and the log tells nothing of it"));
                }
            }
            Some("Deleted" | "Forgotten") if digest.is_some() => {
                lies.push(format!("{says}, and the log that it is gone"));
            }
            Some("Deleted" | "Forgotten") => {}
            Some(_) => {
                // What is adopted by a document without an id has none.
                let (id, said) = (part(row, "objectId"), claim.and_then(|c| c.object_id.clone()));
                let is_right = id.as_ref().is_none_or(|id| Some(id) == after.ids.get(name));
                if digest.is_none() || id != said || !is_right {
                    lies.push(format!("{says}, and it is {:?}", after.ids.get(name)));
                }
            }
        }
        let result = part(row, "result");
        let right = match last {
            Some("Failed") => result.as_deref() == Some("failed"),
            Some("Rejected") => result.as_deref() == Some("rejected"),
            Some("Deleted" | "Forgotten") => row.is_none(),
            Some(verb) => {
                result.as_deref() == Some("done") && part(row, "verb").as_deref() == Some(verb)
            }
            None => true,
        };
        if !right {
            lies.push(format!("{says}, and the log ends with {last:?}"));
        }
    }
    lies
}

/// Where the summary table says something else than the log.
pub(super) fn of_the_table(run: &Run) -> Vec<String> {
    let told = told(run);
    let mut rows = BTreeSet::new();
    for line in run.stdout.lines() {
        let cells: Vec<&str> =
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        match cells[..] {
            [id, item, version, verb @ ("Created" | "Updated" | "Deleted")] => {
                rows.insert((format!("{item} {version}"), verb, Some(id)));
            }
            [item, version, verb @ ("Adopted" | "Forgotten"), _] => {
                rows.insert((format!("{item} {version}"), verb, None));
            }
            _ => {}
        }
    }
    let mut expected = BTreeSet::new();
    for (name, lines) in &told {
        let Some(last) = lines.last() else { continue };
        let id = last.object_id.as_deref().unwrap_or("N/A");
        match last.verb.as_str() {
            verb @ ("Created" | "Updated" | "Deleted") => {
                expected.insert((name.clone(), verb, Some(id)));
            }
            verb @ ("Adopted" | "Forgotten") => {
                expected.insert((name.clone(), verb, None));
            }
            _ => {}
        }
    }
    let in_one: Vec<_> = rows.symmetric_difference(&expected).collect();
    if in_one.is_empty() { Vec::new() } else { vec![format!("table and log differ in {in_one:?}")] }
}

/// Where the history of an item says something else of this commit than the
/// logs of the runs.
pub(super) fn history_lies(bench: &Bench, runs: &[&Run], commit: &str, name: &str) -> Vec<String> {
    let (item_id, version) = name.split_once(' ').unwrap();
    let which = if version == "NA" { item_id.to_owned() } else { format!("{item_id}@{version}") };
    let state = bench.state();
    let args = ["history", &which, "--state", state.to_str().unwrap(), "--format", "json"];
    let trail = bare(bench.home.path(), &args).json();
    let changes = trail["changes"].as_array().cloned().unwrap_or_default();
    let mut past: Vec<(String, Option<String>)> = changes
        .iter()
        .filter(|change| change["commit"] == commit)
        .map(|change| {
            let verb = match change["result"].as_str().unwrap() {
                "done" => change["verb"].as_str().unwrap(),
                "failed" => "Failed",
                _ => "Rejected",
            };
            let id = change["objectId"].as_str().filter(|_| change["result"] == "done");
            (verb.to_owned(), id.map(str::to_owned))
        })
        .collect();
    past.reverse();
    let mut logged = Vec::new();
    for run in runs {
        logged.extend(told(run).remove(name).unwrap_or_default());
    }
    let same = past.len() == logged.len()
        && past.iter().zip(&logged).all(|((verb, id), line)| {
            let without_id = matches!(&*line.verb, "Failed" | "Rejected");
            *verb == line.verb && (without_id || line.object_id.is_none() || *id == line.object_id)
        });
    if same {
        Vec::new()
    } else {
        vec![format!("the history of {name} says {past:?}, and the log {logged:?}")]
    }
}
