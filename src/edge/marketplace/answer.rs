//! What an answer to an apply says of each item that was sent. Pure.

use serde_json::Value;

use crate::domain::canon::Generation;
use crate::domain::event::Verb;
use crate::domain::item::{ItemKey, NA, Version};
use crate::domain::mask::masked_pointer;

use super::words::{MAX_WORDS, clean};
use crate::edge::secrets::Secrets;

/// How many reasons of one item are told; a validator may find thousands.
const MAX_REASONS: usize = 10;

/// What the answer says of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is there now.
    Done {
        /// `Created` or `Updated`.
        verb: Verb,
        /// The server's id of the version.
        object_id: Option<String>,
        /// The server said neither `inserted` nor `updated`.
        unchanged: bool,
    },
    /// It is refused as it is.
    Refused {
        /// The server's words.
        why: String,
        /// Where in the document.
        pointer: Option<String>,
    },
    /// The answer does not tell.
    Unknown {
        /// What is wrong with it.
        why: &'static str,
    },
}

/// What the answer says of each item that was asked for, in the same order.
///
/// Rows are matched by item id and version, on the legacy API by item id: its
/// rows name no version. A row without a version stands for `NA`, or for the
/// only version of its item that was sent (`version` is optional,
/// `marketplace-api.md` §3.2). The order of rows is not relied on (§3.4).
///
/// No text of a verdict holds one of the secrets.
pub fn read(
    body: &[u8],
    asked: &[&ItemKey],
    generation: Generation,
    secrets: &Secrets,
) -> Vec<Verdict> {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(rows) = answer.get("items").and_then(Value::as_array) else {
        let unknown = Verdict::Unknown { why: "the answer holds no list of items" };
        return vec![unknown; asked.len()];
    };
    // A server that answers more rows than were asked makes no more work.
    let mut verdicts: Vec<Option<Verdict>> = vec![None; asked.len()];
    for row in rows {
        let Some(index) = asked_for(row, asked, generation) else {
            continue;
        };
        let verdict = &mut verdicts[index];
        *verdict = Some(match verdict {
            None => judge(row, secrets),
            Some(_) => Verdict::Unknown { why: "the answer has two rows for the item" },
        });
    }
    let missing = Verdict::Unknown { why: "the answer has no row for the item" };
    verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(|| missing.clone())).collect()
}

fn asked_for(row: &Value, asked: &[&ItemKey], generation: Generation) -> Option<usize> {
    let item_id = row.get("itemId")?.as_str()?;
    let version = row.get("version").and_then(Value::as_str);
    let same_item = |key: &ItemKey| key.item_id.as_str() == item_id;
    if generation == Generation::New {
        let exact = asked.iter().position(|key| {
            same_item(key)
                && match &key.version {
                    Version::Na => version.is_none_or(|name| name == NA),
                    Version::Named(semver) => {
                        version.is_some_and(|name| semver.to_string() == name)
                    }
                }
        });
        if exact.is_some() || version.is_some() {
            return exact;
        }
    }
    let mut candidates = asked.iter().enumerate().filter(|(_, key)| same_item(key));
    let (index, _) = candidates.next()?;
    candidates.next().is_none().then_some(index)
}

fn judge(row: &Value, secrets: &Secrets) -> Verdict {
    let flag = |field: &str| row.get(field).and_then(Value::as_bool);
    match flag("done") {
        None => Verdict::Unknown { why: "the row of the item does not say whether it is done" },
        Some(false) => refusal(row, secrets),
        Some(true) => {
            let (inserted, updated) =
                (flag("inserted") == Some(true), flag("updated") == Some(true));
            Verdict::Done {
                verb: if inserted { Verb::Created } else { Verb::Updated },
                object_id: object_id(row, secrets),
                unchanged: !inserted && !updated,
            }
        }
    }
}

/// The `_id` of a row or document. Anything else than a short plain word is no
/// id, and neither is what holds a secret.
pub(super) fn object_id(row: &Value, secrets: &Secrets) -> Option<String> {
    const MAX_ID: usize = 64; // a Mongo ObjectId has 24 digits
    let id = row.get("_id")?.as_str()?;
    let is_plain = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
    (is_plain && !secrets.are_in(id)).then(|| id.to_owned())
}

fn refusal(row: &Value, secrets: &Secrets) -> Verdict {
    let list =
        |field: &str| row.get(field).and_then(Value::as_array).filter(|list| !list.is_empty());
    let reasons =
        list("errors").or_else(|| list("validationErrors")).map_or(&[][..], Vec::as_slice);
    let mut told: Vec<String> = Vec::new();
    for reason in reasons {
        let message = reason.get("message").and_then(Value::as_str).or_else(|| reason.as_str());
        let message = clean(&secrets.words(message.unwrap_or_default(), MAX_WORDS), MAX_WORDS);
        if told.len() < MAX_REASONS && !message.is_empty() && !told.contains(&message) {
            told.push(message);
        }
    }
    let why = if told.is_empty() {
        "the marketplace gives no reason".to_owned()
    } else {
        clean(&told.join("; "), MAX_WORDS)
    };
    let pointer = reasons.iter().find_map(|reason| {
        let place = reason.get("ajvError").unwrap_or(reason).get("instancePath")?.as_str()?;
        place.starts_with('/').then(|| clean(&masked_pointer(&secrets.mask(place)), MAX_WORDS))
    });
    Verdict::Refused { why, pointer }
}
