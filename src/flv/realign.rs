//! Where a stream that is sent again continues after what a file has already.
//!
//! ```text
//! file     … K a p p a p a p K a p p a|                (torn rest)
//! stream         . . . . . . K a p p a p a p p K a …   times on any line
//!            dropped ────────────────┘ └───────── kept, on the file's line
//! ```
//!
//! Servers do not agree on what `play` from a start means. They begin at a keyframe before it, behind it, or at the very
//! beginning; they send the file's own times, times from 0, or times shifted by the start. So the place is found by what does
//! not change, the payloads: each keyframe that is known from the file makes a *candidate* of how the two lines of time relate,
//! and every frame that follows speaks for or against it. Pure: fingerprints of a few tags of the file's beginning and end in,
//! for each incoming tag the answer whether it is new and at which time.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use crate::proto::media::{Class, Kind};

use super::script;
use super::tag::tag_type;

/// What a payload is when streams are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A picture that needs no other.
    Keyframe,
    /// Any other picture, and sound.
    Frame,
    /// A sequence header.
    Header,
    /// Metadata, data, ends of sequence.
    Other,
}

/// A tag as far as it matters for knowing it again: 24 bytes, whatever its payload weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagFingerprint {
    /// Its type, see [`tag_type`].
    pub kind: u8,
    /// What its payload is.
    pub role: Role,
    /// Timestamp in milliseconds, modulo 2³².
    pub time_ms: u32,
    /// Length of its payload in bytes.
    pub bytes: u32,
    hash: u64,
}

impl TagFingerprint {
    /// The fingerprint of a tag.
    pub fn of(kind: u8, time_ms: u32, payload: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(payload);
        Self { kind, role: role_of(kind, payload), time_ms, bytes: payload.len() as u32, hash: hasher.finish() }
    }

    /// Whether it is a frame of a track.
    pub fn is_coded(&self) -> bool {
        matches!(self.role, Role::Keyframe | Role::Frame)
    }

    fn payload(&self) -> (u8, u32, u64) {
        (self.kind, self.bytes, self.hash)
    }

    fn same_payload(&self, other: &TagFingerprint) -> bool {
        self.payload() == other.payload()
    }
}

/// Sorts a payload.
pub fn role_of(kind: u8, payload: &[u8]) -> Role {
    match Class::of(kind, payload).kind {
        Kind::Config => Role::Header,
        Kind::Keyframe => Role::Keyframe,
        Kind::Frame => Role::Frame,
        Kind::End | Kind::Data => Role::Other,
    }
}

/// What is to be done with an incoming tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The file has it, or it is not known yet where it belongs.
    Drop,
    /// It is new; this is its time in the file, in milliseconds modulo 2³².
    Keep(u32),
    /// The stream began behind the end of the file, or too little before it to be sure, or is another one: an earlier start is
    /// to be asked for.
    TooLate,
}

/// The search, and what follows it.
#[derive(Debug)]
pub struct Realigner {
    head: Vec<TagFingerprint>,
    /// The end of the file, a lane each for audio and video.
    lanes: [Lane; 2],
    /// Which frames make candidates.
    anchor_frames: AnchorFrames,
    /// Largest time of a frame in the file; all times are compared by their distance to it.
    end_ms: u32,
    /// The track of the file's last frame.
    end_track: usize,
    /// All that is known of the end is like something else there.
    is_monotonous: bool,
    /// The sequence headers in force at the file's end.
    headers: [Option<TagFingerprint>; 2],
    /// What stands behind the file's last frame and is no frame itself.
    trailing: Vec<TagFingerprint>,
    /// What has to be added to a time of the source, wrapping, if the server sends those.
    source_shift: u32,
    asked_ms: u32,
    candidates: Vec<Candidate>,
    /// The candidate that was acted upon.
    chosen: Option<Candidate>,
    /// Times of the first frame on this connection, and of the latest.
    first_ms: Option<u32>,
    latest_ms: u32,
    /// Time of the first that could have made a candidate.
    founded_ms: Option<u32>,
    /// Tracks of which this connection has brought frames.
    coded: [bool; 2],
}

/// The frames of one track at the end of the file, by their distance to its end.
#[derive(Debug, Default)]
struct Lane {
    entries: Vec<Entry>,
    /// Place in `entries` of the track's last frame in the file.
    last: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    distance: i32,
    known: TagFingerprint,
    /// How much it tells to meet it again: nothing if it is like another one.
    weight: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnchorFrames {
    Keyframes,
    Frames,
}

/// A relation of the two lines of time: file = stream + shift.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    shift: u32,
    /// Frames at the end of the file that were met again, and what they weigh together.
    met: u32,
    weight: u32,
    /// Frames at the beginning of the file that were met again.
    met_at_head: u32,
    /// Frames that should have been there and were not.
    missed: u32,
    /// Tracks whose last frame was met or passed.
    done: [bool; 2],
    /// The file's last frame was met, or one that comes behind it.
    reached_file_end: bool,
}

impl Realigner {
    /// A search for the end of a file. `head`: some tags from its beginning, in order, at least one keyframe (or sound, where
    /// there is no picture) among them; `tail`: its last tags, likewise. Both may be the same. `source_shift` is what has to be
    /// added to the source's times, wrapping, for the file's, as far as that is known; 0 is what it mostly is.
    pub fn new(head: Vec<TagFingerprint>, tail: &[TagFingerprint], source_shift: u32) -> Self {
        let end = tail.iter().filter(|known| known.is_coded());
        let end_ms = end.map(|known| known.time_ms).reduce(later).unwrap_or(0);
        let (in_tail, in_head) = (count(tail), count(&head));
        let weight = |known: &TagFingerprint| {
            let alone = |counts: &HashMap<_, u32>| counts.get(&known.payload()).is_none_or(|count| *count <= 1);
            let alone = alone(&in_tail) && alone(&in_head);
            match known.role {
                Role::Keyframe if alone && known.bytes >= HEAVY_BYTES => ENOUGH_WEIGHT,
                _ => u32::from(alone),
            }
        };
        let lane = |kind: u8| {
            let of_kind = tail.iter().filter(|known| known.kind == kind && known.is_coded());
            let distance = |known: &TagFingerprint| known.time_ms.wrapping_sub(end_ms) as i32;
            let mut entries: Vec<_> = of_kind
                .enumerate()
                .map(|(at, known)| (at, Entry { distance: distance(known), known: *known, weight: weight(known) }))
                .collect();
            let last = entries.len().saturating_sub(1);
            entries.sort_by_key(|(_, entry)| entry.distance);
            let last = entries.iter().position(|(at, _)| *at == last).unwrap_or(0);
            Lane { entries: entries.into_iter().map(|(_, entry)| entry).collect(), last }
        };
        let header = |kind: u8| {
            let mut all = tail.iter().rev().chain(head.iter().rev());
            all.find(|known| known.kind == kind && known.role == Role::Header).copied()
        };
        let keyframes = tail.iter().any(|known| known.role == Role::Keyframe);
        let last = tail.iter().rposition(TagFingerprint::is_coded);
        let behind = last.map_or(0, |at| at + 1);
        let lanes = [lane(tag_type::AUDIO), lane(tag_type::VIDEO)];
        let total: u32 = lanes.iter().flat_map(|lane| &lane.entries).map(|entry| entry.weight).sum();
        Self {
            lanes,
            is_monotonous: total < ENOUGH_WEIGHT,
            anchor_frames: if keyframes { AnchorFrames::Keyframes } else { AnchorFrames::Frames },
            end_ms,
            end_track: last.and_then(|at| tail.get(at)).and_then(|known| track_of(known.kind)).unwrap_or(0),
            headers: [header(tag_type::AUDIO), header(tag_type::VIDEO)],
            trailing: tail.get(behind..).unwrap_or(&[]).to_vec(),
            head,
            source_shift,
            asked_ms: 0,
            candidates: Vec::new(),
            chosen: None,
            first_ms: None,
            latest_ms: 0,
            founded_ms: None,
            coded: [false; 2],
        }
    }

    /// What comes now is from a new connection, which was asked for this point on the file's line, in milliseconds.
    pub fn begin(&mut self, asked_ms: u32) {
        self.asked_ms = asked_ms;
        self.candidates.clear();
        self.first_ms = None;
        self.founded_ms = None;
        self.coded = [false; 2];
    }

    /// Judges a tag. Script data is to be as it stands in files, see [`script::prepare`].
    pub fn push(&mut self, kind: u8, timestamp: u32, payload: &[u8]) -> Step {
        let role = role_of(kind, payload);
        let Some(track) = track_of(kind).filter(|_| matches!(role, Role::Keyframe | Role::Frame)) else {
            return self.other(kind, role, timestamp, payload);
        };
        let step = match self.chosen {
            // Past the end of the file nothing needs to be known again.
            Some(chosen) if chosen.done == [true; 2] => Step::Keep(timestamp.wrapping_add(chosen.shift)),
            _ => self.frame(track, TagFingerprint::of(kind, timestamp, payload)),
        };
        self.coded[track] = true;
        step
    }

    /// Whether new tags have been found.
    pub fn is_found(&self) -> bool {
        self.chosen.is_some()
    }

    /// Whether the file's last frame has been met again: if the stream ends here, the file was complete.
    pub fn reached_end(&self) -> bool {
        self.chosen
            .or(self.leader())
            .is_some_and(|candidate| candidate.reached_file_end && self.is_credible(&candidate))
    }

    /// Whether the file's end was within sight when the stream ended: many of its last frames have been met again.
    pub fn is_near_end(&self) -> bool {
        self.chosen.or(self.leader()).is_some_and(|candidate| self.is_credible(&candidate))
    }

    /// Whether something of the file was met again at all: then it is the same stream.
    pub fn is_known(&self) -> bool {
        self.chosen.is_some() || self.candidates.iter().any(|candidate| candidate.met + candidate.met_at_head > 0)
    }

    fn frame(&mut self, track: usize, known: TagFingerprint) -> Step {
        let time = known.time_ms;
        let first = *self.first_ms.get_or_insert(time);
        self.latest_ms = if self.coded == [false; 2] { time } else { later(self.latest_ms, time) };
        if let Some(mut chosen) = self.chosen {
            let place = self.place(&chosen, track, &known);
            self.count(&mut chosen, track, &place);
            self.chosen = Some(chosen);
            return if matches!(place, Place::Behind) {
                Step::Keep(time.wrapping_add(chosen.shift))
            } else {
                Step::Drop
            };
        }
        self.make_candidates(&known);
        let leader = self.leader().map(|leader| leader.shift);
        let mut candidates = std::mem::take(&mut self.candidates);
        let mut found = None;
        candidates.retain_mut(|candidate| {
            let place = self.place(candidate, track, &known);
            self.count(candidate, track, &place);
            if matches!(place, Place::Behind) {
                // Only the likeliest candidate may act; another one that has come to the end is none any more.
                if leader == Some(candidate.shift) {
                    found = Some(*candidate);
                }
                return false;
            }
            candidate.missed <= MISSES_ALLOWED + candidate.met / MISSES_SHARE
        });
        self.candidates = candidates;
        if let Some(candidate) = found {
            if !self.is_credible(&candidate) {
                // A less likely one is not to have its way now; with more of the file sent again there will be more to go by.
                self.candidates.clear();
                return Step::TooLate;
            }
            self.chosen = Some(candidate);
            return Step::Keep(time.wrapping_add(candidate.shift));
        }
        if self.candidates.is_empty() && self.is_too_late(first) { Step::TooLate } else { Step::Drop }
    }

    /// What is no frame: in the overlap the file has it, or had something else in its place.
    fn other(&mut self, kind: u8, role: Role, timestamp: u32, payload: &[u8]) -> Step {
        let Some(candidate) = self.chosen.or(self.leader()) else { return Step::Drop };
        if !candidate.reached_file_end || !self.is_credible(&candidate) {
            return Step::Drop;
        }
        let known = TagFingerprint::of(kind, timestamp, payload);
        if let Some(at) = self.trailing.iter().position(|trailing| trailing.same_payload(&known)) {
            self.trailing.remove(at);
            return Step::Drop;
        }
        // A server's own repetition comes before the first frame of its track.
        let repeated = match track_of(kind).filter(|_| role == Role::Header) {
            Some(track) => !self.coded[track] && self.headers[track].is_some_and(|header| header.same_payload(&known)),
            None => self.chosen.is_none() && kind == tag_type::SCRIPT && payload.starts_with(script::ON_META_DATA),
        };
        if repeated {
            return Step::Drop;
        }
        self.chosen = Some(candidate);
        Step::Keep(timestamp.wrapping_add(candidate.shift))
    }

    /// Where a frame stands if a candidate is right.
    fn place(&self, candidate: &Candidate, track: usize, known: &TagFingerprint) -> Place {
        let lane = &self.lanes[track];
        let distance = self.distance(known.time_ms.wrapping_add(candidate.shift));
        let (Some(first), Some(last)) = (lane.entries.first(), lane.entries.get(lane.last)) else {
            // A track that the end of the file has not: it is new once the other one is past the end.
            return if candidate.reached_file_end { Place::Behind } else { Place::Before };
        };
        let from = lane.entries.partition_point(|entry| entry.distance < distance.saturating_sub(TOLERANCE_MS));
        let near = lane.entries.iter().enumerate().skip(from);
        let mut near = near.take_while(|(_, entry)| entry.distance <= distance.saturating_add(TOLERANCE_MS));
        if !candidate.done[track]
            && let Some((at, entry)) = near.find(|(_, entry)| entry.known.same_payload(known))
        {
            return Place::Met { weight: entry.weight, is_last: at == lane.last };
        }
        if candidate.done[track] || distance > last.distance.saturating_add(TOLERANCE_MS) {
            Place::Behind
        } else if distance >= first.distance {
            Place::Missed
        } else {
            let time = known.time_ms.wrapping_add(candidate.shift);
            let at_head = |head: &TagFingerprint| {
                head.same_payload(known) && (head.time_ms.wrapping_sub(time) as i32).abs() <= TOLERANCE_MS
            };
            if self.head.iter().any(at_head) { Place::AtHead } else { Place::Before }
        }
    }

    fn count(&self, candidate: &mut Candidate, track: usize, place: &Place) {
        match *place {
            Place::Met { weight, is_last } => {
                candidate.met += 1;
                candidate.weight = candidate.weight.saturating_add(weight);
                candidate.done[track] |= is_last;
                candidate.reached_file_end |= is_last && track == self.end_track;
            }
            Place::AtHead => candidate.met_at_head += 1,
            Place::Missed => candidate.missed += 1,
            Place::Behind => {
                candidate.done[track] = true;
                candidate.reached_file_end = true;
            }
            Place::Before => {}
        }
    }

    fn make_candidates(&mut self, known: &TagFingerprint) {
        if !self.founds(known) {
            return;
        }
        let began = *self.founded_ms.get_or_insert(known.time_ms);
        let tail = self.lanes.iter().flat_map(|lane| &lane.entries).map(|entry| &entry.known);
        let mut new = Vec::new();
        for other in tail.chain(&self.head).filter(|other| other.same_payload(known)) {
            let shift = other.time_ms.wrapping_sub(known.time_ms);
            let is_there = |candidate: &Candidate| (candidate.shift.wrapping_sub(shift) as i32).abs() <= TOLERANCE_MS;
            if self.candidates.iter().chain(&new).any(is_there) || self.is_refuted(shift, began, known.time_ms) {
                continue;
            }
            if self.candidates.len() + new.len() < MAX_CANDIDATES {
                new.push(Candidate {
                    shift,
                    met: 0,
                    weight: 0,
                    met_at_head: 0,
                    missed: 0,
                    done: [false; 2],
                    reached_file_end: false,
                });
            }
        }
        self.candidates.append(&mut new);
    }

    fn founds(&self, known: &TagFingerprint) -> bool {
        self.anchor_frames == AnchorFrames::Frames || known.role == Role::Keyframe
    }

    /// Whether this connection should have met the file before `time_ms` if `shift` were right: it `began` to look earlier.
    fn is_refuted(&self, shift: u32, began: u32, time_ms: u32) -> bool {
        let (began, now) = (self.distance(began.wrapping_add(shift)), self.distance(time_ms.wrapping_add(shift)));
        let passed = |entry: &&Entry| {
            let (from, to) = (began.saturating_sub(TOLERANCE_MS), now.saturating_sub(TOLERANCE_MS));
            (from..to).contains(&entry.distance) && self.founds(&entry.known)
        };
        let passed = self.lanes.iter().flat_map(|lane| &lane.entries).filter(passed).count();
        passed > if self.anchor_frames == AnchorFrames::Keyframes { 0 } else { MISSES_ALLOWED as usize }
    }

    /// The likeliest candidate.
    fn leader(&self) -> Option<Candidate> {
        // A wrong one that has begun at the file's beginning does no harm, it never comes to the end.
        let rank = |candidate: &&Candidate| {
            (
                self.implausibility(candidate),
                !self.is_from_beginning(candidate),
                u32::MAX - candidate.weight,
                u32::MAX - candidate.met,
            )
        };
        self.candidates.iter().min_by_key(rank).copied()
    }

    /// How odd a server would have to be for a candidate to be right: 0 for times of the source and for those shifted by the start
    /// from the beginning on; otherwise by how far from the point asked for it began.
    fn implausibility(&self, candidate: &Candidate) -> u32 {
        let off = |shift: u32| (candidate.shift.wrapping_sub(shift) as i32).unsigned_abs();
        let shifted = self.source_shift.wrapping_sub(self.asked_ms);
        let near = |shift| off(shift) <= TOLERANCE_MS as u32;
        if near(self.source_shift) || (near(shifted) && self.is_from_beginning(candidate)) {
            return 0;
        }
        let began = self.first_ms.unwrap_or(0).wrapping_add(candidate.shift);
        (began.wrapping_sub(self.asked_ms) as i32).unsigned_abs().saturating_add(1)
    }

    /// Whether, by a candidate, this connection brings the stream from the beginning on.
    fn is_from_beginning(&self, candidate: &Candidate) -> bool {
        let Some(head) = self.head.iter().find(|known| known.is_coded()) else { return false };
        let began = self.first_ms.unwrap_or(0).wrapping_add(candidate.shift);
        (began.wrapping_sub(head.time_ms) as i32).abs() <= TOLERANCE_MS
    }

    /// Whether a candidate may be acted upon.
    fn is_credible(&self, candidate: &Candidate) -> bool {
        let weighs_enough =
            if self.is_monotonous { candidate.met >= ENOUGH_MET } else { candidate.weight >= ENOUGH_WEIGHT };
        candidate.met > 0 && (self.implausibility(candidate) == 0 || (candidate.met >= FEW_MET && weighs_enough))
    }

    fn is_too_late(&self, first: u32) -> bool {
        let asked = i64::from(self.asked_ms.wrapping_sub(self.end_ms) as i32);
        let began = i64::from(self.distance(first.wrapping_add(self.source_shift)));
        let span = i64::from(self.latest_ms.wrapping_sub(first) as i32);
        // Times that begin far below what was asked for count from the beginning of the play.
        let relative = self.asked_ms > 0 && first.wrapping_add(self.source_shift) < self.asked_ms / 2;
        if !relative && began > i64::from(TOLERANCE_MS) {
            return true;
        }
        span > -(if relative { asked } else { began }) + PATIENCE_MS
    }

    fn distance(&self, time_ms: u32) -> i32 {
        time_ms.wrapping_sub(self.end_ms) as i32
    }
}

/// Where a frame stands in the file.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Before what is known of the end.
    Before,
    /// There, at the beginning.
    AtHead,
    /// There, at the end.
    Met { weight: u32, is_last: bool },
    /// It should be at the end, and is not.
    Missed,
    /// Behind the end.
    Behind,
}

fn track_of(kind: u8) -> Option<usize> {
    match kind {
        tag_type::AUDIO => Some(0),
        tag_type::VIDEO => Some(1),
        _ => None,
    }
}

fn count(all: &[TagFingerprint]) -> HashMap<(u8, u32, u64), u32> {
    let mut counts = HashMap::new();
    all.iter().for_each(|known| *counts.entry(known.payload()).or_default() += 1);
    counts
}

/// The later of two times that may have wrapped between them.
fn later(a: u32, b: u32) -> u32 {
    if (b.wrapping_sub(a) as i32) > 0 { b } else { a }
}

/// Two times of one frame may differ by this: servers round. Less than half of the shortest frame.
const TOLERANCE_MS: i32 = 5;
/// A keyframe with fewer bytes is a picture of nothing, of which there may be many.
const HEAVY_BYTES: u32 = 64;
/// What makes a candidate credible whatever its times are: one keyframe that is like no other, or four such frames,
const ENOUGH_WEIGHT: u32 = 4;
/// together with a few others that are where they should be,
const FEW_MET: u32 = 8;
/// or, where all are alike, this many.
const ENOUGH_MET: u32 = 16;
/// A candidate dies of more misses than this, and one for so many frames that it met: servers lose some now and then.
const MISSES_ALLOWED: u32 = 2;
const MISSES_SHARE: u32 = 16;
/// Guesses that are followed at a time; silence makes one for every frame at the end of the file.
const MAX_CANDIDATES: usize = 1024;
/// Media that is passed over beyond the point where the file's end should have come, in milliseconds.
const PATIENCE_MS: i64 = 30_000;

#[cfg(test)]
mod tests;
