//! The chunks of flows: user data and acknowledgements (RFC 7016 §2.3.11 to §2.3.16).
//!
//! ```text
//! User Data        UI8 flags │ VLU flow ID │ VLU sequence number │ VLU distance to the forward sequence number
//!                  │ options up to a marker, if flagged │ data …
//!                  flags: 80 options · 30 fragment (00 whole, 10 begin, 20 end, 30 middle) · 02 abandoned · 01 final
//! Next User Data   UI8 flags │ options, if flagged │ data …             the number after the chunk before it
//! options          00 metadata · 0a VLU flow ID that this flow answers
//! Ack Bitmap       VLU flow ID │ VLU free buffer, 1024 bytes │ VLU seen up to │ bits from that + 2 on, lowest first
//! Ack Ranges       the same three │ (VLU missing − 1 │ VLU seen − 1) …
//! Flow Exception   VLU flow ID │ VLU code
//! ```
//!
//! Does not keep anything: see `incoming` and `outgoing`.

use super::codec::{PacketReader, RawOption, put_option, put_vlu};
use super::ranges::Ranges;

/// Which part of a message a chunk carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its beginning.
    Begin,
    /// What comes between.
    Middle,
    /// Its end.
    End,
}

impl Part {
    fn of_flags(flags: u8) -> Self {
        match flags >> 4 & 3 {
            0 => Self::Whole,
            1 => Self::Begin,
            2 => Self::End,
            _ => Self::Middle,
        }
    }

    fn flags(self) -> u8 {
        match self {
            Self::Whole => 0x00,
            Self::Begin => 0x10,
            Self::End => 0x20,
            Self::Middle => 0x30,
        }
    }
}

/// A chunk of user data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserData<'a> {
    /// The flow, by its sender's number.
    pub flow_id: u64,
    /// Sequence number, from 1.
    pub sequence: u64,
    /// Up to here the receiver is to wait for nothing any more.
    pub forward: u64,
    /// Which part of a message it is.
    pub part: Part,
    /// The data was given up, there is none.
    pub is_abandoned: bool,
    /// Nothing comes after this number.
    pub is_final: bool,
    /// What is said about the flow while it is new.
    pub options: FlowOptions<'a>,
    /// The data.
    pub data: &'a [u8],
}

/// What is said about a flow while it is new.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowOptions<'a> {
    /// What the flow is for.
    pub metadata: Option<&'a [u8]>,
    /// The receiver's flow that it answers.
    pub association: Option<u64>,
    /// There is an option that must be understood and is not.
    pub has_unknown: bool,
}

impl<'a> UserData<'a> {
    /// Reads the payload of a chunk of type User Data.
    pub fn decode(payload: &'a [u8]) -> Option<Self> {
        let mut cursor = PacketReader(payload);
        let flags = cursor.u8()?;
        let (flow_id, sequence, distance) = (cursor.vlu()?, cursor.vlu()?, cursor.vlu()?);
        let forward = sequence.checked_sub(distance)?;
        if sequence == 0 || (distance == 0 && flags & ABANDONED == 0) {
            return None;
        }
        Self::decode_rest(cursor, flags, flow_id, sequence, forward)
    }

    /// Reads the payload of a chunk of type Next User Data, which directly follows `self` in its packet.
    pub fn decode_next<'b>(&self, payload: &'b [u8]) -> Option<UserData<'b>> {
        let mut cursor = PacketReader(payload);
        let flags = cursor.u8()?;
        UserData::decode_rest(cursor, flags, self.flow_id, self.sequence.checked_add(1)?, self.forward)
    }

    fn decode_rest(mut cursor: PacketReader<'a>, flags: u8, flow_id: u64, sequence: u64, forward: u64) -> Option<Self> {
        let options = if flags & OPTIONS != 0 { FlowOptions::decode(&mut cursor)? } else { FlowOptions::default() };
        Some(Self {
            flow_id,
            sequence,
            forward,
            part: Part::of_flags(flags),
            is_abandoned: flags & ABANDONED != 0,
            is_final: flags & FINAL != 0,
            options,
            data: cursor.0,
        })
    }

    /// Appends the payload of a chunk of type User Data.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let has_options = self.options != FlowOptions::default();
        let flag = |is_set, flag| if is_set { flag } else { 0 };
        out.push(
            self.part.flags()
                | flag(has_options, OPTIONS)
                | flag(self.is_abandoned, ABANDONED)
                | flag(self.is_final, FINAL),
        );
        put_vlu(out, self.flow_id);
        put_vlu(out, self.sequence);
        put_vlu(out, self.sequence - self.forward);
        if has_options {
            self.options.encode(out);
        }
        out.extend_from_slice(self.data);
    }
}

impl<'a> FlowOptions<'a> {
    /// Reads the list and its marker.
    fn decode(cursor: &mut PacketReader<'a>) -> Option<Self> {
        let mut found = Self::default();
        loop {
            match cursor.option()? {
                RawOption::Marker => return Some(found),
                RawOption::Value(0, metadata) => found.metadata = Some(metadata),
                RawOption::Value(0x0a, association) => found.association = Some(PacketReader(association).vlu()?),
                RawOption::Value(kind, _) => found.has_unknown |= kind < FIRST_IGNORED,
            }
        }
    }

    /// Metadata first: there are readers that look nowhere else.
    fn encode(&self, out: &mut Vec<u8>) {
        if let Some(metadata) = self.metadata {
            put_option(out, METADATA, metadata);
        }
        if let Some(association) = self.association {
            let mut value = Vec::new();
            put_vlu(&mut value, association);
            put_option(out, ASSOCIATION, &value);
        }
        out.push(0);
    }
}

/// What a receiver says about a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The flow, by its sender's number.
    pub flow_id: u64,
    /// Free bytes of the receiver's buffer.
    pub window: u64,
    /// What was seen.
    pub seen: Ranges,
}

impl Acknowledgement {
    /// Reads the payload of a chunk of type Ack Bitmap.
    pub fn decode_bitmap(payload: &[u8]) -> Option<Self> {
        let mut cursor = PacketReader(payload);
        let mut ack = Self::decode_front(&mut cursor)?;
        let first = ack.seen.contiguous_end().saturating_add(2);
        for (byte, at) in cursor.0.iter().zip((0..).step_by(8)) {
            for bit in (0..8).filter(|bit| byte & 1 << bit != 0) {
                let number = first.saturating_add(at + bit);
                ack.seen.insert(number, number);
            }
        }
        Some(ack)
    }

    /// Reads the payload of a chunk of type Ack Ranges. A last pair that is cut off is left out.
    pub fn decode_ranges(payload: &[u8]) -> Option<Self> {
        let mut cursor = PacketReader(payload);
        let mut ack = Self::decode_front(&mut cursor)?;
        let mut end = ack.seen.contiguous_end();
        for _ in 0..MAX_RANGES {
            let (Some(missing), Some(seen)) = (cursor.vlu(), cursor.vlu()) else { break };
            let begin = end.saturating_add(missing).saturating_add(2);
            end = begin.saturating_add(seen);
            ack.seen.insert(begin, end);
        }
        Some(ack)
    }

    fn decode_front(cursor: &mut PacketReader<'_>) -> Option<Self> {
        let (flow_id, blocks, end) = (cursor.vlu()?, cursor.vlu()?, cursor.vlu()?);
        let mut seen = Ranges::default();
        seen.insert(0, end);
        Some(Self { flow_id, window: blocks.saturating_mul(BLOCK), seen })
    }

    /// Appends the payload of a chunk of type Ack Ranges, of at most `limit` bytes: later ranges are left out.
    pub fn encode(flow_id: u64, window: u64, seen: &Ranges, limit: usize, out: &mut Vec<u8>) {
        let begin = out.len();
        put_vlu(out, flow_id);
        put_vlu(out, window / BLOCK);
        put_vlu(out, seen.contiguous_end());
        let mut before = seen.contiguous_end();
        for (from, to) in seen.later() {
            let good = out.len();
            put_vlu(out, from - before - 2);
            put_vlu(out, to - from);
            if out.len() - begin > limit {
                out.truncate(good);
                return;
            }
            before = to;
        }
    }
}

/// Most ranges of an acknowledgement that are looked at: as many as fit into a packet.
const MAX_RANGES: usize = 1024;

/// Unit of the free buffer, in bytes.
const BLOCK: u64 = 1024;

const OPTIONS: u8 = 0x80;
const ABANDONED: u8 = 0x02;
const FINAL: u8 = 0x01;
const METADATA: u8 = 0x00;
const ASSOCIATION: u8 = 0x0a;

/// Options from this type on need not be understood.
const FIRST_IGNORED: u64 = 8192;

#[cfg(test)]
mod tests {
    use super::super::tests::{bytes, hex};
    use super::*;

    fn control() -> UserData<'static> {
        UserData {
            flow_id: 2,
            sequence: 1,
            forward: 0,
            part: Part::Whole,
            is_abandoned: false,
            is_final: false,
            options: FlowOptions { metadata: Some(b"TC\x04\0"), association: None, has_unknown: false },
            data: b"message",
        }
    }

    #[test]
    fn the_first_chunk_of_a_client() {
        let mut out = Vec::new();
        control().encode(&mut out);
        assert_eq!(hex(&out), format!("80020101 05005443040000{}", hex(b"message")).replace(' ', ""));
        assert_eq!(UserData::decode(&out), Some(control()));
        for end in 0..11 {
            assert_eq!(UserData::decode(&out[..end]), None, "{end}");
        }
    }

    #[test]
    fn every_kind_of_chunk_is_read_as_written() {
        for part in [Part::Whole, Part::Begin, Part::Middle, Part::End] {
            for (is_abandoned, is_final) in [(false, false), (true, false), (false, true), (true, true)] {
                let options = FlowOptions { metadata: None, association: Some(300), has_unknown: false };
                let chunk = UserData { part, is_abandoned, is_final, options, sequence: 1 << 40, ..control() };
                let mut out = Vec::new();
                chunk.encode(&mut out);
                assert_eq!(UserData::decode(&out), Some(chunk));
            }
        }
        let mut out = Vec::new();
        UserData { part: Part::Middle, options: FlowOptions::default(), ..control() }.encode(&mut out);
        assert_eq!(out[0], 0x30);
    }

    #[test]
    fn the_next_chunk_counts_on() {
        let next = control().decode_next(b"\x21end").unwrap();
        assert_eq!((next.flow_id, next.sequence, next.forward), (2, 2, 0));
        assert_eq!((next.part, next.is_final, next.data), (Part::End, true, &b"end"[..]));
        assert_eq!(control().decode_next(b""), None);
        assert_eq!(control().decode_next(b"\x80\x02"), None);
        assert_eq!(UserData { sequence: u64::MAX, ..control() }.decode_next(b"\0"), None);
    }

    #[test]
    fn impossible_numbers_are_refused() {
        for (payload, why) in [
            ("00020000", "sequence numbers begin at 1"),
            ("00020102", "before 0"),
            ("00020100", "forward is the number itself, and it is not abandoned"),
        ] {
            assert_eq!(UserData::decode(&bytes(payload)), None, "{why}");
        }
        assert!(UserData::decode(&bytes("02020100")).is_some());
    }

    #[test]
    fn unknown_options_are_told_unless_they_may_be_ignored() {
        let chunk = |option: &str| bytes(&format!("80020101{option}00"));
        assert!(UserData::decode(&chunk("0105")).unwrap().options.has_unknown);
        assert!(!UserData::decode(&chunk("03c00001")).unwrap().options.has_unknown);
    }

    fn ranges(list: &[(u64, u64)]) -> Ranges {
        let mut ranges = Ranges::default();
        list.iter().for_each(|(begin, end)| ranges.insert(*begin, *end));
        ranges
    }

    #[test]
    fn acknowledgements_as_in_the_specification() {
        let ack = Acknowledgement::decode_bitmap(&bytes("057f107906")).unwrap();
        assert_eq!((ack.flow_id, ack.window), (5, 127 * 1024));
        assert_eq!(ack.seen, ranges(&[(0, 16), (18, 18), (21, 24), (27, 28)]));
        let payload = bytes("057f1000000103");
        let ack = Acknowledgement::decode_ranges(&payload).unwrap();
        assert_eq!(ack.seen, ranges(&[(0, 16), (18, 18), (21, 24)]));
        let mut out = Vec::new();
        Acknowledgement::encode(5, 127 * 1024, &ack.seen, 100, &mut out);
        assert_eq!(out, payload);
        assert_eq!(Acknowledgement::decode_ranges(&payload[..6]).unwrap().seen, ranges(&[(0, 16), (18, 18)]));
        for end in 0..3 {
            assert_eq!(Acknowledgement::decode_ranges(&payload[..end]), None);
            assert_eq!(Acknowledgement::decode_bitmap(&payload[..end]), None);
        }
    }

    #[test]
    fn an_acknowledgement_keeps_to_its_limit() {
        let many = ranges(&(1..400).map(|n| (n * 3, n * 3)).collect::<Vec<_>>());
        for limit in [5, 6, 7, 100] {
            let mut out = b"before".to_vec();
            Acknowledgement::encode(5, 1 << 20, &many, limit, &mut out);
            assert!(out.len() - 6 <= limit.max(4), "{limit}");
            let ack = Acknowledgement::decode_ranges(&out[6..]).unwrap();
            assert!(ack.seen.later().all(|range| many.later().any(|other| other == range)));
        }
    }

    #[test]
    fn numbers_at_the_end_do_not_overflow() {
        let largest = "81ffffffffffffffff7f";
        let ranges = bytes(&format!("05{largest}{largest}{largest}{largest}"));
        assert!(Acknowledgement::decode_ranges(&ranges).unwrap().seen.contains(u64::MAX));
        assert!(Acknowledgement::decode_bitmap(&bytes(&format!("0501{largest}ffff"))).is_some());
        assert!(UserData::decode(&bytes(&format!("00{largest}{largest}{largest}"))).is_some());
    }
}
