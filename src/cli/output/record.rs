//! A recording, as log lines and progress; what is said before and after it.

use crate::cli::exit::Code;
use crate::cli::log::{Level, Log};
use crate::cli::progress::Progress;
use crate::cli::resolve::Dialect;
use crate::cli::signals;
use crate::connect::Error;
use crate::flv::index::is_ours;
use crate::flv::recorder::Existing;
use crate::flv::script;
use crate::proto::session::StallAction;
use crate::record::{
    EndReason, Event, Gap, Listener, NoLegacyForm, Options, Outcome, RecordingStats, Retrying, SegmentEvent, Verdict,
};
use crate::url::{Url, without_secrets};

use super::connect::{ConnectLog, login_hint};
use super::events::RecordEvents;

/// All that a recording says while it runs.
#[derive(Debug)]
pub struct RecordOutput {
    /// Progress on a terminal, or for a program that reads along.
    pub progress: Progress,
    /// Log lines.
    pub log: RecordLog,
    /// JSON events.
    pub events: RecordEvents,
}

impl Listener for RecordOutput {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Connecting { .. } => self.progress.wait_for("Connecting"),
            Event::Connected { .. } => self.progress.wait_for("Connected, waiting for media"),
            Event::Retrying(Retrying { is_waiting: true, .. }) => self.progress.wait_for("Waiting for the stream"),
            Event::Progress(position) => self.progress.update(position, &self.log.log),
            Event::Ending(_, position) => self.progress.finish(position, &self.log.log),
            _ => {}
        }
        self.log.event(event);
        self.events.event(event);
    }
}

/// Writes the log lines of a recording.
#[derive(Debug)]
pub struct RecordLog {
    log: Log,
    connect: ConnectLog,
    /// What is said when the server begins to play.
    start_lines: Vec<String>,
    dialect: Dialect,
}

impl RecordLog {
    /// Lines for a recording by `options`. `realtime`: the server sets the pace.
    pub fn new(options: &Options, realtime: bool, dialect: Dialect, log: &Log) -> Self {
        Self {
            log: log.clone(),
            connect: ConnectLog::new(&options.connect, log),
            start_lines: start_lines(options, realtime),
            dialect,
        }
    }

    fn retrying(&self, retrying: &Retrying<'_>) {
        let Retrying { reason, attempt, limit, delay, is_waiting } = *retrying;
        let delay = delay.as_secs_f64();
        match (is_waiting, limit) {
            (true, _) if attempt > 1 => self.log.debug(&format!("{reason}; waiting for {delay:.1} s")),
            (true, _) => self.log.info(&format!("{reason}; waiting for the stream")),
            (false, None) => self.log.warning(&format!("{reason}; trying again in {delay:.1} s")),
            (false, Some(limit)) => {
                self.log.warning(&format!("{reason}; trying again in {delay:.1} s ({attempt} of {limit})"));
            }
        }
    }

    fn segment(&self, event: &SegmentEvent) {
        let log = &self.log;
        match event {
            SegmentEvent::Complete { file, segment } => {
                let length = segment.duration_ms as f64 / 1000.0;
                log.info(&format!("{} is complete: {length:.1} s, {} bytes", file.display(), segment.bytes));
            }
            SegmentEvent::Recovered(file) => {
                log.info(&format!("{} of an earlier run is complete now", file.display()));
            }
            SegmentEvent::Incomplete(file) => log.warning(&format!("{} is incomplete but playable", file.display())),
            SegmentEvent::CommandFailed { command, file, reason } => {
                log.warning(&format!("--on-segment {} {}: {reason}", command.display(), file.display()));
            }
            SegmentEvent::RemoveFailed { file, reason } => {
                log.warning(&format!("cannot remove {}: {reason}", file.display()));
            }
            SegmentEvent::WaitingForCommands => log.debug("Waiting for pending --on-segment commands"),
        }
    }
}

impl Listener for RecordLog {
    fn event(&mut self, event: Event<'_>) {
        let log = &self.log;
        match event {
            Event::Begins(existing) => {
                if let (Some(existing), Some(first)) = (existing, self.start_lines.first_mut()) {
                    *first = resuming(existing);
                }
                log.line("Connecting ...");
            }
            Event::Connect(event) => self.connect.event(event),
            Event::LoginFailed(error) => log.error(&login_hint(error)),
            Event::Playing => self.start_lines.iter().for_each(|line| log.line(line)),
            Event::Metadata(metadata) => {
                log.properties(metadata);
                if self.dialect == Dialect::Rtmpdump || log.shows(Level::Debug) {
                    log.metadata(metadata);
                }
            }
            Event::StallAction { silence, action } => {
                let what = match action {
                    StallAction::Unpause => "pausing and unpausing",
                    StallAction::Seek => "seeking to where it is",
                };
                log.info(&format!("No media for {:.1} s, trying to resume: {what}", silence.as_secs_f64()));
            }
            Event::Retrying(retrying) => self.retrying(&retrying),
            Event::Gap(gap) => log.info(&format!("Stream resumed after {:.1} s", gap.lost_ms as f64 / 1000.0)),
            Event::ResumePoint(point_ms) => log.info(&format!(
                "The server did not send the end of the file again; asking for an earlier point, {:.3} sec",
                f64::from(point_ms) / 1000.0
            )),
            Event::ReconnectRequested(url) => {
                let url = without_secrets(&url.tc_url);
                log.info(&format!("The server asks for another connection: {}", log.secrets().hide(&url)));
            }
            Event::ReconnectRefused(error) => log.debug(&format!("The server asks for another connection: {error}")),
            Event::ReconnectFailed { error, is_last: false } => {
                log.warning(&format!("Reconnect failed, keeping the current connection: {error}"));
            }
            Event::ReconnectFailed { error, is_last: true } => {
                log.warning(&format!("Reconnect failed as well: {error}"))
            }
            Event::Reconnected => log.info("The new connection takes over"),
            Event::NoLegacyForm(form) => log.warning(&no_legacy_form(form)),
            Event::Segment(event) => self.segment(event),
            Event::Ending(EndReason::Signal, _) => {
                let number = signals::caught().unwrap_or_default();
                log.line(&match self.dialect {
                    Dialect::Rtmpdump => format!("Caught signal: {number}, cleaning up, just a second..."),
                    Dialect::Own => format!("Caught signal: {number}, stopping"),
                });
            }
            _ => {}
        }
    }
}

/// What the options came to, for those who look for a fault.
pub fn log_options(url: &Url, options: &Options, log: &Log) {
    if !log.shows(Level::Debug) {
        return;
    }
    let session = &options.connect.session;
    let connect = &session.connect;
    let play = session.play.as_ref();
    log.debug("Parsing...");
    log.debug(&format!("Parsed protocol: {}", url.scheme.number()));
    log.debug(&format!("Parsed host    : {}", url.host));
    log.debug(&format!("Parsed app     : {}", url.app));
    let field = |name: &str, value: &str| log.debug(&format!("{name:<9}: {value}"));
    field("Protocol", &url.scheme.name().to_uppercase());
    field("Hostname", &url.host);
    field("Port", &url.port.to_string());
    field("Playpath", &url.playpath);
    field("tcUrl", &without_secrets(&url.tc_url));
    for (name, value) in [("swfUrl", &connect.swf_url), ("pageUrl", &connect.page_url)] {
        if let Some(value) = value {
            field(name, &without_secrets(value));
        }
    }
    field("app", &url.app);
    // That it is there helps to find a fault; its value does not belong into a log that is shown around.
    if connect.auth.is_some() {
        field("auth", SECRET);
    }
    let subscribe = play.and_then(|play| play.subscribe.as_deref());
    if let Some(name) = subscribe.filter(|name| *name != url.playpath) {
        log.debug(&format!("subscribepath : {name}"));
    }
    if session.usher_token.is_some() {
        log.debug(&format!("NetStream.Authenticate.UsherToken : {SECRET}"));
    }
    field("flashVer", &connect.flash_ver);
    if options.start_ms > 0 {
        log.debug(&format!("StartTime     : {} msec", options.start_ms));
    }
    if let Some(stop_ms) = options.stop_ms {
        log.debug(&format!("StopTime      : {stop_ms} msec"));
    }
    field("live", if options.live { "yes" } else { "no" });
    log.debug(&format!("timeout  : {} sec", options.connect.timeouts.stall.map_or(0, |stall| stall.as_secs())));
    log.debug(&format!("Setting buffer time to: {}ms", play.map_or(0, |play| play.buffer_ms)));
}

/// What is said when the server begins to play.
fn start_lines(options: &Options, realtime: bool) -> Vec<String> {
    let first = if options.live { "Starting Live Stream" } else { "Starting download at: 0.000 kB" };
    let mut lines = vec![first.to_owned()];
    if realtime {
        lines.push("  in approximately realtime (disabled BUFX speedup hack)".to_owned());
    }
    if let Some(stop_ms) = options.stop_ms {
        let seconds = stop_ms.saturating_sub(options.start_ms) as f64 / 1000.0;
        lines.push(format!("For duration: {seconds:.3} sec"));
    }
    lines
}

fn resuming(existing: &Existing) -> String {
    let kilobytes = existing.bytes as f64 / 1024.0;
    let seconds = f64::from(existing.latest_ms) / 1000.0;
    // Our own says how long the file is, not the stream.
    let metadata = existing.metadata.as_ref().filter(|metadata| !is_ours(metadata));
    let place = match metadata.and_then(script::duration) {
        Some(duration) => format!(" / {seconds:.3} sec ({:.1}%)", (seconds * 1000.0 / duration).floor() / 10.0),
        None => String::new(),
    };
    format!("Resuming download at: {kilobytes:.3} kB{place}")
}

fn no_legacy_form(form: &NoLegacyForm) -> String {
    let option = if form.is_video { "--video-track" } else { "--audio-track" };
    match (&form.codec, form.is_multitrack) {
        (Some(codec), true) => {
            format!("--legacy-tags: {codec} of several tracks has no legacy FLV form; choose one with {option}")
        }
        (Some(codec), false) => format!("--legacy-tags: {codec} has no legacy FLV form; saved unchanged"),
        (None, _) => "--legacy-tags: media that cannot be read is saved unchanged".to_owned(),
    }
}

/// What is said after a recording, and the exit code. `file`: its name, where it has one.
pub fn conclude(outcome: &Outcome, file: Option<&std::path::Path>, output: &RecordOutput) -> Code {
    let log = &output.log.log;
    let stats = &outcome.stats;
    let as_rtmpdump = output.log.dialect == Dialect::Rtmpdump;
    let code = code_of(outcome, output.log.dialect);
    gap_lines(outcome).iter().for_each(|line| log.info(line));
    if let Some(reason) = explain(outcome, file) {
        match code {
            Code::Complete => log.info(&reason),
            Code::Incomplete => log.warning(&reason),
            Code::Failed | Code::NoSession => log.error(&reason),
        }
    }
    // A file that was deleted has lost all of it.
    if let (EndReason::Output(error), true) = (&outcome.end, stats.saved)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        match stats.saved_ms {
            Some(saved) => {
                log.info(&format!("{:.1} s are saved, in {} bytes", saved as f64 / 1000.0, stats.bytes));
            }
            None => log.info(&format!("{} bytes are saved", stats.bytes)),
        }
    }
    output.events.end(outcome, code);
    if stats.is_nothing_wanted && matches!(outcome.end, EndReason::LimitReached) {
        log.line("Already Completed");
    }
    match code {
        Code::Complete => log.line("Download complete"),
        Code::Incomplete => {
            let share = match stats.expected_ms {
                Some(expected) => Some(stats.received_ms as f64 * 100.0 / expected.max(1) as f64),
                // What rtmpdump says where it is unknown.
                None => as_rtmpdump.then_some(0.0),
            };
            let share = share.map_or(String::new(), |share| format!(" (downloaded about {share:.2}%)"));
            // A live stream is over.
            let advice = if stats.live && !as_rtmpdump { "" } else { ", try resuming" };
            log.line(&format!("Download may be incomplete{share}{advice}"));
        }
        Code::Failed | Code::NoSession => {}
    }
    code
}

/// To rtmpdump's callers each recording that a signal ended is incomplete.
fn code_of(outcome: &Outcome, dialect: Dialect) -> Code {
    match (&outcome.end, dialect) {
        (EndReason::Signal | EndReason::Broken(Error::Interrupted), Dialect::Rtmpdump) => Code::Incomplete,
        _ => Code::from(outcome.verdict),
    }
}

/// What is to be said of an end.
fn explain(outcome: &Outcome, file: Option<&std::path::Path>) -> Option<String> {
    let (end, stats) = (&outcome.end, &outcome.stats);
    match end {
        EndReason::LimitReached if outcome.verdict == Verdict::Failed => {
            Some("--duration elapsed without media".to_owned())
        }
        EndReason::LimitReached | EndReason::Signal | EndReason::Broken(Error::Interrupted) => None,
        EndReason::Unmatched(reason) => {
            let file = file.map_or_else(|| "the output".to_owned(), |file| file.display().to_string());
            Some(format!("cannot resume {file}: {reason}"))
        }
        EndReason::Output(error) => Some(format!("the output failed: {error}")),
        EndReason::NoHeaders => Some(end.to_string()),
        EndReason::Notice(notice) if !stats.saved => {
            Some(format!("the stream ended ({notice}) before any media was sent"))
        }
        _ if outcome.verdict == Verdict::Complete => None,
        EndReason::Refused(refusal) => Some(format!("Closing connection: {refusal}")),
        EndReason::Notice(_) | EndReason::CloseRequested | EndReason::Broken(_) => {
            Some(at_place(&end.to_string(), stats))
        }
    }
}

/// With how far the stream had come.
fn at_place(what: &str, stats: &RecordingStats) -> String {
    let seconds = |ms: u64| ms as f64 / 1000.0;
    match stats.expected_ms.filter(|_| stats.saved && !stats.live) {
        Some(expected) => format!("{what} at {:.2} of {:.2} s", seconds(stats.received_ms), seconds(expected)),
        None => what.to_owned(),
    }
}

/// The gaps of a recording, for its end.
fn gap_lines(outcome: &Outcome) -> Vec<String> {
    let gaps = &outcome.gaps;
    let mut lines: Vec<String> = gaps.list().iter().map(gap_line).collect();
    let more = gaps.count() - gaps.list().len() as u64;
    if more > 0 {
        lines.push(format!("... and {more} more gaps"));
    }
    if gaps.count() > 1 {
        lines.push(format!("{} gaps, {:.1} s total", gaps.count(), gaps.lost_ms() as f64 / 1000.0));
    }
    lines
}

fn gap_line(gap: &Gap) -> String {
    let Gap { at_ms, lost_ms, reason, .. } = gap;
    let (hours, minutes, seconds) = (at_ms / 3_600_000, at_ms / 60_000 % 60, (at_ms % 60_000) as f64 / 1000.0);
    format!("Gap at {hours}:{minutes:02}:{seconds:06.3}: {:.1} s without media: {reason}", *lost_ms as f64 / 1000.0)
}

/// In place of a secret.
const SECRET: &str = "***";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_words() {
        let gap = Gap { at_ms: 3_723_040, lost_ms: 2_500, attempts: 2, reason: "the server closed".into() };
        assert_eq!(gap_line(&gap), "Gap at 1:02:03.040: 2.5 s without media: the server closed");
    }
}
