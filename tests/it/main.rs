//! The one test binary.

mod canon;
mod delta;
mod source;
mod directory;
mod git;
//! The tests of marketsync: one binary, one module for each topic.
mod store;
