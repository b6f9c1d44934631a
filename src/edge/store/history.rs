//! What was tried: one row for each change, kept for a while.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use rusqlite::{Connection, Row as SqlRow, Transaction};

use super::Store;
use super::error::{Fault, StoreError};
use super::rows::{self, from_word, json, time, word};
use crate::domain::event::{Failure, Outcome};
use crate::domain::item::{CommitId, Digest, ItemId, ItemKey, Version};
use crate::domain::ledger::Settling;
use crate::domain::past::{Past, Trail};
use crate::domain::status::LastResult;

/// Rows older than this go (`practice.md` §4): a year and a month, so that a
/// yearly look finds the last one.
pub const HISTORY_AGE: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The most rows of one item version (`practice.md` §4).
pub const HISTORY_ROWS: u32 = 1_000;

/// The most rows that one saving drops for their age, so that no saving takes
/// long; each adds far fewer.
const DROPPED_AT_ONCE: u32 = 1_000;

/// How much of a failure is kept, in characters. A page of a proxy is no
/// history.
const WHY_KEPT: usize = 2_000;

/// How many differing fields are kept.
const FIELDS_KEPT: usize = 100;

const COLUMNS: &str = "item_id, version, at, commit_id, action, reason, result, why, object_id, from_digest, to_digest, fields, author";

/// The same of a layout that does not have all of them: a reader changes
/// nothing, not even what is old.
fn columns(connection: &Connection) -> Result<String, Fault> {
    let names = if rows::layout(connection)? < 2 {
        COLUMNS.replace("author", "NULL")
    } else {
        COLUMNS.to_owned()
    };
    Ok(names)
}

impl Store {
    /// What was tried with one item, or with one version of it; the newest
    /// first, at most `limit`.
    pub fn history(
        &self,
        item_id: &ItemId,
        version: Option<&Version>,
        limit: usize,
    ) -> Result<Trail, StoreError> {
        let which = "FROM history WHERE item_id = ?1 AND (?2 IS NULL OR version = ?2)";
        let wanted = version.map(ToString::to_string);
        let load = || -> Result<_, Fault> {
            // One moment of list and count, whatever a writer does meanwhile.
            let moment = self.connection.unchecked_transaction()?;
            let columns = columns(&moment)?;
            let sql = format!("SELECT {columns} {which} ORDER BY id DESC LIMIT ?3");
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let changes = collect(&moment, &sql, (item_id.as_str(), &wanted, limit))?;
            let sql = format!("SELECT count(*) {which}");
            let all: i64 = moment.query_row(&sql, (item_id.as_str(), &wanted), |row| row.get(0))?;
            let older = usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(changes.len());
            Ok((changes, older))
        };
        let (changes, older) = load().map_err(|fault| fault.at(&self.path))?;
        Ok(Trail { item_id: item_id.clone(), version: version.cloned(), changes, older })
    }

    /// Every item version that has a history.
    pub fn with_history(&self) -> Result<BTreeSet<ItemKey>, StoreError> {
        let load = || -> Result<_, Fault> {
            let sql = "SELECT DISTINCT item_id, version FROM history";
            let mut query = self.connection.prepare(sql)?;
            let mut found = query.query([])?;
            let mut keys = BTreeSet::new();
            while let Some(row) = found.next()? {
                keys.insert(rows::key(row, "the history")?);
            }
            Ok(keys)
        };
        load().map_err(|fault| fault.at(&self.path))
    }

    /// The last thing that was tried with each item that has a history.
    pub fn last_results(&self) -> Result<BTreeMap<ItemKey, Past>, StoreError> {
        let load = || -> Result<_, Fault> {
            let moment = self.connection.unchecked_transaction()?;
            let sql = format!(
                "SELECT {} FROM history WHERE id IN (SELECT max(id) FROM history GROUP BY item_id, version)",
                columns(&moment)?
            );
            collect(&moment, &sql, ())
        };
        let past = load().map_err(|fault| fault.at(&self.path))?;
        Ok(past.into_iter().map(|past| (past.key.clone(), past)).collect())
    }

    /// How many deletions this commit has already made: the delete guard
    /// allows a number for each commit, not for each pass.
    pub fn deletions_of(&self, commit: &CommitId) -> Result<usize, StoreError> {
        let sql = "SELECT count(*) FROM history WHERE commit_id = ?1 AND result = 'Deleted'";
        let count: i64 = self
            .connection
            .query_row(sql, [&commit.0], |row| row.get(0))
            .map_err(|cause| Fault::from(cause).at(&self.path))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

fn collect(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<Past>, Fault> {
    let mut query = connection.prepare(sql)?;
    let mut found = query.query(params)?;
    let mut past = Vec::new();
    while let Some(row) = found.next()? {
        past.push(read(row)?);
    }
    Ok(past)
}

fn read(row: &SqlRow<'_>) -> Result<Past, Fault> {
    let text = |column| row.get::<_, String>(column);
    let maybe = |column| row.get::<_, Option<[u8; 32]>>(column);
    let why: Option<String> = row.get(7)?;
    let result = match text(6)?.as_str() {
        "transient" => LastResult::Failed { why: why.unwrap_or_default() },
        "rejected" => LastResult::Rejected { why: why.unwrap_or_default() },
        verb => LastResult::Done { verb: from_word("result", verb)? },
    };
    let fields = text(11)?;
    Ok(Past {
        key: rows::key(row, "the history")?,
        at: time(row, 2)?,
        commit: CommitId(text(3)?),
        author: row.get(12)?,
        action: from_word("action", &text(4)?)?,
        reason: from_word("reason", &text(5)?)?,
        result,
        object_id: row.get(8)?,
        from: maybe(9)?.map(Digest::from),
        to: maybe(10)?.map(Digest::from),
        fields: serde_json::from_str(&fields)
            .map_err(|_| Fault::value("the history", "list of fields", &fields))?,
    })
}

/// Notes one outcome, and drops what is too much of its item.
pub(super) fn append(
    transaction: &Transaction<'_>,
    outcome: &Outcome,
    settling: &Settling,
) -> Result<(), Fault> {
    let change = &outcome.change;
    let (result, why, object_id) = match &outcome.result {
        Ok(applied) => (word(&applied.verb)?, None, applied.object_id.as_ref()),
        Err(Failure::Transient { why, .. }) => ("transient".to_owned(), Some(why), None),
        Err(Failure::Rejected { why, .. }) => ("rejected".to_owned(), Some(why), None),
    };
    let why: Option<String> = why.map(|why| why.chars().take(WHY_KEPT).collect());
    let version = change.key.version.to_string();
    let fields: Vec<&String> = change.fields.iter().take(FIELDS_KEPT).collect();
    let sql = format!(
        "INSERT INTO history ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    );
    transaction.prepare_cached(&sql)?.execute((
        change.key.item_id.as_str(),
        &version,
        settling.now.to_string(),
        &settling.commit.0,
        word(&change.action)?,
        word(&change.reason)?,
        result,
        why,
        object_id.or(change.object_id.as_ref()),
        change.from.as_ref().map(Digest::as_bytes),
        change.wanted.as_ref().map(|item| item.digest.as_bytes()),
        json(&fields)?,
        &settling.author,
    ))?;
    let sql = "DELETE FROM history WHERE item_id = ?1 AND version = ?2 AND id <= (
        SELECT id FROM history WHERE item_id = ?1 AND version = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)";
    transaction.prepare_cached(sql)?.execute((
        change.key.item_id.as_str(),
        &version,
        HISTORY_ROWS,
    ))?;
    Ok(())
}

/// Drops a bounded number of the rows that are too old, the oldest first.
///
/// The deletions of this commit stay: the delete guard counts them, and a clock
/// that is years ahead must not make room for more.
pub(super) fn prune_by_age(
    transaction: &Transaction<'_>,
    settling: &Settling,
) -> Result<(), Fault> {
    let Ok(oldest) = settling.now.checked_sub(HISTORY_AGE) else {
        return Ok(());
    };
    // Times of equal length compare as texts; the part of a second that some
    // carry does not matter here.
    let sql = "DELETE FROM history WHERE id IN (SELECT id FROM history WHERE at < ?1
        AND NOT (commit_id = ?3 AND result = 'Deleted') ORDER BY at LIMIT ?2)";
    let commit = &settling.commit.0;
    transaction.prepare_cached(sql)?.execute((oldest.to_string(), DROPPED_AT_ONCE, commit))?;
    Ok(())
}
