//! What proves that a call of the webhook comes from the forge, how often it
//! may be called, and what it wakes. The body is hashed and never looked at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::{constant_time, hmac};
use tokio::sync::Notify;

use crate::edge::secret::Secret;

/// A webhook.
#[derive(Debug, Clone)]
pub struct Hook {
    /// What the forge knows as well, read at each call.
    pub secret: Secret,
    /// Told of calls that are genuine; several of them may be told as one.
    pub called: Arc<Notify>,
}

/// The length of an HMAC-SHA256 in bytes.
const LENGTH: usize = 32;

/// The headers that hold a proof, and its form.
///
/// GitHub sends `X-Hub-Signature-256`, Gitea that and `X-Gitea-Signature`,
/// Bitbucket `X-Hub-Signature`, GitLab `X-Gitlab-Token`.
const HEADERS: [(&str, Form); 4] = [
    ("x-hub-signature-256", Form::Named),
    ("x-hub-signature", Form::Named),
    ("x-gitea-signature", Form::Bare),
    ("x-gitlab-token", Form::Token),
];

#[derive(Debug, Clone, Copy)]
enum Form {
    /// `sha256=` and the HMAC of the body in hexadecimal.
    Named,
    /// The HMAC alone.
    Bare,
    /// The secret itself.
    Token,
}

/// What the headers of a call offer as proof.
///
/// All of it must hold, so that it does not matter which header is looked at
/// first: a wrong one is never outvoted by a right one, and each by itself
/// needs the secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proofs {
    macs: Vec<[u8; LENGTH]>,
    tokens: Vec<Vec<u8>>,
}

impl Proofs {
    /// The proofs among the values of the headers, which `values` finds by
    /// their name in small letters. None if there is none, or if one cannot be
    /// right whatever the secret is.
    ///
    /// GitHub and Gitea send an HMAC with SHA-1 in `X-Hub-Signature` beside the
    /// better one. That is no proof: it neither helps nor harms.
    pub fn find<'a, V>(values: impl Fn(&'static str) -> V) -> Option<Self>
    where
        V: Iterator<Item = &'a [u8]>,
    {
        let mut proofs = Self::default();
        for (name, form) in HEADERS {
            for value in values(name) {
                match form {
                    Form::Named if name == "x-hub-signature" && value.starts_with(b"sha1=") => {}
                    Form::Named => proofs.macs.push(mac(value.strip_prefix(b"sha256=")?)?),
                    Form::Bare => proofs.macs.push(mac(value)?),
                    Form::Token => proofs.tokens.push(value.to_vec()),
                }
            }
        }
        let is_any = !proofs.macs.is_empty() || !proofs.tokens.is_empty();
        is_any.then_some(proofs)
    }
}

/// The HMAC that this is in hexadecimal.
fn mac(hex: &[u8]) -> Option<[u8; LENGTH]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = hex.as_chunks::<2>();
    let mut bytes = [0; LENGTH];
    if pairs.len() != LENGTH || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// A body that is hashed while it comes in; no byte of it is kept.
pub struct Check {
    key: hmac::Key,
    body: hmac::Context,
    /// The HMAC of the secret itself.
    token: hmac::Tag,
}

impl Check {
    /// With this secret.
    pub fn new(secret: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let token = hmac::sign(&key, secret);
        Self { body: hmac::Context::with_key(&key), key, token }
    }

    /// Takes in some more of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        self.body.update(bytes);
    }

    /// Whether the secret itself, where the headers offer it, is right; none if
    /// they do not. This needs no body.
    pub fn token_holds(&self, proofs: &Proofs) -> Option<bool> {
        let mut all = true;
        for token in &proofs.tokens {
            all &= hmac::verify(&self.key, token, self.token.as_ref()).is_ok();
        }
        (!proofs.tokens.is_empty()).then_some(all)
    }

    /// Whether every proof holds. The time that this takes tells nothing of
    /// the secret: a token is compared by its HMAC, so that not even its length
    /// shows.
    pub fn holds(self, proofs: &Proofs) -> bool {
        let token = self.token_holds(proofs);
        let body = self.body.sign();
        let mut all = token.unwrap_or(!proofs.macs.is_empty());
        for mac in &proofs.macs {
            all &= constant_time::verify_slices_are_equal(mac, body.as_ref()).is_ok();
        }
        all
    }
}

/// How many calls are let in at a time: a token for each, of which some are in
/// stock and more come with time.
#[derive(Debug)]
pub struct Gate(Mutex<Stock>);

#[derive(Debug)]
struct Stock {
    tokens: f64,
    at: Instant,
}

/// How many calls may come at once. A push to many branches is one call each.
const STOCK: f64 = 50.0;

/// How many more may come in each second: hashing so many bodies of the
/// largest size takes some percent of a core.
const A_SECOND: f64 = 20.0;

impl Gate {
    /// With a full stock.
    pub fn new(now: Instant) -> Self {
        Self(Mutex::new(Stock { tokens: STOCK, at: now }))
    }

    /// Whether one more is let in.
    pub fn admits(&self, now: Instant) -> bool {
        let mut stock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(stock.at).as_secs_f64();
        stock.tokens = (stock.tokens + passed * A_SECOND).min(STOCK);
        stock.at = now;
        let is_some = stock.tokens >= 1.0;
        if is_some {
            stock.tokens -= 1.0;
        }
        is_some
    }
}

/// How often a genuine call wakes somebody at most. Each may cost a fetch, and
/// a call that somebody recorded can be played again.
const BETWEEN_WAKES: Duration = Duration::from_secs(1);

/// Passes calls on from `genuine` to `called`, one a second at most: the first
/// at once, those that come meanwhile as one when the second is over. So no
/// push is missed, and none has to be answered with a refusal. Never ends.
pub async fn pace(genuine: &Notify, called: &Notify) {
    loop {
        genuine.notified().await;
        called.notify_one();
        tokio::time::sleep(BETWEEN_WAKES).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Gate, Proofs, pace};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};
    use tokio::sync::Notify;

    fn accepts(secret: &str, headers: &[(&str, &str)], body: &str) -> bool {
        let values = |name| {
            headers
                .iter()
                .filter(move |(known, _)| *known == name)
                .map(|(_, value)| value.as_bytes())
        };
        Proofs::find(values).is_some_and(|proofs| {
            let mut check = Check::new(secret.as_bytes());
            body.as_bytes().chunks(3).for_each(|part| check.update(part));
            check.holds(&proofs)
        })
    }

    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &str = "Hello, World!";
    /// From GitHub's documentation (Validating webhook deliveries).
    const MAC: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn each_proof_by_itself_is_enough_and_none_is_not() {
        let named = format!("sha256={MAC}");
        let big = MAC.to_uppercase();
        for header in [
            ("x-hub-signature-256", named.as_str()),
            ("x-hub-signature", named.as_str()),
            ("x-gitea-signature", MAC),
            ("x-gitea-signature", big.as_str()),
            ("x-gitlab-token", SECRET),
        ] {
            assert!(accepts(SECRET, &[header], BODY), "{header:?}");
            assert!(!accepts("another", &[header], BODY), "{header:?}");
        }
        assert!(accepts(SECRET, &[("x-gitlab-token", SECRET)], "any body"));
        assert!(!accepts(SECRET, &[("x-gitea-signature", MAC)], "any body"));
        assert!(!accepts(SECRET, &[], BODY));
    }

    #[test]
    fn one_wrong_proof_spoils_all() {
        let named = format!("sha256={MAC}");
        let good = ("x-hub-signature-256", named.as_str());
        let zeros = "0".repeat(64);
        for wrong in [
            ("x-gitlab-token", "guess"),
            ("x-gitlab-token", ""),
            ("x-gitea-signature", &MAC[1..]),
            ("x-gitea-signature", ""),
            ("x-gitea-signature", &zeros),
            ("x-gitea-signature", named.as_str()),
            ("x-hub-signature", MAC),
            ("x-hub-signature", "md5=0"),
            ("x-hub-signature-256", "sha1=0123456789abcdef0123456789abcdef01234567"),
        ] {
            assert!(!accepts(SECRET, &[good, wrong], BODY), "{wrong:?}");
            assert!(!accepts(SECRET, &[wrong, good], BODY), "{wrong:?}");
        }
    }

    #[test]
    fn sha_1_is_no_proof_and_no_harm() {
        let (named, sha1) =
            (format!("sha256={MAC}"), "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59");
        assert!(accepts(
            SECRET,
            &[("x-hub-signature-256", &named), ("x-hub-signature", sha1)],
            BODY
        ));
        assert!(!accepts(SECRET, &[("x-hub-signature", sha1)], BODY));
    }

    #[test]
    fn the_gate_lets_a_burst_in_and_then_some_each_second() {
        let start = Instant::now();
        let gate = Gate::new(start);
        let let_in = |now| (0..1000).filter(|_| gate.admits(now)).count();
        assert_eq!(let_in(start), 50);
        assert_eq!(let_in(start + Duration::from_secs(1)), 20);
        assert_eq!(let_in(start + Duration::from_secs(1000)), 50);
        // A clock that steps back gives nothing.
        assert_eq!(let_in(start), 0);
    }

    #[test]
    fn calls_wake_at_once_and_then_once_a_second_and_the_last_is_not_lost() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (genuine, called) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let wakes = AtomicUsize::new(0);
            let count = async {
                loop {
                    called.notified().await;
                    wakes.fetch_add(1, Ordering::Relaxed);
                }
            };
            let calls = async {
                for _ in 0..100 {
                    genuine.notify_one();
                    tokio::time::sleep(Duration::from_millis(25)).await;
                }
                assert_eq!(wakes.load(Ordering::Relaxed), 3);
                genuine.notify_one();
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert_eq!(wakes.load(Ordering::Relaxed), 4);
            };
            tokio::select! {
                () = pace(&genuine, &called) => {}
                () = count => {}
                () = calls => {}
            }
        });
    }
}
