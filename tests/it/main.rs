//! One binary for the tests of every topic.

mod canon;
mod catalog;
mod catalog_again;
mod catalog_digest;
mod delta;
mod plan_laws;
mod plan_table;
mod report;
mod source;
mod support;
