//! One test binary; a topic is a module.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod embedded;
mod embedded_faults;
mod support;
