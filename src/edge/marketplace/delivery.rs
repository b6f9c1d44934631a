//! What travels to the marketplace, one request at a time for each group of
//! items: pictures first, then the items, then a look at those whose answer
//! was lost.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::domain::canon::Generation;
use crate::domain::event::{Action, Applied, Change, Failure, Outcome, Reason, Verb};
use crate::domain::images::{ImageLocations, ImageName};
use crate::domain::item::{Item, ItemId, ItemImage, ItemKey};

use super::client::Marketplace;
use super::error::CallError;
use super::http::Reply;
use super::images::{self, MAX_LOCATION};
use super::streak::Streak;
use super::upload::Upload;
use super::wire;

/// An item to be posted.
pub(super) struct Parcel {
    pub(super) change: Change,
    pub(super) item: Arc<Item>,
    /// As the source wants it.
    pub(super) document: Value,
    /// The length of what is sent, at most.
    pub(super) bytes: usize,
}

impl Parcel {
    pub(super) fn new(
        change: Change,
        item: Arc<Item>,
        document: Value,
        locations: &ImageLocations,
        generation: Generation,
    ) -> Self {
        let mut parcel = Self { change, item, document, bytes: 0 };
        let unknown = "x".repeat(MAX_LOCATION);
        parcel.bytes = parcel
            .serialise(generation, |name| Some(locations.get(name).unwrap_or(&unknown)))
            .len();
        parcel
    }

    /// The bytes to send.
    pub(super) fn on_the_wire(
        &self,
        locations: &ImageLocations,
        generation: Generation,
    ) -> Vec<u8> {
        self.serialise(generation, |name| locations.get(name))
    }

    fn serialise<'a>(
        &self,
        generation: Generation,
        location: impl Fn(&ImageName) -> Option<&'a str>,
    ) -> Vec<u8> {
        let sent = wire::manifest(&self.document, generation, |slot| {
            let image = self.item.images.iter().find(|image| image.slot == slot)?;
            location(&images::name(&self.item, image)).map(str::to_owned)
        });
        sent.to_string().into_bytes()
    }

    /// Whether the item is not in the marketplace, which may have removed its
    /// pictures with it (`marketplace-api.md` §5).
    fn is_absent(&self) -> bool {
        matches!(self.change.reason, Reason::New | Reason::Missing)
    }

    /// Whether a lost answer is worth a look: the item was seen absent in this
    /// pass, so if it is there, this pass made it.
    fn can_be_read_back(&self) -> bool {
        self.change.action == Action::Create && self.change.reason == Reason::New
    }

    fn names(&self) -> impl Iterator<Item = ImageName> {
        self.item.images.iter().map(|image| images::name(&self.item, image))
    }
}

/// An item that was posted and whose answer does not tell what became of it.
pub(super) struct Doubt {
    pub(super) parcel: Parcel,
    pub(super) why: String,
    pub(super) retry_after: Option<Duration>,
}

/// A picture that is remembered, and may be gone.
pub(super) struct Check {
    pub(super) key: ItemKey,
    pub(super) image: ItemImage,
    pub(super) name: ImageName,
    pub(super) location: String,
}

/// What one request after the other is made for.
pub(super) enum Errand {
    Apply(Group),
    /// The change, until its request is made.
    Delete(Option<Change>),
    /// A deletion whose answer is not the marketplace's, and its status, until
    /// it is looked at.
    Confirm(Option<(Change, u16)>),
}

/// Items that go in one request, as long as the server takes them so.
#[derive(Default)]
pub(super) struct Group {
    pub(super) begun: bool,
    pub(super) checks: VecDeque<Check>,
    pub(super) uploads: VecDeque<(ItemKey, ItemImage, ImageName)>,
    /// What is to be posted; the last is the next.
    pub(super) pieces: Vec<Vec<Parcel>>,
    pub(super) doubts: VecDeque<Doubt>,
}

/// An errand, and the items that nobody else may touch meanwhile.
pub(super) struct Lane {
    pub(super) item_ids: BTreeSet<ItemId>,
    pub(super) errand: Errand,
}

impl Lane {
    pub(super) fn apply(parcels: Vec<Parcel>) -> Self {
        let item_ids = parcels.iter().map(|parcel| parcel.change.key.item_id.clone()).collect();
        Self {
            item_ids,
            errand: Errand::Apply(Group { pieces: vec![parcels], ..Group::default() }),
        }
    }

    pub(super) fn delete(change: Change) -> Self {
        Self {
            item_ids: BTreeSet::from([change.key.item_id.clone()]),
            errand: Errand::Delete(Some(change)),
        }
    }

    /// The changes of this errand that no request was made for yet.
    pub(super) fn unsent(self) -> Vec<Change> {
        match self.errand {
            Errand::Apply(group) => {
                group.pieces.into_iter().flatten().map(|parcel| parcel.change).collect()
            }
            Errand::Delete(change) => change.into_iter().collect(),
            // Its request was made.
            Errand::Confirm(_) => Vec::new(),
        }
    }
}

impl Group {
    /// Lists the pictures that the marketplace lacks, and those that it may
    /// lack since its item is gone; each once, and none that is in `seen`.
    pub(super) fn begin(&mut self, locations: &ImageLocations, seen: &BTreeSet<ImageName>) {
        self.begun = true;
        let (mut listed, mut checked) = (BTreeSet::new(), BTreeSet::new());
        for parcel in self.pieces.iter().flatten() {
            for image in &parcel.item.images {
                let name = images::name(&parcel.item, image);
                let (key, image) = (parcel.item.key.clone(), image.clone());
                match locations.get(&name) {
                    None if listed.insert(name.clone()) => {
                        self.uploads.push_back((key, image, name));
                    }
                    Some(location)
                        if parcel.is_absent()
                            && !seen.contains(&name)
                            && checked.insert(name.clone()) =>
                    {
                        let location = location.to_owned();
                        self.checks.push_back(Check { key, image, name, location });
                    }
                    None | Some(_) => {}
                }
            }
        }
    }

    /// Takes out the items that show this picture, and the pictures that only
    /// they show.
    pub(super) fn without(&mut self, name: &ImageName) -> Vec<Parcel> {
        let mut out = Vec::new();
        for piece in &mut self.pieces {
            let (showing, rest) = std::mem::take(piece)
                .into_iter()
                .partition(|parcel| parcel.names().any(|n| n == *name));
            out.extend::<Vec<Parcel>>(showing);
            *piece = rest;
        }
        let needed: BTreeSet<ImageName> =
            self.pieces.iter().flatten().flat_map(Parcel::names).collect();
        self.uploads.retain(|(_, _, name)| needed.contains(name));
        self.checks.retain(|check| needed.contains(&check.name));
        out
    }

    /// Halves what the server refused as a whole, the first half first.
    pub(super) fn halve(&mut self, mut parcels: Vec<Parcel>) {
        let second = parcels.split_off(parcels.len().div_ceil(2));
        self.pieces.push(second);
        self.pieces.push(parcels);
    }

    /// Sorts what was posted and not answered: what can be read back is kept,
    /// the outcomes of the rest are returned.
    pub(super) fn doubt(
        &mut self,
        parcels: Vec<(Parcel, String)>,
        retry_after: Option<Duration>,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for (parcel, why) in parcels {
            if parcel.can_be_read_back() {
                self.doubts.push_back(Doubt { parcel, why, retry_after });
            } else {
                outcomes.push(transient(parcel.change, why, retry_after));
            }
        }
        outcomes
    }

    /// The outcomes of what is not read back after all.
    pub(super) fn give_up_doubts(&mut self) -> Vec<Outcome> {
        self.doubts
            .drain(..)
            .map(|doubt| transient(doubt.parcel.change, doubt.why, doubt.retry_after))
            .collect()
    }
}

/// One request of an errand.
pub(super) enum Request {
    Upload(Upload),
    Post { parcels: Vec<Parcel>, body: bytes::Bytes },
    ReadBack(Doubt),
    Delete(Change),
    Confirm((Change, u16)),
    Check(Check),
}

/// What came of it.
pub(super) enum Done {
    Upload(ImageName, Result<Reply, CallError>),
    Post { parcels: Vec<Parcel>, length: usize, result: Result<Reply, CallError> },
    ReadBack(Doubt, Result<Option<Value>, CallError>, Duration),
    Delete(Change, Result<Reply, CallError>),
    Confirm((Change, u16), Result<Option<Value>, CallError>, Duration),
    Check(Check, Result<bool, CallError>),
}

impl Done {
    /// Tells the streak how it went.
    pub(super) fn note(&self, streak: &mut Streak) {
        match self {
            Self::Upload(_, result) | Self::Post { result, .. } | Self::Delete(_, result) => {
                streak.note_reply(result.as_ref());
            }
            Self::ReadBack(_, result, _) | Self::Confirm(_, result, _) => {
                streak.note(result.as_ref().err());
            }
            Self::Check(_, result) => streak.note(result.as_ref().err()),
        }
    }
}

impl Marketplace {
    pub(super) async fn perform(
        &self,
        lane: Lane,
        request: Request,
        generation: Generation,
    ) -> (Lane, Done) {
        let done = match request {
            Request::Upload(upload) => {
                let result = self.upload(&upload, generation).await;
                Done::Upload(upload.name, result)
            }
            Request::Post { parcels, body } => {
                let length = body.len();
                let result = self.apply(body, generation).await;
                Done::Post { parcels, length, result }
            }
            Request::ReadBack(doubt) => {
                let begun = Instant::now();
                let result = self.document(&doubt.parcel.change.key, generation).await;
                Done::ReadBack(doubt, result, begun.elapsed())
            }
            Request::Delete(change) => {
                let result = self.delete(&change.key, generation).await;
                Done::Delete(change, result)
            }
            Request::Confirm(doubtful) => {
                let begun = Instant::now();
                let result = self.document(&doubtful.0.key, generation).await;
                Done::Confirm(doubtful, result, begun.elapsed())
            }
            Request::Check(check) => {
                let result = self.has_image(&check.location, check.name.digest).await;
                Done::Check(check, result)
            }
        };
        (lane, done)
    }
}

pub(super) fn transient(change: Change, why: String, retry_after: Option<Duration>) -> Outcome {
    Outcome { change, result: Err(Failure::Transient { why, retry_after }) }
}

pub(super) fn rejected(change: Change, why: String, pointer: Option<String>) -> Outcome {
    Outcome { change, result: Err(Failure::Rejected { why, pointer }) }
}

pub(super) fn applied(
    change: Change,
    verb: Verb,
    object_id: Option<String>,
    took: Duration,
) -> Outcome {
    let object_id = object_id.or_else(|| change.object_id.clone());
    let applied = Applied { verb, object_id, read_back: false, unchanged_there: false, took };
    Outcome { change, result: Ok(applied) }
}
