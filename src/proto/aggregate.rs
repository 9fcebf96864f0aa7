//! Aggregate messages (§7.1.6): several messages in one.
//!
//! ```text
//! ( type UI8 · size UI24 · timestamp UI24 · timestamp bits 31–24 UI8 · stream id UI24 · payload · back pointer UI32 )*
//! ```
//!
//! Back pointers that are wrong are stepped over, those that are missing are not missed; an aggregate within an aggregate is
//! walked as well. This file does not judge what the messages within say.

use super::bytes::u24;
use super::message::message_type;
use std::ops::Range;

/// A message of an aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubMessage {
    /// Message type ID.
    pub message_type_id: u8,
    /// Timestamp in milliseconds modulo 2³², shifted so that the first part has that of the aggregate.
    pub timestamp: u32,
    /// Where its payload is in that of the aggregate.
    pub payload: Range<usize>,
}

/// Walks the parts of an aggregate without holding it. What is left at the end and is no whole part comes last, with the type
/// of an aggregate.
#[derive(Debug, Clone, Copy)]
pub struct SubMessages {
    levels: [Level; MAX_DEPTH],
    depth: usize,
}

/// An aggregate that the walk is in.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    at: usize,
    end: usize,
    /// Its own time, and that of its first part.
    timestamp: u32,
    first: Option<u32>,
    pointers: Pointers,
}

/// What follows the parts of an aggregate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Pointers {
    /// Right ones so far.
    #[default]
    Right,
    /// Four bytes, whatever they say.
    Wrong,
    /// Nothing, unless it is a right one.
    Missing,
}

impl SubMessages {
    /// A walk over an aggregate with this timestamp and as many bytes.
    pub fn new(timestamp: u32, bytes: usize) -> Self {
        let mut levels = [Level::default(); MAX_DEPTH];
        if let Some(outer) = levels.first_mut() {
            *outer = Level { end: bytes, timestamp, ..Level::default() };
        }
        Self { levels, depth: 1 }
    }

    /// Goes on to the next part of `payload`, which is the same each time.
    pub fn next(&mut self, payload: &[u8]) -> Option<SubMessage> {
        loop {
            let level = self.levels.get_mut(self.depth.checked_sub(1)?)?;
            let start = level.at;
            let bytes = payload.get(start..level.end).unwrap_or_default();
            let Some((header, length)) = part_at(bytes) else {
                self.depth -= 1;
                if bytes.is_empty() {
                    continue;
                }
                let timestamp = level.timestamp;
                return Some(SubMessage {
                    message_type_id: message_type::AGGREGATE,
                    timestamp,
                    payload: start..level.end,
                });
            };
            let end = start + HEADER_BYTES + length;
            let [kind, _, _, _, t2, t1, t0, t3, stream_id @ ..] = *header;
            let after = bytes.get(HEADER_BYTES + length..).unwrap_or_default();
            level.at = end + level.pointer_bytes(after, length, stream_id);
            let time = u32::from_be_bytes([t3, t2, t1, t0]);
            let first = *level.first.get_or_insert(time);
            let timestamp = time.wrapping_sub(first).wrapping_add(level.timestamp);
            let message_type_id = kind & TYPE_BITS;
            if message_type_id == message_type::AGGREGATE
                && let Some(inner) = self.levels.get_mut(self.depth)
            {
                *inner = Level { at: start + HEADER_BYTES, end, timestamp, ..Level::default() };
                self.depth += 1;
                continue;
            }
            return Some(SubMessage { message_type_id, timestamp, payload: start + HEADER_BYTES..end });
        }
    }
}

impl Level {
    /// How many bytes of `after`, which is what follows a part of `length` bytes, are its back pointer.
    fn pointer_bytes(&mut self, after: &[u8], length: usize, stream_id: [u8; 3]) -> usize {
        let Some(pointer) = after.first_chunk::<POINTER_BYTES>() else { return after.len() };
        let is_right = u32::from_be_bytes(*pointer) as usize == HEADER_BYTES + length;
        if !is_right && self.pointers == Pointers::Right {
            let wrong = walk_on(after.get(POINTER_BYTES..).unwrap_or_default(), POINTER_BYTES, stream_id);
            let is_missing = walk_on(after, 0, stream_id) > wrong;
            self.pointers = if is_missing { Pointers::Missing } else { Pointers::Wrong };
        }
        if is_right || self.pointers == Pointers::Wrong { POINTER_BYTES } else { 0 }
    }
}

/// How well `bytes` are parts of one stream with `pointer` bytes after each: not at all, or with the last one cut off, or
/// to the end; and how many there are.
fn walk_on(mut bytes: &[u8], pointer: usize, stream_id: [u8; 3]) -> (u8, usize) {
    let mut parts = 0;
    while let Some(kind) = bytes.first() {
        let is_other_stream = bytes.first_chunk().is_some_and(|[.., i2, i1, i0]: &Header| [*i2, *i1, *i0] != stream_id);
        if !is_known(kind & TYPE_BITS) || is_other_stream {
            return (0, 0);
        }
        let Some((_, length)) = part_at(bytes) else { return (1, parts) };
        bytes = bytes.get(HEADER_BYTES + length + pointer..).unwrap_or_default();
        parts += 1;
    }
    (2, parts)
}

/// Whether servers put messages of this type into aggregates.
fn is_known(message_type_id: u8) -> bool {
    matches!(
        message_type_id,
        message_type::AUDIO
            | message_type::VIDEO
            | message_type::DATA_AMF3
            | message_type::DATA_AMF0
            | message_type::COMMAND_AMF3
            | message_type::COMMAND_AMF0
            | message_type::AGGREGATE
    )
}

/// The header and the size of the part that is whole at the beginning of `bytes`.
fn part_at(bytes: &[u8]) -> Option<(&Header, usize)> {
    let (header, payload) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let [_, s2, s1, s0, ..] = *header;
    let length = u24([s2, s1, s0]) as usize;
    (length <= payload.len()).then_some((header, length))
}

/// A message of an aggregate that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Message type ID.
    pub message_type_id: u8,
    /// As [`SubMessage::timestamp`].
    pub timestamp: u32,
    /// Its payload.
    pub payload: &'a [u8],
}

/// The parts of an aggregate message with this timestamp and payload, as [`SubMessages`] finds them.
pub fn parts(timestamp: u32, payload: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let mut walk = SubMessages::new(timestamp, payload.len());
    std::iter::from_fn(move || {
        let SubMessage { message_type_id, timestamp, payload: place } = walk.next(payload)?;
        Some(Part { message_type_id, timestamp, payload: payload.get(place).unwrap_or_default() })
    })
}

/// Type, size, timestamp, stream ID.
type Header = [u8; HEADER_BYTES];

/// Bytes of a [`Header`].
const HEADER_BYTES: usize = 11;

/// The size of the part before, header included.
const POINTER_BYTES: usize = 4;

/// Of the first byte, these are the type, as in an FLV tag.
const TYPE_BITS: u8 = 0x1f;

/// Nesting limit of aggregates within aggregates. No known server sends them; deeper ones are what is left at the end.
const MAX_DEPTH: usize = 4;

#[cfg(test)]
mod tests;
