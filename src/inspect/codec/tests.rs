use proptest::prelude::*;

use super::super::types::MAX_PIXELS;
use super::*;

/// 320x180, High, from libx264.
const AVC: &str = "0164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000468ef8fcbfdf8f800";
/// 320x180, Main, from libsvtav1.
const AV1: &str = "81000c000a0b0200000561e7f66017c002";
/// Profile 1, from libvpx.
const VP9: &str = "01000000010b870202000000";

fn bytes(hex: &str) -> Vec<u8> {
    crate::util::hex::decode(hex).unwrap()
}

/// A record whose SPS is 352x288 less a window of 2 to the right and 6 at the bottom, in units of chroma, with a sub-layer.
fn hevc_record() -> Vec<u8> {
    let mut bits = String::new();
    let mut put = |value: u64, count: usize| bits.push_str(&format!("{value:0count$b}"));
    put(0, 4);
    put(1, 3);
    put(1, 1);
    // General profile space, tier, profile 1, compatibility, constraints, level 93.
    put(1, 8);
    put(0x6000_0000, 32);
    put(0x9000_0000_0000, 48);
    put(93, 8);
    // The sub-layer has a level of its own.
    put(0b01, 2);
    put(0, 14);
    put(90, 8);
    put(0b1, 1); // id 0
    put(0b010, 3); // 4:2:0
    put(353, 17); // 352: eight zeros, then nine bits
    put(289, 17);
    put(0b1, 1);
    for (value, length) in [(1, 1), (3, 3), (1, 1), (7, 5)] {
        put(value, length); // 0, 2, 0, 6
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    let rbsp: Vec<u8> =
        (0..bits.len()).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap()).collect();
    let mut nal_unit = vec![0x42, 1];
    for byte in rbsp {
        if nal_unit.ends_with(&[0, 0]) && byte <= 3 {
            nal_unit.push(3);
        }
        nal_unit.push(byte);
    }
    let mut record =
        vec![1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 25, 0, 0x0f, 1];
    record.extend([0xa1, 0, 1, 0, nal_unit.len() as u8]);
    record.extend(nal_unit);
    record
}

#[test]
fn h264() {
    let got = video(VideoCodec::Number(7), &bytes(AVC)).unwrap();
    assert_eq!((got.profile.as_deref(), got.level.as_deref()), (Some("High"), Some("1.2")));
    assert_eq!((got.width, got.height, got.frame_rate), (Some(320), Some(180), Some(25.0)));
    assert_eq!((got.bit_depth, got.chroma), (Some(8), Some("4:2:0")));
    assert_eq!(video(VideoCodec::FourCc(FourCc::AVC), &bytes(AVC)), Ok(got));
}

/// A sequence parameter set of High 4:2:2 with scaling lists, fields, a window and no timing: 1920x1080.
#[test]
fn h264_with_scaling_lists_and_fields() {
    let mut bits = String::new();
    let mut put = |value: u64, count: usize| bits.push_str(&format!("{value:0count$b}"));
    let ue = |put: &mut dyn FnMut(u64, usize), value: u64| {
        let length = (value + 1).ilog2() as usize;
        put(value + 1, 2 * length + 1);
    };
    put(0x67, 8);
    put(122, 8);
    put(0, 8);
    put(41, 8);
    ue(&mut put, 0);
    ue(&mut put, 2); // 4:2:2
    ue(&mut put, 2); // 10 bits
    ue(&mut put, 2);
    put(0, 1);
    put(1, 1); // scaling lists: one of 16 ones that end at once, then seven that are not there
    put(1, 1);
    ue(&mut put, 16); // -8: the rest is as before
    put(0, 7);
    ue(&mut put, 4);
    ue(&mut put, 1); // picture order count of type 1
    put(1, 1);
    ue(&mut put, 1);
    ue(&mut put, 2);
    ue(&mut put, 2);
    ue(&mut put, 5);
    ue(&mut put, 6);
    ue(&mut put, 4);
    put(0, 1);
    ue(&mut put, 119);
    ue(&mut put, 33);
    put(0, 1); // fields
    put(0, 1);
    put(1, 1);
    put(1, 1);
    for value in [0, 0, 0, 4] {
        ue(&mut put, value); // 8 lines, in units of 2
    }
    put(0, 1);
    put(1, 1);
    while !bits.len().is_multiple_of(8) {
        bits.push('0');
    }
    let unit: Vec<u8> =
        (0..bits.len()).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap()).collect();
    let record = [&[1, 122, 0, 41, 0xff, 0xe1, 0, unit.len() as u8][..], &unit].concat();
    let got = video(VideoCodec::Number(7), &record).unwrap();
    assert_eq!((got.profile.as_deref(), got.level.as_deref()), (Some("High 4:2:2"), Some("4.1")));
    assert_eq!((got.width, got.height, got.frame_rate), (Some(1920), Some(1080), None));
    assert_eq!((got.bit_depth, got.chroma), (Some(10), Some("4:2:2")));
}

#[test]
fn h265() {
    let got = video(VideoCodec::FourCc(FourCc::HEVC), &hevc_record()).unwrap();
    assert_eq!((got.profile.as_deref(), got.level.as_deref()), (Some("Main"), Some("3.1")));
    assert_eq!((got.width, got.height, got.frame_rate), (Some(348), Some(276), Some(25.0)));
    assert_eq!((got.bit_depth, got.chroma), (Some(8), Some("4:2:0")));
    assert_eq!(video(VideoCodec::Number(12), &hevc_record()), Ok(got));
}

#[test]
fn av1_and_vp9() {
    let got = video(VideoCodec::FourCc(FourCc::AV1), &bytes(AV1)).unwrap();
    assert_eq!((got.profile.as_deref(), got.level.as_deref()), (Some("Main"), Some("2.0")));
    assert_eq!((got.width, got.height, got.chroma), (Some(320), Some(180), Some("4:2:0")));
    let got = video(VideoCodec::FourCc(FourCc::VP9), &bytes(VP9)).unwrap();
    assert_eq!((got.profile.as_deref(), got.level.as_deref()), (Some("Profile 1"), Some("1.1")));
    assert_eq!((got.bit_depth, got.chroma), (Some(8), Some("4:4:4")));
    let got = video(VideoCodec::FourCc(FourCc::VP9), &bytes(VP9)[4..]).unwrap();
    assert_eq!(got.profile.as_deref(), Some("Profile 1"));
}

#[test]
fn sound() {
    let read = |codec, hex| audio(codec, &bytes(hex)).map(|c| (c.profile, c.sample_rate_hz, c.channels));
    let profile = |name: &str| Some(name.to_owned());
    assert_eq!(read(AudioCodec::Format(10), "120856e500"), Ok((profile("LC"), Some(44_100), Some(1))));
    assert_eq!(read(AudioCodec::FourCc(FourCc::AAC), "2b920800"), Ok((profile("HE-AAC"), Some(22_050), Some(2))));
    let opus = "4f707573486561640102380180bb0000000000";
    assert_eq!(read(AudioCodec::FourCc(FourCc::OPUS), opus), Ok((None, Some(48_000), Some(2))));
    assert_eq!(read(AudioCodec::FourCc(FourCc::OPUS), ""), Ok((None, Some(48_000), None)));
    // 96000 Hz, 2 channels, 24 bits.
    let info = "10001000000000000000177003700000000000000000000000000000000000000000";
    for header in ["664c6143", "664c614380000022"] {
        let got = audio(AudioCodec::FourCc(FourCc::FLAC), &bytes(&format!("{header}{info}"))).unwrap();
        assert_eq!((got.sample_rate_hz, got.channels, got.bit_depth), (Some(96_000), Some(2), Some(24)));
    }
    let mono = Sound { format: 11, rate_hz: 5_512, sample_bits: 16, channels: 1 };
    assert_eq!(of_sound(mono).sample_rate_hz, Some(16_000));
    assert_eq!(of_sound(Sound { format: 10, ..mono }), Configuration::default());
}

#[test]
fn records_that_are_cut_are_refused() {
    let all = [
        (VideoCodec::Number(7), bytes(AVC), 34),
        (VideoCodec::Number(12), hevc_record(), 45),
        (VideoCodec::Number(13), bytes(AV1), 4),
        (VideoCodec::FourCc(FourCc::VP9), bytes(VP9)[4..].to_vec(), 3),
    ];
    for (codec, record, enough) in all {
        for end in 0..enough {
            assert!(video(codec, &record[..end]).is_err(), "{codec} {end}");
        }
    }
    assert!(audio(AudioCodec::Format(10), &[]).is_err());
    assert!(audio(AudioCodec::Format(10), &[0x12]).is_err());
    assert!(audio(AudioCodec::FourCc(FourCc::OPUS), b"Opus").is_err());
    assert!(audio(AudioCodec::FourCc(FourCc::FLAC), b"fLaC").is_err());
}

proptest! {
    /// Whatever a record says, reading it ends, with or without a result.
    #[test]
    fn hostile_records_are_read_to_an_end(
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        at in 0usize..60,
        which in 0usize..4,
    ) {
        let codecs = [(7, bytes(AVC)), (12, hevc_record()), (13, bytes(AV1)), (7, Vec::new())];
        let (codec, mut record) = codecs[which].clone();
        let at = at.min(record.len());
        record.splice(at.., noise.iter().copied());
        if let Ok(got) = video(VideoCodec::Number(codec), &record) {
            prop_assert!(got.width.is_none_or(|width| (1..=MAX_PIXELS).contains(&width)));
        }
        let _ = audio(AudioCodec::Format(10), &noise);
    }
}
