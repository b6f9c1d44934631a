//! Clones and fetches over HTTP, as long as nothing goes wrong.

use marketsync::domain::seen::Seen;
use marketsync::edge::git::remote::{Access, Fetched, Remote};
use marketsync::edge::secret::Secret;
use marketsync::edge::source::{Source, SourceOptions};
use tempfile::TempDir;

use super::{SERVED, fetch, followed, git, head, moves, options, refused};
use crate::support::git_server::{Authority, Fault, GitServer, backend};
use crate::support::repo::Repo;

#[tokio::test]
async fn a_clone_is_bare_shallow_and_readable_as_a_source() {
    if backend().is_none() {
        return;
    }
    let (repo, _server, remote) = followed().await;
    let second = repo.write("b.json", "2").commit("second");
    assert!(remote.current().is_none());
    assert_eq!(moves(&remote).await, second);
    assert_eq!(git(&remote, &["rev-list", "--count", "HEAD"]), "1");
    assert_eq!(git(&remote, &["rev-parse", "--is-bare-repository"]), "true");
    git(&remote, &["fsck", "--strict"]);
    let location = remote.current().unwrap().path();
    let source = Source::open(&SourceOptions { location, ..SourceOptions::default() }).unwrap();
    let reading = source.read(&source.head().unwrap(), &Seen::default()).unwrap();
    assert_eq!(reading.changes.present.len(), 2);
}

#[tokio::test]
async fn both_protocols_and_full_clones_bring_the_same() {
    if backend().is_none() {
        return;
    }
    for (old, deep) in [(false, false), (true, false), (false, true), (true, true)] {
        let (repo, server, remote) = followed().await;
        server.set(|settings| (settings.old, settings.deep) = (old, deep));
        repo.write("a.json", "2").commit("second");
        assert_eq!(moves(&remote).await, repo.git(&["rev-parse", "HEAD"]), "{old} {deep}");
        let count = git(&remote, &["rev-list", "--count", "HEAD"]);
        assert_eq!(count, if deep { "2" } else { "1" }, "{old} {deep}");
        assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);
        let third = repo.write("c.json", "3").commit("third");
        assert_eq!(moves(&remote).await, third, "{old} {deep}");
        assert_eq!(git(&remote, &["show", "HEAD:c.json"]), "3");
        git(&remote, &["fsck", "--strict"]);
        assert_eq!(
            server.seen().iter().filter(|seen| seen.0 == "POST").count(),
            if old { 2 } else { 5 }
        );
    }
}

#[tokio::test]
async fn a_fetch_brings_only_what_is_new() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote) = followed().await;
    // What cannot be compressed.
    let noise: Vec<u8> = std::iter::repeat_with(noise_byte).take(300_000).collect();
    repo.write("big", noise).commit("big");
    moves(&remote).await;
    assert!(server.sent() > 300_000);
    repo.write("small", "x").commit("small");
    moves(&remote).await;
    assert!(server.sent() < 10_000);
    fetch(&remote).await.unwrap();
    assert!(server.sent() < 2_000);
}

fn noise_byte() -> u8 {
    // A generator of our own, so that the test is the same each time.
    use std::cell::Cell;
    thread_local!(static STATE: Cell<u64> = const { Cell::new(0x9e37_79b9_7f4a_7c15) });
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        state.set(x);
        x.to_le_bytes()[3]
    })
}

#[tokio::test]
async fn a_restart_goes_on_with_the_clone() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote) = followed().await;
    moves(&remote).await;
    drop(remote);
    let options = options(&server.url(SERVED), &repo.beside("state"));
    let again = Remote::open(options.clone()).unwrap();
    assert_eq!(head(&again), repo.git(&["rev-parse", "HEAD"]));
    assert_eq!(fetch(&again).await.unwrap(), Fetched::Unchanged);
    drop(again);
    // The clone of another remote is not read.
    let mut other = options;
    other.url = server.url("other").parse().unwrap();
    assert!(Remote::open(other).unwrap().current().is_none());
}

#[tokio::test]
async fn a_password_is_read_anew_at_each_fetch() {
    if backend().is_none() {
        return;
    }
    let repo = Repo::new();
    repo.write("a.json", "1").commit("first");
    let authority = Authority::new();
    let server = GitServer::https(&repo.beside(""), &authority).await;
    let files = TempDir::new().unwrap();
    let (ca, password) = (files.path().join("ca.pem"), files.path().join("password"));
    authority.write(&ca);
    std::fs::write(&password, "first-pass\n").unwrap();
    server.set(|settings| settings.password = Some("bob:first-pass".to_owned()));
    let mut options = options(&server.url(SERVED), &repo.beside("state"));
    options.access = Access {
        username: Some("bob".to_owned()),
        password: Some(Secret::File(password.clone())),
        ca_file: Some(ca),
        ..Access::default()
    };
    let remote = Remote::open(options).unwrap();
    let first = moves(&remote).await;
    server.seen();

    // It expires: one try for each fetch.
    server.set(|settings| settings.password = Some("bob:second-pass".to_owned()));
    let error = refused(&remote).await;
    assert!(!error.is_transient());
    assert!(error.to_string().contains("(401)"), "{error}");
    assert!(!format!("{error:?}").contains("first-pass"));
    assert_eq!(server.seen().len(), 1);
    assert_eq!(head(&remote), first);

    std::fs::write(&password, "second-pass\n").unwrap();
    let second = repo.write("a.json", "2").commit("second");
    assert_eq!(moves(&remote).await, second);

    std::fs::remove_file(&password).unwrap();
    let error = refused(&remote).await;
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[tokio::test]
async fn a_redirection_is_followed_on_the_same_server_only() {
    if backend().is_none() {
        return;
    }
    let (repo, server, _) = followed().await;
    let other = GitServer::http(&repo.beside("")).await;
    let mut options = options(&server.url("moved"), &repo.beside("state2"));
    options.access.password = Some(Secret::Text("s3cret".into()));
    let remote = Remote::open(options).unwrap();
    let query = "?service=git-upload-pack";
    let to = |place: &str| {
        let location = format!("{place}/info/refs{query}");
        server.set(|settings| settings.refs = Fault::Status(301, vec![("location", location)]));
    };

    to(&other.url(SERVED));
    let error = refused(&remote).await;
    assert!(error.to_string().contains("is not followed"), "{error}");
    // Whole, so that it can be named: with its port.
    assert!(error.to_string().contains(&other.url(SERVED)), "{error}");
    assert_eq!(other.seen().len(), 0);

    // For ever to itself.
    to("/moved");
    let error = refused(&remote).await;
    assert!(error.to_string().contains("again and again"), "{error}");
    server.seen();

    // Once, as GitLab does: the server answers normally there.
    server.set(|settings| settings.refs = Fault::MovedOnce(format!("/{SERVED}/info/refs{query}")));
    moves(&remote).await;
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.1).collect();
    assert_eq!(paths[0], format!("/moved/info/refs{query}"));
    assert!(paths[1..].iter().all(|path| path.starts_with("/checkout/.git/")), "{paths:?}");
}
