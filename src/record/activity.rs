//! Whether media flows: what the listener is told about connections, stalls, gaps and keyframes.

use std::time::Duration;

use super::gaps::Gaps;
use super::listener::{Event, Listener, Position};
use crate::flv::recorder::Recorder;

/// When media was last written, and what was told about it. Times are milliseconds of the recording's clock.
#[derive(Debug, Default)]
pub(super) struct MediaActivity {
    /// Number of the connection, from 1.
    pub connection: u32,
    /// When it was begun.
    pub begun_ms: u64,
    /// The largest time in the output then.
    pub begun_at_ms: i64,
    /// It has brought media.
    has_media: bool,
    /// Audio and video tags written when it was last looked at, and when their number last grew.
    tags: u64,
    pub media_ms: u64,
    /// A stall was told.
    is_stalled: bool,
    /// Keyframes told, and when.
    keyframes: u64,
    keyframes_ms: u64,
}

impl MediaActivity {
    /// A connection is about to be made; `at_ms`: the largest time in the output.
    pub(super) fn begin_connection(&mut self, now_ms: u64, at_ms: i64) {
        self.connection += 1;
        self.begun_ms = now_ms;
        self.begun_at_ms = at_ms;
        self.has_media = false;
        self.is_stalled = false;
    }

    /// Looks at what was written since the last time: media that continues, or does not.
    pub(super) fn look(
        &mut self,
        recorder: &Recorder,
        gaps: &mut Gaps,
        position: Position,
        now_ms: u64,
        listener: &mut dyn Listener,
    ) {
        let since = |ms: u64| Duration::from_millis(now_ms.saturating_sub(ms));
        let (tags, silence) = (position.audio + position.video, since(self.media_ms));
        if tags == self.tags {
            if self.has_media && !self.is_stalled && silence >= STALL && !gaps.is_open() {
                self.is_stalled = true;
                listener.event(Event::Stalled(silence));
            }
            return;
        }
        if !self.has_media && !recorder.is_rejoining() {
            self.has_media = true;
            listener.event(Event::FirstMedia { connection: self.connection, after: since(self.begun_ms) });
        }
        if std::mem::take(&mut self.is_stalled) {
            listener.event(Event::Resumed(silence));
        }
        if gaps.is_open()
            && !recorder.is_rejoining()
            && let Some(gap) = gaps.end(now_ms, recorder.rejoined_ms())
        {
            listener.event(Event::Gap(&gap));
        }
        self.tags = tags;
        self.media_ms = now_ms;
        if position.keyframes != self.keyframes && now_ms >= self.keyframes_ms + KEYFRAMES_MS {
            self.keyframes = position.keyframes;
            self.keyframes_ms = now_ms;
            listener.event(Event::Keyframes(position));
        }
    }
}

/// So much silence is told as a stall.
const STALL: Duration = Duration::from_secs(3);

/// Keyframes are told no more often than this, in milliseconds.
const KEYFRAMES_MS: u64 = 1_000;
