//! The running marketplace as its owner holds it: state, faults, log.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::domain::item::{ItemKey, PLATFORM, Version};
use crate::embedded::apply::{new_id, put_record};
use crate::embedded::auth::Authority;
use crate::embedded::error::EmbeddedError;
use crate::embedded::faults::{Fault, FaultKind, Faults, Route, Strikes};
use crate::embedded::journal::{self, Journal, JournalError, Secret, new_secret};
use crate::embedded::settings::{ConsoleVersion, DeleteFiles, Settings, Switches};
use crate::embedded::state::{Key, Record, State, Stored};
use crate::embedded::validate::Schemas;

/// How many requests the log holds; the oldest go first.
pub const MAX_LOG: usize = 100_000;

/// How many items of one request the log names; the count is always exact.
const MAX_LOGGED_ITEMS: usize = 10_000;

/// One request, as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// When it began, on a counter that starts and ends of requests share.
    pub began: u64,
    /// When its answer was ready, on the same counter. Two requests were in
    /// flight at a time if each began before the other ended.
    pub ended: Option<u64>,
    /// The method.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Which call it was.
    pub route: Route,
    /// The items that it concerned, `<itemId> <version or NA>`, in their order.
    pub items: Vec<String>,
    /// How many items that were.
    pub resources: usize,
    /// `accept`, `client-key`, `content-type`, `user-agent`.
    pub headers: BTreeMap<String, String>,
    /// Whether it carried `Authorization`.
    pub authorized: bool,
    /// Of an upload: asset type, file name, bytes and type.
    pub upload: Option<String>,
    /// Of an apply and of an upload: the body as sent, if the log has room for
    /// it ([`Handle::keep_bodies`]). It is not shown.
    #[serde(skip)]
    pub body: Option<Bytes>,
    /// The fault that decided its answer.
    pub fault: Option<FaultKind>,
    /// The status of the answer; none if there was no answer.
    pub status: Option<u16>,
}

/// A running embedded marketplace. Clones share it.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// Nothing of what it holds: the key that signs tokens, and whole documents.
impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").finish_non_exhaustive()
    }
}

struct Shared {
    world: Mutex<World>,
    schemas: Schemas,
    authority: Authority,
    control: bool,
    apply_limit: usize,
    stopping: watch::Sender<bool>,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) console: ConsoleVersion,
    pub(crate) switches: Switches,
    pub(crate) state: State,
    pub(crate) used_assertions: VecDeque<String>,
    journal: Option<Journal>,
    faults: Faults,
    log: VecDeque<Exchange>,
    /// How many bytes of bodies the log may hold, and holds.
    bodies: (usize, usize),
    counts: BTreeMap<Route, u64>,
    clock: u64,
}

/// Makes a marketplace from its settings, reading its journal.
pub fn open(settings: Settings) -> Result<Handle, EmbeddedError> {
    let (journal, state, secret) = match &settings.persist {
        Some(path) => {
            let (journal, state, secret) = Journal::open(path)?;
            (Some(journal), state, secret)
        }
        None => (None, State::default(), new_secret()),
    };
    start(settings, journal, state, secret)
}

/// Makes a marketplace that begins with what the journal holds now and keeps
/// its changes in memory only. The journal is read without its lock and stays
/// as it is, whoever uses it meanwhile; one that is not there counts as empty.
pub fn open_copy(settings: Settings) -> Result<Handle, EmbeddedError> {
    let (state, secret) = match &settings.persist {
        Some(path) => journal::read(path)?,
        None => (State::default(), None),
    };
    start(settings, None, state, secret.unwrap_or_else(new_secret))
}

fn start(
    settings: Settings,
    journal: Option<Journal>,
    state: State,
    secret: Secret,
) -> Result<Handle, EmbeddedError> {
    let schemas = Schemas::new(&settings.types)?;
    let world = World {
        console: settings.console,
        switches: settings.switches,
        state,
        used_assertions: VecDeque::new(),
        journal,
        faults: Faults::default(),
        log: VecDeque::new(),
        bodies: (0, 0),
        counts: BTreeMap::new(),
        clock: 0,
    };
    Ok(Handle(Arc::new(Shared {
        world: Mutex::new(world),
        schemas,
        authority: Authority {
            secret,
            clients: settings.clients,
            lifetime: settings.token_lifetime,
        },
        control: settings.control,
        apply_limit: settings.apply_limit,
        stopping: watch::Sender::new(false),
    })))
}

impl Handle {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        // Nothing panics while it holds the lock; if it did, a test should see
        // the state rather than a second panic.
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn schemas(&self) -> &Schemas {
        &self.0.schemas
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.0.authority
    }

    pub(crate) fn control(&self) -> bool {
        self.0.control
    }

    pub(crate) fn apply_limit(&self) -> usize {
        self.0.apply_limit
    }

    /// Ends what waits on purpose: delays, drips, endless bodies.
    pub(crate) fn stop(&self, stop: bool) {
        self.0.stopping.send_replace(stop);
    }

    /// Returns once [`Handle::stop`] was called.
    pub(crate) async fn stopped(&self) {
        let mut stopping = self.0.stopping.subscribe();
        // An error would mean that the sender is gone, which `self` holds.
        drop(stopping.wait_for(|stopping| *stopping).await);
    }

    /// Waits so many milliseconds, or until the marketplace stops.
    pub(crate) async fn pause(&self, ms: u64) {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(ms)) => {}
            () = self.stopped() => {}
        }
    }

    /// Every item as it is stored: a manifest of the newest model without
    /// `type`. The key is `<company> <itemId> <version or NA>`.
    pub fn items(&self) -> BTreeMap<String, Value> {
        let world = self.world();
        let name = |key: &Key| format!("{} {}", key.tenant, key.item);
        world
            .state
            .iter()
            .map(|(key, stored)| (name(key), Value::Object(stored.document.clone())))
            .collect()
    }

    /// One item as it is stored.
    pub fn item(&self, tenant: &str, item: &ItemKey) -> Option<Value> {
        let key = Key { tenant: tenant.to_owned(), item: item.clone() };
        self.world().state.get(&key).map(|stored| Value::Object(stored.document.clone()))
    }

    /// The object id of an item.
    pub fn object_id(&self, tenant: &str, item: &ItemKey) -> Option<String> {
        let key = Key { tenant: tenant.to_owned(), item: item.clone() };
        self.world().state.get(&key).map(|stored| stored.id.clone())
    }

    /// How many images are held.
    pub fn files(&self) -> usize {
        self.world().state.file_names().count()
    }

    /// The bytes of an image, by the last part of its location.
    pub fn file(&self, name: &str) -> Option<Bytes> {
        self.world().state.file(name).map(|file| file.bytes.clone())
    }

    /// Keeps the bodies of applies and uploads in the log, from now on and up
    /// to so many bytes in all. By default none is kept.
    pub fn keep_bodies(&self, most: usize) {
        self.world().bodies.0 = most;
    }

    /// Lets a fault strike from now on. Beyond
    /// [`MAX_FAULTS`](crate::embedded::MAX_FAULTS) it is not taken, and the
    /// answer is `false`.
    pub fn fail(&self, fault: Fault) -> bool {
        self.world().faults.add(fault)
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.world().faults.clear();
    }

    /// The requests so far, oldest first.
    pub fn log(&self) -> Vec<Exchange> {
        self.world().log.iter().cloned().collect()
    }

    /// Takes the requests that were answered out of the log, oldest first.
    /// Those under way stay until they are.
    pub fn take_log(&self) -> Vec<Exchange> {
        let mut world = self.world();
        let log = std::mem::take(&mut world.log);
        let (done, open) = log.into_iter().partition(|exchange| exchange.ended.is_some());
        world.log = open;
        let done: VecDeque<Exchange> = done;
        done.into()
    }

    /// Forgets the log and the counters.
    pub fn clear_log(&self) {
        let mut world = self.world();
        world.log.clear();
        world.bodies.1 = 0;
        world.counts.clear();
    }

    /// How many requests of a route came in.
    pub fn calls(&self, route: Route) -> u64 {
        self.world().counts.get(&route).copied().unwrap_or(0)
    }

    /// Plays another Console from now on.
    pub fn set_console(&self, console: ConsoleVersion) {
        self.world().console = console;
    }

    /// Turns the switches from now on.
    pub fn set_switches(&self, switches: Switches) {
        self.world().switches = switches;
    }

    /// Stores a document behind the clients' back: nothing is checked beyond
    /// what names it. Returns its object id, which an existing item keeps.
    pub fn put_raw(&self, tenant: &str, document: &Value) -> Result<String, EmbeddedError> {
        let (item, document) = raw_item(document).ok_or(EmbeddedError::NoItem)?;
        let key = Key { tenant: tenant.to_owned(), item };
        let mut world = self.world();
        let id = world.state.get(&key).map_or_else(new_id, |before| before.id.clone());
        world.state.put(key.clone(), Stored { id: id.clone(), document, legacy: Map::new() });
        let records: Vec<Record> = put_record(&world.state, &key).into_iter().collect();
        world.keep(&records)?;
        Ok(id)
    }

    /// Removes an item behind the clients' back; whether it was there.
    pub fn remove(&self, tenant: &str, item: &ItemKey) -> Result<bool, EmbeddedError> {
        let key = Key { tenant: tenant.to_owned(), item: item.clone() };
        Ok(self.world().delete(&key)?.is_some())
    }

    /// Notes a request and says which faults it meets.
    pub(crate) fn begin(&self, mut exchange: Exchange) -> (u64, Strikes) {
        let mut world = self.world();
        let began = world.tick();
        let ids: Vec<String> = exchange
            .items
            .iter()
            .map(|item| item.split(' ').next().unwrap_or_default().to_owned())
            .collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let strikes = world.faults.strike(exchange.route, &ids);
        exchange.began = began;
        exchange.resources = exchange.items.len();
        exchange.items.truncate(MAX_LOGGED_ITEMS);
        exchange.fault = strikes.decisive.as_ref().map(|(kind, _)| kind.clone());
        *world.counts.entry(exchange.route).or_default() += 1;
        world.note(exchange);
        (began, strikes)
    }

    /// Notes how a request ended.
    pub(crate) fn end(&self, began: u64, status: Option<u16>) {
        let mut world = self.world();
        let ended = world.tick();
        // The log is in the order of `began`.
        if let Ok(index) = world.log.binary_search_by_key(&began, |exchange| exchange.began)
            && let Some(exchange) = world.log.get_mut(index)
        {
            exchange.ended = Some(ended);
            exchange.status = status;
        }
    }
}

impl World {
    /// Takes a request into the log.
    fn note(&mut self, mut exchange: Exchange) {
        let size = |exchange: &Exchange| exchange.body.as_ref().map_or(0, Bytes::len);
        if self.log.len() >= MAX_LOG
            && let Some(oldest) = self.log.pop_front()
        {
            self.bodies.1 -= size(&oldest);
        }
        let (most, held) = self.bodies;
        exchange.body = exchange.body.filter(|body| held.saturating_add(body.len()) <= most);
        self.bodies.1 += size(&exchange);
        self.log.push_back(exchange);
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Writes changes to the journal, if there is one.
    pub(crate) fn keep(&mut self, records: &[Record]) -> Result<(), JournalError> {
        match &mut self.journal {
            Some(journal) if !records.is_empty() => journal.append(records),
            _ => Ok(()),
        }
    }

    /// Removes an item, with its images if the switch says so.
    pub(crate) fn delete(&mut self, key: &Key) -> Result<Option<Stored>, JournalError> {
        let Some(stored) = self.state.remove(key) else {
            return Ok(None);
        };
        let mut records =
            vec![Record::Delete { tenant: key.tenant.clone(), item: key.item.clone() }];
        if self.switches.delete_files == DeleteFiles::On {
            for name in self.state.orphans_of(&stored) {
                self.state.remove_file(&name);
                records.push(Record::Unfile { name });
            }
        }
        self.keep(&records)?;
        Ok(Some(stored))
    }
}

/// The key of a raw document, and the document in stored form.
fn raw_item(document: &Value) -> Option<(ItemKey, Map<String, Value>)> {
    let mut document = document.as_object()?.clone();
    let item_id = document.get("itemId")?.as_str()?.parse().ok()?;
    let version = match document.get("version").and_then(|version| version.get("name")) {
        Some(name) => name.as_str()?.parse().ok()?,
        None => Version::Na,
    };
    let named = document.remove("type");
    if let Some(name) = named.filter(|_| !document.contains_key("itemTypeDefinitionRef")) {
        document.insert(
            "itemTypeDefinitionRef".to_owned(),
            json!({ "name": name, "namespace": PLATFORM }),
        );
    }
    Some((ItemKey { item_id, version }, document))
}
