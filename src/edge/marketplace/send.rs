//! Sending: which request goes when, and what its answer means for each item.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::domain::event::{Action, Change, Failure, Outcome, Verb};
use crate::domain::item::ItemId;
use crate::domain::tree::Tree;

use super::IN_FLIGHT;
use super::client::Marketplace;
use super::delivery::{Errand, Lane, Parcel, Request, applied, rejected, transient};
use super::dispatch::{Dispatch, Sending, Sent};
use super::error::{CallError, SendError};
use super::outcome::not_the_marketplace;
use super::pack::{Weight, pack, startable};
use super::streak::Streak;
use super::upload::Upload;
use super::wire::envelope;

/// How many items are read and packed together, and how many bytes of them.
/// It bounds the memory of a pass that sends everything, and costs at most one
/// request in twenty.
const WINDOW_ITEMS: usize = 1000;
const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// Whether a request may start.
enum Gate {
    Open,
    /// Not in this pass; what was not sent is told so.
    Held(String),
    /// Not at all; nothing more is told.
    Shut,
}

impl Marketplace {
    /// Sends the changes, each at most once in a request of its own fate, four
    /// requests in flight. Adoptions and forgotten records need none.
    ///
    /// Every change that was tried has one outcome at the sink, also after the
    /// sink failed. Creations and
    /// updates go before deletions. What has no outcome when this returns was
    /// not tried, because `stop` was set or an error ended the sending.
    ///
    /// # Errors
    /// [`SendError::Call`] when the marketplace refuses whole requests (no
    /// valid token, no permission, wrong address), [`SendError::Source`] when
    /// an item cannot be read again, [`SendError::Sink`] when the sink fails.
    pub async fn send<T: Tree, E>(
        &self,
        sending: Sending<'_, '_, T>,
        mut sink: impl FnMut(Sent) -> Result<(), E>,
    ) -> Result<(), SendError<T::Error, E>> {
        let (mut writes, records): (Vec<_>, Vec<_>) =
            sending.changes.into_iter().partition(|change| change.action.is_write());
        if !records.is_empty() {
            let outcomes = records.into_iter().map(record).collect();
            sink(Sent::Outcomes(outcomes)).map_err(SendError::Sink)?;
        }
        if writes.is_empty() || *sending.stop.borrow() {
            return Ok(());
        }
        let mut dispatch = Dispatch {
            market: self,
            generation: self.generation().await?,
            bodies: sending.bodies,
            locations: sending.locations,
            tries: sending.tries,
            stop: sending.stop,
            sink,
            streak: Streak::default(),
            held: None,
            behind: BTreeSet::new(),
            seen_pictures: BTreeSet::new(),
            ending: None,
        };
        writes.sort_by(|a, b| a.key.cmp(&b.key));
        let (deletions, applications): (Vec<_>, Vec<_>) =
            writes.into_iter().partition(|change| change.action == Action::Delete);
        let mut applications = VecDeque::from(applications);
        while !applications.is_empty() {
            let lanes = dispatch.window(&mut applications);
            dispatch.run(lanes).await;
        }
        dispatch.run(deletions.into_iter().map(Lane::delete).collect()).await;
        dispatch.ending.map_or(Ok(()), Err)
    }
}

fn record(change: Change) -> Outcome {
    let verb = if change.action == Action::Adopt { Verb::Adopted } else { Verb::Forgotten };
    applied(change, verb, None, Duration::ZERO)
}

impl<T, S, E> Dispatch<'_, '_, T, S, E>
where
    T: Tree,
    S: FnMut(Sent) -> Result<(), E>,
{
    pub(super) fn tell(&mut self, sent: Sent) {
        let is_empty = match &sent {
            Sent::Outcomes(outcomes) | Sent::Unsent(outcomes) => outcomes.is_empty(),
            Sent::Uploaded(_) => false,
        };
        if is_empty {
            return;
        }
        if let Sent::Outcomes(outcomes) = &sent {
            let failed = outcomes
                .iter()
                .filter(|outcome| matches!(outcome.result, Err(Failure::Transient { .. })));
            self.behind.extend(failed.map(|outcome| outcome.change.key.item_id.clone()));
        }
        // Also after the sink failed: what is on its way must not be forgotten.
        if let Err(err) = (self.sink)(sent)
            && !matches!(self.ending, Some(SendError::Sink(_)))
        {
            self.ending = Some(SendError::Sink(err));
        }
    }

    pub(super) fn end(&mut self, err: CallError) {
        self.ending.get_or_insert(SendError::Call(err));
    }

    /// Once held, the rest of the pass is held: a pause that ends in between
    /// must not leave a part of it untold.
    fn gate(&mut self) -> Gate {
        if self.ending.is_some() || *self.stop.borrow() {
            return Gate::Shut;
        }
        if self.held.is_none() {
            self.held = self.market.closed(&self.streak);
        }
        self.held.clone().map_or(Gate::Open, Gate::Held)
    }

    fn unsent(&mut self, why: &str, changes: Vec<Change>) {
        let retry_after = self.market.retry_after();
        let outcomes = changes
            .into_iter()
            .map(|change| transient(change, why.to_owned(), retry_after))
            .collect();
        self.tell(Sent::Unsent(outcomes));
    }

    /// Versions of one item go in ascending order.
    fn wait(&mut self, early: Vec<Parcel>) {
        let changes = early.into_iter().map(|parcel| parcel.change).collect();
        self.unsent("an earlier version of it has to go first", changes);
    }

    /// Reads and packs the next items.
    fn window(&mut self, changes: &mut VecDeque<Change>) -> VecDeque<Lane> {
        match self.gate() {
            Gate::Open => {}
            Gate::Held(why) => {
                let rest = changes.drain(..).collect();
                self.unsent(&why, rest);
            }
            Gate::Shut => changes.clear(),
        }
        let mut parcels: Vec<Option<Parcel>> = Vec::new();
        let mut bytes = 0;
        while parcels.len() < WINDOW_ITEMS && bytes < WINDOW_BYTES {
            let Some(change) = changes.pop_front() else {
                break;
            };
            let Some(item) = change.wanted.clone() else {
                let why = "the plan does not say what is wanted".to_owned();
                self.tell(Sent::Outcomes(vec![rejected(change, why, None)]));
                continue;
            };
            match self.bodies.document(&item) {
                Ok(document) => {
                    let parcel =
                        Parcel::new(change, item, document, self.locations, self.generation);
                    bytes += parcel.bytes;
                    parcels.push(Some(parcel));
                }
                Err(err) => {
                    self.ending.get_or_insert(SendError::Source(err));
                    changes.clear();
                    return VecDeque::new();
                }
            }
        }
        let weights: Vec<Weight<'_>> =
            parcels.iter().flatten().map(|parcel| self.weight(parcel)).collect();
        let batches = pack(&weights, self.generation);
        let lanes = batches.into_iter().map(|batch| {
            Lane::apply(
                batch.into_iter().filter_map(|index| parcels.get_mut(index)?.take()).collect(),
            )
        });
        lanes.collect()
    }

    fn weight<'p>(&self, parcel: &'p Parcel) -> Weight<'p> {
        let key = &parcel.change.key;
        Weight { key, bytes: parcel.bytes, tries: self.tries.get(key).copied().unwrap_or(0) }
    }

    /// Runs the errands, at most four at a time and never two of one item.
    async fn run(&mut self, mut waiting: VecDeque<Lane>) {
        let (market, generation) = (self.market, self.generation);
        let mut flying = FuturesUnordered::new();
        let mut busy: BTreeSet<ItemId> = BTreeSet::new();
        loop {
            while flying.len() < IN_FLIGHT && matches!(self.gate(), Gate::Open) {
                let next = startable(waiting.iter().map(|lane| &lane.item_ids), &busy);
                let Some(mut lane) = next.and_then(|index| waiting.remove(index)) else {
                    break;
                };
                if let Some(request) = self.next(&mut lane) {
                    busy.extend(lane.item_ids.iter().cloned());
                    flying.push(market.perform(lane, request, generation));
                }
            }
            let Some((mut lane, done)) = flying.next().await else {
                break;
            };
            done.note(&mut self.streak);
            self.absorb(&mut lane, done);
            match self.next(&mut lane) {
                Some(request) => flying.push(market.perform(lane, request, generation)),
                None => busy.retain(|item_id| !lane.item_ids.contains(item_id)),
            }
        }
        if let Gate::Held(why) = self.gate() {
            let rest = waiting.into_iter().flat_map(Lane::unsent).collect();
            self.unsent(&why, rest);
        }
    }

    fn confirm(&mut self, (change, status): (Change, u16), gate: &Gate) -> Option<Request> {
        if matches!(gate, Gate::Open) {
            return Some(Request::Confirm((change, status)));
        }
        // It was tried, so it has an outcome.
        let why = not_the_marketplace(status);
        self.tell(Sent::Outcomes(vec![transient(change, why, None)]));
        None
    }

    /// The next request of an errand; none if it is done or may not go on.
    fn next(&mut self, lane: &mut Lane) -> Option<Request> {
        let gate = self.gate();
        let group = match &mut lane.errand {
            Errand::Delete(change) => {
                let change = change.take();
                match gate {
                    Gate::Open => return change.map(Request::Delete),
                    Gate::Held(why) => self.unsent(&why, change.into_iter().collect()),
                    Gate::Shut => {}
                }
                return None;
            }
            Errand::Confirm(doubtful) => {
                let doubtful = doubtful.take()?;
                return self.confirm(doubtful, &gate);
            }
            Errand::Apply(group) => group,
        };
        if !matches!(gate, Gate::Open) {
            let lost = group.give_up_doubts();
            self.tell(Sent::Outcomes(lost));
            if let Gate::Held(why) = gate {
                let rest = group.pieces.drain(..).flatten().map(|parcel| parcel.change).collect();
                self.unsent(&why, rest);
            }
            return None;
        }
        if !group.begun {
            group.begin(self.locations, &self.seen_pictures);
        }
        if let Some(check) = group.checks.pop_front() {
            return Some(Request::Check(check));
        }
        if let Some((key, image, name)) = group.uploads.pop_front() {
            return match self.bodies.image(&image) {
                Ok(bytes) => {
                    Some(Request::Upload(Upload { key, image, name, bytes: bytes.into() }))
                }
                Err(err) => {
                    self.ending.get_or_insert(SendError::Source(err));
                    None
                }
            };
        }
        while let Some(parcels) = group.pieces.pop() {
            let (early, parcels) = parcels
                .into_iter()
                .partition::<Vec<_>, _>(|parcel| self.behind.contains(&parcel.change.key.item_id));
            self.wait(early);
            if !parcels.is_empty() {
                let documents: Vec<_> = parcels
                    .iter()
                    .map(|parcel| parcel.on_the_wire(self.locations, self.generation))
                    .collect();
                return Some(Request::Post { parcels, body: envelope(&documents).into() });
            }
        }
        group.doubts.pop_front().map(Request::ReadBack)
    }
}
