//! Video payloads in full (E.4.3; ExVideoTagHeader and ExVideoTagBody of Enhanced RTMP v2).
//!
//! ```text
//! SequenceStart         configuration record: avcC, hvcC, vvcC, av1C, vpcC
//! CodedFrames           composition time SI24 (avc1, hvc1, vvc1 only) · frames
//! CodedFramesX          frames, composition time 0
//! SequenceEnd           nothing
//! Metadata              ( name, value )* in AMF 0; one is defined, "colorInfo"
//! MPEG2TSSequenceStart  AV1 video descriptor
//! command               UI8: 0 a seek begins, 1 it ends
//! ```
//!
//! Does not look into the records of codecs or into frames.

use super::header::{Body, FourCc, ModExList, Multitrack, RawTracks, Reader, parse};
use super::types::{EX_VIDEO, frame_type, has_packet_type, old_packet, video_packet};
use crate::proto::{Layer, ProtocolError, amf0};
use std::fmt;

/// A video payload, taken apart; it borrows what it does not look into.
///
/// A payload of the old form is one with a single track, whose packet type is [`VideoPacket::CodedFrames`] where the codec
/// has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoTag<'a> {
    /// Whether the header is that of Enhanced RTMP.
    pub enhanced: bool,
    /// Frame type; without meaning in [`VideoPacket::Metadata`].
    pub frame_type: FrameType,
    /// What it holds, the same for all tracks.
    pub packet: VideoPacket,
    /// Extensions.
    pub mod_ex: ModExList<'a>,
    /// How the tracks are laid out, if it is a multitrack payload.
    pub multitrack: Option<Multitrack>,
    tracks: VideoTracks<'a>,
}

/// Frame type (E.4.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// 1: decoding can begin here.
    Key,
    /// 2: needs those before it.
    Inter,
    /// 3: nothing needs it (H.263).
    DisposableInter,
    /// 4: a keyframe that a server made up.
    GeneratedKey,
    /// 5: not a frame but a command to the player.
    Command,
    /// 0, 6, 7: not defined.
    Reserved(u8),
}

/// What a video payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoPacket {
    /// Configuration of the decoder.
    SequenceStart,
    /// Frames.
    CodedFrames,
    /// The stream ends; nothing else.
    SequenceEnd,
    /// Frames whose composition time is 0 and left out.
    CodedFramesX,
    /// Named values, see [`VideoTrack::metadata`].
    Metadata,
    /// Configuration as in an MPEG-2 transport stream.
    Mpeg2TsSequenceStart,
    /// A command to the player; there are no tracks.
    Command(VideoCommand),
}

/// A command to the player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoCommand {
    /// 0: the frames that follow are on the way to the point that was sought, and are not to be shown.
    SeekStart,
    /// 1: that point is reached.
    SeekEnd,
    /// Not defined.
    Reserved(u8),
}

/// The codec of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VideoCodec {
    /// The number of the old form, 0 to 15.
    Number(u8),
    /// The name of the enhanced one.
    FourCc(FourCc),
}

/// One track of a video payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoTrack<'a> {
    /// Its number; 0 in payloads that are not multitrack ones.
    pub id: u8,
    /// Its codec.
    pub codec: VideoCodec,
    /// Presentation time less decoding time in milliseconds, −2²³ to 2²³ − 1; 0 where it has none.
    pub composition_time_ms: i32,
    /// The record, the frames or the metadata, as the packet type says.
    pub body: &'a [u8],
}

/// The tracks of a video payload: iterates over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoTracks<'a> {
    old: Option<VideoTrack<'a>>,
    raw: RawTracks<'a>,
    packet: VideoPacket,
}

impl<'a> VideoTag<'a> {
    /// Takes a video payload apart.
    ///
    /// # Errors
    /// It ends too early, a packet type or kind of multitrack is not defined, or there are more ModEx entries or tracks than
    /// [`MAX_MOD_EX`](super::MAX_MOD_EX) and [`MAX_TRACKS`](super::MAX_TRACKS) allow.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let first = Reader::new(payload).u8("a video tag header")?;
        if first & EX_VIDEO != 0 { Self::parse_enhanced(payload, first) } else { Self::parse_old(payload, first) }
    }

    fn parse_enhanced(payload: &'a [u8], first: u8) -> Result<Self, ProtocolError> {
        let frame_type = FrameType::of(first >> 4 & 7);
        let is_command = |kind| frame_type == FrameType::Command && kind != video_packet::METADATA;
        let header = parse(payload, video_packet::MULTITRACK, is_command)?;
        let (packet, raw) = match header.body {
            Body::Command(number) => (VideoPacket::Command(VideoCommand::of(number)), RawTracks::NONE),
            Body::Tracks(raw) => (VideoPacket::of(header.kind)?, raw),
        };
        for track in raw {
            VideoTrack::split(track.codec, packet, Reader::new(track.bytes))?;
        }
        Ok(Self {
            enhanced: true,
            frame_type,
            packet,
            mod_ex: header.mod_ex,
            multitrack: header.multitrack,
            tracks: VideoTracks { old: None, raw, packet },
        })
    }

    fn parse_old(payload: &'a [u8], first: u8) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        reader.u8("a video tag header")?;
        let codec = first & 15;
        let mut composition_time_ms = 0;
        let packet = if first >> 4 == frame_type::COMMAND {
            VideoPacket::Command(VideoCommand::of(reader.u8("a command")?))
        } else if has_packet_type(codec) {
            match reader.u8("a packet type")? {
                old_packet::SEQUENCE_HEADER => {
                    reader.composition_time_ms()?;
                    VideoPacket::SequenceStart
                }
                old_packet::CODED => {
                    composition_time_ms = reader.composition_time_ms()?;
                    VideoPacket::CodedFrames
                }
                // Nothing of it is missed where the composition time is.
                old_packet::END => {
                    let _ = reader.composition_time_ms();
                    VideoPacket::SequenceEnd
                }
                other => return Err(reader.before(1).error("a packet type from 0 to 2", format!("{other}"))),
            }
        } else {
            VideoPacket::CodedFrames
        };
        let track = VideoTrack { id: 0, codec: VideoCodec::Number(codec), composition_time_ms, body: reader.rest() };
        let old = (!matches!(packet, VideoPacket::Command(_))).then_some(track);
        Ok(Self {
            enhanced: false,
            frame_type: FrameType::of(first >> 4),
            packet,
            mod_ex: ModExList::NONE,
            multitrack: None,
            tracks: VideoTracks { old, raw: RawTracks::NONE, packet },
        })
    }

    /// Its tracks: one unless it is a multitrack payload, none if it is a command.
    pub fn tracks(&self) -> VideoTracks<'a> {
        self.tracks
    }

    /// Whether it holds coded frames.
    pub fn is_coded(&self) -> bool {
        matches!(self.packet, VideoPacket::CodedFrames | VideoPacket::CodedFramesX)
    }

    /// Whether it holds coded frames with which decoding can begin.
    pub fn is_keyframe(&self) -> bool {
        self.frame_type == FrameType::Key && self.is_coded()
    }

    /// Whether it holds the configuration of a decoder.
    pub fn is_sequence_header(&self) -> bool {
        matches!(self.packet, VideoPacket::SequenceStart | VideoPacket::Mpeg2TsSequenceStart)
    }
}

impl<'a> VideoTrack<'a> {
    /// Named values of a [`VideoPacket::Metadata`]. One name is defined: `colorInfo`, whose value replaces the one before;
    /// Undefined or an empty object takes it back.
    ///
    /// # Errors
    /// The body is not AMF 0, or not names and values in turn.
    pub fn metadata(&self) -> Result<Vec<(String, amf0::Value)>, ProtocolError> {
        let mut values = amf0::decode_all(self.body)?.into_iter();
        let mut pairs = Vec::new();
        while let Some(name) = values.next() {
            match (name, values.next()) {
                (amf0::Value::String(name), Some(value)) => pairs.push((name, value)),
                (amf0::Value::String(name), None) => {
                    let end = self.body.len() as u64;
                    return Err(ProtocolError::new(Layer::Media, end, format!("the value of {name:?}"), "the end"));
                }
                (other, _) => return Err(ProtocolError::new(Layer::Media, 0, "a name", other.describe())),
            }
        }
        Ok(pairs)
    }

    /// Composition time and body of an enhanced packet.
    fn split(codec: FourCc, packet: VideoPacket, mut reader: Reader<'a>) -> Result<(i32, &'a [u8]), ProtocolError> {
        let timed = matches!(codec, FourCc::AVC | FourCc::HEVC | FourCc::VVC) && packet == VideoPacket::CodedFrames;
        let time = if timed { reader.composition_time_ms()? } else { 0 };
        Ok((time, reader.rest()))
    }
}

impl<'a> Iterator for VideoTracks<'a> {
    type Item = VideoTrack<'a>;

    fn next(&mut self) -> Option<VideoTrack<'a>> {
        if let Some(track) = self.old.take() {
            return Some(track);
        }
        let raw = self.raw.next()?;
        let (composition_time_ms, body) = VideoTrack::split(raw.codec, self.packet, Reader::new(raw.bytes)).ok()?;
        Some(VideoTrack { id: raw.id, codec: VideoCodec::FourCc(raw.codec), composition_time_ms, body })
    }
}

impl FrameType {
    fn of(number: u8) -> Self {
        match number {
            frame_type::KEY => Self::Key,
            2 => Self::Inter,
            3 => Self::DisposableInter,
            4 => Self::GeneratedKey,
            frame_type::COMMAND => Self::Command,
            other => Self::Reserved(other),
        }
    }
}

impl VideoPacket {
    /// The packet type of an enhanced payload.
    fn of(number: u8) -> Result<Self, ProtocolError> {
        Ok(match number {
            video_packet::SEQUENCE_START => Self::SequenceStart,
            video_packet::CODED_FRAMES => Self::CodedFrames,
            video_packet::SEQUENCE_END => Self::SequenceEnd,
            video_packet::CODED_FRAMES_X => Self::CodedFramesX,
            video_packet::METADATA => Self::Metadata,
            video_packet::MPEG2_TS_SEQUENCE_START => Self::Mpeg2TsSequenceStart,
            other => {
                return Err(ProtocolError::new(Layer::Media, 0, "a packet type from 0 to 7", format!("{other}")));
            }
        })
    }
}

impl VideoCommand {
    fn of(number: u8) -> Self {
        match number {
            0 => Self::SeekStart,
            1 => Self::SeekEnd,
            other => Self::Reserved(other),
        }
    }
}

impl VideoCodec {
    /// The number that `videocodecid` of onMetaData has for it: that of the old form, or the FourCC as a number.
    pub fn number(self) -> u32 {
        match self {
            Self::Number(number) => number.into(),
            Self::FourCc(codec) => codec.number(),
        }
    }
}

/// What the codec is called; one that has no name by its number or FourCC.
impl fmt::Display for VideoCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::Number(2) => "Sorenson H.263",
            Self::Number(3) => "Screen Video",
            Self::Number(4) => "VP6",
            Self::Number(5) => "VP6 with alpha",
            Self::Number(6) => "Screen Video 2",
            Self::Number(7) => "H.264",
            Self::Number(12) => "H.265",
            Self::Number(13) => "AV1",
            Self::Number(other) => return write!(f, "video codec {other}"),
            Self::FourCc(codec) => match codec.name() {
                Some(name) => name,
                None => return codec.fmt(f),
            },
        })
    }
}
