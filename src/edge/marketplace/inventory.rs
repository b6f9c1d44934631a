//! Everything that a company has: the list, the versions of each item, each
//! version by itself, and pictures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use reqwest::Method;
use serde_json::Value;
use tokio::sync::watch;

use crate::domain::canon::Generation;
use crate::domain::event::NOT_ASKED;
use crate::domain::item::{Digest, ImageSlot, ItemId, ItemKey, MAX_VERSION_BYTES, Version};
use crate::domain::tree::MAX_FILES;

use super::client::Marketplace;
use super::error::{CallError, Reach};
use super::http::{MAX_DOCUMENT, Outgoing, Payload, Reply};
use super::images::{self, Fetched};
use super::streak::Streak;
use super::words;

/// How many rows of the list are asked for at once: the most that the server
/// gives (`marketplace-api.md` §4.2).
const PER_PAGE: usize = 200;

/// The most pages that are asked for: enough for the largest catalogue from a
/// server that gives 50 rows a page, whatever is asked.
const MAX_PAGES: u64 = (MAX_FILES / 50) as u64;

/// How many remarks are kept; the others are counted.
const MAX_REMARKS: usize = 100;

/// How much of a name that is not legal is repeated, in characters.
const MAX_NAME: usize = 100;

/// What is wrong with what the marketplace says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// What, for people.
    pub told: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl Remarks {
    fn add(&mut self, remark: String) {
        if self.told.len() < MAX_REMARKS {
            self.told.push(remark);
        } else {
            self.more += 1;
        }
    }

    /// Takes in those of another part.
    pub fn append(&mut self, other: Self) {
        other.told.into_iter().for_each(|remark| self.add(remark));
        self.more += other.more;
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}

/// The items of the company.
#[derive(Debug, Default)]
pub struct Listing {
    /// Each with the versions that the list itself names: one or all of them
    /// (`marketplace-api.md` §13.8).
    pub items: BTreeMap<ItemId, BTreeSet<Version>>,
    /// What could not be used.
    pub remarks: Remarks,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// A page could not be had.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The list goes on and on.
    #[error(
        "the list of items does not end after {pages} pages and {items} items; at most {MAX_FILES} items are read"
    )]
    Endless {
        /// How many pages were read.
        pages: u64,
        /// How many items they named.
        items: usize,
    },
}

impl Marketplace {
    /// The items of the company: pages until the server names no further one
    /// and a page is short. Rows of other companies are passed over.
    ///
    /// The legacy list has no pages, as far as anybody knows: it is asked once,
    /// as the vendor's client does.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] may go next time.
    pub async fn list(&self, stop: &watch::Receiver<bool>) -> Result<Listing, InventoryError> {
        let generation = self.generation().await?;
        let mut listing = Listing::default();
        let (mut page, mut rows_seen, mut before) = (1, 0_u64, None);
        loop {
            if *stop.borrow() {
                return Err(stopped().into());
            }
            let reply = self.page(generation, page).await?;
            let rows = rows(&reply)?;
            let (count, digest) = (rows.len(), Digest::of(&reply.body));
            if count > 0 && before == Some(digest) {
                listing.remarks.add(format!("page {page} of the list is that before once more"));
                break;
            }
            before = Some(digest);
            rows_seen += count as u64;
            self.take(&rows, &reply, &mut listing);
            let more = match generation {
                Generation::New => {
                    reply.totals.pages.is_some_and(|pages| pages > page) || count >= PER_PAGE
                }
                Generation::Legacy => false,
            };
            if count == 0 || !more {
                if let Some(total) = reply.totals.items.filter(|total| *total > rows_seen) {
                    listing.remarks.add(format!(
                        "the marketplace counts {total} rows in its list and gave {rows_seen}"
                    ));
                }
                break;
            }
            // A row may name one more version of an item that is listed already.
            if page >= MAX_PAGES || rows_seen > MAX_FILES as u64 {
                return Err(InventoryError::Endless { pages: page, items: listing.items.len() });
            }
            page += 1;
        }
        Ok(listing)
    }

    async fn page(&self, generation: Generation, page: u64) -> Result<Reply, CallError> {
        // With a slash at the end, as the vendor's client has it (§2.2).
        let (route, segments): (_, &[&str]) = match generation {
            Generation::New => ("/api/marketplace", &["api", "marketplace", ""]),
            Generation::Legacy => {
                ("/api/backend/marketplace", &["api", "backend", "marketplace", ""])
            }
        };
        let mut url = self.http.url(segments);
        url.query_pairs_mut().append_pair("tenantId", &self.company);
        if generation == Generation::New {
            let (per_page, page) = (PER_PAGE.to_string(), page.to_string());
            url.query_pairs_mut().append_pair("perPage", &per_page).append_pair("page", &page);
        }
        let reply = self.exchange(&asking(route, url)).await?;
        if reply.is_success() { Ok(reply) } else { Err(self.failure(&reply, "list items")) }
    }

    fn take(&self, rows: &[Value], reply: &Reply, listing: &mut Listing) {
        let shown = |text: &str| words::clean(&reply.secrets.mask(text), MAX_NAME);
        for row in rows {
            match row.get("tenantId").and_then(Value::as_str) {
                Some(tenant) if tenant == self.company => {}
                Some(_) => continue,
                None => {
                    listing.remarks.add("a row of the list names no company".to_owned());
                    continue;
                }
            }
            let named = row.get("itemId").and_then(Value::as_str).unwrap_or_default();
            let Ok(item_id) = named.parse::<ItemId>() else {
                let remark = format!("the list names an item {:?}, which is no id", shown(named));
                listing.remarks.add(remark);
                continue;
            };
            // The field is optional, and absent also for an item without one.
            let version = row.pointer("/version/name").or_else(|| row.get("version"));
            let version = match version.and_then(Value::as_str) {
                None => Some(Version::Na),
                Some(name) => legal(name),
            };
            listing.items.entry(item_id).or_default().extend(version);
        }
    }

    async fn releases(
        &self,
        item_id: &ItemId,
        generation: Generation,
    ) -> Result<Option<Reply>, CallError> {
        let (route, collection) = match generation {
            Generation::New => ("/api/tenants/{t}/marketplace/items/{itemId}/versions", "items"),
            Generation::Legacy => {
                ("/api/backend/marketplace/tenants/{t}/resources/{itemId}/versions", "resources")
            }
        };
        let url = self.url(generation, &[collection, item_id.as_str(), "versions"]);
        let reply = self.exchange(&asking(route, url)).await?;
        match reply.status {
            404 => Ok(None),
            _ if reply.is_success() => Ok(Some(reply)),
            _ => Err(self.failure(&reply, "list the versions of items")),
        }
    }
}

fn asking(route: &'static str, url: url::Url) -> Outgoing<'static> {
    let (method, accept) = (Method::GET, "application/json");
    Outgoing { method, route, url, accept, payload: Payload::Empty, limit: MAX_DOCUMENT }
}

fn rows(reply: &Reply) -> Result<Vec<Value>, CallError> {
    if reply.cut {
        return Err(CallError::lost("a list is longer than any page".to_owned()));
    }
    serde_json::from_slice(&reply.body)
        .map_err(|_| CallError::lost("a list cannot be understood: it is no JSON array".to_owned()))
}

/// The version of that name, if it may be one.
fn legal(name: &str) -> Option<Version> {
    (name.len() <= MAX_VERSION_BYTES).then(|| name.parse().ok()).flatten()
}

fn stopped() -> CallError {
    let why = format!("{NOT_ASKED}the run was stopped");
    CallError::Unavailable { why, retry_after: None, reach: Reach::NeverSent }
}

/// One round of reading item after item. Once too many requests in a row
/// failed, while the server wants to be left alone, and after `stop`, nothing
/// is asked any more.
pub struct Round<'a> {
    market: &'a Marketplace,
    generation: Generation,
    stop: watch::Receiver<bool>,
    streak: Mutex<Streak>,
}

impl<'a> Round<'a> {
    /// A round at this marketplace.
    ///
    /// # Errors
    /// Its generation could not be asked for.
    pub async fn new(
        market: &'a Marketplace,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, CallError> {
        let generation = market.generation().await?;
        Ok(Self { market, generation, stop, streak: Mutex::default() })
    }

    /// The API that it speaks.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The versions of an item, and what is wrong with their list. Empty where
    /// the marketplace names none.
    pub async fn versions(
        &self,
        item_id: &ItemId,
    ) -> Result<(BTreeSet<Version>, Remarks), CallError> {
        let (mut versions, mut remarks) = (BTreeSet::new(), Remarks::default());
        let Some(reply) = self.ask(self.market.releases(item_id, self.generation)).await? else {
            return Ok((versions, remarks));
        };
        for row in rows(&reply)? {
            let name = row.get("version").and_then(Value::as_str).unwrap_or_default();
            if let Some(version) = legal(name) {
                versions.insert(version);
            } else {
                let shown = words::clean(&reply.secrets.mask(name), MAX_NAME);
                remarks.add(format!("item {item_id} has a version {shown:?}, which is none"));
            }
        }
        Ok((versions, remarks))
    }

    /// The document of one version; none if there is none.
    pub async fn document(&self, key: &ItemKey) -> Result<Option<Value>, CallError> {
        self.ask(self.market.document(key, self.generation)).await
    }

    /// A picture of the marketplace.
    pub async fn picture(&self, location: &str) -> Result<Fetched, CallError> {
        self.ask(self.market.image(location)).await
    }

    /// Whether a text repeats a secret that was sent to this server.
    pub fn repeats_a_secret(&self, text: &str) -> bool {
        self.market.http.secrets().are_plainly_in(text)
    }

    async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        if *self.stop.borrow() {
            return Err(stopped());
        }
        let closed =
            self.market.closed(&self.streak.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(why) = closed {
            return Err(CallError::Unavailable { why, retry_after: None, reach: Reach::NeverSent });
        }
        let result = call.await;
        self.streak.lock().unwrap_or_else(PoisonError::into_inner).note(result.as_ref().err());
        result
    }
}

/// The pictures of a live document that the marketplace itself holds.
pub fn held_pictures(live: &Value) -> impl Iterator<Item = (ImageSlot, &str)> {
    ImageSlot::ALL.into_iter().filter_map(|slot| {
        let location = live.get(slot.url_field())?.as_str()?;
        images::is_download(location).then_some((slot, location))
    })
}
