//! Command line → options of the rooms below. Everything derived is derived here, and only here.

mod access;
mod login;
mod merged;
mod outputs;
mod route;
mod segments;
mod swf;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::cli::args::{RecordArgs, RetryArgs, TraceArgs, TrackArgs};
use crate::cli::events::Events;
use crate::cli::redact::Secrets;
use crate::cli::trace::Tracing;
use crate::connect::{self, RouteError, Taps, Timeouts, TlsFile};
use crate::proto::session::{Announcement, ConnectParams, Order, PlayParams, SessionConfig, enhanced_capabilities};
use crate::record::{self, RetryOptions, Sink, TrackOptions};
use crate::url::{PathSplit, TcUrlStyle, Url, UrlError, conn, without_secrets};

pub use access::access_policy;
pub use merged::Request;

use merged::MergedOptions;

/// Whose habits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Our own: what has no effect or makes no sense is refused.
    Own,
    /// rtmpdump's: it is ignored, with a warning.
    Rtmpdump,
}

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Where to, and what to play.
    pub url: Url,
    /// What to record of it, and how. Commands that only connect take [`record::Options::connection`].
    pub options: record::Options,
    /// Where that goes.
    pub sink: Sink,
    /// The server sets the pace (for the lines at the start).
    pub realtime: bool,
    /// Who is told what happens.
    pub events: Events,
    /// What is kept of the conversation.
    pub tracing: Tracing,
    /// What is strange about the options but keeps nothing from being played.
    pub warnings: Vec<String>,
}

impl Resolved {
    /// Tells what no message may show.
    pub fn hide_secrets(&self, secrets: &mut Secrets) {
        let options = &self.options.connect;
        let connect = &options.session.connect;
        let words = [&options.login.password, &options.session.token, &options.session.usher_token, &connect.auth];
        words.into_iter().flatten().for_each(|secret| secrets.add(secret));
        for url in [&self.url.app, &self.url.tc_url, &self.url.playpath] {
            secrets.add_url(url);
        }
        for url in [&connect.swf_url, &connect.page_url].into_iter().flatten() {
            secrets.add_url(url);
        }
    }
}

/// What a recording is to do.
///
/// # Errors
/// What is wrong with the options.
pub fn record(args: &RecordArgs, dialect: Dialect) -> Result<Resolved> {
    if let [_, more, ..] = args.urls.as_slice() {
        bail!("unexpected argument {}: only one URL is allowed", without_secrets(more));
    }
    let request = Request {
        // As with rtmpdump, the first -r counts.
        url: args.url.rtmp.first().or(args.urls.first()).map(String::as_str),
        keyed_url: args.url.url.as_deref(),
        connect: &args.connect,
        flash: &args.flash,
        stream: Some((&args.stream, &args.flash_stream)),
        stop: args.limits.stop,
    };
    let mut resolved = connection(request, dialect)?;
    resolved.url.require_playpath()?;
    if dialect == Dialect::Own {
        refuse_without_effect(args, &resolved)?;
    }
    take_output(&mut resolved, args, dialect)?;
    resolved.realtime = args.limits.realtime;
    let options = &mut resolved.options;
    options.retry = retry(&args.retry);
    options.tracks = tracks(args.tracks);
    options.duration = args.limits.duration;
    options.max_bytes = args.limits.max_size;
    if let Some(play) = &mut options.connect.session.play {
        play.refresh_buffer &= !args.limits.realtime;
    }
    Ok(resolved)
}

/// Opens the other outputs, events and trace, which empties what is there: only once nothing else can be refused.
///
/// # Errors
/// The one that cannot be opened.
pub fn open_outputs(resolved: &mut Resolved, args: &RecordArgs) -> Result<()> {
    if let Some(to) = &args.output.events {
        resolved.events =
            Events::open(Path::new(to), matches!(resolved.sink, Sink::Stdout)).map_err(anyhow::Error::msg)?;
    }
    resolved.tracing = tracing(&args.trace)?;
    Ok(())
}

/// What is to be said to a server, and how to get there; nothing is recorded.
///
/// # Errors
/// What is wrong with the options.
pub fn connection(request: Request<'_>, dialect: Dialect) -> Result<Resolved> {
    let mut merged = MergedOptions::collect(request)?;
    if dialect == Dialect::Rtmpdump {
        merged.overrides.split = PathSplit::Librtmp;
    }
    let as_written = request.keyed_url.is_some();
    let style = if as_written { TcUrlStyle::AsWritten } else { TcUrlStyle::WithPort };
    let url = Url::new(merged.url.as_deref(), &merged.overrides, style).map_err(|error| match error {
        UrlError::BadUrl { .. } if as_written => anyhow!("Couldn't parse URL: {error}"),
        error => error.into(),
    })?;
    let login = login::collect(request.connect, &merged.login, &url, |name| std::env::var(name).ok())?;
    let timeouts = timeouts(&request, merged.timeout);
    let mut route = route::route(
        request.connect,
        request.flash.digest,
        merged.socks.as_deref(),
        timeouts.answer.unwrap_or(DEFAULT_ANSWER),
    )?;
    let mut warnings = Vec::new();
    // rtmpdump knows no such variable.
    if let Some(reason) = (dialect == Dialect::Rtmpdump).then(|| route.ignore_invalid_env_proxy(&url.host)).flatten() {
        warnings.push(format!("{reason}; ignoring it"));
    }
    // A wrong name is known before anything is connected.
    route.dial(&url).map_err(|error| route_error(&error))?;
    if merged.live && merged.start_ms.is_some_and(|start| start > 0) {
        warnings.push("Can't seek in a live stream, ignoring --start option".to_owned());
    }
    let session = session(&merged, &request, dialect)?;
    let connect = connect::Options {
        route,
        session,
        timeouts,
        login,
        follow_redirects: !request.connect.no_redirect,
        swf: merged.player.proof(&mut warnings),
        taps: Taps::default(),
    };
    let start_ms = if merged.live { 0 } else { merged.start_ms.unwrap_or(0) };
    let options = record::Options {
        connect,
        live: merged.live,
        start_ms,
        stop_ms: merged.stop_ms,
        trust_start: dialect == Dialect::Rtmpdump,
        ..record::Options::default()
    };
    Ok(Resolved {
        url,
        options,
        sink: Sink::Stdout,
        realtime: false,
        events: Events::default(),
        tracing: Tracing::default(),
        warnings,
    })
}

/// What is kept of conversations. The file is made.
///
/// # Errors
/// It cannot be.
pub fn tracing(args: &TraceArgs) -> Result<Tracing> {
    Tracing::new(args.trace.as_deref(), args.log_messages).map_err(anyhow::Error::msg)
}

fn timeouts(request: &Request<'_>, timeout: Option<Duration>) -> Timeouts {
    let answer = request.connect.connect_timeout.or(timeout.filter(|timeout| !timeout.is_zero()));
    let stall = Some(timeout.unwrap_or(DEFAULT_STALL)).filter(|timeout| !timeout.is_zero());
    let first_media = request.stream.and_then(|(stream, _)| stream.first_media_timeout).or(stall);
    let answer = answer.unwrap_or(DEFAULT_ANSWER);
    // A server may hold play back for longer than any other command.
    let play = match request.connect.connect_timeout {
        Some(_) => Some(answer),
        None => first_media.map(|first_media| first_media.max(answer)),
    };
    Timeouts { answer: Some(answer), play, first_media, stall }
}

/// What is said to the server; what the URL decides is filled in by the connector.
fn session(merged: &MergedOptions, request: &Request<'_>, dialect: Dialect) -> Result<SessionConfig> {
    // In rtmpdump's place what is sent is rtmpdump's.
    let legacy = dialect == Dialect::Rtmpdump || request.flash.legacy;
    let (connect, play) = (ConnectParams::default(), PlayParams::default());
    Ok(SessionConfig {
        connect: ConnectParams {
            flash_ver: merged.flash_ver.clone().unwrap_or(connect.flash_ver),
            swf_url: merged.swf_url.clone(),
            page_url: merged.page_url.clone(),
            extra_properties: enhanced_capabilities(if legacy {
                Announcement::Nothing
            } else {
                Announcement::default()
            }),
            auth: merged.auth.clone(),
            arguments: conn::parse(&merged.conn).map_err(|item| anyhow!("Invalid AMF parameter: {item}"))?,
            ..ConnectParams::default()
        },
        play: request.stream.is_some().then(|| PlayParams {
            buffer_ms: merged.buffer_ms.unwrap_or(play.buffer_ms),
            subscribe: merged.subscribe.clone(),
            playlist: merged.playlist,
            // rtmpdump always sends it.
            length_ms: (dialect == Dialect::Rtmpdump).then(|| merged.length_ms()).flatten().map(|ms| ms as f64),
            ask_length: dialect == Dialect::Own,
            ..play
        }),
        order: match request.stream {
            Some((_, flash)) if flash.strict_order => Order::Strict,
            Some((_, flash)) if flash.fast_start => Order::Fast,
            _ => Order::Pipelined,
        },
        token: merged.token.clone(),
        usher_token: merged.jtv.clone(),
        ..SessionConfig::default()
    })
}

/// What is wrong with a route, with the option that can be changed.
fn route_error(error: &RouteError) -> anyhow::Error {
    match error {
        RouteError::File { role, path, source } => {
            let option = match role {
                TlsFile::Authorities => "--cafile",
                TlsFile::Certificate => "--cert",
                TlsFile::Key => "--key",
            };
            anyhow!("{option} {}: {source}", path.display())
        }
        error => anyhow!("{error}"),
    }
}

fn take_output(resolved: &mut Resolved, args: &RecordArgs, dialect: Dialect) -> Result<()> {
    let output = &args.output;
    let mut path = output.flv.clone().filter(|path| path.as_os_str() != "-");
    let segments = segments::segments(&args.segments, path.as_deref())?;
    if dialect == Dialect::Own && segments.is_none() {
        path = path.map(|path| outputs::with_time(path, &jiff::Zoned::now())).transpose()?;
    }
    outputs::check_distinct(args, path.as_deref())?;
    if segments.is_some() && output.resume {
        bail!("--resume cannot be used with --segment-time, --segment-size or --segment-on");
    }
    let to_file = path.is_some();
    resolved.sink = match (segments, path) {
        (Some(segments), _) => Sink::Segments(segments),
        (None, Some(path)) => Sink::File(path),
        (None, None) => Sink::Stdout,
    };
    let options = &mut resolved.options;
    options.resume = resume(args, options.live, to_file, &mut resolved.warnings);
    options.absolute_timestamps = output.absolute_timestamps;
    options.index = dialect == Dialect::Own && !output.no_index;
    options.fsync = output.fsync;
    Ok(())
}

/// How many keyframes to go back for resuming, if that can be.
fn resume(args: &RecordArgs, live: bool, to_file: bool, warnings: &mut Vec<String>) -> Option<u32> {
    match (args.output.resume, to_file, live) {
        (false, ..) => return None,
        (_, false, _) => warnings.push("Can't resume in stdout mode, ignoring --resume option".to_owned()),
        (_, _, true) => warnings.push("Can't resume live stream, ignoring --resume option".to_owned()),
        (true, true, false) => return Some(args.output.skip.unwrap_or(0)),
    }
    None
}

/// Options that would do nothing.
fn refuse_without_effect(args: &RecordArgs, resolved: &Resolved) -> Result<()> {
    let to_stdout = args.output.flv.as_ref().is_none_or(|path| path.as_os_str() == "-");
    let (retry, options) = (&args.retry, &resolved.options);
    let retries = retry.retry.is_some() || retry.wait.is_some();
    let refused = [
        (
            args.output.resume && options.live,
            "--resume cannot be used with a live stream, the file would be overwritten (to do that, remove --resume)",
        ),
        (args.output.skip.is_some() && !args.output.resume, "--skip requires --resume"),
        (retry.retry_delay.is_some() && !retries, "--retry-delay requires --retry or --wait"),
        (retry.retry_max_time.is_some() && !retries, "--retry-max-time requires --retry"),
        (args.output.fsync.is_some() && to_stdout, "--fsync requires -o FILE"),
        (options.stop_ms.is_some_and(|stop| stop <= options.start_ms), "--stop must be greater than --start"),
    ];
    match refused.into_iter().find(|(is_so, _)| *is_so) {
        Some((_, reason)) => bail!(reason),
        None => Ok(()),
    }
}

fn retry(args: &RetryArgs) -> RetryOptions {
    let default = RetryOptions::default();
    RetryOptions {
        attempts: args.retry.filter(|attempts| *attempts > 0),
        delay: args.retry_delay.unwrap_or(default.delay),
        max_time: args.retry_max_time,
        wait: args.wait,
    }
}

fn tracks(args: TrackArgs) -> TrackOptions {
    TrackOptions { video: args.video_track, audio: args.audio_track, legacy_tags: args.legacy_tags }
}

/// For each step of getting to a stream.
const DEFAULT_ANSWER: Duration = Duration::from_secs(10);

/// Without media.
const DEFAULT_STALL: Duration = Duration::from_secs(30);
