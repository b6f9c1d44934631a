//! Servers that repeat what they were sent, in every place of an answer that
//! somebody could tell of.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::scripted::{Answer, Scripted, Seen, json_answer, text_answer};

/// How the answer repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Message,
    Description,
    Text,
    Html,
    Headers,
    Redirect,
    RedirectHost,
    Percent,
    Escapes,
    Entities,
    Row,
}

pub(crate) const SHAPES: [Shape; 11] = [
    Shape::Message,
    Shape::Description,
    Shape::Text,
    Shape::Html,
    Shape::Headers,
    Shape::Redirect,
    Shape::RedirectHost,
    Shape::Percent,
    Shape::Escapes,
    Shape::Entities,
    Shape::Row,
];

pub(crate) const STATUSES: [u16; 9] = [400, 401, 403, 404, 409, 422, 429, 500, 503];

/// Which calls are answered so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Token,
    Version,
    Look,
    Write,
    Delete,
    Nowhere,
}

pub(crate) const PLACES: [At; 5] = [At::Token, At::Version, At::Look, At::Write, At::Delete];

/// How a server answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) at: At,
    pub(crate) status: u16,
    pub(crate) shape: Shape,
}

impl Mode {
    pub(crate) const HARMLESS: Self = Self { at: At::Nowhere, status: 200, shape: Shape::Message };
}

/// A marketplace that repeats, and hands out the tokens that it is told to.
pub(crate) struct Echo {
    pub(crate) server: Scripted,
    mode: Arc<Mutex<Mode>>,
}

/// What it hands out.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Echo {
    pub(crate) async fn start(issued: Issued) -> Self {
        let server = Scripted::start().await;
        let mode = Arc::new(Mutex::new(Mode::HARMLESS));
        let now = Arc::clone(&mode);
        server.rule(move |seen| {
            let mode = *now.lock().unwrap();
            if mode.at == place(seen) {
                return Some(answer(mode, seen, &issued));
            }
            seen.path.ends_with("/oauth/token").then(|| {
                json_answer(
                    200,
                    &json!({
                        "access_token": issued.access, "refresh_token": issued.refresh,
                        "token_type": "Bearer", "expires_in": 3600,
                    }),
                )
            })
        });
        Self { server, mode }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// All that it was sent, as text.
    pub(crate) fn heard(&self) -> Vec<u8> {
        let seen = self.server.seen("");
        seen.iter().flat_map(|seen| repeated(seen, None).into_bytes()).collect()
    }
}

fn place(seen: &Seen) -> At {
    let path = seen.path.as_str();
    match seen.method.as_str() {
        _ if path.ends_with("/oauth/token") => At::Token,
        _ if path.ends_with("/api/version") => At::Version,
        "GET" => At::Look,
        "DELETE" => At::Delete,
        _ => At::Write,
    }
}

/// Everything of the request, the pair of `Basic` also plain.
pub(crate) fn repeated(seen: &Seen, issued: Option<&Issued>) -> String {
    let mut text = format!("{} {}?{} ", seen.method, seen.path, seen.query);
    text.push_str(&credentials(&seen.headers));
    text.push_str(&String::from_utf8_lossy(&seen.body));
    if let Some(issued) = issued {
        // What a server of tokens knows beside what it was sent.
        write!(text, " refresh_token={} access_token={}", issued.refresh, issued.access).unwrap();
    }
    text
}

/// The headers that prove something.
pub(crate) fn credentials(headers: &HeaderMap) -> String {
    let mut text = String::new();
    for name in ["authorization", "proxy-authorization"] {
        let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) else { continue };
        write!(text, "{name}: {value} which is {} ", plain(value)).unwrap();
    }
    text
}

/// The pair of `Basic`, and the secret in it.
pub(crate) fn plain(value: &str) -> String {
    let pair = value.strip_prefix("Basic ").and_then(|proof| STANDARD.decode(proof).ok());
    let pair = pair.and_then(|pair| String::from_utf8(pair).ok()).unwrap_or_default();
    let secret = pair.split_once(':').map_or("", |(_, secret)| secret);
    format!("{pair} client_secret {secret}")
}

fn answer(mode: Mode, seen: &Seen, issued: &Issued) -> Answer {
    // Of what the program never had, it can only see what looks like a token.
    let is_plain = matches!(
        mode.shape,
        Shape::Message | Shape::Description | Shape::Text | Shape::Html | Shape::Headers
    );
    let known = (mode.at == At::Token && is_plain).then_some(issued);
    let text = repeated(seen, known);
    let each = |write: &dyn Fn(u8) -> String| text.bytes().map(write).collect::<String>();
    let status = mode.status;
    match mode.shape {
        Shape::Message => json_answer(status, &json!({ "message": text, "client_secret": text })),
        Shape::Description => {
            json_answer(status, &json!({ "error": "x", "error_description": text }))
        }
        Shape::Text => text_answer(status, &text),
        Shape::Html => text_answer(status, &format!("<html><body><pre>{text}</pre>")),
        Shape::Headers => text_answer(status, "no")
            .with("www-authenticate", &format!("Bearer error=\"{}\"", header(&text)))
            .with("set-cookie", &format!("session={}", header(&text)))
            .with("retry-after", &header(&text)),
        Shape::Redirect => {
            let at = format!("https://u:{0}@elsewhere.example/{0}?{0}#{0}", word(&text));
            text_answer(302, &text).with("location", &at)
        }
        Shape::RedirectHost => {
            let at = format!("https://{}.elsewhere.example/", word(&text));
            text_answer(307, &text).with("location", &at)
        }
        Shape::Percent => {
            json_answer(status, &json!({ "message": each(&|byte| format!("%{byte:02X}")) }))
        }
        Shape::Escapes => text_answer(status, &each(&|byte| format!("\\u{byte:04x}"))),
        Shape::Entities => {
            json_answer(status, &json!({ "message": each(&|byte| format!("&#{byte};")) }))
        }
        Shape::Row => json_answer(200, &row(seen, &text)),
    }
}

/// An apply that refuses every item with these words.
fn row(seen: &Seen, text: &str) -> serde_json::Value {
    let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let items = body["resources"].as_array().cloned().unwrap_or_default();
    let rows = items.iter().map(|item| {
        json!({
            "itemId": item["itemId"], "version": "NA", "done": false, "_id": word(text),
            "errors": [{ "message": text, "ajvError": { "instancePath": format!("/{text}") } }],
        })
    });
    json!({ "done": false, "message": text, "items": rows.collect::<Vec<_>>() })
}

fn header(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).collect()
}

/// The last secret in it, as one word.
fn word(text: &str) -> String {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.rfind(|word| word.len() >= 24).unwrap_or("nothing").chars().take(60).collect()
}
