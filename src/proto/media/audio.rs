//! Audio payloads in full (E.4.2; ExAudioTagHeader and ExAudioTagBody of Enhanced RTMP v2).
//!
//! ```text
//! SequenceStart       AudioSpecificConfig (mp4a), ID header (Opus), "fLaC" and STREAMINFO (fLaC)
//! CodedFrames         frames
//! SequenceEnd         nothing
//! MultichannelConfig  order UI8 · channels UI8 · if order is 1: mask UI32, if it is 2: a speaker UI8 for each channel
//! ```
//!
//! Does not look into the records of codecs or into frames.

#[cfg(test)]
mod tests;

use super::header::{Body, FourCc, ModExList, Multitrack, RawTracks, Reader, parse};
use super::types::{AAC, EX_AUDIO, audio_packet, old_packet};
use crate::proto::{Layer, ProtocolError};
use std::fmt;

/// An audio payload, taken apart; it borrows what it does not look into.
///
/// A payload of the old form is one with a single track, whose packet type is [`AudioPacket::CodedFrames`] where the codec
/// has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTag<'a> {
    /// The sound parameters of the old header; `None` if the header is that of Enhanced RTMP, or there is none.
    pub sound: Option<Sound>,
    /// What it holds, the same for all tracks.
    pub packet: AudioPacket,
    /// Extensions.
    pub mod_ex: ModExList<'a>,
    /// How the tracks are laid out, if it is a multitrack payload.
    pub multitrack: Option<Multitrack>,
    tracks: AudioTracks<'a>,
}

/// What an audio payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioPacket {
    /// Configuration of the decoder.
    SequenceStart,
    /// Frames.
    CodedFrames,
    /// The stream ends; nothing else.
    SequenceEnd,
    /// Which channel is for which speaker, see [`AudioTrack::channels`].
    MultichannelConfig,
    /// Nothing, not even a header: silence until sound comes again. There are no tracks.
    Silence,
}

/// The header of the old form (E.4.2.1), as it stands. AAC always has 44100 Hz, 16 bits and two channels there, whatever its
/// configuration says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// Format, 0 to 15 but not 9.
    pub format: u8,
    /// Samples in a second: 5512, 11025, 22050 or 44100. Formats 4, 5 and 14 have rates in their names that stand above it.
    pub rate_hz: u32,
    /// Bits of a sample: 8 or 16.
    pub sample_bits: u8,
    /// Channels: 1 or 2.
    pub channels: u8,
}

/// The codec of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudioCodec {
    /// The sound format of the old form, 0 to 15 but not 9.
    Format(u8),
    /// The name of the enhanced one.
    FourCc(FourCc),
}

/// One track of an audio payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTrack<'a> {
    /// Its number; 0 in payloads that are not multitrack ones.
    pub id: u8,
    /// Its codec.
    pub codec: AudioCodec,
    /// The record, the frames or the order of the channels, as the packet type says.
    pub body: &'a [u8],
}

/// Which channel is for which speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels<'a> {
    /// How many there are.
    pub count: u8,
    /// In which order.
    pub order: ChannelOrder<'a>,
}

/// The order of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelOrder<'a> {
    /// 0: only their number is known.
    Unspecified,
    /// 1: that of the bits of this mask: 0 front left, 1 front right, 2 front centre, 3 low frequency, …
    Native(u32),
    /// 2: for each channel the number of the bit it would have in a mask; 0xfe an unused one, 0xff not known.
    Custom(&'a [u8]),
    /// Not defined.
    Reserved(u8),
}

/// The tracks of an audio payload: iterates over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTracks<'a> {
    old: Option<AudioTrack<'a>>,
    raw: RawTracks<'a>,
}

impl<'a> AudioTag<'a> {
    /// Takes an audio payload apart.
    ///
    /// # Errors
    /// It ends too early, a packet type or kind of multitrack is not defined, or there are more ModEx entries or tracks than
    /// [`MAX_MOD_EX`](super::MAX_MOD_EX) and [`MAX_TRACKS`](super::MAX_TRACKS) allow.
    pub fn parse(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        match payload.first() {
            Some(first) if first >> 4 == EX_AUDIO => Self::parse_enhanced(payload),
            Some(first) => Self::parse_old(payload, *first),
            None => Ok(Self::single(None, AudioPacket::Silence, None)),
        }
    }

    fn parse_enhanced(payload: &'a [u8]) -> Result<Self, ProtocolError> {
        let header = parse(payload, audio_packet::MULTITRACK, |_| false)?;
        let raw = match header.body {
            Body::Tracks(raw) => raw,
            Body::Command(_) => RawTracks::NONE,
        };
        Ok(Self {
            sound: None,
            packet: AudioPacket::of(header.kind)?,
            mod_ex: header.mod_ex,
            multitrack: header.multitrack,
            tracks: AudioTracks { old: None, raw },
        })
    }

    fn parse_old(payload: &'a [u8], first: u8) -> Result<Self, ProtocolError> {
        let mut reader = Reader::new(payload);
        reader.u8("an audio tag header")?;
        let sound = Sound::of(first);
        let packet = match sound.format {
            AAC => match reader.u8("a packet type")? {
                old_packet::SEQUENCE_HEADER => AudioPacket::SequenceStart,
                old_packet::CODED => AudioPacket::CodedFrames,
                other => return Err(reader.before(1).error("a packet type from 0 to 1", format!("{other}"))),
            },
            _ => AudioPacket::CodedFrames,
        };
        let track = AudioTrack { id: 0, codec: AudioCodec::Format(sound.format), body: reader.rest() };
        Ok(Self::single(Some(sound), packet, Some(track)))
    }

    fn single(sound: Option<Sound>, packet: AudioPacket, old: Option<AudioTrack<'a>>) -> Self {
        let tracks = AudioTracks { old, raw: RawTracks::NONE };
        Self { sound, packet, mod_ex: ModExList::NONE, multitrack: None, tracks }
    }

    /// Whether the header is that of Enhanced RTMP.
    pub fn is_enhanced(&self) -> bool {
        self.sound.is_none() && self.packet != AudioPacket::Silence
    }

    /// Its tracks: one unless it is a multitrack payload, none if it is [`AudioPacket::Silence`].
    pub fn tracks(&self) -> AudioTracks<'a> {
        self.tracks
    }

    /// Whether it holds coded sound.
    pub fn is_coded(&self) -> bool {
        self.packet == AudioPacket::CodedFrames
    }

    /// Whether it holds the configuration of a decoder or the order of the channels.
    pub fn is_sequence_header(&self) -> bool {
        matches!(self.packet, AudioPacket::SequenceStart | AudioPacket::MultichannelConfig)
    }
}

impl<'a> AudioTrack<'a> {
    /// What an [`AudioPacket::MultichannelConfig`] says.
    ///
    /// # Errors
    /// The body ends too early.
    pub fn channels(&self) -> Result<Channels<'a>, ProtocolError> {
        let mut reader = Reader::new(self.body);
        let order = reader.u8("an order of channels")?;
        let count = reader.u8("a number of channels")?;
        let order = match order {
            0 => ChannelOrder::Unspecified,
            1 => ChannelOrder::Native(reader.u32("a mask of channels")?),
            2 => ChannelOrder::Custom(reader.take(count.into(), "a speaker for each channel")?),
            other => ChannelOrder::Reserved(other),
        };
        Ok(Channels { count, order })
    }
}

impl<'a> Iterator for AudioTracks<'a> {
    type Item = AudioTrack<'a>;

    fn next(&mut self) -> Option<AudioTrack<'a>> {
        self.old.take().or_else(|| {
            let raw = self.raw.next()?;
            Some(AudioTrack { id: raw.id, codec: AudioCodec::FourCc(raw.codec), body: raw.bytes })
        })
    }
}

impl Sound {
    fn of(byte: u8) -> Self {
        Self {
            format: byte >> 4,
            rate_hz: match byte >> 2 & 3 {
                0 => 5_512,
                1 => 11_025,
                2 => 22_050,
                _ => 44_100,
            },
            sample_bits: if byte & 2 == 0 { 8 } else { 16 },
            channels: 1 + (byte & 1),
        }
    }
}

impl AudioPacket {
    /// The packet type of an enhanced payload.
    fn of(number: u8) -> Result<Self, ProtocolError> {
        Ok(match number {
            audio_packet::SEQUENCE_START => Self::SequenceStart,
            audio_packet::CODED_FRAMES => Self::CodedFrames,
            audio_packet::SEQUENCE_END => Self::SequenceEnd,
            audio_packet::MULTICHANNEL_CONFIG => Self::MultichannelConfig,
            other => {
                let expected = "a packet type of 0, 1, 2, 4, 5 or 7";
                return Err(ProtocolError::new(Layer::Media, 0, expected, format!("{other}")));
            }
        })
    }
}

impl AudioCodec {
    /// The number that `audiocodecid` of onMetaData has for it: the sound format, or the FourCC as a number.
    pub fn number(self) -> u32 {
        match self {
            Self::Format(format) => format.into(),
            Self::FourCc(codec) => codec.number(),
        }
    }
}

/// What the codec is called; one that has no name by its number or FourCC.
impl fmt::Display for AudioCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::Format(0 | 3) => "PCM",
            Self::Format(1) => "ADPCM",
            Self::Format(2 | 14) => "MP3",
            Self::Format(4..=6) => "Nellymoser",
            Self::Format(7) => "G.711 A-law",
            Self::Format(8) => "G.711 µ-law",
            Self::Format(AAC) => "AAC",
            Self::Format(11) => "Speex",
            Self::Format(other) => return write!(f, "sound format {other}"),
            Self::FourCc(codec) => match codec.name() {
                Some(name) => name,
                None => return codec.fmt(f),
            },
        })
    }
}
