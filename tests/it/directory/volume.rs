//! Volumes as Kubernetes mounts them, while they are published anew.

use std::fs;
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use marketsync::domain::tree::Tree as _;
use marketsync::edge::directory::{Directory, DirectoryError};
use tempfile::TempDir;

use super::{contents, link, path, present, read, write};

const ITEMS: usize = 8;

/// Writes one generation of the volume into `folder`.
fn generation(root: &Path, folder: &str, text: &str) {
    for item in 0..ITEMS {
        write(root, &format!("{folder}/i{item}.json"), text);
    }
    write(root, &format!("{folder}/nested/n.json"), text);
}

/// Makes `name` lead to `target`, in one step.
fn swap(root: &Path, name: &str, target: &str) {
    let next = root.join(format!("{name}_tmp"));
    symlink(target, &next).unwrap();
    fs::rename(next, root.join(name)).unwrap();
}

fn mount(root: &Path) {
    generation(root, "..first", "first");
    swap(root, "..data", "..first");
    for item in 0..ITEMS {
        link(root, &format!("i{item}.json"), &format!("..data/i{item}.json"));
    }
    link(root, "nested", "..data/nested");
}

#[test]
fn a_volume_shows_its_files_and_folders() {
    let dir = TempDir::new().unwrap();
    mount(dir.path());
    write(dir.path(), "..first/.marketsyncignore", "i0.json\n");
    link(dir.path(), ".marketsyncignore", "..data/.marketsyncignore");
    let mut tree = read(dir.path(), "");
    assert_eq!(present(&tree).len(), ITEMS);
    assert!(!present(&tree).contains(&"i0.json") && present(&tree).contains(&"nested/n.json"));
    assert!(contents(&mut tree).unwrap().values().all(|bytes| bytes == b"first"));
    // The links stay as they are, what they lead to does not.
    generation(dir.path(), "..second", "second");
    let before = tree.commit().clone();
    swap(dir.path(), "..data", "..second");
    assert!(!tree.still_holds().unwrap());
    let mut now = read(dir.path(), "");
    assert_ne!(now.commit(), &before);
    assert!(contents(&mut now).unwrap().values().all(|bytes| bytes == b"second"));
    // A reading stays with what it saw first.
    assert!(contents(&mut tree).unwrap().values().all(|bytes| bytes == b"first"));
}

/// Runs `write` again and again beside `look` until that has succeeded `rounds`
/// times, and `write` has run `writes` times; returns how often each did.
fn race(
    writes: usize,
    rounds: usize,
    mut write: impl FnMut(usize) + Send,
    mut look: impl FnMut() -> bool,
) -> (usize, usize) {
    let stop = AtomicBool::new(false);
    let written = AtomicUsize::new(0);
    let mut good = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                write(written.fetch_add(1, Ordering::Relaxed));
            }
        });
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while good < rounds || written.load(Ordering::Relaxed) < writes {
                good += usize::from(look());
            }
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = looked {
            std::panic::resume_unwind(panic);
        }
    });
    (written.into_inner(), good)
}

/// Whether one reading was possible; fails if it mixes generations.
fn look(root: &Path) -> bool {
    let mut tree = match Directory::open(root).and_then(|directory| directory.read(&path(""), &[]))
    {
        Ok(tree) => tree,
        Err(DirectoryError::Changing { .. } | DirectoryError::Open { .. }) => return false,
        Err(error) => panic!("{error:?}"),
    };
    match contents(&mut tree) {
        Ok(contents) => {
            let mut texts: Vec<_> = contents.values().collect();
            texts.dedup();
            assert_eq!(
                (contents.len(), texts.len()),
                (ITEMS + 1, 1),
                "generations mixed: {contents:?}"
            );
            true
        }
        Err(DirectoryError::Changed { .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_reading_never_mixes_two_generations_of_a_volume() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    mount(root);
    generation(root, "..second", "second");
    let (swaps, good) = race(
        5_000,
        50,
        |round| swap(root, "..data", ["..second", "..first"][round % 2]),
        || look(root),
    );
    eprintln!("{swaps} swaps, {good} good readings");
}

#[test]
fn a_reading_never_mixes_generations_that_are_removed_behind_it() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    mount(root);
    let mut last = "..first".to_owned();
    let publish = |round: usize| {
        // As the kubelet does: write the next, swap, remove the last. Between
        // two of them some time passes, here that of other work.
        let next = format!("..g{round}");
        generation(root, &next, &next);
        swap(root, "..data", &next);
        fs::remove_dir_all(root.join(std::mem::replace(&mut last, next))).unwrap();
        for _ in 0..200 {
            thread::yield_now();
        }
    };
    let (published, good) = race(500, 0, publish, || look(root));
    eprintln!("{published} generations, {good} good readings");
}

#[test]
fn a_reading_never_mixes_two_targets_of_a_link_to_the_root() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    for name in ["one", "two"] {
        generation(root, name, name);
    }
    swap(root, "current", "one");
    let current = root.join("current");
    race(
        5_000,
        50,
        |round| swap(root, "current", if round % 2 == 0 { "two" } else { "one" }),
        || look(&current),
    );
}

#[test]
fn a_file_that_never_holds_still_is_named() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    // Enough of them that a reading takes longer than a write.
    for calm in 0..50 {
        write(root, &format!("calm{calm}.json"), "");
    }
    let busy = fs::File::create(root.join("busy.json")).unwrap();
    race(
        1,
        1,
        |round| busy.write_all_at(&round.to_be_bytes(), 0).unwrap(),
        || match Directory::open(root).unwrap().read(&path(""), &[]) {
            Ok(_) => false,
            Err(DirectoryError::Changing { path, .. }) => {
                assert!(path == "busy.json" || path == ".", "{path}");
                true
            }
            Err(error) => panic!("{error:?}"),
        },
    );
}
