//! Results in words, JSON, for Nagios and for Prometheus.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::cli::json::from_amf0;
use crate::cli::log::printable;
use crate::cli::report::{bits, metadata, short, stream_lines};
use crate::inspect::{Kind, TrackReport};
use crate::proto::amf0::Value;
use crate::proto::handshake;

use super::judge::{Figures, Limit, Verdict, seconds};
use super::visit::{Timing, Visit};
use super::{Format, ProbeArgs};

/// All results, in the format that was asked for.
pub fn show(visits: &[Visit], verdicts: &[Verdict], args: &ProbeArgs) -> String {
    let pairs = || visits.iter().zip(verdicts);
    match args.format {
        Format::Text => match pairs().collect::<Vec<_>>()[..] {
            [(visit, verdict)] => text(visit, verdict),
            ref several => table(several),
        },
        Format::Json => pairs().map(|(visit, verdict)| format!("{}\n", as_json(visit, verdict))).collect(),
        Format::Nagios => {
            let name =
                |visit: &Visit| if visits.len() > 1 { format!(" {}", printable(&visit.url)) } else { String::new() };
            pairs().map(|(visit, verdict)| nagios(visit, verdict, args, &name(visit))).collect()
        }
        Format::Prometheus => prometheus(visits, verdicts),
    }
}

/// One result on a few lines.
fn text(visit: &Visit, verdict: &Verdict) -> String {
    let mut out = format!("{}: {}\n", printable(&visit.url), verdict.status.name());
    for (name, value) in facts(visit) {
        let _ = writeln!(out, "  {name:<10} {}", printable(&value));
    }
    if let Some(report) = &visit.report {
        out.push_str(&stream_lines(report));
    }
    for found in &visit.findings {
        let times = if found.count > 1 { format!(" ({} times)", found.count) } else { String::new() };
        let _ = writeln!(out, "  {} {}: {}{times}", found.severity, found.code, printable(&found.text));
    }
    for problem in &verdict.problems {
        let _ = writeln!(out, "{}: {}", problem.status.name(), printable(&problem.text));
    }
    out
}

/// What is told of the connection and of the stream as a whole, with names. Texts are as the server sent them.
pub fn facts(visit: &Visit) -> Vec<(&'static str, String)> {
    let way: Vec<String> = [&visit.address, &visit.tls].into_iter().flatten().cloned().collect();
    let statuses: Vec<&str> = visit.statuses.iter().map(|status| status.code.as_str()).collect();
    let mut facts = vec![
        ("server", [way, server(visit)].concat().join(", ")),
        ("redirects", visit.redirects.join(" ")),
        ("handshake", handshake_words(visit)),
        ("times", times(&visit.timing)),
        ("statuses", statuses.join(" ")),
        ("tolerated", tolerated(visit).join(", ")),
    ];
    if let Some(report) = &visit.report {
        let length = visit.stream_length_s.map(|seconds| format!(" of {} s", short(seconds))).unwrap_or_default();
        let rate = report.bitrate_bps.map(bits).unwrap_or_default();
        let watched = short(report.duration_ms as f64 / 1000.0);
        facts.push(("stream", format!("{watched} s{length} watched ({}), {rate}", visit.end)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn server(visit: &Visit) -> Vec<String> {
    let Some(connected) = &visit.connected else { return Vec::new() };
    let mut words = Vec::new();
    for object in connected.arguments.iter().filter_map(Value::as_object) {
        for name in ["fmsVer", "version"] {
            words.extend(object.get(name).and_then(Value::as_str).map(str::to_owned));
        }
        let data = object.get("data").and_then(Value::as_object);
        words.extend(data.and_then(|data| data.get("version")).and_then(Value::as_str).map(str::to_owned));
        if let Some(Value::StrictArray(list)) = object.get("fourCcList") {
            let list: Vec<_> = list.iter().filter_map(Value::as_str).collect();
            words.push(format!("Enhanced RTMP ({})", list.join(" ")));
        }
    }
    words.dedup();
    words
}

fn handshake_words(visit: &Visit) -> String {
    let Some(outcome) = &visit.handshake else { return String::new() };
    let mut words = vec![kind_name(visit.handshake_kind).to_owned()];
    if outcome.version != 3 {
        words.push(format!("version {}", outcome.version));
    }
    if outcome.server_version != [0; 4] {
        words.push(format!("server {}", dotted(outcome.server_version)));
    }
    words.extend(outcome.scheme.map(|scheme| format!("digest scheme {scheme}")));
    if outcome.s2_matched == Some(false) {
        words.push("S2 does not answer C1".to_owned());
    }
    words.join(", ")
}

fn dotted(version: [u8; 4]) -> String {
    version.map(|byte| byte.to_string()).join(".")
}

fn kind_name(kind: Option<handshake::Kind>) -> &'static str {
    match kind {
        Some(handshake::Kind::Digest) => "digest",
        Some(handshake::Kind::Rtmpe) => "rtmpe",
        _ => "plain",
    }
}

/// Steps one after the other, each with when it was done.
fn times(timing: &Timing) -> String {
    let steps = [
        ("resolved +", timing.resolve),
        ("TCP +", timing.tcp),
        ("proxy +", timing.proxy),
        ("TLS +", timing.tls),
        ("tunnel +", timing.tunnel),
        ("handshake ", timing.handshake),
        ("connect ", timing.connect),
        ("createStream ", timing.create_stream),
        ("play ", timing.play),
        ("metadata ", timing.metadata),
        ("audio ", timing.first_audio),
        ("video ", timing.first_video),
        ("keyframe ", timing.first_keyframe),
    ];
    let known = steps.iter().filter_map(|(name, time)| time.map(|ms| format!("{name}{} ms", short(ms))));
    known.collect::<Vec<_>>().join(", ")
}

fn tolerated(visit: &Visit) -> Vec<String> {
    let counted = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let mut words = Vec::new();
    words.extend(counted(visit.tolerated.unknown_messages, "messages of unknown kind"));
    words.extend(counted(visit.tolerated.odd_control, "odd control messages"));
    if visit.strict_order {
        words.push("commands sent ahead were not taken".to_owned());
    }
    words
}

/// A line for each URL.
fn table(pairs: &[(&Visit, &Verdict)]) -> String {
    let mut rows =
        vec![["URL", "STATUS", "FIRST FRAME", "VIDEO", "AUDIO", "BIT RATE", "GOP", "V-A"].map(str::to_owned)];
    for (visit, verdict) in pairs {
        let figures = Figures::of(visit);
        let report = visit.report.as_ref();
        let track = |kind| report.and_then(|report| report.tracks.iter().find(|t| t.kind == kind && t.frames > 0));
        rows.push([
            printable(&visit.url),
            verdict.status.name().to_owned(),
            figures.first_frame_s.map_or("-".to_owned(), |seconds| format!("{} ms", short(seconds * 1000.0))),
            track(Kind::Video).map_or("-".to_owned(), in_short),
            track(Kind::Audio).map_or("-".to_owned(), in_short),
            figures.bitrate_bps.map_or("-".to_owned(), |bps| bits(bps as u64)),
            figures.gop_s.map_or("-".to_owned(), |seconds| format!("{} s", short(seconds))),
            figures.av_offset_ms.map_or("-".to_owned(), |ms| format!("{ms:+.0} ms")),
        ]);
    }
    let mut widths = [0; 8];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
    }
    let mut out = String::new();
    for row in rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    for (visit, verdict) in pairs {
        for problem in &verdict.problems {
            let _ = writeln!(out, "{}: {}: {}", printable(&visit.url), problem.status.name(), printable(&problem.text));
        }
    }
    out
}

/// Codec, and size or rate.
fn in_short(track: &TrackReport) -> String {
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
        let _ = write!(text, " {} fps", short(rate));
    }
    text
}

fn as_json(visit: &Visit, verdict: &Verdict) -> Json {
    let handshake = visit.handshake.as_ref().map(|outcome| {
        json!({
            "kind": kind_name(visit.handshake_kind),
            "version": outcome.version,
            "server_version": dotted(outcome.server_version),
            "digest_scheme": outcome.scheme,
            "s2_matched": outcome.s2_matched,
        })
    });
    let server = visit.connected.as_ref().map(|connected| {
        let objects = || connected.arguments.iter().filter_map(Value::as_object);
        let find = |name: &str| objects().find_map(|object| object.get(name));
        let mut capabilities = serde_json::Map::new();
        for name in [
            "capabilities",
            "mode",
            "fourCcList",
            "videoFourCcInfoMap",
            "audioFourCcInfoMap",
            "capsEx",
            "videoFunction",
        ] {
            if let Some(value) = find(name) {
                capabilities.insert(name.to_owned(), from_amf0(value));
            }
        }
        json!({
            "version": find("fmsVer").and_then(Value::as_str),
            "object_encoding": find("objectEncoding").map(from_amf0),
            "capabilities": capabilities,
        })
    });
    let status = |status: &crate::proto::command::NetStatus| json!({ "level": status.level, "code": status.code, "description": status.description });
    json!({
        "url": visit.url,
        "status": verdict.status,
        "problems": verdict.problems,
        "error": visit.error,
        "end": visit.end,
        "address": visit.address,
        "redirects": visit.redirects,
        "tls": visit.tls,
        "handshake": handshake,
        "server": server,
        "statuses": visit.statuses.iter().map(status).collect::<Vec<_>>(),
        "tolerated": {
            "unknown_messages": visit.tolerated.unknown_messages,
            "odd_control": visit.tolerated.odd_control,
            "strict_order": visit.strict_order,
        },
        "stream_length_s": visit.stream_length_s,
        "timing_ms": visit.timing,
        "stream": visit.report,
        "metadata": metadata(visit.metadata.as_ref()),
        "color_info": visit.color_info.as_ref().map(|object| metadata(Some(object))),
        "findings": visit.findings,
    })
}

/// `RTMP OK - words | performance data`.
fn nagios(visit: &Visit, verdict: &Verdict, args: &ProbeArgs, name: &str) -> String {
    // The bar begins the performance data.
    let safe = |text: &str| printable(text).replace('|', "/");
    let mut words: Vec<String> = verdict.problems.iter().map(|problem| safe(&problem.text)).collect();
    for track in visit.report.iter().flat_map(|report| &report.tracks).filter(|track| track.frames > 0) {
        words.push(format!("{} {}", track.kind, safe(&in_short(track))));
    }
    let figures = Figures::of(visit);
    let mut data = Vec::new();
    let mut datum = |label: &str, value: Option<f64>, unit: &str, limit: Option<Limit>, range: fn(f64) -> String| {
        let Some(value) = value else { return };
        let warning = limit.and_then(|limit| limit.warning).map(range).unwrap_or_default();
        let critical = limit.map(|limit| range(limit.critical)).unwrap_or_default();
        data.push(format!("{label}={value}{unit};{warning};{critical}"));
    };
    let above = |bound: f64| format!("{bound}");
    let below = |bound: f64| format!("{bound}:");
    let around = |bound: f64| format!("-{bound}:{bound}");
    datum("first_frame", figures.first_frame_s, "s", args.max_first_frame, above);
    datum("bitrate", figures.bitrate_bps, "", args.min_bitrate, below);
    datum("gop", figures.gop_s, "s", args.max_gop, above);
    datum("av_offset", figures.av_offset_ms, "ms", args.max_av_offset, around);
    for (label, ms) in [("tcp", visit.timing.tcp), ("connect", visit.timing.connect), ("play", visit.timing.play)] {
        datum(label, ms.map(seconds), "s", None, above);
    }
    let rate = visit.report.iter().flat_map(|report| &report.tracks).find(|t| t.kind == Kind::Video);
    datum("fps", rate.and_then(|track| track.frame_rate), "", None, above);
    let words = if words.is_empty() { "nothing is known".to_owned() } else { words.join(", ") };
    let data = if data.is_empty() { String::new() } else { format!(" | {}", data.join(" ")) };
    format!("RTMP {}{name} - {words}{data}\n", verdict.status.name())
}

/// Metrics in the text format, all of one name together.
fn prometheus(visits: &[Visit], verdicts: &[Verdict]) -> String {
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
    let url = |visit: &Visit| format!("url=\"{}\"", escaped(&visit.url));
    let each = |value: &dyn Fn(&Visit) -> Option<f64>| -> Vec<(String, f64)> {
        visits.iter().filter_map(|visit| Some((url(visit), value(visit)?))).collect()
    };
    let tracks = |value: &dyn Fn(&TrackReport) -> Option<f64>| -> Vec<(String, f64)> {
        let of = |visit: &Visit| -> Vec<(String, f64)> {
            let report = visit.report.iter().flat_map(|report| &report.tracks).filter(|track| track.frames > 0);
            let labelled = report.filter_map(|track| {
                let (kind, id, codec) = (track.kind, track.id, escaped(&track.codec));
                Some((format!("{},track=\"{kind}\",id=\"{id}\",codec=\"{codec}\"", url(visit)), value(track)?))
            });
            labelled.collect()
        };
        visits.iter().flat_map(of).collect()
    };
    let statuses = visits.iter().zip(verdicts).map(|(visit, verdict)| (url(visit), f64::from(verdict.status as u8)));
    metric("probe_up", "Whether there was media", each(&|visit| Some(f64::from(u8::from(visit.report.is_some())))));
    metric("probe_status", "0 ok, 1 warning, 2 critical, 3 unknown", statuses.collect());
    let phases = |visit: &Visit| -> Vec<(String, f64)> {
        let Ok(Json::Object(timing)) = serde_json::to_value(visit.timing) else { return Vec::new() };
        let known = timing
            .iter()
            .filter_map(|(phase, ms)| Some((format!("{},phase=\"{phase}\"", url(visit)), seconds(ms.as_f64()?))));
        known.collect()
    };
    metric(
        "probe_phase_seconds",
        "resolve to tunnel: how long each took; opened to first_keyframe: when it was there, since the beginning",
        visits.iter().flat_map(phases).collect(),
    );
    metric("stream_bitrate_bps", "Bit rate of all tracks", each(&|visit| Figures::of(visit).bitrate_bps));
    metric("stream_av_offset_ms", "Mean of video less audio", each(&|visit| Figures::of(visit).av_offset_ms));
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
    metric("track_jitter_ms", "Jitter of arrival, as in RFC 3550", tracks(&|track| track.jitter_ms));
    metric("track_timestamp_decreases", "How often times went back", tracks(&|track| Some(track.decreases as f64)));
    metric("track_timestamp_jumps", "How often times jumped ahead", tracks(&|track| Some(track.jumps as f64)));
    out
}

/// A label's value.
fn escaped(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('"', "\\\"")
}
