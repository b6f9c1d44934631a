//! Credentials in documents: the marketplace gets them, and nobody reads them
//! in what is told of the documents.

use std::fs;

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use super::COLUMNS;
use super::hunt::Hunt;
use crate::findings::{Findings, long};
use crate::support::cli::{Bench, Running};
use crate::support::daemon::{BEATS, Daemon};
use crate::support::documents::{set, sidecar};
use crate::support::market::COMPANY;

/// Where credentials lie in documents. Each is made of a secret.
type Write = fn(&str) -> (&'static str, Value);

const PLACES: &[(&str, Write)] = &[
    ("valueType: secret", |secret| variable("PLAIN", secret, "secret")),
    ("a variable called PASSWORD", |secret| variable("DB_PASSWORD", secret, "plain")),
    ("a variable called API_KEY", |secret| variable("API_KEY", secret, "plain")),
    ("defaultValue of a variable", |secret| {
        let value = json!([{ "name": "TOKEN", "defaultValue": secret, "valueType": "plain" }]);
        ("/resources/defaultEnvironmentVariables", value)
    }),
    ("a URL with a password", |secret| {
        variable("DB_URL", &format!("mongodb://user:{secret}@db.example.com/x"), "plain")
    }),
    ("a token of GitHub", |secret| variable("GH", &format!("ghp_{secret}0123456789"), "plain")),
    ("a JWT", |secret| variable("J", &format!("eyJhbGciOiJIUzI1NiJ9.{secret}.abc"), "plain")),
    ("an assignment in a text", |secret| {
        variable("ARGS", &format!("--a=b --password={secret} --c"), "plain")
    }),
    ("a header in a text", |secret| {
        variable("H", &format!("Authorization: Bearer {secret}"), "plain")
    }),
    ("a private key in a file", |secret| {
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n");
        file("tls.pem", &pem)
    }),
    ("a line of YAML in a file", |secret| {
        file("a.yaml", &format!("user: me\npassword: {secret}\n"))
    }),
    ("a block of YAML in a file", |secret| {
        file("a.yaml", &format!("a: 1\nclientSecret: |\n  {secret}\nlast: 1\n"))
    }),
    ("JSON in a text", |secret| {
        file("a.json", &format!("{{\"x\": 1, \"apiToken\": \"{secret}\"}}"))
    }),
    ("a field called secret", |secret| ("/resources/clientSecret", json!(secret))),
    ("a list of passwords", |secret| ("/resources/passwords", json!(["a-b-c", secret]))),
    ("an object of tokens", |secret| ("/resources/tokens", json!({ "ci": secret }))),
    ("a key with a password", |secret| {
        ("/resources/extra", json!({ format!("mongodb://u:{secret}@h"): { "a": 1 } }))
    }),
    ("an annotation", |secret| ("/annotations", json!({ "example.com/password": secret }))),
    ("a description with a URL", |secret| {
        ("/description", json!(format!("see https://x:{secret}@example.com/docs")))
    }),
];

fn variable(name: &str, value: &str, kind: &str) -> (&'static str, Value) {
    let value = json!([{ "name": name, "value": value, "valueType": kind }]);
    ("/resources/defaultEnvironmentVariables", value)
}

fn file(name: &str, content: &str) -> (&'static str, Value) {
    let files = json!([{ "name": name, "content": content }]);
    ("/resources/defaultConfigMaps", json!([{ "name": "c", "mountPath": "/c", "files": files }]))
}

/// An item whose `resources` may hold anything.
fn free(number: usize) -> Value {
    let item = sidecar(&format!("item-{number}"));
    set(item, "/itemTypeDefinitionRef/name", "infrastructure-component-runtime")
}

fn with(mut item: Value, (pointer, value): (&str, Value)) -> Value {
    match pointer.strip_prefix("/resources/") {
        Some(field) => item["resources"][field] = value,
        None => item[&pointer[1..]] = value,
    }
    item
}

/// The items with a secret in each place, of one time.
fn items(hunt: &mut Hunt, time: &str) -> Vec<(Value, String)> {
    let make = |(number, (place, write)): (usize, &(&str, Write))| {
        let secret = hunt.canary(&format!("{place}, {time}"));
        (with(free(number), write(&secret)), secret)
    };
    PLACES.iter().enumerate().map(make).collect()
}

fn documents(items: &[(Value, String)]) -> Vec<Value> {
    items.iter().map(|(item, _)| item.clone()).collect()
}

const FORMATS: [&str; 4] = ["text", "json", "markdown", "html"];

/// Everything that shows something of a bench.
fn show(bench: &Bench, hunt: &mut Hunt, when: &str) {
    let state = bench.state().display().to_string();
    let plan = bench.home.path().join("plan.json").display().to_string();
    for (number, format) in FORMATS.into_iter().enumerate() {
        // The short form shows each format of each kind once.
        if !long() && number != when.len() % 4 {
            continue;
        }
        let (log, more) =
            if format == "json" { ("json", "--drift=correct") } else { ("text", "--prune") };
        run(bench, hunt, when, &["diff", "--format", format, "--out", &plan, more], log);
        run(bench, hunt, when, &["diff", "--format", format, "--against=recorded"], log);
    }
    run(bench, hunt, when, &["diff", "--against=HEAD~1"], "text");
    for (number, format) in ["text", "json", "github", "gitlab"].into_iter().enumerate() {
        if long() || number == when.len() % 4 {
            run(bench, hunt, when, &["validate", "--format", format, "--against=HEAD~1"], "text");
        }
    }
    for format in if long() { &["text", "json"][..] } else { &["json"] } {
        let ids = if long() { 0..PLACES.len() } else { 5..6 };
        for id in ids {
            let id = format!("item-{id}");
            let words = ["history", &id, "--state", &state, "--format", format];
            run(bench, hunt, when, &words, "text");
        }
        run(bench, hunt, when, &["status", "--state", &state, "--format", format], "text");
    }
}

fn run(bench: &Bench, hunt: &mut Hunt, when: &str, words: &[&str], log: &str) {
    let mut command = crate::support::cli::program(bench.home.path());
    command.args(words).args(["--log-level=trace", "--log-format", log]);
    let source = bench.repo.path();
    if matches!(words[0], "diff" | "validate") {
        command.arg(&source);
    }
    if words[0] == "diff" {
        command.args(["--endpoint", &bench.market.url, "--company-id", COMPANY]);
        command.args(["--client-id", "id", "--state"]).arg(bench.state());
        command.env("MARKETSYNC_CLIENT_SECRET", "secret");
    }
    hunt.keep_run(&format!("{when}: {words:?}"), &Running::start(command).end());
}

fn apply(bench: &Bench, hunt: &mut Hunt, when: &str, args: &[&str]) {
    let args = [&["--log-level=trace", "--retry-for=0s"], args].concat();
    hunt.keep_run(&format!("{when}: apply {args:?}"), &bench.apply(&args));
}

fn arrived(bench: &Bench, hunt: &mut Hunt) {
    hunt.used_in(format!("{:?}", bench.handle().items()).as_bytes());
}

fn keep_state(bench: &Bench, hunt: &mut Hunt, when: &str) {
    hunt.keep_folder(&format!("{when}: the home"), bench.home.path(), &[]);
}

#[test]
fn no_credential_in_a_document_is_told() {
    let mut findings = Findings::begin("secrets-content", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let bench = Bench::new();
    bench.repo.commit("nothing");
    let first = items(&mut hunt, "first");
    bench.commit(&documents(&first));
    show(&bench, &mut hunt, "not there yet");
    apply(&bench, &mut hunt, "new", &[]);
    arrived(&bench, &mut hunt);
    keep_state(&bench, &mut hunt, "new");
    let second = items(&mut hunt, "second");
    bench.commit(&documents(&second));
    show(&bench, &mut hunt, "edited");
    apply(&bench, &mut hunt, "edited", &["--format=json"]);
    arrived(&bench, &mut hunt);
    let theirs = items(&mut hunt, "somebody else's");
    for item in documents(&theirs) {
        bench.handle().put_raw(COMPANY, &item).unwrap();
    }
    arrived(&bench, &mut hunt);
    show(&bench, &mut hunt, "drifted");
    apply(&bench, &mut hunt, "drifted", &["--drift=report"]);
    apply(&bench, &mut hunt, "drifted", &["--drift=correct"]);
    follow(&bench, &mut hunt);
    keep_state(&bench, &mut hunt, "in the end");
    hunt.conclude(&mut findings);
}

/// The daemon over the same.
fn follow(bench: &Bench, hunt: &mut Hunt) {
    let args = [BEATS, &["--log-level=trace", "--drift=report"]].concat();
    let daemon = Daemon::follow(bench, &args);
    daemon.ready();
    let third = items(hunt, "third");
    let commit = bench.commit(&documents(&third));
    daemon.settles(&commit);
    arrived(bench, hunt);
    bench.repo.write("items/broken.json", format!("{{\"password\": \"{}\"", hunt.canary("broken")));
    bench.repo.commit("broken");
    hunt.used("broken");
    daemon.until("the broken file is told of", |daemon| !daemon.lines("Invalid").is_empty());
    for path in ["/status", "/status?items=true", "/metrics", "/healthz", "/readyz"] {
        hunt.keep(path, daemon.get(path).1);
    }
    hunt.keep_run("run", &daemon.stop());
}

/// What is wrong with a file beside a credential, or with the credential.
fn broken(number: usize, secret: &str) -> Vec<String> {
    let item = |rest: &str| {
        format!(
            "{{\"itemId\": \"b-{number}\", \"name\": \"B\", \"tenantId\": \"{COMPANY}\", \
             \"lifecycleStatus\": \"published\", \"itemTypeDefinitionRef\": \
             {{\"name\": \"sidecar\", \"namespace\": \"mia-platform\"}}, \"resources\": \
             {{\"name\": \"b\", \"dockerImage\": \"x:1\"{rest}}}}}"
        )
    };
    let variable = |value: &str| {
        item(&format!(
            ", \"defaultEnvironmentVariables\": [{{\"name\": \"DB_PASSWORD\", {value}}}]"
        ))
    };
    vec![
        format!("{{\"itemId\": 1, \"password\": \"{secret}\"}}"),
        format!("{{\n\"password\": \"{secret}\" \"x\": 1}}"),
        format!("{{\"password\": \"{secret}"),
        format!("{{\"password\": '{secret}'}}"),
        format!("{{\"password\": {secret}}}"),
        format!("{{\"password\": \"a\", \"password\": \"{secret}\"}}"),
        format!("[\"password={secret}\"]"),
        format!("{{\"x\": \"https://u:{secret}@h\",}} trailing"),
        variable(&format!("\"valueType\": 3, \"value\": \"{secret}\"")),
        variable(&format!("\"valueType\": \"secret\", \"value\": [\"{secret}\"]")),
        item(&format!(", \"containerPorts\": \"https://u:{secret}@h\"")),
        item(&format!(", \"containerPorts\": [{{\"password\": \"{secret}\", \"from\": \"x\"}}]")),
        item(&format!(", \"containerPorts\": {{\"ghp_{secret}0123456789\": 1}}")),
        format!("password: {secret}\n\tx: 1\n"),
        format!("itemId: b\npassword: \"{secret}\n"),
        format!("itemId: b\npassword: {secret}: x\n"),
        format!("itemId: b\nx: &ghp_{secret}0123456789 *nothing\n"),
        format!("? ghp_{secret}0123456789\n: 1\n? ghp_{secret}0123456789\n: 2\n"),
    ]
}

#[test]
fn no_credential_in_a_broken_file_is_told() {
    let mut findings = Findings::begin("secrets-broken", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let bench = Bench::new();
    bench.repo.commit("nothing");
    let places = broken(0, "").len();
    for number in 0..places {
        let secret = hunt.canary(&format!("broken file {number}"));
        let text = &broken(number, &secret)[number];
        let ends = if text.starts_with(['{', '[']) { "json" } else { "yaml" };
        bench.repo.write(&format!("items/{number}.{ends}"), text);
    }
    let commit = bench.repo.commit("broken");
    for format in ["text", "json", "github", "gitlab"] {
        run(&bench, &mut hunt, "broken", &["validate", "--format", format], "text");
    }
    for format in FORMATS {
        run(&bench, &mut hunt, "broken", &["diff", "--format", format], "text");
    }
    apply(&bench, &mut hunt, "broken", &[]);
    apply(&bench, &mut hunt, "broken", &["--format=json", "--strict"]);
    let daemon = Daemon::follow(&bench, &["--drift=off", "--log-level=trace"]);
    daemon.settles(&commit);
    hunt.keep("/status", daemon.get("/status?items=true").1);
    hunt.keep_run("run", &daemon.stop());
    keep_state(&bench, &mut hunt, "broken");
    let seen = bench.apply(&["--strict"]);
    for number in 0..places {
        // Each must be a problem, or it shows nothing.
        let is_told = |ends| seen.stderr.contains(&format!("items/{number}.{ends}\""));
        if is_told("json") || is_told("yaml") {
            hunt.used(&format!("broken file {number}"));
        }
    }
    hunt.conclude(&mut findings);
}

#[test]
fn a_server_that_repeats_a_document_is_not_quoted() {
    let mut findings = Findings::begin("secrets-refused", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let bench = Bench::new();
    let whole = items(&mut hunt, "refused");
    bench.commit(&documents(&whole));
    for (number, (document, secret)) in whole.iter().enumerate() {
        let text = document.to_string();
        let value = text.split('"').find(|word| word.contains(secret.as_str())).unwrap();
        let value = value.trim_end_matches('\\').replace("\\n", "\n");
        let message = format!("must be one of a, b, and is '{value}'");
        let id = format!("item-{number}");
        let status = |code| FaultKind::Status {
            code,
            body: Some(json!({ "message": message }).to_string()),
            content_type: Some("application/json".to_owned()),
            retry_after: None,
            processed: false,
        };
        let kind = match number % 4 {
            0 | 1 => FaultKind::RejectItem { message: message.clone() },
            2 => status(400),
            _ => status(422),
        };
        bench.handle().fail(Fault::always(Route::Apply, kind).for_item(&id));
    }
    apply(&bench, &mut hunt, "refused", &[]);
    let run = bench.apply(&["--format=json"]).exits(1);
    for (_, secret) in &whole {
        hunt.used_in(secret.as_bytes());
    }
    assert_eq!(run.said("Rejected").len(), whole.len(), "{run}");
    assert!(run.stderr.contains("must be one of a, b, and is"), "{run}");
    hunt.keep_run("refused again", &run);
    show(&bench, &mut hunt, "not taken at all");
    for code in [403, 500] {
        bench.handle().clear_faults();
        let echo = whole.iter().map(|(item, _)| item.to_string()).collect::<String>();
        for body in [json!({ "message": echo }).to_string(), echo.clone()] {
            let kind = FaultKind::Status {
                code,
                body: Some(body),
                content_type: None,
                retry_after: None,
                processed: false,
            };
            bench.handle().fail(Fault::once(Route::Apply, kind));
            apply(&bench, &mut hunt, "echoed", &[]);
        }
    }
    keep_state(&bench, &mut hunt, "refused");
    hunt.conclude(&mut findings);
}

#[test]
fn exported_files_hold_what_the_marketplace_holds() {
    // Not masked: they are made to be applied. What is said of them is.
    let mut findings = Findings::begin("secrets-export", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let bench = Bench::new();
    let whole = items(&mut hunt, "exported");
    for item in documents(&whole) {
        bench.handle().put_raw(COMPANY, &item).unwrap();
    }
    let out = bench.home.path().join("out");
    for format in ["text", "json"] {
        let mut command = crate::support::cli::program(bench.home.path());
        command.arg("export").arg(&out).args(["--format", format, "--log-level=trace"]);
        command.args(["--overwrite", "--endpoint", &bench.market.url, "--company-id", COMPANY]);
        command.args(["--client-id", "id"]).env("MARKETSYNC_CLIENT_SECRET", "secret");
        hunt.keep_run("export", &Running::start(command).end());
    }
    let mut files = Vec::new();
    let mut open = vec![out];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { files.extend(fs::read(path).unwrap()) }
        }
    }
    hunt.used_in(&files);
    hunt.conclude(&mut findings);
}
