//! The SWF file of a player: fetched, unpacked and hashed, so that [`crate::proto::swfv`] can prove that it is known.
//!
//! ```text
//! hash_for ─► cache: young enough? ─ yes ──────────────────────────────► hash, size
//!                │ no, or nothing there
//!                ▼
//!             fetch, if modified since ─► 304 ─► cache: checked now ───► hash, size
//!                │ 200
//!                ▼
//!             unpack FWS, CWS, ZWS ─► hash ─► cache ───────────────────► hash, size
//! ```
//!
//! What is kept is the hash, not the file. Local files are read each time. Does not run or understand the file.

mod cache;
mod fetch;
mod unpack;

pub use fetch::{Way, WebProxy};
pub use unpack::hash_of;

use cache::{Cache, Entry};
use fetch::Answer;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is known of a SWF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwfHash {
    /// HMAC-SHA256 of the unpacked file.
    pub hash: [u8; 32],
    /// Length of the unpacked file, in bytes.
    pub size: u32,
    /// Where this is known from.
    pub origin: Origin,
}

/// Where a [`SwfHash`] is known from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Read or fetched, and hashed, now.
    Fresh,
    /// Kept from an earlier time, and young enough not to ask.
    Kept,
    /// Kept from an earlier time; the web server says that nothing changed.
    Confirmed,
    /// Kept from an earlier time and too old, but asking failed.
    Stale {
        /// Why asking failed.
        reason: String,
    },
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
pub enum SwfError {
    /// The web server could not be asked, or broke off.
    #[error("cannot fetch {url}: {reason}")]
    Fetch {
        /// The address, without its query.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The web server said no.
    #[error("cannot fetch {url}: the web server answered {status}")]
    Status {
        /// The address, without its query.
        url: String,
        /// HTTP's status code.
        status: u16,
    },
    /// A local file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was got is no SWF file.
    #[error("{0}")]
    Unpack(#[from] UnpackError),
}

/// Why bytes are no SWF file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// More than is taken.
    #[error("the SWF file has more than {} MiB", limit >> 20)]
    TooLarge {
        /// How much is taken, in bytes.
        limit: u64,
    },
    /// Something else.
    #[error("not a SWF file: it begins with \"{}\"", begin.escape_ascii())]
    NotSwf {
        /// The first bytes.
        begin: Vec<u8>,
    },
    /// Damaged or cut short.
    #[error("the SWF file is damaged: {0}")]
    Damaged(String),
}

/// The hash of the SWF file at `url`: `http:`, `https:`, `file:` or a path. What was fetched no longer than `age_days` ago is
/// not asked for again; 0 asks each time.
///
/// # Errors
/// The file cannot be got, or is no SWF file. If only asking whether an old file has changed fails, this is no error but
/// [`Origin::Stale`].
pub fn hash_for(url: &str, age_days: u32, way: &Way) -> Result<SwfHash, SwfError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    lookup(&Cache::of_user(), url, age_days, way, now)
}

/// [`hash_for`] with a given cache, at `now` in seconds since 1970.
fn lookup(cache: &Cache, url: &str, age_days: u32, way: &Way, now: u64) -> Result<SwfHash, SwfError> {
    if let Some(path) = local_path(url) {
        let (hash, size) = hash_of(&read_file(path)?)?;
        return Ok(SwfHash { hash, size, origin: Origin::Fresh });
    }
    let kept = cache.find(url);
    let known = |entry: &Entry, origin| SwfHash { hash: entry.hash, size: entry.size, origin };
    if let Some(entry) = kept.as_ref().filter(|entry| entry.is_young(age_days, now)) {
        return Ok(known(entry, Origin::Kept));
    }
    let validators = kept.as_ref().map(|entry| &entry.validators);
    let (entry, origin) = match (fetch::fetch(url, validators, way), kept) {
        (Ok(Answer::File { bytes, validators }), _) => {
            let (hash, size) = hash_of(&bytes)?;
            (Entry { checked: now, validators, hash, size }, Origin::Fresh)
        }
        (Ok(Answer::Unchanged), Some(entry)) => (Entry { checked: now, ..entry }, Origin::Confirmed),
        (Ok(Answer::Unchanged), None) => return Err(SwfError::Status { url: fetch::shown(url), status: 304 }),
        (Err(error), Some(entry)) => return Ok(known(&entry, Origin::Stale { reason: error.to_string() })),
        (Err(error), None) => return Err(error),
    };
    // A cache that cannot be written costs one more fetch the next time, nothing else.
    let _ = cache.keep(url, &entry);
    Ok(known(&entry, origin))
}

/// The path that `url` names, if it names one.
fn local_path(url: &str) -> Option<PathBuf> {
    match url.split_once("://") {
        None => Some(PathBuf::from(url.strip_prefix("file:").unwrap_or(url))),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => {
            Some(PathBuf::from(rest.strip_prefix("localhost").unwrap_or(rest)))
        }
        Some(_) => None,
    }
}

fn read_file(path: PathBuf) -> Result<Vec<u8>, SwfError> {
    let mut bytes = Vec::new();
    // A byte more than is taken, so that hash_of sees that it is too much.
    match std::fs::File::open(&path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(SwfError::Read { path, source }),
    }
}

/// Largest file taken, in bytes: players have at most a few MiB, and this is what is held at once.
const MAX_FILE: u64 = 64 << 20;

#[cfg(test)]
mod tests;
