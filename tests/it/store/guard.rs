//! One writer, any number of readers, and files that are left as they are.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use marketsync::domain::event::{Action, Reason, Verb};
use marketsync::domain::ledger::Ledger;
use marketsync::edge::store::{Identity, Store, StoreError};

use super::{NOW, at, change, database, done, identity, key, open, pass};

#[test]
fn the_second_writer_is_told_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path());
    let refused = Store::open(dir.path(), &identity(), NOW).unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, StoreError::Locked { .. }));
    assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
    assert!(said.contains(&NOW.to_string()) && said.contains("--state"), "{said}");
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
        .args(["store::guard::hold_the_state_until_killed", "--exact", "--ignored", "--nocapture"])
        .env("TEST_STATE", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines.map_while(Result::ok).any(|line| line.ends_with("held")),
        "the child opened the state"
    );
    let refused = Store::open(dir.path(), &identity(), NOW).unwrap_err().to_string();
    assert!(refused.contains(&format!("process {}", child.id())), "{refused}");
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
    let outcome = done(change(&key("one", "NA"), Action::Create, Reason::New), Verb::Created);
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
    assert!(matches!(refused, StoreError::Forbidden { .. }), "{refused:?}");
}

#[test]
fn a_directory_that_may_not_be_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    let outcome = done(change(&key("one", "NA"), Action::Create, Reason::New), Verb::Created);
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
    database(dir.path()).pragma_update(None, "user_version", 99).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error:?}");
}

#[test]
fn what_is_no_state_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("state.db"), "these are not the bytes you look for".repeat(200))
        .unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("away"), "{error}");

    std::fs::remove_file(dir.path().join("state.db")).unwrap();
    database(dir.path()).execute_batch("CREATE TABLE other (x)").unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, StoreError::NotState { .. }), "{error:?}");
}

#[test]
fn a_torn_file_and_a_foreign_value_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::default();
    let outcome = done(change(&key("one", "NA"), Action::Create, Reason::New), Verb::Created);
    pass(&mut open(dir.path()), &mut ledger, &[outcome], &at(NOW));
    for (sql, what) in [
        ("UPDATE ledger SET version = 'one'", "`one` is no version of the ledger"),
        ("UPDATE ledger SET version = 'NA', path = '../x'", "`../x` is no path of the ledger"),
        ("UPDATE ledger SET path = 'x', corrected = '{'", "`{` is no list of times of the ledger"),
        ("UPDATE ledger SET corrected = '[]', digest = x'00'", "(2"),
    ] {
        database(dir.path()).execute_batch(sql).unwrap();
        let error = open(dir.path()).load_ledger().unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{sql}: {error:?}");
        if !what.starts_with('(') {
            assert!(error.to_string().contains(what), "{sql}: {error}");
        }
    }
    let file = std::fs::OpenOptions::new().write(true).open(dir.path().join("state.db")).unwrap();
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
    // Nothing was tried with it yet: it may serve another.
    let mut other = identity();
    other.endpoint = "https://mistyped.example.com".into();
    drop(Store::open(dir.path(), &other, NOW).unwrap());
    let mut store = open(dir.path());
    assert_eq!(store.identity(), &identity());
    let tried = change(&key("a", "NA"), Action::Create, Reason::New);
    store.save(&Ledger::default(), &[done(tried, Verb::Created)], &at(NOW)).unwrap();
    drop(store);
    let with = |edit: fn(&mut Identity)| {
        let mut other = identity();
        edit(&mut other);
        Store::open(dir.path(), &other, NOW).unwrap_err().to_string()
    };
    for (said, names) in [
        (
            with(|other| other.endpoint = "embedded".into()),
            ["endpoint `https://console.example.com`", "`embedded`"],
        ),
        (with(|other| other.company = "globex".into()), ["company `acme`", "`globex`"]),
    ] {
        assert!(names.iter().all(|name| said.contains(name)), "{said}");
    }
    open(dir.path());
}

#[test]
fn a_source_that_moved_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(dir.path()).moved_from(), None);
    let mut moved = identity();
    moved.source = "/builds/2/catalog".into();
    let told = |identity: &Identity| {
        let store = Store::open(dir.path(), identity, NOW).unwrap();
        store.moved_from().map(str::to_owned)
    };
    assert_eq!(told(&moved).as_deref(), Some("/srv/catalog"));
    assert_eq!(told(&moved), None);
    assert_eq!(told(&identity()).as_deref(), Some("/builds/2/catalog"));
}
