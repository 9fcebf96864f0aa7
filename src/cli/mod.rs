//! The program's own room: options, terminals, names of files.

// Comments on options are help texts: brackets in them are those of a usage line or a default, not links.
#![allow(rustdoc::broken_intra_doc_links)]

pub mod args;
pub mod commands;
pub mod events;
pub mod exit;
pub mod json;
pub mod log;
pub mod output;
pub mod parse;
pub mod progress;
pub mod redact;
pub mod report;
pub mod resolve;
pub mod rtmpdump;
pub mod signals;
pub mod trace;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::probe::Status;
use crate::transport::Interrupt;
use args::RecordArgs;
use commands::{call, completions, inspect, probe, record, repair, serve};
use exit::Code;
use parse::{Cli, Command, parse};
use resolve::Dialect;

/// Runs the program. The first argument is its name: called `rtmpdump` it behaves like that.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let as_rtmpdump = arguments.first().is_some_and(|name| rtmpdump::is_rtmpdump(Path::new(name)));
    let interrupt = Interrupt::default();
    if as_rtmpdump {
        signals::watch(&interrupt);
        rtmpdump::run(&arguments, &interrupt).into()
    } else {
        run(&arguments, &interrupt)
    }
}

fn run(arguments: &[OsString], interrupt: &Interrupt) -> ExitCode {
    match parse(arguments) {
        Ok(cli) => run_command(&cli, interrupt),
        Err(error) => {
            let _ = error.print();
            match arguments.get(1) {
                _ if !error.use_stderr() => ExitCode::SUCCESS,
                // To a monitor 1 would be a warning about the stream.
                Some(command) if command == "probe" => Status::Unknown.into(),
                _ => Code::Failed.into(),
            }
        }
    }
}

fn run_command(cli: &Cli, interrupt: &Interrupt) -> ExitCode {
    // What only reads files and prints ends at a signal as programs do: also where it waits for a pipe.
    if !matches!(cli.command, Some(Command::Inspect(_) | Command::Trace(_) | Command::Completions(_))) {
        signals::watch(interrupt);
    }
    let code = match &cli.command {
        None if is_empty(&cli.record) => {
            let _ = std::io::stderr().write_all(NOTHING_TO_DO.as_bytes());
            Code::Failed
        }
        None => record::run(&cli.record, Dialect::Own, &[], interrupt),
        Some(Command::Serve(args)) => serve::run(args, interrupt),
        Some(Command::Demo(args)) => serve::demo(args, interrupt),
        Some(Command::Call(args)) => call::run(args, interrupt),
        Some(Command::Probe(args)) => return probe::run(args, interrupt).into(),
        Some(Command::Inspect(args)) => inspect::run(args),
        Some(Command::Repair(args)) => repair::run(args, interrupt),
        Some(Command::Trace(args)) => commands::trace::run(args),
        Some(Command::Completions(args)) => match completions::run(args) {
            Ok(()) => Code::Complete,
            Err(error) => {
                log::Log::new(log::Level::Error).error(&format!("{error:#}"));
                Code::Failed
            }
        },
    };
    code.into()
}

fn is_empty(args: &RecordArgs) -> bool {
    args.urls.is_empty() && args.url.rtmp.is_empty() && args.url.url.is_none() && args.connect.host.is_none()
}

/// Without arguments.
const NOTHING_TO_DO: &str = "\
Usage: rtmpcat [OPTIONS] URL, or rtmpcat COMMAND
Try it:  rtmpcat demo
Options: rtmpcat -h, all of them: rtmpcat --help
";
