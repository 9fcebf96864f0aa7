//! What a session begins with, and what it tells.

use core::net::SocketAddr;

use super::keying::SessionKeys;

/// What two ends agreed on: a session that can begin.
#[derive(Debug)]
pub struct Opened {
    /// Whether this end is the initiator.
    pub is_initiator: bool,
    /// The session's ID at this end.
    pub session_id: u32,
    /// Its ID at the peer.
    pub peer_session_id: u32,
    /// The peer's address.
    pub peer: SocketAddr,
    /// The keys.
    pub keys: SessionKeys,
    /// The rest of datagrams that came before the keys were known.
    pub early: Vec<Vec<u8>>,
}

/// Something that happened to a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowEvent {
    /// The peer opened a flow. Refuse it with [`super::Session::reject`] if it is for nothing known.
    FlowOpened {
        /// Its ID, the peer's number.
        flow_id: u64,
        /// What it is for.
        metadata: Vec<u8>,
        /// The flow of this end that it answers.
        association: Option<u64>,
    },
    /// A message came.
    Message {
        /// Its flow.
        flow_id: u64,
        /// The message.
        message: Vec<u8>,
    },
    /// The peer ended a flow, and all of it has come.
    FlowEnded {
        /// Its ID.
        flow_id: u64,
    },
    /// The peer refused a flow of this end.
    FlowRejected {
        /// Its ID, this end's number.
        flow_id: u64,
    },
}

/// What an event holds of the bytes that are bounded by a session's limit.
pub(super) fn event_bytes(event: &FlowEvent) -> usize {
    match event {
        FlowEvent::Message { message, .. } => message.len() + EVENT_COST,
        _ => 0,
    }
}

/// What a message that waits costs in addition to its bytes.
pub(super) const EVENT_COST: usize = 64;
