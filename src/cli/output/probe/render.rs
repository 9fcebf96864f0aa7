//! All results, in the format that was asked for.

use crate::cli::args::Format;
use crate::cli::json::one_line;
use crate::probe::{Limits, ProbeResult, Verdict};

use super::json::as_json;
use super::monitor::{nagios, prometheus};
use super::text::{table, text};

/// All results in this format.
pub fn render(format: Format, results: &[ProbeResult], verdicts: &[Verdict], limits: &Limits) -> String {
    let pairs = || results.iter().zip(verdicts);
    match format {
        Format::Text => match pairs().collect::<Vec<_>>()[..] {
            [(result, verdict)] => text(result, verdict),
            ref several => table(several),
        },
        Format::Json => pairs().map(|(result, verdict)| format!("{}\n", one_line(&as_json(result, verdict)))).collect(),
        Format::Nagios => nagios(results, verdicts, limits),
        Format::Prometheus => prometheus(results, verdicts),
    }
}
