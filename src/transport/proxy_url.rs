//! Choice of the proxy: its URL, the environment variables, and the hosts that are excepted.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::host::normalise;
use crate::util::percent::decode_text;

/// Protocol of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// SOCKS4: IPv4 only, names resolved locally.
    Socks4,
    /// SOCKS4a: names resolved by the proxy.
    Socks4a,
    /// SOCKS5, names resolved locally.
    Socks5,
    /// SOCKS5, names resolved by the proxy.
    Socks5h,
    /// HTTP with CONNECT.
    Http,
}

/// A proxy: `scheme://[user[:password]@]host[:port]` with the scheme `socks4`, `socks4a`, `socks5`, `socks5h` or `http`
/// (the default, as with curl); the port is 1080 unless given.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its protocol.
    pub kind: ProxyKind,
    /// Its host name or address.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// User name.
    pub user: Option<String>,
    /// Password. SOCKS4 has none.
    pub password: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = if self.user.is_some() { "…@" } else { "" };
        write!(f, "Proxy({:?} {secret}{}:{})", self.kind, self.host, self.port)
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "socks4" => ProxyKind::Socks4,
            "socks4a" => ProxyKind::Socks4a,
            "socks5" | "socks" => ProxyKind::Socks5,
            "socks5h" => ProxyKind::Socks5h,
            "http" => ProxyKind::Http,
            other => return Err(ProxyError::Scheme(other.chars().take(20).collect())),
        };
        // A password may contain characters that would end the host.
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        let place = place.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = host_and_port(place)?;
        let (user, password) = match credentials.map(|c| c.split_once(':').map_or((c, None), |(u, p)| (u, Some(p)))) {
            Some((user, password)) => (Some(decode_text(user)), password.map(decode_text)),
            None => (None, None),
        };
        let longest = user.iter().chain(&password).map(String::len).max().unwrap_or(0);
        if longest > 255 || user.as_ref().is_some_and(|user| user.contains('\0')) {
            return Err(ProxyError::Credentials);
        }
        Ok(Proxy { kind, host, port, user, password })
    }
}

impl Proxy {
    /// rtmpdump's `-S host[:port]`.
    ///
    /// # Errors
    /// Missing host, or an invalid port.
    pub fn socks4(place: &str) -> Result<Self, ProxyError> {
        let (host, port) = host_and_port(place)?;
        Ok(Proxy { kind: ProxyKind::Socks4, host, port, user: None, password: None })
    }

    /// The proxy that `ALL_PROXY` (`all_proxy`) names, unless `NO_PROXY` (`no_proxy`) excepts this host.
    ///
    /// # Errors
    /// [`ProxyError::Environment`].
    pub fn from_env(host: &str) -> Result<Option<Self>, ProxyError> {
        Self::from_variables(host, |name| std::env::var(name).ok())
    }

    fn from_variables(host: &str, get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let either = |lower: &str, upper: &str| get(lower).or_else(|| get(upper)).filter(|text| !text.is_empty());
        let Some(text) = either("all_proxy", "ALL_PROXY") else { return Ok(None) };
        if either("no_proxy", "NO_PROXY").is_some_and(|exceptions| is_excepted(host, &exceptions)) {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|error| ProxyError::Environment(Box::new(error)))
    }

    /// The value of `Proxy-Authorization`, where there is a user.
    pub(super) fn basic(&self) -> Option<String> {
        let user = self.user.as_ref()?;
        let password = self.password.as_deref().unwrap_or_default();
        Some(format!("Basic {}", BASE64.encode(format!("{user}:{password}"))))
    }
}

/// An invalid proxy URL. Only its scheme is shown: the rest may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Unsupported scheme.
    #[error("unsupported proxy scheme {0} (use socks4, socks4a, socks5, socks5h or http)")]
    Scheme(String),
    /// Missing host.
    #[error("invalid proxy: missing host (use [SCHEME://][USER:PASSWORD@]HOST[:PORT])")]
    Host,
    /// Invalid port.
    #[error("invalid proxy: the port is not a number from 1 to 65535")]
    Port,
    /// User name or password too long for SOCKS.
    #[error("invalid proxy: user name or password longer than 255 bytes")]
    Credentials,
    /// Invalid value of `ALL_PROXY`.
    #[error("ALL_PROXY: {0}")]
    Environment(#[source] Box<ProxyError>),
}

/// `host[:port]`, IPv6 addresses in brackets.
fn host_and_port(place: &str) -> Result<(String, u16), ProxyError> {
    let bracketed = place.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() || host.bytes().any(|byte| byte <= b' ') {
        return Err(ProxyError::Host);
    }
    let port = match port {
        None | Some("") => DEFAULT_PORT,
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(ProxyError::Port),
        },
    };
    Ok((host.to_owned(), port))
}

/// Default port of every kind of proxy, as with curl.
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
mod tests {
    use super::*;

    fn proxy(text: &str) -> Proxy {
        text.parse().unwrap()
    }

    #[test]
    fn urls() {
        let p = proxy("socks5h://us%40er:p%3Aw:x@[::1]:99/");
        assert_eq!((p.kind, p.host.as_str(), p.port), (ProxyKind::Socks5h, "::1", 99));
        assert_eq!((p.user.as_deref(), p.password.as_deref()), (Some("us@er"), Some("p:w:x")));
        assert!(!format!("{p:?}").contains("p:w"), "the password stays out of logs");
        for (text, kind, host, port) in [
            ("socks4://h", ProxyKind::Socks4, "h", 1080),
            ("SOCKS4A://h:1", ProxyKind::Socks4a, "h", 1),
            ("socks5://10.0.0.1:8", ProxyKind::Socks5, "10.0.0.1", 8),
            ("http://h:3128/", ProxyKind::Http, "h", 3128),
            ("h:3128", ProxyKind::Http, "h", 3128),
            ("[fe80::1%25eth0]:3", ProxyKind::Http, "fe80::1%25eth0", 3),
        ] {
            let p = proxy(text);
            assert_eq!((p.kind, p.host.as_str(), p.port, p.user), (kind, host, port, None), "{text}");
        }
        let long = format!("http://{}@h", "u".repeat(256));
        for bad in ["", "http://", "https://h", "ftp://h", "h:x", "h:0", "h:65536", "http://@", "a b:1", &long] {
            assert!(bad.parse::<Proxy>().is_err(), "{bad}");
        }
        let odd = proxy("http://user:p/a?s#s@w@host:1/");
        assert_eq!((odd.password.as_deref(), odd.host.as_str(), odd.port), (Some("p/a?s#s@w"), "host", 1));
        assert!(!"http://user:secret".parse::<Proxy>().unwrap_err().to_string().contains("secret"));
        assert_eq!(Proxy::socks4("h:9").unwrap(), proxy("socks4://h:9"));
        assert_eq!(Proxy::socks4("h").unwrap().port, 1080);
        assert!(Proxy::socks4(":9").is_err());
    }

    #[test]
    fn the_environment() {
        let from = |host: &str, all: &str, no: &str| {
            let variables = [("ALL_PROXY", all), ("no_proxy", no)];
            let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
            Proxy::from_variables(host, get).map(|proxy| proxy.is_some())
        };
        assert_eq!(from("h", "", ""), Ok(false));
        assert_eq!(from("h", "socks5://p", ""), Ok(true));
        assert!(from("h", "nonsense://p", "").unwrap_err().to_string().starts_with("ALL_PROXY: unsupported"));
        for (host, no, through) in [
            ("a.example.org", "example.org", false),
            ("a.example.org", "b.org, .EXAMPLE.org", false),
            ("badexample.org", "example.org", true),
            ("example.org.", "example.org", false),
            ("h", "*", false),
            ("10.1.2.3", "10.1.0.0/16", false),
            ("10.2.2.3", "10.1.0.0/16", true),
            ("10.2.2.3", "0.0.0.0/0", false),
            ("10.2.2.3", "10.1.0.0/33,10.2.2.3", false),
            ("[2001:db8::1]", "2001:db8::/32", false),
            ("2001:db8::1", "[2001:db8::1]", false),
            ("2001:db9::1", "2001:db8::/32", true),
            ("10.2.2.3", "2.3", true),
        ] {
            assert_eq!(from(host, "p", no), Ok(through), "{host} {no}");
        }
    }
}
