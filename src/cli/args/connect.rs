//! From this machine to the server: every command that connects takes these.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{positive_time, time};

/// Options of connecting.
#[derive(Debug, Clone, Default, Args)]
pub struct ConnectArgs {
    /// Fail if no media arrives for TIME; 0 waits forever [default: 30]
    #[arg(short = 'm', long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, display_order = 10)]
    pub timeout: Option<Duration>,
    /// Log in as NAME if the server requests authentication
    ///
    /// The name is also taken from rtmp://USER:PASSWORD@host and from RTMPCAT_USER.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, display_order = 11)]
    pub user: Option<String>,
    /// Read the password from the first line of FILE
    ///
    /// The password is also taken from RTMPCAT_PASSWORD. Neither shows up in the process list.
    #[arg(long, value_name = "FILE", hide_short_help = true, display_order = 12)]
    pub password_file: Option<PathBuf>,
    /// Timeout for each connection step: resolve, connect, handshake, commands [default: --timeout if given, else 10]
    #[arg(long, value_name = "TIME", value_parser = positive_time, hide_short_help = true, help_heading = "Network")]
    pub connect_timeout: Option<Duration>,
    /// Host to connect to, instead of the URL's
    #[arg(
        short = 'n',
        long,
        value_name = "HOST",
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Network"
    )]
    pub host: Option<String>,
    /// Port to connect to, instead of the URL's
    #[arg(
        short = 'c',
        long,
        value_name = "PORT",
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Network"
    )]
    pub port: Option<u16>,
    /// Protocol, instead of the URL's: 0 rtmp, 1 rtmpt, 2 rtmpe, 3 rtmpte, 4 rtmps, 5 rtmpts
    #[arg(
        short = 'l',
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(0..=5),
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Network"
    )]
    pub protocol: Option<u8>,
    /// Application, instead of the URL's
    #[arg(
        short = 'a',
        long,
        value_name = "APP",
        value_parser = super::values::name(),
        allow_hyphen_values = true,
        hide_short_help = true,
        help_heading = "Network"
    )]
    pub app: Option<String>,
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6", hide_short_help = true, help_heading = "Network")]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long, hide_short_help = true, help_heading = "Network")]
    pub ipv6: bool,
    /// Connect from this local address
    #[arg(long, value_name = "ADDR", hide_short_help = true, help_heading = "Network")]
    pub bind: Option<IpAddr>,
    /// Do not follow redirects
    #[arg(long, hide_short_help = true, help_heading = "Network")]
    pub no_redirect: bool,
    /// Proxy and TLS.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// Options of the layers below RTMP.
#[derive(Debug, Clone, Default, Args)]
pub struct NetworkArgs {
    /// Use a SOCKS or HTTP proxy
    ///
    /// URL is [socks4|socks4a|socks5|socks5h|http]://[USER:PASSWORD@]HOST[:PORT]. Without it the proxy of ALL_PROXY is used, unless NO_PROXY names the host. An empty value uses no proxy.
    #[arg(long, value_name = "URL", display_order = 13)]
    pub proxy: Option<String>,
    /// Use a SOCKS4 proxy [default port: 1080]
    #[arg(
        short = 'S',
        long,
        value_name = "HOST[:PORT]",
        allow_hyphen_values = true,
        conflicts_with = "proxy",
        hide_short_help = true,
        help_heading = "Network"
    )]
    pub socks: Option<String>,
    /// Request /fcs/ident2 before opening an HTTP tunnel, as Flash Player does (rtmpt, rtmpts, rtmpte)
    #[arg(long, hide_short_help = true, help_heading = "Network")]
    pub tunnel_ident: bool,
    /// Trust the CA certificates in this PEM file instead of the system's (rtmps, rtmpts)
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = "Network")]
    pub cafile: Option<PathBuf>,
    /// Accept only servers with this public key, in addition to the usual checks; separate keys with ;
    #[arg(long, value_name = "sha256//BASE64", hide_short_help = true, help_heading = "Network")]
    pub pin: Option<crate::transport::Pins>,
    /// Accept any certificate; the connection can then be intercepted
    #[arg(long, hide_short_help = true, help_heading = "Network")]
    pub insecure: bool,
    /// PEM file with a client certificate, and optionally its private key
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = "Network")]
    pub cert: Option<PathBuf>,
    /// PEM file with the private key of the client certificate
    #[arg(long, value_name = "FILE", requires = "cert", hide_short_help = true, help_heading = "Network")]
    pub key: Option<PathBuf>,
}
