//! The records of sequence headers, by codec.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use scuffle_aac::PartialAudioSpecificConfig;
use scuffle_av1::seq::SequenceHeaderObu;
use scuffle_av1::{AV1CodecConfigurationRecord, ObuHeader, ObuType};

use crate::proto::media::{AudioCodec, FourCc, Sound, VideoCodec};

use super::avc::avc;
use super::hevc::hevc;
use super::types::{Configuration, pixels};

/// Whether frames of a codec are of no use before a sequence header.
pub fn video_needs_header(codec: VideoCodec) -> bool {
    match codec {
        VideoCodec::Number(number) => matches!(number, 7 | 12 | 13),
        VideoCodec::FourCc(codec) => {
            matches!(codec, FourCc::AVC | FourCc::HEVC | FourCc::VVC | FourCc::AV1)
        }
    }
}

/// The same for sound.
pub fn audio_needs_header(codec: AudioCodec) -> bool {
    matches!(codec, AudioCodec::Format(10) | AudioCodec::FourCc(FourCc::AAC | FourCc::FLAC))
}

/// Whether a video codec is one that is defined or in use.
pub fn is_known_video(codec: VideoCodec) -> bool {
    match codec {
        VideoCodec::Number(number) => matches!(number, 2..=7 | 12 | 13),
        VideoCodec::FourCc(codec) => codec.name().is_some() && FourCc::VIDEO.contains(&codec),
    }
}

/// Whether an audio codec is one that is defined.
pub fn is_known_audio(codec: AudioCodec) -> bool {
    match codec {
        AudioCodec::Format(format) => !matches!(format, 12 | 13),
        AudioCodec::FourCc(codec) => FourCc::AUDIO.contains(&codec),
    }
}

/// Reads the record of a video sequence header.
///
/// # Errors
/// It cannot be read, in words.
pub fn video(codec: VideoCodec, record: &[u8]) -> Result<Configuration, String> {
    let record = record.get(..MAX_RECORD_BYTES).unwrap_or(record);
    match codec {
        VideoCodec::Number(7) | VideoCodec::FourCc(FourCc::AVC) => avc(record),
        VideoCodec::Number(12) | VideoCodec::FourCc(FourCc::HEVC) => hevc(record),
        VideoCodec::Number(13) | VideoCodec::FourCc(FourCc::AV1) => guarded(|| av1(record)),
        VideoCodec::FourCc(FourCc::VP9 | FourCc::VP8) => vp9(record),
        _ => Ok(Configuration::default()),
    }
}

/// Reads the record of an audio sequence header.
///
/// # Errors
/// It cannot be read, in words.
pub fn audio(codec: AudioCodec, record: &[u8]) -> Result<Configuration, String> {
    let record = record.get(..MAX_RECORD_BYTES).unwrap_or(record);
    match codec {
        AudioCodec::Format(10) | AudioCodec::FourCc(FourCc::AAC) => guarded(|| aac(record)),
        AudioCodec::FourCc(FourCc::OPUS) => opus(record),
        AudioCodec::FourCc(FourCc::FLAC) => flac(record),
        _ => Ok(Configuration::default()),
    }
}

/// What the old audio header says, for codecs that have no record.
pub fn of_sound(sound: Sound) -> Configuration {
    let (sample_rate_hz, channels) = match sound.format {
        // AAC's header is always the same.
        10 => return Configuration::default(),
        4 | 11 => (16_000, 1),
        5 => (8_000, 1),
        6 => (sound.rate_hz, 1),
        7 | 8 | 14 => (8_000, sound.channels),
        _ => (sound.rate_hz, sound.channels),
    };
    let bit_depth = matches!(sound.format, 0 | 3).then_some(sound.sample_bits);
    Configuration {
        sample_rate_hz: Some(sample_rate_hz),
        channels: Some(channels),
        bit_depth,
        ..Configuration::default()
    }
}

fn guarded(read: impl FnOnce() -> Result<Configuration, String>) -> Result<Configuration, String> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err("invalid record".to_owned()))
}

fn av1(record: &[u8]) -> Result<Configuration, String> {
    let read = AV1CodecConfigurationRecord::demux(&mut Cursor::new(record.to_vec().into())).map_err(in_words)?;
    let profile = match read.seq_profile {
        0 => "Main".to_owned(),
        1 => "High".to_owned(),
        2 => "Professional".to_owned(),
        other => format!("profile {other}"),
    };
    let index = read.seq_level_idx_0;
    let tier = if read.seq_tier_0 { " High tier" } else { "" };
    let mut configuration = Configuration {
        profile: Some(profile),
        level: (index < 24).then(|| format!("{}.{}{tier}", 2 + index / 4, index % 4)),
        bit_depth: Some(match (read.high_bitdepth, read.twelve_bit) {
            (true, true) => 12,
            (true, false) => 10,
            _ => 8,
        }),
        chroma: Some(match (read.monochrome, read.chroma_subsampling_x, read.chroma_subsampling_y) {
            (true, ..) => "4:0:0",
            (_, true, true) => "4:2:0",
            (_, true, false) => "4:2:2",
            _ => "4:4:4",
        }),
        ..Configuration::default()
    };
    // The sequence header OBU is recommended, not required.
    let mut obus = Cursor::new(&read.config_obu[..]);
    if let Ok(header) = ObuHeader::parse(&mut obus)
        && header.obu_type == ObuType::SequenceHeader
    {
        let sequence = SequenceHeaderObu::parse(header, &mut obus).map_err(in_words)?;
        configuration.width = pixels(sequence.max_frame_width);
        configuration.height = pixels(sequence.max_frame_height);
        configuration.frame_rate = sequence.timing_info.and_then(|timing| {
            let ticks = timing.num_ticks_per_picture?.max(1) as f64 * f64::from(timing.num_units_in_display_tick);
            Some(f64::from(timing.time_scale) / ticks).filter(|rate| (0.001..1000.0).contains(rate))
        });
    }
    Ok(configuration)
}

/// VPCodecConfigurationRecord: profile UI8 · level UI8 · depth UB4, chroma UB3, range UB1 …; with the version and flags of
/// its box before it, or without.
fn vp9(record: &[u8]) -> Result<Configuration, String> {
    let record = match record {
        [1, 0, 0, 0, rest @ ..] if rest.len() >= 8 => rest,
        record => record,
    };
    let [profile, level, depth, ..] = *record else { return Err(format!("{} bytes", record.len())) };
    Ok(Configuration {
        profile: Some(format!("Profile {profile}")),
        level: (level > 0).then(|| format!("{}.{}", level / 10, level % 10)),
        bit_depth: Some(depth >> 4),
        chroma: Some(match depth >> 1 & 7 {
            0 | 1 => "4:2:0",
            2 => "4:2:2",
            _ => "4:4:4",
        }),
        ..Configuration::default()
    })
}

fn aac(record: &[u8]) -> Result<Configuration, String> {
    let read = PartialAudioSpecificConfig::parse(record).map_err(in_words)?;
    let profile = match read.audio_object_type.as_u16() {
        1 => "Main",
        2 => "LC",
        3 => "SSR",
        4 => "LTP",
        5 => "HE-AAC",
        23 => "LD",
        29 => "HE-AAC v2",
        39 => "ELD",
        42 => "xHE-AAC",
        0 => return Err("an AudioSpecificConfig without an object type".to_owned()),
        _ => "other",
    };
    Ok(Configuration {
        profile: Some(profile.to_owned()),
        sample_rate_hz: Some(read.sampling_frequency),
        channels: match read.channel_configuration {
            // In a program configuration element, which is not read.
            0 => None,
            7 => Some(8),
            11 => Some(7),
            12 | 14 => Some(8),
            count => Some(count),
        },
        ..Configuration::default()
    })
}

/// ID header (RFC 7845 §5.1); Opus is always decoded at 48 kHz. It may be missing.
fn opus(record: &[u8]) -> Result<Configuration, String> {
    let channels = match record {
        [] => None,
        [b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', _, channels, ..] => Some(*channels),
        _ => return Err("no ID header of Opus".to_owned()),
    };
    Ok(Configuration { sample_rate_hz: Some(48_000), channels, ..Configuration::default() })
}

/// `fLaC`, then the STREAMINFO block with or without its header of four bytes.
fn flac(record: &[u8]) -> Result<Configuration, String> {
    let body = record.strip_prefix(b"fLaC").ok_or("no fLaC marker")?;
    let body = if body.len() >= 38 { body.get(4..).unwrap_or_default() } else { body };
    let [a, b, c, d] = body.get(10..14).and_then(|bytes| bytes.first_chunk()).copied().ok_or("STREAMINFO is cut")?;
    Ok(Configuration {
        sample_rate_hz: Some(u32::from_be_bytes([0, a, b, c]) >> 4),
        channels: Some((c >> 1 & 7) + 1),
        bit_depth: Some(((c & 1) << 4 | d >> 4) + 1),
        ..Configuration::default()
    })
}

fn in_words(error: std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "it is cut".to_owned(),
        _ => error.to_string(),
    }
}

/// Of a record, as much is read: parameter sets have some hundred bytes.
const MAX_RECORD_BYTES: usize = 16 << 10;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
