//! Results for monitoring: Nagios' plugin output and Prometheus' text format.
//!
//! ```text
//! RTMP OK - words | label=value;warning;critical …                        one URL
//! RTMP CRITICAL - 1 of 2 streams OK ⏎ OK URL - words ⏎ … | 'URL label'=value;…   several: the worst status first
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value as Json;

use crate::inspect::{Kind, TrackReport};
use crate::probe::{Figures, Limit, Limits, ProbeResult, Status, Verdict, seconds, worst};
use crate::util::text::printable;

use super::summary::in_short;

/// A line for Nagios and its relatives; for several URLs a line for each after it, as the plugin guidelines have it.
pub fn nagios(results: &[ProbeResult], verdicts: &[Verdict], limits: &Limits) -> String {
    if let ([result], [verdict]) = (results, verdicts) {
        let data = performance(result, limits, "");
        let data = if data.is_empty() { data } else { format!(" | {data}") };
        return format!("RTMP {} - {}{data}\n", verdict.status.name(), words(result, verdict));
    }
    let count = verdicts.iter().filter(|verdict| verdict.status == Status::Ok).count();
    let status = worst(verdicts).name();
    let mut out = format!("RTMP {status} - {count} of {} streams OK", verdicts.len());
    for (result, verdict) in results.iter().zip(verdicts) {
        let _ = write!(out, "\n{} {} - {}", verdict.status.name(), safe(&result.url), words(result, verdict));
    }
    let names = numbered(results);
    let data = results.iter().zip(names).map(|(result, name)| performance(result, limits, &name));
    let data: Vec<String> = data.filter(|data| !data.is_empty()).collect();
    let bar = if data.is_empty() { "" } else { " | " };
    format!("{out}{bar}{}\n", data.join(" "))
}

/// The bar begins the performance data.
fn safe(text: &str) -> String {
    printable(text).replace('|', "/")
}

fn words(result: &ProbeResult, verdict: &Verdict) -> String {
    let mut words: Vec<String> = verdict.problems.iter().map(|problem| safe(&problem.text)).collect();
    for track in result.report.iter().flat_map(|report| &report.tracks).filter(|track| track.frames > 0) {
        words.push(format!("{} {}", track.kind, safe(&in_short(track))));
    }
    if words.is_empty() { "no data".to_owned() } else { words.join(", ") }
}

/// `label=value;warning;critical`, with the stream's name in the label if it has one.
fn performance(result: &ProbeResult, limits: &Limits, name: &str) -> String {
    let figures = Figures::of(result);
    let mut data = Vec::new();
    let mut datum = |label: &str, value: Option<f64>, unit: &str, limit: Option<Limit>, range: fn(f64) -> String| {
        let Some(value) = value else { return };
        let warning = limit.and_then(|limit| limit.warning).map(range).unwrap_or_default();
        let critical = limit.map(|limit| range(limit.critical)).unwrap_or_default();
        // Neither may stand in a label: not every program reads a quote that is doubled.
        let label = match name {
            "" => label.to_owned(),
            name => format!("'{} {label}'", safe(name).replace(['=', '\''], "_")),
        };
        data.push(format!("{label}={value}{unit};{warning};{critical}"));
    };
    let above = |bound: f64| format!("{bound}");
    let below = |bound: f64| format!("{bound}:");
    let around = |bound: f64| format!("-{bound}:{bound}");
    datum("first_frame", figures.first_frame_s, "s", limits.max_first_frame, above);
    datum("bitrate", figures.bitrate_bps, "", limits.min_bitrate, below);
    datum("gop", figures.gop_s, "s", limits.max_gop, above);
    datum("av_offset", figures.av_offset_ms, "ms", limits.max_av_offset, around);
    datum("cert_days", result.certificate_days, "", limits.min_cert_days, below);
    for (label, ms) in [("tcp", result.timing.tcp), ("connect", result.timing.connect), ("play", result.timing.play)] {
        datum(label, ms.map(seconds), "s", None, above);
    }
    let rate = result.report.iter().flat_map(|report| &report.tracks).find(|t| t.kind == Kind::Video);
    datum("fps", rate.and_then(|track| track.frame_rate), "", None, above);
    data.join(" ")
}

/// Names of streams, all different: URLs may differ only in secrets, or be given twice.
fn numbered<'a>(results: &'a [ProbeResult]) -> Vec<String> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let name = |result: &'a ProbeResult| {
        let url = &result.url;
        let count = known.entry(url).or_default();
        *count += 1;
        if *count == 1 { url.clone() } else { format!("{url} ({count})") }
    };
    results.iter().map(name).collect()
}

/// Metrics in the text format, all of one name together.
pub fn prometheus(results: &[ProbeResult], verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    let mut metric = |name: &str, help: &str, samples: Vec<(String, f64)>| {
        if samples.is_empty() {
            return;
        }
        let _ = writeln!(out, "# HELP rtmpcat_{name} {help}\n# TYPE rtmpcat_{name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(out, "rtmpcat_{name}{{{labels}}} {value}");
        }
    };
    // A sample that is there twice makes the whole file unreadable.
    let urls: Vec<String> = numbered(results).iter().map(|name| format!("url=\"{}\"", escaped(name))).collect();
    let named = || results.iter().zip(&urls);
    let each = |value: &dyn Fn(&ProbeResult) -> Option<f64>| -> Vec<(String, f64)> {
        named().filter_map(|(result, url)| Some((url.clone(), value(result)?))).collect()
    };
    let tracks = |value: &dyn Fn(&TrackReport) -> Option<f64>| -> Vec<(String, f64)> {
        let of = |(result, url): (&ProbeResult, &String)| -> Vec<(String, f64)> {
            let report = result.report.iter().flat_map(|report| &report.tracks).filter(|track| track.frames > 0);
            let labelled = report.filter_map(|track| {
                let (kind, id, codec) = (track.kind, track.id, escaped(&track.codec));
                Some((format!("{url},track=\"{kind}\",id=\"{id}\",codec=\"{codec}\""), value(track)?))
            });
            labelled.collect()
        };
        named().flat_map(of).collect()
    };
    let statuses = urls.iter().zip(verdicts).map(|(url, verdict)| (url.clone(), f64::from(verdict.status as u8)));
    metric("probe_up", "Whether there was media", each(&|result| Some(f64::from(u8::from(result.report.is_some())))));
    metric("probe_status", "0 ok, 1 warning, 2 critical, 3 unknown", statuses.collect());
    let phases = |(result, url): (&ProbeResult, &String)| -> Vec<(String, f64)> {
        let Ok(Json::Object(timing)) = serde_json::to_value(result.timing) else { return Vec::new() };
        let known =
            timing.iter().filter_map(|(phase, ms)| Some((format!("{url},phase=\"{phase}\""), seconds(ms.as_f64()?))));
        known.collect()
    };
    metric(
        "probe_phase_seconds",
        "resolve to tunnel: duration of each; opened to first_keyframe: time since the start",
        named().flat_map(phases).collect(),
    );
    let not_after = |result: &ProbeResult| result.certificate.as_ref().map(|it| it.not_after as f64);
    metric("probe_certificate_not_after_timestamp_seconds", "When the server's certificate expires", each(&not_after));
    metric("stream_bitrate_bps", "Bit rate of all tracks", each(&|result| Figures::of(result).bitrate_bps));
    let offset = |result: &ProbeResult| Figures::of(result).av_offset_ms.map(seconds);
    metric("stream_av_offset_seconds", "Average of video time minus audio time", each(&offset));
    metric("stream_gop_seconds", "Longest keyframe interval", each(&|result| Figures::of(result).gop_s));
    metric("track_bitrate_bps", "Bit rate of a track", tracks(&|track| track.bitrate_bps.map(|bps| bps as f64)));
    metric("track_frame_rate", "Frames per second", tracks(&|track| track.frame_rate));
    metric("track_width", "Width of the picture", tracks(&|track| track.width.map(f64::from)));
    metric("track_height", "Height of the picture", tracks(&|track| track.height.map(f64::from)));
    metric("track_sample_rate_hz", "Audio sample rate", tracks(&|track| track.sample_rate_hz.map(f64::from)));
    metric("track_channels", "Audio channels", tracks(&|track| track.channels.map(f64::from)));
    metric("track_jitter_seconds", "Jitter of arrival, as in RFC 3550", tracks(&|track| track.jitter_ms.map(seconds)));
    metric("track_timestamp_decreases", "Timestamps that went back", tracks(&|track| Some(track.decreases as f64)));
    metric("track_timestamp_jumps", "Timestamps that jumped ahead", tracks(&|track| Some(track.jumps as f64)));
    out
}

/// A label's value.
fn escaped(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('"', "\\\"")
}
