//! The only modules that touch the outside: disk, network, clock.

pub mod store;
