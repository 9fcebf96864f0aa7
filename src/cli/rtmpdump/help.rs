//! rtmpdump's first line and its help.
//!
//! Programs read these: yt-dlp and get_iplayer the version in the first line, streamlink the names of options in the help, as
//! ASCII.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory};

use super::definition::Definition;
use super::getopt::names;

/// First line on standard error: its callers read the version.
pub const BANNER: &str = concat!("RTMPDump v2.6-rtmpcat-", env!("CARGO_PKG_VERSION"));

/// Second line.
pub const BANNER_2: &str = "rtmpcat in the place of rtmpdump; the code is its own. License: MIT OR Apache-2.0";

/// rtmpdump's options in the order of its help, which comes first here too; they go first where names are abbreviated.
pub const NAMES: [&str; 36] = [
    "help",
    "url",
    "rtmp",
    "host",
    "port",
    "socks",
    "protocol",
    "playpath",
    "playlist",
    "swfUrl",
    "tcUrl",
    "pageUrl",
    "app",
    "swfhash",
    "swfsize",
    "swfVfy",
    "swfAge",
    "auth",
    "conn",
    "flashVer",
    "live",
    "subscribe",
    "realtime",
    "flv",
    "resume",
    "timeout",
    "start",
    "stop",
    "token",
    "jtv",
    "hashes",
    "buffer",
    "skip",
    "quiet",
    "verbose",
    "debug",
];

/// Help in rtmpdump's form: each option's line begins with `--name|-x`.
pub fn help() -> String {
    let command = Definition::command();
    let mut text = "\nSaves a stream played over RTMP as FLV.\n\n".to_owned();
    for name in NAMES {
        if let Some(arg) = command.get_arguments().find(|arg| names(arg).any(|known| known == name)) {
            line(&mut text, name, arg);
        }
    }
    text.push_str("\nNot in rtmpdump:\n\n");
    others(&command).for_each(|arg| line(&mut text, arg.get_long().unwrap_or_default(), arg));
    text.push_str("\nExit codes: 0 complete, 1 failed, 2 incomplete, 3 no session.\n");
    text
}

fn others(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.get_long().is_some() && !names(arg).any(|name| NAMES.contains(&name)))
}

fn line(text: &mut String, name: &str, arg: &Arg) {
    let mut head = format!("--{name}");
    if let Some(letter) = arg.get_short().filter(|_| NAMES.contains(&name)) {
        let _ = write!(head, "|-{letter}");
    }
    if let Some(name) = arg.get_value_names().filter(|_| arg.get_action().takes_values()).and_then(<[_]>::first) {
        let _ = write!(head, " {}", name.to_lowercase());
    }
    let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(text, "{head:<HEAD$} {about}");
}

/// Width of the column of names.
const HEAD: usize = 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_find_what_they_look_for() {
        let version = BANNER.split_once(" v").unwrap();
        assert_eq!(version.0, "RTMPDump");
        assert!(version.1.starts_with(|c: char| c.is_ascii_digit()));
        let help = help();
        for line in ["--help|-h ", "--rtmp|-r url ", "--live|-v ", "--flv|-o file ", "--hashes|-# "] {
            assert!(help.lines().any(|l| l.starts_with(line)), "{line}\n{help}");
        }
        assert!(help.is_ascii() && !help.contains("|-4"), "{help}");
    }
}
