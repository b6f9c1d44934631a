//! One reading of a directory.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::files::Listed;
use super::{DirectoryError, DirectoryTree, Root, Stat, blob_id};
use crate::domain::candidate::{Admission, Filter, filter_of};
use crate::domain::follow::{Node, Place};
use crate::domain::item::{CommitId, RepoPath};
use crate::domain::tree::{Changes, Entry, MAX_ENTRIES, MAX_FILES, MAX_FOLDERS, Target, Tree as _};

/// The link that Kubernetes swaps (the "atomic writer" of the kubelet). What
/// a mounted volume shows at its top are links into it, also for folders.
const PUBLISHED: &str = "..data/";

/// A reading of everything below `source`.
pub(super) fn list(
    path: &Path,
    source: &RepoPath,
    excludes: &[String],
) -> Result<DirectoryTree, DirectoryError> {
    let root = Root::open(path)?;
    if root.stat(source)? != Stat::Folder {
        return Err(DirectoryError::NoSource { root: path.to_owned(), path: source.clone() });
    }
    let mut tree = DirectoryTree {
        path: path.to_owned(),
        root,
        source: source.clone(),
        excludes: excludes.to_vec(),
        filter: Filter::new(source.clone(), None, &[]).map_err(DirectoryError::Filter)?,
        commit: CommitId(String::new()),
        changes: Changes { complete: true, ..Changes::default() },
        is_published: false,
        nodes: BTreeMap::new(),
    };
    let published = RepoPath::new(PUBLISHED.trim_end_matches('/'));
    tree.is_published =
        published.is_ok_and(|path| matches!(tree.root.stat(&path), Ok(Stat::Link { .. })));
    let filter = filter_of(&mut tree, source, excludes)?.map_err(DirectoryError::Filter)?;
    let mut walk = Walk { tree, filter, entries: 0 };
    walk.folder(Path::new(source.as_str()), &Place::start(source.clone()), 0)?;
    let Walk { mut tree, filter, .. } = walk;
    // A folder's names are in order, but `a.json` is before `a/`.
    tree.changes.present.sort_by(|a, b| a.path.cmp(&b.path));
    tree.filter = filter;
    tree.commit = commit_id(&mut tree)?;
    Ok(tree)
}

struct Walk {
    tree: DirectoryTree,
    filter: Filter,
    entries: usize,
}

impl Walk {
    /// The folder that lies at `real` and is shown at `place`.
    fn folder(&mut self, real: &Path, place: &Place, depth: usize) -> Result<(), DirectoryError> {
        if depth > MAX_FOLDERS {
            return Err(DirectoryError::TooDeep { path: place.path.clone() });
        }
        let names = self.tree.root.list(real, MAX_ENTRIES - self.entries)?;
        self.entries += names.len();
        if self.entries > MAX_ENTRIES {
            return Err(DirectoryError::TooManyEntries { path: self.tree.source.clone() });
        }
        for (name, listed) in names {
            let Some(child) = place.child(name.as_bytes()) else {
                return Err(DirectoryError::TooDeep { path: place.path.clone() });
            };
            let real = real.join(&name);
            match listed {
                // Only folders that are not out are entered.
                Listed::Folder if self.filter.prunes_in(&child.path, false) => {}
                Listed::Folder => self.folder(&real, &child, depth + 1)?,
                Listed::Link => match self.published_folder(&real, &child)? {
                    Some(target) => self.folder(&target, &child, depth + 1)?,
                    None => self.file(&real, &child)?,
                },
                Listed::Other => self.file(&real, &child)?,
            }
        }
        Ok(())
    }

    /// The folder that a link of a mounted volume shows.
    fn published_folder(
        &mut self,
        real: &Path,
        place: &Place,
    ) -> Result<Option<PathBuf>, DirectoryError> {
        let Some(at) = text_path(real, place) else {
            return Ok(None);
        };
        if self.filter.prunes_in(&place.path, false) {
            return Ok(None);
        }
        match self.tree.look(&at)? {
            Node::Link { text: Some(text), .. } if text.starts_with(PUBLISHED) => {
                let resolved = self.tree.resolve(&at)?;
                Ok((resolved.target == Target::Folder)
                    .then(|| PathBuf::from(resolved.path.as_str())))
            }
            _ => Ok(None),
        }
    }

    fn file(&mut self, real: &Path, place: &Place) -> Result<(), DirectoryError> {
        match self.filter.admits_in(&place.path, false) {
            Admission::No => return Ok(()),
            Admission::Configuration => {
                self.tree.changes.passed_over.push(place.path.clone());
                return Ok(());
            }
            Admission::Candidate => {}
        }
        let Some(at) = text_path(real, place) else {
            self.tree.changes.unreadable.push(place.path.to_string());
            return Ok(());
        };
        let node = self.tree.look(&at)?;
        if matches!(node, Node::Nothing | Node::Folder) {
            // It is not what the listing said.
            return Err(DirectoryError::Changed { path: at.to_string() });
        }
        if let Some(blob) = node.mark() {
            self.tree.changes.present.push(Entry { path: place.path.clone(), blob });
        }
        if self.tree.changes.present.len() > MAX_FILES {
            return Err(DirectoryError::TooManyFiles { path: self.tree.source.clone() });
        }
        Ok(())
    }
}

/// The path to open, if it can be said as text.
fn text_path(real: &Path, place: &Place) -> Option<RepoPath> {
    real.to_str().filter(|_| place.is_text).and_then(|text| RepoPath::new(text).ok())
}

/// Of the candidates' paths and of what they lead to.
fn commit_id(tree: &mut DirectoryTree) -> Result<CommitId, DirectoryError> {
    let mut parts = Vec::new();
    for entry in tree.changes.present.clone() {
        let mark = match tree.resolve(&entry.path)?.target {
            Target::File { blob, .. } => blob,
            other => blob_id(&[b"target\0", format!("{other:?}").as_bytes()]),
        };
        parts.extend([entry.path.as_str().as_bytes(), b"\0", &mark.0].concat());
    }
    for text in &tree.changes.unreadable {
        parts.extend([text.as_bytes(), b"\0"].concat());
    }
    Ok(CommitId(format!("dir-{}", blake3::hash(&parts).to_hex().get(..40).unwrap_or_default())))
}
