//! SIGTERM and SIGINT: the first asks to stop, the second stops.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::commands::failure::CommandError;

/// The numbers of the signals that end a process (POSIX).
const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

/// How long a call in flight may take once the process is asked to stop:
/// Kubernetes kills after 30 s (`practice.md` §4).
const GRACE: Duration = Duration::from_secs(25);

/// The signals, caught from now on.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    stop: watch::Sender<bool>,
}

impl Signals {
    /// Catches both. The process handles them itself, also as PID 1.
    pub fn catch() -> Result<Self, CommandError> {
        let catch = |kind| {
            signal(kind).map_err(|source| CommandError::System { what: "handle signals", source })
        };
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            stop: watch::Sender::new(false),
        })
    }

    /// Set when the first signal came: no further request may start.
    pub fn stop(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => SIGINT,
            _ = self.terminate.recv() => SIGTERM,
        }
    }

    /// Runs `work` to its end, or drops it where it stands at the first signal,
    /// and returns that: for work that leaves nothing half done.
    pub async fn interrupt<T>(&mut self, work: impl Future<Output = T>) -> Result<T, u8> {
        tokio::select! {
            done = work => Ok(done),
            signal = self.next() => Err(signal),
        }
    }

    /// Runs `work` to its end. After the first signal it is asked to stop;
    /// after the second, or 25 s later, it is dropped where it stands. Returns its result, if
    /// it came to one, and the first signal.
    pub async fn guard<T>(&mut self, work: impl Future<Output = T>) -> (Option<T>, Option<u8>) {
        tokio::pin!(work);
        let signal = tokio::select! {
            done = &mut work => return (Some(done), None),
            signal = self.next() => signal,
        };
        self.stop.send_replace(true);
        tokio::select! {
            done = &mut work => (Some(done), Some(signal)),
            _ = self.next() => (None, Some(signal)),
            () = tokio::time::sleep(GRACE) => (None, Some(signal)),
        }
    }
}
