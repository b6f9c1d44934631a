//! The calls that change nothing.

use axum::http::StatusCode;
use axum::http::request::Parts;
use serde_json::{Value, json};

use crate::domain::item::{ItemId, ItemType};
use crate::embedded::answer::{Answer, Payload};
use crate::embedded::auth::Caller;
use crate::embedded::handle::{Handle, World};
use crate::embedded::list::Query;
use crate::embedded::path::{Call, Family};
use crate::embedded::settings::{ConsoleVersion, ManifestForm, UnknownVersions};
use crate::embedded::state::Key;
use crate::embedded::validate::{KnownType, Model};
use crate::embedded::views;

/// The form in which an item is asked for (§4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Item,
    Manifest,
    YamlManifest,
}

pub(crate) fn answer(
    handle: &Handle,
    world: &World,
    call: &Call,
    parts: &Parts,
    caller: Caller,
) -> Answer {
    let signed_in = caller == Caller::SignedIn;
    match call {
        Call::Version => version(world),
        Call::List(family) => {
            list(world, *family, parts.uri.query().unwrap_or_default(), signed_in)
        }
        Call::Categories => {
            let label = |id: &&str| json!({ "categoryId": id, "label": views::category_label(id) });
            Answer::ok(views::CATEGORIES.iter().map(label).collect())
        }
        Call::Versions { family, tenant, item_id } => {
            versions(world, *family, tenant, item_id, signed_in)
        }
        Call::Get { family, tenant, item } => {
            let key = item.clone().map(|item| Key { tenant: tenant.clone(), item });
            get(world, *family, key.as_ref(), parts, signed_in)
        }
        Call::GetById(id) => get(world, Family::Legacy, world.state.key_of(id), parts, signed_in),
        Call::Download(name) => match world.state.file(name) {
            Some(file) => Answer {
                status: StatusCode::OK,
                headers: Vec::new(),
                payload: Payload::Bytes(file.bytes.clone(), file.mime.clone()),
            },
            None => Answer::error(404, "file not found"),
        },
        Call::TypeDefinitions => type_definitions(handle, parts.uri.query().unwrap_or_default()),
        Call::TypeDefinition { tenant, name } => {
            let wanted = ItemType { namespace: tenant.clone(), name: name.clone() };
            match handle.schemas().known_type(&wanted) {
                Some(known) => Answer::ok(type_definition(&wanted, known)),
                None => Answer::error(404, "item type definition not found"),
            }
        }
        _ => Answer::error(404, "not found"),
    }
}

/// What a family speaks on this Console.
pub(crate) fn model_of(world: &World, family: Family) -> Model {
    match family {
        Family::Legacy => Model::Legacy,
        Family::New => Model::of_new_api(world.console),
    }
}

/// `/api/version` (§2.1).
fn version(world: &World) -> Answer {
    match world.console {
        ConsoleVersion::NotFound => Answer::error(404, "Route GET:/api/version not found"),
        ConsoleVersion::Is(major, minor) => Answer::ok(json!({
            "version": format!("{major}.{minor}.0"),
            "major": major.to_string(),
            "minor": minor.to_string(),
        })),
    }
}

fn list(world: &World, family: Family, query: &str, signed_in: bool) -> Answer {
    let model = model_of(world, family);
    let query = match Query::parse(query, model) {
        Ok(query) => query,
        Err(message) => return Answer::error(400, message),
    };
    let page = query.run(&world.state, world.switches.list_rows, model, signed_in);
    let answer = Answer::ok(Value::Array(page.rows));
    if model == Model::Legacy {
        return answer; // its totals are in no specification
    }
    answer
        .header("x-total-items", &page.total_items.to_string())
        .header("x-total-pages", &page.total_pages.to_string())
}

/// Newest first (the real order is unknown, §13.9).
fn versions(world: &World, family: Family, tenant: &str, item_id: &str, signed_in: bool) -> Answer {
    let model = model_of(world, family);
    let mut rows = Vec::new();
    if let Ok(item_id) = item_id.parse::<ItemId>() {
        let latest = world.state.latest(tenant, &item_id);
        for (key, stored) in world.state.versions(tenant, &item_id) {
            if signed_in || stored.visible_to("public") {
                rows.push(views::release(key, stored, latest == Some(key), model));
            }
        }
    }
    rows.reverse();
    if rows.is_empty() && world.switches.unknown_versions == UnknownVersions::NotFound {
        return Answer::error(404, "item not found");
    }
    Answer::ok(Value::Array(rows))
}

fn get(world: &World, family: Family, key: Option<&Key>, parts: &Parts, signed_in: bool) -> Answer {
    let found = key.and_then(|key| Some((key, world.state.get(key)?)));
    let Some((key, stored)) = found.filter(|(_, stored)| signed_in || stored.visible_to("public"))
    else {
        return Answer::error(404, "item not found");
    };
    let model = model_of(world, family);
    let form = match form_of(world, family, parts) {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    match form {
        Form::Item => {
            let latest = world.state.latest(&key.tenant, &key.item.item_id) == Some(key);
            Answer::ok(views::versioned_item(key, stored, latest, model))
        }
        Form::Manifest => Answer::ok(views::manifest(stored, model)),
        Form::YamlManifest => match serde_saphyr::to_string(&views::manifest(stored, model)) {
            Ok(text) => Answer {
                status: StatusCode::OK,
                headers: Vec::new(),
                payload: Payload::Bytes(text.into(), "application/yaml; charset=utf-8".to_owned()),
            },
            Err(error) => {
                Answer::error(500, format!("the item cannot be written as YAML: {error}"))
            }
        },
    }
}

/// New API: the `Accept` header; 13.x: `?format=manifest` (§4.1).
fn form_of(world: &World, family: Family, parts: &Parts) -> Result<Form, Answer> {
    if world.switches.manifest_form == ManifestForm::Off {
        return Ok(Form::Item);
    }
    if family == Family::Legacy {
        let wanted =
            parts.uri.query().unwrap_or_default().split('&').any(|pair| pair == "format=manifest");
        return Ok(if wanted && !world.console.has_new_api() {
            Form::Manifest
        } else {
            Form::Item
        });
    }
    let accept = parts.headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    let forms = accept.split(',').filter_map(media_form);
    forms.into_iter().next().ok_or_else(|| {
        Answer::error(
            406,
            "this is served as application/json, or as a manifest in application/json or application/yaml",
        )
    })
}

fn media_form(media: &str) -> Option<Form> {
    let mut parts = media.split(';').map(str::trim);
    let media_type = parts.next()?;
    let manifest = parts.any(|parameter| parameter.replace('"', "") == "as=manifest");
    match media_type {
        "application/json" | "application/*" | "*/*" if manifest => Some(Form::Manifest),
        "application/json" | "application/*" | "*/*" => Some(Form::Item),
        "application/yaml" if manifest => Some(Form::YamlManifest),
        _ => None,
    }
}

/// §4.7: `visibility` is a comma list of companies and `console`. There is one
/// page.
fn type_definitions(handle: &Handle, query: &str) -> Answer {
    let mut visibility = None;
    let mut first_page = true;
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match key.as_ref() {
            "visibility" => visibility = Some(value.into_owned()),
            "page" => first_page = value == "1",
            _ => {}
        }
    }
    let wanted = |item_type: &ItemType| {
        let scope = if item_type.is_platform() { "console" } else { item_type.namespace.as_str() };
        visibility.as_ref().is_none_or(|list| {
            list.split(',').any(|word| word == scope || word == item_type.namespace)
        })
    };
    let rows: Vec<Value> = handle
        .schemas()
        .types()
        .filter(|(item_type, _)| first_page && wanted(item_type))
        .map(|(item_type, known)| type_definition(item_type, known))
        .collect();
    Answer::ok(Value::Array(rows))
}

/// The fields that `miactl itd` reads, and the schema.
fn type_definition(item_type: &ItemType, known: &KnownType) -> Value {
    let visibility = if item_type.is_platform() {
        json!({ "scope": "console" })
    } else {
        json!({ "scope": "tenant", "ids": [item_type.namespace] })
    };
    json!({
        "apiVersion": "software-catalog.mia-platform.eu/v1",
        "kind": "item-type-definition",
        "metadata": {
            "namespace": { "scope": "tenant", "id": item_type.namespace },
            "name": item_type.name,
            "displayName": views::category_label(&item_type.name),
            "visibility": visibility,
            "publisher": { "name": item_type.namespace },
        },
        "spec": {
            "type": item_type.name,
            "scope": "tenant",
            "isVersioningSupported": known.versioned,
            "validation": { "mechanism": "json-schema", "schema": known.schema },
        },
        "__v": 0,
    })
}
