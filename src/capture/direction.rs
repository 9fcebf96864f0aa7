//! The two directions of a connection.

/// The sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client, which opened the connection.
    Client,
    /// The server.
    Server,
}
