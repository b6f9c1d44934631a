//! The daemon over many beats: nothing of it grows.
