//! When a recording does not read at once what comes: each read costs the machine more than the bytes it brings, and a
//! little later there is more to read.
//!
//! A slow live stream that goes into a file wakes it a few times a second: a file has no use for a frame the moment it comes.
//! A fast stream whose server sends it in small pieces is read some milliseconds at a time.

use std::time::{Duration, Instant};

/// Says when to sleep between two reads, so that one brings what would have taken several.
#[derive(Debug, Default)]
pub struct Naps {
    /// Bytes received when last asked.
    received: u64,
    /// Reads to go without the sleep of a slow stream.
    awake: u32,
    rush: Rush,
}

impl Naps {
    /// How long to sleep before the next read of a connection that has received `bytes` so far. Never if the last read, or
    /// one not long ago, brought so much that the peer might have to wait for us. `may_be_late`: nobody waits for frames.
    pub fn next(&mut self, bytes: u64, now: Instant, may_be_late: bool) -> Option<Duration> {
        let new = bytes.saturating_sub(self.received);
        self.received = bytes;
        self.awake = if new >= BUSY_BYTES { AWAKE_READS } else { self.awake.saturating_sub(1) };
        if new == 0 {
            return None;
        }
        self.rush.next(new, now).or_else(|| (may_be_late && self.awake == 0).then_some(NAP))
    }
}

/// A stream that comes fast, in small pieces.
#[derive(Debug, Default)]
struct Rush {
    /// The present stretch of reads: when it began, how many there were, and what they brought.
    since: Option<Instant>,
    reads: u32,
    full_reads: u32,
    bytes: u64,
    nap: Option<Duration>,
    /// Bytes in a second before there were naps, and stretches with them since then.
    rate_before: u64,
    napped: u32,
    /// Stretches to go without, and how many that were the last time.
    pause: u32,
    last_pause: u32,
}

impl Rush {
    fn next(&mut self, new: u64, now: Instant) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        self.reads += 1;
        self.bytes += new;
        self.full_reads += u32::from(new >= FULL_READ);
        if self.reads == STRETCH {
            let elapsed = now.saturating_duration_since(since).as_micros().max(1);
            self.judge(u64::try_from(u128::from(self.bytes) * 1_000_000 / elapsed).unwrap_or(u64::MAX));
            (self.since, self.reads, self.full_reads, self.bytes) = (Some(now), 0, 0, 0);
        }
        self.nap.filter(|_| new < FULL_READ)
    }

    fn judge(&mut self, rate: u64) {
        let is_fast = rate >= FAST;
        match self.nap {
            None if self.pause > 0 => self.pause -= 1,
            None if is_fast && self.bytes < SMALL_READ * u64::from(STRETCH) => {
                (self.rate_before, self.napped) = (rate, 0);
                self.nap = Some(nap_at(rate));
            }
            None => {}
            Some(_) if !is_fast => self.nap = None,
            // It came faster before: the peer waits for us.
            Some(_) if self.full_reads > STRETCH / 4 || rate < self.rate_before / 4 * 3 => {
                let last = if self.napped < GOOD_STRETCHES { self.last_pause } else { 0 };
                self.last_pause = (last * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                (self.nap, self.pause) = (None, self.last_pause);
            }
            Some(_) => {
                self.napped = self.napped.saturating_add(1);
                self.nap = Some(nap_at(rate));
            }
        }
    }
}

/// As long as a read of [`GOOD_READ`] takes to come together.
fn nap_at(rate: u64) -> Duration {
    Duration::from_micros(GOOD_READ * 1_000_000 / rate.max(1)).min(LONGEST_RUSH_NAP)
}

/// A stream that has not been live for as long may still be sending what it has in store.
pub const FIRST_AFTER: Duration = Duration::from_secs(5);
/// A ping is answered this much later at the most.
const NAP: Duration = Duration::from_millis(50);
/// More than this in the time of a nap (2 Mbit/s) is no slow stream. A quarter of the smallest receive window.
const BUSY_BYTES: u64 = 12 << 10;
/// A keyframe alone makes no fast stream, but who knows.
const AWAKE_READS: u32 = 16;

/// Bytes in a second from which on a stream is fast: nothing that is watched as it comes.
const FAST: u64 = 4_000_000;
/// Reads over which that is judged.
const STRETCH: u32 = 32;
/// Reads that bring less than this on average are worth fewer.
const SMALL_READ: u64 = 64 << 10;
/// What a read is to bring: well below all that it can, so that the buffer for it need not grow.
const GOOD_READ: u64 = 192 << 10;
/// A read that brought this much was too late.
const FULL_READ: u64 = 448 << 10;
const LONGEST_RUSH_NAP: Duration = Duration::from_millis(5);
/// Stretches of reads without a nap after one that slowed the stream down: more each time, until this many went well.
const SHORTEST_PAUSE: u32 = 4;
const LONGEST_PAUSE: u32 = 1024;
const GOOD_STRETCHES: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows naps one read after the other, each of them so much later than the one before.
    struct Reads {
        naps: Naps,
        now: Instant,
        bytes: u64,
        may_be_late: bool,
    }

    impl Reads {
        fn new(may_be_late: bool) -> Self {
            Self { naps: Naps::default(), now: Instant::now(), bytes: 0, may_be_late }
        }

        fn read(&mut self, new: u64, later: Duration) -> Option<Duration> {
            self.now += later;
            self.bytes += new;
            self.naps.next(self.bytes, self.now, self.may_be_late)
        }

        /// Reads of a stream with so many bytes in a microsecond, which nap as told; each takes `least` at least. How many
        /// there were for `bytes`.
        fn stream(&mut self, rate: u64, least: Duration, bytes: u64) -> u64 {
            let (mut nap, mut reads, end) = (Duration::ZERO, 0, self.bytes + bytes);
            while self.bytes < end {
                let time = nap.max(least);
                nap = self.read((rate * time.as_micros() as u64).min(512 << 10), time).unwrap_or_default();
                reads += 1;
            }
            reads
        }
    }

    #[test]
    fn a_slow_stream_naps_and_a_faster_one_does_not() {
        let mut reads = Reads::new(true);
        assert_eq!(reads.read(1_000, NAP), Some(NAP));
        assert_eq!(reads.read(6_000, NAP), Some(NAP));
        // Nothing came: the read itself waits.
        assert_eq!(reads.read(0, NAP), None);
        assert_eq!(reads.read(1_000, NAP), Some(NAP));
        for _ in 0..100 {
            assert_eq!(reads.read(BUSY_BYTES, NAP), None);
        }
        let quiet = (0..AWAKE_READS).map(|_| reads.read(10, NAP)).collect::<Vec<_>>();
        assert_eq!(quiet.iter().filter(|nap| nap.is_some()).count(), 1);
        assert_eq!(quiet.last(), Some(&Some(NAP)));
    }

    #[test]
    fn a_stream_that_is_read_as_it_comes_does_not_nap_however_slow() {
        let mut reads = Reads::new(false);
        for _ in 0..1_000 {
            assert_eq!(reads.read(60_000, Duration::from_millis(40)), None);
        }
    }

    #[test]
    fn another_connection_begins_its_count_again() {
        let mut reads = Reads::new(true);
        assert_eq!(reads.read(5_000, NAP), Some(NAP));
        reads.bytes = 0;
        assert_eq!(reads.read(100, NAP), None);
        assert_eq!(reads.read(100, NAP), Some(NAP));
    }

    #[test]
    fn a_fast_stream_in_small_pieces_is_read_in_large_ones() {
        let reads = Reads::new(false).stream(92, Duration::from_micros(200), 100 << 20);
        assert!((530..650).contains(&reads), "{reads} reads of 192 KiB");
        let reads = Reads::new(false).stream(20, Duration::from_micros(200), 100 << 20);
        assert!((1_000..1_200).contains(&reads), "{reads} reads of 5 ms");
    }

    #[test]
    fn large_reads_are_left_alone() {
        let mut reads = Reads::new(false);
        for _ in 0..1_000 {
            assert_eq!(reads.read(SMALL_READ, Duration::from_micros(200)), None);
        }
    }

    #[test]
    fn one_late_read_is_made_good() {
        let piece = Duration::from_micros(200);
        let mut reads = Reads::new(false);
        reads.stream(92, piece, 10 << 20);
        assert!(reads.read(92 * 200, piece).is_some());
        assert_eq!(reads.read(FULL_READ, piece), None);
        assert!(reads.read(92 * 200, piece).is_some());
    }

    #[test]
    fn a_peer_that_has_to_wait_is_not_kept_waiting() {
        let piece = Duration::from_micros(200);
        // Suddenly it comes so fast that the buffer is full after each nap.
        let mut reads = Reads::new(false);
        reads.stream(92, piece, 10 << 20);
        let full = (0..STRETCH * 2).map(|_| reads.read(FULL_READ, piece)).collect::<Vec<_>>();
        assert_eq!(full, [None; STRETCH as usize * 2]);
        // Where less comes with naps than without, because of a small receive window, they are tried ever more seldom.
        let mut reads = Reads::new(false);
        let (mut nap, mut naps) = (Duration::ZERO, 0);
        for _ in 0..40_000 {
            let time = nap.max(piece);
            nap = reads.read((20 * time.as_micros() as u64).min(40 << 10), time).unwrap_or_default();
            naps += u32::from(nap > Duration::ZERO);
        }
        assert!((2 * STRETCH..12 * STRETCH).contains(&naps), "{naps}");
    }
}
