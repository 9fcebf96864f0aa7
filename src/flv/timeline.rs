//! From the server's timestamps to those of the file. Pure: the clock is an argument.
//!
//! Both tracks share one base, the smallest timestamp among their first coded frames, so the file starts at 0 and the tracks
//! keep their distance. Apart from that a track's times stay as the server sent them: jitter, small steps back and gaps
//! included. Only a live source whose clock jumps, because its publisher restarted, is stitched on. A *clock segment* is a stretch
//! of one source clock: within it, output = source + offset.
//!
//! Source timestamps have 32 bits and wrap after 49.7 days; here they are unwrapped to 64 by nearest difference. An FLV
//! timestamp has 32 bits as well: the caller writes the lower 32 bits of an output time, which therefore wraps in turn.

mod state;

use state::{ClockSegment, MAX_FRAME_MS, TrackState};

/// What the timeline needs to know beforehand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimelineOptions {
    /// Whether the source is live; unknown is decided by whether it keeps pace with the clock on the wall.
    pub live: Option<bool>,
    /// Keep the server's timestamps.
    pub absolute: bool,
    /// The position that was asked for, in milliseconds. Matters with `absolute` only: a server that restarts at 0 has it added.
    pub start_ms: Option<u64>,
}

pub use crate::proto::media::Track;

/// How a live stream goes on after a reconnection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// Right behind what is there.
    Append,
    /// As much later as passed on the wall, so that the gap stays visible in the timeline.
    WallClock,
    /// By the source's own clock, which is the same on both connections.
    SameClock,
}

/// Why a new segment began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscontinuityReason {
    /// The source's clock jumped.
    ClockJump,
    /// A new connection.
    Reconnect,
}

/// A place where two segments meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discontinuity {
    /// Output time of the first frame of the new segment, in milliseconds.
    pub at_ms: u64,
    /// Output time between the last frame before and it, in milliseconds.
    pub gap_ms: u64,
    /// Source time of the last frame before, unwrapped, in milliseconds.
    pub source_before_ms: i64,
    /// Source time of the first frame after, in milliseconds.
    pub source_after_ms: i64,
    /// Why.
    pub reason: DiscontinuityReason,
}

/// The mapping from source to output time.
#[derive(Debug)]
pub struct Timeline {
    options: TimelineOptions,
    /// Smallest source time among the first coded frames.
    base: Option<i64>,
    tracks: [TrackState; 2],
    /// The present segment, and the last one before it that was more than a few wild frames: its clock may come back.
    newest: ClockSegment,
    earlier: Option<(ClockSegment, u64)>,
    /// Number of the segment that began last.
    last_id: u64,
    /// Number of the connection, and how it is to be joined on when its first frame comes.
    connection: u32,
    join: Join,
    /// Largest output time of a coded frame, and the clock at the last one.
    largest: Option<i64>,
    last_now_ms: u64,
    /// Whether the next frame of each track may be a new publication's.
    expect_restart: [bool; 2],
    /// Output time given last, to anything.
    last_given: i64,
    /// Clock and source time at the beginning: the pace is measured from there.
    pace_from: (u64, i64),
    discontinuities: Vec<Discontinuity>,
    discontinuity_count: u64,
}

impl Timeline {
    /// A timeline that has seen nothing.
    pub fn new(options: TimelineOptions) -> Self {
        Self {
            options,
            base: None,
            tracks: [TrackState::new(DEFAULT_AUDIO_FRAME_MS), TrackState::new(DEFAULT_VIDEO_FRAME_MS)],
            newest: ClockSegment::new(0, 0, 0, 0),
            earlier: None,
            last_id: 0,
            connection: 0,
            join: Join::Append,
            largest: None,
            last_now_ms: 0,
            expect_restart: [false; 2],
            last_given: 0,
            pace_from: (0, 0),
            discontinuities: Vec::new(),
            discontinuity_count: 0,
        }
    }

    /// A timeline for what goes on behind a file whose frames lie between these times in milliseconds: times that come are
    /// those of the file already.
    pub fn continuing(first_ms: u32, latest_ms: u32) -> Self {
        let first = first_time(first_ms);
        let last = unwrap_near(latest_ms, first);
        let mut timeline = Self::new(TimelineOptions { live: Some(false), absolute: true, start_ms: None });
        timeline.base = Some(first);
        timeline.newest.last = last;
        timeline.largest = Some(last.max(0));
        timeline.last_given = last.max(0);
        timeline
    }

    /// What became known about the source since, for instance from a duration in its metadata.
    pub fn set_live(&mut self, live: bool) {
        self.options.live = Some(live);
    }

    /// Whether the source was said to be live.
    pub fn live(&self) -> Option<bool> {
        self.options.live
    }

    /// Shows a coded frame of the lead-in, before anything is mapped: the first of each track takes part in choosing the base.
    pub fn observe(&mut self, track: Track, timestamp: u32) {
        if self.largest.is_some() || self.track(track).segment.is_some() {
            return;
        }
        let source = self.base.map_or_else(|| first_time(timestamp), |base| unwrap_near(timestamp, base));
        let base = self.base.map_or(source, |base| base.min(source));
        self.base = Some(base);
        let connection = self.connection;
        self.newest = ClockSegment::new(0, self.first_offset(base), self.newest.last.max(source), connection);
        let state = self.track(track);
        state.last = source;
        state.segment = Some(ClockSegment::new(0, 0, source, connection));
        let newest = self.newest;
        for state in &mut self.tracks {
            if let Some(segment) = &mut state.segment {
                segment.offset = newest.offset;
            }
        }
    }

    /// Shows a sequence header or, of an on-demand stream, metadata of the lead-in, after its frames: the base is its time if
    /// that is just before theirs. So a file that begins with headers at 0 and its first frame at 7 ms comes over unharmed.
    pub fn observe_non_media(&mut self, timestamp: u32) {
        let Some(base) = self.base.filter(|_| self.largest.is_none()) else { return };
        let source = unwrap_near(timestamp, base);
        let tolerance = if self.options.live == Some(true) { LIVE_HEADER_MS } else { HEADER_MS };
        // Behind a seek frames may come with the times of the file, and headers with 0 all the same.
        let start = self.options.start_ms.map_or(0, |start| start.min(MAX_WAIT_MS) as i64);
        let earliest = if base < start { 0 } else { start };
        if (base - tolerance..base).contains(&source) && source >= earliest {
            self.base = Some(source);
            self.newest.offset = self.first_offset(source);
            for segment in self.tracks.iter_mut().filter_map(|state| state.segment.as_mut()) {
                segment.offset = self.newest.offset;
            }
        }
    }

    /// Output time in milliseconds of a coded frame with this timestamp, arriving at `now_ms` of a clock that never goes back.
    #[inline]
    pub fn map_coded(&mut self, track: Track, timestamp: u32, now_ms: u64) -> u64 {
        // Nearly all of them: the next frame of a track that goes on.
        let (newest, connection) = (self.newest.id, self.connection);
        if let Some(largest) = &mut self.largest
            && let state = &mut self.tracks[track as usize]
            && let Some(segment) = state.segment
            && (segment.id, segment.connection) == (newest, connection)
            && let step = i64::from(timestamp.wrapping_sub(state.last as u32) as i32)
            && (0..=MAX_FRAME_MS).contains(&step)
            && state.last_now_ms != 0
        {
            state.last += step;
            state.last_output = (state.last + segment.offset).max(state.floor);
            state.reached = state.last_output;
            state.last_now_ms = now_ms.max(1);
            state.note_distance(step);
            self.newest.last = self.newest.last.max(state.last);
            self.newest.frames += 1;
            *largest = state.last_output.max(*largest);
            self.last_now_ms = now_ms;
            self.last_given = state.last_output;
            return state.last_output as u64;
        }
        self.map_any_coded(track, timestamp, now_ms)
    }

    fn map_any_coded(&mut self, track: Track, timestamp: u32, now_ms: u64) -> u64 {
        if self.base.is_none() {
            self.observe(track, timestamp);
        }
        if self.largest.is_none() {
            self.pace_from = (now_ms, self.newest.last);
        }
        self.correct_base(timestamp);
        let state = *self.track(track);
        let connection = self.connection;
        if let Some(segment) = state.segment.filter(|segment| segment.connection == connection) {
            let source = unwrap_near(timestamp, state.last);
            let first = self.largest.is_none() || state.last_now_ms == 0;
            let step = source - state.last;
            let in_line = in_line(step, elapsed(now_ms, state.last_now_ms)) && !self.restarts(track, step);
            if first || in_line || !self.mends_jumps() {
                return self.accept(track, segment, source, now_ms);
            }
        }
        if self.newest.connection == connection && state.segment.is_none_or(|segment| segment.id != self.newest.id) {
            let source = unwrap_near(timestamp, self.newest.last);
            let near = in_line(source - self.newest.last, elapsed(now_ms, self.last_now_ms));
            if near || !self.mends_jumps() {
                self.keep_track_rising(track, source);
                return self.accept(track, self.newest, source, now_ms);
            }
        }
        match self.resume_earlier(track, timestamp, now_ms) {
            Some(output) => output,
            None => self.begin_segment(track, timestamp, now_ms),
        }
    }

    /// A stream that is not mended and whose first frame was a wild one, far ahead of all that follow: it begins with the second.
    fn correct_base(&mut self, timestamp: u32) {
        let Some(base) = self.base.filter(|_| !self.options.absolute && self.newest.frames == 1) else { return };
        let source = unwrap_near(timestamp, base);
        if source >= base - MAX_STEP_BACK_MS || self.mends_jumps() {
            return;
        }
        self.base = Some(source);
        (self.newest.offset, self.newest.last) = (-source, source);
        for segment in self.tracks.iter_mut().filter_map(|state| state.segment.as_mut()) {
            segment.offset = -source;
        }
    }

    /// Output time in milliseconds of anything that is not a coded frame: sequence headers, metadata, other data. Servers
    /// give these odd times, 0 above all; what is out of line in a live stream gets the time that was given last.
    pub fn map_non_media(&mut self, timestamp: u32, now_ms: u64) -> u64 {
        let Some(base) = self.base else { return 0 };
        if timestamp == 0 && self.largest.is_none() && !self.options.absolute {
            // Before the first frame, 0 is the beginning and never something beyond a wrap.
            return 0;
        }
        let reference = if self.largest.is_some() { self.newest.last } else { base };
        let source = unwrap_near(timestamp, reference);
        let output = if self.largest.is_none() || !self.mends_jumps() {
            // A time of 0 beside a large one is long past, not 2³² − x ahead.
            let ahead = source - reference > WRAP_DOUBT_MS && (source >> 32) > (reference >> 32);
            source - if ahead { 1 << 32 } else { 0 } + self.newest.offset
        } else {
            self.live_other(timestamp, source, now_ms)
        };
        self.last_given = output.max(0);
        self.last_given as u64
    }

    /// Tells that what follows comes over a new connection. A live stream begins a new segment with its next frame; an on-demand
    /// one goes on by its own timestamps.
    pub fn new_connection(&mut self, join: Join) {
        if self.largest.is_none() {
            // Nothing was mapped: the new connection is the first.
            *self = Self::new(self.options);
        } else if self.options.live != Some(false) && !self.options.absolute && join != Join::SameClock {
            self.connection += 1;
            self.join = join;
        }
    }

    /// Tells that the publisher may have restarted, because headers came again or the server says so: the next frame of a
    /// live source need not go back far to show it.
    pub fn expect_restart(&mut self) {
        self.expect_restart = [self.largest.is_some(); 2];
    }

    /// The places where segments were joined, at most [`MAX_DISCONTINUITIES_KEPT`] of them.
    pub fn discontinuities(&self) -> &[Discontinuity] {
        &self.discontinuities
    }

    /// How many times segments were joined.
    pub fn discontinuity_count(&self) -> u64 {
        self.discontinuity_count
    }

    /// Largest output time of a coded frame, in milliseconds.
    pub fn largest_output_ms(&self) -> Option<u64> {
        self.largest.map(|largest| largest as u64)
    }

    /// Source time of the last coded frame of a track, unwrapped, in milliseconds.
    pub fn last_source_ms(&self, track: Track) -> Option<i64> {
        let state = &self.tracks[track as usize];
        state.segment.map(|_| state.last)
    }

    /// Largest source time of a coded frame of the present segment, unwrapped, in milliseconds.
    pub fn source_ms(&self) -> Option<i64> {
        self.largest.map(|_| self.newest.last)
    }

    /// Output time at which the recording begins, in milliseconds: 0 unless times are absolute.
    pub fn first_output_ms(&self) -> i64 {
        self.base.map_or(0, |base| base + self.first_offset(base))
    }

    /// The usual distance between the frames of the slower track, in milliseconds; 0 before any frame.
    pub fn frame_ms(&self) -> u64 {
        let seen = self.tracks.iter().filter(|track| track.segment.is_some());
        seen.map(|track| track.frame_ms() as u64).max().unwrap_or(0)
    }

    /// Output time up to which coded frames have come, in milliseconds: that of the last frame of the track that is further,
    /// frames that jumped not counted. One wild frame does not change it, unlike [`Timeline::largest_output_ms`].
    pub fn reached_output_ms(&self) -> Option<u64> {
        let seen = self.tracks.iter().filter(|track| track.segment.is_some() && track.last_now_ms != 0);
        seen.map(|track| track.reached).max().or(self.largest).map(|reached| reached as u64)
    }

    fn track(&mut self, track: Track) -> &mut TrackState {
        &mut self.tracks[track as usize]
    }

    /// Offset of the first segment.
    fn first_offset(&self, base: i64) -> i64 {
        match self.options {
            TimelineOptions { absolute: false, .. } => -base,
            TimelineOptions { start_ms: Some(start), .. } => {
                let start = start.min(MAX_WAIT_MS) as i64;
                if base < start - START_TOLERANCE_MS { start } else { 0 }
            }
            _ => 0,
        }
    }

    /// Whether a jump of the clock is one to repair_existing.
    fn mends_jumps(&self) -> bool {
        if self.options.absolute {
            return false;
        }
        self.options.live.unwrap_or_else(|| {
            let (since_ms, from) = self.pace_from;
            let watched = elapsed(self.last_now_ms, since_ms);
            watched >= PACE_WATCH_MS && self.newest.last - from - watched < PACE_LEAD_MS
        })
    }

    fn restarts(&self, track: Track, step: i64) -> bool {
        self.expect_restart[track as usize] && step < -RESTART_STEP_BACK_MS
    }

    fn accept(&mut self, track: Track, segment: ClockSegment, source: i64, now_ms: u64) -> u64 {
        let output = (source + segment.offset).max(self.tracks[track as usize].floor);
        self.accept_at(track, segment, (source, output), now_ms)
    }

    /// A frame with this source time gets this output time.
    fn accept_at(&mut self, track: Track, segment: ClockSegment, (source, output): (i64, i64), now_ms: u64) -> u64 {
        self.expect_restart[track as usize] = false;
        let state = self.track(track);
        let step = source - state.last;
        let is_next = state.segment.is_some_and(|old| old.id == segment.id) && state.last_now_ms != 0;
        if is_next {
            state.note_distance(step);
        }
        if state.last_now_ms == 0 || (is_next && in_line(step, 0)) {
            state.reached = output;
        }
        state.segment = Some(segment);
        state.last = source;
        state.last_output = output;
        state.last_now_ms = now_ms.max(1);
        if segment.id == self.newest.id {
            self.newest.last = self.newest.last.max(source);
            self.newest.frames += 1;
        }
        self.largest = Some(self.largest.map_or(output, |largest| largest.max(output)));
        self.last_now_ms = now_ms;
        self.last_given = output;
        output as u64
    }

    /// The second track to enter an segment may begin a little before the first did: then the segment moves a little later, so
    /// that no track steps back and both keep their distance.
    fn keep_track_rising(&mut self, track: Track, source: i64) {
        let state = *self.track(track);
        if self.newest.resumed {
            self.track(track).floor = state.last_output;
            return;
        }
        if state.segment.is_none() || self.newest.id == 0 {
            return;
        }
        let missing = state.last_output + 1 - (source + self.newest.offset);
        if missing > 0 {
            self.newest.offset += missing;
            let newest = self.newest;
            for other in &mut self.tracks {
                if let Some(segment) = other.segment.as_mut().filter(|segment| segment.id == newest.id) {
                    segment.offset = newest.offset;
                }
            }
        }
    }

    /// The clock that was left for wild frames, or for another one, is back: it maps as it did before, exactly, so that no
    /// track moves against the other. `None`: this is no time of it.
    fn resume_earlier(&mut self, track: Track, timestamp: u32, now_ms: u64) -> Option<u64> {
        let connection = self.connection;
        let (segment, left_ms) = self.earlier.filter(|(segment, _)| segment.connection == connection)?;
        let source = unwrap_near(timestamp, segment.last);
        let step = source - segment.last;
        let is_behind = source + segment.offset < self.largest? - RESUMED_STEP_BACK_MS;
        if is_behind || !in_line(step, elapsed(now_ms, left_ms)) || self.restarts(track, step) {
            return None;
        }
        self.earlier = None;
        self.newest = ClockSegment { resumed: true, ..segment };
        let state = self.track(track);
        state.floor = state.last_output;
        Some(self.accept(track, self.newest, source, now_ms))
    }

    fn begin_segment(&mut self, track: Track, timestamp: u32, now_ms: u64) -> u64 {
        let source = i64::from(timestamp);
        let before = self.newest;
        let largest = self.largest.unwrap_or(0);
        let reason = if before.connection == self.connection {
            DiscontinuityReason::ClockJump
        } else {
            DiscontinuityReason::Reconnect
        };
        let state = *self.track(track);
        let frame = state.frame_ms();
        let gap = match (reason, self.join) {
            (DiscontinuityReason::Reconnect, Join::WallClock) => elapsed(now_ms, self.last_now_ms).max(frame),
            _ => frame,
        };
        let at = largest + gap;
        if reason == DiscontinuityReason::Reconnect {
            self.earlier = None;
        } else if before.frames >= ESTABLISHED_FRAMES {
            self.earlier = Some((before, self.last_now_ms));
        }
        self.last_id += 1;
        self.newest = ClockSegment::new(self.last_id, at - source, source, self.connection);
        // What was found live by its pace stays it.
        self.options.live = Some(true);
        self.discontinuity_count += 1;
        if self.discontinuities.len() < MAX_DISCONTINUITIES_KEPT {
            self.discontinuities.push(Discontinuity {
                at_ms: at as u64,
                gap_ms: gap as u64,
                source_before_ms: before.last,
                source_after_ms: source,
                reason,
            });
        }
        // Nothing has said that the source begins again: it may be one wild frame, and the next one has its place after it.
        let is_doubtful =
            reason == DiscontinuityReason::ClockJump && !self.expect_restart[track as usize] && state.last_now_ms != 0;
        let output = if is_doubtful { at.min(state.last_output + frame / 2) } else { at };
        self.accept_at(track, self.newest, (source, output), now_ms)
    }

    fn live_other(&self, timestamp: u32, source: i64, now_ms: u64) -> i64 {
        let waited = elapsed(now_ms, self.last_now_ms);
        // A header sent again bears 0, whatever the time is; near the beginning it may be true. So may one of a new
        // publication, but of that nothing has been seen yet.
        let is_true = match self.expect_restart {
            [false, false] => timestamp != 0 || (0..HEADER_MS).contains(&self.newest.last),
            _ => source >= self.newest.last - RESTART_STEP_BACK_MS,
        };
        if is_true && self.newest.connection == self.connection {
            if in_line(source - self.newest.last, waited) {
                return source + self.newest.offset;
            }
            for state in &self.tracks {
                let Some(segment) = state.segment else { continue };
                let source = unwrap_near(timestamp, state.last);
                if in_line(source - state.last, waited) {
                    return source + segment.offset;
                }
            }
        }
        self.last_given
    }
}

/// The first time of a stream, unwrapped: timestamps are signed (FLV: SI32), and those of a stream that begins with the delay of
/// its codecs lie just below 0. Further down they are those of a clock that has run for weeks.
pub fn first_time(timestamp: u32) -> i64 {
    let signed = i64::from(timestamp.cast_signed());
    if (-BELOW_ZERO_MS..0).contains(&signed) { signed } else { i64::from(timestamp) }
}

/// The 64-bit time nearest to `reference` whose lower 32 bits are `timestamp`.
pub fn unwrap_near(timestamp: u32, reference: i64) -> i64 {
    reference + i64::from(timestamp.wrapping_sub(reference as u32) as i32)
}

/// Whether a step of `step` milliseconds is one that a running clock can make when `waited` passed on the wall.
fn in_line(step: i64, waited: i64) -> bool {
    (-MAX_STEP_BACK_MS..=MAX_STEP_AHEAD_MS.saturating_add(waited)).contains(&step)
}

fn elapsed(now_ms: u64, since_ms: u64) -> i64 {
    now_ms.saturating_sub(since_ms).min(MAX_WAIT_MS) as i64
}

/// Steps back up to this are a server's jitter or reordering.
const MAX_STEP_BACK_MS: i64 = 3_000;
/// The same right behind headers or a notice of the publisher's return.
const RESTART_STEP_BACK_MS: i64 = 250;
/// Steps ahead up to this, beyond the time that passed, are pauses of the publisher.
const MAX_STEP_AHEAD_MS: i64 = 10_000;
/// Times down to this are below 0 rather than before the wrap.
const BELOW_ZERO_MS: i64 = 10_000;
/// A clock that comes back may have to wait this long for what was written in its absence.
const RESUMED_STEP_BACK_MS: i64 = 1_000;
/// Frames that make a clock more than some wild ones.
const ESTABLISHED_FRAMES: u64 = 4;
/// A source that gets further ahead of the wall clock than a server's GOP cache explains is on demand.
const PACE_LEAD_MS: i64 = 15_000;
/// A shorter time does not tell live from on demand.
const PACE_WATCH_MS: i64 = 5_000;
/// A first timestamp this much before the position asked for shows a server that restarts at 0; less is its search for a keyframe.
const START_TOLERANCE_MS: i64 = 5_000;
/// A header or data message across the 32-bit wrap and further ahead than this was sent with a time of its own.
const WRAP_DOUBT_MS: i64 = 60_000;
/// Headers this much before the first frame belong to it; a live source is joined somewhere, and its headers may be of any time.
pub(super) const HEADER_MS: i64 = 1_000;
const LIVE_HEADER_MS: i64 = 100;
/// Frame duration of a track that has shown none yet: 1024 samples at 44.1 kHz.
const DEFAULT_AUDIO_FRAME_MS: i64 = 23;
/// Frame duration of a track that has shown none yet: 25 frames a second.
const DEFAULT_VIDEO_FRAME_MS: i64 = 40;
/// Longest wait or start that is believed, 100 days, to keep sums far from overflow.
const MAX_WAIT_MS: u64 = 8_640_000_000;
/// Stitches that are kept one by one; a source that jumps more often is counted only.
pub const MAX_DISCONTINUITIES_KEPT: usize = 1000;

#[cfg(test)]
mod tests;
