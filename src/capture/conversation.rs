//! Bytes of both directions of an RTMP connection, in the clear → messages.
//!
//! ```text
//! version UI8 · C1 or S1 (1536) · C2 or S2 (1536) · chunks          in either direction
//! ```
//!
//! Answers nothing and believes anything: what a handshake is worth, and whether a command makes sense, is not looked at.

use std::fmt;

use crate::http::HttpError;
use crate::proto::ProtocolError;
use crate::proto::chunk::{ChunkDecoder, Limits};
use crate::proto::message::{Message, message_type};

use super::direction::Direction;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen<'a> {
    /// The first two packets of a handshake, C0 and C1 or S0 and S1.
    Hello {
        /// The first byte: 3, or for RTMPE 6, 8 or 9.
        version: u8,
        /// The sender's version; 0.0.0.0 without support for digests.
        of: [u8; 4],
    },
    /// The third one, C2 or S2.
    HandshakeEcho,
    /// A message.
    Message(Message<'a>),
    /// Nothing of this direction can be read any more.
    Broken(&'a Why),
}

/// Why nothing can be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// Another known protocol.
    Other(&'static str),
    /// The first byte is not one of RTMP.
    Strange(u8),
    /// Invalid HTTP.
    Http(HttpError),
    /// Its framing is broken.
    Framing(ProtocolError),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(what) => write!(f, "this is {what}"),
            Self::Strange(byte) => write!(f, "this is no RTMP: it begins with 0x{byte:02x}"),
            Self::Http(error) => write!(f, "this is no tunnel: {error}"),
            Self::Framing(error) => error.fmt(f),
        }
    }
}

/// Both directions of a connection.
#[derive(Debug)]
pub struct Conversation {
    client: Side,
    server: Side,
}

#[derive(Debug)]
struct Side {
    state: State,
    /// What was fed and not used up: the beginning of a handshake packet or of a chunk header.
    rest: Vec<u8>,
    decoder: ChunkDecoder,
    begins: StreamStart,
}

/// What is known of the first byte that is fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStart {
    /// It is the first one of the connection.
    Here,
    /// It may be one in the middle.
    Perhaps,
    /// It is the first one, and what RTMPE enciphers is fed in the clear.
    Deciphered,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Hello,
    /// So many bytes of C2 or S2 are still to come.
    HandshakeEcho(usize),
    Chunks,
    Broken,
}

impl Conversation {
    /// A conversation of which nothing was fed yet.
    pub fn new(begins: StreamStart) -> Self {
        let side = || Side { state: State::Hello, rest: Vec::new(), decoder: ChunkDecoder::new(LIMITS), begins };
        Self { client: side(), server: side() }
    }

    /// The next bytes of one direction. Shows what they complete to `take`.
    pub fn feed(&mut self, from: Direction, bytes: &[u8], mut take: impl FnMut(Seen<'_>)) {
        let side = match from {
            Direction::Client => &mut self.client,
            Direction::Server => &mut self.server,
        };
        if side.rest.is_empty() {
            let used = side.read(bytes, &mut take);
            if side.state != State::Broken {
                side.rest.extend_from_slice(bytes.get(used..).unwrap_or_default());
            }
        } else {
            let mut whole = std::mem::take(&mut side.rest);
            whole.extend_from_slice(bytes);
            let used = side.read(&whole, &mut take);
            if side.state != State::Broken {
                whole.drain(..used.min(whole.len()));
                side.rest = whole;
            }
        }
    }

    /// Nothing more of this direction is fed: bytes are missing. Returns whether that makes a difference.
    pub fn give_up(&mut self, from: Direction) -> bool {
        let side = match from {
            Direction::Client => &mut self.client,
            Direction::Server => &mut self.server,
        };
        side.rest = Vec::new();
        std::mem::replace(&mut side.state, State::Broken) != State::Broken
    }
}

impl Side {
    /// Reads as much as can be read; how many bytes that were.
    fn read(&mut self, bytes: &[u8], take: &mut impl FnMut(Seen<'_>)) -> usize {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            match self.state {
                State::Hello => {
                    let Some((&version, packet)) = rest.split_first() else { return used };
                    if let Some(why) = self.strange(version) {
                        self.break_off(&why, take);
                        return used;
                    }
                    let Some(of) = packet.get(..PACKET).and_then(|packet| packet.get(4..)?.first_chunk()) else {
                        return used;
                    };
                    take(Seen::Hello { version, of: *of });
                    used += 1 + PACKET;
                    self.state = State::HandshakeEcho(PACKET);
                }
                State::HandshakeEcho(missing) if rest.len() < missing => {
                    // Nothing in it is shown, so nothing is kept.
                    self.state = State::HandshakeEcho(missing - rest.len());
                    return bytes.len();
                }
                State::HandshakeEcho(missing) => {
                    take(Seen::HandshakeEcho);
                    used += missing;
                    self.state = State::Chunks;
                }
                State::Chunks => match self.message(rest, take) {
                    Ok((count, true)) => used += count,
                    Ok((count, false)) => return used + count,
                    Err(error) => {
                        self.break_off(&Why::Framing(error), take);
                        return used;
                    }
                },
                State::Broken => return bytes.len(),
            }
        }
    }

    /// What begins with this byte, if it cannot be read.
    fn strange(&self, first: u8) -> Option<Why> {
        Some(match first {
            3 => return None,
            6 | 8 | 9 if self.begins == StreamStart::Deciphered => return None,
            _ if self.begins == StreamStart::Perhaps => Why::Other("the middle of a connection, or no RTMP"),
            6 | 8 | 9 => Why::Other("RTMPE, enciphered"),
            0x16 => Why::Other("TLS, enciphered"),
            b'P' | b'G' | b'H' => Why::Other("HTTP, but not a tunnel"),
            other => Why::Strange(other),
        })
    }

    fn break_off(&mut self, why: &Why, take: &mut impl FnMut(Seen<'_>)) {
        self.state = State::Broken;
        take(Seen::Broken(why));
    }

    /// Reads a message; whether there was a whole one.
    fn message(&mut self, bytes: &[u8], take: &mut impl FnMut(Seen<'_>)) -> Result<(usize, bool), ProtocolError> {
        let (used, ready) = self.decoder.decode(bytes)?;
        let Some(ready) = ready else { return Ok((used, false)) };
        let message = self.decoder.message(&ready, bytes);
        take(Seen::Message(message));
        let number = message.payload.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
        match (message.header.message_type_id, number) {
            (message_type::SET_CHUNK_SIZE, Some(size)) => self.decoder.set_chunk_size(size)?,
            (message_type::ABORT, Some(csid)) => self.decoder.abort(csid),
            _ => {}
        }
        Ok((used, true))
    }
}

/// Bytes of C1, C2, S1 and S2.
const PACKET: usize = 1536;

/// Less than a session allows: captures hold many connections at once.
const LIMITS: Limits = Limits { message_bytes: 0xFF_FFFF, chunk_streams: 256, held_bytes: 20 << 20 };
