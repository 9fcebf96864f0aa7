//! FLV files as the tests see them: a walker that shares no code with the program's own reader (two equal mistakes
//! must not agree), and comparison of tag lists, exact to the byte.
//!
//! It is strict: what a valid FLV may not have is an error with its offset.

use std::fmt::Write;
use std::path::Path;

/// Tag types.
pub const AUDIO: u8 = 8;
/// Video.
pub const VIDEO: u8 = 9;
/// Script data.
pub const SCRIPT: u8 = 18;

/// One tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Tag {
    /// 8 audio, 9 video, 18 script data.
    pub kind: u8,
    /// Milliseconds.
    pub time: u32,
    /// The body.
    pub payload: Vec<u8>,
}

impl Tag {
    /// A tag.
    pub fn new(kind: u8, time: u32, payload: impl Into<Vec<u8>>) -> Tag {
        Tag { kind, time, payload: payload.into() }
    }

    /// For script data: its first string, e.g. `onMetaData`.
    pub fn script_name(&self) -> Option<String> {
        let length = usize::from(u16::from_be_bytes([*self.payload.get(1)?, *self.payload.get(2)?]));
        (self.kind == SCRIPT && self.payload[0] == 2).then_some(())?;
        Some(String::from_utf8_lossy(self.payload.get(3..3 + length)?).into_owned())
    }
}

impl std::fmt::Debug for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            AUDIO => "audio",
            VIDEO => "video",
            SCRIPT => "script",
            _ => "unknown",
        };
        let hex = self.payload.iter().take(8).fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x} ");
            hex
        });
        let dots = if self.payload.len() > 8 { "…" } else { "" };
        write!(f, "{kind:6} {:>8} ms {:>7} B  {hex}{dots}", self.time, self.payload.len())
    }
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flv {
    /// The header says that there is audio.
    pub has_audio: bool,
    /// The header says that there is video.
    pub has_video: bool,
    /// All tags in their order.
    pub tags: Vec<Tag>,
}

impl Flv {
    /// Reads a file.
    #[track_caller]
    pub fn read(path: impl AsRef<Path>) -> Flv {
        let path = path.as_ref();
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Flv::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Audio and video of a file that is being written: the whole tags so far. Nothing if it is not there yet.
    pub fn media_so_far(path: impl AsRef<Path>) -> Vec<Tag> {
        let bytes = std::fs::read(path).unwrap_or_default();
        let mut end = 13;
        while let Some(tag) = bytes.get(end..end + 11) {
            let next = end + 15 + be(&tag[1..4]) as usize;
            if next > bytes.len() {
                break;
            }
            end = next;
        }
        let whole = bytes.get(..end).unwrap_or_default();
        Flv::parse(whole).map(|flv| flv.media()).unwrap_or_default()
    }

    /// Walks a whole file.
    pub fn parse(bytes: &[u8]) -> Result<Flv, String> {
        let header = bytes.get(..13).ok_or_else(|| format!("{} bytes are no FLV header", bytes.len()))?;
        if header[..4] != *b"FLV\x01" {
            return Err(format!("begins with {:02x?}", &header[..4]));
        }
        if header[4] & !5 != 0 {
            return Err(format!("header flags {:02x}", header[4]));
        }
        if header[5..13] != [0, 0, 0, 9, 0, 0, 0, 0] {
            return Err(format!("header size and first PreviousTagSize are {:02x?}", &header[5..13]));
        }
        let mut tags = Vec::new();
        let mut at = 13;
        while at < bytes.len() {
            let tag = bytes.get(at..at + 11).ok_or_else(|| format!("tag header cut at {at}"))?;
            if !matches!(tag[0], AUDIO | VIDEO | SCRIPT) {
                return Err(format!("tag type {} at {at}", tag[0]));
            }
            let size = be(&tag[1..4]) as usize;
            let time = be(&tag[4..7]) | u32::from(tag[7]) << 24;
            if tag[8..11] != [0, 0, 0] {
                return Err(format!("stream id {:02x?} at {at}", &tag[8..11]));
            }
            let body = bytes.get(at + 11..at + 11 + size).ok_or_else(|| format!("tag of {size} bytes cut at {at}"))?;
            let trailer =
                bytes.get(at + 11 + size..at + 15 + size).ok_or_else(|| format!("PreviousTagSize of {at} cut"))?;
            if be(trailer) as usize != size + 11 {
                return Err(format!("PreviousTagSize {} after a tag of {} bytes at {at}", be(trailer), size + 11));
            }
            tags.push(Tag::new(tag[0], time, body));
            at += 15 + size;
        }
        Ok(Flv { has_audio: header[4] & 4 != 0, has_video: header[4] & 1 != 0, tags })
    }

    /// Audio and video tags only.
    pub fn media(&self) -> Vec<Tag> {
        self.tags.iter().filter(|tag| tag.kind != SCRIPT).cloned().collect()
    }

    /// Tags of one type.
    pub fn of(&self, kind: u8) -> Vec<Tag> {
        self.tags.iter().filter(|tag| tag.kind == kind).cloned().collect()
    }

    /// Fails unless the header's flags say exactly what the file holds.
    #[track_caller]
    pub fn expect_true_flags(&self) -> &Flv {
        let holds = |kind| self.tags.iter().any(|tag| tag.kind == kind);
        assert_eq!(
            (self.has_audio, self.has_video),
            (holds(AUDIO), holds(VIDEO)),
            "header flags (audio, video) against the tags"
        );
        self
    }

    /// Fails if a track's time decreases.
    #[track_caller]
    pub fn expect_monotonic(&self) {
        for kind in [AUDIO, VIDEO] {
            let times: Vec<u32> = self.of(kind).iter().map(|tag| tag.time).collect();
            assert!(times.is_sorted(), "kind {kind}: {times:?}");
        }
    }
}

fn be(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The bytes of an FLV file: for making sources, and to hold outputs against.
pub fn write(has_audio: bool, has_video: bool, tags: &[Tag]) -> Vec<u8> {
    let mut bytes = b"FLV\x01\x00\x00\x00\x00\x09\x00\x00\x00\x00".to_vec();
    bytes[4] = u8::from(has_audio) << 2 | u8::from(has_video);
    for tag in tags {
        bytes.push(tag.kind);
        bytes.extend(&(tag.payload.len() as u32).to_be_bytes()[1..]);
        bytes.extend(&tag.time.to_be_bytes()[1..]);
        bytes.push(tag.time.to_be_bytes()[0]);
        bytes.extend([0; 3]);
        bytes.extend(&tag.payload);
        bytes.extend((tag.payload.len() as u32 + 11).to_be_bytes());
    }
    bytes
}

/// Fails with the first differences unless both lists are equal in type, time and bytes.
#[track_caller]
pub fn expect_equal(expected: &[Tag], got: &[Tag]) {
    if let Some(difference) = diff(expected, got) {
        panic!("{difference}");
    }
}

/// The differences as text, or nothing.
pub fn diff(expected: &[Tag], got: &[Tag]) -> Option<String> {
    if expected == got {
        return None;
    }
    let mut text = format!("{} tags expected, {} got\n", expected.len(), got.len());
    let same = expected.iter().zip(got).take_while(|(left, right)| left == right).count();
    let same_end =
        expected[same..].iter().rev().zip(got[same..].iter().rev()).take_while(|(left, right)| left == right).count();
    let _ = writeln!(text, "the first {same} and the last {same_end} are equal; between them:");
    for (sign, tags) in [("-", &expected[same..expected.len() - same_end]), ("+", &got[same..got.len() - same_end])] {
        for (number, tag) in tags.iter().enumerate().take(12) {
            let _ = writeln!(text, "  {sign} #{:<5} {tag:?}", same + number);
        }
        if tags.len() > 12 {
            let _ = writeln!(text, "  {sign} … and {} more", tags.len() - 12);
        }
    }
    Some(text)
}

/// The tags with the first one's time taken from each: for outputs whose time base is the player's own.
pub fn from_zero(tags: &[Tag]) -> Vec<Tag> {
    let base = tags.iter().map(|tag| tag.time).min().unwrap_or(0);
    tags.iter().map(|tag| Tag { time: tag.time - base, ..tag.clone() }).collect()
}

/// What a live player that joined late must hold: `got` without its sequence headers is a run of `source`'s tags of
/// the type `kind`, no tag missing between the first and the last, distances in time equal. Returns how many matched.
#[track_caller]
pub fn expect_run(source: &[Tag], got: &[Tag], kind: u8) -> usize {
    let body = |tags: &[Tag]| -> Vec<Tag> {
        tags.iter().filter(|tag| tag.kind == kind && !is_sequence_header(tag)).cloned().collect()
    };
    let (source, got) = (body(source), body(got));
    let first = got.first().expect("something was got");
    let start = source.iter().position(|tag| tag.payload == first.payload).expect("the first tag is in the source");
    let end = (start + got.len()).min(source.len());
    expect_equal(&from_zero(&source[start..end]), &from_zero(&got));
    got.len()
}

/// Decoder configuration (AVC, AAC, Enhanced RTMP's), its metadata, and AVC's end of sequence: what servers keep and
/// send again, or leave out.
pub fn is_sequence_header(tag: &Tag) -> bool {
    let (first, second) = (tag.payload.first().copied().unwrap_or(0), tag.payload.get(1).copied().unwrap_or(0));
    match tag.kind {
        // Packet types 1 and 3 are coded frames.
        VIDEO if first & 0x80 != 0 => !matches!(first & 15, 1 | 3),
        VIDEO => first & 15 == 7 && second != 1,
        AUDIO => first >> 4 == 10 && second == 0,
        _ => false,
    }
}

/// The payloads of audio and video, one track after the other.
pub fn payloads(tags: &[Tag]) -> [Vec<Vec<u8>>; 2] {
    [AUDIO, VIDEO].map(|kind| tags.iter().filter(|tag| tag.kind == kind).map(|tag| tag.payload.clone()).collect())
}
