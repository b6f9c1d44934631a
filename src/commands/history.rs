//! `history`: what was done to one item, from the state, without a lock and
//! without network.

use tracing::info;

use crate::commands::failure::CommandError;
use crate::commands::{Exit, print};
use crate::config::HistoryConfig;
use crate::domain::report::history::{json, text};
use crate::domain::source::nearest;
use crate::edge::store::Store;

/// How many versions are named to somebody who asked for another one.
const VERSIONS_NAMED: usize = 10;

/// Shows what the state remembers of an item.
pub fn history(config: &HistoryConfig) -> Result<Exit, CommandError> {
    let Some(store) = Store::read_only(&config.state)? else {
        return Err(CommandError::NoState { dir: config.state.clone() });
    };
    info!(state = %config.state.display(), "Reading");
    let trail = store.history(&config.item_id, config.version.as_ref(), config.limit)?;
    if trail.changes.is_empty() && trail.older == 0 {
        return Err(unknown(&store, config)?);
    }
    print(config.format, || text(&trail), || json(&trail))?;
    Ok(Exit::Good)
}

/// There is nothing to show: what might have been meant.
fn unknown(store: &Store, config: &HistoryConfig) -> Result<CommandError, CommandError> {
    let HistoryConfig { item_id, version, state, .. } = config;
    let keys = store.with_history()?;
    let versions = keys.iter().filter(|key| key.item_id == *item_id).map(|key| &key.version);
    let versions: Vec<String> = versions.map(ToString::to_string).collect();
    let hint = if !versions.is_empty() {
        let named = versions.iter().take(VERSIONS_NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = if versions.len() > VERSIONS_NAMED { ", …" } else { "" };
        format!("there is one of {named}{more}")
    } else if let Some(near) =
        nearest(item_id.as_str(), keys.iter().map(|key| key.item_id.as_str()))
    {
        format!("did you mean `{near}`?")
    } else {
        "`marketsync status` lists the items that the state knows; a history is kept for 400 days"
            .to_owned()
    };
    let item = match version {
        Some(version) => format!("{item_id}@{version}"),
        None => item_id.to_string(),
    };
    Ok(CommandError::NoHistory { dir: state.clone(), item, hint })
}
