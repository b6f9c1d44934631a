//! Which fields a commit edited: for log lines and reports only.

use serde_json::Value;

use crate::domain::catalog::Bodies;
use crate::domain::delta::full_delta;
use crate::domain::event::Reason;
use crate::domain::images::{ImageLocations, ImageName};
use crate::domain::item::{Item, ItemImage};
use crate::domain::ledger::{Ledger, Row};
use crate::domain::manifest;
use crate::domain::mask::masked_pointer;
use crate::domain::plan::Plan;
use crate::edge::source::SourceTree;

/// How many field names a log line or a report shows of one change.
const FIELDS_SHOWN: usize = 20;

/// Names the fields that a commit edited, from the bytes that were applied
/// last. For people only: if those bytes are gone (`git gc`, a directory), the
/// edit is sent all the same and its fields stay unnamed.
pub(super) fn name_edits(
    plan: &mut Plan,
    ledger: &Ledger,
    bodies: &mut Bodies<'_, SourceTree<'_>>,
    locations: &ImageLocations,
) {
    for change in plan.changes.iter_mut().filter(|change| change.reason == Reason::Edited) {
        let (Some(item), Some(row)) = (&change.wanted, ledger.rows.get(&change.key)) else {
            continue;
        };
        let before = manifest::document_at(bodies.tree, &row.path, row.blob, bodies.tailoring);
        let (Ok(before), Ok(wanted)) = (before, bodies.document(item)) else {
            continue;
        };
        let edits = full_delta(&before, &wanted);
        let pictures = changed_pictures(item, (&before, row), locations);
        // A picture counts by its bytes, not by where they lie.
        let fields = edits.into_iter().map(|edit| masked_pointer(&edit.pointer));
        let fields = fields.filter(|field| !pictures.iter().any(|slot| within(slot, field)));
        change.fields = fields.take(FIELDS_SHOWN).collect();
        change.fields.extend(pictures);
    }
}

fn within(slot: &str, field: &str) -> bool {
    field.strip_prefix(slot).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The fields whose pictures are not those that were applied, as far as that
/// can be told: of two, the one that the marketplace does not have yet.
fn changed_pictures(
    item: &Item,
    (before, row): (&Value, &Row),
    locations: &ImageLocations,
) -> Vec<String> {
    let field = |image: &ItemImage| format!("/{}", image.slot.field());
    let was_stated = |image: &&ItemImage| before.get(image.slot.field()).is_some();
    let (kept, new): (Vec<&ItemImage>, Vec<&ItemImage>) = item.images.iter().partition(was_stated);
    let mut changed: Vec<String> = new.into_iter().map(field).collect();
    let Value::Object(object) = before else { return changed };
    let now = kept.iter().map(|image| (image.slot, image.digest));
    if manifest::digest_with(object.clone(), now) == row.digest {
        return changed;
    }
    let is_unknown = |image: &&&ItemImage| {
        let (digest, item_id, slot) = (image.digest, item.key.item_id.clone(), image.slot);
        locations.get(&ImageName { digest, item_id, slot }).is_none()
    };
    let unknown: Vec<String> = kept.iter().filter(is_unknown).map(|image| field(image)).collect();
    if unknown.is_empty()
        && let [only] = kept.as_slice()
    {
        changed.push(field(only));
    }
    changed.extend(unknown);
    changed
}
