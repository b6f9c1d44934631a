//! Every call, every fault: what is told of it is what the server has.

use crate::findings::{Findings, has, long, rounds};
use crate::support::cli::Bench;
use crate::support::documents::sidecar;
use crate::world::{converges, is_true, wanted};

#[test]
fn without_a_fault() {
    let mut findings = Findings::begin("matrix", &["call", "fault", "exit"]);
    let mut chance = findings.chance();
    let bench = Bench::new();
    let documents = [sidecar("alpha"), sidecar("beta")];
    bench.commit(&documents);
    let wanted = wanted(&documents);
    for _ in 0..rounds(1, 2) {
        let run = bench.apply(&[]).exits(0);
        is_true(&bench, &run, &wanted);
        converges(&bench, &wanted, &["--drift=report"]);
        findings.row(&["none", if chance.bool() { "none" } else { "no" }, "0"]);
    }
    findings.note(format!("long: {}, strace: {}", long(), has("strace")));
}
