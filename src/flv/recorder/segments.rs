//! A recording in several files: asks the segmenter, and makes each file complete in itself.

use std::io;

use crate::proto::media::{Class, Kind};

use super::super::segmenter::Segmenter;
use super::super::tag::tag_type;
use super::super::timeline::Track;
use super::file::RecordedFile;
use super::record::Recorder;

impl Recorder {
    /// Has the recording cut into files as `segmenter` says: `open` is then called for each of them. Times begin at 0 in each
    /// file unless absolute ones were asked for.
    pub fn in_segments(mut self, segmenter: Segmenter) -> Self {
        self.segmenter = Some(segmenter);
        self
    }

    /// Begins the next file before this tag if the present one ends there. `false`: the tag is kept back for now.
    pub(super) fn segment(
        &mut self,
        kind: u8,
        class: Class,
        payload: &[u8],
        changed: bool,
        time: u64,
        now_ms: u64,
    ) -> io::Result<bool> {
        // What may be on demand comes as fast as it can, and is cut as often.
        let live_now_ms = (self.timeline.live() == Some(true)).then_some(now_ms);
        let (Some(segmenter), Some(file)) = (&mut self.segmenter, &self.file) else { return Ok(true) };
        match (class.track, class.kind) {
            (Some(track), Kind::Config) => Ok(!segmenter.header(kind, track, payload, changed)),
            (Some(track), Kind::Keyframe | Kind::Frame) => {
                if segmenter.ends_before(
                    track,
                    payload,
                    class.is_keyframe(),
                    time,
                    (file.writer.position(), live_now_ms),
                ) {
                    self.next_file(time, now_ms)?;
                } else {
                    for header in segmenter.take_held(kind) {
                        self.write_tag(kind, Class { track: Some(track), kind: Kind::Config }, time, &header)?;
                    }
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    /// Completes the present file and begins another, for a frame at `time`, with metadata and headers.
    fn next_file(&mut self, time: u64, now_ms: u64) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.finish()?;
        }
        self.end_file()?;
        let taken_over = self.open_file(self.tracks_with_frames, now_ms)?;
        let (Some(file), Some(segmenter)) = (&mut self.file, &mut self.segmenter) else { return Ok(()) };
        segmenter.begin(time);
        if !self.options.absolute {
            file.origin_ms = time;
        }
        let at = time - file.origin_ms;
        if !taken_over && !self.metadata_bytes.is_empty() {
            file.tag(tag_type::SCRIPT, at, &self.metadata_bytes)?;
        }
        for (track, header) in self.headers.iter().filter(|(track, header)| segmenter.is_in_force(*track, header)) {
            let kind = match track {
                Track::Audio => tag_type::AUDIO,
                Track::Video => tag_type::VIDEO,
            };
            file.tag(kind, at, header)?;
        }
        Ok(())
    }

    /// Writes headers that were kept back and no frame followed.
    pub(super) fn write_held_headers(&mut self) -> io::Result<()> {
        let Some(time) = self.file.as_ref().map(|file| file.last_ms) else { return Ok(()) };
        for (kind, track) in [(tag_type::VIDEO, Track::Video), (tag_type::AUDIO, Track::Audio)] {
            let held = self.segmenter.as_mut().map(|segmenter| segmenter.take_held(kind)).unwrap_or_default();
            for header in held {
                self.write_tag(kind, Class { track: Some(track), kind: Kind::Config }, time, &header)?;
            }
        }
        Ok(())
    }

    /// The file was finished: closes it and tells of it.
    pub(super) fn end_file(&mut self) -> io::Result<()> {
        let Some(segmenter) = &mut self.segmenter else { return Ok(()) };
        let Some(RecordedFile { writer, last_ms, .. }) = self.file.take() else { return Ok(()) };
        let bytes = writer.position();
        drop(writer);
        self.ended_bytes += bytes;
        segmenter.end(bytes, last_ms, self.timeline.frame_ms())
    }
}
