//! The writer's lock: an advisory lock of the operating system on `lock`, which
//! ends with the process that holds it, however it ends. What the file says is
//! for people.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use jiff::Timestamp;

use super::error::StoreError;

/// How much of the lock file is shown: a process id, a host name (at most 255
/// characters) and a time.
const SHOWN_BYTES: u64 = 400;

/// The lock, held for as long as this lives.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough while a copy of the file lives on, in a child
        // process that has not begun its program yet. If this fails, closing
        // is what is left.
        _ = self.0.unlock();
    }
}

impl Lock {
    /// Whether the lock that others would take in `dir` is still this one.
    pub(super) fn is_in(&self, dir: &Path) -> bool {
        let held = self.0.metadata().map(|held| (held.dev(), held.ino()));
        let there = dir.join("lock").metadata().map(|there| (there.dev(), there.ino()));
        matches!((held, there), (Ok(held), Ok(there)) if held == there)
    }
}

/// Takes the lock of `dir`.
pub(super) fn take(dir: &Path, now: Timestamp) -> Result<Lock, StoreError> {
    let unusable = |source| StoreError::Directory { dir: dir.to_owned(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join("lock"))
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::Locked { dir: dir.to_owned(), holder: holder(&mut file) });
        }
        Err(TryLockError::Error(source)) => return Err(unusable(source)),
    }
    let mut lock = Lock(file);
    let file = &mut lock.0;
    let note = format!("process {} on {}, since {now}", std::process::id(), host());
    file.set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(note.as_bytes()))
        .map_err(unusable)?;
    Ok(lock)
}

/// What the holder wrote; it may be about to write it.
fn holder(file: &mut File) -> String {
    let mut text = Vec::new();
    let read = file.take(SHOWN_BYTES).read_to_end(&mut text);
    let text: String = String::from_utf8_lossy(&text).chars().filter(|c| !c.is_control()).collect();
    if read.is_err() || text.is_empty() { "another process".to_owned() } else { text }
}

/// The name of this machine. In a container that is its own, which is the name
/// that people know it by.
fn host() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .into_iter()
        .find_map(|file| std::fs::read_to_string(file).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "an unnamed host".to_owned())
}
