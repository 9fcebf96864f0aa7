//! A recording as several files.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;

use super::values::{positive_time, size};

/// Options of cutting a recording into files.
#[derive(Debug, Clone, Default, Args)]
pub struct SegmentArgs {
    /// Start a new file every TIME, at a keyframe
    ///
    /// In the name (-o) the characters of strftime stand for the time at which a file is started, %{n} for its number and
    /// %{n:4} for its number in at least four digits; a name without any gets a hyphen and the number. Files are written as
    /// NAME.part, renamed when complete, and never overwrite another.
    #[arg(long, value_name = "TIME", value_parser = positive_time, display_order = 7)]
    pub segment_time: Option<Duration>,
    /// Start a new file at the first keyframe after SIZE (bytes, or 500k, 2G)
    #[arg(long, value_name = "SIZE", value_parser = size, hide_short_help = true, help_heading = "Segments")]
    pub segment_size: Option<u64>,
    /// Start a new file at the first keyframe after a change
    #[arg(long, value_name = "WHAT", value_enum, hide_short_help = true, help_heading = "Segments")]
    pub segment_on: Option<SegmentOn>,
    /// Run CMD (without a shell) for each complete file, with the file's name as its argument, one at a time
    #[arg(long, value_name = "CMD", hide_short_help = true, help_heading = "Segments")]
    pub on_segment: Option<OsString>,
    /// Keep the newest N complete files; delete older ones after CMD has processed them
    #[arg(long, value_name = "N", hide_short_help = true, help_heading = "Segments")]
    pub keep: Option<NonZeroU32>,
}

/// What starts a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SegmentOn {
    /// Another codec, or another configuration of it
    CodecChange,
}
