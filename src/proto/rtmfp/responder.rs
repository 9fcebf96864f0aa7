//! Opening sessions, as their responder (RFC 7016 §3.5.1.2 and after).
//!
//! ```text
//! IHello ─►      ◄─ RHello, whose cookie says when it was made, and for which address: nothing is kept
//! IIKeying ─►    ◄─ RIKeying; the same again for the same IIKeying, as long as the session lasts
//! cookie         UI64 time │ 16 bytes of HMAC-SHA256(secret, time) │ 16 bytes of HMAC-SHA256(secret, time and address)
//! ```
//!
//! Does not introduce initiators to each other.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use super::super::diffie_hellman::KeyPair;
use super::super::handshake::hmac_sha256;
use super::cipher::{Opener, Protection, Sealer};
use super::clock::timestamp_of;
use super::codec::{PacketReader, put_address};
use super::events::Opened;
use super::keying::{FINGERPRINT, agree, fingerprint, is_selected, responder_certificate, responder_component};
use super::packet::{Mode, PacketHeader, chunks, scramble};
use super::startup::StartupChunk;

/// Answers those who want to open sessions. Times are those of a clock of this end, in milliseconds, that never goes back.
#[derive(Debug)]
pub struct Responder {
    certificate: Vec<u8>,
    secret: Secret,
    sessions: BTreeMap<u32, Answered>,
}

/// The key of the cookies.
struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// The answer to a key agreement, in case it is asked for again.
#[derive(Debug)]
struct Answered {
    from: SocketAddr,
    initiator_session_id: u32,
    initiator_component: Vec<u8>,
    component: Vec<u8>,
}

/// What a responder does about a datagram.
#[derive(Debug)]
pub struct Answer {
    /// The datagram to send back.
    pub datagram: Vec<u8>,
    /// The session that begins herewith.
    pub opened: Option<Opened>,
}

impl Responder {
    /// How many random bytes a responder needs once.
    pub const RANDOM_BYTES: usize = 64 + 32;

    /// How many random bytes a session needs.
    pub const SESSION_RANDOM_BYTES: usize = 4 + 128;

    /// A responder with a certificate of its own.
    pub fn new(random: &[u8; Self::RANDOM_BYTES]) -> Self {
        let (front, secret) = random.split_last_chunk::<32>().unwrap_or((&[], &[0; 32]));
        Self {
            certificate: responder_certificate(front.first_chunk().unwrap_or(&[0; 64])),
            secret: Secret(*secret),
            sessions: BTreeMap::new(),
        }
    }

    /// The fingerprint of its certificate, which clients can ask for.
    pub fn fingerprint(&self) -> [u8; FINGERPRINT] {
        fingerprint(&self.certificate)
    }

    /// Takes the rest of a datagram that came for session ID 0; `random` gives random bytes for a session.
    pub fn receive(
        &mut self,
        sealed: &[u8],
        from: SocketAddr,
        now_ms: u64,
        random: &mut dyn FnMut() -> [u8; Self::SESSION_RANDOM_BYTES],
    ) -> Option<Answer> {
        let packet = Opener::new(Protection::startup()).open(sealed)?;
        self.receive_packet(&packet, from, now_ms, random)
    }

    /// Takes a packet that was deciphered.
    pub fn receive_packet(
        &mut self,
        packet: &[u8],
        from: SocketAddr,
        now_ms: u64,
        random: &mut dyn FnMut() -> [u8; Self::SESSION_RANDOM_BYTES],
    ) -> Option<Answer> {
        let mut cursor = PacketReader(packet);
        PacketHeader::decode(&mut cursor).filter(|header| header.mode == Mode::Startup)?;
        let (kind, payload) = chunks(cursor).next()?;
        match StartupChunk::decode(kind, payload)? {
            StartupChunk::InitiatorHello { discriminator, tag } => {
                let is_tag = (LEAST_TAG..=MOST_TAG).contains(&tag.len());
                (is_tag && is_selected(discriminator, &self.certificate)).then(|| self.hello(tag, from, now_ms))
            }
            StartupChunk::InitiatorKeying { session_id, cookie, certificate, component } => {
                match self.cookie_fits(cookie, from, now_ms)? {
                    true => self.keying(session_id, certificate, component, from, now_ms, random),
                    false => Some(self.change_cookie(session_id, cookie, from, now_ms)),
                }
            }
            _ => None,
        }
    }

    /// A session is over: its ID may be used again.
    pub fn forget(&mut self, session_id: u32) {
        self.sessions.remove(&session_id);
    }

    fn hello(&self, tag: &[u8], from: SocketAddr, now_ms: u64) -> Answer {
        let cookie = self.cookie(from, now_ms);
        reply(0, &StartupChunk::ResponderHello { tag, cookie: &cookie, certificate: &self.certificate }, now_ms)
    }

    fn change_cookie(&self, session_id: u32, old: &[u8], from: SocketAddr, now_ms: u64) -> Answer {
        reply(session_id, &StartupChunk::CookieChange { old, new: &self.cookie(from, now_ms) }, now_ms)
    }

    fn keying(
        &mut self,
        initiator_session_id: u32,
        certificate: &[u8],
        initiator_component: &[u8],
        from: SocketAddr,
        now_ms: u64,
        random: &mut dyn FnMut() -> [u8; Self::SESSION_RANDOM_BYTES],
    ) -> Option<Answer> {
        let answered = self.sessions.iter().find(|(_, answered)| {
            answered.from == from
                && answered.initiator_session_id == initiator_session_id
                && answered.initiator_component == initiator_component
        });
        if let Some((session_id, Answered { component, .. })) = answered {
            let chunk = StartupChunk::ResponderKeying { session_id: *session_id, component };
            return Some(reply(initiator_session_id, &chunk, now_ms));
        }
        if initiator_session_id == 0 || self.sessions.len() >= MAX_SESSIONS || initiator_component.len() > MAX_COMPONENT
        {
            return None;
        }
        let random = random();
        let (front, private) = random.split_last_chunk::<128>()?;
        let session_id = self.free_session_id(u32::from_be_bytes(*front.first_chunk()?));
        let pair = KeyPair::new(private);
        let component = responder_component(initiator_component, &pair);
        let keys = agree(&pair, &component, initiator_component, certificate).ok()?;
        let chunk = StartupChunk::ResponderKeying { session_id, component: &component };
        let mut answer = reply(initiator_session_id, &chunk, now_ms);
        answer.opened = Some(Opened {
            is_initiator: false,
            session_id,
            peer_session_id: initiator_session_id,
            peer: from,
            keys,
            early: Vec::new(),
        });
        let initiator_component = initiator_component.to_vec();
        self.sessions.insert(session_id, Answered { from, initiator_session_id, initiator_component, component });
        Some(answer)
    }

    /// The next ID from `wanted` on that is not in use; 0 stands for no session.
    fn free_session_id(&self, wanted: u32) -> u32 {
        let mut session_id = wanted.max(1);
        while self.sessions.contains_key(&session_id) {
            session_id = session_id.wrapping_add(1).max(1);
        }
        session_id
    }

    fn cookie(&self, from: SocketAddr, now_ms: u64) -> Vec<u8> {
        let time = now_ms.to_be_bytes();
        let mut address = Vec::new();
        put_address(&mut address, from);
        let mut cookie = time.to_vec();
        cookie.extend(hmac_sha256(&self.secret.0, &[&time]).iter().take(16));
        cookie.extend(hmac_sha256(&self.secret.0, &[&time, &address]).iter().take(16));
        cookie
    }

    /// Whether a cookie of this responder, which is not too old, is for this address. `None`: it is none of these.
    fn cookie_fits(&self, cookie: &[u8], from: SocketAddr, now_ms: u64) -> Option<bool> {
        let made_ms = u64::from_be_bytes(*cookie.first_chunk()?);
        let expected = self.cookie(from, made_ms);
        let is_own = cookie.len() == expected.len() && cookie.get(..24) == expected.get(..24);
        let is_fresh = now_ms.checked_sub(made_ms)? < COOKIE_LIFE_MS;
        (is_own && is_fresh).then_some(cookie == expected)
    }
}

/// An answer of one chunk to the initiator's session with this ID.
fn reply(session_id: u32, chunk: &StartupChunk<'_>, now_ms: u64) -> Answer {
    let sealed = Sealer::new(Protection::startup()).seal(&chunk.packet(timestamp_of(now_ms)));
    Answer { datagram: scramble(session_id, &sealed), opened: None }
}

/// Bytes of a tag: a short one can be guessed, and a long one would make the answer longer than the question.
const LEAST_TAG: usize = 8;
const MOST_TAG: usize = 64;

/// Most bytes of an initiator's component: of the largest group, with everything that is known.
const MAX_COMPONENT: usize = 1024;

/// Most sessions at a time.
const MAX_SESSIONS: usize = 4096;

/// How long a cookie is good for.
const COOKIE_LIFE_MS: u64 = 95_000;
