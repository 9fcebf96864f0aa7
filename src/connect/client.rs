//! The blocking client: a [`Session`] and a [`Transport`], and the loop between them. The only reader and the only writer.
//!
//! ```text
//! poll ──► true: event() ──► poll …
//!   └────► false: wait(until): everything queued goes out in one write, then one read ──► poll …
//! ```
//!
//! `wait` comes back at every tick, so progress, signals and time limits belong to the caller; what the specification or
//! the user bounds (handshake, commands, first media, stalls) is bounded here, with the phase in the error.

use std::time::{Duration, Instant};

use super::error::{Error, Phase};
use super::progress_clock::ProgressClock;
use crate::proto::handshake;
use crate::proto::session::{Event, Session, SessionConfig, SessionEvent, StatusKind};
use crate::transport::{DialOptions, Interrupt, Recv, Transport};

/// How long each part of a session may take; `None` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Handshake, and each command before play.
    pub answer: Option<Duration>,
    /// From play to its answer: some servers hold it back while they look for a publisher, before they say that there is none.
    pub play: Option<Duration>,
    /// From play to the first media.
    pub first_media: Option<Duration>,
    /// Between media.
    pub stall: Option<Duration>,
}

impl Default for Timeouts {
    /// Ten seconds for an answer, half a minute for media.
    fn default() -> Self {
        let (answer, media) = (Duration::from_secs(10), Duration::from_secs(30));
        Self { answer: Some(answer), play: Some(media), first_media: Some(media), stall: Some(media) }
    }
}

/// When things happened, measured from the call of [`Client::open`]: `None` if they did not (yet).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks {
    /// Bytes can be exchanged with the server: TCP, proxy, TLS and tunnel are through.
    pub opened: Option<Duration>,
    /// S1 was there.
    pub handshake: Option<Duration>,
    /// `_result` of connect.
    pub connected: Option<Duration>,
    /// `_result` of createStream.
    pub stream_created: Option<Duration>,
    /// Play.Start.
    pub play_started: Option<Duration>,
    /// First audio, video or data.
    pub first_media: Option<Duration>,
}

/// Sees every byte of a connection, above TLS and tunnel.
pub trait Tap: std::fmt::Debug + Send {
    /// Whether it is shown in the clear what RTMPE enciphers; otherwise it sees what the server does.
    fn is_deciphered(&self) -> bool {
        false
    }
    /// These bytes are about to be sent.
    fn sending(&mut self, bytes: &[u8]);
    /// These bytes came.
    fn received(&mut self, bytes: &[u8]);
}

/// A connection to a server.
///
/// ```
/// use rtmpcat::connect::{Connector, Options};
/// use rtmpcat::proto::session::Event;
/// # let server = rtmpcat::serve::Server::start(rtmpcat::serve::ServeOptions::default())?;
/// # let address = server.url();
/// let mut connector = Connector::new(&address.parse()?, &Options::default())?;
/// let mut client = connector.connect(&mut |_| {}, &rtmpcat::Interrupt::default())?;
/// let mut messages = 0;
/// while messages < 10 {
///     if client.poll()? {
///         messages += usize::from(matches!(client.event(), Some(Event::Media(..))));
///     } else {
///         client.wait(std::time::Instant::now() + std::time::Duration::from_secs(1))?;
///     }
/// }
/// client.close();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    session: Session,
    transport: Transport,
    timeouts: Timeouts,
    interrupt: Interrupt,
    began: Instant,
    marks: Marks,
    phase: Phase,
    /// Counts from the beginning of the present phase, or the last media.
    clock: ProgressClock,
    media_in_batch: bool,
    /// Bytes of half-received media when that was last taken for progress.
    partial_media: usize,
    /// Since when it is open whether the server took `play` for another stream.
    play_open_since: Option<Instant>,
    /// The peer does not take anything any more: why.
    gone: Option<Error>,
    taps: Vec<Box<dyn Tap>>,
    /// One of the taps is shown what is deciphered.
    is_watched: bool,
}

impl Client {
    /// Connects and queues the beginning of the handshake. Draws its random bytes from the system.
    ///
    /// # Errors
    /// Whatever keeps bytes from being exchanged: [`Error::Io`], [`Error::Timeout`], [`Error::Refused`], or
    /// [`Error::Interrupted`].
    pub fn open(
        dial: &DialOptions,
        session: SessionConfig,
        timeouts: Timeouts,
        interrupt: &Interrupt,
    ) -> Result<Self, Error> {
        let began = Instant::now();
        let mut transport = Transport::open(dial, interrupt).map_err(|e| Error::at(Phase::Handshake, e))?;
        transport.set_quickack(true);
        let mut random = [0; handshake::Random::BYTES];
        getrandom::fill(&mut random)
            .map_err(|e| Error::Io { phase: Phase::Handshake, source: std::io::Error::other(e.to_string()) })?;
        let session = Session::new(session, 0, &handshake::Random::from_bytes(&random));
        let marks = Marks { opened: Some(began.elapsed()), ..Marks::default() };
        Ok(Self {
            session,
            transport,
            timeouts,
            interrupt: interrupt.clone(),
            began,
            marks,
            phase: Phase::Handshake,
            clock: ProgressClock::new(Instant::now()),
            media_in_batch: false,
            partial_media: 0,
            play_open_since: None,
            gone: None,
            taps: Vec::new(),
            is_watched: false,
        })
    }

    /// Has `tap` see what is sent and received from now on.
    pub fn add_tap(&mut self, tap: Box<dyn Tap>) {
        if tap.is_deciphered() {
            self.is_watched = true;
            self.session.enable_tap();
        }
        self.taps.push(tap);
    }

    /// Goes on to the next event, which [`Client::event`] shows, without waiting. `false`: call [`Client::wait`].
    ///
    /// # Errors
    /// [`Error::Protocol`].
    #[inline]
    pub fn poll(&mut self) -> Result<bool, Error> {
        if !self.is_watched && self.session.poll_frame() {
            self.media_in_batch = self.media_in_batch || self.has_frame();
            return Ok(true);
        }
        self.poll_any()
    }

    /// Data, sequence headers and empty messages alone do not make a stream that plays, whatever their number.
    fn has_frame(&self) -> bool {
        matches!(self.session.event(), Some(Event::Media(_, class)) if class.kind.is_coded())
    }

    fn poll_any(&mut self) -> Result<bool, Error> {
        let polled = self.session.poll();
        if self.is_watched {
            self.show_watched();
        }
        if self.phase == Phase::Handshake && polled.is_ok() && self.session.is_past_handshake() {
            self.enter(Phase::ConnectCommand);
        }
        match polled {
            Ok(true) => {
                match self.session.event() {
                    Some(Event::Session(_)) => self.mark(),
                    _ => self.media_in_batch |= self.has_frame(),
                }
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(source) => Err(Error::Protocol { phase: self.phase, source }),
        }
    }

    /// The event that [`Client::poll`] stopped at.
    #[inline]
    pub fn event(&self) -> Option<Event<'_>> {
        self.session.event()
    }

    /// Sends what is queued and waits for bytes until `until`, a tick (some hundred milliseconds) or a signal. `true`:
    /// bytes came.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Io`], and [`Error::Timeout`] with the phase that took too long.
    pub fn wait(&mut self, until: Instant) -> Result<bool, Error> {
        if self.interrupt.is_set() {
            return Err(Error::Interrupted);
        }
        let now = Instant::now();
        self.clock.begin_wait(now);
        if std::mem::take(&mut self.media_in_batch) {
            self.note_media();
        } else {
            self.note_partial_media();
        }
        // Also while bytes come: pings keep a socket alive, not a stream.
        let limit = self.limit();
        let is_late = self.clock.is_late(limit, now);
        let until = if is_late { now } else { self.play_in_time(until) };
        self.send()?;
        let buffer = self.session.read_buffer();
        let received = self.transport.recv(buffer, until).map_err(|e| Error::at(self.phase, e));
        self.clock.end_wait(Instant::now(), until);
        if let Some(gone) = self.gone.take_if(|_| !matches!(received, Ok(Recv::Bytes(_)))) {
            return Err(gone);
        }
        let received = received?;
        // A limit counts only after a read: what was waited for may lie there.
        if is_late && self.clock.is_over(matches!(received, Recv::Bytes(_))) {
            return Err(Error::Timeout { phase: self.phase, after: limit.unwrap_or_default() });
        }
        match received {
            Recv::Bytes(count) => {
                for tap in self.taps.iter_mut().filter(|tap| !tap.is_deciphered()) {
                    tap.received(buffer.get(..count).unwrap_or_default());
                }
                self.session.bytes_read(count);
                Ok(true)
            }
            Recv::Idle => Ok(false),
            Recv::Closed => Err(Error::Closed { phase: self.phase }),
        }
    }

    /// Sends what is queued. To a peer that has gone nothing is sent; [`Client::wait`] says so when everything that it sent
    /// before has been read.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Timeout`].
    pub fn send(&mut self) -> Result<(), Error> {
        if !self.session.pending().is_empty() {
            for tap in self.taps.iter_mut().filter(|tap| tap.is_deciphered()) {
                tap.sending(self.session.pending());
            }
            let output = self.session.output();
            let count = output.len();
            if self.gone.is_none() {
                for tap in self.taps.iter_mut().filter(|tap| !tap.is_deciphered()) {
                    tap.sending(output);
                }
                match self.transport.send(output).map_err(|e| Error::at(self.phase, e)) {
                    Err(error) if is_gone(&error) => self.gone = Some(error),
                    result => result?,
                }
            }
            self.session.sent(count);
        }
        Ok(())
    }

    /// Says goodbye: deleteStream, then the transport's own end. Errors do not matter any more.
    pub fn close(&mut self) {
        self.session.delete_stream();
        let _ = self.send();
        self.transport.shutdown();
    }

    /// The protocol below, for calls and queries.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The protocol below, to look at.
    pub fn session_ref(&self) -> &Session {
        &self.session
    }

    /// The transport below, to look at.
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// When things happened.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// How long each part of the session may take.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// What the client is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How long ago the first media came.
    pub fn media_for(&self) -> Duration {
        self.marks.first_media.map_or(Duration::ZERO, |first| self.began.elapsed().saturating_sub(first))
    }

    /// How long there has been no media (or, before any, no progress).
    pub fn silence(&self) -> Duration {
        self.clock.silence(Instant::now())
    }

    fn show_watched(&mut self) {
        let received = self.session.take_tapped();
        if !received.is_empty() {
            for tap in self.taps.iter_mut().filter(|tap| tap.is_deciphered()) {
                tap.received(&received);
            }
        }
    }

    fn mark(&mut self) {
        let Some(Event::Session(note)) = self.session.event() else { return };
        let now = Some(self.began.elapsed());
        let (slot, phase) = match note {
            // S2 may still be missing: what breaks before it is there breaks the handshake.
            SessionEvent::ConnectSent => (&mut self.marks.handshake, Phase::Handshake),
            SessionEvent::Connected(_) if self.session.config().play.is_none() => {
                (&mut self.marks.connected, Phase::Call)
            }
            SessionEvent::Connected(_) => (&mut self.marks.connected, Phase::CreateStream),
            SessionEvent::StreamCreated(_) => (&mut self.marks.stream_created, Phase::Play),
            SessionEvent::Status(StatusKind::Started, _) => (&mut self.marks.play_started, Phase::FirstMedia),
            _ => return,
        };
        if slot.is_none() {
            *slot = now;
        }
        if phase > self.phase {
            self.enter(phase);
        }
    }

    fn note_media(&mut self) {
        let now = Instant::now();
        if self.phase != Phase::Media {
            self.marks.first_media = Some(now - self.began);
            self.enter(Phase::Media);
            self.transport.set_quickack(false);
        }
        self.clock.restart(now);
    }

    /// Has `play` sent again for the stream that createStream named, if the server does nothing about the first one.
    fn play_in_time(&mut self, until: Instant) -> Instant {
        if !self.session.play_unconfirmed() {
            self.play_open_since = None;
            return until;
        }
        let since = *self.play_open_since.get_or_insert_with(Instant::now);
        if since.elapsed() < PLAY_PATIENCE {
            return until.min(since + PLAY_PATIENCE);
        }
        self.session.play_again();
        until
    }

    /// A message that takes its time is no stall, if it grows.
    fn note_partial_media(&mut self) {
        let partial = self.session.link().partial_media();
        if partial >= self.partial_media + LEAST_PROGRESS {
            self.clock.restart(Instant::now());
        } else if partial >= self.partial_media {
            return;
        }
        self.partial_media = partial;
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.clock.restart(Instant::now());
    }

    fn limit(&self) -> Option<Duration> {
        match self.phase {
            Phase::Media => self.timeouts.stall,
            Phase::FirstMedia => self.timeouts.first_media,
            Phase::Play => self.timeouts.play,
            // A connection that only calls waits as long as its caller likes.
            Phase::Call => None,
            _ => self.timeouts.answer,
        }
    }
}

/// A server that was sent createStream and play together reacts to both at once, or ignores the second.
const PLAY_PATIENCE: Duration = Duration::from_millis(500);

/// Whether the other end has closed the connection, both ways.
fn is_gone(error: &Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    matches!(error, Error::Io { source, .. } if matches!(source.kind(), BrokenPipe | ConnectionReset))
}

/// Bytes by which a half-received message must grow to count as progress: one byte now and then is none.
const LEAST_PROGRESS: usize = 1024;
