//! `rtmpcat completions SHELL`: the script that makes a shell complete commands, options and files.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  rtmpcat completions bash > ~/.local/share/bash-completion/completions/rtmpcat
  rtmpcat completions zsh > ~/.zfunc/_rtmpcat    (a directory in $fpath)
  rtmpcat completions fish > ~/.config/fish/completions/rtmpcat.fish")]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash, with bash-completion
    Bash,
    /// Zsh
    Zsh,
    /// fish
    Fish,
}

/// Prints the script.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<()> {
    let script = match args.shell {
        Shell::Bash => include_str!("../../../completions/rtmpcat.bash"),
        Shell::Zsh => include_str!("../../../completions/_rtmpcat"),
        Shell::Fish => include_str!("../../../completions/rtmpcat.fish"),
    };
    std::io::stdout().write_all(script.as_bytes()).context("cannot write to standard output")
}
