//! Messages → chunks (§5.3; layout: see the parent module), with the shortest header that says the same. Does not interleave.

use crate::proto::bytes::u24_bytes;
use crate::proto::message::MessageHeader;

use super::{DEFAULT_CHUNK_SIZE, EXTENDED, MAX_CHUNK_SIZE};

/// Cuts messages into chunks (§5.3.1).
#[derive(Debug)]
pub struct ChunkEncoder {
    chunk_size: usize,
    streams: Vec<Last>,
}

#[derive(Debug)]
struct Last {
    header: MessageHeader,
    /// Timestamp delta of the last message if its header carried one.
    delta: Option<u32>,
}

impl Default for ChunkEncoder {
    fn default() -> Self {
        Self { chunk_size: DEFAULT_CHUNK_SIZE, streams: Vec::new() }
    }
}

impl ChunkEncoder {
    /// Changes the size of the chunks to come; the caller sends Set Chunk Size before. 1 to 0xFFFFFF bytes.
    pub fn set_chunk_size(&mut self, size: usize) {
        self.chunk_size = size.clamp(1, MAX_CHUNK_SIZE);
    }

    /// The size of the chunks, in bytes.
    pub fn chunk_size(&self) -> usize {
        self.chunk_size
    }

    /// Appends a message to `out`. `header.length` is taken from `payload`, which is at most 0xFFFFFF bytes long (longer
    /// ones are cut there).
    pub fn encode(&mut self, mut header: MessageHeader, payload: &[u8], out: &mut Vec<u8>) {
        let payload = payload.get(..MAX_CHUNK_SIZE).unwrap_or(payload);
        header.length = payload.len() as u32;
        let csid = header.chunk_stream_id.clamp(2, 65599);
        let (fmt, time) = self.choose(csid, header);
        let chunks = payload.len().div_ceil(self.chunk_size).max(1);
        out.reserve(payload.len() + 18 + chunks * 7);

        basic_header(fmt, csid, out);
        if fmt <= 2 {
            out.extend_from_slice(&u24_bytes(time.min(EXTENDED)));
        }
        if fmt <= 1 {
            out.extend_from_slice(&u24_bytes(header.length));
            out.push(header.message_type_id);
        }
        if fmt == 0 {
            out.extend_from_slice(&header.message_stream_id.to_le_bytes());
        }
        let extended = (time >= EXTENDED).then(|| time.to_be_bytes());
        out.extend(extended.iter().flatten());
        for (number, chunk) in payload.chunks(self.chunk_size).enumerate() {
            if number > 0 {
                basic_header(3, csid, out);
                out.extend(extended.iter().flatten());
            }
            out.extend_from_slice(chunk);
        }
    }

    /// The header format for a message, and its timestamp (fmt 0) or timestamp delta.
    fn choose(&mut self, csid: u32, header: MessageHeader) -> (u8, u32) {
        let Some(last) = self.streams.iter_mut().find(|last| last.header.chunk_stream_id == csid) else {
            self.streams.push(Last { header: MessageHeader { chunk_stream_id: csid, ..header }, delta: None });
            return (0, header.timestamp);
        };
        let before = std::mem::replace(&mut last.header, MessageHeader { chunk_stream_id: csid, ..header });
        let delta = header.timestamp.wrapping_sub(before.timestamp);
        if before.message_stream_id != header.message_stream_id || delta >= 1 << 31 {
            last.delta = None;
            return (0, header.timestamp);
        }
        let same_delta = last.delta.replace(delta) == Some(delta);
        let fmt = if before.message_type_id != header.message_type_id || before.length != header.length {
            1
        } else if same_delta {
            3
        } else {
            2
        };
        (fmt, delta)
    }
}

fn basic_header(fmt: u8, csid: u32, out: &mut Vec<u8>) {
    let fmt = fmt << 6;
    match csid {
        0..64 => out.push(fmt | csid as u8),
        64..320 => out.extend_from_slice(&[fmt, (csid - 64) as u8]),
        _ => {
            let [low, high, ..] = (csid - 64).to_le_bytes();
            out.extend_from_slice(&[fmt | 1, low, high]);
        }
    }
}
