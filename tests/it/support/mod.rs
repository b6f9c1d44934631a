//! What several topics need.

pub(crate) mod repo;
//! What tests share.
pub(crate) mod market;
