//! The tests of marketsync: one binary, one module for each topic.

mod config;
mod store;
