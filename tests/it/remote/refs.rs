//! Branches and tags that come, go and move.

use marketsync::edge::git::remote::{Fetched, Remote, RemoteError, Wanted};

use super::{SERVED, fetch, followed, git, head, moves, options, refused};
use crate::support::git_server::{GitServer, backend};
use crate::support::repo::Repo;

#[tokio::test]
async fn a_force_push_is_followed_there_and_back() {
    if backend().is_none() {
        return;
    }
    let (repo, _server, remote) = followed().await;
    let second = repo.write("a.json", "2").commit("second");
    moves(&remote).await;
    repo.git(&["checkout", "-q", "--orphan", "new"]);
    let orphan = repo.write("z.json", "9").commit("from scratch");
    repo.git(&["branch", "-f", "main", "new"]);
    repo.git(&["checkout", "-q", "main"]);
    assert_eq!(moves(&remote).await, orphan);
    assert_eq!(git(&remote, &["show", "HEAD:z.json"]), "9");
    repo.git(&["reset", "-q", "--hard", &second]);
    assert_eq!(moves(&remote).await, second);
    assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);
}

#[tokio::test]
async fn a_deleted_branch_is_an_error_and_comes_back() {
    if backend().is_none() {
        return;
    }
    for old in [false, true] {
        let repo = Repo::new();
        let first = repo.write("a.json", "1").commit("first");
        repo.git(&["branch", "live"]);
        let server = GitServer::http(&repo.beside("")).await;
        server.set(|settings| settings.old = old);
        let mut options = options(&server.url(SERVED), &repo.beside("state"));
        options.wanted = Wanted::Branch("live".to_owned());
        let remote = Remote::open(options).unwrap();
        assert_eq!(moves(&remote).await, first);
        repo.git(&["branch", "-D", "live"]);
        // One that only begins alike is not it.
        repo.git(&["branch", "live-2"]);
        let error = refused(&remote).await;
        assert!(matches!(error, RemoteError::Missing { .. }), "{error:?}");
        assert!(error.to_string().contains("has no branch live;"), "{error}");
        assert_eq!(head(&remote), first);
        let second = repo.write("a.json", "2").commit("second");
        repo.git(&["branch", "live"]);
        assert_eq!(moves(&remote).await, second);
    }
}

#[tokio::test]
async fn a_renamed_default_branch_is_followed() {
    if backend().is_none() {
        return;
    }
    for old in [false, true] {
        let (repo, server, remote) = followed().await;
        server.set(|settings| settings.old = old);
        moves(&remote).await;
        repo.git(&["branch", "-m", "main", "trunk"]);
        assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);
        let second = repo.write("a.json", "2").commit("second");
        assert_eq!(moves(&remote).await, second);
        // HEAD is left behind at a name that is gone.
        repo.git(&["symbolic-ref", "HEAD", "refs/heads/gone"]);
        let error = refused(&remote).await;
        assert!(matches!(error, RemoteError::Missing { .. }), "{error:?}");
        assert!(error.to_string().contains("--branch"), "{error}");
        assert_eq!(head(&remote), second);
    }
}

#[tokio::test]
async fn an_empty_repository_is_waited_for() {
    if backend().is_none() {
        return;
    }
    for old in [false, true] {
        let repo = Repo::new();
        let server = GitServer::http(&repo.beside("")).await;
        server.set(|settings| settings.old = old);
        let remote = Remote::open(options(&server.url(SERVED), &repo.beside("state"))).unwrap();
        let error = refused(&remote).await;
        assert!(matches!(error, RemoteError::Missing { .. }), "{error:?}");
        assert!(error.to_string().contains("no commit yet"), "{error}");
        assert!(remote.current().is_none());
        let first = repo.write("a.json", "1").commit("first");
        assert_eq!(moves(&remote).await, first);
    }
}

#[tokio::test]
async fn a_repository_that_is_made_anew_is_followed() {
    if backend().is_none() {
        return;
    }
    for old in [false, true] {
        let (repo, server, remote) = followed().await;
        server.set(|settings| settings.old = old);
        let first = moves(&remote).await;
        repo.remove(".git");
        let error = refused(&remote).await;
        assert!(error.to_string().contains("no such repository"), "{error}");
        assert_eq!(head(&remote), first);
        repo.git(&["init", "-q", "-b", "other"]);
        let anew = repo.write("b.json", "2").commit("another history");
        assert_eq!(moves(&remote).await, anew);
        git(&remote, &["fsck", "--strict"]);
    }
}

#[tokio::test]
async fn a_revision_is_a_tag_that_moves_a_branch_or_a_commit() {
    if backend().is_none() {
        return;
    }
    for old in [false, true] {
        let repo = Repo::new();
        let first = repo.write("a.json", "1").commit("first");
        let second = repo.write("a.json", "2").commit("second");
        repo.git(&["tag", "-m", "annotated", "live", &first]);
        let server = GitServer::http(&repo.beside("")).await;
        server.set(|settings| settings.old = old);
        let follow = |revision: &str| {
            let dir = repo.beside(&format!("state-{}", revision.replace('/', "-")));
            let mut options = options(&server.url(SERVED), &dir);
            options.wanted = Wanted::Revision(revision.to_owned());
            Remote::open(options).unwrap()
        };
        let tag = follow("live");
        assert_eq!(moves(&tag).await, first);
        assert_eq!(fetch(&tag).await.unwrap(), Fetched::Unchanged);
        repo.git(&["tag", "-f", "-m", "annotated", "live", &second]);
        assert_eq!(moves(&tag).await, second);
        assert_eq!(moves(&follow("main")).await, second);
        assert_eq!(moves(&follow("refs/heads/main")).await, second);
        assert_eq!(moves(&follow(&second)).await, second);

        // A commit that no branch leads to at first hand.
        let inner = follow(&first);
        if old {
            let error = refused(&inner).await;
            assert!(error.to_string().contains("name a branch or a tag"), "{error}");
            repo.git(&["config", "uploadpack.allowReachableSHA1InWant", "true"]);
        }
        assert_eq!(moves(&inner).await, first);
        server.seen();
        // What an id names never changes, so nobody is asked.
        assert_eq!(fetch(&inner).await.unwrap(), Fetched::Unchanged);
        assert!(server.seen().is_empty());

        let error = refused(&follow("gone")).await;
        assert!(error.to_string().contains("no tag and no branch gone"), "{error}");
    }
}

#[test]
fn a_name_that_git_would_not_give_is_refused() {
    let dir = tempfile::TempDir::new().unwrap();
    for wanted in [Wanted::Branch("a..b".to_owned()), Wanted::Revision("x\n0000".to_owned())] {
        let mut options = options("https://h/x", dir.path());
        options.wanted = wanted;
        let error = Remote::open(options).err().unwrap();
        assert!(error.to_string().contains("no name that git gives"), "{error}");
    }
}
