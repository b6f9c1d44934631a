//! Pictures: up once, down only to compare.

use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::domain::images::ImageName;
use crate::domain::item::{Digest, Item, ItemImage};
use crate::domain::tree::MAX_IMAGE_BYTES;

use super::client::Marketplace;
use super::error::{CallError, Reach};
use super::http::{Outgoing, Payload, Reply};

/// The longest location that is believed; the real ones have about 60
/// characters. It bounds what an image adds to a document.
pub(super) const MAX_LOCATION: usize = 512;

/// What the bytes of a picture are remembered by.
pub(super) fn name(item: &Item, image: &ItemImage) -> ImageName {
    ImageName { digest: image.digest, item_id: item.key.item_id.clone(), slot: image.slot }
}

/// Whether a location is a file of the marketplace (`marketplace-api.md` §5),
/// in the plain characters of RFC 3986 §2.3. No other is fetched, unless an
/// upload named it: who edits an item must not choose what this program asks
/// the server for in its own name.
pub(super) fn is_download(location: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    location
        .strip_prefix("/v2/files/download/")
        .is_some_and(|file| file.chars().all(plain) && !matches!(file, "" | "." | ".."))
}

/// What became of an upload.
pub(super) enum Uploaded {
    /// The marketplace has it there.
    At(String),
    /// It refuses this picture.
    Refused(String),
}

/// What the bytes of a picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImageFact {
    /// Their blake3 hash.
    pub(super) digest: Digest,
    /// How many there are.
    pub(super) size: u64,
}

/// What a look for a picture brought.
#[derive(Debug)]
pub enum Fetched {
    /// The picture.
    Bytes(Vec<u8>),
    /// It cannot be had, now or later.
    Nothing {
        /// Why.
        why: String,
    },
}

impl Marketplace {
    /// The location that an answer to an upload names.
    ///
    /// # Errors
    /// The upload may go next time, or all uploads are refused.
    pub(super) fn uploaded(&self, reply: &Reply) -> Result<Uploaded, CallError> {
        if reply.is_success() {
            let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let location = answer.get("location").and_then(Value::as_str);
            let usable = |text: &&str| {
                (1..=MAX_LOCATION).contains(&text.len())
                    && !text.chars().any(|c| c.is_control() || c.is_whitespace())
                    && !reply.secrets.are_in(text)
            };
            return match location.filter(usable) {
                Some(location) => Ok(Uploaded::At(location.to_owned())),
                None => Err(CallError::Unavailable {
                    why: "the answer to the upload of an image names no location".to_owned(),
                    retry_after: None,
                    reach: Reach::AnswerLost,
                }),
            };
        }
        match reply.status {
            400 | 406 | 409 | 413 | 415 | 422 => Ok(Uploaded::Refused(reply.refusal())),
            _ => Err(self.failure(reply, "upload images")),
        }
    }

    /// Whether a picture of the marketplace has these bytes. "If that fails it
    /// counts as different" (`practice.md` §4) is read as: if it fails for
    /// good. What is gone, refused, redirected, too large, no path of this
    /// server or other bytes is different, and is uploaded again.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] when it could not be fetched for a moment:
    /// nothing is known then, and nothing is overwritten for that.
    pub(super) async fn has_image(
        &self,
        location: &str,
        digest: Digest,
    ) -> Result<bool, CallError> {
        Ok(self.image_at(location).await?.is_some_and(|fact| fact.digest == digest))
    }

    /// What is known of the picture at a location, from its bytes; none where
    /// there is none that could be ours.
    pub(super) async fn image_at(&self, location: &str) -> Result<Option<ImageFact>, CallError> {
        Ok(match self.fetch_image(location).await? {
            Fetched::Bytes(bytes) => {
                Some(ImageFact { digest: Digest::of(&bytes), size: bytes.len() as u64 })
            }
            Fetched::Nothing { .. } => None,
        })
    }

    /// The bytes of a picture of the marketplace.
    ///
    /// Only a path on the configured server is fetched, so that nobody who
    /// edits an item can make this program call other servers.
    ///
    /// # Errors
    /// [`CallError::Unavailable`] when it could not be fetched for a moment.
    pub(super) async fn fetch_image(&self, location: &str) -> Result<Fetched, CallError> {
        let nothing = |why: String| Ok(Fetched::Nothing { why });
        let Some(url) = self.image_url(location).filter(|_| !self.http.secrets().are_in(location))
        else {
            return nothing("its location is no path of this marketplace".to_owned());
        };
        let limit = usize::try_from(MAX_IMAGE_BYTES).unwrap_or(usize::MAX);
        let out = Outgoing {
            method: Method::GET,
            route: "/v2/files/download/{file}",
            url,
            accept: "image/*",
            payload: Payload::Empty,
            limit,
        };
        match self.exchange(&out).await {
            Ok(reply) if reply.is_trouble() => Err(self.failure(&reply, "read images")),
            Ok(reply) if reply.status != 200 => {
                nothing(format!("the marketplace answers {}: {}", reply.status, reply.words()))
            }
            Ok(reply) if reply.cut => nothing(format!("it has more than {limit} bytes")),
            Ok(reply) => Ok(Fetched::Bytes(reply.body)),
            Err(err) if err.is_transient() => Err(err),
            Err(err) => nothing(err.to_string()),
        }
    }

    /// The address of a server-relative location, below the path of the
    /// endpoint.
    fn image_url(&self, location: &str) -> Option<Url> {
        let is_path = location.starts_with('/')
            && !location.starts_with("//")
            && !location.contains(['\\', '?', '#']);
        if !is_path || location.len() > MAX_LOCATION {
            return None;
        }
        let endpoint = self.http.endpoint();
        let prefix = endpoint.path().trim_end_matches('/');
        let url = endpoint.join(&format!("{prefix}{location}")).ok()?;
        // What is read as another path (dots, odd characters) is another path.
        let is_ours =
            url.origin() == endpoint.origin() && url.path() == format!("{prefix}{location}");
        is_ours.then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::{Connection, Credential, Patience};
    use super::{Marketplace, is_download};

    #[test]
    fn only_a_path_of_our_server_is_fetched() {
        let connection = Connection {
            endpoint: "https://console.example/pre/".parse().unwrap(),
            company: "acme".to_owned(),
            credential: Credential::None,
            ca_file: None,
            patience: Patience::default(),
        };
        let market = Marketplace::new(connection).unwrap();
        let url = market.image_url("/v2/files/download/a.png").unwrap();
        assert_eq!(url.as_str(), "https://console.example/pre/v2/files/download/a.png");
        for outside in [
            "https://evil.example/a.png",
            "//evil.example/a.png",
            "a.png",
            "/\\evil.example",
            "/../secret",
            "",
            "file:///etc/passwd",
            "/\t/evil.example",
        ] {
            let url = market.image_url(outside);
            assert!(
                url.as_ref()
                    .is_none_or(|url| url.as_str().starts_with("https://console.example/pre/")),
                "{outside}: {url:?}"
            );
        }
        for other in ["/../secret", "/v2/../secret", "/v2/%2e%2e/secret", "/v2/a.png?x", "/v2/a#x"]
        {
            assert_eq!(market.image_url(other), None, "{other}");
        }
    }

    #[test]
    fn only_files_of_the_marketplace_are_downloads() {
        assert!(is_download("/v2/files/download/0b5e-11.png"));
        for other in [
            "/v2/files/download/",
            "/v2/files/download/..",
            "/v2/files/download/a/b",
            "/v2/files/download/a%2Fb",
            "/v2/files/download/a?b",
            "/v2/files/download/a#b",
            "/v2/files/download/a\\b",
            "/v2/files/x",
            "/api/tenants/acme/secrets",
            "https://console.example/v2/files/download/a",
        ] {
            assert!(!is_download(other), "{other}");
        }
    }
}
