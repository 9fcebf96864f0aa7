//! What happens during a recording, for whoever wants to tell it.

use std::net::SocketAddr;
use std::time::Duration;

use super::end::EndReason;
use super::gaps::Gap;
use super::reconnect::ReconnectError;
use super::segments::SegmentEvent;
use super::tracks::NoLegacyForm;
use crate::connect::{ConnectEvent, LoginError};
use crate::flv::recorder::Existing;
use crate::proto::amf0::Object;
use crate::proto::session::StallAction;
use crate::url::Url;

/// Is told what happens, on the thread that records: whatever takes long holds up the recording.
pub trait Listener {
    /// Something happened.
    fn event(&mut self, event: Event<'_>) {
        let _ = event;
    }
}

/// Ignores every event.
impl Listener for () {}

/// Something that happened.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The recording begins; `Some`: it appends to this file.
    Begins(Option<&'a Existing>),
    /// A connection is about to be made.
    Connecting {
        /// Where to.
        url: &'a Url,
        /// Which one it is, from 1.
        connection: u32,
    },
    /// Something on the way there, or in the session.
    Connect(ConnectEvent<'a>),
    /// connect was accepted.
    Connected {
        /// Which connection.
        connection: u32,
        /// Of the server, or of the proxy.
        address: SocketAddr,
        /// Since it was begun.
        after: Duration,
    },
    /// A redirect or a demand for a password cannot be answered.
    LoginFailed(&'a LoginError),
    /// The stream has begun, for the first time.
    Playing,
    /// The stream's onMetaData, once the output is open.
    Metadata(&'a Object),
    /// A connection has brought its first media.
    FirstMedia {
        /// Which connection.
        connection: u32,
        /// Since it was begun.
        after: Duration,
    },
    /// There are keyframes that were not reported yet; once a second.
    Keyframes(Position),
    /// How far the recording is, at least every 200 ms.
    Progress(Position),
    /// No media for so long, though the connection stands.
    Stalled(Duration),
    /// Media again, after so long.
    Resumed(Duration),
    /// A stalled server is asked to continue.
    StallAction {
        /// Time without media.
        silence: Duration,
        /// What is done.
        action: StallAction,
    },
    /// A connection ended, and another one is made.
    Retrying(Retrying<'a>),
    /// Media again after a gap between connections.
    Gap(&'a Gap),
    /// The file's end was not in what the server sent; this point of it is asked for next, in milliseconds.
    ResumePoint(u32),
    /// The server asks for a replacement connection, which is made to this place.
    ReconnectRequested(&'a Url),
    /// The server asks for one, which is not made.
    ReconnectRefused(&'a ReconnectError),
    /// The replacement connection failed.
    ReconnectFailed {
        /// Why.
        error: &'a ReconnectError,
        /// The present connection is gone as well.
        is_last: bool,
    },
    /// The replacement connection takes over.
    Reconnected,
    /// Something has no legacy form, and is saved as it came.
    NoLegacyForm(&'a NoLegacyForm),
    /// Something about the files of a recording in segments.
    Segment(&'a SegmentEvent),
    /// It is over, for this reason, with so much in the output; what is left is written next.
    Ending(&'a EndReason, Position),
}

/// How far a recording is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Bytes of the output.
    pub bytes: u64,
    /// Time of the last frame in the output, in milliseconds.
    pub at_ms: i64,
    /// The same in the stream.
    pub stream_ms: i64,
    /// Duration of the stream in milliseconds, if known.
    pub duration_ms: Option<u64>,
    /// Video tags.
    pub video: u64,
    /// Audio tags.
    pub audio: u64,
    /// Video tags that are keyframes.
    pub keyframes: u64,
}

/// Another connection will be made.
#[derive(Debug, Clone, Copy)]
pub struct Retrying<'a> {
    /// Why the last one ended.
    pub reason: &'a EndReason,
    /// Which attempt it is without new media, from 1.
    pub attempt: u32,
    /// How many there may be; `None`: no limit.
    pub limit: Option<u32>,
    /// Time until then.
    pub delay: Duration,
    /// The stream is waited for, not an outage repaired.
    pub is_waiting: bool,
}
