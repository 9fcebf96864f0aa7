//! What several formats show alike.

use std::fmt::Write;

use crate::cli::report::fps;
use crate::inspect::{Kind, TrackReport};
use crate::proto::handshake;
use crate::util::text::printable;

/// Codec, and size or rate.
pub fn in_short(track: &TrackReport) -> String {
    let mut text = printable(&track.codec);
    match (track.width, track.height, track.sample_rate_hz) {
        (Some(width), Some(height), _) => {
            let _ = write!(text, " {width}x{height}");
        }
        (_, _, Some(rate)) => {
            let _ = write!(text, " {rate} Hz");
        }
        _ => {}
    }
    if let Some(rate) = track.frame_rate.filter(|_| track.kind == Kind::Video) {
        let _ = write!(text, " {}", fps(rate));
    }
    text
}

/// In UTC, as RFC 3339 has it; beyond the calendar the seconds since 1970.
pub fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// Four numbers with dots between them.
pub fn dotted(version: [u8; 4]) -> String {
    version.map(|byte| byte.to_string()).join(".")
}

/// The handshake's name in every format.
pub fn kind_name(kind: Option<handshake::Kind>) -> &'static str {
    match kind {
        Some(handshake::Kind::Digest) => "digest",
        Some(handshake::Kind::Rtmpe) => "rtmpe",
        _ => "plain",
    }
}
