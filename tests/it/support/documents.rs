//! Items as people write them.

use serde_json::{Value, json};

use crate::support::market::COMPANY;

/// The file of an item.
pub(crate) fn path(item: &Value) -> String {
    let version = item["version"]["name"].as_str().unwrap_or("NA");
    format!("items/{}/{version}.json", item["itemId"].as_str().unwrap())
}

/// A document as people write it.
pub(crate) fn pretty(item: &Value) -> String {
    format!("{item:#}\n")
}

/// The sidecar of the user document under another id.
pub(crate) fn sidecar(item_id: &str) -> Value {
    json!({
        "itemId": item_id,
        "name": "My sidecar",
        "description": "A very simple sidecar",
        "tenantId": COMPANY,
        "lifecycleStatus": "published",
        "itemTypeDefinitionRef": { "name": "sidecar", "namespace": "mia-platform" },
        "documentation": { "type": "externalLink", "url": "https://example.com/docs" },
        "resources": {
            "name": item_id,
            "dockerImage": "ghcr.io/my-sidecar:1.0",
            "containerPorts": [{ "name": "http", "from": 80, "to": 5000 }],
        },
    })
}

/// A published plugin with a version.
pub(crate) fn plugin(item_id: &str, version: &str) -> Value {
    json!({
        "itemId": item_id,
        "name": "My plugin",
        "description": "A very simple plugin",
        "tenantId": COMPANY,
        "lifecycleStatus": "published",
        "itemTypeDefinitionRef": { "name": "plugin", "namespace": "mia-platform" },
        "documentation": { "type": "externalLink", "url": "https://example.com/docs" },
        "version": { "name": version, "releaseNote": "-" },
        "resources": { "services": { "one": { "sourceComponentId": "c1", "replicas": 1 } } },
    })
}

/// The same item with an image.
pub(crate) fn with_image(mut item: Value, local_path: &str) -> Value {
    item["image"] = json!({ "localPath": local_path });
    item
}

/// The same item with one field set, by its JSON pointer.
pub(crate) fn set(mut item: Value, pointer: &str, value: impl Into<Value>) -> Value {
    match item.pointer_mut(pointer) {
        Some(found) => *found = value.into(),
        None => item[pointer.trim_start_matches('/')] = value.into(),
    }
    item
}
