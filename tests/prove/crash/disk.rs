//! A disk that is full, or may not be written any more, and a state that is
//! taken away under a daemon.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::catalogue::Catalogue;
use super::scene::Scene;
use crate::findings::{Findings, long};
use crate::support::cli::{Bench, Run};
use crate::support::daemon::{Daemon, EVENTS};
use crate::world::catches_up;

/// How many items go at once, some of them with pictures.
const ITEMS: u32 = 40;

/// A file system that is there for as long as this.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts `what` on `dir`; none, and a reason printed, if that is refused.
    fn new(dir: &Path, what: &[&str]) -> Option<Self> {
        fs::create_dir_all(dir).unwrap();
        let done = Command::new("mount").args(what).arg(dir).output();
        match done {
            Ok(done) if done.status.success() => Some(Self(dir.to_owned())),
            refused => {
                eprintln!("skipped: nothing can be mounted here (root may): {refused:?}");
                None
            }
        }
    }

    /// A file system in memory.
    fn memory(dir: &Path, options: &str) -> Option<Self> {
        Self::new(dir, &["-t", "tmpfs", "-o", &format!("{options},mode=700"), "none"])
    }

    fn change(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap();
        assert!(done.success(), "{options}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn scene(items: u32) -> Scene {
    let bench = Bench::new();
    let mut catalogue = Catalogue::new(&mut fastrand::Rng::with_seed(7), items);
    catalogue.commit(&bench);
    Scene { bench, catalogue, touched: BTreeSet::new() }
}

/// Another text for every item.
fn edit(scene: &mut Scene, text: &str) -> String {
    scene.catalogue.rewrite(text);
    scene.catalogue.commit(&scene.bench)
}

/// Leaves so many bytes of a disk.
fn fill(dir: &Path, leave: u64) -> PathBuf {
    let path = dir.join("filler");
    let mut file = File::create(&path).unwrap();
    let mut size: u64 = 0;
    while file.write_all(&[0; 4096]).is_ok() {
        size += 4096;
    }
    file.set_len(size.saturating_sub(leave)).unwrap();
    path
}

/// A first apply on a disk that is too small, and then on one that is not.
fn too_small(options: &str, findings: &mut Findings) -> bool {
    let mut scene = scene(ITEMS);
    let Some(disk) = Mounted::memory(&scene.bench.state(), options) else { return false };
    let before = scene.kept();
    let run = scene.bench.apply(&[]);
    catches_up(&scene.bench);
    let after = scene.judge(&run, &before);
    let unrecorded = scene.unrecorded(&after);
    match run.code {
        Some(0) => scene.is_right(&run, &before, false),
        Some(2) => {
            let error = run.line("Ended")["error"].as_str().unwrap().to_owned();
            assert!(error.contains(scene.bench.state().to_str().unwrap()), "{run}");
            assert_eq!(run.stderr.contains("could not be recorded"), unrecorded > 0, "{run}");
        }
        _ => panic!("{run}"),
    }
    disk.change("size=64m,nr_inodes=1000");
    let before = scene.kept();
    let run = scene.bench.apply(&[]).exits(0);
    scene.is_right(&run, &before, false);
    scene.is_at_rest(scene.bench.repo.path().to_str().unwrap(), &[]);
    let code = if after.rows.len() == scene.catalogue.pieces.len() { "0" } else { "2" };
    findings.row(&[options, code, &after.rows.len().to_string(), &unrecorded.to_string(), "0"]);
    true
}

#[test]
#[ignore = "needs root: tests/prove/run"]
fn a_disk_of_any_size() {
    const COLUMNS: [&str; 5] =
        ["disk", "exit", "items recorded", "changes sent and not recorded", "lies, damage"];
    let mut findings = Findings::begin("crash-disk-size", &COLUMNS);
    let step = if long() { 4 } else { 40 };
    let sizes = (8..400).step_by(step).map(|size| format!("size={size}k"));
    for options in sizes.chain((2..8).map(|count| format!("size=64m,nr_inodes={count}"))) {
        if !too_small(&options, &mut findings) {
            return;
        }
    }
}

#[test]
#[ignore = "needs root: tests/prove/run"]
fn a_disk_that_fills_under_a_daemon() {
    const COLUMNS: [&str; 4] = ["bytes left", "sent meanwhile", "recorded meanwhile", "lies"];
    let mut findings = Findings::begin("crash-disk-full", &COLUMNS);
    for leave in [0, 4, 16, 24, 32, 40, 48, 64, 96] {
        let mut scene = scene(ITEMS);
        let state = scene.bench.state();
        let Some(_disk) = Mounted::memory(&state, "size=2m") else { return };
        let before = scene.kept();
        let daemon = Daemon::follow(&scene.bench, EVENTS);
        daemon.settles(&scene.bench.repo.git(&["rev-parse", "HEAD"]));
        let middle = scene.kept();
        let filler = fill(&state, leave * 1024);
        let created = scene.bench.sent().len();
        let commit = edit(&mut scene, "Written on a full disk");
        daemon.until("it says so, or goes on", |daemon| {
            daemon.mentions("is full") > 0 || daemon.said("Updated").len() >= ITEMS as usize
        });
        assert_eq!(daemon.get("/readyz").0, 200, "{daemon}");
        let sent = scene.bench.sent().len() - created;
        let recorded = scene.kept().rows.values().filter(|row| **row == commit).count();
        if sent == 0 {
            assert_eq!(scene.kept(), middle, "{daemon}");
        }
        fs::remove_file(filler).unwrap();
        daemon
            .until("it goes on by itself", |daemon| daemon.said("Updated").len() >= ITEMS as usize);
        daemon.until("it has recovered", |daemon| {
            daemon.lines("Pass failed").is_empty() || !daemon.lines("Recovered").is_empty()
        });
        let run = daemon.stop();
        scene.is_right(&run, &before, false);
        findings.row(&[&format!("{leave} KiB"), &sent.to_string(), &recorded.to_string(), "0"]);
    }
    findings
        .note("When there is room again, it goes on by itself: everything is right at the end.");
}

#[test]
#[ignore = "needs root: tests/prove/run"]
fn a_disk_that_may_not_be_written_any_more() {
    let mut scene = scene(ITEMS);
    let state = scene.bench.state();
    let image = scene.bench.home.path().join("disk");
    File::create(&image).unwrap().set_len(16 << 20).unwrap();
    let made = Command::new("mkfs.ext4").arg("-q").arg(&image).output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: mkfs.ext4 makes no file system here");
        return;
    }
    let what = ["-o", "loop,errors=remount-ro", image.to_str().unwrap()];
    let Some(disk) = Mounted::new(&state, &what) else { return };
    let before = scene.kept();
    let daemon = Daemon::follow(&scene.bench, EVENTS);
    daemon.settles(&scene.bench.repo.git(&["rev-parse", "HEAD"]));
    let device = Command::new("findmnt").args(["-no", "SOURCE"]).arg(&state).output().unwrap();
    let device = String::from_utf8(device.stdout).unwrap();
    let device = device.trim().trim_start_matches("/dev/").to_owned();
    // What a disk that fails does to its file system.
    fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "1").unwrap();
    scene.bench.handle().clear_log();
    edit(&mut scene, "Written on a disk that failed");
    daemon.until("it says so", |daemon| !daemon.lines("Pass failed").is_empty());
    assert!(daemon.mentions(state.to_str().unwrap()) > 0, "{daemon}");
    assert_eq!(scene.bench.sent(), Vec::<String>::new(), "{daemon}");
    let reason = daemon.lines("Pass failed")[0]["reason"].as_str().unwrap().to_owned();
    let run = daemon.stop();
    assert_eq!(run.said("Updated"), Vec::<String>::new());
    drop(disk);
    drop(Command::new("e2fsck").arg("-fy").arg(&image).output().unwrap());
    let Some(_disk) = Mounted::new(&state, &what) else { panic!("it was mounted before") };
    let run = scene.bench.apply(&[]).exits(0);
    scene.is_right(&run, &before, false);
    let mut findings = Findings::begin("crash-disk-read-only", &["disk", "the daemon says"]);
    findings.row(&["ext4 after an error", &reason]);
}

/// What is done to the files of a state, and how the daemon must take it.
type Harm = (&'static str, fn(&Path), bool);

/// What somebody may do to a state that is in use; whether it can be used
/// afterwards.
const HARMS: [Harm; 9] = [
    ("the folder is removed", |state| fs::remove_dir_all(state).unwrap(), true),
    ("the folder is replaced by a copy", replace_all, true),
    ("the lock is removed", |state| fs::remove_file(state.join("lock")).unwrap(), true),
    ("the database is replaced by a copy", |state| replace(&state.join("state.db")), true),
    ("the database is removed", |state| fs::remove_file(state.join("state.db")).unwrap(), true),
    ("the database is emptied", |state| cut(&state.join("state.db"), 0), false),
    ("the database is cut in half", |state| cut(&state.join("state.db"), 2), false),
    (
        "the log of the database is removed",
        |state| {
            fs::remove_file(state.join("state.db-wal")).unwrap();
        },
        true,
    ),
    ("the log of the database is emptied", |state| cut(&state.join("state.db-wal"), 0), false),
];

fn replace(file: &Path) {
    let other = file.with_extension("other");
    fs::copy(file, &other).unwrap();
    fs::rename(other, file).unwrap();
}

fn replace_all(state: &Path) {
    let other = state.with_extension("other");
    fs::rename(state, &other).unwrap();
    fs::create_dir(state).unwrap();
    for entry in fs::read_dir(&other).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), state.join(entry.file_name())).unwrap();
    }
}

/// Cuts a file to a part of its length, or to nothing.
fn cut(file: &Path, part: u64) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length.checked_div(part).unwrap_or(0)).unwrap();
}

#[test]
fn a_state_that_is_taken_away_under_a_daemon() {
    let columns = ["what is done", "the daemon", "sent without a record", "the next start"];
    let mut findings = Findings::begin("crash-state-harmed", &columns);
    for (name, harm, stays_usable) in HARMS {
        let mut scene = scene(3);
        let daemon = Daemon::follow(&scene.bench, EVENTS);
        daemon.settles(&scene.bench.repo.git(&["rev-parse", "HEAD"]));
        // Everything into the one file, as after a while.
        let database = rusqlite::Connection::open(scene.bench.state().join("state.db")).unwrap();
        database.execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
        drop(database);
        scene.bench.handle().clear_log();
        harm(&scene.bench.state());
        let commit = edit(&mut scene, name);
        let run = after_harm(daemon, &commit);
        assert!(!run.stderr.contains("panicked"), "{name}: {run}");
        let sent = scene.bench.sent().len();
        let took = match run.code {
            Some(2) => "ends, exit 2",
            Some(0) if run.lines("Pass failed").is_empty() => "goes on",
            Some(0) => "says that the pass failed",
            _ => panic!("{name}: {run}"),
        };
        if took != "goes on" {
            assert_eq!((sent, run.said("Updated").len()), (0, 0), "{name}: {run}");
            assert!(run.stderr.contains(scene.bench.state().to_str().unwrap()), "{name}: {run}");
        }
        let next = next_start(&mut scene, stays_usable, name);
        findings.row(&[name, took, &sent.to_string(), next]);
    }
}

/// What a daemon makes of a commit when its state was harmed.
fn after_harm(daemon: Daemon, commit: &str) -> Run {
    let settled = |daemon: &Daemon| {
        let reconciled = daemon.lines("Reconciled");
        let done = |line: &serde_json::Value| {
            line["commit"].as_str().is_some_and(|short| commit.starts_with(short))
        };
        !daemon.lines("Pass failed").is_empty() || reconciled.iter().any(done)
    };
    daemon.until("it says something", settled);
    if daemon.mentions("start again") > 0 { daemon.end() } else { Run::clone(&daemon.stop()) }
}

/// What a new start makes of it: everything right, if need be after the state
/// was moved away as the message says.
fn next_start(scene: &mut Scene, stays_usable: bool, name: &str) -> &'static str {
    let run = scene.bench.apply(&[]);
    let how = if run.code == Some(2) {
        assert!(!stays_usable, "{name}: {run}");
        assert!(run.line("Ended")["error"].as_str().unwrap().contains("damaged"), "{run}");
        fs::remove_dir_all(scene.bench.state()).unwrap();
        scene.bench.apply(&[]).exits(0);
        "exit 2, and right once it is moved away"
    } else {
        run.exits(0);
        "right"
    };
    let after = scene.kept();
    for name in scene.catalogue.pieces.keys() {
        assert!(scene.is_settled(&after, name), "{name}");
    }
    assert_eq!(crate::world::wrong(&scene.bench, &scene.catalogue.wanted()), Vec::<String>::new());
    how
}
