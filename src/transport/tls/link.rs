//! TLS 1.2 and 1.3 over TCP, with rustls: what both ends share.
//!
//! ```text
//! socket ─ read ─► incoming ─ read_tls ─► rustls ─ reader ─► the caller's buffer
//! bytes ─ writer ─► rustls ─ write_tls ─► outgoing ─ send ─► socket
//! ```
//!
//! rustls reads 4 KiB at a time; `incoming` before it lets one system call fetch many records. An end without close_notify
//! is an error here, [`std::io::ErrorKind::UnexpectedEof`]: anyone on the network path can forge a FIN.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use rustls::Connection;

use super::certificate::{self, Certificate};
use super::explain::explain;
use crate::transport::error::{Error, Step};
use crate::transport::tcp::TcpLink;
use crate::transport::types::{Deadline, Recv};

/// One end of a TLS connection. Handshake messages are answered by whichever call meets them.
pub(crate) struct TlsLink {
    tcp: TcpLink,
    tls: Connection,
    /// Ciphertext received and not yet given to rustls: `incoming[start..end]`.
    incoming: Vec<u8>,
    start: usize,
    end: usize,
    /// Ciphertext to be sent, empty between calls.
    outgoing: Vec<u8>,
    /// The first bytes of the peer's answer, to explain one that is not TLS.
    opening: Vec<u8>,
    /// An error to report after the plaintext that precedes it.
    failed: Option<Error>,
}

impl TlsLink {
    /// Starts TLS on a connection, without exchanging bytes yet.
    pub(super) fn new(mut tcp: TcpLink, tls: Connection) -> Self {
        tcp.set_step(Step::Tls);
        let incoming = vec![0; INCOMING_MIN];
        TlsLink { tcp, tls, incoming, start: 0, end: 0, outgoing: Vec::new(), opening: Vec::new(), failed: None }
    }

    /// Exchanges handshake messages until bytes can be sent.
    pub(super) fn handshake(&mut self, deadline: &Deadline) -> Result<(), Error> {
        self.flush()?;
        while self.tls.is_handshaking() {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.start < self.end {
                self.process();
                continue;
            }
            deadline.check(Step::Tls)?;
            if self.fill(deadline.wait_until())? == Recv::Closed {
                return Err(Error::Closed { step: Step::Tls });
            }
        }
        Ok(())
    }

    /// See [`crate::transport::Transport::recv`].
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        let mut late = false;
        loop {
            match self.take_plaintext(buf)? {
                Some(0) => return Ok(Recv::Closed),
                Some(count) => return Ok(Recv::Bytes(count)),
                None => {}
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            // Bytes that complete no record must not prolong the wait.
            if late {
                return Ok(Recv::Idle);
            }
            match self.fill(until)? {
                Recv::Bytes(_) => late = self.tcp.interrupt().is_set() || Instant::now() >= until,
                Recv::Idle => return Ok(Recv::Idle),
                Recv::Closed => return Err(self.truncated()),
            }
        }
    }

    /// See [`crate::transport::Transport::send`].
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.tls.is_handshaking() {
            // A server that answers during its handshake waits for the client's part.
            self.handshake(&Deadline::new(self.tcp.write_timeout(), self.tcp.interrupt()))?;
        }
        for piece in bytes.chunks(SEND_PIECE) {
            self.tls.writer().write_all(piece).map_err(|source| self.io(source))?;
            self.flush()?;
        }
        Ok(())
    }

    /// Closes the sending side with close_notify and FIN. Errors are ignored.
    pub(crate) fn finish(&mut self) {
        if !self.tls.is_handshaking() {
            self.tls.send_close_notify();
            let _ = self.flush();
        }
        self.tcp.finish();
    }

    /// What both ends agreed on, e.g. `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
    pub(crate) fn agreed(&self) -> Option<String> {
        let version = match self.tls.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
            rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
            other => other.as_str().unwrap_or("TLS"),
        };
        let suite = self.tls.negotiated_cipher_suite()?.suite();
        Some(format!("{version} {}", suite.as_str().unwrap_or("unknown cipher suite")))
    }

    /// The peer's certificate; `None` if it cannot be parsed.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        certificate::read(self.tls.peer_certificates()?.first()?)
    }

    /// See [`TcpLink::set_step`].
    pub(crate) fn set_step(&mut self, step: Step) {
        self.tcp.set_step(step);
    }

    /// See [`crate::transport::Transport::set_quickack`].
    pub(crate) fn set_quickack(&mut self, on: bool) {
        self.tcp.set_quickack(on);
    }

    /// The other end.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.tcp.peer_addr()
    }

    /// Fills `buf` with the plaintext of what has been received; 0: the end; `None`: no plaintext yet.
    fn take_plaintext(&mut self, buf: &mut [u8]) -> Result<Option<usize>, Error> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.tls.reader().read(&mut buf[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.failed.is_some() || self.start == self.end {
                        return Ok((filled > 0).then_some(filled));
                    }
                    self.process();
                }
                Err(source) => return Err(self.io(source)),
            }
        }
        Ok(Some(filled))
    }

    /// Gives rustls some of the ciphertext received, and sends what it answers.
    fn process(&mut self) {
        let mut input = &self.incoming[self.start..self.end];
        let read = self.tls.read_tls(&mut input).map_err(|source| self.io(source));
        self.start = self.end - input.len();
        if let Err(error) = read {
            self.failed = Some(error);
            return;
        }
        let was_handshaking = self.tcp.step() == Step::Tls;
        let processed = self.tls.process_new_packets();
        // Also after an error: an alert tells the peer.
        let sent = self.flush();
        self.failed = match processed {
            Err(error) => Some(self.failure(&error, was_handshaking)),
            Ok(_) => sent.err(),
        };
        if was_handshaking && !self.tls.is_handshaking() && self.failed.is_none() {
            self.tcp.set_step(Step::Exchange);
        }
    }

    /// Reads ciphertext once.
    fn fill(&mut self, until: Instant) -> Result<Recv, Error> {
        (self.start, self.end) = (0, 0);
        let received = self.tcp.recv(&mut self.incoming, until)?;
        if let Recv::Bytes(count) = received {
            self.end = count;
            let room = OPENING.saturating_sub(self.opening.len());
            self.opening.extend_from_slice(&self.incoming[..count.min(room)]);
            // It was full, so more was available: fewer, larger reads from now on.
            if count == self.incoming.len() && count < INCOMING_MAX && !self.tls.is_handshaking() {
                self.incoming.resize((count * 2).min(INCOMING_MAX), 0);
            }
        }
        Ok(received)
    }

    /// Sends what rustls has to send.
    fn flush(&mut self) -> Result<(), Error> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.outgoing).map_err(|source| self.io(source))?;
        }
        let sent = self.tcp.send(&self.outgoing);
        self.outgoing.clear();
        sent
    }

    /// The error for one of rustls'.
    fn failure(&self, error: &rustls::Error, in_handshake: bool) -> Error {
        if matches!(self.tls, Connection::Client(_))
            && let Some(reason) = explain(error, &self.opening, !in_handshake)
        {
            return Error::Refused { step: Step::Tls, reason };
        }
        self.io(io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {error}")))
    }

    fn truncated(&self) -> Error {
        let text = if self.tls.is_handshaking() {
            "connection ended during the TLS handshake"
        } else {
            "connection ended without TLS close_notify: what was received may be incomplete"
        };
        self.io(io::Error::new(io::ErrorKind::UnexpectedEof, text))
    }

    fn io(&self, source: io::Error) -> Error {
        Error::Io { step: self.tcp.step(), source }
    }
}

impl std::fmt::Debug for TlsLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsLink").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

/// The receive buffer at first: one record (header, plaintext, and the 2048 bytes that TLS 1.2 allows a cipher to add).
const INCOMING_MIN: usize = 5 + 16_384 + 2048;

/// The receive buffer at most: for media, a quarter of a MiB a read is close to what more would bring.
const INCOMING_MAX: usize = 256 * 1024;

/// Plaintext that is encrypted at a time, so that a large send needs no buffer of its size: as much as rustls holds.
const SEND_PIECE: usize = 64 * 1024;

/// Bytes shown of an answer that is not TLS.
const OPENING: usize = 128;
