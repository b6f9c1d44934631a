//! Whether the marketplace holds a document as the source wants it.

use serde_json::Value;

use crate::domain::canon::{Generation, live_view, wanted_view};
use crate::domain::delta::{FieldChange, delta};

/// Fields that Console 14.0 does not have yet (`marketplace-api.md` §7.1, †).
pub const SINCE_14_1: [&str; 7] = [
    "annotations",
    "itemTypeDefinitionRef",
    "labels",
    "links",
    "maintainers",
    "relationships",
    "tags",
];

/// A live document and the one that is wanted, in one shape: what can be
/// compared of them, pictures aside, which are compared by their bytes.
///
/// A Console that does not say `itemTypeDefinitionRef` is a 14.0, which cannot
/// hold its sister fields either; what it dropped is no drift.
pub fn views(live: &Value, wanted: &Value, generation: Generation) -> (Value, Value) {
    let mut seen = live_view(live, generation);
    let mut stated = wanted_view(wanted, generation);
    if generation == Generation::New && live.get("itemTypeDefinitionRef").is_none() {
        for view in [&mut seen, &mut stated].into_iter().filter_map(Value::as_object_mut) {
            for field in SINCE_14_1 {
                view.remove(field);
            }
        }
    }
    (seen, stated)
}

/// The fields in which `live` is not as `wanted`; empty if they agree.
pub fn differences(live: &Value, wanted: &Value, generation: Generation) -> Vec<FieldChange> {
    let (live, wanted) = views(live, wanted, generation);
    delta(&live, &wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;
    use crate::domain::canon::Generation;

    #[test]
    fn what_a_14_0_cannot_hold_is_no_drift() {
        let wanted = json!({"name": "A", "type": "sidecar", "tags": ["a"]});
        let of_14_0 = json!({"name": "A", "type": "sidecar"});
        assert!(differences(&of_14_0, &wanted, Generation::New).is_empty());
        let of_14_1 = json!({"name": "A", "type": "sidecar",
            "itemTypeDefinitionRef": {"name": "sidecar", "namespace": "mia-platform"}});
        let found = differences(&of_14_1, &wanted, Generation::New);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pointer, "/tags");
    }
}
