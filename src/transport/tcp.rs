//! A connected TCP socket with bounded waits.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::error::{Error, Step};
use super::interrupt::Interrupt;
use super::types::Recv;
use crate::util::time::{POLL_INTERVAL, Stopwatch};

/// A TCP connection whose reads end at a tick and whose writes end at a limit.
#[derive(Debug)]
pub(crate) struct TcpLink {
    socket: TcpStream,
    peer: SocketAddr,
    interrupt: Interrupt,
    step: Step,
    write_timeout: Duration,
    /// The receive timeout that the socket has now; zero when it does not block.
    tick: Duration,
    quickack: bool,
}

impl TcpLink {
    /// Takes over a connected, blocking socket.
    pub(crate) fn new(socket: TcpStream, write_timeout: Duration, interrupt: &Interrupt) -> io::Result<Self> {
        let peer = socket.peer_addr()?;
        socket.set_read_timeout(Some(POLL_INTERVAL))?;
        socket.set_write_timeout(Some(POLL_INTERVAL))?;
        let interrupt = interrupt.clone();
        Ok(TcpLink {
            socket,
            peer,
            interrupt,
            step: Step::Connect,
            write_timeout,
            tick: POLL_INTERVAL,
            quickack: false,
        })
    }

    /// See [`crate::transport::Transport::recv`]. One system call when bytes flow.
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        debug_assert!(!buf.is_empty(), "with an empty buffer, a FIN and no data look the same");
        self.set_tick(tick_for(until))?;
        // Before the read because sending has enabled delayed acknowledgements again; after it because what was just read
        // may not be acknowledged yet.
        self.arm_quickack();
        match self.socket.read(buf) {
            Ok(0) => Ok(Recv::Closed),
            Ok(n) => {
                self.arm_quickack();
                Ok(Recv::Bytes(n))
            }
            Err(error) if is_pause(&error) => Ok(Recv::Idle),
            Err(error) => Err(self.io(error)),
        }
    }

    /// See [`crate::transport::Transport::send`].
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        if self.tick.is_zero() {
            self.set_tick(POLL_INTERVAL)?;
        }
        // The clock is read only when the system does not accept everything at once.
        let mut stuck: Option<Stopwatch> = None;
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(0) => return Err(self.io(io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    bytes = bytes.get(n..).unwrap_or_default();
                    stuck = None;
                }
                Err(error) if is_pause(&error) => {
                    if self.interrupt.is_set() {
                        return Err(Error::Interrupted);
                    }
                    if stuck.get_or_insert_with(Stopwatch::start).elapsed() >= self.write_timeout {
                        return Err(Error::WriteTimeout { step: self.step, after: self.write_timeout });
                    }
                }
                Err(error) => return Err(self.io(error)),
            }
        }
        Ok(())
    }

    /// Sets the step that later errors name.
    pub(crate) fn set_step(&mut self, step: Step) {
        self.step = step;
    }

    /// The step that errors name at present.
    pub(crate) fn step(&self) -> Step {
        self.step
    }

    /// The time limit of a send.
    pub(crate) fn write_timeout(&self) -> Duration {
        self.write_timeout
    }

    /// The interrupt that its waits check.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// See [`crate::transport::Transport::set_quickack`].
    pub(crate) fn set_quickack(&mut self, on: bool) {
        self.quickack = on;
    }

    /// The other end.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Closes the sending side.
    pub(crate) fn finish(&mut self) {
        // Fails when the peer has already disconnected: no error.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Gives the socket the receive timeout, 0 for "do not block".
    fn set_tick(&mut self, tick: Duration) -> Result<(), Error> {
        if tick == self.tick {
            return Ok(());
        }
        let set = || {
            if tick.is_zero() || self.tick.is_zero() {
                self.socket.set_nonblocking(tick.is_zero())?;
            }
            if !tick.is_zero() {
                self.socket.set_read_timeout(Some(tick))?;
            }
            Ok(())
        };
        set().map_err(|error| self.io(error))?;
        self.tick = tick;
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn arm_quickack(&self) {
        if self.quickack {
            // Affects only latency, so a failure is ignored.
            let _ = socket2::SockRef::from(&self.socket).set_tcp_quickack(true);
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn arm_quickack(&self) {}

    fn io(&self, source: io::Error) -> Error {
        Error::Io { step: self.step, source }
    }
}

/// The receive timeout for the deadline: one of a few, so that a moving deadline does not cost a system call per read.
fn tick_for(until: Instant) -> Duration {
    let left = until.saturating_duration_since(Instant::now());
    POLL_INTERVALS.into_iter().find(|tick| *tick >= left).unwrap_or(POLL_INTERVAL)
}

/// Receive timeouts in use; the last one is the usual one.
const POLL_INTERVALS: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    POLL_INTERVAL,
];

/// Whether this only means "nothing yet": the socket's timeout or a signal.
fn is_pause(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => true,
        // The socket's timeout on Windows; elsewhere a connection that ended because its peer did not respond.
        io::ErrorKind::TimedOut => cfg!(windows),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn pair(write_timeout: Duration, interrupt: &Interrupt) -> (TcpLink, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        (TcpLink::new(socket, write_timeout, interrupt).unwrap(), peer)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn bytes_then_a_fin() {
        let (mut link, mut peer) = pair(LONG, &Interrupt::default());
        link.set_quickack(true);
        link.send(b"ping").unwrap();
        let mut got = [0; 4];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"ping");
        peer.write_all(b"pong").unwrap();
        let mut buf = [0; 16];
        assert_eq!(link.recv(&mut buf, soon()).unwrap(), Recv::Bytes(4));
        assert_eq!(&buf[..4], b"pong");
        drop(peer);
        assert_eq!(link.recv(&mut buf, soon()).unwrap(), Recv::Closed);
    }

    #[test]
    fn silence_is_idle_at_the_deadline_and_at_the_tick() {
        let (mut link, _peer) = pair(LONG, &Interrupt::default());
        let mut buf = [0; 16];
        for wait in [Duration::ZERO, Duration::from_millis(30)] {
            let began = Instant::now();
            assert_eq!(link.recv(&mut buf, began + wait).unwrap(), Recv::Idle);
            assert!(began.elapsed() >= wait);
        }
        // Sending blocks again, whatever the wait was before.
        assert_eq!(link.recv(&mut buf, Instant::now()).unwrap(), Recv::Idle);
        link.send(b"x").unwrap();
        let began = Instant::now();
        assert_eq!(link.recv(&mut buf, began + LONG).unwrap(), Recv::Idle);
        assert!(began.elapsed() < LONG / 2, "a tick ends the wait long before the deadline");
    }

    #[test]
    fn a_reset_is_an_error_that_names_the_step() {
        let (mut link, peer) = pair(LONG, &Interrupt::default());
        socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        link.set_step(Step::Proxy);
        match link.recv(&mut [0; 16], soon()) {
            Err(Error::Io { step: Step::Proxy, source }) => {
                assert_eq!(source.kind(), io::ErrorKind::ConnectionReset);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_peer_that_does_not_read_runs_into_the_write_timeout() {
        let (mut link, _peer) = pair(Duration::from_millis(1), &Interrupt::default());
        link.set_step(Step::Exchange);
        let bytes = vec![0; 64 << 20];
        assert!(matches!(link.send(&bytes), Err(Error::WriteTimeout { step: Step::Exchange, .. })));
    }

    #[test]
    fn an_interrupt_ends_a_blocked_send_but_not_a_free_one() {
        let interrupt = Interrupt::default();
        let (mut link, mut peer) = pair(LONG, &interrupt);
        interrupt.raise();
        link.send(b"farewell").unwrap();
        let mut got = [0; 8];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"farewell");
        assert!(matches!(link.send(&vec![0; 64 << 20]), Err(Error::Interrupted)));
    }

    #[test]
    fn a_slow_reader_gets_everything() {
        let (mut link, mut peer) = pair(LONG, &Interrupt::default());
        let sent: Vec<u8> = (0..8 << 20).map(|i: u32| (i % 251) as u8).collect();
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            peer.read_to_end(&mut got).unwrap();
            got
        });
        link.send(&sent).unwrap();
        link.finish();
        assert!(reader.join().unwrap() == sent);
    }
}
