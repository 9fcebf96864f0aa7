//! A recording of a slow live stream does not wake for each packet: a file has no use for a frame the moment it comes.

use std::time::Duration;

/// Says when to sleep between two reads, so that one brings what would have taken several.
#[derive(Debug, Default)]
pub struct Naps {
    /// Bytes received when last asked.
    received: u64,
    /// Reads to go without a sleep.
    awake: u32,
}

impl Naps {
    /// How long to sleep before the next read of a connection that has received `bytes` so far; nothing if the last read
    /// brought so much, or one not long ago, that the peer might have to wait for us.
    pub fn next(&mut self, bytes: u64) -> Option<Duration> {
        let new = bytes.saturating_sub(self.received);
        self.received = bytes;
        self.awake = if new >= BUSY_BYTES { AWAKE_READS } else { self.awake.saturating_sub(1) };
        (new > 0 && self.awake == 0).then_some(NAP)
    }
}

/// A stream that has not been live for as long may still be sending what it has in store.
pub const FIRST_AFTER: Duration = Duration::from_secs(5);
/// A ping is answered this much later at the most.
const NAP: Duration = Duration::from_millis(50);
/// More than this in the time of a nap (2 Mbit/s) is no slow stream. A quarter of the smallest receive window.
const BUSY_BYTES: u64 = 12 << 10;
/// A keyframe alone makes no fast stream, but who knows.
const AWAKE_READS: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_stream_naps_and_a_fast_one_does_not() {
        let mut naps = Naps::default();
        assert_eq!(naps.next(1_000), Some(NAP));
        assert_eq!(naps.next(7_000), Some(NAP));
        // Nothing came: the read itself waits.
        assert_eq!(naps.next(7_000), None);
        assert_eq!(naps.next(8_000), Some(NAP));
        let mut bytes = 8_000;
        for _ in 0..100 {
            bytes += BUSY_BYTES;
            assert_eq!(naps.next(bytes), None);
        }
        let quiet = (0..AWAKE_READS)
            .map(|_| {
                bytes += 10;
                naps.next(bytes)
            })
            .collect::<Vec<_>>();
        assert_eq!(quiet.iter().filter(|nap| nap.is_some()).count(), 1);
        assert_eq!(quiet.last(), Some(&Some(NAP)));
    }

    #[test]
    fn another_connection_begins_its_count_again() {
        let mut naps = Naps::default();
        assert_eq!(naps.next(5_000), Some(NAP));
        assert_eq!(naps.next(100), None);
        assert_eq!(naps.next(200), Some(NAP));
    }
}
