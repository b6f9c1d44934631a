//! The addresses and what they answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tracing::warn;

use super::hooked;
use super::shared::{Shared, said};
use crate::domain::report::json;
use crate::domain::standing::page::Page;
use crate::domain::text::clean;
use crate::edge::metrics::CONTENT_TYPE as TEXT_FORMAT;
use crate::edge::store::{Store, StoreError};

/// How long an answer may take. It is less than the life of a connection, so
/// that who waited is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a reader of the items waits for its turn. Reading 100,000 of them
/// takes less than a second; who reads slowly may keep the turn for as long as
/// its connection lives.
const TURN: Duration = Duration::from_secs(3);

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/hook", post(hooked::hook))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
        .with_state(shared)
        .layer(middleware::from_fn(in_time))
        .layer(middleware::map_response(plain))
}

async fn in_time(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(PATIENCE, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let text = format!("no answer could be given within {} s", PATIENCE.as_secs());
        said(StatusCode::SERVICE_UNAVAILABLE, text)
    })
}

/// What holds for every answer: it is of its time, it is what it says it is,
/// and it is the last one of its connection.
async fn plain(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn nothing_here() -> Response {
    let text = "nothing is here; there are /healthz, /readyz, /metrics, /status and /hook";
    said(StatusCode::NOT_FOUND, text)
}

async fn wrong_method() -> Response {
    let text = "/hook is called with POST, the others with GET";
    said(StatusCode::METHOD_NOT_ALLOWED, text)
}

async fn healthz(State(shared): State<Arc<Shared>>) -> Response {
    let serving = &shared.serving;
    let silence = serving.heart.silence();
    if silence <= serving.patience {
        return said(StatusCode::OK, "ok");
    }
    let (silence, patience) = (silence.as_secs(), serving.patience.as_secs());
    let text = format!("nothing made progress for {silence} s, and no step takes {patience} s");
    said(StatusCode::SERVICE_UNAVAILABLE, text)
}

async fn readyz(State(shared): State<Arc<Shared>>) -> Response {
    if shared.is_stopping() {
        said(StatusCode::SERVICE_UNAVAILABLE, "stopping")
    } else if shared.serving.standing.borrow().ready {
        said(StatusCode::OK, "ok")
    } else {
        let text = "the source and the marketplace were not yet looked at once, whole";
        said(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    match shared.serving.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            warn!(error = &error as &dyn std::error::Error, "the metrics cannot be written");
            said(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written")
        }
    }
}

async fn status(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let with_items = match query.as_deref() {
        None | Some("" | "items=false") => false,
        Some("items=true") => true,
        Some(_) => return said(StatusCode::BAD_REQUEST, "the only question is ?items=true"),
    };
    let standing = Arc::clone(&shared.serving.standing.borrow());
    let page = Page::of(&standing, env!("CARGO_PKG_VERSION"), Timestamp::now());
    // A page holds texts and numbers only: it always serialises.
    let mut page = serde_json::to_value(page).unwrap_or_default();
    let mut turn = None;
    if with_items {
        match items(&shared).await {
            Ok((items, own)) => {
                page["items"] = items;
                turn = Some(own);
            }
            Err(refusal) => return refusal,
        }
    }
    let text = Bytes::from_owner(Text { text: format!("{page}\n"), _turn: turn });
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// A page, and the turn of who reads it: that ends when the last byte is sent
/// or the connection is gone, so that there are never more pages in memory than
/// turns.
struct Text {
    text: String,
    _turn: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Every item of the state, which is read beside the loop that writes it.
async fn items(shared: &Shared) -> Result<(Value, OwnedSemaphorePermit), Response> {
    let turn = Arc::clone(&shared.readers).acquire_owned();
    let Ok(Ok(turn)) = tokio::time::timeout(TURN, turn).await else {
        let text = "others read the items; ask again in a few seconds, or without ?items=true";
        return Err(said(StatusCode::SERVICE_UNAVAILABLE, text));
    };
    let state = shared.serving.state.clone();
    let read = tokio::task::spawn_blocking(move || {
        let items = match Store::read_only(&state)? {
            Some(store) => json::status(&store.status()?)["items"].take(),
            None => Value::Array(Vec::new()),
        };
        // The turn lasts until here also if nobody waits for it any more.
        Ok::<_, StoreError>((items, turn))
    });
    let unread = |why: String| {
        warn!(why = clean(&why), "the state cannot be read");
        let text = "the state cannot be read; the log says why";
        said(StatusCode::SERVICE_UNAVAILABLE, text)
    };
    let read = read.await.map_err(|error| unread(error.to_string()))?;
    read.map_err(|error| unread(error.to_string()))
}
