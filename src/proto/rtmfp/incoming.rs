//! A flow that the peer sends (RFC 7016 §3.6.3): what was seen of it, its messages in order, and what is acknowledged.
//!
//! Does not know what messages hold.

use std::collections::BTreeMap;

use super::flow::{Part, UserData};
use super::ranges::Ranges;

/// A flow from the peer.
#[derive(Debug)]
pub(super) struct IncomingFlow {
    seen: Ranges,
    /// The number that nothing comes after.
    last: Option<u64>,
    /// Not delivered yet, by sequence number.
    fragments: BTreeMap<u64, (Part, Vec<u8>)>,
    /// Everything up to here was delivered or given up.
    consumed: u64,
    /// The message that is being put together.
    partial: Option<Vec<u8>>,
    /// Bytes that `fragments` and `partial` stand for.
    held: usize,
    /// The flow is refused: its data is acknowledged and thrown away.
    is_rejected: bool,
    /// When an acknowledgement is due.
    ack_due_ms: Option<u64>,
    /// Packets with its data since the last acknowledgement.
    unacknowledged: u32,
    /// When it had been seen whole.
    completed_ms: Option<u64>,
}

impl IncomingFlow {
    pub(super) fn new() -> Self {
        Self {
            seen: Ranges::default(),
            last: None,
            fragments: BTreeMap::new(),
            consumed: 0,
            partial: None,
            held: 0,
            is_rejected: false,
            ack_due_ms: None,
            unacknowledged: 0,
            completed_ms: None,
        }
    }

    /// Takes a chunk; `room` is how many bytes more may be held. What there is no room for counts as not received.
    pub(super) fn take(&mut self, chunk: &UserData<'_>, room: usize, now_ms: u64) {
        let is_known = self.seen.contains(chunk.sequence);
        let is_next = chunk.sequence == self.seen.contiguous_end().saturating_add(1);
        let has_gaps = self.seen.count() > 1;
        if chunk.is_final && self.last.is_none() && chunk.sequence >= self.seen.contiguous_end() {
            self.last = Some(chunk.sequence);
            self.acknowledge_at(now_ms);
        }
        if chunk.forward > self.seen.contiguous_end() {
            self.seen.insert(0, chunk.forward);
        }
        let cost = chunk.data.len() + FRAGMENT_COST;
        let is_excessive = !self.is_rejected && !chunk.is_abandoned && cost > room;
        let is_too_far = chunk.sequence > self.seen.contiguous_end().saturating_add(MAX_AHEAD)
            || self.seen.count() >= MAX_RANGES && !is_next
            || self.last.is_some_and(|last| chunk.sequence > last);
        if !is_known && !is_excessive && !is_too_far {
            self.seen.insert(chunk.sequence, chunk.sequence);
            if !self.is_rejected && !chunk.is_abandoned && chunk.sequence > self.consumed {
                self.held += cost;
                self.fragments.insert(chunk.sequence, (chunk.part, chunk.data.to_vec()));
            }
        }
        if is_known || chunk.is_abandoned || has_gaps || !is_next {
            self.acknowledge_at(now_ms);
        }
        if self.last.is_some_and(|last| self.seen.contiguous_end() >= last) {
            self.completed_ms.get_or_insert(now_ms);
        }
    }

    /// Counts a packet with data of this flow: every second one is acknowledged at once, others soon.
    pub(super) fn count_packet(&mut self, now_ms: u64) {
        self.unacknowledged += 1;
        let delay = if self.unacknowledged >= 2 { 0 } else { ACK_DELAY_MS };
        self.acknowledge_at(now_ms + delay);
    }

    /// Has the flow acknowledged at this time or before.
    pub(super) fn acknowledge_at(&mut self, time_ms: u64) {
        self.ack_due_ms = Some(self.ack_due_ms.map_or(time_ms, |due| due.min(time_ms)));
    }

    /// The next message that is complete.
    pub(super) fn next_message(&mut self) -> Option<Vec<u8>> {
        let end = self.seen.contiguous_end();
        while let Some(entry) = self.fragments.first_entry().filter(|entry| *entry.key() <= end) {
            let sequence = *entry.key();
            let (part, data) = entry.remove();
            if sequence != self.consumed + 1 {
                // Something between was given up, and with it the message that it was part of.
                self.drop_partial();
            }
            self.consumed = sequence;
            self.held = self.held.saturating_sub(FRAGMENT_COST);
            if let Some(message) = self.append(part, data) {
                return Some(message);
            }
        }
        if end > self.consumed {
            self.consumed = end;
            self.drop_partial();
        }
        None
    }

    /// Appends a fragment to the message; the message, if it ends with it.
    fn append(&mut self, part: Part, data: Vec<u8>) -> Option<Vec<u8>> {
        if matches!(part, Part::Whole | Part::Begin) {
            self.drop_partial();
            self.partial = Some(data);
        } else if let Some(partial) = &mut self.partial {
            partial.extend_from_slice(&data);
        } else {
            // The beginning was given up.
            self.held = self.held.saturating_sub(data.len());
            return None;
        }
        if self.partial.as_ref().is_some_and(|partial| partial.len() > MAX_MESSAGE) {
            self.drop_partial();
        }
        if matches!(part, Part::Begin | Part::Middle) {
            return None;
        }
        let message = self.partial.take()?;
        self.held = self.held.saturating_sub(message.len());
        Some(message)
    }

    fn drop_partial(&mut self) {
        let dropped = self.partial.take().map_or(0, |partial| partial.len());
        self.held = self.held.saturating_sub(dropped);
    }

    /// Refuses the flow.
    pub(super) fn reject(&mut self) {
        self.is_rejected = true;
        self.fragments.clear();
        self.partial = None;
        self.held = 0;
    }

    /// Whether the flow is refused.
    pub(super) fn is_rejected(&self) -> bool {
        self.is_rejected
    }

    /// Bytes that it holds.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// When an acknowledgement is due.
    pub(super) fn ack_due_ms(&self) -> Option<u64> {
        self.ack_due_ms
    }

    /// What is to be acknowledged, which is done herewith.
    pub(super) fn take_acknowledgement(&mut self) -> &Ranges {
        self.ack_due_ms = None;
        self.unacknowledged = 0;
        &self.seen
    }

    /// When the flow had been received to its end.
    pub(super) fn completed_ms(&self) -> Option<u64> {
        self.completed_ms
    }
}

/// Longest time from receipt to acknowledgement, in milliseconds.
const ACK_DELAY_MS: u64 = 200;

/// What a fragment costs in addition to its data.
const FRAGMENT_COST: usize = 64;

/// Most ranges that are told apart; a chunk that would make one more is not taken.
const MAX_RANGES: usize = 1024;

/// How far a sequence number may be ahead of what is complete: more than the window holds.
const MAX_AHEAD: u64 = 1 << 20;

/// Most bytes of a message: an RTMP message and the header that it has here.
const MAX_MESSAGE: usize = 0xFF_FFFF + 5;

#[cfg(test)]
mod tests {
    use super::super::flow::FlowOptions;
    use super::*;

    const ROOM: usize = 1 << 24;

    fn chunk(sequence: u64, part: Part, data: &[u8]) -> UserData<'_> {
        UserData {
            flow_id: 3,
            sequence,
            forward: 0,
            part,
            is_abandoned: false,
            is_final: false,
            options: FlowOptions::default(),
            data,
        }
    }

    fn messages(flow: &mut IncomingFlow) -> Vec<String> {
        std::iter::from_fn(|| flow.next_message()).map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    /// A whole message and one in four parts.
    fn five() -> [UserData<'static>; 5] {
        [
            chunk(1, Part::Whole, b"one"),
            chunk(2, Part::Begin, b"t"),
            chunk(3, Part::Middle, b"w"),
            chunk(4, Part::Middle, b""),
            chunk(5, Part::End, b"o"),
        ]
    }

    #[test]
    fn messages_come_in_order_whatever_the_order_of_their_parts() {
        for skip in 0..120 {
            // The permutation with this number.
            let (mut rest, mut chunks, mut number) = (five().to_vec(), Vec::new(), skip);
            while !rest.is_empty() {
                chunks.push(rest.remove(number % rest.len()));
                number /= rest.len() + 1;
            }
            let mut flow = IncomingFlow::new();
            let mut got = Vec::new();
            for chunk in &chunks {
                flow.take(chunk, ROOM, 0);
                flow.take(chunk, ROOM, 0);
                got.extend(messages(&mut flow));
            }
            assert_eq!(got, ["one", "two"]);
            assert_eq!((flow.held(), flow.consumed), (0, 5));
        }
    }

    #[test]
    fn what_was_given_up_takes_its_message_with_it() {
        for abandoned in 2..=5 {
            let mut flow = IncomingFlow::new();
            for part in five() {
                let is_abandoned = part.sequence == abandoned;
                flow.take(&UserData { is_abandoned, ..part }, ROOM, 0);
            }
            flow.take(&chunk(6, Part::Whole, b"next"), ROOM, 0);
            assert_eq!(messages(&mut flow), ["one", "next"], "{abandoned}");
            assert_eq!(flow.held(), 0);
        }
    }

    #[test]
    fn the_forward_number_ends_the_waiting() {
        let mut flow = IncomingFlow::new();
        flow.take(&chunk(2, Part::Begin, b"lost"), ROOM, 0);
        flow.take(&UserData { forward: 8, ..chunk(9, Part::Whole, b"new") }, ROOM, 0);
        assert_eq!(messages(&mut flow), ["new"]);
        // A jump to the end of all numbers is no work.
        let far = u64::MAX - 1;
        flow.take(&UserData { forward: far, ..chunk(u64::MAX, Part::Whole, b"last") }, ROOM, 0);
        assert_eq!(messages(&mut flow), ["last"]);
        flow.take(&chunk(u64::MAX, Part::Whole, b"again"), ROOM, 0);
        assert_eq!(flow.next_message(), None);
    }

    #[test]
    fn acknowledgements_are_due_at_once_where_something_is_odd() {
        let due = |chunks: &[UserData<'_>]| {
            let mut flow = IncomingFlow::new();
            for chunk in chunks {
                flow.take(chunk, ROOM, 1000);
                flow.count_packet(1000);
            }
            flow.ack_due_ms()
        };
        let [one, two, three, ..] = five();
        assert_eq!(due(&[one]), Some(1000 + ACK_DELAY_MS));
        assert_eq!(due(&[one, two]), Some(1000), "every second packet");
        assert_eq!(due(&[two]), Some(1000), "a gap");
        assert_eq!(due(&[one, one]), Some(1000), "a duplicate");
        assert_eq!(due(&[UserData { is_final: true, ..one }]), Some(1000), "the end");
        assert_eq!(due(&[UserData { is_abandoned: true, ..one }]), Some(1000), "given up");
        let mut flow = IncomingFlow::new();
        [two, three].iter().for_each(|chunk| flow.take(chunk, ROOM, 0));
        assert_eq!(flow.take_acknowledgement().later().collect::<Vec<_>>(), [(2, 3)]);
        assert_eq!(flow.ack_due_ms(), None);
    }

    #[test]
    fn a_flow_ends_with_its_last_number_and_all_before_it() {
        let mut flow = IncomingFlow::new();
        flow.take(&UserData { is_final: true, ..chunk(2, Part::Whole, b"b") }, ROOM, 5);
        assert_eq!(flow.completed_ms(), None);
        flow.take(&chunk(3, Part::Whole, b"after the end"), ROOM, 6);
        flow.take(&chunk(1, Part::Whole, b"a"), ROOM, 7);
        assert_eq!((flow.completed_ms(), messages(&mut flow)), (Some(7), vec!["a".into(), "b".into()]));
    }

    #[test]
    fn a_refused_flow_holds_nothing_and_is_still_acknowledged() {
        let mut flow = IncomingFlow::new();
        flow.take(&chunk(2, Part::Whole, b"x"), ROOM, 0);
        flow.reject();
        flow.take(&chunk(1, Part::Whole, b"y"), ROOM, 0);
        assert_eq!((flow.next_message(), flow.held(), flow.take_acknowledgement().contiguous_end()), (None, 0, 2));
    }

    #[test]
    fn hostile_numbers_and_parts_stay_within_bounds() {
        let mut flow = IncomingFlow::new();
        // Holes.
        for n in 1..10_000 {
            flow.take(&chunk(2 * n, Part::Whole, b""), ROOM, 0);
        }
        assert!(flow.seen.count() <= MAX_RANGES && flow.held() <= MAX_RANGES * FRAGMENT_COST);
        flow.take(&chunk(1 << 50, Part::Whole, b"far"), ROOM, 0);
        assert!(!flow.seen.contains(1 << 50));
        // What closes a hole is taken all the same.
        flow.take(&chunk(1, Part::Whole, b"first"), ROOM, 0);
        assert_eq!(flow.next_message(), Some(b"first".to_vec()));
        // No room.
        let mut flow = IncomingFlow::new();
        flow.take(&chunk(1, Part::Begin, &[0; 100]), 99, 0);
        assert!(!flow.seen.contains(1));
        // A message without end: once it is too long its rest is thrown away.
        let part = vec![0; 1 << 20];
        for n in 1..=40 {
            flow.take(&chunk(n, if n == 1 { Part::Begin } else { Part::Middle }, &part), usize::MAX, 0);
            assert_eq!(flow.next_message(), None);
            assert!(flow.held() <= MAX_MESSAGE + part.len());
        }
        flow.take(&chunk(41, Part::End, b""), ROOM, 0);
        assert_eq!((flow.next_message(), flow.held()), (None, 0));
    }
}
