//! Whether the marketplace holds a document as the source wants it.

use serde_json::Value;

use crate::domain::canon::Generation;
use crate::domain::item::ImageSlot;

/// JSON pointers of the fields in which `live` is not as `wanted`, pictures
/// aside: they are compared by their bytes.
///
/// To be joined with `domain::canon`: this is its only caller at the edge.
pub(super) fn differing(live: &Value, wanted: &Value, _generation: Generation) -> Vec<String> {
    let (Value::Object(live), Value::Object(wanted)) = (live, wanted) else {
        return vec![String::new()];
    };
    let pictures = ImageSlot::ALL.map(ImageSlot::field);
    wanted
        .iter()
        .filter(|(field, _)| *field != "$schema" && !pictures.contains(&field.as_str()))
        .filter(|(field, value)| live.get(*field) != Some(value))
        .map(|(field, _)| format!("/{}", field.replace('~', "~0").replace('/', "~1")))
        .collect()
}
