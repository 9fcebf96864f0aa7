//! The server's end: S0, S1, S2.
//!
//! ```text
//!        ─► C0 C1
//! S0 S1 S2 ◄─              as soon as C1 is complete, in the manner of the client
//!        ─► C2             looked at, not insisted on
//! ```
//!
//! Does not measure time.

use super::{Gather, Kind, PACKET, Packet, Random, VERSION_PLAIN, first_packet, is_echo, stranger, wrong_version};
use crate::proto::ProtocolError;
use crate::proto::rtmpe::Ciphers;

/// The server's end of a handshake.
#[derive(Debug)]
pub struct Server {
    time_ms: u32,
    random: Random,
    kind: Option<Kind>,
    s1: Packet,
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
            s1: [0; PACKET],
            gather: Gather::default(),
            c2_matched: None,
            ciphers: None,
        }
    }

    /// Reads what the client sent, in pieces of any size, and appends S0, S1 and S2 to `out` when C1 is there. The result is
    /// the count of bytes consumed: all of them, or as far as C2 goes.
    ///
    /// # Errors
    /// What calls is not an RTMP client.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, ProtocolError> {
        let mut used = 0;
        if self.kind.is_none() {
            used = self.gather.fill(input, 1 + PACKET);
            self.check_version()?;
            let Some(c1) = self.gather.packet(1) else { return Ok(used) };
            self.kind = Some(self.take_c1(&c1, out)?);
        }
        if self.c2_matched.is_none() {
            used += self.gather.fill(input.get(used..).unwrap_or_default(), PACKET);
            let Some(c2) = self.gather.packet(0) else { return Ok(used) };
            self.c2_matched = Some(is_echo(&c2, &self.s1));
        }
        Ok(used)
    }

    /// Whether C2 is there: what comes is the chunk stream.
    pub fn is_done(&self) -> bool {
        self.c2_matched.is_some()
    }

    /// How the client introduced itself, once C1 is there.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether C2 answers S1: an echo of it or signed for it. `None` until C2 is there.
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
            None | Some(&VERSION_PLAIN) => Ok(()),
            Some(_) => match stranger(&self.gather.bytes, "client") {
                None => Ok(()),
                Some(got) => Err(wrong_version("an RTMP client (version 3)", got)),
            },
        }
    }

    fn take_c1(&mut self, c1: &Packet, out: &mut Vec<u8>) -> Result<Kind, ProtocolError> {
        self.s1 = first_packet(self.time_ms, [0; 4], &self.random);
        out.push(VERSION_PLAIN);
        out.extend_from_slice(&self.s1);
        out.extend_from_slice(c1);
        Ok(Kind::Plain)
    }
}
