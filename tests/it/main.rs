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
//! The one test binary. Every file of this folder has its line here; a test
//! (`architecture`) sees to it.
mod architecture;
