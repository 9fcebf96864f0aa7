//! A live test pattern made in code: a moving picture with a clock, and a tone, as FLV tags.
//!
//! ```text
//! video tag (Screen Video, FLV E.4.3 and SWF "Screen Video bitstream format"):
//!   UI8 frame type 4 bits (1 key, 2 inter) · codec 4 bits = 3
//!   UI16 block width / 16 − 1 (4 bits) · image width (12 bits)
//!   UI16 block height / 16 − 1 (4 bits) · image height (12 bits)
//!   per block, rows of blocks from the bottom, each from the left: UI16 size (0 = as before) · zlib of BGR rows, bottom row first
//! audio tag (linear PCM, FLV E.4.2): UI8 0x3E mono / 0x3F stereo (format 3, 44 kHz, 16 bits) · little-endian samples
//! ```
//!
//! The pattern is a function of the stream's time: whoever starts at the same keyframe gets the same bytes. In the first 100 ms
//! of every second a white square is lit and the tone is an octave higher, so picture and sound can be held against each other.
//! It does not read the clock and does not sleep: pacing belongs to whoever sends it.

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::proto::amf0::{self, Object, Value};
use crate::proto::message::message_type::{AUDIO, DATA_AMF0, VIDEO};

/// Samples per second of the tone; FLV's rate code 3.
pub const SAMPLE_RATE: u32 = 44_100;

/// Length of an audio tag in samples: 40 ms.
const SAMPLES_PER_TAG: u64 = 1764;

/// Side of a block in pixels: small enough that a moving clock touches few, large enough that zlib has something to do.
const BLOCK: usize = 32;

/// How the picture and the sound are.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternOptions {
    /// Picture width in pixels, clamped to 64..=1920.
    pub width: usize,
    /// Picture height in pixels, clamped to 64..=1080.
    pub height: usize,
    /// Frames per second, clamped to 1..=100.
    pub frame_rate: u32,
    /// Frames from one keyframe to the next, at least 1.
    pub keyframe_interval: u32,
    /// Whether there is a picture.
    pub video: bool,
    /// Whether there is a tone.
    pub audio: bool,
    /// Two channels (the right one a fifth higher) instead of one.
    pub stereo: bool,
    /// Pitch of the tone in hertz, below a quarter of [`SAMPLE_RATE`] to be worth hearing.
    pub tone_hz: f64,
    /// What the clock in the picture shows at stream time 0, in milliseconds since midnight.
    pub clock_start_ms: u64,
    /// Where the stream ends, in milliseconds; `None` goes on for ever.
    pub duration_ms: Option<u32>,
}

impl Default for PatternOptions {
    /// 320 × 240 at 25 frames per second, a keyframe each second, 440 Hz in one channel, without an end.
    fn default() -> Self {
        Self {
            width: 320,
            height: 240,
            frame_rate: 25,
            keyframe_interval: 25,
            video: true,
            audio: true,
            stereo: false,
            tone_hz: 440.0,
            clock_start_ms: 0,
            duration_ms: None,
        }
    }
}

/// One FLV tag of the pattern, without the tag header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternTag {
    /// 8 audio, 9 video, 18 script data: the same numbers as the RTMP message types.
    pub tag_type: u8,
    /// Milliseconds since the stream's beginning; wraps at 2³² as RTMP does.
    pub timestamp_ms: u32,
    /// The tag's body.
    pub payload: Vec<u8>,
}

/// The running pattern: a state machine that hands out tags in the order of their times.
#[derive(Debug)]
pub struct Pattern {
    options: PatternOptions,
    metadata_due: bool,
    next_frame: u64,
    next_audio: u64,
    force_keyframe: bool,
    canvas: Canvas,
    encoder: ScreenVideo,
}

impl Pattern {
    /// A pattern that begins at stream time 0.
    pub fn new(mut options: PatternOptions) -> Self {
        options.width = options.width.clamp(64, 1920);
        options.height = options.height.clamp(64, 1080);
        options.frame_rate = options.frame_rate.clamp(1, 100);
        options.keyframe_interval = options.keyframe_interval.max(1);
        let canvas = Canvas::new(options.width, options.height);
        let encoder = ScreenVideo::new(options.width, options.height);
        Self { options, metadata_due: true, next_frame: 0, next_audio: 0, force_keyframe: true, canvas, encoder }
    }

    /// Goes to the last keyframe at or before `timestamp_ms`; the next tags are onMetaData and that keyframe, or the audio
    /// that stands with it. Returns the time of that keyframe.
    pub fn seek(&mut self, timestamp_ms: u64) -> u64 {
        let frame = timestamp_ms * u64::from(self.options.frame_rate) / 1000;
        self.next_frame = frame - frame % u64::from(self.options.keyframe_interval);
        let time_ms = self.frame_time(self.next_frame);
        self.next_audio = (time_ms * u64::from(SAMPLE_RATE)).div_ceil(1000 * SAMPLES_PER_TAG);
        self.force_keyframe = true;
        self.metadata_due = true;
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

    /// The next tag, in the order of time: onMetaData first, then video before audio where both are due. `None` at the end.
    pub fn next_tag(&mut self) -> Option<PatternTag> {
        let time_ms = self.next_time_ms()?;
        // Wraps on purpose, as timestamps on the wire do after 49.7 days.
        let timestamp_ms = time_ms as u32;
        if std::mem::take(&mut self.metadata_due) {
            // At 0 for those who join later too, as media servers have it: players take metadata at another time for data.
            return Some(PatternTag { tag_type: DATA_AMF0, timestamp_ms: 0, payload: self.metadata() });
        }
        if self.options.video && self.frame_time(self.next_frame) == time_ms {
            let keyframe = self.next_frame.is_multiple_of(u64::from(self.options.keyframe_interval));
            let keyframe = std::mem::take(&mut self.force_keyframe) || keyframe;
            self.canvas.draw(time_ms, self.options.clock_start_ms.wrapping_add(time_ms), self.next_frame);
            let payload = self.encoder.encode(&self.canvas, keyframe);
            self.next_frame += 1;
            return Some(PatternTag { tag_type: VIDEO, timestamp_ms, payload });
        }
        let payload = self.tone(self.next_audio * SAMPLES_PER_TAG);
        self.next_audio += 1;
        Some(PatternTag { tag_type: AUDIO, timestamp_ms, payload })
    }

    /// Seconds of the whole, for getStreamLength; 0 for a live one, as media servers answer.
    pub fn duration_seconds(&self) -> f64 {
        self.options.duration_ms.map_or(0.0, |ms| f64::from(ms) / 1000.0)
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
                .with("videocodecid", 3.0);
        }
        if o.audio {
            properties = properties
                .with("audiocodecid", 3.0)
                .with("audiosamplerate", f64::from(SAMPLE_RATE))
                .with("audiosamplesize", 16.0)
                .with("stereo", o.stereo);
        }
        properties = properties.with("encoder", concat!("rtmpcat ", env!("CARGO_PKG_VERSION"), " test pattern"));
        let mut payload = Vec::new();
        amf0::encode(&Value::from("onMetaData"), &mut payload);
        amf0::encode(&Value::EcmaArray(properties), &mut payload);
        payload
    }

    /// An audio tag's body beginning at sample `first`.
    fn tone(&self, first: u64) -> Vec<u8> {
        let channels = if self.options.stereo { 2 } else { 1 };
        let mut payload = Vec::with_capacity(1 + SAMPLES_PER_TAG as usize * 2 * channels);
        payload.push(if self.options.stereo { 0x3f } else { 0x3e });
        for sample in first..first + SAMPLES_PER_TAG {
            // Within the second, so that the phase stays exact however long the stream runs (the pitch has whole hertz or clicks).
            let within = sample % u64::from(SAMPLE_RATE);
            let octave = if within < u64::from(SAMPLE_RATE) / 10 { 2.0 } else { 1.0 };
            let phase = within as f64 / f64::from(SAMPLE_RATE) * std::f64::consts::TAU * self.options.tone_hz * octave;
            for factor in [1.0, 1.5].iter().take(channels) {
                // A quarter of full scale: audible, and not a fright in headphones.
                let value = ((phase * factor).sin() * 8192.0).round() as i16;
                payload.extend_from_slice(&value.to_le_bytes());
            }
        }
        payload
    }
}

impl Iterator for Pattern {
    type Item = PatternTag;

    fn next(&mut self) -> Option<PatternTag> {
        self.next_tag()
    }
}

fn audio_time(tag: u64) -> u64 {
    tag * SAMPLES_PER_TAG * 1000 / u64::from(SAMPLE_RATE)
}

/// The picture: rows from the top, three bytes (blue, green, red) a pixel.
#[derive(Debug)]
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    /// The still part, copied under each frame.
    background: Vec<u8>,
}

type Colour = [u8; 3];
const WHITE: Colour = [235, 235, 235];
const GREY: Colour = [64, 64, 64];
const BLACK: Colour = [16, 16, 16];
const RED: Colour = [40, 40, 220];
/// The eight bars at 75 %, in blue, green, red.
const BARS: [Colour; 8] =
    [[191, 191, 191], [0, 191, 191], [191, 191, 0], [0, 191, 0], [191, 0, 191], [0, 0, 191], [191, 0, 0], BLACK];

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        let mut canvas = Self { width, height, pixels: vec![0; width * height * 3], background: Vec::new() };
        canvas.rectangle(0, 0, width, height, BLACK);
        for (i, colour) in BARS.iter().enumerate() {
            let (left, right) = (i * width / BARS.len(), (i + 1) * width / BARS.len());
            canvas.rectangle(left, 0, right - left, height * 2 / 3, *colour);
        }
        canvas.background = canvas.pixels.clone();
        canvas
    }

    /// Draws the frame of stream time `time_ms`, with `clock_ms` since midnight on the clock and its own number below.
    fn draw(&mut self, time_ms: u64, clock_ms: u64, frame: u64) {
        self.pixels.copy_from_slice(&self.background);
        let (width, height) = (self.width, self.height);
        let bars = height * 2 / 3;

        // A square that bounces through the bars, its two periods having no common measure within a minute.
        let side = height / 8;
        let x = bounce(time_ms, 4100, width - side);
        let y = bounce(time_ms, 2700, bars - side);
        self.rectangle(x, y, side, side, WHITE);
        self.rectangle(x + side / 4, y + side / 4, side / 2, side / 2, RED);

        let clock = clock_ms / 1000;
        let text =
            format!("{:02}:{:02}:{:02}.{:02}", clock / 3600 % 24, clock / 60 % 60, clock % 60, clock_ms % 1000 / 10);
        let scale = (width / (text.len() * 4 + 8)).max(1);
        let text_width = text.len() * 4 * scale - scale;
        self.text(&text, (width - text_width) / 2, bars + height / 24, scale, WHITE);
        self.text(&frame.to_string(), width / 40, height - height / 24 - 5, 1, WHITE);

        // The hand of the second, and the lamp lit in its first 100 ms.
        let within = (time_ms % 1000) as usize;
        self.rectangle(0, height - height / 40, width * within / 1000, height / 40, GREY);
        if within < 100 {
            let lamp = height / 12;
            self.rectangle(width - lamp - lamp / 2, height - lamp - lamp / 2, lamp, lamp, WHITE);
        }
    }

    fn rectangle(&mut self, x: usize, y: usize, width: usize, height: usize, colour: Colour) {
        for row in y..(y + height).min(self.height) {
            let (from, to) = (row * self.width + x, row * self.width + (x + width).min(self.width));
            for pixel in self.pixels[from * 3..to.max(from) * 3].chunks_exact_mut(3) {
                pixel.copy_from_slice(&colour);
            }
        }
    }

    fn text(&mut self, text: &str, x: usize, y: usize, scale: usize, colour: Colour) {
        for (i, letter) in text.bytes().enumerate() {
            for (row, bits) in glyph(letter).iter().enumerate() {
                for column in (0..3).filter(|column| bits & (4 >> column) != 0) {
                    self.rectangle(x + (i * 4 + column) * scale, y + row * scale, scale, scale, colour);
                }
            }
        }
    }
}

/// There and back between 0 and `range` in `period_ms`.
fn bounce(time_ms: u64, period_ms: u64, range: usize) -> usize {
    let within = time_ms % period_ms;
    let rising = within.min(period_ms - within);
    (rising * 2 * range as u64 / period_ms) as usize
}

/// Five rows of three pixels, the highest of the three bits on the left.
fn glyph(letter: u8) -> [u8; 5] {
    match letter {
        b'0' => [7, 5, 5, 5, 7],
        b'1' => [2, 6, 2, 2, 7],
        b'2' => [7, 1, 7, 4, 7],
        b'3' => [7, 1, 7, 1, 7],
        b'4' => [5, 5, 7, 1, 1],
        b'5' => [7, 4, 7, 1, 7],
        b'6' => [7, 4, 7, 5, 7],
        b'7' => [7, 1, 2, 2, 2],
        b'8' => [7, 5, 7, 5, 7],
        b'9' => [7, 5, 7, 1, 7],
        b':' => [0, 2, 0, 2, 0],
        b'.' => [0, 0, 0, 0, 2],
        _ => [0; 5],
    }
}

/// The encoder: compresses the blocks that have changed.
#[derive(Debug)]
struct ScreenVideo {
    previous: Vec<u8>,
    block: Vec<u8>,
    zlib: Compress,
}

impl ScreenVideo {
    fn new(width: usize, height: usize) -> Self {
        Self {
            previous: vec![0; width * height * 3],
            block: Vec::with_capacity(BLOCK * BLOCK * 3),
            zlib: Compress::new(Compression::fast(), true),
        }
    }

    fn encode(&mut self, canvas: &Canvas, keyframe: bool) -> Vec<u8> {
        let (width, height) = (canvas.width, canvas.height);
        let mut out = Vec::with_capacity(8192);
        out.push(if keyframe { 0x13 } else { 0x23 });
        let block_code = ((BLOCK / 16 - 1) << 12) as u16;
        out.extend_from_slice(&(block_code | width as u16).to_be_bytes());
        out.extend_from_slice(&(block_code | height as u16).to_be_bytes());
        // The picture's y axis points up: the first block is the lower left one, and a partial row of blocks is at the top.
        for bottom in (0..height).step_by(BLOCK) {
            let rows = BLOCK.min(height - bottom);
            for left in (0..width).step_by(BLOCK) {
                let columns = BLOCK.min(width - left);
                let row_range = |up: usize| {
                    let start = ((height - 1 - bottom - up) * width + left) * 3;
                    start..start + columns * 3
                };
                let changed =
                    keyframe || (0..rows).any(|up| canvas.pixels[row_range(up)] != self.previous[row_range(up)]);
                if !changed {
                    out.extend_from_slice(&[0, 0]);
                    continue;
                }
                self.block.clear();
                for up in 0..rows {
                    self.block.extend_from_slice(&canvas.pixels[row_range(up)]);
                }
                self.deflate_block(&mut out);
            }
        }
        self.previous.copy_from_slice(&canvas.pixels);
        out
    }

    /// Appends the block with its size before it; each block is a zlib stream of its own.
    fn deflate_block(&mut self, out: &mut Vec<u8>) {
        let size_at = out.len();
        // zlib's worst case over 3072 bytes is some 3 KiB plus a few bytes; the size field takes 64 KiB.
        out.resize(size_at + 2 + self.block.len() + 128, 0);
        self.zlib.reset();
        let status = self.zlib.compress(&self.block, &mut out[size_at + 2..], FlushCompress::Finish);
        debug_assert!(matches!(status, Ok(Status::StreamEnd)));
        let size = self.zlib.total_out() as u16;
        out.truncate(size_at + 2 + usize::from(size));
        out[size_at..size_at + 2].copy_from_slice(&size.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// A second reader of Screen Video, made only from the format's description.
    fn decode(payload: &[u8], picture: &mut [u8]) -> (bool, usize) {
        let width = usize::from(u16::from_be_bytes([payload[1], payload[2]]) & 0xfff);
        let height = usize::from(u16::from_be_bytes([payload[3], payload[4]]) & 0xfff);
        let block = (usize::from(payload[1] >> 4) + 1) * 16;
        assert_eq!(payload[0] & 15, 3);
        assert_eq!(picture.len(), width * height * 3);
        let (mut at, mut coded) = (5, 0);
        for bottom in (0..height).step_by(block) {
            for left in (0..width).step_by(block) {
                let size = usize::from(u16::from_be_bytes([payload[at], payload[at + 1]]));
                at += 2;
                if size == 0 {
                    continue;
                }
                coded += 1;
                let mut data = Vec::new();
                flate2::read::ZlibDecoder::new(&payload[at..at + size]).read_to_end(&mut data).unwrap();
                at += size;
                let columns = block.min(width - left);
                let rows = block.min(height - bottom);
                assert_eq!(data.len(), rows * columns * 3);
                for (up, row) in data.chunks(columns * 3).enumerate() {
                    let start = ((height - 1 - bottom - up) * width + left) * 3;
                    picture[start..start + columns * 3].copy_from_slice(row);
                }
            }
        }
        assert_eq!(at, payload.len());
        (payload[0] >> 4 == 1, coded)
    }

    #[test]
    fn every_frame_decodes_to_what_was_drawn() {
        for (width, height) in [(320, 240), (100, 70), (64, 64)] {
            let options = PatternOptions { width, height, audio: false, ..PatternOptions::default() };
            let mut pattern = Pattern::new(options);
            let mut picture = vec![0; width * height * 3];
            assert_eq!(pattern.next_tag().unwrap().tag_type, DATA_AMF0);
            for frame in 0..60u32 {
                let tag = pattern.next_tag().unwrap();
                assert_eq!((tag.tag_type, tag.timestamp_ms), (VIDEO, frame * 40));
                let (keyframe, coded) = decode(&tag.payload, &mut picture);
                assert_eq!(keyframe, frame % 25 == 0);
                assert!(picture == pattern.canvas.pixels, "frame {frame} of {width}×{height}");
                let blocks = width.div_ceil(BLOCK) * height.div_ceil(BLOCK);
                assert!(if keyframe { coded == blocks } else { coded > 0 && coded <= blocks }, "{coded}");
            }
        }
    }

    #[test]
    fn interframes_hold_only_what_changed() {
        let mut pattern = Pattern::new(PatternOptions { audio: false, ..PatternOptions::default() });
        let mut picture = vec![0; 320 * 240 * 3];
        pattern.next_tag();
        decode(&pattern.next_tag().unwrap().payload, &mut picture);
        let (keyframe, coded) = decode(&pattern.next_tag().unwrap().payload, &mut picture);
        assert!(!keyframe && coded < 40, "{coded}");
    }

    #[test]
    fn tags_come_in_order_and_end_at_the_duration() {
        let options = PatternOptions { duration_ms: Some(3000), ..PatternOptions::default() };
        let tags: Vec<_> = Pattern::new(options).collect();
        assert!(tags.windows(2).all(|pair| pair[0].timestamp_ms <= pair[1].timestamp_ms));
        assert_eq!(tags.iter().filter(|tag| tag.tag_type == VIDEO).count(), 75);
        let samples: usize =
            tags.iter().filter(|tag| tag.tag_type == AUDIO).map(|tag| (tag.payload.len() - 1) / 2).sum();
        assert_eq!(samples, 3 * 44_100);
        assert_eq!(tags.last().unwrap().timestamp_ms, 2960);
        let metadata = amf0::decode_all(&tags[0].payload).unwrap();
        assert_eq!(metadata[0].as_str(), Some("onMetaData"));
        let properties = metadata[1].as_object().unwrap();
        assert_eq!(properties.get("duration").and_then(Value::as_number), Some(3.0));
        assert_eq!(properties.get("width").and_then(Value::as_number), Some(320.0));
        assert_eq!(properties.get("stereo").and_then(Value::as_bool), Some(false));
    }

    #[test]
    fn whoever_joins_at_a_keyframe_gets_the_same_bytes() {
        let whole: Vec<_> = Pattern::new(PatternOptions::default()).take(400).collect();
        let mut late = Pattern::new(PatternOptions::default());
        assert_eq!(late.seek(2999), 2000);
        let metadata = late.next_tag().unwrap();
        assert_eq!((metadata.tag_type, metadata.timestamp_ms), (DATA_AMF0, 0));
        let rest: Vec<_> = late.take(100).collect();
        assert_eq!(rest[0].timestamp_ms, 2000);
        assert_eq!(rest[0].payload[0], 0x13);
        let at = whole.iter().position(|tag| tag.timestamp_ms == 2000).unwrap();
        assert!(whole[at..at + 100] == rest[..]);
    }

    #[test]
    fn timestamps_wrap_after_49_days() {
        let mut pattern = Pattern::new(PatternOptions::default());
        pattern.seek(1 << 32);
        let times: Vec<_> = pattern.skip(1).take(60).map(|tag| tag.timestamp_ms).collect();
        assert!(times[0] > u32::MAX - 1000 && times[59] < 2000, "{times:?}");
    }

    #[test]
    fn the_tone_has_the_asked_pitch() {
        let options = PatternOptions { video: false, stereo: true, ..PatternOptions::default() };
        let mut pattern = Pattern::new(options);
        pattern.seek(200);
        let mut left = Vec::new();
        for tag in pattern.by_ref().filter(|tag| tag.tag_type == AUDIO).take(20) {
            assert_eq!(tag.payload[0], 0x3f);
            left.extend(tag.payload[1..].chunks(4).map(|s| i16::from_le_bytes([s[0], s[1]])));
        }
        let crossings = left.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        let after_beep = 20.0 * 0.04 - 0.1;
        let expected = 440.0 * after_beep + 880.0 * 0.1;
        assert!((crossings as f64 - expected).abs() < 3.0, "{crossings} instead of {expected}");
    }
}
