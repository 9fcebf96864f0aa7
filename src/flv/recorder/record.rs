//! The recorder: takes messages, opens the output when there is media, and ends it.

use std::io;

use crate::proto::amf0::Object;
use crate::proto::media::{Class, Kind};
use crate::proto::message::{Message, message_type};

use super::super::index::is_ours;
use super::super::script;
use super::super::segmenter::Segmenter;
use super::super::sink::StopCheck;
use super::super::tag::{FileHeader, tag_type};
use super::super::tail::{RecentTags, Tail};
use super::super::timeline::{Join, Timeline, TimelineOptions, Track};
use super::file::RecordedFile;
use super::headers::{Headers, Seen};
use super::preroll::{Preroll, flag_of};
use super::types::{Existing, Open, Options, PushResult, Summary};

/// Records one stream into one output, or into one file after the other.
pub struct Recorder {
    pub(super) options: Options,
    pub(super) open: Open,
    pub(super) stop: Option<StopCheck>,
    pub(super) preroll: Preroll,
    pub(super) timeline: Timeline,
    pub(super) file: Option<RecordedFile>,
    /// The file that is resumed, until it is opened.
    pub(super) existing: Option<Existing>,
    /// What a new connection may repeat: the last sequence headers and the last metadata, as they came.
    pub(super) headers: Headers,
    pub(super) metadata_bytes: Vec<u8>,
    pub(super) metadata: Option<Object>,
    /// After a new connection, until its first keyframe.
    pub(super) rejoin: Option<Rejoin>,
    /// Tracks whose headers a new connection may still repeat, before their first frames; as header flags.
    pub(super) may_repeat: u8,
    /// Output time of the first frame of the present connection, if it is not the first one.
    pub(super) rejoined_ms: u64,
    /// Tracks of which frames were written, and those that have reached the end asked for; as header flags.
    pub(super) tracks_with_frames: u8,
    pub(super) at_stop: u8,
    /// Cuts the recording into files; and bytes of those that are complete.
    pub(super) segmenter: Option<Segmenter>,
    pub(super) ended_bytes: u64,
    /// What is known of the output.
    pub(super) recent_tags: Option<RecentTags>,
    pub(super) summary: Summary,
    pub(super) failed: bool,
}

pub(super) struct Rejoin {
    pub(super) since_ms: Option<u64>,
    pub(super) awaits_keyframe: bool,
}

impl Recorder {
    /// A recorder that will call `open` when media is there.
    pub fn new(options: Options, open: Open) -> Self {
        let timeline = Timeline::new(TimelineOptions {
            live: options.live.then_some(true),
            absolute: options.absolute,
            start_ms: options.start_ms,
        });
        Self {
            options,
            open,
            stop: None,
            preroll: Preroll::default(),
            timeline,
            file: None,
            existing: None,
            headers: Headers::default(),
            metadata_bytes: Vec::new(),
            metadata: None,
            rejoin: None,
            may_repeat: 0,
            rejoined_ms: 0,
            tracks_with_frames: 0,
            at_stop: 0,
            segmenter: None,
            ended_bytes: 0,
            recent_tags: None,
            summary: Summary::default(),
            failed: false,
        }
    }

    /// A recorder that goes on with a file. It is given what is new only, with times of the file; `open` is to bring the file
    /// cut to the bytes that stay, and stand there.
    pub fn continuing(options: Options, open: Open, existing: Existing) -> Self {
        Self {
            timeline: Timeline::continuing(existing.first_ms, existing.latest_ms),
            metadata: existing.metadata.clone().filter(|metadata| !is_ours(metadata)),
            existing: Some(existing),
            ..Self::new(options, open)
        }
    }

    /// Gives waits for a slow output up, some time after `stop` says so: see [`crate::flv::sink::Output::stop_when`].
    pub fn stop_when(&mut self, stop: StopCheck) {
        self.stop = Some(stop);
    }

    /// Takes a message: audio, video or data; others are passed over. `now_ms` is a clock that does not go back.
    ///
    /// # Errors
    /// Those of the output. What was written before stays a valid file; every later push fails as well.
    #[inline]
    pub fn push(&mut self, message: &Message<'_>, now_ms: u64) -> io::Result<PushResult> {
        let header = message.header;
        let is_frame = matches!(header.message_type_id, message_type::AUDIO | message_type::VIDEO);
        let result = if is_frame && self.summary.opened && self.existing.is_none() && !message.payload.is_empty() {
            self.write(header.message_type_id, header.timestamp, message.payload, now_ms)
        } else {
            self.dispatch(header.message_type_id, header.timestamp, message.payload, now_ms)
        };
        self.failed |= result.is_err();
        result
    }

    /// Lets time pass while no message comes: the holding of the beginning comes to its end, a file is brought up to date.
    ///
    /// # Errors
    /// Those of the output.
    pub fn tick(&mut self, now_ms: u64) -> io::Result<()> {
        let result = self.tick_inner(now_ms);
        self.failed |= result.is_err();
        result
    }

    /// Hands what is written to the operating system.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.writer.flush())
    }

    /// Waits until all of it is written.
    ///
    /// # Errors
    /// Those of the output.
    pub fn drain_writer(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.writer.flush().and_then(|()| file.writer.drain()))
    }

    /// Waits until what is written is on the disk; the index is brought up to date before.
    ///
    /// # Errors
    /// Those of the output.
    pub fn sync(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.patch()?;
        file.writer.sync()
    }

    /// What comes now is from a new connection. A live stream goes on at its first keyframe, joined as `join` says; headers
    /// and metadata that are the same again are left out. An on-demand stream goes on by its own times. Frames that were
    /// still held are written.
    ///
    /// # Errors
    /// Those of the output.
    pub fn new_connection(&mut self, join: Join, now_ms: u64) -> io::Result<()> {
        self.write_held(now_ms)?;
        self.timeline.new_connection(join);
        if !self.summary.opened {
            self.preroll = Preroll::default();
        } else {
            let awaits_keyframe = self.tracks_with_frames & FileHeader::VIDEO != 0
                && self.timeline.live() != Some(false)
                && join != Join::SameClock;
            self.rejoin = Some(Rejoin { since_ms: None, awaits_keyframe });
        }
        if self.file.is_some() {
            self.may_repeat = FileHeader::AUDIO | FileHeader::VIDEO;
        }
        Ok(())
    }

    /// Opens the output and writes what is held, if there are frames: nothing more will come for a while.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_held(&mut self, now_ms: u64) -> io::Result<()> {
        if self.failed || self.summary.opened || self.preroll.coded == 0 {
            return Ok(());
        }
        let result = self.begin(self.preroll.seen, now_ms).map(drop);
        self.failed |= result.is_err();
        result
    }

    /// Whether a new connection has not yet brought anything to go on with.
    pub fn is_rejoining(&self) -> bool {
        self.rejoin.is_some()
    }

    /// There is nothing to be added to the file that was to be resumed: puts right what is wrong with it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn repair_existing(&mut self, now_ms: u64) -> io::Result<()> {
        match self.existing.take_if(|existing| existing.needs_repair) {
            Some(existing) => self.append_to_existing(existing, now_ms),
            None => Ok(()),
        }
    }

    /// The stream's metadata, where it is not to be written again.
    pub fn note_metadata(&mut self, metadata: Object) {
        self.metadata = Some(metadata);
    }

    /// What is known of the output, on its own line of time.
    pub fn fingerprints(&self) -> Option<Tail> {
        self.recent_tags.as_ref().and_then(RecentTags::tail)
    }

    /// From here on only what is new is given, with times of the file.
    pub fn use_file_timeline(&mut self) {
        if let Some(latest) = self.timeline.largest_output_ms() {
            self.timeline = Timeline::continuing(self.timeline.first_output_ms().max(0) as u32, latest as u32);
        }
    }

    /// The server says that the publisher is back.
    pub fn publisher_returned(&mut self) {
        if self.is_open() && self.timeline.live() != Some(false) {
            self.timeline.set_live(true);
            self.timeline.expect_restart();
        }
    }

    /// The stream turned out to be on demand: nothing is stitched. What the user said weighs more.
    pub fn set_on_demand(&mut self) {
        if !self.options.live {
            self.timeline.set_live(false);
        }
    }

    /// Ends the recording: everything is written, header and index say what is in the file. If neither audio nor video came,
    /// nothing was opened.
    ///
    /// # Errors
    /// Those of the output, unless it failed before. That it was given up is said again.
    pub fn finish(&mut self) -> io::Result<Summary> {
        let mut result = Ok(());
        if !self.failed && !self.summary.opened && self.preroll.seen != 0 {
            result = self.begin(self.preroll.seen, 0).map(drop);
        }
        if !self.failed && result.is_ok() {
            result = self.write_held_headers();
        }
        if let Some(file) = &mut self.file {
            let finished = file.finish();
            if !self.failed && result.is_ok() {
                result = finished.and_then(|()| self.end_file());
            } else if result.is_ok() {
                result = file.writer.check_not_given_up();
            }
        }
        self.summary.bytes = self.bytes_written();
        result?;
        let summary = &mut self.summary;
        summary.discontinuities = self.timeline.discontinuities().to_vec();
        summary.discontinuity_count = self.timeline.discontinuity_count();
        if let Some(latest) = self.timeline.largest_output_ms() {
            summary.latest_ms = latest as i64;
            summary.duration_ms =
                (latest + self.timeline.frame_ms()).saturating_sub(self.timeline.first_output_ms().max(0) as u64);
        }
        Ok(summary.clone())
    }

    /// When [`Recorder::tick`] has something to do even if nothing comes, on the clock of `now_ms`: the held beginning goes out.
    pub fn due_ms(&self) -> Option<u64> {
        self.preroll.due_ms(self.options.pipe).filter(|_| !self.summary.opened)
    }

    /// Whether there is media in the output.
    pub fn is_open(&self) -> bool {
        self.summary.opened
    }

    /// Whether what is open now is a file that can be patched: nothing that somebody reads as it is written.
    pub fn is_seekable(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.writer.is_seekable())
    }

    /// Where the output went on after the last new connection, in milliseconds.
    pub fn rejoined_ms(&self) -> u64 {
        self.rejoined_ms
    }

    /// Bytes of the output so far (of all files of it), those not yet handed over included.
    pub fn bytes_written(&self) -> u64 {
        let existing = self.existing.as_ref().map_or(0, |existing| existing.bytes);
        self.ended_bytes + self.file.as_ref().map_or(existing, |file| file.writer.position())
    }

    /// Largest time of a frame in the output, in milliseconds.
    pub fn latest_ms(&self) -> i64 {
        self.timeline.largest_output_ms().map_or(0, |latest| latest as i64)
    }

    /// The same of what is certainly in the output, after a failed write; `None` if unknown.
    pub fn saved_ms(&self) -> Option<i64> {
        match &self.file {
            Some(file) if file.writer.has_failed() => file.saved_ms.map(|ms| ms as i64),
            _ => Some(self.latest_ms()),
        }
    }

    /// Largest time of a frame of the source, unwrapped, in milliseconds; of its present segment if it was stitched.
    pub fn source_ms(&self) -> Option<i64> {
        self.timeline.source_ms()
    }

    /// Time of the last frame of one track of the source, unwrapped, in milliseconds.
    pub fn last_source_ms(&self, track: Track) -> Option<i64> {
        self.timeline.last_source_ms(track)
    }

    /// Typical distance of two frames of the slower track, in milliseconds; 0 if unknown.
    pub fn frame_ms(&self) -> i64 {
        self.timeline.frame_ms() as i64
    }

    /// The properties of the last onMetaData.
    pub fn metadata(&self) -> Option<&Object> {
        self.metadata.as_ref()
    }

    /// `duration` of the metadata in seconds, if it says one.
    pub fn metadata_duration(&self) -> Option<f64> {
        self.metadata.as_ref().and_then(script::duration)
    }

    /// The tags written so far, by type: audio, video, script.
    pub fn tags(&self) -> (u64, u64, u64) {
        (self.summary.audio_tags, self.summary.video_tags, self.summary.script_tags)
    }

    /// What was left out so far: repeated by new connections, and broken or empty.
    pub fn left_out(&self) -> (u64, u64) {
        (self.summary.repeated, self.summary.skipped)
    }

    /// Coded frames that were taken so far, those held at the beginning included: what a stream has really brought. Empty
    /// messages, headers and what a new connection repeats do not count.
    pub fn frames(&self) -> u64 {
        let held = self.preroll.held.iter().filter(|held| Class::of(held.kind, &held.payload).kind.is_coded());
        self.summary.frames + held.count() as u64
    }

    /// Data messages that are held because neither audio nor video has come; nothing is written for them alone.
    pub fn held_data(&self) -> usize {
        self.preroll.held.iter().filter(|held| Class::of(held.kind, &held.payload).track.is_none()).count()
    }

    /// How far the media has come on the timeline of the output, in milliseconds from its first frame, whatever times the
    /// server gives: what a duration is compared with. Unlike [`Recorder::latest_ms`] it does not depend on a wild frame.
    pub fn reached_ms(&self) -> u64 {
        let first = self.timeline.first_output_ms().max(0) as u64;
        self.timeline.reached_output_ms().map_or(0, |reached| reached.saturating_sub(first))
    }

    /// The keyframes written so far.
    pub fn keyframes(&self) -> u64 {
        self.summary.keyframes
    }

    pub(super) fn tick_inner(&mut self, now_ms: u64) -> io::Result<()> {
        if !self.summary.opened
            && let Some(flags) = self.flags(now_ms)
        {
            self.begin(flags, now_ms)?;
        }
        self.file.as_mut().map_or(Ok(()), |file| file.periodic_update(now_ms))
    }

    #[inline]
    pub(super) fn dispatch(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<PushResult> {
        match kind {
            message_type::AUDIO | message_type::VIDEO if !payload.is_empty() => {
                self.take(kind, timestamp, payload, now_ms)
            }
            message_type::DATA_AMF0 | message_type::DATA_AMF3 => self.data(kind, timestamp, payload, now_ms),
            // A silence signal; what was left of a broken aggregate.
            message_type::AUDIO | message_type::VIDEO | message_type::AGGREGATE => {
                self.summary.skipped += 1;
                Ok(PushResult::Going)
            }
            _ => Ok(PushResult::Going),
        }
    }

    pub(super) fn data(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<PushResult> {
        let Some(script) = script::prepare(kind, payload) else {
            self.summary.skipped += 1;
            return Ok(PushResult::Going);
        };
        if let Some(metadata) = script.metadata {
            if (self.rejoin.is_some() || self.repeats_the_beginning()) && self.metadata_bytes == *script.payload {
                self.summary.repeated += 1;
                return Ok(PushResult::Going);
            }
            self.timeline.expect_restart();
            self.metadata_bytes.clear();
            self.metadata_bytes.extend_from_slice(&script.payload);
            self.preroll.declared = script::declared_tracks(&metadata);
            if !self.options.live && script::duration(&metadata).is_some() {
                self.timeline.set_live(false);
            }
            let index = match (&mut self.existing, &mut self.file) {
                (Some(existing), _) => existing.index.as_mut(),
                (None, Some(file)) => file.index.as_mut(),
                (None, None) => None,
            };
            // As a tag it would be another file's metadata to some players, and a stream of subtitles to others.
            let is_merged = index.map(|index| index.merge_server_metadata(&metadata)).is_some();
            self.metadata = Some(metadata);
            if is_merged {
                return Ok(PushResult::Going);
            }
        }
        self.take(script.kind, timestamp, &script.payload, now_ms)
    }

    /// One tag to be.
    #[inline]
    pub(super) fn take(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<PushResult> {
        if let Some(existing) = self.existing.take() {
            self.append_to_existing(existing, now_ms)?;
        }
        if self.summary.opened {
            return self.write(kind, timestamp, payload, now_ms);
        }
        self.hold(kind, timestamp, payload, now_ms)
    }

    #[inline]
    pub(super) fn write(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<PushResult> {
        let class = Class::of(kind, payload);
        let rejoining = self.rejoin.is_some();
        if rejoining && self.awaits_another(class, now_ms) {
            self.summary.repeated += 1;
            return Ok(PushResult::Going);
        }
        let mut changed = false;
        if let (Some(track), Kind::Config) = (class.track, class.kind) {
            let seen = self.headers.set(track, payload);
            if seen == Seen::Same && self.may_repeat & flag_of(track) != 0 {
                self.summary.repeated += 1;
                return Ok(PushResult::Going);
            }
            changed = seen == Seen::Changed;
            self.timeline.expect_restart();
        }
        let time = match class.frame_track() {
            Some(track) => self.timeline.map_coded(track, timestamp, now_ms),
            None => self.timeline.map_non_media(timestamp, now_ms),
        };
        if let Some(track) = class.frame_track() {
            if rejoining {
                self.rejoined_ms = time;
            }
            self.tracks_with_frames |= flag_of(track);
            self.may_repeat &= !flag_of(track);
            self.summary.keyframes += u64::from(class.is_keyframe());
        }
        if let Some(stop) = self.options.stop_ms {
            let past = time as i64 - self.timeline.first_output_ms() - i64::try_from(stop).unwrap_or(i64::MAX);
            if past >= 0 {
                return Ok(self.stop(class, past));
            }
        }
        if self.segmenter.is_none() || self.segment(kind, class, payload, changed, time, now_ms)? {
            self.write_tag(kind, class, time, payload)?;
        }
        Ok(PushResult::Going)
    }

    /// Writes a tag that is not to be left out, at a time of the recording.
    #[inline]
    pub(super) fn write_tag(&mut self, kind: u8, class: Class, time: u64, payload: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        if class.kind.is_coded() {
            self.summary.frames += 1;
            file.last_ms = file.last_ms.max(time);
        }
        file.tag(kind, time.saturating_sub(file.origin_ms), payload)?;
        if let Some(recent_tags) = &mut self.recent_tags {
            recent_tags.note(kind, time as u32, payload);
        }
        match kind {
            tag_type::AUDIO => self.summary.audio_tags += 1,
            tag_type::VIDEO => self.summary.video_tags += 1,
            _ => self.summary.script_tags += 1,
        }
        Ok(())
    }

    /// A tag at or behind the end asked for: the recording is complete when every track has come that far, or one is well past.
    pub(super) fn stop(&mut self, class: Class, past_ms: i64) -> PushResult {
        let Some(track) = class.frame_track() else { return PushResult::Going };
        self.at_stop |= flag_of(track);
        let all = self.at_stop == self.tracks_with_frames;
        if all || past_ms >= STOP_PATIENCE_MS { PushResult::StopReached } else { PushResult::Going }
    }

    /// Whether something at the beginning of a new connection has nothing to begin with.
    pub(super) fn awaits_another(&mut self, class: Class, now_ms: u64) -> bool {
        let (Some(rejoin), true) = (&mut self.rejoin, class.kind.is_coded()) else { return false };
        let waited = now_ms.saturating_sub(*rejoin.since_ms.get_or_insert(now_ms));
        if rejoin.awaits_keyframe && !class.is_keyframe() && waited < KEYFRAME_PATIENCE_MS {
            return true;
        }
        self.rejoin = None;
        false
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("options", &self.options)
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

/// How far one track may pass the end asked for while the other is awaited.
const STOP_PATIENCE_MS: i64 = 1_000;
/// A new connection that has brought no keyframe after this long goes on without.
const KEYFRAME_PATIENCE_MS: u64 = 10_000;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
