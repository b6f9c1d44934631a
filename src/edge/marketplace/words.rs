//! Words for people about what servers and networks say.

use std::error::Error;
use std::io;

use serde_json::Value;

use crate::edge::secrets::Secrets;

/// The longest text of a server that is repeated, in characters: a validator
/// that lists every field needs some, a page of HTML must not fill a log.
pub(super) const MAX_WORDS: usize = 500;

/// The longest excerpt of an answer that is no JSON, in characters.
const MAX_EXCERPT: usize = 200;

/// A text of a server, safe for a terminal: control characters are spaces,
/// runs of spaces are one, and it is at most `max` characters long.
pub(super) fn clean(text: &str, max: usize) -> String {
    let mut cleaned = String::new();
    let mut length = 0;
    let spaced = text.chars().map(|c| if c.is_control() || is_direction(c) { ' ' } else { c });
    for c in spaced {
        if c == ' ' && (cleaned.is_empty() || cleaned.ends_with(' ')) {
            continue;
        }
        if length == max {
            cleaned.push('…');
            break;
        }
        cleaned.push(c);
        length += 1;
    }
    cleaned.truncate(cleaned.trim_end().len());
    cleaned
}

/// Marks that turn the direction of what follows, and so what a reader sees.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What a body says (`marketplace-api.md` §1.3), without the secrets.
pub(super) fn of_body(body: &[u8], secrets: &Secrets) -> String {
    if let Ok(Value::Object(fields)) = serde_json::from_slice::<Value>(body) {
        let said = ["message", "error_description", "error"]
            .iter()
            .filter_map(|field| fields.get(*field).and_then(Value::as_str))
            .map(|text| clean(&secrets.words(text, MAX_WORDS), MAX_WORDS))
            .find(|text| !text.is_empty());
        return said.unwrap_or_else(|| "no reason given".to_owned());
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        "no reason given".to_owned()
    } else if text.starts_with('<') {
        "an HTML page (a proxy or a wrong endpoint?)".to_owned()
    } else {
        clean(&secrets.words(text, MAX_EXCERPT), MAX_EXCERPT)
    }
}

/// Whether a body is a JSON object, as every error of the marketplace is.
pub(super) fn is_json_object(body: &[u8]) -> bool {
    matches!(serde_json::from_slice::<Value>(body), Ok(Value::Object(_)))
}

/// What a network error means, without the address that was asked.
pub(super) fn of_network(err: &reqwest::Error, host: &str, seconds: f32) -> String {
    let causes = causes(err);
    let said = causes.last().map_or_else(String::new, ToString::to_string);
    let said = clean(&said, MAX_EXCERPT);
    let kind =
        causes.iter().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let is_certificate = causes.iter().any(|cause| cause.to_string().contains("certificate"));
    if is_certificate {
        format!(
            "TLS: the certificate of {host} is not trusted ({said}); if it comes from an authority of your own, name that with --ca-file"
        )
    } else if err.is_dns() {
        format!(
            "the name {host} cannot be resolved ({said}); check --endpoint and the DNS of this machine"
        )
    } else if kind == Some(io::ErrorKind::ConnectionRefused) {
        format!(
            "{host} refuses the connection; check --endpoint, its port, and that the server runs"
        )
    } else if err.is_timeout() && err.is_connect() {
        format!(
            "{host} does not take a connection in time; check --endpoint, firewalls and proxies"
        )
    } else if err.is_timeout() {
        format!("{host} gave no whole answer within {seconds} s")
    } else if err.is_connect() {
        format!("no connection to {host} ({said}); check --endpoint, and the proxy if one is set")
    } else {
        format!("the connection to {host} broke ({said})")
    }
}

fn causes(err: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    let mut causes: Vec<&(dyn Error + 'static)> = Vec::new();
    let mut next = err.source();
    // An error that is its own cause must not hang the program.
    while let Some(cause) = next.filter(|_| causes.len() < 16) {
        causes.push(cause);
        next = cause.source();
    }
    causes
}

#[cfg(test)]
mod tests {
    use super::{Secrets, clean};

    fn of_body(body: &[u8]) -> String {
        super::of_body(body, &Secrets::default())
    }

    #[test]
    fn a_servers_words_cannot_write_to_the_terminal() {
        assert_eq!(clean("a\x1b[2Jb\r\n\u{202e}c", 99), "a [2Jb c");
        assert_eq!(clean(&"é".repeat(9), 3), "ééé…");
        assert_eq!(of_body(b"{\"message\":\"no\\u001b name\"}"), "no name");
        assert_eq!(
            of_body(b" <!doctype html><p>secret"),
            "an HTML page (a proxy or a wrong endpoint?)"
        );
        assert_eq!(of_body(b""), "no reason given");
        assert_eq!(of_body(&[0xff; 900]), format!("{}…", "\u{fffd}".repeat(200)));
    }
}
