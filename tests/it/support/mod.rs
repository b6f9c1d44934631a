//! What tests share.

pub(crate) mod cli;
pub(crate) mod daemon;
pub(crate) mod diffs;
pub(crate) mod documents;
pub(crate) mod domain;
pub(crate) mod front;
pub(crate) mod git_server;
pub(crate) mod market;
pub(crate) mod memory_tree;
pub(crate) mod repo;
pub(crate) mod scripted;
pub(crate) mod shop;
pub(crate) mod sshd;
pub(crate) mod storm;
