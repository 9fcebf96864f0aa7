//! Times of messages → times of tags.
//!
//! The server's times are kept to the millisecond but for two things: they count from 0 (the earliest audio or video frame
//! of the beginning), and where the clock of a *live* source jumps, because its publisher began anew, what follows is put
//! behind what was there. Small steps back, reordering and jitter are the source's own affair and stay.

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Track {
    /// Messages of type 8.
    Audio,
    /// Messages of type 9.
    Video,
}

/// A place where a live source's clock jumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stitch {
    /// Time of the last tag before, in milliseconds of the output.
    pub at_ms: i64,
    /// By how much the source's clock jumped, in milliseconds.
    pub jump_ms: i64,
}

/// Maps times.
#[derive(Debug)]
pub struct Timeline {
    /// Jumps are stitched.
    live: bool,
    epoch: Epoch,
    /// The epoch before, which the other track may not have left yet.
    previous: Option<Epoch>,
    audio: TrackClock,
    video: TrackClock,
    /// Largest time of a frame in the output.
    latest_ms: Option<i64>,
    /// Last time of any frame of the source, not wrapped.
    source_ms: Option<i64>,
    /// When that frame came, on the caller's clock.
    heard_ms: u64,
    stitches: Vec<Stitch>,
}

/// A stretch of the source with one clock: output time = source time + offset.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    number: u32,
    offset: i64,
    first_source_ms: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct TrackClock {
    epoch: u32,
    source_ms: Option<i64>,
    /// Typical distance of two frames, in milliseconds.
    interval_ms: i64,
}

impl Timeline {
    /// A timeline on which the source's time `base_ms` becomes 0.
    pub fn new(live: bool, base_ms: i64) -> Self {
        Self {
            live,
            epoch: Epoch { number: 0, offset: -base_ms, first_source_ms: base_ms },
            previous: None,
            audio: TrackClock::default(),
            video: TrackClock::default(),
            latest_ms: None,
            source_ms: None,
            heard_ms: 0,
            stitches: Vec::new(),
        }
    }

    /// Output time of an audio or video frame. `timestamp` is the message's, `now_ms` a clock that does not go back.
    pub fn frame(&mut self, track: Track, timestamp: u32, now_ms: u64) -> i64 {
        let clock = *self.clock(track);
        let source = unwrap(timestamp, clock.source_ms.or(self.source_ms));
        if self.live {
            self.follow(track, source, now_ms);
        }
        let (current, previous) = (self.epoch, self.previous);
        let clock = self.clock(track);
        let epoch = previous.filter(|previous| previous.number == clock.epoch).unwrap_or(current);
        let step = source - clock.source_ms.unwrap_or(source);
        if step > 0 && step < LONGEST_FRAME_MS {
            clock.interval_ms = if clock.interval_ms == 0 { step } else { (clock.interval_ms * 7 + step + 4) / 8 };
        }
        clock.source_ms = Some(source);
        self.source_ms = Some(source);
        self.heard_ms = now_ms;
        let time = source + epoch.offset;
        self.latest_ms = Some(self.latest_ms.map_or(time, |latest| latest.max(time)));
        time
    }

    /// Output time of what is no frame: sequence headers, metadata, data. Servers send these with time 0 in mid-stream; then
    /// they take the time of their neighbours.
    pub fn other(&self, timestamp: u32) -> i64 {
        let time = unwrap(timestamp, self.source_ms) + self.epoch.offset;
        match self.latest_ms {
            Some(latest) if self.live && !(latest - BACK_MS..=latest + AHEAD_MS).contains(&time) => latest,
            _ => time,
        }
    }

    /// What comes now is from another connection: the next frame begins a new epoch, `gap_ms` behind the last.
    pub fn begin_epoch(&mut self, gap_ms: i64) {
        let Some(latest) = self.latest_ms else { return };
        self.latest_ms = Some(latest + gap_ms);
        self.source_ms = None;
        self.audio.source_ms = None;
        self.video.source_ms = None;
        self.previous = None;
        self.epoch.number += 1;
        self.epoch.first_source_ms = i64::MIN;
    }

    /// Largest frame time in the output so far.
    pub fn latest_ms(&self) -> Option<i64> {
        self.latest_ms
    }

    /// Last frame time of the source.
    pub fn source_ms(&self) -> Option<i64> {
        self.source_ms
    }

    /// Typical distance of two frames of the slower track, in milliseconds; 0 if unknown.
    pub fn frame_ms(&self) -> i64 {
        self.audio.interval_ms.max(self.video.interval_ms)
    }

    /// Where the clock jumped.
    pub fn stitches(&self) -> &[Stitch] {
        &self.stitches
    }

    fn clock(&mut self, track: Track) -> &mut TrackClock {
        match track {
            Track::Audio => &mut self.audio,
            Track::Video => &mut self.video,
        }
    }

    /// Decides which epoch a frame belongs to.
    fn follow(&mut self, track: Track, source: i64, now_ms: u64) {
        let clock = *self.clock(track);
        let current = self.epoch;
        if current.first_source_ms == i64::MIN {
            // The first frame after a new connection.
            let behind = self.latest_ms.unwrap_or(0) + clock.interval_ms.max(1);
            self.epoch.offset = behind - source;
            self.epoch.first_source_ms = source;
            self.audio.epoch = current.number;
            self.video.epoch = current.number;
            return;
        }
        if clock.epoch != current.number {
            // The other track has jumped. This one follows when its time is nearer to the new stretch than to its past.
            let near_old = clock.source_ms.map_or(i64::MAX, |last| (source - last).abs());
            if (source - current.first_source_ms).abs() < near_old {
                self.clock(track).epoch = current.number;
                self.clock(track).source_ms = None;
            }
            return;
        }
        let Some(last) = clock.source_ms.or(self.source_ms) else { return };
        let jump = source - last;
        let passed = i64::try_from(now_ms.saturating_sub(self.heard_ms)).unwrap_or(i64::MAX);
        if jump >= -BACK_MS && jump <= AHEAD_MS.saturating_add(passed) {
            return;
        }
        let latest = self.latest_ms.unwrap_or(0);
        self.stitches.push(Stitch { at_ms: latest, jump_ms: jump });
        self.previous = Some(current);
        self.epoch = Epoch {
            number: current.number + 1,
            offset: latest + clock.interval_ms.max(1) - source,
            first_source_ms: source,
        };
        let number = self.epoch.number;
        let clock = self.clock(track);
        clock.epoch = number;
        clock.source_ms = None;
        // A track that has not been heard of has nothing to finish.
        for other in [&mut self.audio, &mut self.video] {
            if other.source_ms.is_none() {
                other.epoch = number;
            }
        }
    }
}

/// The time modulo 2³² that is nearest to `near`.
pub fn unwrap(timestamp: u32, near: Option<i64>) -> i64 {
    match near {
        Some(near) => near + i64::from(timestamp.wrapping_sub(near as u32) as i32),
        None => i64::from(timestamp),
    }
}

/// A live track that goes back by more than this began anew. Servers reorder by less.
const BACK_MS: i64 = 3_000;

/// A live track that leaps ahead by more than this, beyond the time that passed, began anew.
const AHEAD_MS: i64 = 10_000;

/// Steps beyond this are pauses, not frames.
const LONGEST_FRAME_MS: i64 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use Track::{Audio, Video};

    fn run(live: bool, base: i64, frames: &[(Track, u32)]) -> Vec<i64> {
        let mut timeline = Timeline::new(live, base);
        frames.iter().enumerate().map(|(i, (track, time))| timeline.frame(*track, *time, i as u64 * 20)).collect()
    }

    #[test]
    fn times_are_the_sources_less_the_base() {
        let frames = [(Video, 5000), (Audio, 5003), (Video, 5120), (Video, 5040), (Audio, 5000), (Video, 5080)];
        assert_eq!(run(true, 5000, &frames), [0, 3, 120, 40, 0, 80]);
        assert_eq!(run(false, 5000, &frames), [0, 3, 120, 40, 0, 80]);
    }

    #[test]
    fn times_beyond_four_hours_and_past_the_wrap() {
        let base = 0xFFFF_FF00_u32;
        let frames = [(Video, base), (Audio, 0xFFFF_FFFF), (Video, 0), (Audio, 50), (Video, 0xFFFF_FFF0)];
        assert_eq!(run(true, i64::from(base), &frames), [0, 255, 256, 306, 240]);
        assert_eq!(run(true, 0, &[(Video, 0xFF_FFFF), (Video, 0x100_0020)]), [0xFF_FFFF, 0x100_0020]);
    }

    #[test]
    fn a_live_source_that_begins_anew_is_stitched_on() {
        let frames = [
            (Video, 90_000),
            (Audio, 90_010),
            (Video, 90_040),
            (Audio, 90_033),
            (Video, 0),      // anew
            (Audio, 90_056), // still of the old stretch
            (Audio, 5),
            (Video, 40),
            (Audio, 28),
        ];
        assert_eq!(run(true, 90_000, &frames), [0, 10, 40, 33, 80, 56, 85, 120, 108]);
        let frames = [(Video, 100), (Video, 140), (Video, 5_000_000), (Video, 5_000_040)];
        assert_eq!(run(true, 100, &frames), [0, 40, 80, 120]);
    }

    #[test]
    fn on_demand_streams_are_never_stitched() {
        assert_eq!(run(false, 0, &[(Video, 60_000), (Video, 0), (Video, 90_000)]), [60_000, 0, 90_000]);
    }

    #[test]
    fn a_pause_that_the_clock_explains_is_no_jump() {
        let mut timeline = Timeline::new(true, 0);
        timeline.frame(Video, 0, 0);
        timeline.frame(Video, 40, 40);
        assert_eq!(timeline.frame(Video, 60_040, 60_000), 60_040);
        assert!(timeline.stitches().is_empty());
        timeline.frame(Video, 160_040, 60_040);
        assert_eq!(timeline.stitches(), [Stitch { at_ms: 60_040, jump_ms: 100_000 }]);
    }

    #[test]
    fn headers_with_time_zero_in_mid_stream_take_their_neighbours_time() {
        let mut timeline = Timeline::new(true, 50_000);
        assert_eq!(timeline.other(0), -50_000);
        timeline.frame(Video, 50_000, 0);
        timeline.frame(Video, 60_000, 10_000);
        assert_eq!(timeline.other(0), 10_000);
        assert_eq!(timeline.other(60_010), 10_010);
        assert_eq!(timeline.frame(Video, 60_040, 10_040), 10_040);
    }

    #[test]
    fn a_new_connection_continues_behind_the_gap() {
        let mut timeline = Timeline::new(true, 1000);
        timeline.frame(Video, 1000, 0);
        timeline.frame(Video, 1040, 40);
        timeline.begin_epoch(500);
        assert_eq!(timeline.frame(Video, 777, 600), 40 + 500 + 40);
        assert_eq!(timeline.frame(Audio, 780, 600), 583);
        assert_eq!(timeline.frame(Video, 817, 640), 620);
    }
}
