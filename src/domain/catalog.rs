//! The files of one commit to a [`Snapshot`]: what the source wants.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::item::{BlobId, CommitId, Item, ItemId, ItemImage, ItemKey, RepoPath, Version};
use crate::domain::manifest::{self, Reader};
use crate::domain::seen::{MAX_PROBLEMS, Seen, Stale};
use crate::domain::source::{Problem, Severity};
use crate::domain::standards::{Standards, Tailoring};
use crate::domain::tree::{Changes, Tree};

/// How many other files a message names that hold the same item; a hostile
/// source could hold thousands, each naming all others.
const OTHERS_NAMED: usize = 5;

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
    pub fn versions_of<'a>(
        &'a self,
        item_id: &ItemId,
    ) -> impl Iterator<Item = &'a Version> + use<'a> {
        let first = ItemKey { item_id: item_id.clone(), version: Version::Na };
        let item_id = item_id.clone();
        self.items
            .range(first..)
            .map(|(key, _)| key)
            .take_while(move |key| key.item_id == item_id)
            .map(|key| &key.version)
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
    // Until everything is read again, what is remembered is of no commit: a
    // reading that breaks off here must not pass for one.
    seen.commit = None;
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
    // A name that is no path cannot be remembered: with one, the next reading
    // lists everything again, or its problem would be gone.
    seen.commit = changes.unreadable.is_empty().then(|| tree.commit().clone());
    Ok((assemble(tree, seen, &changes.unreadable)?, touched))
}

/// After a complete listing nobody has said which of the paths outside an item
/// file changed: look at each once.
fn moved_companions<T: Tree>(tree: &mut T, seen: &Seen, stale: &mut Stale) -> Result<(), T::Error> {
    let mut found: BTreeMap<&RepoPath, Option<Option<BlobId>>> = BTreeMap::new();
    for (path, reading) in seen.files() {
        for (named, before) in &reading.rests_on {
            let now = if let Some(now) = found.get(named) {
                *now
            } else {
                let mut visited = tree.resolve(named)?.visited.into_iter();
                // Not even on the way any more: a link stands above it.
                let now = visited.find(|(at, _)| at == named).map(|(_, blob)| blob);
                found.insert(named, now);
                now
            };
            if now != Some(*before) && !stale.gone.contains(path) {
                stale.again.entry(path.clone()).or_insert(reading.blob);
            }
        }
    }
    Ok(())
}

/// One snapshot of all readings. Two files with one identity are a problem
/// that names both, and neither is wanted: which one is meant, nobody can say.
fn assemble<T: Tree>(
    tree: &mut T,
    seen: &Seen,
    unreadable: &[String],
) -> Result<Snapshot, T::Error> {
    let mut items: BTreeMap<ItemKey, Arc<Item>> = BTreeMap::new();
    let mut doubles: BTreeMap<ItemKey, BTreeMap<RepoPath, Arc<Item>>> = BTreeMap::new();
    let mut problems: Vec<Problem> = Vec::new();
    for reading in seen.files().values() {
        problems.extend(reading.problems.iter().cloned());
        let Some(item) = &reading.item else { continue };
        match items.entry(item.key.clone()) {
            Entry::Vacant(free) => {
                free.insert(Arc::clone(item));
            }
            Entry::Occupied(taken) => {
                let double = doubles.entry(item.key.clone()).or_default();
                for item in [taken.get(), item] {
                    double.insert(item.path.clone(), Arc::clone(item));
                }
            }
        }
    }
    for (key, double) in doubles {
        items.remove(&key);
        for item in double.values() {
            problems.push(doubled(tree, item, &double)?);
        }
    }
    problems.extend(unreadable.iter().map(|name| {
        let mut problem = Problem::of_file(&RepoPath::root(), "the name of the file is not UTF-8")
            .hint("rename the file");
        problem.path.clone_from(name);
        problem
    }));
    problems
        .sort_by(|a, b| (&a.path, a.position, &a.message).cmp(&(&b.path, b.position, &b.message)));
    let rest = problems.split_off(problems.len().min(MAX_PROBLEMS));
    if let Some(severity) = rest.iter().map(|problem| problem.severity).min() {
        let message = format!("{} more problems in other files", rest.len());
        problems.push(Problem { severity, ..Problem::of_file(&RepoPath::root(), message) });
    }
    Ok(Snapshot { commit: tree.commit().clone(), items, problems })
}

fn doubled<T: Tree>(
    tree: &mut T,
    item: &Item,
    double: &BTreeMap<RepoPath, Arc<Item>>,
) -> Result<Problem, T::Error> {
    let mut others: Vec<&str> = double
        .keys()
        .filter(|path| **path != item.path)
        .take(OTHERS_NAMED + 1)
        .map(RepoPath::as_str)
        .collect();
    if others.len() > OTHERS_NAMED {
        others[OTHERS_NAMED] = "more";
    }
    let message = format!("item {} is also in {}", item.key, others.join(", "));
    let problem = manifest::problem_at(tree, item, "/itemId", message)?;
    Ok(problem.hint("keep one of them, or give one another itemId or version"))
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
