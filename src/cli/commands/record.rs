//! `rtmpcat URL`: records a stream.

use std::fs::File;
use std::path::Path;

use crate::cli::args::DumpArgs;
use crate::cli::dump::{Code, Interrupted, dump};
use crate::cli::log::{Level, Log};
use crate::cli::resolve;
use crate::transport::Interrupt;

/// Runs the recording that the options describe. `as_rtmpdump`: in the manner of that program.
pub fn run(args: &DumpArgs, as_rtmpdump: bool, interrupt: &Interrupt) -> Code {
    let level = match args {
        DumpArgs { quiet: true, .. } => Level::Quiet,
        DumpArgs { debug: true, .. } => Level::All,
        DumpArgs { verbose: true, .. } => Level::Debug,
        _ => Level::Info,
    };
    let log = Log::new(level);
    match resolve::record(args, as_rtmpdump) {
        Ok(mut plan) => {
            plan.hide_secrets(&mut log.secrets());
            plan.warnings.iter().for_each(|warning| log.warning(warning));
            if as_rtmpdump && args.flv.is_none() {
                log.warning("You haven't specified an output file (-o filename), using stdout");
            }
            if let Some(path) = plan.output.as_deref().filter(|path| plan.segments.is_none() && !can_be_opened(path)) {
                log.line(&format!("Failed to open file! {}", path.display()));
                return Code::Failed;
            }
            match plan.player.find(plan.ways.web(), &log, interrupt) {
                Ok(swf) => plan.session.verify_swf(swf),
                Err(Interrupted) => return Code::Incomplete,
            }
            dump(plan, as_rtmpdump, &log, interrupt)
        }
        Err(reason) => {
            log.error(&reason);
            Code::Failed
        }
    }
}

/// Whether opening the output may well succeed. It is opened later, when there is something to write: that is too late to
/// say that there is no such folder.
fn can_be_opened(path: &Path) -> bool {
    match std::fs::metadata(path) {
        // Not cut, not read. A named pipe would wait for its reader.
        Ok(metadata) if metadata.is_file() => File::options().append(true).open(path).is_ok(),
        Ok(metadata) => !metadata.is_dir(),
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            path.file_name().is_some() && folder.is_none_or(Path::is_dir)
        }
    }
}
