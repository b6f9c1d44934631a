//! `history`: what was done to one item, from the state.

use crate::commands::Exit;
use crate::commands::failure::CommandError;
use crate::config::HistoryConfig;

/// Not there yet.
pub fn history(_config: &HistoryConfig, _now: jiff::Timestamp) -> Result<Exit, CommandError> {
    Err(CommandError::NoClone)
}
