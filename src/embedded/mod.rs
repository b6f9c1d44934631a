//! The embedded marketplace: a strict emulator of the Mia-Platform Marketplace
//! HTTP API, both generations, as `marketplace-api.md` describes it.
//!
//! It serves a first run without an account (`--endpoint embedded`), the CI of
//! users (`marketsync marketplace`), and every test of this project. A real
//! `miactl` works against it. It checks items, refuses to change what must not
//! change, and fails on request: [`Fault`]s are data.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use marketsync::embedded;
//!
//! let marketplace = embedded::open(embedded::Settings::default())?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! embedded::serve(listener, marketplace.clone(), std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The unknowns of `marketplace-api.md` §13
//!
//! Those that change what a client must do have a switch ([`Switches`]). The
//! others have none, and this is why:
//!
//! | §13 | here | why no switch |
//! |---|---|---|
//! | 1 top-level `done` | AND of the items | a client must read `items[].done` |
//! | 2 does `releaseDate` move | it stays | the server sets it only when absent; a client ignores it if unstated |
//! | 5 equality, error texts | deep, numbers by value; texts in Ajv's words | a client shows the text, it does not branch on it |
//! | 6 `version` on an unversioned type | the item fails | a client refuses to send it |
//! | 6 NA of a new item of a versioned type | accepted | a refusal is one more failed item (`reject_item` plays it) |
//! | 7 `NA` in paths, `latest` | `NA` yes, `latest` 404 | the only name that the server itself hands out |
//! | 8 sort, archived, past the end, bad page | key order, listed, `[]`, 400 | a client sorts itself and pages until `x-total-pages` |
//! | 9 order of versions | newest first | a client sorts itself |
//! | 11 `marketplace.root.manage` | not asked for | a refusal is one more failed item (`reject_item` plays it) |
//! | 12 unknown `categoryId` | stored, label made up | a client ignores labels |
//! | 12 unknown type | the item fails | a client shows the error |
//! | 13 legacy mapping | a guess, in `views.rs` | a client talks one API to one Console |
//! | 14 required parts, foreign `imageUrl` | all parts; accepted | a client sends all parts |
//! | 15 limits | `apply_limit`, 8 MiB an image | status faults play 413 and 429 |
//! | 16 401 or 403, `client-key`, skew | 401, optional, 60 s | status faults play 403 |
//! | 17 case of `itemId`, unique `name` | significant; not unique | a client keeps the case it was given |
//! | 19 `/api/version` on 13.x | [`ConsoleVersion`] says | a setting of its own |
//! | 20 Console 15 | no `/api/backend` | a setting of its own |
//!
//! The metadata PATCH and writing item type definitions are answered 501, the
//! login of people (§6.4) 404.

mod settings;
mod faults;
mod state;
mod validate;
mod views;
mod apply;
mod list;
mod path;
mod answer;
mod journal;
mod error;
mod auth;
mod connection;
mod handle;
mod upload;
mod tamper;
mod control;
mod reads;
mod routes;

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tokio::net::TcpListener;

pub use error::EmbeddedError;
pub use faults::{Fault, FaultKind, MAX_FAULTS, Route};
pub use handle::{Exchange, Handle, MAX_LOG, open, open_copy};
pub use journal::JournalError;
pub use settings::{
    APPLY_LIMIT, Client, ClientKey, ConsoleVersion, DeleteFiles, InvalidConsoleVersion, ListRows,
    ManifestForm, PartialFailure, Reapply, RowOrder, Settings, Switches, TenantMismatch,
    TypeDefinition, UnknownKeys, UnknownVersions, Upsert, WrittenDefaults,
};
pub use state::{MAX_FILE_BYTES, MAX_ITEMS};
pub use validate::SchemaError;

use connection::{CutListener, CutSwitch};

/// How long requests in flight may take once the marketplace stops.
const GRACE: Duration = Duration::from_secs(3);

/// Serves until `shutdown` ends; then requests in flight have 3 s to end.
pub async fn serve(
    listener: TcpListener,
    handle: Handle,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), EmbeddedError> {
    handle.stop(false);
    let app = Router::new()
        .fallback(routes::handle)
        // `routes` limits each call on its own.
        .layer(DefaultBodyLimit::disable())
        .with_state(handle.clone())
        .into_make_service_with_connect_info::<CutSwitch>();
    let stopping = handle.clone();
    let server = axum::serve(CutListener::new(listener), app).with_graceful_shutdown(async move {
        shutdown.await;
        stopping.stop(true);
    });
    tokio::select! {
        ended = async { server.await } => ended.map_err(EmbeddedError::Serve),
        () = async {
            handle.stopped().await;
            tokio::time::sleep(GRACE).await;
        } => Ok(()),
    }
}
