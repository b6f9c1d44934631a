//! The forms in which a stored item goes out (`marketplace-api.md` §8.1,
//! §4.1–§4.3), and the two directions of the legacy mapping.
//!
//! The legacy mapping is a **guess** (§13.13: unknown): `comingSoon` is
//! `coming-soon`; release stages `preview` and `beta` are `draft`,
//! `deprecated` is `deprecated`, `stable`, empty and none are `published`.
//! The other way, a stage that was written through the legacy API comes back
//! as long as it still means the stored status; else `coming-soon` reads
//! `comingSoon: true`, `draft` reads `preview`, `deprecated` and `archived`
//! read `deprecated`, and the rest reads `stable`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::item::{ItemType, Lifecycle, NA, Version};
use crate::embedded::state::{Key, Stored};
use crate::embedded::validate::{Model, SINCE_141, type_of};

/// The status that the legacy fields of an item mean: a guess, see above.
pub(crate) fn lifecycle_of_legacy(item: &Map<String, Value>) -> Lifecycle {
    if item.get("comingSoon").and_then(Value::as_bool) == Some(true) {
        return Lifecycle::ComingSoon;
    }
    match item.get("releaseStage").and_then(Value::as_str) {
        Some("preview" | "beta") => Lifecycle::Draft,
        Some("deprecated") => Lifecycle::Deprecated,
        _ => Lifecycle::Published,
    }
}

fn legacy_stage(stored: &Stored) -> (Value, bool) {
    let status = stored.lifecycle();
    if !stored.legacy.is_empty() && lifecycle_of_legacy(&stored.legacy) == status {
        let stage = stored.legacy.get("releaseStage").cloned().unwrap_or_else(|| json!("stable"));
        return (stage, status == Lifecycle::ComingSoon);
    }
    let stage = match status {
        Lifecycle::ComingSoon => "",
        Lifecycle::Draft => "preview",
        Lifecycle::Deprecated | Lifecycle::Archived => "deprecated",
        Lifecycle::Published | Lifecycle::Maintenance => "stable",
    };
    (json!(stage), status == Lifecycle::ComingSoon)
}

/// The type of a stored item.
pub(crate) fn stored_type(stored: &Stored) -> ItemType {
    type_of(&stored.document).unwrap_or_else(|| ItemType::platform(""))
}

/// An item as read (§8.1).
pub(crate) fn versioned_item(key: &Key, stored: &Stored, latest: bool, model: Model) -> Value {
    let mut item = base(stored, model);
    item.insert("_id".to_owned(), json!(stored.id));
    item.insert("isLatest".to_owned(), json!(latest));
    item.insert("componentsIds".to_owned(), components(stored));
    if let Some(Value::String(id)) = item.remove("categoryId") {
        item.insert("category".to_owned(), json!({ "id": id, "label": category_label(&id) }));
    }
    if key.item.version == Version::Na {
        item.insert("version".to_owned(), json!({ "name": NA, "releaseNote": "-" }));
    }
    if let Some(Value::Object(visibility)) = item.get_mut("visibility") {
        for whom in ["public", "allTenants"] {
            visibility.entry(whom).or_insert(json!(false));
        }
    }
    Value::Object(item)
}

/// An item as a manifest (§4.1): what could be applied again.
pub(crate) fn manifest(stored: &Stored, model: Model) -> Value {
    Value::Object(base(stored, model))
}

/// A row of the list (§4.2).
pub(crate) fn row(
    key: &Key,
    stored: &Stored,
    latest: bool,
    model: Model,
    with_resources: bool,
) -> Value {
    let mut item = versioned_item(key, stored, latest, model);
    if let Some(item) = item.as_object_mut() {
        if !with_resources {
            item.remove("resources");
        }
        if key.item.version == Version::Na {
            item.remove("version"); // it must be a semantic version there
        }
    }
    item
}

/// A row of the versions of an item (§4.3).
pub(crate) fn release(key: &Key, stored: &Stored, latest: bool, model: Model) -> Value {
    let version = stored.document.get("version");
    let note = version.and_then(|v| v.get("releaseNote")).cloned().unwrap_or_else(|| json!("-"));
    let mut release = json!({
        "name": stored.text("name"),
        "description": stored.text("description"),
        "version": key.item.version.to_string(),
        "reference": stored.id,
        "releaseNote": note,
        "releaseDate": stored.text("releaseDate"),
        "isLatest": latest,
    });
    if let Some(security) = version.and_then(|v| v.get("security")) {
        release["security"] = security.clone();
    }
    if let Some(visibility) = stored.document.get("visibility") {
        release["visibility"] = visibility.clone();
    }
    if model == Model::Legacy {
        let (stage, coming_soon) = legacy_stage(stored);
        release["releaseStage"] = stage;
        release["comingSoon"] = json!(coming_soon);
    } else {
        release["lifecycleStatus"] = json!(stored.text("lifecycleStatus"));
    }
    release
}

/// The stored document in the terms of a model, with `type`.
fn base(stored: &Stored, model: Model) -> Map<String, Value> {
    let mut item = stored.document.clone();
    item.insert("type".to_owned(), json!(stored_type(stored).name));
    if model != Model::New141 {
        item.retain(|key, _| !SINCE_141.contains(&key.as_str()));
    }
    if model == Model::Legacy {
        item.remove("lifecycleStatus");
        let (stage, coming_soon) = legacy_stage(stored);
        item.insert("releaseStage".to_owned(), stage);
        item.insert("comingSoon".to_owned(), json!(coming_soon));
        for key in ["publishOnMiaDocumentation", "isVersioningSupported"] {
            if let Some(value) = stored.legacy.get(key) {
                item.insert(key.to_owned(), value.clone());
            }
        }
    }
    item
}

/// `componentsIds`: from `resources.services[*].sourceComponentId` (§8.2).
fn components(stored: &Stored) -> Value {
    let services =
        stored.document.get("resources").and_then(|r| r.get("services")).and_then(Value::as_object);
    let ids: BTreeSet<&str> = services
        .into_iter()
        .flat_map(Map::values)
        .filter_map(|service| service.get("sourceComponentId").and_then(Value::as_str))
        .collect();
    json!(ids)
}

/// The category ids of the platform (§4.6).
pub(crate) const CATEGORIES: [&str; 35] = [
    "addgeo",
    "addonsecurity",
    "artificial-intelligence",
    "auth",
    "business",
    "code",
    "communication",
    "data-catalog",
    "database",
    "devportal",
    "dotnetcore",
    "fast-data",
    "fast-data-connectors",
    "files",
    "frontendbuilder",
    "golang",
    "healthcare",
    "idm",
    "insurance",
    "integrations",
    "kotlin",
    "microfrontend",
    "monitoring",
    "nodejs",
    "notification",
    "orchestrators",
    "payments",
    "python",
    "rust",
    "scheduling",
    "scoring",
    "serverless",
    "spa",
    "stream",
    "utility",
];

/// A label for a category, known or not. The real texts differ; a client must
/// not compare them (§8.2).
pub(crate) fn category_label(id: &str) -> String {
    let mut label = id.replace('-', " ");
    if let Some(first) = label.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    label
}
