//! Servers that misbehave. Each fetch ends, and the clone is as it was.

use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use marketsync::edge::git::remote::{Limits, Remote, RemoteError};
use tokio::sync::watch;

use super::{SERVED, followed, git, head, moves, options, refused};
use crate::support::git_server::{Fault, GitServer, backend};
use crate::support::repo::Repo;

/// A clone of a first commit; the second waits at a server with short limits.
async fn behind(limits: Limits) -> (Repo, GitServer, Remote, String) {
    let (repo, server, _) = followed().await;
    let mut options = options(&server.url(SERVED), &repo.beside("state"));
    options.limits = limits;
    let remote = Remote::open(options).unwrap();
    let first = moves(&remote).await;
    repo.write("a.json", "2").commit("second");
    (repo, server, remote, first)
}

fn impatient() -> Limits {
    Limits { idle: Duration::from_millis(300), ..Limits::default() }
}

async fn recovers(repo: &Repo, server: &GitServer, remote: &Remote) {
    server.set(|settings| (settings.refs, settings.posts) = (Fault::None, Fault::None));
    assert_eq!(moves(remote).await, repo.git(&["rev-parse", "HEAD"]));
    git(remote, &["fsck", "--strict"]);
    let packs = git(remote, &["count-objects", "-v"]);
    assert!(packs.contains("garbage: 0"), "{packs}");
}

#[tokio::test]
async fn a_server_that_is_busy_is_asked_later() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote, first) = behind(Limits::default()).await;
    let headers = vec![("retry-after", "7".to_owned())];
    server.set(|settings| settings.refs = Fault::Status(503, headers));
    let error = refused(&remote).await;
    assert!(error.is_transient());
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(error.to_string().contains("answers 503"), "{error}");
    server.set(|settings| settings.refs = Fault::None);
    server.set(|settings| settings.posts = Fault::Status(500, Vec::new()));
    assert!(refused(&remote).await.is_transient());
    assert_eq!(head(&remote), first);
    recovers(&repo, &server, &remote).await;
}

#[tokio::test]
async fn a_server_that_hangs_is_left() {
    if backend().is_none() {
        return;
    }
    for old in [false, true] {
        let (repo, server, remote, first) = behind(impatient()).await;
        server.set(|settings| settings.old = old);
        for (refs, posts) in [
            (Fault::Hang, Fault::None),
            (Fault::Stall(20), Fault::None),
            (Fault::None, Fault::Hang),
            (Fault::None, Fault::Stall(40)),
        ] {
            server.set(|settings| (settings.refs, settings.posts) = (refs, posts));
            let error = refused(&remote).await;
            assert!(error.to_string().contains("was silent for 0.3 s"), "{error}");
            assert!(error.is_transient());
        }
        assert_eq!(head(&remote), first);
        recovers(&repo, &server, &remote).await;
    }
}

#[tokio::test]
async fn a_server_that_drips_has_an_end() {
    if backend().is_none() {
        return;
    }
    let limits = Limits { whole: Duration::from_millis(800), ..Limits::default() };
    let (repo, server, remote, first) = behind(limits).await;
    server.set(|settings| settings.refs = Fault::Drip(Duration::from_millis(20)));
    let begun = Instant::now();
    let error = refused(&remote).await;
    assert!(error.to_string().contains("a fetch may take 0.8 s in all"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(head(&remote), first);
    recovers(&repo, &server, &remote).await;
}

#[tokio::test]
async fn an_endless_answer_has_an_end() {
    if backend().is_none() {
        return;
    }
    let limits = Limits { refs_bytes: 100_000, pack_bytes: 1_000_000, ..Limits::default() };
    let (repo, server, remote, first) = behind(limits).await;
    let capability = b"000bagent=x".to_vec();
    server.set(|settings| {
        settings.refs = Fault::Endless([b"000eversion 2\n".as_slice(), &capability].concat());
    });
    refused(&remote).await;
    let reference = format!("003a{} refs/heads/x\n", "1".repeat(40));
    server.set(|settings| settings.refs = Fault::Endless(reference.into_bytes()));
    let error = refused(&remote).await;
    assert!(error.to_string().contains("more than marketsync takes"), "{error}");
    assert!(!error.is_transient());
    // An old server's pack, from a first packet that says how much comes.
    server.set(|settings| (settings.old, settings.refs) = (true, Fault::None));
    let mut pack = b"0008NAK\n".to_vec();
    pack.extend_from_slice(b"fff0\x01");
    pack.resize(8 + 0xfff0, 0);
    server.set(|settings| settings.posts = Fault::Endless(pack));
    refused(&remote).await;
    assert_eq!(head(&remote), first);
    recovers(&repo, &server, &remote).await;
}

#[tokio::test]
async fn a_pack_of_nothing_has_an_end() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote, first) = behind(Limits::default()).await;
    server.set(|settings| settings.old = true);
    let tip = repo.git(&["rev-parse", "HEAD"]);
    let begin = format!("0034shallow {tip}00000008NAK\n").into_bytes();
    for begun in ["", "0009\x01PACK"] {
        for nothing in ["0005\x01", "0006\x02."] {
            let begin = [&begin, begun.as_bytes()].concat();
            let nothing = nothing.repeat(1000).into_bytes();
            server.set(|settings| settings.posts = Fault::EndlessAfter(begin, nothing));
            let error = refused(&remote).await;
            assert!(error.to_string().contains("with nothing in them"), "{error}");
            assert!(error.is_transient());
        }
    }
    assert_eq!(head(&remote), first);
    recovers(&repo, &server, &remote).await;
}

#[tokio::test]
async fn a_pack_beyond_its_bound_is_refused() {
    if backend().is_none() {
        return;
    }
    let limits = Limits { pack_bytes: 10_000, ..Limits::default() };
    let (repo, server, remote, first) = behind(limits).await;
    let noise: Vec<u8> =
        (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    repo.write("big", noise).commit("big");
    let error = refused(&remote).await;
    assert!(error.to_string().contains("more than marketsync takes"), "{error}");
    assert_eq!(head(&remote), first);
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    recovers(&repo, &server, &remote).await;
}

#[tokio::test]
async fn garbage_and_half_answers_change_nothing() {
    if backend().is_none() {
        return;
    }
    for old in [false, true] {
        let (repo, server, remote, first) = behind(Limits::default()).await;
        server.set(|settings| settings.old = old);
        let mut faults = vec![Fault::Break(30), Fault::Truncate(1), Fault::Truncate(60)];
        for bytes in
            ["", "x", "zzzz", "0003", "ffff", "0004", "<html>", "0009ERR x", "000eversion 2\n"]
        {
            faults.push(Fault::Instead(bytes.as_bytes().to_vec()));
        }
        for fault in faults {
            server.set(|settings| (settings.refs, settings.posts) = (fault.clone(), Fault::None));
            let error = refused(&remote).await;
            assert!(error.is_transient(), "{fault:?}: {error}");
            server.set(|settings| (settings.refs, settings.posts) = (Fault::None, fault.clone()));
            let error = refused(&remote).await;
            assert!(
                error.is_transient() || matches!(error, RemoteError::Missing { .. }),
                "{fault:?}: {error}"
            );
            assert_eq!(head(&remote), first);
        }
        recovers(&repo, &server, &remote).await;
    }
}

#[tokio::test]
async fn a_pack_that_is_cut_or_false_changes_nothing() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote, first) = behind(Limits::default()).await;
    // The pack of an old server comes in one answer.
    server.set(|settings| settings.old = true);
    let packet = |bytes: &[u8]| [format!("{:04x}\x01", bytes.len() + 5).as_bytes(), bytes].concat();
    let packs = [
        packet(b"PACK\0\0\0\x02\xff\xff\xff\xff"),
        packet(b"PACK\0\0\0\x02\0\0\0\x01"),
        packet(b"PACK\0\0\0\x02\0\0\0\0"),
        packet(b"PACK\0\0\0\x02\0\0\0\x01zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"),
        packet(b"LOVE\0\0\0\x02\0\0\0\x01"),
        b"0009\x03oops".to_vec(),
    ];
    let tip = repo.git(&["rev-parse", "HEAD"]);
    let shallow = format!("0034shallow {tip}0000");
    for pack in packs {
        let body = [shallow.as_bytes(), b"0008NAK\n", &pack, b"0000"].concat();
        server.set(|settings| settings.posts = Fault::Instead(body.clone()));
        let error = refused(&remote).await;
        let shown = String::from_utf8_lossy(&body);
        assert!(!matches!(error, RemoteError::Stopped), "{shown}: {error:?}");
        assert_eq!(head(&remote), first);
    }
    recovers(&repo, &server, &remote).await;
    assert!(git(&remote, &["log", "--format=%s"]).starts_with("second"));
}

#[tokio::test]
async fn only_commits_that_came_are_said_to_have_no_parents() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote, _) = behind(Limits::default()).await;
    server.set(|settings| settings.old = true);
    let shallow = remote.current().unwrap().path().join("shallow");
    let before = std::fs::read_to_string(&shallow).unwrap_or_default();
    let absent = format!("0034shallow {}", "1".repeat(40)).into_bytes();
    // A fetch that fails tells nothing.
    let nothing = b"00000008NAK\n0025\x01PACK\0\0\0\x02\0\0\0\0xxxxxxxxxxxxxxxxxxxx0000";
    let body = [&absent, nothing.as_slice()].concat();
    server.set(|settings| settings.posts = Fault::Instead(body));
    refused(&remote).await;
    assert_eq!(std::fs::read_to_string(&shallow).unwrap_or_default(), before);
    server.set(|settings| settings.posts = Fault::Before(absent));
    let second = moves(&remote).await;
    assert_eq!(second, repo.git(&["rev-parse", "HEAD"]));
    let after = std::fs::read_to_string(&shallow).unwrap();
    assert!(after.contains(&second), "{after}");
    assert!(!after.contains("1111111111"), "{after}");
}

/// An entry of a pack, compressed in name only (RFC 1950 and 1951): `begin` is
/// its type and size, and where a difference starts.
fn entry(begin: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in data {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let parts = [
        begin,
        &[0x78, 0x01, 0x01],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        data,
        &(b << 16 | a).to_be_bytes(),
    ];
    parts.concat()
}

#[tokio::test]
async fn a_small_difference_does_not_become_a_large_object() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote, first) = behind(Limits::default()).await;
    server.set(|settings| settings.old = true);
    let base = entry(&[0x3a], b"0123456789");
    // From 10 bytes to 1 GiB, as it says.
    let data = [10, 0x80, 0x80, 0x80, 0x80, 0x04, 1, b'x'];
    let difference = entry(&[0x68, u8::try_from(base.len()).unwrap()], &data);
    let mut pack = [b"PACK\0\0\0\x02\0\0\0\x02".as_slice(), &base, &difference].concat();
    let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, &pack);
    pack.extend_from_slice(sum.as_ref());
    let tip = repo.git(&["rev-parse", "HEAD"]);
    let begin = format!("0034shallow {tip}00000008NAK\n{:04x}\x01", pack.len() + 5);
    let body = [begin.as_bytes(), &pack, b"0000"].concat();
    server.set(|settings| settings.posts = Fault::Instead(body));
    let error = refused(&remote).await;
    assert!(error.to_string().contains("overly large object"), "{error}");
    assert_eq!(head(&remote), first);
    recovers(&repo, &server, &remote).await;
}

#[tokio::test]
async fn a_stop_ends_a_fetch_that_waits() {
    if backend().is_none() {
        return;
    }
    let (_repo, server, remote, first) = behind(Limits::default()).await;
    server.set(|settings| settings.refs = Fault::Hang);
    let (stop, stopped) = watch::channel(false);
    let fetching = remote.fetch(stopped);
    let stopping = async {
        while server.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        stop.send(true).unwrap();
    };
    let both = async { tokio::join!(fetching, stopping).0 };
    let result = tokio::time::timeout(Duration::from_secs(10), Box::pin(both)).await.unwrap();
    assert!(matches!(result, Err(RemoteError::Stopped)), "{result:?}");
    assert_eq!(head(&remote), first);
}

#[tokio::test]
async fn a_server_that_is_none_is_named_as_such() {
    if backend().is_none() {
        return;
    }
    let (_repo, server, _) = followed().await;
    let dir = tempfile::TempDir::new().unwrap();
    // A file of the repository, as a dumb server gives it out.
    server.set(|settings| {
        settings.refs = Fault::Status(200, vec![("content-type", "text/plain".to_owned())]);
    });
    let remote = Remote::open(options(&server.url(SERVED), dir.path())).unwrap();
    let error = refused(&remote).await;
    assert!(error.to_string().contains("smart protocol"), "{error}");
    assert!(!error.is_transient());
    drop(server);
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/x", closed.local_addr().unwrap());
    drop(closed);
    let remote = Remote::open(options(&url, dir.path())).unwrap();
    let error = refused(&remote).await;
    assert!(error.to_string().contains("refuses the connection"), "{error}");
    assert!(error.is_transient());
}
