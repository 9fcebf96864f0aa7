//! What a server sends on a stream: its beginning, media, statuses and its end (§7.2.2).
//!
//! ```text
//! [Stream Is Recorded] · Stream Begin · onStatus Play.Reset · onStatus Play.Start · |RtmpSampleAccess · media …
//! end: onPlayStatus Play.Complete · Stream EOF · onStatus Play.Stop, or what EndOfPlay says
//! ```
//!
//! Does not pace: when a frame is due is decided by the caller.

use crate::proto::amf0::{self, Object, Value};
use crate::proto::link::user_control;
use crate::proto::message::{MessageHeader, message_type};
use crate::proto::status::{CommandKind, StatusCode};

use super::{PlayRequest, ServerSession};

/// Level of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Status,
    /// Something is odd.
    Warning,
    /// It did not work.
    Error,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Status => "status",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// How a stream ends, in the ways of the servers out there.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum EndOfPlay {
    /// A recorded stream, as Flash Media Server has it: Play.Complete (onPlayStatus), Stream EOF, Play.Stop.
    #[default]
    Complete,
    /// A live stream whose publisher left: Play.UnpublishNotify, Stream EOF.
    Unpublish,
    /// Only Stream EOF (§7.1.7).
    Eof,
    /// Only Play.Stop.
    Stop,
    /// Nothing at all: the connection stays open.
    Silence,
}

impl ServerSession {
    /// Accepts a `play`: Stream Is Recorded, Stream Begin, Play.Reset, Play.Start, and the data that Flash looks for.
    pub fn begin_play(&mut self, request: &PlayRequest, recorded: bool) {
        let id = request.stream_id;
        if recorded {
            self.link.send_user_control(user_control::STREAM_IS_RECORDED, &id.to_be_bytes());
        }
        self.link.send_user_control(user_control::STREAM_BEGIN, &id.to_be_bytes());
        let name = &request.name;
        if request.reset {
            let text = format!("Playing and resetting {name}.");
            self.status(id, Level::Status, StatusCode::PlayReset, &text, name);
        }
        self.status(id, Level::Status, StatusCode::PlayStart, &format!("Started playing {name}."), name);
        self.data(id, 0, &["|RtmpSampleAccess".into(), true.into(), true.into()]);
    }

    /// Refuses a `play`, mostly with `NetStream.Play.StreamNotFound`.
    pub fn refuse_play(&mut self, stream_id: u32, code: StatusCode, description: &str) {
        self.status(stream_id, Level::Error, code, description, "");
    }

    /// Answers `seek`.
    pub fn notify_seek(&mut self, stream_id: u32, to_ms: f64) {
        self.link.send_user_control(user_control::STREAM_BEGIN, &stream_id.to_be_bytes());
        let text = format!("Seeking to {to_ms} ms.");
        self.status(stream_id, Level::Status, StatusCode::SeekNotify, &text, "");
        self.status(stream_id, Level::Status, StatusCode::PlayStart, "Playing from there.", "");
    }

    /// Answers `pause`.
    pub fn notify_pause(&mut self, stream_id: u32, paused: bool) {
        let (event, code) = match paused {
            true => (user_control::STREAM_EOF, StatusCode::PauseNotify),
            false => (user_control::STREAM_BEGIN, StatusCode::UnpauseNotify),
        };
        self.link.send_user_control(event, &stream_id.to_be_bytes());
        self.status(stream_id, Level::Status, code, if paused { "Paused." } else { "Going on." }, "");
    }

    /// Ends a stream. `duration_s` (seconds) and `bytes` say how much was played.
    pub fn end_play(&mut self, stream_id: u32, ending: EndOfPlay, timestamp: u32, duration_s: f64, bytes: f64) {
        let eof = |session: &mut Self| {
            session.link.send_user_control(user_control::STREAM_EOF, &stream_id.to_be_bytes());
        };
        match ending {
            EndOfPlay::Complete => {
                let information = Object::default()
                    .with("level", "status")
                    .with("code", StatusCode::PlayComplete.as_str())
                    .with("duration", duration_s)
                    .with("bytes", bytes);
                self.data(stream_id, timestamp, &[CommandKind::OnPlayStatus.name().into(), information.into()]);
                eof(self);
                self.status(stream_id, Level::Status, StatusCode::PlayStop, "Stopped playing.", "");
            }
            EndOfPlay::Unpublish => {
                self.status(stream_id, Level::Status, StatusCode::PlayUnpublishNotify, "The publisher left.", "");
                eof(self);
            }
            EndOfPlay::Eof => eof(self),
            EndOfPlay::Stop => self.status(stream_id, Level::Status, StatusCode::PlayStop, "Stopped playing.", ""),
            EndOfPlay::Silence => {}
        }
    }

    /// Accepts a `publish`: its media comes as events from now on.
    pub fn begin_publish(&mut self, stream_id: u32, name: &str) {
        if !self.publishing.contains(&stream_id) {
            self.publishing.push(stream_id);
        }
        self.link.send_user_control(user_control::STREAM_BEGIN, &stream_id.to_be_bytes());
        self.status(stream_id, Level::Status, StatusCode::PublishStart, "Publishing.", name);
    }

    /// Answers `getStreamLength` with seconds; 0 for what has no length.
    pub fn stream_length(&mut self, transaction_id: f64, seconds: f64) {
        self.answer(transaction_id, seconds.into());
    }

    /// Says that the client's buffer is full (a Flash Media Server event): the server waits now.
    pub fn notify_buffer_full(&mut self, stream_id: u32) {
        self.link.send_user_control(user_control::BUFFER_EMPTY, &stream_id.to_be_bytes());
    }

    /// Sends a PingRequest (§7.1.7); the answer counts as received bytes.
    pub fn ping(&mut self, time_ms: u32) {
        self.link.send_user_control(user_control::PING_REQUEST, &time_ms.to_be_bytes());
    }

    /// Queues `onStatus`. `details` is the stream's name, or empty.
    pub fn status(&mut self, stream_id: u32, level: Level, code: StatusCode, description: &str, details: &str) {
        let mut information = Object::default()
            .with("level", level.as_str())
            .with("code", code.as_str())
            .with("description", description);
        if !details.is_empty() {
            information = information.with("details", details);
        }
        let csid = chunk_stream(stream_id, 0);
        self.command(CommandKind::OnStatus.name(), 0.0, vec![Value::Null, information.into()], stream_id, csid);
    }

    /// Queues a data message (§7.1.2) in AMF 0.
    pub fn data(&mut self, stream_id: u32, timestamp: u32, values: &[Value]) {
        let mut payload = Vec::new();
        for value in values {
            amf0::encode(value, &mut payload);
        }
        self.media(stream_id, message_type::DATA_AMF0, timestamp, &payload);
    }

    /// Queues a message of any type on a stream: audio, video, data, aggregate. `timestamp` in milliseconds.
    pub fn media(&mut self, stream_id: u32, message_type_id: u8, timestamp: u32, payload: &[u8]) {
        let chunk_stream_id = match message_type_id {
            message_type::AUDIO => chunk_stream(stream_id, 1),
            message_type::VIDEO | message_type::AGGREGATE => chunk_stream(stream_id, 2),
            _ => chunk_stream(stream_id, 0),
        };
        let header =
            MessageHeader { chunk_stream_id, message_type_id, timestamp, message_stream_id: stream_id, length: 0 };
        self.link.send(header, payload);
    }
}

/// Chunk streams of a message stream: 0 for statuses and data, 1 for audio, 2 for video. Distinct for the first streams; the
/// encoder gives full headers where later ones share them.
fn chunk_stream(stream_id: u32, kind: u32) -> u32 {
    5 + stream_id.saturating_sub(1) % MAX_DISTINCT * 3 + kind
}

/// Message streams with chunk streams of their own; rtmpdump keeps an array of them and does not like large numbers.
const MAX_DISTINCT: u32 = 16;
