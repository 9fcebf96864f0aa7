//! rtmpdump's options and ours, without commands.

use clap::Parser;

use crate::cli::args::RecordArgs;

/// The options.
#[derive(Debug, Parser)]
#[command(
    name = "rtmpdump",
    disable_version_flag = true,
    disable_help_flag = true,
    infer_long_args = true,
    args_override_self = true
)]
pub struct Definition {
    /// Options of recording.
    #[command(flatten)]
    pub record: RecordArgs,
    /// Print help
    #[arg(short, long)]
    pub help: bool,
}
