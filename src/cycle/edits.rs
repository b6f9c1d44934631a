//! Which fields a commit edited: for log lines and reports only.

use crate::domain::catalog::Bodies;
use crate::domain::delta::full_delta;
use crate::domain::event::Reason;
use crate::domain::images::{ImageLocations, ImageName};
use crate::domain::item::{Item, ItemImage};
use crate::domain::ledger::Ledger;
use crate::domain::manifest;
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
        let pictures = new_pictures(item, locations);
        // A picture counts by its bytes, not by where they lie.
        let fields = edits.into_iter().map(|edit| edit.pointer);
        let fields = fields.filter(|field| !pictures.iter().any(|slot| within(slot, field)));
        change.fields = fields.take(FIELDS_SHOWN).collect();
        change.fields.extend(pictures);
    }
}

fn within(slot: &str, field: &str) -> bool {
    field.strip_prefix(slot).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The fields whose pictures the marketplace does not have yet.
fn new_pictures(item: &Item, locations: &ImageLocations) -> Vec<String> {
    let is_new = |image: &&ItemImage| {
        let (digest, item_id, slot) = (image.digest, item.key.item_id.clone(), image.slot);
        locations.get(&ImageName { digest, item_id, slot }).is_none()
    };
    let new = item.images.iter().filter(is_new);
    new.map(|image| format!("/{}", image.slot.field())).collect()
}
