//! One client's connection: its session, its streams, and the loop that sends what is due.
//!
//! ```text
//! events ─► queue what is due, up to a batch ─► one write ─► read until the next tag is due ─► events …
//! ```

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::proto::ProtocolError;
use crate::proto::auth::secure_token_challenge;
use crate::proto::handshake;
use crate::proto::message::message_type::AUDIO;
use crate::proto::server::{EndOfPlay, Level, PlayRequest, SecureToken, ServerEvent, ServerSession, Start};
use crate::proto::status::StatusCode;
use crate::transport::listen::ServerStream;
use crate::transport::{self, Recv};
use crate::util::hex;
use crate::util::text::os_words;

use super::shared::Shared;
use super::source::{FileSource, PatternSource, Source};
use super::stream::{Pumped, Stream, TICK, wire_time};
use super::types::{LogEntry, Pace, SeekStyle};

/// One client.
pub(super) struct ClientConnection<'a> {
    shared: &'a Shared,
    session: ServerSession,
    transport: ServerStream,
    client: String,
    streams: Vec<Stream>,
    /// Milliseconds per message stream; stream 0 is the default of the others.
    buffers: Vec<(u32, u32)>,
    app: String,
    media_bytes: u64,
    began: Instant,
    /// When bytes were received last.
    last_received: Instant,
    pinged: bool,
}

/// Why a connection ended without an error.
enum End {
    Client,
    Server,
}

/// Why a connection broke.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Transport(#[from] transport::Error),
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    #[error("cannot read the file: {}", os_words(.0))]
    File(#[from] io::Error),
    #[error("idle for {} s", .0.as_secs_f64())]
    Idle(Duration),
    #[error("no connect within {} s", .0.as_secs_f64())]
    Handshake(Duration),
}

impl<'a> ClientConnection<'a> {
    /// Takes a connection over.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn new(shared: &'a Shared, transport: ServerStream) -> io::Result<Self> {
        let mut random = [0; handshake::Random::BYTES + CHALLENGE_BYTES];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let (for_handshake, for_challenge) = random.split_at(handshake::Random::BYTES);
        let for_handshake = for_handshake.first_chunk().ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut options = shared.options.session.clone();
        options.access.secure_token = shared.options.secure_token.as_ref().map(|key| {
            // Another text on each connection, so that an answer cannot be replayed.
            let text = hex::encode(for_challenge);
            SecureToken { challenge: secure_token_challenge(&text, key), key: key.clone() }
        });
        let time_ms = shared.began.elapsed().as_millis() as u32;
        let session = ServerSession::new(options, time_ms, &handshake::Random::from_bytes(for_handshake));
        let client = transport.peer_addr().to_string();
        Ok(Self {
            shared,
            session,
            transport,
            client,
            streams: Vec::new(),
            buffers: Vec::new(),
            app: String::new(),
            media_bytes: 0,
            began: Instant::now(),
            last_received: Instant::now(),
            pinged: false,
        })
    }

    /// Serves the client until it disconnects, the server stops, or something breaks.
    pub(super) fn run(mut self) {
        let result = self.serve();
        let reason = match result {
            Ok(End::Client) => "closed by the client".to_owned(),
            Ok(End::Server) => "closed by the server".to_owned(),
            Err(error) => error.to_string(),
        };
        self.linger();
        let after = self.began.elapsed();
        let entry = LogEntry::Disconnected { client: self.client, reason, media_bytes: self.media_bytes, after };
        self.shared.log(entry);
    }

    fn serve(&mut self) -> Result<End, Failure> {
        loop {
            while let Some(event) = self.session.poll()? {
                self.handle(event)?;
            }
            let next = self.pump()?;
            let wrote = self.flush()?;
            if self.is_to_close() {
                return Ok(End::Server);
            }
            self.check_idle()?;
            // What was left unread while the output was full is read before waiting.
            let until = if wrote { Instant::now() } else { next };
            match self.transport.recv(self.session.read_buffer(), until)? {
                Recv::Bytes(count) => {
                    self.session.bytes_read(count);
                    self.last_received = Instant::now();
                    self.pinged = false;
                }
                Recv::Idle => {}
                Recv::Closed => return Ok(End::Client),
            }
        }
    }

    /// Queues what is due, up to a batch. Returns when the next tag is due.
    fn pump(&mut self) -> Result<Instant, Failure> {
        let now = Instant::now();
        let mut wake = now + TICK;
        let batch = self.batch_bytes();
        let mut i = 0;
        while let Some(stream) = self.streams.get_mut(i) {
            let ahead_ms = match (&stream.source, self.shared.options.pace) {
                (Source::File(_), Pace::Fast) => i64::MAX / 4,
                (Source::File(_), Pace::Buffer) => i64::from(buffer_ms(&self.buffers, stream.id)),
                (Source::Pattern(_), _) => 0,
            };
            match stream.pump(&mut self.session, now, ahead_ms, batch, &mut self.media_bytes) {
                Pumped::Until(due) => wake = wake.min(due),
                // With an empty batch it is the client's turn; its acknowledgement ends the wait.
                Pumped::More if batch == 0 => {}
                Pumped::More => wake = now,
                Pumped::Full(due) => {
                    wake = wake.min(due);
                    if self.shared.options.buffer_notices && !std::mem::replace(&mut stream.full, true) {
                        self.session.notify_buffer_full(stream.id);
                        stream.hold = Some(now + NOTICE_GRACE);
                        wake = now;
                    }
                }
                Pumped::End => {
                    self.end(i)?;
                    wake = now;
                }
            }
            i += 1;
        }
        Ok(wake)
    }

    /// How many bytes may be queued now.
    fn batch_bytes(&self) -> usize {
        if !self.shared.options.wait_for_acknowledgements {
            return BATCH_BYTES;
        }
        let link = self.session.link();
        let ahead = (link.bytes_sent() as u32).wrapping_sub(link.peer_acknowledged());
        // Most clients count from the end of the handshake.
        let ahead = ahead.saturating_sub(HANDSHAKE_BYTES);
        (self.shared.options.session.window.saturating_sub(ahead) as usize).min(BATCH_BYTES)
    }

    /// Writes what is queued. `true` if there was something.
    fn flush(&mut self) -> Result<bool, Failure> {
        let output = self.session.output();
        let count = output.len();
        if count > 0 {
            self.transport.send(output)?;
            self.session.sent(count);
        }
        Ok(count > 0)
    }

    fn handle(&mut self, event: ServerEvent) -> Result<(), Failure> {
        match event {
            ServerEvent::Connect(connect) => {
                self.app = connect.app.clone();
                self.shared.count_accepted();
                self.shared.log(LogEntry::Connected { client: self.client.clone(), app: connect.app });
            }
            ServerEvent::Refused { code, description } => {
                self.shared.log(LogEntry::Refused { client: self.client.clone(), code: code.to_string(), description });
            }
            ServerEvent::GetStreamLength { transaction_id, name } => {
                let path = self.shared.catalogue.find(&self.app, &name);
                let seconds = path.and_then(|path| self.shared.index(&path).ok()).map(|index| index.duration_s);
                self.session.stream_length(transaction_id, seconds.unwrap_or(0.0));
            }
            ServerEvent::Play(request) => self.play(request)?,
            ServerEvent::Publish { stream_id, .. } => {
                let text = "This server does not accept publishers.";
                self.session.status(stream_id, Level::Error, StatusCode::PublishBadName, text, "");
            }
            ServerEvent::Pause { stream_id, paused, at_ms } => self.pause(stream_id, paused, at_ms)?,
            ServerEvent::Seek { stream_id, to_ms } => self.seek(stream_id, to_ms)?,
            ServerEvent::Receive { stream_id, message_type_id, wanted } => {
                if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == stream_id) {
                    let track = if message_type_id == AUDIO { &mut stream.audio } else { &mut stream.video };
                    *track = wanted;
                }
            }
            ServerEvent::BufferLength { stream_id, buffer_ms } => {
                self.buffers.retain(|(id, _)| *id != stream_id);
                if self.buffers.len() < MAX_BUFFERS {
                    self.buffers.push((stream_id, buffer_ms));
                }
            }
            ServerEvent::Close { stream_id } => self.streams.retain(|stream| stream.id != stream_id),
            ServerEvent::CreateStream(_)
            | ServerEvent::Subscribe(_)
            | ServerEvent::SwfVerified(_)
            | ServerEvent::Media { .. } => {}
        }
        Ok(())
    }

    fn play(&mut self, request: PlayRequest) -> Result<(), Failure> {
        let id = request.stream_id;
        let before = self.streams.iter_mut().find(|stream| stream.id == id);
        if let (Some(before), false) = (before.filter(|before| !before.ended), request.reset) {
            if before.queue.len() < MAX_QUEUE {
                before.queue.push(request);
            }
            return Ok(());
        }
        self.streams.retain(|stream| stream.id != id);
        self.begin(request, Vec::new())
    }

    fn begin(&mut self, request: PlayRequest, queue: Vec<PlayRequest>) -> Result<(), Failure> {
        let path = self.shared.catalogue.find(&self.app, &request.name);
        let now_ms = self.shared.stream_time_ms();
        let (source, begin_ms) = match &path {
            Some(path) => {
                let start_ms = if let Start::Recorded(start_ms) = request.start { start_ms } else { 0.0 };
                match self.open(path, start_ms) {
                    Ok((file, first_ms)) => (Source::File(Box::new(file)), first_ms),
                    Err(error) => {
                        // System errors of our files are not sent to the client.
                        let (id, code) = (request.stream_id, StatusCode::PlayFileStructureInvalid);
                        self.session.refuse_play(id, code, "The file cannot be read.");
                        self.shared.log(LogEntry::Unreadable { path: path.clone(), error });
                        return Ok(());
                    }
                }
            }
            None if self.shared.is_live(&self.app, &request.name) => {
                let live = PatternSource::join(self.shared.options.pattern.clone(), now_ms);
                (Source::Pattern(Box::new(live)), now_ms as i64)
            }
            None => {
                let text = format!("No stream named {}.", request.name);
                self.session.refuse_play(request.stream_id, StatusCode::PlayStreamNotFound, &text);
                self.shared.log(LogEntry::NotFound { client: self.client.clone(), name: request.name });
                return Ok(());
            }
        };
        let end_ms = self.end_of(&request, path.is_some(), begin_ms);
        self.session.begin_play(&request, path.is_some());
        let (client, name) = (self.client.clone(), request.name.clone());
        self.shared.log(LogEntry::Playing { client, name, file: path });
        let mut stream = Stream::new(request.stream_id, request.name, source, begin_ms, end_ms);
        stream.queue = queue;
        self.streams.push(stream);
        Ok(())
    }

    fn open(&self, path: &Path, start_ms: f64) -> io::Result<(FileSource, i64)> {
        let index = self.shared.index(path)?;
        let mut file = FileSource::open(path, index, self.shared.options.seek_style)?;
        let first_ms = file.seek(start_ms as u32)?;
        Ok((file, first_ms))
    }

    /// Where a stream that begins at `begin_ms` ends, on the client's line.
    fn end_of(&self, request: &PlayRequest, is_file: bool, begin_ms: i64) -> i64 {
        let options = &self.shared.options;
        let Some(length_ms) = request.length_ms.filter(|_| options.honour_length) else { return i64::MAX };
        let from_ms = match request.start {
            // Relative and shifted time lines do not have the requested position; there the length counts from the first tag.
            Start::Recorded(start_ms) if is_file && options.seek_style == SeekStyle::Absolute => start_ms as i64,
            _ => begin_ms,
        };
        from_ms.saturating_add(length_ms as i64)
    }

    /// Ends a stream with the messages of the options, or begins the next one in its queue.
    fn end(&mut self, index: usize) -> Result<(), Failure> {
        let Some(ended) = self.streams.get_mut(index) else { return Ok(()) };
        if !ended.queue.is_empty() {
            let next = ended.queue.remove(0);
            let rest = std::mem::take(&mut ended.queue);
            self.streams.remove(index);
            return self.begin(next, rest);
        }
        ended.ended = true;
        let ending = match (&ended.source, self.shared.options.ending, self.shared.options.live_ending) {
            (Source::File(_), ending, _) => ending,
            (Source::Pattern(_), _, EndOfPlay::Complete) => EndOfPlay::Unpublish,
            (Source::Pattern(_), _, ending) => ending,
        };
        self.session.end_play(ended.id, ending, wire_time(ended.last_ms), ended.played_s(), ended.bytes as f64);
        let entry = LogEntry::Ended { client: self.client.clone(), name: ended.name.clone(), bytes: ended.bytes };
        self.shared.log(entry);
        Ok(())
    }

    fn pause(&mut self, stream_id: u32, paused: bool, at_ms: f64) -> Result<(), Failure> {
        let now_ms = self.shared.stream_time_ms();
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == stream_id) {
            stream.pause(paused, at_ms, now_ms)?;
            self.session.notify_pause(stream_id, paused);
        }
        Ok(())
    }

    fn seek(&mut self, stream_id: u32, to_ms: f64) -> Result<(), Failure> {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == stream_id) else { return Ok(()) };
        if stream.seek(to_ms)? {
            self.session.notify_seek(stream_id, to_ms);
        } else {
            let text = "A live stream cannot be sought in.";
            self.session.status(stream_id, Level::Error, StatusCode::SeekFailed, text, "");
        }
        Ok(())
    }

    fn is_to_close(&self) -> bool {
        let options = &self.shared.options;
        let has_ended = self.media_bytes > 0 && self.streams.iter().all(|stream| stream.ended);
        let is_cut_off = options.cut_after_bytes.is_some_and(|limit| self.media_bytes >= limit);
        // A client that has not connected when the last wanted one has is not waited for.
        let is_superfluous = self.session.connect().is_none() && self.shared.has_served_all();
        let is_over = (has_ended && options.close_at_end) || is_cut_off || is_superfluous;
        is_over || self.session.is_closing() || self.shared.stop.is_set()
    }

    /// Pings a client that neither plays nor sends anything, and then disconnects it.
    fn check_idle(&mut self) -> Result<(), Failure> {
        if self.streams.iter().any(|stream| !stream.paused && !stream.ended) {
            return Ok(());
        }
        let limit = self.shared.options.idle_timeout;
        if self.session.connect().is_none() {
            // A handshake that arrives byte by byte does not prolong it.
            return if self.began.elapsed() >= limit { Err(Failure::Handshake(limit)) } else { Ok(()) };
        }
        let silent = self.last_received.elapsed();
        if silent >= limit {
            return Err(Failure::Idle(limit));
        }
        if silent >= limit / 2 && !std::mem::replace(&mut self.pinged, true) {
            self.session.ping(self.shared.began.elapsed().as_millis() as u32);
            self.flush()?;
        }
        Ok(())
    }

    /// Closes the connection so that the client gets what was written: closing with bytes unread would discard it.
    fn linger(&mut self) {
        self.transport.shutdown();
        let until = Instant::now() + LINGER;
        let mut rest = [0; 4096];
        while Instant::now() < until && !self.shared.stop.is_set() {
            if matches!(self.transport.recv(&mut rest, until), Ok(Recv::Closed) | Err(_)) {
                break;
            }
        }
    }
}

fn buffer_ms(buffers: &[(u32, u32)], stream_id: u32) -> u32 {
    let of = |id: u32| buffers.iter().find(|(other, _)| *other == id).map(|(_, ms)| *ms);
    of(stream_id).or(of(0)).unwrap_or(DEFAULT_BUFFER_MS)
}

/// How long a closed connection is kept for the client to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// Rest after telling a client that its buffer is full: what is sent while it requests a pause may reach it twice.
const NOTICE_GRACE: Duration = Duration::from_millis(250);

/// S0, S1 and S2.
const HANDSHAKE_BYTES: u32 = 1 + 1536 + 1536;

/// Random bytes of a SecureToken challenge.
const CHALLENGE_BYTES: usize = 8;

/// Media queued for one write, and the memory that a slow client costs. Larger writes are not faster.
const BATCH_BYTES: usize = 512 << 10;

/// Client's buffer where it has sent no length.
const DEFAULT_BUFFER_MS: u32 = 3000;

/// `play` requests of one stream that can wait.
const MAX_QUEUE: usize = 32;

/// Message streams whose buffer lengths are kept.
const MAX_BUFFERS: usize = 64;
