//! The daemon as its users meet it: the built program follows a source, and
//! the marketplace, the log and the addresses show what it did.

mod drift;
mod failure;
mod folders;
mod life;
mod outside;
mod prune;
mod refusals;
mod remote;
mod state;
mod watching;

use serde_json::Value;

use crate::support::cli::Bench;
use crate::support::documents::{set, sidecar};

/// A sidecar with this description.
fn told(item_id: &str, description: &str) -> Value {
    set(sidecar(item_id), "/description", description)
}

/// The description that the marketplace has.
fn description(bench: &Bench, item_id: &str) -> String {
    let stored = bench.stored(item_id, "NA").unwrap_or_default();
    stored["description"].as_str().unwrap_or_default().to_owned()
}
