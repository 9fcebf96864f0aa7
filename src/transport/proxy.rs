//! Through a proxy: SOCKS 4, 4a, 5 (RFC 1928, RFC 1929) and HTTP CONNECT (RFC 9110 §9.3.6).
//!
//! ```text
//! SOCKS4   04 01 port:2 ip4:4 user 00 [host 00]                → 00 code port:2 ip4:4
//! SOCKS5   05 n method×n → 05 method  (02: 01 ulen user plen password → 01 status)
//!          05 01 00 type address port:2                        → 05 code 00 type address port:2
//! HTTP     CONNECT host:port HTTP/1.1 ⏎ … ⏎ ⏎                  → HTTP/1.1 200 … ⏎ … ⏎ ⏎
//! ```

use std::net::IpAddr;

use super::error::{Error, Step};
use super::host::{authority, normalise};
use super::options::Family;
use super::proxy_url::{Proxy, ProxyKind};
use super::resolve::resolve;
use super::tcp::TcpLink;
use super::types::{Deadline, Recv};
use crate::http::HeadReader;

impl Proxy {
    /// Makes the proxy connect `link` to the target.
    ///
    /// # Errors
    /// `Refused` with the proxy's reason in words, `Closed`, `Timeout`, `Interrupted`, `Io`.
    pub(super) fn negotiate(&self, link: &mut TcpLink, target: &Target<'_>, deadline: &Deadline) -> Result<(), Error> {
        link.set_step(Step::Proxy);
        let mut io = ProxyIo { link, deadline };
        match self.kind {
            ProxyKind::Socks4 | ProxyKind::Socks4a => self.socks_4(&mut io, target),
            ProxyKind::Socks5 | ProxyKind::Socks5h => self.socks_5(&mut io, target),
            ProxyKind::Http => self.connect(&mut io, target),
        }
    }

    fn socks_4(&self, io: &mut ProxyIo<'_>, target: &Target<'_>) -> Result<(), Error> {
        let place = match (self.kind, target.literal()) {
            (_, Some(IpAddr::V6(_))) => return Err(refused("SOCKS4 does not reach IPv6 addresses")),
            (ProxyKind::Socks4a, None) => Place::Name(normalise(target.host)),
            _ => Place::Address(target.look_up(Some(Family::V4), io.deadline)?),
        };
        let mut request = vec![4, 1];
        request.extend_from_slice(&target.port.to_be_bytes());
        match &place {
            Place::Address(IpAddr::V4(ip)) => request.extend_from_slice(&ip.octets()),
            // An address that cannot exist means that the name is used (SOCKS4a).
            _ => request.extend_from_slice(&[0, 0, 0, 1]),
        }
        request.extend_from_slice(self.user.as_deref().unwrap_or_default().as_bytes());
        request.push(0);
        if let Place::Name(name) = &place {
            request.extend_from_slice(name.as_bytes());
            request.push(0);
        }
        io.link.send(&request)?;
        let [version, code, ..] = io.take::<8>()?;
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

    fn socks_5(&self, io: &mut ProxyIo<'_>, target: &Target<'_>) -> Result<(), Error> {
        io.link.send(if self.user.is_some() { &[5, 2, 0, 2] } else { &[5, 1, 0] })?;
        let [version, method] = io.take::<2>()?;
        match (version, method, &self.user) {
            (5, 0, _) => {}
            (5, 2, Some(user)) => self.authenticate(io, user)?,
            (5, 0xFF, None) => return Err(refused("SOCKS5: the proxy requires a user name and password")),
            (5, 0xFF, Some(_)) => return Err(refused("SOCKS5: the proxy takes no user name and password")),
            (5, ..) => return Err(refused(format!("SOCKS5: the proxy wants authentication method {method}"))),
            _ => return Err(refused(format!("the answer is not SOCKS5's (it begins {version:02x})"))),
        }
        let place = match (self.kind, target.literal()) {
            (_, Some(ip)) => Place::Address(ip),
            (ProxyKind::Socks5h, None) => Place::Name(normalise(target.host)),
            _ => Place::Address(target.look_up(target.family, io.deadline)?),
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
        io.link.send(&request)?;
        let [version, code, _, kind] = io.take::<4>()?;
        if version != 5 {
            return Err(refused(format!("the answer is not SOCKS5's (it begins {version:02x})")));
        }
        if code != 0 {
            return Err(refused(format!("SOCKS5: {}", socks_5_words(code))));
        }
        let length = match kind {
            1 => 4,
            4 => 16,
            3 => usize::from(io.take::<1>()?[0]),
            other => return Err(refused(format!("SOCKS5: unknown address type {other} in the answer"))),
        };
        io.skip(length + 2)
    }

    fn authenticate(&self, io: &mut ProxyIo<'_>, user: &str) -> Result<(), Error> {
        let password = self.password.as_deref().unwrap_or_default();
        let mut request = vec![1];
        for text in [user, password] {
            // Their length was checked when the URL was parsed.
            request.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            request.extend_from_slice(text.as_bytes());
        }
        io.link.send(&request)?;
        match io.take::<2>()? {
            [_, 0] => Ok(()),
            _ => Err(refused("SOCKS5: wrong user name or password")),
        }
    }

    fn connect(&self, io: &mut ProxyIo<'_>, target: &Target<'_>) -> Result<(), Error> {
        let place = authority(target.host, target.port);
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
        if let Some(value) = self.basic() {
            request.push_str(&format!("Proxy-Authorization: {value}\r\n"));
        }
        request.push_str("\r\n");
        io.link.send(request.as_bytes())?;
        let mut bytes = Vec::new();
        let mut heads = HeadReader::default();
        // Byte by byte, once per connection: what follows the head comes from the server, not from the proxy.
        let answer = loop {
            bytes.extend_from_slice(&io.take::<1>()?);
            if let Some((answer, _)) = heads.response(&bytes).map_err(|error| refused(error.to_string()))? {
                break answer;
            }
        };
        match answer.code {
            200..=299 => Ok(()),
            407 if self.user.is_none() => Err(refused("HTTP 407: the proxy requires a user name and password")),
            407 => Err(refused("HTTP 407: wrong user name or password")),
            code => Err(refused(format!("HTTP {code} {}: the proxy does not connect to {place}", answer.reason))),
        }
    }
}

/// The target of the proxy's connection.
pub(super) struct Target<'a> {
    /// Host name or address.
    pub(super) host: &'a str,
    /// TCP port.
    pub(super) port: u16,
    /// Restricts the addresses to one family where names are resolved locally.
    pub(super) family: Option<Family>,
}

impl Target<'_> {
    fn literal(&self) -> Option<IpAddr> {
        let host = normalise(self.host);
        // A zone has no meaning on another host.
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

/// Short messages, read to the exact byte.
struct ProxyIo<'a> {
    link: &'a mut TcpLink,
    deadline: &'a Deadline,
}

impl ProxyIo<'_> {
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
            self.deadline.check(Step::Proxy)?;
            match self.link.recv(bytes, self.deadline.wait_until())? {
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
    Error::Refused { step: Step::Proxy, reason: reason.into() }
}

#[cfg(test)]
mod tests;
