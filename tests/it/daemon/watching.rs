//! Whatever moves HEAD of a checkout is followed, by events alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use marketsync::embedded::Route;

use super::{description, told};
use crate::support::cli::{Bench, until};
use crate::support::daemon::{Daemon, EVENTS, command};
use crate::support::documents::{path, pretty, sidecar};

#[test]
fn a_commit_sends_its_item_and_asks_for_nothing_else() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha"), sidecar("beta"), sidecar("gamma")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    for item in ["alpha NA", "beta NA", "gamma NA"] {
        daemon.says("Created", item, 1);
    }
    daemon.ready();
    bench.handle().clear_log();
    bench.commit(&[told("beta", "two")]);
    daemon.says("Updated", "beta NA", 1);
    // By the time that a later commit is done, everything of this one is.
    bench.commit(&[sidecar("delta")]);
    daemon.says("Created", "delta NA", 1);
    assert_eq!(daemon.said("Updated"), ["beta NA"], "{daemon}");
    assert_eq!(daemon.line("Updated")["changed"], r#"["/description"]"#);
    assert_eq!(daemon.said("Created").len(), 4, "{daemon}");
    let asked: Vec<Vec<String>> = bench
        .calls()
        .into_iter()
        .filter(|call| [Route::Apply, Route::Get].contains(&call.route))
        .map(|call| call.items)
        .collect();
    assert_eq!(asked, [["beta NA"], ["delta NA"], ["delta NA"]], "{daemon}");
    daemon.stop();
}

/// Waits until the marketplace has it so, and the daemon has said so.
#[track_caller]
fn comes(bench: &Bench, daemon: &Daemon, text: &str, updates: usize) {
    until(&format!("the marketplace has {text}"), || description(bench, "beta") == text);
    daemon.says("Updated", "beta NA", updates);
}

#[test]
fn every_way_to_move_head_is_followed() {
    let bench = Bench::new();
    let first = bench.commit(&[sidecar("alpha"), told("beta", "first")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "beta NA", 1);
    let git = |args: &[&str]| bench.repo.git(args);

    git(&["checkout", "-q", "-b", "other"]);
    bench.commit(&[told("beta", "other")]);
    comes(&bench, &daemon, "other", 1);
    git(&["checkout", "-q", "main"]);
    comes(&bench, &daemon, "first", 2);
    git(&["merge", "-q", "--no-ff", "-m", "merge", "other"]);
    comes(&bench, &daemon, "other", 3);
    git(&["reset", "-q", "--hard", &first]);
    comes(&bench, &daemon, "first", 4);

    // A rebase of a branch that has another file onto one that moved.
    bench.commit(&[sidecar("gamma")]);
    daemon.says("Created", "gamma NA", 1);
    git(&["rebase", "-q", "other"]);
    comes(&bench, &daemon, "other", 5);

    // Loose objects and refs become packs; what comes next is still seen.
    git(&["pack-refs", "--all"]);
    git(&["gc", "-q", "--prune=now"]);
    bench.commit(&[told("beta", "after gc")]);
    comes(&bench, &daemon, "after gc", 6);
    git(&["commit", "-q", "--amend", "-m", "amended"]);
    git(&["update-ref", "refs/heads/main", "HEAD~1"]);
    comes(&bench, &daemon, "other", 7);

    assert_eq!(daemon.said("Updated"), vec!["beta NA"; 7], "{daemon}");
    assert_eq!(daemon.said("Created").len(), 3, "{daemon}");
    assert_eq!(daemon.mentions(r#""level":"error"#), 0, "{daemon}");
    daemon.stop();
}

#[test]
fn a_worktree_and_a_bare_repository_are_followed() {
    for bare in [false, true] {
        let bench = Bench::new();
        bench.commit(&[told("beta", "first")]);
        let source = bench.repo.beside("source");
        let to = source.to_str().unwrap();
        if bare {
            bench.repo.git(&["clone", "-q", "--bare", ".", to]);
        } else {
            bench.repo.git(&["worktree", "add", "-q", "-b", "side", to]);
        }
        let daemon = Daemon::of(&bench, &source, EVENTS);
        daemon.says("Created", "beta NA", 1);
        for round in 0..3 {
            let text = format!("round {round}");
            bench.commit(&[told("beta", &text)]);
            if bare {
                bench.repo.git(&["push", "-q", to, "main"]);
            } else {
                bench.repo.git(&["-C", to, "reset", "-q", "--hard", "main"]);
            }
            comes(&bench, &daemon, &text, round + 1);
        }
        assert_eq!(daemon.said("Updated").len(), 3, "{daemon}");
        daemon.stop();
    }
}

/// Makes a link lead elsewhere, in one step.
fn flip(link: &Path, target: &Path) {
    let next = link.with_extension("tmp");
    symlink(target, &next).unwrap();
    fs::rename(next, link).unwrap();
}

/// What git-sync does: a worktree for each commit, a link that is renamed over
/// the one before, and then the old worktree goes.
#[test]
fn the_link_of_git_sync_is_followed() {
    let bench = Bench::new();
    let root = bench.repo.beside("git");
    fs::create_dir_all(root.join(".worktrees")).unwrap();
    let publish = |before: Option<&str>, text: &str| {
        let commit = bench.commit(&[told("beta", text), sidecar("alpha")]);
        let tree = root.join(".worktrees").join(&commit);
        bench.repo.git(&["worktree", "add", "-q", "--detach", tree.to_str().unwrap(), &commit]);
        flip(&root.join("current"), &Path::new(".worktrees").join(&commit));
        if let Some(before) = before {
            let old = root.join(".worktrees").join(before);
            fs::remove_dir_all(&old).unwrap();
            bench.repo.git(&["worktree", "prune"]);
        }
        commit
    };
    let mut last = publish(None, "first");
    let daemon = Daemon::of(&bench, root.join("current"), &[EVENTS, &["--prune"]].concat());
    daemon.says("Created", "beta NA", 1);
    for round in 0..20 {
        last = publish(Some(&last), &format!("round {round}"));
    }
    until("the last flip is seen", || description(&bench, "beta") == "round 19");
    daemon.settles(&last);
    for word in ["Deleted", "Held", "Drifted", "Invalid", "Forgotten"] {
        assert_eq!(daemon.lines(word).len(), 0, "{word}: {daemon}");
    }
    assert_eq!(daemon.mentions("removed"), 0, "{daemon}");
    assert_eq!((daemon.said("Created").len(), bench.names().len()), (2, 2), "{daemon}");
    // And it goes on, quietly.
    let before = daemon.said("Updated").len();
    publish(Some(&last), "the end");
    until("it goes on", || description(&bench, "beta") == "the end");
    daemon.says("Updated", "beta NA", before + 1);
    daemon.stop();
}

#[test]
fn a_repository_without_commit_waits_for_the_first() {
    let bench = Bench::new();
    let daemon = Daemon::follow(&bench, EVENTS);
    bench.commit(&[sidecar("alpha")]);
    daemon.says("Created", "alpha NA", 1);
    daemon.ready();
    bench.commit(&[told("alpha", "two")]);
    daemon.says("Updated", "alpha NA", 1);
    daemon.stop();
}

#[test]
fn a_checkout_that_lost_its_repository_is_no_folder() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha"), sidecar("beta")]);
    let args = ["--poll-every=100ms", "--drift=off", "--prune", "--allow-deletes=100"];
    let daemon = Daemon::follow(&bench, &args);
    daemon.says("Created", "beta NA", 1);
    let (git, away) = (bench.repo.path().join(".git"), bench.repo.beside("git-away"));
    fs::rename(&git, &away).unwrap();
    // What lies there now must not be read as what is wanted.
    bench.repo.remove("items/alpha").write(&path(&sidecar("gamma")), pretty(&sidecar("gamma")));
    daemon.passes(r#"result="error""#, 2);
    assert_eq!(bench.names(), ["alpha NA", "beta NA"], "{daemon}");
    assert_eq!(daemon.lines("Deleted").len() + daemon.lines("Held").len(), 0, "{daemon}");
    fs::rename(&away, &git).unwrap();
    bench.repo.git(&["reset", "-q", "--hard"]);
    bench.repo.remove("items/gamma");
    bench.commit(&[told("beta", "back")]);
    daemon.says("Updated", "beta NA", 1);
    assert_eq!(bench.names(), ["alpha NA", "beta NA"], "{daemon}");
    daemon.stop();
}

/// A user namespace in which no inotify instance can be had.
#[test]
fn without_events_the_poll_suffices() {
    let without = |script: &str| {
        let mut command = Command::new("unshare");
        let zero = "echo 0 > /proc/sys/user/max_inotify_instances";
        command.args(["-Ur", "sh", "-c", &format!("{zero} && {script}"), "sh"]);
        command
    };
    if !without("true").output().is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: user namespaces are not to be had here");
        return;
    }
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let plain = command(&bench, bench.repo.path(), &["--poll-every=200ms", "--drift=off"]);
    let mut confined = without(r#"exec "$@""#);
    confined.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        confined.env(name, value.unwrap_or_default());
    }
    let daemon = Daemon::start(confined);
    daemon.says("Created", "alpha NA", 1);
    for (round, text) in ["two", "three"].into_iter().enumerate() {
        bench.commit(&[told("alpha", text)]);
        daemon.says("Updated", "alpha NA", round + 1);
    }
    assert_eq!(description(&bench, "alpha"), "three");
    assert_eq!(daemon.metric("marketsync_watch_events_total"), 0, "{daemon}");
    daemon.stop();
}
