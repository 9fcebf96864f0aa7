//! What is said while a stream is saved: to the byte what the original says, where both come to the same.

use super::*;
use crate::common::Running;
use crate::common::flvcmp::{Flv, Tag};
use crate::common::rtmp_bytes::{Amf, Msg};
use crate::common::script_server::{Peer, ScriptServer, clip_with, connect_properties};
use std::io::Result;
use std::time::Duration;

/// A file of 250 frames whose metadata is content with what comes.
fn whole() -> Vec<Tag> {
    clip_with(250, Some(9.96))
}

fn play_whole(peer: &mut Peer) -> Result<()> {
    peer.plays(&whole())
}

fn play_live(peer: &mut Peer) -> Result<()> {
    peer.begin()?;
    peer.media(&clip_with(50, None))?;
    peer.status("status", "NetStream.Play.UnpublishNotify")?;
    peer.wait_closed()
}

/// What a program says to a server with that script; `URL` is the stream's.
#[track_caller]
fn said(mut command: Command, args: &[&str], script: fn(&mut Peer) -> Result<()>) -> Finished {
    let server = ScriptServer::start(script);
    let url = server.url("stream");
    let args = args.iter().map(|arg| arg.replace("URL", &url));
    run(command.args(args), PATIENCE)
}

/// Takes the status lines out of what was said; each must have the form that programs read.
#[track_caller]
fn without_status(said: &str) -> (String, Vec<String>) {
    let mut status = Vec::new();
    let mut rest = String::new();
    for line in said.split_inclusive('\n') {
        match line.split_once('\r') {
            None => rest += line,
            Some((before, shown)) => {
                assert_eq!(before, "", "a carriage return comes before, not after: {line:?}");
                assert!(shown.ends_with('\n'), "the next message begins a line: {line:?}");
                status.extend(shown.trim_end_matches('\n').split('\r').map(str::to_string));
                rest += "(status)\n";
            }
        }
    }
    for shown in &status {
        assert!(is_status(shown), "{shown:?}");
    }
    (rest, status)
}

/// `%.3f kB / %.2f sec`, and with a duration ` (%.1f%%)`.
fn is_status(text: &str) -> bool {
    let decimals = |text: &str, places: usize| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part) && part.len() == places)
    };
    let Some((kilobytes, rest)) = text.split_once(" kB / ") else { return false };
    let Some((seconds, rest)) = rest.split_once(" sec") else { return false };
    let share = rest.strip_prefix(" (").and_then(|rest| rest.strip_suffix("%)"));
    decimals(kilobytes, 3) && decimals(seconds, 2) && (rest.is_empty() || share.is_some_and(|share| decimals(share, 1)))
}

#[test]
fn a_session_reads_as_the_originals_does() {
    for (args, script) in [
        (&["-r", "URL", "-o", "/dev/null"][..], play_whole as fn(&mut Peer) -> Result<()>),
        (&["-r", "URL"], play_whole),
        (&["-R", "-r", "URL", "-o", "/dev/null"], play_whole),
        (&["-B", "60", "-r", "URL", "-o", "/dev/null"], play_whole),
        (&["-R", "-B", "70.25", "-r", "URL", "-o", "/dev/null"], play_whole),
        (&["-v", "-r", "URL", "-o", "/dev/null"], play_live),
        (&["-v", "-d", "x", "-r", "URL", "-o", "/dev/null"], play_live),
        (&["-#", "-v", "-r", "URL", "-o", "/dev/null"], play_live),
        (&["-#", "-r", "URL", "-o", "/dev/null"], play_whole),
    ] {
        // The banner's two lines name the program and its authors.
        let words = |finished: &Finished| {
            let said = finished.stderr.splitn(3, '\n').nth(2).unwrap_or_default().to_string();
            // Hash marks depend on time where there is no duration.
            let said = if args[..2] == ["-#", "-v"] { said.replace('#', "") } else { said };
            // The original asks a pipe for its position.
            without_status(&said).0.replace("at: -0.001 kB", "at: 0.000 kB")
        };
        let ours = said(as_rtmpdump(), args, script);
        let told = words(ours.expect_code(0));
        assert!(told.contains("INFO: Connected...\nStarting "), "{told}");
        assert!(told.ends_with("\nDownload complete\n"), "{told}");
        if have(&["rtmpdump"]) {
            let theirs = said(Command::new("rtmpdump"), args, script);
            assert_eq!(told, words(theirs.expect_code(0)), "{args:?}");
        }
    }
}

#[test]
fn the_status_shows_how_far_it_is() {
    let ours = said(as_rtmpdump(), &["-r", "URL", "-o", "-"], play_whole);
    let (_, status) = without_status(&ours.expect_code(0).stderr);
    let last = format!("{:.3} kB / 9.97 sec (100.0%)", ours.stdout.len() as f64 / 1024.0);
    assert_eq!(status.last(), Some(&last));
    let live = said(as_rtmpdump(), &["-v", "-r", "URL", "-o", "-"], play_live);
    let (_, status) = without_status(&live.expect_code(0).stderr);
    assert_eq!(status.last(), Some(&format!("{:.3} kB / 1.97 sec", live.stdout.len() as f64 / 1024.0)));
}

#[test]
fn the_status_comes_at_most_five_times_a_second() {
    let slowly = |peer: &mut Peer| {
        peer.begin()?;
        for tag in clip_with(25, None) {
            peer.media(&[tag])?;
            // The pace of the stream: 2 seconds of it.
            std::thread::sleep(Duration::from_millis(38));
        }
        peer.status("status", "NetStream.Play.UnpublishNotify")?;
        peer.wait_closed()
    };
    let ours = said(as_rtmpdump(), &["-v", "-r", "URL", "-o", "/dev/null"], slowly);
    let (_, status) = without_status(&ours.expect_code(0).stderr);
    let most = ours.took.as_millis() as usize / 200 + 2;
    assert!((4..=most).contains(&status.len()), "{} in {:?}", status.len(), ours.took);
}

#[test]
fn quiet_is_silent_and_standard_output_is_the_stream() {
    let ours = said(as_rtmpdump(), &["-q", "-r", "URL"], play_whole);
    assert_eq!(ours.expect_code(0).stderr, "");
    assert_eq!(Flv::parse(&ours.stdout).unwrap().tags, whole());
    if have(&["rtmpdump"]) {
        let theirs = said(Command::new("rtmpdump"), &["-q", "-r", "URL"], play_whole);
        assert_eq!(theirs.expect_code(0).stderr, "");
        assert_eq!(Flv::parse(&theirs.stdout).unwrap().tags, whole());
    }
}

#[test]
fn an_empty_standard_output_says_that_there_is_no_stream() {
    // [[ $(rtmpdump -q -r URL --live --stop 0.2) ]]: a probe in the wild.
    let nothing = |peer: &mut Peer| {
        peer.handshake()?;
        peer.accept_connect()?;
        peer.accept_create_stream(1)?;
        peer.wait_call("play")?;
        peer.send(&Msg::status(1, "error", "NetStream.Play.StreamNotFound", ""))?;
        peer.wait_closed()
    };
    let args = ["-q", "-r", "URL", "--live", "--stop", "0.2"];
    assert_eq!(said(as_rtmpdump(), &args, nothing).expect_code(1).stdout.len(), 0);
    assert!(said(as_rtmpdump(), &args, play_live).expect_code(0).stdout.len() > 1000);
}

#[test]
fn a_signal_is_named_and_the_rest_is_kept() {
    let pause = |peer: &mut Peer| {
        peer.begin()?;
        peer.media(&clip_with(50, Some(10.0)))?;
        peer.wait_closed()
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("some.flv");
    let mut said = Vec::new();
    for (program, name) in [(as_rtmpdump(), "ours"), (Command::new("rtmpdump"), "theirs")] {
        if name == "theirs" && !have(&["rtmpdump"]) {
            continue;
        }
        let (mut command, server) = (program, ScriptServer::start(pause));
        let running = Running::start(command.args(["-r", &server.url("stream"), "-o"]).arg(&file));
        running.wait_stderr(" sec (");
        running.signal("INT");
        let finished = running.finish(PATIENCE);
        finished.expect_code(2);
        // rtmpdump may be in the middle of its status line.
        let line = if name == "ours" { "\nCaught signal: 2" } else { "Caught signal: 2" };
        finished.expect_stderr(&format!("{line}, cleaning up, just a second...\n"));
        let last = finished.stderr.lines().last().unwrap_or_default().to_string();
        said.push(last.split("about").next().unwrap_or_default().to_string());
        if name == "ours" {
            assert_eq!(Flv::read(&file).media().len(), 102, "what had come was saved");
            assert!(last.ends_with("%), try resuming"), "{last}");
        }
    }
    assert!(said.iter().all(|last| last == "Download may be incomplete (downloaded "), "{said:?}");
}

#[test]
fn only_who_says_nothing_of_the_output_is_warned() {
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&clip_with(5, None))?;
        peer.end_of_file()
    });
    for (args, warned) in [(&[][..], true), (&["-o", "-"], false), (&["--flv", "/dev/stdout"], false)] {
        let finished = run(as_rtmpdump().args(["-r", &server.url("stream")]).args(args), PATIENCE);
        finished.expect_code(0);
        assert_eq!(finished.stderr.contains("haven't specified an output"), warned, "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_nohup_ignores_stays_ignored() {
    if !have(&["nohup"]) {
        return;
    }
    // The original handles SIGHUP whatever was said: a recording begun with nohup ends with the terminal.
    let server = ScriptServer::start(|peer| {
        peer.begin()?;
        peer.media(&clip_with(50, None))?;
        peer.wait_closed()
    });
    let mut command = Command::new("nohup");
    let url = server.url("stream");
    let running = Running::start(command.arg(as_rtmpdump().get_program()).args(["-v", "-r", &url, "-o", "/dev/null"]));
    running.wait_stderr(" sec");
    let mask = |name: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_string();
        u64::from_str_radix(&line, 16).unwrap()
    };
    assert_eq!((mask("SigIgn:") & 1, mask("SigCgt:") & 1), (1, 0), "SIGHUP is ignored, not caught");
    running.signal("TERM");
    running.finish(PATIENCE).expect_code(2).expect_stderr("Caught signal: 15");
}

#[test]
fn a_script_ends_what_it_started_in_the_background() {
    // A shell without job control has these two ignored in what it starts with &.
    for signal in ["INT", "QUIT"] {
        let server = ScriptServer::start(|peer| {
            peer.begin()?;
            peer.media(&clip_with(50, None))?;
            peer.wait_closed()
        });
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' INT QUIT; exec \"$0\" \"$@\""]).arg(as_rtmpdump().get_program());
        let running = Running::start(command.args(["-v", "-r", &server.url("stream"), "-o", "/dev/null"]));
        running.wait_stderr(" sec");
        running.signal(signal);
        running.finish(PATIENCE).expect_code(2).expect_stderr("Caught signal: ");
    }
}

#[test]
fn verbose_has_the_lines_that_programs_look_for() {
    let mut runs = vec![said(as_rtmpdump(), &["-V", "-r", "URL", "-o", "/dev/null"], play_whole)];
    if have(&["rtmpdump"]) {
        runs.push(said(Command::new("rtmpdump"), &["-V", "-r", "URL", "-o", "/dev/null"], play_whole));
    }
    for finished in runs {
        for line in [
            "DEBUG: Parsing...",
            "DEBUG: Parsed protocol: 0",
            "DEBUG: Parsed host    : 127.0.0.1",
            "DEBUG: Parsed app     : app",
            "DEBUG: Protocol : RTMP",
            "DEBUG: Hostname : 127.0.0.1",
            "DEBUG: Playpath : stream",
            "DEBUG: app      : app",
            "DEBUG: live     : no",
            "DEBUG: timeout  : 30 sec",
            "DEBUG: Invoking play",
            "DEBUG: HandleInvoke, onStatus: NetStream.Play.Start",
            "DEBUG: Property: <Name:               code, STRING:\tNetStream.Play.Start>",
            "DEBUG: Property: <Name:       capabilities, NUMBER:\t31.00>",
            "DEBUG: Property: <Name:           duration, NUMBER:\t9.96>",
            "INFO:   duration              9.96",
        ] {
            assert!(finished.stderr.lines().any(|said| said == line), "{line:?} is not in\n{}", finished.stderr);
        }
    }
}

#[test]
fn a_redirect_is_shown_as_streamlink_reads_it() {
    // Its expression: DEBUG: Property: <Name:\s+redirect,\s+STRING:\s+(\w+://.+?)>
    let redirecting = |peer: &mut Peer| {
        peer.handshake()?;
        let call = peer.wait_call("connect")?;
        let ex = Amf::obj(&[("code", 302.0.into()), ("redirect", "rtmp://127.0.0.1:1/other".into())]);
        let information =
            Amf::obj(&[("level", "error".into()), ("code", "NetConnection.Connect.Rejected".into()), ("ex", ex)]);
        peer.answer("_error", &call, connect_properties(), information)?;
        Ok(())
    };
    let line = "DEBUG: Property: <Name:           redirect, STRING:\trtmp://127.0.0.1:1/other>";
    for args in [&["-V", "-r", "URL", "-m", "5"][..], &["-V", "-r", "URL", "-m", "5", "--no-redirect"]] {
        let ours = said(as_rtmpdump(), args, redirecting);
        assert!(ours.stderr.lines().any(|said| said == line), "{}", ours.stderr);
        assert_ne!(ours.code, Some(0));
    }
    if have(&["rtmpdump"]) {
        let theirs = said(Command::new("rtmpdump"), &["-V", "-r", "URL", "-m", "5"], redirecting);
        assert!(theirs.stderr.lines().any(|said| said == line), "{}", theirs.stderr);
    }
}

#[test]
fn debug_dumps_every_byte_but_secrets() {
    let secret = "tHe-sEcReT-".repeat(30);
    let conn = format!("S:{secret}");
    let args = ["-z", "-r", "URL", "-o", "/dev/null", "-u", &secret, "-C", &conn, "-f", "a-version-to-find"];
    let ours = said(as_rtmpdump(), &args, play_whole);
    let mut sent = Vec::new();
    let mut bytes = 0;
    let mut sending = false;
    for line in ours.expect_code(0).stderr.lines().filter_map(|line| line.strip_prefix("DEBUG2: ")) {
        match line.strip_prefix("  ") {
            Some(dump) => {
                // "0000:  03 00 00 …"
                let hex = &dump[7..56];
                let line: Vec<u8> = hex.split_whitespace().map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
                bytes += line.len();
                if sending {
                    sent.extend(line);
                }
            }
            None => sending = line.starts_with("Sending "),
        }
    }
    let media: usize = whole().iter().map(|tag| tag.payload.len()).sum();
    assert!(bytes > media + 2 * 3073, "{bytes} bytes were shown, {media} of media");
    assert!(common::find(&sent, b"connect") && common::find(&sent, b"a-version-to-find"), "what is sent is there");
    // Chunks of 128 bytes cut it: the pieces between the headers must not be there either.
    assert!(!common::find(&sent, b"tHe-sEc") && !common::find(&sent, b"ReT-tHe"), "the secret is there");
    assert!(!ours.stderr.contains("tHe-sEc"), "{}", ours.stderr);
    assert!(common::find(&sent, b"********"), "masked in its place");
    // At -V there are no dumps.
    let less = said(as_rtmpdump(), &["-V", "-r", "URL", "-o", "/dev/null"], play_whole);
    assert!(!less.stderr.contains("DEBUG2"), "{}", less.stderr);
}
