//! What all waits have in common: how often they look up, and points of time that no clock reaches.

use std::time::{Duration, Instant};

/// Longest time any wait goes without a look at its deadline and at signals.
pub const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// Longer than any run: what stands for a time limit that the clock cannot express.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The point of time `limit` after `start`; one that is too far for the clock is a hundred years away.
pub fn later(start: Instant, limit: Duration) -> Instant {
    start.checked_add(limit).unwrap_or(start + FOREVER)
}

/// So many seconds; `None` if they are negative or no number. More than a hundred years become a hundred years, so that
/// sums of a few of them are still durations.
pub fn seconds(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(FOREVER).min(FOREVER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_too_long() {
        let now = Instant::now();
        assert_eq!(later(now, Duration::from_secs(1)), now + Duration::from_secs(1));
        assert_eq!(later(now, Duration::MAX), now + FOREVER);
    }

    #[test]
    fn seconds_that_no_clock_knows() {
        assert_eq!(seconds(1.5), Some(Duration::from_millis(1500)));
        assert_eq!(seconds(0.0), Some(Duration::ZERO));
        for long in [1e19, f64::MAX, f64::INFINITY] {
            assert_eq!(seconds(long), Some(FOREVER));
        }
        for bad in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(seconds(bad), None);
        }
    }
}
