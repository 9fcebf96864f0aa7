//! The beginning of a recording, held until it is known which tracks there are.

use crate::proto::media::Class;

use super::super::tag::{FileHeader, tag_type};
use super::super::timeline::{HEADER_MS, Track, unwrap_near};

/// The beginning, held in memory.
#[derive(Default)]
pub struct Preroll {
    pub(super) held: Vec<Held>,
    pub(super) bytes: usize,
    /// When the first frame was held.
    pub(super) since_ms: Option<u64>,
    /// Media time of the first frame and of the last.
    first: Option<i64>,
    last: i64,
    /// Tracks that were seen at all, of which frames were seen, and which the metadata names; as header flags.
    pub(super) seen: u8,
    pub(super) coded: u8,
    pub(super) declared: u8,
}

pub struct Held {
    pub(super) kind: u8,
    pub(super) timestamp: u32,
    pub(super) payload: Vec<u8>,
}

impl Preroll {
    /// Keeps a copy of a message. Returns how many had to be dropped for it: data alone opens nothing, and must not fill the
    /// memory.
    pub(super) fn hold(&mut self, kind: u8, timestamp: u32, payload: &[u8], now_ms: u64) -> u64 {
        let flag = match kind {
            tag_type::AUDIO => FileHeader::AUDIO,
            tag_type::VIDEO => FileHeader::VIDEO,
            _ => 0,
        };
        self.seen |= flag;
        if Class::of(kind, payload).kind.is_coded() {
            self.coded |= flag;
            self.since_ms.get_or_insert(now_ms);
            let first = *self.first.get_or_insert(i64::from(timestamp));
            self.last = self.last.max(unwrap_near(timestamp, first));
        }
        self.bytes += payload.len();
        self.held.push(Held { kind, timestamp, payload: payload.to_vec() });
        let mut dropped = 0;
        while self.coded == 0 && self.is_full() {
            self.bytes -= self.held.remove(0).payload.len();
            dropped += 1;
        }
        dropped
    }

    /// The flags for the file header, if enough is known to begin or it was waited long enough. `from_zero`: a first frame
    /// near 0 makes 0 the base, whatever comes after it.
    pub(super) fn flags(&self, now_ms: u64, pipe: bool, from_zero: bool) -> Option<u8> {
        let (since, first) = (self.since_ms?, self.first?);
        let wanted = if self.declared != 0 { self.declared | self.seen } else { BOTH };
        let waited = now_ms.saturating_sub(since);
        if self.coded & wanted == wanted {
            Some(wanted)
        } else if self.is_full() || waited >= LONGEST_HOLD_MS || self.last - first >= LONGEST_SPAN_MS {
            // Metadata that names a track which has not come by now is not to be believed.
            Some(self.seen)
        } else if pipe && self.seen == BOTH && from_zero && (0..=HEADER_MS).contains(&first)
            || pipe && self.declared != 0 && waited >= PIPE_HOLD_MS
        {
            Some(self.seen | self.declared)
        } else {
            None
        }
    }

    /// Whether what is held are the sequence headers of both tracks, and nothing of another time than 0.
    pub(super) fn has_headers_at_zero(&self) -> bool {
        self.coded == 0
            && self.seen == BOTH
            && !self.held.is_empty()
            && self.held.iter().all(|held| held.timestamp == 0)
    }

    /// When [`Preroll::flags`] will have waited long enough.
    pub(super) fn due_ms(&self, pipe: bool) -> Option<u64> {
        let patience = if pipe && self.declared != 0 { PIPE_HOLD_MS } else { LONGEST_HOLD_MS };
        self.since_ms.map(|since| since.saturating_add(patience))
    }

    fn is_full(&self) -> bool {
        self.held.len() > MAX_HELD || self.bytes > MAX_HELD_BYTES
    }

    pub(super) fn take(&mut self) -> Vec<Held> {
        self.bytes = 0;
        std::mem::take(&mut self.held)
    }
}

/// The flag of the file header that stands for a track.
pub fn flag_of(track: Track) -> u8 {
    match track {
        Track::Audio => FileHeader::AUDIO,
        Track::Video => FileHeader::VIDEO,
    }
}

const BOTH: u8 = FileHeader::AUDIO | FileHeader::VIDEO;
/// The beginning is held no longer than this after its first frame.
const LONGEST_HOLD_MS: u64 = 500;
/// Nor for more media than this: a track that has not come by then comes late.
const LONGEST_SPAN_MS: i64 = 1_000;
/// Where the metadata names the tracks, a pipe waits this long for the first frame of the second one.
const PIPE_HOLD_MS: u64 = 60;
/// Messages and bytes that are held at the most.
pub(super) const MAX_HELD: usize = 256;
pub(super) const MAX_HELD_BYTES: usize = 1 << 20;
