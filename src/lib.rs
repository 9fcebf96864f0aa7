//! rtmpcat plays a live or on-demand stream from an RTMP server and saves it as FLV.
//!
//! # Architecture
//!
//! Sans-IO inside, one blocking loop outside:
//!
//! ```text
//! cli/ ──► client ──► transport/ ──► (std::net, rustls)
//!   │         │
//!   │         ▼
//!   ├──────► proto/  ◄── flv/recorder (message types, AMF and codec headers only)
//!   └──────► flv/
//! ```
//!
//! - [`proto`] is pure: bytes in, bytes and events out. Time and random bytes are arguments. Its files follow the table of
//!   contents of the RTMP 1.0 specification; "§" in any comment is a section of it.
//! - [`transport`] blocks and knows bytes, not RTMP: TCP, proxies, TLS, the HTTP tunnel.
//! - [`flv`] knows tags and files, not sockets. Its recorder asks [`flv::segmenter`] where a recording is cut into files;
//!   how they are called and what becomes of them is `cli/dump/segments`' affair.
//! - [`inspect`] says what is in a stream and what is wrong with it, whether it comes from a file or over the wire.
//! - [`capture`] makes packets for Wireshark of bytes, and messages of captured packets; it is as pure as `proto`.
//! - [`http`] reads the little of HTTP that tunnels have, for those who speak it and those who overhear it; pure, too.
//! - [`client`] holds the loop, the only reader and the only writer of a connection.
//! - [`url`] makes of a URL, librtmp's keys and the options what is to be connected to and played; of the others it
//!   knows only `proto`'s AMF 0 values, which `connect` can carry.
//! - [`swf`] fetches, unpacks and hashes the SWF file of a player, and remembers what came of it.
//! - [`serve`] is the other end, for demonstrations and tests; [`pattern`] draws what it shows where there is no file.
//! - [`cli`] is the only room that knows options, terminals and the names of files.
//!
//! Imports: `proto` uses nothing of the others; `transport` not `proto` or `flv`; `flv` not `transport`; `url` only
//! `proto`, `capture` that and `http`, which knows nobody; `serve` neither `client` nor `url`; nothing uses `cli`. `tests/architecture.rs` holds this.
//!
//! # One media message, socket → FLV tag
//!
//! The transport reads into the session's own buffer → `link` deciphers if RTMPE → `chunk` takes basic header, message
//! header and extended timestamp off and appends the data to that chunk stream's buffer (a message that lies whole in one
//! chunk stays where it is) → types 1, 2, 3, 5, 6 and pings are answered in `link` → `session` splits aggregates, takes
//! commands and statuses and hands audio, video and data up as [`proto::session::Event::Media`], payload lent → `cli/dump`
//! → `flv::recorder` (timeline, start and stop) → `flv::writer`, which puts 11 bytes before and 4 behind.
//!
//! # One command, option → bytes (`connect`)
//!
//! `cli/args` → [`url`] (every derived default is decided there) → `cli/dump/ways` (its scheme says TLS, tunnel and
//! cipher; the proxy) → [`proto::session::SessionConfig`] and [`transport::DialOptions`] → `Client::open` dials and draws
//! random bytes → the first write is C0 and C1; as soon as S1 is there C2 and connect go out together; the `_result` of the
//! pending transaction leads to createStream and play, in one write unless the strict order was asked for →
//! [`proto::session::SessionEvent`]s tell the caller.
//!
//! # Where building showed better than the first plan
//!
//! - There is no `netconnection` and `netstream` apart: both are a page each, and one state machine with one table of
//!   pending transactions (`session/dialogue.rs`) is easier to follow than two that hand events to one another.
//! - `poll` and `event` are two calls, not one that returns a borrowed event: what was polled stays readable while the
//!   caller decides, and the borrow ends where the caller lets go of it.
//! - Waiting is the caller's third call (`Client::wait`), so that everything due before a wait (flushing a pipe, the status
//!   line, limits) has one place.
#![forbid(unsafe_code)]

pub mod capture;
pub mod cli;
pub mod client;
pub mod error;
pub mod flv;
pub mod http;
pub mod inspect;
pub mod pattern;
pub mod proto;
pub mod serve;
pub mod swf;
pub mod transport;
pub mod url;
pub mod util;
