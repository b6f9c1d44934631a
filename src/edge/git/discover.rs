//! Which repository a source belongs to.
//!
//! libgit2's own search also takes a folder for a repository that merely has
//! the files of one. Git checks out folders with any names but `.git`, so
//! whoever may commit could have another repository or folder of this machine
//! read, by way of `commondir`, `objects/info/alternates` or `core.worktree`.
//! What lies in a folder called `.git` is never the content of a repository,
//! so that is what is looked for, and nothing else is opened.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Repository, RepositoryOpenFlags};

use super::{GitError, plain};
use crate::domain::item::RepoPath;

/// The configurations of a repository that libgit2 reads, the second with
/// `extensions.worktreeConfig`.
const CONFIGS: [&str; 2] = ["config", "config.worktree"];

/// How often a source is looked for whose path leads elsewhere each time.
const MAX_FLIPS: usize = 8;

/// The repository that holds `path`, links resolved, and the path from its
/// root to there.
///
/// git-sync lets a link lead to another checkout and removes the one before at
/// once: what was found of a folder that the path does not lead to any more,
/// such as no repository, says nothing.
pub(super) fn find(path: &Path) -> Result<Option<(Repository, RepoPath)>, GitError> {
    let led_to =
        || path.canonicalize().map_err(|source| GitError::Source { path: path.to_owned(), source });
    let mut at = led_to()?;
    for _ in 0..MAX_FLIPS {
        let found = if at.is_dir() {
            open(&at)
        } else {
            Err(GitError::NotADirectory { path: path.to_owned() })
        };
        let now = led_to()?;
        if now == at {
            return found;
        }
        at = now;
    }
    Err(GitError::Flipping { path: path.to_owned() })
}

/// The repository that holds `at`, a resolved path of a folder, and the path
/// from its root to there.
pub(super) fn open(at: &Path) -> Result<Option<(Repository, RepoPath)>, GitError> {
    let search = Search::upwards(at);
    if let Some(git) = search.git {
        let holder = git.parent().unwrap_or(at).to_owned();
        check_owner(at, &git)?;
        return if git.is_dir() && at.starts_with(&git) {
            // Somebody names the `.git` of a checkout: the repository as a
            // whole, or that of a submodule or worktree kept within.
            Ok(Some((within(at, &git)?, RepoPath::root())))
        } else {
            of_checkout(at, &git, &holder).map(Some)
        };
    }
    if search.has_entry || !looks_bare(at) {
        return Ok(None);
    }
    check_bare(at)?;
    let repo = open_exactly(at, RepositoryOpenFlags::BARE)?
        .ok_or_else(|| GitError::Broken { path: at.to_owned() })?;
    if repo.config().is_ok_and(|config| config.get_entry("core.worktree").is_ok()) {
        return Err(foreign(at, "core.worktree in its config"));
    }
    Ok(Some((repo, RepoPath::root())))
}

/// The entries called `.git` from a folder upwards, as far as git looks: to
/// the border of the file system.
#[derive(Default)]
struct Search {
    /// The first that has to be a repository, or lead to one.
    git: Option<PathBuf>,
    /// Whether there is any, be it only an empty folder.
    has_entry: bool,
}

impl Search {
    fn upwards(at: &Path) -> Self {
        let mut found = Self::default();
        let Ok(device) = at.metadata().map(|found| found.dev()) else {
            return found;
        };
        let folders = at
            .ancestors()
            .take_while(|folder| folder.metadata().is_ok_and(|found| found.dev() == device));
        for git in folders.map(|folder| folder.join(".git")) {
            found.has_entry |= git.symlink_metadata().is_ok();
            // Git passes over an empty folder.
            if git.is_file() || git.join("HEAD").exists() {
                found.git = Some(git);
                break;
            }
        }
        found
    }
}

/// A `.git` above the source may be anybody's where everybody may write, such
/// as in `/tmp`: with it, another user of this machine would decide what the
/// catalogue holds. It counts if it belongs to this process's user, to root, or
/// to the owner of the source, who decides that anyway.
///
/// The entry itself is looked at: whoever made a link chose where it leads.
fn check_owner(at: &Path, git: &Path) -> Result<(), GitError> {
    if git == at || git.parent() == Some(at) {
        return Ok(());
    }
    let owner = |path: &Path| {
        let found = path.symlink_metadata().map(|found| found.uid());
        found.map_err(|source| GitError::Source { path: path.to_owned(), source })
    };
    let (owner_of_git, owner_of_source) = (owner(git)?, owner(at)?);
    let own = rustix::process::geteuid().as_raw();
    if [own, 0, owner_of_source].contains(&owner_of_git) {
        return Ok(());
    }
    Err(GitError::Stranger {
        git: git.to_owned(),
        owner: owner_of_git,
        source_owner: owner_of_source,
        path: at.to_owned(),
    })
}

/// The repository of the checkout whose root is `holder`.
fn of_checkout(at: &Path, git: &Path, holder: &Path) -> Result<(Repository, RepoPath), GitError> {
    // Only a linked worktree shares another's folder, and its `.git` is a file.
    if git.is_dir() && git.join("commondir").symlink_metadata().is_ok() {
        return Err(foreign(git, "a commondir file"));
    }
    let repo = open_exactly(holder, RepositoryOpenFlags::empty())?
        .ok_or_else(|| GitError::Broken { path: git.to_owned() })?;
    // A linked worktree, or one whose main repository is bare.
    let Some(work_dir) = repo.workdir() else {
        return Ok((repo, RepoPath::root()));
    };
    if work_dir.canonicalize().ok().as_deref() != Some(holder) {
        return Err(GitError::OutsideWorkTree {
            path: at.to_owned(),
            work_dir: work_dir.to_owned(),
        });
    }
    let not_utf8 = || GitError::NotUtf8 { path: at.to_owned() };
    let relative = at.strip_prefix(holder).ok().and_then(Path::to_str).ok_or_else(not_utf8)?;
    let source = RepoPath::new(relative).map_err(|_| not_utf8())?;
    Ok((repo, source))
}

/// The repository at or around `at`, which lies in the folder `git`.
fn within(at: &Path, git: &Path) -> Result<Repository, GitError> {
    for folder in at.ancestors().take_while(|folder| folder.starts_with(git)) {
        if let Some(repo) = open_exactly(folder, RepositoryOpenFlags::NO_DOTGIT)? {
            return Ok(repo);
        }
    }
    Err(GitError::Broken { path: git.to_owned() })
}

/// `None` if there is no repository at this very path.
fn open_exactly(path: &Path, flags: RepositoryOpenFlags) -> Result<Option<Repository>, GitError> {
    plain::check(path)?;
    let none: [&OsStr; 0] = [];
    match Repository::open_ext(path, flags | RepositoryOpenFlags::NO_SEARCH, none) {
        Ok(repo) => Ok(Some(repo)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(cannot_open(path, error)),
    }
}

/// Whether libgit2 would take the folder for a repository.
fn looks_bare(at: &Path) -> bool {
    let has_own = at.join("objects").is_dir() && at.join("refs").is_dir();
    at.join("HEAD").is_file() && (has_own || at.join("commondir").is_file())
}

/// A bare repository may be a folder of a checkout whose `.git` is not in
/// sight, such as one that is mounted alone. It must not lead anywhere else.
fn check_bare(at: &Path) -> Result<(), GitError> {
    plain::check(at)?;
    if at.join("commondir").symlink_metadata().is_ok() {
        return Err(foreign(at, "a commondir file"));
    }
    for name in ["HEAD", CONFIGS[0], CONFIGS[1], "packed-refs", "refs", "objects"] {
        if is_link(&at.join(name)) {
            return Err(foreign(at, "symbolic links"));
        }
    }
    let objects = at.join("objects");
    if has_links(&objects, 1) {
        return Err(foreign(at, "symbolic links in objects"));
    }
    if objects.join("info/alternates").metadata().is_ok_and(|found| found.len() > 0) {
        return Err(foreign(at, "objects/info/alternates"));
    }
    if CONFIGS.iter().any(|name| includes(&at.join(name))) {
        return Err(foreign(at, "an include in its config"));
    }
    Ok(())
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_symlink())
}

/// Whether there is a link in the folder, or so many levels below it.
fn has_links(folder: &Path, levels: usize) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), entry.file_type().ok()?))).any(|(path, kind)| {
        kind.is_symlink() || levels > 0 && kind.is_dir() && has_links(&path, levels - 1)
    })
}

/// Whether a git configuration has a section `include` or `includeIf`.
fn includes(config: &Path) -> bool {
    // What is too long, or no file, was refused before.
    let text = fs::read(config).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    text.split('[').skip(1).any(|section| section.trim_start().starts_with("include"))
}

fn foreign(path: &Path, how: &'static str) -> GitError {
    GitError::Foreign { path: path.to_owned(), how }
}

fn cannot_open(path: &Path, source: git2::Error) -> GitError {
    let path = path.to_owned();
    // libgit2 has no error code of its own for these two.
    let format = if source.message().contains("object format") {
        "SHA-256 object names"
    } else if source.message().contains("refstorage") {
        "the reftable format"
    } else {
        return GitError::Open { path, source };
    };
    GitError::Format { path, format }
}
