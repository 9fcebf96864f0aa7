//! The bytes of one client: reads that come back at a deadline, writes that a stopped server or a stuck client end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::transport::{Interrupt, Recv};

/// A client's connection.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    stop: Interrupt,
    write_timeout: Duration,
    blocking: bool,
}

impl Link {
    /// Takes a connection over. `write_timeout` is how long a client may take nothing.
    ///
    /// # Errors
    /// The system's.
    pub fn new(stream: TcpStream, write_timeout: Duration, stop: Interrupt) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(TICK))?;
        Ok(Self { stream, stop, write_timeout, blocking: true })
    }

    /// The client's address.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.stream.peer_addr().ok()
    }

    /// Sends all bytes.
    ///
    /// # Errors
    /// The system's; `TimedOut` where the client takes nothing for the write time-out, `Interrupted` where the server stops.
    pub fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.set_blocking(true)?;
        let mut last = Instant::now();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    last = Instant::now();
                }
                Err(error) if is_pause(&error) => {
                    if self.stop.is_set() {
                        return Err(ErrorKind::Interrupted.into());
                    }
                    if last.elapsed() >= self.write_timeout {
                        return Err(io::Error::new(ErrorKind::TimedOut, "the client takes no data"));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads into `buffer`. Comes back empty-handed at `until` (at once if that has passed), a tick, or when the server stops.
    ///
    /// # Errors
    /// The system's.
    pub fn recv(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<Recv> {
        let wait = until.saturating_duration_since(Instant::now()).min(TICK);
        self.set_blocking(!wait.is_zero())?;
        if !wait.is_zero() {
            // Less than a millisecond would be taken for none.
            self.stream.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        }
        match self.stream.read(buffer) {
            Ok(0) => Ok(Recv::Closed),
            Ok(count) => Ok(Recv::Bytes(count)),
            Err(error) if is_pause(&error) => Ok(Recv::Idle),
            Err(error) => Err(error),
        }
    }

    /// Ends the connection: what was written is delivered, nothing more comes.
    pub fn shutdown(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        // Closing with unread bytes would reset the connection and take from the client what it has not read yet.
        let until = Instant::now() + LINGER;
        let mut rest = [0; 4096];
        while Instant::now() < until && !self.stop.is_set() {
            if matches!(self.recv(&mut rest, until), Ok(Recv::Closed) | Err(_)) {
                break;
            }
        }
    }

    fn set_blocking(&mut self, blocking: bool) -> io::Result<()> {
        if self.blocking != blocking {
            self.stream.set_nonblocking(!blocking)?;
            self.blocking = blocking;
        }
        Ok(())
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// How often a wait looks whether the server stops.
const TICK: Duration = Duration::from_millis(100);

/// How long a closed connection is kept for the client to close its side.
const LINGER: Duration = Duration::from_secs(1);
