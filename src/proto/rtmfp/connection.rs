//! An RTMFP session as the RTMP connection that it stands for: the bytes of a handshake and a chunk stream on one side,
//! datagrams on the other.
//!
//! ```text
//! NetConnection ◄─ chunk stream ─► ChunkLink ◄─ messages ─► flows ◄─ datagrams ─► peer
//! ```
//!
//! So what is above (sessions of both roles, traces, recordings) is that of RTMP over TCP. The handshake and the control
//! messages of chunk streams (types 1, 2, 3, 5, 6) end here: RTMFP has its own. What a message stream sends goes on one flow,
//! which keeps the order of audio, video, data and commands.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use super::super::chunk::{Limits, MAX_CHUNK_SIZE};
use super::super::link::ChunkLink;
use super::super::message::{Message, message_type};
use super::super::{ProtocolError, handshake};
use super::codec::PacketReader;
use super::events::{FlowEvent, Opened};
use super::initiator::{Initiator, Random};
use super::keying::FINGERPRINT;
use super::message::{decode, encode, metadata_for, stream_of, user_control};
use super::packet::unscramble;
use super::session::Session;
use super::types::Error;

/// An RTMFP session and the RTMP connection that it stands for. Times are those of a clock of this end, in milliseconds, that
/// never goes back.
#[derive(Debug)]
pub struct Connection {
    state: State,
    is_initiator: bool,
    link: ChunkLink,
    handshake: Option<Handshake>,
    /// This end's flow of the NetConnection.
    control: Option<u64>,
    /// The peer's flow of the NetConnection.
    peer_control: Option<u64>,
    /// This end's flows, by message stream.
    flows: BTreeMap<u32, u64>,
    /// Message streams of the peer's flows.
    peer_flows: BTreeMap<u64, u32>,
    /// Messages of streams, from before the peer's flow of the NetConnection was known: streams' flows answer that.
    held_back: Vec<(u32, Vec<u8>)>,
    /// When the session is closed, whether everything was acknowledged or not.
    closes_at_ms: Option<u64>,
    error: Option<Error>,
}

#[derive(Debug)]
enum State {
    Opening(Box<Initiator>),
    Open(Box<Session>),
}

/// The handshake with this program's own session.
#[derive(Debug)]
enum Handshake {
    Client(Box<handshake::Client>),
    Server(Box<handshake::Server>),
}

impl Connection {
    /// Begins to open a session with the responder of `uri`, which is at one of these addresses; see [`Initiator::new`].
    pub fn connect(
        uri: &str,
        fingerprint: Option<[u8; FINGERPRINT]>,
        addresses: &[SocketAddr],
        random: &Random,
        now_ms: u64,
    ) -> Self {
        let initiator = Initiator::new(uri, fingerprint, addresses, random, now_ms);
        let local = handshake::Server::new(0, &nothing_random());
        Self::new(State::Opening(Box::new(initiator)), Handshake::Server(Box::new(local)), true)
    }

    /// Begins a session that an initiator has opened.
    pub fn accept(opened: Opened, now_ms: u64) -> Self {
        let local = handshake::Client::new(handshake::Kind::Plain, 0, &nothing_random());
        let state = State::Open(Box::new(Session::new(opened, now_ms)));
        let mut connection = Self::new(state, Handshake::Client(Box::new(local)), false);
        if let Some(Handshake::Client(client)) = &mut connection.handshake {
            client.start(connection.link.handshake_output());
        }
        connection
    }

    fn new(state: State, handshake: Handshake, is_initiator: bool) -> Self {
        Self {
            state,
            is_initiator,
            link: ChunkLink::new(Limits::default()),
            handshake: Some(handshake),
            control: None,
            peer_control: None,
            flows: BTreeMap::new(),
            peer_flows: BTreeMap::new(),
            held_back: Vec::new(),
            closes_at_ms: None,
            error: None,
        }
    }

    /// Whether the session is open: messages can be exchanged, or could before it was closed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether the session is over: this end or the peer has closed it.
    pub fn is_closed(&self) -> bool {
        matches!(&self.state, State::Open(session) if session.is_closed())
    }

    /// Why it failed, if it did.
    pub fn error(&self, now_ms: u64) -> Option<Error> {
        let of_state = || match &self.state {
            State::Opening(initiator) => initiator.is_over(now_ms).then(|| initiator.delay()),
            State::Open(session) => session.error(),
        };
        self.error.or_else(of_state)
    }

    /// The peer's address, once it is open.
    pub fn peer(&self) -> Option<SocketAddr> {
        match &self.state {
            State::Opening(_) => None,
            State::Open(session) => Some(session.peer()),
        }
    }

    /// Takes bytes of the RTMP connection that are for the peer.
    ///
    /// # Errors
    /// They are no handshake or no chunk stream.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), ProtocolError> {
        while !bytes.is_empty() {
            let room = self.link.read_buffer();
            let count = room.len().min(bytes.len());
            let (now, later) = bytes.split_at_checked(count).unwrap_or((bytes, &[]));
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.link.bytes_read(count);
            bytes = later;
            self.shake_hands()?;
            while self.handshake.is_none() && self.link.poll()? {
                if let Some(message) = self.link.message().map(Outgoing::of) {
                    self.send(message);
                }
            }
        }
        self.take_events();
        Ok(())
    }

    /// Bytes of the RTMP connection that came from the peer, into the front of `buffer`; how many.
    pub fn read(&mut self, buffer: &mut [u8]) -> usize {
        let output = self.link.output();
        let count = output.len().min(buffer.len());
        buffer.iter_mut().zip(output).for_each(|(to, from)| *to = *from);
        self.link.sent(count);
        self.take_events();
        count
    }

    /// Bytes that were written and are not acknowledged by the peer.
    pub fn unsent(&self) -> usize {
        let held_back: usize = self.held_back.iter().map(|(_, message)| message.len()).sum();
        match &self.state {
            State::Opening(_) => held_back,
            State::Open(session) => held_back + session.queued(),
        }
    }

    /// Takes a datagram. What does not belong to the session is ignored.
    pub fn receive(&mut self, datagram: &[u8], from: SocketAddr, now_ms: u64) {
        match &mut self.state {
            State::Opening(initiator) => match initiator.receive(datagram, from, now_ms) {
                Ok(Some(opened)) => self.state = State::Open(Box::new(Session::new(opened, now_ms))),
                Ok(None) => {}
                Err(error) => self.error = Some(error),
            },
            State::Open(session) => {
                if let Some((_, sealed)) = unscramble(datagram) {
                    session.receive(sealed, from, now_ms);
                }
            }
        }
        self.take_events();
    }

    /// The next datagram that is to be sent now, and where to; to be asked for until there is none.
    pub fn transmit(&mut self, now_ms: u64) -> Option<(SocketAddr, Vec<u8>)> {
        match &mut self.state {
            State::Opening(_) if self.closes_at_ms.is_some() => None,
            State::Opening(initiator) => initiator.transmit(now_ms),
            State::Open(session) => {
                if self.closes_at_ms.is_some_and(|at| now_ms >= at || session.is_flushed()) {
                    session.close(now_ms);
                }
                Some((session.peer(), session.transmit(now_ms)?))
            }
        }
    }

    /// When [`Connection::transmit`] is to be called again, if nothing comes or is written before.
    pub fn wake_at_ms(&self) -> Option<u64> {
        let of_state = match &self.state {
            State::Opening(initiator) => Some(initiator.wake_at_ms()),
            State::Open(session) => session.wake_at_ms(),
        };
        of_state.into_iter().chain(self.closes_at_ms.filter(|_| !self.is_closed())).min()
    }

    /// Closes the session as soon as everything that was written has arrived, at the latest after a second.
    pub fn close(&mut self, now_ms: u64) {
        self.closes_at_ms.get_or_insert(now_ms + FLUSH_MS);
    }

    fn shake_hands(&mut self) -> Result<(), ProtocolError> {
        let Some(handshake) = &mut self.handshake else { return Ok(()) };
        let mut reply = Vec::new();
        let input = self.link.handshake_input();
        let (used, is_done) = match handshake {
            Handshake::Client(client) => (client.feed(input, &mut reply)?, client.state() == handshake::State::Done),
            Handshake::Server(server) => (server.feed(input, &mut reply)?, server.is_done()),
        };
        self.link.consume_handshake(used);
        self.link.handshake_output().extend_from_slice(&reply);
        if is_done {
            self.handshake = None;
            self.link.begin(None);
            self.link.send_chunk_size(MAX_CHUNK_SIZE as u32);
        }
        Ok(())
    }

    /// Sends a message on the flow of its stream.
    fn send(&mut self, message: Outgoing) {
        let Outgoing { message_stream_id, message } = message;
        if message_stream_id != 0 && self.peer_control.is_none() {
            self.held_back.push((message_stream_id, message));
            return;
        }
        let State::Open(session) = &mut self.state else {
            self.held_back.push((message_stream_id, message));
            return;
        };
        let flow = match message_stream_id {
            0 => self.control,
            stream => self.flows.get(&stream).copied(),
        };
        let flow = flow.unwrap_or_else(|| {
            let is_stream = message_stream_id != 0;
            session.open_flow(&metadata_for(message_stream_id), self.peer_control, is_stream)
        });
        if message_stream_id == 0 {
            self.control = Some(flow);
        } else {
            self.flows.insert(message_stream_id, flow);
        }
        session.send(flow, &message);
    }

    /// Acts on what happened to flows, as long as what came from the peer is read.
    fn take_events(&mut self) {
        if self.handshake.is_some() {
            return;
        }
        while self.link.pending().len() < MAX_UNREAD
            && let State::Open(session) = &mut self.state
            && let Some(event) = session.poll()
        {
            self.take_event(event);
        }
        if self.is_open() && !self.held_back.is_empty() {
            // Those that are still too early are held back again.
            for (message_stream_id, message) in std::mem::take(&mut self.held_back) {
                self.send(Outgoing { message_stream_id, message });
            }
        }
    }

    fn take_event(&mut self, event: FlowEvent) {
        let State::Open(session) = &mut self.state else { return };
        match event {
            FlowEvent::FlowOpened { flow_id, metadata, association } => {
                let stream = stream_of(&metadata);
                // Only the initiator's flow of the NetConnection answers none.
                let is_first = !self.is_initiator && stream == Some(0) && self.peer_control.is_none();
                match stream.filter(|_| is_first || association.is_some()) {
                    Some(stream) => {
                        self.peer_flows.insert(flow_id, stream);
                        if stream == 0 {
                            self.peer_control.get_or_insert(flow_id);
                        }
                    }
                    None => session.reject(flow_id),
                }
            }
            FlowEvent::Message { flow_id, message } => self.take_message(flow_id, &message),
            FlowEvent::FlowEnded { flow_id } => {
                self.peer_flows.remove(&flow_id);
                if self.peer_control == Some(flow_id) {
                    // Without the NetConnection there is nothing left.
                    self.closes_at_ms.get_or_insert(0);
                }
            }
            FlowEvent::FlowRejected { flow_id } => {
                let stream = self.flows.iter().find(|(_, flow)| **flow == flow_id);
                self.error = Some(match stream {
                    Some((stream, _)) => Error::FlowRejected(*stream),
                    None => Error::ControlFlowRejected,
                });
            }
        }
    }

    /// Passes on a message of the peer.
    fn take_message(&mut self, flow_id: u64, message: &[u8]) {
        let Some(stream) = self.peer_flows.get(&flow_id) else { return };
        let Some((header, payload)) = decode(message, *stream) else { return };
        match header.message_type_id {
            // What chunk streams need, and flows do not.
            0..=3 | message_type::WINDOW_ACKNOWLEDGEMENT_SIZE | message_type::SET_PEER_BANDWIDTH => {}
            message_type::USER_CONTROL if self.is_own_control(payload) => {}
            _ => self.link.send(header, payload),
        }
    }

    /// Acts on a User Control event that only RTMFP has.
    fn is_own_control(&mut self, payload: &[u8]) -> bool {
        let mut cursor = PacketReader(payload);
        match cursor.u16() {
            Some(user_control::SET_KEEPALIVE) => {
                if let (Some(period_ms), State::Open(session)) = (cursor.u32(), &mut self.state) {
                    session.set_keepalive(period_ms.into());
                }
                true
            }
            // Each flow is passed on in its own order; what is recorded is put in order by timestamps.
            Some(user_control::FLOW_SYNC) => true,
            _ => false,
        }
    }
}

/// A message on its way to the peer.
struct Outgoing {
    message_stream_id: u32,
    message: Vec<u8>,
}

impl Outgoing {
    fn of(message: Message<'_>) -> Self {
        let header = message.header;
        Self {
            message_stream_id: header.message_stream_id,
            message: encode(header.message_type_id, header.timestamp, message.payload),
        }
    }
}

/// The handshake with this program's own session keeps no secret.
fn nothing_random() -> handshake::Random {
    handshake::Random::from_bytes(&[0; handshake::Random::BYTES])
}

/// Bytes that may wait to be read before further messages wait in the session, whose window then closes.
const MAX_UNREAD: usize = 4 << 20;

/// How long a close waits for acknowledgements.
const FLUSH_MS: u64 = 1_000;
