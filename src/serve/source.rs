//! What a stream plays: a file or the test pattern, as tags with the times that the client is to see.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::pattern::{Pattern, PatternOptions};
use crate::proto::message::message_type::DATA_AMF0;

use super::file::{FlvFile, Index};

/// What servers do about timestamps when they begin in the middle of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeekStyle {
    /// From the keyframe at or before the point, with the file's own times.
    #[default]
    Absolute,
    /// From the keyframe at or before the point, which gets time 0 (old Flash Media Server).
    Relative,
    /// As nginx's rtmp module: with a list of keyframes in onMetaData from the first one at or after the point, with the file's own times;
    /// without one from the beginning of the file, every time shifted by the start.
    Nginx,
}

/// A tag to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Message type.
    pub message_type_id: u8,
    /// Milliseconds on the time line that the client sees; may be below 0 only before clamping.
    pub time_ms: i64,
    /// Body.
    pub payload: &'a [u8],
}

/// A stream on demand.
#[derive(Debug)]
pub struct FileSource {
    file: FlvFile,
    index: Arc<Index>,
    style: SeekStyle,
    /// Added to the file's times.
    shift_ms: i64,
    /// Headers to be sent first, with their time.
    preface: VecDeque<usize>,
    preface_ms: i64,
    /// Audio and video up to this time on the client's line have been had.
    skip_to_ms: Option<i64>,
}

impl FileSource {
    /// Opens a file at its beginning.
    ///
    /// # Errors
    /// As [`FlvFile::open`].
    pub fn open(path: &Path, index: Arc<Index>, style: SeekStyle) -> io::Result<Self> {
        let file = FlvFile::open(path)?;
        Ok(Self { file, index, style, shift_ms: 0, preface: VecDeque::new(), preface_ms: 0, skip_to_ms: None })
    }

    /// Goes to a point in the file, in milliseconds. Returns the first time that will be sent.
    ///
    /// # Errors
    /// The system's.
    pub fn seek(&mut self, to_ms: u32) -> io::Result<i64> {
        let first = self.index.entries.first().map_or(0, |(time, _)| *time);
        self.skip_to_ms = None;
        self.preface.clear();
        if self.style == SeekStyle::Nginx && !self.index.has_keyframe_list {
            self.shift_ms = i64::from(to_ms);
            self.file.seek(self.index.first)?;
            return Ok(self.shift_ms);
        }
        let entry = match self.style {
            SeekStyle::Nginx => self.index.at_or_after(to_ms),
            _ => self.index.at_or_before(to_ms),
        };
        let Some((time, offset)) = entry.filter(|(time, _)| *time > first) else {
            self.shift_ms = 0;
            self.file.seek(self.index.first)?;
            return Ok(0);
        };
        self.shift_ms = if self.style == SeekStyle::Relative { -i64::from(time) } else { 0 };
        self.preface_ms = i64::from(time) + self.shift_ms;
        // Of each kind the last one before the point counts; metadata comes before sequence headers as in the file.
        let before = self.index.headers.iter().enumerate().filter(|(_, (at, ..))| *at < offset);
        let mut chosen: Vec<usize> = Vec::new();
        for (i, (_, kind, _)) in before {
            chosen.retain(|other| self.index.headers.get(*other).is_none_or(|(_, k, _)| k != kind));
            chosen.push(i);
        }
        self.preface = chosen.into();
        self.file.seek(offset)?;
        Ok(self.preface_ms)
    }

    /// Goes back so that everything later than `after_ms`, on the client's line, comes (again); headers are not repeated.
    ///
    /// # Errors
    /// The system's.
    pub fn resume_after(&mut self, after_ms: i64) -> io::Result<()> {
        let offset = match u32::try_from(after_ms - self.shift_ms) {
            Ok(in_file) => self.index.at_or_before(in_file).map_or(self.index.first, |(_, offset)| offset),
            // Before the file's time 0 nothing has been had, not even the headers.
            Err(_) if after_ms < self.shift_ms => self.index.first,
            Err(_) => self.file.position(),
        };
        let offset = if offset < self.file.position() { offset } else { self.file.position() };
        self.file.seek(offset)?;
        self.preface.clear();
        self.skip_to_ms = Some(after_ms);
        Ok(())
    }

    fn next_time_ms(&mut self) -> Option<i64> {
        if !self.preface.is_empty() {
            return Some(self.preface_ms);
        }
        while let Some(head) = self.file.head() {
            let time_ms = i64::from(head.timestamp_ms) + self.shift_ms;
            match self.skip_to_ms {
                Some(had) if time_ms <= had => {
                    self.file.tag()?;
                }
                Some(_) => self.skip_to_ms = None,
                None => return Some(time_ms),
            }
        }
        None
    }

    fn next(&mut self) -> Option<Tag<'_>> {
        let time_ms = self.next_time_ms()?;
        if let Some(i) = self.preface.pop_front() {
            let (_, message_type_id, payload) = self.index.headers.get(i)?;
            // Players take metadata at another time than 0 for some other data.
            let time_ms = if *message_type_id == DATA_AMF0 { 0 } else { time_ms };
            return Some(Tag { message_type_id: *message_type_id, time_ms, payload });
        }
        let (head, payload) = self.file.tag()?;
        let time_ms = if head.tag_type == DATA_AMF0 && head.timestamp_ms == 0 { 0 } else { time_ms };
        Some(Tag { message_type_id: head.tag_type, time_ms, payload })
    }
}

/// The live test pattern as one player gets it.
#[derive(Debug)]
pub struct PatternSource {
    pattern: Pattern,
    payload: Vec<u8>,
}

impl PatternSource {
    /// Joins the pattern at its last keyframe before `now_ms`.
    pub fn join(options: PatternOptions, now_ms: u64) -> Self {
        let mut pattern = Pattern::new(options);
        pattern.seek(now_ms);
        Self { pattern, payload: Vec::new() }
    }

    /// Time of the next tag, in milliseconds; `None` at the end.
    pub fn next_time_ms(&self) -> Option<i64> {
        self.pattern.next_time_ms().map(|ms| ms as i64)
    }

    /// Leaves out what a player that is too slow has missed. Joins again at the last keyframe before `now_ms`.
    pub fn skip_to(&mut self, now_ms: u64) {
        self.pattern.seek(now_ms);
    }
}

/// Either of them.
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
                let time_ms = if tag.tag_type == DATA_AMF0 { 0 } else { time_ms };
                live.payload = tag.payload;
                Some(Tag { message_type_id: tag.tag_type, time_ms, payload: &live.payload })
            }
        }
    }
}
