//! Where an FLV goes: a regular file, which can be patched, or something that only takes bytes, such as a pipe.

use std::fs::File;
use std::io::{self, Cursor, IoSlice, Write};
use std::sync::{Arc, Mutex, PoisonError};

use super::behind::Behind;
use super::index::{Index, restore};

/// A place for bytes.
pub enum Output {
    /// A regular file, written from its beginning, not opened for appending. Can be patched and truncated.
    File(File),
    /// A pipe, a terminal, a device, anything else: bytes only go forward.
    Stream(Box<dyn Write + Send>),
    /// Bytes in memory, for tests and previews.
    Memory(Memory),
    /// Any of these behind a thread, which takes whole tags.
    Behind(Behind),
}

impl Output {
    /// An open file: patchable when it is a regular one, else a stream (a FIFO or `/dev/stdout`).
    pub fn from_file(file: File) -> io::Result<Self> {
        if file.metadata()?.is_file() { Ok(Output::File(file)) } else { Ok(Output::Stream(Box::new(Pipe::new(file)))) }
    }

    /// Standard output, without the line buffering of [`std::io::stdout`]. Always a stream: what stands in a file that the
    /// shell opened, or whether it appends, is not ours to know.
    pub fn stdout() -> io::Result<Self> {
        Ok(Output::Stream(Box::new(Pipe::new(raw_stdout()?))))
    }

    /// Memory that behaves as a regular file, and a handle to look at it.
    pub fn memory() -> (Self, Memory) {
        let memory = Memory { bytes: Arc::default(), seekable: true, capacity: usize::MAX };
        (Output::Memory(memory.clone()), memory)
    }

    /// Memory that behaves as a pipe, and a handle to look at it.
    pub fn memory_pipe() -> (Self, Memory) {
        let memory = Memory { bytes: Arc::default(), seekable: false, capacity: usize::MAX };
        (Output::Memory(memory.clone()), memory)
    }

    /// A place where bytes disappear.
    pub fn nothing() -> Self {
        Output::Stream(Box::new(io::sink()))
    }

    /// Whether [`Output::patch`] and [`Output::truncate`] work.
    pub fn is_seekable(&self) -> bool {
        match self {
            Output::File(_) => true,
            Output::Stream(_) => false,
            Output::Memory(memory) => memory.seekable,
            Output::Behind(behind) => behind.is_seekable(),
        }
    }

    /// Writes all of `parts`, in order. `done` counts the bytes that got out, also when an error ends it half-way; an
    /// interrupted call is made again.
    pub fn write_all(&mut self, parts: &mut [IoSlice<'_>], done: &mut usize) -> io::Result<()> {
        let mut parts = parts;
        // Empty parts would make a write of nothing look like a full disk.
        IoSlice::advance_slices(&mut parts, 0);
        if let Output::Behind(behind) = self {
            behind.write(parts)?;
            *done += parts.iter().map(|part| part.len()).sum::<usize>();
            return Ok(());
        }
        while !parts.is_empty() {
            let written = match self {
                Output::File(file) => file.write_vectored(parts),
                Output::Stream(stream) => stream.write_vectored(parts),
                Output::Memory(memory) => memory.write_vectored(parts),
                Output::Behind(_) => return Err(io::ErrorKind::Unsupported.into()),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    *done += n;
                    IoSlice::advance_slices(&mut parts, n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Overwrites `bytes` at `offset`, which must lie within what was written; the place for the next write stays.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::File(file) => patch_file(file, offset, bytes),
            Output::Stream(_) => Err(io::ErrorKind::Unsupported.into()),
            Output::Memory(memory) => memory.patch(offset, bytes),
            Output::Behind(behind) => behind.patch(offset, bytes),
        }
    }

    /// Cuts the file to `length` bytes; the next write goes there. What is behind a thread is not cut from here.
    pub fn truncate(&mut self, length: u64) -> io::Result<()> {
        match self {
            Output::File(file) => {
                file.set_len(length)?;
                io::Seek::seek(file, io::SeekFrom::Start(length)).map(drop)
            }
            Output::Stream(_) | Output::Behind(_) => Err(io::ErrorKind::Unsupported.into()),
            Output::Memory(memory) => memory.truncate(length),
        }
    }

    /// Reads the index of a regular file of `length` bytes anew from its tags. `None`: it has none, or cannot be read.
    pub fn read_index(&mut self, length: u64) -> Option<Index> {
        let restored = match self {
            Output::File(file) => restore(file, length),
            Output::Memory(memory) => restore(&mut Cursor::new(memory.bytes()), length),
            Output::Stream(_) | Output::Behind(_) => return None,
        };
        restored.ok().flatten().map(|(index, _)| index)
    }

    /// Hands buffered bytes of a stream on, if it has a buffer of its own.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::File(_) | Output::Memory(_) => Ok(()),
            Output::Stream(stream) => stream.flush(),
            Output::Behind(behind) => behind.check(),
        }
    }

    /// Waits until a regular file's bytes are on the disk; behind a thread, has it done in its turn.
    pub fn sync(&mut self) -> io::Result<()> {
        match self {
            Output::File(file) => file.sync_data(),
            Output::Stream(_) | Output::Memory(_) => Ok(()),
            Output::Behind(behind) => behind.sync(),
        }
    }

    /// Looks whether a regular file can still be found by anybody. One that was deleted, or its folder with it, takes bytes
    /// as before, and loses them all when it is closed.
    ///
    /// # Errors
    /// It was deleted.
    pub fn has_name(&mut self) -> io::Result<()> {
        match self {
            Output::File(file) if is_deleted(file) => {
                Err(io::Error::new(io::ErrorKind::NotFound, "the file was deleted while it was being written"))
            }
            Output::Behind(behind) => behind.check_name(),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Output::File(_) => "Output::File",
            Output::Stream(_) => "Output::Stream",
            Output::Memory(_) => "Output::Memory",
            Output::Behind(_) => "Output::Behind",
        })
    }
}

/// Bytes in memory, shared between the output and whoever looks at them.
#[derive(Debug, Clone)]
pub struct Memory {
    bytes: Arc<Mutex<Vec<u8>>>,
    seekable: bool,
    capacity: usize,
}

impl Memory {
    /// A file on a disk with room for `capacity` bytes only, as an output and the handle to look at it.
    pub fn with_capacity(capacity: usize) -> (Output, Memory) {
        let memory = Memory { bytes: Arc::default(), seekable: true, capacity };
        (Output::Memory(memory.clone()), memory)
    }

    /// A copy of what was written so far.
    pub fn bytes(&self) -> Vec<u8> {
        self.locked().clone()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut bytes = self.locked();
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

    fn patch(&mut self, offset: u64, patch: &[u8]) -> io::Result<()> {
        if !self.seekable {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let start = offset as usize;
        match self.locked().get_mut(start..start.saturating_add(patch.len())) {
            Some(place) => place.copy_from_slice(patch),
            None => return Err(io::ErrorKind::InvalidInput.into()),
        }
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if !self.seekable {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.locked().truncate(length as usize);
        Ok(())
    }
}

#[cfg(unix)]
fn is_deleted(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

#[cfg(not(unix))]
fn is_deleted(_: &File) -> bool {
    // There a file that is open cannot be deleted.
    false
}

#[cfg(unix)]
fn patch_file(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn patch_file(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};
    let here = file.stream_position()?;
    file.seek(SeekFrom::Start(offset))?;
    let result = file.write_all(bytes);
    file.seek(SeekFrom::Start(here))?;
    result
}

#[cfg(unix)]
pub(crate) fn raw_stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

#[cfg(windows)]
pub(crate) fn raw_stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

/// A pipe, or what is written to as one.
struct Pipe {
    file: File,
    /// It was seen whether it can hold more.
    is_sized: bool,
}

impl Pipe {
    fn new(file: File) -> Self {
        Self { file, is_sized: false }
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

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.is_sized && parts.iter().map(|part| part.len()).sum::<usize>() >= MUCH_AT_ONCE {
            self.make_room();
        }
        self.file.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// As much as a pipe usually holds.
const MUCH_AT_ONCE: usize = 64 << 10;
/// What a pipe is to hold then.
#[cfg(target_os = "linux")]
const PIPE_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_regular_file_can_be_patched_and_cut_without_losing_its_place() {
        let mut file = tempfile::tempfile().unwrap();
        let mut output = Output::from_file(file.try_clone().unwrap()).unwrap();
        assert!(output.is_seekable());
        let mut done = 0;
        output.write_all(&mut [IoSlice::new(b"hello "), IoSlice::new(b""), IoSlice::new(b"world")], &mut done).unwrap();
        output.patch(0, b"J").unwrap();
        output.write_all(&mut [IoSlice::new(b"!!")], &mut done).unwrap();
        assert_eq!(done, 13);
        output.truncate(5).unwrap();
        output.write_all(&mut [IoSlice::new(b"o")], &mut done).unwrap();
        output.sync().unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "Jelloo");
    }

    #[test]
    fn a_device_is_a_stream() {
        let null = File::options().write(true).open("/dev/null").unwrap();
        let mut output = Output::from_file(null).unwrap();
        assert!(!output.is_seekable());
        assert_eq!(output.patch(0, b"x").unwrap_err().kind(), io::ErrorKind::Unsupported);
        assert_eq!(output.truncate(0).unwrap_err().kind(), io::ErrorKind::Unsupported);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_pipe_holds_more_once_much_is_written_and_never_less() {
        use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
        let (_reader, writer) = io::pipe().unwrap();
        let at_first = fcntl_getpipe_size(&writer).unwrap();
        let mut output =
            Output::from_file(File::from(std::os::fd::OwnedFd::from(writer.try_clone().unwrap()))).unwrap();
        let mut done = 0;
        output.write_all(&mut [IoSlice::new(&[1; 1_000])], &mut done).unwrap();
        assert_eq!(fcntl_getpipe_size(&writer).unwrap(), at_first);
        // Nobody reads, so it would not return if there were no room.
        output.write_all(&mut [IoSlice::new(&[2; 11]), IoSlice::new(&[3; MUCH_AT_ONCE])], &mut done).unwrap();
        assert_eq!((fcntl_getpipe_size(&writer).unwrap(), done), (PIPE_BYTES, 1_011 + MUCH_AT_ONCE));

        let (_reader, writer) = io::pipe().unwrap();
        fcntl_setpipe_size(&writer, 2 * PIPE_BYTES).unwrap();
        let mut output =
            Output::from_file(File::from(std::os::fd::OwnedFd::from(writer.try_clone().unwrap()))).unwrap();
        output.write_all(&mut [IoSlice::new(&[0; MUCH_AT_ONCE])], &mut done).unwrap();
        assert_eq!(fcntl_getpipe_size(&writer).unwrap(), 2 * PIPE_BYTES);
    }

    #[test]
    fn interruptions_and_short_writes_are_overcome() {
        struct Trickle(Vec<u8>, u32);
        impl Write for Trickle {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 += 1;
                if self.1.is_multiple_of(2) {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                self.0.extend_from_slice(&bytes[..1]);
                Ok(1)
            }
            fn flush(&mut self) -> io::Result<()> {
                if self.0 == b"abcdef" { Ok(()) } else { Err(io::Error::other(format!("{:?}", self.0))) }
            }
        }
        let mut output = Output::Stream(Box::new(Trickle(Vec::new(), 0)));
        let mut done = 0;
        output.write_all(&mut [IoSlice::new(b"abc"), IoSlice::new(b"def")], &mut done).unwrap();
        assert_eq!(done, 6);
        output.flush().unwrap();
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let (mut output, memory) = Memory::with_capacity(4);
        let mut done = 0;
        let error = output.write_all(&mut [IoSlice::new(b"abc"), IoSlice::new(b"def")], &mut done).unwrap_err();
        assert_eq!((error.kind(), done), (io::ErrorKind::StorageFull, 4));
        assert_eq!(memory.bytes(), b"abcd");
    }
}
