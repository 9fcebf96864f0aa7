//! How to connect, in plain values.

use std::sync::Arc;

use super::client::{Client, Timeouts};
use super::login::Login;
use super::route::Route;
use super::swf::SwfProof;
use crate::proto::session::SessionConfig;
use crate::url::Url;

/// Everything that a [`Connector`](super::Connector) needs to know beside the URL.
#[derive(Debug, Clone)]
pub struct Options {
    /// Addresses, proxy, TLS, tunnel.
    pub route: Route,
    /// What is said there. The URL decides on the handshake, on `app` and `tcUrl` of connect and on the playpath; what
    /// stands here in their place is not used.
    pub session: SessionConfig,
    /// How long each part may take.
    pub timeouts: Timeouts,
    /// User and password, for servers that ask.
    pub login: Login,
    /// Whether a server's redirects (and its ReconnectRequest to another place) are followed. From TLS to a place without
    /// they never are.
    pub follow_redirects: bool,
    /// How SWF verification is answered.
    pub swf: SwfProof,
    /// Who looks at the bytes of each connection.
    pub taps: Taps,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            route: Route::default(),
            session: SessionConfig::default(),
            timeouts: Timeouts::default(),
            login: Login::default(),
            follow_redirects: true,
            swf: SwfProof::default(),
            taps: Taps::default(),
        }
    }
}

/// Adds taps to each connection that is opened.
#[derive(Clone, Default)]
pub struct Taps(Option<Arc<AddTaps>>);

type AddTaps = dyn Fn(&mut Client, &Url) + Send + Sync;

impl Taps {
    /// `add` is called with each new connection, before anything is sent, and where it leads.
    pub fn new(add: impl Fn(&mut Client, &Url) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(add)))
    }

    pub(super) fn add(&self, client: &mut Client, url: &Url) {
        if let Some(add) = &self.0 {
            add(client, url);
        }
    }
}

impl std::fmt::Debug for Taps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Taps({})", self.0.is_some())
    }
}
