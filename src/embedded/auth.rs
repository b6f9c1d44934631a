//! Tokens: `client_secret_basic` and `private_key_jwt` in, a signed token with
//! an expiry out (`marketplace-api.md` §6).
//!
//! A token is its claims and a keyed blake3 hash of them, so nothing has to be
//! remembered: with a journal, tokens outlive a restart.

use std::collections::{BTreeMap, VecDeque};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::form_urlencoded;
use uuid::Uuid;

use crate::embedded::answer::Answer;
use crate::embedded::journal::Secret;
use crate::embedded::settings::Client;

/// The audience of an assertion (§6.2).
const AUDIENCE: &str = "console-client-credentials";

/// `client_assertion_type` of an assertion (§6.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far the clocks may differ, in seconds. The real value is unknown
/// (§13.16); 60 is the custom of JWT libraries.
const CLOCK_SKEW: i64 = 60;

/// How many assertions are remembered so that none is used twice. Their
/// lifetime would be the right bound, but a client must not fill the memory.
const MAX_ASSERTIONS: usize = 10_000;

/// What a request says about who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Anonymous,
    SignedIn,
    /// A token that is not ours, or is over.
    Refused,
}

#[derive(Serialize, Deserialize)]
struct TokenClaims {
    client: String,
    expires: i64,
    nonce: String,
}

#[derive(Deserialize)]
struct AssertionClaims {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    jti: String,
}

/// Issues and checks tokens.
pub(crate) struct Authority {
    pub(crate) secret: Secret,
    pub(crate) clients: Vec<Client>,
    pub(crate) lifetime: u32,
}

impl Authority {
    /// Who sends a request with these headers, `now` in Unix seconds.
    pub(crate) fn caller(&self, headers: &HeaderMap, now: i64) -> Caller {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return Caller::Anonymous;
        };
        let text = value.to_str().unwrap_or_default();
        let valid = match text.split_once(' ') {
            Some((scheme, token)) => {
                scheme.eq_ignore_ascii_case("bearer") && self.accepts(token.trim(), now)
            }
            None => false,
        };
        if valid { Caller::SignedIn } else { Caller::Refused }
    }

    fn accepts(&self, token: &str, now: i64) -> bool {
        let Some((claims, mac)) = token.split_once('.') else {
            return false;
        };
        // `blake3::Hash` compares in constant time.
        let genuine = blake3::Hash::from_hex(mac).is_ok_and(|mac| mac == self.sign(claims));
        let claims = URL_SAFE_NO_PAD.decode(claims).ok().filter(|_| genuine);
        let claims = claims.and_then(|bytes| serde_json::from_slice::<TokenClaims>(&bytes).ok());
        claims.is_some_and(|claims| claims.expires > now)
    }

    fn sign(&self, claims: &str) -> blake3::Hash {
        blake3::keyed_hash(&self.secret, claims.as_bytes())
    }

    fn issue(&self, client: &str, now: i64) -> Result<String, Answer> {
        let expires = now.saturating_add(i64::from(self.lifetime));
        let claims =
            TokenClaims { client: client.to_owned(), expires, nonce: Uuid::new_v4().to_string() };
        let claims =
            serde_json::to_vec(&claims).map_err(|error| Answer::error(500, error.to_string()))?;
        let claims = URL_SAFE_NO_PAD.encode(claims);
        let mac = self.sign(&claims);
        Ok(format!("{claims}.{}", mac.to_hex()))
    }

    /// The answer to a token request.
    pub(crate) fn token(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        used: &mut VecDeque<String>,
        now: i64,
    ) -> Answer {
        match self.client_of(headers, body, used, now).and_then(|client| self.issue(&client, now)) {
            Ok(token) => Answer::ok(json!({
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": self.lifetime,
            }))
            .header("cache-control", "no-store"),
            Err(answer) => answer,
        }
    }

    fn client_of(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        used: &mut VecDeque<String>,
        now: i64,
    ) -> Result<String, Answer> {
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !content_type.starts_with("application/x-www-form-urlencoded") {
            return Err(Answer::error(
                415,
                "the token request must be application/x-www-form-urlencoded",
            ));
        }
        let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        if field("grant_type") != "client_credentials" {
            return Err(Answer::error(400, "grant_type must be client_credentials"));
        }
        if let Some(value) = headers.get(AUTHORIZATION) {
            return self.basic(value.to_str().unwrap_or_default());
        }
        if field("client_assertion_type") != ASSERTION_TYPE {
            return Err(Answer::error(
                400,
                format!("client_assertion_type must be {ASSERTION_TYPE}"),
            ));
        }
        if field("token_endpoint_auth_method") != "private_key_jwt" {
            return Err(Answer::error(400, "token_endpoint_auth_method must be private_key_jwt"));
        }
        self.assertion(field("client_assertion"), field("client_id"), used, now)
    }

    /// §6.1: base64 of id and secret, each form-url-encoded, split at the
    /// first colon.
    fn basic(&self, header: &str) -> Result<String, Answer> {
        let refused = || Answer::error(401, "Unauthorized");
        let encoded =
            header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let pair =
            encoded.and_then(|(_, text)| STANDARD.decode(text.trim()).ok()).ok_or_else(refused)?;
        let pair = String::from_utf8(pair).map_err(|_| refused())?;
        let (id, secret) = pair.split_once(':').ok_or_else(refused)?;
        let (id, secret) = (form_decode(id), SecretString::from(form_decode(secret)));
        let known = self
            .clients
            .iter()
            .find(|client| client.id == id)
            .and_then(|client| client.secret.as_ref());
        // Hashes are compared, so the time says nothing about the secret.
        let hash = |secret: &SecretString| blake3::hash(secret.expose_secret().as_bytes());
        let right = known.is_some_and(|known| hash(known) == hash(&secret));
        if right || (self.clients.is_empty() && !id.is_empty()) { Ok(id) } else { Err(refused()) }
    }

    /// §6.2: RS256, `iss` = `sub` = the client id, the audience a string, not
    /// over, never seen before.
    fn assertion(
        &self,
        assertion: &str,
        client_id: &str,
        used: &mut VecDeque<String>,
        now: i64,
    ) -> Result<String, Answer> {
        let refused = |why: &str| Answer::error(401, format!("client assertion refused: {why}"));
        let TokenData { header, claims } =
            jsonwebtoken::dangerous::insecure_decode::<AssertionClaims>(assertion)
                .map_err(|error| refused(&error.to_string()))?;
        if header.alg != Algorithm::RS256 {
            return Err(refused("alg is not RS256"));
        }
        if claims.iss != client_id || claims.sub != client_id {
            return Err(refused("iss and sub are not the client id"));
        }
        if claims.aud != AUDIENCE {
            return Err(refused("aud is not console-client-credentials"));
        }
        if claims.exp.saturating_add(CLOCK_SKEW) <= now
            || claims.iat.saturating_sub(CLOCK_SKEW) > now
        {
            return Err(refused("it is over, or not valid yet"));
        }
        if !self.clients.is_empty() {
            let client = self.clients.iter().find(|client| client.id == client_id);
            let key = client.and_then(|client| client.key.as_ref());
            let key = key.filter(|key| header.kid.as_deref() == Some(key.id.as_str()));
            let key = key.ok_or_else(|| refused("no such client and key"))?;
            verify(assertion, &key.public_key).map_err(|error| refused(&error.to_string()))?;
        }
        if claims.jti.is_empty() || used.contains(&claims.jti) {
            return Err(refused("its jti is missing or was used before"));
        }
        if used.len() >= MAX_ASSERTIONS {
            used.pop_front();
        }
        used.push_back(claims.jti);
        Ok(client_id.to_owned())
    }
}

/// Checks the signature only; the claims were checked against our own clock.
fn verify(assertion: &str, pem: &str) -> Result<(), jsonwebtoken::errors::Error> {
    let key = DecodingKey::from_rsa_pem(pem.as_bytes())?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<serde_json::Value>(assertion, &key, &validation).map(|_| ())
}

/// Decodes one form-url-encoded value; an unencoded one of ordinary letters
/// decodes to itself.
fn form_decode(text: &str) -> String {
    // `=` and `&` would read as the syntax of a form.
    let text = format!("v={}", text.replace('=', "%3D").replace('&', "%26"));
    form_urlencoded::parse(text.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
