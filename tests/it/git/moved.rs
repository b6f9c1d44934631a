//! Repositories that move on while they are read.

use std::fs;
use std::os::unix::fs::symlink;

use marketsync::domain::item::BlobId;
use marketsync::domain::seen::Seen;
use marketsync::domain::tree::{Target, Tree as _};
use marketsync::edge::git::GitError;
use marketsync::edge::source::{Source, SourceError, SourceOptions};

use super::path;
use crate::support::repo::Repo;

fn source(location: &std::path::Path) -> Source {
    let location = location.to_owned();
    Source::open(&SourceOptions { location, ..SourceOptions::default() }).unwrap()
}

/// The object of a file at HEAD goes away; its name.
fn lose(repo: &Repo, file: &str) -> String {
    let id = repo.git(&["rev-parse", &format!("HEAD:{file}")]);
    let object = format!(".git/objects/{}/{}", &id[..2], &id[2..]);
    fs::rename(repo.path().join(object), repo.beside(&id)).unwrap();
    id
}

#[test]
fn bytes_that_are_gone_say_nothing_of_their_file() {
    let repo = Repo::new();
    repo.write("a.json", "{}").write("b.json", "[]").symlink("l.json", "a.json").commit("one");
    let source = source(&repo.path());
    let head = source.head().unwrap();
    lose(&repo, "b.json");
    lose(&repo, "l.json");
    let mut reading = source.read(&head, &Seen::default()).unwrap();
    assert!(matches!(reading.tree.resolve(&path("a.json")).unwrap().target, Target::File { .. }));
    for lost in ["b.json", "l.json"] {
        let error = reading.tree.resolve(&path(lost)).unwrap_err();
        assert!(
            matches!(&error, SourceError::Damaged { source: GitError::Lacking { what }, .. } if what.contains(lost)),
            "{error:?}"
        );
        assert!(error.to_string().contains(repo.path().to_str().unwrap()), "{error}");
        assert!(error.is_damage() && !error.is_transient());
    }
}

#[test]
fn what_went_with_its_commit_is_read_again() {
    let repo = Repo::new();
    repo.write("a.json", "{}").commit("one");
    let source = source(&repo.path());
    let head = source.head().unwrap();
    let mut reading = source.read(&head, &Seen::default()).unwrap();
    let Target::File { blob, .. } = reading.tree.resolve(&path("a.json")).unwrap().target else {
        panic!("a file")
    };
    repo.write("a.json", "[]").git(&["add", "-A"]);
    repo.git(&["commit", "-q", "--amend", "-m", "two"]);
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    repo.git(&["prune", "--expire=now"]);
    let error = reading.tree.bytes(&path("a.json"), blob).unwrap_err();
    assert!(matches!(error, SourceError::Moved { .. }), "{error:?}");
    assert!(error.is_transient() && error.is_of_the_moment() && !error.is_damage());
    let error = source.read(&head, &Seen::default()).map(drop).unwrap_err();
    assert!(matches!(error, SourceError::Moved { .. }), "{error:?}");
    // The bytes of an earlier commit are no part of what moved.
    let earlier = reading.tree.commit().clone();
    assert!(matches!(source.tree_at(&earlier).map(drop), Err(SourceError::Git(_))));
    let mut now = source.read(&source.head().unwrap(), &Seen::default()).unwrap();
    let error = now.tree.bytes(&path("a.json"), BlobId([7; 20])).unwrap_err();
    assert!(matches!(error, SourceError::Damaged { .. }), "{error:?}");
}

#[test]
fn a_source_whose_link_leads_elsewhere_is_opened_again() {
    let repo = Repo::new();
    repo.write("a.json", "{}").commit("one");
    for name in ["one", "two"] {
        repo.git(&["worktree", "add", "-q", "--detach", &format!("../{name}")]);
    }
    let link = repo.beside("link");
    symlink("one", &link).unwrap();
    let source = source(&link);
    repo.git(&["-C", "../two", "commit", "-q", "--allow-empty", "-m", "two"]);
    symlink("two", repo.beside("next")).unwrap();
    fs::rename(repo.beside("next"), &link).unwrap();
    repo.git(&["worktree", "remove", "--force", "../one"]);
    let error = source.head().unwrap_err();
    assert!(matches!(error, SourceError::Moved { .. }), "{error:?}");
    source.again().unwrap().head().unwrap();
    // What was a repository is not read as a plain directory.
    fs::remove_file(repo.beside("two/.git")).unwrap();
    let error = source.again().map(drop).unwrap_err();
    assert!(matches!(error, SourceError::NoLongerGit { .. }), "{error:?}");
}
