//! Where the source is, what tells that it moved, and how it is opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::commands::remote::Opened;
use crate::commands::standards::options;
use crate::config::{Location, SourceConfig};
use crate::edge::git::remote::Remote;
use crate::edge::heartbeat::Heartbeat;
use crate::edge::metrics::Metrics;
use crate::edge::source::{Source, SourceError};
use crate::edge::watch::{Mode, Wakes, Watch};

/// How long a clone is used that was made because the one before could not be
/// read.
const CLONED_AGAIN_AFTER: Duration = Duration::from_hours(1);

/// Where the source is, and what tells that it moved.
pub(super) struct Place {
    kind: Kind,
    config: SourceConfig,
    /// Whether it was a git repository when it was last opened.
    was_git: bool,
    /// When a clone was last said to be damaged.
    distrusted: Option<Instant>,
}

enum Kind {
    /// On this machine.
    Here { location: PathBuf, watch: Box<Watch>, mode: Mode },
    /// Elsewhere; the fetcher tells when it moved.
    Remote(Arc<Remote>),
}

impl Place {
    /// Watches a source on this machine; a remote one is followed by whoever
    /// fetches it.
    /// `was_git` says whether an earlier process read it as a git repository.
    pub(super) fn new(
        config: SourceConfig,
        remote: Option<Arc<Remote>>,
        was_git: bool,
    ) -> Option<Self> {
        let kind = match (&config.location, remote) {
            (_, Some(remote)) => Kind::Remote(remote),
            (Location::Here(location), None) => {
                let watch = Box::new(Watch::start(location));
                Kind::Here { location: location.clone(), watch, mode: Mode::Events }
            }
            (Location::Remote(_), None) => return None,
        };
        Some(Self { kind, config, was_git, distrusted: None })
    }

    /// What tells that a source on this machine may have moved.
    pub(super) fn wakes(&self) -> Option<Wakes> {
        match &self.kind {
            Kind::Here { watch, .. } => Some(watch.wakes()),
            Kind::Remote(_) => None,
        }
    }

    /// Watches what the path of the source leads to now. Comes before it is
    /// opened: what moves after that wakes.
    pub(super) fn follow(&mut self, metrics: &Metrics, poll: Duration) {
        let Kind::Here { watch, mode, .. } = &mut self.kind else { return };
        watch.follow();
        metrics.watch_events(watch.events());
        if watch.mode() == mode {
            return;
        }
        mode.clone_from(watch.mode());
        match mode {
            Mode::Events => info!("The source is watched again"),
            Mode::Partly { why } => warn!(why, ?poll, "A part of the source is polled"),
            Mode::Polling { why } => warn!(why, ?poll, "The source is polled"),
        }
    }

    /// Opens the source anew: what is behind its path may be another
    /// repository by now. `why` says why the last fetch failed, if it did.
    pub(super) fn open(
        &mut self,
        why: Option<String>,
        heart: &Heartbeat,
    ) -> Result<Opened, SourceError> {
        let (location, opened) = match &self.kind {
            Kind::Here { location, .. } => {
                let source = Source::open(&options(&self.config, location.clone()))?;
                (location.clone(), Opened::here(source))
            }
            Kind::Remote(remote) => {
                let clone = remote.current().ok_or(SourceError::NotFetched { why })?;
                (clone.path(), Opened::from_clone(&self.config, clone)?)
            }
        };
        if self.was_git && !opened.source.is_git() {
            // A volume that is not mounted looks like an empty directory.
            return Err(SourceError::NoLongerGit { path: location });
        }
        self.was_git = opened.source.is_git();
        Ok(opened.with_heart(heart.clone()))
    }

    /// A clone that cannot be read is made anew by the next fetch.
    /// What is damaged at its origin is not fetched whole again and again.
    pub(super) fn distrust(&mut self, error: &SourceError) {
        let Kind::Remote(remote) = &self.kind else { return };
        let lately = self.distrusted.is_some_and(|at| at.elapsed() < CLONED_AGAIN_AFTER);
        if error.is_damage() && !lately {
            self.distrusted = Some(Instant::now());
            remote.distrust();
        }
    }
}
