//! `rtmpcat probe`: is this server all right, and what is in its stream?
//!
//! JSON (`--format json`), one object on a line for each URL. Times are in milliseconds since the beginning, unless a name says
//! otherwise; what is not known is null or missing. New names may be added, none go:
//!
//! ```text
//! url            without its secrets
//! status         "ok" | "warning" | "critical" | "unknown"; problems [{status, text}]
//! error          why there was no stream, or null
//! end            why it ended: "complete" (all is known) | "time" | "ended" (by the server) | "interrupted" (--watch,
//!                --report) | "error"
//! address        of the server, or of the proxy; redirects [URL]
//! tls            version and cipher, or null; certificate {subject, issuer, not_before, not_after, days_left}: the server's,
//!                whether it is trusted or not
//! handshake      {kind: "plain" | "digest" | "rtmpe", version (S0), server_version, digest_scheme, s2_matched}
//! server         {version, object_encoding, capabilities {…}}: connect's result
//! statuses       [{level, code, description}]: what the server said, at most 100
//! tolerated      {unknown_messages, odd_control}
//! stream_length_s  of getStreamLength
//! timing_ms      {resolve, tcp, proxy, tls, tunnel}: how long each took; {opened, handshake, connect, create_stream, play,
//!                metadata, first_audio, first_video, first_keyframe}: when each was there
//! stream         as `inspect` has it; metadata, color_info, findings [{code, severity, text, count}] likewise
//! ```

mod judge;
mod monitor;
mod page;
mod plot;
mod show;
#[cfg(test)]
mod tests;
mod visit;
mod watch;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::transport::Interrupt;

use super::args::{ConnectArgs, FlashArgs, FlashStreamArgs, StreamArgs, TraceArgs, VerbosityArgs};
use super::exit::Code;
use super::log::Log;
use super::output::taps;
use super::resolve::{self, Dialect, Request};
use super::trace::Tracing;

use judge::{Limit, Requirement, Status, Verdict};
use visit::{DEFAULT_SECONDS, Purpose, Visit, visit};
use watch::View;

/// Options of `probe`.
#[derive(Debug, Args)]
#[command(
    infer_long_args = true,
    args_override_self = true,
    override_usage = "rtmpcat probe [OPTIONS] URL...",
    after_help = "\
A limit is a number, beyond which the stream is critical, or WARN:CRIT.
Exit codes are Nagios': 0 ok, 1 warning, 2 critical (also: no connection, no stream, no media), 3 unknown (wrong usage). Of several
URLs the worst counts.

Examples:
  rtmpcat probe rtmp://host/live/stream
  rtmpcat probe --format nagios --require video=h264 --require audio --max-first-frame 1:3 --max-gop 4 rtmp://host/live/stream
  rtmpcat probe --watch rtmp://host/live/stream
  rtmpcat probe --time 60 --report stream.html rtmp://host/live/stream
  rtmpcat probe --format prometheus rtmp://a/live/x rtmp://b/live/x > /var/lib/node_exporter/rtmp.prom"
)]
pub struct ProbeArgs {
    /// Streams: rtmp[t|e|te|s|ts]://host[:port]/app/playpath, optionally followed by librtmp key=value parameters
    #[arg(value_name = "URL", required = true, value_hint = clap::ValueHint::Url)]
    pub urls: Vec<String>,
    /// How the result is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text", help_heading = "Probe")]
    pub format: Format,
    /// Seconds to look at the stream; by default until codecs, rates and one group of pictures are known, at most 20
    #[arg(long, value_name = "SECONDS", help_heading = "Probe")]
    pub time: Option<f64>,
    /// Show how the stream goes, until Ctrl-C (or for --time): a view on a terminal, else a line each second, on standard error
    #[arg(long, help_heading = "Probe")]
    pub watch: bool,
    /// Also write a page with plots of bit rate, frame intervals and A/V offset; 20 seconds are watched if --time says no other
    #[arg(long, value_name = "FILE.html", help_heading = "Probe")]
    pub report: Option<PathBuf>,
    /// What has to be there: video, audio, video=CODEC or audio=CODEC (h264, h265, av1, vp9, aac, opus, mp3, ...). Repeatable
    #[arg(long, value_name = "TRACK[=CODEC]", help_heading = "Probe")]
    pub require: Vec<Requirement>,
    /// Lowest bit rate of all tracks together, in bits per second (k and M are understood)
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub min_bitrate: Option<Limit>,
    /// Longest time to the first keyframe (without video: to the first sound), in seconds
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub max_first_frame: Option<Limit>,
    /// Longest distance of two keyframes, in seconds
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub max_gop: Option<Limit>,
    /// Furthest that video and audio may be apart on average, in milliseconds
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub max_av_offset: Option<Limit>,
    /// Fewest days that the server's certificate has to be valid for (rtmps, rtmpts), e.g. 14:3
    #[arg(long, value_name = "LIMIT", help_heading = "Probe")]
    pub min_cert_days: Option<Limit>,
    /// Which stream.
    #[command(flatten)]
    pub stream: StreamArgs,
    /// How to get to the server.
    #[command(flatten)]
    pub connect: ConnectArgs,
    /// How much is said.
    #[command(flatten)]
    pub verbosity: VerbosityArgs,
    /// What is kept of the conversation.
    #[command(flatten)]
    pub trace: TraceArgs,
    /// What a Flash Player says of the stream.
    #[command(flatten)]
    pub flash_stream: FlashStreamArgs,
    /// What a Flash Player says of itself.
    #[command(flatten)]
    pub flash: FlashArgs,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; a table for several URLs
    Text,
    /// A line of JSON for each URL
    Json,
    /// A line for Nagios, with performance data
    Nagios,
    /// Metrics for Prometheus' textfile collector
    Prometheus,
}

/// Probes each URL, all at the same time, and prints what came of it.
pub fn run(args: &ProbeArgs, interrupt: &Interrupt) -> Code {
    let log = Log::new(args.verbosity.level());
    let tracing = match resolve::tracing(&args.trace) {
        Ok(tracing) => tracing,
        Err(error) => {
            log.error(&format!("{error:#}"));
            return Status::Unknown.code();
        }
    };
    if let Err(reason) = judge::limits_make_sense(args).and_then(|()| pictures_make_sense(args, args.urls.len())) {
        log.error(&reason);
        return Status::Unknown.code();
    }
    let mut visits: Vec<Visit> = Vec::new();
    for group in args.urls.chunks(AT_A_TIME) {
        std::thread::scope(|scope| {
            let running: Vec<_> =
                group.iter().map(|one| scope.spawn(|| visit_one(args, one, &tracing, interrupt))).collect();
            for (running, one) in running.into_iter().zip(group) {
                visits.push(
                    running
                        .join()
                        .unwrap_or_else(|_| Visit::failed(one, "internal error: probe thread panicked".to_owned())),
                );
            }
        });
    }
    let verdicts: Vec<Verdict> = visits.iter().map(|visit| judge::judge(visit, args)).collect();
    let text = show::show(&visits, &verdicts, args);
    let mut stdout = std::io::stdout();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        log.error(&format!("the output failed: {error}"));
        return Status::Unknown.code();
    }
    if let Some(path) = &args.report {
        let page = page::page(&visits, &verdicts, jiff::Timestamp::now());
        if let Err(error) = page::put(path, &page) {
            log.error(&format!("{}: {error}", path.display()));
            return Status::Unknown.code();
        }
    }
    judge::worst(&verdicts).code()
}

/// Whether what was asked for can be shown; better said before the stream is watched than after.
fn pictures_make_sense(args: &ProbeArgs, urls: usize) -> Result<(), String> {
    if args.watch && urls > 1 {
        return Err("--watch shows one stream: give one URL".to_owned());
    }
    if let Some(path) = &args.report
        && !page::folder(path).is_dir()
    {
        return Err(format!("{}: there is no such folder", page::folder(path).display()));
    }
    Ok(())
}

fn visit_one(args: &ProbeArgs, url: &str, tracing: &Tracing, interrupt: &Interrupt) -> Visit {
    let log = Log::new(args.verbosity.level());
    let request = Request {
        url: Some(url),
        keyed_url: None,
        connect: &args.connect,
        flash: &args.flash,
        stream: Some((&args.stream, &args.flash_stream)),
        stop: None,
    };
    let prepared = resolve::connection(request, Dialect::Own).and_then(|resolved| {
        resolved.url.require_playpath()?;
        Ok(resolved)
    });
    match prepared {
        Ok(resolved) => {
            resolved.hide_secrets(&mut log.secrets());
            resolved.warnings.iter().for_each(|warning| log.warning(warning));
            let mut options = resolved.options.connection(&resolved.url);
            options.taps = taps(tracing.clone(), &log);
            if let (Some(play), None) = (&mut options.session.play, &args.stream.buffer) {
                // A few seconds are enough; more would only be thrown away.
                play.buffer_ms = BUFFER_MS;
            }
            let purpose = match args.time {
                time if args.watch => Purpose::Course(time.unwrap_or(f64::INFINITY)),
                time if args.report.is_some() => Purpose::Course(time.unwrap_or(DEFAULT_SECONDS)),
                time => Purpose::Facts(time),
            };
            let mut view = View::new(args, &log);
            let visit = visit(&resolved.url, &options, purpose, &mut view, &log, interrupt);
            view.end();
            visit
        }
        Err(error) => Visit::refused_to_go(url, format!("{error:#}")),
    }
}

/// Probes at the same time.
const AT_A_TIME: usize = 32;

/// Buffer length that is announced, in milliseconds.
const BUFFER_MS: u32 = 10_000;
