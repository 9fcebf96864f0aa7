//! A connection with or without TLS: what RTMP, or an HTTP tunnel, runs over.

use std::net::SocketAddr;
use std::time::Instant;

use super::tcp::TcpLink;
use super::tls::{ClientLink, ClientTls};
use super::{Certificate, Deadline, DialOptions, Proxy, ProxyKind, Recv, Timings, dial};
use crate::error::{Error, Phase};

/// How to get a connection, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    options: DialOptions,
    tls: Option<ClientTls>,
}

impl Dialer {
    /// Reads what TLS needs, so that a wrong file is known before anything is connected.
    pub(crate) fn new(options: &DialOptions) -> Result<Self, Error> {
        let tls = options.tls.as_ref().map(|tls| ClientTls::new(tls, &options.host)).transpose()?;
        Ok(Dialer { options: options.clone(), tls })
    }

    /// What it was made from.
    pub(crate) fn options(&self) -> &DialOptions {
        &self.options
    }

    /// The HTTP proxy that takes a tunnel's requests itself, instead of connecting through: only where no TLS is in them.
    pub(crate) fn gateway(&self) -> Option<&Proxy> {
        let http = |proxy: &&Proxy| proxy.kind == ProxyKind::Http;
        self.options.proxy.as_ref().filter(http).filter(|_| self.options.tunnel.is_some() && self.tls.is_none())
    }

    /// Connects.
    pub(crate) fn open(&self, deadline: &Deadline, timings: &mut Timings) -> Result<Pipe, Error> {
        let tcp = dial::dial(&self.options, self.gateway().is_none(), deadline, timings)?;
        let Some(tls) = &self.tls else { return Ok(Pipe::Tcp(tcp)) };
        let began = Instant::now();
        let link = tls.connect(tcp, deadline)?;
        timings.tls = Some(began.elapsed());
        Ok(Pipe::Tls(Box::new(link)))
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) enum Pipe {
    /// TCP.
    Tcp(TcpLink),
    /// TLS over TCP.
    Tls(Box<ClientLink>),
}

impl Pipe {
    /// See [`super::Transport::recv`].
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        match self {
            Pipe::Tcp(link) => link.recv(buf, until),
            Pipe::Tls(link) => link.recv(buf, until),
        }
    }

    /// See [`super::Transport::send`].
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Pipe::Tcp(link) => link.send(bytes),
            Pipe::Tls(link) => link.send(bytes),
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        match self {
            Pipe::Tcp(link) => link.finish(),
            Pipe::Tls(link) => link.finish(),
        }
    }

    /// See [`super::Transport::set_phase`].
    pub(crate) fn set_phase(&mut self, phase: Phase) {
        match self {
            Pipe::Tcp(link) => link.set_phase(phase),
            Pipe::Tls(link) => link.set_phase(phase),
        }
    }

    /// See [`super::Transport::set_quickack`].
    pub(crate) fn set_quickack(&mut self, on: bool) {
        match self {
            Pipe::Tcp(link) => link.set_quickack(on),
            Pipe::Tls(link) => link.set_quickack(on),
        }
    }

    /// See [`super::Transport::tls`].
    pub(crate) fn tls(&self) -> Option<String> {
        match self {
            Pipe::Tcp(_) => None,
            Pipe::Tls(link) => link.agreed(),
        }
    }

    /// See [`super::Transport::certificate`].
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        match self {
            Pipe::Tcp(_) => None,
            Pipe::Tls(link) => link.certificate(),
        }
    }

    /// The other end.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        match self {
            Pipe::Tcp(link) => link.peer_addr(),
            Pipe::Tls(link) => link.peer_addr(),
        }
    }
}
