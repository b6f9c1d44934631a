//! marketsync keeps a Mia-Platform Marketplace in step with a git repository.
#![expect(missing_docs, reason = "scaffold")]

pub mod domain;
pub mod embedded;
