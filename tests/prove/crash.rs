//! Crashes: killed at any moment, at every system call that changes the state,
//! without a disk, and with a clock that somebody sets.
//!
//! What holds after each: the state opens and is whole; what the log says is
//! so and is recorded; what is recorded is so; the next pass sends nothing
//! that was recorded, and everything else; nothing is deleted that was not
//! removed.

mod calls;
mod catalogue;
mod clock;
mod disk;
mod kept;
mod killed;
mod scene;
mod victim;
