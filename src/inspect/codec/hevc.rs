//! H.265: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 §8.3.3.1) and the beginning of the sequence parameter set in it
//! (H.265 §7.3.2.2).
//!
//! ```text
//! version UI8 · profile space UB2, tier UB1, profile UB5 · compatibility UI32 · constraints UI48 · level UI8
//! segmentation UI16 · parallelism UI8 · chroma UI8 · luma depth − 8 UI8 · chroma depth − 8 UI8 · frames in 256 s UI16 · … UI8
//! arrays UI8 · ( type UB6 in UI8 · units UI16 · ( length UI16 · NAL unit )* )*
//! ```

use super::bits::{Bits, without_emulation_prevention};
use super::types::{Configuration, chroma, cropped};

/// Reads a record.
///
/// # Errors
/// It cannot be read, in words.
pub fn hevc(record: &[u8]) -> Result<Configuration, String> {
    let (head, arrays) = record.split_first_chunk::<HEAD_BYTES>().ok_or("it is cut")?;
    let profile = match head[1] & 0x1f {
        1 => "Main".to_owned(),
        2 => "Main 10".to_owned(),
        3 => "Main Still Picture".to_owned(),
        4 => "Range Extensions".to_owned(),
        9 => "Screen Content Coding".to_owned(),
        other => format!("profile {other}"),
    };
    let tier = if head[1] & 0x20 != 0 { " High tier" } else { "" };
    let level = head[12];
    let frame_rate = u16::from_be_bytes([head[19], head[20]]);
    let unit = find_sps(head[22], arrays).ok_or("it is cut")?.ok_or("there is no sequence parameter set")?;
    let (width, height) = read_size(unit).ok_or("the sequence parameter set is cut or damaged")?;
    Ok(Configuration {
        profile: Some(profile),
        level: Some(format!("{}.{}{tier}", level / 30, level % 30 / 3)),
        width: Some(width),
        height: Some(height),
        bit_depth: Some((head[17] & 7) + 8),
        chroma: chroma(head[16] & 3),
        frame_rate: (frame_rate > 0).then(|| f64::from(frame_rate) / 256.0),
        ..Configuration::default()
    })
}

/// The first sequence parameter set of the arrays. Outer `None`: they are cut.
fn find_sps(arrays: u8, bytes: &[u8]) -> Option<Option<&[u8]>> {
    let mut rest = bytes;
    let mut found = None;
    for _ in 0..arrays {
        let (&[kind, high, low], after) = rest.split_first_chunk()?;
        rest = after;
        for _ in 0..u16::from_be_bytes([high, low]) {
            let (&length, after) = rest.split_first_chunk()?;
            let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(length)))?;
            rest = after;
            if kind & 0x3f == SPS {
                found = found.or(Some(unit));
            }
        }
    }
    Some(found)
}

/// Picture size up to the conformance window.
fn read_size(unit: &[u8]) -> Option<(u32, u32)> {
    let bytes = without_emulation_prevention(unit);
    let mut bits = Bits::new(&bytes);
    bits.skip(16 + 4)?;
    let sub_layers = bits.read(3)?;
    // sps_temporal_id_nesting_flag, then profile and level of the whole.
    bits.skip(1 + 88 + 8)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.read(1)? == 1, bits.read(1)? == 1));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    bits.exp_golomb()?;
    let format = bits.exp_golomb()?;
    if format == 3 {
        bits.skip(1)?;
    }
    let (width, height) = (bits.exp_golomb()?, bits.exp_golomb()?);
    let mut window = [0; 4];
    if bits.read(1)? == 1 {
        window = [bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?, bits.exp_golomb()?];
    }
    let [left, right, top, bottom] = window;
    let unit_x = if matches!(format, 1 | 2) { 2 } else { 1 };
    let unit_y = if format == 1 { 2 } else { 1 };
    Some((cropped(width, left, right, unit_x)?, cropped(height, top, bottom, unit_y)?))
}

/// What comes before the arrays.
const HEAD_BYTES: usize = 23;
/// NAL unit type of a sequence parameter set.
const SPS: u8 = 33;
