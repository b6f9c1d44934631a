//! Crashes: killed at any moment, and at every system call that changes the state.
