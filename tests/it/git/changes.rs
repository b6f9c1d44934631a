//! Which files differ between two commits.

use std::collections::{BTreeMap, BTreeSet};

use marketsync::domain::item::{BlobId, CommitId, RepoPath};
use marketsync::domain::tree::Changes;
use marketsync::edge::git::GitError;
use proptest::prelude::*;

use super::{discover, everything, path, paths};
use crate::support::repo::Repo;

fn changes(repo: &Repo, source: &str, since: Option<&str>, named: &[&str]) -> Changes {
    let (checkout, _) = discover(&repo.path());
    let mut tree = checkout.tree(&checkout.head().unwrap()).unwrap();
    let since = since.map(|commit| CommitId(commit.to_owned()));
    let named = named.iter().map(|name| path(name)).collect();
    tree.changes(&everything(source), since.as_ref(), &named).unwrap()
}

fn present(changes: &Changes) -> Vec<&str> {
    paths(changes.present.iter().map(|entry| &entry.path))
}

#[test]
fn a_complete_listing_has_the_candidates_below_the_source() {
    let repo = Repo::new();
    for name in [
        "b.json",
        "x.json/deep/a.yml",
        "c.yaml",
        "x.schema.json",
        "readme.md",
        ".hid/a.json",
        "marketsync.yaml",
    ] {
        repo.write(&format!("s/{name}"), name);
    }
    repo.write("other/a.json", "").write("s.json", "").write("s/node_modules/p/package.json", "");
    repo.symlink("s/link.json", "b.json").symlink("s/folder", "../other");
    repo.commit("one");
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{},s/mod.json", "1".repeat(40)),
    ]);
    repo.git(&["commit", "-q", "-m", "a submodule"]);
    let found = changes(&repo, "s", None, &["other/a.json"]);
    assert_eq!(present(&found), ["s/b.json", "s/c.yaml", "s/link.json", "s/x.json/deep/a.yml"]);
    assert_eq!(paths(&found.passed_over), ["s/marketsync.yaml"]);
    assert!(found.complete && found.touched.is_empty() && found.unreadable.is_empty());
}

#[test]
fn a_difference_has_what_came_changed_or_went() {
    let repo = Repo::new();
    for name in [
        "s/kept.json",
        "s/edited.json",
        "s/gone/a.json",
        "s/readme.md",
        "img/a.png",
        "img/b.png",
        "o/x.json",
    ] {
        repo.write(name, name);
    }
    let base = repo.commit("one");
    assert_eq!(changes(&repo, "s", Some(&base), &["img/a.png"]), Changes::default());
    repo.write("s/edited.json", "new")
        .write("s/new.json", "new")
        .remove("s/gone")
        .write("s/readme.md", "new");
    repo.write("img/a.png", "new").write("img/b.png", "new").write("o/x.json", "new").commit("two");
    let found = changes(&repo, "s", Some(&base), &["img/a.png", "s/edited.json", "img/none.png"]);
    assert_eq!(present(&found), ["s/edited.json", "s/new.json"]);
    assert_eq!(paths(&found.touched), ["img/a.png", "s/gone/a.json"]);
    assert!(!found.complete);
}

#[test]
fn kinds_that_turn_into_each_other_are_differences() {
    let repo = Repo::new();
    repo.write("s/a.json", "x")
        .write("s/b.json/in.json", "")
        .write("s/c.json", "t")
        .symlink("pics", "img");
    repo.write("img/a.png", "");
    let base = repo.commit("one");
    repo.write("s/a.json/in.json", "").write("s/b.json", "x").symlink("s/c.json", "t");
    repo.remove("pics").write("pics/a.png", "").commit("two");
    let found = changes(&repo, "s", Some(&base), &["pics", "img/a.png", "pics/a.png"]);
    assert_eq!(present(&found), ["s/a.json/in.json", "s/b.json", "s/c.json"]);
    assert_eq!(paths(&found.touched), ["pics", "pics/a.png", "s/a.json", "s/b.json/in.json"]);
}

#[test]
fn a_path_that_appears_below_what_was_a_file_is_touched() {
    let repo = Repo::new();
    repo.write("s/a.json", "").write("img", "no folder");
    let base = repo.commit("one");
    repo.write("img/deep/a.png", "").commit("two");
    let found = changes(&repo, "s", Some(&base), &["img/deep/a.png", "img/none.png"]);
    assert_eq!(paths(&found.touched), ["img/deep/a.png", "img/none.png"]);
}

#[test]
fn a_deep_source_is_reached_and_its_neighbours_are_left_alone() {
    let repo = Repo::new();
    repo.write("a/b/c/x.json", "").write("a/b/cc/x.json", "").write("a/b/c/x.json.png", "");
    let base = repo.commit("one");
    repo.write("a/b/c/x.json", "new").write("a/b/cc/x.json", "new").commit("two");
    // Nothing but the source leads there.
    let found = changes(&repo, "a/b/c", Some(&base), &[]);
    assert_eq!(present(&found), ["a/b/c/x.json"]);
    let found = changes(&repo, "a/b/c", Some(&base), &["a/b/c/x.json.png", "a/b/ccc.png"]);
    assert_eq!(present(&found), ["a/b/c/x.json"]);
    assert_eq!(paths(&found.touched), [""; 0]);
}

#[test]
fn everything_is_listed_when_the_difference_cannot_be_told() {
    let repo = Repo::new();
    let base = repo.write("s/a.json", "").write("s/b.json", "").commit("one");
    assert!(changes(&repo, "s", Some("1234567890123456789012345678901234567890"), &[]).complete);
    assert!(changes(&repo, "s", Some("dir-1234"), &[]).complete);
    repo.write("s/.marketsyncignore", "x").commit("an ignore file");
    let found = changes(&repo, "s", Some(&base), &[]);
    assert!(found.complete);
    assert_eq!(present(&found), ["s/a.json", "s/b.json"]);
}

#[test]
fn a_source_that_is_no_folder_is_an_error_and_not_an_empty_catalogue() {
    let repo = Repo::new();
    repo.write("s/a.json", "").symlink("l", "s").commit("one");
    let (checkout, _) = discover(&repo.path());
    let mut tree = checkout.tree(&checkout.head().unwrap()).unwrap();
    for source in ["none", "s/a.json", "l", "s/a.json/x", "s\0"] {
        let found = tree.changes(&everything(source), None, &BTreeSet::new());
        assert!(matches!(found, Err(GitError::NoSource { .. })), "{source}");
    }
}

#[derive(Debug, Clone)]
enum Edit {
    Write(&'static str, u8),
    Link(&'static str, &'static str),
    Remove(&'static str),
}

const PATHS: [&str; 12] = [
    "s/a.json",
    "s/a.json/in.yml",
    "s/b-c.json",
    "s/b/c.json",
    "s/b/d/e.yaml",
    "s/b",
    "s/readme.md",
    "img/a.png",
    "img",
    "img/b/c.png",
    "top.json",
    "s/.hidden/a.json",
];

fn edit() -> impl Strategy<Value = Edit> {
    let at = || proptest::sample::select(PATHS.as_slice());
    prop_oneof![
        4 => (at(), 0_u8..3).prop_map(|(at, byte)| Edit::Write(at, byte)),
        1 => (at(), at()).prop_map(|(at, to)| Edit::Link(at, to)),
        2 => at().prop_map(Edit::Remove),
    ]
}

fn apply(repo: &Repo, edits: &[Edit]) -> String {
    for edit in edits {
        match edit {
            Edit::Write(at, byte) => repo.write(at, [*byte]),
            Edit::Link(at, to) => repo.symlink(at, to),
            Edit::Remove(at) => repo.remove(at),
        };
    }
    repo.write("s/always.json", "").commit("edits")
}

fn listing(changes: &Changes) -> BTreeMap<RepoPath, BlobId> {
    changes.present.iter().map(|entry| (entry.path.clone(), entry.blob)).collect()
}

/// What git says is at each path of the commit.
fn oracle(repo: &Repo, commit: &str) -> BTreeMap<String, String> {
    let text = repo.git(&["ls-tree", "-r", commit]);
    let lines = text.lines().map(|line| line.split_once('\t').unwrap());
    lines.map(|(what, path)| (path.to_owned(), what.to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// A difference is what two complete listings differ in, and has every
    /// named path that git finds changed.
    #[test]
    fn a_difference_is_the_difference_of_two_listings(
        first in proptest::collection::vec(edit(), 0..10),
        second in proptest::collection::vec(edit(), 0..6),
        named in proptest::sample::subsequence(PATHS.as_slice(), 0..PATHS.len()),
    ) {
        let repo = Repo::new();
        let base = apply(&repo, &first);
        let before = changes(&repo, "s", None, &[]);
        let head = apply(&repo, &second);
        let after = changes(&repo, "s", None, &[]);
        let found = changes(&repo, "s", Some(&base), &named);
        prop_assert!(!found.complete);

        let (old, new) = (listing(&before), listing(&after));
        let differs = new.iter().filter(|(path, blob)| old.get(*path) != Some(*blob));
        let expected: BTreeMap<_, _> = differs.map(|(path, blob)| (path.clone(), *blob)).collect();
        prop_assert_eq!(listing(&found), expected);
        for gone in old.keys().filter(|path| !new.contains_key(*path)) {
            prop_assert!(found.touched.contains(gone), "{gone} is gone");
        }
        let (was, is) = (oracle(&repo, &base), oracle(&repo, &head));
        for name in &named {
            let told = found.touched.contains(&path(name)) || new.contains_key(&path(name));
            prop_assert!(was.get(*name) == is.get(*name) || told, "{name} differs");
        }
        for touched in &found.touched {
            let known = named.contains(&touched.as_str()) || old.contains_key(touched);
            prop_assert!(known, "{touched} was never asked for");
        }
    }
}
