//! Tags → bytes of an output. The hot path: small tags are gathered, large ones written from where they lie.

use std::fs::File;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};

use super::tag::{FILE_HEADER_BYTES, TAG_HEADER_BYTES, TAG_OVERHEAD_BYTES, file_header, previous_tag_size, tag_header};

/// Where the bytes go.
pub enum Output {
    /// A regular file: can be patched.
    File(File),
    /// Anything else: standard output, a pipe, a buffer.
    Stream(Box<dyn Write + Send>),
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_seekable() { "File" } else { "Stream" })
    }
}

impl Output {
    /// Whether what was written can be patched.
    pub fn is_seekable(&self) -> bool {
        matches!(self, Output::File(_))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Output::File(file) => file.write_vectored(slices),
            Output::Stream(stream) => stream.write_vectored(slices),
        }
    }
}

/// Writes an FLV file tag by tag.
#[derive(Debug)]
pub struct Writer {
    output: Output,
    /// Whole tags (and perhaps the file header) that are not written yet.
    buffer: Vec<u8>,
    /// Bytes in the output; the buffer begins there.
    position: u64,
}

impl Writer {
    /// Goes on at `position` of an output, which stands there: 0 for a new file.
    pub fn new(output: Output, position: u64) -> Self {
        Self { output, buffer: Vec::with_capacity(BUFFER_BYTES), position }
    }

    /// Writes the file header with its flags.
    ///
    /// # Errors
    /// Those of the output.
    pub fn header(&mut self, flags: u8) -> io::Result<()> {
        self.buffer.extend_from_slice(&file_header(flags));
        Ok(())
    }

    /// Writes a tag. `data` has at most 0xFFFFFF bytes.
    ///
    /// # Errors
    /// Those of the output; it then ends behind the last whole tag, if it can be cut.
    pub fn tag(&mut self, tag_type: u8, timestamp_ms: u32, data: &[u8]) -> io::Result<()> {
        let header = tag_header(tag_type, timestamp_ms, data.len());
        let trailer = previous_tag_size(data.len());
        if data.len() >= LARGE_BYTES {
            return self.write_out(&[&header, data, &trailer]);
        }
        if self.buffer.len() + data.len() + TAG_OVERHEAD_BYTES > BUFFER_BYTES {
            self.flush()?;
        }
        self.buffer.extend_from_slice(&header);
        self.buffer.extend_from_slice(data);
        self.buffer.extend_from_slice(&trailer);
        Ok(())
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// As [`Writer::tag`].
    pub fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.write_out(&[])?;
        match &mut self.output {
            Output::File(_) => Ok(()),
            Output::Stream(stream) => stream.flush(),
        }
    }

    /// Replaces bytes that have been written. Does nothing where the output cannot be patched.
    ///
    /// # Errors
    /// Those of the output.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.flush()?;
        if let Output::File(file) = &mut self.output {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)?;
            file.seek(SeekFrom::Start(self.position))?;
        }
        Ok(())
    }

    /// Asks the operating system to put the file on the disk.
    ///
    /// # Errors
    /// Those of the output.
    pub fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        match &self.output {
            Output::File(file) => file.sync_data(),
            Output::Stream(_) => Ok(()),
        }
    }

    /// Bytes written, buffered ones included.
    pub fn bytes(&self) -> u64 {
        self.position + self.buffer.len() as u64
    }

    /// Whether what was written can be patched.
    pub fn is_seekable(&self) -> bool {
        self.output.is_seekable()
    }

    /// Writes the buffer, then `parts`, which are one whole tag.
    fn write_out(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let total = self.buffer.len() + parts.iter().map(|p| p.len()).sum::<usize>();
        let mut done = 0;
        while done < total {
            let mut slices = [IoSlice::new(&[]); 4];
            let mut skip = done;
            let all = [self.buffer.as_slice()].into_iter().chain(parts.iter().copied());
            for (slice, part) in slices.iter_mut().zip(all) {
                let part_skip = skip.min(part.len());
                skip -= part_skip;
                *slice = IoSlice::new(part.get(part_skip..).unwrap_or_default());
            }
            match self.output.write_vectored(&slices) {
                Ok(0) => return Err(self.give_up(done, io::ErrorKind::WriteZero.into())),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.give_up(done, error)),
            }
        }
        self.position += total as u64;
        self.buffer.clear();
        Ok(())
    }

    /// An error after `done` bytes: the file is cut behind the last whole tag. What could not be written is dropped.
    fn give_up(&mut self, done: usize, error: io::Error) -> io::Error {
        let whole = whole_tags(self.buffer.get(..done).unwrap_or(&self.buffer), self.position == 0);
        self.position += whole as u64;
        self.buffer.clear();
        if let Output::File(file) = &mut self.output {
            // The error at hand is the one that matters.
            let _ = file.set_len(self.position);
            let _ = file.seek(SeekFrom::Start(self.position));
        }
        error
    }
}

/// How many bytes of `bytes`, which begin at a tag (or at the file header), are whole tags.
fn whole_tags(bytes: &[u8], at_start: bool) -> usize {
    let mut at = if at_start { FILE_HEADER_BYTES } else { 0 };
    if at > bytes.len() {
        return 0;
    }
    while let Some(&[_, a, b, c]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let size = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let next = at + TAG_HEADER_BYTES + size + 4;
        if next > bytes.len() {
            break;
        }
        at = next;
    }
    at
}

/// Tags are gathered up to this much before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// From this size on a tag's data is written from where it lies.
const LARGE_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Takes a few bytes at a time, and no more than `room` in all.
    struct Narrow(Arc<Mutex<Vec<u8>>>, usize);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut out = self.0.lock().unwrap();
            let room = self.1 - out.len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(7).min(room);
            out.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn expected(tags: &[(u8, u32, Vec<u8>)]) -> Vec<u8> {
        let mut out = file_header(5).to_vec();
        for (kind, time, data) in tags {
            out.extend(tag_header(*kind, *time, data.len()));
            out.extend(data);
            out.extend(previous_tag_size(data.len()));
        }
        out
    }

    fn tags() -> Vec<(u8, u32, Vec<u8>)> {
        [0, 5, 1000, LARGE_BYTES, 3, LARGE_BYTES * 5, 17].iter().map(|n| (9, *n as u32, vec![*n as u8; *n])).collect()
    }

    #[test]
    fn short_writes_lose_nothing() {
        let out = Arc::new(Mutex::new(Vec::new()));
        let mut writer = Writer::new(Output::Stream(Box::new(Narrow(out.clone(), usize::MAX))), 0);
        writer.header(5).unwrap();
        for (kind, time, data) in tags() {
            writer.tag(kind, time, &data).unwrap();
        }
        writer.flush().unwrap();
        assert!(*out.lock().unwrap() == expected(&tags()));
        assert_eq!(writer.bytes(), out.lock().unwrap().len() as u64);
    }

    #[test]
    fn files_are_patched_in_place() {
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = Writer::new(Output::File(file.try_clone().unwrap()), 0);
        writer.header(0).unwrap();
        writer.tag(8, 1, b"a").unwrap();
        writer.patch(super::super::tag::FLAGS_OFFSET, &[5]).unwrap();
        writer.tag(8, 2, b"b").unwrap();
        writer.flush().unwrap();
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, expected(&[(8, 1, b"a".to_vec()), (8, 2, b"b".to_vec())]));
    }

    #[test]
    fn whole_tags_are_counted_at_every_cut() {
        let tags = [(8, 1, b"abc".to_vec()), (9, 2, vec![0; 300])];
        let bytes = expected(&tags);
        for end in 0..=bytes.len() {
            let whole = match end {
                0..13 => 0,
                13..31 => 13,
                _ if end < bytes.len() => 31,
                _ => bytes.len(),
            };
            assert_eq!(whole_tags(&bytes[..end], true), whole, "{end}");
        }
    }
}
