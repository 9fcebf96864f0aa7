//! What is known of the beginning and the end of a file, and how much of them is wanted.

use crate::proto::amf0::Object;

use super::super::realign::TagFingerprint;

/// A file that can be resumed.
#[derive(Debug, Clone)]
pub struct Tail {
    /// Bytes of the file.
    pub length: u64,
    /// Offset behind the last tag that is to stay: less than `length` where the last one is torn, or some were skipped.
    pub end: u64,
    /// Flags of the file header.
    pub flags: u8,
    /// The first tags.
    pub head: Vec<TagFingerprint>,
    /// The last tags, at least one keyframe among them if there is any.
    pub tail: Vec<TagFingerprint>,
    /// The properties of the first onMetaData, if it comes at the beginning.
    pub metadata: Option<Object>,
}

/// What there is in a file.
#[derive(Debug, Clone)]
pub enum Found {
    /// Nothing worth keeping: no byte, a header, at most tags without a frame.
    Nothing,
    /// Something that is no FLV.
    NotFlv,
    /// Audio or video.
    Tail(Box<Tail>),
}

impl Tail {
    /// Time of the first frame in milliseconds, modulo 2³².
    pub fn first_ms(&self) -> u32 {
        let first = self.head.iter().filter(|known| known.is_coded()).map(|known| known.time_ms);
        first.reduce(|a, b| if (b.wrapping_sub(a) as i32) < 0 { b } else { a }).unwrap_or(0)
    }

    /// Largest time of a frame in milliseconds, modulo 2³².
    pub fn latest_ms(&self) -> u32 {
        let all = self.tail.iter().filter(|known| known.is_coded()).map(|known| known.time_ms);
        all.reduce(|a, b| if (b.wrapping_sub(a) as i32) > 0 { b } else { a }).unwrap_or(0)
    }
}

/// Keyframes that are wanted from the end, in addition to those to be skipped, and frames in any case: some to be found by, some to
/// be sure by.
pub(super) const MIN_KEYFRAMES: usize = 3;
pub(super) const MIN_FRAMES: usize = 100;
/// Where keyframes are far apart, one is enough when so much has been read,
pub(super) const MAX_TAIL_BYTES: u64 = 64 << 20;
/// and none is needed when there are so many tags.
pub(super) const MAX_TAIL_TAGS: usize = 1 << 16;
/// Frames of the beginning that are kept, and how much is read for them.
pub(super) const HEAD_FRAMES: usize = 64;
pub(super) const MAX_HEAD_BYTES: u64 = 4 << 20;
