//! Exit codes, stdout, stderr and signals of the built program, for every
//! command (`practice.md` §1, §2).

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use marketsync::embedded::{Exchange, Fault, FaultKind, Route, Settings};
use serde_json::{Value, json};

use crate::support::cli::{Bench, Run, Running, bare, plugin, program, set, sidecar};
use crate::support::market::COMPANY;
use crate::support::repo::Repo;

/// Waits until a condition holds.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never came to this: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until an apply is in flight.
#[track_caller]
fn in_flight(bench: &Bench) -> Exchange {
    let mut found = None;
    until("an apply in flight", || {
        found = bench.calls().into_iter().find(|call| call.route == Route::Apply);
        found.is_some()
    });
    found.unwrap()
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// The last words of a program that could not do its work.
#[track_caller]
fn complains(run: &Run, words: &[&str]) {
    let stderr = run.stderr.to_lowercase();
    assert!(stderr.contains("error"), "{run}");
    for word in words {
        assert!(stderr.contains(&word.to_lowercase()), "nothing of `{word}`:\n{run}");
    }
}

#[test]
fn apply_exits_with_each_code_and_its_json_is_whole() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha"), sidecar("beta"), sidecar("gamma")]);
    let good = bench.apply(&["--format=json"]).exits(0).json();
    assert_eq!((&good["error"], &good["items"]), (&Value::Null, &json!(3)));
    assert_eq!(good["applied"].as_array().unwrap().len(), 3);
    assert_eq!(good["applied"][0]["status"], "Created");
    let good = bench.apply(&["--format=json"]).exits(0).json();
    assert_eq!((&good["unchanged"], &good["applied"]), (&json!(3), &json!([])));

    bench.repo.write("broken.json", "{");
    bench.repo.commit("broken");
    let broken = bench.apply(&["--format", "json"]).exits(1).json();
    assert_eq!(
        (&broken["problems"][0]["path"], &broken["unchanged"]),
        (&json!("broken.json"), &json!(3))
    );

    // 1 goes before 3, 2 before both.
    bench.repo.remove("broken.json").remove("items/alpha").remove("items/beta");
    bench.repo.commit("two gone");
    let guarded = bench.apply(&["--format", "json", "--prune"]).exits(3).json();
    assert_eq!(guarded["held"].as_array().unwrap().len(), 2);
    bench.commit(&[sidecar("new")]);
    bench
        .handle()
        .fail(Fault::always(Route::Apply, FaultKind::RejectItem { message: "no".to_owned() }));
    let rejected = bench.apply(&["--format=json", "--prune"]).exits(1).json();
    assert_eq!(rejected["failed"][0]["itemId"], "new");
    bench.handle().fail(Fault::always(Route::Get, FaultKind::status(403)));
    let refused = bench.apply(&["--format=json", "--prune"]).exits(2).json();
    assert!(refused["error"]["message"].as_str().unwrap().contains("403"), "{refused}");
    assert_eq!(refused["items"], 2, "what was read is told");
}

#[test]
fn apply_could_not_do_its_work() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let began = Instant::now();
    let gone = nobody();
    for (what, args, words) in [
        ("usage", vec!["--no-such-option"], vec!["--no-such-option"]),
        ("a value", vec!["--drift=maybe"], vec!["--drift", "report"]),
        ("a length", vec!["--retry-for=2"], vec!["90s"]),
        ("endpoint", vec!["--endpoint=ftp://x"], vec!["--endpoint", "https://"]),
        (
            "no network",
            vec!["--endpoint", &gone, "--retry-for=0s"],
            vec!["refuses the connection", "check --endpoint"],
        ),
        ("company", vec!["--company-id=a/b"], vec!["--company-id"]),
        ("source", vec!["--revision=no-such"], vec!["no-such"]),
        ("config", vec!["--config=/no/such/file"], vec!["/no/such/file"]),
        ("schema", vec!["--schema=sidecar=/no/such/schema"], vec!["/no/such/schema"]),
        ("certificates", vec!["--ca-file=/no/such/ca"], vec!["/no/such/ca"]),
    ] {
        // The last of two equal options must not be an error of its own here.
        let mut command = program(bench.home.path());
        let has = |name: &str| args.iter().any(|arg| arg.starts_with(name));
        command.env("MARKETSYNC_CLIENT_SECRET", "secret").arg("apply").arg(bench.repo.path());
        for (name, value) in [
            ("--endpoint", bench.market.url.as_str()),
            ("--company-id", COMPANY),
            ("--client-id", "id"),
        ] {
            if !has(name) {
                command.args([name, value]);
            }
        }
        command.args(&args).args(["--format", "json"]);
        let run = Running::start(command).end();
        assert_eq!(run.code, Some(2), "{what}: {run}");
        complains(&run, &words);
        assert!(!run.stderr.contains("panicked"), "{run}");
        if what != "usage" && what != "a value" && what != "a length" {
            let told = run.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(!told.is_empty(), "{what}: {run}");
        }
        assert!(bench.names().is_empty());
    }
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn apply_with_a_wrong_secret_says_so_and_keeps_it() {
    let settings = json!({ "clients": [{ "id": "id", "secret": "right" }] });
    let bench = Bench::with(serde_json::from_value::<Settings>(settings).unwrap());
    bench.commit(&[sidecar("alpha")]);
    let mut command = bench.command(&bench.repo.path(), &["--log-level=trace"]);
    command.env("MARKETSYNC_CLIENT_SECRET", "hush-hush-hush");
    let run = Running::start(command).end().exits(2);
    complains(&run, &["401", "secret"]);
    assert!(!run.to_string().contains("hush-hush-hush"), "{run}");

    let mut command = bench.command(&bench.repo.path(), &["--log-level=trace"]);
    command.env("MARKETSYNC_CLIENT_SECRET", "right");
    let run = Running::start(command).end().exits(0);
    assert!(!run.to_string().contains("Bearer") && !run.to_string().contains("eyJ"), "{run}");
}

#[test]
fn validate_exits_with_each_code() {
    let bench = Bench::new();
    let validate = |args: &[&str]| {
        let path = bench.repo.path();
        bare(bench.home.path(), &[&["validate", path.to_str().unwrap()], args].concat())
    };
    bench.commit(&[sidecar("alpha"), plugin("p", "1.0.0")]);
    let run = validate(&[]).exits(0);
    run.prints("2 valid items").prints("0 problems");
    assert_eq!(validate(&["--format=json"]).exits(0).json()["problems"], json!([]));

    bench.commit(&[set(plugin("p", "1.0.0"), "/resources/services/one/replicas", 2)]);
    validate(&[]).exits(0);
    validate(&["--against=HEAD~1"]).exits(1).prints("1.0.1").prints("items/p/1.0.0.json");
    validate(&["--against=no-such"]).exits(2).tells("no-such");

    bench.repo.write("broken.yaml", "itemId: [a\nname: b\n");
    bench.commit(&[set(sidecar("alpha"), "/resources/containerPorts/0/from", 70_000)]);
    let run = validate(&[]).exits(1);
    run.prints("broken.yaml:").prints("/resources/containerPorts/0/from").prints("^");
    let told = validate(&["--format=json"]).exits(1).json();
    let problems = told["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem["path"] == "broken.yaml"), "{told}");
    assert!(problems.iter().all(|problem| problem["line"].is_u64()), "{told}");

    bench.commit(&[set(sidecar("alpha"), "/tenantId", "other")]);
    bench.repo.remove("broken.yaml").commit("mended");
    validate(&["--company-id=acme"]).exits(0).prints("1 warnings");
    validate(&["--company-id=acme", "--strict"]).exits(1);

    let nowhere = bare(bench.home.path(), &["validate", "no/such", "--format=json"]).exits(2);
    complains(&nowhere, &["no/such"]);
    assert!(nowhere.json()["error"]["message"].is_string());
    bench.asked_nothing();
}

#[test]
fn status_exits_with_each_code() {
    let bench = Bench::new();
    let state = bench.state();
    let status = |args: &[&str]| {
        bare(bench.home.path(), &[&["status", "--state", state.to_str().unwrap()], args].concat())
    };
    let none = status(&["--format=json"]).exits(2);
    complains(&none, &["no state", "marketsync apply"]);
    assert!(none.json()["error"]["hint"].is_string());

    bench.commit(&[sidecar("alpha"), sidecar("beta")]);
    bench.apply(&[]).exits(0);
    status(&[]).exits(0).prints("ITEM ID").prints("Created").prints("alpha");
    let item = status(&["--format=json"]).exits(0).json()["items"][0].clone();
    assert_eq!(
        (&item["itemId"], &item["result"], &item["verb"]),
        (&json!("alpha"), &json!("done"), &json!("Created"))
    );
    assert_eq!(
        item["objectId"].as_str(),
        bench.handle().object_id(COMPANY, &crate::support::market::key("alpha", "NA")).as_deref()
    );

    bench.commit(&[set(sidecar("beta"), "/name", "Edited")]);
    bench.handle().fail(Fault::always(
        Route::Apply,
        FaultKind::RejectItem { message: "too blue".to_owned() },
    ));
    bench.apply(&[]).exits(1);
    status(&[]).exits(1).prints("too blue").prints("1 failed");
    status(&["--format=json"]).exits(1).json();

    fs::write(state.join("state.db"), "no database at all").unwrap();
    for entry in fs::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_none_or(|extension| extension != "lock") {
            fs::write(path, "no database at all").unwrap();
        }
    }
    let run = status(&["--format=json"]);
    complains(&run, &[state.to_str().unwrap()]);
    assert!(run.exits(2).json()["error"]["message"].is_string());
    // A state that cannot be read is not taken for an empty one.
    bench.handle().clear_faults();
    bench.apply(&[]).exits(2);
    bench.asked_nothing();
}

#[test]
fn completions_are_alone_on_stdout() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = bare(home.path(), &["completions", shell]).exits(0);
        run.prints("marketsync").prints("apply");
        assert_eq!(run.stderr, "");
    }
    let run = bare(home.path(), &["completions", "tcsh"]).exits(2);
    assert_eq!(run.stdout, "");
    complains(&run, &["tcsh"]);
    let mut wrong = program(home.path());
    wrong.env("MARKETSYNC_NO_SUCH", "1").args(["completions", "bash"]);
    Running::start(wrong).end().exits(0);
}

#[test]
fn the_words_of_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let help = bare(home.path(), &["--help"]).exits(0);
    for command in ["apply", "validate", "status", "marketplace", "completions"] {
        help.prints(command);
        let run = bare(home.path(), &[command, "--help"]).exits(0);
        assert!(command == "completions" || run.stdout.contains("Exit codes:"), "{run}");
        assert_eq!(run.stderr, "");
    }
    bare(home.path(), &["--version"]).exits(0).prints(env!("CARGO_PKG_VERSION"));
    let run = bare(home.path(), &[]).exits(2);
    assert_eq!(run.stdout, "");
    complains(&bare(home.path(), &["aply"]).exits(2), &["apply"]);
}

#[test]
fn the_marketplace_serves_until_a_signal() {
    for (signal, other) in [("TERM", "INT"), ("INT", "TERM")] {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data.jsonl");
        let port = { TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
        let address = port.to_string();
        let args = [
            "marketplace",
            "--listen",
            &address,
            "--data",
            data.to_str().unwrap(),
            "--switch",
            "reapply=neither",
        ];
        let start = |args: &[&str]| {
            let mut command = program(home.path());
            command.args(args);
            Running::start(command)
        };
        let market = start(&args);
        until("it listens", || std::net::TcpStream::connect(port).is_ok());
        let taken = start(&["marketplace", "--listen", &address]).end().exits(2);
        complains(&taken, &[&address, "--listen"]);
        let locked =
            start(&["marketplace", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()])
                .end()
                .exits(2);
        complains(&locked, &["data.jsonl"]);

        let repo = Repo::new();
        repo.write("a.json", sidecar("alpha").to_string()).commit("one");
        let mut apply = program(home.path());
        apply.env("MARKETSYNC_CLIENT_SECRET", "x").arg("apply").arg(repo.path());
        apply.args([
            "--endpoint",
            &format!("http://{address}"),
            "--company-id=acme",
            "--client-id=id",
        ]);
        Running::start(apply).end().exits(0).prints("Created");
        market.signal(signal);
        let run = market.end().exits(0);
        assert_eq!(run.stdout, format!("http://{address}\n"), "{other}");
        assert!(fs::read_to_string(&data).unwrap().contains("alpha"));
    }
    let home = tempfile::tempdir().unwrap();
    for (args, words) in [
        (["marketplace", "--switch=no-such=1"], ["no-such", "switch"]),
        (["marketplace", "--switch=upsert=maybe"], ["maybe", "merge"]),
        (["marketplace", "--console=new"], ["--console", "14.1"]),
        (["marketplace", "--listen=nowhere"], ["--listen", "127.0.0.1:8080"]),
    ] {
        complains(&bare(home.path(), &args).exits(2), &words);
    }
}

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
    let error = run.stderr.lines().find(|line| line.starts_with("ERROR Invalid")).unwrap();
    assert!(error.contains("broken.json") && error.contains("line=1"), "{run}");

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

/// Three calls, one after the other, because the old API gets the versions of
/// an item one by one.
fn three_calls() -> Bench {
    let bench = Bench::console("13.6");
    bench.commit(&[plugin("p", "1.0.0"), plugin("p", "1.1.0"), plugin("p", "1.2.0")]);
    bench
}

#[test]
fn a_signal_lets_the_call_in_flight_end() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let bench = three_calls();
        bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 800 }));
        let running = bench.start(&bench.repo.path(), &["--format=json"]);
        assert_eq!(in_flight(&bench).items, ["p 1.0.0"]);
        assert_eq!(bench.names(), Vec::<String>::new(), "the call waits");
        running.signal(signal);
        let run = running.end().exits(code);
        assert_eq!(
            (run.said("Created"), bench.names()),
            (vec!["p 1.0.0".to_owned()], vec!["p 1.0.0".to_owned()])
        );
        let told = run.json();
        assert_eq!(
            (&told["unattempted"], &told["applied"][0]["version"]),
            (&json!(2), &json!("1.0.0"))
        );
        assert_eq!(bench.recorded().len(), 1);
        assert_eq!(bench.sent().len(), 1, "no new request");
        let rest = bench.apply(&[]).exits(0);
        assert_eq!(
            (rest.said("Created"), bench.sent().len()),
            (vec!["p 1.1.0".into(), "p 1.2.0".into()], 2)
        );
    }
}

#[test]
fn a_signal_that_leaves_nothing_undone_is_no_failure() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 500 }));
    let running = bench.start(&bench.repo.path(), &[]);
    in_flight(&bench);
    running.signal("TERM");
    running.end().exits(0).prints("1 of 1 items");
}

#[test]
fn a_signal_ends_the_wait_for_another_try() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let kind = FaultKind::Status {
        code: 503,
        body: None,
        content_type: None,
        retry_after: Some("60".to_owned()),
        processed: false,
    };
    bench.handle().fail(Fault::always(Route::Apply, kind));
    let began = Instant::now();
    let running = bench.start(&bench.repo.path(), &[]);
    until("the answer is out", || bench.calls().iter().any(|call| call.status == Some(503)));
    running.signal("TERM");
    let run = running.end().exits(143);
    run.prints("503");
    assert!(began.elapsed() < Duration::from_secs(15));
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let bench = three_calls();
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 120_000 }));
    let began = Instant::now();
    let running = bench.start(&bench.repo.path(), &["--format=json"]);
    in_flight(&bench);
    running.signal("TERM");
    running.signal("INT");
    let run = running.end();
    assert!(matches!(run.code, Some(143 | 130)), "{run}");
    assert!(began.elapsed() < Duration::from_secs(15));
    run.json();
    assert_eq!(run.lines("Created"), Vec::<Value>::new());
    bench.handle().clear_faults();
    assert_eq!(bench.apply(&[]).exits(0).said("Created").len() + bench.names().len(), 6);
}

#[test]
fn a_second_process_on_one_state_names_the_first() {
    let bench = three_calls();
    bench.handle().fail(Fault::once(Route::Apply, FaultKind::Delay { ms: 60_000 }));
    let first = bench.start(&bench.repo.path(), &[]);
    in_flight(&bench);
    let second =
        Running::start(bench.command(&bench.repo.path(), &["--format=json"])).end().exits(2);
    complains(&second, &[&first.id().to_string(), bench.state().to_str().unwrap()]);
    assert!(second.json()["error"]["message"].is_string());
    // Reading takes no lock.
    bare(bench.home.path(), &["status", "--state", bench.state().to_str().unwrap()]).exits(0);
    // A dead process leaves no lock behind.
    first.signal("KILL");
    assert_eq!(first.end().code, None);
    bench.handle().clear_faults();
    bench.apply(&[]).exits(0).prints("p ");
}

#[test]
fn a_state_is_of_one_endpoint_and_one_company() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    bench.apply(&["--set-tenant"]).exits(0);
    let mut other = program(bench.home.path());
    other
        .env("MARKETSYNC_CLIENT_SECRET", "x")
        .arg("apply")
        .arg(bench.repo.path())
        .arg("--state")
        .arg(bench.state());
    other.args(["--endpoint", &bench.market.url, "--company-id=other", "--client-id=id"]);
    complains(&Running::start(other).end().exits(2), &["other", COMPANY]);
    assert_eq!(bench.names(), ["alpha NA"]);
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
