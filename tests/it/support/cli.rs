//! The built program as a user runs it: a catalogue in a git repository, a
//! marketplace on loopback, a home folder of its own, and nothing of the
//! environment of whoever runs the tests.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use marketsync::embedded::{ConsoleVersion, Exchange, Handle, Route, Settings, Switches};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::documents::{path, pretty};
use crate::support::market::{COMPANY, Market, key};
use crate::support::repo::Repo;

/// The longest that one run may take; one that takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// The calls that change the marketplace.
const WRITES: [Route; 3] = [Route::Apply, Route::Upload, Route::Delete];

/// What a run of the program left.
#[must_use]
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
}

/// A run whose exit code was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Ended(Run);

impl Deref for Ended {
    type Target = Run;

    fn deref(&self) -> &Run {
        &self.0
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Run {
    /// The same, if it ended so.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "{self}");
        Ended(self)
    }

    /// stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|why| panic!("stdout is no JSON: {why}\n{self}"))
    }

    /// The log, each line of which must be a JSON object.
    #[track_caller]
    pub(crate) fn log(&self) -> Vec<Value> {
        let parse = |line: &str| {
            serde_json::from_str(line)
                .unwrap_or_else(|why| panic!("a log line is no JSON: {why}: {line}\n{self}"))
        };
        self.stderr.lines().map(parse).collect()
    }

    /// The lines of the log with this message, as `item version`, in order.
    #[track_caller]
    pub(crate) fn said(&self, message: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut said: Vec<String> = self
            .lines(message)
            .iter()
            .map(|line| format!("{} {}", text(&line["item_id"]), text(&line["version"])))
            .collect();
        said.sort();
        said
    }

    /// The lines of the log with this message.
    #[track_caller]
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["message"] == message).collect()
    }

    /// The one line of the log with this message.
    #[track_caller]
    pub(crate) fn line(&self, message: &str) -> Value {
        let lines = self.lines(message);
        assert_eq!(lines.len(), 1, "lines `{message}`:\n{self}");
        lines[0].clone()
    }

    /// Whether the log or the last words hold this text.
    #[track_caller]
    pub(crate) fn tells(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "nothing of `{text}` on stderr:\n{self}");
        self
    }

    /// The same of stdout.
    #[track_caller]
    pub(crate) fn prints(&self, text: &str) -> &Self {
        assert!(self.stdout.contains(text), "nothing of `{text}` on stdout:\n{self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A run that has not ended.
pub(crate) struct Running {
    child: Child,
    output: mpsc::Receiver<(bool, String)>,
}

impl Running {
    /// Starts a command.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, output) = mpsc::channel();
        let errors = sender.clone();
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            drop(sender.send((true, text)));
        });
        thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            drop(errors.send((false, text)));
        });
        Self { child, output }
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Run {
        self.end_within(PATIENCE)
    }

    /// The same for one that may take so long.
    pub(crate) fn end_within(mut self, patience: Duration) -> Run {
        let mut run = Run { stdout: String::new(), stderr: String::new(), code: None };
        for _ in 0..2 {
            match self.output.recv_timeout(patience) {
                Ok((true, text)) => run.stdout = text,
                Ok((false, text)) => run.stderr = text,
                Err(_) => {
                    self.child.kill().unwrap();
                    panic!("the program hangs");
                }
            }
        }
        run.code = self.child.wait().unwrap().code();
        run
    }
}

/// The program in an environment without anything, in a home of its own.
pub(crate) fn program(home: &Path) -> Command {
    // A packaged program can be put through the same tests.
    let built = || OsString::from(env!("CARGO_BIN_EXE_marketsync"));
    let mut command = Command::new(std::env::var_os("TESTED_MARKETSYNC").unwrap_or_else(built));
    command
        .env_clear()
        .current_dir(home)
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"))
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        // Loopback is never behind a proxy here.
        .env("NO_PROXY", "*");
    command
}

/// Runs the program with nothing but these arguments.
pub(crate) fn bare(home: &Path, args: &[&str]) -> Run {
    let mut command = program(home);
    command.args(args);
    Running::start(command).end()
}

/// A catalogue, a marketplace and a home.
pub(crate) struct Bench {
    pub(crate) repo: Repo,
    pub(crate) market: Market,
    pub(crate) home: TempDir,
    /// Where the marketplace runs.
    _runtime: Runtime,
}

impl Bench {
    /// An empty catalogue and an empty marketplace.
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    /// The same with settings of the marketplace.
    pub(crate) fn with(settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let market = runtime.block_on(Market::start_signed_out(settings));
        Self { repo: Repo::new(), market, home: TempDir::new().unwrap(), _runtime: runtime }
    }

    /// The same as another Console.
    pub(crate) fn console(version: &str) -> Self {
        Self::with(Settings {
            console: version.parse::<ConsoleVersion>().unwrap(),
            ..Settings::default()
        })
    }

    /// The same with switches.
    pub(crate) fn switched(console: &str, switches: Switches) -> Self {
        Self::with(Settings { console: console.parse().unwrap(), switches, ..Settings::default() })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.market.handle
    }

    /// Where the state is kept.
    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("kept")
    }

    /// Forgets all that was done.
    pub(crate) fn forget(&self) {
        fs::remove_dir_all(self.state()).unwrap();
    }

    /// `apply` of a source, with the log as JSON.
    pub(crate) fn command(&self, source: &Path, args: &[&str]) -> Command {
        let mut command = program(self.home.path());
        command
            .env("MARKETSYNC_CLIENT_SECRET", "secret")
            .arg("apply")
            .arg(source)
            .args(["--endpoint", &self.market.url, "--company-id", COMPANY, "--client-id", "id"])
            .arg("--state")
            .arg(self.state())
            .args(["--log-format", "json"])
            .args(args);
        command
    }

    /// Applies the checkout; the log of the marketplace begins anew.
    pub(crate) fn apply(&self, args: &[&str]) -> Run {
        self.apply_from(&self.repo.path(), args)
    }

    /// Applies another source.
    pub(crate) fn apply_from(&self, source: &Path, args: &[&str]) -> Run {
        self.start(source, args).end()
    }

    /// Begins to apply.
    pub(crate) fn start(&self, source: &Path, args: &[&str]) -> Running {
        self.handle().clear_log();
        Running::start(self.command(source, args))
    }

    /// `status`, as JSON.
    pub(crate) fn status(&self) -> Value {
        bare(
            self.home.path(),
            &["status", "--state", self.state().to_str().unwrap(), "--format", "json"],
        )
        .json()
    }

    /// `item version` → the last result, as the state file has them.
    pub(crate) fn recorded(&self) -> BTreeMap<String, Value> {
        let status = self.status();
        let items = status["items"].as_array().unwrap().iter();
        let name = |item: &Value| {
            format!("{} {}", item["itemId"].as_str().unwrap(), item["version"].as_str().unwrap())
        };
        items.map(|item| (name(item), item.clone())).collect()
    }

    /// Writes items, each into a file of its own, and commits them.
    pub(crate) fn commit(&self, items: &[Value]) -> String {
        for item in items {
            self.repo.write(&path(item), pretty(item));
        }
        self.repo.commit("items")
    }

    /// An item as the marketplace has it.
    pub(crate) fn stored(&self, item_id: &str, version: &str) -> Option<Value> {
        self.handle().item(COMPANY, &key(item_id, version))
    }

    /// The names of all that the marketplace has, `item version`.
    pub(crate) fn names(&self) -> Vec<String> {
        let prefix = format!("{COMPANY} ");
        self.handle()
            .items()
            .keys()
            .map(|name| name.strip_prefix(&prefix).unwrap_or(name).to_owned())
            .collect()
    }

    /// The requests of the last run.
    pub(crate) fn calls(&self) -> Vec<Exchange> {
        self.handle().log()
    }

    /// Those that change something.
    pub(crate) fn writes(&self) -> Vec<Exchange> {
        self.calls().into_iter().filter(|call| WRITES.contains(&call.route)).collect()
    }

    /// The items that were sent by the last run, in order.
    pub(crate) fn sent(&self) -> Vec<String> {
        let applies = self.calls().into_iter().filter(|call| call.route == Route::Apply);
        applies.flat_map(|call| call.items).collect()
    }

    /// Asserts that the last run asked the marketplace nothing at all.
    #[track_caller]
    pub(crate) fn asked_nothing(&self) {
        let calls: Vec<String> =
            self.calls().iter().map(|call| format!("{} {}", call.method, call.target)).collect();
        assert_eq!(calls, Vec::<String>::new());
    }
}

/// Waits until a condition holds.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at a condition in another process"
)]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never came to this: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The last words of a program that could not do its work.
#[track_caller]
pub(crate) fn complains(run: &Run, words: &[&str]) {
    let stderr = run.stderr.to_lowercase();
    assert!(stderr.contains("error"), "{run}");
    for word in words {
        assert!(stderr.contains(&word.to_lowercase()), "nothing of `{word}`:\n{run}");
    }
}
