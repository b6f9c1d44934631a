//! What several topics of tests share.

pub mod domain;
pub mod memory_tree;
