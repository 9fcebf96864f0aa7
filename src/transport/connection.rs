//! An open connection to a server, over TCP, TLS or an HTTP tunnel.

use std::net::SocketAddr;
use std::time::Instant;

use super::datagram::DatagramLink;
use super::error::Error;
use super::interrupt::Interrupt;
use super::options::DialOptions;
use super::rtmpt::Tunnel;
use super::stream::{Dialer, Stream};
use super::tls::Certificate;
use super::types::{Deadline, Recv, Timings};

/// An open connection to a server.
#[derive(Debug)]
pub struct Transport {
    link: Link,
    timings: Timings,
}

#[derive(Debug)]
enum Link {
    Stream(Stream),
    Tunnel(Box<Tunnel>),
    Datagrams(Box<DatagramLink>),
}

impl Transport {
    /// Resolves, connects and sets up every layer that the options ask for.
    ///
    /// # Errors
    /// `Timeout` naming the step at which `connect_timeout` ran out; `Refused` with the reason when a layer refused;
    /// `Closed` when the server closed the connection during a step; `Io` for system errors; `Interrupted` within 250 ms of
    /// [`Interrupt::raise`].
    pub fn open(options: &DialOptions, interrupt: &Interrupt) -> Result<Transport, Error> {
        let mut timings = Timings::default();
        let deadline = Deadline::new(options.connect_timeout, interrupt);
        if let Some(connector) = &options.datagrams {
            let link = DatagramLink::open(options, connector, &deadline, &mut timings)?;
            return Ok(Transport { link: Link::Datagrams(Box::new(link)), timings });
        }
        let dialer = Dialer::new(options)?;
        let link = if options.tunnel.is_some() {
            Link::Tunnel(Box::new(Tunnel::open(dialer, &deadline, &mut timings)?))
        } else {
            Link::Stream(dialer.open(&deadline, &mut timings)?)
        };
        Ok(Transport { link, timings })
    }

    /// Sends all of `bytes`. A tunnel whose server still answers keeps them for the next [`Transport::recv`] that finds the
    /// answer complete: one POST at a time.
    ///
    /// After [`Interrupt::raise`], bytes that the system accepts at once are still sent, so that the session can be closed
    /// properly.
    ///
    /// # Errors
    /// `WriteTimeout` when the peer accepts no data for the write timeout, `Interrupted` when a signal comes during that
    /// wait, `Io` otherwise.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.link {
            Link::Stream(link) => link.send(bytes),
            Link::Tunnel(link) => link.send(bytes),
            Link::Datagrams(link) => link.send(bytes),
        }
    }

    /// Receives into `buf`, which must not be empty, waiting for bytes until `until` (not at all when that has passed) or
    /// the next tick. Large buffers make for few system calls.
    ///
    /// # Errors
    /// `Io` when the connection broke (reset, keepalive timeout); of kind `UnexpectedEof` when TLS ended without
    /// close_notify, so that what was received may be incomplete.
    pub fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        match &mut self.link {
            Link::Stream(link) => link.recv(buf, until),
            Link::Tunnel(link) => link.recv(buf, until),
            Link::Datagrams(link) => link.recv(buf, until),
        }
    }

    /// Closes the sending side of each layer (FIN, TLS close_notify, HTTP `/close`). What the peer still sends can be
    /// received.
    pub fn shutdown(&mut self) {
        match &mut self.link {
            Link::Stream(link) => link.finish(),
            Link::Tunnel(link) => link.finish(),
            Link::Datagrams(link) => link.finish(),
        }
    }

    /// While on, received bytes are acknowledged at once instead of up to 40 ms later, so that a server's Nagle algorithm
    /// does not hold back its next small answer. Costs system calls: meant for the time until media flows. Linux only.
    pub fn set_quickack(&mut self, on: bool) {
        match &mut self.link {
            Link::Stream(link) => link.set_quickack(on),
            Link::Tunnel(link) => link.set_quickack(on),
            Link::Datagrams(_) => {}
        }
    }

    /// The address connected to: the server's, or the proxy's when there is one.
    pub fn peer_addr(&self) -> SocketAddr {
        match &self.link {
            Link::Stream(link) => link.peer_addr(),
            Link::Tunnel(link) => link.peer_addr(),
            Link::Datagrams(link) => link.peer_addr(),
        }
    }

    /// Version and cipher suite of TLS; `None` without TLS, and for a tunnel that has no connection at the moment.
    pub fn tls(&self) -> Option<String> {
        match &self.link {
            Link::Stream(link) => link.tls(),
            Link::Tunnel(link) => link.tls(),
            Link::Datagrams(_) => None,
        }
    }

    /// The server's certificate; `None` without TLS, and for a tunnel that has no connection at the moment.
    pub fn certificate(&self) -> Option<Certificate> {
        match &self.link {
            Link::Stream(link) => link.certificate(),
            Link::Tunnel(link) => link.certificate(),
            Link::Datagrams(_) => None,
        }
    }

    /// How long the steps of opening took.
    pub fn timings(&self) -> Timings {
        self.timings
    }
}
