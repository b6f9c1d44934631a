//! Exit codes, stdout and stderr of the built program, for every command
//! (`practice.md` §1, §2).

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use marketsync::embedded::{Fault, FaultKind, Route, Settings};
use serde_json::{Value, json};

use crate::support::cli::{Bench, Running, bare, complains, program, until};
use crate::support::documents::{plugin, set, sidecar};
use crate::support::market::{COMPANY, key};
use crate::support::repo::Repo;

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
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
    bench.commit(&[set(sidecar("alpha"), "/resources/containerPorts/0/from", true)]);
    let run = validate(&[]).exits(1);
    run.prints("broken.yaml:").prints("/resources/containerPorts/0/from").prints("^");
    let told = validate(&["--format=json"]).exits(1).json();
    let problems = told["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem["path"] == "broken.yaml"), "{told}");
    assert!(problems.iter().all(|problem| problem["line"].is_u64()), "{told}");

    bench.commit(&[set(sidecar("alpha"), "/tenantId", "other")]);
    bench.repo.remove("broken.yaml").commit("mended");
    validate(&["--company-id=acme"]).exits(0).prints("1 warning");
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
        bench.handle().object_id(COMPANY, &key("alpha", "NA")).as_deref()
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
fn a_variable_that_is_no_text_is_nobodys_business() {
    use std::os::unix::ffi::OsStringExt as _;
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let mut validate = program(bench.home.path());
    validate.env("FOO", std::ffi::OsString::from_vec(vec![0xff]));
    validate.arg("validate").arg(bench.repo.path());
    let run = Running::start(validate).end().exits(0);
    assert!(run.stdout.starts_with("1 valid item"), "{run}");
}

#[test]
fn a_secret_file_that_would_be_waited_for_is_refused() {
    let bench = Bench::new();
    bench.commit(&[sidecar("alpha")]);
    let run = bench.apply(&["--retry-for=0s", "--client-secret-file=/dev/null"]).exits(2);
    complains(&run, &["/dev/null", "no regular file"]);
}
