//! Aggregate messages (§7.1.6): several messages in one, as FLV tags.
//!
//! ```text
//! ( type UI8 · size UI24 · timestamp UI24 · timestamp bits 31–24 UI8 · stream id UI24 · payload · back pointer UI32 )*
//! ```
//!
//! This file does not judge the types within, and back pointers are stepped over unread.

use super::tag::{PREVIOUS_TAG_SIZE_BYTES, TAG_HEADER_BYTES, TagHeader};

/// A message of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Message type ID.
    pub message_type_id: u8,
    /// Timestamp in milliseconds modulo 2³², shifted so that the first part has that of the aggregate.
    pub timestamp: u32,
    /// Its payload.
    pub payload: &'a [u8],
}

/// Walks the parts of an aggregate. The last back pointer may be missing; a size that reaches beyond the end stops the walk.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    rest: &'a [u8],
    timestamp: u32,
    first: Option<u32>,
}

impl<'a> Parts<'a> {
    /// The parts of an aggregate message with this timestamp and payload.
    pub fn new(timestamp: u32, payload: &'a [u8]) -> Self {
        Self { rest: payload, timestamp, first: None }
    }

    /// Bytes that the walk has not used: after its end, those that are no whole part.
    pub fn remainder(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let (head, after) = self.rest.split_first_chunk::<TAG_HEADER_BYTES>()?;
        let header = TagHeader::decode(head);
        let (payload, after) = after.split_at_checked(header.payload_bytes as usize)?;
        self.rest = after.get(PREVIOUS_TAG_SIZE_BYTES..).unwrap_or(&[]);
        let first = *self.first.get_or_insert(header.timestamp_ms);
        let timestamp = header.timestamp_ms.wrapping_sub(first).wrapping_add(self.timestamp);
        Some(Part { message_type_id: header.tag_type(), timestamp, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::previous_tag_size;
    use super::*;
    use proptest::prelude::*;

    fn aggregate(parts: &[(u8, u32, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, timestamp, payload) in parts {
            bytes.extend(TagHeader::new(*kind, *timestamp, payload.len() as u32).encode());
            bytes.extend(payload);
            bytes.extend(previous_tag_size(payload.len()));
        }
        bytes
    }

    fn walk(timestamp: u32, bytes: &[u8]) -> (Vec<(u8, u32, Vec<u8>)>, usize) {
        let mut parts = Parts::new(timestamp, bytes);
        let all = parts.by_ref().map(|p| (p.message_type_id, p.timestamp, p.payload.to_vec())).collect();
        (all, parts.remainder().len())
    }

    #[test]
    fn times_are_rebased_on_the_message() {
        let bytes = aggregate(&[(8, 500, vec![1]), (9, 520, vec![2, 3]), (8, 490, vec![])]);
        let expected = vec![(8, 9000, vec![1]), (9, 9020, vec![2, 3]), (8, 8990, vec![])];
        assert_eq!(walk(9000, &bytes), (expected, 0));
        assert_eq!(walk(5, &aggregate(&[(8, u32::MAX, vec![1]), (8, 4, vec![2])])).0[1].1, 10, "over the wrap");
    }

    #[test]
    fn every_truncation_gives_the_parts_that_are_whole() {
        let bytes = aggregate(&[(8, 0, vec![1]), (9, 20, vec![2, 3]), (18, 40, vec![4])]);
        for cut in 0..=bytes.len() {
            let (parts, rest) = walk(0, &bytes[..cut]);
            let expected = [12, 29, 45].iter().filter(|&&end| cut >= end).count();
            assert_eq!(parts.len(), expected, "cut at {cut}");
            let inside = ![0, 12, 13, 14, 15, 16, 29, 30, 31, 32, 33, 45, 46, 47, 48, 49].contains(&cut);
            assert_eq!(rest > 0, inside, "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out(
            timestamp: u32, parts in proptest::collection::vec((0u8..32, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..50)), 0..20),
        ) {
            let (read, rest) = walk(timestamp, &aggregate(&parts));
            prop_assert_eq!(rest, 0);
            let shift = parts.first().map_or(0, |first| timestamp.wrapping_sub(first.1));
            let expected: Vec<_> = parts.into_iter().map(|(k, t, p)| (k, t.wrapping_add(shift), p)).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_bytes_come_to_an_end(timestamp: u32, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let (parts, rest) = walk(timestamp, &bytes);
            let used: usize = parts.iter().map(|p| p.2.len() + 11).sum();
            prop_assert!(used + rest <= bytes.len());
        }
    }
}
