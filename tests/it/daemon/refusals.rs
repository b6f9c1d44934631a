//! What it does not begin with, and says why before anybody is asked.

use std::fs;

use crate::support::cli::{Bench, Run, Running, complains, until};
use crate::support::daemon::{Daemon, EVENTS, command};
use crate::support::documents::sidecar;

/// Runs it to its end; nobody was asked for anything.
#[track_caller]
fn refused(bench: &Bench, args: &[&str], vars: &[(&str, &str)]) -> Run {
    bench.handle().clear_log();
    let mut command = command(bench, bench.repo.path(), args);
    command.envs(vars.iter().copied());
    let run = Running::start(command).end();
    assert_eq!(run.code, Some(2), "{run}");
    bench.asked_nothing();
    run
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench
}

#[test]
fn a_wrong_key_is_named_with_its_place_and_the_nearest() {
    let bench = bench();
    let file = bench.home.path().join("daemon.yaml");
    for (text, words) in [
        ("log_format: json\npol_every: 10s\n", ["daemon.yaml:2:1", "pol_every", "poll_every"]),
        ("drift: report\n  \nlisen: 127.0.0.1:0\n", ["daemon.yaml:3:1", "lisen", "listen"]),
        ("drift_every: soon\n", ["daemon.yaml:1:14", "drift_every", "90s"]),
        ("drift: repot\n", ["daemon.yaml:1:8", "repot", "report"]),
        ("prune: perhaps\n", ["daemon.yaml:1:8", "prune", "perhaps"]),
        ("drift_rate: -1\n", ["daemon.yaml:1:13", "drift_rate", "-1"]),
    ] {
        fs::write(&file, text).unwrap();
        let run = refused(&bench, &["--config", file.to_str().unwrap()], &[]);
        complains(&run, &words);
    }
    let run = refused(&bench, &["--config", "nowhere.yaml"], &[]);
    complains(&run, &["nowhere.yaml"]);
}

#[test]
fn a_wrong_variable_is_named_with_the_nearest() {
    let bench = bench();
    let run = refused(&bench, &[], &[("MARKETSYNC_POL_EVERY", "10s")]);
    complains(&run, &["MARKETSYNC_POL_EVERY", "MARKETSYNC_POLL_EVERY"]);
    let run = refused(&bench, &[], &[("MARKETSYNC_DRIFT_RATE", "fast")]);
    complains(&run, &["MARKETSYNC_DRIFT_RATE", "fast"]);
    // What Kubernetes sets for a Service of this name is nobody's mistake.
    let mut plain = command(&bench, bench.repo.path(), EVENTS);
    plain.env("MARKETSYNC_PORT", "tcp://10.0.0.1:80").env("MARKETSYNC_SERVICE_HOST", "10.0.0.1");
    let daemon = Daemon::start(plain);
    daemon.ready();
    daemon.stop();
}

#[test]
fn a_wrong_value_is_named() {
    let bench = bench();
    for (args, word) in [
        (["--poll-every", "0s"], "--poll-every"),
        (["--drift-every", "never"], "--drift-every"),
        (["--drift-rate", "0"], "--drift-rate"),
        (["--listen", "everywhere"], "--listen"),
        (["--fetch-every", "-1s"], "--fetch-every"),
    ] {
        // `--listen` of the helper may not stand twice; the variable says the same.
        let name = format!("MARKETSYNC_{}", args[0][2..].to_uppercase().replace('-', "_"));
        let run = match args[0] {
            "--listen" => {
                let mut command = crate::support::cli::program(bench.home.path());
                command.env(name, args[1]).args(["run", "--endpoint", "embedded"]);
                let run = Running::start(command).end();
                assert_eq!(run.code, Some(2), "{run}");
                run
            }
            _ => refused(&bench, &[&args.join("=")], &[]),
        };
        let stderr = run.stderr.to_lowercase().replace('_', "-");
        assert!(stderr.contains(word.trim_start_matches('-')), "{args:?}: {run}");
        assert!(stderr.contains(args[1]), "{args:?}: {run}");
    }
}

#[test]
fn a_secret_file_that_is_not_there_is_named() {
    let bench = bench();
    for flag in ["--hook-secret-file", "--client-secret-file", "--token-file"] {
        let mut command = crate::support::cli::program(bench.home.path());
        command
            .args(["run", bench.repo.path().to_str().unwrap(), "--endpoint", &bench.market.url])
            .args(["--company-id=acme", "--listen=127.0.0.1:0", "--state"])
            .arg(bench.state())
            .args([flag, "/nowhere/secret"]);
        match flag {
            "--client-secret-file" => command.arg("--client-id=id"),
            "--hook-secret-file" => {
                command.arg("--client-id=id").env("MARKETSYNC_CLIENT_SECRET", "secret")
            }
            _ => &mut command,
        };
        let run = Running::start(command).end();
        assert_eq!(run.code, Some(2), "{flag}: {run}");
        complains(&run, &["/nowhere/secret"]);
        bench.asked_nothing();
    }
    // An empty one is no secret either.
    let empty = bench.home.path().join("empty");
    fs::write(&empty, "\n").unwrap();
    let run = refused(&bench, &["--hook-secret-file", empty.to_str().unwrap()], &[]);
    complains(&run, &[empty.to_str().unwrap()]);
}

#[test]
fn a_configuration_in_the_source_is_noticed_and_not_read() {
    let bench = bench();
    bench.repo.write("marketsync.yaml", "endpoint: http://127.0.0.1:1\nprune: true\nnonsense: 1\n");
    bench.repo.commit("a configuration");
    let daemon = Daemon::follow(&bench, EVENTS);
    daemon.says("Created", "alpha NA", 1);
    daemon.ready();
    let noticed = |daemon: &Daemon| {
        let log = daemon.log().into_iter();
        log.filter(|line| line["level"] != "ERROR" && line.to_string().contains("marketsync.yaml"))
            .count()
    };
    assert_eq!(noticed(&daemon), 1, "{daemon}");
    assert_eq!(daemon.status()["counts"]["invalid"], 0, "{}", daemon.status());
    bench.repo.remove("items/alpha");
    bench.commit(&[sidecar("beta")]);
    daemon.says("Created", "beta NA", 1);
    assert_eq!(daemon.lines("Deleted").len(), 0, "{daemon}");
    assert_eq!(noticed(&daemon), 1, "told once:\n{daemon}");
    daemon.stop();
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    let bench = bench();
    complains(&refused(&bench, &["--working-tree"], &[]), &["--working-tree", "commits"]);
    complains(&refused(&bench, &["--branch=main"], &[]), &["--branch", "--revision"]);
}

/// git-sync beside it may not have made the link yet.
#[test]
fn a_source_that_is_not_there_yet_is_named_and_awaited() {
    let bench = bench();
    let later = bench.repo.beside("later");
    let daemon = Daemon::of(&bench, &later, &["--poll-every=100ms", "--drift=off"]);
    daemon.passes(r#"result="error""#, 2);
    assert_eq!((daemon.get("/readyz").0, daemon.get("/healthz").0), (503, 200), "{daemon}");
    let line = daemon.line("Pass failed");
    assert!(line["reason"].as_str().unwrap().contains(later.to_str().unwrap()), "{line}");
    assert_eq!(bench.writes(), []);
    bench.repo.git(&["clone", "-q", ".", later.to_str().unwrap()]);
    daemon.says("Created", "alpha NA", 1);
    daemon.ready();
    daemon.stop();
}

#[test]
fn an_address_that_is_taken_is_named() {
    let bench = bench();
    let first = Daemon::follow(&bench, EVENTS);
    first.says("Created", "alpha NA", 1);
    let address = first.url().replace("http://", "");
    let mut second = crate::support::cli::program(bench.home.path());
    second
        .env("MARKETSYNC_CLIENT_SECRET", "secret")
        .args(["run", bench.repo.path().to_str().unwrap(), "--endpoint", &bench.market.url])
        .args(["--company-id=acme", "--client-id=id", "--state", "other", "--listen", &address]);
    bench.handle().clear_log();
    let run = Running::start(second).end();
    assert_eq!(run.code, Some(2), "{run}");
    complains(&run, &[&address, "listen"]);
    bench.asked_nothing();
    first.stop();
    until("it is free", || std::net::TcpListener::bind(&address).is_ok());
}
