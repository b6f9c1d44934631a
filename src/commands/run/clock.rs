//! The clock that people set, beside the one that only counts.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Both clocks at one moment: the one that counts and the one that people set.
pub(super) struct Clock {
    steady: Instant,
    pub(super) wall: Timestamp,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: Timestamp::now() }
    }

    /// How far the clock was set since this moment.
    pub(super) fn set_by(&self, now: &Self) -> SignedDuration {
        let passed = now.steady.duration_since(self.steady);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        now.wall.duration_since(self.wall).saturating_sub(passed)
    }
}

/// A clock that was set by more than this is told, and what waits for it waits
/// no longer.
pub(super) const CLOCK_SET: SignedDuration = SignedDuration::from_mins(1);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::Clock;

    #[test]
    fn only_what_somebody_set_counts() {
        let then = Clock::now();
        let later = Clock {
            steady: then.steady + Duration::from_secs(90),
            wall: then.wall + SignedDuration::from_secs(90),
        };
        assert_eq!(then.set_by(&later), SignedDuration::ZERO);
        let back = Clock { wall: later.wall - SignedDuration::from_hours(1), ..later };
        assert_eq!(then.set_by(&back), SignedDuration::from_hours(-1));
    }
}
