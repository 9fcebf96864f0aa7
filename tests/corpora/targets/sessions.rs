//! Bytes of a connection: handshakes, the chunk stream, both ends of a session.

use rtmpcat::flv::recorder::{Options, Recorder};
use rtmpcat::flv::sink::Output;
use rtmpcat::flv::timeline::Join;
use rtmpcat::proto::chunk::{ChunkEncoder, Limits};
use rtmpcat::proto::handshake::{Client, Kind, Server, State};
use rtmpcat::proto::link::ChunkLink;
use rtmpcat::proto::message::MessageHeader;
use rtmpcat::proto::server::{
    AccessPolicy, EndOfPlay, Level, SecureToken, ServerEvent, ServerOptions, ServerSession, SwfCheck,
};
use rtmpcat::proto::session::{ConnectParams, Event, Order, PlayParams, Session, SessionConfig, SwfVerification};
use rtmpcat::proto::status::StatusCode;

use super::{pieces, random};

/// mode · cut · what the server sends.
pub fn handshake_client(data: &[u8]) {
    let Some((&[mode, cut], input)) = data.split_first_chunk() else { return };
    let kind = kind_of(mode);
    let run = |cut| {
        let mut client = Client::new(kind, u32::from(mode), &random());
        let mut out = Vec::new();
        client.start(&mut out);
        let mut used = 0;
        for piece in pieces(input, cut) {
            match client.feed(piece, &mut out) {
                Ok(count) => used += count,
                Err(_) => return (out.len(), used, None),
            }
            if client.state() == State::Done {
                break;
            }
        }
        assert!(out.len() <= 1 + 2 * PACKET && used <= input.len());
        (out.len(), used, Some((client.outcome().clone(), client.take_ciphers().is_some())))
    };
    let (whole, cut) = (run(0), run(cut));
    // What is wrong may be said earlier, but not another thing.
    assert_eq!(whole.2, cut.2);
    if whole.2.is_some() {
        assert_eq!(whole, cut);
    }
}

/// mode · cut · what the client sends.
pub fn handshake_server(data: &[u8]) {
    let Some((&[mode, cut], input)) = data.split_first_chunk() else { return };
    let run = |cut| {
        let mut server = Server::new(u32::from(mode), &random());
        let mut out = Vec::new();
        let mut used = 0;
        for piece in pieces(input, cut) {
            match server.feed(piece, &mut out) {
                Ok(count) => used += count,
                Err(_) => return (out.len(), used, None),
            }
            if server.is_done() {
                break;
            }
        }
        assert!(out.len() <= 1 + 2 * PACKET && used <= input.len());
        (out.len(), used, Some((server.kind(), server.c2_matched(), server.swf_key())))
    };
    let (whole, cut) = (run(0), run(cut));
    assert_eq!(whole.2, cut.2);
    if whole.2.is_some() {
        assert_eq!(whole, cut);
    }
}

/// cut · a chunk stream. All cuts give the same messages, and messages encoded again are the same again.
pub fn chunk(data: &[u8]) {
    let Some((&cut, input)) = data.split_first() else { return };
    let (whole, broken) = messages(input, 0);
    let (cut_up, cut_broken) = messages(input, cut);
    assert_eq!((&whole, broken), (&cut_up, cut_broken));
    let payload: usize = whole.iter().map(|(_, payload)| payload.len()).sum();
    assert!(payload <= input.len(), "more came out than was put in");
    let mut encoder = ChunkEncoder::default();
    let mut again = Vec::new();
    for (header, payload) in &whole {
        encoder.encode(*header, payload, &mut again);
    }
    assert_eq!(messages(&again, 0), (whole, false));
}

/// The messages of a chunk stream, and whether it broke.
fn messages(input: &[u8], cut: u8) -> (Vec<(MessageHeader, Vec<u8>)>, bool) {
    let mut wire = ChunkLink::new(LIMITS);
    wire.begin(None);
    let mut messages = Vec::new();
    for mut piece in pieces(input, cut) {
        while !piece.is_empty() {
            let buffer = wire.read_buffer();
            let count = buffer.len().min(piece.len());
            assert!(count > 0, "there is always room");
            buffer[..count].copy_from_slice(&piece[..count]);
            piece = &piece[count..];
            wire.bytes_read(count);
            loop {
                match wire.poll() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => return (messages, true),
                }
                let message = wire.message().expect("poll stopped at one");
                assert_eq!(message.header.length as usize, message.payload.len());
                messages.push((message.header, message.payload.to_vec()));
            }
            let queued = wire.output().len();
            assert!(queued <= 64 * (count + 64), "{queued} bytes to answer {count}");
            wire.sent(queued);
        }
    }
    (messages, false)
}

/// mode · options · cut · what the server sends, after its handshake unless the mode says that it is part of it.
pub fn session_client(data: &[u8]) {
    let Some((&[mode, options, cut], input)) = data.split_first_chunk() else { return };
    let with_handshake = mode & 0x80 == 0;
    let config = client_config(if with_handshake { Kind::Plain } else { kind_of(mode) }, options);
    let mut session = Session::new(config, 0, &random());
    let recording = Options {
        live: options & 8 != 0,
        absolute: options & 16 != 0,
        pipe: options & 32 != 0,
        stop_ms: (options & 64 != 0).then_some(10_000),
        ..Options::default()
    };
    let mut recorder = Recorder::new(recording, Box::new(|| Ok(Output::nothing())));
    let hello = if with_handshake { [&[3][..], &[0; 2 * PACKET]].concat() } else { Vec::new() };
    let mut now_ms = 0;
    for mut piece in pieces(&hello, 0).chain(pieces(input, cut)) {
        while !piece.is_empty() {
            let buffer = session.read_buffer();
            let count = buffer.len().min(piece.len());
            buffer[..count].copy_from_slice(&piece[..count]);
            piece = &piece[count..];
            session.bytes_read(count);
            now_ms += 7;
            let mut events = 0;
            loop {
                match session.poll() {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        let _ = error.to_string();
                        let _ = recorder.finish();
                        return;
                    }
                }
                events += 1;
                match session.event() {
                    Some(Event::Media(message, _)) => {
                        let _ = recorder.push(&message, now_ms).expect("the sink takes all");
                    }
                    Some(Event::Session(note)) => assert!(!format!("{note:?}").is_empty()),
                    None => {}
                }
            }
            assert!(events <= count + hello.len(), "{events} events out of {count} bytes");
            recorder.tick(now_ms).expect("the sink takes all");
            let queued = session.output().len();
            assert!(queued <= 64 * (count + 64) + 64 * 1024, "{queued} bytes to answer {count}");
            session.sent(queued);
        }
    }
    recorder.new_connection(Join::Append, now_ms).expect("the sink takes all");
    recorder.finish().expect("the sink takes all");
}

/// mode · options · cut · what the client sends.
pub fn session_server(data: &[u8]) {
    let Some((&[mode, options, cut], input)) = data.split_first_chunk() else { return };
    let with_handshake = mode & 0x80 == 0;
    let mut session = ServerSession::new(server_options(options), 0, &random());
    let hello = if with_handshake { [&[3][..], &[0; 2 * PACKET]].concat() } else { Vec::new() };
    for mut piece in pieces(&hello, 0).chain(pieces(input, cut)) {
        while !piece.is_empty() {
            let buffer = session.read_buffer();
            let count = buffer.len().min(piece.len());
            buffer[..count].copy_from_slice(&piece[..count]);
            piece = &piece[count..];
            session.bytes_read(count);
            let mut events = 0;
            loop {
                match session.poll() {
                    Ok(Some(event)) => serve(&mut session, &event),
                    Ok(None) if session.output().is_empty() => break,
                    Ok(None) => {
                        let queued = session.output().len();
                        session.sent(queued);
                        continue;
                    }
                    Err(error) => return drop(error.to_string()),
                }
                events += 1;
            }
            assert!(events <= count + hello.len(), "{events} events out of {count} bytes");
            if session.is_closing() {
                return;
            }
        }
    }
}

/// What a server does about an event.
fn serve(session: &mut ServerSession, event: &ServerEvent) {
    match event {
        ServerEvent::Play(request) if request.name.len().is_multiple_of(5) => {
            session.refuse_play(request.stream_id, StatusCode::PlayStreamNotFound, &request.name);
        }
        ServerEvent::Play(request) => {
            session.begin_play(request, request.reset);
            session.media(request.stream_id, 9, 1, &[0x17; 300]);
            session.end_play(request.stream_id, EndOfPlay::Complete, 2, 1.0, 300.0);
        }
        ServerEvent::Publish { stream_id, name } => session.begin_publish(*stream_id, name),
        ServerEvent::GetStreamLength { transaction_id, name } => {
            session.stream_length(*transaction_id, name.len() as f64);
        }
        ServerEvent::Pause { stream_id, paused, .. } => session.notify_pause(*stream_id, *paused),
        ServerEvent::Seek { stream_id, to_ms } => session.notify_seek(*stream_id, *to_ms),
        ServerEvent::BufferLength { stream_id, .. } => session.notify_buffer_full(*stream_id),
        ServerEvent::Close { stream_id } => session.status(*stream_id, Level::Status, "a.b".into(), "c", ""),
        ServerEvent::Media { .. } => assert!(session.message().is_some()),
        other => assert!(!format!("{other:?}").is_empty()),
    }
}

fn kind_of(mode: u8) -> Kind {
    match mode & 3 {
        0 => Kind::Plain,
        1 | 2 => Kind::Digest,
        _ => Kind::Rtmpe,
    }
}

/// How the client under test is set up.
pub fn client_config(handshake: Kind, options: u8) -> SessionConfig {
    SessionConfig {
        handshake,
        connect: ConnectParams {
            app: "live".to_owned(),
            flash_ver: "LNX 10,0,32,18".to_owned(),
            swf_url: None,
            tc_url: "rtmp://h:1935/live".to_owned(),
            page_url: None,
            object_encoding: (options & 1 != 0).then_some(3.0),
            extra_properties: Vec::new(),
            auth: None,
            arguments: Vec::new(),
        },
        play: Some(PlayParams {
            playpath: "s".to_owned(),
            start_ms: -1000.0,
            length_ms: None,
            buffer_ms: 1000,
            subscribe: (options & 2 != 0).then(|| "s".to_owned()),
            playlist: options & 4 != 0,
            ask_length: options & 8 == 0,
            refresh_buffer: options & 8 == 0,
        }),
        order: match options & 3 {
            0 => Order::Strict,
            1 => Order::Fast,
            _ => Order::Pipelined,
        },
        token: (options & 4 != 0).then(|| "token".to_owned()),
        usher_token: (options & 128 != 0).then(|| "{}".to_owned()),
        swf: (options & 128 != 0).then_some(SwfVerification { hash: [7; 32], size: 1000 }),
        limits: LIMITS,
    }
}

/// How the server under test is set up.
pub fn server_options(options: u8) -> ServerOptions {
    ServerOptions {
        bandwidth_done: options & 1 != 0,
        access: AccessPolicy {
            apps: if options & 2 != 0 { vec!["live".to_owned()] } else { Vec::new() },
            secure_token: (options & 4 != 0)
                .then(|| SecureToken { challenge: "0123456789abcdef".to_owned(), key: "token".to_owned() }),
            swf: (options & 8 != 0).then_some(SwfCheck { hash: [7; 32], size: 1000 }),
            require_subscribe: options & 16 != 0,
            redirect: (options & 96 == 96).then(|| "rtmp://other/live".to_owned()),
            ..AccessPolicy::default()
        },
        ..ServerOptions::default()
    }
}

/// Bytes of C1, S1, C2 and S2.
const PACKET: usize = 1536;

/// Small enough for a fuzzer to reach.
const LIMITS: Limits = Limits { message_bytes: 0xFF_FFFF, chunk_streams: 70, held_bytes: 1 << 16 };
