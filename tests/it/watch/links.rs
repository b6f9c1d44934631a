//! Locations behind links that are swapped, and locations that come and go.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use marketsync::edge::watch::{Mode, Watch};

use super::{head, watch, woken, woken_until};
use crate::support::repo::Repo;

/// Swaps a link as git-sync does: it makes `tmp-link` and renames it.
fn publish(root: &Path, name: &str, target: &str) {
    let next = root.join("tmp-link");
    symlink(target, &next).unwrap();
    fs::rename(next, root.join(name)).unwrap();
}

/// The root of a git-sync volume: the repository itself, a folder of
/// worktrees named by their commits, and a link to one of them.
async fn follows_a_sync(worktrees: &str, prefix: &str) {
    let repo = Repo::new();
    let root = repo.beside("root");
    repo.write("sub/dir/a.json", "0");
    let sync = |wanted: &str| {
        let folder = format!("{worktrees}{prefix}{wanted}");
        let at = root.join(&folder);
        let in_root = |args: &[&str]| repo.git(&[&["-C", root.to_str().unwrap()], args].concat());
        in_root(&["fetch", "-q", repo.path().to_str().unwrap(), "main"]);
        in_root(&["worktree", "add", "-q", "--detach", at.to_str().unwrap(), wanted]);
        let last = fs::read_link(root.join("link")).ok();
        publish(&root, "link", &folder);
        if let Some(last) = last {
            fs::remove_dir_all(root.join(last)).unwrap();
            in_root(&["worktree", "prune"]);
        }
    };
    let first = repo.commit("0");
    repo.git(&["init", "-q", "-b", "main", root.to_str().unwrap()]);
    sync(&first);
    let source = root.join("link/sub/dir");
    let mut watch = watch(&source);
    for round in 1..=20 {
        repo.write("sub/dir/a.json", round.to_string());
        let wanted = repo.commit("next");
        sync(&wanted);
        woken_until(&mut watch, &format!("flip {round}"), || head(&source) == wanted).await;
    }
}

#[tokio::test]
async fn each_flip_of_git_sync_wakes() {
    follows_a_sync(".worktrees/", "").await;
}

#[tokio::test]
async fn each_flip_of_an_older_git_sync_wakes() {
    follows_a_sync("worktrees/", "").await;
    follows_a_sync("", "rev-").await;
}

#[tokio::test]
async fn what_a_flipped_link_leads_to_is_watched() {
    let (one, two) = (Repo::new(), Repo::new());
    let links = one.beside("links");
    fs::create_dir(&links).unwrap();
    // A link to a link, each in a folder of its own.
    symlink(links.join("inner"), one.beside("outer")).unwrap();
    let source = one.beside("outer");
    one.commit("one");
    publish(&links, "inner", one.path().to_str().unwrap());
    let mut watch = watch(&source);
    for repo in [&two, &one, &two] {
        let wanted = repo.commit("before the flip");
        publish(&links, "inner", repo.path().to_str().unwrap());
        woken_until(&mut watch, "flip", || head(&source) == wanted).await;
        let wanted = repo.commit("behind the link");
        woken_until(&mut watch, "commit", || head(&source) == wanted).await;
    }
}

#[tokio::test]
async fn a_location_that_comes_back_is_found() {
    let repo = Repo::new();
    repo.write("a.json", "{}");
    let root = repo.beside("mount/volume");
    let source = root.join("checkout");
    fs::create_dir_all(&root).unwrap();
    let mut watch = Watch::start(&source);
    for round in 0..3 {
        assert!(matches!(watch.mode(), Mode::Partly { why } if why.contains("reached")));
        let wanted = repo.commit("next");
        fs::create_dir_all(&root).unwrap();
        repo.git(&["clone", "-q", ".", source.to_str().unwrap()]);
        woken_until(&mut watch, "cloned", || head(&source) == wanted).await;
        watch.follow();
        assert_eq!(watch.mode(), &Mode::Events, "round {round}");
        repo.git(&["-C", source.to_str().unwrap(), "commit", "-q", "--allow-empty", "-m", "more"]);
        woken(&mut watch, "commit").await;
        // In the last rounds the folders around it go, too.
        let gone = [source.clone(), root.clone(), repo.beside("mount")];
        fs::remove_dir_all(&gone[round]).unwrap();
        woken_until(&mut watch, "removed", || !source.exists()).await;
    }
}

#[tokio::test]
async fn a_location_that_is_replaced_is_found() {
    let repo = Repo::new();
    repo.commit("first");
    let mut watch = watch(&repo.path());
    repo.git(&["clone", "-q", ".", "../next"]);
    let next = repo.beside("next");
    repo.git(&["-C", next.to_str().unwrap(), "commit", "-q", "--allow-empty", "-m", "more"]);
    let wanted = head(&next);
    fs::rename(repo.path(), repo.beside("last")).unwrap();
    fs::rename(next, repo.path()).unwrap();
    woken_until(&mut watch, "renamed", || head(&repo.path()) == wanted).await;
    let wanted = repo.commit("in the new one");
    woken_until(&mut watch, "commit", || head(&repo.path()) == wanted).await;
}

#[tokio::test]
async fn links_in_a_circle_lead_nowhere() {
    let repo = Repo::new();
    let at = repo.beside("circle");
    symlink("circle", &at).unwrap();
    let mut watch = Watch::start(&at);
    assert!(matches!(watch.mode(), Mode::Partly { why } if why.contains("links")));
    repo.commit("first");
    publish(at.parent().unwrap(), "circle", "checkout");
    woken(&mut watch, "mended").await;
    assert_eq!(watch.mode(), &Mode::Events);
}
