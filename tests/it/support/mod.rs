//! What tests share.

pub(crate) mod cli;
pub(crate) mod market;
pub(crate) mod repo;
