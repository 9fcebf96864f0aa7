//! The server over loopback, played by our own client; and its sources alone.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::source::{FileSource, Source};
use super::*;
use crate::connect::{Client, Error, Timeouts};
use crate::flv::tag;
use crate::pattern::{Pattern, PatternOptions};
use crate::proto::amf0::{self, Object, Value};
use crate::proto::chunk::Limits;
use crate::proto::command::{Command, NetStatus};
use crate::proto::handshake;
use crate::proto::link::{ChunkLink, user_control};
use crate::proto::message::MessageHeader;
use crate::proto::session::{ConnectParams, Event, Order, PlayParams, SessionConfig, SessionEvent, StatusKind};
use crate::transport::{DialOptions, Interrupt, ServerTlsOptions, TlsOptions};

/// Type, time and body.
type Tag = (u8, u32, Vec<u8>);

/// Longer than any step here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with files of the test stream.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, tags: &[Tag]) -> PathBuf {
        let mut bytes = tag::file_header(5).to_vec();
        for (kind, time, body) in tags {
            bytes.extend_from_slice(&tag::tag_header(*kind, *time, body.len()));
            bytes.extend_from_slice(body);
            bytes.extend_from_slice(&tag::previous_tag_size(body.len()));
        }
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn pattern(duration_ms: u32) -> Vec<Tag> {
    let options = PatternOptions { duration_ms: Some(duration_ms), width: 64, height: 64, ..PatternOptions::default() };
    Pattern::new(options).map(|tag| (tag.tag_type, tag.timestamp_ms, tag.payload)).collect()
}

/// An H.264 stream as far as a server looks at it: metadata, sequence headers, a keyframe every second, the end of sequence.
fn h264(seconds: u32, with_index: bool) -> Vec<Tag> {
    let mut metadata = Vec::new();
    let mut object = Object::default().with("duration", f64::from(seconds));
    if with_index {
        object = object.with("keyframes", Object::default());
    }
    amf0::encode(&"onMetaData".into(), &mut metadata);
    amf0::encode(&Value::EcmaArray(object), &mut metadata);
    let mut tags = vec![(18, 0, metadata), (9, 0, vec![0x17, 0, 0, 0, 0, 1]), (8, 0, vec![0xaf, 0, 0x12, 0x10])];
    for frame in 0..seconds * 10 {
        let first = if frame % 10 == 0 { 0x17 } else { 0x27 };
        tags.push((9, frame * 100, vec![first, 1, 0, 0, 0, frame as u8]));
        tags.push((8, frame * 100 + 20, vec![0xaf, 1, frame as u8]));
    }
    tags.push((9, seconds * 1000 - 100, vec![0x17, 2, 0, 0, 0]));
    tags
}

/// The same tags on a clock that begins at `first_ms`; metadata stays at 0.
fn on_clock(tags: &[Tag], first_ms: i64) -> Vec<Tag> {
    let shifted = |kind: u8, time: u32| if kind == 18 { time } else { (i64::from(time) + first_ms) as u32 };
    tags.iter().map(|(kind, time, body)| (*kind, shifted(*kind, *time), body.clone())).collect()
}

/// First times of files with a clock of their own, in milliseconds; the last one is near the end of 32 bits.
const OTHER_CLOCKS: [i64; 4] = [30_000, 7_200_000, -33, 4_294_000_000];

struct Played {
    tags: Vec<Tag>,
    codes: Vec<String>,
    length_s: Option<f64>,
    end: Option<Error>,
    took: Duration,
}

/// Plays until the server says that it is over, the connection ends, or there are `enough` tags.
fn play_some(server: &Server, enough: usize, change: impl FnOnce(&mut SessionConfig)) -> Played {
    play_at(server, 0, TlsOptions::default(), enough, change)
}

/// The same at one of the server's endpoints.
fn play_at(
    server: &Server,
    endpoint: usize,
    tls: TlsOptions,
    enough: usize,
    change: impl FnOnce(&mut SessionConfig),
) -> Played {
    let mut config = SessionConfig {
        handshake: handshake::Kind::Plain,
        connect: ConnectParams {
            app: "vod".into(),
            flash_ver: "LNX 10,0,32,18".into(),
            swf_url: None,
            tc_url: String::new(),
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
            buffer_ms: 36_000_000,
            subscribe: None,
            playlist: false,
            ask_length: true,
            refresh_buffer: false,
        }),
        order: Order::Pipelined,
        token: None,
        usher_token: None,
        swf: None,
        limits: Limits::default(),
    };
    change(&mut config);
    let dial = DialOptions {
        host: server.endpoints()[endpoint].address.ip().to_string(),
        port: server.endpoints()[endpoint].address.port(),
        tls: (server.endpoints()[endpoint].scheme == "rtmps").then_some(tls),
        connect_timeout: PATIENCE,
        write_timeout: PATIENCE,
        ..DialOptions::default()
    };
    let timeouts =
        Timeouts { answer: Some(PATIENCE), play: Some(PATIENCE), first_media: Some(PATIENCE), stall: Some(PATIENCE) };
    let began = Instant::now();
    let mut client = Client::open(&dial, config, timeouts, &Interrupt::default()).unwrap();
    let mut played = Played { tags: Vec::new(), codes: Vec::new(), length_s: None, end: None, took: Duration::ZERO };
    'all: loop {
        while client.poll().unwrap() {
            match client.event().unwrap() {
                Event::Media(m, _) if m.payload.starts_with(b"\x02\0\x11|RtmpSampleAccess") => {}
                Event::Media(m, _) => {
                    played.tags.push((m.header.message_type_id, m.header.timestamp, m.payload.to_vec()));
                    if played.tags.len() >= enough {
                        break 'all;
                    }
                }
                Event::Session(SessionEvent::StreamLength(seconds)) => played.length_s = Some(*seconds),
                Event::Session(SessionEvent::Status(kind, status)) => {
                    played.codes.push(status.code.to_string());
                    let over =
                        ["NetStream.Play.Stop", "NetStream.Play.UnpublishNotify"].contains(&status.code.as_str());
                    if over || *kind == StatusKind::Refused {
                        break 'all;
                    }
                }
                Event::Session(_) => {}
            }
        }
        if let Err(error) = client.wait(Instant::now() + PATIENCE) {
            played.end = Some(error);
            break;
        }
    }
    client.close();
    played.took = began.elapsed();
    played
}

fn play(server: &Server, change: impl FnOnce(&mut PlayParams)) -> Played {
    play_some(server, usize::MAX, |config| change(config.play.as_mut().unwrap()))
}

fn serve(path: &Path, change: impl FnOnce(&mut ServeOptions)) -> Server {
    let mut options = ServeOptions { paths: vec![path.to_owned()], ..ServeOptions::default() };
    change(&mut options);
    Server::start(options).unwrap()
}

#[test]
fn a_file_is_sent_unchanged() {
    let files = Files::new();
    for (name, tags) in [("movie.flv", pattern(3000)), ("movie.flv", h264(3, false))] {
        let path = files.write(name, &tags);
        for chunk_size in [None, Some(1), Some(4096), Some(65536)] {
            let server = serve(&path, |options| options.session.chunk_size = chunk_size);
            let played = play(&server, |_| {});
            assert!(played.tags == tags, "chunks of {chunk_size:?}");
            assert_eq!(played.length_s, Some(3.0));
            assert_eq!(played.codes.last().map(String::as_str), Some("NetStream.Play.Stop"));
        }
    }
}

#[test]
fn every_handshake_with_and_without_tls_gives_the_same() {
    let files = Files::new();
    let tags = pattern(2000);
    let path = files.write("movie.flv", &tags);
    let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    let server = serve(&path, |options| {
        options.listen = vec![Listen::plain(loopback), Listen::tls(loopback, ServerTlsOptions::default())];
    });
    let cafile = files.folder.path().join("made.pem");
    std::fs::write(&cafile, server.endpoints()[1].certificate.as_ref().unwrap()).unwrap();
    assert_eq!(server.urls().iter().filter(|url| url.starts_with("rtmps://")).count(), 2);
    for endpoint in 0..2 {
        for kind in [handshake::Kind::Plain, handshake::Kind::Digest, handshake::Kind::Rtmpe] {
            let tls = TlsOptions { cafile: Some(cafile.clone()), ..TlsOptions::default() };
            let played = play_at(&server, endpoint, tls, usize::MAX, |config| config.handshake = kind);
            assert!(played.tags == tags, "{kind:?} at endpoint {endpoint}");
        }
    }
}

#[test]
fn a_file_is_sent_no_faster_than_the_clients_buffer_takes_it() {
    let files = Files::new();
    let server = serve(&files.write("movie.flv", &pattern(600)), |_| {});
    let paced = play(&server, |play| play.buffer_ms = 100);
    assert!(paced.took >= Duration::from_millis(450), "{:?}", paced.took);
    assert!(paced.tags == pattern(600));
    let fast = serve(&files.write("movie.flv", &pattern(120_000)), |options| options.pace = Pace::Fast);
    let played = play(&fast, |play| play.buffer_ms = 100);
    assert!(played.took < Duration::from_secs(60) && played.tags.last().unwrap().1 > 119_000);
}

#[test]
fn a_file_with_a_clock_of_its_own_is_sent_at_once_and_from_0() {
    let files = Files::new();
    for first_ms in OTHER_CLOCKS {
        let tags = h264(1, false);
        let server = serve(&files.write("movie.flv", &on_clock(&tags, first_ms)), |_| {});
        let played = play(&server, |play| play.buffer_ms = 100);
        assert!(played.tags == tags, "{first_ms}");
        assert_eq!(played.length_s, Some(1.0));
        let played = play(&serve(&files.write("movie.flv", &on_clock(&h264(5, false), first_ms)), |_| {}), |play| {
            play.start_ms = 2500.0;
            play.length_ms = Some(1000.0);
        });
        let (second, last) = (&played.tags[1], played.tags.last().unwrap());
        assert_eq!((second.1, last.1), (2000, 3420), "{first_ms}");
    }
}

#[test]
fn the_length_is_measured_where_metadata_has_none_or_the_time_of_the_end() {
    let files = Files::new();
    let with_duration = |duration: f64, first_ms: i64| {
        let mut metadata = Vec::new();
        amf0::encode(&"onMetaData".into(), &mut metadata);
        amf0::encode(&Value::EcmaArray(Object::default().with("duration", duration)), &mut metadata);
        let mut tags = on_clock(&h264(5, false), first_ms);
        tags[0].2 = metadata;
        Index::of(&files.write("movie.flv", &tags)).unwrap().duration_s
    };
    // The last tag is at 4.92 s.
    for (duration, first_ms, length) in [
        (5.0, 0, 5.0),
        (60.0, 0, 60.0),
        (0.0, 0, 4.92),
        (5.0, 30_000, 5.0),
        (35.0, 30_000, 4.92),
        (0.0, -33, 4.92),
        (0.0, 4_294_000_000, 4.92),
    ] {
        assert_eq!(with_duration(duration, first_ms), length, "{duration} {first_ms}");
    }
}

#[test]
fn a_clock_that_jumps_does_not_hold_the_stream_up() {
    let files = Files::new();
    let mut tags = h264(1, false);
    for step_ms in [3_600_000, 0, 50_000, -7_200_000] {
        tags.extend(on_clock(&h264(1, false), step_ms).into_iter().skip(3));
    }
    let server = serve(&files.write("movie.flv", &tags), |_| {});
    let played = play(&server, |play| play.buffer_ms = 100);
    let times = |tags: &[Tag]| tags.iter().map(|(kind, time, _)| (*kind, *time)).collect::<Vec<_>>();
    assert_eq!(times(&played.tags), times(&tags), "{:?}", played.end);
}

#[test]
fn starting_in_the_middle_in_three_styles() {
    let files = Files::new();
    let (plain, indexed) = (files.write("movie.flv", &h264(5, false)), files.write("indexed.flv", &h264(5, true)));
    let cases = [
        // Path, style, first time of each header, first frame: its time, and which it is.
        (&plain, SeekStyle::Absolute, 2000, 2000, 20),
        (&plain, SeekStyle::Relative, 0, 0, 20),
        (&plain, SeekStyle::Nginx, 2500, 2500, 0),
        (&indexed, SeekStyle::Nginx, 3000, 3000, 30),
    ];
    for (path, style, header_ms, frame_ms, frame) in cases {
        let server = serve(path, |options| options.seek_style = style);
        let played = play(&server, |play| {
            play.start_ms = 2500.0;
            play.playpath = path.file_stem().unwrap().to_str().unwrap().to_owned();
        });
        let kinds: Vec<_> = played.tags.iter().take(4).map(|(kind, time, body)| (*kind, *time, body[1])).collect();
        let expected = [(18, 0, 0), (9, header_ms, 0), (8, header_ms, 0), (9, frame_ms, 1)];
        assert_eq!(kinds, expected, "{style:?}");
        assert_eq!(played.tags[3].2, [0x17, 1, 0, 0, 0, frame], "{style:?}");
        let last = played.tags.last().unwrap();
        assert_eq!(i64::from(last.1) - i64::from(frame_ms), 4900 - i64::from(frame) * 100, "{style:?}");
        assert_eq!(last.2.len(), 5, "the end of sequence");
    }
}

#[test]
fn a_start_at_or_after_the_ends_is_accepted() {
    let files = Files::new();
    let server = serve(&files.write("movie.flv", &h264(5, false)), |_| {});
    for (start, first, count) in [(0.0, 0, 104), (900.0, 0, 104), (4_000_000.0, 4000, 24), (1e300, 4000, 24)] {
        let played = play(&server, |play| play.start_ms = start);
        assert_eq!((played.tags[1].1, played.tags.len()), (first, count), "{start}");
    }
}

#[test]
fn the_length_of_play_is_obeyed_unless_told_otherwise() {
    let files = Files::new();
    let path = files.write("movie.flv", &h264(5, false));
    let with_length = |play: &mut PlayParams| {
        play.start_ms = 1000.0;
        play.length_ms = Some(1500.0);
    };
    let played = play(&serve(&path, |_| {}), with_length);
    assert_eq!((played.tags[1].1, played.tags.last().unwrap().1), (1000, 2420));
    assert!(played.codes.contains(&"NetStream.Play.Complete".to_owned()));
    let played = play(&serve(&path, |options| options.honour_length = false), with_length);
    assert_eq!(played.tags.last().unwrap().1, 4900);
}

#[test]
fn pausing_at_a_full_buffer_gives_the_rest_without_gap_or_repetition() {
    let files = Files::new();
    let tags = h264(30, false);
    let server = serve(&files.write("movie.flv", &tags), |options| options.buffer_notices = true);
    let played = play(&server, |play| {
        play.buffer_ms = 2000;
        play.refresh_buffer = true;
    });
    let media = |tags: &[Tag]| tags.iter().filter(|(kind, ..)| *kind != 18).cloned().collect::<Vec<_>>();
    // The end of sequence has a time that was there before, so a client that drops repetitions may drop it.
    let expected: Vec<_> = media(&tags).into_iter().filter(|(_, _, body)| body.len() != 5).collect();
    let got: Vec<_> = media(&played.tags).into_iter().filter(|(_, _, body)| body.len() != 5).collect();
    assert!(got == expected, "{} of {}", got.len(), expected.len());
    assert!(played.took < Duration::from_secs(20), "in real time it takes 28 s: {:?}", played.took);
    assert!(played.codes.iter().filter(|code| *code == "NetStream.Unpause.Notify").count() > 5, "{:?}", played.codes);
}

#[test]
fn continuing_after_a_pause_sends_everything_later_and_nothing_else() {
    let files = Files::new();
    let tags = h264(5, false);
    let path = files.write("movie.flv", &tags);
    let index = Index::of(&path).unwrap();
    for (style, start, shift) in
        [(SeekStyle::Absolute, 0, 0), (SeekStyle::Relative, 2000, -2000), (SeekStyle::Nginx, 1000, 1000)]
    {
        for after_ms in [0i64, 20, 1500, 1999, 2000, 3000, 90_000] {
            let mut source = FileSource::open(&path, index.clone(), style).unwrap();
            source.seek(start).unwrap();
            let mut source = Source::File(Box::new(source));
            while source.next().is_some() {}
            let Source::File(file) = &mut source else { unreachable!() };
            file.resume_after(after_ms).unwrap();
            let mut got = Vec::new();
            while let Some(tag) = source.next() {
                got.push((tag.message_type_id, tag.time_ms, tag.payload.to_vec()));
            }
            let expected: Vec<_> = tags
                .iter()
                .map(|(kind, time, body)| (*kind, i64::from(*time) + shift, body.clone()))
                .skip_while(|(_, time, _)| *time <= after_ms)
                // Metadata is at 0 in every style.
                .map(|(kind, time, body)| (kind, if kind == 18 { 0 } else { time }, body))
                .collect();
            assert_eq!(got, expected, "{style:?} {after_ms}");
        }
    }
}

#[test]
fn players_of_the_live_pattern_see_the_same() {
    let server = Server::start(ServeOptions {
        pattern: PatternOptions {
            width: 64,
            height: 64,
            frame_rate: 100,
            keyframe_interval: 10,
            ..PatternOptions::default()
        },
        ..ServeOptions::default()
    })
    .unwrap();
    let [one, two] = [(); 2].map(|()| {
        play_some(&server, 60, |config| {
            config.connect.app = "live".into();
            let play = config.play.as_mut().unwrap();
            play.start_ms = -1000.0;
            play.subscribe = Some("movie".into());
        })
    });
    let first: Vec<_> = one.tags.iter().take(3).map(|tag| (tag.0, tag.2[1])).collect();
    assert_eq!(first, [(18, 0), (9, 0), (8, 0)], "metadata and the sequence headers come first");
    assert_eq!(one.length_s, None);
    let common: Vec<_> = two.tags[3..].iter().filter(|tag| one.tags.iter().any(|other| other == *tag)).collect();
    let overlap = two.tags[3..].iter().filter(|tag| tag.1 <= one.tags.last().unwrap().1).count();
    assert!(common.len() >= overlap.saturating_sub(1), "{} of {overlap}", common.len());
    assert!(server.stream_time_ms() >= u64::from(two.tags.last().unwrap().1));
}

#[test]
fn a_live_stream_can_end() {
    let pattern = PatternOptions { duration_ms: Some(300), width: 64, height: 64, ..PatternOptions::default() };
    let server = Server::start(ServeOptions { pattern, close_at_end: true, ..ServeOptions::default() }).unwrap();
    let played = play(&server, |play| play.start_ms = -1000.0);
    assert_eq!(played.codes.last().map(String::as_str), Some("NetStream.Play.UnpublishNotify"));
}

#[test]
fn a_missing_stream_and_a_file_that_is_not_flv_are_refused() {
    let files = Files::new();
    let path = files.write("movie.flv", &h264(1, false));
    std::fs::write(files.folder.path().join("text.flv"), b"not at all").unwrap();
    std::fs::write(files.folder.path().join("empty.flv"), b"").unwrap();
    let server = serve(path.parent().unwrap(), |_| {});
    for (name, code) in [
        ("absent", "NetStream.Play.StreamNotFound"),
        ("../movie", "NetStream.Play.StreamNotFound"),
        ("text", "NetStream.Play.FileStructureInvalid"),
        ("empty", "NetStream.Play.FileStructureInvalid"),
    ] {
        let played = play(&server, |play| play.playpath = name.to_owned());
        assert_eq!(played.codes, [code], "{name}");
    }
}

#[test]
fn a_truncated_file_plays_to_its_last_whole_tag() {
    let files = Files::new();
    let tags = h264(1, false);
    let path = files.write("movie.flv", &tags);
    let bytes = std::fs::read(&path).unwrap();
    for end in 13..bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let index = Index::of(&path).unwrap();
        let mut source = Source::File(Box::new(FileSource::open(&path, index, SeekStyle::Absolute).unwrap()));
        let mut count = 0;
        while let Some(tag) = source.next() {
            assert_eq!(tag.payload, tags[count].2, "{end}");
            count += 1;
        }
        let mut whole = 13;
        let expected = tags.iter().take_while(|tag| {
            whole += 15 + tag.2.len();
            whole - 4 <= end
        });
        assert_eq!(count, expected.count(), "{end}");
    }
}

#[test]
fn a_connection_can_be_cut_for_a_test() {
    let files = Files::new();
    let server = serve(&files.write("movie.flv", &pattern(20_000)), |options| options.cut_after_bytes = Some(100_000));
    let played = play(&server, |_| {});
    assert!(matches!(played.end, Some(Error::Closed { .. } | Error::Io { .. })), "{:?}", played.end);
    assert!(!played.tags.is_empty() && played.tags.len() < pattern(20_000).len());
}

#[test]
fn a_server_that_waits_for_acknowledgements_gets_them() {
    let files = Files::new();
    for window in [2800, 100_000] {
        let server = serve(&files.write("movie.flv", &pattern(3000)), |options| {
            options.wait_for_acknowledgements = true;
            options.session.window = window;
            options.session.peer_bandwidth = None;
        });
        assert!(play(&server, |_| {}).tags == pattern(3000), "{window}");
    }
}

#[test]
fn a_client_that_does_not_read_does_not_disturb_others() {
    let files = Files::new();
    let path = files.write("movie.flv", &pattern(30_000));
    let server = serve(&path, |options| options.pace = Pace::Fast);
    let stuck: Vec<_> = (0..4).map(|_| ask_and_stop_reading(&server)).collect();
    let played = play(&server, |_| {});
    assert!(played.tags == pattern(30_000));
    assert_eq!(server.clients().max(4), server.clients(), "the stuck ones are still there");
    let began = Instant::now();
    server.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop(stuck);
}

/// A client that says what a test wants, over a socket.
struct Raw {
    stream: TcpStream,
    wire: ChunkLink,
}

impl Raw {
    /// Handshake, connect and createStream in one breath.
    fn connect(server: &Server) -> Self {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[&[3][..], &[0; 1536 * 2]].concat()).unwrap();
        stream.read_exact(&mut [0; 1 + 1536 * 2]).unwrap();
        let mut raw = Self { stream, wire: ChunkLink::new(Limits::default()) };
        raw.say("connect", 0, vec![Object::default().with("app", "vod").into()]);
        raw.say("createStream", 0, vec![Value::Null]);
        // More than any file here is long.
        raw.wire.send_user_control(user_control::SET_BUFFER_LENGTH, &[0, 0, 0, 1, 0, 0xff, 0xff, 0xff]);
        raw.say("receiveVideo", 1, vec![Value::Null, true.into()]);
        raw
    }

    fn say(&mut self, name: &str, message_stream_id: u32, arguments: Vec<Value>) {
        let command = Command { name: name.into(), transaction_id: 1.0, arguments };
        let header =
            MessageHeader { chunk_stream_id: 3, message_type_id: 20, timestamp: 0, message_stream_id, length: 0 };
        self.wire.send(header, &command.encode());
        self.send();
    }

    fn send(&mut self) {
        let count = self.wire.output().len();
        self.stream.write_all(self.wire.output()).unwrap();
        self.wire.sent(count);
    }

    /// Reads until a status with this code is received. Returns audio, video and data before it.
    fn until(&mut self, code: &str) -> Vec<Tag> {
        self.read_until(code).0
    }

    fn read_until(&mut self, code: &str) -> (Vec<Tag>, Command) {
        let mut tags = Vec::new();
        loop {
            while self.wire.poll().unwrap() {
                let message = self.wire.message().unwrap();
                let (kind, time) = (message.header.message_type_id, message.header.timestamp);
                if kind == 20 {
                    let command = Command::decode(&message).unwrap();
                    if NetStatus::of(&command).code.as_str() == code {
                        return (tags, command);
                    }
                } else if matches!(kind, 8 | 9 | 18) {
                    tags.push((kind, time, message.payload.to_vec()));
                }
            }
            self.send();
            let count = self.stream.read(self.wire.read_buffer()).unwrap();
            assert!(count > 0, "closed before {code}");
            self.wire.bytes_read(count);
        }
    }
}

/// A client that plays and does not read.
fn ask_and_stop_reading(server: &Server) -> Raw {
    let mut raw = Raw::connect(server);
    raw.say("play", 1, vec![Value::Null, "movie".into(), 0.0.into()]);
    raw.until("NetStream.Play.Start");
    raw
}

#[test]
fn a_stream_can_be_sought_in_after_its_end() {
    for first_ms in [0].into_iter().chain(OTHER_CLOCKS) {
        seek_and_pause_after_the_end(first_ms);
    }
}

fn seek_and_pause_after_the_end(first_ms: i64) {
    let files = Files::new();
    let server = serve(&files.write("movie.flv", &on_clock(&h264(3, false), first_ms)), |_| {});
    let mut raw = Raw::connect(&server);
    raw.say("play", 1, vec![Value::Null, "movie".into(), 0.0.into()]);
    let video = |tags: &[Tag]| tags.iter().filter(|tag| tag.0 == 9).map(|tag| (tag.1, tag.2[1])).collect::<Vec<_>>();
    assert_eq!(video(&raw.until("NetStream.Play.Stop")).len(), 32);
    raw.say("seek", 1, vec![Value::Null, 2500.0.into()]);
    raw.until("NetStream.Seek.Notify");
    let again = video(&raw.until("NetStream.Play.Stop"));
    assert_eq!((again.len(), again[0], again[1]), (12, (2000, 0), (2000, 1)));
    raw.say("pause", 1, vec![Value::Null, true.into(), 2850.0.into()]);
    raw.until("NetStream.Pause.Notify");
    raw.say("pause", 1, vec![Value::Null, false.into(), 2850.0.into()]);
    raw.until("NetStream.Unpause.Notify");
    assert_eq!(video(&raw.until("NetStream.Play.Stop")), [(2900, 1), (2900, 2)]);
}

#[test]
fn streams_are_queued_and_tracks_can_be_left_out() {
    let files = Files::new();
    let server = serve(&files.write("movie.flv", &h264(1, false)), |_| {});
    let mut raw = Raw::connect(&server);
    raw.say("receiveAudio", 1, vec![Value::Null, false.into()]);
    for reset in [true, false, false] {
        let arguments = [Value::Null, "movie".into(), 0.0.into(), (-1000.0).into(), reset.into()];
        raw.say("play", 1, arguments.to_vec());
    }
    let tags = raw.until("NetStream.Play.Stop");
    assert_eq!(tags.iter().filter(|tag| tag.2.get(1) == Some(&2) && tag.0 == 9).count(), 3);
    raw.say("play", 1, vec![Value::Null, "movie".into(), 0.0.into()]);
    raw.say("receiveAudio", 1, vec![Value::Null, false.into()]);
    raw.say("seek", 1, vec![Value::Null, 0.0.into()]);
    raw.until("NetStream.Seek.Notify");
    assert!(raw.until("NetStream.Play.Stop").iter().all(|tag| tag.0 != 8));
}

#[test]
fn silent_clients_are_disconnected_and_too_many_are_refused() {
    let server = Server::start(ServeOptions {
        idle_timeout: Duration::from_millis(100),
        max_clients: 2,
        ..ServeOptions::default()
    })
    .unwrap();
    let mut silent = [(); 2].map(|()| TcpStream::connect(server.addr()).unwrap());
    let mut third = TcpStream::connect(server.addr()).unwrap();
    for stream in silent.iter_mut().chain([&mut third]) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }
}

#[test]
fn a_client_that_does_not_speak_rtmp_is_disconnected() {
    let server = Server::start(ServeOptions::default()).unwrap();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x16, 3, 1, 0, 5], &[0xff; 5000]] {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{bytes:?}");
    }
}

#[test]
fn each_connection_gets_its_own_secure_token_challenge() {
    let server =
        Server::start(ServeOptions { secure_token: Some("#ed%h0#w@1".into()), ..ServeOptions::default() }).unwrap();
    let challenge = || {
        let (_, result) = Raw::connect(&server).read_until("NetConnection.Connect.Success");
        let information = result.arguments.iter().filter_map(Value::as_object).next_back().cloned().unwrap();
        information.get("secureToken").and_then(Value::as_str).unwrap().to_owned()
    };
    let (one, two) = (challenge(), challenge());
    assert!(one.len() >= 16 && one != two, "{one} {two}");
}

#[test]
fn it_stops_by_itself_after_the_wanted_number_of_clients() {
    let files = Files::new();
    let server = serve(&files.write("movie.flv", &h264(1, false)), |options| options.stop_after = Some(1));
    // Port scans are not clients: not those that close, and not one that stays.
    for _ in 0..3 {
        let mut scan = TcpStream::connect(server.addr()).unwrap();
        scan.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        scan.read_to_end(&mut Vec::new()).unwrap_or_default();
    }
    let _stays = TcpStream::connect(server.addr()).unwrap();
    assert!(!server.is_finished());
    assert!(!play(&server, |_| {}).tags.is_empty());
    let began = Instant::now();
    while !server.is_finished() {
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    assert_eq!(server.clients(), 0);
}
