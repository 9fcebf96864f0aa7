//! RTMP's messages on flows (RFC 7425 §5).
//!
//! ```text
//! flow's metadata   'T' 'C' │ UI8 flags: 04 stream ID follows, 01 order of receipt │ VLU message stream ID
//! message           UI8 message type ID │ UI32 timestamp, milliseconds │ payload …
//! ```
//!
//! Does not look into payloads.

use super::super::message::{MessageHeader, message_type};
use super::codec::{PacketReader, put_vlu};

/// The message stream of a flow, by its metadata. `None`: the flow is for something else.
pub fn stream_of(metadata: &[u8]) -> Option<u32> {
    let mut cursor = PacketReader(metadata.strip_prefix(b"TC")?);
    let has_stream = cursor.u8()? & HAS_STREAM != 0;
    if has_stream { u32::try_from(cursor.vlu()?).ok() } else { None }
}

/// The metadata of a flow for a message stream, whose messages are to be taken in the order in which they were sent.
pub fn metadata_for(message_stream_id: u32) -> Vec<u8> {
    let mut metadata = vec![b'T', b'C', HAS_STREAM];
    put_vlu(&mut metadata, message_stream_id.into());
    metadata
}

/// Reads a message of a flow for this message stream: its header, as chunks have it, and its payload. `None`: it is empty.
pub fn decode(message: &[u8], message_stream_id: u32) -> Option<(MessageHeader, &[u8])> {
    let mut cursor = PacketReader(message);
    let (message_type_id, timestamp) = (cursor.u8()?, cursor.u32()?);
    let chunk_stream_id = match (message_stream_id, message_type_id) {
        (_, message_type::USER_CONTROL) => 2,
        (0, _) => 3,
        (_, message_type::AUDIO) => 4,
        (_, message_type::VIDEO) => 6,
        _ => 5,
    };
    let length = u32::try_from(cursor.0.len()).ok()?;
    Some((MessageHeader { chunk_stream_id, message_type_id, timestamp, message_stream_id, length }, cursor.0))
}

/// A message as a flow carries it.
pub fn encode(message_type_id: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(5 + payload.len());
    message.push(message_type_id);
    message.extend_from_slice(&timestamp.to_be_bytes());
    message.extend_from_slice(payload);
    message
}

/// User Control events that only RTMFP has.
pub mod user_control {
    /// The same point of time on several flows.
    pub const FLOW_SYNC: u16 = 34;
    /// How often an idle session is to be kept open.
    pub const SET_KEEPALIVE: u16 = 41;
}

/// Flag of metadata: a message stream ID follows.
const HAS_STREAM: u8 = 0x04;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_has_golden_bytes() {
        assert_eq!(metadata_for(0), b"TC\x04\0");
        assert_eq!(metadata_for(300), b"TC\x04\x82\x2c");
        for stream in [0, 1, 127, 128, u32::MAX] {
            let metadata = metadata_for(stream);
            assert_eq!(stream_of(&metadata), Some(stream));
            (0..metadata.len()).for_each(|end| assert_eq!(stream_of(&metadata[..end]), None));
        }
        assert_eq!(stream_of(b"TC\x05\x07"), Some(7), "in any order");
        assert_eq!(stream_of(b"TC\x00\x07"), None, "no stream");
        assert_eq!(stream_of(b"\0GC\x04\0"), None, "a group of peers");
        assert_eq!(stream_of(b"TC\x04\x90\x80\x80\x80\0"), None, "no stream has this number");
    }

    #[test]
    fn messages_have_golden_bytes() {
        let message = encode(9, 0x0102_0304, b"\x17\x01");
        assert_eq!(message, b"\x09\x01\x02\x03\x04\x17\x01");
        let (header, payload) = decode(&message, 1).unwrap();
        assert_eq!((header.message_type_id, header.timestamp, header.message_stream_id), (9, 0x0102_0304, 1));
        assert_eq!((header.length, payload), (2, &b"\x17\x01"[..]));
        assert_eq!(decode(&message[..5], 1).unwrap().1, b"");
        (0..5).for_each(|end| assert_eq!(decode(&message[..end], 1), None));
    }
}
