//! A small RTMP server for tests and demos: FLV files on demand and a live test pattern, one thread a client.
//!
//! ```text
//! accept ─► thread: Player = ServerSession (proto) + ServerStream (transport) + sources (files, pattern)
//! ```
//!
//! It blocks and it knows the clock; the protocol is in `proto::server`. It takes no streams from publishers.

mod catalogue;
mod file;
mod player;
mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, Phase};
use crate::pattern::PatternOptions;
use crate::proto::server::{EndOfPlay, ServerOptions};
use crate::transport::listen::{ListenOptions, Listener};
use crate::transport::{Interrupt, ServerTlsOptions};
use crate::util::percent::{self, AsciiSet, RESERVED};

pub use catalogue::Catalogue;
pub use file::Index;
pub use source::SeekStyle;

use player::Player;

/// How fast files are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// In real time, ahead by the client's Set Buffer Length.
    #[default]
    Buffer,
    /// As fast as the client takes it.
    Fast,
}

/// An address to listen on.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Address; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS with this certificate, or one made on the spot.
    pub tls: Option<ServerTlsOptions>,
    /// RTMPT: clients come with HTTP requests.
    pub tunnel: bool,
}

impl Listen {
    /// RTMP (and RTMPE) over TCP as it is.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, tunnel: false }
    }

    /// RTMP over TLS.
    pub fn tls(address: SocketAddr, tls: ServerTlsOptions) -> Self {
        Self { address, tls: Some(tls), tunnel: false }
    }

    /// The URL scheme that is spoken there.
    fn scheme(&self) -> &'static str {
        match (self.tls.is_some(), self.tunnel) {
            (false, false) => "rtmp",
            (false, true) => "rtmpt",
            (true, false) => "rtmps",
            (true, true) => "rtmpts",
        }
    }

    fn bind(&self, write_timeout: Duration, stop: &Interrupt) -> Result<Listener, Error> {
        let options = ListenOptions { tls: self.tls.clone(), tunnel: self.tunnel, write_timeout };
        Listener::bind(self.address, &options, stop).map_err(|e| Error::at(Phase::Connect, e))
    }
}

/// Takes reports, from any thread.
pub type Log = Arc<dyn Fn(&Report) + Send + Sync>;

/// How the server behaves. The default serves the test pattern on a free port of 127.0.0.1.
#[derive(Clone)]
pub struct ServeOptions {
    /// Where to listen, and what to speak there.
    pub listen: Vec<Listen>,
    /// Files and directories to offer on demand.
    pub paths: Vec<PathBuf>,
    /// The test pattern.
    pub pattern: PatternOptions,
    /// The protocol's side.
    pub session: ServerOptions,
    /// How fast files are sent.
    pub pace: Pace,
    /// What happens to timestamps when a file is begun in its middle.
    pub seek_style: SeekStyle,
    /// Whether `play`'s length counts; some servers ignore it.
    pub honour_length: bool,
    /// What is said at the end of a file.
    pub ending: EndOfPlay,
    /// What is said at the end of a live stream; [`EndOfPlay::Complete`] becomes [`EndOfPlay::Unpublish`].
    pub live_ending: EndOfPlay,
    /// Close the connection when a stream has ended.
    pub close_at_end: bool,
    /// Break the connection after so many bytes of media: for tests of clients.
    pub cut_after_bytes: Option<u64>,
    /// Tell the client when its buffer is full, as Flash Media Server does (User Control event 31).
    pub buffer_notices: bool,
    /// Send no more than the window (`session.window`) ahead of the client's acknowledgements (§5.4.3), as some servers do.
    pub wait_for_acknowledgements: bool,
    /// Clients at a time; more are turned away.
    pub max_clients: usize,
    /// Stop after so many connections have come and gone.
    pub stop_after: Option<usize>,
    /// How long a client that does not play may say nothing, and how long it may take to connect.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of what it is sent.
    pub write_timeout: Duration,
    /// Told what happens.
    pub log: Option<Log>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            listen: vec![Listen::plain(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))],
            paths: Vec::new(),
            pattern: PatternOptions::default(),
            session: ServerOptions::default(),
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
pub enum Report {
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
        /// What it was told.
        code: String,
        /// What it was told.
        description: String,
    },
    /// `play` was accepted.
    Plays {
        /// Address of the client.
        client: String,
        /// Stream name.
        name: String,
        /// The file; `None` is the test pattern.
        file: Option<PathBuf>,
    },
    /// There is no such stream.
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
        /// What the system said.
        error: io::Error,
    },
    /// A stream has come to its end.
    Ended {
        /// Address of the client.
        client: String,
        /// Stream name.
        name: String,
        /// Bytes of media.
        bytes: u64,
    },
    /// The connection is over.
    Gone {
        /// Address of the client.
        client: String,
        /// Why.
        reason: String,
        /// Bytes of media.
        media_bytes: u64,
        /// How long it was there.
        after: Duration,
    },
    /// There are too many clients.
    Full {
        /// Address of the client that was turned away.
        client: String,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::Connected { client, app } => write!(f, "{client} connected to {app:?}"),
            Report::Refused { client, code, description } => write!(f, "{client} refused: {code}: {description}"),
            Report::Plays { client, name, file: Some(file) } => {
                write!(f, "{client} plays {name:?} from {}", file.display())
            }
            Report::Plays { client, name, file: None } => write!(f, "{client} plays {name:?}, the test pattern"),
            Report::NotFound { client, name } => write!(f, "{client} asked for {name:?}, which is not there"),
            Report::Unreadable { path, error } => write!(f, "{}: {error}", path.display()),
            Report::Ended { client, name, bytes } => write!(f, "{client} has got {name:?} to its end, {bytes} bytes"),
            Report::Gone { client, reason, media_bytes, after } => {
                write!(f, "{client} gone after {:.1} s and {media_bytes} bytes: {reason}", after.as_secs_f64())
            }
            Report::Full { client } => write!(f, "{client} turned away: too many clients"),
        }
    }
}

/// A server that runs in threads of its own until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    doors: Vec<Door>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Where clients come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The URL scheme that is spoken there. RTMPE is accepted wherever RTMP is, tunnels included.
    pub scheme: &'static str,
    /// The address with the real port.
    pub address: SocketAddr,
    /// The certificate that was made for it, as PEM: what a client has to trust.
    pub certificate: Option<String>,
}

impl Server {
    /// Listens and serves.
    ///
    /// # Errors
    /// An address cannot be listened on, a certificate cannot be used, or a path cannot be read.
    pub fn start(options: ServeOptions) -> Result<Self, Error> {
        let io = |source| Error::Io { phase: Phase::Connect, source };
        let catalogue = Catalogue::new(&options.paths).map_err(io)?;
        let stop = Interrupt::default();
        let listeners: Vec<Listener> =
            options.listen.iter().map(|listen| listen.bind(options.write_timeout, &stop)).collect::<Result<_, _>>()?;
        let doors = options.listen.iter().zip(&listeners).map(|(listen, listener)| Door {
            scheme: listen.scheme(),
            address: listener.local_addr(),
            certificate: listener.made_certificate().map(str::to_owned),
        });
        let doors = doors.collect();
        let shared = Arc::new(Shared {
            options,
            catalogue,
            began: Instant::now(),
            stop,
            taken: AtomicUsize::new(0),
            clients: AtomicUsize::new(0),
            indexes: Mutex::default(),
        });
        // Made before the threads: if one cannot be started, dropping this stops the others.
        let mut server = Self { doors, shared, threads: Vec::new() };
        for listener in listeners {
            let shared = server.shared.clone();
            let thread = std::thread::Builder::new().name("serve".to_owned());
            server.threads.push(thread.spawn(move || shared.accept(listener)).map_err(io)?);
        }
        Ok(server)
    }

    /// The first address that is listened on.
    pub fn addr(&self) -> SocketAddr {
        self.doors.first().map_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0), |door| door.address)
    }

    /// Where clients come in, in the order of [`ServeOptions::listen`].
    pub fn doors(&self) -> &[Door] {
        &self.doors
    }

    /// A URL to play: that of the first file, or of the test pattern.
    pub fn url(&self) -> String {
        self.urls().into_iter().next().unwrap_or_default()
    }

    /// URLs to play: of each single file, and of the test pattern, at every door.
    pub fn urls(&self) -> Vec<String> {
        let at = |door: &Door| {
            let base = format!("{}://{}", door.scheme, door.address);
            let names = self.shared.catalogue.names().map(|name| format!("vod/{}", escaped(&name)));
            names.chain(["live/test".to_owned()]).map(move |path| format!("{base}/{path}")).collect::<Vec<_>>()
        };
        self.doors.iter().flat_map(at).collect()
    }

    /// Milliseconds since the live stream began.
    pub fn stream_time_ms(&self) -> u64 {
        self.shared.stream_time_ms()
    }

    /// Clients that are connected.
    pub fn clients(&self) -> usize {
        self.shared.clients.load(Ordering::Relaxed)
    }

    /// Whether it has stopped by itself ([`ServeOptions::stop_after`]).
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Stops listening, ends all connections and waits for it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop.raise();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What all clients' threads use.
struct Shared {
    options: ServeOptions,
    catalogue: Catalogue,
    began: Instant,
    stop: Interrupt,
    /// Connections so far, over all doors.
    taken: AtomicUsize,
    clients: AtomicUsize,
    indexes: Mutex<HashMap<PathBuf, Indexed>>,
}

/// An index, and the state of the file that it was made from.
#[derive(Debug)]
struct Indexed {
    length: u64,
    modified: Option<SystemTime>,
    index: Arc<Index>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Shared {
    fn stream_time_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Whether a name that no file has means the test pattern: always where there are no files.
    fn is_live(&self, app: &str, name: &str) -> bool {
        self.catalogue.is_empty() || app.split('/').next() == Some("live") || name.starts_with("live/")
    }

    fn index(&self, path: &Path) -> io::Result<Arc<Index>> {
        let metadata = std::fs::metadata(path)?;
        let (length, modified) = (metadata.len(), metadata.modified().ok());
        let known = self.indexes.lock().unwrap_or_else(PoisonError::into_inner).get(path).and_then(|indexed| {
            (indexed.length == length && indexed.modified == modified).then(|| indexed.index.clone())
        });
        if let Some(index) = known {
            return Ok(index);
        }
        let index = Index::of(path)?;
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if indexes.len() >= MAX_INDEXES {
            indexes.clear();
        }
        indexes.insert(path.to_owned(), Indexed { length, modified, index: index.clone() });
        Ok(index)
    }

    /// Takes clients, a thread each, until it is to stop; then waits for them to be gone.
    fn accept(self: Arc<Self>, listener: Listener) {
        let mut threads: Vec<JoinHandle<()>> = Vec::new();
        while !self.stop.is_set() && !self.has_had_all() {
            let stream = listener.accept(Instant::now() + ACCEPT_WAIT);
            threads.retain(|thread| !thread.is_finished());
            let Some(stream) = stream else { continue };
            if self.clients.load(Ordering::Relaxed) >= self.options.max_clients {
                self.report(Report::Full { client: stream.peer_addr().to_string() });
                continue;
            }
            self.taken.fetch_add(1, Ordering::Relaxed);
            let counted = Counted::new(&self);
            let thread = std::thread::Builder::new().name("client".to_owned());
            let spawned = thread.spawn(move || {
                let shared = counted.0.clone();
                if let Ok(player) = Player::new(&shared, stream) {
                    player.run();
                }
            });
            threads.extend(spawned);
        }
        drop(listener);
        for thread in threads {
            let _ = thread.join();
        }
    }

    fn has_had_all(&self) -> bool {
        self.options.stop_after.is_some_and(|limit| self.taken.load(Ordering::Relaxed) >= limit)
    }

    fn report(&self, report: Report) {
        if let Some(log) = &self.options.log {
            log(&report);
        }
    }
}

/// Counts a client for as long as it lives, whatever ends it.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.clients.fetch_add(1, Ordering::Relaxed);
        Self(shared.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A name as it stands in a URL.
fn escaped(name: &str) -> String {
    const IN_PATHS: &AsciiSet = &RESERVED.remove(b':');
    percent::encode(name, IN_PATHS)
}

/// Longest wait for a client: after it there is a look at whether to stop.
const ACCEPT_WAIT: Duration = Duration::from_millis(200);

/// Files whose indexes are kept in memory.
const MAX_INDEXES: usize = 64;
