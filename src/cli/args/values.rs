//! Values of options: times, sizes, counts.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::proto::raw_text;

/// Attempts for `inf`.
pub const UNLIMITED: u32 = u32::MAX;

/// A time: `90` or `1.5` (seconds), `1h30m`, `2min`, `500ms`, `01:30:00`. Not negative, at most `MAX_TIME`.
///
/// # Errors
/// Why it is none.
pub fn time(text: &str) -> Result<Duration, String> {
    let seconds = if text.contains(':') { clock(text)? } else { units(text)? };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= MAX_TIME => Ok(time),
        _ => Err("too long (at most 1000 days)".to_owned()),
    }
}

/// A time of at least a millisecond.
///
/// # Errors
/// As [`time`]; and it is zero.
pub fn positive_time(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time.as_millis() == 0 { Err("must be greater than 0".to_owned()) } else { Ok(time) }
}

/// A time, or `inf`.
///
/// # Errors
/// As [`time`].
pub fn time_or_inf(text: &str) -> Result<Duration, String> {
    if text == "inf" { Ok(Duration::MAX) } else { time(text) }
}

/// A number of attempts, or `inf`.
///
/// # Errors
/// It is neither.
pub fn attempts(text: &str) -> Result<u32, String> {
    match text {
        "inf" => Ok(UNLIMITED),
        _ => text.parse().map_err(|_| "not a number of attempts (use a whole number, or inf)".to_owned()),
    }
}

/// A size in bytes of at least 1: `1500`, `500k`, `2G`; k, M, G and T are powers of 1024.
///
/// # Errors
/// Why it is none.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, power) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (text.get(..at), 1),
        Some((at, 'm' | 'M')) => (text.get(..at), 2),
        Some((at, 'g' | 'G')) => (text.get(..at), 3),
        Some((at, 't' | 'T')) => (text.get(..at), 4),
        _ => (Some(text), 0),
    };
    let bytes = number.and_then(decimal).map(|number| number * 1024_f64.powi(power));
    match bytes {
        None => Err("not a size (use bytes, or 500k, 2G)".to_owned()),
        Some(bytes) if bytes < 1.0 => Err("must be greater than 0".to_owned()),
        Some(bytes) if bytes >= u64::MAX as f64 => Err("too large".to_owned()),
        Some(bytes) => Ok(bytes as u64),
    }
}

/// Any path, an empty one too: that it cannot be opened is said where it is tried.
pub fn any_path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A name that is sent to the server, of any bytes; see [`raw_text`].
pub fn name() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|text| raw_text::from_bytes(text.as_encoded_bytes()))
}

/// `HH:MM:SS`, the seconds with a fraction if need be. `MM:SS` could be meant for hours and minutes.
fn clock(text: &str) -> Result<f64, String> {
    let fields: Vec<&str> = text.split(':').collect();
    let [hours, minutes, seconds] = fields.as_slice() else {
        return Err("not a time (use HH:MM:SS)".to_owned());
    };
    let whole = |field: &str| decimal(field).filter(|_| field.chars().all(|c| c.is_ascii_digit()));
    match (whole(hours), whole(minutes), decimal(seconds)) {
        (Some(hours), Some(minutes), Some(seconds)) if minutes < 60.0 && seconds < 60.0 => {
            Ok(hours * 3600.0 + minutes * 60.0 + seconds)
        }
        _ => Err("not a time (use HH:MM:SS)".to_owned()),
    }
}

/// Seconds, or numbers with their units, each unit at most once, from the largest down.
fn units(text: &str) -> Result<f64, String> {
    if let Some(seconds) = decimal(text) {
        return Ok(seconds);
    }
    let wrong = || "not a time (use seconds, 1h30m, 90min or HH:MM:SS)".to_owned();
    let (mut rest, mut total, mut last) = (text, 0.0, usize::MAX);
    while !rest.is_empty() {
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let number = rest.get(..end).and_then(decimal).ok_or_else(wrong)?;
        rest = rest.get(end..).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (unit, after) = rest.split_at(end);
        // m alone may be meant for minutes or for milliseconds.
        if unit == "m" && last == usize::MAX && after.is_empty() {
            return Err(format!("ambiguous unit m (use {number}min, or seconds)"));
        }
        let (rank, seconds) = match unit {
            "d" => (5, 86_400.0),
            "h" => (4, 3600.0),
            "m" | "min" => (3, 60.0),
            "s" => (2, 1.0),
            "ms" => (1, 0.001),
            _ => return Err(wrong()),
        };
        if rank >= last {
            return Err(wrong());
        }
        total += number * seconds;
        (last, rest) = (rank, after);
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// A decimal number without a sign or an exponent.
fn decimal(text: &str) -> Option<f64> {
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|_| is_plain)
}

/// The longest time that is taken: sums with clocks of today must not overflow.
const MAX_TIME: Duration = Duration::from_secs(1000 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, seconds) in [
            ("90", 90.0),
            ("1.5", 1.5),
            (".5", 0.5),
            ("0", 0.0),
            ("1h30m", 5400.0),
            ("1h", 3600.0),
            ("30min", 1800.0),
            ("1m30s", 90.0),
            ("1d", 86_400.0),
            ("250ms", 0.25),
            ("01:30:00", 5400.0),
            ("00:00:01.5", 1.5),
            ("100:00:00", 360_000.0),
        ] {
            assert_eq!(time(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for wrong in [
            "",
            "abc",
            "x",
            "-1",
            "+1",
            "1x",
            "1m",
            "30m",
            "01:00",
            "1:2",
            "00:60:00",
            "00:00:60",
            "1:2:3:4",
            ":::",
            "1s1h",
            "1s2s",
            "1h-1m",
            "nan",
            "inf",
            "1e3",
            "1e19",
            "99999999999",
            "1000:00:00:00",
            "1001d",
            "h",
            "1 s",
            "\u{661}",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert!(positive_time("0").is_err() && positive_time("0.0001").is_err() && positive_time("0.001").is_ok());
        assert_eq!(time_or_inf("inf"), Ok(Duration::MAX));
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("1", 1), ("1500", 1500), ("500k", 512_000), ("2G", 2 << 30), ("1.5M", 3 << 19), ("1T", 1 << 40)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "0", "k", "-1", "1x", "1kk", "abc", "0.1", "99999999T", "1e3", "é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_of_attempts() {
        assert_eq!((attempts("3"), attempts("inf")), (Ok(3), Ok(UNLIMITED)));
        assert!(["x", "-1", "1.5", ""].iter().all(|text| attempts(text).is_err()));
    }
}
