//! Bytes of a capture file → packets: pcapng, and the older pcap.
//!
//! ```text
//! pcapng   Section Header · ( Interface Description │ Enhanced Packet │ others )*      0A 0D 0D 0A
//! pcap     header · ( time · lengths · packet )*                                       A1 B2 C3 D4, in either order
//! ```
//!
//! Simple Packets, which have no time, and the obsolete Packet Block are passed over.

use std::time::Duration;

use pcap_file::pcap::PcapParser;
use pcap_file::pcapng::PcapNgParser;
use pcap_file::pcapng::blocks::ENHANCED_PACKET_BLOCK;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::{Endianness, PcapError, TsResolution};

/// A packet of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it was captured, since 1970.
    pub time: Duration,
    /// What kind of frame it is, see [`super::segment`].
    pub link_type: u32,
    /// The frame, as far as it was captured.
    pub frame: &'a [u8],
}

/// Errors of a capture file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Not a capture file.
    #[error("this is neither a pcapng nor a pcap file")]
    Unknown,
    /// The file is damaged.
    #[error("the capture is damaged at byte {offset}: {reason}")]
    Damaged {
        /// Where, from its beginning.
        offset: u64,
        /// In words.
        reason: String,
    },
    /// The file is truncated.
    #[error("the capture breaks off in the block at byte {offset}")]
    Short {
        /// Where that begins.
        offset: u64,
    },
    /// The length of a block is above the limit.
    #[error("the capture is damaged at byte {offset}: a block of more than {MAX_BLOCK} bytes")]
    TooLong {
        /// Where, from its beginning.
        offset: u64,
    },
}

/// A file that is being read.
#[derive(Debug, Default)]
pub struct File {
    kind: Kind,
    /// What was fed and not used up.
    rest: Vec<u8>,
    start: usize,
    offset: u64,
}

#[derive(Default)]
enum Kind {
    #[default]
    Unknown,
    PcapNg(PcapNgParser),
    Pcap(PcapParser),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "Unknown",
            Self::PcapNg(_) => "PcapNg",
            Self::Pcap(_) => "Pcap",
        })
    }
}

impl File {
    /// The next bytes of the file. Shows the packets that they complete to `take`.
    ///
    /// # Errors
    /// It cannot be read any further.
    pub fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(Packet<'_>)) -> Result<(), FileError> {
        self.rest.drain(..std::mem::take(&mut self.start));
        self.rest.extend_from_slice(bytes);
        loop {
            let rest = self.rest.get(self.start..).unwrap_or_default();
            let left = match self.kind.next(rest, &mut take) {
                Ok(left) => left,
                Err(PcapError::IncompleteBuffer) if rest.len() > MAX_BLOCK => {
                    return Err(FileError::TooLong { offset: self.offset });
                }
                Err(PcapError::IncompleteBuffer) => return Ok(()),
                Err(_) if matches!(self.kind, Kind::Unknown) => return Err(FileError::Unknown),
                Err(error) => {
                    return Err(FileError::Damaged { offset: self.offset, reason: error.to_string() });
                }
            };
            let used = rest.len() - left;
            self.start += used;
            self.offset += used as u64;
        }
    }

    /// The end of the file.
    ///
    /// # Errors
    /// It should not be: a block is not whole, or there is none.
    pub fn finish(&self) -> Result<(), FileError> {
        match self.rest.len() - self.start {
            _ if matches!(self.kind, Kind::Unknown) => Err(FileError::Unknown),
            0 => Ok(()),
            _ => Err(FileError::Short { offset: self.offset }),
        }
    }
}

impl Kind {
    /// Reads one block. Returns how many bytes are left.
    fn next(&mut self, bytes: &[u8], take: &mut impl FnMut(Packet<'_>)) -> Result<usize, PcapError> {
        match self {
            Self::Unknown => {
                let Some(magic) = bytes.first_chunk::<4>() else { return Err(PcapError::IncompleteBuffer) };
                let left = if *magic == PCAPNG {
                    let (left, parser) = PcapNgParser::new(bytes)?;
                    *self = Self::PcapNg(parser);
                    left
                } else {
                    let (left, parser) = PcapParser::new(bytes)?;
                    *self = Self::Pcap(parser);
                    left
                };
                Ok(left.len())
            }
            Self::PcapNg(parser) => {
                let (left, raw) = parser.next_raw_block(bytes)?;
                // Other blocks hold nothing that is wanted here, and may be damaged.
                if raw.type_ == ENHANCED_PACKET_BLOCK
                    && let Some((interface, units, frame)) = enhanced_packet(&raw.body, parser.section().endianness)
                    && let Some(interface) = parser.interfaces().get(interface)
                {
                    take(Packet { time: time(interface, units), link_type: u32::from(interface.linktype), frame });
                }
                Ok(left.len())
            }
            Self::Pcap(parser) => {
                let header = parser.header();
                let (left, raw) = parser.next_raw_packet(bytes)?;
                let unit = if header.ts_resolution == TsResolution::MicroSecond { 1000 } else { 1 };
                let time = Duration::from_secs(raw.ts_sec.into()) + Duration::from_nanos(u64::from(raw.ts_frac) * unit);
                take(Packet { time, link_type: u32::from(header.datalink), frame: &raw.data });
                Ok(left.len())
            }
        }
    }
}

/// Interface, time in its units, and frame. Options are not looked at.
fn enhanced_packet(body: &[u8], endianness: Endianness) -> Option<(usize, u64, &[u8])> {
    let (head, rest) = body.split_first_chunk::<20>()?;
    let number = |at: usize| {
        let bytes = *head.get(at..)?.first_chunk::<4>()?;
        Some(if endianness == Endianness::Big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let units = u64::from(number(4)?) << 32 | u64::from(number(8)?);
    Some((number(0)? as usize, units, rest.get(..number(12)? as usize)?))
}

fn time(interface: &InterfaceDescriptionBlock<'_>, units: u64) -> Duration {
    let units = u128::from(units);
    let resolution = interface.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
        _ => None,
    });
    let offset_s = interface.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfTsOffset(offset) => Some(*offset),
        _ => None,
    });
    let nanoseconds = match resolution.unwrap_or(MICROSECONDS) {
        power @ ..=18 => units * 1_000_000_000 / 10u128.pow(power.into()),
        power @ 0x80.. => (units * 1_000_000_000) >> (power & 0x7f).min(127),
        _ => 0,
    };
    let time = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    time.saturating_add(Duration::from_secs(offset_s.unwrap_or_default()))
}

/// How a pcapng file begins.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Where an interface does not say otherwise times are in units of 10⁻⁶ s.
const MICROSECONDS: u8 = 6;

/// Longest block: packets have at most 256 KiB, and what else there may be (names, keys) is passed over.
const MAX_BLOCK: usize = 16 << 20;
