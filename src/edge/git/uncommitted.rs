//! Edits that are not committed: a courtesy to the person who wonders why
//! nothing happens. No decision rests on it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use git2::{IndexEntry, ObjectType, Oid};

use super::kind::{Kind, blob_id};
use super::{Checkout, GitError, GitTree};
use crate::domain::candidate::{Admission, Filter};
use crate::domain::item::RepoPath;
use crate::domain::tree::MAX_ITEM_BYTES;
use crate::edge::directory::{Root, Stat};

/// How long [`Checkout::uncommitted`] looks unless told otherwise: not long
/// enough to be felt, and enough for some 10,000 files.
pub const UNCOMMITTED_BUDGET: Duration = Duration::from_millis(200);

/// The most entries of HEAD that are listed to find a removal that is only
/// staged: 100,000 take some 0.1 s.
const MAX_LISTED: usize = 100_000;

/// Bits of [`IndexEntry::flags`] (gitformat-index(5)).
const STAGE: u16 = 0x3000;
const ASSUME_VALID: u16 = 0x8000;
/// Bits of [`IndexEntry::flags_extended`].
const SKIP_WORKTREE: u16 = 0x4000;

impl Checkout {
    /// The first candidate that git tracks and whose state in the work tree or
    /// in the index is not what HEAD has; `None` if there is none, if none was
    /// found within the budget, or if there is no work tree.
    ///
    /// A file that git does not know yet is not looked for. Where size and time
    /// are those of the index, git's own rule holds: the file is unchanged.
    pub fn uncommitted(
        &self,
        filter: &Filter,
        budget: Duration,
    ) -> Result<Option<RepoPath>, GitError> {
        let Some(work_dir) = self.work_dir() else {
            return Ok(None);
        };
        let start = Instant::now();
        let root = Root::open(work_dir).map_err(GitError::WorkTree)?;
        let index = self.repo.index().map_err(GitError::read("the git index"))?;
        let written = index
            .path()
            .and_then(|path| path.metadata().ok())
            .and_then(|found| found.modified().ok());
        let written = written
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .unwrap_or_default();
        let mut head = match self.head() {
            Ok(commit) => Some(self.tree(&commit)?),
            Err(GitError::Unborn) => None,
            Err(error) => return Err(error),
        };
        let mut tracked = BTreeSet::new();
        for entry in index.iter() {
            if start.elapsed() >= budget {
                return Ok(None);
            }
            let Some(path) = candidate(filter, &entry) else {
                continue;
            };
            let differs = is_staged(head.as_mut(), &path, &entry)?
                || is_edited(&root, &path, &entry, written)?;
            if differs {
                return Ok(Some(path));
            }
            tracked.insert(path);
        }
        let listed = match head.map(|mut head| head.everything(filter, MAX_LISTED)) {
            Some(Ok(listed)) => listed,
            None | Some(Err(GitError::TooManyEntries { .. } | GitError::TooManyFiles { .. })) => {
                return Ok(None);
            }
            Some(Err(error)) => return Err(error),
        };
        Ok(listed.present.into_iter().map(|entry| entry.path).find(|path| !tracked.contains(path)))
    }
}

fn candidate(filter: &Filter, entry: &IndexEntry) -> Option<RepoPath> {
    let text = std::str::from_utf8(&entry.path).ok()?;
    let path = RepoPath::new(text).ok().filter(|path| path.as_str() == text)?;
    let is_file = matches!(Kind::of_mode(entry.mode), Kind::File | Kind::Link);
    (is_file && filter.admits(&path) == Admission::Candidate).then_some(path)
}

/// Whether the index has something else than HEAD.
fn is_staged(
    head: Option<&mut GitTree<'_>>,
    path: &RepoPath,
    entry: &IndexEntry,
) -> Result<bool, GitError> {
    let committed = match head {
        Some(head) => head.file_mark(path)?,
        None => None,
    };
    let staged = blob_id(Kind::of_mode(entry.mode), entry.id);
    Ok(entry.flags & STAGE != 0 || committed != Some(staged))
}

/// Whether the work tree has something else than the index, which was
/// `written` that long after the epoch.
fn is_edited(
    root: &Root,
    path: &RepoPath,
    entry: &IndexEntry,
    written: Duration,
) -> Result<bool, GitError> {
    if entry.flags & ASSUME_VALID != 0 || entry.flags_extended & SKIP_WORKTREE != 0 {
        return Ok(false);
    }
    let kind = Kind::of_mode(entry.mode);
    match root.stat(path).map_err(GitError::WorkTree)? {
        Stat::Link { text } if kind == Kind::Link => Ok(!is_blob(&text, entry.id)),
        Stat::File { size, time } if kind == Kind::File => {
            let recorded = u64::from(entry.file_size);
            // The index keeps the size in 32 bits. Git writes 0 where it could
            // not trust the time ("racy git"); only the content tells then.
            let same_size = size & u64::from(u32::MAX) == recorded;
            if !same_size && recorded != 0 {
                return Ok(true);
            }
            if (same_size && is_same_time(time, entry, written)) || size > MAX_ITEM_BYTES {
                return Ok(false);
            }
            let bytes = root.read(path, MAX_ITEM_BYTES).map_err(GitError::WorkTree)?;
            Ok(bytes.is_none_or(|bytes| {
                !is_blob(&bytes, entry.id) && !is_blob(&unix_lines(&bytes), entry.id)
            }))
        }
        _ => Ok(true),
    }
}

/// Whether a file was last written when the index says, and long enough
/// before the index was for the clock to tell a later change from it.
fn is_same_time((seconds, nanos): (i64, i64), entry: &IndexEntry, written: Duration) -> bool {
    let recorded = (i64::from(entry.mtime.seconds()), i64::from(entry.mtime.nanoseconds()));
    // Some writers of an index leave the fraction out.
    let exact = recorded.1 != 0;
    let index =
        (i64::try_from(written.as_secs()).unwrap_or(i64::MAX), i64::from(written.subsec_nanos()));
    let is_racy = if exact { recorded >= index } else { recorded.0 >= index.0 };
    seconds == recorded.0 && (!exact || nanos == recorded.1) && !is_racy
}

fn is_blob(bytes: &[u8], id: Oid) -> bool {
    Oid::hash_object(ObjectType::Blob, bytes).is_ok_and(|found| found == id)
}

/// With `core.autocrlf` a file in the work tree has other line ends than its
/// blob.
fn unix_lines(bytes: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(bytes.len());
    for (index, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(index + 1) != Some(&b'\n') {
            lines.push(*byte);
        }
    }
    lines
}
