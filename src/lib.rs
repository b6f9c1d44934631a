//! marketsync keeps a Mia-Platform Marketplace in step with a git repository.

pub mod domain;
pub mod edge;
pub mod cli;
pub mod config;
