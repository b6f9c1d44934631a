//! What touches the outside: the only modules that do.

pub mod backoff;
pub mod heartbeat;
pub mod directory;
pub mod folder;
pub mod address;
pub mod secret;
pub mod secrets;
pub mod git;
pub mod source;
pub mod watch;
pub mod marketplace;
pub mod store;
pub mod metrics;
pub mod hook;
pub mod telemetry;
pub mod serve;
pub mod probe;
