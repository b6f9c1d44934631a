//! How long a server is waited for, and how much of it is taken.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::error::RemoteError;
use crate::domain::text;
use crate::edge::secrets::Secrets;

/// More packs than this, and the clone is made anew: each fetch leaves one,
/// and every object that is looked for is looked for in all of them.
pub(super) const MAX_PACKS: usize = 50;

/// The most objects of a pack, and the most files and folders of a commit. A
/// pass looks at a million. The index is built in memory, some 200 bytes each,
/// so 200 MB: what fits into the memory that the manifests of `deploy` give.
pub(super) const MAX_OBJECTS: u32 = 1_000_000;

/// The most entries in all folders of a commit, each distinct folder counted
/// once. Few folders of the same files could be as long as one likes: four
/// times the files is what no catalogue has.
pub(super) const MAX_ENTRIES: usize = 4_000_000;

/// The largest sum of a commit's distinct folders, in bytes: each is inflated
/// and parsed. A million entries are some 64 MiB.
pub(super) const MAX_TREES_BYTES: u64 = 1024 * 1024 * 1024;

/// Bounds of one fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands (TLS or SSH not yet spoken).
    pub connect: Duration,
    /// The longest silence of the server. A server is silent while it counts
    /// objects, so less than a minute fails for large repositories.
    pub idle: Duration,
    /// The whole fetch, however busy the server seems.
    pub whole: Duration,
    /// The longest list of refs, in bytes. It is read as it comes, and only
    /// the wanted ones are kept; a million refs are some 64 MiB.
    pub refs_bytes: u64,
    /// The largest pack, in bytes: what the disk of a state must hold.
    pub pack_bytes: u64,
}

impl Default for Limits {
    /// 10 s, 60 s, 30 min, 64 MiB and 2 GiB.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            whole: Duration::from_mins(30),
            refs_bytes: 64 * 1024 * 1024,
            pack_bytes: 2 * 1024 * 1024 * 1024,
        }
    }
}

/// What ends every wait of a fetch.
#[derive(Clone)]
pub(super) struct Guard {
    stop: watch::Receiver<bool>,
    until: Instant,
    pub(super) limits: Limits,
    /// Who is waited for.
    pub(super) host: String,
    /// What the server gets to see, and may repeat.
    pub(super) secrets: Secrets,
}

impl Guard {
    pub(super) fn new(stop: watch::Receiver<bool>, limits: Limits, host: String) -> Self {
        let until = Instant::now() + limits.whole;
        Self { stop, until, limits, host, secrets: Secrets::default() }
    }

    /// Somebody else's words for an error, at most so many characters of them,
    /// and without what is secret.
    pub(super) fn words(&self, said: &str, longest: usize) -> String {
        text::cut(&self.secrets.words(said.trim(), longest), longest)
    }

    /// The result, unless `longest` or the time for the whole fetch passes
    /// before, or the program is told to stop.
    pub(super) async fn wait<T>(
        &self,
        longest: Duration,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, RemoteError> {
        let mut stop = self.stop.clone();
        let stopped = async {
            if stop.wait_for(|stop| *stop).await.is_err() {
                // Whoever could say so is gone.
                std::future::pending::<()>().await;
            }
        };
        let until = self.until.min(Instant::now() + longest);
        tokio::select! {
            biased;
            () = stopped => Err(RemoteError::Stopped),
            result = tokio::time::timeout_at(until, future) => {
                result.map_err(|_| self.too_slow(what, longest))
            }
        }
    }

    /// The same for an answer of the server.
    pub(super) async fn answer<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, RemoteError> {
        self.wait(self.limits.idle, what, future).await
    }

    fn too_slow(&self, what: &str, longest: Duration) -> RemoteError {
        let host = &self.host;
        RemoteError::unavailable(if Instant::now() >= self.until {
            let whole = self.limits.whole.as_secs_f32();
            format!("{host} did not finish {what}: a fetch may take {whole} s in all")
        } else {
            let longest = longest.as_secs_f32();
            format!(
                "{host} was silent for {longest} s during {what}; is it overloaded, or a proxy in the way?"
            )
        })
    }
}

/// Work on the disk, on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RemoteError> + Send + 'static,
) -> Result<T, RemoteError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| RemoteError::unavailable(format!("work on the clone ended: {error}")))?
}
