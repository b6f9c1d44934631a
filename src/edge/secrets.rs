//! What nobody may read, should a server repeat it. Pure.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// What stands in place of a secret.
const MASK: &str = "***";

/// The shortest secret that is masked, in bytes: of a shorter one every text
/// is full, and masking it would tell it.
const SHORTEST: usize = 4;

/// So much of the beginning of a longer secret counts as the secret, in bytes:
/// a server may cut what it repeats.
const TELLING: usize = 16;

/// How many secrets are remembered: tokens are renewed, and each leaves one or
/// two.
const KEPT: usize = 24;

/// The secrets that were sent to a server, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    known: Vec<Arc<SecretString>>,
}

impl Secrets {
    /// Takes in a secret, unless it is shorter than four bytes.
    pub fn note(&mut self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let old = self.known.iter().position(|known| known.expose_secret() == secret);
        let known = match old {
            Some(index) => self.known.remove(index),
            None => Arc::new(SecretString::from(secret)),
        };
        self.known.push(known);
        if self.known.len() > KEPT {
            self.known.remove(0);
        }
    }

    /// Takes in what an `Authorization` header proves itself with: a token, or
    /// the pair of id and secret (RFC 6749 §2.3.1) and the secret in it.
    pub fn note_header(&mut self, value: &str) {
        let Some((scheme, proof)) = value.split_once(' ') else {
            return self.note(value);
        };
        self.note(proof);
        if !scheme.eq_ignore_ascii_case("Basic") {
            return;
        }
        let pair = STANDARD.decode(proof).ok().and_then(|pair| String::from_utf8(pair).ok());
        if let Some((_, encoded)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
            self.note(encoded);
            let decoded = url::form_urlencoded::parse(encoded.as_bytes()).next();
            if let Some((secret, _)) = decoded {
                self.note(&secret);
            }
        }
    }

    /// The text without the secrets, however they are written in it: plain,
    /// percent- or form-encoded, or with the escapes of JSON or of a pointer.
    /// To be called before a text is cut.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let longest = self.known.iter().filter_map(|secret| {
                let secret = secret.expose_secret().as_bytes();
                matched(rest.as_bytes(), secret, plain).max(matched(
                    rest.as_bytes(),
                    secret,
                    decoded,
                ))
            });
            if let Some(length) = longest.max() {
                masked.push_str(MASK);
                let mut end = length;
                while !rest.is_char_boundary(end) {
                    end += 1;
                }
                rest = &rest[end..];
            } else {
                masked.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        masked
    }

    /// A document without the secrets, in its keys and in its values.
    #[must_use]
    pub fn mask_in(&self, document: Value) -> Value {
        if self.known.is_empty() {
            return document;
        }
        match document {
            Value::String(text) => Value::String(self.mask(&text)),
            Value::Array(list) => list.into_iter().map(|value| self.mask_in(value)).collect(),
            Value::Object(object) => {
                let member = |(key, value): (String, Value)| (self.mask(&key), self.mask_in(value));
                Value::Object(object.into_iter().map(member).collect())
            }
            other => other,
        }
    }

    /// Whether a text holds one of the secrets.
    #[must_use]
    pub fn are_in(&self, text: &str) -> bool {
        self.mask(text) != text
    }

    /// The same for a text that is to be kept as it is, such as a document: a
    /// secret as short as a word counts as that word.
    #[must_use]
    pub fn are_plainly_in(&self, text: &str) -> bool {
        let long = |secret: &&Arc<SecretString>| secret.expose_secret().len() >= TELLING;
        Self { known: self.known.iter().filter(long).cloned().collect() }.are_in(text)
    }
}

/// How one byte is read from the beginning of a text: the byte, and how many
/// bytes it takes there.
type Reading = fn(&[u8]) -> Option<(u8, usize)>;

/// How many bytes of the text, from its beginning, are the secret.
fn matched(text: &[u8], secret: &[u8], read: Reading) -> Option<usize> {
    let mut taken = 0;
    let mut told = 0;
    for expected in secret {
        match read(&text[taken..]) {
            Some((byte, length)) if byte == *expected => taken += length,
            // A space of a form.
            Some((b'+', 1)) if *expected == b' ' => taken += 1,
            _ => break,
        }
        told += 1;
    }
    (told >= secret.len().min(TELLING)).then_some(taken)
}

fn plain(text: &[u8]) -> Option<(u8, usize)> {
    text.first().map(|byte| (*byte, 1))
}

fn decoded(text: &[u8]) -> Option<(u8, usize)> {
    let found = match text {
        [b'%', digits @ ..] => hex(digits, 2).map(|byte| (byte, 3)),
        [b'\\', b'u', digits @ ..] => hex(digits, 4).map(|byte| (byte, 6)),
        [b'\\', escaped @ (b'/' | b'"' | b'\\'), ..] => Some((*escaped, 2)),
        [b'~', b'0', ..] => Some((b'~', 2)),
        [b'~', b'1', ..] => Some((b'/', 2)),
        _ => None,
    };
    found.or_else(|| plain(text))
}

/// The byte that so many hexadecimal digits stand for.
fn hex(digits: &[u8], count: usize) -> Option<u8> {
    let digits = digits.get(..count)?;
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let mut secrets = Secrets::default();
        // my id, p/a+s w%2
        secrets.note_header("Basic bXkraWQ6cCUyRmElMkJzK3clMjUy");
        secrets.note("abc");
        for written in [
            "p/a+s w%2",
            "p%2Fa%2Bs+w%252",
            "p%2fa%2bs%20w%252",
            r"p\/a+s w%2",
            r"\u0070\/a\u002bs w%2",
            "p~1a+s w%2",
            "bXkraWQ6cCUyRmElMkJzK3clMjUy",
            "bXkraWQ6cCUyRmElMkJ",
        ] {
            assert_eq!(secrets.mask(&format!("é {written}; x")), "é ***; x", "{written}");
        }
        for harmless in ["p/a+s w", "abc", "bXkraWQ6", "%", "\\u00", "é"] {
            assert_eq!(secrets.mask(harmless), harmless);
        }
    }
}
