//! Make before break: the server asks for a replacement connection (Enhanced RTMP,
//! `NetConnection.Connect.ReconnectRequest`). It is made while the present one plays on, and takes over at a keyframe.
//!
//! ```text
//! present       … K p p p p|                the same frames on both: after the present one's last frame
//! replacement       (connect) K p p p p p …
//! present       … K p p p p|K               the same clock, the replacement ahead: where its first keyframe belongs
//! replacement       (connect) K p p p …     anything else: at its first keyframe
//! ```
//!
//! If the replacement fails, the present connection stays; if that ends meanwhile, the replacement is waited for.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use crate::connect::{Client, Connector, Failure, LoginError, Refusal};
use crate::flv::recorder::Recorder;
use crate::flv::timeline::{Track, unwrap_near};
use crate::proto::command::Redirect;
use crate::proto::media::Class;
use crate::proto::message::{Message, MessageHeader};
use crate::proto::session::{Event, SessionEvent, StatusKind};
use crate::transport::Interrupt;
use crate::url::{Url, UrlError};

use super::tracks::{TrackFilter, TrackOptions};

/// Why there is no replacement connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReconnectError {
    /// One is being made, or was a moment ago.
    #[error("too many reconnect requests")]
    TooOften,
    /// It leads elsewhere, and redirects are not followed.
    #[error("redirects are not followed")]
    NotFollowed,
    /// It leads to something that is no URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// It leads where no redirect may.
    #[error(transparent)]
    Redirect(#[from] LoginError),
    /// It could not be made, or broke.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// It has sent all that is kept of it, and nothing that a decoder can begin at.
    #[error("no keyframe in what the new connection sent")]
    NoKeyframe,
    /// The system has no thread to spare.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The replacement connection, if there is to be one.
#[derive(Debug, Default)]
pub(super) struct Reconnect {
    state: State,
    begun: Option<Instant>,
    /// The last frame of the present connection.
    last: Option<Frame>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Opening(Receiver<Result<Client, Failure>>, Option<TrackFilter>),
    Open(Box<Replacement>),
}

/// A frame, to be found again on another connection: timestamp and hash.
type Frame = (u32, u64);

/// A connection that is to take over.
#[derive(Debug)]
struct Replacement {
    client: Client,
    /// What it brings is held as it is to be saved, and compared so.
    filter: Option<TrackFilter>,
    /// The track whose frames are places to begin at.
    track: Track,
    held: Vec<BufferedMessage>,
    /// What that takes of memory, about.
    bytes: usize,
    /// Its frames of that track, and the timestamps at which one could begin: of the first such frame, and of those that the
    /// present connection has not reached.
    frames: HashSet<Frame>,
    first: Option<u32>,
    beginnings: VecDeque<u32>,
    since: Instant,
    /// The event that the client stopped at was not looked at yet.
    has_event: bool,
}

/// A message that waits.
#[derive(Debug)]
pub(super) struct BufferedMessage {
    kind: u8,
    timestamp: u32,
    payload: Vec<u8>,
}

impl BufferedMessage {
    /// A message, to be kept.
    pub(super) fn of(message: &Message<'_>) -> Self {
        let header = message.header;
        Self { kind: header.message_type_id, timestamp: header.timestamp, payload: message.payload.to_vec() }
    }

    /// The same at another time.
    pub(super) fn at(self, timestamp: u32) -> Self {
        Self { timestamp, ..self }
    }

    /// What it holds.
    pub(super) fn class(&self) -> Class {
        Class::of(self.kind, &self.payload)
    }

    /// The message again.
    pub(super) fn message(&self) -> Message<'_> {
        let header = MessageHeader {
            chunk_stream_id: 4,
            message_type_id: self.kind,
            timestamp: self.timestamp,
            message_stream_id: 1,
            length: self.payload.len() as u32,
        };
        Message { header, payload: &self.payload }
    }
}

/// What the replacement takes over with.
#[derive(Debug)]
pub(super) struct Takeover {
    /// It.
    pub client: Client,
    /// What it has brought and the present one has not.
    pub held: Vec<BufferedMessage>,
    /// Its times are those of the present one.
    pub same_clock: bool,
}

/// Whether the replacement can take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    NotYet,
    /// Clocks differ or are unknown: at once.
    Now,
    /// Once the present one has come to this source time, unwrapped, in milliseconds.
    At(i64),
    /// What the present one brought last has come: at once, with what is later than this.
    AfterLastFrame(i64),
}

impl Reconnect {
    /// Begins to connect: where `tc_url` says, or to the same place. Returns where.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn begin(
        &mut self,
        present: &Connector,
        tc_url: Option<&str>,
        tracks: TrackOptions,
        interrupt: &Interrupt,
    ) -> Result<Url, ReconnectError> {
        if self.is_pending() || self.begun.is_some_and(|begun| begun.elapsed() < LEAST_INTERVAL) {
            return Err(ReconnectError::TooOften);
        }
        let mut connector = present.replacement();
        if let Some(tc_url) = tc_url.filter(|url| !url.is_empty()) {
            if !present.follows_redirects() {
                return Err(ReconnectError::NotFollowed);
            }
            let url = present.url();
            let to = absolute(&url.tc_url, tc_url);
            connector.redirect(url.redirected(&Redirect { url: &to, is_tc_url: true })?)?;
        }
        self.begun = Some(Instant::now());
        let (sender, receiver) = channel();
        let (url, interrupt) = (connector.url().clone(), interrupt.clone());
        std::thread::Builder::new().name("reconnect".to_owned()).spawn(move || {
            // The recording may be over by then.
            let _ = sender.send(connector.connect(&mut |_| {}, &interrupt));
        })?;
        self.state = State::Opening(receiver, TrackFilter::new(tracks));
        Ok(url)
    }

    /// Whether there is a replacement, or soon will be.
    #[inline]
    pub(super) fn is_pending(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Sees to the replacement. `true`: it can take over at once. `alone`: there is no other connection.
    ///
    /// # Errors
    /// It failed. There is none any more.
    pub(super) fn look(&mut self, recorder: &Recorder, alone: bool) -> Result<bool, ReconnectError> {
        let looked = match &mut self.state {
            State::Idle => return Ok(false),
            State::Opening(opening, filter) => match opening.try_recv() {
                Ok(Ok(client)) => {
                    let replacement = Replacement::new(client, filter.take(), track_of(recorder));
                    self.state = State::Open(Box::new(replacement));
                    Ok(false)
                }
                Ok(Err(failure)) => Err(failure.into()),
                Err(TryRecvError::Empty) => Ok(false),
                Err(TryRecvError::Disconnected) => Err(std::io::Error::other("it ended").into()),
            },
            State::Open(replacement) => replacement.receive().map_err(ReconnectError::from).and_then(|()| {
                let is_over = replacement.is_full() || replacement.since.elapsed() >= LONGEST_OVERLAP;
                match replacement.readiness(recorder, self.last) {
                    Readiness::Now | Readiness::AfterLastFrame(_) => Ok(true),
                    Readiness::At(_) if alone => Ok(true),
                    Readiness::NotYet if is_over && replacement.first.is_none() => Err(ReconnectError::NoKeyframe),
                    _ => Ok(is_over),
                }
            }),
        };
        if looked.is_err() {
            self.state = State::Idle;
        }
        looked
    }

    /// Whether this message of the present connection is the first one that the replacement is to bring.
    pub(super) fn is_due(&mut self, message: &Message<'_>, recorder: &Recorder) -> bool {
        let State::Open(replacement) = &mut self.state else { return false };
        match (frame_of(message, replacement.track), replacement.readiness(recorder, self.last)) {
            (Some(_), Readiness::At(cut)) => unwrap_near(message.header.timestamp, cut) >= cut,
            _ => false,
        }
    }

    /// Notes what the present connection brings.
    pub(super) fn note(&mut self, message: &Message<'_>, recorder: &Recorder) {
        self.last = frame_of(message, track_of(recorder)).or(self.last);
    }

    /// The replacement, to take over with.
    pub(super) fn take(&mut self, recorder: &Recorder) -> Option<Takeover> {
        let State::Open(mut replacement) = std::mem::take(&mut self.state) else { return None };
        let readiness = replacement.readiness(recorder, self.last.take());
        let Replacement { client, mut held, track: key, .. } = *replacement;
        let from = match readiness {
            Readiness::At(cut) => Some(cut),
            Readiness::AfterLastFrame(last) => Some(last + 1),
            Readiness::Now | Readiness::NotYet => None,
        };
        if let Some(from) = from {
            let last = recorder.last_source_ms(Track::Audio);
            held.retain(|held| match held.class().frame_track() {
                Some(track) if track == key => unwrap_near(held.timestamp, from) >= from,
                Some(_) => last.is_none_or(|last| unwrap_near(held.timestamp, last) > last),
                None => true,
            });
        }
        Some(Takeover { client, held, same_clock: from.is_some() })
    }
}

impl Replacement {
    fn new(client: Client, filter: Option<TrackFilter>, track: Track) -> Self {
        Self {
            client,
            filter,
            track,
            held: Vec::new(),
            bytes: 0,
            frames: HashSet::new(),
            first: None,
            beginnings: VecDeque::new(),
            since: Instant::now(),
            has_event: true,
        }
    }

    /// Takes what has come, so much at the most that the present connection need not wait.
    fn receive(&mut self) -> Result<(), Failure> {
        for _ in 0..MOST_READS {
            while !self.is_full() && (std::mem::take(&mut self.has_event) || self.client.poll()?) {
                self.take_event()?;
            }
            if self.is_full() || !self.client.wait(Instant::now())? {
                break;
            }
        }
        Ok(())
    }

    fn take_event(&mut self) -> Result<(), Failure> {
        match self.client.event() {
            Some(Event::Media(message, _)) => {
                let message = match &mut self.filter {
                    None => Some(message),
                    Some(filter) => filter.pass(message),
                };
                if let Some(message) = message.filter(|message| !message.payload.is_empty()) {
                    let held = BufferedMessage::of(&message);
                    self.hold(held);
                }
                Ok(())
            }
            Some(Event::Session(SessionEvent::Status(StatusKind::Ended, status))) => {
                Err(Failure::Refused(Refusal::by(status.clone())))
            }
            Some(Event::Session(event)) => Refusal::of(event).map_or(Ok(()), |refusal| Err(Failure::Refused(refusal))),
            None => Ok(()),
        }
    }

    fn hold(&mut self, held: BufferedMessage) {
        self.bytes += held.payload.len() + MESSAGE_BYTES;
        if let Some(frame) = frame_of(&held.message(), self.track) {
            self.frames.insert(frame);
            if self.track == Track::Audio || held.class().is_keyframe() {
                self.first.get_or_insert(held.timestamp);
                self.beginnings.push_back(held.timestamp);
            }
        }
        self.held.push(held);
    }

    fn is_full(&self) -> bool {
        self.bytes >= MOST_HELD_BYTES
    }

    /// Costs the same however much is held: it is asked for each message.
    fn readiness(&mut self, recorder: &Recorder, present: Option<Frame>) -> Readiness {
        let (Some(first), Some(last)) = (self.first, recorder.last_source_ms(self.track)) else {
            return Readiness::NotYet;
        };
        let distance = |timestamp: u32| unwrap_near(timestamp, last) - last;
        if distance(first).abs() > SAME_CLOCK_MS {
            return Readiness::Now;
        }
        // All that follows a beginning is held, so what follows the last frame is as well.
        if present.is_some_and(|frame| self.frames.contains(&frame)) {
            return Readiness::AfterLastFrame(last);
        }
        // The present connection only goes forward.
        while self.beginnings.front().is_some_and(|timestamp| distance(*timestamp) <= 0) {
            self.beginnings.pop_front();
        }
        self.beginnings.front().map_or(Readiness::NotYet, |timestamp| Readiness::At(last + distance(*timestamp)))
    }
}

/// The frame that a message is, if it is one of this track.
fn frame_of(message: &Message<'_>, track: Track) -> Option<Frame> {
    // Aggregates are not looked into: the next message will do.
    let class = Class::of(message.header.message_type_id, message.payload);
    (class.frame_track() == Some(track)).then(|| {
        let mut hasher = DefaultHasher::new();
        hasher.write(message.payload);
        (message.header.timestamp, hasher.finish())
    })
}

/// The track whose frames are places to begin at.
fn track_of(recorder: &Recorder) -> Track {
    if recorder.last_source_ms(Track::Video).is_some() { Track::Video } else { Track::Audio }
}

/// A tcUrl may be given relative to the present one.
fn absolute(base: &str, url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let authority = base.find("://").map_or(0, |at| at + 3);
    let path = base.get(authority..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| authority + at);
    let keep = match url.strip_prefix('/') {
        Some(_) => path,
        None => base.rfind('/').filter(|at| *at >= path).unwrap_or(path),
    };
    format!("{}/{}", base.get(..keep).unwrap_or_default(), url.trim_start_matches('/'))
}

/// Frames of both connections this near to one another are of one clock, in milliseconds.
const SAME_CLOCK_MS: i64 = 10_000;

/// The replacement takes over after so much time, wherever it is.
const LONGEST_OVERLAP: Duration = Duration::from_secs(15);

/// What is held of it at the most: a group of pictures of a rich stream.
const MOST_HELD_BYTES: usize = 8 << 20;

/// What a held message costs beside its payload: empty ones are not free.
const MESSAGE_BYTES: usize = 128;

/// Reads of the replacement before the present connection is looked at again.
const MOST_READS: usize = 16;

/// A server that asks more often is not listened to.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// How soon one connection is looked at while the other is silent.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_be_relative_to_the_present_one() {
        for (url, expected) in [
            ("rtmps://other/app", "rtmps://other/app"),
            ("/other/app", "rtmp://host:1936/other/app"),
            ("sibling", "rtmp://host:1936/app/sibling"),
        ] {
            assert_eq!(absolute("rtmp://host:1936/app/inst", url), expected);
        }
    }
}
