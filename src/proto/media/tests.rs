use super::*;
use crate::proto::message::message_type;

/// What the five functions say: keyframe, coded, sequence header as video; coded, sequence header as audio.
fn video(payload: &[u8]) -> (bool, bool, bool) {
    let Class { kind, .. } = Class::of(message_type::VIDEO, payload);
    (kind == Kind::Keyframe, kind.is_coded(), kind == Kind::Config)
}

fn audio(payload: &[u8]) -> (bool, bool) {
    let Class { kind, .. } = Class::of(message_type::AUDIO, payload);
    (kind.is_coded(), kind == Kind::Config)
}

const KEYFRAME: (bool, bool, bool) = (true, true, false);
const FRAME: (bool, bool, bool) = (false, true, false);
const HEADER: (bool, bool, bool) = (false, false, true);
const NEITHER: (bool, bool, bool) = (false, false, false);

#[test]
fn video_payloads_of_the_old_form_are_told_apart() {
    for codec in [7, 12, 13] {
        assert_eq!(video(&[0x10 | codec, 0, 0, 0, 0, 1]), HEADER, "sequence header of codec {codec}");
        assert_eq!(video(&[0x10 | codec, 1, 0, 0, 0, 1]), KEYFRAME, "keyframe of codec {codec}");
        assert_eq!(video(&[0x20 | codec, 1, 0, 0, 0, 1]), FRAME, "frame of codec {codec}");
        assert_eq!(video(&[0x10 | codec, 2, 0, 0, 0]), NEITHER, "end of sequence of codec {codec}");
        assert_eq!(video(&[0x10 | codec, 3, 0, 0, 0]), NEITHER, "unknown packet type of codec {codec}");
        assert_eq!(video(&[0x50 | codec, 0]), NEITHER, "start of seek of codec {codec}");
        assert_eq!(video(&[0x50 | codec, 1]), NEITHER, "end of seek of codec {codec}");
        assert_eq!(video(&[0x10 | codec]), NEITHER, "one byte of codec {codec}");
    }
    assert_eq!(video(&[0x12, 0, 0]), KEYFRAME);
    assert_eq!(video(&[0x24, 0, 0]), FRAME);
    assert_eq!(video(&[0x32, 0, 0]), FRAME);
    assert_eq!(video(&[0x22]), FRAME);
    assert_eq!(video(&[0x52, 0]), NEITHER);
    assert_eq!(video(&[]), NEITHER);
}

#[test]
fn enhanced_video_payloads_are_told_apart() {
    let tag = |byte: u8| [&[byte][..], b"hvc1\0\0\0\x01"].concat();
    assert_eq!(video(&tag(0x90)), HEADER, "SequenceStart");
    assert_eq!(video(&tag(0x91)), KEYFRAME, "CodedFrames, key");
    assert_eq!(video(&tag(0xa1)), FRAME, "CodedFrames, inter");
    assert_eq!(video(&tag(0x92)), NEITHER, "SequenceEnd");
    assert_eq!(video(&tag(0x93)), KEYFRAME, "CodedFramesX, key");
    assert_eq!(video(&tag(0xa3)), FRAME, "CodedFramesX, inter");
    assert_eq!(video(&tag(0x94)), NEITHER, "Metadata");
    assert_eq!(video(&tag(0xd4)), NEITHER, "Metadata whose frame type is to be ignored");
    assert_eq!(video(&tag(0x95)), HEADER, "MPEG2TSSequenceStart");
    for reserved in 8..16 {
        assert_eq!(video(&tag(0x90 | reserved)), NEITHER, "reserved packet type {reserved}");
    }
    for kind in [0, 1, 2, 3, 5] {
        assert_eq!(video(&[0xd0 | kind, 0]), NEITHER, "command frame, packet type {kind}");
    }
}

#[test]
fn multitrack_video_is_what_its_tracks_are() {
    for kind in 0..3 {
        let tag = |inner: u8| [&[0x96, kind << 4 | inner][..], b"avc1\0\0\0\x04\0\0\0\0"].concat();
        assert_eq!(video(&tag(0)), HEADER);
        assert_eq!(video(&tag(1)), KEYFRAME);
        assert_eq!(video(&tag(2)), NEITHER);
        assert_eq!(video(&tag(3)), KEYFRAME);
        assert_eq!(video(&tag(4)), NEITHER);
        assert_eq!(video(&tag(5)), HEADER);
        assert_eq!(video(&tag(6)), NEITHER, "multitrack in multitrack");
        assert_eq!(video(&tag(7)), NEITHER, "ModEx in multitrack");
    }
    assert_eq!(video(&[0xa6, 0x01]), FRAME);
    assert_eq!(video(&[0x96, 0x31, 0, 0, 0]), NEITHER, "an undefined kind of multitrack");
    assert_eq!(video(&[0x96]), NEITHER);
    assert_eq!(video(&[0xd6, 0x01]), NEITHER, "command");
}

#[test]
fn modex_is_passed_over() {
    assert_eq!(video(&[0x97, 2, 0, 0, 9, 0x01]), KEYFRAME);
    assert_eq!(video(&[0x97, 2, 0, 0, 9, 0x00]), HEADER);
    assert_eq!(video(&[0xa7, 2, 0, 0, 9, 0x07, 0, 5, 0x13]), FRAME, "two entries");
    assert_eq!(video(&[0xa7, 2, 0, 0, 9, 0x06, 0x11]), FRAME, "multitrack behind it");
    assert_eq!(video(&[0xd7, 2, 0, 0, 9, 0x01, 0]), NEITHER, "command behind it");
    assert_eq!(video(&[0xd7, 2, 0, 0, 9, 0x04, 0]), NEITHER);
    let long = |size: u16| {
        let mut tag = vec![0xa7, 0xff];
        tag.extend_from_slice(&(size - 1).to_be_bytes());
        tag.resize(4 + usize::from(size), 0xee);
        tag.push(0x03);
        tag
    };
    for size in [1, 255, 256, 1000, 65535] {
        let tag = long(size);
        assert_eq!(video(&tag), FRAME, "{size} bytes of ModEx");
        assert_eq!(video(&tag[..tag.len() - 1]), NEITHER, "{size} bytes of ModEx, cut");
    }
    let entries = |count: usize| {
        let mut tag = vec![0x97];
        for left in (0..count).rev() {
            tag.extend_from_slice(&[0, 0xaa, if left > 0 { 0x17 } else { 0x11 }]);
        }
        tag
    };
    assert_eq!(video(&entries(header::MAX_MOD_EX)), KEYFRAME);
    assert_eq!(video(&entries(header::MAX_MOD_EX + 1)), NEITHER);
    assert_eq!(audio(&[0x97, 2, 0, 0, 9, 0x01]), (true, false));
    assert_eq!(audio(&[0x97, 2, 0, 0, 9, 0x05, 0x10]), (false, true));
}

#[test]
fn audio_payloads_are_told_apart() {
    assert_eq!(audio(&[]), (false, false), "silence");
    assert_eq!(audio(&[0xaf, 0, 0x12, 0x10]), (false, true));
    assert_eq!(audio(&[0xaf, 1, 0x21]), (true, false));
    assert_eq!(audio(&[0xaf, 2]), (false, false));
    assert_eq!(audio(&[0xaf]), (false, false));
    assert_eq!(audio(&[0x2f, 0, 0]), (true, false), "MP3");
    assert_eq!(audio(&[0xb2]), (true, false), "Speex");
    let tag = |kind: u8| [&[0x90 | kind][..], b"Opus\0\x02"].concat();
    assert_eq!(audio(&tag(0)), (false, true));
    assert_eq!(audio(&tag(1)), (true, false));
    assert_eq!(audio(&tag(2)), (false, false));
    assert_eq!(audio(&tag(4)), (false, true), "MultichannelConfig");
    for reserved in [3, 6, 8, 9, 15] {
        assert_eq!(audio(&tag(reserved)), (false, false), "reserved packet type {reserved}");
    }
    let multitrack = |kind: u8, inner: u8| [&[0x95, kind << 4 | inner][..], b"mp4a\0"].concat();
    for kind in 0..3 {
        assert_eq!(audio(&multitrack(kind, 0)), (false, true));
        assert_eq!(audio(&multitrack(kind, 1)), (true, false));
        assert_eq!(audio(&multitrack(kind, 4)), (false, true));
        assert_eq!(audio(&multitrack(kind, 5)), (false, false));
        assert_eq!(audio(&multitrack(kind, 7)), (false, false));
    }
    assert_eq!(audio(&multitrack(3, 1)), (false, false));
}

/// avcC of H.264 Baseline, 640 × 360.
pub(super) const AVCC: &[u8] = &[
    1, 0x42, 0xc0, 0x1e, 0xff, 0xe1, 0, 0x19, 0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0, 0,
    3, 0, 1, 0, 0, 3, 0, 0x30, 0x0f, 0x16, 0x2d, 0x92, 1, 0, 4, 0x68, 0xcb, 0x83, 0xcb,
];

type Flat<'a> = (u8, VideoCodec, i32, &'a [u8]);

fn flat<'a>(tag: &VideoTag<'a>) -> Vec<Flat<'a>> {
    tag.tracks().map(|t| (t.id, t.codec, t.composition_time_ms, t.body)).collect()
}

pub(super) fn sounds<'a>(tag: &AudioTag<'a>) -> Vec<(u8, AudioCodec, &'a [u8])> {
    tag.tracks().map(|t| (t.id, t.codec, t.body)).collect()
}

#[track_caller]
fn golden_video(payload: &[u8], frame_type: FrameType, packet: VideoPacket, tracks: &[Flat<'_>]) {
    let tag = VideoTag::parse(payload).unwrap();
    assert_eq!((tag.frame_type, tag.packet), (frame_type, packet));
    assert_eq!(flat(&tag), tracks);
    assert_eq!((tag.enhanced, tag.multitrack, tag.mod_ex.is_empty()), (payload[0] > 0x7f, None, true));
}

#[test]
fn video_of_the_old_form() {
    use FrameType::{Command, DisposableInter, GeneratedKey, Inter, Key};
    use VideoCodec::Number;
    use VideoPacket::{CodedFrames, SequenceEnd, SequenceStart};
    golden_video(&[0x17, 0, 0, 0, 0, 1, 0x42], Key, SequenceStart, &[(0, Number(7), 0, &[1, 0x42])]);
    golden_video(&[0x27, 1, 0, 0, 80, 9], Inter, CodedFrames, &[(0, Number(7), 80, &[9])]);
    golden_video(&[0x27, 1, 0xff, 0xff, 0xd8, 9], Inter, CodedFrames, &[(0, Number(7), -40, &[9])]);
    golden_video(&[0x17, 2, 0, 0, 0], Key, SequenceEnd, &[(0, Number(7), 0, &[])]);
    golden_video(&[0x17, 2], Key, SequenceEnd, &[(0, Number(7), 0, &[])]);
    golden_video(&[0x1c, 1, 0, 0, 0, 9], Key, CodedFrames, &[(0, Number(12), 0, &[9])]);
    golden_video(&[0x1d, 0, 0, 0, 0, 9], Key, SequenceStart, &[(0, Number(13), 0, &[9])]);
    golden_video(&[0x32, 5, 6], DisposableInter, CodedFrames, &[(0, Number(2), 0, &[5, 6])]);
    golden_video(&[0x44], GeneratedKey, CodedFrames, &[(0, Number(4), 0, &[])]);
    golden_video(&[0x52, 0], Command, VideoPacket::Command(VideoCommand::SeekStart), &[]);
    golden_video(&[0x57, 1], Command, VideoPacket::Command(VideoCommand::SeekEnd), &[]);
    golden_video(&[0x57, 9], Command, VideoPacket::Command(VideoCommand::Reserved(9)), &[]);
    let error = VideoTag::parse(&[0x17, 3, 0, 0, 0]).unwrap_err();
    assert_eq!(error.to_string(), "media at byte 1: expected a packet type from 0 to 2, got 3");
}

#[test]
fn enhanced_video() {
    use FrameType::{Command, Inter, Key};
    use VideoPacket::{CodedFrames, CodedFramesX, Metadata, Mpeg2TsSequenceStart, SequenceEnd, SequenceStart};
    let avc = VideoCodec::FourCc(FourCc::AVC);
    let hevc = VideoCodec::FourCc(FourCc::HEVC);
    let vvc = VideoCodec::FourCc(FourCc::VVC);
    let av1 = VideoCodec::FourCc(FourCc::AV1);
    golden_video(b"\x90hvc1\x01\x02", Key, SequenceStart, &[(0, hevc, 0, &[1, 2])]);
    golden_video(b"\xa1hvc1\0\0\x21\x07", Inter, CodedFrames, &[(0, hevc, 33, &[7])]);
    golden_video(b"\xa1avc1\xff\xff\xff\x07", Inter, CodedFrames, &[(0, avc, -1, &[7])]);
    golden_video(b"\xa1vvc1\x80\0\0\x07", Inter, CodedFrames, &[(0, vvc, -0x80_0000, &[7])]);
    golden_video(b"\x91av01\x12\0\x0a", Key, CodedFrames, &[(0, av1, 0, &[0x12, 0, 0x0a])]);
    golden_video(b"\x91vp09\x01", Key, CodedFrames, &[(0, VideoCodec::FourCc(FourCc::VP9), 0, &[1])]);
    golden_video(b"\x91vp08\x01", Key, CodedFrames, &[(0, VideoCodec::FourCc(FourCc::VP8), 0, &[1])]);
    golden_video(b"\xa3avc1\x07", Inter, CodedFramesX, &[(0, avc, 0, &[7])]);
    golden_video(b"\x92avc1", Key, SequenceEnd, &[(0, avc, 0, &[])]);
    golden_video(b"\x95av01\x80\x04", Key, Mpeg2TsSequenceStart, &[(0, av1, 0, &[0x80, 4])]);
    golden_video(&[0xd1, 0], Command, VideoPacket::Command(VideoCommand::SeekStart), &[]);
    golden_video(&[0xd0, 1], Command, VideoPacket::Command(VideoCommand::SeekEnd), &[]);
    golden_video(b"\xd4av01", Command, Metadata, &[(0, av1, 0, &[])]);
    golden_video(b"\x91XYZ\x01\x02", Key, CodedFrames, &[(0, VideoCodec::FourCc(FourCc(*b"XYZ\x01")), 0, &[2])]);
    let error = VideoTag::parse(b"\x98avc1").unwrap_err();
    assert_eq!(error.to_string(), "media at byte 0: expected a packet type from 0 to 7, got 8");
    let error = VideoTag::parse(b"\x91avc").unwrap_err();
    assert_eq!(error.to_string(), "media at byte 1: expected a FourCC, got the end after 3 bytes");
}

pub(super) const MANY: &[u8] = b"\x96\x11avc1\x00\0\0\x05\0\0\x28ab\x03\0\0\x03\0\0\0";
pub(super) const MANY_CODECS: &[u8] = b"\xa6\x21av01\x00\0\0\x02xyhvc1\x01\0\0\x04\0\0\x05z";
pub(super) const ONE: &[u8] = b"\x96\x00hvc1\x07config";
const NANO: &[u8] = b"\xa7\x02\x01\xe2\x40\x01av01frame";

#[test]
fn multitrack_video() {
    let avc = VideoCodec::FourCc(FourCc::AVC);
    let hevc = VideoCodec::FourCc(FourCc::HEVC);
    let av1 = VideoCodec::FourCc(FourCc::AV1);
    let tag = VideoTag::parse(MANY).unwrap();
    assert_eq!((tag.multitrack, tag.packet), (Some(Multitrack::ManyTracks), VideoPacket::CodedFrames));
    assert_eq!(flat(&tag), [(0, avc, 40, &b"ab"[..]), (3, avc, 0, b"")]);
    let tag = VideoTag::parse(MANY_CODECS).unwrap();
    assert_eq!((tag.multitrack, tag.frame_type), (Some(Multitrack::ManyTracksManyCodecs), FrameType::Inter));
    assert_eq!(flat(&tag), [(0, av1, 0, &b"xy"[..]), (1, hevc, 5, b"z")]);
    let tag = VideoTag::parse(ONE).unwrap();
    assert_eq!((tag.multitrack, tag.packet), (Some(Multitrack::OneTrack), VideoPacket::SequenceStart));
    assert_eq!(flat(&tag), [(7, hevc, 0, &b"config"[..])]);

    for (payload, why) in [
        (&b"\x96\x16avc1\0\0\0\0"[..], "expected a packet type that tracks can have, got 6"),
        (b"\x96\x17avc1\0\0\0\0", "expected a packet type that tracks can have, got 7"),
        (b"\x96\x31avc1\0\0\0\0", "expected a kind of multitrack from 0 to 2, got 3"),
        (b"\x96\x13avc1", "expected the number of a track, got the end after 0 bytes"),
        (b"\x96\x13avc1\0\0\0\x02a", "expected a track of the size it has, got the end after 1 bytes"),
        (b"\x96\x11avc1\0\0\0\x02ab", "expected a composition time, got the end after 2 bytes"),
    ] {
        let error = VideoTag::parse(payload).unwrap_err().to_string();
        assert!(error.ends_with(why), "{error} / {why}");
    }
    let empty_tracks = |count: usize| [&b"\x96\x13av01"[..], &[1, 0, 0, 0].repeat(count)].concat();
    assert_eq!(VideoTag::parse(&empty_tracks(MAX_TRACKS)).unwrap().tracks().count(), MAX_TRACKS);
    assert!(VideoTag::parse(&empty_tracks(MAX_TRACKS + 1)).is_err());
}

#[test]
fn mod_ex_entries() {
    let tag = VideoTag::parse(NANO).unwrap();
    assert_eq!(tag.mod_ex.collect::<Vec<_>>(), [ModEx { kind: 0, data: &[1, 0xe2, 0x40] }]);
    assert_eq!(tag.mod_ex.timestamp_offset_ns(), 123_456);
    assert_eq!(flat(&tag), [(0, VideoCodec::FourCc(FourCc::AV1), 0, &b"frame"[..])]);

    let tag = AudioTag::parse(b"\x97\x00\xaa\x37\x02\0\0\x09\x05\x01Opus\x04sound").unwrap();
    let entries = [ModEx { kind: 3, data: &[0xaa] }, ModEx { kind: 0, data: &[0, 0, 9] }];
    assert_eq!(tag.mod_ex.collect::<Vec<_>>(), entries);
    assert_eq!(entries.map(|entry| entry.timestamp_offset_ns()), [None, Some(9)]);
    assert_eq!(sounds(&tag), [(4, AudioCodec::FourCc(FourCc::OPUS), &b"sound"[..])]);

    let offset = |data: &[u8]| ModEx { kind: 0, data }.timestamp_offset_ns();
    assert_eq!(offset(&[0x0f, 0x42, 0x3f]), Some(999_999));
    assert_eq!(offset(&[0x0f, 0x42, 0x40]), None);
    assert_eq!(offset(&[1, 2]), None);
    assert_eq!(offset(&[0, 1, 2, 3]), Some(0x102));

    let error = VideoTag::parse(&[&[0x97][..], &[0, 0, 7].repeat(MAX_MOD_EX + 1)].concat()).unwrap_err();
    assert_eq!((error.offset, &*error.expected), (1 + 3 * MAX_MOD_EX as u64, "no more ModEx entries"));
}

#[test]
fn colour_metadata() {
    use super::super::amf0::{Object, Value, encode};
    let config = Object::default().with("bitDepth", 10.0).with("transferCharacteristics", 16.0);
    let info = Value::Object(Object::default().with("colorConfig", config));
    let mut payload = b"\x94hvc1".to_vec();
    encode(&"colorInfo".into(), &mut payload);
    encode(&info, &mut payload);
    let tag = VideoTag::parse(&payload).unwrap();
    assert_eq!(tag.packet, VideoPacket::Metadata);
    let track = tag.tracks().next().unwrap();
    assert_eq!(track.metadata().unwrap(), [("colorInfo".to_owned(), info)]);
    let metadata = |body: &[u8]| {
        VideoTrack { id: 0, codec: VideoCodec::FourCc(FourCc::HEVC), composition_time_ms: 0, body }.metadata()
    };
    assert_eq!(metadata(b"").unwrap(), []);
    assert_eq!(metadata(b"\x02\0\x01x\x06").unwrap(), [("x".to_owned(), Value::Undefined)]);
    assert_eq!(&*metadata(b"\x02\0\x01x").unwrap_err().got, "the end");
    assert_eq!(&*metadata(b"\x05\x05").unwrap_err().expected, "a name");
    assert!(metadata(b"\x02\0").is_err());
}

#[test]
fn names_of_codecs() {
    assert_eq!(FourCc::AVC.to_string(), "avc1");
    assert_eq!(FourCc(*b"a\0\xff\\").to_string(), r"a\x00\xff\\");
    assert_eq!(format!("{:?}", FourCc::MP3), "FourCc(.mp3)");
    assert_eq!((FourCc::AV1.number(), FourCc::OPUS.number()), (1_635_135_537, 1_332_770_163));
    assert!(FourCc::VIDEO.iter().chain(&FourCc::AUDIO).all(|codec| codec.name().is_some()));
    assert_eq!(FourCc(*b"hev1").name(), None);
    assert_eq!(VideoCodec::Number(12).to_string(), "H.265");
    assert_eq!(VideoCodec::Number(9).to_string(), "video codec 9");
    assert_eq!(VideoCodec::FourCc(FourCc(*b"hev1")).to_string(), "hev1");
    assert_eq!((VideoCodec::Number(7).number(), AudioCodec::Format(10).number()), (7, 10));
    assert_eq!(AudioCodec::Format(10).to_string(), "AAC");
    assert_eq!(AudioCodec::FourCc(FourCc::EAC3).to_string(), "E-AC-3");
    assert_eq!(AudioCodec::Format(13).to_string(), "sound format 13");
}

/// One payload of each shape, of video and of audio.
fn shapes() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let video: [&[u8]; 19] = [
        &[0x17, 0, 0, 0, 0, 1, 0x42],
        &[0x27, 1, 0, 0, 80, 9],
        &[0x17, 2, 0, 0, 0],
        &[0x1c, 1, 0, 0, 0, 9],
        &[0x22, 9],
        &[0x57, 0],
        b"\x90hvc1\x01\x02",
        b"\xa1hvc1\0\0\x21\x07",
        b"\x91av01\x12\0\x0a",
        b"\xa3avc1\x07",
        b"\x92avc1",
        b"\x94hvc1\x02\0\x09colorInfo\x06",
        b"\x95av01\x80\x04",
        &[0xd1, 0],
        MANY,
        MANY_CODECS,
        ONE,
        NANO,
        b"\xa7\x02\0\0\x09\x27\0\x01\x06\x23av01\x02\0\0\x01z",
    ];
    let audio: [&[u8]; 11] = [
        &[],
        &[0xaf, 0, 0x12, 0x10],
        &[0xaf, 1, 0x21],
        &[0x2f, 0x21],
        b"\x90OpusOpusHead",
        b"\x91ac-3\x0b\x77",
        b"\x92mp4a",
        b"\x94Opus\x01\x02\0\0\0\x03",
        b"\x95\x00Opus\x02x",
        b"\x95\x11mp4a\0\0\0\x01a\x01\0\0\x02bc",
        b"\x97\x02\0\0\x09\x05\x21mp4a\0\0\0\x01aac-3\x01\0\0\x02bc",
    ];
    (video.map(<[u8]>::to_vec).to_vec(), audio.map(<[u8]>::to_vec).to_vec())
}

/// What must hold of any bytes.
fn holds_of_any(payload: &[u8]) {
    let (mut out, flags, sound) = (Vec::new(), video(payload), audio(payload));
    if let Ok(tag) = VideoTag::parse(payload) {
        assert_eq!((tag.is_keyframe(), tag.is_coded(), tag.is_sequence_header()), flags, "{payload:x?}");
        assert!(tag.tracks().count() <= MAX_TRACKS && tag.mod_ex.count() <= MAX_MOD_EX);
        assert_eq!(tag.tracks().count() == 0, matches!(tag.packet, VideoPacket::Command(_)));
        for track in tag.tracks() {
            let _ = track.metadata();
            select_video_track(payload, track.id, &mut out);
        }
    }
    if let Ok(tag) = AudioTag::parse(payload) {
        assert_eq!((tag.is_coded(), tag.is_sequence_header()), sound, "{payload:x?}");
        assert!(tag.tracks().count() <= MAX_TRACKS && tag.mod_ex.count() <= MAX_MOD_EX);
        for track in tag.tracks() {
            let _ = track.channels();
            select_audio_track(payload, track.id, &mut out);
        }
    }
    // What is rewritten says the same as before, and is broken only if it was: selecting does not look into packets.
    for rewrite in [video_to_legacy, |p: &[u8], out: &mut Vec<u8>| select_video_track(p, 1, out)] {
        out.clear();
        match rewrite(payload, &mut out) {
            Rewrite::Rewritten => {
                assert_eq!(video(&out), flags, "{payload:x?}");
                assert!(VideoTag::parse(&out).is_ok() || VideoTag::parse(payload).is_err(), "{payload:x?}");
            }
            _ => assert!(out.is_empty()),
        }
    }
    for rewrite in [audio_to_legacy, |p: &[u8], out: &mut Vec<u8>| select_audio_track(p, 1, out)] {
        out.clear();
        match rewrite(payload, &mut out) {
            Rewrite::Rewritten => {
                assert_eq!(audio(&out), sound, "{payload:x?}");
                assert!(AudioTag::parse(&out).is_ok() || AudioTag::parse(payload).is_err(), "{payload:x?}");
            }
            _ => assert!(out.is_empty()),
        }
    }
}

#[test]
fn every_truncation_of_every_shape() {
    let (videos, audios) = shapes();
    for payload in &videos {
        assert!(VideoTag::parse(payload).is_ok(), "{payload:x?}");
    }
    for payload in &audios {
        assert!(AudioTag::parse(payload).is_ok(), "{payload:x?}");
    }
    for payload in videos.iter().chain(&audios) {
        for cut in 0..=payload.len() {
            holds_of_any(&payload[..cut]);
        }
    }
    // In these a missing byte shows; elsewhere the body is shorter.
    for payload in [MANY, MANY_CODECS, &videos[18], &videos[13], b"\x92avc1", b"\xa1hvc1\0\0\x21"] {
        // Where a payload of many tracks ends between two of them it is whole.
        let whole: Vec<_> = (0..payload.len()).filter(|cut| VideoTag::parse(&payload[..*cut]).is_ok()).collect();
        let between = if payload == MANY { vec![15] } else { vec![] };
        let between = if payload == MANY_CODECS { vec![12] } else { between };
        assert_eq!(whole, between, "{payload:x?}");
    }
}

mod properties {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use scuffle_flv::audio::AudioData;
    use scuffle_flv::audio::body::AudioTagBody;
    use scuffle_flv::audio::body::enhanced::{AudioPacket as TheirSound, ExAudioTagBody};
    use scuffle_flv::video::VideoData;
    use scuffle_flv::video::body::VideoTagBody;
    use scuffle_flv::video::body::enhanced::{
        ExVideoTagBody, VideoPacket as Theirs, VideoPacketCodedFrames as Frames, VideoPacketMpeg2TsSequenceStart as Ts,
        VideoPacketSequenceStart as Start,
    };

    /// An enhanced payload and what it is made of: packet type, layout, and number, codec and bytes of the tracks.
    type Made = (Vec<u8>, u8, Option<u8>, Vec<(u8, [u8; 4], Vec<u8>)>);

    fn made(
        first: u8,
        multitrack: u8,
        kinds: &'static [u8],
        codecs: &'static [[u8; 4]],
    ) -> impl Strategy<Value = Made> {
        let track = (any::<u8>(), prop::sample::select(codecs), vec(any::<u8>(), 3..40));
        let kind = prop::sample::select(kinds);
        let mod_ex = vec((1..16u8, prop_oneof![vec(any::<u8>(), 1..9), vec(any::<u8>(), 255..300)]), 0..3);
        (kind, prop::option::of(0..3u8), vec(track, 1..5), mod_ex).prop_map(
            move |(kind, layout, mut tracks, mod_ex)| {
                if matches!(layout, None | Some(0)) {
                    tracks.truncate(1);
                }
                if layout.is_none() {
                    tracks[0].0 = 0;
                }
                if layout != Some(2) {
                    let codec = tracks[0].1;
                    tracks.iter_mut().for_each(|track| track.1 = codec);
                }
                let mut payload = vec![first];
                for (mod_kind, data) in mod_ex {
                    *payload.last_mut().unwrap() |= 7;
                    match data.len() {
                        size @ ..256 => payload.push((size - 1) as u8),
                        size => payload.extend_from_slice(&[0xff, ((size - 1) >> 8) as u8, (size - 1) as u8]),
                    }
                    payload.extend_from_slice(&data);
                    payload.push(mod_kind << 4);
                }
                *payload.last_mut().unwrap() |= if layout.is_some() { multitrack } else { kind };
                payload.extend(layout.map(|layout| layout << 4 | kind));
                if layout != Some(2) {
                    payload.extend_from_slice(&tracks[0].1);
                }
                for (id, codec, body) in &tracks {
                    if layout == Some(2) {
                        payload.extend_from_slice(codec);
                    }
                    if layout.is_some() {
                        payload.push(*id);
                    }
                    if matches!(layout, Some(1 | 2)) {
                        payload.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
                    }
                    payload.extend_from_slice(body);
                }
                (payload, kind, layout, tracks)
            },
        )
    }

    fn made_video(kinds: &'static [u8]) -> impl Strategy<Value = Made> {
        const CODECS: [[u8; 4]; 6] = [*b"avc1", *b"hvc1", *b"av01", *b"vp08", *b"vp09", *b"????"];
        prop_oneof![made(0x90, 6, kinds, &CODECS), made(0xa0, 6, kinds, &CODECS)]
    }

    fn made_audio() -> impl Strategy<Value = Made> {
        const CODECS: [[u8; 4]; 6] = [*b"mp4a", *b"Opus", *b"fLaC", *b"ac-3", *b"ec-3", *b".mp3"];
        made(0x90, 5, &[0, 1], &CODECS)
    }

    /// Number, FourCC, composition time and body of what the other reader finds; its frames only.
    fn their_video(payload: &[u8]) -> Vec<(u8, [u8; 4], i32, Vec<u8>)> {
        let data = VideoData::demux(&mut std::io::Cursor::new(payload.to_vec().into())).unwrap();
        let body = |packet: Theirs<'_>| match packet {
            Theirs::CodedFrames(
                Frames::Avc { composition_time_offset: time, data }
                | Frames::Hevc { composition_time_offset: time, data },
            ) => (time, data.to_vec()),
            Theirs::CodedFrames(Frames::Other(data))
            | Theirs::CodedFramesX { data }
            | Theirs::SequenceStart(Start::Other(data))
            | Theirs::Mpeg2TsSequenceStart(Ts::Other(data)) => (0, data.to_vec()),
            other => panic!("{other:?}"),
        };
        let tracks = match data.body {
            VideoTagBody::Enhanced(ExVideoTagBody::NoMultitrack { video_four_cc, packet }) => {
                vec![(0, video_four_cc.0, body(packet))]
            }
            VideoTagBody::Enhanced(ExVideoTagBody::ManyTracks(tracks)) => {
                tracks.into_iter().map(|t| (t.video_track_id, t.video_four_cc.0, body(t.packet))).collect()
            }
            other => panic!("{other:?}"),
        };
        tracks.into_iter().map(|(id, codec, (time, body))| (id, codec, time, body)).collect()
    }

    fn our_video(payload: &[u8]) -> Vec<(u8, [u8; 4], i32, Vec<u8>)> {
        let ours = |track: VideoTrack<'_>| match track.codec {
            VideoCodec::FourCc(codec) => (track.id, codec.0, track.composition_time_ms, track.body.to_vec()),
            VideoCodec::Number(number) => panic!("{number}"),
        };
        VideoTag::parse(payload).unwrap().tracks().map(ours).collect()
    }

    fn their_audio(payload: &[u8]) -> Vec<(u8, [u8; 4], Vec<u8>)> {
        let data = AudioData::demux(&mut std::io::Cursor::new(payload.to_vec().into())).unwrap();
        let body = |packet: TheirSound| match packet {
            TheirSound::SequenceStart { header_data: data } | TheirSound::CodedFrames { data } => data.to_vec(),
            other => panic!("{other:?}"),
        };
        match data.body {
            AudioTagBody::Enhanced(ExAudioTagBody::NoMultitrack { audio_four_cc, packet }) => {
                vec![(0, audio_four_cc.0, body(packet))]
            }
            AudioTagBody::Enhanced(ExAudioTagBody::ManyTracks(tracks)) => {
                tracks.into_iter().map(|t| (t.audio_track_id, t.audio_four_cc.0, body(t.packet))).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn our_audio(payload: &[u8]) -> Vec<(u8, [u8; 4], Vec<u8>)> {
        let ours = |track: AudioTrack<'_>| match track.codec {
            AudioCodec::FourCc(codec) => (track.id, codec.0, track.body.to_vec()),
            AudioCodec::Format(number) => panic!("{number}"),
        };
        AudioTag::parse(payload).unwrap().tracks().map(ours).collect()
    }

    proptest! {
        #[test]
        fn any_bytes(payload in vec(any::<u8>(), 0..60)) {
            holds_of_any(&payload);
        }

        /// As [`any_bytes`], but most first bytes lead somewhere.
        #[test]
        fn any_bytes_behind_a_good_beginning(
            first in prop::sample::select(&[0x90u8, 0x91, 0x94, 0x95, 0x96, 0x97, 0xa6, 0xa7, 0xd4, 0xd6, 0xd7][..]),
            rest in vec(prop_oneof![0..8u8, 0x10..0x24u8, any::<u8>()], 0..40),
        ) {
            holds_of_any(&[&[first][..], &rest].concat());
        }

        #[test]
        fn any_change_of_a_byte((payload, ..) in made_video(&[0, 1, 3, 4, 5]), at in any::<prop::sample::Index>(), to: u8) {
            let mut payload = payload;
            let at = at.index(payload.len());
            payload[at] = to;
            holds_of_any(&payload);
        }

        #[test]
        fn frames_are_found_as_they_were_made((payload, kind, layout, tracks) in made_video(&[0, 1, 2, 3, 4, 5])) {
            holds_of_any(&payload);
            let timed = |codec: &[u8; 4]| kind == 1 && matches!(codec, b"avc1" | b"hvc1");
            let made: Vec<_> = tracks.iter().map(|(id, codec, body)| {
                let (time, body) = body.split_at(if timed(codec) { 3 } else { 0 });
                let time = time.iter().fold(0, |sum, byte| sum << 8 | i32::from(*byte));
                (*id, *codec, if time >= 1 << 23 { time - (1 << 24) } else { time }, body.to_vec())
            }).collect();
            prop_assert_eq!(our_video(&payload), &made[..]);
            // Selecting any of them gives what the first of its number was.
            for (id, codec, time, body) in &made {
                let mut out = vec![];
                let what = select_video_track(&payload, *id, &mut out);
                prop_assert_eq!(what, if layout.is_some() { Rewrite::Rewritten } else { Rewrite::Same });
                if layout.is_some() && made.iter().filter(|other| other.0 == *id).count() == 1 {
                    prop_assert_eq!(our_video(&out), &[(0, *codec, *time, body.clone())][..]);
                    let (before, after) = (VideoTag::parse(&payload).unwrap(), VideoTag::parse(&out).unwrap());
                    prop_assert_eq!(before.mod_ex.collect::<Vec<_>>(), after.mod_ex.collect::<Vec<_>>());
                    prop_assert_eq!((before.frame_type, before.packet), (after.frame_type, after.packet));
                }
            }
        }

        #[test]
        fn another_reader_finds_the_same_frames((payload, ..) in made_video(&[1, 3])) {
            prop_assert_eq!(our_video(&payload), their_video(&payload));
        }

        #[test]
        fn another_reader_finds_the_same_sound((payload, _, _, tracks) in made_audio()) {
            holds_of_any(&payload);
            prop_assert_eq!(our_audio(&payload), &tracks[..]);
            prop_assert_eq!(our_audio(&payload), their_audio(&payload));
        }
    }

    #[test]
    fn another_reader_agrees_on_what_is_rewritten() {
        use scuffle_flv::video::body::legacy::LegacyVideoTagBody;
        let mut out = vec![];
        assert_eq!(video_to_legacy(&[b"\x90avc1", AVCC].concat(), &mut out), Rewrite::Rewritten);
        let data = VideoData::demux(&mut std::io::Cursor::new(out.into())).unwrap();
        let VideoTagBody::Legacy(LegacyVideoTagBody::AvcVideoPacketSeqHdr(record)) = data.body else {
            panic!("{data:?}")
        };
        assert_eq!((record.profile_indication, record.sps.len(), record.pps.len()), (0x42, 1, 1));
        let start = |payload: &[u8]| VideoData::demux(&mut std::io::Cursor::new(payload.to_vec().into())).unwrap().body;
        let VideoTagBody::Enhanced(ExVideoTagBody::NoMultitrack {
            packet: Theirs::SequenceStart(Start::Avc(enhanced)),
            ..
        }) = start(&[b"\x90avc1", AVCC].concat())
        else {
            panic!()
        };
        assert_eq!(enhanced, record);
    }
}
