//! The live view: how a stream goes while it is watched.
//!
//! On standard error, so that standard output has the result alone: on a terminal a few lines that are redrawn, at most twice
//! a second; else a line each second. What the server sent is made harmless.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::args::ProbeArgs;
use crate::cli::log::{Level, Log};
use crate::cli::report::{bits, fps, short, stream_lines};
use crate::inspect::series::Timeline;
use crate::inspect::{Kind, Report};
use crate::probe::{Limits, ProbeResult, Status, judge};
use crate::util::text::printable;

/// Shows a probe while it runs.
#[derive(Debug)]
pub struct View {
    limits: Limits,
    style: Style,
    shown: Option<Duration>,
    meter: BitrateMeter,
}

#[derive(Debug)]
enum Style {
    Nothing,
    Lines,
    Screen(Box<ProgressBar>),
}

impl View {
    /// Chooses the style: nothing where it was not asked for or when quiet, a screen on a terminal, else lines.
    pub fn new(args: &ProbeArgs, log: &Log) -> Self {
        let style = if !args.watch || !log.shows(Level::Info) {
            Style::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(2));
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            Style::Screen(Box::new(bar))
        } else {
            Style::Lines
        };
        Self { limits: args.limits(), style, shown: None, meter: BitrateMeter::default() }
    }

    /// Whether it is time to show something. `elapsed`: since the result began.
    pub fn is_due(&self, elapsed: Duration) -> bool {
        let interval = match self.style {
            Style::Nothing => return false,
            Style::Lines => SECOND,
            Style::Screen(_) => REDRAW,
        };
        self.shown.is_none_or(|shown| elapsed >= shown + interval)
    }

    /// Shows a result as it stands, if its report is there.
    pub fn show(&mut self, result: &ProbeResult, timeline: Option<&Timeline>, elapsed: Duration) {
        let Some(report) = &result.report else { return };
        self.shown = Some(elapsed);
        self.meter.note(elapsed, report.bytes);
        let offset = timeline.and_then(Timeline::latest_offset_ms);
        match &self.style {
            Style::Nothing => {}
            Style::Lines => {
                let line = line(report, &self.meter, offset, elapsed);
                // Standard error may be closed; there is nowhere to report that.
                let _ = writeln!(std::io::stderr(), "{line}{}", self.verdict(result, " · "));
            }
            Style::Screen(bar) => {
                let screen = screen(result, report, &self.meter, offset, elapsed);
                bar.set_message(format!("{screen}{}", self.verdict(result, "\n  ")));
            }
        }
    }

    /// Ends it: a screen goes, since the result follows.
    pub fn end(&self) {
        if let Style::Screen(bar) = &self.style {
            bar.finish_and_clear();
        }
    }

    /// How the limits are kept so far; empty if they are.
    fn verdict(&self, result: &ProbeResult, between: &str) -> String {
        let problems = judge(result, &self.limits).problems;
        // What is not known yet may be by the end.
        let known = problems.iter().filter(|problem| problem.status != Status::Unknown);
        known.map(|it| format!("{between}{}: {}", it.status.name(), printable(&it.text))).collect()
    }
}

/// `12 s · 1.2 Mbit/s · 25 fps · keyframe every 2 s · video - audio +12 ms`
fn line(report: &Report, meter: &BitrateMeter, offset_ms: Option<i64>, elapsed: Duration) -> String {
    let mut parts = vec![format!("{} s", elapsed.as_secs())];
    parts.push(meter.latest().map_or("-".to_owned(), bits));
    if let Some(video) = report.tracks.iter().find(|track| track.kind == Kind::Video && track.frames > 0) {
        parts.extend(video.frame_rate.map(fps));
        let gop = video.gop.as_ref().and_then(|gop| gop.mean_ms);
        parts.extend(gop.map(|ms| format!("keyframe every {} s", short(ms / 1000.0))));
    }
    parts.extend(offset_ms.map(|ms| format!("video - audio {ms:+} ms")));
    parts.join(" · ")
}

/// The lines of a screen.
fn screen(
    result: &ProbeResult,
    report: &Report,
    meter: &BitrateMeter,
    offset_ms: Option<i64>,
    elapsed: Duration,
) -> String {
    let rate = meter.latest().map_or("-".to_owned(), bits);
    let mut out = format!("{}  {} s\n", printable(&result.url), elapsed.as_secs());
    out.push_str(&format!("  {:<10} {rate:<12} {}", "received", meter.sparkline()));
    if let (Some(lowest), Some(highest)) = (meter.rates.iter().min(), meter.rates.iter().max()) {
        out.push_str(&format!("  {} to {}", bits(*lowest), bits(*highest)));
    }
    out.push('\n');
    out.push_str(&stream_lines(report));
    if let Some(ms) = offset_ms {
        out.push_str(&format!("  {:<10} {ms:+} ms\n", "offset now"));
    }
    for found in result.findings.iter().rev().take(MAX_FINDINGS) {
        out.push_str(&format!("  {} {} ({}): {}\n", found.severity, found.code, found.count, printable(&found.text)));
    }
    out.pop();
    out
}

/// The bit rate in each of the last seconds.
#[derive(Debug, Default)]
struct BitrateMeter {
    /// Since when the present second is counted, and the bytes by then.
    since: Option<(Duration, u64)>,
    /// Bits in a second, the latest last.
    rates: VecDeque<u64>,
}

impl BitrateMeter {
    /// By `elapsed`, so many `bytes` had come in all.
    fn note(&mut self, elapsed: Duration, bytes: u64) {
        let Some((since, before)) = self.since else {
            self.since = Some((elapsed, bytes));
            return;
        };
        let lasted = elapsed.saturating_sub(since);
        if lasted >= SECOND {
            if self.rates.len() == MAX_RATES {
                self.rates.pop_front();
            }
            self.rates.push_back((bytes.saturating_sub(before) as f64 * 8.0 / lasted.as_secs_f64()).round() as u64);
            self.since = Some((elapsed, bytes));
        }
    }

    fn latest(&self) -> Option<u64> {
        self.rates.back().copied()
    }

    /// A bar for each second; the highest is full.
    fn sparkline(&self) -> String {
        let highest = self.rates.iter().copied().max().unwrap_or(0).max(1);
        let bar = |rate: &u64| {
            let step = (*rate as f64 / highest as f64 * (BARS.len() - 1) as f64).round() as usize;
            BARS.get(step).copied().unwrap_or(' ')
        };
        self.rates.iter().map(bar).collect()
    }
}

/// The lowest also stands for zero, so that a second without data is visible.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Of what a sparkline and its numbers tell.
const MAX_RATES: usize = 30;

/// Findings on the screen, the newest kinds; the result has all.
const MAX_FINDINGS: usize = 4;

/// A line each second.
const SECOND: Duration = Duration::from_secs(1);

/// A screen is redrawn at most this often.
const REDRAW: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::super::tests::seen;
    use super::*;

    fn meter(bytes: &[u64]) -> BitrateMeter {
        let mut meter = BitrateMeter::default();
        bytes.iter().enumerate().for_each(|(second, bytes)| meter.note(SECOND * second as u32, *bytes));
        meter
    }

    #[test]
    fn a_sparkline_shows_the_last_seconds() {
        assert_eq!(meter(&[]).sparkline(), "");
        assert_eq!(meter(&[500]).latest(), None, "what came before the first look has no duration");
        let some = meter(&[0, 0, 500, 1500, 2500]);
        assert_eq!((some.sparkline().as_str(), some.latest()), ("▁▅██", Some(8000)));
        let many: Vec<u64> = (0..1000).map(|second| second * 10).collect();
        assert_eq!(meter(&many).sparkline(), "█".repeat(MAX_RATES));
        let mut halves = BitrateMeter::default();
        (0..5).for_each(|half| halves.note(REDRAW * half, u64::from(half) * 100));
        assert_eq!(halves.rates, [1600, 1600], "bits in a second, though looked at twice");
    }

    #[test]
    fn a_line_and_a_screen() {
        let mut result = seen();
        result.url.push('\x1b');
        let report = result.report.as_ref().unwrap();
        let meter = meter(&[0, 1000, 2000]);
        let two = SECOND * 2;
        assert_eq!(
            line(report, &meter, Some(-20), two),
            "2 s · 8 kbit/s · 25 fps · keyframe every 1 s · video - audio -20 ms"
        );
        let screen = screen(&result, report, &meter, Some(-20), two);
        assert!(
            screen.starts_with("rtmp://host/live/a\\u{1b}  2 s\n  received   8 kbit/s     ██  8 kbit/s to 8 kbit/s\n")
        );
        assert!(screen.contains("25 fps") && screen.ends_with("  offset now -20 ms"), "{screen}");
        assert!(!screen.contains('\x1b'));
    }
}
