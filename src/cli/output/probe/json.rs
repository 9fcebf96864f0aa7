//! Results in JSON.

use serde_json::{Value as Json, json};

use crate::cli::json::from_amf0;
use crate::cli::report::metadata;
use crate::probe::{ProbeResult, Verdict};
use crate::proto::amf0::Value;

use super::summary::{date, dotted, kind_name};

/// One result; see `cli/commands/probe.rs` for the names.
pub fn as_json(result: &ProbeResult, verdict: &Verdict) -> Json {
    let handshake = result.handshake.as_ref().map(|outcome| {
        json!({
            "kind": kind_name(result.handshake_kind),
            "version": outcome.version,
            "server_version": dotted(outcome.server_version),
            "digest_scheme": outcome.scheme,
            "s2_matched": outcome.s2_matched,
        })
    });
    let server = result.connected.as_ref().map(|connected| {
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
    let certificate = result.certificate.as_ref().map(|certificate| {
        json!({
            "subject": certificate.subject,
            "issuer": certificate.issuer,
            "not_before": date(certificate.not_before),
            "not_after": date(certificate.not_after),
            "days_left": result.certificate_days,
        })
    });
    let status = |status: &crate::proto::command::NetStatus| json!({ "level": status.level, "code": status.code.as_str(), "description": status.description });
    json!({
        "url": result.url,
        "status": verdict.status,
        "problems": verdict.problems,
        "error": result.error,
        "end": result.end,
        "address": result.address,
        "redirects": result.redirects,
        "tls": result.tls,
        "certificate": certificate,
        "handshake": handshake,
        "server": server,
        "statuses": result.statuses.iter().map(status).collect::<Vec<_>>(),
        "tolerated": {
            "unknown_messages": result.tolerated.unknown_messages,
            "odd_control": result.tolerated.odd_control,
            "strict_order": result.strict_order,
        },
        "stream_length_s": result.stream_length_s,
        "timing_ms": result.timing,
        "stream": result.report,
        "metadata": metadata(result.metadata.as_ref()),
        "color_info": result.color_info.as_ref().map(|object| metadata(Some(object))),
        "findings": result.findings,
    })
}
