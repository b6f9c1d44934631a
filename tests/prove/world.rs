//! What is true of a marketplace, and whether what the program says is.
//!
//! The comparisons here share no code with the program: an item is right if
//! the marketplace has every field that its file states.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::cli::{Bench, Ended, Run, until};

/// All that the log may say of an item that the marketplace has.
pub(crate) const CLAIMS: [&str; 3] = ["Created", "Updated", "Adopted"];

/// `item version` → document, of everything that is wanted.
pub(crate) type Wanted = BTreeMap<String, Value>;

/// The name of an item in logs and tables.
pub(crate) fn name(document: &Value) -> String {
    let version = document.pointer("/version/name").and_then(Value::as_str).unwrap_or("NA");
    format!("{} {version}", document["itemId"].as_str().unwrap())
}

/// What these documents ask for.
pub(crate) fn wanted(documents: &[Value]) -> Wanted {
    documents.iter().map(|document| (name(document), document.clone())).collect()
}

/// Whether `stored` has everything that `stated` states: objects may have more
/// members, anything else is equal.
pub(crate) fn has_all(stored: &Value, stated: &Value) -> bool {
    match (stored, stated) {
        (Value::Object(stored), Value::Object(stated)) => stated
            .iter()
            .all(|(key, value)| stored.get(key).is_some_and(|there| has_all(there, value))),
        _ => stored == stated,
    }
}

/// What the marketplace has otherwise than wanted: empty if it is right.
pub(crate) fn wrong(bench: &Bench, wanted: &Wanted) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, document) in wanted {
        let (item_id, version) = name.split_once(' ').unwrap();
        match bench.stored(item_id, version) {
            None => wrong.push(format!("{name} is missing")),
            Some(stored) if !is_right(&stored, document) => {
                wrong.push(format!("{name} is\n{stored}\nand not\n{document}"));
            }
            Some(_) => {}
        }
    }
    wrong
}

/// Images and the schema's name do not arrive as they stand in the file.
fn is_right(stored: &Value, document: &Value) -> bool {
    let mut stated = document.clone();
    for field in ["$schema", "image", "supportedByImage"] {
        stated.as_object_mut().unwrap().remove(field);
    }
    has_all(stored, &stated)
}

/// Holds what a run said against what the marketplace has: `wanted` is what
/// the run was given. Empty if all of it is true.
#[track_caller]
pub(crate) fn lies(bench: &Bench, run: &Run, wanted: &Wanted) -> Vec<String> {
    let mut lies = Vec::new();
    let off: BTreeSet<String> = wrong(bench, wanted)
        .iter()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    let mut claimed = BTreeSet::new();
    for verb in CLAIMS {
        for item in run.said(verb) {
            if off.contains(&item) || !wanted.contains_key(&item) {
                lies.push(format!("the log says {verb} {item}"));
            }
            if !claimed.insert(item.clone()) {
                lies.push(format!("the log tells twice that {item} is there"));
            }
        }
    }
    let there: BTreeSet<String> = bench.names().into_iter().collect();
    for item in run.said("Deleted") {
        if there.contains(&item) {
            lies.push(format!("the log says Deleted {item}"));
        }
    }
    if run.code == Some(0) && !off.is_empty() {
        lies.push(format!("it exits 0, and {off:?} are not right"));
    }
    for (item, row) in bench.recorded() {
        if row["result"] == "done" && off.contains(&item) {
            lies.push(format!("the record of {item} says {row}"));
        }
    }
    if run.stderr.contains("panicked") {
        lies.push("it panicked".to_owned());
    }
    lies
}

/// Asserts that what a run said is true.
#[track_caller]
pub(crate) fn is_true(bench: &Bench, run: &Run, wanted: &Wanted) {
    let lies = lies(bench, run, wanted);
    assert!(lies.is_empty(), "{}\n{run}", lies.join("\n"));
}

/// Asserts that without faults the next pass makes everything right, and that
/// the one after it asks nothing.
#[track_caller]
pub(crate) fn converges(bench: &Bench, wanted: &Wanted, args: &[&str]) -> Ended {
    bench.handle().clear_faults();
    let run = bench.apply(args).exits(0);
    let wrong = wrong(bench, wanted);
    assert!(wrong.is_empty(), "{}\n{run}", wrong.join("\n"));
    is_true(bench, &run, wanted);
    bench.apply(&[]).exits(0);
    bench.asked_nothing();
    run
}

/// A picture as the marketplace has it.
pub(crate) fn download(bench: &Bench, location: &str) -> Option<Vec<u8>> {
    let asked = bench.market.request(Method::GET, location).send();
    Runtime::new().unwrap().block_on(async {
        let answer = asked.await.unwrap();
        if !answer.status().is_success() {
            return None;
        }
        Some(answer.bytes().await.unwrap().to_vec())
    })
}

/// Waits until the marketplace has answered what was sent to it before.
pub(crate) fn catches_up(bench: &Bench) {
    let asked = bench.market.request(Method::GET, "/api/version").send();
    assert!(Runtime::new().unwrap().block_on(asked).unwrap().status().is_success());
    until("all requests are answered", || bench.calls().iter().all(|call| call.ended.is_some()));
}
