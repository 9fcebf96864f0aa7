//! Writes tags around borrowed payloads: the hot path's last step.
//!
//! Small tags are gathered in a buffer, large ones go out in one vectored write together with whatever was gathered, without
//! being copied. The buffer begins small and doubles only while it fills several times between two flushes, so a slow stream stays small
//! and a fast one makes few system calls; it shrinks again when flushes find it nearly empty.

use std::io::{self, IoSlice};

use super::behind::Behind;
use super::gathered::Gathered;
use super::index::Index;
pub use super::output::Output;
use super::tag::{
    FILE_HEADER_BYTES, FileHeader, MAX_PAYLOAD_BYTES, TAG_OVERHEAD_BYTES, TagHeader, payload_size, previous_tag_size,
    tag_header, too_large,
};

/// An FLV being written.
#[derive(Debug)]
pub struct Writer {
    output: Output,
    /// Bytes gathered, always whole tags (or the file header).
    buffer: Gathered,
    /// Gathered bytes from which on they are written, and the least that this can be.
    limit: usize,
    least: usize,
    /// Bytes that are out; the buffer begins at this file offset.
    written: u64,
    /// Most bytes found by a flush since the limit last changed, and how many flushes that were.
    flush_peak: usize,
    flushes: u32,
    /// How often the buffer was full since the last flush.
    fills: u32,
    write_calls: u64,
    failed: bool,
}

impl Writer {
    /// A writer at the beginning of an empty output. Nothing is written yet.
    pub fn new(output: Output) -> Self {
        Self::continuing(output, 0)
    }

    /// A writer that goes on behind `length` bytes of whole tags; the output's own position must be there.
    pub fn continuing(output: Output, length: u64) -> Self {
        Self {
            output,
            buffer: Gathered::default(),
            limit: MIN_BUFFER_BYTES,
            least: MIN_BUFFER_BYTES,
            written: length,
            flush_peak: 0,
            flushes: 0,
            fills: 0,
            write_calls: 0,
            failed: false,
        }
    }

    /// Has a thread do the writing from now on, so that a slow output holds nobody up until `capacity` bytes are waiting.
    ///
    /// # Errors
    /// Those of the output, which gets what was gathered before.
    pub fn write_behind(&mut self, capacity: usize) -> io::Result<()> {
        self.flush()?;
        if !matches!(self.output, Output::Behind(_)) {
            let output = std::mem::replace(&mut self.output, Output::nothing());
            self.output = match Behind::new(output, self.written, capacity) {
                Ok(behind) => {
                    self.least = HANDED_OVER_BYTES;
                    self.limit = self.limit.max(self.least);
                    Output::Behind(behind)
                }
                Err(output) => output,
            };
        }
        Ok(())
    }

    /// Waits until everything that was handed over is written. There is no thread from then on.
    ///
    /// # Errors
    /// What went wrong with it; what is there are whole tags.
    pub fn settle(&mut self) -> io::Result<()> {
        let behind = match std::mem::replace(&mut self.output, Output::nothing()) {
            Output::Behind(behind) => behind,
            output => {
                self.output = output;
                return Ok(());
            }
        };
        let (output, written, result) = behind.end();
        self.output = output;
        self.written = written;
        self.failed |= result.is_err();
        result
    }

    /// Looks whether the file can still be found, see [`Output::has_name`].
    ///
    /// # Errors
    /// It was deleted.
    pub fn has_name(&mut self) -> io::Result<()> {
        let named = self.output.has_name();
        self.believe(named)
    }

    /// Writes the file header and PreviousTagSize0.
    pub fn file_header(&mut self, header: FileHeader) -> io::Result<()> {
        self.check()?;
        self.buffer.push(&header.encode(), &[], &[], self.limit);
        Ok(())
    }

    /// Writes one tag and returns its offset in the file. Timestamps are milliseconds; a payload above 2²⁴ − 1 bytes is refused.
    #[inline]
    pub fn tag(&mut self, tag_type: u8, timestamp_ms: u32, payload: &[u8]) -> io::Result<u64> {
        self.tag_with(TagHeader::new(tag_type, timestamp_ms, 0), payload)
    }

    /// Writes one tag with every field of its header as given, save the size, which is the payload's.
    #[inline]
    pub fn tag_with(&mut self, mut header: TagHeader, payload: &[u8]) -> io::Result<u64> {
        self.check()?;
        header.payload_bytes = payload_size(payload)?;
        let offset = self.position();
        let head = header.encode();
        let trailer = previous_tag_size(payload.len());
        if payload.len() >= DIRECT_BYTES {
            self.write_out(&head, payload, &trailer)?;
            return Ok(offset);
        }
        let total = payload.len() + TAG_OVERHEAD_BYTES;
        if self.buffer.len() + total > self.limit && !self.buffer.is_empty() {
            self.write_out(&[], &[], &[])?;
            self.grow();
        }
        self.buffer.push(&head, payload, &trailer, self.limit);
        Ok(offset)
    }

    /// Writes a tag whose payload is `front`, a run of zero bytes and `tail`, without holding the zeros in memory. Returns its
    /// offset.
    pub fn tag_with_room(
        &mut self,
        tag_type: u8,
        timestamp_ms: u32,
        front: &[u8],
        zeros: usize,
        tail: &[u8],
    ) -> io::Result<u64> {
        self.flush()?;
        // A thread takes whole tags only.
        self.settle()?;
        let offset = self.position();
        let size = front.len() + zeros + tail.len();
        if size > MAX_PAYLOAD_BYTES {
            return Err(too_large());
        }
        let (head, trailer) = (tag_header(tag_type, timestamp_ms, size), previous_tag_size(size));
        let mut done = 0;
        let mut result = self.output.write_all(&mut [IoSlice::new(&head), IoSlice::new(front)], &mut done);
        let mut left = zeros;
        while result.is_ok() && left > 0 {
            let mut parts = [IoSlice::new(&[]); 16];
            for part in &mut parts {
                let piece = left.min(ZEROS.len());
                *part = IoSlice::new(ZEROS.get(..piece).unwrap_or(&ZEROS));
                left -= piece;
            }
            self.write_calls += 1;
            result = self.output.write_all(&mut parts, &mut done);
        }
        self.write_calls += 2;
        let result =
            result.and_then(|()| self.output.write_all(&mut [IoSlice::new(tail), IoSlice::new(&trailer)], &mut done));
        if let Err(error) = result {
            self.failed = true;
            self.cut_to_whole_tags(0, done);
            return Err(error);
        }
        self.written += done as u64;
        Ok(offset)
    }

    /// Writes out what was gathered. To be called whenever the caller is about to wait, so that a frame is seen as soon as it
    /// is there.
    pub fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.adapt();
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.write_out(&[], &[], &[])?;
        let flushed = self.output.flush();
        self.believe(flushed)
    }

    /// Overwrites bytes that were written before; only for a seekable output. Works after a failed write too.
    ///
    /// # Errors
    /// Those of the output; of a thread's also what went wrong before.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if !self.failed && offset + bytes.len() as u64 > self.written {
            self.flush()?;
        }
        if offset + bytes.len() as u64 > self.written {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "patch beyond what was written"));
        }
        let patched = self.output.patch(offset, bytes);
        self.believe(patched)
    }

    /// The index that the tags in the file make, if it begins with one and can be read. For what failed: it is not quick.
    pub fn read_index(&mut self) -> Option<Index> {
        self.output.read_index(self.written)
    }

    /// Waits until what was written is on the disk; harmless on a stream.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        let synced = self.output.sync();
        self.believe(synced)
    }

    /// Writes out the rest and gives the output back.
    pub fn finish(mut self) -> io::Result<Output> {
        self.flush()?;
        self.settle()?;
        Ok(self.output)
    }

    /// File offset at which the next tag will begin, gathered bytes included.
    pub fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Bytes that have reached the output.
    pub fn written_bytes(&self) -> u64 {
        self.written
    }

    /// Bytes gathered and not yet written.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
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

    /// Passes a result on. A thread that failed at something earlier is done: what it has written is what there is.
    fn believe(&mut self, result: io::Result<()>) -> io::Result<()> {
        if result.is_err() && matches!(self.output, Output::Behind(_)) {
            let _ = self.settle();
            self.failed = true;
            self.buffer = Gathered::default();
        }
        result
    }

    #[inline]
    fn check(&self) -> io::Result<()> {
        if self.failed { Err(io::Error::other("an earlier write of this file failed")) } else { Ok(()) }
    }

    /// Writes the buffer and one tag behind it in as few calls as the output allows.
    fn write_out(&mut self, head: &[u8], payload: &[u8], trailer: &[u8]) -> io::Result<()> {
        let mut parts =
            [IoSlice::new(self.buffer.bytes()), IoSlice::new(head), IoSlice::new(payload), IoSlice::new(trailer)];
        let mut done = 0;
        self.write_calls += 1;
        let result = self.output.write_all(&mut parts, &mut done);
        if let Err(error) = result {
            self.failed = true;
            let whole = if done >= self.buffer.len() { self.buffer.len() } else { self.whole_tags_within(done) };
            self.cut_to_whole_tags(whole, done);
            return Err(error);
        }
        self.written += done as u64;
        self.buffer.clear();
        Ok(())
    }

    /// After a failed write of which `done` bytes got out, `whole` of them whole tags: takes the torn tag back where the
    /// output can be cut.
    fn cut_to_whole_tags(&mut self, whole: usize, done: usize) {
        if matches!(self.output, Output::Behind(_)) {
            // It has cut what it wrote, and its error is the one that led here.
            let _ = self.settle();
            self.buffer = Gathered::default();
            return;
        }
        // Nothing more can be done when cutting fails as well: the error that led here is the one to report.
        let cut = self.output.is_seekable() && self.output.truncate(self.written + whole as u64).is_ok();
        self.written += if cut { whole } else { done } as u64;
        self.buffer = Gathered::default();
    }

    /// Length of the whole tags (and the file header) within the first `done` bytes of the buffer.
    fn whole_tags_within(&self, done: usize) -> usize {
        let mut end = if self.written == 0 { FILE_HEADER_BYTES.min(self.buffer.len()) } else { 0 };
        if end > done {
            return 0;
        }
        while let Some(header) = self.buffer.bytes().get(end..).and_then(TagHeader::decode_from) {
            let next = end + header.total_bytes();
            if next > done {
                break;
            }
            end = next;
        }
        end
    }

    /// The buffer filled before anyone flushed it: let it hold twice as much.
    fn grow(&mut self) {
        self.fills += 1;
        if self.fills >= GROW_AFTER_FILLS {
            self.limit = (self.limit * 2).min(MAX_BUFFER_BYTES);
            self.flush_peak = 0;
            self.flushes = 0;
            self.fills = 0;
        }
    }

    /// Gives memory back after a run of flushes that found little in the buffer.
    fn adapt(&mut self) {
        self.flush_peak = self.flush_peak.max(self.buffer.len());
        self.flushes += 1;
        self.fills = 0;
        if self.flushes >= SHRINK_AFTER_FLUSHES {
            if self.flush_peak < self.limit / 8 && self.limit > self.least {
                self.limit = (self.limit / 4).max(self.least);
                self.buffer.shrink_to(self.limit);
            }
            self.flush_peak = 0;
            self.flushes = 0;
        }
    }
}

/// Where the buffer begins: a frame or two of a slow stream.
const MIN_BUFFER_BYTES: usize = 8 << 10;
/// Where it begins with a thread behind it: waking that costs more than a system call.
const HANDED_OVER_BYTES: usize = 32 << 10;
/// Where it stops: beyond this, fewer system calls no longer pay for the cache misses.
const MAX_BUFFER_BYTES: usize = 128 << 10;
/// From this payload on, copying costs more than a system call.
const DIRECT_BYTES: usize = 64 << 10;
/// The buffer grows when it was filled this often between two flushes: a few system calls a second are no reason to hold more.
const GROW_AFTER_FILLS: u32 = 3;
/// A few seconds of a live stream, so that a GOP's rhythm does not move the limit to and fro.
const SHRINK_AFTER_FLUSHES: u32 = 256;
const _: () = assert!(DIRECT_BYTES + TAG_OVERHEAD_BYTES < MAX_BUFFER_BYTES);
static ZEROS: [u8; 4096] = [0; 4096];

#[cfg(test)]
mod tests {
    use super::super::output::Memory;
    use super::super::tag::tag_type::{AUDIO, SCRIPT, VIDEO};
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    #[test]
    fn golden_file() {
        let (output, memory) = Output::memory();
        let mut writer = Writer::new(output);
        writer.file_header(FileHeader::new(true, true)).unwrap();
        assert_eq!(writer.tag(VIDEO, 0x0102_0304, &[0x17, 1, 0]).unwrap(), 13);
        assert_eq!(writer.tag(AUDIO, 23, &[]).unwrap(), 13 + 18);
        assert_eq!(writer.position(), 13 + 18 + 15);
        assert_eq!(memory.bytes(), b"", "gathered, not written");
        writer.flush().unwrap();
        let golden = [
            b"FLV\x01\x05\0\0\0\x09\0\0\0\0".as_slice(),
            &[9, 0, 0, 3, 2, 3, 4, 1, 0, 0, 0, 0x17, 1, 0, 0, 0, 0, 14],
            &[8, 0, 0, 0, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 11],
        ]
        .concat();
        assert_eq!(memory.bytes(), golden);
        assert_eq!((writer.written_bytes(), writer.write_calls()), (golden.len() as u64, 1));
    }

    /// Payload lengths around every threshold come out the same as tag by tag.
    #[test]
    fn every_size_is_written_whole_and_in_order() {
        let sizes = [0, 1, 8177, 8178, 65535, 65536, 65537, 200_000, 5, 524_272, 3, 1 << 20, 100];
        let (output, memory) = Output::memory_pipe();
        let mut writer = Writer::new(output);
        let mut expected = Vec::new();
        for (i, size) in sizes.into_iter().enumerate() {
            let payload = vec![i as u8; size];
            let header = TagHeader::new(SCRIPT, i as u32, size as u32);
            assert_eq!(writer.tag(SCRIPT, i as u32, &payload).unwrap(), expected.len() as u64);
            expected.extend_from_slice(&header.encode());
            expected.extend_from_slice(&payload);
            expected.extend_from_slice(&header.previous_tag_size().to_be_bytes());
        }
        writer.finish().unwrap();
        assert_eq!(memory.bytes(), expected);
    }

    #[test]
    fn few_calls_under_load_small_memory_at_rest() {
        let (output, _memory) = Output::memory();
        let mut writer = Writer::new(output);
        let payload = [7; 1000];
        for i in 0..10_000 {
            writer.tag(VIDEO, i, &payload).unwrap();
        }
        assert!(writer.write_calls() < 100, "{} calls for 10 MB", writer.write_calls());
        writer.flush().unwrap();
        assert!(writer.buffer.capacity() >= MAX_BUFFER_BYTES);
        for i in 0..2000 {
            writer.tag(VIDEO, i, &payload).unwrap();
            writer.flush().unwrap();
        }
        assert_eq!(writer.limit, MIN_BUFFER_BYTES);
        assert!(writer.buffer.capacity() <= 2 * MIN_BUFFER_BYTES, "{}", writer.buffer.capacity());
    }

    #[test]
    fn a_thread_is_woken_for_many_tags_at_a_time() {
        let (output, memory) = Output::memory();
        let mut writer = Writer::new(output);
        writer.write_behind(1 << 20).unwrap();
        let tags = HANDED_OVER_BYTES / (1000 + TAG_OVERHEAD_BYTES);
        for i in 0..tags {
            writer.tag(VIDEO, i as u32, &[7; 1000]).unwrap();
        }
        assert_eq!(writer.write_calls(), 0);
        writer.tag(VIDEO, 0, &[7; 1000]).unwrap();
        assert_eq!(writer.write_calls(), 1);
        (0..2000).for_each(|_| writer.flush().unwrap());
        assert_eq!(writer.limit, HANDED_OVER_BYTES);
        writer.finish().unwrap();
        assert_eq!(memory.bytes().len(), (tags + 1) * (1000 + TAG_OVERHEAD_BYTES));
    }

    #[test]
    fn an_idle_stream_never_grows() {
        let (output, _memory) = Output::memory();
        let mut writer = Writer::new(output);
        for i in 0..1000 {
            writer.tag(AUDIO, i, &[1; 400]).unwrap();
            writer.flush().unwrap();
        }
        assert_eq!(writer.limit, MIN_BUFFER_BYTES);
    }

    #[test]
    fn flushing_nothing_writes_nothing() {
        let calls = Arc::new(AtomicUsize::new(0));
        let mut writer = Writer::new(Output::Stream(Box::new(Counting(calls.clone(), Arc::default()))));
        writer.flush().unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 0);
        writer.tag(AUDIO, 0, &[1]).unwrap();
        writer.flush().unwrap();
        writer.flush().unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_large_tag_takes_the_gathered_ones_along_in_one_call() {
        let calls = Arc::new(AtomicUsize::new(0));
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let mut writer = Writer::new(Output::Stream(Box::new(Counting(calls.clone(), bytes.clone()))));
        writer.tag(AUDIO, 0, &[1; 10]).unwrap();
        writer.tag(VIDEO, 0, &[2; 100_000]).unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(bytes.lock().unwrap().len(), 25 + 100_015);
    }

    #[test]
    fn a_full_disk_leaves_whole_tags() {
        let payload = [9; 100];
        let tag = payload.len() + TAG_OVERHEAD_BYTES;
        for capacity in (0..=13 + 5 * tag).step_by(7) {
            let (output, memory) = Memory::with_capacity(capacity);
            let mut writer = Writer::new(output);
            writer.file_header(FileHeader::new(false, true)).unwrap();
            for i in 0..6 {
                writer.tag(VIDEO, i, &payload).unwrap();
            }
            let error = writer.flush().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            let expected = if capacity < 13 { 0 } else { 13 + (capacity - 13) / tag * tag };
            assert_eq!(memory.bytes().len(), expected, "capacity {capacity}");
            assert_eq!(writer.written_bytes(), expected as u64);
            assert!(writer.has_failed());
            assert!(writer.tag(VIDEO, 7, &payload).is_err());
            if expected > 5 {
                writer.patch(4, &[5]).unwrap();
                assert_eq!(memory.bytes()[4], 5, "what is there can still be patched");
            }
        }
    }

    #[test]
    fn a_large_tag_on_a_full_disk_is_taken_back_whole() {
        let (output, memory) = Memory::with_capacity(13 + 25 + 50_000);
        let mut writer = Writer::new(output);
        writer.file_header(FileHeader::new(true, true)).unwrap();
        writer.tag(AUDIO, 0, &[1; 10]).unwrap();
        assert_eq!(writer.tag(VIDEO, 0, &[2; 100_000]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(memory.bytes().len(), 13 + 25);
    }

    #[test]
    fn a_tag_with_room_is_as_large_as_it_says() {
        for zeros in [0, 1, 4096, 70_001] {
            let (output, memory) = Output::memory();
            let mut writer = Writer::new(output);
            writer.file_header(FileHeader::new(false, true)).unwrap();
            assert_eq!(writer.tag_with_room(SCRIPT, 5, b"abc", zeros, b"xyz").unwrap(), 13);
            writer.tag(VIDEO, 6, b"v").unwrap();
            writer.flush().unwrap();
            let payload = [b"abc".as_slice(), &vec![0; zeros], b"xyz"].concat();
            let (expected, plain) = Output::memory();
            let mut writer = Writer::new(expected);
            writer.file_header(FileHeader::new(false, true)).unwrap();
            writer.tag(SCRIPT, 5, &payload).unwrap();
            writer.tag(VIDEO, 6, b"v").unwrap();
            writer.flush().unwrap();
            assert_eq!(memory.bytes(), plain.bytes());
        }
        let (output, memory) = Memory::with_capacity(5000);
        let mut writer = Writer::new(output);
        writer.file_header(FileHeader::new(false, true)).unwrap();
        assert!(writer.tag_with_room(SCRIPT, 5, b"abc", 10_000, b"xyz").is_err());
        assert_eq!(memory.bytes().len(), 13);
    }

    #[test]
    fn a_closed_pipe_is_reported_as_such() {
        struct Closed;
        impl io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = Writer::new(Output::Stream(Box::new(Closed)));
        writer.tag(AUDIO, 0, &[1]).unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn patching_reaches_gathered_bytes_and_nothing_beyond() {
        let (output, memory) = Output::memory();
        let mut writer = Writer::new(output);
        writer.file_header(FileHeader::new(false, false)).unwrap();
        writer.patch(4, &[1]).unwrap();
        assert_eq!(memory.bytes()[4], 1);
        assert_eq!(writer.patch(13, &[1]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[derive(Debug)]
    struct Counting(Arc<AtomicUsize>, Arc<Mutex<Vec<u8>>>);

    impl io::Write for Counting {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }
        fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let mut all = self.1.lock().unwrap();
            Ok(parts
                .iter()
                .map(|part| {
                    all.extend_from_slice(part);
                    part.len()
                })
                .sum())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
