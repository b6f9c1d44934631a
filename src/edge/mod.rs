//! What touches the outside: the only modules that do.

pub mod directory;
pub mod git;
