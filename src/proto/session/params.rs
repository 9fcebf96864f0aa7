//! Options of a session: the arguments of connect (§7.2.1.1) and play (§7.2.2.1), and how much is sent ahead of answers.
//! Does not choose defaults; that is done where options and URLs are read.

use crate::proto::amf0::{Object, Value};
use crate::proto::chunk::Limits;
use crate::proto::handshake;

use super::announce::{Announcement, CAPS_EX, enhanced_capabilities};

/// Everything a [`super::Session`] needs to know.
#[derive(Debug, Clone)]
pub struct SessionConfig {
    /// Which handshake to make.
    pub handshake: handshake::Kind,
    /// The `connect` command.
    pub connect: ConnectParams,
    /// What to play once connected; `None` for a connection that only calls.
    pub play: Option<PlayParams>,
    /// How much is sent before it is known that the server agrees.
    pub order: Order,
    /// Answer to a `secureToken` in connect's result: the key (Wowza SecureToken).
    pub token: Option<String>,
    /// Token for `NetStream.Authenticate.UsherToken`.
    pub usher_token: Option<String>,
    /// How SWF verification is answered.
    pub swf: Option<SwfVerification>,
    /// What the peer may make us hold.
    pub limits: Limits,
}

impl Default for SessionConfig {
    /// What plays any stream; the URL's part is empty.
    fn default() -> Self {
        Self {
            handshake: handshake::Kind::Plain,
            connect: ConnectParams::default(),
            play: Some(PlayParams::default()),
            order: Order::default(),
            token: None,
            usher_token: None,
            swf: None,
            limits: Limits::default(),
        }
    }
}

impl SessionConfig {
    /// Proves SWF verification by this, if anything. Servers ask after a handshake with a digest.
    pub fn verify_swf(&mut self, swf: Option<SwfVerification>) {
        self.swf = swf;
        if swf.is_some() && self.handshake == handshake::Kind::Plain {
            self.handshake = handshake::Kind::Digest;
        }
    }
}

/// How much is sent before it is known that the server agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Each command waits for the answer to the one before: four round trips.
    Strict,
    /// createStream and play go together once connect succeeded, stream 1 being assumed: three round trips.
    #[default]
    Pipelined,
    /// connect, createStream and play go together: two round trips.
    Fast,
}

/// Arguments of `connect` (§7.2.1.1).
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectParams {
    /// Application name.
    pub app: String,
    /// Flash Player version.
    pub flash_ver: String,
    /// URL of the SWF, if any.
    pub swf_url: Option<String>,
    /// URL of the server with the application.
    pub tc_url: String,
    /// URL of the page, if any.
    pub page_url: Option<String>,
    /// 0 or 3; not sent if `None`.
    pub object_encoding: Option<f64>,
    /// Properties that follow; `videoFunction` replaces the default one.
    pub extra_properties: Vec<(String, Value)>,
    /// Appended after the object: true and this string (rtmpdump's `--auth`).
    pub auth: Option<String>,
    /// Values appended after all that (rtmpdump's `--conn`).
    pub arguments: Vec<Value>,
}

impl Default for ConnectParams {
    /// A player that saves whatever codec comes, with rtmpdump's Flash Player version.
    fn default() -> Self {
        Self {
            app: String::new(),
            flash_ver: FLASH_VER.to_owned(),
            swf_url: None,
            tc_url: String::new(),
            page_url: None,
            object_encoding: None,
            extra_properties: enhanced_capabilities(Announcement::default()),
            auth: None,
            arguments: Vec::new(),
        }
    }
}

impl ConnectParams {
    /// Whether Enhanced RTMP is announced in any way. A server that answers connect with a close, a reset or an error may do
    /// better without: see [`ConnectParams::announce_nothing`].
    pub fn announces_enhanced(&self) -> bool {
        self.extra_properties.iter().any(|(name, _)| name == CAPS_EX)
    }

    /// Takes the announcement of Enhanced RTMP back: connect is Flash Player's then.
    pub fn announce_nothing(&mut self) {
        let announced = enhanced_capabilities(Announcement::Full);
        self.extra_properties.retain(|(name, _)| announced.iter().all(|(other, _)| other != name));
    }

    /// Also announces that the client goes elsewhere when the server asks for it (`capsEx`), if Enhanced RTMP is announced.
    pub fn announce_reconnect(&mut self) {
        let caps = self.extra_properties.iter_mut().find(|(name, _)| name == CAPS_EX);
        if let Some((_, Value::Number(caps))) = caps {
            *caps = f64::from(*caps as u32 | CAPS_EX_RECONNECT);
        }
    }

    /// The command object, properties in rtmpdump's order.
    pub fn command_object(&self) -> Object {
        let mut object = Object::default();
        let mut put = |name: &str, value: Value| object.properties.push((name.to_owned(), value));
        put("app", self.app.as_str().into());
        put("flashVer", self.flash_ver.as_str().into());
        if let Some(url) = &self.swf_url {
            put("swfUrl", url.as_str().into());
        }
        put("tcUrl", self.tc_url.as_str().into());
        put("fpad", false.into());
        put("capabilities", 15.0.into());
        put("audioCodecs", 3191.0.into());
        put("videoCodecs", 252.0.into());
        let video_function = self.extra_properties.iter().find(|(name, _)| name == "videoFunction");
        put("videoFunction", video_function.map_or(1.0.into(), |(_, value)| value.clone()));
        if let Some(url) = &self.page_url {
            put("pageUrl", url.as_str().into());
        }
        if let Some(encoding) = self.object_encoding {
            put("objectEncoding", encoding.into());
        }
        for (name, value) in self.extra_properties.iter().filter(|(name, _)| name != "videoFunction") {
            put(name, value.clone());
        }
        object
    }
}

/// Arguments of `play` (§7.2.2.1) and what goes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayParams {
    /// Stream name.
    pub playpath: String,
    /// Start in milliseconds; −1000 for live only, −2000 for live or recorded.
    pub start_ms: f64,
    /// Length in milliseconds; not sent if `None`.
    pub length_ms: Option<f64>,
    /// Set Buffer Length in milliseconds.
    pub buffer_ms: u32,
    /// Name for `FCSubscribe`; not sent if `None`.
    pub subscribe: Option<String>,
    /// Send `set_playlist` before `play`.
    pub playlist: bool,
    /// Ask `getStreamLength`: for on-demand streams.
    pub ask_length: bool,
    /// Pause and unpause at "buffer empty", so that the server sends on at once. For on-demand streams.
    pub refresh_buffer: bool,
}

impl Default for PlayParams {
    /// All of a stream, on-demand ones as fast as they come.
    fn default() -> Self {
        Self {
            playpath: String::new(),
            start_ms: 0.0,
            length_ms: None,
            buffer_ms: BUFFER_MS,
            subscribe: None,
            playlist: false,
            ask_length: true,
            refresh_buffer: true,
        }
    }
}

impl PlayParams {
    /// Plays a live stream and nothing else: no length is asked, nothing paused, and `name` is subscribed to unless another
    /// name is.
    pub fn play_live(&mut self, name: &str) {
        self.start_ms = LIVE_ONLY;
        self.ask_length = false;
        self.refresh_buffer = false;
        self.subscribe.get_or_insert_with(|| name.to_owned());
    }
}

/// What is known of the SWF file that the server asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwfVerification {
    /// HMAC-SHA256 of the decompressed file.
    pub hash: [u8; 32],
    /// Length of the decompressed file in bytes.
    pub size: u32,
}

/// In `capsEx`: the status `NetConnection.Connect.ReconnectRequest` is followed.
const CAPS_EX_RECONNECT: u32 = 1;

/// Start of `play` for live streams only.
const LIVE_ONLY: f64 = -1000.0;

/// Ten hours: servers then send on-demand streams as fast as they can.
const BUFFER_MS: u32 = 36_000_000;

/// Flash Player version, as rtmpdump's on Linux.
const FLASH_VER: &str = "LNX 10,0,32,18";
