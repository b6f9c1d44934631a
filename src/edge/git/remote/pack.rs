//! Objects into a clone, and its HEAD to a commit that is there whole.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use git2::{Indexer, Odb, OdbLookupFlags, Oid, Repository};
use tokio::sync::mpsc;

use super::error::RemoteError;
use super::limits::MAX_OBJECTS;
use super::talk::Shallow;
use crate::domain::text;
use crate::edge::git::{Kind, MAX_TREE_BYTES, check_size, peel};

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

/// Writes that list anew, if it changes.
pub(super) fn update_shallow(git_dir: &Path, change: &Shallow) -> Result<(), RemoteError> {
    if change.added.is_empty() && change.removed.is_empty() {
        return Ok(());
    }
    let mut commits = shallow_commits(git_dir);
    commits.retain(|commit| !change.removed.contains(commit));
    for commit in &change.added {
        if !commits.contains(commit) {
            commits.push(*commit);
        }
    }
    let mut lines = String::new();
    for commit in commits {
        lines.push_str(&commit.to_string());
        lines.push('\n');
    }
    replace(&git_dir.join("shallow"), lines.as_bytes())
}

/// The commit that an object of the clone leads to, if all that a pass may
/// read of it is there.
pub(super) fn whole(repo: &Repository, object: Oid) -> Result<Oid, RemoteError> {
    let missing = |what: &str| RemoteError::Damaged { why: format!("the clone lacks {what}") };
    let commit = peel(repo, object, "the commit")?
        .map_err(|_| missing(&format!("the commit {object}, or that is none")))?;
    let tree = repo
        .find_commit(commit)
        .map(|commit| commit.tree_id())
        .map_err(|_| missing(&format!("the commit {commit}")))?;
    let odb = repo.odb().map_err(RemoteError::disk("open the clone"))?;
    walk(repo, tree, |oid, kind| {
        match kind {
            // It is read next.
            Kind::Folder => Ok(true),
            _ if odb.exists_ext(oid, OdbLookupFlags::NO_REFRESH) => Ok(false),
            _ => Err(missing(&format!("the object {oid}"))),
        }
    })?;
    Ok(commit)
}

/// Visits each object below a tree once, without what is in submodules. The
/// visitor says of a folder whether to look into it.
pub(super) fn walk(
    repo: &Repository,
    root: Oid,
    mut visit: impl FnMut(Oid, Kind) -> Result<bool, RemoteError>,
) -> Result<(), RemoteError> {
    let mut seen = HashSet::new();
    let mut open = Vec::new();
    if visit(root, Kind::Folder)? {
        open.push(root);
    }
    while let Some(oid) = open.pop() {
        check_size(repo, oid, MAX_TREE_BYTES, oid)?;
        let tree = repo.find_tree(oid).map_err(|error| RemoteError::Damaged {
            why: format!("the clone lacks the folder {oid} ({})", error.message()),
        })?;
        for entry in &tree {
            let kind = Kind::of(&entry);
            if kind == Kind::Submodule || !seen.insert(entry.id()) {
                continue;
            }
            if seen.len() > MAX_OBJECTS as usize {
                return Err(RemoteError::refused(format!(
                    "the commit has more than {MAX_OBJECTS} files and folders"
                )));
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
