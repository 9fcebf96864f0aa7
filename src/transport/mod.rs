//! Bytes to and from a server: TCP, proxies, TLS, the HTTP tunnel. This room blocks; it knows nothing of RTMP.
//!
//! ```text
//! dial (resolve, happy eyeballs) ─► tcp ─► [proxy] ─► [tls] ─► [rtmpt] ─► Transport
//! ```
//!
//! A [`Transport`] is opened from [`DialOptions`] and then offers two calls: [`Transport::send`], which returns when all
//! bytes are on their way, and [`Transport::recv`], which returns with bytes, at a tick, or at the end. Every wait in here
//! is bounded by a time limit and looks at the [`Interrupt`] at least every 200 ms, so the caller's loop stays in charge.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::error::{Error, Phase};

mod dial;
mod interrupt;
pub mod listen;
mod pipe;
mod proxy;
mod resolve;
mod rtmpt;
mod tcp;
mod tls;

pub use interrupt::Interrupt;
use pipe::{Dialer, Pipe};
pub use proxy::{Proxy, ProxyKind};
use rtmpt::Tunnel;
pub use rtmpt::TunnelOptions;
pub use tls::{Certificate, Pins, ServerTlsOptions, TlsOptions};

/// What [`Transport::recv`] came back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recv {
    /// So many bytes were written to the front of the buffer; never 0.
    Bytes(usize),
    /// A tick (200 ms at most), the deadline or a signal came first: nothing was received, nothing is wrong.
    Idle,
    /// The peer has finished sending and said so: a FIN, with TLS a close_notify before it.
    Closed,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Host name or address; an IPv6 literal with or without brackets, a zone written `%eth0` or `%25eth0`.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Restricts the addresses to one family. Without it IPv6 and IPv4 are raced as RFC 8305 has it.
    pub family: Option<Family>,
    /// TLS, and whom to trust in it.
    pub tls: Option<TlsOptions>,
    /// RTMPT: an HTTP tunnel.
    pub tunnel: Option<TunnelOptions>,
    /// Proxy to go through.
    pub proxy: Option<Proxy>,
    /// Local address to connect from.
    pub bind: Option<IpAddr>,
    /// Limit for everything [`Transport::open`] does, taken together. Also for a tunnel's later reconnections, each.
    pub connect_timeout: Duration,
    /// Limit for one [`Transport::send`].
    pub write_timeout: Duration,
}

impl Default for DialOptions {
    fn default() -> Self {
        DialOptions {
            host: String::new(),
            port: 1935,
            family: None,
            tls: None,
            tunnel: None,
            proxy: None,
            bind: None,
            connect_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
        }
    }
}

/// How long each step of [`Transport::open`] took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Looking up the host name (the proxy's name, when there is a proxy).
    pub resolve: Duration,
    /// TCP connection set-up, from the first attempt to the first success.
    pub connect: Duration,
    /// Talking to the proxy, if there was one.
    pub proxy: Option<Duration>,
    /// TLS handshake, if there was one.
    pub tls: Option<Duration>,
    /// Opening the HTTP tunnel, if there was one.
    pub tunnel: Option<Duration>,
}

/// An open connection to a server.
#[derive(Debug)]
pub struct Transport {
    link: Link,
    timings: Timings,
}

#[derive(Debug)]
enum Link {
    Pipe(Pipe),
    Tunnel(Box<Tunnel>),
}

impl Transport {
    /// Resolves, connects and sets up every layer that the options ask for.
    ///
    /// # Errors
    /// `Timeout` naming the step at which `connect_timeout` ran out; `Refused` when a layer said no, with the reason;
    /// `Closed` when the server hung up during a step; `Io` when the system did; `Interrupted` within 250 ms of
    /// [`Interrupt::raise`].
    pub fn open(options: &DialOptions, interrupt: &Interrupt) -> Result<Transport, Error> {
        let mut timings = Timings::default();
        let dialer = Dialer::new(options)?;
        let deadline = Deadline::new(options.connect_timeout, interrupt);
        let link = if options.tunnel.is_some() {
            Link::Tunnel(Box::new(Tunnel::open(dialer, &deadline, &mut timings)?))
        } else {
            Link::Pipe(dialer.open(&deadline, &mut timings)?)
        };
        let mut transport = Transport { link, timings };
        transport.set_phase(Phase::Handshake);
        Ok(transport)
    }

    /// Sends all of `bytes`. A tunnel whose server still answers keeps them for the next [`Transport::recv`] that finds the
    /// answer complete: one POST at a time.
    ///
    /// A raised [`Interrupt`] does not keep bytes from being sent that the system takes at once, so that a farewell can
    /// still be said.
    ///
    /// # Errors
    /// `WriteTimeout` when the peer takes nothing for the write timeout, `Interrupted` when a signal comes while waiting for
    /// it, `Io` otherwise.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.link {
            Link::Pipe(link) => link.send(bytes),
            Link::Tunnel(link) => link.send(bytes),
        }
    }

    /// Receives into `buf`, which must not be empty, waiting for bytes until `until` (not at all when that has passed) or
    /// the next tick. Large buffers make for few system calls.
    ///
    /// # Errors
    /// `Io` when the connection broke (reset, keepalive ran out); of kind `UnexpectedEof` when it ended without the end
    /// being said in TLS, so that what was received may be incomplete.
    pub fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        match &mut self.link {
            Link::Pipe(link) => link.recv(buf, until),
            Link::Tunnel(link) => link.recv(buf, until),
        }
    }

    /// Says that nothing more will be sent, in each layer's own way. What the peer still sends can be received.
    pub fn shutdown(&mut self) {
        match &mut self.link {
            Link::Pipe(link) => link.finish(),
            Link::Tunnel(link) => link.finish(),
        }
    }

    /// Names the step that later errors are about; [`Phase::Handshake`] at first.
    pub fn set_phase(&mut self, phase: Phase) {
        match &mut self.link {
            Link::Pipe(link) => link.set_phase(phase),
            Link::Tunnel(link) => link.set_phase(phase),
        }
    }

    /// While on, received bytes are acknowledged at once instead of up to 40 ms later, so that a server's Nagle algorithm
    /// does not hold back its next small answer. Costs system calls: meant for the time until media flows. Linux only.
    pub fn set_quickack(&mut self, on: bool) {
        match &mut self.link {
            Link::Pipe(link) => link.set_quickack(on),
            Link::Tunnel(link) => link.set_quickack(on),
        }
    }

    /// The address connected to: the server's, or the proxy's when there is one.
    pub fn peer_addr(&self) -> SocketAddr {
        match &self.link {
            Link::Pipe(link) => link.peer_addr(),
            Link::Tunnel(link) => link.peer_addr(),
        }
    }

    /// Version and cipher suite of TLS, where there is TLS. A tunnel between two connections does not tell.
    pub fn tls(&self) -> Option<String> {
        match &self.link {
            Link::Pipe(link) => link.tls(),
            Link::Tunnel(link) => link.tls(),
        }
    }

    /// The server's certificate, where there is TLS. A tunnel between two connections does not tell.
    pub fn certificate(&self) -> Option<Certificate> {
        match &self.link {
            Link::Pipe(link) => link.certificate(),
            Link::Tunnel(link) => link.certificate(),
        }
    }

    /// How long the steps of opening took.
    pub fn timings(&self) -> Timings {
        self.timings
    }
}

/// Longest time any wait goes without looking at the interrupt and the deadline.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// The time limit and the interrupt of a connection set-up, carried through its layers.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
    interrupt: Interrupt,
}

impl Deadline {
    /// Begins now and ends after `limit`.
    pub(crate) fn new(limit: Duration, interrupt: &Interrupt) -> Self {
        // A limit too large for the clock means "no limit"; a hundred years serve as well.
        let now = Instant::now();
        let at = now.checked_add(limit).unwrap_or(now + Duration::from_secs(100 * 365 * 86_400));
        Deadline { at, limit, interrupt: interrupt.clone() }
    }

    /// Fails when interrupted or when the time is over.
    pub(crate) fn check(&self, phase: Phase) -> Result<(), Error> {
        if self.interrupt.is_set() {
            Err(Error::Interrupted)
        } else if Instant::now() >= self.at {
            Err(Error::Timeout { phase, after: self.limit })
        } else {
            Ok(())
        }
    }

    /// Time that is left.
    pub(crate) fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// How long one wait may last before [`Deadline::check`] is due again.
    pub(crate) fn slice(&self) -> Duration {
        self.remaining().min(TICK).max(Duration::from_millis(1))
    }

    /// The interrupt it looks at.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_beyond_the_clock_is_no_deadline() {
        let deadline = Deadline::new(Duration::MAX, &Interrupt::default());
        assert!(deadline.check(Phase::Connect).is_ok());
    }

    #[test]
    fn a_deadline_names_phase_and_limit() {
        let deadline = Deadline::new(Duration::ZERO, &Interrupt::default());
        match deadline.check(Phase::Proxy) {
            Err(Error::Timeout { phase: Phase::Proxy, after }) => assert_eq!(after, Duration::ZERO),
            other => panic!("{other:?}"),
        }
    }
}
