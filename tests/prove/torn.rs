//! Sources that move while they are read: no mixed snapshot is ever planned.
//!
//! A writer publishes one generation of a catalogue after the other, for each
//! kind of source in the way that such sources are written. Every file says
//! which generation it is of. What the marketplace gets, and what is there in
//! the end, must be of one generation that was published.

mod folders;
mod following;
mod generation;
mod judge;
mod moving;
mod once;
mod served;
mod writer;

use crate::findings::{Findings, rounds};
use crate::support::cli::Bench;
use crate::support::git_server::backend;
use moving::Moving;
use served::Served;

/// The bodies of one run, in bytes.
const BODIES: usize = 64 * 1024 * 1024;

/// Narrows a run to the kinds whose name holds this.
const ONLY: &str = "MARKETSYNC_PROVE_ONLY";

/// What a kind of source came to.
#[derive(Default)]
struct Tally {
    passes: usize,
    generations: u64,
    moved: usize,
    repeated: usize,
    errors: usize,
    /// Passes that took a writer who rested for one who was done.
    rested: usize,
    /// What is wrong.
    wrong: Vec<String>,
}

/// Makes a source for a bench.
type Make = fn(&Bench) -> Box<dyn Moving>;

/// Kinds of sources, and how often each is read in the short form and in the
/// long one.
const KINDS: [(&str, Make, [usize; 2]); 16] = [
    ("commits", |_| Box::new(moving::Commits::new(false)), [2, 60]),
    ("amends, gc", |_| Box::new(moving::Commits::new(true)), [2, 60]),
    ("gc, repack, pack-refs", |_| Box::new(moving::Packing::new()), [2, 60]),
    ("pushes into a bare repository", |_| Box::new(moving::Pushed::new()), [2, 60]),
    ("fetch and reset --hard", |_| Box::new(moving::Pulls::new()), [1, 60]),
    ("half-finished pulls", |_| Box::new(moving::HalfPulls::new()), [2, 60]),
    ("branch switches", |_| Box::new(moving::Switches::new()), [1, 40]),
    ("linked worktree", |_| Box::new(moving::Linked::new()), [1, 40]),
    ("shallow clone deepened", |_| Box::new(moving::Deepens::new()), [1, 40]),
    ("git-sync flips", |_| Box::new(moving::Flips::new()), [2, 60]),
    ("ConfigMap swaps", |bench| Box::new(folders::ConfigMap::new(bench.home.path())), [2, 60]),
    ("directory in place", |bench| Box::new(folders::InPlace::new(bench.home.path())), [2, 60]),
    ("rsync", |bench| Box::new(folders::Rsync::new(bench.home.path())), [2, 60]),
    ("work tree, reset --hard", |_| Box::new(moving::WorkTree::new()), [1, 60]),
    ("remote over HTTP", |_| Box::new(Served::http()), [1, 40]),
    ("remote file://", |_| Box::new(Served::file()), [1, 40]),
];

/// The kinds that a daemon follows.
const FOLLOWED: [(&str, Make, [usize; 2]); 6] = [
    ("amends, gc", |_| Box::new(moving::Commits::new(true)), [2, 40]),
    ("half-finished pulls", |_| Box::new(moving::HalfPulls::new()), [1, 40]),
    ("git-sync flips", |_| Box::new(moving::Flips::new()), [2, 40]),
    ("ConfigMap swaps", |bench| Box::new(folders::ConfigMap::new(bench.home.path())), [1, 30]),
    ("rsync", |bench| Box::new(folders::Rsync::new(bench.home.path())), [1, 20]),
    ("remote over HTTP", |_| Box::new(Served::http()), [2, 40]),
];

/// Whether what a kind needs is on this machine.
fn is_possible(kind: &str) -> bool {
    !kind.contains("HTTP") || backend().is_some()
}

#[test]
fn no_mixed_snapshot_is_planned() {
    let mut findings = Findings::begin(
        "torn",
        &[
            "read by",
            "kind",
            "passes",
            "generations",
            "moved meanwhile",
            "tried again",
            "told an error",
            "writer rested",
            "wrong",
        ],
    );
    let only = std::env::var(ONLY).unwrap_or_default();
    let mut chance = findings.chance();
    let (mut wrong, mut passes, mut moved) = (Vec::new(), 0, 0);
    let all = KINDS.map(|kind| ("apply", kind)).into_iter();
    for (reader, (kind, make, [short, long])) in all.chain(FOLLOWED.map(|kind| ("run", kind))) {
        let chance = fastrand::Rng::with_seed(chance.u64(..));
        if !format!("{reader} {kind}").contains(&only) || !is_possible(kind) {
            continue;
        }
        let bench = Bench::new();
        bench.handle().keep_bodies(BODIES);
        let (mut moving, rounds) = (make(&bench), rounds(short, long));
        let read = if reader == "apply" { once::applied } else { following::followed };
        let tally = read(moving.as_mut(), &bench, rounds, chance);
        let generations = usize::try_from(tally.generations).unwrap();
        let numbers = [
            tally.passes,
            generations,
            tally.moved,
            tally.repeated,
            tally.errors,
            tally.rested,
            tally.wrong.len(),
        ];
        let cells = numbers.map(|number| number.to_string());
        println!("{reader} {kind}: {cells:?}");
        let named: &[&str] = &[reader, kind];
        findings.row(&[named, cells.each_ref().map(String::as_str).as_slice()].concat());
        (passes, moved) = (passes + tally.passes, moved + tally.moved);
        wrong.extend(tally.wrong.into_iter().map(|what| format!("{reader} {kind}: {what}")));
    }
    findings.note(format!("{passes} passes, {moved} of sources that moved while they were read."));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A proof over sources that hold still proves nothing.
    assert!(moved * 3 >= passes, "{moved} of {passes}");
}
