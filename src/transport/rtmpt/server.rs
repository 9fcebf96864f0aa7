//! RTMPT, the server's end: sessions that outlive the HTTP connections which carry them.
//!
//! ```text
//! HTTP connection, a thread each ─ POST ─► Registry: ID → Session { inbound, outbound } ◄─ recv, send ─ SessionStream
//! ```
//!
//! Both buffers are bounded: a client that does not ask makes `send` wait, a server that does not read makes a POST wait.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Phase};
use crate::http::Head;
use crate::transport::listen::ServerStream;
use crate::transport::{Interrupt, Recv, TICK};
use crate::util::hex;

/// The sessions of one listener.
pub(crate) struct Registry {
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    connections: AtomicUsize,
    write_timeout: Duration,
    interrupt: Interrupt,
    /// Takes new sessions; false when nobody wants them any more.
    arrive: Box<dyn Fn(SessionStream) -> bool + Send + Sync>,
}

impl Registry {
    /// With no sessions yet.
    pub(crate) fn new(
        write_timeout: Duration,
        interrupt: &Interrupt,
        arrive: impl Fn(SessionStream) -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Registry {
            sessions: Mutex::default(),
            connections: AtomicUsize::new(0),
            write_timeout,
            interrupt: interrupt.clone(),
            arrive: Box::new(arrive),
        })
    }

    /// Answers the requests of an HTTP connection, in a thread of its own.
    pub(crate) fn serve(self: &Arc<Self>, stream: ServerStream) {
        if self.connections.fetch_add(1, Ordering::Relaxed) < MAX_CONNECTIONS {
            let registry = self.clone();
            let spawned = thread::Builder::new().name("rtmpt".to_owned()).spawn(move || {
                Connection { stream, received: Vec::new() }.run(&registry);
                registry.connections.fetch_sub(1, Ordering::Relaxed);
            });
            if spawned.is_ok() {
                return;
            }
        }
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    fn answer(&self, request: &Request, peer: SocketAddr) -> Answer {
        if request.method != "POST" {
            return Answer::no("405 Method Not Allowed");
        }
        let words: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match words[..] {
            ["open", _] => self.open(peer),
            [command @ ("send" | "idle"), id, number] => match (self.find(id), number.parse()) {
                (Some(session), Ok(number)) => {
                    let body = if command == "send" { &request.body[..] } else { &[] };
                    match session.exchange(number, body, self.write_timeout, &self.interrupt) {
                        Some(answer) => Answer::yes(answer),
                        None => self.forget(id),
                    }
                }
                _ => Answer::no("404 Not Found"),
            },
            ["close", id, _] => {
                self.forget(id);
                Answer::yes(vec![0])
            }
            _ => Answer::no("404 Not Found"),
        }
    }

    fn open(&self, peer: SocketAddr) -> Answer {
        let mut bytes = [0; 8];
        if getrandom::fill(&mut bytes).is_err() {
            return Answer::no("503 Service Unavailable");
        }
        let id = hex::encode(&bytes);
        let session = Arc::new(Session::default());
        {
            let mut sessions = self.lock();
            // Clients that have gone without a word; their streams have seen it by now.
            sessions.retain(|_, session| !session.lock().is_abandoned());
            if sessions.len() >= MAX_SESSIONS {
                return Answer::no("503 Service Unavailable");
            }
            sessions.insert(id.clone(), session.clone());
        }
        let stream = SessionStream {
            session,
            peer,
            phase: Phase::Handshake,
            write_timeout: self.write_timeout,
            interrupt: self.interrupt.clone(),
        };
        if (self.arrive)(stream) {
            Answer::yes(format!("{id}\n").into_bytes())
        } else {
            self.forget(&id);
            Answer::no("503 Service Unavailable")
        }
    }

    fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.lock().get(id).cloned()
    }

    fn forget(&self, id: &str) -> Answer {
        if let Some(session) = self.lock().remove(id) {
            session.lock().client_closed = true;
            session.changed.notify_all();
        }
        Answer::no("404 Not Found")
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the two ends of a session share.
#[derive(Debug, Default)]
struct Session {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// From the client.
    inbound: Vec<u8>,
    /// For the client.
    outbound: Vec<u8>,
    client_closed: bool,
    server_closed: bool,
    /// Number and answer of the latest request, for a client that has lost the answer and asks again.
    latest: Option<(u64, Vec<u8>)>,
    /// Answers without data in a row.
    empty: usize,
    /// When the client was last heard of.
    seen: Instant,
    /// Requests under way: a client that waits for its answer is there.
    asking: usize,
}

impl Default for State {
    fn default() -> Self {
        State {
            inbound: Vec::new(),
            outbound: Vec::new(),
            client_closed: false,
            server_closed: false,
            latest: None,
            empty: 0,
            seen: Instant::now(),
            asking: 0,
        }
    }
}

impl State {
    fn is_abandoned(&self) -> bool {
        self.asking == 0 && self.seen.elapsed() > ABANDONED
    }
}

impl Session {
    /// One request: bytes from the client, and the body of the answer; nothing when the session is over.
    fn exchange(&self, number: u64, bytes: &[u8], limit: Duration, interrupt: &Interrupt) -> Option<Vec<u8>> {
        let mut state = self.lock();
        state.seen = Instant::now();
        match &state.latest {
            Some((latest, answer)) if *latest == number => return Some(answer.clone()),
            _ => {}
        }
        state.asking += 1;
        let began = Instant::now();
        if !bytes.is_empty() {
            let full = |state: &State| !state.server_closed && state.inbound.len() >= BUFFER_MAX;
            while full(&state) && began.elapsed() < limit && !interrupt.is_set() {
                state = self.wait(state, TICK);
            }
            // A client's bytes may be dropped only with its session.
            if full(&state) {
                state.client_closed = true;
            }
            state.inbound.extend_from_slice(bytes);
            self.changed.notify_all();
        }
        let began = Instant::now();
        while state.outbound.is_empty() && !state.server_closed && !state.client_closed {
            let Some(left) = REACTION.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) else { break };
            state = self.wait(state, left);
        }
        state.asking -= 1;
        state.seen = Instant::now();
        if state.client_closed || (state.server_closed && state.outbound.is_empty()) {
            return None;
        }
        let mut answer = vec![interval(&mut state)];
        answer.append(&mut state.outbound);
        state.latest = Some((number, answer.clone()));
        self.changed.notify_all();
        Some(answer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The hint for the client, as Red5 gives it: 1 when there was data, then up a step with every tenth empty answer.
fn interval(state: &mut State) -> u8 {
    const STEPS: [u8; 6] = [0x01, 0x03, 0x05, 0x09, 0x11, 0x21];
    state.empty = if state.outbound.is_empty() { state.empty + 1 } else { 0 };
    STEPS[(state.empty / 10).min(STEPS.len() - 1)]
}

/// The server's end of a session.
#[derive(Debug)]
pub(crate) struct SessionStream {
    session: Arc<Session>,
    peer: SocketAddr,
    phase: Phase,
    write_timeout: Duration,
    interrupt: Interrupt,
}

impl SessionStream {
    /// See [`ServerStream::recv`].
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        let until = until.min(Instant::now() + TICK);
        let mut state = self.session.lock();
        loop {
            if !state.inbound.is_empty() {
                let count = state.inbound.len().min(buf.len());
                buf[..count].copy_from_slice(&state.inbound[..count]);
                state.inbound.drain(..count);
                self.session.changed.notify_all();
                return Ok(Recv::Bytes(count));
            }
            if state.client_closed || state.is_abandoned() {
                return Ok(Recv::Closed);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.interrupt.is_set() {
                return Ok(Recv::Idle);
            }
            state = self.session.wait(state, left);
        }
    }

    /// See [`ServerStream::send`].
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        let mut state = self.session.lock();
        let mut stuck_since = Instant::now();
        while !bytes.is_empty() {
            if state.client_closed || state.server_closed || state.is_abandoned() {
                return Err(Error::Closed { phase: self.phase });
            }
            let room = BUFFER_MAX.saturating_sub(state.outbound.len()).min(bytes.len());
            if room > 0 {
                let (now, later) = bytes.split_at(room);
                state.outbound.extend_from_slice(now);
                bytes = later;
                stuck_since = Instant::now();
                self.session.changed.notify_all();
            } else if self.interrupt.is_set() {
                return Err(Error::Interrupted);
            } else if stuck_since.elapsed() >= self.write_timeout {
                return Err(Error::WriteTimeout { phase: self.phase, after: self.write_timeout });
            } else {
                state = self.session.wait(state, TICK.min(self.write_timeout));
            }
        }
        Ok(())
    }

    /// See [`ServerStream::shutdown`].
    pub(crate) fn finish(&mut self) {
        self.session.lock().server_closed = true;
        self.session.changed.notify_all();
    }

    /// See [`ServerStream::set_phase`].
    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Where the session was opened from.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        self.finish();
    }
}

/// One HTTP connection.
struct Connection {
    stream: ServerStream,
    /// Received and not yet looked at.
    received: Vec<u8>,
}

struct Request {
    method: String,
    path: String,
    persistent: bool,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    body: Vec<u8>,
}

impl Answer {
    fn yes(body: Vec<u8>) -> Self {
        Answer { status: "200 OK", body }
    }

    fn no(status: &'static str) -> Self {
        Answer { status, body: Vec::new() }
    }
}

impl Connection {
    fn run(&mut self, registry: &Registry) {
        loop {
            let (answer, persistent) = match self.request(registry) {
                Ok(Some(request)) => (registry.answer(&request, self.stream.peer_addr()), request.persistent),
                Ok(None) => break,
                Err(answer) => (answer, false),
            };
            let head = format!(
                "HTTP/1.1 {}\r\nContent-Type: application/x-fcs\r\nCache-Control: no-cache\r\nConnection: {}\r\n\
                 Content-Length: {}\r\n\r\n",
                answer.status,
                if persistent { "Keep-Alive" } else { "close" },
                answer.body.len()
            );
            if self.stream.send(&[head.as_bytes(), &answer.body].concat()).is_err() || !persistent {
                break;
            }
        }
        self.stream.shutdown();
    }

    /// The next request; nothing when the client is gone; an answer when it is none.
    fn request(&mut self, registry: &Registry) -> Result<Option<Request>, Answer> {
        const BAD: &str = "400 Bad Request";
        let until = Instant::now() + ABANDONED;
        let head = loop {
            if let Some((head, taken)) = Head::parse(&self.received).map_err(|_| Answer::no(BAD))? {
                self.received.drain(..taken);
                break head;
            }
            if !self.receive(registry, until) {
                return Ok(None);
            }
        };
        let (method, target, persistent) = head.request().map_err(|_| Answer::no(BAD))?;
        // Clients of a proxy name the server as well.
        let path = target.strip_prefix("http://").map_or(target, |rest| rest.find('/').map_or("/", |at| &rest[at..]));
        let mut framing = head.request_body().map_err(|_| Answer::no(BAD))?;
        let mut body = Vec::new();
        while !framing.is_done() {
            let (taken, data) = framing.advance(&self.received, usize::MAX).map_err(|_| Answer::no(BAD))?;
            body.extend_from_slice(data);
            if body.len() > MAX_POST {
                return Err(Answer::no("413 Content Too Large"));
            }
            self.received.drain(..taken);
            if taken == 0 && !self.receive(registry, until) {
                return Ok(None);
            }
        }
        Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), persistent, body }))
    }

    /// Receives once; false when there will be no more.
    fn receive(&mut self, registry: &Registry, until: Instant) -> bool {
        let mut buf = [0; 16 * 1024];
        loop {
            match self.stream.recv(&mut buf, until) {
                Ok(Recv::Bytes(count)) => {
                    self.received.extend_from_slice(&buf[..count]);
                    return true;
                }
                Ok(Recv::Idle) if Instant::now() < until && !registry.interrupt.is_set() => {}
                _ => return false,
            }
        }
    }
}

/// HTTP connections at a time, of all sessions together.
const MAX_CONNECTIONS: usize = 1024;

/// Sessions at a time.
const MAX_SESSIONS: usize = 512;

/// Largest body of a POST: a client's commands, a publisher's picture.
const MAX_POST: usize = 8 << 20;

/// Bytes in each direction that wait for the other end. Also the size of an answer.
const BUFFER_MAX: usize = 256 * 1024;

/// How long a request waits for something to answer with, so that a command and its result need one request, and clients
/// that ask without pause do not ask in vain a thousand times a second.
const REACTION: Duration = Duration::from_millis(20);

/// A client that asked nothing for so long is gone. Its own pauses are of a second at most.
const ABANDONED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_grows_with_silence_and_shrinks_with_data() {
        let mut state = State::default();
        let quiet: Vec<u8> = (0..60).map(|_| interval(&mut state)).collect();
        assert_eq!(quiet[..9], [1; 9]);
        assert_eq!([quiet[9], quiet[19], quiet[29], quiet[39], quiet[49], quiet[59]], [3, 5, 9, 0x11, 0x21, 0x21]);
        state.outbound.push(0);
        assert_eq!(interval(&mut state), 1);
        state.outbound.clear();
        assert_eq!(interval(&mut state), 1);
    }

    #[test]
    fn a_repeated_request_is_answered_again_and_not_delivered_twice() {
        let session = Arc::new(Session::default());
        let mut stream = SessionStream {
            session: session.clone(),
            peer: ([127, 0, 0, 1], 1).into(),
            phase: Phase::Media,
            write_timeout: Duration::from_secs(10),
            interrupt: Interrupt::default(),
        };
        stream.send(b"answer").unwrap();
        let limit = Duration::from_secs(10);
        for _ in 0..2 {
            let answer = session.exchange(7, b"question", limit, &Interrupt::default()).unwrap();
            assert_eq!(answer, b"\x01answer");
        }
        let mut buf = [0; 100];
        assert_eq!(stream.recv(&mut buf, Instant::now() + limit).unwrap(), Recv::Bytes(8));
        assert_eq!(stream.recv(&mut buf, Instant::now()).unwrap(), Recv::Idle);
        stream.finish();
        assert_eq!(session.exchange(7, b"", limit, &Interrupt::default()).unwrap(), b"\x01answer");
        assert!(session.exchange(8, b"", limit, &Interrupt::default()).is_none());
    }

    #[test]
    fn a_client_that_does_not_ask_makes_send_wait() {
        let mut stream = SessionStream {
            session: Arc::default(),
            peer: ([127, 0, 0, 1], 1).into(),
            phase: Phase::Media,
            write_timeout: Duration::from_millis(50),
            interrupt: Interrupt::default(),
        };
        stream.send(&[0; BUFFER_MAX]).unwrap();
        assert!(matches!(stream.send(b"x"), Err(Error::WriteTimeout { phase: Phase::Media, .. })));
        stream.interrupt.raise();
        assert!(matches!(stream.send(b"x"), Err(Error::Interrupted)));
        stream.session.lock().client_closed = true;
        assert!(matches!(stream.send(b"x"), Err(Error::Closed { phase: Phase::Media })));
        assert_eq!(stream.recv(&mut [0; 9], Instant::now()).unwrap(), Recv::Closed);
    }
}
