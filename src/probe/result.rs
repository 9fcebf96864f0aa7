//! The data of a report: what a probe found, in plain values.

use serde::Serialize;

use crate::connect::LoginError;
use crate::inspect::series::Timeline;
use crate::inspect::{Report, Severity};
use crate::proto::amf0::Object;
use crate::proto::command::{Command, NetStatus};
use crate::proto::handshake;
use crate::proto::link::Tolerated;
use crate::transport::Certificate;
use crate::url::without_secrets;

/// What a probe found.
#[derive(Debug, Default)]
pub struct ProbeResult {
    /// The URL, without its secrets.
    pub url: String,
    /// The options are invalid, or the probe was interrupted: the server's state is unknown.
    pub not_tried: bool,
    /// Why there was no stream, or why it broke off.
    pub error: Option<String>,
    /// The login failed for this reason, which `error` states as well.
    pub login_error: Option<LoginError>,
    /// `complete`, `time`, `ended`, `interrupted` or `error`.
    pub end: &'static str,
    /// Of the server, or of the proxy.
    pub address: Option<String>,
    /// Where the server sent us.
    pub redirects: Vec<String>,
    /// Version and cipher.
    pub tls: Option<String>,
    /// The server's, where there is TLS.
    pub certificate: Option<Certificate>,
    /// Days until it expires, to a hundredth; negative once expired.
    pub certificate_days: Option<f64>,
    /// Which handshake was asked for.
    pub handshake_kind: Option<handshake::Kind>,
    /// What the server sent in it.
    pub handshake: Option<handshake::Outcome>,
    /// connect's result.
    pub connected: Option<Command>,
    /// What the server said, the at most 100.
    pub statuses: Vec<NetStatus>,
    /// Deviations from the specification that were accepted.
    pub tolerated: Tolerated,
    /// The server did not accept commands that were sent ahead.
    pub strict_order: bool,
    /// By getStreamLength.
    pub stream_length_s: Option<f64>,
    /// When things happened.
    pub timing: Timing,
    /// What is in the stream.
    pub report: Option<Report>,
    /// The stream over time, if [`Purpose::Monitor`](super::Purpose) was asked for.
    pub timeline: Option<Timeline>,
    /// The last onMetaData.
    pub metadata: Option<Object>,
    /// The last colorInfo.
    pub color_info: Option<Object>,
    /// Problems of the stream: each kind once, with its count.
    pub findings: Vec<Found>,
}

/// A finding and its count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// See [`crate::inspect::Finding::code`].
    pub code: &'static str,
    /// See [`crate::inspect::Finding::severity`].
    pub severity: Severity,
    /// Description of the first one.
    pub text: String,
    /// How many times.
    pub count: u64,
}

/// Milliseconds, with a resolution of microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Timing {
    /// How long looking up the host took.
    pub resolve: Option<f64>,
    /// How long the TCP connection took.
    pub tcp: Option<f64>,
    /// How long the proxy took.
    pub proxy: Option<f64>,
    /// How long the TLS handshake took.
    pub tls: Option<f64>,
    /// How long opening the tunnel took.
    pub tunnel: Option<f64>,
    /// When bytes could be exchanged; this and all that follows since the beginning.
    pub opened: Option<f64>,
    /// When S1 was there.
    pub handshake: Option<f64>,
    /// When connect was answered.
    pub connect: Option<f64>,
    /// When createStream was answered.
    pub create_stream: Option<f64>,
    /// When the stream had begun.
    pub play: Option<f64>,
    /// When onMetaData was there.
    pub metadata: Option<f64>,
    /// When the first sound was there.
    pub first_audio: Option<f64>,
    /// When the first frame was there.
    pub first_video: Option<f64>,
    /// When the first keyframe was there.
    pub first_keyframe: Option<f64>,
}

impl ProbeResult {
    /// A result without a probe: the options are invalid.
    pub fn not_tried(url: &str, reason: String) -> Self {
        Self { not_tried: true, ..Self::failed(url, reason) }
    }

    /// The result of a probe that failed.
    pub fn failed(url: &str, reason: String) -> Self {
        Self { url: without_secrets(url), error: Some(reason), end: "error", ..Self::default() }
    }
}
