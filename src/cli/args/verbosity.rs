//! How much is said.

use clap::Args;

use crate::cli::log::Level;

/// Options about messages.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct VerbosityArgs {
    /// Print errors and warnings only; -qq prints nothing
    #[arg(short, long, action = clap::ArgAction::Count, overrides_with_all = ["verbose", "debug"], display_order = 14)]
    pub quiet: u8,
    /// Log requests, replies and metadata
    #[arg(short = 'V', long, overrides_with_all = ["quiet", "debug"], display_order = 15)]
    pub verbose: bool,
    /// Log everything, including the bytes of the connection
    #[arg(short = 'z', long, overrides_with_all = ["quiet", "verbose"], hide_short_help = true, help_heading = "Trace")]
    pub debug: bool,
}

impl VerbosityArgs {
    /// The least important level that is printed.
    pub fn level(self) -> Level {
        match self {
            Self { quiet: 1, .. } => Level::Warning,
            Self { quiet: 2.., .. } => Level::Quiet,
            Self { debug: true, .. } => Level::All,
            Self { verbose: true, .. } => Level::Debug,
            _ => Level::Info,
        }
    }
}
