//! `rtmpcat trace FILE`: a capture back into a list of messages.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::capture::connections::Connections;
use crate::capture::conversation::{Seen, Why};
use crate::capture::event::Event;
use crate::capture::segment;
use crate::capture::{Direction, file};
use crate::cli::args::TraceFileArgs;
use crate::cli::exit::Code;

use crate::cli::trace::Shower;
use crate::util::text::os_words;

/// Prints the messages of a capture.
pub fn run(args: &TraceFileArgs) -> Code {
    let mut reading = Reading::new(args);
    let result = reading.read();
    match result {
        Ok(()) => reading.code(),
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Code::Complete,
        Err(Failure::Output(error)) => {
            complain(&format!("cannot write to standard output: {}", os_words(&error)), Code::Failed)
        }
        Err(Failure::Input(reason)) => {
            let code = if reading.messages > 0 { Code::Incomplete } else { Code::Failed };
            complain(&format!("{}: {reason}", args.file.display()), code)
        }
    }
}

enum Failure {
    Input(String),
    Output(std::io::Error),
}

struct Reading<'a> {
    args: &'a TraceFileArgs,
    shower: Shower,
    connections: Connections,
    /// When the first packet was captured.
    began: Option<Duration>,
    /// Lines that are to be written.
    out: String,
    messages: u64,
    /// Something cannot be read that should be.
    is_damaged: bool,
    /// Link types that nothing is known of.
    unknown_links: BTreeSet<u32>,
}

impl<'a> Reading<'a> {
    fn new(args: &'a TraceFileArgs) -> Self {
        Self {
            args,
            shower: Shower::new(args.debug),
            connections: Connections::default(),
            began: None,
            out: String::new(),
            messages: 0,
            is_damaged: false,
            unknown_links: BTreeSet::new(),
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let mut source: Box<dyn Read> = if self.args.file.as_os_str() == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(&self.args.file).map_err(|error| Failure::Input(os_words(&error)))?)
        };
        let mut file = file::File::default();
        let mut buffer = vec![0; READ];
        self.out = format!("{}\n", Shower::head(true));
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Failure::Input(os_words(&error))),
            };
            let fed = file.feed(buffer.get(..count).unwrap_or_default(), |packet| self.packet(&packet));
            self.write()?;
            fed.map_err(|error| Failure::Input(error.to_string()))?;
        }
        let time = Duration::ZERO;
        let mut connections = std::mem::take(&mut self.connections);
        connections.finish(|number, event| self.event(time, number, &event));
        self.write()?;
        file.finish().map_err(|error| Failure::Input(error.to_string()))
    }

    fn packet(&mut self, packet: &file::Packet<'_>) {
        let began = *self.began.get_or_insert(packet.time);
        if !segment::is_known_link(packet.link_type) {
            self.unknown_links.insert(packet.link_type);
            return;
        }
        let Some(segment) = segment::parse(packet.link_type, packet.frame) else { return };
        let time = packet.time.saturating_sub(began);
        let mut connections = std::mem::take(&mut self.connections);
        connections.push(&segment, |number, event| self.event(time, number, &event));
        self.connections = connections;
    }

    fn event(&mut self, time: Duration, number: u32, event: &Event<'_>) {
        if self.args.connection.is_some_and(|only| only != number) {
            return;
        }
        match event {
            Event::Opened { client, server } => {
                self.say(time, number, &format!("{} > {}", shown(client), shown(server)))
            }
            Event::Closed => self.say(time, number, "closed"),
            Event::Lost(from, bytes) => {
                self.is_damaged = true;
                let who = if *from == Direction::Client { "client" } else { "server" };
                let text = format!(
                    "{bytes} bytes of the {who} are not in the capture: nothing of it can be read from there on"
                );
                self.say(time, number, &text);
            }
            Event::Said(from, seen) => {
                match seen {
                    Seen::Message(message) => {
                        self.messages += 1;
                        if self.args.no_media && matches!(message.header.message_type_id, 8 | 9 | 22) {
                            return;
                        }
                    }
                    Seen::Broken(Why::Framing(_) | Why::Http(_)) => self.is_damaged = true,
                    _ => {}
                }
                let line = self.shower.line(time, Some(number), *from, seen);
                self.out.push_str(&line);
                self.out.push('\n');
            }
        }
    }

    fn say(&mut self, time: Duration, number: u32, text: &str) {
        self.out.push_str(&format!("{:>11.6} {number:>5} - {text}\n", time.as_secs_f64()));
    }

    fn write(&mut self) -> Result<(), Failure> {
        let out = std::mem::take(&mut self.out);
        std::io::stdout().write_all(out.as_bytes()).map_err(Failure::Output)
    }

    /// The file was read to its end.
    fn code(&self) -> Code {
        for link in &self.unknown_links {
            complain(&format!("unsupported link type {link}"), Code::Complete);
        }
        match self.messages {
            0 => complain("no RTMP found in capture", Code::Failed),
            _ if self.is_damaged => Code::Incomplete,
            _ => Code::Complete,
        }
    }
}

fn shown(address: &SocketAddr) -> String {
    address.to_string()
}

fn complain(text: &str, code: Code) -> Code {
    let _ = writeln!(std::io::stderr(), "{}: {text}", if code == Code::Complete { "WARNING" } else { "ERROR" });
    code
}

/// Bytes that are read at a time.
const READ: usize = 256 << 10;
