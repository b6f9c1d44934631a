//! What the process shows and hears over HTTP: whether it lives, whether it is
//! ready, what it counts, where it stands; and the call of a forge that
//! something was pushed.
//!
//! A connection serves one request and has 15 s for it, whatever it is waiting
//! for; when there are too many, the oldest one goes. So nobody who is slow,
//! silent or many keeps a probe waiting. Nothing here waits for the loop that
//! makes the passes, and the loop never waits for anything here.

mod connection;
mod shared;
mod hooked;
mod routes;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::domain::standing::Standing;
use crate::edge::heartbeat::Heartbeat;
use crate::edge::hook::{self, Hook};
use crate::edge::metrics::Metrics;

use connection::Bounded;
use shared::Shared;

/// What is shown, and who is called.
pub struct Serving {
    /// What `/metrics` answers.
    pub metrics: Metrics,
    /// What `/status` and `/readyz` answer.
    pub standing: watch::Receiver<Arc<Standing>>,
    /// What `/healthz` answers.
    pub heart: Heartbeat,
    /// How long nothing may make progress before `/healthz` says so.
    pub patience: Duration,
    /// What `/hook` calls; none: there is no such address.
    pub hook: Option<Hook>,
    /// Set when the process is asked to stop: then it is not ready any more.
    pub stop: watch::Receiver<bool>,
    /// The state directory, for the items of `/status?items=true`.
    pub state: PathBuf,
}

/// How long requests in flight may take once the server stops.
const GRACE: Duration = Duration::from_secs(3);

/// Serves until `shutdown` ends. Then no further connection is accepted, and
/// requests in flight have 3 s to end. [`Serving::stop`] may come before: the
/// server then says that the process stops, and goes on.
///
/// # Errors
/// None today: an accept that fails is tried again.
pub async fn serve(
    listener: TcpListener,
    serving: Serving,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let shared = Arc::new(Shared::new(serving));
    let (stopping, mut stopped) = watch::channel(false);
    let server = axum::serve(Bounded::new(listener), routes::router(Arc::clone(&shared)))
        .with_graceful_shutdown(async move {
            shutdown.await;
            stopping.send_replace(true);
        });
    let pace = async {
        match &shared.serving.hook {
            Some(hook) => hook::pace(&shared.genuine, &hook.called).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = async { server.await } => ended,
        () = pace => Ok(()),
        () = async {
            // An error says that the server has ended, and it is told above.
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(GRACE).await;
        } => Ok(()),
    }
}
