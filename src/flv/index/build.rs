//! The index of a file while it is written.

use crate::proto::amf0::{self, Object, Value};
use crate::proto::media::{AudioTag, Class, VideoTag};

use super::super::script::ON_META_DATA;
use super::super::tag::{TAG_HEADER_BYTES, tag_type};

/// What is known of an FLV, for its onMetaData.
#[derive(Debug, Clone)]
pub struct Index {
    /// Size of the tag's payload, which stays.
    pub(super) payload_bytes: usize,
    pub(super) capacity: usize,
    /// The server's properties that are not ours to say.
    pub(super) server: Object,
    pub(super) has_server: bool,
    /// Bytes that they may take up.
    pub(super) server_room: usize,
    /// Bytes before the filler's zeros as they were encoded last.
    pub(super) front_bytes: usize,
    entries: Vec<Entry>,
    /// Every n-th keyframe is kept, and how many there were.
    stride: u64,
    keyframes: u64,
    /// The entries are audio tags, there being no video.
    by_audio: bool,
    audio: TrackFacts,
    video: TrackFacts,
    script_bytes: u64,
    last_keyframe: Option<Entry>,
    /// The last video frame is a keyframe.
    ends_on_keyframe: bool,
    first_ms: Option<u64>,
}

/// A place where playing can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    time_ms: u64,
    offset: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct TrackFacts {
    tags: u64,
    /// Bytes of the tags, headers included.
    bytes: u64,
    frames: u64,
    first_ms: Option<u64>,
    last_ms: u64,
    codec: Option<f64>,
}

impl Index {
    /// An index for up to `capacity` keyframes, which takes over the server's properties if they are of reasonable size.
    pub fn new(server: Option<&Object>, capacity: usize) -> Self {
        let kept = server.map(server_properties);
        let kept = kept.filter(|kept| encoded_bytes(kept) <= MAX_SERVER_BYTES);
        let has_server = kept.is_some();
        let server = kept.unwrap_or_default();
        let server_room = encoded_bytes(&server) + LATE_BYTES;
        let capacity = capacity.max(2);
        Self {
            payload_bytes: OWN_BYTES + server_room + capacity * ENTRY_BYTES,
            capacity,
            server,
            has_server,
            server_room,
            front_bytes: 0,
            entries: Vec::new(),
            stride: 1,
            keyframes: 0,
            by_audio: false,
            audio: TrackFacts::default(),
            video: TrackFacts::default(),
            script_bytes: 0,
            last_keyframe: None,
            ends_on_keyframe: false,
            first_ms: None,
        }
    }

    /// Whether the server's properties were taken over.
    pub fn has_server_metadata(&self) -> bool {
        self.has_server
    }

    /// Takes over properties of metadata that came late, as far as there is room: those with new names. What the first metadata
    /// said stays, because players set themselves up by it.
    pub fn merge_server_metadata(&mut self, server: &Object) {
        let mut merged = self.server.clone();
        for (name, value) in server_properties(server).properties {
            if merged.get(&name).is_none() {
                merged.properties.push((name, value));
                if encoded_bytes(&merged) > self.server_room {
                    merged.properties.pop();
                }
            }
        }
        self.has_server |= !merged.properties.is_empty();
        self.server = merged;
    }

    /// Notes a tag that is about to be in the file at `offset`. `time_ms` is its time, not wrapped.
    pub fn observe(&mut self, kind: u8, time_ms: u64, payload: &[u8], offset: u64) {
        self.observe_part(kind, time_ms, payload, payload.len(), offset);
    }

    /// The same with the first bytes of a payload of `length` bytes.
    pub(super) fn observe_part(&mut self, kind: u8, time_ms: u64, payload: &[u8], length: usize, offset: u64) {
        let bytes = length as u64 + TAG_HEADER_BYTES as u64;
        let class = Class::of(kind, payload);
        match kind {
            tag_type::VIDEO => {
                self.video.note(bytes);
                if self.video.codec.is_none() {
                    self.video.codec = video_codec(payload);
                }
                if class.kind.is_coded() {
                    self.first_ms.get_or_insert(time_ms);
                    self.video.frame(time_ms);
                    self.ends_on_keyframe = class.is_keyframe();
                    if self.ends_on_keyframe {
                        self.keyframe(Entry { time_ms, offset });
                    }
                }
            }
            tag_type::AUDIO => {
                self.audio.note(bytes);
                if self.audio.codec.is_none() {
                    self.audio.codec = audio_codec(payload);
                }
                if class.kind.is_coded() {
                    self.first_ms.get_or_insert(time_ms);
                    self.audio.frame(time_ms);
                    let due =
                        self.last_keyframe.is_none_or(|last| time_ms >= last.time_ms + AUDIO_ENTRY_MS * self.stride);
                    if self.video.tags == 0 && due {
                        self.by_audio = true;
                        self.add(Entry { time_ms, offset });
                    }
                }
            }
            _ => self.script_bytes += bytes,
        }
    }

    /// Forgets what lies beyond `length` bytes: the file had to be cut.
    pub fn forget_beyond(&mut self, length: u64) {
        self.entries.retain(|entry| entry.offset < length);
        if self.last_keyframe.is_some_and(|last| last.offset >= length) {
            self.last_keyframe = self.entries.last().copied();
        }
    }

    /// Largest time of a frame, in milliseconds.
    pub fn last_ms(&self) -> u64 {
        self.audio.last_ms.max(self.video.last_ms)
    }

    /// Length of the recording in milliseconds: from the first frame to the end of the last.
    pub fn duration_ms(&self) -> u64 {
        let ending = if self.video.last_ms >= self.audio.last_ms { &self.video } else { &self.audio };
        self.first_ms.map_or(0, |first| self.last_ms().saturating_sub(first) + ending.frame_ms())
    }

    /// How many video keyframes there are.
    pub fn keyframes(&self) -> u64 {
        self.keyframes
    }

    /// The payload for a file of `file_bytes` bytes.
    pub fn encode(&mut self, file_bytes: u64) -> Vec<u8> {
        let mut payload = self.front(file_bytes);
        self.front_bytes = payload.len();
        payload.resize(self.payload_bytes - TAIL.len(), 0);
        payload.extend_from_slice(&TAIL);
        payload
    }

    /// What is to be written over the beginning of the payload so that it tells of a file of `file_bytes` bytes.
    pub fn patch(&mut self, file_bytes: u64) -> Vec<u8> {
        let mut front = self.front(file_bytes);
        let before = std::mem::replace(&mut self.front_bytes, front.len());
        // A shorter one leaves something behind that was not zero.
        front.resize(front.len().max(before), 0);
        front
    }

    fn keyframe(&mut self, entry: Entry) {
        if self.by_audio {
            self.by_audio = false;
            self.entries.clear();
            self.stride = 1;
        }
        if self.keyframes.is_multiple_of(self.stride) {
            self.add(entry);
        }
        self.keyframes += 1;
        self.last_keyframe = Some(entry);
    }

    fn add(&mut self, entry: Entry) {
        if self.entries.len() >= self.capacity {
            let mut nth = 0u32;
            self.entries.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
            self.stride *= 2;
            if !self.by_audio && !self.keyframes.is_multiple_of(self.stride) {
                return;
            }
        }
        self.last_keyframe = Some(entry);
        self.entries.push(entry);
    }

    fn front(&self, file_bytes: u64) -> Vec<u8> {
        let mut properties = self.own_properties(file_bytes);
        let last = (!self.entries.is_empty()).then(|| {
            let offsets = self.entries.iter().map(|entry| Value::Number(entry.offset as f64)).collect();
            let times =
                self.entries.iter().map(|entry| Value::Number(seconds(u64::from(entry.time_ms as u32)))).collect();
            Object::default()
                .with("filepositions", Value::StrictArray(offsets))
                .with("times", Value::StrictArray(times))
        });
        if let Some(keyframes) = last {
            properties.insert("keyframes", keyframes);
        }
        let ours = properties.properties.len();
        for (name, value) in &self.server.properties {
            if !properties.properties.iter().take(ours).any(|(own, _)| own == name) {
                properties.properties.push((name.clone(), value.clone()));
            }
        }
        let mut front = ON_META_DATA.to_vec();
        amf0::encode(&Value::EcmaArray(properties), &mut front);
        // The count is a hint that no reader relies on, but let it be right: the filler is one more.
        if let Some(count) = front.get_mut(ON_META_DATA.len() + 1..ON_META_DATA.len() + 5) {
            let all = u32::from_be_bytes([count[0], count[1], count[2], count[3]]) + 1;
            count.copy_from_slice(&all.to_be_bytes());
        }
        front.truncate(front.len() - TAIL.len());
        self.add_filler_header(&mut front);
        front
    }

    /// Appends the filler's name and count, such that zeros complete the payload to its size.
    fn add_filler_header(&self, front: &mut Vec<u8>) {
        let room = self.payload_bytes - TAIL.len() - front.len();
        // The name takes up what is no multiple of a number's nine bytes.
        let elements = (room - FILLER_HEADER_BYTES) / NUMBER_BYTES;
        let name = format!("{FILLER:_<0$}", FILLER.len() + (room - FILLER_HEADER_BYTES) % NUMBER_BYTES);
        front.extend_from_slice(&(name.len() as u16).to_be_bytes());
        front.extend_from_slice(name.as_bytes());
        front.push(STRICT_ARRAY_MARKER);
        front.extend_from_slice(&(elements as u32).to_be_bytes());
    }

    fn own_properties(&self, file_bytes: u64) -> Object {
        let duration = self.duration_ms();
        let mut own = Object::default()
            .with("duration", seconds(duration))
            .with("filesize", file_bytes as f64)
            .with("hasVideo", self.video.tags > 0)
            .with("hasAudio", self.audio.tags > 0)
            .with("hasMetadata", true)
            .with("hasKeyframes", self.keyframes > 0)
            .with("canSeekToEnd", self.ends_on_keyframe)
            .with("lasttimestamp", seconds(self.last_ms()))
            .with("datasize", (self.audio.bytes + self.video.bytes + self.script_bytes) as f64)
            .with("videosize", self.video.bytes as f64)
            .with("audiosize", self.audio.bytes as f64);
        if let Some(last) = self.last_keyframe.filter(|_| self.keyframes > 0) {
            own.insert("lastkeyframetimestamp", seconds(last.time_ms));
            own.insert("lastkeyframelocation", last.offset as f64);
        }
        let mut unless_said = |name: &str, value: Option<f64>| {
            let said = self.server.get(name).is_some_and(|value| *value != Value::Number(0.0));
            if let Some(value) = value.filter(|_| !said) {
                own.insert(name, value);
            }
        };
        unless_said("videocodecid", self.video.codec);
        unless_said("audiocodecid", self.audio.codec);
        unless_said("videodatarate", self.video.kilobits_per_second());
        unless_said("audiodatarate", self.audio.kilobits_per_second());
        unless_said("framerate", self.video.frames_per_second());
        own
    }
}

impl TrackFacts {
    fn note(&mut self, bytes: u64) {
        self.tags += 1;
        self.bytes += bytes;
    }

    fn frame(&mut self, time_ms: u64) {
        self.frames += 1;
        self.first_ms.get_or_insert(time_ms);
        self.last_ms = self.last_ms.max(time_ms);
    }

    fn span_ms(&self) -> u64 {
        self.first_ms.map_or(0, |first| self.last_ms.saturating_sub(first))
    }

    /// Mean distance of two frames.
    fn frame_ms(&self) -> u64 {
        if self.frames < 2 { 0 } else { (self.span_ms() / (self.frames - 1)).min(MAX_FRAME_MS) }
    }

    fn kilobits_per_second(&self) -> Option<f64> {
        let payload = self.bytes - self.tags * TAG_HEADER_BYTES as u64;
        (self.span_ms() > 0).then(|| (payload as f64 * 80.0 / self.span_ms() as f64).round() / 10.0)
    }

    fn frames_per_second(&self) -> Option<f64> {
        let rate = (self.frames.checked_sub(1)? as f64) * 1000.0 / self.span_ms() as f64;
        rate.is_finite().then(|| (rate * 1000.0).round() / 1000.0).filter(|rate| *rate > 0.0)
    }
}

/// `videocodecid` of a video tag, of the first track if it has several: the number of E.4.3.1, or the FourCC as a number.
fn video_codec(payload: &[u8]) -> Option<f64> {
    let track = VideoTag::parse(payload).ok()?.tracks().next()?;
    Some(track.codec.number().into())
}

/// `audiocodecid` of an audio tag, of the first track if it has several: the format of E.4.2.1, or the FourCC as a number.
fn audio_codec(payload: &[u8]) -> Option<f64> {
    let track = AudioTag::parse(payload).ok()?.tracks().next()?;
    Some(track.codec.number().into())
}

/// The server's properties without those that speak of another file, and without values that mean nothing in this one.
pub(super) fn server_properties(server: &Object) -> Object {
    let keep = |(name, value): &&(String, Value)| {
        let ours = OWN_NAMES.contains(&name.as_str()) || name.starts_with(FILLER);
        !ours && !matches!(value, Value::Reference(_) | Value::MovieClip | Value::RecordSet | Value::Amf3(_))
    };
    Object { properties: server.properties.iter().filter(keep).cloned().collect() }
}

pub(super) fn encoded_bytes(object: &Object) -> usize {
    let mut bytes = Vec::new();
    amf0::encode(&Value::Object(object.clone()), &mut bytes);
    bytes.len()
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// What ends the payload: an empty name and Object End.
pub(super) const TAIL: [u8; 3] = [0, 0, 9];
/// Keyframes for which room is reserved in a recording: over two hours at one in two seconds, in 72 KiB.
pub const RESERVED_KEYFRAMES: usize = 4096;

/// Properties of which the server's version is dropped. It may well be right about the rates and codecs.
const OWN_NAMES: [&str; 15] = [
    "duration",
    "filesize",
    "hasVideo",
    "hasAudio",
    "hasMetadata",
    "hasKeyframes",
    "hasCuePoints",
    "canSeekToEnd",
    "lasttimestamp",
    "lastkeyframetimestamp",
    "lastkeyframelocation",
    "datasize",
    "videosize",
    "audiosize",
    "keyframes",
];
pub(super) const FILLER: &str = "filler";
/// Length of the name, the name, marker, count.
const FILLER_HEADER_BYTES: usize = 2 + FILLER.len() + 1 + 4;
const STRICT_ARRAY_MARKER: u8 = 0x0a;
const NUMBER_BYTES: usize = 9;
/// A position and a time.
pub(super) const ENTRY_BYTES: usize = 2 * NUMBER_BYTES;
/// More than all our properties together with the filler's header take.
pub(super) const OWN_BYTES: usize = 1024;
/// Room for metadata that comes after the beginning.
pub(super) const LATE_BYTES: usize = 2048;
/// Metadata larger than this is written as a tag of its own.
const MAX_SERVER_BYTES: usize = 64 << 10;
/// Without video, playing can begin at any audio tag; so many are enough.
const AUDIO_ENTRY_MS: u64 = 2_000;
/// A mean beyond this comes from gaps.
const MAX_FRAME_MS: u64 = 1_000;

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
