//! rtmpdump's command line: getopt's order and abbreviations, atof's numbers, what it is content with.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::args::RecordArgs;
use crate::url::Scheme;

use super::atof::leading_number;
use super::definition::Definition;
use super::getopt;
use super::help::NAMES;

/// What the arguments ask for.
#[derive(Debug)]
pub enum Parsed {
    /// Help.
    Help,
    /// A recording, and what is odd about the options.
    Record(Box<RecordArgs>, Vec<String>),
}

/// What is wrong with the arguments.
#[derive(Debug)]
pub enum Wrong {
    /// The usage: to be said beside the help.
    Usage(String),
    /// A value.
    Value(String),
}

/// Reads rtmpdump's arguments; the first is the program's name. Positional ones do not count.
///
/// # Errors
/// What is wrong with them.
pub fn parse(arguments: &[OsString]) -> Result<Parsed, Wrong> {
    let mut command = Definition::command();
    command.build();
    let mut normal = getopt::normalise(&command, arguments, &NAMES).map_err(|wrong| {
        let program = arguments.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // The second line is for those who look for it in rtmpdump's words.
        Wrong::Usage(format!("{program}: {wrong}\nunknown option: ?"))
    })?;
    if normal.last().is_some_and(|last| last == "--help") {
        return Ok(Parsed::Help);
    }
    if let Some(end) = normal.iter().position(|argument| argument == "--") {
        normal.truncate(end);
    }
    let mut warnings = Vec::new();
    let mut options = Vec::with_capacity(normal.len());
    for option in normal {
        options.extend(number(option, &mut warnings)?);
    }
    // The definition is built by now; building it again would cost as much.
    let matches = command.try_get_matches_from_mut(options);
    match matches.and_then(|matches| Definition::from_arg_matches(&matches)) {
        Ok(definition) => {
            let mut args = Box::new(definition.record);
            apply_defaults(&mut args, &mut warnings);
            Ok(Parsed::Record(args, warnings))
        }
        Err(error) => Err(Wrong::Usage(error.to_string())),
    }
}

/// An option whose value is a number, with the number that atof makes of it. `None`: it is ignored, with a warning.
fn number(option: OsString, warnings: &mut Vec<String>) -> Result<Option<OsString>, Wrong> {
    let Some((name, text)) = option.to_str().and_then(|option| option.strip_prefix("--")?.split_once('=')) else {
        return Ok(Some(option));
    };
    let number = leading_number(text);
    let mut ignored = |why: &str| {
        warnings.push(format!("--{name} {text}: {why}, ignoring it"));
        Ok(None)
    };
    let value = match name {
        "start" | "stop" | "timeout" | "buffer" | "swfAge" if number < 0.0 => return ignored("it cannot be negative"),
        "start" | "stop" | "timeout" => number.min(LONGEST).to_string(),
        "buffer" | "swfAge" => (number as u32).to_string(),
        "skip" => {
            if number < 0.0 {
                warnings.push("Number of keyframes skipped must be greater or equal zero, using zero!".to_owned());
            }
            (number as u32).to_string()
        }
        // Its lower bits go to the system.
        "port" => (number as i64 as u16).to_string(),
        "protocol" if (0.0..6.0).contains(&number) => (number as u8).to_string(),
        "protocol" => return Err(Wrong::Value(format!("Unknown protocol specified: {text}"))),
        "swfsize" if (1.0..=f64::from(u32::MAX)).contains(&number) => (number as u32).to_string(),
        "swfsize" => return ignored("no size of a file"),
        _ => return Ok(Some(option)),
    };
    Ok(Some(format!("--{name}={value}").into()))
}

/// What rtmpdump does by itself, and what it is content with.
fn apply_defaults(args: &mut RecordArgs, warnings: &mut Vec<String>) {
    args.urls.clear();
    // Quiet is silent there.
    args.verbosity.quiet *= 2;
    // It prints where a redirect leads to and ends; its callers go there by themselves.
    args.connect.no_redirect = true;
    for url in args.url.rtmp.first_mut().into_iter().chain(&mut args.url.url) {
        repair_url(url, warnings);
    }
    let lacks = |what: &str, default: &str| {
        format!("You haven't specified a {what} (--{what}) or rtmp url (-r), using default {what} {default}")
    };
    if args.url.rtmp.is_empty() && args.url.url.is_none() && args.connect.host.is_some() {
        let scheme = args.connect.protocol.and_then(Scheme::of_number);
        if scheme.is_none() {
            warnings.push(lacks("protocol", "RTMP"));
        }
        if args.connect.port.is_none() {
            warnings.push(lacks("port", &scheme.unwrap_or(Scheme::Rtmp).default_port().to_string()));
        }
    }
}

/// Takes an unknown protocol for RTMP, and leaves out a port that is none.
fn repair_url(url: &mut String, warnings: &mut Vec<String>) {
    if let Some((scheme, rest)) = url.split_once("://")
        && Scheme::of_name(scheme).is_none()
        && !scheme.eq_ignore_ascii_case("rtmfp")
    {
        *url = format!("rtmp://{rest}");
        warnings.push("Unknown protocol!".to_owned());
    }
    if let Some((valid, is_too_large)) = with_valid_port(url) {
        *url = valid;
        if is_too_large {
            warnings.push("Invalid port number!".to_owned());
        }
    }
}

/// A URL whose port is none with the one that rtmpdump would take: the number that its text begins with, or none. The flag:
/// it is too large.
fn with_valid_port(url: &str) -> Option<(String, bool)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find(['/', ' ']).unwrap_or(rest.len()));
    let (before, port) = authority.rsplit_once(':').filter(|(_, port)| !port.contains(']'))?;
    if port.is_empty() || port.parse::<u16>().is_ok() {
        return None;
    }
    let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
    let port = digits.parse::<u16>().map(|port| format!(":{port}")).unwrap_or_default();
    let is_too_large = port.is_empty() && !digits.is_empty();
    Some((format!("{scheme}://{before}{port}{path}"), is_too_large))
}

/// Seconds; beyond these our own options take no time.
const LONGEST: f64 = 86_400_000.0;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(args: &[&str]) -> Result<(RecordArgs, Vec<String>), String> {
        let arguments: Vec<OsString> = ["rtmpdump"].iter().chain(args).map(Into::into).collect();
        match super::parse(&arguments) {
            Ok(Parsed::Record(args, warnings)) => Ok((*args, warnings)),
            Ok(Parsed::Help) => Err("help".to_owned()),
            Err(Wrong::Usage(text) | Wrong::Value(text)) => Err(text),
        }
    }

    #[test]
    fn positionals_do_not_matter_and_help_ends_it() {
        let (args, _) = parse(&["serve", "-r", "x", "rtmp://h/a/s"]).unwrap();
        assert_eq!((args.url.rtmp, args.urls.len()), (vec!["x".to_owned()], 0));
        assert_eq!(parse(&["-v", "--help", "--nope"]).unwrap_err(), "help");
        assert_eq!(parse(&["--nope"]).unwrap_err(), "rtmpdump: unrecognized option '--nope'\nunknown option: ?");
    }

    #[test]
    fn the_last_word_on_how_much_is_said_wins() {
        let of = |args: &[&str]| {
            let verbosity = parse(args).unwrap().0.verbosity;
            (verbosity.quiet > 0, verbosity.verbose, verbosity.debug)
        };
        assert_eq!(of(&["-q", "-V"]), (false, true, false));
        assert_eq!(of(&["-Vzq"]), (true, false, false));
        assert_eq!(of(&["-zV"]), (false, true, false));
    }

    #[test]
    fn every_abbreviation_that_is_rtmpdumps_stays_good() {
        let mut command = Definition::command();
        command.build();
        for name in &NAMES {
            for end in 1..=name.len() {
                let short = &name[..end];
                let candidates = NAMES.iter().filter(|other| other.starts_with(short)).count();
                let list = [OsString::from("rtmpdump"), format!("--{short}").into(), "value".into()];
                let read = getopt::normalise(&command, &list, &NAMES);
                if candidates == 1 || *name == short {
                    let first = read.unwrap()[1].to_string_lossy().into_owned();
                    let full = if *name == "flv" { "output" } else { name };
                    assert_eq!(first.trim_end_matches("=value"), format!("--{full}"), "--{short}");
                }
            }
        }
    }

    #[test]
    fn gnu_habits() {
        let (args, _) = parse(&[
            "-vqr",
            "rtmp://h/a/s",
            "--swfU=x",
            "-o",
            "-",
            "--conn",
            "S:",
            "-CB:1",
            "--tcUrl",
            "-odd",
            "-m",
            "3",
            "-m5",
        ])
        .unwrap();
        assert!(args.stream.live && args.verbosity.quiet == 2);
        assert_eq!(args.url.rtmp, ["rtmp://h/a/s"]);
        assert_eq!(args.flash.swf_url.as_deref(), Some("x"));
        assert_eq!(args.output.flv, Some("-".into()));
        assert_eq!(args.flash.conn, ["S:", "B:1"]);
        assert_eq!(args.flash.tc_url.as_deref(), Some("-odd"));
        assert_eq!(args.connect.timeout, Some(Duration::from_secs(5)));
    }

    #[test]
    fn numbers_are_atofs() {
        let (args, warnings) = parse(&[
            "-A", "1.5s", "-B", "1e3", "-m", "x", "-b", "7000ms", "-k", "-2", "-c", "65537", "-l", "4x", "-X", "2d",
            "-x", "9",
        ])
        .unwrap();
        assert_eq!(
            (args.stream.start, args.limits.stop),
            (Some(Duration::from_millis(1500)), Some(Duration::from_secs(1000)))
        );
        assert_eq!((args.connect.timeout, args.stream.buffer), (Some(Duration::ZERO), Some(7000)));
        assert_eq!((args.output.skip, args.connect.port, args.connect.protocol), (Some(0), Some(1), Some(4)));
        assert_eq!((args.flash.swf_age, args.flash.swf_size), (Some(2), Some(9)));
        assert!(matches!(warnings.as_slice(), [one] if one.contains("keyframes skipped")), "{warnings:?}");
        let (args, warnings) = parse(&["-A", "-1", "-b-5", "-x", "0", "-X-1", "-B", "1e300"]).unwrap();
        assert_eq!(
            (args.stream.start, args.stream.buffer, args.flash.swf_size, args.flash.swf_age),
            (None, None, None, None)
        );
        assert_eq!(warnings.len(), 4, "{warnings:?}");
        assert!(args.limits.stop.is_some());
        assert_eq!(parse(&["-l", "9"]).unwrap_err(), "Unknown protocol specified: 9");
    }

    #[test]
    fn ports_that_are_none_are_taken_as_rtmpdump_takes_them() {
        let of = with_valid_port;
        let url = |text: &str, is_too_large| Some((text.to_owned(), is_too_large));
        assert_eq!(of("rtmp://h:99999/a/b:c"), url("rtmp://h/a/b:c", true));
        assert_eq!(of("rtmp://h:1935x/a/b"), url("rtmp://h:1935/a/b", false));
        assert_eq!(of("rtmp://u:p@[::1]:x/a/b"), url("rtmp://u:p@[::1]/a/b", false));
        assert_eq!(of("rtmp://h:x live=1"), url("rtmp://h live=1", false));
        for valid in ["rtmp://h/a/b:c", "rtmp://h:80/a/b", "rtmp://h:/a/b", "rtmp://[::1]/a", "nonsense"] {
            assert_eq!(of(valid), None, "{valid}");
        }
    }
}
