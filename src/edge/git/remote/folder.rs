//! The folder of a clone, from its making to its removal.
//!
//! A clone is made under another name, marked when it is whole, and renamed
//! last; what has no mark, or the mark of another remote, is never read. The
//! repository lies in a folder called `.git`, because only that is never taken
//! for the content of a checkout around the state directory.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use git2::{Repository, RepositoryInitOptions};

use super::error::RemoteError;
use super::pack::{self, BRANCH};
use super::url::RemoteUrl;

/// How the folders are called, before a random part.
const MAKING: &str = "making-";
const CLONE: &str = "clone-";

/// The mode of the folder for clones, and of each.
const OWNER_ONLY: u32 = 0o700;

/// The file in a clone that names its remote.
const MARK: &str = "remote";

/// The largest mark, in bytes; addresses are at most 2048.
const MAX_MARK: u64 = 8192;

/// The repository of a remote on this disk. Its folder stays for as long as
/// somebody holds this, also when a newer one took its place.
#[derive(Debug)]
pub struct LocalClone {
    folder: PathBuf,
    replaced: AtomicBool,
}

impl LocalClone {
    /// The repository, for [`crate::edge::git::Checkout::discover`]. Its HEAD
    /// leads to the commit that was fetched last.
    pub fn path(&self) -> PathBuf {
        self.folder.join(".git")
    }

    /// Whether it has a commit at its HEAD. That the commit is there whole was
    /// seen when it was fetched; whoever reads it and finds it otherwise says
    /// so.
    fn check(&self) -> Result<(), RemoteError> {
        let repo = pack::open(&self.path())?;
        let head = repo.refname_to_id(BRANCH).map_err(|error| RemoteError::Damaged {
            why: format!(
                "the clone at {} has no commit ({})",
                self.path().display(),
                error.message()
            ),
        })?;
        pack::begun(&repo, head).map(drop)
    }

    /// How many packs it has.
    pub(super) fn packs(&self) -> usize {
        let files = fs::read_dir(self.path().join("objects/pack")).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|end| end == "pack")).count()
    }

    /// The folder goes when nobody reads it any more.
    pub(super) fn retire(&self) {
        self.replaced.store(true, Ordering::Relaxed);
    }
}

impl Drop for LocalClone {
    fn drop(&mut self) {
        if self.replaced.load(Ordering::Relaxed) {
            // What stays is cleared at the next start.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A clone in the making; it is removed unless it is finished.
pub(super) struct Making {
    folder: PathBuf,
    kept: bool,
}

impl Making {
    pub(super) fn new(dir: &Path) -> Result<Self, RemoteError> {
        let folder = dir.join(format!("{MAKING}{:016x}", fastrand::u64(..)));
        let what = format!("make the clone at {}", folder.display());
        make_private(&folder).map_err(RemoteError::disk(what.as_str()))?;
        let making = Self { folder, kept: false };
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false);
        options.initial_head(BRANCH.trim_start_matches("refs/heads/"));
        Repository::init_opts(making.git_dir(), &options).map_err(RemoteError::disk(what))?;
        Ok(making)
    }

    pub(super) fn git_dir(&self) -> PathBuf {
        self.folder.join(".git")
    }

    /// Marks it as the clone of a remote, and gives it its name.
    pub(super) fn finish(mut self, url: &RemoteUrl) -> Result<LocalClone, RemoteError> {
        pack::replace(&self.git_dir().join(MARK), url.to_string().as_bytes())?;
        pack::sync(&self.git_dir())?;
        let name = self.folder.file_name().unwrap_or_default().to_string_lossy();
        let folder = self.folder.with_file_name(name.replacen(MAKING, CLONE, 1));
        fs::rename(&self.folder, &folder)
            .map_err(RemoteError::disk(format!("make the clone at {}", folder.display())))?;
        self.kept = true;
        if let Some(dir) = folder.parent() {
            pack::sync(dir)?;
        }
        Ok(LocalClone { folder, replaced: AtomicBool::new(false) })
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The clone of a remote that an earlier run left, the newest if a crash left
/// two. All other folders of ours are removed.
pub(super) fn find(dir: &Path, url: &RemoteUrl) -> Result<Option<LocalClone>, RemoteError> {
    let cannot = |what: &str| RemoteError::disk(format!("{what} {}", dir.display()));
    make_private(dir).map_err(cannot("make the folder"))?;
    let mut found: Vec<(SystemTime, LocalClone)> = Vec::new();
    for entry in fs::read_dir(dir).map_err(cannot("read the folder"))? {
        let entry = entry.map_err(cannot("read the folder"))?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_ours(name)) else {
            continue;
        };
        let clone = LocalClone { folder: entry.path(), replaced: AtomicBool::new(true) };
        let mark = mark(&clone.path()).filter(|_| name.starts_with(CLONE));
        if let Some(time) = mark.and_then(|(time, text)| (text == url.to_string()).then_some(time))
            && tidy(&clone.path()).is_ok()
            && clone.check().is_ok()
        {
            found.push((time, clone));
        }
    }
    found.sort_by_key(|(time, _)| *time);
    let newest = found.pop().map(|(_, clone)| clone);
    if let Some(clone) = &newest {
        clone.replaced.store(false, Ordering::Relaxed);
    }
    Ok(newest)
}

/// Makes a folder for its owner alone: the repository may be one that not
/// everybody on this machine may read.
fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(dir)?;
    let mode = fs::metadata(dir)?.permissions().mode();
    if mode & 0o077 != 0 {
        // Somebody else's folder keeps its mode: on a volume that is shared by
        // a group, the user of the process changes.
        let _ = fs::set_permissions(dir, Permissions::from_mode(mode & !0o077));
    }
    Ok(())
}

/// Whether a folder is one that this module made.
fn is_ours(name: &str) -> bool {
    [MAKING, CLONE].iter().any(|prefix| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    })
}

fn mark(git_dir: &Path) -> Option<(SystemTime, String)> {
    let path = git_dir.join(MARK);
    let found = path.symlink_metadata().ok()?;
    if !found.is_file() || found.len() > MAX_MARK {
        return None;
    }
    Some((found.modified().ok()?, fs::read_to_string(path).ok()?))
}

/// Removes what a crash in the middle of a fetch left: half a pack, locks that
/// nobody holds.
fn tidy(git_dir: &Path) -> io::Result<()> {
    for folder in ["", "refs/heads", "objects/pack"] {
        for entry in fs::read_dir(git_dir.join(folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_pack =
                name.starts_with("pack-") && (name.ends_with(".pack") || name.ends_with(".idx"));
            let is_left = name.ends_with(".lock") || folder == "objects/pack" && !is_pack;
            if is_left && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}
