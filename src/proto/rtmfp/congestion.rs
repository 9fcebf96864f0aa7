//! How much may be on its way (RFC 7016 §3.5.2.3, appendix A; RFC 5681): slow start, additive increase, multiplicative
//! decrease.
//!
//! Does not know flows, and does not measure time.

use super::outgoing::FRAGMENT;

/// The congestion window of a session, in bytes.
#[derive(Debug)]
pub(super) struct Congestion {
    window: usize,
    /// Below it the window doubles in a round trip.
    threshold: usize,
    in_flight: usize,
    /// The window was reduced for what was lost before this transmission.
    recovers_until: Option<u64>,
    /// Packets with data since the last acknowledgement.
    burst: u32,
}

impl Congestion {
    pub(super) fn new() -> Self {
        Self { window: INITIAL, threshold: usize::MAX, in_flight: 0, recovers_until: None, burst: 0 }
    }

    /// Whether another packet with data may be sent.
    pub(super) fn has_room(&self) -> bool {
        self.burst < MAX_BURST && (self.in_flight == 0 || self.in_flight + FRAGMENT <= self.window)
    }

    /// A packet with so many bytes of data is sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.in_flight += bytes;
        self.burst += 1;
    }

    /// An acknowledgement came; so many bytes that were on their way have arrived.
    pub(super) fn acknowledged(&mut self, bytes: usize) {
        // A window that was not used says nothing about the path.
        let was_used = self.in_flight + 2 * FRAGMENT >= self.window;
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.burst = 0;
        if was_used && bytes > 0 {
            let step = if self.window < self.threshold { bytes } else { (FRAGMENT * bytes / self.window).max(1) };
            self.window = (self.window + step).min(LARGEST);
        }
    }

    /// So many bytes were lost, the last of them in `transmission`; `next` is the transmission that comes next. Media that is
    /// stale soon gives way less: what it sends is bounded by what is recorded.
    pub(super) fn lost(&mut self, bytes: usize, transmission: u64, next: u64, is_time_critical: bool) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        if self.recovers_until.is_some_and(|until| transmission < until) {
            return;
        }
        self.recovers_until = Some(next);
        let reduced = if is_time_critical { self.window / 8 * 7 } else { self.window / 2 };
        self.threshold = reduced.max(INITIAL);
        self.window = self.threshold;
    }

    /// Nothing was acknowledged in time: all that was on its way counts as lost.
    pub(super) fn timed_out(&mut self, next: u64) {
        self.threshold = (self.window / 4 * 3).max(INITIAL);
        self.window = AFTER_TIMEOUT;
        self.in_flight = 0;
        self.burst = 0;
        self.recovers_until = Some(next);
    }
}

/// The window at first, and the least one after a loss.
const INITIAL: usize = 4 * FRAGMENT;

/// The window after a timeout.
const AFTER_TIMEOUT: usize = 2 * FRAGMENT;

/// The largest window: as much as fits into the largest buffer that receivers advertise.
const LARGEST: usize = 16 << 20;

/// Packets with data that may follow each other without an acknowledgement (§3.5.2.3).
const MAX_BURST: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as much as there is room for.
    fn fill(congestion: &mut Congestion) -> usize {
        let before = congestion.in_flight;
        while congestion.has_room() {
            congestion.sent(FRAGMENT);
        }
        congestion.in_flight - before
    }

    #[test]
    fn it_doubles_until_a_loss_and_adds_after_it() {
        let mut congestion = Congestion::new();
        assert_eq!(fill(&mut congestion), INITIAL);
        congestion.acknowledged(INITIAL);
        assert_eq!(congestion.window, 2 * INITIAL);
        assert_eq!(fill(&mut congestion), MAX_BURST as usize * FRAGMENT, "never more than six at once");
        congestion.acknowledged(0);
        congestion.window = 100 * FRAGMENT;
        while fill(&mut congestion) > 0 {
            congestion.acknowledged(0);
        }
        congestion.lost(FRAGMENT, 7, 100, false);
        assert_eq!(congestion.window, 50 * FRAGMENT);
        congestion.lost(FRAGMENT, 99, 120, false);
        assert_eq!(congestion.window, 50 * FRAGMENT, "lost before it was reduced");
        congestion.lost(FRAGMENT, 100, 120, true);
        assert!(congestion.window > 40 * FRAGMENT, "media gives way less");
        let before = congestion.window;
        congestion.acknowledged(before);
        assert!(congestion.window - before <= FRAGMENT);
    }

    #[test]
    fn a_timeout_begins_small_and_a_window_without_use_does_not_grow() {
        let mut congestion = Congestion::new();
        congestion.window = 100 * FRAGMENT;
        congestion.sent(FRAGMENT);
        congestion.acknowledged(FRAGMENT);
        assert_eq!(congestion.window, 100 * FRAGMENT);
        congestion.timed_out(9);
        assert_eq!((congestion.window, congestion.in_flight), (AFTER_TIMEOUT, 0));
        assert_eq!(congestion.threshold, 75 * FRAGMENT);
        for _ in 0..10_000 {
            fill(&mut congestion);
            congestion.acknowledged(congestion.in_flight);
        }
        assert!(congestion.window <= LARGEST);
        congestion.lost(usize::MAX, 9, 10, false);
        assert_eq!(congestion.in_flight, 0);
    }
}
