//! One recording a file.

use std::fs::{File, TryLockError};
use std::io;

/// Keeps other recordings from writing to the file.
///
/// # Errors
/// One writes to it.
pub(super) fn lock_output(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another rtmpcat is writing to this file")),
        // Not every file system has locks.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_recording_is_refused_until_the_first_is_over() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let open = || File::options().write(true).open(path.path()).unwrap();
        let first = open();
        lock_output(&first).unwrap();
        assert!(lock_output(&open()).unwrap_err().to_string().contains("another rtmpcat"));
        drop(first);
        lock_output(&open()).unwrap();
    }
}
