//! `status`: what the state file knows, without a lock and without network; or
//! what a running process says of itself.

use std::path::Path;

use jiff::Timestamp;
use tracing::info;
use url::Url;

use crate::cli::Format;
use crate::commands::failure::CommandError;
use crate::commands::{Exit, print};
use crate::domain::report::{json, text};
use crate::domain::standing::page;
use crate::edge::probe;
use crate::edge::store::Store;

/// Shows every item that the state in `dir` knows.
pub fn of_state(dir: &Path, format: Format, now: Timestamp) -> Result<Exit, CommandError> {
    let Some(store) = Store::read_only(dir)? else {
        return Err(CommandError::NoState { dir: dir.to_owned() });
    };
    info!(state = %dir.display(), "Reading");
    let status = store.status()?;
    print(format, || text::status(&status, now), || json::status(&status))?;
    Ok(if status.is_good() { Exit::Good } else { Exit::Trouble })
}

/// Shows where the process stands that listens at `url`, and every item that
/// it knows.
pub async fn of_process(url: &Url, format: Format, now: Timestamp) -> Result<Exit, CommandError> {
    let answer = probe::status(url).await?;
    let shown =
        || format!("{}\n{}", page::text(&answer.page, now), text::status(&answer.items, now));
    print(format, shown, || answer.document.clone())?;
    Ok(if answer.page.is_good() { Exit::Good } else { Exit::Trouble })
}
