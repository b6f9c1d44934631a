//! The documents and pictures on both sides of each change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::subject::Subject;
use crate::domain::canon::Generation;
use crate::domain::catalog::Bodies;
use crate::domain::compare::views;
use crate::domain::diff::{self, Against, Entry, Fields, Left, Mask, Pair, Picture, Sides};
use crate::domain::event::{Action, Change, Hold, Reason};
use crate::domain::item::{ImageSlot, Item, ItemImage, ItemKey, RepoPath};
use crate::domain::ledger::{Ledger, Row};
use crate::domain::manifest;
use crate::domain::pictures;
use crate::domain::schema::secret_names;
use crate::domain::source::{self, Format, Outline};
use crate::domain::tree::{MAX_SCHEMA_BYTES, Target, Tree, opened};
use crate::edge::marketplace::Sighted;
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
            Sighted::Document { key, live, wanted: Some(item), differs, secrets } => {
                let edited = ledger.rows.get(key).is_some_and(|row| row.digest != item.digest);
                if differs || edited {
                    self.documents.insert(key.clone(), secrets.mask_in(live));
                }
            }
            Sighted::Document { .. } => {}
            Sighted::Picture { key, slot, digest, size } => {
                let picture = Picture { digest: Some(digest), size: Some(size), path: None };
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
    pub(super) witnessed: Witnessed,
    /// The API of the marketplace, if it was asked.
    pub(super) generation: Option<Generation>,
}

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
        let mask = self.mask(item, format, &bytes)?;
        Ok(diff::fields(left, &sides, &mask, Some(&Outline::new(format, &text))))
    }

    fn created(&mut self, item: &Item) -> Result<Sides, SourceError> {
        let mut found = Vec::new();
        for image in &item.images {
            let to = Some(wanted(self.bodies.tree, image)?);
            found.push(Pair { slot: image.slot, from: None, to });
        }
        let after = self.bodies.document(item)?;
        Ok(Sides { before: None, after, recorded: None, pictures: found })
    }

    /// Both sides of an update, or why one cannot be told.
    fn updated(
        &mut self,
        change: &Change,
        item: &Item,
    ) -> Result<Result<(Left, Sides), String>, SourceError> {
        let row = self.subject.ledger.rows.get(&change.key);
        let is_looked_at =
            !change.fields.is_empty() || self.witnessed.documents.contains_key(&change.key);
        match (&self.subject.against, row) {
            (Against::Live { .. }, row) if is_looked_at => {
                Ok(Ok((Left::Live, self.live(change, item, row)?)))
            }
            (Against::Revision { .. }, Some(row)) => self.since(row, item, Left::Revision),
            (_, Some(row)) => self.since(row, item, Left::Recorded),
            (_, None) => Ok(Err("nobody knows what is there".to_owned())),
        }
    }

    fn live(
        &mut self,
        change: &Change,
        item: &Item,
        row: Option<&Row>,
    ) -> Result<Sides, SourceError> {
        let generation = self.generation.unwrap_or(Generation::New);
        let wanted = self.bodies.document(item)?;
        let Some(live) = self.witnessed.documents.get(&change.key).cloned() else {
            // Only the bytes of a picture differ.
            let pictures = self.live_pictures(change, item, (None, None))?;
            return Ok(Sides {
                before: Some(wanted.clone()),
                after: wanted,
                recorded: None,
                pictures,
            });
        };
        let (before, after) = views(&live, &wanted, generation);
        let old = row.filter(|row| row.digest != item.digest);
        let old = old.and_then(|row| self.document_of(row));
        let recorded = match (row, &old) {
            (_, Some(old)) => Some(views(&live, old, generation).1),
            (Some(row), None) if row.digest == item.digest => Some(after.clone()),
            _ => None,
        };
        let pictures = self.live_pictures(change, item, (Some(&live), old.as_ref()))?;
        Ok(Sides { before: Some(before), after, recorded, pictures })
    }

    /// The pictures that are not as they are wanted, and those that an edit
    /// takes away.
    fn live_pictures(
        &mut self,
        change: &Change,
        item: &Item,
        (live, old): (Option<&Value>, Option<&Value>),
    ) -> Result<Vec<Pair>, SourceError> {
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
            let was_stated = old.is_some_and(|old| old.get(slot.field()).is_some());
            match item.images.iter().find(|image| image.slot == slot) {
                Some(image) if change.fields.contains(&pointer) => {
                    let to = Some(wanted(self.bodies.tree, image)?);
                    pairs.push(Pair { slot, from, to });
                }
                None if was_stated && from.is_some() => pairs.push(Pair { slot, from, to: None }),
                _ => {}
            }
        }
        Ok(pairs)
    }

    /// Both sides of an edit since a commit that was applied, or that it is
    /// compared with.
    fn since(
        &mut self,
        row: &Row,
        item: &Item,
        left: Left,
    ) -> Result<Result<(Left, Sides), String>, SourceError> {
        let Some(before) = self.document_of(row) else {
            let commit = row.commit.short();
            return Ok(Err(format!(
                "the file of commit {commit}, which was applied last, is not here any more"
            )));
        };
        let after = self.bodies.document(item)?;
        let pictures = self.pictures_since(row, &before, item)?;
        Ok(Ok((left, Sides { before: Some(before), after, recorded: None, pictures })))
    }

    /// The document that was applied; none if its bytes are gone.
    fn document_of(&mut self, row: &Row) -> Option<Value> {
        manifest::document_at(self.bodies.tree, &row.path, row.blob, self.bodies.tailoring).ok()
    }

    fn pictures_since(
        &mut self,
        row: &Row,
        before: &Value,
        item: &Item,
    ) -> Result<Vec<Pair>, SourceError> {
        let mut pairs = Vec::new();
        let mut old_tree = self.source.tree_at(&row.commit).ok().flatten();
        for slot in ImageSlot::ALL {
            let from = pictures::named(before, slot, &row.path).map(|path| {
                old_tree.as_mut().map_or_else(Picture::default, |tree| recorded(tree, &path))
            });
            let image = item.images.iter().find(|image| image.slot == slot);
            let to = match image {
                Some(image) => Some(wanted(self.bodies.tree, image)?),
                None => None,
            };
            let digest = |picture: &Option<Picture>| picture.as_ref().map(|picture| picture.digest);
            if digest(&from) != digest(&to) {
                pairs.push(Pair { slot, from, to });
            }
        }
        Ok(pairs)
    }

    /// What the schemas of an item say of credentials: those of the program
    /// and of the user, and the one that the file itself names.
    fn mask(&mut self, item: &Item, format: Format, bytes: &[u8]) -> Result<Mask, SourceError> {
        let mut names: BTreeSet<String> = self.subject.standards.schemas.secret_names().clone();
        let parsed = source::parse(&item.path, format, bytes).value;
        let local = parsed.as_ref().and_then(|value| value.get("$schema")?.as_str());
        let path = local.and_then(|local| {
            let local = local.split('#').next().unwrap_or_default();
            item.file.parent().join(local).ok()
        });
        if let Some(path) = path {
            let resolved = self.bodies.tree.resolve(&path)?;
            if let Ok(text) = opened(self.bodies.tree, &resolved, MAX_SCHEMA_BYTES)?
                && let Ok(schema) = serde_json::from_slice::<Value>(&text)
            {
                names.extend(secret_names(&schema));
            }
        }
        Ok(Mask::new(names))
    }
}

/// A picture of the source.
fn wanted(tree: &mut SourceTree<'_>, image: &ItemImage) -> Result<Picture, SourceError> {
    let size = match tree.resolve(&image.path)?.target {
        Target::File { size, .. } => Some(size),
        _ => None,
    };
    Ok(Picture { digest: Some(image.digest), size, path: Some(image.path.clone()) })
}

/// A picture of an earlier commit, as far as its bytes are still there.
fn recorded(tree: &mut SourceTree<'_>, path: &RepoPath) -> Picture {
    let mut found = Picture { path: Some(path.clone()), ..Picture::default() };
    let Ok(resolved) = tree.resolve(path) else { return found };
    if let Target::File { size, .. } = resolved.target {
        found.size = Some(size);
    }
    if let Ok(Ok((path, _, fact))) = pictures::fact(tree, &resolved, &mut BTreeMap::new()) {
        found.digest = Some(fact.digest);
        found.path = Some(path);
    }
    found
}
