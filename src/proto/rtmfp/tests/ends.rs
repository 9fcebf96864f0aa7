//! The path between two ends, and both ends at work on it.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use super::super::packet::unscramble;
use super::super::{FlowEvent, Initiator, Opened, Random, Responder, Session};

/// A sequence of numbers that a seed decides.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }
}

/// What a path does to datagrams, in percent and milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Path {
    pub loss: u64,
    pub duplication: u64,
    pub delay_ms: u64,
    /// Up to so much more, which swaps datagrams.
    pub jitter_ms: u64,
}

pub const PERFECT: Path = Path { loss: 0, duplication: 0, delay_ms: 1, jitter_ms: 0 };

/// Datagrams on their way, by the time at which they arrive.
#[derive(Debug)]
pub struct Wire {
    path: Path,
    random: Seeded,
    on_the_way: BTreeMap<(u64, u64), (bool, Vec<u8>)>,
    count: u64,
}

impl Wire {
    pub fn new(path: Path, seed: u64) -> Self {
        Self { path, random: Seeded::new(seed), on_the_way: BTreeMap::new(), count: 0 }
    }

    /// Sends a datagram to the initiator, or to the responder.
    pub fn send(&mut self, to_initiator: bool, datagram: &[u8], now_ms: u64) {
        let copies = 1 + u64::from(self.random.percent(self.path.duplication));
        for _ in 0..copies {
            let jitter = self.random.next() % (self.path.jitter_ms + 1);
            if !self.random.percent(self.path.loss) {
                self.count += 1;
                let arrives = now_ms + self.path.delay_ms + jitter;
                self.on_the_way.insert((arrives, self.count), (to_initiator, datagram.to_vec()));
            }
        }
    }

    /// The next datagram that has arrived.
    pub fn receive(&mut self, now_ms: u64) -> Option<(bool, Vec<u8>)> {
        let entry = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        Some(entry.remove())
    }

    /// When the next one arrives.
    pub fn next_ms(&self) -> Option<u64> {
        self.on_the_way.keys().next().map(|(arrives, _)| *arrives)
    }
}

pub fn client_address() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

pub fn server_address() -> SocketAddr {
    "192.0.2.2:1935".parse().unwrap()
}

/// An initiator that looks for [`server_address`].
pub fn initiator(seed: u64) -> Initiator {
    let random = Random::from_bytes(&Seeded::new(seed).bytes());
    Initiator::new("rtmfp://example/live", None, &[server_address()], &random, 0)
}

/// Opens a session over this wire. What each end agreed on, and when.
pub fn open(wire: &mut Wire, seed: u64) -> (Opened, Opened, u64) {
    let mut client = initiator(seed);
    let mut server = Responder::new(&Seeded::new(seed + 1).bytes());
    let mut random = Seeded::new(seed + 2);
    let mut now_ms = 0;
    let mut at_server = None;
    while now_ms < 95_000 {
        while let Some((to_initiator, datagram)) = wire.receive(now_ms) {
            if to_initiator {
                if let Some(opened) = client.receive(&datagram, server_address(), now_ms).unwrap() {
                    return (opened, at_server.unwrap(), now_ms);
                }
            } else if let Some((0, sealed)) = unscramble(&datagram)
                && let Some(answer) = server.receive(sealed, client_address(), now_ms, &mut || random.bytes())
            {
                at_server = answer.opened.or(at_server);
                wire.send(true, &answer.datagram, now_ms);
            }
        }
        while let Some((to, datagram)) = client.transmit(now_ms) {
            assert_eq!(to, server_address());
            wire.send(false, &datagram, now_ms);
        }
        now_ms = wire.next_ms().unwrap_or(u64::MAX).min(client.wake_at_ms()).max(now_ms + 1);
    }
    panic!("no session: {}", client.delay());
}

/// Both ends of an open session and the path between them.
pub struct Pair {
    pub client: Session,
    pub server: Session,
    pub wire: Wire,
    pub now_ms: u64,
    /// What happened at each end.
    pub at_client: Vec<FlowEvent>,
    pub at_server: Vec<FlowEvent>,
    /// Datagrams that were sent, to the client and to the server.
    pub sent: [u64; 2],
}

impl Pair {
    pub fn new(path: Path, seed: u64) -> Self {
        let (client, server, now_ms) = open(&mut Wire::new(PERFECT, seed), seed);
        Self {
            client: Session::new(client, now_ms),
            server: Session::new(server, now_ms),
            wire: Wire::new(path, seed),
            now_ms,
            at_client: Vec::new(),
            at_server: Vec::new(),
            sent: [0; 2],
        }
    }

    /// Receives what has arrived, and sends what is to be sent.
    fn exchange(&mut self) {
        let now_ms = self.now_ms;
        while let Some((to_client, datagram)) = self.wire.receive(now_ms) {
            let (session, from) =
                if to_client { (&mut self.client, server_address()) } else { (&mut self.server, client_address()) };
            let (_, sealed) = unscramble(&datagram).unwrap();
            session.receive(sealed, from, now_ms);
        }
        for (session, to_client, events) in
            [(&mut self.client, false, &mut self.at_client), (&mut self.server, true, &mut self.at_server)]
        {
            events.extend(std::iter::from_fn(|| session.poll()));
            while let Some(datagram) = session.transmit(now_ms) {
                assert!(datagram.len() <= 1280 - 48);
                self.sent[usize::from(!to_client)] += 1;
                self.wire.send(to_client, &datagram, now_ms);
            }
        }
    }

    /// Runs until this holds; whether it came to that before `limit_ms` more.
    pub fn run_until(&mut self, limit_ms: u64, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now_ms + limit_ms;
        loop {
            self.exchange();
            if holds(self) {
                return true;
            }
            if self.now_ms >= until {
                return false;
            }
            let times = [self.wire.next_ms(), self.client.wake_at_ms(), self.server.wake_at_ms()];
            self.now_ms = times.into_iter().flatten().min().unwrap_or(until).clamp(self.now_ms + 1, until);
        }
    }

    /// Runs for so long.
    pub fn run(&mut self, time_ms: u64) {
        self.run_until(time_ms, |_| false);
    }
}

/// The messages among these events.
pub fn messages(events: &[FlowEvent]) -> Vec<&[u8]> {
    events
        .iter()
        .filter_map(|event| match event {
            FlowEvent::Message { message, .. } => Some(message.as_slice()),
            _ => None,
        })
        .collect()
}
