//! What was applied last of an item, as far as it can still be told.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::diff::{Cause, Pair, Picture};
use crate::domain::item::{Digest, ImageSlot, Item, RepoPath};
use crate::domain::ledger::Row;
use crate::domain::manifest;
use crate::domain::pictures;
use crate::domain::standards::Tailoring;
use crate::domain::tree::{Target, Tree};
use crate::edge::source::{Source, SourceTree};

/// What was applied last.
pub(super) struct Applied {
    /// The document.
    pub(super) document: Value,
    /// Its pictures.
    pictures: BTreeMap<ImageSlot, Picture>,
    /// Whether that is all: the ledger's digest says so. If not, the options
    /// were others than now, or a picture of then is gone.
    pub(super) is_exact: bool,
}

impl Applied {
    /// What the row of an item says; none if the bytes of its file are gone.
    pub(super) fn of(
        row: &Row,
        item: &Item,
        source: &Source,
        (tree, tailoring): (&mut SourceTree<'_>, &Tailoring),
    ) -> Option<Self> {
        let document = manifest::document_at(tree, &row.path, row.blob, tailoring).ok()?;
        let mut then = source.tree_at(&row.commit).ok().flatten();
        let mut found = BTreeMap::new();
        for slot in ImageSlot::ALL {
            if let Some(path) = pictures::named(&document, slot, &row.path) {
                let picture =
                    then.as_mut().map_or_else(Picture::default, |tree| picture(tree, &path));
                found.insert(slot, picture);
            }
        }
        let is_whole = |pictures: &BTreeMap<ImageSlot, Picture>| {
            let Value::Object(object) = &document else { return false };
            let known: Option<Vec<(ImageSlot, Digest)>> =
                pictures.iter().map(|(slot, picture)| Some((*slot, picture.digest?))).collect();
            known.is_some_and(|known| manifest::digest_with(object.clone(), known) == row.digest)
        };
        if is_whole(&found) {
            return Some(Self { pictures: found, is_exact: true, document });
        }
        // The commit is gone; perhaps the pictures are what they were.
        let now = |(slot, _): (&ImageSlot, &Picture)| {
            let image = item.images.iter().find(|image| image.slot == *slot)?;
            let picture = Picture { digest: Some(image.digest), ..Picture::default() };
            Some((*slot, picture))
        };
        let same: BTreeMap<ImageSlot, Picture> = found.iter().filter_map(now).collect();
        if same.len() == found.len() && is_whole(&same) {
            return Some(Self { pictures: same, is_exact: true, document });
        }
        Some(Self { pictures: found, is_exact: false, document })
    }

    /// The pictures that are not what they were. What is not known of then
    /// counts as the same.
    pub(super) fn pairs(&self, now: &BTreeMap<ImageSlot, Picture>) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for slot in ImageSlot::ALL {
            let (from, to) = (self.pictures.get(&slot), now.get(&slot));
            let differs = match (from, to) {
                (None, None) => false,
                (Some(from), Some(to)) => from.digest.is_some() && from.digest != to.digest,
                _ => true,
            };
            if differs {
                pairs.push(Pair { slot, from: from.cloned(), to: to.cloned(), cause: None });
            }
        }
        pairs
    }

    /// Who changed a picture, from the one that is there to the one that is
    /// wanted; none if it cannot be told.
    pub(super) fn cause(
        &self,
        slot: ImageSlot,
        from: Option<&Picture>,
        to: Option<&Picture>,
    ) -> Option<Cause> {
        if !self.is_exact {
            return None;
        }
        let digest = |picture: Option<&Picture>| picture.map(|picture| picture.digest);
        let then = digest(self.pictures.get(&slot));
        let is_known = from.is_none_or(|from| from.digest.is_some());
        Some(if then == digest(to) {
            Cause::Drift
        } else if is_known && then != digest(from) {
            Cause::Both
        } else {
            Cause::Edit
        })
    }

    /// Whether it stated this picture.
    pub(super) fn states(&self, slot: ImageSlot) -> bool {
        self.pictures.contains_key(&slot)
    }
}

/// A picture of an earlier commit, as far as its bytes are still there.
fn picture(tree: &mut SourceTree<'_>, path: &RepoPath) -> Picture {
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
