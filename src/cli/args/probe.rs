//! Options of `probe`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::probe::{Limit, Limits, Requirement};

use super::{ConnectArgs, FlashArgs, FlashStreamArgs, StreamArgs, TraceArgs, VerbosityArgs};

/// Options of `probe`.
#[derive(Debug, Args)]
#[command(
    infer_long_args = true,
    args_override_self = true,
    override_usage = "rtmpcat probe [OPTIONS] URL...",
    after_help = "\
A limit is a number, beyond which the stream is critical, or WARN:CRIT.
Exit codes are Nagios': 0 ok, 1 warning, 2 critical (also: no connection, no stream, no media), 3 unknown (wrong usage). Of several
URLs the worst counts.

Examples:
  rtmpcat probe rtmp://host/live/stream
  rtmpcat probe --format nagios --require video=h264 --require audio --max-first-frame 1:3 --max-gop 4 rtmp://host/live/stream
  rtmpcat probe --watch rtmp://host/live/stream
  rtmpcat probe --time 60 --report stream.html rtmp://host/live/stream
  rtmpcat probe --format prometheus rtmp://a/live/x rtmp://b/live/x > /var/lib/node_exporter/rtmp.prom"
)]
pub struct ProbeArgs {
    /// Streams: rtmp[t|e|te|s|ts]://host[:port]/app/playpath, optionally followed by librtmp key=value parameters
    #[arg(value_name = "URL", required = true, value_hint = clap::ValueHint::Url)]
    pub urls: Vec<String>,
    /// How the result is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text", help_heading = "Probe")]
    pub format: Format,
    /// Seconds to look at the stream; by default until codecs, rates and one group of pictures are known, at most 20
    #[arg(long, value_name = "SECONDS", help_heading = "Probe")]
    pub time: Option<f64>,
    /// Show how the stream goes, until Ctrl-C (or for --time): a view on a terminal, else a line each second, on standard error
    #[arg(long, help_heading = "Probe")]
    pub watch: bool,
    /// Also write a page with plots of bit rate, frame intervals and A/V offset; 20 seconds are watched if --time says no other
    #[arg(long, value_name = "FILE.html", help_heading = "Probe")]
    pub report: Option<PathBuf>,
    /// What has to be there: video, audio, video=CODEC or audio=CODEC (h264, h265, av1, vp9, aac, opus, mp3, ...). Repeatable
    #[arg(long, value_name = "TRACK[=CODEC]", help_heading = "Probe")]
    pub require: Vec<Requirement>,
    /// Lowest bit rate of all tracks together, in bits per second (k and M are understood)
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub min_bitrate: Option<Limit>,
    /// Longest time to the first keyframe (without video: to the first sound), in seconds
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub max_first_frame: Option<Limit>,
    /// Longest distance of two keyframes, in seconds
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub max_gop: Option<Limit>,
    /// Furthest that video and audio may be apart on average, in milliseconds
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub max_av_offset: Option<Limit>,
    /// Fewest days that the server's certificate has to be valid for (rtmps, rtmpts), e.g. 14:3
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub min_cert_days: Option<Limit>,
    /// Which stream.
    #[command(flatten)]
    pub stream: StreamArgs,
    /// How to get to the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// What is kept of the conversation.
    #[command(flatten)]
    pub trace: TraceArgs,
    /// What a Flash Player says of the stream.
    #[command(flatten)]
    pub flash_stream: FlashStreamArgs,
    /// What a Flash Player says of itself.
    #[command(flatten)]
    pub flash: FlashArgs,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; a table for several URLs
    Text,
    /// A line of JSON for each URL
    Json,
    /// A line for Nagios, with performance data
    Nagios,
    /// Metrics for Prometheus' textfile collector
    Prometheus,
}

impl ProbeArgs {
    /// What the streams are judged by.
    pub fn limits(&self) -> Limits {
        Limits {
            require: self.require.clone(),
            min_bitrate: self.min_bitrate,
            max_first_frame: self.max_first_frame,
            max_gop: self.max_gop,
            max_av_offset: self.max_av_offset,
            min_cert_days: self.min_cert_days,
        }
    }
}
