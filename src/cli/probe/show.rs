//! Results in words and in JSON.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::cli::json::{from_amf0, one_line};
use crate::cli::report::{bits, fps, metadata, short, stream_lines};
use crate::inspect::{Kind, TrackReport};
use crate::proto::amf0::Value;
use crate::proto::handshake;
use crate::transport::Certificate;
use crate::util::text::printable;

use super::judge::{Figures, Verdict};
use super::monitor::{nagios, prometheus};
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
        Format::Json => pairs().map(|(visit, verdict)| format!("{}\n", one_line(&as_json(visit, verdict)))).collect(),
        Format::Nagios => nagios(visits, verdicts, args),
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
        ("certified", certificate(visit).unwrap_or_default()),
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

fn certificate(visit: &Visit) -> Option<String> {
    let Certificate { subject, issuer, not_after, .. } = visit.certificate.as_ref()?;
    let issuer = if issuer == subject { "itself" } else { issuer };
    let days = short(visit.certificate_days?);
    let subject = if subject.is_empty() { "nobody by name" } else { subject };
    Some(format!("{subject}, by {issuer}, until {} ({days} days)", date(*not_after)))
}

/// In UTC, as RFC 3339 has it; beyond the calendar the seconds since 1970.
fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
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
    let certificate = visit.certificate.as_ref().map(|certificate| {
        json!({
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "not_before": date(certificate.not_before),
            "not_after": date(certificate.not_after),
            "days_left": visit.certificate_days,
        })
    });
    let status = |status: &crate::proto::command::NetStatus| json!({ "level": status.level, "code": status.code.as_str(), "description": status.description });
    json!({
        "url": visit.url,
        "status": verdict.status,
        "problems": verdict.problems,
        "error": visit.error,
        "end": visit.end,
        "address": visit.address,
        "redirects": visit.redirects,
        "tls": visit.tls,
        "certificate": certificate,
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
