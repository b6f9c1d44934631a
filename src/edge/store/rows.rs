//! Ledger rows and rejections, and how their values are stored.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as WordError, StrDeserializer};

use super::error::Fault;
use crate::domain::item::{BlobId, CommitId, Digest, ItemKey, Lifecycle, RepoPath};
use crate::domain::ledger::{Ledger, Rejection, Row};

/// Every row and rejection.
pub(super) fn load(connection: &Connection) -> Result<Ledger, Fault> {
    // One moment of both tables, whatever a writer does meanwhile.
    let moment = connection.unchecked_transaction()?;
    let mut ledger = Ledger::default();
    let mut query = moment.prepare(
        "SELECT item_id, version, digest, sealed_digest, lifecycle, object_id, commit_id, path, blob, at, corrected
         FROM ledger",
    )?;
    let mut found = query.query([])?;
    while let Some(row) = found.next()? {
        ledger.rows.insert(key(row, "the ledger")?, ledger_row(row)?);
    }
    let mut query =
        moment.prepare("SELECT item_id, version, circumstances, why, at FROM rejections")?;
    let mut found = query.query([])?;
    while let Some(row) = found.next()? {
        let rejection =
            Rejection { circumstances: digest(row, 2)?, why: row.get(3)?, at: time(row, 4)? };
        ledger.rejections.insert(key(row, "the rejections")?, rejection);
    }
    // A reader changes nothing, not even an old layout.
    if layout(&moment)? >= 3 {
        let mut query = moment.prepare("SELECT item_id, version, digest FROM doubts")?;
        let mut found = query.query([])?;
        while let Some(row) = found.next()? {
            let sent: Option<[u8; 32]> = row.get(2)?;
            ledger.doubts.insert(key(row, "the doubts")?, sent.map(Digest::from));
        }
    }
    Ok(ledger)
}

/// Which layout it has.
pub(super) fn layout(connection: &Connection) -> Result<i64, Fault> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn ledger_row(row: &SqlRow<'_>) -> Result<Row, Fault> {
    let lifecycle: Option<String> = row.get(4)?;
    let path: String = row.get(7)?;
    let corrected: String = row.get(10)?;
    let of = "the ledger";
    Ok(Row {
        digest: digest(row, 2)?,
        sealed_digest: digest(row, 3)?,
        lifecycle: lifecycle.map(|text| parsed(of, "lifecycle", &text)).transpose()?,
        object_id: row.get(5)?,
        commit: CommitId(row.get(6)?),
        path: repo_path(&path).ok_or_else(|| Fault::value(of, "path", &path))?,
        blob: BlobId(row.get(8)?),
        at: time(row, 9)?,
        corrected: serde_json::from_str(&corrected)
            .map_err(|_| Fault::value(of, "list of times", &corrected))?,
    })
}

/// Makes the row and the rejection of one key what they are in `ledger`.
pub(super) fn save(
    transaction: &Transaction<'_>,
    key: &ItemKey,
    ledger: &Ledger,
) -> Result<(), Fault> {
    let name = (key.item_id.as_str(), key.version.to_string());
    match ledger.rows.get(key) {
        None => {
            let sql = "DELETE FROM ledger WHERE item_id = ?1 AND version = ?2";
            transaction.prepare_cached(sql)?.execute((name.0, &name.1))?;
        }
        Some(row) => {
            let sql = "INSERT OR REPLACE INTO ledger
                (item_id, version, digest, sealed_digest, lifecycle, object_id, commit_id, path, blob, at, corrected)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
            transaction.prepare_cached(sql)?.execute((
                name.0,
                &name.1,
                row.digest.as_bytes(),
                row.sealed_digest.as_bytes(),
                row.lifecycle.map(Lifecycle::as_str),
                &row.object_id,
                &row.commit.0,
                row.path.as_str(),
                row.blob.0,
                row.at.to_string(),
                json(&row.corrected)?,
            ))?;
        }
    }
    match ledger.rejections.get(key) {
        None => {
            let sql = "DELETE FROM rejections WHERE item_id = ?1 AND version = ?2";
            transaction.prepare_cached(sql)?.execute((name.0, &name.1))?;
        }
        Some(rejection) => {
            let sql = "INSERT OR REPLACE INTO rejections (item_id, version, circumstances, why, at)
                VALUES (?1, ?2, ?3, ?4, ?5)";
            transaction.prepare_cached(sql)?.execute((
                name.0,
                &name.1,
                rejection.circumstances.as_bytes(),
                &rejection.why,
                rejection.at.to_string(),
            ))?;
        }
    }
    save_doubt(transaction, key, ledger)
}

/// Makes what is in doubt of one key what it is in `ledger`.
pub(super) fn save_doubt(
    transaction: &Transaction<'_>,
    key: &ItemKey,
    ledger: &Ledger,
) -> Result<(), Fault> {
    let name = (key.item_id.as_str(), key.version.to_string());
    match ledger.doubts.get(key) {
        None => {
            let sql = "DELETE FROM doubts WHERE item_id = ?1 AND version = ?2";
            transaction.prepare_cached(sql)?.execute((name.0, &name.1))?;
        }
        Some(sent) => {
            let sql =
                "INSERT OR REPLACE INTO doubts (item_id, version, digest) VALUES (?1, ?2, ?3)";
            let sent = sent.as_ref().map(Digest::as_bytes);
            transaction.prepare_cached(sql)?.execute((name.0, &name.1, sent))?;
        }
    }
    Ok(())
}

/// The key in the first two columns.
pub(super) fn key(row: &SqlRow<'_>, table: &str) -> Result<ItemKey, Fault> {
    let item_id: String = row.get(0)?;
    let version: String = row.get(1)?;
    Ok(ItemKey {
        item_id: parsed(table, "item id", &item_id)?,
        version: parsed(table, "version", &version)?,
    })
}

pub(super) fn digest(row: &SqlRow<'_>, column: usize) -> Result<Digest, Fault> {
    Ok(Digest::from(row.get::<_, [u8; 32]>(column)?))
}

pub(super) fn time(row: &SqlRow<'_>, column: usize) -> Result<Timestamp, Fault> {
    let text: String = row.get(column)?;
    parsed("the state", "time", &text)
}

pub(super) fn parsed<T: FromStr>(table: &str, column: &str, text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::value(table, column, text))
}

/// The path that this text spells, if it is one as marketsync spells it.
pub(super) fn repo_path(text: &str) -> Option<RepoPath> {
    RepoPath::new(text).ok().filter(|path| path.as_str() == text)
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value)
        .map_err(|cause| rusqlite::Error::ToSqlConversionFailure(cause.into()).into())
}

/// A value of a plain enum, by its name.
pub(super) fn word<T: Serialize>(value: &T) -> Result<String, Fault> {
    Ok(json(value)?.trim_matches('"').to_owned())
}

/// The inverse of [`word`].
pub(super) fn from_word<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Fault> {
    T::deserialize(StrDeserializer::<WordError>::new(text))
        .map_err(|_| Fault::value("the history", column, text))
}

/// A value of `meta`.
pub(super) fn meta(connection: &Connection, name: &str) -> Result<Option<String>, Fault> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
}
