//! Two caches that are safe to lose: what files were read as, and where
//! uploaded pictures are.

use std::collections::BTreeMap;

use rusqlite::Transaction;

use super::Store;
use super::error::{Fault, StoreError};
use super::rows::{digest, from_word, meta, parsed, repo_path, word};
use crate::domain::images::{ImageLocation, ImageLocations, ImageName};
use crate::domain::item::{CommitId, Digest, ImageSlot, ItemId, RepoPath};
use crate::domain::seen::Seen;

/// Where pictures are, by their content, their item and their use.
pub type Locations = BTreeMap<(Digest, ItemId, ImageSlot), String>;

/// How many locations are kept for one use of one item: enough to go back and
/// forth between a few pictures without sending them again.
pub const LOCATIONS_KEPT: u32 = 20;

const FINGERPRINT: &str = "seen_fingerprint";
const COMMIT: &str = "seen_commit";

impl Store {
    /// What was read at which commit, if it was kept under this fingerprint;
    /// the entries are the caller's JSON. A cache that cannot be understood is
    /// none.
    #[expect(
        clippy::type_complexity,
        reason = "named once, taken apart at once by its only caller"
    )]
    pub fn load_seen(
        &self,
        fingerprint: &Digest,
    ) -> Result<Option<(CommitId, Vec<(RepoPath, String)>)>, StoreError> {
        let load = || -> Result<_, Fault> {
            let moment = self.connection.unchecked_transaction()?;
            let kept: Option<Digest> =
                meta(&moment, FINGERPRINT)?.and_then(|text| text.parse().ok());
            let Some(commit) =
                meta(&moment, COMMIT)?.filter(|_| kept.as_ref() == Some(fingerprint))
            else {
                return Ok(None);
            };
            let mut entries = Vec::new();
            let mut query = moment.prepare("SELECT path, entry FROM seen")?;
            let mut found = query.query([])?;
            while let Some(row) = found.next()? {
                let (path, entry): (String, String) = (row.get(0)?, row.get(1)?);
                let Some(path) = repo_path(&path) else {
                    return Ok(None);
                };
                entries.push((path, entry));
            }
            Ok(Some((CommitId(commit), entries)))
        };
        match load().map_err(|fault| fault.at(&self.path)) {
            Err(StoreError::Damaged { .. }) => Ok(None),
            loaded => loaded,
        }
    }

    /// Keeps what was read at `commit`: all of it if `complete`, else what
    /// differs from the last commit that was kept.
    ///
    /// A difference to what was kept under another fingerprint means nothing:
    /// then the cache is emptied, and the next reading is complete.
    pub fn save_seen(
        &mut self,
        fingerprint: &Digest,
        commit: &CommitId,
        upserts: &[(RepoPath, String)],
        removals: &[RepoPath],
        complete: bool,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let kept: Option<Digest> =
                meta(transaction, FINGERPRINT)?.and_then(|text| text.parse().ok());
            let continues = kept.as_ref() == Some(fingerprint);
            if complete || !continues {
                forget_seen(transaction)?;
            }
            if !complete && !continues {
                return Ok(());
            }
            let mut remove = transaction.prepare_cached("DELETE FROM seen WHERE path = ?1")?;
            for path in removals {
                remove.execute([path.as_str()])?;
            }
            let mut upsert = transaction
                .prepare_cached("INSERT OR REPLACE INTO seen (path, entry) VALUES (?1, ?2)")?;
            for (path, entry) in upserts {
                upsert.execute((path.as_str(), entry))?;
            }
            let mut set = transaction
                .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
            set.execute((FINGERPRINT, fingerprint.to_string()))?;
            set.execute((COMMIT, &commit.0))?;
            Ok(())
        })
    }

    /// The last reading of the source, if it was kept under this fingerprint;
    /// else an empty one.
    pub fn recall_seen(&mut self, fingerprint: Digest) -> Result<Seen, StoreError> {
        let mut seen = Seen::empty(fingerprint);
        let Some((commit, entries)) = self.load_seen(&fingerprint)? else { return Ok(seen) };
        for (path, entry) in entries {
            let Ok(reading) = serde_json::from_str(&entry) else {
                // Another build wrote it. What is kept must not outlive the
                // reading that it belongs to.
                if self.lock.is_some() {
                    self.write(forget_seen)?;
                }
                return Ok(Seen::empty(fingerprint));
            };
            seen.recall(&path, reading);
        }
        seen.commit = Some(commit);
        Ok(seen)
    }

    /// Keeps a reading: what changed since it was last kept, or all of it if
    /// nothing is kept under its fingerprint. A reading that changed nothing
    /// costs no write.
    pub fn keep_seen(&mut self, seen: &mut Seen) -> Result<(), StoreError> {
        let (Some(fingerprint), Some(commit)) = (seen.fingerprint, seen.commit.clone()) else {
            // What cannot be continued is not worth keeping.
            return self.write(forget_seen);
        };
        let (kept_print, kept_commit) = self.kept_seen()?;
        let whole = kept_print != Some(fingerprint);
        if !whole && seen.unkept().is_empty() && kept_commit.as_ref() == Some(&commit.0) {
            return Ok(());
        }
        let (mut upserts, mut removals) = (Vec::new(), Vec::new());
        let all: Vec<&RepoPath> =
            if whole { seen.files().keys().collect() } else { seen.unkept().iter().collect() };
        for path in all {
            match seen.files().get(path).and_then(|reading| serde_json::to_string(reading).ok()) {
                Some(entry) => upserts.push((path.clone(), entry)),
                None => removals.push(path.clone()),
            }
        }
        self.save_seen(&fingerprint, &commit, &upserts, &removals, whole)?;
        seen.kept();
        Ok(())
    }

    fn kept_seen(&self) -> Result<(Option<Digest>, Option<String>), StoreError> {
        let value = |name| meta(&self.connection, name).map_err(|fault| fault.at(&self.path));
        Ok((value(FINGERPRINT)?.and_then(|text| text.parse().ok()), value(COMMIT)?))
    }

    /// The commit that was read last, as far as it is kept.
    pub fn last_commit(&self) -> Result<Option<CommitId>, StoreError> {
        Ok(self.kept_seen()?.1.map(CommitId))
    }

    /// Where every known picture is.
    pub fn image_locations(&self) -> Result<ImageLocations, StoreError> {
        let saved = self.load_image_locations()?.into_iter();
        Ok(saved
            .map(|((digest, item_id, slot), location)| ImageLocation {
                name: ImageName { digest, item_id, slot },
                location,
            })
            .collect())
    }

    /// Where every known picture is. Rows that cannot be understood are left
    /// out: the picture is then sent again.
    pub fn load_image_locations(&self) -> Result<Locations, StoreError> {
        let load = || -> Result<Locations, Fault> {
            let sql = "SELECT digest, item_id, slot, location FROM image_locations";
            let mut query = self.connection.prepare(sql)?;
            let mut found = query.query([])?;
            let mut locations = Locations::new();
            while let Some(row) = found.next()? {
                let (item_id, slot): (String, String) = (row.get(1)?, row.get(2)?);
                let known = (digest(row, 0), parsed("", "", &item_id), from_word("", &slot));
                if let (Ok(digest), Ok(item_id), Ok(slot)) = known {
                    locations.insert((digest, item_id, slot), row.get(3)?);
                }
            }
            Ok(locations)
        };
        load().map_err(|fault| fault.at(&self.path))
    }

    /// Remembers where a picture is. Of one item and use, only the newest
    /// [`LOCATIONS_KEPT`] are kept.
    pub fn save_image_location(
        &mut self,
        digest: &Digest,
        item_id: &ItemId,
        slot: ImageSlot,
        location: &str,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let slot = word(&slot)?;
            let sql = "INSERT OR REPLACE INTO image_locations (digest, item_id, slot, location)
                VALUES (?1, ?2, ?3, ?4)";
            transaction.execute(sql, (digest.as_bytes(), item_id.as_str(), &slot, location))?;
            let sql = "DELETE FROM image_locations WHERE item_id = ?1 AND slot = ?2 AND id <= (
                SELECT id FROM image_locations WHERE item_id = ?1 AND slot = ?2
                ORDER BY id DESC LIMIT 1 OFFSET ?3)";
            transaction.execute(sql, (item_id.as_str(), &slot, LOCATIONS_KEPT))?;
            Ok(())
        })
    }

    /// Forgets where the pictures of an item are: the marketplace removes them
    /// with it.
    pub fn forget_image_locations(&mut self, item_id: &ItemId) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction
                .execute("DELETE FROM image_locations WHERE item_id = ?1", [item_id.as_str()])?;
            Ok(())
        })
    }
}

fn forget_seen(transaction: &Transaction<'_>) -> Result<(), Fault> {
    transaction.execute("DELETE FROM seen", [])?;
    transaction.execute("DELETE FROM meta WHERE name IN (?1, ?2)", (FINGERPRINT, COMMIT))?;
    Ok(())
}
