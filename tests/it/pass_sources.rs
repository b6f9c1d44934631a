//! The whole program over every kind of source (`practice.md` §1, §3).

use std::fs;

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::json;

use crate::support::cli::Bench;
use crate::support::documents::{path, pretty, set, sidecar, with_image};
use crate::support::market::PNG;

#[test]
fn a_folder_deep_in_a_larger_repository() {
    let bench = Bench::new();
    let repo = &bench.repo;
    repo.write("other/package.json", "{}").write("shared/logo.png", PNG);
    repo.write(
        "teams/one/catalog/a.json",
        pretty(&with_image(sidecar("alpha"), "../../../shared/logo.png")),
    );
    repo.write("teams/two/b.json", pretty(&sidecar("beta")));
    repo.commit("a large one");
    let folder = repo.path().join("teams/one");
    let run = bench.apply_from(&folder, &[]).exits(0);
    assert_eq!(run.said("Created"), ["alpha NA"]);
    assert_eq!(run.line("Created")["path"], "teams/one/catalog/a.json");
    repo.write("teams/two/b.json", pretty(&set(sidecar("beta"), "/name", "x"))).commit("elsewhere");
    bench.apply_from(&folder, &[]).exits(0);
    bench.asked_nothing();
    // A picture outside the folder counts all the same.
    repo.write("shared/logo.png", [PNG, b"more"].concat()).commit("a new picture");
    assert_eq!(bench.apply_from(&folder, &[]).exits(0).said("Updated"), ["alpha NA"]);
}

#[test]
fn a_path_narrows_the_source() {
    let bench = Bench::new();
    bench
        .repo
        .write("one/a.json", pretty(&sidecar("alpha")))
        .write("two/b.json", pretty(&sidecar("beta")));
    bench.repo.commit("two folders");
    assert_eq!(bench.apply(&["--path", "two"]).exits(0).said("Created"), ["beta NA"]);
    bench.apply(&["--path", "../two"]).exits(2).tells("--path");
    // A path that holds nothing is more likely a slip than a wish.
    bench.forget();
    bench.apply(&["--path", "three"]).exits(2).tells("three");
}

#[test]
fn a_bare_repository_and_a_worktree() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let bare = bench.repo.beside("bare.git");
    bench.repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    assert_eq!(bench.apply_from(&bare, &[]).exits(0).said("Created"), ["alpha NA"]);

    bench.forget();
    let tree = bench.repo.beside("tree");
    bench.repo.git(&["worktree", "add", "-q", "-b", "side", tree.to_str().unwrap()]);
    assert_eq!(bench.apply_from(&tree, &[]).exits(0).said("Adopted"), ["alpha NA"]);
    // The worktree's own HEAD counts.
    bench.commit(&[sidecar("beta")]);
    bench.apply_from(&tree, &[]).exits(0).prints("1 unchanged");
}

#[test]
fn a_revision_is_read_in_place_of_head() {
    let bench = Bench::new();
    let first = bench.commit(&[sidecar("alpha")]);
    bench.repo.git(&["tag", "v1"]);
    bench.commit(&[sidecar("beta")]);
    let run = bench.apply(&["--revision", "v1"]).exits(0);
    assert_eq!(run.said("Created"), ["alpha NA"]);
    assert!(first.starts_with(run.line("Created")["commit"].as_str().unwrap()));
    bench.apply(&["--revision", &first]).exits(0).prints("1 unchanged");
    bench.apply(&["--revision", "no-such"]).exits(2).tells("no-such");
    bench.apply(&["--revision", "main"]).exits(0).prints("1 applied, 1 unchanged");
}

#[test]
fn only_what_is_committed_counts_and_a_notice_says_so() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.apply(&[]).exits(0);
    let edited = pretty(&set(sidecar("alpha"), "/name", "Edited"));
    bench
        .repo
        .write("items/alpha/NA.json", &edited)
        .write("items/new.json", pretty(&sidecar("new")));
    let run = bench.apply(&[]).exits(0);
    bench.asked_nothing();
    run.tells("items/alpha/NA.json has edits that are not committed");

    let run = bench.apply(&["--working-tree"]).exits(0);
    assert_eq!(
        (run.said("Updated"), run.said("Created")),
        (vec!["alpha NA".into()], vec!["new NA".into()])
    );
    assert!(!run.stderr.contains("not committed"), "{run}");
    bench.apply(&["--working-tree"]).exits(0);
    bench.asked_nothing();
    bench.apply(&["--working-tree", "--revision", "main"]).exits(2).tells("--revision");
}

#[test]
fn a_plain_directory() {
    let bench = Bench::new();
    let folder = bench.home.path().join("plain");
    fs::create_dir_all(folder.join("pictures")).unwrap();
    fs::write(folder.join("pictures/logo.png"), PNG).unwrap();
    fs::write(folder.join("a.json"), pretty(&with_image(sidecar("alpha"), "pictures/logo.png")))
        .unwrap();
    fs::write(folder.join("b.yaml"), sidecar("beta").to_string()).unwrap();
    assert_eq!(bench.apply_from(&folder, &[]).exits(0).said("Created"), ["alpha NA", "beta NA"]);
    bench.apply_from(&folder, &[]).exits(0);
    bench.asked_nothing();
    fs::write(folder.join("b.yaml"), pretty(&set(sidecar("beta"), "/name", "Edited"))).unwrap();
    fs::rename(folder.join("a.json"), folder.join("c.json")).unwrap();
    assert_eq!(bench.apply_from(&folder, &[]).exits(0).said("Updated"), ["beta NA"]);
    fs::remove_file(folder.join("c.json")).unwrap();
    assert_eq!(bench.apply_from(&folder, &["--prune"]).exits(0).said("Deleted"), ["alpha NA"]);
}

#[test]
fn what_is_no_item_is_left_out_or_named() {
    let bench = Bench::new();
    let repo = &bench.repo;
    repo.write("package.json", r#"{"name":"x"}"#).write("node_modules/p/package.json", "{}");
    repo.write(".hidden/a.json", "{")
        .write("x.schema.json", "{}")
        .write("marketsync.yaml", "endpoint: evil\nprune: true\n");
    bench.commit(&[sidecar("alpha")]);
    let run = bench.apply(&[]).exits(1);
    assert_eq!(run.line("Invalid")["path"], "package.json");
    run.tells("exclude it").tells("marketsync.yaml");
    bench.apply(&["--exclude", "package.json"]).exits(0);
    repo.write(".marketsyncignore", "package.json\n").commit("ignored");
    bench.apply(&[]).exits(0).prints("1 unchanged");
}

#[test]
fn nothing_outside_the_source_is_read() {
    let bench = Bench::new();
    fs::write(bench.repo.beside("secret.png"), PNG).unwrap();
    bench.repo.symlink("items/link.png", "../../secret.png");
    bench.commit(&[
        with_image(sidecar("above"), "../../../secret.png"),
        with_image(sidecar("absolute"), bench.repo.beside("secret.png").to_str().unwrap()),
        with_image(sidecar("linked"), "../link.png"),
        with_image(sidecar("nowhere"), "no-such.png"),
        sidecar("good"),
    ]);
    let run = bench.apply(&[]).exits(1);
    assert_eq!(run.said("Created"), ["good NA"]);
    let paths: Vec<_> = run.lines("Invalid").iter().map(|line| line["path"].clone()).collect();
    let all =
        ["above", "absolute", "linked", "nowhere"].map(|id| json!(format!("items/{id}/NA.json")));
    for path in all {
        assert!(paths.contains(&path), "{path}: {run}");
    }
    assert!(bench.writes().iter().all(|call| call.upload.is_none()));
}

#[test]
fn no_source_and_no_commit() {
    let bench = Bench::new();
    bench.apply_from(&bench.home.path().join("nowhere"), &[]).exits(2).tells("nowhere");
    bench.asked_nothing();
    // A repository without a commit.
    let run = bench.apply(&[]).exits(2);
    assert!(run.stderr.contains("commit"), "{run}");
}

/// What was read of a commit that could not be read whole is not taken for
/// another one.
#[test]
fn a_commit_that_cannot_be_read_leaves_no_trace() {
    let bench = Bench::new();
    let first = bench.commit(&[sidecar("alpha"), sidecar("beta")]);
    bench.apply(&["--prune"]).exits(0);
    bench.repo.write(&path(&sidecar("alpha")), pretty(&set(sidecar("alpha"), "/name", "Edited")));
    bench.repo.remove(&path(&sidecar("beta")));
    let last = path(&sidecar("omega"));
    bench.repo.write(&last, pretty(&sidecar("omega"))).commit("broken on disk");
    let blob = bench.repo.git(&["rev-parse", &format!("HEAD:{last}")]);
    let (folder, name) = blob.trim().split_at(2);
    let object = bench.repo.path().join(".git/objects").join(folder).join(name);
    fs::remove_file(&object).unwrap();
    fs::write(&object, "no object").unwrap();
    bench.apply(&["--prune"]).exits(2);
    bench.repo.git(&["reset", "-q", "--hard", &first]);
    bench.handle().clear_log();
    let run = bench.apply(&["--prune"]).exits(0);
    assert_eq!((run.said("Updated"), run.said("Deleted")), (vec![], vec![]));
    assert_eq!(bench.writes(), []);
}

/// A picture that went up with a try that was refused is still a change of the
/// next one.
#[test]
fn a_new_picture_is_named_also_if_it_went_up_before() {
    let bench = Bench::new();
    let item = with_image(sidecar("alpha"), "logo.png");
    bench.repo.write("items/alpha/logo.png", PNG);
    bench.commit(std::slice::from_ref(&item));
    bench.apply(&[]).exits(0);

    bench.repo.write("items/alpha/logo.png", [PNG, b"more"].concat());
    bench.commit(&[set(item.clone(), "/name", "Edited")]);
    let kind = FaultKind::RejectItem { message: "no".to_owned() };
    assert!(bench.handle().fail(Fault::always(Route::Apply, kind)));
    bench.apply(&[]).exits(1);
    bench.handle().clear_faults();
    let run = bench.apply(&[]).exits(0);
    assert_eq!(run.line("Updated")["changed"], r#"["/name", "/image"]"#);

    // And one that is the same is not.
    bench.commit(&[set(item, "/name", "Again")]);
    assert_eq!(bench.apply(&[]).exits(0).line("Updated")["changed"], r#"["/name"]"#);
}
