//! rtmpcat records live and on-demand streams from RTMP servers as FLV: a program, and this library.
//!
//! ```
//! use rtmpcat::{Interrupt, Url, record, record::Sink};
//! # use rtmpcat::serve::{ServeOptions, Server};
//! # let server = Server::start(ServeOptions::default())?;
//! # let folder = tempfile::tempdir()?;
//! # let (address, file) = (server.url(), folder.path().join("out.flv"));
//! let url: Url = address.parse()?;
//! let options = record::Options { live: true, stop_ms: Some(500), ..record::Options::default() };
//! let outcome = rtmpcat::record(&url, Sink::file(&file), &options, &mut (), &Interrupt::default())?;
//! assert_eq!(outcome.verdict, record::Verdict::Complete);
//!
//! // What is in the file, and what is wrong with it.
//! let inspected = rtmpcat::inspect(std::fs::File::open(&file)?, |_tag| Ok(()))?;
//! assert_eq!((inspected.errors, inspected.stream.tracks.len()), (0, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`record()`] saves a stream, whatever happens: retry, stall, resume, segments. [`Connector`] and [`Client`] connect, and hand
//! over each message. [`inspect`](mod@inspect) describes FLV. Without the feature `cli` (on by default) there is no command line, and none of its
//! crates.
//!
//! # Architecture
//!
//! The protocol does no input or output; one blocking loop, [`Client`], does.
//!
//! ```text
//! cli ──► record ──► connect ──► transport ──► (std::net, rustls)
//!  │        │           │
//!  │        ▼           ▼
//!  ├─────► flv ──────► proto                 probe: beside record, on the same connect
//!  └─────► serve ────► transport, proto, flv
//! ```
//!
//! - [`proto`] is pure: bytes in, bytes and events out. Time and random bytes are arguments. Its files follow the table of
//!   contents of the RTMP 1.0 specification; "§" in any comment is a section of it.
//! - [`transport`] blocks and knows bytes, not RTMP: TCP, proxies, TLS, the HTTP tunnel, UDP. [`http`] reads the little of HTTP
//!   that tunnels have. [`rtmfp`] joins the protocol of that name, in `proto`, to the UDP sockets.
//! - [`url`](mod@url) makes of a URL, and of librtmp's keys, what is connected to and played. [`swf`] fetches, unpacks and hashes the SWF
//!   file of a player.
//! - [`connect`] leads from a URL to a session that plays: route, order of commands, redirects, login, what old servers need
//!   ([`Connector`]), and the only loop that reads and writes a connection ([`Client`]).
//! - [`flv`] knows tags and files, not sockets: timeline, index, recorder, reader, repair.
//! - [`record`](mod@record) is the product: what is received goes to a file, a pipe or segments until it is complete. Plain options in, events
//!   to one listener, an outcome back; no command line, no log text, no exit code.
//! - [`probe`] connects once, watches the stream, and judges the result by limits; its formats are in `cli/output/probe`.
//! - [`inspect`](mod@inspect) says what is in a stream and what is wrong with it, from a file or over the wire. [`capture`] makes packets for
//!   Wireshark of bytes, and messages of captured packets.
//! - [`serve`] is the other end, for demonstrations and tests; [`pattern`] draws what it shows where there is no file.
//! - `cli` is the only room that knows options, terminals and exit codes: `args` (clap) → `resolve` (args to the options of
//!   the rooms below: the only place that derives) → `commands` → `output` (listeners that write log lines, JSON events and
//!   progress).
//!
//! `tests/architecture.rs` has the table of which room may know which, and holds that no files import one another in a circle.
//!
//! # One media message, socket → FLV tag
//!
//! `transport` reads into the session's own buffer → `proto::link` deciphers if RTMPE → `proto::chunk` takes basic header,
//! message header and extended timestamp off and appends the data to that chunk stream's buffer (a message that lies whole in
//! one chunk stays where it is) → types 1, 2, 3, 5, 6 and pings are answered in `link` → `proto::session` splits aggregates,
//! takes commands and statuses and hands audio, video and data up, payload lent → `Client::poll` → `record::engine` (receive)
//! → `record::output` (tracks, resume) → `flv::recorder` (timeline, start and stop) → `flv::writer`, which puts 11 bytes
//! before and 4 after → `flv::sink`: straight to the file or pipe; a thread takes over once that has stood still.
//!
//! # To add …
//!
//! - **a record option**: a field in [`record::Options`] with its default, its effect in `record::engine` or `record::output`
//!   (between messages: `tick`; per message: `Output::take`), a line in `cli/args` and one in `cli/resolve`, a test in
//!   `tests/suite/dump`. Help, man page and completions follow from `cli/args` (`tests/all.sh` compares them).
//! - **something to tell the user**: a variant of [`record::Event`], the place that emits it, a line in
//!   `cli/output/record.rs` (log) or `cli/output/events.rs` (JSON).
//! - **a server's quirk in its answers**: what a status means is one table, `proto/session/dialogue.rs`; whether another
//!   connection helps (and how it is made differently) is `Connector::fallback` in `connect/connector.rs`; whether to try again
//!   later is `record/retry.rs`. The test plays the server's bytes: `tests/suite/dump/quirks.rs`.
//! - **a command that connects**: `cli/args`, a page in `cli/commands`, a room beside `record` on [`Connector`], a test.
//!
//! # Where building showed better than the first plan
//!
//! - There is no `netconnection` and `netstream` apart: both are a page each, and one state machine with one table of
//!   pending transactions (`session/dialogue.rs`) is easier to follow than two that hand events to one another.
//! - `poll` and `event` are two calls, not one that returns a borrowed event: what was polled stays readable while the
//!   caller decides, and the borrow ends where the caller lets go of it.
//! - Waiting is the caller's third call (`Client::wait`), so that everything due before a wait (flushing a pipe, the status
//!   line, limits) has one place.
//! - Connecting is an object, not a function: a recording has to see the session from its first byte (durations, statuses), so
//!   [`Connector`] offers `open` and `recover` to whoever drives the client, and `connect` to whoever does not.
#![forbid(unsafe_code)]

pub mod capture;
#[cfg(feature = "cli")]
pub mod cli;
pub mod connect;
pub mod flv;
pub mod http;
pub mod inspect;
pub mod pattern;
pub mod probe;
pub mod proto;
pub mod record;
pub mod rtmfp;
pub mod serve;
pub mod swf;
pub mod transport;
pub mod url;
pub mod util;

pub use self::url::Url;
pub use connect::{Client, Connector};
pub use inspect::file::inspect;
pub use record::record;
pub use transport::Interrupt;
