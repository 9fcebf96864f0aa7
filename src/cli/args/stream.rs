//! Which stream, and which part of it.

use std::time::Duration;

use clap::Args;

use super::values::{name, positive_time, time};

/// Options of playing a stream.
#[derive(Debug, Clone, Default, Args)]
pub struct StreamArgs {
    /// Play a live stream
    #[arg(short = 'v', long, display_order = 2)]
    pub live: bool,
    /// Start TIME into an on-demand stream
    #[arg(short = 'A', long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, display_order = 3)]
    pub start: Option<Duration>,
    /// Stream name, overrides the URL's; used verbatim
    #[arg(
        short = 'y',
        long,
        value_name = "NAME",
        value_parser = name(),
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Stream"
    )]
    pub playpath: Option<String>,
    /// Buffer length to announce to the server, in milliseconds [default: 36000000; probe: 10000]
    #[arg(
        short = 'b',
        long,
        value_name = "MS",
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Stream"
    )]
    pub buffer: Option<u32>,
    /// Timeout from play to the first media [default: --timeout]
    #[arg(long, value_name = "TIME", value_parser = positive_time, hide_short_help = true, help_heading = "Stream")]
    pub first_media_timeout: Option<Duration>,
}

/// The stream in rtmpdump's form.
#[derive(Debug, Clone, Default, Args)]
pub struct UrlArgs {
    /// URL of the stream, same as the positional argument
    #[arg(
        short = 'r',
        long,
        value_name = "URL", value_parser = name(),
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Stream"
    )]
    pub rtmp: Vec<String>,
    /// URL with librtmp parameters: "URL key=value key=value"; the keys start and stop are in milliseconds, \20 is a space in a value
    #[arg(
        short = 'i',
        long,
        value_name = "URL", value_parser = name(),
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Stream"
    )]
    pub url: Option<String>,
}

/// Options that end a recording.
#[derive(Debug, Clone, Default, Args)]
pub struct LimitArgs {
    /// Stop at TIME of the stream
    ///
    /// This limit is enforced by rtmpcat, also for live streams.
    #[arg(short = 'B', long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, display_order = 4)]
    pub stop: Option<Duration>,
    /// Stop after TIME of real time
    #[arg(long, value_name = "TIME", value_parser = positive_time, display_order = 5)]
    pub duration: Option<Duration>,
    /// Stop when the output has reached SIZE (bytes, or 500k, 2G)
    #[arg(long, value_name = "SIZE", value_parser = super::values::size, hide_short_help = true, help_heading = "Output")]
    pub max_size: Option<u64>,
    /// Let the server set the pace: do not pause/unpause to speed up the download
    #[arg(short = 'R', long, hide_short_help = true, help_heading = "Stream")]
    pub realtime: bool,
}
