//! Documents as the wire wants them.

use serde_json::{Map, Value};

use crate::domain::canon::Generation;
use crate::domain::item::{ImageSlot, PLATFORM};

/// The document of an item as it is sent.
///
/// `$schema` and the local pictures stay here; a picture whose location is
/// known is sent as that (`marketplace-api.md` §5). The older API knows a type
/// of the platform as `type`, and no `lifecycleStatus` (§7.2).
pub fn manifest(
    document: &Value,
    generation: Generation,
    location: impl Fn(ImageSlot) -> Option<String>,
) -> Value {
    let Value::Object(fields) = document else {
        return document.clone();
    };
    let mut sent: Map<String, Value> = fields.clone();
    sent.remove("$schema");
    for slot in ImageSlot::ALL {
        sent.remove(slot.field());
        if let Some(location) = location(slot) {
            sent.insert(slot.url_field().to_owned(), Value::String(location));
        }
    }
    if generation == Generation::Legacy {
        sent.remove("lifecycleStatus");
        let named = sent.get("itemTypeDefinitionRef").filter(|reference| {
            reference.get("namespace").and_then(Value::as_str) == Some(PLATFORM)
        });
        if let Some(name) = named.and_then(|reference| reference.get("name")).cloned() {
            sent.remove("itemTypeDefinitionRef");
            sent.insert("type".to_owned(), name);
        }
    }
    Value::Object(sent)
}

/// The body of an apply, of documents that are serialised already.
pub(super) fn envelope(documents: &[Vec<u8>]) -> Vec<u8> {
    let length = documents.iter().map(|document| document.len() + 1).sum::<usize>();
    let mut body = Vec::with_capacity(length + OPENING.len() + CLOSING.len());
    body.extend_from_slice(OPENING);
    for (n, document) in documents.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(document);
    }
    body.extend_from_slice(CLOSING);
    body
}

const OPENING: &[u8] = b"{\"resources\":[";
const CLOSING: &[u8] = b"]}";

/// The bytes of a body that holds no document.
pub const EMPTY_ENVELOPE: usize = OPENING.len() + CLOSING.len();

#[cfg(test)]
mod tests {
    use super::{EMPTY_ENVELOPE, envelope, manifest};
    use crate::domain::canon::Generation;
    use crate::domain::item::ImageSlot;
    use serde_json::json;

    #[test]
    fn what_stays_here_and_what_is_translated() {
        let document = json!({
            "$schema": "x.json", "itemId": "a", "lifecycleStatus": "draft",
            "image": {"localPath": "a.png"}, "supportedByImage": {"localPath": ""},
            "itemTypeDefinitionRef": {"namespace": "mia-platform", "name": "sidecar"},
        });
        let location = |slot| (slot == ImageSlot::Image).then(|| "/v2/a.png".to_owned());
        assert_eq!(
            manifest(&document, Generation::New, location),
            json!({
                "itemId": "a", "lifecycleStatus": "draft", "imageUrl": "/v2/a.png",
                "itemTypeDefinitionRef": {"namespace": "mia-platform", "name": "sidecar"},
            })
        );
        assert_eq!(
            manifest(&document, Generation::Legacy, location),
            json!({"itemId": "a", "imageUrl": "/v2/a.png", "type": "sidecar"})
        );
    }

    #[test]
    fn the_envelope_is_json() {
        assert_eq!(envelope(&[]).len(), EMPTY_ENVELOPE);
        assert_eq!(envelope(&[b"{}".to_vec(), b"{}".to_vec()]), b"{\"resources\":[{},{}]}");
    }
}
