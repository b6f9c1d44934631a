//! Killed at random moments.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use fastrand::Rng;
use marketsync::embedded::Route;

use super::catalogue::Catalogue;
use super::kept::Kept;
use super::scene::Scene;
use super::victim::Victim;
use crate::findings::{Findings, rounds};
use crate::support::cli::{Bench, Run};
use crate::support::daemon::{Daemon, EVENTS, command};
use crate::world::catches_up;

/// The items that a catalogue begins with: more than one request holds.
const ITEMS: u32 = 60;

/// What deletes all that was removed.
const PRUNE: [&str; 2] = ["--prune", "--allow-deletes=1000"];

/// How far a run had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Come {
    /// It had asked nobody.
    Beginning,
    /// It had asked, and changed nothing.
    Looking,
    /// It had changed something, and not written down all of it.
    Sending,
    /// All that it had changed was written down, and there was more to do.
    Between,
    /// There was nothing left to do.
    Done,
}

/// What killing came to.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    come: [usize; 5],
    unrecorded: usize,
    commits: usize,
}

/// A catalogue, its marketplace, and what happened since they last agreed.
struct World {
    scene: Scene,
    source: String,
    /// How long a run takes, `apply` and the daemon.
    lengths: [Duration; 2],
    tally: Tally,
}

impl World {
    fn new(chance: &mut Rng, console: &str, is_remote: bool) -> Self {
        let bench = Bench::console(console);
        let path = bench.repo.path().display().to_string();
        let source = if is_remote { format!("file://{path}") } else { path };
        let mut catalogue = Catalogue::new(chance, ITEMS);
        catalogue.commit(&bench);
        let scene = Scene { bench, catalogue, touched: BTreeSet::new() };
        let lengths = [Duration::from_millis(700); 2];
        Self { scene, source, lengths, tally: Tally::default() }
    }

    fn command(&self, runs: bool, more: &[&str]) -> Command {
        if runs {
            command(&self.scene.bench, &self.source, &[EVENTS, more].concat())
        } else {
            self.scene.bench.command(self.source.as_ref(), more)
        }
    }

    /// Begins a run and kills it at some moment.
    fn kill(&mut self, chance: &mut Rng, more: &[&str]) {
        let runs = chance.bool();
        let before = self.scene.kept();
        self.scene.note_calls();
        self.scene.bench.handle().clear_log();
        let log = self.scene.bench.home.path().join("victim.log");
        let mut victim = Victim::start(self.command(runs, more), log);
        let length = self.lengths[usize::from(runs)];
        if chance.bool() {
            let routes = [Route::Token, Route::Upload, Route::Apply, Route::Apply];
            let (route, count) = (chance.choice(routes).unwrap(), chance.u64(3..7) / 3);
            let handle = self.scene.bench.handle().clone();
            let latest = Instant::now() + length * 2;
            pass(&mut victim, || handle.calls(route) >= count || Instant::now() >= latest);
            // Often at once: what follows is a matter of milliseconds.
            let late = chance.f64().powi(3);
            let pause = Instant::now() + Duration::from_millis(30).mul_f64(late);
            pass(&mut victim, || Instant::now() >= pause);
        } else {
            let most = u64::try_from(length.as_micros()).unwrap();
            let until = Duration::from_micros(chance.u64(..most));
            let began = Instant::now();
            pass(&mut victim, || began.elapsed() >= until);
        }
        let run = victim.kill();
        // What it sent with its last breath.
        catches_up(&self.scene.bench);
        let after = self.scene.judge(&run, &before);
        self.count(&before, &after);
    }

    fn count(&mut self, before: &Kept, after: &Kept) {
        let Scene { bench, catalogue, .. } = &self.scene;
        let asked = !bench.calls().is_empty();
        let unrecorded = self.scene.unrecorded(after);
        let is_done = catalogue.pieces.keys().all(|name| self.scene.is_settled(after, name));
        let come = if is_done {
            Come::Done
        } else if unrecorded > 0 {
            Come::Sending
        } else if after.history.len() > before.history.len() {
            Come::Between
        } else if asked {
            Come::Looking
        } else {
            Come::Beginning
        };
        self.tally.kills += 1;
        self.tally.come[come as usize] += 1;
        self.tally.unrecorded += unrecorded;
    }

    /// A run that comes to its end puts everything right.
    fn settle(&mut self, chance: &mut Rng, commit: &str, more: &[&str]) {
        let runs = chance.bool();
        let before = self.scene.kept();
        let there = self.scene.bench.names();
        self.scene.note_calls();
        let began = Instant::now();
        let run = if runs {
            let daemon = Daemon::of(&self.scene.bench, &self.source, &[EVENTS, more].concat());
            // Shown when the pass over it has come to its end.
            daemon.until("it has read the commit", |daemon| daemon.status()["commit"] == commit);
            self.lengths[1] = (self.lengths[1] + began.elapsed() * 3) / 4;
            Run::clone(&daemon.stop())
        } else {
            let run = self.scene.bench.apply_from(self.source.as_ref(), more).exits(0);
            self.lengths[0] = (self.lengths[0] + began.elapsed() * 3) / 4;
            Run::clone(&run)
        };
        self.scene.is_right(&run, &before, !more.is_empty());
        let now: BTreeSet<String> = self.scene.bench.names().into_iter().collect();
        for name in there {
            let kept = now.contains(&name) || before.rows.contains_key(&name) && !more.is_empty();
            assert!(kept, "{name} went, and nobody asked for it\n{run}");
        }
        if chance.u8(..3) == 0 {
            self.scene.is_at_rest(&self.source, more);
        }
    }

    fn round(&mut self, chance: &mut Rng) {
        let mut commit = self.edit(chance);
        let more: &[&str] = if chance.u8(..3) == 0 { &PRUNE } else { &[] };
        for _ in 0..chance.u8(1..=3) {
            self.kill(chance, more);
            if chance.u8(..4) == 0 {
                commit = self.edit(chance);
            }
        }
        self.settle(chance, &commit, more);
    }

    fn edit(&mut self, chance: &mut Rng) -> String {
        self.tally.commits += 1;
        self.scene.catalogue.edit(chance);
        self.scene.catalogue.commit(&self.scene.bench)
    }
}

/// Waits until this is so, or the run has ended.
#[expect(clippy::disallowed_methods, reason = "between two looks at another process")]
fn pass(victim: &mut Victim, so: impl Fn() -> bool) {
    while !so() && !victim.has_ended() {
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn killed_at_random_moments() {
    const COLUMNS: [&str; 10] = [
        "Console, source",
        "kills",
        "before the first request",
        "while looking",
        "while sending",
        "between two records",
        "with nothing left to do",
        "changes not recorded",
        "commits",
        "lies, damage",
    ];
    let mut findings = Findings::begin("crash-random", &COLUMNS);
    let mut chance = findings.chance();
    let all = rounds(12, 1_000);
    let worlds = [("14.2", false), ("13.6", false), ("14.2", true)];
    for (index, (console, is_remote)) in worlds.into_iter().enumerate() {
        let mut world = World::new(&mut chance, console, is_remote);
        let share = (all + index) / worlds.len();
        while world.tally.kills < share {
            world.round(&mut chance);
        }
        let Tally { kills, come, unrecorded, commits } = &world.tally;
        let source = if is_remote { "remote" } else { "checkout" };
        let mut cells = vec![format!("{console}, {source}"), kills.to_string()];
        cells.extend(come.iter().map(usize::to_string));
        cells.extend([unrecorded.to_string(), commits.to_string(), "0".to_owned()]);
        findings.row(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        drop(fs::remove_file(world.scene.bench.home.path().join("victim.log")));
    }
    findings.note("Every round ends with a run that is not killed: it puts everything right.");
}
