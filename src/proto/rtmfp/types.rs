//! What several files here share.

/// Why a session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No RHello came.
    #[error("no answer to the hello (is it an RTMFP server, and UDP not blocked?)")]
    NoHello,
    /// As before, with a fingerprint asked for.
    #[error("no answer from a server with this fingerprint (a server with another one does not answer)")]
    NoHelloForFingerprint,
    /// No RIKeying came.
    #[error("the server answered the hello but not the key agreement")]
    NoKeying,
    /// The peer's certificate and component have no public key of the group.
    #[error("the peer has no public key of the 1024-bit group")]
    NoKey,
    /// The peer's public key would make the secret known.
    #[error("weak public key")]
    WeakKey,
    /// An end requires HMACs or sequence numbers that the other will not send.
    #[error("no agreement on authentication of packets")]
    Requirement,
    /// The peer rejected the flow of the NetConnection.
    #[error("the peer rejected the control flow")]
    ControlFlowRejected,
    /// The peer rejected the flow of a NetStream.
    #[error("the peer rejected the flow of stream {0}")]
    FlowRejected(u32),
    /// What was sent is not acknowledged.
    #[error("nothing was acknowledged for {} s", RETRANSMISSION_LIMIT_MS / 1000)]
    Unacknowledged,
    /// Nothing was received, not even replies to pings.
    #[error("no packet for {} s", IDLE_LIMIT_MS / 1000)]
    Idle,
}

/// Milliseconds for which data is sent again without any acknowledgement.
pub(super) const RETRANSMISSION_LIMIT_MS: u64 = 30_000;

/// Milliseconds after which a peer of which nothing is heard is given up.
pub(super) const IDLE_LIMIT_MS: u64 = 120_000;
