//! Writing behind: a thread between the recorder and an output that may be slow, so that whoever receives need not stand
//! still when a disk or a reader does.
//!
//! ```text
//! writer ── whole tags, patches, syncs ──► queue, bounded ──► thread ──► output
//!    ◄───────────── the first error ───────────┘
//! ```
//!
//! What is handed over is copied, and small pieces are put together while they wait. When the queue is full, handing over
//! waits; while the output moves, already when little of it is: a stream at full speed must not fill a queue that is there for
//! a disk that stands still. A write that fails is cut back to whole tags here, where it is known how much of it got out; the error is what the
//! next call of the writer gets.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::output::Output;
use super::tag::TagHeader;

/// The writer's end of it.
#[derive(Debug)]
pub struct Behind {
    shared: Arc<Shared>,
    thread: JoinHandle<(Output, u64)>,
    seekable: bool,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Job>,
    /// Bytes in the queue, and in what is being written.
    bytes: usize,
    /// Most of them at any time.
    #[cfg(test)]
    peak: usize,
    /// The thread waits for something to do; so many wait for room. Nobody else need be woken.
    idle: bool,
    waiting: usize,
    /// The output stands still: the whole queue may be filled, until it is empty again.
    stalled: bool,
    error: Option<io::Error>,
    /// Something failed: nothing more will be written.
    failed: bool,
    /// Nothing more will be handed over.
    ended: bool,
    /// An emptied buffer, to be filled again.
    spare: Vec<u8>,
}

#[derive(Debug)]
enum Job {
    /// Whole tags.
    Write(Vec<u8>),
    Patch(u64, Vec<u8>),
    Sync,
    CheckName,
}

impl Behind {
    /// Takes an output over, of which `written` bytes are there, whole tags all of them. At most `capacity` bytes are held.
    ///
    /// # Errors
    /// There can be no thread: the output comes back.
    pub fn new(output: Output, written: u64, capacity: usize) -> Result<Self, Output> {
        let shared = Arc::new(Shared::default());
        let seekable = output.is_seekable();
        // Where no thread can be made, the output must not be lost with it.
        let place = Arc::new(Mutex::new(Some(output)));
        let (theirs, other) = (shared.clone(), place.clone());
        let run = move || {
            let output = other.lock().unwrap_or_else(PoisonError::into_inner).take();
            output.map_or((Output::nothing(), written), |output| work(&theirs, output, written))
        };
        match std::thread::Builder::new().name("write".to_owned()).stack_size(STACK_BYTES).spawn(run) {
            Ok(thread) => Ok(Self { shared, thread, seekable, capacity }),
            Err(_) => Err(place.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(Output::nothing)),
        }
    }

    /// Whether the output behind can be patched.
    pub fn is_seekable(&self) -> bool {
        self.seekable
    }

    /// Hands over `parts`, which are whole tags. Waits while the queue is full.
    ///
    /// # Errors
    /// What went wrong with something handed over before.
    pub fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        let mut state = self.room(bytes)?;
        let mut spare = std::mem::take(&mut state.spare);
        let buffer = match state.queue.back_mut() {
            Some(Job::Write(waiting)) if waiting.len() + bytes <= GATHERED_BYTES => waiting,
            _ => {
                spare.clear();
                state.queue.push_back(Job::Write(std::mem::take(&mut spare)));
                match state.queue.back_mut() {
                    Some(Job::Write(new)) => new,
                    _ => return Ok(()),
                }
            }
        };
        parts.iter().for_each(|part| buffer.extend_from_slice(part));
        if spare.capacity() > 0 {
            state.spare = spare;
        }
        self.wake(&state);
        Ok(())
    }

    /// Hands over what is to be written over what is there.
    ///
    /// # Errors
    /// As [`Behind::write`].
    pub fn patch(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.push(Job::Patch(offset, bytes.to_vec()), bytes.len())
    }

    /// What is there is to be brought to the disk, in its turn.
    ///
    /// # Errors
    /// As [`Behind::write`].
    pub fn sync(&self) -> io::Result<()> {
        self.push(Job::Sync, 0)
    }

    /// It is to be looked after whether the file still has a name, see [`Output::has_name`].
    ///
    /// # Errors
    /// As [`Behind::write`].
    pub fn check_name(&self) -> io::Result<()> {
        self.push(Job::CheckName, 0)
    }

    /// The first error, if there was one.
    ///
    /// # Errors
    /// That one.
    pub fn check(&self) -> io::Result<()> {
        self.shared.lock().error.take().map_or(Ok(()), Err)
    }

    /// Waits until everything is written and ends the thread. Gives the output back, how many bytes are in it, and what went
    /// wrong.
    pub fn end(self) -> (Output, u64, io::Result<()>) {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
        let (output, written) = match self.thread.join() {
            Ok(returned) => returned,
            // It cannot panic; if it did, nothing is known about the output.
            Err(_) => (Output::nothing(), 0),
        };
        let result = self.shared.lock().error.take().map_or(Ok(()), Err);
        (output, written, result)
    }

    fn push(&self, job: Job, bytes: usize) -> io::Result<()> {
        let mut state = self.room(bytes)?;
        state.queue.push_back(job);
        self.wake(&state);
        Ok(())
    }

    /// There is something to do.
    fn wake(&self, state: &State) {
        if state.idle {
            self.shared.changed.notify_all();
        }
    }

    /// Waits until there is room for `bytes`, and takes it.
    fn room(&self, bytes: usize) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.shared.lock();
        // What is larger than the queue may come alone.
        while !state.failed && state.bytes > 0 && state.bytes + bytes > self.capacity.min(MOVING_BYTES) {
            if state.bytes + bytes > self.capacity {
                state.waiting += 1;
                state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
                continue;
            }
            if state.stalled {
                break;
            }
            let before = state.bytes;
            state.waiting += 1;
            let (woken, waited) =
                self.shared.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.waiting -= 1;
            state.stalled |= waited.timed_out() && state.bytes == before;
        }
        if state.failed {
            let gone = || io::Error::other("an earlier write of this file failed");
            return Err(state.error.take().unwrap_or_else(gone));
        }
        state.bytes += bytes;
        #[cfg(test)]
        {
            state.peak = state.peak.max(state.bytes);
        }
        Ok(state)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread: until nothing more comes, or something fails.
fn work(shared: &Shared, mut output: Output, mut written: u64) -> (Output, u64) {
    loop {
        let mut state = shared.lock();
        let job = loop {
            match state.queue.pop_front() {
                Some(job) => break job,
                None if state.ended => return (output, written),
                None => {
                    state.idle = true;
                    state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.idle = false;
                }
            }
        };
        drop(state);
        let result = match &job {
            Job::Write(bytes) => write_whole(&mut output, bytes, &mut written),
            Job::Patch(offset, bytes) => output.patch(*offset, bytes),
            Job::Sync => output.sync(),
            Job::CheckName => output.has_name(),
        };
        let mut state = shared.lock();
        match job {
            Job::Write(bytes) => {
                state.bytes -= bytes.len();
                if bytes.capacity() <= GATHERED_BYTES {
                    state.spare = bytes;
                }
            }
            Job::Patch(_, bytes) => state.bytes -= bytes.len(),
            Job::Sync | Job::CheckName => {}
        }
        state.stalled &= state.bytes > 0;
        if let Err(error) = result {
            state.error = Some(error);
            state.failed = true;
            state.queue.clear();
            state.bytes = 0;
            shared.changed.notify_all();
            return (output, written);
        }
        if state.waiting > 0 {
            shared.changed.notify_all();
        }
    }
}

/// Writes tags; of those that do not fit, none is left in part where the output can be cut.
fn write_whole(output: &mut Output, tags: &[u8], written: &mut u64) -> io::Result<()> {
    let mut done = 0;
    let result = output.write_all(&mut [IoSlice::new(tags)], &mut done).and_then(|()| output.flush());
    if result.is_err() {
        let mut whole = 0;
        while let Some(header) = tags.get(whole..).and_then(TagHeader::decode_from) {
            let next = whole + header.total_bytes();
            if next > done {
                break;
            }
            whole = next;
        }
        // Where cutting fails as well, the error that led here is the one to report.
        let cut = output.is_seekable() && output.truncate(*written + whole as u64).is_ok();
        done = if cut { whole } else { done };
    }
    *written += done as u64;
    result
}

/// Small pieces that wait are put together up to this size.
const GATHERED_BYTES: usize = 256 << 10;

/// What may wait while the output moves.
const MOVING_BYTES: usize = 1 << 20;

/// An output that finishes no write for so long stands still.
const PATIENCE: Duration = Duration::from_millis(200);

/// Stack of the thread, which makes system calls and little else.
const STACK_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::super::output::Memory;
    use super::super::tag::tag_type::VIDEO;
    use super::super::tag::{previous_tag_size, tag_header};
    use super::*;
    use std::io::Write;
    use std::sync::mpsc;

    fn tag(size: usize) -> Vec<u8> {
        [&tag_header(VIDEO, 0, size)[..], &vec![7; size], &previous_tag_size(size)].concat()
    }

    /// Takes nothing until it is allowed to, one write each time.
    struct Gate(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_of_it_arrives_in_order_patches_included() {
        let (output, memory) = Output::memory();
        let behind = Behind::new(output, 0, 10_000).unwrap();
        let mut expected = Vec::new();
        for size in (0..300).chain([20_000, 3]) {
            let tag = tag(size);
            behind.write(&[IoSlice::new(&tag[..5]), IoSlice::new(&tag[5..])]).unwrap();
            expected.extend_from_slice(&tag);
        }
        behind.patch(1, b"xyz").unwrap();
        expected[1..4].copy_from_slice(b"xyz");
        behind.sync().unwrap();
        let (_, written, result) = behind.end();
        result.unwrap();
        assert_eq!(written, expected.len() as u64);
        assert!(memory.bytes() == expected);
    }

    #[test]
    fn a_slow_output_holds_nobody_up_until_the_queue_is_full() {
        let (allow, gate) = mpsc::channel();
        let got = Arc::new(Mutex::new(Vec::new()));
        let output = Output::Stream(Box::new(Gate(gate, got.clone())));
        let behind = Arc::new(Behind::new(output, 0, 10 * tag(1000).len()).unwrap());
        for _ in 0..10 {
            behind.write(&[IoSlice::new(&tag(1000))]).unwrap();
        }
        let (sender, done) = mpsc::channel();
        let other = behind.clone();
        let eleventh = std::thread::spawn(move || {
            other.write(&[IoSlice::new(&tag(1000))]).unwrap();
            sender.send(()).unwrap();
        });
        assert!(done.recv_timeout(std::time::Duration::from_millis(50)).is_err(), "back-pressure");
        (0..20).for_each(|_| allow.send(()).unwrap());
        done.recv().unwrap();
        eleventh.join().unwrap();
        let (_, written, result) = Arc::into_inner(behind).unwrap().end();
        result.unwrap();
        assert_eq!(written, 11 * tag(1000).len() as u64);
        assert!(*got.lock().unwrap() == tag(1000).repeat(11));
    }

    #[test]
    fn only_an_output_that_stands_still_fills_the_queue() {
        let (output, memory) = Output::memory();
        let behind = Behind::new(output, 0, 16 << 20).unwrap();
        let tags = tag(64 << 10);
        (0..256).for_each(|_| behind.write(&[IoSlice::new(&tags)]).unwrap());
        let peak = behind.shared.lock().peak;
        assert!(peak <= MOVING_BYTES, "{peak} bytes waited");
        behind.end().2.unwrap();
        assert!(memory.bytes() == tags.repeat(256));

        let (allow, gate) = mpsc::channel();
        let got = Arc::new(Mutex::new(Vec::new()));
        let behind = Behind::new(Output::Stream(Box::new(Gate(gate, got.clone()))), 0, 4 << 20).unwrap();
        // Nobody opens the gate: this comes back because there is room.
        (0..48).for_each(|_| behind.write(&[IoSlice::new(&tags)]).unwrap());
        assert!(behind.shared.lock().stalled);
        (0..48).for_each(|_| allow.send(()).unwrap());
        behind.end().2.unwrap();
        assert!(*got.lock().unwrap() == tags.repeat(48));
    }

    #[test]
    fn a_full_disk_leaves_whole_tags_and_tells_the_next_caller() {
        for capacity in (0..3 * tag(100).len()).step_by(9) {
            let (output, memory) = Memory::with_capacity(capacity);
            let behind = Behind::new(output, 0, 1 << 20).unwrap();
            let tags = tag(100).repeat(2);
            let _ = behind.write(&[IoSlice::new(&tags)]).and_then(|()| behind.write(&[IoSlice::new(&tags)]));
            let (mut output, written, result) = behind.end();
            let kind = result.err().map(|error| error.kind());
            assert!(kind.is_none_or(|kind| kind == io::ErrorKind::StorageFull));
            assert_eq!(written as usize, capacity / tag(100).len() * tag(100).len());
            assert_eq!(memory.bytes().len() as u64, written);
            if written > 0 {
                output.patch(0, b"z").unwrap();
            }
        }
    }

    #[test]
    fn whoever_waits_for_room_learns_of_the_failure() {
        let (allow, gate) = mpsc::channel::<()>();
        let output = Output::Stream(Box::new(Gate(gate, Arc::default())));
        let behind = Behind::new(output, 0, 100).unwrap();
        behind.write(&[IoSlice::new(&tag(80))]).unwrap();
        drop(allow);
        assert_eq!(behind.write(&[IoSlice::new(&tag(80))]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(behind.write(&[IoSlice::new(&tag(80))]).is_err());
    }
}
