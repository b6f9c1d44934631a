//! Plain directories, read while others may be writing.

mod volume;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use marketsync::domain::item::RepoPath;
use marketsync::domain::tree::{Target, Tree as _};
use marketsync::edge::directory::{Directory, DirectoryError, DirectoryTree};
use tempfile::TempDir;

use crate::support::repo::Repo;

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

fn write(root: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let at = root.join(name);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, bytes).unwrap();
}

fn link(root: &Path, name: &str, target: &str) {
    symlink(target, root.join(name)).unwrap();
}

fn read(root: &Path, source: &str) -> DirectoryTree {
    Directory::open(root).unwrap().read(&path(source), &[]).unwrap()
}

fn present(tree: &DirectoryTree) -> Vec<&str> {
    tree.changes().present.iter().map(|entry| entry.path.as_str()).collect()
}

fn target(tree: &mut DirectoryTree, at: &str) -> Target {
    tree.resolve(&path(at)).unwrap().target
}

/// What every candidate holds, links followed.
fn contents(tree: &mut DirectoryTree) -> Result<BTreeMap<String, Vec<u8>>, DirectoryError> {
    let mut found = BTreeMap::new();
    for entry in tree.changes().present.clone() {
        let resolved = tree.resolve(&entry.path)?;
        if let Target::File { blob, .. } = resolved.target {
            found.insert(entry.path.to_string(), tree.bytes(&resolved.path, blob)?);
        }
    }
    Ok(found)
}

#[test]
fn the_candidates_below_the_source_are_listed() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    for name in [
        "s/b.json",
        "s/x.json/in/a.yml",
        "s/c.yaml",
        "s/x.schema.json",
        "s/readme.md",
        "s/.h/a.json",
    ] {
        write(root, name, name);
    }
    write(root, "s/marketsync.yaml", "");
    write(root, "s/node_modules/p/package.json", "");
    write(root, "s/draft.json", "");
    write(root, "s/.marketsyncignore", "draft.*\n");
    write(root, "other.json", "");
    link(root, "s/link.json", "b.json");
    let bytes = std::ffi::OsStr::from_bytes;
    fs::write(root.join("s").join(bytes(b"caf\xe9.json")), "").unwrap();
    fs::create_dir(root.join("s").join(bytes(b"d\xff"))).unwrap();
    fs::write(root.join("s").join(bytes(b"d\xff")).join("a.json"), "").unwrap();
    let mut tree = read(root, "s");
    assert_eq!(present(&tree), ["s/b.json", "s/c.yaml", "s/link.json", "s/x.json/in/a.yml"]);
    assert_eq!(tree.changes().unreadable, ["s/caf\u{fffd}.json", "s/d\u{fffd}/a.json"]);
    assert_eq!(tree.changes().passed_over, [path("s/marketsync.yaml")]);
    assert!(tree.changes().complete);
    let contents = contents(&mut tree).unwrap();
    assert_eq!(contents["s/link.json"], b"s/b.json");
    assert_eq!(contents["s/x.json/in/a.yml"], b"s/x.json/in/a.yml");
    assert!(tree.still_holds().unwrap());
}

#[test]
fn the_id_follows_the_candidates_and_nothing_else() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    write(one.path(), "a.json", "1");
    write(two.path(), "..x/a.json", "1");
    link(two.path(), "..data", "..x");
    link(two.path(), "a.json", "..data/a.json");
    write(two.path(), "readme.md", "");
    let id = read(one.path(), "").commit().clone();
    assert_eq!(&id, read(two.path(), "").commit());
    assert!(id.0.len() == 44 && id.0.starts_with("dir-"), "{id}");
    write(two.path(), "..x/a.json", "2");
    assert_ne!(&id, read(two.path(), "").commit());
    write(one.path(), "b.json", "1");
    assert_ne!(&id, read(one.path(), "").commit());
}

#[test]
fn links_lead_where_they_may() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("root");
    write(dir.path(), "secret.json", "secret");
    write(&root, "s/a.json", "a");
    write(&root, "img/a.png", "png");
    link(&root, "s/up.png", "../img/a.png");
    link(&root, "s/out.json", "../../secret.json");
    link(&root, "s/passwd.json", "/etc/passwd");
    link(&root, "s/loop.json", "loop.json");
    link(&root, "s/dangling.json", "none.json");
    link(&root, "s/folder.json", "../img");
    link(&root, "s/way", "../..");
    let mut tree = read(&root, "s");
    assert!(matches!(target(&mut tree, "s/up.png"), Target::File { size: 3, .. }));
    let cases = [
        ("s/out.json", Target::Outside),
        ("s/passwd.json", Target::Outside),
        ("s/way/secret.json", Target::Outside),
        ("s/loop.json", Target::LinkLoop),
        ("s/dangling.json", Target::Missing),
        ("s/a.json/x", Target::Missing),
        ("s/folder.json", Target::Folder),
        ("img", Target::Folder),
    ];
    for (at, expected) in cases {
        assert_eq!(target(&mut tree, at), expected, "{at}");
    }
    assert_eq!(target(&mut tree, &format!("s/{}", "n".repeat(300))), Target::Missing);
    assert_eq!(target(&mut tree, "s/a\0b"), Target::Missing);
}

#[test]
fn special_and_huge_files_are_never_read() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    assert!(Command::new("mkfifo").arg(root.join("fifo.json")).status().unwrap().success());
    let _socket = UnixListener::bind(root.join("socket.json")).unwrap();
    link(root, "dev.json", "../../../../../../dev/zero");
    let huge = File::create(root.join("huge.json")).unwrap();
    huge.set_len(2 << 30).unwrap();
    let start = std::time::Instant::now();
    let mut tree = read(root, "");
    assert_eq!(present(&tree), ["dev.json", "fifo.json", "huge.json", "socket.json"]);
    assert_eq!(target(&mut tree, "fifo.json"), Target::Special);
    assert_eq!(target(&mut tree, "socket.json"), Target::Special);
    assert_eq!(target(&mut tree, "dev.json"), Target::Outside);
    let Target::File { blob, size } = target(&mut tree, "huge.json") else { panic!("a file") };
    assert_eq!(size, 2 << 30);
    assert!(matches!(tree.bytes(&path("huge.json"), blob), Err(DirectoryError::Changed { .. })));
    // Its bytes cannot be told apart without reading them; its time can.
    huge.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    assert!(!tree.still_holds().unwrap());
    assert!(start.elapsed() < Duration::from_secs(5), "2 GiB were read");
}

#[test]
fn what_changed_since_is_noticed() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    write(root, "s/a.json", "a");
    write(root, "img/a.png", "png");
    let mut tree = read(root, "s");
    let Target::File { blob, .. } = target(&mut tree, "s/a.json") else { panic!("a file") };
    let Target::File { .. } = target(&mut tree, "img/a.png") else { panic!("a file") };
    assert_eq!(target(&mut tree, "img/none.png"), Target::Missing);
    assert!(tree.still_holds().unwrap());

    write(root, "s/a.json", "b");
    let error = tree.bytes(&path("s/a.json"), blob).unwrap_err();
    assert!(matches!(error, DirectoryError::Changed { .. }), "{error:?}");
    assert!(!tree.still_holds().unwrap());
    write(root, "s/a.json", "a");
    assert!(tree.still_holds().unwrap());
    write(root, "img/none.png", "");
    assert!(!tree.still_holds().unwrap());
    fs::remove_file(root.join("img/none.png")).unwrap();
    write(root, "img/a.png", "gnp");
    assert!(!tree.still_holds().unwrap());
    write(root, "img/a.png", "png");
    write(root, "s/new.json", "");
    assert!(!tree.still_holds().unwrap());
    fs::remove_dir_all(root.join("s")).unwrap();
    assert!(!tree.still_holds().unwrap());
}

#[test]
fn what_was_just_written_is_given_time() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    write(root, "a.json", "a");
    write(root, "gone.json", "a");
    read(root, "");
    let since = |at: &Path| {
        let found = fs::symlink_metadata(at).unwrap();
        let at = Duration::new(
            found.ctime().try_into().unwrap(),
            found.ctime_nsec().try_into().unwrap(),
        );
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + at).unwrap()
    };
    let file = root.join("a.json");
    // A time that was set by whoever copied the file does not count.
    write(root, "a.json", "b");
    File::open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    read(root, "");
    assert!(since(&file) >= Duration::from_millis(200), "{:?}", since(&file));
    // Of what is gone the folder tells.
    fs::remove_file(root.join("gone.json")).unwrap();
    read(root, "");
    assert!(since(root) >= Duration::from_millis(200), "{:?}", since(root));
}

#[test]
fn a_missing_source_is_an_error_and_not_an_empty_catalogue() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), "a.json", "");
    let directory = Directory::open(dir.path()).unwrap();
    for source in ["none", "a.json", "a.json/b"] {
        let found = directory.read(&path(source), &[]).map(|_| ());
        assert!(matches!(found, Err(DirectoryError::NoSource { .. })), "{source}: {found:?}");
    }
    assert!(matches!(
        Directory::open(&dir.path().join("a.json")),
        Err(DirectoryError::Open { .. })
    ));
    let bad = directory.read(&path(""), &["{a".to_owned()]).map(|_| ());
    assert!(matches!(bad, Err(DirectoryError::Filter(_))), "{bad:?}");
    fs::remove_dir_all(dir.path()).unwrap();
    assert!(matches!(directory.read(&path(""), &[]), Err(DirectoryError::Open { .. })));
}

#[test]
fn folders_without_end_end() {
    let dir = TempDir::new().unwrap();
    write(dir.path(), &format!("{}a.json", "d/".repeat(130)), "");
    let found = Directory::open(dir.path()).unwrap().read(&path(""), &[]).map(|_| ());
    assert!(matches!(found, Err(DirectoryError::TooDeep { .. })), "{found:?}");
}

#[test]
fn a_work_tree_is_read_without_its_repository() {
    let repo = Repo::new();
    repo.write("s/a.json", "committed").write("img/a.png", "").commit("one");
    repo.write("s/a.json", "edited").write("s/new.json", "new");
    let mut tree = read(&repo.path(), "");
    assert_eq!(
        contents(&mut tree).unwrap().into_values().collect::<Vec<_>>(),
        [b"edited".to_vec(), b"new".to_vec()]
    );
    let mut tree = read(&repo.path(), "s");
    assert!(matches!(target(&mut tree, "img/a.png"), Target::File { .. }));
}

/// Its configuration may hold the token of whoever cloned it.
#[test]
fn no_link_leads_into_the_repository_of_a_work_tree() {
    let repo = Repo::new();
    repo.write("s/a.json", "1").commit("one");
    link(&repo.path(), "s/config.yaml", "../.git/config");
    link(&repo.path(), "s/git", "../.git");
    link(&repo.path(), "s/fetched.yaml", "./git/FETCH_HEAD");
    let mut tree = read(&repo.path(), "s");
    for at in ["s/config.yaml", "s/fetched.yaml", "s/git", ".git/config", ".GIT"] {
        assert_eq!(target(&mut tree, at), Target::Repository, "{at}");
    }
}
