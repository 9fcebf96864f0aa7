//! What happens, as lines of JSON (`--events`): one object a line, written at once, for programs that watch a recording.
//!
//! Each object begins with the same three names; what follows depends on the first. Names are never taken away and never
//! change their meaning; new names and new events may come, and are to be passed over by who does not know them. Times in the
//! media (`at`) are seconds on the output's own line of time; all other times are seconds as well. What is not known is left
//! out.
//!
//! ```text
//! event         what it is, from the list below
//! time          when, in UTC: 2025-01-31T23:59:59.123Z
//! elapsed       the same in seconds since the program began
//!
//! connecting    url, connection: which one it is, from 1
//! connected     connection, address: of the server (or proxy), seconds: since "connecting". connect was accepted
//! metadata      properties: of the server's onMetaData; AMF values as `rtmpcat call` shows them
//! first-media   connection, seconds: since "connecting"
//! keyframes     keyframes, video, audio: tags written so far; bytes: of the output; at. Behind a keyframe, once a second
//! stall         seconds: no media for so long, though the connection stands
//! resumed       seconds: how long the stall was
//! retry         reason, attempt: from 1; limit: of attempts; delay: seconds until it begins
//! reconnect     url: where the server asked to be connected to instead
//! gap           at: where the output goes on; seconds: without media; attempts, reason
//! segment       file, number: from 1; at: where it begins; seconds: its length; bytes. It is complete and has its name
//! end           code: the exit code; result: "complete", "failed", "incomplete" or "no-session"; cause: "limit", "notice",
//!               "refused", "close", "broken", "unmatched", "no-headers", "output" or "signal"; reason: in words; bytes; at: of the last frame;
//!               video, audio: tags; gaps: how many; lost: seconds in them; repeated, skipped: tags that were left out
//! ```

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value};

use super::json::one_line;

/// Where events go. Clones share it; without a listener nothing is done at all.
#[derive(Clone, Default)]
pub struct Events(Option<Arc<Mutex<Sink>>>);

struct Sink {
    began: Instant,
    /// None: the listener has gone.
    output: Option<File>,
}

impl Events {
    /// Opens what `--events` names: a file, which is made or emptied; the number of an open file descriptor; `-`, which is
    /// standard output and only good where `media_on_stdout` is false.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    pub fn open(to: &Path, media_on_stdout: bool) -> Result<Self, String> {
        let failed = |error: io::Error| format!("--events {}: {error}", to.display());
        let text = to.to_string_lossy();
        let output = if text == "-" {
            if media_on_stdout {
                return Err("--events -: the media goes to standard output; give it a file (-o)".to_owned());
            }
            crate::flv::sink::raw_stdout().map_err(failed)?
        } else if text.chars().all(|digit| digit.is_ascii_digit()) {
            // Reopened, at the end of what is there: unsafe code would be needed to take it over.
            File::options().append(true).open(format!("/dev/fd/{text}")).map_err(failed)?
        } else {
            File::create(to).map_err(failed)?
        };
        Ok(Self(Some(Arc::new(Mutex::new(Sink { began: Instant::now(), output: Some(output) })))))
    }

    /// Tells what happened. `fields` makes an object (`json!({…})`); it is not called without a listener.
    pub fn emit(&self, event: &str, fields: impl FnOnce() -> Value) {
        let Some(sink) = &self.0 else { return };
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(output) = &sink.output else { return };
        let line = line(event, sink.began.elapsed().as_millis() as u64, fields());
        let mut output: &File = output;
        // One write a line. A listener that has gone is no reason to stop recording.
        if output.write_all(line.as_bytes()).is_err() {
            sink.output = None;
        }
    }

    /// Whether somebody listens.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Events({})", self.is_on())
    }
}

/// Milliseconds as seconds.
pub fn seconds(ms: u64) -> Value {
    (ms as f64 / 1000.0).into()
}

fn line(event: &str, elapsed_ms: u64, fields: Value) -> String {
    let mut map = Map::new();
    map.insert("event".to_owned(), event.into());
    map.insert("time".to_owned(), format!("{:.3}", jiff::Timestamp::now()).into());
    map.insert("elapsed".to_owned(), seconds(elapsed_ms));
    if let Value::Object(fields) = fields {
        map.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
    format!("{}\n", one_line(&Value::Object(map)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_is_an_object_with_three_names_first() {
        let line = line("gap", 1500, json!({"at": 2.5, "reason": "a\n\"b\"", "limit": null}));
        let (head, rest) = line.split_once("\"time\":\"").unwrap();
        assert_eq!(head, "{\"event\":\"gap\",");
        let (time, rest) = rest.split_once('"').unwrap();
        assert!(time.len() == 24 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
        assert_eq!(rest, ",\"elapsed\":1.5,\"at\":2.5,\"reason\":\"a\\n\\\"b\\\"\"}\n");
    }

    #[test]
    fn a_file_gets_each_event_at_once_and_silence_costs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let events = Events::open(&path, true).unwrap();
        events.emit("stall", || json!({"seconds": 3.0}));
        events.clone().emit("resumed", || json!({}));
        let text = std::fs::read_to_string(&path).unwrap();
        let names: Vec<Value> =
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone()).collect();
        assert_eq!(names, ["stall", "resumed"]);
        Events::default().emit("end", || unreachable!());
        assert!(Events::open(Path::new("-"), true).unwrap_err().contains("standard output"));
        assert!(Events::open(Path::new("/nowhere/at/all"), false).is_err());
    }

    #[test]
    fn a_listener_who_goes_ends_nothing() {
        let full = Events::open(Path::new("/dev/full"), false).unwrap();
        full.emit("end", || json!({}));
        full.emit("end", || unreachable!());
    }
}
