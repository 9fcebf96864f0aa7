//! How far it is: rtmpdump's status line where a program reads along, a bar where a person looks.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::log::{Level, Log};
use crate::record::Position;

/// Shows a position now and then.
#[derive(Debug)]
pub struct Progress {
    style: Style,
    shown: Option<Instant>,
    last: Position,
    hashes: u64,
}

#[derive(Debug)]
enum Style {
    Nothing,
    Line,
    Hashes,
    Bar(Box<ProgressBar>),
}

impl Progress {
    /// Chooses the style: nothing when quiet, hash marks where asked for, a bar on a terminal (but not in place of rtmpdump,
    /// whose line is expected), else the line.
    pub fn new(log: &Log, hashes: bool, as_rtmpdump: bool) -> Self {
        let style = if !log.shows(Level::Info) {
            Style::Nothing
        } else if hashes {
            Style::Hashes
        } else if !as_rtmpdump && std::io::stderr().is_terminal() {
            Style::Bar(Box::new(bar()))
        } else {
            Style::Line
        };
        Self { style, shown: None, last: Position::default(), hashes: 0 }
    }

    /// Shows the position if the last time is long enough ago.
    pub fn update(&mut self, position: Position, log: &Log) {
        if matches!(self.style, Style::Nothing) || self.shown.is_some_and(|shown| shown.elapsed() < INTERVAL) {
            return;
        }
        self.shown = Some(Instant::now());
        if position.bytes > 0 {
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
                self.show_bar(bar, position);
                bar.abandon();
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
        let time = clock(position.stream_ms);
        bar.set_position(position.bytes);
        bar.set_message(match position.duration_ms {
            Some(duration) => format!("{time} of {}  {:.1}%", clock(duration as i64), percent(position, duration)),
            None => time,
        });
        bar.tick();
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
    let style = ProgressStyle::with_template("{spinner} {bytes:>11}  {bytes_per_sec:>13}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

/// At most five times a second.
const INTERVAL: Duration = Duration::from_millis(200);

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
}
