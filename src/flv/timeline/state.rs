//! Where a clock and a track stand.

#[derive(Debug, Clone, Copy)]
pub struct ClockSegment {
    pub id: u64,
    pub offset: i64,
    /// Largest source time within it.
    pub last: i64,
    pub connection: u32,
    /// Frames in it.
    pub frames: u64,
    /// Its clock came back after another one: it maps as it did before.
    pub resumed: bool,
}

impl ClockSegment {
    pub fn new(id: u64, offset: i64, last: i64, connection: u32) -> Self {
        Self { id, offset, last, connection, frames: 0, resumed: false }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct TrackState {
    /// The segment it is in; none before its first frame.
    pub segment: Option<ClockSegment>,
    /// Source time of its last frame.
    pub last: i64,
    pub last_output: i64,
    pub last_now_ms: u64,
    /// Output time of the last frame that did not jump.
    pub reached: i64,
    /// After a clock came back: output times stay here until its own are larger.
    pub floor: i64,
    /// Its usual distance between frames, in 1/16 milliseconds; an assumption until there are two.
    pub frame_16ths: i64,
    pub has_distance: bool,
}

impl TrackState {
    pub fn new(frame_ms: i64) -> Self {
        Self {
            segment: None,
            last: 0,
            last_output: 0,
            last_now_ms: 0,
            reached: 0,
            floor: 0,
            frame_16ths: frame_ms * 16,
            has_distance: false,
        }
    }

    pub fn frame_ms(&self) -> i64 {
        (self.frame_16ths + 8) / 16
    }

    /// Learns from two frames that are `step` milliseconds apart.
    #[inline]
    pub fn note_distance(&mut self, step: i64) {
        if (1..=MAX_FRAME_MS).contains(&step) {
            let error = step * 16 - self.frame_16ths;
            self.frame_16ths += if self.has_distance { error / 8 } else { error };
            self.has_distance = true;
        }
    }
}

/// Longest distance between two frames that counts as usual.
pub const MAX_FRAME_MS: i64 = 1_000;
