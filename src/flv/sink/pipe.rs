//! Pipes, and whatever else only takes bytes in order: terminals, sockets, devices, files that the shell opened.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::time::Duration;

use super::types::RawSink;

/// A pipe, or what is written to as one. A pipe gets an open file description of its own that does not block, so that whoever
/// writes is never kept by a reader that does not read; that of the shell is shared with other programs and stays as it is.
#[derive(Debug)]
pub struct PipeSink {
    file: File,
    blocks: bool,
    /// It was seen whether it can hold more.
    is_sized: bool,
}

impl PipeSink {
    /// Takes over an open file that is not to be patched.
    pub fn new(file: File) -> Self {
        let file = without_blocking(file);
        Self { blocks: can_block(&file), file, is_sized: false }
    }

    /// Who writes much at once is held up by a pipe that holds little, and so is the reader: they take turns instead of
    /// working at the same time. What is written slowly needs no more, and the system has a limit for all pipes of a user.
    #[cold]
    fn make_room(&mut self) {
        self.is_sized = true;
        #[cfg(target_os = "linux")]
        if rustix::pipe::fcntl_getpipe_size(&self.file).is_ok_and(|bytes| bytes < PIPE_BYTES) {
            // Refused where the user has many such pipes: then it is slower.
            let _ = rustix::pipe::fcntl_setpipe_size(&self.file, PIPE_BYTES);
        }
    }
}

impl RawSink for PipeSink {
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.is_sized && parts.iter().map(|part| part.len()).sum::<usize>() >= MUCH_AT_ONCE {
            self.make_room();
        }
        self.file.write_vectored(parts)
    }

    fn wait_writable(&self, timeout: Duration) -> io::Result<bool> {
        wait_writable(&self.file, timeout)
    }

    fn blocks(&self) -> bool {
        self.blocks
    }
}

/// A writer of any kind, for tests and for what is not to be saved.
#[derive(Debug)]
pub struct StreamSink<W>(pub W);

impl<W: Write + Send> RawSink for StreamSink<W> {
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Opens a pipe once more, for writing without blocking. Anything else, and a pipe that cannot be opened, stays as it is.
#[cfg(target_os = "linux")]
fn without_blocking(file: File) -> File {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    if !file.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo()) {
        return file;
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    File::options().write(true).custom_flags(flags).open(path).unwrap_or(file)
}

#[cfg(not(target_os = "linux"))]
fn without_blocking(file: File) -> File {
    file
}

#[cfg(unix)]
fn can_block(file: &File) -> bool {
    use std::io::IsTerminal;
    use std::os::unix::fs::FileTypeExt;
    let is_quick = file.metadata().is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_file() || kind.is_block_device() || (kind.is_char_device() && !file.is_terminal())
    });
    !is_quick && !rustix::fs::fcntl_getfl(file).is_ok_and(|flags| flags.contains(rustix::fs::OFlags::NONBLOCK))
}

#[cfg(not(unix))]
fn can_block(_: &File) -> bool {
    true
}

#[cfg(unix)]
fn wait_writable(file: &File, timeout: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
    match poll(&mut [PollFd::new(file, PollFlags::OUT)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn wait_writable(_: &File, _: Duration) -> io::Result<bool> {
    Ok(true)
}

/// As much as a pipe usually holds.
const MUCH_AT_ONCE: usize = 64 << 10;
/// What a pipe is to hold then.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 256 << 10;
