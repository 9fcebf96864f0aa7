//! Make before break: the server asks for another connection (Enhanced RTMP, `NetConnection.Connect.ReconnectRequest`). It is
//! made while the present one goes on, and takes over at a keyframe.
//!
//! ```text
//! present   … K p p p p|                the same pictures on both: where the present one is
//! new           (connect) K p p p p p …
//! present   … K p p p p|K               the same clock, the new one ahead: where its first keyframe belongs
//! new           (connect) K p p p …     anything else: at its first keyframe
//! ```
//!
//! If the new connection fails, the present one stays; if the present one ends meanwhile, the new one is waited for.

use std::hash::{DefaultHasher, Hasher};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use crate::cli::log::Log;
use crate::client::Client;
use crate::error::Error;
use crate::flv::recorder::Recorder;
use crate::flv::timeline::{Track, unwrap_near};
use crate::proto::media;
use crate::proto::message::{Message, MessageHeader, message_type};
use crate::proto::session::{Event, SessionEvent, StatusKind};
use crate::proto::status::CommandKind;
use crate::transport::Interrupt;

use super::plan::Plan;
use super::rewrite::Rewriter;
use super::verdict::describe;
use super::watch;

/// The other connection, if there is to be one.
#[derive(Debug, Default)]
pub struct Handover {
    state: State,
    begun: Option<Instant>,
    /// For what the next connection brings.
    rewriter: Option<Rewriter>,
    /// The last frame of the present connection: timestamp and hash.
    last: Option<(u32, u64)>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    Opening(Receiver<Result<Client, Error>>),
    Open(Box<Incoming>),
}

/// A connection that is to take over.
#[derive(Debug)]
struct Incoming {
    client: Client,
    /// What it brings is held as it is to be saved, and compared so.
    rewriter: Option<Rewriter>,
    held: Vec<Held>,
    bytes: usize,
    since: Instant,
}

/// A message of it that waits.
#[derive(Debug)]
pub struct Held {
    kind: u8,
    timestamp: u32,
    payload: Vec<u8>,
}

impl Held {
    /// The message again.
    pub fn message(&self) -> Message<'_> {
        let header = MessageHeader {
            chunk_stream_id: 4,
            message_type_id: self.kind,
            timestamp: self.timestamp,
            message_stream_id: 1,
            length: self.payload.len() as u32,
        };
        Message { header, payload: &self.payload }
    }

    fn track(&self) -> Option<Track> {
        match self.kind {
            message_type::AUDIO if media::is_audio_coded(&self.payload) => Some(Track::Audio),
            message_type::VIDEO if media::is_video_coded(&self.payload) => Some(Track::Video),
            _ => None,
        }
    }
}

/// What the new connection takes over with.
#[derive(Debug)]
pub struct Successor {
    /// It.
    pub client: Client,
    /// What it has brought and the present one has not.
    pub held: Vec<Held>,
    /// Its times are those of the present one.
    pub same_clock: bool,
}

/// Whether the new connection can take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readiness {
    NotYet,
    /// Its clock is another one, or cannot be told: now.
    Now,
    /// Once the present one has come to this source time, unwrapped, in milliseconds.
    At(i64),
    /// What the present one brought last has come: now, with what is later than this.
    Behind(i64),
}

impl Handover {
    /// Begins to connect: where the server said, or to the same place. Returns where.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn begin(
        &mut self,
        plan: &Plan,
        tc_url: Option<&str>,
        log: &Log,
        interrupt: &Interrupt,
    ) -> Result<String, String> {
        if self.is_pending() || self.begun.is_some_and(|begun| begun.elapsed() < LEAST_INTERVAL) {
            return Err("it asks again and again".to_owned());
        }
        let mut next = plan.clone();
        if let Some(url) = tc_url.filter(|url| !url.is_empty()) {
            if !plan.follow_redirects {
                return Err("redirects are not to be followed".to_owned());
            }
            let target = plan.target.redirected(&absolute(plan, url)).map_err(|error| error.to_string())?;
            if plan.target.scheme.is_tls() && !target.scheme.is_tls() {
                return Err("it leads away from TLS".to_owned());
            }
            next.go_to(target)?;
        }
        self.begun = Some(Instant::now());
        let (sender, receiver) = channel();
        self.rewriter = Rewriter::new(next.rewriting, log);
        let tc_url = next.target.tc_url.clone();
        let (log, interrupt) = (log.clone(), interrupt.clone());
        std::thread::Builder::new()
            .name("reconnect".to_owned())
            .spawn(move || {
                let opened = Client::open(&next.dial, next.session.clone(), next.timeouts, &interrupt);
                let watched = opened.map(|mut client| {
                    watch(&mut client, &next, &log);
                    client
                });
                // Nobody listening any more: the recording is over.
                let _ = sender.send(watched);
            })
            .map_err(|error| error.to_string())?;
        self.state = State::Opening(receiver);
        Ok(tc_url)
    }

    /// Whether there is another connection, or soon will be.
    #[inline]
    pub fn is_pending(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Sees to the new connection. `true`: it can take over at once. `alone`: there is no other.
    ///
    /// # Errors
    /// It failed, and why. There is none any more.
    pub fn look(&mut self, recorder: &Recorder, alone: bool) -> Result<bool, String> {
        let looked = match &mut self.state {
            State::Idle => return Ok(false),
            State::Opening(opening) => match opening.try_recv() {
                Ok(Ok(client)) => {
                    let rewriter = self.rewriter.take();
                    let incoming = Incoming { client, rewriter, held: Vec::new(), bytes: 0, since: Instant::now() };
                    self.state = State::Open(Box::new(incoming));
                    Ok(false)
                }
                Ok(Err(error)) => Err(error.to_string()),
                Err(TryRecvError::Empty) => Ok(false),
                Err(TryRecvError::Disconnected) => Err("it could not be tried".to_owned()),
            },
            State::Open(incoming) => incoming.receive().map(|()| match incoming.readiness(recorder, self.last) {
                Readiness::Now | Readiness::Behind(_) => true,
                Readiness::At(_) if alone => true,
                _ => incoming.is_full() || incoming.since.elapsed() >= LONGEST_OVERLAP,
            }),
        };
        if looked.is_err() {
            self.state = State::Idle;
        }
        looked
    }

    /// Whether this message of the present connection is the first one that the new one is to bring.
    pub fn is_due(&self, message: &Message<'_>, recorder: &Recorder) -> bool {
        let State::Open(incoming) = &self.state else { return false };
        match (is_frame(message, recorder), incoming.readiness(recorder, self.last)) {
            (true, Readiness::At(cut)) => unwrap_near(message.header.timestamp, cut) >= cut,
            _ => false,
        }
    }

    /// Notes what the present connection brings.
    pub fn note(&mut self, message: &Message<'_>, recorder: &Recorder) {
        if is_frame(message, recorder) {
            self.last = Some((message.header.timestamp, hash(message.payload)));
        }
    }

    /// The new connection, to take over with.
    pub fn take(&mut self, recorder: &Recorder) -> Option<Successor> {
        let State::Open(incoming) = std::mem::take(&mut self.state) else { return None };
        let readiness = incoming.readiness(recorder, self.last.take());
        let Incoming { client, mut held, .. } = *incoming;
        let from = match readiness {
            Readiness::At(cut) => Some(cut),
            Readiness::Behind(last) => Some(last + 1),
            Readiness::Now | Readiness::NotYet => None,
        };
        if let Some(from) = from {
            let (key, last) = (track_of(recorder), recorder.last_source_ms(Track::Audio));
            held.retain(|held| match held.track() {
                Some(track) if track == key => unwrap_near(held.timestamp, from) >= from,
                Some(_) => last.is_none_or(|last| unwrap_near(held.timestamp, last) > last),
                None => true,
            });
        }
        Some(Successor { client, held, same_clock: from.is_some() })
    }
}

impl Incoming {
    /// Takes what has come.
    fn receive(&mut self) -> Result<(), String> {
        for _ in 0..MOST_READS {
            while self.client.poll().map_err(|error| error.to_string())? {
                match self.client.event() {
                    Some(Event::Media(message, _)) => {
                        let message = match &mut self.rewriter {
                            None => message,
                            Some(rewriter) => match rewriter.pass(message) {
                                Some(message) => message,
                                None => continue,
                            },
                        };
                        let (kind, time) = (message.header.message_type_id, message.header.timestamp);
                        hold(&mut self.held, &mut self.bytes, kind, time, message.payload);
                    }
                    Some(Event::Session(
                        SessionEvent::Failed {
                            command: CommandKind::Connect | CommandKind::CreateStream | CommandKind::Play,
                            status,
                            ..
                        }
                        | SessionEvent::Status(StatusKind::Refused | StatusKind::Ended, status),
                    )) => return Err(describe(status)),
                    _ => {}
                }
            }
            if self.is_full() || !self.client.wait(Instant::now()).map_err(|error| error.to_string())? {
                break;
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes >= MOST_HELD_BYTES
    }

    fn readiness(&self, recorder: &Recorder, present: Option<(u32, u64)>) -> Readiness {
        let track = track_of(recorder);
        let begins = |held: &&Held| match track {
            Track::Video => media::is_video_keyframe(&held.payload) && held.kind == message_type::VIDEO,
            Track::Audio => held.track() == Some(Track::Audio),
        };
        let mut beginnings = self.held.iter().filter(begins);
        let (Some(first), Some(last)) = (self.held.iter().find(begins), recorder.last_source_ms(track)) else {
            return Readiness::NotYet;
        };
        let distance = |held: &Held| unwrap_near(held.timestamp, last) - last;
        if distance(first).abs() > SAME_CLOCK_MS {
            return Readiness::Now;
        }
        // All that follows a beginning is held, so what follows the last frame is as well.
        let is_present =
            |held: &Held| present.is_some_and(|(time, known)| held.timestamp == time && hash(&held.payload) == known);
        if self.held.iter().any(|held| held.track() == Some(track) && is_present(held)) {
            return Readiness::Behind(last);
        }
        match beginnings.find(|held| distance(held) > 0) {
            Some(held) => Readiness::At(last + distance(held)),
            None => Readiness::NotYet,
        }
    }
}

fn hold(held: &mut Vec<Held>, bytes: &mut usize, kind: u8, timestamp: u32, payload: &[u8]) {
    *bytes += payload.len();
    held.push(Held { kind, timestamp, payload: payload.to_vec() });
}

/// Whether a message holds a frame of the track that matters. Aggregates are not looked into: the next message will do.
fn is_frame(message: &Message<'_>, recorder: &Recorder) -> bool {
    match (message.header.message_type_id, track_of(recorder)) {
        (message_type::VIDEO, Track::Video) => media::is_video_coded(message.payload),
        (message_type::AUDIO, Track::Audio) => media::is_audio_coded(message.payload),
        _ => false,
    }
}

fn hash(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(payload);
    hasher.finish()
}

/// The track whose frames are places to begin at.
fn track_of(recorder: &Recorder) -> Track {
    if recorder.last_source_ms(Track::Video).is_some() { Track::Video } else { Track::Audio }
}

/// A tcUrl may be given relative to the present one.
fn absolute(plan: &Plan, url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let base = &plan.target.tc_url;
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

/// The new connection takes over after so much time, wherever it is.
const LONGEST_OVERLAP: Duration = Duration::from_secs(15);

/// What is held of it at the most: a group of pictures of a rich stream.
const MOST_HELD_BYTES: usize = 8 << 20;

/// Reads of the new connection before the present one is looked at again.
const MOST_READS: usize = 16;

/// A server that asks more often is not listened to.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// How soon one connection is looked at while the other is silent.
pub const GLANCE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse::Cli;
    use clap::Parser;

    #[test]
    fn a_url_may_be_relative_to_the_present_one() {
        let cli = Cli::try_parse_from(["rtmpcat", "rtmp://host:1936/app/inst/name", "--app", "app/inst"]).unwrap();
        let plan = crate::cli::resolve::record(&cli.record, crate::cli::resolve::Dialect::Own).unwrap();
        for (url, expected) in [
            ("rtmps://other/app", "rtmps://other/app"),
            ("/other/app", "rtmp://host:1936/other/app"),
            ("sibling", "rtmp://host:1936/app/sibling"),
        ] {
            assert_eq!(absolute(&plan, url), expected);
        }
    }
}
