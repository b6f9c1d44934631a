//! Plain directories, and volumes as Kubernetes mounts them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use marketsync::domain::seen::Seen;
use marketsync::edge::source::Source;
use tempfile::TempDir;

use super::{is_unnoticed, options, watch, woken, woken_until};

fn write(root: &Path, path: &str, text: &str) {
    let at = root.join(path);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    fs::write(at, text).unwrap();
}

/// Saves as editors do: another file takes the place of the first.
fn save(root: &Path, path: &str, text: &str) {
    let next = root.join("next~");
    fs::write(&next, text).unwrap();
    fs::rename(next, root.join(path)).unwrap();
}

/// Publishes a volume as the kubelet does: the files into a new folder, a link
/// to it by the name `..data_tmp`, renamed to `..data`, the last folder away.
fn publish(root: &Path, last: &str, next: &str) {
    write(root, &format!("{next}/a.json"), next);
    symlink(next, root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    if !last.is_empty() {
        fs::remove_dir_all(root.join(last)).unwrap();
    }
}

#[tokio::test]
async fn each_swap_of_a_config_map_wakes() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    let mut last = "..2026_0".to_owned();
    publish(root, "", &last);
    symlink("..data/a.json", root.join("a.json")).unwrap();
    let mut watch = watch(root);
    for round in 1..=20 {
        let next = format!("..2026_{round}");
        publish(root, &last, &next);
        let shows = || fs::read_to_string(root.join("a.json")).unwrap() == next;
        woken_until(&mut watch, &format!("swap {round}"), shows).await;
        last = next;
    }
}

#[tokio::test]
async fn every_way_to_write_wakes() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    write(root, "deep/a.json", "0");
    let other = TempDir::new().unwrap();
    write(other.path(), "in/c.json", "0");
    let mut watch = watch(root);
    let acts: [(&str, &dyn Fn()); 9] = [
        ("in place", &|| write(root, "deep/a.json", "1")),
        ("atomic", &|| save(root, "deep/a.json", "2")),
        ("atomic again", &|| save(root, "deep/a.json", "3")),
        ("new folders", &|| write(root, "new/and/nested/b.json", "0")),
        ("in the new folder", &|| write(root, "new/and/nested/b.json", "1")),
        ("folder renamed", &|| fs::rename(root.join("new"), root.join("old")).unwrap()),
        ("in the renamed folder", &|| save(root, "old/and/nested/b.json", "2")),
        ("moved in", &|| fs::rename(other.path().join("in"), root.join("in")).unwrap()),
        ("in what was moved in", &|| save(root, "in/c.json", "1")),
    ];
    for (what, act) in acts {
        act();
        woken(&mut watch, what).await;
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_another_is_watched() {
    let dir = TempDir::new().unwrap();
    let root = dir.path();
    write(root, "items/below/a.json", "0");
    let mut watch = watch(root);
    for round in 0..5 {
        // File systems give the new folder the number of the old.
        fs::remove_dir_all(root.join("items")).unwrap();
        write(root, "items/below/a.json", "1");
        woken(&mut watch, &format!("replaced {round}")).await;
        save(root, "items/below/a.json", "2");
        woken(&mut watch, &format!("saved {round}")).await;
    }
}

#[tokio::test]
async fn a_directory_that_is_made_anew_is_watched() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("source");
    write(&root, "a.json", "0");
    let mut watch = watch(&root);
    for round in 0..3 {
        fs::remove_dir_all(&root).unwrap();
        woken_until(&mut watch, &format!("removed {round}"), || !root.exists()).await;
        write(&root, "below/a.json", "1");
        woken_until(&mut watch, &format!("made {round}"), || root.join("below/a.json").exists())
            .await;
        save(&root, "below/a.json", "2");
        woken(&mut watch, &format!("saved {round}")).await;
    }
}

#[tokio::test]
async fn what_lies_outside_and_what_is_only_read_does_not_wake() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().join("source");
    let outside = dir.path().join("outside");
    write(&outside, "a.json", "0");
    for file in 0..100 {
        write(&root, &format!("d{}/i{file}.json", file % 10), "{}");
    }
    symlink(&outside, root.join("link")).unwrap();
    let mut watch = watch(&root);
    let act = || {
        drop(
            fs::File::create_new(root.join("new")).and_then(|_| fs::remove_file(root.join("new"))),
        );
    };
    is_unnoticed(&mut watch, act, || {
        write(&outside, "a.json", "1");
        let source = Source::open(&options(&root)).unwrap();
        let reading = source.read(&source.head().unwrap(), &Seen::default()).unwrap();
        assert_eq!(reading.changes.present.len(), 100);
        reading.tree.still_holds().unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_moves_before_the_wait_wakes_and_a_wait_may_be_given_up() {
    let dir = TempDir::new().unwrap();
    let mut watch = watch(dir.path());
    write(dir.path(), "a.json", "0");
    tokio::select! {
        biased;
        () = watch.moved() => {}
        () = std::future::ready(()) => {}
    }
    woken(&mut watch, "after a wait that was given up").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_stops_writing_is_not_waited_for() {
    let dir = TempDir::new().unwrap();
    let mut watch = watch(dir.path());
    let stop = AtomicBool::new(false);
    let root = dir.path();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                save(root, "a.json", "{}");
            }
        });
        let woke = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current()
                .block_on(tokio::time::timeout(super::PATIENCE, watch.moved()))
        });
        stop.store(true, Ordering::Relaxed);
        assert!(woke.is_ok(), "it waited for quiet");
    });
    watch.follow();
}
