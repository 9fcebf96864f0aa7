//! Timestamps, their echoes, and the retransmission timeout that follows from them (RFC 7016 §3.5.2.2).
//!
//! ```text
//! timestamp   clock in units of 4 ms, modulo 2¹⁶
//! echo        the peer's last timestamp, plus the time that passed since it came
//! ```

/// The clocks of a session, as packets tell of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    /// The peer's last timestamp, and when it came.
    peer: Option<(u16, u64)>,
    last_echo: Option<u16>,
    smoothed_ms: Option<u64>,
    variation_ms: u64,
    timeout_ms: u64,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { peer: None, last_echo: None, smoothed_ms: None, variation_ms: 0, timeout_ms: FIRST_TIMEOUT_MS }
    }

    /// A packet came with these times.
    pub(super) fn received(&mut self, timestamp: Option<u16>, echo: Option<u16>, now_ms: u64) {
        if let Some(timestamp) = timestamp {
            self.peer = Some((timestamp, now_ms));
        }
        let ticks = echo.map(|echo| timestamp_of(now_ms).wrapping_sub(echo)).filter(|ticks| *ticks <= MAX_TICKS);
        if let Some(ticks) = ticks {
            self.measure(u64::from(ticks) * TICK_MS);
        }
    }

    fn measure(&mut self, round_trip_ms: u64) {
        match self.smoothed_ms {
            None => {
                self.smoothed_ms = Some(round_trip_ms);
                self.variation_ms = round_trip_ms / 2;
            }
            Some(smoothed) => {
                self.variation_ms = (3 * self.variation_ms + smoothed.abs_diff(round_trip_ms)) / 4;
                self.smoothed_ms = Some((7 * smoothed + round_trip_ms) / 8);
            }
        }
        self.timeout_ms = self.measured_timeout_ms().max(LEAST_TIMEOUT_MS);
    }

    fn measured_timeout_ms(&self) -> u64 {
        self.smoothed_ms.map_or(LEAST_TIMEOUT_MS, |smoothed| smoothed + 4 * self.variation_ms + ACK_DELAY_MS)
    }

    /// Timestamp and echo of a packet that is sent now. An echo that would say nothing new is left out.
    pub(super) fn stamps(&mut self, now_ms: u64) -> (u16, Option<u16>) {
        let peer = self.peer.filter(|(_, came_ms)| now_ms.saturating_sub(*came_ms) < FORGOTTEN_AFTER_MS);
        let echo =
            peer.map(|(timestamp, came_ms)| timestamp.wrapping_add((now_ms.saturating_sub(came_ms) / TICK_MS) as u16));
        let echo = echo.filter(|_| echo != self.last_echo);
        self.last_echo = echo.or(self.last_echo);
        (timestamp_of(now_ms), echo)
    }

    /// After what time without an acknowledgement data counts as lost, in milliseconds.
    pub(super) fn timeout_ms(&self) -> u64 {
        self.timeout_ms
    }

    /// That time is over.
    pub(super) fn back_off(&mut self) {
        let longer = (self.timeout_ms * 1414 / 1000).min(LONGEST_TIMEOUT_MS);
        self.timeout_ms = self.measured_timeout_ms().max(longer);
    }
}

/// The timestamp for a time of the clock.
pub(super) fn timestamp_of(now_ms: u64) -> u16 {
    (now_ms / TICK_MS) as u16
}

/// Unit of timestamps, in milliseconds.
const TICK_MS: u64 = 4;

/// Longest round trip that is believed, in ticks.
const MAX_TICKS: u16 = 32_767;

/// How long acknowledgements may be held back, in milliseconds.
const ACK_DELAY_MS: u64 = 200;

const FIRST_TIMEOUT_MS: u64 = 3_000;
const LEAST_TIMEOUT_MS: u64 = 250;
const LONGEST_TIMEOUT_MS: u64 = 10_000;

/// A timestamp of the peer is too old to be echoed after this time, in milliseconds.
const FORGOTTEN_AFTER_MS: u64 = 128_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_measure_the_round_trip() {
        let (mut a, mut b) = (Clock::new(), Clock::new());
        assert_eq!(a.timeout_ms(), FIRST_TIMEOUT_MS);
        // 100 ms each way, and 40 ms between receipt and answer.
        let (timestamp, echo) = a.stamps(1_000_000);
        assert_eq!(echo, None);
        b.received(Some(timestamp), None, 100);
        let (timestamp, echo) = b.stamps(140);
        assert_eq!(echo, Some(timestamp_of(1_000_040)));
        a.received(Some(timestamp), echo, 1_000_240);
        assert_eq!((a.smoothed_ms, a.timeout_ms()), (Some(200), 200 + 4 * 100 + 200));
        assert_eq!(b.stamps(142), (35, None), "nothing new");
        a.received(None, echo, 1_000_240);
        assert_eq!(a.timeout_ms(), 200 + 4 * 75 + 200);
    }

    #[test]
    fn the_timeout_grows_and_is_bounded() {
        let mut clock = Clock::new();
        clock.received(None, Some(timestamp_of(1000)), 1000);
        assert_eq!(clock.timeout_ms(), LEAST_TIMEOUT_MS);
        clock.back_off();
        assert_eq!(clock.timeout_ms(), 353);
        (0..50).for_each(|_| clock.back_off());
        assert_eq!(clock.timeout_ms(), LONGEST_TIMEOUT_MS);
    }

    #[test]
    fn old_and_impossible_times_are_left_out() {
        let mut clock = Clock::new();
        clock.received(Some(7), Some(timestamp_of(2000)), 1000);
        assert_eq!(clock.timeout_ms(), FIRST_TIMEOUT_MS, "an echo of the future");
        assert_eq!(clock.stamps(1000 + FORGOTTEN_AFTER_MS).1, None);
        assert_eq!(clock.stamps(1000 + 262_144 - 4).0, timestamp_of(996 + 262_144));
    }
}
