//! Compared with the marketplace: one entry for each row of the decision
//! table, and the exit codes.

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use super::{diff, entry, fields, lines, told};
use crate::support::cli::Bench;
use crate::support::documents::{set, sidecar};
use crate::support::market::{COMPANY, key};

/// Everything that can happen to an item at once.
fn everything() -> (Bench, String) {
    let bench = Bench::new();
    let recorded = ["drifted", "edited", "gone", "missing", "quiet", "removed"].map(sidecar);
    bench.commit(&recorded);
    bench.apply(&[]).exits(0);
    bench.handle().put_raw(COMPANY, &set(sidecar("drifted"), "/name", "Theirs")).unwrap();
    bench.handle().remove(COMPANY, &key("gone", "NA")).unwrap();
    bench.handle().remove(COMPANY, &key("missing", "NA")).unwrap();
    bench.handle().put_raw(COMPANY, &sidecar("adopted")).unwrap();
    bench.handle().put_raw(COMPANY, &set(sidecar("differs"), "/name", "Theirs")).unwrap();
    bench.handle().put_raw(COMPANY, &sidecar("foreign")).unwrap();
    bench.repo.remove("items/gone").remove("items/removed");
    let head = bench.commit(&[
        set(sidecar("edited"), "/name", "Mine"),
        sidecar("adopted"),
        sidecar("differs"),
        sidecar("new"),
    ]);
    (bench, head)
}

fn summary(report: &Value) -> [u64; 9] {
    ["items", "create", "update", "delete", "adopt", "forget", "held", "unchanged", "unseen"]
        .map(|name| report["summary"][name].as_u64().unwrap())
}

#[test]
fn every_row_of_the_decision_table() {
    let (bench, head) = everything();
    let report = told(&bench, &[], 1);
    assert_eq!(
        lines(&report),
        [
            "adopt already-there adopted NA",
            "update differs differs NA",
            "update drifted drifted NA (drift-reported)",
            "update edited edited NA",
            "forget gone gone NA",
            "create missing missing NA (drift-reported)",
            "create new new NA",
            "delete removed removed NA (prune-off)",
        ]
    );
    assert_eq!(summary(&report), [7, 1, 2, 0, 1, 1, 3, 1, 0]);
    assert_eq!(report["head"], json!(head));
    assert_eq!(
        report["against"],
        json!({ "what": "live", "endpoint": bench.market.url, "company": COMPANY })
    );
    assert_eq!((&report["problems"], &report["error"]), (&json!([]), &Value::Null));
    for held in ["drifted", "missing", "removed"] {
        assert!(entry(&report, held)["because"].is_string(), "{report:#}");
    }
    assert_eq!(entry(&report, "edited")["because"], Value::Null);

    assert_eq!(fields(&report, "drifted"), [r#"drift replaced /name "Theirs" → "My sidecar""#]);
    assert_eq!(fields(&report, "edited"), [r#"edit replaced /name "My sidecar" → "Mine""#]);
    assert_eq!(fields(&report, "differs"), [r#"? replaced /name "Theirs" → "My sidecar""#]);
    assert_eq!(fields(&report, "adopted"), Vec::<String>::new());
    let lefts =
        ["drifted", "edited", "differs", "new"].map(|id| entry(&report, id)["left"].clone());
    assert_eq!(lefts, ["live", "live", "live", "nothing"]);
    let digest = |id: &str| entry(&report, id)["digest"].clone();
    let id = |id: &str| json!(bench.handle().object_id(COMPANY, &key(id, "NA")));
    for known in ["drifted", "edited"] {
        assert_eq!(entry(&report, known)["objectId"], id(known), "{known}");
        assert!(digest(known).as_str().unwrap().starts_with("b3:"));
    }
    assert_eq!(
        (entry(&report, "new")["from"].clone(), digest("removed")),
        (Value::Null, Value::Null)
    );
    assert_eq!(entry(&report, "drifted")["from"], digest("drifted"), "the file is as it was");
    assert_ne!(entry(&report, "edited")["from"], digest("edited"));
    assert_eq!(entry(&report, "edited")["path"], "items/edited/NA.json");
    assert_eq!(entry(&report, "removed")["path"], "items/removed/NA.json");
    assert_eq!(entry(&report, "new")["type"], "sidecar");
}

#[test]
fn each_key_is_asked_for_once() {
    let (bench, _) = everything();
    diff(&bench, &[]).exits(1);
    // Wanted or recorded: nine keys; `foreign` is nobody's business.
    assert_eq!(bench.handle().calls(Route::Get), 9);
    assert!(!bench.calls().iter().any(|call| call.target.contains("foreign")));
}

#[test]
fn the_options_of_the_pass_decide_what_is_held() {
    let (bench, _) = everything();
    let report = told(&bench, &["--drift=correct", "--prune"], 1);
    assert_eq!(summary(&report), [7, 2, 3, 1, 1, 1, 0, 1, 0]);
    assert_eq!(
        lines(&report)[5..],
        ["create missing missing NA", "create new new NA", "delete removed removed NA"]
    );
    let said = told(&bench, &["--prune"], 1);
    assert_eq!(summary(&said), [7, 1, 2, 1, 1, 1, 2, 1, 0]);

    // And apply does what was said.
    let run = bench.apply(&["--drift=correct", "--prune"]).exits(0);
    assert_eq!(run.said("Created"), ["missing NA", "new NA"]);
    assert_eq!(run.said("Updated"), ["differs NA", "drifted NA", "edited NA"]);
    assert_eq!(run.said("Deleted"), ["removed NA"]);
    assert_eq!(run.said("Adopted"), ["adopted NA"]);
    assert_eq!(lines(&told(&bench, &["--drift=correct", "--prune"], 0)), Vec::<String>::new());
}

#[test]
fn the_text_says_the_same() {
    let (bench, head) = everything();
    let run = diff(&bench, &[]).exits(1);
    for words in ["live → git", &bench.market.url, COMPANY, &head[..7], "foreign"] {
        let told = run.stdout.contains(words);
        assert_eq!(told, words != "foreign", "{words}: {run}");
    }
    let text = &run.stdout;
    let at = |word: &str| text.find(word).unwrap_or_else(|| panic!("no {word}\n{run}"));
    // What would be done, what is held, what is only written down.
    assert!(at("edited NA").max(at("new NA")) < at("removed NA"), "{run}");
    assert!(at("removed NA").max(at("drifted NA")) < at("adopted NA").min(at("gone NA")), "{run}");
    run.prints(r#"- "My sidecar""#).prints(r#"+ "Mine""#).prints("items/edited/NA.json");
    let plan = told(&bench, &[], 1)["plan"].as_str().unwrap().to_owned();
    assert!(text.trim_end().lines().last().unwrap().contains(&plan), "{run}");
    assert!(!text.contains('\u{1b}'), "no colour without a terminal: {run}");
}

#[test]
fn what_is_adopted_or_held_is_no_difference() {
    let bench = Bench::new();
    bench.commit(&[sidecar("adopted"), sidecar("drifted"), sidecar("gone"), sidecar("removed")]);
    bench.apply(&[]).exits(0);
    bench.forget();
    assert_eq!(told(&bench, &[], 0)["summary"]["adopt"], 4);
    bench.apply(&[]).exits(0);
    bench.handle().put_raw(COMPANY, &set(sidecar("drifted"), "/name", "Theirs")).unwrap();
    bench.handle().remove(COMPANY, &key("gone", "NA")).unwrap();
    bench.repo.remove("items/gone").remove("items/removed").commit("two leave");
    let report = told(&bench, &[], 0);
    assert_eq!(
        lines(&report),
        [
            "update drifted drifted NA (drift-reported)",
            "forget gone gone NA",
            "delete removed removed NA (prune-off)",
        ]
    );
    assert_eq!(told(&bench, &["--drift=correct"], 1)["summary"]["update"], 1);
}

#[test]
fn the_exit_codes_and_their_order() {
    let bench = Bench::new();
    bench.commit(&["a", "b", "c"].map(sidecar));
    diff(&bench, &[]).exits(1);
    bench.apply(&[]).exits(0);
    diff(&bench, &[]).exits(0);

    // 3 before 1: two deletions are one too many, and an edit is a difference.
    bench.repo.remove("items/a").remove("items/b");
    bench.commit(&[set(sidecar("c"), "/name", "Mine")]);
    let report = told(&bench, &["--prune"], 3);
    assert_eq!((&report["summary"]["update"], &report["summary"]["held"]), (&json!(1), &json!(2)));
    told(&bench, &["--prune", "--allow-deletes=2"], 1);
    told(&bench, &[], 1);

    // 2 before 3: the report is complete all the same.
    bench.repo.write("broken.json", "{").commit("broken");
    bench.commit(&[sidecar("d")]);
    let report = told(&bench, &["--prune", "--max-updates=0"], 2);
    assert_eq!(report["problems"][0]["path"], "broken.json");
    assert_eq!(
        lines(&report),
        [
            "delete removed a NA (broken-source)",
            "delete removed b NA (broken-source)",
            "update edited c NA (update-guard)",
            "create new d NA",
        ]
    );
    let plain = diff(&bench, &[]).exits(2);
    assert!(plain.to_string().contains("broken.json"), "{plain}");

    // What could not be looked at makes it incomplete, too.
    bench.repo.remove("broken.json").commit("mended");
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(503)).for_item("d"));
    let report = told(&bench, &["--prune"], 2);
    assert_eq!(lines(&report).last().unwrap(), "create unobserved d NA (unobserved)");

    // And so does a refusal, as a report of its own.
    bench.handle().clear_faults();
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(403)));
    let refused = told(&bench, &[], 2);
    assert!(refused["error"]["message"].as_str().unwrap().contains("403"), "{refused:#}");
}

#[test]
fn a_warning_is_shown_and_is_no_difference() {
    let bench = Bench::new();
    bench.commit(&[set(sidecar("a"), "/tenantId", "other")]);
    bench.apply(&[]).exits(0);
    let report = told(&bench, &[], 0);
    assert_eq!(report["problems"][0]["severity"], "warning");
    assert_eq!(report["problems"][0]["pointer"], "/tenantId");
    told(&bench, &["--strict"], 2);
    let report = told(&bench, &["--set-tenant"], 1);
    assert_eq!(lines(&report), ["update edited a NA"]);
}
