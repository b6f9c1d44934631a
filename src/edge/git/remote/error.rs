//! What can go wrong with a remote, in words for people.

use std::error::Error;
use std::time::Duration;

use crate::edge::git::GitError;

/// A fetch that brought nothing. The clone that was there is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// It stays so until somebody acts, here or at the server: a wrong
    /// password, an unknown host key, an address that leads nowhere.
    #[error("{why}")]
    Refused {
        /// A sentence: what, where, and what to do.
        why: String,
    },
    /// The server answers, but what is wanted is not there (any more, or yet):
    /// no commit, no such branch. The last commit that was fetched stays
    /// readable.
    #[error("{why}")]
    Missing {
        /// A sentence: what, where, and what to do.
        why: String,
    },
    /// It may go next time by itself: network, time-out, 5xx, garbage.
    #[error("{why}")]
    Unavailable {
        /// A sentence: what, where, and what to do.
        why: String,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The clone cannot be written: a full disk, missing rights.
    #[error("{why}")]
    Disk {
        /// A sentence: what, where, and what to do.
        why: String,
        /// What the system or libgit2 said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The clone on disk is not what it was, so it was not built upon; or the
    /// server sent less than it should.
    #[error("{why}")]
    Damaged {
        /// A sentence: what, and where.
        why: String,
    },
    /// libgit2 refused its settings.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The stop that was asked for.
    #[error("the fetch was stopped")]
    Stopped,
}

impl RemoteError {
    /// Whether it may pass by itself. What does not pass by itself needs no
    /// restart either: every file is read anew at the next fetch.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Missing { .. } | Self::Git(_) => false,
            Self::Unavailable { .. } | Self::Disk { .. } | Self::Damaged { .. } | Self::Stopped => {
                true
            }
        }
    }

    /// How long the server asks to be left alone, an hour at most.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    pub(super) fn missing(why: impl Into<String>) -> Self {
        Self::Missing { why: why.into() }
    }

    pub(super) fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable { why: why.into(), retry_after: None }
    }

    /// For what fails on this machine: `what` is a verb and its object.
    pub(super) fn disk<E>(what: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Error + Send + Sync + 'static,
    {
        let what = what.into();
        move |source| {
            // libgit2 hands the system's words on, but not its number.
            let full = source.to_string().contains("No space left");
            let remedy = if full {
                "the disk is full; make room in the state directory"
            } else {
                "may this user write in the state directory?"
            };
            Self::Disk { why: format!("cannot {what}: {remedy}"), source: source.into() }
        }
    }
}
