//! What is written, what is left alone, and what never leaves the folder.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use super::{export, names, outer, tree};
use crate::support::cli::Bench;
use crate::support::documents::{plugin, set, sidecar, with_image};
use crate::support::market::{COMPANY, PNG, key};

const ALPHA: &str = "sidecar/alpha/versions/NA.json";

/// Two sidecars, one with a picture.
fn two() -> Bench {
    let bench = Bench::new();
    bench.repo.write("logo.png", PNG);
    bench.commit(&[with_image(sidecar("alpha"), "../../logo.png"), sidecar("beta")]);
    bench.apply(&[]).exits(0);
    bench
}

#[test]
fn what_is_there_is_left_alone_unless_it_may_be_replaced() {
    let (bench, outer) = (two(), outer());
    let dir = outer.path().join("deep/catalogue");
    let first = export(&bench, &dir, &[]).exits(0);
    first.line("Exporting");
    let rows: Vec<&str> = first.stdout.lines().collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
      ITEM ID  VERSION  FILE                            STATUS

      alpha    NA       sidecar/alpha/versions/NA.json  Written
      beta     NA       sidecar/beta/versions/NA.json   Written

    2 items: 2 written, 0 unchanged
    ");
    assert_eq!(
        names(&dir),
        ["sidecar/alpha/assets/image.png", ALPHA, "sidecar/beta/versions/NA.json"]
    );
    assert_eq!(fs::read(dir.join("sidecar/alpha/assets/image.png")).unwrap(), PNG);

    let inode = || fs::metadata(dir.join(ALPHA)).unwrap().ino();
    let before = inode();
    export(&bench, &dir, &[]).exits(0).prints("2 items: 0 written, 2 unchanged");
    assert_eq!(inode(), before, "not written again");

    let mine = "{\"mine\": true}";
    fs::write(dir.join(ALPHA), mine).unwrap();
    fs::write(dir.join("sidecar/alpha/notes.txt"), "mine").unwrap();
    let left = export(&bench, &dir, &[]).exits(1);
    left.prints("Left alone: sidecar/alpha/versions/NA.json is there and holds something else");
    left.prints("2 items: 0 written, 1 unchanged, 1 left alone");
    assert_eq!(fs::read_to_string(dir.join(ALPHA)).unwrap(), mine);
    export(&bench, &dir, &["--overwrite"]).exits(0).prints("1 written, 1 unchanged");
    assert_ne!(fs::read_to_string(dir.join(ALPHA)).unwrap(), mine);
    assert_eq!(fs::read_to_string(dir.join("sidecar/alpha/notes.txt")).unwrap(), "mine");
    assert!(names(&dir).iter().all(|name| !name.contains(".tmp")), "{:?}", names(&dir));
}

#[test]
fn versions_share_a_picture_and_none_replaces_that_of_another() {
    let (bench, outer) = (Bench::new(), outer());
    let other = [PNG, b"other"].concat();
    bench.repo.write("a.png", PNG).write("b.png", &other);
    bench.commit(&[
        with_image(plugin("p", "1.0.0"), "../../a.png"),
        with_image(plugin("p", "1.1.0"), "../../b.png"),
        with_image(plugin("p", "1.2.0"), "../../a.png"),
    ]);
    bench.apply(&[]).exits(0);
    export(&bench, outer.path(), &["--overwrite"]).exits(0);
    assert_eq!(bench.handle().calls(Route::Download), 2, "each once");
    let files = tree(outer.path());
    let picture = |version: &str| {
        let text = &files[&format!("plugin/p/versions/{version}.json")];
        let file: Value = serde_json::from_slice(text).unwrap();
        let path = file["image"]["localPath"].as_str().unwrap().to_owned();
        files[&path.replace("../", "plugin/p/")].clone()
    };
    assert_eq!(
        [picture("1.0.0"), picture("1.1.0"), picture("1.2.0")],
        [PNG.to_vec(), other, PNG.to_vec()]
    );
    assert_eq!(files.len(), 5);
    export(&bench, outer.path(), &[]).exits(0).prints("0 written, 3 unchanged");
}

#[test]
fn no_link_is_followed() {
    let (bench, outer) = (two(), outer());
    let (dir, elsewhere) = (outer.path().join("dir"), outer.path().join("elsewhere"));
    fs::create_dir_all(dir.join("sidecar/beta/versions")).unwrap();
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("file"), "mine").unwrap();
    symlink(&elsewhere, dir.join("sidecar/alpha")).unwrap();
    symlink(elsewhere.join("file"), dir.join("sidecar/beta/versions/NA.json")).unwrap();
    for args in [&["--format=json"][..], &["--format=json", "--overwrite"]] {
        let report = export(&bench, &dir, args).exits(1).json();
        let item = |index: usize| {
            let item = &report["items"][index];
            (item["status"].as_str().unwrap().to_owned(), item["why"].as_str().unwrap().to_owned())
        };
        assert_eq!(
            item(0),
            ("Left alone".to_owned(), "alpha on the way is no folder".to_owned()),
            "{report:#}"
        );
        assert_eq!(
            item(1),
            ("Left alone".to_owned(), "NA.json is there and is no file".to_owned())
        );
    }
    assert_eq!(tree(&elsewhere), [("file".to_owned(), b"mine".to_vec())].into());
    assert!(dir.join("sidecar/beta/versions/NA.json").is_symlink());

    // The folder itself may be one: that name the user gave.
    symlink(&elsewhere, outer.path().join("link")).unwrap();
    export(&bench, &outer.path().join("link"), &[]).exits(0);
    assert!(elsewhere.join(ALPHA).is_file());
}

#[test]
fn a_folder_that_cannot_be_written_ends_it_all() {
    let (bench, outer) = (two(), outer());
    fs::write(outer.path().join("file"), "").unwrap();
    let run = export(&bench, &outer.path().join("file/dir"), &["--format=json"]).exits(2);
    assert!(run.json()["error"]["message"].as_str().unwrap().contains("file/dir"), "{run}");
    // A full disk or a read-only one looks so to a program that runs as root.
    fs::create_dir_all(outer.path().join("dir/sidecar/alpha/versions")).unwrap();
    fs::write(outer.path().join("dir/sidecar/alpha/assets"), "").unwrap();
    let run = export(&bench, &outer.path().join("dir"), &["--format=json"]).exits(1);
    let report = run.json();
    assert_eq!(
        (&report["items"][0]["status"], &report["items"][1]["status"]),
        (&json!("Left alone"), &json!("Written")),
        "{report:#}"
    );
}

#[test]
fn what_cannot_be_had_is_told_and_the_others_are_written() {
    let (bench, outer) = (two(), outer());
    let mut gone = sidecar("gone");
    gone["imageUrl"] = json!("/v2/files/download/no-such.png");
    let mut elsewhere = sidecar("elsewhere");
    elsewhere["imageUrl"] = json!("https://example.com/a.png");
    let invalid = set(sidecar("invalid"), "/resources/dockerImage", 5);
    let robot = json!({ "itemId": "robot", "name": "R", "tenantId": COMPANY, "lifecycleStatus": "draft",
        "itemTypeDefinitionRef": { "namespace": "..", "name": "robot" }, "resources": {} });
    for item in [&gone, &elsewhere, &invalid, &robot] {
        bench.handle().put_raw(COMPANY, item).unwrap();
    }
    let report = export(&bench, outer.path(), &["--format=json"]).exits(1).json();
    let fate = |id: &str| {
        let items = report["items"].as_array().unwrap();
        let item = items.iter().find(|item| item["itemId"] == id).unwrap();
        let why = item["why"].as_str().unwrap_or_default();
        format!("{}: {why}", item["status"].as_str().unwrap())
    };
    assert_eq!(fate("alpha"), "Written: ");
    assert_eq!(fate("elsewhere"), "Written: ");
    assert!(fate("gone").contains("Failed: its imageUrl cannot be had: "), "{}", fate("gone"));
    assert!(fate("gone").contains("404"), "{}", fate("gone"));
    assert!(fate("invalid").starts_with("Invalid: "), "{}", fate("invalid"));
    assert!(fate("invalid").contains("/resources/dockerImage"), "{}", fate("invalid"));
    assert!(
        fate("robot").starts_with("Failed: its type ../robot makes no name of a folder"),
        "{}",
        fate("robot")
    );
    let files = tree(outer.path());
    assert!(!files.keys().any(|name| name.contains("gone") || name.contains("robot")), "{files:?}");
    let file: Value = serde_json::from_slice(&files["sidecar/elsewhere/versions/NA.json"]).unwrap();
    assert_eq!(file["imageUrl"], "https://example.com/a.png");
    assert!(files.contains_key("sidecar/invalid/versions/NA.json"), "what is there can be mended");
}

#[test]
fn a_picture_that_is_none_or_too_large_is_told() {
    let (bench, outer) = (two(), outer());
    for (fault, words) in [
        (
            FaultKind::Status {
                code: 200,
                body: Some("<html>".to_owned()),
                content_type: None,
                retry_after: None,
                processed: false,
            },
            "neither PNG nor JPEG",
        ),
        (
            FaultKind::Status {
                code: 200,
                body: Some("x".repeat(2 * 1024 * 1024 + 1)),
                content_type: None,
                retry_after: None,
                processed: false,
            },
            "more than 2097152 bytes",
        ),
        (FaultKind::status(403), "403"),
    ] {
        bench.handle().fail(Fault::once(Route::Download, fault));
        let run = export(&bench, outer.path(), &[]).exits(1);
        run.prints("alpha").prints(words).prints("1 failed");
        assert!(!outer.path().join(ALPHA).exists());
    }
    assert!(bench.handle().item(COMPANY, &key("alpha", "NA")).is_some());
    export(&bench, outer.path(), &[]).exits(0);
}
