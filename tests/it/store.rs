//! The state file: what it keeps, who may write it, and what it never harms.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use marketsync::domain::event::{Action, Applied, Change, Failure, Outcome, Reason, Verb};
use marketsync::domain::item::{
    BlobId, CommitId, Digest, ImageSlot, Item, ItemId, ItemKey, ItemType, Lifecycle, RepoPath,
    Version,
};
use marketsync::domain::ledger::{Ledger, Rejection, Row, Settling, settle};
use marketsync::edge::store::{
    HISTORY_AGE, HISTORY_ROWS, Identity, LOCATIONS_KEPT, PastResult, Store, StoreError, default_dir,
};
use proptest::prelude::*;

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
    ItemKey {
        item_id: item_id.parse().unwrap(),
        version: version.parse().unwrap(),
    }
}

fn item(key: &ItemKey, body: &str) -> Arc<Item> {
    Arc::new(Item {
        key: key.clone(),
        item_type: ItemType::platform("sidecar"),
        lifecycle: Lifecycle::Published,
        path: RepoPath::new("items/one.json").unwrap(),
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
    Outcome {
        change,
        result: Ok(applied),
    }
}

fn at(now: Timestamp) -> Settling {
    Settling {
        commit: CommitId("1".repeat(40)),
        now,
        setting: Digest::of(b"setting"),
    }
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

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two, three) = (
        key("one", "NA"),
        key("one", "1.0.0-rc.1+b"),
        key("three", "NA"),
    );
    let mut ledger = Ledger::default();
    let mut store = open(dir.path());
    assert_eq!(store.load_ledger().unwrap(), ledger);
    let refused = Failure::Rejected {
        why: "no such category".into(),
        pointer: Some("/categoryId".into()),
    };
    let outcomes = [
        done(change(&one, Action::Create, Reason::New), Verb::Created),
        done(change(&two, Action::Update, Reason::Drifted), Verb::Updated),
        Outcome {
            change: change(&three, Action::Create, Reason::New),
            result: Err(refused),
        },
    ];
    pass(&mut store, &mut ledger, &outcomes, &at(NOW));
    drop(store);

    let mut store = open(dir.path());
    assert_eq!(store.load_ledger().unwrap(), ledger);
    assert_eq!((ledger.rows.len(), ledger.rejections.len()), (2, 1));
    let outcomes = [
        done(change(&one, Action::Delete, Reason::Removed), Verb::Deleted),
        done(change(&three, Action::Create, Reason::New), Verb::Created),
    ];
    pass(&mut store, &mut ledger, &outcomes, &at(NOW));
    assert_eq!(store.load_ledger().unwrap(), ledger);
    assert_eq!(ledger.rows.keys().collect::<Vec<_>>(), [&two, &three]);
    assert!(ledger.rejections.is_empty());
    assert_eq!(store.deletions_of(&at(NOW).commit).unwrap(), 1);
    assert_eq!(store.deletions_of(&CommitId("2".repeat(40))).unwrap(), 0);
}

fn rows() -> impl Strategy<Value = (ItemKey, Row, Option<Rejection>)> {
    let digest = any::<[u8; 32]>().prop_map(Digest::from);
    let time = (-377_705_023_201_i64..=253_402_207_200, 0..1_000_000_000_i32)
        .prop_filter_map("in range", |(second, nano)| {
            Timestamp::new(second, nano).ok()
        });
    let version = prop_oneof![
        Just(Version::Na),
        "[0-9]{1,3}".prop_map(|n| format!("{}.0.0-a+b", n.parse::<u32>().unwrap())
            .parse()
            .unwrap())
    ];
    let key = ("[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?", version).prop_map(|(id, version)| {
        ItemKey {
            item_id: id.parse().unwrap(),
            version,
        }
    });
    let rejection =
        (digest.clone(), ".*", time.clone()).prop_map(|(circumstances, why, at)| Rejection {
            circumstances,
            why,
            at,
        });
    let path = "[^/\u{0}]{1,12}(/[^/\u{0}]{1,12}){0,3}"
        .prop_filter_map("a path", |p| RepoPath::new(&p).ok());
    let lifecycle = proptest::option::of(proptest::sample::select(Lifecycle::ALL.to_vec()));
    let row = (
        (
            digest.clone(),
            digest,
            lifecycle,
            proptest::option::of(".*"),
        ),
        (
            ".*",
            path,
            any::<[u8; 20]>(),
            time.clone(),
            proptest::collection::vec(time, 0..4),
        ),
    )
        .prop_map(
            |(
                (digest, sealed_digest, lifecycle, object_id),
                (commit, path, blob, at, corrected),
            )| Row {
                digest,
                sealed_digest,
                lifecycle,
                object_id,
                commit: CommitId(commit),
                path,
                blob: BlobId(blob),
                at,
                corrected,
            },
        );
    (key, row, proptest::option::of(rejection))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_row_comes_back_as_it_was(entries in proptest::collection::vec(rows(), 0..12)) {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::default();
        let mut outcomes = Vec::new();
        for (key, row, rejection) in entries {
            outcomes.push(done(change(&key, Action::Create, Reason::New), Verb::Created));
            ledger.rejections.extend(rejection.map(|rejection| (key.clone(), rejection)));
            ledger.rows.insert(key, row);
        }
        open(dir.path()).save(&ledger, &outcomes, &at(NOW)).unwrap();
        let read = Store::read_only(dir.path()).unwrap().unwrap();
        prop_assert_eq!(read.load_ledger().unwrap(), ledger);
    }
}

#[test]
fn a_saving_that_fails_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut ledger = Ledger::default();
    let one = key("one", "NA");
    pass(
        &mut store,
        &mut ledger,
        &[done(
            change(&one, Action::Create, Reason::New),
            Verb::Created,
        )],
        &at(NOW),
    );
    let before = ledger.clone();
    let stop = "CREATE TRIGGER stop BEFORE INSERT ON history WHEN new.item_id = 'two' BEGIN SELECT RAISE(ABORT, 'stop'); END";
    database(dir.path()).execute_batch(stop).unwrap();

    let outcomes = [
        done(change(&one, Action::Delete, Reason::Removed), Verb::Deleted),
        done(
            change(&key("two", "NA"), Action::Create, Reason::New),
            Verb::Created,
        ),
    ];
    for outcome in &outcomes {
        settle(&mut ledger, outcome, &at(NOW));
    }
    let refused = store.save(&ledger, &outcomes, &at(NOW)).unwrap_err();
    assert!(
        matches!(refused, StoreError::Database { .. }),
        "{refused:?}"
    );
    assert_eq!(store.load_ledger().unwrap(), before);
    assert_eq!(store.last_results().unwrap().len(), 1);
    database(dir.path())
        .execute_batch("DROP TRIGGER stop")
        .unwrap();
    store.save(&ledger, &outcomes, &at(NOW)).unwrap();
    assert_eq!(store.load_ledger().unwrap(), ledger);
}

#[test]
fn the_second_writer_is_told_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let refused = Store::open(dir.path(), &identity(), NOW).unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, StoreError::Locked { .. }));
    assert!(
        said.contains(&format!("process {}", std::process::id())),
        "{said}"
    );
    assert!(
        said.contains(&NOW.to_string()) && said.contains("--state"),
        "{said}"
    );
    drop(first);
    open(dir.path());
}

/// Not a test of its own: the process that the next test kills.
#[test]
#[ignore = "a part of a_dead_process_holds_nothing"]
fn hold_the_state_until_killed() {
    let Ok(dir) = std::env::var("TEST_STATE") else {
        return;
    };
    let _store = open(Path::new(&dir));
    println!("held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_dead_process_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "store::hold_the_state_until_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env("TEST_STATE", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines
            .map_while(Result::ok)
            .any(|line| line.ends_with("held")),
        "the child opened the state"
    );
    let refused = Store::open(dir.path(), &identity(), NOW)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains(&format!("process {}", child.id())),
        "{refused}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    open(dir.path());
}

#[test]
fn readers_need_no_lock_and_make_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("none");
    assert!(Store::read_only(&nowhere).unwrap().is_none());
    assert!(!nowhere.exists());

    let state = dir.path().join("state");
    let mut writer = open(&state);
    let mut ledger = Ledger::default();
    let outcome = done(
        change(&key("one", "NA"), Action::Create, Reason::New),
        Verb::Created,
    );
    let reader = Store::read_only(&state).unwrap().unwrap();
    assert_eq!(reader.load_ledger().unwrap(), ledger);
    pass(&mut writer, &mut ledger, &[outcome], &at(NOW));
    assert_eq!(
        reader.load_ledger().unwrap(),
        ledger,
        "a reader sees what was saved since it opened"
    );
    assert_eq!(reader.identity(), &identity());
    drop(writer);
    assert_eq!(reader.load_ledger().unwrap(), ledger);

    let mut reader = reader;
    let refused = reader.save(&ledger, &[], &at(NOW)).unwrap_err();
    assert!(
        matches!(refused, StoreError::Forbidden { .. }),
        "{refused:?}"
    );
}

#[test]
fn a_directory_that_may_not_be_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    let outcome = done(
        change(&key("one", "NA"), Action::Create, Reason::New),
        Verb::Created,
    );
    pass(&mut open(dir.path()), &mut ledger, &[outcome], &at(NOW));
    let set =
        |mode| std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o500);
    if std::fs::write(dir.path().join("probe"), "").is_ok() {
        println!(
            "skipped: this user may write everywhere (a unit test of edge::store reads such a file alone)"
        );
        return;
    }
    let read = Store::read_only(dir.path());
    set(0o700);
    assert_eq!(read.unwrap().unwrap().load_ledger().unwrap(), ledger);
}

#[test]
fn only_the_owner_may_look() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/b");
    let _store = open(&state);
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(state.clone()), 0o700);
    for file in ["state.db", "state.db-wal", "lock"] {
        assert_eq!(mode(state.join(file)), 0o600, "{file}");
    }
}

/// Opens for writing and for reading, and expects the same error and not a
/// byte changed.
fn refused(dir: &Path) -> StoreError {
    // Taken once beforehand: opening makes the lock file.
    _ = std::fs::File::create(dir.join("lock"));
    let before = std::fs::read(dir.join("state.db")).unwrap();
    let write = Store::open(dir, &identity(), NOW).unwrap_err();
    let read = Store::read_only(dir).unwrap_err();
    assert_eq!(write.to_string(), read.to_string());
    assert_eq!(std::fs::read(dir.join("state.db")).unwrap(), before);
    write
}

#[test]
fn a_later_layout_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    database(dir.path())
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = refused(dir.path());
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error:?}"
    );
}

#[test]
fn what_is_no_state_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("state.db"),
        "these are not the bytes you look for".repeat(200),
    )
    .unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("away"), "{error}");

    std::fs::remove_file(dir.path().join("state.db")).unwrap();
    database(dir.path())
        .execute_batch("CREATE TABLE other (x)")
        .unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::NotState { .. }), "{error:?}");
}

#[test]
fn a_torn_file_and_a_foreign_value_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    let outcome = done(
        change(&key("one", "NA"), Action::Create, Reason::New),
        Verb::Created,
    );
    pass(&mut open(dir.path()), &mut ledger, &[outcome], &at(NOW));
    for (sql, what) in [
        (
            "UPDATE ledger SET version = 'one'",
            "`one` is no version of the ledger",
        ),
        (
            "UPDATE ledger SET version = 'NA', path = '../x'",
            "`../x` is no path of the ledger",
        ),
        (
            "UPDATE ledger SET path = 'x', corrected = '{'",
            "`{` is no list of times of the ledger",
        ),
        ("UPDATE ledger SET corrected = '[]', digest = x'00'", "(2"),
    ] {
        database(dir.path()).execute_batch(sql).unwrap();
        let error = open(dir.path()).load_ledger().unwrap_err();
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{sql}: {error:?}"
        );
        if !what.starts_with('(') {
            assert!(error.to_string().contains(what), "{sql}: {error}");
        }
    }
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join("state.db"))
        .unwrap();
    file.set_len(5000).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[test]
fn an_empty_file_is_a_beginning() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("state.db"), "").unwrap();
    assert!(Store::read_only(dir.path()).unwrap().is_none());
    open(dir.path());
    assert!(Store::read_only(dir.path()).unwrap().is_some());
}

#[test]
fn a_state_serves_one_purpose() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let with = |edit: fn(&mut Identity)| {
        let mut other = identity();
        edit(&mut other);
        Store::open(dir.path(), &other, NOW)
            .unwrap_err()
            .to_string()
    };
    for (said, names) in [
        (
            with(|other| other.endpoint = "embedded".into()),
            ["endpoint `https://console.example.com`", "`embedded`"],
        ),
        (
            with(|other| other.company = "globex".into()),
            ["company `acme`", "`globex`"],
        ),
        (
            with(|other| other.source = "/tmp/x".into()),
            ["source `/srv/catalog`", "`/tmp/x`"],
        ),
    ] {
        assert!(names.iter().all(|name| said.contains(name)), "{said}");
    }
    open(dir.path());
}

#[test]
fn history_tells_what_was_tried() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let mut ledger = Ledger::default();
    let (one, next) = (key("one", "NA"), key("one", "1.0.0"));
    let later = NOW + SignedDuration::from_secs(5);
    let page = "x".repeat(1_000_000);
    let slow = Failure::Transient {
        why: page,
        retry_after: None,
    };
    let try_again = Outcome {
        change: change(&one, Action::Update, Reason::Edited),
        result: Err(slow),
    };
    pass(&mut store, &mut ledger, &[try_again], &at(NOW));
    let outcomes = [
        done(change(&one, Action::Update, Reason::Edited), Verb::Created),
        done(
            change(&next, Action::Adopt, Reason::AlreadyThere),
            Verb::Adopted,
        ),
    ];
    pass(&mut store, &mut ledger, &outcomes, &at(later));

    let past = store.history(&one.item_id, None, 10).unwrap();
    let results: Vec<_> = past
        .iter()
        .map(|past| (&past.key, past.action, past.reason, past.at))
        .collect();
    assert_eq!(
        results,
        [
            (&next, Action::Adopt, Reason::AlreadyThere, later),
            (&one, Action::Update, Reason::Edited, later),
            (&one, Action::Update, Reason::Edited, NOW),
        ]
    );
    assert_eq!(past[0].result, PastResult::Done(Verb::Adopted));
    assert_eq!(past[1].to, Some(Digest::of(b"body")));
    assert_eq!(past[1].fields, ["/description"]);
    assert_eq!(past[1].object_id.as_deref(), Some("6642"));
    assert!(matches!(&past[2].result, PastResult::Transient(why) if why.len() == 2_000));
    assert_eq!(
        store.history(&one.item_id, Some(&one.version), 1).unwrap(),
        [past[1].clone()]
    );
    let last = store.last_results().unwrap();
    assert_eq!(
        last.into_values().collect::<Vec<_>>(),
        [past[1].clone(), past[0].clone()]
    );
}

#[test]
fn history_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let ledger = Ledger::default();
    let (busy, quiet) = (key("busy", "NA"), key("quiet", "NA"));
    let once = |key: &ItemKey| done(change(key, Action::Update, Reason::Edited), Verb::Updated);
    store.save(&ledger, &[once(&quiet)], &at(NOW)).unwrap();
    let many: Vec<_> = (0..HISTORY_ROWS + 7).map(|_| once(&busy)).collect();
    store.save(&ledger, &many, &at(NOW)).unwrap();
    let count =
        |store: &Store, key: &ItemKey| store.history(&key.item_id, None, u32::MAX).unwrap().len();
    assert_eq!(count(&store, &busy), HISTORY_ROWS as usize);
    assert_eq!(count(&store, &quiet), 1);

    let almost = NOW + HISTORY_AGE;
    store.save(&ledger, &[], &at(almost)).unwrap();
    assert_eq!(count(&store, &quiet), 1);
    // Old rows go a bounded number at a time, the oldest first.
    store
        .save(&ledger, &[], &at(almost + SignedDuration::from_secs(1)))
        .unwrap();
    assert_eq!(count(&store, &busy) + count(&store, &quiet), 1);
    store
        .save(&ledger, &[], &at(almost + SignedDuration::from_secs(1)))
        .unwrap();
    assert_eq!(count(&store, &busy) + count(&store, &quiet), 0);
}

fn entry(path: &str) -> (RepoPath, String) {
    (
        RepoPath::new(path).unwrap(),
        format!("{{\"p\":\"{path}\"}}"),
    )
}

#[test]
fn what_was_seen_is_kept_for_its_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let (print, other) = (Digest::of(b"print"), Digest::of(b"other"));
    let (first, second) = (CommitId("1".repeat(40)), CommitId("dir-2".into()));
    assert_eq!(store.load_seen(&print).unwrap(), None);
    store
        .save_seen(
            &print,
            &first,
            &[entry("a"), entry("b"), entry("c/d")],
            &[],
            true,
        )
        .unwrap();
    store
        .save_seen(
            &print,
            &second,
            &[entry("e")],
            &[RepoPath::new("b").unwrap()],
            false,
        )
        .unwrap();
    let kept = vec![entry("a"), entry("c/d"), entry("e")];
    assert_eq!(
        store.load_seen(&print).unwrap(),
        Some((second.clone(), kept))
    );
    assert_eq!(store.load_seen(&other).unwrap(), None);
    store
        .save_seen(&print, &second, &[entry("z")], &[], true)
        .unwrap();
    assert_eq!(
        store.load_seen(&print).unwrap(),
        Some((second.clone(), vec![entry("z")]))
    );

    store
        .save_seen(&other, &second, &[entry("y")], &[], false)
        .unwrap();
    assert_eq!(
        store.load_seen(&other).unwrap(),
        None,
        "a difference to nothing is not a whole"
    );
    assert_eq!(store.load_seen(&print).unwrap(), None);

    store
        .save_seen(&print, &first, &[entry("a")], &[], true)
        .unwrap();
    for sql in [
        "UPDATE seen SET path = '../a'",
        "UPDATE meta SET value = 'x' WHERE name = 'seen_fingerprint'",
    ] {
        database(dir.path()).execute_batch(sql).unwrap();
        assert_eq!(store.load_seen(&print).unwrap(), None, "{sql}");
    }
}

#[test]
fn pictures_are_remembered_with_their_item() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    let (one, two): (ItemId, ItemId) = ("one".parse().unwrap(), "two".parse().unwrap());
    let picture = |n: u32| Digest::of(&n.to_le_bytes());
    for n in 0..LOCATIONS_KEPT + 3 {
        store
            .save_image_location(&picture(n), &one, ImageSlot::Image, &format!("/files/{n}"))
            .unwrap();
    }
    store
        .save_image_location(&picture(3), &one, ImageSlot::Image, "/files/new")
        .unwrap();
    store
        .save_image_location(&picture(0), &one, ImageSlot::SupportedByImage, "/files/s")
        .unwrap();
    store
        .save_image_location(&picture(0), &two, ImageSlot::Image, "/files/two")
        .unwrap();
    let locations = store.load_image_locations().unwrap();
    assert_eq!(locations.len(), LOCATIONS_KEPT as usize + 2);
    assert_eq!(
        locations[&(picture(3), one.clone(), ImageSlot::Image)],
        "/files/new"
    );
    assert!(!locations.contains_key(&(picture(2), one.clone(), ImageSlot::Image)));
    store.forget_image_locations(&one).unwrap();
    let left: Vec<_> = store.load_image_locations().unwrap().into_iter().collect();
    assert_eq!(
        left,
        [((picture(0), two, ImageSlot::Image), "/files/two".to_owned())]
    );
}

#[test]
fn the_default_place_tells_purposes_apart() {
    let place = |identity: &Identity, variables: &[(&str, &str)]| {
        let find = |name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        };
        default_dir(identity, find).map(|dir| dir.to_str().unwrap().to_owned())
    };
    let home = [("HOME", "/home/me")];
    let dir = place(&identity(), &home).unwrap();
    let (name, hash) = dir.rsplit_once('-').unwrap();
    assert_eq!(name, "/home/me/.local/state/marketsync/acme");
    assert!(hash.len() == 12 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(
        place(&identity(), &[("HOME", "/h"), ("XDG_STATE_HOME", "/s")])
            .unwrap()
            .starts_with("/s/marketsync/acme-")
    );
    assert!(
        place(&identity(), &[("HOME", "/h"), ("XDG_STATE_HOME", "rel")])
            .unwrap()
            .starts_with("/h/.local")
    );
    assert_eq!(place(&identity(), &[]), None);
    let moved = Identity {
        company: "ac".into(),
        source: "me/srv/catalog".into(),
        ..identity()
    };
    assert_ne!(
        place(&moved, &home).unwrap().rsplit_once('-').unwrap().1,
        hash
    );
    let odd = Identity {
        company: "../é/".into(),
        ..identity()
    };
    assert!(
        place(&odd, &home)
            .unwrap()
            .starts_with("/home/me/.local/state/marketsync/_____-")
    );
}
