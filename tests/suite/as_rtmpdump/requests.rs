//! Arguments → what is asked of the server, read off the wire: of ours, and of the original where it is installed.
//!
//! `HERE` is the server's address and port. What is not written is not sent, or is the default (`flashVer`, buffer).

use super::*;
use crate::common::rtmp_bytes::{Amf, Msg};
use crate::common::script_server::{Heard, ScriptServer};
use std::fmt::Write;

/// What the original makes of a row.
enum Original {
    /// The same.
    Same,
    /// Something else, for a reason.
    Differs(&'static str, &'static str),
}
use Original::{Differs, Same};

type Row = (&'static [&'static str], &'static str, Original);

/// The splitting of URLs (and, at the end, what never worked).
const URLS: &[Row] = &[
    (&["-r", "rtmp://HERE/app/stream"], "app=app tcUrl=rtmp://HERE/app play=stream,0", Same),
    (&["-r", "rtmp://HERE/app/inst/stream"], "app=app/inst tcUrl=rtmp://HERE/app/inst play=stream,0", Same),
    (&["-r", "rtmp://HERE/app/inst/a/b"], "app=app/inst/a tcUrl=rtmp://HERE/app/inst/a play=b,0", Same),
    (&["-r", "rtmp://HERE/a/b/c/d/e"], "app=a/b/c tcUrl=rtmp://HERE/a/b/c play=d/e,0", Same),
    (&["-r", "rtmp://HERE/app/inst/x/a/b.mp4"], "app=app/inst/x tcUrl=rtmp://HERE/app/inst/x play=mp4:a/b,0", Same),
    (&["-r", "rtmp://HERE/ondemand/foo/bar.mp4"], "app=ondemand tcUrl=rtmp://HERE/ondemand play=mp4:foo/bar,0", Same),
    (
        &["-r", "rtmp://HERE/ondemand/mp4:foo/bar.mp4?x=1"],
        "app=ondemand tcUrl=rtmp://HERE/ondemand play=mp4:foo/bar.mp4?x=1,0",
        Same,
    ),
    (
        &["-r", "rtmp://HERE/app/foo?slist=bar/baz.mp4&z=1"],
        "app=app/foo?slist=bar/baz.mp4&z=1 tcUrl=rtmp://HERE/app/foo?slist=bar/baz.mp4&z=1 play=mp4:bar/baz,0",
        Same,
    ),
    (
        &["-r", "rtmp://HERE/app?auth=abc&slist=bar/baz.mp4"],
        "app=app?auth=abc&slist=bar/baz.mp4 tcUrl=rtmp://HERE/app?auth=abc&slist=bar/baz.mp4 play=mp4:bar/baz,0",
        Same,
    ),
    (&["-r", "rtmp://HERE/app/a.mp3"], "app=app tcUrl=rtmp://HERE/app play=mp3:a,0", Same),
    (&["-r", "rtmp://HERE/app/a.f4v"], "app=app tcUrl=rtmp://HERE/app play=mp4:a,0", Same),
    (&["-r", "rtmp://HERE/app/a.MP4"], "app=app tcUrl=rtmp://HERE/app play=a.MP4,0", Same),
    (&["-r", "rtmp://HERE/app/flv:a.flv"], "app=app tcUrl=rtmp://HERE/app play=flv:a,0", Same),
    (&["-r", "rtmp://HERE/app/a.m4v"], "app=app tcUrl=rtmp://HERE/app play=a.m4v,0", Same),
    (&["-r", "rtmp://HERE/app/mp4:a.mp4"], "app=app tcUrl=rtmp://HERE/app play=mp4:a.mp4,0", Same),
    (&["-r", "rtmp://HERE/app/a.mp4?t=1"], "app=app tcUrl=rtmp://HERE/app play=mp4:a?t=1,0", Same),
    (&["-r", "rtmp://HERE/app/a%20b.flv"], "app=app tcUrl=rtmp://HERE/app play=a b,0", Same),
    (&["-r", "rtmp://HERE/app/My Show"], "app=app tcUrl=rtmp://HERE/app play=My Show,0", Same),
    (&["-r", "rtmp://HERE/app//s"], "app=app/ tcUrl=rtmp://HERE/app/ play=s,0", Same),
    (&["-r", "rtmp://HERE/app"], "exit 1", Same),
    (&["-r", "rtmp://HERE/app/i/"], "exit 1", Same),
    (&["-r", "RTMP://HERE/app/s"], "app=app tcUrl=rtmp://HERE/app play=s,0", Same),
    (&["-r", "http://HERE/app/s"], "app=app tcUrl=rtmp://HERE/app play=s,0", Same),
    (&["-r", "HERE/app/s"], "exit 1", Same),
    (
        &["-r", "rtmp://HERE/app/a.mp4?t=1/2"],
        "app=app tcUrl=rtmp://HERE/app play=mp4:a?t=1/2,0",
        Differs(
            "app=app/a.mp4?t=1 tcUrl=rtmp://HERE/app/a.mp4?t=1 play=2,0",
            "a slash in the query is no part of the path",
        ),
    ),
    (
        &["-r", "rtmp://HERE/vod/mp4:dir/a.mp4"],
        "app=vod tcUrl=rtmp://HERE/vod play=mp4:dir/a.mp4,0",
        Differs("app=vod/mp4:dir tcUrl=rtmp://HERE/vod/mp4:dir play=mp4:a,0", "mp4: begins the stream's name"),
    ),
    (&["-r", "rtmp://HERE/app/?x=1/stream"], "app=app/?x=1 tcUrl=rtmp://HERE/app/?x=1 play=stream,0", Same),
    (&["-r", "rtmp://HERE/app/inst?x=1/stream"], "app=app/inst?x=1 tcUrl=rtmp://HERE/app/inst?x=1 play=stream,0", Same),
    (
        &["-i", "rtmp://HERE/edge/_definst_/?a/mp4:f"],
        "app=edge/_definst_/?a tcUrl=rtmp://HERE/edge/_definst_/?a play=mp4:f,0",
        Same,
    ),
    (&["-r", "rtmp://HERE/app/?x=1"], "app=app tcUrl=rtmp://HERE/app play=?x=1,0", Same),
    (
        &["-r", "rtmp://user:pw@HERE/app/s"],
        "app=app tcUrl=rtmp://HERE/app play=s,0",
        Differs("exit 3", "the original takes the user for the host"),
    ),
];

/// Options: each, over the URL's parts, and in getopt's manners.
const OPTIONS: &[Row] = &[
    (&["--rtmp", "rtmp://HERE/a/s"], "app=a tcUrl=rtmp://HERE/a play=s,0", Same),
    (&["-a", "x/y", "-r", "rtmp://HERE/a/s"], "app=x/y tcUrl=rtmp://HERE/x/y play=s,0", Same),
    (&["-r", "rtmp://HERE/a/s", "-y", "mp4:z.mp4"], "app=a tcUrl=rtmp://HERE/a play=mp4:z.mp4,0", Same),
    (&["-y", "a%20b", "-r", "rtmp://HERE/a"], "app=a tcUrl=rtmp://HERE/a play=a%20b,0", Same),
    (&["-r", "rtmp://HERE/a/s", "-t", "rtmp://other/x"], "app=a tcUrl=rtmp://other/x play=s,0", Same),
    (&["-n", "127.0.0.1", "-c", "PORT", "-a", "app", "-y", "s"], "app=app tcUrl=rtmp://HERE/app play=s,0", Same),
    (
        &["-r", "rtmp://nowhere.invalid:1/a/s", "-n", "127.0.0.1", "-c", "PORT"],
        "app=a tcUrl=rtmp://HERE/a play=s,0",
        Same,
    ),
    (&["-r", "rtmp://HERE/a/s", "-r", "rtmp://127.0.0.1:1/b/t"], "app=a tcUrl=rtmp://HERE/a play=s,0", Same),
    (
        &["-r", "rtmp://HERE/a/s", "-s", "http://x/p.swf", "-p", "http://x/", "-f", "WIN 9"],
        "app=a tcUrl=rtmp://HERE/a play=s,0 swfUrl=http://x/p.swf pageUrl=http://x/ flashVer=WIN 9",
        Same,
    ),
    (&["-r", "rtmp://HERE/a/s", "-v"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s", Same),
    (&["-r", "rtmp://HERE/a/s", "-v", "-d", "sub"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=sub", Same),
    (&["-r", "rtmp://HERE/a/s", "-d", "sub"], "app=a tcUrl=rtmp://HERE/a play=s,0 subscribe=sub", Same),
    (&["-r", "rtmp://HERE/a/s", "-Y"], "app=a tcUrl=rtmp://HERE/a play=s,0 playlist=s", Same),
    (&["-r", "rtmp://HERE/a/s", "-A", "2.5"], "app=a tcUrl=rtmp://HERE/a play=s,2500", Same),
    (&["-r", "rtmp://HERE/a/s", "-B", "10"], "app=a tcUrl=rtmp://HERE/a play=s,0,10000", Same),
    (&["-r", "rtmp://HERE/a/s", "-A", "2", "-B", "10.5"], "app=a tcUrl=rtmp://HERE/a play=s,2000,8500", Same),
    (&["-r", "rtmp://HERE/a/s", "-v", "-A", "2"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s", Same),
    (&["-r", "rtmp://HERE/a/s", "-v", "-B", "0.2"], "app=a tcUrl=rtmp://HERE/a play=s,-1000,200 subscribe=s", Same),
    (&["-r", "rtmp://HERE/a/s", "-b", "500"], "app=a tcUrl=rtmp://HERE/a play=s,0 buffer=500", Same),
    (&["-r", "rtmp://HERE/a/s", "-b", "-3"], "app=a tcUrl=rtmp://HERE/a play=s,0", Same),
    (&["-r", "rtmp://HERE/a/s", "-u", "secret"], "app=a tcUrl=rtmp://HERE/a play=s,0 extra=true 'secret'", Same),
    (
        &["-r", "rtmp://HERE/a/s", "-C", "B:1", "-C", "S:", "-u", "x", "-CN:1.5", "--conn=Z:", "--conn", "B:0"],
        "app=a tcUrl=rtmp://HERE/a play=s,0 extra=true 'x' true '' 1.5 null false",
        Same,
    ),
    (
        &[
            "-r",
            "rtmp://HERE/a/s",
            "-C",
            "S:connect",
            "-C",
            "O:1",
            "-C",
            "NS:pageUrl:http://x/",
            "-C",
            "NB:fpad:0",
            "-C",
            "NN:videoFunction:1",
            "-C",
            "NO:in:1",
            "-C",
            "NS:e:",
            "-C",
            "O:0",
            "-C",
            "O:0",
        ],
        "app=a tcUrl=rtmp://HERE/a play=s,0 \
         extra='connect' {pageUrl:'http://x/' fpad:false videoFunction:1 in:{e:''}}",
        Same,
    ),
    (&["-C", "X:1", "-r", "rtmp://HERE/a/s"], "exit 1", Same),
    (&["-C", "", "-r", "rtmp://HERE/a/s"], "exit 1", Same),
    (&["-C", "NS:a:b", "-r", "rtmp://HERE/a/s"], "exit 1", Same),
    (
        &["-C", "N:x", "-r", "rtmp://HERE/a/s"],
        "exit 1",
        Differs("app=a tcUrl=rtmp://HERE/a play=s,0 extra=0", "that is no number"),
    ),
    // getopt's manners
    (&["-vqr", "rtmp://HERE/a/s"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s", Same),
    (&["-vrrtmp://HERE/a/s"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s", Same),
    (&["--li", "--rtm=rtmp://HERE/a/s"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s", Same),
    (&["word", "-r", "rtmp://HERE/a/s", "another", "-Y"], "app=a tcUrl=rtmp://HERE/a play=s,0 playlist=s", Same),
    (&["-r", "rtmp://HERE/a/s", "--", "-v"], "app=a tcUrl=rtmp://HERE/a play=s,0", Same),
    (
        &["-a", "x", "-y", "n", "-a", "y", "-r", "rtmp://HERE/a/s", "-y", "m"],
        "app=y tcUrl=rtmp://HERE/y play=m,0",
        Same,
    ),
    (&["-f", "-v", "-r", "rtmp://HERE/a/s"], "app=a tcUrl=rtmp://HERE/a play=s,0 flashVer=-v", Same),
    (&["-f=x", "-r", "rtmp://HERE/a/s"], "app=a tcUrl=rtmp://HERE/a play=s,0 flashVer==x", Same),
    (&["--flashV=x=y", "-r", "rtmp://HERE/a/s"], "app=a tcUrl=rtmp://HERE/a play=s,0 flashVer=x=y", Same),
];

/// `-i`: librtmp's keys, and the options beside them, which the original forgets.
const KEYS: &[Row] = &[
    (&["-i", "rtmp://HERE/app/stream"], "app=app tcUrl=rtmp://HERE/app play=stream,0", Same),
    (&["-i", "rtmp://HERE/a/b/c.mp4"], "app=a/b tcUrl=rtmp://HERE/a/b play=mp4:c,0", Same),
    (&["-i", "rtmp://HERE/a/s playpath=x.mp4"], "app=a tcUrl=rtmp://HERE/a play=x.mp4,0", Same),
    (&["-i", "rtmp://HERE/a/s PLAYPATH=a\\20b\\5Cc\\22"], "app=a tcUrl=rtmp://HERE/a play=a b\\c\",0", Same),
    (&["-i", "rtmp://HERE/a/s live=1"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s", Same),
    (&["-i", "rtmp://HERE/a/s live=YES"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s", Same),
    (&["-i", "rtmp://HERE/a/s live=2"], "app=a tcUrl=rtmp://HERE/a play=s,0", Same),
    (&["-i", "rtmp://HERE/a/s live=1 subscribe=n"], "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=n", Same),
    (&["-i", "rtmp://HERE/a/s playlist=on"], "app=a tcUrl=rtmp://HERE/a play=s,0 playlist=s", Same),
    (
        &["-i", "rtmp://HERE/a/s swfUrl=http://x/p.swf pageUrl=http://x/ flashver=WIN\\209 tcUrl=rtmp://o/x"],
        "app=a tcUrl=rtmp://o/x play=s,0 swfUrl=http://x/p.swf pageUrl=http://x/ flashVer=WIN 9",
        Same,
    ),
    (
        &["-i", "rtmp://HERE/a/s conn=S:x conn=O:1 conn=NN:n:2 conn=O:0"],
        "app=a tcUrl=rtmp://HERE/a play=s,0 extra='x' {n:2}",
        Same,
    ),
    // Milliseconds, whatever librtmp's manual says.
    (&["-i", "rtmp://HERE/a/s start=2000 stop=5000"], "app=a tcUrl=rtmp://HERE/a play=s,2000,3000", Same),
    (
        &["-i", "rtmp://HERE/a/s  live=1"],
        "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s",
        Differs("exit 1", "two spaces are as good as one"),
    ),
    (&["-i", "rtmp://HERE/a/s stop=5000"], "app=a tcUrl=rtmp://HERE/a play=s,0,5000", Same),
    (
        &["-i", "rtmp://HERE/a/s buffer=700"],
        "app=a tcUrl=rtmp://HERE/a play=s,0 buffer=700",
        Differs("app=a tcUrl=rtmp://HERE/a play=s,0", "the program's own default takes the key's place"),
    ),
    (&["-i", "rtmp://HERE/a/s app=b word"], "app=b tcUrl=rtmp://HERE/b play=s,0", Same),
    (&["-i", "rtmp://HERE/a/s word app=no"], "exit 1", Same),
    (&["-i", "rtmp://HERE/a/s foo=1"], "exit 1", Same),
    (&["-i", "rtmp://HERE/a/s app=x\\2"], "exit 1", Same),
    (&["-i", "nonsense"], "exit 1", Same),
    (&["-i", "rtmp://HERE/a/s app=zz"], "app=zz tcUrl=rtmp://HERE/zz play=s,0", Same),
    // Options beside -i count.
    (
        &["-i", "rtmp://HERE/a/s", "-v"],
        "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s",
        Differs("app=a tcUrl=rtmp://HERE/a play=s,0", "-i ignores it"),
    ),
    (
        &["-i", "rtmp://HERE/a/s", "-a", "b", "-y", "t", "-s", "u", "-p", "v", "-f", "w", "-d", "d", "-u", "x"],
        "app=b tcUrl=rtmp://HERE/b play=t,0 swfUrl=u pageUrl=v flashVer=w subscribe=d extra=true 'x'",
        Differs("app=a tcUrl=rtmp://HERE/a play=s,0", "-i ignores all of them"),
    ),
    (
        &["-i", "rtmp://HERE/a/s", "-A", "2", "-B", "10"],
        "app=a tcUrl=rtmp://HERE/a play=s,2000,8000",
        Differs("app=a tcUrl=rtmp://HERE/a play=s,2000", "-i ignores --stop"),
    ),
    (
        &["-i", "rtmp://HERE/a/s", "-b", "500", "-Y", "-C", "S:x"],
        "app=a tcUrl=rtmp://HERE/a play=s,0 playlist=s buffer=500 extra='x'",
        Same,
    ),
    // Keys elsewhere than after -i: in the original they are part of the stream's name.
    (
        &["-r", "rtmp://HERE/a/s live=1 playpath=x\\20y"],
        "app=a tcUrl=rtmp://HERE/a play=x y,-1000 subscribe=x y",
        Differs("app=a tcUrl=rtmp://HERE/a play=s live=1 playpath=x\\20y,0", "keys are read in -r as well"),
    ),
    (&["-r", "rtmp://HERE/a/s foo=1"], "app=a tcUrl=rtmp://HERE/a play=s foo=1,0", Same),
];

#[test]
fn urls_are_split_as_by_rtmpdump() {
    check(URLS);
}

#[test]
fn options_mean_what_they_mean_to_rtmpdump() {
    check(OPTIONS);
}

#[test]
fn librtmps_keys_and_the_options_beside_them() {
    check(KEYS);
}

#[test]
fn under_its_own_name_the_same_options_mean_the_same() {
    for rows in [URLS, OPTIONS, KEYS] {
        for (args, expected, _) in rows {
            // Scheme, stray words and numbers: its own name is stricter. `-f=x` is `-f x` there, as for most programs.
            let is_strict =
                |arg: &&str| arg.starts_with("http://HERE") || arg.starts_with("-f=") || ["word", "--"].contains(arg);
            let is_odd_number = |pair: &[&str]| {
                ["-A", "-B", "-b", "-m", "-c", "-l", "-k", "-X", "-x"].contains(&pair[0])
                    && pair[1].parse::<u32>().is_err()
            };
            if args.iter().any(is_strict) || args.windows(2).any(is_odd_number) {
                continue;
            }
            assert_eq!(asked(rtmpcat, args), *expected, "{args:?}");
        }
    }
    for args in [&["rtmp://HERE/a/s"][..], &["-Yv", "rtmp://HERE/a/s"], &["rtmp://HERE/a/s live=1", "-Y"]] {
        let expected = match args {
            [_] => "app=a tcUrl=rtmp://HERE/a play=s,0",
            _ => "app=a tcUrl=rtmp://HERE/a play=s,-1000 subscribe=s playlist=s",
        };
        assert_eq!(asked(rtmpcat, args), expected, "{args:?}");
    }
    assert_eq!(asked(rtmpcat, &["http://HERE/a/s"]), "exit 1");
    assert_eq!(asked(rtmpcat, &["rtmp://HERE/a/s", "rtmp://HERE/a/t"]), "exit 1");
}

#[track_caller]
fn check(rows: &[Row]) {
    let compare = have(&["rtmpdump"]);
    let mut wrong = Vec::new();
    for (args, expected, original) in rows {
        let got = asked(as_rtmpdump, args);
        if got != *expected {
            wrong.push(format!("{args:?}\n     got {got}\nexpected {expected}"));
        }
        if compare {
            let theirs = asked(|| Command::new("rtmpdump"), args);
            let (known, why) = match original {
                Same => (expected, "it is said to be the same"),
                Differs(known, why) => (known, *why),
            };
            if theirs != *known {
                wrong.push(format!("{args:?}\noriginal {theirs}\nexpected {known} ({why})"));
            }
            if let Differs(known, _) = original {
                assert_ne!(known, expected, "{args:?}: no difference");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a program asks a server for, or its exit code if it asks for nothing.
fn asked(program: impl Fn() -> Command, args: &[&str]) -> String {
    let server = ScriptServer::start(|peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        peer.send(&Msg::status(1, "error", "NetStream.Play.StreamNotFound", ""))?;
        peer.wait_closed()
    });
    let here = format!("127.0.0.1:{}", server.port);
    let args = args.iter().map(|arg| arg.replace("HERE", &here).replace("PORT", &server.port.to_string()));
    // Before the arguments: a `--` among them ends the options.
    let finished = run(program().args(["-o", "/dev/null", "-m", "10"]).args(args), PATIENCE);
    if server.connections() == 0 {
        return format!("exit {}", finished.code.unwrap_or(-1));
    }
    assert_eq!(finished.code, Some(1), "the stream was not found; {}", finished.stderr);
    rendered(&server.all_heard()).replace(&here, "HERE")
}

fn rendered(heard: &Heard) -> String {
    let connect = heard.call("connect");
    let property = |name| connect.args[0].get(name).and_then(Amf::text);
    let mut text = String::new();
    for name in ["app", "tcUrl"] {
        let _ = write!(text, "{name}={} ", property(name).unwrap_or("(none)"));
    }
    let play = heard.call("play");
    let values: Vec<String> = play.args[1..].iter().map(|value| shown(value).replace('\'', "")).collect();
    let _ = write!(text, "play={}", values.join(","));
    for name in ["swfUrl", "pageUrl", "flashVer"] {
        if let Some(value) = property(name).filter(|value| *value != "LNX 10,0,32,18") {
            let _ = write!(text, " {name}={value}");
        }
    }
    for (name, word) in [("FCSubscribe", "subscribe"), ("set_playlist", "playlist")] {
        if let Some(call) = heard.calls().iter().find(|call| call.name == name) {
            let value = call.args[1].get("0").unwrap_or(&call.args[1]);
            let _ = write!(text, " {word}={}", value.text().unwrap_or("?"));
        }
    }
    let buffers = heard.user_control().into_iter().filter(|(event, _)| *event == 3).map(|(_, data)| data);
    for data in buffers.filter(|data| data[..4] == [0, 0, 0, 1]) {
        let milliseconds = u32::from_be_bytes([data[4], data[5], data[6], data[7]]);
        if milliseconds != 36_000_000 {
            let _ = write!(text, " buffer={milliseconds}");
        }
    }
    if connect.args.len() > 1 {
        let extra: Vec<String> = connect.args[1..].iter().map(shown).collect();
        let _ = write!(text, " extra={}", extra.join(" "));
    }
    text
}

fn shown(value: &Amf) -> String {
    match value {
        Amf::Num(number) => number.to_string(),
        Amf::Bool(truth) => truth.to_string(),
        Amf::Str(text) => format!("'{text}'"),
        Amf::Null => "null".to_string(),
        Amf::Obj(properties) => {
            let inside: Vec<String> =
                properties.iter().map(|(name, value)| format!("{name}:{}", shown(value))).collect();
            format!("{{{}}}", inside.join(" "))
        }
        other => format!("{other:?}"),
    }
}
