//! One binary for the tests of every topic.

mod canon;
mod delta;
mod plan_laws;
mod plan_table;
mod source;
mod support;
