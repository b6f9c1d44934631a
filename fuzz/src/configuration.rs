//! A configuration file, the environment and the command line: any of them
//! gives a configuration or says what is wrong, and no secret is shown.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::Parser as _;
use marketsync::cli::Cli;
use marketsync::config::{Environment, SETTINGS, resolve};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::parts::Parts;

/// What must not be shown.
const CANARY: &str = "cAnArY-5ecret-0f-the-configuration";

/// What a command needs besides.
const COMMANDS: [&[&str]; 10] = [
    &["apply"],
    &["run"],
    &["diff"],
    &["diff", "--against", "live"],
    &["validate"],
    &["status"],
    &["history", "a"],
    &["export", "out"],
    &["marketplace"],
    &["apply", "--client-id", "i"],
];

/// The secrets that the environment may hold.
const SECRETS: [&str; 5] = ["TOKEN", "CLIENT_SECRET", "PRIVATE_KEY", "GIT_PASSWORD", "HOOK_SECRET"];

/// One case: a byte for the command, one for the secrets that are given, one
/// for where else a secret stands; then the text of the file, and variables as
/// `NAME=VALUE` without their prefix, with zeros between them.
pub fn check(data: &[u8]) {
    thread_local! {
        static HOME: TempDir = TempDir::new().unwrap();
    }
    HOME.with(|home| case(home.path(), data));
}

fn case(home: &Path, data: &[u8]) {
    let mut parts = Parts::of(data);
    let command = COMMANDS[usize::from(parts.byte()) % COMMANDS.len()];
    let (given, elsewhere) = (parts.byte(), parts.byte());
    let text = parts.text();
    let mut environment = Environment::new();
    for (bit, name) in SECRETS.iter().enumerate() {
        if given >> bit & 1 == 1 {
            environment.insert(format!("MARKETSYNC_{name}"), CANARY.to_owned());
        }
    }
    while !parts.is_empty() && environment.len() < 20 {
        let variable = parts.text();
        let (name, value) = variable.split_once('=').unwrap_or((&variable, "1"));
        if !SECRETS.contains(&name) && name != "CONFIG" {
            environment.insert(format!("MARKETSYNC_{name}"), value.to_owned());
        }
    }
    let text = put_elsewhere(elsewhere, &text, &mut environment, home);
    let file = home.join("marketsync.yaml");
    fs::write(&file, text).unwrap();
    environment.insert("HOME".to_owned(), home.display().to_string());
    environment.insert("MARKETSYNC_CONFIG".to_owned(), file.display().to_string());
    let cli =
        Cli::try_parse_from(["marketsync"].iter().chain(command)).expect("a good command line");
    let told = match resolve(&cli, &environment) {
        Ok(config) => format!("{config:?} {:#?} {:?}", config.job, config.notices),
        Err(why) => {
            let mut told = format!("{why} {why:?} {:?}", why.hint());
            let mut cause = why.source();
            while let Some(next) = cause {
                let _ = write!(told, " {next} {next:?}");
                cause = next.source();
            }
            told
        }
    };
    assert!(!told.contains(CANARY), "a secret is shown: {told}");
}

/// A secret where people put one by mistake, or where miactl has it. What is
/// around it is chosen by the case, as far as it does not make the secret
/// something else.
fn put_elsewhere(kind: u8, text: &str, environment: &mut Environment, home: &Path) -> String {
    let miactl = home.join(".config/miactl/config");
    let _ = fs::remove_file(&miactl);
    let safe: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(30).collect();
    let set = |environment: &mut Environment, name: &str, value: String| {
        environment.insert(format!("MARKETSYNC_{name}"), value);
    };
    match kind {
        1 => set(environment, "ENDPOINT", format!("https://{safe}:{CANARY}@h/{safe}")),
        2 => set(environment, "ENDPOINT", format!("https://{CANARY}@{safe}")),
        3 => set(environment, "SOURCE", format!("https://{safe}:{CANARY}@{safe}/a.git")),
        4 => set(environment, "SOURCE", format!("https://{CANARY}@{safe}/a.git")),
        5 => set(environment, "SOURCE", format!("ssh://{safe}:{CANARY}@{safe}/a.git")),
        6 => {
            fs::create_dir_all(home.join(".config/miactl")).unwrap();
            fs::write(&miactl, miactl_file(text).to_string()).unwrap();
            environment.retain(|name, _| !name.starts_with("MARKETSYNC_"));
            return String::new();
        }
        7 => {
            // A setting that there is not, or not here, with a secret.
            let name = SETTINGS.get(text.len() % (SETTINGS.len() + 8)).unwrap_or(&"client_secret");
            let name = format!("{name}_secret");
            return json!({ name: CANARY, "company_id": text }).to_string();
        }
        _ => {}
    }
    text.to_owned()
}

/// A file as miactl writes it, with secrets where it has them. The lines of
/// `text` are the other values, or how the secret is given.
fn miactl_file(text: &str) -> Value {
    let mut lines = text.lines();
    let mut next = || Value::from(lines.next().unwrap_or("a"));
    // JSON in a line is that value: texts are not all that can stand there.
    let read = |value: Value| {
        value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(value)
    };
    let context = json!({
        "endpoint": read(next()), "company-id": read(next()), "credential": "c",
        "certificate-authority": read(next()), "insecure-skip-tls-verify": read(next()),
    });
    let encoded = "Y0FuQXJZLTVlY3JldC0wZi10aGUtY29uZmlndXJhdGlvbg==";
    let secret = |kind: &Value| match kind.as_str() {
        Some("list") => json!([CANARY]),
        Some("map") => json!({ CANARY: CANARY }),
        Some("number") => json!(1_234_567_890_123_u64),
        _ => json!(CANARY),
    };
    let kind = next();
    let account = match kind.as_str() {
        Some("key") => {
            json!({"client-id": read(next()), "key-id": read(next()), "private-key-data": encoded})
        }
        Some("bad key") => json!({"client-id": "i", "key-id": "k", "private-key-data": CANARY}),
        Some("both") => {
            json!({"client-id": read(next()), "client-secret": CANARY, "private-key-data": CANARY})
        }
        _ => json!({"client-id": read(next()), "client-secret": secret(&kind)}),
    };
    json!({"current-context": "x", "contexts": {"x": context}, "credentials": {"c": account, CANARY: {}}})
}
