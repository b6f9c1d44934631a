//! The other side of a pass: a marketplace, and what its answers hold for.

use std::path::Path;

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use url::Url;

use crate::commands::failure::CommandError;
use crate::config::{Connect, Endpoint};
use crate::cycle::CycleError;
use crate::domain::event::Rest;
use crate::domain::item::Digest;
use crate::edge::marketplace::{Call, Connection, Credential, Marketplace, Patience};
use crate::edge::secret::Secret;
use crate::embedded::{self, EmbeddedError, Handle, Settings};

/// The file of the embedded marketplace in the state directory.
pub(super) const EMBEDDED_FILE: &str = "marketplace.jsonl";

/// What is left to do after a pass that failed as a whole.
pub(super) fn rest_after(error: &CycleError, market: &Marketplace) -> Rest {
    if error.is_transient() { Rest::Retry { after: market.retry_after() } } else { Rest::Settled }
}

/// What a rejection holds for beside the item: the schemas and the credential.
/// The secret itself does not enter, only whether its file changed.
pub(super) fn setting(credential: &Credential, schemas: Digest) -> Digest {
    let who = match credential {
        Credential::Basic { client_id, secret } => format!("{client_id} {}", changed(secret)),
        Credential::PrivateKeyJwt { client_id, key_id, key } => {
            format!("{client_id} {key_id} {}", changed(key))
        }
        Credential::Token { token } => changed(token),
        Credential::None => String::new(),
    };
    Digest::of(format!("{schemas} {who}").as_bytes())
}

fn changed(secret: &Secret) -> String {
    match secret {
        Secret::Text(_) => String::new(),
        Secret::File(path) => std::fs::metadata(path)
            .map(|found| format!("{} {:?}", found.len(), found.modified().ok()))
            .unwrap_or_default(),
    }
}

/// The client of the marketplace that the configuration names. `log` is told
/// of each call.
pub(super) fn client(
    connect: &Connect,
    url: Url,
    log: impl Fn(&Call) + Send + Sync + 'static,
) -> Result<Marketplace, CommandError> {
    let credential = match (&connect.endpoint, &connect.credential) {
        // The embedded marketplace takes any account, but asks for one.
        (Endpoint::Embedded, _) => Credential::Basic {
            client_id: "embedded".to_owned(),
            secret: Secret::Text(SecretString::from("embedded")),
        },
        (Endpoint::Remote(_), credential) => credential.clone(),
    };
    let connection = Connection {
        endpoint: url,
        company: connect.company.clone(),
        credential,
        ca_file: connect.ca_file.clone(),
        patience: Patience::default(),
    };
    Ok(Marketplace::new(connection)?.with_log(log))
}

/// Starts a marketplace in this process, on a port of its own. Its items are
/// kept in the state directory.
pub(super) async fn start_embedded(
    state: &Path,
    servers: &mut JoinSet<Result<(), EmbeddedError>>,
) -> Result<Url, CommandError> {
    listen(embedded::open(persisted(state))?, servers).await
}

/// Starts a marketplace in this process that begins with the items in the
/// state directory and changes nothing there: for commands that only read.
pub(super) async fn start_embedded_copy(
    state: &Path,
    servers: &mut JoinSet<Result<(), EmbeddedError>>,
) -> Result<Url, CommandError> {
    listen(embedded::open_copy(persisted(state))?, servers).await
}

fn persisted(state: &Path) -> Settings {
    Settings { persist: Some(state.join(EMBEDDED_FILE)), ..Settings::default() }
}

async fn listen(
    handle: Handle,
    servers: &mut JoinSet<Result<(), EmbeddedError>>,
) -> Result<Url, CommandError> {
    let refused = |source| CommandError::System { what: "listen on 127.0.0.1", source };
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    servers.spawn(embedded::serve(listener, handle, std::future::pending()));
    Url::parse(&format!("http://{address}")).map_err(|why| refused(std::io::Error::other(why)))
}

/// Why the marketplace in this process is gone, which never ends by itself.
pub(super) fn gone(server: Result<Result<(), EmbeddedError>, JoinError>) -> CommandError {
    let source = match server {
        Ok(Err(error)) => return error.into(),
        Ok(Ok(())) => std::io::Error::other("it ended"),
        Err(error) => std::io::Error::other(error),
    };
    CommandError::System { what: "keep the embedded marketplace running", source }
}
