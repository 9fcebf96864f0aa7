//! The server side, for `serve` and for tests: a listener, and a byte stream for each client.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::datagram::DatagramLink;
use super::datagram_listener::{self, DatagramAcceptor};
use super::datagram_protocol::DatagramResponder;
use super::error::{Error, Step};
use super::interrupt::Interrupt;
use super::options::ServerTlsOptions;
use super::rtmpt::{Registry, SessionStream};
use super::stream::Stream;
use super::tcp::TcpLink;
use super::tls::ServerTls;
use super::types::Recv;
use crate::util::time::POLL_INTERVAL;

/// The layers of a listener below RTMP.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// TLS with this certificate.
    pub tls: Option<ServerTlsOptions>,
    /// RTMPT: clients come with HTTP requests, each session is one stream.
    pub tunnel: bool,
    /// Limit for one [`ServerStream::send`]: a client that reads nothing for this time is disconnected.
    pub write_timeout: Duration,
}

impl Default for ListenOptions {
    fn default() -> Self {
        ListenOptions { tls: None, tunnel: false, write_timeout: Duration::from_secs(30) }
    }
}

/// A listening socket with a thread that accepts.
#[derive(Debug)]
pub struct Listener {
    local: SocketAddr,
    tls: Option<ServerTls>,
    arrivals: Receiver<ServerStream>,
    stop: Arc<AtomicBool>,
    is_udp: bool,
    acceptor: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens on the first of `address`'s addresses that can be bound. Port 0 takes a free one.
    ///
    /// # Errors
    /// `Io` when none can be bound, `Refused` when a certificate cannot be used.
    pub fn bind(
        address: impl ToSocketAddrs,
        options: &ListenOptions,
        interrupt: &Interrupt,
    ) -> Result<Listener, Error> {
        let io = |source| Error::Io { step: Step::Connect, source };
        let socket = TcpListener::bind(address).map_err(io)?;
        let local = socket.local_addr().map_err(io)?;
        let tls = options.tls.as_ref().map(|tls| ServerTls::new(tls, local)).transpose()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, arrivals) = mpsc::sync_channel(BACKLOG);
        let sessions = options.tunnel.then(|| {
            let sender = sender.clone();
            Registry::new(options.write_timeout, interrupt, move |session| {
                sender.send(ServerStream { end: End::Session(session) }).is_ok()
            })
        });
        let acceptor = Acceptor {
            sessions,
            socket,
            options: options.clone(),
            tls: tls.clone(),
            interrupt: interrupt.clone(),
            stop: stop.clone(),
            sender,
        };
        let acceptor = thread::Builder::new().name("accept".to_owned()).spawn(|| acceptor.run()).map_err(io)?;
        Ok(Listener { local, tls, arrivals, stop, is_udp: false, acceptor: Some(acceptor) })
    }

    /// Listens on UDP, for sessions that `responder` opens. Of the options only the write timeout counts.
    ///
    /// # Errors
    /// `Io` when no address can be bound.
    pub fn bind_datagrams(
        address: impl ToSocketAddrs,
        responder: Box<dyn DatagramResponder>,
        options: &ListenOptions,
        interrupt: &Interrupt,
    ) -> Result<Listener, Error> {
        let io = |source| Error::Io { step: Step::Session, source };
        let socket = datagram_listener::bind(address).map_err(io)?;
        let local = socket.local_addr().map_err(io)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, arrivals) = mpsc::sync_channel(BACKLOG);
        let acceptor = DatagramAcceptor {
            socket: Arc::new(socket),
            responder,
            write_timeout: options.write_timeout,
            interrupt: interrupt.clone(),
            stop: stop.clone(),
            sessions: BTreeMap::new(),
            clock: Instant::now(),
        };
        let arrived = move |link| sender.send(ServerStream { end: End::Datagrams(Box::new(link)) }).is_ok();
        let run = || acceptor.run(arrived);
        let acceptor = thread::Builder::new().name("accept".to_owned()).spawn(run).map_err(io)?;
        Ok(Listener { local, tls: None, arrivals, stop, is_udp: true, acceptor: Some(acceptor) })
    }

    /// The address it listens on, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The certificate that was made for this listener, as PEM, for clients to trust.
    pub fn made_certificate(&self) -> Option<&str> {
        self.tls.as_ref()?.made_pem.as_deref()
    }

    /// The next client; `None` when there was none until `until`, a tick (200 ms) at most.
    pub fn accept(&self, until: Instant) -> Option<ServerStream> {
        self.arrivals.recv_timeout(until.saturating_duration_since(Instant::now()).min(POLL_INTERVAL)).ok()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The acceptor may be blocked on a full queue, which ends with its receiver, or in accept, which ends with a
        // connection.
        self.arrivals = mpsc::sync_channel(1).1;
        if self.is_udp {
            // Its waits are short.
            if let Some(acceptor) = self.acceptor.take() {
                let _ = acceptor.join();
            }
            return;
        }
        let ip = match self.local.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let woken = TcpStream::connect_timeout(&SocketAddr::new(ip, self.local.port()), Duration::from_secs(1));
        if let (Ok(_), Some(acceptor)) = (woken, self.acceptor.take()) {
            let _ = acceptor.join();
        }
    }
}

/// Accepted clients that may wait for [`Listener::accept`]; more of them wait in the system's queue.
const BACKLOG: usize = 16;

/// Pause after a failed accept: the usual reason is a lack of file descriptors, and an immediate retry would fail too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

struct Acceptor {
    socket: TcpListener,
    options: ListenOptions,
    tls: Option<ServerTls>,
    interrupt: Interrupt,
    stop: Arc<AtomicBool>,
    sender: SyncSender<ServerStream>,
    /// With a tunnel: serves the HTTP connections.
    sessions: Option<Arc<Registry>>,
}

impl Acceptor {
    fn run(self) {
        loop {
            let accepted = self.socket.accept();
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            match accepted {
                Ok((socket, _)) => {
                    // Fails when the client has already disconnected: no error.
                    let Ok(stream) = self.greet(socket) else { continue };
                    match &self.sessions {
                        Some(sessions) => sessions.serve(stream),
                        None if self.sender.send(ServerStream { end: End::Stream(stream) }).is_err() => return,
                        None => {}
                    }
                }
                Err(_) => thread::sleep(ACCEPT_PAUSE),
            }
        }
    }

    fn greet(&self, socket: TcpStream) -> Result<Stream, Error> {
        let io = |source| Error::Io { step: Step::Connect, source };
        socket.set_nodelay(true).map_err(io)?;
        let mut link = TcpLink::new(socket, self.options.write_timeout, &self.interrupt).map_err(io)?;
        link.set_step(Step::Exchange);
        Ok(match &self.tls {
            Some(tls) => Stream::Tls(Box::new(tls.accept(link)?)),
            None => Stream::Tcp(link),
        })
    }
}

/// The byte stream of one client, over TCP, TLS or an HTTP tunnel.
#[derive(Debug)]
pub struct ServerStream {
    end: End,
}

#[derive(Debug)]
enum End {
    Stream(Stream),
    Session(SessionStream),
    Datagrams(Box<DatagramLink>),
}

impl ServerStream {
    /// Receives into `buf`, which must not be empty, waiting for bytes until `until` or the next tick (200 ms).
    ///
    /// # Errors
    /// `Io` when the connection broke.
    pub fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        match &mut self.end {
            End::Stream(link) => link.recv(buf, until),
            End::Session(link) => link.recv(buf, until),
            End::Datagrams(link) => link.recv(buf, until),
        }
    }

    /// Sends all of `bytes`, waiting for a slow client as long as the write timeout allows.
    ///
    /// # Errors
    /// `WriteTimeout`, `Interrupted` when a signal comes while it waits, `Io` otherwise.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.end {
            End::Stream(link) => link.send(bytes),
            End::Session(link) => link.send(bytes),
            End::Datagrams(link) => link.send(bytes),
        }
    }

    /// The client's address.
    pub fn peer_addr(&self) -> SocketAddr {
        match &self.end {
            End::Stream(link) => link.peer_addr(),
            End::Session(link) => link.peer_addr(),
            End::Datagrams(link) => link.peer_addr(),
        }
    }

    /// Closes the sending side. What the client still sends can be received.
    pub fn shutdown(&mut self) {
        match &mut self.end {
            End::Stream(link) => link.finish(),
            End::Session(link) => link.finish(),
            End::Datagrams(link) => link.finish(),
        }
    }

    /// Ends the connection so that all that was sent arrives: waits at most `linger` for the client to close, because
    /// closing a socket with unread bytes discards what the client has not read yet.
    pub fn close(mut self, linger: Duration, interrupt: &Interrupt) {
        self.shutdown();
        let until = Instant::now() + linger;
        let mut waste = [0; 4096];
        while Instant::now() < until && !interrupt.is_set() {
            if matches!(self.recv(&mut waste, until), Ok(Recv::Closed) | Err(_)) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{DialOptions, Transport};

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// Receives until there are bytes or the end, over any number of ticks.
    fn recv(stream: &mut ServerStream, buf: &mut [u8]) -> Recv {
        loop {
            match stream.recv(buf, soon()).unwrap() {
                Recv::Idle => {}
                other => return other,
            }
        }
    }

    #[test]
    fn bytes_go_both_ways_and_end() {
        let interrupt = Interrupt::default();
        let listener = Listener::bind("127.0.0.1:0", &ListenOptions::default(), &interrupt).unwrap();
        let options =
            DialOptions { host: "127.0.0.1".to_owned(), port: listener.local_addr().port(), ..DialOptions::default() };
        let mut client = Transport::open(&options, &interrupt).unwrap();
        assert_eq!(client.peer_addr(), listener.local_addr());
        assert!(client.timings().connect > Duration::ZERO);
        let mut server = listener.accept(soon()).unwrap();
        client.send(b"hello").unwrap();
        let mut buf = [0; 64];
        assert_eq!(recv(&mut server, &mut buf), Recv::Bytes(5));
        server.send(b"welcome").unwrap();
        assert_eq!(client.recv(&mut buf, soon()).unwrap(), Recv::Bytes(7));
        assert_eq!(&buf[..7], b"welcome");
        client.shutdown();
        assert_eq!(recv(&mut server, &mut buf), Recv::Closed);
        server.shutdown();
        assert_eq!(client.recv(&mut buf, soon()).unwrap(), Recv::Closed);
    }

    #[test]
    fn accept_times_out_without_a_client() {
        let listener = Listener::bind("[::]:0", &ListenOptions::default(), &Interrupt::default())
            .or_else(|_| Listener::bind("0.0.0.0:0", &ListenOptions::default(), &Interrupt::default()))
            .unwrap();
        assert!(listener.accept(Instant::now()).is_none());
        // Dropping it ends its thread: the test would hang otherwise.
    }

    #[test]
    fn dropping_it_with_a_full_queue_ends_too() {
        let listener = Listener::bind("127.0.0.1:0", &ListenOptions::default(), &Interrupt::default()).unwrap();
        let crowd: Vec<_> = (0..BACKLOG + 4).map(|_| TcpStream::connect(listener.local_addr()).unwrap()).collect();
        drop(listener);
        drop(crowd);
    }
}
