//! RTMP URLs: what is connected to and what is played. Every default that is derived from a URL is decided here.
//!
//! ```text
//! rtmp[t|e|te|s|ts]://[user:password@]host[:port]/app[/instance]/playpath[?query]
//! rtmfp://[user:password@]host[:port]/app[/instance]#playpath              or as the others
//! ```
//!
//! The split into application and playpath is rtmpdump's, because scripts depend on it; only URLs that never worked there
//! are read better: brackets, user information, `mp4:dir/file`, slashes in a query ([`PathSplit`]). Does not connect.

pub mod conn;
pub mod keys;
mod redact;

pub use redact::{secrets, without_secrets};

use std::fmt;

use crate::proto::command::Redirect;
use crate::proto::raw_text;
use crate::util::percent;

/// A URL scheme: three independent switches, or UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Rtmp,
    /// HTTP tunnel.
    Rtmpt,
    /// Enciphered by RTMP itself.
    Rtmpe,
    /// Both of these.
    Rtmpte,
    /// TLS.
    Rtmps,
    /// HTTP tunnel over TLS.
    Rtmpts,
    /// RTMFP: UDP.
    Rtmfp,
}

struct SchemeRow {
    scheme: Scheme,
    name: &'static str,
    /// librtmp's number for it; `--protocol` takes 0 to 5.
    number: u8,
    enciphered: bool,
    tls: bool,
    tunnel: bool,
    port: u16,
}

const SCHEMES: [SchemeRow; 7] = [
    row(Scheme::Rtmp, "rtmp", 0, false, false, false, 1935),
    row(Scheme::Rtmpt, "rtmpt", 1, false, false, true, 80),
    row(Scheme::Rtmpe, "rtmpe", 2, true, false, false, 1935),
    row(Scheme::Rtmpte, "rtmpte", 3, true, false, true, 80),
    row(Scheme::Rtmps, "rtmps", 4, false, true, false, 443),
    row(Scheme::Rtmpts, "rtmpts", 5, false, true, true, 443),
    row(Scheme::Rtmfp, "rtmfp", 8, false, false, false, 1935),
];

const fn row(
    scheme: Scheme,
    name: &'static str,
    number: u8,
    enciphered: bool,
    tls: bool,
    tunnel: bool,
    port: u16,
) -> SchemeRow {
    SchemeRow { scheme, name, number, enciphered, tls, tunnel, port }
}

impl Scheme {
    /// The scheme of that name, in any case of letters.
    pub fn of_name(name: &str) -> Option<Self> {
        SCHEMES.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.scheme)
    }

    /// The scheme with rtmpdump's number, 0 to 5.
    pub fn of_number(number: u8) -> Option<Self> {
        SCHEMES.iter().find(|row| row.number == number && number <= LAST_NUMBER).map(|row| row.scheme)
    }

    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// librtmp's number for it.
    pub fn number(self) -> u8 {
        self.row().number
    }

    /// Port where none is given.
    pub fn default_port(self) -> u16 {
        self.row().port
    }

    /// Whether the handshake is RTMPE's.
    pub fn is_enciphered(self) -> bool {
        self.row().enciphered
    }

    /// Whether TLS is below.
    pub fn is_tls(self) -> bool {
        self.row().tls
    }

    /// Whether HTTP carries it.
    pub fn is_tunnel(self) -> bool {
        self.row().tunnel
    }

    /// Whether it is RTMFP, over UDP.
    pub fn is_rtmfp(self) -> bool {
        self == Self::Rtmfp
    }

    fn row(self) -> &'static SchemeRow {
        // Every variant has its row; a test says so.
        SCHEMES.iter().find(|row| row.scheme == self).unwrap_or(&SCHEMES[0])
    }
}

/// The last scheme that `--protocol` can name.
const LAST_NUMBER: u8 = 5;

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to connect to and what to play there.
///
/// ```
/// use rtmpcat::url::{Scheme, Url};
///
/// let url: Url = "rtmps://host/live/inst/cam%201.mp4?token=x".parse()?;
/// assert_eq!((url.scheme, url.host.as_str(), url.port), (Scheme::Rtmps, "host", 443));
/// assert_eq!((url.app.as_str(), url.playpath.as_str()), ("live/inst", "mp4:cam 1?token=x"));
/// assert_eq!(url.tc_url, "rtmps://host:443/live/inst");
/// # Ok::<(), rtmpcat::url::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Plain, TLS, HTTP tunnel, RTMPE.
    pub scheme: Scheme,
    /// Host name or address, without brackets; an IPv6 zone follows `%`.
    pub host: String,
    /// TCP port, 1 to 65535.
    pub port: u16,
    /// Application with its instance, as written in the URL; not percent-decoded.
    pub app: String,
    /// Stream name, percent-decoded, with `mp4:` or `mp3:` where its extension asks for it; empty where the URL has none.
    /// Bytes that are not UTF-8 are kept, see [`raw_text`].
    pub playpath: String,
    /// `tcUrl` of connect.
    pub tc_url: String,
    /// User name for servers that ask for one, decoded.
    pub user: Option<String>,
    /// Password, decoded.
    pub password: Option<String>,
}

/// What options say in place of the URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--host`.
    pub host: Option<String>,
    /// `--port`; 0 is the scheme's own.
    pub port: Option<u16>,
    /// `--protocol`.
    pub scheme: Option<Scheme>,
    /// `--app`.
    pub app: Option<String>,
    /// `--playpath`, used verbatim.
    pub playpath: Option<String>,
    /// `--tcUrl`.
    pub tc_url: Option<String>,
    /// How the URL's path is split where it is ambiguous.
    pub split: PathSplit,
}

/// Whether a slash in a URL's query separates the application from the stream's name: `app/inst?key=value/name`. In both cases
/// it does not if what stands before the query can only be a stream: `app/name.mp4?t=1/2`, `app/mp4:name?t=1/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathSplit {
    /// It does, unless it is part of a token: `app/name?token=a/b==`.
    #[default]
    KeepTokens,
    /// It always does, as for librtmp.
    Librtmp,
}

/// How tcUrl is made where it is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcUrlStyle {
    /// Scheme, host, port (always) and application: rtmpdump's `-r`.
    WithPort,
    /// The URL's own text up to the end of the application: librtmp's, rtmpdump's `-i`.
    AsWritten,
}

/// Why a URL cannot be used. The words are rtmpdump's where it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// No host anywhere.
    #[error("You must specify a hostname (--host) or url (-r \"rtmp://host[:port]/playpath\") containing a hostname")]
    NoHost,
    /// No playpath anywhere.
    #[error(
        "You must specify a playpath (--playpath) or url (-r \"rtmp://host[:port]/playpath\") containing a playpath"
    )]
    NoPlaypath,
    /// Not a URL.
    #[error("{url}: {reason}")]
    BadUrl {
        /// What was given, without its secrets.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl std::str::FromStr for Url {
    type Err = UrlError;

    /// Reads a URL by itself; tcUrl has the port in it.
    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::new(Some(text), &Overrides::default(), TcUrlStyle::WithPort)
    }
}

impl Url {
    /// Combines a URL with what options say. The playpath may be empty: see [`Url::require_playpath`].
    ///
    /// # Errors
    /// A URL that cannot be read, or no host at all.
    pub fn new(url: Option<&str>, overrides: &Overrides, style: TcUrlStyle) -> Result<Self, UrlError> {
        let parts = url.map(|url| Parts::parse(url, overrides.split)).transpose()?.unwrap_or_default();
        let scheme = overrides.scheme.or(parts.scheme).unwrap_or(Scheme::Rtmp);
        let given = overrides.host.as_deref().map(bare_host);
        let host = given.or(parts.host).filter(|h| !h.is_empty()).ok_or(UrlError::NoHost)?;
        let port = overrides.port.or(parts.port).filter(|port| *port != 0).unwrap_or(scheme.default_port());
        let app = overrides.app.clone().unwrap_or(parts.app);
        let playpath = overrides.playpath.clone().unwrap_or(parts.playpath);
        let derived = || match (&parts.authority, style) {
            (Some(authority), TcUrlStyle::AsWritten) => format!("{scheme}://{authority}/{app}"),
            _ => tc_url(scheme, &host, port, &app),
        };
        let tc_url = overrides.tc_url.clone().unwrap_or_else(derived);
        Ok(Self { scheme, host, port, app, playpath, tc_url, user: parts.user, password: parts.password })
    }

    /// Checks that there is a stream to play.
    ///
    /// # Errors
    /// [`UrlError::NoPlaypath`].
    pub fn require_playpath(&self) -> Result<(), UrlError> {
        if self.playpath.is_empty() { Err(UrlError::NoPlaypath) } else { Ok(()) }
    }

    /// The same at another place: what a server's redirect says. A tcUrl names an application, which may have an instance;
    /// so does another redirect, as a rule: only if it has more components than needed for that, the last one is a stream.
    /// A URL without a path keeps the application.
    ///
    /// # Errors
    /// A URL that cannot be read.
    pub fn redirected(&self, to: &Redirect<'_>) -> Result<Self, UrlError> {
        let parts = Parts::parse(to.url, PathSplit::default())?;
        let scheme = parts.scheme.unwrap_or(self.scheme);
        let host = parts.host.clone().ok_or(UrlError::NoHost)?;
        let port = parts.port.filter(|port| *port != 0).unwrap_or(scheme.default_port());
        let (app, playpath) = self.redirected_path(parts, to.is_tc_url);
        let tc_url = tc_url(scheme, &host, port, &app);
        Ok(Self { scheme, host, port, app, playpath, tc_url, ..self.clone() })
    }

    /// Application and playpath after a redirect.
    fn redirected_path(&self, parts: Parts, is_tc_url: bool) -> (String, String) {
        let stem = |name: &str| name.split('?').next().unwrap_or_default().to_owned();
        let path = parts.path.trim_end_matches('/');
        if path.is_empty() {
            return (self.app.clone(), self.playpath.clone());
        }
        if !self.playpath.is_empty() && stem(&parts.playpath) == stem(&self.playpath) {
            // A token that comes with the redirect is the one that counts there.
            let playpath = if parts.playpath.contains('?') { parts.playpath } else { self.playpath.clone() };
            return (parts.app, playpath);
        }
        let is_app = is_tc_url
            || parts.playpath.is_empty()
            || path == self.app
            || path.ends_with("/_definst_")
            || self.app.matches('/').count() > parts.app.matches('/').count();
        if is_app { (path.to_owned(), self.playpath.clone()) } else { (parts.app, parts.playpath) }
    }
}

fn tc_url(scheme: Scheme, host: &str, port: u16, app: &str) -> String {
    // A zone is a matter of this machine alone.
    let address = host.split('%').next().filter(|address| address.contains(':'));
    let host = address.map_or_else(|| host.to_owned(), |address| format!("[{address}]"));
    format!("{scheme}://{host}:{port}/{app}")
}

/// A host by itself, as `--host` has it: in ASCII, and without brackets.
fn bare_host(host: &str) -> String {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.to_owned(),
        None => in_ascii(host),
    }
}

/// A name, perhaps with a port, such as resolvers know it: `müller.example` is `xn--mller-kva.example` there.
fn in_ascii(hostport: &str) -> String {
    let (host, port) = hostport.split_at(hostport.find(':').unwrap_or(hostport.len()));
    match ::url::Host::parse(host) {
        Ok(name) if !hostport.is_ascii() => format!("{name}{port}"),
        _ => hostport.to_owned(),
    }
}

/// What a URL says.
#[derive(Debug, Default)]
struct Parts {
    scheme: Option<Scheme>,
    host: Option<String>,
    port: Option<u16>,
    /// Host and port as written, but in ASCII and without a zone.
    authority: Option<String>,
    /// All that follows the host and its slash.
    path: String,
    app: String,
    playpath: String,
    user: Option<String>,
    password: Option<String>,
}

impl Parts {
    fn parse(text: &str, split: PathSplit) -> Result<Self, UrlError> {
        let bad = |reason: &str| UrlError::BadUrl { url: without_secrets(text), reason: reason.to_owned() };
        let (scheme, rest) =
            text.split_once("://").ok_or_else(|| bad("not an RTMP URL (expected rtmp://host/app/stream)"))?;
        let scheme = Scheme::of_name(scheme).ok_or_else(|| {
            bad(&match scheme.to_ascii_lowercase().as_str() {
                "http" | "https" => "HTTP is not RTMP: use ffmpeg, yt-dlp or streamlink".to_owned(),
                other => format!("unsupported scheme {other} (use rtmp, rtmps, rtmpt, rtmpts, rtmpe, rtmpte or rtmfp)"),
            })
        })?;
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (userinfo, hostport) = match authority.rsplit_once('@') {
            Some((userinfo, hostport)) => (Some(userinfo), hostport),
            None => (None, authority),
        };
        let (zone, plain) = split_zone(&in_ascii(hostport));
        // The scheme does not matter to the reading of host and port, but ones unknown to the crate keep the port.
        let url = ::url::Url::parse(&format!("rtmp://{plain}/")).map_err(|e| match (e, plain.rsplit_once(':')) {
            (::url::ParseError::InvalidPort, Some((_, port))) => bad(&format!("invalid port {port}")),
            (e, _) => bad(&e.to_string()),
        })?;
        let host = url.host().map(|host| match host {
            ::url::Host::Ipv6(address) => format!("{address}{zone}"),
            other => other.to_string(),
        });
        let (user, password) = match userinfo {
            Some(text) => {
                let (user, password) = text.split_once(':').map_or((text, None), |(u, p)| (u, Some(p)));
                (Some(decode(user)), password.map(decode))
            }
            None => (None, None),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let (app, playpath) = match path.split_once('#').filter(|_| scheme.is_rtmfp()) {
            Some((app, name)) => (app.to_owned(), decode(name)),
            None => split_path(path, split),
        };
        Ok(Self {
            scheme: Some(scheme),
            host: host.filter(|h| !h.is_empty()),
            port: url.port(),
            authority: Some(plain),
            path: path.to_owned(),
            app,
            playpath,
            user,
            password,
        })
    }
}

/// Takes the zone out of a bracketed IPv6 address: `[fe80::1%25eth0]:80` → `%eth0`, `[fe80::1]:80`.
fn split_zone(hostport: &str) -> (String, String) {
    let inside = hostport.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match inside.and_then(|(address, port)| address.split_once('%').map(|(a, zone)| (a, zone, port))) {
        Some((address, zone, port)) => {
            let zone = zone.strip_prefix("25").filter(|z| !z.is_empty()).unwrap_or(zone);
            (format!("%{zone}"), format!("[{address}]{port}"))
        }
        None => (String::new(), hostport.to_owned()),
    }
}

/// Application and playpath of what follows the host and its slash.
fn split_path(path: &str, split: PathSplit) -> (String, String) {
    if let Some(slist) = path.split_once('?').and_then(|(_, query)| query.split_once("slist=")) {
        let name = slist.1.split('&').next().unwrap_or_default();
        return (path.to_owned(), playpath(name, true));
    }
    if let Some(rest) = path.strip_prefix("ondemand/") {
        return ("ondemand".to_owned(), playpath(rest, false));
    }
    let (stem, query) = path.split_once('?').unwrap_or((path, ""));
    let is_stream = names_stream(stem) || (split == PathSplit::KeepTokens && begins_with_token(stem, query));
    match Some(stem).filter(|_| is_stream).and_then(split_point).or_else(|| split_point(path)) {
        Some(at) => {
            let (app, name) = path.split_at(at);
            (app.to_owned(), playpath(name.get(1..).unwrap_or_default(), false))
        }
        None => (path.to_owned(), String::new()),
    }
}

/// Whether the last component before a query can only be a stream: it has a type before it or after it.
fn names_stream(stem: &str) -> bool {
    let name = stem.rsplit('/').next().unwrap_or_default();
    has_type(name) || name.rsplit_once('.').is_some_and(|(_, end)| matches!(end, "mp4" | "f4v" | "mp3" | "flv"))
}

/// Whether the first slash of a query is part of a token, and a name stands before the query.
fn begins_with_token(stem: &str, query: &str) -> bool {
    let value = query.split('/').next().and_then(|before| before.rsplit(['&', ';', '?']).next());
    let name = value.and_then(|value| value.split_once('=')).map(|(name, _)| name);
    !stem.ends_with('/') && !stem.ends_with("_definst_") && name.is_some_and(redact::is_secret)
}

/// Where the application ends: at the last of the first three slashes, or before a component such as `mp4:dir`.
fn split_point(path: &str) -> Option<usize> {
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    let typed = slashes.iter().copied().find(|at| path.get(at + 1..).is_some_and(has_type));
    typed.or_else(|| slashes.get(2).or(slashes.last()).copied())
}

/// Whether a component can only begin the name of a stream: Flash Media Server's `mp4:name` and its kind.
fn has_type(name: &str) -> bool {
    ["mp4:", "mp3:", "flv:", "f4v:", "id3:"].iter().any(|prefix| name.starts_with(prefix))
}

/// Decodes `%xx`; bytes that are no UTF-8 are kept, see [`raw_text`].
fn decode(text: &str) -> String {
    raw_text::from_bytes(&percent::decode(text))
}

/// The playpath of a URL as Flash servers want it: `name.mp4` becomes `mp4:name`, `name.flv` becomes `name`.
fn playpath(text: &str, slist: bool) -> String {
    let (name, query) = text.split_at(text.find('?').unwrap_or(text.len()));
    let (prefix, name) = match name {
        n if n.starts_with("mp4:") || n.starts_with("mp3:") => ("", n),
        n => match n.rsplit_once('.') {
            Some((stem, "mp4" | "f4v")) => ("mp4:", stem),
            Some((stem, "mp3")) => ("mp3:", stem),
            Some((stem, "flv")) if !slist => ("", stem),
            _ => ("", n),
        },
    };
    decode(&format!("{prefix}{name}{query}"))
}

#[cfg(test)]
mod tests;
