//! What can be wrong with a state directory, told to the person who must mend
//! it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory or a file in it cannot be made or opened.
    #[error("the state directory {} cannot be used; choose one that can be written with --state", .dir.display())]
    Directory {
        /// The state directory.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Another process writes this state.
    #[error("the state in {} is in use by {holder}; wait for it to end, or give this one another --state", .dir.display())]
    Locked {
        /// The state directory.
        dir: PathBuf,
        /// The other process, in its own words.
        holder: String,
    },
    /// The files were removed or replaced while they were in use.
    #[error("the state directory {} was removed or replaced while it was in use; what is done from now on could not be recorded, and another process could take it: start again", .dir.display())]
    Gone {
        /// The state directory.
        dir: PathBuf,
    },
    /// The state is that of another endpoint or company.
    #[error(
        "the state in {} belongs to the {what} `{recorded}`, and this run is for the {what} `{asked}`; give each its own --state, or move the directory away if the old one is no longer wanted: the next run then adopts what it finds",
        .dir.display()
    )]
    OtherUse {
        /// The state directory.
        dir: PathBuf,
        /// `endpoint` or `company`.
        what: &'static str,
        /// What the state was made for.
        recorded: String,
        /// What this run is for.
        asked: String,
    },
    /// A later marketsync wrote it.
    #[error("{} was written by a later marketsync (layout {found}, this one knows {known}); use that version. Nothing was changed", .path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its layout.
        found: i64,
        /// The last layout that is known here.
        known: i64,
    },
    /// It is a good SQLite database, and not one of marketsync.
    #[error("{} is a database of another program; choose another directory with --state. Nothing was changed", .path.display())]
    NotState {
        /// The database.
        path: PathBuf,
    },
    /// The database or a row in it cannot be read.
    #[error(
        "{} is damaged: {what}. Move it and the files beside it that begin with its name away, or put a backup in their place; without state the next run adopts what the marketplace has. Nothing was changed",
        .path.display()
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What cannot be read.
        what: String,
    },
    /// The disk or the quota is full.
    #[error("the disk of {} is full; what was done so far is recorded as far as it was saved. Free some space and run again", .path.display())]
    Full {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The database may not be written, or not be opened.
    #[error("{} cannot be opened as it must be; check the owner and the rights of the file and of its directory, and that the disk is not mounted read-only", .path.display())]
    Forbidden {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A directory that may not be written holds changes that only a writer
    /// can bring in.
    #[error("the last writer of {} did not end in order, and this process may not write there to recover what it left; read it as a user who may write, or run `marketsync apply` once", .path.display())]
    Unrecovered {
        /// The database.
        path: PathBuf,
    },
    /// Anything else that SQLite reports.
    #[error("the state in {} cannot be read or written; check its disk and run again: what was sent and not recorded is found then", .path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

/// A fault before it is known of which file.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    /// A value that marketsync cannot have written: where and what.
    Value(String),
}

impl Fault {
    /// A value that cannot be read.
    pub(super) fn value(table: &str, column: &str, found: &str) -> Self {
        // Enough to recognise the value by.
        const SHOWN: usize = 80;
        let found: String = found.chars().take(SHOWN).filter(|c| !c.is_control()).collect();
        Self::Value(format!("`{found}` is no {column} of {table}"))
    }

    /// The fault as an error of this file.
    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Value(what) => StoreError::Damaged { path, what },
            Self::Sqlite(source) => of_sqlite(path, source),
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

fn of_sqlite(path: PathBuf, source: rusqlite::Error) -> StoreError {
    use rusqlite::Error as E;
    match (&source, source.sqlite_error_code()) {
        (_, Some(ErrorCode::NotADatabase)) => {
            StoreError::Damaged { path, what: "it is no SQLite database".to_owned() }
        }
        (_, Some(ErrorCode::DatabaseCorrupt)) => {
            StoreError::Damaged { path, what: "SQLite finds it malformed".to_owned() }
        }
        (_, Some(ErrorCode::DiskFull)) => StoreError::Full { path, source },
        (_, Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen)) => {
            StoreError::Forbidden { path, source }
        }
        (
            E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::InvalidColumnType(..),
            _,
        ) => StoreError::Damaged { path, what: source.to_string() },
        _ => StoreError::Database { path, source },
    }
}
