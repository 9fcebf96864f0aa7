use super::super::file::{self, FileReport, inspect};
use super::*;
use crate::flv::tag::tag_type::{AUDIO, SCRIPT, VIDEO};
use crate::flv::tag::{TagHeader, file_header};
use crate::proto::amf0;
use proptest::prelude::*;

/// 320x180, 25 frames a second.
const AVC_RECORD: &str = "170000000001640\
    00cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000468ef8fcbfdf8f800";
const AAC_RECORD: &[u8] = &[0xaf, 0, 0x12, 0x10];
const KEY: &[u8] = &[0x17, 1, 0, 0, 0, 9];
const INTER: &[u8] = &[0x27, 1, 0, 0, 0, 9];
const AAC: &[u8] = &[0xaf, 1, 9];

type Tags = Vec<(u8, u32, Vec<u8>)>;

fn avc_record() -> Vec<u8> {
    let hex: String = AVC_RECORD.split_whitespace().collect();
    crate::util::hex::decode(&hex).unwrap()
}

fn on_meta_data(object: Object) -> Vec<u8> {
    let mut payload = ON_META_DATA.to_vec();
    amf0::encode(&Value::EcmaArray(object), &mut payload);
    payload
}

/// Four seconds with a keyframe every second.
fn clip() -> Tags {
    let metadata = Object::default().with("duration", 4.0).with("width", 320.0).with("height", 180.0);
    let mut tags = vec![(SCRIPT, 0, on_meta_data(metadata)), (VIDEO, 0, avc_record()), (AUDIO, 0, AAC_RECORD.to_vec())];
    for i in 0..100 {
        tags.push((VIDEO, i * 40, if i % 25 == 0 { KEY } else { INTER }.to_vec()));
        tags.push((AUDIO, i * 40 + 3, AAC.to_vec()));
    }
    tags
}

fn write(flags: u8, tags: &Tags) -> Vec<u8> {
    let mut bytes = file_header(flags).to_vec();
    for (kind, time, payload) in tags {
        let header = TagHeader::new(*kind, *time, payload.len() as u32);
        bytes.extend(header.encode());
        bytes.extend(payload);
        bytes.extend(header.previous_tag_size().to_be_bytes());
    }
    bytes
}

fn offset_of(tags: &Tags, index: usize) -> u64 {
    13 + tags[..index].iter().map(|(_, _, payload)| 15 + payload.len() as u64).sum::<u64>()
}

fn look(bytes: &[u8]) -> FileReport {
    inspect(bytes, |_| Ok(())).unwrap()
}

/// Codes with their offsets.
fn codes(bytes: &[u8]) -> Vec<(u64, &'static str)> {
    look(bytes).findings.iter().map(|located| (located.offset, located.finding.code())).collect()
}

#[test]
fn a_sound_file_is_told_in_full() {
    let report = look(&write(5, &clip()));
    assert_eq!((report.findings.len(), report.errors, report.warnings), (0, 0, 0), "{:?}", report.findings);
    assert_eq!((report.tags.video, report.tags.audio, report.tags.script), (101, 101, 1));
    let stream = report.stream;
    assert_eq!((stream.duration_ms, stream.messages), (3963, 203));
    let [video, audio] = &stream.tracks[..] else { panic!("{:?}", stream.tracks) };
    assert_eq!((video.codec.as_str(), video.width, video.height), ("h264", Some(320), Some(180)));
    assert_eq!((video.frame_rate, video.frames, video.b_frames), (Some(25.0), 100, Some(false)));
    let gop = video.gop.as_ref().unwrap();
    assert_eq!((gop.keyframes, gop.groups, gop.mean_ms, gop.max_frames), (4, 3, Some(1000.0), Some(25)));
    assert_eq!((audio.codec.as_str(), audio.sample_rate_hz, audio.channels), ("aac", Some(44_100), Some(2)));
    let offset = stream.av_offset_ms.unwrap();
    assert_eq!((offset.start, offset.min, offset.max), (-3, -3, 37));
}

#[test]
fn the_header_is_compared_with_the_tags() {
    let tags = clip();
    assert_eq!(codes(&write(1, &tags)), [(4, "header-flag-missing")]);
    let none = look(&write(0, &tags));
    assert_eq!((none.errors, none.warnings), (1, 2));
    let video: Tags = tags.iter().filter(|(kind, ..)| *kind != AUDIO).cloned().collect();
    assert_eq!(codes(&write(5, &video)), [(4, "header-flag-false")]);
    assert_eq!(codes(&write(0x45, &tags)), [(4, "header-reserved-flags")]);
    assert_eq!(
        codes(&file_header(5))[..],
        [(4, "header-flag-false"), (4, "header-flag-false"), (13, "no-tags"), (13, "no-metadata")]
    );
    assert_eq!(codes(b"no FLV at all")[0], (0, "not-flv"));
}

#[test]
fn faults_of_the_framing_have_their_places() {
    let tags = clip();
    let good = write(5, &tags);
    let end = offset_of(&tags, 10) as usize;
    let mut bytes = good.clone();
    bytes[end - 1] ^= 1;
    assert_eq!(codes(&bytes), [(end as u64 - 4, "previous-tag-size")]);
    let mut bytes = good.clone();
    bytes[12] = 7;
    assert_eq!(codes(&bytes), [(9, "previous-tag-size")]);
    let mut bytes = good.clone();
    bytes[end + 10] = 7;
    assert_eq!(codes(&bytes), [(end as u64 + 8, "stream-id")]);
    let mut bytes = good.clone();
    bytes.splice(end..end, *b"garbage in between");
    assert_eq!(codes(&bytes), [(end as u64, "garbage")]);
    let mut bytes = good.clone();
    bytes.truncate(good.len() - 6);
    let last = offset_of(&tags, tags.len() - 1);
    assert_eq!(codes(&bytes), [(last, "truncated")]);
}

#[test]
fn times_are_followed() {
    let mut tags = clip();
    tags[50].1 -= 50;
    let at = offset_of(&tags, 50);
    assert_eq!(tags[50].0, AUDIO);
    assert_eq!(codes(&write(5, &tags)), [(at + 4, "timestamp-decrease")]);

    let mut tags = clip();
    for tag in &mut tags[100..] {
        tag.1 += 5000;
    }
    let found = codes(&write(5, &tags));
    let names: Vec<_> = found.iter().map(|(_, code)| *code).collect();
    assert_eq!(names, ["metadata-wrong", "timestamp-jump", "desync", "timestamp-jump"]);
    assert_eq!(found[1].0, offset_of(&tags, 100) + 4);

    let mut tags = clip();
    for tag in &mut tags {
        tag.1 += 7;
    }
    let names: Vec<_> = codes(&write(5, &tags)).iter().map(|(offset, code)| (*offset, *code)).collect();
    assert_eq!(names, [(17, "first-timestamp"), (17, "metadata-time")]);

    let mut tags = clip();
    for tag in &mut tags[1..] {
        tag.1 = (tag.1 + 0xff_fc00) & 0xff_ffff;
    }
    let names: Vec<_> = codes(&write(5, &tags)).iter().map(|(_, code)| *code).collect();
    assert_eq!(names.iter().filter(|code| **code == "timestamp-extension-lost").count(), 2, "{names:?}");

    let mut tags = clip();
    tags.push((SCRIPT, 1000, b"\x02\0\x04last".to_vec()));
    assert_eq!(codes(&write(5, &tags)), [(offset_of(&tags, tags.len() - 1) + 4, "script-timestamp")]);

    let mut tags = clip();
    tags.retain(|(kind, time, _)| *kind != AUDIO || *time < 2000);
    let names: Vec<_> = codes(&write(5, &tags)).iter().map(|(_, code)| *code).collect();
    assert_eq!(names, ["desync", "track-ends-early"]);
}

#[test]
fn codecs_and_their_headers() {
    let without = |index: usize| {
        let mut tags = clip();
        tags.remove(index);
        codes(&write(5, &tags))
    };
    assert_eq!(without(1)[0].1, "no-sequence-header");
    assert_eq!(without(2)[0].1, "no-sequence-header");
    let with = |index: usize, payload: &[u8]| {
        let mut tags = clip();
        tags[index].2 = payload.to_vec();
        let at = offset_of(&tags, index) + 11;
        let found = codes(&write(5, &tags));
        assert!(found.iter().all(|(offset, _)| *offset == at), "{found:?}");
        found.iter().map(|(_, code)| *code).collect::<Vec<_>>()
    };
    assert_eq!(with(1, &[0x17, 0, 0, 0, 0, 1]), ["bad-sequence-header"]);
    assert_eq!(with(3, INTER), ["no-keyframe-first"]);
    assert_eq!(with(7, &[0x67, 1, 0, 0, 0, 9]), ["unknown-frame-type"]);
    assert_eq!(with(7, &[0x27]), ["bad-payload"]);
    let mut changed = avc_record();
    let last = changed.len() - 5;
    changed[last] ^= 1;
    assert_eq!(with(53, &changed), ["configuration-change"]);
    let mut tags = clip();
    tags[60].2 = vec![0xcf, 1];
    assert_eq!(tags[60].0, AUDIO);
    let names: Vec<_> = codes(&write(5, &tags)).iter().map(|(_, code)| *code).collect();
    assert_eq!(names, ["codec-change", "unknown-codec", "codec-change", "no-sequence-header"]);
    let mut tags = clip();
    tags[55].2.clear();
    assert_eq!(codes(&write(5, &tags)), [(offset_of(&tags, 55) + 1, "empty-video")]);
    let mut tags = clip();
    tags[56].2.clear();
    assert_eq!(codes(&write(5, &tags)), [], "an empty audio tag stands for silence");
    let mut tags = clip();
    for tag in tags.iter_mut().filter(|(_, _, payload)| payload == KEY) {
        tag.2 = INTER.to_vec();
    }
    let names: Vec<_> = codes(&write(5, &tags)).iter().map(|(_, code)| *code).collect();
    assert_eq!(names, ["no-keyframe-first", "no-keyframes"]);
}

#[test]
fn metadata_is_held_against_what_is_there() {
    let with = |object: Object| {
        let mut tags = clip();
        tags[0].2 = on_meta_data(object);
        codes(&write(5, &tags))
    };
    assert_eq!(with(Object::default().with("duration", 60.0)), [(13, "metadata-wrong")]);
    assert_eq!(with(Object::default().with("duration", 0.0)), []);
    assert_eq!(with(Object::default().with("filesize", 60.0)), [(13, "metadata-wrong")]);
    assert_eq!(with(Object::default().with("width", 640.0).with("height", 180.0)), [(13, "metadata-wrong")]);
    let mut tags = clip();
    tags.remove(0);
    let size = write(5, &tags).len() as u64;
    assert_eq!(codes(&write(5, &tags)), [(size, "no-metadata")]);
    let mut tags = clip();
    let first = tags.remove(0);
    tags.insert(9, first.clone());
    tags.insert(20, first);
    let names: Vec<_> = codes(&write(5, &tags)).iter().map(|(_, code)| *code).collect();
    // It stands between tags of 120 ms and bears 0.
    assert_eq!(names, ["metadata-late", "metadata-again"]);
    let mut tags = clip();
    tags[0].2.truncate(20);
    assert_eq!(codes(&write(5, &tags))[0], (24, "bad-script"));
    let mut tags = clip();
    tags[0].2 = ON_META_DATA.to_vec();
    amf0::encode(&Value::Object(Object::default()), &mut tags[0].2);
    assert_eq!(codes(&write(5, &tags)), [], "players read an object as well");
    let mut tags = clip();
    tags[0].2 = ON_META_DATA.to_vec();
    amf0::encode(&Value::Null, &mut tags[0].2);
    assert_eq!(codes(&write(5, &tags))[0], (24, "metadata-no-ecma-array"));
}

#[test]
fn the_index_has_to_lead_to_keyframes() {
    let list = |values: &[u64]| Value::StrictArray(values.iter().map(|value| Value::Number(*value as f64)).collect());
    let with = |positions: &[u64], times: usize| {
        let mut tags = clip();
        let keyframes = Object::default().with("filepositions", list(positions)).with("times", list(&vec![0; times]));
        tags[0].2 = on_meta_data(Object::default().with("keyframes", keyframes));
        tags
    };
    // The positions depend on the metadata's length, not on the values.
    let plain = with(&[0, 0], 2);
    let places = [offset_of(&plain, 3), offset_of(&plain, 53)];
    assert_eq!((plain[3].2.as_slice(), plain[53].2.as_slice()), (KEY, KEY));
    assert_eq!(codes(&write(5, &with(&places, 2))), []);
    assert_eq!(codes(&write(5, &with(&[places[0], places[1] + 1], 2))), [(13, "index-wrong")]);
    let inter = offset_of(&plain, 5);
    assert_eq!(codes(&write(5, &with(&[places[0], inter], 2))), [(13, "index-wrong")]);
    let uneven = with(&[0, 0], 3);
    let places = [offset_of(&uneven, 3), offset_of(&uneven, 53)];
    assert_eq!(codes(&write(5, &with(&places, 3))), [(13, "index-uneven")]);
}

#[test]
fn findings_are_counted_beyond_what_is_kept() {
    let mut tags = clip();
    for _ in 0..2000 {
        tags.push((VIDEO, 0, Vec::new()));
    }
    let report = look(&write(5, &tags));
    assert_eq!((report.findings.len(), report.warnings), (file::MAX_FINDINGS, 2000));
}

#[test]
fn every_cut_of_a_file_is_reported_as_one() {
    let mut tags = clip()[..12].to_vec();
    tags[0].2 = on_meta_data(Object::default());
    let bytes = write(5, &tags);
    // After a whole tag, once both tracks have begun, it cannot be told.
    let whole: Vec<u64> = (3..12).map(|index| offset_of(&tags, index)).collect();
    for end in 0..bytes.len() {
        let report = look(&bytes[..end]);
        let told = report.errors + report.warnings > 0;
        assert!(report.bytes == end as u64 && told != whole.contains(&(end as u64)), "{end}");
    }
}

#[test]
fn a_live_stream_is_known_after_a_group_of_pictures() {
    let mut analyser = Analyser::new();
    let mut complete_at = None;
    for (index, (kind, time, payload)) in clip().into_iter().enumerate() {
        analyser.observe(kind, time, &payload, Some(u64::from(time) + 50));
        if analyser.is_complete() && complete_at.is_none() {
            complete_at = Some((index, time));
        }
    }
    // The second keyframe, and a second of sound.
    assert_eq!(complete_at, Some((54, 1003)));
    assert_eq!(analyser.report().tracks[0].jitter_ms, Some(0.0));
}

#[test]
fn enhanced_and_multitrack_streams() {
    let mut analyser = Analyser::new();
    let record: Vec<u8> = avc_record()[5..].to_vec();
    analyser.observe(VIDEO, 0, &[&[0x90][..], b"avc1", &record].concat(), None);
    analyser.observe(VIDEO, 0, b"\x91avc1\0\0\x50frame", None);
    // Tracks 0 and 1 of AAC in one message: configurations, then frames.
    let many = |kind: u8, bodies: [&[u8]; 2]| {
        let parts =
            bodies.iter().enumerate().flat_map(|(id, body)| [&[id as u8, 0, 0, body.len() as u8], *body].concat());
        [&[0x95, 0x10 | kind][..], b"mp4a", &parts.collect::<Vec<_>>()].concat()
    };
    assert!(analyser.observe(AUDIO, 0, &many(0, [&[0x12, 0x10], &[0x11, 0x88]]), None).is_empty());
    assert!(analyser.observe(AUDIO, 0, &many(1, [b"ab", b"cdef"]), None).is_empty());
    let report = analyser.report();
    let names: Vec<_> = report.tracks.iter().map(|t| (t.kind, t.id, t.codec.as_str(), t.enhanced)).collect();
    assert_eq!(names, [(Kind::Video, 0, "h264", true), (Kind::Audio, 0, "aac", true), (Kind::Audio, 1, "aac", true)]);
    assert_eq!((report.tracks[0].width, report.tracks[0].b_frames), (Some(320), Some(true)));
    assert_eq!((report.tracks[1].sample_rate_hz, report.tracks[2].sample_rate_hz), (Some(44_100), Some(48_000)));
    assert_eq!((report.tracks[1].bytes, report.tracks[2].bytes), (2, 4));
    assert_eq!(report.av_offset_ms.unwrap().start, 80);
}

proptest! {
    /// Whatever a file holds, looking through it ends, and the counts agree.
    #[test]
    fn hostile_files_are_looked_through(changes in proptest::collection::vec((0usize..4000, any::<u8>()), 1..40)) {
        let mut bytes = write(5, &clip());
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let report = look(&bytes);
        prop_assert_eq!(report.bytes, bytes.len() as u64);
        prop_assert_eq!(report.findings.len() as u64, (report.errors + report.warnings + report.infos).min(file::MAX_FINDINGS as u64));
        prop_assert!(report.findings.is_sorted_by_key(|located| located.offset));
    }

    /// Whatever messages hold, watching them ends.
    #[test]
    fn hostile_messages_are_watched(
        messages in proptest::collection::vec(
            (prop_oneof![Just(8u8), Just(9), Just(15), Just(18), Just(22)], any::<u32>(),
             proptest::collection::vec(any::<u8>(), 0..60)), 0..60),
    ) {
        let mut analyser = Analyser::new();
        for (kind, time, payload) in &messages {
            analyser.observe(*kind, *time, payload, Some(u64::from(*time) << 20));
        }
        let report = analyser.report();
        prop_assert_eq!(report.messages, messages.len() as u64);
        analyser.is_complete();
    }
}
