//! Apply, export, commit: an apply that knows nothing finds everything as it
//! should be, whatever the marketplace does.

use std::path::Path;

use marketsync::embedded::{ManifestForm, Route, Switches};
use serde_json::Value;

use super::{export, tree};
use crate::pass_drift::{rich, switches};
use crate::support::cli::{Bench, Run, Running, program};
use crate::support::market::COMPANY;
use crate::support::repo::Repo;

/// Copies the example catalogue into the repository of a bench.
fn examples(bench: &Bench) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/catalogue");
    for (path, bytes) in tree(&from) {
        bench.repo.write(&path, bytes);
    }
    bench.repo.commit("examples");
}

/// The examples, and items that meet every rule of comparison.
fn everything(bench: &Bench) {
    rich(bench);
    examples(bench);
}

/// Odd items that name their types by `type`, as Console 14.0 wants it.
fn bare_types(bench: &Bench) {
    rich(bench);
    for (path, bytes) in tree(&bench.repo.path()) {
        if std::path::Path::new(&path).extension().is_some_and(|end| end == "json") {
            let mut item: Value = serde_json::from_slice(&bytes).unwrap();
            if let Some(reference) = item.as_object_mut().unwrap().remove("itemTypeDefinitionRef") {
                item["type"] = reference["name"].clone();
            }
            bench.repo.write(&path, item.to_string());
        }
    }
    bench.repo.commit("bare types");
}

/// `diff` of a source against the marketplace, without a record.
fn diff(bench: &Bench, source: &Path) -> Run {
    let mut command = program(bench.home.path());
    command
        .env("MARKETSYNC_CLIENT_SECRET", "secret")
        .arg("diff")
        .arg(source)
        .args(["--endpoint", &bench.market.url, "--company-id", COMPANY, "--client-id", "id"])
        .arg("--state")
        .arg(bench.home.path().join("none"));
    Running::start(command).end()
}

/// What is wrong with the way round from this marketplace, if anything is.
fn goes_round(
    console: &str,
    switches: &Switches,
    fill: fn(&Bench),
    least: usize,
) -> Option<String> {
    let bench = Bench::switched(console, switches.clone());
    fill(&bench);
    // On the legacy API items with newer fields are held; the others go.
    let filled = bench.apply(&["--set-tenant"]);
    let there = bench.names();
    let repo = Repo::new();
    let exported = export(&bench, &repo.path(), &["--format=json"]);
    let reads = bench.handle().calls(Route::Get);
    let pictures = bench.handle().calls(Route::Download);
    let files = bench.handle().files() as u64;
    let wrote = bench.writes();
    let again = export(&bench, &repo.path(), &["--format=json"]);
    repo.commit("exported");
    bench.forget();
    let difference = diff(&bench, &repo.path());
    let adopted = bench.apply_from(&repo.path(), &[]);
    let statuses = |status: &str, run: &Run| {
        let items = run.json()["items"].as_array().unwrap().clone();
        items.iter().filter(|item| item["status"] == status).count()
    };
    let good = there.len() >= least
        && [&exported, &again, &difference, &adopted].iter().all(|run| run.code == Some(0))
        && statuses("Written", &exported) == there.len()
        && statuses("Unchanged", &again) == there.len()
        && reads == there.len() as u64
        && pictures <= files
        && wrote.is_empty()
        && adopted.said("Adopted") == there
        && bench.writes().is_empty();
    (!good).then(|| {
        format!(
            "Console {console} {switches:?}: {there:?}, {reads} reads, {pictures} of {files} pictures, \
             {wrote:?}, {:?}\n== filled {filled}\n== exported {exported}\n== again {again}\n== diff {difference}\n== adopted {adopted}",
            bench.writes()
        )
    })
}

fn all_go_round(console: &str, fill: fn(&Bench), least: usize) {
    let all = switches();
    let wrong: Vec<String> =
        all.iter().filter_map(|switches| goes_round(console, switches, fill, least)).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n\n"));
}

#[test]
fn everything_goes_round_on_a_new_console() {
    all_go_round("14.1", everything, 19);
}

#[test]
fn odd_items_go_round_on_an_old_console() {
    all_go_round("13.6", rich, 6);
}

#[test]
fn odd_items_go_round_on_a_console_without_type_definitions() {
    for manifest_form in [ManifestForm::On, ManifestForm::Off] {
        let switches = Switches { manifest_form, ..Switches::default() };
        let wrong = goes_round("14.0", &switches, bare_types, 6);
        assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
}

#[test]
fn the_examples_go_round_on_old_consoles_as_far_as_those_hold_them() {
    for console in ["13.6", "404", "14.0"] {
        let wrong = goes_round(console, &Switches::default(), examples, 5);
        assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    }
}

#[test]
fn the_files_say_what_the_examples_say() {
    let bench = Bench::new();
    examples(&bench);
    bench.apply(&[]).exits(0);
    let repo = Repo::new();
    export(&bench, &repo.path(), &[]).exits(0);
    let files = tree(&repo.path());
    let read = |path: &str| serde_json::from_slice::<Value>(&files[path]).unwrap();
    let original: Value =
        serde_json::from_slice(&tree(&bench.repo.path())["items/plugins/orders-api/1.1.0.json"])
            .unwrap();
    let exported = read("plugin/orders-api/versions/1.1.0.json");
    let ignoring = |mut value: Value| {
        for field in ["$schema", "image", "supportedByImage", "releaseDate"] {
            value.as_object_mut().unwrap().remove(field);
        }
        value
    };
    assert_eq!(ignoring(exported), ignoring(original));
    assert_eq!(
        files["plugin/orders-api/assets/image.png"],
        tree(&bench.repo.path())["assets/orders-api.png"]
    );
    assert_eq!(
        read("sidecar/oauth-gate/versions/NA.json")["image"]["localPath"],
        "../assets/image.jpg"
    );
}
