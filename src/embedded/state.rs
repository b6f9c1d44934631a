//! What the embedded marketplace holds: items and images, no clock, disk or
//! network. Every change comes with the [`Record`] that repeats it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::item::{ItemId, ItemKey, Lifecycle, Version};

/// The most item versions that are held: twice what marketsync reads from one
/// source, so that a client meets its own limit first.
pub const MAX_ITEMS: usize = 200_000;

/// The most bytes of images that are held. Every upload makes a new file
/// (`marketplace-api.md` §5); one run of `miactl` over the public catalogue
/// uploads 18 MB.
pub const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// One version of an item of one company.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The company.
    pub(crate) tenant: String,
    /// The item and its version.
    pub(crate) item: ItemKey,
}

/// A stored version of an item.
///
/// `document` is a manifest of the 14.1 model without `type`; what only the
/// legacy model has is kept in `legacy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// `_id`: 24 hexadecimal digits, made once, kept over updates (§8.2).
    pub(crate) id: String,
    /// The item.
    pub(crate) document: Map<String, Value>,
    /// `releaseStage`, `comingSoon` … as last written through the legacy API.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) legacy: Map<String, Value>,
}

impl Stored {
    /// A text field of the document, empty if it is absent.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.document.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The lifecycle status; what is unknown counts as published.
    pub(crate) fn lifecycle(&self) -> Lifecycle {
        self.text("lifecycleStatus").parse().unwrap_or(Lifecycle::Published)
    }

    /// Whether `visibility.public` or `.allTenants` is set.
    pub(crate) fn visible_to(&self, whom: &str) -> bool {
        self.document
            .get("visibility")
            .and_then(|v| v.get(whom))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }
}

/// An uploaded image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    /// What it is, for example `image/png`.
    pub(crate) mime: String,
    /// Its bytes.
    pub(crate) bytes: Bytes,
}

/// A change, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    /// The key that signs tokens, base64.
    Secret(String),
    /// An item was created or replaced.
    Put {
        /// The company.
        tenant: String,
        /// The item.
        item: ItemKey,
        /// What it is now.
        stored: Stored,
    },
    /// An item was removed.
    Delete {
        /// The company.
        tenant: String,
        /// The item.
        item: ItemKey,
    },
    /// An image was uploaded.
    File {
        /// The last segment of its location.
        name: String,
        /// What it is.
        mime: String,
        /// Its bytes, base64.
        base64: String,
    },
    /// An image was removed.
    Unfile {
        /// The last segment of its location.
        name: String,
    },
}

/// Items and images.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    items: BTreeMap<Key, Stored>,
    keys: BTreeMap<String, Key>,
    files: BTreeMap<String, StoredFile>,
    file_bytes: u64,
}

/// The path of an image, without its name (§5).
pub(crate) const FILES: &str = "/v2/files/download/";

impl State {
    /// How many versions are held.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// One version.
    pub(crate) fn get(&self, key: &Key) -> Option<&Stored> {
        self.items.get(key)
    }

    /// The key of an object id.
    pub(crate) fn key_of(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }

    /// Everything, in the order of company, item and version.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Stored)> {
        self.items.iter()
    }

    /// The versions of one item, lowest first.
    pub(crate) fn versions(
        &self,
        tenant: &str,
        item_id: &ItemId,
    ) -> impl Iterator<Item = (&Key, &Stored)> {
        let first = Key {
            tenant: tenant.to_owned(),
            item: ItemKey { item_id: item_id.clone(), version: Version::Na },
        };
        let wanted = first.clone();
        self.items.range(first..).take_while(move |(key, _)| {
            key.tenant == wanted.tenant && key.item.item_id == wanted.item.item_id
        })
    }

    /// The latest version of one item (§9.1): the highest published; else the
    /// highest in another status; those that are coming soon last; `NA` below
    /// every named version.
    pub(crate) fn latest(&self, tenant: &str, item_id: &ItemId) -> Option<&Key> {
        let rank = |(key, stored): &(&Key, &Stored)| {
            let status = match stored.lifecycle() {
                Lifecycle::Published => 2,
                Lifecycle::ComingSoon => 0,
                _ => 1,
            };
            (key.item.version.is_named(), status, key.item.version.clone())
        };
        self.versions(tenant, item_id).max_by_key(rank).map(|(key, _)| key)
    }

    /// Stores a version and returns what was there before.
    pub(crate) fn put(&mut self, key: Key, stored: Stored) -> Option<Stored> {
        let before = self.items.get(&key).map(|before| before.id.clone());
        if let Some(id) = before {
            self.keys.remove(&id);
        }
        self.keys.insert(stored.id.clone(), key.clone());
        self.items.insert(key, stored)
    }

    /// Removes a version.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Stored> {
        let stored = self.items.remove(key)?;
        self.keys.remove(&stored.id);
        Some(stored)
    }

    /// An image.
    pub(crate) fn file(&self, name: &str) -> Option<&StoredFile> {
        self.files.get(name)
    }

    /// The names of all images.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether so many more bytes of images may be held.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        self.file_bytes.saturating_add(bytes as u64) <= MAX_FILE_BYTES
    }

    /// Keeps an image.
    pub(crate) fn put_file(&mut self, name: String, file: StoredFile) {
        self.file_bytes = self.file_bytes.saturating_add(file.bytes.len() as u64);
        if let Some(before) = self.files.insert(name, file) {
            self.file_bytes = self.file_bytes.saturating_sub(before.bytes.len() as u64);
        }
    }

    /// Forgets an image.
    pub(crate) fn remove_file(&mut self, name: &str) -> bool {
        let gone = self.files.remove(name);
        if let Some(file) = &gone {
            self.file_bytes = self.file_bytes.saturating_sub(file.bytes.len() as u64);
        }
        gone.is_some()
    }

    /// The images of a removed version that no other version names.
    pub(crate) fn orphans_of(&self, removed: &Stored) -> Vec<String> {
        ["imageUrl", "supportedByImageUrl"]
            .into_iter()
            .filter_map(|field| removed.text(field).strip_prefix(FILES))
            .filter(|name| self.files.contains_key(*name))
            .filter(|name| {
                let location = format!("{FILES}{name}");
                !self.items.values().any(|stored| {
                    stored.text("imageUrl") == location
                        || stored.text("supportedByImageUrl") == location
                })
            })
            .map(str::to_owned)
            .collect()
    }
}
