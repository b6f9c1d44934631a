//! `diff`: the line up to *check*; nothing is sent and nothing is written.

use crate::commands::Exit;
use crate::commands::failure::CommandError;
use crate::config::DiffConfig;

/// Not there yet.
pub async fn diff(_config: &DiffConfig) -> Result<Exit, CommandError> {
    Err(CommandError::NoClone)
}
