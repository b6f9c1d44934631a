//! What the program itself prints of a repository, and what it does not.

use serde_json::{Value, json};

use crate::support::cli::{Run, bare};
use crate::support::documents::{pretty, set, sidecar};
use crate::support::repo::Repo;

/// The report of what the last commit changes.
fn last(repo: &Repo, format: &str) -> Run {
    let home = tempfile::tempdir().unwrap();
    let source = repo.path();
    let source = source.to_str().unwrap();
    bare(home.path(), &["diff", source, "--against", "HEAD~1", "--format", format])
}

fn image(name: &str) -> Value {
    let item = sidecar("alpha");
    let item = set(item, "/$schema", "../schemas/own.json");
    set(item, "/resources/dockerImage", name)
}

#[test]
fn a_schema_of_the_commit_hides_nothing_in_silence() {
    let repo = Repo::new();
    repo.write("items/alpha.json", pretty(&image("registry.example.com/good:1")));
    repo.write("schemas/own.json", "{}");
    repo.commit("first");
    repo.write("items/alpha.json", pretty(&image("registry.example.com/evil:1")));
    repo.write(
        "schemas/own.json",
        json!({"properties": {"dockerImage": {"writeOnly": true}, "password": {"writeOnly": true}}}).to_string(),
    );
    repo.commit("second");
    let note = "the schema schemas/own.json of this commit declares `dockerImage` as a credential: \
                its values are masked";
    let report = last(&repo, "json").json();
    assert!(report["notes"].as_array().unwrap().contains(&json!(note)), "{report:#}");
    assert_eq!(report["entries"][0]["fields"][0]["kind"], "masked", "{report:#}");
    for format in ["text", "markdown", "html"] {
        let shown = last(&repo, format);
        assert!(shown.to_string().contains("schemas/own.json"), "{shown}");
    }
}

#[test]
fn problems_show_no_credential() {
    let repo = Repo::new();
    repo.write("items/alpha.json", pretty(&sidecar("alpha")));
    repo.commit("first");
    let variable = json!([{"name": "DB_PASSWORD", "valueType": "plain", "value": ["hunter2"]}]);
    let mut item = sidecar("alpha");
    item["resources"]["defaultEnvironmentVariables"] = variable;
    repo.write("items/alpha.json", item.to_string().replace("\"value\"", "\n\"value\""));
    repo.write("items/broken.json", "{\"password\": \"hunter2\" \"a\": 1}");
    repo.commit("second");
    for format in ["text", "markdown", "html", "json"] {
        let shown = last(&repo, format);
        assert!(shown.to_string().contains("items/broken.json"), "{shown}");
        assert!(shown.to_string().contains("the value has the wrong type"), "{shown}");
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
    }
}
