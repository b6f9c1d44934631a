//! How long to wait before another try.

use std::time::Duration;

/// The longest first pause after something failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause (`practice.md` §4): somebody waits for the item.
pub const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The pause after so many failures in a row: it doubles, and each is drawn
/// from its whole length ("full jitter"), so that many clients of one server do
/// not come back together.
pub fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let longest = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    longest.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FIRST_PAUSE, LONGEST_PAUSE, pause};

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let longest = |failures| (0..500).map(|_| pause(failures)).max().unwrap_or_default();
        assert!(longest(1) <= FIRST_PAUSE);
        assert!(longest(4) > FIRST_PAUSE && longest(4) <= Duration::from_secs(8));
        assert!(longest(u32::MAX) > LONGEST_PAUSE / 2 && longest(u32::MAX) <= LONGEST_PAUSE);
    }
}
