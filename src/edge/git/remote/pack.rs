//! Objects into a clone, and its HEAD to a commit that is there whole.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use git2::{Indexer, ObjectType, Odb, OdbLookupFlags, Oid, Repository};
use tokio::sync::mpsc;

use super::error::RemoteError;
use super::limits::{MAX_ENTRIES, MAX_OBJECTS, MAX_TREES_BYTES};
use super::talk::Shallow;
use crate::domain::text;
use crate::edge::git::kind::Kind;
use crate::edge::git::{MAX_TREE_BYTES, check_size, peel};

/// The branch at which the clone's HEAD points.
pub(super) const BRANCH: &str = "refs/heads/marketsync";

/// The length of a pack's header, in bytes.
const HEADER: usize = 12;

/// A piece of a pack on its way to the disk.
pub(super) enum Piece {
    Bytes(Bytes),
    /// Nothing is missing. Without it the pack is dropped.
    End,
}

/// Writes a pack and its index. Nothing of it stays if it does not end, or if
/// `cancel` says so.
pub(super) fn store(
    git_dir: &Path,
    mut pieces: mpsc::Receiver<Piece>,
    cancel: &AtomicBool,
) -> Result<(), RemoteError> {
    let mut head = Vec::with_capacity(HEADER);
    let mut rest = Bytes::new();
    while head.len() < HEADER {
        match pieces.blocking_recv() {
            Some(Piece::Bytes(mut bytes)) => {
                let lacking = bytes.len().min(HEADER - head.len());
                head.extend_from_slice(&bytes.split_to(lacking));
                rest = bytes;
            }
            Some(Piece::End) => return Err(RemoteError::unavailable("the server sent no pack")),
            None => return Err(RemoteError::Stopped),
        }
    }
    if count(&head)? == 0 {
        return drain(pieces);
    }
    let repo = open(git_dir)?;
    let odb = repo.odb().map_err(RemoteError::disk("open the clone"))?;
    let folder = git_dir.join("objects/pack");
    let mut indexer = indexer(&odb, &folder, cancel)?;
    indexer.write_all(&head).and_then(|()| indexer.write_all(&rest)).map_err(unpackable)?;
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Bytes(bytes)) => indexer.write_all(&bytes).map_err(unpackable)?,
            Some(Piece::End) => return finish(indexer, &folder, cancel),
            None => return Err(RemoteError::Stopped),
        }
    }
}

/// An indexer that writes into a clone.
pub(super) fn indexer<'a>(
    odb: &Odb<'a>,
    folder: &Path,
    cancel: &'a AtomicBool,
) -> Result<Indexer<'a>, RemoteError> {
    let mut indexer = Indexer::new(Some(odb), folder, 0o444, false)
        .map_err(RemoteError::disk("write the clone"))?;
    indexer.progress(|_| !cancel.load(Ordering::Relaxed));
    Ok(indexer)
}

/// Makes the index, and both files safe against a power failure.
pub(super) fn finish(
    indexer: Indexer<'_>,
    folder: &Path,
    cancel: &AtomicBool,
) -> Result<(), RemoteError> {
    let name = indexer.commit().map_err(|error| {
        if cancel.load(Ordering::Relaxed) {
            return RemoteError::Stopped;
        }
        unpackable(io::Error::other(error))
    })?;
    for file in [format!("pack-{name}.pack"), format!("pack-{name}.idx")] {
        sync(&folder.join(file))?;
    }
    sync(folder)
}

/// How many objects a pack says to hold.
fn count(header: &[u8]) -> Result<u32, RemoteError> {
    match header {
        [b'P', b'A', b'C', b'K', 0, 0, 0, 2 | 3, a, b, c, d] => {
            let count = u32::from_be_bytes([*a, *b, *c, *d]);
            if count > MAX_OBJECTS {
                return Err(RemoteError::refused(format!(
                    "the server sends {count} objects, and marketsync takes {MAX_OBJECTS}; is this the repository of the catalogue?"
                )));
            }
            Ok(count)
        }
        _ => Err(RemoteError::unavailable("the server sent a pack that is none")),
    }
}

fn drain(mut pieces: mpsc::Receiver<Piece>) -> Result<(), RemoteError> {
    loop {
        match pieces.blocking_recv() {
            Some(Piece::Bytes(_)) => {}
            Some(Piece::End) => return Ok(()),
            None => return Err(RemoteError::Stopped),
        }
    }
}

/// The system's errors are of the disk; all else is about the pack.
pub(super) fn unpackable(error: io::Error) -> RemoteError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<git2::Error>());
    let class = inner.map(git2::Error::class);
    if matches!(class, Some(git2::ErrorClass::Os | git2::ErrorClass::Filesystem)) {
        return RemoteError::disk("write the clone")(error);
    }
    let said = text::cut(&error.to_string(), 200);
    RemoteError::Damaged { why: format!("the pack that the server sent cannot be used ({said})") }
}

/// Opens a clone of our own.
pub(super) fn open(git_dir: &Path) -> Result<Repository, RemoteError> {
    Repository::open_bare(git_dir).map_err(|error| RemoteError::Damaged {
        why: format!("the clone at {} cannot be opened ({})", git_dir.display(), error.message()),
    })
}

/// The commits of a clone whose parents are not there.
pub(super) fn shallow_commits(git_dir: &Path) -> Vec<Oid> {
    // Our own file, of one line for each fetch.
    let text = fs::read_to_string(git_dir.join("shallow")).unwrap_or_default();
    text.lines().filter_map(|line| Oid::from_str(line).ok()).collect()
}

/// Writes that list anew, if it changes. Only commits that are there get into
/// it: the server is told of all of them at the next fetch.
pub(super) fn update_shallow(repo: &Repository, change: &Shallow) -> Result<(), RemoteError> {
    if change.added.is_empty() && change.removed.is_empty() {
        return Ok(());
    }
    let odb = repo.odb().map_err(RemoteError::disk("open the clone"))?;
    let is_commit =
        |oid: &Oid| matches!(odb.read_header(*oid), Ok((_, kind)) if kind == ObjectType::Commit);
    let mut commits = shallow_commits(repo.path());
    commits.retain(|commit| !change.removed.contains(commit));
    for commit in &change.added {
        if !commits.contains(commit) {
            commits.push(*commit);
        }
    }
    let mut lines = String::new();
    for commit in commits.iter().filter(|commit| is_commit(commit)) {
        lines.push_str(&commit.to_string());
        lines.push('\n');
    }
    replace(&repo.path().join("shallow"), lines.as_bytes())
}

/// The commit that an object of the clone leads to, if all that a pass may
/// read of it is there.
pub(super) fn whole(
    repo: &Repository,
    object: Oid,
    cancel: &AtomicBool,
) -> Result<Oid, RemoteError> {
    let (commit, tree) = begun(repo, object)?;
    let odb = repo.odb().map_err(RemoteError::disk("open the clone"))?;
    walk(repo, tree, cancel, |oid, kind| {
        match kind {
            // It is read next.
            Kind::Folder => Ok(true),
            _ if odb.exists_ext(oid, OdbLookupFlags::NO_REFRESH) => Ok(false),
            _ => Err(missing(&format!("the object {oid}"))),
        }
    })?;
    Ok(commit)
}

/// The commit that an object of the clone leads to, and its root folder, if
/// both are there.
pub(super) fn begun(repo: &Repository, object: Oid) -> Result<(Oid, Oid), RemoteError> {
    let commit = peel(repo, object, "the commit")?
        .map_err(|_| missing(&format!("the commit {object}, or that is none")))?;
    let tree = repo
        .find_commit(commit)
        .map(|commit| commit.tree_id())
        .map_err(|_| missing(&format!("the commit {commit}")))?;
    let odb = repo.odb().map_err(RemoteError::disk("open the clone"))?;
    if odb.exists(tree) { Ok((commit, tree)) } else { Err(missing(&format!("the folder {tree}"))) }
}

fn missing(what: &str) -> RemoteError {
    RemoteError::Damaged { why: format!("the clone lacks {what}") }
}

/// Visits each object below a tree once, without what is in submodules, until
/// `cancel` says to stop. The visitor says of a folder whether to look into it.
pub(super) fn walk(
    repo: &Repository,
    root: Oid,
    cancel: &AtomicBool,
    mut visit: impl FnMut(Oid, Kind) -> Result<bool, RemoteError>,
) -> Result<(), RemoteError> {
    let too_large = |what: &str| {
        RemoteError::refused(format!(
            "the commit has {what}; is this the repository of the catalogue?"
        ))
    };
    let mut seen = HashSet::new();
    let (mut entries, mut bytes) = (0, 0);
    let mut open = Vec::new();
    if visit(root, Kind::Folder)? {
        open.push(root);
    }
    while let Some(oid) = open.pop() {
        if cancel.load(Ordering::Relaxed) {
            return Err(RemoteError::Stopped);
        }
        bytes += check_size(repo, oid, MAX_TREE_BYTES, oid)?;
        if bytes > MAX_TREES_BYTES {
            return Err(too_large(&format!("lists of files of {} MiB", bytes >> 20)));
        }
        let tree = repo.find_tree(oid).map_err(|error| RemoteError::Damaged {
            why: format!("the clone lacks the folder {oid} ({})", error.message()),
        })?;
        entries += tree.len();
        if entries > MAX_ENTRIES {
            return Err(too_large(&format!("more than {MAX_ENTRIES} entries in its folders")));
        }
        for entry in &tree {
            let kind = Kind::of(&entry);
            if kind == Kind::Submodule || !seen.insert(entry.id()) {
                continue;
            }
            if seen.len() > MAX_OBJECTS as usize {
                return Err(too_large(&format!("more than {MAX_OBJECTS} files and folders")));
            }
            if visit(entry.id(), kind)? && kind == Kind::Folder {
                open.push(entry.id());
            }
        }
    }
    Ok(())
}

/// Lets the clone's HEAD lead to a commit, by force.
pub(super) fn set_head(repo: &Repository, commit: Oid) -> Result<(), RemoteError> {
    repo.reference(BRANCH, commit, true, "fetch").map_err(RemoteError::disk("write the clone"))?;
    sync(&repo.path().join(BRANCH))
}

/// Writes a file so that after a crash there is the old or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), RemoteError> {
    let write = || -> io::Result<()> {
        let beside = path.with_extension("new");
        let mut file = fs::File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(RemoteError::disk(format!("write {}", path.display())))
}

pub(super) fn sync(path: &Path) -> Result<(), RemoteError> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(RemoteError::disk(format!("write {}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use git2::Repository;

    use super::{RemoteError, walk};

    #[test]
    fn a_walk_ends_when_it_is_told_to() {
        let dir = tempfile::TempDir::new().unwrap();
        let repo = Repository::init_bare(dir.path()).unwrap();
        let root = repo.treebuilder(None).unwrap().write().unwrap();
        let walk = |cancelled| walk(&repo, root, &AtomicBool::new(cancelled), |_, _| Ok(true));
        assert!(walk(false).is_ok());
        assert!(matches!(walk(true), Err(RemoteError::Stopped)));
    }
}
