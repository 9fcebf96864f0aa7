//! TCP: happy eyeballs (RFC 8305) on the way in, then plain blocking reads and writes with a tick.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::error::{Error, Phase};

use super::{DialOptions, Interrupt, Recv, Timings, resolve};

/// A TCP connection.
#[derive(Debug)]
pub(super) struct TcpTransport {
    stream: TcpStream,
    interrupt: Interrupt,
    write_timeout: Duration,
    /// Acknowledge at once: has to be said again before each read.
    pub(super) quickack: bool,
    pub(super) phase: Phase,
    /// The time-out that is set on the socket.
    tick: Duration,
}

/// Resolves and connects.
pub(super) fn connect(options: &DialOptions, interrupt: &Interrupt) -> Result<(TcpTransport, Timings), Error> {
    let began = Instant::now();
    let addresses = resolve::resolve(options, interrupt)?;
    let resolved = began.elapsed();
    let stream = race(&addresses, options, interrupt)?;
    let timings = Timings { resolve: resolved, connect: began.elapsed() - resolved };
    let transport = TcpTransport::new(stream, options.write_timeout, interrupt.clone())
        .map_err(|source| Error::Io { phase: Phase::Connect, source })?;
    Ok((transport, timings))
}

impl TcpTransport {
    fn new(stream: TcpStream, write_timeout: Duration, interrupt: Interrupt) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        // A peer that vanished is noticed even by those who wait for ever.
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30)).with_interval(Duration::from_secs(10));
        let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
        Ok(Self { stream, interrupt, write_timeout, quickack: false, phase: Phase::Connect, tick: TICK })
    }

    pub(super) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        let mut deadline = Instant::now() + self.write_timeout;
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(Error::Closed { phase: self.phase }),
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    deadline = Instant::now() + self.write_timeout;
                }
                Err(error) if is_idle(&error) => {
                    if self.interrupt.is_set() {
                        return Err(Error::Interrupted);
                    }
                    if Instant::now() >= deadline {
                        return Err(Error::Timeout { phase: self.phase, after: self.write_timeout });
                    }
                }
                Err(source) => return Err(Error::Io { phase: self.phase, source }),
            }
        }
        Ok(())
    }

    pub(super) fn recv(&mut self, buffer: &mut [u8], until: Instant) -> Result<Recv, Error> {
        if self.quickack {
            rearm_quickack(&self.stream);
        }
        // One system call a read while data flows: the time-out is only touched where a shorter wait was asked for.
        let left = until.saturating_duration_since(Instant::now());
        let wanted = if left + SLACK < TICK { left.max(Duration::from_millis(1)) } else { TICK };
        if wanted != self.tick {
            self.stream.set_read_timeout(Some(wanted)).map_err(|source| Error::Io { phase: self.phase, source })?;
            self.tick = wanted;
        }
        match self.stream.read(buffer) {
            Ok(0) => Ok(Recv::Closed),
            Ok(count) => Ok(Recv::Bytes(count)),
            Err(error) if is_idle(&error) => Ok(Recv::Idle),
            Err(source) => Err(Error::Io { phase: self.phase, source }),
        }
    }

    pub(super) fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    pub(super) fn shutdown(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn is_idle(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn rearm_quickack(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_tcp_quickack(true);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn rearm_quickack(_: &TcpStream) {}

/// Tries the addresses in order, each a little later than the one before, and takes the first that answers.
fn race(addresses: &[SocketAddr], options: &DialOptions, interrupt: &Interrupt) -> Result<TcpStream, Error> {
    let deadline = Instant::now() + options.connect_timeout;
    let (sender, receiver) = mpsc::channel();
    let mut waiting = addresses.iter().copied();
    let mut running = 0;
    let mut next_start = Instant::now();
    let mut last_error = None;
    loop {
        let now = Instant::now();
        if (running == 0 || now >= next_start)
            && let Some(address) = waiting.next()
        {
            running += 1;
            next_start = now + HEAD_START;
            let sender = sender.clone();
            let options = options.clone();
            let attempt = move || {
                let _ = sender.send((address, dial(address, &options)));
            };
            std::thread::Builder::new()
                .name("connect".to_owned())
                .spawn(attempt)
                .map_err(|source| Error::Io { phase: Phase::Connect, source })?;
        }
        if running == 0 {
            let source = last_error.unwrap_or_else(|| io::Error::other("no address to connect to"));
            return Err(Error::Io { phase: Phase::Connect, source });
        }
        let pause = POLL.min(next_start.saturating_duration_since(now)).max(Duration::from_millis(1));
        match receiver.recv_timeout(if waiting.len() == 0 { POLL } else { pause }) {
            Ok((_, Ok(stream))) => return Ok(stream),
            Ok((address, Err(error))) => {
                running -= 1;
                last_error = Some(io::Error::new(error.kind(), format!("{address}: {error}")));
                // A refusal lets the next address go at once.
                next_start = Instant::now();
            }
            Err(_) => {}
        }
        if interrupt.is_set() {
            return Err(Error::Interrupted);
        }
        if Instant::now() >= deadline {
            return Err(Error::Timeout { phase: Phase::Connect, after: options.connect_timeout });
        }
    }
}

fn dial(address: SocketAddr, options: &DialOptions) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(bind) = options.bind {
        socket.bind(&SocketAddr::new(bind, 0).into())?;
    }
    socket.connect_timeout(&address.into(), options.connect_timeout)?;
    Ok(socket.into())
}

/// Longest wait of one system call: how soon a limit or a signal is seen at the latest.
const TICK: Duration = Duration::from_millis(200);

/// A deadline this close behind a tick may be met by the tick.
const SLACK: Duration = Duration::from_millis(20);

/// Head start of each address over the next (RFC 8305 §8).
const HEAD_START: Duration = Duration::from_millis(250);

/// How often the race looks at the interrupt.
const POLL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn options(port: u16) -> DialOptions {
        DialOptions {
            host: "127.0.0.1".into(),
            port,
            family: None,
            bind: None,
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_millis(300),
        }
    }

    #[test]
    fn bytes_go_both_ways_and_the_end_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut tcp, _) = connect(&options(listener.local_addr().unwrap().port()), &Interrupt::default()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        tcp.quickack = true;
        tcp.send(b"hello").unwrap();
        let mut got = [0; 5];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"hello");
        peer.write_all(b"world").unwrap();
        let mut buffer = [0; 16];
        let later = Instant::now() + Duration::from_secs(5);
        assert_eq!(tcp.recv(&mut buffer, later).unwrap(), Recv::Bytes(5));
        assert_eq!(tcp.recv(&mut buffer, Instant::now()).unwrap(), Recv::Idle);
        drop(peer);
        assert_eq!(tcp.recv(&mut buffer, later).unwrap(), Recv::Closed);
    }

    #[test]
    fn the_next_address_is_tried_after_a_refusal() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let addresses = [closed, listener.local_addr().unwrap()];
        assert!(race(&addresses, &options(0), &Interrupt::default()).is_ok());
        let error = race(&[closed], &options(0), &Interrupt::default()).unwrap_err();
        assert!(matches!(error, Error::Io { phase: Phase::Connect, .. }), "{error}");
    }

    #[test]
    fn a_peer_that_takes_nothing_times_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut tcp, _) = connect(&options(listener.local_addr().unwrap().port()), &Interrupt::default()).unwrap();
        let _peer = listener.accept().unwrap();
        let error = tcp.send(&vec![0; 64 << 20]).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
    }
}
