//! Results in words.

use std::fmt::Write;

use crate::cli::report::{bits, short, stream_lines};
use crate::inspect::Kind;
use crate::probe::{Figures, ProbeResult, Timing, Verdict};
use crate::proto::amf0::Value;
use crate::transport::Certificate;
use crate::util::text::printable;

use super::summary::{date, dotted, in_short, kind_name};

/// One result, on several lines.
pub fn text(result: &ProbeResult, verdict: &Verdict) -> String {
    let mut out = format!("{}: {}\n", printable(&result.url), verdict.status.name());
    for (name, value) in facts(result) {
        let _ = writeln!(out, "  {name:<10} {}", printable(&value));
    }
    if let Some(report) = &result.report {
        out.push_str(&stream_lines(report));
    }
    for found in &result.findings {
        let times = if found.count > 1 { format!(" ({} times)", found.count) } else { String::new() };
        let _ = writeln!(out, "  {} {}: {}{times}", found.severity, found.code, printable(&found.text));
    }
    for problem in &verdict.problems {
        let _ = writeln!(out, "{}: {}", problem.status.name(), printable(&problem.text));
    }
    out
}

/// Facts about the connection and the stream as a whole, with names. Texts are as the server sent them.
pub fn facts(result: &ProbeResult) -> Vec<(&'static str, String)> {
    let way: Vec<String> = [&result.address, &result.tls].into_iter().flatten().cloned().collect();
    let statuses: Vec<&str> = result.statuses.iter().map(|status| status.code.as_str()).collect();
    let mut facts = vec![
        ("server", [way, server(result)].concat().join(", ")),
        ("certified", certificate(result).unwrap_or_default()),
        ("redirects", result.redirects.join(" ")),
        ("handshake", handshake_words(result)),
        ("times", times(&result.timing)),
        ("statuses", statuses.join(" ")),
        ("tolerated", tolerated(result).join(", ")),
    ];
    if let Some(report) = &result.report {
        let length = result.stream_length_s.map(|seconds| format!(" of {} s", short(seconds))).unwrap_or_default();
        let rate = report.bitrate_bps.map(bits).unwrap_or_default();
        let watched = short(report.duration_ms as f64 / 1000.0);
        facts.push(("stream", format!("{watched} s{length} watched ({}), {rate}", result.end)));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn server(result: &ProbeResult) -> Vec<String> {
    let Some(connected) = &result.connected else { return Vec::new() };
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

fn certificate(result: &ProbeResult) -> Option<String> {
    let Certificate { subject, issuer, not_after, .. } = result.certificate.as_ref()?;
    let issuer = if issuer == subject { "itself" } else { issuer };
    let days = short(result.certificate_days?);
    let subject = if subject.is_empty() { "(no subject)" } else { subject };
    Some(format!("{subject}, issued by {issuer}, until {} ({days} days)", date(*not_after)))
}

fn handshake_words(result: &ProbeResult) -> String {
    let Some(outcome) = &result.handshake else { return String::new() };
    let mut words = vec![kind_name(result.handshake_kind).to_owned()];
    if outcome.version != 3 {
        words.push(format!("version {}", outcome.version));
    }
    if outcome.server_version != [0; 4] {
        words.push(format!("server {}", dotted(outcome.server_version)));
    }
    words.extend(outcome.scheme.map(|scheme| format!("digest scheme {scheme}")));
    if outcome.s2_matched == Some(false) {
        words.push("S2 does not match C1".to_owned());
    }
    words.join(", ")
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

fn tolerated(result: &ProbeResult) -> Vec<String> {
    let counted = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let mut words = Vec::new();
    words.extend(counted(result.tolerated.unknown_messages, "messages of unknown kind"));
    words.extend(counted(result.tolerated.odd_control, "odd control messages"));
    if result.strict_order {
        words.push("no commands ahead of replies".to_owned());
    }
    words
}

/// A line for each URL.
pub fn table(pairs: &[(&ProbeResult, &Verdict)]) -> String {
    let mut rows =
        vec![["URL", "STATUS", "FIRST FRAME", "VIDEO", "AUDIO", "BIT RATE", "GOP", "V-A"].map(str::to_owned)];
    for (result, verdict) in pairs {
        let figures = Figures::of(result);
        let report = result.report.as_ref();
        let track = |kind| report.and_then(|report| report.tracks.iter().find(|t| t.kind == kind && t.frames > 0));
        rows.push([
            printable(&result.url),
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
    for (result, verdict) in pairs {
        for problem in &verdict.problems {
            let _ =
                writeln!(out, "{}: {}: {}", printable(&result.url), problem.status.name(), printable(&problem.text));
        }
    }
    out
}
