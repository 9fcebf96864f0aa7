//! Captures of conversations: written for Wireshark, read from whoever made them.
//!
//! ```text
//! bytes of a file ─► file: packets ─► segment: TCP segments ─► connections: in order, by direction ─► conversation: messages
//!                                            (RTMPT: tunnel: sessions, by ID, of the connections' HTTP) ─┘
//! bytes sent, received ─► synthetic: packets of a TCP connection that never was ─► bytes of a file
//! ```
//!
//! Bytes in, bytes and messages out; times are arguments. Everything in a capture is hostile: what is held is bounded, what
//! cannot be read is said and passed over. Neither TLS nor RTMPE of others are looked into.

pub mod connections;
pub mod conversation;
pub mod direction;
pub mod event;
pub mod file;
pub mod reassembly;
pub mod segment;
pub mod synthetic;
pub mod tunnel;

pub use direction::Direction;
