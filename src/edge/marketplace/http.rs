//! One request, one answer: bounded, timed, counted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, AsHeaderName, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::connection::{Connection, SetupError};
use super::error::{CallError, Reach};
use super::upload::Upload;
use super::words;
use crate::edge::address::is_loopback;
use crate::edge::backoff;
use crate::edge::secrets::Secrets;

/// The longest document that is read. The whole public catalogue is 2.14 MB.
pub(super) const MAX_DOCUMENT: usize = 16 * 1024 * 1024;

/// The longest error that is read; only a sentence of it is shown.
const MAX_ERROR: usize = 64 * 1024;

/// The largest file of certificates. The roots of a system are 220 KiB.
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;

/// One request and what became of it, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The verb.
    pub method: &'static str,
    /// The path with its variable parts left open.
    pub route: &'static str,
    /// The status; none if no answer came.
    pub code: Option<u16>,
    /// How long it took.
    pub took: Duration,
}

/// How many requests wait for their answer. Copies show the same number.
#[derive(Debug, Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// The number.
    pub fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// One more, for as long as what this returns lives.
    fn begin(&self) -> Flight<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Flight(self)
    }
}

/// A request under way; also one that is dropped before its answer has ended.
struct Flight<'a>(&'a InFlight);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Somebody who counts calls.
pub(super) type CallLog = Box<dyn Fn(&Call) + Send + Sync>;

/// A request before it has its token.
pub(super) struct Outgoing<'a> {
    pub(super) method: Method,
    pub(super) route: &'static str,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    pub(super) payload: Payload<'a>,
    /// The longest good answer that is read, in bytes.
    pub(super) limit: usize,
}

/// What a request carries. It can be made twice, for the call after a token
/// was renewed.
pub(super) enum Payload<'a> {
    Empty,
    Json(bytes::Bytes),
    Form(&'a [(&'static str, SecretString)]),
    Image(&'a Upload, &'a str),
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// How much there is of what is listed, if the answer says so.
    pub(super) totals: Totals,
    pub(super) body: Vec<u8>,
    /// The body was longer than its limit, and the rest was not read.
    pub(super) cut: bool,
    pub(super) took: Duration,
    /// What must not be told, should the answer repeat it.
    pub(super) secrets: Secrets,
}

/// How much there is in all of what one page shows (`marketplace-api.md` §4.2).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) items: Option<u64>,
    pub(super) pages: Option<u64>,
}

/// The head of an answer.
struct Head {
    status: u16,
    retry_after: Option<Duration>,
    location: Option<String>,
    totals: Totals,
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the server says: not now. 408 and 425 as much as 429 and every
    /// 5xx (RFC 9110 §15.6, RFC 8470 §5.2, RFC 6585 §4).
    pub(super) fn is_trouble(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500..=599)
    }

    /// What the error body says.
    pub(super) fn words(&self) -> String {
        words::of_body(&self.body, &self.secrets)
    }

    /// Why something is refused: the marketplace's words; with the status if
    /// they are not the marketplace's, for then the status is all there is.
    pub(super) fn refusal(&self) -> String {
        if words::is_json_object(&self.body) {
            self.words()
        } else {
            format!("{}: {}", self.status, self.words())
        }
    }
}

/// The connection to one server.
pub(super) struct Http {
    client: reqwest::Client,
    endpoint: Url,
    request_timeout: Duration,
    paused_until: Mutex<Option<Instant>>,
    secrets: Mutex<Secrets>,
    pub(super) log: Option<CallLog>,
    pub(super) in_flight: InFlight,
}

impl Http {
    pub(super) fn new(connection: &Connection) -> Result<Self, SetupError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(connection.patience.connect)
            .timeout(connection.patience.request)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("marketsync/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&connection.endpoint) {
            builder = builder.no_proxy();
        }
        if let Some(path) = &connection.ca_file {
            let bad = || SetupError::BadCa { path: path.clone() };
            let cannot = |source| SetupError::ReadCa { path: path.clone(), source };
            if std::fs::metadata(path).map_err(cannot)?.len() > MAX_CA_BYTES {
                return Err(bad());
            }
            let pem = std::fs::read(path).map_err(cannot)?;
            let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| bad())?;
            if authorities.is_empty() {
                return Err(bad());
            }
            builder = builder.tls_certs_only(authorities);
        }
        Ok(Self {
            client: builder.build().map_err(SetupError::Client)?,
            endpoint: connection.endpoint.clone(),
            request_timeout: connection.patience.request,
            paused_until: Mutex::new(None),
            secrets: Mutex::new(Secrets::of_proxies()),
            log: None,
            in_flight: InFlight::default(),
        })
    }

    /// The address of these path segments below the endpoint. They are
    /// percent-encoded, and `+` stays as it is (`marketplace-api.md` §1.1).
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The endpoint.
    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The host, with its port if that is not the usual one.
    pub(super) fn host(&self) -> String {
        host_of(&self.endpoint)
    }

    /// How long the server still wants to be left alone.
    pub(super) fn pause(&self) -> Option<Duration> {
        let until = (*self.paused_until.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(until.saturating_duration_since(Instant::now())).filter(|rest| !rest.is_zero())
    }

    fn pause_for(&self, time: Duration) {
        let mut until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = Instant::now() + time;
        *until = Some(until.map_or(asked, |known| known.max(asked)));
    }

    /// What was sent to this server and nobody may read.
    pub(super) fn secrets(&self) -> Secrets {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_secrets(&self, authorization: Option<&SecretString>, payload: &Payload<'_>) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = authorization {
            secrets.note_header(value.expose_secret());
        }
        if let Payload::Form(fields) = payload {
            let proofs = fields.iter().filter(|(name, _)| *name == "client_assertion");
            proofs.for_each(|(_, proof)| secrets.note(proof.expose_secret()));
        }
    }

    /// Makes the request once. A redirection is an error: nobody follows it,
    /// because a token must not leave its server.
    ///
    /// `authorization` is the whole value of that header; whatever the server
    /// repeats of it is masked in every text that reaches people.
    pub(super) async fn attempt(
        &self,
        out: &Outgoing<'_>,
        authorization: Option<&SecretString>,
    ) -> Result<Reply, CallError> {
        self.note_secrets(authorization, &out.payload);
        let begun = Instant::now();
        let flight = self.in_flight.begin();
        let result = self.converse(out, authorization).await;
        drop(flight);
        let took = begun.elapsed();
        if let Some(log) = &self.log {
            let code = result.as_ref().ok().map(|(head, ..)| head.status);
            let method = match out.method {
                Method::GET => "GET",
                Method::POST => "POST",
                Method::DELETE => "DELETE",
                _ => "other",
            };
            log(&Call { method, route: out.route, code, took });
        }
        let (Head { status, retry_after, location, totals }, body, cut) = result?;
        if (300..400).contains(&status) {
            return Err(CallError::Refused {
                status,
                why: self.redirected(status, location.as_deref()),
            });
        }
        let secrets = self.secrets();
        let reply = Reply { status, retry_after, totals, body, cut, took, secrets };
        if let Some(time) = retry_after.filter(|_| reply.is_trouble()) {
            self.pause_for(time);
        }
        Ok(reply)
    }

    async fn converse(
        &self,
        out: &Outgoing<'_>,
        authorization: Option<&SecretString>,
    ) -> Result<(Head, Vec<u8>, bool), CallError> {
        let mut request =
            self.client.request(out.method.clone(), out.url.clone()).header(ACCEPT, out.accept);
        if let Some(value) = authorization {
            let mut value = HeaderValue::from_str(value.expose_secret()).map_err(|_| {
                CallError::Auth { why: "the token holds characters that no header can".to_owned() }
            })?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = match &out.payload {
            Payload::Empty => request,
            Payload::Json(body) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(body.clone()),
            Payload::Form(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
                request.form(&fields)
            }
            Payload::Image(upload, tenant) => request.multipart(upload.form(tenant)?),
        };
        let mut response = request.send().await.map_err(|err| self.network(&err))?;
        let status = response.status().as_u16();
        let retry_after =
            header(&response, RETRY_AFTER).and_then(|text| backoff::asked(&text, Timestamp::now()));
        let number = |name: &'static str| header(&response, name)?.trim().parse().ok();
        let head = Head {
            status,
            retry_after,
            location: header(&response, LOCATION),
            totals: Totals { items: number("x-total-items"), pages: number("x-total-pages") },
        };
        let limit = if response.status().is_success() { out.limit } else { MAX_ERROR };
        let (body, cut) = self.read(&mut response, limit).await?;
        Ok((head, body, cut))
    }

    async fn read(
        &self,
        response: &mut Response,
        limit: usize,
    ) -> Result<(Vec<u8>, bool), CallError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|err| self.network(&err))? {
            let room = limit - body.len();
            if chunk.len() > room {
                body.extend_from_slice(&chunk[..room]);
                return Ok((body, true));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((body, false))
    }

    fn network(&self, err: &reqwest::Error) -> CallError {
        if err.is_builder() {
            let why = "no request can be made of it: its id and version make no address, or one that is too long";
            return CallError::Unsendable { why: why.to_owned() };
        }
        let why = words::of_network(err, &self.host(), self.request_timeout.as_secs_f32());
        let reach = if err.is_connect() { Reach::NeverSent } else { Reach::AnswerLost };
        CallError::Unavailable { why, retry_after: None, reach }
    }

    fn redirected(&self, status: u16, location: Option<&str>) -> String {
        let target = location.and_then(|text| self.endpoint.join(text).ok());
        let target = target.map_or_else(
            || "somewhere else".to_owned(),
            |url| words::clean(&self.secrets().mask(&host_of(&url)), 100),
        );
        format!(
            "{} redirects to {target} ({status}), and redirections are not followed; set --endpoint to the address that answers itself",
            self.host()
        )
    }
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn header(response: &Response, name: impl AsHeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}
