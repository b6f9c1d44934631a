//! A remote repository that it clones and fetches itself.

use super::{description, told};
use crate::support::cli::{Bench, complains, until};
use crate::support::daemon::Daemon;
use crate::support::documents::sidecar;

const FETCH: &[&str] = &["--fetch-every=200ms", "--poll-every=1h", "--drift=off"];

/// A bare repository beside the checkout, and its address.
fn hosted(bench: &Bench) -> String {
    let bare = bench.repo.beside("hosted.git");
    bench.repo.git(&["init", "-q", "--bare", "-b", "main", bare.to_str().unwrap()]);
    let url = format!("file://{}", bare.display());
    bench.repo.git(&["remote", "add", "origin", &url]);
    url
}

fn push(bench: &Bench, args: &[&str]) {
    bench.repo.git(&[&["push", "-q", "origin"], args].concat());
}

#[test]
fn apply_clones_and_applies() {
    let bench = Bench::new();
    let url = hosted(&bench);
    bench.commit(&[sidecar("alpha"), sidecar("beta")]);
    push(&bench, &["main"]);
    let run = bench.apply_from(url.as_ref(), &[]).exits(0);
    assert_eq!(run.said("Created"), ["alpha NA", "beta NA"]);
    bench.apply_from(url.as_ref(), &[]).exits(0);
    bench.asked_nothing();
    bench.commit(&[told("beta", "two")]);
    push(&bench, &["main"]);
    let run = bench.apply_from(url.as_ref(), &[]).exits(0);
    assert_eq!(
        (run.said("Updated"), bench.sent()),
        (vec!["beta NA".into()], vec!["beta NA".into()])
    );
    // A branch and a folder of it.
    bench.repo.git(&["checkout", "-q", "-b", "side"]);
    bench.commit(&[told("beta", "side")]);
    push(&bench, &["side"]);
    bench.apply_from(url.as_ref(), &["--branch=side", "--path=items/beta"]).exits(0);
    assert_eq!(description(&bench, "beta"), "side");
    let run = bench.apply_from(url.as_ref(), &["--branch=nowhere"]).exits(2);
    complains(&run, &["nowhere"]);
    let gone = format!("{url}-gone");
    complains(&bench.apply_from(gone.as_ref(), &[]).exits(2), &["hosted.git-gone"]);
}

#[test]
fn pushes_are_followed_forced_ones_too() {
    let bench = Bench::new();
    let url = hosted(&bench);
    let first = bench.commit(&[sidecar("alpha"), told("beta", "first")]);
    push(&bench, &["main"]);
    let daemon = Daemon::of(&bench, &url, FETCH);
    daemon.says("Created", "beta NA", 1);
    daemon.ready();
    bench.handle().clear_log();
    bench.commit(&[told("beta", "second")]);
    push(&bench, &["main"]);
    daemon.says("Updated", "beta NA", 1);
    // Rewritten: the commit that was applied is no ancestor any more.
    bench.repo.git(&["reset", "-q", "--hard", &first]);
    bench.commit(&[told("beta", "forced")]);
    push(&bench, &["--force", "main"]);
    daemon.says("Updated", "beta NA", 2);
    push(&bench, &["--force", &format!("{first}:main")]);
    daemon.says("Updated", "beta NA", 3);
    assert_eq!(description(&bench, "beta"), "first");
    assert_eq!(bench.sent(), vec!["beta NA"; 3], "{daemon}");
    let status = daemon.status();
    assert!(
        status["fetch"]["fetchedAt"].is_string() && status["fetch"]["error"].is_null(),
        "{status}"
    );
    assert_eq!(status["source"], url.as_str());
    assert_eq!(daemon.metric(r#"marketsync_fetch_total{result="error"}"#), 0);
    daemon.stop();
    // The clone is kept: the next start needs no look at what is known.
    let daemon = Daemon::of(&bench, &url, FETCH);
    daemon.ready();
    assert_eq!(bench.writes(), [], "{daemon}");
    daemon.stop();
}

#[test]
fn a_branch_that_is_deleted_keeps_what_was_applied() {
    let bench = Bench::new();
    let url = hosted(&bench);
    bench.commit(&[sidecar("alpha")]);
    push(&bench, &["main", "main:side"]);
    let args = [FETCH, &["--branch=side", "--prune", "--allow-deletes=100"]].concat();
    let daemon = Daemon::of(&bench, &url, &args);
    daemon.says("Created", "alpha NA", 1);
    push(&bench, &["--delete", "side"]);
    let errors = r#"marketsync_fetch_total{result="error"}"#;
    daemon.until("it is missed", |daemon| daemon.metric(errors) >= 2);
    let status = daemon.status();
    assert!(status["fetch"]["error"].as_str().unwrap().contains("side"), "{status}");
    assert_eq!((bench.names().len(), daemon.lines("Deleted").len()), (1, 0), "{daemon}");
    assert_eq!((daemon.get("/readyz").0, daemon.get("/healthz").0), (200, 200));
    let told_of = daemon
        .log()
        .iter()
        .filter(|line| line["level"] == "ERROR" || line["level"] == "WARN")
        .count();
    assert_eq!(told_of, 1, "told once:\n{daemon}");
    bench.commit(&[told("alpha", "two")]);
    push(&bench, &["main:side"]);
    daemon.says("Updated", "alpha NA", 1);
    daemon.until("it is over", |daemon| daemon.status()["fetch"]["error"].is_null());
    daemon.stop();
}

#[test]
fn a_repository_that_is_away_or_made_anew_is_followed_again() {
    let bench = Bench::new();
    let url = hosted(&bench);
    bench.commit(&[sidecar("alpha")]);
    push(&bench, &["main"]);
    let daemon = Daemon::of(&bench, &url, &[FETCH, &["--prune"]].concat());
    daemon.says("Created", "alpha NA", 1);
    let bare = bench.repo.beside("hosted.git");
    std::fs::rename(&bare, bench.repo.beside("away.git")).unwrap();
    let errors = r#"marketsync_fetch_total{result="error"}"#;
    daemon.until("it is missed", |daemon| daemon.metric(errors) >= 2);
    // Made anew, with a history that has nothing to do with the old one.
    bench.repo.git(&["init", "-q", "--bare", "-b", "main", bare.to_str().unwrap()]);
    bench.repo.git(&["checkout", "-q", "--orphan", "anew"]);
    bench.commit(&[told("alpha", "anew")]);
    push(&bench, &["anew:main"]);
    daemon.says("Updated", "alpha NA", 1);
    assert_eq!(description(&bench, "alpha"), "anew");
    daemon.until("it says so", |daemon| daemon.lines("Fetched again").len() == 1);
    daemon.stop();
}

#[test]
fn a_remote_without_commit_waits_for_the_first() {
    let bench = Bench::new();
    let url = hosted(&bench);
    let daemon = Daemon::of(&bench, &url, FETCH);
    bench.commit(&[sidecar("alpha")]);
    push(&bench, &["main"]);
    daemon.says("Created", "alpha NA", 1);
    daemon.ready();
    daemon.stop();
}

#[test]
fn a_webhook_makes_the_fetch_immediate() {
    let bench = Bench::new();
    let url = hosted(&bench);
    bench.commit(&[sidecar("alpha")]);
    push(&bench, &["main"]);
    let secret = bench.home.path().join("hook");
    std::fs::write(&secret, "open sesame").unwrap();
    let args = ["--fetch-every=1h", "--drift=off", "--hook-secret-file", secret.to_str().unwrap()];
    let daemon = Daemon::of(&bench, &url, &args);
    daemon.says("Created", "alpha NA", 1);
    bench.commit(&[told("alpha", "two")]);
    push(&bench, &["main"]);
    let hook = crate::support::front::call(&[("X-Gitlab-Token", "open sesame")], b"{}");
    assert_eq!(daemon.ask(&hook).0, 202);
    daemon.says("Updated", "alpha NA", 1);
    until("it is there", || description(&bench, "alpha") == "two");
    daemon.stop();
}
