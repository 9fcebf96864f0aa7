//! The server's end of a connection (§7.2): the other side of what `session` says.
//!
//! ```text
//! C0 C1 ─►              ◄─ S0 S1 S2
//! C2 connect ─►         ◄─ Window Acknowledgement Size · Set Peer Bandwidth · Set Chunk Size · _result · onBWDone
//! createStream play ─►  ◄─ _result · Stream Begin · onStatus NetStream.Play.Reset, .Start · media
//!                       ◄─ Stream EOF · onPlayStatus NetStream.Play.Complete · onStatus NetStream.Play.Stop
//! ```
//!
//! Bytes in, events out; time and random bytes are arguments. Does not have streams: what there is to play, and when
//! a frame is due, is decided by the caller.

mod dialogue;
mod media;
mod options;
#[cfg(test)]
mod tests;

pub use media::{EndOfPlay, Level};
pub use options::{AccessPolicy, ConnectRequest, SecureToken, ServerOptions, SwfCheck};

use super::ProtocolError;
use super::amf0::Value;
use super::handshake;
use super::handshake::Cipher;
use super::link::ChunkLink;
use super::message::{Message, message_type};
use super::status::StatusCode;
use super::swfv::Verdict;

/// What a client wants.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// `connect` was accepted.
    Connect(ConnectRequest),
    /// `connect` was refused; the answer is queued, and the connection is to be closed after it.
    Refused {
        /// The code that was sent.
        code: StatusCode,
        /// The words that were sent.
        description: String,
    },
    /// `createStream` gave this message stream ID.
    CreateStream(u32),
    /// `getStreamLength`: answer with [`ServerSession::stream_length`].
    GetStreamLength {
        /// For the answer.
        transaction_id: f64,
        /// Stream name.
        name: String,
    },
    /// `FCSubscribe`, answered already.
    Subscribe(String),
    /// `play`: answer with [`ServerSession::begin_play`] or [`ServerSession::refuse_play`].
    Play(PlayRequest),
    /// `publish`: answer with [`ServerSession::begin_publish`] or a status.
    Publish {
        /// Message stream.
        stream_id: u32,
        /// Stream name.
        name: String,
    },
    /// `pause`.
    Pause {
        /// Message stream.
        stream_id: u32,
        /// Pause, or continue.
        paused: bool,
        /// The client's media time, in milliseconds.
        at_ms: f64,
    },
    /// `seek`.
    Seek {
        /// Message stream.
        stream_id: u32,
        /// Where to, in milliseconds.
        to_ms: f64,
    },
    /// `receiveAudio` or `receiveVideo`.
    Receive {
        /// Message stream.
        stream_id: u32,
        /// Message type 8 or 9.
        message_type_id: u8,
        /// Wanted or not.
        wanted: bool,
    },
    /// Set Buffer Length, in milliseconds.
    BufferLength {
        /// Message stream; 0 for all.
        stream_id: u32,
        /// Milliseconds.
        buffer_ms: u32,
    },
    /// `closeStream` or `deleteStream`, or an unpublish: nothing more is wanted on this stream.
    Close {
        /// Message stream.
        stream_id: u32,
    },
    /// The answer to SWF verification, and whether it was right.
    SwfVerified(bool),
    /// Audio, video or data from a publisher; [`ServerSession::message`] has it until the next poll.
    Media {
        /// Message stream.
        stream_id: u32,
    },
}

/// Arguments of `play` (§7.2.2.1).
#[derive(Debug, Clone, PartialEq)]
pub struct PlayRequest {
    /// Message stream.
    pub stream_id: u32,
    /// Transaction ID, mostly 0.
    pub transaction_id: f64,
    /// Stream name, as it came: perhaps with `mp4:` before it and a query after it.
    pub name: String,
    /// Where to begin.
    pub start: Start,
    /// How much, in milliseconds; `None` is all.
    pub length_ms: Option<f64>,
    /// Replace what is playing; otherwise this follows it.
    pub reset: bool,
}

/// `play`'s start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Start {
    /// −2 (or −2000): the live stream, or else the recorded one.
    Any,
    /// −1 (or −1000): the live stream only.
    Live,
    /// The recorded stream from here, in milliseconds.
    Recorded(f64),
}

impl Start {
    fn from_number(start: f64) -> Self {
        // Seconds in the specification's examples, milliseconds from every client; both agree on what is negative.
        match start {
            -1.0 | -1000.0 => Start::Live,
            start if start >= 0.0 => Start::Recorded(start),
            _ => Start::Any,
        }
    }
}

/// The state of a connection at the server's end.
#[derive(Debug)]
pub struct ServerSession {
    options: ServerOptions,
    link: ChunkLink,
    handshake: Option<handshake::Server>,
    /// Deciphers what follows C2 (RTMPE).
    incoming: Option<Cipher>,
    swf_key: [u8; 32],
    handshake_kind: Option<handshake::Kind>,
    connect: Option<ConnectRequest>,
    /// Streams that createStream has given and deleteStream not taken back.
    streams: Vec<u32>,
    next_stream_id: u32,
    publishing: Vec<u32>,
    subscribed: Vec<String>,
    /// Whether the answer to SecureToken was right; `None`: there was none.
    token: Option<bool>,
    /// What the answer to SWF verification was worth; `None`: there was none.
    swf: Option<Verdict>,
    usher_token: Option<String>,
    closing: bool,
    pending: Option<ServerEvent>,
}

impl ServerSession {
    /// A session that waits for C0 and C1. `time_ms` is the server's clock.
    pub fn new(options: ServerOptions, time_ms: u32, random: &handshake::Random) -> Self {
        Self {
            link: ChunkLink::new(options.limits),
            handshake: Some(handshake::Server::new(time_ms, random)),
            incoming: None,
            swf_key: [0; 32],
            handshake_kind: None,
            connect: None,
            streams: Vec::new(),
            next_stream_id: options.first_stream_id,
            publishing: Vec::new(),
            subscribed: Vec::new(),
            token: None,
            swf: None,
            usher_token: None,
            closing: false,
            pending: None,
            options,
        }
    }

    /// Room to read bytes from the transport into. Call [`ServerSession::bytes_read`] with the number of bytes read.
    pub fn read_buffer(&mut self) -> &mut [u8] {
        self.link.read_buffer()
    }

    /// `count` bytes were read into [`ServerSession::read_buffer`].
    pub fn bytes_read(&mut self, count: usize) {
        self.link.bytes_read(count);
    }

    /// What is to be written to the transport. Call [`ServerSession::sent`] with the number of bytes written.
    pub fn output(&mut self) -> &[u8] {
        self.link.output()
    }

    /// The first `count` bytes of [`ServerSession::output`] were written.
    pub fn sent(&mut self, count: usize) {
        self.link.sent(count);
    }

    /// Goes on to the next thing that the client wants. `None`: more bytes are needed, or the output has to be written
    /// before more commands are answered.
    ///
    /// # Errors
    /// The client does not speak RTMP, or not in a way that can be followed; the connection is of no use any more.
    pub fn poll(&mut self) -> Result<Option<ServerEvent>, ProtocolError> {
        if self.handshake.is_some() {
            self.advance_handshake()?;
        }
        loop {
            if let Some(event) = self.pending.take() {
                return Ok(Some(event));
            }
            let must_write = self.link.output().len() > MAX_QUEUED_REPLIES;
            if self.closing || must_write || self.handshake.is_some() || !self.link.poll()? {
                return Ok(None);
            }
            let Some(header) = self.link.message().map(|message| message.header) else { return Ok(None) };
            match header.message_type_id {
                message_type::COMMAND_AMF0 | message_type::COMMAND_AMF3 => self.take_command(),
                message_type::USER_CONTROL => self.take_user_control(),
                message_type::AUDIO
                | message_type::VIDEO
                | message_type::AGGREGATE
                | message_type::DATA_AMF0
                | message_type::DATA_AMF3 => {
                    if self.publishing.contains(&header.message_stream_id) {
                        return Ok(Some(ServerEvent::Media { stream_id: header.message_stream_id }));
                    }
                }
                _ => self.link.count_unknown(),
            }
        }
    }

    /// The message of [`ServerEvent::Media`], until the next poll.
    pub fn message(&self) -> Option<Message<'_>> {
        self.link.message()
    }

    /// The connection is to be closed once the output is written: the client was refused.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// How the client shook hands, once it has.
    pub fn handshake_kind(&self) -> Option<handshake::Kind> {
        self.handshake_kind
    }

    /// Whether the handshake is over.
    pub fn is_past_handshake(&self) -> bool {
        self.handshake.is_none()
    }

    /// The accepted `connect`.
    pub fn connect(&self) -> Option<&ConnectRequest> {
        self.connect.as_ref()
    }

    /// The chunk link below: counters for statistics.
    pub fn link(&self) -> &ChunkLink {
        &self.link
    }

    /// The chunk link below, for tests of clients that want to say something out of the ordinary.
    pub fn link_mut(&mut self) -> &mut ChunkLink {
        &mut self.link
    }

    /// Says what is wrong with playing now: a door of the gate that is still shut.
    fn denial_reason(&self, name: &str) -> Option<&'static str> {
        let access = &self.options.access;
        if access.secure_token.is_some() {
            match self.token {
                Some(true) => {}
                Some(false) => return Some("SecureToken was answered with a wrong key."),
                None => return Some("SecureToken was not answered."),
            }
        }
        if access.swf.is_some() {
            match self.swf {
                Some(Verdict::Genuine) => {}
                Some(Verdict::WrongSize) => return Some("SWF verification failed: a file of another size."),
                Some(Verdict::WrongHash) => return Some("SWF verification failed: another file."),
                Some(Verdict::Malformed) => return Some("SWF verification failed: no answer of type 1."),
                None => return Some("SWF verification was not answered."),
            }
        }
        if access.require_subscribe && !self.subscribed.iter().any(|subscribed| subscribed == name) {
            return Some("FCSubscribe is missing.");
        }
        if access.usher_token.is_some() && access.usher_token != self.usher_token {
            return Some("UsherToken is missing or wrong.");
        }
        None
    }

    fn advance_handshake(&mut self) -> Result<(), ProtocolError> {
        let Some(mut handshake) = self.handshake.take() else { return Ok(()) };
        let mut reply = Vec::new();
        let used = handshake.feed(self.link.handshake_input(), &mut reply)?;
        self.link.consume_handshake(used);
        self.link.handshake_output().extend_from_slice(&reply);
        if let Some(ciphers) = handshake.take_ciphers() {
            self.link.encipher(ciphers.outgoing);
            self.incoming = Some(ciphers.incoming);
        }
        if handshake.is_done() {
            self.swf_key = handshake.swf_key();
            self.handshake_kind = handshake.kind();
            self.link.begin(self.incoming.take());
        } else {
            self.handshake = Some(handshake);
        }
        Ok(())
    }
}

fn number(arguments: &[Value], index: usize) -> Option<f64> {
    arguments.get(index).and_then(Value::as_number)
}

fn text(arguments: &[Value], index: usize) -> Option<String> {
    arguments.get(index).and_then(Value::as_str).map(str::to_owned)
}

/// Queued bytes at which commands are left unread until the transport has taken some: a client that asks and does not read
/// costs this much and no more.
const MAX_QUEUED_REPLIES: usize = 256 << 10;

/// Streams that one connection may have.
const MAX_STREAMS: usize = 64;

/// Names that one connection may subscribe to.
const MAX_SUBSCRIPTIONS: usize = 64;
