//! The program: reads the command line, runs what it says, and tells the truth in the exit code.

use std::process::ExitCode;

use rtmpcat::cli;

fn main() -> ExitCode {
    cli::main(std::env::args_os().collect())
}
