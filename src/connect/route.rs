//! The way to a server below RTMP: addresses, proxy, TLS, tunnel, handshake. It stays the same when a redirect leads to
//! another host or scheme; the URL's scheme decides which parts of it are used.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::proto::handshake;
use crate::rtmfp;
use crate::swf::{HttpOptions, WebProxy};
use crate::transport::{DialOptions, Family, Proxy, TlsOptions, TunnelOptions};
use crate::url::{Scheme, Url};

/// How to reach a server, whichever it is.
#[derive(Debug, Clone)]
pub struct Route {
    /// Addresses of this family only.
    pub family: Option<Family>,
    /// Local address to connect from.
    pub bind: Option<IpAddr>,
    /// Limit for opening the connection (all steps together), and for one write.
    pub timeout: Duration,
    /// Used where the scheme says TLS.
    pub tls: TlsOptions,
    /// Used where the scheme says HTTP.
    pub tunnel: TunnelOptions,
    /// Through which proxy.
    pub proxy: ProxyChoice,
    /// Make the digest handshake also where the scheme does not ask for it.
    pub digest: bool,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            family: None,
            bind: None,
            timeout: DEFAULT_TIMEOUT,
            tls: TlsOptions::default(),
            tunnel: TunnelOptions::default(),
            proxy: ProxyChoice::default(),
            digest: false,
        }
    }
}

/// Which proxy.
#[derive(Debug, Clone, Default)]
pub enum ProxyChoice {
    /// The one that `ALL_PROXY` names, unless `NO_PROXY` excepts the host.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// This one.
    Given(Proxy),
}

/// Why there is no route to a server.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The environment names a proxy that makes no sense.
    #[error("{0}")]
    Proxy(String),
    /// A file that TLS needs cannot be opened.
    #[error("cannot open {role} {}: {source}", path.display())]
    File {
        /// What is in it.
        role: TlsFile,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file that TLS reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    /// Certificates to trust.
    Authorities,
    /// The client's own certificate.
    Certificate,
    /// Its private key.
    Key,
}

impl std::fmt::Display for TlsFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            TlsFile::Authorities => "CA file",
            TlsFile::Certificate => "client certificate",
            TlsFile::Key => "client key",
        })
    }
}

/// Something about a route that a user should know before it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteWarning {
    /// The server's certificate is not verified; with `pinned`, nothing but its key is.
    NotVerified {
        /// A public key is required.
        pinned: bool,
    },
    /// There are options for TLS, and the scheme has none.
    WithoutTls,
}

impl Route {
    /// Goes without a proxy that the environment names if it makes no sense for `host`. Returns what is wrong with it.
    pub fn ignore_invalid_env_proxy(&mut self, host: &str) -> Option<String> {
        let reason = matches!(self.proxy, ProxyChoice::Environment).then(|| Proxy::from_env(host).err()).flatten()?;
        self.proxy = ProxyChoice::Direct;
        Some(reason.to_string())
    }

    /// The route to this place: the scheme decides on TLS and tunnel.
    ///
    /// # Errors
    /// A proxy in the environment that makes no sense, or a file that cannot be opened.
    pub fn dial(&self, target: &Url) -> Result<DialOptions, RouteError> {
        let tls = target.scheme.is_tls().then(|| self.tls.clone());
        if let Some(tls) = &tls {
            let files =
                [(TlsFile::Authorities, &tls.cafile), (TlsFile::Certificate, &tls.cert), (TlsFile::Key, &tls.key)];
            for (role, path) in files {
                path.as_deref().map_or(Ok(()), |path| can_be_opened(role, path))?;
            }
        }
        let proxy = match &self.proxy {
            ProxyChoice::Environment => {
                Proxy::from_env(&target.host).map_err(|error| RouteError::Proxy(error.to_string()))?
            }
            ProxyChoice::Direct => None,
            ProxyChoice::Given(proxy) => Some(proxy.clone()),
        };
        Ok(DialOptions {
            host: target.host.clone(),
            port: target.port,
            family: self.family,
            tls,
            tunnel: target.scheme.is_tunnel().then(|| self.tunnel.clone()),
            datagrams: target.scheme.is_rtmfp().then(|| rtmfp::connector(&target.tc_url, None)),
            proxy,
            bind: self.bind,
            connect_timeout: self.timeout,
            write_timeout: self.timeout,
        })
    }

    /// The route to a web server: through the same proxy, trusting the same file. Pins and client certificates are for the
    /// RTMP server only.
    pub fn web(&self) -> HttpOptions {
        HttpOptions {
            proxy: match &self.proxy {
                ProxyChoice::Environment => WebProxy::Environment,
                ProxyChoice::Direct => WebProxy::Direct,
                ProxyChoice::Given(proxy) => WebProxy::Given(proxy.clone()),
            },
            family: self.family,
            cafile: self.tls.cafile.clone(),
            insecure: self.tls.insecure,
            ..HttpOptions::default()
        }
    }

    /// The handshake that the scheme asks for.
    pub fn handshake(&self, scheme: Scheme) -> handshake::Kind {
        match (scheme.is_enciphered(), self.digest) {
            (true, _) => handshake::Kind::Rtmpe,
            (false, true) => handshake::Kind::Digest,
            (false, false) => handshake::Kind::Plain,
        }
    }

    /// What is unsafe or without effect on the way to a place of this scheme.
    pub fn warning(&self, scheme: Scheme) -> Option<RouteWarning> {
        let tls = &self.tls;
        match scheme.is_tls() {
            true => tls.insecure.then_some(RouteWarning::NotVerified { pinned: tls.pins.is_some() }),
            false => {
                (tls.cafile.is_some() || tls.pins.is_some() || tls.cert.is_some()).then_some(RouteWarning::WithoutTls)
            }
        }
    }
}

/// A wrong name is known before anything is connected.
fn can_be_opened(role: TlsFile, path: &Path) -> Result<(), RouteError> {
    let failed = |source| RouteError::File { role, path: path.to_owned(), source };
    std::fs::File::open(path).map(drop).map_err(failed)
}

/// For opening a connection.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::url::{Overrides, TcUrlStyle};

    fn target(url: &str) -> Url {
        Url::new(Some(url), &Overrides::default(), TcUrlStyle::WithPort).unwrap()
    }

    fn direct() -> Route {
        Route { proxy: ProxyChoice::Direct, timeout: Duration::from_secs(7), ..Route::default() }
    }

    #[test]
    fn the_scheme_decides_on_the_layers() {
        let route = Route { tls: TlsOptions { insecure: true, ..TlsOptions::default() }, digest: true, ..direct() };
        for (scheme, tls, tunnel, kind) in [
            ("rtmp", false, false, handshake::Kind::Digest),
            ("rtmps", true, false, handshake::Kind::Digest),
            ("rtmpe", false, false, handshake::Kind::Rtmpe),
            ("rtmpt", false, true, handshake::Kind::Digest),
            ("rtmpts", true, true, handshake::Kind::Digest),
            ("rtmpte", false, true, handshake::Kind::Rtmpe),
        ] {
            let target = target(&format!("{scheme}://h/a/s"));
            let dial = route.dial(&target).unwrap();
            assert_eq!((dial.tls.is_some(), dial.tunnel.is_some()), (tls, tunnel), "{scheme}");
            assert!(dial.tls.is_none_or(|tls| tls.insecure) && dial.proxy.is_none());
            assert_eq!(route.handshake(target.scheme), kind, "{scheme}");
            assert_eq!((dial.connect_timeout, dial.write_timeout), (Duration::from_secs(7), Duration::from_secs(7)));
            let warning = tls.then_some(RouteWarning::NotVerified { pinned: false });
            assert_eq!(route.warning(target.scheme), warning, "{scheme}");
        }
    }

    #[test]
    fn a_tunnel_is_asked_for_its_identity_on_demand() {
        for ident in [false, true] {
            let route = Route { tunnel: TunnelOptions { ident }, ..direct() };
            assert_eq!(route.dial(&target("rtmpt://h/a/s")).unwrap().tunnel, Some(TunnelOptions { ident }));
        }
    }

    #[test]
    fn a_file_that_is_not_there_matters_only_to_tls() {
        let tls = TlsOptions { cafile: Some("/no/such/file".into()), ..TlsOptions::default() };
        let route = Route { tls, ..direct() };
        assert!(route.dial(&target("rtmp://h/a/s")).is_ok());
        assert_eq!(route.warning(Scheme::Rtmp), Some(RouteWarning::WithoutTls));
        let error = route.dial(&target("rtmps://h/a/s")).unwrap_err().to_string();
        assert!(error.starts_with("cannot open CA file /no/such/file: "), "{error}");
    }
}
