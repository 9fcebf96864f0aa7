//! Bytes in memory, for tests and previews.

use std::io::{self, Cursor, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::types::{RawSink, ReadSeek};

/// Bytes in memory, shared between the output and whoever looks at them.
#[derive(Debug, Clone)]
pub struct Memory {
    bytes: Arc<Mutex<Vec<u8>>>,
    is_seekable: bool,
    capacity: usize,
}

impl Memory {
    /// Behaves as a file on a disk with room for `capacity` bytes.
    pub fn file(capacity: usize) -> Self {
        Self { bytes: Arc::default(), is_seekable: true, capacity }
    }

    /// Behaves as a pipe that is read at once.
    pub fn pipe() -> Self {
        Self { bytes: Arc::default(), is_seekable: false, capacity: usize::MAX }
    }

    /// A copy of what was written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_seekable(&self) -> io::Result<()> {
        if self.is_seekable { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
    }
}

impl RawSink for Memory {
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut bytes = self.lock();
        let mut written = 0;
        for part in parts {
            let room = self.capacity.saturating_sub(bytes.len());
            let taken = part.get(..room).unwrap_or(part);
            bytes.extend_from_slice(taken);
            written += taken.len();
            if taken.len() < part.len() {
                break;
            }
        }
        if written == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(written) }
    }

    fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    fn patch(&mut self, offset: u64, patch: &[u8]) -> io::Result<()> {
        self.check_seekable()?;
        let start = offset as usize;
        match self.lock().get_mut(start..start.saturating_add(patch.len())) {
            Some(place) => place.copy_from_slice(patch),
            None => return Err(io::ErrorKind::InvalidInput.into()),
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.check_seekable()?;
        self.lock().truncate(length as usize);
        Ok(())
    }

    fn reader(&mut self) -> Option<Box<dyn ReadSeek + '_>> {
        self.is_seekable.then(|| Box::new(Cursor::new(self.bytes())) as Box<dyn ReadSeek>)
    }
}
