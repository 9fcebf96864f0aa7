//! The way out: straight to the sink, and by a thread once the sink has stood still.
//!
//! ```text
//! whole tags ──► write_vectored ──► sink               while writes return at once
//!            └─► bounded queue ──► thread ──► sink     from the first write on that took longer than SLOW
//! ```
//!
//! A thread for every output would cost 1.85 times rtmpdump's processor time at 500 live streams into pipes, and a third of
//! the throughput at full speed; without one a disk that stands still for seconds would make the server drop the connection.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::index::{Index, restore};
use super::super::tag::whole_tags;
use super::file::{FileSink, lock};
use super::memory::Memory;
use super::pipe::{PipeSink, StreamSink};
use super::thread::WriteThread;
use super::types::{RawSink, StopCheck, stopped};

/// Where an FLV is written to.
pub struct Output {
    way: Way,
    /// Bytes that are out, or have been handed to the thread.
    written: u64,
    /// What may wait for a thread; 0: writes wait for the output themselves.
    queue_bytes: usize,
    stop: StopCheck,
    /// When the stop check was first found to say that it is enough.
    stopped_at: Option<Instant>,
    /// It was given up then, and something that was to be written is not.
    gave_up: bool,
}

enum Way {
    Straight(Box<dyn RawSink>),
    Thread(WriteThread),
    /// Given up while a thread had it.
    Lost,
}

impl Output {
    /// An output to this sink, which is at its beginning.
    pub fn new(sink: impl RawSink + 'static) -> Self {
        Self {
            way: Way::Straight(Box::new(sink)),
            written: 0,
            queue_bytes: 0,
            stop: Arc::new(|| false),
            stopped_at: None,
            gave_up: false,
        }
    }

    /// An open file: patchable when it is a regular one, which no other program may be writing to; else a pipe or device.
    ///
    /// # Errors
    /// Those of the system; `ResourceBusy` if another recorder has the file.
    pub fn from_file(file: File) -> io::Result<Self> {
        if !file.metadata()?.is_file() {
            return Ok(Self::pipe(file));
        }
        lock(&file)?;
        Ok(Self::new(FileSink::new(file)))
    }

    /// An open pipe, or anything that is to be written to as one.
    pub fn pipe(file: File) -> Self {
        Self::new(PipeSink::new(file))
    }

    /// A writer of any kind, which is not patched.
    pub fn stream(writer: impl Write + Send + 'static) -> Self {
        Self::new(StreamSink(writer))
    }

    /// Memory that behaves as a regular file, and a handle to look at it.
    pub fn memory() -> (Self, Memory) {
        Self::memory_with_capacity(usize::MAX)
    }

    /// The same as a file on a disk with room for `capacity` bytes only.
    pub fn memory_with_capacity(capacity: usize) -> (Self, Memory) {
        let memory = Memory::file(capacity);
        (Self::new(memory.clone()), memory)
    }

    /// Memory that behaves as a pipe, and a handle to look at it.
    pub fn memory_pipe() -> (Self, Memory) {
        let memory = Memory::pipe();
        (Self::new(memory.clone()), memory)
    }

    /// A place where bytes disappear.
    pub fn nothing() -> Self {
        Self::stream(io::sink())
    }

    /// Lets a thread take over once the output has stood still: `bytes` may then wait for it. 0: no thread, a write waits for
    /// the output.
    pub fn set_queue(&mut self, bytes: usize) {
        self.queue_bytes = bytes;
    }

    /// Gives waits for the output up, some time after `stop` says so.
    pub fn stop_when(&mut self, stop: StopCheck) {
        self.stop = stop;
    }

    /// Says that `length` bytes of whole tags are in it already; its position must be behind them.
    pub fn continue_after(&mut self, length: u64) {
        self.written = length;
    }

    /// Fails if the output was given up with something still to be written to it, see [`Output::stop_when`].
    ///
    /// # Errors
    /// One that [`is_stopped`](super::is_stopped) knows.
    pub fn check_not_given_up(&self) -> io::Result<()> {
        if self.gave_up { Err(stopped()) } else { Ok(()) }
    }

    /// Bytes that are in the output, or will be unless it fails.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether [`Output::patch`] works.
    pub fn is_seekable(&self) -> bool {
        match &self.way {
            Way::Straight(sink) => sink.is_seekable(),
            Way::Thread(thread) => thread.is_seekable(),
            Way::Lost => false,
        }
    }

    /// Writes `gathered`, which are whole tags (or the file header), and one tag in three parts, which may be empty. If that
    /// fails, a seekable output is cut to its last whole tag; [`Output::written`] then says how long it is.
    ///
    /// # Errors
    /// Those of the sink, also of something that a thread was to write before; see [`is_stopped`](super::is_stopped).
    pub fn write(&mut self, gathered: &[u8], tag: [&[u8]; 3]) -> io::Result<()> {
        let began = Instant::now();
        let before = self.written;
        let [header, payload, trailer] = tag;
        let mut parts = [gathered, header, payload, trailer].map(IoSlice::new);
        let result = self.write_parts(&mut parts, began);
        match result {
            Ok(()) if began.elapsed() >= SLOW => self.hand_over(),
            Ok(()) => {}
            Err(_) => self.cut_torn_tag(before, gathered),
        }
        result
    }

    fn write_parts(&mut self, mut parts: &mut [IoSlice<'_>], began: Instant) -> io::Result<()> {
        // Empty parts would make a write of nothing look like a full disk.
        IoSlice::advance_slices(&mut parts, 0);
        if matches!(&self.way, Way::Straight(sink) if sink.blocks()) {
            self.hand_over();
        }
        while !parts.is_empty() {
            let sink = match &mut self.way {
                Way::Straight(sink) => sink,
                Way::Thread(_) => return self.enqueue(parts),
                Way::Lost => return Err(stopped()),
            };
            match sink.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.written += written as u64;
                    IoSlice::advance_slices(&mut parts, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            // What did not take all of it is full.
            if !parts.is_empty() {
                self.wait_writable(began)?;
            }
        }
        Ok(())
    }

    /// Waits for a sink that is full: hands it over once that has taken long, if there may be a thread.
    fn wait_writable(&mut self, began: Instant) -> io::Result<()> {
        loop {
            let Way::Straight(sink) = &self.way else { return Ok(()) };
            if sink.wait_writable(SLOW)? {
                return Ok(());
            }
            if self.queue_bytes > 0 && began.elapsed() >= SLOW {
                self.hand_over();
            } else {
                self.check_stop()?;
            }
        }
    }

    /// Whether waiting is still worth it.
    fn check_stop(&mut self) -> io::Result<()> {
        if !(self.stop)() {
            return Ok(());
        }
        let since = *self.stopped_at.get_or_insert_with(Instant::now);
        if since.elapsed() < STREAM_GRACE {
            return Ok(());
        }
        self.gave_up = true;
        Err(stopped())
    }

    fn enqueue(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let result = self.on_thread(|thread, stop| thread.write(parts, stop));
        if result.is_ok() {
            self.written += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        }
        result
    }

    /// Has the thread do something. One that has failed is ended, and what it has written is what there is.
    fn on_thread(&mut self, act: impl FnOnce(&WriteThread, &StopCheck) -> io::Result<()>) -> io::Result<()> {
        let Way::Thread(thread) = &self.way else { return Err(stopped()) };
        let result = act(thread, &self.stop);
        if result.is_err() {
            // The error is the thread's own, or that of a wait for it.
            let _ = self.drain();
        }
        result
    }

    /// From now on a thread writes. Where none can be made, nothing changes.
    fn hand_over(&mut self) {
        let sink = match std::mem::replace(&mut self.way, Way::Lost) {
            Way::Straight(sink) => sink,
            way => {
                self.way = way;
                return;
            }
        };
        self.way = if self.queue_bytes == 0 && !sink.blocks() {
            Way::Straight(sink)
        } else {
            match WriteThread::new(sink, self.written, self.queue_bytes.max(LEAST_QUEUE_BYTES)) {
                Ok(thread) => Way::Thread(thread),
                Err(sink) => Way::Straight(sink),
            }
        };
    }

    /// Waits until a thread has written everything that was handed to it, and ends it.
    ///
    /// # Errors
    /// What went wrong with it; in a seekable output there are whole tags.
    pub fn drain(&mut self) -> io::Result<()> {
        let thread = match std::mem::replace(&mut self.way, Way::Lost) {
            Way::Thread(thread) => thread,
            way => {
                self.way = way;
                return Ok(());
            }
        };
        let grace = if thread.is_seekable() { FILE_GRACE } else { STREAM_GRACE };
        let (sink, written, result) = thread.end(&self.stop, grace);
        self.written = written;
        self.gave_up |= sink.is_none();
        self.way = sink.map_or(Way::Lost, Way::Straight);
        result
    }

    /// Overwrites `bytes` at `offset`, which must lie within what was written; the place for the next write stays.
    ///
    /// # Errors
    /// As [`Output::write`]; `Unsupported` unless it is seekable.
    pub fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match &mut self.way {
            Way::Straight(sink) => sink.patch(offset, bytes),
            _ => self.on_thread(|thread, stop| thread.patch(offset, bytes, stop)),
        }
    }

    /// Reads the index of a seekable output again from its tags. `None`: it has none, or cannot be read.
    pub fn read_index(&mut self) -> Option<Index> {
        let Way::Straight(sink) = &mut self.way else { return None };
        restore(&mut sink.reader()?, self.written).ok().flatten().map(|(index, _)| index)
    }

    /// Hands on what the sink has in a buffer of its own.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Straight(sink) => sink.flush(),
            _ => self.on_thread(|thread, _| thread.check()),
        }
    }

    /// Has a regular file's bytes brought to the disk. That takes long, so a thread does it if there may be one.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub fn sync(&mut self) -> io::Result<()> {
        if self.is_seekable() {
            self.hand_over();
        }
        match &mut self.way {
            Way::Straight(sink) => sink.sync(),
            _ => self.on_thread(|thread, _| thread.sync()),
        }
    }

    /// Looks whether a regular file still has a name.
    ///
    /// # Errors
    /// As [`Output::write`]; `NotFound` if it was deleted.
    pub fn check_not_unlinked(&mut self) -> io::Result<()> {
        match &mut self.way {
            Way::Straight(sink) => sink.check_not_unlinked(),
            _ => self.on_thread(|thread, _| thread.check_not_unlinked()),
        }
    }

    /// After a failed write: takes the torn tag back where the sink can be cut. A thread has done so itself.
    fn cut_torn_tag(&mut self, before: u64, gathered: &[u8]) {
        let (Way::Straight(sink), Some(done)) = (&mut self.way, self.written.checked_sub(before)) else { return };
        let whole = before + whole_tags(gathered, done as usize, before == 0) as u64;
        // Nothing more can be done when cutting fails as well: the error that led here is the one to report.
        if sink.is_seekable() && sink.truncate(whole).is_ok() {
            self.written = whole;
        }
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = match &self.way {
            Way::Straight(_) => "straight",
            Way::Thread(_) => "thread",
            Way::Lost => "lost",
        };
        f.debug_struct("Output").field("way", &way).field("written", &self.written).finish_non_exhaustive()
    }
}

/// A write that took longer has stood still.
const SLOW: Duration = Duration::from_millis(50);
/// The queue where waiting was asked for and the sink cannot be waited for otherwise.
const LEAST_QUEUE_BYTES: usize = 256 << 10;
/// When it is to stop, a reader gets so much more time in all.
const STREAM_GRACE: Duration = Duration::from_millis(500);
/// A disk gets so much more time for each step: what has been received is worth it.
const FILE_GRACE: Duration = Duration::from_secs(10);

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
