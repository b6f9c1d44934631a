//! What touches the outside: the only modules that do.

pub mod directory;
pub mod git;
pub mod source;
pub mod watch;
pub mod marketplace;
pub mod store;
pub mod telemetry;
