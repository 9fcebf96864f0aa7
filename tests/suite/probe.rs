//! `rtmpcat probe`: what it tells of servers that are well, slow, silent, closed or not there, in each format.

use crate::common::media::Media;
use crate::common::script_server::{Peer, ScriptServer, clip};
use crate::common::{Finished, PATIENCE, Running, rtmpcat_with, run};
use crate::docs::man::expect_fields;
use rtmpcat::proto::server::{AccessPolicy, ServerOptions};
use rtmpcat::serve::{ServeOptions, Server};
use serde_json::Value;

fn serve(options: ServeOptions) -> (Server, String) {
    let server = Server::start(options).unwrap();
    let url = server.url();
    (server, url)
}

fn file_server() -> (Server, String) {
    serve(ServeOptions { paths: vec![Media::BFrames.path()], ..ServeOptions::default() })
}

#[track_caller]
fn probe(args: &[&str]) -> Finished {
    run(&mut rtmpcat_with(["probe"].iter().chain(args)), PATIENCE)
}

#[track_caller]
fn json(args: &[&str]) -> (Finished, Value) {
    let finished = probe(&[&["--format", "json"], args].concat());
    let value = serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.out()));
    expect_fields(&["rtmpcat-probe.1", "rtmpcat-inspect.1"], &value, &["metadata", "color_info", "capabilities"]);
    (finished, value)
}

#[test]
fn a_stream_is_told_in_full() {
    let (_server, url) = file_server();
    let (finished, told) = json(&[&url]);
    finished.expect_code(0);
    assert_eq!((&told["status"], &told["error"], &told["end"]), (&"ok".into(), &Value::Null, &"complete".into()));
    assert_eq!((&told["handshake"]["kind"], &told["handshake"]["s2_matched"]), (&"plain".into(), &true.into()));
    assert_eq!(told["server"]["version"], "FMS/3,5,7,7009");
    assert_eq!(told["tls"], Value::Null);
    let codes: Vec<_> =
        told["statuses"].as_array().unwrap().iter().map(|status| status["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["NetStream.Play.Reset", "NetStream.Play.Start"]);
    let [video, audio] = told["stream"]["tracks"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&video["codec"], &video["profile"], &video["width"]), (&"h264".into(), &"High".into(), &320.into()));
    assert_eq!((&video["frame_rate"], &video["gop"]["max_ms"]), (&25.0.into(), &2000.into()));
    assert_eq!((&audio["codec"], &audio["sample_rate_hz"]), (&"aac".into(), &44100.into()));
    assert_eq!(told["metadata"]["height"], 180);
    assert_eq!(told["findings"], serde_json::json!([]));
    // The steps come one after the other.
    let timing = |name: &str| told["timing_ms"][name].as_f64().unwrap_or_else(|| panic!("{name}: {told}"));
    let steps = ["tcp", "opened", "handshake", "connect", "create_stream", "play", "first_keyframe"].map(timing);
    assert!(steps.is_sorted(), "{steps:?}");
    assert!(timing("metadata") <= timing("first_video") && timing("first_audio") > timing("play"));
}

#[test]
fn text_and_the_table() {
    let (_server, url) = file_server();
    let text = probe(&[&url]).expect_code(0).out();
    for part in [
        "/vod/bframes",
        ": OK\n",
        "  handshake  plain\n",
        "  statuses   NetStream.Play.Reset NetStream.Play.Start\n",
        "H.264 High 1.2, 320x180, 25 fps",
        "keyframe every 2 s",
        "AAC LC, 44100 Hz, mono",
    ] {
        assert!(text.contains(part), "{part:?}\n{text}");
    }
    let table = probe(&[&url, "rtmp://127.0.0.1:1/live/x"]).expect_code(2).out();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("URL ") && lines[1].contains(" OK ") && lines[2].contains(" CRITICAL "), "{table}");
    assert!(lines[1].contains("h264 320x180 25 fps") && lines[1].contains("aac 44100 Hz"), "{table}");
    assert!(
        lines[3].starts_with("rtmp://127.0.0.1:1/live/x: CRITICAL: cannot connect to 127.0.0.1:1: connection refused"),
        "{table}"
    );
}

#[test]
fn limits_decide_on_the_exit_code() {
    let (_server, url) = file_server();
    let nagios = |args: &[&str], code| probe(&[&["--format", "nagios", &url], args].concat()).expect_code(code).out();
    let line =
        nagios(&["--require", "video=h264", "--require", "audio=aac", "--max-gop", "2", "--max-first-frame", "20"], 0);
    assert!(line.starts_with("RTMP OK - video h264 320x180 25 fps, audio aac 44100 Hz | first_frame=0."), "{line}");
    assert!(line.contains("s;;20 ") && line.contains(" gop=2s;;2 ") && line.ends_with('\n'), "{line}");
    assert!(nagios(&["--max-gop", "1.5:4"], 1).starts_with("RTMP WARNING - keyframe interval 2 s is above 1.5"));
    assert!(nagios(&["--require", "video=av1"], 2).starts_with("RTMP CRITICAL - video is h264, not av1"));
    assert!(nagios(&["--min-bitrate", "50M"], 2).contains("is below 50000000"));
}

#[test]
fn what_is_wrong_with_a_server_is_critical_and_with_the_options_unknown() {
    assert!(
        probe(&["--format", "nagios", "rtmp://127.0.0.1:1/a/b"])
            .expect_code(2)
            .out()
            .starts_with("RTMP CRITICAL - cannot connect to 127.0.0.1:1: connection refused")
    );
    probe(&[]).expect_code(3).expect_stderr("<URL>");
    probe(&["--max-gop", "x", "rtmp://h/a/b"]).expect_code(3).expect_stderr("not a limit");
    assert!(probe(&["rtmp://host-alone"]).expect_code(3).out().contains("UNKNOWN: You must specify a playpath"));
    let (_server, url) = file_server();
    let (finished, told) = json(&[&url.replace("bframes", "other")]);
    finished.expect_code(2);
    assert!(told["error"].as_str().unwrap().starts_with("NetStream.Play.StreamNotFound"), "{told}");
    assert_eq!((&told["end"], &told["stream"]), (&"error".into(), &Value::Null));
    let rejected = ("NetConnection.Connect.Rejected".into(), "not today".to_owned());
    let gate = AccessPolicy { reject: Some(rejected), ..AccessPolicy::default() };
    let (_server, url) = serve(ServeOptions {
        session: ServerOptions { access: gate, ..ServerOptions::default() },
        ..ServeOptions::default()
    });
    let (finished, told) = json(&[&url]);
    finished.expect_code(2);
    assert_eq!(told["error"], "NetConnection.Connect.Rejected: not today");
}

#[test]
fn a_server_that_plays_nothing_is_critical() {
    let server = ScriptServer::start(|peer: &mut Peer| {
        peer.begin()?;
        peer.wait_closed()
    });
    let (finished, told) = json(&["--first-media-timeout", "0.5", &server.url("stream")]);
    finished.expect_code(2);
    assert_eq!(told["error"], "the server plays, but no media came within 0.5 s");
    assert!(told["timing_ms"]["play"].is_number() && told["timing_ms"]["first_video"].is_null(), "{told}");
}

#[test]
fn a_stream_that_ends_is_judged_by_what_there_was() {
    let server = ScriptServer::start(|peer: &mut Peer| peer.plays(&clip(10)));
    let (finished, told) = json(&[&server.url("stream")]);
    finished.expect_code(0);
    assert_eq!((&told["end"], &told["stream"]["tracks"][0]["frames"]), (&"ended".into(), &10.into()));
    assert!(told["stream_length_s"].is_null() || told["stream_length_s"].is_number());
}

#[test]
fn redirects_are_followed_and_told() {
    let (_server, target) = file_server();
    let gate = AccessPolicy { redirect: Some(target.clone()), ..AccessPolicy::default() };
    let (_door, url) = serve(ServeOptions {
        session: ServerOptions { access: gate, ..ServerOptions::default() },
        ..ServeOptions::default()
    });
    let (finished, told) = json(&[&url]);
    finished.expect_code(0);
    assert_eq!(told["redirects"].as_array().map(Vec::len), Some(1), "{told}");
    let (finished, told) = json(&["--no-redirect", &url]);
    finished.expect_code(2);
    assert_eq!(told["redirects"], serde_json::json!([]));
}

/// As crtmpserver does: at 0 or later it looks for a file.
#[test]
fn a_live_stream_is_found_without_being_called_live() {
    let server = ScriptServer::start(|peer: &mut Peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        let call = peer.wait_call("play")?;
        if call.args[2].num() >= Some(0.0) {
            peer.status("error", "NetStream.Play.StreamNotFound")?;
            return peer.wait_closed();
        }
        peer.status("status", "NetStream.Play.Start")?;
        peer.media(&clip(50))?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    let url = server.url("stream");
    probe(&[&url]).expect_code(0);
    probe(&["--live", &url]).expect_code(0);
    probe(&["--start", "0", &url]).expect_code(2);
}

#[test]
fn quiet_prints_nothing() {
    let (_server, url) = file_server();
    for (args, code) in [(vec![url.as_str()], 0), (vec!["--require", "video=av1", "--format", "json", &url], 2)] {
        let finished = probe(&[&["-q"], &args[..]].concat());
        finished.expect_code(code);
        assert_eq!((finished.out().as_str(), finished.stderr.as_str()), ("", ""));
    }
}

#[test]
fn a_given_time_is_kept() {
    let (_server, url) = serve(ServeOptions::default());
    let (finished, told) = json(&["--time", "0.4", &url]);
    finished.expect_code(0);
    assert_eq!(told["end"], "time");
    let watched = told["stream"]["duration_ms"].as_i64().unwrap();
    assert!((200..3000).contains(&watched), "{watched}");
}

#[test]
fn a_view_that_is_no_terminal_is_a_line_each_second() {
    let (_server, url) = serve(ServeOptions::default());
    let finished = probe(&["--watch", "--time", "2.5", &url]);
    finished.expect_code(0);
    let lines: Vec<&str> = finished.stderr.lines().filter(|line| line.contains(" fps")).collect();
    assert!((2..=4).contains(&lines.len()), "{}", finished.stderr);
    let last = lines[lines.len() - 1];
    assert!(last.contains("bit/s · 25 fps") && last.contains(" · video - audio "), "{last}");
    assert!(finished.out().contains(": OK\n") && finished.out().contains("watched (time)"), "{}", finished.out());
    assert!(!finished.stderr.contains('\x1b'), "{}", finished.stderr);
    probe(&["--watch", &url, &url]).expect_code(3).expect_stderr("one URL");
}

#[cfg(unix)]
#[test]
fn an_interruption_ends_the_view_and_what_there_was_is_judged() {
    let (_server, url) = serve(ServeOptions::default());
    for (limit, code) in [("video", 0), ("video=av1", 2)] {
        let running = Running::start(&mut rtmpcat_with(["probe", "--watch", "--require", limit, &url]));
        running.wait_stderr(" fps");
        running.signal("INT");
        let finished = running.finish(PATIENCE);
        finished.expect_code(code);
        assert!(finished.out().contains("watched (interrupted)"), "{}", finished.out());
        assert_eq!(finished.stderr.contains(", not av1"), code == 2, "{}", finished.stderr);
    }
}

#[test]
fn a_page_is_written_beside_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.html");
    let page = path.to_str().unwrap();
    let (_server, url) = serve(ServeOptions::default());
    let (finished, told) = json(&["--time", "2.2", "--report", page, "--max-gop", "0.01", &url]);
    finished.expect_code(2);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(told["problems"][0]["text"].as_str().unwrap()), "{text}");
    assert!(text.ends_with("</html>\n") && text.matches("<svg ").count() == 3 && text.contains("<polyline "), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // A server that is not there has a page, too.
    probe(&["--report", page, "rtmp://127.0.0.1:1/live/x"]).expect_code(2);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("CRITICAL") && !text.contains("<svg "), "{text}");
    let nowhere = folder.path().join("none/out.html");
    probe(&["--report", nowhere.to_str().unwrap(), &url]).expect_code(3).expect_stderr("no such directory");
}

#[test]
fn tls_is_told() {
    use rtmpcat::serve::Listen;
    use rtmpcat::transport::ServerTlsOptions;
    let address = "127.0.0.1:0".parse().unwrap();
    let listen = vec![Listen::tls(address, ServerTlsOptions::default())];
    let (_server, url) = serve(ServeOptions { listen, ..ServeOptions::default() });
    assert!(url.starts_with("rtmps:"), "{url}");
    let (finished, told) = json(&["--insecure", "--time", "0.1", &url]);
    finished.expect_code(0);
    assert!(told["tls"].as_str().unwrap().starts_with("TLSv1.3 TLS13_"), "{told}");
    assert!(told["timing_ms"]["tls"].as_f64().unwrap() > 0.0);
    let certificate = &told["certificate"];
    assert!(certificate["subject"].as_str().unwrap().starts_with("CN="), "{told}");
    let days = certificate["days_left"].as_f64().unwrap();
    assert!(days > 1.0 && certificate["not_after"].as_str().unwrap().ends_with('Z'), "{told}");
    for (limit, code) in [(days - 1.0, 0), (days + 1.0, 2)] {
        let limit = limit.to_string();
        probe(&["--insecure", "--time", "0.1", "--min-cert-days", &limit, &url]).expect_code(code);
    }
    let (finished, told) = json(&[&url]);
    finished.expect_code(2);
    assert!(told["error"].as_str().unwrap().contains("certificate"), "{told}");
}

/// Text that wants to be a terminal's, a page's, Nagios' or Prometheus' own.
const EVIL: &str =
    "\x1b]0;x\x07\x1b[2J<script>alert(1)</script>\" onload='x' | gop=0;;\nrtmpcat_probe_up 1\r\u{202e}\\";

#[test]
fn what_a_server_makes_up_stays_text_in_every_format() {
    use crate::common::flvcmp::{AUDIO, SCRIPT, Tag, VIDEO};
    use crate::common::rtmp_bytes::{Amf, Msg, amf};
    let server = ScriptServer::start(|peer: &mut Peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        let properties =
            Amf::obj(&[("fmsVer", EVIL.into()), ("fourCcList", Amf::Array(vec![EVIL.into()])), (EVIL, EVIL.into())]);
        let data = Amf::obj(&[
            ("code", "NetConnection.Connect.Success".into()),
            ("level", EVIL.into()),
            ("data", Amf::ecma(&[("version", EVIL.into())])),
        ]);
        peer.answer("_result", &call, properties, data)?;
        peer.accept_create_stream(1)?;
        peer.accept_play()?;
        peer.send(&Msg::status(1, EVIL, EVIL, EVIL))?;
        let odd = [
            ("width", f64::NAN.into()),
            ("height", f64::INFINITY.into()),
            ("framerate", (-1e308).into()),
            ("duration", f64::NEG_INFINITY.into()),
            ("keyframes", Amf::obj(&[("filepositions", Amf::Array(vec![Amf::Null; 5000])), ("times", EVIL.into())])),
            (EVIL, EVIL.into()),
        ];
        let mut tags = vec![Tag::new(SCRIPT, 0, amf(&["onMetaData".into(), Amf::ecma(&odd)]))];
        // A codec with such a name, one after the other; no time goes by, and then all of it, and back.
        for (at, name) in [b"\x1b[2J", b"<b>|", b"\"\n|\\", b"'\r\x07\xff"].into_iter().cycle().take(40).enumerate() {
            let time = [0, 0, 0xffff_ffff, 1, 0x7fff_ffff][at % 5];
            tags.push(Tag::new(VIDEO, time, [b"\x91", &name[..], b"\0\0\0\x01"].concat()));
            tags.push(Tag::new(AUDIO, time, [b"\x91", &name[..], b"\0\0\0\x01"].concat()));
            // As many tracks as there are.
            tags.push(Tag::new(VIDEO, time, [&[0x96, 0x01], &name[..], &[at as u8 * 6, 1]].concat()));
        }
        peer.media(&tags)?;
        peer.end_of_file()?;
        peer.wait_closed()
    });
    let url = server.url("stream");
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("x.html");
    let told = |args: &[&str]| {
        let finished = run(&mut rtmpcat_with(["probe", &url].iter().chain(args)), PATIENCE);
        assert!(matches!(finished.code, Some(0 | 2)), "{finished:?}");
        let (out, err) = (finished.out(), &finished.stderr);
        for c in ['\x1b', '\x07', '\r', '\u{202e}'] {
            assert!(!err.contains(c) && (!out.contains(c) || args.contains(&"json")), "{c:?} in {err}{out}");
        }
        assert!(!err.contains("panic"), "{err}");
        out
    };
    told(&[]);
    told(&["--watch", "--time", "1"]);
    let value: Value = serde_json::from_str(&told(&["--format", "json"])).unwrap();
    assert_eq!(value["server"]["version"], EVIL);
    assert_eq!(value["metadata"]["width"]["$number"], "NaN");
    assert!(value["stream"]["duration_ms"].is_i64() && value["findings"].as_array().unwrap().len() < 20, "{value}");
    let line = told(&["--format", "nagios", "--require", "video=x|y", "--max-gop", "1:2"]);
    assert_eq!((line.matches('|').count(), line.lines().count()), (1, 1), "{line}");
    let metrics = told(&["--format", "prometheus", &url]);
    for line in metrics.lines() {
        let of_ours =
            line.starts_with("# ") || line.starts_with("rtmpcat_") && line.contains("{url=\"rtmp://127.0.0.1:");
        assert!(of_ours, "{line}");
        // Outside of quoted values nothing but names; and each is closed.
        let (mut is_quoted, mut characters) = (false, line.chars());
        while let Some(c) = characters.next() {
            match c {
                '\\' if is_quoted => drop(characters.next()),
                '"' => is_quoted = !is_quoted,
                _ => {}
            }
        }
        assert!(!is_quoted, "{line}");
    }
    told(&["--report", page.to_str().unwrap(), "--time", "1"]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script") && !page.contains("<b>|"), "{page}");
    assert!(!page.contains("onload='") && !page.contains('\x1b') && !page.contains("NaN\""), "{page}");
}
