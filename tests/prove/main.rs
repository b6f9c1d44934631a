//! Proof by attack (`docs/reliability.md`): the built program among faults,
//! crashes, torn sources and hostile input. Each module is one proof and
//! prints what it did as a table.
//!
//! `cargo test` runs the short forms. `tests/prove/run` runs also what needs
//! tools of the system, and with `long` everything at length.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a proof that meets what it did not expect has failed"
)]
#![expect(clippy::print_stdout, reason = "a proof shows what it did")]
#![expect(clippy::print_stderr, reason = "a proof that is skipped says why")]

mod crash;
mod findings;
mod fuzz;
#[expect(unreachable_pub, reason = "a library to the fuzzer")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzzed;
mod hostile;
mod laws;
mod matrix;
mod secrets;
mod soak;
#[expect(dead_code, reason = "shared with the other tests, which use the rest")]
#[path = "../it/support/mod.rs"]
mod support;
mod torn;
mod world;
