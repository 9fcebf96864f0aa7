//! Options of a server session, and its decision about a client that connects (§7.2.1.1). Does not check what comes after
//! connect: tokens, SWF verification and subscriptions count when something is to be played.

use std::sync::Arc;

use crate::proto::amf0::{Object, Value};
use crate::proto::auth::Guard;
use crate::proto::chunk::Limits;
use crate::proto::message::message_type;
use crate::proto::status::StatusCode;
use crate::proto::swfv;

/// How a server session behaves. The default is a friendly server that lets everybody in.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Chunk size that is announced after connect, in bytes; `None` stays at 128 without a word.
    pub chunk_size: Option<u32>,
    /// Window Acknowledgement Size that the client is asked for, in bytes.
    pub window: u32,
    /// Set Peer Bandwidth, in bytes; `None` does not send it.
    pub peer_bandwidth: Option<u32>,
    /// Send `onBWDone` after connect, as Flash Media Server does.
    pub bandwidth_done: bool,
    /// What `fmsVer` in connect's result says. Clients look for the letters `FMS/` and a number to know what they can do.
    pub server_version: String,
    /// The message stream ID that createStream gives first; the following ones count on.
    pub first_stream_id: u32,
    /// Access control.
    pub access: AccessPolicy,
    /// What the client may make us hold.
    pub limits: Limits,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            chunk_size: Some(4096),
            window: 2_500_000,
            peer_bandwidth: Some(2_500_000),
            bandwidth_done: true,
            server_version: "FMS/3,5,7,7009".to_owned(),
            first_stream_id: 1,
            access: AccessPolicy::default(),
            // A player sends commands only; a megabyte of `connect` arguments is more than anyone needs.
            limits: Limits { message_bytes: 1 << 20, chunk_streams: 64, held_bytes: 2 << 20 },
        }
    }
}

/// What a client has to bring. Every door is open in the default.
#[derive(Debug, Clone, Default)]
pub struct AccessPolicy {
    /// Refuse `connect` with this code and description.
    pub reject: Option<(StatusCode, String)>,
    /// Refuse `connect` with `NetConnection.Connect.Rejected` and this URL in `ex.redirect` (code 302).
    pub redirect: Option<String>,
    /// Only these applications; others get `NetConnection.Connect.InvalidApp`. Empty: any.
    pub apps: Vec<String>,
    /// Ask for a user and a password (`authmod`). It is the same one for all connections, as a client answers on its next.
    pub login: Option<Arc<Guard>>,
    /// Send a SecureToken challenge; the client has to answer it before it plays.
    pub secure_token: Option<SecureToken>,
    /// Ask for SWF verification; the client has to answer it before it plays.
    pub swf: Option<SwfCheck>,
    /// `play` needs an `FCSubscribe` for the same name before.
    pub require_subscribe: bool,
    /// connect's `pageUrl` has to be this one.
    pub page_url: Option<String>,
    /// The string that has to follow `true` after connect's command object (rtmpdump's `--auth`).
    pub auth: Option<String>,
    /// What `NetStream.Authenticate.UsherToken` has to say before `play`.
    pub usher_token: Option<String>,
}

/// A SecureToken challenge (Wowza): sixteen hexadecimal digits or more, and the key that deciphers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecureToken {
    /// What connect's result carries in `secureToken`.
    pub challenge: String,
    /// The key that both ends know.
    pub key: String,
}

/// The SWF file that a client has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwfCheck {
    /// HMAC-SHA256 of the decompressed file.
    pub hash: [u8; 32],
    /// Length of the decompressed file, in bytes.
    pub size: u32,
}

impl SwfCheck {
    /// Looks at the data of a response; `key` is the last 32 bytes of S1.
    pub(super) fn verify(&self, response: &[u8], key: &[u8; 32]) -> swfv::Verdict {
        swfv::verify(response, &self.hash, self.size, key)
    }
}

/// A client's `connect`: the properties that are used, and the whole of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectRequest {
    /// Application name, without its query.
    pub app: String,
    /// What follows the `?` in the application name; empty if nothing.
    pub query: String,
    /// URL of the server as the client knows it.
    pub tc_url: String,
    /// 0 or 3.
    pub object_encoding: f64,
    /// The whole command object.
    pub object: Object,
    /// What came after it.
    pub arguments: Vec<Value>,
}

impl ConnectRequest {
    /// Reads the arguments of a `connect` command; missing ones are left empty.
    pub fn new(arguments: Vec<Value>) -> Self {
        let mut arguments = arguments.into_iter();
        let object = arguments.next().and_then(|value| value.as_object().cloned()).unwrap_or_default();
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let full_app = text("app");
        let (app, query) = full_app.split_once('?').unwrap_or((&full_app, ""));
        Self {
            app: app.trim_end_matches('/').to_owned(),
            query: query.to_owned(),
            tc_url: text("tcUrl"),
            object_encoding: object.get("objectEncoding").and_then(Value::as_number).unwrap_or(0.0),
            arguments: arguments.collect(),
            object,
        }
    }

    /// The type of the commands that this client wants to get.
    pub(super) fn command_type(&self) -> u8 {
        if self.object_encoding == 3.0 { message_type::COMMAND_AMF3 } else { message_type::COMMAND_AMF0 }
    }
}

/// Why a client does not get in, in the words of `_error`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub code: StatusCode,
    pub description: String,
    /// Goes into `ex.redirect`.
    pub redirect: Option<String>,
}

impl Refusal {
    pub fn new(code: StatusCode, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), redirect: None }
    }

    fn rejected(description: impl Into<String>) -> Self {
        Self::new(StatusCode::ConnectRejected, description)
    }
}

impl AccessPolicy {
    /// Looks at a `connect`.
    pub(super) fn check(&self, connect: &ConnectRequest) -> Result<(), Refusal> {
        if let Some((code, description)) = &self.reject {
            return Err(Refusal::new(code.clone(), description));
        }
        if let Some(url) = &self.redirect {
            let refusal = Refusal::rejected("[ Server.Reject ] : Redirected.");
            return Err(Refusal { redirect: Some(url.clone()), ..refusal });
        }
        if !self.apps.is_empty() && !self.apps.contains(&connect.app) {
            let text = format!("[ Server.InvalidApp ] : No application named {:?}.", connect.app);
            return Err(Refusal::new(StatusCode::ConnectInvalidApp, text));
        }
        if let Some(page) = &self.page_url
            && connect.object.get("pageUrl").and_then(Value::as_str) != Some(page)
        {
            return Err(Refusal::rejected("[ Server.Reject ] : This page may not show it."));
        }
        if let Some(auth) = &self.auth
            && !matches!(connect.arguments.as_slice(), [Value::Boolean(true), Value::String(got), ..] if got == auth)
        {
            return Err(Refusal::rejected("[ Server.Reject ] : Not authorised."));
        }
        if let Some(guard) = &self.login {
            let app = connect.object.get("app").and_then(Value::as_str).unwrap_or_default();
            guard.check(app).map_err(Refusal::rejected)?;
        }
        Ok(())
    }
}
