//! In place of rtmpdump: its first line, its help, its words about wrong usage.
//!
//! Programs read these: yt-dlp and get_iplayer the version in the first line, streamlink the names of options in the help.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, Command, CommandFactory, FromArgMatches};

use super::args::{Compat, DumpArgs};
use super::getopt;

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

/// Whether a program of that name is to behave like rtmpdump.
pub fn is_rtmpdump(program: &Path) -> bool {
    program.file_stem().is_some_and(|name| name == "rtmpdump")
}

/// Whether the banner is not to be shown. As in rtmpdump, the word counts wherever it stands.
pub fn is_quiet(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).any(|argument| argument == "-q" || argument == "--quiet")
}

/// Reads rtmpdump's arguments. `Ok(None)`: help was asked for.
///
/// # Errors
/// What to say about wrong usage, beside the help.
pub fn parse(arguments: &[OsString]) -> Result<Option<DumpArgs>, String> {
    let mut command = Compat::command();
    command.build();
    let normal = getopt::normalise(&command, arguments, &NAMES).map_err(|wrong| {
        let program = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // The second line is for those who look for it in rtmpdump's words.
        format!("{program}: {wrong}\nunknown option: ?")
    })?;
    if normal.last().is_some_and(|last| last == "--help") {
        return Ok(None);
    }
    // The definition is built by now; building it again would cost as much.
    let matches = command.try_get_matches_from_mut(normal);
    match matches.and_then(|matches| Compat::from_arg_matches(&matches)) {
        Ok(compat) => Ok(Some(compat.dump)),
        Err(error) => Err(error.to_string()),
    }
}

/// Help in rtmpdump's form: each option's line begins with `--name|-x`.
pub fn help() -> String {
    let command = Compat::command();
    let mut text = "\nSaves a stream played over RTMP as FLV.\n\n".to_owned();
    let of = |name: &&str| command.get_arguments().find(|arg| arg.get_long() == Some(name));
    NAMES.iter().filter_map(of).for_each(|arg| line(&mut text, arg));
    text.push_str("\nBesides rtmpdump's:\n\n");
    others(&command).for_each(|arg| line(&mut text, arg));
    text.push_str("\nExit codes: 0 complete, 1 failed, 2 incomplete, 3 no session.\n");
    text
}

fn others(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.get_long().is_some_and(|name| !NAMES.contains(&name)))
}

fn line(text: &mut String, arg: &Arg) {
    let mut head = format!("--{}", arg.get_long().unwrap_or_default());
    if let Some(letter) = arg.get_short() {
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

    fn parse(args: &[&str]) -> Result<Option<DumpArgs>, String> {
        let arguments: Vec<OsString> = ["rtmpdump"].iter().chain(args).map(Into::into).collect();
        super::parse(&arguments)
    }

    #[test]
    fn positionals_do_not_matter_and_help_ends_it() {
        let args = parse(&["serve", "-r", "x", "rtmp://h/a/s"]).unwrap().unwrap();
        assert_eq!((args.rtmp, args.urls.len()), (vec!["x".to_owned()], 2));
        assert!(parse(&["-v", "--help", "--nope"]).unwrap().is_none());
        assert_eq!(parse(&["--nope"]).unwrap_err(), "rtmpdump: unrecognized option '--nope'\nunknown option: ?");
    }

    #[test]
    fn the_last_word_on_how_much_is_said_wins() {
        let of = |args: &[&str]| {
            let args = parse(args).unwrap().unwrap();
            (args.quiet, args.verbose, args.debug)
        };
        assert_eq!(of(&["-q", "-V"]), (false, true, false));
        assert_eq!(of(&["-Vzq"]), (true, false, false));
        assert_eq!(of(&["-zV"]), (false, true, false));
    }

    #[test]
    fn every_abbreviation_that_is_rtmpdumps_stays_good() {
        let mut command = Compat::command();
        command.build();
        let known: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
        for name in NAMES.iter().filter(|name| known.contains(name)) {
            for end in 1..=name.len() {
                let short = &name[..end];
                let candidates = NAMES.iter().filter(|other| other.starts_with(short)).count();
                let list = [OsString::from("rtmpdump"), format!("--{short}").into(), "value".into()];
                let read = getopt::normalise(&command, &list, &NAMES);
                if candidates == 1 || *name == short {
                    let first = read.unwrap()[1].to_string_lossy().into_owned();
                    assert_eq!(first.trim_end_matches("=value"), format!("--{name}"), "--{short}");
                }
            }
        }
    }

    #[test]
    fn callers_find_what_they_look_for() {
        let version = BANNER.split_once(" v").unwrap();
        assert_eq!(version.0, "RTMPDump");
        assert!(version.1.starts_with(|c: char| c.is_ascii_digit()));
        let help = help();
        for line in ["--help|-h ", "--rtmp|-r url ", "--live|-v ", "--flv|-o file ", "--hashes|-# "] {
            assert!(help.lines().any(|l| l.starts_with(line)), "{line}\n{help}");
        }
    }
}
