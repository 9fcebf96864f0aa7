//! Results for monitoring: Nagios' plugin output and Prometheus' text format.
//!
//! ```text
//! RTMP OK - words | label=value;warning;critical …                        one URL
//! RTMP CRITICAL - 1 of 2 streams is well ⏎ OK URL - words ⏎ … | 'URL label'=value;…   several: the worst status first
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value as Json;

use crate::inspect::{Kind, TrackReport};
use crate::util::text::printable;

use super::ProbeArgs;
use super::judge::{Figures, Limit, Status, Verdict, seconds, worst};
use super::show::in_short;
use super::visit::Visit;

/// A line for Nagios and its relatives; for several URLs a line for each behind it, as the plugin guidelines have it.
pub fn nagios(visits: &[Visit], verdicts: &[Verdict], args: &ProbeArgs) -> String {
    if let ([visit], [verdict]) = (visits, verdicts) {
        let data = performance(visit, args, "");
        let data = if data.is_empty() { data } else { format!(" | {data}") };
        return format!("RTMP {} - {}{data}\n", verdict.status.name(), words(visit, verdict));
    }
    let well = verdicts.iter().filter(|verdict| verdict.status == Status::Ok).count();
    let status = worst(verdicts).name();
    let mut out =
        format!("RTMP {status} - {well} of {} streams {}", verdicts.len(), if well == 1 { "is" } else { "are" });
    out.push_str(" well");
    for (visit, verdict) in visits.iter().zip(verdicts) {
        let _ = write!(out, "\n{} {} - {}", verdict.status.name(), safe(&visit.url), words(visit, verdict));
    }
    let names = numbered(visits);
    let data = visits.iter().zip(names).map(|(visit, name)| performance(visit, args, &name));
    let data: Vec<String> = data.filter(|data| !data.is_empty()).collect();
    let bar = if data.is_empty() { "" } else { " | " };
    format!("{out}{bar}{}\n", data.join(" "))
}

/// The bar begins the performance data.
fn safe(text: &str) -> String {
    printable(text).replace('|', "/")
}

fn words(visit: &Visit, verdict: &Verdict) -> String {
    let mut words: Vec<String> = verdict.problems.iter().map(|problem| safe(&problem.text)).collect();
    for track in visit.report.iter().flat_map(|report| &report.tracks).filter(|track| track.frames > 0) {
        words.push(format!("{} {}", track.kind, safe(&in_short(track))));
    }
    if words.is_empty() { "nothing is known".to_owned() } else { words.join(", ") }
}

/// `label=value;warning;critical`, with the stream's name in the label if it has one.
fn performance(visit: &Visit, args: &ProbeArgs, name: &str) -> String {
    let figures = Figures::of(visit);
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
    datum("first_frame", figures.first_frame_s, "s", args.max_first_frame, above);
    datum("bitrate", figures.bitrate_bps, "", args.min_bitrate, below);
    datum("gop", figures.gop_s, "s", args.max_gop, above);
    datum("av_offset", figures.av_offset_ms, "ms", args.max_av_offset, around);
    datum("cert_days", visit.certificate_days, "", args.min_cert_days, below);
    for (label, ms) in [("tcp", visit.timing.tcp), ("connect", visit.timing.connect), ("play", visit.timing.play)] {
        datum(label, ms.map(seconds), "s", None, above);
    }
    let rate = visit.report.iter().flat_map(|report| &report.tracks).find(|t| t.kind == Kind::Video);
    datum("fps", rate.and_then(|track| track.frame_rate), "", None, above);
    data.join(" ")
}

/// Names of streams, each another one: URLs may differ in nothing but secrets, or be given twice.
fn numbered<'a>(visits: &'a [Visit]) -> Vec<String> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let name = |visit: &'a Visit| {
        let url = &visit.url;
        let count = known.entry(url).or_default();
        *count += 1;
        if *count == 1 { url.clone() } else { format!("{url} ({count})") }
    };
    visits.iter().map(name).collect()
}

/// Metrics in the text format, all of one name together.
pub fn prometheus(visits: &[Visit], verdicts: &[Verdict]) -> String {
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
    let urls: Vec<String> = numbered(visits).iter().map(|name| format!("url=\"{}\"", escaped(name))).collect();
    let named = || visits.iter().zip(&urls);
    let each = |value: &dyn Fn(&Visit) -> Option<f64>| -> Vec<(String, f64)> {
        named().filter_map(|(visit, url)| Some((url.clone(), value(visit)?))).collect()
    };
    let tracks = |value: &dyn Fn(&TrackReport) -> Option<f64>| -> Vec<(String, f64)> {
        let of = |(visit, url): (&Visit, &String)| -> Vec<(String, f64)> {
            let report = visit.report.iter().flat_map(|report| &report.tracks).filter(|track| track.frames > 0);
            let labelled = report.filter_map(|track| {
                let (kind, id, codec) = (track.kind, track.id, escaped(&track.codec));
                Some((format!("{url},track=\"{kind}\",id=\"{id}\",codec=\"{codec}\""), value(track)?))
            });
            labelled.collect()
        };
        named().flat_map(of).collect()
    };
    let statuses = urls.iter().zip(verdicts).map(|(url, verdict)| (url.clone(), f64::from(verdict.status as u8)));
    metric("probe_up", "Whether there was media", each(&|visit| Some(f64::from(u8::from(visit.report.is_some())))));
    metric("probe_status", "0 ok, 1 warning, 2 critical, 3 unknown", statuses.collect());
    let phases = |(visit, url): (&Visit, &String)| -> Vec<(String, f64)> {
        let Ok(Json::Object(timing)) = serde_json::to_value(visit.timing) else { return Vec::new() };
        let known =
            timing.iter().filter_map(|(phase, ms)| Some((format!("{url},phase=\"{phase}\""), seconds(ms.as_f64()?))));
        known.collect()
    };
    metric(
        "probe_phase_seconds",
        "resolve to tunnel: how long each took; opened to first_keyframe: when it was there, since the beginning",
        named().flat_map(phases).collect(),
    );
    let not_after = |visit: &Visit| visit.certificate.as_ref().map(|it| it.not_after as f64);
    metric("probe_certificate_not_after_timestamp_seconds", "When the server's certificate ends", each(&not_after));
    metric("stream_bitrate_bps", "Bit rate of all tracks", each(&|visit| Figures::of(visit).bitrate_bps));
    let offset = |visit: &Visit| Figures::of(visit).av_offset_ms.map(seconds);
    metric("stream_av_offset_seconds", "Mean of video less audio", each(&offset));
    metric("stream_gop_seconds", "Longest distance of keyframes", each(&|visit| Figures::of(visit).gop_s));
    metric("track_bitrate_bps", "Bit rate of a track", tracks(&|track| track.bitrate_bps.map(|bps| bps as f64)));
    metric("track_frame_rate", "Frames in a second", tracks(&|track| track.frame_rate));
    metric("track_width", "Width of the picture", tracks(&|track| track.width.map(f64::from)));
    metric("track_height", "Height of the picture", tracks(&|track| track.height.map(f64::from)));
    metric(
        "track_sample_rate_hz",
        "Samples of sound in a second",
        tracks(&|track| track.sample_rate_hz.map(f64::from)),
    );
    metric("track_channels", "Channels of sound", tracks(&|track| track.channels.map(f64::from)));
    metric("track_jitter_seconds", "Jitter of arrival, as in RFC 3550", tracks(&|track| track.jitter_ms.map(seconds)));
    metric("track_timestamp_decreases", "How often times went back", tracks(&|track| Some(track.decreases as f64)));
    metric("track_timestamp_jumps", "How often times jumped ahead", tracks(&|track| Some(track.jumps as f64)));
    out
}

/// A label's value.
fn escaped(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('"', "\\\"")
}
