//! The encoder: H.264 Constrained Baseline of I_PCM and P_Skip macroblocks, and its FLV packaging (FLV E.4.3.2).

use super::bits::BitWriter;
use super::picture::{MACROBLOCK, Picture};

/// Marks the SEI that carries a frame's number and time: UUID of the user data.
pub const STAMP_UUID: [u8; 16] = *b"rtmpcat-stamp-v1";

/// NAL unit types with nal_ref_idc (§7.3.1).
const NAL_SLICE: u8 = 0x41;
const NAL_IDR: u8 = 0x65;
const NAL_SEI: u8 = 0x06;
const NAL_SPS: u8 = 0x67;
const NAL_PPS: u8 = 0x68;

/// Constrained Baseline: profile 66 with constraint flags 0 and 1. Level 4 is enough for 1280 × 720 at 60 frames per second.
const PROFILE_AND_LEVEL: [u8; 3] = [66, 0xc0, 40];

/// Bits of frame_num; it counts frames since the keyframe, modulo 2⁸.
const FRAME_NUM_BITS: u32 = 8;

/// mb_type of I_PCM in an I slice; 5 more in a P slice (§7.4.5).
const I_PCM: u32 = 25;

/// What distinguishes one frame from the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameInfo {
    /// Number since the stream's beginning.
    pub(super) number: u64,
    /// Frames from one keyframe to the next.
    pub(super) keyframe_interval: u64,
    /// Unix time in milliseconds.
    pub(super) unix_ms: u64,
}

impl FrameInfo {
    pub(super) fn is_keyframe(&self) -> bool {
        self.number.is_multiple_of(self.keyframe_interval)
    }
}

/// The body of the tag that begins a stream: AVCDecoderConfigurationRecord with SPS and PPS.
pub(super) fn sequence_header(picture: &Picture, frame_rate: u32) -> Vec<u8> {
    let (sps, pps) = (nal_unit(NAL_SPS, &sps(picture, frame_rate)), nal_unit(NAL_PPS, &pps()));
    let mut body = vec![0x17, 0, 0, 0, 0, 1];
    body.extend_from_slice(&PROFILE_AND_LEVEL);
    // Sizes of four bytes; one SPS, one PPS.
    body.extend_from_slice(&[0xff, 0xe1]);
    body.extend_from_slice(&(sps.len() as u16).to_be_bytes());
    body.extend_from_slice(&sps);
    body.push(1);
    body.extend_from_slice(&(pps.len() as u16).to_be_bytes());
    body.extend_from_slice(&pps);
    body
}

/// Encodes pictures, each against the one before.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    previous: Option<Picture>,
}

impl Encoder {
    /// The body of a frame's tag. The first frame has to be a keyframe.
    pub(super) fn encode(&mut self, picture: &Picture, info: FrameInfo) -> Vec<u8> {
        let (first, nal) = if info.is_keyframe() { (0x17, NAL_IDR) } else { (0x27, NAL_SLICE) };
        let previous = self.previous.as_ref().filter(|_| !info.is_keyframe());
        let slice = slice(picture, previous, info);
        let mut body = vec![first, 1, 0, 0, 0];
        for unit in [nal_unit(NAL_SEI, &stamp(info)), nal_unit(nal, &slice)] {
            body.extend_from_slice(&(unit.len() as u32).to_be_bytes());
            body.extend_from_slice(&unit);
        }
        self.previous = Some(picture.clone());
        body
    }
}

/// Sequence parameter set (§7.3.2.1).
fn sps(picture: &Picture, frame_rate: u32) -> Vec<u8> {
    let [columns, rows] = [picture.width, picture.height].map(|side| side.div_ceil(MACROBLOCK));
    let mut bits = BitWriter::default();
    bits.put_bytes(&PROFILE_AND_LEVEL);
    bits.put_ue(0);
    bits.put_ue(FRAME_NUM_BITS - 4);
    // pic_order_cnt_type 2: frames are shown in the order in which they are sent. One reference frame, no gaps.
    bits.put_ue(2);
    bits.put_ue(1);
    bits.put(0, 1);
    bits.put_ue(columns as u32 - 1);
    bits.put_ue(rows as u32 - 1);
    // frame_mbs_only_flag, direct_8x8_inference_flag.
    bits.put(0b11, 2);
    let crop = [columns * MACROBLOCK - picture.width, rows * MACROBLOCK - picture.height];
    bits.put(u32::from(crop != [0, 0]), 1);
    if crop != [0, 0] {
        let [right, bottom] = crop.map(|samples| samples as u32 / 2);
        [0, right, 0, bottom].into_iter().for_each(|side| bits.put_ue(side));
    }
    bits.put(1, 1);
    vui(&mut bits, frame_rate);
    end(bits)
}

/// Video usability information (§E.1.1): square pixels, BT.709 in limited range, the frame rate, no reordering.
fn vui(bits: &mut BitWriter, frame_rate: u32) {
    bits.put(1, 1);
    bits.put(1, 8);
    bits.put(0, 1);
    // video_signal_type: format unspecified (5), limited range, colours 1, 1, 1.
    bits.put(0b11_0101, 6);
    [1, 1, 1].into_iter().for_each(|bt709| bits.put(bt709, 8));
    bits.put(0, 1);
    // timing_info: two ticks per frame, fixed.
    bits.put(1, 1);
    bits.put(1, 32);
    bits.put(frame_rate * 2, 32);
    bits.put(1, 1);
    // No HRD, no pic_struct.
    bits.put(0, 3);
    // bitstream_restriction: no limits on sizes, no reordering, one frame buffered.
    bits.put(0b11, 2);
    [0, 0, 0, 0, 0, 1].into_iter().for_each(|value| bits.put_ue(value));
}

/// Picture parameter set (§7.3.2.2): CAVLC, one slice group, one reference, deblocking controlled in the slices.
fn pps() -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.put_ue(0);
    bits.put_ue(0);
    bits.put(0, 2);
    [0, 0, 0].into_iter().for_each(|value| bits.put_ue(value));
    bits.put(0, 3);
    [0, 0, 0].into_iter().for_each(|value| bits.put_ue(value));
    bits.put(0b100, 3);
    end(bits)
}

/// A slice that is the whole picture (§7.3.3, §7.3.4).
fn slice(picture: &Picture, previous: Option<&Picture>, info: FrameInfo) -> Vec<u8> {
    let mut bits = BitWriter::default();
    slice_header(&mut bits, previous.is_none(), info);
    let [columns, rows] = [picture.width, picture.height].map(|side| side.div_ceil(MACROBLOCK));
    let mut skipped = 0;
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        if let Some(previous) = previous {
            if picture.macroblock(column, row).eq(previous.macroblock(column, row)) {
                skipped += 1;
                continue;
            }
            bits.put_ue(std::mem::take(&mut skipped));
        }
        bits.put_ue(if previous.is_some() { I_PCM + 5 } else { I_PCM });
        bits.align();
        picture.macroblock(column, row).for_each(|samples| bits.put_bytes(samples));
    }
    if skipped > 0 {
        bits.put_ue(skipped);
    }
    end(bits)
}

fn slice_header(bits: &mut BitWriter, is_keyframe: bool, info: FrameInfo) {
    let since_keyframe = info.number % info.keyframe_interval;
    bits.put_ue(0);
    // slice_type: all slices of the picture are I (7) or P (5).
    bits.put_ue(if is_keyframe { 7 } else { 5 });
    bits.put_ue(0);
    bits.put(since_keyframe as u32, FRAME_NUM_BITS);
    if is_keyframe {
        // idr_pic_id differs between keyframes that follow one another; then dec_ref_pic_marking.
        bits.put_ue((info.number / info.keyframe_interval % 2) as u32);
        bits.put(0, 2);
    } else {
        // One reference, its list as it is; dec_ref_pic_marking: sliding window.
        bits.put(0, 3);
    }
    bits.put_ue(0);
    // disable_deblocking_filter_idc: samples stay as they are.
    bits.put_ue(1);
}

/// SEI user_data_unregistered (§D.1.7).
fn stamp(info: FrameInfo) -> Vec<u8> {
    let mut payload = STAMP_UUID.to_vec();
    payload.extend_from_slice(&info.number.to_be_bytes());
    payload.extend_from_slice(&info.unix_ms.to_be_bytes());
    let mut bits = BitWriter::default();
    bits.put_bytes(&[5, payload.len() as u8]);
    bits.put_bytes(&payload);
    end(bits)
}

/// rbsp_trailing_bits (§7.3.2.11).
fn end(mut bits: BitWriter) -> Vec<u8> {
    bits.put(1, 1);
    bits.into_bytes()
}

/// A NAL unit with emulation prevention: after two bytes 0 a byte up to 3 gets a 3 before it (§7.4.1).
fn nal_unit(header: u8, rbsp: &[u8]) -> Vec<u8> {
    let mut unit = Vec::with_capacity(rbsp.len() + 64);
    unit.push(header);
    let mut zeros = 0;
    for &byte in rbsp {
        if zeros >= 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}
