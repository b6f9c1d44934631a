//! A source elsewhere, and its clone in the state directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::commands::failure::CommandError;
use crate::commands::standards::options;
use crate::config::{Location, SourceConfig};
use crate::daemon::until_settled;
use crate::domain::event::Rest;
use crate::edge::git::remote::{Limits, LocalClone, Remote, RemoteError, RemoteOptions};
use crate::edge::heartbeat::Heartbeat;
use crate::edge::source::{Source, SourceError};

/// The folder of the clone in the state directory.
const CLONE: &str = "clone";

/// The remote that the configuration names, if it names one. No network is
/// used.
pub(super) fn open(config: &SourceConfig, state: &Path) -> Result<Option<Remote>, CommandError> {
    let Location::Remote(remote) = &config.location else {
        return Ok(None);
    };
    let options = RemoteOptions {
        url: remote.url.clone(),
        wanted: remote.wanted.clone(),
        access: remote.access.clone(),
        dir: state.join(CLONE),
        limits: Limits::default(),
    };
    Ok(Some(Remote::open(options)?))
}

/// A source, and the clone that it is read from.
pub(super) struct Opened {
    pub(super) source: Source,
    /// Keeps the folder of the clone from going away.
    _clone: Option<Arc<LocalClone>>,
}

impl Opened {
    /// A source on this machine.
    pub(super) fn here(source: Source) -> Self {
        Self { source, _clone: None }
    }

    /// A source that is read from its clone.
    pub(super) fn from_clone(
        config: &SourceConfig,
        clone: Arc<LocalClone>,
    ) -> Result<Self, SourceError> {
        let source = Source::open(&options(config, clone.path()))?;
        Ok(Self { source, _clone: Some(clone) })
    }

    /// Each file that is read beats this heart.
    pub(super) fn with_heart(self, heart: Heartbeat) -> Self {
        Self { source: self.source.with_heart(heart), ..self }
    }
}

/// A remote source for one run: it is fetched, for `patience` if the way to it
/// fails. The state must be locked.
pub(super) async fn open_once(
    config: &SourceConfig,
    state: &Path,
    patience: Duration,
    stop: watch::Receiver<bool>,
    wait: impl Fn(&RemoteError, Duration),
) -> Result<Opened, CommandError> {
    let remote = open(config, state)?.ok_or(CommandError::NoClone)?;
    fetch(&remote, patience, stop, wait).await?;
    let clone = remote.current().ok_or(CommandError::NoClone)?;
    Ok(Opened::from_clone(config, clone)?)
}

async fn fetch(
    remote: &Remote,
    patience: Duration,
    stop: watch::Receiver<bool>,
    wait: impl Fn(&RemoteError, Duration),
) -> Result<(), RemoteError> {
    let last = std::cell::RefCell::new(None);
    let fetch = async || match remote.fetch(stop.clone()).await {
        Ok(_) => Ok(Rest::Settled),
        Err(error) if error.is_transient() => {
            let after = error.retry_after();
            last.replace(Some(error));
            Ok(Rest::Retry { after })
        }
        Err(error) => Err(error),
    };
    let again = |_: &RemoteError| Rest::Settled;
    let tell = |pause| {
        if let Some(error) = last.borrow().as_ref() {
            wait(error, pause);
        }
    };
    let rest = until_settled(patience, stop.clone(), fetch, again, tell).await?;
    match (rest, last.into_inner()) {
        (Rest::Settled, _) | (_, None) => Ok(()),
        (_, Some(error)) => Err(error),
    }
}
