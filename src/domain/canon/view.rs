//! Brings what a manifest says and what the marketplace answers into one
//! shape, so that they can be compared field by field.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::domain::item::{NA, PLATFORM};

/// Which of the two API generations a document comes from or goes to
/// (`marketplace-api.md` §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// `/api/tenants/{t}/marketplace/…`
    New,
    /// `/api/backend/marketplace/tenants/{t}/…`
    Legacy,
}

/// The fields that both models have (`marketplace-api.md` §7.1, §7.2), in the
/// shape that is compared. `tenantId` is not among them: the path of the
/// request decides it.
const COMMON: [&str; 13] = [
    "categoryId",
    "description",
    "documentation",
    "imageUrl",
    "itemId",
    "itemTypeDefinitionRef",
    "name",
    "providerId",
    "repositoryUrl",
    "resources",
    "supportedBy",
    "supportedByImageUrl",
    "version",
];

/// The fields of the new model only (§7.1).
const NEW: [&str; 8] = [
    "annotations",
    "labels",
    "lifecycleStatus",
    "links",
    "maintainers",
    "relationships",
    "releaseDate",
    "tags",
];

/// The fields of the legacy model only (§7.2).
const LEGACY: [&str; 4] =
    ["comingSoon", "isVersioningSupported", "publishOnMiaDocumentation", "releaseStage"];

/// What of a wanted manifest can be compared: the fields of the generation's
/// model, in one spelling. Anything else a server may drop.
///
/// A document that is no object stays as it is.
pub fn wanted_view(document: &Value, generation: Generation) -> Value {
    view(document, generation, false)
}

/// What of a live document can be compared; it may be a manifest or an item as
/// it is read (`marketplace-api.md` §8.1).
pub fn live_view(document: &Value, generation: Generation) -> Value {
    view(document, generation, true)
}

fn view(document: &Value, generation: Generation, live: bool) -> Value {
    let Some(document) = document.as_object() else {
        return document.clone();
    };
    let own: &[&str] = match generation {
        Generation::New => &NEW,
        Generation::Legacy => &LEGACY,
    };
    let mut view = Map::new();
    for field in COMMON.iter().chain(own) {
        if let Some(value) = document.get(*field) {
            view.insert((*field).to_owned(), value.clone());
        }
    }
    item_type(document, &mut view);
    category(document, &mut view);
    version(&mut view);
    release_date(&mut view);
    if generation == Generation::Legacy {
        coming_soon(&mut view, live);
    }
    // All absent may come back as all false, and the other way round (§8.2).
    let stated = document.get("visibility").filter(|visibility| !visibility.is_null());
    if live || stated.is_some() {
        view.insert("visibility".to_owned(), visibility(stated));
    }
    Value::Object(view)
}

/// `itemTypeDefinitionRef` wins; a bare `type` is the platform's (§7.1).
fn item_type(document: &Map<String, Value>, view: &mut Map<String, Value>) {
    let has_ref = view.get("itemTypeDefinitionRef").is_some_and(|value| !value.is_null());
    if let Some(name) = document.get("type").and_then(Value::as_str).filter(|_| !has_ref) {
        view.insert(
            "itemTypeDefinitionRef".to_owned(),
            json!({"namespace": PLATFORM, "name": name}),
        );
    }
}

/// `category {id, label}` is `categoryId`, expanded on reading.
fn category(document: &Map<String, Value>, view: &mut Map<String, Value>) {
    if let Some(id) = document.get("category").and_then(|category| category.get("id")) {
        view.entry("categoryId").or_insert_with(|| id.clone());
    }
}

/// The marketplace's way to say that there is no version.
fn version(view: &mut Map<String, Value>) {
    let name = view.get("version").and_then(|version| version.get("name"));
    if name.and_then(Value::as_str) == Some(NA) {
        view.remove("version");
    }
}

/// One spelling for one instant; what is no RFC 3339 date stays as it is.
fn release_date(view: &mut Map<String, Value>) {
    let Some(Value::String(text)) = view.get_mut("releaseDate") else {
        return;
    };
    if let Ok(instant) = text.parse::<Timestamp>() {
        *text = instant.to_string();
    }
}

/// It may be written as `null` and read as `false` (`marketplace-api.md` §7.2,
/// §8.2), and absent it is neither.
fn coming_soon(view: &mut Map<String, Value>, live: bool) {
    let field = "comingSoon";
    let is_null = view.get(field).map_or(live, Value::is_null);
    if is_null {
        view.insert(field.to_owned(), Value::Bool(false));
    }
}

fn visibility(stated: Option<&Value>) -> Value {
    let mut filled = json!({"public": false, "allTenants": false});
    match (stated, &mut filled) {
        (Some(Value::Object(stated)), Value::Object(filled)) => {
            filled.extend(
                stated
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(k, v)| (k.clone(), v.clone())),
            );
        }
        (Some(other), filled) => *filled = other.clone(),
        _ => {}
    }
    filled
}
