//! A source in memory: items, their files, and the plans for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use marketsync::domain::catalog::{Bodies, Snapshot};
use marketsync::domain::event::{Action, Change, Reason};
use marketsync::domain::item::{
    BlobId, CommitId, Digest, ImageFormat, ImageSlot, Item, ItemImage, ItemKey, ItemType,
    Lifecycle, RepoPath,
};
use marketsync::domain::standards::Tailoring;
use marketsync::domain::tree::{Resolved, Target, Tree};
use serde_json::{Value, json};

/// Files in memory.
pub(crate) struct MemoryTree {
    commit: CommitId,
    files: BTreeMap<BlobId, Vec<u8>>,
    pub(crate) reads: usize,
}

#[derive(Debug, thiserror::Error)]
#[error("no such file")]
pub(crate) struct NoSuchFile;

impl Tree for MemoryTree {
    type Error = NoSuchFile;

    fn commit(&self) -> &CommitId {
        &self.commit
    }

    fn resolve(&mut self, path: &RepoPath) -> Result<Resolved, NoSuchFile> {
        Ok(Resolved { path: path.clone(), target: Target::Missing, visited: Vec::new() })
    }

    fn bytes(&mut self, _path: &RepoPath, blob: BlobId) -> Result<Vec<u8>, NoSuchFile> {
        self.reads += 1;
        self.files.get(&blob).cloned().ok_or(NoSuchFile)
    }
}

/// The source.
pub(crate) struct Shop {
    pub(crate) tree: MemoryTree,
    pub(crate) snapshot: Snapshot,
    tailoring: Tailoring,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let commit = CommitId("c0ffee".repeat(6) + "beef");
        Self {
            tree: MemoryTree { commit: commit.clone(), files: BTreeMap::new(), reads: 0 },
            snapshot: Snapshot { commit, items: BTreeMap::new(), problems: Vec::new() },
            tailoring: Tailoring { set_tenant: None, default_lifecycle: Lifecycle::Published },
        }
    }

    fn file(&mut self, bytes: &[u8]) -> BlobId {
        let digest = Digest::of(bytes);
        let blob = BlobId(digest.as_bytes()[..20].try_into().unwrap());
        self.tree.files.insert(blob, bytes.to_vec());
        blob
    }

    /// Takes in an item of this document.
    pub(crate) fn put(&mut self, document: &Value, images: Vec<ItemImage>) -> Arc<Item> {
        let bytes = document.to_string().into_bytes();
        let blob = self.file(&bytes);
        let version = document.pointer("/version/name").and_then(Value::as_str).unwrap_or("NA");
        let item_id = document["itemId"].as_str().unwrap();
        let key = ItemKey { item_id: item_id.parse().unwrap(), version: version.parse().unwrap() };
        let item = Arc::new(Item {
            key: key.clone(),
            item_type: ItemType::platform("sidecar"),
            lifecycle: Lifecycle::Published,
            lifecycle_defaulted: false,
            path: RepoPath::new(&format!("items/{item_id}.json")).unwrap(),
            file: RepoPath::new(&format!("items/{item_id}.json")).unwrap(),
            blob,
            images,
            digest: Digest::of(&bytes),
            sealed_digest: Digest::of(&bytes),
            not_on_legacy: Vec::new(),
        });
        self.snapshot.items.insert(key, item.clone());
        item
    }

    /// A plain item.
    pub(crate) fn item(&mut self, item_id: &str, version: &str) -> Arc<Item> {
        self.put(&document(item_id, version), Vec::new())
    }

    /// A picture for an item.
    pub(crate) fn picture(&mut self, slot: ImageSlot, path: &str, bytes: &[u8]) -> ItemImage {
        let blob = self.file(bytes);
        let path = RepoPath::new(path).unwrap();
        ItemImage { slot, path, blob, digest: Digest::of(bytes), format: ImageFormat::Png }
    }

    /// Loses a file.
    pub(crate) fn lose(&mut self, item: &Item) {
        self.tree.files.remove(&item.blob);
    }

    pub(crate) fn bodies(&mut self) -> (Bodies<'_, MemoryTree>, &Snapshot) {
        (Bodies { tree: &mut self.tree, tailoring: &self.tailoring }, &self.snapshot)
    }
}

/// A document as a file holds it.
pub(crate) fn document(item_id: &str, version: &str) -> Value {
    let mut document = json!({
        "itemId": item_id, "name": format!("The {item_id}"), "tenantId": "acme",
        "lifecycleStatus": "published", "resources": { "name": "r" },
        "itemTypeDefinitionRef": { "namespace": "mia-platform", "name": "sidecar" },
    });
    if version != "NA" {
        document["version"] = json!({ "name": version, "releaseNote": "-" });
    }
    document
}

pub(crate) fn change(action: Action, reason: Reason, item: &Arc<Item>) -> Change {
    let wanted =
        matches!(action, Action::Create | Action::Update | Action::Adopt).then(|| item.clone());
    Change {
        key: item.key.clone(),
        action,
        reason,
        wanted,
        from: None,
        fields: Vec::new(),
        object_id: None,
    }
}

pub(crate) fn create(item: &Arc<Item>) -> Change {
    change(Action::Create, Reason::New, item)
}

pub(crate) fn update(item: &Arc<Item>) -> Change {
    change(Action::Update, Reason::Edited, item)
}
