//! Repositories: what moves when HEAD moves.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use marketsync::domain::seen::Seen;
use marketsync::domain::tree::Tree as _;
use marketsync::edge::source::Source;
use marketsync::edge::watch::{Mode, Watch};

use super::{head, is_unnoticed, options, watch, woken, woken_until};
use crate::support::repo::Repo;

fn repo() -> Repo {
    let repo = Repo::new();
    repo.write("items/a.json", "{}").write("items/b.json", "{}");
    repo.commit("first");
    repo
}

/// Each makes another commit the head; git does not say beforehand which.
async fn moves(repo: &Repo, source: &Path, acts: &[&[&str]]) {
    let mut watch = watch(source);
    for act in acts {
        let before = head(source);
        repo.git(act);
        let now = head(source);
        assert_ne!(now, before, "{act:?} moved nothing");
        woken(&mut watch, &format!("{act:?}")).await;
        // A rebase may have been seen half-way.
        assert_eq!(head(source), now);
    }
}

const COMMIT: &[&str] = &["commit", "-q", "--allow-empty", "-m", "more"];

#[tokio::test]
async fn whatever_moves_head_wakes() {
    let repo = repo();
    repo.git(&["branch", "other"]);
    repo.commit("second");
    repo.git(&["tag", "-a", "-m", "a tag", "v1"]);
    let acts: &[&[&str]] = &[
        COMMIT,
        &["commit", "-q", "--amend", "--allow-empty", "-m", "amended"],
        &["checkout", "-q", "other"],
        COMMIT,
        &["rebase", "-q", "main"],
        &["checkout", "-q", "main"],
        &["merge", "-q", "--ff-only", "other"],
        &["reset", "-q", "--hard", "HEAD~1"],
        &["checkout", "-q", "--detach", "v1"],
        COMMIT,
        &["switch", "-q", "-c", "deep/down/below", "main~1"],
        COMMIT,
        COMMIT,
        &["update-ref", "HEAD", "main"],
        &["symbolic-ref", "HEAD", "refs/heads/other"],
    ];
    moves(&repo, &repo.path(), acts).await;
    moves(&repo, &repo.path().join("items"), &[COMMIT]).await;
}

#[tokio::test]
async fn a_pull_and_a_fetched_rebase_wake() {
    let repo = repo();
    let clone = repo.beside("clone");
    repo.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
    let mut watch = watch(&clone);
    for strategy in ["--ff-only", "--rebase"] {
        let wanted = repo.commit("upstream");
        repo.git(&["-C", clone.to_str().unwrap(), "pull", "-q", strategy]);
        woken_until(&mut watch, strategy, || head(&clone) == wanted).await;
    }
}

#[tokio::test]
async fn packed_refs_do_not_deafen() {
    let repo = repo();
    repo.git(&["switch", "-q", "-c", "feature/one"]);
    let mut watch = watch(&repo.path());
    for round in 0..3 {
        repo.git(&["gc", "-q"]);
        repo.git(&["pack-refs", "--all", "--prune"]);
        // Some versions of git remove it then, and others later. The commit
        // makes it anew.
        repo.remove(".git/refs/heads/feature");
        woken(&mut watch, "packed").await;
        for _ in 0..2 {
            let wanted = repo.commit("more");
            woken_until(&mut watch, &format!("round {round}"), || head(&repo.path()) == wanted)
                .await;
        }
    }
}

#[tokio::test]
async fn a_head_that_moves_in_packed_refs_wakes() {
    let repo = repo();
    let first = head(&repo.path());
    let wanted = repo.commit("second");
    repo.git(&["update-ref", "HEAD", &first]);
    repo.git(&["pack-refs", "--all"]);
    let mut watch = watch(&repo.path());
    let packed = repo.path().join(".git/packed-refs");
    let text = fs::read_to_string(&packed).unwrap().replace(&first, &wanted);
    fs::write(packed.with_extension("new"), text).unwrap();
    fs::rename(packed.with_extension("new"), packed).unwrap();
    woken_until(&mut watch, "packed-refs", || head(&repo.path()) == wanted).await;
}

#[tokio::test]
async fn a_linked_worktree_wakes() {
    let repo = repo();
    repo.git(&["worktree", "add", "-q", "-b", "linked", "../linked"]);
    let linked = repo.beside("linked");
    let in_it = |args: &[&str]| repo.git(&[&["-C", linked.to_str().unwrap()], args].concat());
    let mut watch = watch(&linked.join("items"));
    for detached in [false, true] {
        if detached {
            // HEAD is then the only thing that moves.
            in_it(&["checkout", "-q", "--detach"]);
            woken(&mut watch, "detached").await;
        }
        in_it(COMMIT);
        let wanted = in_it(&["rev-parse", "HEAD"]);
        woken_until(&mut watch, "commit", || head(&linked) == wanted).await;
    }
}

#[tokio::test]
async fn a_push_into_a_bare_repository_wakes() {
    let repo = repo();
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let bare = repo.beside("bare.git");
    let mut watch = watch(&bare);
    for _ in 0..3 {
        let wanted = repo.commit("more");
        repo.git(&["push", "-q", "../bare.git", "main"]);
        woken_until(&mut watch, "push", || head(&bare) == wanted).await;
    }
}

#[tokio::test]
async fn a_git_file_leads_to_the_repository() {
    let repo = Repo::with(&["--separate-git-dir", "../elsewhere"]);
    assert!(repo.path().join(".git").is_file());
    repo.write("items/a.json", "{}");
    repo.commit("first");
    moves(&repo, &repo.path(), &[COMMIT, COMMIT]).await;
}

#[tokio::test]
async fn bystanders_do_not_wake() {
    let repo = repo();
    let mut watch = watch(&repo.path());
    let commit = || drop(repo.git(COMMIT));
    is_unnoticed(&mut watch, commit, || {
        for text in ["1", "2", "3"] {
            repo.write("items/a.json", text);
            // Writes the index anew.
            repo.git(&["status"]);
        }
        repo.git(&["add", "-A"]);
        repo.git(&["fetch", "-q", "."]);
        fs::write(repo.path().join(".git/refs/heads/main.lock"), "").unwrap();
        fs::remove_file(repo.path().join(".git/refs/heads/main.lock")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn its_own_reading_does_not_wake() {
    let repo = repo();
    let mut watch = watch(&repo.path());
    let read = Cell::new(0);
    let commit = || drop(repo.git(COMMIT));
    is_unnoticed(&mut watch, commit, || {
        let source = Source::open(&options(&repo.path())).unwrap();
        let mut reading = source.read(&source.head().unwrap(), &Seen::default()).unwrap();
        for entry in reading.changes.present.clone() {
            reading.tree.bytes(&entry.path, entry.blob).unwrap();
            read.set(read.get() + 1);
        }
        source.uncommitted().unwrap();
    })
    .await;
    assert_eq!(read.get(), 2);
}

#[tokio::test]
async fn five_hundred_refs_are_few_wakes() {
    let repo = repo();
    let mut watch = watch(&repo.path());
    let commit = head(&repo.path());
    let mut refs = String::new();
    for number in 0..500 {
        let (folder, number) = ((number % 50).to_string(), number.to_string());
        refs.extend(["create refs/heads/many/", &folder, "/", &number, " ", &commit, "\n"]);
    }
    repo.git_with(&["update-ref", "--stdin"], refs.as_bytes());
    let wanted = repo.commit("last");
    let wakes = woken_until(&mut watch, "refs", || head(&repo.path()) == wanted).await;
    assert!(wakes <= 3, "{wakes} wakes");
    // The folders that came with them are watched.
    repo.git(&["checkout", "-q", "many/49/499"]);
    woken(&mut watch, "checkout").await;
    let wanted = repo.commit("in a new folder");
    woken_until(&mut watch, "commit", || head(&repo.path()) == wanted).await;
}

#[tokio::test]
async fn a_repository_that_is_made_anew_is_found() {
    let repo = repo();
    let mut watch = watch(&repo.path());
    for round in 0..3 {
        fs::remove_dir_all(repo.path().join(".git")).unwrap();
        woken(&mut watch, "removed").await;
        repo.git(&["init", "-q", "-b", "main"]);
        for _ in 0..2 {
            let wanted = repo.commit("again");
            woken_until(&mut watch, &format!("round {round}"), || head(&repo.path()) == wanted)
                .await;
        }
        watch.follow();
        assert_eq!(watch.mode(), &Mode::Events);
    }
}

#[tokio::test]
async fn a_half_made_repository_is_waited_for() {
    let repo = repo();
    let (objects, aside) = (repo.path().join(".git/objects"), repo.beside("objects"));
    fs::rename(&objects, &aside).unwrap();
    let mut watch = Watch::start(&repo.path());
    let Mode::Partly { why } = watch.mode() else { panic!("{:?}", watch.mode()) };
    assert!(why.contains("cannot be opened"), "{why}");
    fs::rename(&aside, &objects).unwrap();
    woken(&mut watch, "objects").await;
    assert_eq!(watch.mode(), &Mode::Events);
    repo.git(COMMIT);
    woken(&mut watch, "commit").await;
}
