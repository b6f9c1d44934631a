//! The command as a whole: refusals, failures that pass, signals, the embedded
//! marketplace, large catalogues.

use std::fs;
use std::path::Path;

use marketsync::embedded::{self, Fault, FaultKind, ListRows, Route, Settings, Switches};
use serde_json::json;

use super::{export, names, outer, start, tree};
use crate::support::cli::{Bench, Run, Running, bare, complains, program, until};
use crate::support::documents::{plugin, sidecar};
use crate::support::market::COMPANY;

fn filled(count: usize) -> Bench {
    let bench = Bench::new();
    for n in 0..count {
        bench.handle().put_raw(COMPANY, &sidecar(&format!("item-{n:03}"))).unwrap();
    }
    bench
}

#[test]
fn every_page_of_the_list_is_read() {
    for list_rows in [ListRows::Item, ListRows::Version] {
        let bench = filled(410);
        bench.handle().set_switches(Switches { list_rows, ..Switches::default() });
        bench.handle().put_raw(COMPANY, &plugin("p", "1.0.0")).unwrap();
        bench.handle().put_raw(COMPANY, &plugin("p", "2.0.0")).unwrap();
        bench.handle().put_raw("other", &sidecar("theirs")).unwrap();
        let outer = outer();
        export(&bench, outer.path(), &[]).exits(0).prints("412 items: 412 written, 0 unchanged\n");
        assert_eq!(names(outer.path()).len(), 412);
        assert_eq!((bench.handle().calls(Route::List), bench.handle().calls(Route::Get)), (3, 412));
    }
}

#[test]
fn what_passes_is_tried_again() {
    let (bench, outer) = (filled(3), outer());
    for route in [Route::Version, Route::List, Route::Versions, Route::Get] {
        bench.handle().fail(Fault::once(route, FaultKind::status(503)));
    }
    bench.handle().fail(Fault::once(Route::Get, FaultKind::CutBefore));
    let run = export(&bench, outer.path(), &[]).exits(0);
    run.prints("3 items: 3 written, 0 unchanged");
    assert!(!run.lines("Trying again").is_empty(), "{run}");
    // The version that failed was asked for again, the others were not.
    let gets = bench
        .calls()
        .into_iter()
        .filter(|call| call.route == Route::Get && call.status == Some(200));
    assert_eq!(gets.count(), 3);
}

#[test]
fn a_refusal_of_all_ends_it() {
    for (route, code) in
        [(Route::List, 403), (Route::Versions, 401), (Route::Get, 403), (Route::Token, 401)]
    {
        let (bench, outer) = (filled(3), outer());
        bench.handle().fail(Fault::always(route, FaultKind::status(code)));
        let run = export(&bench, &outer.path().join("dir"), &["--format=json"]).exits(2);
        let report = run.json();
        assert!(report["error"]["message"].as_str().unwrap().contains(&code.to_string()), "{run}");
        assert_eq!(report["items"], json!([]), "{run}");
        complains(&run, &[&code.to_string()]);
        assert_eq!(names(&outer.path().join("dir")), Vec::<String>::new());
    }
}

#[test]
fn one_item_that_is_refused_stops_no_other() {
    let (bench, outer) = (filled(3), outer());
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(400)).for_item("item-001"));
    let report = export(&bench, outer.path(), &["--format=json"]).exits(1).json();
    assert_eq!(report["items"][1]["status"], "Failed", "{report:#}");
    assert_eq!(names(outer.path()).len(), 2);
}

#[test]
fn a_signal_leaves_whole_files_and_says_what_is_left() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let (bench, outer) = (filled(12), outer());
        bench.handle().fail(Fault::always(Route::Get, FaultKind::Delay { ms: 300 }));
        let running = start(bench.home.path(), &bench.market.url, outer.path(), &["--format=json"]);
        until("the first looks", || bench.handle().calls(Route::Get) > 0);
        running.signal(signal);
        let run = running.end().exits(code);
        let report = run.json();
        let written = report["items"].as_array().unwrap().len();
        let left = usize::try_from(report["unattempted"].as_u64().unwrap()).unwrap();
        assert_eq!((written + left, names(outer.path()).len()), (12, written), "{run}");
        assert!(left > 0, "{run}");
        assert!(names(outer.path()).iter().all(|name| name.ends_with("/NA.json")));
        bench.handle().clear_faults();
        export(&bench, outer.path(), &[]).exits(0).prints("12 items");
    }
}

fn embedded_export(home: &Path, dir: &Path, args: &[&str]) -> Run {
    let mut command = program(home);
    command
        .arg("export")
        .arg(dir)
        .args(["--endpoint=embedded", "--company-id", COMPANY])
        .args(args);
    Running::start(command).end()
}

#[test]
fn the_embedded_marketplace_is_read_where_it_keeps_its_items() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let (home, outer) = (bench.home.path(), outer());
    let state = bench.state();
    let kept = state.to_str().unwrap();
    let source = bench.repo.path();
    bare(
        home,
        &[
            "apply",
            source.to_str().unwrap(),
            "--endpoint=embedded",
            "--company-id",
            COMPANY,
            "--state",
            kept,
        ],
    )
    .exits(0);
    let run = embedded_export(home, outer.path(), &[]).exits(2);
    complains(&run, &["state directory", "--state DIR"]);
    let run = embedded_export(home, outer.path(), &["--state=no-such", "--format=json"]).exits(2);
    complains(&run, &["there is no state in no-such"]);
    assert!(run.json()["error"]["message"].is_string(), "{run}");
    assert!(!home.join("no-such").exists());

    // Somebody else uses it, and it stays as it is.
    let journal = state.join("marketplace.jsonl");
    let _other =
        embedded::open(Settings { persist: Some(journal.clone()), ..Settings::default() }).unwrap();
    let before = (fs::read(&journal).unwrap(), tree(&state).into_keys().collect::<Vec<_>>());
    embedded_export(home, outer.path(), &["--state", kept]).exits(0).prints("1 item: 1 written");
    assert_eq!((fs::read(&journal).unwrap(), tree(&state).into_keys().collect::<Vec<_>>()), before);
    assert_eq!(names(outer.path()), ["sidecar/alpha/versions/NA.json"]);
}
