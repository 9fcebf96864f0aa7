//! RTMPT, client side: RTMP in the bodies of HTTP requests and responses.
//!
//! ```text
//! POST /fcs/ident2      00              → (whatever)
//! POST /open/1          00              → session ID ⏎
//! POST /send/ID/n       bytes           → interval:1 bytes
//! POST /idle/ID/n       00              → interval:1 bytes
//! POST /close/ID/n      00              → (whatever)
//! ```
//!
//! There is no specification; this is what servers do. One request is outstanding at any time; `n` counts them from 0 after open. Each
//! answer begins with a hint at how long to wait before asking again when there was nothing: servers start with 1 and go up
//! to 33, which is about half a second, so its unit is taken as 1/64 s. An answer with data is followed by the next request
//! at once unless its hint is above 1. A server ends a session by answering HTTP 404.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{Body, HeadReader, HttpError, Response};
use crate::transport::error::{Error, Step};
use crate::transport::host::authority;
use crate::transport::interrupt::Interrupt;
use crate::transport::stream::{Dialer, Stream};
use crate::transport::tls::Certificate;
use crate::transport::types::{Deadline, Recv, Timings};
use crate::util::time::POLL_INTERVAL;

/// A session in a tunnel, over one or more successive HTTP connections.
#[derive(Debug)]
pub(crate) struct Tunnel {
    dialer: Dialer,
    interrupt: Interrupt,
    step: Step,
    quickack: bool,
    peer: SocketAddr,
    stream: Option<Stream>,
    id: String,
    /// Number of the next request.
    sequence: u64,
    /// Bytes for the next request.
    queue: Vec<u8>,
    /// The request that is being answered.
    exchange: Option<Exchange>,
    /// When to poll again, unless there is something to send.
    poll_at: Instant,
    heads: HeadReader,
    /// Received and not parsed: `incoming[start..end]`.
    incoming: Vec<u8>,
    start: usize,
    end: usize,
    closed: bool,
}

/// A request, and the state of its response.
#[derive(Debug)]
struct Exchange {
    /// Kept to be sent again when the server drops the connection instead of answering.
    request: Vec<u8>,
    began: Instant,
    /// Whether the connection had been used before, so that it may have been dropped in the meantime.
    reused: bool,
    /// Whether any byte of the response has been received.
    answered: bool,
    persistent: bool,
    body: Option<Body>,
    /// The answer's first byte.
    interval: Option<u8>,
    has_data: bool,
}

impl Tunnel {
    /// Connects and opens a session.
    ///
    /// # Errors
    /// `Refused` when the server does not speak RTMPT; all errors of connecting.
    pub(crate) fn open(dialer: Dialer, deadline: &Deadline, timings: &mut Timings) -> Result<Self, Error> {
        let mut stream = dialer.open(deadline, timings)?;
        stream.set_step(Step::Tunnel);
        let mut tunnel = Tunnel {
            interrupt: deadline.interrupt().clone(),
            step: Step::Tunnel,
            quickack: false,
            peer: stream.peer_addr(),
            dialer,
            stream: Some(stream),
            id: String::new(),
            sequence: 0,
            queue: Vec::new(),
            exchange: None,
            poll_at: Instant::now(),
            heads: HeadReader::default(),
            incoming: vec![0; INCOMING_MIN],
            start: 0,
            end: 0,
            closed: false,
        };
        let began = Instant::now();
        let options = tunnel.dialer.options().tunnel.clone().unwrap_or_default();
        if options.ident {
            // The answer does not matter; most servers have no such page.
            tunnel.exchange_whole("/fcs/ident2", deadline)?;
        }
        let (status, body) = tunnel.exchange_whole("/open/1", deadline)?;
        if status.code != 200 {
            return Err(tunnel.refusal(&status, "the server refused to open a tunnel"));
        }
        tunnel.id =
            session_id(&body).ok_or_else(|| refused("no session ID in the answer to open: not an RTMPT server"))?;
        timings.tunnel = Some(began.elapsed());
        tunnel.step = Step::Exchange;
        if let Some(stream) = &mut tunnel.stream {
            stream.set_step(Step::Exchange);
        }
        tunnel.poll_at = Instant::now();
        Ok(tunnel)
    }

    /// See [`crate::transport::Transport::recv`].
    pub(crate) fn recv(&mut self, buf: &mut [u8], until: Instant) -> Result<Recv, Error> {
        let until = until.min(Instant::now() + POLL_INTERVAL);
        loop {
            if self.closed {
                return Ok(Recv::Closed);
            }
            let now = Instant::now();
            if self.exchange.is_some() {
                if let Some(result) = self.receive_answer(buf, until)? {
                    return Ok(result);
                }
            } else if !self.queue.is_empty() || now >= self.poll_at {
                self.begin_exchange()?;
            } else {
                thread::sleep(self.poll_at.min(until).saturating_duration_since(now).min(POLL_PAUSE));
            }
            // Also for a server that answers at once and without data.
            if Instant::now() >= until || self.interrupt.is_set() {
                return Ok(Recv::Idle);
            }
        }
    }

    /// See [`crate::transport::Transport::send`].
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.queue.extend_from_slice(bytes);
        match &self.exchange {
            None if !self.queue.is_empty() => self.begin_exchange(),
            Some(exchange) if self.queue.len() > MAX_QUEUE => {
                Err(Error::WriteTimeout { step: self.step, after: exchange.began.elapsed() })
            }
            _ => Ok(()),
        }
    }

    /// Sends what is queued and closes the session, with at most [`CLOSE_GRACE`] for each wait. Errors are ignored.
    pub(crate) fn finish(&mut self) {
        if !self.closed && self.settle() && (self.queue.is_empty() || (self.begin_exchange().is_ok() && self.settle()))
        {
            let request = self.request("close", &[0]);
            if let Some(stream) = &mut self.stream
                && stream.send(&request).is_ok()
            {
                stream.finish();
            }
        }
        self.closed = true;
        self.stream = None;
    }

    /// See [`crate::transport::Transport::set_quickack`].
    pub(crate) fn set_quickack(&mut self, on: bool) {
        self.quickack = on;
        if let Some(stream) = &mut self.stream {
            stream.set_quickack(on);
        }
    }

    /// See [`crate::transport::Transport::tls`].
    pub(crate) fn tls(&self) -> Option<String> {
        self.stream.as_ref().and_then(Stream::tls)
    }

    /// See [`crate::transport::Transport::certificate`].
    pub(crate) fn certificate(&self) -> Option<Certificate> {
        self.stream.as_ref().and_then(Stream::certificate)
    }

    /// The other end of the latest connection.
    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// Waits briefly for the present response to end. Returns whether it did, so that another request can be sent.
    fn settle(&mut self) -> bool {
        let until = Instant::now() + CLOSE_GRACE;
        let mut waste = vec![0; INCOMING_MIN];
        while self.exchange.is_some() {
            if Instant::now() >= until || self.receive_answer(&mut waste, until).is_err() {
                return false;
            }
        }
        !self.closed
    }

    /// Sends the next request: what is queued, or a poll for data.
    fn begin_exchange(&mut self) -> Result<(), Error> {
        let request = if self.queue.is_empty() {
            self.request("idle", &[0])
        } else {
            let queue = std::mem::take(&mut self.queue);
            self.request("send", &queue)
        };
        self.start_exchange(request, None)
    }

    fn request(&mut self, command: &str, body: &[u8]) -> Vec<u8> {
        let path = format!("/{command}/{}/{}", self.id, self.sequence);
        self.sequence += 1;
        self.post(&path, body)
    }

    fn post(&self, path: &str, body: &[u8]) -> Vec<u8> {
        let options = self.dialer.options();
        let host = authority(&options.host, options.port);
        let (target, proxy_lines) = match self.dialer.gateway() {
            None => (path.to_owned(), String::new()),
            Some(proxy) => {
                let line = proxy.basic().map(|value| format!("Proxy-Authorization: {value}\r\n"));
                (format!("http://{host}{path}"), line.unwrap_or_default())
            }
        };
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nUser-Agent: Shockwave Flash\r\n\
             Connection: Keep-Alive\r\nCache-Control: no-cache\r\n{proxy_lines}\
             Content-Type: application/x-fcs\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    /// Sends a request, over a new connection when there is none or the old one was closed.
    fn start_exchange(&mut self, request: Vec<u8>, deadline: Option<&Deadline>) -> Result<(), Error> {
        let reused = self.stream.is_some();
        if !reused {
            self.connect(deadline)?;
        }
        self.exchange = Some(Exchange {
            request,
            began: Instant::now(),
            reused,
            answered: false,
            persistent: false,
            body: None,
            interval: None,
            has_data: false,
        });
        self.send_request(deadline)
    }

    fn send_request(&mut self, deadline: Option<&Deadline>) -> Result<(), Error> {
        let (Some(stream), Some(exchange)) = (&mut self.stream, &self.exchange) else { return Ok(()) };
        match stream.send(&exchange.request) {
            Err(Error::Io { .. }) if exchange.reused => self.repeat(deadline),
            result => result,
        }
    }

    /// The server closed an idle connection: sends the same request over a new one. By its number the server recognises
    /// a request that it has already received.
    fn repeat(&mut self, deadline: Option<&Deadline>) -> Result<(), Error> {
        self.stream = None;
        self.connect(deadline)?;
        if let Some(exchange) = &mut self.exchange {
            exchange.reused = false;
        }
        self.send_request(deadline)
    }

    /// The error for an HTTP status other than 200.
    fn refusal(&self, response: &Response, what: &str) -> Error {
        let hint = match (response.code, self.dialer.gateway()) {
            (407, Some(proxy)) if proxy.user.is_some() => " (wrong user name or password for the proxy)",
            (407, _) => " (the proxy requires a user name and password)",
            _ => "",
        };
        let space = if response.reason.is_empty() { "" } else { " " };
        refused(format!("HTTP {}{space}{}: {what}{hint}", response.code, response.reason))
    }

    fn connect(&mut self, deadline: Option<&Deadline>) -> Result<(), Error> {
        let own;
        let deadline = match deadline {
            Some(deadline) => deadline,
            None => {
                own = Deadline::new(self.dialer.options().connect_timeout, &self.interrupt);
                &own
            }
        };
        let mut stream = self.dialer.open(deadline, &mut Timings::default())?;
        stream.set_step(self.step);
        stream.set_quickack(self.quickack);
        self.peer = stream.peer_addr();
        self.stream = Some(stream);
        (self.start, self.end, self.heads) = (0, 0, HeadReader::default());
        Ok(())
    }

    /// Continues with the answer to a session's request: data, an end of the wait, or nothing when the answer is complete.
    fn receive_answer(&mut self, buf: &mut [u8], until: Instant) -> Result<Option<Recv>, Error> {
        let mut received = false;
        loop {
            if self.read_head()?.is_some_and(|response| response.code != 200) {
                return Ok(Some(Recv::Closed));
            }
            if let Some(count) = self.read_data(buf)? {
                return Ok(Some(Recv::Bytes(count)));
            }
            if self.is_complete() {
                self.end_exchange();
                return Ok(None);
            }
            // Received bytes are parsed first; but a peer that keeps sending without data must not prolong the wait.
            if received && (self.interrupt.is_set() || Instant::now() >= until) {
                return Ok(Some(Recv::Idle));
            }
            match self.fill(buf, until)? {
                Filled::Incoming => received = true,
                Filled::Caller(count) => return Ok(Some(Recv::Bytes(count))),
                Filled::Nothing => return Ok(Some(Recv::Idle)),
            }
        }
    }

    /// Parses the head of the response when it is complete. Returns it once; a status other than 200 ends the session.
    fn read_head(&mut self) -> Result<Option<Response>, Error> {
        if self.exchange.as_ref().is_none_or(|exchange| exchange.body.is_some()) {
            return Ok(None);
        }
        let Some(response) = self.parse_head()? else { return Ok(None) };
        match response.code {
            200 => {}
            // For the first request it would mean that the session never existed.
            404 | 410 if self.sequence > 1 => {
                self.exchange = None;
                self.closed = true;
                return Ok(Some(response));
            }
            _ => return Err(self.refusal(&response, "the server closed the tunnel")),
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.persistent = response.persistent;
            exchange.body = Some(response.body.clone());
        }
        Ok(Some(response))
    }

    fn parse_head(&mut self) -> Result<Option<Response>, Error> {
        loop {
            let parsed = self.heads.response(&self.incoming[self.start..self.end]).map_err(bad_http)?;
            let Some((response, taken)) = parsed else { return Ok(None) };
            self.start += taken;
            // "100 Continue" and other 1xx responses precede the final one.
            if response.code >= 200 {
                return Ok(Some(response));
            }
        }
    }

    /// Takes what has been received of the body: the interval, then data.
    fn read_data(&mut self, buf: &mut [u8]) -> Result<Option<usize>, Error> {
        let Some(Exchange { body: Some(body), interval, has_data, .. }) = &mut self.exchange else { return Ok(None) };
        while self.start < self.end {
            let room = if interval.is_none() { 1 } else { buf.len() };
            let (taken, data) = body.advance(&self.incoming[self.start..self.end], room).map_err(bad_http)?;
            self.start += taken;
            match (data, *interval) {
                ([], _) => break,
                (data, None) => *interval = data.first().copied(),
                (data, Some(_)) => {
                    buf[..data.len()].copy_from_slice(data);
                    *has_data = true;
                    return Ok(Some(data.len()));
                }
            }
        }
        Ok(None)
    }

    fn is_complete(&self) -> bool {
        self.exchange.as_ref().and_then(|exchange| exchange.body.as_ref()).is_some_and(Body::is_done)
    }

    fn end_exchange(&mut self) {
        let Some(exchange) = self.exchange.take() else { return };
        self.poll_at = Instant::now() + delay(exchange.interval.unwrap_or(0), exchange.has_data);
        // Bytes after the response are dropped.
        if !exchange.persistent || self.start < self.end {
            self.stream = None;
            (self.start, self.end) = (0, 0);
        }
    }

    /// Receives once: to the caller's buffer when it is data for certain, else to ours.
    fn fill(&mut self, buf: &mut [u8], until: Instant) -> Result<Filled, Error> {
        let Some(stream) = &mut self.stream else { return Err(Error::Closed { step: self.step }) };
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.incoming.len() {
            self.incoming.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.end == self.incoming.len() {
                // Only a head can be so long, and its parser has a limit.
                self.incoming.resize(self.end * 2, 0);
            }
        }
        let direct = match &mut self.exchange {
            Some(Exchange { body: Some(body), interval: Some(_), has_data, .. }) if self.start == self.end => {
                let ahead = usize::try_from(body.data_ahead()).unwrap_or(usize::MAX).min(buf.len());
                (ahead >= DIRECT_MIN.min(buf.len())).then_some((body, has_data, ahead)).filter(|_| ahead > 0)
            }
            _ => None,
        };
        let result = match direct {
            Some((body, has_data, ahead)) => match stream.recv(&mut buf[..ahead], until) {
                Ok(Recv::Bytes(count)) => {
                    body.received(count);
                    *has_data = true;
                    return Ok(Filled::Caller(count));
                }
                other => other,
            },
            None => stream.recv(&mut self.incoming[self.end..], until),
        };
        match result {
            Ok(Recv::Bytes(count)) => {
                self.end += count;
                if let Some(exchange) = &mut self.exchange {
                    exchange.answered = true;
                }
                Ok(Filled::Incoming)
            }
            Ok(Recv::Idle) => Ok(Filled::Nothing),
            Ok(Recv::Closed) => self.dropped(None),
            Err(Error::Io { step, source }) => self.dropped(Some(Error::Io { step, source })),
            Err(error) => Err(error),
        }
    }

    /// The connection ended during an answer.
    fn dropped(&mut self, error: Option<Error>) -> Result<Filled, Error> {
        let Some(exchange) = &mut self.exchange else { return Err(Error::Closed { step: self.step }) };
        match &mut exchange.body {
            None if !exchange.answered && exchange.reused => {
                self.repeat(None)?;
                Ok(Filled::Incoming)
            }
            None if !exchange.answered => Err(error.unwrap_or(Error::Closed { step: self.step })),
            Some(body) if body.is_until_close() && error.is_none() => {
                body.end();
                Ok(Filled::Incoming)
            }
            _ => Err(error.unwrap_or_else(|| Error::Io {
                step: self.step,
                source: io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended within an HTTP answer"),
            })),
        }
    }

    /// A request outside a session, and its answer: the whole of it when it is one, of at most [`MAX_OPEN`] bytes.
    fn exchange_whole(&mut self, path: &str, deadline: &Deadline) -> Result<(Response, Vec<u8>), Error> {
        let request = self.post(path, &[0]);
        self.start_exchange(request, Some(deadline))?;
        let mut status = None;
        let mut content = Vec::new();
        loop {
            if status.is_none()
                && let Some(found) = self.parse_head()?
                && let Some(exchange) = &mut self.exchange
            {
                exchange.persistent = found.persistent;
                // No interval in this one.
                exchange.interval = Some(0);
                exchange.body = Some(found.body.clone());
                status = Some(found);
            }
            let mut buf = [0; 512];
            while let Some(count) = self.read_data(&mut buf)? {
                content.extend_from_slice(&buf[..count]);
            }
            match &status {
                // The rest of an error page is not needed, and neither is the connection.
                Some(status) if self.is_complete() || content.len() > MAX_OPEN || status.code != 200 => {
                    if !self.is_complete() {
                        self.stream = None;
                    }
                    self.end_exchange();
                    return Ok((status.clone(), content));
                }
                _ => {}
            }
            deadline.check(Step::Tunnel)?;
            if let Filled::Caller(count) = self.fill(&mut buf, deadline.wait_until())? {
                content.extend_from_slice(&buf[..count]);
            }
        }
    }
}

/// Where received bytes were stored.
enum Filled {
    /// Into `incoming`, or the exchange has moved on in another way.
    Incoming,
    /// Into the caller's buffer, as data.
    Caller(usize),
    /// There were none.
    Nothing,
}

/// How long to wait before the next request.
fn delay(interval: u8, has_data: bool) -> Duration {
    if has_data && interval <= 1 {
        return Duration::ZERO;
    }
    // Always with a pause: a server with an interval of 0 would be polled as fast as it answers.
    (INTERVAL_UNIT * u32::from(interval.max(1))).min(MAX_DELAY)
}

/// The session's name as open's answer has it: something that can stand in a path.
fn session_id(body: &[u8]) -> Option<String> {
    let id = std::str::from_utf8(body).ok()?.trim();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+=".contains(&byte);
    (!id.is_empty() && id.len() <= MAX_ID && id.bytes().all(fits)).then(|| id.to_owned())
}

fn refused(reason: impl Into<String>) -> Error {
    Error::Refused { step: Step::Tunnel, reason: reason.into() }
}

fn bad_http(error: HttpError) -> Error {
    refused(error.to_string())
}

/// The unit of the polling interval: 33 of it make about half a second.
const INTERVAL_UNIT: Duration = Duration::from_micros(1_000_000 / 64);

/// Longest time between two requests, whatever the server says: it would be noticed late that the session has ended.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// How often a wait for the next request checks the interrupt.
const POLL_PAUSE: Duration = Duration::from_millis(100);

/// How long closing the session may wait for a response.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// Longest session ID.
const MAX_ID: usize = 256;

/// Longest answer to open that is read: an ID, or a page that explains why there is none.
const MAX_OPEN: usize = 4096;

/// Most bytes that wait for the present answer to end. A client says little; so many only come together when a server
/// has stopped answering.
const MAX_QUEUE: usize = 4 << 20;

/// Data of at least this length is received directly into the caller's buffer; less is received along with what follows.
const DIRECT_MIN: usize = 4096;

/// The receive buffer: for heads and short answers, for the data of long ones goes straight to the caller.
const INCOMING_MIN: usize = 16 * 1024;

#[cfg(test)]
mod tests;
