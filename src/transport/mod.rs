//! Bytes to and from a server: TCP, proxies, TLS, the HTTP tunnel. This room blocks; it knows nothing of RTMP.
//!
//! ```text
//! tcp (resolve, happy eyeballs) ─► [proxy] ─► [tls] ─► [rtmpt] ─► Transport
//! ```

mod interrupt;
mod resolve;
mod tcp;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::error::{Error, Phase};

pub use interrupt::Interrupt;
use tcp::TcpTransport;

/// Where to connect, and how.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Host name or address (an IPv6 address without brackets, a zone behind `%`).
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Restricts the addresses to one family.
    pub family: Option<Family>,
    /// Local address to connect from.
    pub bind: Option<IpAddr>,
    /// For resolving, and again for connecting.
    pub connect_timeout: Duration,
    /// For writes that the peer does not take.
    pub write_timeout: Duration,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recv {
    /// So many bytes.
    Bytes(usize),
    /// Nothing yet: the time is over, a tick has passed or a signal came.
    Idle,
    /// The peer has closed its side.
    Closed,
}

/// How long the parts of getting there took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Resolving the name.
    pub resolve: Duration,
    /// TCP, proxies included.
    pub connect: Duration,
}

/// A connection that carries bytes.
#[derive(Debug)]
pub struct Transport {
    tcp: TcpTransport,
    timings: Timings,
}

impl Transport {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Timeout`], [`Error::Refused`] with the phase, [`Error::Interrupted`].
    pub fn open(options: &DialOptions, interrupt: &Interrupt) -> Result<Self, Error> {
        let (tcp, timings) = tcp::connect(options, interrupt)?;
        Ok(Self { tcp, timings })
    }

    /// Sends all bytes.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Timeout`] where the peer takes none for the write time-out.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.tcp.send(bytes)
    }

    /// Reads into `buffer`, which is not empty. Comes back empty-handed at `until`, a tick, or a signal.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn recv(&mut self, buffer: &mut [u8], until: Instant) -> Result<Recv, Error> {
        self.tcp.recv(buffer, until)
    }

    /// Acknowledge every segment at once (Linux): servers that send small replies with Nagle's algorithm on wait for it.
    pub fn set_quickack(&mut self, on: bool) {
        self.tcp.quickack = on;
    }

    /// What errors shall say was going on.
    pub fn set_phase(&mut self, phase: Phase) {
        self.tcp.phase = phase;
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.tcp.peer_addr()
    }

    /// How long getting there took.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// Ends the connection.
    pub fn shutdown(&mut self) {
        self.tcp.shutdown();
    }
}
