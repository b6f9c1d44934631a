//! The clone on the disk: damaged, half made, too many packs, no room.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use marketsync::edge::git::remote::{Fetched, Remote, RemoteError};

use super::{SERVED, fetch, followed, git, head, moves, options, refused};
use crate::support::git_server::backend;
use crate::support::repo::Repo;

fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn packs(remote: &Remote) -> Vec<PathBuf> {
    let folder = remote.current().unwrap().path().join("objects/pack");
    folders(&folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "pack"))
        .collect()
}

/// Makes a file writable and puts these bytes there.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn what_a_crash_left_is_cleared_or_made_anew() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote) = followed().await;
    let first = moves(&remote).await;
    let folder = remote.current().unwrap().path();
    drop(remote);
    let state = repo.beside("state");
    // In the middle of a clone, of a fetch, and of a ref.
    fs::create_dir_all(state.join("making-0123456789abcdef/.git/objects")).unwrap();
    fs::create_dir_all(state.join("clone-0123456789abcdef/.git")).unwrap();
    fs::write(folder.join("objects/pack/pack_git2_x1"), "half").unwrap();
    fs::write(folder.join("refs/heads/marketsync.lock"), "").unwrap();
    // What others put there is theirs.
    fs::create_dir(state.join("clone-of-mine")).unwrap();
    let remote = Remote::open(options(&server.url(SERVED), &state)).unwrap();
    assert_eq!(head(&remote), first);
    assert_eq!(folders(&state).len(), 2);
    assert!(git(&remote, &["count-objects", "-v"]).contains("garbage: 0"));
    let second = repo.write("a.json", "2").commit("second");
    assert_eq!(moves(&remote).await, second);
}

#[tokio::test]
async fn a_damaged_clone_is_made_anew() {
    type Damage = fn(&Path, &Path);
    if backend().is_none() {
        return;
    }
    let damages: [(&str, Damage); 6] = [
        ("no pack", |_, pack| fs::remove_file(pack).unwrap()),
        ("empty pack", |_, pack| overwrite(pack, b"")),
        ("no head", |git, _| overwrite(&git.join("HEAD"), b"")),
        ("no branch", |git, _| fs::remove_file(git.join("refs/heads/marketsync")).unwrap()),
        ("other branch", |git, _| overwrite(&git.join("refs/heads/marketsync"), &[b'1'; 40])),
        ("no folder", |git, _| fs::remove_dir_all(git).unwrap()),
    ];
    for (what, damage) in damages {
        let (repo, server, remote) = followed().await;
        repo.write("sub/b.json", "2").commit("second");
        let second = moves(&remote).await;
        let options = options(&server.url(SERVED), &repo.beside("state"));
        // While it runs.
        damage(&remote.current().unwrap().path(), &packs(&remote)[0]);
        remote.distrust();
        fetch(&remote).await.unwrap();
        assert_eq!(head(&remote), second, "{what}");
        git(&remote, &["fsck", "--strict"]);
        assert_eq!(folders(&options.dir).len(), 1, "{what}");
        // Between two runs.
        let (folder, pack) = (remote.current().unwrap().path(), packs(&remote)[0].clone());
        drop(remote);
        damage(&folder, &pack);
        let remote = Remote::open(options.clone()).unwrap();
        if remote.current().is_some() {
            // Damage that does not keep the commit from being read.
            assert_eq!(what, "no head");
            remote.distrust();
        }
        fetch(&remote).await.unwrap();
        assert_eq!(head(&remote), second, "{what}");
        assert_eq!(folders(&options.dir).len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_start_does_not_read_all_of_the_clone() {
    if backend().is_none() {
        return;
    }
    let (repo, server, remote) = followed().await;
    moves(&remote).await;
    // A folder whose file is not there: who reads it says so.
    let clone = remote.current().unwrap().path();
    let entry = format!("100644 blob {}\ta.json\n", "1".repeat(40));
    let mktree = ["--git-dir", clone.to_str().unwrap(), "mktree", "--missing"];
    let tree = repo.git_with(&mktree, entry.as_bytes());
    let commit = git(&remote, &["-c", "user.name=a", "-c", "user.email=b", "commit-tree", &tree]);
    git(&remote, &["update-ref", "refs/heads/marketsync", &commit]);
    let remote = Remote::open(options(&server.url(SERVED), &repo.beside("state"))).unwrap();
    assert_eq!(head(&remote), commit);
    // Without its root folder it is no clone.
    fs::remove_file(clone.join("objects").join(&tree[..2]).join(&tree[2..])).unwrap();
    let remote = Remote::open(options(&server.url(SERVED), &repo.beside("state"))).unwrap();
    assert!(remote.current().is_none());
}

#[tokio::test]
async fn a_clone_is_for_its_owner_alone() {
    if backend().is_none() {
        return;
    }
    let (repo, server, _) = followed().await;
    let dir = repo.beside("state");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // As an earlier version made it.
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let remote = Remote::open(options(&server.url(SERVED), &dir)).unwrap();
    assert_eq!(mode(&dir), 0o700);
    moves(&remote).await;
    assert_eq!(mode(remote.current().unwrap().path().parent().unwrap()), 0o700);
    let new = dir.join("below/clones");
    Remote::open(options(&server.url(SERVED), &new)).unwrap();
    assert_eq!(mode(&new), 0o700);
}

#[tokio::test]
async fn a_clone_of_many_packs_is_made_anew_under_a_reader() {
    if backend().is_none() {
        return;
    }
    let (repo, _server, remote) = followed().await;
    moves(&remote).await;
    let old = remote.current().unwrap();
    let mut most = 0;
    for n in 0..55 {
        repo.write("a.json", format!("{n}")).commit("more");
        moves(&remote).await;
        most = most.max(packs(&remote).len());
    }
    assert_eq!(most, 51);
    assert!(packs(&remote).len() < 10);
    // The reader of the old one still can, until it lets go.
    let path = old.path();
    assert_ne!(path, remote.current().unwrap().path());
    assert!(path.join("HEAD").is_file());
    assert_eq!(folders(&repo.beside("state")).len(), 2);
    drop(old);
    assert_eq!(
        folders(&repo.beside("state")),
        [remote.current().unwrap().path().parent().unwrap()]
    );
}

#[tokio::test]
async fn a_state_inside_of_a_checkout_is_not_taken_for_it() {
    if backend().is_none() {
        return;
    }
    let (repo, server, _) = followed().await;
    let around = Repo::new();
    around.write("other.json", "1").commit("not this");
    let dir = around.path().join("state");
    let remote = Remote::open(options(&server.url(SERVED), &dir)).unwrap();
    assert_eq!(moves(&remote).await, repo.git(&["rev-parse", "HEAD"]));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    if backend().is_none() {
        return;
    }
    let (repo, server, _) = followed().await;
    fs::write(repo.beside("file"), "").unwrap();
    let error = Remote::open(options(&server.url(SERVED), &repo.beside("file"))).err().unwrap();
    assert!(matches!(error, RemoteError::Disk { .. }), "{error:?}");
}

/// A small disk of its own, if this user may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=600k", "tmpfs"])
            .arg(&at)
            .output();
        if mount.is_ok_and(|out| out.status.success()) {
            return Some(Self(at));
        }
        eprintln!("skipped: this user may not mount a tmpfs");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_leaves_the_clone() {
    if backend().is_none() {
        return;
    }
    let (repo, server, _) = followed().await;
    let Some(disk) = SmallDisk::mount(repo.beside("disk")) else {
        return;
    };
    let remote = Remote::open(options(&server.url(SERVED), &disk.0.join("clones"))).unwrap();
    let first = moves(&remote).await;
    let noise: Vec<u8> = (0..400_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).rotate_left(n % 31).to_be_bytes())
        .collect();
    repo.write("big", noise).commit("big");
    let error = refused(&remote).await;
    assert!(matches!(error, RemoteError::Disk { .. }), "{error:?}");
    assert!(error.to_string().contains("the disk is full"), "{error}: {error:?}");
    assert!(error.is_transient());
    assert_eq!(head(&remote), first);
    assert_eq!(git(&remote, &["show", "HEAD:a.json"]), "1");
    // Nothing of it stays, so that there is room again.
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(fetch(&remote).await.unwrap(), Fetched::Unchanged);
    let third = repo.write("c.json", "3").commit("third");
    assert_eq!(moves(&remote).await, third);
    drop(remote);
}
