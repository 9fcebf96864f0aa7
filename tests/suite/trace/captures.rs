//! Captures that other programs made.

use super::*;

/// rtmpdump 2.4 plays a file of a second from nginx with its RTMP module 1.2.2; saved by tcpdump 4.99 on the loopback
/// interface, one connection.
const CAPTURE: &[u8] = include_bytes!("../../data/rtmpdump-nginx.pcap");

/// What is said of it.
const LIST: &str = include_str!("../../data/rtmpdump-nginx.txt");

#[test]
fn a_capture_of_others_is_read_to_the_letter() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rtmpdump-nginx.pcap");
    assert_eq!(rtmpcat(&["trace", path]).expect_code(0).out(), LIST);
    let mut piped = Running::start_with_stdin(&mut rtmpcat_with(["trace", "-"]));
    std::io::Write::write_all(&mut piped.stdin().unwrap(), CAPTURE).unwrap();
    assert_eq!(piped.finish(PATIENCE).expect_code(0).out(), LIST);
}

/// The frames of the capture, with their link type.
pub fn frames() -> Vec<(u32, Vec<u8>)> {
    let mut frames = Vec::new();
    File::default().feed(CAPTURE, |packet| frames.push((packet.link_type, packet.frame.to_vec()))).unwrap();
    frames
}

/// Notes an event in a form that can be compared.
pub fn note(events: &mut Vec<String>, number: u32, event: Event<'_>) {
    events.push(match event {
        Event::Said(from, Seen::Message(message)) => {
            format!("{number} {from:?} {:?} {:?}", message.header, message.payload)
        }
        other => format!("{number} {other:?}"),
    });
}

/// What frames come to, in short.
pub fn events(frames: &[(u32, Vec<u8>)]) -> Vec<String> {
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
