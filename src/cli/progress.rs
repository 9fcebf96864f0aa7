//! How far it is: a bar where a person looks, rtmpdump's status line where a program reads along.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::OutputArgs;
use super::log::{Level, Log};
use super::resolve::Dialect;
use crate::record::Position;

/// Shows a position now and then.
#[derive(Debug)]
pub struct Progress {
    style: Style,
    shown: Option<Instant>,
    last: Position,
    hashes: u64,
    rate: Rate,
}

#[derive(Debug)]
enum Style {
    Nothing,
    Line,
    Hashes,
    Bar(Box<ProgressBar>),
}

impl Progress {
    /// Chooses the style. Off a terminal nothing is shown unless it is asked for; rtmpdump's callers expect its line.
    pub fn new(log: &Log, args: &OutputArgs, dialect: Dialect) -> Self {
        let (is_quiet, on_terminal) = (!log.shows(Level::Info), std::io::stderr().is_terminal());
        let style = match dialect {
            _ if is_quiet && !args.progress => Style::Nothing,
            _ if args.hashes => Style::Hashes,
            Dialect::Rtmpdump => Style::Line,
            Dialect::Own if on_terminal => Style::Bar(Box::new(bar())),
            Dialect::Own if args.progress => Style::Line,
            Dialect::Own => Style::Nothing,
        };
        if let Style::Bar(bar) = &style {
            log.set_bar(Some(bar.as_ref().clone()));
        }
        Self { style, shown: None, last: Position::default(), hashes: 0, rate: Rate::default() }
    }

    /// Says on a terminal what is waited for before there is media.
    pub fn wait_for(&self, what: &str) {
        if let Style::Bar(bar) = &self.style {
            bar.set_message(what.to_owned());
            bar.tick();
        }
    }

    /// Shows the position if the last time is long enough ago.
    pub fn update(&mut self, position: Position, log: &Log) {
        if matches!(self.style, Style::Nothing) || self.shown.is_some_and(|shown| shown.elapsed() < INTERVAL) {
            return;
        }
        let now = Instant::now();
        self.shown = Some(now);
        if position.bytes > 0 {
            self.rate.note(now, position.bytes);
            self.show(position, log);
            self.last = position;
        }
    }

    /// Shows the last position and ends the line.
    pub fn finish(&mut self, position: Position, log: &Log) {
        match &self.style {
            Style::Nothing | Style::Hashes => {}
            Style::Line => {
                if position.bytes > 0 && position != self.last {
                    log.status(&status_line(position));
                }
            }
            Style::Bar(bar) => {
                log.set_bar(None);
                if position.bytes > 0 {
                    self.show_bar(bar, position);
                    bar.abandon();
                } else {
                    bar.finish_and_clear();
                }
            }
        }
        log.end_status();
    }

    fn show(&mut self, position: Position, log: &Log) {
        match &self.style {
            Style::Nothing => {}
            Style::Line => log.status(&status_line(position)),
            Style::Hashes => {
                let wanted = match position.duration_ms {
                    Some(duration) => position.stream_ms.max(0) as u64 * 100 / duration.max(1),
                    None => self.hashes + 1,
                };
                let more = wanted.min(self.hashes + 100).saturating_sub(self.hashes);
                if more > 0 {
                    log.status(&"#".repeat(more as usize));
                    self.hashes = wanted;
                }
            }
            Style::Bar(bar) => self.show_bar(bar, position),
        }
    }

    fn show_bar(&self, bar: &ProgressBar, position: Position) {
        let megabytes = position.bytes as f64 / 1e6;
        let rate = self.rate.bits_per_second().map_or(String::new(), |bits| format!("{:8.2} Mbit/s", bits / 1e6));
        let time = clock(position.stream_ms);
        let place = match position.duration_ms {
            Some(duration) => format!("{time} of {}  {:.1}%", clock(duration as i64), percent(position, duration)),
            None => time,
        };
        bar.set_message(format!("{megabytes:10.2} MB {rate}  {place}"));
        bar.tick();
    }
}

/// The present rate: over the last seconds. What was written before the first note, such as the space for an index, does not
/// count.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    fn note(&mut self, now: Instant, bytes: u64) {
        while self.0.front().is_some_and(|(then, _)| now.duration_since(*then) > RATE_OVER) {
            self.0.pop_front();
        }
        self.0.push_back((now, bytes));
    }

    fn bits_per_second(&self) -> Option<f64> {
        let ((first, before), (last, after)) = (self.0.front()?, self.0.back()?);
        let seconds = last.duration_since(*first).as_secs_f64();
        (seconds > 0.0).then(|| after.saturating_sub(*before) as f64 * 8.0 / seconds)
    }
}

/// rtmpdump's status line, to the byte.
fn status_line(position: Position) -> String {
    let kilobytes = position.bytes as f64 / 1024.0;
    let seconds = position.stream_ms.max(0) as f64 / 1000.0;
    match position.duration_ms {
        Some(duration) => format!("\r{kilobytes:.3} kB / {seconds:.2} sec ({:.1}%)", percent(position, duration)),
        None => format!("\r{kilobytes:.3} kB / {seconds:.2} sec"),
    }
}

/// Per cent, cut to a tenth, at most 100.
fn percent(position: Position, duration_ms: u64) -> f64 {
    let per_mille = position.stream_ms.max(0) as f64 * 1000.0 / duration_ms.max(1) as f64;
    per_mille.floor().min(1000.0) / 10.0
}

fn clock(time_ms: i64) -> String {
    let seconds = time_ms.max(0) / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template("{spinner} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

/// At most five times a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// The rate is that of so much time.
const RATE_OVER: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_is_rtmpdumps() {
        let position =
            Position { bytes: 1_908_964, stream_ms: 59_996, duration_ms: Some(60_020), ..Position::default() };
        assert_eq!(status_line(position), "\r1864.223 kB / 60.00 sec (99.9%)");
        assert_eq!(status_line(Position { duration_ms: None, ..position }), "\r1864.223 kB / 60.00 sec");
        let whole = Position { stream_ms: 60_020, ..position };
        assert!(status_line(whole).ends_with("(100.0%)"));
        let more = Position { stream_ms: 70_000, ..position };
        assert!(status_line(more).ends_with("70.00 sec (100.0%)"));
    }

    #[test]
    fn clocks() {
        assert_eq!(clock(3_725_999), "1:02:05");
    }

    #[test]
    fn the_rate_is_the_present_one() {
        let (start, mut rate) = (Instant::now(), Rate::default());
        // Space for an index comes first.
        rate.note(start, 100_000);
        assert_eq!(rate.bits_per_second(), None);
        for second in 1..=10 {
            rate.note(start + Duration::from_secs(second), 100_000 + second * 1000);
        }
        assert_eq!(rate.bits_per_second(), Some(8000.0));
        for second in 11..=20 {
            rate.note(start + Duration::from_secs(second), 110_000);
        }
        assert_eq!(rate.bits_per_second(), Some(0.0));
    }
}
