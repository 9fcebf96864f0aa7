//! Options of connections and listeners.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::datagram_protocol::DatagramConnector;
use super::proxy_url::Proxy;

/// How to reach a server.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// Host name or address; an IPv6 literal with or without brackets, a zone written `%eth0` or `%25eth0`.
    pub host: String,
    /// TCP or UDP port.
    pub port: u16,
    /// Restricts the addresses to one family. `None`: IPv6 and IPv4 compete as in RFC 8305.
    pub family: Option<Family>,
    /// TLS, and which certificates to trust.
    pub tls: Option<TlsOptions>,
    /// RTMPT: an HTTP tunnel.
    pub tunnel: Option<TunnelOptions>,
    /// A protocol over UDP that carries the bytes, in place of TCP and all that would be on it.
    pub datagrams: Option<DatagramConnector>,
    /// Proxy to go through.
    pub proxy: Option<Proxy>,
    /// Local address to connect from.
    pub bind: Option<IpAddr>,
    /// Time limit for all of [`super::Transport::open`]. Also for a tunnel's later reconnections, each.
    pub connect_timeout: Duration,
    /// Limit for one [`super::Transport::send`].
    pub write_timeout: Duration,
}

impl Default for DialOptions {
    fn default() -> Self {
        DialOptions {
            host: String::new(),
            port: 1935,
            family: None,
            tls: None,
            tunnel: None,
            datagrams: None,
            proxy: None,
            bind: None,
            connect_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
        }
    }
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// How to tunnel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TunnelOptions {
    /// Ask for `/fcs/ident2` first, as Flash Player does: some load balancers require it. Costs a round trip.
    pub ident: bool,
}

/// How a client uses TLS. The default verifies the server's certificate with the platform's trust store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file of the certificates to trust, instead of the platform's. May contain the server's own certificate.
    pub cafile: Option<PathBuf>,
    /// Accept only servers with one of these public keys, in addition to all other checks.
    pub pins: Option<Pins>,
    /// Accept any certificate that matches the pins, if there are any.
    pub insecure: bool,
    /// PEM file of the client's own certificate and its chain.
    pub cert: Option<PathBuf>,
    /// PEM file of the client's private key; the certificate's file when there is none.
    pub key: Option<PathBuf>,
}

/// Public keys, as SHA-256 sums of their SubjectPublicKeyInfo, in curl's spelling: `sha256//BASE64`, separated by `;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pins(pub(super) Vec<[u8; 32]>);

impl FromStr for Pins {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let pins = text.split(';').map(|pin| {
            let digest = pin.trim().strip_prefix("sha256//").and_then(|base64| BASE64.decode(base64).ok());
            digest.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| PinError(pin.to_owned()))
        });
        pins.collect::<Result<_, _>>().map(Pins)
    }
}

/// A pin that is not in this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid pin \"{0}\" (use sha256//BASE64 of a SHA-256 sum)")]
pub struct PinError(String);

/// How a listener uses TLS. By default with a self-signed certificate, a new one for each listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerTlsOptions {
    /// PEM file of the certificate and its chain.
    pub cert: Option<PathBuf>,
    /// PEM file of its private key; the certificate's file when there is none.
    pub key: Option<PathBuf>,
    /// Names and addresses of the self-signed certificate, in addition to `localhost`, 127.0.0.1 and ::1.
    pub names: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_spelt_as_curl_spells_them() {
        let one = format!("sha256//{}", BASE64.encode([1; 32]));
        let two = format!("sha256//{}", BASE64.encode([2; 32]));
        assert_eq!(one.parse(), Ok(Pins(vec![[1; 32]])));
        assert_eq!(format!("{one};{two}").parse(), Ok(Pins(vec![[1; 32], [2; 32]])));
        let short = format!("sha256//{}", BASE64.encode([1; 31]));
        for bad in ["", "sha256//", "sha1//AAAA", &one[8..], &short, &format!("{one};")] {
            assert!(bad.parse::<Pins>().is_err(), "{bad}");
        }
    }
}
