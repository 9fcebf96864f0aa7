//! An FLV file as a stream on demand: read tag by tag, entered at keyframes.
//!
//! Timestamps of a file are 32 bits (SI32 in FLV): here they are continued as `i64`, each one at the distance from the one
//! before it that has less than 2³¹ milliseconds.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use crate::flv::reader::{self, Item, Reader};
use crate::flv::script;
use crate::flv::tag::tag_type::{AUDIO, SCRIPT, VIDEO};
use crate::proto::media::{Class, Kind};

/// A place in a file where reading can begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Time of the first audio or video tag from here, in milliseconds.
    pub time_ms: i64,
    /// Offset of the tag, in bytes.
    pub offset: u64,
}

/// Metadata or a sequence header: a player needs it before it begins in the middle.
#[derive(Debug, PartialEq)]
pub struct Header {
    /// Offset of the tag, in bytes.
    pub offset: u64,
    /// 8 audio, 9 video, 18 script data.
    pub tag_type: u8,
    /// Body of the tag.
    pub payload: Vec<u8>,
}

/// What one pass over the tags of a file finds.
#[derive(Debug, Default, PartialEq)]
pub struct Index {
    /// Seconds: the duration in onMetaData, or else the time from the first tag to the last.
    pub duration_s: f64,
    /// Whether onMetaData has an index of keyframes: some servers seek only then.
    pub has_keyframe_list: bool,
    /// Where playing can begin, in the order of their times.
    pub entries: Vec<Position>,
    /// onMetaData and sequence headers, in the file's order.
    pub headers: Vec<Header>,
    /// The first tag.
    pub start: Position,
}

/// A tag of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileTag<'a> {
    /// Offset in bytes.
    pub offset: u64,
    /// 8 audio, 9 video, 15 and 18 script data.
    pub tag_type: u8,
    /// Time in milliseconds, continued over 32 bits.
    pub time_ms: i64,
    /// The timestamp in the file is 0.
    pub is_at_zero: bool,
    /// Body.
    pub payload: &'a [u8],
}

/// A file that is being read.
pub struct FlvFile {
    file: Arc<File>,
    reader: Reader<Arc<File>>,
    clock: Clock,
    /// The tag that the reader lends has not been taken yet.
    ahead: bool,
}

impl FlvFile {
    /// Opens a file before its first tag.
    ///
    /// # Errors
    /// It cannot be read, or it is not an FLV file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = Arc::new(File::open(path)?);
        let mut reader = Reader::new(file.clone());
        // The file header is read with the first item.
        let ahead = matches!(reader.next_item()?, Some(Item::Tag(_)));
        if reader.header().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not an FLV file"));
        }
        let clock = Clock::default();
        Ok(Self { file, reader, clock, ahead })
    }

    /// Goes to a tag.
    ///
    /// # Errors
    /// The system's.
    pub fn seek(&mut self, to: Position) -> io::Result<()> {
        (&*self.file).seek(SeekFrom::Start(to.offset))?;
        self.reader = Reader::at_tag(self.file.clone(), to.offset);
        self.clock = Clock { last_ms: to.time_ms };
        self.ahead = false;
        Ok(())
    }

    /// The next tag, which stays; `None` at the end. Faults of the file are passed over.
    pub fn peek(&mut self) -> Option<FileTag<'_>> {
        while !self.ahead {
            self.ahead = matches!(self.reader.next_item().ok()??, Item::Tag(_));
        }
        Some(self.clock.tag(self.reader.current()?))
    }

    /// The next tag; `None` at the end.
    pub fn next(&mut self) -> Option<FileTag<'_>> {
        let FileTag { tag_type, time_ms, .. } = self.peek()?;
        let (clock, tag) = (self.clock, self.reader.current()?);
        if matches!(tag_type, AUDIO | VIDEO) {
            self.clock.last_ms = time_ms;
        }
        self.ahead = false;
        Some(clock.tag(tag))
    }

    /// Where the next tag is; at the end, where the file ends.
    pub fn position(&mut self) -> Position {
        let time_ms = self.clock.last_ms;
        match self.peek() {
            Some(tag) => Position { time_ms, offset: tag.offset },
            None => Position { time_ms, offset: self.reader.position() },
        }
    }
}

impl std::fmt::Debug for FlvFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlvFile").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Continues 32-bit timestamps.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    /// Time of the last audio or video tag.
    last_ms: i64,
}

impl Clock {
    fn tag(self, tag: reader::Tag<'_>) -> FileTag<'_> {
        let (tag_type, timestamp_ms) = (tag.tag_type(), tag.timestamp_ms());
        let is_at_zero = timestamp_ms == 0;
        // Script data has time 0 in most files, wherever it stands: its time is that of the frames around it.
        let is_untimed = is_at_zero && !matches!(tag_type, AUDIO | VIDEO);
        let step_ms = if is_untimed { 0 } else { timestamp_ms.wrapping_sub(self.last_ms as u32) as i32 };
        let time_ms = self.last_ms + i64::from(step_ms);
        FileTag { offset: tag.offset, tag_type, time_ms, is_at_zero, payload: tag.payload }
    }
}

impl Index {
    /// Reads a file once.
    ///
    /// # Errors
    /// The file cannot be read, or is not an FLV file.
    pub fn of(path: &Path) -> io::Result<Arc<Self>> {
        let mut file = FlvFile::open(path)?;
        let mut index = Self::default();
        let (mut audio_entries, mut first_times) = (Vec::new(), [None; 2]);
        let mut last_ms = i64::MIN;
        index.start.offset = file.position().offset;
        while let Some(tag) = file.next() {
            let place = Position { time_ms: tag.time_ms, offset: tag.offset };
            if let AUDIO | VIDEO = tag.tag_type {
                first_times[usize::from(tag.tag_type == VIDEO)].get_or_insert(tag.time_ms);
                last_ms = last_ms.max(tag.time_ms);
            }
            match tag.tag_type {
                _ if is_header(&tag) => index.keep_header(&tag),
                VIDEO if Class::of(VIDEO, tag.payload).is_keyframe() => {
                    add_entry(&mut index.entries, place);
                }
                AUDIO => add_entry(&mut audio_entries, place),
                _ => {}
            }
        }
        if index.entries.is_empty() {
            // Without video, playing can begin at each audio frame.
            index.entries = audio_entries;
        }
        index.start.time_ms = first_times.into_iter().flatten().min().unwrap_or(0);
        index.read_metadata(last_ms.max(index.start.time_ms));
        Ok(Arc::new(index))
    }

    fn keep_header(&mut self, tag: &FileTag<'_>) {
        if self.headers.len() < MAX_HEADERS && tag.payload.len() <= MAX_HEADER_BYTES {
            let (offset, tag_type, payload) = (tag.offset, tag.tag_type, tag.payload.to_vec());
            self.headers.push(Header { offset, tag_type, payload });
        }
    }

    fn read_metadata(&mut self, last_ms: i64) {
        let metadata = self.headers.iter().find(|header| header.tag_type == SCRIPT);
        let metadata = metadata.and_then(|header| script::metadata(&header.payload)).unwrap_or_default();
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let measured = seconds(last_ms - self.start.time_ms);
        let declared = script::duration(&metadata);
        // Some recorders write the time of the last tag: a duration only if the file begins at 0.
        let is_end_time = |declared: f64| (declared - seconds(last_ms)).abs() < 1.0 && declared - measured >= 1.0;
        self.duration_s = declared.filter(|declared| !is_end_time(*declared)).unwrap_or(measured);
        self.has_keyframe_list = metadata.get("keyframes").is_some();
    }

    /// The time of the file that is position 0 of the stream, in milliseconds. A clock of its own (a camera's, a recording from
    /// the middle of a broadcast, times below 0) begins at 0 for players; a start within the first second is kept as it is.
    pub fn origin_ms(&self) -> i64 {
        if (0..MAX_START_DELAY_MS).contains(&self.start.time_ms) { 0 } else { self.start.time_ms }
    }

    /// The last place at or before `ms` where playing can begin, or the first one after that if there is none.
    pub fn at_or_before(&self, ms: i64) -> Option<Position> {
        let after = self.entries.partition_point(|entry| entry.time_ms <= ms);
        self.entries.get(after.saturating_sub(1)).copied()
    }

    /// The first place at or after `ms` where playing can begin, or the last one.
    pub fn at_or_after(&self, ms: i64) -> Option<Position> {
        let at = self.entries.partition_point(|entry| entry.time_ms < ms);
        self.entries.get(at).or(self.entries.last()).copied()
    }
}

fn is_header(tag: &FileTag<'_>) -> bool {
    match tag.tag_type {
        SCRIPT => tag.payload.starts_with(script::ON_META_DATA),
        tag_type => Class::of(tag_type, tag.payload).kind == Kind::Config,
    }
}

/// Entries rise in time, so that they can be searched; after a clock that goes back the file is reached by playing only.
fn add_entry(entries: &mut Vec<Position>, entry: Position) {
    if entries.len() < MAX_ENTRIES && entries.last().is_none_or(|last| last.time_ms < entry.time_ms) {
        entries.push(entry);
    }
}

/// Files that begin later than this have a clock of their own.
const MAX_START_DELAY_MS: i64 = 1000;

/// Places where playing can begin that are kept: ten days of a keyframe a second, 16 MiB.
const MAX_ENTRIES: usize = 1 << 20;

/// Headers that are kept; in a file that changes its parameters more often, later ones are missing after a seek.
const MAX_HEADERS: usize = 16;

/// Size of a header that is kept: an index of keyframes makes onMetaData large.
const MAX_HEADER_BYTES: usize = 4 << 20;
