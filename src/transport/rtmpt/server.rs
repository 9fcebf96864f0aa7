//! RTMPT, server side: sessions that outlive their HTTP connections.
//!
//! ```text
//! HTTP connection, a thread each ─ POST ─► Registry: ID → Session { inbound, outbound } ◄─ recv, send ─ SessionStream
//! ```
//!
//! Both buffers are bounded: a client that does not poll makes `send` wait, a server that does not read makes a POST wait.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{self, HeadReader, Request};
use crate::transport::error::{Error, Step};
use crate::transport::interrupt::Interrupt;
use crate::transport::stream::Stream;
use crate::transport::types::Recv;
use crate::util::hex;
use crate::util::time::POLL_INTERVAL;

/// The sessions of one listener, by their ID.
type Sessions = Mutex<HashMap<String, Arc<Session>>>;

/// What all HTTP connections of one listener share.
pub(crate) struct Registry {
    sessions: Arc<Sessions>,
    connections: AtomicUsize,
    /// Bytes of request bodies in memory, of all connections together.
    held: AtomicUsize,
    write_timeout: Duration,
    interrupt: Interrupt,
    /// Takes new sessions; `false` when the listener has been dropped.
    arrive: Box<dyn Fn(SessionStream) -> bool + Send + Sync>,
}

/// What a request is for.
enum Route {
    Open,
    Exchange { id: String, session: Arc<Session>, number: u64, sends: bool },
    Close { id: String },
    Unknown,
}

impl Registry {
    /// With no sessions yet.
    pub(crate) fn new(
        write_timeout: Duration,
        interrupt: &Interrupt,
        arrive: impl Fn(SessionStream) -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Registry {
            sessions: Arc::default(),
            connections: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            write_timeout,
            interrupt: interrupt.clone(),
            arrive: Box::new(arrive),
        })
    }

    /// Answers the requests of an HTTP connection, in a thread of its own.
    pub(crate) fn serve(self: &Arc<Self>, stream: Stream) {
        if self.connections.fetch_add(1, Ordering::Relaxed) < MAX_CONNECTIONS {
            let registry = self.clone();
            let thread = thread::Builder::new().name("rtmpt".to_owned()).stack_size(CONNECTION_STACK);
            let spawned = thread.spawn(move || {
                Connection { stream, received: Vec::new() }.run(&registry);
                registry.connections.fetch_sub(1, Ordering::Relaxed);
            });
            if spawned.is_ok() {
                return;
            }
        }
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    fn route(&self, request: &Request) -> Route {
        // Clients of a proxy name the server as well.
        let target = request.target.as_str();
        let path = target.strip_prefix("http://").map_or(target, |rest| rest.find('/').map_or("/", |at| &rest[at..]));
        let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match words[..] {
            ["open", _] => Route::Open,
            [command @ ("send" | "idle"), id, number] => match (lock(&self.sessions).get(id), number.parse()) {
                (Some(session), Ok(number)) => {
                    Route::Exchange { id: id.to_owned(), session: session.clone(), number, sends: command == "send" }
                }
                _ => Route::Unknown,
            },
            ["close", id, _] => Route::Close { id: id.to_owned() },
            _ => Route::Unknown,
        }
    }

    fn answer(&self, route: Route, body: &[u8], peer: SocketAddr) -> Answer {
        match route {
            Route::Open => self.open(peer),
            Route::Exchange { id, session, number, .. } => {
                match session.exchange(number, body, self.write_timeout, &self.interrupt) {
                    Some(answer) => Answer::yes(answer),
                    None => self.forget(&id),
                }
            }
            Route::Close { id } => {
                self.forget(&id);
                Answer::yes(vec![0])
            }
            Route::Unknown => Answer::no("404 Not Found"),
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
            let mut sessions = lock(&self.sessions);
            sessions.retain(|_, session| !session.lock().is_abandoned());
            if sessions.len() >= MAX_SESSIONS {
                return Answer::no("503 Service Unavailable");
            }
            sessions.insert(id.clone(), session.clone());
        }
        let stream = SessionStream {
            sessions: self.sessions.clone(),
            id: id.clone(),
            session,
            peer,
            write_timeout: self.write_timeout,
            interrupt: self.interrupt.clone(),
        };
        // A stream that is not taken ends its session.
        if (self.arrive)(stream) {
            Answer::yes(format!("{id}\n").into_bytes())
        } else {
            Answer::no("503 Service Unavailable")
        }
    }

    fn forget(&self, id: &str) -> Answer {
        if let Some(session) = lock(&self.sessions).remove(id) {
            session.lock().client_closed = true;
            session.changed.notify_all();
        }
        Answer::no("404 Not Found")
    }
}

fn lock(sessions: &Sessions) -> MutexGuard<'_, HashMap<String, Arc<Session>>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Requests in progress: a client that waits for its response is not abandoned.
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
        let limit = if self.server_closed { ENDED } else { ABANDONED };
        self.asking == 0 && self.seen.elapsed() > limit
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
                state = self.wait(state, POLL_INTERVAL);
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
            let Some(left) = REPLY_WAIT.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) else { break };
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
    sessions: Arc<Sessions>,
    id: String,
    session: Arc<Session>,
    peer: SocketAddr,
    write_timeout: Duration,
    interrupt: Interrupt,
}

impl SessionStream {
    /// See [`crate::transport::listen::ServerStream::recv`].
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        let until = until.min(Instant::now() + POLL_INTERVAL);
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

    /// See [`crate::transport::listen::ServerStream::send`].
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        let mut state = self.session.lock();
        let mut stuck_since = Instant::now();
        while !bytes.is_empty() {
            if state.client_closed || state.server_closed || state.is_abandoned() {
                return Err(Error::Closed { step: Step::Exchange });
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
                return Err(Error::WriteTimeout { step: Step::Exchange, after: self.write_timeout });
            } else {
                state = self.session.wait(state, POLL_INTERVAL.min(self.write_timeout));
            }
        }
        Ok(())
    }

    /// See [`crate::transport::listen::ServerStream::shutdown`].
    pub(crate) fn finish(&mut self) {
        self.session.lock().server_closed = true;
        self.session.changed.notify_all();
    }

    /// Where the session was opened from.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        self.finish();
        // What the client has not fetched yet waits for it.
        if self.session.lock().outbound.is_empty() {
            lock(&self.sessions).remove(&self.id);
        }
    }
}

/// One HTTP connection.
struct Connection {
    stream: Stream,
    /// Received and not yet looked at.
    received: Vec<u8>,
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
            let (answer, persistent) = match self.exchange(registry) {
                Ok(Some(answered)) => answered,
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
        self.stream.finish();
        // To close with bytes unread would take the answer away from the client.
        let until = Instant::now() + CLOSE_GRACE;
        let mut waste = [0; 4096];
        while Instant::now() < until && !registry.interrupt.is_set() {
            if matches!(self.stream.recv(&mut waste, until), Ok(Recv::Closed) | Err(_)) {
                break;
            }
        }
    }

    /// The answer to the next request, and whether another one may follow; `None` when the client is gone.
    fn exchange(&mut self, registry: &Registry) -> Result<Option<(Answer, bool)>, Answer> {
        let until = Instant::now() + ABANDONED;
        let Some(request) = self.head(registry, until)? else { return Ok(None) };
        let route = match request.method.as_str() {
            "POST" => registry.route(&request),
            _ => return Err(Answer::no("405 Method Not Allowed")),
        };
        // Only bytes of an existing session are kept.
        let mut body = Body { bytes: Vec::new(), registry, keep: matches!(route, Route::Exchange { sends: true, .. }) };
        if !self.body(request.body, &mut body, until)? {
            return Ok(None);
        }
        let answer = registry.answer(route, &body.bytes, self.stream.peer_addr());
        Ok(Some((answer, request.persistent)))
    }

    fn head(&mut self, registry: &Registry, until: Instant) -> Result<Option<Request>, Answer> {
        let mut heads = HeadReader::default();
        loop {
            match heads.request(&self.received) {
                Ok(Some((request, taken))) => {
                    self.received.drain(..taken);
                    return Ok(Some(request));
                }
                Ok(None) if self.receive(registry, until) => {}
                Ok(None) => return Ok(None),
                Err(_) => return Err(Answer::no(BAD_REQUEST)),
            }
        }
    }

    /// Whether the whole body has come.
    fn body(&mut self, mut framing: http::Body, body: &mut Body<'_>, until: Instant) -> Result<bool, Answer> {
        let mut count = 0;
        while !framing.is_done() {
            let found = framing.advance(&self.received, usize::MAX);
            let (taken, data) = found.map_err(|_| Answer::no(BAD_REQUEST))?;
            count += data.len();
            if count > MAX_POST {
                return Err(Answer::no("413 Content Too Large"));
            }
            body.push(data)?;
            self.received.drain(..taken);
            if taken == 0 && !self.receive(body.registry, until) {
                return Ok(false);
            }
        }
        Ok(true)
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

/// A request's body in memory, counted in what all connections hold.
struct Body<'a> {
    bytes: Vec<u8>,
    registry: &'a Registry,
    /// Whether it is kept at all.
    keep: bool,
}

impl Body<'_> {
    fn push(&mut self, data: &[u8]) -> Result<(), Answer> {
        if self.keep {
            let before = self.registry.held.fetch_add(data.len(), Ordering::Relaxed);
            self.bytes.extend_from_slice(data);
            if before + data.len() > MAX_HELD {
                return Err(Answer::no("503 Service Unavailable"));
            }
        }
        Ok(())
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        self.registry.held.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// How long a client that is turned away has to read why.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

const BAD_REQUEST: &str = "400 Bad Request";

/// HTTP connections at a time, of all sessions together.
const MAX_CONNECTIONS: usize = 1024;

/// Sessions at a time.
const MAX_SESSIONS: usize = 512;

/// Largest body of a POST: a client says little.
const MAX_POST: usize = 256 << 10;

/// Bytes of bodies in memory at a time, of all connections together.
const MAX_HELD: usize = 16 << 20;

/// Stack of a connection's thread: a TLS handshake needs the most of it.
const CONNECTION_STACK: usize = 512 << 10;

/// Bytes in each direction that wait for the other end. Also the size of an answer.
const BUFFER_MAX: usize = 256 * 1024;

/// How long a request waits for something to answer with, so that a command and its result need one request, and clients
/// that poll without a pause do not poll a thousand times a second without result.
const REPLY_WAIT: Duration = Duration::from_millis(20);

/// A session without a request for this time is removed. Clients pause for a second at most.
const ABANDONED: Duration = Duration::from_secs(60);

/// How long the end of a session is kept for a client that has not polled again.
const ENDED: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
