//! A run in place of rtmpdump.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use crate::cli::commands::record;
use crate::cli::exit::Code;
use crate::cli::resolve::Dialect;
use crate::transport::Interrupt;

use super::grammar::{Parsed, Wrong, parse};
use super::help::{BANNER, BANNER_2, help};

/// Whether a program of that name is to behave like rtmpdump.
pub fn is_rtmpdump(program: &Path) -> bool {
    program.file_stem().is_some_and(|name| name == "rtmpdump")
}

/// Does what rtmpdump would do with these arguments; the first is the program's name.
pub fn run(arguments: &[OsString], interrupt: &Interrupt) -> Code {
    let quiet = is_quiet(arguments);
    let tell = |text: &str| {
        if !quiet {
            complain(text);
        }
    };
    tell(&format!("{BANNER}\n{BANNER_2}\n"));
    match parse(arguments) {
        Ok(Parsed::Record(args, warnings)) => record::run(&args, Dialect::Rtmpdump, &warnings, interrupt),
        Ok(Parsed::Help) => {
            tell(&help());
            Code::Complete
        }
        Err(Wrong::Usage(text)) => {
            complain(&format!("{text}\n"));
            tell(&help());
            Code::Failed
        }
        Err(Wrong::Value(text)) => {
            tell(&format!("ERROR: {text}\n"));
            Code::Failed
        }
    }
}

/// Whether the banner is not to be shown. As in rtmpdump, the word counts wherever it stands.
fn is_quiet(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).any(|argument| argument == "-q" || argument == "--quiet")
}

fn complain(text: &str) {
    // Standard error may be closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
