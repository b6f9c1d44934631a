//! The diff after an apply is empty, whatever the marketplace does and
//! whatever Console it plays.

use std::path::Path;

use marketsync::embedded::{ManifestForm, Switches, UnknownKeys, Upsert, WrittenDefaults};
use serde_json::{Value, json};

use super::{diff, entry, told};
use crate::export::tree;
use crate::pass_drift::{rich, switches};
use crate::support::cli::Bench;
use crate::support::documents::{plugin, set, sidecar, with_image};

/// Items that hold what every Console knows.
fn plain(bench: &Bench) {
    rich(bench);
    bench.repo.write("assets/logo.jpg", b"\xff\xd8\xff\xe0 and so on");
    let mut all = with_image(sidecar("every-field"), "../../assets/logo.jpg");
    let fields = json!({
        "supportedBy": "Me & \"co\"", "repositoryUrl": "https://example.com/a?b=c#d",
        "categoryId": "devportal", "visibility": { "public": true, "allTenants": false },
    });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    all["resources"]["defaultEnvironmentVariables"] = json!([
        { "name": "A", "value": "", "valueType": "plain" },
        { "name": "B", "value": "line\nline\n", "valueType": "plain" },
    ]);
    all["resources"]["defaultConfigMaps"] = json!([{
        "name": "conf", "mountPath": "/etc/x",
        "files": [{ "name": "a.yaml", "content": "a: 1\nb: é\u{1F600}\n" }, { "name": "e", "content": "" }],
    }]);
    let empty = set(sidecar("empty"), "/description", "");
    bench.repo.write(
        "items/written.yaml",
        "# a comment\nitemId: written\nname: >-\n  two\n  words\ntenantId: acme\n\
         lifecycleStatus: published\nitemTypeDefinitionRef: {name: plugin, namespace: mia-platform}\n\
         description: |\n  one\n  two\ndocumentation: {type: externalLink, url: 'https://example.com'}\n\
         version: {name: 1.10.0, releaseNote: '', security: true}\n\
         resources:\n  services:\n    one: &one\n      type: plugin\n      name: one\n      \
         replicas: 1.0\n      sourceComponentId: c1\n",
    );
    bench.commit(&[all, empty, plugin("numbers", "0.0.1-alpha.1")]);
}

/// The same, and every field that came with the newer API.
fn modern(bench: &Bench) {
    plain(bench);
    let mut all = with_image(plugin("modern", "3.0.0"), "../logo.png");
    let fields = json!({
        "releaseDate": "2024-02-29T12:00:00.000Z",
        "annotations": { "example.com/a": "one\ntwo", "b": "" }, "labels": { "team": "one", "none": "" },
        "tags": ["b", "a", "c++"], "maintainers": [{ "name": "B", "email": "b@example.com" }, { "name": "A" }],
        "links": [{ "url": "https://example.com", "displayName": "x" }, { "url": "http://a" }],
        "relationships": [{ "type": "dependsOn", "target": "x" }],
    });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let mut none = sidecar("none");
    let fields =
        json!({ "annotations": {}, "labels": {}, "tags": [], "links": [], "maintainers": [] });
    none.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    bench.commit(&[all, none]);
}

/// The same with types that Console 14.0 knows.
fn bare_types(bench: &Bench) {
    plain(bench);
    let name = "itemTypeDefinitionRef: {name: plugin, namespace: mia-platform}";
    for (path, bytes) in tree(&bench.repo.path()) {
        let format = Path::new(&path).extension().and_then(|end| end.to_str());
        if format == Some("json") {
            let mut item: Value = serde_json::from_slice(&bytes).unwrap();
            if let Some(reference) = item.as_object_mut().unwrap().remove("itemTypeDefinitionRef") {
                item["type"] = reference["name"].clone();
            }
            bench.repo.write(&path, item.to_string());
        } else if format == Some("yaml") {
            bench
                .repo
                .write(&path, String::from_utf8(bytes).unwrap().replace(name, "type: plugin"));
        }
    }
    bench.repo.commit("bare types");
}

/// What is wrong with the diff after an apply, if anything is.
fn wrong(console: &str, switches: &Switches, fill: fn(&Bench), count: usize) -> Option<String> {
    let bench = Bench::switched(console, switches.clone());
    fill(&bench);
    let applied = bench.apply(&[]);
    let created = applied.lines("Created").len();
    let after = diff(&bench, &["--format=json", "--drift=correct", "--prune"]);
    let quiet = |run: &crate::support::cli::Run| {
        let report = run.json();
        run.code == Some(0)
            && report["entries"] == json!([])
            && report["summary"]["unchanged"] == json!(count)
            && report["summary"]["unseen"] == json!(0)
    };
    // What is read decides what is adopted.
    let reads = *switches == Switches::default()
        || switches.upsert == Upsert::Merge
        || switches.unknown_keys == UnknownKeys::Keep
        || switches.written_defaults == WrittenDefaults::On
        || switches.manifest_form == ManifestForm::Off;
    let adopted = reads.then(|| {
        bench.forget();
        diff(&bench, &["--format=json"])
    });
    let adopts = adopted
        .as_ref()
        .is_none_or(|run| run.code == Some(0) && run.json()["summary"]["adopt"] == json!(count));
    let good = applied.code == Some(0) && created == count && quiet(&after) && adopts;
    (!good).then(|| {
        let adopted = adopted.map(|run| run.to_string()).unwrap_or_default();
        format!("Console {console} {switches:?}\n== {applied}\n== after {after}\n== anew {adopted}")
    })
}

fn all_empty(console: &str, fill: fn(&Bench), count: usize) {
    let all = switches();
    let wrong: Vec<String> =
        all.iter().filter_map(|switches| wrong(console, switches, fill, count)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n\n"));
}

#[test]
fn on_console_14_1() {
    all_empty("14.1", modern, 12);
}

#[test]
fn on_console_14_0() {
    all_empty("14.0", bare_types, 10);
}

#[test]
fn on_console_13_6() {
    all_empty("13.6", plain, 10);
}

#[test]
fn on_a_console_without_a_version() {
    all_empty("404", plain, 10);
}

#[test]
fn of_the_examples() {
    let bench = Bench::new();
    for (path, bytes) in tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/catalogue")) {
        bench.repo.write(&path, bytes);
    }
    bench.repo.commit("examples");
    let before = told(&bench, &["--set-tenant"], 1);
    bench.apply(&["--set-tenant"]).exits(0);
    let after = told(&bench, &["--set-tenant", "--drift=correct"], 0);
    assert_eq!(after["entries"], json!([]));
    assert!(before["summary"]["create"].as_u64() >= Some(13), "{before:#}");
    assert_eq!(after["summary"]["unchanged"], before["summary"]["create"]);
}

#[test]
fn and_each_edit_shows_alone() {
    let bench = Bench::new();
    modern(&bench);
    bench.apply(&[]).exits(0);
    let edited = set(sidecar("none"), "/description", "Edited");
    bench.commit(&[edited]);
    let report = told(&bench, &[], 1);
    assert_eq!(report["entries"].as_array().unwrap().len(), 1);
    assert_eq!(entry(&report, "none")["reason"], "edited");
    assert_eq!(report["summary"]["unchanged"], 11);
}
