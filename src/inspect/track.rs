//! One track: what was counted, and what it amounts to.

use serde::Serialize;

use super::codec::Configuration;
use crate::flv::timeline::first_time;

/// What a track is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Video => "video",
            Kind::Audio => "audio",
        })
    }
}

/// Something about the times of a track that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampAnomaly {
    /// A time before the one before it.
    Decrease {
        /// The time before.
        from_ms: u32,
        /// The time that follows.
        to_ms: u32,
    },
    /// The upper eight bits of the time were lost where the lower 24 overflowed.
    LostExtension,
    /// A gap that is much longer than frames are apart.
    Jump {
        /// The time before.
        from_ms: u32,
        /// The time that follows.
        to_ms: u32,
    },
}

/// What is counted of a track.
#[derive(Debug)]
pub struct Track {
    pub kind: Kind,
    pub id: u8,
    /// Name for people.
    pub codec: String,
    /// Name for programs.
    pub codec_id: String,
    /// The header is that of Enhanced RTMP.
    pub enhanced: bool,
    pub configuration: Configuration,
    /// The last record, for finding out whether another one differs.
    pub record: Option<Vec<u8>>,
    pub needs_header: bool,
    /// It was said that frames came without a header.
    pub header_missed: bool,
    pub config_changes: u64,
    pub composition_times: bool,
    /// Composition time of the first frame.
    pub delay_ms: i64,
    pub frames: u64,
    pub bytes: u64,
    /// Bytes of the last frame.
    last_bytes: u64,
    pub keyframes: u64,
    pub times: Times,
    pub gops: Gops,
    rate: PeakRate,
    jitter: Jitter,
}

impl Track {
    pub fn new(kind: Kind, id: u8) -> Self {
        Self {
            kind,
            id,
            codec: String::new(),
            codec_id: String::new(),
            enhanced: false,
            configuration: Configuration::default(),
            record: None,
            needs_header: false,
            header_missed: false,
            config_changes: 0,
            composition_times: false,
            delay_ms: 0,
            frames: 0,
            bytes: 0,
            last_bytes: 0,
            keyframes: 0,
            times: Times::default(),
            gops: Gops::default(),
            rate: PeakRate::default(),
            jitter: Jitter::default(),
        }
    }

    /// Takes a frame of `bytes` into account. `keyframe`: it is one, whose composition time is this.
    pub fn frame(
        &mut self,
        timestamp_ms: u32,
        bytes: u64,
        keyframe: Option<i32>,
        arrival_ms: Option<u64>,
    ) -> Option<TimestampAnomaly> {
        let irregular = self.times.note(timestamp_ms);
        self.frames += 1;
        self.bytes += bytes;
        self.last_bytes = bytes;
        let time = self.times.last;
        self.rate.note(time - self.times.first, bytes);
        if self.kind == Kind::Video {
            self.gops.note(keyframe.map(|composition_ms| time + i64::from(composition_ms)));
            self.keyframes += u64::from(keyframe.is_some());
        }
        if let Some(arrival) = arrival_ms {
            self.jitter.note(time, arrival as i64);
        }
        irregular
    }

    /// Frames in a second, by their times.
    pub fn frame_rate(&self) -> Option<f64> {
        let span = self.times.last - self.times.first;
        (self.times.count > 1 && span > 0).then(|| (self.times.count - 1) as f64 * 1000.0 / span as f64)
    }

    /// Bits in a second, by the times: what is there before the last frame, whose own time is not over. It may well be a
    /// keyframe, and then two of them would be counted for the time of one.
    pub fn bitrate_bps(&self) -> Option<f64> {
        let span = self.times.last - self.times.first;
        (self.times.count > 1 && span > 0).then(|| (self.bytes - self.last_bytes) as f64 * 8000.0 / span as f64)
    }

    pub fn report(&self) -> TrackReport {
        let configuration = &self.configuration;
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        let bitrate_bps = self.bitrate_bps().map(|rate| rate.round() as u64);
        TrackReport {
            kind: self.kind,
            id: self.id,
            codec: self.codec_id.clone(),
            codec_name: self.codec.clone(),
            enhanced: self.enhanced,
            profile: configuration.profile.clone(),
            level: configuration.level.clone(),
            width: configuration.width,
            height: configuration.height,
            bit_depth: configuration.bit_depth,
            chroma: configuration.chroma,
            sample_rate_hz: configuration.sample_rate_hz,
            channels: configuration.channels,
            frame_rate: self.frame_rate().map(rounded),
            nominal_frame_rate: configuration.frame_rate.map(rounded),
            frames: self.frames,
            bytes: self.bytes,
            bitrate_bps,
            // The last second is not over: it counts with what is there.
            peak_bitrate_bps: self.rate.peak_bps().zip(bitrate_bps).map(|(peak, mean)| peak.max(mean)),
            first_ms: (self.frames > 0).then_some(self.times.first),
            last_ms: (self.frames > 0).then_some(self.times.last),
            longest_gap_ms: self.times.longest_gap,
            decreases: self.times.decreases,
            jumps: self.times.jumps,
            sequence_header: self.record.is_some(),
            config_changes: self.config_changes,
            b_frames: (self.kind == Kind::Video && self.frames > 0).then_some(self.composition_times),
            gop: (self.kind == Kind::Video).then(|| self.gops.report(self.keyframes)),
            jitter_ms: self.jitter.has_any.then(|| rounded(self.jitter.mean)),
        }
    }
}

/// Times of frames, 32 bits unwrapped.
#[derive(Debug, Default)]
pub struct Times {
    pub first: i64,
    pub last: i64,
    pub count: u64,
    pub longest_gap: i64,
    pub decreases: u64,
    pub jumps: u64,
    started: bool,
    /// Of the usual distance of frames, in 1/16 ms.
    usual: i64,
}

impl Times {
    fn note(&mut self, timestamp_ms: u32) -> Option<TimestampAnomaly> {
        self.count += 1;
        if !self.started {
            self.started = true;
            let first = first_time(timestamp_ms);
            (self.first, self.last) = (first, first);
            return None;
        }
        let from_ms = self.last as u32;
        let step = i64::from(timestamp_ms.wrapping_sub(from_ms).cast_signed());
        self.last += step;
        let (to_ms, usual) = (timestamp_ms, self.usual / 16);
        if step < 0 {
            self.decreases += 1;
            return Some(if step <= LOST_EXTENSION_MS {
                TimestampAnomaly::LostExtension
            } else {
                TimestampAnomaly::Decrease { from_ms, to_ms }
            });
        }
        self.longest_gap = self.longest_gap.max(step);
        if self.usual > 0 && step >= JUMP_MS && step > usual * JUMP_FACTOR {
            self.jumps += 1;
            return Some(TimestampAnomaly::Jump { from_ms, to_ms });
        }
        self.usual = if self.usual == 0 { step * 16 } else { self.usual + step - usual };
        None
    }
}

/// Groups of pictures: from one keyframe to the next.
#[derive(Debug, Default)]
pub struct Gops {
    last_key: Option<i64>,
    frames: u64,
    count: u64,
    total_ms: i64,
    total_frames: u64,
    ms: Option<(i64, i64)>,
    frame_range: Option<(u64, u64)>,
}

impl Gops {
    /// A frame, and if it is a keyframe, when it is presented: in an open group, frames that come behind it are seen before.
    fn note(&mut self, keyframe: Option<i64>) {
        if let Some(time) = keyframe {
            if let Some(last) = self.last_key {
                let length = time - last;
                self.count += 1;
                self.total_ms += length;
                self.total_frames += self.frames;
                self.ms = Some(self.ms.map_or((length, length), |(a, b)| (a.min(length), b.max(length))));
                let frames = self.frames;
                self.frame_range =
                    Some(self.frame_range.map_or((frames, frames), |(a, b)| (a.min(frames), b.max(frames))));
            }
            self.last_key = Some(time);
            self.frames = 0;
        }
        self.frames += 1;
    }

    /// Whole groups so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn report(&self, keyframes: u64) -> GopReport {
        let per = |total: f64| (self.count > 0).then(|| (total / self.count as f64 * 1000.0).round() / 1000.0);
        GopReport {
            keyframes,
            groups: self.count,
            last_keyframe_ms: self.last_key,
            mean_ms: per(self.total_ms as f64),
            min_ms: self.ms.map(|(min, _)| min),
            max_ms: self.ms.map(|(_, max)| max),
            mean_frames: per(self.total_frames as f64),
            min_frames: self.frame_range.map(|(min, _)| min),
            max_frames: self.frame_range.map(|(_, max)| max),
        }
    }
}

/// Bytes in each second since the first frame, of media time.
#[derive(Debug, Default)]
struct PeakRate {
    second: i64,
    bytes: u64,
    peak: u64,
    seconds: u64,
}

impl PeakRate {
    fn note(&mut self, time: i64, bytes: u64) {
        let second = time.div_euclid(1000);
        if second != self.second {
            self.peak = self.peak.max(self.bytes);
            (self.second, self.bytes) = (second, 0);
            self.seconds += 1;
        }
        self.bytes += bytes;
    }

    fn peak_bps(&self) -> Option<u64> {
        (self.seconds > 0).then(|| self.peak.max(self.bytes) * 8)
    }
}

/// Jitter of arrival, as RFC 3550 §6.4.1 has it.
#[derive(Debug, Default)]
struct Jitter {
    last: Option<i64>,
    mean: f64,
    has_any: bool,
}

impl Jitter {
    fn note(&mut self, time: i64, arrival: i64) {
        let transit = arrival - time;
        if let Some(last) = self.last {
            self.mean += ((transit - last).abs() as f64 - self.mean) / 16.0;
            self.has_any = true;
        }
        self.last = Some(transit);
    }
}

/// What is told of a track. Times are in milliseconds, of the stream's own clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrackReport {
    /// `video` or `audio`.
    pub kind: Kind,
    /// Track number; 0 but in multitrack streams.
    pub id: u8,
    /// Codec for programs: `h264`, `h265`, `h266`, `av1`, `vp8`, `vp9`, `h263`, `vp6`, `vp6a`, `screen`, `screen2`, `aac`, `mp3`,
    /// `opus`, `flac`, `ac3`, `eac3`, `speex`, `nellymoser`, `pcm`, `adpcm`, `alaw`, `mulaw`; others by number or FourCC.
    pub codec: String,
    /// Codec for people.
    pub codec_name: String,
    /// Whether its headers are those of Enhanced RTMP.
    pub enhanced: bool,
    /// Profile.
    pub profile: Option<String>,
    /// Level.
    pub level: Option<String>,
    /// Width of the picture in pixels.
    pub width: Option<u32>,
    /// Height of the picture in pixels.
    pub height: Option<u32>,
    /// Bits of a sample.
    pub bit_depth: Option<u8>,
    /// Subsampling of chroma.
    pub chroma: Option<&'static str>,
    /// Samples of sound in a second.
    pub sample_rate_hz: Option<u32>,
    /// Channels of sound.
    pub channels: Option<u8>,
    /// Frames in a second, as counted.
    pub frame_rate: Option<f64>,
    /// Frames in a second, as the configuration promises.
    pub nominal_frame_rate: Option<f64>,
    /// Coded frames (for audio: messages with coded sound).
    pub frames: u64,
    /// Bytes of them, without headers.
    pub bytes: u64,
    /// Mean bit rate.
    pub bitrate_bps: Option<u64>,
    /// Bit rate of the second with most bytes.
    pub peak_bitrate_bps: Option<u64>,
    /// Time of the first frame.
    pub first_ms: Option<i64>,
    /// Time of the last frame.
    pub last_ms: Option<i64>,
    /// Longest distance of two frames.
    pub longest_gap_ms: i64,
    /// How often times went back.
    pub decreases: u64,
    /// How often times jumped ahead.
    pub jumps: u64,
    /// Whether there was a sequence header.
    pub sequence_header: bool,
    /// How often the configuration changed.
    pub config_changes: u64,
    /// Whether frames are shown in another order than they come (video).
    pub b_frames: Option<bool>,
    /// Keyframes and their distances (video).
    pub gop: Option<GopReport>,
    /// Jitter of arrival (live streams), as in RFC 3550.
    pub jitter_ms: Option<f64>,
}

/// Keyframes and their distances.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GopReport {
    /// Keyframes.
    pub keyframes: u64,
    /// Whole groups: from one keyframe to the next.
    pub groups: u64,
    /// When the last keyframe is presented.
    pub last_keyframe_ms: Option<i64>,
    /// Mean length, as they are presented.
    pub mean_ms: Option<f64>,
    /// Shortest.
    pub min_ms: Option<i64>,
    /// Longest.
    pub max_ms: Option<i64>,
    /// Mean length in frames, as they are sent.
    pub mean_frames: Option<f64>,
    /// Fewest frames.
    pub min_frames: Option<u64>,
    /// Most frames.
    pub max_frames: Option<u64>,
}

/// A step back of about 2²⁴ ms: the lower 24 bits overflowed and the upper eight were not written.
const LOST_EXTENSION_MS: i64 = -0xf0_0000;

/// A gap is a jump from this length on, …
const JUMP_MS: i64 = 1000;

/// … and if it is this many times as long as usual.
const JUMP_FACTOR: i64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn track(kind: Kind, times: &[u32]) -> (Track, Vec<TimestampAnomaly>) {
        let mut track = Track::new(kind, 0);
        let irregular =
            times.iter().filter_map(|time| track.frame(*time, 1000, (time % 200 == 0).then_some(0), None)).collect();
        (track, irregular)
    }

    #[test]
    fn times_just_below_zero_are_not_weeks() {
        let (track, anomalies) = track(Kind::Video, &[(-33i32).cast_unsigned(), 0, 33, 67]);
        let report = track.report();
        assert_eq!((report.first_ms, report.last_ms, anomalies.len()), (Some(-33), Some(67), 0));
        assert_eq!((report.longest_gap_ms, report.frame_rate), (34, Some(30.0)));
    }

    #[test]
    fn rates_and_groups() {
        let times: Vec<u32> = (0..51).map(|i| i * 40).collect();
        let (track, irregular) = track(Kind::Video, &times);
        assert_eq!((irregular.len(), track.frame_rate(), track.bitrate_bps()), (0, Some(25.0), Some(200_000.0)));
        let report = track.report();
        let gop = report.gop.unwrap();
        assert_eq!((gop.keyframes, gop.groups, gop.mean_ms, gop.mean_frames), (11, 10, Some(200.0), Some(5.0)));
        assert_eq!((report.peak_bitrate_bps, report.longest_gap_ms), (Some(200_000), 40));
    }

    #[test]
    fn a_group_and_the_next_keyframe_have_the_rate_of_the_group() {
        // Begins within a second of its own clock.
        let mut track = Track::new(Kind::Video, 0);
        for i in 0..=25u32 {
            let is_key = i % 25 == 0;
            track.frame(43_144 + i * 40, if is_key { 2600 } else { 100 }, is_key.then_some(0), None);
        }
        let report = track.report();
        assert_eq!((report.bitrate_bps, report.peak_bitrate_bps, report.bytes), (Some(40_000), Some(40_000), 7600));
    }

    #[test]
    fn an_open_group_is_as_long_as_it_is_seen() {
        let mut track = Track::new(Kind::Video, 0);
        // The second keyframe comes three frames early; those behind it are presented before it.
        for i in 0..=25u32 {
            let keyframe =
                [(0, 80), (22, 200)].into_iter().find(|(at, _)| *at == i).map(|(_, composition)| composition);
            track.frame(i * 40, 100, keyframe, None);
        }
        let gop = track.report().gop.unwrap();
        assert_eq!((gop.max_ms, gop.max_frames, gop.groups), (Some(1000), Some(22), 1));
    }

    #[test]
    fn times_wrap_go_back_and_jump() {
        let (wrapped, irregular) = track(Kind::Audio, &[u32::MAX - 19, 3, 26]);
        assert_eq!((irregular.len(), wrapped.times.last - wrapped.times.first), (0, 46));
        let (_, irregular) = track(Kind::Audio, &[0, 40, 39, 80]);
        assert_eq!(irregular, [TimestampAnomaly::Decrease { from_ms: 40, to_ms: 39 }]);
        let (_, irregular) = track(Kind::Audio, &[0xff_fff0, 0x10]);
        assert_eq!(irregular, [TimestampAnomaly::LostExtension]);
        let (_, irregular) = track(Kind::Audio, &[0, 40, 80, 1080, 1120]);
        assert_eq!(irregular, [TimestampAnomaly::Jump { from_ms: 80, to_ms: 1080 }]);
        let (slow, irregular) = track(Kind::Video, &[0, 5000, 10_000]);
        assert_eq!((irregular.len(), slow.times.jumps), (0, 0), "the first gap has nothing to be compared with");
    }

    #[test]
    fn jitter_is_measured_where_arrivals_are_known() {
        let mut track = Track::new(Kind::Audio, 0);
        for (time, arrival) in [(0, 100), (20, 120), (40, 156), (60, 160)] {
            track.frame(time, 1, None, Some(arrival));
        }
        let jitter = track.report().jitter_ms.unwrap();
        assert!((1.9..2.0).contains(&jitter), "{jitter}");
    }
}
