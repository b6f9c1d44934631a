//! The folders below a folder, counted before they are watched.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::folders::TreeKind;
use crate::domain::tree::{MAX_ENTRIES, MAX_FOLDERS};

/// The folders of a tree.
#[derive(Debug, Default)]
pub(super) struct Below {
    /// With the root.
    pub(super) folders: Vec<PathBuf>,
    /// Whether there are more of them, or more entries than are looked at.
    pub(super) is_cut: bool,
    /// One that cannot be looked into.
    pub(super) unreadable: Option<(PathBuf, io::Error)>,
}

/// The folders below `root` and itself, at most `most`. Links are not
/// followed.
pub(super) fn list(root: &Path, kind: TreeKind, most: usize) -> Below {
    let mut below = Below::default();
    let mut entries = 0;
    let mut open = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        if below.folders.len() == most {
            below.is_cut = true;
            break;
        }
        let mut children = Vec::new();
        match fs::read_dir(&folder) {
            Ok(found) => {
                for entry in found.flatten().take(MAX_ENTRIES - entries + 1) {
                    entries += 1;
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        children.push(entry.path());
                    }
                }
            }
            // It was removed a moment ago.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                below.unreadable.get_or_insert((folder.clone(), error));
            }
        }
        below.folders.push(folder);
        if entries > MAX_ENTRIES || depth == MAX_FOLDERS && !children.is_empty() {
            below.is_cut = true;
            break;
        }
        if kind == TreeKind::Refs && depth == 0 {
            children.sort_by_key(|folder| rank(folder.file_name()));
        }
        // The last is taken first.
        open.extend(children.into_iter().rev().map(|child| (child, depth + 1)));
    }
    below
}

/// What HEAD or `--revision` names stands before what a mirror has of a forge:
/// `refs/pull` may have a folder for each pull request.
fn rank(name: Option<&OsStr>) -> usize {
    let first = ["heads", "tags", "remotes"];
    first.iter().position(|first| name == Some(OsStr::new(first))).unwrap_or(first.len())
}
