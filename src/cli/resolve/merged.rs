//! A URL's librtmp keys and the options, brought together. Options win.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::cli::args::{ConnectArgs, FlashArgs, FlashStreamArgs, StreamArgs};
use crate::cli::rtmpdump::atof::leading_number;
use crate::connect::Login;
use crate::url::{Overrides, Scheme, keys, without_secrets};

use super::swf::Player;

/// The groups of options that lead to a stream.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// A URL, perhaps with librtmp's keys behind it.
    pub url: Option<&'a str>,
    /// The same, in librtmp's own form, in which its address is passed on as written.
    pub keyed_url: Option<&'a str>,
    /// How to get to the server.
    pub connect: &'a ConnectArgs,
    /// What a Flash Player says of itself.
    pub flash: &'a FlashArgs,
    /// Which stream; `None` where none is played.
    pub stream: Option<(&'a StreamArgs, &'a FlashStreamArgs)>,
    /// The end of it.
    pub stop: Option<Duration>,
}

/// What both say.
#[derive(Debug, Default)]
pub struct MergedOptions {
    pub url: Option<String>,
    pub overrides: Overrides,
    pub live: bool,
    pub playlist: bool,
    pub subscribe: Option<String>,
    pub start_ms: Option<u64>,
    pub stop_ms: Option<u64>,
    pub buffer_ms: Option<u32>,
    pub timeout: Option<Duration>,
    pub page_url: Option<String>,
    pub swf_url: Option<String>,
    pub flash_ver: Option<String>,
    pub auth: Option<String>,
    pub token: Option<String>,
    pub jtv: Option<String>,
    pub socks: Option<String>,
    pub conn: Vec<String>,
    pub login: Login,
    pub player: Player,
    verify_swf_url: bool,
}

impl MergedOptions {
    /// # Errors
    /// A key that is unknown or has a wrong value.
    pub fn collect(request: Request<'_>) -> Result<Self> {
        let mut merged = Self::default();
        let keyed = match (request.keyed_url, request.url) {
            (Some(text), _) => Some(
                keys::parse(text)
                    .map_err(|reason| anyhow!("Couldn't parse URL: {}: {reason}", without_secrets(text)))?,
            ),
            (None, Some(text)) => Some(keys::parse_trailing(text).map_err(anyhow::Error::msg)?),
            (None, None) => None,
        };
        if let Some(keyed) = keyed {
            merged.url = Some(keyed.url).filter(|url| !url.is_empty());
            for (key, value) in keyed.keys {
                merged.take_key(key, value)?;
            }
        }
        merged.take_connection(request.connect, request.flash);
        if let Some((stream, flash)) = request.stream {
            merged.take_stream(stream, flash);
        }
        if let Some(stop) = request.stop {
            merged.stop_ms = Some(millis(stop)).filter(|ms| *ms > 0);
        }
        merged.drop_empty();
        Ok(merged)
    }

    /// Length of what is wanted, in milliseconds.
    pub fn length_ms(&self) -> Option<u64> {
        let start_ms = self.start_ms.filter(|_| !self.live).unwrap_or(0);
        self.stop_ms.map(|stop_ms| stop_ms.saturating_sub(start_ms))
    }

    fn take_key(&mut self, key: &str, value: String) -> Result<()> {
        match key {
            "socks" => self.socks = Some(value),
            "app" => self.overrides.app = Some(value),
            "tcUrl" => self.overrides.tc_url = Some(value),
            "playpath" => self.overrides.playpath = Some(value),
            "pageUrl" => self.page_url = Some(value),
            "swfUrl" => self.swf_url = Some(value),
            "flashver" => self.flash_ver = Some(value),
            "conn" => self.conn.push(value),
            "subscribe" => self.subscribe = Some(value),
            "token" => self.token = Some(value),
            "jtv" => self.jtv = Some(value),
            "auth" => self.auth = Some(value),
            "pubUser" => self.login.user = Some(value),
            "pubPasswd" => self.login.password = Some(value),
            "swfVfy" => self.verify_swf_url |= keys::is_true(&value),
            "swfAge" => self.player.age_days = Some(not_negative(key, &value)? as u32),
            "live" => self.live |= keys::is_true(&value),
            "playlist" => self.playlist |= keys::is_true(&value),
            // librtmp counts these two in milliseconds, whatever its manual says.
            "start" => self.start_ms = Some(not_negative(key, &value)? as u64),
            "stop" => self.stop_ms = Some(not_negative(key, &value)? as u64),
            "buffer" => self.buffer_ms = Some(not_negative(key, &value)? as u32),
            "timeout" => self.timeout = Some(Duration::from_secs(not_negative(key, &value)? as u64)),
            _ => bail!("URL parameter {key} is not supported"),
        }
        Ok(())
    }

    fn take_connection(&mut self, connect: &ConnectArgs, flash: &FlashArgs) {
        or(&connect.host, &mut self.overrides.host);
        or(&connect.app, &mut self.overrides.app);
        or(&connect.port, &mut self.overrides.port);
        or(&connect.timeout, &mut self.timeout);
        if let Some(number) = connect.protocol {
            self.overrides.scheme = Scheme::of_number(number);
        }
        or(&flash.tc_url, &mut self.overrides.tc_url);
        or(&flash.page_url, &mut self.page_url);
        or(&flash.swf_url, &mut self.swf_url);
        or(&flash.flash_ver, &mut self.flash_ver);
        or(&flash.auth, &mut self.auth);
        or(&flash.token, &mut self.token);
        or(&flash.jtv, &mut self.jtv);
        self.conn.extend(flash.conn.iter().cloned());
        if self.verify_swf_url {
            self.player.url.clone_from(&self.swf_url);
        }
        or(&flash.swf_vfy, &mut self.player.url);
        or(&flash.swf_age, &mut self.player.age_days);
        self.player.hash.clone_from(&flash.swf_hash);
        self.player.size = flash.swf_size;
        or(&flash.swf_vfy, &mut self.swf_url);
    }

    fn take_stream(&mut self, stream: &StreamArgs, flash: &FlashStreamArgs) {
        or(&stream.playpath, &mut self.overrides.playpath);
        or(&stream.buffer, &mut self.buffer_ms);
        or(&stream.start.map(millis), &mut self.start_ms);
        or(&flash.subscribe, &mut self.subscribe);
        self.live |= stream.live;
        self.playlist |= flash.playlist;
    }

    /// An empty word is as good as none, as for rtmpdump.
    fn drop_empty(&mut self) {
        let words = [&mut self.page_url, &mut self.swf_url, &mut self.flash_ver, &mut self.subscribe];
        for word in words.into_iter().chain([&mut self.auth, &mut self.token, &mut self.jtv, &mut self.player.url]) {
            word.take_if(|word| word.is_empty());
        }
    }
}

fn or<T: Clone>(option: &Option<T>, key: &mut Option<T>) {
    if option.is_some() {
        key.clone_from(option);
    }
}

fn millis(time: Duration) -> u64 {
    (time.as_secs_f64() * 1000.0).round() as u64
}

/// The number of a librtmp key, as that library reads it.
fn not_negative(key: &str, text: &str) -> Result<f64> {
    let number = leading_number(text);
    if number < 0.0 { bail!("invalid URL parameter {key}={text}: must not be negative") } else { Ok(number) }
}
