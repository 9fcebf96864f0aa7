//! One visit to a server: connects, watches the stream until enough is known, and leaves.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::cli::log::Log;
use crate::cli::output::{ConnectLog, login_hint};
use crate::connect::{Client, ConnectEvent, Connector, Error, Failure, Fallback, Options, Refusal};
use crate::inspect::series::Timeline;
use crate::inspect::{Analyser, Finding, Report, Severity};
use crate::proto::amf0::Object;
use crate::proto::command::{Command, NetStatus};
use crate::proto::handshake;
use crate::proto::link::{Tolerated, user_control};
use crate::proto::media::{Class, Track};
use crate::proto::session::{Event, SessionEvent, StatusKind};
use crate::transport::{Certificate, Interrupt};
use crate::url::{Url, without_secrets};
use crate::util::time::POLL_INTERVAL;

use super::watch::View;

/// What was seen.
#[derive(Debug, Default)]
pub struct Visit {
    /// The URL, without its secrets.
    pub url: String,
    /// The options made no sense, or somebody interrupted: nothing is known.
    pub not_tried: bool,
    /// Why there was no stream, or why it broke off.
    pub error: Option<String>,
    /// `complete`, `time`, `ended`, `interrupted` or `error`.
    pub end: &'static str,
    /// Of the server, or of the proxy.
    pub address: Option<String>,
    /// Where the server sent us.
    pub redirects: Vec<String>,
    /// Version and cipher.
    pub tls: Option<String>,
    /// The server's, where there is TLS.
    pub certificate: Option<Certificate>,
    /// How many days it is valid for.
    pub certificate_days: Option<f64>,
    /// Which handshake was asked for.
    pub handshake_kind: Option<handshake::Kind>,
    /// What it told.
    pub handshake: Option<handshake::Outcome>,
    /// connect's result.
    pub connected: Option<Command>,
    /// What the server said, the first [`MAX_STATUSES`].
    pub statuses: Vec<NetStatus>,
    /// What was passed over.
    pub tolerated: Tolerated,
    /// The server did not take commands that were sent ahead.
    pub strict_order: bool,
    /// By getStreamLength.
    pub stream_length_s: Option<f64>,
    /// When things happened.
    pub timing: Timing,
    /// What is in the stream.
    pub report: Option<Report>,
    /// How the stream went over time, where that is kept.
    pub timeline: Option<Timeline>,
    /// The last onMetaData.
    pub metadata: Option<Object>,
    /// The last colorInfo.
    pub color_info: Option<Object>,
    /// What is wrong with the stream: each kind once, and how often.
    pub findings: Vec<Found>,
}

/// A finding, and how often it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// See [`Finding::code`].
    pub code: &'static str,
    /// See [`Finding::severity`].
    pub severity: Severity,
    /// In words, of the first time.
    pub text: String,
    /// How often.
    pub count: u64,
}

/// Milliseconds, with microseconds behind the point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Timing {
    /// How long looking up the host took.
    pub resolve: Option<f64>,
    /// How long the TCP connection took.
    pub tcp: Option<f64>,
    /// How long the proxy took.
    pub proxy: Option<f64>,
    /// How long the TLS handshake took.
    pub tls: Option<f64>,
    /// How long opening the tunnel took.
    pub tunnel: Option<f64>,
    /// When bytes could be exchanged; this and all that follows since the beginning.
    pub opened: Option<f64>,
    /// When S1 was there.
    pub handshake: Option<f64>,
    /// When connect was answered.
    pub connect: Option<f64>,
    /// When createStream was answered.
    pub create_stream: Option<f64>,
    /// When the stream had begun.
    pub play: Option<f64>,
    /// When onMetaData was there.
    pub metadata: Option<f64>,
    /// When the first sound was there.
    pub first_audio: Option<f64>,
    /// When the first frame was there.
    pub first_video: Option<f64>,
    /// When the first keyframe was there.
    pub first_keyframe: Option<f64>,
}

impl Visit {
    /// A visit that was not made: the options make no sense.
    pub fn refused_to_go(url: &str, reason: String) -> Self {
        Self { not_tried: true, ..Self::failed(url, reason) }
    }

    /// A visit that came to nothing.
    pub fn failed(url: &str, reason: String) -> Self {
        Self { url: without_secrets(url), error: Some(reason), end: "error", ..Self::default() }
    }
}

/// How long a stream is watched, and for whom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    /// To know what it is: until enough is known, or for so many seconds.
    Facts(Option<f64>),
    /// To see how it goes: for so many seconds. What there was till an interruption counts.
    Course(f64),
}

/// Visits the server of a URL. `view`: who looks on.
pub fn visit(
    url: &Url,
    options: &Options,
    purpose: Purpose,
    view: &mut View<'_>,
    log: &Log,
    interrupt: &Interrupt,
) -> Visit {
    let mut seen = Visit { url: url_of(url), ..Visit::default() };
    let mut lines = ConnectLog::new(options, log);
    let mut connector = match Connector::new(url, options) {
        Ok(connector) => connector,
        Err(error) => return Visit { not_tried: true, error: Some(error.to_string()), end: "error", ..seen },
    };
    if let Err(error) = connector.prove_swf(&mut |event| lines.event(event), interrupt) {
        seen.break_off(&error.into());
        return seen;
    }
    loop {
        let began = Instant::now();
        seen.handshake_kind = Some(connector.session().handshake);
        let mut client = match connector.open(&mut |event| lines.event(event), interrupt) {
            Ok(client) => client,
            Err(failure) => {
                seen.break_off(&failure);
                return seen;
            }
        };
        let analyser = match purpose {
            Purpose::Facts(_) => Analyser::new(),
            Purpose::Course(_) => Analyser::with_timeline(),
        };
        let mut watch = Watch { seen: &mut seen, analyser, began, purpose, view: &mut *view, first_media: None };
        let end = watch.run(&mut client);
        watch.take_stock(&client);
        client.close();
        let failure = match end {
            End::Told(how) => {
                seen.end = how;
                return seen;
            }
            End::Failed(failure) => failure,
        };
        let mut tell = |event: ConnectEvent<'_>| {
            match event {
                ConnectEvent::Redirected(url) => seen.redirects.push(without_secrets(&url.tc_url)),
                ConnectEvent::Fallback(Fallback::StrictOrder) => seen.strict_order = true,
                _ => {}
            }
            lines.event(event);
        };
        if let Err(failure) = connector.recover(&client, failure, &mut tell) {
            seen.break_off(&failure);
            return seen;
        }
    }
}

fn url_of(url: &Url) -> String {
    without_secrets(&format!("{}/{}", url.tc_url.trim_end_matches('/'), url.playpath))
}

impl Visit {
    fn fail(&mut self, reason: String) {
        self.error = Some(reason);
        self.end = "error";
    }

    fn break_off(&mut self, failure: &Failure) {
        self.not_tried |= matches!(failure, Failure::Broken(Error::Interrupted));
        self.fail(match failure {
            Failure::Refused(Refusal { reason: Some(reason), .. }) => login_hint(reason),
            failure => failure.to_string(),
        });
    }

    fn note_finding(&mut self, finding: &Finding) {
        // Where metadata stands, and as what, matters in a file; on the wire it comes as and when it comes.
        if matches!(
            finding,
            Finding::MetadataLate | Finding::MetadataTime(_) | Finding::MetadataAgain | Finding::MetadataNoEcmaArray
        ) {
            return;
        }
        let code = finding.code();
        match self.findings.iter_mut().find(|found| found.code == code) {
            Some(found) => found.count += 1,
            None => {
                let text = finding.to_string();
                self.findings.push(Found { code, severity: finding.severity(), text, count: 1 });
            }
        }
    }
}

/// How a connection ended.
enum End {
    /// There is a stream, and this is why it is no longer watched.
    Told(&'static str),
    Failed(Failure),
}

fn refused(status: NetStatus) -> End {
    End::Failed(Failure::Refused(Refusal::by(status)))
}

struct Watch<'a, 'v> {
    seen: &'a mut Visit,
    view: &'a mut View<'v>,
    analyser: Analyser,
    began: Instant,
    purpose: Purpose,
    first_media: Option<Instant>,
}

impl Watch<'_, '_> {
    fn run(&mut self, client: &mut Client) -> End {
        let seconds = match self.purpose {
            Purpose::Facts(seconds) => seconds.unwrap_or(DEFAULT_SECONDS),
            Purpose::Course(seconds) => seconds,
        };
        let until_known = self.purpose == Purpose::Facts(None);
        let limit = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        loop {
            loop {
                match client.poll() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => return End::Failed(error.into()),
                }
                let end = match client.event() {
                    Some(Event::Media(message, _)) => {
                        let header = message.header;
                        self.media(header.message_type_id, header.timestamp, message.payload);
                        (until_known && self.analyser.is_complete()).then_some(End::Told("complete"))
                    }
                    Some(Event::Session(note)) => self.note(note),
                    None => None,
                };
                if let Some(end) = end {
                    return end;
                }
            }
            // Before there is media, the client's own limits hold.
            let until = self.first_media.and_then(|first| first.checked_add(limit));
            if until.is_some_and(|until| Instant::now() >= until) {
                return End::Told("time");
            }
            self.show();
            let tick = Instant::now() + POLL_INTERVAL;
            match client.wait(until.map_or(tick, |until| until.min(tick))) {
                Ok(_) => {}
                Err(Error::Closed { .. }) if self.first_media.is_some() => return End::Told("ended"),
                Err(Error::Interrupted) if self.first_media.is_some() && matches!(self.purpose, Purpose::Course(_)) => {
                    return End::Told("interrupted");
                }
                Err(error) => return End::Failed(error.into()),
            }
        }
    }

    /// To who looks on, what there is by now.
    fn show(&mut self) {
        let elapsed = self.began.elapsed();
        if self.first_media.is_some() && self.view.is_due(elapsed) {
            self.seen.report = Some(self.analyser.report());
            self.view.show(self.seen, self.analyser.timeline(), elapsed);
        }
    }

    fn note(&mut self, note: &SessionEvent) -> Option<End> {
        match note {
            SessionEvent::Connected(command) => self.seen.connected = Some(command.clone()),
            SessionEvent::StreamLength(seconds) => self.seen.stream_length_s = Some(*seconds),
            SessionEvent::Status(kind, status) => {
                self.keep(status);
                match kind {
                    StatusKind::Ended if self.first_media.is_some() => return Some(End::Told("ended")),
                    StatusKind::Ended => return Some(refused(status.clone())),
                    _ => {}
                }
            }
            SessionEvent::UserControl(user_control::STREAM_EOF, _) if self.first_media.is_some() => {
                return Some(End::Told("ended"));
            }
            SessionEvent::CloseRequested => {
                let description = "the server asked to close the connection".to_owned();
                return Some(refused(NetStatus { description, ..NetStatus::default() }));
            }
            SessionEvent::Failed { status, .. } => self.keep(status),
            _ => {}
        }
        Refusal::of(note).map(|refusal| End::Failed(Failure::Refused(refusal)))
    }

    fn keep(&mut self, status: &NetStatus) {
        if self.seen.statuses.len() < MAX_STATUSES {
            self.seen.statuses.push(status.clone());
        }
    }

    fn media(&mut self, kind: u8, timestamp: u32, payload: &[u8]) {
        let elapsed = self.began.elapsed();
        for finding in self.analyser.observe(kind, timestamp, payload, Some(elapsed.as_millis() as u64)) {
            self.seen.note_finding(finding);
        }
        let now = Some(millis(elapsed));
        let timing = &mut self.seen.timing;
        let mark = |slot: &mut Option<f64>| *slot = slot.or(now);
        let class = Class::of(kind, payload);
        if class.is_keyframe() {
            mark(&mut timing.first_keyframe);
        }
        match class.frame_track() {
            Some(Track::Audio) => mark(&mut timing.first_audio),
            Some(Track::Video) => mark(&mut timing.first_video),
            None => {
                if !class.is_media() && self.analyser.metadata().is_some() {
                    mark(&mut timing.metadata);
                }
                return;
            }
        }
        self.first_media.get_or_insert_with(Instant::now);
    }

    /// What the connection tells at its end.
    fn take_stock(&mut self, client: &Client) {
        let (marks, timings) = (client.marks(), client.transport().timings());
        let seen = &mut *self.seen;
        seen.timing = Timing {
            resolve: Some(millis(timings.resolve)),
            tcp: Some(millis(timings.connect)),
            proxy: timings.proxy.map(millis),
            tls: timings.tls.map(millis),
            tunnel: timings.tunnel.map(millis),
            opened: marks.opened.map(millis),
            handshake: marks.handshake.map(millis),
            connect: marks.connected.map(millis),
            create_stream: marks.stream_created.map(millis),
            play: marks.play_started.map(millis),
            ..seen.timing
        };
        seen.address = Some(client.transport().peer_addr().to_string());
        seen.tls = client.transport().tls();
        seen.certificate = client.transport().certificate();
        seen.certificate_days = seen.certificate.as_ref().map(|it| days_until(it.not_after));
        seen.handshake = client.session_ref().handshake_outcome().cloned();
        seen.tolerated = client.session_ref().tolerated();
        seen.report = self.first_media.map(|_| self.analyser.report());
        seen.timeline = self.analyser.timeline().cloned();
        seen.metadata = self.analyser.metadata().cloned();
        seen.color_info = self.analyser.color_info().cloned();
    }
}

/// Days from now on, to a hundredth; less than 0 when it is past.
fn days_until(seconds_since_1970: i64) -> f64 {
    let seconds = seconds_since_1970.saturating_sub(jiff::Timestamp::now().as_second());
    (seconds as f64 / 864.0).round() / 100.0
}

fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// How long a stream is watched that does not tell enough before.
pub const DEFAULT_SECONDS: f64 = 20.0;

/// Statuses that are kept; servers send a handful.
const MAX_STATUSES: usize = 100;
