//! Every test of marketsync that needs more than one module.

#[cfg(test)]
mod client;
#[cfg(test)]
mod support;
