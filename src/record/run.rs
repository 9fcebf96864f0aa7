//! A recording from its beginning to its outcome, over as many connections as it takes.
//!
//! ```text
//! record ─► play (connect, redirect, log in: until a stream has ended) ─► Retry::decide ─► pause ─► play …
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::connect::{self, ConnectEvent, Connector, Failure};
use crate::flv::sink::is_stopped;
use crate::flv::timeline::Join;
use crate::transport::Interrupt;
use crate::url::Url;

use super::activity::MediaActivity;
use super::end::EndReason;
use super::engine::Recording;
use super::error::Error;
use super::gaps::Gaps;
use super::listener::{Event, Listener, Retrying};
use super::options::{Options, Sink};
use super::outcome::{Outcome, Verdict};
use super::output::Output;
use super::retry::{Pause, Retry, Standing};
use super::start_check::StartCheck;

/// Records the stream at `url` until it ends, a limit is reached or `interrupt` is raised, and connects again in between as
/// `options.retry` says.
///
/// An output is opened when media has come, not before: a file that exists is not touched by a recording that brings
/// nothing. Whatever happens then, it ends as a valid FLV file.
///
/// ```
/// use rtmpcat::record::{Options, RetryOptions, Sink, Verdict, record};
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("out.flv");
/// let retry = RetryOptions { attempts: Some(1), delay: std::time::Duration::ZERO, ..RetryOptions::default() };
/// let options = Options { retry, ..Options::default() };
/// // Nothing listens on that port.
/// let url = "rtmp://127.0.0.1:1/app/stream".parse()?;
/// let outcome = record(&url, Sink::file(&file), &options, &mut (), &rtmpcat::Interrupt::default())?;
/// assert_eq!(outcome.verdict, Verdict::NoSession);
/// assert!(!file.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Why nothing was tried: the sink cannot be opened, the file not resumed, or there is no route to the server. All that
/// happens once something was tried is an [`Outcome`].
pub fn record(
    url: &Url,
    sink: Sink,
    options: &Options,
    listener: &mut dyn Listener,
    interrupt: &Interrupt,
) -> Result<Outcome, Error> {
    if !sink.can_be_opened() {
        return Err(Error::Output(sink.path().unwrap_or("".as_ref()).to_owned()));
    }
    let mut connection = options.connection(url);
    // A client that does not go elsewhere must not say that it would.
    if connection.follow_redirects {
        connection.session.connect.announce_reconnect();
    }
    let mut connector = Connector::new(url, &connection)?;
    connector
        .prove_swf(&mut |event| listener.event(Event::Connect(event)), interrupt)
        .map_err(|_| Error::Interrupted)?;
    let began = Instant::now();
    // A time beyond the clock is no limit.
    let until = options.duration.and_then(|duration| began.checked_add(duration));
    let limited = interrupt.until(until);
    let output = Output::new(sink, options, listener, Arc::new(move || limited.is_set()))?;
    let mut recording = Recording {
        options,
        listener,
        output,
        began,
        until,
        start_check: (!options.live && options.start_ms > 0 && !options.trust_start)
            .then(|| StartCheck::new(options.start_ms)),
        activity: MediaActivity::default(),
        gaps: Gaps::default(),
        stream_length: None,
        is_recorded: false,
        told_playing: false,
        told_metadata: false,
    };
    let mut end = recording.play_with_retries(&mut connector, interrupt)?;
    // An output that did not take all of it in time has not failed.
    if matches!(&end, EndReason::Output(error) if is_stopped(error)) {
        end = EndReason::interrupted(&interrupt.until(until));
    }
    Ok(recording.conclude(end))
}

impl Recording<'_> {
    /// Plays, and plays again when that breaks off and more is wanted.
    fn play_with_retries(&mut self, connector: &mut Connector, interrupt: &Interrupt) -> Result<EndReason, Error> {
        let mut retry = Retry::new(self.options.retry);
        loop {
            let mut end = self.play(connector, interrupt);
            if let Err(error) = self.output.recorder.write_held(self.now_ms()) {
                return Ok(EndReason::Output(error));
            }
            let standing = self.standing(&end);
            let Some(pause) = retry.decide(&mut end, standing) else { return Ok(end) };
            if let Err(end) = self.pause(&end, pause, interrupt) {
                return Ok(end);
            }
            connector.restart()?;
        }
    }

    /// Connects and records; goes elsewhere or begins again where the server or the order of commands makes it necessary.
    fn play(&mut self, connector: &mut Connector, interrupt: &Interrupt) -> EndReason {
        // The time that the user gave runs while there is no connection yet as well.
        let limited = interrupt.until(self.until);
        loop {
            match self.play_once(connector, &limited) {
                Ok(()) => {}
                Err(EndReason::Broken(connect::Error::Interrupted)) => return EndReason::interrupted(&limited),
                Err(end) => return end,
            }
        }
    }

    /// One connection. `Ok`: another one, made differently, may get further.
    fn play_once(&mut self, connector: &mut Connector, interrupt: &Interrupt) -> Result<(), EndReason> {
        let is_on_demand = self.is_on_demand();
        self.output.begin_connection(connector, self.options, is_on_demand)?;
        if self.output.resume.is_some() {
            self.start_check = None;
        }
        self.begin_connection(connector.url());
        let mut client = connector.open(&mut |event| self.listener.event(Event::Connect(event)), interrupt)?;
        let end = self.run(&mut client, connector, interrupt);
        client.close();
        // A server that keeps the length itself is not exact to the frame.
        let is_over = matches!(
            end,
            EndReason::Notice(_) | EndReason::CloseRequested | EndReason::Broken(connect::Error::Closed { .. })
        );
        let end = if is_over && self.is_at_stop() { EndReason::LimitReached } else { end };
        let end = match self.resume_earlier(end)? {
            None => {
                connector.begin();
                return Ok(());
            }
            Some(end) => end,
        };
        let failure = match end {
            EndReason::Refused(refusal) => Failure::Refused(refusal),
            EndReason::Broken(error) => Failure::Broken(error),
            end => return Err(end),
        };
        let mut tell = |event: ConnectEvent<'_>| self.listener.event(Event::Connect(event));
        connector.recover(&client, failure, &mut tell).map_err(|failure| {
            if let Failure::Refused(refusal) = &failure
                && let Some(reason) = &refusal.reason
            {
                self.listener.event(Event::LoginFailed(reason));
            }
            failure.into()
        })
    }

    /// After a connection to a file that is resumed: `None` if an earlier point is to be asked for.
    fn resume_earlier(&mut self, end: EndReason) -> Result<Option<EndReason>, EndReason> {
        let Some(resume) = &mut self.output.resume else { return Ok(Some(end)) };
        match resume.after(end) {
            Ok(point_ms) => {
                self.listener.event(Event::ResumePoint(point_ms));
                Ok(None)
            }
            Err(end) => {
                if resume.is_complete() {
                    let now_ms = self.now_ms();
                    self.output.recorder.repair_existing(now_ms).map_err(EndReason::Output)?;
                }
                Ok(Some(end))
            }
        }
    }

    /// A connection is about to be made.
    fn begin_connection(&mut self, url: &Url) {
        self.is_recorded = false;
        let now_ms = self.now_ms();
        self.activity.begin_connection(now_ms, self.output.recorder.latest_ms());
        self.listener.event(Event::Connecting { url, connection: self.activity.connection });
    }

    /// What is known for another attempt.
    fn standing(&self, end: &EndReason) -> Standing {
        let stats = self.stats();
        Standing {
            tags: stats.audio + stats.video,
            has_new_media: self.output.novelty.is_new(),
            saved: stats.saved,
            on_demand: self.is_on_demand() || stats.on_demand,
            is_complete: Verdict::of(end, &stats) == Verdict::Complete,
        }
    }

    /// The connection is gone, for this reason; another one follows the pause.
    ///
    /// # Errors
    /// How the recording ends meanwhile.
    fn pause(&mut self, reason: &EndReason, pause: Pause, interrupt: &Interrupt) -> Result<(), EndReason> {
        let Pause { delay, attempt, limit, is_waiting } = pause;
        self.listener.event(Event::Retrying(Retrying { reason, attempt, limit, delay, is_waiting }));
        if self.is_on_demand() {
            // It continues where it was, and nothing is missing.
            self.output.recorder.set_on_demand();
        } else if self.output.recorder.is_open() {
            self.gaps.begin(self.activity.media_ms, reason.to_string());
        }
        let now_ms = self.now_ms();
        self.output.recorder.new_connection(Join::Append, now_ms).map_err(EndReason::Output)?;
        self.sleep(delay, interrupt)
    }

    /// Waits, and sees to what is due meanwhile.
    fn sleep(&mut self, pause: Duration, interrupt: &Interrupt) -> Result<(), EndReason> {
        let until = Instant::now().checked_add(pause);
        loop {
            if interrupt.is_set() {
                return Err(EndReason::Signal);
            }
            self.tick(self.now_ms())?;
            let left = until.map_or(TICK, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(TICK));
        }
    }

    /// Writes what is left, and weighs what there is.
    fn conclude(mut self, mut end: EndReason) -> Outcome {
        let position = self.position();
        self.listener.event(Event::Ending(&end, position));
        if let Err(error) = self.output.finish(self.listener)
            && !matches!(end, EndReason::Output(_))
            && !(is_stopped(&error) && matches!(end, EndReason::Signal))
        {
            end = EndReason::Output(error);
        }
        let stats = self.stats();
        Outcome { verdict: Verdict::of(&end, &stats), end, stats, gaps: self.gaps }
    }
}

/// How soon an interrupt ends a pause.
const TICK: Duration = Duration::from_millis(20);
