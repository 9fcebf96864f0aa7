//! Several FLV files in a table: a line and a verdict each.

use std::io;
use std::path::Path;

use crate::inspect::file::FileReport;
use crate::util::text::{os_words, printable};

/// Above the columns.
pub const HEAD: &str = "VERDICT     ERRORS  WARNINGS    DURATION           BYTES  FILE";

/// A file.
pub fn row(path: &Path, report: &FileReport) -> String {
    let verdict = match (report.errors, report.warnings) {
        (0, 0) => "valid",
        (0, _) => "warnings",
        _ => "invalid",
    };
    let ms = report.stream.duration_ms;
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, (ms % 60_000) as f64 / 1000.0);
    let duration = format!("{hours}:{minutes:02}:{seconds:06.3}");
    let name = printable(&path.to_string_lossy());
    let (errors, warnings, bytes) = (report.errors, report.warnings, report.bytes);
    format!("{verdict:<10}{errors:>8}{warnings:>10}{duration:>14}{bytes:>14}  {name}")
}

/// A file that could not be read, or is no FLV.
pub fn unreadable(path: &Path, error: &io::Error) -> String {
    let verdict = if error.kind() == io::ErrorKind::InvalidData { "not-flv" } else { "unreadable" };
    let name = printable(&path.to_string_lossy());
    format!("{verdict:<10}{:>8}{:>10}{:>14}{:>14}  {name}: {}", "-", "-", "-", "-", printable(&os_words(error)))
}
