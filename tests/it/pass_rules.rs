//! The whole program: what is held and why, and what the marketplace must not
//! see (`practice.md` §3, §4).

use serde_json::{Value, json};

use crate::support::cli::{Bench, plugin, pretty, set, sidecar};
use crate::support::market::COMPANY;

fn many(count: usize) -> Vec<Value> {
    (0..count).map(|number| sidecar(&format!("item-{number:02}"))).collect()
}

#[test]
fn pruning_is_off_counted_and_guarded() {
    let bench = Bench::new();
    bench.commit(&many(21));
    bench.handle().put_raw(COMPANY, &sidecar("foreign")).unwrap();
    bench.apply(&[]).exits(0);

    bench.repo.remove("items/item-00");
    bench.repo.commit("one gone");
    let off = bench.apply(&[]).exits(0);
    bench.asked_nothing();
    off.prints("--prune").prints("1 held");
    assert_eq!(off.said("Held"), ["item-00 NA"]);

    let one = bench.apply(&["--prune"]).exits(0);
    assert_eq!((one.said("Deleted"), bench.names().len()), (vec!["item-00 NA".to_owned()], 21));
    bench.apply(&["--prune"]).exits(0);
    bench.asked_nothing();

    // Two are a tenth; three are too many, and then none of them goes, while
    // edits and new items do.
    for number in 1..=3 {
        bench.repo.remove(&format!("items/item-{number:02}"));
    }
    bench.commit(&[set(sidecar("item-10"), "/name", "Edited"), sidecar("new")]);
    let guarded = bench.apply(&["--prune"]).exits(3);
    assert_eq!(
        (guarded.said("Updated"), guarded.said("Created")),
        (vec!["item-10 NA".into()], vec!["new NA".into()])
    );
    assert_eq!(guarded.said("Held"), ["item-01 NA", "item-02 NA", "item-03 NA"]);
    guarded.prints("--allow-deletes 3").prints("3 deletions");
    assert!(bench.writes().iter().all(|call| call.method != "DELETE"));
    assert_eq!(guarded.lines("Deleted"), Vec::<Value>::new());

    bench.apply(&["--prune", "--allow-deletes", "2"]).exits(3);
    let allowed = bench.apply(&["--prune", "--allow-deletes", "3"]).exits(0);
    assert_eq!(allowed.said("Deleted").len(), 3);
    // The allowance is of the commit, not of the pass.
    bench.apply(&["--prune", "--allow-deletes", "3"]).exits(0);
    bench.asked_nothing();
    assert!(bench.names().contains(&"foreign NA".to_owned()), "what was never recorded stays");
}

#[test]
fn a_trailer_of_the_commit_allows_deletes() {
    let bench = Bench::new();
    bench.commit(&many(5));
    bench.apply(&[]).exits(0);
    for number in 0..3 {
        bench.repo.remove(&format!("items/item-{number:02}"));
    }
    bench.repo.commit("Three go\n\nMarketsync-Allow-Deletes: 3");
    let run = bench.apply(&["--prune"]).exits(0);
    assert_eq!(run.said("Deleted").len(), 3);
}

#[test]
fn an_empty_source_deletes_nothing() {
    let bench = Bench::new();
    bench.commit(&many(2));
    bench.apply(&[]).exits(0);
    bench.repo.remove("items");
    bench.repo.commit("nothing left");
    let run = bench.apply(&["--prune", "--allow-deletes", "99"]).exits(3);
    run.prints("empty source");
    assert_eq!((bench.writes(), bench.names().len()), (Vec::new(), 2));
}

#[test]
fn a_broken_file_deletes_nothing_and_stops_only_itself() {
    let bench = Bench::new();
    bench.commit(&many(3));
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/item-00");
    bench
        .repo
        .write("items/item-01/NA.json", "{\n  \"itemId\": \"item-01\",\n  \"name\": 'x'\n}\n");
    bench.commit(&[set(sidecar("item-02"), "/name", "Edited"), sidecar("new")]);
    let run = bench.apply(&["--prune"]).exits(1);
    assert_eq!(
        (run.said("Updated"), run.said("Created")),
        (vec!["item-02 NA".into()], vec!["new NA".into()])
    );
    assert_eq!(run.lines("Deleted"), Vec::<Value>::new());
    let line = run.line("Invalid");
    assert_eq!((&line["path"], &line["line"]), (&json!("items/item-01/NA.json"), &json!(3)));
    run.prints("broken").prints("1 problems in files");
    assert_eq!(bench.names().len(), 4);
    // The broken file is not forgotten either.
    bench.commit(&[sidecar("item-01")]);
    bench.apply(&["--prune"]).exits(0);
    assert_eq!(bench.names(), ["item-01 NA", "item-02 NA", "new NA"]);
    assert_eq!(bench.sent(), Vec::<String>::new());
}

#[test]
fn an_item_that_moves_into_a_broken_file_is_not_deleted() {
    let bench = Bench::new();
    bench.commit(&many(2));
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/item-00").write("moved.json", r#"{"itemId": "item-00", "#);
    bench.repo.commit("moved, half");
    bench.apply(&["--prune", "--allow-deletes=5"]).exits(1);
    assert_eq!(bench.writes(), []);
}

#[test]
fn updates_can_be_limited() {
    let bench = Bench::new();
    bench.commit(&many(4));
    bench.apply(&[]).exits(0);
    let mut edited: Vec<Value> =
        many(4).into_iter().map(|item| set(item, "/name", "Edited")).collect();
    edited.push(sidecar("new"));
    bench.commit(&edited);
    let run = bench.apply(&["--max-updates", "3"]).exits(3);
    assert_eq!(run.said("Created"), ["new NA"]);
    run.prints("4 updates").prints("--max-updates");
    assert_eq!(bench.sent(), ["new NA"]);
    assert_eq!(bench.apply(&["--max-updates", "4"]).exits(0).said("Updated").len(), 4);
}

#[test]
fn a_published_version_is_immutable_and_the_next_is_proposed() {
    for console in ["14.1", "13.6"] {
        let bench = Bench::console(console);
        bench.commit(&[plugin("p", "1.2.0"), plugin("p", "1.2.1"), sidecar("s")]);
        bench.apply(&[]).exits(0);
        let replicas = "/resources/services/one/replicas";
        bench.commit(&[
            set(plugin("p", "1.2.0"), replicas, 2),
            set(sidecar("s"), "/resources/dockerImage", "x/y:2"),
        ]);
        let run = bench.apply(&[]).exits(1);
        assert_eq!(
            (run.said("Held"), run.said("Updated")),
            (vec!["p 1.2.0".into()], vec!["s NA".into()]),
            "{run}"
        );
        let reason = run.line("Held")["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("immutable") && reason.contains("1.2.2"), "{reason}");
        run.prints("1.2.2");
        assert_eq!(bench.sent(), ["s NA"], "the marketplace never sees it");
        // Metadata may change at any time.
        bench.commit(&[set(plugin("p", "1.2.0"), "/version/releaseNote", "better")]);
        assert_eq!(bench.apply(&[]).exits(0).said("Updated"), ["p 1.2.0"]);
        // And the proposal works.
        bench.commit(&[set(plugin("p", "1.2.2"), replicas, 2)]);
        assert_eq!(bench.apply(&[]).exits(0).said("Created"), ["p 1.2.2"]);
    }
}

#[test]
fn a_draft_version_may_change() {
    let bench = Bench::new();
    let draft = |replicas: u32| {
        let item = set(plugin("p", "1.0.0"), "/lifecycleStatus", "draft");
        set(item, "/resources/services/one/replicas", replicas)
    };
    bench.commit(&[draft(1)]);
    bench.apply(&[]).exits(0);
    bench.commit(&[draft(2)]);
    assert_eq!(bench.apply(&[]).exits(0).said("Updated"), ["p 1.0.0"]);
}

#[test]
fn a_foreign_tenant_is_a_warning_and_can_be_set() {
    let bench = Bench::new();
    bench.commit(&[set(sidecar("alpha"), "/tenantId", "my-tenant-id")]);
    let run = bench.apply(&[]).exits(0);
    let line = run.line("Questionable");
    assert_eq!(line["path"], "items/alpha/NA.json");
    assert!(line["problem"].as_str().unwrap().contains("my-tenant-id"), "{line}");
    assert!(run.stderr.contains("--set-tenant"), "{run}");
    bench.apply(&["--drift=report"]).exits(0).prints("1 unchanged");

    let set_tenant = bench.apply(&["--set-tenant"]).exits(0);
    assert_eq!(set_tenant.lines("Questionable"), Vec::<Value>::new());
    assert_eq!(bench.stored("alpha", "NA").unwrap()["tenantId"], COMPANY);
    bench.apply(&["--set-tenant"]).exits(0);
    bench.asked_nothing();
    bench.apply(&["--strict"]).exits(1);
}

fn older(item_id: &str) -> Value {
    let mut item = sidecar(item_id);
    let fields = item.as_object_mut().unwrap();
    fields.remove("lifecycleStatus");
    fields.remove("itemTypeDefinitionRef");
    fields.insert("type".to_owned(), json!("sidecar"));
    item
}

#[test]
fn an_item_of_the_older_model_gets_a_lifecycle() {
    let bench = Bench::new();
    bench.commit(&[older("alpha"), older("beta")]);
    let run = bench.apply(&[]).exits(0);
    assert_eq!(bench.stored("alpha", "NA").unwrap()["lifecycleStatus"], "published");
    let told = run.log().into_iter().filter(|line| line.to_string().contains("lifecycle")).count();
    assert_eq!(told, 1, "the log says so once: {run}");
    let run = bench.apply(&["--default-lifecycle", "draft"]).exits(0);
    assert_eq!(run.said("Updated"), ["alpha NA", "beta NA"]);
    assert_eq!(bench.stored("beta", "NA").unwrap()["lifecycleStatus"], "draft");
    bench.apply(&["--default-lifecycle", "draft"]).exits(0);
    bench.asked_nothing();
}

#[test]
fn the_old_api_holds_what_it_cannot_say() {
    for console in ["13.6", "404"] {
        let bench = Bench::console(console);
        let mut rich = sidecar("rich");
        rich["tags"] = json!(["a"]);
        rich["labels"] = json!({ "team": "one" });
        bench.commit(&[rich, sidecar("plain"), older("old")]);
        let run = bench.apply(&[]).exits(1);
        assert_eq!(
            (run.said("Held"), run.said("Created")),
            (vec!["rich NA".into()], vec!["old NA".into(), "plain NA".into()])
        );
        let reason = run.line("Held")["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("tags") && reason.contains("labels"), "{reason}");
        assert!(!reason.contains("lifecycleStatus"), "{reason}");
        run.prints("tags");
        // Once the Console is a newer one it goes.
        bench.handle().set_console("14.1".parse().unwrap());
        assert_eq!(bench.apply(&[]).exits(0).said("Created"), ["rich NA"]);
    }
}

#[test]
fn a_schema_of_the_same_commit_counts_and_is_not_sent() {
    let bench = Bench::new();
    let item = set(sidecar("alpha"), "/$schema", "../../manifest.schema.json");
    bench.repo.write(
        "manifest.schema.json",
        r#"{"type":"object","properties":{"name":{"maxLength":20}}}"#,
    );
    bench.commit(std::slice::from_ref(&item));
    bench.apply(&[]).exits(0);
    assert_eq!(bench.stored("alpha", "NA").unwrap().get("$schema"), None);
    bench.repo.write(
        "manifest.schema.json",
        r#"{"type":"object","properties":{"name":{"maxLength":3}}}"#,
    );
    bench.repo.commit("a stricter schema");
    let run = bench.apply(&[]).exits(1);
    let line = run.line("Invalid");
    assert_eq!((&line["path"], &line["pointer"]), (&json!("items/alpha/NA.json"), &json!("/name")));
    bench.asked_nothing();
    bench.repo.write("items/alpha/NA.json", pretty(&set(item, "/name", "ok")));
    bench.repo.commit("mended");
    assert_eq!(bench.apply(&[]).exits(0).said("Updated"), ["alpha NA"]);
}

#[test]
fn two_files_of_one_item_are_a_problem_of_both() {
    let bench = Bench::new();
    bench.repo.write("twin.json", pretty(&sidecar("alpha")));
    bench.commit(&[sidecar("alpha"), sidecar("beta")]);
    let run = bench.apply(&[]).exits(1);
    assert_eq!(run.said("Created"), ["beta NA"]);
    run.tells("twin.json").tells("items/alpha/NA.json");
}

#[test]
fn json_as_people_write_it_is_taken_with_a_warning() {
    let bench = Bench::new();
    let trailing = pretty(&older("alpha")).replace("\n}", ",\n}");
    bench.repo.write("alpha.json", format!("\u{feff}{trailing}"));
    bench.repo.commit("as in the user document");
    let run = bench.apply(&[]).exits(0);
    assert_eq!(run.said("Created"), ["alpha NA"]);
    assert!(run.lines("Questionable").iter().any(|line| line["line"].is_u64()), "{run}");
}
