//! A thread between the recorder and an output that has stood still, so that whoever receives need not wait for a disk or a
//! reader.
//!
//! ```text
//! output ── whole tags, patches, syncs ──► queue, bounded ──► thread ──► sink
//!    ◄───────────── the first error ───────────┘
//! ```
//!
//! What is handed over is copied, and small pieces are put together while they wait. When the queue is full, handing over
//! waits. A write that fails is cut back to whole tags here, where it is known how much of it got out; the error is what the
//! next call gets.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::tag::whole_tags;
use super::pipe::StreamSink;
use super::types::{RawSink, StopCheck, stopped};

/// The output's end of it.
#[derive(Debug)]
pub struct WriteThread {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    is_seekable: bool,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Bytes in the queue, and in what is being written.
    queued_bytes: usize,
    /// Bytes in the output, and jobs done.
    written: u64,
    done: u64,
    error: Option<io::Error>,
    /// Something failed: nothing more will be written.
    failed: bool,
    /// Nothing more will be handed over.
    ended: bool,
    /// Nothing more is to be waited for.
    abandoned: bool,
    /// The sink, before the thread has begun and after it has finished.
    sink: Option<Box<dyn RawSink>>,
}

#[derive(Debug)]
enum Job {
    /// Whole tags; the rest of one that a pipe did not take.
    Write(Vec<u8>),
    Patch(u64, Vec<u8>),
    Sync,
    CheckNotUnlinked,
}

impl WriteThread {
    /// Takes a sink over, in which there are `written` bytes. At most `capacity` bytes wait.
    ///
    /// # Errors
    /// There can be no thread: the sink comes back.
    pub fn new(sink: Box<dyn RawSink>, written: u64, capacity: usize) -> Result<Self, Box<dyn RawSink>> {
        let is_seekable = sink.is_seekable();
        let state = State { written, sink: Some(sink), ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let theirs = shared.clone();
        let run = move || {
            if let Some(mut sink) = theirs.take_sink() {
                work(&theirs, &mut *sink);
                theirs.lock().sink = Some(sink);
            }
        };
        match std::thread::Builder::new().name("write".to_owned()).stack_size(STACK_BYTES).spawn(run) {
            Ok(thread) => Ok(Self { shared, thread, is_seekable, capacity }),
            Err(_) => Err(shared.take_sink().unwrap_or_else(|| Box::new(StreamSink(io::sink())))),
        }
    }

    /// Whether the sink can be patched.
    pub fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    /// Hands over bytes. Waits while the queue is full, but not after `stop` says that it is enough.
    ///
    /// # Errors
    /// What went wrong with something handed over before.
    pub fn write(&self, parts: &[IoSlice<'_>], stop: &StopCheck) -> io::Result<()> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let mut state = self.room(bytes, stop)?;
        match state.queue.back_mut() {
            Some(Job::Write(waiting)) if waiting.len() + bytes <= PIECE_BYTES => {
                parts.iter().for_each(|part| waiting.extend_from_slice(part));
            }
            _ => {
                let mut piece = Vec::with_capacity(bytes.max(PIECE_BYTES));
                parts.iter().for_each(|part| piece.extend_from_slice(part));
                state.queue.push_back(Job::Write(piece));
            }
        }
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Hands over what is to be written over what is there. What waits to be written at the same place is left out.
    ///
    /// # Errors
    /// As [`WriteThread::write`].
    pub fn patch(&self, offset: u64, bytes: &[u8], stop: &StopCheck) -> io::Result<()> {
        let mut state = self.room(bytes.len(), stop)?;
        let mut freed = 0;
        state.queue.retain(|job| match job {
            Job::Patch(at, older) if *at == offset && older.len() <= bytes.len() => {
                freed += older.len();
                false
            }
            _ => true,
        });
        state.queued_bytes -= freed;
        state.queue.push_back(Job::Patch(offset, bytes.to_vec()));
        self.shared.changed.notify_all();
        Ok(())
    }

    /// What is there is to be brought to the disk, in its turn. One waiting sync is enough.
    ///
    /// # Errors
    /// What went wrong with something handed over before.
    pub fn sync(&self) -> io::Result<()> {
        self.push(Job::Sync, |job| matches!(job, Job::Sync))
    }

    /// It is to be looked whether the file still has a name.
    ///
    /// # Errors
    /// What went wrong with something handed over before.
    pub fn check_not_unlinked(&self) -> io::Result<()> {
        self.push(Job::CheckNotUnlinked, |job| matches!(job, Job::CheckNotUnlinked))
    }

    /// The first error, if there was one.
    ///
    /// # Errors
    /// That one.
    pub fn check(&self) -> io::Result<()> {
        check(&mut self.shared.lock())
    }

    /// Waits until everything is written and ends the thread. Gives the sink back, how many bytes are in it, and what went
    /// wrong. After `stop` says that it is enough, a stream gets `grace` in all, a file for each job; then the sink is lost.
    pub fn end(self, stop: &StopCheck, grace: Duration) -> (Option<Box<dyn RawSink>>, u64, io::Result<()>) {
        let mut state = self.shared.lock();
        state.ended = true;
        self.shared.changed.notify_all();
        let mut waited: Option<(Instant, u64)> = None;
        while !self.thread.is_finished() {
            state = self.shared.wait(state);
            if !stop() {
                continue;
            }
            let done = if self.is_seekable { state.done } else { 0 };
            if waited.is_none_or(|(_, before)| before != done) {
                waited = Some((Instant::now(), done));
            }
            if waited.is_some_and(|(since, _)| since.elapsed() >= grace) {
                state.abandoned = true;
                return (None, state.written, Err(stopped()));
            }
        }
        let error = state.error.take();
        (state.sink.take(), state.written, error.map_or(Ok(()), Err))
    }

    fn push(&self, job: Job, is_same: fn(&Job) -> bool) -> io::Result<()> {
        let mut state = self.shared.lock();
        check(&mut state)?;
        if !state.queue.iter().any(is_same) {
            state.queue.push_back(job);
            self.shared.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until there is room for `bytes`, and takes it. What is larger than the queue may come alone.
    fn room(&self, bytes: usize, stop: &StopCheck) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.shared.lock();
        check(&mut state)?;
        while state.queued_bytes > 0 && state.queued_bytes + bytes > self.capacity {
            state = self.shared.wait(state);
            check(&mut state)?;
            if state.queued_bytes + bytes > self.capacity && stop() {
                return Err(stopped());
            }
        }
        state.queued_bytes += bytes;
        Ok(state)
    }
}

fn check(state: &mut State) -> io::Result<()> {
    if !state.failed {
        return Ok(());
    }
    Err(state.error.take().unwrap_or_else(|| io::Error::other("an earlier write of this file failed")))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change, not for ever: there may be a reason to stop.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, CHECK_INTERVAL).unwrap_or_else(PoisonError::into_inner).0
    }

    fn take_sink(&self) -> Option<Box<dyn RawSink>> {
        self.lock().sink.take()
    }

    /// The next thing to do; `None`: nothing more comes.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            match state.queue.pop_front() {
                _ if state.abandoned => return None,
                Some(job) => return Some(job),
                None if state.ended => return None,
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// The thread: until nothing more comes, or something fails.
fn work(shared: &Shared, sink: &mut dyn RawSink) {
    while let Some(job) = shared.next() {
        let (bytes, result) = match &job {
            Job::Write(tags) => (tags.len(), write_tags(shared, sink, tags)),
            Job::Patch(offset, bytes) => (bytes.len(), sink.patch(*offset, bytes)),
            Job::Sync => (0, sink.sync()),
            Job::CheckNotUnlinked => (0, sink.check_not_unlinked()),
        };
        let mut state = shared.lock();
        state.queued_bytes -= bytes;
        state.done += 1;
        if let Err(error) = result {
            state.error = Some(error);
            state.failed = true;
            state.queue.clear();
            return;
        }
        shared.changed.notify_all();
    }
}

/// Writes tags; of those that do not fit, none is left in part where the sink can be cut.
fn write_tags(shared: &Shared, sink: &mut dyn RawSink, tags: &[u8]) -> io::Result<()> {
    let before = shared.lock().written;
    let mut done = 0;
    let result = write_all(shared, sink, tags, &mut done).and_then(|()| sink.flush());
    if result.is_err() {
        let whole = whole_tags(tags, done, before == 0);
        // Where cutting fails as well, the error that led here is the one to report.
        if sink.is_seekable() && sink.truncate(before + whole as u64).is_ok() {
            done = whole;
        }
    }
    shared.lock().written = before + done as u64;
    result
}

fn write_all(shared: &Shared, sink: &mut dyn RawSink, bytes: &[u8], done: &mut usize) -> io::Result<()> {
    while let Some(rest) = bytes.get(*done..).filter(|rest| !rest.is_empty()) {
        match sink.write_vectored(&[IoSlice::new(rest)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => *done += written,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                while !sink.wait_writable(CHECK_INTERVAL)? {
                    if shared.lock().abandoned {
                        return Err(stopped());
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("queued_bytes", &self.queued_bytes).finish_non_exhaustive()
    }
}

/// Small pieces that wait are put together up to this size.
const PIECE_BYTES: usize = 64 << 10;

/// How often a wait asks whether to stop.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Stack of the thread, which makes system calls and little else.
const STACK_BYTES: usize = 64 << 10;
