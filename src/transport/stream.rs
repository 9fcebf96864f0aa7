//! A connection with or without TLS, at either end: what RTMP, or an HTTP tunnel, runs over.

use std::net::SocketAddr;
use std::time::Instant;

use super::dial;
use super::error::{Error, Step};
use super::options::DialOptions;
use super::proxy_url::{Proxy, ProxyKind};
use super::tcp::TcpLink;
use super::tls::{Certificate, ClientTls, TlsLink};
use super::types::{Deadline, Recv, Timings};

/// Makes connections, any number of them, with the same options.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    options: DialOptions,
    tls: Option<ClientTls>,
}

impl Dialer {
    /// Reads the files for TLS, so that an invalid one is reported before connecting.
    pub(crate) fn new(options: &DialOptions) -> Result<Self, Error> {
        let tls = options.tls.as_ref().map(|tls| ClientTls::new(tls, &options.host)).transpose()?;
        Ok(Dialer { options: options.clone(), tls })
    }

    /// The options it was made from.
    pub(crate) fn options(&self) -> &DialOptions {
        &self.options
    }

    /// The HTTP proxy that forwards a tunnel's requests itself, without CONNECT: only without TLS.
    pub(crate) fn gateway(&self) -> Option<&Proxy> {
        let http = |proxy: &&Proxy| proxy.kind == ProxyKind::Http;
        self.options.proxy.as_ref().filter(http).filter(|_| self.options.tunnel.is_some() && self.tls.is_none())
    }

    /// Connects.
    pub(crate) fn open(&self, deadline: &Deadline, timings: &mut Timings) -> Result<Stream, Error> {
        let mut tcp = dial::dial(&self.options, self.gateway().is_none(), deadline, timings)?;
        let Some(tls) = &self.tls else {
            tcp.set_step(Step::Exchange);
            return Ok(Stream::Tcp(tcp));
        };
        let began = Instant::now();
        let link = tls.connect(tcp, deadline)?;
        timings.tls = Some(began.elapsed());
        Ok(Stream::Tls(Box::new(link)))
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// TCP.
    Tcp(TcpLink),
    /// TLS over TCP.
    Tls(Box<TlsLink>),
}

impl Stream {
    /// See [`crate::transport::Transport::recv`].
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        match self {
            Stream::Tcp(link) => link.recv(buf, until),
            Stream::Tls(link) => link.recv(buf, until),
        }
    }

    /// See [`crate::transport::Transport::send`].
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Stream::Tcp(link) => link.send(bytes),
            Stream::Tls(link) => link.send(bytes),
        }
    }

    /// Closes the sending side.
    pub(crate) fn finish(&mut self) {
        match self {
            Stream::Tcp(link) => link.finish(),
            Stream::Tls(link) => link.finish(),
        }
    }

    /// Sets the step that later errors name.
    pub(crate) fn set_step(&mut self, step: Step) {
        match self {
            Stream::Tcp(link) => link.set_step(step),
            Stream::Tls(link) => link.set_step(step),
        }
    }

    /// See [`crate::transport::Transport::set_quickack`].
    pub(crate) fn set_quickack(&mut self, on: bool) {
        match self {
            Stream::Tcp(link) => link.set_quickack(on),
            Stream::Tls(link) => link.set_quickack(on),
        }
    }

    /// See [`crate::transport::Transport::tls`].
    pub(crate) fn tls(&self) -> Option<String> {
        match self {
            Stream::Tcp(_) => None,
            Stream::Tls(link) => link.agreed(),
        }
    }

    /// See [`crate::transport::Transport::certificate`].
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        match self {
            Stream::Tcp(_) => None,
            Stream::Tls(link) => link.certificate(),
        }
    }

    /// The other end.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        match self {
            Stream::Tcp(link) => link.peer_addr(),
            Stream::Tls(link) => link.peer_addr(),
        }
    }
}
