use std::fs;

use super::*;
use crate::flv::reader::FaultKind;
use crate::flv::tag::TagHeader;
use crate::flv::tag::tag_type::{AUDIO, SCRIPT, VIDEO};
use crate::proto::amf0::{self, Value};

const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 9];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 9];
const AAC: &[u8] = &[0xaf, 1, 9];

type Media = Vec<(u8, u32, Vec<u8>)>;

/// Four seconds with a keyframe each second, and flags that promise nothing.
fn sample() -> Vec<u8> {
    let (output, memory) = Output::memory();
    let mut writer = Writer::new(output);
    writer.file_header(FileHeader::new(false, false)).unwrap();
    let mut metadata = script::ON_META_DATA.to_vec();
    let object = Object::default().with("width", 320.0).with("duration", 0.0).with("encoder", "old");
    amf0::encode(&Value::EcmaArray(object), &mut metadata);
    writer.tag(SCRIPT, 0, &metadata).unwrap();
    for i in 0..100 {
        writer.tag(VIDEO, i * 40, if i % 25 == 0 { KEY } else { INTER }).unwrap();
        writer.tag(AUDIO, i * 40 + 3, AAC).unwrap();
    }
    writer.tag(SCRIPT, 3990, b"\x02\0\x04last").unwrap();
    writer.finish().unwrap();
    memory.bytes()
}

fn media(bytes: &[u8]) -> Media {
    let mut reader = Reader::new(bytes);
    let mut tags = Media::new();
    while let Some(item) = reader.next_item().unwrap() {
        if let Item::Tag(tag) = item
            && tag.tag_type() != SCRIPT
        {
            tags.push((tag.tag_type(), tag.timestamp_ms(), tag.payload.to_vec()));
        }
    }
    tags
}

/// Checks that a file is sound, that its flags are true, and that its index points at keyframes; returns its metadata.
fn expect_sound(bytes: &[u8]) -> Object {
    let mut reader = Reader::new(bytes);
    let first = reader.next_tag().unwrap().unwrap();
    let object = script::metadata(first.payload).expect("metadata first");
    let mut flags = 0;
    while let Some(tag) = reader.next_tag().expect("no faults") {
        flags |= if tag.tag_type() == AUDIO { 4 } else { 0 } | if tag.tag_type() == VIDEO { 1 } else { 0 };
    }
    assert_eq!(reader.header().unwrap().flags, flags);
    assert_eq!(object.get("filesize"), Some(&Value::Number(bytes.len() as f64)));
    let keyframes = object.get("keyframes").and_then(Value::as_object).unwrap();
    let Some(Value::StrictArray(offsets)) = keyframes.get("filepositions") else { panic!("{keyframes:?}") };
    for offset in offsets {
        let at = offset.as_number().unwrap() as usize;
        assert!(TagHeader::decode_from(&bytes[at..]).unwrap().is_plausible());
        assert!(flags == 4 || bytes[at + 11] == 0x17);
    }
    object
}

fn repaired(bytes: &[u8]) -> (Report, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.flv");
    fs::write(&path, bytes).unwrap();
    let report = repair(&path, None).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let after = fs::read(&path).unwrap();
    assert_eq!(report.bytes, (bytes.len() as u64, after.len() as u64));
    (report, after)
}

#[test]
fn a_foreign_file_gets_flags_and_index_and_keeps_its_media() {
    let bytes = sample();
    let (report, after) = repaired(&bytes);
    assert_eq!((report.fault_count, report.flags, report.keyframes), (0, (Some(0), 5), 4));
    assert_eq!((report.audio_tags, report.video_tags, report.script_tags, report.duration_ms), (100, 100, 1, 4003));
    assert!(media(&after) == media(&bytes));
    let object = expect_sound(&after);
    assert_eq!(object.get("width"), Some(&Value::Number(320.0)));
    assert_eq!(object.get("encoder").and_then(Value::as_str), Some("old"));
    assert_eq!(object.get("duration"), Some(&Value::Number(4.003)));
    let (again, second) = repaired(&after);
    assert_eq!((again.fault_count, again.script_tags, media(&second)), (0, 1, media(&bytes)));
    assert!(repaired(&second).1 == second, "a repaired file has nothing left to repair");
}

#[test]
fn wherever_a_file_is_cut_its_whole_tags_are_saved() {
    let bytes = sample();
    for cut in (200..bytes.len()).step_by(97) {
        let (report, after) = repaired(&bytes[..cut]);
        expect_sound(&after);
        assert_eq!(media(&after), media(&bytes[..cut]));
        assert!(report.fault_count <= 1);
    }
}

#[test]
fn damage_in_the_middle_is_left_out() {
    let mut bytes = sample();
    bytes.splice(1000..1000, [0xff; 77]);
    let (report, after) = repaired(&bytes);
    expect_sound(&after);
    assert!(matches!(report.faults[..], [Fault { kind: FaultKind::Garbage { .. }, .. }]), "{:?}", report.faults);
    assert!(media(&after).len() >= 199);
}

#[test]
fn sizes_that_are_wrong_throughout_and_a_bad_place_cost_nothing_else() {
    let bytes = sample();
    // As writers leave them out, count without the header, or put those of the next tag.
    for wrong in [|_: u32| 0, |size: u32| size - 11, |_: u32| 0x0900_0001, |size: u32| size + 1] {
        let mut bytes = bytes.clone();
        let mut at = 13;
        let mut places = Vec::new();
        while let Some(header) = bytes.get(at..).and_then(TagHeader::decode_from) {
            places.push(at);
            at += header.total_bytes();
            let size = wrong(header.previous_tag_size());
            bytes[at - 4..at].copy_from_slice(&size.to_be_bytes());
        }
        let whole = media(&bytes);
        assert_eq!(whole, media(&sample()));
        for place in [places[20], places[100]] {
            let mut damaged = bytes.clone();
            damaged.splice(place..place, [0xff; 77]);
            let (report, after) = repaired(&damaged);
            expect_sound(&after);
            assert!(media(&after).len() >= whole.len() - 1, "{} of {}", media(&after).len(), whole.len());
            assert!(report.fault_count > 100);
        }
    }
}

#[test]
fn media_that_looks_like_metadata_stays() {
    let (output, memory) = Output::memory();
    let mut writer = Writer::new(output);
    writer.file_header(FileHeader::new(true, true)).unwrap();
    for i in 0..10 {
        writer.tag(VIDEO, i * 40, &[script::ON_META_DATA, b"\xff"].concat()).unwrap();
        writer.tag(AUDIO, i * 40, script::ON_META_DATA).unwrap();
        writer.tag(SCRIPT, i * 40, &[script::ON_META_DATA, b"\xff"].concat()).unwrap();
    }
    writer.finish().unwrap();
    let (report, after) = repaired(&memory.bytes());
    assert_eq!((report.video_tags, report.audio_tags, report.script_tags), (10, 10, 0));
    assert!(media(&after) == media(&memory.bytes()));
}

#[test]
fn a_file_that_changes_meanwhile_is_not_replaced() {
    let bytes = sample();
    let mut findings = survey(bytes.as_slice()).unwrap();
    let file = tempfile::tempfile().unwrap();
    let error = rewrite(&bytes[..bytes.len() / 2], &mut findings, file).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_resumed_file_with_two_headers_becomes_one() {
    let bytes = [sample(), sample()].concat();
    let (report, after) = repaired(&bytes);
    expect_sound(&after);
    assert_eq!((report.video_tags, report.faults[0].kind.clone()), (200, FaultKind::SecondHeader));
}

#[test]
fn audio_alone_can_be_sought_in_too() {
    let (output, memory) = Output::memory();
    let mut writer = Writer::new(output);
    writer.file_header(FileHeader::new(true, true)).unwrap();
    (0..1000).for_each(|i| writer.tag(AUDIO, i * 23, AAC).map(drop).unwrap());
    writer.finish().unwrap();
    let (report, after) = repaired(&memory.bytes());
    let object = expect_sound(&after);
    let keyframes = object.get("keyframes").and_then(Value::as_object).unwrap();
    let Some(Value::StrictArray(times)) = keyframes.get("times") else { panic!() };
    assert_eq!((times.len(), report.flags), (12, (Some(5), 4)));
}

#[test]
fn what_is_no_flv_or_has_no_media_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.flv");
    for bytes in [b"".as_slice(), b"FLV\x01\x05\0\0\0\x09\0\0\0\0", b"some text that is long enough to be looked at"] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(repair(&path, None).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    assert_eq!(repair(&folder.path().join("none"), None).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn another_target_leaves_the_source_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("a.flv"), folder.path().join("b.flv"));
    fs::write(&from, sample()).unwrap();
    fs::write(&to, "precious").unwrap();
    assert!(repair(&folder.path().join("none"), Some(&to)).is_err());
    assert_eq!(fs::read(&to).unwrap(), b"precious");
    repair(&from, Some(&to)).unwrap();
    assert_eq!(fs::read(&from).unwrap(), sample());
    expect_sound(&fs::read(&to).unwrap());
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("a.flv"), folder.path().join("link.flv"));
    fs::write(&file, sample()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    repair(&link, None).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    expect_sound(&fs::read(&file).unwrap());
}
