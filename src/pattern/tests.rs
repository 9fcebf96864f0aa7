//! The stream's order and bytes; and what ffmpeg decodes of it, which has to be what was drawn.

use std::process::{Command, Output};

use super::*;
use crate::flv::tag;
use crate::proto::amf0::{self, Value};
use crate::proto::message::message_type::{AUDIO, DATA_AMF0, VIDEO};

fn is_frame(tag: &PatternTag, kind: u8) -> bool {
    tag.tag_type == kind && tag.payload[1] == 1
}

#[test]
fn tags_are_in_order_and_end_at_the_duration() {
    let options = PatternOptions { duration_ms: Some(3000), ..PatternOptions::default() };
    let tags: Vec<_> = Pattern::new(options).collect();
    assert!(tags.windows(2).all(|pair| pair[0].timestamp_ms <= pair[1].timestamp_ms));
    let heads: Vec<_> = tags.iter().take(4).map(|tag| (tag.tag_type, tag.payload[0], tag.payload[1])).collect();
    assert_eq!(heads, [(DATA_AMF0, 2, 0), (VIDEO, 0x17, 0), (AUDIO, 0xaf, 0), (VIDEO, 0x17, 1)]);
    let frames: Vec<_> = tags.iter().filter(|tag| is_frame(tag, VIDEO)).map(|tag| tag.payload[0]).collect();
    assert_eq!(frames.len(), 75);
    assert!(frames.iter().enumerate().all(|(i, first)| *first == if i % 25 == 0 { 0x17 } else { 0x27 }));
    assert_eq!(tags.iter().filter(|tag| is_frame(tag, AUDIO)).count(), 130, "of 23.2 ms");
    let metadata = amf0::decode_all(&tags[0].payload).unwrap();
    assert_eq!(metadata[0].as_str(), Some("onMetaData"));
    let properties = metadata[1].as_object().unwrap();
    for (name, value) in [("duration", 3.0), ("width", 320.0), ("height", 180.0), ("videocodecid", 7.0)] {
        assert_eq!(properties.get(name).and_then(Value::as_number), Some(value), "{name}");
    }
}

#[test]
fn a_player_that_joins_at_a_keyframe_gets_the_same_bytes() {
    let whole: Vec<_> = Pattern::new(PatternOptions::default()).take(400).collect();
    let mut late = Pattern::new(PatternOptions::default());
    assert_eq!(late.seek(2999), 2000);
    let first: Vec<_> = late.by_ref().take(3).collect();
    assert_eq!(first.iter().map(|tag| tag.timestamp_ms).collect::<Vec<_>>(), [0, 2000, 2000]);
    assert_eq!(first[1].payload, whole[1].payload);
    let rest: Vec<_> = late.take(100).collect();
    assert_eq!(rest[0].payload[..2], [0x17, 1]);
    let at = whole.iter().position(|tag| tag.timestamp_ms == 2000).unwrap();
    assert!(whole[at..at + 100] == rest[..]);
}

#[test]
fn timestamps_wrap_after_49_days() {
    let mut pattern = Pattern::new(PatternOptions::default());
    pattern.seek(1 << 32);
    let times: Vec<_> = pattern.skip(1).take(100).map(|tag| tag.timestamp_ms).collect();
    assert!(times[0] > u32::MAX - 1000 && times[99] < 2000, "{times:?}");
}

/// Number and Unix time in milliseconds from a frame's SEI.
fn stamp(frame: &PatternTag) -> (u64, u64) {
    let size = u32::from_be_bytes(*frame.payload[5..].first_chunk().unwrap()) as usize;
    let (mut sei, mut zeros) = (Vec::new(), 0);
    for byte in &frame.payload[9..9 + size] {
        // A 3 after two zeros prevents the emulation of a start code; the zeros are counted again after it.
        if zeros == 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        sei.push(*byte);
    }
    assert_eq!(sei[..3], [6, 5, 32]);
    assert_eq!(sei[3..19], STAMP_UUID);
    let number = |at: usize| u64::from_be_bytes(*sei[at..].first_chunk().unwrap());
    (number(19), number(27))
}

#[test]
fn frames_carry_their_number_and_time() {
    let start_unix_ms = 0x0193_7000_0102_0300;
    let options = PatternOptions { start_unix_ms, audio: false, ..PatternOptions::default() };
    let frames = Pattern::new(options).filter(|tag| is_frame(tag, VIDEO)).take(60);
    for (i, frame) in (0..).zip(frames) {
        assert_eq!(stamp(&frame), (i, start_unix_ms + i * 40));
    }
}

#[test]
fn frames_between_keyframes_hold_only_what_changed() {
    let sizes: Vec<_> = Pattern::new(PatternOptions { audio: false, ..PatternOptions::default() })
        .filter(|tag| is_frame(tag, VIDEO))
        .take(25)
        .map(|tag| tag.payload.len())
        .collect();
    let macroblocks = 20 * 12;
    assert!(sizes[0] > macroblocks * 384);
    assert!(sizes[1..].iter().all(|size| (384..macroblocks * 384 / 4).contains(size)), "{sizes:?}");
}

/// What ffmpeg says of, and makes of, a file of the stream; `None`: there is no ffmpeg here.
fn ffmpeg(options: PatternOptions, output: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pattern.flv");
    let mut bytes = tag::file_header(5).to_vec();
    for part in Pattern::new(options) {
        bytes.extend_from_slice(&tag::tag_header(part.tag_type, part.timestamp_ms, part.payload.len()));
        bytes.extend_from_slice(&part.payload);
        bytes.extend_from_slice(&tag::previous_tag_size(part.payload.len()));
    }
    std::fs::write(&path, bytes).unwrap();
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "warning", "-nostdin", "-i"]).arg(path).args(output).arg("-").output().ok()
}

#[test]
fn ffmpeg_decodes_every_frame_as_it_was_drawn() {
    for (width, height, duration_ms) in [(320, 180, 2200), (64, 64, 1200), (100, 70, 400), (1280, 720, 160)] {
        let duration_ms = Some(duration_ms);
        let options = PatternOptions { width, height, duration_ms, audio: false, ..PatternOptions::default() };
        let raw = ["-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo"];
        let Some(decoded) = ffmpeg(options.clone(), &raw) else { return };
        assert_eq!(String::from_utf8_lossy(&decoded.stderr), "", "{width}×{height}");
        let frame_bytes = width * height * 3 / 2;
        let mut frames = decoded.stdout.chunks(frame_bytes);
        let mut pattern = Pattern::new(options);
        while let Some(tag) = pattern.next_tag() {
            if is_frame(&tag, VIDEO) {
                assert!(frames.next() == Some(&pattern.drawn()), "{width}×{height} at {} ms", tag.timestamp_ms);
            }
        }
        assert_eq!(frames.next(), None);
    }
}

#[test]
fn ffmpeg_decodes_a_steady_tone() {
    let options = PatternOptions { duration_ms: Some(2000), video: false, ..PatternOptions::default() };
    let Some(decoded) = ffmpeg(options, &["-f", "s16le"]) else { return };
    assert_eq!(String::from_utf8_lossy(&decoded.stderr), "");
    let samples: Vec<_> = decoded.stdout.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]])).collect();
    // After the first frame, which fades in: ten periods in each frame, each frame like the one before.
    let steady: Vec<_> = samples.chunks_exact(1024).skip(2).take(80).collect();
    assert_eq!(steady.len(), 80);
    for frame in &steady {
        assert!(frame.iter().zip(steady[0]).all(|(a, b)| a.abs_diff(*b) <= 2));
    }
    let crossings = steady[0].windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    let peak = steady[0].iter().map(|sample| sample.unsigned_abs()).max();
    assert!((9..=10).contains(&crossings), "{crossings}");
    assert!(peak.is_some_and(|peak| (7000..9500).contains(&peak)), "{peak:?}");
}
