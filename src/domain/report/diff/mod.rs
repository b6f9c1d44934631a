//! The renderings of a [`Diff`](crate::domain::diff::Diff): one description,
//! for a terminal, a program, a pull request and a browser.
//!
//! Whatever a file or a server says stands in a line that begins with a word
//! or a sign of ours, so that no line of it is a command to the system that
//! shows the report.

mod safe;
mod words;
mod rows;
pub mod text;
pub mod json;
pub mod markdown;
pub mod html;
