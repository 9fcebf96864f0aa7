//! Payloads in another form: one track out of many, and H.264 and AAC with the tag headers from before Enhanced RTMP (E.4.2,
//! E.4.3).
//!
//! ```text
//! one track    first byte, ModEx as they are · last packet type: that of the tracks · FourCC · the track's bytes
//! avc1         frame type UB4, 7 UB4 · 0 start, 1 frames, 2 end · composition time SI24 · record or frames
//! mp4a         AF · 0 start, 1 frames · record or frames
//! ```
//!
//! Does not change timestamps: nanoseconds of a ModEx are lost where it is taken off.

#[cfg(test)]
mod tests;

use super::audio::{AudioCodec, AudioPacket, AudioTag};
use crate::proto::bytes::u24_bytes;

use super::header::{Body, Ex, FourCc, parse};
use super::types::{AAC, EX_AUDIO, EX_VIDEO, audio_packet, frame_type, old_packet, video_packet};
use super::video::{VideoCodec, VideoPacket, VideoTag};

/// What became of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrite {
    /// It is what was asked for already; nothing was appended.
    Same,
    /// The payload in the form that was asked for was appended.
    Rewritten,
    /// Nothing in it can be said in that form, or belongs to that track: it can be left out.
    Nothing,
    /// It cannot be had in that form: another codec, several tracks, or it is broken.
    Impossible,
}

/// Appends the old form of an enhanced video payload of H.264 (`avc1`) to `out`. Colour metadata and commands to the player
/// are [`Rewrite::Nothing`]; multitrack payloads and other codecs are [`Rewrite::Impossible`].
pub fn video_to_legacy(payload: &[u8], out: &mut Vec<u8>) -> Rewrite {
    if payload.first().is_none_or(|byte| byte & EX_VIDEO == 0) {
        return Rewrite::Same;
    }
    let (Some(first), Ok(tag)) = (payload.first(), VideoTag::parse(payload)) else { return Rewrite::Impossible };
    let packet = match tag.packet {
        VideoPacket::SequenceStart => old_packet::SEQUENCE_HEADER,
        VideoPacket::CodedFrames | VideoPacket::CodedFramesX => old_packet::CODED,
        VideoPacket::SequenceEnd => old_packet::END,
        VideoPacket::Metadata | VideoPacket::Command(_) => return Rewrite::Nothing,
        VideoPacket::Mpeg2TsSequenceStart => return Rewrite::Impossible,
    };
    match tag.tracks().next() {
        Some(track) if tag.multitrack.is_none() && track.codec == VideoCodec::FourCc(FourCc::AVC) => {
            let [a, b, c] = u24_bytes(track.composition_time_ms.cast_unsigned());
            out.extend_from_slice(&[first & 0x70 | AVC, packet, a, b, c]);
            out.extend_from_slice(track.body);
            Rewrite::Rewritten
        }
        _ => Rewrite::Impossible,
    }
}

/// Appends the old form of an enhanced audio payload of AAC (`mp4a`) to `out`. Ends of sequence and orders of channels are
/// [`Rewrite::Nothing`]; multitrack payloads and other codecs are [`Rewrite::Impossible`].
pub fn audio_to_legacy(payload: &[u8], out: &mut Vec<u8>) -> Rewrite {
    if payload.first().is_none_or(|byte| byte >> 4 != EX_AUDIO) {
        return Rewrite::Same;
    }
    let Ok(tag) = AudioTag::parse(payload) else { return Rewrite::Impossible };
    let Some(track) = tag.tracks().next() else { return Rewrite::Impossible };
    if tag.multitrack.is_some() || track.codec != AudioCodec::FourCc(FourCc::AAC) {
        return Rewrite::Impossible;
    }
    let packet = match tag.packet {
        AudioPacket::SequenceStart => old_packet::SEQUENCE_HEADER,
        AudioPacket::CodedFrames => old_packet::CODED,
        AudioPacket::SequenceEnd | AudioPacket::MultichannelConfig | AudioPacket::Silence => return Rewrite::Nothing,
    };
    // 44100 Hz, 16 bits, stereo: what E.4.2.1 wants for AAC, whatever it really has.
    out.extend_from_slice(&[AAC << 4 | 0x0f, packet]);
    out.extend_from_slice(track.body);
    Rewrite::Rewritten
}

/// Appends what a multitrack video payload has for track `id` to `out`, as an enhanced payload of a single track. Other
/// payloads are those of track 0; commands to the player are for all tracks. What the packets hold is not looked into, so those
/// of types that are not defined yet are selected as well.
pub fn select_video_track(payload: &[u8], id: u8, out: &mut Vec<u8>) -> Rewrite {
    let Some(first) = payload.first() else { return Rewrite::Same };
    if first & EX_VIDEO == 0 {
        return if id == 0 || first >> 4 == frame_type::COMMAND { Rewrite::Same } else { Rewrite::Nothing };
    }
    let command = |kind| first >> 4 & 7 == frame_type::COMMAND && kind != video_packet::METADATA;
    parse(payload, video_packet::MULTITRACK, command).map_or(Rewrite::Impossible, |ex| select(payload, &ex, id, out))
}

/// As [`select_video_track`], of audio. Silence is for all tracks.
pub fn select_audio_track(payload: &[u8], id: u8, out: &mut Vec<u8>) -> Rewrite {
    match payload.first() {
        None => Rewrite::Same,
        Some(first) if first >> 4 == EX_AUDIO => parse(payload, audio_packet::MULTITRACK, |_| false)
            .map_or(Rewrite::Impossible, |ex| select(payload, &ex, id, out)),
        Some(_) if id == 0 => Rewrite::Same,
        Some(_) => Rewrite::Nothing,
    }
}

fn select(payload: &[u8], ex: &Ex<'_>, id: u8, out: &mut Vec<u8>) -> Rewrite {
    let Body::Tracks(mut tracks) = ex.body else { return Rewrite::Same };
    let Some(track) = tracks.find(|track| track.id == id) else { return Rewrite::Nothing };
    if ex.multitrack.is_none() {
        return Rewrite::Same;
    }
    // The packet type Multitrack stands in the first byte or, where there are ModEx entries, in the last byte of the last.
    let before = 1 + ex.mod_ex.bytes().len();
    let Some((last, head)) = payload.get(..before).and_then(<[u8]>::split_last) else { return Rewrite::Impossible };
    out.extend_from_slice(head);
    out.push(last & 0xf0 | ex.kind);
    out.extend_from_slice(&track.codec.0);
    out.extend_from_slice(track.bytes);
    Rewrite::Rewritten
}

/// AVC's number in the old form.
const AVC: u8 = 7;
