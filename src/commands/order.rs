//! What is asked of the pass of a command that ends.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::cli::Drift;
use crate::config::PassConfig;
use crate::cycle::{Again, Order};
use crate::domain::item::Digest;
use crate::domain::plan::Scope;

/// A pass that somebody waits for: everything is tried now.
pub(super) fn order(pass: &PassConfig, stop: watch::Receiver<bool>) -> Order {
    Order {
        scope: if pass.drift == Drift::Off { Scope::New } else { Scope::All },
        rate: u32::MAX,
        patience: Duration::ZERO,
        hurry: stop.clone(),
        again: Again::Now,
        correct_drift: pass.drift == Drift::Correct,
        prune: pass.prune,
        allow_deletes: pass.allow_deletes,
        max_updates: pass.max_updates,
        approved: None,
        // What was rejected is tried again, whatever it was rejected with.
        setting: Digest::of(b""),
        now: Timestamp::UNIX_EPOCH,
        stop,
    }
}
