//! How long to wait before another try.

use std::time::Duration;

use jiff::Timestamp;

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

/// The longest time that a server can make us wait with `Retry-After`. A date
/// far off must not put the program to sleep for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// How long `Retry-After` asks to wait: seconds, or a date (RFC 9110 §10.2.3).
pub fn asked(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let asked = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let parser = jiff::fmt::rfc2822::DateTimeParser::new();
        let date = parser.parse_timestamp(text).ok()?;
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(asked.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FIRST_PAUSE, LONGEST_PAUSE, MAX_RETRY_AFTER, asked, pause};

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let longest = |failures| (0..500).map(|_| pause(failures)).max().unwrap_or_default();
        assert!(longest(1) <= FIRST_PAUSE);
        assert!(longest(4) > FIRST_PAUSE && longest(4) <= Duration::from_secs(8));
        assert!(longest(u32::MAX) > LONGEST_PAUSE / 2 && longest(u32::MAX) <= LONGEST_PAUSE);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_has_an_end() {
        let now = "2024-11-06T08:49:30Z".parse().unwrap();
        assert_eq!(asked(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(asked("Wed, 06 Nov 2024 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(asked("Wed, 06 Nov 2024 08:49:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(asked("18446744073709551615", now), Some(MAX_RETRY_AFTER));
        assert_eq!(asked("Thu, 31 Dec 9998 23:59:59 GMT", now), Some(MAX_RETRY_AFTER));
        assert_eq!(asked("soon", now), None);
    }
}
