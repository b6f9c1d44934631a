//! Answers before they become HTTP, so that a fault can still edit them.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

/// What goes in the body.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Empty,
    Json(Value),
    Bytes(Bytes, String),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) payload: Payload,
}

impl Answer {
    /// 200 with a JSON body.
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), payload: Payload::Json(body) }
    }

    /// 204.
    pub(crate) fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), payload: Payload::Empty }
    }

    /// A status with the error body of the API (`marketplace-api.md` §1.3).
    pub(crate) fn error(code: u16, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({
            "statusCode": status.as_u16(),
            "error": status.canonical_reason().unwrap_or("Error"),
            "message": message.into(),
        });
        Self { status, headers: Vec::new(), payload: Payload::Json(body) }
    }

    /// The same with one more header; a value that is none is left out.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// The bytes of the body and their type.
    pub(crate) fn body(&self) -> (Bytes, Option<String>) {
        match &self.payload {
            Payload::Empty => (Bytes::new(), None),
            Payload::Json(value) => {
                (value.to_string().into(), Some("application/json; charset=utf-8".to_owned()))
            }
            Payload::Bytes(bytes, content_type) => (bytes.clone(), Some(content_type.clone())),
        }
    }

    /// The answer on the wire, with another body if one is given.
    pub(crate) fn into_response(self, body: Option<Body>) -> Response<Body> {
        let (bytes, content_type) = self.body();
        let mut response = Response::new(body.unwrap_or_else(|| Body::from(bytes)));
        *response.status_mut() = self.status;
        if let Some(value) = content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(CONTENT_TYPE, value);
        }
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
