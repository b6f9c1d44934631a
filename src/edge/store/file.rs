//! The database file: its layout, and how it is opened without harm.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior};

use super::Identity;
use super::error::{Fault, StoreError};

/// Marks the database as ours (`PRAGMA application_id`): `mshs`.
const APPLICATION: i64 = 0x6d73_6873;

/// How long to wait for a reader that is in the way. Readers are short; this
/// is for a backup.
const BUSY: Duration = Duration::from_secs(10);

/// Each entry brings the layout one further; `PRAGMA user_version` counts
/// them. An entry that was released is never changed.
const LAYOUTS: [&str; 3] =
    [include_str!("layout_1.sql"), include_str!("layout_2.sql"), include_str!("layout_3.sql")];

/// How many layouts are known here.
fn known() -> i64 {
    i64::try_from(LAYOUTS.len()).unwrap_or(i64::MAX)
}

/// The database of a state directory.
pub(super) fn path_in(dir: &Path) -> PathBuf {
    dir.join("state.db")
}

/// What tells a file from another of the same name: its device and its number.
pub(super) type Number = (u64, u64);

/// The number of a database; none if it is not there, or has lost its content.
pub(super) fn number(path: &Path) -> Option<Number> {
    let found = std::fs::metadata(path).ok().filter(|found| found.len() > 0)?;
    Some((found.dev(), found.ino()))
}

/// Makes the directory, for its owner alone.
pub(super) fn make_dir(dir: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|source| StoreError::Directory { dir: dir.to_owned(), source })
}

/// Looks at a database without changing a byte of it; none if there is none
/// yet, or one that was never filled.
pub(super) fn inspect(path: &Path) -> Result<Option<Identity>, StoreError> {
    Ok(open_to_read(path)?.map(|(_, identity)| identity))
}

/// Whether nothing was ever applied or tried with it.
pub(super) fn is_unused(path: &Path) -> Result<bool, StoreError> {
    let Some((connection, _)) = open_to_read(path)? else { return Ok(true) };
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM ledger) AND NOT EXISTS (SELECT 1 FROM history)";
    let unused = connection.query_row(sql, [], |row| row.get(0));
    unused.map_err(|fault| Fault::from(fault).at(path))
}

/// Opens the database for reading; none if there is none, or an empty one.
pub(super) fn open_to_read(path: &Path) -> Result<Option<(Connection, Identity)>, StoreError> {
    let is_empty = |path: &Path| match std::fs::metadata(path) {
        Ok(found) => Ok(found.len() == 0),
        Err(fault) if matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(true)
        }
        Err(source) => {
            Err(StoreError::Directory { dir: path.parent().unwrap_or(path).to_owned(), source })
        }
    };
    if is_empty(path)? {
        return Ok(None);
    }
    let beside = open_beside(path).and_then(|connection| {
        let layout = layout(&connection)?;
        Ok((connection, layout))
    });
    let (connection, layout) = match beside {
        Ok(opened) => opened,
        Err(fault) if !is_about_the_log(&fault) => return Err(fault.at(path)),
        // A writer's log needs files beside the database. Where they cannot be
        // made and no writer left any, nobody writes: the file alone is all.
        Err(_) if !is_empty(&with_suffix(path, "-wal"))? => {
            return Err(StoreError::Unrecovered { path: path.to_owned() });
        }
        Err(_) => open_alone(path).map_err(|fault| fault.at(path))?,
    };
    if !is_known(path, &layout)? {
        return Ok(None);
    }
    let identity = identity(&connection).map_err(|fault| fault.at(path))?;
    Ok(Some((connection, identity)))
}

fn open_beside(path: &Path) -> Result<Connection, Fault> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

/// Reads the file alone, as one that nobody writes.
fn open_alone(path: &Path) -> Result<(Connection, Layout), Fault> {
    use std::fmt::Write as _;
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            _ = write!(uri, "%{byte:02X}");
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    let layout = layout(&connection)?;
    Ok((connection, layout))
}

fn is_about_the_log(fault: &Fault) -> bool {
    use rusqlite::ErrorCode as C;
    let Fault::Sqlite(cause) = fault else {
        return false;
    };
    matches!(cause.sqlite_error_code(), Some(C::CannotOpen | C::ReadOnly | C::PermissionDenied))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens the database for writing and brings its layout up to date.
pub(super) fn open_to_write(path: &Path, identity: &Identity) -> Result<Connection, StoreError> {
    // Made here and not by SQLite, which would let the umask decide who reads
    // it. The files beside it take their rights from it.
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(|source| {
        StoreError::Directory { dir: path.parent().unwrap_or(path).to_owned(), source }
    })?;
    set_up(path, identity).map_err(|fault| fault.at(path))
}

fn set_up(path: &Path, identity: &Identity) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // Nothing that was reported as done may be forgotten in a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let layout = layout(&transaction)?;
    let done = usize::try_from(layout.version).unwrap_or_default();
    for sql in LAYOUTS.iter().skip(done) {
        transaction.execute_batch(sql)?;
    }
    if done == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        let mut insert = transaction.prepare("INSERT INTO meta (name, value) VALUES (?1, ?2)")?;
        insert.execute(("endpoint", &identity.endpoint))?;
        insert.execute(("company", &identity.company))?;
        insert.execute(("source", &identity.source))?;
    }
    if layout.version != known() {
        transaction.pragma_update(None, "user_version", known())?;
    }
    transaction.commit()?;
    Ok(connection)
}

/// Whose database it is and which layout it has.
struct Layout {
    application: i64,
    version: i64,
    tables: i64,
}

fn layout(connection: &Connection) -> Result<Layout, Fault> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok(Layout {
        application: number("application_id")?,
        version: number("user_version")?,
        tables: connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?,
    })
}

/// Whether the layout can be read; false for a database that nobody filled.
fn is_known(path: &Path, layout: &Layout) -> Result<bool, StoreError> {
    let path = path.to_owned();
    let known = known();
    match *layout {
        Layout { application: 0, version: 0, tables: 0 } => Ok(false),
        Layout { application: APPLICATION, version, .. } if version > known => {
            Err(StoreError::Newer { path, found: version, known })
        }
        Layout { application: APPLICATION, version: 1.., .. } => Ok(true),
        _ => Err(StoreError::NotState { path }),
    }
}

fn identity(connection: &Connection) -> Result<Identity, Fault> {
    let mut query = connection.prepare("SELECT value FROM meta WHERE name = ?1")?;
    let mut value = |name: &str| {
        let found: Option<String> = query.query_row([name], |row| row.get(0)).optional()?;
        found.ok_or_else(|| Fault::Value(format!("its {name} is missing")))
    };
    Ok(Identity {
        endpoint: value("endpoint")?,
        company: value("company")?,
        source: value("source")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_nobody_writes_is_read_alone() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("a %41?b#c é");
        make_dir(&odd).unwrap();
        let path = path_in(&odd);
        let identity =
            Identity { endpoint: "embedded".into(), company: "acme".into(), source: "/src".into() };
        drop(open_to_write(&path, &identity).unwrap());
        assert!(!with_suffix(&path, "-wal").exists(), "the writer ended in order");
        let (connection, layout) = open_alone(&path).unwrap();
        assert_eq!(layout.version, known());
        assert_eq!(super::identity(&connection).unwrap(), identity);
        let files: Vec<_> =
            std::fs::read_dir(&odd).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["state.db"], "reading made nothing");
    }
}
