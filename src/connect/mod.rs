//! From a URL to a session that plays: the way there, the order of commands, redirects, logging in, SWF verification, and
//! the one loop that reads and writes a connection.
//!
//! ```text
//! Url + Options ─► Connector ─► Client ─► poll / event / wait
//! ```

mod client;
mod connector;
mod error;
mod event;
mod login;
mod options;
mod progress_clock;
mod route;
mod swf;

pub use client::{Client, Marks, Tap, Timeouts};
pub use connector::Connector;
pub use error::{Error, Failure, Phase, Refusal};
pub use event::{ConnectEvent, Fallback};
pub use login::{Login, LoginError};
pub use options::{Options, Taps};
pub use route::{ProxyChoice, Route, RouteError, RouteWarning, TlsFile};
pub use swf::SwfProof;
