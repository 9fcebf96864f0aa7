//! What happens during a recording, as JSON events (`--events`).

use std::time::Duration;

use serde_json::json;

use crate::cli::events::{Events, seconds};
use crate::cli::exit::Code;
use crate::cli::json::from_amf0;
use crate::cli::log::Log;
use crate::proto::amf0::Value;
use crate::record::{EndReason, Event, Listener, Outcome, Retrying, SegmentEvent};
use crate::url::{Url, without_secrets};

/// Writes the events of a recording.
#[derive(Debug)]
pub struct RecordEvents {
    events: Events,
    /// Knows the secrets.
    log: Log,
}

impl RecordEvents {
    /// Events to `events`, with what `log` hides hidden.
    pub fn new(events: &Events, log: &Log) -> Self {
        Self { events: events.clone(), log: log.clone() }
    }

    fn hidden(&self, text: &str) -> String {
        self.log.secrets().hide(text).into_owned()
    }

    fn retry(&self, retrying: &Retrying<'_>) {
        let Retrying { reason, attempt, limit, delay, .. } = *retrying;
        let reason = self.hidden(&reason.to_string());
        self.events
            .emit("retry", || json!({"reason": reason, "attempt": attempt, "limit": limit, "delay": secs(delay)}));
    }

    fn connecting(&self, url: &Url, connection: u32) {
        let url = self.hidden(&without_secrets(&format!("{}/{}", url.tc_url, url.playpath)));
        self.events.emit("connecting", || json!({"url": url, "connection": connection}));
    }

    /// The end, with the exit code.
    pub fn end(&self, outcome: &Outcome, code: Code) {
        let (stats, gaps) = (&outcome.stats, &outcome.gaps);
        let reason = self.hidden(&outcome.end.to_string());
        self.events.emit("end", || {
            json!({
                "code": code as u8,
                "result": code.name(),
                "cause": cause(&outcome.end),
                "reason": reason,
                "bytes": stats.bytes,
                "at": seconds(stats.saved_ms.unwrap_or(stats.latest_ms).max(0) as u64),
                "video": stats.video,
                "audio": stats.audio,
                "gaps": gaps.count(),
                "lost": seconds(gaps.lost_ms()),
                "repeated": stats.repeated,
                "skipped": stats.skipped,
            })
        });
    }
}

impl Listener for RecordEvents {
    fn event(&mut self, event: Event<'_>) {
        let events = &self.events;
        if !events.is_on() {
            return;
        }
        match event {
            Event::Connecting { url, connection } => self.connecting(url, connection),
            Event::Connected { connection, address, after } => events.emit(
                "connected",
                || json!({"connection": connection, "address": address.to_string(), "seconds": secs(after)}),
            ),
            Event::Metadata(metadata) => {
                events.emit("metadata", || json!({"properties": from_amf0(&Value::Object(metadata.clone()))}))
            }
            Event::FirstMedia { connection, after } => {
                events.emit("first-media", || json!({"connection": connection, "seconds": secs(after)}));
            }
            Event::Keyframes(position) => events.emit("keyframes", || {
                json!({
                    "keyframes": position.keyframes,
                    "video": position.video,
                    "audio": position.audio,
                    "bytes": position.bytes,
                    "at": seconds(position.at_ms.max(0) as u64),
                })
            }),
            Event::Stalled(silence) => events.emit("stall", || json!({"seconds": secs(silence)})),
            Event::Resumed(silence) => events.emit("resumed", || json!({"seconds": secs(silence)})),
            Event::Retrying(retrying) => self.retry(&retrying),
            Event::ReconnectRequested(url) => {
                let url = self.hidden(&without_secrets(&url.tc_url));
                events.emit("reconnect", || json!({"url": url}));
            }
            Event::Gap(gap) => {
                let reason = self.hidden(&gap.reason);
                events.emit("gap", || {
                    json!({
                        "at": seconds(gap.at_ms),
                        "seconds": seconds(gap.lost_ms),
                        "attempts": gap.attempts,
                        "reason": reason,
                    })
                });
            }
            Event::Segment(SegmentEvent::Complete { file, segment }) => events.emit("segment", || {
                json!({
                    "file": file.to_string_lossy(),
                    "number": segment.number,
                    "at": seconds(segment.at_ms),
                    "seconds": seconds(segment.duration_ms),
                    "bytes": segment.bytes,
                })
            }),
            _ => {}
        }
    }
}

fn secs(duration: Duration) -> serde_json::Value {
    seconds(duration.as_millis() as u64)
}

/// An end in one word.
fn cause(end: &EndReason) -> &'static str {
    match end {
        EndReason::LimitReached => "limit",
        EndReason::Notice(_) => "notice",
        EndReason::Refused(_) => "refused",
        EndReason::CloseRequested => "close",
        EndReason::Broken(_) => "broken",
        EndReason::Output(_) => "output",
        EndReason::Unmatched(_) => "unmatched",
        EndReason::NoHeaders => "no-headers",
        EndReason::Signal => "signal",
    }
}
