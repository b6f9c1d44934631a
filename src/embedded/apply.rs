//! Create or update (`marketplace-api.md` §3, §9.1): each item is checked,
//! compared with what is stored, and stored or refused on its own.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::domain::item::{ItemId, ItemKey, ItemType, Lifecycle, Version};
use crate::embedded::settings::{
    PartialFailure, Reapply, RowOrder, Switches, TenantMismatch, UnknownKeys, Upsert,
    WrittenDefaults,
};
use crate::embedded::state::{Key, MAX_ITEMS, Record, State, Stored};
use crate::embedded::validate::{
    ItemError, LEGACY_ONLY, Model, SINCE_141, Schemas, plain_error, type_of,
};
use crate::embedded::views::{lifecycle_of_legacy, stored_type};

/// What an apply depends on beside the state.
pub(crate) struct Request<'a> {
    /// The company of the path.
    pub(crate) tenant: &'a str,
    /// The model that its items speak.
    pub(crate) model: Model,
    /// The switches in force.
    pub(crate) switches: &'a Switches,
    /// The schemas.
    pub(crate) schemas: &'a Schemas,
    /// RFC 3339, for a `releaseDate` that nobody stated.
    pub(crate) now: &'a str,
    /// Items that a fault rejects (`None`: all), and the message.
    pub(crate) rejections: &'a [(Option<String>, String)],
}

/// The answer to an apply.
pub(crate) enum Applied {
    /// 200 with this body.
    Rows(Value),
    /// This status with this message.
    Refused(u16, String),
}

/// An item on its way into the state.
struct Draft {
    key: Key,
    item_type: ItemType,
    document: Map<String, Value>,
    legacy: Map<String, Value>,
}

/// An item that was stored.
struct Done {
    key: Key,
    id: String,
    inserted: bool,
    updated: bool,
    before: Option<Stored>,
}

/// Applies the items in order; the same item twice is created, then updated
/// (what the real server does is unknown, §3.4).
pub(crate) fn apply(
    state: &mut State,
    request: &Request<'_>,
    resources: &[Value],
) -> (Applied, Vec<Record>) {
    if let Some(refused) = foreign_tenant(request, resources) {
        return (refused, Vec::new());
    }
    let outcomes: Vec<_> = resources.iter().map(|resource| one(state, request, resource)).collect();
    let failure = resources.iter().zip(&outcomes).find_map(|(resource, outcome)| {
        let errors = outcome.as_ref().err()?;
        let message = errors
            .first()
            .and_then(|error| error["message"].as_str())
            .unwrap_or("the item is invalid");
        Some(format!("item {}: {message}", text(resource, "itemId")))
    });
    let refused = failure.filter(|_| request.switches.partial_failure != PartialFailure::PerItem);
    if refused.is_some() && request.switches.partial_failure == PartialFailure::RefuseAll {
        for done in outcomes.into_iter().rev().flatten() {
            match done.before {
                Some(before) => drop(state.put(done.key, before)),
                None => drop(state.remove(&done.key)),
            }
        }
        return (Applied::Refused(422, refused.unwrap_or_default()), Vec::new());
    }
    let records =
        outcomes.iter().flatten().filter_map(|done| put_record(state, &done.key)).collect();
    if let Some(message) = refused {
        return (Applied::Refused(422, message), records);
    }
    let all_done = outcomes.iter().all(Result::is_ok);
    let mut rows: Vec<Value> = resources
        .iter()
        .zip(&outcomes)
        .map(|(resource, outcome)| answer_row(state, request, resource, outcome))
        .collect();
    if request.switches.order == RowOrder::Reversed {
        rows.reverse();
    }
    (Applied::Rows(json!({ "done": all_done, "items": rows })), records)
}

/// The journal's record of what is stored under a key.
pub(crate) fn put_record(state: &State, key: &Key) -> Option<Record> {
    let stored = state.get(key)?.clone();
    Some(Record::Put { tenant: key.tenant.clone(), item: key.item.clone(), stored })
}

/// The refusal of the whole request because of a foreign `tenantId`, if the
/// switch wants one.
fn foreign_tenant(request: &Request<'_>, resources: &[Value]) -> Option<Applied> {
    let status = match request.switches.tenant_mismatch {
        TenantMismatch::BadRequest => 400,
        TenantMismatch::Forbidden => 403,
        _ => return None,
    };
    let foreign = resources.iter().find(|resource| {
        resource.get("tenantId").is_some_and(|tenant| tenant.as_str() != Some(request.tenant))
    })?;
    let message = format!("item {}: {}", text(foreign, "itemId"), tenant_message(request, foreign));
    Some(Applied::Refused(status, message))
}

fn tenant_message(request: &Request<'_>, resource: &Value) -> String {
    format!(
        "tenantId '{}' is not the company '{}' of the request",
        text(resource, "tenantId"),
        request.tenant
    )
}

fn text<'a>(item: &'a Value, field: &str) -> &'a str {
    item.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn one(state: &mut State, request: &Request<'_>, resource: &Value) -> Result<Done, Vec<ItemError>> {
    let item_id = text(resource, "itemId");
    let rejection =
        request.rejections.iter().find(|(who, _)| who.as_deref().is_none_or(|who| who == item_id));
    if let Some((_, message)) = rejection {
        return Err(vec![plain_error(message.clone())]);
    }
    let draft = check(request, resource)?;
    store(state, request, draft)
}

/// Everything that can be said about an item without looking at the state.
fn check(request: &Request<'_>, resource: &Value) -> Result<Draft, Vec<ItemError>> {
    let Some(item) = resource.as_object() else {
        return Err(vec![plain_error("the item must be object")]);
    };
    let mut item = item.clone();
    let mut kept = Map::new();
    if request.switches.unknown_keys == UnknownKeys::Reject {
        // The vendor's schema files allow it, and nearly every item of the
        // public catalogue has it: a server that refused it would refuse them
        // (`marketplace-api.md` §7.1).
        item.remove("$schema");
    } else {
        for key in request.schemas.unknown_keys(request.model, &item) {
            if let Some(value) = item.remove(&key) {
                kept.insert(key, value);
            }
        }
    }
    let item = Value::Object(item);
    let mut errors = request.schemas.check_envelope(request.model, &item);
    if text(&item, "tenantId") != request.tenant
        && request.switches.tenant_mismatch == TenantMismatch::RejectItem
    {
        errors.push(plain_error(tenant_message(request, &item)));
    }
    let item_type = check_type(request, &item, &mut errors);
    let (Some(item_type), Value::Object(mut item), true) = (item_type, item, errors.is_empty())
    else {
        return Err(errors);
    };
    if request.switches.unknown_keys == UnknownKeys::Keep {
        item.extend(kept);
    }
    let key = key_of(request, &item)?;
    let mut legacy = Map::new();
    if request.model == Model::Legacy {
        let status = lifecycle_of_legacy(&item);
        item.insert("lifecycleStatus".to_owned(), json!(status));
    }
    for field in LEGACY_ONLY {
        if let Some(value) = item.remove(field) {
            legacy.insert(field.to_owned(), value);
        }
    }
    item.remove("type");
    item.insert(
        "itemTypeDefinitionRef".to_owned(),
        json!({ "name": item_type.name, "namespace": item_type.namespace }),
    );
    item.insert("tenantId".to_owned(), json!(key.tenant));
    if request.switches.written_defaults == WrittenDefaults::On {
        write_defaults(&mut item);
    }
    Ok(Draft { key, item_type, document: item, legacy })
}

/// The type, its rule on versions, and its `resources`.
fn check_type(
    request: &Request<'_>,
    item: &Value,
    errors: &mut Vec<ItemError>,
) -> Option<ItemType> {
    let Some(item_type) = item.as_object().and_then(type_of) else {
        // A malformed type is reported by the envelope already.
        if item.get("itemTypeDefinitionRef").is_none() && item.get("type").is_none() {
            errors.push(plain_error("the item must have itemTypeDefinitionRef or type"));
        }
        return None;
    };
    let Some(known) = request.schemas.known_type(&item_type) else {
        errors.push(plain_error(format!("item type definition '{item_type}' not found")));
        return None;
    };
    if !known.versioned && item.get("version").is_some() {
        errors.push(plain_error(format!(
            "items of type '{item_type}' do not support versioning: remove version"
        )));
    }
    if let Some(resources) = item.get("resources").filter(|resources| resources.is_object()) {
        errors.extend(known.check(resources));
    }
    Some(item_type)
}

fn key_of(request: &Request<'_>, item: &Map<String, Value>) -> Result<Key, Vec<ItemError>> {
    let field =
        |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let item_id: ItemId = field(item.get("itemId"))
        .parse()
        .map_err(|error| vec![plain_error(format!("itemId: {error}"))])?;
    let version = match item.get("version").and_then(|version| version.get("name")) {
        Some(name) => field(Some(name))
            .parse()
            .map(Version::Named)
            .map_err(|error| vec![plain_error(format!("version.name: {error}"))])?,
        None => Version::Na,
    };
    let tenant = match request.switches.tenant_mismatch {
        TenantMismatch::Accept => field(item.get("tenantId")),
        _ => request.tenant.to_owned(),
    };
    Ok(Key { tenant, item: ItemKey { item_id, version } })
}

fn write_defaults(item: &mut Map<String, Value>) {
    if let Some(resources) = item.get_mut("resources") {
        default_protocols(resources);
        let services = resources.get_mut("services").and_then(Value::as_object_mut);
        services.into_iter().flat_map(Map::values_mut).for_each(default_protocols);
    }
    let visibility = item.entry("visibility").or_insert_with(|| json!({}));
    if let Some(visibility) = visibility.as_object_mut() {
        for whom in ["public", "allTenants"] {
            visibility.entry(whom).or_insert(json!(false));
        }
    }
}

fn default_protocols(owner: &mut Value) {
    let ports = owner.get_mut("containerPorts").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        port.entry("protocol").or_insert(json!("TCP"));
    }
}

/// The rules that need the state: what may change, and what becomes of the
/// rest of a stored document.
fn store(state: &mut State, request: &Request<'_>, draft: Draft) -> Result<Done, Vec<ItemError>> {
    let Draft { key, item_type, mut document, legacy } = draft;
    let before = state.get(&key).cloned();
    if let Some(before) = &before {
        check_immutable(&key, before, &item_type, &document)?;
    } else if state.len() >= MAX_ITEMS {
        return Err(vec![plain_error(format!(
            "the embedded marketplace holds at most {MAX_ITEMS} items"
        ))]);
    }
    if let Some(before) = &before {
        carry_over(request, before, &mut document);
    }
    document.retain(|_, value| !value.is_null());
    document.entry("releaseDate").or_insert_with(|| json!(request.now));
    let id = before.as_ref().map_or_else(new_id, |before| before.id.clone());
    let stored = Stored { id: id.clone(), document, legacy };
    let changed = before.as_ref().is_none_or(|before| {
        !same_object(&before.document, &stored.document)
            || !same_object(&before.legacy, &stored.legacy)
    });
    let inserted = before.is_none();
    let updated = !inserted && (changed || request.switches.reapply == Reapply::Updated);
    state.put(key.clone(), stored);
    Ok(Done { key, id, inserted, updated, before })
}

/// §9.1: the type and the resources of a named version stay as they are; the
/// resources may change while it is coming soon or a draft.
fn check_immutable(
    key: &Key,
    before: &Stored,
    item_type: &ItemType,
    document: &Map<String, Value>,
) -> Result<(), Vec<ItemError>> {
    if !key.item.version.is_named() {
        return Ok(());
    }
    let (old, status) = (stored_type(before), before.lifecycle());
    if old != *item_type {
        let version = &key.item.version;
        return Err(vec![plain_error(format!(
            "the type of version {version} is '{old}' and cannot be changed"
        ))]);
    }
    let absent = Value::Null;
    let resources =
        |document: &Map<String, Value>| document.get("resources").unwrap_or(&absent).clone();
    if !status.is_mutable() && !same(&resources(&before.document), &resources(document)) {
        return Err(vec![plain_error(format!(
            "resources of version {} cannot be changed because its lifecycle status is '{status}': \
             publish a new version",
            key.item.version
        ))]);
    }
    Ok(())
}

/// What stays of the stored document.
fn carry_over(request: &Request<'_>, before: &Stored, document: &mut Map<String, Value>) {
    for (field, value) in &before.document {
        let keep = match request.switches.upsert {
            Upsert::Merge => true,
            // The legacy model cannot say these, so it cannot remove them: a guess.
            Upsert::Replace
                if request.model == Model::Legacy && SINCE_141.contains(&field.as_str()) =>
            {
                true
            }
            Upsert::Replace => field == "releaseDate",
        };
        if keep && !document.contains_key(field) {
            document.insert(field.clone(), value.clone());
        }
    }
    // A status that the legacy model cannot say stays as long as what it says
    // instead has not changed.
    if request.model == Model::Legacy && before.lifecycle() == Lifecycle::Maintenance {
        let written = document.get("lifecycleStatus").and_then(Value::as_str);
        if written == Some(Lifecycle::Published.as_str()) {
            document.insert("lifecycleStatus".to_owned(), json!(Lifecycle::Maintenance));
        }
    }
}

/// 24 hexadecimal digits, the form of a Mongo object id.
pub(crate) fn new_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(24);
    id
}

fn same_object(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len()
        && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
}

/// Equality with numbers by value: the real server reads every number as a
/// double (§8.3: 1 = 1.0; its own equality is unknown, §13.5).
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y))
        }
        (Value::Object(x), Value::Object(y)) => same_object(x, y),
        _ => a == b,
    }
}

/// A row of `items` (§3.2; legacy §3.3).
fn answer_row(
    state: &State,
    request: &Request<'_>,
    resource: &Value,
    outcome: &Result<Done, Vec<ItemError>>,
) -> Value {
    let mut row = json!({ "itemId": text(resource, "itemId"), "name": text(resource, "name") });
    let version =
        resource.get("version").and_then(|version| version.get("name")).and_then(Value::as_str);
    let errors: &[ItemError] = match outcome {
        Ok(done) => {
            let latest = state.latest(&done.key.tenant, &done.key.item.item_id) == Some(&done.key);
            row["_id"] = json!(done.id);
            row["isLatest"] = json!(latest);
            row["isUsingVersion"] = json!(version.is_some());
            &[]
        }
        Err(errors) => errors,
    };
    row["done"] = json!(outcome.is_ok());
    row["inserted"] = json!(outcome.as_ref().is_ok_and(|done| done.inserted));
    row["updated"] = json!(outcome.as_ref().is_ok_and(|done| done.updated));
    row["errors"] = json!(errors);
    if request.model == Model::Legacy {
        let old: Vec<_> = errors.iter().filter_map(|error| error.get("ajvError")).collect();
        row["validationErrors"] = json!(old);
    } else if let Some(version) = version {
        row["version"] = json!(version);
    }
    row
}
