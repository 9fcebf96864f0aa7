//! What is known of SWF files and of their addresses.

use std::io;
use std::path::PathBuf;

use crate::util::text::os_words;

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
    #[error("cannot read {}: {}", path.display(), os_words(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of certificates cannot be used.
    #[error("cannot use the certificates in {}: {}", path.display(), os_words(source))]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
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

/// Validators of a web server's file (ETag, Last-Modified).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub(super) modified: Option<String>,
    pub(super) etag: Option<String>,
}

impl Validators {
    /// Takes what can be kept in a line and sent in a header.
    pub fn new(modified: Option<String>, etag: Option<String>) -> Self {
        let sound = |value: &String| {
            !value.is_empty() && value.len() <= MAX_VALUE && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        Self { modified: modified.filter(sound), etag: etag.filter(sound) }
    }

    /// The headers that ask for the file only if it has changed.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let modified = self.modified.iter().map(|value| ("If-Modified-Since", value.as_str()));
        modified.chain(self.etag.iter().map(|value| ("If-None-Match", value.as_str())))
    }
}

/// `url` without user, password and query, which may be secrets.
pub(super) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let shown = match (origin(url), url.split_once("://")) {
        (Some((scheme, host)), Some((_, rest))) => {
            let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    };
    shown.chars().flat_map(char::escape_debug).collect()
}

/// Scheme and host (with its port, without user and password) of a web address.
pub(super) fn origin(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    Some((scheme, authority.rsplit_once('@').map_or(authority, |(_, host)| host)))
}

/// Largest file taken, in bytes: players have at most a few MiB, and this is what is held at once.
pub(super) const MAX_FILE: u64 = 64 << 20;

/// Longest value kept of a web server, in bytes: dates have 29, tags seldom more than 60.
const MAX_VALUE: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("http://user:pw@host:81/a/p.swf?token=x#y"), "http://host:81/a/p.swf");
        assert_eq!(shown("https://host"), "https://host");
        assert_eq!(shown("http://host/\x1b[2J"), "http://host/\\u{1b}[2J");
        assert_eq!(shown("ftp://host/p.swf?x"), "ftp://host/p.swf");
    }

    #[test]
    fn no_header_carries_what_is_none() {
        let value = |value: &str| Validators::new(Some(value.into()), Some(value.into())).headers().count();
        assert_eq!((value("x"), value(""), value("a\r\nb"), value("ü"), value(&"x".repeat(1025))), (2, 0, 0, 0, 0));
    }
}
