//! How the output is opened: when the beginning is understood, with what was held.

use std::io;

use crate::proto::media::{Class, Kind};

use super::super::index::{Index, RESERVED_KEYFRAMES};
use super::super::script;
use super::super::segmenter::Segmenter;
use super::super::sink::Output;
use super::super::tag::tag_type;
use super::super::writer::Writer;
use super::file::RecordedFile;
use super::record::Recorder;
use super::types::{Existing, PushResult};

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

    /// Opens a file that is resumed.
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
