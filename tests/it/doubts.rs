//! What was sent and not written down, when the source wants something else by
//! the next pass.

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::Value;

use crate::support::cli::Bench;
use crate::support::documents::{path, set, sidecar};

fn told(text: &str) -> Value {
    set(sidecar("alpha"), "/description", text)
}

fn description(bench: &Bench) -> Value {
    bench.stored("alpha", "NA").unwrap_or_default()["description"].clone()
}

/// One try, the answer to which is lost.
fn lost(bench: &Bench, route: Route, more: &[&str]) {
    bench.handle().fail(Fault::once(route, FaultKind::CutAfter));
    let run = bench.apply(&[&["--retry-for=0s"], more].concat()).exits(1);
    assert_eq!(run.said("Failed"), ["alpha NA"]);
    bench.handle().clear_faults();
}

#[test]
fn an_edit_that_is_taken_back_is_taken_back_there_too() {
    let bench = Bench::new();
    bench.commit(&[told("one")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[told("two")]);
    lost(&bench, Route::Apply, &[]);
    assert_eq!(description(&bench), "two");
    bench.commit(&[told("one")]);
    let run = bench.apply(&[]).exits(0);
    assert_eq!((run.said("Updated"), description(&bench)), (vec!["alpha NA".into()], "one".into()));
    bench.apply(&[]).exits(0);
    bench.asked_nothing();
}

#[test]
fn an_item_that_was_removed_and_is_back_is_back_there_too() {
    let bench = Bench::new();
    bench.commit(&[told("one"), sidecar("beta")]);
    bench.apply(&[]).exits(0);
    bench.repo.remove(&path(&told("one")));
    bench.repo.commit("gone");
    lost(&bench, Route::Delete, &["--prune"]);
    assert_eq!(description(&bench), Value::Null);
    bench.commit(&[told("one")]);
    bench.apply(&["--prune"]).exits(0);
    assert_eq!(description(&bench), "one");
    bench.apply(&["--prune"]).exits(0);
    bench.asked_nothing();
}

#[test]
fn a_field_that_only_the_lost_document_has_goes() {
    let bench = Bench::new();
    bench.commit(&[told("one")]);
    // The first look goes; the one that would confirm the creation does not.
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(503)).after(1));
    lost(&bench, Route::Apply, &[]);
    assert_eq!(description(&bench), "one");
    let mut shorter = told("one");
    shorter.as_object_mut().unwrap().remove("description");
    bench.commit(&[shorter]);
    bench.apply(&[]).exits(0);
    assert_eq!(description(&bench), Value::Null);
}

/// What is there as it was sent needs no second request.
#[test]
fn what_is_as_it_was_sent_is_adopted() {
    let bench = Bench::new();
    bench.commit(&[told("one")]);
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(503)).after(1));
    lost(&bench, Route::Apply, &[]);
    let run = bench.apply(&[]).exits(0);
    assert_eq!((run.said("Adopted"), bench.sent()), (vec!["alpha NA".into()], Vec::new()));
}

/// What was refused was not done: to take it back needs no request.
#[test]
fn what_was_refused_is_in_no_doubt() {
    let bench = Bench::new();
    bench.commit(&[told("one")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[told("two")]);
    let refusal = FaultKind::RejectItem { message: "no".to_owned() };
    bench.handle().fail(Fault::once(Route::Apply, refusal));
    let run = bench.apply(&[]).exits(1);
    assert_eq!(run.said("Rejected"), ["alpha NA"]);
    bench.commit(&[told("one")]);
    bench.apply(&[]).exits(0);
    bench.asked_nothing();
}
