//! Messages (§6.1, §7.1): the seam between the chunk stream below and commands and media above.
//!
//! ```text
//! message header (§6.1.1): message type id UI8 · length UI24 · timestamp UI32 · message stream id UI24
//! ```
//!
//! This file does not know chunks, and it does not decode payloads.

/// Message type IDs (§5.4, §7.1).
pub mod message_type {
    /// Set Chunk Size (§5.4.1).
    pub const SET_CHUNK_SIZE: u8 = 1;
    /// Abort Message (§5.4.2).
    pub const ABORT: u8 = 2;
    /// Acknowledgement (§5.4.3).
    pub const ACKNOWLEDGEMENT: u8 = 3;
    /// User Control (§6.2, §7.1.7).
    pub const USER_CONTROL: u8 = 4;
    /// Window Acknowledgement Size (§5.4.4).
    pub const WINDOW_ACKNOWLEDGEMENT_SIZE: u8 = 5;
    /// Set Peer Bandwidth (§5.4.5).
    pub const SET_PEER_BANDWIDTH: u8 = 6;
    /// Audio (§7.1.4).
    pub const AUDIO: u8 = 8;
    /// Video (§7.1.5).
    pub const VIDEO: u8 = 9;
    /// Data, AMF 3 (§7.1.2).
    pub const DATA_AMF3: u8 = 15;
    /// Shared object, AMF 3 (§7.1.3).
    pub const SHARED_OBJECT_AMF3: u8 = 16;
    /// Command, AMF 3 (§7.1.1).
    pub const COMMAND_AMF3: u8 = 17;
    /// Data, AMF 0 (§7.1.2).
    pub const DATA_AMF0: u8 = 18;
    /// Shared object, AMF 0 (§7.1.3).
    pub const SHARED_OBJECT_AMF0: u8 = 19;
    /// Command, AMF 0 (§7.1.1).
    pub const COMMAND_AMF0: u8 = 20;
    /// Aggregate (§7.1.6).
    pub const AGGREGATE: u8 = 22;
}

/// Header of a message (§6.1.1), with the chunk stream it came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHeader {
    /// Chunk stream ID, 2 to 65599.
    pub chunk_stream_id: u32,
    /// Message type ID, see [`message_type`].
    pub message_type_id: u8,
    /// Absolute timestamp in milliseconds, modulo 2³².
    pub timestamp: u32,
    /// Message stream ID; 0 is the NetConnection's own.
    pub message_stream_id: u32,
    /// Payload length in bytes, at most 2²⁴ − 1.
    pub length: u32,
}

/// A complete message that borrows its payload from the buffers of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its header.
    pub header: MessageHeader,
    /// Its payload, `header.length` bytes.
    pub payload: &'a [u8],
}
