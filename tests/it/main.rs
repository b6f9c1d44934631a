//! The one test binary.

mod canon;
mod delta;
mod source;
mod directory;
mod git;
mod support;
