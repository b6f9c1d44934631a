//! A process of the program: what it holds in memory, and its passes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use marketsync::commands::standards::fingerprint;
use marketsync::cycle::{self, Again, CycleError, Eyes, Order, View};
use marketsync::domain::event::{Event, Failure, Outcome, Rest};
use marketsync::domain::images::ImageLocations;
use marketsync::domain::item::{Digest, ItemKey};
use marketsync::domain::ledger::Ledger;
use marketsync::domain::looks::Looks as Looked;
use marketsync::domain::plan::Scope;
use marketsync::domain::report::Report;
use marketsync::domain::retries::Retries;
use marketsync::domain::seen::Seen;
use marketsync::edge::marketplace::{Connection, Credential, Marketplace, Patience};
use marketsync::edge::secret::Secret;
use marketsync::edge::source::Source;
use marketsync::edge::store::{Identity, Store};
use marketsync::embedded::{Fault, FaultKind, Route};
use secrecy::SecretString;
use tokio::sync::watch;
use url::Url;

use super::catalogue::{Name, Wanted, Wishes};
use super::history::Witness;
use super::lab::Lab;
use super::steps::{By, KEYS, Kind, Looks, On, Pass, Weather};
use super::tap::Heard;
use crate::support::market::{COMPANY, key};

/// An item that failed in a pass of this process.
pub(crate) struct Failed {
    pub(crate) wanted: Option<Wanted>,
    /// From when on it is tried again: the model knows the day of it, and not
    /// the jitter.
    pub(crate) due: i64,
}

pub(crate) struct Process {
    pub(crate) store: Store,
    pub(crate) ledger: Ledger,
    seen: Seen,
    locations: ImageLocations,
    retries: Retries,
    looks: Looked,
    pub(crate) market: Marketplace,
    pub(crate) narrow: bool,
    pub(crate) tenant: bool,
    /// What the model knows of the retries.
    failed: BTreeMap<Name, Failed>,
}

/// What a pass left.
pub(crate) struct Ran {
    /// None: the process died in it.
    pub(crate) result: Option<Result<Rest, CycleError>>,
    pub(crate) report: Report,
    pub(crate) events: Vec<Event>,
    /// The plan of the same process if nobody were asked, as bytes.
    pub(crate) plan: Vec<u8>,
}

impl Ran {
    /// What was tried, in order.
    pub(crate) fn settled(&self) -> impl Iterator<Item = &Outcome> {
        self.events.iter().filter_map(|event| match event {
            Event::Settled { outcome, .. } => Some(outcome),
            _ => None,
        })
    }
}

/// An event without its times and ids.
fn plain(event: &Event) -> String {
    let mut event = event.clone();
    match &mut event {
        Event::Held(held) => held.change.object_id = None,
        Event::Settled { outcome, .. } => {
            outcome.change.object_id = None;
            if let Ok(applied) = &mut outcome.result {
                (applied.object_id, applied.took) = (None, Duration::ZERO);
            }
        }
        _ => {}
    }
    format!("{event:?}")
}

impl Witness<'_> {
    /// Everything that came out of the pass, in words that are the same in
    /// every world: plan, requests, events, and how it ended.
    pub(crate) fn told(&self) -> Vec<String> {
        let plan = super::tap::plain(&self.ran.plan);
        let heard = self.heard.iter().map(Heard::plain);
        let events = self.ran.events.iter().map(plain);
        let end =
            self.ran.result.as_ref().map(|result| result.as_ref().map_err(ToString::to_string));
        [plan]
            .into_iter()
            .chain(heard)
            .chain(events)
            .chain([format!("{:?}", end.is_some_and(|end| end.is_ok()))])
            .collect()
    }
}

fn marketplace(lab: &Lab) -> Marketplace {
    let connection = Connection {
        endpoint: Url::parse(&lab.url).unwrap(),
        company: COMPANY.to_owned(),
        credential: Credential::Basic {
            client_id: "id".to_owned(),
            secret: Secret::Text(SecretString::from("secret")),
        },
        ca_file: None,
        patience: Patience::default(),
    };
    Marketplace::new(connection).unwrap()
}

impl Process {
    pub(crate) fn start(
        lab: &Lab,
        state: &Path,
        source: &Source,
        pass: &Pass,
        now: i64,
    ) -> Result<Self, String> {
        let identity = Identity {
            endpoint: "https://console.example.com".to_owned(),
            company: COMPANY.to_owned(),
            source: "catalogue".to_owned(),
        };
        let wrong = |error: marketsync::edge::store::StoreError| format!("the state: {error:?}");
        let mut store = Store::open(state, &identity, at(now)).map_err(wrong)?;
        let ledger = store.load_ledger().map_err(wrong)?;
        let standards = lab.standards(pass.tenant);
        let seen = store.recall_seen(fingerprint(standards, source)).map_err(wrong)?;
        let locations = store.image_locations().map_err(wrong)?;
        Ok(Self {
            store,
            ledger,
            seen,
            locations,
            retries: Retries::default(),
            looks: Looked::default(),
            market: marketplace(lab),
            narrow: pass.narrow,
            tenant: pass.tenant,
            failed: BTreeMap::new(),
        })
    }

    /// A client that remembers nothing.
    pub(crate) fn connect(&mut self, lab: &Lab) {
        self.market = marketplace(lab);
    }

    /// What failed earlier: what is not due, and what is and still wanted.
    pub(crate) fn failed(
        &self,
        wishes: &Wishes,
        now: i64,
        waits: bool,
    ) -> (BTreeSet<Name>, BTreeSet<Name>) {
        let waiting = self
            .failed
            .iter()
            .filter(|(name, failed)| waits && failed.waits(wishes.items.get(*name), now));
        let due = self
            .failed
            .iter()
            .filter(|(name, failed)| failed.due <= now && wishes.items.contains_key(*name));
        (
            waiting.map(|(name, _)| name.clone()).collect(),
            due.map(|(name, _)| name.clone()).collect(),
        )
    }

    /// The pass itself.
    pub(crate) fn run(
        &mut self,
        lab: &Lab,
        source: &Source,
        pass: &Pass,
        now: i64,
        acknowledge: impl Fn(&Event),
    ) -> Ran {
        let order = order(pass, now);
        let standards = lab.standards(self.tenant);
        // The pauses between tries are drawn.
        fastrand::seed(7);
        let (mut report, mut events) = (Report::default(), Vec::new());
        let mut tell = |event: &Event| {
            acknowledge(event);
            events.push(event.clone());
        };
        let Self { store, ledger, seen, locations, retries, looks, market, .. } = self;
        let (result, plan) = lab.runtime.block_on(async {
            let view = View {
                source,
                standards,
                eyes: Eyes::Closed,
                store: Some(&*store),
                ledger,
                seen: &mut seen.clone(),
                locations: &mut locations.clone(),
                retries,
            };
            let blind = Order { scope: Scope::New, ..order.clone() };
            let foreseen = cycle::foresee(view, &blind, &mut Report::default(), &mut |_| {}).await;
            let plan = foreseen.map_or_else(
                |error| error.to_string().into_bytes(),
                |foreseen| serde_json::to_vec(&foreseen.plan).unwrap(),
            );
            let world = cycle::World {
                source,
                standards,
                market,
                store,
                ledger,
                seen,
                locations,
                retries,
                looks,
            };
            let result = tokio::select! {
                biased;
                () = lab.tap.crashed() => None,
                result = cycle::run(world, &order, &mut report, &mut tell) => Some(result),
            };
            (result, plan)
        });
        Ran { result, report, events, plan }
    }

    /// What the model keeps of failures, for the next pass of this process.
    pub(crate) fn note_failures(&mut self, witness: &Witness<'_>) {
        const DAY: i64 = 24 * 3600;
        let (report, now) = (&witness.ran.report, witness.now);
        if !report.planned {
            return;
        }
        let held = |names: &[&str]| -> BTreeSet<Name> {
            let held = report.held.values().filter(|held| names.contains(&held.why.name()));
            held.map(|held| held.change.key.to_string()).collect()
        };
        let mut open = held(&["waiting", "unobserved"]);
        open.extend(report.outcomes.keys().map(ItemKey::to_string));
        let wanted = |name: &Name| witness.wishes.items.get(name);
        self.failed.retain(|name, failed| open.contains(name) || failed.waits(wanted(name), now));
        for name in held(&["unobserved"]) {
            let wanted = wanted(&name).cloned();
            self.failed.insert(name, Failed { wanted, due: now + 1 });
        }
        for outcome in witness.ran.settled() {
            let name = outcome.change.key.to_string();
            let wanted = wanted(&name).filter(|_| outcome.change.wanted.is_some()).cloned();
            let due = match &outcome.result {
                Err(Failure::Transient { .. }) => now + 1,
                Err(Failure::Rejected { .. }) if wanted.is_none() => now + DAY,
                _ => {
                    self.failed.remove(&name);
                    continue;
                }
            };
            self.failed.insert(name, Failed { wanted, due });
        }
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn order(pass: &Pass, now: i64) -> Order {
    let never = watch::Sender::new(false).subscribe();
    Order {
        scope: match pass.looks {
            Looks::New => Scope::New,
            Looks::All => Scope::All,
            Looks::Also(mask) => Scope::Also(
                masked(mask).into_iter().map(|(item, version)| key(item, version)).collect(),
            ),
        },
        rate: 1000,
        patience: Duration::from_mins(1),
        hurry: never.clone(),
        again: match pass.by {
            By::Apply => Again::Now,
            By::Beat(rejected) => Again::WhenDue { rejected },
        },
        correct_drift: pass.correct,
        prune: pass.prune,
        allow_deletes: pass.allow_deletes,
        max_updates: pass.max_updates,
        approved: None,
        setting: Digest::of(b"setting"),
        now: at(now),
        stop: never,
    }
}

/// The items whose bits are set.
pub(crate) fn masked(mask: u8) -> Vec<(&'static str, &'static str)> {
    KEYS.into_iter()
        .enumerate()
        .filter(|(bit, _)| mask >> bit & 1 == 1)
        .map(|(_, key)| key)
        .collect()
}

impl Weather {
    /// As the marketplace takes it.
    pub(crate) fn fault(&self) -> Fault {
        let route = match self.on {
            On::Token => Route::Token,
            On::Version => Route::Version,
            On::Get => Route::Get,
            On::Apply => Route::Apply,
            On::Upload => Route::Upload,
            On::Download => Route::Download,
            On::Delete => Route::Delete,
        };
        let has_item = !matches!(self.on, On::Token | On::Version | On::Download);
        let item =
            self.item.filter(|_| has_item).map(|number| KEYS[number % KEYS.len()].0.to_owned());
        Fault { route: Some(route), item, skip: 0, times: self.times, kind: self.kind.fault() }
    }
}

impl Kind {
    fn fault(&self) -> FaultKind {
        let page = "<html>busy</html>".to_owned();
        let status = |code, body, retry_after, processed| FaultKind::Status {
            code,
            body,
            content_type: None,
            retry_after,
            processed,
        };
        match self {
            Self::Status(code) => status(*code, None, None, false),
            Self::Processed(code) => status(*code, None, None, true),
            Self::RetryAfter => status(429, None, Some("1".to_owned()), false),
            Self::Page => status(404, Some(page), None, false),
            Self::CutBefore => FaultKind::CutBefore,
            Self::CutAfter => FaultKind::CutAfter,
            Self::Truncate => FaultKind::Truncate,
            Self::WrongBody => FaultKind::WrongBody { body: page },
            Self::WrongType => FaultKind::WrongContentType { content_type: "text/html".to_owned() },
            Self::EmptyBody => FaultKind::EmptyBody,
            Self::MissingRow => FaultKind::MissingRow,
            Self::DoubledRow => FaultKind::DoubledRow,
            Self::ReorderedRows => FaultKind::ReorderedRows,
            Self::Reject => FaultKind::RejectItem { message: "no".to_owned() },
            Self::Redirect => FaultKind::Redirect { to: "/elsewhere".to_owned(), code: 307 },
        }
    }
}
