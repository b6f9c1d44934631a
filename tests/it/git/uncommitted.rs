//! Edits that are not committed.

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

use marketsync::domain::candidate::Filter;

use super::{discover, everything, path};
use crate::support::repo::Repo;

/// Long enough for a slow machine.
const BUDGET: Duration = Duration::from_secs(30);

fn ask(repo: &Repo, filter: &Filter) -> Option<String> {
    let (checkout, _) = discover(&repo.path());
    checkout.uncommitted(filter, BUDGET).unwrap().map(|path| path.to_string())
}

/// A repository whose index is certain of its files: they were written long
/// before it.
fn settled() -> Repo {
    let repo = Repo::new();
    for name in ["s/a.json", "s/b.json", "s/readme.md", "other.json"] {
        repo.write(name, name);
        set_time(&repo, name, 1_700_000_000);
    }
    repo.symlink("s/l.json", "a.json").commit("one");
    repo
}

fn set_time(repo: &Repo, name: &str, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options().write(true).open(repo.path().join(name)).unwrap().set_modified(time).unwrap();
}

#[test]
fn what_is_committed_is_not_named() {
    let repo = settled();
    let filter = everything("s");
    assert_eq!(ask(&repo, &filter), None);
    // No candidates below the source, or not known to git.
    repo.write("s/readme.md", "edited")
        .write("other.json", "edited")
        .write("s/new.json", "untracked");
    assert_eq!(ask(&repo, &filter), None);
    // Only the time differs.
    set_time(&repo, "s/a.json", 1_800_000_000);
    assert_eq!(ask(&repo, &filter), None);
    // Only the ends of lines differ, as `core.autocrlf` makes them.
    repo.write("s/b.json", "x\ny\n").commit("lines");
    repo.git(&["config", "core.autocrlf", "true"]);
    repo.remove("s/b.json").git(&["checkout", "-q", "s/b.json"]);
    set_time(&repo, "s/b.json", 1_800_000_000);
    assert_eq!(fs::read(repo.path().join("s/b.json")).unwrap(), b"x\r\ny\r\n");
    assert_eq!(ask(&repo, &filter), None);
    let excluding = Filter::new(path("s"), None, &["a.json".to_owned()]).unwrap();
    repo.write("s/a.json", "edited");
    assert_eq!(ask(&repo, &excluding), None);
}

#[test]
fn each_kind_of_edit_is_named() {
    type Act = fn(&Repo);
    let acts: [(&str, Act); 9] = [
        ("longer", |repo| {
            repo.write("s/a.json", "much longer than before");
        }),
        ("of the same size", |repo| {
            repo.write("s/a.json", "S/A.JSON");
        }),
        ("removed", |repo| {
            repo.remove("s/a.json");
        }),
        ("turned into a link", |repo| {
            repo.symlink("s/a.json", "b.json");
        }),
        ("turned into a folder", |repo| {
            repo.write("s/a.json/x", "");
        }),
        ("turned into a FIFO", |repo| {
            repo.remove("s/a.json");
            let status = Command::new("mkfifo").arg(repo.path().join("s/a.json")).status();
            assert!(status.unwrap().success());
        }),
        ("staged", |repo| {
            repo.write("s/a.json", "staged");
            repo.git(&["add", "-A"]);
        }),
        ("staged and put back in the work tree", |repo| {
            repo.write("s/a.json", "staged");
            repo.git(&["add", "-A"]);
            repo.write("s/a.json", "s/a.json");
        }),
        ("removed from the index", |repo| {
            repo.git(&["rm", "-q", "--cached", "s/a.json"]);
        }),
    ];
    for (name, act) in acts {
        let repo = settled();
        act(&repo);
        assert_eq!(ask(&repo, &everything("s")).as_deref(), Some("s/a.json"), "{name}");
    }
    let repo = settled();
    repo.symlink("s/l.json", "b.json");
    assert_eq!(ask(&repo, &everything("s")).as_deref(), Some("s/l.json"));
    repo.symlink("s/l.json", "a.json").write("s/new.json", "");
    repo.git(&["add", "-A"]);
    assert_eq!(ask(&repo, &everything("s")).as_deref(), Some("s/new.json"));
}

#[test]
fn an_edit_right_after_the_index_was_written_is_seen() {
    // The edit keeps size and time: only the rule for files that are as young
    // as the index can tell.
    let repo = settled();
    let young = SystemTime::now() + Duration::from_mins(1);
    repo.write("s/a.json", "one");
    File::options()
        .write(true)
        .open(repo.path().join("s/a.json"))
        .unwrap()
        .set_modified(young)
        .unwrap();
    repo.commit("two");
    repo.write("s/a.json", "two");
    File::options()
        .write(true)
        .open(repo.path().join("s/a.json"))
        .unwrap()
        .set_modified(young)
        .unwrap();
    assert_eq!(ask(&repo, &everything("s")).as_deref(), Some("s/a.json"));
}

#[test]
fn a_folder_that_became_a_link_out_is_not_followed() {
    let repo = settled();
    fs::create_dir(repo.beside("else")).unwrap();
    for name in ["a.json", "b.json", "l.json"] {
        fs::write(repo.beside("else").join(name), format!("s/{name}")).unwrap();
    }
    repo.remove("s").symlink("s", "../else");
    let (checkout, _) = discover(&repo.path());
    let found = checkout.uncommitted(&everything("s"), BUDGET);
    assert!(found.is_err() || found.unwrap().is_some());
}

#[test]
fn without_work_tree_time_or_commit_there_is_an_answer() {
    let repo = settled();
    repo.git(&["clone", "-q", "--bare", ".", "../bare.git"]);
    let (bare, _) = discover(&repo.beside("bare.git"));
    assert_eq!(bare.uncommitted(&everything("s"), BUDGET).unwrap(), None);
    repo.write("s/a.json", "edited");
    let (checkout, _) = discover(&repo.path());
    assert_eq!(checkout.uncommitted(&everything("s"), Duration::ZERO).unwrap(), None);

    let repo = Repo::new();
    assert_eq!(ask(&repo, &everything("")), None);
    repo.write("a.json", "");
    repo.git(&["add", "-A"]);
    assert_eq!(ask(&repo, &everything("")).as_deref(), Some("a.json"));

    // A sparse checkout leaves files out on purpose.
    let repo = settled();
    repo.write("t/c.json", "").commit("two");
    repo.git(&["sparse-checkout", "set", "--cone", "--no-sparse-index", "t"]);
    assert!(!repo.path().join("s/a.json").exists());
    assert_eq!(ask(&repo, &everything("s")), None);
}
