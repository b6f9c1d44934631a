//! Who publishes one generation after the other, and when.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::Timestamp;

use super::moving::Moving;

/// Somebody who publishes, and when.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) stop: AtomicBool,
    pub(crate) begun: AtomicU64,
    pub(crate) done: AtomicU64,
    /// From when to when each generation was published.
    moments: Mutex<Vec<(Timestamp, Timestamp)>>,
}

impl Writer {
    pub(crate) fn publish_all(&self, moving: &mut dyn Moving, mut chance: fastrand::Rng) {
        let mut generation = 1;
        while !self.stop.load(Ordering::SeqCst) {
            generation += 1;
            self.begun.store(generation, Ordering::SeqCst);
            let from = Timestamp::now();
            moving.publish(generation, &mut chance);
            let to = Timestamp::now();
            self.done.store(generation, Ordering::SeqCst);
            let from = if moving.is_atomic() { to } else { from };
            self.moments.lock().unwrap().push((from, to));
        }
    }

    /// Whether the source moved between two times.
    pub(crate) fn moved(&self, (from, to): (Timestamp, Timestamp)) -> bool {
        self.moments.lock().unwrap().iter().any(|(began, ended)| *began <= to && *ended >= from)
    }
}

/// Stops a writer, also if the test fails.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
