//! `--trace` and `--log-messages`: what two ends say to one another.

mod show;

use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::capture::Direction;
use crate::capture::conversation::{Conversation, Seen, StreamStart};
use crate::capture::synthetic::{self, Connection, PcapWriter};
use crate::connect::{Client, Tap};
use crate::proto::message::Message;
use crate::proto::message::message_type::{AGGREGATE, AUDIO, VIDEO};
use crate::url::{Scheme, Url, without_secrets};

use super::log::{Level, Log};

pub use show::Shower;

/// A file for conversations. Clones are the same file.
#[derive(Debug, Clone)]
pub struct TraceFile(Arc<(PathBuf, Mutex<Open>)>);

#[derive(Debug)]
struct Open {
    trace: PcapWriter,
    file: File,
    /// The wall's clock when it was opened; from there on only the other one counts, which never goes back.
    since_1970: Duration,
    began: Instant,
}

/// What is to be done about each connection.
#[derive(Debug, Clone, Default)]
pub struct Tracing {
    file: Option<TraceFile>,
    log_messages: bool,
}

impl Tracing {
    /// `file`: where conversations are written; it is created. `log_messages`: each message is printed.
    ///
    /// # Errors
    /// It cannot be created, in words.
    pub fn new(file: Option<&Path>, log_messages: bool) -> Result<Self, String> {
        let create =
            |path: &Path| TraceFile::create(path).map_err(|error| format!("--trace: {}: {error}", path.display()));
        Ok(Self { file: file.map(create).transpose()?, log_messages })
    }

    /// Whether each message is printed.
    pub fn shows_messages(&self) -> bool {
        self.log_messages
    }

    /// Has a new connection watched.
    pub fn attach(&self, client: &mut Client, target: &Url, log: &Log) {
        let server = client.transport().peer_addr();
        if let Some(file) = &self.file {
            let inside = if target.scheme == Scheme::Rtmp { "" } else { "; TLS, tunnel and cipher are taken off" };
            let about = format!("{} at {server}{inside}", without_secrets(&target.tc_url));
            client.add_tap(Box::new(TraceTap::new(file, server.ip(), &about, log)));
        }
        if self.log_messages {
            client.add_tap(Box::new(LogTap {
                conversation: Conversation::new(StreamStart::Deciphered),
                shower: show::Shower::new(log.shows(Level::All)),
                began: Instant::now(),
                log: log.clone(),
            }));
        }
    }
}

impl TraceFile {
    fn path(&self) -> &Path {
        &self.0.0
    }

    fn create(path: &Path) -> std::io::Result<Self> {
        let trace = PcapWriter::new(concat!("rtmpcat ", env!("CARGO_PKG_VERSION"))).map_err(std::io::Error::other)?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let open = Open { trace, file: create_private(path)?, since_1970, began: Instant::now() };
        Ok(Self(Arc::new((path.to_owned(), Mutex::new(open)))))
    }

    /// Adds to the file.
    fn add<T>(&self, add: impl FnOnce(&mut PcapWriter, Duration) -> synthetic::Result<T>) -> Result<T, String> {
        let mut open = self.0.1.lock().unwrap_or_else(PoisonError::into_inner);
        let open = &mut *open;
        let added = add(&mut open.trace, open.since_1970 + open.began.elapsed()).map_err(|error| error.to_string());
        // Each time, so that it is there whatever happens to this program.
        open.file.write_all(&open.trace.take()).map_err(|error| error.to_string())?;
        added
    }
}

/// Only its owner is to read what passwords were sent.
fn create_private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // One that was there before keeps its mode otherwise. A pipe or a device is not ours to change.
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(file)
}

/// Writes a connection to a file.
#[derive(Debug)]
struct TraceTap {
    file: TraceFile,
    log: Log,
    /// `None`: the file has failed.
    connection: Option<Connection>,
    /// Nothing was sent, or received, yet.
    is_first: [bool; 2],
}

impl TraceTap {
    fn new(file: &TraceFile, server: IpAddr, about: &str, log: &Log) -> Self {
        let mut tap = Self { file: file.clone(), log: log.clone(), connection: None, is_first: [true; 2] };
        match file.add(|trace, now| trace.open(server, now, about)) {
            Ok(connection) => tap.connection = Some(connection),
            Err(reason) => tap.fail(&reason),
        }
        tap
    }

    fn show(&mut self, from: Direction, bytes: &[u8]) {
        let first = match from {
            Direction::Client => &mut self.is_first[0],
            Direction::Server => &mut self.is_first[1],
        };
        let mut bytes = std::borrow::Cow::Borrowed(bytes);
        if std::mem::take(first)
            && let Some(version) = bytes.to_mut().first_mut()
            && matches!(version, 6 | 8 | 9)
        {
            // Deciphered, RTMPE is what this version is.
            *version = PLAIN_VERSION;
        }
        if let Some(connection) = &mut self.connection {
            let added = self.file.add(|trace, now| trace.data(connection, from, now, &bytes));
            if let Err(reason) = added {
                self.fail(&reason);
            }
        }
    }

    fn fail(&mut self, reason: &str) {
        self.connection = None;
        self.log.warning(&format!("--trace: {}: {reason}; it ends here", self.file.path().display()));
    }
}

impl Tap for TraceTap {
    fn is_deciphered(&self) -> bool {
        true
    }

    fn sending(&mut self, bytes: &[u8]) {
        self.show(Direction::Client, bytes);
    }

    fn received(&mut self, bytes: &[u8]) {
        self.show(Direction::Server, bytes);
    }
}

impl Drop for TraceTap {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            // Nothing can be done about an error here.
            let _ = self.file.add(|trace, now| trace.close(&mut connection, now));
        }
    }
}

/// Prints the messages of a connection.
#[derive(Debug)]
struct LogTap {
    conversation: Conversation,
    shower: show::Shower,
    began: Instant,
    log: Log,
}

impl LogTap {
    fn show(&mut self, from: Direction, bytes: &[u8]) {
        let time = self.began.elapsed();
        let Self { conversation, shower, log, .. } = self;
        let mut hidden = Vec::new();
        conversation.feed(from, bytes, |seen| {
            // Here, for neither JSON nor hexadecimal leaves a secret as it is.
            if let Seen::Message(message) = &seen
                && !matches!(message.header.message_type_id, AUDIO | VIDEO | AGGREGATE)
            {
                hidden.clear();
                hidden.extend_from_slice(message.payload);
                log.secrets().hide_bytes(&mut hidden);
                let shown = shower.line(time, None, from, &Seen::Message(Message { payload: &hidden, ..*message }));
                log.packet(&shown);
            } else {
                log.packet(&shower.line(time, None, from, &seen));
            }
        });
    }
}

impl Tap for LogTap {
    fn is_deciphered(&self) -> bool {
        true
    }

    fn sending(&mut self, bytes: &[u8]) {
        self.show(Direction::Client, bytes);
    }

    fn received(&mut self, bytes: &[u8]) {
        self.show(Direction::Server, bytes);
    }
}

/// C0 and S0 of RTMP.
const PLAIN_VERSION: u8 = 3;
