//! One client's connection: its session, its streams, and the loop that sends what is due.
//!
//! ```text
//! events ─► queue what is due, up to a batch ─► one write ─► read until the next tag is due ─► events …
//! ```

use std::io;
use std::time::{Duration, Instant};

use crate::error::{Error, Phase};
use crate::proto::handshake;
use crate::proto::message::message_type::{AUDIO, VIDEO};
use crate::proto::server::{EndOfPlay, Level, PlayRequest, ServerEvent, ServerSession, Start};
use crate::proto::status::StatusCode;
use crate::transport::Recv;
use crate::transport::listen::ServerStream;

use super::source::{FileSource, PatternSource, Source};
use super::{Pace, Report, Shared};

/// One client.
pub(super) struct Player<'a> {
    shared: &'a Shared,
    session: ServerSession,
    stream: ServerStream,
    client: String,
    playing: Vec<Playing>,
    /// Milliseconds per message stream; stream 0 is the default of the others.
    buffers: Vec<(u32, u32)>,
    app: String,
    media_bytes: u64,
    began: Instant,
    /// When bytes came last.
    heard: Instant,
    pinged: bool,
}

/// One stream that is played.
struct Playing {
    stream_id: u32,
    name: String,
    source: Source,
    /// Media time, on the client's line, that was due at `since`.
    base_ms: i64,
    since: Instant,
    /// Where it ends, on the client's line; `i64::MAX` is nowhere.
    end_ms: i64,
    begin_ms: i64,
    paused: bool,
    /// All was sent; a seek begins again.
    ended: bool,
    audio: bool,
    video: bool,
    /// The client's buffer was filled, and it has been told.
    full: bool,
    /// Nothing is sent before: the client has been told something that it may want to act on.
    hold: Option<Instant>,
    last_ms: i64,
    bytes: u64,
    /// What comes behind it (`play` without reset).
    queue: Vec<PlayRequest>,
}

/// Why a connection ended without an error.
enum End {
    Client,
    Server,
}

impl<'a> Player<'a> {
    /// Takes a connection over.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn new(shared: &'a Shared, stream: ServerStream) -> Result<Self, Error> {
        let mut random = [0; handshake::Random::BYTES];
        getrandom::fill(&mut random)
            .map_err(|e| Error::Io { phase: Phase::Handshake, source: io::Error::other(e.to_string()) })?;
        let random = handshake::Random::from_bytes(&random);
        let time_ms = shared.began.elapsed().as_millis() as u32;
        let session = ServerSession::new(shared.options.session.clone(), time_ms, &random);
        let client = stream.peer_addr().to_string();
        Ok(Self {
            shared,
            session,
            stream,
            client,
            playing: Vec::new(),
            buffers: Vec::new(),
            app: String::new(),
            media_bytes: 0,
            began: Instant::now(),
            heard: Instant::now(),
            pinged: false,
        })
    }

    /// Serves the client until it goes, the server stops, or something breaks.
    pub(super) fn run(mut self) {
        let result = self.serve();
        let reason = match result {
            Ok(End::Client) => "closed by the client".to_owned(),
            Ok(End::Server) => "closed by the server".to_owned(),
            Err(error) => error.to_string(),
        };
        self.linger();
        let after = self.began.elapsed();
        let report = Report::Gone { client: self.client, reason, media_bytes: self.media_bytes, after };
        self.shared.report(report);
    }

    fn serve(&mut self) -> Result<End, Error> {
        loop {
            while let Some(event) =
                self.session.poll().map_err(|source| Error::Protocol { phase: self.phase(), source })?
            {
                self.take(event)?;
            }
            let next = self.pump()?;
            let wrote = self.flush()?;
            if self.session.is_closing() || self.is_cut_off() || self.shared.stop.is_set() {
                return Ok(End::Server);
            }
            let ended = self.playing.iter().all(|playing| playing.ended) && self.media_bytes > 0;
            if ended && self.shared.options.close_at_end {
                return Ok(End::Server);
            }
            self.check_idle()?;
            // What was left unread while the output was full is looked at before waiting.
            let until = if wrote { Instant::now() } else { next };
            let phase = self.phase();
            match self.stream.recv(self.session.read_buffer(), until).map_err(|e| Error::at(phase, e))? {
                Recv::Bytes(count) => {
                    self.session.bytes_read(count);
                    self.heard = Instant::now();
                    self.pinged = false;
                }
                Recv::Idle => {}
                Recv::Closed => return Ok(End::Client),
            }
        }
    }

    /// Queues what is due, up to a batch. Returns when the next tag is due.
    fn pump(&mut self) -> Result<Instant, Error> {
        let now = Instant::now();
        let mut wake = now + TICK;
        let batch = self.batch_bytes();
        let mut i = 0;
        while let Some(playing) = self.playing.get_mut(i) {
            let ahead_ms = match (&playing.source, self.shared.options.pace) {
                (Source::File(_), Pace::Fast) => i64::MAX / 4,
                (Source::File(_), Pace::Buffer) => i64::from(buffer_ms(&self.buffers, playing.stream_id)),
                (Source::Pattern(_), _) => 0,
            };
            match playing.pump(&mut self.session, now, ahead_ms, batch, &mut self.media_bytes) {
                Pumped::Until(due) => wake = wake.min(due),
                // With an empty batch it is the client's turn; its acknowledgement ends the wait.
                Pumped::More if batch == 0 => {}
                Pumped::More => wake = now,
                Pumped::Full(due) => {
                    wake = wake.min(due);
                    if self.shared.options.buffer_notices && !std::mem::replace(&mut playing.full, true) {
                        self.session.notify_buffer_full(playing.stream_id);
                        playing.hold = Some(now + NOTICE_GRACE);
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
        let wire = self.session.link();
        let ahead = (wire.bytes_sent() as u32).wrapping_sub(wire.peer_acknowledged());
        // The client counts from the end of the handshake, most do.
        let ahead = ahead.saturating_sub(HANDSHAKE_BYTES);
        (self.shared.options.session.window.saturating_sub(ahead) as usize).min(BATCH_BYTES)
    }

    /// Writes what is queued. `true` if there was something.
    fn flush(&mut self) -> Result<bool, Error> {
        let phase = self.phase();
        let output = self.session.output();
        let count = output.len();
        if count > 0 {
            self.stream.send(output).map_err(|e| Error::at(phase, e))?;
            self.session.sent(count);
        }
        Ok(count > 0)
    }

    fn take(&mut self, event: ServerEvent) -> Result<(), Error> {
        match event {
            ServerEvent::Connect(connect) => {
                self.app = connect.app.clone();
                self.shared.report(Report::Connected { client: self.client.clone(), app: connect.app });
            }
            ServerEvent::Refused { code, description } => {
                self.shared.report(Report::Refused {
                    client: self.client.clone(),
                    code: code.to_string(),
                    description,
                });
            }
            ServerEvent::GetStreamLength { transaction_id, name } => {
                let path = self.shared.catalogue.find(&self.app, &name);
                let seconds = path.and_then(|path| self.shared.index(&path).ok()).map(|index| index.duration_s);
                self.session.stream_length(transaction_id, seconds.unwrap_or(0.0));
            }
            ServerEvent::Play(request) => self.play(request)?,
            ServerEvent::Publish { stream_id, .. } => {
                let text = "This server does not take streams.";
                self.session.status(stream_id, Level::Error, StatusCode::PublishBadName, text, "");
            }
            ServerEvent::Pause { stream_id, paused, at_ms } => self.pause(stream_id, paused, at_ms)?,
            ServerEvent::Seek { stream_id, to_ms } => self.seek(stream_id, to_ms)?,
            ServerEvent::Receive { stream_id, message_type_id, wanted } => {
                if let Some(playing) = self.playing.iter_mut().find(|playing| playing.stream_id == stream_id) {
                    let which = if message_type_id == AUDIO { &mut playing.audio } else { &mut playing.video };
                    *which = wanted;
                }
            }
            ServerEvent::BufferLength { stream_id, buffer_ms } => {
                self.buffers.retain(|(id, _)| *id != stream_id);
                if self.buffers.len() < MAX_BUFFERS {
                    self.buffers.push((stream_id, buffer_ms));
                }
            }
            ServerEvent::Close { stream_id } => self.playing.retain(|playing| playing.stream_id != stream_id),
            ServerEvent::CreateStream(_)
            | ServerEvent::Subscribe(_)
            | ServerEvent::SwfVerified(_)
            | ServerEvent::Media { .. } => {}
        }
        Ok(())
    }

    fn play(&mut self, request: PlayRequest) -> Result<(), Error> {
        let id = request.stream_id;
        let before = self.playing.iter_mut().find(|playing| playing.stream_id == id);
        if let (Some(before), false) = (before.filter(|before| !before.ended), request.reset) {
            if before.queue.len() < MAX_QUEUE {
                before.queue.push(request);
            }
            return Ok(());
        }
        self.playing.retain(|playing| playing.stream_id != id);
        self.begin(request, Vec::new())
    }

    fn begin(&mut self, request: PlayRequest, queue: Vec<PlayRequest>) -> Result<(), Error> {
        let options = &self.shared.options;
        let id = request.stream_id;
        let path = self.shared.catalogue.find(&self.app, &request.name);
        let now_ms = self.shared.stream_time_ms();
        let (source, base_ms, begin_ms) = match &path {
            Some(path) => {
                let opened =
                    self.shared.index(path).and_then(|index| FileSource::open(path, index, options.seek_style));
                let mut file = match opened {
                    Ok(file) => file,
                    Err(error) => {
                        // The client is not told what the system said about our files.
                        let report = Report::Unreadable { path: path.clone(), error };
                        self.shared.report(report);
                        self.session.refuse_play(id, StatusCode::PlayFileStructureInvalid, "The file cannot be read.");
                        return Ok(());
                    }
                };
                let start = if let Start::Recorded(start) = request.start { start } else { 0.0 };
                let first_ms = file.seek(start as u32).map_err(|source| self.io(source))?;
                (Source::File(Box::new(file)), first_ms, first_ms)
            }
            None if self.shared.is_live(&self.app, &request.name) => {
                let live = PatternSource::join(options.pattern.clone(), now_ms);
                (Source::Pattern(Box::new(live)), now_ms as i64, now_ms as i64)
            }
            None => {
                let text = format!("No stream named {}.", request.name);
                self.session.refuse_play(id, StatusCode::PlayStreamNotFound, &text);
                self.shared.report(Report::NotFound { client: self.client.clone(), name: request.name });
                return Ok(());
            }
        };
        let wanted_ms = match (path.is_some(), request.start) {
            // Relative and shifted time lines have no place for the point that was asked for; they count from what is sent.
            (true, Start::Recorded(start)) if options.seek_style == super::SeekStyle::Absolute => start as i64,
            _ => begin_ms,
        };
        let length = request.length_ms.filter(|_| options.honour_length);
        self.session.begin_play(&request, path.is_some());
        self.shared.report(Report::Plays { client: self.client.clone(), name: request.name.clone(), file: path });
        self.playing.push(Playing {
            stream_id: id,
            name: request.name,
            source,
            base_ms,
            since: Instant::now(),
            end_ms: length.map_or(i64::MAX, |length| wanted_ms.saturating_add(length as i64)),
            begin_ms,
            paused: false,
            ended: false,
            audio: true,
            video: true,
            full: false,
            hold: None,
            last_ms: begin_ms,
            bytes: 0,
            queue,
        });
        Ok(())
    }

    /// Says that a stream is over, or begins the one that waits behind it.
    fn end(&mut self, index: usize) -> Result<(), Error> {
        let Some(ended) = self.playing.get_mut(index) else { return Ok(()) };
        if !ended.queue.is_empty() {
            let next = ended.queue.remove(0);
            let rest = std::mem::take(&mut ended.queue);
            self.playing.remove(index);
            return self.begin(next, rest);
        }
        ended.ended = true;
        let ending = match (&ended.source, self.shared.options.ending, self.shared.options.live_ending) {
            (Source::File(_), ending, _) => ending,
            (Source::Pattern(_), _, EndOfPlay::Complete) => EndOfPlay::Unpublish,
            (Source::Pattern(_), _, ending) => ending,
        };
        let duration_s = (ended.last_ms - ended.begin_ms) as f64 / 1000.0;
        self.session.end_play(ended.stream_id, ending, wire_time(ended.last_ms), duration_s, ended.bytes as f64);
        let report = Report::Ended { client: self.client.clone(), name: ended.name.clone(), bytes: ended.bytes };
        self.shared.report(report);
        Ok(())
    }

    fn pause(&mut self, stream_id: u32, paused: bool, at_ms: f64) -> Result<(), Error> {
        let now_ms = self.shared.stream_time_ms();
        let Some(playing) = self.playing.iter_mut().find(|playing| playing.stream_id == stream_id) else {
            return Ok(());
        };
        if playing.paused && !paused {
            match &mut playing.source {
                Source::File(file) => {
                    // §7.2.2.9: everything later than the client's time is sent, be it again.
                    file.resume_after(at_ms as i64).map_err(|source| Error::Io { phase: Phase::Media, source })?;
                    playing.base_ms = at_ms as i64;
                }
                Source::Pattern(live) => {
                    live.skip_to(now_ms);
                    playing.base_ms = now_ms as i64;
                }
            }
            playing.since = Instant::now();
            playing.full = false;
            playing.ended = false;
            playing.hold = None;
        }
        playing.paused = paused;
        self.session.notify_pause(stream_id, paused);
        Ok(())
    }

    fn seek(&mut self, stream_id: u32, to_ms: f64) -> Result<(), Error> {
        let Some(playing) = self.playing.iter_mut().find(|playing| playing.stream_id == stream_id) else {
            return Ok(());
        };
        let Source::File(file) = &mut playing.source else {
            let text = "A live stream has no other place to be.";
            self.session.status(stream_id, Level::Error, StatusCode::SeekFailed, text, "");
            return Ok(());
        };
        playing.base_ms =
            file.seek(to_ms.max(0.0) as u32).map_err(|source| Error::Io { phase: Phase::Media, source })?;
        playing.since = Instant::now();
        playing.full = false;
        playing.ended = false;
        playing.hold = None;
        self.session.notify_seek(stream_id, to_ms);
        Ok(())
    }

    /// Whether the test option says to break off here.
    fn is_cut_off(&self) -> bool {
        self.shared.options.cut_after_bytes.is_some_and(|limit| self.media_bytes >= limit)
    }

    /// A client that neither plays nor says anything is asked, and then let go.
    fn check_idle(&mut self) -> Result<(), Error> {
        let after = self.shared.options.idle_timeout;
        let silent = match self.session.connect() {
            Some(_) => self.heard.elapsed(),
            // A handshake that trickles in keeps nobody in.
            None => self.began.elapsed(),
        };
        let plays = self.playing.iter().any(|playing| !playing.paused && !playing.ended);
        if plays {
            return Ok(());
        }
        if silent >= after {
            return Err(Error::Timeout { phase: self.phase(), after });
        }
        if silent >= after / 2 && self.session.connect().is_some() && !std::mem::replace(&mut self.pinged, true) {
            self.session.ping(self.shared.began.elapsed().as_millis() as u32);
            self.flush()?;
        }
        Ok(())
    }

    /// Closes the connection so that the client gets what was written: closing with bytes unread would take it away.
    fn linger(&mut self) {
        self.stream.shutdown();
        let until = Instant::now() + LINGER;
        let mut rest = [0; 4096];
        while Instant::now() < until && !self.shared.stop.is_set() {
            if matches!(self.stream.recv(&mut rest, until), Ok(Recv::Closed) | Err(_)) {
                break;
            }
        }
    }

    fn phase(&self) -> Phase {
        match (self.session.is_past_handshake(), self.session.connect(), self.playing.is_empty()) {
            (false, ..) => Phase::Handshake,
            (true, None, _) => Phase::ConnectCommand,
            (true, Some(_), true) => Phase::Play,
            (true, Some(_), false) => Phase::Media,
        }
    }

    fn io(&self, source: io::Error) -> Error {
        Error::Io { phase: self.phase(), source }
    }
}

/// What [`Playing::pump`] came to.
enum Pumped {
    /// Nothing is due before.
    Until(Instant),
    /// As before, and what the client's buffer takes has been sent.
    Full(Instant),
    /// The batch is full.
    More,
    /// That was all.
    End,
}

impl Playing {
    fn pump(
        &mut self,
        session: &mut ServerSession,
        now: Instant,
        ahead_ms: i64,
        batch: usize,
        sent: &mut u64,
    ) -> Pumped {
        if self.paused || self.ended {
            return Pumped::Until(now + TICK);
        }
        if let Some(hold) = self.hold.filter(|hold| *hold > now) {
            return Pumped::Until(hold);
        }
        let elapsed_ms = now.saturating_duration_since(self.since).as_millis() as i64;
        if let Source::Pattern(live) = &mut self.source {
            // A client that is too slow for a live stream misses some of it, rather than getting ever later.
            let behind = self.base_ms + elapsed_ms - live_time(live);
            if behind > MAX_BEHIND_MS {
                live.skip_to((self.base_ms + elapsed_ms) as u64);
            }
        }
        while session.output().len() < batch {
            let Some(time_ms) = self.source.next_time_ms().filter(|time| *time < self.end_ms) else {
                return Pumped::End;
            };
            let early_ms = (time_ms - self.base_ms) - (elapsed_ms + ahead_ms);
            if early_ms > 0 {
                let due = now + Duration::from_millis(early_ms as u64);
                return if ahead_ms > 0 { Pumped::Full(due) } else { Pumped::Until(due) };
            }
            let Some(tag) = self.source.next() else { return Pumped::End };
            let wanted = match tag.message_type_id {
                AUDIO => self.audio,
                VIDEO => self.video,
                _ => true,
            };
            if wanted {
                session.media(self.stream_id, tag.message_type_id, wire_time(tag.time_ms), tag.payload);
                self.bytes += tag.payload.len() as u64;
                *sent += tag.payload.len() as u64;
            }
            self.last_ms = tag.time_ms.max(self.last_ms);
        }
        Pumped::More
    }
}

fn live_time(live: &PatternSource) -> i64 {
    live.next_time_ms().unwrap_or(i64::MAX)
}

/// The time as it goes over the wire: modulo 2³², never below 0.
fn wire_time(time_ms: i64) -> u32 {
    time_ms.max(0) as u32
}

fn buffer_ms(buffers: &[(u32, u32)], stream_id: u32) -> u32 {
    let of = |id: u32| buffers.iter().find(|(other, _)| *other == id).map(|(_, ms)| *ms);
    of(stream_id).or(of(0)).unwrap_or(DEFAULT_BUFFER_MS)
}

/// Longest wait: after it there is a look at pauses, ends and the clock.
const TICK: Duration = Duration::from_millis(100);

/// How long a closed connection is kept for the client to close its side.
const LINGER: Duration = Duration::from_secs(1);

/// Rest after telling a client that its buffer is full: what is sent while it asks for a pause may reach it twice.
const NOTICE_GRACE: Duration = Duration::from_millis(250);

/// S0, S1 and S2.
const HANDSHAKE_BYTES: u32 = 1 + 1536 + 1536;

/// Media queued for one write. Larger ones do not get faster; it is also what a slow client costs.
const BATCH_BYTES: usize = 512 << 10;

/// How late a live player may get before it misses something.
const MAX_BEHIND_MS: i64 = 3000;

/// Client's buffer where it has not said.
const DEFAULT_BUFFER_MS: u32 = 3000;

/// Streams of one connection that can wait behind each other.
const MAX_QUEUE: usize = 32;

/// Message streams whose buffer lengths are remembered.
const MAX_BUFFERS: usize = 64;
