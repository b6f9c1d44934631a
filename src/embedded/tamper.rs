//! What a fault does to an answer.

use std::io;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, HeaderValue};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::embedded::answer::{Answer, Payload};
use crate::embedded::connection::CutSwitch;
use crate::embedded::faults::{FaultKind, Strikes};
use crate::embedded::handle::Handle;

/// What [`FaultKind::EndlessBody`] repeats.
const ENDLESS_CHUNK: &[u8] = &[b' '; 16 * 1024];

/// Carries a call out as its faults allow. `None`: there is no answer, the
/// connection is cut.
pub(crate) async fn play(
    handle: &Handle,
    strikes: Strikes,
    cut: &CutSwitch,
    process: impl FnOnce() -> Answer,
) -> Option<Response<Body>> {
    if strikes.delay_ms > 0 {
        handle.pause(strikes.delay_ms).await;
    }
    let Some((kind, item)) = strikes.decisive else {
        return Some(process().into_response(None));
    };
    let item = item.as_deref();
    let answer = match kind {
        FaultKind::CutBefore => {
            cut.cut();
            return None;
        }
        FaultKind::CutAfter => {
            process();
            cut.cut();
            return None;
        }
        FaultKind::Silence => {
            process();
            handle.stopped().await;
            cut.cut();
            return None;
        }
        FaultKind::Status { code, body, content_type, retry_after, processed } => {
            if processed {
                process();
            }
            status(code, body, content_type, retry_after)
        }
        FaultKind::Redirect { to, code } => Answer::error(code, "moved").header("location", &to),
        FaultKind::EndlessBody => return Some(endless(handle)),
        FaultKind::Truncate => return Some(truncated(process())),
        FaultKind::SlowDrip { ms } => return Some(dripping(handle.clone(), process(), ms)),
        FaultKind::WrongBody { body } => {
            let answer = process();
            let content_type = answer.body().1.unwrap_or_else(|| "application/json".to_owned());
            Answer { payload: Payload::Bytes(body.into(), content_type), ..answer }
        }
        FaultKind::WrongContentType { content_type } => {
            let answer = process();
            Answer { payload: Payload::Bytes(answer.body().0, content_type), ..answer }
        }
        FaultKind::EmptyBody => Answer { payload: Payload::Empty, ..process() },
        FaultKind::MissingRow => rows(process(), |rows| {
            if let Some(index) = row_of(rows, item) {
                rows.remove(index);
            }
        }),
        FaultKind::DoubledRow => rows(process(), |rows| {
            if let Some(row) = row_of(rows, item).and_then(|index| rows.get(index).cloned()) {
                rows.push(row);
            }
        }),
        FaultKind::ReorderedRows => rows(process(), |rows| rows.reverse()),
        // These two are never decisive.
        FaultKind::Delay { .. } | FaultKind::RejectItem { .. } => process(),
    };
    Some(answer.into_response(None))
}

fn status(
    code: u16,
    body: Option<String>,
    content_type: Option<String>,
    retry_after: Option<String>,
) -> Answer {
    let mut answer = Answer::error(code, "a fault was asked for");
    if let Some(body) = body {
        answer.payload =
            Payload::Bytes(body.into(), content_type.unwrap_or_else(|| "text/html".to_owned()));
    }
    match retry_after {
        Some(seconds) => answer.header("retry-after", &seconds),
        None => answer,
    }
}

/// Edits the rows of an array answer, or `items` of an apply answer.
fn rows(mut answer: Answer, edit: impl FnOnce(&mut Vec<Value>)) -> Answer {
    if let Payload::Json(body) = &mut answer.payload {
        let rows = if body.is_array() { Some(body) } else { body.get_mut("items") };
        if let Some(rows) = rows.and_then(Value::as_array_mut) {
            edit(rows);
        }
    }
    answer
}

fn row_of(rows: &[Value], item: Option<&str>) -> Option<usize> {
    match item {
        Some(item) => {
            rows.iter().position(|row| row.get("itemId").and_then(Value::as_str) == Some(item))
        }
        None => (!rows.is_empty()).then_some(0),
    }
}

/// The headers promise the whole body; half of it comes, then an error ends
/// the connection.
fn truncated(answer: Answer) -> Response<Body> {
    let (bytes, _) = answer.body();
    let half = bytes.slice(..bytes.len() / 2);
    let parts = [Ok(half), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    let mut response = answer.into_response(Some(Body::from_stream(stream::iter(parts))));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    response
}

fn endless(handle: &Handle) -> Response<Body> {
    let chunk = || Ok::<_, io::Error>(Bytes::from_static(ENDLESS_CHUNK));
    let handle = handle.clone();
    let stopped = Box::pin(async move { handle.stopped().await });
    let body = stream::iter([Ok(Bytes::from_static(b"["))])
        .chain(stream::repeat_with(chunk).then(|chunk| async {
            // Lets other connections have their turn, however fast it is read.
            tokio::task::yield_now().await;
            chunk
        }))
        .take_until(stopped);
    let answer =
        Answer { status: StatusCode::OK, headers: Vec::new(), payload: Payload::Json(Value::Null) };
    answer.into_response(Some(Body::from_stream(body)))
}

fn dripping(handle: Handle, answer: Answer, ms: u64) -> Response<Body> {
    let (bytes, _) = answer.body();
    let length = bytes.len();
    let body = stream::unfold((handle, bytes), move |(handle, mut rest)| async move {
        if rest.is_empty() {
            return None;
        }
        handle.pause(ms).await;
        let byte = rest.split_to(1);
        Some((Ok::<_, io::Error>(byte), (handle, rest)))
    });
    let mut response = answer.into_response(Some(Body::from_stream(body)));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
