//! The tests that hold the decision table, the canonical form, the ledger and
//! the rules, alone: what `tests/prove/run mutants` runs for each mutant,
//! which is built anew for each. All of them are part of `it` as well.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets what it did not expect has failed"
)]

#[path = "../it/canon.rs"]
mod canon;
#[path = "../it/pass_rules.rs"]
mod pass_rules;
#[path = "../it/plan_laws.rs"]
mod plan_laws;
#[path = "../it/plan_table.rs"]
mod plan_table;
#[expect(dead_code, reason = "shared with the other tests, which use the rest")]
#[path = "../it/support/mod.rs"]
mod support;
