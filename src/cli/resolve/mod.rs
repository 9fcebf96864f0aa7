//! Command line → options of the rooms below. Everything derived is derived here, and only here.

mod login;
mod route;
mod segments;
mod swf;

use std::time::Duration;

use crate::cli::args::{DumpArgs, leading_number};
use crate::cli::dump::{Login, Plan, Player, RetryOptions, Rewriting};
use crate::cli::endure::EndureArgs;
use crate::cli::enhanced::EnhancedArgs;
use crate::cli::events::Events;
use crate::client::Timeouts;
use crate::flv::recorder;
use crate::proto::chunk::Limits;
use crate::proto::session::{ConnectParams, Order, PlayParams, SessionConfig, enhanced_capabilities};
use crate::url::{Overrides, Scheme, TcUrlStyle, Url, UrlError, conn, keys, without_secrets};

pub use login::read_password;

/// Makes a plan. `as_rtmpdump`: positional arguments do not count.
///
/// # Errors
/// What is wrong with the options, in words.
pub fn record(args: &DumpArgs, as_rtmpdump: bool) -> Result<Plan, String> {
    let plan = connection(args, as_rtmpdump)?;
    plan.target.require_playpath().map_err(|e| e.to_string())?;
    Ok(plan)
}

/// The same where there need not be a stream to play.
///
/// # Errors
/// As [`record`].
pub fn connection(args: &DumpArgs, as_rtmpdump: bool) -> Result<Plan, String> {
    let mut words = MergedOptions::collect(args, as_rtmpdump)?;
    let style = if words.as_written { TcUrlStyle::AsWritten } else { TcUrlStyle::WithPort };
    let wrong = |error: UrlError| match error {
        UrlError::BadUrl { .. } if words.as_written => format!("Couldn't parse URL: {error}"),
        error => error.to_string(),
    };
    let target = Url::new(words.url.as_deref(), &words.overrides, style).map_err(wrong)?;
    let login = login::collect(args, words.login, &target, |name| std::env::var(name).ok())?;
    let output = args.flv.clone().filter(|path| path.as_os_str() != "-");
    let segments = segments::segments(&args.segments, output.as_deref())?;
    if segments.is_some() && args.resume {
        return Err("--resume goes on with one file, --segment-... makes new ones".to_owned());
    }
    let events = match &args.endure.events {
        Some(to) => Events::open(to, output.is_none())?,
        None => Events::default(),
    };
    let live = words.live;
    if live && words.start_ms.is_some_and(|start| start > 0) {
        words.warnings.push("Can't seek in a live stream, ignoring --start option".to_owned());
    }
    let resume = resume(args, live, output.is_some(), &mut words.warnings);
    let start_ms = if live { 0 } else { words.start_ms.unwrap_or(0) };
    // rtmpdump takes that for a stream of which there is all already.
    if !as_rtmpdump && words.stop_ms.is_some_and(|stop| stop <= start_ms) {
        return Err("--stop is not behind --start: there would be nothing to save".to_owned());
    }
    let length_ms = words.stop_ms.map(|stop| stop.saturating_sub(start_ms));
    let answer = match (args.connect_timeout, words.timeout) {
        (Some(seconds), _) => Some(seconds_of(seconds)?),
        (None, Some(timeout)) if !timeout.is_zero() => Some(timeout),
        _ => Some(DEFAULT_ANSWER),
    };
    let stall = Some(words.timeout.unwrap_or(DEFAULT_STALL)).filter(|timeout| !timeout.is_zero());
    let first_media = match args.first_media_timeout {
        Some(seconds) => Some(seconds_of(seconds)?),
        None => stall,
    };
    let mut ways = route::route(args, words.socks.as_deref(), answer.unwrap_or(DEFAULT_ANSWER))?;
    // rtmpdump knows no such variable.
    if let Some(reason) = as_rtmpdump.then(|| ways.without_odd_environment(&target.host)).flatten() {
        words.warnings.push(format!("{reason}; ignoring it"));
    }
    let subscribe = words.subscribe.or_else(|| live.then(|| target.playpath.clone()));
    // In rtmpdump's place what is sent is rtmpdump's.
    let legacy = as_rtmpdump || args.enhanced.legacy;
    let session = SessionConfig {
        handshake: ways.handshake(target.scheme),
        connect: ConnectParams {
            app: target.app.clone(),
            flash_ver: words.flash_ver.unwrap_or_else(|| DEFAULT_FLASH_VER.to_owned()),
            swf_url: words.swf_url,
            tc_url: target.tc_url.clone(),
            page_url: words.page_url,
            object_encoding: None,
            extra_properties: if legacy { Vec::new() } else { enhanced_capabilities() },
            auth: words.auth,
            arguments: conn::parse(&words.conn).map_err(|item| format!("Invalid AMF parameter: {item}"))?,
        },
        play: Some(PlayParams {
            playpath: target.playpath.clone(),
            start_ms: if live { LIVE_ONLY } else { start_ms as f64 },
            length_ms: length_ms.map(|ms| ms as f64),
            buffer_ms: words.buffer_ms.unwrap_or(DEFAULT_BUFFER_MS),
            subscribe,
            playlist: words.playlist,
            ask_length: !live,
            refresh_buffer: !live && !args.realtime && !target.scheme.is_tunnel(),
        }),
        order: match (args.strict_order, args.fast_start) {
            (true, _) => Order::Strict,
            (_, true) => Order::Fast,
            _ => Order::Pipelined,
        },
        token: words.token,
        usher_token: words.jtv,
        swf: None,
        limits: Limits::default(),
    };
    let retry = retry(&args.endure);
    Ok(Plan {
        dial: ways.dial(&target)?,
        ways,
        session,
        timeouts: Timeouts { answer, first_media, stall },
        recorder: recorder::Options {
            live,
            absolute: args.absolute_timestamps,
            start_ms: (!live && start_ms > 0).then_some(start_ms),
            stop_ms: length_ms,
            pipe: output.is_none(),
            index: !as_rtmpdump && !args.endure.no_index,
            behind_bytes: WRITE_BEHIND_BYTES,
            remember: !live && retry.retries(),
        },
        rewriting: rewriting(&args.enhanced),
        output,
        resume,
        start_ms,
        duration: args.duration.map(seconds_of).transpose()?,
        max_bytes: args.max_size,
        login,
        player: words.player,
        follow_redirects: !args.no_redirect,
        hashes: args.hashes,
        realtime: args.realtime,
        stop_ms: words.stop_ms,
        retry,
        fsync: args.endure.fsync,
        segments,
        events,
        tracing: args.tracing.tracing()?,
        warnings: words.warnings,
        target,
    })
}

/// Options and librtmp's keys, brought together.
#[derive(Debug, Default)]
struct MergedOptions {
    url: Option<String>,
    as_written: bool,
    overrides: Overrides,
    live: bool,
    playlist: bool,
    subscribe: Option<String>,
    start_ms: Option<u64>,
    stop_ms: Option<u64>,
    buffer_ms: Option<u32>,
    timeout: Option<Duration>,
    page_url: Option<String>,
    swf_url: Option<String>,
    flash_ver: Option<String>,
    auth: Option<String>,
    token: Option<String>,
    jtv: Option<String>,
    socks: Option<String>,
    conn: Vec<String>,
    login: Login,
    player: Player,
    verify_swf_url: bool,
    warnings: Vec<String>,
}

impl MergedOptions {
    fn collect(args: &DumpArgs, as_rtmpdump: bool) -> Result<Self, String> {
        let mut words = Self::default();
        let positional = if as_rtmpdump { &[][..] } else { &args.urls };
        if let [_, more, ..] = positional {
            return Err(format!("one URL at a time; what is {} for?", without_secrets(more)));
        }
        words.as_written = args.url.is_some();
        let keyed = match (&args.url, args.rtmp.first().or(positional.first())) {
            (Some(text), _) => {
                let wrong = |reason| format!("Couldn't parse URL: {}: {reason}", without_secrets(text));
                Some(keys::parse(text).map_err(wrong)?)
            }
            // As with rtmpdump, the first -r counts.
            (None, Some(text)) => Some(keys::parse_trailing(text)?),
            (None, None) => None,
        };
        if let Some(keyed) = keyed {
            words.url = Some(keyed.url).filter(|url| !url.is_empty());
            for (key, value) in keyed.keys {
                words.take_key(key, value)?;
            }
        }
        words.take_options(args, as_rtmpdump)?;
        if as_rtmpdump {
            words.apply_rtmpdump_defaults();
        }
        Ok(words)
    }

    /// What rtmpdump is content with, and says.
    fn apply_rtmpdump_defaults(&mut self) {
        if let Some((scheme, rest)) = self.url.as_deref().and_then(|url| url.split_once("://"))
            && Scheme::of_name(scheme).is_none()
            && !scheme.eq_ignore_ascii_case("rtmfp")
        {
            let url = format!("rtmp://{rest}");
            self.warnings.push("Unknown protocol!".to_owned());
            self.url = Some(url);
        }
        if let Some((url, is_too_large)) = self.url.as_deref().and_then(with_sound_port) {
            self.url = Some(url);
            if is_too_large {
                self.warnings.push("Invalid port number!".to_owned());
            }
        }
        let lacks = |what: &str, option: &str, default: &str| {
            format!("You haven't specified a {what} (--{option}) or rtmp url (-r), using default {what} {default}")
        };
        if self.url.is_none() && self.overrides.host.is_some() {
            if self.overrides.scheme.is_none() {
                self.warnings.push(lacks("protocol", "protocol", "RTMP"));
            }
            if self.overrides.port.is_none() {
                let port = self.overrides.scheme.unwrap_or(Scheme::Rtmp).default_port();
                self.warnings.push(lacks("port", "port", &port.to_string()));
            }
        }
    }

    fn take_key(&mut self, key: &str, value: String) -> Result<(), String> {
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
            "swfAge" => self.player.age_days = Some(swf::days(&value)?),
            "live" => self.live |= keys::is_true(&value),
            "playlist" => self.playlist |= keys::is_true(&value),
            // librtmp counts these two in milliseconds, whatever its manual says.
            "start" => self.start_ms = Some(not_negative("start", &value)? as u64),
            "stop" => self.stop_ms = Some(not_negative("stop", &value)? as u64),
            "buffer" => self.buffer_ms = Some(not_negative("buffer", &value)? as u32),
            "timeout" => self.timeout = Some(Duration::from_secs(not_negative("timeout", &value)? as u64)),
            _ => return Err(format!("the key {key} is not supported here")),
        }
        Ok(())
    }

    fn take_options(&mut self, args: &DumpArgs, as_rtmpdump: bool) -> Result<(), String> {
        let or = |option: &Option<String>, key: &mut Option<String>| {
            if option.is_some() {
                key.clone_from(option);
            }
        };
        or(&args.host, &mut self.overrides.host);
        or(&args.app, &mut self.overrides.app);
        or(&args.playpath, &mut self.overrides.playpath);
        or(&args.tc_url, &mut self.overrides.tc_url);
        or(&args.page_url, &mut self.page_url);
        or(&args.swf_url, &mut self.swf_url);
        or(&args.flash_ver, &mut self.flash_ver);
        or(&args.subscribe, &mut self.subscribe);
        or(&args.auth, &mut self.auth);
        or(&args.token, &mut self.token);
        or(&args.jtv, &mut self.jtv);
        self.conn.extend(args.conn.iter().cloned());
        if self.verify_swf_url {
            self.player.url.clone_from(&self.swf_url);
        }
        swf::take_options(&mut self.player, args, &mut self.warnings);
        or(&args.swf_vfy, &mut self.swf_url);
        // An empty word is as good as none, as for rtmpdump.
        let words = [&mut self.page_url, &mut self.swf_url, &mut self.flash_ver, &mut self.subscribe];
        for word in words.into_iter().chain([&mut self.auth, &mut self.token, &mut self.jtv, &mut self.player.url]) {
            word.take_if(|word| word.is_empty());
        }
        self.live |= args.live;
        self.playlist |= args.playlist;
        if let Some(port) = &args.port {
            self.overrides.port = Some(match leading_number(port) {
                number if (0.0..=65535.0).contains(&number) => number as u16,
                // rtmpdump hands its lower bits to the system.
                number if as_rtmpdump => number as i64 as u16,
                _ => return Err(format!("--port {port}: no such port")),
            });
        }
        if let Some(protocol) = &args.protocol {
            let scheme = Some(leading_number(protocol))
                .filter(|n| (0.0..6.0).contains(n))
                .and_then(|n| Scheme::of_number(n as u8));
            self.overrides.scheme = Some(scheme.ok_or_else(|| format!("Unknown protocol specified: {protocol}"))?);
        }
        let millis = |seconds: f64| (seconds * 1000.0).round() as u64;
        if let Some(start) = self.number("start", &args.start) {
            self.start_ms = Some(millis(start));
        }
        if let Some(stop) = self.number("stop", &args.stop) {
            self.stop_ms = Some(millis(stop)).filter(|ms| *ms > 0);
        }
        if let Some(buffer) = self.number("buffer", &args.buffer) {
            self.buffer_ms = Some(buffer as u32);
        }
        if let Some(timeout) = self.number("timeout", &args.timeout) {
            self.timeout = Some(seconds_of(timeout)?);
        }
        Ok(())
    }

    /// The number of an option; a negative one is ignored, as by rtmpdump, with a warning.
    fn number(&mut self, name: &str, text: &Option<String>) -> Option<f64> {
        let text = text.as_ref()?;
        let number = Some(leading_number(text)).filter(|number| *number >= 0.0);
        if number.is_none() {
            self.warnings.push(format!("--{name} {text}: it cannot be negative, ignoring it"));
        }
        number
    }
}

/// A URL whose port is none with the one that rtmpdump would take: the number that its text begins with, or none. The flag:
/// it is too large.
fn with_sound_port(url: &str) -> Option<(String, bool)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (before, port) = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'))?;
    if port.is_empty() || port.parse::<u16>().is_ok() {
        return None;
    }
    let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
    let port = digits.parse::<u16>().map(|port| format!(":{port}")).unwrap_or_default();
    let is_too_large = port.is_empty() && !digits.is_empty();
    Some((format!("{scheme}://{before}{port}{path}"), is_too_large))
}

/// How many keyframes to go back for resuming, if that can be.
fn resume(args: &DumpArgs, live: bool, to_file: bool, warnings: &mut Vec<String>) -> Option<u32> {
    let skip = leading_number(args.skip.as_deref().unwrap_or_default());
    if skip < 0.0 {
        warnings.push("Number of keyframes skipped must be greater or equal zero, using zero!".to_owned());
    }
    match (args.resume, to_file, live) {
        (false, ..) => return None,
        (_, false, _) => warnings.push("Can't resume in stdout mode, ignoring --resume option".to_owned()),
        (_, _, true) => warnings.push("Can't resume live stream, ignoring --resume option".to_owned()),
        (true, true, false) => return Some(skip.max(0.0) as u32),
    }
    None
}

fn retry(args: &EndureArgs) -> RetryOptions {
    let default = RetryOptions::default();
    RetryOptions {
        attempts: args.retry.filter(|attempts| *attempts > 0),
        delay: args.retry_delay.unwrap_or(default.delay),
        max_time: args.retry_max_time,
        wait: args.wait,
    }
}

fn rewriting(args: &EnhancedArgs) -> Rewriting {
    Rewriting { video_track: args.video_track, audio_track: args.audio_track, legacy_tags: args.legacy_tags }
}

fn not_negative(name: &str, text: &str) -> Result<f64, String> {
    let number = leading_number(text);
    if number < 0.0 { Err(format!("--{name} {text}: it cannot be negative")) } else { Ok(number) }
}

fn seconds_of(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{seconds}: no length of time"))
}

/// Start of `play` for live streams only.
const LIVE_ONLY: f64 = -1000.0;

/// Ten hours: servers then send on-demand streams as fast as they can.
const DEFAULT_BUFFER_MS: u32 = 36_000_000;

/// What may wait for a slow disk or reader: half a minute of 4 Mbit/s.
const WRITE_BEHIND_BYTES: usize = 16 << 20;

/// Flash Player version, as rtmpdump's on Linux.
const DEFAULT_FLASH_VER: &str = "LNX 10,0,32,18";

/// For each step of getting to a stream.
const DEFAULT_ANSWER: Duration = Duration::from_secs(10);

/// Without media.
const DEFAULT_STALL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_are_none_are_taken_as_rtmpdump_takes_them() {
        let of = with_sound_port;
        let url = |text: &str, is_too_large| Some((text.to_owned(), is_too_large));
        assert_eq!(of("rtmp://h:99999/a/b:c"), url("rtmp://h/a/b:c", true));
        assert_eq!(of("rtmp://h:1935x/a/b"), url("rtmp://h:1935/a/b", false));
        assert_eq!(of("rtmp://u:p@[::1]:x/a/b"), url("rtmp://u:p@[::1]/a/b", false));
        for sound in ["rtmp://h/a/b:c", "rtmp://h:80/a/b", "rtmp://h:/a/b", "rtmp://[::1]/a", "nonsense"] {
            assert_eq!(of(sound), None, "{sound}");
        }
    }
}
