//! The files below one directory: looked at, read, never left.

use std::cell::Cell;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, FileType, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::DirectoryError;
use crate::domain::item::RepoPath;
use crate::domain::source::clean;

/// An open directory. What it opens lies below it, whatever links say.
pub(crate) struct Root {
    dir: Dir,
    /// When the last change was made of all that was looked at: seconds since
    /// the epoch, nanoseconds. Whoever writes a file sets when it was written,
    /// but not this.
    changed: Cell<(i64, i64)>,
}

/// What is at a path, links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stat {
    Nothing,
    Folder,
    File {
        size: u64,
        /// When it was last written: seconds since the epoch, nanoseconds.
        time: (i64, i64),
    },
    Link {
        text: Vec<u8>,
    },
    Special,
}

/// What a listing says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Listed {
    Folder,
    Link,
    /// A file, or something that must not be opened: [`Root::stat`] tells.
    Other,
}

impl Root {
    pub(crate) fn open(path: &Path) -> Result<Self, DirectoryError> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())
            .map_err(|source| DirectoryError::Open { path: path.to_owned(), source })?;
        Ok(Self { dir, changed: Cell::default() })
    }

    /// How long nothing was changed of all that was looked at, by the clock of
    /// whoever keeps the files; zero if that clock is ahead.
    pub(crate) fn quiet_for(&self) -> Duration {
        let (seconds, nanos) = self.changed.get();
        let since = Duration::new(
            u64::try_from(seconds).unwrap_or_default(),
            u32::try_from(nanos).unwrap_or_default(),
        );
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(since)
    }

    /// When the last change was made of all that was looked at.
    pub(crate) fn changed(&self) -> (i64, i64) {
        self.changed.get()
    }

    fn note(&self, found: &Metadata) {
        self.changed.set(self.changed.get().max((found.ctime(), found.ctime_nsec())));
    }

    /// What is at a path whose folders are no links.
    pub(crate) fn stat(&self, path: &RepoPath) -> Result<Stat, DirectoryError> {
        let failed = |source| DirectoryError::Read { path: path.to_string(), source };
        let found = match self.dir.symlink_metadata(name_of(path)) {
            Ok(found) => found,
            Err(error) if is_absence(&error) => return Ok(Stat::Nothing),
            Err(error) => return Err(failed(error)),
        };
        self.note(&found);
        if found.is_dir() {
            return Ok(Stat::Folder);
        }
        if found.is_file() {
            return Ok(Stat::File { size: found.len(), time: (found.mtime(), found.mtime_nsec()) });
        }
        if !found.is_symlink() {
            return Ok(Stat::Special);
        }
        match self.dir.read_link_contents(name_of(path)) {
            Ok(text) => Ok(Stat::Link { text: text.into_os_string().into_vec() }),
            // It was replaced between the two calls.
            Err(error) if is_absence(&error) || error.kind() == ErrorKind::InvalidInput => {
                Err(DirectoryError::Changed { path: path.to_string() })
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The bytes of a regular file; `None` if it is none (any more) or has
    /// more than `limit` bytes.
    pub(crate) fn read(
        &self,
        path: &RepoPath,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, DirectoryError> {
        let failed = |source| DirectoryError::Read { path: path.to_string(), source };
        match self.stat(path)? {
            Stat::File { size, .. } if size <= limit => {}
            _ => return Ok(None),
        }
        // It may be a FIFO or a link by now: do not wait for a writer, do not
        // follow.
        let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
        let file = match self
            .dir
            .open_with(name_of(path), OpenOptions::new().read(true).custom_flags(flags))
        {
            Ok(file) => file,
            Err(error)
                if is_absence(&error)
                    || error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        if !file.metadata().map_err(failed)?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes).filter(|bytes| bytes.len() as u64 <= limit))
    }

    /// The names in a folder in ascending order; none if it is gone.
    /// Reading stops above `limit` names.
    pub(crate) fn list(
        &self,
        folder: &Path,
        limit: usize,
    ) -> Result<Vec<(OsString, Listed)>, DirectoryError> {
        let failed =
            |source| DirectoryError::Read { path: clean(&folder.display().to_string()), source };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = match self.dir.read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if is_absence(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        match self.dir.symlink_metadata(folder) {
            Ok(found) => self.note(&found),
            Err(error) if is_absence(&error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        }
        let mut names = Vec::new();
        for entry in entries.take(limit.saturating_add(1)) {
            let entry = entry.map_err(failed)?;
            match entry.file_type() {
                Ok(kind) => names.push((entry.file_name(), listed(kind))),
                Err(error) if is_absence(&error) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        names.sort();
        Ok(names)
    }
}

fn listed(kind: FileType) -> Listed {
    if kind.is_dir() {
        Listed::Folder
    } else if kind.is_symlink() {
        Listed::Link
    } else {
        Listed::Other
    }
}

/// Whether an error says that nothing is there. A name that no file system
/// would take names nothing, too.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
    )
}

fn name_of(path: &RepoPath) -> &Path {
    Path::new(if path.as_str().is_empty() { "." } else { path.as_str() })
}
