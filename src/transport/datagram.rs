//! A stream of bytes that a protocol carries in datagrams: the UDP sockets and the clock for it. What the protocol is, is
//! its own affair.
//!
//! ```text
//! send ─► DatagramProtocol::write ─► transmit ─► UDP          UDP ─► receive ─► DatagramProtocol::read ─► recv
//! ```

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::datagram_protocol::{DatagramConnector, DatagramProtocol};
use super::error::{Error, Step};
use super::interrupt::Interrupt;
use super::options::DialOptions;
use super::resolve;
use super::types::{Deadline, Recv, Timings};
use crate::util::time::POLL_INTERVAL;

/// An open connection over datagrams.
#[derive(Debug)]
pub(crate) struct DatagramLink {
    protocol: Box<dyn DatagramProtocol>,
    datagrams: Datagrams,
    clock: Instant,
    peer: SocketAddr,
    write_timeout: Duration,
    interrupt: Interrupt,
}

impl DatagramLink {
    /// Resolves, and opens a session by the protocol that `connector` makes.
    pub(crate) fn open(
        options: &DialOptions,
        connector: &DatagramConnector,
        deadline: &Deadline,
        timings: &mut Timings,
    ) -> Result<Self, Error> {
        if options.proxy.is_some() {
            // Whoever names a proxy may not want the server to see where they are.
            let reason = "UDP does not go through a proxy (use another scheme, or no proxy)".to_owned();
            return Err(Error::Refused { step: Step::Proxy, reason });
        }
        let began = Instant::now();
        let addresses = resolve::resolve(&options.host, options.port, options.family, deadline)?;
        timings.resolve = began.elapsed();
        let began = Instant::now();
        let mut link = Self {
            protocol: connector.connect(&addresses)?,
            datagrams: Datagrams::Own(
                Sockets::bind(options.bind).map_err(|source| Error::Io { step: Step::Session, source })?,
            ),
            clock: began,
            peer: SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            write_timeout: options.write_timeout,
            interrupt: deadline.interrupt().clone(),
        };
        while !link.protocol.is_open() {
            link.exchange(Instant::now() + deadline.wait_slice())?;
            deadline.check(Step::Session)?;
        }
        link.peer = link.protocol.peer().unwrap_or(link.peer);
        if let Datagrams::Own(sockets) = &mut link.datagrams {
            sockets.keep_only(link.peer);
        }
        timings.connect = began.elapsed();
        Ok(link)
    }

    /// A session that a client has opened at a listener whose clock this is.
    pub(super) fn accepted(
        protocol: Box<dyn DatagramProtocol>,
        socket: SharedSocket,
        clock: Instant,
        write_timeout: Duration,
        interrupt: &Interrupt,
    ) -> Self {
        let peer = socket.peer;
        let datagrams = Datagrams::Shared(socket);
        Self { protocol, datagrams, clock, peer, write_timeout, interrupt: interrupt.clone() }
    }

    /// See [`super::Transport::recv`].
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        let until = until.min(Instant::now() + POLL_INTERVAL);
        let mut has_looked = false;
        loop {
            let count = self.protocol.read(buf);
            if count > 0 {
                return Ok(Recv::Bytes(count));
            }
            if self.protocol.is_closed() {
                return self.failure().map_or(Ok(Recv::Closed), Err);
            }
            if has_looked && (Instant::now() >= until || self.interrupt.is_set()) {
                return Ok(Recv::Idle);
            }
            has_looked = true;
            self.exchange(until)?;
        }
    }

    /// See [`super::Transport::send`]. Returns while as much as fits into a sender's usual buffer is not acknowledged.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.protocol
            .write(bytes)
            .map_err(|reason| Error::Io { step: Step::Exchange, source: io::Error::other(reason) })?;
        self.transmit()?;
        let (mut least, mut since) = (self.protocol.unsent(), Instant::now());
        while self.protocol.unsent() > MAX_UNSENT {
            if self.interrupt.is_set() {
                return Err(Error::Interrupted);
            }
            if self.protocol.is_closed() {
                let closed = io::Error::from(io::ErrorKind::BrokenPipe);
                return Err(self.failure().unwrap_or(Error::Io { step: Step::Exchange, source: closed }));
            }
            if since.elapsed() >= self.write_timeout {
                return Err(Error::WriteTimeout { step: Step::Exchange, after: self.write_timeout });
            }
            self.exchange(Instant::now() + POLL_INTERVAL)?;
            if self.protocol.unsent() < least {
                (least, since) = (self.protocol.unsent(), Instant::now());
            }
        }
        Ok(())
    }

    /// Closes the session, and waits a moment for the peer to confirm it.
    pub(crate) fn finish(&mut self) {
        self.protocol.close(self.now_ms());
        let until = Instant::now() + CLOSE_WAIT;
        while !self.protocol.is_closed() && Instant::now() < until {
            if self.exchange(until.min(Instant::now() + POLL_INTERVAL)).is_err() {
                return;
            }
        }
    }

    /// The other end.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Sends what is due, then waits for datagrams until `until` or something else is due, and takes those that are there.
    fn exchange(&mut self, until: Instant) -> Result<(), Error> {
        self.transmit()?;
        let wake = self.protocol.wake_at_ms().map(|at| self.clock + Duration::from_millis(at));
        let until = wake.map_or(until, |wake| wake.min(until));
        let mut buffer = [0; MAX_DATAGRAM];
        let left = until.saturating_duration_since(Instant::now()).min(POLL_INTERVAL);
        let mut wait = if left.is_zero() { left } else { left.max(LEAST_WAIT) };
        for _ in 0..MAX_BATCH {
            match self.datagrams.receive(&mut buffer, wait) {
                Ok(Some((count, from))) => {
                    let now_ms = self.now_ms();
                    self.protocol.receive(buffer.get(..count).unwrap_or_default(), from, now_ms);
                }
                Ok(None) => break,
                Err(source) => return Err(Error::Io { step: Step::Exchange, source }),
            }
            wait = Duration::ZERO;
        }
        self.transmit()?;
        self.failure().map_or(Ok(()), Err)
    }

    fn transmit(&mut self) -> Result<(), Error> {
        let now_ms = self.now_ms();
        while let Some((to, datagram)) = self.protocol.transmit(now_ms) {
            self.datagrams.send(&datagram, to);
        }
        Ok(())
    }

    /// Why the protocol failed: to open a session, or in one, which then is broken.
    fn failure(&self) -> Option<Error> {
        let reason = self.protocol.failure(self.now_ms())?;
        Some(match self.protocol.is_open() {
            false => Error::Refused { step: Step::Session, reason },
            true => Error::Io { step: Step::Exchange, source: io::Error::other(reason) },
        })
    }

    fn now_ms(&self) -> u64 {
        self.clock.elapsed().as_millis() as u64
    }
}

/// Where datagrams come from and go to.
#[derive(Debug)]
enum Datagrams {
    /// This connection's own sockets.
    Own(Sockets),
    /// A listener's.
    Shared(SharedSocket),
}

impl Datagrams {
    /// Sends a datagram. One that the system does not take is lost, as on the way; the protocol sends it again.
    fn send(&self, datagram: &[u8], to: SocketAddr) {
        match self {
            Datagrams::Own(sockets) => sockets.send(datagram, to),
            Datagrams::Shared(shared) => drop(shared.socket.send_to(datagram, to)),
        }
    }

    /// Waits for a datagram.
    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<(usize, SocketAddr)>> {
        match self {
            Datagrams::Own(sockets) => sockets.receive(buffer, wait),
            Datagrams::Shared(shared) => shared.receive(buffer, wait),
        }
    }
}

/// A listener's socket, seen by one of its sessions.
#[derive(Debug)]
pub(super) struct SharedSocket {
    pub(super) socket: Arc<UdpSocket>,
    /// Datagrams for this session, and where they came from.
    pub(super) arrivals: Receiver<(Vec<u8>, SocketAddr)>,
    pub(super) peer: SocketAddr,
}

impl SharedSocket {
    fn receive(&self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<(usize, SocketAddr)>> {
        match self.arrivals.recv_timeout(wait) {
            Ok((datagram, from)) => {
                buffer.iter_mut().zip(&datagram).for_each(|(to, from)| *to = *from);
                Ok(Some((datagram.len().min(buffer.len()), from)))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// A socket for each address family.
#[derive(Debug)]
struct Sockets {
    v4: Option<Socket>,
    v6: Option<Socket>,
}

impl Sockets {
    /// Binds to this address, or for both families to any; the system chooses the port.
    fn bind(local: Option<IpAddr>) -> io::Result<Self> {
        let bind = |ip: IpAddr| Socket::bind(SocketAddr::new(ip, 0));
        match local {
            Some(ip) if ip.is_ipv4() => Ok(Self { v4: Some(bind(ip)?), v6: None }),
            Some(ip) => Ok(Self { v4: None, v6: Some(bind(ip)?) }),
            None => {
                let (v4, v6) = (bind(Ipv4Addr::UNSPECIFIED.into()), bind(Ipv6Addr::UNSPECIFIED.into()));
                match (v4, v6) {
                    (Err(error), Err(_)) => Err(error),
                    (v4, v6) => Ok(Self { v4: v4.ok(), v6: v6.ok() }),
                }
            }
        }
    }

    /// Closes the socket that is not needed for this peer.
    fn keep_only(&mut self, peer: SocketAddr) {
        if peer.is_ipv4() { self.v6 = None } else { self.v4 = None }
    }

    fn send(&self, datagram: &[u8], to: SocketAddr) {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        if let Some(socket) = socket {
            let _ = socket.socket.send_to(datagram, to);
        }
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<(usize, SocketAddr)>> {
        match (&mut self.v4, &mut self.v6) {
            (Some(only), None) | (None, Some(only)) => only.receive(buffer, wait),
            (Some(one), Some(other)) => {
                // Only until the session is open: both are looked at in turn.
                let until = Instant::now() + wait;
                loop {
                    for socket in [&mut *one, &mut *other] {
                        if let Some(received) = socket.receive(buffer, wait.min(LEAST_WAIT))? {
                            return Ok(Some(received));
                        }
                    }
                    if Instant::now() >= until {
                        return Ok(None);
                    }
                }
            }
            (None, None) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// A UDP socket with bounded waits.
#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    /// The receive timeout that it has now; zero when it does not block.
    wait: Duration,
}

impl Socket {
    fn bind(local: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(local)?;
        // Where it fails, fewer datagrams may come at once.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        socket.set_read_timeout(Some(POLL_INTERVAL))?;
        Ok(Self { socket, wait: POLL_INTERVAL })
    }

    fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> io::Result<Option<(usize, SocketAddr)>> {
        self.set_wait(wait)?;
        match self.socket.recv_from(buffer) {
            Ok(received) => Ok(Some(received)),
            Err(error) if is_harmless(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_wait(&mut self, wait: Duration) -> io::Result<()> {
        if wait != self.wait {
            if wait.is_zero() || self.wait.is_zero() {
                self.socket.set_nonblocking(wait.is_zero())?;
            }
            if !wait.is_zero() {
                self.socket.set_read_timeout(Some(wait))?;
            }
            self.wait = wait;
        }
        Ok(())
    }
}

/// A pause, or what a datagram that was sent before has met: the peer's port is closed, which may be so only for now.
pub(super) fn is_harmless(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable, TimedOut, WouldBlock,
    };
    matches!(
        error.kind(),
        WouldBlock
            | TimedOut
            | Interrupted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
    )
}

/// Largest datagram that is received: the largest there is.
pub(super) const MAX_DATAGRAM: usize = 65_536;

/// Datagrams that are taken at once before what they brought is passed on.
const MAX_BATCH: usize = 64;

/// Bytes that are on their way, or wait for that, before a send waits.
const MAX_UNSENT: usize = 256 << 10;

/// Shortest wait: the resolution of the protocol's clock.
const LEAST_WAIT: Duration = Duration::from_millis(1);

/// How long the end of a session is waited for.
const CLOSE_WAIT: Duration = Duration::from_millis(1_500);

/// What the system is asked to keep of received datagrams, in bytes.
pub(super) const RECEIVE_BUFFER: usize = 2 << 20;
