//! How far a stream was received, on the timeline of the file: from its first frame on, whatever the server's clock says.
//!
//! ```text
//! clock of the server   30000 30040 30080 88000 30120 …    a file that begins at 30 s, and one wild frame
//! received                  0    40    80    80   120 …
//! ```
//!
//! A frame far ahead counts once the stream continues from there.

use crate::flv::timeline::Track;

/// Follows the times of frames.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// The first frames, until it is known where the clock begins.
    head: Vec<(Track, u32)>,
    /// Timestamp of the first frame, on the present clock, and on the server's first one.
    origin: Option<u32>,
    source_origin: Option<u32>,
    /// Of audio and video: the last frame, in milliseconds after the first one, and the last one that was confirmed.
    last: [Option<i64>; 2],
    confirmed: [i64; 2],
    reach_ms: i64,
}

impl Received {
    /// What a file holds that is resumed, by the timestamps of its first and last frames.
    pub(super) fn of_file(first_ms: u32, latest_ms: u32) -> Self {
        let reach_ms = i64::from(latest_ms.wrapping_sub(first_ms));
        Self { origin: Some(first_ms), confirmed: [reach_ms; 2], reach_ms, ..Self::default() }
    }

    /// A frame came.
    #[inline]
    pub(super) fn note(&mut self, track: Track, timestamp: u32) {
        match self.origin {
            Some(origin) => self.advance(track, distance(timestamp, origin)),
            None => self.begin(track, timestamp),
        }
    }

    /// The clock begins at the first frame that is near another one.
    fn begin(&mut self, track: Track, timestamp: u32) {
        self.head.push((track, timestamp));
        if self.head.len() < FRAMES_AT_FIRST {
            return;
        }
        let head = std::mem::take(&mut self.head);
        let is_near = |time: u32| head.iter().filter(|(_, other)| distance(*other, time).abs() <= NEAR_MS).count() > 1;
        let times = head.iter().map(|(_, time)| *time);
        let origin = times.clone().filter(|time| is_near(*time)).reduce(|a, b| if distance(b, a) < 0 { b } else { a });
        let origin = origin.or(times.clone().next()).unwrap_or(timestamp);
        self.origin = Some(origin);
        self.source_origin = self.origin;
        head.into_iter().for_each(|(track, time)| self.advance(track, distance(time, origin)));
    }

    fn advance(&mut self, track: Track, time: i64) {
        let (last, confirmed) = match track {
            Track::Audio => (&mut self.last[0], &mut self.confirmed[0]),
            Track::Video => (&mut self.last[1], &mut self.confirmed[1]),
        };
        if let Some(before) = last.replace(time)
            && time >= before - LARGEST_STEP_BACK_MS
        {
            *confirmed = (*confirmed).max(before);
            self.reach_ms = self.reach_ms.max(before);
        }
    }

    /// From now on times are those of a file whose first frame has this timestamp.
    pub(super) fn follow_file(&mut self, first_ms: u32) {
        self.head.clear();
        self.origin = Some(first_ms);
        self.last = [None; 2];
    }

    /// The server's timestamp of the first frame; `None` if the file was there before.
    pub(super) fn source_origin(&self) -> Option<u32> {
        self.source_origin
    }

    /// How far the stream was received, in milliseconds from its first frame.
    pub(super) fn reach_ms(&self) -> u64 {
        let near = |(last, confirmed): (&Option<i64>, &i64)| last.filter(|last| last - confirmed <= LARGEST_STEP_MS);
        let last = self.last.iter().zip(&self.confirmed).filter_map(near).max().unwrap_or(0);
        last.max(self.reach_ms).max(0).cast_unsigned()
    }
}

/// From one timestamp to another, in milliseconds.
fn distance(to: u32, from: u32) -> i64 {
    i64::from(to.wrapping_sub(from).cast_signed())
}

/// So many frames show where a clock begins, if two of them are near one another, in milliseconds.
const FRAMES_AT_FIRST: usize = 3;
const NEAR_MS: i64 = 10_000;

/// Frames that are sent in the order of decoding, and interleaved tracks, step back no further than this, in milliseconds.
const LARGEST_STEP_BACK_MS: i64 = 1_000;

/// The last frame of all counts if it is no further ahead than this, in milliseconds.
const LARGEST_STEP_MS: i64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(times: impl IntoIterator<Item = u32>) -> u64 {
        let mut received = Received::default();
        times.into_iter().for_each(|time| received.note(Track::Video, time));
        received.reach_ms()
    }

    #[test]
    fn whatever_the_clock_of_the_server() {
        for begin in [0, 30_000, 7_200_000, 4_294_000_000, u32::MAX - 500, 0_u32.wrapping_sub(33)] {
            assert_eq!(reach((0..=250).map(|frame: u32| begin.wrapping_add(frame * 40))), 10_000, "{begin}");
        }
        assert_eq!(reach([]), 0);
        assert_eq!(reach([77_000]), 0);
    }

    #[test]
    fn one_wild_frame_is_no_progress() {
        for wild in [9_990_u32, 60_000, 4_000_000_000] {
            for at in [1, 5, 9] {
                let times = (0..10).map(|frame| if frame == at { wild } else { frame * 40 });
                assert!(reach(times) <= 400, "{wild} at {at}");
            }
        }
        // As the first one, and as the last one.
        assert_eq!(reach([60_000, 0, 40, 80]), 80);
        assert_eq!(reach([0, 40, 80, 60_000]), 80);
    }

    #[test]
    fn a_clock_that_jumps_and_goes_on_counts() {
        assert_eq!(reach([0, 40, 80, 60_000, 60_040]), 60_040);
        // Slides: one frame each ten seconds.
        assert_eq!(reach([0, 10_000, 20_000, 30_000]), 20_000);
        // B-frames step back.
        assert_eq!(reach([0, 120, 40, 80, 240, 160, 200]), 240);
    }

    #[test]
    fn a_file_that_is_resumed_is_one_timeline() {
        let mut received = Received::default();
        (0..=50).for_each(|frame| received.note(Track::Video, 30_000 + frame * 40));
        received.follow_file(0);
        (40..=100).for_each(|frame| received.note(Track::Video, frame * 40));
        assert_eq!(received.reach_ms(), 4_000);
        let mut received = Received::of_file(0, 2_000);
        assert_eq!((received.reach_ms(), received.source_origin()), (2_000, None));
        (50..=75).for_each(|frame| received.note(Track::Video, frame * 40));
        assert_eq!(received.reach_ms(), 3_000);
    }
}
