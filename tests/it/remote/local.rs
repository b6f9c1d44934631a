//! `file://`: without a server.

use std::fs;

use marketsync::edge::git::remote::{Fetched, Remote, RemoteError, Wanted};
use tempfile::TempDir;

use super::{fetch, git, head, moves, options, refused};
use crate::support::repo::Repo;

fn file(repo: &Repo) -> String {
    format!("file://{}", repo.path().display())
}

#[tokio::test]
async fn a_repository_of_this_machine_is_copied_without_its_past() {
    let repo = Repo::new();
    let state = TempDir::new().unwrap();
    let remote = Remote::open(options(&file(&repo), state.path())).unwrap();
    let error = refused(&remote).await;
    assert!(matches!(error, RemoteError::Missing { .. }), "{error:?}");
    repo.write("a.json", "1").commit("first");
    repo.write("sub/b.json", "2").symlink("link", "a.json").commit("second");
    let second = moves(&remote).await;
    assert_eq!(second, repo.git(&["rev-parse", "HEAD"]));
    assert_eq!(git(&remote, &["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);
    repo.write("sub/b.json", "3").commit("third");
    let third = moves(&remote).await;
    assert_eq!(git(&remote, &["show", "HEAD:sub/b.json"]), "3");
    git(&remote, &["fsck", "--strict"]);
    // There and back, and to another history.
    repo.git(&["reset", "-q", "--hard", &second]);
    assert_eq!(moves(&remote).await, second);
    repo.git(&["checkout", "-q", "--orphan", "other"]);
    let orphan = repo.write("c.json", "4").commit("orphan");
    assert_eq!(moves(&remote).await, orphan);
    assert_ne!(orphan, third);
    git(&remote, &["fsck", "--strict"]);
}

#[tokio::test]
async fn a_tag_and_a_branch_of_it_can_be_named() {
    let repo = Repo::new();
    let first = repo.write("a.json", "1").commit("first");
    repo.git(&["tag", "-m", "annotated", "live"]);
    repo.git(&["branch", "stable"]);
    let second = repo.write("a.json", "2").commit("second");
    for (wanted, expected) in [
        (Wanted::Revision("live".to_owned()), &first),
        (Wanted::Branch("stable".to_owned()), &first),
        (Wanted::Revision("main".to_owned()), &second),
        (Wanted::Revision(first.clone()), &first),
    ] {
        let state = TempDir::new().unwrap();
        let mut options = options(&file(&repo), state.path());
        options.wanted = wanted;
        assert_eq!(&moves(&Remote::open(options).unwrap()).await, expected);
    }
}

#[tokio::test]
async fn what_leads_out_of_it_is_not_read() {
    let (repo, other) = (Repo::new(), Repo::new());
    repo.write("a.json", "1").commit("first");
    let state = TempDir::new().unwrap();
    let remote = Remote::open(options(&file(&repo), state.path())).unwrap();
    let first = moves(&remote).await;
    // A bare repository whose objects are another's.
    other.write("secret", "x").commit("other");
    let bare = repo.beside("bare.git");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let objects = other.path().join(".git/objects");
    fs::write(bare.join("objects/info/alternates"), objects.display().to_string()).unwrap();
    let state = TempDir::new().unwrap();
    let led = Remote::open(options(&format!("file://{}", bare.display()), state.path())).unwrap();
    let error = refused(&led).await;
    assert!(error.to_string().contains("alternates"), "{error}");
    // Submodules are names to us.
    repo.write(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = https://evil.invalid/x\n");
    let id = "1".repeat(40);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},x")]);
    repo.git(&["commit", "-q", "-m", "submodule"]);
    assert_ne!(moves(&remote).await, first);
}

#[tokio::test]
async fn a_repository_that_is_gone_is_an_error_and_comes_back() {
    let repo = Repo::new();
    let first = repo.write("a.json", "1").commit("first");
    let state = TempDir::new().unwrap();
    let remote = Remote::open(options(&file(&repo), state.path())).unwrap();
    moves(&remote).await;
    let (here, away) = (repo.path(), repo.beside("away"));
    fs::rename(&here, &away).unwrap();
    let error = refused(&remote).await;
    assert!(error.to_string().contains("no git repository"), "{error}");
    assert_eq!(head(&remote), first);
    fs::rename(&away, &here).unwrap();
    assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);
    // A folder of a checkout is no repository.
    let state = TempDir::new().unwrap();
    repo.write("sub/x", "1").commit("sub");
    let sub = Remote::open(options(&format!("{}/sub", file(&repo)), state.path())).unwrap();
    refused(&sub).await;
}
