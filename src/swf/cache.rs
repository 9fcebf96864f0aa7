//! What is kept of SWF files: one small text file for each address, in the user's cache directory, and what rtmpdump kept.
//!
//! ```text
//! $XDG_CACHE_HOME/rtmpcat/swf/<SHA-256 of the address>    or ~/.cache/…
//!     url: http://example.com/player.swf?x      checked: 1700000000      seconds since 1970
//!     modified: Tue, 14 Nov 2023 22:13:20 GMT   etag: "abc"              as the web server wrote them; each may be missing
//!     size: 12345                               hash: 64 hexadecimal digits
//!
//! ~/.swfinfo    rtmpdump's: blocks of url (without its query), ctim (checked), date (modified), size (hexadecimal), hash
//! ```
//!
//! Files are replaced in one step, so that parallel runs see the old one or the new one.
//! rtmpdump's file is read only. What cannot be read or understood is as if it were not there.

use jiff::fmt::rfc2822::DateTimeParser;
use sha2::{Digest, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::types::{Validators, shown};
use crate::util::hex;
use crate::util::read::read_bounded;
use crate::util::replace::replace;

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// When the web server was last asked, in seconds since 1970.
    pub checked: u64,
    pub validators: Validators,
    pub hash: [u8; 32],
    pub size: u32,
}

impl Entry {
    /// Whether it is so young that the web server need not be asked. One from the future is not.
    pub fn is_young(&self, age_days: u32, now: u64) -> bool {
        now.checked_sub(self.checked).is_some_and(|age| age < u64::from(age_days) * SECONDS_PER_DAY)
    }
}

/// Where entries are kept. Either place may be unknown.
#[derive(Debug)]
pub(super) struct Cache {
    pub folder: Option<PathBuf>,
    pub swfinfo: Option<PathBuf>,
}

impl Cache {
    /// The user's.
    pub fn of_user() -> Self {
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = folder("HOME");
        let caches = folder("XDG_CACHE_HOME").or_else(|| home.as_ref().map(|home| home.join(".cache")));
        Self {
            folder: caches.map(|caches| caches.join("rtmpcat/swf")),
            swfinfo: home.map(|home| home.join(".swfinfo")),
        }
    }

    /// What is kept for `url`.
    pub fn find(&self, url: &str) -> Option<Entry> {
        let own = self.path(url).and_then(|path| read_small(&path, MAX_ENTRY)).and_then(|text| parse(&text, url));
        own.or_else(|| parse_swfinfo(&read_small(self.swfinfo.as_ref()?, MAX_SWFINFO)?, url))
    }

    /// Keeps `entry` for `url`.
    pub fn keep(&self, url: &str, entry: &Entry) -> io::Result<()> {
        let Some(path) = self.path(url) else { return Ok(()) };
        fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        replace(&path, render(url, entry).as_bytes())
    }

    fn path(&self, url: &str) -> Option<PathBuf> {
        // The address may hold secrets and have any length: its hash is the name.
        Some(self.folder.as_ref()?.join(hex::encode(&Sha256::digest(plain(url)))))
    }
}

fn render(url: &str, entry: &Entry) -> String {
    let Entry { checked, validators, hash, size } = entry;
    // Without query and password: what stays on a disk should not let anybody in.
    let mut text = format!("url: {}\nchecked: {checked}\n", shown(url));
    for (name, value) in [("modified", &validators.modified), ("etag", &validators.etag)] {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text.push_str(&format!("size: {size}\nhash: {}\n", hex::encode(hash)));
    text
}

fn parse(text: &str, url: &str) -> Option<Entry> {
    let get = |name: &str| text.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name);
    let value = |name: &str| get(name).map(|(_, value)| value);
    (value("url")? == shown(url)).then_some(())?;
    Some(Entry {
        checked: value("checked")?.parse().ok()?,
        validators: Validators::new(value("modified").map(str::to_owned), value("etag").map(str::to_owned)),
        hash: hash_from(value("hash")?)?,
        size: value("size")?.parse().ok()?,
    })
}

/// rtmpdump's entry for `url`: the one with the same address, leaving queries out.
fn parse_swfinfo(text: &str, url: &str) -> Option<Entry> {
    let url = plain(url).split('?').next().unwrap_or_default();
    let mut lines = text.lines().skip_while(|line| line.strip_prefix("url: ").map(str::trim_end) != Some(url)).skip(1);
    let mut entry = Entry { checked: 0, validators: Validators::default(), hash: [0; 32], size: 0 };
    let (mut has_size, mut has_hash) = (false, false);
    for (name, value) in lines.by_ref().map_while(|line| line.split_once(": ")) {
        let value = value.trim_end();
        match name {
            "ctim" => entry.checked = seconds_of(value).unwrap_or(0),
            "date" => entry.validators = Validators::new(Some(value.to_owned()), None),
            "size" => (entry.size, has_size) = (u32::from_str_radix(value, 16).ok()?, true),
            "hash" => (entry.hash, has_hash) = (hash_from(value)?, true),
            _ => break,
        }
    }
    (has_size && has_hash).then_some(entry)
}

/// `url` without its fragment, which no server sees.
fn plain(url: &str) -> &str {
    url.split('#').next().unwrap_or_default()
}

/// A date of HTTP, in seconds since 1970.
fn seconds_of(date: &str) -> Option<u64> {
    let timestamp = DateTimeParser::new().parse_timestamp(date).ok()?;
    u64::try_from(timestamp.as_second()).ok()
}

/// A text file of at most `limit` bytes.
fn read_small(path: &Path, limit: u64) -> Option<String> {
    String::from_utf8(read_bounded(path, limit).ok()?).ok()
}

fn hash_from(digits: &str) -> Option<[u8; 32]> {
    hex::decode(digits)?.try_into().ok()
}

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Largest entry read, in bytes: two values and an address of ordinary length.
const MAX_ENTRY: u64 = 64 << 10;

/// Largest of rtmpdump's files read, in bytes: an entry there has about 200.
const MAX_SWFINFO: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            checked: 1_700_000_000,
            validators: Validators::new(Some("Tue, 14 Nov 2023 22:13:20 GMT".into()), Some("\"a: b\"".into())),
            hash: std::array::from_fn(|i| i as u8 * 8),
            size: 12345,
        }
    }

    fn cache(folder: &Path) -> Cache {
        Cache { folder: Some(folder.join("a/b")), swfinfo: Some(folder.join(".swfinfo")) }
    }

    const URL: &str = "http://example.com/player.swf?token=secret";

    #[test]
    fn what_is_kept_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        assert_eq!(cache.find(URL), None);
        cache.keep(URL, &entry()).unwrap();
        assert_eq!(cache.find(URL), Some(entry()));
        assert_eq!(cache.find("http://example.com/player.swf?token=secret#x"), Some(entry()));
        assert_eq!(cache.find("http://example.com/player.swf"), None);
        let bare = Entry { validators: Validators::default(), ..entry() };
        cache.keep(URL, &bare).unwrap();
        assert_eq!(cache.find(URL), Some(bare));
        // One file, nothing half-written, nothing secret.
        let files: Vec<_> = fs::read_dir(folder.path().join("a/b")).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 1);
        assert!(!fs::read_to_string(&files[0]).unwrap().contains("secret"));
    }

    #[test]
    fn every_truncation_of_an_entry_is_nothing_or_another_time() {
        let text = render(URL, &entry());
        for end in 0..text.len() - 1 {
            assert_eq!(parse(&text[..end], URL), None, "{end}");
        }
        assert_eq!(parse(&text, URL), Some(entry()));
        assert_eq!(parse(&text, "http://example.com/other.swf"), None);
    }

    #[test]
    fn damage_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        cache.keep(URL, &entry()).unwrap();
        let path = cache.path(URL).unwrap();
        for bytes in [&b"\xff\xfe"[..], b"", b"url: x\n", &vec![b'x'; MAX_ENTRY as usize + 1]] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(cache.find(URL), None);
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a file").unwrap();
        assert!(cache(folder.path()).keep(URL, &entry()).is_err());
        let nowhere = Cache { folder: None, swfinfo: None };
        assert!(nowhere.keep(URL, &entry()).is_ok());
        assert_eq!(nowhere.find(URL), None);
    }

    const SWFINFO: &str = "url: http://example.com/other.swf\n\
        ctim: Sat, 21 Nov 2026 04:01:05 GMT\n\
        date: Sat, 21 Nov 2026 04:01:04 GMT\n\
        size: 00000016\n\
        hash: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\
        url: http://example.com/player.swf\n\
        ctim: Tue, 14 Nov 2023 22:13:20 GMT\n\
        date: Mon, 13 Nov 2023 00:00:00 GMT\n\
        size: 0001E240\n\
        hash: FF0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

    #[test]
    fn rtmpdumps_entries_are_read() {
        let entry = parse_swfinfo(SWFINFO, URL).unwrap();
        assert_eq!((entry.checked, entry.size, entry.hash[0], entry.hash[31]), (1_700_000_000, 123_456, 0xff, 0x1f));
        assert_eq!(
            entry.validators.headers().collect::<Vec<_>>(),
            [("If-Modified-Since", "Mon, 13 Nov 2023 00:00:00 GMT")]
        );
        assert_eq!(parse_swfinfo(SWFINFO, "http://example.com/other.swf").unwrap().size, 0x16);
        assert_eq!(parse_swfinfo(SWFINFO, "http://example.com/play"), None);
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path());
        fs::write(folder.path().join(".swfinfo"), SWFINFO).unwrap();
        assert_eq!(cache.find(URL), Some(entry.clone()));
        // What was learnt later goes before it.
        cache.keep(URL, &self::entry()).unwrap();
        assert_eq!(cache.find(URL), Some(self::entry()));
        assert_eq!(fs::read_to_string(folder.path().join(".swfinfo")).unwrap(), SWFINFO);
    }

    #[test]
    fn rtmpdumps_entries_may_be_broken() {
        for end in 0..SWFINFO.len() - 1 {
            assert_eq!(parse_swfinfo(&SWFINFO[..end], URL), None, "{end}");
        }
        let undated = SWFINFO.replace("Tue, 14 Nov 2023 22:13:20 GMT", "some day");
        assert_eq!(parse_swfinfo(&undated, URL).unwrap().checked, 0);
        assert_eq!(parse_swfinfo(&SWFINFO.replace("0001E240", "x"), URL), None);
    }

    #[test]
    fn entries_grow_old() {
        let young = |days, now| entry().is_young(days, now);
        assert!(young(1, 1_700_000_000) && young(1, 1_700_086_399));
        assert!(!young(1, 1_700_086_400) && !young(0, 1_700_000_000));
        assert!(!young(30, 1_699_999_999));
        assert!(young(u32::MAX, 1_900_000_000));
    }
}
