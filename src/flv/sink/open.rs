//! Opening what a recording goes to.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
use std::path::Path;

use super::file::lock;
use super::output::Output;
use super::types::StopCheck;
#[cfg(unix)]
use super::types::stopped;

/// Opens `path` to be written from its beginning: a regular file is created or emptied, unless another program is writing to
/// it; a named pipe is waited for until it has a reader or `stop` says that it is enough.
///
/// # Errors
/// Those of the system; `ResourceBusy` if another recorder has the file. It is not touched then.
pub fn create(path: &Path, stop: &StopCheck) -> io::Result<Output> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => open_special(path, &metadata, stop),
        _ => {
            // To be read as well, to look what is in it after a failed write.
            let options = || File::options().write(true).create(true).truncate(false).clone();
            let file = match options().read(true).open(path) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => options().open(path)?,
                result => result?,
            };
            lock(&file)?;
            file.set_len(0)?;
            Output::from_file(file)
        }
    }
}

/// Opens the regular file `path`, which has `length` bytes, cuts it to `end` and stands there.
///
/// # Errors
/// Those of the system; also if its length is another, or another program is writing to it. It is not touched then.
pub fn reopen(path: &Path, length: u64, end: u64) -> io::Result<Output> {
    let mut file = File::options().read(true).write(true).open(path)?;
    lock(&file)?;
    if file.metadata()?.len() != length {
        return Err(io::Error::other("the file was modified by another process"));
    }
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end))?;
    Output::from_file(file)
}

/// Standard output, without the line buffering of [`std::io::stdout`]. Never patched: whether the shell opened a file, what is
/// in it and whether it appends is not known.
///
/// A program started with standard output closed (`>&-`) writes to the null device: the runtime of Rust opens it in its
/// place, for reading and writing, as Python's `subprocess.DEVNULL` does, so that the two cannot be told apart.
///
/// # Errors
/// Those of the system.
pub fn stdout() -> io::Result<Output> {
    raw_stdout().map(Output::pipe)
}

/// A handle of its own for standard output.
///
/// # Errors
/// Those of the system.
#[cfg(unix)]
pub fn raw_stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// A handle of its own for standard output.
///
/// # Errors
/// Those of the system.
#[cfg(windows)]
pub fn raw_stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

#[cfg(unix)]
fn open_special(path: &Path, metadata: &fs::Metadata, stop: &StopCheck) -> io::Result<Output> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    let mut options = File::options();
    options.write(true);
    if !metadata.file_type().is_fifo() {
        return Output::from_file(options.open(path)?);
    }
    // Without a reader, opening it for writing either blocks or is refused.
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    loop {
        match options.open(path) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {}
            result => return Output::from_file(result?),
        }
        if stop() {
            return Err(stopped());
        }
        std::thread::sleep(READER_POLL);
    }
}

#[cfg(not(unix))]
fn open_special(path: &Path, _: &fs::Metadata, _: &StopCheck) -> io::Result<Output> {
    Output::from_file(File::options().write(true).open(path)?)
}

/// How often it is tried whether a named pipe has a reader.
#[cfg(unix)]
const READER_POLL: std::time::Duration = std::time::Duration::from_millis(50);
