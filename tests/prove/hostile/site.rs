//! Where a hostile repository stands: beside files that nobody may read and a
//! trap that nobody may touch, before a marketplace whose wire is tapped.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::Value;

use super::tap::Tap;
use super::{MEBIBYTES, SECONDS};
use crate::findings::long;
use crate::support::cli::{Bench, Run, Running, program};
use crate::support::daemon::{Daemon, EVENTS, command_of};
use crate::support::documents::{path, pretty, set, sidecar};
use crate::support::market::{COMPANY, PNG};

/// Stands in every file that nobody may read.
pub(super) const CANARY: &str = "canary-9e4f1c77-of-somebody-else";

/// One hostile repository.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) in_short: bool,
    make: Box<dyn Fn(&Site) -> Expected + Send>,
}

impl Row {
    /// One of both forms.
    pub(super) fn new(
        name: impl Into<String>,
        make: impl Fn(&Site) -> Expected + Send + 'static,
    ) -> Self {
        Self { name: name.into(), in_short: true, make: Box::new(make) }
    }

    /// The same, in the long form only.
    pub(super) fn long(
        name: impl Into<String>,
        make: impl Fn(&Site) -> Expected + Send + 'static,
    ) -> Self {
        Self { in_short: false, ..Self::new(name, make) }
    }
}

/// What the program has to say of a hostile repository.
pub(super) struct Expected {
    source: OsString,
    args: Vec<String>,
    /// File → words of its problem.
    told: Vec<(String, String)>,
    /// Words of the error with which nothing can be done.
    fails: Option<String>,
    /// Whether others may be told as well.
    others: bool,
}

impl Expected {
    /// A source with nothing but good items.
    pub(super) fn of(source: impl AsRef<OsStr>) -> Self {
        let source = source.as_ref().to_owned();
        Self { source, args: Vec::new(), told: Vec::new(), fails: None, others: false }
    }

    /// A file is told, with these words.
    pub(super) fn tells(mut self, path: impl Into<String>, words: impl Into<String>) -> Self {
        self.told.push((path.into(), words.into()));
        self
    }

    /// All of these are.
    pub(super) fn all(mut self, told: Vec<(String, String)>) -> Self {
        self.told.extend(told);
        self
    }

    /// Nothing can be done.
    pub(super) fn fails(mut self, words: impl Into<String>) -> Self {
        self.fails = Some(words.into());
        self
    }

    /// Other files may be told as well.
    pub(super) fn and_others(mut self) -> Self {
        self.others = true;
        self
    }

    /// One more argument of every command.
    pub(super) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Of `validate` and `apply`.
    fn code(&self) -> i32 {
        match (&self.fails, self.told.is_empty()) {
            (Some(_), _) => 2,
            (None, false) => 1,
            (None, true) => 0,
        }
    }
}

/// What one command took.
pub(super) struct Cost {
    pub(super) command: &'static str,
    pub(super) exit: String,
    pub(super) seconds: f64,
    pub(super) mebibytes: u64,
}

/// The place.
pub(super) struct Site {
    pub(super) bench: Bench,
    pub(super) tap: Tap,
}

impl Site {
    /// A checkout with one good item, not committed.
    pub(super) fn new() -> Self {
        let bench = Bench::new();
        let tap = Tap::before(&bench.market.url);
        let site = Self { bench, tap };
        let good = sidecar("good");
        site.bench.repo.write(&path(&good), pretty(&good));
        let outside = site.outside();
        fs::create_dir_all(&outside).unwrap();
        let stolen = set(sidecar("stolen"), "/description", CANARY);
        for (name, bytes) in [
            ("secret.json", pretty(&stolen).into_bytes()),
            ("secret.yaml", format!("\turl = https://{CANARY}\n").into_bytes()),
            ("secret.png", [PNG, CANARY.as_bytes()].concat()),
            ("secret.schema.json", format!("{{\"required\": [\"{CANARY}\"]}}").into_bytes()),
            ("secret.txt", format!("*.json\n# {CANARY}\n").into_bytes()),
        ] {
            fs::write(outside.join(name), bytes).unwrap();
        }
        fs::write(
            site.bench.home.path().join(".gitconfig"),
            format!("[user]\n\tname = {CANARY}\n"),
        )
        .unwrap();
        let script = format!("#!/bin/sh\ntouch '{}'\ncat\n", site.trap().display());
        fs::write(site.script(), script).unwrap();
        fs::set_permissions(site.script(), fs::Permissions::from_mode(0o755)).unwrap();
        site
    }

    /// A folder beside the checkout, whose files nobody may read.
    pub(super) fn outside(&self) -> PathBuf {
        self.bench.repo.beside("outside")
    }

    /// A program that leaves [`Site::trap`].
    pub(super) fn script(&self) -> PathBuf {
        self.bench.repo.beside("trap.sh")
    }

    /// Is there if something was run.
    pub(super) fn trap(&self) -> PathBuf {
        self.bench.repo.beside("TRAP")
    }

    /// Commits everything.
    pub(super) fn commit(&self) -> Expected {
        self.bench.repo.commit("hostile");
        Expected::of(self.bench.repo.path())
    }

    /// Commits a tree that was made by hand, beside the good item.
    pub(super) fn commit_tree(&self, tree: &str) -> Expected {
        let commit = self.bench.repo.git(&["commit-tree", "-m", "forged", tree]);
        self.bench.repo.git(&["update-ref", "refs/heads/main", &commit]);
        Expected::of(self.bench.repo.path())
    }

    /// The checkout as a plain directory.
    pub(super) fn plain(&self) -> Expected {
        let plain = self.bench.repo.beside("plain");
        let copied = Command::new("cp").arg("-a").arg(self.bench.repo.path()).arg(&plain).status();
        assert!(copied.unwrap().success());
        fs::remove_dir_all(plain.join(".git")).unwrap();
        Expected::of(plain)
    }

    /// Goes through all commands.
    pub(super) fn try_row(&self, row: &Row) -> Vec<Cost> {
        let expected = (row.make)(self);
        println!("trying {}", row.name);
        let mut costs = Vec::new();
        let mut texts = Vec::new();
        let is_remote = expected.source.to_string_lossy().contains("://");
        let mut run = |command: &'static str, args: &[&str], code: i32| -> Run {
            let (run, cost) = self.measured(command, &expected, args);
            assert_eq!(run.code, Some(code), "{}: {command}\n{run}", row.name);
            assert!(!run.stderr.contains("panicked"), "{}: {run}", row.name);
            costs.push(cost);
            texts.push(format!("{}\n{}", run.stdout, run.stderr));
            run
        };
        // What `apply` reads it reads as `validate` does.
        if !is_remote && (long() || expected.fails.is_some()) {
            let checked = run("validate", &["--format=json"], expected.code());
            is_told(&row.name, &expected, &checked);
        }
        if long() && !is_remote {
            let code = if expected.code() == 0 { 1 } else { 2 };
            drop(run("diff", &["--format=json"], code));
        }
        let applied = run("apply", &["--format=json"], expected.code());
        is_told(&row.name, &expected, &applied);
        let arrived = self.bench.stored("good", "NA").is_some();
        assert_eq!(arrived, expected.fails.is_none(), "{}: the good item\n{applied}", row.name);
        if long() && expected.fails.is_none() && expected.args.is_empty() {
            let (daemon, cost) = self.daemon(&expected);
            costs.push(cost);
            texts.push(daemon.stderr);
        }
        for cost in &costs {
            let is_within = cost.seconds < SECONDS && cost.mebibytes < MEBIBYTES;
            let (seconds, memory) = (cost.seconds, cost.mebibytes);
            assert!(is_within, "{}: {} took {seconds} s, {memory} MiB", row.name, cost.command);
        }
        self.is_tight(&row.name, &texts);
        costs
    }

    /// A command on this source.
    pub(super) fn command(&self, verb: &str, expected: &Expected, args: &[&str]) -> Command {
        let mut command = program(self.bench.home.path());
        command
            .env("MARKETSYNC_CLIENT_SECRET", "secret")
            .env("BYSTANDER", CANARY)
            .arg(verb)
            .arg(&expected.source);
        if verb != "validate" {
            command.args(["--endpoint", &self.tap.url, "--client-id=id"]);
            command.arg("--state").arg(self.bench.state());
        }
        command.args(["--company-id", COMPANY]);
        if !args.iter().any(|arg| arg.starts_with("--log-format")) {
            command.arg("--log-format=json");
        }
        command.args(args).args(&expected.args);
        command
    }

    fn measured(&self, verb: &'static str, expected: &Expected, args: &[&str]) -> (Run, Cost) {
        let running = Running::start(self.command(verb, expected, args));
        let watch = watch(running.id());
        let run = running.end();
        let exit = run.code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
        let (seconds, mebibytes) = watch.join().unwrap();
        (run, Cost { command: verb, exit, seconds, mebibytes })
    }

    /// Follows the source until it has looked at all of it once.
    fn daemon(&self, expected: &Expected) -> (Run, Cost) {
        let (home, state) = (self.bench.home.path(), self.bench.state());
        let command = command_of(home, &self.tap.url, &state, &expected.source, EVENTS);
        let daemon = Daemon::start(command);
        let watch = watch(daemon.id());
        daemon.ready();
        let run = (*daemon.stop()).clone();
        let (seconds, mebibytes) = watch.join().unwrap();
        let cost = Cost { command: "run", exit: "0".to_owned(), seconds, mebibytes };
        (run, cost)
    }

    /// Nothing of what lies outside got anywhere, and nothing was run.
    pub(super) fn is_tight(&self, name: &str, texts: &[String]) {
        assert!(!self.trap().exists(), "{name}: something was run");
        assert!(self.bench.stored("stolen", "NA").is_none(), "{name}: the stolen item is there");
        let mut places: Vec<(String, Vec<u8>)> =
            texts.iter().map(|text| ("the output".to_owned(), text.clone().into_bytes())).collect();
        places.push(("a request".to_owned(), self.tap.sent()));
        places.extend(files_below(&self.bench.state()));
        for (place, bytes) in places {
            for form in forms(CANARY) {
                let is_there = bytes.windows(form.len()).any(|window| window == form.as_bytes());
                assert!(!is_there, "{name}: {place} holds the canary ({form})");
            }
        }
    }
}

/// A text, and the three ways in which it stands inside of base64.
fn forms(text: &str) -> Vec<String> {
    let shifted = |by: usize| {
        let encoded = STANDARD_NO_PAD.encode(["x".repeat(by).as_str(), text].concat());
        // Its ends hang together with what stands beside it.
        encoded[if by == 0 { 0 } else { 4 }..encoded.len() - 3].to_owned()
    };
    vec![text.to_owned(), shifted(0), shifted(1), shifted(2)]
}

fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(files_below(&entry.path()));
        } else if entry.file_type().unwrap().is_file() {
            files.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap()));
        }
    }
    files
}

/// Each file that had to be told is.
fn is_told(name: &str, expected: &Expected, run: &Run) {
    if let Some(words) = &expected.fails {
        assert!(run.stderr.contains(words), "{name}: nothing of `{words}`\n{run}");
        return;
    }
    let report = run.json();
    let mut problems: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for problem in report["problems"].as_array().unwrap() {
        problems.entry(problem["path"].as_str().unwrap()).or_default().push(problem);
    }
    let mut wrong = Vec::new();
    for (path, words) in &expected.told {
        let own = problems.remove(path.as_str()).unwrap_or_default();
        if !own.iter().any(|problem| problem.to_string().contains(words.as_str())) {
            let own: Vec<&Value> = own.iter().map(|problem| &problem["message"]).collect();
            wrong.push(format!("nothing of `{words}` about {path:?}: {own:?}"));
        }
    }
    let others = problems.values().flatten().filter(|problem| problem["severity"] != "warning");
    if !expected.others {
        wrong.extend(others.map(|other| format!("nobody expects {other}")));
    }
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
}

/// What a process took: processor time in seconds, and the most memory in MiB.
type Took = (f64, u64);

/// Looks at a process until it is gone.
#[expect(clippy::disallowed_methods, reason = "between two looks at another process")]
fn watch(id: u32) -> thread::JoinHandle<Took> {
    thread::spawn(move || {
        let (mut seconds, mut most) = (0.0_f64, 0);
        loop {
            let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(kib) = line.and_then(|line| line.trim().strip_suffix(" kB")) else {
                return (seconds, most / 1024);
            };
            most = most.max(kib.trim().parse().unwrap());
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // Behind the name, which may hold anything (proc_pid_stat(5)).
            let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
            let ticks: f64 =
                fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
            // A hundredth of a second each, on every Linux.
            seconds = seconds.max(ticks / 100.0);
            thread::sleep(Duration::from_millis(1));
        }
    })
}

/// The search must find what it looks for.
#[test]
fn a_canary_is_found_wherever_it_sits() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let found = |site: &Site, texts: &[String]| {
        catch_unwind(AssertUnwindSafe(|| site.is_tight("a trial", texts))).is_err()
    };
    let site = Site::new();
    assert!(!found(&site, &["nothing".to_owned()]));
    assert!(found(&site, &[format!("x {CANARY} y")]));
    for before in ["", "a", "ab", "abc", "abcd"] {
        let encoded = STANDARD_NO_PAD.encode(format!("{before}{CANARY} and more"));
        assert!(found(&site, &[encoded]), "{before}");
    }
    fs::create_dir_all(site.bench.state()).unwrap();
    fs::write(site.bench.state().join("x"), CANARY).unwrap();
    assert!(found(&site, &[]));
    fs::remove_file(site.bench.state().join("x")).unwrap();
    fs::write(site.trap(), "").unwrap();
    assert!(found(&site, &[]));
}
