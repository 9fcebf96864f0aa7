//! Limits, and what they make of what was seen.

use std::str::FromStr;

use serde::Serialize;

use crate::cli::exit::Code;
use crate::inspect::{Kind, Report};

use super::ProbeArgs;
use super::visit::Visit;

/// Nagios' four states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Ok = 0,
    /// Somebody should look at it.
    Warning = 1,
    /// Somebody should look at it now.
    Critical = 2,
    /// Nobody knows.
    Unknown = 3,
}

impl Status {
    /// The exit code.
    pub fn code(self) -> Code {
        match self {
            Status::Ok => Code::Complete,
            Status::Warning => Code::Failed,
            Status::Critical => Code::Incomplete,
            Status::Unknown => Code::NoSession,
        }
    }

    /// Its rank: to be critical is worse than not to be known.
    pub fn badness(self) -> u8 {
        match self {
            Status::Ok => 0,
            Status::Warning => 1,
            Status::Unknown => 2,
            Status::Critical => 3,
        }
    }

    /// In capitals, as Nagios has it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Warning => "WARNING",
            Status::Critical => "CRITICAL",
            Status::Unknown => "UNKNOWN",
        }
    }
}

/// Numbers beyond which a stream is worth a warning, or critical.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Worth a warning.
    pub warning: Option<f64>,
    /// Critical.
    pub critical: f64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let (digits, factor) = match text.as_bytes().last() {
                Some(b'k' | b'K') => (&text[..text.len() - 1], 1e3),
                Some(b'm' | b'M') => (&text[..text.len() - 1], 1e6),
                _ => (text, 1.0),
            };
            let number = digits.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
            number.map(|number| number * factor).ok_or_else(|| format!("{text:?} is no limit (a number, or WARN:CRIT)"))
        };
        Ok(match text.split_once(':') {
            Some((warning, critical)) => Self { warning: Some(number(warning)?), critical: number(critical)? },
            None => Self { warning: None, critical: number(text)? },
        })
    }
}

/// Whether each warning comes before what is critical: the other way round it would never be given.
///
/// # Errors
/// The option that is wrong, and how.
pub fn limits_make_sense(args: &ProbeArgs) -> Result<(), String> {
    let limits = [
        ("--min-bitrate", args.min_bitrate, true),
        ("--max-first-frame", args.max_first_frame, false),
        ("--max-gop", args.max_gop, false),
        ("--max-av-offset", args.max_av_offset, false),
        ("--min-cert-days", args.min_cert_days, true),
    ];
    for (name, limit, is_least) in limits {
        let Some(Limit { warning: Some(warning), critical }) = limit else { continue };
        if (is_least && warning < critical) || (!is_least && warning > critical) {
            let order = if is_least { "at least" } else { "at most" };
            return Err(format!("{name}: the warning ({warning}) has to be {order} what is critical ({critical})"));
        }
    }
    Ok(())
}

/// A track that has to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Video or audio.
    pub kind: Kind,
    /// By its name for programs.
    pub codec: Option<String>,
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, codec) = text.split_once('=').map_or((text, None), |(kind, codec)| (kind, Some(codec)));
        let kind = match kind {
            "video" => Kind::Video,
            "audio" => Kind::Audio,
            _ => return Err(format!("{text:?}: video, audio, video=CODEC or audio=CODEC")),
        };
        let codec = codec.map(|codec| match codec.to_ascii_lowercase().as_str() {
            "avc" | "avc1" | "h.264" => "h264".to_owned(),
            "hevc" | "hvc1" | "h.265" => "h265".to_owned(),
            "av01" => "av1".to_owned(),
            "vp09" => "vp9".to_owned(),
            "mp4a" => "aac".to_owned(),
            other => other.to_owned(),
        });
        Ok(Self { kind, codec })
    }
}

/// A status, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The worst of all problems.
    pub status: Status,
    /// What is not as it should be.
    pub problems: Vec<Problem>,
}

/// What is not as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub status: Status,
    /// What it is.
    pub text: String,
}

/// Judges a visit by the limits.
pub fn judge(visit: &Visit, args: &ProbeArgs) -> Verdict {
    let mut problems = Vec::new();
    let mut add = |status, text: String| problems.push(Problem { status, text });
    if let Some(error) = &visit.error {
        add(if visit.not_tried { Status::Unknown } else { Status::Critical }, error.clone());
    } else if visit.report.is_none() {
        add(Status::Critical, "there was no media".to_owned());
    }
    // Of a connection that did not come about, why is said already.
    if let Some(limit) = args.min_cert_days.filter(|_| visit.error.is_none() || visit.certificate.is_some()) {
        let unit = "days";
        problems_with("validity of the certificate", limit, visit.certificate_days, true, unit, &mut add);
    }
    if let Some(report) = &visit.report {
        for requirement in &args.require {
            if let Some(text) = missing(requirement, report) {
                add(Status::Critical, text);
            }
        }
        let figures = Figures::of(visit);
        // That the next keyframe is late is known before it is there; that it is not, is not.
        let is_late = |limit: &Limit| figures.gop_at_least_s > Some(limit.warning.unwrap_or(limit.critical));
        let gop = if args.max_gop.as_ref().is_some_and(is_late) { figures.gop_at_least_s } else { figures.gop_s };
        for (name, limit, value, is_least, unit) in [
            ("bit rate", args.min_bitrate, figures.bitrate_bps, true, "bit/s"),
            ("first frame", args.max_first_frame, figures.first_frame_s, false, "s"),
            ("keyframe distance", args.max_gop, gop, false, "s"),
            ("video - audio", args.max_av_offset, figures.av_offset_ms.map(f64::abs), false, "ms"),
        ] {
            let Some(limit) = limit else { continue };
            problems_with(name, limit, value, is_least, unit, &mut add);
        }
    }
    let status = problems.iter().map(|problem| problem.status).max_by_key(|s| s.badness()).unwrap_or(Status::Ok);
    Verdict { status, problems }
}

/// What is wrong with a figure, by its limit.
fn problems_with(
    name: &str,
    limit: Limit,
    value: Option<f64>,
    is_least: bool,
    unit: &str,
    add: &mut impl FnMut(Status, String),
) {
    let Some(value) = value else {
        add(Status::Unknown, format!("{name} is not known"));
        return;
    };
    let beyond = |bound: f64| if is_least { value < bound } else { value > bound };
    let (status, bound) = match limit {
        Limit { critical, .. } if beyond(critical) => (Status::Critical, critical),
        Limit { warning: Some(warning), .. } if beyond(warning) => (Status::Warning, warning),
        _ => return,
    };
    let word = if is_least { "below" } else { "above" };
    add(status, format!("{name} {value} {unit} is {word} {bound}"));
}

/// The worst of all.
pub fn worst(verdicts: &[Verdict]) -> Status {
    verdicts.iter().map(|verdict| verdict.status).max_by_key(|status| status.badness()).unwrap_or(Status::Unknown)
}

fn missing(requirement: &Requirement, report: &Report) -> Option<String> {
    let Requirement { kind, codec } = requirement;
    let of_kind: Vec<_> = report.tracks.iter().filter(|t| t.kind == *kind && t.frames > 0).collect();
    match codec {
        _ if of_kind.is_empty() => Some(format!("there is no {kind}")),
        Some(codec) if !of_kind.iter().any(|track| track.codec == *codec) => {
            Some(format!("{kind} is {}, not {codec}", of_kind[0].codec))
        }
        _ => None,
    }
}

/// What limits are about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// All tracks together.
    pub bitrate_bps: Option<f64>,
    /// To the first keyframe, or without video to the first sound.
    pub first_frame_s: Option<f64>,
    /// The longest; of a stream that ended within the first one, that.
    pub gop_s: Option<f64>,
    /// It is at least this: how long the stream went on after the last keyframe, or the longest.
    pub gop_at_least_s: Option<f64>,
    /// On average.
    pub av_offset_ms: Option<f64>,
}

/// Seconds, to the microsecond, of milliseconds.
pub fn seconds(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1e6
}

impl Figures {
    /// Of a visit.
    pub fn of(visit: &Visit) -> Self {
        let timing = &visit.timing;
        let video = visit.report.as_ref().and_then(|r| r.tracks.iter().find(|t| t.kind == Kind::Video && t.frames > 0));
        let first = if video.is_some() { timing.first_keyframe } else { timing.first_audio };
        let whole = video.and_then(|track| track.gop.as_ref()?.max_ms);
        let so_far = video.and_then(|track| track.last_ms.zip(track.gop.as_ref()?.last_keyframe_ms));
        let so_far = so_far.map(|(last, keyframe)| last - keyframe);
        let in_seconds = |ms: Option<i64>| ms.map(|ms| ms as f64 / 1000.0);
        Self {
            bitrate_bps: visit.report.as_ref().and_then(|report| report.bitrate_bps).map(|bps| bps as f64),
            first_frame_s: first.map(seconds),
            gop_s: in_seconds(whole.or(so_far.filter(|_| visit.end == "ended"))),
            gop_at_least_s: in_seconds(whole.max(so_far)),
            av_offset_ms: visit.report.as_ref().and_then(|r| r.av_offset_ms.as_ref()).map(|offset| offset.mean),
        }
    }
}
