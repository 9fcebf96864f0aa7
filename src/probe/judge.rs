//! Limits, and what they make of what was seen.

use std::str::FromStr;

use serde::Serialize;

use crate::inspect::{Kind, Report};

use super::result::ProbeResult;

/// Nagios' four states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// No limit is exceeded.
    Ok = 0,
    /// A warning limit is exceeded.
    Warning = 1,
    /// A critical limit is exceeded, or there is no stream.
    Critical = 2,
    /// It could not be found out.
    Unknown = 3,
}

impl Status {
    /// Its rank among several, 0 to 3: critical is worse than unknown.
    pub fn severity_rank(self) -> u8 {
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
            number
                .map(|number| number * factor)
                .ok_or_else(|| format!("{text:?} is not a limit (a number, or WARN:CRIT)"))
        };
        Ok(match text.split_once(':') {
            Some((warning, critical)) => Self { warning: Some(number(warning)?), critical: number(critical)? },
            None => Self { warning: None, critical: number(text)? },
        })
    }
}

/// What a stream is judged by; `None`: not at all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Required tracks.
    pub require: Vec<Requirement>,
    /// Minimum bit rate of all tracks together, in bit/s.
    pub min_bitrate: Option<Limit>,
    /// Maximum time to the first keyframe (without video: to the first audio), in seconds.
    pub max_first_frame: Option<Limit>,
    /// Maximum keyframe interval, in seconds.
    pub max_gop: Option<Limit>,
    /// Maximum average A/V offset, in milliseconds.
    pub max_av_offset: Option<Limit>,
    /// Minimum remaining validity of the certificate, in days.
    pub min_cert_days: Option<Limit>,
}

impl Limits {
    /// Checks that each warning limit is reached before the critical one.
    ///
    /// # Errors
    /// The invalid option, and why.
    pub fn validate(&self) -> Result<(), String> {
        let limits = [
            ("--min-bitrate", self.min_bitrate, true),
            ("--max-first-frame", self.max_first_frame, false),
            ("--max-gop", self.max_gop, false),
            ("--max-av-offset", self.max_av_offset, false),
            ("--min-cert-days", self.min_cert_days, true),
        ];
        for (name, limit, is_least) in limits {
            let Some(Limit { warning: Some(warning), critical }) = limit else { continue };
            if (is_least && warning < critical) || (!is_least && warning > critical) {
                let order = if is_least { "at least" } else { "at most" };
                return Err(format!(
                    "{name}: the warning limit ({warning}) must be {order} the critical limit ({critical})"
                ));
            }
        }
        Ok(())
    }
}

/// A required track.
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

/// Judges a result by the limits.
pub fn judge(result: &ProbeResult, limits: &Limits) -> Verdict {
    let mut problems = Vec::new();
    let mut add = |status, text: String| problems.push(Problem { status, text });
    if let Some(error) = &result.error {
        add(if result.not_tried { Status::Unknown } else { Status::Critical }, error.clone());
    } else if result.report.is_none() {
        add(Status::Critical, "no media received".to_owned());
    }
    // Why a connection failed is already among the problems.
    if let Some(limit) = limits.min_cert_days.filter(|_| result.error.is_none() || result.certificate.is_some()) {
        let unit = "days";
        problems_with("certificate validity", limit, result.certificate_days, true, unit, &mut add);
    }
    if let Some(report) = &result.report {
        for requirement in &limits.require {
            if let Some(text) = missing(requirement, report) {
                add(Status::Critical, text);
            }
        }
        let figures = Figures::of(result);
        // A late keyframe is known to be late before it arrives.
        let is_late = |limit: &Limit| figures.gop_at_least_s > Some(limit.warning.unwrap_or(limit.critical));
        let gop = if limits.max_gop.as_ref().is_some_and(is_late) { figures.gop_at_least_s } else { figures.gop_s };
        for (name, limit, value, is_least, unit) in [
            ("bit rate", limits.min_bitrate, figures.bitrate_bps, true, "bit/s"),
            ("first frame", limits.max_first_frame, figures.first_frame_s, false, "s"),
            ("keyframe interval", limits.max_gop, gop, false, "s"),
            ("video - audio", limits.max_av_offset, figures.av_offset_ms.map(f64::abs), false, "ms"),
        ] {
            let Some(limit) = limit else { continue };
            problems_with(name, limit, value, is_least, unit, &mut add);
        }
    }
    let status = problems.iter().map(|problem| problem.status).max_by_key(|s| s.severity_rank()).unwrap_or(Status::Ok);
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
        add(Status::Unknown, format!("{name} is unknown"));
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
    verdicts.iter().map(|verdict| verdict.status).max_by_key(|status| status.severity_rank()).unwrap_or(Status::Unknown)
}

fn missing(requirement: &Requirement, report: &Report) -> Option<String> {
    let Requirement { kind, codec } = requirement;
    let of_kind: Vec<_> = report.tracks.iter().filter(|t| t.kind == *kind && t.frames > 0).collect();
    match codec {
        _ if of_kind.is_empty() => Some(format!("no {kind}")),
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
    /// Of a result.
    pub fn of(result: &ProbeResult) -> Self {
        let timing = &result.timing;
        let video =
            result.report.as_ref().and_then(|r| r.tracks.iter().find(|t| t.kind == Kind::Video && t.frames > 0));
        let first = if video.is_some() { timing.first_keyframe } else { timing.first_audio };
        let whole = video.and_then(|track| track.gop.as_ref()?.max_ms);
        let so_far = video.and_then(|track| track.last_ms.zip(track.gop.as_ref()?.last_keyframe_ms));
        let so_far = so_far.map(|(last, keyframe)| last - keyframe);
        let in_seconds = |ms: Option<i64>| ms.map(|ms| ms as f64 / 1000.0);
        Self {
            bitrate_bps: result.report.as_ref().and_then(|report| report.bitrate_bps).map(|bps| bps as f64),
            first_frame_s: first.map(seconds),
            gop_s: in_seconds(whole.or(so_far.filter(|_| result.end == "ended"))),
            gop_at_least_s: in_seconds(whole.max(so_far)),
            av_offset_ms: result.report.as_ref().and_then(|r| r.av_offset_ms.as_ref()).map(|offset| offset.mean),
        }
    }
}
