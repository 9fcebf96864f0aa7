use clap::Parser;

use super::*;
use crate::cli::args::ProbeArgs;
use crate::cli::parse::{Cli, Command};
use crate::inspect::Analyser;
use crate::probe::{Figures, Limit, ProbeResult, Problem, Requirement, Status, Timing, Verdict};
use crate::proto::message::message_type::{AUDIO, VIDEO};
use crate::transport::Certificate;

pub fn args(words: &[&str]) -> ProbeArgs {
    let words = ["rtmpcat", "probe"].iter().chain(words);
    match Cli::try_parse_from(words).unwrap().command {
        Some(Command::Probe(args)) => *args,
        other => panic!("{other:?}"),
    }
}

/// Two seconds of H.263 with a keyframe each second, and of MP3 that lags 20 ms behind.
pub fn seen() -> ProbeResult {
    let mut analyser = Analyser::new();
    for i in 0..51 {
        let frame: &[u8] = if i % 25 == 0 { &[0x12; 101] } else { &[0x22; 101] };
        analyser.observe(VIDEO, i * 40, frame, None);
        analyser.observe(AUDIO, i * 40 + 20, &[0x2e; 51], None);
    }
    let timing =
        Timing { first_video: Some(300.0), first_keyframe: Some(400.0), first_audio: Some(50.0), ..Timing::default() };
    let url = "rtmp://host/live/a".to_owned();
    ProbeResult { url, report: Some(analyser.report()), timing, end: "complete", ..ProbeResult::default() }
}

/// Judges by the limits of a command line.
pub fn judge(result: &ProbeResult, args: &ProbeArgs) -> Verdict {
    crate::probe::judge(result, &args.limits())
}

fn show(results: &[ProbeResult], verdicts: &[Verdict], args: &ProbeArgs) -> String {
    render(args.format, results, verdicts, &args.limits())
}

fn status(words: &[&str]) -> (Status, Vec<String>) {
    let verdict = judge(&seen(), &args(words));
    (verdict.status, verdict.problems.into_iter().map(|problem| problem.text).collect())
}

#[test]
fn limits_are_read() {
    let limit = |text: &str| text.parse::<Limit>().map(|limit| (limit.warning, limit.critical));
    assert_eq!(limit("3"), Ok((None, 3.0)));
    assert_eq!(limit("1.5:3"), Ok((Some(1.5), 3.0)));
    assert_eq!(limit("800k:0.5M"), Ok((Some(800_000.0), 500_000.0)));
    for bad in ["", "x", "1:", ":1", "-1", "1:2:3", "nan", "inf", "k", "é"] {
        assert!(limit(bad).is_err(), "{bad}");
    }
    let required = |text: &str| text.parse::<Requirement>().map(|it| (it.kind.to_string(), it.codec));
    assert_eq!(required("video"), Ok(("video".to_owned(), None)));
    assert_eq!(required("audio=MP4A"), Ok(("audio".to_owned(), Some("aac".to_owned()))));
    assert!(required("picture").is_err());
}

#[test]
fn a_warning_that_would_never_be_given_is_refused() {
    let sense = |words: &[&str]| args(&[&["u"], words].concat()).limits().validate();
    let right = ["--min-bitrate", "2M:1M", "--max-gop", "2:4", "--min-cert-days", "14:3", "--max-first-frame", "3:3"];
    assert_eq!(sense(&right), Ok(()));
    assert_eq!(sense(&["--max-av-offset", "100"]), Ok(()));
    for (option, limit) in [("--min-bitrate", "1M:2M"), ("--min-cert-days", "3:14"), ("--max-gop", "4:2")] {
        assert!(sense(&[option, limit]).unwrap_err().contains(option));
    }
}

#[test]
fn figures_of_a_stream() {
    let figures = Figures::of(&seen());
    assert_eq!((figures.first_frame_s, figures.gop_s, figures.bitrate_bps), (Some(0.4), Some(1.0), Some(30_000.0)));
    assert_eq!(figures.av_offset_ms.map(f64::round), Some(0.0));
}

#[test]
fn what_is_beyond_a_limit_is_said() {
    assert_eq!(status(&["u"]), (Status::Ok, vec![]));
    assert_eq!(status(&["u", "--require", "video=h263", "--require", "audio"]).0, Status::Ok);
    let (critical, words) = status(&["u", "--require", "video=h264"]);
    assert_eq!((critical, words[0].as_str()), (Status::Critical, "video is h263, not h264"));
    assert_eq!(status(&["u", "--max-first-frame", "0.3:1"]).0, Status::Warning);
    assert_eq!(status(&["u", "--max-first-frame", "0.1:0.3"]).0, Status::Critical);
    assert_eq!(status(&["u", "--max-first-frame", "0.5"]).0, Status::Ok);
    let (warning, words) = status(&["u", "--min-bitrate", "40k:20k"]);
    assert_eq!((warning, words[0].as_str()), (Status::Warning, "bit rate 30000 bit/s is below 40000"));
    assert_eq!(status(&["u", "--min-bitrate", "31k"]).0, Status::Critical);
    assert_eq!(status(&["u", "--max-gop", "0.9"]).0, Status::Critical);
    assert_eq!(status(&["u", "--max-gop", "1"]).0, Status::Ok);
    assert_eq!(status(&["u", "--max-av-offset", "10"]).0, Status::Ok);
    // One keyframe, and half a second since: it is not known how long a group is, but more than 0.3 s.
    let mut analyser = Analyser::new();
    for i in 0..=12 {
        analyser.observe(VIDEO, 1000 + i * 40, &[if i == 0 { 0x12 } else { 0x22 }; 101], None);
    }
    let mut short = ProbeResult { report: Some(analyser.report()), end: "time", ..seen() };
    assert_eq!(Figures::of(&short).gop_s, None);
    let judged = |result: &ProbeResult, limit| judge(result, &args(&["u", "--max-gop", limit])).problems.pop();
    let problem = |status, text: &str| Some(Problem { status, text: text.to_owned() });
    assert_eq!(judged(&short, "0.6"), problem(Status::Unknown, "keyframe interval is unknown"));
    assert_eq!(judged(&short, "0.3"), problem(Status::Critical, "keyframe interval 0.48 s is above 0.3"));
    assert_eq!(judged(&short, "0.3:2"), problem(Status::Warning, "keyframe interval 0.48 s is above 0.3"));
    short.end = "ended";
    assert_eq!((Figures::of(&short).gop_s, judged(&short, "0.6")), (Some(0.48), None));
}

#[test]
fn a_certificate_that_ends_soon_is_said() {
    let certificate =
        Certificate { subject: "CN=a|b".into(), issuer: "CN=ca".into(), not_before: 0, not_after: 1 << 31 };
    let of = |days: f64| ProbeResult { certificate: Some(certificate.clone()), certificate_days: Some(days), ..seen() };
    let args = args(&["u", "--min-cert-days", "14:3"]);
    for (days, status, text) in [
        (15.0, Status::Ok, None),
        (13.9, Status::Warning, Some("certificate validity 13.9 days is below 14")),
        (-1.0, Status::Critical, Some("certificate validity -1 days is below 3")),
    ] {
        let verdict = judge(&of(days), &args);
        assert_eq!((verdict.status, verdict.problems.first().map(|problem| problem.text.as_str())), (status, text));
    }
    // Also of a stream that is not there, but not of a connection that is not there.
    let without = ProbeResult { report: None, error: Some("no".into()), ..of(1.0) };
    assert_eq!(judge(&without, &args).problems.len(), 2);
    assert_eq!(judge(&ProbeResult { certificate: None, certificate_days: None, ..without }, &args).problems.len(), 1);
    assert_eq!(judge(&seen(), &args).status, Status::Unknown);
    let results = [of(13.9)];
    let told = |words: &[&str]| show(&results, &[judge(&results[0], &args)], &self::args(words));
    assert!(told(&["u"]).contains("  certified  CN=a|b, issued by CN=ca, until 2038-01-19T03:14:08Z (13.9 days)\n"));
    assert!(told(&["u", "--format", "nagios", "--min-cert-days", "14:3"]).contains(" cert_days=13.9;14:;3: "));
    let json = told(&["u", "--format", "json"]);
    assert!(json.contains("\"not_after\":\"2038-01-19T03:14:08Z\",\"days_left\":13.9"), "{json}");
    let metric = "rtmpcat_probe_certificate_not_after_timestamp_seconds{url=\"rtmp://host/live/a\"} 2147483648\n";
    assert!(told(&["u", "--format", "prometheus"]).contains(metric));
}

#[test]
fn a_stream_that_is_not_there_is_critical_and_wrong_options_are_unknown() {
    let judged = |result: ProbeResult| judge(&result, &args(&["u", "--require", "video"])).status;
    assert_eq!(judged(ProbeResult::default()), Status::Critical);
    assert_eq!(judged(ProbeResult { error: Some("no".into()), ..ProbeResult::default() }), Status::Critical);
    assert_eq!(
        judged(ProbeResult { error: Some("no".into()), not_tried: true, ..ProbeResult::default() }),
        Status::Unknown
    );
    let mut without_video = seen();
    without_video.report.as_mut().unwrap().tracks.remove(0);
    assert_eq!(judged(without_video), Status::Critical);
    let mut order = [Status::Critical, Status::Unknown, Status::Warning, Status::Ok];
    order.sort_by_key(|status| status.severity_rank());
    assert_eq!(order.map(Status::name), ["OK", "WARNING", "UNKNOWN", "CRITICAL"]);
}

#[test]
fn nagios_gets_one_line_with_performance_data() {
    let args = args(&["u", "--format", "nagios", "--max-first-frame", "0.3:1", "--min-bitrate", "1k"]);
    let results = [seen()];
    let line = show(&results, &[judge(&results[0], &args)], &args);
    assert_eq!(
        line,
        "RTMP WARNING - first frame 0.4 s is above 0.3, video h263 25 fps, audio mp3 44100 Hz | \
         first_frame=0.4s;0.3;1 bitrate=30000;;1000: gop=1s;; av_offset=-0.2ms;; fps=25;;\n"
    );
    let bad = ProbeResult { error: Some("a|b\nc".into()), ..ProbeResult::default() };
    let line = show(std::slice::from_ref(&bad), &[judge(&bad, &args)], &args);
    assert_eq!(line, "RTMP CRITICAL - a/b\\nc\n");
}

#[test]
fn nagios_gets_the_worst_status_first_and_labels_that_differ() {
    let args = args(&["u", "u", "--format", "nagios", "--max-gop", "3"]);
    let odd = || ProbeResult { url: "rtmp://host/live/it's?a=b|c".into(), ..seen() };
    let results = [
        odd(),
        odd(),
        ProbeResult { url: "rtmp://down/x".into(), error: Some("no|way\n".into()), ..ProbeResult::default() },
    ];
    let verdicts: Vec<_> = results.iter().map(|result| judge(result, &args)).collect();
    let text = show(&results, &verdicts, &args);
    let (words, data) = text.split_once(" | ").unwrap();
    let stream = "OK rtmp://host/live/it's?a=b/c - video h263 25 fps, audio mp3 44100 Hz";
    let lines: Vec<_> = words.lines().collect();
    let expected = ["RTMP CRITICAL - 2 of 3 streams OK", stream, stream, "CRITICAL rtmp://down/x - no/way\\n"];
    assert_eq!(lines, expected);
    assert!(
        data.starts_with("'rtmp://host/live/it_s?a_b/c first_frame'=0.4s;; 'rtmp://host/live/it_s?a_b/c bitrate'"),
        "{data}"
    );
    assert!(data.contains(" 'rtmp://host/live/it_s?a_b/c (2) gop'=1s;;3 "), "{data}");
    assert!(data.matches('\n').count() == 1 && data.ends_with('\n'), "{data}");
}

#[test]
fn prometheus_gets_no_sample_twice() {
    let args = args(&["u", "--format", "prometheus"]);
    let results = [seen(), seen(), ProbeResult { url: seen().url, ..ProbeResult::default() }];
    let verdicts: Vec<_> = results.iter().map(|result| judge(result, &args)).collect();
    let text = show(&results, &verdicts, &args);
    let mut names: Vec<_> = text.lines().filter_map(|line| line.rsplit_once("} ")).map(|(name, _)| name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{text}");
    assert!(text.contains("rtmpcat_probe_up{url=\"rtmp://host/live/a (3)\"} 0\n"), "{text}");
}

#[test]
fn prometheus_gets_each_metric_once() {
    let args = args(&["u", "--format", "prometheus"]);
    let results = [seen(), ProbeResult { url: "rtmp://a/\"b\\".into(), ..ProbeResult::default() }];
    let verdicts: Vec<_> = results.iter().map(|result| judge(result, &args)).collect();
    let text = show(&results, &verdicts, &args);
    let types: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    assert!(types.len() > 8 && types.windows(2).all(|pair| pair[0] != pair[1]), "{text}");
    for line in [
        "rtmpcat_probe_up{url=\"rtmp://host/live/a\"} 1",
        "rtmpcat_probe_status{url=\"rtmp://a/\\\"b\\\\\"} 2",
        "rtmpcat_probe_phase_seconds{url=\"rtmp://host/live/a\",phase=\"first_keyframe\"} 0.4",
        "rtmpcat_track_frame_rate{url=\"rtmp://host/live/a\",track=\"video\",id=\"0\",codec=\"h263\"} 25",
    ] {
        assert!(text.lines().any(|have| have == line), "{line}\n{text}");
    }
}
