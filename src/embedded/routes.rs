//! The HTTP surface: reads a request, notes it, carries it out.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Extract};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::Value;

use crate::domain::item::{ItemId, ItemKey, NA};
use crate::embedded::answer::Answer;
use crate::embedded::apply::{self, Applied};
use crate::embedded::auth::Caller;
use crate::embedded::connection::CutSwitch;
use crate::embedded::control;
use crate::embedded::handle::{Exchange, Handle, World};
use crate::embedded::path::{self, Call, Family};
use crate::embedded::reads::{self, model_of};
use crate::embedded::state::Key;
use crate::embedded::tamper;
use crate::embedded::upload::{UPLOAD_LIMIT, Upload};

/// How long a request body may take. `miactl` sends its largest in well under
/// a second; a client that stalls must not hold a connection for ever.
const BODY_TIME: Duration = Duration::from_mins(1);

/// How much of a body that is too large is read and thrown away, so that the
/// client sees the 413 and not a broken pipe.
const DRAIN: usize = 64 * 1024 * 1024;

/// The largest body of a call that carries no items and no image.
const SMALL_BODY: usize = 64 * 1024;

/// What came in the body.
enum Input {
    Nothing,
    Bytes(Bytes),
    Items(Vec<Value>),
    Upload(Upload),
    /// The body is wrong: the answer if no fault decides otherwise.
    Wrong(Answer),
}

/// Everything that comes in.
pub(crate) async fn handle(
    Extract(handle): Extract<Handle>,
    ConnectInfo(cut): ConnectInfo<CutSwitch>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let console = handle.world().console;
    let call = path::parse(parts.method.as_str(), parts.uri.path(), console, handle.control());
    let limit = match call {
        Call::Apply { .. } => handle.apply_limit(),
        Call::Upload { .. } | Call::ControlPut { .. } | Call::ControlFaults => UPLOAD_LIMIT,
        _ => SMALL_BODY,
    };
    let bytes = match tokio::time::timeout(BODY_TIME, read(body, limit)).await {
        Ok(read) => read,
        Err(_) => Err(Answer::error(408, "the request body did not arrive in time")),
    };
    if call.is_control() {
        let answer =
            bytes.map_or_else(|answer| answer, |bytes| control::answer(&handle, &call, &bytes));
        return answer.into_response(None);
    }
    let written = bytes.as_ref().ok().filter(|_| call.writes()).cloned();
    let input = match bytes {
        Ok(bytes) => input_of(&call, &parts, bytes).await,
        Err(answer) => Input::Wrong(answer),
    };
    let exchange = Exchange { body: written, ..exchange(&parts, &call, &input) };
    let (began, strikes) = handle.begin(exchange);
    let rejections = strikes.rejections.clone();
    let process = || answer(&handle, &call, &parts, input, &rejections);
    let response = tamper::play(&handle, strikes, &cut, process).await;
    handle.end(began, response.as_ref().map(|response| response.status().as_u16()));
    response.unwrap_or_default()
}

/// The body, up to its limit.
async fn read(body: Body, limit: usize) -> Result<Bytes, Answer> {
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let mut length = 0_usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk
            .map_err(|error| Answer::error(400, format!("the request body broke off: {error}")))?;
        length = length.saturating_add(chunk.len());
        if length <= limit {
            bytes.extend_from_slice(&chunk);
        } else if length > limit.saturating_add(DRAIN) {
            break;
        }
    }
    if length > limit {
        return Err(Answer::error(413, format!("the request body is larger than {limit} bytes")));
    }
    Ok(bytes.freeze())
}

async fn input_of(call: &Call, parts: &Parts, bytes: Bytes) -> Input {
    match call {
        Call::Apply { .. } => items_of(parts, &bytes).map_or_else(Input::Wrong, Input::Items),
        Call::Upload { .. } => {
            Upload::read(parts, bytes).await.map_or_else(Input::Wrong, Input::Upload)
        }
        Call::Token => Input::Bytes(bytes),
        _ => Input::Nothing,
    }
}

/// `{"resources": […]}` (§3.1). Wrong as a whole is 4xx (§3.4).
fn items_of(parts: &Parts, bytes: &[u8]) -> Result<Vec<Value>, Answer> {
    if !header(&parts.headers, "content-type").starts_with("application/json") {
        return Err(Answer::error(415, "the body must be application/json"));
    }
    let mut body: Value = serde_json::from_slice(bytes)
        .map_err(|error| Answer::error(400, format!("the body is no JSON: {error}")))?;
    match body.get_mut("resources").map(Value::take) {
        Some(Value::Array(resources)) => Ok(resources),
        Some(_) => Err(Answer::error(400, "body/resources must be array")),
        None => Err(Answer::error(400, "body must have required property 'resources'")),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// What the log says about a request before it is answered.
fn exchange(parts: &Parts, call: &Call, input: &Input) -> Exchange {
    let mut upload = None;
    let items = match (input, call) {
        (Input::Items(items), _) => items.iter().map(item_name).collect(),
        (Input::Upload(read), _) => {
            upload = Some(read.summary());
            vec![read.item()]
        }
        (_, Call::Get { item: Some(item), .. } | Call::Delete { item: Some(item), .. }) => {
            vec![item.to_string()]
        }
        (_, Call::Versions { item_id, .. }) => vec![item_id.clone()],
        _ => Vec::new(),
    };
    let headers = ["accept", "client-key", "content-type", "user-agent"]
        .into_iter()
        .filter(|name| parts.headers.contains_key(*name))
        .map(|name| (name.to_owned(), header(&parts.headers, name).to_owned()))
        .collect::<BTreeMap<_, _>>();
    Exchange {
        began: 0,
        ended: None,
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        route: call.route(),
        items,
        resources: 0,
        headers,
        authorized: parts.headers.contains_key("authorization"),
        upload,
        body: None,
        fault: None,
        status: None,
    }
}

fn item_name(item: &Value) -> String {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let version = item.get("version").and_then(|version| version.get("name"));
    let version = if version.is_some() { text(version) } else { NA.to_owned() };
    format!("{} {version}", text(item.get("itemId")))
}

/// Carries a call out.
fn answer(
    handle: &Handle,
    call: &Call,
    parts: &Parts,
    input: Input,
    rejections: &[(Option<String>, String)],
) -> Answer {
    match call {
        Call::Unknown => {
            return Answer::error(
                404,
                format!("Route {}:{} not found", parts.method, parts.uri.path()),
            );
        }
        Call::WrongMethod => {
            return Answer::error(405, format!("{} is not allowed here", parts.method));
        }
        _ => {}
    }
    let mut guard = handle.world();
    let world = &mut *guard;
    let now = Timestamp::now();
    if *call == Call::Token {
        return match input {
            Input::Bytes(body) => {
                let used = &mut world.used_assertions;
                handle.authority().token(&parts.headers, &body, used, now.as_second())
            }
            Input::Wrong(answer) => answer,
            _ => Answer::error(400, "the token request has no body"),
        };
    }
    let caller = handle.authority().caller(&parts.headers, now.as_second());
    if caller == Caller::Refused || (caller == Caller::Anonymous && call.writes()) {
        return Answer::error(401, "Unauthorized");
    }
    match (call, input) {
        (_, Input::Wrong(answer)) => answer,
        (Call::Apply { family, tenant }, Input::Items(items)) => {
            apply_items(handle, world, *family, tenant, &items, rejections, now)
        }
        (Call::Upload { .. }, Input::Upload(upload)) => upload.store(world),
        (Call::Delete { tenant, item }, _) => delete(world, tenant, item.as_ref()),
        (Call::DeleteById { tenant, id }, _) => {
            let key = world.state.key_of(id).filter(|key| key.tenant == *tenant).cloned();
            delete(world, tenant, key.as_ref().map(|key| &key.item))
        }
        (Call::PatchMetadata, _) => {
            Answer::error(501, "the embedded marketplace has no metadata PATCH: use apply")
        }
        (Call::WriteTypeDefinition, _) => Answer::error(
            501,
            "the embedded marketplace takes item type definitions from its settings only",
        ),
        _ => reads::answer(handle, world, call, parts, caller),
    }
}

fn apply_items(
    handle: &Handle,
    world: &mut World,
    family: Family,
    tenant: &str,
    items: &[Value],
    rejections: &[(Option<String>, String)],
    now: Timestamp,
) -> Answer {
    let now = now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let switches = world.switches.clone();
    let model = model_of(world, family);
    let request = apply::Request {
        tenant,
        model,
        switches: &switches,
        schemas: handle.schemas(),
        now: &now,
        rejections,
    };
    let (applied, records) = apply::apply(&mut world.state, &request, items);
    if let Err(error) = world.keep(&records) {
        return Answer::error(500, error.to_string());
    }
    match applied {
        Applied::Rows(body) => Answer::ok(body),
        Applied::Refused(status, message) => Answer::error(status, message),
    }
}

/// §4.4: 204, with the URN of the latest version that is left.
fn delete(world: &mut World, tenant: &str, item: Option<&ItemKey>) -> Answer {
    let gone = match item {
        Some(item) => world.delete(&Key { tenant: tenant.to_owned(), item: item.clone() }),
        None => Ok(None),
    };
    match (gone, item) {
        (Ok(Some(_)), Some(item)) => match latest_urn(world, tenant, &item.item_id) {
            Some(urn) => Answer::no_content().header("x-marketplace-item-latest-version", &urn),
            None => Answer::no_content(),
        },
        (Err(error), _) => Answer::error(500, error.to_string()),
        _ => Answer::error(404, "item not found"),
    }
}

fn latest_urn(world: &World, tenant: &str, item_id: &ItemId) -> Option<String> {
    let key = world.state.latest(tenant, item_id)?;
    let version = &key.item.version;
    let suffix = if version.is_named() { format!("?=version={version}") } else { String::new() };
    Some(format!("urn:{tenant}:mktp:{item_id}{suffix}"))
}
