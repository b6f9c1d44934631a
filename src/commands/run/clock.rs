//! The clock that people set, beside the one that only counts.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Both clocks at one moment: the one that counts and the one that people set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    steady: Instant,
    pub(super) wall: Timestamp,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: Timestamp::now() }
    }

    /// Goes on to `now`; the clock was set if this says by how much.
    ///
    /// As long as it was not, each moment is later than the one before, also
    /// while the clock stands still or was set back a little: what waits for a
    /// time of day must see it come.
    pub(super) fn go_on(&mut self, now: Self) -> Option<SignedDuration> {
        let passed = now.steady.duration_since(self.steady);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let expected = self.wall.saturating_add(passed).unwrap_or(Timestamp::MAX);
        let set_by = now.wall.duration_since(expected);
        if set_by.abs() > CLOCK_SET {
            *self = now;
            return Some(set_by);
        }
        let wall = if now.wall > self.wall { now.wall } else { expected };
        *self = Self { wall, ..now };
        None
    }
}

/// A clock that was set by more than this is told, and what waits for it waits
/// no longer.
const CLOCK_SET: SignedDuration = SignedDuration::from_mins(1);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::Clock;

    /// The moment after so many seconds, at which the clock says so many.
    fn after(then: Clock, steady: u64, wall: i64) -> Clock {
        let (steady, wall) = (Duration::from_secs(steady), SignedDuration::from_secs(wall));
        Clock { steady: then.steady + steady, wall: then.wall + wall }
    }

    #[test]
    fn only_what_somebody_set_counts() {
        let then = Clock::now();
        let mut clock = then;
        assert_eq!(clock.go_on(after(then, 90, 90)), None);
        let hour = SignedDuration::from_hours(1);
        assert_eq!(clock.go_on(after(then, 90, 90 - 3600)), Some(-hour));
        assert_eq!(clock.wall, then.wall + SignedDuration::from_secs(90) - hour);
        assert_eq!(clock.go_on(after(then, 91, 91)), Some(hour));
    }

    #[test]
    fn time_goes_on_while_the_clock_does_not() {
        let then = Clock::now();
        let mut clock = then;
        let at = |seconds| then.wall + SignedDuration::from_secs(seconds);
        for second in [20_i64, 40, 60] {
            assert_eq!(clock.go_on(after(then, second.unsigned_abs(), 0)), None);
            assert_eq!(clock.wall, at(second), "it stands still");
        }
        // That it does must be seen some time.
        assert!(clock.go_on(after(then, 61, 0)).is_some());
        let mut clock = then;
        assert_eq!(clock.go_on(after(then, 10, -20)), None);
        assert_eq!(clock.wall, at(10), "it was set back a little");
        assert_eq!(clock.go_on(after(then, 40, 41)), None);
        assert_eq!(clock.wall, at(41), "it is right again");
    }
}
