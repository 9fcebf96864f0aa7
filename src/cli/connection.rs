//! The options of playing in other commands that connect: which of them they show, and what they come to.

use clap::Arg;

use super::args::DumpArgs;
use super::log::Level;

/// Hides the options that have to do with saving a stream. They are read, and without effect.
pub fn shape(arg: Arg) -> Arg {
    let shown = match arg.get_id().as_str() {
        "help" | "app" | "host" | "port" | "protocol" | "timeout" | "connect_timeout" | "quiet" | "verbose"
        | "debug" => true,
        id => match arg.get_help_heading() {
            Some("Connect" | "Network" | "Trace") => !matches!(id, "strict_order" | "fast_start"),
            Some("Probe") | None => true,
            _ => false,
        },
    };
    if shown { arg } else { arg.hide(true) }
}

/// How much is said.
pub fn level(args: &DumpArgs) -> Level {
    match args {
        DumpArgs { quiet: true, .. } => Level::Error,
        DumpArgs { debug: true, .. } => Level::All,
        DumpArgs { verbose: true, .. } => Level::Debug,
        _ => Level::Info,
    }
}
