//! The one test binary.

mod directory;
mod git;
mod support;
