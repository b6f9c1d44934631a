//! When a pass stops asking a server that does not answer.

use super::error::{CallError, Reach};
use super::http::Reply;

/// Failures in a row. A server that is down must not be asked for every item
/// of a catalogue, each time until the time-out.
#[derive(Debug, Default)]
pub(super) struct Streak {
    weight: u32,
    why: String,
}

impl Streak {
    /// Failures of this weight in a row close the way for the rest of a pass:
    /// 32 requests that came to nothing, or 4 without a connection.
    const LIMIT: u32 = 32;

    pub(super) fn note(&mut self, error: Option<&CallError>) {
        match error {
            None => *self = Self::default(),
            Some(CallError::Unavailable { why, reach, .. }) => {
                self.weight += if *reach == Reach::NeverSent { Self::LIMIT / 4 } else { 1 };
                self.why.clone_from(why);
            }
            Some(
                CallError::Auth { .. } | CallError::Refused { .. } | CallError::Unsendable { .. },
            ) => {}
        }
    }

    /// Notes an answer that nobody has judged yet: "not now" is a failure,
    /// every other is a sign of life.
    pub(super) fn note_reply(&mut self, result: Result<&Reply, &CallError>) {
        match result {
            Ok(reply) if reply.is_trouble() => {
                self.weight += 1;
                self.why = format!("{}: {}", reply.status, reply.words());
            }
            Ok(_) => self.note(None),
            Err(err) => self.note(Some(err)),
        }
    }

    pub(super) fn broken(&self) -> Option<&str> {
        (self.weight >= Self::LIMIT).then_some(&self.why)
    }
}
