//! Fetching a SWF file over HTTP.

use super::types::{MAX_FILE, SwfError, Validators, origin, shown};
use crate::transport::{Family, Proxy, ProxyKind};
use crate::util::read::read_bounded;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::config::IpFamily;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

/// How a web server is reached, and when it is trusted.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Bounds a fetch as a whole.
    pub timeout: Duration,
    /// Through which proxy.
    pub proxy: WebProxy,
    /// Addresses of this family only.
    pub family: Option<Family>,
    /// Trust the certificates in this file instead of the usual ones.
    pub cafile: Option<PathBuf>,
    /// Trust any certificate.
    pub insecure: bool,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { timeout: LONGEST_FETCH, proxy: WebProxy::Environment, family: None, cafile: None, insecure: false }
    }
}

/// Which proxy leads to a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebProxy {
    /// The one that the environment names, except to this machine itself.
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// This one, wherever it leads.
    Given(Proxy),
}

/// What a web server answers.
pub(super) enum Answer {
    /// The file, or more than is taken of it, and what to ask with the next time.
    File { bytes: Vec<u8>, validators: Validators },
    /// It is as it was.
    Unchanged,
}

/// Gets `url`; with `validators`, only if it has changed since.
pub(super) fn fetch(url: &str, validators: Option<&Validators>, options: &HttpOptions) -> Result<Answer, SwfError> {
    let failed = |reason: String| SwfError::Fetch { url: shown(url), reason };
    let (scheme, host) = origin(url).ok_or_else(|| failed("only http: and https: are fetched".to_owned()))?;
    let mut config = ureq::Agent::config_builder()
        .timeout_global(Some(options.timeout))
        .tls_config(tls(options)?)
        .ip_family(match options.family {
            None => IpFamily::Any,
            Some(Family::V4) => IpFamily::Ipv4Only,
            Some(Family::V6) => IpFamily::Ipv6Only,
        })
        .max_redirects(MAX_REDIRECTS)
        .http_status_as_error(false)
        .user_agent(USER_AGENT);
    match &options.proxy {
        // No proxy reaches what is on this machine.
        WebProxy::Environment if is_loopback(host) => config = config.proxy(None),
        WebProxy::Environment => {}
        WebProxy::Direct => config = config.proxy(None),
        WebProxy::Given(given) => config = config.proxy(Some(proxy(given).map_err(|e| failed(e.to_string()))?)),
    }
    // Some servers give their player only to their own pages.
    let mut request = config.build().new_agent().get(url).header("Referer", format!("{scheme}://{host}/"));
    for (name, value) in validators.into_iter().flat_map(Validators::headers) {
        request = request.header(name, value);
    }
    let mut response = request.call().map_err(|error| failed(error.to_string()))?;
    match response.status().as_u16() {
        200 => {}
        304 => return Ok(Answer::Unchanged),
        status => return Err(SwfError::Status { url: shown(url), status }),
    }
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let validators = Validators::new(header("Last-Modified"), header("ETag"));
    let mut bytes = Vec::new();
    // A byte more than is taken, so that it is seen to be too much.
    let body = response.body_mut().as_reader().take(MAX_FILE + 1).read_to_end(&mut bytes);
    body.map_err(|error| failed(error.to_string()))?;
    Ok(Answer::File { bytes, validators })
}

fn proxy(given: &Proxy) -> Result<ureq::Proxy, ureq::Error> {
    let kind = match given.kind {
        ProxyKind::Socks4 => ureq::ProxyProtocol::Socks4,
        ProxyKind::Socks4a => ureq::ProxyProtocol::Socks4A,
        ProxyKind::Socks5 => ureq::ProxyProtocol::Socks5,
        ProxyKind::Socks5h => ureq::ProxyProtocol::Socks5h,
        ProxyKind::Http => ureq::ProxyProtocol::Http,
    };
    let host = if given.host.contains(':') { format!("[{}]", given.host) } else { given.host.clone() };
    let mut proxy = ureq::Proxy::builder(kind).host(&host).port(given.port);
    if let Some(user) = &given.user {
        proxy = proxy.username(user);
    }
    if let Some(password) = &given.password {
        proxy = proxy.password(password);
    }
    proxy.build()
}

fn tls(options: &HttpOptions) -> Result<TlsConfig, SwfError> {
    let mut tls = TlsConfig::builder().disable_verification(options.insecure);
    if let Some(path) = &options.cafile {
        let found = certificates(path).map_err(|source| SwfError::Certificates { path: path.clone(), source })?;
        tls = tls.root_certs(found);
    }
    Ok(tls.build())
}

/// All certificates of a PEM file.
fn certificates(path: &Path) -> io::Result<RootCerts> {
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(&read_bounded(path, MAX_PEM)?) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| invalid(error.to_string()))? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(invalid("no certificate in it (expected PEM)".to_owned()));
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next(),
        None => host.split(':').next(),
    };
    let name = name.unwrap_or_default();
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Players are small; a web server that takes longer than this is not waited for.
const LONGEST_FETCH: Duration = Duration::from_secs(30);

/// Largest file of certificates, in bytes: all the authorities of a system have less than 1 MiB.
const MAX_PEM: u64 = 16 << 20;

/// How often a web server may redirect.
const MAX_REDIRECTS: u32 = 10;

/// Web servers are known to turn away what is not a browser.
const USER_AGENT: &str = concat!("Mozilla/5.0 (compatible; rtmpcat/", env!("CARGO_PKG_VERSION"), ")");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:8080", "[::1]", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "127.0.0.1.example.com", "10.0.0.1:80", "[::2]:80", "["] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
