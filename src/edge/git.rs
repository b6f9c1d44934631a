//! Git: reads commits, never a work tree, and never runs anything. The only
//! module (with its children) that names `git2`.
//!
//! libgit2 runs no hook, filter or fsmonitor of a repository when objects are
//! read, and it reads no configuration of the machine or the user here, so it
//! does not matter who owns the repository that somebody names. One that is
//! found above the source has to be of somebody who is trusted.

mod kind;
mod plain;
mod discover;
mod tree;
mod changes;
mod uncommitted;
mod base;
pub mod remote;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use git2::{ConfigLevel, ErrorCode, Oid, Repository};
use jiff::Timestamp;

use crate::domain::item::{CommitId, RepoPath};
use crate::domain::tree::MAX_FILES;
use crate::edge::directory::DirectoryError;

pub use base::{Base, fetch_line};
pub use tree::GitTree;
pub use uncommitted::UNCOMMITTED_BUDGET;

/// How much libgit2 may cache of parsed objects, in bytes, in the whole
/// process. Folders are remembered by [`GitTree`] itself, blobs are read once.
const OBJECT_CACHE_BYTES: isize = 16 * 1024 * 1024;

/// How much of a pack file is mapped at once, in bytes. The default is 1 GiB,
/// which a memory limit of a container counts.
const PACK_WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// How much of all pack files is mapped together, in bytes (default 8 GiB).
const PACK_MAPPED_BYTES: usize = 64 * 1024 * 1024;

/// How many pack files are open at once (default: no limit). Of the 1024 file
/// descriptors that a process usually gets.
const PACK_FILES: usize = 128;

/// The largest object that is made from a difference to another, in bytes: a
/// few bytes of a pack can ask for gigabytes, and libgit2 makes them in memory.
/// What a pass reads is at most half of it; the rest of a repository may be
/// larger, because each object of a pack is made once, to check its name.
const PACK_OBJECT_BYTES: usize = 128 * 1024 * 1024;

/// The largest commit or annotated tag that is read, in bytes. The message is
/// all that makes one grow, and 64 KiB of that are kept.
const MAX_COMMIT_BYTES: u64 = 1024 * 1024;

/// The largest folder that is read, in bytes: one million entries with names
/// of 36 bytes, which is as many as a walk looks at.
const MAX_TREE_BYTES: u64 = 64 * 1024 * 1024;

/// How many annotated tags may name each other before a commit.
const MAX_TAGS: usize = 16;

/// The longest commit message that is read, in bytes; what is longer is cut.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The repository could not be read. It says nothing about any file.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// libgit2 refused its settings.
    #[error("libgit2 could not be set up: {message}")]
    Setup {
        /// What it said.
        message: String,
    },
    /// The source path cannot be reached.
    #[error("cannot read the source {path}")]
    Source {
        /// As given.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The source is a file.
    #[error("the source {path} is not a directory; name the folder that holds the items")]
    NotADirectory {
        /// As given.
        path: PathBuf,
    },
    /// A link on the way to the source does not hold still.
    #[error("the source {path} led elsewhere each time that it was looked at")]
    Flipping {
        /// As given.
        path: PathBuf,
    },
    /// There is a `.git`, but no repository behind it.
    #[error(
        "{path} looks like a git checkout, but the repository behind it cannot be found; \
         if it is a linked worktree, its main repository must be reachable at the same path"
    )]
    Broken {
        /// The `.git` in question.
        path: PathBuf,
    },
    /// libgit2 cannot open the repository.
    #[error("cannot open the git repository at {path}")]
    Open {
        /// Where it was looked for.
        path: PathBuf,
        /// Why.
        #[source]
        source: git2::Error,
    },
    /// A repository format that libgit2 lacks.
    #[error(
        "the git repository at {path} uses {format}, which marketsync cannot read; use a clone without it"
    )]
    Format {
        /// Where it is.
        path: PathBuf,
        /// SHA-256 object names or the reftable format.
        format: &'static str,
    },
    /// The work tree of the repository is elsewhere (`core.worktree`).
    #[error(
        "the repository of the source {path} has its work tree elsewhere, at {work_dir}; \
         unset core.worktree there, or name that folder's own checkout"
    )]
    OutsideWorkTree {
        /// The source.
        path: PathBuf,
        /// What the repository says.
        work_dir: PathBuf,
    },
    /// A repository would have files from elsewhere read as its own.
    #[error(
        "the git repository at {path} leads to files outside of it ({how}), which are not read; \
         name a checkout, or a bare clone of its own"
    )]
    Foreign {
        /// The repository.
        path: PathBuf,
        /// What leads out.
        how: &'static str,
    },
    /// A file that makes up a repository is none.
    #[error(
        "{path} is no regular file; it would be read as a part of a git repository, \
         and devices, sockets and FIFOs are never opened: remove it"
    )]
    Special {
        /// Which one.
        path: PathBuf,
    },
    /// The configuration includes more files than anybody wrote by hand.
    #[error("the git configuration {path} includes more than {limit} files")]
    Includes {
        /// The configuration.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// A `.git` above the source that belongs to somebody else.
    #[error(
        "the source {path} lies below {git}, which belongs to the user with the number {owner}: \
         neither to this process's user, nor to root, nor to the owner of the source \
         ({source_owner}); name the source's own checkout, or chown the one or the other"
    )]
    Stranger {
        /// The `.git` in question.
        git: PathBuf,
        /// Its owner.
        owner: u32,
        /// The owner of the source.
        source_owner: u32,
        /// The source.
        path: PathBuf,
    },
    /// The path from the root of the checkout to the source is not UTF-8.
    #[error("the path of the source {path} is not UTF-8")]
    NotUtf8 {
        /// The source.
        path: PathBuf,
    },
    /// HEAD names a branch that has no commit.
    #[error("the repository has no commit yet; commit the item files first, or use --working-tree")]
    Unborn,
    /// No commit has that name.
    #[error("no commit is called {text:?} here; is it fetched, and spelled right?")]
    UnknownRevision {
        /// What was asked for.
        text: String,
        /// Whether this clone lacks a part of the history.
        is_shallow: bool,
        /// What libgit2 said.
        #[source]
        source: git2::Error,
    },
    /// The commit is not in the repository.
    #[error("commit {commit} is not in this repository")]
    NoCommit {
        /// Which one.
        commit: CommitId,
    },
    /// The commit has no folder at the source path. Not the same as an empty
    /// catalogue: a mistyped path must not look like one.
    #[error("commit {commit} has no folder {path}; is the path right, and is it committed?")]
    NoSource {
        /// The source path.
        path: RepoPath,
        /// Where it was looked for.
        commit: CommitId,
    },
    /// More candidates than [`MAX_FILES`].
    #[error(
        "there are more than {MAX_FILES} files below {path} that may be items; narrow it with --path or --exclude"
    )]
    TooManyFiles {
        /// The source path.
        path: RepoPath,
    },
    /// More entries of any kind than a walk looks at.
    #[error(
        "there are more than {limit} files and folders below {path}; narrow it with --path or --exclude"
    )]
    TooManyEntries {
        /// The source path.
        path: RepoPath,
        /// The limit.
        limit: usize,
    },
    /// Folders nest deeper than [`crate::domain::tree::MAX_FOLDERS`], or a path is
    /// longer than [`crate::domain::follow::MAX_PATH_BYTES`].
    #[error("the folders below {path} nest too deep; exclude them with --exclude")]
    TooDeep {
        /// The folder that was not entered.
        path: RepoPath,
    },
    /// An object that the commit needs is not in this clone.
    #[error("this clone lacks {what}; it may be a partial or broken clone: fetch it whole")]
    Lacking {
        /// What it is.
        what: String,
    },
    /// A file grew beyond every limit; the caller checks before it reads.
    #[error("{path} has {size} bytes, more than is ever read")]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// Its size in bytes.
        size: u64,
    },
    /// A commit, tag or folder that nobody made in earnest.
    #[error("{what} has {size} bytes in the git repository; more than {limit} are not read")]
    Oversized {
        /// What it is.
        what: String,
        /// Its size in bytes.
        size: u64,
        /// The largest that is read, in bytes.
        limit: u64,
    },
    /// Anything else that libgit2 reports.
    #[error("cannot read {what} from the git repository")]
    Read {
        /// What it is.
        what: String,
        /// What libgit2 said.
        #[source]
        source: git2::Error,
    },
    /// The work tree could not be looked at.
    #[error("cannot compare the work tree with the git index")]
    WorkTree(#[source] DirectoryError),
}

impl GitError {
    fn read(what: impl Into<String>) -> impl FnOnce(git2::Error) -> Self {
        let what = what.into();
        move |source| match source.code() {
            ErrorCode::NotFound => Self::Lacking { what },
            _ => Self::Read { what, source },
        }
    }
}

/// What history keeps of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// The author's name.
    pub author: String,
    /// When it was committed.
    pub time: Timestamp,
    /// The message, cut at 64 KiB, bytes that are not UTF-8 replaced.
    pub message: String,
}

/// A repository on this machine: a checkout, a linked worktree, a bare one.
///
/// Cheap to open (some 0.2 ms). Open it anew for each pass: what is behind a
/// path may be another repository by then (git-sync flips a link).
pub struct Checkout {
    repo: Repository,
}

impl Checkout {
    /// The repository that holds `path`, and the path from its root to there;
    /// `None` if no repository does.
    ///
    /// Symbolic links in `path` are resolved first. The repository is that of
    /// the next `.git` upwards; as git does, the search stops at the border of
    /// the file system. `path` itself is taken for a bare repository only if
    /// there is no `.git`, because a commit can hold whatever a bare repository
    /// consists of.
    pub fn discover(path: &Path) -> Result<Option<(Self, RepoPath)>, GitError> {
        prepare()?;
        Ok(discover::find(path)?.map(|(repo, source)| (Self { repo }, source)))
    }

    /// The commit at HEAD, or [`GitError::Unborn`].
    pub fn head(&self) -> Result<CommitId, GitError> {
        let head = self.repo.head().map_err(|error| match error.code() {
            ErrorCode::UnbornBranch => GitError::Unborn,
            _ => GitError::read("HEAD")(error),
        })?;
        let Some(oid) = head.target() else {
            return Err(GitError::Lacking { what: "the commit at HEAD".into() });
        };
        let oid = peel(&self.repo, oid, "the commit at HEAD")?
            .map_err(GitError::read("the commit at HEAD"))?;
        Ok(CommitId(oid.to_string()))
    }

    /// The commit that a person calls `text`: a branch, a tag (also an
    /// annotated one), an abbreviated id, `HEAD~2`.
    pub fn resolve_revision(&self, text: &str) -> Result<CommitId, GitError> {
        let is_shallow = self.repo.is_shallow();
        let unknown =
            |source| GitError::UnknownRevision { text: text.to_owned(), is_shallow, source };
        if text.contains('\0') {
            return Err(unknown(git2::Error::from_str("the name holds a NUL")));
        }
        // Whole ids and names of refs lead to an object without reading it;
        // `revparse_single` reads what it finds.
        let named = Oid::from_str(text).ok().filter(|oid| oid.to_string() == text).or_else(|| {
            // The empty name would be HEAD.
            let name = Some(text).filter(|text| !text.is_empty())?;
            let reference = self.repo.resolve_reference_from_short_name(name).ok()?;
            reference.resolve().ok()?.target()
        });
        let oid = match named {
            Some(oid) => oid,
            None => self.repo.revparse_single(text).map_err(unknown)?.id(),
        };
        let oid = peel(&self.repo, oid, &format!("the commit {text:?}"))?.map_err(unknown)?;
        Ok(CommitId(oid.to_string()))
    }

    /// Who committed what, and when.
    pub fn commit_info(&self, commit: &CommitId) -> Result<CommitInfo, GitError> {
        let found = find_commit(&self.repo, commit)?;
        let bytes = found.message_bytes();
        let bytes = bytes.get(..MAX_MESSAGE_BYTES).unwrap_or(bytes);
        Ok(CommitInfo {
            author: String::from_utf8_lossy(found.author().name_bytes()).into_owned(),
            time: Timestamp::from_second(found.time().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
            message: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// The files of a commit.
    pub fn tree(&self, commit: &CommitId) -> Result<GitTree<'_>, GitError> {
        GitTree::of(&self.repo, commit)
    }

    /// The root of the work tree; `None` for a bare repository.
    pub fn work_dir(&self) -> Option<&Path> {
        self.repo.workdir()
    }

    /// Where HEAD is.
    pub fn git_dir(&self) -> &Path {
        self.repo.path()
    }

    /// Where the refs are; differs from [`Checkout::git_dir`] in a linked
    /// worktree.
    pub fn common_dir(&self) -> &Path {
        self.repo.commondir()
    }
}

/// Bounds libgit2's memory, and keeps it from the configuration of the machine
/// and of the user, once per process.
#[expect(
    unsafe_code,
    reason = "libgit2's process-wide options; set once, before this module opens anything"
)]
fn prepare() -> Result<(), GitError> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    let set = || -> Result<(), git2::Error> {
        for level in
            [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG]
        {
            // SAFETY: the options are plain globals of libgit2 that must not
            // be written while another thread reads them. `OnceLock` lets one
            // thread in, and every repository is opened after it.
            unsafe { git2::opts::set_search_path(level, "")? };
        }
        // SAFETY: as above. The owner matters to git because its hooks and
        // helpers would run with our rights; nothing is run here.
        unsafe {
            git2::opts::set_verify_owner_validation(false)?;
            git2::opts::set_cache_max_size(OBJECT_CACHE_BYTES)?;
            git2::opts::set_mwindow_size(PACK_WINDOW_BYTES)?;
            git2::opts::set_mwindow_mapped_limit(PACK_MAPPED_BYTES)?;
            git2::opts::set_mwindow_file_limit(PACK_FILES)?;
        }
        let option = libgit2_sys::GIT_OPT_SET_PACK_MAX_OBJECT_SIZE.cast_signed();
        // SAFETY: as above; the option takes one `size_t`. libgit2 was started
        // by the calls before.
        match unsafe { libgit2_sys::git_libgit2_opts(option, PACK_OBJECT_BYTES) } {
            0 => Ok(()),
            _ => Err(git2::Error::from_str("it does not bound the size of objects")),
        }
    };
    DONE.get_or_init(|| set().map_err(|error| error.message().to_owned()))
        .clone()
        .map_err(|message| GitError::Setup { message })
}

fn find_commit<'repo>(
    repo: &'repo Repository,
    commit: &CommitId,
) -> Result<git2::Commit<'repo>, GitError> {
    let missing = || GitError::NoCommit { commit: commit.clone() };
    let oid = Oid::from_str(&commit.0).map_err(|_| missing())?;
    check_size(repo, oid, MAX_COMMIT_BYTES, commit)?;
    repo.find_commit(oid).map_err(|error| match error.code() {
        ErrorCode::NotFound => missing(),
        _ => GitError::read(format!("commit {commit}"))(error),
    })
}

/// The size of an object in bytes. More than `limit` is refused before it is
/// read. One that is not there is left to whoever reads it, and has none.
fn check_size(
    repo: &Repository,
    oid: Oid,
    limit: u64,
    what: impl fmt::Display,
) -> Result<u64, GitError> {
    let odb = repo.odb().map_err(GitError::read("the object database"))?;
    match odb.read_header(oid) {
        Ok((size, _)) if size as u64 > limit => {
            Err(GitError::Oversized { what: what.to_string(), size: size as u64, limit })
        }
        Ok((size, _)) => Ok(size as u64),
        Err(_) => Ok(0),
    }
}

/// The commit that an object is, or that it names as an annotated tag. The
/// inner error says that there is none.
fn peel(repo: &Repository, oid: Oid, what: &str) -> Result<Result<Oid, git2::Error>, GitError> {
    let mut at = oid;
    for _ in 0..MAX_TAGS {
        check_size(repo, at, MAX_COMMIT_BYTES, what)?;
        match repo.find_tag(at) {
            Ok(tag) => at = tag.target_id(),
            Err(_) => return Ok(repo.find_commit(at).map(|commit| commit.id())),
        }
    }
    Ok(Err(git2::Error::from_str("too many tags name each other")))
}
