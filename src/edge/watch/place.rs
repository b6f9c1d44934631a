//! What a location is at this moment, and what has to be watched for it.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folders::{Folders, TreeKind};
use super::route::{End, follow};
use crate::edge::git::{Checkout, GitError};

/// A commit moves a ref at once, and has at most a few more to move
/// (`practice.md` §4).
const CHECKOUT_QUIET: Duration = Duration::from_millis(50);

/// Whoever copies files into a directory takes a while (`practice.md` §4).
const DIRECTORY_QUIET: Duration = Duration::from_millis(200);

/// What tells two folders apart that have the same path one after the other,
/// most of the time: file systems use the numbers of removed ones again.
pub(super) type Identity = (u64, u64);

/// The identity of a folder; none if there is no folder.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    let found = path.symlink_metadata().ok().filter(Metadata::is_dir)?;
    Some((found.dev(), found.ino()))
}

/// What there is to watch. Two that are equal need no closer look.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Single entries.
    pub(super) points: Folders,
    /// What is watched as a whole.
    pub(super) tree: Option<(PathBuf, TreeKind)>,
    /// How long nothing may move before a wake.
    pub(super) quiet: Duration,
    /// What of it no event will tell, as a clause.
    pub(super) gaps: Vec<String>,
    identities: Vec<Option<Identity>>,
}

impl Place {
    pub(super) fn find(location: &Path) -> Self {
        let mut place = Self {
            points: Folders::default(),
            tree: None,
            quiet: CHECKOUT_QUIET,
            gaps: Vec::new(),
            identities: Vec::new(),
        };
        match follow(location, &mut place.points) {
            End::At(at) => place.at(&at),
            End::Missing(path, error) => {
                place.gaps.push(format!("{} cannot be reached ({error})", path.display()));
            }
        }
        let remote = place.watched().find_map(|path| Some((path, remote(path)?)));
        if let Some((path, what)) = remote {
            let gap = format!(
                "{} is on {what}, where only what this machine writes is told",
                path.display()
            );
            place.gaps.push(gap);
        }
        place.identities = place.watched().map(identity).collect();
        place
    }

    fn watched(&self) -> impl Iterator<Item = &Path> {
        self.points.paths().chain(self.tree.iter().map(|(path, _)| path.as_path()))
    }

    fn at(&mut self, at: &Path) {
        match Checkout::discover(at) {
            Ok(Some((checkout, _))) => self.checkout(&checkout),
            Ok(None) => {
                self.quiet = DIRECTORY_QUIET;
                self.tree = Some((at.to_owned(), TreeKind::Directory));
            }
            Err(error) => self.half_made(at, &error),
        }
    }

    /// What moves when HEAD moves. The work tree is not looked at.
    fn checkout(&mut self, checkout: &Checkout) {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let git = real(checkout.git_dir());
        let common = real(checkout.common_dir());
        self.points.name(&git, "HEAD");
        // Git makes them anew when they are gone.
        self.points.name(&common, "packed-refs");
        self.points.name(&common, "refs");
        self.points.entry(&git);
        if let Some(work_dir) = checkout.work_dir().map(real) {
            // A file in a linked worktree and in a submodule.
            self.points.name(&work_dir, ".git");
            self.points.entry(&work_dir);
        }
        self.tree = Some((common.join("refs"), TreeKind::Refs));
    }

    /// Somebody may be making it: what is still missing is waited for.
    fn half_made(&mut self, at: &Path, error: &GitError) {
        self.gaps.push(format!("the repository cannot be opened: {}", chain(error)));
        let git = at.ancestors().map(|folder| folder.join(".git"));
        let git = git.filter(|path| path.symlink_metadata().is_ok()).take(1).next();
        for folder in [Some(at), git.as_deref()].into_iter().flatten() {
            if identity(folder).is_some() {
                for name in [".git", "HEAD", "config", "commondir", "objects", "refs"] {
                    self.points.name(folder, name);
                }
            }
        }
        if let Some(git) = &git {
            self.points.entry(git);
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Writing to a string cannot fail.
        _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}

/// The name of a file system whose files other machines can change: the
/// kernel tells nothing of that.
#[cfg(target_os = "linux")]
fn remote(path: &Path) -> Option<&'static str> {
    // From linux/magic.h, and from the sources of those that are not in it.
    const KINDS: [(u64, &str); 8] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "SMB"),
        (0xfe53_4d42, "SMB"),
        (0x6573_5546, "FUSE"),
        (0x0102_1997, "9P"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
    ];
    let kind = u64::try_from(rustix::fs::statfs(path).ok()?.f_type).ok()? & 0xffff_ffff;
    KINDS.iter().find(|(magic, _)| *magic == kind).map(|(_, name)| *name)
}

/// Elsewhere it is not known.
#[cfg(not(target_os = "linux"))]
fn remote(_path: &Path) -> Option<&'static str> {
    None
}
