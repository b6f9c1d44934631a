//! Where the marketplace keeps the pictures that were uploaded to it.
//!
//! Every upload makes a new location, even for equal bytes
//! (`marketplace-api.md` §5). An item whose location changes is an item that
//! changed, so what was uploaded once is remembered and not uploaded again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::item::{Digest, ImageSlot, ItemId};

/// What a location is remembered by: the bytes, the item and the slot. An
/// upload names its item and slot (`marketplace-api.md` §5), so equal bytes of
/// two items have two locations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageName {
    /// The blake3 hash of the bytes.
    pub digest: Digest,
    /// The item that shows it, in every version.
    pub item_id: ItemId,
    /// As what it shows it.
    pub slot: ImageSlot,
}

/// A picture that the marketplace has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLocation {
    /// What it is.
    pub name: ImageName,
    /// Where it is: the server's word for it, as it stands in `imageUrl`.
    pub location: String,
}

/// Every known location. Safe to lose: then pictures are compared by their
/// bytes, or uploaded again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageLocations {
    known: BTreeMap<ImageName, String>,
    fresh: Vec<ImageLocation>,
}

impl ImageLocations {
    /// The location of a picture, if it is known.
    pub fn get(&self, name: &ImageName) -> Option<&str> {
        self.known.get(name).map(String::as_str)
    }

    /// Whether some picture is known to be there.
    pub fn holds(&self, location: &str) -> bool {
        self.at(location).is_some()
    }

    /// The picture that is known to be there.
    pub fn at(&self, location: &str) -> Option<&ImageName> {
        self.known.iter().find(|(_, known)| *known == location).map(|(name, _)| name)
    }

    /// Takes in a location that is already saved.
    pub fn insert(&mut self, location: ImageLocation) {
        self.known.insert(location.name, location.location);
    }

    /// Takes in a location that somebody must still save: see
    /// [`ImageLocations::take_fresh`].
    pub fn learn(&mut self, location: ImageLocation) {
        self.fresh.push(location.clone());
        self.insert(location);
    }

    /// Forgets one picture: it is not where it was.
    pub fn forget_one(&mut self, name: &ImageName) {
        self.known.remove(name);
    }

    /// Forgets every picture of an item.
    pub fn forget(&mut self, item_id: &ItemId) {
        self.known.retain(|name, _| name.item_id != *item_id);
    }

    /// What was learned since this was last asked, for the store.
    pub fn take_fresh(&mut self) -> Vec<ImageLocation> {
        std::mem::take(&mut self.fresh)
    }
}

impl FromIterator<ImageLocation> for ImageLocations {
    fn from_iter<I: IntoIterator<Item = ImageLocation>>(saved: I) -> Self {
        let known = saved.into_iter().map(|saved| (saved.name, saved.location)).collect();
        Self { known, fresh: Vec::new() }
    }
}
