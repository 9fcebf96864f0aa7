//! Plots as SVG: lines over time, each with the range its values had.
//!
//! ```text
//! title
//! 2 M ┤ ▒▒╱╲▒▒      a band from lowest to highest, a line through the means
//!   0 ┼──┬──┬──
//!     0 10 20 s
//! ```
//!
//! Colours come from the page's style sheet. No text in here is a server's.

use std::fmt::Write;

use crate::inspect::series::Point;

/// What is drawn.
#[derive(Debug)]
pub struct Plot<'a> {
    /// What it shows.
    pub title: &'a str,
    /// How long the axis is, in milliseconds.
    pub length_ms: f64,
    /// Draws a value's number.
    pub number: fn(f64) -> String,
    /// The lines, each with its name and the number of its colour.
    pub lines: Vec<(String, usize, Vec<Point>)>,
}

impl Plot<'_> {
    /// The plot as an `svg` element; without any points, a sentence.
    pub fn svg(&self) -> String {
        let mut out = format!("<h3>{}</h3>\n", self.title);
        let points = || self.lines.iter().flat_map(|(_, _, points)| points);
        if points().next().is_none() {
            out.push_str("<p class=\"none\">The stream was too short for this, or it has none.</p>\n");
            return out;
        }
        // 0 is always in sight: a rate or a distance means little without it.
        let low = points().map(|point| point.min).fold(0.0, f64::min);
        let high = points().map(|point| point.max).fold(0.0, f64::max);
        let step = round_step((high - low).max(1.0) / 4.0);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil().max(1.0) * step);
        let length = self.length_ms.max(1.0);
        let x = |ms: f64| LEFT + ms.clamp(0.0, length) / length * WIDTH;
        let y = |value: f64| TOP + (high - value) / (high - low) * HEIGHT;
        let (full_width, full_height) = (LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM);
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {full_width} {full_height}\" role=\"img\" aria-label=\"{}\">",
            self.title
        );
        let ticks = ((high - low) / step).round() as i32;
        for value in (0..=ticks).map(|tick| low + f64::from(tick) * step) {
            let (at, class) = (y(value), if value.abs() < step / 2.0 { "zero" } else { "grid" });
            let _ = writeln!(
                out,
                "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
                LEFT + WIDTH
            );
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                (self.number)(value)
            );
        }
        let step = round_time(length / 1000.0 / 8.0);
        for tick in (0..).map(|tick| f64::from(tick) * step).take_while(|seconds| seconds * 1000.0 <= length) {
            let _ = writeln!(
                out,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                x(tick * 1000.0),
                TOP + HEIGHT + 20.0,
                clock(tick, step)
            );
        }
        for (_, colour, points) in &self.lines {
            let place = |ms: f64, value: f64| format!("{:.1},{:.1}", x(ms), y(value));
            if points.iter().any(|point| point.min < point.max) {
                let above = points.iter().map(|point| place(point.time_ms, point.max));
                let below = points.iter().rev().map(|point| place(point.time_ms, point.min));
                let band: Vec<String> = above.chain(below).collect();
                let _ = writeln!(out, "<polygon class=\"band c{colour}\" points=\"{}\"/>", band.join(" "));
            }
            let line: Vec<String> = points.iter().map(|point| place(point.time_ms, point.mean)).collect();
            if let [point] = points.as_slice() {
                let (at_x, at_y) = (x(point.time_ms), y(point.mean));
                let _ = writeln!(out, "<circle class=\"dot c{colour}\" cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"3\"/>");
            } else {
                let _ = writeln!(out, "<polyline class=\"line c{colour}\" points=\"{}\"/>", line.join(" "));
            }
        }
        out.push_str("</svg>\n");
        if self.lines.len() > 1 {
            out.push_str("<p class=\"legend\">");
            for (name, colour, _) in &self.lines {
                let _ = write!(out, "<span class=\"c{colour}\">■</span> {name} ");
            }
            out.push_str("</p>\n");
        }
        out
    }
}

/// 1, 2 or 5 times a power of ten, at least as much as asked for.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * 0.999);
    factor.unwrap_or(10.0) * power
}

/// A step of a clock, in seconds, at least as much as asked for.
fn round_time(least: f64) -> f64 {
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14_400.0];
    if least < 1.0 {
        return round_step(least);
    }
    steps.into_iter().find(|step| *step >= least).unwrap_or_else(|| (least / 86_400.0).ceil() * 86_400.0)
}

/// A time on the axis: seconds, or from a minute's steps on hours and minutes.
fn clock(seconds: f64, step: f64) -> String {
    let whole = seconds as u64;
    match step {
        step if step >= 60.0 => format!("{}:{:02} h", whole / 3600, whole / 60 % 60),
        step if step >= 20.0 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{} s", crate::cli::report::short(seconds)),
    }
}

/// Room for numbers.
const LEFT: f64 = 90.0;
/// The plot itself.
const WIDTH: f64 = 800.0;
/// Room for the last label's half.
const RIGHT: f64 = 30.0;
/// Room for the highest label's half.
const TOP: f64 = 10.0;
/// The plot itself.
const HEIGHT: f64 = 180.0;
/// Room for times.
const BOTTOM: f64 = 30.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn point(time_ms: f64, mean: f64) -> Point {
        Point { time_ms, mean, min: mean, max: mean }
    }

    fn plot(lines: Vec<(String, usize, Vec<Point>)>) -> String {
        Plot { title: "Some", length_ms: 4000.0, number: |n| format!("{n} u"), lines }.svg()
    }

    #[test]
    fn points_are_where_they_belong() {
        let svg = plot(vec![("a".to_owned(), 0, vec![point(0.0, 0.0), point(1000.0, 40.0), point(4000.0, 20.0)])]);
        assert!(svg.contains("points=\"90.0,190.0 290.0,10.0 890.0,100.0\""), "{svg}");
        for label in ["0 u", "10 u", "40 u", "0 s", "0.5 s", "4 s"] {
            assert!(svg.contains(&format!(">{label}</text>")), "{label}\n{svg}");
        }
        assert!(!svg.contains("polygon") && !svg.contains("legend"), "one line, no range: {svg}");
    }

    #[test]
    fn a_range_is_a_band_and_below_zero_is_below_the_zero_line() {
        let ranged = |time_ms| Point { time_ms, mean: 0.0, min: -20.0, max: 20.0 };
        let svg = plot(vec![
            ("a".to_owned(), 0, vec![ranged(0.0), ranged(4000.0)]),
            ("b".to_owned(), 1, vec![point(2000.0, 0.0)]),
        ]);
        assert!(
            svg.contains("polygon class=\"band c0\" points=\"90.0,10.0 890.0,10.0 890.0,190.0 90.0,190.0\""),
            "{svg}"
        );
        assert!(svg.contains("class=\"zero\" x1=\"90\" x2=\"890\" y1=\"100.0\""), "{svg}");
        assert!(svg.contains("<circle class=\"dot c1\" cx=\"490.0\" cy=\"100.0\"") && svg.contains("legend"), "{svg}");
    }

    #[test]
    fn nothing_and_extremes() {
        assert!(plot(Vec::new()).contains("too short"));
        for value in [0.0, 1e-9, 1e18, -1e18] {
            let svg = plot(vec![("a".to_owned(), 0, vec![point(0.0, value), point(9e9, value)])]);
            assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.len() < 4000, "{svg}");
        }
        let steps: Vec<f64> = [0.3, 1.0, 12.0, 49.0, 51.0].map(round_step).to_vec();
        assert_eq!(steps, [0.5, 1.0, 20.0, 50.0, 100.0]);
        assert_eq!([0.5, 3.0, 45.0, 1e6].map(round_time), [0.5, 5.0, 60.0, 1_036_800.0]);
        assert_eq!([clock(5.0, 1.0), clock(80.0, 20.0), clock(7260.0, 60.0)], ["5 s", "1:20", "2:01 h"]);
    }
}
