//! Makes the inputs to begin with: whole dialogues, files and values, in the form that each target reads. Writes
//! `tests/corpora/TARGET/seed-…`; run from the project's root.

#[path = "../corpora/targets/mod.rs"]
mod targets;

use std::io::Write;
use std::time::Duration;

use rtmpcat::capture::Direction;
use rtmpcat::capture::file::File;
use rtmpcat::capture::synthetic::PcapWriter;
use rtmpcat::flv::tag::{FileHeader, previous_tag_size, tag_header};
use rtmpcat::flv::writer::Writer;
use rtmpcat::proto::amf0::{self, Object, Value};
use rtmpcat::proto::amf3;
use rtmpcat::proto::command::Command;
use rtmpcat::proto::handshake::{Client, Kind, Server};
use rtmpcat::proto::server::{EndOfPlay, ServerEvent, ServerSession};
use rtmpcat::proto::rtmfp::cipher::{Opener, Protection};
use rtmpcat::proto::rtmfp;
use rtmpcat::proto::session::Session;
use targets::sessions::{client_config, server_options};
use targets::{TARGETS, random};

fn main() {
    handshakes();
    for options in [0, 1, 2, 4, 9, 0x58, 0x84] {
        dialogue(options);
    }
    values();
    files();
    answers();
    rtmfp();
}

/// Both ends shake hands in memory; what each heard is an input for it.
fn handshakes() {
    for (mode, kind) in [(0, Kind::Plain), (1, Kind::Digest), (3, Kind::Rtmpe)] {
        let (mut client, mut server) = (Client::new(kind, mode.into(), &random()), Server::new(mode.into(), &random()));
        let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
        client.start(&mut from_client);
        server.feed(&from_client.clone(), &mut from_server).expect("C0 and C1");
        let told = from_client.len();
        client.feed(&from_server, &mut from_client).expect("S0, S1, S2");
        server.feed(&from_client[told..], &mut from_server).expect("C2");
        save("handshake_client", &format!("{kind:?}"), &[&[mode, 0][..], &from_server].concat());
        save("handshake_server", &format!("{kind:?}"), &[&[mode, 0][..], &from_client].concat());
    }
    for (name, text) in [
        ("http", &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]),
        ("tls", b"\x15\x03\x01\0\x02\x02\x46"),
        ("version", b"\x08"),
    ] {
        save("handshake_client", name, &[&[1, 1][..], text].concat());
        save("handshake_server", name, &[&[1, 1][..], text].concat());
    }
}

/// A client plays a stream from a server, both in memory.
fn dialogue(options: u8) {
    let mut client = Session::new(client_config(Kind::Plain, options), 0, &random());
    let mut server = ServerSession::new(server_options(options), 0, &random());
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let bytes = client.output().to_vec();
        client.sent(bytes.len());
        from_client.extend_from_slice(&bytes);
        put(&bytes, |piece| {
            let count = piece.len().min(server.read_buffer().len());
            server.read_buffer()[..count].copy_from_slice(&piece[..count]);
            server.bytes_read(count);
            while let Some(event) = server.poll().expect("the client speaks RTMP") {
                play(&mut server, &event);
            }
            count
        });
        let bytes = server.output().to_vec();
        server.sent(bytes.len());
        from_server.extend_from_slice(&bytes);
        put(&bytes, |piece| {
            let count = piece.len().min(client.read_buffer().len());
            client.read_buffer()[..count].copy_from_slice(&piece[..count]);
            client.bytes_read(count);
            while client.poll().expect("the server speaks RTMP") {}
            count
        });
    }
    let name = format!("play-{options:02x}");
    save("session_client", &name, &[&[0, options, 0][..], &from_server[HANDSHAKE..]].concat());
    save("session_server", &name, &[&[0, options, 0][..], &from_client[HANDSHAKE..]].concat());
    if options == 0 {
        save("session_client", "whole", &[&[0x80, options, 9][..], &from_server].concat());
        save("session_server", "whole", &[&[0x80, options, 9][..], &from_client].concat());
    }
    if options < 3 {
        capture(&format!("client-{options}"), Direction::Client, &from_client);
        capture(&format!("server-{options}"), Direction::Server, &from_server);
    }
    if options < 4 {
        save("chunk", &format!("server-{options}"), &[&[1][..], &from_server[HANDSHAKE..]].concat());
        save("chunk", &format!("client-{options}"), &[&[0][..], &from_client[HANDSHAKE..]].concat());
    }
}

/// What one end said as a capture: pcapng as it is written, and pcap with every second pair of packets swapped.
fn capture(name: &str, from: Direction, bytes: &[u8]) {
    let mut trace = PcapWriter::new("seeds").expect("a file in memory");
    let mut connection = trace.open([127, 0, 0, 1].into(), Duration::ZERO, name).expect("a connection");
    for piece in bytes.chunks(1000) {
        trace.data(&mut connection, from, Duration::from_millis(5), piece).expect("data");
    }
    trace.close(&mut connection, Duration::from_secs(1)).expect("its end");
    let pcapng = trace.take();
    save("capture", name, &[&[9][..], &pcapng].concat());
    let mut packets = Vec::new();
    File::default().feed(&pcapng, |packet| packets.push(packet.frame.to_vec())).expect("what was written");
    packets.chunks_mut(2).for_each(|pair| pair.reverse());
    let mut pcap = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x65\0\0\0".to_vec();
    for packet in packets {
        let size = (packet.len() as u32).to_le_bytes();
        pcap.extend([[0; 4], [0; 4], size, size].concat());
        pcap.extend(packet);
    }
    save("capture", &format!("pcap-{name}"), &[&[0][..], &pcap].concat());
}

fn put(mut bytes: &[u8], mut take: impl FnMut(&[u8]) -> usize) {
    while !bytes.is_empty() {
        bytes = &bytes[take(bytes)..];
    }
}

fn play(server: &mut ServerSession, event: &ServerEvent) {
    match event {
        ServerEvent::Play(request) => {
            let id = request.stream_id;
            server.begin_play(request, false);
            let metadata = Object::default().with("duration", 1.0).with("width", 640.0).with("videocodecid", 7.0);
            server.data(id, 0, &["onMetaData".into(), metadata.into()]);
            server.media(id, 9, 0, b"\x17\0\0\0\0\x01\x64\0\x1f\xff\xe1\0\x04\x67\x64\0\x1f\x01\0\x02\x68\xee");
            server.media(id, 8, 0, b"\xaf\0\x12\x10");
            for time in 0..4u32 {
                server.media(
                    id,
                    9,
                    time * 40,
                    &[&[if time == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0][..], &[7; 150]].concat(),
                );
                server.media(id, 8, time * 40 + 3, &[0xaf, 1, 2, 3, 4]);
            }
            let part = |kind, time: u32, payload: &[u8]| {
                [&tag_header(kind, time, payload.len())[..], payload, &previous_tag_size(payload.len())].concat()
            };
            server.media(id, 22, 200, &[part(8, 7, &[0xaf, 1, 5]), part(9, 9, &[0x27, 1, 0, 0, 0, 6])].concat());
            server.ping(77);
            server.notify_buffer_full(id);
            server.end_play(id, EndOfPlay::Complete, 240, 0.24, 700.0);
        }
        ServerEvent::GetStreamLength { transaction_id, .. } => server.stream_length(*transaction_id, 0.24),
        _ => {}
    }
}

fn values() {
    let object = Object::default().with("code", "NetStream.Play.Start").with("level", "status").with("n", f64::NAN);
    let all = [
        Value::Number(1.5),
        Value::Boolean(true),
        Value::String("é".to_owned()),
        Value::Object(object.clone()),
        Value::Null,
        Value::Undefined,
        Value::Reference(1),
        Value::EcmaArray(object.clone()),
        Value::StrictArray(vec![Value::Null, Value::Number(0.0)]),
        Value::Date { time_ms: 1e12, time_zone_min: -60 },
        Value::Unsupported,
        Value::XmlDocument("<a/>".to_owned()),
        Value::TypedObject { class_name: "c".to_owned(), object: object.clone() },
    ];
    for (number, value) in all.iter().enumerate() {
        let mut out = Vec::new();
        amf0::encode(value, &mut out);
        save("amf0", &format!("value-{number:02}"), &out);
    }
    let mut nested = [10, 0, 0, 0, 1].repeat(70);
    nested.push(5);
    save("amf0", "deep", &nested);
    save("amf0", "announces-much", b"\x0a\xff\xff\xff\xff\x05\x05");
    save("amf0", "long-string", b"\x0c\0\0\0\x03abc");
    let amf3: [&[u8]; 14] = [
        b"\0",
        b"\x04\xff\xff\xff\xff",
        b"\x05\x3f\xf8\0\0\0\0\0\0",
        b"\x06\x07abc",
        b"\x08\x01\x42\x77\0\0\0\0\0\0",
        b"\x09\x05\x03a\x04\x01\x01\x06\0\x04\x02",
        b"\x0a\x0b\x01\x03a\x04\x07\x01",
        b"\x0a\x23\x03C\x03p\x06\x03x",
        b"\x0a\x07\x43flex.messaging.io.ArrayCollection\x09\x03\x01\x04\x01",
        b"\x0c\x05ab",
        b"\x0d\x05\0\0\0\0\x01\0\0\0\x02",
        b"\x0f\x03\0\x40\0\0\0\0\0\0\0",
        b"\x10\x03\0\x01\x0a\x0b\x01\x01",
        b"\x11\x03\0\x06\x03k\x04\x01",
    ];
    for (number, bytes) in amf3.iter().enumerate() {
        save("amf3", &format!("value-{number:02}"), bytes);
        save("amf0", &format!("amf3-{number:02}"), &[&[17][..], bytes].concat());
    }
    save("amf3", "deep", &[&b"\x09\x03\x01".repeat(70)[..], &[1]].concat());
    let _ = amf3::decode(amf3[0]);
    for (name, description) in [
        (
            "adobe",
            "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=u&salt=abc&challenge=def&opaque=ghi",
        ),
        ("llnw", "[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=u&nonce=abc"),
        ("need", "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "),
    ] {
        let information = object.clone().with("description", description);
        let arguments = vec![Value::Null, information.into()];
        let command = Command { name: "_error".to_owned(), transaction_id: 1.0, arguments }.encode();
        save("command", name, &[&[0][..], &command].concat());
        save("command", &format!("{name}-17"), &[&[1, 0][..], &command].concat());
    }
    let video: [&[u8]; 9] = [
        b"\x17\0\0\0\0\x01\x64",
        b"\x27\x01\0\0\x28\x05",
        b"\x90hvc1\x01",
        b"\x91avc1\0\0\x05abc",
        b"\x93av01abc",
        b"\x94hvc1\x02\0\x09colorInfo\x03\0\0\x09",
        b"\x96\x11hvc1\0\0\0\x03abc\x01\0\0\x01d",
        b"\x97\x02\0\0\x01\x13vp09abc",
        b"\x50\x00",
    ];
    let audio: [&[u8]; 6] = [
        b"\xaf\0\x12\x10",
        b"\xaf\x01abc",
        b"\x90Opus\x01",
        b"\x91mp4aabc",
        b"\x94Opus\x01\x02\0\0\0\x03",
        b"\x95\x11mp4a\0\0\0\x02ab",
    ];
    for (number, payload) in video.iter().chain(&audio).enumerate() {
        save("enhanced", &format!("payload-{number:02}"), &[&[0][..], payload].concat());
    }
    for (number, text) in [
        "rtmp://h/a/s",
        "rtmp://user:p%40ss@[fe80::1%25eth0]:1936/app/inst/mp4:dir/name.mp4?x=/y live=1 conn=O:1",
        "rtmpte://h/ondemand/a/b.flv playpath=a\\20b swfVfy=1\nrtmp://other/app\nO:1\nNS:a:b\nNO:o:1\nNN:n:1\nO:0\nO:0\nB:1\nZ:",
        "rtmps://h/a?slist=x.mp3&y\nrtmp://[::1]/a/b/c/d",
        "rtmp://h:99999/a\nN:x",
    ]
    .iter()
    .enumerate()
    {
        save("url", &format!("{number}"), text.as_bytes());
    }
}

fn files() {
    let (output, memory) = Output::memory();
    let mut writer = Writer::new(output);
    writer.file_header(FileHeader::new(true, true)).expect("memory");
    let mut script = Vec::new();
    amf0::encode_string("onMetaData", &mut script);
    amf0::encode(&Value::EcmaArray(Object::default().with("duration", 1.0).with("audiocodecid", 10.0)), &mut script);
    writer.tag(18, 0, &script).expect("memory");
    writer.tag(9, 0, b"\x17\0\0\0\0\x01").expect("memory");
    writer.tag(8, 0, b"\xaf\0\x12\x10").expect("memory");
    for time in 0..5u32 {
        writer.tag(9, time * 40, &[if time % 3 == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0, 9, 9]).expect("memory");
        writer.tag(8, 0x00ff_fffe + time, &[0xaf, 1, 9]).expect("memory");
    }
    writer.finish().expect("memory");
    let file = memory.bytes();
    save("flv_reader", "whole", &[&[0][..], &file].concat());
    save("flv_reader", "torn", &[&[3][..], &file[..file.len() - 9]].concat());
    save("flv_reader", "no-trailer", &[&[3][..], &file[..file.len() - 4]].concat());
    save("flv_reader", "garbage", &[&[0][..], &file[..60], b"no tags here", &file[60..]].concat());
    save("flv_reader", "second-header", &[&[9][..], &file, &file].concat());
    save("flv_reader", "no-first-size", &[&[0][..], &file[..9], &file[13..]].concat());

    let record = |op: u8, time: u32, payload: &[u8]| {
        let [_, a, b, c] = time.to_be_bytes();
        [&[op, a, b, c, payload.len() as u8][..], payload].concat()
    };
    let stream = |begin: u32| {
        let mut records =
            [record(11, begin, &script), record(3, begin, b"\x17\0\0\0\0\x01"), record(7, begin, b"\xaf\0\x12\x10")]
                .concat();
        for frame in 0..6u32 {
            let first = if frame.is_multiple_of(3) { 0x17 } else { 0x27 };
            records.extend(record(3, begin + frame * 40, &[first, 1, 0, 0, 0, 5]));
            records.extend(record(7, begin + frame * 40 + 5, &[0xaf, 1, 6]));
        }
        records
    };
    for options in [0, 1, 2, 6, 0x20, 0x3a, 0x42, 0xca] {
        let records = [
            stream(7),
            record(2, 0, b"abc"),
            stream(90_000),
            record(0, 0, b""),
            stream(0),
            record(1, 0, b""),
            stream(50),
        ];
        save("recorder", &format!("{options:02x}"), &[&[options][..], &records.concat()].concat());
    }

    let body = b"rtmpcat ".repeat(16);
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&body).expect("memory");
    save("swf", "fws", &[&b"FWS\x0b\x88\0\0\0"[..], &body].concat());
    save("swf", "cws", &[&b"CWS\x0b\x88\0\0\0"[..], &packed.finish().expect("memory")].concat());
    // Made by Python's lzma.
    let lzma = b"\x5d\0\0\x80\0\0\x39\x1d\x09\xde\xb2\x2d\x03\xc0\x8b\x44\x8c\x67\xa3\x2f\xff\xfe\x37\xd0\0\0";
    save("swf", "zws", &[&b"ZWS\x0b\x88\0\0\0\x15\0\0\0"[..], lzma].concat());
    save("swf", "zws-long", &[&b"ZWS\x0b\xff\xff\xff\0\x15\0\0\0"[..], lzma].concat());
    save("swf", "html", b"<!DOCTYPE html>");
}

fn answers() {
    let open = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na1b2\n";
    let data = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\u{1}abc";
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\u{1}\r\n3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n";
    let forever = "HTTP/1.0 200 OK\r\n\r\n\u{1}abc";
    let gone = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n";
    let before = "HTTP/1.1 100 Continue\r\n\r\n";
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n\u{1}abc";
    for (number, text) in [open, data, chunked, forever, gone, before, close].iter().enumerate() {
        save("http", &number.to_string(), &[&[0][..], text.as_bytes()].concat());
        let mut dialogue = Vec::new();
        for (closes, answer) in [(false, open), (false, data), (*text == forever, text), (false, gone)] {
            dialogue.extend((answer.len() as u16 | if closes { 0x8000 } else { 0 }).to_be_bytes());
            dialogue.extend(answer.as_bytes());
        }
        save("rtmpt", &number.to_string(), &dialogue);
    }
    save("http", "request", b"\0POST /send/a1b2/3 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
}

/// Both ends open an RTMFP session in memory; what each heard, and what is said in one, are inputs.
fn rtmfp() {
    let address = "192.0.2.1:1935".parse().expect("an address");
    let random = rtmfp::Random::from_bytes(&[7; rtmfp::Random::BYTES]);
    let mut initiator = rtmfp::Initiator::new("rtmfp://h/a", None, &[address], &random, 0);
    let mut responder = rtmfp::Responder::new(&[9; rtmfp::Responder::RANDOM_BYTES]);
    let (mut packets, mut opened) = (Vec::new(), false);
    while !opened {
        let (_, question) = initiator.transmit(0).expect("a question");
        let answer = responder.receive(&question[4..], address, 0, &mut || [5; 132]).expect("an answer");
        packets.extend([plain(&question), plain(&answer.datagram)]);
        opened = initiator.receive(&answer.datagram, address, 0).expect("agreement").is_some();
    }
    for (name, packet) in ["hello", "hello-answer", "keying", "keying-answer"].iter().zip(&packets) {
        save("rtmfp_packet", name, packet);
        save("rtmfp_keying", name, &record(u8::from(*name == "keying-answer"), packet));
    }
    let all: Vec<u8> = packets.iter().enumerate().flat_map(|(n, packet)| record(u8::from(n == 3), packet)).collect();
    save("rtmfp_keying", "all", &all);
    let redirect = b"\x0b\0\0\x71\0\x18\x10\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\0\x7f\0\0\x01\x07\x8f";
    save("rtmfp_keying", "redirect", &[record(0, redirect), record(0, &packets[1])].concat());
    let data: [&[u8]; 6] = [
        b"\x0e\x12\x34\x56\x78\x10\0\x10\x80\x02\x01\x01\x05\0TC\x04\0\0data",
        b"\x02\x10\0\x06\x10\x02\x02\x01begin\x11\0\x04\x30mid\x11\0\x04\x20end",
        b"\x02\x51\0\x05\x02\x7f\x01\0\x01\x50\0\x04\x02\x7f\x01\x05",
        b"\x02\x10\0\x05\x03\x02\x0a\0x\x18\0\x01\x02\x5e\0\x02\x02\0",
        b"\x02\x7f\0\x08\x80\x05\0\x02\x01\0\x02a\x7f\0\x04\0\x05\x01b\x01\0\x04ping",
        b"\x02\x0c\0\0\x4c\0\0",
    ];
    for (n, packet) in data.iter().enumerate() {
        save("rtmfp_packet", &format!("data-{n}"), packet);
        save("rtmfp_flow", &format!("data-{n}"), &record(4, packet));
    }
    save("rtmfp_flow", "all", &data.map(|packet| record(8, packet)).concat());
}

/// The packet in a startup datagram.
fn plain(datagram: &[u8]) -> Vec<u8> {
    Opener::new(Protection::startup()).open(&datagram[4..]).expect("a startup packet")
}

/// A record of the targets of RTMFP.
fn record(flags: u8, packet: &[u8]) -> Vec<u8> {
    [&[flags], &(packet.len() as u16).to_be_bytes()[..], packet].concat()
}

fn save(target: &str, name: &str, bytes: &[u8]) {
    assert!(TARGETS.iter().any(|(known, _)| *known == target), "{target}");
    let folder = std::path::Path::new("tests/corpora").join(target);
    std::fs::create_dir_all(&folder).expect("a folder for inputs");
    std::fs::write(folder.join(format!("seed-{}", name.to_lowercase())), bytes).expect("an input");
}

/// C0, C1 and C2, or S0, S1 and S2.
const HANDSHAKE: usize = 1 + 2 * 1536;
