//! `rtmpcat repair`: a truncated, damaged or foreign FLV becomes a valid and seekable one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use crate::flv::repair::{MAX_FAULTS_KEPT, Report, examine, repair};
use crate::flv::tag::FileHeader;
use crate::inspect::Severity;
use crate::inspect::file::{Located, inspect};

use crate::cli::args::RepairArgs;
use crate::cli::exit::Code;
use crate::cli::log::{Level, Log};
use crate::transport::Interrupt;
use crate::util::text::os_words;

/// Repairs files, one after the other, and says what there was to repair.
pub fn run(args: &RepairArgs, interrupt: &Interrupt) -> Code {
    let log = Log::new(match args {
        RepairArgs { quiet: true, .. } => Level::Error,
        RepairArgs { verbose: true, .. } => Level::Debug,
        _ => Level::Info,
    });
    if args.files.len() > 1 && args.output.is_some() {
        log.error("--output takes one FILE");
        return Code::Failed;
    }
    let mut code = Code::Complete;
    for file in &args.files {
        if interrupt.is_set() {
            return Code::Incomplete;
        }
        match repair_one(args, file, &log) {
            Ok(true) => {}
            Ok(false) if code == Code::Complete => code = Code::Incomplete,
            Ok(false) => {}
            Err(error) => {
                log.error(&format!("{error:#}"));
                code = Code::Failed;
            }
        }
    }
    code
}

/// Whether the file is valid now.
fn repair_one(args: &RepairArgs, file: &Path, log: &Log) -> Result<bool> {
    let name = file.display().to_string();
    let failed = |error: io::Error| anyhow!("{name}: {}", os_words(&error));
    // Opening a named pipe would wait for its writer.
    if !std::fs::metadata(file).map_err(failed)?.is_file() {
        bail!("{name}: not a regular file");
    }
    if args.dry_run {
        return examine(file).map(|report| say(&report, &name, true, log)).map(|()| true).map_err(failed);
    }
    let backup = args.backup.then(|| back_up(file)).transpose()?;
    let report = repair(file, args.output.as_deref());
    if let (Err(_), Some(backup)) = (&report, &backup) {
        // The original is unchanged.
        let _ = std::fs::remove_file(backup);
    }
    let report = report.map_err(failed)?;
    let target = match &args.output {
        Some(output) => output.clone(),
        None => finish_part(file)?,
    };
    say(&report, &target.display().to_string(), false, log);
    name_what_is_left(&target, log)
}

/// A repair makes the framing valid; what is wrong inside the tags stays. Names the errors that `inspect` still finds.
fn name_what_is_left(target: &Path, log: &Log) -> Result<bool> {
    let name = target.display();
    let report = File::open(target).and_then(|file| inspect(file, |_| Ok(())));
    let report = report.map_err(|error| anyhow!("{name}: {}", os_words(&error)))?;
    let is_error = |located: &&Located| located.finding.severity() == Severity::Error;
    for located in report.findings.iter().filter(is_error).take(FAULTS_SHOWN) {
        log.warning(&format!("{name}: byte {}: {}", located.offset, located.finding));
    }
    if report.errors > 0 {
        log.warning(&format!("{name}: {} errors cannot be repaired", report.errors));
    }
    Ok(report.errors == 0)
}

/// Keeps the original as NAME.bak: a second name for it, since the repaired file takes the place of the first.
fn back_up(file: &Path) -> Result<PathBuf> {
    let mut name = file.as_os_str().to_owned();
    name.push(".bak");
    let backup = PathBuf::from(name);
    if std::fs::symlink_metadata(&backup).is_ok() {
        bail!("{} already exists", backup.display());
    }
    // Not every file system has links.
    std::fs::hard_link(file, &backup)
        .or_else(|_| std::fs::copy(file, &backup).map(drop))
        .map_err(|error| anyhow!("cannot create {}: {}", backup.display(), os_words(&error)))?;
    Ok(backup)
}

/// Gives NAME.part the name NAME, unless that is taken.
fn finish_part(file: &Path) -> Result<PathBuf> {
    if file.extension().is_none_or(|extension| extension != "part") {
        return Ok(file.to_owned());
    }
    let name = file.with_extension("");
    if std::fs::symlink_metadata(&name).is_ok() {
        bail!("{} is repaired, but {} already exists", file.display(), name.display());
    }
    std::fs::rename(file, &name).map_err(|error| anyhow!("cannot rename {}: {}", file.display(), os_words(&error)))?;
    Ok(name)
}

fn say(report: &Report, target: &str, is_dry: bool, log: &Log) {
    let shown = if log.shows(Level::Debug) { MAX_FAULTS_KEPT } else { FAULTS_SHOWN };
    for fault in report.faults.iter().take(shown) {
        log.line(&fault.to_string());
    }
    let more = report.fault_count.saturating_sub(shown as u64);
    if more > 0 {
        log.line(&format!("... and {more} more"));
    }
    match report.flags {
        (Some(before), after) if before != after => {
            log.line(&format!(
                "byte {}: flags say {}, found {}",
                FileHeader::FLAGS_OFFSET,
                tracks(before),
                tracks(after)
            ));
        }
        _ => {}
    }
    let (before, after) = report.bytes;
    let seconds = report.duration_ms as f64 / 1000.0;
    let faults = if report.fault_count == 1 { "1 fault".to_owned() } else { format!("{} faults", report.fault_count) };
    let kept =
        format!("{} video and {} audio tags, {} other", report.video_tags, report.audio_tags, report.script_tags);
    let index = format!("{seconds:.3} s, {} keyframes in the index", report.keyframes);
    log.line(&match is_dry {
        true => format!("{target}: {faults}; not changed"),
        false => format!("{target}: {faults}; kept {kept}; {index}; {before} bytes became {after}"),
    });
}

fn tracks(flags: u8) -> &'static str {
    match (flags & FileHeader::AUDIO != 0, flags & FileHeader::VIDEO != 0) {
        (true, true) => "audio and video",
        (true, false) => "audio",
        (false, true) => "video",
        (false, false) => "nothing",
    }
}

/// Faults that are named unless all are wanted.
const FAULTS_SHOWN: usize = 10;
