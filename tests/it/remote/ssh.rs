//! SSH, with a real server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use marketsync::edge::git::remote::{Access, Fetched, Limits, Remote, RemoteError, RemoteOptions};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{fetch, git, head, moves, options, refused};
use crate::support::repo::Repo;
use crate::support::sshd::{Sshd, is_there, make_key};

struct World {
    repo: Repo,
    sshd: Sshd,
    files: TempDir,
}

impl World {
    fn new(extra: &str) -> Option<Self> {
        if !is_there() {
            return None;
        }
        let files = TempDir::new().unwrap();
        let repo = Repo::new();
        repo.write("a.json", "1").commit("first");
        Some(Self { sshd: Sshd::start(files.path(), extra), repo, files })
    }

    fn access(&self) -> Access {
        Access {
            ssh_key_file: Some(self.sshd.client_key()),
            known_hosts_file: Some(self.sshd.known_hosts("host")),
            ..Access::default()
        }
    }

    fn open(&self, access: Access) -> Result<Remote, RemoteError> {
        let mut options = options(&self.sshd.url(&self.repo.path()), &self.repo.beside("state"));
        options.access = access;
        Remote::open(options)
    }

    fn remote(&self, access: Access) -> Remote {
        self.open(access).unwrap()
    }

    /// Why it cannot work, before anybody is asked.
    fn unopened(&self, access: Access) -> RemoteError {
        self.open(access).err().unwrap()
    }
}

#[tokio::test]
async fn a_repository_is_followed_in_both_protocols() {
    for extra in ["", "AcceptEnv GIT_PROTOCOL"] {
        let Some(world) = World::new(extra) else {
            return;
        };
        let remote = world.remote(world.access());
        assert_eq!(moves(&remote).await, world.repo.git(&["rev-parse", "HEAD"]));
        assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);
        let second = world.repo.write("b.json", "2").commit("second");
        assert_eq!(moves(&remote).await, second);
        assert_eq!(git(&remote, &["rev-list", "--count", "HEAD"]), "1");
        git(&remote, &["fsck", "--strict"]);
    }
}

#[tokio::test]
async fn a_host_key_counts_only_if_the_file_has_it() {
    let Some(world) = World::new("") else {
        return;
    };
    make_key(&world.files.path().join("other"), "ed25519");
    make_key(&world.files.path().join("rsa"), "rsa");
    let access = world.access();
    let remote = world.remote(access.clone());
    let first = moves(&remote).await;

    world.sshd.known_hosts("other");
    let error = refused(&remote).await;
    assert!(error.to_string().contains("is not the one in the known hosts file"), "{error}");
    assert!(!error.is_transient());
    assert_eq!(head(&remote), first);

    let known = access.known_hosts_file.clone().unwrap();
    fs::write(&known, "elsewhere ssh-ed25519 AAAA\n# [127.0.0.1] x y\n").unwrap();
    let error = refused(&remote).await;
    assert!(error.to_string().contains("ssh-keyscan"), "{error}");

    world.sshd.known_hosts("rsa");
    let error = refused(&remote).await;
    assert!(error.to_string().contains("no Ed25519 or ECDSA key"), "{error}");

    // Hashed, as Debian writes it.
    world.sshd.known_hosts("host");
    let hash = std::process::Command::new("ssh-keygen").arg("-H").arg("-f").arg(&known).output();
    assert!(hash.unwrap().status.success());
    assert!(fs::read_to_string(&known).unwrap().starts_with("|1|"));
    assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);

    // Revoked.
    let plain = fs::read_to_string(world.sshd.known_hosts("host")).unwrap();
    fs::write(&known, format!("{plain}\n@revoked * {}", plain.split_once(' ').unwrap().1)).unwrap();
    refused(&remote).await;

    let error = world.unopened(Access { known_hosts_file: None, ..access });
    assert!(error.to_string().contains("--known-hosts-file"), "{error}");
}

#[tokio::test]
async fn a_key_is_read_anew_and_tried_once() {
    let Some(world) = World::new("") else {
        return;
    };
    let key = world.files.path().join("mine");
    let access = Access { ssh_key_file: Some(key.clone()), ..world.access() };
    let remote = world.remote(access);
    let error = refused(&remote).await;
    assert!(error.to_string().contains("cannot be read"), "{error}");
    make_key(&key, "ecdsa");
    let error = refused(&remote).await;
    assert!(error.to_string().contains("does not accept the key"), "{error}");
    assert!(!error.is_transient());
    fs::copy(world.sshd.client_key(), &key).unwrap();
    moves(&remote).await;
    fs::write(&key, "no key").unwrap();
    let error = refused(&remote).await;
    assert!(error.to_string().contains("ssh-keygen"), "{error}");
    let error = world.unopened(Access { ssh_key_file: None, ..world.access() });
    assert!(error.to_string().contains("--ssh-key-file"), "{error}");
}

#[tokio::test]
async fn a_path_is_one_word_and_its_error_is_said() {
    let Some(world) = World::new("") else {
        return;
    };
    let odd = world.repo.beside("o'dd $(touch pwned) `x`;!");
    fs::rename(world.repo.path(), &odd).unwrap();
    let mut options = options(&world.sshd.url(&odd).replace(' ', "%20"), &world.repo.beside("s"));
    options.access = world.access();
    moves(&Remote::open(options.clone()).unwrap()).await;
    options.url = world.sshd.url(&world.repo.beside("gone")).parse().unwrap();
    options.dir = world.repo.beside("s2");
    let error = refused(&Remote::open(options).unwrap()).await;
    assert!(error.to_string().contains("does not appear to be a git repository"), "{error}");
}

/// Options for a listener of our own that plays a server, with short limits.
/// It needs no sshd, but the keys.
fn to_listener(port: u16, dir: &Path) -> Option<RemoteOptions> {
    if !is_there() {
        return None;
    }
    make_key(&dir.join("key"), "ed25519");
    let public = fs::read_to_string(dir.join("key.pub")).unwrap();
    fs::write(dir.join("known"), format!("[127.0.0.1]:{port} {public}")).unwrap();
    let mut options = options(&format!("ssh://git@127.0.0.1:{port}/x"), &dir.join("state"));
    options.access.ssh_key_file = Some(dir.join("key"));
    options.access.known_hosts_file = Some(dir.join("known"));
    options.limits = Limits { idle: Duration::from_millis(300), ..Limits::default() };
    Some(options)
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left() {
    // The listener takes connections and is silent.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dir = TempDir::new().unwrap();
    let Some(options) = to_listener(listener.local_addr().unwrap().port(), dir.path()) else {
        return;
    };
    let error = refused(&Remote::open(options).unwrap()).await;
    assert!(error.to_string().contains("was silent"), "{error}");
    assert!(matches!(error, RemoteError::Unavailable { .. }));
}

#[tokio::test]
async fn a_connection_ends_with_its_fetch_also_in_the_key_exchange() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dir = TempDir::new().unwrap();
    let Some(options) = to_listener(listener.local_addr().unwrap().port(), dir.path()) else {
        return;
    };
    let remote = Remote::open(options).unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-x\r\n").await.unwrap();
        stream
    };
    let (error, mut stream) = tokio::join!(refused(&remote), server);
    assert!(error.to_string().contains("was silent"), "{error}");
    let mut said = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await;
    end.expect("the connection is left open").unwrap();
}
