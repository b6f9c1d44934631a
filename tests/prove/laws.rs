//! The laws of `docs/architecture.md` over random histories of the real pass.
