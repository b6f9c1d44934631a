//! What `Debug` and `Display` say of everything that can be built with a secret
//! in it: values, errors and their causes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;

use clap::Parser as _;
use marketsync::cli::Cli;
use marketsync::config;
use marketsync::domain::canon::Generation;
use marketsync::edge::git::remote::{Access, Limits, Remote, RemoteOptions, RemoteUrl, Wanted};
use marketsync::edge::hook::Hook;
use marketsync::edge::marketplace::{Connection, Credential, Marketplace, Patience};
use marketsync::edge::secret::Secret;
use marketsync::edge::secrets::Secrets;
use marketsync::embedded;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

use super::COLUMNS;
use super::echo::{At, Echo, Issued, Mode, PLACES, SHAPES, STATUSES};
use super::hunt::Hunt;
use crate::findings::{Findings, rounds};
use crate::support::domain::key;
use crate::support::git_server::{self, Fault, GitServer};

/// Both forms of it.
fn keep(hunt: &mut Hunt, what: &str, value: &impl Debug) {
    hunt.keep(&format!("{what} {{:?}}"), format!("{value:?}"));
    hunt.keep(&format!("{what} {{:#?}}"), format!("{value:#?}"));
}

fn keep_error(hunt: &mut Hunt, what: &str, error: &(dyn Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        hunt.keep(what, format!("{error} {error:?} {error:#?}"));
        next = error.source();
    }
}

#[test]
fn no_configuration_shows_a_secret() {
    let mut findings = Findings::begin("secrets-debug-config", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let at = ["--endpoint=https://h", "--company-id=a", "--state=/tmp/nowhere"];
    let remote = ["https://me@git.example/x", "--git-username=me"];
    for (variable, more) in [
        ("MARKETSYNC_CLIENT_SECRET", &["--client-id=i"][..]),
        ("MARKETSYNC_PRIVATE_KEY", &["--client-id=i", "--key-id=k"][..]),
        ("MARKETSYNC_TOKEN", &[][..]),
    ] {
        let secret = hunt.canary(variable);
        let (password, hook) = (hunt.canary("git password"), hunt.canary("hook"));
        let environment: BTreeMap<String, String> = [
            (variable, &secret),
            ("MARKETSYNC_GIT_PASSWORD", &password),
            ("MARKETSYNC_HOOK_SECRET", &hook),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into();
        for command in ["run", "apply", "diff", "export", "validate"] {
            let source: &[&str] = match command {
                "run" | "apply" => &remote,
                "validate" => &["."],
                "export" => &["out"],
                _ => &[],
            };
            let connect: &[&str] = if command == "validate" { &[] } else { &at };
            let more = if command == "validate" { &[] } else { more };
            let words = [&["marketsync", command], source, connect, more].concat();
            let cli = Cli::try_parse_from(words).unwrap();
            keep(&mut hunt, "Cli", &cli);
            let config = config::resolve(&cli, &environment).unwrap();
            if command == "run" {
                let seen = format!("{config:?}");
                assert!(seen.matches("REDACTED").count() >= 3, "{seen}");
                for place in ["git password", "hook", variable] {
                    hunt.used(place);
                }
            }
            keep(&mut hunt, command, &config);
        }
    }
    hunt.conclude(&mut findings);
}

#[test]
fn no_client_shows_a_secret() {
    let mut findings = Findings::begin("secrets-debug-client", &COLUMNS);
    let mut chance = findings.chance();
    let mut hunt = Hunt::new(&mut chance);
    let runtime = Runtime::new().unwrap();
    let issued =
        Issued { access: hunt.canary("access token"), refresh: hunt.canary("refresh token") };
    let secret = hunt.canary("client secret");
    let echo = runtime.block_on(Echo::start(issued));
    let credential = || Credential::Basic {
        client_id: "id".to_owned(),
        secret: Secret::Text(secret.as_str().into()),
    };
    let all = rounds(30, 600);
    for number in 0..all {
        let connection = Connection {
            endpoint: echo.server.url.clone(),
            company: "acme".to_owned(),
            credential: credential(),
            ca_file: None,
            patience: Patience::default(),
        };
        keep(&mut hunt, "Connection", &connection);
        let market = Marketplace::new(connection).unwrap();
        echo.set(Mode {
            at: PLACES[number % 2],
            status: STATUSES[chance.usize(..STATUSES.len())],
            shape: SHAPES[chance.usize(..SHAPES.len())],
        });
        if number == 0 {
            echo.set(Mode { at: At::Nowhere, ..Mode::HARMLESS });
        }
        match runtime.block_on(market.generation()) {
            Ok(Generation::New | Generation::Legacy) => {}
            Err(error) => keep_error(&mut hunt, "CallError", &error),
        }
        keep(&mut hunt, "Secrets", &market.secrets());
    }
    hunt.used_in(&echo.heard());
    hunt.used("refresh token");
    let mut secrets = Secrets::default();
    secrets.note(&secret);
    keep(&mut hunt, "Secrets", &secrets);
    keep(&mut hunt, "Secret", &Secret::Text(secret.as_str().into()));
    let called = Arc::new(Notify::new());
    keep(&mut hunt, "Hook", &Hook { secret: Secret::Text(secret.as_str().into()), called });
    let client =
        embedded::Client { id: "id".to_owned(), secret: Some(secret.as_str().into()), key: None };
    let settings = embedded::Settings { clients: vec![client], ..Default::default() };
    keep(&mut hunt, "Settings", &settings);
    let handle = embedded::open(settings).unwrap();
    keep(&mut hunt, "Handle", &handle);
    let seen = format!("{handle:?}");
    assert!(!seen.contains("secret: ["), "the key that signs tokens is shown: {seen}");
    keep(&mut hunt, "an item key", &key("a", "NA"));
    hunt.conclude(&mut findings);
}

#[test]
fn no_remote_shows_a_secret() {
    if git_server::backend().is_none() {
        return;
    }
    let mut findings = Findings::begin("secrets-debug-remote", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let runtime = Runtime::new().unwrap();
    let home = tempfile::TempDir::new().unwrap();
    let (password, user) = (hunt.canary("git password"), hunt.canary("user in the address"));
    let server = runtime.block_on(GitServer::http(home.path()));
    let base = server.url("x").replace("//", &format!("//{user}@"));
    for fault in [
        Fault::Status(401, Vec::new()),
        Fault::Status(302, vec![("location", format!("https://u:{password}@h/{password}"))]),
        Fault::Instead(format!("0040ERR {password}").into_bytes()),
        Fault::Status(500, vec![("retry-after", password.clone())]),
    ] {
        server.set(|settings| settings.refs = fault);
        let url: RemoteUrl = base.parse().unwrap();
        keep(&mut hunt, "RemoteUrl", &url);
        hunt.keep("RemoteUrl {}", url.to_string());
        let access =
            Access { password: Some(Secret::Text(password.as_str().into())), ..Access::default() };
        keep(&mut hunt, "Access", &access);
        let options = RemoteOptions {
            url,
            wanted: Wanted::Head,
            access,
            dir: home.path().join("clones"),
            limits: Limits::default(),
        };
        keep(&mut hunt, "RemoteOptions", &options);
        let remote = Remote::open(options).unwrap();
        let (_stop, stopped) = watch::channel(false);
        let error = runtime.block_on(remote.fetch(stopped)).unwrap_err();
        keep_error(&mut hunt, "RemoteError", &error);
    }
    let proofs = server.seen();
    let header = proofs.iter().find_map(|(_, _, proof)| proof.clone()).unwrap();
    hunt.used_in(super::echo::plain(&header).as_bytes());
    hunt.conclude(&mut findings);
}

#[test]
fn no_address_that_is_refused_shows_its_password() {
    let mut findings = Findings::begin("secrets-debug-address", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let secret = hunt.canary("an address");
    for text in [
        format!("https://u:{secret}@h/x"),
        format!("https://u:{secret}@h:port/x"),
        format!("https://h/x?{secret}"),
        format!("ssh://u:{secret}@h/x"),
        format!("u:{secret}@h:x"),
        format!("git://{secret}@h/x"),
        format!("file://{secret}@h/x"),
        format!("{secret}://h/x"),
        secret.clone(),
    ] {
        if let Err(error) = text.parse::<RemoteUrl>() {
            keep_error(&mut hunt, "UrlError", &error);
            hunt.used("an address");
        }
        let endpoint = format!("--endpoint={text}");
        let words = ["marketsync", "apply", &endpoint, "--company-id=a", "--client-id=i"];
        let environment = [("MARKETSYNC_CLIENT_SECRET".to_owned(), "x".to_owned())].into();
        let cli = Cli::try_parse_from(words).unwrap();
        let is_scheme = text.starts_with(&secret);
        if let Err(error) = config::resolve(&cli, &environment)
            && !is_scheme
        {
            keep_error(&mut hunt, "ConfigError", &error);
        }
    }
    hunt.conclude(&mut findings);
}
