//! A catalogue that is edited, and what each of its commits asks for.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::Value;

use crate::support::cli::Bench;
use crate::support::documents::{path, plugin, pretty, set, sidecar, with_image};
use crate::world::{Wanted, download, name};

/// An item, and the number that its picture shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    document: Value,
    picture: Option<u32>,
}

/// All items of one commit, `item version` → item.
pub(super) type Pieces = BTreeMap<String, Piece>;

/// The catalogue of a bench.
pub(super) struct Catalogue {
    pub(super) pieces: Pieces,
    /// What it was at each commit.
    past: BTreeMap<String, Pieces>,
    last: Option<String>,
    /// What was removed since it was last asked.
    removed: BTreeSet<String>,
    next: u32,
}

impl Catalogue {
    /// So many items, not committed yet.
    pub(super) fn new(chance: &mut Rng, items: u32) -> Self {
        let (pieces, past, removed) = (Pieces::new(), BTreeMap::new(), BTreeSet::new());
        let mut catalogue = Self { pieces, past, last: None, removed, next: 0 };
        (0..items).for_each(|_| catalogue.add(chance));
        catalogue
    }

    /// Puts an item in, or another in its place.
    pub(super) fn put(&mut self, document: Value, picture: Option<u32>) {
        let document = match picture {
            Some(_) => with_image(document, "picture.png"),
            None => document,
        };
        self.pieces.insert(name(&document), Piece { document, picture });
    }

    /// Takes an item out.
    pub(super) fn remove(&mut self, name: &str) {
        self.pieces.remove(name).unwrap();
        self.removed.insert(name.to_owned());
    }

    fn add(&mut self, chance: &mut Rng) {
        self.next += 1;
        let item_id = format!("item-{}", self.next);
        let document = match chance.u8(..3) {
            0 => plugin(&item_id, &format!("{}.0.0", chance.u8(1..9))),
            _ => sidecar(&item_id),
        };
        let picture = (chance.u8(..3) == 0).then(|| chance.u32(..));
        self.put(document, picture);
    }

    /// Between one and four edits, and now and then one of everything.
    pub(super) fn edit(&mut self, chance: &mut Rng) {
        if chance.u8(..12) == 0 {
            self.rewrite(&format!("All of them {}", chance.u32(..)));
        }
        for _ in 0..chance.u8(1..=4) {
            let names: Vec<String> = self.pieces.keys().cloned().collect();
            let name = chance.choice(names).unwrap();
            match chance.u8(..9) {
                // As it was at some commit before.
                8 => {
                    let past = self.past.values().filter_map(|pieces| pieces.get(&name));
                    if let Some(before) = chance.choice(past.cloned().collect::<Vec<_>>()) {
                        self.pieces.insert(name, before);
                    }
                }
                0 | 1 => self.add(chance),
                // Some stay: an empty catalogue removes nothing.
                2 if self.pieces.len() > 10 => {
                    self.remove(&name);
                }
                3 | 4 => {
                    let piece = self.pieces.get_mut(&name).unwrap();
                    piece.picture = Some(chance.u32(..));
                    piece.document = with_image(piece.document.clone(), "picture.png");
                }
                _ => {
                    let piece = self.pieces.get_mut(&name).unwrap();
                    let text = format!("Text {}", chance.u32(..));
                    piece.document = set(piece.document.clone(), "/description", text);
                }
            }
        }
    }

    /// Another text for every item.
    pub(super) fn rewrite(&mut self, text: &str) {
        for piece in self.pieces.values_mut() {
            piece.document = set(piece.document.clone(), "/description", text);
        }
    }

    /// Writes what differs from the last commit, and commits it.
    pub(super) fn commit(&mut self, bench: &Bench) -> String {
        for name in &self.removed {
            let (item_id, _) = name.split_once(' ').unwrap();
            bench.repo.remove(&format!("items/{item_id}"));
        }
        self.removed.clear();
        let before = self.last.as_ref().and_then(|commit| self.past.get(commit));
        for (name, piece) in &self.pieces {
            if before.and_then(|before| before.get(name)) == Some(piece) {
                continue;
            }
            let file = path(&piece.document);
            bench.repo.write(&file, pretty(&piece.document));
            if let Some(number) = piece.picture {
                let (folder, _) = file.rsplit_once('/').unwrap();
                bench.repo.write(&format!("{folder}/picture.png"), picture(number));
            }
        }
        let commit = bench.repo.commit("edits");
        self.past.insert(commit.clone(), self.pieces.clone());
        self.last = Some(commit.clone());
        commit
    }

    /// What an item was at a commit, of whose name the beginning is enough.
    pub(super) fn at(&self, commit: &str, name: &str) -> Option<&Piece> {
        let (found, pieces) = self.past.range(commit.to_owned()..).next()?;
        pieces.get(name).filter(|_| found.starts_with(commit))
    }

    /// What is asked for now.
    pub(super) fn wanted(&self) -> Wanted {
        self.pieces.iter().map(|(name, piece)| (name.clone(), piece.document.clone())).collect()
    }
}

/// The digest of its picture.
pub(super) fn picture_digest(piece: &Piece) -> Option<Vec<u8>> {
    Some(blake3::hash(&picture(piece.picture?)).as_bytes().to_vec())
}

/// A picture that shows a number.
fn picture(number: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(number.to_string().into_bytes());
    bytes
}

/// Whether the marketplace has this, picture and all.
pub(super) fn is_there(bench: &Bench, name: &str, piece: &Piece) -> bool {
    let (item_id, version) = name.split_once(' ').unwrap();
    let wanted = Wanted::from([(name.to_owned(), piece.document.clone())]);
    if !crate::world::wrong(bench, &wanted).is_empty() {
        return false;
    }
    let Some(number) = piece.picture else { return true };
    let stored = bench.stored(item_id, version).unwrap();
    let location = stored["imageUrl"].as_str().unwrap_or_default();
    download(bench, location).as_deref() == Some(&picture(number))
}
