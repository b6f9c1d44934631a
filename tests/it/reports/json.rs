//! What a program reads.

use marketsync::domain::diff::{Diff, Edit, Left};
use marketsync::domain::report::diff::json;
use serde_json::{Value, json};

use super::keep;
use crate::support::diffs;

/// The report is what `docs/diff.schema.json` says, and has no field of which
/// it says nothing.
fn validated(diff: &Diff) -> Value {
    let report = json::diff(diff);
    faultless(&report);
    report
}

pub(crate) fn faultless(report: &Value) {
    let faults = faults(report);
    assert!(faults.is_empty(), "{faults:#?}\n{report:#}");
}

fn faults(report: &Value) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diff.schema.json");
    let mut schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    close(&mut schema);
    let schema = jsonschema::validator_for(&schema).unwrap();
    let faults = schema.iter_errors(report);
    faults.map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

/// Forbids what the schema does not name.
fn close(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        if fields.get("properties").is_some_and(Value::is_object) {
            fields.entry("additionalProperties").or_insert(json!(false));
        }
        fields.values_mut().for_each(close);
    } else if let Value::Array(list) = schema {
        list.iter_mut().for_each(close);
    }
}

#[test]
fn everything_as_the_schema_says() {
    keep("full.json", &format!("{:#}\n", validated(&diffs::full())));
    validated(&diffs::branch());
    for against in [diffs::live(), diffs::recorded(), diffs::revision(true)] {
        assert_eq!(validated(&diffs::empty(against))["verdict"], "same");
    }
    for evil in diffs::EVIL {
        validated(&diffs::hostile(evil));
    }
    faultless(&marketsync::domain::report::json::error("no clone", Some("clone it")));
}

#[test]
fn the_schema_refuses_what_is_not_a_report() {
    let report = json::diff(&diffs::full());
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut report = report.clone();
        change(&mut report);
        !faults(&report).is_empty()
    };
    assert!(broken(&|report| report["verdict"] = json!("fine")));
    assert!(broken(&|report| report["entries"][0]["action"] = json!("rename")));
    assert!(broken(&|report| report["entries"][0]["surprise"] = json!(1)));
    assert!(broken(&|report| report["summary"]["held"] = json!(-1)));
    assert!(broken(&|report| drop(report.as_object_mut().unwrap().remove("plan"))));
}

#[test]
fn values_are_whole() {
    let long = "x\n".repeat(10_000);
    let mut diff = diffs::empty(diffs::live());
    let mut entry = diffs::entry(
        "a",
        "NA",
        marketsync::domain::event::Action::Update,
        marketsync::domain::event::Reason::Edited,
    );
    let edit = Edit::Removed { from: json!(long) };
    entry.fields = diffs::listed(Left::Live, vec![diffs::field("text", 1, None, edit)]);
    diff.entries = vec![entry];
    assert_eq!(validated(&diff)["entries"][0]["fields"][0]["from"], json!(long));
}

/// Every field stands in the documentation.
#[test]
fn the_report_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diff.md");
    let docs = std::fs::read_to_string(path).unwrap();
    let mut names = Vec::new();
    collect(&json::diff(&diffs::full()), &mut names);
    for name in names {
        assert!(docs.contains(&format!("`{name}`")), "docs/diff.md does not tell of {name}");
    }
}

/// The names of all fields, those inside of values aside.
fn collect(report: &Value, names: &mut Vec<String>) {
    match report {
        Value::Object(object) => {
            for (name, value) in object {
                names.push(name.clone());
                if !["from", "to", "value", "problems", "hold"].contains(&name.as_str()) {
                    collect(value, names);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}
