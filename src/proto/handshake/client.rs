//! The client's end: C0, C1, C2.
//!
//! ```text
//! start: C0 C1 ─►
//!        ◄─ S0 S1         AwaitS1: C2 is written as soon as S1 is complete
//!        C2 ─►  ◄─ S2     AwaitS2: S2 is looked at, not insisted on
//! ```
//!
//! Does not wait for S2 before C2, and does not measure time.

use super::digest::{self, Digest, Sender};
use super::rtmpe::Ciphers;
use super::signature_cipher::SignatureCipher;
use super::types::{
    Gather, Kind, Outcome, PACKET, Packet, Random, SIGNED, State, VERSION_PLAIN, VERSION_RTMPE, first_packet, is_echo,
    stranger,
};
use crate::proto::diffie_hellman::KeyPair;
use crate::proto::{Layer, ProtocolError};

/// The client's end of a handshake.
#[derive(Debug)]
pub struct Client {
    kind: Kind,
    state: State,
    c1: Packet,
    /// The digest in C1, for which S2 is signed.
    c1_digest: Option<Digest>,
    /// The random bytes of C2.
    signed: [u8; SIGNED],
    /// For RTMPE.
    key_pair: Option<KeyPair>,
    gather: Gather,
    outcome: Outcome,
    ciphers: Option<Ciphers>,
}

impl Client {
    /// A client that has said nothing yet. `time_ms` is its clock, in milliseconds.
    pub fn new(kind: Kind, time_ms: u32, random: &Random) -> Self {
        let version = match kind {
            Kind::Plain => [0; 4],
            Kind::Digest => DIGEST_VERSION,
            Kind::Rtmpe => RTMPE_VERSION,
        };
        let mut c1 = first_packet(time_ms, version, random);
        let key_pair = (kind == Kind::Rtmpe).then(|| KeyPair::new(&random.private_key));
        if let Some(pair) = &key_pair {
            digest::put_public_key(&mut c1, likely_scheme(kind), pair.public());
        }
        let c1_digest = (kind != Kind::Plain).then(|| digest::seal(&mut c1, likely_scheme(kind), Sender::Player));
        Self {
            kind,
            state: State::AwaitS1,
            c1,
            c1_digest,
            signed: random.signed,
            key_pair,
            gather: Gather::default(),
            outcome: Outcome::default(),
            ciphers: None,
        }
    }

    /// Appends C0 and C1 to `out`.
    pub fn start(&mut self, out: &mut Vec<u8>) {
        out.push(self.version());
        out.extend_from_slice(&self.c1);
    }

    /// Reads what the server sent, in pieces of any size, and appends C2 to `out` when it is due. The result is the count
    /// of bytes consumed: all of them, or as far as S2 goes.
    ///
    /// # Errors
    /// What answers is not an RTMP server.
    pub fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, ProtocolError> {
        let mut used = 0;
        if self.state == State::AwaitS1 {
            used = self.gather.fill(input, 1 + PACKET);
            self.check_version()?;
            let version = self.gather.bytes.first().copied().unwrap_or_default();
            let Some(s1) = self.gather.packet(1) else { return Ok(used) };
            self.take_s1(version, &s1, out)?;
            self.state = State::AwaitS2;
        }
        if self.state == State::AwaitS2 {
            used += self.gather.fill(input.get(used..).unwrap_or_default(), PACKET);
            let Some(s2) = self.gather.packet(0) else { return Ok(used) };
            self.outcome.s2_matched = Some(self.is_answer(&s2));
            self.state = State::Done;
        }
        Ok(used)
    }

    /// What is waited for.
    pub fn state(&self) -> State {
        self.state
    }

    /// What is known of the server; complete when the handshake is done.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The ciphers of RTMPE, once, from [`State::AwaitS2`] on: one for what follows C2, one for what follows S2.
    pub fn take_ciphers(&mut self) -> Option<Ciphers> {
        self.ciphers.take()
    }

    /// C0.
    fn version(&self) -> u8 {
        if self.kind == Kind::Rtmpe { VERSION_RTMPE } else { VERSION_PLAIN }
    }

    fn check_version(&self) -> Result<(), ProtocolError> {
        let Some(&version) = self.gather.bytes.first() else { return Ok(()) };
        if version == self.version() || (self.kind == Kind::Rtmpe && RTMPE_ANSWERS.contains(&version)) {
            return Ok(());
        }
        if self.kind == Kind::Rtmpe && version == VERSION_PLAIN {
            let got = "the server answered with plain RTMP";
            return Err(ProtocolError::new(Layer::Rtmpe, 0, "RTMPE (version 6, 8 or 9)", got));
        }
        let expected = match self.kind {
            Kind::Plain | Kind::Digest => "an RTMP server (version 3)",
            Kind::Rtmpe => "an RTMPE server (version 6, 8 or 9)",
        };
        match stranger(&self.gather.bytes, "server") {
            None => Ok(()),
            Some(got) => Err(ProtocolError::new(Layer::Handshake, 0, expected, got)),
        }
    }

    fn take_s1(&mut self, version: u8, s1: &Packet, out: &mut Vec<u8>) -> Result<(), ProtocolError> {
        self.outcome.version = version;
        self.outcome.server_version = s1.get(4..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
        self.outcome.swf_key = s1.last_chunk().copied().unwrap_or_default();
        let found = self.c1_digest.and_then(|_| digest::find(s1, Sender::MediaServer, likely_scheme(self.kind)));
        self.outcome.scheme = found.map(|(scheme, _)| scheme);
        if let Some(pair) = self.key_pair.take() {
            self.ciphers = Some(digest::key_exchange(&pair, s1, self.outcome.scheme)?);
        }
        match found {
            Some((_, s1_digest)) => {
                out.extend_from_slice(&digest::signed(&self.signed, Sender::Player, &s1_digest, self.cipher()))
            }
            // A server without digests: §5.2 to the letter.
            None => out.extend_from_slice(s1),
        }
        Ok(())
    }

    /// How C2 and S2 hide their signatures.
    fn cipher(&self) -> SignatureCipher {
        SignatureCipher::of_version(self.outcome.version)
    }

    /// Servers that sign S1 may still echo C1, so both are an answer.
    fn is_answer(&self, s2: &Packet) -> bool {
        let signed = self.c1_digest.is_some_and(|own| digest::is_signed(s2, Sender::MediaServer, &own, self.cipher()));
        signed || is_echo(s2, &self.c1)
    }
}

/// What a server may answer a client that asks for version 6.
const RTMPE_ANSWERS: [u8; 3] = [VERSION_RTMPE, 8, 9];

/// The version in C1 that goes with a digest: Flash Player 10.0.45.2.
const DIGEST_VERSION: [u8; 4] = [10, 0, 45, 2];

/// The version in C1 that goes with RTMPE.
const RTMPE_VERSION: [u8; 4] = [128, 0, 3, 2];

/// Where Flash Player puts digest and key, and a server that answers in kind.
fn likely_scheme(kind: Kind) -> u8 {
    match kind {
        Kind::Plain | Kind::Digest => 0,
        Kind::Rtmpe => 1,
    }
}
