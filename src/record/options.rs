//! What to record, how, and when to give up, in plain values.

use std::path::PathBuf;
use std::time::Duration;

use super::retry::RetryOptions;
use super::segments::SegmentOptions;
use super::tracks::TrackOptions;
use crate::connect;
use crate::proto::session::PlayParams;
use crate::url::Url;

/// What is wanted of a recording. The default records all of a stream as it comes, once.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// How to reach the server, and what to say there. Start, length and live switch of `play` follow from the fields below.
    pub connect: connect::Options,
    /// The stream is live: jumps of its clock are closed up, and there is nothing to resume.
    pub live: bool,
    /// Where the media begins, in milliseconds of an on-demand stream.
    pub start_ms: u64,
    /// Take what a server sends for a start other than 0 as it is: without looking whether it begins there, and whether it
    /// can be decoded.
    pub trust_start: bool,
    /// Where it ends, in milliseconds of the stream; of a live one, since its first frame.
    pub stop_ms: Option<u64>,
    /// Longest time on the wall.
    pub duration: Option<Duration>,
    /// Size at which the recording ends, in bytes.
    pub max_bytes: Option<u64>,
    /// Keep the server's timestamps instead of counting from 0.
    pub absolute_timestamps: bool,
    /// Begin a file with metadata that has duration, size and keyframe index, and keep them up to date.
    pub index: bool,
    /// Append to the file, if there is one already, from so many keyframes before its last one (0: its end).
    pub resume: Option<u32>,
    /// Which tracks are saved, and in which form.
    pub tracks: TrackOptions,
    /// When to connect again.
    pub retry: RetryOptions,
    /// How often the file is brought to the disk; `None`: when the system likes.
    pub fsync: Option<Duration>,
}

impl Options {
    /// How to connect to `url`: what is said to the server follows from what is wanted.
    pub fn connection(&self, url: &Url) -> connect::Options {
        let mut connect = self.connect.clone();
        let play = connect.session.play.get_or_insert_with(PlayParams::default);
        if self.live {
            // Not the length: some servers (SRS) end a live stream early because of it.
            play.play_live(&url.playpath);
        } else {
            play.start_ms = self.start_ms as f64;
            play.length_ms = play.length_ms.or(self.length_ms().map(|ms| ms as f64));
        }
        connect
    }

    /// Length of what is wanted, in milliseconds.
    pub(super) fn length_ms(&self) -> Option<u64> {
        self.stop_ms.map(|stop| stop.saturating_sub(self.start_ms))
    }

    /// Whether the end that was asked for is not after the beginning.
    pub(super) fn is_nothing_wanted(&self) -> bool {
        self.stop_ms.is_some_and(|stop| stop <= self.start_ms)
    }
}

/// Where a recording goes.
#[derive(Debug, Clone)]
pub enum Sink {
    /// To this file (or device, or named pipe). It is opened when there is media to write, not before.
    File(PathBuf),
    /// To standard output.
    Stdout,
    /// To one file after the other.
    Segments(SegmentOptions),
}

impl Sink {
    /// A file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Sink::File(path.into())
    }

    pub(super) fn path(&self) -> Option<&std::path::Path> {
        match self {
            Sink::File(path) => Some(path),
            Sink::Stdout | Sink::Segments(_) => None,
        }
    }
}
