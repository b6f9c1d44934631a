//! What an answer means for the changes that it was asked for.

use std::time::Duration;

use serde_json::Value;

use crate::domain::event::{Change, Outcome, Verb};
use crate::domain::images::{ImageLocation, ImageName};
use crate::domain::item::ItemKey;
use crate::domain::tree::Tree;

use super::answer::{self, Verdict};
use super::delivery::{
    Check, Done, Doubt, Errand, Group, Lane, Parcel, applied, rejected, transient,
};
use super::dispatch::{Dispatch, Sent};
use super::error::{CallError, Reach};
use super::http::Reply;
use super::images::Uploaded;
use super::observe::is_as_sent;
use super::words;

/// Why it is not known whether an item was deleted, or why one is there whose
/// deletion was answered.
pub(super) fn not_the_marketplace(status: u16) -> String {
    format!(
        "the deletion was answered {status}, but not in the words of the marketplace; is a proxy or a sign-in page in the way?"
    )
}

impl<T, S, E> Dispatch<'_, '_, T, S, E>
where
    T: Tree,
    S: FnMut(Sent) -> Result<(), E>,
{
    /// Takes in what came of a request: tells outcomes, and leaves in the lane
    /// what is still to be done.
    pub(super) fn absorb(&mut self, lane: &mut Lane, done: Done) {
        match (&mut lane.errand, done) {
            (Errand::Apply(group), Done::Upload(name, result)) => {
                self.uploaded(group, name, result);
            }
            (Errand::Apply(group), Done::Check(check, result)) => {
                self.checked(group, check, result);
            }
            (Errand::Apply(group), Done::Post { parcels, length, result }) => {
                self.posted(group, parcels, length, result);
            }
            (Errand::Apply(group), Done::ReadBack(doubt, result, took)) => {
                self.read_back(group, doubt, result, took);
            }
            (Errand::Delete(_), Done::Delete(change, result)) => {
                if let Some(doubtful) = self.deleted(change, result) {
                    lane.errand = Errand::Confirm(Some(doubtful));
                }
            }
            (Errand::Confirm(_), Done::Confirm(doubtful, result, took)) => {
                self.confirmed(doubtful, result, took);
            }
            // An errand makes only its own requests.
            (Errand::Apply(_) | Errand::Delete(_) | Errand::Confirm(_), _) => {}
        }
    }

    fn uploaded(&mut self, group: &mut Group, name: ImageName, result: Result<Reply, CallError>) {
        let pointer = format!("/{}", name.slot.field());
        match result.and_then(|reply| self.market.uploaded(&reply)) {
            Err(CallError::Unsendable { why }) => {
                let outcome =
                    |parcel: Parcel| rejected(parcel.change, why.clone(), Some(pointer.clone()));
                let outcomes = group.without(&name).into_iter().map(outcome).collect();
                self.tell(Sent::Outcomes(outcomes));
            }
            Ok(Uploaded::At(location)) => {
                let location = ImageLocation { name, location };
                self.seen_pictures.insert(location.name.clone());
                self.locations.insert(location.clone());
                self.tell(Sent::Uploaded(location));
            }
            Ok(Uploaded::Refused(why)) => {
                let why = format!("the marketplace refuses the picture: {why}");
                let outcome =
                    |parcel: Parcel| rejected(parcel.change, why.clone(), Some(pointer.clone()));
                let outcomes = group.without(&name).into_iter().map(outcome).collect();
                self.tell(Sent::Outcomes(outcomes));
            }
            Err(CallError::Unavailable { why, retry_after, .. }) => {
                self.keep_back(group, &name, &format!("could not be uploaded: {why}"), retry_after);
            }
            Err(err) => self.end(err),
        }
    }

    /// A location that is dead is forgotten here, and in the store when the
    /// next upload replaces it: until then it is only checked again.
    fn checked(&mut self, group: &mut Group, check: Check, result: Result<bool, CallError>) {
        let Check { key, image, name, .. } = check;
        match result {
            Ok(true) => drop(self.seen_pictures.insert(name)),
            Ok(false) => {
                self.locations.forget_one(&name);
                group.uploads.push_back((key, image, name));
            }
            Err(CallError::Unavailable { why, retry_after, .. }) => {
                self.keep_back(
                    group,
                    &name,
                    &format!("could not be read back: {why}"),
                    retry_after,
                );
            }
            Err(err) => self.end(err),
        }
    }

    /// Leaves the items that show a picture for the next pass.
    fn keep_back(
        &mut self,
        group: &mut Group,
        name: &ImageName,
        why: &str,
        retry_after: Option<Duration>,
    ) {
        let why = format!("{} {why}", name.slot.field());
        let outcome = |parcel: Parcel| transient(parcel.change, why.clone(), retry_after);
        let outcomes = group.without(name).into_iter().map(outcome).collect();
        self.tell(Sent::Outcomes(outcomes));
    }

    fn posted(
        &mut self,
        group: &mut Group,
        parcels: Vec<Parcel>,
        length: usize,
        result: Result<Reply, CallError>,
    ) {
        let reply = match result {
            Ok(mut reply) => {
                // A server that refuses a value likes to repeat it.
                reply.secrets.note_documents(parcels.iter().map(|parcel| &parcel.document));
                if reply.is_success() {
                    return self.answered(group, parcels, &reply);
                }
                reply
            }
            Err(CallError::Unsendable { why }) => {
                let refused = |parcel: Parcel| rejected(parcel.change, why.clone(), None);
                return self.tell(Sent::Outcomes(parcels.into_iter().map(refused).collect()));
            }
            Err(err) => return self.unanswered(group, parcels, err),
        };
        match reply.status {
            400 | 409 | 413 | 422 if parcels.len() > 1 => group.halve(parcels),
            status @ (400 | 409 | 413 | 422) => {
                let mut why = reply.refusal();
                if status == 413 {
                    why = format!(
                        "the item is too large for the marketplace ({length} bytes): {why}"
                    );
                }
                let outcomes = parcels
                    .into_iter()
                    .map(|parcel| rejected(parcel.change, why.clone(), None))
                    .collect();
                self.tell(Sent::Outcomes(outcomes));
            }
            _ => {
                let err = self.market.failure(&reply, "write items");
                self.unanswered(group, parcels, err);
            }
        }
    }

    fn unanswered(&mut self, group: &mut Group, parcels: Vec<Parcel>, err: CallError) {
        let CallError::Unavailable { why, retry_after, reach } = err else {
            return self.end(err);
        };
        let outcomes = if reach == Reach::AnswerLost {
            let parcels = parcels.into_iter().map(|parcel| (parcel, why.clone())).collect();
            group.doubt(parcels, retry_after)
        } else {
            parcels
                .into_iter()
                .map(|parcel| transient(parcel.change, why.clone(), retry_after))
                .collect()
        };
        self.tell(Sent::Outcomes(outcomes));
    }

    fn answered(&mut self, group: &mut Group, parcels: Vec<Parcel>, reply: &Reply) {
        let keys: Vec<&ItemKey> = parcels.iter().map(|parcel| &parcel.change.key).collect();
        let verdicts = answer::read(&reply.body, &keys, self.generation, &reply.secrets);
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut unknown = Vec::new();
        for (parcel, verdict) in parcels.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Done { verb, object_id, unchanged } => {
                    let mut outcome = applied(parcel.change, verb, object_id, reply.took);
                    if let Ok(applied) = &mut outcome.result {
                        applied.unchanged_there = unchanged;
                    }
                    outcomes.push(outcome);
                }
                Verdict::Refused { why, pointer } => {
                    outcomes.push(rejected(parcel.change, why, pointer));
                }
                Verdict::Unknown { why } => unknown.push((parcel, why.to_owned())),
            }
        }
        outcomes.extend(group.doubt(unknown, None));
        self.tell(Sent::Outcomes(outcomes));
    }

    fn read_back(
        &mut self,
        group: &mut Group,
        doubt: Doubt,
        result: Result<Option<Value>, CallError>,
        took: Duration,
    ) {
        let Doubt { parcel, why, retry_after } = doubt;
        let there = match result {
            Ok(there) => there,
            // Of this item only: it was posted, and cannot be looked at.
            Err(CallError::Unsendable { .. }) => {
                return self.tell(Sent::Outcomes(vec![transient(parcel.change, why, retry_after)]));
            }
            Err(err) => {
                // The next look would fail the same way.
                let mut outcomes = vec![transient(parcel.change, why, retry_after)];
                outcomes.extend(group.give_up_doubts());
                self.tell(Sent::Outcomes(outcomes));
                if !err.is_transient() {
                    self.end(err);
                }
                return;
            }
        };
        let confirmed = there.filter(|there| {
            is_as_sent(there, &parcel.item, &parcel.document, self.locations, self.generation)
        });
        let outcome = match confirmed {
            Some(there) => {
                let object_id = answer::object_id(&there, &self.market.http.secrets());
                let mut outcome = applied(parcel.change, Verb::Created, object_id, took);
                if let Ok(applied) = &mut outcome.result {
                    applied.read_back = true;
                }
                outcome
            }
            None => transient(parcel.change, why, retry_after),
        };
        self.tell(Sent::Outcomes(vec![outcome]));
    }

    /// Returns the change and the status if the answer leaves open whether the
    /// item is gone: a proxy that lost the marketplace answers 404 too, and one
    /// that wants somebody to sign in answers 200 with a page.
    fn deleted(
        &mut self,
        change: Change,
        result: Result<Reply, CallError>,
    ) -> Option<(Change, u16)> {
        let reply = match result {
            Ok(reply) => reply,
            Err(CallError::Unsendable { why }) => {
                self.tell(Sent::Outcomes(vec![rejected(change, why, None)]));
                return None;
            }
            Err(err) => {
                self.fail_or_end(change, err);
                return None;
            }
        };
        let outcome = match reply.status {
            // 204 (`marketplace-api.md` §4.4): there is nothing more to say.
            200..=299 if reply.body.is_empty() || words::is_json_object(&reply.body) => {
                applied(change, Verb::Deleted, None, reply.took)
            }
            404 if words::is_json_object(&reply.body) => {
                applied(change, Verb::Deleted, None, reply.took)
            }
            status @ (200..=299 | 404) => return Some((change, status)),
            400 | 409 | 412 | 422 | 423 => rejected(change, reply.refusal(), None),
            _ => {
                let err = self.market.failure(&reply, "delete items");
                self.fail_or_end(change, err);
                return None;
            }
        };
        self.tell(Sent::Outcomes(vec![outcome]));
        None
    }

    /// What a look says of a deletion that was answered by nobody knows whom.
    fn confirmed(
        &mut self,
        (change, status): (Change, u16),
        result: Result<Option<Value>, CallError>,
        took: Duration,
    ) {
        let outcome = match result {
            Ok(None) => applied(change, Verb::Deleted, None, took),
            Ok(Some(_)) => transient(change, not_the_marketplace(status), None),
            Err(err) => return self.fail_or_end(change, err),
        };
        self.tell(Sent::Outcomes(vec![outcome]));
    }

    fn fail_or_end(&mut self, change: Change, err: CallError) {
        match err {
            CallError::Unavailable { why, retry_after, .. } => {
                self.tell(Sent::Outcomes(vec![transient(change, why, retry_after)]));
            }
            err => self.end(err),
        }
    }
}
