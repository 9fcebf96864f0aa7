use super::*;
use crate::proto::amf0::{Object, Value};
use crate::proto::chunk::Limits;
use crate::proto::link::user_control;
use crate::proto::message::MessageHeader;
use crate::proto::status::StatusCode;

/// The other end, spelled out: what it is sent it decodes, what it says is given command by command.
struct Peer {
    link: ChunkLink,
    handshake: Vec<u8>,
    shaken: bool,
    said: Vec<(Command, u32)>,
    control: Vec<(u8, Vec<u8>)>,
}

impl Peer {
    fn new() -> Self {
        Self {
            link: ChunkLink::new(Limits::default()),
            handshake: Vec::new(),
            shaken: false,
            said: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Takes what the client wrote.
    fn take(&mut self, bytes: &[u8]) {
        if !self.shaken {
            self.handshake.extend_from_slice(bytes);
            if self.handshake.len() == 1537 && self.link.output().is_empty() {
                let c1 = self.handshake[1..].to_vec();
                let out = self.link.handshake_output();
                out.push(3);
                out.extend([0; 1536]);
                out.extend(c1);
            }
            if self.handshake.len() < 1537 + 1536 {
                return;
            }
            self.shaken = true;
            let rest = self.handshake.split_off(1537 + 1536);
            return self.take(&rest);
        }
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let buffer = self.link.read_buffer();
            let n = buffer.len().min(bytes.len());
            buffer[..n].copy_from_slice(&bytes[..n]);
            self.link.bytes_read(n);
            bytes = &bytes[n..];
            while self.link.poll().unwrap() {
                let m = self.link.message().unwrap();
                if m.header.message_type_id == 20 {
                    self.said.push((Command::decode(&m).unwrap(), m.header.message_stream_id));
                } else {
                    self.control.push((m.header.message_type_id, m.payload.to_vec()));
                }
            }
        }
    }

    fn say(&mut self, name: &str, transaction_id: f64, arguments: Vec<Value>) {
        self.media(20, 0, &Command { name: name.into(), transaction_id, arguments }.encode());
    }

    fn media(&mut self, kind: u8, timestamp: u32, payload: &[u8]) {
        let header =
            MessageHeader { chunk_stream_id: 5, message_type_id: kind, timestamp, message_stream_id: 1, length: 0 };
        self.link.send(header, payload);
    }

    fn names(&self) -> Vec<&str> {
        self.said.iter().map(|(command, _)| command.name.as_str()).collect()
    }
}

fn config(order: Order) -> SessionConfig {
    SessionConfig {
        handshake: handshake::Kind::Plain,
        connect: ConnectParams {
            app: "live".into(),
            flash_ver: "LNX 10,0,32,18".into(),
            swf_url: None,
            tc_url: "rtmp://h:1935/live".into(),
            page_url: None,
            object_encoding: None,
            extra_properties: Vec::new(),
            auth: None,
            arguments: Vec::new(),
        },
        play: Some(PlayParams {
            playpath: "s".into(),
            start_ms: 0.0,
            length_ms: None,
            buffer_ms: 1000,
            subscribe: None,
            playlist: false,
            ask_length: true,
            refresh_buffer: false,
        }),
        order,
        token: None,
        usher_token: None,
        swf: None,
        limits: Limits::default(),
    }
}

/// A session and its peer, and how many bytes go across at a time.
struct Pair {
    session: Session,
    peer: Peer,
    step: usize,
    media: Vec<(u8, u32, Vec<u8>)>,
    events: Vec<SessionEvent>,
}

impl Pair {
    fn new(config: SessionConfig, step: usize) -> Self {
        let random = handshake::Random::from_bytes(&[7; handshake::Random::BYTES]);
        let session = Session::new(config, 0, &random);
        Self { session, peer: Peer::new(), step, media: Vec::new(), events: Vec::new() }
    }

    /// Carries bytes both ways until neither has anything to say. Returns how many times the client wrote.
    fn run(&mut self) -> usize {
        let mut writes = 0;
        loop {
            let out = self.session.output().to_vec();
            if !out.is_empty() {
                writes += 1;
                self.session.sent(out.len());
                self.peer.take(&out);
            }
            let back = self.peer.link.output().to_vec();
            if back.is_empty() && out.is_empty() {
                return writes;
            }
            self.peer.link.sent(back.len());
            for piece in back.chunks(self.step) {
                let buffer = self.session.read_buffer();
                buffer[..piece.len()].copy_from_slice(piece);
                self.session.bytes_read(piece.len());
                while self.session.poll().unwrap() {
                    match self.session.event().unwrap() {
                        Event::Media(m, _) => {
                            self.media.push((m.header.message_type_id, m.header.timestamp, m.payload.to_vec()));
                        }
                        Event::Session(note) => self.events.push(note.clone()),
                    }
                }
            }
        }
    }
}

fn status(code: &str) -> Value {
    Value::Object(Object { properties: vec![("code".into(), code.into()), ("level".into(), "status".into())] })
}

fn transaction(peer: &Peer, name: &str) -> f64 {
    peer.said.iter().rev().find(|(c, _)| c.name == name).unwrap().0.transaction_id
}

fn connected(order: Order, step: usize) -> Pair {
    let mut pair = Pair::new(config(order), step);
    pair.run();
    assert_eq!(pair.peer.said[0].0.name, "connect");
    pair.peer.say("_result", 1.0, vec![Value::Null, status("NetConnection.Connect.Success")]);
    pair.run();
    pair
}

#[test]
fn connect_carries_rtmpdumps_fields_in_their_order() {
    let mut config = config(Order::Strict);
    config.connect.swf_url = Some("http://s".into());
    config.connect.page_url = Some("http://p".into());
    config.connect.auth = Some("secret".into());
    config.connect.arguments = vec!["x".into()];
    config.connect.extra_properties = vec![("videoFunction".into(), 7.0.into()), ("capsEx".into(), 1.0.into())];
    let mut pair = Pair::new(config, 4096);
    pair.run();
    let connect = &pair.peer.said[0].0;
    let object = connect.arguments[0].as_object().unwrap();
    let names: Vec<&str> = object.properties.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "app",
        "flashVer",
        "swfUrl",
        "tcUrl",
        "fpad",
        "capabilities",
        "audioCodecs",
        "videoCodecs",
        "videoFunction",
        "pageUrl",
        "capsEx",
    ];
    assert_eq!(names, expected);
    assert_eq!(object.get("videoFunction").unwrap().as_number(), Some(7.0));
    assert_eq!(connect.arguments[1..], [true.into(), "secret".into(), "x".into()]);
}

#[test]
fn strict_order_waits_for_each_answer() {
    for step in [1, 7, 4096] {
        let mut pair = connected(Order::Strict, step);
        assert_eq!(pair.peer.names(), ["connect", "createStream"]);
        pair.peer.say("_result", transaction(&pair.peer, "createStream"), vec![Value::Null, 4.0.into()]);
        pair.run();
        assert_eq!(pair.peer.names(), ["connect", "createStream", "getStreamLength", "play"]);
        assert_eq!(pair.peer.said[3].1, 4);
        assert_eq!(pair.session.stream_id(), Some(4));
        let buffer = [&[0, 3][..], &4_u32.to_be_bytes(), &1000_u32.to_be_bytes()].concat();
        assert!(pair.peer.control.contains(&(4, buffer)));
        pair.peer.say("_result", transaction(&pair.peer, "getStreamLength"), vec![Value::Null, 12.5.into()]);
        pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Play.Start")]);
        pair.run();
        assert!(pair.events.contains(&SessionEvent::StreamLength(12.5)));
        assert!(pair.session.play_started());
    }
}

#[test]
fn together_plays_ahead_and_again_where_the_stream_is_another() {
    let mut pair = connected(Order::Pipelined, 4096);
    assert_eq!(pair.peer.names(), ["connect", "createStream", "getStreamLength", "play"]);
    let id = transaction(&pair.peer, "createStream");
    pair.peer.say("_result", id, vec![Value::Null, 1.0.into()]);
    pair.run();
    assert_eq!(pair.peer.names().len(), 4, "stream 1 it is");

    let mut pair = connected(Order::Pipelined, 4096);
    let id = transaction(&pair.peer, "createStream");
    pair.peer.say("_result", id, vec![Value::Null, 9.0.into()]);
    pair.run();
    assert!(pair.session.play_unconfirmed() && pair.peer.names().len() == 4, "it may have taken the first one");
    pair.session.play_again();
    pair.run();
    assert_eq!(pair.peer.names()[4..], ["play"]);
    assert_eq!(pair.peer.said[4].1, 9);
    assert!(!pair.session.play_unconfirmed());
}

#[test]
fn play_is_sent_once_where_the_stream_does_not_matter() {
    // What the server does about the first play, before or behind createStream's result; whether it is sent again.
    type React = fn(&mut Pair);
    let reactions: [(React, bool); 5] = [
        (|pair| pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Play.Reset")]), false),
        (|pair| pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Play.Start")]), false),
        (|pair| pair.peer.media(9, 40, b"\x17\x01frame"), false),
        (|pair| pair.peer.say("_result", transaction(&pair.peer, "play"), vec![Value::Null]), false),
        (|pair| pair.peer.say("_error", transaction(&pair.peer, "play"), vec![Value::Null]), true),
    ];
    for (place, (react, again)) in reactions.into_iter().enumerate() {
        for before in [false, true] {
            if before && again {
                continue;
            }
            let mut pair = connected(Order::Pipelined, 4096);
            let id = transaction(&pair.peer, "createStream");
            if before {
                react(&mut pair);
            }
            pair.peer.say("_result", id, vec![Value::Null, 9.0.into()]);
            if !before {
                react(&mut pair);
            }
            pair.run();
            assert!(!pair.session.play_unconfirmed(), "{place}");
            assert_eq!(pair.peer.names().len() == 5, again, "{place} {before}");
            assert!(!pair.events.iter().any(|note| matches!(note, SessionEvent::Failed { .. })));
        }
    }
}

#[test]
fn round_trips_of_each_order() {
    // The first write is C0 and C1; the second C2 with all that may go along.
    for (order, names) in [
        (Order::Strict, &["connect"][..]),
        (Order::Pipelined, &["connect"]),
        (Order::Fast, &["connect", "createStream", "getStreamLength", "play"]),
    ] {
        let mut pair = Pair::new(config(order), 4096);
        assert_eq!(pair.run(), 2);
        assert_eq!(pair.peer.names(), names);
    }
}

#[test]
fn results_in_any_order_and_late_errors_of_side_calls() {
    let mut pair = connected(Order::Pipelined, 4096);
    let length = transaction(&pair.peer, "getStreamLength");
    pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Play.Start")]);
    pair.peer.media(9, 40, b"\x17\x01frame");
    pair.peer.say("_error", length, vec![Value::Null, status("NetConnection.Call.Failed")]);
    pair.peer.say("_error", 77.0, vec![Value::Null, status("NetConnection.Call.Failed")]);
    let id = transaction(&pair.peer, "createStream");
    pair.peer.say("_result", id, vec![Value::Null, 1.0.into()]);
    pair.run();
    assert_eq!(pair.media, [(9, 40, b"\x17\x01frame".to_vec())]);
    assert!(!pair.events.iter().any(|n| matches!(n, SessionEvent::Failed { .. })));
}

#[test]
fn a_rejection_carries_code_and_description() {
    let mut pair = Pair::new(config(Order::Strict), 4096);
    pair.run();
    let object = Object {
        properties: vec![
            ("level".into(), "error".into()),
            ("code".into(), "NetConnection.Connect.Rejected".into()),
            ("description".into(), "no such app".into()),
        ],
    };
    pair.peer.say("_error", 1.0, vec![Value::Null, Value::Object(object)]);
    pair.run();
    let failed = pair.events.iter().find_map(|n| match n {
        SessionEvent::Failed { command, status, .. } => {
            Some((*command, status.code.as_str(), status.description.as_str()))
        }
        _ => None,
    });
    assert_eq!(failed, Some((CommandKind::Connect, "NetConnection.Connect.Rejected", "no such app")));
}

#[test]
fn questions_of_the_server_are_answered() {
    let mut pair = connected(Order::Pipelined, 4096);
    let before = pair.peer.said.len();
    pair.peer.say("onBWDone", 0.0, vec![Value::Null]);
    pair.peer.say("onBWDone", 0.0, vec![Value::Null]);
    pair.peer.say("_onbwcheck", 5.0, vec![Value::Null]);
    pair.peer.say("ping", 6.0, vec![Value::Null]);
    pair.peer.say("whoAreYou", 7.0, vec![Value::Null]);
    pair.peer.say("onSomething", 8.0, vec![Value::Null]);
    pair.peer.link.send_user_control(user_control::PING_REQUEST, &[1, 2, 3, 4]);
    pair.run();
    let answers: Vec<(&str, f64)> =
        pair.peer.said[before..].iter().map(|(c, _)| (c.name.as_str(), c.transaction_id)).collect();
    let check = transaction(&pair.peer, "_checkbw");
    assert_eq!(answers, [("_checkbw", check), ("_result", 5.0), ("pong", 6.0), ("_error", 7.0)]);
    assert!(pair.peer.control.contains(&(4, vec![0, 7, 1, 2, 3, 4])));
}

#[test]
fn media_before_play_start_is_kept_and_play_status_is_no_media() {
    let mut pair = connected(Order::Pipelined, 3);
    pair.peer.media(8, 0, b"\xaf\0\x12\x10");
    pair.peer.media(18, 0, b"\x02\0\x0aonMetaData\x05");
    pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Play.Start")]);
    let mut data = b"\x02\0\x0conPlayStatus".to_vec();
    crate::proto::amf0::encode(&status("NetStream.Play.Complete"), &mut data);
    pair.peer.media(18, 0, &data);
    pair.run();
    assert_eq!(pair.media.len(), 2);
    assert!(
        pair.events
            .iter()
            .any(|n| matches!(n, SessionEvent::Status(StatusKind::Ended, s) if s.code == StatusCode::PlayComplete))
    );
}

#[test]
fn amf3_commands_are_understood() {
    let mut pair = connected(Order::Pipelined, 4096);
    let mut payload = vec![0];
    payload.extend(
        Command {
            name: "onStatus".into(),
            transaction_id: 0.0,
            arguments: vec![Value::Null, status("NetStream.Play.Start")],
        }
        .encode(),
    );
    pair.peer.media(17, 0, &payload);
    pair.run();
    assert!(pair.session.play_started());
}

/// A session that plays and pauses at "buffer full", its peer having sent audio and video of these times.
fn refreshing(times: &[(u8, u32)]) -> Pair {
    let mut config = config(Order::Pipelined);
    config.play.as_mut().unwrap().refresh_buffer = true;
    let mut pair = Pair::new(config, 4096);
    pair.run();
    pair.peer.say("_result", 1.0, vec![Value::Null, status("NetConnection.Connect.Success")]);
    times.iter().for_each(|(kind, time)| pair.peer.media(*kind, *time, b"\x27\x01a"));
    pair.run();
    pair.media.clear();
    pair
}

fn buffer_empty(pair: &mut Pair) {
    pair.peer.link.send_user_control(user_control::BUFFER_EMPTY, &1_u32.to_be_bytes());
    pair.run();
}

fn last_said(pair: &Pair) -> (String, Vec<Value>) {
    pair.peer.said.last().map(|(c, _)| (c.name.clone(), c.arguments[1..].to_vec())).unwrap()
}

fn pause(paused: bool, at_ms: f64) -> (String, Vec<Value>) {
    ("pause".into(), vec![paused.into(), at_ms.into()])
}

#[test]
fn buffer_empty_is_answered_by_pause_and_unpause_and_repeats_are_dropped() {
    let mut pair = refreshing(&[(9, 1000)]);
    buffer_empty(&mut pair);
    assert_eq!(last_said(&pair), pause(true, 1000.0));
    // The pause ends what was played; it does not end the stream.
    pair.peer.link.send_user_control(user_control::STREAM_EOF, &1_u32.to_be_bytes());
    pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Pause.Notify")]);
    pair.run();
    assert_eq!(last_said(&pair), pause(false, 1000.0));
    for time in [960, 1000, 1040] {
        pair.peer.media(9, time, b"\x27\x01b");
    }
    pair.run();
    assert_eq!(pair.media.iter().map(|m| m.1).collect::<Vec<_>>(), [1040]);
    let eof = |pair: &Pair| pair.events.iter().filter(|n| matches!(n, SessionEvent::UserControl(1, _))).count();
    assert_eq!(eof(&pair), 0);
    pair.peer.link.send_user_control(user_control::STREAM_EOF, &1_u32.to_be_bytes());
    pair.run();
    assert_eq!(eof(&pair), 1, "this one is the end");
}

#[test]
fn a_pause_without_a_notice_ends_at_the_next_buffer_empty() {
    let mut pair = refreshing(&[(9, 1000)]);
    buffer_empty(&mut pair);
    buffer_empty(&mut pair);
    assert_eq!(last_said(&pair), pause(false, 1000.0));
    let mut without = connected(Order::Pipelined, 4096);
    let before = without.peer.said.len();
    buffer_empty(&mut without);
    assert_eq!(without.peer.said.len(), before, "not where it was not asked for");
}

#[test]
fn a_stream_that_goes_on_by_itself_ends_like_any_other() {
    let mut pair = refreshing(&[(9, 1000)]);
    let eof = |pair: &mut Pair| {
        pair.peer.link.send_user_control(user_control::STREAM_EOF, &1_u32.to_be_bytes());
        pair.run();
        pair.events.iter().filter(|n| matches!(n, SessionEvent::UserControl(1, _))).count()
    };
    pair.session.nudge_server(StallAction::Unpause);
    pair.run();
    assert_eq!(eof(&mut pair), 0, "the pause's");
    pair.peer.media(9, 1040, b"\x27\x01b");
    assert_eq!(eof(&mut pair), 1, "the stream's");
    assert_eq!(last_said(&pair), pause(true, 1000.0));
    // It was paused after all.
    pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Pause.Notify")]);
    pair.run();
    assert_eq!(last_said(&pair), pause(false, 1040.0));
}

#[test]
fn each_track_goes_on_where_it_was() {
    for (times, place, skipped) in [
        // Audio ahead of video, across the wrap of 32 bits as well.
        (vec![(9, 1000), (8, 1150)], 1000.0, vec![(9, 1000), (8, 1023)]),
        (vec![(9, u32::MAX - 9), (8, 40)], f64::from(u32::MAX - 9), vec![(9, u32::MAX - 9), (8, 33)]),
        // A track that ended long ago.
        (vec![(8, 1000), (9, 60_000)], 60_000.0, vec![(9, 60_000), (8, 900)]),
        (vec![(8, 500)], 500.0, vec![(8, 480), (8, 500)]),
        (vec![], 0.0, vec![]),
    ] {
        let mut pair = refreshing(&times);
        pair.session.nudge_server(StallAction::Unpause);
        pair.run();
        assert_eq!(last_said(&pair), pause(true, place), "{times:?}");
        pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Pause.Notify")]);
        let video = times.iter().find(|(kind, _)| *kind == 9).map_or(0, |(_, time)| *time);
        let new = [(9, video.wrapping_add(40)), (8, 1173), (9, video.wrapping_add(80))];
        skipped.iter().chain(&new).for_each(|(kind, time)| pair.peer.media(*kind, *time, b"\x27\x01b"));
        pair.run();
        assert_eq!(pair.media.iter().map(|m| (m.0, m.1)).collect::<Vec<_>>(), new, "{times:?}");
    }
}

#[test]
fn a_seek_unpauses_before_it_seeks() {
    let mut pair = refreshing(&[(9, 1000), (8, 990)]);
    pair.session.nudge_server(StallAction::Unpause);
    pair.session.nudge_server(StallAction::Seek);
    pair.run();
    let said: Vec<_> =
        pair.peer.said[pair.peer.said.len() - 3..].iter().map(|(c, id)| (c.name.as_str(), *id)).collect();
    assert_eq!(said, [("pause", 1), ("pause", 1), ("seek", 1)]);
    assert_eq!(last_said(&pair), ("seek".into(), vec![990.0.into()]));
    for time in [0, 980, 1000, 1020] {
        pair.peer.media(9, time, b"\x17\x01b");
    }
    pair.run();
    assert_eq!(pair.media.iter().map(|m| m.1).collect::<Vec<_>>(), [1020]);
}

fn aggregate(parts: &[(u8, u32)]) -> Vec<u8> {
    let part = |(kind, time): &(u8, u32)| {
        let [t3, t2, t1, t0] = time.to_be_bytes();
        [&[*kind, 0, 0, 2, t2, t1, t0, t3, 0, 0, 0][..], &[0x27, 1], &[0, 0, 0, 13]].concat()
    };
    parts.iter().flat_map(part).collect()
}

#[test]
fn aggregates_are_seen_into() {
    // Their parts count from a time of their own.
    let mut pair = refreshing(&[]);
    pair.peer.media(22, 1000, &aggregate(&[(9, 70_000), (8, 70_010), (9, 70_040), (8, 70_033)]));
    buffer_empty(&mut pair);
    assert_eq!(last_said(&pair), pause(true, 1033.0));
    pair.peer.say("onStatus", 0.0, vec![Value::Null, status("NetStream.Pause.Notify")]);
    pair.run();
    pair.media.clear();
    pair.peer.media(22, 1000, &aggregate(&[(9, 0), (8, 10), (9, 40)]));
    pair.peer.media(22, 1033, &aggregate(&[(8, 0), (18, 1), (8, 23), (9, 47)]));
    pair.peer.media(22, 1100, &aggregate(&[(9, 5), (8, 9)]));
    pair.peer.media(22, 1200, b"no aggregate");
    pair.run();
    let part = |kind, time| (kind, time, vec![0x27, 1]);
    let expected = [
        part(18, 1034),
        part(8, 1056),
        part(9, 1080),
        part(9, 1100),
        part(8, 1104),
        (22, 1200, b"no aggregate".to_vec()),
    ];
    assert_eq!(pair.media, expected);
}

#[test]
fn statuses_within_aggregates_count() {
    let mut pair = refreshing(&[]);
    let said = |kind: u8, values: &[Value]| {
        let body = values.iter().fold(Vec::new(), |mut bytes, value| {
            crate::proto::amf0::encode(value, &mut bytes);
            bytes
        });
        [&[kind, 0, 0, body.len() as u8, 0, 0, 0, 0, 0, 0, 0], &body[..], &(body.len() as u32 + 11).to_be_bytes()]
            .concat()
    };
    let complete = said(18, &["onPlayStatus".into(), status("NetStream.Play.Complete")]);
    let stop = said(20, &["onStatus".into(), 0.0.into(), Value::Null, status("NetStream.Play.Stop")]);
    pair.peer.media(22, 1000, &[aggregate(&[(9, 0)]), complete, aggregate(&[(9, 0)]), stop].concat());
    pair.run();
    assert_eq!(pair.media.iter().map(|media| (media.0, media.1)).collect::<Vec<_>>(), [(9, 1000); 2]);
    let codes = pair.events.iter().filter_map(|note| match note {
        SessionEvent::Status(StatusKind::Ended, status) => Some(status.code.as_str()),
        _ => None,
    });
    assert_eq!(codes.collect::<Vec<_>>(), ["NetStream.Play.Complete", "NetStream.Play.Stop"]);
}

#[test]
fn acknowledgements_carry_the_running_total_at_half_the_window() {
    let mut pair = connected(Order::Pipelined, 500);
    pair.peer.link.send_control(5, &2800_u32.to_be_bytes());
    for i in 0..20 {
        pair.peer.media(9, i * 40, &[0x27; 1000]);
    }
    pair.run();
    let totals: Vec<u32> = pair
        .peer
        .control
        .iter()
        .filter(|(kind, _)| *kind == message_type::ACKNOWLEDGEMENT)
        .map(|(_, p)| u32::from_be_bytes(p[..4].try_into().unwrap()))
        .collect();
    // The peer itself takes acknowledgements in; ask it what the last one was.
    assert!(totals.is_empty());
    let acknowledged = u64::from(pair.peer.link.peer_acknowledged());
    let received = pair.session.link().received();
    assert!(received > 20_000 && received - acknowledged < 1400 + 500, "{received} {acknowledged}");
}
