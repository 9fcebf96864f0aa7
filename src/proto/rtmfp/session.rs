//! An open session (RFC 7016 §3.5.4, §3.6): packets in and out, flows in both directions, acknowledgements, congestion
//! control, keepalive and close.
//!
//! ```text
//! datagram ─► Opener ─► chunks ─► flows ─► FlowEvent
//! send()   ─► flows ─► chunks ─► Sealer ─► datagram
//! ```
//!
//! Both ends use it. Packets from other addresses than the peer's are not accepted: a session does not move.

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

use super::cipher::{Opener, Sealer};
use super::clock::Clock;
use super::codec::{PacketReader, put_vlu};
use super::congestion::Congestion;
use super::events::{EVENT_COST, FlowEvent, Opened, event_bytes};
use super::flow::{Acknowledgement, UserData};
use super::incoming::IncomingFlow;
use super::outgoing::OutgoingFlow;
use super::packet::{
    Assembler, CHUNK_HEADER, FragmentChunk, Mode, PacketHeader, chunk_type, chunks, put_chunk, scramble,
};
use super::types::{Error, IDLE_LIMIT_MS, RETRANSMISSION_LIMIT_MS};

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// This end asked to close.
    NearClose {
        until_ms: u64,
        next_ms: u64,
    },
    /// The peer asked to close.
    FarClose {
        until_ms: u64,
        reply: bool,
    },
    Closed,
    Failed(Error),
}

/// An open session. Times are those of a clock of this end, in milliseconds, that never goes back.
#[derive(Debug)]
pub struct Session {
    mode: Mode,
    peer_mode: Mode,
    peer_session_id: u32,
    peer: SocketAddr,
    sealer: Sealer,
    opener: Opener,
    assembler: Assembler,
    clock: Clock,
    congestion: Congestion,
    incoming: BTreeMap<u64, IncomingFlow>,
    outgoing: Vec<OutgoingFlow>,
    next_flow_id: u64,
    /// Count of all chunks of user data that were sent.
    transmissions: u64,
    events: VecDeque<FlowEvent>,
    /// Bytes of messages in `events`.
    event_bytes: usize,
    ping_replies: VecDeque<Vec<u8>>,
    state: State,
    last_received_ms: u64,
    last_sent_ms: u64,
    last_ping_ms: u64,
    keepalive_ms: u64,
    /// When what is on its way counts as lost.
    timeout_at_ms: Option<u64>,
    /// When something was last acknowledged, or sent after nothing was on its way.
    progress_ms: u64,
}

impl Session {
    /// Begins what was agreed on.
    pub fn new(opened: Opened, now_ms: u64) -> Self {
        let (mode, peer_mode) =
            if opened.is_initiator { (Mode::Initiator, Mode::Responder) } else { (Mode::Responder, Mode::Initiator) };
        let mut session = Self {
            mode,
            peer_mode,
            peer_session_id: opened.peer_session_id,
            peer: opened.peer,
            sealer: Sealer::new(opened.keys.outgoing),
            opener: Opener::new(opened.keys.incoming),
            assembler: Assembler::default(),
            clock: Clock::new(),
            congestion: Congestion::new(),
            incoming: BTreeMap::new(),
            outgoing: Vec::new(),
            next_flow_id: FIRST_FLOW_ID,
            transmissions: 0,
            events: VecDeque::new(),
            event_bytes: 0,
            ping_replies: VecDeque::new(),
            state: State::Open,
            last_received_ms: now_ms,
            last_sent_ms: now_ms,
            last_ping_ms: now_ms,
            keepalive_ms: KEEPALIVE_MS,
            timeout_at_ms: None,
            progress_ms: now_ms,
        };
        for sealed in opened.early {
            session.receive(&sealed, session.peer, now_ms);
        }
        session
    }

    /// The peer's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Opens a flow; its ID. The first one has the ID 2, as in Flash Player: there is a server that takes it for granted.
    pub fn open_flow(&mut self, metadata: &[u8], association: Option<u64>, is_time_critical: bool) -> u64 {
        let id = self.next_flow_id;
        self.next_flow_id += 1;
        self.outgoing.push(OutgoingFlow::new(id, metadata, association, is_time_critical));
        id
    }

    /// Queues a message. A flow that is not open takes none.
    pub fn send(&mut self, flow_id: u64, message: &[u8]) {
        if let Some(flow) = self.outgoing.iter_mut().find(|flow| flow.id == flow_id) {
            flow.push(message);
        }
    }

    /// Bytes that are queued or not yet acknowledged.
    pub fn queued(&self) -> usize {
        self.outgoing.iter().map(OutgoingFlow::queued).sum()
    }

    /// Whether everything that was sent has arrived.
    pub fn is_flushed(&self) -> bool {
        self.outgoing.iter().all(OutgoingFlow::is_empty)
    }

    /// Says on every flow that nothing more comes.
    pub fn finish_flows(&mut self) {
        self.outgoing.iter_mut().for_each(OutgoingFlow::finish);
    }

    /// Refuses a flow of the peer.
    pub fn reject(&mut self, flow_id: u64) {
        if let Some(flow) = self.incoming.get_mut(&flow_id) {
            flow.reject();
        }
        self.events.retain(|event| !matches!(event, FlowEvent::Message { flow_id: id, .. } if *id == flow_id));
        self.event_bytes = self.events.iter().map(event_bytes).sum();
    }

    /// What happened next.
    pub fn poll(&mut self) -> Option<FlowEvent> {
        let event = self.events.pop_front()?;
        self.event_bytes -= event_bytes(&event);
        Some(event)
    }

    /// How often an idle session is kept open, at least every 5 s.
    pub fn set_keepalive(&mut self, period_ms: u64) {
        self.keepalive_ms = period_ms.max(LEAST_KEEPALIVE_MS);
    }

    /// Asks the peer to close. Nothing that is still queued is sent.
    pub fn close(&mut self, now_ms: u64) {
        if self.state == State::Open {
            self.state = State::NearClose { until_ms: now_ms + NEAR_CLOSE_MS, next_ms: now_ms };
        }
    }

    /// Whether the session is over: the peer has closed it, or confirmed that it is closed.
    pub fn is_closed(&self) -> bool {
        !matches!(self.state, State::Open | State::NearClose { .. })
    }

    /// Why the session failed, if it did.
    pub fn error(&self) -> Option<Error> {
        match self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Takes the rest of a datagram that came for this session. What does not belong to it is ignored.
    pub fn receive(&mut self, sealed: &[u8], from: SocketAddr, now_ms: u64) {
        if from != self.peer {
            return;
        }
        if let Some(packet) = self.opener.open(sealed) {
            self.receive_packet(&packet, now_ms);
        }
    }

    /// Takes a packet that was deciphered.
    pub fn receive_packet(&mut self, packet: &[u8], now_ms: u64) {
        let mut cursor = PacketReader(packet);
        let Some(header) = PacketHeader::decode(&mut cursor).filter(|header| header.mode == self.peer_mode) else {
            return;
        };
        self.last_received_ms = now_ms;
        self.clock.received(header.timestamp, header.echo, now_ms);
        let assembled = self.take_chunks(cursor, now_ms);
        if let Some(packet) = assembled {
            let mut cursor = PacketReader(&packet);
            if PacketHeader::decode(&mut cursor).is_some_and(|header| header.mode == self.peer_mode) {
                self.take_chunks(cursor, now_ms);
            }
        }
    }

    /// Acts on the chunks of a packet; a packet that was in fragments, once it is complete.
    fn take_chunks(&mut self, packet: PacketReader<'_>, now_ms: u64) -> Option<Vec<u8>> {
        let mut previous: Option<UserData<'_>> = None;
        let mut flows_with_data = Vec::new();
        let mut assembled = None;
        for (kind, payload) in chunks(packet) {
            let data = match (kind, &previous) {
                (chunk_type::USER_DATA, _) => UserData::decode(payload),
                (chunk_type::NEXT_USER_DATA, Some(before)) => before.decode_next(payload),
                (chunk_type::FRAGMENT, _) => {
                    let whole = FragmentChunk::decode(payload).and_then(|part| self.assembler.push(&part));
                    assembled = whole.or(assembled);
                    None
                }
                _ => {
                    self.take_control(kind, payload, now_ms);
                    None
                }
            };
            if let Some(data) = &data {
                self.take_user_data(data, now_ms);
                if !flows_with_data.contains(&data.flow_id) {
                    flows_with_data.push(data.flow_id);
                }
            }
            previous = data;
        }
        for flow_id in flows_with_data {
            if let Some(flow) = self.incoming.get_mut(&flow_id) {
                flow.count_packet(now_ms);
            }
        }
        assembled
    }

    fn take_control(&mut self, kind: u8, payload: &[u8], now_ms: u64) {
        match kind {
            chunk_type::PING if self.ping_replies.len() < MAX_PING_REPLIES && payload.len() <= MAX_PING => {
                self.ping_replies.push_back(payload.to_vec());
            }
            chunk_type::ACK_BITMAP => self.take_acknowledgement(Acknowledgement::decode_bitmap(payload), now_ms),
            chunk_type::ACK_RANGES => self.take_acknowledgement(Acknowledgement::decode_ranges(payload), now_ms),
            chunk_type::BUFFER_PROBE => {
                let flow = PacketReader(payload).vlu().and_then(|id| self.incoming.get_mut(&id));
                if let Some(flow) = flow {
                    flow.acknowledge_at(now_ms);
                }
            }
            chunk_type::FLOW_EXCEPTION => {
                let Some(flow_id) = PacketReader(payload).vlu() else { return };
                let before = self.outgoing.len();
                self.outgoing.retain(|flow| flow.id != flow_id);
                if self.outgoing.len() < before {
                    self.events.push_back(FlowEvent::FlowRejected { flow_id });
                }
            }
            chunk_type::CLOSE_REQUEST => {
                let until_ms = match self.state {
                    State::FarClose { until_ms, .. } => until_ms,
                    State::Closed | State::Failed(_) => return,
                    _ => now_ms + FAR_CLOSE_MS,
                };
                self.state = State::FarClose { until_ms, reply: true };
            }
            chunk_type::CLOSE_ACKNOWLEDGEMENT if !matches!(self.state, State::Failed(_)) => self.state = State::Closed,
            _ => {}
        }
    }

    fn take_user_data(&mut self, chunk: &UserData<'_>, now_ms: u64) {
        if !matches!(self.state, State::Open | State::NearClose { .. }) {
            return;
        }
        if !self.incoming.contains_key(&chunk.flow_id) && !self.begin_flow(chunk, now_ms) {
            return;
        }
        let room = self.room();
        let Some(flow) = self.incoming.get_mut(&chunk.flow_id) else { return };
        let was_complete = flow.completed_ms().is_some();
        flow.take(chunk, room, now_ms);
        while let Some(message) = flow.next_message() {
            self.event_bytes += message.len() + EVENT_COST;
            self.events.push_back(FlowEvent::Message { flow_id: chunk.flow_id, message });
        }
        if flow.completed_ms().is_some() && !was_complete && !flow.is_rejected() {
            self.events.push_back(FlowEvent::FlowEnded { flow_id: chunk.flow_id });
        }
    }

    /// Begins a flow of the peer. `false`: there are too many.
    fn begin_flow(&mut self, chunk: &UserData<'_>, now_ms: u64) -> bool {
        if self.incoming.len() >= MAX_FLOWS {
            let ended = self.incoming.iter().filter_map(|(id, flow)| Some((flow.completed_ms()?, *id)));
            let Some((_, oldest)) = ended.min() else { return false };
            self.incoming.remove(&oldest);
        }
        let options = &chunk.options;
        let answers_open_flow = options.association.is_none_or(|id| self.outgoing.iter().any(|flow| flow.id == id));
        let mut flow = IncomingFlow::new();
        flow.acknowledge_at(now_ms);
        match options.metadata.filter(|metadata| metadata.len() <= MAX_METADATA) {
            Some(metadata) if answers_open_flow && !options.has_unknown => {
                self.events.push_back(FlowEvent::FlowOpened {
                    flow_id: chunk.flow_id,
                    metadata: metadata.to_vec(),
                    association: options.association,
                });
            }
            _ => flow.reject(),
        }
        self.incoming.insert(chunk.flow_id, flow);
        true
    }

    /// Bytes of the peer's data that may be held in addition to what is.
    fn room(&self) -> usize {
        let held: usize = self.incoming.values().map(IncomingFlow::held).sum();
        MAX_HELD.saturating_sub(held + self.event_bytes)
    }

    fn take_acknowledgement(&mut self, ack: Option<Acknowledgement>, now_ms: u64) {
        let Some(ack) = ack else { return };
        let Some(flow) = self.outgoing.iter_mut().find(|flow| flow.id == ack.flow_id) else { return };
        let change = flow.acknowledge(&ack);
        self.congestion.acknowledged(change.bytes);
        if change.is_progress {
            self.progress_ms = now_ms;
        }
        if let Some(later) = change.last_transmission {
            let is_time_critical = self.outgoing.iter().any(|flow| flow.is_time_critical);
            for flow in &mut self.outgoing {
                let (bytes, last) = flow.skip(later);
                if let Some(last) = last {
                    self.congestion.lost(bytes, last, self.transmissions, is_time_critical);
                }
            }
        }
        self.outgoing.retain(|flow| !flow.is_done());
        if change.is_progress {
            let is_waiting = self.outgoing.iter().any(OutgoingFlow::has_transmissions);
            self.timeout_at_ms = is_waiting.then(|| now_ms + self.clock.timeout_ms());
        }
    }

    /// The next datagram that is to be sent now; to be asked for until there is none.
    pub fn transmit(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        let packet = self.transmit_packet(now_ms)?;
        Some(scramble(self.peer_session_id, &self.sealer.seal(&packet)))
    }

    /// The next packet that is to be sent now, before it is enciphered.
    fn transmit_packet(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        self.check_times(now_ms);
        let mut body = Vec::new();
        self.write_control(&mut body, now_ms);
        let is_open = self.state == State::Open;
        let ack_is_due =
            self.incoming.values().filter_map(IncomingFlow::ack_due_ms).min().is_some_and(|due| due <= now_ms);
        if is_open && ack_is_due {
            self.write_acknowledgements(&mut body);
        }
        let is_time_critical = is_open && self.write_data(&mut body, now_ms);
        if is_open && !body.is_empty() {
            // What would be due soon goes along.
            self.write_acknowledgements(&mut body);
        }
        if body.is_empty() {
            return None;
        }
        self.last_sent_ms = now_ms;
        let (timestamp, echo) = self.clock.stamps(now_ms);
        let mut packet = Vec::with_capacity(body.len() + 64);
        PacketHeader { mode: self.mode, timestamp: Some(timestamp), echo }.encode(&mut packet);
        if is_time_critical {
            packet.iter_mut().take(1).for_each(|flags| *flags |= TIME_CRITICAL);
        }
        packet.extend_from_slice(&body);
        Some(packet)
    }

    /// Ends what has lasted too long.
    fn check_times(&mut self, now_ms: u64) {
        match self.state {
            State::NearClose { until_ms, .. } | State::FarClose { until_ms, reply: false } if now_ms >= until_ms => {
                self.state = State::Closed;
            }
            State::Open if now_ms >= self.last_received_ms + IDLE_LIMIT_MS => self.state = State::Failed(Error::Idle),
            State::Open => {
                let is_waiting = self.outgoing.iter().any(OutgoingFlow::has_sent);
                if is_waiting && now_ms >= self.progress_ms + RETRANSMISSION_LIMIT_MS {
                    self.state = State::Failed(Error::Unacknowledged);
                }
            }
            _ => {}
        }
        if self.timeout_at_ms.is_some_and(|at| now_ms >= at) {
            self.timeout_at_ms = None;
            self.clock.back_off();
            self.congestion.timed_out(self.transmissions);
            self.outgoing.iter_mut().for_each(OutgoingFlow::lose_all);
        }
        self.incoming
            .retain(|_, flow| flow.completed_ms().is_none_or(|completed| now_ms < completed + COMPLETE_LINGER_MS));
    }

    /// Pings, their replies, and what closes a session.
    fn write_control(&mut self, body: &mut Vec<u8>, now_ms: u64) {
        let ping_is_due = now_ms >= self.ping_at_ms();
        match &mut self.state {
            State::NearClose { next_ms, .. } if now_ms >= *next_ms => {
                *next_ms = now_ms + CLOSE_AGAIN_MS;
                put_chunk(body, chunk_type::CLOSE_REQUEST, |_| {});
            }
            State::FarClose { reply, .. } => {
                if std::mem::take(reply) {
                    put_chunk(body, chunk_type::CLOSE_ACKNOWLEDGEMENT, |_| {});
                }
                return;
            }
            State::Closed | State::Failed(_) => return,
            State::Open if ping_is_due => {
                self.last_ping_ms = now_ms;
                put_chunk(body, chunk_type::PING, |_| {});
            }
            _ => {}
        }
        if let Some(reply) = self.ping_replies.pop_front() {
            put_chunk(body, chunk_type::PING_REPLY, |out| out.extend_from_slice(&reply));
        }
    }

    /// When an idle session is to be kept open by a ping.
    fn ping_at_ms(&self) -> u64 {
        self.last_received_ms.min(self.last_sent_ms).max(self.last_ping_ms) + self.keepalive_ms
    }

    /// Acknowledges what was received since it was last acknowledged, as far as there is room.
    fn write_acknowledgements(&mut self, body: &mut Vec<u8>) {
        let window = (self.room() as u64).clamp(LEAST_WINDOW, LARGEST_WINDOW);
        for (flow_id, flow) in self.incoming.iter_mut().filter(|(_, flow)| flow.ack_due_ms().is_some()) {
            let limit = MAX_BODY.saturating_sub(body.len() + CHUNK_HEADER);
            if limit < LEAST_ACK {
                return;
            }
            if flow.is_rejected() {
                put_chunk(body, chunk_type::FLOW_EXCEPTION, |out| {
                    put_vlu(out, *flow_id);
                    put_vlu(out, 0);
                });
            }
            let limit = MAX_BODY.saturating_sub(body.len() + CHUNK_HEADER);
            let seen = flow.take_acknowledgement();
            put_chunk(body, chunk_type::ACK_RANGES, |out| Acknowledgement::encode(*flow_id, window, seen, limit, out));
        }
    }

    /// Fills a packet with user data; whether some of it is time critical.
    fn write_data(&mut self, body: &mut Vec<u8>, now_ms: u64) -> bool {
        if !self.congestion.has_room() {
            return false;
        }
        let nothing_was_sent = !self.outgoing.iter().any(OutgoingFlow::has_sent);
        let (before, mut bytes, mut is_time_critical) = (self.transmissions, 0, false);
        let mut payload = Vec::new();
        for flow in &mut self.outgoing {
            let mut with_options = true;
            loop {
                payload.clear();
                let limit = MAX_BODY.saturating_sub(body.len() + CHUNK_HEADER);
                let Some(count) = flow.write_next(self.transmissions, with_options, limit, &mut payload) else { break };
                put_chunk(body, chunk_type::USER_DATA, |out| out.extend_from_slice(&payload));
                self.transmissions += 1;
                bytes += count;
                with_options = false;
                is_time_critical |= flow.is_time_critical;
            }
        }
        if self.transmissions > before {
            self.congestion.sent(bytes);
            self.timeout_at_ms.get_or_insert(now_ms + self.clock.timeout_ms());
            if nothing_was_sent {
                self.progress_ms = now_ms;
            }
        }
        is_time_critical
    }

    /// When [`Session::transmit`] is to be called again, if nothing comes or is queued before.
    pub fn wake_at_ms(&self) -> Option<u64> {
        match self.state {
            State::Closed | State::Failed(_) => return None,
            State::NearClose { until_ms, next_ms } => return Some(until_ms.min(next_ms)),
            State::FarClose { until_ms, .. } => return Some(until_ms),
            State::Open => {}
        }
        let ack = self.incoming.values().filter_map(IncomingFlow::ack_due_ms).min();
        let unacknowledged =
            self.outgoing.iter().any(OutgoingFlow::has_sent).then_some(self.progress_ms + RETRANSMISSION_LIMIT_MS);
        let idle = self.last_received_ms + IDLE_LIMIT_MS;
        [ack, self.timeout_at_ms, unacknowledged, Some(self.ping_at_ms()), Some(idle)].into_iter().flatten().min()
    }
}

/// Most bytes of chunks in a packet: with header, HMAC and block padding it stays below 1192 bytes, the limit of a server.
const MAX_BODY: usize = 1180;

/// Most bytes of the peer's data that are held: a message of the largest size, and as much again in another order.
const MAX_HELD: usize = 33 << 20;

/// Most flows of a peer, those that have ended and are still acknowledged included.
const MAX_FLOWS: usize = 128;

/// Most bytes of a flow's metadata (RFC 7016 §2.3.11.1.1).
const MAX_METADATA: usize = 512;

/// ID of the first flow.
const FIRST_FLOW_ID: u64 = 2;

/// Least window that is advertised: to some servers none is an error.
const LEAST_WINDOW: u64 = 1024;

/// Largest window that is advertised, which fits into two bytes: 16383 blocks.
const LARGEST_WINDOW: u64 = 16_383 * 1024;

/// Least room that an acknowledgement is written into.
const LEAST_ACK: usize = 64;

const MAX_PING_REPLIES: usize = 8;
const MAX_PING: usize = 1024;

/// Flag of a packet that carries media.
const TIME_CRITICAL: u8 = 0x80;

const KEEPALIVE_MS: u64 = 10_000;
const LEAST_KEEPALIVE_MS: u64 = 5_000;

/// How long a close is asked for, and how often.
const NEAR_CLOSE_MS: u64 = 90_000;
const CLOSE_AGAIN_MS: u64 = 5_000;

/// How long a peer's close is confirmed.
const FAR_CLOSE_MS: u64 = 19_000;

/// How long a flow that has ended is still acknowledged.
const COMPLETE_LINGER_MS: u64 = 120_000;
