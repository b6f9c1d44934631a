//! Looking: one GET for each key, compared at once and not kept.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};

use crate::domain::canon::Generation;
use crate::domain::catalog::{Bodies, Snapshot};
use crate::domain::compare::differences;
use crate::domain::event::NOT_ASKED;
use crate::domain::images::{ImageLocation, ImageLocations, ImageName};
use crate::domain::item::{Digest, ImageSlot, Item, ItemKey, NA, Version};
use crate::domain::mask::masked_pointer;
use crate::domain::plan::{Live, Look};
use crate::domain::tree::Tree;

use super::answer::object_id;
use super::client::Marketplace;
use super::error::{CallError, ObserveError, left_alone};
use super::images::ImageFact;
use super::streak::Streak;
use super::{IN_FLIGHT, images, words};
use crate::edge::secrets::Secrets;

/// What a round of looks needs.
pub struct Observing<'a, 'b, T> {
    /// The keys to look at.
    pub keys: &'a BTreeSet<ItemKey>,
    /// What the source wants.
    pub snapshot: &'a Snapshot,
    /// The documents of what it wants.
    pub bodies: &'a mut Bodies<'b, T>,
    /// Which pictures the marketplace has; what is learned is left there to be
    /// saved.
    pub locations: &'a mut ImageLocations,
    /// Looks that are no need but a favour; none: they are needed.
    pub favour: Option<Favour>,
    /// Who wants to see what is there, and not only how it compares.
    pub sight: Option<Witness<'a>>,
    /// Set when no further request may start.
    pub stop: &'a watch::Receiver<bool>,
}

/// Who is shown what a round sees.
pub type Witness<'a> = &'a mut (dyn FnMut(Sighted<'_>) + Send + 'a);

/// Something that was seen in the marketplace.
#[derive(Debug)]
pub enum Sighted<'a> {
    /// The document of a version, with whatever stands in it: see
    /// [`Marketplace::secrets`].
    Document {
        /// Which item.
        key: &'a ItemKey,
        /// The document.
        live: Value,
        /// The item that is wanted.
        wanted: Option<&'a Item>,
        /// Whether it differs from that, pictures aside whose bytes must be
        /// seen.
        differs: bool,
    },
    /// One of its pictures, where it had to be fetched; none: there is none
    /// that could be had.
    Picture {
        /// Which item.
        key: &'a ItemKey,
        /// Which of its pictures.
        slot: ImageSlot,
        /// The blake3 hash of its bytes.
        digest: Option<Digest>,
        /// How many there are.
        size: Option<u64>,
    },
}

/// Looks that nothing waits for. One that did not begin is no look at all, and
/// one that is refused is the item's trouble alone.
#[derive(Debug, Clone, Copy)]
pub struct Favour {
    /// How many documents are asked for in a second at most.
    pub rate: u32,
    /// When no further look begins.
    pub until: Instant,
}

/// A picture whose bytes must be seen.
struct Unseen {
    location: String,
    name: ImageName,
    pointer: String,
}

/// A look that is not finished.
struct Sight {
    key: ItemKey,
    object_id: Option<String>,
    /// Nobody wants it: it differs, whatever it holds.
    unwanted: bool,
    fields: Vec<String>,
    unseen: VecDeque<Unseen>,
}

/// One request of a round.
enum Step {
    Document(ItemKey),
    Picture(Box<Sight>, Unseen),
}

enum Seen {
    Document(ItemKey, Result<Option<Value>, CallError>),
    Picture(Box<Sight>, Unseen, Result<Option<ImageFact>, CallError>),
}

/// What is known after a request.
enum Taken {
    Whole(ItemKey, Look),
    Part(Box<Sight>),
}

impl<T: Tree> Observing<'_, '_, T> {
    fn take(
        &mut self,
        seen: Seen,
        generation: Generation,
        secrets: &Secrets,
    ) -> Result<Taken, ObserveError<T::Error>> {
        match seen {
            Seen::Document(key, Ok(None)) => Ok(Taken::Whole(key, Look::Absent)),
            Seen::Document(
                key,
                Err(CallError::Unavailable { why, .. } | CallError::Unsendable { why }),
            ) => Ok(Taken::Whole(key, Look::Failed { why })),
            Seen::Document(key, Err(CallError::Refused { why, .. })) if self.favour.is_some() => {
                Ok(Taken::Whole(key, Look::Failed { why }))
            }
            Seen::Document(_, Err(err)) => Err(err.into()),
            Seen::Document(key, Ok(Some(live))) => {
                let wanted = self.snapshot.items.get(&key).map(Arc::as_ref);
                let sight = compare(key, &live, wanted, self.bodies, self.locations, generation)
                    .map_err(ObserveError::Source)?;
                if let Some(witness) = &mut self.sight {
                    let differs = !sight.fields.is_empty();
                    let key = &sight.key;
                    witness(Sighted::Document { key, live, wanted, differs });
                }
                Ok(Taken::Part(Box::new(sight.without(secrets))))
            }
            Seen::Picture(sight, picture, Err(err)) => {
                let why = format!("{} cannot be compared: {err}", picture.name.slot.field());
                Ok(Taken::Whole(sight.key, Look::Failed { why }))
            }
            Seen::Picture(mut sight, picture, Ok(fact)) => {
                if let Some(witness) = &mut self.sight {
                    let (key, slot) = (&sight.key, picture.name.slot);
                    let digest = fact.map(|fact| fact.digest);
                    let size = fact.map(|fact| fact.size);
                    witness(Sighted::Picture { key, slot, digest, size });
                }
                if fact.is_some_and(|fact| fact.digest == picture.name.digest) {
                    let Unseen { location, name, .. } = picture;
                    self.locations.learn(ImageLocation { name, location });
                } else {
                    sight.fields.push(picture.pointer);
                }
                Ok(Taken::Part(sight))
            }
        }
    }
}

impl Marketplace {
    /// Looks at every key: one GET each, four in flight, and no request if
    /// there is no key.
    ///
    /// A 404 with a JSON body makes a key absent. What may go next time makes
    /// its look failed, and so does a 404 that the marketplace did not write:
    /// the absence of data is no data about absence. While the server asks to
    /// be left alone no request starts; [`Marketplace::retry_after`] says how
    /// long. So are the looks that did not happen because `stop` was set.
    ///
    /// # Errors
    /// [`ObserveError::Source`] if a wanted item cannot be read,
    /// [`ObserveError::Call`] if the marketplace refuses all looks.
    pub async fn observe<T: Tree>(
        &self,
        round: Observing<'_, '_, T>,
    ) -> Result<Live, ObserveError<T::Error>> {
        let mut live = Live::new();
        if round.keys.is_empty() {
            return Ok(live);
        }
        let generation = self.generation().await?;
        let mut round = round;
        let mut waiting = round.keys.iter().peekable();
        let mut flying = FuturesUnordered::new();
        let mut streak = Streak::default();
        let mut pace = round.favour.map(|favour| pace(favour.rate));
        let mut stop = round.stop.clone();
        loop {
            let stopped = *stop.borrow();
            let late = round.favour.is_some_and(|favour| Instant::now() >= favour.until);
            let has_next = waiting.peek().is_some();
            let may_start = flying.len() < IN_FLIGHT && !stopped && !late && has_next;
            let seen = tokio::select! {
                Some(seen) = flying.next() => seen,
                () = tick(&mut pace), if may_start => {
                    let Some(key) = waiting.next() else { continue };
                    match self.closed(&streak) {
                        Some(why) => drop(live.insert(key.clone(), Look::Failed { why })),
                        None => flying.push(self.look(Step::Document(key.clone()), generation)),
                    }
                    continue;
                }
                _ = stop.wait_for(|stop| *stop), if may_start => continue,
                else => break,
            };
            streak.note(match &seen {
                Seen::Document(_, got) => got.as_ref().err(),
                Seen::Picture(_, _, got) => got.as_ref().err(),
            });
            match round.take(seen, generation, &self.http.secrets())? {
                Taken::Whole(key, look) => drop(live.insert(key, look)),
                Taken::Part(_) if stopped => {}
                Taken::Part(mut sight) => match (sight.unseen.pop_front(), self.closed(&streak)) {
                    (None, _) => drop(live.insert(sight.key.clone(), sight.result())),
                    (_, Some(why)) => drop(live.insert(sight.key, Look::Failed { why })),
                    (Some(picture), None) => {
                        flying.push(self.look(Step::Picture(sight, picture), generation));
                    }
                },
            }
        }
        if round.favour.is_none() {
            // A key without a look would count as one that is as it should be.
            for key in round.keys {
                live.entry(key.clone()).or_insert_with(|| Look::Failed {
                    why: format!("{NOT_ASKED}the run was stopped"),
                });
            }
        }
        Ok(live)
    }

    /// Why no request may start, if none may.
    pub(super) fn closed(&self, streak: &Streak) -> Option<String> {
        if self.http.pause().is_some() {
            return Some(left_alone());
        }
        streak
            .broken()
            .map(|why| format!("{NOT_ASKED}too many requests in a row failed; the last: {why}"))
    }

    async fn look(&self, step: Step, generation: Generation) -> Seen {
        match step {
            Step::Document(key) => {
                let got = self.document(&key, generation).await;
                Seen::Document(key, got)
            }
            Step::Picture(sight, picture) => {
                let fact = self.image_at(&picture.location).await;
                Seen::Picture(sight, picture, fact)
            }
        }
    }

    /// The document of one version; none if the marketplace says that there is
    /// none.
    pub(super) async fn document(
        &self,
        key: &ItemKey,
        generation: Generation,
    ) -> Result<Option<Value>, CallError> {
        let reply = self.get(key, generation).await?;
        if reply.status == 404 {
            return if words::is_json_object(&reply.body) {
                Ok(None)
            } else {
                Err(CallError::lost(format!(
                    "not found, but not in the words of the marketplace: {}",
                    reply.words()
                )))
            };
        }
        if !reply.is_success() {
            return Err(self.failure(&reply, "read items"));
        }
        if reply.cut {
            return Err(CallError::lost("the answer is longer than any item".to_owned()));
        }
        let document = serde_json::from_slice::<Value>(&reply.body).ok().filter(Value::is_object);
        let Some(document) = document else {
            return Err(CallError::lost(
                "the answer cannot be understood: it is no JSON object".to_owned(),
            ));
        };
        if is_about(&document, key) {
            Ok(Some(document))
        } else {
            Err(CallError::lost("the answer is about another item".to_owned()))
        }
    }
}

/// So many times a second, the first at once.
fn pace(rate: u32) -> Interval {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

async fn tick(pace: &mut Option<Interval>) {
    if let Some(pace) = pace {
        pace.tick().await;
    }
}

/// Whether a document is that of the key that was asked for.
fn is_about(document: &Value, key: &ItemKey) -> bool {
    let item_id = document.get("itemId").and_then(Value::as_str);
    let version = document.pointer("/version/name").and_then(Value::as_str).unwrap_or(NA);
    let same_version = match &key.version {
        Version::Na => version == NA,
        Version::Named(named) => version == named.to_string(),
    };
    item_id == Some(key.item_id.as_str()) && same_version
}

impl Sight {
    /// Leaves out what nobody may read.
    fn without(mut self, secrets: &Secrets) -> Self {
        self.object_id = self.object_id.filter(|id| !secrets.are_in(id));
        for pointer in &mut self.fields {
            *pointer = masked_pointer(&secrets.mask(pointer));
        }
        self
    }

    fn result(self) -> Look {
        if self.fields.is_empty() && !self.unwanted {
            Look::Agrees { object_id: self.object_id }
        } else {
            let mut fields = self.fields;
            fields.sort();
            Look::Differs { object_id: self.object_id, fields }
        }
    }
}

/// Compares what is there with what is wanted. Of pictures only those are
/// left open whose bytes must be seen.
fn compare<T: Tree>(
    key: ItemKey,
    live: &Value,
    wanted: Option<&Item>,
    bodies: &mut Bodies<'_, T>,
    locations: &ImageLocations,
    generation: Generation,
) -> Result<Sight, T::Error> {
    let object_id = object_id(live, &Secrets::default());
    let Some(item) = wanted else {
        return Ok(Sight {
            key,
            object_id,
            unwanted: true,
            fields: Vec::new(),
            unseen: VecDeque::new(),
        });
    };
    let document = bodies.document(item)?;
    let found = differences(live, &document, generation);
    let fields = found.into_iter().map(|change| change.pointer).collect();
    let mut sight = Sight { key, object_id, unwanted: false, fields, unseen: VecDeque::new() };
    for image in &item.images {
        let name = images::name(item, image);
        let pointer = format!("/{}", image.slot.field());
        match live.get(image.slot.url_field()).and_then(Value::as_str) {
            Some(there) if locations.get(&name) == Some(there) => {}
            Some(there) if images::is_download(there) || locations.holds(there) => {
                sight.unseen.push_back(Unseen { location: there.to_owned(), name, pointer });
            }
            _ => sight.fields.push(pointer),
        }
    }
    Ok(sight)
}

/// Whether the marketplace holds the item as it was sent, pictures included;
/// for reading back what was just sent, when every location is known.
pub(super) fn is_as_sent(
    live: &Value,
    item: &Item,
    document: &Value,
    locations: &ImageLocations,
    generation: Generation,
) -> bool {
    differences(live, document, generation).is_empty()
        && item.images.iter().all(|image| {
            let there = live.get(image.slot.url_field()).and_then(Value::as_str);
            there.is_some() && there == locations.get(&images::name(item, image))
        })
}
