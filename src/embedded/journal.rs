//! The journal: one JSON line for each change, so that a request costs what it
//! changes. It is read and compacted at start.
//!
//! A line is written before the request is answered, but not synced: after a
//! loss of power the last changes may be missing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::embedded::state::{Key, Record, State, StoredFile};

/// The key that signs tokens.
pub(crate) type Secret = [u8; 32];

/// Why the journal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Reading or writing failed.
    #[error("the journal {0} of the embedded marketplace could not be read or written")]
    Io(PathBuf, #[source] io::Error),
    /// Another process has it.
    #[error(
        "the journal {0} is used by another embedded marketplace: stop that one, or name another file"
    )]
    Locked(PathBuf),
    /// A line other than a torn last one is no record.
    #[error("line {line} of the journal {path} is no record: mend or delete the file")]
    Broken {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// The open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    // Held as long as the journal is open; the lock is on a file of its own
    // because compaction replaces the journal.
    _lock: File,
}

impl Journal {
    /// Reads the journal, writes it anew without what was superseded, and
    /// opens it for appending.
    pub(crate) fn open(path: &Path) -> Result<(Self, State, Secret), JournalError> {
        let io = |error| JournalError::Io(path.to_owned(), error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let lock = File::create(beside(path, "lock")).map_err(io)?;
        lock.try_lock().map_err(|_| JournalError::Locked(path.to_owned()))?;
        let (state, secret) = read(path)?;
        let secret = secret.unwrap_or_else(new_secret);
        let fresh = beside(path, "new");
        write_all(&fresh, &state, &secret).map_err(io)?;
        fs::rename(&fresh, path).map_err(io)?;
        let file = OpenOptions::new().append(true).open(path).map_err(io)?;
        Ok((Self { path: path.to_owned(), file, _lock: lock }, state, secret))
    }

    /// Appends these changes in one write.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let mut lines = Vec::new();
        let written = records.iter().try_for_each(|record| line(&mut lines, record));
        written
            .and_then(|()| self.file.write_all(&lines))
            .map_err(|error| JournalError::Io(self.path.clone(), error))
    }
}

/// A key that nobody knows: 244 random bits.
pub(crate) fn new_secret() -> Secret {
    let mut seed = Vec::with_capacity(32);
    seed.extend_from_slice(Uuid::new_v4().as_bytes());
    seed.extend_from_slice(Uuid::new_v4().as_bytes());
    *blake3::hash(&seed).as_bytes()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

fn line(out: &mut Vec<u8>, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *out, record)?;
    out.push(b'\n');
    Ok(())
}

/// What the journal holds; nothing if it is not there.
pub(crate) fn read(path: &Path) -> Result<(State, Option<Secret>), JournalError> {
    match fs::read(path) {
        Ok(text) => replay(path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((State::default(), None)),
        Err(error) => Err(JournalError::Io(path.to_owned(), error)),
    }
}

fn replay(path: &Path, text: &[u8]) -> Result<(State, Option<Secret>), JournalError> {
    let mut state = State::default();
    let mut secret = None;
    for (index, bytes) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let whole = bytes.last() == Some(&b'\n');
        match serde_json::from_slice(bytes) {
            // A line without its end was torn by the end of the process.
            _ if !whole => break,
            Ok(record) => apply(&mut state, &mut secret, record),
            Err(source) => {
                return Err(JournalError::Broken {
                    path: path.to_owned(),
                    line: index + 1,
                    source,
                });
            }
        }
    }
    Ok((state, secret))
}

fn apply(state: &mut State, secret: &mut Option<Secret>, record: Record) {
    match record {
        Record::Secret(text) => {
            *secret = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        }
        Record::Put { tenant, item, stored } => {
            state.put(Key { tenant, item }, stored);
        }
        Record::Delete { tenant, item } => {
            state.remove(&Key { tenant, item });
        }
        Record::File { name, mime, base64 } => {
            if let Ok(bytes) = STANDARD.decode(base64) {
                state.put_file(name, StoredFile { mime, bytes: bytes.into() });
            }
        }
        Record::Unfile { name } => {
            state.remove_file(&name);
        }
    }
}

fn write_all(path: &Path, state: &State, secret: &Secret) -> io::Result<()> {
    let mut out = io::BufWriter::new(private(path)?);
    let mut write = |record: &Record| -> io::Result<()> {
        serde_json::to_writer(&mut out, record)?;
        out.write_all(b"\n")
    };
    write(&Record::Secret(STANDARD.encode(secret)))?;
    for (key, stored) in state.iter() {
        write(&Record::Put {
            tenant: key.tenant.clone(),
            item: key.item.clone(),
            stored: stored.clone(),
        })?;
    }
    for name in state.file_names() {
        if let Some(file) = state.file(name) {
            write(&file_record(name, file))?;
        }
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// The record of an upload.
pub(crate) fn file_record(name: &str, file: &StoredFile) -> Record {
    Record::File {
        name: name.to_owned(),
        mime: file.mime.clone(),
        base64: STANDARD.encode(&file.bytes),
    }
}

/// A new file that only its owner can read: it holds the key of the tokens.
#[cfg(unix)]
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<File> {
    File::create(path)
}
