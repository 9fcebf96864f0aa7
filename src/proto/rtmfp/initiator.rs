//! Opening a session, as its initiator (RFC 7016 §3.5.1).
//!
//! ```text
//! IHello ─► every address, again and again     ◄─ RHello · Redirect: more addresses
//! IIKeying ─► where the RHello came from       ◄─ RIKeying · Cookie Change: IIKeying again, once
//! ```
//!
//! Does not resolve names, and does not verify who the responder is unless it is asked for by its fingerprint.

use core::net::SocketAddr;

use super::super::diffie_hellman::KeyPair;
use super::cipher::{Opener, Protection, Sealer};
use super::clock::timestamp_of;
use super::codec::PacketReader;
use super::events::Opened;
use super::keying::{
    FINGERPRINT, agree, endpoint_discriminator, fingerprint, initiator_certificate, initiator_component,
};
use super::packet::{Assembler, FragmentChunk, Mode, PacketHeader, chunk_type, chunks, scramble, unscramble};
use super::startup::{MAX_ADDRESSES, StartupChunk};
use super::types::Error;

/// The random bytes that an initiator needs.
#[derive(Clone)]
pub struct Random([u8; Random::BYTES]);

impl Random {
    /// How many bytes to ask the system's source for.
    pub const BYTES: usize = TAG + 4 + 64 + 128;

    /// Random numbers from random bytes.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        Self(*bytes)
    }

    fn part<const N: usize>(&self, from: usize) -> [u8; N] {
        self.0.get(from..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A private key does not belong in a log.
        f.write_str("Random")
    }
}

/// A session that is being opened. Times are those of a clock of this end, in milliseconds, that never goes back.
#[derive(Debug)]
pub struct Initiator {
    discriminator: Vec<u8>,
    fingerprint: Option<[u8; FINGERPRINT]>,
    tag: [u8; TAG],
    session_id: u32,
    pair: KeyPair,
    certificate: Vec<u8>,
    component: Vec<u8>,
    candidates: Vec<Candidate>,
    keying: Option<Keying>,
    /// Datagrams for this session that cannot be deciphered yet.
    early: Vec<Vec<u8>>,
    assembler: Assembler,
    fails_at_ms: u64,
}

/// An address where the responder may be.
#[derive(Debug)]
struct Candidate {
    address: SocketAddr,
    schedule: Schedule,
}

/// A responder that has answered.
#[derive(Debug)]
struct Keying {
    address: SocketAddr,
    cookie: Vec<u8>,
    certificate: Vec<u8>,
    cookie_was_changed: bool,
    schedule: Schedule,
}

/// When something is sent again: after 1 s, 2.5 s more, 4 s more …
#[derive(Debug)]
struct Schedule {
    next_ms: u64,
    step_ms: u64,
}

impl Schedule {
    fn new(now_ms: u64) -> Self {
        Self { next_ms: now_ms, step_ms: FIRST_RETRY_MS }
    }

    /// Whether it is time; the next time then is a step later.
    fn is_due(&mut self, now_ms: u64) -> bool {
        let is_due = now_ms >= self.next_ms;
        if is_due {
            self.next_ms = now_ms + self.step_ms;
            self.step_ms += RETRY_STEP_MS;
        }
        is_due
    }
}

impl Initiator {
    /// Begins to look for the responder of `uri` at all of these addresses. With a fingerprint only the responder that has
    /// it is accepted.
    pub fn new(
        uri: &str,
        fingerprint: Option<[u8; FINGERPRINT]>,
        addresses: &[SocketAddr],
        random: &Random,
        now_ms: u64,
    ) -> Self {
        let pair = KeyPair::new(&random.part(TAG + 4 + 64)).with_full_size();
        let mut initiator = Self {
            discriminator: endpoint_discriminator(uri, fingerprint.as_ref()),
            fingerprint,
            tag: random.part(0),
            // 0 stands for no session.
            session_id: u32::from_be_bytes(random.part(TAG)).max(1),
            certificate: initiator_certificate(&pair),
            component: initiator_component(&random.part(TAG + 4)),
            pair,
            candidates: Vec::new(),
            keying: None,
            early: Vec::new(),
            assembler: Assembler::default(),
            fails_at_ms: now_ms + OPEN_LIMIT_MS,
        };
        initiator.add_candidates(addresses.iter().copied(), now_ms);
        initiator
    }

    fn add_candidates(&mut self, addresses: impl Iterator<Item = SocketAddr>, now_ms: u64) {
        for address in addresses {
            let is_usable = !address.ip().is_unspecified() && address.port() != 0;
            let is_known = self.candidates.iter().any(|candidate| candidate.address == address);
            if is_usable && !is_known && self.candidates.len() < MAX_ADDRESSES {
                self.candidates.push(Candidate { address, schedule: Schedule::new(now_ms) });
            }
        }
    }

    /// Takes a datagram. The session, once it is agreed on.
    ///
    /// # Errors
    /// The responder's key is missing or weak, or it requires what is not offered.
    pub fn receive(&mut self, datagram: &[u8], from: SocketAddr, now_ms: u64) -> Result<Option<Opened>, Error> {
        let Some((session_id, sealed)) = unscramble(datagram) else { return Ok(None) };
        if session_id != 0 && session_id != self.session_id {
            return Ok(None);
        }
        let packet = Opener::new(Protection::startup()).open(sealed);
        match packet.filter(|packet| packet.first().is_some_and(|flags| flags & 3 == 3)) {
            Some(packet) => self.receive_packet(&packet, session_id, from, now_ms),
            None => {
                if session_id != 0 && self.early.len() < MAX_EARLY {
                    self.early.push(sealed.to_vec());
                }
                Ok(None)
            }
        }
    }

    /// Takes a packet that was deciphered, and came for this session ID: 0, or that of the session to be.
    ///
    /// # Errors
    /// As [`Initiator::receive`].
    pub fn receive_packet(
        &mut self,
        packet: &[u8],
        session_id: u32,
        from: SocketAddr,
        now_ms: u64,
    ) -> Result<Option<Opened>, Error> {
        let mut cursor = PacketReader(packet);
        if PacketHeader::decode(&mut cursor).is_none_or(|header| header.mode != Mode::Startup) {
            return Ok(None);
        }
        for (kind, payload) in chunks(cursor) {
            if kind == chunk_type::FRAGMENT {
                let part = FragmentChunk::decode(payload);
                let Some(whole) = part.and_then(|part| self.assembler.push(&part)) else { continue };
                let mut cursor = PacketReader(&whole);
                let _ = PacketHeader::decode(&mut cursor);
                let first = chunks(cursor).next().filter(|(kind, _)| *kind != chunk_type::FRAGMENT);
                if let Some((kind, payload)) = first {
                    return self.take_chunk(StartupChunk::decode(kind, payload), session_id, from, now_ms);
                }
            }
            if let Some(opened) = self.take_chunk(StartupChunk::decode(kind, payload), session_id, from, now_ms)? {
                return Ok(Some(opened));
            }
        }
        Ok(None)
    }

    fn take_chunk(
        &mut self,
        chunk: Option<StartupChunk<'_>>,
        session_id: u32,
        from: SocketAddr,
        now_ms: u64,
    ) -> Result<Option<Opened>, Error> {
        match chunk {
            Some(StartupChunk::ResponderHello { tag, cookie, certificate }) if session_id == 0 && tag == self.tag => {
                self.begin_keying(from, cookie, certificate, now_ms);
            }
            Some(StartupChunk::Redirect { tag, addresses }) if session_id == 0 && tag == self.tag => {
                let implied = addresses.is_empty().then_some(from);
                self.add_candidates(addresses.into_iter().chain(implied), now_ms);
            }
            Some(StartupChunk::CookieChange { old, new }) if session_id == self.session_id => {
                if let Some(keying) = self.keying.as_mut().filter(|keying| keying.address == from)
                    && keying.cookie == old
                    && !keying.cookie_was_changed
                {
                    keying.cookie = new.to_vec();
                    keying.cookie_was_changed = true;
                    keying.schedule = Schedule::new(now_ms);
                }
            }
            Some(StartupChunk::ResponderKeying { session_id: peer_session_id, component })
                if session_id == self.session_id && peer_session_id != 0 =>
            {
                return self.finish(peer_session_id, component, from);
            }
            _ => {}
        }
        Ok(None)
    }

    /// The first responder that answers is the one.
    fn begin_keying(&mut self, address: SocketAddr, cookie: &[u8], certificate: &[u8], now_ms: u64) {
        let is_wanted = self.fingerprint.is_none_or(|wanted| wanted == fingerprint(certificate));
        if self.keying.is_none() && is_wanted {
            self.keying = Some(Keying {
                address,
                cookie: cookie.to_vec(),
                certificate: certificate.to_vec(),
                cookie_was_changed: false,
                schedule: Schedule::new(now_ms),
            });
        }
    }

    fn finish(&mut self, peer_session_id: u32, component: &[u8], from: SocketAddr) -> Result<Option<Opened>, Error> {
        let Some(keying) = self.keying.as_ref().filter(|keying| keying.address == from) else { return Ok(None) };
        let keys = agree(&self.pair, &self.component, component, &keying.certificate)?;
        Ok(Some(Opened {
            is_initiator: true,
            session_id: self.session_id,
            peer_session_id,
            peer: from,
            keys,
            early: std::mem::take(&mut self.early),
        }))
    }

    /// The next datagram that is to be sent now, and where to; to be asked for until there is none.
    pub fn transmit(&mut self, now_ms: u64) -> Option<(SocketAddr, Vec<u8>)> {
        let timestamp = timestamp_of(now_ms);
        let (address, packet) = match &mut self.keying {
            Some(keying) => {
                let chunk = StartupChunk::InitiatorKeying {
                    session_id: self.session_id,
                    cookie: &keying.cookie,
                    certificate: &self.certificate,
                    component: &self.component,
                };
                (keying.schedule.is_due(now_ms).then_some(keying.address)?, chunk.packet(timestamp))
            }
            None => {
                let due = self.candidates.iter_mut().find(|candidate| candidate.schedule.next_ms <= now_ms)?;
                due.schedule.is_due(now_ms);
                let chunk = StartupChunk::InitiatorHello { discriminator: &self.discriminator, tag: &self.tag };
                (due.address, chunk.packet(timestamp))
            }
        };
        Some((address, scramble(0, &Sealer::new(Protection::startup()).seal(&packet))))
    }

    /// When [`Initiator::transmit`] is to be called again, if nothing comes before.
    pub fn wake_at_ms(&self) -> u64 {
        let next = match &self.keying {
            Some(keying) => Some(keying.schedule.next_ms),
            None => self.candidates.iter().map(|candidate| candidate.schedule.next_ms).min(),
        };
        next.map_or(self.fails_at_ms, |next| next.min(self.fails_at_ms))
    }

    /// Why it has lasted too long, if it has; or why it lasts, for one who has less patience.
    pub fn delay(&self) -> Error {
        match (&self.keying, self.fingerprint) {
            (Some(_), _) => Error::NoKeying,
            (None, Some(_)) => Error::NoHelloForFingerprint,
            (None, None) => Error::NoHello,
        }
    }

    /// Whether no answer is to be expected any more.
    pub fn is_over(&self, now_ms: u64) -> bool {
        now_ms >= self.fails_at_ms
    }
}

/// Bytes of the tag: there is a server that reads so many.
const TAG: usize = 16;

/// Most datagrams that are kept until the keys are known.
const MAX_EARLY: usize = 18;

/// After what time the first repetition is sent, and how much longer each later one takes.
const FIRST_RETRY_MS: u64 = 1_000;
const RETRY_STEP_MS: u64 = 1_500;

/// How long a session may take to be opened.
const OPEN_LIMIT_MS: u64 = 95_000;
