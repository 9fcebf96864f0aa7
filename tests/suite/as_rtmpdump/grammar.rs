//! Usage: what is said about it and the exit code, what is derived before anything is connected, help and banner.

use super::*;

/// Arguments, the exit code of both programs, and what both say (nothing at all where it is empty).
const USAGE: &[(&[&str], i32, &[&str])] = &[
    (&["--help"], 0, &["--swfVfy|-W", "--live|-v"]),
    (&["-h"], 0, &["--help|-h"]),
    (&["-v", "--help", "--nope"], 0, &["--help|-h"]),
    (&["-vhZ"], 0, &["--help|-h"]),
    (&["--nope"], 1, &["unrecognized option '--nope'\n", "unknown option: ?\n", "--help|-h"]),
    (&["--nope=3", "-h"], 1, &["unrecognized option '--nope=3'\n"]),
    (&["-Z"], 1, &["invalid option -- 'Z'\n", "unknown option: ?\n"]),
    (&["-vZ"], 1, &["invalid option -- 'Z'\n"]),
    (&["--fl", "x"], 1, &["option '--fl' is ambiguous; possibilities: '--flashVer' '--flv'\n"]),
    (&["-o"], 1, &["option requires an argument -- 'o'\n", "unknown option: ?\n"]),
    (&["--flashV"], 1, &["option '--flashVer' requires an argument\n"]),
    (&["--live=3"], 1, &["option '--live' doesn't allow an argument\n"]),
    (&["--LIVE"], 1, &["unrecognized option '--LIVE'\n"]),
    (&[], 1, &[NO_HOST]),
    (&["rtmp://127.0.0.1:1/a/s"], 1, &[NO_HOST]),
    (&["--", "-r", "rtmp://127.0.0.1:1/a/s"], 1, &[NO_HOST]),
    (&["-n", "127.0.0.1", "-c", "1"], 1, &[NO_PLAYPATH]),
    (&["-r", "rtmp://127.0.0.1:1/a"], 1, &[NO_PLAYPATH]),
    (&["-r", "rtmp://127.0.0.1:1/a/s", "-l", "9"], 1, &["ERROR: Unknown protocol specified: 9\n"]),
    (&["-r", "rtmp://127.0.0.1:1/a/s", "-C", "X:1"], 1, &["ERROR: Invalid AMF parameter: X:1\n"]),
    (&["-r", "rtmp://127.0.0.1:1/a/s", "-o", "/no/such/folder/x"], 1, &["Failed to open file! /no/such/folder/x\n"]),
    (&["-r", "rtmp://127.0.0.1:1/a/s", "-o", "/"], 1, &["Failed to open file! /\n"]),
    (&["-r", "rtmp://127.0.0.1:1/a/s", "-o", ""], 1, &["Failed to open file! \n"]),
    (&["-r", "rtmp://127.0.0.1:99999/a/s", "-c", "1", "-o", "-"], 3, &["WARNING: Invalid port number!\n"]),
    (&["-r", "rtmp://127.0.0.1:x/a/s", "-c", "65537", "-o", "-"], 3, &["Connecting ...\n"]),
    (&["-r", "rtmp://127.0.0.1:1/a/s", "-A", "4", "-B", "2", "-o", "-"], 3, &["Connecting ...\n"]),
    (
        &["-i", "rtmp://127.0.0.1:1/a/s foo=1"],
        1,
        &["Unknown option foo", "ERROR: Couldn't parse URL: rtmp://127.0.0.1:1/a/s"],
    ),
    (&["-i", "nonsense"], 1, &["ERROR: Couldn't parse URL: nonsense"]),
    (&["-r", "rtmp://127.0.0.1:1/a/s"], 3, &[NO_OUTPUT, "Connecting ...\n", "ERROR: "]),
    (&["-r", "rtmp://127.0.0.1:1/a/s", "-o", "-"], 3, &["Connecting ...\n"]),
    (&["-r", "http://127.0.0.1:1/a/s"], 3, &["WARNING: Unknown protocol!\n"]),
    (
        &["-n", "127.0.0.1", "-c", "1", "-y", "s"],
        3,
        &["WARNING: You haven't specified a protocol (--protocol) or rtmp url (-r), using default protocol RTMP\n"],
    ),
    (
        &["-r", "rtmp://127.0.0.1:1/a/s", "-v", "-A", "3"],
        3,
        &["WARNING: Can't seek in a live stream, ignoring --start option\n"],
    ),
    // Nothing at all is said, only the code tells.
    (&["-q"], 1, &[]),
    (&["-q", "-h"], 0, &[]),
    (&["--quiet", "-r", "rtmp://127.0.0.1:1/a/s"], 3, &[]),
    (&["-V", "-q", "-r", "rtmp://127.0.0.1:1/a"], 1, &[]),
];

const NO_HOST: &str =
    "ERROR: You must specify a hostname (--host) or url (-r \"rtmp://host[:port]/playpath\") containing a hostname\n";
const NO_PLAYPATH: &str = "ERROR: You must specify a playpath (--playpath) or url (-r \"rtmp://host[:port]/playpath\") containing a playpath\n";
const NO_OUTPUT: &str = "WARNING: You haven't specified an output file (-o filename), using stdout\n";

#[test]
fn usage_has_rtmpdumps_words_and_codes() {
    let compare = have(&["rtmpdump"]);
    for (args, code, needles) in USAGE {
        let mut runs = vec![("ours", ours(args))];
        if compare {
            runs.extend(original(args).map(|finished| ("the original", finished)));
        }
        for (who, finished) in runs {
            assert_eq!(finished.code, Some(*code), "{who} {args:?}: {}", finished.stderr);
            assert_eq!(finished.stdout.len(), 0, "{who} {args:?}: bytes on stdout");
            for needle in *needles {
                assert!(
                    finished.stderr.contains(needle),
                    "{who} {args:?} does not say {needle:?}:\n{}",
                    finished.stderr
                );
            }
            assert_eq!(needles.is_empty(), finished.stderr.is_empty(), "{who} {args:?}: {}", finished.stderr);
        }
    }
}

#[test]
fn every_option_of_the_original_is_in_the_help() {
    let help = ours(&["-h"]).stderr;
    let lines = |text: &str| {
        let lines = text.lines().filter(|line| line.starts_with("--"));
        lines.map(|line| line.split([' ', '\t']).next().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    let here = lines(&help);
    for name in rtmpcat::cli::rtmpdump::NAMES {
        let needed = |line: &&String| line.strip_prefix("--").and_then(|l| l.split('|').next()) == Some(name);
        assert!(here.iter().any(|line| needed(&line)), "--{name}:\n{help}");
    }
    if let Some(theirs) = original(&["-h"]) {
        let theirs = lines(&theirs.stderr);
        assert_eq!(theirs.len(), rtmpcat::cli::rtmpdump::NAMES.len());
        for line in theirs {
            assert!(here.contains(&line), "{line}:\n{help}");
        }
    }
    // Units that are not obvious.
    assert!(help.contains("start and stop are in milliseconds"), "{help}");
}

#[test]
fn callers_read_the_version_in_the_first_line() {
    for args in [&["--help"][..], &["-r", "rtmp://127.0.0.1:1/a/s"], &["--nope"]] {
        let said = ours(args).stderr;
        let first = said.lines().next().unwrap_or_default();
        // yt-dlp: (?i)RTMPDump\s*v?([0-9a-zA-Z._-]+); get_iplayer: ^\w+\s+v?([\.\d]+), at least 1.8
        let version = first.strip_prefix("RTMPDump v").unwrap_or_else(|| panic!("{args:?}: {first}"));
        let number: f64 = version.split('-').next().unwrap().parse().unwrap();
        assert!(number >= 1.8, "{first}");
    }
}

/// What -V says before anything is connected, where both programs say it.
const DERIVED: &[&[&str]] = &[
    &["-r", "rtmp://127.0.0.1:1/app/stream"],
    &["-r", "rtmp://127.0.0.1/app/stream"],
    &["-r", "RTMPE://127.0.0.1/app/stream"],
    &["-r", "rtmps://127.0.0.1/app/stream"],
    &["-r", "rtmpt://127.0.0.1/app/stream"],
    &["-r", "rtmpte://127.0.0.1/app/stream"],
    &["-r", "rtmpts://127.0.0.1/app/stream"],
    &["-r", "rtmp://127.0.0.1:1/app/stream", "-l", "4"],
    &["-l", "5", "-r", "rtmp://127.0.0.1/app/stream"],
    &["-l", "x", "-r", "rtmp://127.0.0.1:1/app/stream"],
    &["-r", "rtmp://127.0.0.1:9/app/stream", "-c", "1", "-a", "b", "-y", "c"],
    &["-c", "x", "-r", "rtmp://127.0.0.1:1/app/stream"],
    &["-n", "127.0.0.1", "-c", "1", "-y", "s", "-a", "app", "-l", "2"],
    &["-r", "rtmp://127.0.0.1:1/app/stream", "-s", "a", "-p", "b", "-t", "rtmp://c/d", "-v", "-m", "7", "-b", "800"],
    &["-r", "rtmp://127.0.0.1:1/app/stream", "-m", "0", "-B", "5"],
];

#[test]
fn what_is_derived_is_what_the_original_derives() {
    let told = |finished: &Finished| {
        let before = finished.stderr.split("Connecting ...").next().unwrap_or_default();
        let lines = before.lines().filter_map(|line| line.strip_prefix("DEBUG: "));
        // The original says first what it parsed, and leaves the default of this one out.
        let lines = lines.filter(|line| !line.starts_with("Pars") && !line.starts_with("flashVer"));
        lines.map(str::to_string).collect::<Vec<_>>()
    };
    for args in DERIVED {
        let mut args = args.to_vec();
        args.extend(["-V", "-o", "/dev/null", "--", "x"]);
        // A server on a well-known port of this machine is none of our business: what counts is said before.
        let ours = told(&begun(as_rtmpdump(), &args));
        assert!(ours.len() >= 7, "{args:?}: {ours:?}");
        if have(&["rtmpdump"]) {
            assert_eq!(ours, told(&begun(Command::new("rtmpdump"), &args)), "{args:?}");
        }
    }
}

/// Runs a program until it has said that it connects.
fn begun(mut command: Command, args: &[&str]) -> Finished {
    let running = common::Running::start(command.args(args));
    running.wait_stderr("Connecting ...");
    running.signal("KILL");
    running.finish(PATIENCE)
}
