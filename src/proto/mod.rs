//! The protocol, pure: bytes in, bytes and events out. No socket, no clock, no randomness, no printing; time and random
//! bytes are arguments. The files are the table of contents of the RTMP 1.0 specification.

pub mod aggregate;
pub mod amf0;
pub mod amf3;
pub mod auth;
pub mod bytes;
pub mod chunk;
pub mod command;
mod diffie_hellman;
pub mod handshake;
pub mod link;
pub mod media;
pub mod message;
pub mod raw_text;
pub mod rtmfp;
pub mod server;
pub mod session;
pub mod status;
pub mod swfv;

use std::borrow::Cow;
use std::fmt;

/// The layer of the protocol in which something was found wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// C0–C2, S0–S2 (§5.2).
    Handshake,
    /// Key exchange and cipher of RTMPE.
    Rtmpe,
    /// Chunk stream (§5.3).
    Chunk,
    /// Protocol control messages (§5.4) and user control messages (§7.1.7).
    Control,
    /// AMF 0 values.
    Amf0,
    /// AMF 3 values.
    Amf3,
    /// Command messages (§7.2).
    Command,
    /// Audio, video, data and aggregate messages (§7.1).
    Media,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Layer::Handshake => "handshake",
            Layer::Rtmpe => "RTMPE",
            Layer::Chunk => "chunk stream",
            Layer::Control => "control message",
            Layer::Amf0 => "AMF0",
            Layer::Amf3 => "AMF3",
            Layer::Command => "command",
            Layer::Media => "media",
        })
    }
}

/// Bytes that are not what the specification, read tolerantly, allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError {
    /// Where in the stack.
    pub layer: Layer,
    /// Byte offset: in the connection for the handshake and the chunk stream, in the message or value elsewhere.
    pub offset: u64,
    /// What would have been right.
    pub expected: Cow<'static, str>,
    /// What was there.
    pub got: Cow<'static, str>,
}

impl ProtocolError {
    /// An error of `layer` at byte `offset`.
    pub fn new(
        layer: Layer,
        offset: u64,
        expected: impl Into<Cow<'static, str>>,
        got: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { layer, offset, expected: expected.into(), got: got.into() }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: expected {}, got {}", self.layer, self.offset, self.expected, self.got)
    }
}

impl std::error::Error for ProtocolError {}
