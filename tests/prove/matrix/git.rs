//! Cells of a remote source: its clone and its fetches.

use std::ffi::OsString;

use super::arm::of_git;
use super::axes::{Call, Cell, Often, Trouble};
use super::gate::Gate;
use super::market::{Outcome, Trap, args, patience};
use super::scene::{PASS, Scene};
use super::words::unsaid;
use crate::support::cli::Bench;
use crate::support::documents::{plugin, set, sidecar};
use crate::support::git_server::{Fault, GitServer, backend};
use crate::world::wanted;

/// The path of the repository below what the server serves.
const SERVED: &str = "checkout/.git";

#[expect(clippy::too_many_lines, reason = "a cell from its beginning to its end")]
pub(super) fn run(cell: &Cell) -> Outcome {
    if backend().is_none() {
        return Outcome::default();
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut scene = Scene::small(Bench::console("14.1"));
    let server = runtime.block_on(GitServer::http(&scene.bench.repo.beside("")));
    let gate = Gate::before(server.address);
    let url = format!("{}/{SERVED}", gate.url());
    scene.source = OsString::from(&url);
    let mut wrong = Vec::new();
    if cell.call == Call::GitFetch {
        let (first, lies) = scene.apply(&[], PASS);
        wrong.extend(lies);
        assert_eq!(first.run.code, Some(0), "{}", first.run);
        let items =
            [set(sidecar("alpha"), "/name", "Edited"), plugin("beta", "1.2.0"), sidecar("gamma")];
        scene.commit = scene.bench.commit(&items);
        scene.asked.wanted.extend(wanted(&items));
    }
    let trap = Trap::new();
    let itself = match cell.variant {
        "refs" => format!("{url}/info/refs?service=git-upload-pack"),
        _ => format!("{url}/git-upload-pack"),
    };
    if cell.trouble == Trouble::Refused {
        match cell.variant {
            "refs" => gate.shut(),
            _ => gate.shut_when(|line| line.contains("/info/refs")),
        }
    } else {
        let fault = of_git(cell, &trap.url(), &itself);
        server.set(|settings| match cell.variant {
            "refs" => settings.refs = fault,
            _ => settings.posts = fault,
        });
    }
    let (ran, lies) = scene.apply(args(cell), patience(cell));
    wrong.extend(lies);
    let run = ran.run;
    wrong.extend(unsaid(cell, &run));
    if server.seen().is_empty() && !gate.is_shut() {
        wrong.push("it did not ask the git server".to_owned());
    }
    let asked = scene.bench.calls().len();
    if run.code == Some(2) && asked > 0 {
        wrong
            .push(format!("the source could not be had, and the marketplace got {asked} requests"));
    }
    let lasting = !matches!(cell.trouble, Trouble::SlowDrip) && cell.often == Often::Always;
    if run.code == Some(0) && lasting {
        wrong.push("it exits 0 without its source".to_owned());
    }
    if trap.is_sprung() {
        wrong.push("it followed a redirection to another host".to_owned());
    }
    server.set(|settings| (settings.refs, settings.posts) = (Fault::None, Fault::None));
    gate.open();
    wrong.extend(scene.converges(&run, &["alpha NA".to_owned()]));
    if !wrong.is_empty() {
        wrong.push(format!("{:?}\n{run}", ran.took));
    }
    Outcome { code: run.code, wrong }
}
