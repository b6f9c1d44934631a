//! The tests of marketsync: one binary, one module for each topic.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where something is not as it must be; the lints know #[test] functions only"
)]

mod config;
mod store;
