//! How long the peer has brought nothing, as far as it is the peer's fault: time in which this program did not listen (it was
//! stopped, or waited for a disk) does not count.

use std::time::{Duration, Instant};

/// Counts from the last progress.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgressClock {
    since: Instant,
    /// When the last wait ended.
    returned: Instant,
    /// The limit was passed, and the read after that brought something: the next one decides.
    looked_again: bool,
}

impl ProgressClock {
    /// Begins now.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, returned: now, looked_again: false }
    }

    /// The peer has brought something that counts.
    pub(super) fn restart(&mut self, now: Instant) {
        self.since = now;
        self.looked_again = false;
    }

    /// How long it has brought nothing.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// The caller is back to wait: what it did in between is its own affair.
    pub(super) fn begin_wait(&mut self, now: Instant) {
        self.discount(now, now.saturating_duration_since(self.returned));
    }

    /// A wait that was to last until `until` is over.
    pub(super) fn end_wait(&mut self, now: Instant, until: Instant) {
        self.discount(now, now.saturating_duration_since(until));
        self.returned = now;
    }

    /// Whether the limit is passed. Then the next read must not wait, and decides: see [`ProgressClock::is_over`].
    pub(super) fn is_late(&self, limit: Option<Duration>, now: Instant) -> bool {
        limit.is_some_and(|limit| self.silence(now) >= limit)
    }

    /// Whether the peer is to be given up after a read that followed a passed limit: it found nothing, or it is not the first
    /// such read, and what the one before brought was no progress.
    pub(super) fn is_over(&mut self, found_something: bool) -> bool {
        let is_over = !found_something || self.looked_again;
        self.looked_again = true;
        is_over
    }

    fn discount(&mut self, now: Instant, gap: Duration) {
        if gap >= OWN_GAP {
            self.since = (self.since + gap).min(now);
        }
    }
}

/// A gap of this length in our own loop is no fault of the peer's.
const OWN_GAP: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(200);
    const LIMIT: Option<Duration> = Some(Duration::from_secs(2));

    /// Waits for ticks in which nothing comes; returns the time after them.
    fn listen(clock: &mut ProgressClock, mut now: Instant, ticks: u32) -> Instant {
        for _ in 0..ticks {
            clock.begin_wait(now);
            let until = now + TICK;
            now = until + Duration::from_millis(1);
            clock.end_wait(now, until);
        }
        now
    }

    #[test]
    fn silence_counts_while_we_listen() {
        let start = Instant::now();
        let mut clock = ProgressClock::new(start);
        let now = listen(&mut clock, start, 9);
        assert!(!clock.is_late(LIMIT, now) && !clock.is_late(None, now));
        let now = listen(&mut clock, now, 1);
        assert!(clock.is_late(LIMIT, now) && clock.is_over(false));
        clock.restart(now);
        assert!(!clock.is_late(LIMIT, now) && clock.silence(now).is_zero());
    }

    #[test]
    fn our_own_standstill_does_not_count() {
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        // In the caller: a slow disk. In the wait: the program was stopped.
        for stopped_in_wait in [false, true] {
            let mut clock = ProgressClock::new(start);
            let now = listen(&mut clock, start, 5);
            let before = clock.silence(now);
            let now = if stopped_in_wait {
                clock.begin_wait(now);
                clock.end_wait(now + TICK + minute, now + TICK);
                now + TICK + minute
            } else {
                clock.begin_wait(now + minute);
                now + minute
            };
            assert!(clock.silence(now) <= before + TICK, "{:?}", clock.silence(now));
            assert!(!clock.is_late(LIMIT, now));
        }
    }

    #[test]
    fn bytes_without_progress_delay_the_end_by_one_read() {
        let start = Instant::now();
        let mut clock = ProgressClock::new(start);
        let now = listen(&mut clock, start, 10);
        assert!(clock.is_late(LIMIT, now));
        assert!(!clock.is_over(true), "what came may be what was waited for");
        assert!(clock.is_over(true), "it was not");
    }
}
