//! Whom is believed over TLS, and to whom a password is sent.

use marketsync::edge::git::remote::{Access, Remote};
use marketsync::edge::secret::Secret;
use tempfile::TempDir;

use super::{SERVED, followed, moves, options, refused};
use crate::support::git_server::{Authority, Fault, GitServer, backend};
use crate::support::repo::Repo;

#[tokio::test]
async fn only_the_named_authority_is_believed() {
    if backend().is_none() {
        return;
    }
    let repo = Repo::new();
    repo.write("a.json", "1").commit("first");
    let (right, wrong) = (Authority::new(), Authority::new());
    let server = GitServer::https(&repo.beside(""), &right).await;
    let files = TempDir::new().unwrap();
    let ca = files.path().join("ca.pem");
    let mut options = options(&server.url(SERVED), &repo.beside("state"));
    options.access = Access {
        password: Some(Secret::Text("s3cret".into())),
        ca_file: None,
        ..Access::default()
    };
    // The system's roots do not have it.
    let error = refused(&Remote::open(options.clone()).unwrap()).await;
    assert!(error.to_string().contains("--git-ca-file"), "{error}");
    assert!(!error.is_transient());

    options.access.ca_file = Some(ca.clone());
    let remote = Remote::open(options).unwrap();
    wrong.write(&ca);
    let error = refused(&remote).await;
    assert!(error.to_string().contains("is not trusted"), "{error}");
    std::fs::write(&ca, "nothing").unwrap();
    let error = refused(&remote).await;
    assert!(error.to_string().contains("no certificate in PEM"), "{error}");
    // No request came through, so no password did.
    assert!(server.seen().is_empty());
    // The file is read anew: the right one is believed without a restart.
    right.write(&ca);
    moves(&remote).await;
    // And the wrong one not any more.
    wrong.write(&ca);
    refused(&remote).await;
}

#[tokio::test]
async fn two_remotes_do_not_share_a_password() {
    if backend().is_none() {
        return;
    }
    let repo = Repo::new();
    repo.write("a.json", "1").commit("first");
    let server = GitServer::http(&repo.beside("")).await;
    let open = |name: &str, password: Option<&str>| {
        let mut options = options(&server.url(SERVED), &repo.beside(name));
        options.access.password = password.map(|text| Secret::Text(text.into()));
        Remote::open(options).unwrap()
    };
    let remotes = [open("a", Some("aaaa")), open("b", None), open("c", Some("cccc"))];
    tokio::join!(moves(&remotes[0]), moves(&remotes[1]), moves(&remotes[2]));
    let mut seen: Vec<_> = server.seen().into_iter().map(|seen| seen.2).collect();
    seen.sort();
    seen.dedup();
    // git:aaaa and git:cccc
    let expected = [None, Some("Basic Z2l0OmFhYWE="), Some("Basic Z2l0OmNjY2M=")];
    assert_eq!(seen, expected.map(|text| text.map(str::to_owned)));
}

#[tokio::test]
async fn a_server_does_not_choose_the_credentials() {
    if backend().is_none() {
        return;
    }
    let (_repo, server, remote) = followed().await;
    let to = server.url(SERVED).replace("://", "://bob:builder@");
    let to = format!("{to}/info/refs?service=git-upload-pack");
    server.set(|settings| settings.refs = Fault::MovedOnce(to));
    moves(&remote).await;
    let seen = server.seen();
    assert!(seen.len() > 2, "{seen:?}");
    assert!(seen.iter().all(|(_, _, credential)| credential.is_none()), "{seen:?}");
}

#[tokio::test]
async fn what_a_server_repeats_of_a_password_is_not_shown() {
    if backend().is_none() {
        return;
    }
    let repo = Repo::new();
    repo.write("a.json", "1").commit("first");
    let server = GitServer::http(&repo.beside("")).await;
    let mut options = options(&server.url(SERVED), &repo.beside("state"));
    options.access.password = Some(Secret::Text("s3cret-t0ken".into()));
    let remote = Remote::open(options).unwrap();
    // git:s3cret-t0ken
    let echoed = "s3cret-t0ken Z2l0OnMzY3JldC10MGtlbg==";
    let packet = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let elsewhere = server.url("s3cret-t0ken/Z2l0OnMzY3JldC10MGtlbg==");
    for fault in [
        Fault::Instead(packet(&format!("ERR sorry {echoed}")).into_bytes()),
        Fault::Status(200, vec![("content-type", format!("text/plain; {echoed}"))]),
        Fault::Status(200, vec![("content-type", echoed.to_owned())]),
        Fault::Status(301, vec![("location", elsewhere)]),
    ] {
        server.set(|settings| settings.refs = fault);
        let error = format!("{:?}", refused(&remote).await);
        assert!(error.contains("***"), "{error}");
        assert!(!error.contains("s3cret") && !error.contains("Z2l0"), "{error}");
    }
    server.set(|settings| settings.refs = Fault::None);
    let begin = format!("0034shallow {}00000008NAK\n", repo.git(&["rev-parse", "HEAD"]));
    let body = format!("{begin}{}", packet(&format!("\x03sorry {echoed}")));
    server.set(|settings| (settings.old, settings.posts) = (true, Fault::Instead(body.into())));
    let error = refused(&remote).await.to_string();
    assert!(error.contains("sorry *** ***"), "{error}");
}

#[test]
fn a_password_does_not_travel_readably() {
    let dir = TempDir::new().unwrap();
    let open = |url: &str| {
        let mut options = options(url, dir.path());
        options.access.password = Some(Secret::Text("s3cret".into()));
        Remote::open(options).map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(open("http://git.example.com/x").unwrap_err().contains("https://"));
    assert_eq!(open("http://localhost:1/x"), Ok(()));
    assert_eq!(open("https://git.example.com/x"), Ok(()));
    assert_eq!(open("https://bob@git.example.com/x"), Ok(()));
}

#[test]
fn a_token_in_the_address_is_not_taken_for_a_name() {
    let dir = TempDir::new().unwrap();
    let options = options("https://s3cret@git.example.com/x", dir.path());
    let said = Remote::open(options).err().unwrap().to_string();
    assert!(said.contains("--git-password-file"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}
