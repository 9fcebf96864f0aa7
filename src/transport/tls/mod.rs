//! TLS 1.2 and 1.3 over TCP, with rustls: the record pump that both ends share.
//!
//! ```text
//! socket ─ read ─► incoming: [ discarded │ start … records … end │ free ]   decrypted in place
//!                              └─ plaintext ─► the caller's buffer; what does not fit ─► pending
//! bytes ─ encrypt ─► outgoing ─ send ─► socket
//! ```
//!
//! rustls' own buffering reads 4 KiB at a time; reading into a buffer of ours instead lets one system call fetch many records.
//! An end without close_notify is an error here, [`std::io::ErrorKind::UnexpectedEof`]: anybody on the way can send a FIN.

mod certificate;
mod client;
mod server;
mod words;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};

use super::tcp::TcpLink;
use super::{Deadline, Recv};
use crate::error::{Error, Phase};

pub use certificate::Certificate;
pub(crate) use client::ClientTls;
pub use client::{Pins, TlsOptions};
pub(crate) use server::ServerTls;
pub use server::ServerTlsOptions;

/// A client's TLS connection.
pub(crate) type ClientLink = TlsLink<UnbufferedClientConnection>;

/// A server's TLS connection.
pub(crate) type ServerLink = TlsLink<UnbufferedServerConnection>;

/// One end of a TLS connection. Handshake messages are answered by whichever call meets them.
pub(crate) struct TlsLink<S> {
    tcp: TcpLink,
    side: S,
    /// Ciphertext: bytes received are `incoming[start..end]`.
    incoming: Vec<u8>,
    start: usize,
    end: usize,
    /// Ciphertext to be sent, empty between calls.
    outgoing: Vec<u8>,
    /// Plaintext that came when nobody had room for it: `pending[taken..]`.
    pending: Vec<u8>,
    taken: usize,
    peer_closed: bool,
    established: bool,
    /// An error that is to be reported after the plaintext before it.
    failed: Option<Error>,
    /// rustls has failed and is not to be asked again.
    broken: bool,
}

/// What the two kinds of connection have in common.
pub(crate) trait Side {
    /// rustls' data of this kind of connection.
    type Data;

    /// Whether this is a client: errors explain themselves to its user.
    const CLIENT: bool;

    /// Processes records up to the next thing to do.
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Side for UnbufferedClientConnection {
    type Data = rustls::client::ClientConnectionData;
    const CLIENT: bool = true;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

impl Side for UnbufferedServerConnection {
    type Data = rustls::server::ServerConnectionData;
    const CLIENT: bool = false;

    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

/// What one pass over the received records came to.
enum Step {
    /// Plaintext was delivered; there may be more.
    Data,
    /// Nothing can be done before more bytes come, but bytes can be sent.
    Ready,
    /// Nothing can be done before more bytes come.
    Blocked,
}

/// Where plaintext goes.
struct Sink<'a> {
    buf: &'a mut [u8],
    filled: usize,
}

/// What is to be done as soon as bytes can be sent.
#[derive(Clone, Copy)]
enum Task<'a> {
    /// Nothing.
    Go,
    /// Append these bytes, encrypted, to `outgoing`.
    Encrypt(&'a [u8]),
    /// Append close_notify to `outgoing`.
    Close,
}

impl Sink<'_> {
    /// Without any room: what comes goes to `pending`.
    fn nowhere() -> Sink<'static> {
        Sink { buf: &mut [], filled: 0 }
    }

    fn room(&self) -> usize {
        self.buf.len() - self.filled
    }

    /// Takes what fits and returns the rest.
    fn take<'p>(&mut self, payload: &'p [u8]) -> &'p [u8] {
        let (now, later) = payload.split_at(payload.len().min(self.room()));
        self.buf[self.filled..self.filled + now.len()].copy_from_slice(now);
        self.filled += now.len();
        later
    }
}

impl ClientLink {
    /// What both ends agreed on, e.g. `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
    pub(crate) fn agreed(&self) -> Option<String> {
        let version = match self.side.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
            rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
            other => other.as_str().unwrap_or("TLS"),
        };
        let suite = self.side.negotiated_cipher_suite()?.suite();
        Some(format!("{version} {}", suite.as_str().unwrap_or("unknown cipher suite")))
    }

    /// The server's certificate, read; `None` if it is too odd.
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        certificate::read(self.side.peer_certificates()?.first()?)
    }
}

impl<S: Side> TlsLink<S> {
    /// Lays TLS over a connection. No byte is exchanged yet.
    fn new(tcp: TcpLink, side: S) -> Self {
        TlsLink {
            tcp,
            side,
            incoming: vec![0; INCOMING_MIN],
            start: 0,
            end: 0,
            outgoing: Vec::new(),
            pending: Vec::new(),
            taken: 0,
            peer_closed: false,
            established: false,
            failed: None,
            broken: false,
        }
    }

    /// Exchanges handshake messages until bytes can be sent.
    fn handshake(&mut self, deadline: &Deadline) -> Result<(), Error> {
        loop {
            match self.step(&mut Sink::nowhere(), Task::Go)? {
                Step::Data => continue,
                Step::Ready => return Ok(()),
                Step::Blocked => {}
            }
            deadline.check(Phase::Tls)?;
            if self.fill(Instant::now() + deadline.slice())? == Recv::Closed {
                return Err(Error::Closed { phase: Phase::Tls });
            }
        }
    }

    /// See [`super::Transport::recv`].
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        let mut sink = Sink { buf, filled: 0 };
        self.take_pending(&mut sink);
        let mut late = false;
        loop {
            self.drain(&mut sink);
            if sink.filled > 0 {
                return Ok(Recv::Bytes(sink.filled));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.peer_closed {
                return Ok(Recv::Closed);
            }
            // Bytes that complete no record must not keep the caller waiting.
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

    /// Takes the plaintext of all records received that the sink has room for. An error waits until what came before it
    /// has been delivered.
    fn drain(&mut self, sink: &mut Sink<'_>) {
        // A record that finds too little room costs an extra copy, so it waits for the next call.
        while self.failed.is_none() && (sink.filled == 0 || sink.room() >= MAX_PLAINTEXT) {
            match self.step(sink, Task::Go) {
                Ok(Step::Data) => {}
                Ok(Step::Ready | Step::Blocked) => return,
                Err(error) => self.failed = Some(error),
            }
        }
    }

    /// See [`super::Transport::send`].
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        for piece in bytes.chunks(SEND_PIECE) {
            self.when_ready(|link| link.step(&mut Sink::nowhere(), Task::Encrypt(piece)))?;
            self.tcp.send(&self.outgoing)?;
            self.outgoing.clear();
        }
        Ok(())
    }

    /// Says that nothing more will be sent, with close_notify and FIN. Errors no longer matter.
    pub(crate) fn finish(&mut self) {
        while self.established {
            match self.step(&mut Sink::nowhere(), Task::Close) {
                Ok(Step::Data) => continue,
                Ok(Step::Ready) => {
                    let _ = self.tcp.send(&self.outgoing);
                }
                Ok(Step::Blocked) | Err(_) => {}
            }
            break;
        }
        self.outgoing.clear();
        self.tcp.finish();
    }

    /// See [`super::Transport::set_phase`].
    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.tcp.set_phase(phase);
    }

    /// See [`super::Transport::set_quickack`].
    pub(crate) fn set_quickack(&mut self, on: bool) {
        self.tcp.set_quickack(on);
    }

    /// The other end.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.tcp.peer_addr()
    }

    /// Repeats `step` until it has sent what it wanted, receiving what has to be received before: a server that answers
    /// during its handshake must wait for the client's part.
    fn when_ready(&mut self, mut step: impl FnMut(&mut Self) -> Result<Step, Error>) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            match step(self)? {
                Step::Data => {}
                Step::Ready => return Ok(()),
                Step::Blocked => {
                    let limit = self.tcp.write_timeout();
                    if self.tcp.interrupt().is_set() {
                        return Err(Error::Interrupted);
                    }
                    if began.elapsed() >= limit {
                        return Err(Error::WriteTimeout { phase: self.tcp.phase(), after: limit });
                    }
                    if self.fill(Instant::now() + Duration::from_secs(1))? == Recv::Closed {
                        return Err(self.truncated());
                    }
                }
            }
        }
    }

    /// Does the next thing that rustls wants done with the bytes received, and the task when it can be done.
    fn step(&mut self, sink: &mut Sink<'_>, task: Task<'_>) -> Result<Step, Error> {
        while !self.broken {
            let UnbufferedStatus { mut discard, state } = self.side.process(&mut self.incoming[self.start..self.end]);
            let mut result = None;
            let mut failure = None;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                discard += record.discard;
                                self.pending.extend_from_slice(sink.take(record.payload));
                            }
                            Err(error) => failure = Some(error),
                        }
                    }
                    result = Some(Step::Data);
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(&mut self.outgoing, HANDSHAKE_ROOM, |room| {
                        data.encode(room).map_err(|error| needed_to_encode(&error))
                    })
                    .map_err(|source| Error::Io { phase: self.tcp.phase(), source })?;
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    self.tcp.send(&self.outgoing)?;
                    self.outgoing.clear();
                    data.done();
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    self.established = true;
                    let written = match task {
                        Task::Go => Ok(()),
                        Task::Encrypt(bytes) => append(&mut self.outgoing, bytes.len() + CONTROL_ROOM, |room| {
                            traffic.encrypt(bytes, room).map_err(|error| needed_to_encrypt(&error))
                        }),
                        Task::Close => append(&mut self.outgoing, CONTROL_ROOM, |room| {
                            traffic.queue_close_notify(room).map_err(|error| needed_to_encrypt(&error))
                        }),
                    };
                    written.map_err(|source| Error::Io { phase: self.tcp.phase(), source })?;
                    result = Some(Step::Ready);
                }
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(ConnectionState::Closed) => {
                    self.peer_closed = true;
                    result = Some(Step::Blocked);
                }
                // BlockedHandshake; also early data, which is never offered here.
                Ok(_) => result = Some(Step::Blocked),
                Err(error) => failure = Some(error),
            }
            if let Some(error) = failure {
                let error = self.failure(&error);
                self.start += discard;
                self.say_why();
                self.broken = true;
                return Err(error);
            }
            self.start += discard;
            if let Some(step) = result {
                return Ok(step);
            }
        }
        Err(Error::Io { phase: self.tcp.phase(), source: io::ErrorKind::NotConnected.into() })
    }

    /// Reads ciphertext once.
    fn fill(&mut self, until: Instant) -> Result<Recv, Error> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.incoming.len() - self.end < MAX_RECORD {
            self.incoming.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.incoming.len() {
            // Records that are longer than a record may be end in an error of rustls' before this; what remains is a
            // handshake message of many records.
            if self.end >= INCOMING_MAX {
                let source = io::Error::new(io::ErrorKind::InvalidData, "TLS: the handshake message is too long");
                return Err(Error::Io { phase: self.tcp.phase(), source });
            }
            self.incoming.resize((self.end * 2).min(INCOMING_MAX), 0);
        }
        let room = self.incoming.len() - self.end;
        let received = self.tcp.recv(&mut self.incoming[self.end..], until)?;
        if let Recv::Bytes(count) = received {
            self.end += count;
            if count == room && self.established && self.incoming.len() < INCOMING_MAX {
                // There was more to be had: fewer, larger reads from now on.
                self.incoming.resize((self.incoming.len() * 2).min(INCOMING_MAX), 0);
            }
        }
        Ok(received)
    }

    fn take_pending(&mut self, sink: &mut Sink<'_>) {
        let rest = sink.take(&self.pending[self.taken..]).len();
        self.taken = self.pending.len() - rest;
        if rest == 0 {
            self.pending.clear();
            self.taken = 0;
        }
    }

    /// The error for one of rustls'.
    fn failure(&self, error: &rustls::Error) -> Error {
        let phase = self.tcp.phase();
        let received = &self.incoming[self.start..self.end];
        if S::CLIENT
            && let Some(reason) = words::refusal(error, received, self.established)
        {
            return Error::Refused { phase: Phase::Tls, reason };
        }
        Error::Io { phase, source: io::Error::new(io::ErrorKind::InvalidData, format!("TLS: {error}")) }
    }

    /// Sends the alert that rustls has made of its error. As well as it goes.
    fn say_why(&mut self) {
        // Once only: what comes after the alert would be the error again.
        let status = self.side.process(&mut self.incoming[self.start..self.end]);
        if let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state {
            let written = append(&mut self.outgoing, CONTROL_ROOM, |room| {
                data.encode(room).map_err(|error| needed_to_encode(&error))
            });
            if written.is_ok() {
                let _ = self.tcp.send(&self.outgoing);
            }
        }
        self.outgoing.clear();
    }

    fn truncated(&self) -> Error {
        let text = if self.established {
            "the connection ended without TLS's close_notify: what was received may be incomplete"
        } else {
            "the connection ended during the TLS handshake"
        };
        Error::Io { phase: self.tcp.phase(), source: io::Error::new(io::ErrorKind::UnexpectedEof, text) }
    }
}

impl<S> std::fmt::Debug for TlsLink<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsLink")
            .field("tcp", &self.tcp)
            .field("established", &self.established)
            .finish_non_exhaustive()
    }
}

/// Lets `write` append to `out`, with so much room at first, and with what it asks for (`Err(Some)`) then.
fn append(
    out: &mut Vec<u8>,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> io::Result<()> {
    let before = out.len();
    let mut room = room;
    for _ in 0..2 {
        out.resize(before + room, 0);
        match write(&mut out[before..]) {
            Ok(count) => {
                out.truncate(before + count);
                return Ok(());
            }
            Err(Some(required)) => room = required,
            Err(None) => break,
        }
    }
    out.truncate(before);
    Err(io::Error::other("TLS: the connection can carry no more data"))
}

fn needed_to_encode(error: &EncodeError) -> Option<usize> {
    match error {
        EncodeError::InsufficientSize(size) => Some(size.required_size),
        EncodeError::AlreadyEncoded => None,
    }
}

fn needed_to_encrypt(error: &EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

/// Most plaintext of one record (RFC 8446 §5.1).
const MAX_PLAINTEXT: usize = 16_384;

/// Largest record on the wire: header, plaintext, and the 2048 bytes that TLS 1.2 allows a cipher to add.
const MAX_RECORD: usize = 5 + MAX_PLAINTEXT + 2048;

/// The receive buffer at first: one record.
const INCOMING_MIN: usize = MAX_RECORD;

/// The receive buffer at most. rustls refuses handshake messages above 64 KiB; for media, a quarter of a MiB a read is
/// close to what more would bring.
const INCOMING_MAX: usize = 256 * 1024;

/// Plaintext that is encrypted at a time, so that a large send needs no buffer of its size.
const SEND_PIECE: usize = 4 * MAX_PLAINTEXT;

/// Room for a handshake flight's message, usually.
const HANDSHAKE_ROOM: usize = 2048;

/// Room for an alert, and for what encryption adds to a small send.
const CONTROL_ROOM: usize = 256;

#[cfg(test)]
mod tests;
