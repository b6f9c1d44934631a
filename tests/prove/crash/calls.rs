//! Killed before, and refused at, every system call that changes the state.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::catalogue::Catalogue;
use super::scene::Scene;
use crate::findings::{Findings, has, long};
use crate::support::cli::{Bench, Run, Running};
use crate::support::documents::{plugin, set, sidecar};
use crate::support::market::{COMPANY, key};
use crate::world::catches_up;

/// What changes files, or opens them.
const CALLS: &str = "pwrite64,write,fsync,fdatasync,ftruncate,fallocate,unlink,unlinkat,rename,\
                     renameat,renameat2,openat,mkdir,mkdirat";

/// The files of a state, beside the folder itself.
const FILES: [&str; 5] = ["state.db", "state.db-wal", "state.db-shm", "state.db-journal", "lock"];

/// What deletes all that was removed.
const PRUNE: [&str; 2] = ["--prune", "--allow-deletes=1000"];

/// Of the short form every so manieth call is met.
const STEP: usize = 11;

/// What happens at a call: what strace is told, and how often it happens.
const WAYS: [(&str, &str, &str); 6] = [
    ("killed", "signal=SIGKILL", ""),
    ("EIO once", "error=EIO", ""),
    ("EIO from there on", "error=EIO", "+"),
    ("ENOSPC once", "error=ENOSPC", ""),
    ("ENOSPC from there on", "error=ENOSPC", "+"),
    (EROFS.0, "error=EROFS", "+"),
];

/// What a disk that may not be written refuses.
const EROFS: (&str, [&str; 5]) =
    ("EROFS from there on", ["openat", "mkdir", "unlink", "ftruncate", "rename"]);

/// A scene that begins the same again and again.
struct Stage {
    scene: Scene,
    /// A copy of the state; none if there is none yet.
    state: Option<PathBuf>,
    /// What the marketplace has.
    stored: Vec<(String, Value)>,
}

#[derive(Debug, Default)]
struct Tally {
    points: usize,
    ended: usize,
    borne: usize,
    killed: usize,
    unrecorded: usize,
}

impl Stage {
    /// Three items, nothing applied yet.
    fn first() -> Self {
        let bench = Bench::new();
        let mut catalogue = Catalogue::new(&mut fastrand::Rng::with_seed(1), 0);
        catalogue.put(sidecar("alpha"), Some(1));
        catalogue.put(plugin("beta", "1.0.0"), None);
        catalogue.put(sidecar("gamma"), None);
        catalogue.commit(&bench);
        let scene = Scene { bench, catalogue, touched: std::collections::BTreeSet::new() };
        Self { scene, state: None, stored: Vec::new() }
    }

    /// These applied, and then two edits, a new picture, a new item, and one
    /// less.
    fn edit() -> Self {
        let mut stage = Self::first();
        let Scene { bench, catalogue, .. } = &mut stage.scene;
        bench.apply(&[]).exits(0);
        catalogue.put(set(sidecar("alpha"), "/description", "Another"), Some(2));
        catalogue.put(set(plugin("beta", "1.0.0"), "/description", "Another"), None);
        catalogue.put(sidecar("delta"), Some(3));
        catalogue.remove("gamma NA");
        catalogue.commit(bench);
        let copy = bench.home.path().join("copy");
        copy_files(&bench.state(), &copy);
        let stored = |name: &String| {
            let (item_id, version) = name.split_once(' ').unwrap();
            (name.clone(), bench.stored(item_id, version).unwrap())
        };
        stage.stored = bench.names().iter().map(stored).collect();
        stage.state = Some(copy);
        stage
    }

    fn reset(&mut self) {
        let bench = &self.scene.bench;
        drop(fs::remove_dir_all(bench.state()));
        if let Some(copy) = &self.state {
            copy_files(copy, &bench.state());
        }
        let handle = bench.handle();
        for name in bench.names() {
            if !self.stored.iter().any(|(stored, _)| *stored == name) {
                let (item_id, version) = name.split_once(' ').unwrap();
                assert!(handle.remove(COMPANY, &key(item_id, version)).unwrap());
            }
        }
        for (_, document) in &self.stored {
            handle.put_raw(COMPANY, document).unwrap();
        }
        handle.clear_log();
        self.scene.touched.clear();
    }

    /// `apply` under strace.
    fn traced(&self, inject: &[&str]) -> Run {
        let bench = &self.scene.bench;
        let plain = bench.command(&bench.repo.path(), &PRUNE);
        let mut command = Command::new("strace");
        let trace = bench.home.path().join("trace");
        command.args(["-f", "-o"]).arg(&trace).args(["-e", &format!("trace={CALLS}")]);
        command.arg("-P").arg(bench.state());
        for file in FILES {
            command.arg("-P").arg(bench.state().join(file));
        }
        command.args(inject).arg(plain.get_program()).args(plain.get_args());
        command.env_clear().current_dir(plain.get_current_dir().unwrap());
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Running::start(command).end()
    }

    /// How often each call is made when nothing happens.
    fn count(&mut self) -> BTreeMap<String, usize> {
        self.reset();
        self.traced(&[]).exits(0);
        let trace = fs::read_to_string(self.scene.bench.home.path().join("trace")).unwrap();
        let mut counts = BTreeMap::new();
        let mut threads = BTreeMap::new();
        for line in trace.lines() {
            let (thread, rest) = line.split_once(' ').unwrap();
            if let Some((call, _)) = rest.trim().split_once('(') {
                *counts.entry(call.to_owned()).or_default() += 1;
                *threads.entry(thread.to_owned()).or_insert(0) += 1;
            }
        }
        // strace counts in each thread by itself.
        assert_eq!(threads.len(), 1, "the state is written by more than one thread: {threads:?}");
        counts
    }

    fn meet(&mut self, call: &str, number: usize, way: (&str, &str, &str), tally: &mut Tally) {
        let (_, what, repeated) = way;
        self.reset();
        let before = self.scene.kept();
        let run = self.traced(&["-e", &format!("inject={call}:{what}:when={number}{repeated}")]);
        catches_up(&self.scene.bench);
        let after = self.scene.judge(&run, &before);
        let unrecorded = self.scene.unrecorded(&after);
        tally.points += 1;
        tally.unrecorded = tally.unrecorded.max(unrecorded);
        match run.code {
            None => tally.killed += 1,
            Some(0) => {
                self.scene.is_right(&run, &before, true);
                tally.borne += 1;
            }
            Some(2) => {
                tally.ended += 1;
                self.is_clear(&run, unrecorded);
            }
            _ => panic!("{call} {number} {way:?}: {run}"),
        }
        assert_eq!(run.code.is_none(), what.starts_with("signal"), "{call} {number}: {run}");
        let before = self.scene.kept();
        self.scene.note_calls();
        let run = self.scene.bench.apply(&PRUNE).exits(0);
        self.scene.is_right(&run, &before, true);
        let source = self.scene.bench.repo.path();
        self.scene.is_at_rest(source.to_str().unwrap(), &PRUNE);
    }

    /// What, where, why, what to do; and what became of that which was sent.
    fn is_clear(&self, run: &Run, unrecorded: usize) {
        let last = run.line("Ended");
        let error = last["error"].as_str().unwrap();
        let state = self.scene.bench.state();
        assert!(error.contains(state.to_str().unwrap()), "where?\n{run}");
        assert!(error.contains("because"), "why?\n{run}");
        let remedies = ["--state", "Free some space", "check its disk", "check the owner"];
        assert!(remedies.iter().any(|remedy| error.contains(remedy)), "what to do?\n{run}");
        let told = run.stderr.contains("could not be recorded");
        // What was written and not confirmed may be found all the same.
        assert!(told || unrecorded == 0, "{unrecorded} changes are not recorded\n{run}");
    }
}

fn copy_files(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn strace(name: &'static str, mut stage: Stage) {
    const COLUMNS: [&str; 7] = [
        "at the n-th call, each n",
        "points",
        "killed",
        "ended with a message",
        "borne",
        "most changes sent and not recorded",
        "lies, damage",
    ];
    if !has("strace") {
        return;
    }
    let mut findings = Findings::begin(name, &COLUMNS);
    let counts = stage.count();
    let step = if long() { 1 } else { STEP };
    for way in WAYS {
        let mut tally = Tally::default();
        let numbers = counts.iter().flat_map(|(call, count)| (1..=*count).map(move |n| (call, n)));
        // A file that is open already is written on a disk of any kind.
        let met = numbers.filter(|(call, _)| way.0 != EROFS.0 || EROFS.1.contains(&call.as_str()));
        for (call, number) in met.step_by(step) {
            stage.meet(call, number, way, &mut tally);
        }
        let Tally { points, ended, borne, killed, unrecorded } = tally;
        let cells = [points, killed, ended, borne, unrecorded].map(|count| count.to_string());
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        findings.row(&[&[way.0], cells.as_slice(), &["0"]].concat());
    }
    findings.note(format!("The calls of one undisturbed run: {counts:?}."));
}

#[test]
#[ignore = "needs strace: tests/prove/run"]
fn at_every_call_of_a_first_apply() {
    strace("crash-calls-first", Stage::first());
}

#[test]
#[ignore = "needs strace: tests/prove/run"]
fn at_every_call_of_an_edit() {
    strace("crash-calls-edit", Stage::edit());
}
