//! The daemon with all of its secrets at once, and everything around it that
//! somebody else can read.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use aws_lc_rs::hmac;

use super::COLUMNS;
use super::credentials::{LEVELS, Places};
use super::echo::{At, Echo, Issued, Mode, SHAPES, STATUSES};
use super::hunt::Hunt;
use crate::findings::{Findings, long};
use crate::fuzzed::webhook::hex;
use crate::support::daemon::{BEATS, Daemon};
use crate::support::front::call;
use crate::support::git_server::{self, GitServer};
use crate::support::market::COMPANY;
use crate::support::sshd::{self, Sshd};

#[test]
#[expect(clippy::too_many_lines, reason = "one place of a secret after the other")]
fn the_daemon_tells_none_of_its_secrets() {
    if git_server::backend().is_none() {
        return;
    }
    let mut findings = Findings::begin("secrets-daemon", &COLUMNS);
    let mut chance = findings.chance();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (round, level) in LEVELS.iter().enumerate() {
        // A daemon that listens is found by a line of level info.
        if round > 0 && !long() || matches!(*level, "warn" | "error") {
            break;
        }
        let mut hunt = Hunt::new(&mut chance);
        let issued =
            Issued { access: hunt.canary("access token"), refresh: hunt.canary("refresh token") };
        let secret = hunt.canary("client secret, file");
        let hook = hunt.canary("secret of the webhook");
        let password = hunt.canary("git password, file");
        let echo = runtime.block_on(Echo::start(issued));
        let places = Places::new();
        let server = runtime.block_on(GitServer::http(places.repo.path().parent().unwrap()));
        server.set(|settings| settings.password = Some(format!("me:{password}")));
        let mut command = places.program();
        command
            .args(["run", &server.url("checkout/.git"), "--git-username=me"])
            .arg("--git-password-file")
            .arg(places.file("git", &password))
            .arg("--hook-secret-file")
            .arg(places.file("hook", &hook))
            .arg("--client-secret-file")
            .arg(places.file("client", &secret))
            .args(["--endpoint", echo.server.url.as_str(), "--company-id", COMPANY])
            .args(["--client-id=id", "--listen=127.0.0.1:0", "--log-format=json"])
            .args(["--log-level", level, "--drift=report"])
            .args(BEATS);
        let daemon = Daemon::start(command);
        daemon.ready();
        for (name, wanted) in [("wrong", 401), ("right", 202)] {
            let key = if name == "right" { hook.as_str() } else { "another" };
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
            let mac = hex(hmac::sign(&key, b"{}").as_ref());
            let place = format!("HMAC of a call, {name}");
            hunt.adopt(&place, &mac[..32]);
            let proof = format!("sha256={mac}");
            let (code, body) = daemon.ask(&call(&[("x-hub-signature-256", &proof)], b"{}"));
            assert_eq!(code, wanted, "{body}");
            hunt.used(&place);
            hunt.keep("/hook", body);
        }
        let (code, body) = daemon.ask(&call(&[("x-gitlab-token", &hook)], b""));
        assert_eq!(code, 202, "{body}");
        hunt.used("secret of the webhook");
        hunt.keep("/hook", body);
        let faults = if long() { STATUSES.to_vec() } else { vec![401, 500] };
        for (number, status) in faults.into_iter().enumerate() {
            let at = [At::Look, At::Token][number % 2];
            echo.set(Mode { at, status, shape: SHAPES[number % SHAPES.len()] });
            daemon.passes("", 1);
            for path in ["/status", "/status?items=true", "/metrics", "/healthz", "/readyz", "/x"] {
                hunt.keep(path, daemon.get(path).1);
            }
        }
        hunt.used_in(&echo.heard());
        hunt.used("git password, file");
        hunt.used("refresh token");
        for name in ["cmdline", "environ", "limits", "status", "maps"] {
            let bytes = fs::read(format!("/proc/{}/{name}", daemon.id())).unwrap_or_default();
            hunt.keep(&format!("/proc: {name}"), bytes);
        }
        daemon.signal("TERM");
        let run = daemon.end();
        hunt.keep_run("run", &run);
        hunt.keep_folder("the home", places.home.path(), &[]);
        hunt.conclude(&mut findings);
    }
}

#[test]
fn the_embedded_marketplace_tells_no_secret_of_its_clients() {
    let mut findings = Findings::begin("secrets-marketplace", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let places = Places::new();
    let data = places.home.path().join("data.jsonl");
    for format in ["text", "json"] {
        let secret = hunt.canary(&format!("client secret, {format}"));
        let password = hunt.canary(&format!("content, {format}"));
        let item = crate::support::documents::set(
            crate::support::documents::sidecar("beta"),
            "/description",
            format!("https://u:{password}@h/{format}"),
        );
        places.repo.write("items/beta.json", item.to_string()).commit(format);
        let mut command = places.program();
        command.args(["marketplace", "--listen=127.0.0.1:0", "--control", "--data"]).arg(&data);
        command.args(["--log-level=trace", "--log-format", format]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let mut run = places.program();
        run.arg("apply").arg(places.repo.path()).args(["--endpoint", line.trim()]);
        run.args(["--company-id", COMPANY, "--client-id=id", "--retry-for=0s"]);
        run.env("MARKETSYNC_CLIENT_SECRET", &secret);
        let run = crate::support::cli::Running::start(run).end().exits(0);
        hunt.used(&format!("client secret, {format}"));
        hunt.keep_run("apply", &run);
        let ended = Command::new("kill").arg(child.id().to_string()).status().unwrap();
        assert!(ended.success());
        let out = child.wait_with_output().unwrap();
        hunt.keep("marketplace, stderr", out.stderr);
        hunt.keep("marketplace, stdout", line);
        // Its items, which it is made to keep.
        hunt.used_in(&fs::read(&data).unwrap());
    }
    hunt.keep_folder("the home", places.home.path(), &["data.jsonl"]);
    hunt.conclude(&mut findings);
}

/// Parts of a key file that stand in no other.
fn adopt_key(hunt: &mut Hunt, place: &str, text: &str) {
    let words = text.lines().filter(|line| !line.starts_with('-'));
    let letters: String = words.collect::<String>();
    let long = letters.split(|c: char| !c.is_ascii_alphanumeric());
    // What all keys begin with is no secret.
    long.filter(|part| part.len() >= 24).skip(1).for_each(|part| hunt.adopt(place, &part[..24]));
}

#[test]
#[ignore = "needs sshd: tests/prove/run"]
fn no_ssh_key_is_told() {
    if !sshd::is_there() {
        return;
    }
    let mut findings = Findings::begin("secrets-ssh", &COLUMNS);
    let mut hunt = Hunt::new(&mut findings.chance());
    let places = Places::new();
    let server = Sshd::start(places.given.path(), "");
    let known = server.known_hosts("host");
    let key = server.client_key();
    let place = "SSH key";
    adopt_key(&mut hunt, place, &fs::read_to_string(&key).unwrap());
    let other = places.given.path().join("other");
    sshd::make_key(&other, "ed25519");
    adopt_key(&mut hunt, "SSH key that is not registered", &fs::read_to_string(&other).unwrap());
    let word = hunt.canary("passphrase");
    let locked = places.given.path().join("locked");
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", &word, "-f"]).arg(&locked);
    assert!(keygen.status().unwrap().success());
    adopt_key(&mut hunt, "SSH key behind a passphrase", &fs::read_to_string(&locked).unwrap());
    let url = server.url(&places.repo.path());
    for (number, (key, known, code)) in [
        (&key, &known, 0),
        (&other, &known, 2),
        (&locked, &known, 2),
        // A key in the place of something else.
        (&key, &key, 2),
        (&known, &known, 2),
    ]
    .into_iter()
    .enumerate()
    {
        let mut run = places.program();
        run.args(["apply", &url, "--endpoint=embedded", "--retry-for=0s", "--log-level=trace"]);
        run.arg("--ssh-key-file").arg(key).arg("--known-hosts-file").arg(known);
        run.arg("--state").arg(places.home.path().join(format!("state-{number}")));
        let run = crate::support::cli::Running::start(run).end();
        assert_eq!(run.code, Some(code), "{run}");
        hunt.keep_run(&format!("apply {number}"), &run);
    }
    for place in
        [place, "SSH key that is not registered", "SSH key behind a passphrase", "passphrase"]
    {
        hunt.used(place);
    }
    hunt.keep_folder("the home", places.home.path(), &[]);
    hunt.conclude(&mut findings);
}
