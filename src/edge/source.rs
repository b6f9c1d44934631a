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
    /// How it was found, to find it again.
    options: SourceOptions,
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
    #[error("{} changed while it was read; it is read again at the next pass", path.display())]
    Changed {
        /// The location, or what changed in it.
        path: PathBuf,
    },
    /// The repository lacks what it should have.
    #[error("cannot read the source {}", path.display())]
    Damaged {
        /// The location.
        path: PathBuf,
        /// What it lacks.
        #[source]
        source: GitError,
    },
    /// The repository moved on, and what was read of it is not there any more.
    #[error(
        "the source {} moved to another commit while it was read; it is read again at the next pass",
        path.display()
    )]
    Moved {
        /// The location.
        path: PathBuf,
        /// What was not there.
        #[source]
        source: GitError,
    },
}

impl SourceError {
    /// Whether the repository itself may be damaged, as against what it holds.
    pub fn is_damage(&self) -> bool {
        use GitError as G;
        matches!(
            self,
            Self::Damaged { .. }
                | Self::Git(
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
            Self::Changed { .. }
                | Self::Moved { .. }
                | Self::Directory(DirectoryError::Changed { .. } | DirectoryError::Changing { .. })
                | Self::Git(GitError::Flipping { .. })
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
    source: &'a Source,
    /// Whether these are the files at the head, as against an earlier commit.
    is_head: bool,
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
        Ok(Self { place, path, excludes, heart, options: options.clone() })
    }

    /// The same location, opened anew: what is behind it may be another folder
    /// by now.
    ///
    /// # Errors
    /// [`SourceError::NoLongerGit`] if it was a repository and is none.
    pub fn again(&self) -> Result<Self, SourceError> {
        let now = Self::open(&self.options)?.with_heart(self.heart.clone());
        if self.is_git() && !now.is_git() {
            return Err(SourceError::NoLongerGit { path: self.options.location.clone() });
        }
        // What was read of another folder says nothing of this one.
        if self.path == now.path { Ok(now) } else { Err(self.changed("")) }
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
        self.named().map_err(|error| self.told(None, error))
    }

    fn named(&self) -> Result<Head, SourceError> {
        match &self.place {
            Place::Checkout { checkout, revision: Some(revision) } => {
                Ok(Head::Commit(checkout.resolve_revision(revision)?))
            }
            Place::Checkout { checkout, revision: None } => Ok(Head::Commit(checkout.head()?)),
            Place::Directory(_) => Ok(Head::Directory),
        }
    }

    /// What an error says of this source. If its head is not (any more) what
    /// was read, then somebody was writing, and nothing is damaged.
    fn told(&self, read: Option<&CommitId>, error: SourceError) -> SourceError {
        let path = self.options.location.clone();
        match error {
            SourceError::Directory(DirectoryError::Changed { path }) => self.changed(&path),
            SourceError::Git(source)
                if matches!(
                    source,
                    GitError::NoCommit { .. } | GitError::Lacking { .. } | GitError::Read { .. }
                ) =>
            {
                let now = self.again().and_then(|now| now.named());
                match now {
                    Ok(Head::Commit(now)) if Some(&now) != read => {
                        SourceError::Moved { path, source }
                    }
                    _ => SourceError::Damaged { path, source },
                }
            }
            error => error,
        }
    }

    fn changed(&self, path: &str) -> SourceError {
        let location = &self.options.location;
        let path = if path.is_empty() { location.clone() } else { location.join(path) };
        SourceError::Changed { path }
    }

    /// The files at a head, and how they differ from the last reading.
    pub fn read(&self, head: &Head, seen: &Seen) -> Result<Reading<'_>, SourceError> {
        match (&self.place, head) {
            (Place::Checkout { checkout, .. }, Head::Commit(commit)) => self
                .read_commit(checkout, commit, seen)
                .map_err(|error| self.told(Some(commit), error)),
            (Place::Checkout { .. }, Head::Directory) => Err(self.changed("")),
            (Place::Directory(directory), _) => {
                let tree = directory.read(&self.path, &self.excludes)?;
                let changes = tree.changes().clone();
                Ok(self.reading(Files::Directory(Box::new(tree)), changes))
            }
        }
    }

    fn read_commit<'a>(
        &'a self,
        checkout: &'a Checkout,
        commit: &CommitId,
        seen: &Seen,
    ) -> Result<Reading<'a>, SourceError> {
        let mut tree = checkout.tree(commit)?;
        let filter =
            filter_of(&mut tree, &self.path, &self.excludes)?.map_err(SourceError::Filter)?;
        let named: BTreeSet<RepoPath> = seen.named().cloned().collect();
        let changes = tree.changes(&filter, seen.commit.as_ref(), &named)?;
        Ok(self.reading(Files::Commit(Box::new(tree)), changes))
    }

    fn reading<'a>(&'a self, files: Files<'a>, changes: Changes) -> Reading<'a> {
        Reading { tree: SourceTree { files, source: self, is_head: true }, changes }
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
                Ok(Some(SourceTree { files, source: self, is_head: false }))
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
            Place::Checkout { checkout, .. } => {
                let info = checkout.commit_info(commit).map_err(SourceError::from);
                info.map(Some).map_err(|error| self.told(Some(commit), error))
            }
            Place::Directory(_) => Ok(None),
        }
    }
}

impl SourceTree<'_> {
    /// The same result; what is not there because the source moved on is told
    /// as that.
    fn told<T>(&self, result: Result<T, SourceError>) -> Result<T, SourceError> {
        result.map_err(|error| {
            if self.is_head { self.source.told(Some(self.commit()), error) } else { error }
        })
    }

    /// Asserts that everything that was read still stands there. A commit
    /// always does.
    ///
    /// # Errors
    /// [`SourceError::Changed`] if it does not.
    pub fn still_holds(&self) -> Result<(), SourceError> {
        match &self.files {
            Files::Commit(_) => Ok(()),
            Files::Directory(tree) if tree.still_holds()? => Ok(()),
            Files::Directory(_) => Err(self.source.changed("")),
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
        let found = match &mut self.files {
            Files::Commit(tree) => tree.resolve(path).map_err(SourceError::from),
            Files::Directory(tree) => tree.resolve(path).map_err(SourceError::from),
        };
        self.told(found)
    }

    fn bytes(&mut self, path: &RepoPath, blob: BlobId) -> Result<Vec<u8>, SourceError> {
        self.source.heart.beat();
        let bytes = match &mut self.files {
            Files::Commit(tree) => tree.bytes(path, blob).map_err(SourceError::from),
            Files::Directory(tree) => tree.bytes(path, blob).map_err(SourceError::from),
        };
        self.told(bytes)
    }
}
