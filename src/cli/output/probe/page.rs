//! The report as a page: facts, findings and plots in one HTML file that needs nothing else.
//!
//! Well-formed as XML is, but for the doctype. All that a server sent goes through [`html`]; the page allows itself neither scripts
//! nor anything from elsewhere.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use crate::cli::report::{bits, metadata, offset_line, short, track_line};
use crate::inspect::series::Timeline;
use crate::probe::{ProbeResult, Verdict};
use crate::util::replace::replace;
use crate::util::text::printable;

use super::plot::Plot;
use super::text::facts;

/// A page about all results, made at `now`.
pub fn render(results: &[ProbeResult], verdicts: &[Verdict], now: jiff::Timestamp) -> String {
    let title = match results {
        [result] => html(&result.url),
        results => format!("{} streams", results.len()),
    };
    let mut out = format!("{HEAD}<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n");
    for (result, verdict) in results.iter().zip(verdicts) {
        section(&mut out, result, verdict);
    }
    let (version, now) = (env!("CARGO_PKG_VERSION"), now.strftime("%Y-%m-%d %H:%M UTC"));
    let _ = writeln!(out, "<footer>rtmpcat {version}, {now}</footer>\n</body>\n</html>");
    out
}

fn section(out: &mut String, result: &ProbeResult, verdict: &Verdict) {
    let status = verdict.status.name();
    let class = status.to_ascii_lowercase();
    let _ = writeln!(out, "<section>\n<h1><span class=\"status {class}\">{status}</span> {}</h1>", html(&result.url));
    if !verdict.problems.is_empty() {
        out.push_str("<ul>\n");
        for problem in &verdict.problems {
            let _ = writeln!(out, "<li>{}: {}</li>", problem.status.name(), html(&problem.text));
        }
        out.push_str("</ul>\n");
    }
    if let Some(timeline) = &result.timeline {
        plots(out, timeline);
    }
    out.push_str("<h2>Facts</h2>\n<table>\n");
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "<tr><th>{}</th><td>{}</td></tr>", html(name), html(value));
    };
    for (name, value) in facts(result) {
        row(name, &value);
    }
    if let Some(report) = &result.report {
        for track in &report.tracks {
            row(&format!("{} {}", track.kind, track.id), &track_line(track));
        }
        if let Some(offset) = &report.av_offset_ms {
            row("offset", &offset_line(offset));
        }
    }
    out.push_str("</table>\n");
    if !result.findings.is_empty() {
        out.push_str(
            "<h2>Findings</h2>\n<table>\n<tr><th>severity</th><th>code</th><th>times</th><th>first</th></tr>\n",
        );
        for found in &result.findings {
            let (severity, code, count, text) = (found.severity, found.code, found.count, html(&found.text));
            let _ = writeln!(out, "<tr><td>{severity}</td><td>{code}</td><td>{count}</td><td>{text}</td></tr>");
        }
        out.push_str("</table>\n");
    }
    if !result.statuses.is_empty() {
        out.push_str(
            "<h2>What the server said</h2>\n<table>\n<tr><th>level</th><th>code</th><th>description</th></tr>\n",
        );
        for status in &result.statuses {
            let [level, code, words] =
                [status.level.as_str(), status.code.as_str(), status.description.as_str()].map(html);
            let _ = writeln!(out, "<tr><td>{level}</td><td>{code}</td><td>{words}</td></tr>");
        }
        out.push_str("</table>\n");
    }
    if let Some(properties) = metadata(result.metadata.as_ref()).as_object().filter(|object| !object.is_empty()) {
        out.push_str("<h2>Metadata</h2>\n<table>\n");
        for (name, value) in properties.iter().take(MAX_PROPERTIES) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(out, "<tr><th>{}</th><td>{}</td></tr>", html(name), html(&value));
        }
        out.push_str("</table>\n");
    }
    out.push_str("</section>\n");
}

fn plots(out: &mut String, timeline: &Timeline) {
    out.push_str(
        "<h2>Over time</h2>\n<p class=\"none\">Lines are means; bands go from the lowest value to the highest.</p>\n",
    );
    let length_ms = timeline.length_ms() as f64;
    let lanes = || {
        timeline.lanes().iter().enumerate().map(|(colour, lane)| (format!("{} {}", lane.kind, lane.id), colour, lane))
    };
    let rates = lanes().map(|(name, colour, lane)| (name, colour, timeline.bit_rate(lane).collect())).collect();
    let intervals = lanes().map(|(name, colour, lane)| (name, colour, lane.intervals().points().collect())).collect();
    let offsets = vec![(String::new(), 0, timeline.offsets().points().collect())];
    let ms = |number: f64| format!("{} ms", short(number));
    for plot in [
        Plot { title: "Bit rate", length_ms, number: |bps| bits(bps.max(0.0).round() as u64), lines: rates },
        Plot { title: "Time from frame to frame", length_ms, number: ms, lines: intervals },
        Plot { title: "A/V offset (video less audio)", length_ms, number: ms, lines: offsets },
    ] {
        out.push_str(&plot.svg());
    }
}

/// Text as HTML and XML have it, without control characters and characters that turn the direction of writing.
fn html(text: &str) -> String {
    let mut out = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Writes a page: beside its place first, so that there is the old one or the new one, never a half.
///
/// # Errors
///
/// If it cannot be written or put in place; then nothing is left behind.
pub fn put(path: &Path, page: &str) -> io::Result<()> {
    match fs::metadata(path) {
        // A pipe or a device is written to, not replaced.
        Ok(there) if !there.is_file() => fs::write(path, page),
        _ => replace(path, page.as_bytes()),
    }
}

const HEAD: &str = "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\"/>
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>
<meta name=\"color-scheme\" content=\"light dark\"/>
";

const STYLE: &str = "
:root { --paper: #fff; --ink: #1b1f24; --faint: #667; --rule: #dde1e6; --ok: #1a7f37; --warning: #9a6700; --critical: #cf222e;
 --c0: #0a64c8; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce; --c4: #be185d; --c5: #0e7490; --c6: #a16207; --c7: #4b5563; }
@media (prefers-color-scheme: dark) {
 :root { --paper: #14171b; --ink: #e4e7ea; --faint: #9aa3ad; --rule: #31373e; --ok: #3fb950; --warning: #d29922; --critical: #f85149;
 --c0: #6cb0ff; --c1: #ff9d5c; --c2: #5fd584; --c3: #c792ff; --c4: #ff86b8; --c5: #5cd2e6; --c6: #e3bd4f; --c7: #b3bac2; }
}
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.25rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; } h3 { font-size: .95rem; margin: 1rem 0 .2rem; }
.status { color: var(--paper); background: var(--faint); padding: .1rem .5rem; border-radius: .3rem; font-size: .9rem; }
.ok { background: var(--ok); } .warning { background: var(--warning); } .critical { background: var(--critical); }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-top: 1px solid var(--rule); overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; color: var(--faint); width: 1%; padding-right: 1.2rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--faint); font-size: 12px; }
.grid { stroke: var(--rule); } .zero { stroke: var(--faint); }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
.line { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; }
.line.c1, .line.c3, .line.c5, .line.c7 { stroke-dasharray: 6 3; } .dot { fill: currentColor; } .band { fill: currentColor; opacity: .25; }
.legend { margin: 0 0 0 90px; font-size: .85rem; } .none, footer { color: var(--faint); font-size: .85rem; } footer { margin-top: 2rem; }
section + section { margin-top: 3rem; border-top: 2px solid var(--rule); }
";

/// Properties of metadata that are shown.
const MAX_PROPERTIES: usize = 200;

#[cfg(test)]
mod tests {
    use super::super::tests::{args, judge, seen};
    use super::*;
    use crate::inspect::{Analyser, Severity};
    use crate::probe::Found;
    use crate::proto::amf0::{Object, Value};
    use crate::proto::command::NetStatus;
    use crate::proto::message::message_type::{AUDIO, VIDEO};

    /// Four seconds at 25 frames in a second, of a thousand bytes each; audio 20 ms behind.
    fn watched() -> ProbeResult {
        let mut analyser = Analyser::with_timeline();
        for i in 0..=100 {
            analyser.observe(VIDEO, 7000 + i * 40, &[if i % 25 == 0 { 0x12 } else { 0x22 }; 1001], None);
            analyser.observe(AUDIO, 6980 + i * 40, &[0x2e; 51], None);
        }
        ProbeResult { report: Some(analyser.report()), timeline: analyser.timeline().cloned(), ..seen() }
    }

    fn page_of(results: &[ProbeResult]) -> String {
        let verdicts: Vec<Verdict> = results.iter().map(|result| judge(result, &args(&["u"]))).collect();
        render(results, &verdicts, jiff::Timestamp::UNIX_EPOCH)
    }

    /// Every element is closed in its turn, attributes are quoted, and there is no bare `<` or `&`.
    #[track_caller]
    fn well_formed(page: &str) {
        let body = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
        let mut open = Vec::new();
        for part in body.split('<').skip(1) {
            let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("no end: <{part}"));
            assert!(!text.contains('>') || text.contains('{'), "a bare >: {text}");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "before {text:?}");
            } else {
                assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
                let name = tag.split([' ', '/']).next().unwrap();
                assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "<{tag}>");
                if !tag.ends_with('/') {
                    open.push(name);
                }
            }
            for entity in text.split('&').skip(1) {
                let name = entity.split_once(';').expect("an entity ends").0;
                assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "&{name};");
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    #[should_panic(expected = "before")]
    fn the_check_of_form_finds_faults() {
        well_formed("<!DOCTYPE html>\n<p><b>x</p></b>");
    }

    #[test]
    fn a_page_has_facts_and_the_plots_points() {
        let page = page_of(&[watched()]);
        well_formed(&page);
        for part in [
            // 200 kbit/s in each of four seconds: the highest line of the grid.
            "<polyline class=\"line c0\" points=\"190.0,10.0 390.0,10.0 590.0,10.0 790.0,10.0\"/>",
            ">200 kbit/s</text>",
            ">40 ms</text>",
            "A/V offset",
            "<tr><th>video 0</th><td>Sorenson H.263, 25 fps, 200 kbit/s",
            "<tr><th>offset</th><td>+20 ms at the start",
            "1970-01-01",
            "prefers-color-scheme: dark",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        for part in ["<script", "http://", "https://", "url(", "@import", "src="] {
            assert!(!page.contains(part), "{part} comes from elsewhere");
        }
    }

    #[test]
    fn what_a_server_sends_is_text() {
        const EVIL: &str = "</td><script>alert('1')</script>&\"\u{202e}\x1b[31m";
        let mut result = watched();
        let evil = || EVIL.to_owned();
        result.statuses = vec![NetStatus {
            level: evil(),
            code: evil().as_str().into(),
            description: evil(),
            ..NetStatus::default()
        }];
        result.metadata = Some(Object::default().with(EVIL, Value::String(evil())));
        result.findings = vec![Found { code: "x", severity: Severity::Error, text: evil(), count: 2 }];
        result.url = evil();
        result.redirects = vec![evil()];
        result.error = Some(evil());
        result.tls = Some(evil());
        let report = result.report.as_mut().unwrap();
        report.tracks[0].codec_name = evil();
        report.tracks[0].profile = Some(evil());
        let page = page_of(&[result, ProbeResult::default()]);
        well_formed(&page);
        assert!(!page.contains("<script") && !page.contains('\x1b') && !page.contains('\u{202e}'), "{page}");
        assert!(page.matches("&lt;script&gt;alert(&#39;1&#39;)").count() >= 10, "{page}");
    }

    #[test]
    fn a_page_is_put_in_place_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let path = folder.path().join("out.html");
        put(&path, "one").unwrap();
        put(&path, "two").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names().len()), ("two", 1));
        #[cfg(unix)]
        {
            let link = folder.path().join("link.html");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            put(&link, "three").unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(&path).unwrap(), "three");
        }
        assert!(put(&folder.path().join("none/out.html"), "x").is_err());
        assert!(put(folder.path(), "x").is_err(), "a folder is no page");
        assert!(names().len() <= 2, "nothing is left behind");
    }
}
