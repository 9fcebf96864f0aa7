//! What an output is made of, and when waiting for a slow one ends.

use std::io::{self, IoSlice, Read, Seek};
use std::sync::Arc;
use std::time::Duration;

/// A place for bytes.
pub trait RawSink: Send {
    /// Writes as [`std::io::Write::write_vectored`] does. `WouldBlock`: it takes nothing now, see
    /// [`RawSink::wait_writable`].
    ///
    /// # Errors
    /// Those of the system.
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Waits at most `timeout` until it takes bytes. `false`: it does not yet.
    ///
    /// # Errors
    /// Those of the system.
    fn wait_writable(&self, _timeout: Duration) -> io::Result<bool> {
        Ok(true)
    }

    /// Whether a write can wait for a reader, so that it must not be made by a thread that has other things to do.
    fn blocks(&self) -> bool {
        false
    }

    /// Hands on what it holds in a buffer of its own.
    ///
    /// # Errors
    /// Those of the system.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Whether [`RawSink::patch`] and [`RawSink::truncate`] work.
    fn is_seekable(&self) -> bool {
        false
    }

    /// Overwrites `bytes` at `offset`, within what was written; the place of the next write stays.
    ///
    /// # Errors
    /// Those of the system; `Unsupported` where it is not seekable.
    fn patch(&mut self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Cuts it to `length` bytes; the next write goes there.
    ///
    /// # Errors
    /// Those of the system; `Unsupported` where it is not seekable.
    fn truncate(&mut self, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Reads what was written, if that is possible.
    fn reader(&mut self) -> Option<Box<dyn ReadSeek + '_>> {
        None
    }

    /// Waits until a regular file's bytes are on the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Whether a regular file still has a name. A deleted one takes bytes as before and loses them when it is closed.
    ///
    /// # Errors
    /// `NotFound` if it was deleted.
    fn check_not_unlinked(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A source of bytes with random access.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Says when waiting for a slow output is to end: after a signal, at the end of the time that the user gave.
pub type StopCheck = Arc<dyn Fn() -> bool + Send + Sync>;

/// An output that took no more when its time was over.
#[derive(Debug, thiserror::Error)]
#[error("it did not take all of the data before the recording was stopped")]
struct Stopped;

/// The error for it.
pub(super) fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, Stopped)
}

/// Whether an error says that an output was given up because a [`StopCheck`] said so, not because it failed.
pub fn is_stopped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|source| source.is::<Stopped>())
}
