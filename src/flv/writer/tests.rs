use super::super::tag::tag_type::{AUDIO, SCRIPT, VIDEO};
use super::*;
use std::io::IoSlice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[test]
fn golden_file() {
    let (output, memory) = Output::memory();
    let mut writer = Writer::new(output);
    writer.file_header(FileHeader::new(true, true)).unwrap();
    assert_eq!(writer.tag(VIDEO, 0x0102_0304, &[0x17, 1, 0]).unwrap(), 13);
    assert_eq!(writer.tag(AUDIO, 23, &[]).unwrap(), 13 + 18);
    assert_eq!(writer.position(), 13 + 18 + 15);
    assert_eq!(memory.bytes(), b"", "gathered, not written");
    writer.flush().unwrap();
    let golden = [
        b"FLV\x01\x05\0\0\0\x09\0\0\0\0".as_slice(),
        &[9, 0, 0, 3, 2, 3, 4, 1, 0, 0, 0, 0x17, 1, 0, 0, 0, 0, 14],
        &[8, 0, 0, 0, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 11],
    ]
    .concat();
    assert_eq!(memory.bytes(), golden);
    assert_eq!((writer.written_bytes(), writer.write_calls()), (golden.len() as u64, 1));
}

/// Payload lengths around every threshold come out the same as tag by tag.
#[test]
fn every_size_is_written_whole_and_in_order() {
    let sizes = [0, 1, 8177, 8178, 65535, 65536, 65537, 200_000, 5, 524_272, 3, 1 << 20, 100];
    let (output, memory) = Output::memory_pipe();
    let mut writer = Writer::new(output);
    let mut expected = Vec::new();
    for (i, size) in sizes.into_iter().enumerate() {
        let payload = vec![i as u8; size];
        let header = TagHeader::new(SCRIPT, i as u32, size as u32);
        assert_eq!(writer.tag(SCRIPT, i as u32, &payload).unwrap(), expected.len() as u64);
        expected.extend_from_slice(&header.encode());
        expected.extend_from_slice(&payload);
        expected.extend_from_slice(&header.previous_tag_size().to_be_bytes());
    }
    writer.finish().unwrap();
    assert_eq!(memory.bytes(), expected);
}

#[test]
fn few_calls_under_load_and_one_buffer() {
    let (output, _memory) = Output::memory();
    let mut writer = Writer::new(output);
    let payload = [7; 1000];
    for i in 0..10_000 {
        writer.tag(VIDEO, i, &payload).unwrap();
    }
    assert!(writer.write_calls() < 200, "{} calls for 10 MB", writer.write_calls());
    writer.flush().unwrap();
    assert_eq!(writer.buffer.capacity(), BUFFER_BYTES);
}

#[test]
fn flushing_nothing_writes_nothing() {
    let calls = Arc::new(AtomicUsize::new(0));
    let mut writer = Writer::new(Output::stream(Counting(calls.clone(), Arc::default())));
    writer.flush().unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 0);
    writer.tag(AUDIO, 0, &[1]).unwrap();
    writer.flush().unwrap();
    writer.flush().unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_large_tag_takes_the_gathered_ones_along_in_one_call() {
    let calls = Arc::new(AtomicUsize::new(0));
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let mut writer = Writer::new(Output::stream(Counting(calls.clone(), bytes.clone())));
    writer.tag(AUDIO, 0, &[1; 10]).unwrap();
    writer.tag(VIDEO, 0, &[2; 100_000]).unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(bytes.lock().unwrap().len(), 25 + 100_015);
}

#[test]
fn a_full_disk_leaves_whole_tags() {
    let payload = [9; 100];
    let tag = payload.len() + TAG_OVERHEAD_BYTES;
    for capacity in (0..=13 + 5 * tag).step_by(7) {
        let (output, memory) = Output::memory_with_capacity(capacity);
        let mut writer = Writer::new(output);
        writer.file_header(FileHeader::new(false, true)).unwrap();
        for i in 0..6 {
            writer.tag(VIDEO, i, &payload).unwrap();
        }
        let error = writer.flush().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let expected = if capacity < 13 { 0 } else { 13 + (capacity - 13) / tag * tag };
        assert_eq!(memory.bytes().len(), expected, "capacity {capacity}");
        assert_eq!(writer.written_bytes(), expected as u64);
        assert!(writer.has_failed());
        assert!(writer.tag(VIDEO, 7, &payload).is_err());
        if expected > 5 {
            writer.patch(4, &[5]).unwrap();
            assert_eq!(memory.bytes()[4], 5, "what is there can still be patched");
        }
    }
}

#[test]
fn a_large_tag_on_a_full_disk_is_taken_back_whole() {
    let (output, memory) = Output::memory_with_capacity(13 + 25 + 50_000);
    let mut writer = Writer::new(output);
    writer.file_header(FileHeader::new(true, true)).unwrap();
    writer.tag(AUDIO, 0, &[1; 10]).unwrap();
    assert_eq!(writer.tag(VIDEO, 0, &[2; 100_000]).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(memory.bytes().len(), 13 + 25);
}

#[test]
fn a_closed_pipe_is_reported_as_such() {
    struct Closed;
    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut writer = Writer::new(Output::stream(Closed));
    writer.tag(AUDIO, 0, &[1]).unwrap();
    assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn patching_reaches_gathered_bytes_and_nothing_beyond() {
    let (output, memory) = Output::memory();
    let mut writer = Writer::new(output);
    writer.file_header(FileHeader::new(false, false)).unwrap();
    writer.patch(4, &[1]).unwrap();
    assert_eq!(memory.bytes()[4], 1);
    assert_eq!(writer.patch(13, &[1]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
}

#[derive(Debug)]
struct Counting(Arc<AtomicUsize>, Arc<Mutex<Vec<u8>>>);

impl io::Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let mut all = self.1.lock().unwrap();
        Ok(parts
            .iter()
            .map(|part| {
                all.extend_from_slice(part);
                part.len()
            })
            .sum())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
