//! One probe of one server: connects, watches the stream until enough is known, and leaves.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::connect::{Client, ConnectEvent, Connector, Error, Failure, Fallback, Options, Refusal};
use crate::inspect::series::Timeline;
use crate::inspect::{Analyser, Finding};
use crate::proto::command::NetStatus;
use crate::proto::link::user_control;
use crate::proto::media::{Class, Track};
use crate::proto::session::{Event, SessionEvent, StatusKind};
use crate::transport::Interrupt;
use crate::url::{Url, without_secrets};
use crate::util::time::POLL_INTERVAL;

use super::result::{Found, ProbeResult, Timing};

/// Receives what happens during a probe. `()` ignores everything.
pub trait Listener {
    /// Something happened while connecting.
    fn connect(&mut self, _event: ConnectEvent<'_>) {}
    /// Whether [`Listener::progress`] should be called. `elapsed`: since the connection was opened.
    fn wants_progress(&mut self, _elapsed: Duration) -> bool {
        false
    }
    /// The result so far; called at most every 200 ms, once there is media.
    fn progress(&mut self, _result: &ProbeResult, _timeline: Option<&Timeline>, _elapsed: Duration) {}
}

impl Listener for () {}

/// How long a stream is watched, and for whom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    /// To know what it is: until enough is known, or for so many seconds.
    Facts(Option<f64>),
    /// To record how it develops: for so many seconds. An interruption ends it normally.
    Monitor(f64),
}

/// Connects to a URL's server, and watches the stream until enough is known.
pub fn probe(
    url: &Url,
    options: &Options,
    purpose: Purpose,
    listener: &mut dyn Listener,
    interrupt: &Interrupt,
) -> ProbeResult {
    let mut seen = ProbeResult { url: url_of(url), ..ProbeResult::default() };
    let mut connector = match Connector::new(url, options) {
        Ok(connector) => connector,
        Err(error) => return ProbeResult { not_tried: true, error: Some(error.to_string()), end: "error", ..seen },
    };
    if let Err(error) = connector.prove_swf(&mut |event| listener.connect(event), interrupt) {
        seen.break_off(error.into());
        return seen;
    }
    loop {
        let began = Instant::now();
        seen.handshake_kind = Some(connector.session().handshake);
        let mut client = match connector.open(&mut |event| listener.connect(event), interrupt) {
            Ok(client) => client,
            Err(failure) => {
                seen.break_off(failure);
                return seen;
            }
        };
        let analyser = match purpose {
            Purpose::Facts(_) => Analyser::new(),
            Purpose::Monitor(_) => Analyser::with_timeline(),
        };
        let mut watch =
            Watch { seen: &mut seen, analyser, began, purpose, listener: &mut *listener, first_media: None };
        let end = watch.run(&mut client);
        watch.collect_results(&client);
        client.close();
        let failure = match end {
            End::Finished(how) => {
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
            listener.connect(event);
        };
        if let Err(failure) = connector.recover(&client, failure, &mut tell) {
            seen.break_off(failure);
            return seen;
        }
    }
}

fn url_of(url: &Url) -> String {
    without_secrets(&format!("{}/{}", url.tc_url.trim_end_matches('/'), url.playpath))
}

impl ProbeResult {
    fn break_off(&mut self, failure: Failure) {
        self.not_tried |= matches!(failure, Failure::Broken(Error::Interrupted));
        self.error = Some(failure.to_string());
        self.end = "error";
        if let Failure::Refused(refusal) = failure {
            self.login_error = refusal.reason;
        }
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
    Finished(&'static str),
    Failed(Failure),
}

fn refused(status: NetStatus) -> End {
    End::Failed(Failure::Refused(Refusal::by(status)))
}

struct Watch<'a> {
    seen: &'a mut ProbeResult,
    listener: &'a mut dyn Listener,
    analyser: Analyser,
    began: Instant,
    purpose: Purpose,
    first_media: Option<Instant>,
}

impl Watch<'_> {
    fn run(&mut self, client: &mut Client) -> End {
        let seconds = match self.purpose {
            Purpose::Facts(seconds) => seconds.unwrap_or(DEFAULT_SECONDS),
            Purpose::Monitor(seconds) => seconds,
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
                        (until_known && self.analyser.is_complete()).then_some(End::Finished("complete"))
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
                return End::Finished("time");
            }
            self.report_progress();
            let tick = Instant::now() + POLL_INTERVAL;
            match client.wait(until.map_or(tick, |until| until.min(tick))) {
                Ok(_) => {}
                Err(Error::Closed { .. }) if self.first_media.is_some() => return End::Finished("ended"),
                Err(Error::Interrupted)
                    if self.first_media.is_some() && matches!(self.purpose, Purpose::Monitor(_)) =>
                {
                    return End::Finished("interrupted");
                }
                Err(error) => return End::Failed(error.into()),
            }
        }
    }

    fn report_progress(&mut self) {
        let elapsed = self.began.elapsed();
        if self.first_media.is_some() && self.listener.wants_progress(elapsed) {
            self.seen.report = Some(self.analyser.report());
            self.listener.progress(self.seen, self.analyser.timeline(), elapsed);
        }
    }

    fn note(&mut self, note: &SessionEvent) -> Option<End> {
        match note {
            SessionEvent::Connected(command) => self.seen.connected = Some(command.clone()),
            SessionEvent::StreamLength(seconds) => self.seen.stream_length_s = Some(*seconds),
            SessionEvent::Status(kind, status) => {
                self.keep(status);
                match kind {
                    StatusKind::Ended if self.first_media.is_some() => return Some(End::Finished("ended")),
                    StatusKind::Ended => return Some(refused(status.clone())),
                    _ => {}
                }
            }
            SessionEvent::UserControl(user_control::STREAM_EOF, _) if self.first_media.is_some() => {
                return Some(End::Finished("ended"));
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

    /// Takes from the connection what it knows at its end.
    fn collect_results(&mut self, client: &Client) {
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

/// Days from now, to a hundredth; negative when it is past.
fn days_until(seconds_since_1970: i64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let seconds = seconds_since_1970.saturating_sub(now);
    (seconds as f64 / 864.0).round() / 100.0
}

fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// How long, in seconds, a stream is watched whose facts are not complete before.
pub const DEFAULT_SECONDS: f64 = 20.0;

/// Statuses that are kept; servers send a handful.
const MAX_STATUSES: usize = 100;
