//! Approved plans: `apply --plan` does exactly what `diff --out` saw, or
//! nothing (decision 0013).

use std::fs;
use std::path::{Path, PathBuf};

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use super::{diff, diff_of, told};
use crate::support::cli::{Bench, Ended, Running, complains, program};
use crate::support::documents::{pretty, set, sidecar};
use crate::support::market::{COMPANY, key};

/// `diff --out`, with the options of the pass.
#[track_caller]
fn saved(bench: &Bench, args: &[&str], code: i32) -> PathBuf {
    let path = bench.home.path().join("plan.json");
    diff(bench, &[args, &["--out", path.to_str().unwrap()]].concat()).exits(code);
    path
}

fn read(plan: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(plan).unwrap()).unwrap()
}

/// `apply --plan` that refuses and sends nothing.
#[track_caller]
fn refused(bench: &Bench, plan: &Path, args: &[&str], code: i32) -> Ended {
    let before = bench.handle().items();
    let plan = ["--plan", plan.to_str().unwrap(), "--format=json"];
    let run = bench.apply(&[&plan, args].concat()).exits(code);
    assert_eq!(bench.writes(), [], "{run}");
    assert!(before == bench.handle().items());
    assert!(run.json().is_object() && !run.stderr.contains("panicked"), "{run}");
    complains(&run, &[]);
    run
}

#[track_caller]
fn applied(bench: &Bench, plan: &Path, args: &[&str]) -> Ended {
    bench.apply(&[&["--plan", plan.to_str().unwrap()], args].concat()).exits(0)
}

/// One to create, one to update, one to delete.
fn three() -> Bench {
    let bench = Bench::new();
    bench.commit(&[sidecar("delete"), sidecar("quiet"), sidecar("update")]);
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/delete");
    bench.commit(&[sidecar("create"), set(sidecar("update"), "/name", "Mine")]);
    bench
}

#[test]
fn exactly_what_was_seen_is_done() {
    let bench = three();
    let plan = saved(&bench, &["--prune"], 1);
    let file = read(&plan);
    let report = told(&bench, &["--prune"], 1);
    assert_eq!(file["digest"], report["plan"]);
    assert_eq!((&file["company"], &file["endpoint"]), (&json!(COMPANY), &json!(bench.market.url)));
    let changes = file["changes"].as_array().unwrap();
    let named: Vec<(&Value, &Value)> =
        changes.iter().map(|change| (&change["action"], &change["itemId"])).collect();
    assert_eq!(
        named,
        [("create", "create"), ("update", "update"), ("delete", "delete")]
            .map(|(action, item)| (json!(action), json!(item)))
            .iter()
            .map(|(action, item)| (action, item))
            .collect::<Vec<_>>()
    );
    let run = applied(&bench, &plan, &["--prune"]);
    assert_eq!(run.said("Created"), ["create NA"]);
    assert_eq!(run.said("Updated"), ["update NA"]);
    assert_eq!(run.said("Deleted"), ["delete NA"]);
    assert_eq!(bench.names(), ["create NA", "quiet NA", "update NA"]);
    // A second time there is something else to do: nothing.
    let again = refused(&bench, &plan, &["--prune"], 3);
    complains(&again, &["create"]);
}

#[test]
fn a_plan_of_nothing_does_nothing() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    bench.apply(&[]).exits(0);
    let plan = saved(&bench, &[], 0);
    assert_eq!(read(&plan)["changes"], json!([]));
    applied(&bench, &plan, &[]).prints("1 unchanged");
    assert_eq!(bench.writes(), []);
    // What is only written down is no line of a plan.
    bench.forget();
    let plan = saved(&bench, &[], 0);
    assert_eq!(applied(&bench, &plan, &[]).said("Adopted"), ["a NA"]);
    bench.commit(&[sidecar("b")]);
    complains(&refused(&bench, &plan, &[], 3), &["b"]);
}

#[test]
fn the_digest_is_of_what_is_done_alone() {
    let bench = three();
    let digest = |bench: &Bench| told(bench, &["--prune"], 1)["plan"].clone();
    let first = digest(&bench);
    let repo = &bench.repo;
    // Another commit, another file name, another formatting, another reason.
    repo.remove("items/create").write("x/other.yaml", sidecar("create").to_string());
    repo.write("items/update/NA.json", set(sidecar("update"), "/name", "Mine").to_string());
    repo.git(&["commit", "-q", "--allow-empty", "-m", "empty"]);
    repo.commit("written otherwise");
    assert_eq!(digest(&bench), first);
    bench.handle().put_raw(COMPANY, &set(sidecar("update"), "/name", "Theirs")).unwrap();
    assert_eq!(digest(&bench), first, "what is there before does not count");
    bench.handle().put_raw(COMPANY, &sidecar("unrelated")).unwrap();
    let plan = saved(&bench, &["--prune"], 1);
    repo.commit("one more");
    applied(&bench, &plan, &["--prune"]);

    // And of all that is done: the wanted document, the action, the set.
    let other = three();
    assert_eq!(digest(&other), first, "the same changes elsewhere");
    other.commit(&[set(sidecar("update"), "/name", "Other")]);
    let second = digest(&other);
    other.commit(&[sidecar("more")]);
    let third = digest(&other);
    assert!(first != second && second != third && first != third);
}

#[test]
fn the_file_is_of_any_job_with_or_without_a_state() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a"), sidecar("b")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[set(sidecar("a"), "/name", "Mine")]);
    let with = told(&bench, &[], 1)["plan"].clone();
    let plan = saved(&bench, &[], 1);
    bench.forget();
    assert_eq!(told(&bench, &[], 1)["plan"], with);
    let run = applied(&bench, &plan, &[]);
    assert_eq!(
        (run.said("Updated"), run.said("Adopted")),
        (vec!["a NA".into()], vec!["b NA".into()])
    );
}

#[test]
fn refused_when_git_moved() {
    let bench = three();
    let plan = saved(&bench, &["--prune"], 1);
    bench.commit(&[sidecar("late")]);
    complains(&refused(&bench, &plan, &["--prune"], 3), &["late", "create"]);
    bench.repo.remove("items/late");
    bench.commit(&[set(sidecar("update"), "/name", "Other")]);
    complains(&refused(&bench, &plan, &["--prune"], 3), &["update"]);
    bench.commit(&[sidecar("update")]);
    complains(&refused(&bench, &plan, &["--prune"], 3), &["update"]);
    // The commit that was seen is one that can be named.
    let run = applied(&bench, &plan, &["--prune", "--revision=HEAD~3"]);
    assert_eq!(run.said("Updated"), ["update NA"]);
}

#[test]
fn refused_when_the_marketplace_moved() {
    // Somebody created what is to be created.
    let bench = three();
    let plan = saved(&bench, &["--prune"], 1);
    bench.handle().put_raw(COMPANY, &set(sidecar("create"), "/name", "Theirs")).unwrap();
    complains(&refused(&bench, &plan, &["--prune"], 3), &["create"]);
    // … in the very shape: it would be adopted.
    bench.handle().put_raw(COMPANY, &sidecar("create")).unwrap();
    complains(&refused(&bench, &plan, &["--prune"], 3), &["create"]);
    bench.handle().remove(COMPANY, &key("create", "NA")).unwrap();

    // Somebody deleted what is to be deleted.
    bench.handle().remove(COMPANY, &key("delete", "NA")).unwrap();
    complains(&refused(&bench, &plan, &["--prune"], 3), &["delete"]);
    bench.handle().put_raw(COMPANY, &sidecar("delete")).unwrap();

    // Drift that would be put right, and that nobody approved.
    let plan = saved(&bench, &["--prune", "--drift=correct"], 1);
    bench.handle().put_raw(COMPANY, &set(sidecar("quiet"), "/name", "Theirs")).unwrap();
    complains(&refused(&bench, &plan, &["--prune", "--drift=correct"], 3), &["quiet"]);
    let plan = saved(&bench, &["--prune", "--drift=correct"], 1);
    bench.handle().put_raw(COMPANY, &sidecar("quiet")).unwrap();
    complains(&refused(&bench, &plan, &["--prune", "--drift=correct"], 3), &["quiet"]);
    // It is there as it was: the first plan holds again.
    let plan = saved(&bench, &["--prune"], 1);
    applied(&bench, &plan, &["--prune"]);
}

#[test]
fn refused_when_the_options_are_others() {
    let bench = three();
    let plan = saved(&bench, &["--prune"], 1);
    let run = refused(&bench, &plan, &[], 3);
    complains(&run, &["delete", "--prune"]);
    refused(&bench, &plan, &["--prune", "--max-updates=0"], 3);
    bench.handle().put_raw(COMPANY, &set(sidecar("quiet"), "/name", "Theirs")).unwrap();
    let corrected = saved(&bench, &["--prune", "--drift=correct"], 1);
    complains(&refused(&bench, &corrected, &["--prune"], 3), &["quiet"]);
    let without = saved(&bench, &[], 1);
    complains(&refused(&bench, &without, &["--prune"], 3), &["delete"]);
    assert_eq!(applied(&bench, &without, &[]).said("Updated"), ["update NA"]);
}

#[test]
fn a_file_that_was_edited_or_is_none() {
    let bench = three();
    let plan = saved(&bench, &["--prune"], 1);
    let good = fs::read_to_string(&plan).unwrap();
    let mut edits: Vec<(String, Vec<u8>)> = Vec::new();
    let mut edit = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut file: Value = serde_json::from_str(&good).unwrap();
        change(&mut file);
        edits.push((what.to_owned(), file.to_string().into_bytes()));
    };
    edit("a change is gone", &|file| drop(file["changes"].as_array_mut().unwrap().remove(0)));
    edit("another item", &|file| file["changes"][0]["itemId"] = json!("quiet"));
    edit("another action", &|file| file["changes"][0]["action"] = json!("delete"));
    edit("no action", &|file| file["changes"][0]["action"] = json!("destroy"));
    edit("another digest", &|file| file["digest"] = json!(format!("b3:{:064}", 0)));
    edit("no digest", &|file| file["digest"] = json!("b3:1"));
    edit("another company", &|file| file["company"] = json!("other"));
    edit("another endpoint", &|file| file["endpoint"] = json!("http://127.0.0.1:1"));
    edit("a later version", &|file| file["version"] = json!(2));
    edit("no changes", &|file| drop(file.as_object_mut().unwrap().remove("changes")));
    edit("a list", &|file| *file = json!([]));
    edit("null", &|file| *file = Value::Null);
    edit("a line break in an id", &|file| file["changes"][0]["itemId"] = json!("a NA\ndelete b"));
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("half", good.as_bytes()[..good.len() / 2].to_vec()),
        ("no text", vec![0xff, 0xfe, 0x00, 0x1b]),
        ("a report", told(&bench, &["--prune"], 1).to_string().into_bytes()),
        ("deep", "[".repeat(100_000).into_bytes()),
        ("twice", [good.as_bytes(), good.as_bytes()].concat()),
        ("large", vec![b' '; 80 << 20]),
    ] {
        edits.push((what.to_owned(), bytes));
    }
    for (what, bytes) in edits {
        fs::write(&plan, bytes).unwrap();
        let run = refused(&bench, &plan, &["--prune"], 2);
        assert!(run.json()["error"]["message"].is_string(), "{what}: {run}");
        assert!(!run.stderr.contains('\u{1b}') && run.stderr.len() < 4000, "{what}: {run}");
    }
    for path in ["no/such/plan.json", "/dev/zero", "/", bench.home.path().to_str().unwrap()] {
        let run = refused(&bench, &PathBuf::from(path), &["--prune"], 2);
        complains(&run, &[path]);
    }
    // Written otherwise it is the same.
    let file: Value = serde_json::from_str(&good).unwrap();
    fs::write(&plan, file.to_string()).unwrap();
    applied(&bench, &plan, &["--prune"]);
}

#[test]
fn another_company_or_endpoint() {
    let bench = three();
    let plan = saved(&bench, &["--prune"], 1);
    for (endpoint, company) in
        [(bench.market.url.as_str(), "other"), ("http://localhost:1", COMPANY)]
    {
        let mut apply = program(bench.home.path());
        apply.env("MARKETSYNC_CLIENT_SECRET", "x").arg("apply").arg(bench.repo.path());
        apply.args(["--endpoint", endpoint, "--company-id", company, "--client-id=id"]);
        apply.args(["--format=json", "--prune", "--plan"]).arg(&plan);
        bench.handle().clear_log();
        let run = Running::start(apply).end().exits(2);
        complains(&run, &["plan"]);
        assert!(run.json()["error"]["message"].is_string(), "{run}");
        assert_eq!(bench.writes(), []);
    }
}

#[test]
fn a_marketplace_that_fails_for_a_moment() {
    for (route, kind) in [
        (Route::Get, FaultKind::status(503)),
        (Route::Get, FaultKind::CutBefore),
        (Route::Apply, FaultKind::status(503)),
        (Route::Apply, FaultKind::CutAfter),
        (Route::Apply, FaultKind::MissingRow),
        (Route::Delete, FaultKind::status(503)),
        (Route::Token, FaultKind::status(503)),
    ] {
        let bench = three();
        let plan = saved(&bench, &["--prune"], 1);
        bench.handle().fail(Fault::always(route, kind.clone()).times(2));
        let run = bench.apply(&["--prune", "--format=json", "--plan", plan.to_str().unwrap()]);
        assert_eq!(run.code, Some(0), "{route:?} {kind:?}: {run}");
        assert_eq!(bench.names(), ["create NA", "quiet NA", "update NA"], "{route:?} {kind:?}");
        assert_eq!(run.json()["error"], Value::Null, "{run}");
        assert_eq!(bench.stored("update", "NA").unwrap()["name"], "Mine");
    }
}

#[test]
fn a_marketplace_that_stays_away() {
    let bench = three();
    let plan = saved(&bench, &["--prune"], 1);
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(503)));
    let args = ["--prune", "--retry-for=1s", "--format=json", "--plan", plan.to_str().unwrap()];
    let run = bench.apply(&args);
    assert_ne!(run.code, Some(0), "{run}");
    assert_eq!(bench.writes(), [], "{run}");
    assert!(run.json().is_object());
}

#[test]
fn a_rejected_item_of_a_plan_fails_alone() {
    let bench = three();
    let plan = saved(&bench, &["--prune"], 1);
    let kind = FaultKind::RejectItem { message: "too blue".to_owned() };
    bench.handle().fail(Fault::always(Route::Apply, kind).for_item("create"));
    let args = ["--prune", "--format=json", "--plan", plan.to_str().unwrap()];
    let run = bench.apply(&args).exits(1);
    assert_eq!(run.json()["failed"][0]["itemId"], "create");
    assert_eq!(run.said("Updated"), ["update NA"]);
}

#[test]
fn a_plan_of_held_changes_leaves_them_out() {
    let bench = three();
    let plan = saved(&bench, &["--max-updates=0"], 3);
    let names: Vec<Value> =
        read(&plan)["changes"].as_array().unwrap().iter().map(|c| c["itemId"].clone()).collect();
    assert_eq!(names, ["create"]);
    let path = plan.to_str().unwrap();
    let run = bench.apply(&["--max-updates=0", "--plan", path]).exits(3);
    assert_eq!((run.said("Created"), run.lines("Updated").len()), (vec!["create NA".into()], 0));
}

#[test]
fn how_far_was_looked_is_kept() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a"), sidecar("b")]);
    bench.apply(&[]).exits(0);
    bench.handle().remove(COMPANY, &key("a", "NA")).unwrap();
    bench.commit(&[set(sidecar("a"), "/name", "Mine")]);
    // Who looks sees that it is missing: a creation. Who does not: an update.
    let plan = saved(&bench, &[], 1);
    assert_eq!(read(&plan)["changes"][0]["action"], "create");
    let run = applied(&bench, &plan, &[]);
    assert_eq!(run.said("Created"), ["a NA"]);
}

#[test]
fn where_a_plan_cannot_be_written_or_made() {
    let bench = three();
    for path in ["/no/such/folder/plan.json", "/"] {
        let run = diff(&bench, &["--format=json", "--out", path]).exits(2);
        complains(&run, &[path]);
        assert!(run.json().is_object(), "{run}");
    }
    // A plan of other things than a marketplace is no plan for one, or it holds.
    let path = bench.home.path().join("other.json");
    let out = path.to_str().unwrap();
    let run = diff(&bench, &["--against=HEAD~1", "--format=json", "--out", out]);
    assert!(run.code == Some(2) && !path.exists() || path.exists(), "{run}");
    // A folder of files has plans, too.
    let folder = bench.home.path().join("plain");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("new.json"), pretty(&sidecar("new"))).unwrap();
    bench.forget();
    diff_of(&bench, &folder, &["--out", out]).exits(1);
    let run = bench.apply_from(&folder, &["--plan", out]).exits(0);
    assert_eq!(run.said("Created"), ["new NA"]);
}

#[test]
fn a_broken_file_among_the_others() {
    let bench = Bench::new();
    bench.repo.write("broken.json", "{");
    bench.commit(&[sidecar("a")]);
    let path = bench.home.path().join("plan.json");
    let out = path.to_str().unwrap();
    diff(&bench, &["--out", out]).exits(2);
    if path.exists() {
        let run = bench.apply(&["--plan", out]).exits(1);
        assert_eq!(run.said("Created"), ["a NA"]);
    }
}
