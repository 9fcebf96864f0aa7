use super::super::super::tag::tag_type::{AUDIO, SCRIPT, VIDEO};
use super::*;
use std::io::Cursor;

type Written = (u8, u32, Vec<u8>);

/// A file of metadata, headers, and video with a keyframe every ten frames, each followed by audio.
fn tags(frames: u32) -> Vec<Written> {
    let mut tags = vec![
        (SCRIPT, 0, [script::ON_META_DATA, b"\x08\0\0\0\0\0\x05width\0\x40\x74\0\0\0\0\0\0\0\0\x09"].concat()),
        (VIDEO, 0, vec![0x17, 0, 0, 0, 0, 9]),
        (AUDIO, 0, vec![0xaf, 0, 0x12]),
    ];
    for frame in 0..frames {
        let key = if frame.is_multiple_of(10) { 0x17 } else { 0x27 };
        tags.push((VIDEO, frame * 40, [vec![key, 1, 0, 0, 0], vec![frame as u8; 200]].concat()));
        tags.push((AUDIO, frame * 40 + 7, [vec![0xaf, 1], vec![frame as u8; 20]].concat()));
    }
    tags
}

fn file(tags: &[Written]) -> Vec<u8> {
    let mut bytes = FileHeader::new(true, true).encode().to_vec();
    for (kind, time, payload) in tags {
        let header = TagHeader::new(*kind, *time, payload.len() as u32);
        bytes.extend(header.encode());
        bytes.extend(payload);
        bytes.extend(header.previous_tag_size().to_be_bytes());
    }
    bytes
}

fn known(tags: &[Written]) -> Vec<TagFingerprint> {
    tags.iter().map(|(kind, time, payload)| TagFingerprint::of(*kind, *time, payload)).collect()
}

/// The offsets behind each tag.
fn ends(tags: &[Written]) -> Vec<usize> {
    (1..=tags.len()).map(|count| file(&tags[..count]).len()).collect()
}

fn look(bytes: &[u8], skip: u32) -> Found {
    scan_end(&mut Cursor::new(bytes), skip).unwrap()
}

#[track_caller]
fn tail(bytes: &[u8], skip: u32) -> Tail {
    match look(bytes, skip) {
        Found::Tail(tail) => *tail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_cut_ends_behind_the_last_whole_tag() {
    let tags = tags(40);
    let (bytes, ends) = (file(&tags), ends(&tags));
    for cut in 0..=bytes.len() {
        let whole = ends.iter().take_while(|end| **end <= cut).count();
        match look(&bytes[..cut], 0) {
            Found::Nothing => assert!(whole <= 3, "{cut}: {whole} tags are there"),
            Found::NotFlv => panic!("{cut}: it is one"),
            Found::Tail(tail) => {
                assert_eq!((tail.end as usize, tail.length as usize), (ends[whole - 1], cut));
                let all = known(&tags[..whole]);
                assert!(all.ends_with(&tail.tail) && all.starts_with(&tail.head), "{cut}");
                assert_eq!(tail.flags, 5);
                assert_eq!(tail.metadata.as_ref().and_then(|m| m.get("width")?.as_number()), Some(320.0));
                assert_eq!(tail.first_ms(), 0);
                assert_eq!(tail.latest_ms(), all.last().unwrap().time_ms);
            }
        }
    }
}

#[test]
fn only_the_ends_of_a_long_file_are_read() {
    struct Counting(Cursor<Vec<u8>>, usize);
    impl Read for Counting {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(into)?;
            self.1 += count;
            Ok(count)
        }
    }
    impl Seek for Counting {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let tags = tags(40_000);
    let mut bytes = file(&tags);
    for torn in [0, 3, 30] {
        bytes.truncate(bytes.len() - torn);
        let mut file = Counting(Cursor::new(bytes.clone()), 0);
        let Found::Tail(tail) = scan_end(&mut file, 0).unwrap() else { panic!() };
        assert!(tail.tail.len() < 200, "{}", tail.tail.len());
        assert!(file.1 < 400_000 && bytes.len() > 10_000_000, "{} of {} bytes were read", file.1, bytes.len());
    }
}

#[test]
fn skipping_goes_back_by_keyframes() {
    let tags = tags(45);
    let (bytes, ends) = (file(&tags), ends(&tags));
    let keys: Vec<usize> = (0..tags.len()).filter(|at| tags[*at].2[..2] == [0x17, 1]).collect();
    for (skip, key) in [(1, keys[3]), (2, keys[2]), (4, keys[0]), (9, keys[0]), (u32::MAX, keys[0])] {
        let tail = tail(&bytes, skip);
        assert_eq!(tail.end as usize, ends[key], "{skip}");
        assert_eq!(tail.tail.last(), known(&tags[..=key]).last());
        assert!(known(&tags[..=key]).starts_with(&tail.head));
    }
    assert_eq!(tail(&bytes, 0).end as usize, bytes.len());
}

#[test]
fn sound_alone_and_skipping_in_it() {
    let tags: Vec<_> = tags(1500).into_iter().filter(|(kind, ..)| *kind != VIDEO).collect();
    let (bytes, ends) = (file(&tags), ends(&tags));
    let whole = tail(&bytes, 0);
    assert!((MIN_FRAMES..2 * MIN_FRAMES).contains(&whole.tail.len()), "{}", whole.tail.len());
    assert_eq!(tail(&bytes, 5).end as usize, ends[tags.len() - 6]);
}

#[test]
fn a_damaged_end_is_walked_through() {
    let mut tags = tags(60);
    let sound = file(&tags).len();
    // A filesystem that lost the end leaves zeros, more than any torn tag could be.
    let mut bytes = file(&tags);
    bytes.resize(bytes.len() + 100_000, 0);
    let Found::Tail(found) = scan_end_within(&mut Cursor::new(&bytes), 0, 10_000).unwrap() else { panic!() };
    assert_eq!(found.end as usize, sound);
    assert!(known(&tags).ends_with(&found.tail));
    // Damage before the last keyframe, and sound tags behind it.
    tags.truncate(60);
    let mut bytes = file(&tags);
    bytes.extend([0xff; 50]);
    let rest = &super::tests::tags(60)[60..];
    bytes.extend(&file(rest)[FILE_HEADER_BYTES..]);
    let found = tail(&bytes, 0);
    assert_eq!(found.end as usize, bytes.len());
    assert!(known(rest).ends_with(&found.tail));
}

#[test]
fn what_is_no_flv_is_told_from_what_is_begun() {
    let bytes = file(&tags(1));
    for length in 0..=FILE_HEADER_BYTES {
        assert!(matches!(look(&bytes[..length], 0), Found::Nothing), "{length}");
    }
    assert!(matches!(look(b"# Notes\n", 0), Found::NotFlv));
    assert!(matches!(look(&[0; 5000], 0), Found::NotFlv));
    assert!(matches!(look(b"FLX\x01\x05\0\0\0\x09\0\0\0\0 and so on", 0), Found::NotFlv));
    // Headers alone are nothing to go on from.
    assert!(matches!(look(&file(&tags(0)), 0), Found::Nothing));
}

/// A source that counts how often it is read.
struct Counting<'a>(Cursor<&'a [u8]>, u64);

impl std::io::Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        self.0.read(buffer)
    }
}

impl std::io::Seek for Counting<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

#[test]
fn sizes_that_lead_nowhere_are_not_followed_one_by_one() {
    for size in [0x0000_00ff_u32, 0x0000_0a0b, 0x0012_3456] {
        let mut bytes = file(&tags(60));
        let whole = bytes.len() as u64;
        bytes.extend(size.to_be_bytes().repeat(500_000));
        let mut source = Counting(Cursor::new(&bytes), 0);
        let Found::Tail(tail) = scan_end(&mut source, 0).unwrap() else { panic!() };
        assert_eq!((tail.length, tail.end), (bytes.len() as u64, whole), "{size:x}");
        assert!(source.1 < 200_000, "{} reads", source.1);
    }
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), skip in 0..3_u32) {
        let _ = look(&bytes, skip);
        let _ = look(&[&FileHeader::new(true, true).encode(), bytes.as_slice()].concat(), skip);
    }
}
