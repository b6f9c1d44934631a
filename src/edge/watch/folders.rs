//! Which folders are watched, and what matters in each.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What matters of a folder's entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Interest {
    /// These.
    names: BTreeSet<OsString>,
    /// All but lock files: it is a folder of refs.
    refs: bool,
    /// All: it belongs to a plain directory.
    all: bool,
}

impl Interest {
    /// Whether it matters that an entry was made, removed, renamed or written.
    pub(super) fn wants(&self, name: &OsStr) -> bool {
        self.all || self.names.contains(name) || self.refs && !is_lock(name)
    }

    /// Whether the folders in it are watched, too.
    pub(super) fn is_deep(&self) -> bool {
        self.all || self.refs
    }
}

/// Git writes `main.lock` and renames it to `main`; no ref may end like that
/// (`git check-ref-format`).
fn is_lock(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(b".lock")
}

/// Folders by their real path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Folders(BTreeMap<PathBuf, Interest>);

impl Folders {
    /// Watches an entry of a folder.
    pub(super) fn name(&mut self, folder: &Path, name: impl Into<OsString>) {
        self.0.entry(folder.to_owned()).or_default().names.insert(name.into());
    }

    /// Watches the folder or file at `path` by its entry in the folder around
    /// it. There is none around the root, which cannot be replaced either.
    pub(super) fn entry(&mut self, path: &Path) {
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            self.name(folder, name);
        }
    }

    /// Watches a folder of a tree.
    pub(super) fn tree(&mut self, folder: PathBuf, kind: TreeKind) {
        let interest = self.0.entry(folder).or_default();
        match kind {
            TreeKind::Refs => interest.refs = true,
            TreeKind::Directory => interest.all = true,
        }
    }

    pub(super) fn get(&self, folder: &Path) -> Option<&Interest> {
        self.0.get(folder)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }
}

/// What is watched as a whole, with all folders below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TreeKind {
    /// `refs` of a repository.
    Refs,
    /// A plain directory.
    Directory,
}
