//! What happens to the daemon: chance decides what, and when.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use marketsync::embedded::{Fault, FaultKind, Route};
use serde_json::{Value, json};

use crate::support::cli::Bench;
use crate::support::daemon::Daemon;
use crate::support::documents::{path, plugin, pretty, set, sidecar, with_image};
use crate::support::front::call;
use crate::support::market::{COMPANY, PNG, key};
use crate::world::{Wanted, wanted};

/// How many items there are at most.
pub(super) const ITEMS: usize = STAYING + PLUGINS + COMING;

/// Sidecars that are always there, plugins that are, and sidecars that come
/// and go.
const STAYING: usize = 8;
const PLUGINS: usize = 2;
const COMING: usize = 3;

/// The pictures; items change between them.
const PICTURES: u8 = 4;

/// How many answers without an end there are at first: as many as there are
/// requests in flight.
pub(super) const LARGEST: u64 = 4;

/// What the webhook is called with.
const SECRET: &str = "open sesame";

/// The item that belongs to somebody else.
const FOREIGN: &str = "foreign";

/// What can happen, and how often it does among each other.
const EVENTS: [(Event, u32); 21] = [
    (Event::Nothing, 40),
    (Event::Commit, 24),
    (Event::ComeAndGo, 6),
    (Event::Break, 3),
    (Event::Mend, 6),
    (Event::Picture, 3),
    (Event::Amend, 4),
    (Event::Reset, 3),
    (Event::Repack, 1),
    (Event::NewRoot, 1),
    (Event::Drift, 14),
    (Event::Vanish, 4),
    (Event::Foreign, 3),
    (Event::Strike, 5),
    (Event::Calm, 1),
    (Event::Hook, 4),
    (Event::Guess, 4),
    (Event::Metrics, 8),
    (Event::Status, 6),
    (Event::Items, 3),
    (Event::HangUp, 4),
];

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Nothing,
    /// Some items are edited.
    Commit,
    /// An item is added, or removed.
    ComeAndGo,
    /// A file is written that is none, beside the items or in place of one.
    Break,
    /// It is put right.
    Mend,
    /// The bytes of a picture change.
    Picture,
    /// HEAD becomes another commit in place of the last.
    Amend,
    /// HEAD goes back.
    Reset,
    /// Loose objects become a pack, and what nobody needs goes.
    Repack,
    /// The history begins anew.
    NewRoot,
    /// Somebody edits an item in the marketplace.
    Drift,
    /// Somebody deletes one there.
    Vanish,
    /// Somebody writes or deletes an item that is not ours.
    Foreign,
    /// Calls fail from now on.
    Strike,
    /// No fault strikes any more.
    Calm,
    /// The forge calls.
    Hook,
    /// Somebody calls who does not know the secret.
    Guess,
    Metrics,
    Status,
    /// The status with all items, which is read from the state.
    Items,
    /// Somebody connects and goes.
    HangUp,
}

/// The world around the daemon. All of it is of one size for ever.
pub(super) struct Life<'a> {
    pub(super) bench: &'a Bench,
    chance: fastrand::Rng,
    hook: String,
    /// How many commits HEAD stands on.
    depth: u32,
    revision: u64,
    foreign: Option<Value>,
    happened: BTreeMap<Event, u64>,
    pub(super) commits: u64,
    pub(super) drifts: u64,
}

impl<'a> Life<'a> {
    /// A catalogue with all its items.
    pub(super) fn begin(bench: &'a Bench, chance: fastrand::Rng) -> Self {
        let hook = bench.home.path().join("hook");
        fs::write(&hook, SECRET).unwrap();
        let mut life = Self {
            bench,
            chance,
            hook: hook.into_os_string().into_string().unwrap(),
            depth: 0,
            revision: 0,
            foreign: None,
            happened: BTreeMap::new(),
            commits: 0,
            drifts: 0,
        };
        for picture in 0..PICTURES {
            life.paint(picture);
        }
        life.calms_down();
        life
    }

    /// What the daemon needs for its webhook.
    pub(super) fn hook_args(&self) -> [&str; 2] {
        ["--hook-secret-file", &self.hook]
    }

    /// How long it stays quiet.
    pub(super) fn pause(&mut self) -> Duration {
        Duration::from_millis(self.chance.u64(10..120))
    }

    /// Something happens, or nothing.
    pub(super) fn goes_on(&mut self, daemon: &Daemon) {
        let all: u32 = EVENTS.iter().map(|(_, weight)| weight).sum();
        let mut left = self.chance.u32(..all);
        let mut events = EVENTS.iter();
        let event = loop {
            let (event, weight) = events.next().unwrap();
            match left.checked_sub(*weight) {
                Some(rest) => left = rest,
                None => break *event,
            }
        };
        *self.happened.entry(event).or_default() += 1;
        match event {
            Event::Nothing => {}
            Event::Hook
            | Event::Guess
            | Event::Metrics
            | Event::Status
            | Event::Items
            | Event::HangUp => {
                visit(event, daemon);
            }
            Event::Drift | Event::Vanish | Event::Foreign => self.in_the_marketplace(event),
            Event::Strike => self.strikes(),
            Event::Calm => self.bench.handle().clear_faults(),
            _ => self.in_the_repository(event),
        }
    }

    /// Answers without an end, of which it reads as much as it ever does: what
    /// the process takes for that it takes at the start.
    pub(super) fn meets_the_largest(&self) {
        for _ in 0..LARGEST {
            let endless = Fault::once(Route::Get, FaultKind::EndlessBody);
            assert!(self.bench.handle().fail(endless));
        }
    }

    /// How often what happened.
    pub(super) fn tally(&self) -> String {
        let mut text = String::new();
        for (event, count) in &self.happened {
            let comma = if text.is_empty() { "" } else { ", " };
            write!(text, "{comma}{event:?} {count}").unwrap();
        }
        text
    }

    /// No fault is left, and one last commit has every item in a new form.
    pub(super) fn calms_down(&mut self) -> Wanted {
        self.bench.handle().clear_faults();
        self.bench.repo.remove("items/broken.json");
        let documents: Vec<Value> = (0..ITEMS).map(|item| self.document(item)).collect();
        for document in &documents {
            self.bench.repo.write(&path(document), pretty(document));
        }
        self.commit();
        wanted(&documents)
    }

    /// What belongs to somebody else is as they left it.
    #[track_caller]
    pub(super) fn leaves_alone_what_is_not_ours(&self) {
        assert_eq!(self.bench.stored(FOREIGN, "NA"), self.foreign);
    }

    /// An item in a form that it never had.
    fn document(&mut self, item: usize) -> Value {
        self.revision += 1;
        let text = format!("Revision {:09}", self.revision);
        let document = match item {
            0..STAYING => sidecar(&format!("stays-{item}")),
            item if item < STAYING + PLUGINS => plugin(&format!("plugin-{item}"), "1.0.0"),
            _ => sidecar(&format!("comes-{item}")),
        };
        let document = set(document, "/description", text);
        match item {
            0..3 => {
                let picture = self.chance.u8(..PICTURES);
                with_image(document, &format!("../../pictures/{picture}.png"))
            }
            _ => document,
        }
    }

    fn edit(&mut self, item: usize) {
        let document = self.document(item);
        self.bench.repo.write(&path(&document), pretty(&document));
    }

    fn paint(&mut self, picture: u8) {
        let bytes = [PNG, &[self.chance.u8(..PICTURES)]].concat();
        self.bench.repo.write(&format!("pictures/{picture}.png"), bytes);
    }

    fn commit(&mut self) {
        self.bench.repo.commit("on and on");
        self.depth += 1;
        self.commits += 1;
    }

    fn in_the_repository(&mut self, event: Event) {
        let repo = &self.bench.repo;
        match event {
            Event::Commit => {
                for _ in 0..self.chance.u32(1..4) {
                    let item = self.chance.usize(..STAYING + PLUGINS);
                    self.edit(item);
                }
            }
            Event::ComeAndGo => {
                let item = STAYING + PLUGINS + self.chance.usize(..COMING);
                let folder = format!("items/comes-{item}");
                if repo.path().join(&folder).exists() {
                    repo.remove(&folder);
                } else {
                    self.edit(item);
                }
            }
            Event::Break => {
                let item = self.chance.usize(..STAYING);
                let places =
                    ["items/broken.json".to_owned(), format!("items/stays-{item}/NA.json")];
                let texts = ["{", "[]", "{\"itemId\": \"stays-0\"}", "\u{0}\u{1}", ""];
                let place = self.chance.choice(places).unwrap();
                repo.write(&place, self.chance.choice(texts).unwrap());
            }
            Event::Mend => {
                repo.remove("items/broken.json");
                for item in 0..STAYING {
                    self.edit(item);
                }
            }
            Event::Picture => {
                let picture = self.chance.u8(..PICTURES);
                self.paint(picture);
            }
            _ => return self.disturb_history(event),
        }
        self.commit();
    }

    fn disturb_history(&mut self, event: Event) {
        let repo = &self.bench.repo;
        match event {
            Event::Amend => {
                let item = self.chance.usize(..STAYING);
                self.edit(item);
                repo.git(&["commit", "-q", "-a", "--amend", "-m", "once more"]);
            }
            Event::Reset if self.depth > 1 => {
                repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
                self.depth -= 1;
            }
            Event::Repack => drop(repo.git(&["gc", "-q", "--prune=now"])),
            Event::NewRoot => {
                let root = repo.git(&["commit-tree", "HEAD^{tree}", "-m", "a new history"]);
                repo.git(&["reset", "-q", "--soft", &root]);
                repo.git(&["reflog", "expire", "--expire=now", "--all"]);
                repo.git(&["gc", "-q", "--prune=now"]);
                self.depth = 1;
            }
            _ => {}
        }
    }

    fn in_the_marketplace(&mut self, event: Event) {
        let handle = self.bench.handle();
        if event == Event::Foreign {
            let there = self.foreign.is_some();
            self.foreign = (!there).then(|| sidecar(FOREIGN));
            match &self.foreign {
                Some(item) => drop(handle.put_raw(COMPANY, item).unwrap()),
                None => assert!(handle.remove(COMPANY, &key(FOREIGN, "NA")).unwrap()),
            }
            self.foreign = self.bench.stored(FOREIGN, "NA");
            return;
        }
        self.drifts += 1;
        let item = format!("stays-{}", self.chance.usize(..STAYING));
        if event == Event::Vanish {
            handle.remove(COMPANY, &key(&item, "NA")).unwrap();
        } else {
            let text = format!("Theirs {:09}", self.chance.u32(..1_000_000_000));
            handle.put_raw(COMPANY, &set(sidecar(&item), "/description", text)).unwrap();
        }
    }

    fn strikes(&mut self) {
        let routes = [
            Route::Token,
            Route::Version,
            Route::Get,
            Route::Get,
            Route::Apply,
            Route::Apply,
            Route::Apply,
            Route::Upload,
            Route::Delete,
        ];
        let route = self.chance.choice(routes).unwrap();
        let kind = self.chance.choice(kinds()).unwrap();
        let fault = Fault::once(route, kind).times(self.chance.u32(1..4));
        assert!(self.bench.handle().fail(fault.after(self.chance.u32(..3))));
    }
}

/// What goes wrong.
fn kinds() -> Vec<FaultKind> {
    let busy = |code, processed, retry_after: Option<&str>| FaultKind::Status {
        code,
        body: None,
        content_type: None,
        retry_after: retry_after.map(str::to_owned),
        processed,
    };
    let page = FaultKind::Status {
        code: 502,
        body: Some("<html>Bad gateway</html>".to_owned()),
        content_type: Some("text/html".to_owned()),
        retry_after: None,
        processed: false,
    };
    vec![
        FaultKind::status(401),
        FaultKind::status(403),
        FaultKind::status(409),
        busy(429, false, Some("1")),
        busy(429, false, None),
        FaultKind::status(500),
        busy(500, true, None),
        page,
        busy(503, false, Some("0")),
        busy(503, false, None),
        FaultKind::Delay { ms: 300 },
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::Truncate,
        FaultKind::WrongBody { body: "{\"items\":".to_owned() },
        FaultKind::WrongBody { body: json!({ "items": [] }).to_string() },
        FaultKind::WrongContentType { content_type: "text/html".to_owned() },
        FaultKind::EmptyBody,
        FaultKind::Redirect { to: "http://127.0.0.1:9/".to_owned(), code: 307 },
        FaultKind::EndlessBody,
        FaultKind::SlowDrip { ms: 1 },
        FaultKind::MissingRow,
        FaultKind::DoubledRow,
        FaultKind::ReorderedRows,
    ]
}

/// Somebody comes by.
fn visit(event: Event, daemon: &Daemon) {
    let code = match event {
        Event::Metrics => daemon.get("/metrics").0,
        Event::Status => daemon.get("/status").0,
        Event::Items => daemon.get("/status?items=true").0,
        Event::Hook => daemon.ask(&call(&[("X-Gitlab-Token", SECRET)], b"{}")).0,
        Event::Guess => daemon.ask(&call(&[("X-Gitlab-Token", "guess")], b"{}")).0,
        _ => {
            drop(TcpStream::connect(daemon.url().trim_start_matches("http://")).unwrap());
            0
        }
    };
    let right: &[u16] = match event {
        Event::Hook => &[202],
        Event::Guess => &[401],
        Event::HangUp => &[0],
        _ => &[200],
    };
    assert!(right.contains(&code), "{event:?} was answered {code}");
}
