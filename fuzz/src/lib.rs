//! What is fuzzed, one module a target: `check` takes any bytes and panics
//! when a promise is broken. `cargo fuzz` calls it (`fuzz_targets/`), and so
//! does `cargo test` with the seeds, the found cases and mutations of both
//! (`tests/prove/fuzz.rs`).

mod parts;
mod placed;
mod scan;
mod served;
pub mod answers;
pub mod canonical;
pub mod configuration;
pub mod escapes;
pub mod git_answers;
pub mod json_source;
pub mod names;
pub mod schema;
pub mod state;
pub mod webhook;
pub mod yaml_source;

/// What a target does with an input: it panics if a promise is broken.
pub type Check = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Check); 11] = [
    ("answers", answers::check),
    ("canonical", canonical::check),
    ("configuration", configuration::check),
    ("escapes", escapes::check),
    ("git_answers", git_answers::check),
    ("json_source", json_source::check),
    ("names", names::check),
    ("schema", schema::check),
    ("state", state::check),
    ("webhook", webhook::check),
    ("yaml_source", yaml_source::check),
];
