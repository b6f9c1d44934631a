//! A state that cannot be trusted or written: a clear error, the state left as
//! it is, and nothing sent that could not be recorded.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::cli::{Bench, Run, Running, complains};
use crate::support::daemon::{Daemon, EVENTS, command};
use crate::support::documents::sidecar;

/// A state with one item in it, left in good order.
fn kept() -> Bench {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "alpha NA", 1);
    daemon.stop();
    // Everything into the one file.
    let database = rusqlite::Connection::open(bench.state().join("state.db")).unwrap();
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    database.close().unwrap();
    bench.commit(&[sidecar("beta")]);
    bench
}

/// Runs it once more, to its end.
fn refused(bench: &Bench) -> Run {
    bench.handle().clear_log();
    Running::start(command(bench, bench.repo.path(), EVENTS)).end()
}

/// The same, in a shell that prepares its surroundings first.
fn surrounded(command: &Command, by: &[&str], script: &str) -> Command {
    let mut shell = Command::new(by[0]);
    shell.args(&by[1..]).args(["sh", "-c", &format!(r#"{script} && exec "$@""#), "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    shell
}

/// Whether a mount of one's own is to be had here.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn confined() -> bool {
    let mounts = ["-Urm", "mount", "-t", "tmpfs", "none", "/tmp"];
    let can = Command::new("unshare").args(mounts).output().is_ok_and(|out| out.status.success());
    if !can {
        eprintln!("skipped: user namespaces are not to be had here");
    }
    can
}

#[test]
fn a_state_of_a_newer_version_is_left_alone() {
    let bench = kept();
    let file = bench.state().join("state.db");
    let database = rusqlite::Connection::open(&file).unwrap();
    let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    database.execute_batch(&format!("PRAGMA user_version = {}", version + 1)).unwrap();
    database.close().unwrap();
    let before = fs::read(&file).unwrap();
    let run = refused(&bench).exits(2);
    complains(&run, &["later", "state.db"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    bench.asked_nothing();
}

#[test]
fn a_damaged_state_is_left_alone() {
    for damage in ["all of it", "the middle", "the end"] {
        let bench = kept();
        let file = bench.state().join("state.db");
        let mut bytes = fs::read(&file).unwrap();
        match damage {
            "all of it" => bytes = b"no database at all, although it is long enough".repeat(200),
            "the middle" => {
                let half = bytes.len() / 2;
                bytes[4096..half].fill(0xa5);
            }
            _ => bytes.truncate(bytes.len() / 2),
        }
        fs::write(&file, &bytes).unwrap();
        let run = refused(&bench).exits(2);
        complains(&run, &["state.db"]);
        assert_eq!(fs::read(&file).unwrap(), bytes, "{damage}: {run}");
        assert_eq!(bench.writes(), [], "{damage}: {run}");
    }
}

#[test]
fn a_state_that_cannot_be_written_sends_nothing() {
    let bench = kept();
    let state = bench.state();
    let names = bench.names();
    let mode = |mode: u32| fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    if fs::write(state.join("probe"), "").is_ok() {
        // Root writes everywhere but on what is mounted for reading.
        fs::remove_file(state.join("probe")).unwrap();
        mode(0o700);
        if !confined() {
            return;
        }
        bench.handle().clear_log();
        let plain = command(&bench, bench.repo.path(), EVENTS);
        let dir = state.to_str().unwrap();
        let script = format!("mount --bind '{dir}' '{dir}' && mount -o remount,ro,bind '{dir}'");
        let run = Running::start(surrounded(&plain, &["unshare", "-Urm"], &script)).end().exits(2);
        complains(&run, &[dir]);
    } else {
        let run = refused(&bench).exits(2);
        mode(0o700);
        complains(&run, &[state.to_str().unwrap()]);
    }
    assert_eq!((bench.writes(), bench.names()), (Vec::new(), names));
}

/// A disk that is full while it runs: what cannot be recorded is not sent, and
/// what was sent is found again.
#[test]
fn a_full_disk_sends_nothing_that_could_not_be_recorded() {
    if !confined() {
        return;
    }
    let bench = Bench::new();
    let items: Vec<_> = (0..40).map(|item| sidecar(&format!("i{item}"))).collect();
    bench.commit(&items);
    let state = bench.state();
    fs::create_dir(&state).unwrap();
    let plain = command(&bench, bench.repo.path(), EVENTS);
    let dir = state.to_str().unwrap();
    // Room for the lock and little more.
    let script = format!("mount -t tmpfs -o size=16k none '{dir}'");
    let run = Running::start(surrounded(&plain, &["unshare", "-Urm"], &script)).end().exits(2);
    complains(&run, &[dir]);
    assert_eq!((bench.writes(), bench.names().len()), (Vec::new(), 0), "{run}");
}

#[test]
fn a_state_of_another_company_is_refused() {
    let bench = kept();
    let mut other = command(&bench, bench.repo.path(), EVENTS);
    other.env("MARKETSYNC_COMPANY_ID", "other");
    // The flag wins over the variable: nothing changes.
    let daemon = Daemon::start(other);
    daemon.says("Created", "beta NA", 1);
    daemon.stop();
    bench.handle().clear_log();
    let mut other = crate::support::cli::program(bench.home.path());
    other
        .env("MARKETSYNC_CLIENT_SECRET", "secret")
        .args(["run", bench.repo.path().to_str().unwrap(), "--endpoint", &bench.market.url])
        .args(["--company-id=other", "--client-id=id", "--listen=127.0.0.1:0", "--state"])
        .arg(bench.state());
    let run = Running::start(other).end().exits(2);
    complains(&run, &["other", "acme"]);
    assert_eq!(bench.writes(), []);
}

#[test]
fn a_lost_state_adopts_what_is_there() {
    let bench = kept();
    fs::remove_dir_all(bench.state()).unwrap();
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "beta NA", 1);
    daemon.says("Adopted", "alpha NA", 1);
    assert_eq!(bench.sent(), ["beta NA"]);
    assert!(daemon.mentions("no record") == 1, "{daemon}");
    assert!(Path::new(&bench.state()).join("state.db").exists());
    daemon.stop();
}
