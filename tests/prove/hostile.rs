//! Repositories that somebody made to do harm.
