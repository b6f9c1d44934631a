//! The only modules that touch the outside.

pub mod marketplace;
