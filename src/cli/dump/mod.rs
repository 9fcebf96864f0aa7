//! Playing a stream into an output: the program's main job.

mod plan;
mod record;
mod say;
mod verdict;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use crate::cli::args::DumpArgs;
use crate::cli::log::{Level, Log};
use crate::cli::progress::Progress;
use crate::client::Client;
use crate::error::Error;
use crate::flv::recorder::Recorder;
use crate::flv::writer::Output;
use crate::proto::amf0::Value;
use crate::proto::command::NetStatus;
use crate::proto::session::Order;
use crate::transport::Interrupt;

pub use plan::{Plan, plan, plan_connection};
pub use verdict::{Code, code_of, describe};

use record::Recording;
use verdict::{End, judge};

/// Runs the dump that the options describe. `as_rtmpdump`: in the manner of that program.
pub fn run(args: &DumpArgs, as_rtmpdump: bool, interrupt: &Interrupt) -> Code {
    let level = match args {
        DumpArgs { quiet: true, .. } => Level::Quiet,
        DumpArgs { debug: true, .. } => Level::All,
        DumpArgs { verbose: true, .. } => Level::Debug,
        _ => Level::Info,
    };
    let log = Log::new(level);
    if as_rtmpdump {
        log.line(BANNER);
        log.line("Play RTMP streams and save them as FLV; not the program of old, but its successor");
    }
    match plan(args, as_rtmpdump) {
        Ok(plan) => {
            if as_rtmpdump && plan.output.is_none() {
                log.warning("You haven't specified an output file (-o filename), using stdout");
            }
            dump(plan, as_rtmpdump, &log, interrupt)
        }
        Err(reason) => {
            log.error(&reason);
            Code::Failed
        }
    }
}

/// Carries out a plan.
pub fn dump(plan: Plan, as_rtmpdump: bool, log: &Log, interrupt: &Interrupt) -> Code {
    say::plan(log, &plan);
    let path = plan.output.clone();
    let began = Instant::now();
    let mut recording = Recording {
        recorder: Recorder::new(plan.recorder, Box::new(move || open(path.as_deref()))),
        progress: Progress::new(log, plan.hashes, as_rtmpdump),
        log,
        began,
        until: plan.duration.map(|duration| began + duration),
        max_bytes: plan.max_bytes,
        start_ms: plan.start_ms,
        is_live: plan.recorder.live,
        stream_length: None,
        is_recorded: false,
        metadata_shown: false,
        flush_always: plan.recorder.pipe,
        flushed_ms: 0,
    };
    log.line("Connecting ...");
    let mut end = play(plan, &mut recording, log, interrupt);
    recording.progress.finish(recording.position(), log);
    if matches!(end, End::Signal) {
        log.line("Caught a signal, cleaning up, just a second...");
    }
    match recording.recorder.finish() {
        Ok(_) => {}
        Err(error) if !matches!(end, End::Output(_)) => end = End::Output(error),
        Err(_) => {}
    }
    conclude(&end, &recording, log)
}

/// Connects and records; goes elsewhere or begins again where the server or the order of commands makes it necessary.
fn play(mut plan: Plan, recording: &mut Recording<'_>, log: &Log, interrupt: &Interrupt) -> End {
    let mut redirects = 0;
    loop {
        plan.dial.host.clone_from(&plan.target.host);
        plan.dial.port = plan.target.port;
        let mut client = match Client::open(&plan.dial, plan.session.clone(), plan.timeouts, interrupt) {
            Ok(client) => client,
            Err(Error::Interrupted) => return End::Signal,
            Err(error) => return End::Broken(error),
        };
        let end = recording.run(&mut client);
        let started = client.marks().play_started.is_some() || recording.recorder.is_open();
        client.close();
        match &end {
            End::Refused(status) => {
                if let Some(url) = redirect(status).filter(|_| plan.follow_redirects && !recording.recorder.is_open()) {
                    redirects += 1;
                    match follow(&mut plan, &url, redirects) {
                        Ok(()) => {
                            log.info(&format!("The server redirects to {}", crate::target::without_secrets(&url)));
                            continue;
                        }
                        Err(reason) => log.error(&reason),
                    }
                }
                // "Not found" is an answer to play itself; anything else may mean that it came too early.
                if started
                    || plan.session.order == Order::Strict
                    || status.code == "NetStream.Play.StreamNotFound"
                    || is_connect(status)
                {
                    return end;
                }
            }
            End::Broken(Error::Closed { phase } | Error::Io { phase, .. })
                if !started && plan.session.order != Order::Strict && *phase >= retry_from(plan.session.order) => {}
            _ => return end,
        }
        log.debug("Trying again in the strict order");
        plan.session.order = Order::Strict;
    }
}

/// The phase from which on a broken connection may be the fault of commands sent ahead.
fn retry_from(order: Order) -> crate::error::Phase {
    match order {
        Order::Fast => crate::error::Phase::ConnectCommand,
        _ => crate::error::Phase::CreateStream,
    }
}

fn is_connect(status: &NetStatus) -> bool {
    status.code.starts_with("NetConnection.Connect.")
}

/// Where a rejection sends the client: `ex.redirect`, with `ex.code` 302.
fn redirect(status: &NetStatus) -> Option<String> {
    let ex = status.information.get("ex").and_then(Value::as_object).unwrap_or(&status.information);
    ex.get("redirect").and_then(Value::as_str).filter(|url| url.contains("://")).map(str::to_owned)
}

fn follow(plan: &mut Plan, url: &str, redirects: u32) -> Result<(), String> {
    if redirects > MAX_REDIRECTS {
        return Err(format!("more than {MAX_REDIRECTS} redirects"));
    }
    plan.target = plan.target.redirected(url).map_err(|e| e.to_string())?;
    plan.session.connect.app.clone_from(&plan.target.app);
    plan.session.connect.tc_url.clone_from(&plan.target.tc_url);
    if let Some(play) = &mut plan.session.play {
        play.playpath.clone_from(&plan.target.playpath);
    }
    Ok(())
}

/// Opens the output. Called when there is something to write, not before.
fn open(path: Option<&Path>) -> io::Result<Output> {
    let Some(path) = path else { return stdout() };
    let file = File::create(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    // A named pipe or a device cannot be patched.
    if file.metadata().is_ok_and(|m| m.is_file()) { Ok(Output::File(file)) } else { Ok(Output::Stream(Box::new(file))) }
}

/// Standard output without the standard library's line buffer.
fn stdout() -> io::Result<Output> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let fd = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Output::Stream(Box::new(File::from(fd))))
    }
    #[cfg(not(unix))]
    Ok(Output::Stream(Box::new(io::stdout())))
}

/// The last words, and the exit code.
fn conclude(end: &End, recording: &Recording<'_>, log: &Log) -> Code {
    let facts = recording.facts();
    let (code, reason) = judge(end, &facts);
    if let Some(reason) = reason {
        match code {
            Code::Complete => log.info(&reason),
            Code::Incomplete => log.warning(&reason),
            _ => log.error(&reason),
        }
    }
    match code {
        Code::Complete => log.line("Download complete"),
        Code::Incomplete => {
            let share = facts.expected_ms.map_or(0.0, |expected| facts.last_ms as f64 * 100.0 / expected.max(1) as f64);
            log.line(&format!("Download may be incomplete (downloaded about {share:.2}%), try resuming"));
        }
        Code::Failed | Code::NoSession => {}
    }
    code
}

/// First line on standard error in the manner of rtmpdump: its callers read the version.
pub const BANNER: &str = concat!("RTMPDump v2.6-rtmpcat-", env!("CARGO_PKG_VERSION"));

/// Redirects that are followed in one session.
const MAX_REDIRECTS: u32 = 5;
