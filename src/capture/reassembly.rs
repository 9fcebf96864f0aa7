//! One direction of a TCP connection: segments as they were captured → bytes as they were sent.
//!
//! What comes again is left out, what comes early waits. Numbers are counted on in 64 bits, so they do not wrap.

use std::collections::BTreeMap;

/// Bytes of one direction that are there before what is to go before them.
#[derive(Debug, Default)]
pub struct TcpReassembler {
    /// Number of the byte that is due; `None` before the first segment.
    next: Option<u64>,
    /// What came early, by the number of its first byte.
    early: BTreeMap<u64, Vec<u8>>,
    held: usize,
    /// Number after the last byte, once there was a FIN.
    end: Option<u64>,
}

impl TcpReassembler {
    /// The connection's first number is known: that of its SYN.
    pub fn begin(&mut self, sequence: u32) {
        // Far from 0, so that what lies before the beginning has a number as well.
        self.next.get_or_insert((1 << 40) + u64::from(sequence.wrapping_add(1)));
    }

    /// A segment with `data`, the first byte having this number. Shows what is in order now to `take`. Returns how many
    /// bytes more are held than before, which may be negative.
    pub fn push(&mut self, sequence: u32, data: &[u8], mut take: impl FnMut(&[u8])) -> isize {
        if data.is_empty() {
            return 0;
        }
        let (due, at) = self.place(sequence);
        let before = self.held;
        if at > due {
            let place = self.early.entry(at).or_default();
            if place.len() < data.len() {
                self.held += data.len() - place.len();
                *place = data.to_vec();
            }
            return self.held as isize - before as isize;
        }
        self.deliver(at, data, &mut take);
        while let Some(entry) = self.early.first_entry()
            && self.next.is_some_and(|next| *entry.key() <= next)
        {
            let (at, data) = entry.remove_entry();
            self.held -= data.len();
            self.deliver(at, &data, &mut take);
        }
        self.held as isize - before as isize
    }

    /// A FIN has this number: no byte follows.
    pub fn end(&mut self, sequence: u32) {
        self.end = Some(self.place(sequence).1);
    }

    /// Whether all there is has been in order.
    pub fn is_over(&self) -> bool {
        self.end.is_some() && self.gap().is_none()
    }

    /// How many bytes are missing before the first of those that came early, or before the end; `None` if that makes no
    /// difference.
    pub fn gap(&self) -> Option<u64> {
        let place = self.early.first_key_value().map(|(at, _)| *at).or(self.end)?;
        place.checked_sub(self.next?).filter(|gap| *gap > 0)
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.held
    }

    /// The number that is due, and this one, in 64 bits.
    fn place(&mut self, sequence: u32) -> (u64, u64) {
        if self.next.is_none() {
            self.begin(sequence.wrapping_sub(1));
        }
        let due = self.next.unwrap_or_default();
        let distance = sequence.wrapping_sub(due as u32) as i32;
        (due, due.saturating_add_signed(i64::from(distance)))
    }

    fn deliver(&mut self, at: u64, data: &[u8], take: &mut impl FnMut(&[u8])) {
        let Some(next) = self.next else { return };
        let known = usize::try_from(next - at).unwrap_or(usize::MAX);
        if let Some(new) = data.get(known..).filter(|new| !new.is_empty()) {
            take(new);
            self.next = Some(next + new.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(order: &mut TcpReassembler, sequence: u32, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        order.push(sequence, data, |bytes| out.extend_from_slice(bytes));
        out
    }

    #[test]
    fn again_early_and_overlapping() {
        let mut order = TcpReassembler::default();
        order.begin(u32::MAX - 2);
        assert_eq!(all(&mut order, u32::MAX - 1, b"ab"), b"ab");
        assert_eq!(all(&mut order, u32::MAX - 1, b"ab"), b"", "again");
        assert_eq!(all(&mut order, 3, b"f"), b"", "early, over the wrap");
        assert_eq!((order.gap(), order.held()), (Some(3), 1));
        assert_eq!(all(&mut order, 1, b"d"), b"");
        assert_eq!(all(&mut order, u32::MAX, b"bcde"), b"cdef", "overlaps on both sides");
        assert_eq!((order.gap(), order.held()), (None, 0));
    }

    #[test]
    fn the_end_may_be_known_before_what_is_before_it() {
        let mut order = TcpReassembler::default();
        order.begin(9);
        order.end(14);
        assert_eq!((order.gap(), order.is_over()), (Some(4), false));
        all(&mut order, 12, b"cd");
        assert_eq!((order.gap(), order.is_over()), (Some(2), false));
        assert_eq!(all(&mut order, 10, b"ab"), b"abcd");
        assert_eq!((order.gap(), order.is_over()), (None, true));
    }

    #[test]
    fn without_a_beginning_the_first_segment_is_it() {
        let mut order = TcpReassembler::default();
        assert_eq!(all(&mut order, 0, b"ab"), b"ab");
        assert_eq!(all(&mut order, u32::MAX, b"xab"), b"", "what was before");
        assert_eq!(all(&mut order, 2, b"c"), b"c");
    }

    proptest! {
        #[test]
        fn any_order_of_any_pieces_gives_the_whole(
            first: u32,
            length in 1usize..200,
            pieces in proptest::collection::vec((any::<prop::sample::Index>(), 1usize..40), 0..60),
        ) {
            let whole: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut order = TcpReassembler::default();
            order.begin(first.wrapping_sub(1));
            let mut out = Vec::new();
            let mut held = 0;
            let tail = (0..length).map(|at| (at, 1));
            for (at, size) in pieces.iter().map(|(at, size)| (at.index(length), *size)).chain(tail) {
                let data = &whole[at..(at + size).min(length)];
                held += order.push(first.wrapping_add(at as u32), data, |bytes| out.extend_from_slice(bytes));
                prop_assert_eq!(held, order.held() as isize);
            }
            prop_assert_eq!(out, whole);
            prop_assert_eq!(order.held(), 0);
        }
    }
}
