//! Repositories that are made of other things than files.

use std::fs;
use std::path::Path;
use std::process::Command;

use marketsync::edge::git::{Checkout, GitError};

use super::discover;
use crate::support::repo::Repo;

fn fifo(path: &Path) {
    drop(fs::remove_file(path));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn one() -> Repo {
    let repo = Repo::new();
    repo.write("a.json", "{}").commit("one");
    repo
}

/// libgit2 would wait for somebody who writes into it.
#[test]
fn a_fifo_is_never_opened() {
    for name in [
        "HEAD",
        "config",
        "config.worktree",
        "shallow",
        "index",
        "packed-refs",
        "info/grafts",
        "objects/info/alternates",
        "refs/heads/main",
    ] {
        for is_bare in [false, true] {
            let repo = one();
            repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
            let (at, git) = if is_bare {
                (repo.beside("bare.git"), repo.beside("bare.git"))
            } else {
                (repo.path(), repo.path().join(".git"))
            };
            fifo(&git.join(name));
            let found = Checkout::discover(&at).map(|found| found.is_some());
            // A folder with such a HEAD is no bare repository.
            let is_none = is_bare && name == "HEAD";
            match found {
                Ok(false) if is_none => {}
                Err(GitError::Special { path }) => assert!(path.ends_with(name), "{path:?}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_linked_worktree_is_looked_at_in_both_its_folders() {
    for name in ["config", "shallow", "worktrees/linked/HEAD", "worktrees/linked/index"] {
        let repo = one();
        repo.git(&["worktree", "add", "-q", "../linked"]);
        discover(&repo.beside("linked"));
        fifo(&repo.path().join(".git").join(name));
        let found = Checkout::discover(&repo.beside("linked")).map(|_| ());
        assert!(matches!(found, Err(GitError::Special { .. })), "{name}: {found:?}");
    }
}

#[test]
fn an_include_is_looked_at_before_it_is_followed() {
    let config = |text: &str| {
        let repo = one();
        fifo(&repo.beside("fifo"));
        fs::write(repo.beside("one"), "[include]\n\tpath = two\n").unwrap();
        fs::write(repo.beside("two"), "[include]\n\tpath = fifo\n").unwrap();
        fs::write(repo.beside("good"), "[user]\n\tname = a\n").unwrap();
        let path = repo.path().join(".git/config");
        let before = fs::read_to_string(&path).unwrap();
        fs::write(path, before + text).unwrap();
        Checkout::discover(&repo.path()).map(|_| ())
    };
    for text in [
        "[include]\n\tpath = ../../fifo\n",
        "[include]\n\tpath = ../../one\n",
        "[include]\n\tpath = /dev/zero\n",
        "[ IncludeIf \"gitdir:**\" ] PATH=\"../../fi\\\nfo\" # x\n",
    ] {
        let found = config(text);
        assert!(matches!(found, Err(GitError::Special { .. })), "{text}: {found:?}");
    }
    let found = config("[include]\n\tpath = config\n");
    assert!(matches!(found, Err(GitError::Includes { .. })), "{found:?}");
    // As a CI runner keeps its credentials.
    config("[includeIf \"gitdir:**\"]\n\tpath = ../../good\n\tpath = ../../none\n").unwrap();
}

#[test]
fn a_file_of_a_terabyte_is_not_read() {
    for name in ["config", "HEAD", "shallow", "index", "packed-refs"] {
        let repo = one();
        let path = repo.path().join(".git").join(name);
        fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        let found = Checkout::discover(&repo.path()).map(|_| ());
        assert!(matches!(found, Err(GitError::Oversized { .. })), "{name}: {found:?}");
    }
}
