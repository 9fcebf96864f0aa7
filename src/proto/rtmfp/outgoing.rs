//! A flow to the peer (RFC 7016 §3.6.2): messages in fragments, kept until they are acknowledged.
//!
//! Does not decide when to send, or what counts as lost: see `session` and `congestion`.

use std::collections::VecDeque;

use super::flow::{Acknowledgement, FlowOptions, Part, UserData};

/// A flow to the peer.
#[derive(Debug)]
pub(super) struct OutgoingFlow {
    pub(super) id: u64,
    metadata: Vec<u8>,
    association: Option<u64>,
    /// Fragments that were never sent.
    waiting: VecDeque<Fragment>,
    /// Fragments that were sent and are not acknowledged, by sequence number.
    sent: VecDeque<Fragment>,
    /// Sequence number of the next fragment.
    next_sequence: u64,
    /// The receiver has acknowledged something: it knows what the flow is.
    is_known: bool,
    /// Free bytes of the receiver's buffer.
    window: u64,
    /// Bytes of data in `sent` that count as on their way.
    in_flight: usize,
    queued: usize,
    /// The last number was given out.
    is_finished: bool,
    /// Its data is sent as it arises, and stale soon.
    pub(super) is_time_critical: bool,
}

#[derive(Debug)]
struct Fragment {
    sequence: u64,
    part: Part,
    is_final: bool,
    data: Vec<u8>,
    /// When it was last sent, by the count of all transmissions; `None` if it is to be sent (again).
    transmission: Option<u64>,
    /// Acknowledgements of what was sent later.
    skipped: u8,
}

/// What an acknowledgement changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Acknowledged {
    /// Bytes that were on their way and have arrived.
    pub(super) bytes: usize,
    /// The last transmission that arrived.
    pub(super) last_transmission: Option<u64>,
    /// Something arrived, be it what counted as lost.
    pub(super) is_progress: bool,
}

impl OutgoingFlow {
    pub(super) fn new(id: u64, metadata: &[u8], association: Option<u64>, is_time_critical: bool) -> Self {
        Self {
            id,
            metadata: metadata.to_vec(),
            association,
            waiting: VecDeque::new(),
            sent: VecDeque::new(),
            next_sequence: 1,
            is_known: false,
            window: INITIAL_WINDOW,
            in_flight: 0,
            queued: 0,
            is_finished: false,
            is_time_critical,
        }
    }

    /// Queues a message.
    pub(super) fn push(&mut self, message: &[u8]) {
        let count = message.len().div_ceil(FRAGMENT).max(1);
        for index in 0..count {
            let data = message.chunks(FRAGMENT).nth(index).unwrap_or_default().to_vec();
            let part = match (index == 0, index + 1 == count) {
                (true, true) => Part::Whole,
                (true, false) => Part::Begin,
                (false, false) => Part::Middle,
                (false, true) => Part::End,
            };
            self.queue(part, false, data);
        }
    }

    /// Says that no message follows.
    pub(super) fn finish(&mut self) {
        if !std::mem::replace(&mut self.is_finished, true) {
            match self.waiting.back_mut() {
                Some(last) => last.is_final = true,
                None => self.queue(Part::Whole, true, Vec::new()),
            }
        }
    }

    fn queue(&mut self, part: Part, is_final: bool, data: Vec<u8>) {
        self.queued += data.len();
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.waiting.push_back(Fragment { sequence, part, is_final, data, transmission: None, skipped: 0 });
    }

    /// Whether nothing is queued and all that was sent has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    /// Whether something was sent that is not acknowledged, be it that it counts as lost.
    pub(super) fn has_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Whether the flow was ended and all of it has arrived.
    pub(super) fn is_done(&self) -> bool {
        self.is_finished && self.is_empty()
    }

    /// Bytes that were not acknowledged yet.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Appends the payload of the User Data chunk that is to be sent next, if there is one that the receiver has room for
    /// and `limit` bytes are enough. How many bytes of data it has.
    ///
    /// `transmission` is the count of all transmissions, `with_options` whether the flow is told what it is (once in a packet).
    pub(super) fn write_next(
        &mut self,
        transmission: u64,
        with_options: bool,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let lost = self.sent.iter().position(|fragment| fragment.transmission.is_none());
        let fragment = match lost {
            Some(at) => self.sent.get(at)?,
            None => self.waiting.front()?,
        };
        let length = fragment.data.len();
        // Something is always on its way, so that a window that opens is noticed.
        if self.in_flight > 0 && (self.in_flight + length) as u64 > self.window {
            return None;
        }
        let is_abandoned = fragment.is_final && fragment.data.is_empty();
        let options = FlowOptions { metadata: Some(&self.metadata), association: self.association, has_unknown: false };
        let chunk = UserData {
            flow_id: self.id,
            sequence: fragment.sequence,
            forward: self.sent.front().unwrap_or(fragment).sequence.min(fragment.sequence) - 1,
            part: fragment.part,
            is_abandoned,
            is_final: fragment.is_final,
            options: if with_options && !self.is_known { options } else { FlowOptions::default() },
            data: &fragment.data,
        };
        let before = out.len();
        chunk.encode(out);
        if out.len() - before > limit {
            out.truncate(before);
            return None;
        }
        let fragment = match lost {
            Some(at) => self.sent.get_mut(at)?,
            None => {
                let fragment = self.waiting.pop_front()?;
                self.sent.push_back(fragment);
                self.sent.back_mut()?
            }
        };
        fragment.transmission = Some(transmission);
        fragment.skipped = 0;
        self.in_flight += length;
        Some(length)
    }

    /// Takes an acknowledgement.
    pub(super) fn acknowledge(&mut self, ack: &Acknowledgement) -> Acknowledged {
        self.is_known = true;
        self.window = ack.window;
        let mut change = Acknowledged::default();
        let (in_flight, queued) = (&mut self.in_flight, &mut self.queued);
        self.sent.retain(|fragment| {
            if !ack.seen.contains(fragment.sequence) {
                return true;
            }
            change.is_progress = true;
            *queued -= fragment.data.len();
            if let Some(transmission) = fragment.transmission {
                *in_flight -= fragment.data.len();
                change.bytes += fragment.data.len();
                change.last_transmission = change.last_transmission.max(Some(transmission));
            }
            false
        });
        change
    }

    /// Counts that something arrived that was sent as transmission `later`: what was sent before and skipped too often is lost.
    /// The bytes that are, and the last of these transmissions.
    pub(super) fn skip(&mut self, later: u64) -> (usize, Option<u64>) {
        let (mut bytes, mut last) = (0, None);
        for fragment in &mut self.sent {
            let Some(transmission) = fragment.transmission.filter(|transmission| *transmission < later) else {
                continue;
            };
            fragment.skipped += 1;
            if fragment.skipped >= LOST_AFTER {
                fragment.transmission = None;
                bytes += fragment.data.len();
                last = last.max(Some(transmission));
            }
        }
        self.in_flight -= bytes;
        (bytes, last)
    }

    /// Counts all that is on its way as lost.
    pub(super) fn lose_all(&mut self) {
        self.sent.iter_mut().for_each(|fragment| fragment.transmission = None);
        self.in_flight = 0;
    }

    /// Whether something is on its way.
    pub(super) fn has_transmissions(&self) -> bool {
        self.sent.iter().any(|fragment| fragment.transmission.is_some())
    }
}

/// Most bytes of data in a chunk: with what stands before it and an acknowledgement beside it below any packet's limit.
pub(super) const FRAGMENT: usize = 1100;

/// The receiver's buffer until it tells.
const INITIAL_WINDOW: u64 = 65_536;

/// Acknowledgements of later transmissions after which one counts as lost.
const LOST_AFTER: u8 = 3;

#[cfg(test)]
mod tests {
    use super::super::ranges::Ranges;
    use super::*;

    fn flow() -> OutgoingFlow {
        OutgoingFlow::new(2, b"TC\x04\0", Some(7), false)
    }

    /// The next chunk, with the number of its transmission.
    fn write(flow: &mut OutgoingFlow, transmission: u64) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        flow.write_next(transmission, true, 1200, &mut out).map(|_| out)
    }

    fn ack(window: u64, seen: &[(u64, u64)]) -> Acknowledgement {
        let mut ranges = Ranges::default();
        seen.iter().for_each(|(begin, end)| ranges.insert(*begin, *end));
        Acknowledgement { flow_id: 2, window, seen: ranges }
    }

    #[test]
    fn messages_are_cut_and_the_flow_is_told_until_it_is_known() {
        let mut flow = flow();
        flow.push(&[1; 2 * FRAGMENT + 1]);
        flow.push(b"");
        let chunks: Vec<_> = (0..4).map(|n| write(&mut flow, n).unwrap()).collect();
        let read: Vec<_> = chunks.iter().map(|chunk| UserData::decode(chunk).unwrap()).collect();
        assert_eq!(
            read.iter().map(|c| c.part).collect::<Vec<_>>(),
            [Part::Begin, Part::Middle, Part::End, Part::Whole]
        );
        assert_eq!(read.iter().map(|c| c.sequence).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert!(read.iter().all(|c| c.forward == 0 && c.options.metadata == Some(b"TC\x04\0")));
        assert_eq!(read[0].options.association, Some(7));
        flow.acknowledge(&ack(99_000, &[(0, 2)]));
        flow.push(b"next");
        let chunk = write(&mut flow, 5).unwrap();
        let read = UserData::decode(&chunk).unwrap();
        assert_eq!((read.sequence, read.forward, read.options), (5, 2, FlowOptions::default()));
        flow.acknowledge(&ack(99_000, &[(0, 5)]));
        assert!(flow.is_empty() && flow.queued() == 0);
    }

    #[test]
    fn what_was_skipped_three_times_is_sent_again() {
        let mut flow = flow();
        (0..5).for_each(|n| flow.push(&[n]));
        (0..5).for_each(|n| drop(write(&mut flow, n)));
        for (end, lost) in [(2, 0), (3, 0), (4, 1)] {
            let change = flow.acknowledge(&ack(99_000, &[(2, end)]));
            assert_eq!(change.last_transmission, Some(end - 1));
            assert_eq!(flow.skip(end - 1).0, lost, "{end}");
        }
        assert_eq!(UserData::decode(&write(&mut flow, 9).unwrap()).unwrap().sequence, 1);
        assert!(write(&mut flow, 10).is_none() && flow.has_transmissions());
        flow.lose_all();
        assert!(!flow.has_transmissions());
        let change = flow.acknowledge(&ack(99_000, &[(0, 5)]));
        assert_eq!(change, Acknowledged { is_progress: true, ..Acknowledged::default() });
        assert!(flow.is_empty());
    }

    #[test]
    fn the_receivers_window_is_kept_to() {
        let mut flow = flow();
        flow.push(&[0; 10 * FRAGMENT]);
        write(&mut flow, 0);
        flow.acknowledge(&ack(2 * FRAGMENT as u64, &[(0, 1)]));
        assert!(write(&mut flow, 1).is_some() && write(&mut flow, 2).is_some() && write(&mut flow, 3).is_none());
        // A closed window is tried with one fragment.
        flow.acknowledge(&ack(0, &[(0, 3)]));
        assert!(write(&mut flow, 4).is_some() && write(&mut flow, 5).is_none());
    }

    #[test]
    fn the_end_is_said_once() {
        let mut waiting = flow();
        waiting.push(b"last");
        waiting.finish();
        waiting.finish();
        let chunk = write(&mut waiting, 0).unwrap();
        let chunk = UserData::decode(&chunk).unwrap();
        assert!(chunk.is_final && !chunk.is_abandoned && chunk.data == b"last");
        assert!(write(&mut waiting, 1).is_none());
        let mut empty = flow();
        empty.finish();
        let chunk = write(&mut empty, 0).unwrap();
        let chunk = UserData::decode(&chunk).unwrap();
        assert!(chunk.is_final && chunk.is_abandoned && chunk.data.is_empty());
    }

    #[test]
    fn a_chunk_that_does_not_fit_waits() {
        let mut flow = flow();
        flow.push(&[0; 500]);
        let mut out = b"before".to_vec();
        assert_eq!(flow.write_next(0, false, 500, &mut out), None);
        assert_eq!(out, b"before");
        assert_eq!(flow.write_next(0, false, 505, &mut out), Some(500));
    }
}
