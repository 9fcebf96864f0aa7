//! `rtmpcat probe`: is a server healthy, and what is in its stream?
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
//! tolerated      {unknown_messages, odd_control, strict_order}: deviations from the specification that were accepted
//! stream_length_s  of getStreamLength
//! timing_ms      {resolve, tcp, proxy, tls, tunnel}: how long each took; {opened, handshake, connect, create_stream, play,
//!                metadata, first_audio, first_video, first_keyframe}: when each was there
//! stream         as `inspect` has it; metadata, color_info, findings [{code, severity, text, count}] likewise
//! ```

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::connect::{ConnectEvent, Options};
use crate::inspect::series::Timeline;
use crate::probe::{self, DEFAULT_SECONDS, ProbeResult, Purpose, Status, Verdict};
use crate::transport::Interrupt;
use crate::url::Url;

use crate::cli::args::ProbeArgs;
use crate::cli::log::{Level, Log};
use crate::cli::output::probe::{View, hide_secrets, put_page, render, render_page};
use crate::cli::output::{ConnectLog, login_hint, taps};
use crate::cli::redact::Secrets;
use crate::cli::resolve::{self, Dialect, Request};
use crate::cli::trace::Tracing;

/// Probes all URLs, 32 at a time, and prints the results. Returns the worst status.
pub fn run(args: &ProbeArgs, interrupt: &Interrupt) -> Status {
    let log = Log::new(args.verbosity.level());
    match probe_all(args, &log, interrupt) {
        Ok(status) => status,
        Err(error) => {
            log.error(&format!("{error:#}"));
            Status::Unknown
        }
    }
}

fn probe_all(args: &ProbeArgs, log: &Log, interrupt: &Interrupt) -> Result<Status> {
    let tracing = resolve::tracing(&args.trace)?;
    let limits = args.limits();
    limits.validate().map_err(anyhow::Error::msg)?;
    validate_outputs(args)?;
    let mut results: Vec<ProbeResult> = Vec::new();
    for group in args.urls.chunks(AT_A_TIME) {
        std::thread::scope(|scope| {
            let running: Vec<_> =
                group.iter().map(|url| scope.spawn(|| probe_one(args, url, &tracing, interrupt))).collect();
            for (running, url) in running.into_iter().zip(group) {
                results.push(
                    running.join().unwrap_or_else(|_| {
                        ProbeResult::failed(url, "internal error: probe thread panicked".to_owned())
                    }),
                );
            }
        });
    }
    let verdicts: Vec<Verdict> = results.iter().map(|result| probe::judge(result, &limits)).collect();
    if log.shows(Level::Info) {
        let text = render(args.format, &results, &verdicts, &limits);
        let mut stdout = std::io::stdout();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("write to standard output")?;
    }
    if let Some(path) = &args.report {
        let page = render_page(&results, &verdicts, jiff::Timestamp::now());
        put_page(path, &page).with_context(|| path.display().to_string())?;
    }
    Ok(probe::worst(&verdicts))
}

/// Refuses outputs that cannot be written, before the stream is watched.
fn validate_outputs(args: &ProbeArgs) -> Result<()> {
    if args.watch && args.urls.len() > 1 {
        bail!("--watch shows one stream: give one URL");
    }
    if let Some(path) = &args.report {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            bail!("{}: no such directory", folder.display());
        }
    }
    Ok(())
}

fn probe_one(args: &ProbeArgs, url: &str, tracing: &Tracing, interrupt: &Interrupt) -> ProbeResult {
    let log = Log::new(args.verbosity.level());
    log.secrets().add_url(url);
    let mut result = match connection(args, url, tracing, &log) {
        Ok((url, options)) => {
            let purpose = match args.time {
                time if args.watch => Purpose::Monitor(time.unwrap_or(f64::INFINITY)),
                time if args.report.is_some() => Purpose::Monitor(time.unwrap_or(DEFAULT_SECONDS)),
                time => Purpose::Facts(time),
            };
            let mut listener = Listener { connect: ConnectLog::new(&options, &log), view: View::new(args, &log) };
            let result = probe::probe(&url, &options, purpose, &mut listener, interrupt);
            listener.view.end();
            result
        }
        Err(error) => ProbeResult::not_tried(url, format!("{error:#}")),
    };
    if let Some(error) = &result.login_error {
        result.error = Some(login_hint(error));
    }
    let secrets: &Secrets = &log.secrets();
    hide_secrets(&mut result, secrets);
    result
}

fn connection(args: &ProbeArgs, url: &str, tracing: &Tracing, log: &Log) -> Result<(Url, Options)> {
    let request = Request {
        url: Some(url),
        keyed_url: None,
        connect: &args.connect,
        flash: &args.flash,
        stream: Some((&args.stream, &args.flash_stream)),
        stop: None,
    };
    let resolved = resolve::connection(request, Dialect::Own)?;
    resolved.url.require_playpath()?;
    resolved.hide_secrets(&mut log.secrets());
    resolved.warnings.iter().for_each(|warning| log.warning(warning));
    let mut options = resolved.options.connection(&resolved.url);
    options.taps = taps(tracing.clone(), log);
    if let (Some(play), None) = (&mut options.session.play, &args.stream.buffer) {
        play.buffer_ms = BUFFER_MS;
    }
    if let Some(play) = &mut options.session.play
        && play.start_ms == 0.0
        && args.stream.start.is_none()
    {
        play.start_ms = LIVE_OR_RECORDED;
    }
    Ok((resolved.url, options))
}

/// Hands what happens to the log and to the live view.
struct Listener {
    connect: ConnectLog,
    view: View,
}

impl probe::Listener for Listener {
    fn connect(&mut self, event: ConnectEvent<'_>) {
        self.connect.event(event);
    }

    fn wants_progress(&mut self, elapsed: Duration) -> bool {
        self.view.is_due(elapsed)
    }

    fn progress(&mut self, result: &ProbeResult, timeline: Option<&Timeline>, elapsed: Duration) {
        self.view.show(result, timeline, elapsed);
    }
}

/// Start of `play` (§7.2.2.1, there in seconds) that finds streams of both kinds, as players send it: some servers (crtmpserver)
/// look for nothing but a file at 0.
const LIVE_OR_RECORDED: f64 = -2000.0;

/// Probes at the same time.
const AT_A_TIME: usize = 32;

/// Buffer length that is announced, in milliseconds: no more is watched.
const BUFFER_MS: u32 = 10_000;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::parse::{Cli, Command};

    #[test]
    fn a_page_needs_a_folder_and_a_view_one_stream() {
        let validated = |words: &[&str]| {
            let words = ["rtmpcat", "probe"].iter().chain(words);
            let Some(Command::Probe(args)) = Cli::try_parse_from(words).unwrap().command else { panic!("not probe") };
            validate_outputs(&args).map_err(|error| error.to_string())
        };
        assert_eq!(validated(&["u", "--report", "out.html", "--watch"]), Ok(()));
        assert!(validated(&["u", "v", "--watch"]).unwrap_err().contains("one URL"));
        assert!(validated(&["u", "--report", "no/such/out.html"]).unwrap_err().contains("no/such"));
    }
}
