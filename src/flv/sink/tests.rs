use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use super::*;
use crate::flv::sink::is_stopped;
use crate::flv::tag::tag_type::VIDEO;
use crate::flv::tag::{TAG_OVERHEAD_BYTES, previous_tag_size, tag_header};

fn tag(size: usize) -> Vec<u8> {
    [&tag_header(VIDEO, 0, size)[..], &vec![7; size], &previous_tag_size(size)].concat()
}

fn write(output: &mut Output, bytes: &[u8]) -> io::Result<()> {
    output.write(bytes, [&[]; 3])
}

/// A sink that is full until it is allowed to take one more write each time.
struct Gate {
    allowed: Mutex<Receiver<()>>,
    is_open: AtomicBool,
    memory: Memory,
    syncs: Arc<Mutex<u32>>,
}

impl Gate {
    fn new(is_file: bool) -> (Sender<()>, Memory, Arc<Mutex<u32>>, Self) {
        let (allow, allowed) = mpsc::channel();
        let memory = if is_file { Memory::file(usize::MAX) } else { Memory::pipe() };
        let syncs = Arc::default();
        let gate = Self {
            allowed: Mutex::new(allowed),
            is_open: AtomicBool::new(false),
            memory: memory.clone(),
            syncs: Arc::clone(&syncs),
        };
        (allow, memory, syncs, gate)
    }
}

impl RawSink for Gate {
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.is_open.swap(false, Ordering::Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.memory.write_vectored(parts)
    }

    fn wait_writable(&self, timeout: Duration) -> io::Result<bool> {
        match self.allowed.lock().unwrap().recv_timeout(timeout) {
            Ok(()) => self.is_open.store(true, Ordering::Relaxed),
            Err(mpsc::RecvTimeoutError::Timeout) => return Ok(false),
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        Ok(true)
    }

    fn is_seekable(&self) -> bool {
        self.memory.is_seekable()
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.memory.patch(offset, bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.memory.truncate(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        *self.syncs.lock().unwrap() += 1;
        Ok(())
    }
}

#[test]
fn a_healthy_output_has_no_thread() {
    let (mut output, memory) = Output::memory();
    output.set_queue(1 << 20);
    for size in [0, 1, 1000, 100_000] {
        output.write(&tag(3), [&tag_header(VIDEO, 0, size), &vec![1; size], &previous_tag_size(size)]).unwrap();
    }
    assert!(matches!(output.way, Way::Straight(_)));
    assert_eq!(output.written(), memory.bytes().len() as u64);
}

#[test]
fn a_thread_takes_over_once_the_output_stands_still_and_stays() {
    let (allow, memory, _, gate) = Gate::new(true);
    let mut output = Output::new(gate);
    output.set_queue(10 * tag(1000).len());
    let mut expected = Vec::new();
    for size in [1000, 10, 999] {
        write(&mut output, &tag(size)).unwrap();
        expected.extend(tag(size));
    }
    assert!(matches!(output.way, Way::Thread(_)));
    output.patch(1, b"xyz").unwrap();
    expected[1..4].copy_from_slice(b"xyz");
    (0..20).for_each(|_| allow.send(()).unwrap());
    write(&mut output, &tag(5)).unwrap();
    expected.extend(tag(5));
    assert!(matches!(output.way, Way::Thread(_)));
    output.drain().unwrap();
    assert!(memory.bytes() == expected);
    assert_eq!(output.written(), expected.len() as u64);
}

#[test]
fn a_full_queue_waits_until_it_is_to_stop() {
    for is_file in [true, false] {
        let (allow, memory, _, gate) = Gate::new(is_file);
        let mut output = Output::new(gate);
        output.set_queue(LEAST_QUEUE_BYTES);
        let stop = Arc::new(AtomicBool::new(false));
        let check = Arc::clone(&stop);
        output.stop_when(Arc::new(move || check.load(Ordering::Relaxed)));
        for _ in 0..4 {
            write(&mut output, &tag(60_000)).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        if is_file {
            // The disk is back when it is to stop: all that was taken is saved.
            (0..20).for_each(|_| allow.send(()).unwrap());
            let result = write(&mut output, &tag(60_000));
            assert!(result.is_ok() || is_stopped(&result.unwrap_err()));
            output.drain().unwrap();
            output.check_not_given_up().unwrap();
            assert_eq!(memory.bytes().len() as u64, output.written());
        } else {
            assert!(is_stopped(&write(&mut output, &tag(60_000)).unwrap_err()));
            assert!(is_stopped(&output.check_not_given_up().unwrap_err()));
            assert_eq!((memory.bytes().len(), output.written()), (0, 0));
        }
    }
}

#[test]
fn without_a_queue_a_write_waits_for_the_reader_or_the_stop() {
    let (allow, memory, _, gate) = Gate::new(false);
    let mut output = Output::new(gate);
    let later = std::thread::spawn(move || {
        std::thread::sleep(2 * SLOW);
        allow.send(()).unwrap();
        allow
    });
    write(&mut output, b"abc").unwrap();
    assert_eq!(memory.bytes(), b"abc");
    let _allow = later.join().unwrap();
    output.stop_when(Arc::new(|| true));
    assert!(is_stopped(&write(&mut output, b"def").unwrap_err()));
    assert!(matches!(output.way, Way::Straight(_)));
}

#[test]
fn one_waiting_sync_and_one_patch_of_a_place_are_enough() {
    let (allow, memory, syncs, gate) = Gate::new(true);
    let mut output = Output::new(gate);
    output.set_queue(1 << 20);
    write(&mut output, &tag(1000)).unwrap();
    for round in 0..100 {
        output.patch(4, &[round; 500]).unwrap();
        output.patch(2, &[round]).unwrap();
        output.sync().unwrap();
    }
    allow.send(()).unwrap();
    output.drain().unwrap();
    assert_eq!(*syncs.lock().unwrap(), 1);
    assert_eq!((memory.bytes()[2], &memory.bytes()[4..504]), (99, &[99; 500][..]));
}

#[test]
fn a_sync_is_made_by_a_thread_where_there_may_be_one() {
    for queue_bytes in [0, 1 << 20] {
        let (mut output, memory) = Output::memory();
        output.set_queue(queue_bytes);
        write(&mut output, &tag(10)).unwrap();
        output.sync().unwrap();
        assert_eq!(matches!(output.way, Way::Thread(_)), queue_bytes > 0);
        output.drain().unwrap();
        assert_eq!(memory.bytes(), tag(10));
    }
}

#[test]
fn a_full_disk_leaves_whole_tags_with_and_without_a_thread() {
    let one = tag(100).len();
    for with_thread in [false, true] {
        for capacity in (0..3 * one).step_by(9) {
            let (mut output, memory) = Output::memory_with_capacity(capacity);
            output.continue_after(0);
            output.set_queue(1 << 20);
            if with_thread {
                output.hand_over();
            }
            // Not the beginning of a file: that has a header.
            let tags = [&[0; 13][..], &tag(100), &tag(100)].concat();
            let result = write(&mut output, &tags).and_then(|()| write(&mut output, &tag(100))).and(output.drain());
            let whole = if capacity < 13 { 0 } else { 13 + (capacity - 13) / one * one };
            let kind = result.err().map(|error| error.kind());
            assert!(kind.is_none_or(|kind| kind == io::ErrorKind::StorageFull), "{kind:?}");
            assert_eq!((memory.bytes().len(), output.written()), (whole, whole as u64), "{capacity} {with_thread}");
            if whole > 0 {
                output.patch(0, b"z").unwrap();
            }
        }
    }
}

#[test]
fn the_error_of_a_thread_is_that_of_the_next_call() {
    let (allow, _, _, gate) = Gate::new(false);
    let mut output = Output::new(gate);
    output.set_queue(1 << 20);
    write(&mut output, &tag(80)).unwrap();
    drop(allow);
    let error = loop {
        if let Err(error) = write(&mut output, &tag(80)) {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(output.written(), 0);
}

#[test]
fn a_regular_file_can_be_patched_and_is_cut_when_it_fails() {
    let mut file = tempfile::tempfile().unwrap();
    let mut output = Output::from_file(file.try_clone().unwrap()).unwrap();
    assert!(output.is_seekable());
    output.write(b"hello ", [b"world", b"", b""]).unwrap();
    output.patch(0, b"J").unwrap();
    write(&mut output, b"!!").unwrap();
    output.sync().unwrap();
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), output.written()), ("Jello world!!", 13));
}

#[test]
fn a_file_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.flv");
    let never: StopCheck = Arc::new(|| false);
    let mut first = crate::flv::sink::create(&path, &never).unwrap();
    write(&mut first, b"kept").unwrap();
    for second in [
        crate::flv::sink::create(&path, &never).map(drop),
        crate::flv::sink::reopen(&path, 4, 2).map(drop),
        Output::from_file(File::options().write(true).open(&path).unwrap()).map(drop),
    ] {
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"kept");
    drop(first);
    crate::flv::sink::reopen(&path, 4, 2).unwrap();
    assert!(crate::flv::sink::reopen(&path, 4, 2).is_err(), "its length is another");
    assert_eq!(std::fs::read(&path).unwrap(), b"ke");
    crate::flv::sink::create(&path, &never).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"");
}

#[test]
fn a_deleted_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.flv");
    for queue_bytes in [0, 1 << 20] {
        let mut output = crate::flv::sink::create(&path, &(Arc::new(|| false) as StopCheck)).unwrap();
        output.set_queue(queue_bytes);
        output.check_not_unlinked().unwrap();
        output.sync().unwrap();
        std::fs::remove_file(&path).unwrap();
        let result = output.check_not_unlinked().and_then(|()| output.drain());
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn a_device_is_written_to_as_a_pipe_is() {
    let null = File::options().write(true).open("/dev/null").unwrap();
    let mut output = Output::from_file(null).unwrap();
    output.set_queue(1 << 20);
    write(&mut output, b"x").unwrap();
    assert!(!output.is_seekable() && matches!(output.way, Way::Straight(_)));
    assert_eq!(output.patch(0, b"x").unwrap_err().kind(), io::ErrorKind::Unsupported);
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
            self.0.extend(bytes.first());
            Ok(1)
        }
        fn flush(&mut self) -> io::Result<()> {
            if self.0 == b"abcdef" { Ok(()) } else { Err(io::Error::other(format!("{:?}", self.0))) }
        }
    }
    let mut output = Output::stream(Trickle(Vec::new(), 0));
    output.write(b"abc", [b"d", b"e", b"f"]).unwrap();
    output.flush().unwrap();
}

#[cfg(target_os = "linux")]
mod pipes {
    use super::*;
    use rustix::fs::{OFlags, fcntl_getfl};
    use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
    use std::os::fd::{AsFd, OwnedFd};

    fn pipe() -> (io::PipeReader, File, Output) {
        let (reader, writer) = io::pipe().unwrap();
        let writer = File::from(OwnedFd::from(writer));
        let output = Output::from_file(writer.try_clone().unwrap()).unwrap();
        (reader, writer, output)
    }

    #[test]
    fn a_pipe_that_is_not_read_does_not_keep_the_writer() {
        let (mut reader, writer, mut output) = pipe();
        output.set_queue(4 << 20);
        let bytes: Vec<u8> = (0..2_000_000u32).map(|i| (i / 7) as u8).collect();
        for piece in bytes.chunks(100_000) {
            write(&mut output, piece).unwrap();
        }
        assert!(matches!(output.way, Way::Thread(_)));
        // What others see of the pipe is as it was.
        assert!(!fcntl_getfl(&writer).unwrap().contains(OFlags::NONBLOCK));
        drop(writer);
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        output.drain().unwrap();
        drop(output);
        assert!(reading.join().unwrap() == bytes);
    }

    #[test]
    fn a_pipe_that_was_set_not_to_block_is_waited_for() {
        let (mut reader, writer, _) = pipe();
        rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let mut output = Output::pipe(writer);
        let bytes = vec![5; 3_000_000];
        let length = bytes.len();
        let reading = std::thread::spawn(move || {
            let mut all = vec![0; length];
            reader.read_exact(&mut all).unwrap();
            all
        });
        write(&mut output, &bytes).unwrap();
        assert!(reading.join().unwrap() == bytes);
    }

    #[test]
    fn a_socket_that_is_not_read_is_left_to_a_thread() {
        let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let file = File::from(writer.as_fd().try_clone_to_owned().unwrap());
        let mut output = Output::from_file(file).unwrap();
        output.stop_when(Arc::new(|| true));
        for _ in 0..100 {
            if let Err(error) = write(&mut output, &tag(100_000)) {
                assert!(is_stopped(&error), "{error}");
                assert!(is_stopped(&output.check_not_given_up().unwrap_err()));
                drop(reader);
                return;
            }
        }
        panic!("a socket holds 10 MB");
    }

    #[test]
    fn a_reader_that_is_gone_is_an_error() {
        let (reader, _writer, mut output) = pipe();
        drop(reader);
        assert_eq!(write(&mut output, b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_named_pipe_is_waited_for_until_it_is_to_stop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = crate::flv::sink::create(&path, &(Arc::new(|| true) as StopCheck)).unwrap_err();
        assert!(is_stopped(&error));
        let place = path.clone();
        let reading = std::thread::spawn(move || std::fs::read(place).unwrap());
        let mut output = crate::flv::sink::create(&path, &(Arc::new(|| false) as StopCheck)).unwrap();
        write(&mut output, b"through").unwrap();
        drop(output);
        assert_eq!(reading.join().unwrap(), b"through");
    }

    #[test]
    fn a_pipe_holds_more_once_much_is_written_and_never_less() {
        let (reader, writer, mut output) = pipe();
        let at_first = fcntl_getpipe_size(&writer).unwrap();
        write(&mut output, &[1; 1_000]).unwrap();
        assert_eq!(fcntl_getpipe_size(&writer).unwrap(), at_first);
        // It is not read, so this does not return unless there is room.
        output.write(&[2; 11], [&[3; 64 << 10], &[], &[]]).unwrap();
        assert_eq!((fcntl_getpipe_size(&writer).unwrap(), output.written()), (256 << 10, 1_011 + (64 << 10)));
        drop(reader);

        let (_reader, writer, mut output) = pipe();
        fcntl_setpipe_size(&writer, 512 << 10).unwrap();
        write(&mut output, &[0; 64 << 10]).unwrap();
        assert_eq!(fcntl_getpipe_size(&writer).unwrap(), 512 << 10);
    }
}

#[test]
fn tags_are_whole_or_not() {
    let tags = [&[0; 13][..], &tag(10), &tag(0)].concat();
    let first = 13 + 10 + TAG_OVERHEAD_BYTES;
    for length in 0..=tags.len() {
        let expected = match length {
            0..13 => 0,
            _ if length < first => 13,
            _ if length < tags.len() => first,
            _ => length,
        };
        assert_eq!(whole_tags(&tags, length, true), expected, "{length}");
    }
}
