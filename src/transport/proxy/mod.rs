//! Through a proxy: SOCKS 4, 4a, 5 (RFC 1928, RFC 1929) and HTTP CONNECT (RFC 9110 §9.3.6).
//!
//! ```text
//! SOCKS4   04 01 port:2 ip4:4 user 00 [host 00]                → 00 code port:2 ip4:4
//! SOCKS5   05 n method×n → 05 method  (02: 01 ulen user plen password → 01 status)
//!          05 01 00 type address port:2                        → 05 code 00 type address port:2
//! HTTP     CONNECT host:port HTTP/1.1 ⏎ … ⏎ ⏎                  → HTTP/1.1 200 … ⏎ … ⏎ ⏎
//! ```

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::resolve::{normalise, resolve};
use super::tcp::TcpLink;
use super::{Deadline, Family, Recv};
use crate::error::{Error, Phase};
use crate::http::{Head, MAX_HEAD};
use crate::util::percent::decode_text;

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// SOCKS4: IPv4, names looked up here.
    Socks4,
    /// SOCKS4a: names looked up by the proxy.
    Socks4a,
    /// SOCKS5, names looked up here.
    Socks5,
    /// SOCKS5, names looked up by the proxy.
    Socks5h,
    /// HTTP with CONNECT.
    Http,
}

/// A proxy: `scheme://[user[:password]@]host[:port]` with the scheme `socks4`, `socks4a`, `socks5`, `socks5h` or `http`
/// (the default, as with curl); the port is 1080 unless given.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What it speaks.
    pub kind: ProxyKind,
    /// Its host name or address.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// Who to say we are.
    pub user: Option<String>,
    /// And the proof of it. SOCKS4 has none.
    pub password: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.user.is_some() { "…@" } else { "" };
        write!(f, "Proxy({:?} {secret}{}:{})", self.kind, self.host, self.port)
    }
}

impl FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "socks4" => ProxyKind::Socks4,
            "socks4a" => ProxyKind::Socks4a,
            "socks5" | "socks" => ProxyKind::Socks5,
            "socks5h" => ProxyKind::Socks5h,
            "http" => ProxyKind::Http,
            other => return Err(format!("no proxy scheme: {other} (socks4, socks4a, socks5, socks5h and http are)")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        let (user, password) = match credentials.map(|c| c.split_once(':').map_or((c, None), |(u, p)| (u, Some(p)))) {
            Some((user, password)) => (Some(decode_text(user)), password.map(decode_text)),
            None => (None, None),
        };
        let longest = user.iter().chain(&password).map(String::len).max().unwrap_or(0);
        if longest > 255 || user.as_ref().is_some_and(|user| user.contains('\0')) {
            return Err("the proxy's user name or password is too long".to_owned());
        }
        Ok(Proxy { kind, host, port, user, password })
    }
}

impl Proxy {
    /// rtmpdump's `-S host[:port]`.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn socks4(place: &str) -> Result<Self, String> {
        let (host, port) = host_and_port(place)?;
        Ok(Proxy { kind: ProxyKind::Socks4, host, port, user: None, password: None })
    }

    /// The proxy that `ALL_PROXY` (`all_proxy`) names, unless `NO_PROXY` (`no_proxy`) excepts this host.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn from_env(host: &str) -> Result<Option<Self>, String> {
        Self::from_variables(host, |name| std::env::var(name).ok())
    }

    fn from_variables(host: &str, get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let either = |lower: &str, upper: &str| get(lower).or_else(|| get(upper)).filter(|text| !text.is_empty());
        let Some(text) = either("all_proxy", "ALL_PROXY") else { return Ok(None) };
        if either("no_proxy", "NO_PROXY").is_some_and(|exceptions| is_excepted(host, &exceptions)) {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error| format!("ALL_PROXY: {error}"))
    }

    /// The value of `Proxy-Authorization`, where there is a user.
    pub(super) fn basic(&self) -> Option<String> {
        let user = self.user.as_ref()?;
        let password = self.password.as_deref().unwrap_or_default();
        Some(format!("Basic {}", BASE64.encode(format!("{user}:{password}"))))
    }

    /// Has the proxy connect `link` to the target.
    ///
    /// # Errors
    /// `Refused` with the proxy's reason in words, `Closed`, `Timeout`, `Interrupted`, `Io`.
    pub(super) fn negotiate(&self, link: &mut TcpLink, target: &Target<'_>, deadline: &Deadline) -> Result<(), Error> {
        link.set_phase(Phase::Proxy);
        let mut talk = Talk { link, deadline };
        match self.kind {
            ProxyKind::Socks4 | ProxyKind::Socks4a => self.socks_4(&mut talk, target),
            ProxyKind::Socks5 | ProxyKind::Socks5h => self.socks_5(&mut talk, target),
            ProxyKind::Http => self.connect(&mut talk, target),
        }
    }

    fn socks_4(&self, talk: &mut Talk<'_>, target: &Target<'_>) -> Result<(), Error> {
        let place = match (self.kind, target.literal()) {
            (_, Some(IpAddr::V6(_))) => return Err(refused("SOCKS4 does not reach IPv6 addresses")),
            (ProxyKind::Socks4a, None) => Place::Name(normalise(target.host)),
            _ => Place::Address(target.look_up(Some(Family::V4), talk.deadline)?),
        };
        let mut request = vec![4, 1];
        request.extend_from_slice(&target.port.to_be_bytes());
        match &place {
            Place::Address(IpAddr::V4(ip)) => request.extend_from_slice(&ip.octets()),
            // An address that cannot be says: look at the name.
            _ => request.extend_from_slice(&[0, 0, 0, 1]),
        }
        request.extend_from_slice(self.user.as_deref().unwrap_or_default().as_bytes());
        request.push(0);
        if let Place::Name(name) = &place {
            request.extend_from_slice(name.as_bytes());
            request.push(0);
        }
        talk.link.send(&request)?;
        let [version, code, ..] = talk.take::<8>()?;
        if version != 0 {
            return Err(refused(format!("the answer is not SOCKS4's (it begins {version:02x})")));
        }
        match code {
            90 => Ok(()),
            91 => Err(refused("SOCKS4: rejected or failed")),
            92 => Err(refused("SOCKS4: rejected, the proxy cannot ask this machine's identd")),
            93 => Err(refused("SOCKS4: rejected, this machine's identd names another user")),
            other => Err(refused(format!("SOCKS4: rejected with code {other}"))),
        }
    }

    fn socks_5(&self, talk: &mut Talk<'_>, target: &Target<'_>) -> Result<(), Error> {
        talk.link.send(if self.user.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] })?;
        let [version, method] = talk.take::<2>()?;
        match (version, method, &self.user) {
            (5, 0, _) => {}
            (5, 2, Some(user)) => self.authenticate(talk, user)?,
            (5, 0xFF, None) => return Err(refused("SOCKS5: the proxy wants a user name and a password")),
            (5, 0xFF, Some(_)) => return Err(refused("SOCKS5: the proxy takes no user name and password")),
            (5, ..) => return Err(refused(format!("SOCKS5: the proxy wants authentication method {method}"))),
            _ => return Err(refused(format!("the answer is not SOCKS5's (it begins {version:02x})"))),
        }
        let place = match (self.kind, target.literal()) {
            (_, Some(ip)) => Place::Address(ip),
            (ProxyKind::Socks5h, None) => Place::Name(normalise(target.host)),
            _ => Place::Address(target.look_up(target.family, talk.deadline)?),
        };
        let mut request = vec![5, 1, 0];
        match &place {
            Place::Address(IpAddr::V4(ip)) => {
                request.push(1);
                request.extend_from_slice(&ip.octets());
            }
            Place::Address(IpAddr::V6(ip)) => {
                request.push(4);
                request.extend_from_slice(&ip.octets());
            }
            Place::Name(name) => {
                let length = u8::try_from(name.len()).map_err(|_| refused("SOCKS5: the host name is too long"))?;
                request.extend_from_slice(&[3, length]);
                request.extend_from_slice(name.as_bytes());
            }
        }
        request.extend_from_slice(&target.port.to_be_bytes());
        talk.link.send(&request)?;
        let [version, code, _, kind] = talk.take::<4>()?;
        if version != 5 {
            return Err(refused(format!("the answer is not SOCKS5's (it begins {version:02x})")));
        }
        if code != 0 {
            return Err(refused(format!("SOCKS5: {}", socks_5_words(code))));
        }
        let length = match kind {
            1 => 4,
            4 => 16,
            3 => usize::from(talk.take::<1>()?[0]),
            other => return Err(refused(format!("SOCKS5: unknown address type {other} in the answer"))),
        };
        talk.skip(length + 2)
    }

    fn authenticate(&self, talk: &mut Talk<'_>, user: &str) -> Result<(), Error> {
        let password = self.password.as_deref().unwrap_or_default();
        let mut request = vec![1];
        for text in [user, password] {
            // Their length was checked when the URL was parsed.
            request.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            request.extend_from_slice(text.as_bytes());
        }
        talk.link.send(&request)?;
        match talk.take::<2>()? {
            [_, 0] => Ok(()),
            _ => Err(refused("SOCKS5: wrong user name or password")),
        }
    }

    fn connect(&self, talk: &mut Talk<'_>, target: &Target<'_>) -> Result<(), Error> {
        let place = authority(target.host, target.port);
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
        if let Some(value) = self.basic() {
            request.push_str(&format!("Proxy-Authorization: {value}\r\n"));
        }
        request.push_str("\r\n");
        talk.link.send(request.as_bytes())?;
        let mut bytes = Vec::new();
        // Byte by byte, once a connection: what follows the head belongs to the server behind the proxy.
        let head = loop {
            bytes.extend_from_slice(&talk.take::<1>()?);
            if bytes.ends_with(b"\n\n") || bytes.ends_with(b"\n\r\n") || bytes.len() >= MAX_HEAD {
                match Head::parse(&bytes) {
                    Ok(Some((head, _))) => break head,
                    Ok(None) => {}
                    Err(error) => return Err(refused(error.to_string())),
                }
            }
        };
        let status = head.status().map_err(|error| refused(error.to_string()))?;
        match status.code {
            200..=299 => Ok(()),
            407 if self.user.is_none() => Err(refused("HTTP 407: the proxy wants a user name and a password")),
            407 => Err(refused("HTTP 407: wrong user name or password")),
            code => Err(refused(format!("HTTP {code} {}: the proxy does not connect to {place}", status.reason))),
        }
    }
}

/// Where the proxy shall connect to.
pub(super) struct Target<'a> {
    /// Host name or address.
    pub(super) host: &'a str,
    /// TCP port.
    pub(super) port: u16,
    /// Restricts the addresses where names are looked up here.
    pub(super) family: Option<Family>,
}

impl Target<'_> {
    fn literal(&self) -> Option<IpAddr> {
        let host = normalise(self.host);
        // A zone means nothing to a proxy.
        host.split('%').next().and_then(|address| address.parse().ok())
    }

    fn look_up(&self, family: Option<Family>, deadline: &Deadline) -> Result<IpAddr, Error> {
        let found = resolve(self.host, self.port, family, deadline)?;
        found.first().map(|address| address.ip()).ok_or_else(|| refused("no address"))
    }
}

enum Place {
    Address(IpAddr),
    Name(String),
}

/// Short answers, each to the byte.
struct Talk<'a> {
    link: &'a mut TcpLink,
    deadline: &'a Deadline,
}

impl Talk<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, count: usize) -> Result<(), Error> {
        self.fill(&mut vec![0; count])
    }

    fn fill(&mut self, mut bytes: &mut [u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            self.deadline.check(Phase::Proxy)?;
            match self.link.recv(bytes, Instant::now() + self.deadline.slice())? {
                Recv::Bytes(count) => bytes = &mut bytes[count..],
                Recv::Idle => {}
                Recv::Closed => return Err(refused("the proxy closed the connection")),
            }
        }
        Ok(())
    }
}

/// RFC 1928 §6.
fn socks_5_words(code: u8) -> String {
    let words = match code {
        1 => "general failure",
        2 => "the proxy's rules forbid it",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "the connection's time to live expired",
        7 => "the proxy does not connect",
        8 => "the proxy does not know this type of address",
        other => return format!("refused with code {other}"),
    };
    words.to_owned()
}

fn refused(reason: impl Into<String>) -> Error {
    Error::Refused { phase: Phase::Proxy, reason: reason.into() }
}

/// `host:port` as it stands in HTTP: IPv6 addresses in brackets and without zone.
pub(super) fn authority(host: &str, port: u16) -> String {
    let host = normalise(host);
    let host = host.split('%').next().unwrap_or_default();
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// `host[:port]`, IPv6 addresses in brackets.
fn host_and_port(place: &str) -> Result<(String, u16), String> {
    let bracketed = place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.bytes().any(|byte| byte <= b' ') {
        return Err(format!("no proxy: {place:?} has no host"));
    }
    let port = match port {
        None | Some("") => DEFAULT_PORT,
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("no proxy: the port {text:?} is none")),
        },
    };
    Ok((host.to_owned(), port))
}

/// Of every kind of proxy, as with curl.
const DEFAULT_PORT: u16 = 1080;

/// Whether `NO_PROXY` names this host: `*`, a domain (with its subdomains), an address, or a network `address/bits`.
fn is_excepted(host: &str, exceptions: &str) -> bool {
    let host = normalise(host).to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    let ip: Option<IpAddr> = host.parse().ok();
    exceptions.split([',', ' ']).map(|item| item.trim().to_ascii_lowercase()).filter(|item| !item.is_empty()).any(
        |item| {
            let bare = item.trim_start_matches('[').trim_end_matches(']');
            match (ip, bare.split_once('/')) {
                _ if item == "*" => true,
                (Some(ip), Some((network, bits))) => is_in_network(ip, network, bits),
                (Some(ip), None) => bare.parse() == Ok(ip),
                (None, _) => {
                    let domain = item.trim_start_matches('.').trim_end_matches('.');
                    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                }
            }
        },
    )
}

fn is_in_network(ip: IpAddr, network: &str, bits: &str) -> bool {
    let (Ok(network), Ok(bits)) = (network.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let shifted = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => 32u32.checked_sub(bits).map(|by| u128::from(u32::from(ip)).checked_shr(by).unwrap_or(0)),
        IpAddr::V6(ip) => 128u32.checked_sub(bits).map(|by| u128::from(ip).checked_shr(by).unwrap_or(0)),
    };
    ip.is_ipv4() == network.is_ipv4() && shifted(ip).is_some() && shifted(ip) == shifted(network)
}

#[cfg(test)]
mod tests;
