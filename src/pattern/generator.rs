//! The running stream: which tag is next, and when.

use crate::proto::amf0::{self, Object, Value};
use crate::proto::message::message_type::{AUDIO, DATA_AMF0, VIDEO};

use super::aac::{self, SAMPLE_RATE, SAMPLES_PER_FRAME};
use super::h264::{self, Encoder, FrameInfo};
use super::picture::Picture;

/// How the picture and the sound are.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternOptions {
    /// Picture width in pixels, clamped to 64..=1280 and made even.
    pub width: usize,
    /// Picture height in pixels, clamped to 64..=720 and made even.
    pub height: usize,
    /// Frames per second, clamped to 1..=100.
    pub frame_rate: u32,
    /// Frames from one keyframe to the next, at least 1.
    pub keyframe_interval: u32,
    /// Whether there is a picture.
    pub video: bool,
    /// Whether there is a tone.
    pub audio: bool,
    /// Unix time in milliseconds at stream time 0: for the clock in the picture (UTC) and the time in each frame's SEI.
    pub start_unix_ms: u64,
    /// Where the stream ends, in milliseconds; `None`: never.
    pub duration_ms: Option<u32>,
}

impl Default for PatternOptions {
    /// 320 × 180 at 25 frames per second, a keyframe each second, a tone, without an end.
    fn default() -> Self {
        Self {
            width: 320,
            height: 180,
            frame_rate: 25,
            keyframe_interval: 25,
            video: true,
            audio: true,
            start_unix_ms: 0,
            duration_ms: None,
        }
    }
}

/// One FLV tag of the stream, without the tag header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternTag {
    /// 8 audio, 9 video, 18 script data: the same numbers as the RTMP message types.
    pub tag_type: u8,
    /// Milliseconds since the stream's beginning; wraps at 2³² as RTMP does.
    pub timestamp_ms: u32,
    /// The tag's body.
    pub payload: Vec<u8>,
}

/// Headers that are due, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Metadata,
    VideoHeader,
    AudioHeader,
    Frames,
}

/// The running stream: a state machine that hands out tags in the order of their times.
#[derive(Debug)]
pub struct Pattern {
    options: PatternOptions,
    due: Due,
    next_frame: u64,
    next_audio: u64,
    picture: Picture,
    encoder: Encoder,
    tone: Vec<u8>,
}

impl Pattern {
    /// A stream that begins at stream time 0.
    pub fn new(mut options: PatternOptions) -> Self {
        options.width = options.width.clamp(64, 1280) & !1;
        options.height = options.height.clamp(64, 720) & !1;
        options.frame_rate = options.frame_rate.clamp(1, 100);
        options.keyframe_interval = options.keyframe_interval.max(1);
        let picture = Picture::new(options.width, options.height);
        let tone = [&[AAC, AAC_FRAME], &aac::tone()[..]].concat();
        let encoder = Encoder::default();
        Self { options, due: Due::Metadata, next_frame: 0, next_audio: 0, picture, encoder, tone }
    }

    /// Goes to the last keyframe at or before `timestamp_ms`; the next tags are onMetaData, the sequence headers and that
    /// keyframe, or the audio before it. Returns the time of that keyframe.
    pub fn seek(&mut self, timestamp_ms: u64) -> u64 {
        let frame = timestamp_ms * u64::from(self.options.frame_rate) / 1000;
        self.next_frame = frame - frame % u64::from(self.options.keyframe_interval);
        let time_ms = self.frame_time(self.next_frame);
        self.next_audio = (time_ms * u64::from(SAMPLE_RATE)).div_ceil(1000 * SAMPLES_PER_FRAME);
        self.due = Due::Metadata;
        time_ms
    }

    /// Time of the next tag in milliseconds, not wrapped; `None` at the end.
    pub fn next_time_ms(&self) -> Option<u64> {
        let video = self.options.video.then(|| self.frame_time(self.next_frame));
        let audio = self.options.audio.then(|| audio_time(self.next_audio));
        let next = match (video, audio) {
            (Some(video), Some(audio)) => video.min(audio),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => return None,
        };
        let ended = self.options.duration_ms.is_some_and(|end| next >= u64::from(end));
        (!ended).then_some(next)
    }

    /// The next tag, in the order of time: onMetaData and the sequence headers first, then video before audio where both are due. `None`
    /// at the end.
    pub fn next_tag(&mut self) -> Option<PatternTag> {
        let time_ms = self.next_time_ms()?;
        // Wraps on purpose, as timestamps on the wire do after 49.7 days.
        let timestamp_ms = time_ms as u32;
        if let Some(header) = self.next_header(timestamp_ms) {
            return Some(header);
        }
        if self.options.video && self.frame_time(self.next_frame) == time_ms {
            return Some(PatternTag { tag_type: VIDEO, timestamp_ms, payload: self.frame(time_ms) });
        }
        self.next_audio += 1;
        Some(PatternTag { tag_type: AUDIO, timestamp_ms, payload: self.tone.clone() })
    }

    fn next_header(&mut self, timestamp_ms: u32) -> Option<PatternTag> {
        loop {
            let due = self.due;
            self.due = match due {
                Due::Metadata => Due::VideoHeader,
                Due::VideoHeader => Due::AudioHeader,
                Due::AudioHeader | Due::Frames => Due::Frames,
            };
            return Some(match due {
                // At 0 for those who join later too, as media servers have it: players take metadata at another time for data.
                Due::Metadata => PatternTag { tag_type: DATA_AMF0, timestamp_ms: 0, payload: self.metadata() },
                Due::VideoHeader if self.options.video => {
                    let payload = h264::sequence_header(&self.picture, self.options.frame_rate);
                    PatternTag { tag_type: VIDEO, timestamp_ms, payload }
                }
                Due::AudioHeader if self.options.audio => {
                    let payload = [&[AAC, AAC_HEADER], &aac::SPECIFIC_CONFIG[..]].concat();
                    PatternTag { tag_type: AUDIO, timestamp_ms, payload }
                }
                Due::VideoHeader | Due::AudioHeader => continue,
                Due::Frames => return None,
            });
        }
    }

    fn frame(&mut self, time_ms: u64) -> Vec<u8> {
        let unix_ms = self.options.start_unix_ms.wrapping_add(time_ms);
        self.picture.draw(time_ms, unix_ms, self.next_frame);
        let keyframe_interval = u64::from(self.options.keyframe_interval);
        let info = FrameInfo { number: self.next_frame, keyframe_interval, unix_ms };
        self.next_frame += 1;
        self.encoder.encode(&self.picture, info)
    }

    /// Seconds of the whole, for getStreamLength; 0 for a live one, as media servers answer.
    pub fn duration_seconds(&self) -> f64 {
        self.options.duration_ms.map_or(0.0, |ms| f64::from(ms) / 1000.0)
    }

    /// What the last frame shows: planes Y, Cb and Cr without padding.
    #[cfg(test)]
    pub(super) fn drawn(&self) -> Vec<u8> {
        self.picture.visible()
    }

    fn frame_time(&self, frame: u64) -> u64 {
        frame * 1000 / u64::from(self.options.frame_rate)
    }

    fn metadata(&self) -> Vec<u8> {
        let o = &self.options;
        let mut properties = Object::default().with("duration", self.duration_seconds());
        if o.video {
            properties = properties
                .with("width", o.width as f64)
                .with("height", o.height as f64)
                .with("framerate", f64::from(o.frame_rate))
                .with("videocodecid", 7.0);
        }
        if o.audio {
            properties = properties
                .with("audiocodecid", 10.0)
                .with("audiosamplerate", f64::from(SAMPLE_RATE))
                .with("audiosamplesize", 16.0)
                .with("stereo", false);
        }
        properties = properties.with("encoder", concat!("rtmpcat ", env!("CARGO_PKG_VERSION"), " test stream"));
        let mut payload = Vec::new();
        amf0::encode(&Value::from("onMetaData"), &mut payload);
        amf0::encode(&Value::EcmaArray(properties), &mut payload);
        payload
    }
}

impl Iterator for Pattern {
    type Item = PatternTag;

    fn next(&mut self) -> Option<PatternTag> {
        self.next_tag()
    }
}

fn audio_time(frame: u64) -> u64 {
    frame * SAMPLES_PER_FRAME * 1000 / u64::from(SAMPLE_RATE)
}

/// First bytes of an AAC tag (FLV E.4.2): always 44 kHz, 16 bits, stereo; then the packet's type.
const AAC: u8 = 0xaf;
const AAC_HEADER: u8 = 0;
const AAC_FRAME: u8 = 1;
