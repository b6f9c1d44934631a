//! How much is watched, and what is said of the rest.

use std::fs;

use marketsync::edge::watch::{Mode, Watch};
use tempfile::TempDir;

use super::{head, woken, woken_until};
use crate::support::repo::Repo;

/// A directory with so many folders, itself among them.
fn folders(count: usize) -> TempDir {
    let dir = TempDir::new().unwrap();
    for folder in 1..count {
        fs::create_dir(dir.path().join(folder.to_string())).unwrap();
    }
    dir
}

#[tokio::test]
async fn a_directory_may_take_a_quarter_of_the_watches() {
    let dir = folders(10);
    let watch = Watch::with_limit(dir.path(), 40);
    assert_eq!(watch.mode(), &Mode::Events);
    // One more, around the directory.
    assert_eq!(watch.folders(), 11);
    let dir = folders(11);
    let watch = Watch::with_limit(dir.path(), 40);
    let Mode::Polling { why } = watch.mode() else { panic!("{:?}", watch.mode()) };
    assert!(why.contains("more than 10 folders") && why.contains("max_user_watches"), "{why}");
    assert_eq!(watch.folders(), 1);
}

#[tokio::test]
async fn a_directory_that_grows_beyond_it_gives_its_watches_back() {
    let dir = folders(10);
    let mut watch = Watch::with_limit(dir.path(), 40);
    fs::create_dir(dir.path().join("one more")).unwrap();
    woken(&mut watch, "grown").await;
    assert!(matches!(watch.mode(), Mode::Polling { .. }), "{:?}", watch.mode());
    assert_eq!(watch.folders(), 1);
    // Another directory in its place is counted anew.
    fs::remove_dir_all(dir.path()).unwrap();
    woken_until(&mut watch, "removed", || !dir.path().exists()).await;
    fs::create_dir(dir.path()).unwrap();
    woken(&mut watch, "made anew").await;
    assert_eq!(watch.mode(), &Mode::Events);
}

#[tokio::test]
async fn branches_come_before_what_a_mirror_has_of_a_forge() {
    let repo = Repo::new();
    let commit = repo.commit("first");
    let mut refs = format!("create refs/heads/deep/down/one {commit}\n");
    for number in 0..30 {
        refs.extend(["create refs/changes/", &number.to_string(), "/head ", &commit, "\n"]);
    }
    repo.git_with(&["update-ref", "--stdin"], refs.as_bytes());
    repo.git(&["checkout", "-q", "deep/down/one"]);
    let mut watch = Watch::with_limit(&repo.path(), 40);
    let Mode::Partly { why } = watch.mode() else { panic!("{:?}", watch.mode()) };
    assert!(why.contains("more than 10 folders") && why.contains("pack-refs"), "{why}");
    let wanted = repo.commit("second");
    woken_until(&mut watch, "commit", || head(&repo.path()) == wanted).await;
}
