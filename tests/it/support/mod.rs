//! What tests share.

pub(crate) mod market;
pub(crate) mod repo;
