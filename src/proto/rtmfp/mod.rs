//! RTMFP (RFC 7016), with the cryptography and the messages of Flash (RFC 7425): RTMP's messages over UDP.
//!
//! ```text
//! codec    numbers, options, addresses              packet     datagrams, packets, chunks
//! cipher   how packets are protected                keying     certificates, key agreement
//! startup  the chunks that open a session           initiator, responder     who sends which of them, and when
//! flow     the chunks of flows                      incoming, outgoing       what is kept of them
//! clock, congestion                                 session    all of it, once it is open
//! message  RTMP's messages on flows                connection as an RTMP connection: bytes of a chunk stream
//! ```
//!
//! Datagrams in, datagrams and messages out. Does not let peers meet peers (P2P), and a session does not follow an address
//! that changes.

pub mod cipher;
mod clock;
pub mod codec;
mod congestion;
mod connection;
mod events;
pub mod flow;
mod incoming;
mod initiator;
pub mod keying;
pub mod message;
mod outgoing;
pub mod packet;
mod ranges;
mod responder;
mod session;
pub mod startup;
#[cfg(test)]
mod tests;
mod types;

pub use connection::Connection;
pub use events::{FlowEvent, Opened};
pub use initiator::{Initiator, Random};
pub use responder::{Answer, Responder};
pub use session::Session;
pub use types::Error;
