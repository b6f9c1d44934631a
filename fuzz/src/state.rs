//! What is read from disk and may be damaged or of a hostile hand: plan files,
//! cells of the state, and the bytes of its file.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use marketsync::domain::approval::{Approval, digest};
use marketsync::domain::item::{Digest, ItemId};
use marketsync::domain::report::{history, json, text};
use marketsync::edge::store::{Identity, Store, StoreError};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use tempfile::TempDir;

use super::parts::Parts;

/// One case: a byte that says what it is, and that.
pub fn check(data: &[u8]) {
    let mut parts = Parts::of(data);
    match parts.byte() {
        b'p' => plan_file(parts.rest()),
        b'f' => damaged_file(parts.rest()),
        b'j' => status_page(parts.rest()),
        _ => damaged_cells(parts.rest()),
    }
}

fn plan_file(text: &[u8]) {
    match Approval::read(text) {
        Ok(plan) => {
            assert_eq!(digest(&plan.changes), plan.digest);
            let written = serde_json::to_vec(&plan).unwrap();
            assert_eq!(Approval::read(&written).unwrap(), plan, "it reads back as another plan");
        }
        Err(why) => assert!(why.to_string().len() < 2_000, "{why}"),
    }
}

/// The `/status` of another process.
fn status_page(bytes: &[u8]) {
    use marketsync::domain::standing::page::{self, Page};
    let now = Timestamp::UNIX_EPOCH;
    if let Ok(page) = serde_json::from_slice::<Page>(bytes) {
        let _ = page.is_good();
        for line in text_lines(&page::text(&page, now)) {
            assert!(!line.trim_start().starts_with("::"), "{line:?}");
        }
    }
    if let Ok(items) = serde_json::from_slice(bytes)
        && let Ok(status) = json::read_items(&items)
    {
        text_lines(&text::status(&status, now)).for_each(drop);
        let again = json::status(&status);
        assert_eq!(json::read_items(&again["items"]).unwrap(), status);
    }
}

/// The lines of a text that holds nothing that moves a cursor.
fn text_lines(text: &str) -> impl Iterator<Item = &str> {
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    text.lines()
}

/// A state that one process made, and another hand wrote into.
struct State {
    dir: TempDir,
    store: Store,
    raw: Connection,
}

thread_local! {
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

fn identity() -> Identity {
    let text = str::to_owned;
    Identity { endpoint: text("embedded"), company: text("acme"), source: text("/src") }
}

fn new_state() -> State {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), &identity(), Timestamp::UNIX_EPOCH).unwrap();
    let raw = Connection::open(dir.path().join("state.db")).unwrap();
    raw.pragma_update(None, "synchronous", "OFF").unwrap();
    State { dir, store, raw }
}

const FINGERPRINT: [u8; 32] = [7; 32];

/// The tables with the columns that are written.
const TABLES: [(&str, usize); 6] = [
    (
        "ledger (item_id, version, digest, sealed_digest, lifecycle, object_id, commit_id, path, blob, at, corrected)",
        11,
    ),
    ("rejections (item_id, version, circumstances, why, at)", 5),
    (
        "history (item_id, version, at, commit_id, action, reason, result, why, object_id, from_digest, to_digest, fields, author)",
        13,
    ),
    ("seen (path, entry)", 2),
    ("image_locations (digest, item_id, slot, location)", 4),
    ("meta (name, value)", 2),
];

/// Rows, each a byte that chooses the table and its cells: text, or after a
/// `x` the bytes of a digest, or nothing.
fn damaged_cells(data: &[u8]) {
    STATE.with_borrow_mut(|state| {
        let state = state.get_or_insert_with(new_state);
        let mut parts = Parts::of(data);
        state.raw.execute_batch("BEGIN").unwrap();
        for table in ["ledger", "rejections", "history", "seen", "image_locations"] {
            state.raw.execute(&format!("DELETE FROM {table}"), []).unwrap();
        }
        state
            .raw
            .execute("DELETE FROM meta WHERE name IN ('seen_fingerprint', 'seen_commit')", [])
            .unwrap();
        for _ in 0..6 {
            let (table, columns) = TABLES[usize::from(parts.byte()) % TABLES.len()];
            let cells: Vec<Cell> = (0..columns).map(|_| cell(parts.bytes())).collect();
            let marks = vec!["?"; columns].join(", ");
            // A cell that the table does not take is none.
            let _ = state.raw.execute(
                &format!("INSERT OR REPLACE INTO {table} VALUES ({marks})"),
                rusqlite::params_from_iter(cells),
            );
            if parts.is_empty() {
                break;
            }
        }
        state.raw.execute_batch("COMMIT").unwrap();
        everything(&mut state.store);
        if let Ok(Some(mut reader)) = told(Store::read_only(state.dir.path())) {
            everything(&mut reader);
        }
    });
}

fn cell(bytes: &[u8]) -> Cell {
    let text = |bytes: &[u8]| Cell::Text(String::from_utf8_lossy(bytes).into_owned());
    match bytes {
        b"-" => Cell::Null,
        [b'x', rest @ ..] => {
            let digits: Vec<u8> =
                rest.iter().copied().cycle().take(if rest.is_empty() { 0 } else { 32 }).collect();
            Cell::Blob(digits)
        }
        [b'b', rest @ ..] => Cell::Blob(
            rest.iter().copied().cycle().take(if rest.is_empty() { 0 } else { 20 }).collect(),
        ),
        [b'y', rest @ ..] => Cell::Blob(rest.to_vec()),
        [b'i', rest @ ..] => {
            String::from_utf8_lossy(rest).parse().map_or_else(|_| text(bytes), Cell::Integer)
        }
        [b't', rest @ ..] => text(rest),
        other => text(other),
    }
}

/// Whatever can be asked of a state; each answer is one, or says that the
/// state is damaged.
fn everything(store: &mut Store) {
    if let Ok(ledger) = told(store.load_ledger()) {
        assert!(
            ledger.rows.values().all(|row| row.path.as_str().split('/').all(|name| name != ".."))
        );
    }
    if let Ok(status) = told(store.status()) {
        text_lines(&text::status(&status, Timestamp::UNIX_EPOCH)).for_each(drop);
        let _ = json::status(&status).to_string();
    }
    let _ = (told(store.last_results()), told(store.with_history()), told(store.image_locations()));
    let item_id: ItemId = "a".parse().unwrap();
    if let Ok(trail) = told(store.history(&item_id, None, 10)) {
        text_lines(&history::text(&trail)).for_each(drop);
        let _ = history::json(&trail).to_string();
    }
    let _ = (told(store.last_commit()), told(store.recall_seen(Digest::from(FINGERPRINT))));
}

/// The answer; an error must be one of those that say what is wrong with the
/// file, in words for a terminal.
fn told<T>(answer: Result<T, StoreError>) -> Result<T, ()> {
    answer.map_err(|why| {
        let shown = why.to_string();
        assert!(
            shown.len() < 4_000 && !shown.chars().any(|c| c.is_control() && c != '\n'),
            "{shown:?}"
        );
    })
}

/// The bytes of a good state, with others in their place: pairs of a place
/// (two bytes) and a byte.
fn damaged_file(patches: &[u8]) {
    thread_local! {
        static GOOD: Vec<u8> = good_file();
        static DIR: TempDir = TempDir::new().unwrap();
    }
    let mut bytes = GOOD.with(Clone::clone);
    let (triples, rest) = patches.as_chunks::<3>();
    for [high, low, byte] in triples {
        let at = (usize::from(*high) << 8 | usize::from(*low)) % bytes.len();
        bytes[at] = *byte;
    }
    if let [cut] = rest {
        bytes.truncate(bytes.len() * usize::from(*cut) / 256);
    }
    DIR.with(|dir| {
        let path = dir.path().join("state.db");
        for beside in ["state.db-wal", "state.db-shm"] {
            let _ = fs::remove_file(dir.path().join(beside));
        }
        fs::write(&path, &bytes).unwrap();
        if let Ok(Some(mut reader)) = told(Store::read_only(dir.path())) {
            everything(&mut reader);
        }
    });
}

/// A state with a row in each table, in one file.
fn good_file() -> Vec<u8> {
    let dir = TempDir::new().unwrap();
    drop(Store::open(dir.path(), &identity(), Timestamp::UNIX_EPOCH).unwrap());
    let path = dir.path().join("state.db");
    let raw = Connection::open(&path).unwrap();
    raw.pragma_update(None, "journal_mode", "DELETE").unwrap();
    raw.execute_batch(
        "INSERT INTO ledger VALUES ('a', '1.0.0', zeroblob(32), zeroblob(32), 'draft', 'id', 'c', 'a.json', zeroblob(20), '1970-01-01T00:00:00Z', '[]');
         INSERT INTO rejections VALUES ('a', 'NA', zeroblob(32), 'why', '1970-01-01T00:00:00Z');
         INSERT INTO history (item_id, version, at, commit_id, action, reason, result, fields) VALUES ('a', 'NA', '1970-01-01T00:00:00Z', 'c', 'update', 'drifted', 'Updated', '[\"/a\"]');
         INSERT INTO image_locations (digest, item_id, slot, location) VALUES (zeroblob(32), 'a', 'image', '/v2/files/download/x.png');",
    )
    .unwrap();
    drop(raw);
    read(&path)
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
