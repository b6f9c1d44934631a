//! `export`: what the marketplace holds as files, ready to commit.

use crate::commands::Exit;
use crate::commands::failure::CommandError;
use crate::config::ExportConfig;

/// Not there yet.
pub async fn export(_config: &ExportConfig) -> Result<Exit, CommandError> {
    Err(CommandError::NoClone)
}
