//! Cells of the marketplace's API that a pass meets.

use std::net::TcpListener;
use std::time::Duration;

use marketsync::embedded::Route;

use super::arm::of_market;
use super::axes::{Call, Cell, Often, Trouble};
use super::gate::Gate;
use super::scene::{Scene, requests_before};
use super::words::unsaid;
use crate::support::cli::Bench;

/// A port that takes connections and says nothing: nobody may come.
pub(super) struct Trap(TcpListener);

impl Trap {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/elsewhere", self.0.local_addr().unwrap())
    }

    /// Whether somebody came.
    pub(super) fn is_sprung(&self) -> bool {
        self.0.accept().is_ok()
    }
}

/// What a cell came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) code: Option<i32>,
    pub(super) wrong: Vec<String>,
}

/// How long a run with a fault may take. A fault that stays is met by one
/// pass; one that strikes once by a second pass, after at most a second.
pub(super) fn patience(cell: &Cell) -> Duration {
    Duration::from_secs(if cell.trouble.is_slow() { 150 } else { 30 })
}

pub(super) fn args(cell: &Cell) -> &'static [&'static str] {
    match cell.often {
        Often::Once => &[],
        Often::Always => &["--retry-for=0s"],
    }
}

/// A bench whose connections can be refused.
pub(super) fn behind_a_gate(console: &str) -> (Bench, Gate) {
    let mut bench = Bench::console(console);
    let target = bench.market.url.strip_prefix("http://").unwrap().parse().unwrap();
    let gate = Gate::before(target);
    bench.market.url = gate.url();
    (bench, gate)
}

pub(super) fn run(cell: &Cell, chance: &mut fastrand::Rng) -> Outcome {
    let route = cell.call.route().unwrap();
    let (bench, gate) = if cell.trouble == Trouble::Refused {
        let (bench, gate) = behind_a_gate(cell.variant);
        (bench, Some(gate))
    } else {
        (Bench::console(cell.variant), None)
    };
    let scene = Scene::grand(bench);
    let trap = Trap::new();
    let itself = format!("{}/api/again", scene.bench.market.url);
    let command = scene.command(args(cell));
    if let Some(gate) = &gate {
        shut(gate, &scene, cell, route);
    }
    let item = item(cell, chance);
    let is_one_of_many = item.is_none() && matches!(cell.call, Call::Get | Call::Delete);
    let skip = if is_one_of_many { chance.u32(0..2) } else { 0 };
    for fault in of_market(cell, (&trap.url(), &itself), item, skip) {
        assert!(scene.bench.handle().fail(fault));
    }
    let (ran, mut wrong) = scene.judge(command, patience(cell));
    let run = ran.run;
    let struck = match cell.trouble {
        Trouble::Refused => gate.as_ref().is_some_and(Gate::is_shut),
        Trouble::FailedItems => !run.lines("Rejected").is_empty(),
        _ => scene.bench.calls().iter().any(|call| call.fault.is_some()),
    };
    if !struck {
        wrong.push("the fault did not strike".to_owned());
    }
    wrong.extend(unsaid(cell, &run));
    if trap.is_sprung() {
        wrong.push("it followed a redirection".to_owned());
    }
    let mut touched: Vec<String> = super::truth::told(&run).into_keys().collect();
    chance.shuffle(&mut touched);
    touched.truncate(2);
    scene.bench.handle().clear_faults();
    if let Some(gate) = &gate {
        gate.open();
    }
    wrong.extend(scene.converges(&run, &touched));
    if !wrong.is_empty() {
        wrong.push(format!("item {item:?}, skip {skip}, {:?}\n{run}", ran.took));
    }
    Outcome { code: run.code, wrong }
}

/// The item whose call fails; none: whichever comes.
fn item(cell: &Cell, chance: &mut fastrand::Rng) -> Option<&'static str> {
    let items: &[Option<&'static str>] = match (cell.call, cell.often) {
        (Call::Get, Often::Always) if cell.trouble.is_slow() => {
            &[Some("adopt"), Some("edit"), Some("new"), Some("gone")]
        }
        (Call::Get, Often::Always) => &[
            None,
            Some("adopt"),
            Some("edit"),
            Some("new"),
            Some("gone"),
            Some("p"),
            Some("drifted"),
        ],
        (Call::Apply, Often::Always) => &[None, None, Some("new"), Some("p"), Some("edit")],
        (Call::Apply, Often::Once) => {
            &[None, Some("new"), Some("p"), Some("edit"), Some("missing")]
        }
        (Call::Delete, _) => &[None, Some("gone"), Some("gone-too")],
        _ => &[None],
    };
    items[chance.usize(..items.len())]
}

/// Shuts the door before the first request of a route.
fn shut(gate: &Gate, scene: &Scene, cell: &Cell, route: Route) {
    match route {
        Route::Token => gate.shut(),
        // It comes while other items are looked at.
        Route::Download => gate.shut_when(|line| line.contains("/adopt/")),
        route => {
            let before = requests_before(cell.variant, route);
            let handle = scene.bench.handle().clone();
            gate.shut_when(move |_| handle.log().len() >= before);
        }
    }
}
