//! The beat on which a remote repository is fetched.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{debug, info, warn};

use super::Common;
use crate::commands::failure;
use crate::domain::standing::Fetching;
use crate::edge::backoff;
use crate::edge::git::remote::{Fetched, Remote, RemoteError};
use crate::edge::metrics;

/// How far from its time a fetch may begin, so that many processes do not come
/// together (`practice.md` §4).
const JITTER: f64 = 0.05;

/// The least time between two tries of what was refused: each may be a failed
/// sign-in that somebody counts.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// What a fetch tells, and whom.
pub(super) struct Fetcher {
    pub(super) remote: Arc<Remote>,
    pub(super) every: Duration,
    pub(super) common: Common,
}

impl Fetcher {
    /// Fetches until it is asked to stop. A fetch that fails is told once for
    /// as long as it fails in the same way.
    pub(super) async fn run(self) {
        let mut failures = 0;
        let mut last = Fetching::default();
        while !*self.common.stop.borrow() {
            let result = self.remote.fetch(self.common.stop.clone()).await;
            if matches!(result, Err(RemoteError::Stopped)) {
                return;
            }
            failures = if result.is_ok() { 0 } else { failures + 1 };
            last = self.told(&result, &last);
            self.common.standing.send_modify(|standing| {
                Arc::make_mut(standing).fetching = Some(last.clone());
            });
            let mut stop = self.common.stop.clone();
            let (floor, pause) = pauses(self.every, &result, failures);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.called(floor) => {}
                _ = stop.wait_for(|stopped| *stopped) => return,
            }
        }
    }

    /// Waits until somebody called, but at least so long.
    async fn called(&self, floor: Duration) {
        tokio::time::sleep(floor).await;
        self.common.called.notified().await;
    }

    fn told(&self, result: &Result<Fetched, RemoteError>, last: &Fetching) -> Fetching {
        let counted = match result {
            Ok(Fetched::Moved) => metrics::Fetched::Moved,
            Ok(Fetched::Unchanged) => metrics::Fetched::Unchanged,
            Err(_) => metrics::Fetched::Error,
        };
        self.common.metrics.fetched(counted);
        match result {
            Ok(fetched) => {
                if last.error.is_some() {
                    info!("Fetched again");
                }
                if *fetched == Fetched::Moved {
                    self.common.moved.notify_one();
                }
                Fetching { fetched: Some(Timestamp::now()), error: None }
            }
            Err(error) => {
                let reason = failure::line(error);
                if last.error.as_ref() == Some(&reason) {
                    debug!(reason, "Fetch failed");
                } else {
                    warn!(reason, "Fetch failed");
                }
                Fetching { error: Some(reason), fetched: last.fetched }
            }
        }
    }
}

/// How long until the next fetch: at least, whoever calls, and if nobody calls.
///
/// What may pass by itself is tried again soon, at first; the rest on the beat.
/// A server is never asked sooner than it said, and one that refuses us not at
/// every call.
fn pauses(
    every: Duration,
    result: &Result<Fetched, RemoteError>,
    failures: u32,
) -> (Duration, Duration) {
    let beat = every.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0));
    let Err(error) = result else { return (Duration::ZERO, beat) };
    let asked = error.retry_after().unwrap_or_default();
    if error.is_transient() {
        (asked, backoff::pause(failures).min(beat).max(asked))
    } else {
        (REFUSED_PAUSE.min(beat), beat)
    }
}
