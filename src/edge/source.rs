//! A source: the commits of a git repository, or a directory that is none.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::domain::candidate::{FilterError, filter_of};
use crate::domain::item::{BlobId, CommitId, RepoPath};
use crate::domain::seen::Seen;
use crate::domain::tree::{Changes, Resolved, Tree};
use crate::edge::directory::{Directory, DirectoryError, DirectoryTree};
use crate::edge::git::{Base, Checkout, CommitInfo, GitError, GitTree, UNCOMMITTED_BUDGET};
use crate::edge::heartbeat::Heartbeat;

/// Which files are wanted.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// A directory inside a checkout, a bare repository or a plain directory.
    pub location: PathBuf,
    /// The commit, branch or tag to read instead of HEAD.
    pub revision: Option<String>,
    /// A folder to narrow it to, from the root of the repository.
    pub path: Option<RepoPath>,
    /// Patterns of files that are no items (gitignore syntax).
    pub excludes: Vec<String>,
    /// Whether the files of the work tree count, committed or not.
    pub working_tree: bool,
}

/// Where item files come from.
pub struct Source {
    place: Place,
    /// The folder that is read, from the root of the checkout.
    path: RepoPath,
    excludes: Vec<String>,
    heart: Heartbeat,
}

enum Place {
    Checkout { checkout: Checkout, revision: Option<String> },
    Directory(Directory),
}

/// The source could not be read: no statement about any file.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The repository could not be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The directory could not be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The ignore file or an exclude is no list of patterns.
    #[error("cannot tell which files may be items")]
    Filter(#[source] FilterError),
    /// `--path` is not below SOURCE.
    #[error("--path {path} is not below SOURCE, which is {base} in its repository")]
    Path {
        /// As given.
        path: RepoPath,
        /// What SOURCE names.
        base: RepoPath,
    },
    /// A revision was asked for where there are no commits.
    #[error("{path} is no git repository, so it has no revision {revision}; leave --revision out")]
    NoRevisions {
        /// The location.
        path: PathBuf,
        /// What was asked for.
        revision: String,
    },
    /// A revision was asked for where there are no commits.
    #[error(
        "the source is read without git (a plain directory, or --working-tree), so it has no revision {revision}"
    )]
    NoRevision {
        /// What was asked for.
        revision: String,
    },
    /// A work tree was asked for where there is none.
    #[error("{path} has no work tree; leave --working-tree out")]
    NoWorkTree {
        /// The location.
        path: PathBuf,
    },
    /// The remote repository was not fetched yet.
    #[error("the repository is not fetched yet{}", why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    NotFetched {
        /// Why the last fetch failed, if one did.
        why: Option<String>,
    },
    /// What was a git repository is none any more.
    #[error(
        "there is no git repository at {path} any more; nothing is read until it is back (if it is meant to be a plain directory now, give it another --state)"
    )]
    NoLongerGit {
        /// The location.
        path: PathBuf,
    },
    /// The directory changed while it was read.
    #[error("the directory changed while it was read; it is read again at the next pass")]
    Changed,
}

impl SourceError {
    /// Whether the repository itself may be damaged, as against what it holds.
    pub fn is_damage(&self) -> bool {
        use GitError as G;
        matches!(
            self,
            Self::Git(
                G::Broken { .. }
                    | G::Open { .. }
                    | G::NoCommit { .. }
                    | G::Lacking { .. }
                    | G::Read { .. }
            )
        )
    }

    /// Whether somebody was writing while it was read.
    pub fn is_of_the_moment(&self) -> bool {
        matches!(
            self,
            Self::Changed
                | Self::Directory(DirectoryError::Changed { .. } | DirectoryError::Changing { .. })
        )
    }

    /// Whether the next try may find it otherwise.
    pub fn is_transient(&self) -> bool {
        self.is_of_the_moment()
            || matches!(self, Self::NotFetched { .. } | Self::NoLongerGit { .. })
    }
}

/// What stands at the head of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A commit.
    Commit(CommitId),
    /// A directory, which has no history: whatever it holds when it is read.
    Directory,
}

/// The files of one moment, and how they differ from the last reading.
pub struct Reading<'a> {
    /// The files.
    pub tree: SourceTree<'a>,
    /// How they differ.
    pub changes: Changes,
}

/// The files of a commit or of a directory.
pub struct SourceTree<'a> {
    files: Files<'a>,
    heart: Heartbeat,
}

enum Files<'a> {
    Commit(Box<GitTree<'a>>),
    Directory(Box<DirectoryTree>),
}

impl Source {
    /// Finds out what the location is.
    pub fn open(options: &SourceOptions) -> Result<Self, SourceError> {
        let found = Checkout::discover(&options.location)?;
        let (place, base) = match found {
            Some((checkout, base)) if options.working_tree => {
                let Some(work_dir) = checkout.work_dir() else {
                    return Err(SourceError::NoWorkTree { path: options.location.clone() });
                };
                (Place::Directory(Directory::open(work_dir)?), base)
            }
            Some((checkout, base)) => {
                (Place::Checkout { checkout, revision: options.revision.clone() }, base)
            }
            None => (Place::Directory(Directory::open(&options.location)?), RepoPath::root()),
        };
        if let (Place::Directory(_), Some(revision)) = (&place, &options.revision) {
            return Err(SourceError::NoRevisions {
                path: options.location.clone(),
                revision: revision.clone(),
            });
        }
        let path = match &options.path {
            Some(path) if !path.is_within(&base) => {
                return Err(SourceError::Path { path: path.clone(), base });
            }
            Some(path) => path.clone(),
            None => base,
        };
        let (excludes, heart) = (options.excludes.clone(), Heartbeat::default());
        Ok(Self { place, path, excludes, heart })
    }

    /// Each file that is read beats this heart.
    #[must_use]
    pub fn with_heart(self, heart: Heartbeat) -> Self {
        Self { heart, ..self }
    }

    /// Whether it is read from a git repository.
    pub fn is_git(&self) -> bool {
        matches!(self.place, Place::Checkout { .. })
    }

    /// The folder that is read, from the root of the checkout.
    pub fn path(&self) -> &RepoPath {
        &self.path
    }

    /// The patterns of files that are no items.
    pub fn excludes(&self) -> &[String] {
        &self.excludes
    }

    /// What stands at the head.
    pub fn head(&self) -> Result<Head, SourceError> {
        match &self.place {
            Place::Checkout { checkout, revision: Some(revision) } => {
                Ok(Head::Commit(checkout.resolve_revision(revision)?))
            }
            Place::Checkout { checkout, revision: None } => Ok(Head::Commit(checkout.head()?)),
            Place::Directory(_) => Ok(Head::Directory),
        }
    }

    /// The files at a head, and how they differ from the last reading.
    pub fn read(&self, head: &Head, seen: &Seen) -> Result<Reading<'_>, SourceError> {
        match (&self.place, head) {
            (Place::Checkout { checkout, .. }, Head::Commit(commit)) => {
                let mut tree = checkout.tree(commit)?;
                let filter = filter_of(&mut tree, &self.path, &self.excludes)?
                    .map_err(SourceError::Filter)?;
                let named: BTreeSet<RepoPath> = seen.named().cloned().collect();
                let changes = tree.changes(&filter, seen.commit.as_ref(), &named)?;
                Ok(self.reading(Files::Commit(Box::new(tree)), changes))
            }
            (Place::Checkout { .. }, Head::Directory) => Err(SourceError::Changed),
            (Place::Directory(directory), _) => {
                let tree = directory.read(&self.path, &self.excludes)?;
                let changes = tree.changes().clone();
                Ok(self.reading(Files::Directory(Box::new(tree)), changes))
            }
        }
    }

    fn reading<'a>(&self, files: Files<'a>, changes: Changes) -> Reading<'a> {
        Reading { tree: SourceTree { files, heart: self.heart.clone() }, changes }
    }

    /// What `head` is compared with if somebody names `revision`.
    ///
    /// # Errors
    /// [`SourceError::NoRevision`] for what has no commits.
    pub fn base(&self, head: &Head, revision: &str) -> Result<Base, SourceError> {
        match (&self.place, head) {
            (Place::Checkout { checkout, .. }, Head::Commit(head)) => {
                Ok(checkout.base(head, revision)?)
            }
            _ => Err(SourceError::NoRevision { revision: revision.to_owned() }),
        }
    }

    /// The files of an earlier commit; none for a directory.
    pub fn tree_at(&self, commit: &CommitId) -> Result<Option<SourceTree<'_>>, SourceError> {
        match &self.place {
            Place::Checkout { checkout, .. } => {
                let files = Files::Commit(Box::new(checkout.tree(commit)?));
                Ok(Some(SourceTree { files, heart: self.heart.clone() }))
            }
            Place::Directory(_) => Ok(None),
        }
    }

    /// A tracked item file whose edits are not committed, if one is found at
    /// once. A source that cannot be read is for [`Source::read`] to report.
    pub fn uncommitted(&self) -> Result<Option<RepoPath>, SourceError> {
        let Place::Checkout { checkout, revision: None } = &self.place else {
            return Ok(None);
        };
        let mut tree = checkout.tree(&checkout.head()?)?;
        let filter =
            filter_of(&mut tree, &self.path, &self.excludes)?.map_err(SourceError::Filter)?;
        Ok(checkout.uncommitted(&filter, UNCOMMITTED_BUDGET)?)
    }

    /// Who committed what, and when; none for a directory.
    pub fn commit_info(&self, commit: &CommitId) -> Result<Option<CommitInfo>, SourceError> {
        match &self.place {
            Place::Checkout { checkout, .. } => Ok(Some(checkout.commit_info(commit)?)),
            Place::Directory(_) => Ok(None),
        }
    }
}

impl SourceTree<'_> {
    /// Whether everything that was read still stands there. A commit always
    /// does.
    pub fn still_holds(&self) -> Result<bool, SourceError> {
        match &self.files {
            Files::Commit(_) => Ok(true),
            Files::Directory(tree) => Ok(tree.still_holds()?),
        }
    }
}

impl Tree for SourceTree<'_> {
    type Error = SourceError;

    fn commit(&self) -> &CommitId {
        match &self.files {
            Files::Commit(tree) => tree.commit(),
            Files::Directory(tree) => tree.commit(),
        }
    }

    fn resolve(&mut self, path: &RepoPath) -> Result<Resolved, SourceError> {
        match &mut self.files {
            Files::Commit(tree) => Ok(tree.resolve(path)?),
            Files::Directory(tree) => Ok(tree.resolve(path)?),
        }
    }

    fn bytes(&mut self, path: &RepoPath, blob: BlobId) -> Result<Vec<u8>, SourceError> {
        self.heart.beat();
        match &mut self.files {
            Files::Commit(tree) => Ok(tree.bytes(path, blob)?),
            Files::Directory(tree) => Ok(tree.bytes(path, blob)?),
        }
    }
}
