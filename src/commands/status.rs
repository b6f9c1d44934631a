//! `status`: what the state file knows, without a lock and without network.

use jiff::Timestamp;
use tracing::info;

use crate::commands::failure::CommandError;
use crate::commands::{Exit, print};
use crate::config::StatusConfig;
use crate::domain::report::{json, text};
use crate::edge::store::Store;

/// Shows every item that is known.
pub fn status(config: &StatusConfig, now: Timestamp) -> Result<Exit, CommandError> {
    let Some(store) = Store::read_only(&config.state)? else {
        return Err(CommandError::NoState { dir: config.state.clone() });
    };
    info!(state = %config.state.display(), "Reading");
    let status = store.status()?;
    print(config.format, || text::status(&status, now), || json::status(&status))?;
    Ok(if status.is_good() { Exit::Good } else { Exit::Trouble })
}
