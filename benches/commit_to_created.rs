//! How long it takes from the exit of `git commit` to `Created` or `Updated`
//! in the log of `marketsync run`: `just bench-latency`.
//!
//! The daemon and the marketplace are processes of their own on this machine.
//! As a reference, `marketsync apply` is timed in the same run: all that a
//! process costs, without watching. The goal is a 99th percentile below 300 ms
//! on an otherwise idle machine.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement that meets what it did not expect has failed; its result is printed"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const COMMITS: usize = 200;

/// So many items, changed in turn.
const ITEMS: usize = 20;

/// A reference is taken after each so many commits.
const REFERENCE_EVERY: usize = 10;

/// The goal for the 99th percentile.
const GOAL: Duration = Duration::from_millis(300);

/// One that takes longer never comes.
const PATIENCE: Duration = Duration::from_mins(1);

const COMPANY: &str = "acme";

/// A program that is ended with the measurement.
struct Running {
    child: Child,
    lines: Receiver<(Instant, String)>,
}

impl Running {
    /// Starts a program whose lines come from stdout or from stderr.
    fn start(mut command: Command, from_stderr: bool) -> Self {
        command.stdin(Stdio::null());
        let mut child = if from_stderr {
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        } else {
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        };
        let output: Box<dyn Read + Send> = if from_stderr {
            Box::new(child.stderr.take().unwrap())
        } else {
            Box::new(child.stdout.take().unwrap())
        };
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    fn line(&self, what: &str) -> (Instant, String) {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(why) => panic!("{what}: {why}"),
        }
    }

    /// When this item was logged as written.
    fn written(&self, item_id: &str) -> Instant {
        loop {
            let (at, line) = self.line(item_id);
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            let is_written = ["Created", "Updated"].iter().any(|verb| line["message"] == *verb);
            if is_written && line["item_id"] == item_id {
                return at;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A catalogue in a folder of its own.
struct World {
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: TempDir::new().unwrap() };
        fs::create_dir_all(world.source().join("items")).unwrap();
        world.git(&["init", "-q", "-b", "main"]);
        for item in 0..ITEMS {
            world.write(item, 0);
        }
        world.commit();
        world
    }

    fn source(&self) -> PathBuf {
        self.dir.path().join("catalogue")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("NO_PROXY", "*")
            .env("MARKETSYNC_CLIENT_SECRET", "secret")
            .current_dir(self.dir.path());
        command
    }

    fn marketsync(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_marketsync"))
    }

    /// `run` or `apply` against a marketplace, with a state of its own.
    fn sync(&self, what: &str, endpoint: &str) -> Command {
        let mut command = self.marketsync();
        command
            .arg(what)
            .arg(self.source())
            .args(["--endpoint", endpoint, "--company-id", COMPANY, "--client-id", "id"])
            .arg("--state")
            .arg(self.dir.path().join(what))
            .args(["--log-format", "json"]);
        command
    }

    fn git(&self, args: &[&str]) {
        let mut command = self.command("git");
        let name = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"];
        let done = command.args(name).args(args).current_dir(self.source()).status().unwrap();
        assert!(done.success(), "git {args:?}");
    }

    fn write(&self, item: usize, round: usize) {
        let item_id = item_id(item);
        let text = json!({
            "itemId": item_id,
            "name": format!("Sidecar {item}, {round}"),
            "description": "One of many",
            "tenantId": COMPANY,
            "lifecycleStatus": "published",
            "itemTypeDefinitionRef": { "name": "sidecar", "namespace": "mia-platform" },
            "documentation": { "type": "externalLink", "url": "https://example.com/docs" },
            "resources": {
                "name": item_id,
                "dockerImage": "registry.example.com/sidecar:1.0",
                "containerPorts": [{ "name": "http", "from": 80, "to": 5000 }],
            },
        });
        let at = self.source().join("items").join(format!("{item_id}.json"));
        fs::write(at, format!("{text:#}\n")).unwrap();
    }

    /// When `git commit` had ended.
    fn commit(&self) -> Instant {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "change"]);
        Instant::now()
    }

    fn marketplace(&self) -> (Running, String) {
        let mut command = self.marketsync();
        command.args(["marketplace", "--listen", "127.0.0.1:0"]);
        let running = Running::start(command, false);
        let (_, url) = running.line("the address of the marketplace");
        (running, url)
    }

    fn apply(&self, endpoint: &str) -> Duration {
        let began = Instant::now();
        let mut command = self.sync("apply", endpoint);
        let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(done.success(), "apply: {done}");
        began.elapsed()
    }
}

fn item_id(item: usize) -> String {
    format!("sidecar-{item}")
}

fn print(what: &str, times: &mut [Duration]) -> Duration {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1];
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{what:<34} n={:<4} min {:7.1}  p50 {:7.1}  p90 {:7.1}  p99 {:7.1}  max {:7.1} ms",
        times.len(),
        ms(at(0)),
        ms(at(50)),
        ms(at(90)),
        ms(at(99)),
        ms(at(100)),
    );
    at(99)
}

fn main() {
    let world = World::new();
    // A marketplace each: what one writes is no news to the other.
    let (_market, endpoint) = world.marketplace();
    let (_other, other) = world.marketplace();
    world.apply(&other);
    let mut daemon = world.sync("run", &endpoint);
    daemon.args(["--listen", "127.0.0.1:0"]);
    let daemon = Running::start(daemon, true);
    let mut waiting: Vec<String> = (0..ITEMS).map(item_id).collect();
    while !waiting.is_empty() {
        let (_, line) = daemon.line("the first pass");
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        waiting.retain(|item| line["message"] != "Created" || line["item_id"] != item.as_str());
    }

    let (mut latencies, mut references) = (Vec::new(), Vec::new());
    for round in 1..=COMMITS {
        let item = round % ITEMS;
        world.write(item, round);
        let committed = world.commit();
        let written = daemon.written(&item_id(item));
        latencies.push(written.saturating_duration_since(committed));
        if round % REFERENCE_EVERY == 0 {
            references.push(world.apply(&other));
        }
    }
    let p99 = print("git commit -> Updated in the log", &mut latencies);
    print("reference: marketsync apply", &mut references);
    let verdict = if p99 < GOAL { "met" } else { "missed" };
    println!("goal: p99 below {} ms: {verdict}", GOAL.as_millis());
}
