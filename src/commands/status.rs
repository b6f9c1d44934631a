//! `status`: what the state file knows, without a lock and without network.

use jiff::Timestamp;
use tracing::info;

use crate::commands::failure::CommandError;
use crate::commands::{Exit, print};
use crate::config::StatusConfig;
use crate::domain::report::{json, text};
use crate::domain::status::{LastResult, LastTry, Status};
use crate::edge::store::{Past, PastResult, Store};

/// Shows every item that is known.
pub fn status(config: &StatusConfig, now: Timestamp) -> Result<Exit, CommandError> {
    let Some(store) = Store::read_only(&config.state)? else {
        return Err(CommandError::NoState { dir: config.state.clone() });
    };
    info!(state = %config.state.display(), "Reading");
    let tries =
        store.last_results()?.into_iter().map(|(key, past)| (key, last_try(past))).collect();
    let status = Status::of(&store.load_ledger()?, &tries, store.last_commit()?.as_ref());
    print(config.format, || text::status(&status, now), || json::status(&status))?;
    Ok(if status.is_good() { Exit::Good } else { Exit::Trouble })
}

fn last_try(past: Past) -> LastTry {
    let result = match past.result {
        PastResult::Done(verb) => LastResult::Done { verb },
        PastResult::Transient(why) => LastResult::Failed { why },
        PastResult::Rejected(why) => LastResult::Rejected { why },
    };
    LastTry { at: past.at, commit: past.commit, result }
}
