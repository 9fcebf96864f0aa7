//! Where a recording is cut into files: the rules, and what the next file needs to stand alone.
//!
//! ```text
//! file 1                          file 2
//! metadata · headers · GOP · GOP │ metadata · headers · GOP · …        cut before a keyframe; without video, before any frame
//! ```
//!
//! The recorder asks before each tag whether the file ends there. Does not open, name or remove files.

use std::io;

use crate::proto::media::{AudioCodec, AudioTag, VideoCodec, VideoTag};

use super::index::RESERVED_KEYFRAMES;
use super::timeline::Track;

/// When a file is full. Whichever comes first counts; none of them is one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// At the first keyframe from each multiple of this on, in milliseconds of the recording: files do not drift.
    pub time_ms: Option<u64>,
    /// At the first keyframe once the file has this many bytes.
    pub bytes: Option<u64>,
    /// At the first keyframe behind a changed codec or codec configuration.
    pub codec_change: bool,
}

/// A file that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Which one, from 1.
    pub number: u64,
    /// Where it begins, in milliseconds of the whole recording.
    pub at_ms: u64,
    /// Its length in milliseconds.
    pub duration_ms: u64,
    /// Its size.
    pub bytes: u64,
}

/// Is told that a file is complete and closed, before the next one is opened.
pub type Ended = Box<dyn FnMut(&Segment) -> io::Result<()> + Send>;

/// Decides where files end.
pub struct Segmenter {
    rules: Rules,
    ended: Ended,
    number: u64,
    /// First frame of the recording, and of the present file; last frame of each track.
    zero_ms: Option<u64>,
    at_ms: Option<u64>,
    last_ms: [Option<u64>; 2],
    /// From when on the file is long enough.
    due_ms: u64,
    /// Files of a live source that were ended for their time or a change, and since when, on the clock of the machine.
    cuts: u64,
    cuts_since_ms: Option<u64>,
    codecs: (Option<VideoCodec>, Option<AudioCodec>),
    /// Codec or configuration changed, and no file has begun since.
    changed: bool,
    /// Changed headers that neither this file nor the next has yet.
    held: Vec<(u8, Vec<u8>)>,
}

impl Segmenter {
    /// Cuts by `rules`, and tells `ended` of each file.
    pub fn new(rules: Rules, ended: Ended) -> Self {
        Self {
            rules,
            ended,
            number: 1,
            zero_ms: None,
            at_ms: None,
            last_ms: [None; 2],
            due_ms: 0,
            cuts: 0,
            cuts_since_ms: None,
            codecs: (None, None),
            changed: false,
            held: Vec::new(),
        }
    }

    /// A sequence header; `changed` if another one was in its place. `true`: it is kept until it is known in which file it
    /// belongs, and not to be written now.
    pub(super) fn header(&mut self, kind: u8, track: Track, payload: &[u8], changed: bool) -> bool {
        let changed = self.note_codec(track, payload) | changed;
        if !changed || !self.rules.codec_change || self.at_ms.is_none() {
            return false;
        }
        self.changed = true;
        if self.held.len() >= MAX_HELD || payload.len() > MAX_HELD_BYTES {
            return false;
        }
        self.held.push((kind, payload.to_vec()));
        true
    }

    /// A frame at `time_ms`, which came at `now_ms` of the clock of the machine if the source is live, and before which the file
    /// has `file_bytes` bytes. `true`: the file ends before it. `keyframe` is whether a file may begin with it as far as its own
    /// track goes.
    pub(super) fn ends_before(
        &mut self,
        track: Track,
        payload: &[u8],
        keyframe: bool,
        time_ms: u64,
        (file_bytes, now_ms): (u64, Option<u64>),
    ) -> bool {
        self.changed |= self.note_codec(track, payload) && self.rules.codec_change;
        let zero = *self.zero_ms.get_or_insert(time_ms);
        let can_begin = match (track, self.last_ms[Track::Video as usize]) {
            (Track::Video, _) => keyframe,
            // A picture that has stopped for good must not keep the sound in one file.
            (Track::Audio, last) => last.is_none_or(|last| time_ms >= last.saturating_add(VIDEO_PATIENCE_MS)),
        };
        self.last_ms[track as usize] = Some(time_ms);
        let may_cut = now_ms.is_none_or(|now_ms| self.may_cut(now_ms));
        let ends = can_begin && self.at_ms.is_some() && self.is_full(time_ms, file_bytes, may_cut);
        self.cuts += u64::from(ends);
        if ends || self.at_ms.is_none() {
            self.due_ms = self.rules.time_ms.map_or(0, |every| {
                let every = every.max(1);
                zero.saturating_add(((time_ms.saturating_sub(zero)) / every + 1).saturating_mul(every))
            });
        }
        if self.at_ms.is_none() {
            self.at_ms = Some(time_ms);
        }
        ends
    }

    /// The headers that were kept back and belong before a frame of this tag type, the file going on.
    pub(super) fn take_held(&mut self, kind: u8) -> Vec<Vec<u8>> {
        let (now, later) = std::mem::take(&mut self.held).into_iter().partition(|(held, _)| *held == kind);
        self.held = later;
        let now: Vec<(u8, Vec<u8>)> = now;
        now.into_iter().map(|(_, payload)| payload).collect()
    }

    /// The file is complete and closed, with `bytes`; frames of its slowest track are `frame_ms` apart.
    ///
    /// # Errors
    /// Those of whoever is told.
    pub(super) fn end(&mut self, bytes: u64, last_ms: u64, frame_ms: u64) -> io::Result<()> {
        let at_ms = self.at_ms.unwrap_or(0);
        let duration_ms = (last_ms + frame_ms).saturating_sub(at_ms);
        let segment = Segment { number: self.number, at_ms, duration_ms, bytes };
        (self.ended)(&segment)
    }

    /// The next file has begun, with a frame at `time_ms` and all headers in force.
    pub(super) fn begin(&mut self, time_ms: u64) {
        self.number += 1;
        self.at_ms = Some(time_ms);
        self.changed = false;
        self.held.clear();
    }

    /// Whether a header is one of the codec that its track has now: one of an earlier codec does not belong in a new file.
    pub(super) fn is_in_force(&self, track: Track, payload: &[u8]) -> bool {
        match track {
            Track::Video => self.codecs.0.is_none() || video_codec(payload).is_none_or(|it| Some(it) == self.codecs.0),
            Track::Audio => self.codecs.1.is_none() || audio_codec(payload).is_none_or(|it| Some(it) == self.codecs.1),
        }
    }

    fn is_full(&self, time_ms: u64, file_bytes: u64, may_cut: bool) -> bool {
        let is_due = self.changed || (self.rules.time_ms.is_some() && time_ms >= self.due_ms);
        (is_due && may_cut) || self.rules.bytes.is_some_and(|most| file_bytes >= most)
    }

    /// Whether one more file is in proportion to the time of the machine: a live source whose clock runs wild, or whose
    /// configuration changes with each frame, would make thousands in a second.
    fn may_cut(&mut self, now_ms: u64) -> bool {
        let since = *self.cuts_since_ms.get_or_insert(now_ms);
        let pause_ms = self.rules.time_ms.unwrap_or(CUT_PAUSE_MS).clamp(1, CUT_PAUSE_MS);
        self.cuts < FREE_CUTS + now_ms.saturating_sub(since) / pause_ms
    }

    /// Keyframes for which a file's index has room: one in half a second, or one in so many bytes.
    pub(super) fn index_entries(&self) -> usize {
        let by_time = self.rules.time_ms.map(|every| every / 500);
        let by_bytes = self.rules.bytes.map(|most| most / BYTES_PER_ENTRY);
        let entries = by_time.into_iter().chain(by_bytes).min().unwrap_or(u64::MAX);
        usize::try_from(entries).unwrap_or(usize::MAX).clamp(LEAST_ENTRIES, RESERVED_KEYFRAMES)
    }

    /// `true`: the track has another codec than before.
    fn note_codec(&mut self, track: Track, payload: &[u8]) -> bool {
        match track {
            Track::Video => replace(&mut self.codecs.0, video_codec(payload)),
            Track::Audio => replace(&mut self.codecs.1, audio_codec(payload)),
        }
    }
}

impl std::fmt::Debug for Segmenter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segmenter").field("rules", &self.rules).field("number", &self.number).finish_non_exhaustive()
    }
}

fn replace<T: PartialEq>(known: &mut Option<T>, now: Option<T>) -> bool {
    match now {
        Some(now) if known.as_ref() != Some(&now) => known.replace(now).is_some(),
        _ => false,
    }
}

/// The codec of a payload with one track; of several, nothing is said.
fn video_codec(payload: &[u8]) -> Option<VideoCodec> {
    let tag = VideoTag::parse(payload).ok().filter(|tag| tag.multitrack.is_none())?;
    tag.tracks().next().map(|track| track.codec)
}

fn audio_codec(payload: &[u8]) -> Option<AudioCodec> {
    let tag = AudioTag::parse(payload).ok().filter(|tag| tag.multitrack.is_none())?;
    tag.tracks().next().map(|track| track.codec)
}

/// Changed headers that are kept back; no stream changes more of them between two frames, and none has longer ones.
const MAX_HELD: usize = 64;
const MAX_HELD_BYTES: usize = 64 << 10;

/// Files that a live source may begin at any pace, as one with a long cache does, and one more in so much time of the machine,
/// or in the length of a file if that is less.
const FREE_CUTS: u64 = 64;
const CUT_PAUSE_MS: u64 = 1_000;
/// The least room of an index. What does not fit is thinned out.
const LEAST_ENTRIES: usize = 32;
/// A keyframe in this many bytes: two in a second at 1 Mbit/s.
const BYTES_PER_ENTRY: u64 = 64 << 10;
/// So long after the last picture, sound alone decides where a file may begin.
const VIDEO_PATIENCE_MS: u64 = 10_000;

#[cfg(test)]
mod tests;
