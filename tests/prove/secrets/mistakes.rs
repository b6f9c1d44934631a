//! A secret where none belongs: beside its option, in the configuration file,
//! in an address.

use std::fs;

use super::COLUMNS;
use super::credentials::Places;
use super::hunt::Hunt;
use crate::findings::{Findings, long};
use crate::support::cli::Running;
use crate::support::documents::sidecar;

/// Command lines with a secret in them.
const LINES: &[&[&str]] = &[
    &["apply", "--client-secret", "@"],
    &["apply", "--client-secret=@"],
    &["apply", "--client-secrets", "@"],
    &["apply", "--client-secret-fil", "@"],
    &["apply", "--token", "@"],
    &["apply", "--password=@"],
    &["run", "--hook-secret", "@"],
    &["run", "--git-password", "@"],
    &["run", "--private-key=@"],
    &["apply", "-p", "@"],
    &["apply", "-p@"],
    &["--client-secret", "@", "apply"],
    &["apply", ".", "@"],
    &["apply", "--client-id", "id", ".", "@"],
    &["apply", "--", ".", "@"],
    &["diff", ".", "@"],
    &["validate", ".", "@"],
    &["history", "a", ".", "@"],
    &["marketplace", "@"],
    &["@"],
    &["@", "apply"],
    &["help", "@"],
    &["apply", "--endpoint", "https://u:@@host"],
    &["apply", "--endpoint", "u:@@host"],
    &["apply", "--endpoint", "https://@@host"],
    &["apply", "--endpoint", "https://host/?token=@"],
    &["apply", "--endpoint", "https://host/#@"],
    &["apply", "--endpoint", "https://ho st:@@x"],
    &["apply", "https://u:@@host/x", "--endpoint=embedded"],
    &["apply", "https://@@host/x", "--endpoint=embedded"],
    &["run", "u:@@host:x", "--endpoint=embedded"],
    &["run", "ssh://u:@@host/x", "--endpoint=embedded"],
    &["status", "--url", "http://u:@@localhost:1"],
    &["status", "--url", "http://localhost:1/?x=@"],
];

/// The same where a folder is meant.
const SOURCES: &[&[&str]] = &[
    &["validate", "https://u:@@host/x"],
    &["diff", "https://u:@@host/x", "--endpoint=http://localhost:1", "--company-id=a"],
    &["status", "https://u:@@host/x", "--endpoint=http://localhost:1", "--company-id=a"],
    &["history", "i", "https://u:@@host/x", "--endpoint=http://localhost:1", "--company-id=a"],
    &["apply", "https://u:@@host:x/x", "--endpoint=embedded"],
    &["apply", "git://u:@@host/x", "--endpoint=embedded"],
];

/// Configuration files with a secret in them.
const FILES: &[&str] = &[
    "@",
    "client_secret: @",
    "client-secret: @",
    "token: @",
    "private_key: |\n  @\n",
    "private_key: -----BEGIN PRIVATE KEY-----\n@\n-----END",
    "client_secret_file:@",
    "client_secret @",
    "- @",
    "endpoint: {@: 1}",
    "endpoint: [@]",
    "client_id: {secret: @}",
    "client_id: !t @",
    "client_id: !@ x",
    "client_id: *@",
    "client_id: &@",
    "client_id: &@ *x",
    "client_id: \"@",
    "client_id: '@",
    "client_id: \"@\\q\"",
    "client_id: \"\\q@\"",
    "client_id: a\nclient_id: @",
    "client_id: @: b",
    "client_id: |\n @\n@\n",
    "<<: @",
    "%@",
    "\tclient_id: @",
    "client_id: @\n\tx: @",
    "exclude: @",
    "exclude: {a: @}",
    "exclude: [[@]]",
    "endpoint: https://u:@@h",
    "endpoint: https://h\ncompany_id: a\nsource: https://u:@@h/x",
    "endpoint: https://h\ncompany_id: a\nclient_secret: @\nclient_id: b",
];

/// The same of miactl.
const MIACTL: &[&str] = &[
    "@",
    "- @",
    "current-context: [@]",
    "contexts: @",
    "credentials: {a: {client-secret: [@]}}",
    "credentials: {a: @}",
    "credentials: {a: {client-secret: @",
    "current-context: c\ncontexts: {c: {endpoint: 'https://u:@@h', company-id: a}}",
    "current-context: c\ncontexts: {c: {endpoint: 'https://h', company-id: a, credential: x}}\ncredentials: {x: {client-secret: @}}",
    "current-context: c\ncontexts: {c: {endpoint: 'https://h', company-id: a, credential: x}}\ncredentials: {x: {client-id: i, key-id: k, private-key-data: @}}",
    "current-context: c\ncontexts: {c: {endpoint: 'https://h', company-id: a, credential: x}}\ncredentials: {x: {client-id: i, client-secret: @, key-id: k}}",
];

/// Variables with a secret in them, beside a command.
const VARIABLES: &[(&str, &str)] = &[
    ("MARKETSYNC_SECRET", "@"),
    ("MARKETSYNC_CLIENT_SECRETS", "@"),
    ("MARKETSYNC_PASSWORD", "@"),
    ("MARKETSYNC_ENDPOINT", "https://u:@@h"),
    ("MARKETSYNC_SOURCE", "https://u:@@h/x"),
    ("MARKETSYNC_CLIENT_SECRET", "@"),
    ("MARKETSYNC_PRIVATE_KEY", "@"),
    ("MARKETSYNC_TOKEN", "@\nx"),
    ("MARKETSYNC_GIT_PASSWORD", "@"),
    ("MARKETSYNC_HOOK_SECRET", "@"),
];

#[test]
#[expect(clippy::too_many_lines, reason = "one place of a secret after the other")]
fn no_secret_in_the_wrong_place_is_repeated() {
    let mut findings = Findings::begin("secrets-mistakes", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let places = Places::new();
    let filled = |text: &str, secret: &str| {
        // `@@` is a secret before a host.
        text.replace("@@", &format!("{secret}\0")).replace('@', secret).replace('\0', "@")
    };
    for line in LINES.iter().chain(SOURCES) {
        let place = format!("marketsync {}", line.join(" "));
        let secret = hunt.canary(&place);
        let forms: [&[&str]; 3] =
            [&[], &["--log-format=json", "--log-level=trace"], &["--format=json"]];
        for more in &forms[..if long() { 3 } else { 2 }] {
            let mut command = places.program();
            command.args(line.iter().map(|word| filled(word, &secret)));
            if !line.contains(&"--") {
                command.args(*more);
            }
            let run = Running::start(command).end();
            assert_eq!(run.code, Some(2), "{place}: {run}");
            hunt.keep_run(&place, &run);
        }
        // It was refused: that is all that can come of it.
        hunt.used(&place);
    }
    for (kind, texts) in [("configuration", FILES), ("miactl", MIACTL)] {
        for text in texts {
            let place = format!("{kind}: {}", text.replace('\n', "⏎"));
            let secret = hunt.canary(&place);
            let file = places.file("file", &filled(text, &secret));
            for format in if long() { &["text", "json"][..] } else { &["json"] } {
                let mut command = places.program();
                match kind {
                    "miactl" => command.env("MIACONFIG", &file),
                    _ => command.env("MARKETSYNC_CONFIG", &file),
                };
                command.args(["apply", "--log-level=trace", "--log-format", format]);
                let run = Running::start(command).end();
                assert_eq!(run.code, Some(2), "{place}: {run}");
                hunt.keep_run(&place, &run);
            }
            hunt.used(&place);
        }
    }
    for &(name, value) in VARIABLES {
        let place = format!("{name}={value}").replace('\n', "⏎");
        let secret = hunt.canary(&place);
        for words in [&["apply"][..], &["diff"], &["run", "--listen=127.0.0.1:x"], &["status"]] {
            for more in [&["--endpoint=http://127.0.0.1:9", "--company-id=a"][..], &[]] {
                if !long() && more.is_empty() {
                    continue;
                }
                let mut command = places.program();
                command.args(words).args(more).env(name, filled(value, &secret));
                let run = Running::start(command).end();
                assert!(run.code.is_some(), "{place} {words:?}: {run}");
                hunt.keep_run(&place, &run);
            }
        }
        hunt.used(&place);
    }
    keys_as_something_else(&places, &mut hunt);
    helps(&places, &mut hunt);
    hunt.keep_folder("the home", places.home.path(), &[]);
    hunt.conclude(&mut findings);
}

/// Every help text, and what shells complete, with secrets in the environment.
fn helps(places: &Places, hunt: &mut Hunt) {
    let place = "the environment of a help text";
    let secret = hunt.canary(place);
    let commands =
        ["run", "apply", "diff", "validate", "status", "history", "export", "marketplace"];
    let whole = commands.iter().map(|command| vec![*command, "--help"]);
    let short = commands.iter().map(|command| vec![*command, "-h"]);
    let others =
        [vec!["--help"], vec!["--version"], vec!["completions", "bash"], vec!["help", "run"]];
    for words in whole.chain(short).chain(others) {
        let mut command = places.program();
        command.args(&words).env("HTTPS_PROXY", format!("http://u:{secret}@h"));
        for (name, _) in &VARIABLES[5..] {
            command.env(name, &secret);
        }
        let run = Running::start(command).end();
        assert_eq!(run.code, Some(0), "{words:?}: {run}");
        hunt.keep_run(&format!("{words:?}"), &run);
    }
    hunt.used(place);
}

/// Files with a secret in them in the place of other files.
fn keys_as_something_else(places: &Places, hunt: &mut Hunt) {
    let secret = hunt.canary("a secret in another file");
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n");
    let both = format!("-----BEGIN CERTIFICATE-----\n{secret}\n-----END CERTIFICATE-----\n{pem}");
    let item = sidecar("a").to_string().replace("\"a\"", &format!("{{\"password\":\"{secret}\""));
    let json = [format!("\"{secret}\""), format!("[\"{secret}\"]")];
    let version = format!("{{\"version\": \"{secret}\"}}");
    let texts = [secret.clone(), pem, both, item, version].into_iter().chain(json);
    for (number, text) in texts.enumerate() {
        let file = places.file(&format!("file-{number}"), &text);
        let repo = places.repo.path();
        for option in [
            "--ca-file",
            "--config",
            "--plan",
            "--schema",
            "--private-key-file",
            "--token-file",
            "--git-ca-file",
        ] {
            let mut command = places.program();
            command.arg("apply");
            match option {
                "--git-ca-file" => command.arg("https://127.0.0.1:9/x"),
                _ => command.arg(&repo),
            };
            command.args(["--endpoint=https://127.0.0.1:9", "--company-id=a", "--retry-for=0s"]);
            match option {
                "--schema" => command.arg("--schema").arg(format!("sidecar={}", file.display())),
                _ => command.arg(option).arg(&file),
            };
            match option {
                "--private-key-file" => command.args(["--client-id=i", "--key-id=k"]),
                "--token-file" => &mut command,
                _ => command.env("MARKETSYNC_TOKEN", "a-token"),
            };
            command.arg("--log-level=trace");
            let run = Running::start(command).end();
            assert_ne!(run.code, Some(0), "{option}: {run}");
            hunt.keep_run(option, &run);
        }
    }
    assert!(fs::read_dir(places.given.path()).unwrap().count() > 3);
    hunt.used("a secret in another file");
}
