//! The files of one commit to a [`Snapshot`]: what the source wants.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::domain::item::{BlobId, CommitId, Item, ItemId, ItemImage, ItemKey, RepoPath, Version};
use crate::domain::manifest::{self, Reader, Standards, Tailoring};
use crate::domain::seen::{Seen, Stale};
use crate::domain::source::{Problem, Severity};
use crate::domain::tree::{Changes, Tree};

/// What one commit wants. Total: a broken file is a problem, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What was read.
    pub commit: CommitId,
    /// The valid items.
    pub items: BTreeMap<ItemKey, Arc<Item>>,
    /// What is wrong, and what deserves a look, ordered by path and position.
    pub problems: Vec<Problem>,
}

impl Snapshot {
    /// Whether a file is broken. Then nothing is deleted: a move into a broken
    /// file must not read as a removal.
    pub fn is_broken(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The versions of one item, ascending.
    pub fn versions_of<'a>(&'a self, item_id: &ItemId) -> impl Iterator<Item = &'a Version> + use<'a> {
        let first = ItemKey { item_id: item_id.clone(), version: Version::Na };
        let item_id = item_id.clone();
        self.items.range(first..).map(|(key, _)| key).take_while(move |key| key.item_id == item_id).map(|key| &key.version)
    }
}

/// Reads what changed, keeps the rest from `seen`, and says what the commit
/// wants. Total: only the tree's own errors are errors.
///
/// Returns the snapshot and the paths whose reading changed.
pub fn load<T: Tree>(
    tree: &mut T,
    changes: &Changes,
    standards: &Standards,
    seen: &mut Seen,
) -> Result<(Snapshot, Vec<RepoPath>), T::Error> {
    let mut stale = seen.stale(changes);
    if changes.complete {
        moved_companions(tree, seen, &mut stale)?;
    }
    let mut touched = Vec::new();
    for path in stale.gone {
        seen.remove(&path);
        touched.push(path);
    }
    let mut reader = Reader::new(standards);
    for (path, blob) in stale.again {
        let reading = reader.read(tree, &path, blob)?;
        seen.insert(path.clone(), reading);
        touched.push(path);
    }
    seen.commit = Some(tree.commit().clone());
    Ok((assemble(tree.commit().clone(), seen, &changes.unreadable), touched))
}

/// After a complete listing nobody has said which of the paths outside an item
/// file changed: look at each once.
fn moved_companions<T: Tree>(tree: &mut T, seen: &Seen, stale: &mut Stale) -> Result<(), T::Error> {
    let mut found: BTreeMap<&RepoPath, Option<BlobId>> = BTreeMap::new();
    for (path, reading) in seen.files() {
        for (named, before) in &reading.rests_on {
            let now = match found.get(named) {
                Some(now) => *now,
                None => {
                    let visited = tree.resolve(named)?.visited;
                    let now = visited.into_iter().find(|(at, _)| at == named).and_then(|(_, blob)| blob);
                    found.insert(named, now);
                    now
                }
            };
            if now != *before && !stale.gone.contains(path) {
                stale.again.entry(path.clone()).or_insert(reading.blob);
            }
        }
    }
    Ok(())
}

/// One snapshot of all readings. Two files with one identity are a problem
/// that names both, and neither is wanted: which one is meant, nobody can say.
fn assemble(commit: CommitId, seen: &Seen, unreadable: &[String]) -> Snapshot {
    let mut items: BTreeMap<ItemKey, Arc<Item>> = BTreeMap::new();
    let mut doubles: BTreeMap<ItemKey, BTreeSet<RepoPath>> = BTreeMap::new();
    let mut problems: Vec<Problem> = Vec::new();
    for reading in seen.files().values() {
        problems.extend(reading.problems.iter().cloned());
        let Some(item) = &reading.item else { continue };
        match items.entry(item.key.clone()) {
            Entry::Vacant(free) => {
                free.insert(Arc::clone(item));
            }
            Entry::Occupied(taken) => {
                let paths = doubles.entry(item.key.clone()).or_default();
                paths.insert(taken.get().path.clone());
                paths.insert(item.path.clone());
            }
        }
    }
    for (key, paths) in doubles {
        items.remove(&key);
        problems.extend(paths.iter().map(|path| doubled(&key, path, &paths)));
    }
    problems.extend(unreadable.iter().map(|name| {
        let mut problem = Problem::of_file(&RepoPath::root(), "the name of the file is not UTF-8")
            .hint("rename the file");
        problem.path.clone_from(name);
        problem
    }));
    problems.sort_by(|a, b| (&a.path, a.position, &a.message).cmp(&(&b.path, b.position, &b.message)));
    Snapshot { commit, items, problems }
}

fn doubled(key: &ItemKey, path: &RepoPath, paths: &BTreeSet<RepoPath>) -> Problem {
    let others: Vec<&str> = paths.iter().filter(|other| *other != path).map(RepoPath::as_str).collect();
    Problem::of_file(path, format!("item {key} is also in {}", others.join(", ")))
        .hint("keep one of them, or give one another itemId or version")
}

/// The bodies of items, read again when they are sent or compared: bodies of
/// unchanged items are not kept.
pub struct Bodies<'a, T> {
    /// The commit that the items were loaded from.
    pub tree: &'a mut T,
    /// How documents are made fit for their company.
    pub tailoring: &'a Tailoring,
}

impl<T: Tree> Bodies<'_, T> {
    /// The document of an item as it is wanted: tailored, without `$schema`,
    /// with `image` and `supportedByImage` still in it as the file has them.
    pub fn document(&mut self, item: &Item) -> Result<Value, T::Error> {
        manifest::document_at(self.tree, &item.file, item.blob, self.tailoring)
    }

    /// The bytes of a picture of an item.
    pub fn image(&mut self, image: &ItemImage) -> Result<Vec<u8>, T::Error> {
        self.tree.bytes(&image.path, image.blob)
    }
}
