//! What tests share.

pub(crate) mod market;
