//! What becomes of the media.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{any_path, positive_time};

/// Options of the output.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputArgs {
    /// Write to FILE; - is standard output
    ///
    /// The characters %Y, %m, %d, %H, %M, %S and the others of strftime stand for the time at which the file is created.
    #[arg(
        short = 'o',
        long = "output",
        visible_alias = "flv",
        value_name = "FILE",
        allow_hyphen_values = true,
        value_parser = any_path(),
        value_hint = clap::ValueHint::FilePath,
        display_order = 1
    )]
    pub flv: Option<PathBuf>,
    /// Append to an existing partial file (on-demand only)
    ///
    /// A new file is started if there is none.
    #[arg(short = 'e', long, display_order = 6)]
    pub resume: bool,
    /// Show progress even if standard error is not a terminal
    #[arg(long, display_order = 16)]
    pub progress: bool,
    /// With --resume: resume N keyframes before the last one [default: 0]
    #[arg(
        short = 'k',
        long,
        value_name = "N",
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub skip: Option<u32>,
    /// Keep the server's timestamps instead of starting at 0
    #[arg(long, hide_short_help = true, help_heading = "Output")]
    pub absolute_timestamps: bool,
    /// Write duration, size and a keyframe index at the start of the file and keep them up to date, so that it is always seekable [default; not on a pipe]
    #[arg(long, overrides_with = "no_index", hide_short_help = true, help_heading = "Output")]
    pub index: bool,
    /// Write the server's metadata unchanged, without an index
    #[arg(long, overrides_with = "index", hide_short_help = true, help_heading = "Output")]
    pub no_index: bool,
    /// fsync the file every TIME (slower) [default: never]
    #[arg(long, value_name = "TIME", value_parser = positive_time, hide_short_help = true, help_heading = "Output")]
    pub fsync: Option<Duration>,
    /// Write events as JSON lines to a file, an open file descriptor (a number), or - for standard output
    #[arg(long, value_name = "FILE|FD|-", hide_short_help = true, help_heading = "Output")]
    pub events: Option<PathBuf>,
    /// Show progress as hash marks
    #[arg(short = '#', long, hide_short_help = true, help_heading = "Output")]
    pub hashes: bool,
}

/// Options about Enhanced RTMP's tracks and codecs.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct TrackArgs {
    /// Save only video track N of a multitrack stream [first: 0]
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Output")]
    pub video_track: Option<u8>,
    /// Save only audio track N
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Output")]
    pub audio_track: Option<u8>,
    /// Convert Enhanced RTMP H.264/AAC tags to legacy FLV tags, for players that do not support the new ones
    #[arg(long, hide_short_help = true, help_heading = "Output")]
    pub legacy_tags: bool,
}
