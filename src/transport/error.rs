//! Errors of a connection: which step failed, and why.

use std::io;
use std::time::Duration;

use crate::util::text::os_words;

/// A step of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Looking up the host name.
    Resolve,
    /// TCP connection set-up.
    Connect,
    /// SOCKS or HTTP proxy negotiation.
    Proxy,
    /// TLS handshake.
    Tls,
    /// Opening the HTTP tunnel, and later errors of its HTTP responses.
    Tunnel,
    /// Opening a session over UDP.
    Session,
    /// Open: bytes are exchanged.
    Exchange,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::Resolve => "name resolution",
            Step::Connect => "TCP connect",
            Step::Proxy => "proxy",
            Step::Tls => "TLS handshake",
            Step::Tunnel => "HTTP tunnel",
            Step::Session => "UDP session",
            Step::Exchange => "connection",
        })
    }
}

/// An error of a connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error of the operating system or of TLS.
    #[error("{step}: {}", os_words(source))]
    Io {
        /// The step that failed.
        step: Step,
        /// The underlying error.
        source: io::Error,
    },
    /// A step took longer than allowed.
    #[error("{step} timed out after {} s", after.as_secs_f64())]
    Timeout {
        /// The step that failed.
        step: Step,
        /// The limit that was exceeded.
        after: Duration,
    },
    /// The peer accepted no data.
    #[error("send timed out: peer accepted no data for {} s", after.as_secs_f64())]
    WriteTimeout {
        /// The step that failed.
        step: Step,
        /// The limit that was exceeded.
        after: Duration,
    },
    /// The peer closed the connection.
    #[error("{step}: closed by the peer")]
    Closed {
        /// The step that failed.
        step: Step,
    },
    /// A layer refused: TLS certificate, proxy, HTTP tunnel, host name.
    #[error("{step}: {reason}")]
    Refused {
        /// The layer that refused.
        step: Step,
        /// The reason, and what to do.
        reason: String,
    },
    /// A signal asked to stop.
    #[error("interrupted")]
    Interrupted,
}
