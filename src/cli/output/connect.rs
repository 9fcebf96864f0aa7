//! What happens on the way to a session, as log lines.

use crate::cli::log::{Level, Log};
use crate::connect::{ConnectEvent, Fallback, LoginError, Options, RouteWarning, SwfProof};
use crate::proto::command::{Command, NetStatus};
use crate::proto::link::user_control;
use crate::proto::session::{SessionEvent, StatusKind, SwfVerification};
use crate::proto::status::{CommandKind, StatusCode};
use crate::swf::{Origin, SwfHash};
use crate::url::{Url, without_secrets};
use crate::util::hex;

/// Writes the log lines of connecting.
#[derive(Debug)]
pub struct ConnectLog {
    log: Log,
    /// SWF verification can be answered.
    answers_swf: bool,
    /// A connection was made before: while a stream is waited for, there is one every few seconds.
    was_connected: bool,
}

impl ConnectLog {
    /// Lines for connections made by `options`.
    pub fn new(options: &Options, log: &Log) -> Self {
        if let SwfProof::Known(proof) = &options.swf {
            log_swf(*proof, log);
        }
        Self { log: log.clone(), answers_swf: matches!(options.swf, SwfProof::Known(_)), was_connected: false }
    }

    /// Tells an event.
    pub fn event(&mut self, event: ConnectEvent<'_>) {
        let log = &self.log;
        match event {
            ConnectEvent::Warning(url, warning) => self.warn(url, warning),
            ConnectEvent::SwfFound(found) => {
                log_origin(found, log);
                log_swf(SwfVerification { hash: found.hash, size: found.size }, log);
                self.answers_swf = true;
            }
            ConnectEvent::SwfUnavailable(error) => {
                log.warning(&format!("{error}; going on without SWF verification"));
            }
            ConnectEvent::Redirected(url) => {
                log.info(&format!("The server redirects to {}", without_secrets(&url.tc_url)));
            }
            ConnectEvent::LoggingIn(user) => log.info(&format!("Server requests authentication; logging in as {user}")),
            ConnectEvent::Fallback(Fallback::StrictOrder) => log.debug("Trying again in the strict order"),
            ConnectEvent::Fallback(Fallback::WithoutAnnouncement) => {
                log.info("Connecting again without announcing Enhanced RTMP (--legacy does so at once)");
            }
            ConnectEvent::Fallback(Fallback::WithoutStreamLength) => {
                log.info("Connecting again without getStreamLength");
            }
            ConnectEvent::Session(SessionEvent::ConnectSent) => {
                let level = if self.was_connected { Level::Debug } else { Level::Info };
                log.say(level, "Connected...");
                self.was_connected = true;
            }
            ConnectEvent::Session(event) => self.session(event),
        }
    }

    fn warn(&self, url: &Url, warning: RouteWarning) {
        self.log.warning(&match warning {
            RouteWarning::NotVerified { pinned: false } => {
                format!("--insecure: {} is not authenticated; traffic can be intercepted", url.host)
            }
            RouteWarning::NotVerified { pinned: true } => {
                format!("--insecure: of {}'s certificate nothing but the pinned key is checked", url.host)
            }
            RouteWarning::WithoutTls => {
                format!("{} has no TLS: --cafile, --pin and --cert have no effect without TLS", url.scheme)
            }
        });
    }

    fn session(&self, event: &SessionEvent) {
        let log = &self.log;
        match event {
            SessionEvent::ConnectSent => {}
            SessionEvent::Connected(answer) => {
                log.debug("HandleInvoke, server invoking <_result>");
                self.properties(answer);
            }
            SessionEvent::StreamCreated(id) => log.debug(&format!("Message stream {id}")),
            SessionEvent::PlaySent(_) => log.debug("Invoking play"),
            SessionEvent::StreamLength(seconds) => log.debug(&format!("Stream length: {seconds:.3} sec")),
            SessionEvent::Failed { command, status, answer } => {
                self.properties(answer);
                if *command == CommandKind::Other {
                    log.warning(&format!("a call failed: {status}"));
                }
            }
            SessionEvent::Status(kind, status) => self.status(*kind, status),
            SessionEvent::UserControl(user_control::SWF_VERIFICATION_REQUEST, kind) => self.swf_request(*kind),
            SessionEvent::UserControl(event, value) => log.debug(&format!("User control event {event}, {value}")),
            SessionEvent::Command(command) => {
                log.debug(&format!("HandleInvoke, server invoking <{}>", command.name));
                self.properties(command);
                if command.kind() == CommandKind::OnFcSubscribe {
                    let status = NetStatus::of(command);
                    if status.level.eq_ignore_ascii_case("error") || status.code == StatusCode::PlayStreamNotFound {
                        log.warning(&status.to_string());
                    }
                }
            }
            SessionEvent::Answer(answer) => log.debug(&format!("Answer {}", answer.transaction_id)),
            SessionEvent::CloseRequested => log.error("rtmp server requested close"),
        }
    }

    fn properties(&self, command: &Command) {
        command.arguments.iter().filter_map(|value| value.as_object()).for_each(|it| self.log.properties(it));
    }

    fn swf_request(&self, kind: u32) {
        match (self.answers_swf, kind) {
            (true, 0 | 1) => self.log.debug("The server asks for SWF verification"),
            (true, kind) => {
                self.log.warning(&format!("The server asks for SWF verification of type {kind}; answering by type 1"))
            }
            (false, _) => self.log.error("Ignoring SWFVerification request, use --swfVfy!"),
        }
    }

    fn status(&self, kind: StatusKind, status: &NetStatus) {
        self.log.debug(&format!("HandleInvoke, onStatus: {}", status.code));
        match kind {
            // Said at the end, with everything else that is wrong.
            StatusKind::Refused => {}
            _ if status.level == "error" || status.level == "warning" => self.log.warning(&status.to_string()),
            _ => {}
        }
    }
}

fn log_origin(found: &SwfHash, log: &Log) {
    match &found.origin {
        Origin::Fresh => log.debug("The SWF file was fetched"),
        Origin::Kept => log.debug("Using cached SWF hash"),
        Origin::Confirmed => log.debug("Using cached SWF hash: the file has not changed"),
        Origin::Stale { reason } => log.warning(&format!("{reason}; using cached SWF hash")),
    }
}

fn log_swf(proof: SwfVerification, log: &Log) {
    log.debug(&format!("SWFSHA256: {}", hex::encode(&proof.hash)));
    log.debug(&format!("SWFSize  : {}", proof.size));
}

/// A failed login, with what to do about it.
pub fn login_hint(error: &LoginError) -> String {
    match error {
        LoginError::NoUser => format!(
            "{error}: give them by --user NAME and --password-file FILE, RTMPCAT_USER and RTMPCAT_PASSWORD, or \
             rtmp://USER:PASSWORD@host"
        ),
        LoginError::NoPassword(_) => format!("{error}: give it by --password-file FILE or RTMPCAT_PASSWORD"),
        error => error.to_string(),
    }
}
