//! One item: its versions in ascending order, each gathered, decided, written.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use crate::commands::export::{Trouble, Work};
use crate::commands::failure::CommandError;
use crate::domain::export::{self, Place};
use crate::domain::item::{Digest, ImageFormat, ImageSlot, ItemId, ItemKey, ItemType, Version};
use crate::domain::path::RepoPath;
use crate::domain::report::exported::{Fate, Row};
use crate::domain::tree::MAX_ITEM_BYTES;
use crate::edge::folder::{FolderError, Standing};
use crate::edge::marketplace::{Fetched, Round, held_pictures};

/// How many bytes of pictures of one item are kept for its other versions.
const MAX_KEPT_BYTES: usize = 8 * 1024 * 1024;

/// The pictures of one item by their location: its versions often share one.
#[derive(Default)]
struct Pictures {
    known: BTreeMap<String, Rc<Vec<u8>>>,
    bytes: usize,
}

impl Pictures {
    fn keep(&mut self, location: &str, picture: &Rc<Vec<u8>>) {
        if self.bytes + picture.len() > MAX_KEPT_BYTES {
            *self = Self::default();
        }
        self.bytes += picture.len();
        self.known.insert(location.to_owned(), Rc::clone(picture));
    }
}

/// A version on its way into its files.
struct Parcel {
    place: Place,
    item_type: ItemType,
    text: String,
    /// The files of its pictures that are to be there.
    pictures: BTreeMap<RepoPath, Rc<Vec<u8>>>,
}

impl From<FolderError> for Trouble {
    fn from(error: FolderError) -> Self {
        Self::All(error.into())
    }
}

impl Work<'_> {
    /// Writes what is left of an item. What may go next time stays pending.
    ///
    /// # Errors
    /// Nothing more can be read or written.
    pub(super) async fn item(
        &self,
        round: &Round<'_>,
        item_id: ItemId,
    ) -> Result<(), CommandError> {
        let Some(versions) = self.versions(round, &item_id).await? else {
            return Ok(());
        };
        let mut pictures = Pictures::default();
        for version in versions {
            let key = ItemKey { item_id: item_id.clone(), version: version.clone() };
            let row = match self.version(round, &key, &mut pictures).await {
                Ok(row) => row,
                Err(Trouble::Lasting(why)) => failed(why),
                Err(Trouble::Passing(_)) if *self.stop.borrow() => return Ok(()),
                Err(Trouble::Passing(why)) => {
                    self.tell(&item_id, Some(version), failed(why));
                    continue;
                }
                Err(Trouble::All(error)) => return Err(error),
            };
            self.tell(&item_id, Some(version.clone()), row);
            self.done(&item_id, &version);
        }
        Ok(())
    }

    /// Nothing is left to do of a version.
    fn done(&self, item_id: &ItemId, version: &Version) {
        let mut pending = self.pending.borrow_mut();
        let Some(pending) = pending.as_mut() else {
            return;
        };
        if let Some(left) = pending.get_mut(item_id) {
            left.versions.remove(version);
            if left.versions.is_empty() {
                pending.remove(item_id);
            }
        }
    }

    /// Nothing is left to do of an item.
    fn forget(&self, item_id: &ItemId) {
        if let Some(pending) = self.pending.borrow_mut().as_mut() {
            pending.remove(item_id);
        }
    }

    /// The versions that are left of an item; none where they could not be
    /// asked for.
    async fn versions(
        &self,
        round: &Round<'_>,
        item_id: &ItemId,
    ) -> Result<Option<BTreeSet<Version>>, CommandError> {
        let Some(left) = self.pending.borrow().as_ref().and_then(|all| all.get(item_id).cloned())
        else {
            return Ok(None);
        };
        if left.asked {
            return Ok(Some(left.versions));
        }
        match round.versions(item_id).await.map_err(Trouble::from) {
            Ok((mut versions, remarks)) => {
                self.remark(remarks);
                self.report.borrow_mut().rows.remove(&(item_id.clone(), None));
                if versions.is_empty() {
                    // A Console that cannot say still has what it listed.
                    versions = left.versions;
                }
                if versions.is_empty() {
                    let why = "it is listed, and the marketplace names no version of it";
                    self.tell(item_id, None, failed(why.to_owned()));
                    self.forget(item_id);
                    return Ok(None);
                }
                if let Some(left) =
                    self.pending.borrow_mut().as_mut().and_then(|all| all.get_mut(item_id))
                {
                    left.versions.clone_from(&versions);
                    left.asked = true;
                }
                return Ok(Some(versions));
            }
            Err(Trouble::Passing(_)) if *self.stop.borrow() => {}
            Err(Trouble::Passing(why)) => self.tell(item_id, None, failed(why)),
            Err(Trouble::Lasting(why)) => {
                self.tell(item_id, None, failed(why));
                self.forget(item_id);
            }
            Err(Trouble::All(error)) => return Err(error),
        }
        Ok(None)
    }

    async fn version(
        &self,
        round: &Round<'_>,
        key: &ItemKey,
        pictures: &mut Pictures,
    ) -> Result<Row, Trouble> {
        let Some(live) = round.document(key).await? else {
            return Err(lasting("it is listed, and the marketplace does not have it"));
        };
        let item_type = export::item_type(&live).ok_or_else(|| lasting("it names no type"))?;
        let place =
            Place::of(key, &item_type).map_err(|error| Trouble::Lasting(error.to_string()))?;
        let parcel = match self.pack(round, &live, place.clone(), item_type.clone(), pictures).await
        {
            Err(Trouble::Lasting(why)) => {
                let fate = Fate::Failed { why };
                return Ok(Row { item_type: Some(item_type), file: Some(place.file), fate });
            }
            parcel => parcel?,
        };
        let fate = self.put(key, &parcel)?;
        Ok(Row { item_type: Some(parcel.item_type), file: Some(parcel.place.file), fate })
    }

    /// Gathers the pictures and writes the text.
    async fn pack(
        &self,
        round: &Round<'_>,
        live: &Value,
        place: Place,
        item_type: ItemType,
        known: &mut Pictures,
    ) -> Result<Parcel, Trouble> {
        let mut names = BTreeMap::new();
        let mut pictures = BTreeMap::new();
        for (slot, location) in held_pictures(live) {
            let bytes = if let Some(bytes) = known.known.get(location) {
                Rc::clone(bytes)
            } else {
                let bytes = match round.picture(location).await? {
                    Fetched::Bytes(bytes) => Rc::new(bytes),
                    Fetched::Nothing { why } => {
                        return Err(Trouble::Lasting(format!(
                            "its {} cannot be had: {why}",
                            slot.url_field()
                        )));
                    }
                };
                known.keep(location, &bytes);
                bytes
            };
            let path = self.picture_path(&place, slot, &bytes)?;
            names.insert(slot, path.clone());
            pictures.insert(path, bytes);
        }
        let text = export::text(&export::document(live, round.generation(), &names));
        if text.len() as u64 > MAX_ITEM_BYTES {
            let length = text.len();
            return Err(Trouble::Lasting(format!(
                "its file would have {length} bytes, and at most {MAX_ITEM_BYTES} are read"
            )));
        }
        if round.repeats_a_secret(&text) {
            return Err(lasting(
                "it repeats a credential of this run, which must not be committed",
            ));
        }
        Ok(Parcel { place, item_type, text, pictures })
    }

    /// The plain name, unless other bytes stand there: what is there may be the
    /// picture of another version, and is never replaced.
    fn picture_path(
        &self,
        place: &Place,
        slot: ImageSlot,
        bytes: &[u8],
    ) -> Result<RepoPath, Trouble> {
        let Some(format) = ImageFormat::sniff(bytes) else {
            return Err(Trouble::Lasting(format!(
                "what lies at its {} is neither PNG nor JPEG",
                slot.url_field()
            )));
        };
        let outside =
            |error: crate::domain::path::OutsideCheckout| Trouble::Lasting(error.to_string());
        let plain = place.picture(slot, format, None).map_err(outside)?;
        match self.folder.look(&plain, bytes)? {
            Standing::Nothing | Standing::Same => Ok(plain),
            Standing::Other | Standing::Blocked { .. } => {
                place.picture(slot, format, Some(Digest::of(bytes))).map_err(outside)
            }
        }
    }

    /// Writes the files of a version, pictures first: what is there refers to
    /// nothing that is not.
    fn put(&self, key: &ItemKey, parcel: &Parcel) -> Result<Fate, Trouble> {
        let file = &parcel.place.file;
        let pictures = parcel.pictures.iter().map(|(path, bytes)| (path, bytes.as_slice()));
        let files: Vec<(&RepoPath, &[u8])> =
            pictures.chain([(file, parcel.text.as_bytes())]).collect();
        let mut missing = Vec::new();
        for &(path, bytes) in &files {
            let why = match self.folder.look(path, bytes)? {
                Standing::Same => continue,
                Standing::Other if !self.overwrite => {
                    format!("{path} is there and holds something else (--overwrite replaces it)")
                }
                Standing::Nothing | Standing::Other => {
                    missing.push((path, bytes));
                    continue;
                }
                Standing::Blocked { why } => why,
            };
            return Ok(Fate::LeftAlone { why });
        }
        for (path, bytes) in &missing {
            self.folder.write(path, bytes)?;
        }
        let files = files.into_iter().collect();
        Ok(match export::refusal(file, files, key, self.standards) {
            Some(why) => Fate::Invalid { why },
            None if missing.is_empty() => Fate::Unchanged,
            None => Fate::Written,
        })
    }
}

fn lasting(why: &str) -> Trouble {
    Trouble::Lasting(why.to_owned())
}

fn failed(why: String) -> Row {
    Row { item_type: None, file: None, fate: Fate::Failed { why } }
}
