//! Who publishes one generation after the other, and when.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::moving::Moving;

/// Somebody who publishes, and when.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) stop: AtomicBool,
    pub(crate) begun: AtomicU64,
    pub(crate) done: AtomicU64,
    /// From when to when each generation was published.
    moments: Mutex<Vec<Moment>>,
}

struct Moment {
    from: Timestamp,
    to: Timestamp,
    rested: Duration,
}

/// Whoever rests for longer in the middle of what he writes cannot be told from
/// somebody who is done: a directory counts as still after 200 ms, and a write
/// may be seen as late as the one before it as early as possible.
const REST: Duration = Duration::from_millis(90);

impl Writer {
    pub(crate) fn publish_all(&self, moving: &mut dyn Moving, mut chance: fastrand::Rng) {
        let mut generation = 1;
        while !self.stop.load(Ordering::SeqCst) {
            generation += 1;
            self.begun.store(generation, Ordering::SeqCst);
            let from = Timestamp::now();
            moving.publish(generation, &mut chance);
            let to = Timestamp::now();
            let from = if moving.is_atomic() { to } else { from };
            let rested = moving.rested();
            self.moments.lock().unwrap().push(Moment { from, to, rested });
            self.done.store(generation, Ordering::SeqCst);
        }
    }

    /// Whether the source moved between two times.
    pub(crate) fn moved(&self, span: (Timestamp, Timestamp)) -> bool {
        self.within(span).0
    }

    /// Whether somebody rested in the middle of what he wrote.
    pub(crate) fn rested(&self, span: (Timestamp, Timestamp)) -> bool {
        self.within(span).1 > REST
    }

    fn within(&self, (from, to): (Timestamp, Timestamp)) -> (bool, Duration) {
        let moments = self.moments.lock().unwrap();
        let within = moments.iter().filter(|moment| moment.from <= to && moment.to >= from);
        within.fold((false, Duration::ZERO), |(_, most), moment| (true, most.max(moment.rested)))
    }
}

/// Stops a writer, also if the test fails.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
