//! The built-in server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::positive_time;

/// Options of `serve`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("tls").multiple(true))]
pub struct ServeArgs {
    /// FLV files, or directories of them; without any, a live test stream under every name
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// Listen for rtmp and rtmpe on this address and port; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1935")]
    pub listen: SocketAddr,
    /// Also listen for rtmps on this address and port
    #[arg(long, value_name = "ADDR:PORT", group = "tls")]
    pub listen_tls: Option<SocketAddr>,
    /// Also listen for HTTP tunnels (rtmpt, rtmpte) on this address and port
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_tunnel: Option<SocketAddr>,
    /// Also listen for HTTP tunnels over TLS (rtmpts) on this address and port
    #[arg(long, value_name = "ADDR:PORT", group = "tls")]
    pub listen_tunnel_tls: Option<SocketAddr>,
    /// Also listen for rtmfp on this address and UDP port
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen_rtmfp: Option<SocketAddr>,
    /// PEM file with the TLS certificate, and optionally its private key [default: a self-signed one]
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub cert: Option<PathBuf>,
    /// PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Write the self-signed certificates to FILE, for clients to trust (rtmpcat --cafile FILE)
    #[arg(long, value_name = "FILE", requires = "tls", conflicts_with = "cert")]
    pub write_cert: Option<PathBuf>,
    /// Chunk size to send, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    pub chunk_size: u32,
    /// Require login as this user, with the password of --password-file
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// Read the password from the first line of FILE
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// Authentication scheme
    #[arg(long, value_name = "SCHEME", value_parser = ["adobe", "llnw"], default_value = "adobe", requires = "user")]
    pub authmod: String,
    /// Require SecureToken with this key
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub secure_token: Option<String>,
    /// Require SWF verification against this file
    #[arg(long, value_name = "FILE")]
    pub swf_verify: Option<String>,
    /// Exit after N clients have disconnected
    #[arg(long, value_name = "N")]
    pub max_clients: Option<u32>,
    /// Send files as fast as the client reads, whatever buffer it announces
    #[arg(long)]
    pub fast: bool,
    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// File to write
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, default_value = "demo.flv")]
    pub output: PathBuf,
    /// How much to record
    #[arg(long, value_name = "TIME", value_parser = positive_time, default_value = "3")]
    pub seconds: Duration,
}
