//! Every test of marketsync that needs more than one module.

mod client;
mod support;
