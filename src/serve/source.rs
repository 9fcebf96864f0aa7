//! What a stream plays: a file or the test stream, as tags with the times that the client sees.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::pattern::{Pattern, PatternOptions};
use crate::proto::message::message_type::DATA_AMF0;

use super::file::{FlvFile, Index};
use super::types::SeekStyle;

/// A tag to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Message type.
    pub message_type_id: u8,
    /// Milliseconds on the time line that the client sees.
    pub time_ms: i64,
    /// Body.
    pub payload: &'a [u8],
}

/// A stream on demand. Position 0 is the beginning of the file, whatever its clock says there ([`Index::origin_ms`]).
#[derive(Debug)]
pub struct FileSource {
    file: FlvFile,
    index: Arc<Index>,
    style: SeekStyle,
    /// Added to the file's times.
    shift_ms: i64,
    /// Headers to be sent first (places in the index), with their time.
    leading_headers: VecDeque<usize>,
    leading_ms: i64,
    /// The client has audio and video up to this time of its line.
    skip_to_ms: Option<i64>,
}

impl FileSource {
    /// Opens a file at its beginning.
    ///
    /// # Errors
    /// As [`FlvFile::open`].
    pub fn open(path: &Path, index: Arc<Index>, style: SeekStyle) -> io::Result<Self> {
        let file = FlvFile::open(path)?;
        let shift_ms = -index.origin_ms();
        let leading_headers = VecDeque::new();
        Ok(Self { file, index, style, shift_ms, leading_headers, leading_ms: 0, skip_to_ms: None })
    }

    /// Goes to a position in the stream, in milliseconds. Returns the first time that will be sent.
    ///
    /// # Errors
    /// The system's.
    pub fn seek(&mut self, to_ms: u32) -> io::Result<i64> {
        let (start, origin_ms) = (self.index.start, self.index.origin_ms());
        self.skip_to_ms = None;
        self.leading_headers.clear();
        self.shift_ms = -origin_ms;
        let in_file = origin_ms + i64::from(to_ms);
        let entry = match self.style {
            SeekStyle::Nginx if !self.index.has_keyframe_list => {
                self.shift_ms += i64::from(to_ms);
                None
            }
            SeekStyle::Nginx => self.index.at_or_after(in_file),
            SeekStyle::Absolute | SeekStyle::Relative => self.index.at_or_before(in_file),
        };
        let first_ms = self.index.entries.first().map_or(start.time_ms, |first| first.time_ms);
        let Some(entry) = entry.filter(|entry| entry.time_ms > first_ms) else {
            self.file.seek(start)?;
            return Ok(start.time_ms + self.shift_ms);
        };
        if self.style == SeekStyle::Relative {
            self.shift_ms = -entry.time_ms;
        }
        self.leading_ms = entry.time_ms + self.shift_ms;
        self.leading_headers = self.headers_before(entry.offset);
        self.file.seek(entry)?;
        Ok(self.leading_ms)
    }

    /// The last header of each kind before `offset`, in the file's order.
    fn headers_before(&self, offset: u64) -> VecDeque<usize> {
        let headers = &self.index.headers;
        let mut chosen: VecDeque<usize> = VecDeque::new();
        for (i, header) in headers.iter().enumerate().filter(|(_, header)| header.offset < offset) {
            chosen.retain(|other| headers.get(*other).is_none_or(|other| other.tag_type != header.tag_type));
            chosen.push_back(i);
        }
        chosen
    }

    /// Goes back so that everything later than `after_ms`, on the client's line, is sent (again); headers are not repeated.
    ///
    /// # Errors
    /// The system's.
    pub fn resume_after(&mut self, after_ms: i64) -> io::Result<()> {
        let in_file = after_ms - self.shift_ms;
        let start = self.index.start;
        // Before the first tag the client has nothing, not even the headers.
        let entry = if in_file < start.time_ms { None } else { self.index.at_or_before(in_file) };
        let (entry, present) = (entry.unwrap_or(start), self.file.position());
        self.file.seek(if entry.offset < present.offset { entry } else { present })?;
        self.leading_headers.clear();
        self.skip_to_ms = Some(after_ms);
        Ok(())
    }

    fn next_time_ms(&mut self) -> Option<i64> {
        if !self.leading_headers.is_empty() {
            return Some(self.leading_ms);
        }
        loop {
            let time_ms = self.file.peek()?.time_ms + self.shift_ms;
            match self.skip_to_ms {
                Some(has) if time_ms <= has => {
                    self.file.next()?;
                }
                _ => {
                    self.skip_to_ms = None;
                    return Some(time_ms);
                }
            }
        }
    }

    fn next(&mut self) -> Option<Tag<'_>> {
        let time_ms = self.next_time_ms()?;
        if let Some(i) = self.leading_headers.pop_front() {
            let header = self.index.headers.get(i)?;
            let time_ms = if header.tag_type == DATA_AMF0 { METADATA_MS } else { time_ms };
            return Some(Tag { message_type_id: header.tag_type, time_ms, payload: &header.payload });
        }
        let tag = self.file.next()?;
        let time_ms = if tag.tag_type == DATA_AMF0 && tag.is_at_zero { METADATA_MS } else { time_ms };
        Some(Tag { message_type_id: tag.tag_type, time_ms, payload: tag.payload })
    }
}

/// Players take metadata at another time for other data.
const METADATA_MS: i64 = 0;

/// The live test stream as one client gets it.
#[derive(Debug)]
pub struct PatternSource {
    pattern: Pattern,
    payload: Vec<u8>,
}

impl PatternSource {
    /// Joins the stream at its last keyframe before `now_ms`.
    pub fn join(options: PatternOptions, now_ms: u64) -> Self {
        let mut pattern = Pattern::new(options);
        pattern.seek(now_ms);
        Self { pattern, payload: Vec::new() }
    }

    /// Time of the next tag, in milliseconds; `None` at the end.
    pub fn next_time_ms(&self) -> Option<i64> {
        self.pattern.next_time_ms().map(|ms| ms as i64)
    }

    /// Joins again at the last keyframe before `now_ms`: a client that is too slow misses what is between.
    pub fn skip_to(&mut self, now_ms: u64) {
        self.pattern.seek(now_ms);
    }
}

/// A stream's tags, on demand or live.
#[derive(Debug)]
pub enum Source {
    /// On demand.
    File(Box<FileSource>),
    /// Live.
    Pattern(Box<PatternSource>),
}

impl Source {
    /// Time of the next tag on the client's line, in milliseconds; `None` at the end.
    pub fn next_time_ms(&mut self) -> Option<i64> {
        match self {
            Source::File(file) => file.next_time_ms(),
            Source::Pattern(live) => live.next_time_ms(),
        }
    }

    /// The next tag; `None` at the end.
    pub fn next(&mut self) -> Option<Tag<'_>> {
        match self {
            Source::File(file) => file.next(),
            Source::Pattern(live) => {
                let time_ms = live.next_time_ms()?;
                let tag = live.pattern.next_tag()?;
                let time_ms = if tag.tag_type == DATA_AMF0 { METADATA_MS } else { time_ms };
                live.payload = tag.payload;
                Some(Tag { message_type_id: tag.tag_type, time_ms, payload: &live.payload })
            }
        }
    }
}
