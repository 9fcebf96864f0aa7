use super::*;
use crate::flv::sink::Output;
use crate::flv::tag::tag_type::{AUDIO, SCRIPT, SCRIPT_AMF3, VIDEO};
use crate::flv::writer::Writer;
use proptest::prelude::*;

type Owned = (u64, u8, u32, Vec<u8>);

fn file(tags: &[(u8, u32, Vec<u8>)]) -> Vec<u8> {
    let (output, memory) = Output::memory();
    let mut writer = Writer::new(output);
    writer.file_header(FileHeader::new(true, true)).unwrap();
    for (tag_type, timestamp, payload) in tags {
        writer.tag(*tag_type, *timestamp, payload).unwrap();
    }
    writer.finish().unwrap();
    memory.bytes()
}

fn sample() -> Vec<u8> {
    file(&[
        (SCRIPT, 0, b"\x02\0\x0aonMetaData".to_vec()),
        (VIDEO, 0, vec![0x17, 0, 0, 0, 0, 1, 2, 3]),
        (AUDIO, 0x0102_0304, vec![0xaf, 1, 9]),
        (SCRIPT_AMF3, 7, vec![0, 1]),
        (VIDEO, 40, vec![]),
    ])
}

fn walk(bytes: &[u8]) -> (Vec<Owned>, Vec<Fault>) {
    let mut reader = Reader::new(bytes);
    collect(&mut reader)
}

fn collect<R: Read>(reader: &mut Reader<R>) -> (Vec<Owned>, Vec<Fault>) {
    let (mut tags, mut faults) = (Vec::new(), Vec::new());
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Tag(tag) => tags.push((tag.offset, tag.tag_type(), tag.timestamp_ms(), tag.payload.to_vec())),
            Item::Fault(fault) => faults.push(fault),
        }
    }
    (tags, faults)
}

#[test]
fn a_sound_file_has_its_tags_and_no_faults() {
    let bytes = sample();
    let (tags, faults) = walk(&bytes);
    assert_eq!(faults, []);
    assert_eq!(tags.len(), 5);
    assert_eq!(tags[1], (13 + 28, VIDEO, 0, vec![0x17, 0, 0, 0, 0, 1, 2, 3]));
    assert_eq!(tags[2].2, 0x0102_0304);
    let mut reader = Reader::new(bytes.as_slice());
    let mut end = 13;
    while let Some(tag) = reader.next_tag().unwrap() {
        assert_eq!(tag.offset, end);
        end = tag.end();
    }
    assert_eq!(end, bytes.len() as u64);
    assert_eq!(reader.header(), Some(FileHeader::new(true, true)));
}

#[test]
fn reading_can_begin_at_a_tag() {
    let bytes = sample();
    let mut reader = Reader::at_tag(&bytes[41..], 41);
    let (tags, faults) = collect(&mut reader);
    assert_eq!((tags.len(), tags[0].0, faults.len()), (4, 41, 0));
}

#[test]
fn every_truncation_keeps_the_whole_tags_and_says_where_it_tore() {
    let bytes = sample();
    let (all, _) = walk(&bytes);
    for cut in 0..bytes.len() {
        let (tags, faults) = walk(&bytes[..cut]);
        let expected =
            all.iter().take_while(|tag| tag.0 + (TAG_HEADER_BYTES + tag.3.len()) as u64 <= cut as u64).count();
        assert_eq!(tags, all[..expected], "cut at {cut}");
        let on_boundary = cut == 13 || all.iter().any(|tag| tag.0 + (15 + tag.3.len()) as u64 == cut as u64);
        assert_eq!(faults.is_empty(), on_boundary, "cut at {cut}: {faults:?}");
        assert!(faults.iter().all(|fault| fault.offset <= cut as u64));
    }
}

#[test]
fn a_torn_tag_is_measured() {
    let bytes = sample();
    let (_, faults) = walk(&bytes[..41 + 11 + 2]);
    let kind = FaultKind::Truncated { present: 13, expected: Some(23) };
    assert_eq!(faults, [Fault { offset: 41, kind }]);
    let (_, faults) = walk(&bytes[..41 + 4]);
    assert_eq!(faults, [Fault { offset: 41, kind: FaultKind::Truncated { present: 4, expected: None } }]);
    let (tags, faults) = walk(&bytes[..bytes.len() - 1]);
    assert_eq!(tags.len(), 5);
    assert_eq!(faults[0].kind, FaultKind::MissingTrailer);
}

#[test]
fn a_wrong_previous_tag_size_is_reported_and_overlooked() {
    let mut bytes = sample();
    bytes[41 - 1] ^= 1;
    let (tags, faults) = walk(&bytes);
    assert_eq!(tags.len(), 5);
    assert_eq!(faults, [Fault { offset: 37, kind: FaultKind::PreviousTagSize { expected: 24, got: 25 } }]);
    let mut reader = Reader::new(bytes.as_slice());
    assert!(matches!(reader.next_tag(), Err(ReadError::Fault(_))));
    assert!(matches!(reader.next_tag(), Ok(Some(_))));
}

#[test]
fn odd_header_fields_are_reported() {
    let mut bytes = sample();
    bytes[3] = 2;
    bytes[4] = 0xfd;
    bytes[13] |= 0x40;
    bytes[13 + 10] = 3;
    bytes[41] = 0x29;
    let kinds: Vec<_> = walk(&bytes).1.into_iter().map(|fault| fault.kind).collect();
    assert_eq!(
        kinds,
        [FaultKind::Version(2), FaultKind::HeaderFlags(0xfd), FaultKind::ReservedBits(0x52), FaultKind::StreamId(3)]
    );
    let mut reader = Reader::new(bytes.as_slice());
    let mut encrypted = 0;
    while let Some(item) = reader.next_item().unwrap() {
        encrypted += matches!(item, Item::Tag(tag) if tag.header.encrypted()) as u32;
    }
    assert_eq!(encrypted, 1);
}

#[test]
fn unknown_types_with_a_right_size_are_passed_on() {
    let (tags, faults) = walk(&file(&[(22, 5, vec![1, 2, 3]), (AUDIO, 5, vec![1])]));
    assert_eq!((tags.len(), tags[0].1), (2, 22));
    assert_eq!(faults, [Fault { offset: 13, kind: FaultKind::UnknownType(22) }]);
}

#[test]
fn a_long_data_offset_is_followed_and_a_mad_one_is_not() {
    let mut bytes = sample();
    bytes[8] = 12;
    bytes.splice(9..9, [1, 2, 3]);
    let (tags, faults) = walk(&bytes);
    assert_eq!((tags.len(), &faults[0].kind), (5, &FaultKind::DataOffset(12)));
    let mut bytes = sample();
    bytes[5] = 0xff;
    assert_eq!(walk(&bytes).0.len(), 5);
}

#[test]
fn a_missing_first_previous_tag_size_loses_no_tag() {
    let mut bytes = sample();
    bytes.drain(9..13);
    let (tags, faults) = walk(&bytes);
    assert_eq!((tags.len(), faults.len()), (5, 1));
}

#[test]
fn a_second_header_is_named_and_stepped_over() {
    let mut bytes = sample();
    let length = bytes.len() as u64;
    bytes.extend(sample());
    let (tags, faults) = walk(&bytes);
    assert_eq!(tags.len(), 10);
    assert_eq!(faults, [Fault { offset: length, kind: FaultKind::SecondHeader }]);
}

#[test]
fn after_garbage_the_walk_finds_the_tags_again() {
    let mut bytes = sample();
    let garbage: Vec<u8> = (0..1000u32).map(|i| (i * 7 % 251) as u8).collect();
    bytes.splice(41..41, garbage);
    let (tags, faults) = walk(&bytes);
    assert_eq!(tags.len(), 5);
    assert_eq!(faults, [Fault { offset: 41, kind: FaultKind::Garbage { bytes: 1000 } }]);
}

#[test]
fn a_hole_in_a_tag_costs_that_tag_only() {
    let mut bytes = sample();
    bytes.drain(55..57);
    let (tags, _) = walk(&bytes);
    assert_eq!(tags.iter().map(|tag| tag.1).collect::<Vec<_>>(), [SCRIPT, AUDIO, SCRIPT_AMF3, VIDEO]);
}

#[test]
fn a_size_that_reaches_beyond_the_end_does_not_swallow_the_rest() {
    let mut bytes = sample();
    bytes[41 + 1] = 0xff;
    let (tags, faults) = walk(&bytes);
    assert_eq!(tags.len(), 4);
    assert_eq!(faults[0].kind, FaultKind::Garbage { bytes: 23 });
}

#[test]
fn no_flv_is_said_at_once() {
    for bytes in [b"".as_slice(), b"FL", b"\x1aE\xdf\xa3 something else entirely that is long"] {
        let (tags, faults) = walk(bytes);
        assert_eq!((tags.len(), &faults[0].kind), (0, &FaultKind::NotFlv));
    }
}

#[test]
fn memory_follows_what_was_read_not_what_was_announced() {
    let mut bytes = sample();
    bytes.truncate(41);
    bytes.extend([9, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    let mut reader = Reader::new(bytes.as_slice());
    collect(&mut reader);
    assert!(reader.window.bytes.capacity() < 512 << 10);
}

/// Gives one byte at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = buf.len().min(1);
        self.0.read(&mut buf[..count])
    }
}

fn any_tag() -> impl Strategy<Value = (u8, u32, Vec<u8>)> {
    let kind = prop_oneof![Just(AUDIO), Just(VIDEO), Just(SCRIPT), Just(SCRIPT_AMF3)];
    (kind, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..300))
}

proptest! {
    #[test]
    fn what_was_written_is_read(tags in proptest::collection::vec(any_tag(), 0..20)) {
        let bytes = file(&tags);
        let (read, faults) = collect(&mut Reader::new(Trickle(&bytes)));
        prop_assert_eq!(faults, vec![]);
        prop_assert_eq!(read.into_iter().map(|tag| (tag.1, tag.2, tag.3)).collect::<Vec<_>>(), tags);
    }

    #[test]
    fn any_bytes_are_walked_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..600), flv: bool) {
        let mut all = if flv { FileHeader::new(true, true).encode().to_vec() } else { vec![] };
        all.extend(bytes);
        let (tags, faults) = walk(&all);
        let total: usize = tags.iter().map(|tag| tag.3.len() + 11).sum();
        prop_assert!(total <= all.len() && faults.len() <= 4 * all.len() + 1);
    }

    #[test]
    fn damage_to_one_byte_costs_at_most_two_tags(
        tags in proptest::collection::vec(any_tag(), 1..12), place in any::<prop::sample::Index>(), value: u8,
    ) {
        let mut bytes = file(&tags);
        let at = 13 + place.index(bytes.len() - 13);
        bytes[at] = value;
        let (read, _) = walk(&bytes);
        prop_assert!(read.len() + 2 >= tags.len(), "{} of {}", read.len(), tags.len());
    }
}
