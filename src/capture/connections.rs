//! TCP segments of any number of connections → messages of those that speak RTMP.
//!
//! The client of a connection is the end that sent the SYN; in a capture that begins later, the end that does not use port
//! 1935, or that sends first. What a capture lacks is waited for as long as [`MAX_EARLY`] bytes; then that direction is given up, for nothing
//! says where the next chunk begins.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::conversation::{Conversation, StreamStart};
use super::direction::Direction;
use super::event::Event;
use super::reassembly::TcpReassembler;
use super::segment::Segment;
use super::tunnel::{HttpConnection, Tunnels};

/// The connections of a capture.
#[derive(Debug, Default)]
pub struct Connections {
    open: BTreeMap<Pair, Connection>,
    /// How many there have been.
    count: u32,
    /// Segments there have been.
    clock: u64,
    /// Bytes that came early, of all connections.
    held: isize,
    tunnels: Tunnels,
}

/// Both ends of a connection, the lesser first.
type Pair = (SocketAddr, SocketAddr);

#[derive(Debug)]
struct Connection {
    number: u32,
    client: SocketAddr,
    /// The first number of the client, if the capture has it.
    syn: Option<u32>,
    /// When something was last heard of it.
    seen: u64,
    directions: [HalfConnection; 2],
    content: Content,
    /// Its end was reported. It is kept until its ports are used again, so that late segments are not taken for a new one.
    is_told: bool,
    is_closed: bool,
    is_reset: bool,
}

/// What both directions amount to.
#[derive(Debug)]
struct Content {
    conversation: Conversation,
    /// It is HTTP, perhaps of a tunnel; then nothing is fed to the conversation.
    carrier: Option<HttpConnection>,
    /// Something was fed.
    begun: bool,
}

#[derive(Debug, Default)]
struct HalfConnection {
    order: TcpReassembler,
    /// It was given up.
    lost: bool,
}

impl Connections {
    /// Takes a segment; shows what it completes to `take`, with the number of the connection, from 1.
    pub fn push(&mut self, segment: &Segment<'_>, mut take: impl FnMut(u32, Event<'_>)) {
        self.clock += 1;
        let pair = (segment.from.min(segment.to), segment.from.max(segment.to));
        let opens = segment.syn && !segment.ack;
        if opens && self.open.get(&pair).is_some_and(|known| known.syn != Some(segment.sequence)) {
            // The same ports, used again.
            self.forget(&pair, &mut take);
        }
        if !self.open.contains_key(&pair) {
            if segment.reset || (segment.data.is_empty() && segment.missing == 0 && !segment.syn) {
                return;
            }
            self.make_room(&mut take);
            self.count += 1;
            self.open.insert(pair, Connection::new(self.count, segment));
        }
        let Some(connection) = self.open.get_mut(&pair) else { return };
        connection.seen = self.clock;
        self.held += connection.push(segment, &mut self.tunnels, &mut take);
        connection.is_reset |= segment.reset;
        connection.tell_end(&mut take);
        if self.held > MAX_ALL_EARLY as isize {
            let held = |connection: &Connection| connection.directions.iter().map(|d| d.order.held()).sum::<usize>();
            if let Some(pair) = self.open.iter().max_by_key(|(_, connection)| held(connection)).map(|(pair, _)| *pair) {
                self.forget(&pair, &mut take);
            }
        }
    }

    /// The end of the capture.
    pub fn finish(&mut self, mut take: impl FnMut(u32, Event<'_>)) {
        let pairs: Vec<Pair> = self.open.keys().copied().collect();
        for pair in pairs {
            if let Some(mut connection) = self.open.remove(&pair) {
                connection.tell_gaps(&mut self.tunnels, &mut take);
            }
        }
        self.held = 0;
    }

    /// How many connections there have been.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes that wait for others before them.
    pub fn held(&self) -> usize {
        self.held.max(0) as usize
    }

    fn forget(&mut self, pair: &Pair, take: &mut impl FnMut(u32, Event<'_>)) {
        if let Some(mut connection) = self.open.remove(pair) {
            self.held -= connection.directions.iter().map(|d| d.order.held() as isize).sum::<isize>();
            connection.tell_gaps(&mut self.tunnels, take);
            connection.is_reset = true;
            connection.tell_end(take);
        }
    }

    fn make_room(&mut self, take: &mut impl FnMut(u32, Event<'_>)) {
        if self.open.len() >= MAX_CONNECTIONS
            && let Some(pair) = self.open.iter().min_by_key(|(_, connection)| connection.seen).map(|(pair, _)| *pair)
        {
            self.forget(&pair, take);
        }
    }
}

impl Connection {
    fn new(number: u32, segment: &Segment<'_>) -> Self {
        let client = match (segment.syn, segment.ack) {
            (true, false) => segment.from,
            (true, true) => segment.to,
            _ if segment.to.port() == RTMP_PORT => segment.from,
            _ if segment.from.port() == RTMP_PORT => segment.to,
            _ => segment.from,
        };
        let syn = (segment.syn && !segment.ack).then_some(segment.sequence);
        let begins = if segment.syn { StreamStart::Here } else { StreamStart::Perhaps };
        Self {
            number,
            client,
            syn,
            seen: 0,
            directions: Default::default(),
            content: Content { conversation: Conversation::new(begins), carrier: None, begun: false },
            is_told: false,
            is_closed: false,
            is_reset: false,
        }
    }

    /// Returns how many bytes more are held.
    fn push(&mut self, segment: &Segment<'_>, tunnels: &mut Tunnels, take: &mut impl FnMut(u32, Event<'_>)) -> isize {
        let from = if segment.from == self.client { Direction::Client } else { Direction::Server };
        let Self { number, directions, content, is_told, client, .. } = self;
        let [client_direction, server_direction] = directions;
        let direction = if from == Direction::Client { client_direction } else { server_direction };
        if segment.syn {
            direction.order.begin(segment.sequence);
        }
        if segment.fin {
            let length = segment.data.len() + segment.missing + usize::from(segment.syn);
            direction.order.end(segment.sequence.wrapping_add(length as u32));
        }
        if direction.lost || (segment.data.is_empty() && segment.missing == 0) {
            return 0;
        }
        if !std::mem::replace(is_told, true) {
            let server = if from == Direction::Client { segment.to } else { segment.from };
            take(*number, Event::Opened { client: *client, server });
        }
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        let mut held = direction.order.push(sequence, segment.data, |bytes| {
            content.feed(from, bytes, *number, tunnels, take);
        });
        // What was not captured never comes, unless it is sent again.
        let is_gone = direction.order.held() > MAX_EARLY;
        if is_gone {
            held -= direction.order.held() as isize;
            direction.give_up(from, *number, content, tunnels, take);
        }
        held
    }

    fn tell_end(&mut self, take: &mut impl FnMut(u32, Event<'_>)) {
        let is_over = match self.is_reset {
            true => self.directions.iter().all(|direction| direction.order.gap().is_none()),
            false => self.directions.iter().all(|direction| direction.order.is_over()),
        };
        if is_over && self.is_told && !std::mem::replace(&mut self.is_closed, true) {
            take(self.number, Event::Closed);
        }
    }

    fn tell_gaps(&mut self, tunnels: &mut Tunnels, take: &mut impl FnMut(u32, Event<'_>)) {
        let [client, server] = &mut self.directions;
        client.give_up(Direction::Client, self.number, &mut self.content, tunnels, take);
        server.give_up(Direction::Server, self.number, &mut self.content, tunnels, take);
    }
}

impl Content {
    fn feed(
        &mut self,
        from: Direction,
        bytes: &[u8],
        number: u32,
        tunnels: &mut Tunnels,
        take: &mut impl FnMut(u32, Event<'_>),
    ) {
        if !std::mem::replace(&mut self.begun, true) && from == Direction::Client && HttpConnection::begins_with(bytes)
        {
            self.carrier = Some(HttpConnection::default());
        }
        match &mut self.carrier {
            Some(carrier) => carrier.feed(from, bytes, number, tunnels, take),
            None => self.conversation.feed(from, bytes, |seen| take(number, Event::Said(from, seen))),
        }
    }

    fn give_up(&mut self, from: Direction, tunnels: &mut Tunnels) -> bool {
        match &mut self.carrier {
            Some(carrier) => carrier.give_up(from, tunnels),
            None => self.conversation.give_up(from),
        }
    }
}

impl HalfConnection {
    /// Reports missing bytes, if any, and drops what came early.
    fn give_up(
        &mut self,
        from: Direction,
        number: u32,
        content: &mut Content,
        tunnels: &mut Tunnels,
        take: &mut impl FnMut(u32, Event<'_>),
    ) {
        if let Some(gap) = self.order.gap()
            && content.give_up(from, tunnels)
        {
            take(number, Event::Lost(from, gap));
        }
        self.lost = true;
        self.order = TcpReassembler::default();
    }
}

/// Connections that are followed at a time; the one that was silent for longest makes room for another.
pub const MAX_CONNECTIONS: usize = 256;

/// Bytes of one direction that wait for others before them. More than any receive window that is in use.
pub const MAX_EARLY: usize = 16 << 20;

/// The same of all connections together.
const MAX_ALL_EARLY: usize = 64 << 20;

/// The port of RTMP.
const RTMP_PORT: u16 = 1935;
