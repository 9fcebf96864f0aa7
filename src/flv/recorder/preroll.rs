//! The beginning of a recording, held until it is known which tracks there are.

use std::io;

use crate::proto::media::{Class, Kind};

use super::super::index::{Index, RESERVED_KEYFRAMES};
use super::super::script;
use super::super::segmenter::Segmenter;
use super::super::sink::Output;
use super::super::tag::{FileHeader, tag_type};
use super::super::timeline::{HEADER_MS, Track, unwrap_near};
use super::super::writer::Writer;
use super::file::RecordedFile;
use super::{Existing, PushResult, Recorder};

/// The beginning, held in memory.
#[derive(Default)]
pub struct Preroll {
    pub(super) held: Vec<Held>,
    pub(super) bytes: usize,
    /// When the first frame was held.
    pub(super) since_ms: Option<u64>,
    /// Media time of the first frame and of the last.
    first: Option<i64>,
    last: i64,
    /// Tracks that were seen at all, of which frames were seen, and which the metadata names; as header flags.
    pub(super) seen: u8,
    pub(super) coded: u8,
    pub(super) declared: u8,
}

pub struct Held {
    pub(super) kind: u8,
    pub(super) timestamp: u32,
    pub(super) payload: Vec<u8>,
}

impl Preroll {
    /// Keeps a copy of a message. Returns how many had to be dropped for it: data alone opens nothing, and must not fill the
    /// memory.
    pub(super) fn hold(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> u64 {
        let flag = match kind {
            tag_type::AUDIO => FileHeader::AUDIO,
            tag_type::VIDEO => FileHeader::VIDEO,
            _ => 0,
        };
        self.seen |= flag;
        if Class::of(kind, payload).kind.is_coded() {
            self.coded |= flag;
            self.since_ms.get_or_insert(now_ms);
            let first = *self.first.get_or_insert(i64::from(timestamp));
            self.last = self.last.max(unwrap_near(timestamp, first));
        }
        self.bytes += payload.len();
        self.held.push(Held { kind, timestamp, payload: payload.to_vec() });
        let mut dropped = 0;
        while self.coded == 0 && self.is_full() {
            self.bytes -= self.held.remove(0).payload.len();
            dropped += 1;
        }
        dropped
    }

    /// The flags for the file header, if enough is known to begin or it was waited long enough. `from_zero`: a first frame
    /// near 0 makes 0 the base, whatever comes after it.
    fn flags(&self, now_ms: u64, pipe: bool, from_zero: bool) -> Option<u8> {
        let (since, first) = (self.since_ms?, self.first?);
        let wanted = if self.declared != 0 { self.declared | self.seen } else { BOTH };
        let waited = now_ms.saturating_sub(since);
        if self.coded & wanted == wanted {
            Some(wanted)
        } else if self.is_full() || waited >= LONGEST_HOLD_MS || self.last - first >= LONGEST_SPAN_MS {
            // Metadata that names a track which has not come by now is not to be believed.
            Some(self.seen)
        } else if pipe && self.seen == BOTH && from_zero && (0..=HEADER_MS).contains(&first)
            || pipe && self.declared != 0 && waited >= PIPE_HOLD_MS
        {
            Some(self.seen | self.declared)
        } else {
            None
        }
    }

    /// Whether what is held are the sequence headers of both tracks, and nothing of another time than 0.
    fn has_headers_at_zero(&self) -> bool {
        self.coded == 0
            && self.seen == BOTH
            && !self.held.is_empty()
            && self.held.iter().all(|held| held.timestamp == 0)
    }

    /// When [`Preroll::flags`] will have waited long enough.
    pub(super) fn due_ms(&self, pipe: bool) -> Option<u64> {
        let patience = if pipe && self.declared != 0 { PIPE_HOLD_MS } else { LONGEST_HOLD_MS };
        self.since_ms.map(|since| since.saturating_add(patience))
    }

    fn is_full(&self) -> bool {
        self.held.len() > MAX_HELD || self.bytes > MAX_HELD_BYTES
    }

    pub(super) fn take(&mut self) -> Vec<Held> {
        self.bytes = 0;
        std::mem::take(&mut self.held)
    }
}

impl Recorder {
    /// One tag of the beginning.
    pub(super) fn hold(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<PushResult> {
        self.summary.skipped += self.preroll.hold(kind, timestamp, payload, now_ms);
        if let Some(flags) = self.flags(now_ms) {
            return self.begin(flags, now_ms);
        }
        // Whoever reads along can make use of the headers while the first frame is on its way: a large one takes round trips.
        if self.options.pipe && !self.options.absolute && self.segmenter.is_none() && self.preroll.has_headers_at_zero()
        {
            if self.file.is_none() {
                self.open_file(self.preroll.seen, now_ms)?;
            }
            for held in self.preroll.take() {
                self.write(held.kind, held.timestamp, &held.payload, now_ms)?;
            }
            self.flush()?;
        }
        Ok(PushResult::Going)
    }

    /// The flags for the file header, if it is time to begin.
    pub(super) fn flags(&self, now_ms: u64) -> Option<u8> {
        self.preroll.flags(now_ms, self.options.pipe, self.is_from_zero())
    }

    /// What begins at the beginning keeps its times: the first frame of a file need not be at 0, nor a header before it.
    fn is_from_zero(&self) -> bool {
        self.timeline.live() != Some(true) && self.options.start_ms.is_none_or(|start| start == 0)
    }

    /// Whether headers were written over an earlier connection, and no frame yet.
    pub(super) fn repeats_the_beginning(&self) -> bool {
        self.may_repeat != 0 && self.file.is_some() && !self.summary.opened
    }

    /// Opens a file that is gone on with.
    pub(super) fn append_to_existing(&mut self, existing: Existing, now_ms: u64) -> io::Result<()> {
        let writer = Writer::continuing(self.open_output()?, existing.bytes);
        self.file = Some(RecordedFile::behind(writer, existing.flags, existing.index, now_ms));
        self.summary.opened = true;
        Ok(())
    }

    /// Opens the output and writes what was held.
    pub(super) fn begin(&mut self, flags: u8, now_ms: u64) -> io::Result<PushResult> {
        let held = self.preroll.take();
        for held in &held {
            if let Some(track) = Class::of(held.kind, &held.payload).frame_track() {
                self.timeline.observe(track, held.timestamp);
            }
        }
        let live = self.timeline.live() == Some(true);
        for held in &held {
            match Class::of(held.kind, &held.payload).kind {
                Kind::Config => self.timeline.observe_non_media(held.timestamp),
                Kind::End | Kind::Data if !live => self.timeline.observe_non_media(held.timestamp),
                _ => {}
            }
        }
        if self.is_from_zero() || self.file.is_some() {
            self.timeline.observe_non_media(0);
        }
        let taken_over = self.file.is_none() && self.open_file(flags, now_ms)?;
        self.summary.opened = true;
        for held in held {
            // What an index has taken over is in the file already.
            if taken_over && held.kind == tag_type::SCRIPT && held.payload.starts_with(script::ON_META_DATA) {
                continue;
            }
            if self.write(held.kind, held.timestamp, &held.payload, now_ms)? == PushResult::StopReached {
                return Ok(PushResult::StopReached);
            }
        }
        Ok(PushResult::Going)
    }

    fn open_output(&mut self) -> io::Result<Output> {
        let mut output = (self.open)()?;
        // A source that may well be on demand can wait, and would fill the whole queue at full speed.
        output.set_queue(match self.timeline.live() {
            Some(true) => self.options.queue_bytes,
            Some(false) => 0,
            None => self.options.queue_bytes / 4,
        });
        if let Some(stop) = &self.stop {
            output.stop_when(stop.clone());
        }
        Ok(output)
    }

    /// Opens the output. Whether the metadata is in it already, taken over by the index.
    pub(super) fn open_file(&mut self, flags: u8, now_ms: u64) -> io::Result<bool> {
        let output = self.open_output()?;
        let index = self.options.index && output.is_seekable();
        let entries = self.segmenter.as_ref().map_or(RESERVED_KEYFRAMES, Segmenter::index_entries);
        let index = index.then_some((self.metadata.as_ref(), entries));
        let file = RecordedFile::begin(output, flags, index, now_ms)?;
        if self.options.keep_fingerprints && (self.segmenter.is_some() || !file.writer.is_seekable()) {
            self.recent_tags.get_or_insert_default();
        }
        self.summary.script_tags += u64::from(file.index.is_some());
        let taken_over = file.index.as_ref().is_some_and(Index::has_server_metadata);
        self.file = Some(file);
        Ok(taken_over)
    }
}

/// The flag of the file header that stands for a track.
pub fn flag_of(track: Track) -> u8 {
    match track {
        Track::Audio => FileHeader::AUDIO,
        Track::Video => FileHeader::VIDEO,
    }
}

const BOTH: u8 = FileHeader::AUDIO | FileHeader::VIDEO;
/// The beginning is held no longer than this after its first frame.
const LONGEST_HOLD_MS: u64 = 500;
/// Nor for more media than this: a track that has not come by then comes late.
const LONGEST_SPAN_MS: i64 = 1_000;
/// Where the metadata names the tracks, a pipe waits this long for the first frame of the second one.
const PIPE_HOLD_MS: u64 = 60;
/// Messages and bytes that are held at the most.
pub(super) const MAX_HELD: usize = 256;
pub(super) const MAX_HELD_BYTES: usize = 1 << 20;
