//! Canaries in every place where a secret can be.
