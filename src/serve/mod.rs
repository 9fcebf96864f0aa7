//! A small RTMP server for tests and demos: FLV files on demand and a live test stream, one thread per client.
//!
//! ```text
//! server ─► accept ─► thread: ClientConnection = ServerSession (proto) + ServerStream (transport) + Stream…
//!                                                                                    Stream = Source (file, pattern) + pace
//! ```
//!
//! It blocks and reads the clock; the protocol is in `proto::server`. It does not accept publishers.

mod catalogue;
mod connection;
mod file;
mod server;
mod shared;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod types;

pub use catalogue::Catalogue;
pub use file::Index;
pub use server::{Endpoint, Server};
pub use types::{Listen, Log, LogEntry, Pace, SeekStyle, ServeError, ServeOptions};
