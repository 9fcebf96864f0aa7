use super::*;

/// What the five functions say: keyframe, coded, sequence header as video; coded, sequence header as audio.
fn video(payload: &[u8]) -> (bool, bool, bool) {
    (is_video_keyframe(payload), is_video_coded(payload), is_video_sequence_header(payload))
}

fn audio(payload: &[u8]) -> (bool, bool) {
    (is_audio_coded(payload), is_audio_sequence_header(payload))
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
