//! What is told about a session while it goes on.

use crate::cli::log::{Level, Log};
use crate::proto::command::NetStatus;
use crate::proto::session::{Note, StatusKind};
use crate::proto::wire::user_control;

use super::plan::Plan;
use super::verdict::describe;

/// What the plan came to, for those who look for a fault.
pub fn plan(log: &Log, plan: &Plan) {
    if !log.shows(Level::Debug) {
        return;
    }
    let target = &plan.target;
    let connect = &plan.session.connect;
    let yes = |truth: bool| if truth { "yes" } else { "no" };
    log.debug(&format!("Protocol : {}", target.scheme.name().to_uppercase()));
    log.debug(&format!("Hostname : {}", target.host));
    log.debug(&format!("Port     : {}", target.port));
    log.debug(&format!("Playpath : {}", target.playpath));
    log.debug(&format!("tcUrl    : {}", connect.tc_url));
    for (name, value) in [("swfUrl  ", &connect.swf_url), ("pageUrl ", &connect.page_url)] {
        if let Some(value) = value {
            log.debug(&format!("{name} : {value}"));
        }
    }
    log.debug(&format!("app      : {}", connect.app));
    log.debug(&format!("flashVer : {}", connect.flash_ver));
    log.debug(&format!("live     : {}", yes(plan.recorder.live)));
    log.debug(&format!("timeout  : {} sec", plan.timeouts.stall.map_or(0, |t| t.as_secs())));
}

/// An event of the session. `swf`: there is an answer to SWF verification.
pub fn note(log: &Log, note: &Note, swf: bool) {
    match note {
        Note::ConnectSent => log.info("Connected..."),
        Note::Connected(answer) => {
            log.debug("HandleInvoke, server invoking <_result>");
            answer.arguments.iter().filter_map(|v| v.as_object()).for_each(|object| log.properties(object));
        }
        Note::StreamCreated(id) => log.debug(&format!("Message stream {id}")),
        Note::PlaySent(_) => log.debug("Invoking play"),
        Note::StreamLength(seconds) => log.debug(&format!("Stream length: {seconds:.3} sec")),
        Note::Failed { command, status, answer } => {
            answer.arguments.iter().filter_map(|v| v.as_object()).for_each(|object| log.properties(object));
            if *command == "call" {
                log.warning(&format!("a call failed: {}", describe(status)));
            }
        }
        Note::Status(kind, status) => self::status(log, *kind, status),
        Note::UserControl(user_control::SWF_VERIFICATION_REQUEST, kind) => match (swf, kind) {
            (true, 0 | 1) => log.debug("The server asks for SWF verification"),
            (true, kind) => {
                log.warning(&format!("The server asks for SWF verification of type {kind}; answering by type 1"))
            }
            (false, _) => log.error("Ignoring SWFVerification request, use --swfVfy!"),
        },
        Note::UserControl(event, value) => log.debug(&format!("User control event {event}, {value}")),
        Note::Command(command) => {
            log.debug(&format!("HandleInvoke, server invoking <{}>", command.name));
            command.arguments.iter().filter_map(|v| v.as_object()).for_each(|object| log.properties(object));
        }
        Note::Answer(answer) => log.debug(&format!("Answer {}", answer.transaction_id)),
        Note::CloseRequested => log.error("rtmp server requested close"),
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
