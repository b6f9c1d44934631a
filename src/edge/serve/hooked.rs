//! The call of a forge: something was pushed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::StreamExt as _;
use secrecy::ExposeSecret as _;
use tracing::{debug, warn};

use super::shared::{Shared, said};
use crate::domain::text::clean;
use crate::edge::hook::{Check, Hook, Proofs};

/// The longest body (`practice.md` §4). What a push of more than this changed
/// is found by the next fetch.
const MAX_BODY: usize = 1024 * 1024;

/// How long a body may take to come in.
const MAX_BODY_TIME: Duration = Duration::from_secs(5);

/// Answers a call, and counts it by the answer.
pub(super) async fn hook(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let response = match &shared.serving.hook {
        Some(hook) => match answer(&shared, hook, request).await {
            Ok(()) => said(StatusCode::ACCEPTED, "the source will be looked at"),
            Err(refusal) => refusal.response(),
        },
        None => said(StatusCode::NOT_FOUND, "no webhook is set up; --hook-secret-file sets one up"),
    };
    shared.serving.metrics.hook(response.status().as_u16());
    response
}

/// Why a call wakes nobody.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// Nothing proves where it comes from, or it does not hold.
    Unproven,
    TooMany,
    TooLong,
    TooSlow,
    Broken,
    NoSecret,
    Stopping,
}

impl Refusal {
    fn response(self) -> Response {
        let (code, text) = match self {
            Self::Unproven => (
                StatusCode::UNAUTHORIZED,
                "the signature is missing or wrong; both sides must hold the same secret",
            ),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too many calls; wait a second"),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB"),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in within 5 s"),
            Self::Broken => (StatusCode::BAD_REQUEST, "the body broke off"),
            Self::NoSecret => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the secret of the webhook cannot be read; the log says why",
            ),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        };
        let mut response = said(code, text);
        if matches!(self, Self::TooMany) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The cheap questions come first: a call without any proof costs neither the
/// stock of the gate, nor a look at the secret, nor its body. Who shows the
/// secret itself needs no gate, so that others who call cannot keep it out; one
/// that is wrong costs no body.
async fn answer(shared: &Shared, hook: &Hook, request: Request) -> Result<(), Refusal> {
    if shared.is_stopping() {
        return Err(Refusal::Stopping);
    }
    let (head, body) = request.into_parts();
    let values = |name| head.headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    let proofs = Proofs::find(values).ok_or(Refusal::Unproven)?;
    if stated_length(&head.headers) > MAX_BODY as u64 {
        return Err(Refusal::TooLong);
    }
    let mut check = secret(shared, hook).await?;
    let token = check.token_holds(&proofs);
    if token != Some(true) && !shared.gate.admits(Instant::now()) {
        return Err(Refusal::TooMany);
    }
    if token == Some(false) {
        debug!("the webhook was called with a wrong token");
        return Err(Refusal::Unproven);
    }
    match tokio::time::timeout(MAX_BODY_TIME, take_in(body, &mut check)).await {
        Ok(whole) => whole?,
        Err(_) => return Err(Refusal::TooSlow),
    }
    if !check.holds(&proofs) {
        debug!("the webhook was called with a wrong signature");
        return Err(Refusal::Unproven);
    }
    shared.genuine.notify_one();
    Ok(())
}

fn stated_length(headers: &HeaderMap) -> u64 {
    let stated = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    stated.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The secret as it is now. That it cannot be read is logged once, not with
/// every call.
async fn secret(shared: &Shared, hook: &Hook) -> Result<Check, Refusal> {
    match hook.secret.read().await {
        Ok(secret) => {
            shared.told_secret.store(false, Ordering::Relaxed);
            Ok(Check::new(secret.expose_secret().as_bytes()))
        }
        Err(why) => {
            if !shared.told_secret.swap(true, Ordering::Relaxed) {
                warn!(why = clean(&why), "the webhook cannot be answered");
            }
            Err(Refusal::NoSecret)
        }
    }
}

async fn take_in(body: Body, check: &mut Check) -> Result<(), Refusal> {
    let mut parts = body.into_data_stream();
    let mut length = 0;
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Refusal::Broken)?;
        length += part.len();
        if length > MAX_BODY {
            return Err(Refusal::TooLong);
        }
        check.update(&part);
    }
    Ok(())
}
