//! Link frames → TCP segments.
//!
//! ```text
//! Ethernet (VLAN tags passed over) │ Linux cooked 1, 2 │ BSD loopback │ none ─► IPv4 │ IPv6 (extensions passed over) ─► TCP
//! ```
//!
//! Fragments are not put together; checksums are not looked at (captures are full of ones that the card would have made).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Sender.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// Number of its first byte, or of its SYN.
    pub sequence: u32,
    /// It opens the connection; with `ack` it answers that.
    pub syn: bool,
    /// It acknowledges something.
    pub ack: bool,
    /// The sender has no more to say.
    pub fin: bool,
    /// The connection is broken off.
    pub reset: bool,
    /// Its data, as far as it was captured.
    pub data: &'a [u8],
    /// Bytes of data that were not captured.
    pub missing: usize,
}

/// The link types that are known, as in pcap files.
mod link {
    pub const BSD_LOOPBACK: u32 = 0;
    pub const ETHERNET: u32 = 1;
    /// RAW, by the numbers that systems have for it.
    pub const RAW: [u32; 5] = [12, 14, 101, 228, 229];
    pub const OPENBSD_LOOPBACK: u32 = 108;
    pub const LINUX_COOKED: u32 = 113;
    pub const LINUX_COOKED_2: u32 = 276;
}

/// Whether frames of this link type can be read.
pub fn is_known_link(link_type: u32) -> bool {
    use link::*;
    [BSD_LOOPBACK, ETHERNET, OPENBSD_LOOPBACK, LINUX_COOKED, LINUX_COOKED_2].contains(&link_type)
        || RAW.contains(&link_type)
}

/// The TCP segment in a frame, if it holds one.
pub fn parse(link_type: u32, frame: &[u8]) -> Option<Segment<'_>> {
    let packet = match link_type {
        link::ETHERNET => after_ethernet(frame)?,
        link::LINUX_COOKED => frame.get(16..)?,
        link::LINUX_COOKED_2 => frame.get(20..)?,
        link::BSD_LOOPBACK | link::OPENBSD_LOOPBACK => frame.get(4..)?,
        other if link::RAW.contains(&other) => frame,
        _ => return None,
    };
    match packet.first()? >> 4 {
        4 => ipv4(packet),
        6 => ipv6(packet),
        _ => None,
    }
}

fn after_ethernet(frame: &[u8]) -> Option<&[u8]> {
    let mut rest = frame.get(12..)?;
    for _ in 0..=MAX_VLAN_TAGS {
        let (kind, behind) = rest.split_first_chunk::<2>()?;
        match u16::from_be_bytes(*kind) {
            0x0800 | 0x86dd => return Some(behind),
            0x8100 | 0x88a8 | 0x9100 => rest = behind.get(2..)?,
            _ => return None,
        }
    }
    None
}

fn ipv4(packet: &[u8]) -> Option<Segment<'_>> {
    let header = packet.first_chunk::<20>()?;
    let [first, _, l1, l0, _, _, f1, f0, _, protocol, ..] = *header;
    let header_bytes = usize::from(first & 15) * 4;
    let fragment = u16::from_be_bytes([f1, f0]) & 0x3fff;
    if protocol != TCP || fragment != 0 || header_bytes < 20 {
        return None;
    }
    let address = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?).into());
    let total = usize::from(u16::from_be_bytes([l1, l0]));
    tcp(address(12)?, address(16)?, packet.get(header_bytes..)?, total.checked_sub(header_bytes))
}

fn ipv6(packet: &[u8]) -> Option<Segment<'_>> {
    let header = packet.first_chunk::<40>()?;
    let [_, _, _, _, l1, l0, mut next, ..] = *header;
    let mut length = usize::from(u16::from_be_bytes([l1, l0])).checked_sub(0).filter(|length| *length > 0);
    let mut rest = packet.get(40..)?;
    for _ in 0..MAX_EXTENSIONS {
        if next == TCP {
            let address = |at: usize| Some(Ipv6Addr::from(*packet.get(at..)?.first_chunk::<16>()?).into());
            return tcp(address(8)?, address(24)?, rest, length);
        }
        if !matches!(next, HOP_BY_HOP | ROUTING | DESTINATION) {
            return None;
        }
        let [after, size, ..] = *rest.first_chunk::<8>()?;
        let size = (usize::from(size) + 1) * 8;
        next = after;
        rest = rest.get(size..)?;
        length = length.map(|length| length.saturating_sub(size));
    }
    None
}

/// `length`: bytes of the whole segment, if the packet says so (those that a card was to cut up do not).
fn tcp(from: IpAddr, to: IpAddr, bytes: &[u8], length: Option<usize>) -> Option<Segment<'_>> {
    let header = bytes.first_chunk::<20>()?;
    let [p1, p0, q1, q0, s3, s2, s1, s0, _, _, _, _, offset, flags, ..] = *header;
    let header_bytes = usize::from(offset >> 4) * 4;
    let length = length.unwrap_or(bytes.len()).max(header_bytes);
    // Ethernet pads short frames.
    let bytes = bytes.get(..length).unwrap_or(bytes);
    let data = bytes.get(header_bytes..).filter(|_| header_bytes >= 20)?;
    Some(Segment {
        from: SocketAddr::new(from, u16::from_be_bytes([p1, p0])),
        to: SocketAddr::new(to, u16::from_be_bytes([q1, q0])),
        sequence: u32::from_be_bytes([s3, s2, s1, s0]),
        syn: flags & 2 != 0,
        ack: flags & 16 != 0,
        fin: flags & 1 != 0,
        reset: flags & 4 != 0,
        data,
        missing: length - header_bytes - data.len(),
    })
}

/// Numbers of protocols in IP headers.
const TCP: u8 = 6;
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const DESTINATION: u8 = 60;

/// VLAN tags in one another that are passed over.
const MAX_VLAN_TAGS: usize = 3;

/// Extension headers of IPv6 that are passed over.
const MAX_EXTENSIONS: usize = 8;
