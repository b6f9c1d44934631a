//! A folder that is no checkout: files as they lie, and a volume of
//! Kubernetes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use marketsync::embedded::Route;

use super::{description, told};
use crate::support::cli::{Bench, until};
use crate::support::daemon::{Daemon, EVENTS};
use crate::support::documents::{pretty, sidecar};

/// Writes one item beside the checkout, where no repository is.
fn put(folder: &Path, item_id: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    let next = folder.join(format!(".{item_id}.next"));
    fs::write(&next, pretty(&told(item_id, text))).unwrap();
    fs::rename(next, folder.join(format!("{item_id}.json"))).unwrap();
}

#[test]
fn files_are_followed_as_they_are_written() {
    let bench = Bench::new();
    let folder = bench.repo.beside("plain");
    put(&folder, "alpha", "one");
    let daemon = Daemon::of(&bench, &folder, EVENTS);
    daemon.says("Created", "alpha NA", 1);
    put(&folder, "alpha", "two");
    daemon.says("Updated", "alpha NA", 1);
    put(&folder.join("a/new/folder"), "beta", "one");
    daemon.says("Created", "beta NA", 1);
    put(&folder.join("a/new/folder"), "beta", "two");
    daemon.says("Updated", "beta NA", 1);
    assert_eq!(
        (description(&bench, "alpha"), description(&bench, "beta")),
        ("two".into(), "two".into())
    );
    assert_eq!(daemon.said("Updated"), ["alpha NA", "beta NA"], "{daemon}");
    daemon.stop();
}

#[test]
fn a_volume_is_swapped_whole() {
    let bench = Bench::new();
    let volume = bench.repo.beside("volume");
    let publish = |round: usize| {
        let name = format!("..2026_{round}");
        for item in ["alpha", "beta"] {
            put(&volume.join(&name), item, &format!("round {round}"));
        }
        let before = fs::read_link(volume.join("..data")).ok();
        symlink(&name, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
        if let Some(before) = before {
            fs::remove_dir_all(volume.join(before)).unwrap();
        }
    };
    publish(0);
    for item in ["alpha", "beta"] {
        symlink(format!("..data/{item}.json"), volume.join(format!("{item}.json"))).unwrap();
    }
    let daemon = Daemon::of(&bench, &volume, &[EVENTS, &["--prune"]].concat());
    daemon.says("Created", "beta NA", 1);
    for round in 1..=5 {
        publish(round);
        let text = format!("round {round}");
        until(&text, || {
            description(&bench, "beta") == text && description(&bench, "alpha") == text
        });
        daemon.says("Updated", "beta NA", round);
    }
    for round in 6..=20 {
        publish(round);
    }
    until("the last swap is seen", || description(&bench, "beta") == "round 20");
    for call in bench.calls().iter().filter(|call| call.route == Route::Apply) {
        assert_eq!(call.items, ["alpha NA", "beta NA"], "half of a swap: {daemon}");
    }
    for word in ["Deleted", "Held", "Invalid", "Forgotten"] {
        assert_eq!(daemon.lines(word).len(), 0, "{word}: {daemon}");
    }
    daemon.stop();
}

#[test]
fn a_folder_that_is_away_is_not_empty() {
    let bench = Bench::new();
    let (folder, away) = (bench.repo.beside("plain"), bench.repo.beside("away"));
    put(&folder, "alpha", "one");
    put(&folder, "beta", "one");
    let args = ["--poll-every=100ms", "--drift=off", "--prune", "--allow-deletes=100"];
    let daemon = Daemon::of(&bench, &folder, &args);
    daemon.says("Created", "beta NA", 1);
    bench.handle().clear_log();
    fs::rename(&folder, &away).unwrap();
    daemon.passes(r#"result="error""#, 3);
    assert_eq!(daemon.lines("Deleted").len() + daemon.lines("Held").len(), 0, "{daemon}");
    assert_eq!(daemon.lines("Pass failed").len(), 1, "told once, not at each beat:\n{daemon}");
    bench.asked_nothing();
    assert!(daemon.status()["lastPass"]["error"].is_string(), "{}", daemon.status());
    assert_eq!((daemon.get("/healthz").0, daemon.get("/readyz").0), (200, 200));

    fs::rename(&away, &folder).unwrap();
    put(&folder, "beta", "two");
    daemon.says("Updated", "beta NA", 1);
    daemon.until("the trouble is over", |daemon| daemon.status()["lastPass"]["error"].is_null());
    daemon.until("it says so", |daemon| !daemon.lines("Recovered").is_empty());
    assert_eq!(bench.names(), ["alpha NA", "beta NA"]);
    daemon.stop();
}

/// An empty folder in its place, as a volume that is not mounted yet.
#[test]
fn a_folder_that_is_emptied_deletes_nothing() {
    let bench = Bench::new();
    let (folder, away) = (bench.repo.beside("plain"), bench.repo.beside("away"));
    put(&folder, "alpha", "one");
    let args = ["--poll-every=100ms", "--drift=off", "--prune", "--allow-deletes=100"];
    let daemon = Daemon::of(&bench, &folder, &args);
    daemon.says("Created", "alpha NA", 1);
    fs::rename(&folder, &away).unwrap();
    fs::create_dir(&folder).unwrap();
    daemon.says("Held", "alpha NA", 1);
    fs::remove_dir(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    put(&folder, "alpha", "two");
    daemon.says("Updated", "alpha NA", 1);
    assert_eq!(daemon.lines("Deleted").len(), 0, "{daemon}");
    assert_eq!(bench.names(), [format!("{} NA", sidecar("alpha")["itemId"].as_str().unwrap())]);
    daemon.stop();
}
