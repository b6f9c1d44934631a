//! The documents and pictures on both sides of each change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::applied::Applied;
use super::hide;
use super::subject::Subject;
use crate::domain::canon::Generation;
use crate::domain::catalog::Bodies;
use crate::domain::compare::views;
use crate::domain::delta::{FieldChange, full_delta};
use crate::domain::diff::{self, Against, Claims, Entry, Fields, Left, Pair, Picture, Sides};
use crate::domain::event::{Action, Change, Hold, Reason};
use crate::domain::item::{ImageSlot, Item, ItemKey};
use crate::domain::ledger::{Ledger, Rejection, circumstances};
use crate::domain::mask::{Mask, masked_text};
use crate::domain::plan::{Live, Look};
use crate::domain::schema_secrets::secret_names;
use crate::domain::source::{self, Format, Outline};
use crate::domain::tree::{MAX_SCHEMA_BYTES, Target, Tree, opened};
use crate::edge::marketplace::Sighted;
use crate::edge::secrets::Secrets;
use crate::edge::source::{Source, SourceError, SourceTree};

/// What was seen in the marketplace of the items that change.
#[derive(Default)]
pub(super) struct Witnessed {
    documents: BTreeMap<ItemKey, Value>,
    pictures: BTreeMap<(ItemKey, ImageSlot), Picture>,
}

impl Witnessed {
    pub(super) fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Keeps what a report may show. What agrees and was not edited is not
    /// kept, so that it costs no memory.
    pub(super) fn note(&mut self, sighted: Sighted<'_>, ledger: &Ledger) {
        match sighted {
            Sighted::Document { key, live, wanted: Some(item), differs } => {
                let edited = ledger.is_edited(item);
                if differs || edited {
                    self.documents.insert(key.clone(), live);
                }
            }
            Sighted::Document { .. } => {}
            Sighted::Picture { key, slot, digest, size } => {
                let picture = Picture { digest, size, path: None };
                self.pictures.insert((key.clone(), slot), picture);
            }
        }
    }
}

/// Where both sides of a change are found.
pub(super) struct Gathering<'a, 's> {
    pub(super) source: &'a Source,
    pub(super) subject: &'a Subject,
    pub(super) bodies: Bodies<'a, SourceTree<'s>>,
    /// What each look at the marketplace came to.
    pub(super) looks: &'a Live,
    pub(super) witnessed: Witnessed,
    /// What nobody may read, on either side.
    pub(super) secrets: Secrets,
    /// The API of the marketplace, if it was asked.
    pub(super) generation: Option<Generation>,
    /// What a reader must know of what was found.
    pub(super) notes: BTreeSet<String>,
    /// What the schemas that came with items hide in them.
    pub(super) claims: Claims,
}

/// Fields that the marketplace fills in where a file does not state them
/// (`marketplace-api.md` §7.1, §7.2, §8.2).
const SERVER_SETS: [&str; 11] = [
    "comingSoon",
    "imageUrl",
    "isVersioningSupported",
    "itemTypeDefinitionRef",
    "lifecycleStatus",
    "publishOnMiaDocumentation",
    "releaseDate",
    "releaseStage",
    "supportedByImageUrl",
    "version",
    "visibility",
];

/// How many fields a note names that the file does not state.
const UNSTATED_SHOWN: usize = 10;

/// Both sides of an update, or why they cannot be told.
type Found = Result<(Left, Sides), String>;

impl Gathering<'_, '_> {
    /// One line of the plan, with all that changes.
    pub(super) fn entry(
        &mut self,
        change: &Change,
        hold: Option<&Hold>,
    ) -> Result<Entry, SourceError> {
        let before = self.subject.base.as_ref().and_then(|base| base.items.get(&change.key));
        let item = change.wanted.as_deref().or(before.map(AsRef::as_ref));
        let row = self.subject.ledger.rows.get(&change.key);
        if hold.is_none() {
            self.note_rejection(change);
        }
        Ok(Entry {
            key: change.key.clone(),
            item_type: item.map(|item| item.item_type.clone()),
            path: item.map(|item| item.path.clone()).or_else(|| row.map(|row| row.path.clone())),
            action: change.action,
            reason: change.reason,
            hold: hold.cloned(),
            from: change.from,
            to: change.wanted.as_ref().map(|item| item.digest),
            object_id: change.object_id.clone(),
            fields: self.fields(change)?,
        })
    }

    /// What was refused exactly so will most likely be refused again.
    fn note_rejection(&mut self, change: &Change) {
        let rejection = self.subject.ledger.rejections.get(&change.key);
        let (Some(item), Some(rejection), Some(setting)) =
            (&change.wanted, rejection, &self.subject.setting)
        else {
            return;
        };
        if rejection.circumstances == circumstances(&item.digest, setting) {
            let Rejection { why, at, .. } = rejection;
            self.notes.insert(format!("{} was refused as it is at {at}: {why}", change.key));
        }
    }

    fn fields(&mut self, change: &Change) -> Result<Fields, SourceError> {
        let Some(item) = change.wanted.as_deref() else { return Ok(Fields::None) };
        let (left, sides) = match change.action {
            Action::Adopt | Action::Delete | Action::Forget => return Ok(Fields::None),
            Action::Create if change.reason == Reason::Unobserved => {
                let why = "nobody could see what is there".to_owned();
                return Ok(Fields::Unknown { why });
            }
            Action::Create => (Left::Nothing, self.created(item)?),
            Action::Update => match self.updated(change, item)? {
                Ok(found) => found,
                Err(why) => return Ok(Fields::Unknown { why }),
            },
        };
        let bytes = self.bodies.tree.bytes(&item.file, item.blob)?;
        let text = String::from_utf8_lossy(&bytes);
        let format = Format::of(item.path.file_name()).unwrap_or(Format::Json);
        let mask = self.mask(item, format, &bytes, &sides)?;
        let fields = diff::fields(left, &sides, &mask, Some(&Outline::new(format, &text)));
        Ok(hide::without(fields, &self.secrets))
    }

    fn created(&mut self, item: &Item) -> Result<Sides, SourceError> {
        let after = self.bodies.document(item)?;
        let now = self.pictures(item)?;
        let pair = |(slot, picture)| Pair { slot, from: None, to: Some(picture), cause: None };
        let pictures = now.into_iter().map(pair).collect();
        Ok(Sides { before: None, after, recorded: None, pictures })
    }

    fn updated(&mut self, change: &Change, item: &Item) -> Result<Found, SourceError> {
        let row = self.subject.ledger.rows.get(&change.key);
        let applied = row.and_then(|row| {
            let files = (&mut *self.bodies.tree, self.bodies.tailoring);
            Applied::of(row, item, self.source, files)
        });
        let left = match &self.subject.against {
            Against::Live { .. } => match self.looks.get(&change.key) {
                Some(Look::Agrees { .. } | Look::Differs { .. }) => {
                    return Ok(Ok((Left::Live, self.live(change, item, applied.as_ref())?)));
                }
                Some(Look::Failed { why }) => {
                    self.notes.insert(format!(
                        "{} could not be looked at, so it is compared with what was applied last: {why}",
                        change.key
                    ));
                    Left::Recorded
                }
                _ => Left::Recorded,
            },
            Against::Recorded { .. } => Left::Recorded,
            Against::Revision { .. } => Left::Revision,
        };
        match (applied, row) {
            (Some(applied), _) => self.since(applied, item, left),
            (None, Some(row)) => Ok(Err(format!(
                "the file of commit {}, which was applied last, is not here any more",
                row.commit.short()
            ))),
            (None, None) => Ok(Err("nobody knows what is there".to_owned())),
        }
    }

    /// What was seen, and what is wanted.
    fn live(
        &mut self,
        change: &Change,
        item: &Item,
        applied: Option<&Applied>,
    ) -> Result<Sides, SourceError> {
        let generation = self.generation.unwrap_or(Generation::New);
        let wanted = self.bodies.document(item)?;
        let live = self.witnessed.documents.get(&change.key).cloned();
        let pictures = self.live_pictures(change, item, (live.as_ref(), applied))?;
        let Some(live) = live else {
            // Only the bytes of a picture differ.
            return Ok(Sides {
                before: Some(wanted.clone()),
                after: wanted,
                recorded: None,
                pictures,
            });
        };
        let (before, after) = views(&live, &wanted, generation);
        self.note_unstated(change, &before, &after);
        let recorded = applied.filter(|applied| applied.is_exact);
        let recorded = recorded.map(|applied| views(&live, &applied.document, generation).1);
        Ok(Sides { before: Some(before), after, recorded, pictures })
    }

    /// What somebody added in the marketplace is no drift, and an update may
    /// remove it all the same.
    fn note_unstated(&mut self, change: &Change, live: &Value, wanted: &Value) {
        let is_empty = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(object) => object.is_empty(),
            Value::Bool(true) | Value::Number(_) => false,
        };
        // What only a list of the marketplace holds is a difference, and shown.
        let is_member = |found: &FieldChange| {
            let around = found.pointer.rsplit_once('/').map_or("", |(around, _)| around);
            wanted.pointer(around).is_some_and(Value::is_object)
        };
        let is_own =
            |name: &str| SERVER_SETS.contains(&name.split(['.', '[']).next().unwrap_or_default());
        let all = full_delta(live, wanted);
        let names: Vec<String> = all
            .iter()
            .filter(|found| found.wanted.is_none() && !found.live.as_ref().is_none_or(is_empty))
            .filter(|found| is_member(found) && !is_own(&found.name))
            .map(|found| masked_text(&found.name))
            .collect();
        let (shown, rest) = names.split_at(names.len().min(UNSTATED_SHOWN));
        if shown.is_empty() {
            return;
        }
        let more =
            if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
        self.notes.insert(format!(
            "{} also holds {}{more} in the marketplace, which the file does not state; an update may remove that",
            change.key,
            shown.join(", "),
        ));
    }

    /// The pictures that are not as they are wanted, and those that an edit
    /// takes away.
    fn live_pictures(
        &mut self,
        change: &Change,
        item: &Item,
        (live, applied): (Option<&Value>, Option<&Applied>),
    ) -> Result<Vec<Pair>, SourceError> {
        let now = self.pictures(item)?;
        let mut pairs = Vec::new();
        for slot in ImageSlot::ALL {
            let pointer = format!("/{}", slot.field());
            let seen = self.witnessed.pictures.get(&(change.key.clone(), slot)).cloned();
            let there = live.and_then(|live| live.get(slot.url_field())?.as_str());
            let known = there.map(|there| Picture {
                digest: self.subject.locations.at(there).map(|name| name.digest),
                ..Picture::default()
            });
            let from = seen.or(known);
            let was_stated = applied.is_some_and(|applied| applied.states(slot));
            let to = now.get(&slot).cloned();
            let differs = match &to {
                Some(_) => change.fields.contains(&pointer),
                None => was_stated && from.is_some(),
            };
            if differs {
                let cause =
                    applied.and_then(|applied| applied.cause(slot, from.as_ref(), to.as_ref()));
                pairs.push(Pair { slot, from, to, cause });
            }
        }
        Ok(pairs)
    }

    /// What was applied last, or what the other commit wants, and what is
    /// wanted now.
    fn since(&mut self, applied: Applied, item: &Item, left: Left) -> Result<Found, SourceError> {
        let after = self.bodies.document(item)?;
        let pictures = applied.pairs(&self.pictures(item)?);
        if !applied.is_exact {
            if applied.document == after && pictures.is_empty() {
                return Ok(Err(
                    "the file is the same; an option such as --default-lifecycle or --set-tenant \
                     is not what it was"
                        .to_owned(),
                ));
            }
            self.notes.insert(
                "options such as --default-lifecycle and --set-tenant may not be what they were \
                 at the last apply; what they change is not shown"
                    .to_owned(),
            );
        }
        let before = Some(applied.document);
        Ok(Ok((left, Sides { before, after, recorded: None, pictures })))
    }

    /// The pictures that are wanted.
    fn pictures(&mut self, item: &Item) -> Result<BTreeMap<ImageSlot, Picture>, SourceError> {
        let mut found = BTreeMap::new();
        for image in &item.images {
            let size = match self.bodies.tree.resolve(&image.path)?.target {
                Target::File { size, .. } => Some(size),
                _ => None,
            };
            let (digest, path) = (Some(image.digest), Some(image.path.clone()));
            found.insert(image.slot, Picture { digest, size, path });
        }
        Ok(found)
    }

    /// What the schemas of an item say of credentials: those of the program
    /// and of the user, and the one that the file itself names. What only the
    /// last one says is kept, because it can hide a change.
    fn mask(
        &mut self,
        item: &Item,
        format: Format,
        bytes: &[u8],
        sides: &Sides,
    ) -> Result<Mask, SourceError> {
        let mask = Mask::new(self.subject.standards.schemas.secret_names().clone());
        let parsed = source::parse(&item.path, format, bytes).value;
        let local = parsed.as_ref().and_then(|value| value.get("$schema")?.as_str());
        let path = local.and_then(|local| {
            let local = local.split('#').next().unwrap_or_default();
            item.file.parent().join(local).ok()
        });
        let Some(path) = path else { return Ok(mask) };
        let resolved = self.bodies.tree.resolve(&path)?;
        let Ok(text) = opened(self.bodies.tree, &resolved, MAX_SCHEMA_BYTES)? else {
            return Ok(mask);
        };
        let Ok(schema) = serde_json::from_slice::<Value>(&text) else { return Ok(mask) };
        let mask = mask.claimed(secret_names(&schema));
        for document in sides.before.iter().chain([&sides.after]) {
            self.claims.add(&path, mask.claims(document));
        }
        Ok(mask)
    }
}
