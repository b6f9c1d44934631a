//! What touches the outside: the only modules that do.

pub mod directory;
pub mod address;
pub mod secret;
pub mod git;
pub mod source;
pub mod marketplace;
pub mod store;
pub mod telemetry;
