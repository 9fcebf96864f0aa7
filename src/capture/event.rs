//! What is found in a capture.

use std::net::SocketAddr;

use super::conversation::Seen;
use super::direction::Direction;

/// Something in a capture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// A connection, met for the first time.
    Opened {
        /// The client's address.
        client: SocketAddr,
        /// The server's address.
        server: SocketAddr,
    },
    /// An event of one direction.
    Said(Direction, Seen<'a>),
    /// So many bytes of what this end said are not in the capture; nothing of it can be read from here on.
    Lost(Direction, u64),
    /// It was closed or reset.
    Closed,
}
