//! The whole program over one pass after the other: what goes, what does not,
//! and that nothing is asked when nothing changed (`practice.md` §6).

use std::fs;

use marketsync::embedded::{
    DeleteFiles, ListRows, ManifestForm, PartialFailure, Reapply, Route, RowOrder, Switches,
    TenantMismatch, UnknownKeys, UnknownVersions, Upsert, WrittenDefaults,
};
use serde_json::{Value, json};

use crate::support::cli::{Bench, plugin, pretty, set, sidecar, with_image};
use crate::support::market::{COMPANY, PNG};

/// Every kind of Console that answers otherwise: the newest API, the old one,
/// and the old one without `/api/version`.
const CONSOLES: [&str; 3] = ["14.1", "13.6", "404"];

/// Three items, two of them with the same picture.
fn catalogue(bench: &Bench) -> String {
    bench.repo.write("items/logo.png", PNG);
    bench.commit(&[
        with_image(sidecar("alpha"), "../logo.png"),
        sidecar("beta"),
        with_image(plugin("gamma", "1.0.0"), "../logo.png"),
    ])
}

#[test]
fn the_story_of_the_readme() {
    for console in CONSOLES {
        let bench = Bench::console(console);
        let commit = catalogue(&bench);
        let first = bench.apply(&[]).exits(0);
        first.prints("3 of 3 items have been successfully applied:\n");
        let rows: Vec<Vec<&str>> =
            first.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[2], ["OBJECT", "ID", "ITEM", "ID", "VERSION", "STATUS"], "{first}");
        let id =
            bench.handle().object_id(COMPANY, &crate::support::market::key("beta", "NA")).unwrap();
        assert_eq!(rows[5], [id.as_str(), "beta", "NA", "Created"], "{first}");
        assert_eq!(first.said("Created"), ["alpha NA", "beta NA", "gamma 1.0.0"]);
        let line =
            first.lines("Created").into_iter().find(|line| line["item_id"] == "beta").unwrap();
        assert_eq!((&line["company"], &line["object_id"]), (&json!(COMPANY), &json!(id)));
        assert!(commit.starts_with(line["commit"].as_str().unwrap()), "{line}");
        assert_eq!(
            (&line["path"], &line["type"]),
            (&json!("items/beta/NA.json"), &json!("sidecar"))
        );

        let second = bench.apply(&[]).exits(0);
        bench.asked_nothing();
        assert!(!second.stdout.contains("OBJECT ID"), "{second}");
        second.prints("3 unchanged");

        bench.commit(&[set(sidecar("beta"), "/resources/dockerImage", "ghcr.io/my-sidecar:2.0")]);
        let third = bench.apply(&[]).exits(0);
        let line = third.line("Updated");
        assert_eq!(
            (&line["item_id"], &line["changed"]),
            (&json!("beta"), &json!(r#"["/resources/dockerImage"]"#))
        );
        assert!(line["from"].is_string(), "{line}");
        assert_eq!(line["object_id"], json!(id));
        assert_eq!(bench.sent(), ["beta NA"], "Console {console}");
        assert_eq!(
            bench.stored("beta", "NA").unwrap()["resources"]["dockerImage"],
            "ghcr.io/my-sidecar:2.0"
        );
        bench.apply(&[]).exits(0).prints("3 unchanged");
        bench.asked_nothing();
    }
}

#[test]
fn what_is_the_same_costs_no_request() {
    let bench = Bench::new();
    catalogue(&bench);
    bench.apply(&[]).exits(0);
    let repo = &bench.repo;
    let quiet = |what: &str| {
        bench.repo.commit(what);
        let run = bench.apply(&[]).exits(0);
        run.prints("0 applied, 3 unchanged");
        bench.asked_nothing();
    };
    repo.remove("items/beta").write("elsewhere/b.json", pretty(&sidecar("beta")));
    quiet("renamed");
    repo.write("elsewhere/b.json", sidecar("beta").to_string());
    quiet("reformatted");
    let mut turned = serde_json::Map::new();
    for (name, value) in sidecar("beta").as_object().unwrap().iter().rev() {
        turned.insert(name.clone(), value.clone());
    }
    turned.insert("$schema".to_owned(), json!("../schema/manifest.schema.json"));
    repo.write("schema/manifest.schema.json", r#"{"type":"object"}"#);
    repo.remove("elsewhere/b.json").write("elsewhere/b.yaml", Value::Object(turned).to_string());
    quiet("in YAML, with a schema");
    repo.remove("items/logo.png").write("pictures/same.png", PNG);
    repo.write(
        "items/alpha/NA.json",
        pretty(&with_image(sidecar("alpha"), "../../pictures/same.png")),
    );
    repo.write(
        "items/gamma/1.0.0.json",
        pretty(&with_image(plugin("gamma", "1.0.0"), "../../pictures/same.png")),
    );
    quiet("the picture moved");
    repo.write("README.md", "Words").write("items/notes.txt", "words");
    quiet("files that are no items");
    repo.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "rewritten"]);
    quiet("history rewritten");
}

#[test]
fn a_new_picture_goes_with_its_items_alone() {
    let bench = Bench::new();
    catalogue(&bench);
    bench.apply(&[]).exits(0);
    let before = bench.stored("alpha", "NA").unwrap()["imageUrl"].clone();
    bench.repo.write("items/logo.png", [PNG, b"more"].concat());
    bench.repo.commit("a new picture");
    let run = bench.apply(&[]).exits(0);
    assert_eq!(run.said("Updated"), ["alpha NA", "gamma 1.0.0"]);
    assert_eq!(bench.sent().len(), 2);
    assert_eq!(bench.handle().calls(Route::Upload), 2, "once for each item id");
    assert_ne!(bench.stored("alpha", "NA").unwrap()["imageUrl"], before);
    for line in run.lines("Updated") {
        assert_eq!(line["changed"], r#"["/image"]"#, "{line}");
    }
    // Only a picture of one of them.
    bench.repo.write("items/alpha/own.png", [PNG, b"own"].concat());
    bench.commit(&[with_image(sidecar("alpha"), "own.png")]);
    let run = bench.apply(&[]).exits(0);
    assert_eq!(
        (run.said("Updated"), bench.handle().calls(Route::Upload)),
        (vec!["alpha NA".to_owned()], 1)
    );
}

#[test]
fn a_lost_state_writes_nothing() {
    for console in CONSOLES {
        let bench = Bench::console(console);
        catalogue(&bench);
        bench.apply(&[]).exits(0);
        let before = bench.handle().items();
        bench.forget();
        let run = bench.apply(&[]).exits(0);
        assert_eq!(run.said("Adopted"), ["alpha NA", "beta NA", "gamma 1.0.0"], "{run}");
        assert_eq!(bench.writes(), [], "Console {console}: {run}");
        assert!(bench.handle().calls(Route::Download) > 0, "the pictures were looked at");
        assert_eq!(bench.handle().items(), before);
        run.tells("No record of earlier passes");
        bench.apply(&[]).exits(0);
        bench.asked_nothing();
        // What was adopted is known: a new picture of one item uploads once.
        bench.repo.write("items/alpha/own.png", [PNG, b"own"].concat());
        bench.commit(&[with_image(sidecar("alpha"), "own.png")]);
        assert_eq!(bench.apply(&[]).exits(0).said("Updated"), ["alpha NA"]);
        assert_eq!(bench.handle().calls(Route::Upload), 1);
    }
}

#[test]
fn on_first_contact_what_differs_is_updated() {
    for console in CONSOLES {
        let bench = Bench::console(console);
        catalogue(&bench);
        bench.handle().put_raw(COMPANY, &set(sidecar("beta"), "/description", "Another")).unwrap();
        bench.handle().put_raw(COMPANY, &sidecar("foreign")).unwrap();
        let foreign = bench.stored("foreign", "NA");
        let run = bench.apply(&[]).exits(0);
        assert_eq!(run.said("Created"), ["alpha NA", "gamma 1.0.0"], "{run}");
        let line = run.line("Updated");
        assert_eq!(
            (&line["item_id"], &line["changed"]),
            (&json!("beta"), &json!(r#"["/description"]"#))
        );
        assert_eq!(bench.stored("beta", "NA").unwrap()["description"], "A very simple sidecar");
        assert_eq!(bench.stored("foreign", "NA"), foreign, "nothing else is touched");
        assert!(
            bench.calls().iter().all(|call| !call.items.iter().any(|item| item == "foreign NA"))
        );
    }
}

#[test]
fn an_edit_that_only_removes_a_field_is_sent() {
    let bench = Bench::new();
    bench.commit(&[set(sidecar("alpha"), "/repositoryUrl", "https://example.com/code")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[sidecar("alpha")]);
    let run = bench.apply(&[]).exits(0);
    assert_eq!(run.line("Updated")["changed"], r#"["/repositoryUrl"]"#);
    assert_eq!(bench.stored("alpha", "NA").unwrap().get("repositoryUrl"), None);
}

#[test]
fn versions_go_up_and_never_side_by_side() {
    let versions = ["1.0.0", "1.2.0-beta.1", "1.2.0", "1.10.0", "2.0.0"];
    for console in CONSOLES {
        let bench = Bench::console(console);
        let mut items: Vec<Value> =
            versions.iter().map(|version| plugin("many", version)).collect();
        items.push(plugin("other", "1.0.0"));
        bench.commit(&items);
        bench.apply(&[]).exits(0);
        let sent = bench.sent();
        let many: Vec<&str> = sent.iter().filter_map(|item| item.strip_prefix("many ")).collect();
        assert_eq!(many, versions, "Console {console}");
        let calls: Vec<_> =
            bench.calls().into_iter().filter(|call| call.route == Route::Apply).collect();
        let with_many =
            || calls.iter().filter(|call| call.items.iter().any(|item| item.starts_with("many ")));
        for (one, next) in with_many().zip(with_many().skip(1)) {
            assert!(one.ended.unwrap() < next.began, "Console {console}: two at a time");
        }
        if console != "14.1" {
            assert_eq!(with_many().count(), versions.len(), "its answer names no version");
        }
        bench.apply(&["--drift=report"]).exits(0).prints("6 unchanged");
    }
}

/// Every value of every switch that a first contact can meet.
fn switches() -> Vec<Switches> {
    let with = |change: &dyn Fn(&mut Switches)| {
        let mut switches = Switches::default();
        change(&mut switches);
        switches
    };
    vec![
        with(&|_| {}),
        with(&|s| s.upsert = Upsert::Merge),
        with(&|s| s.unknown_keys = UnknownKeys::Drop),
        with(&|s| s.unknown_keys = UnknownKeys::Keep),
        with(&|s| s.reapply = Reapply::Neither),
        with(&|s| s.order = RowOrder::Reversed),
        with(&|s| s.partial_failure = PartialFailure::RefuseAll),
        with(&|s| s.partial_failure = PartialFailure::StoreRest),
        with(&|s| s.list_rows = ListRows::Version),
        with(&|s| s.unknown_versions = UnknownVersions::Empty),
        with(&|s| s.tenant_mismatch = TenantMismatch::Accept),
        with(&|s| s.tenant_mismatch = TenantMismatch::RejectItem),
        with(&|s| s.tenant_mismatch = TenantMismatch::BadRequest),
        with(&|s| s.tenant_mismatch = TenantMismatch::Forbidden),
        with(&|s| s.written_defaults = WrittenDefaults::On),
        with(&|s| s.delete_files = DeleteFiles::On),
        with(&|s| s.manifest_form = ManifestForm::Off),
    ]
}

/// Items that meet every rule of comparison: with and without versions,
/// pictures, visibility, an image that the manifest names itself, numbers.
fn rich(bench: &Bench) {
    bench.repo.write("items/logo.png", PNG);
    let mut other = with_image(sidecar("other"), "../logo.png");
    other["supportedBy"] = json!("Me");
    other["supportedByImage"] = json!({ "localPath": "../logo.png" });
    other["visibility"] = json!({ "public": true });
    other["categoryId"] = json!("devportal");
    other["resources"]["containerPorts"][0]["from"] = json!(80.0);
    let mut old = sidecar("old");
    old.as_object_mut().unwrap().remove("itemTypeDefinitionRef");
    old.as_object_mut().unwrap().remove("lifecycleStatus");
    old["type"] = json!("sidecar");
    bench.commit(&[
        sidecar("plain"),
        other,
        old,
        with_image(plugin("many", "1.0.0"), "../logo.png"),
        plugin("many", "1.1.0"),
        plugin("many", "2.0.0-rc.1+build.5"),
    ]);
}

#[test]
fn the_look_after_an_apply_finds_nothing_on_a_new_console() {
    looks_find_nothing("14.1");
}

#[test]
fn the_look_after_an_apply_finds_nothing_on_an_old_console() {
    looks_find_nothing("13.6");
}

fn looks_find_nothing(console: &str) {
    let mut wrong = Vec::new();
    for switches in switches() {
        let bench = Bench::switched(console, switches.clone());
        rich(&bench);
        let first = bench.apply(&[]);
        let look = bench.apply(&["--drift=report"]);
        let quiet = look.code == Some(0)
            && bench.writes().is_empty()
            && look.stdout.contains("0 applied, 6 unchanged\n");
        bench.forget();
        let anew = bench.apply(&[]);
        let adopts =
            anew.code == Some(0) && bench.writes().is_empty() && anew.lines("Adopted").len() == 6;
        if first.code != Some(0) || !quiet || !adopts {
            wrong.push(format!("{switches:?}\n== apply {first}\n== look {look}\n== anew {anew}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), switches().len(), wrong.join("\n\n"));
}

#[test]
fn drift_is_left_reported_or_corrected() {
    let bench = Bench::new();
    catalogue(&bench);
    bench.apply(&[]).exits(0);
    let mine = bench.stored("beta", "NA");
    bench.handle().put_raw(COMPANY, &set(sidecar("beta"), "/description", "Theirs")).unwrap();
    bench.handle().remove(COMPANY, &crate::support::market::key("gamma", "1.0.0")).unwrap();

    bench.apply(&[]).exits(0);
    bench.asked_nothing();

    let report = bench.apply(&["--drift=report"]).exits(0);
    assert_eq!(bench.writes(), []);
    assert_eq!(report.said("Drifted"), ["beta NA", "gamma 1.0.0"]);
    let line = report.lines("Drifted").into_iter().find(|line| line["item_id"] == "beta").unwrap();
    assert_eq!((&line["level"], &line["fields"]), (&json!("WARN"), &json!(r#"["/description"]"#)));
    report.prints("beta").prints("gamma").prints("2 held");

    let correct = bench.apply(&["--drift=correct"]).exits(0);
    assert_eq!(
        (correct.said("Updated"), correct.said("Created")),
        (vec!["beta NA".into()], vec!["gamma 1.0.0".into()])
    );
    assert_eq!(bench.sent().len(), 2);
    assert_eq!(bench.stored("beta", "NA").unwrap()["description"], mine.unwrap()["description"]);
    bench.apply(&["--drift=report"]).exits(0).prints("3 unchanged");

    // What the server adds of its own is no drift.
    let mut document = bench.stored("beta", "NA").unwrap();
    document["providerId"] = json!("somebody");
    bench.handle().put_raw(COMPANY, &document).unwrap();
    bench.apply(&["--drift=report"]).exits(0).prints("3 unchanged");
}

#[test]
fn a_picture_that_somebody_replaced_is_drift() {
    let bench = Bench::new();
    catalogue(&bench);
    bench.apply(&[]).exits(0);
    let mut document = bench.stored("alpha", "NA").unwrap();
    document["imageUrl"] = json!("/v2/files/download/no-such.png");
    bench.handle().put_raw(COMPANY, &document).unwrap();
    let run = bench.apply(&["--drift=correct"]).exits(0);
    assert_eq!(run.said("Updated"), ["alpha NA"]);
    bench.apply(&["--drift=report"]).exits(0).prints("3 unchanged");
}

#[test]
fn what_follows_an_edit_of_a_drifted_item_is_the_edit() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.apply(&[]).exits(0);
    bench.handle().put_raw(COMPANY, &set(sidecar("alpha"), "/name", "Theirs")).unwrap();
    bench.commit(&[set(sidecar("alpha"), "/description", "Mine")]);
    let run = bench.apply(&["--drift=report"]).exits(0);
    assert_eq!(run.said("Updated"), ["alpha NA"]);
    assert_eq!(bench.stored("alpha", "NA").unwrap()["name"], "My sidecar");
}

#[test]
fn the_embedded_marketplace_needs_no_account() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let mut command = crate::support::cli::program(bench.home.path());
    command.current_dir(bench.repo.path()).args([
        "apply",
        "--endpoint",
        "embedded",
        "--set-tenant",
    ]);
    let run = crate::support::cli::Running::start(command).end().exits(0);
    run.prints("1 of 1 items have been successfully applied:").tells("my-company");
    assert!(run.stderr.lines().next().unwrap().contains("embedded"), "{run}");
    let mut command = crate::support::cli::program(bench.home.path());
    command.current_dir(bench.repo.path()).args([
        "apply",
        "--endpoint",
        "embedded",
        "--set-tenant",
    ]);
    crate::support::cli::Running::start(command).end().exits(0).prints("1 unchanged");
    assert!(fs::read_dir(bench.home.path().join("state/marketsync")).unwrap().next().is_some());
}
