//! The tests of marketsync: one binary, one module for each topic. Every file
//! of this folder has its line here; a test (`architecture`) sees to it.

mod support;

mod architecture;
mod canon;
mod config;
mod delta;
mod directory;
mod embedded;
mod embedded_faults;
mod git;
mod source;
mod store;
