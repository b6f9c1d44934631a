//! Cells of the state: files that cannot be written, or are not what they
//! should be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use marketsync::embedded::{Fault, FaultKind, Route};

use super::axes::{Cell, Trouble};
use super::market::{Outcome, args, patience};
use super::scene::{PASS, Scene};
use super::truth::{Moment, lies};
use super::words::unsaid;
use crate::findings::has;
use crate::support::cli::{Bench, Running, until};

/// How long the first of two waits with the lock in its hands, in
/// milliseconds: longer than the second needs to be told.
const HELD_MS: u64 = 4_000;

/// How many sizes of a disk one cell tries.
const SIZES: usize = 4;

/// The largest file of them, in the 512 bytes that `ulimit` counts in: what a
/// pass of this world writes.
const LARGEST: u32 = 400;

pub(super) fn run(cell: &Cell, chance: &mut fastrand::Rng) -> Outcome {
    match cell.trouble {
        Trouble::ReadOnlyFolder => read_only(cell),
        Trouble::LockHeld => held(cell),
        Trouble::NoSpace => no_space(cell, chance),
        _ => spoiled(cell),
    }
}

/// The same command behind another program.
fn behind(words: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(words[0]);
    wrapped.args(&words[1..]).arg(command.get_program()).args(command.get_args()).env_clear();
    wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}

/// Whether this user may write what nobody may write.
fn is_mighty(folder: &Path) -> bool {
    fs::write(folder.join("probe"), "").and_then(|()| fs::remove_file(folder.join("probe"))).is_ok()
}

fn rights(folder: &Path, mode: u32) {
    fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
}

fn read_only(cell: &Cell) -> Outcome {
    let scene = Scene::grand(Bench::console(cell.variant));
    let (state, mut command) = (scene.bench.state(), scene.command(args(cell)));
    let files: Vec<PathBuf> =
        fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).collect();
    for file in &files {
        rights(file, 0o400);
    }
    rights(&state, 0o500);
    if is_mighty(&state) {
        if !has("setpriv") {
            return Outcome::default();
        }
        // Only what root may do beyond others is taken away.
        let paths = ["/usr/bin/setpriv", "/bin/setpriv"];
        let setpriv = paths.into_iter().find(|path| Path::new(path).is_file()).unwrap();
        let less = "-dac_override,-dac_read_search";
        command = behind(&[setpriv, "--bounding-set", less, "--inh-caps", less], &command);
    }
    let (ran, mut wrong) = scene.judge(command, patience(cell));
    let run = ran.run;
    wrong.extend(unsaid(cell, &run));
    wrong.extend(nothing_done(&scene, run.code));
    rights(&state, 0o700);
    for file in &files {
        rights(file, 0o600);
    }
    wrong.extend(scene.converges(&run, &[]));
    if !wrong.is_empty() {
        wrong.push(run.to_string());
    }
    Outcome { code: run.code, wrong }
}

/// A state that cannot be used stops a run before it asks anything.
fn nothing_done(scene: &Scene, code: Option<i32>) -> Vec<String> {
    let mut wrong = Vec::new();
    if code != Some(2) {
        wrong.push(format!("it exits {code:?} without its state"));
    }
    let asked = scene.bench.calls().len();
    if asked > 0 {
        wrong.push(format!("it makes {asked} requests without its state"));
    }
    wrong
}

fn held(cell: &Cell) -> Outcome {
    let scene = Scene::grand(Bench::console(cell.variant));
    let handle = scene.bench.handle();
    let kind = FaultKind::Delay { ms: HELD_MS };
    let (first, second) = (scene.command(&[]), scene.command(args(cell)));
    assert!(handle.fail(Fault::once(Route::Token, kind)));
    let before = Moment::of(&scene.bench);
    let first = Running::start(first);
    until("the first waits", || handle.calls(Route::Token) == 1);
    let (ran, mut wrong) = scene.judge(second, PASS);
    let run = ran.run;
    wrong.extend(unsaid(cell, &run));
    if run.code != Some(2) {
        wrong.push(format!("the second exits {:?}", run.code));
    }
    if scene.bench.calls().len() > 1 {
        wrong.push("the second makes requests".to_owned());
    }
    let first = first.end();
    let after = Moment::of(&scene.bench);
    wrong.extend(lies(&scene.bench, (&before, &after), &first, &scene.asked));
    if first.code != Some(0) {
        wrong.push(format!("the first exits {:?}", first.code));
    }
    wrong.extend(scene.converges(&first, &[]));
    if !wrong.is_empty() {
        wrong.push(format!("{run}\n{first}"));
    }
    Outcome { code: run.code, wrong }
}

/// A file that is not as the program left it.
fn spoiled(cell: &Cell) -> Outcome {
    let scene = Scene::grand(Bench::console(cell.variant));
    let path = scene.bench.state().join("state.db");
    let good = fs::read(&path).unwrap();
    let mut bytes = good.clone();
    match cell.trouble {
        Trouble::CorruptFile => bytes[4096..].fill(0xaa),
        Trouble::TruncatedFile => bytes.truncate(5000),
        // `user_version` of the header (SQLite's file format, 1.3).
        _ => bytes[60..64].copy_from_slice(&99_u32.to_be_bytes()),
    }
    fs::write(&path, &bytes).unwrap();
    let (ran, mut wrong) = scene.apply(args(cell), patience(cell));
    let run = ran.run;
    wrong.extend(unsaid(cell, &run));
    wrong.extend(nothing_done(&scene, run.code));
    if fs::read(&path).unwrap() != bytes {
        wrong.push("it changed the file that it could not use".to_owned());
    }
    // The backup that the message speaks of.
    fs::write(&path, good).unwrap();
    wrong.extend(scene.converges(&run, &[]));
    if !wrong.is_empty() {
        wrong.push(run.to_string());
    }
    Outcome { code: run.code, wrong }
}

/// No file may grow beyond a size, as on a full disk.
fn no_space(cell: &Cell, chance: &mut fastrand::Rng) -> Outcome {
    let mut whole = Outcome::default();
    for round in 0..SIZES {
        let scene = Scene::grand(Bench::console(cell.variant));
        let blocks = if round == 0 { 0 } else { chance.u32(0..LARGEST) };
        // The signal is ignored, so that the write fails and nobody dies.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let command = behind(&["/bin/sh", "-c", &script], &scene.command(args(cell)));
        let (ran, mut wrong) = scene.judge(command, patience(cell));
        let run = ran.run;
        wrong.extend(unsaid(cell, &run));
        if round == 0 {
            wrong.extend(nothing_done(&scene, run.code));
        }
        wrong.extend(scene.converges(&run, &["edit NA".to_owned(), "new NA".to_owned()]));
        if !wrong.is_empty() {
            wrong.push(format!("{blocks} blocks\n{run}"));
        }
        whole.code = whole.code.max(run.code);
        whole.wrong.extend(wrong);
    }
    whole
}
