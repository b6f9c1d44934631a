//! A directory that is no git checkout (a mounted `ConfigMap`, an unpacked
//! archive), or the work tree of one (`--working-tree`).
//!
//! A directory has no commits, so it is read until two readings agree and
//! nothing was written for a moment (`QUIET`). Within
//! one reading each link is read once: Kubernetes publishes a `ConfigMap` by
//! swapping one link, `..data`, and no reading sees both of its targets.

mod files;
mod listing;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::domain::candidate::{Filter, FilterError};
use crate::domain::follow::{self, MAX_PATH_BYTES, Node};
use crate::domain::item::{BlobId, CommitId, RepoPath};
use crate::domain::tree::{Changes, MAX_BYTES, MAX_ENTRIES, MAX_FILES, Resolved, Tree};

pub(crate) use files::{Root, Stat};

/// How often a directory is read before it is given up for this time. Two
/// readings suffice for one that holds still, and somebody who copies files
/// into it is better waited for until the next beat.
const MAX_READINGS: usize = 8;

/// How long nothing may have been written before a directory counts as still.
/// Two readings take a few milliseconds, and somebody who writes one file after
/// the other may not get to write for longer than that on a busy machine: they
/// agree then on half of what is written.
const QUIET: Duration = Duration::from_millis(200);

/// The directory could not be read. It says nothing about any file.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The root cannot be opened.
    #[error("cannot open the directory {path}")]
    Open {
        /// As given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no folder at the source path. Not the same as an empty one.
    #[error("there is no folder {path} in {root}; is the path right, and is the volume mounted?")]
    NoSource {
        /// The directory.
        root: PathBuf,
        /// The source path in it.
        path: RepoPath,
    },
    /// Something below cannot be read.
    #[error("cannot read {path}; may this user read it?")]
    Read {
        /// What, from the root.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is not what it was when the directory was read.
    #[error("{path} changed while it was read; it is read again at the next pass")]
    Changed {
        /// Which one, from the root.
        path: String,
    },
    /// No two readings agreed.
    #[error(
        "{path} kept changing during {readings} readings of the directory {}; is something still writing there?",
        root.display()
    )]
    Changing {
        /// The directory.
        root: PathBuf,
        /// One that changed, from the root.
        path: String,
        /// How often it was tried.
        readings: usize,
    },
    /// More candidates than [`MAX_FILES`].
    #[error(
        "there are more than {MAX_FILES} files below {path} that may be items; narrow it with --path or --exclude"
    )]
    TooManyFiles {
        /// The source path.
        path: RepoPath,
    },
    /// More entries of any kind than [`MAX_ENTRIES`].
    #[error(
        "there are more than {MAX_ENTRIES} files and folders below {path}; narrow it with --path or --exclude"
    )]
    TooManyEntries {
        /// The source path.
        path: RepoPath,
    },
    /// Folders nest deeper than [`crate::domain::tree::MAX_FOLDERS`], or a path is
    /// longer than [`MAX_PATH_BYTES`].
    #[error("the folders below {path} nest too deep; exclude them with --exclude")]
    TooDeep {
        /// The folder that was not entered.
        path: RepoPath,
    },
    /// The ignore file or an exclude is no list of patterns.
    #[error("cannot tell which files may be items")]
    Filter(#[source] FilterError),
}

/// A directory, opened anew for each reading, because the path may be a link
/// that somebody swaps.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory at this path, which is checked to be one.
    pub fn open(root: &Path) -> Result<Self, DirectoryError> {
        Root::open(root)?;
        Ok(Self { root: root.to_owned() })
    }

    /// The candidates below `source` (a path from the root), read until two
    /// readings agree. The ignore file is that of the same reading.
    pub fn read(
        &self,
        source: &RepoPath,
        excludes: &[String],
    ) -> Result<DirectoryTree, DirectoryError> {
        let mut before: Option<DirectoryTree> = None;
        let mut changing = source.to_string();
        // Whether there was a pause behind `before`.
        let mut paused = false;
        for _ in 0..MAX_READINGS {
            let pause = match listing::list(&self.root, source, excludes) {
                Ok(tree) => {
                    let pause = tree.pause();
                    match before.as_ref().map(|before| before.difference(&tree)) {
                        Some(None) if paused || pause.is_zero() => return Ok(tree),
                        Some(Some(path)) => changing = path,
                        _ => {}
                    }
                    before = Some(tree);
                    pause
                }
                Err(DirectoryError::Changed { path }) => {
                    changing = path;
                    before = None;
                    QUIET
                }
                Err(error) => return Err(error),
            };
            paused = !pause.is_zero();
            wait(pause);
        }
        Err(DirectoryError::Changing {
            root: self.root.clone(),
            path: changing,
            readings: MAX_READINGS,
        })
    }
}

/// A directory as two readings found it.
///
/// Its [`CommitId`] is `dir-` and 40 digits of the blake3 hash of the
/// candidates: their paths and bytes, those behind links included. Two
/// directories with equal candidates have equal ids. **Images and schemas do
/// not count**: an equal id does not mean that nothing changed, so ask
/// [`Tree::resolve`] for the paths that known items name.
///
/// A file of more than [`MAX_BYTES`] is never read. Its [`BlobId`] is made of
/// its size and time of change instead.
pub struct DirectoryTree {
    path: PathBuf,
    root: Root,
    source: RepoPath,
    excludes: Vec<String>,
    filter: Filter,
    commit: CommitId,
    changes: Changes,
    /// Whether it is a volume of Kubernetes.
    is_published: bool,
    /// All that this reading looked at, once.
    nodes: BTreeMap<RepoPath, Node>,
}

impl DirectoryTree {
    /// Every candidate; always complete.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The rule that told candidates from other files.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether everything that was looked at since [`Directory::read`] began,
    /// images and missing files included, is still the same. Asked after the
    /// last file was read, "yes" means that all of them stood there together.
    pub fn still_holds(&self) -> Result<bool, DirectoryError> {
        let mut now = match listing::list(&self.path, &self.source, &self.excludes) {
            Ok(now) => now,
            Err(DirectoryError::Changed { .. } | DirectoryError::NoSource { .. }) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        for (path, node) in &self.nodes {
            match now.look(path) {
                Ok(found) if found == *node => {}
                Ok(_) | Err(DirectoryError::Changed { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(now.changes == self.changes)
    }

    /// How long to wait before this reading can be trusted: until [`QUIET`] has
    /// passed since the last change, and not longer if the clock of whoever
    /// keeps the files is ahead.
    ///
    /// What Kubernetes publishes was written before it appears.
    fn pause(&self) -> Duration {
        if self.is_published { Duration::ZERO } else { QUIET.saturating_sub(self.root.quiet_for()) }
    }

    /// A path at which two readings differ.
    fn difference(&self, other: &Self) -> Option<String> {
        let differs = |(path, node): &(&RepoPath, &Node), nodes: &BTreeMap<RepoPath, Node>| {
            nodes.get(path) != Some(node)
        };
        let here = self.nodes.iter().find(|entry| differs(entry, &other.nodes));
        let there = || other.nodes.iter().find(|entry| differs(entry, &self.nodes));
        match here.or_else(there) {
            Some((path, _)) => Some(path.to_string()),
            None => (self.changes != other.changes || self.changed() != other.changed())
                .then(|| self.source.to_string()),
        }
    }

    /// When the last change was made; none if that does not matter.
    fn changed(&self) -> Option<(i64, i64)> {
        Some(self.root.changed()).filter(|_| !self.is_published)
    }

    /// What is at a path whose folders are no links: what this reading found
    /// there before, if it looked.
    fn look(&mut self, path: &RepoPath) -> Result<Node, DirectoryError> {
        if let Some(known) = self.nodes.get(path) {
            return Ok(known.clone());
        }
        if self.nodes.len() >= MAX_ENTRIES {
            return Err(DirectoryError::TooManyEntries { path: self.source.clone() });
        }
        let node = node_at(&self.root, path)?;
        self.nodes.insert(path.clone(), node.clone());
        Ok(node)
    }
}

impl Tree for DirectoryTree {
    type Error = DirectoryError;

    fn commit(&self) -> &CommitId {
        &self.commit
    }

    fn resolve(&mut self, path: &RepoPath) -> Result<Resolved, DirectoryError> {
        follow::follow(path, |at| self.look(at))
    }

    fn bytes(&mut self, path: &RepoPath, blob: BlobId) -> Result<Vec<u8>, DirectoryError> {
        let bytes = self.root.read(path, MAX_BYTES)?;
        bytes
            .filter(|bytes| blob_id(&[bytes]) == blob)
            .ok_or_else(|| DirectoryError::Changed { path: path.to_string() })
    }
}

fn node_at(root: &Root, path: &RepoPath) -> Result<Node, DirectoryError> {
    Ok(match root.stat(path)? {
        Stat::Nothing => Node::Nothing,
        Stat::Folder => Node::Folder,
        Stat::Special => Node::Special,
        Stat::Link { text } => {
            let blob = blob_id(&[b"link\0", &text]);
            let text = String::from_utf8(text).ok().filter(|text| text.len() <= MAX_PATH_BYTES);
            Node::Link { blob, text }
        }
        Stat::File { size, time: (seconds, nanos) } if size > MAX_BYTES => {
            let numbers = [size.to_be_bytes(), seconds.to_be_bytes(), nanos.to_be_bytes()];
            Node::File { blob: blob_id(&[b"large\0", numbers.as_flattened()]), size }
        }
        Stat::File { .. } => {
            let bytes = root.read(path, MAX_BYTES)?;
            let bytes = bytes.ok_or_else(|| DirectoryError::Changed { path: path.to_string() })?;
            Node::File { blob: blob_id(&[&bytes]), size: bytes.len() as u64 }
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "whoever reads a directory blocks; 1.6 s at most")]
fn wait(pause: Duration) {
    if !pause.is_zero() {
        std::thread::sleep(pause);
    }
}

/// The first 20 bytes of the blake3 hash.
fn blob_id(parts: &[&[u8]]) -> BlobId {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut id = [0; 20];
    hasher.finalize_xof().fill(&mut id);
    BlobId(id)
}
