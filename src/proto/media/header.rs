//! What the enhanced headers of audio and video have in common: packet types, ModEx, Multitrack and FourCCs
//! (ExVideoTagHeader and ExAudioTagHeader of Enhanced RTMP v2).
//!
//! ```text
//! ModEx        size−1 UI8, or FF and size−1 UI16 · data · kind UB4 · packet type UB4 (again ModEx, or what follows)
//! Multitrack   kind UB4 · packet type UB4 · [FourCC] · ( [FourCC] · track UI8 · [size UI24] · packet )+
//! ```
//!
//! Does not know what the packet types of audio or video mean.

use crate::proto::bytes::{Cursor, u24};
use crate::proto::{Layer, ProtocolError};
use std::fmt;

/// Packet type ModEx, the same for audio and video.
pub(super) const MOD_EX: u8 = 7;

/// ModEx entries in one payload, at the most. One kind is defined and useful once, so this is generous.
pub const MAX_MOD_EX: usize = 16;
/// Tracks in one payload, at the most: as many as there are track numbers. Without it a large message could hold millions.
pub const MAX_TRACKS: usize = 256;

/// The packet type of an enhanced payload after its ModEx entries, in a multitrack payload that of the tracks. `multitrack`
/// is the number of the packet type Multitrack, which is not the same for audio and video. None: the payload ends before, it
/// is of a kind of multitrack that is not defined, or it has more ModEx entries than [`MAX_MOD_EX`].
#[inline]
pub(super) fn packet_type(payload: &[u8], multitrack: u8) -> Option<u8> {
    let kind = payload.first()? & 15;
    if kind == MOD_EX || kind == multitrack { nested_packet_type(payload, multitrack) } else { Some(kind) }
}

/// Kept apart, so that the rest is small enough to be inlined.
#[inline(never)]
fn nested_packet_type(payload: &[u8], multitrack: u8) -> Option<u8> {
    let (first, mut rest) = payload.split_first()?;
    let mut kind = first & 15;
    let mut entries = 0;
    while kind == MOD_EX {
        let (_, next, behind) = split_mod_ex(rest)?;
        entries += 1;
        if entries > MAX_MOD_EX {
            return None;
        }
        kind = next;
        rest = behind;
    }
    if kind != multitrack {
        return Some(kind);
    }
    let byte = rest.first()?;
    let inner = byte & 15;
    (Multitrack::of(byte >> 4).is_some() && inner != multitrack && inner != MOD_EX).then_some(inner)
}

/// Splits a ModEx entry off: the entry, the packet type after it, and what follows.
fn split_mod_ex(bytes: &[u8]) -> Option<(ModEx<'_>, u8, &[u8])> {
    let (size, rest) = match *bytes {
        [0xff, high, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])) + 1, rest),
        [0xff, ..] | [] => return None,
        [size, ref rest @ ..] => (usize::from(size) + 1, rest),
    };
    let (data, rest) = rest.split_at_checked(size)?;
    let (last, rest) = rest.split_first()?;
    Some((ModEx { kind: last >> 4, data }, last & 15, rest))
}

/// An extension of a packet: something about it that stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModEx<'a> {
    /// Its kind, 0 to 15; see [`ModEx::TIMESTAMP_OFFSET_NANO`].
    pub kind: u8,
    /// Its data, 1 to 65536 bytes.
    pub data: &'a [u8],
}

impl ModEx<'_> {
    /// The one kind that is defined: nanoseconds to be added to the timestamp.
    pub const TIMESTAMP_OFFSET_NANO: u8 = 0;

    /// How many nanoseconds after its timestamp the packet is to be presented, 0 to 999 999. None: it is not about that, or
    /// out of this range.
    pub fn timestamp_offset_ns(&self) -> Option<u32> {
        match *self.data {
            [a, b, c, ..] if self.kind == Self::TIMESTAMP_OFFSET_NANO => {
                Some(u24([a, b, c])).filter(|ns| *ns < 1_000_000)
            }
            _ => None,
        }
    }
}

/// The ModEx entries of a payload, at most [`MAX_MOD_EX`]: iterates over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModExList<'a> {
    /// Whole entries.
    rest: &'a [u8],
}

impl<'a> ModExList<'a> {
    /// No entries.
    pub(super) const NONE: Self = Self { rest: &[] };

    /// Whether there is none left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The entries as they stand in the payload.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// How many nanoseconds after its timestamp the payload is to be presented; 0 if it does not say.
    pub fn timestamp_offset_ns(self) -> u32 {
        self.filter_map(|entry| entry.timestamp_offset_ns()).last().unwrap_or(0)
    }
}

impl<'a> Iterator for ModExList<'a> {
    type Item = ModEx<'a>;

    fn next(&mut self) -> Option<ModEx<'a>> {
        let (entry, _, rest) = split_mod_ex(self.rest)?;
        self.rest = rest;
        Some(entry)
    }
}

/// How the tracks of a multitrack payload are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multitrack {
    /// One track, which takes the rest of the payload.
    OneTrack,
    /// Tracks of one codec, with their sizes.
    ManyTracks,
    /// Tracks with their codecs and sizes.
    ManyTracksManyCodecs,
}

impl Multitrack {
    pub(super) fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::OneTrack),
            1 => Some(Self::ManyTracks),
            2 => Some(Self::ManyTracksManyCodecs),
            _ => None,
        }
    }
}

/// Four characters that name a codec.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// H.264.
    pub const AVC: Self = Self(*b"avc1");
    /// H.265.
    pub const HEVC: Self = Self(*b"hvc1");
    /// H.266.
    pub const VVC: Self = Self(*b"vvc1");
    /// AV1.
    pub const AV1: Self = Self(*b"av01");
    /// VP8.
    pub const VP8: Self = Self(*b"vp08");
    /// VP9.
    pub const VP9: Self = Self(*b"vp09");
    /// AAC.
    pub const AAC: Self = Self(*b"mp4a");
    /// AC-3.
    pub const AC3: Self = Self(*b"ac-3");
    /// E-AC-3.
    pub const EAC3: Self = Self(*b"ec-3");
    /// Opus.
    pub const OPUS: Self = Self(*b"Opus");
    /// MP3.
    pub const MP3: Self = Self(*b".mp3");
    /// FLAC.
    pub const FLAC: Self = Self(*b"fLaC");

    /// The video codecs of Enhanced RTMP v2.
    pub const VIDEO: [Self; 6] = [Self::AVC, Self::HEVC, Self::VVC, Self::AV1, Self::VP8, Self::VP9];
    /// The audio codecs of Enhanced RTMP v2.
    pub const AUDIO: [Self; 6] = [Self::AAC, Self::OPUS, Self::FLAC, Self::AC3, Self::EAC3, Self::MP3];

    /// The number that `videocodecid` and `audiocodecid` of onMetaData have for it: its bytes, the first one highest.
    pub fn number(self) -> u32 {
        u32::from_be_bytes(self.0)
    }

    /// What the codec is called, if it is one of [`FourCc::VIDEO`] or [`FourCc::AUDIO`].
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::AVC => "H.264",
            Self::HEVC => "H.265",
            Self::VVC => "H.266",
            Self::AV1 => "AV1",
            Self::VP8 => "VP8",
            Self::VP9 => "VP9",
            Self::AAC => "AAC",
            Self::AC3 => "AC-3",
            Self::EAC3 => "E-AC-3",
            Self::OPUS => "Opus",
            Self::MP3 => "MP3",
            Self::FLAC => "FLAC",
            _ => return None,
        })
    }
}

/// The four characters; what is not printable as `\x..`.
impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

/// An enhanced header, taken apart.
pub(super) struct Ex<'a> {
    /// The packet type, never ModEx or Multitrack.
    pub kind: u8,
    pub mod_ex: ModExList<'a>,
    pub multitrack: Option<Multitrack>,
    /// All that is left.
    pub body: Body<'a>,
}

pub(super) enum Body<'a> {
    /// At least one and at most [`MAX_TRACKS`] tracks.
    Tracks(RawTracks<'a>),
    /// A command to the player, of one byte.
    Command(u8),
}

/// Takes an enhanced payload apart. `is_command` says of a packet type whether a command takes the place of the packet.
pub(super) fn parse<'a>(
    payload: &'a [u8],
    multitrack: u8,
    is_command: impl Fn(u8) -> bool,
) -> Result<Ex<'a>, ProtocolError> {
    let mut reader = Reader::new(payload);
    let mut kind = reader.u8("a tag header")? & 15;
    let behind_first = reader.rest();
    let mut entries = 0;
    while kind == MOD_EX {
        if entries == MAX_MOD_EX {
            return Err(reader.error("no more ModEx entries", "one more"));
        }
        let Some((_, next, rest)) = split_mod_ex(reader.rest()) else { return Err(reader.short("a ModEx entry")) };
        entries += 1;
        kind = next;
        reader.continue_at(rest);
    }
    let (mod_ex, _) = behind_first.split_at_checked(behind_first.len() - reader.rest().len()).unwrap_or_default();
    let mod_ex = ModExList { rest: mod_ex };
    if is_command(kind) {
        return Ok(Ex { kind, mod_ex, multitrack: None, body: Body::Command(reader.u8("a command")?) });
    }
    let mut layout = None;
    if kind == multitrack {
        let byte = reader.u8("a kind of multitrack")?;
        kind = byte & 15;
        layout = Multitrack::of(byte >> 4);
        if layout.is_none() {
            return Err(reader.before(1).error("a kind of multitrack from 0 to 2", format!("{}", byte >> 4)));
        }
        if kind == multitrack || kind == MOD_EX {
            return Err(reader.before(1).error("a packet type that tracks can have", format!("{kind}")));
        }
    }
    let codec = match layout {
        Some(Multitrack::ManyTracksManyCodecs) => None,
        _ => Some(reader.fourcc()?),
    };
    let tracks = RawTracks { layout, codec, rest: Some(reader.rest()) };
    let mut count = 0;
    while let Some(rest) = reader.unread_of(layout, count) {
        reader.continue_at(rest);
        if count == MAX_TRACKS {
            return Err(reader.error("no more tracks", "one more"));
        }
        reader.track(layout, codec)?;
        count += 1;
    }
    Ok(Ex { kind, mod_ex, multitrack: layout, body: Body::Tracks(tracks) })
}

/// A track of an enhanced payload, whatever its packet type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawTrack<'a> {
    /// 0 where the payload is not a multitrack one.
    pub id: u8,
    pub codec: FourCc,
    pub bytes: &'a [u8],
}

/// The tracks of a payload in which they have been found to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawTracks<'a> {
    layout: Option<Multitrack>,
    codec: Option<FourCc>,
    rest: Option<&'a [u8]>,
}

impl RawTracks<'_> {
    /// No tracks.
    pub const NONE: Self = Self { layout: None, codec: None, rest: None };
}

impl<'a> Iterator for RawTracks<'a> {
    type Item = RawTrack<'a>;

    fn next(&mut self) -> Option<RawTrack<'a>> {
        let mut reader = Reader::new(self.rest.take()?);
        let track = reader.track(self.layout, self.codec).ok()?;
        self.rest = reader.unread_of(self.layout, 1);
        Some(track)
    }
}

/// A cursor over a payload.
pub(super) struct Reader<'a>(Cursor<'a>);

impl<'a> Reader<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        Self(Cursor::new(Layer::Media, payload))
    }

    pub fn fourcc(&mut self) -> Result<FourCc, ProtocolError> {
        self.array("a FourCC").map(FourCc)
    }

    /// A composition time, SI24, in milliseconds.
    pub fn composition_time_ms(&mut self) -> Result<i32, ProtocolError> {
        self.i24("a composition time")
    }

    /// The next track of a multitrack payload, or the whole rest of another one.
    fn track(&mut self, layout: Option<Multitrack>, codec: Option<FourCc>) -> Result<RawTrack<'a>, ProtocolError> {
        let codec = match codec {
            Some(codec) => codec,
            None => self.fourcc()?,
        };
        let id = if layout.is_some() { self.u8("the number of a track")? } else { 0 };
        let size = match layout {
            None | Some(Multitrack::OneTrack) => self.rest().len(),
            Some(_) => self.u24("the size of a track")? as usize,
        };
        Ok(RawTrack { id, codec, bytes: self.take(size, "a track of the size it has")? })
    }

    /// What is left for another track when `count` have been read: everything at first; later nothing unless tracks have
    /// sizes.
    fn unread_of(&self, layout: Option<Multitrack>, count: usize) -> Option<&'a [u8]> {
        let sized = !matches!(layout, None | Some(Multitrack::OneTrack));
        (count == 0 || (sized && !self.is_at_end())).then_some(self.rest())
    }
}

impl<'a> std::ops::Deref for Reader<'a> {
    type Target = Cursor<'a>;

    fn deref(&self) -> &Cursor<'a> {
        &self.0
    }
}

impl std::ops::DerefMut for Reader<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
