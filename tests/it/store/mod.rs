//! The state file: what it keeps, who may write it, and what it never harms.

mod ledger;
mod guard;
mod history;
mod cache;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use marketsync::domain::event::{Action, Applied, Change, Outcome, Reason, Verb};
use marketsync::domain::item::{
    BlobId, CommitId, Digest, Item, ItemKey, ItemType, Lifecycle, RepoPath,
};
use marketsync::domain::ledger::{Ledger, Settling, settle};
use marketsync::edge::store::{Identity, Store};

const NOW: Timestamp = Timestamp::constant(1_770_000_000, 0);

fn identity() -> Identity {
    Identity {
        endpoint: "https://console.example.com".into(),
        company: "acme".into(),
        source: "/srv/catalog".into(),
    }
}

fn open(dir: &Path) -> Store {
    Store::open(dir, &identity(), NOW).unwrap()
}

fn key(item_id: &str, version: &str) -> ItemKey {
    ItemKey { item_id: item_id.parse().unwrap(), version: version.parse().unwrap() }
}

fn item(key: &ItemKey, body: &str) -> Arc<Item> {
    Arc::new(Item {
        key: key.clone(),
        item_type: ItemType::platform("sidecar"),
        lifecycle: Lifecycle::Published,
        lifecycle_defaulted: false,
        path: RepoPath::new("items/one.json").unwrap(),
        file: RepoPath::new("items/one.json").unwrap(),
        blob: BlobId([7; 20]),
        images: Vec::new(),
        digest: Digest::of(body.as_bytes()),
        sealed_digest: Digest::of(b"sealed"),
        not_on_legacy: Vec::new(),
    })
}

fn change(key: &ItemKey, action: Action, reason: Reason) -> Change {
    let gone = matches!(action, Action::Delete | Action::Forget);
    Change {
        key: key.clone(),
        action,
        reason,
        wanted: (!gone).then(|| item(key, "body")),
        from: gone.then(|| Digest::of(b"before")),
        fields: vec!["/description".into()],
        object_id: None,
    }
}

fn done(change: Change, verb: Verb) -> Outcome {
    let applied = Applied {
        verb,
        object_id: Some("6642".into()),
        read_back: false,
        unchanged_there: false,
        took: Duration::from_millis(12),
    };
    Outcome { change, result: Ok(applied) }
}

fn at(now: Timestamp) -> Settling {
    let author = Some("Ada Author".to_owned());
    Settling { commit: CommitId("1".repeat(40)), author, now, setting: Digest::of(b"setting") }
}

/// Settles and saves, as a pass does.
fn pass(store: &mut Store, ledger: &mut Ledger, outcomes: &[Outcome], settling: &Settling) {
    for outcome in outcomes {
        settle(ledger, outcome, settling);
    }
    store.save(ledger, outcomes, settling).unwrap();
}

fn database(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join("state.db")).unwrap()
}
