//! Reads FLV files: every tag with its offset, and every fault.
//!
//! The walk is tolerant: a fault is reported and the walk goes on where tags make sense again. [`Reader::next_tag`] is the strict
//! form, for which the first fault is the end. Memory holds one tag (its size field has 24 bits) and what was read ahead.

use std::fmt;
use std::io::{self, Read};

use super::tag::{
    DATA_OFFSET_BYTES, FileHeader, PREVIOUS_TAG_SIZE_BYTES, TAG_HEADER_BYTES, TAG_OVERHEAD_BYTES, TagHeader,
    is_known_type,
};

/// A tag that borrows its payload from the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag<'a> {
    /// Where its header begins in the file, in bytes.
    pub offset: u64,
    /// Its header.
    pub header: TagHeader,
    /// Its payload.
    pub payload: &'a [u8],
}

impl Tag<'_> {
    /// The type, see [`tag_type`](super::tag::tag_type).
    pub fn tag_type(&self) -> u8 {
        self.header.tag_type()
    }

    /// Timestamp in milliseconds, modulo 2³².
    pub fn timestamp_ms(&self) -> u32 {
        self.header.timestamp_ms
    }

    /// Offset of the byte behind its PreviousTagSize.
    pub fn end(&self) -> u64 {
        self.offset + self.header.total_bytes() as u64
    }
}

/// What the walk came upon.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A whole tag.
    Tag(Tag<'a>),
    /// Something that is not as it should be. The tag in which it stands, if it is whole, comes as an item of its own.
    Fault(Fault),
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Offset in the file, in bytes, of the field or tag at fault.
    pub offset: u64,
    /// What it is.
    pub kind: FaultKind,
}

/// What can be wrong with the framing of an FLV.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// The file does not begin with `FLV`, or is shorter than a header.
    NotFlv,
    /// The version is not 1.
    Version(u8),
    /// Reserved bits of the file header's flags are set.
    HeaderFlags(u8),
    /// The data offset is not 9.
    DataOffset(u32),
    /// A PreviousTagSize that is not the size of the tag before it.
    PreviousTagSize {
        /// What should stand there.
        expected: u32,
        /// What stands there.
        got: u32,
    },
    /// A stream ID other than 0.
    StreamId(u32),
    /// Reserved bits of a tag's first byte are set.
    ReservedBits(u8),
    /// A tag of a type that FLV does not know; the tag is passed on.
    UnknownType(u8),
    /// A second file header in the middle, as a careless resumption leaves it.
    SecondHeader,
    /// Bytes that are no tags were skipped.
    Garbage {
        /// How many.
        bytes: u64,
    },
    /// The file ends within a tag.
    Truncated {
        /// Bytes of the torn tag that are there.
        present: u64,
        /// Bytes it should have, PreviousTagSize included; absent when its header is torn.
        expected: Option<u64>,
    },
    /// The file ends before the last tag's PreviousTagSize is whole; the tag itself is.
    MissingTrailer,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.kind)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::NotFlv => f.write_str("no FLV header"),
            FaultKind::Version(version) => write!(f, "FLV version {version}, not 1"),
            FaultKind::HeaderFlags(flags) => write!(f, "reserved bits set in the header flags {flags:#04x}"),
            FaultKind::DataOffset(offset) => write!(f, "data offset {offset}, not 9"),
            FaultKind::PreviousTagSize { expected, got } => {
                write!(f, "PreviousTagSize is {got}, should be {expected}")
            }
            FaultKind::StreamId(id) => write!(f, "stream ID {id}, not 0"),
            FaultKind::ReservedBits(byte) => write!(f, "reserved bits set in the tag's first byte {byte:#04x}"),
            FaultKind::UnknownType(tag_type) => write!(f, "unknown tag type {tag_type}"),
            FaultKind::SecondHeader => f.write_str("a second file header"),
            FaultKind::Garbage { bytes } => write!(f, "{bytes} bytes of garbage between tags"),
            FaultKind::Truncated { present, expected: Some(expected) } => {
                write!(f, "the file ends within a tag, {present} of {expected} bytes are there")
            }
            FaultKind::Truncated { present, expected: None } => {
                write!(f, "the file ends within a tag header, {present} of {TAG_HEADER_BYTES} bytes are there")
            }
            FaultKind::MissingTrailer => f.write_str("the last PreviousTagSize is missing"),
        }
    }
}

/// Why a strict reading ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is not sound.
    #[error("{0}")]
    Fault(Fault),
}

/// A walk through an FLV.
///
/// ```
/// use rtmpcat::flv::reader::Reader;
///
/// let file = b"FLV\x01\x04\0\0\0\x09\0\0\0\0\x08\0\0\x03\0\0\x17\0\0\0\0\xaf\x01\x21\0\0\0\x0e";
/// let mut reader = Reader::new(&file[..]);
/// let mut tags = Vec::new();
/// while let Some(tag) = reader.next_tag()? {
///     tags.push((tag.offset, tag.tag_type(), tag.timestamp_ms(), tag.payload.to_vec()));
/// }
/// assert_eq!(tags, [(13, 8, 23, vec![0xaf, 1, 0x21])]);
/// assert!(reader.header().is_some_and(|header| header.audio() && !header.video()));
/// # Ok::<(), rtmpcat::flv::reader::ReadError>(())
/// ```
pub struct Reader<R> {
    window: Window<R>,
    header: Option<FileHeader>,
    state: State,
    /// Faults found in the present tag or header that were not handed out yet.
    faults: std::collections::VecDeque<Fault>,
}

enum State {
    Header,
    /// The window begins at a tag header; what a missing tag there means depends on `trusted`.
    Tags,
    /// The window begins at a tag that was examined and waits to be handed out.
    Examined(TagHeader),
    /// The window begins at a tag that was handed out.
    Handed(TagHeader),
    Done,
}

impl<R: Read> Reader<R> {
    /// Reads from the beginning of a file.
    pub fn new(source: R) -> Self {
        Self { window: Window::new(source, 0), header: None, state: State::Header, faults: Default::default() }
    }

    /// Reads from a tag on; `source` stands there, `offset` is that place in the file.
    pub fn at_tag(source: R, offset: u64) -> Self {
        Self { window: Window::new(source, offset), header: None, state: State::Tags, faults: Default::default() }
    }

    /// The file header, once the first item was asked for. `None` when there is none or the reading began at a tag.
    pub fn header(&self) -> Option<FileHeader> {
        self.header
    }

    /// Offset in the file up to which the walk has come.
    pub fn position(&self) -> u64 {
        self.window.offset
    }

    /// The next tag or fault; `None` at the end.
    pub fn next_item(&mut self) -> io::Result<Option<Item<'_>>> {
        let header = loop {
            if let Some(fault) = self.faults.pop_front() {
                return Ok(Some(Item::Fault(fault)));
            }
            match self.state {
                State::Header => self.read_file_header()?,
                State::Tags => self.examine_tag()?,
                State::Handed(header) => {
                    self.window.consume(header.total_bytes());
                    self.state = State::Tags;
                }
                State::Examined(header) => break header,
                State::Done => return Ok(None),
            }
        };
        self.state = State::Handed(header);
        Ok(self.current().map(Item::Tag))
    }

    /// The tag that [`Reader::next_item`] returned last, until the next call; `None` after a fault or at the end.
    pub fn current(&self) -> Option<Tag<'_>> {
        let State::Handed(header) = self.state else { return None };
        let size = header.payload_bytes as usize;
        let payload = self.window.available().get(TAG_HEADER_BYTES..TAG_HEADER_BYTES + size).unwrap_or(&[]);
        Some(Tag { offset: self.window.offset, header, payload })
    }

    /// The next tag, where nothing may be wrong; `None` at the end. After an error the walk can be taken up again.
    pub fn next_tag(&mut self) -> Result<Option<Tag<'_>>, ReadError> {
        match self.next_item()? {
            None => Ok(None),
            Some(Item::Tag(tag)) => Ok(Some(tag)),
            Some(Item::Fault(fault)) => Err(ReadError::Fault(fault)),
        }
    }

    fn fault(&mut self, at: u64, kind: FaultKind) {
        self.faults.push_back(Fault { offset: self.window.offset + at, kind });
    }

    fn read_file_header(&mut self) -> io::Result<()> {
        self.state = State::Tags;
        let Some(header) = self.window.fill(DATA_OFFSET_BYTES)?.first_chunk().and_then(FileHeader::decode) else {
            self.fault(0, FaultKind::NotFlv);
            if self.window.available().len() < DATA_OFFSET_BYTES {
                self.state = State::Done;
            }
            return Ok(());
        };
        self.header = Some(header);
        if header.version != 1 {
            self.fault(3, FaultKind::Version(header.version));
        }
        if header.flags & !(FileHeader::AUDIO | FileHeader::VIDEO) != 0 {
            self.fault(4, FaultKind::HeaderFlags(header.flags));
        }
        let mut skipped = DATA_OFFSET_BYTES;
        if header.data_offset as usize != DATA_OFFSET_BYTES {
            self.fault(5, FaultKind::DataOffset(header.data_offset));
            if (DATA_OFFSET_BYTES..=MAX_DATA_OFFSET).contains(&(header.data_offset as usize)) {
                skipped = header.data_offset as usize;
            }
        }
        let read = self.window.fill(skipped + PREVIOUS_TAG_SIZE_BYTES)?;
        match read.get(skipped..).and_then(|rest| rest.first_chunk()) {
            Some(&first) => {
                let got = u32::from_be_bytes(first);
                if got != 0 {
                    self.fault(skipped as u64, FaultKind::PreviousTagSize { expected: 0, got });
                    // Some writers leave PreviousTagSize0 out: then this is the first tag already.
                    if self.looks_like_tag_at(skipped)? {
                        self.window.consume(skipped);
                        return Ok(());
                    }
                }
                self.window.consume(skipped + PREVIOUS_TAG_SIZE_BYTES);
            }
            None => {
                self.fault(skipped as u64, FaultKind::MissingTrailer);
                self.state = State::Done;
            }
        }
        Ok(())
    }

    /// Looks at the tag at the beginning of the window and decides: a tag, the end, or garbage.
    fn examine_tag(&mut self) -> io::Result<()> {
        let head = self.window.fill(TAG_HEADER_BYTES)?;
        if head.is_empty() {
            self.state = State::Done;
            return Ok(());
        }
        let present = head.len() as u64;
        let Some(header) = TagHeader::decode_from(head) else {
            self.fault(0, FaultKind::Truncated { present, expected: None });
            self.state = State::Done;
            return Ok(());
        };
        let total = header.total_bytes();
        let body = total - PREVIOUS_TAG_SIZE_BYTES;
        let available = self.window.fill(total)?;
        if available.len() < body {
            // Only a torn tail has a header that makes sense; a size made of garbage leads here as well.
            if header.is_plausible() && !self.finds_tag_within()? {
                let present = self.window.available().len() as u64;
                self.fault(0, FaultKind::Truncated { present, expected: Some(total as u64) });
                self.state = State::Done;
                return Ok(());
            }
            return self.skip_garbage();
        }
        let trailer = available.get(body..).and_then(|rest| rest.first_chunk()).map(|&bytes| u32::from_be_bytes(bytes));
        let trailer_right = trailer == Some(header.previous_tag_size());
        // Of a reserved bit, a wrong trailer and an odd type, each alone may be a writer's fault; without a right trailer the next
        // tag has to vouch for this one.
        if !trailer_right && trailer.is_some() && !(header.is_plausible() && self.vouched_for(total)?) {
            return self.skip_garbage();
        }
        if trailer.is_none() && !header.is_plausible() {
            return self.skip_garbage();
        }
        self.note_header_faults(header);
        match trailer {
            None => self.fault(body as u64, FaultKind::MissingTrailer),
            Some(got) if !trailer_right => {
                self.fault(body as u64, FaultKind::PreviousTagSize { expected: header.previous_tag_size(), got });
            }
            Some(_) => {}
        }
        self.state = State::Examined(header);
        Ok(())
    }

    fn note_header_faults(&mut self, header: TagHeader) {
        if header.first_byte & 0xc0 != 0 {
            self.fault(0, FaultKind::ReservedBits(header.first_byte));
        }
        if !is_known_type(header.tag_type()) {
            self.fault(0, FaultKind::UnknownType(header.tag_type()));
        }
        if header.stream_id != 0 {
            self.fault(8, FaultKind::StreamId(header.stream_id));
        }
    }

    /// Whether a plausible tag header, or the end of the file, stands `at` bytes into the window.
    fn vouched_for(&mut self, at: usize) -> io::Result<bool> {
        let rest = self.window.fill(at + TAG_HEADER_BYTES)?.get(at..).unwrap_or(&[]);
        Ok(rest.is_empty() || TagHeader::decode_from(rest).is_some_and(|header| header.is_plausible()))
    }

    /// Whether a tag with the right PreviousTagSize stands `at` bytes into the window.
    fn looks_like_tag_at(&mut self, at: usize) -> io::Result<bool> {
        let head = self.window.fill(at + TAG_HEADER_BYTES)?.get(at..).and_then(TagHeader::decode_from);
        let Some(header) = head.filter(TagHeader::is_plausible) else { return Ok(false) };
        let end = at + header.total_bytes();
        let trailer = self.window.fill(end)?.get(end - PREVIOUS_TAG_SIZE_BYTES..end);
        Ok(trailer == Some(&header.previous_tag_size().to_be_bytes()))
    }

    /// Whether tags follow one another from the present place on, whatever their PreviousTagSizes say: some writers have
    /// them wrong throughout.
    fn begins_chain(&mut self) -> io::Result<bool> {
        let mut at = 0;
        for _ in 0..CHAIN_TAGS {
            let head = self.window.fill(at + TAG_HEADER_BYTES)?.get(at..).unwrap_or(&[]);
            if head.is_empty() && at > 0 {
                return Ok(true);
            }
            let Some(header) = TagHeader::decode_from(head).filter(TagHeader::is_plausible) else { return Ok(false) };
            at += header.total_bytes();
            if at > MAX_CHAIN_BYTES {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether, in a window that reaches to the end of the file, a tag can be found behind the present place.
    fn finds_tag_within(&mut self) -> io::Result<bool> {
        for at in 1..self.window.available().len().saturating_sub(TAG_OVERHEAD_BYTES - 1) {
            if self.looks_like_tag_at(at)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Goes on to the next place where a tag with a right PreviousTagSize stands.
    fn skip_garbage(&mut self) -> io::Result<()> {
        let start = self.window.offset;
        let second_header = self.window.fill(DATA_OFFSET_BYTES)?.first_chunk().and_then(FileHeader::decode).is_some();
        loop {
            self.window.consume(1);
            if self.window.fill(TAG_OVERHEAD_BYTES)?.len() < TAG_OVERHEAD_BYTES {
                let rest = self.window.available().len();
                self.window.consume(rest);
                self.state = State::Done;
                break;
            }
            if self.looks_like_tag_at(0)? || self.begins_chain()? {
                break;
            }
        }
        let bytes = self.window.offset - start;
        let kind = if second_header { FaultKind::SecondHeader } else { FaultKind::Garbage { bytes } };
        self.faults.push_back(Fault { offset: start, kind });
        Ok(())
    }
}

/// The part of the source that is in memory.
struct Window<R> {
    source: R,
    bytes: Vec<u8>,
    start: usize,
    /// Offset in the file of the first byte not yet consumed.
    offset: u64,
    ended: bool,
}

impl<R: Read> Window<R> {
    fn new(source: R, offset: u64) -> Self {
        Self { source, bytes: Vec::new(), start: 0, offset, ended: false }
    }

    fn available(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or(&[])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.bytes.len() - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads until `count` bytes are there or the source ends, and returns all that is there. Memory grows with bytes that
    /// were read, not with `count`.
    fn fill(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.bytes.len() - self.start < count && !self.ended {
            if self.start > 0 {
                self.bytes.drain(..self.start);
                self.start = 0;
            }
            let wanted = (READ_BYTES.max(self.bytes.len()) as u64).min(MAX_READ_BYTES);
            let before = self.bytes.len();
            match self.source.by_ref().take(wanted).read_to_end(&mut self.bytes) {
                Ok(_) => self.ended = ((self.bytes.len() - before) as u64) < wanted,
                Err(error) => return Err(error),
            }
        }
        Ok(self.available())
    }
}

/// Largest data offset that is believed; the field has 32 bits and no file uses them.
const MAX_DATA_OFFSET: usize = 4096;
/// Headers in a row that are no coincidence (each has 29 bits that must be right), and how far they may reach.
const CHAIN_TAGS: u32 = 3;
const MAX_CHAIN_BYTES: usize = 4 << 20;
/// How much is read at once.
const READ_BYTES: usize = 64 << 10;
/// How much is read at once for a large tag.
const MAX_READ_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests;
