//! What marketsync knows and decides. Pure: no clock, disk, network,
//! environment or async; a test (`tests/it/architecture.rs`) holds it to that.
//!
//! The modules stand in reading order: each uses only those above it.

pub mod text;
pub mod path;
pub mod item;
pub mod images;
pub mod source;
pub mod mask;
pub mod canon;
pub mod delta;
pub mod compare;
pub mod schema_cost;
pub mod schema_secrets;
pub mod schema;
pub mod tree;
pub mod schema_files;
pub mod pictures;
pub mod follow;
pub mod candidate;
pub mod event;
pub mod ledger;
pub mod retries;
pub mod looks;
pub mod rules;
pub mod seen;
pub mod standards;
mod draft;
pub mod manifest;
pub mod catalog;
pub mod export;
pub mod plan;
pub mod approval;
pub mod diff;
pub mod status;
pub mod past;
pub mod report;
pub mod standing;
