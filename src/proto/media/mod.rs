//! What stands at the beginning of audio and video messages (§7.1.4, §7.1.5): the tag headers of FLV (E.4.2, E.4.3) and
//! those of Enhanced RTMP v1 and v2.
//!
//! ```text
//! video, old   frame type UB4 (< 8) · codec UB4 · if codec is 7, 12, 13: packet type UI8 · composition time SI24
//! video, new   1 · frame type UB3 · packet type UB4 · ModEx* · either of
//!                command UI8                                             (frame type 5, packet type not Metadata)
//!                FourCC · packet
//!                kind UB4 · packet type UB4 · [FourCC] · ( [FourCC] · track UI8 · [size UI24] · packet )+   (Multitrack)
//! audio, old   format UB4 (≠ 9) · rate UB2 · size UB1 · channels UB1 · if format is 10: packet type UI8
//! audio, new   9 UB4 · packet type UB4 · ModEx* · FourCC · packet, or Multitrack as above
//! ModEx        size−1 UI8, or FF and size−1 UI16 · data · kind UB4 · packet type UB4 (again ModEx, or what follows)
//! ```
//!
//! The functions of this file are asked about each message and look at its first byte or two; only ModEx and Multitrack make
//! them look further. [`VideoTag`] and [`AudioTag`] take a payload apart in full; `legacy.rs` puts it into other forms.
//! Neither the records of codecs nor frames are looked into.

mod audio;
mod header;
mod legacy;
mod video;

#[cfg(test)]
mod tests;

pub use audio::{AudioCodec, AudioPacket, AudioTag, AudioTrack, AudioTracks, ChannelOrder, Channels, Sound};
pub use header::{FourCc, MAX_MOD_EX, MAX_TRACKS, ModEx, ModExList, Multitrack};
pub use legacy::{Rewrite, audio_to_legacy, select_audio_track, select_video_track, video_to_legacy};
pub use video::{FrameType, VideoCodec, VideoCommand, VideoPacket, VideoTag, VideoTrack, VideoTracks};

use header::packet_type;

/// Bit of the first byte of a video payload: the header is the enhanced one.
const EX_VIDEO: u8 = 0x80;
/// Sound format that says that the header of an audio payload is the enhanced one.
const EX_AUDIO: u8 = 9;
/// Sound format AAC, the only old one with a packet type.
const AAC: u8 = 10;

/// Frame types (E.4.3.1) that make a difference.
mod frame_type {
    pub const KEY: u8 = 1;
    pub const COMMAND: u8 = 5;
}

/// Packet types of enhanced video payloads.
mod video_packet {
    pub const SEQUENCE_START: u8 = 0;
    pub const CODED_FRAMES: u8 = 1;
    pub const SEQUENCE_END: u8 = 2;
    pub const CODED_FRAMES_X: u8 = 3;
    pub const METADATA: u8 = 4;
    pub const MPEG2_TS_SEQUENCE_START: u8 = 5;
    pub const MULTITRACK: u8 = 6;
}

/// Packet types of enhanced audio payloads.
mod audio_packet {
    pub const SEQUENCE_START: u8 = 0;
    pub const CODED_FRAMES: u8 = 1;
    pub const SEQUENCE_END: u8 = 2;
    pub const MULTICHANNEL_CONFIG: u8 = 4;
    pub const MULTITRACK: u8 = 5;
}

/// Packet types of AVC and AAC payloads of the old form.
mod old_packet {
    pub const SEQUENCE_HEADER: u8 = 0;
    pub const CODED: u8 = 1;
    /// End of sequence, AVC only.
    pub const END: u8 = 2;
}

/// Whether a video payload holds the beginning of something that can be decoded without what came before: coded frames of
/// frame type 1. A sequence header is none, whatever its frame type.
#[inline]
pub fn is_video_keyframe(payload: &[u8]) -> bool {
    payload.first().is_some_and(|byte| byte >> 4 & 7 == frame_type::KEY) && is_video_coded(payload)
}

/// Whether a video payload holds the configuration of a decoder, in a multitrack payload those of the tracks in it. Codecs
/// of the old form other than AVC (7), HEVC (12) and AV1 (13, both unofficial) have none.
#[inline]
pub fn is_video_sequence_header(payload: &[u8]) -> bool {
    match *payload {
        [byte, ..] if byte & EX_VIDEO != 0 => matches!(
            ex_video_packet_type(payload),
            Some(video_packet::SEQUENCE_START | video_packet::MPEG2_TS_SEQUENCE_START)
        ),
        [byte, old_packet::SEQUENCE_HEADER, ..] => has_packet_type(byte & 15) && byte >> 4 != frame_type::COMMAND,
        _ => false,
    }
}

/// Whether an audio payload holds the configuration of a decoder: a sequence header, or the order of the channels
/// (MultichannelConfig), without which some codecs' frames are as useless. Codecs of the old form other than AAC have none.
#[inline]
pub fn is_audio_sequence_header(payload: &[u8]) -> bool {
    match *payload {
        [byte, ..] if byte >> 4 == EX_AUDIO => matches!(
            packet_type(payload, audio_packet::MULTITRACK),
            Some(audio_packet::SEQUENCE_START | audio_packet::MULTICHANNEL_CONFIG)
        ),
        [byte, old_packet::SEQUENCE_HEADER, ..] => byte >> 4 == AAC,
        _ => false,
    }
}

/// What a sequence header of video configures: its packet type, and its track, the first one where it is about several. A
/// stream may have one header of each. None: it cannot be told.
pub fn video_header_slot(payload: &[u8]) -> Option<(u8, u8)> {
    let tag = VideoTag::parse(payload).ok()?;
    let kind = if tag.enhanced { ex_video_packet_type(payload)? } else { video_packet::SEQUENCE_START };
    Some((kind, tag.tracks().next()?.id))
}

/// As [`video_header_slot`], of audio, whose sequence headers are of two kinds (SequenceStart and MultichannelConfig).
pub fn audio_header_slot(payload: &[u8]) -> Option<(u8, u8)> {
    let tag = AudioTag::parse(payload).ok()?;
    let kind =
        if tag.is_enhanced() { packet_type(payload, audio_packet::MULTITRACK)? } else { audio_packet::SEQUENCE_START };
    Some((kind, tag.tracks().next()?.id))
}

/// Whether a video payload holds coded frames: no sequence header, end of sequence, metadata, or command to the player.
#[inline]
pub fn is_video_coded(payload: &[u8]) -> bool {
    match *payload {
        [byte, ..] if byte & EX_VIDEO != 0 => {
            matches!(ex_video_packet_type(payload), Some(video_packet::CODED_FRAMES | video_packet::CODED_FRAMES_X))
        }
        [byte, ..] if byte >> 4 == frame_type::COMMAND => false,
        [byte, ref rest @ ..] if has_packet_type(byte & 15) => rest.first() == Some(&old_packet::CODED),
        [_, ..] => true,
        [] => false,
    }
}

/// Whether an audio payload holds coded sound. An empty payload, which stands for silence, does not.
#[inline]
pub fn is_audio_coded(payload: &[u8]) -> bool {
    match *payload {
        [byte, ..] if byte >> 4 == EX_AUDIO => {
            packet_type(payload, audio_packet::MULTITRACK) == Some(audio_packet::CODED_FRAMES)
        }
        [byte, ref rest @ ..] if byte >> 4 == AAC => rest.first() == Some(&old_packet::CODED),
        [_, ..] => true,
        [] => false,
    }
}

/// Whether a packet type follows the first byte of a video payload of the old form: AVC, and the codecs that some servers
/// number as if they were AVC, HEVC (12) and AV1 (13).
#[inline]
fn has_packet_type(codec: u8) -> bool {
    matches!(codec, 7 | 12 | 13)
}

/// The packet type of an enhanced video payload. None: a command, or it cannot be told. Metadata of this frame type is no
/// command, but nothing that is asked about here either.
#[inline]
fn ex_video_packet_type(payload: &[u8]) -> Option<u8> {
    let command = payload.first()? >> 4 & 7 == frame_type::COMMAND;
    if command { None } else { packet_type(payload, video_packet::MULTITRACK) }
}
