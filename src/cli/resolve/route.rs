//! The way to any server: proxy, TLS, address family.

use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::cli::args::ConnectArgs;
use crate::cli::dump::{Via, Ways};
use crate::transport::{Family, Proxy, TlsOptions, TunnelOptions};

/// Takes the options, and librtmp's key `socks` where no option says anything about proxies. `timeout` is the limit
/// for getting there, and for a server that takes nothing.
///
/// # Errors
/// What is wrong with them, in words.
pub fn route(args: &ConnectArgs, digest: bool, socks_key: Option<&str>, timeout: Duration) -> Result<Ways> {
    let network = &args.network;
    let socks = |place: &str| Proxy::socks4(place).map(Via::Given);
    let proxy = match (&network.proxy, network.socks.as_deref().or(socks_key)) {
        (Some(none), _) if none.is_empty() => Via::Nothing,
        (Some(url), _) => Via::Given(url.parse().map_err(|reason| anyhow!("--proxy: {reason}"))?),
        (None, Some(place)) => socks(place).map_err(|reason| anyhow!("--socks: {reason}"))?,
        (None, None) => Via::Environment,
    };
    Ok(Ways {
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
    use crate::proto::handshake;
    use crate::transport::ProxyKind;
    use crate::url::{Overrides, TcUrlStyle, Url};

    fn ways(args: &[&str], key: Option<&str>) -> Result<Ways> {
        let cli = Cli::try_parse_from(["rtmpcat"].iter().chain(args))?;
        route(&cli.record.connect, cli.record.flash.digest, key, Duration::from_secs(7))
    }

    fn target(url: &str) -> Url {
        Url::new(Some(url), &Overrides::default(), TcUrlStyle::WithPort).unwrap()
    }

    #[test]
    fn the_scheme_decides_on_the_layers() {
        let ways = ways(&["--insecure", "--digest", "--proxy="], None).unwrap();
        for (scheme, tls, tunnel, kind) in [
            ("rtmp", false, false, handshake::Kind::Digest),
            ("rtmps", true, false, handshake::Kind::Digest),
            ("rtmpe", false, false, handshake::Kind::Rtmpe),
            ("rtmpt", false, true, handshake::Kind::Digest),
            ("rtmpts", true, true, handshake::Kind::Digest),
            ("rtmpte", false, true, handshake::Kind::Rtmpe),
        ] {
            let target = target(&format!("{scheme}://h/a/s"));
            let dial = ways.dial(&target).unwrap();
            assert_eq!((dial.tls.is_some(), dial.tunnel.is_some()), (tls, tunnel), "{scheme}");
            assert!(dial.tls.is_none_or(|tls| tls.insecure) && dial.proxy.is_none());
            assert_eq!(ways.handshake(target.scheme), kind, "{scheme}");
            assert_eq!((dial.connect_timeout, dial.write_timeout), (Duration::from_secs(7), Duration::from_secs(7)));
        }
    }

    #[test]
    fn a_tunnel_is_asked_for_its_identity_on_demand() {
        let tunnel = |args: &[&str]| ways(args, None).unwrap().dial(&target("rtmpt://h/a/s")).unwrap().tunnel;
        assert_eq!(tunnel(&["--proxy="]), Some(TunnelOptions { ident: false }));
        assert_eq!(tunnel(&["--proxy=", "--tunnel-ident"]), Some(TunnelOptions { ident: true }));
    }

    #[test]
    fn one_proxy_of_many_places() {
        let kind = |args: &[&str], key| match ways(args, key).unwrap().proxy {
            Via::Given(proxy) => Some((proxy.kind, proxy.host, proxy.port)),
            Via::Nothing => None,
            Via::Environment => panic!("the environment"),
        };
        let proxy = |kind, host: &str, port| Some((kind, host.to_owned(), port));
        assert_eq!(kind(&["-S", "a"], None), proxy(ProxyKind::Socks4, "a", 1080));
        assert_eq!(kind(&["-S", "a:9"], Some("b")), proxy(ProxyKind::Socks4, "a", 9));
        assert_eq!(kind(&[], Some("b:8")), proxy(ProxyKind::Socks4, "b", 8));
        assert_eq!(kind(&["--proxy", "socks5h://u:p@c"], Some("b:8")), proxy(ProxyKind::Socks5h, "c", 1080));
        assert_eq!(kind(&["--proxy", ""], Some("b:8")), None);
        assert!(matches!(ways(&[], None).unwrap().proxy, Via::Environment));
        assert!(ways(&["--proxy", "ftp://x"], None).unwrap_err().to_string().starts_with("--proxy: "));
        assert!(ways(&["-S", "a:x"], None).unwrap_err().to_string().starts_with("--socks: "));
        assert!(ways(&["-S", "a", "--proxy", "b"], None).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_matters_only_to_tls() {
        let ways = ways(&["--cafile", "/no/such/file"], None).unwrap();
        assert!(ways.dial(&target("rtmp://h/a/s")).is_ok());
        let error = ways.dial(&target("rtmps://h/a/s")).unwrap_err();
        assert!(error.starts_with("--cafile /no/such/file: "), "{error}");
    }
}
