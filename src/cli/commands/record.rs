//! `rtmpcat URL`: records a stream.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::Path;

use crate::cli::args::RecordArgs;
use crate::cli::exit::Code;
use crate::cli::log::Log;
use crate::cli::output::{RecordEvents, RecordLog, RecordOutput, conclude, log_options, taps};
use crate::cli::progress::Progress;
use crate::cli::resolve::{self, Dialect, Resolved};
use crate::cli::signals;
use crate::record::{self, EndReason, Error, Sink};
use crate::transport::Interrupt;
use crate::util::text::os_words;

/// Runs the recording that the options describe. `warnings`: what is odd about them.
pub fn run(args: &RecordArgs, dialect: Dialect, warnings: &[String], interrupt: &Interrupt) -> Code {
    let mut log = Log::new(args.verbosity.level());
    // A person sees when a line comes; whoever reads a file later does not.
    if dialect == Dialect::Own && !io::stderr().is_terminal() {
        log = log.with_times();
    }
    warnings.iter().for_each(|warning| log.warning(warning));
    match resolve::record(args, dialect) {
        Ok(resolved) => carry_out(resolved, args, dialect, &log, interrupt),
        Err(error) => {
            log.error(&format!("{error:#}"));
            Code::Failed
        }
    }
}

/// What the options came to is done.
fn carry_out(mut resolved: Resolved, args: &RecordArgs, dialect: Dialect, log: &Log, interrupt: &Interrupt) -> Code {
    let as_rtmpdump = dialect == Dialect::Rtmpdump;
    resolved.hide_secrets(&mut log.secrets());
    resolved.warnings.iter().for_each(|warning| log.warning(warning));
    if args.output.flv.is_none() {
        if as_rtmpdump {
            log.warning("You haven't specified an output file (-o filename), using stdout");
        } else if io::stdout().is_terminal() {
            log.error("standard output is a terminal (use -o FILE, or -o - to write there all the same)");
            return Code::Failed;
        }
    }
    if let Sink::File(path) = &resolved.sink
        && let Err(error) = check_output(path)
    {
        let name = path.display();
        match dialect {
            Dialect::Rtmpdump => log.line(&format!("Failed to open file! {name}")),
            Dialect::Own => log.error(&format!("cannot create {name}: {}", os_words(&error))),
        }
        return Code::Failed;
    }
    if let Err(error) = resolve::open_outputs(&mut resolved, args) {
        log.error(&format!("{error:#}"));
        return Code::Failed;
    }
    record_resolved(resolved, args, dialect, log, interrupt)
}

fn record_resolved(resolved: Resolved, args: &RecordArgs, dialect: Dialect, log: &Log, interrupt: &Interrupt) -> Code {
    let Resolved { url, mut options, sink, realtime, events, tracing, .. } = resolved;
    options.connect.taps = taps(tracing, log);
    log_options(&url, &options, log);
    if sink.may_block() {
        signals::insist();
    }
    let mut output = RecordOutput {
        progress: Progress::new(log, &args.output, dialect),
        log: RecordLog::new(&options, realtime, dialect, log),
        events: RecordEvents::new(&events, log),
    };
    let file = match &sink {
        Sink::File(path) => Some(path.clone()),
        Sink::Stdout | Sink::Segments(_) => None,
    };
    let outcome = match record::record(&url, sink, &options, &mut output, interrupt) {
        Ok(outcome) => outcome,
        Err(Error::Interrupted) if dialect == Dialect::Rtmpdump => return Code::Incomplete,
        Err(Error::Interrupted) => return Code::Failed,
        Err(error) => {
            log.error(&error.to_string());
            return Code::Failed;
        }
    };
    let code = conclude(&outcome, file.as_deref(), &output);
    if dialect == Dialect::Rtmpdump && matches!(outcome.end, EndReason::Unmatched(_)) {
        let skipped = options.resume.unwrap_or(0);
        log.line(&format!("Couldn't resume FLV file, try --skip {}", skipped + 1));
    }
    code
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
