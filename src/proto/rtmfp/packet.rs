//! Datagrams, packets and chunks (RFC 7016 §2.2.2, §2.2.4, §2.3).
//!
//! ```text
//! datagram   UI32 scrambled session ID │ ciphertext …
//!            session ID = scrambled ⊕ ciphertext[0..4] ⊕ ciphertext[4..8]
//! packet     UI8 flags │ UI16 timestamp, if flagged │ UI16 timestamp echo, if flagged │ chunks …
//!            flags: 80 time critical · 40 time critical reverse · 08 timestamp · 04 echo · 03 mode
//! chunk      UI8 type │ UI16 length │ payload
//! ```
//!
//! Does not decipher. Timestamps count 4 ms, modulo 2¹⁶.

use super::codec::{PacketReader, put_vlu};

/// Types of chunks (§2.3).
pub mod chunk_type {
    /// Session ping.
    pub const PING: u8 = 0x01;
    /// Session close request.
    pub const CLOSE_REQUEST: u8 = 0x0c;
    /// User data.
    pub const USER_DATA: u8 = 0x10;
    /// User data of the flow of the chunk before it, next in sequence.
    pub const NEXT_USER_DATA: u8 = 0x11;
    /// Asks for an acknowledgement of a flow.
    pub const BUFFER_PROBE: u8 = 0x18;
    /// Initiator hello.
    pub const INITIATOR_HELLO: u8 = 0x30;
    /// Initiator initial keying.
    pub const INITIATOR_KEYING: u8 = 0x38;
    /// Session ping reply.
    pub const PING_REPLY: u8 = 0x41;
    /// Session close acknowledgement.
    pub const CLOSE_ACKNOWLEDGEMENT: u8 = 0x4c;
    /// Acknowledgement of a flow, as a bitmap.
    pub const ACK_BITMAP: u8 = 0x50;
    /// Acknowledgement of a flow, as ranges.
    pub const ACK_RANGES: u8 = 0x51;
    /// The receiver rejects a flow.
    pub const FLOW_EXCEPTION: u8 = 0x5e;
    /// Responder hello.
    pub const RESPONDER_HELLO: u8 = 0x70;
    /// Other addresses to try.
    pub const REDIRECT: u8 = 0x71;
    /// Responder initial keying.
    pub const RESPONDER_KEYING: u8 = 0x78;
    /// Another cookie for the keying.
    pub const COOKIE_CHANGE: u8 = 0x79;
    /// Part of a packet.
    pub const FRAGMENT: u8 = 0x7f;
}

/// Who sent a packet (§2.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The session's initiator.
    Initiator,
    /// The session's responder.
    Responder,
    /// Either, before there is a session.
    Startup,
}

/// What stands before the chunks of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketHeader {
    /// Who sent it.
    pub mode: Mode,
    /// The sender's clock, in units of 4 ms.
    pub timestamp: Option<u16>,
    /// The receiver's clock, as it was in a packet from there and has gone on since.
    pub echo: Option<u16>,
}

impl PacketHeader {
    /// Reads the header; the cursor then stands at the chunks. `None`: too short, or the illegal mode 0.
    pub fn decode(packet: &mut PacketReader<'_>) -> Option<Self> {
        let flags = packet.u8()?;
        let mode = match flags & 3 {
            1 => Mode::Initiator,
            2 => Mode::Responder,
            3 => Mode::Startup,
            _ => return None,
        };
        let timestamp = if flags & TIMESTAMP != 0 { Some(packet.u16()?) } else { None };
        let echo = if flags & TIMESTAMP_ECHO != 0 { Some(packet.u16()?) } else { None };
        Some(Self { mode, timestamp, echo })
    }

    /// Appends the header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mode = match self.mode {
            Mode::Initiator => 1,
            Mode::Responder => 2,
            Mode::Startup => 3,
        };
        let flag = |part: Option<u16>, flag| if part.is_some() { flag } else { 0 };
        out.push(mode | flag(self.timestamp, TIMESTAMP) | flag(self.echo, TIMESTAMP_ECHO));
        for part in [self.timestamp, self.echo].into_iter().flatten() {
            out.extend_from_slice(&part.to_be_bytes());
        }
    }
}

/// The chunks of a packet: types and payloads, up to the padding or what cannot be a chunk.
pub fn chunks(packet: PacketReader<'_>) -> impl Iterator<Item = (u8, &[u8])> {
    let mut cursor = packet;
    std::iter::from_fn(move || {
        let kind = cursor.u8()?;
        let length = cursor.u16()?;
        Some((kind, cursor.bytes(length.into())?))
    })
}

/// Appends a chunk whose payload `write` appends; it must stay below 2¹⁶ bytes.
pub fn put_chunk(out: &mut Vec<u8>, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[kind, 0, 0]);
    let begin = out.len();
    write(out);
    let length = ((out.len() - begin) as u16).to_be_bytes();
    out.iter_mut().skip(begin - 2).zip(length).for_each(|(to, from)| *to = from);
}

/// Bytes of a chunk before its payload.
pub const CHUNK_HEADER: usize = 3;

/// The session ID of a datagram and its ciphertext (§2.2.2). `None`: there is no ciphertext.
pub fn unscramble(datagram: &[u8]) -> Option<(u32, &[u8])> {
    let (scrambled, ciphertext) = datagram.split_first_chunk::<4>()?;
    if ciphertext.is_empty() {
        return None;
    }
    Some((u32::from_be_bytes(*scrambled) ^ mask(ciphertext), ciphertext))
}

/// A datagram for the session with this ID at the receiver.
pub fn scramble(session_id: u32, ciphertext: &[u8]) -> Vec<u8> {
    let mut datagram = (session_id ^ mask(ciphertext)).to_be_bytes().to_vec();
    datagram.extend_from_slice(ciphertext);
    datagram
}

/// Bytes that are missing count as 0.
fn mask(ciphertext: &[u8]) -> u32 {
    let mut front = [0; 8];
    front.iter_mut().zip(ciphertext).for_each(|(to, from)| *to = *from);
    let [a, b, c, d, e, f, g, h] = front;
    u32::from_be_bytes([a, b, c, d]) ^ u32::from_be_bytes([e, f, g, h])
}

/// A part of a packet that was too large for one datagram (§2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentChunk<'a> {
    /// Whether more parts follow.
    pub more: bool,
    /// Which packet it is part of; numbers of one sender.
    pub packet_id: u64,
    /// Which part it is, from 0.
    pub number: u64,
    /// The bytes of the packet.
    pub bytes: &'a [u8],
}

impl<'a> FragmentChunk<'a> {
    /// Reads the payload of a chunk of type [`chunk_type::FRAGMENT`].
    pub fn decode(payload: &'a [u8]) -> Option<Self> {
        let mut cursor = PacketReader(payload);
        let more = cursor.u8()? & 0x80 != 0;
        Some(Self { more, packet_id: cursor.vlu()?, number: cursor.vlu()?, bytes: cursor.0 })
    }

    /// Appends the payload of a chunk of type [`chunk_type::FRAGMENT`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(if self.more { 0x80 } else { 0 });
        put_vlu(out, self.packet_id);
        put_vlu(out, self.number);
        out.extend_from_slice(self.bytes);
    }
}

/// Puts one fragmented packet together; fragments of another one replace what was held.
#[derive(Debug, Default)]
pub struct Assembler {
    packet_id: u64,
    parts: std::collections::BTreeMap<u64, Vec<u8>>,
    bytes: usize,
    last: Option<u64>,
}

impl Assembler {
    /// Takes a fragment; the whole packet, once it is complete.
    pub fn push(&mut self, fragment: &FragmentChunk<'_>) -> Option<Vec<u8>> {
        if self.parts.is_empty() || self.packet_id != fragment.packet_id {
            *self = Self { packet_id: fragment.packet_id, ..Self::default() };
        }
        if fragment.number >= MAX_PARTS || self.bytes + fragment.bytes.len() > MAX_PACKET {
            return None;
        }
        if !fragment.more {
            self.last = Some(fragment.number);
        }
        if self.parts.insert(fragment.number, fragment.bytes.to_vec()).is_none() {
            self.bytes += fragment.bytes.len();
        }
        let complete = self.last.is_some_and(|last| self.parts.range(..=last).count() as u64 == last + 1);
        complete.then(|| std::mem::take(self).parts.into_values().flatten().collect())
    }
}

/// Most bytes of a packet in fragments.
const MAX_PACKET: usize = 64 << 10;

/// Most fragments of a packet.
const MAX_PARTS: u64 = 256;

const TIMESTAMP: u8 = 0x08;
const TIMESTAMP_ECHO: u8 = 0x04;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_and_without_times() {
        for (bytes, header) in [
            (&[0x0d, 0x12, 0x34, 0x56, 0x78][..], (Mode::Initiator, Some(0x1234), Some(0x5678))),
            (&[0x0b, 0x12, 0x34], (Mode::Startup, Some(0x1234), None)),
            (&[0x02], (Mode::Responder, None, None)),
            (&[0x06, 0, 9], (Mode::Responder, None, Some(9))),
        ] {
            let header = PacketHeader { mode: header.0, timestamp: header.1, echo: header.2 };
            let mut out = Vec::new();
            header.encode(&mut out);
            assert_eq!(out, bytes);
            assert_eq!(PacketHeader::decode(&mut PacketReader(bytes)), Some(header));
            for end in 0..bytes.len() {
                assert_eq!(PacketHeader::decode(&mut PacketReader(&bytes[..end])), None);
            }
        }
        assert_eq!(PacketHeader::decode(&mut PacketReader(&[0x08, 0, 0])), None, "mode 0");
        // The reserved bits and those of time criticality make no difference.
        assert!(PacketHeader::decode(&mut PacketReader(&[0xf1])).is_some());
    }

    #[test]
    fn chunks_up_to_the_padding() {
        let mut packet = Vec::new();
        put_chunk(&mut packet, chunk_type::PING, |_| {});
        put_chunk(&mut packet, chunk_type::USER_DATA, |out| out.extend_from_slice(b"data"));
        assert_eq!(packet, b"\x01\0\0\x10\0\x04data");
        packet.extend_from_slice(&[0xff; 9]);
        let found: Vec<_> = chunks(PacketReader(&packet)).collect();
        assert_eq!(found, [(1, &b""[..]), (0x10, b"data")]);
        for end in 0..packet.len() {
            let whole = usize::from(end >= 3) + usize::from(end >= 10);
            assert_eq!(chunks(PacketReader(&packet[..end])).count(), whole, "{end}");
        }
    }

    #[test]
    fn session_ids_are_scrambled_with_what_is_there() {
        for ciphertext in [&[1, 2, 3, 4, 5, 6, 7, 8, 9][..], &[1, 2, 3, 4, 5, 6], &[1]] {
            let datagram = scramble(0xfeed_0001, ciphertext);
            assert_eq!(unscramble(&datagram), Some((0xfeed_0001, ciphertext)));
        }
        assert_eq!(scramble(0, &[1, 2, 3, 4, 5, 6, 7, 8])[..4], [4, 4, 4, 12]);
        assert_eq!(unscramble(&[1, 2, 3, 4]), None);
        assert_eq!(unscramble(&[]), None);
    }

    fn part<'a>(more: bool, packet_id: u64, number: u64, bytes: &'a [u8]) -> FragmentChunk<'a> {
        FragmentChunk { more, packet_id, number, bytes }
    }

    #[test]
    fn a_packet_in_parts_in_any_order() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(&part(false, 7, 2, b"ef")), None);
        assert_eq!(assembler.push(&part(true, 7, 0, b"ab")), None);
        assert_eq!(assembler.push(&part(true, 7, 0, b"ab")), None, "twice");
        assert_eq!(assembler.push(&part(true, 7, 1, b"cd")), Some(b"abcdef".to_vec()));
        // Another packet's parts do not mix with it.
        assert_eq!(assembler.push(&part(true, 8, 0, b"x")), None);
        assert_eq!(assembler.push(&part(false, 9, 1, b"y")), None);
        assert_eq!(assembler.push(&part(true, 9, 0, b"z")), Some(b"zy".to_vec()));
    }

    #[test]
    fn parts_have_golden_bytes_and_truncations_are_none() {
        let mut out = Vec::new();
        part(true, 200, 1, b"ab").encode(&mut out);
        assert_eq!(out, [0x80, 0x81, 0x48, 1, b'a', b'b']);
        assert_eq!(FragmentChunk::decode(&out), Some(part(true, 200, 1, b"ab")));
        for end in 0..4 {
            assert_eq!(FragmentChunk::decode(&out[..end]), None);
        }
    }

    #[test]
    fn parts_of_a_packet_are_bounded() {
        let mut assembler = Assembler::default();
        for number in 0..2000 {
            assembler.push(&part(true, 1, number, &[0; 1000]));
            assembler.push(&part(true, 1, u64::MAX - number, &[0; 1000]));
            assert!(assembler.bytes <= MAX_PACKET && assembler.parts.len() as u64 <= MAX_PARTS);
        }
    }
}
