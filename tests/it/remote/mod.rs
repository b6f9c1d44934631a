//! Remotes: real git servers at the other end of a real socket.

mod address;
mod served;
mod refs;
mod faults;
mod trust;
mod disk;
mod local;
mod ssh;
mod real;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use marketsync::edge::git::Checkout;
use marketsync::edge::git::remote::{
    Access, Fetched, Limits, Remote, RemoteError, RemoteOptions, Wanted,
};
use tokio::sync::watch;

use crate::support::git_server::GitServer;
use crate::support::repo::Repo;

/// The path of a repository's `.git` below the folder that a server serves.
const SERVED: &str = "checkout/.git";

fn options(url: &str, dir: &Path) -> RemoteOptions {
    RemoteOptions {
        url: url.parse().unwrap(),
        wanted: Wanted::Head,
        access: Access::default(),
        dir: dir.to_owned(),
        limits: Limits::default(),
    }
}

/// A repository with one commit, a server for it, and a remote that follows.
async fn followed() -> (Repo, GitServer, Remote) {
    let repo = Repo::new();
    repo.write("a.json", "1").commit("first");
    let server = GitServer::http(&repo.beside("")).await;
    let remote = Remote::open(options(&server.url(SERVED), &repo.beside("state"))).unwrap();
    (repo, server, remote)
}

async fn fetch(remote: &Remote) -> Result<Fetched, RemoteError> {
    let (_stop, stopped) = watch::channel(false);
    // No wait of a remote may outlast this, so that a test that hangs ends.
    tokio::time::timeout(Duration::from_mins(1), remote.fetch(stopped)).await.unwrap()
}

async fn moves(remote: &Remote) -> String {
    assert_eq!(fetch(remote).await.unwrap(), Fetched::Moved);
    head(remote)
}

async fn refused(remote: &Remote) -> RemoteError {
    fetch(remote).await.unwrap_err()
}

/// The commit that the rest of the program sees.
fn head(remote: &Remote) -> String {
    let (checkout, _) = Checkout::discover(&remote.current().unwrap().path()).unwrap().unwrap();
    checkout.head().unwrap().0
}

/// What git itself says about the clone.
fn git(remote: &Remote, args: &[&str]) -> String {
    let out = Command::new("git")
        .arg("--git-dir")
        .arg(remote.current().unwrap().path())
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}
