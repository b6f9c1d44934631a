//! Git's smart protocol over HTTP (git's `Documentation/gitprotocol-http`).
//!
//! Every answer is read as it comes. A redirection is followed only where git
//! servers use them, from the list of refs to the same list at another path of
//! the same scheme, host and port: nothing else may see the credentials.

use std::error::Error;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Response};
use secrecy::ExposeSecret as _;
use url::Url;

use super::access::{Access, Keys};
use super::error::RemoteError;
use super::limits::Guard;
use crate::edge::address::is_loopback;
use crate::edge::backoff;
use crate::edge::secrets::Secrets;

/// How often the list of refs may be elsewhere. GitLab does it once, to add
/// `.git` to the path.
const MAX_REDIRECTS: usize = 3;

/// The longest excerpt of somebody's words, in characters.
const MAX_WORDS: usize = 200;

/// How long a connection is kept for the next request of the same fetch.
const IDLE_CONNECTION: Duration = Duration::from_secs(2);

const REFS: &str = "/info/refs";

/// The client and what it was made for. It is kept between fetches, with its
/// connections, for as long as that is the same.
pub(super) struct HttpClient {
    client: Client,
    ca: Option<Vec<u8>>,
}

/// A conversation over HTTP: requests, each with an answer.
pub(super) struct HttpLink {
    client: Client,
    /// The repository, as the server called it last.
    base: Url,
    authorization: Option<HeaderValue>,
    response: Response,
}

/// The client for these authorities: the one that is there, or a new one.
pub(super) fn client<'a>(
    kept: &'a mut Option<HttpClient>,
    url: &Url,
    keys: &Keys,
    guard: &Guard,
) -> Result<&'a Client, RemoteError> {
    if kept.as_ref().is_none_or(|kept| kept.ca != keys.ca) {
        let client = build(url, keys, guard)?;
        *kept = Some(HttpClient { client, ca: keys.ca.clone() });
    }
    match kept {
        Some(kept) => Ok(&kept.client),
        None => Err(RemoteError::refused("the HTTP client cannot be set up")),
    }
}

fn build(url: &Url, keys: &Keys, guard: &Guard) -> Result<Client, RemoteError> {
    let mut builder = Client::builder()
        .connect_timeout(guard.limits.connect)
        .redirect(reqwest::redirect::Policy::none())
        // Between two fetches a server may close, and not say so.
        .pool_idle_timeout(IDLE_CONNECTION)
        // Several servers choose their answer by the first word.
        .user_agent(concat!("git/marketsync-", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if let Some(pem) = &keys.ca {
        let bad = || RemoteError::refused("the file of --git-ca-file holds no certificate in PEM");
        let authorities = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| bad())?;
        if authorities.is_empty() {
            return Err(bad());
        }
        builder = builder.tls_certs_only(authorities);
    }
    builder.build().map_err(|error| {
        RemoteError::refused(format!("the HTTP client cannot be set up ({error})"))
    })
}

/// Why these credentials may not be sent to this address.
pub(super) fn check(url: &Url, access: &Access) -> Result<(), RemoteError> {
    if access.username.as_ref().is_some_and(|name| name.contains(':')) {
        // RFC 7617 §2: the colon ends the name.
        return Err(RemoteError::refused(
            "--git-username holds a colon; has it the password in it?",
        ));
    }
    if !url.username().is_empty() && access.password.is_none() {
        return Err(RemoteError::refused(
            "the address names a user, but there is no password for it; if the name is a token, put that into a file and name it with --git-password-file; if nobody need log in, leave out what is before the @",
        ));
    }
    if url.scheme() == "http" && access.password.is_some() && !is_loopback(url) {
        return Err(RemoteError::refused(
            "the password would be readable on the network; write https:// in place of http://",
        ));
    }
    Ok(())
}

impl HttpLink {
    /// Asks for the list of refs.
    pub(super) async fn open(
        client: Client,
        url: &Url,
        keys: &Keys,
        guard: &Guard,
    ) -> Result<Self, RemoteError> {
        let authorization = authorization(url, keys)?;
        let mut base = url.clone();
        // Credentials travel in their header, and errors show addresses.
        let _ = base.set_username("");
        for _ in 0..=MAX_REDIRECTS {
            let mut refs = base.clone();
            refs.set_path(&format!("{}{REFS}", base.path()));
            refs.set_query(Some("service=git-upload-pack"));
            let request = client
                .get(refs.clone())
                .header("Git-Protocol", "version=2")
                .header(CACHE_CONTROL, "no-cache");
            let response = send(request, authorization.as_ref(), guard).await?;
            if response.status().is_redirection() {
                base = moved(&refs, &response, guard)?;
                continue;
            }
            check_answer(&response, guard, authorization.is_some(), "advertisement")?;
            return Ok(Self { client, base, authorization, response });
        }
        Err(RemoteError::refused(format!(
            "{} redirects again and again; check the address, and the proxy if one is in the way",
            guard.host
        )))
    }

    /// Sends a request, whose answer is then what is read.
    pub(super) async fn send(&mut self, body: Vec<u8>, guard: &Guard) -> Result<(), RemoteError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/git-upload-pack", self.base.path()));
        let request = self
            .client
            .post(url)
            .header("Git-Protocol", "version=2")
            .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
            .header(ACCEPT, "application/x-git-upload-pack-result")
            .body(body);
        let response = send(request, self.authorization.as_ref(), guard).await?;
        check_answer(&response, guard, self.authorization.is_some(), "result")?;
        self.response = response;
        Ok(())
    }

    /// The next bytes of the answer; none at its end.
    pub(super) async fn chunk(&mut self, guard: &Guard) -> Result<Option<Bytes>, RemoteError> {
        let chunk = guard.answer("its answer", self.response.chunk()).await?;
        chunk.map_err(|error| network(&error, guard))
    }
}

/// What the server gets to see of the keys.
pub(super) fn secrets(url: &Url, keys: &Keys) -> Result<Secrets, RemoteError> {
    let mut secrets = Secrets::of_proxies();
    if let Some(password) = &keys.password {
        secrets.note(password.expose_secret());
    }
    let header = authorization(url, keys)?;
    if let Some(value) = header.as_ref().and_then(|value| value.to_str().ok()) {
        secrets.note_header(value);
    }
    Ok(secrets)
}

/// Sent with the first request: a server that wants none does not look, and
/// the question whether it does would double every poll.
fn authorization(url: &Url, keys: &Keys) -> Result<Option<HeaderValue>, RemoteError> {
    let Some(password) = &keys.password else {
        return Ok(None);
    };
    let user = keys.username.as_deref().or(Some(url.username())).filter(|user| !user.is_empty());
    // Forges take any name beside a token.
    let pair = format!("{}:{}", user.unwrap_or("git"), password.expose_secret());
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| RemoteError::refused("the git password makes no header"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

async fn send(
    mut request: reqwest::RequestBuilder,
    authorization: Option<&HeaderValue>,
    guard: &Guard,
) -> Result<Response, RemoteError> {
    if let Some(value) = authorization {
        request = request.header(AUTHORIZATION, value.clone());
    }
    let response = guard.answer("the request", request.send()).await?;
    response.map_err(|error| network(&error, guard))
}

/// Where the repository is said to be, if that is the same server.
fn moved(asked: &Url, response: &Response, guard: &Guard) -> Result<Url, RemoteError> {
    let host = &guard.host;
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| asked.join(location).ok());
    let Some(mut target) = target else {
        return Err(RemoteError::refused(format!(
            "{host} redirects, but says not where; check the address"
        )));
    };
    let is_same = target.origin() == asked.origin() && target.query() == asked.query();
    let path = target.path().strip_suffix(REFS).map(str::to_owned);
    if let Some(path) = path.filter(|_| is_same) {
        target.set_path(&path);
        target.set_query(None);
        // The client would send these, and to this server go only our own.
        if target.set_username("").and_then(|()| target.set_password(None)).is_ok() {
            return Ok(target);
        }
    }
    let port = target.port().map(|port| format!(":{port}")).unwrap_or_default();
    let shown = format!(
        "{}://{}{port}{}",
        target.scheme(),
        target.host_str().unwrap_or_default(),
        target.path().trim_end_matches(REFS)
    );
    Err(RemoteError::refused(format!(
        "{host} redirects to {}, which is not followed, so that no credential leaves its server; if that is the repository, name it",
        guard.words(&shown, MAX_WORDS)
    )))
}

fn check_answer(
    response: &Response,
    guard: &Guard,
    has_password: bool,
    kind: &str,
) -> Result<(), RemoteError> {
    let host = &guard.host;
    let status = response.status().as_u16();
    let why = match status {
        200 => {
            let expected = format!("application/x-git-upload-pack-{kind}");
            let found = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            if found
                .and_then(|found| found.split(';').next())
                .is_some_and(|found| found.trim() == expected)
            {
                return Ok(());
            }
            let found = guard.words(found.unwrap_or("nothing"), 60);
            format!(
                "{host} does not speak git's smart protocol there (it answers with {found}); is it the address that git clone takes?"
            )
        }
        401 if has_password => format!(
            "{host} does not accept the user name and password (401); put a valid one into the file of --git-password-file, no restart is needed"
        ),
        401 => format!(
            "{host} asks for a password (401); name a file that holds one with --git-password-file"
        ),
        403 => {
            format!("{host} does not allow this (403); may this user or token read the repository?")
        }
        404 | 410 => format!(
            "{host} has no such repository ({status}), or does not show it to this user; check the address and the rights of the token"
        ),
        408 | 425 | 429 | 500..=599 => {
            return Err(RemoteError::Unavailable {
                why: format!("{host} answers {status}: not now"),
                retry_after: retry_after(response),
            });
        }
        300..=399 => format!(
            "{host} redirects a request of git ({status}), which is not followed; check the address, and the proxy if one is in the way"
        ),
        _ => format!(
            "{host} refuses the request ({status}); check that this is the address that git clone takes"
        ),
    };
    Err(RemoteError::refused(why))
}

/// How long the server asks to be left alone.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    backoff::asked(text, Timestamp::now())
}

/// What a network error means, without the address that was asked.
fn network(error: &reqwest::Error, guard: &Guard) -> RemoteError {
    let host = &guard.host;
    let mut causes: Vec<&(dyn Error + 'static)> = Vec::new();
    let mut next = error.source();
    // An error that is its own cause must not hang the program.
    while let Some(cause) = next.filter(|_| causes.len() < 16) {
        causes.push(cause);
        next = cause.source();
    }
    let said = causes.last().map_or_else(String::new, ToString::to_string);
    let said = guard.words(&said, MAX_WORDS);
    let kind =
        causes.iter().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    if causes.iter().any(|cause| cause.to_string().contains("certificate")) {
        return RemoteError::refused(format!(
            "TLS: the certificate of {host} is not trusted ({said}); if it comes from an authority of your own, name that with --git-ca-file"
        ));
    }
    RemoteError::unavailable(if error.is_dns() {
        format!("the name {host} cannot be resolved ({said})")
    } else if kind == Some(io::ErrorKind::ConnectionRefused) {
        format!("{host} refuses the connection; does the server run there?")
    } else if error.is_timeout() {
        format!("{host} does not take a connection in time; check firewalls and proxies")
    } else if error.is_connect() {
        format!("no connection to {host} ({said}); check the proxy if one is set")
    } else {
        format!("the connection to {host} broke ({said})")
    })
}
