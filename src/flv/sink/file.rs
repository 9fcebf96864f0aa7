//! A regular file.

use std::fs::File;
use std::io::{self, IoSlice, Seek, SeekFrom, Write};

use super::types::{RawSink, ReadSeek};

/// A regular file, written from its present position on, not opened for appending.
#[derive(Debug)]
pub struct FileSink(File);

impl FileSink {
    /// Takes over an open file.
    pub fn new(file: File) -> Self {
        Self(file)
    }
}

impl RawSink for FileSink {
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(parts)
    }

    fn is_seekable(&self) -> bool {
        true
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        patch(&mut self.0, offset, bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)?;
        self.0.seek(SeekFrom::Start(length)).map(drop)
    }

    fn reader(&mut self) -> Option<Box<dyn ReadSeek + '_>> {
        Some(Box::new(&mut self.0))
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn check_not_unlinked(&self) -> io::Result<()> {
        if is_unlinked(&self.0) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was deleted while it was being written"));
        }
        Ok(())
    }
}

/// Has the file for this program alone, as far as programs that lock go. Lost with the file handle.
///
/// # Errors
/// `ResourceBusy` if another program has it.
pub fn lock(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    if let Err(rustix::io::Errno::WOULDBLOCK) =
        // File systems without locks refuse in other ways.
        rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
    {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another rtmpcat is writing to this file"));
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

#[cfg(unix)]
fn is_unlinked(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

#[cfg(not(unix))]
fn is_unlinked(_: &File) -> bool {
    // There a file that is open cannot be deleted.
    false
}

#[cfg(unix)]
fn patch(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn patch(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let position = file.stream_position()?;
    file.seek(SeekFrom::Start(offset))?;
    let result = file.write_all(bytes);
    file.seek(SeekFrom::Start(position))?;
    result
}
