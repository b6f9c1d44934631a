//! What left the source: kept, deleted, or held by a guard.

use serde_json::json;

use super::told;
use crate::support::cli::{Bench, until};
use crate::support::daemon::{Daemon, EVENTS};
use crate::support::documents::sidecar;

const PRUNE: &[&str] = &["--poll-every=1h", "--drift=off", "--prune"];

/// Twelve items, of which one commit may delete one.
fn dozen(args: &[&str]) -> (Bench, Daemon) {
    let bench = Bench::new();
    let items: Vec<_> = (0..12).map(|item| sidecar(&format!("i{item}"))).collect();
    bench.commit(&items);
    let daemon = Daemon::follow(&bench, args);
    daemon.until("all are there", |daemon| daemon.said("Created").len() == 12);
    daemon.ready();
    (bench, daemon)
}

fn remove(bench: &Bench, items: &[&str]) {
    for item in items {
        bench.repo.remove(&format!("items/{item}"));
    }
}

#[test]
fn nothing_is_deleted_unless_asked_for() {
    let (bench, daemon) = dozen(EVENTS);
    remove(&bench, &["i3"]);
    bench.repo.commit("i3 goes");
    daemon.says("Held", "i3 NA", 1);
    let line = daemon.line("Held");
    assert_eq!((&line["level"], &line["would"]), (&json!("WARN"), &json!("delete")), "{line}");
    // It stays so, and is not told again.
    bench.commit(&[told("i4", "two")]);
    daemon.says("Updated", "i4 NA", 1);
    bench.commit(&[told("i4", "three")]);
    daemon.says("Updated", "i4 NA", 2);
    assert_eq!(daemon.said("Held"), ["i3 NA"], "{daemon}");
    assert_eq!((bench.names().len(), daemon.lines("Deleted").len()), (12, 0));
    let status = daemon.status();
    assert_eq!(
        (&status["counts"]["held"], &status["held"][0]["would"]),
        (&json!(1), &json!("delete"))
    );
    daemon.stop();
    // With the word of somebody it goes at the next start.
    let daemon = Daemon::follow(&bench, PRUNE);
    daemon.says("Deleted", "i3 NA", 1);
    assert_eq!(bench.writes().len(), 1, "{daemon}");
    daemon.stop();
}

#[test]
fn what_left_the_source_is_deleted() {
    let (bench, daemon) = dozen(PRUNE);
    // Somebody else's item is nobody's business.
    bench.handle().put_raw("acme", &sidecar("foreign")).unwrap();
    bench.handle().clear_log();
    remove(&bench, &["i3"]);
    bench.repo.commit("i3 goes");
    daemon.says("Deleted", "i3 NA", 1);
    assert!(bench.stored("i3", "NA").is_none() && bench.stored("foreign", "NA").is_some());
    assert_eq!(bench.writes().len(), 1, "{daemon}");
    // A file that moves is no removal.
    bench.repo.git(&["mv", "items/i4", "moved"]);
    bench.commit(&[sidecar("new")]);
    daemon.says("Created", "new NA", 1);
    assert_eq!((daemon.said("Deleted").len(), daemon.lines("Held").len()), (1, 0), "{daemon}");
    // One that comes back is created.
    bench.commit(&[sidecar("i3")]);
    daemon.says("Created", "i3 NA", 2);
    daemon.stop();
}

#[test]
fn a_guard_holds_deletions_and_nothing_else() {
    let (bench, daemon) = dozen(PRUNE);
    remove(&bench, &["i3", "i4", "i5"]);
    bench.commit(&[told("i0", "two"), sidecar("new")]);
    daemon.says("Updated", "i0 NA", 1);
    daemon.says("Created", "new NA", 1);
    daemon.until("three are held", |daemon| daemon.lines("Held").len() == 3);
    let reason = daemon.lines("Held")[0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains('3') && reason.contains("--allow-deletes"), "{reason}");
    let guard = r#"marketsync_guard_holds_total{guard="delete-guard"}"#;
    daemon.until("it is counted", |daemon| daemon.metric(guard) == 1);
    let held = r#"marketsync_reconcile_total{result="held",trigger="commit"}"#;
    assert_eq!(daemon.metric(held), 1, "{daemon}");
    let status = daemon.status();
    assert_eq!(
        (&status["heldTotal"], &status["counts"]["held"]),
        (&json!(3), &json!(3)),
        "{status}"
    );
    assert_eq!(status["held"][0]["hold"], "delete-guard", "{status}");
    assert_eq!(status["lastPass"]["result"], "held", "{status}");
    // The next commit does not get another portion for nothing.
    bench.commit(&[told("i0", "three")]);
    daemon.says("Updated", "i0 NA", 2);
    assert_eq!((bench.names().len(), daemon.lines("Deleted").len()), (13, 0), "{daemon}");
    // Too small a permission is none.
    bench.repo.commit("No\n\nMarketsync-Allow-Deletes: 2");
    bench.commit(&[told("i0", "four")]);
    daemon.says("Updated", "i0 NA", 3);
    assert_eq!(daemon.lines("Deleted").len(), 0, "{daemon}");
    bench.repo.commit("Yes\n\nMarketsync-Allow-Deletes: 3");
    daemon.until("they go", |daemon| daemon.lines("Deleted").len() == 3);
    until("and nothing else", || bench.names().len() == 10);
    daemon.until("nothing is held", |daemon| daemon.status()["heldTotal"] == 0);
    daemon.stop();
}

#[test]
fn a_flag_allows_more() {
    let (bench, daemon) = dozen(&[PRUNE, &["--allow-deletes=3"]].concat());
    remove(&bench, &["i3", "i4", "i5"]);
    bench.repo.commit("three go");
    daemon.until("they go", |daemon| daemon.lines("Deleted").len() == 3);
    assert_eq!(daemon.lines("Held").len(), 0, "{daemon}");
    daemon.stop();
}

#[test]
fn an_empty_source_deletes_nothing_whatever_is_allowed() {
    let (bench, daemon) = dozen(&[PRUNE, &["--allow-deletes=1000"]].concat());
    bench.repo.remove("items");
    bench.repo.commit("all go\n\nMarketsync-Allow-Deletes: 1000");
    daemon.until("all are held", |daemon| daemon.lines("Held").len() == 12);
    let guard = r#"marketsync_guard_holds_total{guard="empty-source"}"#;
    daemon.until("it is counted", |daemon| daemon.metric(guard) == 1);
    assert_eq!((bench.names().len(), daemon.lines("Deleted").len()), (12, 0), "{daemon}");
    daemon.stop();
}

#[test]
fn a_broken_file_stops_deletions_until_it_is_mended() {
    let (bench, daemon) = dozen(PRUNE);
    remove(&bench, &["i3"]);
    bench.repo.write("items/i4/NA.json", "{ \"itemId\": \"i3\", ");
    bench.commit(&[told("i0", "two")]);
    daemon.says("Updated", "i0 NA", 1);
    daemon.says("Held", "i3 NA", 1);
    daemon.until("it is told", |daemon| daemon.lines("Invalid").len() == 1);
    bench.commit(&[told("i0", "three")]);
    daemon.says("Updated", "i0 NA", 2);
    assert_eq!(daemon.lines("Deleted").len(), 0, "{daemon}");
    bench.commit(&[sidecar("i4")]);
    daemon.says("Deleted", "i3 NA", 1);
    assert_eq!(bench.names().len(), 11, "{daemon}");
    assert_eq!(daemon.said("Held"), ["i3 NA", "i4 NA"], "told once:\n{daemon}");
    daemon.stop();
}
