//! The client's end of a connection (§7.2): handshake, connect, createStream, play, and what may be said meanwhile.
//!
//! ```text
//! C0 C1 ─►            ◄─ S0 S1 S2
//! C2 connect ─►       ◄─ Window Acknowledgement Size · Set Peer Bandwidth · _result
//! createStream play Set Buffer Length ─►  ◄─ _result · Stream Begin · onStatus NetStream.Play.Start · media
//! ```
//!
//! Bytes in, events out; does not read clocks or random sources: both are arguments. What to do about an event (record it, give up, try again) is
//! decided by the caller.

mod announce;
mod dialogue;
mod params;
mod refresh;
#[cfg(test)]
mod tests;

pub use announce::{Announcement, enhanced_capabilities};
pub use params::{ConnectParams, Order, PlayParams, SessionConfig, SwfVerification};
pub use refresh::StallAction;

use super::ProtocolError;
use super::aggregate::{SubMessage, SubMessages};
use super::command::{Command, NetStatus};
use super::handshake;
use super::handshake::Cipher;
use super::link::{ChunkLink, Tolerated};
use super::media::Class;
use super::message::{Message, MessageHeader, message_type};
use super::status::CommandKind;
use refresh::{Action, BufferRefresh};

/// Something the caller may want to know or act on.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Audio, video or data with its classification, those of an aggregate each by itself; the payload is lent until the
    /// next call of [`Session::poll`]. What is left of a broken aggregate comes with an aggregate's type.
    Media(Message<'a>, Class),
    /// Anything else.
    Session(&'a SessionEvent),
}

/// An event that carries no media.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// S1 is complete; C2 and connect are queued.
    ConnectSent,
    /// `_result` of connect.
    Connected(Command),
    /// `_result` of createStream, with the message stream ID.
    StreamCreated(u32),
    /// `play` was queued, for this message stream.
    PlaySent(u32),
    /// `_result` of getStreamLength, in seconds; never 0.
    StreamLength(f64),
    /// A command of ours was answered with `_error`. For `connect`, `createStream` and `play` nothing more will come.
    Failed {
        /// The command.
        command: CommandKind,
        /// What the server said.
        status: NetStatus,
        /// The whole answer.
        answer: Command,
    },
    /// `onStatus` (or `onPlayStatus`), with its classification.
    Status(StatusKind, NetStatus),
    /// A User Control event, for the log if it was answered: event type and the first four bytes of its data (of a request
    /// for SWF verification the first, which is the type that is asked for).
    UserControl(u16, u32),
    /// A command that was answered or ignored: for the log.
    Command(Command),
    /// The answer to [`Session::call`].
    Answer(Command),
    /// The server asked to close (`close`).
    CloseRequested,
}

/// What a status means to a client that plays a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusKind {
    /// `NetStream.Play.Start` or `PublishNotify`: the stream is on.
    Started,
    /// The end of the stream: `Play.Stop`, `Play.Complete`, `Play.UnpublishNotify`.
    Ended,
    /// Playing cannot begin or continue.
    Refused,
    /// The server wants the client on another connection (Enhanced RTMP, `ReconnectRequest`).
    ReconnectRequest,
    /// Anything else.
    Other,
}

/// The state of a client connection.
///
/// ```
/// use rtmpcat::proto::chunk::Limits;
/// use rtmpcat::proto::handshake::{Kind, Random};
/// use rtmpcat::proto::session::{Order, Session, SessionConfig, ConnectParams};
///
/// let connect = ConnectParams {
///     app: "live".into(),
///     flash_ver: "LNX 10,0,32,18".into(),
///     tc_url: "rtmp://host:1935/live".into(),
///     swf_url: None,
///     page_url: None,
///     object_encoding: None,
///     extra_properties: Vec::new(),
///     auth: None,
///     arguments: Vec::new(),
/// };
/// let config = SessionConfig {
///     handshake: Kind::Plain,
///     connect,
///     play: None,
///     order: Order::default(),
///     token: None,
///     usher_token: None,
///     swf: None,
///     limits: Limits::default(),
/// };
/// let mut session = Session::new(config, 0, &Random::from_bytes(&[7; Random::BYTES]));
/// // C0 and C1 are to be sent first.
/// let sent = session.output().len();
/// assert_eq!((session.output()[0], sent), (3, 1 + 1536));
/// session.sent(sent);
/// // Then: read into `read_buffer`, say how much with `bytes_read`, and `poll` until it says `false`.
/// assert_eq!(session.poll(), Ok(false));
/// assert!(session.event().is_none());
/// ```
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    link: ChunkLink,
    handshake: Option<handshake::Client>,
    handshake_outcome: Option<handshake::Outcome>,
    /// Deciphers what follows S2 (RTMPE).
    incoming: Option<Cipher>,
    /// The last 32 bytes of S1, with which SWF verification is answered.
    swf_key: [u8; 32],
    transactions: Vec<(f64, Request)>,
    next_transaction: f64,
    stream_id: Option<u32>,
    /// The stream that `play` was sent for ahead of createStream's result.
    assumed_stream_id: Option<u32>,
    /// The server plays: it took `play` on whatever stream it was sent for.
    took_play: bool,
    /// The stream that `play` is to be sent for again, unless the server took the first one.
    play_again: Option<u32>,
    play_started: bool,
    bandwidth_checked: bool,
    bandwidth_calls: u32,
    refresh: BufferRefresh,
    events: std::collections::VecDeque<SessionEvent>,
    current: Current,
    /// The walk through the aggregate that the link stopped at, and the part that it has come to.
    aggregate: Option<(SubMessages, Option<SubMessage>)>,
}

/// What a pending transaction was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Connect,
    CreateStream,
    StreamLength,
    Play,
    Call,
    Auxiliary,
}

/// The event that `poll` stopped at.
#[derive(Debug)]
enum Current {
    None,
    Media,
    Session(SessionEvent),
}

impl Session {
    /// A session at the beginning of its handshake: C0 and C1 are queued. `time_ms` is the client's clock.
    pub fn new(config: SessionConfig, time_ms: u32, random: &handshake::Random) -> Self {
        let mut handshake = handshake::Client::new(config.handshake, time_ms, random);
        let mut link = ChunkLink::new(config.limits);
        handshake.start(link.handshake_output());
        Self {
            config,
            link,
            handshake: Some(handshake),
            handshake_outcome: None,
            incoming: None,
            swf_key: [0; 32],
            transactions: Vec::new(),
            next_transaction: 1.0,
            stream_id: None,
            assumed_stream_id: None,
            took_play: false,
            play_again: None,
            play_started: false,
            bandwidth_checked: false,
            bandwidth_calls: 0,
            refresh: BufferRefresh::default(),
            events: std::collections::VecDeque::new(),
            current: Current::None,
            aggregate: None,
        }
    }

    /// Room to read bytes from the transport into. Call [`Session::bytes_read`] with the number of bytes read.
    pub fn read_buffer(&mut self) -> &mut [u8] {
        self.link.read_buffer()
    }

    /// `count` bytes were read into [`Session::read_buffer`].
    pub fn bytes_read(&mut self, count: usize) {
        self.link.bytes_read(count);
    }

    /// What is to be written to the transport. Call [`Session::sent`] with the number of bytes written.
    pub fn output(&mut self) -> &[u8] {
        self.link.output()
    }

    /// The first `count` bytes of [`Session::output`] were written.
    pub fn sent(&mut self, count: usize) {
        self.link.sent(count);
    }

    /// What is to be written, before it is enciphered (RTMPE); to be asked for before [`Session::output`].
    pub fn pending(&self) -> &[u8] {
        self.link.pending()
    }

    /// From now on what is received is kept, deciphered, for [`Session::take_tapped`].
    pub fn enable_tap(&mut self) {
        self.link.enable_tap();
    }

    /// What was received since the last call; to be called after [`Session::poll`].
    pub fn take_tapped(&mut self) -> Vec<u8> {
        self.link.take_tapped()
    }

    /// Advances to the next event if that is a frame that follows another one and is complete, see [`ChunkLink::poll_frame`].
    /// `false`: see what [`Session::poll`] says.
    #[inline]
    pub fn poll_frame(&mut self) -> bool {
        if !matches!(self.current, Current::Media) || self.aggregate.is_some() || !self.events.is_empty() {
            return false;
        }
        let Some((kind, timestamp)) = self.link.poll_frame() else { return false };
        self.note_play_taken();
        // What was received before is skipped by the next call.
        self.refresh.take(kind, timestamp)
    }

    /// Advances to the next event, which [`Session::event`] then shows. `false`: more bytes are needed.
    ///
    /// # Errors
    /// The peer does not speak RTMP, or not in a way that can be followed; the connection is of no use any more.
    pub fn poll(&mut self) -> Result<bool, ProtocolError> {
        self.current = Current::None;
        if self.handshake.is_some() {
            self.advance_handshake()?;
        }
        loop {
            if let Some(note) = self.events.pop_front() {
                self.current = Current::Session(note);
                return Ok(true);
            }
            if !self.goes_on_in_aggregate() && (self.handshake.is_some() || !self.link.poll()?) {
                return Ok(false);
            }
            let Some(message) = self.message() else { return Ok(false) };
            match message.header.message_type_id {
                message_type::AUDIO | message_type::VIDEO => {
                    self.note_play_taken();
                    if self.take_media() {
                        self.current = Current::Media;
                        return Ok(true);
                    }
                }
                message_type::AGGREGATE if self.aggregate.is_none() => {
                    self.aggregate = Some((SubMessages::new(message.header.timestamp, message.payload.len()), None));
                    self.note_play_taken();
                }
                message_type::AGGREGATE => {
                    self.current = Current::Media;
                    return Ok(true);
                }
                message_type::DATA_AMF0 | message_type::DATA_AMF3 => {
                    if !self.take_play_status() {
                        self.current = Current::Media;
                        return Ok(true);
                    }
                }
                message_type::COMMAND_AMF0 | message_type::COMMAND_AMF3 => self.take_command(),
                message_type::USER_CONTROL if self.aggregate.is_none() => self.take_user_control(),
                _ => self.link.count_unknown(),
            }
        }
    }

    /// Whether the message that the link stopped at is an aggregate with another part.
    fn goes_on_in_aggregate(&mut self) -> bool {
        let Some((walk, place)) = &mut self.aggregate else { return false };
        *place = self.link.message().and_then(|message| walk.next(message.payload));
        if place.is_none() {
            self.aggregate = None;
        }
        self.aggregate.is_some()
    }

    /// The message that the link stopped at, or the part of it that is an aggregate's.
    fn message(&self) -> Option<Message<'_>> {
        let whole = self.link.message()?;
        let Some((_, Some(place))) = &self.aggregate else { return Some(whole) };
        let payload = whole.payload.get(place.payload.clone())?;
        let SubMessage { message_type_id, timestamp, .. } = *place;
        let header = MessageHeader { message_type_id, timestamp, length: payload.len() as u32, ..whole.header };
        Some(Message { header, payload })
    }

    /// Queues what may make a stream continue that has stalled.
    pub fn nudge_server(&mut self, how: StallAction) {
        self.refresh.nudge(how).into_iter().for_each(|action| self.perform(action));
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Pause(at_ms) => self.pause(true, at_ms),
            Action::Unpause(at_ms) => self.pause(false, at_ms),
            Action::Seek(to_ms) => self.seek(to_ms),
        }
    }

    /// Looks at the audio or video that this stopped at. `false`: it has been received before.
    fn take_media(&mut self) -> bool {
        let Some(header) = self.message().map(|message| message.header) else { return false };
        self.refresh.take(header.message_type_id, header.timestamp)
    }

    /// The event that [`Session::poll`] stopped at.
    #[inline]
    pub fn event(&self) -> Option<Event<'_>> {
        match &self.current {
            Current::None => None,
            Current::Media => self
                .message()
                .map(|message| Event::Media(message, Class::of(message.header.message_type_id, message.payload))),
            Current::Session(note) => Some(Event::Session(note)),
        }
    }

    /// The message stream that is played, once known.
    pub fn stream_id(&self) -> Option<u32> {
        self.stream_id
    }

    /// What came out of the handshake, once S1 is complete.
    pub fn handshake_outcome(&self) -> Option<&handshake::Outcome> {
        self.handshake_outcome.as_ref().or(self.handshake.as_ref().map(|h| h.outcome()))
    }

    /// Whether the handshake is over.
    pub fn is_past_handshake(&self) -> bool {
        self.handshake.is_none()
    }

    /// Whether the stream has begun: Play.Start, a result of play.
    pub fn play_started(&self) -> bool {
        self.play_started
    }

    /// Whether createStream named another stream than the one that `play` was sent for ahead, and nothing shows that the
    /// server took it nevertheless. If that stays so, [`Session::play_again`].
    pub fn play_unconfirmed(&self) -> bool {
        self.play_again.is_some()
    }

    /// Whether a message has been received in part: the connection is not at rest.
    pub fn in_message(&self) -> bool {
        self.link.in_message()
    }

    /// Whether `getStreamLength` was sent and not answered yet.
    pub fn awaits_stream_length(&self) -> bool {
        self.transactions.iter().any(|(_, request)| *request == Request::StreamLength)
    }

    /// What was tolerated.
    pub fn tolerated(&self) -> Tolerated {
        self.link.tolerated()
    }

    /// The chunk link below: counters for statistics.
    pub fn link(&self) -> &ChunkLink {
        &self.link
    }

    /// The configuration that this session was made with.
    pub fn config(&self) -> &SessionConfig {
        &self.config
    }

    fn advance_handshake(&mut self) -> Result<(), ProtocolError> {
        let Some(mut handshake) = self.handshake.take() else { return Ok(()) };
        let before = handshake.state();
        let mut reply = Vec::new();
        let used = handshake.feed(self.link.handshake_input(), &mut reply)?;
        self.link.consume_handshake(used);
        self.link.handshake_output().extend_from_slice(&reply);
        let state = handshake.state();
        if before == handshake::State::AwaitS1 && state != handshake::State::AwaitS1 {
            // C2 is queued; from here on nothing waits for S2.
            if let Some(ciphers) = handshake.take_ciphers() {
                self.link.encipher(ciphers.outgoing);
                self.incoming = Some(ciphers.incoming);
            }
            self.swf_key = handshake.outcome().swf_key;
            self.send_connect();
        }
        if state == handshake::State::Done {
            self.link.begin(self.incoming.take());
            self.handshake_outcome = Some(handshake.outcome().clone());
        } else {
            self.handshake = Some(handshake);
        }
        Ok(())
    }
}
