//! Writes tags around borrowed payloads: the hot path's last step.
//!
//! Small tags are gathered in one buffer, large ones go out in one vectored write together with whatever was gathered, without
//! being copied.

use std::io;

use super::index::Index;
use super::sink::Output;
use super::tag::{FILE_HEADER_BYTES, FileHeader, TAG_OVERHEAD_BYTES, TagHeader, payload_size, previous_tag_size};

/// An FLV being written.
#[derive(Debug)]
pub struct Writer {
    output: Output,
    /// Bytes gathered, always whole tags (or the file header).
    buffer: Vec<u8>,
    write_calls: u64,
    failed: bool,
}

impl Writer {
    /// A writer at the beginning of an empty output. Nothing is written yet.
    pub fn new(output: Output) -> Self {
        Self::continuing(output, 0)
    }

    /// A writer that appends to `length` bytes of whole tags; the output's own position must be there.
    pub fn continuing(mut output: Output, length: u64) -> Self {
        output.continue_after(length);
        Self { output, buffer: Vec::new(), write_calls: 0, failed: false }
    }

    /// Waits until everything that was handed to a thread is written.
    ///
    /// # Errors
    /// What went wrong with it; in a seekable output there are whole tags.
    pub fn drain(&mut self) -> io::Result<()> {
        let drained = self.output.drain();
        self.note_error(drained)
    }

    /// Looks whether a regular file still has a name, see [`Output::check_not_unlinked`].
    ///
    /// # Errors
    /// `NotFound` if it was deleted; what went wrong with an earlier write.
    pub fn check_not_unlinked(&mut self) -> io::Result<()> {
        let result = self.output.check_not_unlinked();
        // A file that never had a name is written all the same.
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            return result;
        }
        self.note_error(result)
    }

    /// Fails if the output was given up, see [`Output::check_not_given_up`].
    ///
    /// # Errors
    /// One that [`is_stopped`](super::sink::is_stopped) knows.
    pub fn check_not_given_up(&self) -> io::Result<()> {
        self.output.check_not_given_up()
    }

    /// Writes the file header and PreviousTagSize0.
    ///
    /// # Errors
    /// An earlier write failed.
    pub fn file_header(&mut self, header: FileHeader) -> io::Result<()> {
        self.check()?;
        self.buffer.extend_from_slice(&header.encode());
        Ok(())
    }

    /// Writes one tag and returns its offset in the file, in bytes. `timestamp_ms`: milliseconds, modulo 2³².
    ///
    /// # Errors
    /// Those of the output; `InvalidInput` if the payload has more than 2²⁴ − 1 bytes.
    #[inline]
    pub fn tag(&mut self, tag_type: u8, timestamp_ms: u32, payload: &[u8]) -> io::Result<u64> {
        self.tag_with(TagHeader::new(tag_type, timestamp_ms, 0), payload)
    }

    /// Writes one tag with every field of its header as given, save the size, which is the payload's. Returns its offset.
    ///
    /// # Errors
    /// As [`Writer::tag`].
    #[inline]
    pub fn tag_with(&mut self, mut header: TagHeader, payload: &[u8]) -> io::Result<u64> {
        self.check()?;
        header.payload_bytes = payload_size(payload)?;
        let offset = self.position();
        let head = header.encode();
        let trailer = previous_tag_size(payload.len());
        if payload.len() >= DIRECT_BYTES {
            self.write_out([&head, payload, &trailer])?;
            return Ok(offset);
        }
        if self.buffer.len() + payload.len() + TAG_OVERHEAD_BYTES > self.buffer.capacity() {
            self.make_room()?;
        }
        self.buffer.extend_from_slice(&head);
        self.buffer.extend_from_slice(payload);
        self.buffer.extend_from_slice(&trailer);
        Ok(offset)
    }

    /// Writes out what was gathered. To be called before the caller waits, so that a frame is seen as soon as it is there.
    ///
    /// # Errors
    /// Those of the output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        if !self.buffer.is_empty() {
            self.write_out([&[]; 3])?;
        }
        let flushed = self.output.flush();
        self.note_error(flushed)
    }

    /// Overwrites bytes that were written before; only for a seekable output. Works after a failed write too.
    ///
    /// # Errors
    /// Those of the output; `InvalidInput` beyond what was written.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset + bytes.len() as u64;
        if !self.failed && end > self.output.written() {
            self.flush()?;
        }
        if end > self.output.written() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "patch beyond what was written"));
        }
        let patched = self.output.patch(offset, bytes);
        self.note_error(patched)
    }

    /// The index that the tags in the file make, if it begins with one and can be read. Not quick: for a file that failed.
    pub fn read_index(&mut self) -> Option<Index> {
        self.output.read_index()
    }

    /// Has what was written brought to the disk; harmless on a stream.
    ///
    /// # Errors
    /// Those of the output.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        let synced = self.output.sync();
        self.note_error(synced)
    }

    /// Writes out the rest.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.drain()
    }

    /// File offset at which the next tag will begin, gathered bytes included.
    pub fn position(&self) -> u64 {
        self.output.written() + self.buffer.len() as u64
    }

    /// Bytes that have reached the output.
    pub fn written_bytes(&self) -> u64 {
        self.output.written()
    }

    /// How many writes were made, each one system call unless it came up short.
    pub fn write_calls(&self) -> u64 {
        self.write_calls
    }

    /// Whether the output can be patched.
    pub fn is_seekable(&self) -> bool {
        self.output.is_seekable()
    }

    /// Whether a write failed; every later one is refused.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Nothing is written after a failure. Patches of what is there are: they may put the header right.
    fn note_error(&mut self, result: io::Result<()>) -> io::Result<()> {
        if result.is_err() && !self.failed {
            self.failed = true;
            self.buffer = Vec::new();
        }
        result
    }

    #[inline]
    fn check(&self) -> io::Result<()> {
        if self.failed { Err(io::Error::other("an earlier write of this file failed")) } else { Ok(()) }
    }

    #[cold]
    fn make_room(&mut self) -> io::Result<()> {
        if self.buffer.capacity() < BUFFER_BYTES {
            // At most the file header is in it so far.
            self.buffer.reserve_exact(BUFFER_BYTES - self.buffer.len());
            return Ok(());
        }
        self.write_out([&[]; 3])
    }

    /// Writes the buffer and one tag after it in as few calls as the output allows.
    fn write_out(&mut self, tag: [&[u8]; 3]) -> io::Result<()> {
        self.write_calls += 1;
        let written = self.output.write(&self.buffer, tag);
        self.buffer.clear();
        self.note_error(written)
    }
}

/// Room for tags that are gathered: as much as a pipe usually holds, and more than a slow stream brings in a second.
const BUFFER_BYTES: usize = 64 << 10;
/// A payload of this length costs more to copy than to be written by itself.
const DIRECT_BYTES: usize = 32 << 10;
const _: () = assert!(DIRECT_BYTES + TAG_OVERHEAD_BYTES + FILE_HEADER_BYTES < BUFFER_BYTES);

#[cfg(test)]
mod tests;
