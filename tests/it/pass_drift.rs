//! The whole program's look after an apply: it finds nothing, whatever the
//! marketplace does, and it finds what somebody else changed.

use marketsync::embedded::{
    DeleteFiles, ListRows, ManifestForm, PartialFailure, Reapply, RowOrder, Switches,
    TenantMismatch, UnknownKeys, UnknownVersions, Upsert, WrittenDefaults,
};
use serde_json::json;

use crate::pass::catalogue;
use crate::support::cli::Bench;
use crate::support::documents::{plugin, set, sidecar, with_image};
use crate::support::market::{COMPANY, PNG, key};

/// Every value of every switch that a first contact can meet.
pub(crate) fn switches() -> Vec<Switches> {
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
pub(crate) fn rich(bench: &Bench) {
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
        if first.code != Some(0) || !quiet {
            wrong.push(format!("{switches:?}\n== apply {first}\n== look {look}"));
        }
        // What is read decides what is adopted.
        let reads = switches == Switches::default()
            || switches.unknown_keys == UnknownKeys::Keep
            || switches.written_defaults == WrittenDefaults::On
            || switches.manifest_form == ManifestForm::Off;
        if reads {
            bench.forget();
            let anew = bench.apply(&[]);
            if anew.code != Some(0)
                || !bench.writes().is_empty()
                || anew.lines("Adopted").len() != 6
            {
                wrong.push(format!("{switches:?}\n== anew {anew}"));
            }
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
    bench.handle().remove(COMPANY, &key("gamma", "1.0.0")).unwrap();

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
fn an_item_that_vanished_with_its_picture_comes_back_with_one() {
    let switches = Switches { delete_files: DeleteFiles::On, ..Switches::default() };
    let bench = Bench::switched("14.1", switches);
    catalogue(&bench);
    bench.apply(&[]).exits(0);
    let before = bench.stored("alpha", "NA").unwrap()["imageUrl"].clone();
    bench.handle().remove(COMPANY, &key("alpha", "NA")).unwrap();
    let run = bench.apply(&["--drift=correct"]).exits(0);
    assert_eq!(run.said("Created"), ["alpha NA"]);
    let after = bench.stored("alpha", "NA").unwrap()["imageUrl"].clone();
    assert!(after.is_string() && after != before, "{after}");
    bench.apply(&["--drift=report"]).exits(0).prints("3 unchanged");
}
