//! Messages → tags: what is written, when the output is opened, and at which times.
//!
//! ```text
//! push ─► aggregate split ─► held until the beginning is understood ─► timeline ─► writer
//! ```
//!
//! The output is opened when the first audio or video is there, not before: a session that brings nothing touches nothing.
//! The beginning is held for a moment, because the file header says which tracks there are and because times count from the
//! earliest frame: on a pipe until the metadata's tracks are known, in a file (patched at the end) a little more patiently.

use std::io;

use crate::proto::amf0::{self, Object, Value};
use crate::proto::enhanced;
use crate::proto::message::{Message, message_type};

use super::tag::{FLAGS_OFFSET, HAS_AUDIO, HAS_VIDEO, TAG_HEADER_BYTES, tag_type};
use super::timeline::{Stitch, Timeline, Track};
use super::writer::{Output, Writer};

/// An on-demand stream whose first frame comes within this time is played from its beginning.
const BEGINNING_MS: i64 = 1000;

/// What the user wants of a recording.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The stream is live: jumps of its clock are stitched.
    pub live: bool,
    /// Keep the server's times.
    pub absolute: bool,
    /// Length in milliseconds, from the first frame.
    pub stop_ms: Option<u64>,
    /// The output cannot be patched, and somebody is waiting for it: hold the beginning for less long.
    pub pipe: bool,
}

/// What a push led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// More is wanted.
    Going,
    /// The length that was asked for is there.
    StopReached,
}

/// What a recording came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The output was opened: there is media in it.
    pub opened: bool,
    /// Bytes of the output.
    pub bytes: u64,
    /// Audio tags.
    pub audio_tags: u64,
    /// Video tags.
    pub video_tags: u64,
    /// Script tags.
    pub script_tags: u64,
    /// Last time in the output, in milliseconds.
    pub latest_ms: i64,
    /// Empty messages, broken aggregates and the like that were left out.
    pub skipped: u64,
    /// Where a live source's clock jumped.
    pub stitches: Vec<Stitch>,
}

/// Opens the output.
pub type Open = Box<dyn FnMut() -> io::Result<Output> + Send>;

/// Records one stream into one output.
pub struct Recorder {
    options: Options,
    open: Open,
    writer: Option<Writer>,
    /// Messages of the beginning, in order.
    held: Vec<Held>,
    held_bytes: usize,
    /// When the first audio or video was held.
    held_since_ms: Option<u64>,
    timeline: Option<Timeline>,
    /// File flags of the tracks that were seen, and of those that the metadata names.
    seen: u8,
    coded: u8,
    declared: u8,
    written_flags: u8,
    first_ms: Option<i64>,
    metadata: Option<Object>,
    summary: Summary,
    failed: bool,
}

struct Held {
    tag_type: u8,
    timestamp: u32,
    payload: Vec<u8>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder")
            .field("options", &self.options)
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder that will call `open` once, when media is there.
    pub fn new(options: Options, open: Open) -> Self {
        Self {
            options,
            open,
            writer: None,
            held: Vec::new(),
            held_bytes: 0,
            held_since_ms: None,
            timeline: None,
            seen: 0,
            coded: 0,
            declared: 0,
            written_flags: 0,
            first_ms: None,
            metadata: None,
            summary: Summary::default(),
            failed: false,
        }
    }

    /// Takes a message: audio, video, data or an aggregate; others are passed over. `now_ms` is a clock that does not go back.
    ///
    /// # Errors
    /// Those of the output. What was written before stays a valid file.
    pub fn push(&mut self, message: &Message<'_>, now_ms: u64) -> io::Result<Progress> {
        let header = message.header;
        let result = match header.message_type_id {
            message_type::AUDIO | message_type::VIDEO => {
                self.take(header.message_type_id, header.timestamp, message.payload, now_ms)
            }
            message_type::DATA_AMF0 | message_type::DATA_AMF3 => {
                self.data(header.message_type_id, header.timestamp, message.payload, now_ms)
            }
            message_type::AGGREGATE => self.aggregate(header.timestamp, message.payload, now_ms),
            _ => Ok(Progress::Going),
        };
        if result.is_err() {
            self.failed = true;
        }
        result
    }

    /// Lets the holding of the beginning come to its end while no message comes.
    ///
    /// # Errors
    /// Those of the output.
    pub fn tick(&mut self, now_ms: u64) -> io::Result<()> {
        if self.timeline.is_none() && self.held_since_ms.is_some() {
            self.try_begin(now_ms)?;
        }
        Ok(())
    }

    /// Hands what is written to the operating system.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Some(writer) => writer.flush(),
            None => Ok(()),
        }
    }

    /// What comes now is from a new connection to a live stream: its clock is another.
    pub fn begin_epoch(&mut self, gap_ms: i64) {
        if let Some(timeline) = &mut self.timeline {
            timeline.begin_epoch(gap_ms);
        }
    }

    /// Ends the recording: everything is written, the file header says what is in the file.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(&mut self) -> io::Result<Summary> {
        if !self.failed && self.timeline.is_none() && self.seen != 0 {
            self.begin(u64::MAX)?;
        }
        if let Some(writer) = &mut self.writer {
            let flushed = writer.flush();
            if self.written_flags != self.seen && writer.is_seekable() {
                writer.patch(FLAGS_OFFSET, &[self.seen])?;
            }
            flushed?;
            self.summary.bytes = writer.bytes();
        }
        if let Some(timeline) = &self.timeline {
            self.summary.stitches = timeline.stitches().to_vec();
            self.summary.latest_ms = timeline.latest_ms().unwrap_or(0);
        }
        Ok(self.summary.clone())
    }

    /// Whether audio or video is in the output.
    pub fn is_open(&self) -> bool {
        self.writer.is_some()
    }

    /// Bytes of the output so far, those not yet handed over included.
    pub fn bytes_written(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::bytes)
    }

    /// Last frame time in the output, in milliseconds.
    pub fn latest_ms(&self) -> i64 {
        self.timeline.as_ref().and_then(Timeline::latest_ms).unwrap_or(0)
    }

    /// Last frame time of the source, in milliseconds.
    pub fn source_ms(&self) -> Option<i64> {
        self.timeline.as_ref().and_then(Timeline::source_ms)
    }

    /// Typical distance of two frames of the slower track, in milliseconds; 0 if unknown.
    pub fn frame_ms(&self) -> i64 {
        self.timeline.as_ref().map_or(0, Timeline::frame_ms)
    }

    /// The properties of the last onMetaData.
    pub fn metadata(&self) -> Option<&Object> {
        self.metadata.as_ref()
    }

    /// `duration` of the metadata in seconds, if it says one.
    pub fn metadata_duration(&self) -> Option<f64> {
        let duration = self.metadata.as_ref()?.get("duration")?.as_number()?;
        (duration.is_finite() && duration > 0.0).then_some(duration)
    }

    fn data(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<Progress> {
        let (switch, mut body) = match payload {
            [0, rest @ ..] if kind == message_type::DATA_AMF3 => (1, rest),
            _ => (0, payload),
        };
        if let Some(rest) = body.strip_prefix(SET_DATA_FRAME) {
            body = rest;
        }
        if body.is_empty() || body.starts_with(SAMPLE_ACCESS) {
            self.summary.skipped += 1;
            return Ok(Progress::Going);
        }
        if body.starts_with(ON_META_DATA) {
            let object = amf0::decode(body.get(ON_META_DATA.len()..).unwrap_or_default()).ok();
            if let Some(object) = object.as_ref().and_then(|(value, _)| value.as_object()) {
                self.declared = declared_tracks(object);
                self.metadata = Some(object.clone());
            }
        }
        // Script tags are AMF 0; those of type 15 keep the byte that begins them (Enhanced RTMP v2).
        let tag_type = if kind == message_type::DATA_AMF3 { tag_type::SCRIPT_AMF3 } else { tag_type::SCRIPT };
        if switch == 1 && body.len() + 1 != payload.len() {
            let whole = [&[0], body].concat();
            return self.take(tag_type, timestamp, &whole, now_ms);
        }
        self.take(tag_type, timestamp, if switch == 1 { payload } else { body }, now_ms)
    }

    /// Splits an aggregate (§7.1.6): tags, their times shifted so that the first has the message's.
    fn aggregate(&mut self, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<Progress> {
        let mut rest = payload;
        let mut first = None;
        while let Some((header, after)) = rest.split_first_chunk::<TAG_HEADER_BYTES>() {
            let [kind, s0, s1, s2, t0, t1, t2, t3, ..] = *header;
            let size = usize::from(s0) << 16 | usize::from(s1) << 8 | usize::from(s2);
            let time = u32::from_be_bytes([t3, t0, t1, t2]);
            let Some((data, after)) = after.split_at_checked(size) else { break };
            let shift = timestamp.wrapping_sub(*first.get_or_insert(time));
            let time = time.wrapping_add(shift);
            let progress = match kind {
                message_type::AUDIO | message_type::VIDEO => self.take(kind, time, data, now_ms)?,
                message_type::DATA_AMF0 | message_type::DATA_AMF3 => self.data(kind, time, data, now_ms)?,
                _ => {
                    self.summary.skipped += 1;
                    Progress::Going
                }
            };
            if progress == Progress::StopReached {
                return Ok(progress);
            }
            // The last PreviousTagSize may be missing.
            rest = after.get(4..).unwrap_or_default();
        }
        if !rest.is_empty() {
            self.summary.skipped += 1;
        }
        Ok(Progress::Going)
    }

    /// One tag to be.
    fn take(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<Progress> {
        let flag = flag_of(kind);
        if flag != 0 && payload.is_empty() {
            self.summary.skipped += 1;
            return Ok(Progress::Going);
        }
        if self.timeline.is_some() {
            return self.write(kind, timestamp, payload, now_ms);
        }
        self.seen |= flag;
        if is_frame(kind, payload) {
            self.coded |= flag;
        }
        if flag != 0 {
            self.held_since_ms.get_or_insert(now_ms);
        }
        self.held_bytes += payload.len();
        self.held.push(Held { tag_type: kind, timestamp, payload: payload.to_vec() });
        if self.held_since_ms.is_none() {
            // Data alone opens nothing; a server that sends nothing else must not fill the memory.
            while self.held.len() > MAX_HELD || self.held_bytes > MAX_HELD_BYTES {
                self.held_bytes -= self.held.remove(0).payload.len();
                self.summary.skipped += 1;
            }
            return Ok(Progress::Going);
        }
        self.try_begin(now_ms)
    }

    /// Goes from holding to writing as far as the beginning is understood.
    fn try_begin(&mut self, now_ms: u64) -> io::Result<Progress> {
        let waited = now_ms.saturating_sub(self.held_since_ms.unwrap_or(now_ms));
        let full = self.held.len() > MAX_HELD || self.held_bytes > MAX_HELD_BYTES || waited >= LONGEST_HOLD_MS;
        let both = HAS_AUDIO | HAS_VIDEO;
        if self.coded == both || full {
            return self.begin(now_ms);
        }
        let wanted = if self.declared != 0 { self.declared } else { both };
        if self.coded & wanted == wanted {
            return self.begin(now_ms);
        }
        // On a pipe somebody is waiting, and the tracks are known.
        if self.options.pipe && self.declared != 0 && waited >= PIPE_HOLD_MS {
            return self.begin(now_ms);
        }
        Ok(Progress::Going)
    }

    /// Opens the output and writes what was held.
    fn begin(&mut self, now_ms: u64) -> io::Result<Progress> {
        let frames = self.held.iter().filter(|held| is_frame(held.tag_type, &held.payload));
        let mut earliest: Option<i64> = None;
        for frame in frames {
            let time = super::timeline::unwrap(frame.timestamp, earliest);
            earliest = Some(earliest.map_or(time, |e| e.min(time)));
        }
        let Some(earliest) = earliest.or_else(|| self.held.last().map(|held| i64::from(held.timestamp))) else {
            return Ok(Progress::Going);
        };
        // What begins at the beginning keeps its times: the first frame of a file need not be at 0.
        let begins = !self.options.live && (0..BEGINNING_MS).contains(&earliest);
        let base = if self.options.absolute || begins { 0 } else { earliest };
        self.timeline = Some(Timeline::new(self.options.live, base));
        if self.writer.is_none() {
            let mut writer = Writer::new((self.open)()?, 0);
            self.written_flags = self.seen | self.declared;
            writer.header(self.written_flags)?;
            self.writer = Some(writer);
            self.summary.opened = true;
        }
        self.held_bytes = 0;
        for held in std::mem::take(&mut self.held) {
            if self.write(held.tag_type, held.timestamp, &held.payload, now_ms.min(u64::MAX - 1))?
                == Progress::StopReached
            {
                return Ok(Progress::StopReached);
            }
        }
        Ok(Progress::Going)
    }

    fn write(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> io::Result<Progress> {
        let (Some(timeline), Some(writer)) = (&mut self.timeline, &mut self.writer) else { return Ok(Progress::Going) };
        let track = match kind {
            tag_type::AUDIO => Some(Track::Audio),
            tag_type::VIDEO => Some(Track::Video),
            _ => None,
        };
        let time = match track {
            Some(track) if is_frame(kind, payload) => {
                let time = timeline.frame(track, timestamp, now_ms);
                let first = *self.first_ms.get_or_insert(time);
                if self.options.stop_ms.is_some_and(|stop| time - first >= i64::try_from(stop).unwrap_or(i64::MAX)) {
                    return Ok(Progress::StopReached);
                }
                time
            }
            _ => timeline.other(timestamp),
        };
        match kind {
            tag_type::AUDIO => self.summary.audio_tags += 1,
            tag_type::VIDEO => self.summary.video_tags += 1,
            _ => self.summary.script_tags += 1,
        }
        self.seen |= flag_of(kind);
        // Times before the beginning count as the beginning; past 2³² ms the field wraps.
        writer.tag(kind, time.max(0) as u32, payload)?;
        Ok(Progress::Going)
    }
}

/// Which flag of the file header a tag type stands for.
fn flag_of(kind: u8) -> u8 {
    match kind {
        tag_type::AUDIO => HAS_AUDIO,
        tag_type::VIDEO => HAS_VIDEO,
        _ => 0,
    }
}

/// Whether a payload carries media, not only its configuration.
fn is_frame(kind: u8, payload: &[u8]) -> bool {
    match kind {
        tag_type::AUDIO => enhanced::is_audio_coded(payload),
        tag_type::VIDEO => enhanced::is_video_coded(payload),
        _ => false,
    }
}

/// The tracks that metadata speaks of, as file flags.
fn declared_tracks(metadata: &Object) -> u8 {
    let says = |names: &[&str]| {
        names.iter().filter_map(|name| metadata.get(name)).any(|value| match value {
            Value::Boolean(truth) => *truth,
            Value::Null | Value::Undefined => false,
            _ => true,
        })
    };
    let audio = says(&["hasAudio", "audiocodecid", "audiosamplerate"]);
    let video = says(&["hasVideo", "videocodecid", "width"]);
    (if audio { HAS_AUDIO } else { 0 }) | (if video { HAS_VIDEO } else { 0 })
}

const ON_META_DATA: &[u8] = b"\x02\0\x0aonMetaData";
const SET_DATA_FRAME: &[u8] = b"\x02\0\x0d@setDataFrame";
const SAMPLE_ACCESS: &[u8] = b"\x02\0\x11|RtmpSampleAccess";

/// The beginning is held no longer than this.
const LONGEST_HOLD_MS: u64 = 500;

/// Where the metadata names the tracks, a pipe waits this long for the first frame of the second one.
const PIPE_HOLD_MS: u64 = 60;

/// Messages and bytes that are held at the most.
const MAX_HELD: usize = 256;
const MAX_HELD_BYTES: usize = 1 << 20;
