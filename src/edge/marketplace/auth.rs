//! Tokens (`marketplace-api.md` §6): got when first needed, kept in memory,
//! renewed before they expire and once when the server refuses one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::connection::Credential;
use super::error::{CallError, Reach};
use super::http::{Http, Outgoing, Payload, Reply};
use super::words;

/// A token is renewed this long before it expires, as the vendor's client does
/// (`marketplace-api.md` §6.3).
const RENEWED_BEFORE: Duration = Duration::from_secs(10);

/// How long a token is used whose life is not told, or told as longer; after
/// that a new one is asked for. A refusal ends it at any time.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// How often a token file is read again.
const TOKEN_FILE_FRESH: Duration = Duration::from_mins(1);

/// The longest answer of the token endpoint that is read.
const MAX_TOKEN_ANSWER: usize = 256 * 1024;

/// A value of the `Authorization` header, and which one it is.
#[derive(Clone)]
pub(super) struct Bearer {
    pub(super) header: Arc<SecretString>,
    serial: u64,
}

/// The tokens of one credential.
pub(super) struct Tokens {
    credential: Credential,
    /// Locked while a token is asked for, so that of several calls one asks
    /// and the others take what it got.
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    bearer: Option<(Bearer, Instant)>,
    /// How often a token was asked for.
    asked: u64,
    /// What the last attempt brought, if it failed.
    failed: Option<CallError>,
}

impl Tokens {
    pub(super) fn new(credential: Credential) -> Self {
        Self { credential, cache: Mutex::new(Cache::default()) }
    }

    /// The token to use; none if the credential is none. `refused` is one that
    /// the server did not take.
    pub(super) async fn bearer(
        &self,
        http: &Http,
        refused: Option<&Bearer>,
    ) -> Result<Option<Bearer>, CallError> {
        if matches!(self.credential, Credential::None) {
            return Ok(None);
        }
        let asked_before = self.cache.try_lock().ok().map(|cache| cache.asked);
        let mut cache = self.cache.lock().await;
        if let Some((bearer, until)) = &cache.bearer
            && refused.is_none_or(|refused| refused.serial != bearer.serial)
            && Instant::now() < *until
        {
            return Ok(Some(bearer.clone()));
        }
        // Somebody asked while this call waited, in vain: asking again at once
        // would bring the same.
        if asked_before.is_none()
            && let Some(failed) = &cache.failed
        {
            return Err(failed.clone());
        }
        let old = cache.bearer.take();
        cache.asked += 1;
        let serial = cache.asked;
        let got = self.ask(http).await;
        cache.failed = got.as_ref().err().cloned();
        let (token, life) = got?;
        if let (Credential::Token { .. }, Some(refused)) = (&self.credential, refused)
            && refused.header.expose_secret() == token.expose_secret()
        {
            return Err(self.refused("the same token was refused before"));
        }
        drop(old);
        let bearer = Bearer { header: Arc::new(token), serial };
        cache.bearer = Some((bearer.clone(), Instant::now() + life));
        Ok(Some(bearer))
    }

    /// The error for a server that takes no token of this credential.
    pub(super) fn refused(&self, said: &str) -> CallError {
        let what = match &self.credential {
            Credential::Basic { client_id, .. } => {
                format!("the tokens of service account {client_id}; check that it is not deleted and belongs to this company")
            }
            Credential::PrivateKeyJwt { client_id, key_id, .. } => {
                format!("the tokens of service account {client_id} (key {key_id}); check that it is not deleted and belongs to this company")
            }
            Credential::Token { .. } => "the given token; put a new one in its place".to_owned(),
            Credential::None => {
                "calls without a token; give a credential (--client-id with --client-secret-file or --private-key-file)"
                    .to_owned()
            }
        };
        CallError::Auth { why: format!("the marketplace does not accept {what} (401: {said})") }
    }

    async fn ask(&self, http: &Http) -> Result<(SecretString, Duration), CallError> {
        let unusable = |why| CallError::Auth { why };
        match &self.credential {
            Credential::None => Err(self.refused("no credential")),
            Credential::Token { token } => {
                let token = token.read().await.map_err(unusable)?;
                Ok((bearer_of(token.expose_secret()), TOKEN_FILE_FRESH))
            }
            Credential::Basic { client_id, secret } => {
                let secret = secret.read().await.map_err(unusable)?;
                let header = basic(client_id, secret.expose_secret());
                let form = [("grant_type", SecretString::from("client_credentials"))];
                let reply = call(http, &form, Some(&header)).await?;
                token_of(http, &reply, client_id)
            }
            Credential::PrivateKeyJwt { client_id, key_id, key } => {
                let key = key.read().await.map_err(unusable)?;
                let assertion =
                    assertion(client_id, key_id, &key, Timestamp::now()).map_err(unusable)?;
                let form = [
                    ("grant_type", "client_credentials".into()),
                    (
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".into(),
                    ),
                    ("client_assertion", assertion),
                    ("client_id", client_id.as_str().into()),
                    ("token_endpoint_auth_method", "private_key_jwt".into()),
                ];
                let reply = call(http, &form, None).await?;
                token_of(http, &reply, client_id)
            }
        }
    }
}

async fn call(
    http: &Http,
    form: &[(&'static str, SecretString)],
    authorization: Option<&SecretString>,
) -> Result<Reply, CallError> {
    let out = Outgoing {
        method: Method::POST,
        route: "/api/m2m/oauth/token",
        url: http.url(&["api", "m2m", "oauth", "token"]),
        accept: "application/json",
        payload: Payload::Form(form),
        limit: MAX_TOKEN_ANSWER,
    };
    http.attempt(&out, authorization).await
}

fn bearer_of(token: &str) -> SecretString {
    SecretString::from(format!("Bearer {token}"))
}

/// Both parts are form-encoded before base64 (RFC 6749 §2.3.1; §6.1).
fn basic(client_id: &str, secret: &str) -> SecretString {
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(client_id), encode(secret));
    SecretString::from(format!("Basic {}", STANDARD.encode(pair)))
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'static str,
    iat: i64,
    exp: i64,
    jti: String,
}

/// The signed assertion of `private_key_jwt` (`marketplace-api.md` §6.2).
fn assertion(
    client_id: &str,
    key_id: &str,
    key: &SecretString,
    now: Timestamp,
) -> Result<SecretString, String> {
    let bad = || {
        "the private key is no RSA key in PEM with PKCS#8, nor the base64 of one (BEGIN PRIVATE KEY)".to_owned()
    };
    let text = key.expose_secret();
    let pem = if text.starts_with("-----BEGIN") {
        text.as_bytes().to_vec()
    } else {
        let packed: String = text.split_whitespace().collect();
        STANDARD.decode(packed).map_err(|_| bad())?
    };
    let key = EncodingKey::from_rsa_pem(&pem).map_err(|_| bad())?;
    let iat = now.as_second() - 10;
    let claims = Claims {
        iss: client_id,
        sub: client_id,
        aud: "console-client-credentials",
        iat,
        exp: iat + 3600,
        jti: uuid::Uuid::new_v4().to_string(),
    };
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(key_id.to_owned());
    jsonwebtoken::encode(&header, &claims, &key).map(SecretString::from).map_err(|_| bad())
}

fn token_of(
    http: &Http,
    reply: &Reply,
    client_id: &str,
) -> Result<(SecretString, Duration), CallError> {
    if !reply.is_success() {
        let said = reply.words();
        let status = reply.status;
        return Err(match status {
            408 | 425 | 429 | 500..=599 => CallError::Unavailable {
                why: format!("no token: {} answers {status}: {said}", http.host()),
                retry_after: reply.retry_after,
                reach: Reach::Declined,
            },
            404 | 405 => CallError::Auth {
                why: format!(
                    "no token: {} has no token endpoint ({status}: {said}); check that --endpoint is the address of a Console",
                    http.host()
                ),
            },
            _ => CallError::Auth {
                why: format!(
                    "no token: the server refuses service account {client_id} ({status}: {said}); check the client id and its secret or key"
                ),
            },
        });
    }
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let token =
        answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let Some(token) = token else {
        let what = if words::is_json_object(&reply.body) {
            "JSON without access_token"
        } else {
            "something else than JSON"
        };
        return Err(CallError::Auth {
            why: format!(
                "no token: the token endpoint of {} answers {what}; check --endpoint",
                http.host()
            ),
        });
    };
    Ok((bearer_of(token), life(answer.get("expires_in"))))
}

/// How long to use a token: until shortly before its end, and of a very short
/// life half.
fn life(expires_in: Option<&Value>) -> Duration {
    let seconds = match expires_in {
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_f64(),
        None => None,
    };
    let told = seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(LONGEST_LIFE);
    told.min(LONGEST_LIFE).saturating_sub(RENEWED_BEFORE).max(told.min(RENEWED_BEFORE * 2) / 2)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_LIFE, RENEWED_BEFORE, basic, life};
    use secrecy::ExposeSecret;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        assert_eq!(life(Some(&json!(3600))), Duration::from_secs(3590));
        assert_eq!(life(Some(&json!("3600"))), Duration::from_secs(3590));
        assert_eq!(life(Some(&json!(10))), Duration::from_secs(5));
        assert_eq!(life(Some(&json!(0))), Duration::ZERO);
        for odd in [json!(-1), json!(1e300), json!([]), json!(null)] {
            assert_eq!(life(Some(&odd)), LONGEST_LIFE.saturating_sub(RENEWED_BEFORE), "{odd}");
        }
    }

    #[test]
    fn id_and_secret_are_form_encoded() {
        // The pair that the vendor's client was seen to send.
        let header = basic("my id", "s:ecret/+");
        assert_eq!(header.expose_secret(), "Basic bXkraWQ6cyUzQWVjcmV0JTJGJTJC");
    }
}
