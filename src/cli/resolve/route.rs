//! The way to any server: proxy, TLS, address family.

use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::cli::args::ConnectArgs;
use crate::connect::{ProxyChoice, Route};
use crate::transport::{Family, Proxy, TlsOptions, TunnelOptions};

/// Takes the options, and librtmp's key `socks` where no option says anything about proxies. `timeout` is the limit
/// for getting there, and for a server that takes nothing.
///
/// # Errors
/// What is wrong with them, in words.
pub fn route(args: &ConnectArgs, digest: bool, socks_key: Option<&str>, timeout: Duration) -> Result<Route> {
    let network = &args.network;
    let socks = |place: &str| Proxy::socks4(place).map(ProxyChoice::Given);
    let proxy = match (&network.proxy, network.socks.as_deref().or(socks_key)) {
        (Some(none), _) if none.is_empty() => ProxyChoice::Direct,
        (Some(url), _) => ProxyChoice::Given(url.parse().map_err(|reason| anyhow!("--proxy: {reason}"))?),
        (None, Some(place)) => socks(place).map_err(|reason| anyhow!("--socks: {reason}"))?,
        (None, None) => ProxyChoice::Environment,
    };
    Ok(Route {
        family: match (args.ipv4, args.ipv6) {
            (true, _) => Some(Family::V4),
            (_, true) => Some(Family::V6),
            _ => None,
        },
        bind: args.bind,
        timeout,
        tls: TlsOptions {
            cafile: network.cafile.clone(),
            pins: network.pin.clone(),
            insecure: network.insecure,
            cert: network.cert.clone(),
            key: network.key.clone(),
        },
        tunnel: TunnelOptions { ident: network.tunnel_ident },
        proxy,
        digest,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::parse::Cli;
    use crate::transport::ProxyKind;

    fn ways(args: &[&str], key: Option<&str>) -> Result<Route> {
        let cli = Cli::try_parse_from(["rtmpcat"].iter().chain(args))?;
        route(&cli.record.connect, cli.record.flash.digest, key, Duration::from_secs(7))
    }

    #[test]
    fn options_of_the_layers() {
        let route = ways(&["--insecure", "--digest", "--proxy=", "--tunnel-ident"], None).unwrap();
        assert!(route.tls.insecure && route.digest && route.tunnel.ident);
        assert_eq!(route.timeout, Duration::from_secs(7));
        let route = ways(&["--cafile", "f"], None).unwrap();
        assert!(!route.tls.insecure && !route.digest && !route.tunnel.ident);
        assert_eq!(route.tls.cafile, Some("f".into()));
    }

    #[test]
    fn one_proxy_of_many_places() {
        let kind = |args: &[&str], key| match ways(args, key).unwrap().proxy {
            ProxyChoice::Given(proxy) => Some((proxy.kind, proxy.host, proxy.port)),
            ProxyChoice::Direct => None,
            ProxyChoice::Environment => panic!("the environment"),
        };
        let proxy = |kind, host: &str, port| Some((kind, host.to_owned(), port));
        assert_eq!(kind(&["-S", "a"], None), proxy(ProxyKind::Socks4, "a", 1080));
        assert_eq!(kind(&["-S", "a:9"], Some("b")), proxy(ProxyKind::Socks4, "a", 9));
        assert_eq!(kind(&[], Some("b:8")), proxy(ProxyKind::Socks4, "b", 8));
        assert_eq!(kind(&["--proxy", "socks5h://u:p@c"], Some("b:8")), proxy(ProxyKind::Socks5h, "c", 1080));
        assert_eq!(kind(&["--proxy", ""], Some("b:8")), None);
        assert!(matches!(ways(&[], None).unwrap().proxy, ProxyChoice::Environment));
        assert!(ways(&["--proxy", "ftp://x"], None).unwrap_err().to_string().starts_with("--proxy: "));
        assert!(ways(&["-S", "a:x"], None).unwrap_err().to_string().starts_with("--socks: "));
        assert!(ways(&["-S", "a", "--proxy", "b"], None).is_err());
    }
}
