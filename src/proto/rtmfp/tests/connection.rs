//! A player and a server over RTMFP: the same messages as over TCP, whatever the path does.

use super::super::{Connection, Error, FlowEvent, Session};
use super::ends::*;
use crate::proto::chunk::Limits;
use crate::proto::handshake::{Kind, Random};
use crate::proto::server::{EndOfPlay, ServerEvent, ServerOptions, ServerSession};
use crate::proto::session::{self, ConnectParams, Event, Order, PlayParams, SessionConfig};

/// A player and a server, and what each has to do with the other.
struct Theatre {
    player: session::Session,
    server: ServerSession,
    at_player: Connection,
    at_server: Connection,
    wire: Wire,
    now_ms: u64,
    media: Vec<(u8, u32, Vec<u8>)>,
    published: Vec<(u8, u32, Vec<u8>)>,
}

fn player(play: bool) -> session::Session {
    let connect = ConnectParams {
        app: "live".to_owned(),
        flash_ver: "LNX 10,0,32,18".to_owned(),
        swf_url: None,
        tc_url: "rtmfp://example/live".to_owned(),
        page_url: None,
        object_encoding: None,
        extra_properties: Vec::new(),
        auth: None,
        arguments: Vec::new(),
    };
    let play = play.then(|| PlayParams {
        playpath: "s".to_owned(),
        start_ms: -1000.0,
        length_ms: None,
        buffer_ms: 1000,
        subscribe: None,
        playlist: false,
        ask_length: false,
        refresh_buffer: false,
    });
    let config = SessionConfig {
        handshake: Kind::Digest,
        connect,
        play,
        order: Order::Strict,
        token: None,
        usher_token: None,
        swf: None,
        limits: Limits::default(),
    };
    session::Session::new(config, 0, &Random::from_bytes(&[7; Random::BYTES]))
}

/// Frames of sizes between nothing and a few fragments, as audio, video and data.
fn frames() -> Vec<(u8, u32, Vec<u8>)> {
    (0..120u32).map(|n| ([9, 8, 9, 18][n as usize % 4], n * 20, vec![n as u8; (n * n) as usize % 7000])).collect()
}

impl Theatre {
    fn new(path: Path, seed: u64) -> Self {
        let random = super::super::Random::from_bytes(&Seeded::new(seed).bytes());
        let at_player = Connection::connect("rtmfp://example/live", None, &[server_address()], &random, 0);
        let (_, opened, _) = open(&mut Wire::new(PERFECT, seed), seed);
        let at_server = Connection::accept(opened, 0);
        Self {
            player: player(true),
            server: ServerSession::new(ServerOptions::default(), 0, &Random::from_bytes(&[9; Random::BYTES])),
            at_player,
            at_server,
            wire: Wire::new(path, seed),
            now_ms: 0,
            media: Vec::new(),
            published: Vec::new(),
        }
    }

    /// Has the player's connection open the session that the server's has.
    fn open(&mut self, seed: u64) {
        let mut responder = super::super::Responder::new(&Seeded::new(seed + 1).bytes());
        while !self.at_player.is_open() {
            let Some((to, datagram)) = self.at_player.transmit(self.now_ms) else { panic!("nothing is sent") };
            assert_eq!(to, server_address());
            let answer = responder
                .receive(&datagram[4..], client_address(), self.now_ms, &mut || Seeded::new(seed + 2).bytes())
                .unwrap();
            if let Some(opened) = answer.opened {
                self.at_server = Connection::accept(opened, self.now_ms);
            }
            self.at_player.receive(&answer.datagram, server_address(), self.now_ms);
        }
        assert_eq!(self.at_player.peer(), Some(server_address()));
    }

    /// Both applications say and hear what they can; datagrams are carried.
    fn step(&mut self, serve: &mut dyn FnMut(&mut ServerSession, &ServerEvent)) {
        let mut buffer = [0; 1000];
        loop {
            let output = self.player.output().to_vec();
            self.player.sent(output.len());
            self.at_player.write(&output).unwrap();
            let count = self.at_player.read(&mut buffer);
            self.player.read_buffer()[..count].copy_from_slice(&buffer[..count]);
            self.player.bytes_read(count);
            while self.player.poll().unwrap() {
                if let Some(Event::Media(message, _)) = self.player.event() {
                    let header = message.header;
                    self.media.push((header.message_type_id, header.timestamp, message.payload.to_vec()));
                }
            }
            if count == 0 && self.player.output().is_empty() {
                break;
            }
        }
        loop {
            let output = self.server.output().to_vec();
            self.server.sent(output.len());
            self.at_server.write(&output).unwrap();
            let count = self.at_server.read(&mut buffer);
            self.server.read_buffer()[..count].copy_from_slice(&buffer[..count]);
            self.server.bytes_read(count);
            while let Some(event) = self.server.poll().unwrap() {
                serve(&mut self.server, &event);
                if let (ServerEvent::Media { .. }, Some(message)) = (&event, self.server.message()) {
                    let header = message.header;
                    self.published.push((header.message_type_id, header.timestamp, message.payload.to_vec()));
                }
            }
            if count == 0 && self.server.output().is_empty() {
                break;
            }
        }
        let now_ms = self.now_ms;
        while let Some((to, datagram)) = self.at_player.transmit(now_ms) {
            assert_eq!(to, server_address());
            self.wire.send(false, &datagram, now_ms);
        }
        while let Some((to, datagram)) = self.at_server.transmit(now_ms) {
            assert_eq!(to, client_address());
            self.wire.send(true, &datagram, now_ms);
        }
        let times = [self.wire.next_ms(), self.at_player.wake_at_ms(), self.at_server.wake_at_ms()];
        self.now_ms = times.into_iter().flatten().min().unwrap_or(now_ms).max(now_ms + 1);
        while let Some((to_player, datagram)) = self.wire.receive(self.now_ms) {
            match to_player {
                true => self.at_player.receive(&datagram, server_address(), self.now_ms),
                false => self.at_server.receive(&datagram, client_address(), self.now_ms),
            }
        }
    }
}

/// What the server does: plays [`frames`].
fn play(server: &mut ServerSession, event: &ServerEvent) {
    if let ServerEvent::Play(request) = event {
        server.begin_play(request, false);
        for (kind, timestamp, payload) in frames() {
            server.media(request.stream_id, kind, timestamp, &payload);
        }
        server.end_play(request.stream_id, EndOfPlay::Complete, 2400, 2.4, 1.0);
    }
}

#[test]
fn a_stream_is_played_whatever_the_path_loses() {
    for loss in [0, 1, 5, 20] {
        let path = Path { loss, duplication: 5, delay_ms: 20, jitter_ms: 10 };
        let mut theatre = Theatre::new(path, 3);
        theatre.open(3);
        while theatre.media.iter().filter(|(kind, ..)| *kind != 18).count() < 90 {
            theatre.step(&mut play);
            assert!(theatre.now_ms < 300_000 && theatre.at_player.error(theatre.now_ms).is_none(), "{loss} %");
        }
        // What servers say about a stream by data messages is no frame of these.
        let expected: Vec<_> = frames();
        let first = theatre.media.iter().position(|message| *message == expected[0]).unwrap();
        for _ in 0..200 {
            theatre.step(&mut play);
        }
        assert!(theatre.media[first..].starts_with(&expected), "{loss} %");
    }
}

#[test]
fn closing_waits_for_what_was_written() {
    let mut theatre = Theatre::new(Path { loss: 20, ..PERFECT }, 5);
    theatre.open(5);
    theatre.player = player(false);
    for _ in 0..100 {
        theatre.step(&mut |_, _| {});
    }
    assert!(theatre.server.connect().is_some());
    assert_eq!(theatre.at_server.error(theatre.now_ms), None);
    theatre.at_player.close(theatre.now_ms);
    let began_ms = theatre.now_ms;
    while !theatre.at_player.is_closed() || !theatre.at_server.is_closed() {
        theatre.step(&mut |_, _| {});
        assert!(theatre.now_ms < began_ms + 30_000);
    }
    assert_eq!(theatre.at_player.error(theatre.now_ms), None);
}

#[test]
fn bytes_that_are_no_rtmp_are_refused() {
    let mut theatre = Theatre::new(PERFECT, 5);
    theatre.open(5);
    assert!(theatre.at_player.write(b"GET / HTTP/1.1\r\n\r\n").is_err());
}

/// A client's connection, and the bare session of its server.
fn with_bare_server() -> (Connection, Session) {
    let mut theatre = Theatre::new(PERFECT, 6);
    let mut responder = super::super::Responder::new(&Seeded::new(9).bytes());
    loop {
        let (_, datagram) = theatre.at_player.transmit(0).unwrap();
        let answer = responder.receive(&datagram[4..], client_address(), 0, &mut || [3; 132]).unwrap();
        theatre.at_player.receive(&answer.datagram, server_address(), 0);
        if let Some(opened) = answer.opened {
            let server = Session::new(opened, 0);
            // The player says connect.
            let mut buffer = [0; 4096];
            for _ in 0..3 {
                let output = theatre.player.output().to_vec();
                theatre.player.sent(output.len());
                theatre.at_player.write(&output).unwrap();
                let count = theatre.at_player.read(&mut buffer);
                theatre.player.read_buffer()[..count].copy_from_slice(&buffer[..count]);
                theatre.player.bytes_read(count);
                theatre.player.poll().unwrap();
            }
            return (theatre.at_player, server);
        }
    }
}

fn exchange(client: &mut Connection, server: &mut Session) {
    for _ in 0..5 {
        while let Some((_, datagram)) = client.transmit(10) {
            server.receive(&datagram[4..], client_address(), 10);
        }
        while let Some(datagram) = server.transmit(10) {
            client.receive(&datagram, server_address(), 10);
        }
    }
}

#[test]
fn connect_comes_on_flow_2_and_only_flows_that_answer_are_heard() {
    let (mut client, mut server) = with_bare_server();
    exchange(&mut client, &mut server);
    let first = server.poll().unwrap();
    let opened = FlowEvent::FlowOpened { flow_id: 2, metadata: b"TC\x04\0".to_vec(), association: None };
    assert_eq!(first, opened);
    let Some(FlowEvent::Message { flow_id: 2, message }) = server.poll() else { panic!("no connect") };
    assert!(message.starts_with(b"\x14\0\0\0\0\x02\0\x07connect"));
    let mut buffer = [0; 4096];
    while client.read(&mut buffer) > 0 {}
    for (metadata, association, is_heard) in [
        (&b"TC\x04\0"[..], None, false),
        (b"XX", Some(2), false),
        (b"TC\x04\0", Some(9), false),
        (b"TC\x04\x01", Some(2), true),
        (b"TC\x04\0", Some(2), true),
    ] {
        let flow = server.open_flow(metadata, association, false);
        server.send(flow, b"\x14\0\0\0\0some command");
        exchange(&mut client, &mut server);
        assert_eq!(client.read(&mut buffer) > 0, is_heard, "{metadata:?} {association:?}");
        let rejected = std::iter::from_fn(|| server.poll()).any(|e| e == FlowEvent::FlowRejected { flow_id: flow });
        assert_eq!(rejected, !is_heard);
    }
}

#[test]
fn control_messages_of_rtmfp_end_here() {
    let (mut client, mut server) = with_bare_server();
    exchange(&mut client, &mut server);
    let mut buffer = [0; 4096];
    while client.read(&mut buffer) > 0 {}
    let flow = server.open_flow(b"TC\x04\0", Some(2), false);
    for (message, is_heard) in [
        (&b"\x04\0\0\0\0\0\x29\0\0\x3a\x98\0\0\x27\x10"[..], false),
        (b"\x04\0\0\0\0\0\x22\0\0\0\x01\0\0\0\x02", false),
        (b"\x01\0\0\0\0\0\0\0\x01", false),
        (b"\x05\0\0\0\0\0\0\0\x01", false),
        (b"", false),
        (b"\x09\0\0", false),
        (b"\x04\0\0\0\0\0\0\0\0\0\x01", true),
    ] {
        server.send(flow, message);
        exchange(&mut client, &mut server);
        assert_eq!(client.read(&mut buffer) > 0, is_heard, "{message:?}");
    }
}

#[test]
fn a_refused_flow_fails_the_connection() {
    let (mut client, mut server) = with_bare_server();
    let (_, datagram) = client.transmit(10).unwrap();
    server.receive(&datagram[4..], client_address(), 10);
    server.reject(2);
    exchange(&mut client, &mut server);
    assert_eq!(client.error(10), Some(Error::ControlFlowRejected));
    assert_eq!(Error::ControlFlowRejected.to_string(), "the peer rejected the control flow");
    assert_eq!(Error::FlowRejected(3).to_string(), "the peer rejected the flow of stream 3");
}

#[test]
fn the_end_of_the_control_flow_ends_the_session() {
    let (mut client, mut server) = with_bare_server();
    exchange(&mut client, &mut server);
    let flow = server.open_flow(b"TC\x04\0", Some(2), false);
    server.send(flow, b"\x14\0\0\0\0some command");
    server.finish_flows();
    exchange(&mut client, &mut server);
    exchange(&mut client, &mut server);
    assert!(client.is_closed() && server.is_closed());
}
