//! An FLV file as a stream on demand: read tag by tag, entered at keyframes.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use crate::flv::tag::TAG_HEADER_BYTES;
use crate::proto::amf0::{self, Value};
use crate::proto::media;
use crate::proto::message::message_type::{AUDIO, DATA_AMF0, VIDEO};

/// Header of a tag, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// 8 audio, 9 video, 15 and 18 script data.
    pub tag_type: u8,
    /// Length of the body in bytes.
    pub size: usize,
    /// Milliseconds.
    pub timestamp_ms: u32,
}

/// What is known of a file after one pass over its tags.
#[derive(Debug, Default, PartialEq)]
pub struct Index {
    /// Seconds: what onMetaData says, or else the last tag's time.
    pub duration_s: f64,
    /// Whether onMetaData has an index of keyframes: some servers seek only then.
    pub has_keyframe_list: bool,
    /// Time in milliseconds and offset of each point where playing can begin.
    pub entries: Vec<(u32, u64)>,
    /// onMetaData and sequence headers: offset, type and body, in the file's order. What a player has to have before it
    /// begins in the middle.
    pub headers: Vec<(u64, u8, Vec<u8>)>,
    /// Offset of the first tag.
    pub first: u64,
}

/// A file that is being read.
#[derive(Debug)]
pub struct FlvFile {
    reader: BufReader<File>,
    /// Offset of what will be read next.
    position: u64,
    head: Option<Head>,
    body: Vec<u8>,
}

impl FlvFile {
    /// Opens a file and stands before its first tag.
    ///
    /// # Errors
    /// It cannot be read, or it is not an FLV file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(READ_BYTES, File::open(path)?);
        let mut header = [0; 9];
        reader.read_exact(&mut header)?;
        let [b'F', b'L', b'V', _, _, offset @ ..] = header else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not an FLV file"));
        };
        let position = u64::from(u32::from_be_bytes(offset)) + 4;
        reader.seek(SeekFrom::Start(position))?;
        Ok(Self { reader, position, head: None, body: Vec::new() })
    }

    /// Offset of the tag that [`FlvFile::head`] shows, or of the next one.
    pub fn position(&self) -> u64 {
        match self.head {
            Some(_) => self.position - TAG_HEADER_BYTES as u64,
            None => self.position,
        }
    }

    /// Goes to a tag.
    ///
    /// # Errors
    /// The system's.
    pub fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.reader.seek(SeekFrom::Start(offset))?;
        self.position = offset;
        self.head = None;
        Ok(())
    }

    /// Header of the next tag; `None` at the end, which a tag that is cut off is too.
    pub fn head(&mut self) -> Option<Head> {
        if self.head.is_none() {
            let mut bytes = [0; TAG_HEADER_BYTES];
            self.reader.read_exact(&mut bytes).ok()?;
            self.position += bytes.len() as u64;
            let [kind, s0, s1, s2, t0, t1, t2, t3, ..] = bytes;
            self.head = Some(Head {
                tag_type: kind & 0x1f,
                size: u32::from_be_bytes([0, s0, s1, s2]) as usize,
                timestamp_ms: u32::from_be_bytes([t3, t0, t1, t2]),
            });
        }
        self.head
    }

    /// The next tag; `None` at the end.
    pub fn tag(&mut self) -> Option<(Head, &[u8])> {
        let head = self.head()?;
        // Grown with what is there, not with what the header announces: it may lie.
        self.body.clear();
        let read = (&mut self.reader).take(head.size as u64).read_to_end(&mut self.body).ok()?;
        if read < head.size {
            return None;
        }
        self.head = None;
        self.position += head.size as u64 + 4;
        // The last tag may have lost its PreviousTagSize; it is whole all the same.
        let _ = self.reader.seek_relative(4);
        Some((head, &self.body))
    }

    /// Passes over the next tag but for the first bytes of its body.
    fn glance(&mut self) -> Option<(Head, [u8; GLANCE])> {
        let head = self.head()?;
        let mut start = [0; GLANCE];
        let count = head.size.min(GLANCE);
        self.reader.read_exact(&mut start[..count]).ok()?;
        self.reader.seek_relative((head.size - count) as i64 + 4).ok()?;
        self.position += head.size as u64 + 4;
        self.head = None;
        Some((head, start))
    }
}

impl Index {
    /// Looks through a file.
    ///
    /// # Errors
    /// The file cannot be read, or is no FLV.
    pub fn of(path: &Path) -> io::Result<Arc<Self>> {
        let mut file = FlvFile::open(path)?;
        let length = std::fs::metadata(path)?.len();
        let mut index = Self { first: file.position(), ..Self::default() };
        let mut audio_entries = Vec::new();
        let mut last_ms = 0;
        loop {
            let offset = file.position();
            let Some((head, start)) = file.glance() else { break };
            if offset + (TAG_HEADER_BYTES + head.size) as u64 > length {
                break;
            }
            let start = &start[..head.size.min(GLANCE)];
            last_ms = last_ms.max(head.timestamp_ms);
            let is_header = match head.tag_type {
                DATA_AMF0 => start.starts_with(b"\x02\0\x0aonMetaData"),
                VIDEO => media::is_video_sequence_header(start),
                AUDIO => media::is_audio_sequence_header(start),
                _ => false,
            };
            if is_header && index.headers.len() < MAX_HEADERS && head.size <= MAX_HEADER_BYTES {
                let next = file.position();
                file.seek(offset)?;
                let body = file.tag().map(|(_, body)| body.to_vec()).unwrap_or_default();
                file.seek(next)?;
                index.headers.push((offset, head.tag_type, body));
            } else if head.tag_type == VIDEO
                && media::is_video_keyframe(start)
                && media::is_video_coded(start)
                && index.entries.len() < MAX_ENTRIES
            {
                index.entries.push((head.timestamp_ms, offset));
            } else if head.tag_type == AUDIO && !is_header && audio_entries.len() < MAX_ENTRIES {
                audio_entries.push((head.timestamp_ms, offset));
            }
        }
        if index.entries.is_empty() {
            // Every piece of sound can be begun with.
            index.entries = audio_entries;
        }
        index.read_metadata(f64::from(last_ms) / 1000.0);
        Ok(Arc::new(index))
    }

    fn read_metadata(&mut self, last_s: f64) {
        let metadata = self.headers.iter().find(|(_, kind, _)| *kind == DATA_AMF0);
        let values = metadata.and_then(|(_, _, body)| amf0::decode_all(body).ok()).unwrap_or_default();
        let object = values.iter().find_map(Value::as_object);
        let duration = object.and_then(|o| o.get("duration")).and_then(Value::as_number);
        self.duration_s = duration.filter(|seconds| seconds.is_finite() && *seconds > 0.0).unwrap_or(last_s);
        self.has_keyframe_list = object.is_some_and(|o| o.get("keyframes").is_some());
    }

    /// The last point at or before `ms` where playing can begin, or the first one after that if there is none.
    pub fn at_or_before(&self, ms: u32) -> Option<(u32, u64)> {
        let behind = self.entries.partition_point(|(time, _)| *time <= ms);
        self.entries.get(behind.saturating_sub(1)).copied()
    }

    /// The first point at or after `ms` where playing can begin, or the last one.
    pub fn at_or_after(&self, ms: u32) -> Option<(u32, u64)> {
        let behind = self.entries.partition_point(|(time, _)| *time < ms);
        self.entries.get(behind).or(self.entries.last()).copied()
    }
}

/// Bytes of a body that tell its kind: the longest is onMetaData's name.
const GLANCE: usize = 16;

/// Size of the reads.
const READ_BYTES: usize = 256 << 10;

/// Points where playing can begin that are remembered: ten days of a keyframe a second, 16 MiB.
const MAX_ENTRIES: usize = 1 << 20;

/// Headers that are kept; a file that changes its parameters oftener is entered without the later ones.
const MAX_HEADERS: usize = 16;

/// Size of a header that is kept: an index of keyframes makes onMetaData large.
const MAX_HEADER_BYTES: usize = 4 << 20;
