//! The whole command line: one definition for help, man pages and completions.

use std::ffi::{OsStr, OsString};
use std::sync::LazyLock;

use clap::{CommandFactory, Parser, Subcommand};

use super::args::values::time_or_inf;
use super::args::{CallArgs, DemoArgs, InspectArgs, ProbeArgs, RecordArgs, RepairArgs, ServeArgs, TraceFileArgs};
use super::commands::completions::CompletionsArgs;

/// Record a live or on-demand RTMP stream as FLV
#[derive(Debug, Parser)]
#[command(
    name = "rtmpcat",
    version = env!("CARGO_PKG_VERSION"),
    long_version = LONG_VERSION.as_str(),
    disable_version_flag = true,
    infer_long_args = true,
    args_override_self = true,
    subcommand_precedence_over_arg = true,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    override_usage = "rtmpcat [OPTIONS] URL\n       rtmpcat COMMAND",
    after_help = "\
TIME is 90, 1.5, 1h30m or 01:30:00. All options: rtmpcat --help, rtmpcat COMMAND --help.
Exit codes: 0 complete, 1 failed, 2 incomplete, 3 no session.",
    after_long_help = "\
TIME is in seconds (90, 1.5), with units (1h30m, 90min, 500ms) or HH:MM:SS. SIZE is in bytes, or 500k, 20M, 2G (powers of 1024).

Exit codes:
  0  complete; also a live recording that was stopped by a signal
  1  failed: rejected, not found, no media, wrong usage, output
  2  incomplete: media was saved, then the connection broke, or a signal came
  3  no session: resolve, connect, handshake

Examples:
  rtmpcat -v -o out.flv rtmp://host/live/stream
  rtmpcat -v -o - rtmp://host/live/stream | ffplay -
  rtmpcat -v --wait --retry inf --segment-time 1h -o cam-%Y%m%d-%H%M%S.flv rtmp://host/live/cam"
)]
pub struct Cli {
    /// What to do instead of recording a stream.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Print the version, features and platform
    #[arg(long, action = clap::ArgAction::Version, display_order = 1001)]
    version: Option<bool>,
    /// Options of recording.
    #[command(flatten)]
    pub record: RecordArgs,
}

/// Commands.
// There is one of it, for as long as the program runs.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a server's health and describe its stream
    Probe(Box<ProbeArgs>),
    /// Describe FLV files and list their problems
    Inspect(InspectArgs),
    /// Repair a truncated or damaged FLV file and add a seek index
    Repair(RepairArgs),
    /// Call a method of the server and print its reply as JSON
    Call(Box<CallArgs>),
    /// List the RTMP messages in a capture (pcapng or pcap)
    Trace(TraceFileArgs),
    /// Serve FLV files, or a live test stream, over RTMP
    Serve(Box<ServeArgs>),
    /// Record a few seconds of the built-in test stream to demo.flv
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// The definition as clap's own type: for help, man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the arguments; the first is the program's name.
///
/// # Errors
/// What is wrong with them, with what may have been meant; or help or the version, which were asked for.
pub fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let arguments = with_wait_joined(arguments);
    if let Some(error) = arguments.get(1).and_then(|first| mistyped_command(first)) {
        return Err(error);
    }
    Cli::try_parse_from(arguments)
}

/// `--wait TIME` as `--wait=TIME`: its value may be missing, and what follows it is a URL if it is no time.
fn with_wait_joined(arguments: &[OsString]) -> Vec<OsString> {
    let mut joined = Vec::with_capacity(arguments.len());
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let value = (argument == "--wait")
            .then(|| rest.next_if(|next| next.to_str().is_some_and(|text| time_or_inf(text).is_ok())))
            .flatten();
        match value {
            Some(value) => joined.push([OsStr::new("--wait="), value].into_iter().collect()),
            None => joined.push(argument.clone()),
        }
        if argument == "--" {
            joined.extend(rest.by_ref().cloned());
        }
    }
    joined
}

/// An error that names the command which a word looks like that is none, and neither a URL nor an option.
fn mistyped_command(word: &OsStr) -> Option<clap::Error> {
    let word = word.to_str().filter(|word| !word.starts_with('-') && !word.contains([':', '/', '.', ' ']))?;
    let mut commands = clap::Command::new("rtmpcat")
        .override_usage("rtmpcat [OPTIONS] URL\n       rtmpcat COMMAND")
        .subcommand_required(true)
        .subcommands(Cli::command().get_subcommands().cloned());
    let error = commands.try_get_matches_from_mut(["rtmpcat", word]).err()?;
    error.get(clap::error::ContextKind::SuggestedSubcommand).is_some().then_some(error)
}

/// The version, and what it can do where.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\nprotocols: rtmp rtmps rtmpe rtmpt rtmpts rtmpte, Enhanced RTMP\nproxies: http socks4 socks4a socks5 socks5h\nplatform: {}-{}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
});

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(words: &[&str]) -> Result<RecordArgs, String> {
        let words: Vec<OsString> = ["rtmpcat"].iter().chain(words).map(Into::into).collect();
        parse(&words).map(|cli| cli.record).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_valid() {
        command().debug_assert();
    }

    #[test]
    fn habits_that_users_rely_on() {
        let args = record(&[
            "-vqo",
            "x.flv",
            "rtmp://h/a/s",
            "--swfU=x",
            "--conn",
            "S:",
            "-CB:1",
            "-m",
            "3",
            "-m5",
            "--flv",
            "y",
        ])
        .unwrap();
        assert!(args.stream.live && args.verbosity.quiet == 1);
        assert_eq!((args.urls, args.output.flv), (vec!["rtmp://h/a/s".to_owned()], Some("y".into())));
        assert_eq!((args.flash.swf_url.as_deref(), args.flash.conn.len()), (Some("x"), 2));
        assert_eq!(args.connect.timeout, Some(Duration::from_secs(5)));
        assert_eq!(record(&["-qq", "u"]).unwrap().verbosity.quiet, 2);
        assert_eq!(record(&["-q", "-V", "u"]).unwrap().verbosity.quiet, 0);
        assert!(record(&["-4", "u"]).unwrap().connect.ipv4);
        assert_eq!(record(&["u", "--output", "-"]).unwrap().output.flv, Some("-".into()));
    }

    #[test]
    fn waiting_takes_a_time_if_one_follows() {
        for (words, wait) in [
            (&["--wait", "inf", "u"][..], Duration::MAX),
            (&["--wait", "u"], Duration::MAX),
            (&["--wait", "1h", "u"], Duration::from_secs(3600)),
            (&["--wait=2", "u"], Duration::from_secs(2)),
            (&["u", "--wait"], Duration::MAX),
        ] {
            let args = record(words).unwrap();
            assert_eq!((args.urls, args.retry.wait), (vec!["u".to_owned()], Some(wait)), "{words:?}");
        }
        assert!(record(&["--wait=soon", "u"]).is_err());
        assert_eq!(record(&["--", "--wait", "5"]).unwrap().urls, ["--wait", "5"]);
    }

    #[test]
    fn wrong_values_name_their_option() {
        for (option, value) in [
            ("--timeout", "abc"),
            ("--stop", "01:00"),
            ("--start", "1m"),
            ("--buffer", "1s"),
            ("--skip", "x"),
            ("--timeout", "-1"),
            ("--start", "-1"),
            ("--stop", "-1"),
            ("--buffer", "-1"),
            ("--skip", "-1"),
            ("--port", "99999"),
            ("--port", "0x50"),
            ("--protocol", "6"),
            ("--duration", "0"),
            ("--duration", "1e19"),
            ("--max-size", "0"),
            ("--max-size", "5x"),
            ("--segment-size", "-5"),
            ("--segment-time", "0"),
            ("--retry", "x"),
            ("--retry-delay", "nan"),
            ("--fsync", "nan"),
            ("--connect-timeout", "-3"),
            ("--swfAge", "-1"),
            ("--swfsize", "0"),
            ("--keep", "0"),
        ] {
            let error = record(&[&format!("{option}={value}"), "rtmp://h/a/s"]).unwrap_err();
            assert!(error.contains(option) && error.contains(value), "{option} {value}: {error}");
        }
    }

    #[test]
    fn what_was_mistyped_is_guessed() {
        assert!(record(&["prob", "rtmp://h/a/s"]).unwrap_err().contains("'probe'"));
        assert!(record(&["--segment-tim=5", "--duratoin=5", "u"]).unwrap_err().contains("--duration"));
        assert_eq!(record(&["u"]).unwrap().urls, ["u"]);
    }

    #[test]
    fn the_last_word_about_the_index_counts() {
        let args = record(&["--no-index", "--index"]).unwrap().output;
        assert!(args.index && !args.no_index);
        assert!(record(&["--index", "--no-index"]).unwrap().output.no_index);
    }

    #[test]
    fn the_short_help_fits_on_a_screen() {
        let help = command().render_help().to_string();
        assert!(help.lines().count() <= 42, "{help}");
        assert!(!help.contains("swf") && help.contains("--segment-time"), "{help}");
    }

    #[test]
    fn a_command_takes_only_what_it_uses() {
        for words in [
            &["probe", "--retry", "3", "u"][..],
            &["probe", "-o", "x", "u"],
            &["call", "--live", "u", "m"],
            &["call", "--segment-time", "5", "u", "m"],
        ] {
            assert!(record(words).is_err(), "{words:?}");
        }
    }
}
