//! The tests of marketsync: one binary, one module for each topic. Every file
//! of this folder has its line here; a test (`architecture`) sees to it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets what it did not expect has failed"
)]
#![expect(clippy::print_stderr, reason = "a test that is skipped says why")]

mod annotations;
mod approval;
mod architecture;
mod canon;
mod catalog;
mod catalog_again;
mod catalog_digest;
mod client;
mod config;
mod daemon;
mod delta;
mod diffs;
mod directory;
mod doubts;
mod embedded;
mod embedded_faults;
mod exits;
mod export;
mod faults;
mod faults_beside;
mod git;
mod history;
mod hook;
mod metrics;
mod pass;
mod pass_drift;
mod pass_rules;
mod pass_sources;
mod plan_laws;
mod plan_table;
mod readme;
mod remote;
mod report;
mod reports;
mod schema_cost;
mod serve;
mod signals;
mod source;
mod standing;
mod status_url;
mod store;
mod streams;
mod support;
mod watch;
