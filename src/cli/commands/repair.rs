//! `rtmpcat repair`: a cut, damaged or foreign FLV becomes a sound and seekable one.

use crate::flv::repair::{MAX_FAULTS_KEPT, Report, repair};
use crate::flv::tag::FileHeader;

use crate::cli::args::RepairArgs;
use crate::cli::dump::Code;
use crate::cli::log::{Level, Log};

/// Repairs, and says what there was to repair.
pub fn run(args: &RepairArgs) -> Code {
    let log = Log::new(match args {
        RepairArgs { quiet: true, .. } => Level::Error,
        RepairArgs { verbose: true, .. } => Level::Debug,
        _ => Level::Info,
    });
    match repair(&args.file, args.output.as_deref()) {
        Ok(report) => {
            let target = args.output.as_ref().unwrap_or(&args.file);
            say(&report, &target.display().to_string(), &log);
            Code::Complete
        }
        Err(error) => {
            log.error(&format!("{}: {error}", args.file.display()));
            Code::Failed
        }
    }
}

fn say(report: &Report, target: &str, log: &Log) {
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
                "byte {}: flags say {}, there is {}",
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
    log.line(&format!(
        "{target}: {faults}; kept {} video and {} audio tags, {} other; {seconds:.3} s, {} keyframes in the index; {before} bytes became {after}",
        report.video_tags, report.audio_tags, report.script_tags, report.keyframes
    ));
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
