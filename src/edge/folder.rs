//! A folder that is written into: files below it, no symbolic link followed,
//! each file there whole or not at all.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use rustix::io::Errno;
use uuid::Uuid;

use crate::domain::path::RepoPath;

/// A file could not be looked at or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct FolderError {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The folder.
pub struct Folder {
    dir: Dir,
    path: PathBuf,
}

/// What stands where a file is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Nothing,
    /// A file with the same bytes.
    Same,
    /// A file with other bytes, which may be replaced.
    Other,
    /// Something that is not replaced.
    Blocked {
        /// What.
        why: String,
    },
}

/// A folder on the way.
enum Way {
    There(Dir),
    Nothing,
    Blocked(String),
}

impl Folder {
    /// The folder at this path; it is made if it is not there.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let failed =
            |source| FolderError { what: "open the folder", path: path.to_owned(), source };
        Dir::create_ambient_dir_all(path, ambient_authority()).map_err(failed)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority()).map_err(failed)?;
        Ok(Self { dir, path: path.to_owned() })
    }

    /// What stands at a path, compared with these bytes.
    pub fn look(&self, path: &RepoPath, bytes: &[u8]) -> Result<Standing, FolderError> {
        let failed = |source| self.failed("read", path, source);
        match self.way(&path.parent(), false).map_err(failed)? {
            Way::There(dir) => compare(&dir, path.file_name(), bytes).map_err(failed),
            Way::Nothing => Ok(Standing::Nothing),
            Way::Blocked(why) => Ok(Standing::Blocked { why }),
        }
    }

    /// Writes a file, and the folders above it, in place of what [`Self::look`]
    /// found there. A reader sees the file before or the file after.
    pub fn write(&self, path: &RepoPath, bytes: &[u8]) -> Result<(), FolderError> {
        let failed = |source| self.failed("write", path, source);
        let dir = match self.way(&path.parent(), true).map_err(failed)? {
            Way::There(dir) => dir,
            Way::Nothing => return Err(failed(ErrorKind::NotFound.into())),
            Way::Blocked(why) => return Err(failed(io::Error::other(why))),
        };
        // A name with a dot is no item to anybody, should it be left behind.
        let draft = format!(".marketsync-{}.tmp", Uuid::new_v4().simple());
        let written = dir
            .open_with(&draft, OpenOptions::new().write(true).create_new(true))
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| dir.rename(&draft, &dir, path.file_name()));
        written.map_err(|error| {
            // What it was written for is told; that it may stay is not worse.
            drop(dir.remove_file(&draft));
            failed(error)
        })
    }

    /// The folder at a path, entered name by name.
    fn way(&self, path: &RepoPath, make: bool) -> io::Result<Way> {
        let mut dir = self.dir.try_clone()?;
        for name in path.names() {
            let blocked = || Ok(Way::Blocked(format!("{name} on the way is no folder")));
            let found = match dir.symlink_metadata(name) {
                Err(error) if error.kind() == ErrorKind::NotFound && !make => {
                    return Ok(Way::Nothing);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => match dir.create_dir(name) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    _ => dir.symlink_metadata(name)?,
                },
                found => found?,
            };
            if !found.is_dir() {
                return blocked();
            }
            // It may be a link by now: do not follow.
            let flags = (OFlags::DIRECTORY | OFlags::NOFOLLOW).bits().cast_signed();
            match dir.open_with(name, OpenOptions::new().read(true).custom_flags(flags)) {
                Ok(inner) => dir = Dir::from_std_file(inner.into_std()),
                Err(error) if is_no_folder(&error) => return blocked(),
                Err(error) => return Err(error),
            }
        }
        Ok(Way::There(dir))
    }

    fn failed(&self, what: &'static str, path: &RepoPath, source: io::Error) -> FolderError {
        FolderError { what, path: self.path.join(path.as_str()), source }
    }
}

fn is_no_folder(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotADirectory
        || error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

fn compare(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<Standing> {
    let no_file = || Ok(Standing::Blocked { why: format!("{name} is there and is no file") });
    match dir.symlink_metadata(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Standing::Nothing),
        Err(error) => return Err(error),
        Ok(found) if !found.is_file() => return no_file(),
        Ok(found) if found.len() != bytes.len() as u64 => return Ok(Standing::Other),
        Ok(_) => {}
    }
    // It may be a FIFO or a link by now: do not wait for a writer, do not follow.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let file = dir.open_with(name, OpenOptions::new().read(true).custom_flags(flags))?;
    if !file.metadata()?.is_file() {
        return no_file();
    }
    let mut there = Vec::new();
    file.take(bytes.len() as u64 + 1).read_to_end(&mut there)?;
    Ok(if there == bytes { Standing::Same } else { Standing::Other })
}
