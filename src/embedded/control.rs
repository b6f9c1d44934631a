//! `/__control/…`: the [`Handle`] over HTTP, for tests that are not written in
//! Rust. Off by default; it asks for no token.
//!
//! `GET state`, `GET log`, `POST faults` (one or an array), `DELETE faults`,
//! `POST items/{company}` (a document, stored unchecked), `DELETE
//! items/{company}/{itemId}/{version or NA}`.

use serde_json::{Value, json};

use crate::embedded::answer::Answer;
use crate::embedded::faults::Fault;
use crate::embedded::handle::Handle;
use crate::embedded::path::Call;

pub(crate) fn answer(handle: &Handle, call: &Call, body: &[u8]) -> Answer {
    let done = match call {
        Call::ControlState => return Answer::ok(json!(handle.items())),
        Call::ControlLog => return Answer::ok(json!(handle.log())),
        Call::ControlFaults => add_faults(handle, body),
        Call::ControlClearFaults => {
            handle.clear_faults();
            Ok(())
        }
        Call::ControlPut { tenant } => put(handle, tenant, body),
        Call::ControlDelete { tenant, item: Some(item) } => match handle.remove(tenant, item) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Answer::error(404, "item not found")),
            Err(error) => Err(Answer::error(500, error.to_string())),
        },
        _ => Err(Answer::error(404, "not found")),
    };
    done.map_or_else(|answer| answer, |()| Answer::no_content())
}

fn add_faults(handle: &Handle, body: &[u8]) -> Result<(), Answer> {
    let bad = |error: serde_json::Error| Answer::error(400, format!("that is no fault: {error}"));
    let faults: Vec<Fault> = match serde_json::from_slice(body).map_err(bad)? {
        value @ Value::Array(_) => serde_json::from_value(value).map_err(bad)?,
        value => vec![serde_json::from_value(value).map_err(bad)?],
    };
    if faults.into_iter().all(|fault| handle.fail(fault)) {
        Ok(())
    } else {
        Err(Answer::error(409, "there are too many faults: clear them first"))
    }
}

fn put(handle: &Handle, tenant: &str, body: &[u8]) -> Result<(), Answer> {
    let document: Value = serde_json::from_slice(body)
        .map_err(|error| Answer::error(400, format!("the body is no JSON: {error}")))?;
    handle
        .put_raw(tenant, &document)
        .map(|_| ())
        .map_err(|error| Answer::error(400, error.to_string()))
}
