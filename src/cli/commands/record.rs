//! `rtmpcat URL`: records a stream.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::Path;

use crate::cli::args::RecordArgs;
use crate::cli::dump::{Code, Interrupted, Plan, dump};
use crate::cli::io_error::plain;
use crate::cli::log::Log;
use crate::cli::resolve::{self, Dialect};
use crate::transport::Interrupt;

/// Runs the recording that the options describe. `warnings`: what is odd about them.
pub fn run(args: &RecordArgs, dialect: Dialect, warnings: &[String], interrupt: &Interrupt) -> Code {
    let log = Log::new(args.verbosity.level());
    warnings.iter().for_each(|warning| log.warning(warning));
    match resolve::record(args, dialect) {
        Ok(plan) => carry_out(plan, args, dialect, &log, interrupt),
        Err(error) => {
            log.error(&format!("{error:#}"));
            Code::Failed
        }
    }
}

fn carry_out(mut plan: Plan, args: &RecordArgs, dialect: Dialect, log: &Log, interrupt: &Interrupt) -> Code {
    let as_rtmpdump = dialect == Dialect::Rtmpdump;
    plan.hide_secrets(&mut log.secrets());
    plan.warnings.iter().for_each(|warning| log.warning(warning));
    if args.output.flv.is_none() {
        if as_rtmpdump {
            log.warning("You haven't specified an output file (-o filename), using stdout");
        } else if io::stdout().is_terminal() {
            log.error("standard output is a terminal (use -o FILE, or -o - to write there all the same)");
            return Code::Failed;
        }
    }
    if let Some(path) = plan.output.as_deref().filter(|_| plan.segments.is_none())
        && let Err(error) = check_output(path)
    {
        let name = path.display();
        match dialect {
            Dialect::Rtmpdump => log.line(&format!("Failed to open file! {name}")),
            Dialect::Own => log.error(&format!("cannot create {name}: {}", plain(&error))),
        }
        return Code::Failed;
    }
    match plan.player.find(plan.ways.web(), log, interrupt) {
        Ok(swf) => plan.session.verify_swf(swf),
        Err(Interrupted) => return Code::Incomplete,
    }
    dump(plan, as_rtmpdump, log, interrupt)
}

/// Whether opening the output may well succeed. It is opened later, when there is something to write: that is too late to
/// say that there is no such directory.
fn check_output(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        // Not truncated, not read. A named pipe would wait for its reader.
        Ok(metadata) if metadata.is_file() => File::options().append(true).open(path).map(drop),
        Ok(metadata) if metadata.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(_) => Ok(()),
        Err(error) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if path.file_name().is_some() && folder.is_none_or(Path::is_dir) { Ok(()) } else { Err(error) }
        }
    }
}
