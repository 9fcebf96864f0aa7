//! What is told about a session while it goes on.

use crate::cli::log::{Level, Log};
use crate::flv::index::is_ours;
use crate::flv::recorder::Existing;
use crate::flv::script;
use crate::proto::command::NetStatus;
use crate::proto::link::user_control;
use crate::proto::session::{SessionEvent, StatusKind};
use crate::proto::status::{CommandKind, StatusCode};

use super::plan::Plan;
use super::verdict::describe;
use crate::url::without_secrets;

/// What the plan came to, for those who look for a fault.
pub fn plan(log: &Log, plan: &Plan) {
    if !log.shows(Level::Debug) {
        return;
    }
    let target = &plan.target;
    let connect = &plan.session.connect;
    let play = plan.session.play.as_ref();
    let yes = |truth: bool| if truth { "yes" } else { "no" };
    log.debug("Parsing...");
    log.debug(&format!("Parsed protocol: {}", target.scheme.number()));
    log.debug(&format!("Parsed host    : {}", target.host));
    log.debug(&format!("Parsed app     : {}", target.app));
    let field = |name: &str, value: &str| log.debug(&format!("{name:<9}: {value}"));
    field("Protocol", &target.scheme.name().to_uppercase());
    field("Hostname", &target.host);
    field("Port", &target.port.to_string());
    field("Playpath", &target.playpath);
    field("tcUrl", &without_secrets(&connect.tc_url));
    for (name, value) in [("swfUrl", &connect.swf_url), ("pageUrl", &connect.page_url)] {
        if let Some(value) = value {
            field(name, &without_secrets(value));
        }
    }
    field("app", &connect.app);
    // That it is there helps to find a fault; what it is does not belong into a log that is shown around.
    if connect.auth.is_some() {
        field("auth", SECRET);
    }
    if let Some(name) = play.and_then(|play| play.subscribe.as_deref()).filter(|name| *name != target.playpath) {
        log.debug(&format!("subscribepath : {name}"));
    }
    if plan.session.usher_token.is_some() {
        log.debug(&format!("NetStream.Authenticate.UsherToken : {SECRET}"));
    }
    field("flashVer", &connect.flash_ver);
    if plan.start_ms > 0 {
        log.debug(&format!("StartTime     : {} msec", plan.start_ms));
    }
    if let Some(stop_ms) = plan.stop_ms {
        log.debug(&format!("StopTime      : {stop_ms} msec"));
    }
    field("live", yes(plan.recorder.live));
    log.debug(&format!("timeout  : {} sec", plan.timeouts.stall.map_or(0, |t| t.as_secs())));
    log.debug(&format!("Setting buffer time to: {}ms", play.map_or(0, |play| play.buffer_ms)));
}

/// What is said when the server begins to play.
pub fn opening(plan: &Plan, existing: Option<&Existing>) -> Vec<String> {
    let mut lines = vec![match existing {
        Some(existing) => resuming(existing),
        None if plan.recorder.live => "Starting Live Stream".to_owned(),
        None => "Starting download at: 0.000 kB".to_owned(),
    }];
    if plan.realtime {
        lines.push("  in approximately realtime (disabled BUFX speedup hack)".to_owned());
    }
    if let Some(stop_ms) = plan.stop_ms {
        let seconds = stop_ms.saturating_sub(plan.start_ms) as f64 / 1000.0;
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

/// An event of the session. `swf`: there is an answer to SWF verification.
pub fn note(log: &Log, note: &SessionEvent, swf: bool) {
    match note {
        SessionEvent::ConnectSent => log.info("Connected..."),
        SessionEvent::Connected(answer) => {
            log.debug("HandleInvoke, server invoking <_result>");
            answer.arguments.iter().filter_map(|v| v.as_object()).for_each(|object| log.properties(object));
        }
        SessionEvent::StreamCreated(id) => log.debug(&format!("Message stream {id}")),
        SessionEvent::PlaySent(_) => log.debug("Invoking play"),
        SessionEvent::StreamLength(seconds) => log.debug(&format!("Stream length: {seconds:.3} sec")),
        SessionEvent::Failed { command, status, answer } => {
            answer.arguments.iter().filter_map(|v| v.as_object()).for_each(|object| log.properties(object));
            if *command == CommandKind::Other {
                log.warning(&format!("a call failed: {}", describe(status)));
            }
        }
        SessionEvent::Status(kind, status) => self::status(log, *kind, status),
        SessionEvent::UserControl(user_control::SWF_VERIFICATION_REQUEST, kind) => match (swf, kind) {
            (true, 0 | 1) => log.debug("The server asks for SWF verification"),
            (true, kind) => {
                log.warning(&format!("The server asks for SWF verification of type {kind}; answering by type 1"))
            }
            (false, _) => log.error("Ignoring SWFVerification request, use --swfVfy!"),
        },
        SessionEvent::UserControl(event, value) => log.debug(&format!("User control event {event}, {value}")),
        SessionEvent::Command(command) => {
            log.debug(&format!("HandleInvoke, server invoking <{}>", command.name));
            command.arguments.iter().filter_map(|v| v.as_object()).for_each(|object| log.properties(object));
            if command.kind() == CommandKind::OnFcSubscribe {
                let status = NetStatus::of(command);
                if status.is_error() || status.code == StatusCode::PlayStreamNotFound {
                    log.warning(&describe(&status));
                }
            }
        }
        SessionEvent::Answer(answer) => log.debug(&format!("Answer {}", answer.transaction_id)),
        SessionEvent::CloseRequested => log.error("rtmp server requested close"),
    }
}

fn status(log: &Log, kind: StatusKind, status: &NetStatus) {
    log.debug(&format!("HandleInvoke, onStatus: {}", status.code));
    match kind {
        // Said at the end, with everything else that is wrong.
        StatusKind::Refused => {}
        _ if status.level == "error" || status.level == "warning" => log.warning(&describe(status)),
        _ => {}
    }
}

/// In place of a secret.
const SECRET: &str = "***";
