//! The files of one commit to a [`Snapshot`]: what the source wants.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::item::{CommitId, Item, ItemId, ItemImage, ItemKey, Version};
use crate::domain::manifest::{self, Tailoring};
use crate::domain::source::{Problem, Severity};
use crate::domain::tree::Tree;

/// What one commit wants. Total: a broken file is a problem, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What was read.
    pub commit: CommitId,
    /// The valid items.
    pub items: BTreeMap<ItemKey, Arc<Item>>,
    /// What is wrong, and what deserves a look, ordered by path and position.
    pub problems: Vec<Problem>,
}

impl Snapshot {
    /// Whether a file is broken. Then nothing is deleted: a move into a broken
    /// file must not read as a removal.
    pub fn is_broken(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// The versions of one item, ascending.
    pub fn versions_of<'a>(&'a self, item_id: &ItemId) -> impl Iterator<Item = &'a Version> + use<'a> {
        let first = ItemKey { item_id: item_id.clone(), version: Version::Na };
        let item_id = item_id.clone();
        self.items.range(first..).map(|(key, _)| key).take_while(move |key| key.item_id == item_id).map(|key| &key.version)
    }
}

/// The bodies of items, read again when they are sent or compared: bodies of
/// unchanged items are not kept.
pub struct Bodies<'a, T> {
    /// The commit that the items were loaded from.
    pub tree: &'a mut T,
    /// How documents are made fit for their company.
    pub tailoring: &'a Tailoring,
}

impl<T: Tree> Bodies<'_, T> {
    /// The document of an item as it is wanted: tailored, without `$schema`,
    /// with `image` and `supportedByImage` still in it as the file has them.
    pub fn document(&mut self, item: &Item) -> Result<Value, T::Error> {
        manifest::document(self.tree, item, self.tailoring)
    }

    /// The bytes of a picture of an item.
    pub fn image(&mut self, image: &ItemImage) -> Result<Vec<u8>, T::Error> {
        self.tree.bytes(&image.path, image.blob)
    }
}
