//! Field by field, live → git: what changed, who changed it, where it stands.

use marketsync::domain::item::Digest;
use serde_json::{Value, json};

use super::{diff, entry, field, fields, lines, told};
use crate::support::cli::Bench;
use crate::support::documents::{plugin, pretty, set, sidecar, with_image};
use crate::support::market::{COMPANY, PNG};

/// What the file says from the position of a field on.
fn at<'a>(text: &'a str, field: &Value) -> &'a str {
    let number = |name: &str| usize::try_from(field["position"][name].as_u64().unwrap()).unwrap();
    let line = text.lines().nth(number("line") - 1).unwrap();
    let skipped: usize = line.chars().take(number("column") - 1).map(char::len_utf8).sum();
    &line[skipped..]
}

fn ports(ports: &[(&str, u32)]) -> Value {
    ports.iter().map(|(name, from)| json!({ "name": name, "from": from, "to": 1 })).collect()
}

#[test]
fn elements_with_names_are_matched_by_them() {
    let bench = Bench::new();
    let before = set(
        sidecar("s"),
        "/resources/containerPorts",
        ports(&[("http", 80), ("admin", 81), ("old", 82)]),
    );
    bench.commit(&[before]);
    bench.apply(&[]).exits(0);
    let after = set(
        sidecar("s"),
        "/resources/containerPorts",
        ports(&[("admin", 81), ("new", 83), ("http", 90)]),
    );
    bench.commit(&[after]);
    let report = told(&bench, &[], 1);
    let told = fields(&report, "s");
    assert!(
        told.contains(&"edit replaced /resources/containerPorts/2/from 80 → 90".to_owned()),
        "{told:#?}"
    );
    assert!(
        told.contains(
            &r#"edit added /resources/containerPorts/1  → {"from":83,"name":"new","to":1}"#
                .to_owned()
        ),
        "{told:#?}"
    );
    assert!(
        told.contains(
            &r#"edit removed /resources/containerPorts/2 {"from":82,"name":"old","to":1} → "#
                .to_owned()
        ),
        "{told:#?}"
    );
    assert!(told.iter().all(|line| !line.contains("81")), "admin is the same: {told:#?}");
    let names: Vec<&str> = entry(&report, "s")["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"resources.containerPorts[http].from"), "{names:?}");
    let order: Vec<&String> = told.iter().filter(|line| line.contains("reordered")).collect();
    assert!(order.len() <= 1, "{told:#?}");
}

#[test]
fn a_new_order_alone_is_named_as_such() {
    let bench = Bench::new();
    let with = |names: &[(&str, u32)]| set(sidecar("s"), "/resources/containerPorts", ports(names));
    bench.commit(&[with(&[("a", 1), ("b", 2), ("c", 3)])]);
    bench.apply(&[]).exits(0);
    bench.commit(&[with(&[("c", 3), ("a", 1), ("b", 2)])]);
    let report = told(&bench, &[], 1);
    assert_eq!(
        fields(&report, "s"),
        [r#"edit reordered /resources/containerPorts ["a","b","c"] → ["c","a","b"]"#]
    );
    diff(&bench, &[]).exits(1).prints("(order)");
}

#[test]
fn edits_and_drift_are_told_apart_in_one_item() {
    let bench = Bench::new();
    let mut before = sidecar("s");
    before["supportedBy"] = json!("Me");
    bench.commit(&[before.clone()]);
    bench.apply(&[]).exits(0);

    let mut theirs = set(before.clone(), "/name", "Theirs");
    theirs["resources"]["dockerImage"] = json!("theirs:1");
    theirs.as_object_mut().unwrap().remove("supportedBy");
    bench.handle().put_raw(COMPANY, &theirs).unwrap();
    let mut mine = set(before, "/description", "Mine");
    mine["resources"]["dockerImage"] = json!("mine:1");
    mine["repositoryUrl"] = json!("https://example.com/r");
    bench.commit(&[mine]);
    let report = told(&bench, &[], 1);
    assert_eq!(lines(&report), ["update edited s NA"]);
    assert_eq!(
        fields(&report, "s"),
        [
            r#"edit replaced /description "A very simple sidecar" → "Mine""#,
            r#"drift replaced /name "Theirs" → "My sidecar""#,
            r#"edit added /repositoryUrl  → "https://example.com/r""#,
            r#"both replaced /resources/dockerImage "theirs:1" → "mine:1""#,
            r#"drift added /supportedBy  → "Me""#,
        ]
    );
}

#[test]
fn a_field_that_was_removed() {
    let bench = Bench::new();
    let mut before = sidecar("s");
    before["supportedBy"] = json!("Me");
    bench.commit(&[before.clone()]);
    bench.apply(&[]).exits(0);
    before.as_object_mut().unwrap().remove("supportedBy");
    bench.commit(&[before]);
    let report = told(&bench, &[], 1);
    assert_eq!(fields(&report, "s"), [r#"edit removed /supportedBy "Me" → "#]);
    assert_eq!(lines(&report), ["update edited s NA"]);
    // And once it is done nothing is left of it.
    bench.apply(&[]).exits(0);
    assert_eq!(told(&bench, &[], 0)["entries"], json!([]));
}

#[test]
fn a_change_that_the_marketplace_has_already() {
    let bench = Bench::new();
    bench.commit(&[sidecar("s")]);
    bench.apply(&[]).exits(0);
    let same = set(sidecar("s"), "/name", "Both");
    bench.handle().put_raw(COMPANY, &same).unwrap();
    bench.commit(&[same]);
    let report = told(&bench, &[], 1);
    // apply sends it: it is edited and nothing is left to show.
    assert_eq!(lines(&report), ["update edited s NA"]);
    assert_eq!(fields(&report, "s"), Vec::<String>::new());
    assert_eq!(bench.apply(&[]).exits(0).said("Updated"), ["s NA"]);
}

fn configured(text: &str) -> Value {
    let mut item = sidecar("s");
    item["resources"]["defaultConfigMaps"] = json!([{
        "name": "conf", "mountPath": "/etc/x", "files": [{ "name": "nginx.conf", "content": text }],
    }]);
    item
}

#[test]
fn a_config_map_is_compared_line_by_line() {
    let bench = Bench::new();
    let lines: Vec<String> = (1..=40).map(|number| format!("line {number}")).collect();
    let text = lines.join("\n") + "\n";
    bench.commit(&[configured(&text)]);
    bench.apply(&[]).exits(0);
    let after = text.replace("line 20\n", "line twenty\n").replace("line 40\n", "");
    bench.commit(&[configured(&after)]);
    let report = told(&bench, &[], 1);
    let changed = &entry(&report, "s")["fields"][0];
    assert_eq!(changed["pointer"], "/resources/defaultConfigMaps/0/files/0/content");
    assert_eq!(changed["name"], "resources.defaultConfigMaps[conf].files[\"nginx.conf\"].content");
    assert_eq!((&changed["from"], &changed["to"]), (&json!(text), &json!(after)), "whole in JSON");
    let run = diff(&bench, &[]).exits(1);
    run.prints("@@ -17,7 +17,7 @@")
        .prints("- line 20\n")
        .prints("+ line twenty\n")
        .prints("- line 40\n");
    assert!(!run.stdout.contains("line 10\n") && !run.stdout.contains("line 30\n"), "{run}");
    for format in ["markdown", "html"] {
        let run = diff(&bench, &["--format", format]).exits(1);
        assert!(run.stdout.contains("line twenty") && !run.stdout.contains("line 10"), "{run}");
    }
}

#[test]
fn what_cannot_be_seen_is_shown_as_json() {
    let bench = Bench::new();
    bench.commit(&[configured("a\tb\nsame\n")]);
    bench.apply(&[]).exits(0);
    bench.commit(&[configured("a b\nsame\n")]);
    diff(&bench, &[]).exits(1).prints("(shown as JSON)").prints(r"a\tb");
}

#[test]
fn pictures_by_digest_and_size() {
    let bench = Bench::new();
    bench.repo.write("items/logo.png", PNG);
    bench.commit(&[with_image(sidecar("s"), "../logo.png")]);
    let size = PNG.len();
    let first = Digest::of(PNG).to_string();
    let picture = |report: &Value| {
        let fields = entry(report, "s")["fields"].as_array().unwrap().clone();
        let found: Vec<Value> =
            fields.into_iter().filter(|field| field["kind"] == "picture").collect();
        assert_eq!(found.len(), 1, "{report:#}");
        found[0].clone()
    };
    let new = picture(&told(&bench, &[], 1));
    let logo = json!({ "digest": first, "size": size, "path": "items/logo.png" });
    assert_eq!((&new["from"], &new["to"]), (&Value::Null, &logo));
    bench.apply(&[]).exits(0);

    let other = [PNG, b" and more"].concat();
    bench.repo.write("items/logo.png", &other).commit("a new picture");
    let report = told(&bench, &[], 1);
    assert_eq!(lines(&report), ["update edited s NA"]);
    let changed = picture(&report);
    assert_eq!(entry(&report, "s")["fields"].as_array().unwrap().len(), 1, "{report:#}");
    assert_eq!(changed["from"]["digest"], json!(first));
    assert_eq!(changed["to"]["digest"], json!(Digest::of(&other).to_string()));
    assert_eq!(changed["to"]["size"], json!(other.len()));
    diff(&bench, &[]).exits(1).prints(&first[..10]).prints(&format!("{} bytes", other.len()));

    // A picture that only moves is the same.
    bench.repo.write("items/logo.png", PNG);
    bench.repo.git(&["mv", "items/logo.png", "elsewhere.png"]);
    bench.commit(&[with_image(sidecar("s"), "../../elsewhere.png")]);
    assert_eq!(told(&bench, &[], 0)["entries"], json!([]));

    // Nobody knows the bytes of a picture that somebody else set.
    let mut document = bench.handle().items()[&format!("{COMPANY} s NA")].clone();
    document["imageUrl"] = json!("/v2/files/download/no-such.png");
    bench.handle().put_raw(COMPANY, &document).unwrap();
    let drifted = told(&bench, &["--drift=correct"], 1);
    assert_eq!(lines(&drifted), ["update drifted s NA"]);
    let changed = picture(&drifted);
    assert_eq!(changed["to"]["digest"], json!(first));

    // And one that goes.
    bench.apply(&["--drift=correct"]).exits(0);
    bench.commit(&[sidecar("s")]);
    let gone = picture(&told(&bench, &[], 1));
    assert_eq!((&gone["from"]["digest"], &gone["to"]), (&json!(first), &Value::Null));
}

#[test]
fn each_field_has_the_place_where_its_file_states_it() {
    let bench = Bench::new();
    let yaml = "# comment\nname: y # näme\nitemId: y\ntenantId: acme\nlifecycleStatus: published\n\
        itemTypeDefinitionRef: {name: sidecar, namespace: mia-platform}\n\
        description: one\nresources:\n  name: y\n  dockerImage: \"e\\u0065:1\"\n  containerPorts:\n    \
        - {name: adm, from: 80, to: 1}\n    - name: http\n      from: 80\n      to: 1\n";
    bench.repo.write("y.yaml", yaml);
    bench.commit(&[sidecar("s")]);
    bench.apply(&[]).exits(0);
    let yaml = yaml.replace("one", "two").replace("65:1", "65:2").replace("from: 80", "from: 81");
    bench.repo.write("y.yaml", &yaml);
    let json = "\u{feff}{ \"itemId\": \"s\",\t\"name\": \"ü\", \"description\":\n   \"d\",\n\
        \"tenantId\":\"acme\",\"lifecycleStatus\":\"published\",\n\
        \"itemTypeDefinitionRef\": {\"name\": \"sidecar\", \"namespace\": \"mia-platform\"},\n\
        \"resources\": {\"name\": \"s\", \"description\": \"é\", \"dockerImage\": \"x\",\n \"containerPorts\": \
        [{\"name\":\"http\",\"from\":81,\"to\":5000}]}}";
    bench.repo.write("items/s/NA.json", json).commit("edited");
    let report = told(&bench, &[], 1);
    for (item, text, pointer, value) in [
        ("y", yaml.as_str(), "/description", "two"),
        ("y", &yaml, "/resources/dockerImage", "\"e\\u0065:2\""),
        ("y", &yaml, "/resources/containerPorts/0/from", "81,"),
        ("y", &yaml, "/resources/containerPorts/1/from", "81"),
        ("s", &json[3..], "/name", "\"ü\""),
        ("s", &json[3..], "/description", "\"d\""),
        ("s", &json[3..], "/resources/description", "\"é\","),
        ("s", &json[3..], "/resources/dockerImage", "\"x\""),
        ("s", &json[3..], "/resources/containerPorts/0/from", "81,"),
    ] {
        let field = field(&report, item, pointer);
        assert!(at(text, field).starts_with(value), "{pointer}: {field:#}");
    }
    // One that is gone has the place of what it was in, or none.
    let gone = field(&report, "s", "/documentation");
    assert!(gone["position"].is_null() || at(&json[3..], gone).starts_with('{'), "{gone:#}");
    // The text names the same places.
    let run = diff(&bench, &[]).exits(1);
    for (item, path, pointer) in
        [("y", "y.yaml", "/description"), ("s", "items/s/NA.json", "/name")]
    {
        let place = &field(&report, item, pointer)["position"];
        run.prints(&format!("{path}:{}:{}", place["line"], place["column"]));
    }
}

#[test]
fn versions_of_one_item_are_entries_of_their_own() {
    let bench = Bench::new();
    bench.commit(&[plugin("p", "1.9.0"), plugin("p", "1.10.0"), plugin("p", "1.10.0-rc.1")]);
    bench.apply(&[]).exits(0);
    let note = |version: &str| set(plugin("p", version), "/version/releaseNote", "new");
    bench.commit(&[note("1.9.0"), note("1.10.0"), plugin("p", "2.0.0")]);
    let report = told(&bench, &[], 1);
    assert_eq!(
        lines(&report),
        ["update edited p 1.9.0", "update edited p 1.10.0", "create new p 2.0.0"]
    );
    assert_eq!(report["summary"]["unchanged"], 1);
}

#[test]
fn files_that_are_written_otherwise_say_the_same() {
    let bench = Bench::new();
    bench.commit(&[sidecar("s"), set(sidecar("n"), "/resources/containerPorts/0/from", 80)]);
    bench.apply(&[]).exits(0);
    bench.repo.remove("items/s").write("else/where.json", sidecar("s").to_string());
    bench.repo.write("items/n/NA.json", pretty(&sidecar("n")).replace("80", "80.0"));
    bench.repo.commit("moved, and written otherwise");
    let report = told(&bench, &["--prune"], 0);
    assert_eq!((&report["entries"], &report["summary"]["unchanged"]), (&json!([]), &json!(2)));
}
