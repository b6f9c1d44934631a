//! What the program proves itself with: to the marketplace, to a proxy, to a
//! git server, while each of them repeats it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::COLUMNS;
use super::echo::{At, Echo, Issued, Mode, PLACES, SHAPES, STATUSES, Shape};
use super::hunt::Hunt;
use crate::findings::{Findings, long, rounds};
use crate::support::cli::{Run, Running, program};
use crate::support::documents::{path, pretty, sidecar};
use crate::support::git_server::{self, Fault, GitServer};
use crate::support::market::COMPANY;
use crate::support::repo::Repo;

/// The key of a service account; what of it is searched for.
const KEY: &str = include_str!("../../it/support/client-key.pem");

/// Where the credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    SecretVariable,
    SecretFile,
    SecretMiactl,
    KeyVariable,
    KeyFile,
    KeyMiactl,
    TokenVariable,
    TokenFile,
}

const KINDS: [Kind; 8] = [
    Kind::SecretVariable,
    Kind::SecretFile,
    Kind::SecretMiactl,
    Kind::KeyVariable,
    Kind::KeyFile,
    Kind::KeyMiactl,
    Kind::TokenVariable,
    Kind::TokenFile,
];

pub(super) const LEVELS: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// A folder of the user's secrets, which is not searched, and one that is.
pub(super) struct Places {
    pub(super) home: TempDir,
    pub(super) given: TempDir,
    pub(super) repo: Repo,
}

impl Places {
    pub(super) fn new() -> Self {
        let repo = Repo::new();
        let item = sidecar("alpha");
        repo.write(&path(&item), pretty(&item));
        repo.commit("items");
        Self { home: TempDir::new().unwrap(), given: TempDir::new().unwrap(), repo }
    }

    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.given.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program with a folder for temporary files of its own.
    pub(super) fn program(&self) -> Command {
        let temporary = self.home.path().join("tmp");
        fs::create_dir_all(&temporary).unwrap();
        let mut command = program(self.home.path());
        command.env("TMPDIR", temporary).env("RUST_BACKTRACE", "1");
        command
    }
}

impl Kind {
    fn place(self) -> String {
        format!("{self:?}")
    }

    /// Puts a secret there.
    fn give(self, places: &Places, echo: &Echo, hunt: &mut Hunt, command: &mut Command) {
        let place = self.place();
        let endpoint = echo.server.url.to_string();
        let is_key = matches!(self, Self::KeyVariable | Self::KeyFile | Self::KeyMiactl);
        let secret = if is_key {
            // Of a line with signs in it, the part before the first.
            let lines = KEY.lines().filter(|line| {
                line.len() > 30 && line[..30].chars().all(|c| c.is_ascii_alphanumeric())
            });
            lines.for_each(|line| hunt.adopt(&place, &line[..30]));
            KEY.to_owned()
        } else {
            // What is written otherwise in a form, in JSON and in HTML.
            format!("{}{}", hunt.canary(&place), if self.is_token() { "/+=" } else { "/+&<\"%2" })
        };
        let from_options = !matches!(self, Self::SecretMiactl | Self::KeyMiactl);
        if from_options {
            command.args(["--endpoint", &endpoint, "--company-id", COMPANY]);
        }
        let file = places.file(&place, &format!("{secret}\n"));
        match self {
            Self::SecretVariable => {
                command.args(["--client-id", "id"]).env("MARKETSYNC_CLIENT_SECRET", secret);
            }
            Self::SecretFile => {
                command.args(["--client-id", "id", "--client-secret-file"]).arg(file);
            }
            Self::KeyVariable => {
                command.args(["--client-id", "id", "--key-id", "k"]);
                command.env("MARKETSYNC_PRIVATE_KEY", secret);
            }
            Self::KeyFile => {
                command.args(["--client-id", "id", "--key-id", "k", "--private-key-file"]);
                command.arg(file);
            }
            Self::TokenVariable => {
                command.env("MARKETSYNC_TOKEN", secret);
            }
            Self::TokenFile => {
                command.arg("--token-file").arg(file);
            }
            Self::SecretMiactl | Self::KeyMiactl => {
                let proof = if is_key {
                    format!("key-id: k, private-key-data: {}", STANDARD.encode(secret))
                } else {
                    format!("client-secret: '{secret}'")
                };
                let text = format!(
                    "current-context: c\ncontexts:\n  c: {{endpoint: '{endpoint}', company-id: \
                     {COMPANY}, credential: a}}\ncredentials:\n  a: {{client-id: id, {proof}}}\n"
                );
                command.env("MIACONFIG", places.file("miactl", &text));
            }
        }
    }

    fn is_token(self) -> bool {
        matches!(self, Self::TokenVariable | Self::TokenFile)
    }
}

/// The ways of a server that are tried.
fn modes() -> Vec<Mode> {
    let mut modes = vec![Mode::HARMLESS];
    for at in PLACES {
        for shape in SHAPES {
            for status in STATUSES {
                // The status of these is their own.
                let is_own = matches!(shape, Shape::Redirect | Shape::RedirectHost | Shape::Row);
                if !is_own || status == STATUSES[0] {
                    modes.push(Mode { at, status, shape });
                }
            }
        }
    }
    modes
}

/// The commands that speak to the marketplace.
fn commands(places: &Places) -> Vec<Vec<String>> {
    let repo = places.repo.path().display().to_string();
    let out = places.home.path().join("exported").display().to_string();
    let plan = places.home.path().join("plan.json").display().to_string();
    let commands: [&[&str]; 8] = [
        &["apply", &repo, "--retry-for=0s", "--drift=correct"],
        &["diff", &repo, "--out", &plan],
        &["apply", &repo, "--retry-for=0s", "--format=json", "--prune"],
        &["diff", &repo, "--format=json"],
        &["diff", &repo, "--format=markdown"],
        &["diff", &repo, "--format=html"],
        &["export", &out],
        &["export", &out, "--format=json"],
    ];
    commands.map(|command| command.iter().map(|word| (*word).to_owned()).collect()).into()
}

#[test]
fn no_credential_is_told_whatever_a_server_repeats() {
    let mut findings = Findings::begin("secrets-credentials", &COLUMNS);
    let mut chance = findings.chance();
    let runtime = Runtime::new().unwrap();
    let modes = modes();
    let (mut next, share) = (0, rounds(5, modes.len()));
    for kind in KINDS {
        let mut hunt = Hunt::new(&mut chance);
        let issued = Issued {
            access: hunt.canary(&format!("{kind:?}: access token")),
            refresh: hunt.canary(&format!("{kind:?}: refresh token")),
        };
        let echo = runtime.block_on(Echo::start(issued));
        let places = Places::new();
        let commands = commands(&places);
        let mut given = Command::new("x");
        kind.give(&places, &echo, &mut hunt, &mut given);
        for _ in 0..share {
            let mode = modes[if long() { next % modes.len() } else { chance.usize(..modes.len()) }];
            let mode = if next % share == 0 { Mode::HARMLESS } else { mode };
            let command = &commands[next % commands.len()];
            let level = if long() { LEVELS[next % LEVELS.len()] } else { LEVELS[next % 2] };
            let format = ["text", "json"][next % 2];
            next += 1;
            echo.set(mode);
            let mut run = places.program();
            run.args(command).args(["--log-level", level, "--log-format", format]);
            if command[0] == "apply" {
                let state = places.home.path().join(format!("state-{next}"));
                run.arg("--state").arg(state);
            }
            run.args(given.get_args());
            for (name, value) in given.get_envs() {
                run.env(name, value.unwrap());
            }
            let run = ended(run);
            hunt.keep_run(&format!("{command:?} {mode:?} {level} {format}"), &run);
        }
        let heard = echo.heard();
        hunt.used_in(&heard);
        if !heard_no_key(&heard) {
            hunt.used(&kind.place());
        }
        if kind.is_token() {
            hunt.used(&format!("{kind:?}: access token"));
        }
        // It is in every answer of the harmless mode, and in those of errors.
        hunt.used(&format!("{kind:?}: refresh token"));
        hunt.keep_folder("the home", places.home.path(), &[]);
        hunt.conclude(&mut findings);
    }
}

/// What a run says in its time: what passes is tried again for minutes.
fn ended(command: Command) -> Run {
    let longest = Duration::from_secs(if long() { 3 } else { 1 });
    let running = Running::start(command);
    let id = running.id().to_string();
    let (done, waiting) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        if waiting.recv_timeout(longest) == Err(RecvTimeoutError::Timeout) {
            // It may have ended meanwhile.
            drop(Command::new("kill").arg(id).stderr(Stdio::null()).status());
        }
    });
    let run = running.end();
    drop(done);
    watch.join().unwrap();
    run
}

/// Whether no assertion came: what a key is seen to work by.
fn heard_no_key(heard: &[u8]) -> bool {
    !String::from_utf8_lossy(heard).contains("client_assertion=ey")
}

#[test]
#[expect(clippy::too_many_lines, reason = "one place of a secret after the other")]
fn no_password_of_a_proxy_is_told() {
    let mut findings = Findings::begin("secrets-proxy", &COLUMNS);
    let mut chance = findings.chance();
    let runtime = Runtime::new().unwrap();
    let mut hunt = Hunt::new(&mut chance);
    let issued = Issued { access: hunt.canary("access token"), refresh: "unused".repeat(5) };
    let secret = hunt.canary("client secret");
    let password = hunt.canary("proxy password");
    let echo = runtime.block_on(Echo::start(issued));
    let places = Places::new();
    let proxy = echo.server.url.as_str().trim_end_matches('/');
    let repo = places.repo.path().display().to_string();
    let http = "http://console.example";
    let market = |endpoint: &str| -> Vec<String> {
        let words: [&str; 8] = [
            "apply",
            &repo,
            "--retry-for=0s",
            "--endpoint",
            endpoint,
            "--company-id=acme",
            "--client-id=id",
            "--drift=report",
        ];
        words.map(str::to_owned).into()
    };
    let remote = |url: &str| -> Vec<String> {
        ["apply", url, "--retry-for=0s", "--endpoint=embedded"].map(str::to_owned).into()
    };
    let status = |url: &str| vec!["status".to_owned(), format!("--url={url}")];
    let shapes = [Shape::Message, Shape::Text, Shape::Percent, Shape::Entities, Shape::Headers];
    let odd = format!("{password}%2B%26");
    for (number, shape) in shapes.into_iter().enumerate() {
        for at in
            if long() { PLACES[..4].to_vec() } else { vec![[At::Look, At::Token][number % 2]] }
        {
            echo.set(Mode { at, status: 407, shape });
            for (name, words) in [
                ("http", market(http)),
                ("https", market("https://console.example")),
                ("git over http", remote("http://git.example/a.git")),
                ("git over https", remote("https://git.example/a.git")),
                ("status", status(http)),
            ] {
                let mut run = places.program();
                run.args(&words).args(["--log-level=trace"]).env_remove("NO_PROXY");
                let with_user = proxy.replace("//", &format!("//user:{odd}@"));
                run.env("HTTP_PROXY", &with_user).env("https_proxy", &with_user);
                if words.iter().any(|word| word.starts_with("--client-id")) {
                    run.env("MARKETSYNC_CLIENT_SECRET", &secret);
                }
                let run = Running::start(run).end();
                assert_ne!(run.code, Some(0), "{name}: {run}");
                hunt.keep_run(&format!("{name} {at:?} {shape:?}"), &run);
            }
        }
    }
    // Addresses that nobody can use.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [
        format!("http://user:{password}@bad host"),
        format!("socks5://user:{password}@{free}"),
        format!("ftp://user:{password}@{free}"),
        format!("http://user:{password}@{free}"),
        format!("http://user:{password}@[::1"),
        format!("user:{password}@{free}"),
    ] {
        let mut run = places.program();
        run.args(market("https://console.invalid")).arg("--log-level=trace");
        run.env_remove("NO_PROXY").env("HTTPS_PROXY", &address).env("ALL_PROXY", &address);
        run.env("MARKETSYNC_CLIENT_SECRET", &secret);
        hunt.keep_run(&address.replace(&password, "…"), &Running::start(run).end());
    }
    hunt.used_in(&echo.heard());
    hunt.keep_folder("the home", places.home.path(), &[]);
    hunt.conclude(&mut findings);
}

/// The ways in which a git server repeats the password.
fn repeats(password: &str) -> Vec<Fault> {
    let basic = STANDARD.encode(format!("me:{password}"));
    let line = |text: &str| format!("{:04x}{text}", text.len() + 4).into_bytes();
    let mut faults = vec![Fault::None];
    for text in [password, basic.as_str()] {
        faults.push(Fault::Instead(line(&format!("ERR no: password={text} is wrong\n"))));
        faults.push(Fault::Instead(line(&format!("{text}\n"))));
        faults.push(Fault::Instead(line(&format!("ERR {text}\n"))));
        let to = format!("https://u:{text}@elsewhere.example/{text}");
        faults.push(Fault::Status(302, vec![("location", to)]));
        let to = format!("https://{}.elsewhere.example/x", text.trim_end_matches('='));
        faults.push(Fault::Status(301, vec![("location", to)]));
        let challenge = format!("Basic realm=\"{text}\"");
        for status in [401, 403, 404, 500] {
            let headers =
                vec![("www-authenticate", challenge.clone()), ("retry-after", text.to_owned())];
            faults.push(Fault::Status(status, headers));
        }
        faults.push(Fault::Status(200, vec![("content-type", format!("text/{text}"))]));
    }
    faults
}

#[test]
fn no_git_password_is_told() {
    if git_server::backend().is_none() {
        return;
    }
    let mut findings = Findings::begin("secrets-git", &COLUMNS);
    let mut chance = findings.chance();
    let runtime = Runtime::new().unwrap();
    for is_file in [false, true] {
        let place = if is_file { "git password, file" } else { "git password, variable" };
        let mut hunt = Hunt::new(&mut chance);
        let password = hunt.canary(place);
        let places = Places::new();
        let root = places.repo.path().parent().unwrap().to_owned();
        let server = runtime.block_on(GitServer::http(&root));
        server.set(|settings| settings.password = Some(format!("me:{password}")));
        let file = places.file("git", &format!("{password}\n"));
        for (number, fault) in repeats(&password).into_iter().enumerate() {
            if !long() && number > 0 && number % 6 != usize::from(is_file) {
                continue;
            }
            for refs in [true, false] {
                let name = format!("{fault:?} for refs {refs}").replace(&password, "…");
                server.set(|settings| {
                    (settings.refs, settings.posts) = if refs {
                        (fault.clone(), Fault::None)
                    } else {
                        (Fault::None, fault.clone())
                    }
                });
                let mut run = places.program();
                run.args(["apply", &server.url("checkout/.git"), "--endpoint=embedded"])
                    .args(["--git-username=me", "--retry-for=0s", "--log-level=trace"])
                    .arg("--state")
                    .arg(state(places.home.path(), number));
                if is_file {
                    run.arg("--git-password-file").arg(&file);
                } else {
                    run.env("MARKETSYNC_GIT_PASSWORD", &password);
                }
                let run = Running::start(run).end();
                if number == 0 {
                    assert_eq!(run.code, Some(0), "{run}");
                    hunt.used(place);
                }
                hunt.keep_run(&name, &run);
            }
        }
        hunt.keep_folder("the home", places.home.path(), &[]);
        hunt.conclude(&mut findings);
    }
}

/// The first is made once; each fault meets a clone that is there, or none.
fn state(home: &Path, number: usize) -> PathBuf {
    home.join(if number.is_multiple_of(3) { "state".to_owned() } else { format!("state-{number}") })
}
