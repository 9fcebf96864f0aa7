//! The program's own room: options, terminals, names of files.

pub mod args;
pub mod call;
pub mod dump;
pub mod json;
pub mod log;
pub mod progress;
pub mod serve;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::transport::Interrupt;
use args::{Cli, Compat, DumpArgs};

/// Runs the program. The first argument is its name: called `rtmpdump` it behaves like that.
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let as_rtmpdump =
        arguments.first().and_then(|name| Path::new(name).file_stem()).is_some_and(|name| name == "rtmpdump");
    let interrupt = Interrupt::default();
    watch_signals(&interrupt);
    let code = if as_rtmpdump { run_as_rtmpdump(&arguments, &interrupt) } else { run(&arguments, &interrupt) };
    ExitCode::from(code as u8)
}

fn run(arguments: &[OsString], interrupt: &Interrupt) -> dump::Code {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { dump::Code::Failed } else { dump::Code::Complete };
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
        None => dump::run(&cli.dump, false, interrupt),
        Some(args::Command::Serve(args)) => serve::run(&args, interrupt),
        Some(args::Command::Demo(args)) => serve::demo(&args, interrupt),
        Some(args::Command::Call(args)) => call::run(&args, interrupt),
    }
}

fn run_as_rtmpdump(arguments: &[OsString], interrupt: &Interrupt) -> dump::Code {
    match Compat::try_parse_from(arguments) {
        Ok(Compat { dump }) if dump.help => {
            let _ = writeln!(std::io::stderr(), "{}\n\n{}", dump::BANNER, compat_help());
            dump::Code::Complete
        }
        Ok(Compat { dump }) => dump::run(&dump, true, interrupt),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}\n{error}\n\n{}", dump::BANNER, compat_help());
            dump::Code::Failed
        }
    }
}

/// rtmpdump's form of help: a line for each option, `--name|-x VALUE`, at the beginning of the line.
fn compat_help() -> String {
    let command = Compat::command();
    let lines = command.get_arguments().filter(|a| !a.is_positional()).map(|argument| {
        let long = argument.get_long().unwrap_or_default();
        let short = argument.get_short().map(|c| format!("|-{c}")).unwrap_or_default();
        let value = argument.get_value_names().filter(|_| argument.get_action().takes_values());
        let value = value.and_then(|names| names.first()).map(|name| format!(" {name}")).unwrap_or_default();
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        format!("--{long}{short}{value:<12} {help}\n")
    });
    lines.collect()
}

fn is_empty(dump: &DumpArgs) -> bool {
    dump.urls.is_empty() && dump.rtmp.is_none() && dump.url.is_none() && dump.host.is_none()
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// The first signal asks to stop; a second one of the same kind, or another, ends the program at once.
fn watch_signals(interrupt: &Interrupt) {
    use signal_hook::consts::{SIGINT, SIGTERM};
    #[cfg(unix)]
    let signals = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP];
    #[cfg(not(unix))]
    let signals = [SIGINT, SIGTERM];
    for signal in signals {
        // Without handlers the signals end the program as they always do.
        let _ =
            signal_hook::flag::register_conditional_shutdown(signal, dump::Code::Incomplete as i32, interrupt.flag());
        let _ = signal_hook::flag::register(signal, interrupt.flag());
    }
}
