//! `--trace`, `--log-messages` and `rtmpcat trace`: what Wireshark makes of what was written, and what is made of what
//! others captured.

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

// --- Captures of others ---------------------------------------------------------------------------------------------

/// rtmpdump 2.4 plays a file of a second from nginx with its RTMP module 1.2.2; saved by tcpdump 4.99 on the loopback
/// interface, one connection.
const CAPTURE: &[u8] = include_bytes!("../data/rtmpdump-nginx.pcap");

/// What is said of it.
const LIST: &str = include_str!("../data/rtmpdump-nginx.txt");

#[test]
fn a_capture_of_others_is_read_to_the_letter() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rtmpdump-nginx.pcap");
    assert_eq!(rtmpcat(&["trace", path]).expect_code(0).out(), LIST);
    let mut piped = Running::start_with_stdin(&mut rtmpcat_with(["trace", "-"]));
    std::io::Write::write_all(&mut piped.stdin().unwrap(), CAPTURE).unwrap();
    assert_eq!(piped.finish(PATIENCE).expect_code(0).out(), LIST);
}

/// The frames of the capture, with their link type.
fn frames() -> Vec<(u32, Vec<u8>)> {
    let mut frames = Vec::new();
    File::default().feed(CAPTURE, |packet| frames.push((packet.link_type, packet.frame.to_vec()))).unwrap();
    frames
}

/// What frames come to, in short.
fn events(frames: &[(u32, Vec<u8>)]) -> Vec<String> {
    let mut events = Vec::new();
    let mut note = |number: u32, event: Event<'_>| note(&mut events, number, event);
    let mut connections = Connections::default();
    for (link_type, frame) in frames {
        if let Some(segment) = segment::parse(*link_type, frame) {
            connections.push(&segment, &mut note);
        }
    }
    connections.finish(&mut note);
    assert_eq!(connections.held(), 0);
    events
}

/// Those of one end, which have an order of their own.
fn of(end: &str, events: &[String]) -> Vec<String> {
    events.iter().filter(|event| event.contains(end)).cloned().collect()
}

#[test]
fn segments_may_come_twice_late_and_in_any_order() {
    let frames = frames();
    let straight = events(&frames);
    assert!(straight.len() > 80 && straight.last().unwrap().ends_with("Closed"), "{straight:#?}");
    let twice: Vec<_> = frames.iter().flat_map(|frame| [frame.clone(), frame.clone()]).collect();
    let opening = |frame: &(u32, Vec<u8>)| segment::parse(frame.0, &frame.1).is_some_and(|segment| segment.syn);
    let ending = |frame: &(u32, Vec<u8>)| segment::parse(frame.0, &frame.1).is_some_and(|segment| segment.fin);
    let mut again = frames.clone();
    let last = again.iter().position(ending).unwrap();
    let data: Vec<_> = frames.iter().filter(|frame| !opening(frame)).cloned().collect();
    again.splice(last..last, data.iter().filter(|frame| !ending(frame)).cloned());
    // Neighbours in the place of one another, and everything the other way round.
    let mut swapped = data.clone();
    swapped.chunks_mut(2).for_each(|pair| pair.reverse());
    let backwards: Vec<_> = data.iter().rev().cloned().collect();
    let begin: Vec<_> = frames.iter().filter(|frame| opening(frame)).cloned().collect();
    for shape in [twice, again, [begin.clone(), swapped].concat(), [begin, backwards].concat()] {
        let events = events(&shape);
        for end in ["Client", "Server"] {
            let difference = of(end, &events).iter().zip(of(end, &straight)).position(|(a, b)| *a != b);
            assert_eq!((difference, of(end, &events).len()), (None, of(end, &straight).len()), "{events:#?}");
        }
    }
}

#[test]
fn without_its_beginning_a_connection_is_no_riddle() {
    let frames = frames();
    // Without the SYNs it begins with C0, from the client.
    let without: Vec<_> = frames.iter().skip(2).cloned().collect();
    assert_eq!(of("Server", &events(&without)), of("Server", &events(&frames)));
    // Begun in the middle, nothing can be said of it.
    let late = events(&frames[20..]);
    assert!(late.iter().any(|event| event.contains("the middle of a connection")), "{late:#?}");
    assert!(!late.iter().any(|event| event.contains("MessageHeader")), "{late:#?}");
}

#[test]
fn what_a_capture_lacks_is_said() {
    let frames = frames();
    let sizes: Vec<usize> =
        frames.iter().map(|frame| segment::parse(frame.0, &frame.1).map_or(0, |segment| segment.data.len())).collect();
    let (at, _) = sizes.iter().enumerate().skip(10).max_by_key(|(_, size)| **size).unwrap();
    let mut without = frames.clone();
    let (link_type, frame) = without.remove(at);
    let lost = events(&without);
    let expected = format!("1 Lost(Server, {})", sizes[at]);
    assert!(lost.contains(&expected), "{expected}: {lost:#?}");
    // The same if only its beginning was captured, as with tcpdump -s 96.
    without.insert(at, (link_type, frame[..96].to_vec()));
    let cut = sizes[at] - segment::parse(link_type, &frame[..96]).unwrap().data.len();
    assert!(events(&without).contains(&format!("1 Lost(Server, {cut})")));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.pcap");
    let mut bytes = CAPTURE[..24].to_vec();
    for (_, frame) in &without {
        bytes.extend([[0; 4], [0; 4], (frame.len() as u32).to_le_bytes(), (frame.len() as u32).to_le_bytes()].concat());
        bytes.extend(frame);
    }
    std::fs::write(&file, &bytes).unwrap();
    let list = rtmpcat(&["trace", file.to_str().unwrap()]);
    list.expect_code(2);
    assert!(list.out().contains("of the server are not in the capture"), "{}", list.out());
}

#[test]
fn files_that_break_off_or_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    let read = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        rtmpcat(&["trace", file.to_str().unwrap()])
    };
    read(&CAPTURE[..CAPTURE.len() - 1]).expect_code(2).expect_stderr("breaks off");
    read(b"FLV\x01\x05\0\0\0\x09\0\0\0\0 and so on, for some bytes")
        .expect_code(1)
        .expect_stderr("neither a pcapng nor a pcap");
    read(b"").expect_code(1);
    read(&CAPTURE[..24]).expect_code(1).expect_stderr("no RTMP found in capture");
    rtmpcat(&["trace", "/nowhere"]).expect_code(1).expect_stderr("no such file");
    // A block that never ends.
    let mut endless = File::default();
    let head = b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0";
    endless.feed(head, |_| {}).unwrap();
    endless.feed(b"\x06\0\0\0\xf0\xff\xff\xff", |_| {}).unwrap();
    let fed = (0..100).find_map(|_| endless.feed(&vec![0; 1 << 20], |_| {}).err());
    assert_eq!(fed, Some(FileError::TooLong { offset: 28 }));
}

#[test]
fn every_cut_and_any_change_of_a_byte_are_survived() {
    let read = |bytes: &[u8], piece: usize| {
        let (mut file, mut connections) = (File::default(), Connections::default());
        let mut messages = 0;
        for piece in bytes.chunks(piece) {
            let fed = file.feed(piece, |packet| {
                if let Some(segment) = segment::parse(packet.link_type, packet.frame) {
                    connections.push(&segment, |_, event| messages += u32::from(matches!(event, Event::Said(..))));
                }
            });
            if fed.is_err() {
                break;
            }
        }
        connections.finish(|_, _| {});
        messages
    };
    let all = read(CAPTURE, usize::MAX);
    assert!(all > 80);
    for piece in [1, 7, 1000] {
        assert_eq!(read(CAPTURE, piece), all, "in pieces of {piece}");
    }
    let mut seen = 0;
    for cut in (0..CAPTURE.len()).step_by(101) {
        let messages = read(&CAPTURE[..cut], usize::MAX);
        assert!(messages >= seen, "cut at {cut}");
        seen = messages;
    }
    let mut bytes = CAPTURE.to_vec();
    for at in (0..bytes.len()).filter(|at| at % 13 == 0 || *at < 400) {
        for change in [0xff, 0x01, 0x80] {
            bytes[at] ^= change;
            assert!(read(&bytes, usize::MAX) <= 3 * all);
            bytes[at] ^= change;
        }
    }
}

#[test]
fn what_is_held_is_bounded() {
    let mut connections = Connections::default();
    let data = vec![3; 60_000];
    let mut most = 0;
    for number in 0..20_000u32 {
        let port = |number: u32| SocketAddr::from(([10, 0, (number / 250) as u8, 1], (number % 250) as u16 + 1));
        // The first byte is never there.
        let pair = number % (2 * MAX_CONNECTIONS as u32);
        let from = port(pair);
        let segment = Segment {
            from,
            to: SocketAddr::from(([10, 1, 0, 1], 80)),
            sequence: if number < 512 { 1 } else { 100 + (number / 512) * 60_000 },
            syn: number < 512,
            ack: false,
            fin: false,
            reset: false,
            data: if number < 512 { &[] } else { &data },
            missing: 0,
        };
        connections.push(&segment, |_, _| {});
        most = most.max(connections.held());
    }
    assert!(most < 66 << 20, "{most} bytes were held");
}

#[test]
fn what_tcpdump_saves_of_nginx_and_rtmpdump() {
    if !have(&["tcpdump", "nginx-rtmp", "rtmpdump", "ffmpeg"]) {
        return;
    }
    let media = Media::BFrames;
    media.path();
    let nginx = Nginx::vod(&folder(), 4096);
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("x.pcap");
    let mut command = Command::new("tcpdump");
    command.args(["-i", "lo", "-U", "-Z", "root", "-s", "0", "-B", "16384", "-w"]).arg(&file);
    let mut tcpdump = Running::start(command.arg(format!("tcp port {}", nginx.port)));
    // It needs rights that not everybody has.
    common::wait_until("tcpdump", || tcpdump.stderr_so_far().contains("listening on") || !tcpdump.is_running());
    if !tcpdump.is_running() {
        println!("skipped: {}", tcpdump.stderr_so_far());
        return;
    }
    let url = nginx.url("vod", media.name());
    let (one, two) = (scratch.path().join("1.flv"), scratch.path().join("2.flv"));
    let dumps = [
        Running::start(Command::new("rtmpdump").args(["-q", "-r", &url, "-o"]).arg(&one)),
        Running::start(&mut rtmpcat_with(["-q", "-r", &url, "-o", two.to_str().unwrap()])),
    ];
    dumps.into_iter().for_each(|dump| drop(dump.finish(PATIENCE)));
    let tags = flvcmp::Flv::read(&two).media();
    // What was captured is written when the next packets come.
    let listed = || rtmpcat(&["trace", file.to_str().unwrap()]).out();
    common::wait_until("both connections to be in the capture", || listed().matches(" closed\n").count() == 2);
    tcpdump.signal("INT");
    tcpdump.finish(PATIENCE);
    let list = rtmpcat(&["trace", file.to_str().unwrap()]).expect_code(0).out();
    for number in ["1", "2"] {
        let media = list.lines().filter(|line| {
            line.get(12..17).is_some_and(|conn| conn.trim() == number)
                && line.get(42..).is_some_and(|kind| kind.starts_with("Video") || kind.starts_with("Audio"))
        });
        assert_eq!(media.count(), tags.iter().filter(|tag| tag.kind != 18).count(), "connection {number} of\n{list}");
    }
}

// --- Tunnels of others ----------------------------------------------------------------------------------------------

/// TCP connections to port 80, said piece by piece.
#[derive(Default)]
struct Web {
    connections: Connections,
    /// Bytes said, by port of the client and end.
    said: std::collections::HashMap<(u16, bool), u32>,
    events: Vec<String>,
}

impl Web {
    fn say(&mut self, port: u16, is_client: bool, bytes: &[u8], piece: usize) {
        let (client, server) = (SocketAddr::from(([10, 0, 0, 1], port)), SocketAddr::from(([10, 0, 0, 2], 80)));
        let (from, to) = if is_client { (client, server) } else { (server, client) };
        for data in bytes.chunks(piece) {
            let sequence = self.said.get(&(port, is_client)).copied();
            let (syn, ack) = (sequence.is_none(), !is_client);
            let sequence = sequence.unwrap_or(1000);
            let segment = Segment { from, to, sequence, syn, ack, fin: false, reset: false, data, missing: 0 };
            self.said.insert((port, is_client), sequence + u32::from(syn) + data.len() as u32);
            let events = &mut self.events;
            self.connections.push(&segment, |number, event| note(events, number, event));
        }
    }

    /// A request and its answer, in which the body comes in chunks if `chunked`.
    fn ask(&mut self, port: u16, path: &str, body: &[u8], answer: &[u8], chunked: bool, piece: usize) {
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
        self.say(port, true, &[head.as_bytes(), body].concat(), piece);
        let answer = match chunked {
            false => {
                [format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len()).as_bytes(), answer].concat()
            }
            true => {
                let (a, b) = answer.split_at(answer.len() / 2);
                let chunk = |data: &[u8]| match data {
                    [] => Vec::new(),
                    data => [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat(),
                };
                let head =
                    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                [head, chunk(a), chunk(b), b"0\r\n\r\n".to_vec()].concat()
            }
        };
        self.say(port, false, &answer, piece);
    }
}

fn note(events: &mut Vec<String>, number: u32, event: Event<'_>) {
    events.push(match event {
        Event::Said(from, Seen::Message(message)) => {
            format!("{number} {from:?} {:?} {:?}", message.header, message.payload)
        }
        other => format!("{number} {other:?}"),
    });
}

/// What both ends said in the capture of rtmpdump.
fn both_ends() -> [Vec<u8>; 2] {
    let mut orders = [rtmpcat::capture::reassembly::TcpReassembler::default(), Default::default()];
    let mut ends = [Vec::new(), Vec::new()];
    let mut client = None;
    for (link_type, frame) in frames() {
        let Some(segment) = segment::parse(link_type, &frame) else { continue };
        let end = usize::from(*client.get_or_insert(segment.from) != segment.from);
        if segment.syn {
            orders[end].begin(segment.sequence);
        }
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        orders[end].push(sequence, segment.data, |bytes| ends[end].extend_from_slice(bytes));
    }
    ends
}

#[test]
fn a_session_in_a_tunnel_is_read_whichever_connections_it_takes() {
    let [client, server] = both_ends();
    assert!(client.len() > 3073 && server.len() > 9000, "{} and {} bytes", client.len(), server.len());
    let said = |number: &str, end: &str, events: &[String]| -> Vec<String> {
        let of_it = events.iter().filter_map(|event| event.strip_prefix(number)).filter(|event| event.contains(end));
        of_it.map(str::to_owned).collect()
    };
    let straight = events(&frames());
    for (ports, piece, chunked) in
        [(vec![1], 65_000, false), (vec![1, 2], 1460, true), (vec![1, 2, 3], 7, false), (vec![1], 1, true)]
    {
        let mut web = Web::default();
        // Somebody else's session, and what is asked beside the tunnel.
        web.ask(9, "/fcs/ident2", b"\0", b"no", false, piece);
        web.ask(9, "/open/1", b"\0", b"other\n", false, piece);
        web.ask(1, "http://proxied:80/open/1", b"\0", b"id-1\n", chunked, piece);
        let (to, back) = (client.len().div_ceil(25), server.len().div_ceil(28));
        let mut answers = server.chunks(back);
        for (number, sent) in client.chunks(to).chain([&b""[..]; 4]).enumerate() {
            let port = ports[number % ports.len()];
            let answer = [&[0x09], answers.next().unwrap_or_default()].concat();
            match sent {
                [] => web.ask(port, &format!("/idle/id-1/{number}"), b"\0", &answer, chunked, piece),
                sent => web.ask(port, &format!("/send/id-1/{number}"), sent, &answer, chunked, piece),
            }
            web.ask(9, &format!("/send/other/{number}"), &[3; 9], &[1, 3, 3], chunked, piece);
        }
        assert_eq!(answers.next(), None, "all was sent");
        web.ask(1, "/close/id-1/99", b"\0", b"\0", chunked, piece);
        // Connection 1 is the other one's; the session stands under 2, which opened it.
        for end in ["Client", "Server"] {
            assert_eq!(said("2 ", end, &web.events), said("1 ", end, &straight), "{end}, in pieces of {piece}");
        }
        let opened = web.events.iter().filter(|event| event.contains("Opened")).count();
        let read = said("2 ", "", &web.events).len();
        assert_eq!(web.events.len(), read + opened - 1, "nothing of the other session: {:#?}", web.events);
    }
}

#[test]
fn what_is_no_tunnel_is_said_once_and_what_lacks_a_beginning_is_no_riddle() {
    let broken = |web: &Web| web.events.iter().filter(|event| event.contains("Broken")).cloned().collect::<Vec<_>>();
    let mut web = Web::default();
    web.say(1, true, b"POST /api HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\n\r\n", 20);
    web.say(1, false, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 20);
    assert_eq!(broken(&web), ["1 Said(Client, Broken(Other(\"HTTP, but not a tunnel\")))"]);
    // The session began before the capture: it is not taken for one that begins.
    let mut web = Web::default();
    web.ask(1, "/send/middle/70", b"\x44middle of a chunk", b"\x01\x04and of another", false, 100);
    web.ask(1, "/send/middle/71", b"\x44middle of a chunk", b"\x01\x04and of another", false, 100);
    assert_eq!(broken(&web).len(), 2, "{:#?}", web.events);
    assert!(broken(&web).iter().all(|event| event.contains("the middle of a connection")), "{:#?}", web.events);
    // An answer that was captured before its question.
    let [client, server] = both_ends();
    let mut web = Web::default();
    web.ask(1, "/open/1", b"\0", b"x\n", false, 100);
    web.say(1, false, &[b"HTTP/1.1 200 OK\r\nContent-Length: 3074\r\n\r\n\x01", &server[..3073]].concat(), 5000);
    web.say(1, true, &[b"POST /send/x/1 HTTP/1.1\r\nContent-Length: 1537\r\n\r\n", &client[..1537]].concat(), 5000);
    assert!(web.events.iter().any(|event| event.contains("Said(Server, Hello")), "{:#?}", web.events);
    // Lies about lengths, requests that nobody answers, heads without end.
    for (said, piece) in [
        (b"POST /send/x/1 HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(), 100),
        (b"POST /send/x/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(), 100),
        (b"POST /idle/x/1 HTTP/1.1\r\n\r\n".repeat(1000), 1000),
        ([b"POST /idle/x/1 HTTP/1.1\r\n".to_vec(), b" \r\n".repeat(30_000)].concat(), 10),
        ([b"POST /".to_vec(), vec![b'x'; 100_000]].concat(), 1000),
    ] {
        let mut web = Web::default();
        web.say(1, true, &said, piece);
        assert_eq!(broken(&web).len(), 1, "{:#?}", web.events);
    }
    // Sessions without number are not kept without number.
    let mut web = Web::default();
    for number in 0..3000 {
        web.ask(1, "/open/1", b"\0", format!("{number}\n").as_bytes(), false, 200);
        web.ask(1, &format!("/send/{number}/1"), &[3; 1000], b"\x01", false, 2000);
    }
    let held = format!("{:?}", web.connections).len();
    assert!(held < 2 << 20, "{held}");
}

#[test]
fn every_byte_of_a_tunnel_may_be_another() {
    let mut bytes = b"POST /open/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\n\0POST /send/x/1 HTTP/1.1\r\nContent-Length: 3\r\n\r\n\x03\0\0".to_vec();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\x01\x03\r\n0\r\n\r\n";
    for at in 0..bytes.len() {
        for change in [0x01, 0x20, 0x80, 0xff] {
            bytes[at] ^= change;
            for piece in [1, 1000] {
                let mut web = Web::default();
                web.say(1, true, &bytes, piece);
                web.say(1, false, answer, piece);
                assert!(web.events.len() < 5, "{:#?}", web.events);
            }
            bytes[at] ^= change;
        }
    }
}

#[test]
fn what_tcpdump_saves_of_tunnels() {
    if !have(&["tcpdump", "rtmpdump", "ffmpeg"]) {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let server = serve(&clip(30), scratch.path());
    let url = url(&server, "rtmpt");
    let port = url.split([':', '/']).find_map(|part| part.parse::<u16>().ok()).unwrap();
    let file = scratch.path().join("x.pcap");
    let mut command = Command::new("tcpdump");
    command.args(["-i", "lo", "-U", "-Z", "root", "-s", "0", "-B", "16384", "-w"]).arg(&file);
    let mut tcpdump = Running::start(command.arg(format!("tcp port {port}")));
    // It needs rights that not everybody has.
    common::wait_until("tcpdump", || tcpdump.stderr_so_far().contains("listening on") || !tcpdump.is_running());
    if !tcpdump.is_running() {
        println!("skipped: {}", tcpdump.stderr_so_far());
        return;
    }
    let saved = |number: u32| scratch.path().join(format!("{number}.flv"));
    run(Command::new("rtmpdump").args(["-q", "-r", &url, "-o"]).arg(saved(1)), PATIENCE);
    run(Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-i", &url, "-c", "copy"]).arg(saved(2)), PATIENCE);
    rtmpcat(&["-q", "-r", &url, "-o", saved(3).to_str().unwrap()]).expect_code(0);
    // What was captured is written when the next packets come.
    let listed = || rtmpcat(&["trace", file.to_str().unwrap()]).out();
    common::wait_until("all sessions to be in the capture", || listed().matches(" closed\n").count() >= 3);
    tcpdump.signal("INT");
    tcpdump.finish(PATIENCE);
    let list = rtmpcat(&["trace", file.to_str().unwrap()]).expect_code(0).out();
    let plays: Vec<&str> = list.lines().filter(|line| line.contains(" play ")).collect();
    assert_eq!(plays.len(), 3, "{list}");
    for play in plays {
        let media = list.lines().filter(|line| {
            line.get(12..17) == play.get(12..17)
                && line.get(42..).is_some_and(|kind| kind.starts_with("Video") || kind.starts_with("Audio"))
        });
        assert_eq!(media.count(), clip(30).iter().filter(|tag| tag.kind != 18).count(), "{play} of\n{list}");
    }
}
