//! Options and events of the server.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::pattern::PatternOptions;
use crate::proto::server::{EndOfPlay, ServerOptions};
use crate::transport::{self, ServerTlsOptions};
use crate::util::text::os_words;

/// How fast files are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// In real time, ahead by the client's Set Buffer Length.
    #[default]
    Buffer,
    /// As fast as the client takes it.
    Fast,
}

/// What servers do about timestamps when they begin in the middle of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeekStyle {
    /// From the keyframe at or before the position; timestamps are positions in the stream.
    #[default]
    Absolute,
    /// From the keyframe at or before the position, which gets time 0 (old Flash Media Server).
    Relative,
    /// As nginx's rtmp module: with a list of keyframes in onMetaData from the first one at or after the position, as
    /// [`SeekStyle::Absolute`]; without one from the beginning of the file, every time shifted by the start.
    Nginx,
}

/// An address to listen on.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Address; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS with this certificate, or one made on the spot.
    pub tls: Option<ServerTlsOptions>,
    /// RTMPT: clients send HTTP requests.
    pub tunnel: bool,
    /// RTMFP: UDP, without TLS and tunnel.
    pub rtmfp: bool,
}

impl Listen {
    /// RTMP and RTMPE over plain TCP.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, tunnel: false, rtmfp: false }
    }

    /// RTMP over TLS.
    pub fn tls(address: SocketAddr, tls: ServerTlsOptions) -> Self {
        Self { tls: Some(tls), ..Self::plain(address) }
    }

    /// The URL scheme of this address.
    pub(super) fn scheme(&self) -> &'static str {
        match (self.tls.is_some(), self.tunnel) {
            _ if self.rtmfp => "rtmfp",
            (false, false) => "rtmp",
            (false, true) => "rtmpt",
            (true, false) => "rtmps",
            (true, true) => "rtmpts",
        }
    }
}

/// Receives log entries, from any thread.
pub type Log = Arc<dyn Fn(&LogEntry) + Send + Sync>;

/// How the server behaves. The default serves the test stream on a free port of 127.0.0.1.
#[derive(Clone)]
pub struct ServeOptions {
    /// Addresses to listen on.
    pub listen: Vec<Listen>,
    /// FLV files, and directories of them, to serve on demand.
    pub paths: Vec<PathBuf>,
    /// The live test stream.
    pub pattern: PatternOptions,
    /// How each session behaves.
    pub session: ServerOptions,
    /// Key of SecureToken; each connection gets a challenge of its own.
    pub secure_token: Option<String>,
    /// How fast files are sent.
    pub pace: Pace,
    /// Timestamps after a start in the middle of a file.
    pub seek_style: SeekStyle,
    /// Obey the length in `play`; some servers ignore it.
    pub honour_length: bool,
    /// Messages at the end of a file.
    pub ending: EndOfPlay,
    /// Messages at the end of a live stream; [`EndOfPlay::Complete`] becomes [`EndOfPlay::Unpublish`].
    pub live_ending: EndOfPlay,
    /// Close the connection when a stream has ended.
    pub close_at_end: bool,
    /// Close the connection after this many bytes of media: for tests of clients.
    pub cut_after_bytes: Option<u64>,
    /// Tell the client when its buffer is full, as Flash Media Server does (User Control event 31).
    pub buffer_notices: bool,
    /// Send no more than the window (`session.window`) ahead of the client's acknowledgements (§5.4.3), as some servers do.
    pub wait_for_acknowledgements: bool,
    /// Clients at a time; further ones are refused.
    pub max_clients: usize,
    /// Stop after this many clients have connected (their `connect` was accepted) and disconnected.
    pub stop_after: Option<usize>,
    /// Longest silence of a client that does not play, and longest time to `connect`.
    pub idle_timeout: Duration,
    /// Longest time for which a client may read nothing of what it is sent.
    pub write_timeout: Duration,
    /// Receives what happens.
    pub log: Option<Log>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: vec![Listen::plain(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))],
            paths: Vec::new(),
            pattern: PatternOptions::default(),
            session: ServerOptions::default(),
            secure_token: None,
            pace: Pace::default(),
            seek_style: SeekStyle::default(),
            honour_length: true,
            ending: EndOfPlay::Complete,
            live_ending: EndOfPlay::Unpublish,
            close_at_end: false,
            cut_after_bytes: None,
            buffer_notices: false,
            wait_for_acknowledgements: false,
            max_clients: 256,
            stop_after: None,
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            log: None,
        }
    }
}

impl fmt::Debug for ServeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeOptions").field("listen", &self.listen).field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// Something that happened. `Display` is one line for a log; text from clients is quoted.
#[derive(Debug)]
#[non_exhaustive]
pub enum LogEntry {
    /// `connect` was accepted.
    Connected {
        /// Address of the client.
        client: String,
        /// Application.
        app: String,
    },
    /// `connect` was refused.
    Refused {
        /// Address of the client.
        client: String,
        /// Code of the NetStatus that was sent.
        code: String,
        /// Description that was sent.
        description: String,
    },
    /// `play` was accepted.
    Playing {
        /// Address of the client.
        client: String,
        /// Stream name.
        name: String,
        /// The file; `None` is the test stream.
        file: Option<PathBuf>,
    },
    /// There is no stream of this name.
    NotFound {
        /// Address of the client.
        client: String,
        /// Stream name.
        name: String,
    },
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A stream was sent to its end.
    Ended {
        /// Address of the client.
        client: String,
        /// Stream name.
        name: String,
        /// Bytes of media.
        bytes: u64,
    },
    /// The connection is over.
    Disconnected {
        /// Address of the client.
        client: String,
        /// Why.
        reason: String,
        /// Bytes of media.
        media_bytes: u64,
        /// How long the connection lasted.
        after: Duration,
    },
    /// A client was refused because there are too many.
    Full {
        /// Address of the client.
        client: String,
    },
}

impl fmt::Display for LogEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogEntry::Connected { client, app } => write!(f, "{client} connected to {app:?}"),
            LogEntry::Refused { client, code, description } => write!(f, "{client} refused: {code}: {description}"),
            LogEntry::Playing { client, name, file: Some(file) } => {
                write!(f, "{client} plays {name:?} from {}", file.display())
            }
            LogEntry::Playing { client, name, file: None } => write!(f, "{client} plays {name:?} (test stream)"),
            LogEntry::NotFound { client, name } => write!(f, "{client} requested {name:?}: stream not found"),
            LogEntry::Unreadable { path, error } => write!(f, "cannot read {}: {}", path.display(), os_words(error)),
            LogEntry::Ended { client, name, bytes } => {
                write!(f, "{client} played {name:?} to the end ({bytes} bytes)")
            }
            LogEntry::Disconnected { client, reason, media_bytes, after } => {
                write!(f, "{client} disconnected after {:.1} s and {media_bytes} bytes: {reason}", after.as_secs_f64())
            }
            LogEntry::Full { client } => write!(f, "{client} refused: too many clients"),
        }
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A file or directory to serve cannot be read.
    #[error("cannot read {}: {}", path.display(), os_words(source))]
    Path {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file to serve is not an FLV file.
    #[error("{} is not an FLV file (convert it with: ffmpeg -i INPUT -c copy OUTPUT.flv)", path.display())]
    NotFlv {
        /// The file.
        path: PathBuf,
    },
    /// An address cannot be listened on, or its certificate cannot be used.
    #[error("cannot listen on {address}: {}", reason(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: transport::Error,
    },
    /// The system starts no thread.
    #[error("cannot start a thread: {}", os_words(.0))]
    Thread(io::Error),
}

/// Why, without the step: it is always listening.
fn reason(error: &transport::Error) -> String {
    match error {
        transport::Error::Io { source, .. } => os_words(source),
        transport::Error::Refused { reason, .. } => reason.clone(),
        error => error.to_string(),
    }
}
