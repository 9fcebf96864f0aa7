//! The main job: a stream into a file.

use clap::Args;

use super::connect::ConnectArgs;
use super::flash::{FlashArgs, FlashStreamArgs};
use super::output::{OutputArgs, TrackArgs};
use super::retry::RetryArgs;
use super::segments::SegmentArgs;
use super::stream::{LimitArgs, StreamArgs, UrlArgs};
use super::trace::TraceArgs;
use super::verbosity::VerbosityArgs;

/// Options of recording a stream. Letters and names that rtmpdump has mean what they mean there.
#[derive(Debug, Clone, Default, Args)]
pub struct RecordArgs {
    /// Stream to record: rtmp[t|e|te|s|ts]://host[:port]/app/playpath
    ///
    /// It is optionally followed by librtmp key=value parameters. rtmps and rtmpts are protected by TLS; rtmpt, rtmpts and rtmpte use HTTP. rtmpe and rtmpte are obfuscation, not
    /// security: peers are not authenticated and the cipher is obsolete.
    #[arg(value_name = "URL", value_parser = super::values::name(), value_hint = clap::ValueHint::Url)]
    pub urls: Vec<String>,
    /// File, index, events.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The stream in rtmpdump's form.
    #[command(flatten)]
    pub url: UrlArgs,
    /// Which stream.
    #[command(flatten)]
    pub stream: StreamArgs,
    /// When to stop.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Several files instead of one.
    #[command(flatten)]
    pub segments: SegmentArgs,
    /// What to do when something breaks.
    #[command(flatten)]
    pub retry: RetryArgs,
    /// What is saved of Enhanced RTMP.
    #[command(flatten)]
    pub tracks: TrackArgs,
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
