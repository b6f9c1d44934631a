//! What nobody may read, should a server repeat it. Pure, but for the
//! environment's proxies.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::domain::mask::{Mask, masked_text};

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

/// The most values of documents that are looked for in what a server says of
/// them; where there are more, nothing of it is told.
const MOST_VALUES: usize = 1_000;

/// The secrets that were sent to a server, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    known: Vec<Arc<SecretString>>,
    /// Those that are no credential for the server: what a proxy on the way
    /// gets, and credentials in documents. They are masked, and nothing else
    /// rests on them.
    others: Vec<Arc<SecretString>>,
    /// There are more of them than can be looked for.
    is_full: bool,
}

impl Secrets {
    /// What proxies on the way get to see (`HTTP_PROXY` and its like), as the
    /// HTTP client reads it from the environment.
    pub fn of_proxies() -> Self {
        const NAMES: [&str; 3] = ["http_proxy", "https_proxy", "all_proxy"];
        let mut secrets = Self::default();
        let names = NAMES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_uppercase()]);
        for address in names.filter_map(|name| std::env::var(name).ok()) {
            secrets.note_proxy(&address);
        }
        secrets.others = std::mem::take(&mut secrets.known);
        secrets
    }

    fn note_proxy(&mut self, address: &str) {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let Some((user, _)) = rest.rsplit_once('@') else { return };
        self.note(user);
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        self.note(password);
        let plain = |text: &str| {
            // Not of a form: a `+` is a `+`.
            let text = text.replace('+', "%2B");
            url::form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned())
        };
        let (name, password) =
            (plain(name).unwrap_or_default(), plain(password).unwrap_or_default());
        self.note(&password);
        self.note(&STANDARD.encode(format!("{name}:{password}")));
    }

    /// Takes in the credentials in documents that go to the server.
    pub fn note_documents<'a>(&mut self, documents: impl Iterator<Item = &'a Value>) {
        for document in documents {
            let Some(texts) = Mask::default().hidden_texts(document, MOST_VALUES) else {
                self.is_full = true;
                return;
            };
            let texts = texts.into_iter().filter(|text| text.len() >= SHORTEST);
            self.others.extend(texts.map(|text| Arc::new(SecretString::from(text))));
            self.is_full |= self.others.len() > MOST_VALUES;
        }
    }

    /// What a server says, at most `longest` characters of it that count: for
    /// people, without what is known to be secret, and without what looks so.
    #[must_use]
    pub fn words(&self, said: &str, longest: usize) -> String {
        if self.is_full {
            return "its words are not shown: they may hold some of the many credentials in the item".to_owned();
        }
        // A secret that begins among them is found whole, and the work is
        // bounded, whatever a server says and a document holds.
        let said: String = said.chars().take(longest.saturating_mul(8)).collect();
        masked_text(&self.mask(&said))
    }

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
                self.note(&STANDARD.encode(secret.as_bytes()));
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
            let longest = self.known.iter().chain(&self.others).filter_map(|secret| {
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
        if self.known.is_empty() && self.others.is_empty() {
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
        Self { known: self.known.clone(), ..Self::default() }.mask(text) != text
    }

    /// The same for a text that is to be kept as it is, such as a document: a
    /// secret as short as a word counts as that word.
    #[must_use]
    pub fn are_plainly_in(&self, text: &str) -> bool {
        let long = |secret: &&Arc<SecretString>| secret.expose_secret().len() >= TELLING;
        Self { known: self.known.iter().filter(long).cloned().collect(), ..Self::default() }
            .are_in(text)
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
            Some((byte, length)) if is_same(byte, *expected, secret.len()) => taken += length,
            // A space of a form.
            Some((b'+', 1)) if *expected == b' ' => taken += 1,
            _ => break,
        }
        told += 1;
    }
    (told >= secret.len().min(TELLING)).then_some(taken)
}

/// A host name loses its capitals; of a short secret every word is full.
fn is_same(byte: u8, expected: u8, length: usize) -> bool {
    byte == expected || length >= TELLING && byte.eq_ignore_ascii_case(&expected)
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
        [b'&', rest @ ..] => entity(rest).map(|(byte, length)| (byte, length + 1)),
        _ => None,
    };
    found.or_else(|| plain(text))
}

/// A character of HTML, behind its `&`.
fn entity(rest: &[u8]) -> Option<(u8, usize)> {
    const NAMES: [(&[u8], u8); 5] =
        [(b"amp;", b'&'), (b"lt;", b'<'), (b"gt;", b'>'), (b"quot;", b'"'), (b"apos;", b'\'')];
    if let Some((name, byte)) = NAMES.iter().find(|(name, _)| rest.starts_with(name)) {
        return Some((*byte, name.len()));
    }
    let digits = rest.strip_prefix(b"#")?;
    let end = digits.iter().take(6).position(|byte| *byte == b';')?;
    let text = std::str::from_utf8(&digits[..end]).ok()?;
    let number = match text.strip_prefix(['x', 'X']) {
        Some(hex) => u8::from_str_radix(hex, 16).ok()?,
        None => text.parse().ok()?,
    };
    Some((number, end + 2))
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
            "p&#47;a&#x2b;s w%2",
            "p~1a+s w%2",
            "bXkraWQ6cCUyRmElMkJzK3clMjUy",
            "bXkraWQ6cCUyRmElMkJ",
        ] {
            assert_eq!(secrets.mask(&format!("é {written}; x")), "é ***; x", "{written}");
        }
        secrets.note("AbCdEfGhIjKlMnOpQr");
        assert_eq!(secrets.mask("https://abcdefghijklmnopqr.example"), "https://***.example");
        for harmless in ["p/a+s w", "abc", "bXkraWQ6", "%", "\\u00", "é"] {
            assert_eq!(secrets.mask(harmless), harmless);
        }
    }
}
