//! Whether the marketplace holds a document as the source wants it.

use serde_json::Value;

use crate::domain::canon::{Generation, live_view, wanted_view};
use crate::domain::delta::delta;

/// JSON pointers of the fields in which `live` is not as `wanted`, pictures
/// aside: they are compared by their bytes.
pub(super) fn differing(live: &Value, wanted: &Value, generation: Generation) -> Vec<String> {
    let changes = delta(&live_view(live, generation), &wanted_view(wanted, generation));
    changes.into_iter().map(|change| change.pointer).collect()
}
