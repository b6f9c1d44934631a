//! What a diff leaves alone: the state, its lock, a daemon at work; and how it
//! ends when it is told to.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use marketsync::embedded::{Fault, FaultKind, Route};

use super::{command, diff, told};
use crate::support::cli::{Bench, Running, until};
use crate::support::daemon::{Daemon, EVENTS};
use crate::support::documents::{set, sidecar};
use crate::support::market::COMPANY;

const FORMATS: [&str; 4] = ["text", "json", "markdown", "html"];

#[test]
fn no_state_is_made() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    let report = told(&bench, &[], 1);
    assert!(!bench.state().exists());
    let notes = report["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("--state")), "{report:#}");
    let left: Vec<_> = fs::read_dir(bench.home.path()).unwrap().map(Result::unwrap).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn it_runs_beside_an_apply() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[sidecar("b")]);
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 60_000 }));
    let first = bench.start(&bench.repo.path(), &[]);
    until("it sends", || bench.handle().calls(Route::Apply) == 1);
    let run =
        Running::start(command(&bench, &bench.repo.path(), &["--format=json"])).end().exits(1);
    assert_eq!(run.json()["entries"][0]["itemId"], "b", "{run}");
    assert!(bench.names().len() == 1, "the apply still waits");
    first.signal("KILL");
    assert_eq!(first.end().code, None);
}

#[test]
fn it_runs_beside_a_daemon() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "a NA", 1);
    bench.handle().put_raw(COMPANY, &set(sidecar("a"), "/name", "Theirs")).unwrap();
    let run =
        Running::start(command(&bench, &bench.repo.path(), &["--format=json"])).end().exits(0);
    assert_eq!(run.json()["entries"][0]["reason"], "drifted", "{run}");
    assert_eq!(daemon.lines("Updated").len(), 0);
}

#[test]
fn the_report_is_alone_on_stdout() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a"), set(sidecar("b"), "/tenantId", "other")]);
    bench.repo.write("broken.json", "{").commit("broken");
    for format in FORMATS {
        let run = diff(&bench, &["--format", format, "--log-level=debug"]).exits(2);
        run.log();
        for word in ["DEBUG", "INFO", "\"level\"", "\u{1b}"] {
            assert!(!run.stdout.contains(word), "{format} {word}: {run}");
        }
        assert!(!run.stdout.starts_with('\n'), "{format}: {run}");
        assert!(format == "html" || run.stdout.ends_with('\n'), "{format}: {run}");
    }
    let first = diff(&bench, &[]).exits(2);
    let log = &first.log()[0];
    assert_eq!(
        (&log["endpoint"], &log["company"]),
        (&bench.market.url.clone().into(), &COMPANY.into())
    );
}

#[test]
fn the_same_twice_is_the_same() {
    let bench = Bench::new();
    let items: Vec<_> = (0..20).map(|number| sidecar(&format!("item-{number}"))).collect();
    bench.commit(&items);
    for format in FORMATS {
        let once = diff(&bench, &["--format", format]).exits(1).stdout.clone();
        let twice = diff(&bench, &["--format", format]).exits(1).stdout.clone();
        assert!(once == twice, "{format}");
    }
}

#[test]
fn nobody_reads_the_report() {
    let bench = Bench::new();
    let items: Vec<_> = (0..300).map(|number| sidecar(&format!("item-{number}"))).collect();
    bench.commit(&items);
    for format in FORMATS {
        let mut command = command(&bench, &bench.repo.path(), &["--format", format]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert!(!said.contains("panicked"), "{format}: {said}");
        assert_ne!(status.code(), Some(101), "{format}: {said}");
    }
}
