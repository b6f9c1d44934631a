//! Credentials reach no report, on neither side, and their changes do.

use std::path::Path;

use serde_json::{Value, json};

use super::{diff, entry, told};
use crate::support::cli::Bench;
use crate::support::documents::{set, sidecar};
use crate::support::market::COMPANY;

const FORMATS: [&str; 4] = ["text", "json", "markdown", "html"];

/// A canary for a place, of a time.
pub(super) fn canary(place: &str, time: &str) -> String {
    format!("CANARY{place}{time}x9Qz7Lw2")
}

/// An item whose `resources` may hold anything.
pub(super) fn free(item_id: &str) -> Value {
    set(sidecar(item_id), "/itemTypeDefinitionRef/name", "infrastructure-component-runtime")
}

/// An item with a secret in every place that can hold one.
fn secretive(time: &str) -> Value {
    let c = |place: &str| canary(place, time);
    let mut item = free("s");
    let environment: Vec<Value> = [
        ("DB_PASSWORD", "plain", c("envpassword")),
        ("API_KEY", "plain", c("envapikey")),
        ("apiToken", "plain", c("envtoken")),
        ("CLIENT_SECRET", "plain", c("envsecret")),
        ("PLAIN_NAME", "secret", c("valuetype")),
        ("DB_URL", "plain", format!("mongodb://user:{}@db.example.com/x", c("userinfo"))),
        ("GH", "plain", format!("ghp_{}0123456789abcdefABCD", c("github").replace('-', ""))),
        ("AWS", "plain", format!("aws_secret_access_key={}", c("aws"))),
    ]
    .into_iter()
    .map(|(name, kind, value)| json!({ "name": name, "value": value, "valueType": kind }))
    .collect();
    item["resources"]["defaultEnvironmentVariables"] = json!(environment);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n{}\n-----END PRIVATE KEY-----\n",
        c("pemfirst"),
        c("pemsecond")
    );
    let file = format!(
        "user: me\npassword: {}\nurl: https://me:{}@example.com/\nclient_secret = \"{}\"\n\
         export API_KEY={}\n  secretKey: '{}'\nlast: {time}\n",
        c("line"),
        c("lineurl"),
        c("lineequals"),
        c("lineexport"),
        c("linequoted"),
    );
    item["resources"]["defaultConfigMaps"] = json!([{
        "name": "conf", "mountPath": "/etc/x",
        "files": [{ "name": "tls.pem", "content": pem }, { "name": "app.yaml", "content": file }],
    }]);
    item["description"] = json!(format!("see https://x:{}@example.com/docs", c("description")));
    item["annotations"] = json!({
        "example.com/password": c("annotation"),
        "example.com/json": format!("{{\"password\":\"{}\"}}", c("annotationjson")),
    });
    item
}

/// A plugin whose own schema says what is only written.
pub(super) fn write_only(time: &str) -> Value {
    json!({
        "$schema": "../../thing.schema.json",
        "itemId": "w", "name": "W", "tenantId": COMPANY, "lifecycleStatus": "published",
        "itemTypeDefinitionRef": { "name": "custom-resource", "namespace": "mia-platform" },
        "resources": {
            "pin": canary("writeonly", time),
            "deep": { "list": [{ "name": "n", "shown": time, "hidden": time }] },
            "format": canary("formatpassword", time),
            "shown": time,
        },
    })
}

pub(super) const SCHEMA: &str = r##"{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "definitions": { "hidden": { "type": "string", "writeOnly": true } },
  "properties": { "resources": { "type": "object", "properties": {
    "pin": { "type": "string", "writeOnly": true },
    "format": { "type": "string", "format": "password" },
    "deep": { "properties": { "list": { "type": "array", "items": { "properties": {
      "hidden": { "$ref": "#/definitions/hidden" } } } } } }
  } } }
}"##;

/// No word of a canary in any format.
#[track_caller]
pub(super) fn silent(what: &str, mut run: impl FnMut(&[&str]) -> crate::support::cli::Run) {
    let mut leaks = Vec::new();
    for format in FORMATS {
        let run = run(&["--format", format, "--log-level=trace"]);
        let all = format!("{}\n{}", run.stdout, run.stderr);
        for (at, _) in all.match_indices("CANARY") {
            let word: String = all[at..].chars().take(40).collect();
            leaks.push(format!("{format}: {word}"));
        }
        assert!(run.stdout.contains("masked"), "{what} {format}: {run}");
    }
    assert!(leaks.is_empty(), "{what}: {leaks:#?}");
}

fn first(bench: &Bench) {
    bench.repo.write("thing.schema.json", SCHEMA);
    bench.commit(&[secretive("old"), write_only("old")]);
}

#[test]
fn of_a_new_item() {
    let bench = Bench::new();
    first(&bench);
    silent("new", |args| diff(&bench, args));
}

#[test]
fn of_an_item_that_changes_on_every_way() {
    let bench = Bench::new();
    first(&bench);
    bench.apply(&[]).exits(0);
    bench.commit(&[secretive("new"), write_only("new")]);
    silent("live", |args| diff(&bench, args));
    silent("recorded", |args| diff(&bench, &[args, &["--against=recorded"]].concat()));
    silent("revision", |args| diff(&bench, &[args, &["--against=HEAD~1"]].concat()));
    // And back.
    bench.apply(&[]).exits(0);
    bench.repo.remove("items").commit("removed");
    bench.commit(&[free("s")]);
    silent("removed fields", |args| diff(&bench, args));
    bench.forget();
    silent("never recorded", |args| diff(&bench, args));
}

#[test]
fn of_somebody_else() {
    let bench = Bench::new();
    bench.commit(&[free("s")]);
    bench.apply(&[]).exits(0);
    bench.handle().put_raw(COMPANY, &secretive("theirs")).unwrap();
    bench.commit(&[secretive("new")]);
    silent("drift", |args| diff(&bench, args));
}

#[test]
fn a_secret_that_changes_is_still_a_change() {
    let bench = Bench::new();
    first(&bench);
    bench.apply(&[]).exits(0);
    bench.commit(&[secretive("new"), write_only("new")]);
    let report = told(&bench, &[], 1);
    let pointers = |item: &str| -> Vec<String> {
        let fields = entry(&report, item)["fields"].as_array().unwrap().clone();
        fields.iter().map(|field| field["pointer"].as_str().unwrap().to_owned()).collect()
    };
    let told_of = pointers("s");
    for number in 0..8 {
        let prefix = format!("/resources/defaultEnvironmentVariables/{number}/");
        assert!(
            told_of.iter().any(|pointer| pointer.starts_with(&prefix)),
            "{prefix}: {told_of:#?}"
        );
    }
    for pointer in [
        "/resources/defaultConfigMaps/0/files/0/content",
        "/resources/defaultConfigMaps/0/files/1/content",
        "/description",
        "/annotations/example.com~1password",
        "/annotations/example.com~1json",
    ] {
        assert!(told_of.iter().any(|told| told == pointer), "{pointer}: {told_of:#?}");
    }
    let told_of = pointers("w");
    for pointer in [
        "/resources/pin",
        "/resources/deep/list/0/hidden",
        "/resources/deep/list/0/shown",
        "/resources/shown",
    ] {
        assert!(told_of.iter().any(|told| told == pointer), "{pointer}: {told_of:#?}");
    }
}

#[test]
fn one_secret_alone() {
    let bench = Bench::new();
    let with = |value: &str, kind: &str| {
        let variables = json!([{ "name": "DB_PASSWORD", "value": value, "valueType": kind }]);
        let mut item = sidecar("s");
        item["resources"]["defaultEnvironmentVariables"] = variables;
        item
    };
    bench.commit(&[with("CANARYone", "plain")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[with("CANARYtwo", "plain")]);
    let report = told(&bench, &[], 1);
    let fields = entry(&report, "s")["fields"].as_array().unwrap().clone();
    assert_eq!(fields.len(), 1, "{report:#}");
    assert_eq!(fields[0]["kind"], "masked");
    assert_eq!(fields[0]["pointer"], "/resources/defaultEnvironmentVariables/0/value");
    assert_eq!(fields[0]["cause"], "edit");
    diff(&bench, &[]).exits(1).prints("~ (masked), changed");
    silent("one", |args| diff(&bench, args));
    // The name is what makes it one: also if only the name says so on one side.
    let mut renamed = with("CANARYtwo", "plain");
    renamed["resources"]["defaultEnvironmentVariables"][0]["name"] = json!("HARMLESS");
    bench.apply(&[]).exits(0);
    bench.commit(&[renamed]);
    let run = diff(&bench, &["--format=json"]).exits(1);
    assert!(run.stdout.contains("HARMLESS"), "{run}");
}

#[test]
fn what_is_no_secret_is_shown() {
    let bench = Bench::new();
    let with = |value: &str| {
        let mut item = set(sidecar("s"), "/description", format!("about passwords, {value}"));
        item["resources"]["defaultEnvironmentVariables"] = json!([
            { "name": "LOG_LEVEL", "value": value, "valueType": "plain" },
            { "name": "MONKEY", "value": value, "valueType": "plain" },
            { "name": "DB_PASSWORD", "value": format!("{{{{{}}}}}", value.to_uppercase()), "valueType": "plain" },
        ]);
        item
    };
    bench.commit(&[with("before")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[with("after")]);
    let run = diff(&bench, &[]).exits(1);
    for words in [r#"- "before""#, r#"+ "after""#, "about passwords, after"] {
        run.prints(words);
    }
}

#[test]
fn a_plan_holds_no_values() {
    let bench = Bench::new();
    first(&bench);
    let plan = bench.home.path().join("plan.json");
    diff(&bench, &["--out", plan.to_str().unwrap()]).exits(1);
    let text = std::fs::read_to_string(Path::new(&plan)).unwrap();
    assert!(!text.contains("CANARY"), "{text}");
}
