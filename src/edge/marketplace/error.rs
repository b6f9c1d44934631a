//! What ends a call, a look round or a sending.

use std::time::Duration;

use crate::domain::event::NOT_ASKED;

/// How far a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// There was no connection: the server knows nothing of it.
    NeverSent,
    /// It may have been carried out; its answer did not come, or makes no
    /// sense.
    AnswerLost,
    /// The server answered that it did not do it now.
    Declined,
}

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no token that the server takes. Ends the pass.
    #[error("{why}")]
    Auth {
        /// What was refused, and what to do.
        why: String,
    },
    /// The server refuses the whole request. Ends the pass.
    #[error("{why}")]
    Refused {
        /// Its status.
        status: u16,
        /// What it means, and what to do.
        why: String,
    },
    /// No request can be made of this item: its names make no address. Says
    /// nothing of other items.
    #[error("{why}")]
    Unsendable {
        /// What is wrong with it.
        why: String,
    },
    /// It may work next time.
    #[error("{why}")]
    Unavailable {
        /// What happened.
        why: String,
        /// How long the server asked to wait.
        retry_after: Option<Duration>,
        /// How far the request got.
        reach: Reach,
    },
}

/// Why nothing is asked of a server that asked for it (`Retry-After`).
pub(super) fn left_alone() -> String {
    format!("{NOT_ASKED}the marketplace asked to be left alone for a while")
}

impl CallError {
    /// Whether the same call may work later, with nothing changed here.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            Self::Auth { .. } | Self::Refused { .. } | Self::Unsendable { .. } => None,
        }
    }

    pub(super) fn lost(why: String) -> Self {
        Self::Unavailable { why, retry_after: None, reach: Reach::AnswerLost }
    }
}

/// Why nothing can be said about the marketplace.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError<S: std::error::Error + 'static> {
    /// The source could not be read.
    #[error("an item that is wanted cannot be read again")]
    Source(#[source] S),
    /// The marketplace refuses to be looked at, or could not be reached for
    /// the first call.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why a sending ended before its end. What was told to the sink before
/// stands.
#[derive(Debug, thiserror::Error)]
pub enum SendError<S: std::error::Error + 'static, E> {
    /// The source could not be read.
    #[error("an item that is to be sent cannot be read again")]
    Source(#[source] S),
    /// The marketplace refuses whole requests, or could not be reached for the
    /// first call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The sink refused an outcome.
    #[error("what was sent cannot be recorded")]
    Sink(E),
}
