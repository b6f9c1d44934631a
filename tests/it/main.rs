//! The tests of marketsync: one binary, one module for each topic.

mod support;

mod canon;
mod delta;
mod directory;
mod git;
mod source;
mod config;
mod store;
mod embedded;
mod embedded_faults;
