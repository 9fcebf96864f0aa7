//! What a payload is: its track, and whether it configures a decoder, can be decoded by itself, or needs what came before.
//!
//! ```text
//! video, old   frame type UB4 (< 8) · codec UB4 · if codec is 7, 12, 13: packet type UI8     0 Config, 1 frame, 2 End
//! video, new   1 · frame type UB3 · packet type UB4        0, 5 Config · 1, 3 frame · 2 End · others Data
//! audio, old   format UB4 · … UB4 · if format is 10: packet type UI8                         0 Config, 1 frame
//! audio, new   9 UB4 · packet type UB4                     0, 4 Config · 1 frame · 2 End
//! ```
//!
//! Looks at the first byte or two, and further only where ModEx or Multitrack come first: cheap enough for each message.
//! Does not look into the records of codecs or into frames, and does not check that the rest of the payload is whole.

use super::audio::AudioTag;
use super::header::packet_type;
use super::types::{AAC, EX_AUDIO, EX_VIDEO, audio_packet, frame_type, has_packet_type, old_packet, video_packet};
use super::video::VideoTag;
use crate::proto::message::message_type;

/// The track of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// Audio messages (type 8).
    Audio,
    /// Video messages (type 9).
    Video,
}

/// What a payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The configuration of a decoder: a sequence header, or the order of the channels (MultichannelConfig), without which
    /// some codecs' frames are as useless. In a multitrack payload that of all tracks in it.
    Config,
    /// Coded video with which decoding can begin.
    Keyframe,
    /// Other coded video, or coded sound.
    Frame,
    /// The end of a sequence; nothing else.
    End,
    /// Everything else: data messages, metadata in a video message, commands to the player, an empty payload (which stands
    /// for silence in audio), what is unknown.
    Data,
}

impl Kind {
    /// Whether it holds coded sound or pictures.
    #[inline]
    pub fn is_coded(self) -> bool {
        matches!(self, Kind::Keyframe | Kind::Frame)
    }
}

/// What a payload is; made once, where a message is taken out of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Class {
    /// Its track; `None` for data messages, and for what is left of a broken aggregate.
    pub track: Option<Track>,
    /// What it holds.
    pub kind: Kind,
}

impl Class {
    /// Data that belongs to no track.
    pub const DATA: Self = Self { track: None, kind: Kind::Data };

    /// Classifies the payload of a message, or the body of an FLV tag, of this type (see [`message_type`]).
    ///
    /// ```
    /// use rtmpcat::proto::media::{Class, Kind, Track};
    /// use rtmpcat::proto::message::message_type;
    ///
    /// let keyframe = Class::of(message_type::VIDEO, &[0x17, 1, 0, 0, 0, 0x65]);
    /// assert_eq!(keyframe, Class { track: Some(Track::Video), kind: Kind::Keyframe });
    /// assert_eq!(Class::of(message_type::AUDIO, &[0xAF, 0, 0x12, 0x10]).kind, Kind::Config);
    /// ```
    #[inline]
    pub fn of(message_type_id: u8, payload: &[u8]) -> Self {
        match message_type_id {
            message_type::AUDIO => Self { track: Some(Track::Audio), kind: audio_kind(payload) },
            message_type::VIDEO => Self { track: Some(Track::Video), kind: video_kind(payload) },
            _ => Self::DATA,
        }
    }

    /// Whether it is audio or video, not a data message.
    #[inline]
    pub fn is_media(self) -> bool {
        self.track.is_some()
    }

    /// The track whose coded sound or pictures it holds.
    #[inline]
    pub fn frame_track(self) -> Option<Track> {
        self.track.filter(|_| self.kind.is_coded())
    }

    /// Whether decoding of video can begin here.
    #[inline]
    pub fn is_keyframe(self) -> bool {
        self.kind == Kind::Keyframe
    }
}

#[inline]
fn video_kind(payload: &[u8]) -> Kind {
    let Some(&first) = payload.first() else { return Kind::Data };
    let frame = if first >> 4 & 7 == frame_type::KEY { Kind::Keyframe } else { Kind::Frame };
    if first & EX_VIDEO != 0 {
        return match ex_video_packet_type(payload) {
            Some(video_packet::SEQUENCE_START | video_packet::MPEG2_TS_SEQUENCE_START) => Kind::Config,
            Some(video_packet::CODED_FRAMES | video_packet::CODED_FRAMES_X) => frame,
            Some(video_packet::SEQUENCE_END) => Kind::End,
            _ => Kind::Data,
        };
    }
    if first >> 4 == frame_type::COMMAND {
        return Kind::Data;
    }
    if !has_packet_type(first & 15) {
        return frame;
    }
    match payload.get(1) {
        Some(&old_packet::SEQUENCE_HEADER) => Kind::Config,
        Some(&old_packet::CODED) => frame,
        Some(&old_packet::END) => Kind::End,
        _ => Kind::Data,
    }
}

#[inline]
fn audio_kind(payload: &[u8]) -> Kind {
    match *payload {
        [first, ..] if first >> 4 == EX_AUDIO => match packet_type(payload, audio_packet::MULTITRACK) {
            Some(audio_packet::SEQUENCE_START | audio_packet::MULTICHANNEL_CONFIG) => Kind::Config,
            Some(audio_packet::CODED_FRAMES) => Kind::Frame,
            Some(audio_packet::SEQUENCE_END) => Kind::End,
            _ => Kind::Data,
        },
        [first, ref rest @ ..] if first >> 4 == AAC => match rest.first() {
            Some(&old_packet::SEQUENCE_HEADER) => Kind::Config,
            Some(&old_packet::CODED) => Kind::Frame,
            _ => Kind::Data,
        },
        [_, ..] => Kind::Frame,
        [] => Kind::Data,
    }
}

/// The packet type of an enhanced video payload. `None`: a command, or unknown. Metadata with the frame type of
/// commands is no command, but nothing that is asked about here either.
#[inline]
fn ex_video_packet_type(payload: &[u8]) -> Option<u8> {
    let command = payload.first()? >> 4 & 7 == frame_type::COMMAND;
    if command { None } else { packet_type(payload, video_packet::MULTITRACK) }
}

/// What a sequence header of video configures: its packet type, and its track number, the first one where it is about
/// several. A stream may have one header of each. `None`: unknown.
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

/// Whether a video payload holds coded frames with which decoding can begin.
#[inline]
pub fn is_video_keyframe(payload: &[u8]) -> bool {
    video_kind(payload) == Kind::Keyframe
}

/// Whether a video payload holds the configuration of a decoder.
#[inline]
pub fn is_video_sequence_header(payload: &[u8]) -> bool {
    video_kind(payload) == Kind::Config
}

/// Whether an audio payload holds the configuration of a decoder, or the order of the channels.
#[inline]
pub fn is_audio_sequence_header(payload: &[u8]) -> bool {
    audio_kind(payload) == Kind::Config
}

/// Whether a video payload holds coded frames.
#[inline]
pub fn is_video_coded(payload: &[u8]) -> bool {
    video_kind(payload).is_coded()
}

/// Whether an audio payload holds coded sound. An empty payload, which stands for silence, does not.
#[inline]
pub fn is_audio_coded(payload: &[u8]) -> bool {
    audio_kind(payload).is_coded()
}
