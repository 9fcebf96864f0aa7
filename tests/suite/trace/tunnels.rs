//! HTTP tunnels in captures that other programs made.

use super::captures::{events, frames, note};
use super::*;

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
    // Lies about lengths, requests without an answer, heads without end.
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
