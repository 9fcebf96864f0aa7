//! One connection's part of a recording: events into the recorder until something ends it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::events::{Events, seconds};
use crate::cli::json::from_amf0;
use crate::cli::log::Log;
use crate::cli::progress::{Position, Progress};
use crate::client::Client;
use crate::error::Error;
use crate::flv::recorder::{self, Recorder};
use crate::flv::timeline::Join;
use crate::proto::amf0::Value;
use crate::proto::command::NetStatus;
use crate::proto::link::user_control;
use crate::proto::message::{Message, message_type};
use crate::proto::session::{Event, SessionEvent, StatusKind};
use crate::proto::status::{CommandKind, StatusCode};
use crate::transport::Interrupt;
use crate::url::without_secrets;

use super::handover::{GLANCE, Handover};
use super::plan::Plan;
use super::resume::Resume;
use super::retry::Gaps;
use super::revival::Attempts;
use super::rewrite::Rewriter;
use super::say;
use super::verdict::{End, Facts};

/// What outlives a connection: the recording, and what is told about it.
pub struct Recording<'a> {
    /// Where media goes.
    pub recorder: Recorder,
    /// Picks tracks and puts them into other forms, if that was asked for.
    pub rewriter: Option<Rewriter>,
    /// Finds out what of it is new, where a file is gone on with.
    pub resume: Option<Resume>,
    /// The status line or bar.
    pub progress: Progress,
    /// Words for the user.
    pub log: &'a Log,
    /// The time from which the recorder's clock counts.
    pub began: Instant,
    /// Wall-clock end, if the user asked for one.
    pub until: Option<Instant>,
    /// Size in bytes at which to stop, if the user asked for one.
    pub max_bytes: Option<u64>,
    /// Where the media begins, in milliseconds of an on-demand stream.
    pub start_ms: u64,
    /// Where the media is to end, in milliseconds of the stream, if the user said so.
    pub stop_ms: Option<u64>,
    /// The time of the stream at which the output's time is 0, for the status line.
    pub zero_ms: u64,
    /// The user called the stream live.
    pub is_live: bool,
    /// Duration of the source in seconds by getStreamLength.
    pub stream_length: Option<f64>,
    /// The server called the stream a recorded one.
    pub is_recorded: bool,
    /// What is said when the server begins to play.
    pub opening: Vec<String>,
    /// It has been said.
    pub started_said: bool,
    /// The metadata has been shown.
    pub metadata_shown: bool,
    /// Output is a pipe: each frame goes out before the next wait.
    pub flush_always: bool,
    /// When the output was last flushed, on the recorder's clock.
    pub flushed_ms: u64,
    /// How often the output is brought to the disk, and when it was last, on the recorder's clock.
    pub fsync_ms: Option<u64>,
    /// As [`Recording::flushed_ms`].
    pub synced_ms: u64,
    /// Who is told what happens.
    pub events: Events,
    /// Stretches without media between connections.
    pub gaps: Gaps,
    /// How much of that has come.
    pub pulse: Pulse,
}

/// When media last came, and what was told about it.
#[derive(Debug, Default)]
pub struct Pulse {
    /// Number of the connection, from 1.
    pub connection: u32,
    /// When it was begun, on the recorder's clock.
    pub begun_ms: u64,
    /// The largest time in the output then.
    begun_at_ms: i64,
    /// It has brought media.
    has_media: bool,
    /// Audio and video tags written when it was last looked at, and when their number last grew.
    tags: u64,
    media_ms: u64,
    /// A stall was reported.
    is_stalled: bool,
    /// Keyframes reported, and when.
    keyframes: u64,
    keyframes_ms: u64,
}

impl Recording<'_> {
    /// Milliseconds since the beginning.
    pub fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Records what `client` receives until something ends it.
    pub fn run(&mut self, client: &mut Client, plan: &Plan, interrupt: &Interrupt) -> End {
        let mut handover = Handover::default();
        loop {
            let end = match self.run_inner(client, &mut handover, (plan, interrupt)) {
                Ok(Some(end)) | Err(end) => end,
                Ok(None) => match self.hand_over(client, &mut handover) {
                    Ok(()) => continue,
                    Err(end) => end,
                },
            };
            let is_gone = matches!(&end, End::Notice(_) | End::Refused(_) | End::CloseRequested | End::Broken(_));
            if !is_gone || !self.outlive(&mut handover, interrupt) {
                return end;
            }
            if let Err(end) = self.hand_over(client, &mut handover) {
                return end;
            }
        }
    }

    /// The connection is gone while another one is on its way: waits for that. `false`: in vain.
    fn outlive(&mut self, handover: &mut Handover, interrupt: &Interrupt) -> bool {
        while handover.is_pending() && !interrupt.is_set() {
            match handover.look(&self.recorder, true) {
                Ok(true) => return true,
                Ok(false) => std::thread::sleep(GLANCE),
                Err(reason) => self.log.warning(&format!("The new connection failed as well: {reason}")),
            }
            if self.between_connections().is_err() {
                return false;
            }
        }
        false
    }

    /// The new connection takes over.
    fn hand_over(&mut self, client: &mut Client, handover: &mut Handover) -> Result<(), End> {
        let Some(mut successor) = handover.take(&self.recorder) else { return Ok(()) };
        std::mem::swap(client, &mut successor.client);
        successor.client.close();
        self.log.info("The new connection takes over");
        self.pulse.connection += 1;
        let now_ms = self.now_ms();
        let join = if successor.same_clock { Join::SameClock } else { Join::Append };
        self.recorder.new_connection(join, now_ms).map_err(End::Output)?;
        for held in &successor.held {
            if self.recorder.push(&held.message(), now_ms).map_err(End::Output)? == recorder::Progress::StopReached {
                return Err(End::LimitReached);
            }
        }
        Ok(())
    }

    /// The server asks for another connection.
    fn reconnect(&mut self, status: &NetStatus, handover: &mut Handover, (plan, interrupt): (&Plan, &Interrupt)) {
        if self.is_on_demand() || self.resume.is_some() {
            return;
        }
        let url = status.information.get("tcUrl").and_then(Value::as_str);
        match handover.begin(plan, url, self.log, interrupt) {
            Ok(url) => {
                let url = self.log.secrets().hide(&without_secrets(&url)).into_owned();
                self.log.info(&format!("The server asks for another connection: {url}"));
                self.events.emit("reconnect", || json!({"url": url}));
            }
            Err(reason) => self.log.debug(&format!("The server asks for another connection: {reason}")),
        }
    }

    /// `None`: another connection takes over.
    fn run_inner(
        &mut self,
        client: &mut Client,
        handover: &mut Handover,
        whence: (&Plan, &Interrupt),
    ) -> Result<Option<End>, End> {
        let mut ending: Option<Ending> = None;
        let mut attempts = Attempts::default();
        let mut has_received = false;
        loop {
            let now_ms = self.now_ms();
            loop {
                match client.poll() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => return Ok(Some(Ending::or(ending, End::Broken(error)))),
                }
                match client.event() {
                    Some(Event::Media(message, _)) => {
                        let message = match &mut self.rewriter {
                            None => message,
                            Some(rewriter) => match rewriter.pass(message) {
                                Some(message) => message,
                                None => continue,
                            },
                        };
                        ending.take_if(|ending| ending.is_begun_again);
                        if let Some(ending) = ending.as_mut().filter(|_| is_media(&message)) {
                            ending.quiet_since = Instant::now();
                        }
                        if handover.is_pending() {
                            if handover.is_due(&message, &self.recorder) {
                                return Ok(None);
                            }
                            handover.note(&message, &self.recorder);
                        }
                        let progress = match &mut self.resume {
                            Some(resume) => resume.push(&mut self.recorder, &message, now_ms)?,
                            None => self.recorder.push(&message, now_ms).map_err(End::Output)?,
                        };
                        if progress == recorder::Progress::StopReached {
                            return Ok(Some(End::LimitReached));
                        }
                    }
                    Some(Event::Session(note)) => {
                        say::note(self.log, note, client.session_ref().config().swf.is_some());
                        match note {
                            SessionEvent::Failed {
                                command: CommandKind::Connect | CommandKind::CreateStream | CommandKind::Play,
                                status,
                                ..
                            } => {
                                return Err(End::Refused(status.clone()));
                            }
                            // Behind the end of the stream it says no more than that the connection ends as well.
                            SessionEvent::Status(StatusKind::Refused, _) if ending.is_some() => {}
                            SessionEvent::Status(StatusKind::Refused, status) => {
                                return Err(End::Refused(status.clone()));
                            }
                            SessionEvent::Status(StatusKind::Ended, status) => {
                                self.is_recorded |= self.is_end_of_a_file(status, client);
                                Ending::begin(&mut ending, Some(status.code.as_str()));
                            }
                            SessionEvent::Status(StatusKind::Started, status) => {
                                ending = None;
                                if status.code == StatusCode::PlayPublishNotify {
                                    self.recorder.publisher_returned();
                                }
                                self.say_started();
                            }
                            SessionEvent::Status(StatusKind::ReconnectRequest, status) => {
                                self.reconnect(status, handover, whence);
                            }
                            SessionEvent::Connected(_) => self.tell_connected(client),
                            SessionEvent::UserControl(user_control::STREAM_EOF, _) => {
                                Ending::begin(&mut ending, Some("Stream EOF"));
                            }
                            SessionEvent::UserControl(user_control::STREAM_BEGIN, _) => {
                                if let Some(ending) = &mut ending {
                                    ending.is_begun_again = true;
                                }
                            }
                            SessionEvent::UserControl(user_control::STREAM_IS_RECORDED, _) => self.is_recorded = true,
                            SessionEvent::StreamLength(seconds) => self.stream_length = Some(*seconds),
                            SessionEvent::CloseRequested => Ending::begin(&mut ending, None),
                            _ => {}
                        }
                    }
                    None => {}
                }
            }
            if let Some(ending) = ending.as_mut().filter(|_| has_received && client.session_ref().in_message()) {
                ending.quiet_since = Instant::now();
            }
            self.before_waiting(now_ms)?;
            if let Some(limit) = self.limit_reached() {
                return Ok(Some(limit));
            }
            if ending.is_none() && self.is_on_demand() {
                attempts.look(client, self.log);
            }
            let mut until = Instant::now() + TICK;
            if handover.is_pending() {
                until = Instant::now() + GLANCE;
                match handover.look(&self.recorder, false) {
                    Ok(true) => return Ok(None),
                    Ok(false) => {}
                    Err(reason) => {
                        self.log.warning(&format!("The new connection failed, the present one stays: {reason}"))
                    }
                }
            }
            if let Some(due_ms) = self.recorder.due_ms() {
                until = until.min(self.began + Duration::from_millis(due_ms));
            }
            if let Some(over_at) = ending.as_ref().map(|ending| ending.over_at(client, &self.facts())) {
                if over_at <= Instant::now() {
                    return Ok(Some(Ending::or(ending, End::CloseRequested)));
                }
                until = until.min(over_at);
            }
            match client.wait(until) {
                Ok(received) => has_received = received,
                // The stream was over already; how the connection ends is of no interest.
                Err(Error::Closed { .. } | Error::Io { .. } | Error::Timeout { .. } | Error::WriteTimeout { .. })
                    if ending.is_some() =>
                {
                    return Ok(Some(Ending::or(ending, End::CloseRequested)));
                }
                Err(Error::Interrupted) => return Err(End::interrupted(whence.1)),
                Err(error) => return Err(End::Broken(error)),
            }
        }
    }

    /// Before each connection: what is there already is not to be written again, if the server can go back to where it was.
    ///
    /// # Errors
    /// The output's.
    pub fn go_on(&mut self, plan: &mut Plan) -> Result<(), End> {
        // A search that is going on need not be begun again.
        let is_searching = self.resume.as_ref().is_some_and(|resume| !resume.has_found());
        if self.recorder.is_open() && !is_searching && (self.resume.is_some() || self.is_on_demand()) {
            self.recorder.settle().map_err(End::Output)?;
            if let Some(resume) = Resume::again(plan, &self.recorder).map_err(End::Output)? {
                self.resume = Some(resume);
                self.recorder.take_times_of_the_file();
            }
        }
        if let Some(resume) = &mut self.resume {
            resume.begin(plan);
        }
        Ok(())
    }

    /// A connection is about to be made.
    pub fn begin_connection(&mut self, url: &str) {
        self.is_recorded = false;
        let begun_ms = self.now_ms();
        self.pulse.connection += 1;
        self.pulse.begun_ms = begun_ms;
        self.pulse.begun_at_ms = self.recorder.latest_ms();
        self.pulse.has_media = false;
        self.pulse.is_stalled = false;
        let url = self.log.secrets().hide(url).into_owned();
        self.events.emit("connecting", || json!({"url": url, "connection": self.pulse.connection}));
    }

    fn tell_connected(&self, client: &Client) {
        let took = self.now_ms().saturating_sub(self.pulse.begun_ms);
        let address = client.transport().peer_addr().to_string();
        self.events.emit(
            "connected",
            || json!({"connection": self.pulse.connection, "address": address, "seconds": seconds(took)}),
        );
    }

    /// Audio and video tags in the output.
    pub fn media_tags(&self) -> u64 {
        let (audio, video, _) = self.recorder.tags();
        audio + video
    }

    /// The connection is gone, for `reason`; another one follows.
    ///
    /// # Errors
    /// That of the output.
    pub fn broke(&mut self, reason: String) -> Result<(), End> {
        if self.is_on_demand() {
            // It goes on where it was, and nothing is missing.
            self.recorder.set_on_demand();
        } else if self.recorder.is_open() {
            self.gaps.begin(self.pulse.media_ms, reason);
        }
        self.recorder.new_connection(Join::Append, self.now_ms()).map_err(End::Output)
    }

    /// What is due while there is no connection.
    ///
    /// # Errors
    /// How it ends: the output failed, or a limit is reached.
    pub fn between_connections(&mut self) -> Result<(), End> {
        self.before_waiting(self.now_ms())?;
        self.limit_reached().map_or(Ok(()), Err)
    }

    /// Looks at what has been written since the last time: media that goes on, or does not.
    fn take_pulse(&mut self, now_ms: u64) {
        let tags = self.media_tags();
        let pulse = &mut self.pulse;
        if tags == pulse.tags {
            let silence = now_ms.saturating_sub(pulse.media_ms);
            if pulse.has_media && !pulse.is_stalled && silence >= STALL_MS && !self.gaps.is_open() {
                pulse.is_stalled = true;
                self.events.emit("stall", || json!({"seconds": seconds(silence)}));
            }
            return;
        }
        if !pulse.has_media && !self.recorder.is_rejoining() {
            pulse.has_media = true;
            let (number, took) = (pulse.connection, now_ms.saturating_sub(pulse.begun_ms));
            self.events.emit("first-media", || json!({"connection": number, "seconds": seconds(took)}));
        }
        if std::mem::take(&mut pulse.is_stalled) {
            let silence = now_ms.saturating_sub(pulse.media_ms);
            self.events.emit("resumed", || json!({"seconds": seconds(silence)}));
        }
        let at_ms = self.recorder.latest_ms().max(0) as u64;
        if self.gaps.is_open()
            && !self.recorder.is_rejoining()
            && let Some(gap) = self.gaps.end(now_ms, self.recorder.rejoined_ms())
        {
            self.log.info(&format!("The stream is back after {:.1} s", gap.lost_ms as f64 / 1000.0));
            let reason = self.log.secrets().hide(&gap.reason).into_owned();
            self.events.emit("gap", || {
                json!({"at": seconds(gap.at_ms), "seconds": seconds(gap.lost_ms), "attempts": gap.attempts, "reason": reason})
            });
        }
        self.pulse.tags = tags;
        self.pulse.media_ms = now_ms;
        let keyframes = self.recorder.keyframes();
        if keyframes != self.pulse.keyframes && now_ms >= self.pulse.keyframes_ms + KEYFRAMES_MS {
            self.pulse.keyframes = keyframes;
            self.pulse.keyframes_ms = now_ms;
            let (audio, video, _) = self.recorder.tags();
            let bytes = self.recorder.bytes_written();
            self.events.emit("keyframes", || {
                json!({"keyframes": keyframes, "video": video, "audio": audio, "bytes": bytes, "at": seconds(at_ms)})
            });
        }
    }

    /// What is due when everything that was received has been dealt with.
    fn before_waiting(&mut self, now_ms: u64) -> Result<(), End> {
        self.recorder.tick(now_ms).map_err(End::Output)?;
        self.take_pulse(now_ms);
        if self.fsync_ms.is_some_and(|every| now_ms >= self.synced_ms.saturating_add(every)) {
            self.synced_ms = now_ms;
            self.recorder.sync().map_err(End::Output)?;
        }
        // What has come is to survive whatever happens to this program.
        let is_read_along = self.flush_always || (self.recorder.is_open() && !self.recorder.is_seekable());
        if is_read_along || now_ms >= self.flushed_ms + FLUSH_MS {
            self.flushed_ms = now_ms;
            self.recorder.flush().map_err(End::Output)?;
        }
        if !self.metadata_shown && self.recorder.is_open() {
            self.metadata_shown = true;
            self.say_started();
            if let Some(metadata) = self.recorder.metadata() {
                self.log.properties(metadata);
                self.log.metadata(metadata);
                self.events.emit("metadata", || json!({"properties": from_amf0(&Value::Object(metadata.clone()))}));
            }
        }
        let position = self.position();
        self.progress.update(now_ms, || position, self.log);
        Ok(())
    }

    fn say_started(&mut self) {
        if !std::mem::replace(&mut self.started_said, true) {
            self.opening.iter().for_each(|line| self.log.line(line));
        }
    }

    /// How far it is, for the status line: the time is the stream's, not the file's.
    pub fn position(&self) -> Position {
        let time_ms = self.recorder.latest_ms() + self.zero_ms as i64;
        Position { bytes: self.recorder.bytes_written(), time_ms, duration_ms: self.duration_ms() }
    }

    /// Duration of an on-demand stream, from what the server said.
    fn duration_ms(&self) -> Option<u64> {
        let seconds = self.stream_length.or(self.recorder.metadata_duration()).filter(|_| !self.is_live)?;
        Some((seconds * 1000.0) as u64)
    }

    /// What is known for the verdict.
    pub fn facts(&self) -> Facts {
        let recorded = self.recorder.latest_ms().max(0) as u64;
        let source = self.recorder.source_ms().unwrap_or(0).max(0) as u64;
        let faster_than_life = recorded > self.now_ms() * 3 / 2 + 2_000;
        Facts {
            saved: self.recorder.is_open() || self.resume.as_ref().is_some_and(Resume::has_ended_within_the_file),
            live: self.is_live,
            is_nothing_wanted: self.is_nothing_wanted(),
            on_demand: !self.is_live
                && (self.stream_length.is_some()
                    || self.is_recorded
                    || faster_than_life
                    || self.resume.as_ref().is_some_and(Resume::is_known)),
            last_ms: source.max(recorded + self.start_ms),
            // A server that keeps the length it was asked for has sent all of it then.
            expected_ms: self.duration_ms().map(|end| self.stop_ms.map_or(end, |stop| end.min(stop))),
            frame_ms: self.recorder.frame_ms().max(0) as u64,
        }
    }

    /// Whether a notice ends a file: it had a duration, and came faster than a live stream does.
    fn is_end_of_a_file(&self, status: &NetStatus, client: &Client) -> bool {
        let came = (self.recorder.latest_ms() - self.pulse.begun_at_ms).max(0) as u128;
        matches!(status.code, StatusCode::PlayStop | StatusCode::PlayComplete)
            && self.duration_ms().is_some()
            && came > client.media_for().as_millis() * 3 / 2
    }

    /// Whether the server holds all of the stream, as far as one can know while it plays.
    pub fn is_on_demand(&self) -> bool {
        !self.is_live && (self.is_recorded || self.duration_ms().is_some_and(|duration| duration > 0))
    }

    fn is_nothing_wanted(&self) -> bool {
        self.stop_ms.is_some_and(|stop| stop <= self.start_ms)
    }

    fn limit_reached(&self) -> Option<End> {
        let time = self.until.is_some_and(|until| Instant::now() >= until);
        let time = time || (self.started_said && self.is_nothing_wanted());
        let size = self.max_bytes.is_some_and(|max| self.recorder.bytes_written() >= max);
        (time || size).then_some(End::LimitReached)
    }
}

fn is_media(message: &Message<'_>) -> bool {
    matches!(message.header.message_type_id, message_type::AUDIO | message_type::VIDEO)
}

/// The server has said that the stream is over, or asked to close. What is still in flight behind that is awaited: until no
/// media comes any more and no message is half received. Pings and the like go on for ever.
struct Ending {
    /// What it said; nothing if it only asked to close.
    code: Option<String>,
    since: Instant,
    quiet_since: Instant,
    /// Stream Begin came since: media would be the next stream's.
    is_begun_again: bool,
}

impl Ending {
    fn begin(slot: &mut Option<Ending>, code: Option<&str>) {
        let now = Instant::now();
        let ending = slot.get_or_insert(Ending { code: None, since: now, quiet_since: now, is_begun_again: false });
        ending.is_begun_again = false;
        if let Some(code) = code {
            ending.code = Some(code.to_owned());
        }
    }

    /// How the recording ends if it ends now; `otherwise` if the server has not said so.
    fn or(slot: Option<Ending>, otherwise: End) -> End {
        match slot {
            Some(Ending { code: Some(code), .. }) => End::Notice(code),
            Some(Ending { code: None, .. }) => End::CloseRequested,
            None => otherwise,
        }
    }

    /// When it is over, if nothing comes until then.
    fn over_at(&self, client: &Client, facts: &Facts) -> Instant {
        let quiet = match facts.is_all_there() {
            _ if self.code.is_none() => QUIET,
            _ if !facts.saved || self.is_begun_again => QUIET_TOO_EARLY,
            Some(true) => QUIET,
            Some(false) => QUIET_TOO_EARLY,
            None => QUIET_UNKNOWN,
        };
        let quiet = if client.session_ref().in_message() { QUIET_IN_MESSAGE } else { quiet };
        (self.quiet_since + quiet).min(self.since + LONGEST_ENDING)
    }
}

/// How often the loop comes by while nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// So much silence is reported as a stall, in milliseconds.
const STALL_MS: u64 = 3_000;

/// Keyframes are reported no more often than this, in milliseconds.
const KEYFRAMES_MS: u64 = 1_000;

/// A file gets what was received at least this often, in milliseconds.
const FLUSH_MS: u64 = 500;

/// After the end was announced, this much silence is the end, if all that was to come has come.
const QUIET: Duration = Duration::from_millis(200);

/// The same where nobody knows what was to come: longer than a lost segment takes to be sent again.
const QUIET_UNKNOWN: Duration = Duration::from_millis(500);

/// The same where something is missing.
const QUIET_TOO_EARLY: Duration = Duration::from_secs(2);

/// The same while a message is half received.
const QUIET_IN_MESSAGE: Duration = Duration::from_secs(3);

/// After the end was announced, media may go on coming for this long: a slow line with much in flight.
const LONGEST_ENDING: Duration = Duration::from_secs(30);
