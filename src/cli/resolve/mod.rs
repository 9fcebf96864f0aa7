//! Command line → options of the rooms below. Everything derived is derived here, and only here.

mod access;
mod login;
mod merged;
mod outputs;
mod route;
mod segments;

use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use crate::cli::args::{RecordArgs, RetryArgs, TraceArgs, TrackArgs};
use crate::cli::dump::{Plan, RetryOptions, Rewriting};
use crate::cli::events::Events;
use crate::cli::trace::Tracing;
use crate::client::Timeouts;
use crate::flv::recorder;
use crate::proto::chunk::Limits;
use crate::proto::session::{ConnectParams, Order, PlayParams, SessionConfig, enhanced_capabilities};
use crate::url::{TcUrlStyle, Url, UrlError, conn, without_secrets};

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

/// What a recording is to do.
///
/// # Errors
/// What is wrong with the options.
pub fn record(args: &RecordArgs, dialect: Dialect) -> Result<Plan> {
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
    let mut plan = connection(request, dialect)?;
    plan.target.require_playpath()?;
    if dialect == Dialect::Own {
        refuse_without_effect(args, &plan)?;
    }
    plan.tracing = tracing(&args.trace)?;
    take_output(&mut plan, args, dialect)?;
    plan.retry = retry(&args.retry);
    plan.rewriting = rewriting(args.tracks);
    plan.duration = args.limits.duration;
    plan.max_bytes = args.limits.max_size;
    plan.realtime = args.limits.realtime;
    if let Some(play) = &mut plan.session.play {
        play.refresh_buffer &= !args.limits.realtime;
    }
    plan.recorder.remember = !plan.recorder.live && plan.retry.retries();
    Ok(plan)
}

/// What is to be said to a server, and how to get there; nothing is recorded.
///
/// # Errors
/// What is wrong with the options.
pub fn connection(request: Request<'_>, dialect: Dialect) -> Result<Plan> {
    let merged = MergedOptions::collect(request)?;
    let as_written = request.keyed_url.is_some();
    let style = if as_written { TcUrlStyle::AsWritten } else { TcUrlStyle::WithPort };
    let target = Url::new(merged.url.as_deref(), &merged.overrides, style).map_err(|error| match error {
        UrlError::BadUrl { .. } if as_written => anyhow!("Couldn't parse URL: {error}"),
        error => error.into(),
    })?;
    let login = login::collect(request.connect, &merged.login, &target, |name| std::env::var(name).ok())?;
    let timeouts = timeouts(&request, merged.timeout);
    let mut ways = route::route(
        request.connect,
        request.flash.digest,
        merged.socks.as_deref(),
        timeouts.answer.unwrap_or(DEFAULT_ANSWER),
    )?;
    let mut warnings = Vec::new();
    // rtmpdump knows no such variable.
    if let Some(reason) = (dialect == Dialect::Rtmpdump).then(|| ways.without_odd_environment(&target.host)).flatten() {
        warnings.push(format!("{reason}; ignoring it"));
    }
    if merged.live && merged.start_ms.is_some_and(|start| start > 0) {
        warnings.push("Can't seek in a live stream, ignoring --start option".to_owned());
    }
    let start_ms = if merged.live { 0 } else { merged.start_ms.unwrap_or(0) };
    let session = SessionConfig {
        handshake: ways.handshake(target.scheme),
        connect: connect_params(&merged, &request, &target, dialect)?,
        play: request.stream.is_some().then(|| play_params(&merged, &target, start_ms)),
        order: match request.stream {
            Some((_, flash)) if flash.strict_order => Order::Strict,
            Some((_, flash)) if flash.fast_start => Order::Fast,
            _ => Order::Pipelined,
        },
        token: merged.token,
        usher_token: merged.jtv,
        swf: None,
        limits: Limits::default(),
    };
    let recorder = recorder::Options {
        live: merged.live,
        absolute: false,
        start_ms: (!merged.live && start_ms > 0).then_some(start_ms),
        stop_ms: merged.stop_ms.map(|stop| stop.saturating_sub(start_ms)),
        pipe: true,
        index: false,
        behind_bytes: WRITE_BEHIND_BYTES,
        remember: false,
    };
    Ok(Plan {
        dial: ways.dial(&target).map_err(anyhow::Error::msg)?,
        ways,
        session,
        timeouts,
        recorder,
        rewriting: Rewriting::default(),
        output: None,
        resume: None,
        start_ms,
        duration: None,
        max_bytes: None,
        login,
        player: merged.player,
        follow_redirects: !request.connect.no_redirect,
        hashes: false,
        realtime: false,
        stop_ms: merged.stop_ms,
        retry: RetryOptions::default(),
        fsync: None,
        segments: None,
        events: Events::default(),
        tracing: Tracing::default(),
        warnings,
        target,
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
    Timeouts { answer: Some(answer.unwrap_or(DEFAULT_ANSWER)), first_media, stall }
}

fn connect_params(
    merged: &MergedOptions,
    request: &Request<'_>,
    target: &Url,
    dialect: Dialect,
) -> Result<ConnectParams> {
    // In rtmpdump's place what is sent is rtmpdump's.
    let legacy = dialect == Dialect::Rtmpdump || request.flash.legacy;
    Ok(ConnectParams {
        app: target.app.clone(),
        flash_ver: merged.flash_ver.clone().unwrap_or_else(|| DEFAULT_FLASH_VER.to_owned()),
        swf_url: merged.swf_url.clone(),
        tc_url: target.tc_url.clone(),
        page_url: merged.page_url.clone(),
        object_encoding: None,
        extra_properties: if legacy { Vec::new() } else { enhanced_capabilities() },
        auth: merged.auth.clone(),
        arguments: conn::parse(&merged.conn).map_err(|item| anyhow!("Invalid AMF parameter: {item}"))?,
    })
}

fn play_params(merged: &MergedOptions, target: &Url, start_ms: u64) -> PlayParams {
    let live = merged.live;
    PlayParams {
        playpath: target.playpath.clone(),
        start_ms: if live { LIVE_ONLY } else { start_ms as f64 },
        length_ms: merged.stop_ms.map(|stop| stop.saturating_sub(start_ms) as f64),
        buffer_ms: merged.buffer_ms.unwrap_or(DEFAULT_BUFFER_MS),
        subscribe: merged.subscribe.clone().or_else(|| live.then(|| target.playpath.clone())),
        playlist: merged.playlist,
        ask_length: !live,
        refresh_buffer: !live && !target.scheme.is_tunnel(),
    }
}

fn take_output(plan: &mut Plan, args: &RecordArgs, dialect: Dialect) -> Result<()> {
    let output = &args.output;
    outputs::check_distinct(args)?;
    let path = output.flv.clone().filter(|path| path.as_os_str() != "-");
    plan.segments = segments::segments(&args.segments, path.as_deref())?;
    if plan.segments.is_some() && output.resume {
        bail!("--resume cannot be used with --segment-time, --segment-size or --segment-on");
    }
    plan.output = match path {
        Some(path) if dialect == Dialect::Own && plan.segments.is_none() => {
            Some(outputs::with_time(path, &jiff::Zoned::now())?)
        }
        path => path,
    };
    plan.events = match &output.events {
        Some(to) => Events::open(to, plan.output.is_none()).map_err(anyhow::Error::msg)?,
        None => Events::default(),
    };
    plan.resume = resume(args, plan.recorder.live, plan.output.is_some(), &mut plan.warnings);
    plan.recorder.absolute = output.absolute_timestamps;
    plan.recorder.pipe = plan.output.is_none();
    plan.recorder.index = dialect == Dialect::Own && !output.no_index;
    plan.hashes = output.hashes;
    plan.fsync = output.fsync;
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
fn refuse_without_effect(args: &RecordArgs, plan: &Plan) -> Result<()> {
    let to_stdout = args.output.flv.as_ref().is_none_or(|path| path.as_os_str() == "-");
    let retry = &args.retry;
    let retries = retry.retry.is_some() || retry.wait.is_some();
    let refused = [
        (
            args.output.resume && plan.recorder.live,
            "--resume cannot be used with a live stream, the file would be overwritten (to do that, remove --resume)",
        ),
        (args.output.skip.is_some() && !args.output.resume, "--skip requires --resume"),
        (retry.retry_delay.is_some() && !retries, "--retry-delay requires --retry or --wait"),
        (retry.retry_max_time.is_some() && !retries, "--retry-max-time requires --retry"),
        (args.output.fsync.is_some() && to_stdout, "--fsync requires -o FILE"),
        (plan.stop_ms.is_some_and(|stop| stop <= plan.start_ms), "--stop must be greater than --start"),
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

fn rewriting(args: TrackArgs) -> Rewriting {
    Rewriting { video_track: args.video_track, audio_track: args.audio_track, legacy_tags: args.legacy_tags }
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
