//! Sources that move while they are read.
