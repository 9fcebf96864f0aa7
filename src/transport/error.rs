//! What can go wrong with a connection, typed: which step, and what.

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
    /// Talking to a SOCKS or HTTP proxy.
    Proxy,
    /// TLS handshake.
    Tls,
    /// Opening the HTTP tunnel, and later what its server answers.
    Tunnel,
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
            Step::Exchange => "connection",
        })
    }
}

/// An error of a connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system or TLS said no.
    #[error("{step}: {}", os_words(source))]
    Io {
        /// Where it was.
        step: Step,
        /// What the system said.
        source: io::Error,
    },
    /// A step took longer than allowed.
    #[error("{step} timed out after {} s", after.as_secs_f64())]
    Timeout {
        /// Where it was.
        step: Step,
        /// The limit that ran out.
        after: Duration,
    },
    /// The peer did not take what was to be sent.
    #[error("send timed out: peer accepted no data for {} s", after.as_secs_f64())]
    WriteTimeout {
        /// Where it was.
        step: Step,
        /// The limit that ran out.
        after: Duration,
    },
    /// The peer closed the connection.
    #[error("{step}: closed by the peer")]
    Closed {
        /// Where it was.
        step: Step,
    },
    /// A layer refused: TLS certificate, proxy, HTTP tunnel, host name.
    #[error("{step}: {reason}")]
    Refused {
        /// Which layer.
        step: Step,
        /// Why, and what can be done.
        reason: String,
    },
    /// A signal asked to stop.
    #[error("interrupted")]
    Interrupted,
}
