//! marketsync keeps a Mia-Platform Marketplace (Software Catalog) in step with
//! a git repository: commit an item file, and the item is **Created** or
//! **Updated**; nothing else is touched.
//!
//! The whole program is one line, and every command is a prefix of it:
//!
//! ```text
//! head → read → load → observe → plan → check → send → settle → save
//! ```
//!
//! The modules stand in reading order: each uses only those above it, and
//! `tests/it/architecture.rs` holds them to that.

pub mod domain;
pub mod edge;
pub mod embedded;
pub mod daemon;
pub mod cycle;
pub mod cli;
pub mod config;
pub mod commands;
