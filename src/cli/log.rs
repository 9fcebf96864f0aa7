//! Words for the user, on standard error.
//!
//! Levelled messages are `LEVEL: text`, as rtmpdump's callers expect them. A message after a status line begins a new line.
//! Text from a server is made harmless before it gets here or is escaped on its way.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;

use crate::proto::amf0::{Object, Value};
use crate::util::text::printable;

use super::redact::Secrets;

/// How important a message is; also how much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing at all is shown (`-q`).
    Quiet,
    /// It does not go on.
    Error,
    /// It goes on, but.
    Warning,
    /// What a user wants to know.
    Info,
    /// What somebody who looks for a fault wants to know (`-V`).
    Debug,
    /// Everything (`-z`).
    All,
}

/// Writes messages. Clones share the terminal.
#[derive(Debug, Clone)]
pub struct Log {
    level: Level,
    /// A status line without its end stands on the terminal.
    in_status: Arc<AtomicBool>,
    secrets: Arc<Mutex<Secrets>>,
    /// The progress bar on the terminal, which messages go above.
    bar: Arc<Mutex<Option<ProgressBar>>>,
    /// Each message begins with the time.
    has_times: bool,
}

impl Log {
    /// A log that shows messages up to `level`.
    pub fn new(level: Level) -> Self {
        Self { level, in_status: Arc::default(), secrets: Arc::default(), bar: Arc::default(), has_times: false }
    }

    /// The same with the time before each message.
    pub fn with_times(self) -> Self {
        Self { has_times: true, ..self }
    }

    /// Messages go above this bar from now on; `None`: it is gone.
    pub fn set_bar(&self, bar: Option<ProgressBar>) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = bar;
    }

    /// What no message shows from here on.
    pub fn secrets(&self) -> MutexGuard<'_, Secrets> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether messages of that level are shown.
    pub fn shows(&self, level: Level) -> bool {
        level <= self.level
    }

    /// A levelled message. The text may be anything.
    pub fn say(&self, level: Level, text: &str) {
        let name = match level {
            Level::Quiet => return,
            Level::Error => "ERROR",
            Level::Warning => "WARNING",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::All => "DEBUG2",
        };
        if self.shows(level) {
            self.message(&format!("{name}: {}\n", printable(text)));
        }
    }

    /// A message with level ERROR.
    pub fn error(&self, text: &str) {
        self.say(Level::Error, text);
    }

    /// A message with level WARNING.
    pub fn warning(&self, text: &str) {
        self.say(Level::Warning, text);
    }

    /// A message with level INFO.
    pub fn info(&self, text: &str) {
        self.say(Level::Info, text);
    }

    /// A message with level DEBUG.
    pub fn debug(&self, text: &str) {
        self.say(Level::Debug, text);
    }

    /// Bytes in hexadecimal, sixteen a line, with level DEBUG2.
    pub fn hex(&self, bytes: &[u8]) {
        if !self.shows(Level::All) {
            return;
        }
        let mut text = String::with_capacity(bytes.len() * 5 + 80);
        for (number, line) in bytes.chunks(16).enumerate() {
            hex_line(&mut text, number * 16, line);
        }
        self.write(&text);
    }

    /// A line without a level, shown unless quiet.
    pub fn line(&self, text: &str) {
        if self.shows(Level::Info) {
            self.message(&format!("{}\n", printable(text)));
        }
    }

    /// A line that was asked for, shown even if quiet. It may go on in further lines; it must be harmless.
    pub fn packet(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// A status line: it overwrites the one before. Not made harmless: numbers only.
    pub fn status(&self, text: &str) {
        if self.shows(Level::Info) {
            // rtmpdump's callers look for the carriage return in front.
            let _ = write!(std::io::stderr(), "{text}");
            let _ = std::io::stderr().flush();
            self.in_status.store(true, Ordering::Relaxed);
        }
    }

    /// Ends a status line, if one stands there.
    pub fn end_status(&self) {
        if self.in_status.swap(false, Ordering::Relaxed) {
            let _ = writeln!(std::io::stderr());
        }
    }

    /// The properties of a value, one line each: rtmpdump's form, which its callers parse.
    pub fn properties(&self, object: &Object) {
        if self.shows(Level::Debug) {
            for (name, value) in object.properties.iter().take(MAX_LINES) {
                self.property(name, value, 0);
            }
        }
    }

    fn property(&self, name: &str, value: &Value, depth: usize) {
        let name: String = name.chars().take(18).collect();
        let shown = match value {
            Value::Number(number) => format!("NUMBER:\t{number:.2}"),
            Value::Boolean(truth) => format!("BOOLEAN:\t{}", if *truth { "TRUE" } else { "FALSE" }),
            Value::String(text) => format!("STRING:\t{}", printable(text)),
            Value::Date { time_ms, time_zone_min } => {
                format!("DATE:\ttimestamp: {time_ms:.2}, UTC offset: {time_zone_min}")
            }
            Value::Null => "NULL".to_owned(),
            Value::Undefined => "UNDEFINED".to_owned(),
            value => match value.as_object() {
                Some(object) if depth < MAX_NESTING => {
                    self.message(&format!("DEBUG: Property: <Name: {:>18}, OBJECT>\n", printable(&name)));
                    for (name, value) in object.properties.iter().take(MAX_LINES) {
                        self.property(name, value, depth + 1);
                    }
                    return;
                }
                _ => printable(&value.describe()),
            },
        };
        self.message(&format!("DEBUG: Property: <Name: {:>18}, {shown}>\n", printable(&name)));
    }

    /// Metadata, as rtmpdump shows it.
    pub fn metadata(&self, object: &Object) {
        if self.shows(Level::Info) {
            self.message("INFO: Metadata:\n");
            self.metadata_lines(object, 0);
        }
    }

    fn metadata_lines(&self, object: &Object, depth: usize) {
        for (name, value) in object.properties.iter().take(MAX_LINES) {
            let name = printable(&name.chars().take(22).collect::<String>());
            let shown = match value {
                Value::Number(number) => format!("{number:.2}"),
                Value::Boolean(truth) => (if *truth { "TRUE" } else { "FALSE" }).to_owned(),
                // Some publishers pad with NUL.
                Value::String(text) => printable(&text.trim_end_matches('\0').chars().take(256).collect::<String>()),
                Value::Date { time_ms, .. } => format!("timestamp:{time_ms:.2}"),
                value => match value.as_object() {
                    Some(object) if depth < MAX_NESTING => {
                        self.message(&format!("INFO: {name}:\n"));
                        self.metadata_lines(object, depth + 1);
                        continue;
                    }
                    _ => continue,
                },
            };
            self.message(&format!("INFO:   {name:<22}{shown}\n"));
        }
    }

    fn message(&self, text: &str) {
        if self.has_times {
            self.write(&format!("{:.0} {text}", jiff::Timestamp::now()));
        } else {
            self.write(text);
        }
    }

    fn write(&self, text: &str) {
        self.end_status();
        // Where a server sends on to is not a message but data: programs that call this one connect there.
        let is_data = text.contains(REDIRECT_PROPERTY);
        let secrets = self.secrets();
        let shown = if is_data { text.into() } else { secrets.hide(text) };
        // Standard error may be closed.
        let write = || drop(std::io::stderr().write_all(shown.as_bytes()));
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

/// `DEBUG2:   0010:  03 00 03 61 70 70 02 00  03 76 6f 64 00 04 66 6c   ...app...vod..fl`
fn hex_line(text: &mut String, at: usize, bytes: &[u8]) {
    let _ = write!(text, "DEBUG2:   {at:04x}:  ");
    for place in 0..16 {
        match bytes.get(place) {
            Some(byte) => drop(write!(text, "{byte:02x} ")),
            None => text.push_str("   "),
        }
        if place == 7 {
            text.push(' ');
        }
    }
    text.push_str("  ");
    text.extend(bytes.iter().map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' }));
    text.push('\n');
}

/// Beginning of the line that callers look for to follow a redirect by themselves.
const REDIRECT_PROPERTY: &str = "DEBUG: Property: <Name:           redirect, STRING:";

/// Objects inside one another that are shown.
const MAX_NESTING: usize = 4;

/// Properties of one object that are shown.
const MAX_LINES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_lines_are_rtmpdumps() {
        let mut text = String::new();
        hex_line(&mut text, 0x10, b"\x03\0\x03app\x02\0\x03vod\0\x04fl");
        hex_line(&mut text, 0x20, &[0xc3]);
        let expected = "DEBUG2:   0010:  03 00 03 61 70 70 02 00  03 76 6f 64 00 04 66 6c   ...app...vod..fl\n\
                        DEBUG2:   0020:  c3                                                 .\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn levels_are_ordered() {
        assert!(Log::new(Level::Debug).shows(Level::Info));
        assert!(!Log::new(Level::Quiet).shows(Level::Error));
    }
}
