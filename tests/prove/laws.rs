//! The laws of `docs/architecture.md` over random histories of the real pass:
//! a real repository, the real state on disk, real requests to the embedded
//! marketplace, and a model of all three that shares no code with the program
//! (`laws/catalogue.rs`, `laws/table.rs`, `laws/lab.rs`).
//!
//! **A crash** is the moment at which the marketplace has the k-th request of a
//! pass, before or after it has carried it out (`laws/tap.rs` sees both). The
//! future of the pass is dropped there: it never gets the answer, nothing of it
//! runs any more, and one thread runs program and marketplace, so nothing else
//! of it had run since. In half of the crashes the state directory is copied at
//! that very moment and put back afterwards: database, write-ahead log and lock
//! as they lay there, open, which is what `kill -9` leaves and what a power cut
//! leaves of a disk that keeps what was synced. Between two requests the
//! program has no other place to die at that the marketplace could tell apart;
//! what a kill between two system calls does to the files is `crash`'s to show.

mod catalogue;
mod checks;
mod history;
mod lab;
mod process;
mod steps;
mod table;
mod tally;
mod tap;

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::history::{History, Witness};
use self::lab::{Lab, agrees, refuses};
use self::steps::{Step, history};
use self::tally::Tally;
use crate::findings::{Findings, long, rounds};

/// Lives a history and holds each of its passes to the laws; after it the
/// weather is fair, and it converges.
fn live(lab: &Lab, steps: &[Step], tally: &mut Tally) -> Result<(), String> {
    let mut history = History::begin(lab);
    for (number, step) in steps.iter().enumerate() {
        let said = |words: String| format!("step {number}, {step:?}:\n{words}");
        if let Some(witness) = history.step(step, tally).map_err(said)? {
            let strangers = history.strangers.clone();
            witness.hold_the_laws(&strangers, tally).map_err(said)?;
        }
    }
    history.mend();
    converges(&mut history, tally).map_err(|words| format!("after it:\n{words}"))
}

/// Law 1.
fn converges(history: &mut History<'_>, tally: &mut Tally) -> Result<(), String> {
    let fair = History::fair();
    let mut excused = false;
    for (number, step) in fair.iter().enumerate() {
        let witness = history.step(step, tally)?.unwrap();
        witness.hold_the_laws(&history.strangers.clone(), tally)?;
        if number == 0 {
            excused = is_right(&witness)?;
        }
        if number == 1 && !excused && !witness.heard.is_empty() {
            return Err(format!("all is right, and it asks {:?}", witness.heard));
        }
        if number == 2 && !excused && !witness.decisions().is_empty() {
            return Err(format!("all is right, and it decides {:?}", witness.decisions()));
        }
    }
    Ok(())
}

/// Whether the marketplace has what is wanted, and nothing that was taken back.
/// `Ok(true)`: as far as it can; a sealed version and a contested item stay as
/// they are, and an empty source deletes nothing.
fn is_right(witness: &Witness<'_>) -> Result<bool, String> {
    let decided = witness.decisions();
    let mut excused = false;
    for (name, wanted) in &witness.wishes.items {
        let held = decided.get(name).and_then(|row| row.hold.as_deref());
        let refused = refuses(&witness.before, name, wanted, witness.console);
        if matches!(held, Some("immutable" | "contested")) || refused == Some(true) {
            excused = true;
            continue;
        }
        let stored = witness.after.get(name);
        if !stored.is_some_and(|stored| agrees(stored, wanted, witness.console)) {
            return Err(format!("{name} is {stored:?} and not {wanted:?}"));
        }
        if witness.records.rows.get(name).is_none_or(|row| row.wanted != *wanted) {
            return Err(format!("{name} is right and not recorded"));
        }
    }
    let empty = witness.wishes.items.is_empty();
    let stays = witness.records.rows.keys().find(|name| !witness.wishes.items.contains_key(*name));
    match stays {
        Some(name) if !empty => Err(format!("{name} was taken back, and is recorded")),
        stays => Ok(excused || stays.is_some()),
    }
}

/// Everything that comes out of a history.
fn told_by(lab: &Lab, steps: &[Step]) -> Result<Vec<String>, String> {
    let mut history = History::begin(lab);
    let mut told = Vec::new();
    for step in steps {
        if let Some(witness) = history.step(step, &mut Tally::default())? {
            told.extend(witness.told());
        }
    }
    Ok(told)
}

/// Law 6.
fn same(lab: &Lab, steps: &[Step]) -> Result<(), String> {
    let (one, other) = (told_by(lab, steps)?, told_by(lab, steps)?);
    match one.iter().zip(&other).find(|(one, other)| one != other) {
        Some((one, other)) => Err(format!("once\n{one}\nand once\n{other}")),
        None if one.len() != other.len() => {
            Err(format!("once {} lines, once {}", one.len(), other.len()))
        }
        None => Ok(()),
    }
}

fn runner(cases: usize, seed: u64) -> TestRunner {
    let config = Config {
        cases: u32::try_from(cases).unwrap(),
        failure_persistence: None,
        max_shrink_iters: 1500,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// A failure with the shortest history that shows it, on one line.
fn told(lived: Result<(), TestError<Vec<Step>>>) {
    match lived {
        Ok(()) => {}
        Err(TestError::Fail(why, steps)) => panic!("{why}\nvec!{steps:?}"),
        Err(abort) => panic!("{abort}"),
    }
}

#[test]
fn histories_keep_the_laws() {
    let mut findings = Findings::begin("laws", &["kind", "what", "times"]);
    let cases = rounds(32, 2500);
    let lab = Lab::new();
    let tally = RefCell::new(Tally::default());
    let lived = runner(cases, findings.seed).run(&history(), |steps| {
        live(&lab, &steps, &mut tally.borrow_mut()).map_err(TestCaseError::fail)
    });
    let tally = tally.into_inner();
    for [kind, what, times] in tally.rows() {
        findings.row(&[&kind, &what, &times]);
    }
    findings.note(format!("{cases} histories; each ended with three passes in fair weather."));
    told(lived);
    if long() {
        assert_eq!(tally.missing(), Vec::<String>::new(), "never came");
    }
}

/// Law 6: same input, same bytes out.
#[test]
fn the_same_history_is_told_in_the_same_bytes() {
    let mut findings = Findings::begin("laws-same", &["histories", "differences"]);
    let cases = rounds(8, 500);
    let lab = Lab::new();
    told(
        runner(cases, findings.seed)
            .run(&history(), |steps| same(&lab, &steps).map_err(TestCaseError::fail)),
    );
    findings.row(&[&cases.to_string(), "0"]);
}
