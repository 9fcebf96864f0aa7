//! The server's end: S0, S1, S2.
//!
//! ```text
//!        ─► C0 C1
//! S0 S1 S2 ◄─              as soon as C1 is complete, in the manner of the client
//!        ─► C2             looked at, not insisted on
//! ```
//!
//! Does not measure time.

use super::digest::{self, Digest, Sender};
use super::rtmpe::Ciphers;
use super::signature_cipher::SignatureCipher;
use super::types::{
    Gather, Kind, PACKET, Packet, Random, VERSION_PLAIN, VERSION_RTMPE, first_packet, is_echo, stranger,
};
use crate::proto::diffie_hellman::KeyPair;
use crate::proto::{Layer, ProtocolError};

/// The server's end of a handshake.
#[derive(Debug)]
pub struct Server {
    time_ms: u32,
    random: Random,
    kind: Option<Kind>,
    /// What clients that ask for RTMPE are answered: 6, which all of them understand.
    pub(super) rtmpe_version: u8,
    s1: Packet,
    /// The digest in S1, for which C2 is signed.
    s1_digest: Option<Digest>,
    gather: Gather,
    c2_matched: Option<bool>,
    ciphers: Option<Ciphers>,
}

impl Server {
    /// A server that has heard nothing yet. `time_ms` is its clock, in milliseconds.
    pub fn new(time_ms: u32, random: &Random) -> Self {
        Self {
            time_ms,
            random: random.clone(),
            kind: None,
            rtmpe_version: VERSION_RTMPE,
            s1: [0; PACKET],
            s1_digest: None,
            gather: Gather::default(),
            c2_matched: None,
            ciphers: None,
        }
    }

    /// Reads what the client sent, in pieces of any size, and appends S0, S1 and S2 to `out` when C1 is complete. The result is
    /// the count of bytes consumed: all of them, or as far as C2 goes.
    ///
    /// # Errors
    /// What calls is not an RTMP client.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, ProtocolError> {
        let mut used = 0;
        if self.kind.is_none() {
            used = self.gather.fill(input, 1 + PACKET);
            self.check_version()?;
            let version = self.gather.bytes.first().copied().unwrap_or(VERSION_PLAIN);
            let Some(c1) = self.gather.packet(1) else { return Ok(used) };
            self.kind = Some(self.take_c1(version, &c1, out)?);
        }
        if self.c2_matched.is_none() {
            used += self.gather.fill(input.get(used..).unwrap_or_default(), PACKET);
            let Some(c2) = self.gather.packet(0) else { return Ok(used) };
            self.c2_matched = Some(self.is_answer(&c2));
        }
        Ok(used)
    }

    /// Whether C2 is complete: the chunk stream follows.
    pub fn is_done(&self) -> bool {
        self.c2_matched.is_some()
    }

    /// How the client introduced itself, once C1 is complete.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether C2 answers S1: an echo of it or signed for it. `None` until C2 is complete.
    pub fn c2_matched(&self) -> Option<bool> {
        self.c2_matched
    }

    /// The ciphers of RTMPE, once, as soon as S2 is written: one for what follows S2, one for what follows C2.
    pub fn take_ciphers(&mut self) -> Option<Ciphers> {
        self.ciphers.take()
    }

    /// The last 32 bytes of S1, with which the client answers SWF verification; zeros until S1 is written.
    pub fn swf_key(&self) -> [u8; 32] {
        self.s1.last_chunk().copied().unwrap_or_default()
    }

    fn check_version(&self) -> Result<(), ProtocolError> {
        match self.gather.bytes.first() {
            None | Some(&(VERSION_PLAIN | VERSION_RTMPE)) => Ok(()),
            Some(_) => match stranger(&self.gather.bytes, "client") {
                None => Ok(()),
                Some(got) => Err(ProtocolError::new(Layer::Handshake, 0, "an RTMP client (version 3 or 6)", got)),
            },
        }
    }

    fn take_c1(&mut self, version: u8, c1: &Packet, out: &mut Vec<u8>) -> Result<Kind, ProtocolError> {
        let rtmpe = version == VERSION_RTMPE;
        // By §5.2.3 the version is zero; where it is not, a digest may be there.
        let claims = rtmpe || c1.get(4..8) != Some(&[0; 4]);
        let found = if claims { digest::find(c1, Sender::Player, u8::from(rtmpe)) } else { None };
        let key_pair = rtmpe.then(|| KeyPair::new(&self.random.private_key));
        if let Some(pair) = &key_pair {
            self.ciphers = Some(digest::key_exchange(pair, c1, found.map(|(scheme, _)| scheme))?);
        }
        out.push(if rtmpe { self.rtmpe_version } else { version });
        let Some((scheme, c1_digest)) = found else {
            self.s1 = first_packet(self.time_ms, [0; 4], &self.random);
            out.extend_from_slice(&self.s1);
            out.extend_from_slice(c1);
            return Ok(Kind::Plain);
        };
        self.s1 = first_packet(self.time_ms, DIGEST_VERSION, &self.random);
        if let Some(pair) = &key_pair {
            digest::put_public_key(&mut self.s1, scheme, pair.public());
        }
        self.s1_digest = Some(digest::seal(&mut self.s1, scheme, Sender::MediaServer));
        out.extend_from_slice(&self.s1);
        out.extend_from_slice(&digest::signed(
            &self.random.signed,
            Sender::MediaServer,
            &c1_digest,
            self.cipher(rtmpe),
        ));
        Ok(if rtmpe { Kind::Rtmpe } else { Kind::Digest })
    }

    fn is_answer(&self, c2: &Packet) -> bool {
        let signed = self.s1_digest.is_some_and(|own| {
            digest::is_signed(c2, Sender::Player, &own, self.cipher(self.kind == Some(Kind::Rtmpe)))
        });
        signed || is_echo(c2, &self.s1)
    }

    /// How S2 and C2 hide their signatures.
    fn cipher(&self, rtmpe: bool) -> SignatureCipher {
        if rtmpe { SignatureCipher::of_version(self.rtmpe_version) } else { SignatureCipher::None }
    }
}

/// The version in S1 that goes with a digest: Flash Media Server 3.5.1.1. Clients take less than 3 for a server without.
const DIGEST_VERSION: [u8; 4] = [3, 5, 1, 1];
