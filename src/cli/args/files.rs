//! Commands that read FLV files.

use std::path::PathBuf;

use clap::Args;

/// Options of `inspect`.
#[derive(Debug, Args)]
#[command(after_help = "\
Errors are what the FLV specification forbids and what keeps a file from playing; warnings are what players cope with.

Exit codes: 0 valid, 1 errors were found or the file cannot be read.")]
pub struct InspectArgs {
    /// FLV files; - is standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath, required = true)]
    pub files: Vec<PathBuf>,
    /// List every tag
    #[arg(long)]
    pub tags: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Treat warnings as errors
    #[arg(long)]
    pub strict: bool,
    /// Print nothing; report by exit code
    #[arg(short, long)]
    pub quiet: bool,
}

/// Options of `repair`.
#[derive(Debug, Args)]
#[command(after_help = "\
Garbage between tags, truncated tags and repeated file headers are removed, wrong sizes and flags are corrected, and the file
gets an onMetaData with duration and keyframe index. Audio and video tags are kept unchanged. NAME.part, which a recording
that was killed leaves behind, is renamed to NAME.

Exit codes: 0 the files are valid now, 1 one could not be repaired (and was not changed), 2 errors are left in one.")]
pub struct RepairArgs {
    /// FLV files
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath, required = true)]
    pub files: Vec<PathBuf>,
    /// Write the repaired file to FILE and leave the original unchanged
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Keep the original as FILE.bak
    #[arg(long, conflicts_with = "output")]
    pub backup: bool,
    /// List what would be repaired, but change nothing
    #[arg(short = 'n', long, conflicts_with_all = ["output", "backup"])]
    pub dry_run: bool,
    /// Print errors only
    #[arg(short, long)]
    pub quiet: bool,
    /// List every fault
    #[arg(short = 'V', long)]
    pub verbose: bool,
}
