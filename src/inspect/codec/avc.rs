//! H.264: AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1) and the sequence parameter set in it (H.264 §7.3.2.1.1).
//!
//! ```text
//! version UI8 = 1 · profile UI8 · compatibility UI8 · level UI8 · 111111 UB6 · length size UB2
//! 111 UB3 · sets UB5 · ( length UI16 · SPS )* · …
//! ```
//!
//! Reads up to the picture's size and frame rate, not the parameter sets of pictures.

use super::bits::{Bits, without_emulation_prevention};
use super::types::{Configuration, chroma, cropped};

/// Reads a record.
///
/// # Errors
/// It cannot be read, in words.
pub fn avc(record: &[u8]) -> Result<Configuration, String> {
    let [version, idc, flags, level, _, sets, rest @ ..] = record else { return Err("it is cut".to_owned()) };
    let (idc, flags, level) = (*idc, *flags, *level);
    if *version != 1 {
        return Err(format!("AVCDecoderConfigurationRecord of version {version}"));
    }
    if sets & 0x1f == 0 {
        return Err("there is no sequence parameter set".to_owned());
    }
    let unit = rest.split_first_chunk().and_then(|(length, rest)| rest.get(..usize::from(u16::from_be_bytes(*length))));
    let unit = unit.ok_or("it is cut")?;
    let sps = read_sps(&without_emulation_prevention(unit)).ok_or("the sequence parameter set is cut or damaged")?;
    let is_1b = level == 9 || (level == 11 && flags & 0x10 != 0 && matches!(idc, 66 | 77 | 88));
    Ok(Configuration {
        profile: Some(profile(idc, flags)),
        level: Some(if is_1b { "1b".to_owned() } else { format!("{}.{}", level / 10, level % 10) }),
        width: sps.width,
        height: sps.height,
        frame_rate: sps.frame_rate,
        bit_depth: u8::try_from(sps.bit_depth).ok(),
        chroma: u8::try_from(sps.chroma_format).ok().and_then(chroma),
        ..Configuration::default()
    })
}

struct Sps {
    chroma_format: u64,
    bit_depth: u64,
    width: Option<u32>,
    height: Option<u32>,
    frame_rate: Option<f64>,
}

fn read_sps(unit: &[u8]) -> Option<Sps> {
    let mut bits = Bits::new(unit);
    bits.skip(8)?;
    let profile = bits.read(8)?;
    bits.skip(8 + 8)?;
    bits.exp_golomb()?;
    let (chroma_format, bit_depth) = if HIGH_PROFILES.contains(&profile) { read_format(&mut bits)? } else { (1, 8) };
    skip_picture_order(&mut bits)?;
    let (width, height) = (bits.exp_golomb()? + 1, bits.exp_golomb()? + 1);
    let is_frames_only = bits.read(1)? == 1;
    if !is_frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let mut crop = [0; 4];
    if bits.read(1)? == 1 {
        crop = [bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?];
    }
    let fields = if is_frames_only { 1 } else { 2 };
    let (unit_x, unit_y) = match chroma_format {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let [left, right, top, bottom] = crop;
    Some(Sps {
        chroma_format,
        bit_depth,
        width: cropped(width * 16, left, right, unit_x),
        height: cropped(height * 16 * fields, top, bottom, unit_y),
        // What follows is optional, and often cut.
        frame_rate: read_frame_rate(&mut bits),
    })
}

/// Format of chroma and bits of a luma sample, with all that stands between them and the rest.
fn read_format(bits: &mut Bits<'_>) -> Option<(u64, u64)> {
    let format = bits.exp_golomb()?;
    if format == 3 {
        bits.skip(1)?;
    }
    let depth = bits.exp_golomb()? + 8;
    bits.exp_golomb()?;
    bits.skip(1)?;
    if bits.read(1)? == 1 {
        for list in 0..if format == 3 { 12 } else { 8 } {
            if bits.read(1)? == 1 {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some((format, depth))
}

/// H.264 §7.3.2.1.1.1.
fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed_exp_golomb()? + 256) % 256;
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn skip_picture_order(bits: &mut Bits<'_>) -> Option<()> {
    bits.exp_golomb()?;
    match bits.exp_golomb()? {
        0 => drop(bits.exp_golomb()?),
        1 => {
            bits.skip(1)?;
            bits.exp_golomb()?;
            bits.exp_golomb()?;
            // At most 255 by the specification; a damaged one ends with its bits.
            for _ in 0..bits.exp_golomb()? {
                bits.exp_golomb()?;
            }
        }
        _ => {}
    }
    bits.exp_golomb()?;
    bits.skip(1)
}

/// Frames in a second by the timing in the video usability information (H.264 §E.1.1), if there is any.
fn read_frame_rate(bits: &mut Bits<'_>) -> Option<f64> {
    let has = |bits: &mut Bits<'_>| Some(bits.read(1)? == 1);
    if !has(bits)? {
        return None;
    }
    if has(bits)? && bits.read(8)? == EXTENDED_ASPECT {
        bits.skip(32)?;
    }
    if has(bits)? {
        bits.skip(1)?;
    }
    if has(bits)? {
        bits.skip(4)?;
        if has(bits)? {
            bits.skip(24)?;
        }
    }
    if has(bits)? {
        bits.exp_golomb()?;
        bits.exp_golomb()?;
    }
    if !has(bits)? {
        return None;
    }
    let (ticks, scale) = (bits.read(32)?, bits.read(32)?);
    Some(scale as f64 / (2.0 * ticks as f64)).filter(|rate| (0.001..1000.0).contains(rate))
}

fn profile(idc: u8, flags: u8) -> String {
    match (idc, flags & 0x40 != 0, flags & 0x10 != 0) {
        (66, true, _) => "Constrained Baseline",
        (66, ..) => "Baseline",
        (77, ..) => "Main",
        (88, ..) => "Extended",
        (100, ..) => "High",
        (110, _, true) => "High 10 Intra",
        (110, ..) => "High 10",
        (122, _, true) => "High 4:2:2 Intra",
        (122, ..) => "High 4:2:2",
        (244, ..) => "High 4:4:4 Predictive",
        (44, ..) => "CAVLC 4:4:4 Intra",
        _ => return format!("profile {idc}"),
    }
    .to_owned()
}

/// Profiles whose sequence parameter sets tell format and depth.
const HIGH_PROFILES: [u64; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// `Extended_SAR`.
const EXTENDED_ASPECT: u64 = 255;
