//! The state of one source and one company, in one SQLite file.
//!
//! A state directory holds `state.db` and `lock`. The ledger and the history
//! are the state proper; the reading cache and the locations of images are
//! kept beside them and may be lost at any time.
//!
//! One process writes, for which it holds the lock; any number may read beside
//! it ([`Store::read_only`]), also from a directory that they may not write.

mod error;
mod lock;
mod file;
mod rows;
mod history;
mod cache;
mod place;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::domain::event::{Change, Outcome};
use crate::domain::ledger::{Ledger, Settling};
use crate::domain::status::Status;

pub use cache::{LOCATIONS_KEPT, Locations};
pub use error::StoreError;
pub use history::{HISTORY_AGE, HISTORY_ROWS};
pub use place::default_dir;

/// What a state directory is for. It is written when the directory is made,
/// and a directory is never used for anything else: a ledger of another
/// company would order the deletion of everything it lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The marketplace, as one text: a URL without a slash at its end, or
    /// `embedded`.
    pub endpoint: String,
    /// The company.
    pub company: String,
    /// The source, as one text that is the same in every run.
    pub source: String,
}

/// An open state directory.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    /// The database, for messages.
    path: PathBuf,
    /// Which file that was when it was opened.
    file: Option<file::Number>,
    identity: Identity,
    moved_from: Option<String>,
    /// Held for as long as this lives; a reader has none.
    lock: Option<lock::Lock>,
}

impl Store {
    /// Opens the state in `dir` for writing, and makes it if there is none.
    ///
    /// `now` is noted in the lock, for the message to whoever comes second.
    ///
    /// Errors: [`StoreError::Locked`] while another process holds it;
    /// [`StoreError::OtherUse`], [`StoreError::Newer`],
    /// [`StoreError::Damaged`] and [`StoreError::NotState`] leave the file as
    /// it is.
    pub fn open(dir: &Path, asked: &Identity, now: Timestamp) -> Result<Self, StoreError> {
        file::make_dir(dir)?;
        let lock = lock::take(dir, now)?;
        let path = file::path_in(dir);
        let found = file::inspect(&path)?;
        // A run that reached nobody has recorded nothing: what it was for does
        // not bind the next one.
        if let Some(found) = &found
            && !file::is_unused(&path)?
        {
            same_use(dir, found, asked)?;
        }
        let connection = file::open_to_write(&path, asked)?;
        let is_other = found.as_ref().is_some_and(|found| found != asked);
        let moved_from = found.map(|found| found.source).filter(|source| *source != asked.source);
        let file = file::number(&path);
        let (identity, lock) = (asked.clone(), Some(lock));
        let mut store = Self { connection, path, file, identity, moved_from, lock };
        if is_other {
            store.write(|transaction| {
                let sql = "UPDATE meta SET value = ?2 WHERE name = ?1";
                transaction.execute(sql, ("endpoint", &asked.endpoint))?;
                transaction.execute(sql, ("company", &asked.company))?;
                transaction.execute(sql, ("source", &asked.source))?;
                Ok(())
            })?;
        }
        Ok(store)
    }

    /// The source that this state was last used for, if it was another one.
    /// CI jobs check out the same repository in ever new places, so that is
    /// worth a notice and no refusal.
    pub fn moved_from(&self) -> Option<&str> {
        self.moved_from.as_deref()
    }

    /// Opens the state in `dir` for reading, beside any writer; none if there
    /// is no state. Takes no lock and makes nothing.
    pub fn read_only(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = file::path_in(dir);
        let Some((connection, identity)) = file::open_to_read(&path)? else {
            return Ok(None);
        };
        let (file, moved_from, lock) = (None, None, None);
        Ok(Some(Self { connection, path, file, identity, moved_from, lock }))
    }

    /// What this state is for.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether this state, which is in `dir`, is for that endpoint and company.
    ///
    /// # Errors
    /// [`StoreError::OtherUse`]: what is recorded of another company says
    /// nothing of this one.
    pub fn check_use(&self, dir: &Path, identity: &Identity) -> Result<(), StoreError> {
        same_use(dir, &self.identity, identity)
    }

    /// What was last applied, and what was refused.
    pub fn load_ledger(&self) -> Result<Ledger, StoreError> {
        rows::load(&self.connection).map_err(|fault| fault.at(&self.path))
    }

    /// What is known of every item.
    pub fn status(&self) -> Result<Status, StoreError> {
        let tries =
            self.last_results()?.into_iter().map(|(key, past)| (key, past.into())).collect();
        Ok(Status::of(&self.load_ledger()?, &tries, self.last_commit()?.as_ref()))
    }

    /// Makes durable what `outcomes` did to `ledger`, all of it or nothing:
    /// for each key its row and its rejection as they now are, and a row of
    /// history. Old history goes, a bounded part of it each time.
    pub fn save(
        &mut self,
        ledger: &Ledger,
        outcomes: &[Outcome],
        settling: &Settling,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            for outcome in outcomes {
                rows::save(transaction, &outcome.change.key, ledger)?;
                history::append(transaction, outcome, settling)?;
            }
            history::prune_by_age(transaction, settling)
        })
    }

    /// Notes that a pass is about to make these changes, of which `ledger`
    /// says what is in doubt from now on. On a full or read-only disk this
    /// fails, and nothing is sent that could not be recorded.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if the files are not those that were opened.
    pub fn note_pass(
        &mut self,
        ledger: &Ledger,
        changes: &[Change],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.check_place()?;
        self.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES ('last_pass', ?1)";
            transaction.execute(sql, [now.to_string()])?;
            changes.iter().try_for_each(|change| rows::save_doubt(transaction, &change.key, ledger))
        })
    }

    fn check_place(&self) -> Result<(), StoreError> {
        let Some((dir, lock)) = self.path.parent().zip(self.lock.as_ref()) else { return Ok(()) };
        let there = file::number(&self.path);
        if lock.is_in(dir) && there.is_some() && there == self.file {
            Ok(())
        } else {
            Err(StoreError::Gone { dir: dir.to_owned() })
        }
    }

    /// One transaction: all of `work`, or nothing.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, error::Fault>,
    ) -> Result<T, StoreError> {
        let path = &self.path;
        // Immediate: a transaction that begins as a reader cannot always
        // become a writer.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|cause| error::Fault::from(cause).at(path))?;
        let done = work(&transaction).map_err(|fault| fault.at(path))?;
        transaction.commit().map_err(|cause| error::Fault::from(cause).at(path))?;
        Ok(done)
    }
}

fn same_use(dir: &Path, recorded: &Identity, asked: &Identity) -> Result<(), StoreError> {
    let pairs = [
        ("endpoint", &recorded.endpoint, &asked.endpoint),
        ("company", &recorded.company, &asked.company),
    ];
    match pairs.into_iter().find(|(_, recorded, asked)| recorded != asked) {
        None => Ok(()),
        Some((what, recorded, asked)) => Err(StoreError::OtherUse {
            dir: dir.to_owned(),
            what,
            recorded: recorded.clone(),
            asked: asked.clone(),
        }),
    }
}
