//! The program's own room: options, terminals, names of files.

// Comments on options are help texts: brackets in them are those of a usage line or a default, not links.
#![allow(rustdoc::broken_intra_doc_links)]

pub mod args;
pub mod call;
pub mod commands;
pub mod compat;
pub mod connection;
pub mod dump;
pub mod endure;
pub mod enhanced;
pub mod events;
pub mod gate;
pub mod getopt;
pub mod inspect;
pub mod json;
pub mod log;
pub mod probe;
pub mod progress;
pub mod redact;
pub mod repair;
pub mod report;
pub mod resolve;
pub mod serve;
pub mod signals;
pub mod trace;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::transport::Interrupt;
use args::{Cli, DumpArgs};

/// Runs the program. The first argument is its name: called `rtmpdump` it behaves like that.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let as_rtmpdump = arguments.first().is_some_and(|name| compat::is_rtmpdump(Path::new(name)));
    let interrupt = Interrupt::default();
    signals::watch(&interrupt);
    let code = if as_rtmpdump { run_as_rtmpdump(&arguments, &interrupt) } else { run(&arguments, &interrupt) };
    ExitCode::from(code as u8)
}

fn run(arguments: &[OsString], interrupt: &Interrupt) -> dump::Code {
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return match arguments.get(1) {
                _ if !error.use_stderr() => dump::Code::Complete,
                // To a monitor 1 would be a warning about the stream.
                Some(command) if command == "probe" => dump::Code::NoSession,
                _ => dump::Code::Failed,
            };
        }
    };
    if cli.version {
        print(&format!("rtmpcat {}\n", env!("CARGO_PKG_VERSION")));
        return dump::Code::Complete;
    }
    if cli.dump.help {
        let _ = Cli::command().print_long_help();
        return dump::Code::Complete;
    }
    match cli.command {
        None if is_empty(&cli.dump) => {
            let _ = write!(std::io::stderr(), "{}", Cli::command().render_help());
            dump::Code::Failed
        }
        None => commands::record::run(&cli.dump, false, interrupt),
        Some(args::Command::Serve(args)) => serve::run(&args, interrupt),
        Some(args::Command::Demo(args)) => serve::demo(&args, interrupt),
        Some(args::Command::Call(args)) => call::run(&args, interrupt),
        Some(args::Command::Probe(args)) => probe::run(&args, interrupt),
        Some(args::Command::Inspect(args)) => inspect::run(&args),
        Some(args::Command::Repair(args)) => repair::run(&args),
        Some(args::Command::Trace(args)) => trace::run(&args, interrupt),
    }
}

/// Reads the arguments with getopt's habits, unless they begin with a command.
fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let is_command =
        |first: &OsString| first.to_str().is_some_and(|first| first == "help" || args::Command::has_subcommand(first));
    if arguments.get(1).is_some_and(is_command) {
        return Cli::try_parse_from(arguments);
    }
    // The definition without the commands is half the size; it does for all that is well written.
    if let Ok(Some(dump)) = compat::parse(arguments) {
        return Ok(Cli { command: None, dump, version: false });
    }
    let mut command = Cli::command();
    command.build();
    match getopt::normalise(&command, arguments, &compat::NAMES) {
        Ok(normal) => Cli::try_parse_from(normal),
        // clap says it better: with what may have been meant.
        Err(getopt::Wrong::UnknownName(name)) => {
            Cli::try_parse_from([OsString::from("rtmpcat"), format!("--{name}").into()])
        }
        Err(wrong) => Err(command.error(clap::error::ErrorKind::UnknownArgument, wrong)),
    }
}

fn run_as_rtmpdump(arguments: &[OsString], interrupt: &Interrupt) -> dump::Code {
    let quiet = compat::is_quiet(arguments);
    if !quiet {
        complain(&format!("{}\n{}\n", compat::BANNER, compat::BANNER_2));
    }
    match compat::parse(arguments) {
        Ok(Some(dump)) => commands::record::run(&dump, true, interrupt),
        Ok(None) => {
            if !quiet {
                complain(&compat::help());
            }
            dump::Code::Complete
        }
        Err(wrong) => {
            complain(&format!("{wrong}\n"));
            if !quiet {
                complain(&compat::help());
            }
            dump::Code::Failed
        }
    }
}

fn complain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn is_empty(dump: &DumpArgs) -> bool {
    dump.urls.is_empty() && dump.rtmp.is_empty() && dump.url.is_none() && dump.host.is_none()
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
