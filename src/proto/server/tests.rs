mod gate;
mod long;

use super::*;
use crate::proto::amf0::Object;
use crate::proto::chunk::Limits;
use crate::proto::command::{Command, NetStatus};
use crate::proto::link::user_control;
use crate::proto::message::MessageHeader;
use crate::proto::session::{
    ConnectParams, Event, Order, PlayParams, Session, SessionConfig, SessionEvent, StatusKind,
};
use crate::proto::status::CommandKind;

/// Client and server in memory; what each says is carried over in pieces of `step` bytes.
struct Pair {
    client: Session,
    server: ServerSession,
    step: usize,
    notes: Vec<SessionEvent>,
    media: Vec<(u8, u32, Vec<u8>)>,
    events: Vec<ServerEvent>,
}

impl Pair {
    fn new(config: SessionConfig, options: ServerOptions) -> Self {
        let random = handshake::Random::from_bytes(&[7; handshake::Random::BYTES]);
        Self {
            client: Session::new(config, 0, &random),
            server: ServerSession::new(options, 0, &random),
            step: usize::MAX,
            notes: Vec::new(),
            media: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Carries bytes until both ends are silent; `answer` decides about the server's events.
    fn run(&mut self, mut answer: impl FnMut(&mut ServerSession, &ServerEvent)) {
        for _ in 0..1_000_000 {
            let to_server = self.client.output().to_vec();
            self.client.sent(to_server.len());
            carry(&to_server, self.step, &mut self.server, |server| {
                while let Some(event) = server.poll().unwrap() {
                    answer(server, &event);
                    self.events.push(event);
                }
            });
            let to_client = self.server.output().to_vec();
            self.server.sent(to_client.len());
            let (notes, media) = (&mut self.notes, &mut self.media);
            carry(&to_client, self.step, &mut self.client, |client| {
                while client.poll().unwrap() {
                    match client.event().unwrap() {
                        Event::Media(m, _) => {
                            media.push((m.header.message_type_id, m.header.timestamp, m.payload.to_vec()));
                        }
                        Event::Session(note) => notes.push(note.clone()),
                    }
                }
            });
            if to_client.is_empty() && to_server.is_empty() {
                return;
            }
        }
        panic!("they never stop talking");
    }

    fn statuses(&self) -> Vec<&str> {
        let code = |note: &'_ SessionEvent| matches!(note, SessionEvent::Status(..) | SessionEvent::Failed { .. });
        let statuses = self.notes.iter().filter(|note| code(note));
        statuses
            .map(|note| match note {
                SessionEvent::Status(_, status) | SessionEvent::Failed { status, .. } => status.code.as_str(),
                _ => "",
            })
            .collect()
    }

    fn failure(&self) -> Option<(CommandKind, &NetStatus)> {
        self.notes.iter().find_map(|note| match note {
            SessionEvent::Failed { command, status, .. } => Some((*command, status)),
            _ => None,
        })
    }
}

/// Both ends take bytes in the same way.
trait Takes {
    fn read_buffer(&mut self) -> &mut [u8];
    fn bytes_read(&mut self, count: usize);
}

impl Takes for Session {
    fn read_buffer(&mut self) -> &mut [u8] {
        Session::read_buffer(self)
    }
    fn bytes_read(&mut self, count: usize) {
        Session::bytes_read(self, count);
    }
}

impl Takes for ServerSession {
    fn read_buffer(&mut self) -> &mut [u8] {
        ServerSession::read_buffer(self)
    }
    fn bytes_read(&mut self, count: usize) {
        ServerSession::bytes_read(self, count);
    }
}

fn carry<T: Takes>(mut bytes: &[u8], step: usize, to: &mut T, mut then: impl FnMut(&mut T)) {
    while !bytes.is_empty() {
        let buffer = to.read_buffer();
        let count = buffer.len().min(bytes.len()).min(step);
        buffer[..count].copy_from_slice(&bytes[..count]);
        to.bytes_read(count);
        bytes = &bytes[count..];
        then(to);
    }
}

fn config() -> SessionConfig {
    SessionConfig {
        handshake: handshake::Kind::Plain,
        connect: ConnectParams {
            app: "vod".into(),
            flash_ver: "LNX 10,0,32,18".into(),
            swf_url: None,
            tc_url: "rtmp://h:1935/vod".into(),
            page_url: None,
            object_encoding: None,
            extra_properties: Vec::new(),
            auth: None,
            arguments: Vec::new(),
        },
        play: Some(PlayParams {
            playpath: "movie".into(),
            start_ms: 0.0,
            length_ms: None,
            buffer_ms: 5000,
            subscribe: None,
            playlist: false,
            ask_length: true,
            refresh_buffer: false,
        }),
        order: Order::Strict,
        token: None,
        usher_token: None,
        swf: None,
        limits: Limits::default(),
    }
}

fn gated(access: AccessPolicy) -> ServerOptions {
    ServerOptions { access, ..ServerOptions::default() }
}

/// Plays three tags and ends.
fn three_tags(server: &mut ServerSession, event: &ServerEvent) {
    match event {
        ServerEvent::GetStreamLength { transaction_id, .. } => server.stream_length(*transaction_id, 12.5),
        ServerEvent::Play(request) => {
            server.begin_play(request, true);
            server.media(request.stream_id, message_type::VIDEO, 0, &[0x17; 300]);
            server.media(request.stream_id, message_type::AUDIO, 20, &[0xaf; 10]);
            server.media(request.stream_id, message_type::VIDEO, 10, &[0x27; 5]);
            server.end_play(request.stream_id, EndOfPlay::Complete, 20, 0.02, 315.0);
        }
        _ => {}
    }
}

#[test]
fn a_client_plays_whatever_the_order_the_pieces_and_the_chunk_size() {
    for order in [Order::Strict, Order::Pipelined, Order::Fast] {
        for (chunk_size, step) in [(None, usize::MAX), (Some(1), usize::MAX), (Some(65536), 1), (Some(4096), 100)] {
            for first_stream_id in [1, 40] {
                let options = ServerOptions { chunk_size, first_stream_id, ..ServerOptions::default() };
                let mut pair = Pair::new(SessionConfig { order, ..config() }, options);
                pair.step = step;
                pair.run(three_tags);
                let media: Vec<_> = pair.media.iter().filter(|(kind, ..)| *kind != 18).collect();
                let expected = [(9, 0, vec![0x17; 300]), (8, 20, vec![0xaf; 10]), (9, 10, vec![0x27; 5])];
                // A stream that has another ID than assumed is asked for again; what was asked of the wrong one is refused.
                assert!(expected.iter().eq(media), "{order:?} {chunk_size:?} {first_stream_id}: {:?}", pair.notes);
                assert!(pair.notes.contains(&SessionEvent::StreamLength(12.5)));
                assert!(pair.notes.contains(&SessionEvent::StreamCreated(first_stream_id)));
                let ends = ["NetStream.Play.Start", "NetStream.Play.Complete", "NetStream.Play.Stop"];
                assert!(ends.iter().all(|end| pair.statuses().contains(end)), "{:?}", pair.statuses());
                let buffer = ServerEvent::BufferLength { stream_id: first_stream_id, buffer_ms: 5000 };
                assert!(pair.events.contains(&buffer), "{:?}", pair.events);
            }
        }
    }
}

#[test]
fn what_connect_says_comes_up() {
    let mut config = config();
    config.connect.app = "vod/inst?key=1/2".into();
    config.connect.arguments = vec!["extra".into()];
    config.play = None;
    let mut pair = Pair::new(config, ServerOptions::default());
    pair.run(|_, _| {});
    let [ServerEvent::Connect(connect)] = pair.events.as_slice() else { panic!("{:?}", pair.events) };
    assert_eq!((connect.app.as_str(), connect.query.as_str()), ("vod/inst", "key=1/2"));
    assert_eq!(connect.tc_url, "rtmp://h:1935/vod");
    assert_eq!(connect.arguments, ["extra".into()]);
    let Some(SessionEvent::Connected(result)) =
        pair.notes.iter().find(|note| matches!(note, SessionEvent::Connected(_)))
    else {
        panic!("{:?}", pair.notes)
    };
    assert_eq!(NetStatus::of(result).code.as_str(), "NetConnection.Connect.Success");
    assert_eq!(pair.client.link().peer_chunk_size(), 4096);
    assert_eq!(pair.client.link().window(), 2_500_000);
}

#[test]
fn refusals_say_why_and_close() {
    let redirect = AccessPolicy { redirect: Some("rtmp://other/app".into()), ..AccessPolicy::default() };
    let mut pair = Pair::new(config(), gated(redirect));
    pair.run(|_, _| {});
    let (command, status) = pair.failure().unwrap();
    assert_eq!((command, status.code.as_str()), (CommandKind::Connect, "NetConnection.Connect.Rejected"));
    let ex = status.information.get("ex").and_then(Value::as_object).unwrap();
    assert_eq!(ex.get("code").and_then(Value::as_number), Some(302.0));
    assert_eq!(ex.get("redirect").and_then(Value::as_str), Some("rtmp://other/app"));
    assert!(pair.server.is_closing() && pair.notes.contains(&SessionEvent::CloseRequested));

    let some = |text: &str| Some(text.to_owned());
    let closed = [
        AccessPolicy {
            reject: Some(("NetConnection.Connect.Rejected".into(), "No.".into())),
            ..AccessPolicy::default()
        },
        AccessPolicy { apps: vec!["live".into()], ..AccessPolicy::default() },
        AccessPolicy { page_url: some("http://page"), ..AccessPolicy::default() },
        AccessPolicy { auth: some("secret"), ..AccessPolicy::default() },
    ];
    for access in closed {
        let mut pair = Pair::new(config(), gated(access.clone()));
        pair.run(three_tags);
        assert!(pair.failure().is_some() && pair.server.is_closing() && pair.media.is_empty(), "{access:?}");
        let mut right = config();
        right.connect.app = "live".into();
        right.connect.page_url = some("http://page");
        right.connect.auth = some("secret");
        let mut pair = Pair::new(right, gated(access.clone()));
        pair.run(three_tags);
        assert_eq!(pair.failure().is_none(), access.reject.is_none(), "{access:?}");
    }
}

#[test]
fn calls_are_answered() {
    let mut pair = Pair::new(SessionConfig { play: None, ..config() }, ServerOptions::default());
    pair.run(|_, _| {});
    let object = Value::Object(Object::default().with("a", 1.0).with("b", Value::StrictArray(vec![true.into()])));
    pair.client.call("echo", vec![object.clone(), "text".into(), Value::Undefined]);
    pair.client.call("sum", vec![1.5.into(), 2.0.into()]);
    pair.client.call("no\u{1b}such", vec![]);
    pair.run(|_, _| {});
    let answers: Vec<_> = pair
        .notes
        .iter()
        .filter_map(|note| match note {
            SessionEvent::Answer(command) => Some(command.arguments.clone()),
            _ => None,
        })
        .collect();
    let echoed = vec![Value::Null, object, "text".into(), Value::Undefined];
    assert_eq!(answers, [echoed, vec![Value::Null, 3.5.into()]]);
    let (command, status) = pair.failure().unwrap();
    assert_eq!((command, status.code.as_str()), (CommandKind::Other, "NetConnection.Call.Failed"));
    assert!(status.description.contains("\\u{1b}"), "{}", status.description);
}

/// A client that says what a test wants.
struct Raw {
    server: ServerSession,
    link: ChunkLink,
    events: Vec<ServerEvent>,
    said: Vec<(Command, u8)>,
}

impl Raw {
    fn new(options: ServerOptions) -> Self {
        let random = handshake::Random::from_bytes(&[7; handshake::Random::BYTES]);
        let mut server = ServerSession::new(options, 0, &random);
        carry(&[&[3][..], &[0; 1536 * 2]].concat(), 700, &mut server, |server| {
            assert_eq!(server.poll().unwrap(), None)
        });
        let sent = server.output().len();
        assert_eq!(sent, 1 + 1536 * 2);
        server.sent(sent);
        assert!(server.is_past_handshake());
        Self { server, link: ChunkLink::new(Limits::default()), events: Vec::new(), said: Vec::new() }
    }

    fn connected(object: Object) -> Self {
        let mut raw = Self::new(ServerOptions::default());
        raw.say("connect", 1.0, vec![object.into()], 0);
        raw.say("createStream", 2.0, vec![Value::Null], 0);
        raw
    }

    fn say(&mut self, name: &str, transaction_id: f64, arguments: Vec<Value>, stream_id: u32) {
        let payload = Command { name: name.into(), transaction_id, arguments }.encode();
        self.send(message_type::COMMAND_AMF0, stream_id, &payload);
    }

    fn send(&mut self, message_type_id: u8, message_stream_id: u32, payload: &[u8]) {
        let header = MessageHeader { chunk_stream_id: 3, message_type_id, timestamp: 0, message_stream_id, length: 0 };
        self.link.send(header, payload);
        let bytes = self.link.output().to_vec();
        self.link.sent(bytes.len());
        let events = &mut self.events;
        carry(&bytes, usize::MAX, &mut self.server, |server| {
            while let Some(event) = server.poll().unwrap() {
                events.push(event);
            }
        });
        let back = self.server.output().to_vec();
        self.server.sent(back.len());
        for piece in back.chunks(4096) {
            let buffer = self.link.read_buffer();
            buffer[..piece.len()].copy_from_slice(piece);
            self.link.bytes_read(piece.len());
            while self.link.poll().unwrap() {
                let message = self.link.message().unwrap();
                let kind = message.header.message_type_id;
                if let (20 | 17, Ok(command)) = (kind, Command::decode(&message)) {
                    self.said.push((command, kind));
                }
            }
        }
        let acknowledged = self.link.output().len();
        self.link.sent(acknowledged);
    }

    fn last_play(&self) -> &PlayRequest {
        match self.events.last() {
            Some(ServerEvent::Play(request)) => request,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn plays_arguments_are_read_in_every_form() {
    let mut raw = Raw::connected(Object::default());
    let cases: [(&[Value], Start, Option<f64>, bool); 8] = [
        (&[], Start::Any, None, true),
        (&[(-2.0).into()], Start::Any, None, true),
        (&[(-2000.0).into()], Start::Any, None, true),
        (&[(-1.0).into(), (-1.0).into(), false.into()], Start::Live, None, false),
        (&[(-1000.0).into(), (-1000.0).into(), 0.0.into()], Start::Live, None, false),
        (&[0.0.into(), 0.0.into(), 1.0.into()], Start::Recorded(0.0), Some(0.0), true),
        (&[1500.0.into(), 3000.0.into(), true.into()], Start::Recorded(1500.0), Some(3000.0), true),
        (&[f64::NAN.into(), f64::NAN.into()], Start::Any, None, true),
    ];
    for (arguments, start, length_ms, reset) in cases {
        let all = [&[Value::Null, "s".into()], arguments].concat();
        raw.say("play", 0.0, all, 1);
        let play = raw.last_play();
        assert_eq!(
            (play.start, play.length_ms, play.reset, play.stream_id),
            (start, length_ms, reset, 1),
            "{arguments:?}"
        );
    }
    let before = raw.events.len();
    raw.say("play", 5.0, vec![Value::Null, "s".into()], 7);
    assert_eq!(raw.events.len(), before, "stream 7 was never created");
    assert_eq!(raw.said.last().unwrap().0.name, "_error");
    raw.say("play", 0.0, vec![Value::Null, false.into()], 1);
    assert_eq!(raw.events.last(), Some(&ServerEvent::Close { stream_id: 1 }));
}

#[test]
fn what_is_said_during_play_comes_up() {
    let mut raw = Raw::connected(Object::default());
    raw.events.clear();
    raw.say("pause", 3.0, vec![Value::Null, true.into(), 1234.0.into()], 1);
    raw.say("pauseRaw", 3.0, vec![Value::Null, false.into(), 1235.0.into()], 1);
    raw.say("seek", 4.0, vec![Value::Null, 5000.0.into()], 1);
    raw.say("receiveAudio", 0.0, vec![Value::Null, false.into()], 1);
    raw.say("receiveVideo", 0.0, vec![Value::Null, true.into()], 1);
    raw.say("closeStream", 0.0, vec![Value::Null], 1);
    raw.say("deleteStream", 0.0, vec![Value::Null, 1.0.into()], 0);
    raw.say("deleteStream", 0.0, vec![Value::Null, 1.0.into()], 0);
    raw.say("onStatus", 0.0, vec![Value::Null], 0);
    let expected = [
        ServerEvent::Pause { stream_id: 1, paused: true, at_ms: 1234.0 },
        ServerEvent::Pause { stream_id: 1, paused: false, at_ms: 1235.0 },
        ServerEvent::Seek { stream_id: 1, to_ms: 5000.0 },
        ServerEvent::Receive { stream_id: 1, message_type_id: 8, wanted: false },
        ServerEvent::Receive { stream_id: 1, message_type_id: 9, wanted: true },
        ServerEvent::Close { stream_id: 1 },
        ServerEvent::Close { stream_id: 1 },
    ];
    assert_eq!(raw.events, expected);
}

#[test]
fn nothing_goes_before_connect_and_connect_goes_once() {
    let mut raw = Raw::new(ServerOptions::default());
    raw.say("createStream", 2.0, vec![Value::Null], 0);
    raw.say("play", 0.0, vec![Value::Null, "s".into()], 1);
    assert!(raw.events.is_empty() && raw.said.is_empty());
    raw.say("connect", 1.0, vec![], 0);
    raw.say("connect", 1.0, vec![], 0);
    assert_eq!(raw.events.len(), 1);
    assert_eq!(raw.server.link().tolerated().unknown_messages, 3);
}

#[test]
fn encoding_3_is_answered_in_commands_of_type_17() {
    let mut raw = Raw::connected(Object::default().with("objectEncoding", 3.0).with("fourCcList", "x"));
    assert!(raw.said.iter().all(|(_, kind)| *kind == 17) && raw.said.len() >= 3, "{:?}", raw.said);
    let information = raw.said[0].0.information().unwrap();
    assert_eq!(raw.said[0].0.name, "_result");
    let success = raw.said[0].0.arguments.get(1).and_then(Value::as_object).unwrap();
    assert_eq!(success.get("objectEncoding").and_then(Value::as_number), Some(3.0), "{information:?}");
    assert!(success.get("fourCcList").is_some());
    // And with the same in front, as senders of AMF 3 do.
    let echo = [&[0][..], &Command { name: "echo".into(), transaction_id: 9.0, arguments: vec![Value::Null] }.encode()];
    raw.send(message_type::COMMAND_AMF3, 0, &echo.concat());
    assert_eq!(raw.said.last().unwrap().0.transaction_id, 9.0);
}

#[test]
fn streams_are_limited_and_numbered_on() {
    let mut raw = Raw::connected(Object::default());
    for _ in 0..100 {
        raw.say("createStream", 2.0, vec![Value::Null], 0);
    }
    let created = raw.events.iter().filter(|event| matches!(event, ServerEvent::CreateStream(_))).count();
    assert_eq!(created, MAX_STREAMS);
    raw.say("deleteStream", 0.0, vec![Value::Null, 3.0.into()], 0);
    raw.say("createStream", 2.0, vec![Value::Null], 0);
    assert_eq!(raw.events.last(), Some(&ServerEvent::CreateStream(65)));
}

#[test]
fn a_client_that_asks_and_does_not_read_is_not_answered_for_ever() {
    let mut raw = Raw::connected(Object::default());
    let payload =
        Command { name: "echo".into(), transaction_id: 1.0, arguments: vec!["x".repeat(500).into()] }.encode();
    let header =
        MessageHeader { chunk_stream_id: 3, message_type_id: 20, timestamp: 0, message_stream_id: 0, length: 0 };
    for _ in 0..10_000 {
        raw.link.send(header, &payload);
    }
    let bytes = raw.link.output().to_vec();
    let buffer = raw.server.read_buffer();
    let count = buffer.len().min(bytes.len());
    buffer[..count].copy_from_slice(&bytes[..count]);
    raw.server.bytes_read(count);
    let mut fed = count;
    while fed < bytes.len() && raw.server.output().len() <= MAX_QUEUED_REPLIES {
        assert_eq!(raw.server.poll().unwrap(), None);
        let buffer = raw.server.read_buffer();
        let count = buffer.len().min(bytes.len() - fed);
        buffer[..count].copy_from_slice(&bytes[fed..fed + count]);
        raw.server.bytes_read(count);
        fed += count;
    }
    assert_eq!(raw.server.poll().unwrap(), None);
    assert!(raw.server.output().len() < MAX_QUEUED_REPLIES + 2000, "{}", raw.server.output().len());
    assert!(fed < bytes.len());
    // And once the output is taken it goes on where it was.
    let queued = raw.server.output().len();
    raw.server.sent(queued);
    assert_eq!(raw.server.poll().unwrap(), None);
    assert!(!raw.server.output().is_empty());
}

#[test]
fn every_cut_of_a_dialogue_gives_the_same_events() {
    let mut link = ChunkLink::new(Limits::default());
    let mut put = |name: &str, id: f64, arguments: Vec<Value>, message_stream_id: u32| {
        let header =
            MessageHeader { chunk_stream_id: 3, message_type_id: 20, timestamp: 0, message_stream_id, length: 0 };
        link.send(header, &Command { name: name.into(), transaction_id: id, arguments }.encode());
    };
    put("connect", 1.0, vec![Object::default().with("app", "a").into()], 0);
    put("createStream", 2.0, vec![Value::Null], 0);
    put("FCSubscribe", 3.0, vec![Value::Null, "n".into()], 0);
    put("play", 0.0, vec![Value::Null, "n".into(), 0.0.into()], 1);
    link.send_user_control(user_control::SET_BUFFER_LENGTH, &[0, 0, 0, 1, 0, 0, 1, 0]);
    link.send_user_control(user_control::SET_BUFFER_LENGTH, &[0, 0, 0, 1]);
    let bytes = link.output().to_vec();
    let whole = events_of(&bytes, bytes.len());
    assert_eq!(whole.len(), 5, "{whole:?}");
    for cut in 1..bytes.len() {
        assert_eq!(events_of(&bytes, cut), whole, "{cut}");
    }
}

/// Small numbers from a seed, the same on every run.
fn noise(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn damaged_dialogues_end_in_an_error_or_in_nothing_and_stay_small() {
    let mut link = ChunkLink::new(Limits::default());
    for (name, arguments, message_stream_id) in [
        ("connect", vec![Value::from(Object::default().with("app", "a").with("objectEncoding", 3.0))], 0),
        ("createStream", vec![Value::Null], 0),
        ("play", vec![Value::Null, "n".into(), 0.0.into(), 5.0.into(), false.into()], 1),
        ("seek", vec![Value::Null, 1e300.into()], 1),
        ("pause", vec![Value::Null, true.into(), (-5.0).into()], 1),
        ("deleteStream", vec![Value::Null, 1e18.into()], 1),
    ] {
        let header =
            MessageHeader { chunk_stream_id: 3, message_type_id: 20, timestamp: 0, message_stream_id, length: 0 };
        link.send(header, &Command { name: name.into(), transaction_id: 2.0, arguments }.encode());
    }
    link.send_user_control(user_control::SET_BUFFER_LENGTH, &[0xff; 8]);
    let good = link.output().to_vec();
    let mut seed = 1;
    for _ in 0..3000 {
        let mut bytes = good.clone();
        for _ in 0..1 + noise(&mut seed) % 6 {
            let at = noise(&mut seed) as usize % bytes.len();
            match noise(&mut seed) % 3 {
                0 => bytes[at] = noise(&mut seed) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, noise(&mut seed) as u8),
            }
        }
        let mut raw = Raw::new(ServerOptions::default());
        let mut broken = false;
        carry(&bytes, usize::MAX, &mut raw.server, |server| {
            while !broken {
                match server.poll() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => broken = true,
                }
            }
        });
        assert!(raw.server.output().len() < 64 << 10);
    }
}

fn events_of(bytes: &[u8], cut: usize) -> Vec<ServerEvent> {
    let mut raw = Raw::new(ServerOptions::default());
    for part in [&bytes[..cut], &bytes[cut..]] {
        let events = &mut raw.events;
        carry(part, usize::MAX, &mut raw.server, |server| {
            while let Some(event) = server.poll().unwrap() {
                events.push(event);
            }
        });
    }
    raw.events
}

#[test]
fn a_publisher_can_be_let_in() {
    let mut raw = Raw::connected(Object::default());
    raw.send(message_type::VIDEO, 1, &[0x17, 0, 0, 0, 0]);
    raw.say("publish", 5.0, vec![Value::Null, "cam".into(), "live".into()], 1);
    assert_eq!(raw.events.last(), Some(&ServerEvent::Publish { stream_id: 1, name: "cam".into() }));
    raw.server.begin_publish(1, "cam");
    raw.send(message_type::VIDEO, 1, &[0x17, 1]);
    assert_eq!(raw.events.last(), Some(&ServerEvent::Media { stream_id: 1 }));
    raw.say("deleteStream", 0.0, vec![Value::Null, 1.0.into()], 0);
    raw.send(message_type::VIDEO, 1, &[0x17, 1]);
    assert_eq!(raw.events.last(), Some(&ServerEvent::Close { stream_id: 1 }));
}

#[test]
fn endings_sound_like_the_servers_that_have_them() {
    let cases: [(EndOfPlay, &[&str]); 5] = [
        (EndOfPlay::Complete, &["NetStream.Play.Complete", "NetStream.Play.Stop"]),
        (EndOfPlay::Unpublish, &["NetStream.Play.UnpublishNotify"]),
        (EndOfPlay::Eof, &[]),
        (EndOfPlay::Stop, &["NetStream.Play.Stop"]),
        (EndOfPlay::Silence, &[]),
    ];
    for (ending, codes) in cases {
        let mut pair = Pair::new(config(), ServerOptions::default());
        pair.run(|server, event| {
            if let ServerEvent::Play(request) = event {
                server.begin_play(request, false);
                server.end_play(request.stream_id, ending, 0, 1.0, 2.0);
            }
        });
        let ended: Vec<_> = pair
            .notes
            .iter()
            .filter_map(|note| match note {
                SessionEvent::Status(StatusKind::Ended, status) => Some(status.code.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(ended, codes, "{ending:?}");
        let eof = pair.notes.iter().any(|note| matches!(note, SessionEvent::UserControl(user_control::STREAM_EOF, 1)));
        assert_eq!(eof, !matches!(ending, EndOfPlay::Stop | EndOfPlay::Silence), "{ending:?}");
    }
}
