//! What a recorder is told and what it tells.

use std::io;

use crate::proto::amf0::Object;

use super::super::index::Index;
use super::super::sink::Output;
use super::super::timeline::Discontinuity;

/// What the user wants of a recording.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The stream is live: jumps of its clock are stitched. Otherwise they are only if the stream's pace shows that it is.
    pub live: bool,
    /// Keep the server's times.
    pub absolute: bool,
    /// The position asked for, in milliseconds; needed for absolute times where the server counts from there.
    pub start_ms: Option<u64>,
    /// Length in milliseconds, from the first frame.
    pub stop_ms: Option<u64>,
    /// The output cannot be patched, and somebody is waiting for it: hold the beginning for less long.
    pub pipe: bool,
    /// Begin a file with an onMetaData of our own that has an index, kept up to date. Has no effect on a pipe.
    pub index: bool,
    /// Bytes of a live stream that may wait for a thread once the output has stood still (a quarter where it is not known to be
    /// live): the server is not to wait for a slow disk. On demand it may. 0: no thread.
    pub queue_bytes: usize,
    /// Note what is written where it could not be looked up: in a pipe, in many files. So a broken stream can be resumed.
    pub keep_fingerprints: bool,
}

/// What a push led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushResult {
    /// More is wanted.
    Going,
    /// The length that was asked for is there.
    StopReached,
}

/// What a recording came to.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The output was opened: there is media in it.
    pub opened: bool,
    /// Bytes of the output.
    pub bytes: u64,
    /// Audio tags.
    pub audio_tags: u64,
    /// Video tags.
    pub video_tags: u64,
    /// Script tags.
    pub script_tags: u64,
    /// Coded frames of audio and video.
    pub frames: u64,
    /// Video tags that are keyframes.
    pub keyframes: u64,
    /// Largest time of a frame in the output, in milliseconds.
    pub latest_ms: i64,
    /// From the first frame's time to the end of the last one, in milliseconds.
    pub duration_ms: u64,
    /// Empty messages, broken aggregates and the like that were left out.
    pub skipped: u64,
    /// Headers and metadata that a new connection repeated, and frames before its first keyframe.
    pub repeated: u64,
    /// Where a live source's clock jumped or a new connection took over; the first thousand.
    pub discontinuities: Vec<Discontinuity>,
    /// How often that was.
    pub discontinuity_count: u64,
}

/// A file that a recording goes on with.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// Bytes that stay.
    pub bytes: u64,
    /// Flags of its header.
    pub flags: u8,
    /// Time of its first frame in milliseconds, modulo 2³².
    pub first_ms: u32,
    /// Largest time of a frame in it, likewise.
    pub latest_ms: u32,
    /// The properties of its onMetaData.
    pub metadata: Option<Object>,
    /// The index that it begins with, brought up to its end.
    pub index: Option<Index>,
    /// Even if nothing is added, something is to be cut off, or the index to be written.
    pub needs_repair: bool,
}

/// Opens the output: once, or, where it is cut into files, for each of them.
pub type Open = Box<dyn FnMut() -> io::Result<Output> + Send>;
