//! Whether what the marketplace got in a run was of one generation at a time.

use std::collections::{BTreeMap, BTreeSet};

use marketsync::embedded::Route;
use serde_json::Value;

use super::generation::{END, ITEMS, is_pictured, names, of_document, of_picture};
use crate::support::cli::{Bench, Run};

/// What may not be said of a generation that is well-formed.
const NEVER: [&str; 5] = ["Invalid", "Questionable", "Held", "Rejected", "Drifted"];

/// What a bench has shown so far: commits and their generations.
#[derive(Default)]
pub(crate) struct Judge {
    generations: BTreeMap<String, u64>,
    /// `item version` → the generations of its pictures: one that is there is
    /// not sent again.
    pictures: BTreeMap<String, BTreeSet<u64>>,
    /// What is wrong.
    pub(crate) wrong: Vec<String>,
}

/// `item version` → the generation of each of its documents, in their order.
type Got = BTreeMap<String, Vec<u64>>;

impl Judge {
    /// Holds a run against what it sent. `begun` is the last generation that
    /// may have been published.
    pub(crate) fn run(&mut self, bench: &Bench, run: &Run, begun: u64) {
        let mut got = self.got(bench);
        if run.stderr.contains("panicked") {
            self.wrong.push("it panicked".to_owned());
        }
        let mut named: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        let mut deleted = Vec::new();
        for line in run.log() {
            let message = line["message"].as_str().unwrap_or_default().to_owned();
            let item = item_of(&line);
            match message.as_str() {
                "Loaded" => self.loaded(&line),
                "Created" | "Updated" => {
                    let sent = got.get_mut(&item).filter(|sent| !sent.is_empty());
                    let Some(sent) = sent else {
                        self.wrong.push(format!("{message} {item} was not sent: {line}"));
                        continue;
                    };
                    let generation = sent.remove(0);
                    let commit = line["commit"].as_str().unwrap_or_default().to_owned();
                    named.entry(commit).or_default().insert(generation);
                }
                "Deleted" => deleted.push((item, line["commit"].clone())),
                message if NEVER.contains(&message) => {
                    self.wrong.push(format!("it says {line}"));
                }
                _ => {}
            }
        }
        for (item, left) in got.iter().filter(|(_, left)| !left.is_empty()) {
            self.wrong.push(format!("{item} of {left:?} was sent and not told"));
        }
        for (commit, generations) in named {
            self.commit(&commit, &generations, begun);
        }
        for (item, commit) in deleted {
            let generation = self.generations.get(commit.as_str().unwrap_or_default());
            if generation.is_none_or(|generation| names(*generation).contains(&item)) {
                self.wrong.push(format!("{item} was deleted for {commit} ({generation:?})"));
            }
        }
    }

    fn loaded(&mut self, line: &Value) {
        if line["items"] != ITEMS || line["problems"] != 0 {
            self.wrong.push(format!("it loaded {line}"));
        }
    }

    /// A commit is of one generation, and always of the same.
    fn commit(&mut self, commit: &str, generations: &BTreeSet<u64>, begun: u64) {
        let first = generations.iter().next().copied().unwrap_or_default();
        let known = *self.generations.entry(commit.to_owned()).or_insert(first);
        if generations.len() != 1 || known != first || first > begun {
            self.wrong.push(format!("{commit} is of {generations:?}, and was of {known}"));
        }
    }

    fn got(&mut self, bench: &Bench) -> Got {
        let mut got = Got::default();
        for call in bench.calls() {
            let body = || call.body.as_ref().unwrap_or_else(|| panic!("no room for {call:?}"));
            match call.route {
                Route::Upload => {
                    let generation = in_form(body());
                    if generation.is_none() {
                        self.wrong.push(format!("a torn picture was sent for {:?}", call.items));
                    }
                    let of_item = self.pictures.entry(call.items[0].clone()).or_default();
                    of_item.extend(generation);
                }
                Route::Apply => self.applied(&mut got, body()),
                _ => {}
            }
        }
        got
    }

    fn applied(&mut self, got: &mut Got, body: &[u8]) {
        let body: Value = serde_json::from_slice(body).unwrap();
        for document in body["resources"].as_array().unwrap() {
            let name = format!("{} NA", document["itemId"].as_str().unwrap());
            let Some(generation) = of_document(document) else {
                self.wrong.push(format!("a torn document was sent: {document}"));
                continue;
            };
            let pictures = self.pictures.get(&name);
            if is_pictured(&name) && !pictures.is_some_and(|of| of.contains(&generation)) {
                let why = format!("{name} of {generation} was sent with a picture of {pictures:?}");
                self.wrong.push(why);
            }
            got.entry(name).or_default().push(generation);
        }
    }

    /// Asserts that the marketplace has one generation, whole, and returns it.
    pub(crate) fn stands(&mut self, bench: &Bench) -> Option<u64> {
        let items = bench.handle().items();
        let name = |name: &String| name.split_once(' ').unwrap().1.to_owned();
        let there: BTreeSet<String> = items.keys().map(name).collect();
        let mut found = BTreeSet::new();
        for (name, document) in &items {
            found.insert(of_document(document));
            if let Some(url) = document["imageUrl"].as_str() {
                let file = bench.handle().file(url.rsplit('/').next().unwrap_or_default());
                found.insert(file.and_then(|bytes| of_picture(&bytes)));
            } else if is_pictured(name.split_once(' ').unwrap().1) {
                self.wrong.push(format!("{name} has no picture"));
            }
        }
        match (found.len(), found.first()) {
            (1, Some(Some(generation))) if names(*generation) == there => Some(*generation),
            _ => {
                self.wrong.push(format!("the marketplace has {found:?}: {there:?}"));
                None
            }
        }
    }
}

fn item_of(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    format!("{} {}", text("item_id"), text("version"))
}

/// The generation of the picture in a form.
fn in_form(body: &[u8]) -> Option<u64> {
    let magic = &crate::support::market::PNG[..8];
    let at = body.windows(magic.len()).position(|window| window == magic)?;
    let end = body[at..].windows(END.len()).position(|window| window == END.as_bytes())?;
    of_picture(&body[at..at + end + END.len()])
}
