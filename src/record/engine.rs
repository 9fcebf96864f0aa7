//! One connection's part of a recording: what it brings goes to the output until something ends it.
//!
//! ```text
//! receive (all events that are there) ─► tick (what is due, limits) ─► wait ─► receive …
//! ```

use std::time::{Duration, Instant};

use crate::connect::{Client, Connector, Error, Refusal};
use crate::proto::amf0::Value;
use crate::proto::command::NetStatus;
use crate::proto::link::user_control;
use crate::proto::media::Class;
use crate::proto::session::{self, SessionEvent, StatusKind};
use crate::proto::status::StatusCode;
use crate::transport::Interrupt;

use super::activity::MediaActivity;
use super::end::{EndReason, Notice};
use super::ending::Ending;
use super::gaps::Gaps;
use super::listener::{Event, Listener, Position};
use super::options::Options;
use super::outcome::RecordingStats;
use super::output::{Output, Taken};
use super::reconnect::{POLL_INTERVAL, Reconnect};
use super::resume::Resume;
use super::stall::StallRecovery;
use super::start_check::{Check, StartCheck};

/// What outlives a connection.
pub(super) struct Recording<'a> {
    pub options: &'a Options,
    pub listener: &'a mut dyn Listener,
    pub output: Output,
    /// The time from which the recording's clock counts.
    pub began: Instant,
    /// Wall-clock end, if there is one.
    pub until: Option<Instant>,
    /// Looks at what comes first, if that is not the beginning of the stream.
    pub start_check: Option<StartCheck>,
    pub activity: MediaActivity,
    pub gaps: Gaps,
    /// Duration of the source in seconds by getStreamLength.
    pub stream_length: Option<f64>,
    /// The server called the stream a recorded one.
    pub is_recorded: bool,
    /// It was told that the stream has begun, and what its metadata is.
    pub told_playing: bool,
    pub told_metadata: bool,
}

/// One connection, while it lasts.
struct Reception<'a> {
    client: &'a mut Client,
    connector: &'a Connector,
    reconnect: &'a mut Reconnect,
    interrupt: &'a Interrupt,
    ending: Option<Ending>,
    stall: StallRecovery,
    /// The last wait brought bytes.
    has_received: bool,
}

/// What becomes of the present connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Continue,
    /// The replacement takes over.
    Replace,
}

impl Recording<'_> {
    /// Milliseconds since the beginning.
    pub(super) fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Records what `client` receives until something ends it.
    pub(super) fn run(&mut self, client: &mut Client, connector: &Connector, interrupt: &Interrupt) -> EndReason {
        let mut reconnect = Reconnect::default();
        loop {
            let ending = None;
            let stall = StallRecovery::default();
            let reconnecting = &mut reconnect;
            let mut reception =
                Reception { client, connector, reconnect: reconnecting, interrupt, ending, stall, has_received: false };
            if let Err(end) = self.pump(&mut reception) {
                let is_gone = matches!(
                    &end,
                    EndReason::Notice(_) | EndReason::Refused(_) | EndReason::CloseRequested | EndReason::Broken(_)
                );
                if !is_gone || !self.wait_for_replacement(&mut reconnect, interrupt) {
                    return end;
                }
            }
            if let Err(end) = self.replace(client, &mut reconnect) {
                return end;
            }
        }
    }

    /// `Ok`: the replacement takes over.
    fn pump(&mut self, reception: &mut Reception<'_>) -> Result<(), EndReason> {
        loop {
            let now_ms = self.now_ms();
            if self.receive(reception, now_ms)? == Next::Replace {
                return Ok(());
            }
            self.tick(now_ms)?;
            let Some(until) = self.supervise(reception)? else { return Ok(()) };
            self.wait(reception, until)?;
        }
    }

    /// Takes all events that are there.
    fn receive(&mut self, reception: &mut Reception<'_>, now_ms: u64) -> Result<Next, EndReason> {
        let mut count: u32 = 0;
        loop {
            match reception.client.poll() {
                Ok(true) => {}
                Ok(false) => return Ok(Next::Continue),
                Err(error) => return Err(Ending::or(reception.ending.take(), EndReason::Broken(error))),
            }
            let next = match reception.client.event() {
                Some(session::Event::Media(message, class)) => {
                    note_media(&mut reception.ending, class);
                    if let Some(check) = &mut self.start_check {
                        match check.look(&message, class, reception.connector, reception.interrupt)? {
                            Check::Drop => continue,
                            Check::Take(headers) => {
                                self.output.push_held(&headers, now_ms)?;
                            }
                        }
                    }
                    match self.output.take(message, class, reception.reconnect, now_ms)? {
                        Taken::Going => Next::Continue,
                        Taken::StopReached => return Err(EndReason::LimitReached),
                        Taken::ReplacementDue => Next::Replace,
                    }
                }
                Some(session::Event::Session(_)) => self.take_session_event(reception)?,
                None => Next::Continue,
            };
            if next == Next::Replace {
                return Ok(next);
            }
            count = count.wrapping_add(1);
            if count.is_multiple_of(EVENTS_BETWEEN_LIMITS) {
                self.check_limits(reception.interrupt)?;
            }
        }
    }

    fn take_session_event(&mut self, reception: &mut Reception<'_>) -> Result<Next, EndReason> {
        let Some(session::Event::Session(event)) = reception.client.event() else { return Ok(Next::Continue) };
        self.listener.event(Event::Connect(crate::connect::ConnectEvent::Session(event)));
        let ending = &mut reception.ending;
        match event {
            // After the end of the stream it says no more than that the connection ends as well.
            SessionEvent::Status(StatusKind::Refused, _) if ending.is_some() => {}
            SessionEvent::Status(StatusKind::Ended, status) => {
                self.is_recorded |= self.is_end_of_a_file(status, reception.client);
                Ending::begin(ending, Some(Notice::Status(status.code.clone())));
            }
            SessionEvent::Status(StatusKind::Started, status) => {
                *ending = None;
                if status.code == StatusCode::PlayPublishNotify {
                    self.output.recorder.publisher_returned();
                }
                self.tell_playing();
            }
            SessionEvent::Status(StatusKind::ReconnectRequest, status) => {
                let url = status.information.get("tcUrl").and_then(Value::as_str);
                self.begin_reconnect(url, reception.reconnect, reception.connector, reception.interrupt);
            }
            SessionEvent::Connected(_) => self.listener.event(Event::Connected {
                connection: self.activity.connection,
                address: reception.client.transport().peer_addr(),
                after: Duration::from_millis(self.now_ms().saturating_sub(self.activity.begun_ms)),
            }),
            SessionEvent::UserControl(user_control::STREAM_EOF, _) => Ending::begin(ending, Some(Notice::StreamEof)),
            SessionEvent::UserControl(user_control::STREAM_BEGIN, _) => {
                ending.iter_mut().for_each(Ending::begin_next_stream);
            }
            SessionEvent::UserControl(user_control::STREAM_IS_RECORDED, _) => self.is_recorded = true,
            SessionEvent::StreamLength(seconds) => self.stream_length = Some(*seconds),
            SessionEvent::CloseRequested => Ending::begin(ending, None),
            event => {
                if let Some(refusal) = Refusal::of(event) {
                    return Err(EndReason::Refused(refusal));
                }
            }
        }
        Ok(Next::Continue)
    }

    /// What is due when everything that was received has been dealt with, also while there is no connection.
    ///
    /// # Errors
    /// The output failed, or a limit is reached.
    pub(super) fn tick(&mut self, now_ms: u64) -> Result<(), EndReason> {
        self.output.tick(now_ms)?;
        let position = self.position();
        self.activity.look(&self.output.recorder, &mut self.gaps, position, now_ms, self.listener);
        if !self.told_metadata && self.output.recorder.is_open() {
            self.told_metadata = true;
            self.tell_playing();
            if let Some(metadata) = self.output.recorder.metadata() {
                self.listener.event(Event::Metadata(metadata));
            }
        }
        self.output.report(self.listener);
        self.listener.event(Event::Progress(position));
        self.limit_reached().map_or(Ok(()), Err)
    }

    /// Sees to stalls, the replacement connection and an end that was announced. Returns until when to wait; `None`: the
    /// replacement takes over.
    fn supervise(&mut self, reception: &mut Reception<'_>) -> Result<Option<Instant>, EndReason> {
        let now = Instant::now();
        let mut until = now + TICK;
        if reception.ending.is_none()
            && self.is_on_demand()
            && let Some((silence, action)) = reception.stall.act(reception.client)
        {
            self.listener.event(Event::StallAction { silence, action });
        }
        if reception.reconnect.is_pending() {
            until = now + POLL_INTERVAL;
            match reception.reconnect.look(&self.output.recorder, false) {
                Ok(true) => return Ok(None),
                Ok(false) => {}
                Err(error) => self.listener.event(Event::ReconnectFailed { error: &error, is_last: false }),
            }
        }
        if let Some(due_ms) = self.output.recorder.due_ms() {
            until = until.min(self.began + Duration::from_millis(due_ms));
        }
        let in_message = reception.client.session_ref().in_message();
        let stats = reception.ending.is_some().then(|| self.stats());
        if let (Some(ending), Some(stats)) = (&mut reception.ending, stats) {
            if reception.has_received && in_message {
                ending.not_quiet();
            }
            let over_at = ending.over_at(in_message, &stats);
            if over_at <= now {
                return Err(Ending::or(reception.ending.take(), EndReason::CloseRequested));
            }
            until = until.min(over_at);
        }
        Ok(Some(until))
    }

    fn wait(&mut self, reception: &mut Reception<'_>, until: Instant) -> Result<(), EndReason> {
        match reception.client.wait(until) {
            Ok(received) => {
                reception.has_received = received;
                Ok(())
            }
            // The stream was over already; how the connection ends is of no interest.
            Err(Error::Closed { .. } | Error::Io { .. } | Error::Timeout { .. } | Error::WriteTimeout { .. })
                if reception.ending.is_some() =>
            {
                Err(Ending::or(reception.ending.take(), EndReason::CloseRequested))
            }
            Err(Error::Interrupted) => Err(EndReason::interrupted(reception.interrupt)),
            Err(error) => Err(EndReason::Broken(error)),
        }
    }

    /// The server asks for a replacement connection.
    fn begin_reconnect(
        &mut self,
        tc_url: Option<&str>,
        reconnect: &mut Reconnect,
        connector: &Connector,
        interrupt: &Interrupt,
    ) {
        if self.is_on_demand() || self.output.resume.is_some() {
            return;
        }
        match reconnect.begin(connector, tc_url, self.options.tracks, interrupt) {
            Ok(url) => self.listener.event(Event::ReconnectRequested(&url)),
            Err(error) => self.listener.event(Event::ReconnectRefused(&error)),
        }
    }

    /// The connection is gone while a replacement is on its way: waits for that. `false`: it failed.
    fn wait_for_replacement(&mut self, reconnect: &mut Reconnect, interrupt: &Interrupt) -> bool {
        while reconnect.is_pending() && !interrupt.is_set() {
            match reconnect.look(&self.output.recorder, true) {
                Ok(true) => return true,
                Ok(false) => std::thread::sleep(POLL_INTERVAL),
                Err(error) => self.listener.event(Event::ReconnectFailed { error: &error, is_last: true }),
            }
            if self.tick(self.now_ms()).is_err() {
                return false;
            }
        }
        false
    }

    /// The replacement takes over.
    fn replace(&mut self, client: &mut Client, reconnect: &mut Reconnect) -> Result<(), EndReason> {
        let Some(mut takeover) = reconnect.take(&self.output.recorder) else { return Ok(()) };
        std::mem::swap(client, &mut takeover.client);
        takeover.client.close();
        self.listener.event(Event::Reconnected);
        self.activity.connection += 1;
        self.output.take_over(&takeover, self.now_ms())
    }

    fn tell_playing(&mut self) {
        if !std::mem::replace(&mut self.told_playing, true) {
            self.listener.event(Event::Playing);
        }
    }

    /// How far the recording is.
    pub(super) fn position(&self) -> Position {
        let recorder = &self.output.recorder;
        let (audio, video, _) = recorder.tags();
        let at_ms = recorder.latest_ms();
        let zero_ms = if self.options.absolute_timestamps { 0 } else { self.options.start_ms };
        Position {
            bytes: recorder.bytes_written(),
            at_ms,
            stream_ms: at_ms + zero_ms as i64,
            duration_ms: self.duration_ms(),
            video,
            audio,
            keyframes: recorder.keyframes(),
        }
    }

    /// Duration of an on-demand stream, from what the server said.
    fn duration_ms(&self) -> Option<u64> {
        let seconds = self.stream_length.or(self.output.recorder.metadata_duration()).filter(|_| !self.options.live)?;
        Some((seconds * 1000.0) as u64)
    }

    /// What is known for the verdict.
    pub(super) fn stats(&self) -> RecordingStats {
        let (recorder, resume, position) = (&self.output.recorder, self.output.resume.as_ref(), self.position());
        let received = self.output.received.reach_ms();
        let is_fast = received > self.now_ms() * 3 / 2 + 2_000;
        let is_known = self.stream_length.is_some() || self.is_recorded || is_fast;
        let (repeated, skipped) = recorder.left_out();
        RecordingStats {
            saved: recorder.is_open() || resume.is_some_and(Resume::has_ended_within_the_file),
            is_nothing_wanted: self.options.is_nothing_wanted(),
            live: self.options.live,
            on_demand: !self.options.live && (is_known || resume.is_some_and(Resume::is_known)),
            may_be_live: !self.is_on_demand() && resume.is_none(),
            received_ms: self.begin_ms() + received,
            // A server that keeps the length it was asked for has sent all of it then.
            expected_ms: position.duration_ms.map(|end| self.options.stop_ms.map_or(end, |stop| end.min(stop))),
            frame_ms: recorder.frame_ms().max(0) as u64,
            bytes: position.bytes,
            saved_ms: recorder.saved_ms(),
            latest_ms: position.at_ms,
            video: position.video,
            audio: position.audio,
            repeated,
            skipped,
        }
    }

    /// Where the first frame stands in the stream, in milliseconds: a server begins at the keyframe before the point asked for,
    /// and may call that point 0.
    fn begin_ms(&self) -> u64 {
        let start = self.options.start_ms;
        let origin = self.output.received.source_origin().map_or(start, u64::from);
        let is_keyframe_before = origin > LATEST_ZERO_MS && origin <= start && start - origin <= LONGEST_GOP_MS;
        if is_keyframe_before { origin } else { start }
    }

    /// Whether the end that was asked for is reached but for a few frames.
    pub(super) fn is_at_stop(&self) -> bool {
        let slack = (FRAMES_AT_STOP * self.output.recorder.frame_ms().max(0) as u64).min(LONGEST_AT_STOP_MS);
        let length = self.options.length_ms().filter(|_| self.output.recorder.is_open());
        length.is_some_and(|length| self.output.received.reach_ms() + slack >= length)
    }

    /// Whether a notice ends a file: it had a duration, and came faster than a live stream does.
    fn is_end_of_a_file(&self, status: &NetStatus, client: &Client) -> bool {
        let came = (self.output.recorder.latest_ms() - self.activity.begun_at_ms).max(0) as u128;
        matches!(status.code, StatusCode::PlayStop | StatusCode::PlayComplete)
            && self.duration_ms().is_some()
            && came > client.media_for().as_millis() * 3 / 2
    }

    /// Whether the server holds all of the stream, as far as one can know while it plays.
    pub(super) fn is_on_demand(&self) -> bool {
        !self.options.live && (self.is_recorded || self.duration_ms().is_some_and(|duration| duration > 0))
    }

    fn limit_reached(&self) -> Option<EndReason> {
        let time = self.until.is_some_and(|until| Instant::now() >= until);
        let time = time || (self.told_playing && self.options.is_nothing_wanted());
        let size = self.options.max_bytes.is_some_and(|max| self.output.recorder.bytes_written() >= max);
        (time || size).then_some(EndReason::LimitReached)
    }

    /// In the middle of what was received: a server that sends a lot at once must not hold up a signal.
    fn check_limits(&self, interrupt: &Interrupt) -> Result<(), EndReason> {
        match self.limit_reached() {
            Some(end) => Err(end),
            None if interrupt.is_raised() => Err(EndReason::Signal),
            None => Ok(()),
        }
    }
}

/// Media after the announced end.
fn note_media(ending: &mut Option<Ending>, class: Class) {
    ending.take_if(|ending| ending.is_next_stream());
    if let Some(ending) = ending
        && class.is_media()
    {
        ending.not_quiet();
    }
}

/// How often the loop looks at what is due while nothing happens.
const TICK: Duration = Duration::from_millis(200);

/// A clock that begins before this, in milliseconds, counts from the point asked for.
const LATEST_ZERO_MS: u64 = 1_000;

/// Keyframes are no further apart than this, in milliseconds.
const LONGEST_GOP_MS: u64 = 30_000;

/// A stream that ends so many frames before the end that was asked for, and no more milliseconds, has reached it.
const FRAMES_AT_STOP: u64 = 3;
const LONGEST_AT_STOP_MS: u64 = 500;

/// So many events are taken before limits and signals are looked at.
const EVENTS_BETWEEN_LIMITS: u32 = 256;
