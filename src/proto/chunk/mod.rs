//! Chunk stream (§5.3): messages cut into chunks, chunks put together again.
//!
//! ```text
//! chunk          basic header (1–3 bytes) · message header (11, 7, 3 or 0) · extended timestamp (0 or 4) · data
//! basic header   fmt UI2 · csid UI6                      csid 2–63
//!                fmt UI2 · 0 UI6 · csid − 64 UI8         csid 64–319
//!                fmt UI2 · 1 UI6 · csid − 64 UI16 (LE)   csid 64–65599
//! fmt 0          timestamp UI24 · length UI24 · type UI8 · message stream id UI32 (LE)
//! fmt 1          timestamp delta UI24 · length UI24 · type UI8
//! fmt 2          timestamp delta UI24
//! fmt 3          –
//! ```
//!
//! A timestamp (delta) of 0xFFFFFF means that the extended timestamp follows. This room does not know what the messages
//! mean: Set Chunk Size and Abort Message are read in `link`, which sets them in the decoder.

mod decoder;
mod encoder;

pub use decoder::{ChunkDecoder, CompleteMessage, Limits};
pub use encoder::ChunkEncoder;

/// Chunk size before any Set Chunk Size (§5.4.1), in bytes.
pub const DEFAULT_CHUNK_SIZE: usize = 128;

/// Largest chunk size that makes a difference: no message is longer (§5.4.1).
pub const MAX_CHUNK_SIZE: usize = 0xFF_FFFF;

/// Value of the 24-bit timestamp field that announces the extended timestamp (§5.3.1.3).
const EXTENDED: u32 = 0xFF_FFFF;

#[cfg(test)]
mod tests;
