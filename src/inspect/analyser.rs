//! The analyser: looks at one message or tag after the other, and says what the stream is made of.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::proto::amf0::{Object, Value};
use crate::proto::media::{AudioCodec, AudioPacket, AudioTag, FourCc, FrameType, VideoCodec, VideoPacket, VideoTag};
use crate::proto::message::message_type;

use super::codec::{self, Configuration};
use super::finding::Finding;
use super::series::Timeline;
use super::track::{Kind, TimestampAnomaly, Track, TrackReport};

/// Looks at audio, video and script data, one message or tag after the other.
#[derive(Debug, Default)]
pub struct Analyser {
    tracks: BTreeMap<(Kind, u8), Track>,
    metadata: Option<Object>,
    /// What was found in the present message.
    findings: Vec<Finding>,
    messages: u64,
    bytes: u64,
    scripts: u64,
    offset: AvOffset,
    color_info: Option<Object>,
    desync_found: bool,
    metadata_seen: bool,
    video_seen: bool,
    /// Where somebody wants to know how it went.
    timeline: Option<Timeline>,
}

/// What there is to tell of a stream. Times are in milliseconds, of the stream's own clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Messages (or tags), of whatever kind.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// From the first frame to the last, of whatever track.
    pub duration_ms: i64,
    /// Bits in a second, of all tracks together.
    pub bitrate_bps: Option<u64>,
    /// How far video and audio are apart, if there are both.
    pub av_offset_ms: Option<AvOffsetReport>,
    /// The tracks, video first.
    pub tracks: Vec<TrackReport>,
}

/// Time of video less time of audio, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AvOffsetReport {
    /// Of their first frames, as they are presented.
    pub start: i64,
    /// Of the latest frames of both at each moment: the mean, …
    pub mean: f64,
    /// … the lowest, …
    pub min: i64,
    /// … and the highest.
    pub max: i64,
}

impl Analyser {
    /// An analyser that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// An analyser that also keeps how the stream goes over time.
    pub fn with_timeline() -> Self {
        Self { timeline: Some(Timeline::default()), ..Self::default() }
    }

    /// How the stream went, if that is kept.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()
    }

    /// Looks at a message (or tag) of type `kind`. `arrival_ms` is when it came, on any clock, where that is known. Returns
    /// what is wrong or odd about it.
    pub fn observe(&mut self, kind: u8, timestamp_ms: u32, payload: &[u8], arrival_ms: Option<u64>) -> &[Finding] {
        self.findings.clear();
        self.messages += 1;
        self.bytes += payload.len() as u64;
        match kind {
            message_type::VIDEO => self.video(timestamp_ms, payload, arrival_ms),
            message_type::AUDIO => self.audio(timestamp_ms, payload, arrival_ms),
            message_type::DATA_AMF0 | message_type::DATA_AMF3 => self.script(kind, timestamp_ms, payload),
            _ => {}
        }
        &self.findings
    }

    /// What is known so far.
    pub fn report(&self) -> Report {
        let active = || self.tracks.values().filter(|track| track.frames > 0);
        let first = active().map(|track| track.times.first).min();
        let last = active().map(|track| track.times.last).max();
        let rates: Vec<f64> = active().filter_map(Track::bitrate_bps).collect();
        let mut tracks: Vec<TrackReport> = self.tracks.values().map(Track::report).collect();
        self.fill_from_metadata(&mut tracks);
        Report {
            messages: self.messages,
            bytes: self.bytes,
            duration_ms: first.zip(last).map_or(0, |(first, last)| last - first),
            bitrate_bps: (!rates.is_empty()).then(|| rates.iter().sum::<f64>().round() as u64),
            av_offset_ms: self.offset.report(self.start(Kind::Video), self.start(Kind::Audio)),
            tracks,
        }
    }

    /// The last onMetaData.
    pub fn metadata(&self) -> Option<&Object> {
        self.metadata.as_ref()
    }

    /// The last colorInfo (Enhanced RTMP, HDR).
    pub fn color_info(&self) -> Option<&Object> {
        self.color_info.as_ref()
    }

    /// Whether enough is known of every track that there is: its configuration, its rate, a group of pictures; and whether
    /// the tracks that the metadata speaks of are there.
    pub fn is_complete(&self) -> bool {
        let known = |track: &Track| {
            let configured = !track.needs_header || track.record.is_some();
            let timed = track.times.last - track.times.first >= ENOUGH_MS;
            configured && timed && (track.kind == Kind::Audio || track.gops.count() > 0)
        };
        let declared = self.metadata.as_ref().map_or(0, crate::flv::script::declared_tracks);
        let has = |kind| self.tracks.keys().any(|(k, _)| *k == kind);
        let all = (declared & 4 == 0 || has(Kind::Audio)) && (declared & 1 == 0 || has(Kind::Video));
        !self.tracks.is_empty() && all && self.tracks.values().all(known)
    }

    /// When the first frame is to be presented.
    fn start(&self, kind: Kind) -> Option<i64> {
        self.tracks
            .range((kind, 0)..=(kind, u8::MAX))
            .find(|(_, t)| t.frames > 0)
            .map(|(_, t)| t.times.first + t.delay_ms)
    }

    /// The picture's size, where the codec's configuration does not tell it, by the metadata.
    fn fill_from_metadata(&self, tracks: &mut [TrackReport]) {
        let Some(metadata) = &self.metadata else { return };
        let size = |name| metadata.get(name).and_then(Value::as_number).filter(|n| (1.0..=65536.0).contains(n));
        let Some(video) = tracks.iter_mut().find(|track| track.kind == Kind::Video) else { return };
        if video.width.is_none() && video.height.is_none() {
            (video.width, video.height) = (size("width").map(|n| n as u32), size("height").map(|n| n as u32));
        }
    }

    fn video(&mut self, timestamp_ms: u32, payload: &[u8], arrival_ms: Option<u64>) {
        if payload.is_empty() {
            self.findings.push(Finding::EmptyVideo);
            return;
        }
        let tag = match VideoTag::parse(payload) {
            Ok(tag) => tag,
            Err(error) => {
                self.findings.push(Finding::BadPayload { kind: Kind::Video, reason: error.to_string() });
                return;
            }
        };
        if tag.packet == VideoPacket::Metadata {
            self.hdr(&tag);
            return;
        }
        if let FrameType::Reserved(number) = tag.frame_type {
            self.findings.push(Finding::UnknownFrameType(number));
        }
        if tag.is_coded() && !std::mem::replace(&mut self.video_seen, true) && !tag.is_keyframe() {
            self.findings.push(Finding::NoKeyframeFirst);
        }
        for part in tag.tracks() {
            let track = self.tracks.entry((Kind::Video, part.id)).or_insert_with(|| Track::new(Kind::Video, part.id));
            let number = part.codec.to_string();
            if track.codec != number {
                let old = std::mem::replace(&mut track.codec, number);
                track.codec_id = video_id(part.codec);
                track.enhanced = tag.enhanced;
                track.needs_header = codec::video_needs_header(part.codec);
                (track.record, track.configuration) = (None, Configuration::default());
                if !old.is_empty() {
                    let (kind, to) = (Kind::Video, track.codec.clone());
                    self.findings.push(Finding::CodecChange { kind, from: old, to });
                }
                if !codec::is_known_video(part.codec) {
                    self.findings.push(Finding::UnknownCodec { kind: Kind::Video, codec: track.codec.clone() });
                }
            }
            match tag.packet {
                VideoPacket::SequenceStart => {
                    let read = codec::video(part.codec, part.body);
                    take_record(track, part.body, read, &mut self.findings);
                }
                VideoPacket::Mpeg2TsSequenceStart => track.record = Some(part.body.to_vec()),
                VideoPacket::CodedFrames | VideoPacket::CodedFramesX => {
                    track.composition_times |= part.composition_time_ms != 0;
                    if track.frames == 0 {
                        track.delay_ms = i64::from(part.composition_time_ms);
                    }
                    miss_header(track, &mut self.findings);
                    let keyframe = tag.is_keyframe().then_some(part.composition_time_ms);
                    let irregular = track.frame(timestamp_ms, part.body.len() as u64, keyframe, arrival_ms);
                    if let Some(timeline) = &mut self.timeline {
                        timeline.frame(track.kind, part.id, track.times.last, part.body.len() as u64);
                    }
                    note_anomaly(track, irregular, &mut self.findings);
                }
                _ => {}
            }
        }
        if tag.is_coded() {
            self.note_offset();
        }
    }

    fn audio(&mut self, timestamp_ms: u32, payload: &[u8], arrival_ms: Option<u64>) {
        let tag = match AudioTag::parse(payload) {
            Ok(tag) => tag,
            Err(error) => {
                self.findings.push(Finding::BadPayload { kind: Kind::Audio, reason: error.to_string() });
                return;
            }
        };
        for part in tag.tracks() {
            let track = self.tracks.entry((Kind::Audio, part.id)).or_insert_with(|| Track::new(Kind::Audio, part.id));
            let name = part.codec.to_string();
            if track.codec != name {
                let old = std::mem::replace(&mut track.codec, name);
                track.codec_id = audio_id(part.codec);
                track.enhanced = tag.is_enhanced();
                track.needs_header = codec::audio_needs_header(part.codec);
                (track.record, track.configuration) = (None, Configuration::default());
                if !old.is_empty() {
                    let (kind, to) = (Kind::Audio, track.codec.clone());
                    self.findings.push(Finding::CodecChange { kind, from: old, to });
                }
                if !codec::is_known_audio(part.codec) {
                    self.findings.push(Finding::UnknownCodec { kind: Kind::Audio, codec: track.codec.clone() });
                }
            }
            if let Some(sound) = tag.sound.filter(|_| !track.needs_header) {
                let configuration = codec::of_sound(sound);
                if ![&Configuration::default(), &configuration].contains(&&track.configuration) {
                    track.config_changes += 1;
                    self.findings.push(Finding::ConfigurationChange(Kind::Audio));
                }
                track.configuration = configuration;
            }
            match tag.packet {
                AudioPacket::SequenceStart => {
                    let read = codec::audio(part.codec, part.body);
                    take_record(track, part.body, read, &mut self.findings);
                }
                AudioPacket::MultichannelConfig => {
                    track.configuration.channels = part.channels().ok().map(|channels| channels.count);
                }
                AudioPacket::CodedFrames => {
                    miss_header(track, &mut self.findings);
                    let irregular = track.frame(timestamp_ms, part.body.len() as u64, None, arrival_ms);
                    if let Some(timeline) = &mut self.timeline {
                        timeline.frame(track.kind, part.id, track.times.last, part.body.len() as u64);
                    }
                    note_anomaly(track, irregular, &mut self.findings);
                }
                AudioPacket::SequenceEnd | AudioPacket::Silence => {}
            }
        }
        if tag.is_coded() {
            self.note_offset();
        }
    }

    fn hdr(&mut self, tag: &VideoTag<'_>) {
        for part in tag.tracks() {
            match part.metadata() {
                Ok(pairs) => {
                    if let Some((_, value)) = pairs.into_iter().find(|(name, _)| name == "colorInfo") {
                        self.color_info = value.as_object().filter(|object| !object.properties.is_empty()).cloned();
                    }
                }
                Err(error) => {
                    self.findings.push(Finding::BadPayload { kind: Kind::Video, reason: error.to_string() });
                }
            }
        }
    }

    fn script(&mut self, kind: u8, timestamp_ms: u32, payload: &[u8]) {
        self.scripts += 1;
        let body = match payload {
            [0, rest @ ..] if kind == message_type::DATA_AMF3 => rest,
            payload => payload,
        };
        let body = body.strip_prefix(SET_DATA_FRAME).unwrap_or(body);
        let Some(rest) = body.strip_prefix(ON_META_DATA) else {
            if let Err(error) = crate::proto::amf0::decode_all(body) {
                self.findings.push(Finding::BadScript(error.to_string()));
            } else if body.is_empty() {
                self.findings.push(Finding::EmptyScript);
            }
            return;
        };
        match crate::proto::amf0::decode(rest) {
            Ok((value, _)) => {
                if !matches!(value, Value::EcmaArray(_) | Value::Object(_)) {
                    self.findings.push(Finding::MetadataNoEcmaArray);
                }
                if std::mem::replace(&mut self.metadata_seen, true) {
                    self.findings.push(Finding::MetadataAgain);
                } else {
                    if self.messages > 1 {
                        self.findings.push(Finding::MetadataLate);
                    }
                    if timestamp_ms != 0 {
                        self.findings.push(Finding::MetadataTime(timestamp_ms));
                    }
                }
                self.metadata = value.as_object().cloned();
            }
            Err(error) => self.findings.push(Finding::BadScript(error.to_string())),
        }
    }

    fn note_offset(&mut self) {
        let latest = |kind| {
            let mut range = self.tracks.range((kind, 0)..=(kind, u8::MAX));
            range.find(|(_, track): &(_, &Track)| track.frames > 0).map(|(_, track)| track.times.last)
        };
        let (Some(video), Some(audio)) = (latest(Kind::Video), latest(Kind::Audio)) else { return };
        let offset = video - audio;
        self.offset.note(offset);
        if let Some(timeline) = &mut self.timeline {
            timeline.offset(offset);
        }
        if offset.abs() >= DESYNC_MS && !std::mem::replace(&mut self.desync_found, true) {
            self.findings.push(Finding::Desync(offset));
        }
    }
}

/// A sequence header's record, read.
fn take_record(track: &mut Track, record: &[u8], read: Result<Configuration, String>, findings: &mut Vec<Finding>) {
    let kind = track.kind;
    if let Some(old) = &track.record
        && old != record
    {
        track.config_changes += 1;
        findings.push(Finding::ConfigurationChange(kind));
    }
    track.record = Some(record.get(..MAX_RECORD_BYTES).unwrap_or(record).to_vec());
    match read {
        Ok(configuration) => track.configuration = configuration,
        Err(reason) => findings.push(Finding::BadRecord { kind, codec: track.codec.clone(), reason }),
    }
}

fn miss_header(track: &mut Track, findings: &mut Vec<Finding>) {
    if track.needs_header && track.record.is_none() && !std::mem::replace(&mut track.header_missed, true) {
        findings.push(Finding::NoSequenceHeader { kind: track.kind, codec: track.codec.clone() });
    }
}

fn note_anomaly(track: &Track, irregular: Option<TimestampAnomaly>, findings: &mut Vec<Finding>) {
    let kind = track.kind;
    findings.extend(irregular.map(|irregular| match irregular {
        TimestampAnomaly::Decrease { from_ms, to_ms } => Finding::TimestampDecrease { kind, from_ms, to_ms },
        TimestampAnomaly::LostExtension => Finding::LostExtension(kind),
        TimestampAnomaly::Jump { from_ms, to_ms } => Finding::TimestampJump { kind, from_ms, to_ms },
    }));
}

/// How far the tracks are apart.
#[derive(Debug, Default)]
struct AvOffset {
    count: u64,
    sum: i64,
    range: Option<(i64, i64)>,
}

impl AvOffset {
    fn note(&mut self, offset: i64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(offset);
        self.range = Some(self.range.map_or((offset, offset), |(a, b)| (a.min(offset), b.max(offset))));
    }

    fn report(&self, video: Option<i64>, audio: Option<i64>) -> Option<AvOffsetReport> {
        let (min, max) = self.range?;
        let mean = (self.sum as f64 / self.count as f64 * 10.0).round() / 10.0;
        Some(AvOffsetReport { start: video? - audio?, mean, min, max })
    }
}

fn video_id(codec: VideoCodec) -> String {
    match codec {
        VideoCodec::Number(2) => "h263",
        VideoCodec::Number(3) => "screen",
        VideoCodec::Number(4) => "vp6",
        VideoCodec::Number(5) => "vp6a",
        VideoCodec::Number(6) => "screen2",
        VideoCodec::Number(7) | VideoCodec::FourCc(FourCc::AVC) => "h264",
        VideoCodec::Number(12) | VideoCodec::FourCc(FourCc::HEVC) => "h265",
        VideoCodec::Number(13) | VideoCodec::FourCc(FourCc::AV1) => "av1",
        VideoCodec::FourCc(FourCc::VVC) => "h266",
        VideoCodec::FourCc(FourCc::VP8) => "vp8",
        VideoCodec::FourCc(FourCc::VP9) => "vp9",
        VideoCodec::Number(number) => return number.to_string(),
        VideoCodec::FourCc(codec) => return codec.to_string(),
    }
    .to_owned()
}

fn audio_id(codec: AudioCodec) -> String {
    match codec {
        AudioCodec::Format(0 | 3) => "pcm",
        AudioCodec::Format(1) => "adpcm",
        AudioCodec::Format(2 | 14) | AudioCodec::FourCc(FourCc::MP3) => "mp3",
        AudioCodec::Format(4..=6) => "nellymoser",
        AudioCodec::Format(7) => "alaw",
        AudioCodec::Format(8) => "mulaw",
        AudioCodec::Format(10) | AudioCodec::FourCc(FourCc::AAC) => "aac",
        AudioCodec::Format(11) => "speex",
        AudioCodec::FourCc(FourCc::OPUS) => "opus",
        AudioCodec::FourCc(FourCc::FLAC) => "flac",
        AudioCodec::FourCc(FourCc::AC3) => "ac3",
        AudioCodec::FourCc(FourCc::EAC3) => "eac3",
        AudioCodec::Format(number) => return number.to_string(),
        AudioCodec::FourCc(codec) => return codec.to_string(),
    }
    .to_owned()
}

/// Media time after which a rate is known.
const ENOUGH_MS: i64 = 1000;

/// Video and audio this far apart are out of step.
const DESYNC_MS: i64 = 1000;

/// Of a record, as much is kept.
const MAX_RECORD_BYTES: usize = 16 << 10;

/// How onMetaData begins.
const ON_META_DATA: &[u8] = b"\x02\0\x0aonMetaData";

/// What publishers put before it.
const SET_DATA_FRAME: &[u8] = b"\x02\0\x0d@setDataFrame";

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
