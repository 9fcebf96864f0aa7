//! The layers below RTMP: whatever does not change when a server redirects to another host or scheme.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::cli::log::Log;
use crate::proto::handshake;
use crate::swf::{HttpOptions, WebProxy};
use crate::transport::{DialOptions, Family, Proxy, TlsOptions, TunnelOptions};
use crate::url::{Scheme, Url};

/// How to get to a target, whichever it is.
#[derive(Debug, Clone)]
pub struct Ways {
    /// Only addresses of this family.
    pub family: Option<Family>,
    /// Local address.
    pub bind: Option<IpAddr>,
    /// Limit for getting to the server, and for one that takes nothing.
    pub timeout: Duration,
    /// Used where the scheme says TLS.
    pub tls: TlsOptions,
    /// Used where the scheme says HTTP.
    pub tunnel: TunnelOptions,
    /// Which proxy.
    pub proxy: Via,
    /// Ask for the digest handshake.
    pub digest: bool,
}

/// Which proxy.
#[derive(Debug, Clone)]
pub enum Via {
    /// The one that the environment names for the host.
    Environment,
    /// None, whatever the environment says.
    Nothing,
    /// This one.
    Given(Proxy),
}

impl Ways {
    /// Does without a proxy of the environment that makes no sense for `host`. Returns what is wrong with it, in words.
    pub fn without_odd_environment(&mut self, host: &str) -> Option<String> {
        let reason = matches!(self.proxy, Via::Environment).then(|| Proxy::from_env(host).err()).flatten()?;
        self.proxy = Via::Nothing;
        Some(reason.to_string())
    }

    /// The way to this target: the scheme decides on TLS and tunnel.
    ///
    /// # Errors
    /// A proxy in the environment that makes no sense, or a file that cannot be opened, in words.
    pub fn dial(&self, target: &Url) -> Result<DialOptions, String> {
        let tls = target.scheme.is_tls().then(|| self.tls.clone());
        if let Some(tls) = &tls {
            for (option, file) in [("--cafile", &tls.cafile), ("--cert", &tls.cert), ("--key", &tls.key)] {
                file.as_deref().map_or(Ok(()), |file| can_be_opened(option, file))?;
            }
        }
        let proxy = match &self.proxy {
            Via::Environment => Proxy::from_env(&target.host).map_err(|error| error.to_string())?,
            Via::Nothing => None,
            Via::Given(proxy) => Some(proxy.clone()),
        };
        Ok(DialOptions {
            host: target.host.clone(),
            port: target.port,
            family: self.family,
            tls,
            tunnel: target.scheme.is_tunnel().then(|| self.tunnel.clone()),
            proxy,
            bind: self.bind,
            connect_timeout: self.timeout,
            write_timeout: self.timeout,
        })
    }

    /// The way to a web server: through the same proxy, with trust in the same file. Pins and client certificates are the
    /// RTMP server's affair.
    pub fn web(&self) -> HttpOptions {
        HttpOptions {
            proxy: match &self.proxy {
                Via::Environment => WebProxy::Environment,
                Via::Nothing => WebProxy::Direct,
                Via::Given(proxy) => WebProxy::Given(proxy.clone()),
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

    /// Says what is unsafe about going to this target.
    pub fn warn(&self, target: &Url, log: &Log) {
        if target.scheme.is_tls() && self.tls.insecure {
            log.warning(&match self.tls.pins {
                None => format!(
                    "--insecure: nobody checks who {} really is; anybody on the way can read and change everything",
                    target.host
                ),
                Some(_) => {
                    format!("--insecure: of {}'s certificate nothing but the pinned key is checked", target.host)
                }
            });
        }
        if !target.scheme.is_tls() && (self.tls.cafile.is_some() || self.tls.pins.is_some() || self.tls.cert.is_some())
        {
            log.warning(&format!(
                "{} has no TLS: --cafile, --pin and --cert have nothing to work on there (rtmps and rtmpts have)",
                target.scheme
            ));
        }
    }
}

/// A wrong name is known before anything is connected.
fn can_be_opened(option: &str, file: &Path) -> Result<(), String> {
    std::fs::File::open(file).map(drop).map_err(|error| format!("{option} {}: {error}", file.display()))
}
