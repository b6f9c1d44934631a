//! What the built program prints where, and what it takes from flags,
//! environment and file (`practice.md` §1).

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::cli::{Bench, Running, complains, program};
use crate::support::documents::{set, sidecar};
use crate::support::market::COMPANY;

#[test]
fn the_result_is_alone_on_stdout_and_the_log_is_on_stderr() {
    let bench = Bench::new();
    bench.commit(&[set(sidecar("alpha"), "/tenantId", "other"), sidecar("beta")]);
    bench.repo.write("broken.json", "{").commit("broken");
    let mut text = bench.command(&bench.repo.path(), &[]);
    text.args(["--log-level=debug"]);
    let run = Running::start(text).end().exits(1);
    assert!(
        run.stdout.starts_with("2 of 2 items have been successfully applied:\n\n  OBJECT ID"),
        "{run}"
    );
    for word in ["INFO", "WARN", "level", "Loaded", "\u{1b}"] {
        assert!(!run.stdout.contains(word), "{word}: {run}");
    }
    assert!(!run.stderr.contains("OBJECT ID") && !run.stderr.contains('\u{1b}'), "{run}");
    run.log();

    // Text: one line an event, the constant message first, facts as key=value.
    let mut plain = program(bench.home.path());
    plain.env("MARKETSYNC_CLIENT_SECRET", "x").arg("apply").arg(bench.repo.path());
    plain.args(["--endpoint", &bench.market.url, "--company-id", COMPANY, "--client-id=id"]);
    let run = Running::start(plain).end().exits(1);
    let first = run.stderr.lines().next().unwrap();
    for word in [bench.market.url.as_str(), COMPANY, "--endpoint"] {
        assert!(first.contains(word), "no `{word}` on the first line: {run}");
    }
    assert!(
        run.stderr.lines().any(|line| line.contains("INFO Adopted item_id=\"beta\" version=NA")),
        "{run}"
    );
    // A problem is shown as `validate` shows it.
    assert!(run.stderr.contains("--> broken.json:1:"), "{run}");

    // A level hides what is less important.
    let quiet = bench.apply(&["--log-level=error"]).exits(1);
    assert!(quiet.log().iter().all(|line| line["level"] == "ERROR"), "{quiet}");
}

#[test]
fn a_failure_too_is_one_json_object_a_line() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let broken = bench.apply(&["--revision=no-such"]).exits(2);
    assert!(broken.log().iter().any(|line| line["level"] == "ERROR"), "{broken}");
    let unknown = bench.apply(&["--path=../x"]).exits(2);
    assert!(unknown.log().iter().any(|line| line["level"] == "ERROR"), "{unknown}");
}

#[test]
fn names_that_nobody_knows_are_errors() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let mut wrong = bench.command(&bench.repo.path(), &[]);
    wrong.env("MARKETSYNC_COMPANY", "x");
    complains(
        &Running::start(wrong).end().exits(2),
        &["MARKETSYNC_COMPANY", "MARKETSYNC_COMPANY_ID"],
    );

    let file = bench.home.path().join("config/marketsync/marketsync.yaml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "# mine\ncompany-id: x\n").unwrap();
    let run = bench.apply(&[]).exits(2);
    complains(&run, &["marketsync.yaml:2", "company-id", "company_id"]);
    fs::write(&file, "prune: maybe\n").unwrap();
    complains(&bench.apply(&[]).exits(2), &["marketsync.yaml:1:8", "maybe"]);
    bench.asked_nothing();
    fs::remove_file(&file).unwrap();

    // What Kubernetes sets for a Service of this name is no setting.
    let mut service = bench.command(&bench.repo.path(), &[]);
    for name in [
        "PORT",
        "PORT_8080_TCP_ADDR",
        "SERVICE_HOST",
        "SERVICE_PORT_HTTP",
        "METRICS_SERVICE_HOST",
        "METRICS_PORT",
    ] {
        service.env(format!("MARKETSYNC_{name}"), "tcp://10.0.0.1:8080");
    }
    Running::start(service).end().exits(0);
}

#[test]
fn flag_over_environment_over_file() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let file = bench.home.path().join("my.yaml");
    fs::write(
        &file,
        format!(
            "endpoint: {}\ncompany_id: from-file\nclient_id: id\nset_tenant: true\n",
            bench.market.url
        ),
    )
    .unwrap();
    let run = |variable: Option<&str>, flag: Option<&str>| {
        let mut command = program(bench.home.path());
        command
            .env("MARKETSYNC_CLIENT_SECRET", "x")
            .env("MARKETSYNC_CONFIG", &file)
            .arg("apply")
            .arg(bench.repo.path());
        if let Some(value) = variable {
            command.env("MARKETSYNC_COMPANY_ID", value);
        }
        if let Some(value) = flag {
            command.args(["--company-id", value]);
        }
        Running::start(command).end().exits(0)
    };
    run(None, None);
    run(Some("from-variable"), None);
    run(Some("from-variable"), Some("from-flag"));
    let owners: Vec<String> = bench.handle().items().into_keys().collect();
    assert_eq!(owners, ["from-file alpha NA", "from-flag alpha NA", "from-variable alpha NA"]);
}

#[test]
fn a_reader_that_goes_away_changes_nothing() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let command = bench.command(&bench.repo.path(), &[]);
    let line = shell(&command);
    let piped = Command::new("bash")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .args(["-c", &format!("set -o pipefail; {line} 2>/dev/null | true")])
        .status()
        .unwrap();
    assert_eq!((piped.code(), bench.names()), (Some(0), vec!["alpha NA".to_owned()]));
}

/// A command as a line of a shell.
fn shell(command: &Command) -> String {
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().unwrap());
    let mut line = format!(
        "cd {} && env",
        quoted(command.get_current_dir().unwrap_or(Path::new("/")).as_os_str())
    );
    for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        line = format!("{line} {}={}", name.to_str().unwrap(), quoted(value));
    }
    for word in std::iter::once(command.get_program()).chain(command.get_args()) {
        line = format!("{line} {}", quoted(word));
    }
    line
}
