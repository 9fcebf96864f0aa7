//! Options about what goes wrong while a stream is recorded: when to try again, what a file keeps of a crash.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// How a recording survives what happens to the network, the server, the publisher and this process.
#[derive(Debug, Clone, Default, Args)]
pub struct EndureArgs {
    /// Connect again when the connection breaks or stalls, up to N times in a row without media (inf: for ever). A live
    /// stream goes on in the same file at its next keyframe. What the server refuses is not tried again
    #[arg(long, value_name = "N|inf", value_parser = attempts, help_heading = "Endurance")]
    pub retry: Option<u32>,
    /// Seconds before the first of these attempts; twice as many before each one that follows, up to 30, all a little at
    /// random [1]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Endurance")]
    pub retry_delay: Option<Duration>,
    /// Give up when the stream has not come back within this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Endurance")]
    pub retry_max_time: Option<Duration>,
    /// Wait for a stream that is not there yet (for so long): not found, not published, nobody listening. With --retry also
    /// for a publisher who has left to come back
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "inf",
        value_parser = seconds_or_inf,
        help_heading = "Endurance"
    )]
    pub wait: Option<Duration>,
    /// Begin a file with metadata that has its duration, size and keyframe index, kept up to date while it grows: it can be
    /// sought in at any time. Not on a pipe [default]
    #[arg(long, overrides_with = "no_index", help_heading = "Output")]
    pub index: bool,
    /// Write the server's metadata as it is, without an index
    #[arg(long, overrides_with = "index", help_heading = "Output")]
    pub no_index: bool,
    /// Have the system bring the file to the disk this often, at the cost of speed [never]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Output")]
    pub fsync: Option<Duration>,
    /// Tell what happens in lines of JSON: to a file, a file descriptor that is open (a number), or - for standard output
    #[arg(long, value_name = "FILE|FD|-", help_heading = "Output")]
    pub events: Option<PathBuf>,
}

/// What `inf` stands for, in attempts.
const UNLIMITED: u32 = u32::MAX;

fn attempts(text: &str) -> Result<u32, String> {
    match text {
        "inf" => Ok(UNLIMITED),
        _ => text.parse().map_err(|_| "neither a number of times nor inf".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "no length of time".to_owned())
}

fn seconds_or_inf(text: &str) -> Result<Duration, String> {
    if text == "inf" { Ok(Duration::MAX) } else { seconds(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Cli;
    use clap::Parser;

    fn parse(args: &[&str]) -> Result<EndureArgs, clap::Error> {
        Cli::try_parse_from(["rtmpcat"].iter().chain(args)).map(|cli| cli.dump.endure)
    }

    #[test]
    fn times_and_counts() {
        let args = parse(&["--retry=inf", "--retry-delay=0.5", "--retry-max-time=60", "--", "rtmp://h/a/b"]).unwrap();
        assert_eq!(args.retry, Some(UNLIMITED));
        assert_eq!(args.retry_delay, Some(Duration::from_millis(500)));
        assert_eq!(args.retry_max_time, Some(Duration::from_secs(60)));
        assert_eq!(parse(&["--wait"]).unwrap().wait, Some(Duration::MAX));
        assert_eq!(parse(&["--wait=2"]).unwrap().wait, Some(Duration::from_secs(2)));
        assert_eq!(parse(&[]).unwrap().wait, None);
        for wrong in ["--retry=x", "--retry=-1", "--retry-delay=-1", "--wait=soon", "--fsync=nan"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_word_about_the_index_counts() {
        let args = parse(&["--no-index", "--index"]).unwrap();
        assert!(args.index && !args.no_index);
        assert!(parse(&["--index", "--no-index"]).unwrap().no_index);
    }
}
