//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Notify, Semaphore};

use super::Serving;
use crate::edge::hook::Gate;

/// How many requests read the state at a time, and how many such pages are in
/// memory until they are sent: a list of 100,000 items is some 50 MiB while it
/// is put together.
const READERS: usize = 2;

pub(super) struct Shared {
    pub(super) serving: Serving,
    /// Told of each genuine call of the webhook.
    pub(super) genuine: Notify,
    pub(super) gate: Gate,
    /// Whether it was logged that the secret of the webhook cannot be read.
    pub(super) told_secret: AtomicBool,
    pub(super) readers: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(serving: Serving) -> Self {
        Self {
            serving,
            genuine: Notify::new(),
            gate: Gate::new(Instant::now()),
            told_secret: AtomicBool::new(false),
            readers: Arc::new(Semaphore::new(READERS)),
        }
    }

    /// Whether the process was asked to stop.
    pub(super) fn is_stopping(&self) -> bool {
        *self.serving.stop.borrow()
    }
}

/// A sentence.
pub(super) fn said(code: StatusCode, text: impl Into<String>) -> Response {
    (code, format!("{}\n", text.into())).into_response()
}
