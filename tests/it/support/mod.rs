//! What several topics of tests share.

pub(crate) mod domain;
pub(crate) mod memory_tree;
