//! Asks a running marketsync where it stands.

use std::time::Duration;

use reqwest::redirect::Policy;
use serde_json::Value;
use url::Url;

use crate::domain::report::json;
use crate::domain::standing::page::Page;
use crate::domain::status::Status;
use crate::domain::text::cut;
use crate::edge::address::is_loopback;
use crate::edge::secrets::Secrets;

/// How long the connection may take, and how long the whole answer. A server of
/// ours answers within 10 s, if only to say that it cannot.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(30);

/// The longest answer that is read: 100,000 items of 500 bytes, and as much
/// again.
const MAX_ANSWER: usize = 100 * 1024 * 1024;

/// How much of an answer that is none of ours is shown.
const MAX_EXCERPT: usize = 200;

/// Where a running process stands, and what its state holds.
#[derive(Debug)]
pub struct Answer {
    /// Where it stands.
    pub page: Page,
    /// Its items.
    pub items: Status,
    /// Both, as they came.
    pub document: Value,
}

/// Nobody answered, or not what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No answer came.
    #[error("no marketsync can be reached at {url}")]
    Unreachable {
        /// What was asked, without anything secret: such a URL is refused.
        url: Url,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is too long.
    #[error("the answer of {url} is longer than {MAX_ANSWER} bytes")]
    TooLong {
        /// What was asked.
        url: Url,
    },
    /// An answer came, and it is a refusal.
    #[error("{url} answers {status}: {said}")]
    Refused {
        /// What was asked.
        url: Url,
        /// The status.
        status: u16,
        /// The beginning of the answer.
        said: String,
    },
    /// An answer came, and it is not that of a marketsync like this one.
    #[error("{url} is no marketsync of this version")]
    Foreign {
        /// What was asked.
        url: Url,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Asks `base` for `/status`, with its items. No redirection is followed, no
/// credential is sent, and to this machine no proxy is asked.
pub async fn status(base: &Url) -> Result<Answer, ProbeError> {
    let mut url = base.clone();
    url.set_path(&format!("{}/status", base.path().trim_end_matches('/')));
    let unreachable = |source: reqwest::Error| ProbeError::Unreachable {
        url: url.clone(),
        source: source.without_url(),
    };
    let mut client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .redirect(Policy::none())
        .user_agent(concat!("marketsync/", env!("CARGO_PKG_VERSION")));
    if is_loopback(base) {
        client = client.no_proxy();
    }
    let client = client.build().map_err(unreachable)?;
    let request = client.get(url.clone()).query(&[("items", "true")]);
    let mut response = request.send().await.map_err(unreachable)?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(unreachable)? {
        if body.len() + part.len() > MAX_ANSWER {
            return Err(ProbeError::TooLong { url });
        }
        body.extend_from_slice(&part);
    }
    let status = response.status().as_u16();
    if status != 200 {
        let body = String::from_utf8_lossy(&body);
        let said = cut(&Secrets::of_proxies().words(body.trim(), MAX_EXCERPT), MAX_EXCERPT);
        return Err(ProbeError::Refused { url, status, said });
    }
    understood(&body).map_err(|source| ProbeError::Foreign { url, source })
}

fn understood(body: &[u8]) -> Result<Answer, serde_json::Error> {
    let document: Value = serde_json::from_slice(body)?;
    let page = serde_json::from_value(document.clone())?;
    let items = json::read_items(&document["items"])?;
    Ok(Answer { page, items, document })
}
