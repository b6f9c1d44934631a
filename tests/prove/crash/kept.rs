//! The state as it lies on the disk, read from a copy with SQLite alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rusqlite::Connection;

/// What a state says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Kept {
    /// `item version` → the commit that asked for what is recorded.
    pub(super) rows: BTreeMap<String, String>,
    /// What was done, in order: item, commit, result.
    pub(super) history: Vec<(String, String, String)>,
    /// Which pictures are known to be there: item and digest.
    pub(super) pictures: BTreeSet<(String, Vec<u8>)>,
    /// Of which items it is not known what became of them.
    pub(super) doubts: BTreeSet<String>,
}

impl Kept {
    /// Reads a state directory; empty if nothing was kept in it.
    ///
    /// # Errors
    /// What SQLite finds wrong with it.
    pub(super) fn read(state: &Path) -> Result<Self, String> {
        let file = "state.db";
        if !fs::metadata(state.join(file)).is_ok_and(|found| found.len() > 0) {
            // SQLite drops the log of a database that has no page.
            return Ok(Self::default());
        }
        let copy = tempfile::tempdir().unwrap();
        for name in [file, "state.db-wal", "state.db-journal"] {
            if state.join(name).exists() {
                fs::copy(state.join(name), copy.path().join(name)).unwrap();
            }
        }
        let opened = Connection::open(copy.path().join(file)).and_then(|database| {
            let check = "PRAGMA integrity_check";
            let whole: String = database.query_row(check, [], |row| row.get(0))?;
            let check = "SELECT count(*) FROM sqlite_schema WHERE name = 'ledger'";
            let is_made: i64 = database.query_row(check, [], |row| row.get(0))?;
            Ok((whole, is_made, database))
        });
        let (whole, is_made, database) = opened.map_err(|why| why.to_string())?;
        if whole != "ok" {
            return Err(whole);
        }
        if is_made == 0 {
            return Ok(Self::default());
        }
        read(&database).map_err(|why| why.to_string())
    }
}

fn read(database: &Connection) -> rusqlite::Result<Kept> {
    let mut kept = Kept::default();
    let mut query = database.prepare("SELECT item_id || ' ' || version, commit_id FROM ledger")?;
    for row in query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (name, commit) = row?;
        kept.rows.insert(name, commit);
    }
    let sql = "SELECT item_id || ' ' || version, commit_id, result FROM history ORDER BY id";
    let mut query = database.prepare(sql)?;
    for row in query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))? {
        kept.history.push(row?);
    }
    let mut query = database.prepare("SELECT item_id, digest FROM image_locations")?;
    for row in query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        kept.pictures.insert(row?);
    }
    let mut query = database.prepare("SELECT item_id || ' ' || version FROM doubts")?;
    for row in query.query_map([], |row| row.get(0))? {
        kept.doubts.insert(row?);
    }
    Ok(kept)
}
