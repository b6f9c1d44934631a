//! Small builders of the nouns of the domain.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use marketsync::domain::catalog::Snapshot;
use marketsync::domain::event::{Action, Applied, Change, Outcome, Verb};
use marketsync::domain::item::{
    BlobId, CommitId, Digest, Item, ItemKey, ItemType, Lifecycle, RepoPath, Version,
};
use marketsync::domain::ledger::{Ledger, Row};
use marketsync::domain::plan::{Look, Policy};
use marketsync::domain::source::Problem;

/// Some digest, another for every number.
pub(crate) fn digest(number: u64) -> Digest {
    Digest::of(&number.to_be_bytes())
}

pub(crate) fn key(id: &str, version: &str) -> ItemKey {
    ItemKey { item_id: id.parse().unwrap(), version: version.parse().unwrap() }
}

/// Noon of a day, and minutes after it.
pub(crate) fn noon(minutes: i64) -> Timestamp {
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    noon + SignedDuration::from_mins(minutes)
}

pub(crate) fn commit(name: &str) -> CommitId {
    CommitId(name.to_owned())
}

/// An item of digest 1; versioned ones are plugins, the others sidecars.
pub(crate) struct ItemBuilder(Item);

pub(crate) fn item(id: &str, version: &str) -> ItemBuilder {
    let key = key(id, version);
    let item_type = if key.version == Version::Na { "sidecar" } else { "plugin" };
    ItemBuilder(Item {
        path: RepoPath::new(&format!("{id}/{version}.json")).unwrap(),
        file: RepoPath::new(&format!("{id}/{version}.json")).unwrap(),
        key,
        item_type: ItemType::platform(item_type),
        lifecycle: Lifecycle::Published,
        lifecycle_defaulted: false,
        blob: BlobId([1; 20]),
        images: Vec::new(),
        digest: digest(1),
        sealed_digest: digest(1),
        not_on_legacy: Vec::new(),
    })
}

impl ItemBuilder {
    pub(crate) fn digest(mut self, number: u64) -> Self {
        self.0.digest = digest(number);
        self
    }

    /// Sets the digest of `resources` and type.
    pub(crate) fn sealed(mut self, number: u64) -> Self {
        self.0.sealed_digest = digest(number);
        self
    }

    pub(crate) fn not_on_legacy(mut self, fields: &[&str]) -> Self {
        self.0.not_on_legacy = fields.iter().map(|field| (*field).to_owned()).collect();
        self
    }

    pub(crate) fn build(self) -> Item {
        self.0
    }
}

/// What is recorded of an item, settled at noon.
pub(crate) struct RowBuilder(ItemKey, Row);

pub(crate) fn row(id: &str, version: &str) -> RowBuilder {
    let item = item(id, version).build();
    RowBuilder(
        item.key,
        Row {
            digest: item.digest,
            sealed_digest: item.sealed_digest,
            lifecycle: Some(Lifecycle::Published),
            object_id: None,
            commit: commit("c0"),
            path: item.path,
            blob: item.blob,
            at: noon(0),
            corrected: Vec::new(),
        },
    )
}

impl RowBuilder {
    pub(crate) fn digest(mut self, number: u64) -> Self {
        self.1.digest = digest(number);
        self
    }

    pub(crate) fn lifecycle(mut self, lifecycle: Option<Lifecycle>) -> Self {
        self.1.lifecycle = lifecycle;
        self
    }

    pub(crate) fn object_id(mut self, id: &str) -> Self {
        self.1.object_id = Some(id.to_owned());
        self
    }

    /// Sets when drift was corrected, in minutes after noon.
    pub(crate) fn corrected(mut self, minutes: &[i64]) -> Self {
        self.1.corrected = minutes.iter().copied().map(noon).collect();
        self
    }
}

pub(crate) fn snapshot(items: impl IntoIterator<Item = ItemBuilder>) -> Snapshot {
    let items = items.into_iter().map(|item| (item.0.key.clone(), Arc::new(item.0)));
    Snapshot { commit: commit("c1"), items: items.collect(), problems: Vec::new() }
}

/// The same snapshot of a source that holds a broken file, too.
pub(crate) fn broken(mut snapshot: Snapshot) -> Snapshot {
    let path = RepoPath::new("broken.json").unwrap();
    snapshot.problems.push(Problem::of_file(&path, "not valid JSON"));
    snapshot
}

pub(crate) fn ledger(rows: impl IntoIterator<Item = RowBuilder>) -> Ledger {
    let rows = rows.into_iter().map(|RowBuilder(key, row)| (key, row)).collect();
    Ledger { rows, ..Ledger::default() }
}

/// Everything is allowed; a pass at noon.
pub(crate) fn anything_goes() -> Policy {
    Policy {
        waiting: BTreeMap::new(),
        correct_drift: true,
        prune: true,
        retry_rejected: false,
        setting: digest(7),
        now: noon(0),
    }
}

pub(crate) fn agrees() -> Look {
    Look::Agrees { object_id: None }
}

pub(crate) fn differs(fields: &[&str]) -> Look {
    Look::Differs {
        object_id: None,
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    }
}

pub(crate) fn failed(why: &str) -> Look {
    Look::Failed { why: why.to_owned() }
}

/// The outcome of a change that the marketplace made as it was asked to.
pub(crate) fn done(change: &Change) -> Outcome {
    let verb = match change.action {
        Action::Create => Verb::Created,
        Action::Update => Verb::Updated,
        Action::Adopt => Verb::Adopted,
        Action::Delete => Verb::Deleted,
        Action::Forget => Verb::Forgotten,
    };
    let applied = Applied {
        verb,
        object_id: None,
        read_back: false,
        unchanged_there: false,
        took: Duration::from_millis(1),
    };
    Outcome { change: change.clone(), result: Ok(applied) }
}
