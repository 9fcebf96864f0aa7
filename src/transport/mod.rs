//! Bytes to and from a server: TCP, proxies, TLS, the HTTP tunnel, UDP. Blocking; independent of RTMP.
//!
//! ```text
//! dial (resolve, happy eyeballs) ─► tcp ─► [proxy] ─► [tls] ─► [rtmpt] ─► Transport
//! resolve ─► UDP sockets ─► a protocol that the caller brings ─► Transport
//! ```
//!
//! A [`Transport`] is opened from [`DialOptions`] and then offers two calls: [`Transport::send`], which returns when all
//! bytes are sent, and [`Transport::recv`], which returns with bytes, after a tick, or at the end. Every wait is bounded by
//! a time limit and checks the [`Interrupt`] at least every 200 ms, so the caller's loop keeps control.

mod connection;
mod datagram;
mod datagram_listener;
mod datagram_protocol;
mod dial;
mod error;
mod host;
mod interrupt;
pub mod listen;
mod options;
mod proxy;
mod proxy_url;
mod resolve;
mod rtmpt;
mod stream;
mod tcp;
mod tls;
mod types;

pub use connection::Transport;
pub use datagram_protocol::{DatagramConnector, DatagramProtocol, DatagramResponder, Routed};
pub use error::{Error, Step};
pub use interrupt::Interrupt;
pub use options::{DialOptions, Family, PinError, Pins, ServerTlsOptions, TlsOptions, TunnelOptions};
pub use proxy_url::{Proxy, ProxyError, ProxyKind};
pub use tls::Certificate;
pub use types::{Recv, Timings};
