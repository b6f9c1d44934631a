//! What would be held, for programs and as a sentence, with the exit code.

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use super::{diff, entry, fields, lines, told};
use crate::support::cli::Bench;
use crate::support::documents::{plugin, set, sidecar};
use crate::support::market::COMPANY;

const REPLICAS: &str = "/resources/services/one/replicas";

fn many(count: usize) -> Vec<Value> {
    (0..count).map(|number| sidecar(&format!("item-{number:02}"))).collect()
}

#[test]
fn a_published_version_is_immutable_and_the_next_one_is_named() {
    for console in ["14.1", "13.6"] {
        let bench = Bench::console(console);
        bench.commit(&[plugin("p", "1.2.0"), plugin("p", "1.2.1")]);
        bench.apply(&[]).exits(0);
        bench.commit(&[set(plugin("p", "1.2.0"), REPLICAS, 2)]);
        let report = told(&bench, &[], 0);
        assert_eq!(lines(&report), ["update edited p 1.2.0 (immutable)"]);
        let held = entry(&report, "p");
        assert_eq!(held["hold"], json!({ "hold": "immutable", "next": "1.2.2" }));
        assert!(held["because"].as_str().unwrap().contains("1.2.2"), "{held:#}");
        assert_eq!(fields(&report, "p"), [format!("edit replaced {REPLICAS} 1 → 2")]);
        diff(&bench, &[]).exits(0).prints("1.2.2").prints("- 1").prints("+ 2");
    }
}

#[test]
fn a_draft_may_change_and_so_may_the_words_of_a_published_version() {
    let bench = Bench::new();
    let draft = set(plugin("p", "1.0.0"), "/lifecycleStatus", "draft");
    bench.commit(&[draft.clone(), plugin("q", "1.0.0")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[
        set(draft, REPLICAS, 2),
        set(plugin("q", "1.0.0"), "/version/releaseNote", "better"),
    ]);
    let report = told(&bench, &[], 1);
    assert_eq!(lines(&report), ["update edited p 1.0.0", "update edited q 1.0.0"]);
}

#[test]
fn too_many_deletions() {
    let bench = Bench::new();
    bench.commit(&many(5));
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/item-00").remove("items/item-01").commit("two leave");
    let report = told(&bench, &["--prune"], 3);
    let held = entry(&report, "item-00");
    assert_eq!(held["hold"], json!({ "hold": "delete-guard", "wanted": 2, "allowed": 1 }));
    assert!(held["because"].as_str().unwrap().contains("--allow-deletes 2"), "{held:#}");
    assert_eq!(report["summary"]["held"], 2);
    assert_eq!(told(&bench, &["--prune", "--allow-deletes=2"], 1)["summary"]["delete"], 2);
    bench.repo.commit("two leave\n\nMarketsync-Allow-Deletes: 2");
    assert_eq!(told(&bench, &["--prune"], 1)["summary"]["delete"], 2);
}

#[test]
fn too_many_updates() {
    let bench = Bench::new();
    bench.commit(&many(3));
    bench.apply(&[]).exits(0);
    let edited: Vec<Value> = many(3).into_iter().map(|item| set(item, "/name", "Mine")).collect();
    bench.commit(&edited);
    bench.commit(&[sidecar("new")]);
    let report = told(&bench, &["--max-updates=2"], 3);
    let held = entry(&report, "item-02");
    assert_eq!(held["hold"], json!({ "hold": "update-guard", "wanted": 3, "allowed": 2 }));
    assert!(held["because"].as_str().unwrap().contains("--max-updates"), "{held:#}");
    assert_eq!((&report["summary"]["create"], &report["summary"]["held"]), (&json!(1), &json!(3)));
    told(&bench, &["--max-updates=3"], 1);
}

#[test]
fn an_empty_source() {
    let bench = Bench::new();
    bench.commit(&many(2));
    bench.apply(&[]).exits(0);
    bench.repo.remove("items").commit("nothing left");
    let report = told(&bench, &["--prune", "--allow-deletes=99"], 3);
    assert_eq!(
        lines(&report),
        ["delete removed item-00 NA (empty-source)", "delete removed item-01 NA (empty-source)"]
    );
    assert_eq!(report["summary"]["items"], 0);
}

#[test]
fn a_move_into_a_broken_file_is_no_deletion() {
    let bench = Bench::new();
    bench.commit(&many(2));
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/item-00").write("moved.json", r#"{"itemId": "item-00", "#);
    bench.repo.commit("moved, half");
    let report = told(&bench, &["--prune"], 2);
    assert_eq!(lines(&report), ["delete removed item-00 NA (broken-source)"]);
    assert_eq!(
        (&report["problems"][0]["path"], &report["problems"][0]["line"]),
        (&json!("moved.json"), &json!(1))
    );
}

#[test]
fn what_the_old_api_cannot_say_is_named() {
    for console in ["13.6", "404"] {
        let bench = Bench::console(console);
        let mut rich = sidecar("rich");
        rich["tags"] = json!(["a"]);
        rich["labels"] = json!({ "team": "one" });
        bench.commit(&[rich, sidecar("plain")]);
        let report = told(&bench, &[], 1);
        assert_eq!(lines(&report), ["create new plain NA", "create new rich NA (not-on-legacy)"]);
        let held = entry(&report, "rich");
        assert_eq!(held["hold"], json!({ "hold": "not-on-legacy", "fields": ["labels", "tags"] }));
        let because = held["because"].as_str().unwrap();
        assert!(because.contains("labels") && because.contains("tags"), "{because}");
    }
}

#[test]
fn apply_always_tries_again_what_was_rejected_and_diff_says_so() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    let kind = FaultKind::RejectItem { message: "too blue".to_owned() };
    bench.handle().fail(Fault::always(Route::Apply, kind));
    bench.apply(&[]).exits(1);
    assert_eq!(lines(&told(&bench, &[], 1)), ["create new a NA"]);
    bench.apply(&[]).exits(1);
}

#[test]
fn what_could_not_be_looked_at() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a"), sidecar("b")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[sidecar("c"), set(sidecar("b"), "/name", "Mine")]);
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(503)));
    let report = told(&bench, &[], 2);
    assert_eq!(lines(&report), ["update edited b NA", "create unobserved c NA (unobserved)"]);
    assert_eq!(report["summary"]["unseen"], 1, "a");
    let held = entry(&report, "c");
    assert!(held["hold"]["why"].as_str().unwrap().contains("503"), "{held:#}");
    // The edit itself is known: the record is in reach.
    let edited = entry(&report, "b");
    assert!(edited["unknown"].is_string() || edited["left"] == "recorded", "{edited:#}");
    bench.handle().put_raw(COMPANY, &sidecar("c")).unwrap();
    bench.handle().clear_faults();
    assert_eq!(lines(&told(&bench, &[], 1))[1], "adopt already-there c NA");
}
