//! `--trace`, `--log-messages` and `rtmpcat trace`: what Wireshark makes of what was written, and what is made of what
//! others captured.

mod captures;
mod tunnels;

use crate::common::flvcmp::{self, AUDIO, Tag, VIDEO};
use crate::common::media::{Media, folder};
use crate::common::nginx::Nginx;
use crate::common::script_server::{ScriptServer, clip};
use crate::common::{self, Finished, PATIENCE, Running, have, rtmpcat_with, run};
use rtmpcat::capture::connections::{Connections, MAX_CONNECTIONS};
use rtmpcat::capture::conversation::Seen;
use rtmpcat::capture::event::Event;
use rtmpcat::capture::file::{File, FileError};
use rtmpcat::capture::segment::{self, Segment};
use rtmpcat::serve::{Listen, Pace, ServeOptions, Server};
use rtmpcat::transport::ServerTlsOptions;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

/// A server of `clip.flv` with these tags, at every endpoint.
fn serve(tags: &[Tag], folder: &Path) -> Server {
    let file = folder.join("clip.flv");
    std::fs::write(&file, flvcmp::write(true, true, tags)).unwrap();
    let plain = Listen::plain(SocketAddr::from(([127, 0, 0, 1], 0)));
    let tls = Listen { tls: Some(ServerTlsOptions { cert: None, key: None, names: vec![] }), ..plain.clone() };
    let listen = vec![plain.clone(), tls, Listen { tunnel: true, ..plain }];
    Server::start(ServeOptions { listen, paths: vec![file], pace: Pace::Fast, ..ServeOptions::default() }).unwrap()
}

fn url(server: &Server, scheme: &str) -> String {
    let endpoint = server.endpoints().iter().find(|endpoint| endpoint.scheme == scheme.replace('e', "")).unwrap();
    format!("{scheme}://{}/vod/clip", endpoint.address)
}

#[track_caller]
fn rtmpcat(args: &[&str]) -> Finished {
    run(&mut rtmpcat_with(args), PATIENCE)
}

/// What tshark prints for these arguments.
#[track_caller]
fn tshark(file: &Path, args: &[&str]) -> String {
    // Left alone, Wireshark stops where a message has more than 32 KiB.
    let long = ["-o", "rtmpt.max_packet_size:16777215"];
    let finished = run(Command::new("tshark").args(long).arg("-r").arg(file).args(args), PATIENCE);
    finished.expect_code(0).out()
}

/// A clip with a frame that takes several packets, however long IP lets them be.
fn clip_with_a_long_frame() -> Vec<Tag> {
    let mut tags = clip(20);
    let long = tags.iter_mut().find(|tag| tag.kind == VIDEO && tag.payload[1] == 1).unwrap();
    long.payload.extend((0..300_000u32).map(|at| (at % 251) as u8));
    tags
}

#[test]
fn wireshark_reads_what_was_said_over_every_scheme() {
    if !have(&["tshark"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tags = clip_with_a_long_frame();
    let server = serve(&tags, folder.path());
    let count = |kind: u8| tags.iter().filter(|tag| tag.kind == kind).count();
    for scheme in ["rtmp", "rtmps", "rtmpe", "rtmpt", "rtmpte"] {
        let file = folder.path().join(format!("{scheme}.pcapng"));
        let path = file.to_str().unwrap();
        rtmpcat(&[&url(&server, scheme), "--insecure", "-q", "-o", "/dev/null", "--trace", path]).expect_code(0);
        let info = tshark(&file, &["-Y", "rtmpt", "-T", "fields", "-e", "_ws.col.Info"]);
        for part in [
            "Handshake C0+C1",
            "Handshake S0+S1+S2",
            "Handshake C2",
            "connect('vod')",
            "_result('NetConnection.Connect.Success')",
            "createStream()",
            "play('clip')",
            "onStatus('NetStream.Play.Start')",
            "onMetaData()",
            "deleteStream()",
        ] {
            assert!(info.contains(part), "{scheme}: no {part} in\n{info}");
        }
        let times = |part: &str| info.matches(part).count();
        assert_eq!((times("Audio Data"), times("Video Data")), (count(AUDIO), count(VIDEO)), "{scheme}: {info}");
        let faults = "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.retransmission || \
                      tcp.analysis.window_full || tcp.analysis.out_of_order || _ws.malformed";
        assert_eq!(tshark(&file, &["-Y", faults]), "", "{scheme}");
        // Checksums are right, those of IP and of TCP.
        let checks = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"];
        let bad = [&checks[..], &["-Y", "ip.checksum.status == 0 || tcp.checksum.status == 0"]].concat();
        assert_eq!(tshark(&file, &bad), "", "{scheme}");
        // And what is read back is what Wireshark found.
        let list = rtmpcat(&["trace", path]).expect_code(0).out();
        let listed =
            |kind: &str| list.lines().filter(|line| line.get(42..).is_some_and(|l| l.starts_with(kind))).count();
        assert_eq!((listed("Audio"), listed("Video")), (count(AUDIO), count(VIDEO)), "{scheme}: {list}");
        let shown = &["connect 1 {\"app\":\"vod\"", "H.264 sequence header", "H.264 keyframe", "play 4 null \"clip\""];
        shown.iter().for_each(|part| assert!(list.contains(part), "{scheme}: no {part} in\n{list}"));
    }
}

#[test]
fn only_the_owner_can_read_what_passwords_were_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&clip(3), folder.path());
    let file = folder.path().join("x.pcapng");
    rtmpcat(&[&url(&server, "rtmp"), "-q", "-o", "/dev/null", "--trace", file.to_str().unwrap()]).expect_code(0);
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let finished = rtmpcat(&[&url(&server, "rtmp"), "-o", "/dev/null", "--trace", "/nowhere/x.pcapng"]);
    finished.expect_code(1).expect_stderr("--trace: /nowhere/x.pcapng: No such file");
}

/// Lines of messages without time and connection.
fn without_times(list: &str, column: usize) -> Vec<String> {
    let lines = list.lines().filter(|line| line.get(column..).is_some_and(|line| line.starts_with(['>', '<'])));
    lines.filter(|line| !line.contains("time")).map(|line| line[column..].to_owned()).collect()
}

#[test]
fn messages_are_logged_as_they_are_traced() {
    let folder = tempfile::tempdir().unwrap();
    let server = ScriptServer::start(|peer| peer.plays(&clip(10)));
    let file = folder.path().join("x.pcapng");
    let path = file.to_str().unwrap();
    let args = [&server.url("stream"), "-q", "-o", "-", "--log-messages", "--trace", path];
    let finished = rtmpcat(&args);
    finished.expect_code(0);
    assert!(finished.stdout.starts_with(b"FLV"), "standard output is data only");
    let logged = without_times(&finished.stderr, 12);
    assert_eq!(logged.len(), finished.stderr.lines().count(), "{}", finished.stderr);
    assert_eq!(logged, without_times(&rtmpcat(&["trace", path]).expect_code(0).out(), 18));
    let line =
        |part: &str| logged.iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {logged:#?}"));
    assert!(line("C0 C1").starts_with(">    -     -          - Handshake          1537  C0 C1: C0 3, version 0.0.0.0"));
    assert!(line("connect 1 {").starts_with(">    3     0          0 Command "));
    assert_eq!(line("Set Chunk"), "<    2     0          0 Set Chunk Size        4  4096 bytes");
    assert_eq!(line("Dynamic"), "<    2     0          0 Peer Bandwidth        5  2500000 bytes, Dynamic");
    assert_eq!(
        line("Buffer Length"),
        ">    2     0          0 User Control         10  Set Buffer Length: stream 1, 36000000 ms"
    );
    assert_eq!(line("sequence header"), "<    6     1          0 Video                23  H.264 sequence header");
    assert!(line("onMetaData").ends_with(
        r#"onMetaData {"$ecma":{"duration":0.4,"width":320,"height":180,"videocodecid":7,"audiocodecid":10}}"#
    ));
    assert_eq!(logged.iter().filter(|line| line.ends_with("AAC sound")).count(), 10);
    // With -z there are the bytes of each message.
    let finished = rtmpcat(&[&server.url("stream"), "-z", "-o", "/dev/null", "--log-messages"]);
    finished.expect_code(0).expect_stderr("               0  00 00 10 00 ");
    assert!(!finished.stderr.contains("DEBUG2: Sending"));
    // Secrets are in none of it, however they are written.
    let secret = "open\"sesame";
    let finished = rtmpcat(&[&server.url("stream"), "-z", "-o", "/dev/null", "--log-messages", "-u", secret]);
    finished.expect_code(0).expect_stderr("\"capsEx\":15} true ");
    for part in ["sesame", "73 65 73 61 6d 65"] {
        assert!(!finished.stderr.contains(part), "{}", finished.stderr);
    }
    let bytes = rtmpcat(&["trace", "-z", "--no-media", path]).expect_code(0).out();
    assert!(
        bytes.contains("02 00 07 63 6f 6e 6e 65 63 74 00 3f f0 00 00 00  ...connect.?....") && !bytes.contains("sound")
    );
}

#[test]
fn call_and_probe_can_be_traced_and_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(&clip(30), folder.path());
    let file = folder.path().join("x.pcapng");
    let (path, url) = (file.to_str().unwrap(), url(&server, "rtmp"));
    rtmpcat(&["probe", &url, &url, "--time", "1", "--trace", path]);
    let list = rtmpcat(&["trace", path]).expect_code(0).out();
    for (number, port) in [("1", 49152), ("2", 49153)] {
        assert!(list.contains(&format!("{number} - 127.0.0.1:{port} > 127.0.0.1:1935")), "{list}");
    }
    let of_2 = rtmpcat(&["trace", path, "--connection", "2"]).expect_code(0).out();
    assert!(
        of_2.contains("play 4 null") && of_2.lines().skip(1).all(|line| line[11..].starts_with("     2 ")),
        "{of_2}"
    );
    let finished = rtmpcat(&["call", &url, "echo", "5", "--log-messages", "--trace", path]);
    finished.expect_code(0).expect_stderr("echo 2 null 5");
    assert!(rtmpcat(&["trace", path]).expect_code(0).out().contains("_result 2 null 5"));
}
