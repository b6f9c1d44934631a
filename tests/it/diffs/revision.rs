//! Compared with another commit: what does this branch change, without network
//! and account.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{fields, lines, report};
use crate::support::cli::{Bench, Run, Running, complains, program};
use crate::support::documents::{plugin, pretty, set, sidecar, with_image};
use crate::support::market::PNG;

/// `diff --against REVISION` with nothing but that.
pub(super) fn against(bench: &Bench, source: &Path, revision: &str, args: &[&str]) -> Run {
    let mut command = program(bench.home.path());
    command.arg("diff").arg(source).args(["--against", revision]).args(args);
    let run = Running::start(command).end();
    assert!(!run.stderr.contains("panicked"), "{run}");
    bench.asked_nothing();
    run
}

#[track_caller]
pub(super) fn told(bench: &Bench, source: &Path, revision: &str, code: i32) -> Value {
    report(against(bench, source, revision, &["--format=json"]), code)
}

/// `main` and a branch that left it, and main moved on.
pub(super) fn forked() -> (Bench, String, String) {
    let bench = Bench::new();
    let base = bench.commit(&[sidecar("edited"), sidecar("removed"), sidecar("theirs")]);
    bench.repo.git(&["switch", "-q", "-c", "side"]);
    bench.repo.remove("items/removed");
    let head = bench.commit(&[set(sidecar("edited"), "/name", "Mine"), sidecar("new")]);
    bench.repo.git(&["switch", "-q", "main"]);
    bench.commit(&[set(sidecar("theirs"), "/name", "Theirs"), sidecar("later")]);
    bench.repo.git(&["switch", "-q", "side"]);
    (bench, base, head)
}

#[test]
fn what_a_branch_changes_and_nothing_of_what_main_changed_since() {
    let (bench, base, head) = forked();
    let report = told(&bench, &bench.repo.path(), "main", 1);
    assert_eq!(
        lines(&report),
        ["update edited edited NA", "create new new NA", "delete removed removed NA (prune-off)"]
    );
    assert_eq!(
        report["against"],
        json!({ "what": "revision", "asked": "main", "commit": base, "mergeBase": true })
    );
    assert_eq!(report["head"], json!(head));
    assert_eq!(fields(&report, "edited").len(), 1);
    assert!(fields(&report, "edited")[0].ends_with(r#"/name "My sidecar" → "Mine""#), "{report:#}");
    let run = against(&bench, &bench.repo.path(), "main", &[]).exits(1);
    run.prints(&base[..7]).prints("→").prints("main");
    for (format, name) in [("markdown", "edited"), ("html", "edited")] {
        against(&bench, &bench.repo.path(), "main", &["--format", format]).exits(1).prints(name);
    }
    assert!(!bench.home.path().join("state").exists(), "no state is made");
    // Merged, it is what main has.
    bench.repo.git(&["merge", "-q", "-m", "merge", "main"]);
    let report = told(&bench, &bench.repo.path(), "main", 1);
    assert_eq!(lines(&report).len(), 3, "{report:#}");
    bench.repo.git(&["switch", "-q", "main"]);
    bench.repo.git(&["merge", "-q", "side"]);
    assert_eq!(told(&bench, &bench.repo.path(), "side", 0)["entries"], json!([]));
}

#[test]
fn the_options_of_the_pass_count() {
    let (bench, ..) = forked();
    let path = bench.repo.path();
    let pruned = report(against(&bench, &path, "main", &["--prune", "--format=json"]), 1);
    assert_eq!(pruned["summary"]["delete"], 1);
    let guarded = against(&bench, &path, "main", &["--max-updates=0", "--format=json"]);
    assert_eq!(lines(&report(guarded, 3))[0], "update edited edited NA (update-guard)");
    bench.repo.write("broken.json", "{").commit("broken");
    let broken = told(&bench, &path, "main", 2);
    assert_eq!(broken["problems"][0]["path"], "broken.json");
}

#[test]
fn a_published_version_of_the_base_is_immutable() {
    let bench = Bench::new();
    let base = bench.commit(&[plugin("p", "1.0.0")]);
    bench.commit(&[set(plugin("p", "1.0.0"), "/resources/services/one/replicas", 2)]);
    let report = told(&bench, &bench.repo.path(), &base, 0);
    assert_eq!(lines(&report), ["update edited p 1.0.0 (immutable)"]);
    assert_eq!(report["entries"][0]["hold"]["next"], "1.0.1");
}

#[test]
fn one_commit_is_compared_with_another_than_head() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    bench.repo.git(&["tag", "-a", "v1", "-m", "one"]);
    let second = bench.commit(&[sidecar("b")]);
    bench.repo.git(&["tag", "v2"]);
    bench.commit(&[sidecar("c")]);
    let run = against(&bench, &bench.repo.path(), "v1", &["--revision=v2", "--format=json"]);
    let told = report(run, 1);
    assert_eq!((lines(&told), &told["head"]), (vec!["create new b NA".to_owned()], &json!(second)));
    // The older one shares itself with the newer one: nothing of its own.
    let run = against(&bench, &bench.repo.path(), "v2", &["--revision=v1", "--format=json"]);
    assert_eq!(report(run, 0)["entries"], json!([]));
    for name in ["HEAD~2", "HEAD^^", "main~2", "tags/v1", "refs/tags/v1"] {
        let told = self::told(&bench, &bench.repo.path(), name, 1);
        assert_eq!(lines(&told), ["create new b NA", "create new c NA"], "{name}");
    }
}

#[test]
fn without_a_common_commit_the_revision_itself_is_compared_with() {
    let (bench, ..) = forked();
    let clone = bench.repo.beside("shallow");
    let from = format!("file://{}", bench.repo.path().display());
    bench.repo.git(&[
        "clone",
        "-q",
        "--depth=1",
        "--no-single-branch",
        "-b",
        "side",
        &from,
        clone.to_str().unwrap(),
    ]);
    let report = told(&bench, &clone, "origin/main", 1);
    let main = bench.repo.git(&["rev-parse", "main"]);
    assert_eq!(
        report["against"],
        json!({ "what": "revision", "asked": "origin/main", "commit": main, "mergeBase": false })
    );
    // What main did since shows the other way round, and a note says so.
    assert_eq!(
        lines(&report),
        [
            "update edited edited NA",
            "delete removed later NA (prune-off)",
            "create new new NA",
            "delete removed removed NA (prune-off)",
            "update edited theirs NA",
        ]
    );
    let notes = report["notes"].to_string();
    assert!(notes.contains("git fetch"), "the way to a common commit: {notes}");
    for format in ["text", "markdown", "html"] {
        let run = against(&bench, &clone, "origin/main", &["--format", format]).exits(1);
        assert!(run.stdout.contains("git fetch"), "{format}: {run}");
    }
}

/// The line that a hint gives between backticks, run by a shell in a checkout.
#[track_caller]
pub(super) fn obeys(bench: &Bench, clone: &Path, run: &Run) {
    let said = run.json()["error"].to_string() + &run.stderr;
    let line = said.split('`').find(|part| part.starts_with("git fetch")).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("no `git fetch …`: {run}"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(clone).env_clear();
    shell.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", bench.home.path());
    let out = shell.env("GIT_CONFIG_NOSYSTEM", "1").output().unwrap();
    assert!(out.status.success(), "{line}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A clone of the branch alone, as a pipeline has it.
pub(super) fn single(bench: &Bench) -> std::path::PathBuf {
    let clone = bench.repo.beside("single");
    let from = format!("file://{}", bench.repo.path().display());
    bench.repo.git(&[
        "clone",
        "-q",
        "--depth=1",
        "--single-branch",
        "-b",
        "side",
        &from,
        clone.to_str().unwrap(),
    ]);
    clone
}

#[test]
fn the_line_that_fetches_an_absent_revision_works() {
    let (bench, base, _) = forked();
    for name in ["origin/main", "refs/remotes/origin/main", &base] {
        // Any commit may be asked for by its id.
        bench.repo.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let clone = single(&bench);
        let absent = against(&bench, &clone, name, &["--format=json"]);
        complains(&absent, &["git fetch"]);
        assert!(report(absent.clone(), 2)["error"].is_object(), "{name}");
        obeys(&bench, &clone, &absent);
        let present = against(&bench, &clone, name, &["--format=json"]);
        assert!(present.code == Some(1), "{name}: {absent}\n== then {present}");
        report(present, 1);
        std::fs::remove_dir_all(&clone).unwrap();
    }
}

#[test]
fn a_revision_that_nobody_has() {
    let (bench, ..) = forked();
    for name in [
        "no-such",
        "origin/no such",
        "0123456789012345678901234567890123456789",
        "-x",
        "a..b",
        "HEAD:items",
        "$(id)",
    ] {
        let mut command = program(bench.home.path());
        command
            .arg("diff")
            .arg(bench.repo.path())
            .arg(format!("--against={name}"))
            .arg("--format=json");
        let run = Running::start(command).end().exits(2);
        assert!(run.json()["error"]["message"].is_string(), "{name}: {run}");
        let line = run.json()["error"]["hint"].as_str().unwrap_or_default().to_owned();
        assert!(!line.contains("$(id)") || line.contains('\''), "a line for a shell: {line}");
    }
}

#[test]
fn a_folder_of_a_repository() {
    let bench = Bench::new();
    bench
        .repo
        .write("one/a.json", pretty(&sidecar("a")))
        .write("two/b.json", pretty(&sidecar("b")));
    bench.repo.commit("two folders");
    bench.repo.write("one/a.json", pretty(&set(sidecar("a"), "/name", "Mine")));
    bench.repo.write("two/b.json", pretty(&set(sidecar("b"), "/name", "Mine")));
    bench.repo.commit("both");
    let report = told(&bench, &bench.repo.path().join("one"), "HEAD~1", 1);
    assert_eq!(lines(&report), ["update edited a NA"]);
    assert_eq!(report["entries"][0]["path"], "one/a.json", "from the root of the repository");
    let run = against(&bench, &bench.repo.path(), "HEAD~1", &["--path=two", "--format=json"]);
    assert_eq!(lines(&super::report(run, 1)), ["update edited b NA"]);
}

#[test]
fn a_bare_repository() {
    let (bench, base, _) = forked();
    let hub = bench.repo.beside("hub.git");
    bench.repo.git(&["clone", "-q", "--bare", ".", hub.to_str().unwrap()]);
    let report = told(&bench, &hub, "main", 1);
    assert_eq!((lines(&report).len(), &report["against"]["commit"]), (3, &json!(base)));
}

#[test]
fn a_plain_folder_has_no_revisions() {
    let bench = Bench::new();
    let folder = bench.home.path().join("plain");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.json"), pretty(&sidecar("a"))).unwrap();
    let run = against(&bench, &folder, "main", &["--format=json"]);
    complains(&run, &["plain", "main"]);
    let told = report(run, 2);
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.contains("git") || message.contains("commit"), "{message}");
}

#[test]
fn what_moves_without_change_shows_nothing() {
    let bench = Bench::new();
    bench.repo.write("logo.png", PNG);
    bench.commit(&[with_image(sidecar("a"), "../../logo.png"), sidecar("b")]);
    bench.repo.git(&["mv", "logo.png", "other.png"]);
    bench.repo.remove("items/a").remove("items/b");
    bench.repo.write("b.json", sidecar("b").to_string());
    bench.repo.write("x/y/a.json", pretty(&with_image(sidecar("a"), "../../other.png")));
    bench.repo.write("readme.md", "# new").commit("moved");
    let report = told(&bench, &bench.repo.path(), "HEAD~1", 0);
    assert_eq!((&report["entries"], &report["summary"]["unchanged"]), (&json!([]), &json!(2)));
    // A picture by its bytes, on both sides.
    let more = [PNG, b"more"].concat();
    bench.repo.write("other.png", &more).commit("a new picture");
    let report = told(&bench, &bench.repo.path(), "HEAD~1", 1);
    let changed = &report["entries"][0]["fields"][0];
    assert_eq!(
        (&changed["kind"], &changed["from"]["size"]),
        (&json!("picture"), &json!(PNG.len()))
    );
    assert_eq!(changed["to"]["size"], json!(more.len()));
    assert_ne!(changed["from"]["digest"], changed["to"]["digest"]);
    assert_eq!(changed["from"]["path"], "other.png");
}

#[test]
fn the_files_as_they_lie_have_no_revisions() {
    let bench = Bench::new();
    bench.commit(&[sidecar("a")]);
    let path = bench.repo.path();
    let run = against(&bench, &path, "HEAD", &["--working-tree", "--format=json"]);
    complains(&run, &["--working-tree", "HEAD"]);
    assert!(report(run, 2)["error"]["message"].is_string());
}
