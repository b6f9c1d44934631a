//! The marketplace of one company: its address, its generation, its routes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::domain::canon::Generation;
use crate::domain::item::ItemKey;

use super::auth::Tokens;
use super::connection::{Connection, SetupError};
use super::error::{CallError, Reach, left_alone};
use super::http::{Call, Http, InFlight, MAX_DOCUMENT, Outgoing, Payload, Reply};
use super::upload::Upload;
use crate::edge::secrets::Secrets;

/// The marketplace of one company. It makes no request until it is asked
/// something, and may be shared between tasks.
pub struct Marketplace {
    pub(super) http: Http,
    tokens: Tokens,
    pub(super) company: String,
    generation: OnceCell<Generation>,
    /// A Console of the new generation that has only the older upload path.
    old_files: AtomicBool,
}

/// The first major version of the new API (`marketplace-api.md` §2.2).
const FIRST_NEW_MAJOR: u64 = 14;

/// The longest answer of `/api/version` that is read.
const MAX_VERSION_ANSWER: usize = 64 * 1024;

impl Marketplace {
    /// A client of this connection. Nothing is asked yet.
    pub fn new(connection: Connection) -> Result<Self, SetupError> {
        connection.check()?;
        Ok(Self {
            http: Http::new(&connection)?,
            tokens: Tokens::new(connection.credential),
            company: connection.company,
            generation: OnceCell::new(),
            old_files: AtomicBool::new(false),
        })
    }

    /// Calls `log` after each request, from whatever task made it.
    #[must_use]
    pub fn with_log(mut self, log: impl Fn(&Call) + Send + Sync + 'static) -> Self {
        self.http.log = Some(Box::new(log));
        self
    }

    /// How many of its requests wait for their answer, now and later.
    pub fn in_flight(&self) -> InFlight {
        self.http.in_flight.clone()
    }

    /// How long the server asked to be left alone, as far as that lies ahead:
    /// until then no request starts.
    pub fn retry_after(&self) -> Option<Duration> {
        self.http.pause()
    }

    /// Which API the server speaks: Console 14.0 and later the new one. It is
    /// asked once (`marketplace-api.md` §2.1); a 404 stands for 13.6.
    pub async fn generation(&self) -> Result<Generation, CallError> {
        self.generation.get_or_try_init(|| self.ask_generation()).await.copied()
    }

    /// Asks again at the next call which API the server speaks: it may have been
    /// upgraded.
    pub fn forget_generation(&mut self) {
        self.generation = OnceCell::new();
    }

    async fn ask_generation(&self) -> Result<Generation, CallError> {
        if let Some(rest) = self.http.pause() {
            return Err(CallError::Unavailable {
                why: left_alone(),
                retry_after: Some(rest),
                reach: Reach::NeverSent,
            });
        }
        let out = Outgoing {
            method: Method::GET,
            route: "/api/version",
            url: self.http.url(&["api", "version"]),
            accept: "application/json",
            payload: Payload::Empty,
            limit: MAX_VERSION_ANSWER,
        };
        let reply = self.exchange(&out).await?;
        if reply.status == 404 {
            return Ok(Generation::Legacy);
        }
        if !reply.is_success() {
            return Err(self.failure(&reply, "ask for the version of the Console"));
        }
        let Ok(Value::Object(answer)) = serde_json::from_slice(&reply.body) else {
            let why = format!(
                "{} answers /api/version with {}; check that --endpoint is the address of a Console",
                self.http.host(),
                reply.words()
            );
            return Err(CallError::Refused { status: reply.status, why });
        };
        // Text that is no number counts as 0, as with the vendor's client.
        let major = match answer.get("major") {
            Some(Value::String(text)) => text.parse().unwrap_or(0),
            Some(value) => value.as_u64().unwrap_or(0),
            None => 0,
        };
        Ok(if major >= FIRST_NEW_MAJOR { Generation::New } else { Generation::Legacy })
    }

    /// What was sent to the marketplace and nobody may read, wherever it turns
    /// up.
    pub fn secrets(&self) -> Secrets {
        self.http.secrets()
    }

    /// One call with a token; a token that is refused is renewed once.
    pub(super) async fn exchange(&self, out: &Outgoing<'_>) -> Result<Reply, CallError> {
        let bearer = self.tokens.bearer(&self.http, None).await?;
        let reply = self.http.attempt(out, bearer.as_ref().map(|bearer| &*bearer.header)).await?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let Some(bearer) = bearer else {
            return Err(self.tokens.refused(&reply.words()));
        };
        let Some(renewed) = self.tokens.bearer(&self.http, Some(&bearer)).await? else {
            return Err(self.tokens.refused(&reply.words()));
        };
        let reply = self.http.attempt(out, Some(&renewed.header)).await?;
        if reply.status == 401 { Err(self.tokens.refused(&reply.words())) } else { Ok(reply) }
    }

    /// The error of an answer that is not the one hoped for: it may go next
    /// time, or the server refuses whatever is asked this way.
    pub(super) fn failure(&self, reply: &Reply, doing: &str) -> CallError {
        let (status, said, company) = (reply.status, reply.words(), &self.company);
        let why = match status {
            408 | 425 | 429 => format!("the marketplace asks to wait ({status}: {said})"),
            500..=599 => format!("the marketplace is in trouble ({status}: {said})"),
            403 => format!(
                "company {company} does not let this service account {doing} (403: {said}); give it the role Company Owner or Project Administrator in that company"
            ),
            404 => format!(
                "{} knows no way to {doing} of company {company} (404: {said}); check --endpoint and --company-id",
                self.http.host()
            ),
            405 => format!(
                "{} does not let anybody {doing} (405: {said}); check that --endpoint is the address of a Console",
                self.http.host()
            ),
            _ => format!("{} answers {status} to the wish to {doing}: {said}", self.http.host()),
        };
        match status {
            // A time-out of a gateway says nothing of what stood behind it.
            500..=599 => CallError::Unavailable {
                why,
                retry_after: reply.retry_after,
                reach: Reach::AnswerLost,
            },
            408 | 425 | 429 => CallError::Unavailable {
                why,
                retry_after: reply.retry_after,
                reach: Reach::Declined,
            },
            _ => CallError::Refused { status, why },
        }
    }

    /// Reads one version.
    pub(super) async fn get(
        &self,
        key: &ItemKey,
        generation: Generation,
    ) -> Result<Reply, CallError> {
        let (accept, route) = match generation {
            Generation::New => (
                "application/json; as=manifest",
                "/api/tenants/{t}/marketplace/items/{itemId}/versions/{version}",
            ),
            Generation::Legacy => (
                "application/json",
                "/api/backend/marketplace/tenants/{t}/resources/{itemId}/versions/{version}",
            ),
        };
        let url = self.version_url(key, generation);
        let out = Outgoing {
            method: Method::GET,
            route,
            url,
            accept,
            payload: Payload::Empty,
            limit: MAX_DOCUMENT,
        };
        self.exchange(&out).await
    }

    /// Deletes one version.
    pub(super) async fn delete(
        &self,
        key: &ItemKey,
        generation: Generation,
    ) -> Result<Reply, CallError> {
        let route = match generation {
            Generation::New => "/api/tenants/{t}/marketplace/items/{itemId}/versions/{version}",
            Generation::Legacy => {
                "/api/backend/marketplace/tenants/{t}/resources/{itemId}/versions/{version}"
            }
        };
        let out = Outgoing {
            method: Method::DELETE,
            route,
            url: self.version_url(key, generation),
            accept: "application/json",
            payload: Payload::Empty,
            limit: MAX_DOCUMENT,
        };
        self.exchange(&out).await
    }

    /// Creates or updates items.
    pub(super) async fn apply(
        &self,
        body: bytes::Bytes,
        generation: Generation,
    ) -> Result<Reply, CallError> {
        let (route, last) = match generation {
            Generation::New => ("/api/tenants/{t}/marketplace/items", "items"),
            Generation::Legacy => ("/api/backend/marketplace/tenants/{t}/resources", "resources"),
        };
        let out = Outgoing {
            method: Method::POST,
            route,
            url: self.url(generation, &[last]),
            accept: "application/json",
            payload: Payload::Json(body),
            limit: MAX_DOCUMENT,
        };
        self.exchange(&out).await
    }

    /// Uploads a picture. A Console of the new generation without the new path
    /// gets it on the older one, which the vendor's client always uses
    /// (`marketplace-api.md` §5).
    pub(super) async fn upload(
        &self,
        upload: &Upload,
        generation: Generation,
    ) -> Result<Reply, CallError> {
        if generation == Generation::New && !self.old_files.load(Ordering::Relaxed) {
            let reply = self.upload_to(upload, Generation::New).await?;
            if reply.status != 404 {
                return Ok(reply);
            }
            let older = self.upload_to(upload, Generation::Legacy).await?;
            if older.is_success() {
                self.old_files.store(true, Ordering::Relaxed);
            }
            return Ok(older);
        }
        self.upload_to(upload, Generation::Legacy).await
    }

    async fn upload_to(&self, upload: &Upload, family: Generation) -> Result<Reply, CallError> {
        let route = match family {
            Generation::New => "/api/tenants/{t}/marketplace/files",
            Generation::Legacy => "/api/backend/marketplace/tenants/{t}/files",
        };
        let out = Outgoing {
            method: Method::POST,
            route,
            url: self.url(family, &["files"]),
            accept: "application/json",
            payload: Payload::Image(upload, &self.company),
            limit: MAX_VERSION_ANSWER,
        };
        self.exchange(&out).await
    }

    fn version_url(&self, key: &ItemKey, generation: Generation) -> url::Url {
        let version = key.version.to_string();
        let collection = match generation {
            Generation::New => "items",
            Generation::Legacy => "resources",
        };
        self.url(generation, &[collection, key.item_id.as_str(), "versions", &version])
    }

    pub(super) fn url(&self, generation: Generation, rest: &[&str]) -> url::Url {
        let mut segments: Vec<&str> = match generation {
            Generation::New => vec!["api", "tenants", &self.company, "marketplace"],
            Generation::Legacy => vec!["api", "backend", "marketplace", "tenants", &self.company],
        };
        segments.extend(rest);
        self.http.url(&segments)
    }
}
