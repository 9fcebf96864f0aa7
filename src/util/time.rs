//! Waits: how often they check, and points of time beyond the clock's range.

use std::time::{Duration, Instant};

/// Longest time in which a wait does not check its deadline and signals.
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

/// A stopwatch that leaves out the time during which this program stood still (stopped by a signal, frozen, blocked in a
/// write): what a peer sent meanwhile has not been looked at, so it is not the peer that was silent.
///
/// Only what lies between two looks that follow each other closely is counted, so it has to be looked at in every turn of
/// a loop whose waits are no longer than [`POLL_INTERVAL`].
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    elapsed: Duration,
    looked: Instant,
}

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Self {
        Stopwatch { elapsed: Duration::ZERO, looked: Instant::now() }
    }

    /// The time since the beginning, without standstills.
    pub fn elapsed(&mut self) -> Duration {
        self.look(Instant::now())
    }

    fn look(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.looked);
        // One wait is counted even of a standstill: there may have been one.
        self.elapsed += if passed > STANDSTILL { POLL_INTERVAL } else { passed };
        self.looked = now;
        self.elapsed
    }
}

/// From one look to the next passes a wait and a little work; so much more than that is a standstill. Not less, because a
/// machine with too much to do makes programs wait as well.
const STANDSTILL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_is_not_counted() {
        let ms = Duration::from_millis;
        let mut watch = Stopwatch::start();
        let mut now = watch.looked;
        for _ in 0..10 {
            now += ms(200);
            watch.look(now);
        }
        assert_eq!(watch.look(now), ms(2000));
        assert_eq!(watch.look(now + ms(60_000)), ms(2200));
        assert_eq!(watch.look(now + ms(60_500)), ms(2700));
        assert_eq!(watch.look(now), ms(2700), "clocks that go back");
    }

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
