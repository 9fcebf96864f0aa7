//! What the analyser found, in words and in JSON: for `inspect` and `probe`.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::inspect::{AvOffsetReport, Kind, Report, TrackReport};
use crate::proto::amf0::{Object, Value};

use super::json::from_amf0;
use crate::util::text::printable;

/// The lines that tell of the tracks and of how they stand to one another.
pub fn stream_lines(report: &Report) -> String {
    let mut out = String::new();
    for track in &report.tracks {
        let name = format!("{} {}", track.kind, track.id);
        let _ = writeln!(out, "  {name:<10} {}", track_line(track));
    }
    if let Some(offset) = &report.av_offset_ms {
        let _ = writeln!(out, "  {:<10} {}", "offset", offset_line(offset));
    }
    out
}

/// How far video and audio are apart.
pub fn offset_line(offset: &AvOffsetReport) -> String {
    let AvOffsetReport { start, mean, min, max } = offset;
    format!("{start:+} ms at the start, {mean:+.0} ms on average ({min:+} to {max:+}): video less audio")
}

/// A track on one line.
pub fn track_line(track: &TrackReport) -> String {
    let mut parts = vec![codec(track)];
    if let (Some(width), Some(height)) = (track.width, track.height) {
        parts.push(format!("{width}x{height}"));
    }
    if let Some(rate) = track.sample_rate_hz {
        parts.push(format!("{rate} Hz"));
    }
    match track.channels {
        Some(1) => parts.push("mono".to_owned()),
        Some(2) => parts.push("stereo".to_owned()),
        Some(count) => parts.push(format!("{count} channels")),
        None => {}
    }
    if track.kind == Kind::Video {
        let unusual = |value: &&str| !matches!(*value, "4:2:0");
        parts.extend(track.chroma.as_ref().filter(|chroma| unusual(chroma)).map(|chroma| (*chroma).to_owned()));
        parts.extend(track.bit_depth.filter(|depth| *depth != 8).map(|depth| format!("{depth} bits")));
        parts.extend(track.frame_rate.map(fps));
    }
    parts.extend(track.bitrate_bps.map(bits));
    parts.push(format!("{} frames", track.frames));
    if let Some(gop) = &track.gop {
        match (gop.mean_ms, gop.max_ms) {
            (Some(mean), Some(max)) => parts.push(format!(
                "keyframe every {} s{}",
                short(mean / 1000.0),
                if max as f64 > mean * 1.1 {
                    format!(" (at most {})", short(max as f64 / 1000.0))
                } else {
                    String::new()
                }
            )),
            _ => parts.push(match gop.keyframes {
                1 => "1 keyframe".to_owned(),
                count => format!("{count} keyframes"),
            }),
        }
    }
    parts.extend(track.jitter_ms.map(|jitter| format!("jitter {} ms", short(jitter))));
    parts.join(", ")
}

fn codec(track: &TrackReport) -> String {
    let mut text = printable(&track.codec_name);
    for part in [&track.profile, &track.level].into_iter().flatten() {
        let _ = write!(text, " {part}");
    }
    if track.enhanced {
        text.push_str(" (enhanced)");
    }
    text
}

/// A bit rate with its unit.
pub fn bits(bps: u64) -> String {
    match bps {
        0..1_000 => format!("{bps} bit/s"),
        1_000..1_000_000 => format!("{} kbit/s", short(bps as f64 / 1e3)),
        _ => format!("{} Mbit/s", short(bps as f64 / 1e6)),
    }
}

/// A frame rate with its unit: 29.97 is not 30.
pub fn fps(rate: f64) -> String {
    let text = format!("{rate:.2}");
    format!("{} fps", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A number without more than its first three or so digits.
pub fn short(number: f64) -> String {
    let decimals = match number.abs() {
        n if n >= 100.0 => 0,
        n if n >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Metadata as JSON; of a keyframe index only its length.
pub fn metadata(object: Option<&Object>) -> Json {
    let Some(object) = object else { return Json::Null };
    let properties = object.properties.iter().map(|(name, value)| {
        let entries = value.as_object().and_then(|keyframes| match keyframes.get("filepositions") {
            Some(Value::StrictArray(positions)) if name == "keyframes" => Some(positions.len()),
            _ => None,
        });
        let json = entries.map_or_else(|| from_amf0(value), |entries| json!({ "entries": entries }));
        (name.clone(), json)
    });
    // The padding of an index is not metadata.
    Json::Object(properties.filter(|(_, value)| value.as_array().is_none_or(|list| list.len() < MAX_LIST)).collect())
}

/// Longer lists are not shown.
const MAX_LIST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let got = [0.0, 0.125, 25.0, 29.97, 1234.5, 2.0].map(short);
        assert_eq!(got, ["0", "0.12", "25", "30", "1234", "2"]);
        assert_eq!([25.0, 29.97, 23.976, 0.2].map(fps), ["25 fps", "29.97 fps", "23.98 fps", "0.2 fps"]);
        assert_eq!([12, 64_000, 1_640_000].map(bits), ["12 bit/s", "64 kbit/s", "1.64 Mbit/s"]);
    }

    #[test]
    fn metadata_is_told_without_its_bulk() {
        let list = |length| Value::StrictArray(vec![Value::Number(0.0); length]);
        let keyframes = Object::default().with("filepositions", list(500)).with("times", list(500));
        let object = Object::default().with("width", 320.0).with("keyframes", keyframes).with("filler", list(1000));
        assert_eq!(metadata(Some(&object)).to_string(), "{\"width\":320,\"keyframes\":{\"entries\":500}}");
        assert_eq!(metadata(None), Json::Null);
    }
}
