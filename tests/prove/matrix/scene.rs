//! A world in which one pass makes every call of the marketplace's API that a
//! pass can make, and the runs of the program in it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use marketsync::embedded::Route;
use serde_json::Value;

use super::truth::{Asked, Moment, claimed, history_lies, lies, of_the_table};
use crate::support::cli::{Bench, Run, Running};
use crate::support::documents::{plugin, set, sidecar, with_image};
use crate::support::market::{COMPANY, PNG, key};
use crate::world::{wanted, wrong};

/// What is asked of every pass: everything that a pass can do.
const ARGS: [&str; 3] = ["--prune", "--allow-deletes=3", "--drift=correct"];

/// The most memory that a run may take, in KiB. It takes some 60 MiB, and an
/// endless answer is cut at 16 MiB.
const MEMORY_KB: u64 = 250 * 1024;

/// What a run left.
pub(super) struct Ran {
    pub(super) run: Run,
    pub(super) took: Duration,
    /// The most memory that it had, in KiB, as far as that was seen.
    pub(super) peak_kb: u64,
}

/// Runs a command to its end, and looks at its memory meanwhile.
#[expect(clippy::disallowed_methods, reason = "between two looks at the memory of another process")]
pub(super) fn watch(command: Command, patience: Duration) -> Ran {
    let began = Instant::now();
    let running = Running::start(command);
    let file = PathBuf::from(format!("/proc/{}/status", running.id()));
    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let run = thread::scope(|scope| {
        // Also if the program hangs, which is a panic here.
        let _ended = Ending(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let text = fs::read_to_string(&file).unwrap_or_default();
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let kb = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
                peak.fetch_max(kb.unwrap_or(0), Ordering::AcqRel);
                thread::sleep(Duration::from_millis(10));
            }
        });
        running.end_within(patience)
    });
    Ran { run, took: began.elapsed(), peak_kb: peak.into_inner() }
}

/// Says that something is over when it goes.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A place where the program is run, and what is asked of it there.
pub(super) struct Scene {
    pub(super) bench: Bench,
    pub(super) asked: Asked,
    /// What is applied: a path or a URL.
    pub(super) source: OsString,
    pub(super) commit: String,
    args: Vec<&'static str>,
}

impl Scene {
    /// A catalogue of three items that are all new.
    pub(super) fn small(bench: Bench) -> Self {
        let items = [sidecar("alpha"), plugin("beta", "1.0.0"), plugin("beta", "1.1.0")];
        let commit = bench.commit(&items);
        let asked = Asked { wanted: wanted(&items), ..Asked::default() };
        let source = bench.repo.path().into_os_string();
        Self { bench, asked, source, commit, args: Vec::new() }
    }

    /// One item for each row of the decision table, and a stranger.
    pub(super) fn grand(bench: Bench) -> Self {
        bench.repo.write("logo.png", PNG);
        let pictured = |item_id| with_image(sidecar(item_id), "../../logo.png");
        // What is there and not recorded.
        bench.commit(&[pictured("adopt")]);
        drop(bench.apply(&[]).exits(0));
        bench.forget();
        bench.repo.remove("items");
        // What is recorded.
        let old = [
            sidecar("keep"),
            sidecar("edit"),
            sidecar("gone"),
            sidecar("gone-too"),
            sidecar("drifted"),
            pictured("missing"),
            sidecar("forgotten"),
            plugin("p", "0.9.0"),
        ];
        bench.commit(&old);
        drop(bench.apply(&[]).exits(0));
        // What others did.
        let handle = bench.handle();
        handle.put_raw(COMPANY, &set(sidecar("drifted"), "/name", "Drifted")).unwrap();
        handle.put_raw(COMPANY, &set(sidecar("stranger"), "/name", "Stranger")).unwrap();
        assert!(handle.remove(COMPANY, &key("missing", "NA")).unwrap());
        assert!(handle.remove(COMPANY, &key("forgotten", "NA")).unwrap());
        // What is wanted.
        for item in ["gone", "gone-too", "forgotten"] {
            bench.repo.remove(&format!("items/{item}"));
        }
        let new = [
            pictured("adopt"),
            set(sidecar("edit"), "/description", "Edited"),
            sidecar("new"),
            pictured("pic"),
            plugin("p", "1.0.0"),
            plugin("p", "1.1.0"),
        ];
        let commit = bench.commit(&new);
        let mut all: Vec<Value> = old
            .into_iter()
            .filter(|item| !["gone", "gone-too", "forgotten", "edit"].contains(&item_id(item)))
            .collect();
        all.extend(new);
        let asked = Asked {
            wanted: wanted(&all),
            may_go: BTreeSet::from(["gone NA".to_owned(), "gone-too NA".to_owned()]),
            forgotten: BTreeSet::from(["forgotten NA".to_owned()]),
        };
        let source = bench.repo.path().into_os_string();
        Self { bench, asked, source, commit, args: ARGS.to_vec() }
    }

    /// The options of every pass over it.
    pub(super) fn args(&self) -> &[&'static str] {
        &self.args
    }

    /// The command that applies it.
    pub(super) fn command(&self, more: &[&str]) -> Command {
        let args = [self.args.as_slice(), more].concat();
        self.bench.handle().clear_log();
        self.bench.command(self.source.as_ref(), &args)
    }

    /// Applies it and holds what was said against what is there.
    pub(super) fn apply(&self, more: &[&str], patience: Duration) -> (Ran, Vec<String>) {
        self.judge(self.command(more), patience)
    }

    /// Runs a command that applies it, and judges it.
    pub(super) fn judge(&self, command: Command, patience: Duration) -> (Ran, Vec<String>) {
        let before = Moment::of(&self.bench);
        let ran = watch(command, patience);
        let after = Moment::of(&self.bench);
        let mut lies = lies(&self.bench, (&before, &after), &ran.run, &self.asked);
        lies.extend(of_the_table(&ran.run));
        if ran.peak_kb > MEMORY_KB {
            lies.push(format!("it took {} KiB of memory", ran.peak_kb));
        }
        (ran, lies)
    }

    /// What of a run must not be done again: the fault is gone, everything
    /// becomes right, and after that nothing is asked.
    pub(super) fn converges(&self, first: &Run, of_interest: &[String]) -> Vec<String> {
        let uploaded = self.uploaded();
        let (second, mut wrongs) = self.apply(&[], PASS);
        let second = second.run;
        if second.code != Some(0) {
            wrongs.push(format!("the next pass exits {:?}", second.code));
        }
        wrongs.extend(wrong(&self.bench, &self.asked.wanted));
        let there = self.bench.names();
        let left = self.asked.may_go.iter().filter(|name| there.contains(name));
        wrongs.extend(left.map(|name| format!("{name} is still there")));
        let done = claimed(first);
        let sent = self.bench.sent();
        let again: Vec<_> = sent.iter().filter(|item| done.contains(*item)).collect();
        if !again.is_empty() {
            wrongs.push(format!("sent again although recorded: {again:?}"));
        }
        let gone: BTreeSet<String> = first.said("Deleted").into_iter().collect();
        for call in self.bench.calls().iter().filter(|call| call.route == Route::Delete) {
            if call.items.iter().any(|item| gone.contains(item)) {
                wrongs.push(format!("deleted again: {:?}", call.items));
            }
        }
        let twice: Vec<_> =
            self.uploaded().into_iter().filter(|item| uploaded.contains(item)).collect();
        if !twice.is_empty() {
            wrongs.push(format!("uploaded again: {twice:?}"));
        }
        for name in of_interest {
            wrongs.extend(history_lies(&self.bench, &[first, &second], &self.commit, name));
        }
        let (third, more) = self.judge(self.quiet(), PASS);
        wrongs.extend(more);
        if third.run.code != Some(0) {
            wrongs.push(format!("the pass after it exits {:?}", third.run.code));
        }
        let asked: Vec<String> = self
            .bench
            .calls()
            .iter()
            .map(|call| format!("{} {}", call.method, call.target))
            .collect();
        if !asked.is_empty() {
            wrongs.push(format!("the pass after it asks {asked:?}"));
        }
        if !wrongs.is_empty() {
            wrongs.push(format!("--- the next pass: {second}"));
        }
        wrongs
    }

    /// A pass that looks at nothing but what is new.
    fn quiet(&self) -> Command {
        self.bench.handle().clear_log();
        self.bench.command(self.source.as_ref(), &["--prune"])
    }

    /// The pictures whose upload was answered as it should be.
    fn uploaded(&self) -> Vec<String> {
        let calls = self.bench.calls().into_iter();
        let good = calls.filter(|call| {
            call.route == Route::Upload && call.fault.is_none() && call.status == Some(200)
        });
        good.flat_map(|call| call.items).collect()
    }
}

/// The longest that a pass without trouble may take.
pub(super) const PASS: Duration = Duration::from_mins(1);

fn item_id(item: &Value) -> &str {
    item["itemId"].as_str().unwrap()
}

/// How many requests a pass makes before the first of a route, by Console.
pub(super) fn requests_before(console: &'static str, route: Route) -> usize {
    static KNOWN: Mutex<BTreeMap<&str, Vec<Route>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap();
    let routes = known.entry(console).or_insert_with(|| {
        let scene = Scene::grand(Bench::console(console));
        let (ran, lies) = scene.apply(&[], PASS);
        assert!(lies.is_empty() && ran.run.code == Some(0), "{lies:#?}\n{}", ran.run);
        let log = scene.bench.calls();
        log.into_iter().map(|call| call.route).collect()
    });
    routes.iter().position(|there| *there == route).unwrap()
}
