//! Playing a stream into an output: the program's main job.

mod getting_in;
mod handover;
mod hex;
mod plan;
mod record;
mod resume;
mod retry;
mod revival;
mod rewrite;
mod say;
mod segments;
mod swf;
mod track_metadata;
mod verdict;
mod ways;

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use crate::cli::events::seconds;
use crate::cli::log::Log;
use crate::cli::progress::Progress;
use crate::cli::signals;
use crate::client::Client;
use crate::error::Error;
use crate::flv::recorder::Recorder;
use crate::flv::writer::Output;
use crate::proto::command::NetStatus;
use crate::proto::session::Order;
use crate::proto::status::StatusCode;
use crate::transport::Interrupt;
use crate::url::without_secrets;

pub use getting_in::{GettingIn, Login, PASSWORD, USER};
pub use plan::Plan;
pub use retry::RetryOptions;
pub use rewrite::Rewriting;
pub use segments::SegmentPlan;
pub use swf::{Interrupted, Player};
pub use verdict::{Code, code_of, describe};
pub use ways::{Via, Ways};

use hex::HexTap;
use record::{Pulse, Recording};
use retry::{Gaps, Retry};
use rewrite::Rewriter;
use segments::Files;
use verdict::{End, judge};

/// What goes before the first connection of a plan that is no dump.
///
/// # Errors
/// The exit code, and why, in words.
pub fn make_ready(plan: &mut Plan, log: &Log, interrupt: &Interrupt) -> Result<(), (Code, String)> {
    plan.hide_secrets(&mut log.secrets());
    plan.warnings.iter().for_each(|warning| log.warning(warning));
    match plan.player.find(plan.ways.web(), log, interrupt) {
        Ok(swf) => plan.session.verify_swf(swf),
        Err(swf::Interrupted) => return Err((Code::Incomplete, "interrupted".to_owned())),
    }
    Ok(())
}

/// Carries out a plan.
pub fn dump(mut plan: Plan, as_rtmpdump: bool, log: &Log, interrupt: &Interrupt) -> Code {
    // Who does not go elsewhere must not say that it would.
    if plan.follow_redirects {
        plan.session.connect.announce_reconnect();
    }
    say::plan(log, &plan);
    if may_block(plan.output.as_deref()) {
        signals::insist();
    }
    let files = plan.segments.clone().map(|segments| Files::new(segments, plan.fsync.is_some(), log, &plan.events));
    let (recorder, resume, opening) = match resume::prepare(&plan) {
        Ok(Some((resume, existing))) => {
            let opening = say::opening(&plan, Some(&existing));
            (Recorder::continuing(plan.recorder, resume.opener(), existing), Some(resume), opening)
        }
        Ok(None) => {
            let path = plan.output.clone();
            let recorder = match &files {
                Some(files) => files.recorder(plan.recorder),
                None => Recorder::new(plan.recorder, Box::new(move || open(path.as_deref()))),
            };
            (recorder, None, say::opening(&plan, None))
        }
        Err(reason) => {
            log.error(&reason);
            return Code::Failed;
        }
    };
    let began = Instant::now();
    let mut recording = Recording {
        recorder,
        rewriter: Rewriter::new(plan.rewriting, log),
        resume,
        progress: Progress::new(log, plan.hashes, as_rtmpdump),
        log,
        began,
        until: plan.duration.map(|duration| began + duration),
        max_bytes: plan.max_bytes,
        start_ms: plan.start_ms,
        stop_ms: plan.stop_ms,
        zero_ms: if plan.recorder.absolute { 0 } else { plan.start_ms },
        is_live: plan.recorder.live,
        stream_length: None,
        is_recorded: false,
        opening,
        started_said: false,
        metadata_shown: false,
        flush_always: plan.recorder.pipe,
        flushed_ms: 0,
        fsync_ms: plan.fsync.map(|every| every.as_millis() as u64),
        synced_ms: 0,
        events: plan.events.clone(),
        gaps: Gaps::default(),
        pulse: Pulse::default(),
    };
    log.line("Connecting ...");
    let skipped = plan.resume.unwrap_or(0);
    let mut end = endure(plan, &mut recording, log, interrupt);
    recording.progress.finish(recording.position(), log);
    if matches!(end, End::Signal) {
        let number = signals::caught().unwrap_or_default();
        log.line(&format!("Caught signal: {number}, cleaning up, just a second..."));
    }
    match recording.recorder.finish() {
        Ok(_) => {}
        Err(error) if !matches!(end, End::Output(_)) => end = End::Output(error),
        Err(_) => {}
    }
    if let Some(files) = files {
        files.finish();
    }
    let code = conclude(&end, &recording, as_rtmpdump, log);
    if as_rtmpdump && matches!(end, End::Unmatched(_)) {
        log.line(&format!("Couldn't resume FLV file, try --skip {}", skipped + 1));
    }
    code
}

/// Plays, and plays again when that breaks off and more was wished for.
fn endure(mut plan: Plan, recording: &mut Recording<'_>, log: &Log, interrupt: &Interrupt) -> End {
    let mut retry = Retry::new(plan.retry);
    loop {
        // A redirect is followed anew each time.
        let mut next = plan.clone();
        let end = play(&mut next, recording, log, interrupt);
        plan.session.order = next.session.order;
        if let Err(end) = retry.after(end, recording, interrupt) {
            return end;
        }
    }
}

/// Connects and records; goes elsewhere or begins again where the server or the order of commands makes it necessary.
fn play(plan: &mut Plan, recording: &mut Recording<'_>, log: &Log, interrupt: &Interrupt) -> End {
    let mut getting_in = GettingIn::default();
    // How it ended when commands were sent ahead. If the server cannot be reached again, that is what there is to say.
    let mut ahead: Option<End> = None;
    // The time that the user gave runs while there is no connection yet as well.
    let limited = interrupt.until(recording.until);
    loop {
        if let Err(end) = recording.go_on(plan) {
            return end;
        }
        recording.begin_connection(&without_secrets(&format!("{}/{}", plan.target.tc_url, plan.target.playpath)));
        plan.ways.warn(&plan.target, log);
        let mut client = match Client::open(&plan.dial, plan.session.clone(), plan.timeouts, &limited) {
            Ok(client) => client,
            Err(Error::Interrupted) => return End::interrupted(&limited),
            Err(error) => return ahead.unwrap_or(End::Broken(error)),
        };
        watch(&mut client, plan, log);
        let mut end = recording.run(&mut client, plan, &limited);
        let has_media = client.marks().first_media.is_some();
        let started = client.marks().play_started.is_some() || has_media;
        client.close();
        if let (End::Broken(error), Some(_)) = (&end, &ahead)
            && code_of(error) == Code::NoSession
            && let Some(first) = ahead.take()
        {
            return first;
        }
        if let Some(resume) = &mut recording.resume {
            match resume.after(end) {
                Ok(at) => {
                    log.info(&at);
                    getting_in.begin_anew(plan);
                    continue;
                }
                Err(last) => end = last,
            }
            if resume.is_complete()
                && let Err(error) = recording.recorder.mend(recording.began.elapsed().as_millis() as u64)
            {
                return End::Output(error);
            }
        }
        match &end {
            End::Refused(status) => {
                match getting_in.after_refusal(plan, status, has_media, log) {
                    Ok(true) => {
                        ahead = None;
                        continue;
                    }
                    Ok(false) => {}
                    Err(reason) => {
                        log.error(&reason);
                        return end;
                    }
                }
                // "Not found" is an answer to play itself; anything else may mean that it came too early.
                if started
                    || plan.session.order == Order::Strict
                    || status.code == StatusCode::PlayStreamNotFound
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
        getting_in.begin_anew(plan);
        ahead = Some(end);
    }
}

/// Has what goes over a connection kept and shown, as far as that was asked for.
fn watch(client: &mut Client, plan: &Plan, log: &Log) {
    plan.tracing.attach(client, &plan.target, log);
    // Messages bring their own bytes.
    if let Some(tap) = HexTap::new(log).filter(|_| !plan.tracing.shows_messages()) {
        client.add_tap(Box::new(tap));
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
    status.code.is_about_connect()
}

/// Whether writing to the output can wait for a reader.
fn may_block(path: Option<&Path>) -> bool {
    path.is_none_or(|path| std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()))
}

/// Opens the output. Called when there is something to write, not before.
fn open(path: Option<&Path>) -> io::Result<Output> {
    let Some(path) = path else { return Output::stdout() };
    let file = create(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    Output::from_file(file)
}

/// A file that can be read as well, to look what is in it after a failed write. What is no file, a named pipe above all, is
/// only written to.
fn create(path: &Path) -> io::Result<File> {
    let is_other = std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    match File::options().read(!is_other).write(true).create(true).truncate(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !is_other => File::create(path),
        result => result,
    }
}

/// The last words, and the exit code.
fn conclude(end: &End, recording: &Recording<'_>, as_rtmpdump: bool, log: &Log) -> Code {
    let facts = recording.facts();
    let (code, reason) = judge(end, &facts);
    recording.gaps.words().iter().for_each(|line| log.info(line));
    if let Some(reason) = reason {
        match code {
            Code::Complete => log.info(&reason),
            Code::Incomplete => log.warning(&reason),
            _ => log.error(&reason),
        }
    }
    // A file that was deleted has lost all of it.
    if let (End::Output(error), true) = (end, facts.saved)
        && error.kind() != io::ErrorKind::NotFound
    {
        let bytes = recording.recorder.bytes_written();
        match recording.recorder.saved_ms() {
            Some(saved) => log.info(&format!("{:.1} s are saved, in {bytes} bytes", saved as f64 / 1000.0)),
            None => log.info(&format!("{bytes} bytes are saved")),
        }
    }
    tell_end(end, code, recording);
    if facts.is_nothing_wanted && matches!(end, End::LimitReached) {
        log.line("Already Completed");
    }
    match code {
        Code::Complete => log.line("Download complete"),
        Code::Incomplete => {
            let share = match facts.expected_ms {
                Some(expected) => Some(facts.last_ms as f64 * 100.0 / expected.max(1) as f64),
                // What rtmpdump says where nobody knows.
                None => as_rtmpdump.then_some(0.0),
            };
            let share = share.map_or(String::new(), |share| format!(" (downloaded about {share:.2}%)"));
            // A live stream is over.
            let advice = if facts.live && !as_rtmpdump { "" } else { ", try resuming" };
            log.line(&format!("Download may be incomplete{share}{advice}"));
        }
        Code::Failed | Code::NoSession => {}
    }
    code
}

fn tell_end(end: &End, code: Code, recording: &Recording<'_>) {
    let recorder = &recording.recorder;
    let (audio, video, _) = recorder.tags();
    let (gaps, lost_ms) = recording.gaps.total();
    let (repeated, skipped) = recorder.left_out();
    let reason = recording.log.secrets().hide(&retry::reason(end)).into_owned();
    recording.events.emit("end", || {
        json!({
            "code": code as u8,
            "result": code.name(),
            "cause": end.cause(),
            "reason": reason,
            "bytes": recorder.bytes_written(),
            "at": seconds(recorder.saved_ms().unwrap_or(recorder.latest_ms()).max(0) as u64),
            "video": video,
            "audio": audio,
            "gaps": gaps,
            "lost": seconds(lost_ms),
            "repeated": repeated,
            "skipped": skipped,
        })
    });
}
