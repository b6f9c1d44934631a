//! `marketsync run` as a process beside the test: its log as it grows, and
//! what it answers to the outside.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::cli::{Bench, Ended, Run, program};
use crate::support::market::COMPANY;

/// How long a condition may take to come true; the longest pause of a backoff
/// that a test waits for fits in, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(45);

/// Only events wake it.
pub(crate) const EVENTS: &[&str] = &["--poll-every=1h", "--drift=off"];

/// A short beat for everything.
pub(crate) const BEATS: &[&str] =
    &["--poll-every=100ms", "--drift-every=200ms", "--drift-rate=1000", "--fetch-every=200ms"];

/// The command that follows `source`, with the log as JSON.
pub(crate) fn command(bench: &Bench, source: impl AsRef<OsStr>, args: &[&str]) -> Command {
    let state = bench.state();
    command_of(bench.home.path(), &bench.market.url, &state, source, args)
}

/// The same for any marketplace and any state.
pub(crate) fn command_of(
    home: &Path,
    endpoint: &str,
    state: &Path,
    source: impl AsRef<OsStr>,
    args: &[&str],
) -> Command {
    let mut command = program(home);
    command
        .env("MARKETSYNC_CLIENT_SECRET", "secret")
        .arg("run")
        .arg(source)
        .args(["--endpoint", endpoint, "--company-id", COMPANY, "--client-id", "id"])
        .arg("--state")
        .arg(state)
        .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
        .args(args);
    command
}

/// A running daemon; it is killed when the test lets go of it.
pub(crate) struct Daemon {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<Value>>>,
    reader: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Follows the checkout; the log of the marketplace begins anew.
    #[track_caller]
    pub(crate) fn follow(bench: &Bench, args: &[&str]) -> Self {
        Self::of(bench, bench.repo.path(), args)
    }

    /// The same with another source.
    #[track_caller]
    pub(crate) fn of(bench: &Bench, source: impl AsRef<OsStr>, args: &[&str]) -> Self {
        bench.handle().clear_log();
        Self::start(command(bench, source, args))
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let log: Arc<Mutex<Vec<Value>>> = Arc::default();
        let written = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                // What is no JSON is kept too, for `whole` to complain about.
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                written.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut daemon = Self { child, address, log, reader: Some(reader) };
        daemon.until("it listens", |daemon| !daemon.lines("Listening").is_empty());
        daemon.address = daemon.line("Listening")["address"].as_str().unwrap().parse().unwrap();
        daemon
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the log so far; from now on it begins with what comes next.
    pub(crate) fn take_log(&self) -> Vec<Value> {
        std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The lines with this message.
    pub(crate) fn lines(&self, message: &str) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["message"] == message).collect()
    }

    /// The one line with this message.
    #[track_caller]
    pub(crate) fn line(&self, message: &str) -> Value {
        let lines = self.lines(message);
        assert_eq!(lines.len(), 1, "lines `{message}`:\n{self}");
        lines[0].clone()
    }

    /// The items of the lines with this message, in the order of the log.
    pub(crate) fn said(&self, message: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.lines(message)
            .iter()
            .map(|line| format!("{} {}", text(&line["item_id"]), text(&line["version"])))
            .collect()
    }

    /// How many lines hold this text in any field.
    pub(crate) fn mentions(&self, text: &str) -> usize {
        let text = text.to_lowercase();
        self.log().iter().filter(|line| line.to_string().to_lowercase().contains(&text)).count()
    }

    /// Waits until a condition holds.
    #[track_caller]
    #[expect(
        clippy::disallowed_methods,
        reason = "between two looks at a condition in another process"
    )]
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "it never came to this: {what}\n{self}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it said so of this item, at least so often.
    #[track_caller]
    pub(crate) fn says(&self, message: &str, item: &str, times: usize) {
        self.until(&format!("{times} times {message} {item}"), |daemon| {
            daemon.said(message).iter().filter(|said| *said == item).count() >= times
        });
    }

    /// Waits until it is ready.
    #[track_caller]
    pub(crate) fn ready(&self) -> &Self {
        self.until("it is ready", |daemon| daemon.get("/readyz").0 == 200);
        self
    }

    /// Waits until so many more passes of this kind have come to an end; a
    /// kind is a part of the labels of `reconcile_total`, such as `drift`.
    #[track_caller]
    pub(crate) fn passes(&self, kind: &str, more: u32) {
        let count = |daemon: &Self| -> f64 {
            let series = daemon.metrics().into_iter();
            let passes = series.filter(|(name, _)| name.starts_with("marketsync_reconcile_total{"));
            passes.filter(|(name, _)| name.contains(kind)).map(|(_, value)| value).sum()
        };
        let before = count(self);
        self.until(&format!("{more} more passes of `{kind}`"), |daemon| {
            count(daemon) >= before + f64::from(more)
        });
    }

    /// Waits until a pass over this commit has come to its end.
    #[track_caller]
    pub(crate) fn settles(&self, commit: &str) {
        self.until(&format!("it has read {commit}"), |daemon| daemon.status()["commit"] == commit);
        self.until("that pass ends", |daemon| {
            daemon
                .lines("Reconciled")
                .iter()
                .any(|line| line["commit"].as_str().is_some_and(|short| commit.starts_with(short)))
        });
    }

    /// The answer to a GET: code and body.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
    }

    /// Sends these bytes and reads until it has closed; code 0 if nobody
    /// answers.
    #[track_caller]
    pub(crate) fn ask(&self, request: &[u8]) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(self.address) else {
            return (0, String::new());
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        if stream.write_all(request).and_then(|()| stream.read_to_string(&mut text)).is_err() {
            return (0, String::new());
        }
        let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (code, body.to_owned())
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `/status`; null if it does not answer.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.get("/status").1).unwrap_or_default()
    }

    /// Every series of `/metrics`.
    #[track_caller]
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let (_, body) = self.get("/metrics");
        let lines = body.lines().filter(|line| !line.starts_with('#'));
        let parts = lines.filter_map(|line| line.rsplit_once(' '));
        parts.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    /// One series; 0 if it is not there.
    #[track_caller]
    pub(crate) fn metric(&self, series: &str) -> u64 {
        let value = self.metrics().get(series).copied().unwrap_or(0.0);
        format!("{value}").parse().unwrap_or_else(|_| panic!("{series} is {value}"))
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for its end; the log is then complete.
    #[track_caller]
    pub(crate) fn end(mut self) -> Run {
        let began = Instant::now();
        let reader = self.reader.take().unwrap();
        // Its log ends when it does.
        self.until("it ends", |_| reader.is_finished());
        reader.join().unwrap();
        let status = self.child.wait().unwrap();
        assert!(began.elapsed() < PATIENCE, "it hangs:\n{self}");
        let text = |line: &Value| line.as_str().map_or_else(|| line.to_string(), str::to_owned);
        let stderr: Vec<String> = self.log().iter().map(text).collect();
        Run { stdout: String::new(), stderr: stderr.join("\n"), code: status.code() }
    }

    /// Ends it as `systemd` and Kubernetes do; it must end well.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        self.end().exits(0)
    }

    /// Ends it as nobody should.
    #[track_caller]
    pub(crate) fn kill(self) -> Run {
        self.signal("KILL");
        self.end()
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.log() {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
