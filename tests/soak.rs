//! Long recordings at full speed, both ends in memory: a week with thousands of new connections, and more than the 49.7
//! days after which the clock of RTMP wraps. Every tag is accounted for, and memory does not grow.

use std::fs::File;
use std::io::{BufReader, Seek};

use rtmpcat::flv::reader::Reader;
use rtmpcat::flv::recorder::{Options, PushResult, Recorder, Summary};
use rtmpcat::flv::sink::Output;
use rtmpcat::flv::tag::tag_type::{AUDIO, SCRIPT, VIDEO};
use rtmpcat::flv::timeline::Join;
use rtmpcat::proto::amf0::{Object, Value};
use rtmpcat::proto::chunk::Limits;
use rtmpcat::proto::handshake::{Kind, Random};
use rtmpcat::proto::server::{ServerEvent, ServerOptions, ServerSession};
use rtmpcat::proto::session::{ConnectParams, Event, Order, PlayParams, Session, SessionConfig};

/// One connection: a client and a server, and what goes between them.
struct Connection {
    client: Session,
    server: ServerSession,
    stream_id: u32,
}

impl Connection {
    /// Connects and plays.
    fn open(number: u64) -> Connection {
        let mut random = [0; Random::BYTES];
        random.iter_mut().zip(number.to_be_bytes().iter().cycle()).for_each(|(to, from)| *to = *from);
        let random = Random::from_bytes(&random);
        let client = Session::new(config(), number as u32, &random);
        let server = ServerSession::new(ServerOptions::default(), number as u32, &random);
        let mut line = Connection { client, server, stream_id: 0 };
        while line.stream_id == 0 {
            line.feed_server();
            line.feed_client(|_| {});
        }
        line
    }

    fn feed_server(&mut self) {
        let bytes = self.client.output().to_vec();
        self.client.sent(bytes.len());
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let buffer = self.server.read_buffer();
            let count = buffer.len().min(rest.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.server.bytes_read(count);
            rest = &rest[count..];
            while let Some(event) = self.server.poll().unwrap() {
                if let ServerEvent::Play(request) = event {
                    self.stream_id = request.stream_id;
                    self.server.begin_play(&request, false);
                }
            }
        }
    }

    /// Delivers what the server has to say, in pieces as a network has them; `take` gets the media.
    fn feed_client(&mut self, mut take: impl FnMut(&rtmpcat::proto::message::Message<'_>)) {
        while !self.server.output().is_empty() {
            let buffer = self.client.read_buffer();
            let count = buffer.len().min(self.server.output().len()).min(PIECE);
            buffer[..count].copy_from_slice(&self.server.output()[..count]);
            self.client.bytes_read(count);
            self.server.sent(count);
            while self.client.poll().unwrap() {
                if let Some(Event::Media(message, _)) = self.client.event() {
                    take(&message);
                }
            }
        }
    }
}

/// A recording into a file, and what is expected to be in it.
struct Soak {
    recorder: Recorder,
    file: File,
    /// Frames that have to be in the file: kind and number.
    next: u32,
    /// Sent, and to be found in the file or among what was repeated.
    sent: u64,
    now_ms: u64,
}

impl Soak {
    fn new(options: Options) -> Soak {
        let file = tempfile::tempfile().unwrap();
        let mut output = file.try_clone().ok();
        let open = Box::new(move || Output::from_file(output.take().expect("opened once")));
        Soak { recorder: Recorder::new(options, open), file, next: 0, sent: 0, now_ms: 0 }
    }

    /// Metadata and headers, as each connection begins.
    fn begin(&mut self, line: &mut Connection, base: u32) {
        let id = line.stream_id;
        let properties = Object::default().with("videocodecid", 7.0).with("audiocodecid", 10.0);
        line.server.data(id, base, &["onMetaData".into(), Value::EcmaArray(properties)]);
        line.server.media(id, VIDEO, base, &[0x17, 0, 0, 0, 0, 1, 0x64]);
        line.server.media(id, AUDIO, base, &[0xaf, 0, 0x12, 0x10]);
        self.sent += 3;
    }

    /// A frame. `counted` ones bear the next number and have to arrive.
    fn frame(&mut self, line: &mut Connection, kind: u8, keyframe: bool, time: u32, counted: bool) {
        let number = if counted { self.next } else { u32::MAX };
        self.next += u32::from(counted);
        self.sent += 1;
        let [a, b, c, d] = number.to_be_bytes();
        match kind {
            VIDEO => {
                let first = if keyframe { 0x17 } else { 0x27 };
                line.server.media(line.stream_id, VIDEO, time, &[first, 1, 0, 0, 0, a, b, c, d]);
            }
            _ => line.server.media(line.stream_id, AUDIO, time, &[0xaf, 1, a, b, c, d]),
        }
    }

    fn deliver(&mut self, line: &mut Connection) {
        let (recorder, now_ms) = (&mut self.recorder, self.now_ms);
        line.feed_client(|message| assert_eq!(recorder.push(message, now_ms).unwrap(), PushResult::Going));
        recorder.tick(now_ms).unwrap();
        line.feed_server();
    }

    /// Ends the recording and walks through the file: each number once, in order; `check` sees each frame's kind and time.
    fn finish(mut self, mut check: impl FnMut(u8, u32)) -> Summary {
        let summary = self.recorder.finish().unwrap();
        self.file.rewind().unwrap();
        let mut reader = Reader::new(BufReader::new(&self.file));
        let (mut next, mut tags) = (0, 0);
        while let Some(tag) = reader.next_tag().expect("a valid file") {
            tags += 1;
            let number = match tag.tag_type() {
                SCRIPT => continue,
                VIDEO => tag.payload.get(5..),
                _ => tag.payload.get(2..),
            };
            if tag.payload[1] == 1 {
                let number = number.and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_be_bytes(*bytes));
                assert_eq!(number, Some(next));
                next += 1;
                check(tag.tag_type(), tag.timestamp_ms());
            }
        }
        assert_eq!(next, self.next, "all that was to arrive");
        assert_eq!(tags, summary.audio_tags + summary.video_tags + summary.script_tags);
        // The tag with the index is our own.
        let own = u64::from(summary.script_tags > 0);
        assert!(
            tags + summary.repeated >= self.sent && tags + summary.repeated <= self.sent + own,
            "all that was sent"
        );
        assert_eq!(summary.skipped, 0);
        summary
    }
}

#[test]
fn a_week_with_thousands_of_new_connections() {
    let mut soak = Soak::new(Options { live: true, index: true, ..Options::default() });
    let mut settled = 0;
    for number in 0..CONNECTIONS {
        let mut line = Connection::open(number);
        // Each server's clock stands somewhere else: before 4 h 39 min, 24.8 days and 49.7 days, at 0, anywhere.
        let base = match number % 5 {
            0 => 0,
            1 => (1 << 24) - 70_000,
            2 => (1 << 31) - 70_000,
            3 => 0u32.wrapping_sub(70_000),
            _ => (number as u32).wrapping_mul(0x9e37_79b9),
        };
        if number > 0 {
            soak.now_ms += 2_000;
            soak.recorder.new_connection(Join::Append, soak.now_ms).unwrap();
        }
        soak.begin(&mut line, base);
        if number > 0 {
            // In the middle of a group of pictures: of no use before the keyframe.
            soak.frame(&mut line, VIDEO, false, base, false);
            soak.frame(&mut line, AUDIO, false, base + 3, false);
        }
        for frame in 0..FRAMES {
            let time = base.wrapping_add((frame + 1) * STEP_MS);
            soak.frame(&mut line, VIDEO, frame % 5 == 0, time, true);
            soak.frame(&mut line, AUDIO, false, time.wrapping_add(7), true);
            soak.now_ms += u64::from(STEP_MS);
            if frame % 10 == 0 {
                soak.deliver(&mut line);
            }
        }
        soak.deliver(&mut line);
        if number == CONNECTIONS / 5 {
            settled = resident();
        }
    }
    let grown = resident().saturating_sub(settled);
    assert!(grown < 3 << 20, "{grown} bytes more than after a fifth of the time");
    let mut last = [0; 2];
    let summary = soak.finish(|kind, time| {
        let last = &mut last[usize::from(kind == VIDEO)];
        assert!(time >= *last, "the clock goes back at {last}");
        *last = time;
    });
    assert_eq!(summary.discontinuity_count, CONNECTIONS - 1);
    assert!(summary.discontinuities.len() <= 1000);
    // Metadata, two headers and two frames of each connection but the first.
    assert_eq!(summary.repeated, (CONNECTIONS - 1) * 5);
    let streamed = CONNECTIONS * u64::from(FRAMES * STEP_MS);
    assert_eq!(streamed, 7 * 24 * 3600 * 1000);
    // What a new connection brings follows closely on what was there, however far apart the pictures are otherwise.
    let joined = streamed - (CONNECTIONS - 1) * u64::from(STEP_MS);
    assert!((joined..streamed).contains(&summary.duration_ms), "{} of {streamed} ms", summary.duration_ms);
}

#[test]
fn one_connection_past_every_mark() {
    let mut soak = Soak::new(Options { live: true, ..Options::default() });
    let mut line = Connection::open(1);
    soak.begin(&mut line, 0);
    // 51 days.
    let frames = 51 * 24 * 3600 / 20u32;
    for frame in 0..frames {
        let time = (u64::from(frame) * 20_000) as u32;
        soak.frame(&mut line, VIDEO, frame % 3 == 0, time, true);
        soak.frame(&mut line, AUDIO, false, time, true);
        soak.now_ms = u64::from(frame) * 20_000;
        soak.deliver(&mut line);
    }
    let mut count = 0u64;
    let summary = soak.finish(|_, time| {
        assert_eq!(time, (count / 2 * 20_000) as u32);
        count += 1;
    });
    assert_eq!((summary.discontinuity_count, summary.repeated), (0, 0));
    assert_eq!(summary.latest_ms, (i64::from(frames) - 1) * 20_000, "beyond 32 bits");
}

fn config() -> SessionConfig {
    SessionConfig {
        handshake: Kind::Plain,
        connect: ConnectParams {
            app: "live".to_owned(),
            flash_ver: "LNX 10,0,32,18".to_owned(),
            swf_url: None,
            tc_url: "rtmp://h:1935/live".to_owned(),
            page_url: None,
            object_encoding: None,
            extra_properties: Vec::new(),
            auth: None,
            arguments: Vec::new(),
        },
        play: Some(PlayParams {
            playpath: "s".to_owned(),
            start_ms: -1000.0,
            length_ms: None,
            buffer_ms: 1000,
            subscribe: None,
            playlist: false,
            ask_length: false,
            refresh_buffer: false,
        }),
        order: Order::Pipelined,
        token: None,
        usher_token: None,
        swf: None,
        limits: Limits::default(),
    }
}

/// What this process holds in memory, in bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// New connections of a week; pictures of each, and their distance in milliseconds. Sparse: it is the times that matter.
const CONNECTIONS: u64 = 2016;
const FRAMES: u32 = 30;
const STEP_MS: u32 = 10_000;

/// What a network delivers at once: no multiple of anything.
const PIECE: usize = 1447;
