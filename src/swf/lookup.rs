//! The hash of a SWF file: from the cache, from a web server, from a local file.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use super::cache::{Cache, Entry};
use super::fetch::{self, Answer, HttpOptions};
use super::types::{MAX_FILE, Origin, SwfError, SwfHash, UnpackError, shown};
use super::unpack::hash_of;
use crate::util::read::read_bounded;

/// The hash of the SWF file at `url`: `http:`, `https:`, `file:` or a path. What was fetched no longer than `age_days` ago is
/// not asked for again; 0 asks each time.
///
/// # Errors
/// The file cannot be got, or is no SWF file. If only asking whether an old file has changed fails, this is no error but
/// [`Origin::Stale`].
pub fn hash_for(url: &str, age_days: u32, options: &HttpOptions) -> Result<SwfHash, SwfError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    lookup(&Cache::of_user(), url, age_days, options, now)
}

/// [`hash_for`] with a given cache, at `now` in seconds since 1970.
pub(super) fn lookup(
    cache: &Cache,
    url: &str,
    age_days: u32,
    options: &HttpOptions,
    now: u64,
) -> Result<SwfHash, SwfError> {
    if let Some(path) = local_path(url) {
        let bytes = match read_bounded(&path, MAX_FILE) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == std::io::ErrorKind::FileTooLarge => {
                return Err(UnpackError::TooLarge { limit: MAX_FILE }.into());
            }
            Err(source) => return Err(SwfError::Read { path, source }),
        };
        let (hash, size) = hash_of(&bytes)?;
        return Ok(SwfHash { hash, size, origin: Origin::Fresh });
    }
    let kept = cache.find(url);
    let known = |entry: &Entry, origin| SwfHash { hash: entry.hash, size: entry.size, origin };
    if let Some(entry) = kept.as_ref().filter(|entry| entry.is_young(age_days, now)) {
        return Ok(known(entry, Origin::Kept));
    }
    let validators = kept.as_ref().map(|entry| &entry.validators);
    let (entry, origin) = match (fetch::fetch(url, validators, options), kept) {
        (Ok(Answer::File { bytes, validators }), _) => {
            let (hash, size) = hash_of(&bytes)?;
            (Entry { checked: now, validators, hash, size }, Origin::Fresh)
        }
        (Ok(Answer::Unchanged), Some(entry)) => (Entry { checked: now, ..entry }, Origin::Confirmed),
        (Ok(Answer::Unchanged), None) => return Err(SwfError::Status { url: shown(url), status: 304 }),
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
